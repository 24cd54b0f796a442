# Results of runs and comparisons, for reports and pages of the app.

# Headline and the sentences below it

report-headline = { $n_correct } von { $image_kind ->
        [held-out] { $n_images ->
            [one] { $n_images } zurückgehaltenen Bild
           *[other] { $n_images } zurückgehaltenen Bildern
        }
        [test] { $n_images ->
            [one] { $n_images } Testbild
           *[other] { $n_images } Testbildern
        }
        [external] { $n_images ->
            [one] { $n_images } Bild des externen Testsets
           *[other] { $n_images } Bildern des externen Testsets
        }
       *[other] { $n_images ->
            [one] { $n_images } Bild
           *[other] { $n_images } Bildern
        }
    } { $n_correct ->
        [one] ist richtig klassifiziert.
       *[other] sind richtig klassifiziert.
    }

report-headline-all-correct = Alle { $image_kind ->
        [held-out] { $n_images } zurückgehaltenen Bilder
        [test] { $n_images } Testbilder
        [external] { $n_images } Bilder des externen Testsets
       *[other] { $n_images } Bilder
    } sind richtig klassifiziert.

report-at-home = Die Zahlen gelten für Bilder aus dem Labor des Trainings, nicht aus dem, an das er angepasst wurde.

report-new-domain = In einem neuen Labor zu erwarten: { $metric } { $mean }, der Mittelwert von { $n } Domänen ({ $lowest } bis { $highest }). Jede Domäne wurde von einem Klassifikator getestet, der ohne sie trainiert wurde.

report-accuracy = Die Genauigkeit beträgt { $accuracy }.

report-group-mean = Gemittelt über { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    } von Testbildern mit jeweils gleichem Gewicht beträgt die Genauigkeit { $accuracy }.

report-majority-class = Ein Klassifikator, der immer „{ $label }“ vorhersagt, hat eine Genauigkeit von { $accuracy }.

report-decision-images = { $source ->
        [held-out] Bildern aller Folds, jedes von einem linearen Klassifikator auf Merkmalen vorhergesagt, der ohne das Bild trainiert wurde
        [folds] Validierungsbildern aller Folds, jedes vom Netz seines Folds vorhergesagt
       *[validation] Validierungsbildern
    }

report-thresholds-of-classes = Jede Klasse hat eine eigene Entscheidungsschwelle. Sie wurde { $when ->
        [on-images] auf { $image_set } gewählt.
        [after-test] nach dem ersten Test gewählt.
       *[before-test] vor dem Test gewählt.
    }

report-threshold = „{ $label }“ wird ab einer Wahrscheinlichkeit von { $threshold } vorhergesagt. Diese Schwelle wurde{ $when ->
        [on-images] {" "}auf { $image_set }
        [after-test] {" "}nach dem ersten Test
        [before-test] {" "}vor dem Test
       *[not-stated] {""}
    } { $is_by_hand ->
        [true] von Hand gesetzt
       *[false] gewählt
    }{ $has_folds ->
        [true] ; jeder Fold hat eine eigene.
       *[false] .
    }

report-no-time-to-finetune = Für eine Feinabstimmung war keine Zeit, daher wird der Sofort-Klassifikator behalten.

report-no-epoch-completed = Keine Epoche der Feinabstimmung wurde abgeschlossen, daher wird der Sofort-Klassifikator behalten.

report-finetuning-not-better-in-folds = In { $n_frozen } von { $n_folds } Folds verbesserte die Feinabstimmung die Validierungsergebnisse nicht, daher wird dort der Sofort-Klassifikator behalten.

report-finetuning-not-better = Die Feinabstimmung verbesserte die Validierungsergebnisse nicht, daher wird der Sofort-Klassifikator behalten.

report-finished-early = Die Feinabstimmung wurde nach { $n_epochs } von { $n_planned ->
        [one] { $n_planned } Epoche
       *[other] { $n_planned } Epochen
    } beendet und hatte die Validierungsergebnisse bis dahin nicht verbessert, daher wird der Sofort-Klassifikator behalten.

report-time-for-all = Etwa { $time } würden für alle { $n_epochs } Epochen genügen.

report-relabeled = Dies ist womöglich zu hoch, weil Labels nach der Durchsicht falsch klassifizierter Bilder korrigiert wurden: { $n_images ->
        [one] { $n_images } Testbild hat ein anderes Label
       *[other] { $n_images } Testbilder haben andere Labels
    } als im ersten Training mit dieser Aufteilung. Mit den früheren Labels beträgt die Genauigkeit { $accuracy }.

report-unknown-labels = Die Aufteilung ist die eines früheren Trainings, dessen Ordner nicht mehr existiert.
    .meaning = Es ist nicht bekannt, ob seitdem Labels von Testbildern korrigiert wurden. Wenn ja, sind die Metriken womöglich zu hoch.

# Key facts

column-classes = Klassen

column-groups = Gruppen

column-images = Bilder

column-objects = Objekte

report-fact-images = { $is_own ->
        [true] verwendete Bilder
       *[false] Testbilder
    }

report-fact-groups = { $is_own ->
        [true] Gruppen aller verwendeten Bilder
       *[false] Gruppen der Testbilder
    }

report-ungrouped = davon ohne bekannte Gruppe

report-no-groups-given = keine angegeben

report-network = Netz

report-domains = Domänen

report-training-time = Training

# Groups, confidence intervals and sets

report-groups = { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    }{ $n_ungrouped ->
        [0] {""}
        [one] {" "}und { $n_ungrouped } Bild ohne bekannte Gruppe
       *[other] {" "}und { $n_ungrouped } Bilder ohne bekannte Gruppe
    }

report-groups-of-evaluation = Herkunft dieser Testbilder: { $groups }.

report-groups-of-test-images = Die Testbilder stammen aus { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    }{ $n_ungrouped ->
        [0] .
        [one] ; { $n_ungrouped } Bild davon hat keine bekannte Gruppe.
       *[other] ; { $n_ungrouped } Bilder davon haben keine bekannte Gruppe.
    }

report-groups-of-folds = Jede Gruppe wurde von einem Netz getestet, das ohne sie trainiert wurde.

report-groups-not-in-training = { $is_tested_only ->
        [true] Der getestete Klassifikator wurde nicht mit Bildern dieser Gruppen trainiert.
       *[false] Kein Bild dieser Gruppen wurde für das Training verwendet.
    }

report-ungrouped-images = { $has_folds ->
        [true] { $n_images ->
            [one] { $n_images } Bild hat keine bekannte Gruppe
           *[other] { $n_images } Bilder haben keine bekannte Gruppe
        }
       *[false] { $n_images ->
            [one] { $n_images } Trainings- oder Validierungsbild hat keine bekannte Gruppe
           *[other] { $n_images } Trainings- oder Validierungsbilder haben keine bekannte Gruppe
        }
    }, sodass nicht zu erkennen ist, ob Trainings- und Testbilder vom selben Patienten oder Objektträger stammen.

report-delivered-classifier = Der evaluierte Klassifikator ist der ausgelieferte, der an alle { $n_images } Trainings-, Validierungs- und Testbilder seines Trainings angepasst ist.{ $is_unseen ->
        [true] {" "}Die hier evaluierten Bilder sind andere.
       *[false] {""}
    }

report-interval = Das 95-%-KI zeigt, wie stark sich der Wert mit anderen { $has_groups ->
        [true] Gruppen (etwa Patienten oder Objektträgern)
       *[false] Bildern
    } im Testset{ $has_folds ->
        [true] {" "}und anderen Trainingsbildern ändern würde.
       *[false] {" "}ändern würde.
    }

report-interval-few-groups = Es ist nur ungefähr. Grundlage: { $groups }.

report-interval-groups = Kein Intervall kann zeigen, dass der Klassifikator bei Gruppen versagt, die das Testset nicht enthält.

report-folds-intervals = Ihre Intervalle und die der Klassen sind breiter, als die Anzahlen allein ergeben, weil sich Klassifikatoren unterscheiden, die mit anderen Bildern trainiert werden.

report-interval-folds = Der Wert ist der der Klassifikatoren der Folds, jeder mit { $share } der Bilder trainiert. Der endgültige Klassifikator, mit allen Bildern trainiert, ist meist etwas besser.

report-split = { $split ->
        [test-once] Testbilder, auf denen keine Auswahl beruht
        [test] Testbilder
        [validation] Validierungsbilder, auf denen Auswahlen beruhen
        [held-out] zurückgehaltene Bilder der Kreuzvalidierung (Out-of-Fold)
       *[other] die Bilder von „{ $name }“
    }{ $n_relabeled ->
        [0] {""}
       *[other] , davon { $n_relabeled } mit neuem Label nach der Durchsicht falsch klassifizierter Bilder
    }

# Uncertain predictions, and metrics of one probability

report-of-one-probability = { $is_of_two ->
        [true] der Wahrscheinlichkeit von „{ $label }“; { $meaning }
       *[false] der Wahrscheinlichkeit der vorhergesagten Klasse; { $meaning }
    }

report-uncertain-threshold = { $has_folds ->
        [true] Jeder Fold kennzeichnet Vorhersagen unter einer Schwelle, die auf seinen Validierungsbildern gesetzt wurde, als unsicher.
       *[false] Vorhersagen unter { $threshold } werden als unsicher gekennzeichnet. Diese Schwelle wurde auf { $image_set } gesetzt.
    }

report-none-uncertain = Keines dieser Bilder ist unsicher.

report-uncertain = Von diesen { $n_images } Bildern { $n_uncertain ->
        [one] ist { $n_uncertain }
       *[other] sind { $n_uncertain }
    } unsicher. { $has_decided ->
        [true] Die Genauigkeit beträgt { $of_decided } auf den Bildern mit entschiedener Klasse und { $of_uncertain } auf den unsicheren.
       *[false] Die Genauigkeit beträgt { $of_uncertain } auf den unsicheren.
    }

report-neither-decided = { $n_images ->
        [one] { $n_images } ungewohntes Bild zählt zu keinen von beiden.
       *[other] { $n_images } ungewohnte Bilder zählen zu keinen von beiden.
    }

report-final-classifier-certain = Der endgültige Klassifikator kennzeichnet keine Vorhersagen wegen einer niedrigen Wahrscheinlichkeit als unsicher.

report-final-classifier-uncertain = Der endgültige Klassifikator hat eine eigene Schwelle, { $threshold }: Er kennzeichnet { $share } der Bilder, auf denen diese Schwelle gesetzt wurde, als unsicher. Erwarten Sie bei neuen Bildern etwa diesen Anteil, nicht den der Folds.

# Urteile: ob ein Klassifikator verwendet werden kann, danach ein Grund oder, wenn ja, die Zahl der Bilder

verdict = { $is_external ->
        [true] { $use ->
            [no] Diesen Klassifikator nicht für solche Bilder verwenden.
            [unknown] Nicht bekannt, ob er für solche Bilder verwendbar ist.
            [care] Für solche Bilder mit Vorsicht verwenden.
           *[yes] Verwendbar für solche Bilder.
        }
       *[false] { $use ->
            [no] Diesen Klassifikator nicht verwenden.
            [unknown] Nicht bekannt, ob er verwendbar ist.
            [care] Mit Vorsicht verwenden.
           *[yes] { $has_groups ->
                [true] Verwendbar für Bilder wie die Testbilder.
               *[false] Verwendbar für Bilder wie die Testbilder, wenn jedes von einem anderen Patienten oder Objektträger stammt.
            }
        }
    }

verdict-own-images = { $is_usable ->
        [true] Verwendbar für Bilder wie die eigenen Testbilder.
       *[false] Bei Bildern wie den eigenen Testbildern mit Vorsicht verwenden.
    }

verdict-class = „{ $label }“

verdict-count-of-class = { $n_correct } von { $n_images } bei „{ $label }“{ $interval }

verdict-count-of-predictions = { $n_correct } von { $n_images } Vorhersagen von „{ $label }“ sind richtig{ $interval }

verdict-weakest-class = In der Klasse mit der niedrigsten Sensitivität, „{ $label }“, sind es { $n_correct } von { $n_images }.

verdict-without-groups = Es wurden keine Gruppen angegeben. Wenn mehrere Bilder von einem Patienten oder Objektträger stammen, { $is_external ->
        [true] sind die Konfidenzintervalle zu schmal.
       *[false] ist das Ergebnis wahrscheinlich zu hoch und sein Konfidenzintervall zu schmal.
    }

verdict-next = Nächster Schritt: { $step }

