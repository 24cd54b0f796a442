# Image files: opening, decoding, cutting and scaling them.

# Files

no-such-image = Diese Datei gibt es nicht
    .do = Prüfen Sie den Pfad.

folder-instead-of-image = Dies ist ein Ordner, kein Bild
    .do = Nennen Sie die Bilder darin.

no-regular-file = Dies ist keine reguläre Datei
    .do = Nennen Sie eine Bilddatei.

image-not-opened = Die Datei konnte nicht geöffnet werden: { $reason }
    .do = Prüfen Sie den Pfad.

image-no-permission = Die Datei darf nicht gelesen werden: { $reason }
    .do = Geben Sie sich die Berechtigung, sie zu lesen.

image-outside-folders = Die Datei liegt außerhalb der Ordner, die die App lesen darf
    .do = Wählen Sie eine andere Datei, oder erlauben Sie der App, diesen Ordner zu lesen.

image-file-empty = Die Datei ist leer (0 Byte)
    .do = Kopieren oder exportieren Sie sie noch einmal. Andere Bilder sind nicht betroffen.

image-damaged = Die Datei ist beschädigt, unvollständig oder von unbekannter Art: { $reason }
    .do = Kopieren oder exportieren Sie sie noch einmal. Andere Bilder sind nicht betroffen.

box-beyond-edge = der Ausschnitt reicht über den Rand seines Bildes hinaus und ist mit der Farbe des Randes aufgefüllt

image-incomplete = Die Datei ist beschädigt oder unvollständig
    .do = Kopieren oder exportieren Sie sie noch einmal. Andere Bilder sind nicht betroffen.

not-an-image = Die Datei ist kein Bild: Sie enthält { $is_text ->
        [true] Text
       *[false] ein Format, das coverslip nicht kennt
    }
    .do = Exportieren Sie sie als PNG oder TIFF, oder schließen Sie sie aus. Andere Bilder sind nicht betroffen.

# Formats

dicom-without-header = Die Datei ist DICOM ohne Header, also ohne die Angaben dazu, wie die Pixel gespeichert sind
    .do = Exportieren Sie sie als DICOM-Datei (Part 10) oder TIFF aus der Software, die sie geschrieben hat.

dicom-without-image = Die DICOM-Datei enthält kein Bild, sondern andere Daten, etwa einen Befund oder einen Plan
    .do = Schließen Sie sie aus.

zarr-without-multiscales = Der Zarr-Ordner hat keine OME-Metadaten (multiscales), die die Achsen eines Bildes nennen
    .do = Schreiben Sie das Array noch einmal als OME-Zarr, etwa mit dem Python-Paket ome-zarr, oder als TIFF.

image-kind-not-read = Die Datei ist von einer Art, die nicht gelesen werden kann: { $reason }
    .do = Wandeln Sie sie mit einem anderen Programm in PNG oder TIFF um. Öffnen auch andere Programme sie nicht, ist sie beschädigt.

frames-of-16-bit-png = Einzelbilder eines animierten PNG von 16 Bit nach dem ersten

frame-of-other-size = das Einzelbild { $frame } hat eine andere Größe als das Bild

format-not-read = Dateien im Format { $title } können noch nicht gelesen werden
    .do = { $advice }

format-not-installed = Das Leseprogramm für das Format { $title } ist nicht installiert
    .do = { $advice }

format-needs-package = Installieren Sie es: { $command } (Paket { $package }). Andernfalls: { $export }

format-needs-python = coverslip liest es mit Python { $version } oder neuer und dem Zusatzpaket „coverslip[formats]“. Andernfalls: { $export }

frame-missing = die Ebene { $frame } fehlt oder ist unvollständig

dicom-sparse-tiles = die Kacheln füllen den Objektträger nicht der Reihe nach

zarr-metadata = die Metadaten von OME-Zarr sind ungültig: { $reason }

zarr-chunk-missing = der Chunk { $chunk } fehlt

zarr-chunk-incomplete = der Chunk { $chunk } ist unvollständig

zarr-chunk-too-large = die Chunks sind zu groß

