# Prediction, explanation and export.

## Classifiers

classifier-not-finite = Der Klassifikator berechnet Werte, die zu groß oder keine Zahlen sind
    .do = Bitten Sie den Autor, ihn neu zu trainieren.

network-build-failed = Sein Netz kann auf diesem Rechner nicht aufgebaut werden: { $reason }
    .do = Aktualisieren Sie coverslip, oder kopieren Sie den Klassifikator noch einmal.

network-build-refused = Sein Netz kann auf diesem Rechner nicht aufgebaut werden: { $reason }
    .do = Bitten Sie den Autor um einen Klassifikator mit üblichen Optionen.

network-build-too-slow = der Aufbau dauert zu lange; die Grenzen sind { $seconds } s Prozessorzeit und { $gigabytes } GB Arbeitsspeicher

network-build-ended = der Aufbau endete mit dem Code { $exit_code }; die Grenzen sind { $seconds } s Prozessorzeit und { $gigabytes } GB Arbeitsspeicher

classifier-weights-do-not-fit = Die Gewichte passen nicht zu „{ $model }“ mit { $n_classes } Klassen
    .do = Kopieren Sie den Klassifikator noch einmal.

unknown-export-format = Klassifikatoren werden nicht als „{ $format }“ exportiert
    .do = Wählen Sie „zip“, „onnx“ oder „bioimageio“.

export-folder-exists = Es gibt bereits eine Datei oder einen Ordner mit diesem Namen
    .do = Wählen Sie den Namen eines neuen Ordners.

export-without-attribution = Das Format „{ $format }“ hat keinen Platz für Autoren, Lizenz und Zitat
    .do = Lassen Sie sie weg, oder wählen Sie „bioimageio“.

export-author-invalid = „{ $author }“ ist kein Name eines Autors
    .do = Geben Sie für jeden Autor einen Namen ohne Schrägstrich an.

export-license-invalid = „{ $license }“ ist keine Lizenz-Kennung von SPDX
    .do = Geben Sie eine Kennung von https://spdx.org/licenses an, zum Beispiel CC-BY-4.0 oder MIT.

export-citation-without-link = Das Zitat enthält weder DOI noch Adresse: { $citation }
    .do = Ergänzen Sie eine DOI wie 10.1234/abc oder eine Adresse, die mit https:// beginnt.

export-needs-run = Dies ist ein Klassifikator ohne sein Training. Ein Export im Format „{ $format }“ wird mit Bildern des Trainings überprüft
    .do = Exportieren Sie aus dem Ordner des Trainings. Nur „zip“ braucht keine Bilder.

export-refused = Der Export im Format „{ $format }“ wurde verweigert, und nichts wurde geschrieben: { $reason }
    .do = coverslip sagt mit diesem Klassifikator vorher wie bisher. Geben Sie ihn als „zip“ weiter.

export-failed = dieses Netz kann nicht exportiert werden ({ $reason })

export-differs = das exportierte Netz gibt den Klassifikator nicht genau wieder. Seine Logits weichen um bis zu { $difference } Standardabweichungen ab (die Grenze ist 0,001), und { NUMBER($agreement, style: "percent") } von { $n_images } Bildern haben dieselbe Entscheidung

export-to-folder = Dies ist ein Ordner, keine Datei
    .do = Nennen Sie die Datei, die darin geschrieben werden soll.

## Predictions

estimator-without-images = X enthält keine Bilder, sondern { $shape }
    .do = Übergeben Sie Pfade von Bilddateien oder Arrays der Form (height, width) oder (height, width, channels).

estimator-sparse = eine dünn besetzte Matrix

estimator-rows = { $n_numbers ->
        [one] Zeilen aus { $n_numbers } Zahl
       *[other] Zeilen aus { $n_numbers } Zahlen
    }

estimator-x-empty = X ist leer: 0 Bilder
    .do = Übergeben Sie mindestens ein Bild.

estimator-empty-label = Ein Label in y ist leer
    .do = Geben Sie jedem Bild ein Label, oder lassen Sie es in X und y weg.

estimator-equal-labels = Zwei Labels in y sind dieselbe Klasse { $name }: { $labels }
    .do = Leerzeichen um Labels und die Kodierung von Akzenten unterscheiden keine Klassen. Verwenden Sie eine Schreibweise.

estimator-columns = X ist eine Tabelle mit mehreren Spalten: { $columns }
    .do = Übergeben Sie die Spalte der Bilder, wie etwa X[["path"]].

estimator-needs-groups = needs_groups ist wahr, und fit wurde ohne Gruppen aufgerufen
    .do = cross_val_score und cross_validate übergeben fit die Gruppen mit params={"{"}"groups": groups{"}"}, GridSearchCV nur mit sklearn.set_config(enable_metadata_routing=True).

estimator-without-groups = Die Namen der Bilder deuten auf { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    } hin, wie etwa „{ $example }“, und fit wurde ohne Gruppen aufgerufen
    .do = Wenn sie Patienten, Objektträger oder Gesichtsfelder sind, übergeben Sie fit die Gruppen: cross_val_score und cross_validate mit params={"{"}"groups": groups{"}"}, und GridSearchCV nur mit sklearn.set_config(enable_metadata_routing=True). Sonst können Bilder eines Patienten in Trainings- und Testset sein, und die Ergebnisse fallen zu optimistisch aus.

