# Objects in fields of view: masks, outlines and points of other programs, and exports for them.

## Fields

no-readable-field = { $n_files ->
        [one] Das Gesichtsfeld ist nicht lesbar
       *[other] Keines der { $n_files } Gesichtsfelder ist lesbar
    }
    .do = Die Warnungen nennen die Gründe.

field-unreadable = Das Gesichtsfeld { $field } wird übersprungen, weil es nicht lesbar ist. { $reason }

field-not-measured = Die Intensitäten der Objekte im Gesichtsfeld { $field } sind nicht gemessen. { $reason }

more-fields-unreadable = { $n_fields ->
        [one] Ein weiteres Gesichtsfeld ist nicht lesbar.
       *[other] { $n_fields } weitere Gesichtsfelder sind nicht lesbar.
    }

pattern-part-reserved = Das Muster nennt einen Teil „{ $part }“, der eine Spalte von Objekttabellen ist
    .do = Wählen Sie einen anderen Namen. Der Teil „group“ ist die Gruppe.

object-files-no-fields = { $n_files ->
        [one] Eine Datei wird nicht als Gesichtsfeld verwendet, weil ihr Name der eines Gesichtsfelds mit einem Zusatz wie „_masks“ ist.
       *[other] { $n_files } Dateien werden nicht als Gesichtsfelder verwendet, weil ihre Namen die von Gesichtsfeldern mit einem Zusatz wie „_masks“ sind.
    }

no-field-of-name = Kein Gesichtsfeld trägt einen dieser Namen: { $names }
    .do = Verwenden Sie den Namen des Gesichtsfelds, mit oder ohne einen Zusatz wie „_masks“. Die Gesichtsfelder sind { $fields }.

ambiguous-field-names = Mehrere Gesichtsfelder haben denselben Namen: { $names }
    .do = Verwenden Sie für die Gesichtsfelder und ihre Objekte dieselben Unterordner.

two-files-of-field = Zwei Dateien enthalten die Objekte des Gesichtsfelds { $field }: diese Datei und { $other }
    .do = Wählen Sie eine davon, oder entfernen Sie die andere.

field-as-mask = Die Datei ist selbst ein Gesichtsfeld und kein Labelbild
    .do = Wählen Sie die Labelbilder. Die eines OME-Zarr sind in seinem Ordner „labels“, und seine Metadaten nennen sie.

no-such-object-file = Diese Datei oder diesen Ordner gibt es nicht
    .do = Prüfen Sie die Schreibweise.

no-object-files = { $is_image ->
        [true] Der Ordner ist ein Bild und kein Ordner mit Dateien von Objekten
       *[false] Der Ordner enthält keine Datei mit der Endung { $suffixes }
    }
    .do = { $is_image ->
        [true] Die Labelbilder eines OME-Zarr sind Masken, keine Umrisse.
       *[false] Wählen Sie den Ordner mit den Dateien der Objekte.
    }

no-object-source = { $n_sources ->
        [0] Es ist keine Quelle von Objekten gewählt
       *[other] Es sind { $n_sources } Quellen von Objekten gewählt
    }
    .do = Wählen Sie eines von Masken, Umrissen, Punkten und Objektsuche.

objects-without-field = { $n_names ->
        [one] Ein Name passt zu keinem Gesichtsfeld, daher werden seine Objekte nicht verwendet: { $names }.
       *[other] { $n_names } Namen passen zu keinem Gesichtsfeld, daher werden ihre Objekte nicht verwendet: { $names }.
    }

objects-of-several-fields = { $n_names ->
        [one] Ein Name passt zu mehreren Gesichtsfeldern, daher werden seine Objekte nicht verwendet: { $names }.
       *[other] { $n_names } Namen passen zu mehreren Gesichtsfeldern, daher werden ihre Objekte nicht verwendet: { $names }.
    }