verdict-action = { $action ->
        [adapt] Passen Sie ihn an Bilder von dort an, mindestens 20 davon mit Label (coverslip adapt RUN NEW_DATA --labels TABLE).
        [check-labels] Prüfen Sie die vermuteten Labelfehler (Reiter „Bilder“ oder coverslip label-errors RUN).
        [choose-threshold] Wählen Sie eine andere Schwelle (Reiter „Belege“ des Trainings oder coverslip decide RUN), oder labeln Sie mehr Bilder.
        [inspect] Suchen Sie nach Abkürzungen (Reiter „Prüfungen“ des Datensatzes oder coverslip inspect DATA --estimate-leakage).
        [label-more] { $confused ->
            [none] {""}
           *[other] Prüfen Sie die Labels von { $confused }, die miteinander verwechselt werden, und fassen Sie sie zusammen, wenn niemand sie unterscheiden kann.{" "}
        }{ $classes ->
            [none] Labeln Sie mehr Bilder
           *[other] Labeln Sie mehr Bilder von { $classes }
        } (coverslip suggest DATA --run RUN), und trainieren Sie erneut.
        [name-groups] Geben Sie Patienten oder Objektträger an (Reiter „Prüfungen“ des Datensatzes oder coverslip train --group COLUMN oder --group-pattern PATTERN), und trainieren Sie erneut.
        [test-more] { $has_folds ->
            [true] Labeln Sie mehr Bilder{ $has_groups ->
                [true] {" "}von weiteren Patienten oder Objektträgern
               *[false] {""}
            }{ $classes ->
                [none] { $n_needed ->
                    [0] {""}
                   *[other] , bis mindestens { $n_needed } als { $predicted } vorhergesagt sind
                }
               *[other] { $n_needed ->
                    [0] , und zwar von { $classes }
                   *[other] , bis es mindestens { $n_needed } von { $classes } gibt
                }
            }, und trainieren Sie erneut: Die Kreuzvalidierung testet auch mit diesen. Oder testen Sie ihn mit diesen (Reiter „Belege“ des Trainings oder coverslip evaluate RUN DATA).
           *[false] { $classes ->
                [none] Testen Sie ihn mit mehr gelabelten Bildern{ $n_needed ->
                    [0] {""}
                   *[other] , bis mindestens { $n_needed } als { $predicted } vorhergesagt sind
                }
               *[other] { $n_needed ->
                    [0] Testen Sie ihn mit mehr Bildern von { $classes }
                   *[other] Testen Sie ihn mit mindestens { $n_needed } Bildern von { $classes }
                }
            }{ $has_groups ->
                [true] {" "}von weiteren Patienten oder Objektträgern
               *[false] {""}
            } (Reiter „Belege“ des Trainings oder coverslip evaluate RUN DATA).{ $can_have_folds ->
                [true] {" "}Auch eine Kreuzvalidierung testet mehr Bilder und dauert bis zu sechsmal so lange (coverslip train --set split.folds=5){ $has_groups ->
                    [true] .
                   *[false] {""}; wenn mehrere von einem Patienten oder Objektträger sind, geben Sie diese vorher an.
                }
               *[false] {""}
            }
        }
       *[train-without-leakage] Trainieren Sie erneut ohne Leakage zwischen den Sets oder mit einer anderen Aufteilung.
    }

limit-no-test-image = Kein Bild konnte gemessen werden.
    .meaning = Die Leistung ist nicht bekannt.
    .next = Prüfen Sie, ob die Testbilder lesbar sind und Labels haben.

limit-not-above-chance = { $kind ->
        [constant] Er gibt allen { $n_images } Testbildern dieselbe Klasse, „{ $label }“.
        [worse] Er ist schlechter als Raten: { $value } der Bilder sind richtig klassifiziert; wenn er ebenso viele Bilder jeder Klasse raten würde, wären es { $chance }.
        [hardly] Er ist kaum besser als Raten: Im Mittel über die Klassen werden { $value } erkannt; Raten ergäbe { $chance }.
       *[not-shown] Es ist nicht nachgewiesen, dass er besser ist als Raten: Im Mittel über die Klassen werden { $value } erkannt; Raten ergäbe { $chance }.
    }
    .meaning = { $kind ->
        [worse] Die meisten Bilder mancher Klassen erhalten dieselbe falsche Klasse; Namen oder Labels können vertauscht sein.
       *[other] Mehr gelabelte Bilder können helfen, oder Bilder, auf denen die Klassen verschieden aussehen. Prüfen Sie zuerst die Labels.
    }
    .next = { $kind ->
        [constant] Prüfen Sie die Labels, labeln Sie mehr Bilder der anderen Klassen (coverslip suggest DATA --run RUN), und trainieren Sie erneut.
        [worse] Prüfen Sie, ob die Namen der Klassen oder die Labels vertauscht oder verschoben sind.
       *[other] Prüfen Sie die Labels, labeln Sie mehr Bilder (coverslip suggest DATA --run RUN), und trainieren Sie erneut.
    }

limit-chance-not-excluded = Zu wenige Testbilder{ $has_groups ->
        [true] {" "}oder Gruppen
       *[false] {""}
    }, um zu sagen, ob er besser ist als Raten: Im Mittel über die Klassen werden { $value } erkannt; Raten ergäbe { $chance }.
    .meaning = Testen Sie ihn mit mehr Bildern, bevor Sie sich auf ihn verlassen.

limit-class-lost = Fast kein Bild { $n_classes ->
        [one] einer Klasse
       *[other] mancher Klassen
    } wird erkannt: { $labels }.
    .meaning = Bilder einer solchen Klasse erhalten eine andere Klasse, von der zu viele gezählt werden. Prüfen Sie die Labels, labeln Sie mehr davon und trainieren Sie erneut.

limit-class-lost-of-many = Fast kein Bild { $n_classes ->
        [one] einer Klasse
       *[other] mancher Klassen
    } wird erkannt: { $labels }.
    .meaning = Bilder einer solchen Klasse erhalten eine andere Klasse, von der zu viele gezählt werden. Prüfen Sie die Labels, labeln Sie mehr davon und trainieren Sie erneut.

limit-leaks = { $n_clusters ->
        [one] { $n_clusters } Gruppe oder Menge von Duplikaten ist
       *[other] { $n_clusters } Gruppen oder Mengen von Duplikaten sind
    } sowohl im Testset als auch im Trainings- oder Validierungsset; das Ergebnis ist daher wahrscheinlich zu hoch.
    .meaning = Ein Datenleck war für dieses Training erlaubt. Wie gut der Klassifikator bei neuen Bildern ist, ist nicht bekannt. Trainieren Sie erneut ohne Datenleck.

limit-above-grouped = Bei Bildern neuer Gruppen ist { $metric } etwa { $grouped } zu erwarten, nicht { $value }.
    .meaning = Die Schätzung des Datenlecks vergleicht eine Aufteilung nach Bildern mit einer nach Gruppen. Das Ergebnis dieses Trainings gleicht dem der Aufteilung nach Bildern.

limit-wide-interval = Zu wenige Testbilder{ $has_groups ->
        [true] {" "}oder Gruppen
       *[false] {""}
    }, um zu wissen, wie gut er ist: { $metric } kann zwischen { $low } und { $high } liegen (95-%-KI).
    .meaning = Testen Sie ihn mit mehr Bildern{ $can_have_folds ->
        [true] {" "}oder durch Kreuzvalidierung
       *[false] {""}
    }, bevor Sie sich auf ihn verlassen.

limit-mostly-wrong = Er irrt öfter, als er recht hat: Im Mittel über die Klassen erkennt er { $value } der Bilder; Raten ergäbe { $chance }.
    .meaning = Verwenden Sie ihn nur zum Sortieren von Bildern, und prüfen Sie alle Vorhersagen. Mehr gelabelte Bilder können helfen, oder größere.

limit-weak = Er erkennt viele Bilder nicht: Im Mittel über die Klassen erkennt er { $value } der Bilder; Raten ergäbe { $chance }.
    .meaning = Prüfen Sie die Vorhersagen, oder verwenden Sie ihn nur zum Sortieren von Bildern. Mehr gelabelte Bilder können helfen.

limit-unsure-average = Vielleicht erkennt er viele Bilder mancher Klassen nicht: Im Mittel über die Klassen erkennt er { $value } der Bilder; Raten ergäbe { $chance }.
    .meaning = Es können weniger als { $half } sein, der halbe Weg vom Raten zum Fehlerlosen. Prüfen Sie die Vorhersagen, bis er mit mehr Bildern getestet ist.

limit-weak-classes = Weniger als die Hälfte der Bilder einer Klasse wird erkannt: { $labels }.
    .meaning = Zählen Sie Klassen nicht allein nach den Vorhersagen: Stattdessen vorhergesagte Klassen sind zu häufig. Labeln Sie mehr Bilder.

limit-unsure-classes = { $is_below ->
        [true] Vielleicht wird weniger als die Hälfte der Bilder einer Klasse erkannt:
       *[false] Zu wenige Testbilder{ $has_groups ->
            [true] {" "}oder Gruppen
           *[false] {""}
        }, um zu sagen, ob mehr als die Hälfte der Bilder einer Klasse erkannt wird:
    } { $labels }.
    .meaning = { $n_classes ->
        [one] Das Intervall schließt
       *[other] Die Intervalle schließen
    } die Hälfte ein. Zählen Sie Klassen nicht allein nach den Vorhersagen: Stattdessen vorhergesagte Klassen können zu häufig sein.

limit-false-alarms = Die meisten Bilder mit der Vorhersage { $predicted } sind von einer anderen Klasse: { $labels }.
    .meaning = Prüfen Sie jedes Bild mit einer solchen Vorhersage. Bei neuen Bildern ist der Anteil falscher Vorhersagen höher, wenn die Klasse seltener ist als hier.

limit-unsure-predictions = Es ist nicht belegt, dass die meisten Bilder mit der Vorhersage { $predicted } richtig klassifiziert sind: { $labels }.
    .meaning = { $n_classes ->
        [one] Das Intervall schließt
       *[other] Die Intervalle schließen
    } die Hälfte ein. Prüfen Sie die Bilder mit einer solchen Vorhersage.

limit-like-majority-class = { $is_worse ->
        [true] Er ist seltener richtig ({ $accuracy }), als wenn er immer „{ $label }“ vorhersagte ({ $majority }).
       *[false] Es ist nicht nachgewiesen, dass er öfter richtig ist ({ $accuracy }), als wenn er immer „{ $label }“ vorhersagte ({ $majority }).
    }
    .meaning = Die Genauigkeit sagt hier wenig aus. Beurteilen Sie den Klassifikator nach Sensitivität und Präzision der anderen Klassen.

limit-miscalibrated = Die Wahrscheinlichkeiten sind nicht verlässlich: { $kind ->
        [high] Sie sind im Mittel um { $error } zu hoch.
        [low] Sie sind im Mittel um { $error } zu niedrig.
       *[both] Manche sind zu hoch, andere zu niedrig, im Mittel um { $error }.
    }
    .meaning = Die Klassen hängen davon nicht ab. Verwenden Sie die Wahrscheinlichkeiten nicht als solche und wählen Sie danach keine Schwelle ohne Test.
    .next = Verwenden Sie nur die Klassen, oder trainieren Sie erneut mit mehr gelabelten Bildern, mit denen die Wahrscheinlichkeiten kalibriert werden.

limit-lower-than-own-test = Der Klassifikator ist bei diesen Bildern { $is_much ->
        [true] viel schlechter
       *[false] schlechter
    } als auf dem Testset des Trainings: Im Mittel über die Klassen{ $are_all_classes ->
        [true] {""}
       *[false] {" "}in beiden Testsets
    } werden { $value } erkannt statt { $of_training }.
    .meaning = Die Bilder unterscheiden sich von denen des Trainings, zum Beispiel durch Labor, Färbung oder Mikroskop. Trainieren Sie mit Bildern wie diesen.

limit-used-in-training = { $n_images ->
        [one] { $n_images } dieser Bilder wurde im Training verwendet; das Ergebnis zeigt daher nicht, wie gut er bei neuen Bildern ist.
       *[other] { $n_images } dieser Bilder wurden im Training verwendet; das Ergebnis zeigt daher nicht, wie gut er bei neuen Bildern ist.
    }
    .meaning = Auf Bildern, mit denen er trainiert wurde, ist ein Klassifikator fast immer besser. Testen Sie ihn mit anderen Bildern.