estimator-changed-classes = Das Rezept benennt Klassen um oder fasst sie zusammen, sodass Vorhersagen keine Labels aus y wären
    .do = Ändern Sie stattdessen die Labels in y, und entfernen Sie classes.rename, classes.merge und classes.by_domain aus dem Rezept.

image-not-predicted = Für dieses Bild ist keine Vorhersage möglich: { $reason }
    .do = Entfernen Sie es, oder ersetzen Sie es durch ein lesbares Bild.

labels-of-other-classes = { $n_images ->
        [one] { $n_images } Bild hat ein Label, das es unter den Klassen dieses Klassifikators nicht gibt
       *[other] { $n_images } Bilder haben Labels, die es unter den Klassen dieses Klassifikators nicht gibt
    } ({ $names }). Er kann sie nur seinen eigenen Klassen zuordnen.

training-images = Dieser Klassifikator wurde mit { $n_images ->
        [one] einem
       *[other] { $n_images }
    } dieser Bilder trainiert. Vorhersagen dafür sind häufiger richtig als für neue Bilder.

is-training-image = mit diesem Bild oder einem Duplikat davon wurde dieser Klassifikator trainiert

unreadable-image = { $image }: { $reason }

prediction-resumed = { $n_images ->
        [one] { $n_images } Zeile der unterbrochenen Vorhersage wurde
       *[other] { $n_images } Zeilen der unterbrochenen Vorhersage wurden
    } wiederverwendet. Hinweise zu Bildern betreffen die übrigen Bilder.

rows-saved = { $n_images ->
        [one] { $n_images } Zeile ist
       *[other] { $n_images } Zeilen sind
    } gespeichert. Um danach fortzufahren, wiederholen Sie die Vorhersage mit der Option „resume“.

rows-of-other-settings = Die gespeicherten Zeilen gehören zu anderen Bildern, einem anderen Klassifikator, anderen Optionen oder einer anderen Version von coverslip
    .do = Wiederholen Sie den früheren Befehl, oder beginnen Sie neu ohne die Option „resume“.

parquet-not-resumable = Parquet-Dateien können nicht fortgesetzt werden
    .do = Wählen Sie das Format „csv“ oder „jsonl“.

top-k-out-of-range = Der Klassifikator kann nicht { $top_k } Klassen aufführen: Er hat { $n_classes }
    .do = Wählen Sie eine Zahl von 1 bis { $n_classes }.

rows-without-all-probabilities = die wiederverwendeten Zeilen enthalten nur die Wahrscheinlichkeiten der wahrscheinlichsten Klassen

extra-for-parquet = Das Format „parquet“

watching = { $n_images ->
        [0] Für Bilder, die in „{ $folder }“ erscheinen, werden Vorhersagen gemacht.
        [one] Für Bilder, die in „{ $folder }“ erscheinen, werden Vorhersagen gemacht. { $n_images } Bild hat bereits eine Zeile.
       *[other] Für Bilder, die in „{ $folder }“ erscheinen, werden Vorhersagen gemacht. { $n_images } Bilder haben bereits eine Zeile.
    } Zum Beenden drücken Sie Strg-C.

no-folder-to-watch = Diesen Ordner gibt es nicht
    .do = Legen Sie den Ordner zuerst an, oder prüfen Sie die Schreibweise.

parquet-not-growable = An Parquet-Dateien können keine Zeilen angehängt werden
    .do = Wählen Sie das Format „csv“ oder „jsonl“.

watched-channel-files = Dieser Klassifikator liest für jedes Bild mehrere Dateien, daher kann coverslip nicht feststellen, wann ein Bild vollständig ist
    .do = Machen Sie die Vorhersage für diese Bilder, wenn alle Dateien vorhanden sind.

watched-fields = Dieses Bild ist ein ganzes Gesichtsfeld, und der Klassifikator klassifiziert Objekte, die coverslip in einem überwachten Ordner nicht sucht
    .do = Machen Sie die Vorhersage für den Ordner, wenn seine Bilder vollständig sind: „coverslip predict“ ohne --watch findet die Objekte.

rows-of-other-classifier = Die Zeilen dieser Tabelle sind Vorhersagen eines anderen Klassifikators oder mit anderen Klassenanteilen
    .do = Wählen Sie einen anderen Namen für die Tabelle.

rows-of-other-columns = Diese Tabelle von Vorhersagen hat andere Spalten oder ist beschädigt
    .do = Wählen Sie einen anderen Namen für die Tabelle.

replaced = Die früheren Vorhersagen in „{ $file_name }“ wurden ersetzt.

unfinished-training = Das Training ist nicht beendet: Dieser Klassifikator ist der bisher beste, nicht der endgültige. Lassen Sie das Training zu Ende laufen, oder setzen Sie es fort, bevor Sie sich auf Metriken und Vorhersagen verlassen.

reason-unfamiliar = Unähnlich den Trainingsbildern: möglicherweise andere Größe, andere Färbung, anderes Gerät oder keine der Klassen

