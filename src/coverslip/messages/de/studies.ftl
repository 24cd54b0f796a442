# Studies: plans, presets, folders, trainings of a study on this computer and on clusters, and analyses.

# Plans

no-such-plan = Diesen Plan gibt es nicht
    .do = Prüfen Sie seinen Namen, oder schreiben Sie einen Plan aus einer Vorlage.

unreadable-plan = Der Plan konnte nicht gelesen werden: { $reason }
    .do = Ein Plan ist eine YAML-Datei mit `datasets` und `models`.

table-instead-of-plan = Dies ist eine Tabelle von Bildern, nicht der Plan einer Studie
    .do = Schreiben Sie einen Plan (eine YAML-Datei mit `datasets` und `models`), der diese Tabelle nennt, oder verwenden Sie die Tabelle mit einer Vorlage.

invalid-plan = Der Plan ist ungültig: { $plan_faults }
    .do = Korrigieren Sie den Plan.

plan-unknown-key = es gibt keinen Schlüssel „{ $key }“

plan-misspelled-key = es gibt keinen Schlüssel „{ $key }“ (meinten Sie „{ $suggestion }“?)

plan-missing-key = „{ $key }“ fehlt

plan-invalid-value = { $key }: { $reason }

plan-unknown-regime = muss { $regimes }, {"{"}two_step: DATA{"}"}, {"{"}run: PATH{"}"} oder {"{"}name: NAME, recipe: …{"}"} sein

plan-two-initializations = geben Sie entweder two_step oder run an, nicht beides

plan-path-or-parts = geben Sie entweder path oder parts an; jeder Teil hat einen path

plan-keys-of-parts = ein zusammengeführter Datensatz hat selbst weder group noch group_pattern, und seine Teile haben nur diese Schlüssel des Rezepts: { $keys }

plan-repeated-names = { $names }: jeder Name muss eindeutig sein

plan-invalid-numbers = die Werte müssen verschieden sein, und keiner darf unter 0 liegen

plan-unknown-baseline = es gibt keine Baseline „{ $baseline }“; wählen Sie eine von: { $variants }

plan-unknown-name = { $kind ->
        [arm] es gibt keinen Arm { $names }
       *[network] es gibt kein Netz { $names }
    }

study-training-error = { $training }: { $what }

merged-crops-differ = { $training }: die Teile dieses Datensatzes haben verschiedene Ausschnitte, und eine Länge in µm lässt sich nicht mit anderen zusammenführen
    .do = Geben Sie allen Teilen dieselben `crop_size` und `crop_margin`, oder Längen in Pixeln.

study-name-collision = „{ $first }“ und „{ $second }“ hätten denselben Trainingsordner, { $folder }
    .do = Verwenden Sie Namen, die sich in Buchstaben oder Ziffern unterscheiden.

# Presets

unknown-preset = { $reason }
    .do = Wählen Sie eine dieser Vorlagen.

pretraining-on-compared-dataset = Netze würden auf einem Datensatz vortrainiert, auf dem die Studie sie testet
    .do = Wählen Sie andere Datensätze für das Vortraining. Die Studie `two-step` trainiert auf jedem Datensatz vor und testet auf den anderen.

pretraining-on = Vortraining auf { $dataset }

own-study = Vergleich von Netzen

preset-without-first-step = Das Rezept von { $preset } hat zwei Schritte, und die Bilder seines ersten Schritts fehlen
    .do = Nennen Sie sie: `--set init.train_on=DATEN`. Um einen Schritt mit zweien zu vergleichen, führen Sie `coverslip study run { $preset } DATEN DATEN` aus.

unknown-arm = Diese Studie hat keinen Arm „{ $name }“
    .do = Wählen Sie aus: { $arms }.

preset-without-datasets = Eine Vorlage braucht Datensätze
    .do = Nennen Sie einen oder mehrere Datensätze: Ordner mit einem Unterordner je Klasse, oder Tabellen.

wrong-number-of-group-columns = { $n_columns } Gruppenspalten passen nicht zu { $n_datasets ->
        [one] { $n_datasets } Datensatz
       *[other] { $n_datasets } Datensätzen
    }
    .do = Geben Sie eine Spalte für alle Datensätze an, oder eine für jeden Datensatz.

wrong-number-of-group-patterns = { $n_patterns } Gruppenmuster passen nicht zu { $n_datasets ->
        [one] { $n_datasets } Datensatz
       *[other] { $n_datasets } Datensätzen
    }
    .do = Geben Sie ein Muster für alle Datensätze an, oder eines für jeden Datensatz.

two-step-datasets = Ein Transfer in zwei Schritten braucht zwei oder mehr Datensätze, nicht { $n_datasets }
    .do = Nennen Sie zwei oder mehr Datensätze. Netze werden auf jedem davon mit und ohne Vortraining auf den anderen trainiert.

# Folders and trainings

initial-run-without-classifier = Das frühere Training, von dem ausgegangen wird, hat keinen Klassifikator
    .do = Korrigieren Sie den Pfad des Trainings im Plan.

