# Trainings and experiments: before, during and after training, time budgets, memory, evaluation.

## Stopping

work-stopped = Die Arbeit wurde angehalten
    .do = Führen Sie sie noch einmal aus. Der bisherige Fortschritt ist gespeichert.

time-over = Die Zeit für diese Arbeit ist abgelaufen
    .do = Geben Sie mehr Zeit.

training-stopped = Das Training wurde angehalten; der bisher beste Klassifikator ist gespeichert, aber noch nicht auf Testbildern evaluiert
    .do = { $can_finish ->
        [true] Setzen Sie das Training später fort, oder schließen Sie es jetzt mit diesem Klassifikator ab.
       *[false] Setzen Sie das Training fort.
    }

training-stopped-early = Das Training wurde angehalten, bevor es einen Klassifikator gab
    .do = Setzen Sie das Training fort.

cross-validation-stopped = Das Training wurde angehalten; der Fortschritt der Folds ist gespeichert
    .do = Setzen Sie das Training fort.

evaluation-stopped = Die Evaluation wurde angehalten
    .do = Starten Sie sie noch einmal. Es wurden noch keine Metriken berechnet.

stopping = Das Training hält nach diesem Schritt an.

unknown-listener = Es gibt keinen Listener „{ $name }“
    .do = Wählen Sie einen von diesen: { $names }.

listener-not-opened = Der Listener „{ $name }“ kann nicht geöffnet werden ({ $reason })
    .do = Aktualisieren oder entfernen Sie das Paket, das ihn enthält.

mlflow-not-opened = MLflow kann den Ort nicht öffnen, den MLFLOW_TRACKING_URI angibt ({ $reason })
    .do = Setzen Sie MLFLOW_TRACKING_URI auf die Adresse eines MLflow-Servers oder auf einen Ordner. Ohne diese Variable schreibt coverslip in den Ordner mlruns.

listener-fault = Der Listener für den Fortschritt ist ausgefallen ({ $reason }). Das Training läuft weiter.

run-is-finished = Das Training ist abgeschlossen
    .do = Trainieren Sie neu, in einem anderen Ordner.

finish-with-folds = Ein Training mit Folds kann nicht vorzeitig abgeschlossen werden, weil alle Folds auf dieselbe Weise trainiert werden müssen
    .do = Warten Sie, oder halten Sie es an und setzen Sie es später fort.

finish-in-first-step = Ein Training in zwei Schritten kann nicht während des ersten Schritts abgeschlossen werden
    .do = Warten Sie auf den zweiten Schritt, oder halten Sie das Training an und setzen Sie es später fort.

finish-without-fine-tuning = Ein Training ohne Feinabstimmung kann nicht vorzeitig abgeschlossen werden
    .do = Warten Sie, bis es endet.

finish-while-reading = Die Bilder werden noch gelesen
    .do = Warten Sie, bis das Training beginnt.

finished-early = Die Feinabstimmung wurde vorzeitig abgeschlossen, nach { $epochs_run } von { $epochs } Epochen.

## Before training

groups-chosen-and-ignored = Die Bilder wurden mit Gruppen nach „{ $group }“ geöffnet, aber das Rezept verwendet keine Gruppen
    .do = Öffnen Sie die Bilder ohne diese Gruppen, oder setzen Sie `group` nicht auf `none`.

opened-with-one-box = Die Bilder wurden mit einem gemeinsamen Rahmen für alle geöffnet, den Rezept und Klassifikator nicht speichern können
    .do = Tragen Sie die Rahmen in eine Tabelle ein, in den Spalten x, y, width und height.

budget-with-pretraining = Für ein Vortraining auf anderen Bildern kann kein Zeitlimit geplant werden
    .do = Trainieren Sie zuerst in einem eigenen Training vor. Beginnen Sie dann von diesem Training aus mit einem Zeitlimit.
    .fault = für ein Vortraining kann kein Zeitlimit geplant werden