reason-uncertain = Die Wahrscheinlichkeit liegt unter { NUMBER($threshold, maximumFractionDigits: 3) }

reason-not-checked = Der Klassifikator wurde an diese Bilder angepasst und mit keinem Label von ihnen geprüft

reason-on-computer = { $reason }, auf { $computer }

## Differences from the training images

bit-depth-differs = { $depth } statt { $trained } wie die Trainingsbilder

channels-differ = { $channels } statt { $trained } wie die Trainingsbilder

other-channel-names = Die Datei nennt die Kanäle { $names }, die Dateien der Trainingsbilder { $trained }
    .do = Wenn es dieselben Färbungen unter anderen Namen sind, wählen Sie die Kanäle dieser Bilder in der Reihenfolge des Trainings, mit Namen oder Nummern ab 0. Sonst kann dieser Klassifikator für sie keine Vorhersage machen.

channels-reordered = Kanäle in der Reihenfolge des Trainings statt in der der Datei ({ $names })

reordered-channels = Die Dateien von { $n_images ->
        [one] { $n_images } Bild nennen
       *[other] { $n_images } Bildern nennen
    } die Kanäle des Trainings in anderer Reihenfolge. Die Kanäle wurden nach ihren Namen geordnet. Wenn die Namen falsch sind, wählen Sie die Kanäle dieser Bilder nach ihren Nummern.

image-is-field = { $width } x { $height } Pixel, so groß wie { $n_times } Trainingsbilder: Wenn es viele Objekte zeigt, geben Sie deren Rahmen an

size-differs = { $width } x { $height } Pixel statt { $trained } wie die Trainingsbilder

sizes-differ = andere Größe (etwa { $width } x { $height } Pixel) als die Trainingsbilder ({ $trained })

larger-than-canvas = größer als die Leinwand von { $canvas_px } Pixeln und daher verkleinert statt im gemeinsamen Maßstab gezeigt

pixel-size-differs = { NUMBER($um, maximumSignificantDigits: 4) } µm pro Pixel statt { NUMBER($trained_um, maximumSignificantDigits: 4) } µm pro Pixel wie die Trainingsbilder

image-rescaled = von { NUMBER($um, maximumSignificantDigits: 4) } auf { NUMBER($trained_um, maximumSignificantDigits: 4) } µm pro Pixel umskaliert

other-pixel-size = { $n_images ->
        [one] { $n_images } Bild hat
       *[other] { $n_images } Bilder haben
    } eine andere Pixelgröße, etwa { $image } mit { NUMBER($um, maximumSignificantDigits: 4) } µm pro Pixel. Die Trainingsbilder haben { NUMBER($trained_um, maximumSignificantDigits: 4) } µm pro Pixel. Wenn Objekte größer oder kleiner erscheinen als im Training, sind die Vorhersagen weniger sicher, als sie wirken.

# The pixels of files that are read

other-pixels = { $keys ->
        [one] Die Auswahl der Pixel in den Dateien weicht
       *[other] Die Auswahl der Pixel in den Dateien weicht mehrfach
    } von der des Trainings ab, gezählt ab 0: { $differences }. Die Vorhersagen können falsch sein. Um die Bilder wie im Training zu lesen, ändern Sie die Auswahl auf der Seite des Datensatzes oder die Spalten seiner Tabelle.

pixels-differ = { $key ->
        [series] Serie
        [t] Zeitpunkt
        [z] z-Ebene
        [channels] Kanäle
       *[level] Auflösungsstufe
    } { $value } (Training: { $trained })

pixels-all = alle

pixels-value = { $value }

rescaled-images = { $n_images ->
        [one] { $n_images } Bild wurde
       *[other] { $n_images } Bilder wurden
    } auf die Pixelgröße der Trainingsbilder, { NUMBER($trained_um, maximumSignificantDigits: 4) } µm, umskaliert.

no-pixel-size = { $n_images ->
        [one] Die Pixelgröße von { $n_images } Bild ist
       *[other] Die Pixelgröße von { $n_images } Bildern ist
    } nicht bekannt und wird daher nicht mit der der Trainingsbilder ({ NUMBER($trained_um, maximumSignificantDigits: 4) } µm) verglichen.

no-pixel-size-of-training = Die Pixelgröße der Trainingsbilder ist nicht bekannt
    .do = Machen Sie die Vorhersage ohne Umskalieren. Um einen Klassifikator zu trainieren, der sie kennt, geben Sie die Pixelgröße im Rezept (images.pixel_size_um) oder in einer Spalte pixel_size_um der Tabelle an.

rescaling-of-own-test = Das Testset des Trainings kann nicht umskaliert werden: Es hat die Pixelgröße der Trainingsbilder
    .do = Geben Sie andere Bilder mit Label an, oder evaluieren Sie ohne Umskalieren.

size-of-training-images = { $is_range ->
        [true] { $low } bis { $high }
       *[false] { $low }
    } Pixel

bit-depth = { $dtype ->
        [uint8] 8 bit
        [uint16] 16 bit
        [float32] Gleitkomma
       *[other] { $dtype }
    }

color-mode = { $n_channels ->
        [1] Graustufen
        [3] Farbe
       *[other] { $n_channels } Kanäle
    }

