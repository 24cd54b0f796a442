# Metrics. The code of an entry is `metric-` and the metric's name, with dashes for underscores. Its text is the label.
#
#   .meaning      the meaning in a few words
#   .undefined    why it can have no value
#   .no-interval  why it has no confidence interval
#
# Without `.undefined` or `.no-interval`, those of `any-metric` are used.

any-metric =
    .undefined = für diese Bilder nicht definiert
    .no-interval = dafür ist kein Intervall bekannt

metric-accuracy = Genauigkeit
    .meaning = Anteil der Bilder, die richtig klassifiziert sind

metric-balanced-accuracy = Ausgewogene Genauigkeit
    .meaning = mittlere Sensitivität über die Klassen

metric-macro-f1 = Makro-F1
    .meaning = mittleres F1 über die Klassen; F1 verbindet Präzision und Sensitivität

metric-macro-precision = Makro-Präzision
    .meaning = Mittelwert über die Klassen des Anteils richtiger Vorhersagen (PPV)

metric-macro-recall = Makro-Sensitivität
    .meaning = Mittelwert über die Klassen des Anteils erkannter Bilder (Sensitivität); gleich der ausgewogenen Genauigkeit

metric-macro-auroc = Makro-AUROC
    .meaning = mittlere Fläche unter der ROC-Kurve über die Klassen; 0,5 ist Zufall
    .undefined = alle Bilder gehören zu einer Klasse

metric-micro-auroc = Mikro-AUROC
    .meaning = Fläche unter der ROC-Kurve aller Paare von Bild und Klasse; häufige Klassen haben mehr Gewicht

metric-average-precision = Mittlere Präzision (AP)
    .meaning = mittlere Fläche unter der Precision-Recall-Kurve über die Klassen
    .undefined = alle Bilder gehören zu einer Klasse

metric-mcc = Matthews-Korrelation
    .meaning = Korrelation von wahren und vorhergesagten Klassen; 0 ist Zufall
    .undefined = alle Bilder gehören zu einer Klasse oder werden als eine vorhergesagt

metric-kappa = Cohens Kappa
    .meaning = Übereinstimmung über den Zufall hinaus; 0 ist Zufall
    .undefined = alle Bilder gehören zu einer Klasse und werden als diese vorhergesagt

metric-one-vs-rest-accuracy = Genauigkeit eine gegen alle
    .meaning = Mittelwert über die Klassen der Genauigkeit von „diese Klasse oder nicht“ (die Genauigkeit von AIMIC); hoch bei vielen Klassen

metric-ece-excess = Kalibrierungsfehler über Zufall
    .meaning = mittlerer Unterschied zwischen Wahrscheinlichkeit und Genauigkeit, ohne den Teil, den bei dieser Anzahl von Bildern der Zufall allein verursacht; etwa 0, wenn die Wahrscheinlichkeiten stimmen, und durch Zufall auch unter 0
    .no-interval = für Unterschiede von Kalibrierungsfehlern ist kein Intervall bekannt

metric-ece-excess-uncalibrated = Kalibrierungsfehler über Zufall, vor der Kalibrierung
    .meaning = derselbe ohne Temperaturskalierung

metric-calibration-slope = Kalibrierungssteigung
    .meaning = unter 1: Wahrscheinlichkeiten sind zu extrem; über 1: nicht extrem genug
    .undefined = die Wahrscheinlichkeit trennt Fehler von richtigen Vorhersagen, oder es gibt von einem davon keine

metric-calibration-intercept = Kalibrierungsachsenabschnitt
    .meaning = unter 0: Wahrscheinlichkeiten sind im Mittel zu hoch; über 0: zu niedrig
    .undefined = alle Vorhersagen sind richtig, oder alle sind Fehler

metric-confidence-gap = Mittlere Wahrscheinlichkeit minus Genauigkeit
    .meaning = über 0: Wahrscheinlichkeiten sind im Mittel zu hoch; unter 0: zu niedrig

metric-log-loss = Log Loss
    .meaning = mittlerer negativer Logarithmus der Wahrscheinlichkeit der wahren Klasse; sichere Fehler kosten am meisten

metric-brier = Brier-Score
    .meaning = quadrierter Abstand der Wahrscheinlichkeiten von der Wahrheit, 0 bis 2

# Why a metric has no value or no interval.

interval-needs-groups = nur { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    }: ein Konfidenzintervall braucht mindestens { $n_needed }

interval-needs-images = ein Konfidenzintervall braucht mindestens { $n_needed } Bilder

interval-of-one-image = es gibt nur ein Bild: kein Intervall

kappa-of-one-class = beide Befunder verwendeten dieselbe einzige Klasse: Kappa ist nicht definiert

interval-without-influence = kein Bild ändert den Wert: kein Intervall

interval-of-set-missing = { $name }: { $reason }

no-interval = kein Intervall

folds-without-value = { $n_missing } von { $n_folds ->
        [one] { $n_folds } Fold hat
       *[other] { $n_folds } Folds haben
    } keine solche Zahl

folds-of-equal-value = jeder Fold ergibt denselben Wert: kein Intervall

other-images-of-other-classes = die anderen Bilder gehören nicht zu denselben Klassen

class-without-images = kein Bild dieser Klasse

no-image-measured = kein Bild konnte gemessen werden

class-never-predicted = nie vorhergesagt

class-of-all-images = kein Bild einer anderen Klasse

class-always-predicted = keine andere Klasse wurde vorhergesagt

few-validation-images = weniger als { $n_needed } Validierungsbilder { $which ->
        [this] dieser Klasse
        [other] der anderen Klasse
       *[others] anderer Klassen
    }

no-threshold-above-chance = auf Validierungsbildern ist keine Schwelle besser als Zufall

shares-need-images = { $n_needed ->
        [one] { $n_needed } Bild ist
       *[other] { $n_needed } Bilder sind
    } nötig, und es gibt { $n_images }

no-uncalibrated-probabilities = Wahrscheinlichkeiten vor der Kalibrierung wurden nicht angegeben

mcnemar-of-groups = der McNemar-Test setzt unabhängige Bilder voraus, es gibt aber Gruppen: p der Genauigkeit ist über Gruppen berechnet

same-predictions = beide geben dieselben Vorhersagen aus

lower-is-better = { $meaning }; niedriger ist besser