format-not-loaded = Das Format „{ $name }“ des Pakets { $package } konnte nicht geladen werden: { $reason }
    .do = Aktualisieren Sie { $package }, oder deinstallieren Sie es.

format-no-reader = ein Reader ist nötig, vorhanden ist ein Objekt des Typs { $type }

export-from-microscope = Exportieren Sie es aus der Mikroskopsoftware als OME-TIFF oder PNG.

export-picture = Exportieren Sie es als PNG oder TIFF aus dem Programm, das es geschrieben hat, oder aus Fiji.

export-from-fiji = Exportieren Sie TIFF aus Fiji (File > Import > Bio-Formats, dann File > Save As > Tiff).

export-nd2 = Exportieren Sie TIFF aus NIS-Elements (File > Import/Export > Export ND Document) oder Fiji (File > Import > Bio-Formats, dann File > Save As > Tiff).

export-czi = Exportieren Sie OME-TIFF aus ZEN (Processing > Batch > OME TIFF-Export) oder TIFF aus Fiji (File > Import > Bio-Formats, dann File > Save As > Tiff).

export-lif = Exportieren Sie TIFF aus LAS X (Rechtsklick auf das Bild > Export Image) oder Fiji (File > Import > Bio-Formats, dann File > Save As > Tiff).

export-oib = Exportieren Sie TIFF aus der Mikroskopsoftware oder Fiji (File > Import > Bio-Formats, dann File > Save As > Tiff).

export-ims = Exportieren Sie eine TIFF-Serie aus Imaris (File > Export) oder TIFF aus Fiji (File > Import > Bio-Formats, dann File > Save As > Tiff).

export-heic = Exportieren Sie die Fotos als JPEG, auf dem Telefon (iPhone: Einstellungen > Kamera > Formate > Maximale Kompatibilität) oder mit einem Fotoprogramm.

export-slide = Exportieren Sie Regionen als TIFF aus QuPath (File > Export images) oder der Scannersoftware.

# Sizes and limits

image-too-large = Das Bild gibt { $width } x { $height } Pixel{ $pixel_bytes ->
        [1] { "" }
       *[other] {" "}zu je { $pixel_bytes } Byte
    } an, und die Grenze ist { NUMBER($limit_mb, maximumFractionDigits: 0) } Millionen Byte
    .do = Schneiden Sie es zuerst zu, oder verkleinern Sie es.

image-too-many-pixels = Das Bild gibt zu viele Pixel an: Die Grenze ist { NUMBER($limit_mb, maximumFractionDigits: 0) } Millionen Byte
    .do = Schneiden Sie es zuerst zu, oder verkleinern Sie es.

image-file-too-long = Die Datei hat { NUMBER($n_mb, maximumFractionDigits: 0) } Millionen Byte, und die Grenze für ein komprimiertes Bild ist { NUMBER($limit_mb, maximumFractionDigits: 0) } Millionen Byte
    .do = Kopieren oder exportieren Sie sie noch einmal. Andere Bilder sind nicht betroffen.

image-out-of-memory = Der Arbeitsspeicher reicht für das Bild nicht aus
    .do = Schneiden Sie es zuerst zu, oder verkleinern Sie es.

image-memory-limit = Das Lesen der Datei brauchte mehr als { NUMBER($memory_gb, maximumFractionDigits: 3) } GB Arbeitsspeicher
    .do = Schneiden Sie das Bild zuerst zu, oder verkleinern Sie es.

image-time-limit = Das Lesen der Datei dauerte länger als { NUMBER($seconds, maximumFractionDigits: 3) } s
    .do = Kopieren oder exportieren Sie sie noch einmal. Andere Bilder sind nicht betroffen.

image-without-size = sie gibt eine Größe von { $width } x { $height } Pixeln an

image-of-zeros = sie beginnt mit lauter Nullen

image-too-many-frames = sie hat { $n_frames } Einzelbilder, und die Grenze ist { $limit }

palette-too-short = ein Pixel verweist auf eine Farbe jenseits des Endes der Palette

# Planes, channels and boxes