unlike-training = { $n_images ->
        [one] { $n_images } Bild ist
       *[other] { $n_images } Bilder sind
    } anders als die Trainingsbilder: { $difference }. Vorhersagen für solche Bilder sind weniger sicher, als sie wirken.

field-of-view = { $n_images ->
        [one] { $n_images } Bild ist
       *[other] { $n_images } Bilder sind
    } mindestens { $factor }-mal so groß wie die meisten Trainingsbilder. Wenn ein Bild viele Objekte zeigt, ist eine einzelne Vorhersage für alle nicht sinnvoll: Geben Sie eine Tabelle mit einer Zeile für jedes Objekt an, mit seinem Pfad und seinem Rahmen als x, y, width, height. Wenn es ein Objekt zeigt, weicht sein Maßstab von den Trainingsbildern ab, und die Vorhersage ist weniger sicher, als sie wirkt.

unusual-images = { $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bilder
    }: { $observation }.

unfamiliar-not-known = coverslip kann nicht erkennen, welche Bilder den Trainingsbildern unähnlich sind, weil der Klassifikator zu wenige davon hatte.{ $decides_all ->
        [true] {" "}Keine Vorhersage wird als unsicher markiert.
       *[false] {""}
    } Prüfen Sie einige Vorhersagen.

unfamiliar-images = { $n_images ->
        [one] { $n_images } von { $n_predicted } Bildern ist
       *[other] { $n_images } von { $n_predicted } Bildern sind
    } den Trainingsbildern unähnlich; durch Zufall sind etwa { NUMBER($n_expected, maximumFractionDigits: 0) } zu erwarten. Vielleicht unterscheiden sie sich in Größe, Färbung oder Gerät, oder sie zeigen keine der Klassen. Ohne Labels solcher Bilder ist nicht bekannt, ob ihre Vorhersagen verlässlich sind.

## Expected class proportions

unknown-class-of-prevalence = Der Klassifikator hat keine Klasse „{ $name }“
    .do = Er hat { $classes }.

prevalence-out-of-range = Der erwartete Anteil von „{ $name }“ muss größer als 0 und kleiner als 1 sein
    .do = Geben Sie 5 % zum Beispiel als 0.05 an.

prevalence-not-one = Die erwarteten Klassenanteile ergeben zusammen nicht 1
    .do = Geben Sie die Anteile einiger Klassen an. Die anderen Klassen teilen sich den Rest.

prevalence-leaves-nothing = Die erwarteten Klassenanteile lassen nichts für die anderen Klassen übrig
    .do = Geben Sie die Anteile einiger Klassen an. Die anderen Klassen teilen sich den Rest.

thresholds-set-aside = Die Entscheidungsschwelle des Klassifikators wird nicht verwendet, weil sie für die Klassenanteile der Validierungsbilder gewählt wurde. Mit den von Ihnen angegebenen erwarteten Klassenanteilen wird die wahrscheinlichste Klasse vorhergesagt.

other-prevalence = Die Klassenanteile unterscheiden sich hier von denen, die die Wahrscheinlichkeiten voraussetzen, falls der Klassifikator hier so oft Fehler macht wie auf seinen Testbildern: { $proportions }.

class-proportion = { $name } { NUMBER($value, style: "percent", maximumFractionDigits: 1) } ({ NUMBER($low, style: "percent", maximumFractionDigits: 1) } bis { NUMBER($high, style: "percent", maximumFractionDigits: 1) }), nicht { NUMBER($assumed, style: "percent", maximumFractionDigits: 1) }

shares-of-stated-proportions = diese Vorhersagen setzen angegebene Klassenanteile voraus, sodass ihre Anzahlen die Anteile nicht zeigen

## Clusters

refused-by-computer = { $reason } (auf dem Rechner „{ $computer }“)
    .do = { $advice }

answer-too-long = sie ist zu lang oder besteht nicht aus Bytes

answer-with-bad-values = { $n_values ->
        [one] { $n_values } ihrer Werte ist nicht wie erwartet
       *[other] { $n_values } ihrer Werte sind nicht wie erwartet
    }

answer-about-other-images = sie beschreibt { $n_images } Bilder statt { $n_expected }

answer-not-possible = ihr Ergebnis für „{ $image }“ ist nicht möglich

## Explanations

method-not-available = „{ $name }“ liest nur die letzte Schicht, für die „{ $method }“ nicht verfügbar ist
    .do = Wählen Sie eine von { $methods }.

no-neighbors = Die ähnlichsten Trainingsbilder von „{ $name }“ werden nicht gezeigt: { $reason }.

image-not-drawn = { $image } konnte nicht gelesen werden, daher gibt es keine Darstellung davon.

image-not-explained = Das Bild konnte nicht erklärt werden
    .do = Prüfen Sie, ob seine Datei lesbar ist.

different-numbers-of-images = Diese Klassifikatoren lesen unterschiedlich viele Bilder aus diesen Dateien
    .do = Erklären Sie die Klassifikatoren einzeln.

explanation-folder-in-use = Der Ordner für die Darstellungen ist nicht leer
    .do = Wählen Sie einen neuen oder leeren Ordner.

