# Folders and tables of images: reading them, classes, groups, splits, and what pixels show of them.

## Fragments that other messages of this file contain.

did-you-mean = (meinten Sie „{ $name }“?)

is-it-column = (ist es „{ $column }“?)

column-with-values = { $column } ({ $n_values ->
        [one] { $n_values } Wert
       *[other] { $n_values } Werte
    })

column-length = „{ $column }“ hat { $n_cells ->
        [one] { $n_cells } Zelle
       *[other] { $n_cells } Zellen
    }

images-of-class = { $n_images } von „{ $label }“

dataset-title = { $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bilder
    } in { $n_classes ->
        [one] { $n_classes } Klasse
       *[other] { $n_classes } Klassen
    } aus { $root }

## Folders

unread-format = { $n_files ->
        [one] { $n_files } Datei im Format { $format } kann nicht gelesen werden.
       *[other] { $n_files } Dateien im Format { $format } können nicht gelesen werden.
    } { $advice }

not-images = Dateien, die keine Bilder sind, werden ignoriert: { $suffixes }.

hidden-files = { $n_files ->
        [one] { $n_files } versteckte Datei oder ein Ordner des Systems wird ignoriert.
       *[other] { $n_files } versteckte Dateien oder Ordner des Systems werden ignoriert.
    }

circular-links = { $n_links ->
        [one] { $n_links } Verknüpfung führt zu einem bereits erfassten Ordner und wird ignoriert.
       *[other] { $n_links } Verknüpfungen führen zu bereits erfassten Ordnern und werden ignoriert.
    }

closed-folders = { $n_folders ->
        [one] { $n_folders } Ordner konnte nicht geöffnet werden: { $folders }.
       *[other] { $n_folders } Ordner konnten nicht geöffnet werden: { $folders }.
    }

empty-folders = { $n_folders ->
        [one] { $n_folders } Ordner enthält keine Bilder: { $folders }.
       *[other] { $n_folders } Ordner enthalten keine Bilder: { $folders }.
    }

inner-class-folders = Die Klassenordner sind die Ordner innerhalb von „{ $folder }“.

no-class-folder = { $n_images ->
        [one] { $n_images } Bild liegt in keinem Klassenordner und hat daher kein Label: { $examples }.
       *[other] { $n_images } Bilder liegen in keinem Klassenordner und haben daher kein Label: { $examples }.
    }

image-folder-not-opened = Der Ordner konnte nicht geöffnet werden: { $reason }
    .do = Prüfen Sie, ob Sie ihn lesen dürfen.

path-not-opened = Der Pfad kann nicht geöffnet werden: { $reason }
    .do = Prüfen Sie den Pfad.

no-images = { $content ->
        [other-files] Dieser Ordner enthält keine Bilder, nur andere Dateien: { $suffixes }
        [empty-folders] { $n_folders ->
            [one] Dieser Ordner enthält keine Bilder, nur { $n_folders } leeren Ordner
           *[other] Dieser Ordner enthält keine Bilder, nur { $n_folders } leere Ordner
        }
        [hidden-files] { $n_hidden ->
            [one] Dieser Ordner enthält keine Bilder, nur { $n_hidden } versteckte Datei oder versteckten Ordner
           *[other] Dieser Ordner enthält keine Bilder, nur { $n_hidden } versteckte Dateien oder Ordner
        }
       *[nothing] Dieser Ordner ist leer
    }
    .do = Geben Sie einen Ordner mit Bilddateien an. Ihre Namen enden auf .png, .jpg, .tif oder eine andere Bildendung. Wenn die Bilder in einem Archiv liegen, entpacken Sie es zuerst.

no-class-folders = { $n_images ->
        [one] Dieser Ordner enthält { $n_images } Bild, aber keine Klassenordner
       *[other] Dieser Ordner enthält { $n_images } Bilder, aber keine Klassenordner
    }
    .do = Legen Sie die Bilder jeder Klasse in einen Ordner mit dem Namen der Klasse, oder geben Sie eine Tabelle mit den Spalten path und label an.

split-folders-without-classes = Die Ordner { $folders } sind nach Teilen einer Aufteilung benannt, enthalten aber keine Klassenordner
    .do = Legen Sie darin die Bilder jeder Klasse in einen Ordner mit dem Namen der Klasse.

## Sources

no-images-given = Es wurden keine Bilder angegeben
    .do = { $is_labeled ->
        [true] Geben Sie einen Ordner mit Klassenordnern oder eine Tabelle an.
       *[false] Geben Sie Bilder an: Dateien, Ordner, Muster wie `new/*.tif`, eine Tabelle oder Arrays.
    }

crop-size-out-of-range = Die Ausschnittgröße { $crop_size } ist weder eine Anzahl von 4 bis 10.000 Pixeln noch eine Länge in µm
    .do = Geben Sie die Seitenlänge des Quadrats um jeden Punkt in Pixeln (80) oder in µm (32um) an.

column-and-pattern = Es wurden sowohl eine Gruppenspalte als auch ein Gruppenmuster angegeben
    .do = Geben Sie nur eines von beiden an.

unequal-domains = { $n_domains ->
        [one] { $n_domains } Domäne
       *[other] { $n_domains } Domänen
    } für { $n_sources ->
        [one] { $n_sources } Quelle
       *[other] { $n_sources } Quellen
    }
    .do = Nennen Sie für jede Quelle eine Domäne.

no-such-source = Diesen Ordner oder diese Tabelle gibt es nicht
    .do = { $advice }

no-such-file-or-folder = Diese Datei oder diesen Ordner gibt es nicht
    .do = { $advice }

no-image-exists = { $n_images ->
        [one] Dieses Bild gibt es nicht
       *[other] Keines von { $n_images } Bildern existiert
    }
    .do = { $advice }

folder-does-not-exist = Auch den Ordner „{ $folder }“ gibt es nicht. Prüfen Sie den Pfad.

did-you-mean-file = Meinten Sie „{ $name }“?

check-spelling = Prüfen Sie die Schreibweise.

spreadsheet = Tabellenkalkulationsdateien können nicht gelesen werden
    .do = Speichern Sie das Tabellenblatt als CSV und geben Sie diese Datei an.

single-image = Dies ist ein einzelnes Bild, kein Ordner mit Bildern, die Labels haben
    .do = Geben Sie den Ordner an, der die Klassenordner enthält, oder eine Tabelle mit den Spalten path und label.

not-a-folder-or-table = „{ $name }“ ist weder ein Ordner noch eine Tabelle
    .do = Geben Sie einen Ordner mit Klassenordnern oder eine Tabelle an. Die Namen von Tabellen enden auf .csv oder .tsv.

no-match = Kein Bild passt zu „{ $pattern }“
    .do = Prüfen Sie den Ordner und die Endung der Dateinamen.

given-twice = { $n_images ->
        [one] { $n_images } Bild ist mehrfach angegeben und wird einmal verwendet.
       *[other] { $n_images } Bilder sind mehrfach angegeben. Jedes wird einmal verwendet.
    }

