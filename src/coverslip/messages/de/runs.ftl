# Run folders, recipes and packaged classifiers.

## Files of a run folder

damaged-run-file = Die Datei ist beschädigt: { $reason }
    .do = Trainieren Sie neu.

newer-run-format = Die Datei hat die Formatversion { $version }, und diese Version von coverslip liest Version { $supported }
    .do = Aktualisieren Sie coverslip.

unreadable-run-file = Die Datei konnte nicht gelesen werden: { $reason }
    .do = Trainieren Sie neu.

no-json-object = Die Datei enthält kein JSON-Objekt
    .do = Trainieren Sie neu.

damaged-run-table = Die Tabelle ist beschädigt: { $reason }
    .do = Trainieren Sie neu, oder evaluieren Sie noch einmal.

damaged-training-table = Die Tabelle ist beschädigt: { $reason }
    .do = Trainieren Sie neu.

damaged-predictions = Die Tabelle ist beschädigt: { $reason }
    .do = Gehört sie zu einem Training, evaluieren Sie es noch einmal. Haben Sie sie bearbeitet, verwenden Sie sie so, wie `coverslip predict` sie geschrieben hat, oder korrigieren Sie diese Zellen.

probabilities-not-one = die Wahrscheinlichkeiten von „{ $image }“ sind nicht vollständig: Ihre Summe ist nicht 1

predicted-unknown-class = „{ $name }“, vorhergesagt für „{ $image }“, ist keine Klasse der Tabelle

not-predictions = Dies ist keine CSV-Tabelle von Vorhersagen
    .do = Nennen Sie eine CSV-Tabelle, die `coverslip predict` geschrieben hat. Tabellen in den Formaten JSON Lines und Parquet sind für andere Programme.

predictions-of-top-classes = Die Tabelle enthält nur die wahrscheinlichsten Klassen jedes Bildes, nicht die Wahrscheinlichkeit jeder Klasse
    .do = Machen Sie die Vorhersage für die Bilder noch einmal, mit den Wahrscheinlichkeiten aller Klassen.

missing-run-file = Das Training hat keine solche Datei
    .do = Vielleicht ist das Training nicht abgeschlossen. Seine status.json zeigt den Zustand.

unreadable-metrics = Die Metriken konnten nicht gelesen werden: { $reason }
    .do = Evaluieren Sie das Training noch einmal.

unreadable-logits = Die Datei konnte nicht gelesen werden: { $reason }
    .do = Evaluieren Sie das Training noch einmal.

too-many-json-values = sie enthält mehr als { $n_values } Werte

not-a-number = sie enthält { $value }, was keine Zahl ist

not-a-regular-file = sie ist keine reguläre Datei

larger-than-allowed = sie ist größer als { $limit } MiB

wrong-number-of-cells = sie hat { $n_cells ->
        [one] { $n_cells } Zelle
       *[other] { $n_cells } Zellen
    } statt { $n_columns }

too-many-cells = sie hat mehr als { $n_cells } Zellen

unknown-epoch-number = es gibt keine Epoche { $epoch }

number-out-of-range = { $name } ist { $value }, keine Zahl von { $low } bis { $high }

unknown-set = es gibt kein Set „{ $name }“

no-probability-column = keine Spalte enthält die Wahrscheinlichkeiten einer Klasse

not-a-numeric-table = sie ist keine Tabelle von Zahlen

time-without-offset = die Zeit hat keinen Abstand zu UTC

## Run folders

folder-in-use = Ein anderer Prozess arbeitet in diesem Ordner
    .do = Halten Sie diesen Prozess zuerst an.

folder-not-created = Der Ordner konnte nicht angelegt werden: { $reason }
    .do = Wählen Sie einen anderen Ordner.

folder-not-locked = Der Ordner konnte nicht gesperrt werden: { $reason }
    .do = Wählen Sie einen anderen Ordner.

not-a-run = Dies ist kein Ordner eines Trainings: Er enthält keine recipe.yaml
    .do = Wählen Sie den Ordner eines Trainings.

linked-run-folder = Dieser Ordner des Trainings ist eine Verknüpfung
    .do = Ersetzen Sie die Verknüpfung durch einen Ordner.