budget-with-folds-from-scratch = Für eine Kreuzvalidierung mit zufälligen Anfangsgewichten kann kein Zeitlimit geplant werden
    .do = Trainieren Sie ohne Folds oder ohne Zeitlimit.
    .fault = für eine Kreuzvalidierung mit zufälligen Anfangsgewichten kann kein Zeitlimit geplant werden

one-domain = Es gibt nur eine Domäne, daher hat das Ziehen nach Domänen keine Wirkung.

few-images = Es gibt nur { $n_images ->
        [one] { $n_images } Bild mit Label
       *[other] { $n_images } Bilder mit Label
    } aus { $n_classes ->
        [one] { $n_classes } Klasse
       *[other] { $n_classes } Klassen
    }, daher sind die Ergebnisse nicht verlässlich. Geben Sie mindestens 20 Bildern je Klasse ein Label, besser 100.

near-duplicates = { $n_clusters ->
        [one] { $n_clusters } Menge von Beinahe-Duplikaten ({ $n_images } Bilder) bleibt
       *[other] { $n_clusters } Mengen von Beinahe-Duplikaten ({ $n_images } Bilder) bleiben
    } bei der Aufteilung zusammen.

too-many-for-near-duplicates = Unter mehr als { $most } verschiedenen Bildern ({ $n_images } Bilder) wird nicht nach Beinahe-Duplikaten gesucht, weil die Zeit mit dem Quadrat ihrer Anzahl zunimmt. Bilder mit gleichen Pixeln werden erkannt. Wenn Bilder vom selben Objektträger, Patienten oder Film stammen, legen Sie Gruppen fest.

near-duplicates-not-searched = Die Suche nach Beinahe-Duplikaten endete nicht innerhalb von { $duration }, einem Viertel der verbleibenden Zeit. Die Aufteilung berücksichtigt Beinahe-Duplikate nicht: Falls es welche gibt, sind die Ergebnisse zu optimistisch. Geben Sie mehr Zeit.

different-channels = Die Trainingsbilder haben unterschiedlich viele Kanäle: { $n_checked ->
        [0] { "" }
       *[other] von { $n_checked } geprüften Bildern{" "}
    }{ $counts }
    .do = { $advice }

color-changes-on-other-channels = { $keys } verändern Rot, Grün und Blau, aber die Trainingsbilder haben { $n_channels ->
        [one] { $n_channels } Kanal
       *[other] { $n_channels } Kanäle
    }
    .do = Schalten Sie sie aus.

canvas = Alle Bilder haben denselben Maßstab: { $canvas_px } ihrer Pixel füllen die Leinwand{ $n_shrunk ->
        [0] .
        [one] ; { $n_shrunk } größeres Trainingsbild von { $n_images } wird verkleinert, damit es passt.
       *[other] ; { $n_shrunk } größere Trainingsbilder von { $n_images } werden verkleinert, damit sie passen.
    }

## Initial weights and pretraining

weights-of-other-network = Die Gewichte passen nicht zum Netz ({ $reason })
    .do = Wählen Sie eine andere Initialisierung.

weight-shape-differs = Form { $shape } statt { $target_shape }

initial-network-differs = Das Training, von dem ausgegangen wird, hat ein anderes Netz
    .do = Trainieren Sie dasselbe Netz mit denselben Optionen und demselben head.

initial-run-changed = Das Training, von dem ausgegangen wird, hat sich geändert
    .do = Trainieren Sie neu.

unknown-class-of-initial-run = Das Training, von dem ausgegangen wird, hat keine Klasse „{ $name }“, die init.labels nennt
    .do = Ordnen Sie in init.labels jeder Klasse jenes Trainings ihren Namen hier zu. Jenes Training hat { $names }.

unknown-class-of-images = Die Bilder für das Training haben keine Klasse „{ $name }“, die init.labels nennt
    .do = Ordnen Sie in init.labels jeder Klasse jenes Trainings ihren Namen hier zu. Die Bilder haben { $names }.

labels-merge-classes = Nach init.labels würden { $names } des Trainings, von dem ausgegangen wird, hier alle zu „{ $name }“
    .do = Geben Sie jeder Klasse einen anderen Namen, oder entfernen Sie diejenigen, die hier nicht vorkommen.