objects-without-z = { $n_fields ->
        [one] Ein Gesichtsfeld hat mehrere z-Ebenen, und seine Objekte nennen keine: { $names }.
       *[other] { $n_fields } Gesichtsfelder haben mehrere z-Ebenen, und ihre Objekte nennen keine: { $names }.
    } Ausschnitte zeigen die erste z-Ebene. Für eine andere setzen Sie `images.z` im Rezept auf `max`, `best-focus` oder eine Nummer.

objects-without-time = { $n_fields ->
        [one] Ein Gesichtsfeld hat mehrere Zeitpunkte, und seine Objekte nennen keinen: { $names }.
       *[other] { $n_fields } Gesichtsfelder haben mehrere Zeitpunkte, und ihre Objekte nennen keinen: { $names }.
    } Ausschnitte zeigen den ersten Zeitpunkt. Für einen anderen setzen Sie `images.t` im Rezept, oder ergänzen Sie die Tabelle um die Spalte t.

fields-without-objects = { $n_fields ->
        [one] Ein Gesichtsfeld hat keine Objekte: { $names }.
       *[other] { $n_fields } Gesichtsfelder haben keine Objekte: { $names }.
    }

## Finders

finder-warning-of-fields = { $n_fields ->
        [one] Im Gesichtsfeld { $fields }: { $warning }
       *[other] In { $n_fields } Gesichtsfeldern ({ $fields }): { $warning }
    }

finder-without-objects = Die Objektsuche hat { $n_fields ->
        [one] im Gesichtsfeld
       *[other] in { $n_fields } Gesichtsfeldern
    } kein Objekt gefunden
    .do = Geben Sie an, ob die Objekte hell oder dunkel sind, ihren Durchmesser und ihren Kanal, oder verwenden Sie Masken eines anderen Programms.

## Masks

labels-not-read = Das Labelbild kann nicht gelesen werden: { $reason }
    .do = Exportieren Sie es noch einmal, als TIFF oder PNG ohne Kompressionsverluste oder als NPY.

labels-pickled = Die Datei enthält Python-Objekte, die Code ausführen können, daher öffnet coverslip sie nicht
    .do = { $is_cellpose ->
        [true] Speichern Sie in Cellpose die Masken als PNG oder TIFF (File, Save masks) oder die Umrisse als Text, und verwenden Sie diese Dateien.
       *[false] Speichern Sie nur das Array der Labels: np.save("labels.npy", labels.astype("int32")).
    }

labels-of-other-shape = Ein Labelbild hat zwei Dimensionen und ganze Zahlen, aber die Form dieser Datei ist { $shape }
    .do = Exportieren Sie eine Zahl für jedes Pixel: 0 für den Hintergrund und eine eigene für jedes Objekt.

labels-with-decimals = Die Pixel sind keine ganzen Zahlen, daher ist dies kein Labelbild
    .do = Exportieren Sie Labels statt Wahrscheinlichkeiten.

mask-of-other-size = Das Labelbild hat { $width } × { $height } Pixel, sein Gesichtsfeld { $field } aber { $field_width } × { $field_height }
    .do = Exportieren Sie das Labelbild in der Größe des Gesichtsfelds.

mask-planes-differ = Das Labelbild hat { $n_planes } Ebenen, sein Gesichtsfeld { $field } aber { $n_times ->
        [one] einen Zeitpunkt
       *[other] { $n_times } Zeitpunkte
    } und { $n_z ->
        [one] eine z-Ebene
       *[other] { $n_z } z-Ebenen
    }
    .do = Exportieren Sie eine Ebene, eine für jeden Zeitpunkt oder jede z-Ebene, oder eine für jede z-Ebene zu jedem Zeitpunkt.

masks-without-objects = { $n_files ->
        [one] Das Labelbild enthält kein Objekt
       *[other] Keines der { $n_files } Labelbilder enthält ein Objekt
    }: Alle Pixel sind Hintergrund
    .do = Prüfen Sie den Export der Labelbilder.