limit-groups-of-training = { $n_images ->
        [one] { $n_images } dieser Bilder gehört zu einer Gruppe, die im Training verwendet wurde; das Ergebnis ist vielleicht zu hoch.
       *[other] { $n_images } dieser Bilder gehören zu Gruppen, die im Training verwendet wurden; das Ergebnis ist vielleicht zu hoch.
    }
    .meaning = Testen Sie ihn mit Bildern anderer Patienten oder Objektträger.

limit-unfamiliar = { $n_unfamiliar } von { $n_images } Bildern sehen anders aus als alle Trainingsbilder; die Vorhersagen für sie sind nicht verlässlich.
    .meaning = Passen Sie ihn an Bilder wie diese an, mindestens 20 davon mit Label.

limit-external-test = { $is_useless ->
        [true] Bei Bildern wie denen von „{ $name }“ nicht verwenden.
       *[false] Bei Bildern wie denen von „{ $name }“ mit Vorsicht verwenden.
    } { $claim }
    .meaning = Das ist das Ergebnis auf einem externen Testset. Die Bilder unterscheiden sich von denen des Trainings, zum Beispiel durch Labor, Färbung oder Mikroskop.

limit-wrong-labels = Labels sind verdächtig: { $share } der nach ihren Merkmalen eindeutigsten Bilder haben das Label einer anderen Klasse. Auch die der Testbilder sind verdächtig; das Ergebnis ist daher vielleicht zu niedrig.
    .meaning = Entweder sind Labels falsch, oder das Netz sieht nicht, was diese Klassen unterscheidet. Bilder, die mehreren Klassen ähneln, zählen nicht.

limit-possibly-wrong-labels = Labels sind verdächtig: { $share } der nach ihren Merkmalen eindeutigsten Bilder haben das Label einer anderen Klasse. Auch die der Testbilder sind verdächtig; das Ergebnis ist daher vielleicht zu niedrig. Auch eines von fünf Trainings mit richtigen Labels bekommt diesen Grund: Sehen Sie sich die Labels an.
    .meaning = Entweder sind Labels falsch, oder das Netz sieht nicht, was diese Klassen unterscheidet. Bilder, die mehreren Klassen ähneln, zählen nicht.

wrong-labels-of-hard-classes = je eindeutiger die Bilder, desto weniger Fehler: Die Merkmale zeigen die Klassen kaum

limit-adapted-unchecked = Er wurde an ein anderes Labor angepasst und dort nicht geprüft: Kein Label der { $n_images } Bilder wurde verwendet, deshalb ist jede Entscheidung über neue Bilder „unsicher“ oder „ungewohnt“.
    .next = Geben Sie 20 Bildern dieses Labors Labels (coverslip suggest NEW), und passen Sie den ersten Klassifikator damit erneut an (coverslip adapt RUN NEW --labels TABLE).
    .meaning = Er ist nur für Bilder dieses Labors. Die Metriken stammen von Testbildern aus dem Labor des Trainings.

limit-adapted = Er wurde an ein anderes Labor angepasst. Von { $n_labels } Bildern mit Label sagt er dort { $n_right } ohne deren eigenes Label richtig vorher: { $accuracy }. Der erste Klassifikator sagte { $n_right_before } richtig vorher.{ $is_of_one_group ->
        [true] {" "}Alle sind aus einer Gruppe; in anderen ist sie vielleicht niedriger.
       *[false] {""}
    }
    .next = { $are_all_labeled ->
        [true] Testen Sie ihn mit Bildern anderer Patienten oder Objektträger dieses Labors (coverslip evaluate RUN DATA).
       *[false] Geben Sie mehr Bildern dieses Labors Labels (coverslip suggest NEW), und passen Sie den ersten Klassifikator damit erneut an (coverslip adapt RUN NEW --labels TABLE).
    }
    .meaning = Er ist nur für Bilder dieses Labors. Jedes Label wurde vorhergesagt, ohne benutzt zu werden. Die Metriken stammen von Testbildern aus dem Labor des Trainings.

limit-mark = Nicht bekannt ist, wie er { $classes } erkennt: Der Rand der Bilder allein erkennt { $labels }; das Ergebnis ist daher vielleicht zu hoch.
    .next = Schneiden Sie die Ränder ab oder ersetzen Sie sie, trainieren Sie erneut, und testen Sie mit Bildern ohne das Merkmal.
    .meaning = Am Rand unterscheidet sich etwas, zum Beispiel eine Marke, ein Maßstabsbalken, Auffüllung oder der Hintergrund. Der Klassifikator erkennt womöglich das statt der Zelle. Dann gelten die Metriken nicht für Bilder ohne dieses Merkmal. Schneiden Sie die Bilder zu, oder mischen Sie die Quellen der Klassen.

limit-protocol = { $claim }
    .next = Trainieren Sie erneut ohne { $n_steps ->
        [one] diesen Schritt
       *[other] diese Schritte
    } einer Veröffentlichung, oder testen Sie mit Bildern, die bisher nicht verwendet wurden (Reiter „Belege“ des Trainings oder coverslip evaluate RUN DATA).
    .meaning = Das Training wiederholt die Schritte einer veröffentlichten Studie. Berichten Sie seine Metriken als die dieses Protokolls, nicht als die bei neuen Bildern.

limit-finding = { $claim }
    .meaning = { $meaning }

# Ergebnisse von Abschnitten in einem Satz

verdict-metric = { $metric }: { $value }.

verdict-lowest-class = Die Klasse mit der niedrigsten Sensitivität ist { $label }: { $recall } ({ $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bilder
    }).

verdict-confusion = Häufigste Verwechslung: { $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bilder
    } der Klasse { $label } ({ $share } der Klasse) als { $predicted } vorhergesagt.

verdict-no-confusion = Kein Testbild ist falsch klassifiziert.

verdict-misclassified = { $n } von { $n_images } Testbildern { $n ->
        [one] ist
       *[other] sind
    } falsch klassifiziert ({ $share }).

verdict-two-classes = Für „{ $label }“ beträgt auf den Testbildern die Sensitivität { $sensitivity } und die Spezifität { $specificity }.{ $has_thresholds_of_folds ->
        [true] {" "}Jeder Fold hat eine eigene Schwelle. Die Schwelle des Klassifikators wurde auf diesen Bildern nicht evaluiert.
       *[false] {""}
    }

verdict-decision = { $has_thresholds ->
        [false] Für jedes Bild wird die wahrscheinlichste Klasse vorhergesagt. Es gibt keine Entscheidungsschwellen.
       *[true] Jede Klasse hat eine eigene Schwelle. Vorhergesagt wird die Klasse, deren Wahrscheinlichkeit ihre Schwelle am weitesten übersteigt.
    }

verdict-curves = { $metric }: { $value }{ $has_precision ->
        [true] ; mittlere Präzision (AP): { $precision }
       *[false] {""}
    }. Eine AUROC von 0,5 entspricht dem Zufall.

verdict-no-curves = Es gibt keine Kurven: Jede Kurve braucht Testbilder der Klasse und anderer Klassen.

verdict-calibration = { $direction ->
        [right] Der Test zeigt nicht, dass die Wahrscheinlichkeiten falsch sind.
        [both] Die Wahrscheinlichkeiten sind nicht gut kalibriert: Manche sind zu hoch, andere zu niedrig.
        [extreme] Die Wahrscheinlichkeiten sind zu extrem: Hohe sind zu hoch, niedrige zu niedrig.
        [moderate] Die Wahrscheinlichkeiten sind nicht extrem genug: Hohe sind zu niedrig, niedrige zu hoch.
        [high] Die Wahrscheinlichkeiten sind zu hoch: im Mittel { $confidence }, doch { $accuracy } der Vorhersagen sind richtig.
       *[low] Die Wahrscheinlichkeiten sind zu niedrig: im Mittel { $confidence }, doch { $accuracy } der Vorhersagen sind richtig.
    } Der Kalibrierungsfehler über Zufall beträgt { $error }{ $has_line ->
        [true] , der Achsenabschnitt { $intercept } (richtig: 0) und die Steigung { $slope } (richtig: 1).
       *[false] .
    }

verdict-calibration-unknown = Es ist nicht bekannt, ob die Wahrscheinlichkeiten stimmen. Der Kalibrierungsfehler über Zufall beträgt { $error }, ohne Intervall: { $reason }.

verdict-no-calibration = Der Kalibrierungsfehler dieses Trainings ist nicht bekannt.

verdict-split = { $n_images } Bilder: { $n_train } Trainingsbilder, { $n_val } Validierungsbilder und { $n_test } Testbilder.

verdict-folds = { $n_images } Bilder, { $n_folds } Folds der Kreuzvalidierung. { $n_untested ->
        [0] Jedes Bild ist einmal Testbild.
        [one] { $n_untested } Bild konnte nicht getestet werden; jedes andere ist einmal Testbild.
       *[other] { $n_untested } Bilder konnten nicht getestet werden; jedes andere ist einmal Testbild.
    }

verdict-against-own-test = { $result ->
        [same] { $metric } unterscheidet sich vom Wert im eigenen Testset des Trainings nicht stärker, als der Zufall erwarten lässt: { $difference }.
        [worse] { $metric } ist schlechter als im eigenen Testset des Trainings: { $difference }. Für Bilder wie diese gelten die Metriken des externen Testsets. Es kann helfen, einige von ihnen zum Training hinzuzunehmen.
       *[better] { $metric } ist besser als im eigenen Testset des Trainings: { $difference }. Prüfen Sie, ob diese Bilder leichter sind oder dem Klassifikator bekannt.
    }

accuracy-after-adaptation = Genauigkeit im anderen Labor

verdict-each-fold = { $n_folds } Folds wurden getrennt trainiert. Der endgültige Klassifikator ist mit allen Bildern trainiert.

verdict-finetuned = Die Feinabstimmung lief über { $n_epochs ->
        [one] { $n_epochs } Epoche
       *[other] { $n_epochs } Epochen
    }. Verwendet wird Epoche { $epoch }.

verdict-instant = Verwendet wird der Sofort-Klassifikator: ein linearer Klassifikator auf Merkmalen des vortrainierten Netzes.

report-classifier = Klassifikator

report-is-instant = Sofort-Klassifikator{ $has_finetuning ->
        [true] ; Feinabstimmung war nicht besser
       *[false] {""}
    }

report-is-finetuned = feinabgestimmt, Epoche { $epoch } von { $n_epochs }

# Limitations

limit-classifier-not-measured = Der Klassifikator selbst wurde nicht gemessen.
    .meaning = Die Metriken sind die von { $n_folds } Netzen, jedes ohne seine Testbilder trainiert. Der Klassifikator wurde auf dieselbe Weise mit allen Bildern trainiert. Seine Leistung sollte ähnlich sein, aber kein Bild ist übrig, um sie zu messen.

limit-leakage-allowed = Trainings- und Testbilder können sich überschneiden, daher ist das Ergebnis vielleicht zu hoch.
    .meaning = Für dieses Training wurde ein Datenleck zugelassen. Wenn Bilder oder Gruppen in beiden Sets sind, sind die Metriken zu hoch.

limit-relabeled = { $claim }
    .meaning = Wenn nur falsch klassifizierte Bilder geprüft wurden, sind die Metriken mit den korrigierten Labels womöglich zu hoch, denn falsche Labels, denen der Klassifikator zustimmt, bleiben. Berichten Sie die Metriken mit den früheren Labels.

limit-validation-images = Das Ergebnis ist von Validierungsbildern, die das Training für Entscheidungen verwendet hat, und daher wahrscheinlich zu hoch.
    .meaning = Testen Sie ihn mit Bildern, auf denen keine Entscheidung beruhte.

limit-no-groups = Es sind keine Gruppen bekannt.
    .meaning = Wenn mehrere Bilder von einem Patienten, einem Objektträger oder einer Platte stammen, können einige im Trainingsset und andere im Testset sein. Das Netz erkennt dann womöglich den Objektträger statt der Zelle, und die Metriken sind zu hoch. Geben Sie die Gruppen an, und trainieren Sie noch einmal.

limit-too-few-groups = { $has_folds ->
        [true] Das Training hat nur { $groups } (Patienten oder Objektträger), zu wenige für eine Schätzung bei neuen.
       *[false] Das Testset hat nur { $groups } (Patienten oder Objektträger), zu wenige für eine Schätzung bei neuen.
    }
    .meaning = Wie gut der Klassifikator bei einer neuen Gruppe ist, lässt sich aus so wenigen nicht schätzen: Konfidenzintervalle brauchen mindestens { $n_needed } Gruppen.{ $can_have_folds ->
        [true] {" "}Eine Kreuzvalidierung testet auf jeder Gruppe und nutzt die Daten besser.
       *[false] {""}
    }
    .next = Testen Sie ihn mit Bildern von mehr Patienten oder Objektträgern (Reiter „Belege“ des Trainings oder coverslip evaluate RUN DATA).

