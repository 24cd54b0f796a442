# The methods section of a result.

report-lossless-copies = Drehung und Spiegelung ohne Interpolation

report-augmented-copies = Zur Kovarianz innerhalb der Klassen wurde die Kovarianz der Merkmale innerhalb der Bilder addiert, über augmentierte Kopien von { $n_images ->
        [one] { $n_images } Trainingsbild
       *[other] { $n_images } Trainingsbildern
    } ({ $changes }).

methods-images = { $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bilder
    } von { $n_classes ->
        [one] { $n_classes } Klasse
       *[other] { $n_classes } Klassen
    }{ $n_groups ->
        [0] {""}
        [one] {" "}aus { $n_groups } Gruppe
       *[other] {" "}aus { $n_groups } Gruppen
    }{ $has_domains ->
        [true] , aus den Domänen { $domains },
       *[false] {""}
    } wurden aufgeteilt: { $division }.

methods-kept-together = { $has_groups ->
        [true] Bilder derselben Gruppe und Bilder mit gleichen Pixeln
       *[false] Bilder mit gleichen Pixeln
    } { $case ->
        [folds] blieben im selben Fold. Jeden Fold testete ein Netz, das mit den anderen trainiert wurde{ $has_validation ->
            [true] ; ein Teil davon diente der Validierung
           *[false] {""}
        }. Der Klassifikator wurde dann mit allen Bildern trainiert, mit dem Median der Einstellungen, die in den Folds gewählt wurden.
        [leaky] können in mehreren Sets sein.
       *[sets] blieben im selben Set.
    }

methods-excluded = Von { $n_found ->
        [one] { $n_found } gefundenen Bild
       *[other] { $n_found } gefundenen Bildern
    } { $n_excluded ->
        [one] wurde { $n_excluded } ausgeschlossen
       *[other] wurden { $n_excluded } ausgeschlossen
    }: { $reasons }.

methods-given-division = wie mit den Daten angegeben, in { $sets }{ $has_others ->
        [true] {" "}({ $others })
       *[false] {""}
    }

methods-division = { $has_given ->
        [true] { $given } wie mit den Daten angegeben, die anderen Sets{" "}
       *[false] {""}
    }{ $has_domains ->
        [true] stratifiziert nach Domäne und Klasse
       *[false] stratifiziert nach Klasse
    }, in { $sets } ({ $settings })

methods-folds = { $n_folds } Folds

methods-sets = Bilder für { $sets }

methods-group-column = Die Gruppen stammen aus der Spalte „{ $column }“ der Tabelle des Datensatzes.

methods-group-pattern = Die Gruppen stammen aus dem Teil der Dateinamen, der zu „{ $pattern }“ passt.

methods-no-near-duplicates = Nach Beinahe-Duplikaten (komprimierten, skalierten, gedrehten, gespiegelten oder zugeschnittenen Kopien) wurde durch Ausrichten der Bilder gesucht; es wurden keine gefunden.

methods-near-duplicates = Nach Beinahe-Duplikaten (komprimierten, skalierten, gedrehten, gespiegelten oder zugeschnittenen Kopien) wurde durch Ausrichten der Bilder gesucht; { $n_clusters ->
        [one] { $n_clusters } Satz von Beinahe-Duplikaten ({ $n_images ->
            [one] { $n_images } Bild
           *[other] { $n_images } Bilder
        }) wurde gefunden
       *[other] { $n_clusters } Sätze von Beinahe-Duplikaten ({ $n_images } Bilder) wurden gefunden
    }; { $together ->
        [leaky] { $has_folds ->
            [true] sie können auf mehrere Folds verteilt sein.
           *[false] sie können auf mehrere Sets verteilt sein.
        }
        [all] { $has_folds ->
            [true] sie blieben im selben Fold.
           *[false] sie blieben im selben Set.
        }
       *[some] { $has_folds ->
            [true] davon blieben { $n_together } im selben Fold.
           *[false] davon blieben { $n_together } im selben Set.
        }
    }