two-values-of-sources = Dieses Bild hat in der Quelle „{ $first_source }“ { $meaning ->
        [label] das Label
        [group] die Gruppe
       *[other] die Menge
    } „{ $first_value }“ und in „{ $source }“ „{ $value }“
    .do = { $meaning ->
        [group] Wählen Sie eine Spalte mit Gruppen, die in allen Quellen übereinstimmt, oder entfernen Sie das Bild aus einer von ihnen.
       *[other] Korrigieren Sie eines von beiden, oder entfernen Sie das Bild aus einer der Quellen.
    }

named-twice = { $n_images ->
        [one] { $n_images } Bild wird von mehreren Quellen genannt und einmal gezählt.
       *[other] { $n_images } Bilder werden von mehreren Quellen genannt. Jedes wird einmal gezählt.
    }

shared-groups = Gruppen mit demselben Namen in mehreren Quellen gelten als eine Gruppe: { $groups }.

repeated-names = { $n_names ->
        [one] { $n_names } Bildname gehört zu mehreren Zeilen. Er wird um die Datei oder eine Nummer ergänzt: { $names }.
       *[other] { $n_names } Bildnamen gehören zu jeweils mehreren Zeilen. Sie werden um die Datei oder eine Nummer ergänzt: { $names }.
    }

table-beside = Der Ordner enthält auch die Tabelle „{ $table }“ mit den Spalten { $columns }. Sie wird nicht verwendet. Um ihre Labels und Gruppen zu verwenden, geben Sie die Tabelle selbst an.

## Groups

folder-has-no-columns = „{ $group }“ wurde als Gruppenspalte angegeben, aber ein Ordner hat keine Spalten
    .do = { $has_table ->
        [true] Geben Sie die Tabelle „{ $table }“ in diesem Ordner an, die diese Spalte hat, oder ein Muster, das die Gruppe im Pfad eines Bildes findet.
       *[false] Geben Sie eine Tabelle mit dieser Spalte an, oder ein Muster, das die Gruppe im Pfad eines Bildes findet.
    }

invalid-pattern = Das Gruppenmuster „{ $pattern }“ ist kein regulärer Ausdruck: { $reason }
    .do = Korrigieren Sie das Muster. Für Namen wie slide07_cell3.png schreiben Sie slide[0-9]+.

pattern-misses = { $n_images ->
        [one] Das Gruppenmuster passt nicht zu { $n_images } Bild: { $names }. Es hat keine Gruppe.
       *[other] Das Gruppenmuster passt nicht zu { $n_images } Bildern: { $names }. Sie haben keine Gruppe.
    }

pattern-matches-nothing = { $n_paths ->
        [one] Das Gruppenmuster „{ $pattern }“ passt nicht zum einzigen Pfad, „{ $path }“
       *[other] Das Gruppenmuster „{ $pattern }“ passt zu keinem von { $n_paths } Pfaden. Der erste Pfad ist „{ $path }“
    }
    .do = Korrigieren Sie das Muster. coverslip sucht es in Pfaden wie diesem, relativ zum Ordner.

grouped = Die Gruppen stammen aus der Spalte „{ $column }“.{ $has_others ->
        [true] {" "}Andere Spalten, die Gruppen nennen könnten: { $others }.
       *[false] { "" }
    }

not-grouped = Die Tabelle hat Spalten, die Gruppen nennen könnten: { $columns }. Es wurde keine Gruppenspalte gewählt, daher können Trainings- und Testset beide Bilder mit demselben Wert in { $first } enthalten, was die Ergebnisse beschönigt. Wählen Sie eine Gruppenspalte.

few-fields = Die Tabelle ergibt { $n_images ->
        [one] { $n_images } Ausschnitt
       *[other] { $n_images } Ausschnitte
    } aus { $n_fields ->
        [one] { $n_fields } Gesichtsfeld
       *[other] { $n_fields } Gesichtsfeldern
    }. Das sind zu wenige Gesichtsfelder, um jedes davon in einem Set zu halten. Trainings- und Testset enthalten beide Ausschnitte desselben Gesichtsfelds, was die Zahlen beschönigt.

grouped-by-field = Die Tabelle ergibt { $n_images ->
        [one] { $n_images } Ausschnitt
       *[other] { $n_images } Ausschnitte
    } aus { $n_fields ->
        [one] { $n_fields } Gesichtsfeld
       *[other] { $n_fields } Gesichtsfeldern
    }. Alle Ausschnitte eines Gesichtsfelds bleiben im selben Set. Wenn mehrere Gesichtsfelder von einem Objektträger oder Patienten stammen, gruppieren Sie stattdessen danach.

## Tables as files

table-too-large = Die Tabelle ist größer als { $limit_gib } GiB, ist also keine Liste von Bildern
    .do = Behalten Sie nur die Spalten, die Bilder und Labels nennen, oder teilen Sie die Tabelle in mehrere Tabellen auf.

table-not-read = Die Tabelle konnte nicht gelesen werden: { $reason }
    .do = Prüfen Sie ihren Namen, und ob Sie sie lesen dürfen.

rows-too-long = { $n_rows ->
        [one] { $n_rows } Zeile der Tabelle hat mehr Zellen, als die Kopfzeile Spalten hat (Zeile { NUMBER($line, useGrouping: 0) })
       *[other] { $n_rows } Zeilen der Tabelle haben mehr Zellen, als die Kopfzeile Spalten hat (die erste ist Zeile { NUMBER($line, useGrouping: 0) })
    }
    .do = Setzen Sie eine Zelle, die das Trennzeichen enthält, in Anführungszeichen. Wenn Kommas die Zellen trennen, schreiben Sie Zahlen mit Dezimalpunkt.

no-header = Die Tabelle „{ $table }“ hat keine Zeile mit Spaltennamen. Ihre Spalten heißen column 1, column 2, ...

no-table-rows = Die Tabelle hat keine Zeilen
    .do = Fügen Sie für jedes Bild eine Zeile hinzu.

empty-table = Die Tabelle ist leer
    .do = Fügen Sie eine Zeile mit den Namen der Spalten und für jedes Bild eine Zeile hinzu.

invalid-table-line = Die Tabelle kann ab Zeile { NUMBER($line, useGrouping: 0) } nicht gelesen werden: { $reason }
    .do = Korrigieren Sie diese Zeile. Setzen Sie eine Zelle, die ein Anführungszeichen enthält, in Anführungszeichen, und schreiben Sie das enthaltene Zeichen doppelt.

unquoted-quotation-mark = ein Anführungszeichen steht in einer Zelle ohne umschließende Anführungszeichen

row-in-quoted-cell = eine Zelle in Anführungszeichen enthält eine weitere Zeile der Tabelle

unclosed-quotation-mark = ein Anführungszeichen wird nicht geschlossen

text-after-quotation-mark = auf ein schließendes Anführungszeichen folgt Text

perhaps-unclosed-quotation-mark = { $reason }; fehlt ein schließendes Anführungszeichen?

row-too-long = die Zeile hat mehr als { $n_characters } Zeichen