limit-few-groups = { $has_folds ->
        [true] Das Training hat nur { $groups } (Patienten oder Objektträger), zu wenige, um alle Arten von neuen zu enthalten.
       *[false] Das Testset hat nur { $groups } (Patienten oder Objektträger), zu wenige, um alle Arten von neuen zu enthalten.
    }
    .meaning = Eine Art, zu der { $share } aller Gruppen gehören, fehlt unter so wenigen in 1 von 20 Fällen.{ $can_have_folds ->
        [true] {" "}Eine Kreuzvalidierung testet auf jeder Gruppe und nutzt die Daten besser.
       *[false] {""}
    }
    .next = Testen Sie ihn mit Bildern von mehr Patienten oder Objektträgern (Reiter „Belege“ des Trainings oder coverslip evaluate RUN DATA){ $can_have_folds ->
        [true] , oder mit allen Gruppen durch Kreuzvalidierung (coverslip train --set split.folds=5).
       *[false] .
    }

limit-compared-runs = Die Testmetriken wurden mit denen von { $n_others ->
        [one] { $n_others } anderen Training verglichen.
       *[other] { $n_others } anderen Trainings verglichen.
    }
    .meaning = Wenn dieses Training nach diesen Metriken aus { $n_runs } ausgewählt wurde, sind sie zu hoch: Von { $n_runs } gleich guten Klassifikatoren ist einer durch Zufall der beste. Wählen Sie nach Validierungsmetriken, oder halten Sie ein externes Testset zurück.

limit-threshold-not-measured = Die Testmetriken gelten für die Schwellen der Folds, nicht für die des Klassifikators{ $has_point ->
        [true] {":"} Der Klassifikator sagt „{ $label }“ ab einer Wahrscheinlichkeit von { $threshold } vorher, mit einer Sensitivität von { $sensitivity } und einer Spezifität von { $specificity } auf den Bildern, an denen sie gewählt wurde.
       *[false] {"."}
    }
    .meaning = Der Klassifikator kann häufiger oder seltener richtig liegen als nach diesen Metriken. Messen Sie seine Schwelle auf einem externen Testset.

limit-decision-after-test = Die Entscheidungsregel wurde geändert, nachdem die Testmetriken zum ersten Mal berechnet waren.
    .meaning = Wenn sie nach diesen Metriken gewählt wurde, sind die Metriken zu hoch. Messen Sie die Regel auf einem externen Testset.

limit-tested-repeatedly = Die Testmetriken wurden { $n_times }-mal berechnet.
    .meaning = Jede Auswahl, die auf Testmetriken beruht, macht sie höher als die wahre Leistung.

limit-few-test-images = { $n_images ->
        [one] Es gibt nur { $n_images } Testbild.
       *[other] Es gibt nur { $n_images } Testbilder.
    }
    .meaning = Ein einzelnes Bild ändert die Metriken sichtbar.

limit-class-without-test-image = Ohne Testbild ist nicht bekannt, wie gut der Klassifikator { $classes } erkennt.
    .meaning = Fügen Sie Bilder dieser Klassen hinzu und testen Sie erneut.

limit-rare-classes = { $is_all ->
        [true] Alle
       *[false] Einige
    } Klassen haben weniger als { $n_fewest } Testbilder.
    .meaning = Die Metriken dieser Klassen sind ungenau: { $labels }.

limit-classes-not-distinguished = Die Testbilder zeigen nicht, dass der Klassifikator alle Klassen unterscheidet.
    .meaning = Klassenanteile von Proben werden nicht um seine Fehler korrigiert. Labeln Sie mehr Bilder der Klassen, die selten erkannt werden, oder fassen Sie Klassen zusammen.

limit-class-imbalance = Die Klassen sind sehr verschieden groß.
    .meaning = Die größte Klasse hat { $ratio }-mal so viele Testbilder wie die kleinste. Die Genauigkeit hängt vor allem von den großen Klassen ab; die ausgewogene Genauigkeit und Makro-F1 gewichten alle Klassen gleich.

limit-unknown-initialization = Die Trainingsbilder des anfänglichen Klassifikators sind nicht bekannt.
    .meaning = Das Training begann mit einem Klassifikator, der seine Trainingsbilder nicht verzeichnet. Wenn Testbilder darunter sind, sind alle Metriken zu hoch.

limit-one-domain = Alle Bilder stammen aus einer Domäne (Labor oder Mikroskop).
    .meaning = Es gab keine Bilder aus einem anderen Labor, von einem anderen Mikroskop oder mit einer anderen Färbung. Auf solchen Bildern können die Metriken niedriger sein. Evaluieren Sie das Training auf einem externen Testset mit Labels, bevor Sie sich darauf verlassen.

limit-training-domains = Alle Domänen (Labore oder Mikroskope) der Testbilder sind auch Domänen der Trainingsbilder.
    .meaning = Die Metriken gelten für neue Bilder aus { $tested }.{ $n_untested ->
        [0] {""}
       *[other] {" "}Kein Testbild stammt aus { $untested }.
    } Auf Bildern aus einer anderen Domäne können die Metriken niedriger sein. Evaluieren Sie das Training auf einem externen Testset mit Labels, oder testen Sie jede Domäne mit einem Klassifikator, der auf den anderen trainiert ist (split.by_domain=true).

limit-no-shared-class = Keine Klasse kommt in zwei Domänen (Laboren oder Mikroskopen) vor.
    .meaning = Ein Klassifikator, der die Domäne erkennt (an Färbung, Farbe oder Größe), schließt die meisten falschen Klassen schon aus. Beachten Sie die Metriken jeder Domäne statt der Mittelwerte über alle Domänen.

limit-near-duplicates = Nach Beinahe-Duplikaten wurde nicht gesucht.
    .meaning = Einige Testbilder sind womöglich gedrehte, gespiegelte, beschnittene oder neu komprimierte Kopien von Trainingsbildern. Mit split.near_duplicates: together findet ein Training sie und hält sie in einem Set.

limit-excluded-images = { $n_images ->
        [one] { $n_images } Bild wurde wegen eines Problems ausgeschlossen.
       *[other] { $n_images } Bilder wurden wegen Problemen ausgeschlossen.
    }
    .meaning = Die Datei split.csv im Ordner des Trainings nennt sie mit Gründen. Neue Bilder mit denselben Problemen erhalten keine Vorhersage.

limit-excluded-by-hand = { $n_images ->
        [one] { $n_images } Bild des Datensatzes wurde von Benutzern ausgeschlossen.
       *[other] { $n_images } Bilder des Datensatzes wurden von Benutzern ausgeschlossen.
    }
    .meaning = Wenn es schwierige Bilder waren, und keine Duplikate oder ersetzten Objekte, sind die Metriken zu hoch für neue Bilder, von denen keines ausgeschlossen wird.

limit-scaled-per-image = Die Helligkeit wurde entfernt.
    .meaning = Jedes Bild wurde auf seinen eigenen Wertebereich skaliert. Klassen, die sich nur in der Helligkeit oder der Stärke der Färbung unterscheiden, können nicht unterschieden werden.

limit-known-classes = Der Klassifikator sagt nur diese Klassen vorher.
    .meaning = Auch Schmutz, ein unscharfes Gesichtsfeld oder ein anderer Zelltyp kann eine der { $n_classes } Klassen erhalten.

limit-class-proportions = Prädiktive Werte hängen von den Klassenanteilen ab.
    .meaning = Wenn eine Klasse seltener ist als in den gemessenen Bildern, ist ihre Präzision niedriger. Geben Sie für die Vorhersage die erwarteten Klassenanteile an, oder evaluieren Sie auf Bildern mit diesen Anteilen.

limit-unverified-labels = Die Labels wurden nicht überprüft.
    .meaning = Falsche Labels machen die Metriken falsch. Prüfen Sie die falsch klassifizierten Bilder mit den höchsten Wahrscheinlichkeiten.

# Leakage estimate

report-leakage-estimate = Mit einer Aufteilung Bild für Bild, die Bilder einer Gruppe oder Duplikate sowohl ins Trainings- als auch ins Testset bringt, beträgt { $metric } { $image_level }. Mit einer Aufteilung nach Gruppen beträgt der Wert { $grouped }. Der Unterschied beträgt { $difference }.

report-leakage-not-tested = Der Unterschied wurde nicht getestet{ $has_reason ->
        [true] {" "}({ $reason }).
       *[false] .
    }

report-leakage-overestimates = Eine Aufteilung Bild für Bild überschätzt die Leistung bei neuen Patienten, Objektträgern oder Gesichtsfeldern. Berichten Sie den Wert der Aufteilung nach Gruppen.

report-leakage-underestimates = Hier ergibt die Aufteilung Bild für Bild den niedrigeren Wert. Das kommt vor, wenn Gruppen wenige der Klassen enthalten.

report-leakage-not-significant = Der Unterschied ist nicht statistisch signifikant.

report-leakage-estimate-method = Gemessen auf { $n_images } Bildern in { $n_units } Einheiten (Gruppen, Mengen von Duplikaten und einzelnen Bildern). Beide Aufteilungen verwenden dieselben schnellen Klassifikatoren auf den Merkmalen eines Netzes, das nicht mit diesen Bildern trainiert wurde, und jedes Bild wird von einem Klassifikator vorhergesagt, der nicht an das Bild angepasst wurde. Ein feinabgestimmtes Netz kann abweichen, und nicht angegebene Gruppen bleiben unberücksichtigt. Keine Auswahl beruhte auf diesen Werten.

# Comparisons of runs

report-by-labels = { $labels ->
        [first] , nach den Labels des ersten Trainings
       *[second] , nach den Labels des zweiten Trainings
    }

comparison-same-predictions = Auf { $n_images ->
        [one] { $n_images } Testbild
       *[other] { $n_images } Testbildern
    }{ $by_labels }: „{ $first }“ und „{ $second }“ ergeben dieselben Vorhersagen; { $metric } beträgt { $of_first }.

comparison-not-tested = Auf { $n_images ->
        [one] { $n_images } Testbild
       *[other] { $n_images } Testbildern
    }{ $by_labels }: { $metric } beträgt { $of_first } für „{ $first }“ und { $of_second } für „{ $second }“. Der Unterschied kann nicht getestet werden ({ $reason }).

comparison-better = Auf { $n_images ->
        [one] { $n_images } Testbild
       *[other] { $n_images } Testbildern
    }{ $by_labels }: { $is_second_better ->
        [true] „{ $second }“ ist besser als „{ $first }“; { $metric } beträgt { $of_second } statt { $of_first }.
       *[false] „{ $first }“ ist besser als „{ $second }“; { $metric } beträgt { $of_first } statt { $of_second }.
    } Der Unterschied von „{ $first }“ zu „{ $second }“ beträgt { $size } ({ $interval }).

comparison-not-significant = Auf { $n_images ->
        [one] { $n_images } Testbild
       *[other] { $n_images } Testbildern
    }{ $by_labels }: Der Unterschied von „{ $first }“ ({ $of_first }) zu „{ $second }“ ({ $of_second }) in { $metric } ist nicht statistisch signifikant, { $size } ({ $interval }).

comparison-by-second-labels = Mit den Labels des zweiten Trainings sind es { $first } und { $second }.

comparison-different-rules = Die beiden verwenden verschiedene Entscheidungsregeln.

comparison-there = Im anderen Labor sagt „{ $name }“ { $n_right } von { $n_labels } gelabelten Bildern richtig vorher, jedes ohne sein eigenes Label; vor der Anpassung waren { $n_right_before } richtig.

comparison-of-several = „{ $best }“ hat den besten Wert von { $metric } ({ $value }).{ $n_significant ->
        [0] {""}
        [one] {" "}Der Unterschied zu { $significant } ist statistisch signifikant.
       *[other] {" "}Die Unterschiede zu { $significant } sind statistisch signifikant.
    }{ $n_not_significant ->
        [0] {""}
        [one] {" "}Der Unterschied zu { $not_significant } ist nicht statistisch signifikant.
       *[other] {" "}Die Unterschiede zu { $not_significant } sind nicht statistisch signifikant.
    } Jeder Vergleich wird für sich getestet (95-%-KI).