no-heat-map = „{ $model }“ ergibt keine Heatmap bei „{ $layer }“
    .do = Verwenden Sie Verdeckung (occlusion).

## Captions on sheets of explanations

sheet-predicted = vorhergesagt: { $label }

sheet-probability = Wahrscheinlichkeit { $probability }{ $decision ->
        [uncertain] , unsicher
        [unfamiliar] , ungewohnt
       *[class] { "" }
    }

sheet-evidence = Belege für { $label }

sheet-verdict = { $verdict ->
        [passed] Prüfungen bestanden
        [failed] Prüfung nicht bestanden
       *[unchecked] nicht geprüft
    }

sheet-withheld = zurückgehalten: Prüfung nicht bestanden

sheet-neighbors = ähnliche Trainingsbilder:

## Proportions of samples

summary-assumption = Die Korrektur setzt voraus, dass der Klassifikator in diesen Proben im Mittel so oft Fehler macht wie auf den Testbildern seines Trainings. Um das zu prüfen, geben Sie einigen Bildern jeder Bedingung ein Label (Stichprobe).

summary-valid-if = Gültig, wenn der Klassifikator hier so oft Fehler macht wie auf seinen Testbildern; eine Prüfung fände einen Unterschied von { NUMBER($points, maximumFractionDigits: 1) } Prozentpunkten in 8 von 10 Fällen und fand keinen.

summary-by-probabilities = { $n_images ->
    [one] Die Vorhersage ist unsicher oder ungewohnt und zählt für jede Klasse mit deren Wahrscheinlichkeit.
   *[other] { $n } von { $n_images } { $are_objects ->
        [true] Objekten
       *[false] Bildern
    } { $n ->
        [one] ist unsicher oder ungewohnt und zählt für jede Klasse mit deren Wahrscheinlichkeit.
       *[other] sind unsicher oder ungewohnt und zählen für jede Klasse mit deren Wahrscheinlichkeit.
    }
}

summary-rates-differ = Bei manchen Patienten, Objektträgern oder anderen Gruppen von Bildern kann ein Klassifikator mehr Fehler machen als bei anderen. Wie sehr dieser es auf Testbildern tut, zeigt die Korrelation der Fehler innerhalb von Gruppen: { NUMBER($correlation, minimumFractionDigits: 2, maximumFractionDigits: 2) } bei „{ $name }“ (wahrscheinlich { NUMBER($low, minimumFractionDigits: 2, maximumFractionDigits: 2) } bis { NUMBER($high, minimumFractionDigits: 2, maximumFractionDigits: 2) }; 0: Fehler sind in allen Gruppen gleich häufig; 1: In jeder Gruppe sind alle Bilder richtig oder alle falsch). Die Intervalle einzelner Proben enthalten das.{ $is_unsure ->
    [true] {" "}Die Testbilder von „{ $name }“ haben zu wenige Fehler oder Gruppen, um sie genauer zu kennen; das macht diese Intervalle breit. Bilder mit Labels aus mehr Gruppen würden helfen.
   *[false] {""}
}

summary-rates-equal = { $are_all ->
    [true] Die Testbilder haben keine Gruppen, wie Patienten, oder sind alle von einer. Deshalb ist nicht bekannt
   *[false] Die Testbilder von { $names } haben keine Gruppen, wie Patienten, oder sind alle von einer. Deshalb ist bei ihnen nicht bekannt
}, ob der Klassifikator in manchen Proben mehr Fehler macht als in anderen. Wenn ja, sind die Intervalle einzelner Proben zu schmal. Um das herauszufinden, geben Sie beim Training die Gruppe jedes Bildes an (Patient, Objektträger oder Platte), und testen Sie mehrere.

summary-wide-intervals = Bei { $n_wide } von { $n_samples } korrigierten Proben ist ein Intervall breiter als { $points } Prozentpunkte. Mittelwerte mehrerer Proben sind genauer, und ebenso einzelne Proben nach einer Stichprobe mit Labels{ $has_few_images ->
    [true] {" "}oder mit mehr { $are_objects ->
        [true] Objekten
       *[false] Bildern
    }
   *[false] {""}
}.

summary-single-images = { $n_single } von { $n_samples } Proben sind ein einzelnes { $are_objects ->
    [true] Objekt
   *[false] Bild
}. Der Test der Bedingungen behandelt jede Probe als unabhängig. Wenn mehrere davon von einem Patienten, Well oder Objektträger sind, nennen Sie diese als Probe: Sonst sind p-Werte zu klein.

summary-small-samples = { $n_small } von { $n_samples } Proben { $n_small ->
        [one] hat
       *[other] haben
    } weniger als { $n_images } { $are_objects ->
        [true] Objekte
       *[false] Bilder
    }. Mittelwerte und der Test der Bedingungen zählen jede Probe gleich, unabhängig von ihrer Größe.