no-such-plane = Die z-Ebene { $plane } gibt es nicht: Das Bild hat { $n_planes ->
        [one] { $n_planes } z-Ebene
       *[other] { $n_planes } z-Ebenen
    }, nummeriert ab 0
    .do = Wählen Sie eine niedrigere z-Ebene, „max“, „mean“ oder „best-focus“ über alle z-Ebenen, oder „channels“, um jede Ebene als Kanal zu verwenden.

no-such-series = Die Serie { $series } gibt es nicht: Die Datei hat { $n_series ->
        [one] { $n_series } Serie
       *[other] { $n_series } Serien
    }, nummeriert ab 0
    .do = Wählen Sie eine niedrigere Serie.

no-such-time = Den Zeitpunkt { $t } gibt es nicht: Das Bild hat { $n_times ->
        [one] { $n_times } Zeitpunkt
       *[other] { $n_times } Zeitpunkte
    }, nummeriert ab 0
    .do = Wählen Sie einen früheren Zeitpunkt.

no-such-level = Die Auflösungsstufe { $number } gibt es nicht: Das Bild hat { $n_levels ->
        [one] { $n_levels } Auflösungsstufe
       *[other] { $n_levels } Auflösungsstufen
    }, nummeriert ab 0
    .do = Wählen Sie eine niedrigere Auflösungsstufe; Stufe 0 ist die volle Auflösung.

no-such-channel-name = { $n_names ->
        [0] Es gibt keinen Kanal „{ $channel }“: Die Datei nennt keine Kanäle
       *[other] „{ $channel }“ ist nicht der Name genau eines Kanals: Die Kanäle sind { $names }
    }
    .do = Wählen Sie Kanäle nach ihren Nummern ab 0 oder nach den Namen in der Datei.

projection-too-large = Die { $n_planes } Ebenen der Datei haben { $n_values } Werte, und die Grenze für eine Projektion ist { $limit } Werte
    .do = Wählen Sie eine Ebene nach ihrer Nummer, oder exportieren Sie weniger Ebenen.

planes-differ-in-size = Die Ebenen der Datei haben unterschiedliche Größen
    .do = Wählen Sie eine Ebene nach ihrer Nummer.

no-such-channels = { $has_channels ->
        [true] Nicht alle der Kanäle { $channels } existieren
       *[false] Es sind keine Kanäle gewählt
    }: Das Bild hat { $n_channels ->
        [one] { $n_channels } Kanal
       *[other] { $n_channels } Kanäle
    }, nummeriert ab 0
    .do = Ändern Sie die Kanäle im Rezept oder in der Tabelle.

channels-do-not-fit = Das Bild hat { $n_channels ->
        [one] { $n_channels } Kanal
       *[other] { $n_channels } Kanäle
    }, und { $n_needed ->
        [one] { $n_needed } ist nötig
       *[other] { $n_needed } sind nötig
    }
    .do = Wählen Sie die Kanäle im Rezept oder in der Tabelle, oder schließen Sie solche Bilder aus.

channel-file-missing = Die Datei eines Kanals, „{ $name }“, fehlt
    .do = Legen Sie sie in den Ordner der anderen Kanäle, oder schließen Sie das Bild aus.

channel-file-unreadable = Die Datei eines Kanals, „{ $name }“, kann nicht gelesen werden: { $what }

channel-files-differ = Die Dateien der Kanäle unterscheiden sich: { $width } x { $height } Pixel in { $dtype } und { $other_width } x { $other_height } Pixel in { $other_dtype }
    .do = Exportieren Sie alle Kanäle auf dieselbe Weise.

box-outside-image = Der Rahmen x={ $x }, y={ $y }, width={ $width }, height={ $height } liegt außerhalb des Bildes von { $image_width } x { $image_height } Pixeln
    .do = Korrigieren Sie den Rahmen in der Tabelle.

box-too-large = Der Rahmen x={ $x }, y={ $y }, width={ $width }, height={ $height } ist weit größer als das Bild von { $image_width } x { $image_height } Pixeln
    .do = Korrigieren Sie den Rahmen in der Tabelle.