unknown-initialization = Der Klassifikator, von dem ausgegangen wird, nennt nicht, mit welchen Bildern er trainiert wurde. Prüfen Sie, dass keines dieser Bilder darunter ist.

leaking-recipe = Mit { $keys } beeinflussen Testbilder das Training, sodass die Metriken zu hoch ausfallen
    .do = Entfernen Sie diese Einstellungen, oder nehmen Sie zu hohe Ergebnisse in Kauf.

no-validation-images = Ohne Validierungsbilder (split.val = 0) kann das Training { $keys } nicht so verwenden, wie es im Rezept steht
    .do = Setzen Sie epochs auf eine Zahl, stage_selection auf finetune, head_init auf random, refit_head auf false und decide_by auf highest; oder setzen Sie split.val auf mehr als 0.
    .fault = braucht Validierungsbilder, und split.val ist 0

budget-without-validation = Ein Zeitlimit braucht Validierungsbilder, und split.val ist 0
    .do = Setzen Sie split.val auf mehr als 0, oder trainieren Sie ohne Zeitlimit.
    .fault = ein Zeitlimit braucht Validierungsbilder

copies-of-planes = Kopien vor der Aufteilung brauchen einfache Bilder, und das Rezept liest Ebenen oder Kanäle davon
    .do = Entfernen Sie images.series, images.t, images.z, images.channels, images.level, channel_files und crop_size, oder setzen Sie split.copies auf 0.
    .fault = braucht einfache Bilder, ohne Ebenen oder Kanäle

copies-of-mixed-channels = Kopien vor der Aufteilung brauchen Dateien mit denselben Kanälen in einer Reihenfolge, denn Kopien haben keine Namen der Kanäle
    .do = Schreiben Sie alle Dateien mit den Kanälen in einer Reihenfolge, oder setzen Sie split.copies auf 0.
    .fault = braucht Dateien mit den Kanälen in einer Reihenfolge

protocol-checkpoint-selection-set = Wie in manchen Publikationen wird die Epoche nach den Testbildern gewählt, sodass die Metriken eher zu hoch ausfallen.

protocol-validation-copies = Wie in manchen Publikationen sind unter den Bildern, nach denen die Epoche gewählt wird, augmentierte Kopien.

protocol-normalization = Wie in manchen Publikationen werden die Intensitäten zweimal durch 255 geteilt.

protocol-split-balance = Wie in manchen Publikationen wird jede Klasse vor der Aufteilung auf die Größe der kleinsten verringert, daher hat das Testset gleich große Klassen, auch wenn der Datensatz sie nicht hat.

protocol-split-copies = Wie in manchen Publikationen werden Bilder vor der Aufteilung augmentiert. Kopien eines Bildes können im Trainings- und im Testset sein, sodass die Metriken zu hoch sein können.

images-of-pretraining-tested = { $n_images ->
        [one] { $n_images } von { $n_test } Testbildern wurde
       *[other] { $n_images } von { $n_test } Testbildern wurden
    } im Vortraining verwendet
    .do = Gehen Sie von anderen Bildern aus, oder nehmen Sie zu hohe Ergebnisse in Kauf.

leakage-of-pretraining = { $n_images ->
        [one] { $n_images } von { $n_test } Testbildern wurde
       *[other] { $n_images } von { $n_test } Testbildern wurden
    } im Vortraining verwendet, daher sind die Ergebnisse zu optimistisch.

pretraining = Zuerst kommt das Vortraining auf „{ $source }“. Dann wird das Netz mit Ihren Bildern trainiert.

pretraining-no-better = Das Vortraining hat das Anfangsnetz nicht verbessert; es wird unverändert verwendet.

## Preview of preprocessing and data augmentation

preview-preprocessed = vorverarbeitet

preview-augmented = augmentiert

## Training

training-diverged = Das Training ist divergiert: Der Verlust ist keine Zahl mehr
    .do = Verringern Sie die Lernrate.

diverged = Die Feinabstimmung ist nach Epoche { $epoch } divergiert. Verringern Sie die Lernrate.