study-folder-not-empty = Der Ordner ist nicht leer
    .do = { $is_study ->
        [true] Wählen Sie einen anderen Ordner, oder setzen Sie die Studie in diesem fort. Um ihren Plan zu ändern, bearbeiten Sie zuerst ihre study.yaml.
       *[false] Wählen Sie einen anderen Ordner.
    }

no-study = In diesem Ordner gibt es keine Studie
    .do = Nennen Sie den Ordner, der study.yaml enthält.

study-stopped = Die Studie wurde angehalten
    .do = Setzen Sie die Studie fort, um weiterzumachen.

study-budget = Für { $n_trainings ->
        [one] { $n_trainings } Training
       *[other] { $n_trainings } Trainings
    } blieb keine Zeit.

study-budget-exceeded = Das erste Training dauert etwa { $duration }, länger als das Zeitlimit. Es beginnt trotzdem.

cell-begun = Training begonnen: { $cell }

cell-failed = Training fehlgeschlagen: { $cell }: { $reason }

pretraining-failed = Das Vortraining, von dem dieses Training ausgeht, ist fehlgeschlagen
    .do = Beheben Sie zuerst die Ursache dieses Fehlers, und setzen Sie dann die Studie fort.

# Clusters

error-on-computer = { $what }, auf dem Rechner { $computer }

training-folder-of-other-user = Der Ordner für Trainings gehört einem anderen Benutzer
    .do = Entfernen Sie den Ordner.

different-images-on-computer = Die Bilder unterscheiden sich von denen der Studie: { $sources }
    .do = Kopieren Sie sie noch einmal, sodass Bilder und Labels auf allen Rechnern dieselben sind.

other-version-on-computer = coverslip { $version } ist installiert, und die Studie läuft mit { $expected }
    .do = Installieren Sie auf allen Rechnern dieselbe Version von coverslip.

cluster-answer-no-bytes = sie besteht nicht aus Bytes

cluster-answer-other-recipe = ihr Rezept ist nicht das gesendete

cluster-answer-no-status = sie hat keinen Status

cluster-answer-link = sie enthält eine Verknüpfung oder eine besondere Datei

cluster-answer-other-files = sie enthält Dateien, die nicht zum Training gehören

cluster-answer-not-unpacked = sie konnte nicht entpackt werden

# Analyses

not-timed = { $training }: Die Trainingszeit konnte nicht geschätzt werden. { $what }.

damaged-measurements = Die Messungen können nicht gelesen werden: { $what }
    .do = Löschen Sie die Datei, und messen Sie noch einmal.

no-latency = { $dataset }, { $model }: Die Vorhersagezeit konnte nicht gemessen werden. { $what }.

no-distance = { $training }: Der Abstand konnte nicht gemessen werden. { $what }.

no-heat-maps = { $dataset }, { $model }: Es konnten keine Heatmaps gezeichnet werden. { $what }.

plan-changed = { $n_trainings ->
        [one] { $n_trainings } Training hat
       *[other] { $n_trainings } Trainings haben
    } andere Werte von { $keys } als der Plan: Der Plan wurde geändert, oder ein Training wurde früher beendet oder hat neue Schwellenwerte. Um die Werte des Plans zu verwenden, verschieben Sie die Laufordner und setzen Sie die Studie fort.

smaller-batches-in-trainings = batch_size = { $sizes } in { $n_trainings ->
        [one] { $n_trainings } Training
       *[other] { $n_trainings } Trainings
    }, weil der Speicher nicht ausreichte

idle-pretraining = Das Vortraining von { $regime } mit { $model } (Seed { $seed }) hat das Netz nicht verändert: Die Feinabstimmung verbesserte dort die Validierungsergebnisse nicht, daher wurde der Sofort-Klassifikator behalten. Trainings, die davon ausgehen, beginnen also mit den Gewichten von vor dem Vortraining.

merged-class-missing = der zusammengeführte Datensatz hat diese Klasse nicht

# Report of a study

study-dataset = { $dataset }, höchstens { $n } Trainingsbilder je Klasse

# A heading or a table of a study's report: `.title`, and the `.columns` of its table, separated by ` | `.

study-mean = Mittel von { $n_datasets } Datensätzen

study-results = { $metric } auf Testbildern, darunter das 95-%-KI: des Mittelwerts über Aufteilungen, nach dem korrigierten t-Test für wiederholte Aufteilungen; bei einer einzelnen Aufteilung über ihre Testbilder oder Gruppen.{ $n_missing ->
        [0] { "" }
        [one] {" "}Das Ergebnis von { $n_missing } Aufteilung fehlt.
       *[other] {" "}Die Ergebnisse von { $n_missing } Aufteilungen fehlen.
    }
    .title = Ergebnisse
    .network = Netz
    .rank = mittlerer Rang

study-splits = Bilder, die die Trainings verwenden können, und die einer Aufteilung. Zum Vergleich: Immer die größte Klasse vorherzusagen, ergibt deren Anteil als Genauigkeit und 1 / Klassen als ausgewogene Genauigkeit.
    .title = Bilder und Aufteilungen
    .columns = Datensatz | Bilder | Gruppen | Klassen | Aufteilungen | Trainingsbilder | Testbilder | größte Klasse | 1 / Klassen
    .copies = { $n }, mit Kopien

