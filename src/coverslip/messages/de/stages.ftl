# The names of stages of long work, which are shown with their progress. An entry's code is `stage-` and the identifier of
# the stage in events.

## Training

stage-reading-images = Bilder lesen

stage-preprocessing-images = Bilder vorverarbeiten

stage-computing-features = Merkmale berechnen

stage-fitting-classifier = Klassifikator anpassen

stage-predicting = Vorhersagen

stage-describing-fields = Gesichtsfelder beschreiben

stage-reading-objects = Objekte lesen

stage-finding-objects = Objekte suchen

stage-measuring-objects = Objekte messen

stage-tracing-objects = Objekte umranden

stage-exporting-crops = Ausschnitte schreiben

stage-exporting-objects = Objekte exportieren

stage-writing-objects = Objekte schreiben

stage-watching = Vorhersagen für neue Bilder

stage-computing-intervals = Konfidenzintervalle berechnen

stage-computing-learning-curve = Lernkurve berechnen

stage-writing-report = Bericht schreiben

stage-hashing-files = Hashes von Dateien berechnen

stage-writing-backup = Sicherung schreiben

stage-restoring-backup = Sicherung wiederherstellen

stage-copying-workspace = Datenbank des Arbeitsbereichs kopieren

stage-upgrading-workspace = Arbeitsbereich auf das Format { $version } bringen

stage-storing-images = Bilder im Ordner des Trainings speichern

## Exports

stage-converting-network = Netz umwandeln

stage-verifying-export = Export mit dem Klassifikator vergleichen

## Checks of the data

stage-finding-duplicate-candidates = Beinahe-Duplikate 1 von 3: Kandidaten suchen

stage-aligning-duplicate-candidates = Beinahe-Duplikate 2 von 3: Paare ausrichten

stage-comparing-duplicate-candidates = Beinahe-Duplikate 3 von 3: Paare vergleichen

stage-reading-images-for-duplicates = Bilder für Beinahe-Duplikate lesen

stage-reading-backgrounds = Ränder und Hintergründe lesen

stage-searching-shortcuts = Shortcuts suchen

stage-comparing-datasets = { $first } mit { $second } vergleichen

## Heat maps

stage-checking-heat-maps = Heatmaps prüfen ({ $n_methods ->
        [one] { $method }
       *[other] { $method }, { $position } von bis zu { $n_methods }
    })

stage-explaining-predictions = Vorhersagen erklären

## Studies

stage-training-networks = trainieren

stage-drawing-heat-maps = Heatmaps zeichnen

stage-arranging-images = Bilder auf der Karte anordnen

stage-measuring-distances = Abstände zwischen Datensätzen messen

stage-measuring-speed = Geschwindigkeit dieses Rechners messen

stage-measuring-latencies = Vorhersagezeiten messen

## Demo

stage-drawing-sample-images = Beispielbilder zeichnen

# What is counted

unit-images = Bilder

unit-images-and-copies = Bilder und augmentierte Kopien

unit-trainings = Trainings

unit-networks = Netze

unit-steps = Schritte

unit-metrics = Metriken

unit-pairs = Paare

unit-probes = Testklassifikatoren

unit-sections = Abschnitte

unit-fields = Gesichtsfelder

unit-megapixels = Megapixel

unit-files = Dateien

unit-objects = Objekte

unit-megabytes = MB

unit-percent = %

# Events as a line of text

event-of-fold = Fold { $fold }: { $event }

event-of-pretraining = Vortraining: { $event }

event-with-reason = { $event }: { $reason }

event-score = { $name ->
        [test-accuracy] Testgenauigkeit
        [val-accuracy] Validierungsgenauigkeit
        [train-loss] Trainingsverlust
        [val-loss] Validierungsverlust
        [loss] Verlust
        [accuracy] Genauigkeit
       *[macro-f1] Makro-F1
    } { NUMBER($value, minimumFractionDigits: 3, maximumFractionDigits: 3) }

event-expected-time = erwartete Zeit { $time }

event-finetuning-left = noch { $time } Feinabstimmung

event-work-planned = Geplant: { $n_train ->
        [one] { $n_train } Trainingsbild
       *[other] { $n_train } Trainingsbilder
    }, { $n_epochs ->
        [one] { $n_epochs } Epoche
       *[other] { $n_epochs } Epochen
    }

event-run-started = Training begonnen: { $n_train } Trainings-, { $n_val } Validierungs- und { $n_test ->
        [one] { $n_test } Testbild
       *[other] { $n_test } Testbilder
    }, { $n_classes ->
        [one] { $n_classes } Klasse
       *[other] { $n_classes } Klassen
    }

event-fold-started = Fold { $fold } von { $n_folds } begonnen

event-fold-ended = Fold { $fold } von { $n_folds } beendet

event-stage-started = { $stage ->
        [finetune] Feinabstimmung begonnen: { $n_epochs ->
            [one] { $n_epochs } Epoche
           *[other] { $n_epochs } Epochen
        }
       *[instant] Anpassung des Sofort-Klassifikators begonnen
    }

event-instant-classifier-fitted = Sofort-Klassifikator fertig nach { $time }

event-step-ended = Epoche { $epoch }: Schritt { $step } von { $n_steps }

event-validation-images-chosen = { $n_images ->
        [one] { $n_images } Validierungsbild
       *[other] { $n_images } Validierungsbilder
    } für Vorhersagen nach jeder Epoche ausgewählt

event-epoch-ended = Epoche { $epoch } von { $n_epochs } beendet

event-checkpoint-saved = Checkpoint der Epoche { $epoch } gespeichert in { $path }

event-classifier-selected = Behalten: { $rule ->
        [instant] der Sofort-Klassifikator
        [last] Epoche { $epoch }, die letzte
       *[best] Epoche { $epoch }, die beste
    }

event-run-ended = { $state ->
        [stopped] Angehalten
        [failed] Fehlgeschlagen
       *[done] Abgeschlossen
    }