no-second-phase = Die Feinabstimmung endete, bevor sie von Adam zu SGD wechselte: nach { $n_epochs } ihrer Epochen. Erlauben Sie mehr Epochen oder mehr Zeit, erhöhen Sie die Geduld, oder wechseln Sie früher zu SGD.

stages-compared = { $kept ->
        [finetune] Das feinabgestimmte Netz wird behalten.
       *[instant] Der Sofort-Klassifikator wird behalten.
    }{ $has_scores ->
        [true] {" "}{ $metric } auf Validierungsbildern{ $is_augmented ->
            [true] {" "}mit Testzeit-Augmentierung
           *[false] { "" }
        }: { NUMBER($finetune, minimumFractionDigits: 3, maximumFractionDigits: 3) } für das feinabgestimmte Netz, { NUMBER($instant, minimumFractionDigits: 3, maximumFractionDigits: 3) } für den Sofort-Klassifikator.
       *[false] { "" }
    }{ $is_close ->
        [true] {" "}Dieser Unterschied ist zu klein für eine Entscheidung.
       *[false] { "" }
    }{ $is_fixed ->
        [true] {" "}Das Rezept behält das feinabgestimmte Netz in jedem Fall.
       *[false] { "" }
    }

other-precision = Das Training wurde in { $now } fortgesetzt, nach Epochen in { $before }, weil diese GPU von anderer Art ist. Das Ergebnis weicht leicht von dem eines Trainings ohne Unterbrechung ab.

smaller-parts = Der Arbeitsspeicher reichte für einen Trainingsschritt nicht aus. Der Gradient eines Batches wird jetzt über Teile von { $images_at_once ->
        [one] { $images_at_once } Bild
       *[other] { $images_at_once } Bildern
    } aufsummiert. Der Gradient ist bis auf Rundung derselbe, und das Training dauert etwas länger.

step-out-of-memory = Der Arbeitsspeicher reicht für einen Trainingsschritt mit { $images_at_once ->
        [one] { $images_at_once } Bild
       *[other] { $images_at_once } Bildern
    } nicht aus
    .do = { $images_at_once ->
        [one] Verwenden Sie kleinere Bilder oder ein kleineres Netz, oder schließen Sie andere Programme.
       *[other] Verwenden Sie kleinere Batches, kleinere Bilder oder ein kleineres Netz, oder schließen Sie andere Programme.
    }

fine-tuning-out-of-memory = Die Feinabstimmung von { $model } bei { $image_size } px braucht selbst in kleinen Batches etwa { $needed } Arbeitsspeicher, und { $free } sind frei
    .do = Verwenden Sie kleinere Bilder oder ein kleineres Netz, oder schließen Sie andere Programme.

smaller-batches = Die Feinabstimmung von { $model } mit Batches von { $full_batch_size } braucht etwa { $needed } Arbeitsspeicher, und nur { $free } sind frei. Die Batchgröße wird auf { $batch_size } verringert.

checkpoint-not-usable = Der Checkpoint kann nicht verwendet werden: { $reason }
    .do = Trainieren Sie neu.

no-ood-detector = Ungewohnte Bilder (außerhalb der Trainingsverteilung) werden nicht erkannt: Dazu sind mindestens { $n_needed } zurückgehaltene Bilder nötig, und es gibt { $n_images ->
        [one] { $n_images }
       *[other] { $n_images }
    }.

few-images-for-threshold = mit weniger als { $n } Validierungsbildern gewählt

operating-point-replaced = { $reason }: { NUMBER($threshold, maximumFractionDigits: 3) } wird verwendet

target-not-shown = mit { $n_images ->
        [one] { $n_images } Bild
       *[other] { $n_images } Bildern
    } der { $aim ->
        [sensitivity] positiven Klasse lässt sich mit 90 % Sicherheit höchstens eine Sensitivität
       *[specificity] negativen Klasse lässt sich mit 90 % Sicherheit höchstens eine Spezifität
    } von { NUMBER($bound, maximumFractionDigits: 2) } zeigen statt { NUMBER($target, maximumFractionDigits: 3) }; der Schwellenwert mit dieser Schranke wird verwendet