run-folder-exists = Den Ordner für das Training gibt es bereits
    .do = { $can_resume ->
        [true] Wählen Sie einen anderen Ordner, oder setzen Sie das Training darin fort.
       *[false] Wählen Sie einen anderen Ordner.
    }

changed-split = Bilder haben sich seit dem Beginn des Trainings geändert, daher wäre die Aufteilung eine andere
    .do = Trainieren Sie neu.

not-a-duration = „{ $budget }“ ist keine Zeitdauer
    .do = Geben Sie eine Dauer wie 90s, 10m oder 1h30m an.

## Images of a run

changed-image-files = { $n_images ->
        [one] { $n_images } Bilddatei von { $n_all } hat
       *[other] { $n_images } Bilddateien von { $n_all } haben
    } sich seit dem Beginn des Trainings geändert: { $names }
    .do = Stellen Sie diese Dateien wieder her, oder trainieren Sie neu in einem anderen Ordner.

given-in-memory = { $n_images ->
        [0] Die Tabelle der Bilder wurde
        [one] { $n_images } Bild wurde
       *[other] { $n_images } Bilder wurden
    } im Arbeitsspeicher übergeben und in den Ordner „{ $folder }“ des Trainings kopiert. Um das Training fortzusetzen oder zu evaluieren oder seinen Bericht zu schreiben, liest coverslip diese Kopien. Bewahren Sie den Ordner auf.

no-image-of-split-run = Keines dieser Bilder gehört zum Training, dessen Aufteilung verlangt wird
    .do = Trainieren Sie mit den Bildern jenes Trainings, oder ohne split.run.

run-without-split = Das Training hat noch keine Aufteilung
    .do = Trainieren Sie ohne split.run.

split-run-has-folds = Das Training hat Folds, die jedes Bild einmal testen, daher gibt es keine Aufteilung zum Wiederverwenden
    .do = Trainieren Sie ebenfalls mit Folds und ohne split.run.

evaluation-without-metrics = Die Evaluation hat noch keine Metriken
    .do = Lassen Sie sie zu Ende laufen, oder starten Sie sie noch einmal.

run-images-changed = Seit dem Beginn des Trainings wurden Bilder entfernt oder bekamen andere Labels
    .do = Stellen Sie die Bilder wieder her, oder trainieren Sie neu.

test-images-missing = { $n_images ->
        [one] { $n_images } der { $n_all } Testbilder fehlt
       *[other] { $n_images } der { $n_all } Testbilder fehlen
    }
    .do = Stellen Sie die Bilder wieder her, oder evaluieren Sie mit anderen Bildern mit Label.

test-images-changed = { $n_images ->
        [one] { $n_images } der { $n_all } Testbilder hat
       *[other] { $n_images } der { $n_all } Testbilder haben
    } ein anderes Label oder eine andere Gruppe oder Domäne als im Training
    .do = Stellen Sie die Bilder wieder her, oder evaluieren Sie mit anderen Bildern mit Label.

evaluation-name-taken = Es gibt bereits eine Evaluation mit diesem Namen, auf anderen Bildern
    .do = Wählen Sie einen anderen Namen.

predictions-of-run = Diese Vorhersagen gehören zu einem Training oder einer Evaluation, deren Metriken daraus berechnet wurden
    .do = Wählen Sie einen anderen Namen.

unsupported-predictions-format = Die Vorhersagen werden im Format „{ $format }“ geschrieben, und „{ $suffix }“ ist die Endung eines anderen Formats
    .do = Nennen Sie die Datei „{ $name }“, oder wählen Sie ein anderes Format: csv, jsonl oder parquet. Tabellenkalkulationen können csv öffnen.

## Packaged classifiers

classifier-too-large = Der Klassifikator ist größer als 2 GB und damit zu groß für eine einzelne Datei
    .do = Geben Sie stattdessen seinen Ordner weiter.

not-a-packaged-classifier = Dies ist kein verpackter Klassifikator: { $reason }
    .do = Bitten Sie den Autor, ihn noch einmal zu exportieren.

archive-without-entry = { $name } ist nicht enthalten

archive-not-readable = die Datei konnte nicht gelesen werden ({ $reason })

classifier-path-closed = Der Pfad kann nicht geöffnet werden: { $reason }
    .do = Prüfen Sie den Pfad.