comparison-access-note = Testergebnisse von { $n_runs } Trainings wurden bisher verglichen. Wenn Sie eines davon wegen seines Testergebnisses wählen, ist dieses Ergebnis zu optimistisch: Von { $n_runs } gleich guten Trainings ist eines durch Zufall das beste. { $has_validation ->
        [true] Wählen Sie nach Validierungsergebnissen, oder halten Sie ein externes Testset bis zum Schluss zurück.
       *[false] Halten Sie ein externes Testset bis zum Schluss zurück.
    }

comparison-different-classes = Die beiden haben verschiedene Klassen, daher sind ihre Ergebnisse nicht vergleichbar.

comparison-no-common-image = Die beiden haben kein gemeinsames Testbild. Ein Unterschied kann an den Bildern liegen, nicht an den Klassifikatoren.

comparison-different-rules-note = Die beiden verwenden verschiedene Entscheidungsregeln. Metriken vorhergesagter Klassen unterscheiden sich auch aus diesem Grund. AUROC und Log-Loss hängen nicht von der Entscheidungsregel ab.

comparison-matched-by-pixels = { $n_matched ->
        [one] { $n_matched } Testbild von { $n_images } wurde
       *[other] { $n_matched } Testbilder von { $n_images } wurden
    } anhand gleicher Pixel zugeordnet, weil die beiden verschiedene Dateien verwenden.

comparison-different-test-sets = Die beiden Testsets sind verschieden. Die Unterschiede sind auf { $n_images ->
        [one] dem { $n_images } gemeinsamen Bild berechnet.
       *[other] den { $n_images } gemeinsamen Bildern berechnet.
    }

comparison-relabeled = { $n_relabeled ->
        [one] { $n_relabeled } Testbild von { $n_images } hat
       *[other] { $n_relabeled } Testbilder von { $n_images } haben
    } im zweiten ein anderes Label. Wenn nur die Labels falsch klassifizierter Bilder geprüft wurden, sind die Ergebnisse nach den neuen Labels womöglich zu hoch, denn falsche Labels, denen der Klassifikator zustimmt, bleiben. Ergebnisse nach den alten Labels sind nicht so verzerrt.

comparison-without-groups = Es sind keine Gruppen festgelegt. Wenn mehrere Bilder von einem Patienten oder Objektträger stammen, sind die Intervalle zu schmal.

comparison-of-folds = Die Folds haben gemeinsame Trainingsbilder. Die Intervalle beziehen sich auf diese Klassifikatoren bei neuen Bildern, nicht auf wiederholtes Training.

comparison-finished-early = nach Epoche { $n_epochs } von { $n_planned }

comparison-adapted-to-budget = an ein Zeitlimit angepasst

comparison-images-differ = { $difference ->
        [labels] { $n_images ->
            [one] { $n_images } Bild mit anderem Label
           *[other] { $n_images } Bilder mit anderem Label
        }
        [groups] { $n_images ->
            [one] { $n_images } Bild in einer anderen Gruppe
           *[other] { $n_images } Bilder in einer anderen Gruppe
        }
       *[moved] { $n_images ->
            [one] { $n_images } Bild in einem anderen Set
           *[other] { $n_images } Bilder in einem anderen Set
        }
    }

comparison-fact-finished-early = Feinabstimmung vorzeitig beendet

comparison-fact-sources = Ordner oder Tabellen

comparison-fact-classes = Klassen

comparison-fact-images = Bilder

comparison-fact-labels = Labels

comparison-fact-groups = Gruppen

comparison-fact-sets = Sets

comparison-fact-moved = Verschobene Bilder

comparison-fact-device = Berechnet auf

# Lists, ranges and cells

report-confidence-interval = 95-%-KI { $interval }

report-range = { $low } bis { $high }

report-and = { $first } und { $second }

report-more-names = { $n } weitere

report-quoted = „{ $name }“

report-yes = ja

report-no = nein

report-missing-value = { $has_value ->
        [true] Kein KI: { $reason }.
       *[false] Kein Wert: { $reason }.
    }

column-class = Klasse

column-condition = Bedingung

column-conditions = Bedingungen

column-corrected = korrigiert

column-corrected-with-error = korrigiert ± Standardfehler

column-interval-of-proportion = 95{"\u00A0"}%-KI des Anteils

column-decided = als diese Klasse entschieden

column-difference = Unterschied

column-effect-size = Effektstärke (Hedges-g)

column-raw = gezählt

column-sample = Probe

column-samples = Proben

column-block = Block

column-reader = Befunder

column-other-reader = anderer Befunder

column-equal-labels = gleiche Labels

column-with-interval = { $title } (95{"\u00A0"}%-KI)

interval-of-few-images = zu wenige { $has_few_groups ->
        [true] Gruppen
       *[false] Bilder{ $n ->
            [0] {" "}oder Gruppen
           *[other] {""}
        }
    }{ $n ->
        [0] {""}
       *[other] : n = { $n }
    }

report-counts = { $n_correct } von { $n_images }

report-rows = { $n_rows ->
        [one] { $n_rows } Zeile
       *[other] { $n_rows } Zeilen
    }

proportions-some-not-corrected = { $is_all ->
    [true] Anteile sind gezählte Vorhersagen ohne Intervall, weil die Fehler des Klassifikators auf diesen Bildern nicht bekannt sind
   *[false] Einige Anteile sind nicht korrigiert
}: { $reason }.

proportions-not-corrected = Die Anteile sind Anzahlen von Vorhersagen, die durch Fehler des Klassifikators verzerrt sind.

proportions-by-condition = Anteile

proportions-shown = { $correction ->
    [all] Mittelwerte sind korrigiert und liegen zwischen 0 und 1. Unterschiede verwenden korrigierte Werte ohne diese Grenzen.
    [some] Abbildungen zeigen Anzahlen von Vorhersagen, weil einige Proben nicht korrigiert werden konnten. Auch Unterschiede verwenden diese Anzahlen.
   *[none] Abbildungen zeigen Anzahlen von Vorhersagen, weil keine Probe korrigiert werden konnte.
}

proportions-of-single-samples = { $is_correction_better ->
    [true] Werte einzelner Proben sind korrigiert: Ihr erwarteter Fehler beträgt { NUMBER($corrected, minimumFractionDigits: 1, maximumFractionDigits: 1) } Prozentpunkte, der gezählter Anteile { NUMBER($counted, minimumFractionDigits: 1, maximumFractionDigits: 1) }.
   *[false] Anders als Mittelwerte sind Werte einzelner Proben gezählt, mit dem Intervall des wahren Anteils: Ihr erwarteter Fehler beträgt { NUMBER($counted, minimumFractionDigits: 1, maximumFractionDigits: 1) } Prozentpunkte, der korrigierter Werte { NUMBER($corrected, minimumFractionDigits: 1, maximumFractionDigits: 1) }.
}

proportions-uncertain = unsicher

proportions-unfamiliar = ungewohnt

proportions-mean-of = Mittelwert von { $n_samples }

proportions-of-class = Anteil von { $name }

proportions-strips = Punkte: Proben. Linie: Mittelwert der Proben einer Bedingung. Balken und Bänder: 95-%-Konfidenzintervalle (KI).

proportions-without-condition = keine Bedingung

proportions-result = { $has_interval ->
    [true] { $is_significant ->
        [true] Der Anteil von { $name } ist in { $second } um { NUMBER($points, maximumFractionDigits: 1) } Prozentpunkte { $is_lower ->
            [true] niedriger
           *[false] höher
        } als in { $first }
       *[false] Der Unterschied im Anteil von { $name } zwischen { $second } und { $first } ist statistisch nicht signifikant: { NUMBER($points, maximumFractionDigits: 1) } Prozentpunkte { $is_lower ->
            [true] niedriger
           *[false] höher
        } in { $second }
    } (95-%-KI der Differenz { $interval }; { $has_blocks ->
        [true] { $n_blocks } Blöcke
       *[false] { $n_second } und { $n_first } Proben
    }; adjustierter p-Wert: { $p }).
   *[false] Der Anteil von { $name } ist in { $second } um { NUMBER($points, maximumFractionDigits: 1) } Prozentpunkte { $is_lower ->
        [true] niedriger
       *[false] höher
    } als in { $first }. Ob das Zufall ist, ist nicht bekannt: { $reason }.
}

proportions-result-alone = { $n_samples ->
    [0] Keine Probe hat einen Anteil von { $name }.
    [one] Der { $is_corrected ->
        [true] korrigierte
       *[false] gezählte
    } Anteil von { $name } ist { NUMBER($low, maximumFractionDigits: 1) } % in der einzigen Probe.
   *[other] Der { $is_corrected ->
        [true] korrigierte
       *[false] gezählte
    } Anteil von { $name } ist { NUMBER($low, maximumFractionDigits: 1) } % bis { NUMBER($high, maximumFractionDigits: 1) } % in { $n_samples } Proben.
}

proportions-differences = Unterschiede zwischen Bedingungen

proportions-blocks = { $n_blocks ->
    [one] { $n_blocks } Block
   *[other] { $n_blocks } Blöcke
}

proportions-samples = Proben

proportions-methods = Methoden

proportions-methods-help = Text für den Methodenteil einer Publikation.

proportions-differences-help = { $has_blocks ->
    [true] Jeder Block mit beiden Bedingungen zählt als eine Differenz. Proben ohne Block werden nicht verglichen.
   *[false] Jede Probe zählt als ein Wert.
} { $is_corrected ->
    [true] Unterschiede werden aus Anteilen berechnet, bevor diese auf den Bereich von 0 bis 1 begrenzt werden; sie können deshalb etwas von der Tabelle darüber abweichen. Ihre Intervalle enthalten die Unsicherheit der Fehlerraten.
   *[false] Unterschiede werden aus Anzahlen von Vorhersagen berechnet; Fehler des Klassifikators können sie deshalb verzerren.
} Effektstärke (Hedges-g): der Unterschied, geteilt durch die Standardabweichung der { $has_blocks ->
    [true] Blöcke
   *[false] Proben
} einer Bedingung. Ein kleiner adjustierter p-Wert (unter 0,05) besagt, dass ein solcher Unterschied selten wäre, wenn sich die Bedingungen nicht unterschieden; er berücksichtigt die Anzahl der Klassen und der Vergleiche.

agreement-title = Übereinstimmung

agreement-similar-names = Die Befunder verwenden die Labels { $names }, die eine Klasse in mehreren Schreibweisen sein könnten. Sie zählen als verschiedene Klassen. Wenn sie eine Klasse sind, verwenden Sie eine Schreibweise.

agreement-counts = Anzahl der Bilder. Zeilen: { $first }; Spalten: { $second }

agreement-help = Kappa ist die Übereinstimmung über den Zufall hinaus: 1 ist vollständige Übereinstimmung, 0 ist Zufall. Es ist niedrig, wenn eine Klasse selten ist, auch wenn sich die Befunder selten unterscheiden; lesen Sie es deshalb zusammen mit den Anzahlen. Mit Gruppen berücksichtigen die Intervalle, dass Bilder einer Gruppe einander ähneln.

agreement-first-labels = Erste Labels

# Sections of the report that are shown on pages in the language of the reader

report-title-numbers = Metriken

report-measured-on = auf: { $image_set }

report-further-metrics = Weitere Metriken

report-interval-methods = Auf jeden Wert folgt sein 95-%-Konfidenzintervall (KI). { $interval } Verfahren: { $methods }.

interval-method = { $method ->
        [chance] Kalibrierungsfehler abzüglich Zufall
        [jackknife-images] infinitesimales Jackknife über Bilder
        [jackknife-groups] infinitesimales Jackknife über Gruppen
        [binomial] exaktes Binomialintervall
       *[folds] korrigiertes t-Verfahren für wiederholte Aufteilungen
    }

report-interval-method = { $method } für { $metrics }

report-fold-metrics-note = Geben Sie das KI über dieser Tabelle an, das für alle zurückgehaltenen Bilder gemeinsam gilt. Das KI des Mittelwerts berücksichtigt, dass die Folds Trainingsbilder teilen (korrigiertes t-Verfahren für wiederholte Aufteilungen).

report-fold-interval-note = Das KI einer Zeile umfasst nur die Auswahl der { $units } in ihrem Testset.

report-metrics-per-fold = Metriken pro Fold

report-mean = Mittelwert

column-fold = Fold