doubtful-operating-points = Unzuverlässige Arbeitspunkte: { $names } ({ $reason }).

## Expected time

expected-time = Die erwartete Zeit{ $step ->
        [0] { "" }
       *[other] {" "}von Schritt { $step } von 2
    } beträgt auf diesem Rechner etwa { $duration }.{ $n_folds ->
        [0] { "" }
       *[other] {" "}Der Klassifikator wird { $n_trainings }-mal trainiert: für { $n_folds } Folds, dann auf allen Bildern.
    }

## Presets and time budgets

preset-not-offered = Die Voreinstellung { $preset } passt nicht zu diesem Rezept: { $reason ->
        [random-weights] mit zufälligen Anfangsgewichten gibt es keinen Sofort-Klassifikator
        [stated-size] das Rezept nennt die Bildgröße
        [stated-value] das Rezept nennt { $key } = { $value }
       *[network-size] das Netz { $model } nimmt keine Bilder der halben Seitenlänge an
    }
    .do = Wählen Sie eine andere Voreinstellung.

smaller-images = Bilder werden auf { $image_size } px skaliert, die Hälfte der üblichen Seitenlänge, um in die Zeit zu passen.

no-time-to-fine-tune = Für eine Feinabstimmung{ $n_networks ->
        [1] { "" }
       *[other] {" "}von { $n_networks } Netzen
    } reicht die Zeit nicht, daher wird der Sofort-Klassifikator behalten. Etwa { $duration } würden alle { $epochs } Epochen ermöglichen.

no-time-for-folds = Die Kreuzvalidierung wird ausgelassen, und eine einzelne Aufteilung misst den Klassifikator, weil für Folds mit zufälligen Anfangsgewichten kein Zeitlimit geplant werden kann.

fewer-epochs = Die Zeit reichte für { NUMBER($epochs_run, maximumFractionDigits: 1) } von { $epochs } Epochen. Etwa { $duration } würden alle ermöglichen.

budget-not-needed = Die Feinabstimmung endete nach { NUMBER($epochs, maximumFractionDigits: 1) } Epochen. Weitere Epochen würden die Ergebnisse kaum verbessern.

budget-exceeded = Das Zeitlimit von { $budget } ist auf diesem Rechner zu kurz. Das schnellste Training dieser Bilder wird ausgeführt und dauert insgesamt etwa { $duration }.

out-of-time = Die Zeit reichte nicht für die Feinabstimmung aller Folds, daher behalten alle den Sofort-Klassifikator.

no-time-for-all-folds = Die Zeit reichte nicht für die Feinabstimmung aller Netze der Kreuzvalidierung
    .do = Geben Sie mehr Zeit.

## Cross-validation

one-fold = Dies ist ein Fold eines Trainings
    .do = Setzen Sie das ganze Training fort, das diesen Fold enthält.

delivered-classifier = Die Metriken sind die des getesteten Klassifikators, der mit { $n_tested } Bildern trainiert ist, ohne die Testbilder. Die letzte Schicht des ausgelieferten Klassifikators, der neue Bilder vorhersagt, ist an alle { $n_images } Bilder angepasst. Er hat keine eigenen Metriken.

tested-classifier-delivered = Der ausgelieferte Klassifikator ist der getestete, da er nicht an alle Bilder angepasst werden kann: { $reason }.

refit = Der endgültige Klassifikator wird jetzt auf { $n_images } Bildern trainiert{ $n_epochs ->
        [0] .
        [one] , über { $n_epochs } Epoche, den Median der Folds.
       *[other] , über { $n_epochs } Epochen, den Median der Folds.
    }

## Evaluation and decisions

no-known-label = Keines der Bilder hat ein Label, das der Klassifikator kennt ({ $classes })
    .do = Verwenden Sie dieselben Namen für die Klassen, oder machen Sie die Vorhersage oder die Anpassung für diese Bilder ohne Labels.