methods-classes-by-domain = Jede Domäne hatte eigene Klassen, die nach ihr benannt sind.

methods-merged-class = { $old } als „{ $new }“

methods-merged-classes = Klassen wurden zusammengefasst: { $classes }.

methods-renamed-class = { $old } in „{ $new }“

methods-renamed-classes = Klassen wurden umbenannt: { $classes }.

methods-excluded-classes = Bilder von { $classes } wurden ausgeschlossen.

methods-class-limit = { $image_set }, wurden verwendet.

methods-preprocessing = Die Bilder wurden { $resized }, und die Intensitäten skaliert { $scaling }{ $others }.

methods-network = Das Netz war { $network } mit { $initialization } ({ $environment }).

methods-gpu = auf { $gpu }

methods-processor = auf { $processor } mit { $n_threads ->
        [one] { $n_threads } Thread
       *[other] { $n_threads } Threads
    }

methods-weights = Vortrainierte Gewichte: { $source } ({ $kind }) · { $has_license ->
        [true] Lizenz { $license }
       *[false] Lizenz nicht angegeben
    }

methods-weights-of-run = den Gewichten des früheren Trainings „{ $name }“

methods-weights-of-pretraining = den Gewichten { $is_kept ->
        [true] des Vortrainings
       *[false] , die durch Vortraining nicht besser wurden,
    } auf „{ $name }“, beschrieben im eigenen Ordner pretraining/,

methods-imported-weights = den importierten Gewichten „{ $source }“ { $has_license ->
        [true] (Lizenz { $license })
       *[false] (Lizenz nicht angegeben)
    }

methods-pretrained-weights = { $phrase } aus { $source } { $has_license ->
        [true] (Lizenz { $license })
       *[false] (Lizenz nicht angegeben)
    }

methods-linear-probe = { $features }, bei eingefrorenem Netz{ $has_augmentation ->
        [true] , { $augmentation },
       *[false] {""}
    } wurden durch eine lineare Diskriminanzfunktion klassifiziert, angepasst an { $has_validation ->
        [true] Trainings- und Validierungsbilder
       *[false] Trainingsbilder
    }, deren Schrumpfung (Shrinkage) auf Validierungsbildern gewählt wurde.

methods-not-finetuned = Das Netz wurde nicht feinabgestimmt.

methods-finetuned = Danach wurde es mit { $optimizer } ({ $steps }) { $epochs } feinabgestimmt; behalten wurde { $selection }{ $has_epoch ->
        [true] {" "}(Epoche { $epoch } von { $n_epochs }).
       *[false] .
    }

methods-epochs = über { $n_epochs ->
        [one] { $n_epochs } Epoche
       *[other] { $n_epochs } Epochen
    }

methods-planned-epochs = über { $n_epochs ->
        [one] { $n_epochs } Epoche
       *[other] { $n_epochs } Epochen
    }

methods-finished-early = über { $n_epochs } von { $n_planned } geplanten Epochen{ $has_rate ->
        [true] , bei einer Lernrate von zuletzt { $rate },
       *[false] {""}
    }

methods-last-epoch = die letzte Epoche

methods-last-epoch-unless-better = die letzte Epoche, außer wenn { $metric } auf Validierungsbildern vor der Feinabstimmung besser war{ $is_by_two_errors ->
        [true] , und zwar um mehr als zwei Standardfehler
       *[false] {""}
    }

methods-best-epoch = die Epoche mit dem besten Wert von { $metric } auf { $set ->
        [test] Testbildern
       *[validation] Validierungsbildern
    }

methods-augmentation = Datenaugmentierung der Trainingsbilder: { $changes }.

methods-refitted = Die letzte Schicht wurde mit einer linearen Diskriminanzfunktion auf den Merkmalen der { $has_validation ->
        [true] Trainings- und Validierungsbilder
       *[false] Trainingsbilder
    } gemittelt { $has_folds ->
        [true] (Gewicht auf Validierungsbildern gewählt).
       *[false] (Gewicht { $weight }, auf Validierungsbildern gewählt).
    }