summary-pooled-samples = { $n_samples ->
    [one] Eine Probe hat
   *[other] { $n_samples } Proben haben
} Bilder aus mehreren { $kind ->
    [plates] Platten
    [tables] Tabellen
   *[folders] Ordnern
} ({ $names }), die zusammen gezählt werden. Wenn es verschiedene Proben mit gleichen Namen sind, etwa Wells mehrerer Platten, benennen Sie sie in einer Spalte, die die Platte enthält, etwa P1-A01, oder geben Sie eine Tabelle der Proben an, die wie die Vorhersagen eine Spalte der Platten hat.

summary-fields-as-samples = Jedes Gesichtsfeld zählt als eigene Probe. Wenn mehrere Gesichtsfelder von einem Patienten, Well oder Objektträger stammen, sind p-Werte zu klein: Wählen Sie dann Patient, Well oder Objektträger als Probe.

all-samples = alle Proben

summary-raw-only = Die Anteile sind Anzahlen von Vorhersagen, die durch Fehler des Klassifikators verzerrt sind. Um sie zu korrigieren, nennen Sie sein Training mit --run.

summary-without-run = kein Training mit Fehlern auf Testbildern wurde angegeben

summary-sample-without-images = keine ihrer Vorhersagen ist lesbar

summary-uninformative = die Testbilder zeigen nicht, dass der Klassifikator die Klassen unterscheidet

summary-adapted = der Klassifikator wurde an ein anderes Labor angepasst, und seine Fehler wurden an Testbildern des ersten gemessen

summary-counts-are-compared = eine Probe lässt sich nicht korrigieren, sodass die Anzahlen aller Proben verglichen werden

summary-counts-are-closer = bei diesem Klassifikator und dieser Zahl von Vorhersagen sind gezählte Anteile voraussichtlich näher an den wahren als korrigierte

summary-class-without-images = in den Testbildern des Trainings fehlt eine Klasse

summary-unfamiliar = { NUMBER($share, style: "percent") } der Vorhersagen sind für den Klassifikator ungewohnt, sodass seine Fehler darauf nicht bekannt sind

summary-few-blocks = ein Intervall braucht mindestens { $n_needed } Blöcke mit beiden Bedingungen

summary-few-samples = ein Intervall braucht mindestens { $n_needed } Proben jeder Bedingung

summary-size-unknown = die Fehlerraten des Klassifikators sind zu unsicher, um die Größe des Unterschieds anzugeben

summary-without-variation = die verglichenen Werte unterscheiden sich nicht, sodass der Zufall nicht geschätzt werden kann: kein Intervall und kein p

summary-values-unclipped = korrigiert, Werte unter 0 oder über 1 sind gewollt

summary-mean-of-condition = { NUMBER($mean, maximumFractionDigits: 1) } % in { $condition }

summary-samples-outside = In { $n_outside } von { $n_samples ->
        [one] { $n_samples } Probe
       *[other] { $n_samples } Proben
    } läge der korrigierte Anteil von „{ $name }“ unter 0 % oder über 100 % ({ NUMBER($value, maximumFractionDigits: 1) } % in { $sample }) und ist als 0 % oder 100 % angegeben: Der Klassifikator macht dort wahrscheinlich andere Fehler als auf den Testbildern seines Trainings. Geben Sie einigen Bildern ein Label (Stichprobe).

summary-means-outside = Die korrigierten Werte von „{ $name }“ haben einen Mittelwert von { $means }: Der Klassifikator macht dort wahrscheinlich andere Fehler als auf den Testbildern seines Trainings, oder die Proben haben wenige Bilder. Tests und Effektstärken sind die dieser Mittelwerte, Anteile aber auf 0 % bis 100 % begrenzt. Geben Sie einigen Bildern ein Label (Stichprobe).

summary-similar-samples = Die Proben { $names } könnten eine Probe in mehreren Schreibweisen sein. Sie zählen als verschiedene Proben. Wenn sie eine Probe sind, verwenden Sie eine Schreibweise.

summary-similar-conditions = Die Bedingungen { $names } könnten eine Bedingung in mehreren Schreibweisen sein. Sie zählen als verschiedene Bedingungen. Wenn sie eine Bedingung sind, verwenden Sie eine Schreibweise.

summary-similar-blocks = Die Blöcke { $names } könnten ein Block in mehreren Schreibweisen sein. Sie zählen als verschiedene Blöcke. Wenn sie ein Block sind, verwenden Sie eine Schreibweise.

summary-shift-violated = Der Klassifikator macht hier wahrscheinlich andere Fehler als auf den Testbildern seines Trainings: Zwei Schätzungen der Anteile stimmen nicht überein ({ $p }). Geben Sie einigen Bildern ein Label (Stichprobe), bevor Sie sich auf korrigierte Anteile verlassen.

summary-shift-power = Eine Prüfung fand kein Anzeichen dafür, dass der Klassifikator hier andere Fehler macht als auf den Testbildern. Sie vergleicht zwei Schätzungen der Anteile in allen Bildern und findet einen Unterschied von { NUMBER($points, maximumFractionDigits: 1) } Prozentpunkten oder mehr in mindestens 8 von 10 Fällen. Kleinere können bleiben.

summary-other-classes = Die Klassen stimmen nicht überein mit: { $other }
    .do = Nennen Sie Vorhersagen und Training desselben Klassifikators.

these-predictions = die Vorhersagen