binary-masks = { $n_files ->
        [one] Ein Labelbild hat einen einzigen Wert.
       *[other] { $n_files } Labelbilder haben einen einzigen Wert.
    } Verbundene Pixel sind ein Objekt, daher werden Objekte, die sich berühren, nicht getrennt.

background-as-object = { $n_planes ->
        [one] In einem Labelbild berührt ein Objekt alle Ränder des Gesichtsfelds und bedeckt mindestens ein Viertel davon.
       *[other] In { $n_planes } Labelbildern berührt ein Objekt alle Ränder des Gesichtsfelds und bedeckt mindestens ein Viertel davon.
    } Wenn das der Hintergrund ist, ersetzen Sie seine Zahl durch 0, oder kehren Sie die binäre Maske um.

objects-in-pieces = { $n_objects } von { $n_all } Objekten bestehen aus mehreren getrennten Stücken. Wenn die Pixel eines Labelbilds Klassen statt Objekte sind, nummerieren Sie jedes Objekt.

## Files of other programs

object-file-not-read = Die Datei mit Objekten kann nicht gelesen werden: { $reason }
    .do = Exportieren Sie sie noch einmal.

unknown-object-file = Die Art der Datei ist unbekannt
    .do = Exportieren Sie Objekte als GeoJSON, ImageJ-ROIs, COCO, LabelMe, CSV oder Labelbilder.

unknown-json = Die JSON-Datei ist weder GeoJSON noch eine Datei von COCO oder LabelMe
    .do = Verwenden Sie in QuPath File, Export objects as GeoJSON. Ergebnisse von COCO sind eine Liste von Objekten ohne Bildnamen: Setzen Sie sie als „annotations“ in die COCO-Datei mit den „images“ und „categories“ ein.

mask-instead-of-outlines = Das ist ein Bild ohne Overlay und keine Datei mit Umrissen
    .do = Wenn jedes Objekt die Pixel einer Zahl hat, wählen Sie es als Masken. Speichern Sie in ImageJ ein TIFF mit seinem Overlay oder den ROI-Satz.

files-without-objects = { $n_files ->
        [one] Die Datei enthält kein Objekt
       *[other] Die { $n_files } Dateien enthalten kein Objekt
    }{ $n_outside ->
        [0] {""}
        [one] : Das einzige Objekt liegt außerhalb seines Gesichtsfelds
       *[other] : Alle { $n_outside } Objekte liegen außerhalb ihrer Gesichtsfelder
    }
    .do = { $n_outside ->
        [0] Prüfen Sie den Export.
       *[other] Prüfen Sie, dass die Koordinaten Pixel der vollen Auflösung sind und die Dateien zu diesen Gesichtsfeldern gehören.
    }

objects-outside = { $n_objects } von { $n_all } Objekten liegen vollständig außerhalb ihres Gesichtsfelds und werden nicht verwendet. Prüfen Sie, dass die Koordinaten Pixel der vollen Auflösung sind.

objects-ignored = { $n_objects ->
        [one] Ein Objekt wird ignoriert: Es ist eine Linie, ein Winkel, eine Menge (crowd) von COCO oder leer.
       *[other] { $n_objects } Objekte werden ignoriert: Sie sind Linien, Winkel, Mengen (crowd) von COCO oder leer.
    }

regions-ignored = { $n_regions ->
        [one] Eine Region von QuPath wird
       *[other] { $n_regions } Regionen von QuPath werden
    } nicht als Objekte verwendet, weil es kleinere Objekte gibt: Zellen oder Detektionen, oder Annotationen neben Kacheln und TMA-Kernen.

object-properties-unused = { $n_names ->
        [one] Eine Eigenschaft von Objekten in den Dateien wird nicht verwendet: { $names }.
       *[other] { $n_names } Eigenschaften von Objekten in den Dateien werden nicht verwendet: { $names }.
    }