study-metrics = Mittelwert ± SD über Aufteilungen, darunter das 95-%-KI wie in der Tabelle der Ergebnisse. Bei Mittelwerten über Datensätze ist die SD die über Datensätze.
    .title = Alle Metriken
    .columns = Datensatz | Netz | Aufteilungen | fehlend

study-confusions = Konfusionsmatrizen

study-images = { $images ->
        [merged] Test, zusammengeführtes Netz
        [training] Training
        [validation] Validierung
       *[test] Test
    }

study-fits = Mittelwert ± SD über die feinabgestimmten Netze aller Aufteilungen und Seeds, bei der gewählten Epoche. Eine letzte Schicht, die danach noch einmal angepasst wird, ist nicht enthalten. Trainingsbilder haben die Augmentierung des Rezepts oder sind damit erzeugte Kopien, und das Netz ändert sich während der Epoche. Wo Validierungsbilder die Epoche bestimmen, sind ihre Werte als Schätzung für neue Bilder zu hoch.{ $is_tested ->
        [true] {" "}Wo Testbilder die Epoche bestimmen, stammen Zeilen der Validierungsbilder von diesen Testbildern.
       *[false] {""}
    }
    .title = Metriken von Training und Validierung
    .columns = Datensatz | Netz | Bilder | Netze | { $metrics }

class-metric = { $metric ->
        [precision] Präzision
        [recall] Sensitivität
       *[f1] F1
    }

# Veröffentlichte Werte, die keine Metriken sind.
published-quantity = { $quantity ->
        [parameters] Parameter (Millionen, jeweils mit den eigenen Klassen)
        [flops] „FLOPs“ der Publikation (Millionen)
        [seconds_one] Zeit für ein Bild (s)
        [seconds_many] Zeit für 100 Bilder (s)
        [time_ratio] Verhältnis der Zeiten
        [time] Zeit (Publikation: ohne Einheit; hier: ein Bild, s)
        [training_hours] Zeit eines Trainings (h)
       *[mmd2] MMD²
    }

study-report-name = Studie { $name }{ $publications ->
        [none] {""}
       *[other] : { $publications }
    }

study-title = { $publications ->
        [none] {""}
       *[other] { $publications }:{" "}
    }{ $networks } auf { $datasets }{ $n_arms ->
        [0] {""}
       *[other] , in { $n_arms } Armen
    }

study-failures = Diese Trainings endeten mit einem Fehler. Die Tabellen oben zählen sie als fehlend.
    .title = Fehlgeschlagene Trainings
    .columns = Training | Grund

study-unreadable = Diese Trainings sind fertig, aber eine ihrer Tabellen ist nicht lesbar. In Tabellen und Abbildungen fehlt, was sie braucht.
    .title = Trainings mit unlesbaren Tabellen
    .columns = Training | Grund

study-differences = Unterschiede werden auf denselben Aufteilungen verglichen. Auf jeden folgt sein 95-%-Konfidenzintervall (KI). KI und p: { $method }. Aufteilungen haben gemeinsame Trainingsbilder, daher ist die Standardabweichung über Aufteilungen kein Standardfehler; die Korrektur berücksichtigt dies. Zwei Netze sind äquivalent, wenn sie sich um weniger als { $equivalence } unterscheiden.
    .title = Unterschiede zur Baseline
    .columns = Datensatz | Netz | Baseline | Unterschied | Ergebnis | p{ "\u00A0" }(Holm) | P(besser) | P(äquivalent) | P(schlechter)

study-usual-tests = Dieselben Unterschiede mit einem gepaarten t-Test über Aufteilungen und mit einem Bootstrap über Aufteilungen. Beide behandeln Aufteilungen als unabhängige Studien. { $error_rates }
    .title = In Publikationen übliche Tests
    .columns = Datensatz | Netz | Baseline | gepaarter t-Test: p | Bootstrap: 95-%-KI | Ergebnis

study-overall = Mittelwerte und mittlere Ränge (1 ist am besten) gelten für Datensätze ohne gemeinsame Bilder: { $datasets }. Das KI eines Mittelwerts fasst die der Datensätze als unabhängig zusammen und sagt über andere Datensätze nichts aus. Unterschiede im mittleren Rang unter { $critical } sind nicht statistisch signifikant (Nemenyi-Test bei 0,05, der Datensätze als unabhängig behandelt).

study-left-out = „{ $dataset }“ zählt nicht zu Mittelwerten und Rängen: { $n_common } von { $n_images } Bildern sind auch in { $others }.

study-costs = Größe und Trainingszeit auf dem ersten Datensatz, bei dessen Bildgröße und mit dessen Klassen. Die Zeit je Bild ist die in einem Batch, von der Datei bis zur Vorhersage, gemittelt über Datensätze. Wenn es Mittelwerte über die Datensätze mehrerer Arme gibt, sind alle Werte die des letzten Arms.
    .title = Leistung und Aufwand
    .columns = Netz | Parameter (Millionen) | Multiply-Adds (Milliarden) | Datei (MB) | Training (s) | Zeit je Bild (ms)