methods-precision = Die Schritte wurden in gemischter Genauigkeit ({ $precision }) gerechnet.

methods-frozen-kept = Das feinabgestimmte Netz war auf Validierungsbildern{ $n_folds ->
        [0] {""}
       *[other] {" "}in { $n_frozen } von { $n_folds } Folds
    } nicht besser, und das eingefrorene Netz wurde behalten.

methods-regularizer = Die Verlustfunktion zog außerdem die Merkmale der Gruppen { $groups } zusammen und die Gruppen auseinander (Gewichte { $weights }).

methods-calibrated = { $has_validation ->
        [true] Die Wahrscheinlichkeiten wurden durch Temperaturskalierung auf Validierungsbildern kalibriert, jedes von einer letzten Schicht vorhergesagt, die ohne das Bild angepasst wurde{ $has_folds ->
            [true] .
           *[false] {" "}(T = { $temperature }).
        }
       *[false] Die Wahrscheinlichkeiten wurden nicht kalibriert, weil es keine Validierungsbilder gab.
    }

methods-calibrated-delivered = Der ausgelieferte Klassifikator hat eine andere Temperatur (T = { $temperature }), aus Bildern, die von seiner letzten Schicht zurückgehalten wurden.

methods-threshold = Ein Bild wurde als { $label } vorhergesagt, wenn seine Wahrscheinlichkeit eine von Hand gesetzte Schwelle von { $threshold } erreichte.

methods-target = Ein Bild wurde als { $label } vorhergesagt, wenn seine Wahrscheinlichkeit eine Schwelle erreichte: diejenige, die auf { $has_folds ->
        [true] den Validierungsbildern jedes Folds
       *[false] den Validierungsbildern
    } { $metric ->
        [sensitivity] eine Sensitivität hat, deren untere 90-%-Konfidenzgrenze mindestens { $target } oder die höchste ist, und die höchste Spezifität.
       *[specificity] eine Spezifität hat, deren untere 90-%-Konfidenzgrenze mindestens { $target } oder die höchste ist, und die höchste Sensitivität.
    }

methods-operating-points = Jede Klasse hatte einen Arbeitspunkt: die Schwelle, an der ihre ROC-Kurve (eine gegen alle) auf { $has_folds ->
        [true] den Validierungsbildern jedes Folds
       *[false] den Validierungsbildern
    } den größten Youden-Index hat, Sensitivität + Spezifität − 1{ $has_default ->
        [true] {" "}(1 / { $n_classes } für Klassen mit zu wenigen Bildern oder ohne Schwelle besser als Zufall).
       *[false] .
    } Vorhergesagt wurde die Klasse, deren Wahrscheinlichkeit im Verhältnis zu ihrer Schwelle am größten war.

methods-calibrated-held-out = Der Klassifikator wurde auf zurückgehaltenen Vorhersagen linearer Klassifikatoren mit derselben Schrumpfung (Shrinkage) kalibriert, jeder an alle Bilder außer denen einer Gruppe (oder einem Bild ohne Gruppe) angepasst.

methods-calibrated-folds = Der Klassifikator wurde auf den Vorhersagen der Netze der Folds für ihre Validierungsbilder kalibriert.

methods-metrics = Grundlage aller Metriken: { $image_set }{ $has_groups ->
        [true] {" "}({ $groups })
       *[false] {""}
    }. Metriken: { $metrics }; { $has_intervals ->
        [true] { $confidence }-Konfidenzintervalle: { $methods }.
       *[false] Konfidenzintervalle sind nicht angegeben.
    }

report-title-methods = Methoden
    .subtitle = Text für den Methodenteil einer Veröffentlichung

report-recipe = Rezept: alle Einstellungen dieses Trainings

excluded-unreadable = nicht lesbar

excluded-duplicates = Duplikate mit anderen Labels

excluded-on-request = auf Wunsch

excluded-class-not-in-training = Klasse nicht im Trainingsset

methods-resized = skaliert { $size }