positions-below-one = Alle Positionen in der Datei sind kleiner als 1, wie Anteile an Breite und Höhe eines Gesichtsfelds
    .do = Multiplizieren Sie sie mit Breite und Höhe des Gesichtsfelds in Pixeln, außer in YOLO-Dateien.

objects-of-only-field = { $names } heißt anders als das einzige Gesichtsfeld, { $field }; die Objekte gelten für dieses.

repeated-object-ids = { $n_ids ->
        [one] Eine Objekt-ID kommt mehrfach vor
       *[other] { $n_ids } Objekt-IDs kommen mehrfach vor
    } im Gesichtsfeld { $field }: { $ids }
    .do = Wenn die Zeilen von mehreren Zeitpunkten sind, wählen Sie deren Spalte mit t. Sonst geben Sie jedem Objekt eines Gesichtsfelds eine eigene ID, oder wählen Sie mit object_id eine andere Spalte.

points-without-size = Die Objekte sind Punkte ohne Größe
    .do = Wählen Sie die Seitenlänge des Quadrats um jeden Punkt, in Pixeln oder in µm. Etwa der doppelte Durchmesser einer Zelle ist ein guter Anfang.

field-without-pixel-size = Positionen oder Größen sind in µm angegeben, aber die Pixelgröße des Gesichtsfelds { $field } ist unbekannt
    .do = Geben Sie die Pixelgröße der Gesichtsfelder an, oder verwenden Sie Pixel.

geojson-feature-invalid = Das Feature { $number } der GeoJSON-Datei ist ungültig
    .do = Ein Feature hat eine Geometrie mit endlichen Koordinaten, und Polygone haben drei oder mehr Punkte. Exportieren Sie die Datei noch einmal.

object-entry-invalid = Objekt { $number } der Datei ist ungültig: { $reason }
    .do = Prüfen Sie, ob die Datei zu diesem Bild gehört und ob das Bild alle seine Ebenen hat.

plane-outside-field = { $axis } ist { $at }, ab 0 gezählt, aber „{ $field }“ hat auf dieser Achse { $n_planes } Ebenen

objects-of-program = { $program ->
        [cellprofiler] Datenbanken ohne die Tabellen Per_Image und Per_Object von CellProfiler
        [cvat] XML-Dateien von CVAT
        [label-studio] JSON-Dateien von Label Studio
        [napari] Tabellen der Formen von napari
        [ome-xml] OME-XML-Dateien
        [trackmate] XML-Dateien von TrackMate
        [via] Dateien des VGG Image Annotator
        [voc] XML-Dateien von Pascal VOC
        [yolo] YOLO-Dateien mit anderen Zahlen als der Klasse und den vier eines Rahmens
       *[xml] XML-Dateien dieser Art
    } werden nicht gelesen
    .do = { $program ->
        [cellprofiler] Verwenden Sie die Datenbank seines Moduls ExportToDatabase oder die CSV-Dateien von ExportToSpreadsheet.
        [cvat] Exportieren Sie die Aufgabe im Format COCO 1.0.
        [label-studio] Exportieren Sie im Format COCO.
        [napari] Wandeln Sie die Formen in eine Ebene mit Labeln um, speichern Sie sie als TIFF, und wählen Sie sie als Masken.
        [ome-xml] Exportieren Sie die Regionen von OMERO als CSV.
        [trackmate] Exportieren Sie die Tabelle der Spots als CSV.
        [via] Exportieren Sie die Annotationen im Format COCO.
        [voc] Wandeln Sie die Annotationen in COCO um, zum Beispiel mit CVAT.
        [yolo] Polygone, Schlüsselpunkte, Wahrscheinlichkeiten und Spuren sehen in YOLO gleich aus. Exportieren Sie Polygone als COCO und Rahmen mit fünf Zahlen.
       *[xml] Exportieren Sie Objekte als GeoJSON, ImageJ-ROIs, COCO, LabelMe, CSV oder Labelbilder.
    }