unreadable-not-measured = { $n_images ->
        [one] { $n_images } Bild konnte
       *[other] { $n_images } Bilder konnten
    } nicht gelesen werden und { $n_images ->
        [one] ist
       *[other] sind
    } nicht in den Metriken enthalten.

no-label = { $n_images ->
        [one] { $n_images } Bild hat kein Label und ist
       *[other] { $n_images } Bilder haben kein Label und sind
    } nicht in den Metriken enthalten.

other-labels = { $is_dropped ->
        [true] { $n_images ->
            [one] { $n_images } Bild ausgeschlossener Klassen ist
           *[other] { $n_images } Bilder ausgeschlossener Klassen sind
        }
       *[false] { $n_images ->
            [one] { $n_images } Bild hat ein Label, das der Klassifikator nicht kennt, und ist
           *[other] { $n_images } Bilder haben Labels, die der Klassifikator nicht kennt, und sind
        }
    } ausgeschlossen ({ $labels }).

nearly-equal-labels = Das Label „{ $label }“ ist nicht die Klasse „{ $class_name }“: Sie unterscheiden sich nur in Großschreibung, Leerzeichen oder Strichen. Wenn es eine Klasse ist, verwenden Sie die Schreibweise der Klasse im Namen des Ordners oder in der Label-Spalte der Tabelle, und starten Sie noch einmal.

evaluated-images-changed = Die Bilder der Evaluation haben sich geändert
    .do = Stellen Sie sie wieder her, oder evaluieren Sie noch einmal.

groups-unknown = { $is_column ->
        [true] Die Bilder des Trainings wurden nach der Spalte „{ $group }“ gruppiert, aber diese Bilder kommen ohne Tabelle.
       *[false] Die Bilder des Trainings wurden nach „{ $group }“ gruppiert, bei diesen Bildern ist das aber nicht möglich: { $reason }.
    }

seen-in-training = { $n ->
        [one] { $n } dieser Bilder, eine andere Ebene davon oder ein Duplikat wurde
       *[other] { $n } dieser Bilder, andere Ebenen davon oder Duplikate wurden
    } zum Training des Klassifikators verwendet. Metriken auf solchen Bildern sind zu optimistisch.

groups-seen-in-training = { $n ->
        [one] { $n } dieser Bilder gehört zu einer Gruppe, mit der
       *[other] { $n } dieser Bilder gehören zu Gruppen, mit denen
    } der Klassifikator trainiert wurde ({ $names }). Wenn es dieselben Patienten oder Objektträger sind und nicht nur dieselben Namen, sind die Metriken zu optimistisch für neue.

run-without-metrics = Dieses Training hat noch keine Metriken
    .do = Lassen Sie das Training zu Ende laufen, oder setzen Sie es fort.

decision-target = { $decide_by ->
        [roc] Schwellen nach ROC
        [threshold] Schwelle von { NUMBER($value, maximumFractionDigits: 6) }
        [sensitivity] Ziel-Sensitivität von { NUMBER($value, maximumFractionDigits: 6) }
        [specificity] Ziel-Spezifität von { NUMBER($value, maximumFractionDigits: 6) }
       *[error_rate] Ziel-Fehlerrate von { NUMBER($value, maximumFractionDigits: 6) }
    }

decision-replaced = Diese Entscheidung ersetzt die frühere ({ $targets }). Um Ziele zu kombinieren, wählen Sie sie zusammen.

evaluations-decided-before = Bilder oder Netzausgaben dieser Evaluationen fehlen, daher bleiben ihre Metriken die der früheren Entscheidungsschwelle: { $evaluations }.

## Anpassung an ein anderes Labor

adapt-unfinished-run = Das Training dieses Klassifikators ist nicht beendet
    .do = Lassen Sie es enden, oder setzen Sie es fort.

adapt-file = Eine .coverslip-Datei enthält keine Trainingsbilder, die eine Anpassung braucht
    .do = Passen Sie das Training an, aus dem sie exportiert wurde, wo seine Bilder sind.