not-a-text-table = Diese Datei ist keine Texttabelle
    .do = Speichern Sie sie als CSV (kommagetrennte Werte).

unknown-encoding = Zeile { NUMBER($line, useGrouping: 0) } der Tabelle ist weder UTF-8 noch Windows-1252, ihre Buchstaben sind also nicht bekannt
    .do = Speichern Sie die Tabelle noch einmal als „CSV UTF-8“.

mixed-encodings = Zeile { NUMBER($utf8_line, useGrouping: 0) } der Tabelle ist UTF-8, Zeile { NUMBER($line, useGrouping: 0) } aber nicht, so dass ein Name auf zwei Arten geschrieben sein kann
    .do = Fügen Sie die Teile der Tabelle in einem Tabellenprogramm zusammen, korrigieren Sie Umlaute und Akzente, und speichern Sie als „CSV UTF-8“.

not-utf-8 = Die Tabelle „{ $table }“ ist nicht in UTF-8 kodiert. coverslip liest sie als Windows-1252.

## Columns of tables

unknown-meaning = „{ $meaning }“ ist keine Bedeutung, für die eine Spalte gewählt werden kann{ $hint }
    .do = Wählen Sie Spalten für { $meanings }.

unknown-column = Die Tabelle hat keine Spalte „{ $column }“{ $hint }
    .do = Ihre Spalten sind { $columns }.

unknown-group-column = Die Tabelle hat keine Spalte „{ $column }“ zum Gruppieren{ $hint }
    .do = Ihre Spalten sind { $columns }.

path-column = Die Pfade stammen aus der Spalte „{ $column }“, die Bilddateien nennt.

predictions-without-labels = Dies ist eine Tabelle von Vorhersagen ohne Labels. Vorhergesagte Klassen sind keine Labels
    .do = Tragen Sie in die Spalte `label` die wahren Klassen ein. Oder lassen Sie die Klassen der Bilder in der App vorhersagen, korrigieren Sie dort die Vorhersagen und trainieren Sie mit den korrigierten Vorhersagen.

channel-columns = Die Tabelle nennt Dateien in einer einzigen Spalte, daher werden ihre Spalten channel_1, channel_2, ... ignoriert.

gap-in-channel-columns = Die Spalten der Kanaldateien sind nicht fortlaufend nummeriert
    .do = Nennen Sie sie channel_1, channel_2 und so weiter, ohne Lücke.

duplicate-column = { $n_columns ->
        [one] Die Tabelle hat { $n_columns } Spalte mit dem Namen „{ $column }“
       *[other] Die Tabelle hat { $n_columns } Spalten mit dem Namen „{ $column }“
    }
    .do = Entfernen Sie alle bis auf eine davon, oder benennen Sie sie um.

no-labels-given = Die Bilder wurden ohne Labels angegeben
    .do = Geben Sie die Bilder und ihre Labels in einer Tabelle an: {"{"}'image': images, 'label': labels{"}"}.

single-column-table = Die Tabelle hat nur eine Spalte, „{ $column }“
    .do = Trennen Sie die Spalten durch Kommas, Semikolons oder Tabulatoren, und benennen Sie sie in der ersten Zeile: path,label.

missing-column = { $meaning ->
        [path] Die Tabelle hat keine Spalte für die Pfade der Bilder{ $hint }. Ihre Spalten sind { $names }
       *[label] Die Tabelle hat keine Spalte für die Labels{ $hint }. Ihre Spalten sind { $names }
    }
    .do = Wählen Sie die Spalte, oder nennen Sie sie in der Kopfzeile „{ $meaning }“.

row-without-one-class = { $n_ones ->
        [0] Die Tabelle hat keine Spalte für die Labels. Spalten mit 0 und 1 können je eine Spalte für eine Klasse sein ({ $names }), aber { $place } hat in keiner davon eine 1
       *[other] Die Tabelle hat keine Spalte für die Labels. Spalten mit 0 und 1 können je eine Spalte für eine Klasse sein ({ $names }), aber { $place } hat in { $n_ones } davon eine 1
    }
    .do = Wenn sie Klassen sind, braucht jede Zeile genau eine 1: Korrigieren Sie diese Zeilen. Sonst wählen Sie die Spalte der Labels, oder fügen Sie eine Spalte `label` hinzu.

labels-of-class-columns = Die Tabelle hat je eine Spalte für jede Klasse. Ihre { $n_classes } Klassen sind { $names }.

missing-box-column = Die Tabelle gibt Rahmen ohne die Spalte „{ $column }“ an
    .do = Ein Rahmen braucht x, y, width und height in Pixeln; oder x_center, y_center, width und height; oder x_min und y_min mit x_max und y_max, oder mit width und height. Wählen Sie diese Spalten, oder geben Sie an, dass die anderen nicht verwendet werden (`x=`).

points-without-crop-size = Die Tabelle gibt Punkte ({ $names }) ohne Ausschnittgröße an
    .do = { $has_suggestion ->
        [true] Geben Sie die Seitenlänge des Quadrats, das um jeden Punkt ausgeschnitten wird, in Pixeln an. Zu den Abständen zwischen diesen Punkten passen { $suggested } Pixel.
       *[false] Geben Sie die Seitenlänge des Quadrats, das um jeden Punkt ausgeschnitten wird, in Pixeln an.
    }

positions-in-micrometers = Die Spalten { $x } und { $y } geben Positionen in Mikrometern statt in Pixeln an
    .do = Exportieren Sie die Positionen in Pixeln, oder teilen Sie sie durch die Pixelgröße, und nennen Sie ihre Spalten x und y.

## Rows of tables

invalid-rows = { $n_rows ->
        [one] { $n_rows } Zeile der Tabelle konnte
       *[other] { $n_rows } Zeilen der Tabelle konnten
    } nicht gelesen werden: { $rows }{ $has_more ->
        [true] ; ...
       *[false] { "" }
    }
    .do = Korrigieren Sie diese Zeilen und führen Sie den Befehl noch einmal aus.

invalid-row = { $place }: { $fault }

table-line = Zeile { NUMBER($line, useGrouping: 0) }

table-row = Zeile { NUMBER($row, useGrouping: 0) } (ab 0)

path-empty = der Pfad ist leer

second-label = { $has_box ->
   *[false] „{ $path }“ hat hier das Label „{ $label }“ und in { $place } das Label „{ $first_label }“. Ein Bild hat ein Label: korrigieren oder entfernen Sie eine der Zeilen
    [true] der Rahmen { $box } (x, y, Breite, Höhe) von „{ $path }“ hat hier das Label „{ $label }“ und in { $place } das Label „{ $first_label }“. Ein Objekt hat ein Label: korrigieren oder entfernen Sie eine der Zeilen
}

excluded-and-used = „{ $image }“ ist hier ausgeschlossen, doch eine andere Zeile verwendet dieses Bild. Entfernen Sie eine der Zeilen

multi-line-cell = die Zelle in Spalte „{ $column }“ geht über mehrere Zeilen (steht dort ein überzähliges Anführungszeichen?)

