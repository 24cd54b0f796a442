# Titles, axes and legends of figures.

figure-title-loss = Verlust

figure-title-macro-f1 = Makro-F1

figure-title-accuracy = Genauigkeit

figure-title-accuracy-by-probability = Genauigkeit nach vorhergesagter Wahrscheinlichkeit

figure-title-images-by-probability = Bilder nach vorhergesagter Wahrscheinlichkeit

figure-title-auroc = Fläche unter der Kurve (AUROC)

figure-title-average-precision = Mittlere Präzision

figure-title-lowest-first = { $metric }, niedrigste zuerst

figure-label-training = Training

figure-label-validation = Validierung

figure-label-validation-of-fold = Validierung eines Folds

figure-label-selected-epoch = gewählte Epoche

figure-label-epoch = Epoche

figure-label-predicted-class = vorhergesagte Klasse

figure-label-true-class = wahre Klasse

figure-label-perfect-calibration = vollkommene Kalibrierung

figure-label-before-calibration = vor der Kalibrierung

figure-label-after-calibration = nach der Kalibrierung

figure-label-with-error = { $label } (Fehler über Zufall { $error })

figure-label-probability = vorhergesagte Wahrscheinlichkeit

figure-label-accuracy = Genauigkeit

figure-label-correct = richtig

figure-label-wrong = falsch

figure-label-images = Bilder

figure-label-measured = gemessen

figure-label-extrapolated = auf doppelt so viele Bilder hochgerechnet

figure-label-training-images = Trainings- und Validierungsbilder

figure-label-error = Fehler (1 − Makro-F1)

figure-label-false-positive-rate = Falsch-positiv-Rate

figure-label-true-positive-rate = Richtig-positiv-Rate (Sensitivität)

figure-label-recall = Sensitivität

figure-label-precision = Präzision (PPV)

figure-label-more-classes = { $n_more } weitere Klassen: siehe die Metriken je Klasse

figure-label-average = { $average ->
        [macro] Makro-Mittel
       *[micro] Mikro-Mittel
    }{ $has_curve ->
        [true] {""}
       *[false] {" "}(ein Mittelwert, keine Kurve)
    }

figure-files-not-found = Dateien nicht
    gefunden