report-domain-metrics-note = Makro-F1 ist der Mittelwert über die Klassen, von denen die Domäne Testbilder hat. Der Klassifikator kann jede Klasse vorhersagen.

report-metrics-per-domain = Metriken pro Domäne

column-domain = Domäne

report-title-per-class = Metriken pro Klasse

report-title-adapted = Im Labor, an das er angepasst wurde

report-adapted = Von { $n_labels } Labels von dort werden { $n_right } richtig vorhergesagt. Jedes wird durch Kreuzvalidierung der ganzen Anpassung vorhergesagt, ohne es zu verwenden. Wenige Labels einer Klasse zeigen wenig über diese Klasse.

column-confused-with = vorhergesagt als (Bilder)

report-lowest-recall-classes = Die { $n_classes } Klassen mit der niedrigsten Sensitivität, die niedrigste zuerst.

report-all-classes = Alle { $n_classes } Klassen

report-values-with-interval = Auf jeden Wert folgt sein 95-%-Konfidenzintervall (KI).

report-shares-with-count = Auf jeden Anteil folgt seine Anzahl.

report-class-metrics = Sensitivität heißt auch Recall, Präzision auch positiver prädiktiver Wert (PPV). NPV ist der Anteil der als andere Klasse vorhergesagten Bilder, die zu einer anderen Klasse gehören.

report-earlier-threshold = Ein Bild wurde als „{ $label }“ vorhergesagt, wenn seine Wahrscheinlichkeit mindestens { $threshold } war. Das ist nicht der jetzige Schwellenwert des Klassifikators: Er wurde nach dieser Auswertung geändert. Werten Sie diese Bilder erneut aus, um den jetzigen Schwellenwert zu messen.

report-default-threshold = Ein Bild wird als „{ $label }“ vorhergesagt, wenn seine Wahrscheinlichkeit mindestens 0,5 ist (der voreingestellte Schwellenwert).

report-used-threshold = Ein Bild wird als „{ $label }“ vorhergesagt, wenn seine Wahrscheinlichkeit mindestens { $threshold } ist{ $has_own_folds ->
        [true] {" "}(der Schwellenwert des Klassifikators; jeder Fold hat seinen eigenen)
       *[false] {""}
    }, { $rule ->
        [roc] der Schwellenwert mit dem größten Youden-Index, bestimmt auf: { $image_set }.
        [sensitivity] gewählt für eine Sensitivität von { $target }, bestimmt auf: { $image_set }.
        [specificity] gewählt für eine Spezifität von { $target }, bestimmt auf: { $image_set }.
        [threshold] von Hand gesetzt.
       *[highest] der voreingestellte Schwellenwert.
    }

report-threshold-results = Auf diesen Bildern ({ $image_set }) hat er eine Sensitivität von { $sensitivity } und eine Spezifität von { $specificity }{ $is_by_hand ->
        [true] ; die Tabelle enthält die Werte auf den gemessenen Bildern.
       *[false] . Auf anderen Bildern können beide niedriger sein, weil der Schwellenwert auf jenen Bildern gewählt wurde.
    }{ $has_bounds ->
        [true] {" "}Mit je 90 % Sicherheit haben weitere Bilder dieser Art eine Sensitivität von mindestens { $least_sensitivity } und eine Spezifität von mindestens { $least_specificity }.
       *[false] {""}
    }

report-threshold-not-chosen = Es ist der voreingestellte Schwellenwert: { $reason }.

report-operating-points = Vorhergesagt wird die Klasse mit dem größten Verhältnis von Wahrscheinlichkeit zu Arbeitspunkt. { $has_folds ->
        [true] Die Tabelle zeigt die Arbeitspunkte des endgültigen Klassifikators, bestimmt auf: { $image_set }.
       *[false] Sie wurden bestimmt auf: { $image_set }.
    }

column-operating-point = Arbeitspunkt

column-metric = Metrik

column-value = Wert

column-meaning = Bedeutung

column-precision = Präzision

column-recall = Sensitivität

column-specificity = Spezifität

column-average-precision = mittlere Präzision

report-title-own-test = Vergleich mit dem Testset des Trainings
    .subtitle = { $is_delivered ->
        [true] der ausgelieferte Klassifikator auf externen Bildern, der getestete auf dem Testset des Trainings
       *[false] derselbe Klassifikator, zwei Testsets
    }

report-difference-includes-zero = Ein Unterschied, dessen KI die 0 enthält, ist statistisch nicht signifikant.

column-own-test-set = Testset des Trainings

column-external-test-set = externes Testset

report-title-roc = ROC- und Precision-Recall-Kurven
    .subtitle = jede Klasse gegen alle anderen

report-roc-drawing = ROC-Kurve jeder Klasse gegen alle anderen Klassen, mit der Fläche unter der Kurve (AUROC).

report-precision-recall-drawing = Precision-Recall-Kurve jeder Klasse gegen alle anderen Klassen, mit der mittleren Präzision.

report-averaged-curves = Der Makro-Durchschnitt ist der Mittelwert der Kurven aller Klassen. Der Mikro-Durchschnitt fasst alle Paare von Bild und Klasse zusammen; häufige Klassen haben darin mehr Gewicht.

report-title-calibration = Kalibrierung
    .subtitle = vorhergesagte Wahrscheinlichkeit und Genauigkeit

report-calibration = Ein Klassifikator ist kalibriert, wenn seine Punkte auf der Diagonale liegen: 80{"\u00A0"}% der Vorhersagen mit der Wahrscheinlichkeit 0,8 sind richtig.{ $n_other ->
        [0] {""}
        [one] {" "}Richtig und falsch beziehen sich hier auf die wahrscheinlichste Klasse. Mit dem Schwellenwert hat { $n_other } Bild eine andere vorhergesagte Klasse.
       *[other] {" "}Richtig und falsch beziehen sich hier auf die wahrscheinlichste Klasse. Mit dem Schwellenwert haben { $n_other } Bilder eine andere vorhergesagte Klasse.
    }

report-few-for-calibration = { $n_images ->
        [one] { $n_images } Bild ist
       *[other] { $n_images } Bilder sind
    } zu wenig für eine Abbildung der Genauigkeit nach vorhergesagter Wahrscheinlichkeit; nötig sind { $n_needed }.

report-calibration-drawing = Links: Genauigkeit nach vorhergesagter Wahrscheinlichkeit, in Klassen von Werten mit mindestens 10 Bildern; größere Punkte haben mehr Bilder, und kleine Punkte können durch Zufall neben der Diagonale liegen. Rechts: Anzahl der Bilder nach vorhergesagter Wahrscheinlichkeit.

report-classes-of-both-sets = Alle Metriken, auch Genauigkeit und Kalibrierungsfehler, sind die der Bilder der { $n_classes ->
        [one] einzigen Klasse
       *[other] { $n_classes } Klassen
    } in beiden Testsets.

report-independent-test-sets = Das KI des Unterschieds setzt unabhängige Testsets voraus: Kein Patient und kein Objektträger ist in beiden.

# Sections of a comparison

comparison-pair = { $second } im Vergleich mit { $first }

comparison-common-images = { $n_images ->
        [one] { $n_images } gemeinsames Testbild
       *[other] { $n_images } gemeinsame Testbilder
    }{ $n_groups ->
        [0] {""}
        [one] {" "}aus { $n_groups } Gruppe
       *[other] {" "}aus { $n_groups } Gruppen
    }{ $n_ungrouped ->
        [0] {""}
       *[other] {" "}({ $n_ungrouped } ohne Gruppe)
    }

comparison-labels = { $labels ->
        [first] Mit den Labels des ersten Trainings
       *[second] Mit den Labels des zweiten Trainings
    }

comparison-mcnemar = Nur in { $first } richtig: { $n_first ->
        [one] { $n_first } Bild
       *[other] { $n_first } Bilder
    }; nur in { $second }: { $n_second ->
        [one] { $n_second } Bild
       *[other] { $n_second } Bilder
    }{ $has_p ->
        [true] {" "}(exakter McNemar-Test: p = { $p }; bei wenigen solchen Bildern genauer als das p der Genauigkeit in der Tabelle, das eine Näherung ist)
       *[false] . Der McNemar-Test gilt nicht für Bilder in Gruppen. Das p der Genauigkeit ist über Gruppen berechnet.
    }

comparison-differences = Unterschiede zwischen den Trainings

comparison-no-difference = Keine: Rezept, Bilder und Aufteilung sind gleich.

comparison-runs = Metriken jedes Trainings

comparison-fit = { $metric ->
        [train_accuracy] Genauigkeit auf Trainingsbildern (wahrscheinlichste Klasse)
        [train_f1] F1 auf Trainingsbildern (wahrscheinlichste Klasse)
        [val_accuracy] Genauigkeit auf Validierungsbildern (wahrscheinlichste Klasse)
       *[val_f1] F1 auf Validierungsbildern (wahrscheinlichste Klasse)
    }

comparison-adapted-labels = Labels aus dem anderen Labor

comparison-at-home = Ein Klassifikator wurde an ein anderes Labor angepasst. Die Unterschiede sind die auf Bildern aus dem Labor des Trainings.

comparison-overlap = Ob sich zwei Trainings unterscheiden, zeigt das Intervall ihres Unterschieds. Überlappende Intervalle einzelner Werte beantworten diese Frage nicht.

# Sections of a spot check

column-expected = erwartet

column-labels-alone = nur Labels

column-labels-and-predictions = Labels und Vorhersagen

column-equivalent-labels = äquivalente Labels

spot-check-accuracy = Genauigkeit auf diesen Bildern

spot-check-expected = Die erwartete Genauigkeit ist die Genauigkeit auf den Testbildern des Trainings, bei den Klassenanteilen der Labels. Jede Probe hat dasselbe Gewicht.

spot-check-proportions = Anteile

spot-check-methods = Gezählt: Zahl der Vorhersagen, die durch Fehler des Klassifikators verzerrt sind. Korrigiert: setzt die Fehler auf den Testbildern voraus. Nur Labels: ohne Vorhersagen. Labels und Vorhersagen: Prediction-Powered Inference (PPI++), die über Fehler nichts voraussetzt; „Äquivalente Labels“ ist die Anzahl der Labels, die ohne Vorhersagen dasselbe Intervall ergäben.

# Dataset, learning curve, leakage estimate, prediction sets and out-of-distribution images

report-duplicates = { $n_images ->
        [one] { $n_images } verwendetes Bild hat ein Duplikat oder Beinahe-Duplikat.
       *[other] { $n_images } verwendete Bilder haben Duplikate oder Beinahe-Duplikate.
    } { $may_be_divided ->
        [true] Solche Bilder können in mehreren Sets sein.
       *[false] Solche Bilder sind immer im selben Set.
    }

report-no-near-duplicate-search = Beinahe-Duplikate (gedrehte, zugeschnittene oder neu komprimierte Kopien) wurden nicht gesucht.

report-untested = { $n_images ->
        [one] { $n_images } verwendetes Bild konnte
       *[other] { $n_images } verwendete Bilder konnten
    } nicht getestet werden: Kein Trainingsbild des Folds hat die Klasse, oder das Bild ließ sich nicht lesen. Die Metriken enthalten { $n_images ->
        [one] es
       *[other] sie
    } nicht.

column-total = gesamt

report-class-count = { $n_classes } Klassen

report-images-per-domain = Bilder je Domäne

report-excluded-images-note = split.csv nennt die Bilder, die das Training ausgeschlossen hat, mit Gründen.

report-excluded-images = { $n_images ->
        [one] { $n_images } ausgeschlossenes Bild
       *[other] { $n_images } ausgeschlossene Bilder
    }

report-image-sources = Ordner der Bilder

report-all-images = alle Bilder

report-excluded-by-hand = von Hand ausgeschlossen

report-no-reason = kein Grund angegeben

report-source = { $root }{ $has_fingerprint ->
        [true] {" "}· Fingerabdruck { $fingerprint }
       *[false] {""}
    }

report-title-images = Datensatz
    .subtitle = Bilder jeder Klasse in jedem Set

excluded-without-label = ohne Label

excluded-by-hand = von Hand

excluded-other-reasons = andere Gründe

column-reason = Grund

report-examples = Die Bilder wurden zufällig gezogen (Seed { $seed }) und nicht von Hand ausgewählt. Der Maßstab ist in Pixeln, wenn die Dateien keine Pixelgröße enthalten. Bilder mit mehr als 8 Bit sind jeweils auf ihren eigenen Wertebereich skaliert.