unknown-split-value = split „{ $value }“ ist keines von train, val, test, excluded{ $hint }

channel-file-empty = channel_{ $channel } ist leer

not-a-z-plane = z „{ $value }“ ist weder eine ganze Zahl ab 0 noch „max“, „mean“, „best-focus“ oder „channels“

point-below-one = { $x } und { $y } sind kleiner als 1, wie Anteile an Breite und Höhe des Bilds; geben Sie sie in Pixeln an, oder nennen Sie sie { $x }_relative und { $y }_relative

not-a-count = { $column } „{ $value }“ ist keine ganze Zahl ab 0

not-a-pixel-size = { $column } „{ $value }“ ist keine Länge eines Pixels in µm, wie etwa 0.325

not-channels = channels „{ $value }“ nennt keinen Kanal (trennen Sie mehrere Nummern durch Leerzeichen, mehrere Namen durch Kommas)

cell-not-a-number = { $column } „{ $value }“ ist keine Zahl

ambiguous-decimal-commas = Die Zahlen in der Spalte „{ $column }“ sind mehrdeutig: „{ $value }“ kann { $decimal } oder { $thousands } sein
    .do = Speichern Sie die Tabelle mit Dezimalpunkten oder ohne Kommas zwischen Tausendern.

mixed-decimal-signs = Die Spalte „{ $column }“ enthält Zahlen mit Kommas („{ $value }“) und Zahlen mit Punkten („{ $other }“)
    .do = Speichern Sie die Tabelle mit demselben Dezimalzeichen in allen Zahlen und ohne Zeichen zwischen Tausendern.

several-endings = „{ $value }“ passt zu mehreren Dateien: { $names }. Schreiben Sie den Namen mit seiner Endung

several-unicode-forms = „{ $value }“ passt zu mehreren Namen, die sich nur in der Unicode-Form ihrer Akzente unterscheiden: { $names }. Benennen Sie einen davon um

corners-too-close = { $x_max } und { $y_max } müssen mindestens 1 Pixel größer als { $x_min } und { $y_min } sein

rows-without-box = { $n_rows ->
        [one] { $n_rows } Zeile hat keinen Rahmen; ihr Bild ist die ganze Datei
       *[other] { $n_rows } Zeilen haben keinen Rahmen; ihre Bilder sind ganze Dateien
    }: { $rows }

box-with-empty-cells = einige Zellen des Rahmens sind leer ({ $columns })

unread-time-column = Zeilen derselben Datei haben verschiedene Zahlen in der Spalte „{ $column }“, die nicht als Zeitpunkt gelesen wird
    .do = Wählen Sie diese Spalte als t. Gehören alle Zeilen zum ersten Zeitpunkt, wählen Sie keine Spalte als t.

box-too-small = { $width } und { $height } müssen mindestens 1 Pixel betragen

all-rows-excluded = In jeder Zeile der Tabelle steht „excluded“
    .do = Behalten Sie einige Bilder in der Tabelle.

repeated-rows = { $n_rows ->
        [one] { $n_rows } Zeile der Tabelle wiederholt eine frühere und wird ignoriert.
       *[other] { $n_rows } Zeilen der Tabelle wiederholen frühere und werden ignoriert.
    }

excluded-rows = { $n_images ->
        [one] { $n_images } Bild wurde
       *[other] { $n_images } Bilder wurden
    } von Benutzern ausgeschlossen („excluded“ in der Tabelle).

other-split-values = { $n_rows ->
        [one] Die Aufteilung von { $n_rows } Zeile der Tabelle wird ignoriert
       *[other] Die Aufteilung von { $n_rows } Zeilen der Tabelle wird ignoriert
    }: { $values }. Hier zählt nur „excluded“.

rows-without-group = { $n_rows ->
        [one] { $n_rows } Zeile hat keinen Wert in der Spalte „{ $column }“ und hat keine Gruppe.
       *[other] { $n_rows } Zeilen haben keinen Wert in der Spalte „{ $column }“ und haben keine Gruppe.
    }

no-file-exists = { $n_files ->
        [one] Die Datei, die die Tabelle nennt, existiert nicht: coverslip hat „{ $cell }“ unter „{ $path }“ gesucht
       *[other] Keine der { $n_files } Dateien, die die Tabelle nennt, existiert: coverslip hat „{ $cell }“ unter „{ $path }“ gesucht
    }
    .do = { $is_in_current_folder ->
        [true] Die Pfade stimmen vom aktuellen Ordner aus, müssen aber vom Ordner der Tabelle ausgehen. Verschieben Sie die Tabelle.
       *[false] { $has_folder ->
            [true] Der Ordner „{ $folder }“ enthält „{ $name }“. Pfade in einer Tabelle sind absolut oder gehen vom Ordner der Tabelle aus. Verschieben Sie die Tabelle in diesen Ordner, oder schreiben Sie `{ $folder }/` vor die Namen.
           *[false] Pfade in einer Tabelle sind absolut oder gehen vom Ordner der Tabelle aus. Verschieben Sie die Tabelle, oder korrigieren Sie die Pfade.
        }
    }

## Images in memory

not-an-array-of-numbers = „{ $name }“ ist ein Array von { $dtype }, nicht von Zahlen
    .do = Geben Sie ganze Zahlen oder Gleitkommazahlen an.

array-in-cell = Eine Zelle der Tabelle ist ein Array mit mehreren Werten, von der Form { $shape }: { $value }
    .do = Geben Sie für jedes Bild einen Wert an, zum Beispiel die Nummer oder den Namen seiner Klasse.

not-decoded = „{ $name }“ kann nicht dekodiert werden: { $reason }
    .do = Schließen Sie es aus, oder geben Sie den Pfad der Datei an.

no-pixels = „{ $name }“ hat keine Pixel: Die Form ist { $shape }
    .do = Schließen Sie es aus.

wrong-axes = „{ $name }“ hätte { $n_channels } Kanäle und { $height } x { $width } Pixel
    .do = Wenn die Kanäle auf einer anderen Achse liegen, geben Sie axes=„{ $axes }“ an. Für einen Stapel von Graubildern geben Sie list(stack) an.

values-out-of-range = „{ $name }“ ist ein Array von { $dtype } mit Werten von { $low } bis { $high }, aber Pixel von { $depth } reichen von 0 bis { $highest }
    .do = Skalieren Sie es um, oder wandeln Sie es in float32 um.

not-a-stack = Ein Array mit { $n_axes } Achsen ist kein Stapel von Bildern
    .do = Geben Sie einen Ordner, eine Tabelle oder ein Bild als Pfad, ein Array, ein Pillow-Bild, einen Data Frame oder mehrere davon in einer Liste an.

not-images-in-memory = Aus einem Objekt des Typs { $type_name } können keine Bilder gelesen werden
    .do = Geben Sie einen Ordner, eine Tabelle oder ein Bild als Pfad, ein Array, ein Pillow-Bild, einen Data Frame oder mehrere davon in einer Liste an.