crop-needs-pixel-size = Der Ausschnitt hat eine Größe in µm ({ $length }), und die Pixelgröße des Bildes ist nicht bekannt
    .do = Geben Sie die Pixelgröße im Rezept (images.pixel_size_um) oder in einer Spalte pixel_size_um der Tabelle an, oder geben Sie die Ausschnittgröße in Pixeln an.

# Intensities

no-finite-pixel = Kein Pixel hat einen endlichen Wert
    .do = Kopieren oder exportieren Sie die Datei noch einmal. Andere Bilder sind nicht betroffen.

pixels-replaced = Pixel, die NaN oder unendlich sind, wurden ersetzt

float-range-unknown = Das Bild hat Gleitkommawerte außerhalb von 0 bis 1, und die Trainingsbilder legen deren Bereich nicht fest
    .do = Exportieren Sie es in der Bittiefe der Trainingsbilder.

full-scaling-of-floats = { $n_outside } von { $n_images ->
        [one] { $n_images } Trainingsbild hat
       *[other] { $n_images } Trainingsbildern haben
    } Gleitkommawerte außerhalb von 0 bis 1, für die `scaling: full` nicht definiert ist
    .do = Verwenden Sie `scaling: training-range`, oder entfernen Sie `scaling` aus dem Rezept.

# TIFF


ome-in-companion = dieses OME-TIFF ist eine Datei eines Bildes, dessen andere Kanäle, Ebenen und Pixelgröße in einer Begleitdatei stehen, die nicht gelesen wird

tifffile-complains = tifffile liest dieses TIFF mit der Warnung: { $complaint }

tiff-without-pages = sie enthält keine Seiten

tiff-pages-missing = angegebene Seiten fehlen ({ $complaint })

image-without-height-and-width = die Achsen sind „{ $axes }“, ohne genau eine Höhe und eine Breite

tiff-pixels-cut = die Pixel reichen über das Ende der Datei hinaus

tiff-page-missing = Seite { $page } fehlt oder ist in einer anderen Datei

tiff-page-cut = die Pixel von Seite { $page } reichen über das Ende der Datei hinaus

tiff-page-incomplete = ein Teil von Seite { $page } hat keine Pixel

tiff-part-size = ein Streifen oder eine Kachel gibt eine andere Größe an als die Seite

tiff-pixel-type = Die Pixel haben den Typ { $dtype }, der nicht unterstützt wird
    .do = Exportieren Sie das Bild als TIFF mit 8 bit, 16 bit oder Gleitkomma.

color-space = Die Pixel sind { $color_space } mit { $bits } bit, was nicht unterstützt wird
    .do = Konvertieren Sie das Bild in RGB mit 8 oder 16 bit, und exportieren Sie es erneut.

netpbm-value-too-large = ein Wert ist { $value }, und als größter Wert ist { $limit } angegeben

tiff-file-outside-folder = die Metadaten nennen eine Datei in einem anderen Ordner

tiff-swapped-pages = sie hat mehrere Seiten, und ihre ersten Bytes widersprechen ihrer Bytereihenfolge

tiff-pages-in-circle = die Seiten verweisen im Kreis aufeinander

tiff-too-many-pages = sie gibt mehr als { $limit } Seiten an

tiff-too-many-parts-listed = die Seiten führen unglaubhaft viele Streifen oder Kacheln auf

# Decoding processes

decoder-not-started = Ein Prozess, der Bilder liest, konnte nicht gestartet werden: { $reason }
    .do = Schließen Sie andere Programme, und versuchen Sie es noch einmal.

decoder-killed = Der Prozess, der die Datei las, wurde zweimal abgebrochen, wahrscheinlich weil der Arbeitsspeicher ausging
    .do = Schließen Sie andere Programme, und lesen Sie die Bilder noch einmal. Die Datei selbst ist vielleicht unbeschädigt.

decoder-crashed = Der Prozess, der die Datei las, ist abgestürzt
    .do = Kopieren oder exportieren Sie sie noch einmal. Andere Bilder sind nicht betroffen.

image-read-alone = der Prozess, der die Datei las, wurde abgebrochen, und die Datei wurde danach einzeln noch einmal gelesen

reading-stopped = Das Lesen wurde angehalten
    .do = Lesen Sie die Bilder noch einmal.