cellprofiler-tables = Die Datenbank hat { $n_tables } Tabellen von Objekten statt einer: { $names }
    .do = Verwenden Sie die CSV-Datei einer Art von Objekten, aus CellProfilers Modul ExportToSpreadsheet.

coco-results-without-dataset = Das sind Ergebnisse eines Detektors, ohne die Namen von Bildern und Klassen; neben der Datei liegen { $n_datasets } COCO-Datensätze
    .do = Legen Sie den einen COCO-Datensatz dieser Bilder in den Ordner der Datei, und wählen Sie die Datei der Ergebnisse.

coco-and-results = Der Ordner enthält einen COCO-Datensatz und Ergebnisse eines Detektors dazu
    .do = Wählen Sie eine der beiden Dateien. Der Datensatz neben den Ergebnissen gibt die Namen von Bildern und Klassen an.

outlines-of-other-size = Die Umrisse wurden auf einem Bild von { $width } × { $height } Pixeln gezeichnet, aber „{ $field }“ hat { $field_width } × { $field_height }
    .do = Verwenden Sie die annotierten Bilder als Gesichtsfelder, oder exportieren Sie die Umrisse für die Bilder dieser Größe.

labelme-shape-invalid = Form { $number } der LabelMe-Datei ist ungültig
    .do = Ein Polygon hat drei oder mehr Punkte, ein Rechteck und ein Kreis zwei. Speichern Sie die Datei in LabelMe noch einmal.

roi-invalid = Die ROI { $number } der Datei ist ungültig
    .do = Speichern Sie den Satz von ROIs in ImageJ noch einmal.

no-objects-in-archive = Die Zip-Datei enthält weder ROIs von ImageJ noch GeoJSON
    .do = Entpacken Sie sie, und wählen Sie den Ordner. Der ROI Manager von ImageJ schreibt mit More, Save eine Zip-Datei mit ROIs.

cell-counter-invalid = Marker { $number } der Datei von Cell Counter ist ungültig
    .do = Ein Marker hat MarkerX, MarkerY und MarkerZ. Speichern Sie die Marker in ImageJ noch einmal.

coco-invalid = Die images oder categories der COCO-Datei sind ungültig
    .do = Jedes Bild hat eine id und einen file_name, und jede Kategorie hat eine id und einen name.

coco-annotation-invalid = Die Annotation { $number } der COCO-Datei ist ungültig
    .do = Sie braucht die image_id eines Bildes der Datei und eine segmentation oder eine bbox mit positiver Breite und Höhe.

yolo-line-invalid = Zeile { $number } der YOLO-Datei ist ungültig
    .do = Eine Zeile hat eine Klassennummer, dann x, y, Breite und Höhe eines Rahmens, als Anteile des Bildes von 0 bis 1.

cellpose-line-invalid = Zeile { $number } der Cellpose-Umrisse ist ungültig
    .do = Eine Zeile hat x und y von drei oder mehr Punkten, durch Kommas getrennt.

points-invalid = { $n_lines ->
        [one] Eine Zeile ist kein Punkt: Zeile { $numbers }
       *[other] { $n_lines } Zeilen sind keine Punkte, etwa die Zeilen { $numbers }
    }
    .do = Eine Zeile hat x und y in Pixeln und wahlweise eine Klasse.

numbers-without-names = Die Zahlen in der Datei haben keine Spaltennamen
    .do = Schreiben Sie die Namen in die erste Zeile, wie die Zahlen durch Kommas oder Tabulatoren getrennt: etwa x_min, y_min, width und height für Rahmen in Pixeln oder x und y für Punkte, und einen beliebigen Namen für weitere Spalten.

no-positions-in-table = Die Tabelle hat keine Spalten mit Positionen. Ihre Spalten sind { $columns }
    .do = Wählen Sie die Spalten von x und y oder von x_min und y_min.

row-without-position = die Zeile hat keine Position

row-with-empty-box = der Rahmen ist leer