study-sizes =
    .title = Lernkurven

study-latencies = Gemessen auf { $processor } mit { $n_threads ->
        [one] { $n_threads } Thread
       *[other] { $n_threads } Threads
    }: der Median von zehn Wiederholungen, darunter die kürzeste und die längste Zeit. „Gesamt“ enthält das Lesen der Datei und die Vorverarbeitung.
    .title = Vorhersagezeit
    .columns = Datensatz | Netz | Bildgröße (px) | Laufzeitumgebung | Netz, ein Bild (s) | Netz, Batch (s) | gesamt, ein Bild (s) | gesamt, Batch (s) | Bilder im Batch | Verhältnis Batch / ein Bild

study-latency-runs =
    .one = Alle Wiederholungen für ein Bild, gesamt (s)
    .many = Alle Wiederholungen für einen Batch, gesamt (s)
    .columns = Datensatz | Netz | Mittelwert | Median

study-distances = Abstände zwischen den Merkmalen beider Datensätze, nach Netzen mit ImageNet-Gewichten bei der Bildgröße des Trainings. MMD² hat ein 95-%-KI; p ist die Wahrscheinlichkeit eines solchen MMD², wenn Gruppen zufällig auf die Datensätze verteilt werden. CORAL vergleicht die Kovarianzen der Merkmale. Der Gewinn ist der Unterschied in { $metric } zur Baseline. Ein kleiner Abstand beweist nicht, dass ein Vortraining auf diesen Bildern hilft.
    .title = Abstand zu den Bildern des Vortrainings
    .columns = Datensatz | Bilder des Vortrainings | Netz | MMD² | p | CORAL | Gewinn in { $metric }

study-heat-maps = Drei Testbilder der ersten Aufteilung, aus Klassen, die über die Liste der Klassen verteilt sind. Jede Initialisierung hat eine Zeile. Eine Heatmap wird gezeigt, wenn sie zwei Plausibilitätsprüfungen besteht: Sie muss sich ändern, wenn das Netz zufällige Gewichte hat, und ein Weichzeichnen des Bildes in der Reihenfolge der Heatmap muss die vorhergesagte Wahrscheinlichkeit schneller senken als ein Weichzeichnen von der Mitte nach außen. Besteht keine Methode, wird die erste mit einem Stempel gezeichnet; sie zeigt nichts über das Netz.
    .title = Heatmaps
    .columns = Datensatz | Netz | Initialisierung | Methode | Korrelation mit zufälligen Gewichten | Gewinn gegenüber der Mitte | dessen untere 95-%-Grenze | Prüfungen

study-epochs = Trainings- und Validierungsverlust sind dieselbe Größe: der Verlust des Rezepts ohne Klassengewichte und Strafterm. Mittelwert über Aufteilungen. Die Epoche wird nach Validierungsbildern gewählt, sofern das Rezept oder ein veröffentlichtes Protokoll nichts anderes festlegt.{ $is_tested ->
        [true] {" "}Wo Testbilder die Epoche bestimmen, stammen Kurven der Validierungsbilder von diesen Testbildern.
       *[false] {""}
    } Epoche 0 ist der Klassifikator, mit dem die Feinabstimmung beginnt. Von mehr als sechs Netzen werden die sechs besten gezeigt.
    .title = Trainingskurven

study-merged = Metriken eines Datensatzes, für das Netz, das auf diesem Datensatz trainiert wurde, und für das Netz, das auf mehreren Datensätzen trainiert wurde, beide auf Testbildern dieses Datensatzes, über alle Aufteilungen und Seeds. Die Testbilder können sich unterscheiden, daher werden die beiden Werte nicht gegeneinander getestet.
    .title = Einzelne und zusammengeführte Datensätze
    .heading = Jede Klasse
    .columns = Datensatz | Netz | Klasse | Testbilder | Präzision | Sensitivität | F1 | zusammengeführter Datensatz | dessen Testbilder | dessen Präzision | dessen Sensitivität | dessen F1

study-merged-all =
    .title = Jeder Datensatz im zusammengeführten Datensatz
    .columns = Datensatz | Netz | zusammengeführter Datensatz | zusammengeführt

study-arms = { $metric } der zusammengefassten Testbilder, als Mittel über Aufteilungen und Seeds. Die Werte jedes Arms sind die seiner eigenen Testbilder: Arme mit und ohne Gruppen teilen Bilder verschieden auf, und das Ausgleichen vor der Aufteilung schließt Bilder aus. Nur Aufteilungen und Seeds beider Arme zählen. Das 95-%-KI ist über Gruppen, wenn ein Arm Gruppen zusammenhält, sonst über Bilder. Es gilt für jede Zeile allein, ohne Korrektur für die Zahl der Zeilen, und enthält nicht die Schwankung durch erneutes Training. Bei mehreren Folds ist das 95-%-KI unter Ergebnisse dagegen über Folds, nach einem t-Test mit wenigen Freiheitsgraden, daher können sich die beiden stark unterscheiden.
    .title = Protokoll und Rezept
    .columns = Arme | Datensatz | Netz | erster Arm | zweiter Arm | Differenz