report-examples-drawing = Bis zu { $n_images } Bilder von jeder von { $n_classes } Klassen, alle im selben Maßstab.

report-title-examples = Beispielbilder
    .subtitle = jeder Klasse

report-largest-classes = Gezeigt sind die { $n_shown } größten von { $n_classes } Klassen.

report-corrected-labels = { $n_images ->
        [one] { $n_images } Testbild dieses Trainings hat ein anderes Label
       *[other] { $n_images } Testbilder dieses Trainings haben ein anderes Label
    } als in dem Training, das die Aufteilung erzeugt hat. Wenn nur falsch klassifizierte Bilder geprüft wurden, können die Metriken mit den korrigierten Labels zu hoch sein, weil falsche Labels bleiben, die mit dem Klassifikator übereinstimmen. Berichten Sie die Metriken mit den früheren Labels.

column-earlier-labels = frühere Labels

column-corrected-labels = korrigierte Labels

column-first-training-earlier-labels = erstes Training, frühere Labels

report-title-relabeled = Korrigierte Labels von Testbildern
    .subtitle = Metriken mit früheren und mit korrigierten Labels

report-instant-classifier = Sofort-Klassifikator

report-nearest-neighbor = nächster Nachbar

report-leakage-drawing = { $metric } von zwei schnellen Klassifikatoren mit einer Aufteilung Bild für Bild und einer nach Gruppen. Linien sind 95-%-KI.

report-title-leakage-estimate = Schätzung des Datenlecks
    .subtitle = Aufteilung Bild für Bild gegen Aufteilung nach Gruppen

column-image-level-split = Aufteilung Bild für Bild

column-grouped-split = Aufteilung nach Gruppen

report-no-doubling = Die Wirkung von mehr Bildern lässt sich nicht schätzen: { $reason }.

report-flat-learning-curve = Doppelt so viele Bilder wie diese für Training und Validierung würden das Ergebnis um etwa { $change } ändern. Die Lernkurve ist flach.

report-doubling = Doppelt so viele Bilder wie diese für Training und Validierung ({ $n_doubled } statt { $n_images }) würden das Ergebnis um etwa { $change } ändern.{ $is_significant ->
        [true] {""}
       *[false] {" "}Das ist nicht statistisch signifikant.
    }

report-final-classifier-gain = Die Klassifikatoren der Folds wurden auf je etwa { $n_of_fold } Bildern trainiert, der endgültige auf { $n_images }. Nach der Lernkurve ändert dies Makro-F1 auf neuen Bildern um etwa { $change }.

report-learning-curve-drawing = Fehler (1 − Makro-F1) nach der Zahl der Bilder für Training und Validierung, extrapoliert auf doppelt so viele. Linien sind 95-%-KI.

report-learning-curve-method = Sofort-Klassifikatoren wurden auf Teilmengen der { $has_folds ->
        [true] Bilder trainiert, die auch die Testbilder der Folds sind,
       *[false] Trainings- und Validierungsbilder trainiert
    } und auf den übrigen bewertet, zehnmal oder bei vielen Bildern fünfmal. { $has_folds ->
        [true] Keine Entscheidung beruht auf der Kurve.
       *[false] Testbilder wurden nicht verwendet.
    } Die gestrichelte Linie extrapoliert den Fehler auf doppelt so viele Bilder, und ihr KI enthält die Unsicherheit der Extrapolation.{ $is_finetuned ->
        [true] {" "}Die Feinabstimmung wurde nicht wiederholt, weil sie weit länger dauert. Der Gewinn eines feinabgestimmten Netzes kann anders sein.
       *[false] {""}
    }

report-learning-curve-without-groups = Gruppen sind nicht bekannt. Wenn mehrere Bilder von einem Objektträger oder Patienten stammen, bringen mehr Bilder derselben Objektträger weniger als hier.

report-learning-curve-groups = Doppelt so viele Bilder bedeutet doppelt so viele Gruppen ({ $n_doubled } statt der { $n_groups }, an die der Klassifikator angepasst wurde). Mehr Bilder derselben Gruppen bringen weniger.

report-title-learning-curve = Lernkurve
    .subtitle = Wirkung von doppelt so vielen Bildern für Training und Validierung

report-no-prediction-sets = Es gibt keine Vorhersagemengen. Eine Abdeckung von { $target } je Klasse braucht { $n_needed } Kalibrierungsbilder einer Klasse, die nicht zum Training verwendet wurden, und keine Klasse hat so viele.

report-prediction-sets = Eine Vorhersagemenge nennt die plausiblen Klassen eines Bildes. Sie enthält immer die wahrscheinlichste Klasse. Ziel ist, dass bei { $target } der Bilder jeder Klasse die wahre Klasse in der Menge ist, im Mittel über Trainings; in einem einzelnen Training haben manche Klassen weniger. Von { $n_images ->
        [one] { $n_images } hier gemessenen Bild
       *[other] { $n_images } hier gemessenen Bildern
    } gilt das für { $coverage }. Eine Menge hat im Mittel { $mean_size } Klassen, und { $n_single ->
        [one] { $n_single } Menge hat
       *[other] { $n_single } Mengen haben
    } eine Klasse. Das Ziel gilt für Bilder wie die Trainingsbilder; für Bilder aus einer anderen Quelle gilt es nicht.

report-large-sets = Solche Mengen sagen wenig aus: Sie enthalten im Mittel { $mean_size } von { $n_classes } Klassen. Sie sind groß, wenn Klassen schwer zu unterscheiden sind oder wenn eine Klasse wenige Kalibrierungsbilder hat.

report-sets-of-final-classifier = { $has_folds ->
        [true] Die Klassifikatoren der Folds haben keine Vorhersagemengen, weil in einem Fold keine Klasse { $n_needed } Kalibrierungsbilder hat.
       *[false] Die Vorhersagen dieser Bilder haben keine Vorhersagemengen.
    } Der endgültige Klassifikator hat Vorhersagemengen mit einer Ziel-Abdeckung von { $target } je Klasse.

report-coverage-guarantee = { $has_folds ->
        [true] Die Mengen des endgültigen Klassifikators
       *[false] Die Mengen
    } wurden auf { $calibrated_on ->
        [held-out] Trainingsbildern kalibriert, jedes vorhergesagt von einem linearen Klassifikator, der ohne dieses Bild trainiert wurde (kreuzkonform). Garantiert ist eine Abdeckung von { $lowest } der Bilder einer Klasse; üblich ist das Ziel.
        [folds] den Validierungsbildern aller Folds kalibriert, jedes vorhergesagt vom Netz seines Folds (kreuzkonform). Garantiert ist eine Abdeckung von { $lowest } der Bilder einer Klasse; üblich ist das Ziel.
       *[validation] Validierungsbildern kalibriert, auf denen auch andere Entscheidungen beruhen. Jedes Bild wurde von einer letzten Schicht vorhergesagt, die ohne dieses Bild angepasst wurde. Die Abdeckung gilt daher ungefähr.
    }

report-in-every-set = Diese Klassen haben weniger als { $n_needed } Kalibrierungsbilder und sind daher in jeder Menge: { $labels }.

report-coverage-of-groups = Die Kalibrierung behandelt Bilder als unabhängig, obwohl Bilder einer Gruppe sich ähneln. Das Ziel gilt daher für weitere Bilder derselben Gruppen. Bilder neuer Gruppen erreichen fast dieselbe Abdeckung, wenn eine Klasse viele kleine Gruppen hat, und weniger, wenn sie wenige große hat. Die Tabelle nennt die Gruppen mit der niedrigsten Abdeckung.

report-coverage-of-folds = Die Tabelle zeigt stattdessen die Netze der Folds. Ihre Mengen wurden auf den Validierungsbildern jedes Folds kalibriert.

column-class-or-group = Klasse oder Gruppe

column-true-class-in-set = wahre Klasse in der Menge

column-mean-set-size = mittlere Größe der Menge

report-group-name = Gruppe { $name }

report-title-prediction-sets = Vorhersagemengen

report-unfamiliar = { $n_unfamiliar } von { $n_images ->
        [one] { $n_images } hier gemessenen Bild
       *[other] { $n_images } hier gemessenen Bildern
    } { $n_unfamiliar ->
        [one] ist
       *[other] sind
    } als ungewohnt markiert (out-of-distribution, OOD): Die Merkmale sind von jeder Klasse weiter entfernt als die von fast allen Trainingsbildern. Die Metriken enthalten diese Bilder.

report-ood-folds = Jedes Bild wurde in dem Fold gemessen, dessen Testbild es ist, mit dem Schwellenwert dieses Folds.

report-ood-threshold = { $has_folds ->
        [true] Der OOD-Schwellenwert des endgültigen Klassifikators
       *[false] Der OOD-Schwellenwert
    } wurde auf { $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bildern
    } festgelegt ({ $set_on ->
        [held-out] { $has_folds ->
            [true] Trainingsbilder, jedes ohne seine eigenen Merkmale bewertet
           *[false] Trainings- und Validierungsbilder, jedes ohne seine eigenen Merkmale bewertet
        }
        [folds] bewertet von den Netzen der Folds, die nicht auf ihnen trainiert wurden
       *[validation] Validierungsbilder, auf denen auch andere Entscheidungen beruhen
    }). { $n_beyond ->
        [one] { $n_beyond } davon überschreitet ihn.
       *[other] { $n_beyond } davon überschreiten ihn.
    } { $has_folds ->
        [true] Die hier gemessenen Bilder gehören dazu.
       *[false] Testbilder wurden nicht verwendet.
    }

report-ood-benchmarks = In Benchmarks wurden fast alle Bilder mit anderer Färbung, anderem Gerät oder anderem Objekt als ungewohnt markiert. Ein neuer Zelltyp, der wie eine bekannte Klasse aussieht, wird oft nicht erkannt.

column-predicted-class = vorhergesagte Klasse

column-ood-score = OOD-Wert (Schwellenwert: 1)

report-unfamiliar-group = { $name } ({ $n_unfamiliar } von { $n_images })

report-unfamiliar-groups = In { $n_many } von { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    } von Testbildern sind mindestens { $n_fewest } Bilder und mehr als { $share } ungewohnt{ $n_many ->
        [0] .
       *[other] { $is_cut ->
            [true] : die ersten: { $groups }.
           *[false] : { $groups }.
        }
    }

report-title-unfamiliar = Bilder außerhalb der Verteilung (OOD)

column-image = Bild

report-set = { $split ->
        [train] Training
        [val] Validierung
        [test] Test
        [tested-once] einmal getestet
        [untested] nicht getestet
       *[excluded] ausgeschlossen
    }

report-learning-curve-limits = Die Kurve zeigt nicht, welche Klasse mehr Bilder braucht, und sie gilt nicht für Bilder aus einem anderen Labor.

column-macro-f1 = Makro-F1

report-suspected-labels = { $n_suspected ->
        [0] Bei keinem von { $n_checked ->
            [one] { $n_checked } Label
           *[other] { $n_checked } Labels
        } wird ein Fehler vermutet.
       *[other] Prüfen Sie { $n_suspected } von { $n_checked ->
            [one] { $n_checked } Label
           *[other] { $n_checked } Labels
        } zuerst: Diese Bilder gleichen einer anderen Klasse so sehr wie deren eigene Bilder. Wie viele dieser Labels falsch sind, ist nicht bekannt, denn auch der Klassifikator macht Fehler.
    }

report-misclassified = Insgesamt { $n_images ->
        [one] ist { $n_images } Bild falsch klassifiziert, meist weil es schwer zu klassifizieren ist.
       *[other] sind { $n_images } Bilder falsch klassifiziert, meist weil sie schwer zu klassifizieren sind.
    }

report-labels-checked-by = Die Labels wurden verglichen mit { $checked_by ->
        [folds] den Netzen der Folds, jeweils auf deren eigenen Testbildern.
       *[other] linearen Klassifikatoren, die ohne diese Bilder, ihre Gruppen und Duplikate angepasst wurden.
    }

report-label-correction = Wenn Sie unter den Testbildern nur vermutete Fehler korrigieren, können die Ergebnisse zu hoch werden, denn falsche Labels, denen der Klassifikator zustimmt, bleiben. Prüfen Sie für eine faire Korrektur auch eine zufällige Stichprobe der Testbilder.

report-group-predictions = Jede von { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    } von Testbildern erhält eine Vorhersage aus allen ihren Bildern: die Klasse mit der höchsten mittleren logarithmierten Wahrscheinlichkeit. Die Entscheidungsschwellen einzelner Bilder werden nicht verwendet.