first-row-of-values = Die erste Zeile der Tabelle enthält Werte, keine Spaltennamen
    .do = Fügen Sie davor eine Zeile mit Namen ein, etwa path,x_min,y_min,x_max,y_max,label.

cellprofiler-images-unmatched = Keine der Dateien in der Bildertabelle von CellProfiler ist ein Gesichtsfeld
    .do = Verwenden Sie die Gesichtsfelder, die CellProfiler ausgewertet hat.

no-cellprofiler-images = Die Tabelle enthält keine Bildnamen, und die Bildertabelle von CellProfiler (etwa MyExpt_Image.csv) liegt nicht daneben
    .do = Legen Sie die Bildertabelle in denselben Ordner.

## Tables of objects and exports

objects-without-column = Die Objekttabelle hat keine Spalte „{ $column }“
    .do = Verwenden Sie eine Tabelle, die coverslip geschrieben hat, mit allen ihren Spalten.

not-an-outline = der Umriss ist weder ein Polygon noch ein Punkt: { $value }

field-of-unknown-size = Die Größe des Gesichtsfelds { $field } wird gebraucht, aber seine Datei ist nicht lesbar
    .do = Legen Sie das Gesichtsfeld zurück an seinen Ort, oder wählen Sie GeoJSON, ROIs oder eine Tabelle.

unknown-object-format = Es gibt kein Format „{ $format }“ für Objekte
    .do = Die Formate sind geojson, label-tiff, rois, coco, labelme, cellprofiler und ome-tiff.

prediction-without-objects = Die Vorhersage hat keine Tabelle von Objekten in Gesichtsfeldern
    .do = Machen Sie die Vorhersage für einen Datensatz oder eine Tabelle von Objekten.

crop-margin-invalid = Der Rand der Ausschnitte „{ $margin }“ ist ungültig
    .do = Verwenden Sie einen Anteil der längeren Seite des Rahmens von 0 bis 10, etwa 0.2, oder eine Länge, etwa „2 um“.

crop-time-invalid = Der Zeitpunkt der Ausschnitte „{ $time }“ ist ungültig
    .do = Verwenden Sie eine Nummer ab 0.

crop-plane-invalid = Die z-Ebene der Ausschnitte „{ $plane }“ ist ungültig
    .do = Verwenden Sie eine Nummer ab 0, „max“, „mean“, „best-focus“ oder „channels“.

crop-not-written = Der Ausschnitt von { $object } wird nicht geschrieben, weil er nicht gelesen werden kann. { $reason }

more-crops-not-written = { $n_objects ->
        [one] Ein weiterer Ausschnitt wird nicht geschrieben.
       *[other] { $n_objects } weitere Ausschnitte werden nicht geschrieben.
    }

export-objects-to-folder = Das Format { $format } ist eine einzelne Datei, dies ist aber ein Ordner
    .do = Wählen Sie einen Dateinamen, der auf { $suffix } endet.

export-objects-to-file = Es gibt { $n_fields ->
        [one] ein Gesichtsfeld
       *[other] { $n_fields } Gesichtsfelder
    }, und das Format { $format } hat für jedes eine Datei, dies ist aber eine Datei
    .do = Wählen Sie einen Ordner.

predictions-of-other-objects = Keine der Vorhersagen betrifft ein Objekt in der Tabelle { $objects }
    .do = Wählen Sie die Objekttabelle, für die die Vorhersage gemacht wurde.

predictions-without-object = { $n_predictions ->
        [one] Eine Vorhersage betrifft ein Bild, das nicht in der Objekttabelle steht. Sie wird nicht exportiert.
       *[other] { $n_predictions } Vorhersagen betreffen Bilder, die nicht in der Objekttabelle stehen. Sie werden nicht exportiert.
    }

objects-without-prediction = { $n_objects ->
        [one] Ein Objekt hat keine Vorhersage. Es wird ohne Klasse exportiert.
       *[other] { $n_objects } Objekte haben keine Vorhersage. Sie werden ohne Klasse exportiert.
    }