study-arm-settings =
    .title = Wichtigste Einstellungen, und die, in denen sich Arme unterscheiden
    .columns = Einstellung

# What an arm of a publication's study is.
study-arm = { $arm ->
        [A] Rezept und Protokoll der Publikation. A − B ist, was ihr Protokoll hinzufügt; es kann andere Aufteilungen und andere Zahlen von Trainingsbildern enthalten.
        [B] das Rezept der Publikation ohne Abkürzungen: Gruppen und Duplikate bleiben zusammen, kein Testbild beeinflusst eine Wahl, und Bilder werden nach der Aufteilung augmentiert, nur im Training. B − C ist, was ihr Rezept hinzufügt.
        [C] das Rezept von coverslip mit dem Protokoll von B.
        [image-split] B, aber Bilder einer Gruppe können in Training und Test sein.
        [test-epoch] B, aber die Testbilder bestimmen die Epoche.
        [copies] image-split, aber Bilder werden vor der Aufteilung augmentiert, sodass Kopien eines Bildes in Training und Test sein können.
        [augmented-validation] B, aber auch augmentierte Kopien der Validierungsbilder bestimmen die Epoche.
        [balance] B, aber häufige Klassen werden vor der Aufteilung verkleinert, sodass auch die Testbilder gleich große Klassen haben.
       *[other] im Plan der Studie definiert.
    }

study-arms-without-groups = Es wurden keine Gruppen angegeben. A − B misst daher nicht, was das Zusammenhalten von Gruppen ändert.

study-arm-absent = { $arm } (nicht in dieser Studie): { $meaning }

study-few-splits = zu wenige Aufteilungen

study-equal-splits = gleich in allen Aufteilungen

arm-training-images = Trainingsbilder

arm-groups = { $ignores_groups ->
        [true] geteilt
       *[false] zusammengehalten
    }

study-paper = Tabellen und Abbildungen von { $publication }
    .columns = Element | Inhalt | Gegenstück

study-paper-item = { $item }: { $title }

study-paper-section = In diesem Bericht: { $n ->
        [one] Abschnitt { $sections }.
       *[other] Abschnitte { $sections }.
    }

study-paper-command = Nicht Teil dieser Studie. Zum Erstellen ausführen: { $command }

study-paper-missing = Diese Studie hat kein Gegenstück.

study-paper-values = Veröffentlichte Werte: unten.

study-same-in-all-rows = In allen Zeilen: { $values }.

study-paper-without = Diese Studie hat keine Werte für { $names }.

study-paper-schemas = Schemata und Beispiele ohne Ergebnisse: { $items }.

study-roc =
    .title = ROC-Kurven

study-roc-drawing = ROC-Kurven von { $network }, als Mittelwert über die Netze aller Aufteilungen und Seeds, jedes auf seinen eigenen Testbildern. Legenden zeigen die mittlere Fläche unter der Kurve (AUROC) der Mittelwerte und der vier Klassen mit den kleinsten Flächen.

study-published = Veröffentlichte Werte stammen von anderen Bildern und Protokollen, daher werden sie nicht gegen die Werte dieser Studie getestet. Jeder Wert dieser Studie ist der Mittelwert über die Datensätze, die nach ihren Namen zum veröffentlichten gehören, oder über alle, wenn die Publikation Werte keines bestimmten nennt; „–“: Es gibt keinen. Von Datensätzen mit gemeinsamen Bildern zählt einer. Wenn die Publikation nicht angibt, wie eine Metrik über Klassen gemittelt wird, wird der Makro-Mittelwert dieser Studie gezeigt.
    .title = Veröffentlichte Werte
    .columns = Netz der Publikation | Datensatz | Bilder oder Klasse | Metrik | veröffentlicht | { $arms } | Quelle
    .own = diese Studie

study-settings = { $n_ways ->
        [one] { "" }
       *[other] { $n_ways } Arten des Trainings wurden auf Testbildern verglichen. Die Metriken der besten von mehreren sind eher zu hoch.{" "}
    }{ $is_instant ->
        [true] Die Schrumpfung (Shrinkage) wurde auf Validierungsbildern gewählt.
       *[false] Die Schrumpfung (Shrinkage) und die Epoche wurden auf Validierungsbildern gewählt, sofern das Rezept oder ein veröffentlichtes Protokoll nichts anderes festlegt. Eine gewählte Epoche 0 ist der Klassifikator vor der Feinabstimmung. Netze, die sich nur darin unterscheiden, was feinabgestimmt wird, haben dann gleiche Ergebnisse.
    }
    .title = Einstellungen
    .columns = Datensatz | Netz | abweichende Einstellungen | trainierte Netze | Schrumpfung | Epochen | gewählte Epoche