report-mixed-groups = Ausgeschlossen, weil ihre Bilder zu mehreren Klassen gehören: { $n_groups ->
        [one] { $n_groups } Gruppe.
       *[other] { $n_groups } Gruppen.
    }

report-images-without-group = Hier nicht gezählt, weil ihre Gruppe nicht bekannt ist: { $n_images ->
        [one] { $n_images } Bild.
       *[other] { $n_images } Bilder.
    }

report-few-predicted-groups = Bei so wenigen Gruppen sind diese Metriken unsicher.

report-subgroups = Jede Zeile umfasst die Bilder mit einem Wert in einer Spalte der Tabelle des Datensatzes. Ein Unterschied ist der Wert der Zeile minus den Wert aller anderen Bilder.

report-significant-subgroups = Für sich genommen ist der Unterschied der Genauigkeit statistisch signifikant bei { $subgroups }.

report-small-subgroups = Weniger als 20 Bilder oder 5 Gruppen, deshalb vorsichtig zu deuten: { $subgroups }.

report-subgroups-without-class = Hier fehlen Bilder mancher Klassen, sodass Makro-F1 ein Mittel über weniger Klassen ist: { $subgroups }.

report-subgroup-proportions = Auch verschiedene Klassenanteile führen zu Unterschieden zwischen Teilgruppen.

report-many-subgroups = Von { $n_rows } Zeilen ist durch Zufall jeder zwanzigste Unterschied signifikant.

report-subgroup-lacks-classes = ohne { $n_classes ->
        [one] { $n_classes } Klasse
       *[other] { $n_classes } Klassen
    }

report-map-checks = Eine Heatmap zeigt, welche Bereiche eines Bildes für eine Klasse sprechen. Jede Methode wurde geprüft auf { $checked_on ->
        [validation] { $n_images ->
            [one] { $n_images } Validierungsbild
           *[other] { $n_images } Validierungsbildern
        }
        [training] { $n_images ->
            [one] { $n_images } Trainingsbild
           *[other] { $n_images } Trainingsbildern
        }
       *[explained] { $n_images ->
            [one] dem { $n_images } erklärten Bild
           *[other] den { $n_images } erklärten Bildern
        }
    }. Sie besteht, wenn sich ihre Karten bei zufälligen Gewichten des Netzes ändern (Rangkorrelation höchstens 0,5) und wenn die vorhergesagte Wahrscheinlichkeit schneller sinkt, falls das Bild in der Reihenfolge der Karte statt von der Mitte nach außen unscharf gemacht wird.

report-shown-map = coverslip zeigt die erste Methode, die beide Prüfungen bestanden hat. Eine Heatmap zeigt nicht, ob die Vorhersage richtig ist.

report-fold-curves-drawing = Verlust, Makro-F1 und Genauigkeit auf Validierungsbildern nach Epoche. Jeder Fold hat eine Linie.

report-curves-drawing = Verlust, Makro-F1 und Genauigkeit nach Epoche.{ $has_start ->
        [true] {" "}Epoche 0 ist der Klassifikator, mit dem die Feinabstimmung beginnt; er ist allein an Trainingsbilder angepasst.
       *[false] {""}
    }

report-selected-epoch = Epoche { $epoch } von { $n_epochs } wird behalten: { $selection ->
        [last] die letzte.
       *[best] die mit dem besten Wert für { $metric } auf { $set ->
            [test] Testbildern.
           *[validation] Validierungsbildern.
        }
    }

report-curves-without-refit = { $has_augmentation ->
        [true] Die Kurven zeigen Ergebnisse der Validierung ohne Augmentierung beim Testen und ohne die letzte Anpassung der letzten Schichten; ausgewählt wurde mit beidem.
       *[false] Die Kurven zeigen Ergebnisse der Validierung ohne die letzte Anpassung der letzten Schichten; ausgewählt wurde mit ihr.
    }

report-misclassifications-shown = { $n_shown } von { $n_images }, mit vorhergesagter Klasse, Label und Wahrscheinlichkeit

report-confusion-matrix = Konfusionsmatrix von { $n_classes } Klassen. Zeilen sind wahre Klassen, Spalten vorhergesagte Klassen. Die Tönung ist der Anteil an der Zeile.{ $has_numbers ->
        [true] {" "}Die Spalten haben die Nummern der Zeilen.
       *[false] {""}
    }

report-most-confused-classes = Konfusionsmatrix der { $n_classes } am häufigsten verwechselten Klassen, nummeriert wie in der ganzen Matrix. Zeilen sind wahre Klassen, Spalten vorhergesagte Klassen. Die Tönung ist der Anteil an der Zeile.

report-two-classes-subtitle = positive Klasse: „{ $label }“

report-positive-class = { $is_set ->
        [true] „{ $label }“ ist die positive Klasse (im Rezept angegeben).
       *[false] „{ $label }“ ist die positive Klasse (aus den Namen der Klassen abgeleitet).
    } Das Rezept kann die andere wählen.

report-meaning-of-two-classes = { $metric ->
        [sensitivity] Anteil der Bilder von „{ $positive }“, die als „{ $positive }“ vorhergesagt sind
        [specificity] Anteil der Bilder von „{ $negative }“, die als „{ $negative }“ vorhergesagt sind
        [ppv] Anteil der als „{ $positive }“ vorhergesagten Bilder, die „{ $positive }“ sind; niedriger, wenn „{ $positive }“ seltener ist als hier
       *[npv] Anteil der als „{ $negative }“ vorhergesagten Bilder, die „{ $negative }“ sind; niedriger, wenn „{ $positive }“ häufiger ist
    }

report-predictive-values = { $share } der hier gemessenen Bilder sind { $label }. Die prädiktiven Werte hängen von diesem Anteil ab, Sensitivität und Spezifität nicht, solange die Bilder einer Klasse gleich aussehen.

report-ppv-and-npv = PPV ist der Anteil der als { $label } vorhergesagten Bilder, die { $label } sind. NPV ist der Anteil der übrigen Bilder, die nicht { $label } sind.

report-predictive-ranges = Hinter jedem Wert steht der Bereich von den unteren bis zu den oberen Grenzen der KI von Sensitivität und Spezifität.

report-title-two-classes = Sensitivität und Spezifität

report-title-confusion = Konfusionsmatrix

report-title-prevalence = Prädiktive Werte nach Klassenanteil

report-title-groups = Metriken je Gruppe
    .subtitle = eine Vorhersage je Patient, Objektträger oder Well

report-title-subgroups = Teilgruppen

report-subgroup-columns = nach { $columns }

report-title-misclassified = Sicherste Fehlklassifikationen

report-title-label-errors = Vermutete Labelfehler

report-title-map-checks = Prüfungen der Heatmaps

report-title-limits = Einschränkungen

report-title-curves = Trainingskurven
    .subtitle = nach Epoche der Feinabstimmung

column-accuracy = Genauigkeit

column-checks = Prüfungen

column-correlation-with-random-weights = Korrelation bei zufälligen Gewichten

column-difference-in-accuracy = Unterschied der Genauigkeit

column-difference-in-macro-f1 = Unterschied von Makro-F1

column-gain-with-bound = Gewinn gegenüber der Mitte (untere 95-%-Grenze)

column-label = Label

column-method = Methode

column-misclassified = falsch klassifiziert

column-npv = NPV

column-ppv = PPV

column-predicted-as = vorhergesagt als

column-proportion = Anteil von { $label }

column-score = Wert

column-set = Set

column-share-of-class = Anteil an der Klasse

column-subgroup = Teilgruppe

column-suggested-class = vorgeschlagene Klasse

column-true-class = wahre Klasse

report-passed = bestanden

report-failed = nicht bestanden

report-metric-of-two-classes = { $metric ->
        [sensitivity] Sensitivität
        [specificity] Spezifität
        [ppv] PPV
       *[npv] NPV
    }

report-group-metric = { $metric ->
        [accuracy] Genauigkeit
        [balanced_accuracy] Balancierte Genauigkeit
        [sensitivity] Sensitivität
        [specificity] Spezifität
        [ppv] PPV
       *[npv] NPV
    }
    .meaning = { $metric ->
        [accuracy] Anteil der Gruppen, die richtig klassifiziert sind
        [balanced_accuracy] Mittel dieses Anteils über die Klassen
        [sensitivity] Anteil der positiven Gruppen, die als positiv vorhergesagt sind
        [specificity] Anteil der negativen Gruppen, die als negativ vorhergesagt sind
        [ppv] Anteil der als positiv vorhergesagten Gruppen, die positiv sind
       *[npv] Anteil der als negativ vorhergesagten Gruppen, die negativ sind
    }

report-empty-cell = (leer)

report-few-images = wenige

report-labels-not-checked = { $n_labels ->
        [one] Nicht geprüft: { $n_labels } Label.
       *[other] Nicht geprüft: { $n_labels } Labels.
    }

report-too-few-images = zu wenige Bilder

report-misclassified-by-class = Falsch klassifizierte Bilder nach Klasse

report-threshold-by-hand = Die Entscheidungsschwelle wurde von Hand festgelegt. Wenn das nach einem Blick auf die Testergebnisse des Trainings geschah, sind die Metriken auf diesem Testset zu hoch.

report-own-test-relabeled = { $n_images ->
        [one] { $n_images } Bild des Testsets des Trainings erhielt
       *[other] { $n_images } Bilder des Testsets des Trainings erhielten
    } ein anderes Label nach einem Blick auf falsch klassifizierte Bilder, sodass die Metriken auf diesem Testset zu hoch sein können.

report-partly-labeled = Nur { $n_labeled } von { $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bildern
    } { $n_labeled ->
        [one] hat
       *[other] haben
    } ein Label. Wenn diese ausgewählt wurden, weil der Klassifikator bei ihnen unsicher war, etwa beim Prüfen von Vorhersagen, sind die Metriken für die anderen zu niedrig.

report-unfinished-training = Das Training war nicht beendet, als diese Bilder gemessen wurden: Die Metriken sind vom Klassifikator bis dahin. Setzen Sie das Training fort oder beenden Sie es, und messen Sie dann noch einmal.

report-rescaled = Bilder mit bekannter Pixelgröße wurden vor der Messung auf die Pixelgröße der Trainingsbilder umgerechnet.

report-other-pixel-size = { $n_images ->
        [one] { $n_images } Bild hat
       *[other] { $n_images } Bilder haben
    } eine andere Pixelgröße als die Trainingsbilder, ohne Umrechnung. Objekte können größer oder kleiner erscheinen als im Training.

report-other-pixels = Es wurden andere Pixel der Dateien gelesen als im Training, gezählt ab 0: { $differences }. Die Metriken gelten für diese Pixel.

report-unknown-training-images = Es ist nicht bekannt, welche dieser Bilder für das Training verwendet wurden, sodass die Metriken zu hoch sein können.

report-used-in-training = { $n_images ->
        [one] { $n_images } Bild, eine andere Ebene davon oder ein Duplikat wurde
       *[other] { $n_images } Bilder, andere Ebenen davon oder Duplikate wurden
    } für das Training verwendet. Metriken auf solchen Bildern sind zu hoch.

report-groups-of-training = { $n_images ->
        [one] { $n_images } Bild hat
       *[other] { $n_images } Bilder haben
    } einen Namen einer Gruppe, den auch Trainingsbilder haben. Wenn es dieselben Patienten oder Objektträger sind, sind die Metriken für neue zu hoch.

report-evaluation-without-groups = Es sind keine Gruppen bekannt. Wenn mehrere dieser Bilder von einem Patienten oder Objektträger stammen, sind die Konfidenzintervalle zu schmal.

report-without-group = { $n_images ->
        [one] { $n_images } Bild hat keine bekannte Gruppe und kann
       *[other] { $n_images } Bilder haben keine bekannte Gruppe und können
    } zu einer Gruppe in einem anderen Set gehören

column-labels = Labels

run-without-results = Dieses Training hat noch keine Ergebnisse
    .do = Lassen Sie das Training zu Ende laufen, oder setzen Sie es fort.

evaluation-without-results = Diese Auswertung hat noch keine Ergebnisse
    .do = Lassen Sie sie zu Ende laufen, oder starten Sie sie noch einmal.

number-of-compared-runs = Ein Vergleich braucht mindestens zwei und höchstens { $most } Trainings, nicht { $n_runs }
    .do = Wählen Sie 2 bis { $most } Trainings.

run-compared-twice = Ein Training ist zweimal genannt
    .do = Nennen Sie jedes Training einmal.