run-without-classifier = Das Training hat keinen Klassifikator, weil es nicht so weit gekommen ist
    .do = Setzen Sie das Training fort.

no-classifier = Unter diesem Pfad gibt es keinen Klassifikator
    .do = Wählen Sie den Ordner eines Trainings, dessen Ordner classifier/ oder eine .coverslip-Datei.

no-classifier-file = Der Klassifikator hat keine solche Datei
    .do = Wählen Sie den Ordner eines Trainings, dessen Ordner classifier/ oder eine .coverslip-Datei.

classifier-file-not-readable = Die Datei konnte nicht gelesen werden: { $reason }
    .do = Kopieren Sie den Klassifikator noch einmal.

classifier-file-damaged = „{ $name }“ ist beschädigt: Der Inhalt ist nicht der, der geschrieben wurde
    .do = Kopieren Sie den Klassifikator noch einmal, oder stellen Sie diese Datei aus einer Sicherung wieder her. Wenn es keine Kopie gibt, trainieren Sie noch einmal.

classifier-truncated = Der Klassifikator ist abgeschnitten
    .do = Kopieren Sie den Klassifikator noch einmal.

card-too-large = Seine { $name } ist zu groß ({ $n_bytes } Byte)
    .do = Kopieren Sie den Klassifikator noch einmal.

damaged-card = Die Beschreibung des Klassifikators ist beschädigt ({ $reason })
    .do = Kopieren Sie den Klassifikator noch einmal.

newer-classifier-format = Der Klassifikator hat die Formatversion { $version }, und diese Version von coverslip liest die Versionen 1 und 2
    .do = Aktualisieren Sie coverslip.

weights-not-readable = Die Gewichte konnten nicht gelesen werden: { $reason }
    .do = Kopieren Sie den Klassifikator noch einmal.

classifier-weights-not-finite = Die Gewichte enthalten einen Wert, der keine endliche Zahl ist, in { $tensor }
    .do = Kopieren Sie den Klassifikator noch einmal.

weights-truncated = Die Gewichte sind abgeschnitten oder beschädigt
    .do = Kopieren Sie den Klassifikator noch einmal.

weights-header-damaged = Das Inhaltsverzeichnis der Gewichte ist beschädigt ({ $reason })
    .do = Kopieren Sie den Klassifikator noch einmal.

weights-size-mismatch = Die Gewichte haben nicht die Größe, die ihr Inhaltsverzeichnis nennt
    .do = Kopieren Sie den Klassifikator noch einmal.

delivered-head-mismatch = Die letzte Schicht des ausgelieferten Klassifikators passt nicht zu den Gewichten
    .do = Kopieren Sie den Klassifikator noch einmal.

weights-statistics-mismatch = Die Gewichte und die Statistik der Trainingsbilder passen nicht zusammen
    .do = Kopieren Sie den Klassifikator noch einmal.

too-many-digits = eine Zahl hat { $n_digits } Ziffern; die Grenze ist { $limit }

not-a-shape = eine Form ist eine Liste von höchstens { $limit } ganzen Zahlen

usual-distance-beyond-limit = der übliche Abstand liegt jenseits der Grenze

equal-class-names = zwei Klassen haben denselben Namen

reserved-class-name = eine Klasse kann nicht „{ $name }“ heißen

card-names-files = plan.other_files: ein Klassifikator kann keine Dateien nennen

operating-points-mismatch = { $n_points ->
        [one] { $n_points } Arbeitspunkt
       *[other] { $n_points } Arbeitspunkte
    } für { $n_classes } Klassen

set-floors-mismatch = { $n_floors ->
        [one] { $n_floors } Schwelle
       *[other] { $n_floors } Schwellen
    } von Vorhersagemengen für { $n_classes } Klassen

prior-mismatch = { $n_proportions ->
        [one] { $n_proportions } Klassenanteil
       *[other] { $n_proportions } Klassenanteile
    } für { $n_classes } Klassen

## Recipes as text

invalid-recipe = Das Rezept ist ungültig: { $problems }
    .do = Korrigieren Sie es.

fault-at-line = Zeile { $line }: { $fault }

more-faults = und { $n_more } weitere