unsupported-item = Element { $index } ist weder ein Pfad noch ein Bild: { $item }
    .do = Geben Sie einen Ordner, eine Tabelle oder ein Bild als Pfad, ein Array, ein Pillow-Bild, einen Data Frame oder mehrere davon in einer Liste an.

x-without-images = Das X von (X, y) ist vom Typ { $type_name }
    .do = Geben Sie eine Liste oder einen Stapel von Bildern an.

unequal-labels = (X, y) enthält { $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bilder
    } und { $n_labels ->
        [one] { $n_labels } Label
       *[other] { $n_labels } Labels
    }
    .do = Geben Sie für jedes Bild ein Label an.

unequal-columns = Die Spalten der Tabelle sind unterschiedlich lang: { $columns }
    .do = Geben Sie für jedes Bild eine Zeile an.

images-and-paths = Die Tabelle hat sowohl Bilder als auch Pfade: { $columns }
    .do = Entfernen Sie alle bis auf eine dieser Spalten.

## Channels in separate files

channel-files = { $n_files ->
        [one] { $n_files } Datei mit { $marks } im Namen ist ein Kanal
       *[other] { $n_files } Dateien mit { $marks } im Namen sind die Kanäle
    } von { $n_images ->
        [one] { $n_images } Bild.
       *[other] { $n_images } Bildern.
    }

no-channel-mark = { $n_images ->
        [one] { $n_images } Datei hat keine solche Kennung im Namen und wird als eigenes Bild gelesen: „{ $example }“.
       *[other] { $n_images } Dateien haben keine solche Kennung im Namen und werden als eigene Bilder gelesen (die erste: „{ $example }“).
    }

unlike-channel-labels = { $n_images ->
        [one] Die Kanäle von { $n_images } Bild haben verschiedene Labels. Das Label des ersten Kanals wird verwendet.
       *[other] Die Kanäle von { $n_images } Bildern haben verschiedene Labels. Das Label des ersten Kanals wird verwendet.
    }

## Classes

class-merged = mit anderen zu „{ $name }“ zusammengeführt

class-excluded = ausgeschlossen

class-renamed = in „{ $name }“ umbenannt

class-changed-twice = „{ $label }“ wird { $changes }; verwenden Sie nur eine dieser Änderungen

rename-to-merged = „{ $label }“ wird in „{ $name }“ umbenannt, wozu andere Klassen zusammengeführt werden; fügen Sie die Klasse dieser Zusammenführung hinzu

several-renamed = { $labels } werden alle in „{ $name }“ umbenannt; verwenden Sie { $merge }, um sie zusammenzuführen

new-name-excluded = „{ $name }“ wird ausgeschlossen und ist zugleich ein neuer Name; wählen Sie einen anderen neuen Namen

new-name-changed = „{ $name }“ ist ein neuer Name und wird selbst zu „{ $new_name }“; wählen Sie einen anderen neuen Namen

order-repeats-class = „{ $name }“ steht { $n_times }-mal in order

order-has-excluded-class = „{ $name }“ steht in order und wird ausgeschlossen

order-has-old-name = „{ $name }“ steht in order, wird aber zu „{ $new_name }“; verwenden Sie diesen Namen

no-image-of-class = { $key } nennt „{ $name }“, aber kein Bild hat dieses Label{ $hint }

class-exists = es gibt bereits eine Klasse „{ $name }“; um die Klassen zusammenzuführen, schreiben Sie { $merge }

order-names-no-class = classes.order nennt „{ $name }“, das keine der Klassen ist{ $hint }

too-few-classes-left = { $n_classes ->
        [0] nach classes.merge und classes.drop bleibt keine Klasse übrig
       *[other] nach classes.merge und classes.drop bleibt nur { $classes } übrig
    }

classes-do-not-fit = Die Klassen des Rezepts passen nicht zu den Bildern: { $mismatches }
    .do = { $has_classes ->
        [true] Die Bilder haben die Klassen { $classes }.
       *[false] Kein Bild hat ein Label.
    }

shared-classes = Mehrere Domänen ({ $domains }) haben Klassen mit demselben Namen, die als eine Klasse gelten: { $names }. Wenn es verschiedene Klassen sind, benennen Sie die einer Domäne um, oder halten Sie die Klassen jeder Domäne getrennt.

## Reading

reading = { $n_images ->
        [one] { $n_images } Bild: { $reason }
       *[other] { $n_images } Bilder: { $reason }
    }

unreadable = { $n_images ->
        [one] { $n_images } Bild konnte nicht gelesen werden.
       *[other] { $n_images } Bilder konnten nicht gelesen werden.
    }

image-changed = Das Bild hat sich geändert, seit es eingelesen wurde
    .do = Führen Sie den Befehl noch einmal aus. Wenn der Fehler bleibt, leeren Sie zuerst diesen Teil des Caches.

no-memory-for-image = Für dieses Bild reicht der Arbeitsspeicher nicht
    .do = Schneiden Sie es zu, oder verwenden Sie einen größeren Rechner.

channel-facts-differ = Die Dateien der Kanäle unterscheiden sich in Größe oder Bittiefe

image-not-reached = Es kam nicht an die Reihe

## Images that cannot be used

dropped = { $n_images ->
        [one] { $n_images } Bild ist ausgeschlossen, weil das Rezept seine Klasse ausschließt: { $classes }.
       *[other] { $n_images } Bilder sind ausgeschlossen, weil das Rezept ihre Klassen ausschließt: { $classes }.
    }

excluded = { $reason ->
        [unreadable] { $n_images ->
            [one] { $n_images } Bild ist ausgeschlossen, weil es nicht gelesen werden konnte.
           *[other] { $n_images } Bilder sind ausgeschlossen, weil sie nicht gelesen werden konnten.
        }
        [no-label] { $n_images ->
            [one] { $n_images } Bild ist ausgeschlossen, weil es kein Label hat.
           *[other] { $n_images } Bilder sind ausgeschlossen, weil sie kein Label haben.
        }
       *[conflicting-labels] { $n_images ->
            [one] { $n_images } Bild ist ausgeschlossen, weil es dieselben Pixel wie ein Bild mit einem anderen Label hat.
           *[other] { $n_images } Bilder sind ausgeschlossen, weil sie dieselben Pixel wie ein Bild mit einem anderen Label haben.
        }
    }

no-usable-image = { $n_images ->
        [one] Das einzige Bild kann nicht verwendet werden: { $reason }
       *[other] Keines von { $n_images } Bildern kann verwendet werden: { $reason }
    }
    .do = Prüfen Sie den Datensatz. Seine Hinweise nennen die Gründe.

none-readable = { $n_images ->
        [one] Das einzige Bild konnte nicht gelesen werden: { $reason }
       *[other] Keines von { $n_images } Bildern konnte gelesen werden (das erste: { $reason })
    }
    .do = Prüfen Sie, ob dies Bilddateien sind. Die Prüfung des Datensatzes führt jede Datei mit ihrem Grund auf.

no-images-in-dataset = Es gibt keine Bilder
    .do = Fügen Sie dem Datensatz Bilder hinzu.