predictions-of-other-thresholds = { $n_images ->
    [one] Die Vorhersage von { $n_images } Bild entspricht
   *[other] Die Vorhersagen von { $n_images } Bildern entsprechen
} nicht der von { $run } mit den aktuellen Schwellen: Diese haben sich seit der Vorhersage geändert, es ist ein anderer Klassifikator, oder es wurden Klassenanteile angegeben
    .do = Machen Sie die Vorhersage für die Bilder noch einmal mit diesem Klassifikator und ohne --prevalence, oder nennen Sie kein Training.

predictions-without-classifier = Die Vorhersagen nennen ihren Klassifikator nicht: Die Spalte „{ $column }“ fehlt oder hat leere Zellen
    .do = Verwenden Sie die Tabelle so, wie `coverslip predict` sie geschrieben hat, oder nennen Sie kein Training.

summary-no-column = Es gibt keine Spalte „{ $column }“. Die Spalten sind { $columns }
    .do = Nennen Sie eine andere Spalte, oder nennen Sie eine Tabelle mit --table.

summary-empty-cell = Die Spalte „{ $column }“ ist für { $path } leer
    .do = Füllen Sie die Spalte aus, oder entfernen Sie die Zeile.

sample-of-two-conditions = Die Probe „{ $sample }“ hat zwei Bedingungen, „{ $first }“ und „{ $second }“
    .do = Korrigieren Sie die Bedingung, oder geben Sie jeder Probe einen eigenen Namen. Für Patienten vor und nach einer Behandlung nennen Sie den Patienten als Block.

sample-of-two-blocks = Die Probe „{ $sample }“ ist in zwei Blöcken, „{ $first }“ und „{ $second }“
    .do = Korrigieren Sie den Block, oder geben Sie jeder Probe einen eigenen Namen.

summary-without-images = Es gibt keine Vorhersagen lesbarer Bilder
    .do = Machen Sie zuerst Vorhersagen für Bilder.

no-sample-matches = Das Muster „{ $pattern }“ passt zu keinem Pfad. Der erste Pfad ist „{ $path }“
    .do = Korrigieren Sie das Muster. Für Namen wie slide07_cell3.png schreiben Sie slide[0-9]+.

column-without-samples = Kein Bild hat einen Wert in der Spalte „{ $column }“
    .do = Wählen Sie eine andere Spalte oder Ordner.

sample-table-without-samples = Keine Spalte dieser Tabelle nennt eine Probe. Die erste Probe ist „{ $sample }“
    .do = Schreiben Sie die Namen der Proben in eine Spalte, wie auf der Seite.

sample-table-without-conditions = Diese Tabelle hat keine Spalte „condition“. Die Spalten sind { $columns }
    .do = Nennen Sie die Spalte der Bedingungen „condition“ und die der Blöcke „block“.

summary-no-control = Keine Probe hat die Bedingung „{ $control }“
    .do = Nennen Sie eine der Bedingungen: { $conditions }.

summary-table-without-key = Diese Tabelle hat keine der Spalten { $columns }
    .do = Fügen Sie eine Spalte mit image_id oder path jedes Bildes hinzu, oder mit der Probe jeder Zeile, wie in den Vorhersagen.

predictions-given-twice = Diese Tabelle mit Vorhersagen ist doppelt angegeben
    .do = Geben Sie jede Tabelle einmal an: Ihre Bilder würden doppelt zählen.

repeated-images-counted-once = { $n_images ->
        [one] { $n_images } Zeile nennt ein { $are_objects ->
            [true] Objekt
           *[false] Bild
        } erneut. Es zählt einmal.
       *[other] { $n_images } Zeilen nennen { $are_objects ->
            [true] Objekte erneut. Jedes Objekt
           *[false] Bilder erneut. Jedes Bild
        } zählt einmal.
    }

excluded-images-not-counted = { $n_images ->
        [one] { $n_images } { $are_objects ->
            [true] Objekt
           *[false] Bild
        } wurde in der App ausgeschlossen und wird nicht gezählt.
       *[other] { $n_images } { $are_objects ->
            [true] Objekte
           *[false] Bilder
        } wurden in der App ausgeschlossen und werden nicht gezählt.
    }

summary-table-repeats = Mehrere Zeilen dieser Tabelle haben „{ $image }“ als { $key }, mit verschiedenen Zellen in der Spalte „{ $column }“
    .do = Fügen Sie eine Spalte image_id mit der image_id jeder Zeile der Vorhersagen hinzu, oder korrigieren Sie die Zellen.

summary-image-not-in-table = Das Bild { $path } steht nicht in dieser Tabelle
    .do = Fügen Sie eine Zeile dafür hinzu. In der Spalte path dürfen die ersten Ordner fehlen.

summary-sample-not-in-table = Die Probe „{ $sample }“, etwa von { $path }, steht nicht in dieser Tabelle
    .do = Fügen Sie eine Zeile für sie hinzu oder berichtigen Sie ihren Namen.

summary-row-of-two-images = Zwei Bilder, { $other } und { $path }, haben die Zeile { $key } dieser Tabelle
    .do = Nennen Sie die Bilder in der Spalte path, mit ihren Ordnern und ohne eine Spalte image_id, so dass jedes Bild eine Zeile hat.