adapt-adapted-run = Dieser Klassifikator wurde selbst angepasst
    .do = Passen Sie den ersten Klassifikator an diese Bilder an.

adapt-finetuned-folds = Dieser Klassifikator wurde in { $n_folds } Folds und dann auf allen Bildern feinabgestimmt, sodass kein Bild bleibt, um seine Genauigkeit zu Hause vorher und nachher zu vergleichen
    .do = Trainieren Sie mit split.folds=0, und passen Sie diesen Klassifikator an.

adaptation-stopped = Die Anpassung wurde angehalten
    .do = Starten Sie sie noch einmal. Nichts bleibt davon zurück.

adapt-interrupted = Diese Anpassung wurde unterbrochen
    .do = Passen Sie erneut an, mit demselben --out: Sie beginnt von vorn.

decide-no-threshold = Für dieses Ziel wurde keine Schwelle gewählt: { $reason }. Die frühere Entscheidungsregel gilt weiter
    .do = Labeln Sie mehr Bilder, oder zeigen Sie mit „coverslip decide RUN“ die Schwellen, und wählen Sie eine von Hand.

decide-adapted-run = Dieser Klassifikator wurde an ein anderes Labor angepasst, und seine Validierungsbilder sind aus dem ersten
    .do = Entscheiden Sie für den ersten Klassifikator, und passen Sie ihn erneut an: Labels bestimmen dann die Schwellen.

adapt-few-images = { $n_images ->
        [one] { $n_images } Bild des anderen Labors ist lesbar und nicht ausgeschlossen
       *[other] { $n_images } Bilder des anderen Labors sind lesbar und nicht ausgeschlossen
    }, aber { $n_needed } sind nötig
    .do = Fügen Sie Bilder hinzu.

adapt-training-images = { $n_images ->
        [one] { $n_images } der neuen Bilder ist ein Trainingsbild
       *[other] { $n_images } der neuen Bilder sind Trainingsbilder
    } dieses Klassifikators
    .do = Lassen Sie sie weg: Der Klassifikator wurde auf sie angepasst.

adapt-without-training-images = Der Klassifikator kann ohne seine Trainingsbilder nicht angepasst werden: { $reason }
    .do = Passen Sie ihn dort an, wo seine Bilder unverändert liegen.

adapt-label-of-other-image = Das Bild „{ $name }“ mit Label ist keines der neuen Bilder
    .do = Geben Sie nur neuen Bildern Labels: Sie werden an ihren Pixeln erkannt.

adapt-two-labels = Das Bild „{ $name }“ hat zwei verschiedene Labels
    .do = Behalten Sie eines davon.

adapt-excluded-images = { $n_images ->
        [one] { $n_images } Bild des anderen Labors wird weggelassen, weil es ausgeschlossen ist oder sein Label
       *[other] { $n_images } Bilder des anderen Labors werden weggelassen, weil sie ausgeschlossen sind oder ihr Label
    } keine Klasse des Klassifikators ist.

adapt-labels-not-used = Die Labels von Bildern des anderen Labors werden nicht verwendet: { $n_labels ->
        [0] Keines ist von einer Klasse des Klassifikators ({ $classes })
        [one] Eines ist von einer seiner Klassen
       *[other] { $n_labels } sind von { $n_classes ->
            [one] einer seiner Klassen
           *[other] { $n_classes } seiner Klassen
        }
    }, aber mindestens { $n_needed } von zwei oder mehr Klassen sind nötig.

adapt-no-shift = { $n_images ->
        [one] Das neue Bild zeigt keine Verschiebung
       *[other] { $is_known ->
            [true] Die { $n_images } neuen Bilder zeigen keine Verschiebung (dem Klassifikator unbekannt: { $n_unfamiliar })
           *[false] Der Klassifikator kann nicht sagen, ob die { $n_images } neuen Bilder ihm unbekannt sind, weil er dafür zu wenige Trainingsbilder hatte
        }
    }. Nichts wurde angepasst. Nur Labels können zeigen, ob der Klassifikator dort funktioniert: Geben Sie 20 Bildern Labels, und passen Sie ihn damit an.