study-forest-drawing = Unterschied in { $metric } zur Baseline (Punkt) mit seinem 95-%-KI (Linie) auf jedem Datensatz. Die Netze sind nach ihrer Größe geordnet. Eine Raute ist das Mittel über Datensätze ohne gemeinsame Bilder; hohle Punkte sind Datensätze, die nicht dazu zählen.
    .x = Unterschied in { $metric } zur Baseline
    .band = äquivalent (±{ $equivalence })

study-gains =
    .title = Gewinn nach der Größe der Netze

study-gains-drawing = Unterschied in { $metric } zur Baseline (Punkt) mit seinem 95-%-KI (Linie) nach den Parametern der Netze, { $dataset }.
    .x = Parameter (Millionen)

study-bars =
    .title = Balkendiagramme

study-bars-drawing = { $metric } jedes Netzes auf jedem Datensatz, mit 95-%-KI (Linie).

study-pareto-drawing = { $metric } mit 95-%-KI nach { $is_time ->
        [true] Vorhersagezeit
       *[false] Multiply-Adds
    }, { $dataset }. Netze auf der Pareto-Front sind benannt: Kein Netz mit geringerem Aufwand ist besser.
    .cost = { $is_time ->
        [true] Zeit je Bild (ms), von der Datei bis zur Vorhersage in einem Batch
       *[false] Multiply-Adds für ein Bild (Milliarden)
    }
    .front = Pareto-Front

study-confusions-drawing = Konfusionsmatrizen auf Testbildern der ersten Aufteilung oder aller ihrer Folds, { $dataset }. Zellen sind nach dem Anteil an der Klasse schattiert. Von mehr als sechs Netzen werden die sechs besten gezeigt.
    .x = vorhergesagte Klasse
    .y = Klasse

study-epochs-drawing = Verlust und Genauigkeit nach Epoche, { $dataset }.
    .train-loss = Trainingsverlust
    .train-accuracy = Trainingsgenauigkeit
    .val-loss = Validierungsverlust
    .val-accuracy = Validierungsgenauigkeit
    .train-penalty = Strafterm im Training
    .x = Epoche

study-sizes-drawing = { $metric } nach Anzahl der Trainingsbilder, { $dataset }. Von mehr als sechs Netzen werden die sechs besten gezeigt.
    .x = Trainingsbilder je Klasse
    .share = Anteil des Trainings an den Bildern
    .y = { $metric } (Linien: 95-%-KI)

study-method = korrigierter t-Test für wiederholte Aufteilungen (Nadeau und Bengio 2003), Holm über die Vergleiche eines Datensatzes

study-error-rates = In simulierten Studien mit fünf Folds und ohne wahren Unterschied findet der gepaarte t-Test in 6 % bis 8 % der Studien einen signifikanten Unterschied, der Bootstrap in 19 % bis 21 % und der korrigierte Test in 2 %.

study-result-arms = { $metric } von { $name } auf den zusammengefassten Testbildern von { $dataset }: { $published } mit Rezept und Protokoll der Publikation{ $n ->
        [one] {""}
       *[other] {" "}(das beste von { $n } Ergebnissen)
    }, { $honest } ohne die Abkürzungen des Protokolls. { $significance ->
        [yes] Das Protokoll macht { $difference } aus (95-%-KI { $low } bis { $high }).
        [no] Der Unterschied, { $difference } (95-%-KI { $low } bis { $high }), ist nicht statistisch signifikant.
       *[unknown] Der Unterschied ist { $difference }, ohne Konfidenzintervall.
    }{ $has_own ->
        [true] {" "}Das Rezept von coverslip ergibt { $own }.
       *[false] {""}
    }

study-result-networks = { $n ->
        [one] { $metric } von { $name } auf { $dataset }: { $value }.
       *[other] { $has_weights ->
            [true] { $name } hat den besten Wert ({ $metric }) von { $n } Kombinationen aus Netz und Anfangsgewichten auf { $dataset }: { $value }.
           *[false] { $name } hat den besten Wert ({ $metric }) von { $n } Netzen auf { $dataset }: { $value }.
        }
    }{ $has_difference ->
        [true] {" "}Im Vergleich mit { $baseline }: { $verdict }.
       *[false] {""}
    }

study-verdict = { $result ->
        [few-splits] zu wenige Aufteilungen
        [constant] derselbe Unterschied bei jeder Aufteilung, daher nicht testbar
        [equal] gleich bei jeder Aufteilung
        [better] besser
        [worse] schlechter
        [equivalent] äquivalent
        [splits-needed] statistisch nicht signifikant; mehr Aufteilungen könnten dies ändern
        [size-needed] { $has_groups ->
            [true] statistisch nicht signifikant; ein Unterschied dieser Größe braucht etwa { $n_needed } Gruppen
           *[false] statistisch nicht signifikant; ein Unterschied dieser Größe braucht etwa { $n_needed } Bilder
        }
       *[not-significant] statistisch nicht signifikant
    }

study-usual-verdict-none = nicht signifikant

study-usual-verdict = { $is_shown ->
        [true] signifikant nach { $tests }
       *[false] signifikant nach { $tests }; nicht nach dem korrigierten Test
    }