## Training, validation and test set

no-training-share = split.val = { NUMBER($val, maximumFractionDigits: 3) } und split.test = { NUMBER($test, maximumFractionDigits: 3) } lassen keine Bilder für das Training übrig
    .do = Wählen Sie beide kleiner als 1, und auch ihre Summe.

leakage = { $n_leaks ->
        [one] In der vorgegebenen Aufteilung ist { $n_leaks } Gruppe oder Bild in mehreren Sets. Die Testergebnisse werden zu optimistisch ausfallen.
       *[other] In der vorgegebenen Aufteilung sind { $n_leaks } Gruppen oder Bilder in mehreren Sets. Die Testergebnisse werden zu optimistisch ausfallen.
    }

leak-of-groups = { $n ->
        [one] { $n } Gruppe
       *[other] { $n } Gruppen
    }

leak-of-pixels = { $n ->
        [one] { $n } Bild mit gleichen Pixeln
       *[other] { $n } Bilder mit gleichen Pixeln
    }

leak-of-near-duplicates = { $n ->
        [one] { $n } Menge von Beinahe-Duplikaten
       *[other] { $n } Mengen von Beinahe-Duplikaten
    }

leak-of-chains = { $n ->
        [one] { $n } Kette von Gruppen und Duplikaten
       *[other] { $n } Ketten von Gruppen und Duplikaten
    }

leaking-images = { $relation ->
        [group] Gruppe „{ $group }“ in { $first } („{ $first_image }“) und { $second } („{ $second_image }“)
        [pixels] dieselben Pixel in { $first } („{ $first_image }“) und { $second } („{ $second_image }“)
        [copies] Beinahe-Duplikate in { $first } („{ $first_image }“) und { $second } („{ $second_image }“)
       *[chain] durch Gruppen und Duplikate verbundene Bilder in { $first } („{ $first_image }“) und { $second } („{ $second_image }“)
    }

leaking-split = Die vorgegebene Aufteilung hat { $leaks } in mehreren Sets: { $examples }{ $has_more ->
        [true] ; ...
       *[false] { "" }
    }
    .do = Verschieben Sie sie in ein Set, lassen Sie coverslip die Bilder aufteilen, oder behalten Sie die Aufteilung bei (die Metriken fallen dann zu optimistisch aus).{ $grouping }

predefined-set-excluded = { $has_domain ->
        [true] { $domain }: Kein
       *[false] Kein
    } Bild des vorgegebenen { $set ->
        [val] Validierungssets
       *[test] Testsets
    } ist verwendbar: Die Bilder sind nicht lesbar, haben kein Label oder die gleichen Pixel wie Bilder mit anderen Labels, oder das Rezept schließt sie aus
    .do = Korrigieren Sie diese Bilder oder Labels, oder entfernen Sie das vorgegebene Set, damit coverslip eines aus den Trainingsbildern bildet.

without-part = { $n_images ->
        [one] { $n_images } Bild ohne Set in der vorgegebenen Aufteilung kommt ins Trainingsset oder ins Set seiner Gruppe oder Duplikate.
       *[other] { $n_images } Bilder ohne Set in der vorgegebenen Aufteilung kommen ins Trainingsset oder ins Set ihrer Gruppe oder Duplikate.
    }

part-taken = { $has_domains ->
        [true] Die vorgegebene Aufteilung von { $domains } hat { $missing ->
            [val] kein Validierungsset. Es wird
            [test] kein Testset. Es wird
           *[val-and-test] weder Validierungs- noch Testset. Sie werden
        }
       *[false] Die vorgegebene Aufteilung hat { $missing ->
            [val] kein Validierungsset. Es wird
            [test] kein Testset. Es wird
           *[val-and-test] weder Validierungs- noch Testset. Sie werden
        }
    } aus dem Trainingsset gebildet.

uneven-parts = { $has_groups ->
        [true] Es gibt nur wenige Gruppen oder Gruppen unterschiedlicher Größe
       *[false] Es gibt nur wenige Bilder oder Bilder, die zusammenbleiben müssen
    }. Daher enthalten Trainings-, Validierungs- und Testset { $reached } % der Bilder statt { $requested } %.

untrained-classes = { $n_images ->
        [one] { $n_images } Bild ist ausgeschlossen, weil das Trainingsset kein Bild seiner Klasse enthält: { $names }.
       *[other] { $n_images } Bilder sind ausgeschlossen, weil das Trainingsset kein Bild ihrer Klasse enthält: { $names }.
    }

missing-part = { $subject ->
        [class] Klasse „{ $name }“ hat
       *[domain] Domäne „{ $name }“ hat
    } { $missing ->
        [val] keine Validierungsbilder
        [test] keine Testbilder
       *[val-and-test] weder Validierungs- noch Testbilder
    }: { $reason ->
        [few-groups] { $n_images ->
            [one] Ihr { $n_images } Bild bildet
           *[other] Ihre { $n_images } Bilder bilden
        } { $n_units ->
            [one] { $n_units } Gruppe
           *[other] { $n_units } Gruppen
        }, aber { $n_parts } sind nötig, um in jedem Set vertreten zu sein
        [few-images] { $n_images ->
            [one] Ihr { $n_images } Bild ist
           *[other] Ihre { $n_images } Bilder sind
        } { $n_units ->
            [one] { $n_units } verschiedenes Bild
           *[other] { $n_units } verschiedene Bilder
        }, aber { $n_parts } sind nötig, um in jedem Set vertreten zu sein
        [predefined-split] In der vorgegebenen Aufteilung gibt es dort keine
       *[groups] Keine Verteilung der Gruppen bringt alle Klassen und Domänen in jedes Set
    }. { $is_tested ->
        [true] In die Validierung geht sie nicht ein.
       *[false] Ihre Metriken können nicht berechnet werden.
    }

more-missing-parts = { $n ->
        [one] { $n } weitere Klasse oder Domäne ist nicht in jedem Set vertreten.
       *[other] { $n } weitere Klassen oder Domänen sind nicht in jedem Set vertreten.
    }

too-few-groups = { $n_images ->
        [one] { $n_images } verwendbares Bild gehört zu
       *[other] { $n_images } verwendbare Bilder gehören zu
    } { $n_units ->
        [one] { $n_units } getrennten Gruppe
       *[other] { $n_units } getrennten Gruppen
    } ({ $groups }), aber { $n_parts } sind nötig. Eine Gruppe darf nicht zugleich im Trainings- und im Testset sein
    .do = Fügen Sie Bilder anderer Gruppen hinzu, oder legen Sie kleinere Gruppen fest.

too-few-separate-groups = { $n_images ->
        [one] { $n_images } verwendbares Bild gehört zu
       *[other] { $n_images } verwendbare Bilder gehören zu
    } { $n_units ->
        [one] { $n_units } getrennten Gruppe
       *[other] { $n_units } getrennten Gruppen
    } ({ $n_groups } benannte Gruppen, durch Duplikate verbunden), aber { $n_parts } sind nötig. Eine Gruppe darf nicht zugleich im Trainings- und im Testset sein
    .do = Fügen Sie Bilder anderer Gruppen hinzu, legen Sie kleinere Gruppen fest, oder schließen Sie Duplikate aus, die Gruppen verbinden (etwa leere Bilder).