recipe-not-readable = Das Rezept konnte nicht gelesen werden: { $reason }
    .do = Geben Sie eine YAML-Datei mit Zeilen der Form `key: value` an.

recipe-line-not-readable = Das Rezept konnte nicht gelesen werden: Zeile { $line }: { $reason }
    .do = Geben Sie eine YAML-Datei mit Zeilen der Form `key: value` an.

recipe-not-a-mapping = Das Rezept ist keine Liste von Zeilen der Form `key: value`
    .do = Schreiben Sie in jede Zeile einen Schlüssel und seinen Wert, etwa `epochs: 20`.

recipe-too-deep = Abschnitte oder Listen sind mehr als { $limit } Ebenen tief verschachtelt

recipe-too-long = es hat { $n_characters } Zeichen, mehr als die Grenze von { $limit }

recipe-with-alias = Aliasse (*{ $name }) werden nicht unterstützt; schreiben Sie stattdessen den Wert

recipe-value-too-long = ein Wert hat { $n_characters } Zeichen

no-recipe-file = Diese Rezeptdatei gibt es nicht
    .do = Geben Sie eine YAML-Datei mit Zeilen der Form `key: value` an, etwa die recipe.yaml eines Trainings.

recipe-is-a-folder = Dies ist ein Ordner, kein Rezept
    .do = Geben Sie eine YAML-Datei mit Zeilen der Form `key: value` an, etwa die recipe.yaml eines Trainings.

newer-recipe-format = Das Rezept hat die Formatversion { $version }, und diese Version von coverslip liest Version 1
    .do = Aktualisieren Sie coverslip.

recipe-fault-at-line = Zeile { $line }: { $what }

invalid-pretraining-recipe = In init.recipe: { $what }

pretraining-without-training = In init.recipe: Das Vortraining endet, bevor das Netz trainiert wird
    .do = Korrigieren Sie es.
    .fault = das Vortraining endet, bevor das Netz trainiert wird

nested-pretraining = In init.recipe: Ein Vortraining kann kein weiteres Vortraining enthalten
    .do = Korrigieren Sie es.
    .fault = ein Vortraining kann kein weiteres Vortraining enthalten

pretraining-of-other-network = In init.recipe: Beide Trainings müssen dieselben Werte von model, model_options und head haben
    .do = Entfernen Sie diese Schlüssel dort.
    .fault = model, model_options und head sind die des folgenden Trainings

setting-without-value = Die Einstellung „{ $setting }“ hat kein „=“
    .do = Schreiben Sie sie als key=value, zum Beispiel epochs=20.

setting-not-readable = Der Wert von „{ $setting }“ konnte nicht gelesen werden
    .do = Setzen Sie den Wert in Anführungszeichen. Setzen Sie in einem Terminal die ganze Einstellung in andere Anführungszeichen: 'group="a: b"'. In geschweiften Klammern muss auf jeden Doppelpunkt ein Leerzeichen folgen.

## Keys and values of a recipe

unknown-recipe-key = es gibt keinen Schlüssel „{ $key }“

similar-recipe-key = es gibt keinen Schlüssel „{ $key }“ (meinten Sie „{ $nearest }“?)

recipe-key-with-colon = es gibt keinen Schlüssel „{ $key }“ (in geschweiften Klammern muss auf jeden Doppelpunkt ein Leerzeichen folgen)

missing-recipe-key = { $key } fehlt

init-with-run-and-data = init: geben Sie entweder run oder train_on an, nicht beides