## The page of a report

study-summary = { $metric } auf Testbildern. { $n_arms ->
        [0] Alle Netze wurden auf denselben Aufteilungen eines Datensatzes getestet.
       *[other] Alle Netze eines Arms wurden auf denselben Aufteilungen eines Datensatzes getestet; Arme können andere Aufteilungen haben.
    }{ $n_missing ->
        [0] {""}
       *[other] {" "}Einige Trainings fehlen, sodass Werte von Netzen von anderen Aufteilungen sein können; ihre Differenzen sind die gemeinsamer.
    }{ $is_instant ->
        [true] {" "}Kein Netz wurde feinabgestimmt: Jedes ist ein Sofort-Klassifikator, ein linearer Klassifikator auf Merkmalen des vortrainierten Netzes.
       *[false] { "" }
    }

study-notes = Unterschiede zur Publikation

## Presets: studies of publications

preset-aimic = zehn Netze in fünf Folds, gemittelt über Datensätze
    .protocol = Fünf Folds nach Bildern, ohne Intervalle. Im durchgerechneten Beispiel wird die Epoche auf den getesteten Bildern gewählt. Werte anderer Autoren in Tabelle 4 sind von anderen Bildern oder Aufteilungen.

preset-efficientnetv2-cell = wie viel eines Netzes einzufrieren ist, und vier Netze
    .protocol = Ein Training auf einer Aufteilung nach der Augmentierung. Die Werte passen zu 54 Testbildern, für NASNet-Mobile zu 52. Wie Präzision, Sensitivität und F1 gemittelt wurden, ist nicht angegeben. VGG-16 stammt aus einer anderen Publikation mit anderer Aufteilung.

preset-mobilevit-mn = MobileViT mit und ohne separable Faltungen und Attention
    .protocol = Ein Training auf einer Aufteilung nach Bildern: 2.083 normale Zellen und 145 Zellen mit Mikrokernen im Testset. Avg_Acc gilt als ausgewogene Genauigkeit, was zu seinen Werten passt. Wie F1 gemittelt wurde, ist nicht angegeben; in den Tabellen 2 und 3 ist es nicht das Makro-Mittel, das hier danebensteht. Tabelle 4 vertauscht F1 und ROC des vorgeschlagenen Netzes gegenüber den Tabellen 2 und 3.

preset-mobincep = ein kleines Netz für einen Datensatz oder alle, mit und ohne seine Verlustfunktion
    .protocol = Fünf zufällige Aufteilungen nach Bildern (60 % Training, 20 % Validierung, 20 % Test), Mittelwert ± SD. Werte anderer Autoren in Tabelle 5 sind von anderen Aufteilungen.

preset-two-step = zufällige Gewichte, ImageNet, und ImageNet mit Vortraining auf einem anderen Datensatz
    .protocol = Fünf Folds nach Bildern; die Epoche wird auf dem getesteten Fold gewählt. Der Text nennt Wertebereiche von Gruppen von Netzen; die Tabellen selbst waren nicht zugänglich.

preset-not-stated = In der Publikation nicht angegeben. Werte in { $arms }: { $settings }.

# Deviations of a preset from its publication

deviation-mobilevit-separable = Eine dichte Faltung wird durch das ähnlichste separable Paar ersetzt. Der Artikel gibt seine Methode nicht an.

deviation-mobilevit-attention = Der Ort der Attention ist in { $networks } aus den gedruckten Parameterzahlen erschlossen (placement: counts).

deviation-mobilevit-networks = VGG-Att, AALNet, MSA-Net und andere Netze fehlen, weil der Artikel sie nicht beschreibt.

deviation-mobincep-mobilenet = Der Artikel trainierte MobileNetV2 mit zufälligen Anfangsgewichten unter den Bedingungen seiner ursprünglichen Publikation, ohne sie anzugeben. In dieser Vorlage hat es das Rezept von Mobincep, sodass der Unterschied der der Netze ist.

deviation-mobincep-architecture = Der Artikel gibt weder Breiten und Tiefe des Netzes noch Merkmale und Gewichte der Verlustfunktion oder den Beginn von K-Means an. coverslip hat sie gewählt.

deviation-augmentation-ranges = Die Publikation gibt nur die Arten der Datenaugmentierung an. coverslip hat ihre Bereiche gewählt.

deviation-two-step-degraded = Beide Datensätze werden auch mit Unschärfe, kleinerem Inhalt und Rauschen in Training und Test verwendet, weil der Artikel seine Ergebnisse mit der Qualität der Bilder erklärt.

deviation-two-step-epoch = Der zweite Schritt beginnt mit der besten Epoche des ersten Schritts auf dessen Validierungsbildern, auch wenn sie dort nicht besser als ImageNet-Gewichte ist. Seine letzte Schicht beginnt zufällig. Der Artikel gibt nicht an, welche Epoche verwendet wird, ob das Netz das eines Folds ist und ob seine letzte Schicht verwendet wird.

deviation-two-step-duplicates = Das Training wird verweigert, wenn Bilder des ersten Schritts Duplikate von Testbildern sind.