too-few-distinct-images = { $n_images ->
        [one] { $n_images } verwendbares Bild zeigt
       *[other] { $n_images } verwendbare Bilder zeigen
    } { $n_units ->
        [one] { $n_units } verschiedenes Bild
       *[other] { $n_units } verschiedene Bilder
    }, aber { $n_parts } sind nötig, eines für jedes Set
    .do = Fügen Sie Bilder hinzu. Beginnen Sie mit einigen Dutzend von jeder Klasse.

too-few-classes = Ein Klassifikator braucht zwei Klassen, aber verwendbare Trainingsbilder gibt es von { $n_usable ->
        [0] keiner Klasse
       *[other] nur einer Klasse, „{ $label }“
    }{ $is_of_several ->
        [true] {" "}(von { $n_classes } im Datensatz)
       *[false] { "" }
    }
    .do = { $is_of_several ->
        [true] Prüfen Sie den Datensatz. Seine Hinweise nennen die Gründe, warum die anderen Klassen nicht verwendet werden können.
       *[false] Fügen Sie Bilder einer weiteren Klasse hinzu. Legen Sie jede Klasse in einen eigenen Ordner.
    }

class-name-is-a-decision = Eine Klasse kann nicht „{ $label }“ heißen. In Vorhersagen bedeutet dieses Wort, dass keine Klasse zugewiesen wurde
    .do = Benennen Sie die Klasse um, zum Beispiel mit classes.rename im Rezept.

confounded-groups = { $are_classes ->
        [true] Die Gruppen sind die Klassen selbst ({ $groups })
       *[false] Jede Klasse ist in einer einzigen Gruppe ({ $groups })
    }
    .do = Eine Gruppe wird entweder zum Training oder zum Test verwendet, daher könnte keine Klasse sowohl trainiert als auch getestet werden. Gruppieren Sie nach etwas, das mehrere Klassen gemeinsam haben, etwa Patient oder Objektträger, oder trainieren Sie ohne Gruppen.

class-without-training-images = { $n_classes ->
        [one] Das Trainingsset enthält kein Bild der Klasse { $names }
       *[other] Das Trainingsset enthält keine Bilder von { $n_classes } Klassen: { $names }
    }
    .do = Schließen Sie solche Klassen aus, oder fügen Sie lesbare Trainingsbilder von ihnen hinzu.

empty-set = { $set ->
        [train] Es gibt keine Bilder für das Trainingsset
        [val] Es gibt keine Bilder für das Validierungsset
       *[test] Es gibt keine Bilder für das Testset
    }
    .do = Geben Sie diesem Set einen Anteil über 0 und genügend Bilder (ohne vorgegebene Aufteilung mindestens drei Gruppen).

## Folds

capped = { $n_images ->
        [one] { $n_images } Trainingsbild ist auf Wunsch ausgeschlossen. Das Training verwendet höchstens { $n_per_class } von jeder Klasse.
       *[other] { $n_images } Trainingsbilder sind auf Wunsch ausgeschlossen. Das Training verwendet höchstens { $n_per_class } von jeder Klasse.
    }

balanced-before-split = { $n_images ->
        [one] { $n_images } Bild ist auf Wunsch vor der Aufteilung ausgeschlossen, sodass jede Klasse { $n_per_class } hat. Das Testset hat daher nicht die Klassenanteile des Datensatzes.
       *[other] { $n_images } Bilder sind auf Wunsch vor der Aufteilung ausgeschlossen, sodass jede Klasse { $n_per_class } hat. Das Testset hat daher nicht die Klassenanteile des Datensatzes.
    }

folds-not-possible = Es gibt nur wenige Bilder oder Gruppen, aber eine Kreuzvalidierung ist nicht möglich: { $reason }.

small-test-set = Das Testset wird nur etwa { $n_tested } der { $n_units } { $unit ->
        [image] Bilder
       *[group] getrennten Gruppen
    } enthalten. Eine Kreuzvalidierung testet sie alle je einmal und dauert etwa { $factor }-mal so lange.

folds = Ein einzelnes Testset enthielte nur etwa { $n_tested } der { $n_units } { $unit ->
        [image] Bilder
       *[group] getrennten Gruppen
    }. Daher testet eine Kreuzvalidierung mit { $n_folds } Folds sie alle je einmal. Um nur einen Teil davon zu testen, verlangen Sie eine einzelne Aufteilung.

too-few-for-folds = { $n_images ->
        [one] { $n_images } verwendbares Bild ergibt
       *[other] { $n_images } verwendbare Bilder ergeben
    } { $has_groups ->
        [true] { $n_units ->
            [one] { $n_units } getrennte Gruppe
           *[other] { $n_units } getrennte Gruppen
        }
       *[false] { $n_units ->
            [one] { $n_units } verschiedenes Bild
           *[other] { $n_units } verschiedene Bilder
        }
    }, aber { $n_folds } Folds brauchen { $n_needed }
    .do = { $is_enough_for_fewer ->
        [true] Verwenden Sie { $n_units } Folds, oder fügen Sie Bilder hinzu.
       *[false] Fügen Sie Bilder hinzu. Beginnen Sie mit einigen Dutzend von jeder Klasse.
    }

fold-with-one-unit = { $has_groups ->
        [true] Einer von { $n_folds } Folds würde nur 1 von { $n_units } getrennten Gruppen für das Training übrig lassen
       *[false] Einer von { $n_folds } Folds würde nur 1 von { $n_units } verschiedenen Bildern für das Training übrig lassen
    }
    .do = Versuchen Sie eine andere Anzahl von Folds, fügen Sie Bilder anderer Gruppen hinzu, oder verwenden Sie eine einzelne Aufteilung.

fold-not-trainable = { $has_groups ->
        [true] Einer von { $n_folds } Folds hätte nur eine Klasse für das Training oder keine Validierungsbilder, weil Klassen in zu wenigen der { $n_units } getrennten Gruppen vorkommen
       *[false] Einer von { $n_folds } Folds hätte nur eine Klasse für das Training oder keine Validierungsbilder, weil Klassen in zu wenigen der { $n_units } verschiedenen Bilder vorkommen
    }
    .do = Versuchen Sie eine andere Anzahl von Folds, fügen Sie Bilder anderer Gruppen hinzu, oder verwenden Sie eine einzelne Aufteilung.

single-domain = Es gibt nur eine Domäne, daher kann keine zurückgehalten werden
    .do = Geben Sie mehrere Ordner oder eine Tabelle mit der Spalte „domain“ an, oder teilen Sie nach Bildern oder Gruppen auf.

domain-not-trainable = Ohne die Domäne { $domain } bleiben für das Training nur eine Klasse oder keine Validierungsbilder übrig
    .do = Domänen müssen Klassen gemeinsam haben. Benennen Sie gleiche Klassen einheitlich, oder trainieren Sie mit jeder Domäne getrennt.