## Spot checks

spot-check-few-images = Aus { $n_samples } Proben der Bedingung „{ $condition }“ können nicht { $n } Bilder gezogen werden
    .do = Ziehen Sie aus jeder Probe mindestens ein Bild.

spot-check-half-width = Die halbe Breite eines Intervalls muss über 0 und unter 0,5 liegen, nicht bei { $value }
    .do = Geben Sie sie als Anteil an: 0.05 ist ein Intervall von ± 5 Prozentpunkten.

spot-check-no-labels-table = Dies ist keine Tabelle von Labels: Sie braucht die Spalten label und image_id oder path. Ihre Spalten sind { $columns }
    .do = Nennen Sie die Tabelle, die `coverslip spot-check` mit --out geschrieben hat.

spot-check-unknown-image = Es gibt keine Vorhersage eines lesbaren Bildes „{ $image }“
    .do = Nennen Sie die Vorhersagen, aus denen die Bilder gezogen wurden.

spot-check-several-rows = { $n_rows } Zeilen der Vorhersagen gehören zum Bild „{ $image }“
    .do = Fügen Sie der Tabelle der Labels eine Spalte image_id hinzu, wie in den Vorhersagen, und nennen Sie jede Tabelle mit Vorhersagen einmal.

spot-check-unknown-label = Das Label „{ $label }“ von { $image } ist keines von { $labels }
    .do = Korrigieren Sie es, oder lassen Sie es leer.

spot-check-image-twice = Das Bild „{ $image }“ hat zwei Labels
    .do = Entfernen Sie eine seiner Zeilen.

spot-check-other-file = Das Label von „{ $image }“ ist von einer anderen Datei als der vorhergesagten
    .do = Ziehen Sie noch einmal Bilder dieser Vorhersagen, und vergeben Sie Labels.

spot-check-without-labels = Diese Tabelle hat noch keine Labels
    .do = Füllen Sie die Spalte label aus.

spot-check-unlabeled-sample = kein Bild der Probe „{ $sample }“ hat ein Label

spot-check-without-run = kein Training mit Testbildern wurde genannt

spot-check-drawn = { $n_images ->
    [one] { $n_images } Bild, das ein Label braucht, steht
   *[other] { $n_images } Bilder, die ein Label brauchen, stehen
} in { $file }. Füllen Sie die Spalte label mit { $labels } aus. Sehen Sie dabei die Vorhersagen nicht an. Führen Sie dann den Befehl noch einmal mit --labels aus.

spot-check-needed = Anzahl der Labels je Bedingung für ein 95-%-Konfidenzintervall von ± { $points } Prozentpunkten. Mehr sind nötig, wenn sich Proben einer Bedingung unterscheiden.

spot-check-more-than-all = mehr als alle Bilder

spot-check-lower = Die Genauigkeit ist niedriger, als nach den Testbildern zu erwarten ist. Der Klassifikator macht hier mehr Fehler; verlassen Sie sich nicht auf korrigierte Anteile.

spot-check-compatible = Die Genauigkeit ist mit der auf den Testbildern vereinbar. { $n_labels ->
    [one] { $n_labels } Label schließt
   *[other] { $n_labels } Labels schließen
} einen Unterschied zwischen { $low } und { $high } Prozentpunkten nicht aus.

spot-check-useless = Bei { $classes } machen die Vorhersagen das Intervall nicht kürzer als Labels allein.

spot-check-not-corrected = Die Anzahlen sind nicht korrigiert: { $reason }.

## Whole fields

image-is-whole-field = Ein ganzes Gesichtsfeld, das ein Klassifikator von Objekten nicht klassifizieren kann. Eine Vorhersage seiner Datei findet und klassifiziert seine Objekte.

fields-without-found-objects = { $n_fields ->
        [one] Das Bild ist ein ganzes Gesichtsfeld
       *[other] { $n_fields } Bilder sind ganze Gesichtsfelder
    }, der Klassifikator klassifiziert aber Objekte, und die seines Trainings wurden aus Dateien gelesen oder auf verschiedene Weise gefunden
    .do = Geben Sie eine Tabelle der Objekte an: `coverslip objects FELDER --masks MASKEN`, oder mit --outlines, --points oder --finder. In der App verwenden Sie „Objekte finden“ im Datensatz der Gesichtsfelder.

fields-in-memory = { $n_fields ->
        [one] Ein Bild im Speicher ist ein ganzes Gesichtsfeld
       *[other] { $n_fields } Bilder im Speicher sind ganze Gesichtsfelder
    }, und der Klassifikator klassifiziert Objekte
    .do = Speichern Sie die Gesichtsfelder als Dateien, und geben Sie diese an.

finder-of-other-version = Die Objektsuche { $finder } hat die Version { $version }. Die Objekte des Trainings wurden mit Version { $trained } gefunden, daher können sich Objekte und Umrisse unterscheiden.

objects-found = { $n_objects } Objekte gefunden in { $n_fields ->
        [one] einem Gesichtsfeld
       *[other] { $n_fields } Gesichtsfeldern
    }, mit den Einstellungen des Trainings. Die Tabelle der Objekte ist { $file_name }.