deviation-two-step-momentum = SGD hat ein Momentum von 0,9. Der Artikel gibt es nicht an.

deviation-duplicates = Exakte Duplikate sind im selben Set einer Aufteilung.

deviation-near-duplicates = In { $arms } sind Beinahe-Duplikate im selben Set einer Aufteilung.

deviation-training-images = Höchstens { $n_images } Trainingsbilder je Klasse. Die Ergebnisse können nicht mit denen der Publikation verglichen werden.

deviation-splits = Andere Aufteilungen als in der Publikation. Im Plan: { $folds ->
        [0] keine Folds
       *[other] { $folds } Folds
    }, { $repeats ->
        [one] 1 Aufteilung
       *[other] { $repeats } Aufteilungen
    }. In der Publikation: { $stated_folds ->
        [0] keine Folds
       *[other] { $stated_folds } Folds
    }, { $stated_repeats ->
        [one] 1 Aufteilung
       *[other] { $stated_repeats } Aufteilungen
    }.

deviation-folds = Die Publikation hat eine Aufteilung, { $stated } (Training, Validierung, Test). Hier ist jeder Fold einmal der Testsatz, und split.val ist der Anteil aller Bilder für die Validierung: { $settings }.

deviation-epoch = In { $arms } wird die Epoche behalten, die auf Validierungsbildern die beste ist. Die Publikation gibt nicht an, welche Epoche sie behielt.

deviation-training-share = Die Publikation hat keine Validierungsbilder. In { $arms } ist ein Teil der Bilder für die Validierung ({ $settings }), damit die Arme auf gleich vielen Bildern trainieren.

deviation-aimic-example = Die Publikation gibt Adam, eine Lernrate von 0,0001, 500 Epochen und eine Geduld von 50 Epochen nur für ihr ausgearbeitetes Beispiel an. Für den Vergleich nennt sie gleiche Einstellungen aller Netze, aber nicht welche. In { $arms }: { $settings }.

deviation-aimic-augmentation = Die Publikation gibt ihre Datenaugmentierung nicht an. In { $arms } gibt es keine.

deviation-aimic-epoch = Nur für ihr ausgearbeitetes Beispiel gibt die Publikation an, dass die Genauigkeit auf Testbildern die Epoche bestimmt. In { $arms } tut coverslip dies in allen Trainings.

deviation-efficientnet-copies = Die Publikation gibt nicht an, wie viele augmentierte Bilder sie aus jedem Bild machte. In { $arms }: { $settings }.

deviation-efficientnet-optimizer = Die Publikation nennt in einer Tabelle Adam, im Text SGD und Adam. Im Plan: { $settings }.

deviation-efficientnet-others = Die Publikation gibt nicht an, wie diese Netze trainiert wurden. In dieser Vorlage haben sie das Rezept des vorgeschlagenen Netzes: { $networks }.

deviation-efficientnet-nasnet = NASNet-Mobile beginnt mit den Gewichten von Keras, wenn sie importiert wurden, und sonst mit zufälligen Gewichten. Die Publikation gibt seine Initialisierung nicht an.

deviation-efficientnet-scaling = Die Publikation teilt Intensitäten durch 255, und das Netz von Keras tut dies mit seinen Standardwerten selbst. Sie gibt nicht an, ob Intensitäten zweimal skaliert wurden. Im Plan: { $settings }.

deviation-mobilevit-repeats = In jeder Epoche werden andere Bilder der häufigen Klasse gezogen, so viele wie von der seltenen Klasse mit ihren Wiederholungen ({ $settings }). Die Publikation machte augmentierte Bilder der seltenen Klasse und entfernte Bilder der häufigen Klasse einmal vor dem Training. Hier ist die seltene Klasse die mit den wenigsten Trainingsbildern einer Aufteilung, nach jeder Grenze je Klasse; sind Klassen gleich groß, werden alle wiederholt.

deviation-mobilevit-validation = Die Publikation augmentierte ihre Validierungsbilder beider Klassen und gibt nicht an, wie. In { $arms } augmentierte Kopien jedes Validierungsbilds: { $settings }.

deviation-mobilevit-both-classes = Trainingsbilder beider Klassen werden augmentiert. Die Publikation augmentierte nur die der seltenen Klasse.

deviation-mobincep-intensities = Die Publikation bringt alle Bilder auf „denselben dynamischen Intensitätsbereich“ und gibt nicht an, wie. Im Plan: { $settings }.

deviation-auxiliary-heads = Diese Netze haben im Training keine Hilfsausgänge: { $networks }.

deviation-networks = Dem Plan fehlen diese Netze der Publikation: { $networks }.

deviation-other-networks = Diese Netze des Plans sind nicht die der Publikation: { $networks }.

deviation-settings = Die Publikation nennt andere Einstellungen. Im Plan: { $settings }. In der Publikation: { $stated }.

deviation-random-weights = Diese Netze beginnen mit zufälligen Gewichten, weil ihre vortrainierten Gewichte nicht Teil der Installation sind: { $networks }.