folds-of-predefined-split = Die Bilder haben eine vorgegebene Aufteilung, der eine Kreuzvalidierung nicht folgen würde
    .do = Trainieren Sie mit dieser Aufteilung ohne Folds, oder öffnen Sie die Bilder ohne sie.

not-measured = { $n_images ->
        [one] { $n_images } Bild kann nicht getestet werden, weil sein Fold
       *[other] { $n_images } Bilder können nicht getestet werden, weil ihr Fold
    } kein Trainingsbild der Klasse enthält ({ $has_groups ->
        [true] eine Klasse braucht zwei Gruppen
       *[false] eine Klasse braucht zwei verschiedene Bilder
    }): { $classes }. Die Zahlen enthalten { $n_images ->
        [one] es nicht.
       *[other] sie nicht.
    }

## Distances between datasets

one-dataset = Ein Abstand braucht zwei Datensätze
    .do = Geben Sie einen weiteren Datensatz an.

too-few-images-for-distance = { $n_images ->
        [one] „{ $name }“ hat { $n_images } lesbares Bild
       *[other] „{ $name }“ hat { $n_images } lesbare Bilder
    }
    .do = Fügen Sie Bilder hinzu. Ein Abstand braucht { $n_needed } von jedem Datensatz und ist unter 100 ungenau.

datasets-look-the-same = Die meisten Bilder dieser Datensätze haben dieselben Merkmale
    .do = Prüfen Sie, ob die Bilder leer oder Duplikate voneinander sind.

map-needs-images = { $n_images ->
        [0] Kein Bild ist lesbar, daher gibt es keine Karte
        [one] Nur { $n_images } Bild ist lesbar, aber eine Karte braucht { $n_needed }
       *[other] Nur { $n_images } Bilder sind lesbar, aber eine Karte braucht { $n_needed }
    }
    .do = Fügen Sie dem Datensatz Bilder hinzu.

no-image-to-suggest = Alle Bilder haben ein Label{ $n_reserved ->
        [0] {""}
       *[other] {" "}oder sind für das Testset reserviert ({ $n_reserved })
    }
    .do = Fügen Sie Bilder ohne Label hinzu.

no-readable-image-to-suggest = Kein Bild ohne Label ist lesbar
    .do = Prüfen Sie, ob die Dateien vollständige Bilder sind.

no-live-image = Es gibt kein Bild { $name }
    .do = Verwenden Sie eine ID oder einen Pfad aus `live.predict()`.

live-one-class = { $n ->
        [0] kein Bild außerhalb des Testsets hat ein Label: Geben Sie Bildern von zwei Klassen ein Label
       *[other] nur { $name } hat Labels außerhalb des Testsets: Geben Sie einem Bild einer zweiten Klasse ein Label
    }

live-of-test = { $is_test ->
        [true] ein Bild des Testsets zeigt keine Vorhersage, bis es ein Label hat
       *[false] die Kopie eines Testbilds oder ein Bild aus dessen Gruppe zeigt keine Vorhersage
    }

no-number-of-suggestions = Die Anzahl der vorzuschlagenden Bilder muss mindestens 1 sein, ist aber { $n }
    .do = Geben Sie eine Zahl ein, zum Beispiel 20.

suggestion-typical = { $n_images ->
        [one] steht nur für sich selbst
       *[other] steht für etwa { $n_images } ähnliche Bilder
    }

suggestion-undecided = zwischen { $first } und { $second }

images-in-both-datasets = { $n_images ->
        [one] { $n_images } Bild von „{ $first }“ ist auch in „{ $second }“ enthalten. Dadurch
       *[other] { $n_images } Bilder von „{ $first }“ sind auch in „{ $second }“ enthalten. Dadurch
    } wirken die Datensätze ähnlicher, als sie sind. Abstand, Intervall und p gelten für Datensätze ohne gemeinsame Bilder.

meaning-of-distances = Die Abstände zeigen, wie verschieden ein Netz Datensätze abbildet. Bei 30 Paaren von sechs Datensätzen sagten sie den Gewinn durch Vortraining auf dem anderen Datensatz nicht voraus. Um diesen Gewinn zu messen, trainieren Sie mit und ohne Vortraining bei derselben Aufteilung.

## Label errors and learning curves

labels-of-unfinished-training = Das Training ist nicht abgeschlossen
    .do = Warten Sie, bis es abgeschlossen ist, oder setzen Sie es fort.

learning-curve-few-groups = { $n_groups ->
        [one] für Training und Validierung gibt es nur { $n_groups } Gruppe
       *[other] für Training und Validierung gibt es nur { $n_groups } Gruppen
    }, aber { $n_needed } sind nötig

learning-curve-few-images = { $n_images ->
        [one] für Training und Validierung gibt es nur { $n_images } Bild
       *[other] für Training und Validierung gibt es nur { $n_images } Bilder
    } aus { $n_classes } Klassen, aber { $n_needed } von jeder Klasse sind nötig

## Readings

reader-of-labels = Labels des Datensatzes

readings-without-columns = Dies ist keine Tabelle von Befundungen: Sie braucht die Spalten label und image_id oder path. Ihre Spalten sind { $columns }
    .do = Benennen Sie die Spalten in der ersten Zeile.

readings-without-group = Die Tabelle hat keine Spalte „{ $column }“
    .do = Nennen Sie die Spalte mit der Gruppe jedes Bildes.

readings-without-image = Zeile { $line } nennt kein Bild
    .do = Füllen Sie die Spalte image_id aller Zeilen und Tabellen aus, oder die Spalte path aller.

readings-of-one-image = { $reader } hat zwei verschiedene Labels für { $image }
    .do = Behalten Sie eines davon, oder nennen Sie in der Spalte author, von wem jedes stammt.

readings-of-two-groups = { $image } gehört in einer Tabelle zur Gruppe { $first }, in einer anderen Zeile oder Tabelle zu { $second }
    .do = Korrigieren Sie die Gruppe des Bildes, so dass sie in allen Tabellen dieselbe ist.

readings-not-shared = { $n_readers ->
        [one] Es gibt nur einen Befunder, daher gibt es nichts zu vergleichen
       *[other] Kein Bild hat Labels von zwei Befundern
    }
    .do = Fügen Sie die Labels eines weiteren Befunders für dieselben Bilder hinzu. Bilder sind dieselben, wenn ihre image_id oder sonst ihr Pfad gleich ist.

file-fact-range = { $low } bis { $high } { $unit }, Median { $median }

file-fact-width = Breite

file-fact-height = Höhe

file-fact-pixel-size = Pixelgröße

file-fact-without-pixel-size = ({ $n_images ->
        [one] { $n_images } Bild ohne
       *[other] { $n_images } Bilder ohne
    } bekannte Pixelgröße)

file-fact-format = Format

file-fact-bit-depth = Bittiefe

file-fact-channels = Kanäle

file-fact-planes = Ebenen

file-fact-predefined-split = vorgegebene Aufteilung