recipe-value = { $key ->
        [images_z] muss die Nummer einer z-Ebene ab 0, „max“, „mean“, „best-focus“ oder „channels“ sein
        [channel_files] muss eine Liste von 2 bis 16 verschiedenen Teilen von Dateinamen sein, etwa [_w1, _w2]
        [images_channels] muss eine Liste von Kanalnummern ab 0 oder von Namen sein, etwa [0, 2] oder [DAPI, GFP]
        [epochs] muss auto oder eine ganze Zahl von 1 bis 10.000 sein
        [clip_gradient] muss auto oder eine Zahl über 0 und höchstens 1.000.000 sein; bleibt es leer (null), werden Gradienten nicht begrenzt
        [crop_size] muss eine ganze Anzahl von 4 bis 10.000 Pixeln oder eine Länge in µm sein, etwa 32 um
        [crop_margin] muss ein Anteil der längeren Seite eines Rahmens von 0 bis 10 oder eine Länge in µm sein, etwa 2 um
        [image_size] muss die Seitenlänge der Eingabe des Netzes in Pixeln sein. Für Bilder, die alle gleich viele µm zeigen, setzen Sie crop_size, etwa crop_size=32um
        [augment_flip] muss true, false oder horizontal sein
        [augment] ist ein Abschnitt mit mehreren Schlüsseln wie augment.flip oder der Name einer Auswahl
        [init] muss imagenet, scratch, {"{"}run: PATH{"}"} oder {"{"}train_on: DATA{"}"} sein
        [regularizer] ist ein Abschnitt mit mehreren Schlüsseln wie regularizer.groups
        [split] ist ein Abschnitt mit mehreren Schlüsseln wie split.test
        [loss_options] ist ein Abschnitt mit mehreren Schlüsseln wie loss_options.gamma
       *[other] ist ein Abschnitt mit mehreren Schlüsseln
    }

value-not-finite = muss eine endliche Zahl sein

value-below-minimum = muss mindestens { NUMBER($limit, maximumFractionDigits: 6) } sein

value-not-above = muss größer als { NUMBER($limit, maximumFractionDigits: 6) } sein

value-above-maximum = darf höchstens { NUMBER($limit, maximumFractionDigits: 6) } sein

value-not-below = muss kleiner als { NUMBER($limit, maximumFractionDigits: 6) } sein

value-not-an-option = muss { $options } sein

value-of-wrong-type = muss { $type ->
        [int] eine ganze Zahl
        [float] eine Zahl
        [bool] true oder false
       *[string] Text
    } sein

value-with-many-digits = eine Zahl mit vielen Ziffern

value-is-boolean = true und false sind hier nicht gültig

freeze-to-empty = muss einen Teil des Netzes nennen; bleibt es leer (null), wird das ganze Netz trainiert

one-fold-only = ein einziger Fold würde keine Bilder für das Training übrig lassen: Verwenden Sie 0 für eine einzelne Aufteilung, oder 2 oder mehr

split-run-with-folds = run verwendet eine einzelne Aufteilung wieder und kann nicht mit folds kombiniert werden

domains-with-folds = by_domain macht einen Fold je Domäne: lassen Sie folds leer

nothing-to-train-on = val = { $val } und test = { $test } lassen keine Bilder für das Training übrig

schedule-change-too-low = eine Gesamtzahl von Epochen ist kleiner als die Anzahl der Epochen an dieser Stelle

needs-two-classes = { $decide_by ->
        [sensitivity] Eine Ziel-Sensitivität
        [specificity] Eine Ziel-Spezifität
       *[threshold] Eine Schwelle der positiven Klasse
    } braucht zwei Klassen, und es gibt { $n_classes ->
        [one] { $n_classes }
       *[other] { $n_classes }
    }
    .do = Führen Sie Klassen zusammen, bis es zwei sind, oder wählen Sie die Arbeitspunkte von ROC-Kurven (roc).
    .fault = { $decide_by ->
        [sensitivity] eine Ziel-Sensitivität
        [specificity] eine Ziel-Spezifität
       *[threshold] eine Schwelle der positiven Klasse
    } braucht zwei Klassen, und es gibt { $n_classes ->
        [one] { $n_classes }
       *[other] { $n_classes }
    }

positive-class-needs-two = positive_class: ist eine von zwei Klassen, und es gibt { $n_classes ->
        [one] { $n_classes }
       *[other] { $n_classes }
    }
    .do = Setzen Sie sie nicht.
    .fault = ist eine von zwei Klassen, und es gibt { $n_classes ->
        [one] { $n_classes }
       *[other] { $n_classes }
    }

unknown-positive-class = positive_class: { $reason }
    .do = Nennen Sie eine der beiden Klassen.

classifier-limits = Diagnose oder Behandlung von Patienten. Bilder eines anderen Mikroskops, einer anderen Färbung, Spezies oder Präparation als im Training und Test, außer wenn er zuvor mit solchen Bildern evaluiert wurde.
