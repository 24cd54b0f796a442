# The keys of a recipe. An entry's code is `key-` and the dotted key, with dashes for dots and underscores.
#
#   .name        the label of the key in forms and lists
#   .help        one or two sentences for users
#   .meaning     the exact meaning, for the reference; without it, the help
#   .unit        the unit of the value
#   .empty       what null means
#   .phrase      what the methods text of a report says of a value; $value is the formatted value, $n a number
#   .phrase-off  the same for null and false; without it, the methods text says nothing
#
# `key-<key>-choice-<value>` names one of the values that the key has by name, with its `.phrase`.
# `key-model-options-<network>-<option>` and `key-loss-options-<loss>-<option>` are the entries of options.

## Groups of keys

key-group-split =
    .name = Aufteilung
    .help = welche Bilder für Training, Validierung und Test verwendet werden

key-group-classes =
    .name = Klassen und Gruppen
    .help = welche Klassen der Klassifikator unterscheidet und welche Bilder zusammengehören

key-group-start =
    .name = Anfangsgewichte
    .help = die eines auf Fotografien vortrainierten Netzes, zufällige oder die eines früheren Trainings

key-group-augment =
    .name = Datenaugmentierung
    .help = Bilder werden im Training gedreht, gespiegelt und abschattiert, damit das Netz auf neue Bilder verallgemeinert

key-group-balance =
    .name = Seltene Klassen
    .help = ob Bilder seltener Klassen ein größeres Gewicht haben

key-group-images =
    .name = Vorverarbeitung
    .help = Größe, Kanäle und Intensitäten der Bilder

key-group-decision =
    .name = Entscheidungsschwelle
    .help = die positive Klasse, Ziel-Sensitivität oder -Spezifität, und wann eine Vorhersage unsicher ist

key-group-training =
    .name = Feinabstimmung
    .help = Epochen, Lernrate und vorzeitiges Beenden

key-group-basic =
    .name = Weitere Einstellungen
    .help = Seed und Gerät

key-group-protocol =
    .name = Einstellungen für Studien
    .help = Schritte von Publikationen, von denen die meisten die Metriken zu hoch ausfallen lassen, und verschlechterte Bilder; nicht für einen Klassifikator im Einsatz

## Allowed values

values-list = Liste von Werten ({ $items })

values-mapping = Zeilen der Form `key: value`

values-or = { $first } oder { $second }

values-text = Text

values-length = Länge in µm wie `32 um`

values-whole-number = ganze Zahl

values-range = { $low_end ->
        [inclusive] { $high_end ->
            [inclusive] { NUMBER($low, maximumFractionDigits: 8) } bis { NUMBER($high, maximumFractionDigits: 8) }
            [exclusive] { NUMBER($low, maximumFractionDigits: 8) } oder mehr, unter { NUMBER($high, maximumFractionDigits: 8) }
           *[none] { NUMBER($low, maximumFractionDigits: 8) } oder mehr
        }
        [exclusive] { $high_end ->
            [inclusive] über { NUMBER($low, maximumFractionDigits: 8) }, höchstens { NUMBER($high, maximumFractionDigits: 8) }
            [exclusive] über { NUMBER($low, maximumFractionDigits: 8) }, unter { NUMBER($high, maximumFractionDigits: 8) }
           *[none] über { NUMBER($low, maximumFractionDigits: 8) }
        }
       *[none] { $high_end ->
            [inclusive] höchstens { NUMBER($high, maximumFractionDigits: 8) }
            [exclusive] unter { NUMBER($high, maximumFractionDigits: 8) }
           *[none] { "" }
        }
    }

## Network

key-model =
    .name = Netz
    .help = Das Netz, das trainiert wird.
    .meaning = Ein Netz mit seinem Namen, oder `timm/NAME`.
    .phrase = { $value }

key-model-options =
    .name = Optionen des Netzes
    .help = Optionen der Architektur, zum Beispiel ihre Breite.
    .meaning = Optionen der Architektur.
    .phrase = { $value }

key-model-options-mobilevit-mn-dsc =
    .name = Separable Faltungen
    .help = 3x3-Faltungen durch Paare kleinerer Faltungen ersetzen, wie der Artikel es vorschlägt.

key-model-options-mobilevit-mn-mv2-attention =
    .name = Attention zwischen Blöcken
    .help = Kanal-Attention in den Blöcken von MobileNet-v2.

key-model-options-mobilevit-mn-mv2-attention-choice-none = keine

key-model-options-mobilevit-mn-mv2-attention-choice-se = Squeeze and Excitation (SE)

key-model-options-mobilevit-mn-mv2-attention-choice-nam = nach Gewichten der Batch-Normalisierung (NAM)

key-model-options-mobilevit-mn-mobilevit-attention =
    .name = Attention innerhalb der MobileViT-Blöcke
    .help = Kanal-Attention in den Blöcken mit Transformern.

key-model-options-mobilevit-mn-mobilevit-attention-choice-none = keine

key-model-options-mobilevit-mn-mobilevit-attention-choice-se = Squeeze and Excitation (SE)

key-model-options-mobilevit-mn-mobilevit-attention-choice-nam = nach Gewichten der Batch-Normalisierung (NAM)

key-model-options-mobilevit-mn-depths =
    .name = Encoder je Block
    .help = Anzahl der Transformer-Encoder in jedem der drei MobileViT-Blöcke. Mehr sind langsamer.

key-model-options-mobilevit-mn-placement =
    .name = Ort der Attention
    .help = Der Text des Artikels und seine gedruckten Parameterzahlen weichen voneinander ab.

key-model-options-mobilevit-mn-placement-choice-text = nach dem Text des Artikels

key-model-options-mobilevit-mn-placement-choice-counts = nach seinen Parameterzahlen

key-model-options-mobilevit-mn-neutral-start =
    .name = Neutrale Initialisierung der Attention
    .help = Neue Attention stört vortrainierte Gewichte anfangs nicht. Nicht im Artikel.

key-head =
    .name = Verwendete Merkmale
    .help = Die Merkmale des Netzes, die der Klassifikator verwendet.
    .meaning = Merkmale des Klassifikators: Mittelwert und Standardabweichung der Ausgaben vieler Schichten, oder nur die Ausgaben der letzten Schicht.

key-head-choice-multi-layer = aus mehreren Schichten
    .phrase = Mittelwerte und Standardabweichungen der Ausgaben seiner Blöcke

key-head-choice-native = aus der letzten Schicht
    .phrase = die Ausgaben seiner letzten Schicht

key-tta =
    .name = Testzeit-Augmentierung
    .help = Das Netz verarbeitet auch gedrehte und gespiegelte Kopien jedes Bildes, und die Ergebnisse werden gemittelt. Mehr Kopien dauern länger.
    .meaning = Anzahl der Kopien, über die beim Berechnen von Merkmalen und bei der Vorhersage gemittelt wird. `auto`: 2, wenn die Datenaugmentierung um 180° dreht, sonst 1. 1: nur das Bild. 2: auch um 180° gedreht. 4: auch beide Spiegelbilder. 8: auch alle diese um 90° gedreht.

key-tta-choice-auto = automatisch

key-tta-choice-1 = 1: nur das Bild

key-tta-choice-2 = 2: auch um 180° gedreht
    .phrase = gemittelt über 2 gespiegelte oder gedrehte Kopien

key-tta-choice-4 = 4: auch gespiegelt
    .phrase = gemittelt über 4 gespiegelte oder gedrehte Kopien

key-tta-choice-8 = 8: auch um 90° gedreht
    .phrase = gemittelt über 8 gespiegelte oder gedrehte Kopien

key-stage =
    .name = Art des Trainings
    .help = Der Sofort-Klassifikator ist nach Sekunden bis Minuten fertig. Die Feinabstimmung trainiert dann das ganze Netz mit Ihren Bildern.
    .meaning = `instant` endet nach dem linearen Klassifikator auf eingefrorenen Merkmalen. `finetune` trainiert danach das ganze Netz. Mit zufälligen Anfangsgewichten wird das Netz in jedem Fall trainiert.

key-stage-choice-finetune = Sofort-Klassifikator, dann Feinabstimmung

key-stage-choice-instant = nur Sofort-Klassifikator

key-init =
    .name = Anfangsgewichte
    .help = Die Gewichte eines auf Fotografien vortrainierten Netzes, zufällige Gewichte oder die eines früheren Trainings.
    .meaning = Anfangsgewichte: `imagenet`, `scratch` (zufällig), `{ "{" }run: PATH{ "}" }` (die eines früheren Trainings) oder `{ "{" }train_on: DATA{ "}" }` (Vortraining auf anderen Bildern mit Label, dann Training mit Ihren).

key-init-choice-imagenet = ImageNet
    .phrase = ImageNet-Gewichten

key-init-choice-scratch = zufällig
    .phrase = zufälligen Gewichten

key-head-init =
    .name = Letzte Schicht am Anfang
    .help = Die letzte Schicht am Anfang der Feinabstimmung: die des Sofort-Klassifikators, oder eine zufällige wie in vielen Publikationen.
    .meaning = Letzte Schicht am Anfang der Feinabstimmung: die des Sofort-Klassifikators oder eine zufällige. Der Sofort-Klassifikator wird in jedem Fall angepasst und behalten, wenn seine Validierungsergebnisse besser sind (außer wenn `stage_selection` den Wert `finetune` hat). Mit zufälligen Anfangsgewichten ist die letzte Schicht immer zufällig.

key-head-init-choice-instant = der Sofort-Klassifikator

key-head-init-choice-random = eine zufällige letzte Schicht
    .phrase = Feinabstimmung begonnen mit einer zufälligen letzten Schicht

key-refit-head =
    .name = Letzte Schicht neu anpassen
    .help = Nach der Feinabstimmung wird eine lineare Diskriminanzfunktion an die Merkmale der Trainings- und Validierungsbilder angepasst und mit der trainierten letzten Schicht gemittelt. Publikationen behalten die trainierte Schicht.
    .meaning = Nach der Feinabstimmung die kalibrierten Logits der trainierten letzten Schicht und eines linearen Klassifikators mitteln. Dieser wird an die feinabgestimmten Merkmale der Trainings- und Validierungsbilder angepasst. Sein Gewicht ist das mit dem niedrigsten Log Loss auf Validierungsbildern. Das Ergebnis ist eine lineare Schicht.
    .phrase = die letzte Schicht mit einer neu angepassten gemittelt
    .phrase-off = die letzte Schicht wie trainiert

key-refit-all =
    .name = Ausgelieferten Klassifikator an alle Bilder anpassen
    .help = Nach dem Test wird die letzte Schicht des Sofort-Klassifikators auch an die Testbilder angepasst, damit alle Labels genutzt werden. Der getestete Klassifikator wird daneben gespeichert, und jede Kennzahl ist die des getesteten.
    .meaning = Nachdem die Testbilder einmal verwendet wurden, die letzte Schicht des Sofort-Klassifikators an Trainings-, Validierungs- und Testbilder anpassen. Ihre Wahrscheinlichkeiten werden auf zurückgehaltenen Bildern kalibriert. Dieser Klassifikator sagt neue Bilder vorher. Der getestete Klassifikator wird daneben gespeichert. Kennzahlen, Schwellen und Grenzen sind die des getesteten. Ohne Wirkung nach einer Feinabstimmung, bei begrenzter Zahl der Trainingsbilder und bei Folds, deren endgültiger Klassifikator ohnehin mit allen Bildern trainiert wird.
    .phrase = die letzte Schicht des ausgelieferten Klassifikators nach dem Test an alle Bilder angepasst
    .phrase-off = der getestete Klassifikator ausgeliefert

key-freeze-to =
    .name = Eingefrorene Schichten
    .help = Das Netz wird bis einschließlich dieses Teils nicht verändert. Die Dokumentation der Netze führt die Teile auf.
    .meaning = Das Netz ist bis einschließlich dieses Teils eingefroren.
    .empty = keine
    .phrase = seine Teile bis { $value } eingefroren

key-dropout =
    .name = Dropout
    .help = Dropout und stochastische Tiefe des Netzes im Training. Publikationen verwenden die ihres Programms.
    .meaning = Dropout und stochastische Tiefe im Training. `default`: die des Netzes, wie coverslip es baut, meistens keine. `torchvision`, `keras`: wie dieses Programm das Netz baut, auch in eingefrorenen Schichten. Netze, die das Programm nicht hat, bleiben unverändert.

key-dropout-choice-default = meistens keiner

key-dropout-choice-torchvision = wie in torchvision
    .phrase = Dropout und stochastische Tiefe wie in torchvision

key-dropout-choice-keras = wie in Keras
    .phrase = Dropout und stochastische Tiefe wie in Keras

key-batch-norm =
    .name = Batch-Normalisierung
    .help = Ob die Feinabstimmung Mittelwert und Varianz in den Schichten der Batch-Normalisierung aktualisiert. Automatisch behält die vortrainierter Netze.
    .meaning = Ob die Batch-Normalisierung die Statistik des vortrainierten Netzes behält oder sie mit den Batches der Feinabstimmung aktualisiert, beginnend mit der der Trainingsbilder. `auto` behält sie, außer bei zufälligen Anfangsgewichten.

key-batch-norm-choice-auto = automatisch

key-batch-norm-choice-keep = behalten
    .phrase = Statistik der Batch-Normalisierung unverändert behalten

key-batch-norm-choice-learn = aktualisieren
    .phrase = Statistik der Batch-Normalisierung aus den Batches

## Fine-tuning

key-epochs =
    .name = Höchstzahl der Epochen
    .help = In einer Epoche wird jedes Trainingsbild einmal verwendet. Wenige Bilder brauchen mehr Epochen. Automatisch wählt die Anzahl.
    .meaning = Höchstzahl der Durchgänge durch die Trainingsbilder bei der Feinabstimmung. `auto` ist 8, wenn eine Epoche mindestens 800 Bilder hat. Bei weniger Bildern ist es die Anzahl von Epochen, die insgesamt 6.400 Bilder verwendet, höchstens 60.
    .phrase = über höchstens { $n ->
        [one] { $n } Epoche
       *[other] { $n } Epochen
    }

key-epochs-choice-auto = automatisch

key-last-epoch =
    .name = Ende nach Epoche
    .help = Die Feinabstimmung endet nach dieser Epoche, obwohl die Lernrate dem Verlauf aller Epochen folgt.
    .meaning = Letzte Epoche der Feinabstimmung, obwohl die Lernrate dem Verlauf aller `epochs` folgt. Bleibt es leer (null), werden alle Epochen ausgeführt.
    .empty = nach der letzten
    .phrase = beendet nach Epoche { $value }

key-schedule-changes =
    .name = Änderungen der Epochenzahl
    .help = Ein Zeitlimit schreibt hier, wie es die Feinabstimmung an die Zeit angepasst hat, damit das Training wiederholt werden kann. Lassen Sie es sonst leer.
    .meaning = Zeilen der Form `epoch: number of epochs`, beide mit Dezimalstellen. Ab dieser Epoche fällt die Lernrate so, dass sie ihr Ende nach dieser Gesamtzahl von Epochen erreicht. Ein Zeitlimit schreibt diese Zeilen.
    .phrase = die Epochenzahl an ein Zeitlimit angepasst

key-batch-size =
    .name = Batchgröße
    .help = Anzahl der Bilder, die in einem Trainingsschritt gemeinsam verarbeitet werden. Weniger Bilder brauchen weniger Arbeitsspeicher.
    .meaning = Bilder je Schritt der Feinabstimmung. Mit weniger Bildern hat eine Epoche mehr Schritte.
    .unit = Bilder
    .phrase = Batches von { $value }

key-last-batch =
    .name = Letzter Batch einer Epoche
    .help = Ob die Bilder einer Epoche verwendet werden, die ihren letzten Batch nicht füllen. Wenige Bilder geben Batch-Norms ungenaue Statistiken. Publikationen verwenden sie meistens.
    .meaning = Bilder einer Epoche, die ihren letzten Batch nicht füllen. `skip`: Sie werden ausgelassen, in jeder Epoche andere. `keep`: Sie sind ein kleinerer Batch, außer wenn es ein einzelnes Bild ist.

key-last-batch-choice-skip = ausgelassen

key-last-batch-choice-keep = ein kleinerer Batch
    .phrase = ein unvollständiger letzter Batch

key-optimizer =
    .name = Optimierer
    .help = Wie die Parameter des Netzes aktualisiert werden. Der Standardwert passt für fast alle Trainings. Die anderen bilden veröffentlichte Trainings nach.
    .meaning = Optimierer der Feinabstimmung. `amsgrad` ist Adam mit dem bisher größten zweiten Moment. `sgd` hat Momentum 0,9, in der Form, die `nesterov` bestimmt. `adam-then-sgd` wechselt während des Trainings von Adam zu SGD.

key-optimizer-choice-adamw = AdamW
    .phrase = AdamW

key-optimizer-choice-adam = Adam
    .phrase = Adam

key-optimizer-choice-amsgrad = Adam (AMSGrad)
    .phrase = Adam (AMSGrad)

key-optimizer-choice-sgd = SGD mit Momentum
    .phrase = SGD mit Momentum 0,9

key-optimizer-choice-adam-then-sgd = Adam, dann SGD
    .phrase = Adam

key-learning-rate =
    .name = Lernrate
    .help = Wie stark sich die Parameter in jedem Schritt ändern. Ist sie zu groß, misslingt das Training. Ist sie zu klein, dauert das Training lange.
    .meaning = Höchste Lernrate der Feinabstimmung.
    .phrase = höchste Lernrate { $value }

key-sgd-from =
    .name = Wechsel zu SGD nach
    .help = Nur für Adam, gefolgt von SGD: der Anteil der Epochen, nach dem der Optimierer wechselt.
    .meaning = Anteil der Epochen, nach dem `adam-then-sgd` zu SGD wechselt.
    .phrase = nach { $value } der Epochen SGD mit Momentum 0,9

key-sgd-learning-rate =
    .name = Lernrate von SGD
    .help = Nur für Adam, gefolgt von SGD: die größte Lernrate nach dem Wechsel.
    .meaning = Höchste Lernrate von SGD bei `adam-then-sgd`.
    .phrase = mit höchster Lernrate { $value }

key-nesterov =
    .name = Nesterov-Momentum
    .help = Nur für SGD: ob das Momentum von 0,9 das von Nesterov ist.
    .meaning = Ob das Momentum von SGD (0,9) das von Nesterov ist, für `sgd` und `adam-then-sgd`.
    .phrase-off = ohne Nesterov-Momentum

key-weight-decay =
    .name = Weight Decay
    .help = Hält die Parameter des Netzes klein, was die Überanpassung verringert.
    .meaning = Weight Decay. Es wirkt nicht auf Bias und Normalisierungsschichten.
    .phrase = Weight Decay { $value }

key-clip-gradient =
    .name = Begrenzung des Gradienten
    .help = Begrenzt die Norm des Gradienten, damit das Training nicht divergiert. Automatisch begrenzt sie bei SGD und bei Training, das mit dem Sofort-Klassifikator beginnt.
    .meaning = Größte Norm des Gradienten über alle Parameter. `auto` ist 1 bei `sgd`, das ohne Grenze divergierte, und bei Training, das mit dem Sofort-Klassifikator beginnt; sonst gibt es keine Grenze. Bleibt es leer (null), gibt es keine Grenze.
    .empty = keine Begrenzung
    .phrase = Gradienten auf eine Länge von höchstens { $value } gekürzt
    .phrase-off = keine Begrenzung der Gradienten

key-clip-gradient-choice-auto = automatisch

key-schedule =
    .name = Verlauf der Lernrate
    .help = Wie sich die Lernrate während des Trainings ändert.
    .meaning = Wie die Lernrate fällt. `cosine`: entlang eines Kosinus auf null. `constant`: gar nicht.

key-schedule-choice-cosine = fällt gleichmäßig auf null
    .phrase = entlang eines Kosinus auf null fallend

key-schedule-choice-constant = bleibt konstant
    .phrase = konstant gehalten

key-warmup =
    .name = Anlaufphase
    .help = Der Anteil aller Schritte, in dem die Lernrate von null ansteigt. Dies schützt vortrainierte Gewichte.
    .meaning = Anteil aller Schritte, in dem die Lernrate von null ansteigt.
    .phrase = die Lernrate über die ersten { $value } der Schritte von null ansteigend
    .phrase-off = keine Anlaufphase der Lernrate

key-loss =
    .name = Verlustfunktion
    .help = Der Verlust, den das Training minimiert. Focal Loss verringert das Gewicht von Bildern mit sicheren Vorhersagen.
    .meaning = Der Verlust je Bild, den die Feinabstimmung minimiert. `cross_entropy` ist der negative Logarithmus der Wahrscheinlichkeit der wahren Klasse. `focal` verringert das Gewicht von Bildern mit hoher Wahrscheinlichkeit der wahren Klasse (Lin et al. 2017).

key-loss-choice-cross-entropy = Kreuzentropie
    .phrase = Kreuzentropie

key-loss-choice-focal = Focal Loss
    .phrase = Focal Loss (Lin et al. 2017)

key-loss-options =
    .name = Optionen der Verlustfunktion
    .help = Zahlenwerte der Verlustfunktion. Focal Loss hat gamma.
    .meaning = Optionen der Verlustfunktion: `focal` hat `gamma` (0 bis 10; Standardwert 2).
    .phrase = { $value }

key-loss-options-focal-gamma =
    .name = Gamma
    .help = Höhere Werte verringern das Gewicht von Bildern, die sicher klassifiziert werden. Bei 0 sind alle Gewichte gleich.

key-class-weights =
    .name = Gewicht seltener Klassen
    .help = Mit gleichen Gewichten ist ein Netz womöglich nur bei häufigen Klassen gut. Das Testset wird nicht verändert.
    .meaning = Nur im Training: `balanced` gewichtet den Verlust jedes Bildes so, dass jede Klasse dasselbe Gewicht hat.

key-class-weights-choice-none = dasselbe Gewicht für jedes Bild

key-class-weights-choice-balanced = ein größeres Gewicht für seltene Klassen
    .phrase = nach Klassen gewichtet

key-sampling =
    .name = Bilder in jeder Epoche
    .help = Welche Bilder eine Epoche verwendet, und wie oft. Das Testset wird nicht verändert.
    .meaning = Nur im Training. `all`: jedes Bild einmal. `oversample`: Bilder seltener Klassen häufiger. `undersample`: Bilder häufiger Klassen seltener. `even`: beides, in einer Epoche üblicher Länge. `domains`: Bilder kleiner Domänen häufiger, wenn es mehrere Domänen gibt.

key-sampling-choice-all = jedes Bild einmal

key-sampling-choice-oversample = Bilder seltener Klassen häufiger
    .phrase = mit häufiger gezogenen seltenen Klassen

key-sampling-choice-undersample = weniger Bilder häufiger Klassen
    .phrase = mit seltener gezogenen häufigen Klassen

key-sampling-choice-even = jede Klasse gleich oft, in ebenso vielen Schritten
    .phrase = mit gleich oft gezogenen Klassen

key-sampling-choice-domains = Bilder kleiner Domänen häufiger
    .phrase = mit gleich oft gezogenen Bildern jeder Domäne

key-rare-class-repeats =
    .name = Wiederholungen der seltensten Klasse
    .help = Wie oft jedes Bild der kleinsten Klasse in einer Epoche verwendet wird, wenn häufige Klassen weniger Bilder haben. Jedes Mal ist seine Datenaugmentierung anders.
    .meaning = Mit `sampling: undersample`: wie oft jedes Bild der kleinsten Klasse in einer Epoche gezogen wird. Alle Klassen werden gleich oft gezogen. Mit 5 und 436 Bildern in der kleinsten Klasse hat eine Epoche 2.180 Bilder jeder Klasse.
    .phrase = jedes Bild der kleinsten Klasse { $value }{ $n ->
        [one] -mal
       *[other] -mal
    } in jeder Epoche

key-checkpoint-selection =
    .name = Auswahl des Checkpoints
    .help = Die Epoche, deren Netz verwendet wird. Wenn das Training mit dem Sofort-Klassifikator beginnt, ist die letzte Epoche besser als die beste auf wenigen Validierungsbildern.
    .meaning = Epoche, deren Netz behalten wird. `auto` ist die letzte Epoche, wenn das Training mit dem Sofort-Klassifikator beginnt und die Lernrate entlang eines Kosinus fällt. Sonst ist es die beste Epoche nach der Hauptmetrik auf Validierungsbildern.

key-checkpoint-selection-choice-auto = automatisch

key-checkpoint-selection-choice-best = die beste Epoche auf Validierungsbildern
    .phrase = die beste Epoche behalten

key-checkpoint-selection-choice-last = die letzte Epoche
    .phrase = die letzte Epoche behalten

key-checkpoint-selection-set =
    .name = Bilder für die Auswahl des Checkpoints
    .help = Publikationen wählen die Epoche manchmal nach den Bildern, mit denen sie testen. Die Metriken fallen dann zu hoch aus.
    .meaning = Set von Bildern, das die beste Epoche bestimmt und das Training vorzeitig beendet. `test` ist das Set, dessen Metriken berichtet werden, die dann zu hoch ausfallen. Nur wenn Leakage erlaubt ist, oder in einer Studie.

key-checkpoint-selection-set-choice-validation = die Validierungsbilder

key-checkpoint-selection-set-choice-test = die Testbilder
    .phrase = mit der Epoche nach den Testbildern gewählt

key-validation-copies =
    .name = Kopien der Validierungsbilder
    .help = Die Anzahl augmentierter Kopien jedes Bildes, nach dem die Epoche gewählt wird. Andere Entscheidungen des Trainings verwenden die Bilder selbst.
    .meaning = Anzahl augmentierter Kopien jedes Bildes, nach dem die Epoche gewählt wird, zusätzlich zum Bild. Die Kopien sind in jeder Epoche dieselben.
    .unit = Kopien
    .phrase = { $value } augmentierte { $n ->
        [one] Kopie
       *[other] Kopien
    } jedes Bildes, nach dem die Epoche gewählt wird

key-stage-selection =
    .name = Auswahl der Stufe
    .help = Ob der Sofort-Klassifikator behalten wird, wenn das feinabgestimmte Netz schlechtere Validierungsergebnisse hat. Publikationen behalten das feinabgestimmte Netz in jedem Fall.
    .meaning = Ob der Sofort-Klassifikator oder das feinabgestimmte Netz behalten wird: das mit den besseren Validierungsergebnissen, oder in jedem Fall das feinabgestimmte Netz. Wenn die Feinabstimmung mit dem Sofort-Klassifikator beginnt und mindestens drei Viertel der Epochen hat, die `auto` setzt, wird das feinabgestimmte Netz behalten, außer wenn seine Hauptmetrik um mehr als zwei Standardfehler des Unterschieds niedriger ist.

key-stage-selection-choice-better = nach Validierungsergebnissen gewählt

key-stage-selection-choice-finetune = das feinabgestimmte Netz
    .phrase = das feinabgestimmte Netz in jedem Fall behalten

key-patience =
    .name = Geduld
    .help = Das Training endet nach dieser Anzahl von Epochen ohne besseres Ergebnis auf Validierungsbildern. Wenn die letzte Epoche behalten wird und die Lernrate gleichmäßig fällt, werden alle Epochen ausgeführt.
    .meaning = Anzahl der Epochen ohne bessere Hauptmetrik auf Validierungsbildern, nach denen das Training endet. Bleibt es leer (null), endet das Training nicht vorzeitig. Alle Epochen werden ausgeführt, wenn die letzte behalten wird und die Lernrate entlang eines Kosinus fällt.
    .unit = Epochen
    .empty = nie vorzeitig beenden
    .phrase = Ende nach { $value } Epochen ohne eine bessere
    .phrase-off = kein vorzeitiges Ende

## Regularizer

key-regularizer-groups =
    .name = Merkmale gruppieren nach
    .help = Ein zusätzlicher Term der Verlustfunktion aus einer Publikation: Bilder einer Gruppe sollen ähnliche Merkmale haben.
    .meaning = Wie die Merkmale gruppiert werden. `none` schaltet den Regularisierer aus. `labels` gruppiert sie nach Klassen. `kmeans` gruppiert sie mit K-means innerhalb der Bilder eines Schritts, mit einem Cluster je Klasse, wie veröffentlicht.

key-regularizer-groups-choice-none = nein

key-regularizer-groups-choice-labels = nach Klassen
    .phrase = nach Klassen

key-regularizer-groups-choice-kmeans = nach Ähnlichkeit (K-means)
    .phrase = nach K-means in jedem Batch

key-regularizer-spread-weight =
    .name = Gruppen auseinanderschieben
    .help = Für den Regularisierer: wie stark Gruppen auseinandergeschoben werden. 0 schaltet diesen Term aus.
    .meaning = Gewicht des Abstands zwischen Gruppen. 0 schaltet diesen Term aus.
    .phrase = { $value }

key-regularizer-scatter-weight =
    .name = Gruppen zusammenziehen
    .help = Für den Regularisierer: wie stark Bilder einer Gruppe zusammengezogen werden. 0 schaltet diesen Term aus.
    .meaning = Gewicht des Abstands der Merkmale vom Mittelpunkt ihrer Gruppe. 0 schaltet diesen Term aus.
    .phrase = { $value }

key-regularizer-scatter =
    .name = Abstände zusammenfassen durch
    .help = Für den Regularisierer: ob Abstände innerhalb einer Gruppe gemittelt oder summiert werden.
    .meaning = Wie die Abstände einer Gruppe von ihrem Mittelpunkt zusammengefasst werden: ihr Mittelwert, oder wie veröffentlicht ihre Summe, die mit `batch_size` und `memory` wächst.

key-regularizer-scatter-choice-sum = ihre Summe
    .phrase = Abstände innerhalb einer Gruppe summiert

key-regularizer-scatter-choice-mean = ihren Mittelwert
    .phrase = Abstände innerhalb einer Gruppe gemittelt

key-regularizer-memory =
    .name = Frühere Bilder in Gruppen
    .help = Für den Regularisierer: wie viele frühere Bilder in die Gruppen aufgenommen werden. 0 bedeutet keine.
    .meaning = Frühere Bilder derselben Epoche, deren Merkmale in die Gruppen aufgenommen werden, weil ein Schritt mit wenigen Bildern kleine Gruppen hat. 0 verwendet nur die Bilder des Schritts, wie veröffentlicht.
    .unit = Bilder
    .phrase = { $value } frühere Bilder in die Gruppen aufgenommen

## Preprocessing

key-image-size =
    .name = Bildgröße
    .help = Seitenlänge in Pixeln, auf die Bilder skaliert werden. Kleinere Bilder werden schneller verarbeitet. Größere Bilder zeigen feinere Details. Die Ausschnittgröße legt fest, wie viele µm ein Bild zeigt.
    .meaning = Seitenlänge in Pixeln, auf die Bilder skaliert werden. Bleibt es leer (null), wird die Größe des Netzes verwendet.
    .unit = Pixel
    .empty = die Größe des Netzes
    .phrase = auf { $value } × { $value } Pixel

key-resize =
    .name = Bilder quadratisch machen
    .help = Wie nicht quadratische Bilder quadratisch gemacht werden. Mit demselben Maßstab für alle Bilder bleibt eine kleine Zelle klein.
    .meaning = Form beibehalten und auffüllen (`pad`), zu einem Quadrat strecken (`stretch`), das mittlere Quadrat ausschneiden (`crop`), oder in einem gemeinsamen Maßstab aller Bilder auffüllen (`canvas`), sodass eine kleine Zelle klein bleibt.

key-resize-choice-pad = ganzes Bild, mit Rand
    .phrase = formtreu zu einem Quadrat aufgefüllt

key-resize-choice-stretch = strecken
    .phrase = zu einem Quadrat gestreckt

key-resize-choice-crop = Mitte ausschneiden
    .phrase = auf das mittlere Quadrat zugeschnitten

key-resize-choice-canvas = gleicher Maßstab für alle, mit Rand
    .phrase = in einem gemeinsamen Maßstab aller Bilder zu einem Quadrat aufgefüllt

key-pad-color =
    .name = Farbe des Randes
    .help = Die Farbe des Randes aufgefüllter Bilder.
    .meaning = Farbe des Randes bei `pad` und `canvas`: die Farbe am Bildrand (`auto`), schwarz oder weiß.

key-pad-color-choice-auto = wie der Bildrand

key-pad-color-choice-black = schwarz
    .phrase = mit schwarzem Rand

key-pad-color-choice-white = weiß
    .phrase = mit weißem Rand

key-scaling =
    .name = Intensitäten
    .help = Welche Werte schwarz und weiß werden. Wenn jedes Bild einen eigenen Bereich hat, gehen Helligkeitsunterschiede zwischen Bildern verloren.
    .meaning = Wie Intensitäten auf 0–1 skaliert werden. `full`: nach dem vollen Bereich des Datentyps. `training-range`: nach dem Bereich der Trainingsbilder. `per-image`: nach dem Bereich jedes Bildes, was Intensitätsunterschiede beseitigt. `auto`: `full` für Bilder mit 8 bit, sonst `training-range`.

key-scaling-choice-auto = automatisch
    .phrase = nach dem vollen Bereich (8 bit) oder dem Bereich der Trainingsbilder (tiefer)

key-scaling-choice-full = ganzer Bereich des Formats
    .phrase = nach dem vollen Bereich des Datentyps

key-scaling-choice-training-range = Bereich der Trainingsbilder
    .phrase = nach dem Bereich der Trainingsbilder

key-scaling-choice-per-image = jedes Bild für sich
    .phrase = nach dem eigenen Bereich jedes Bildes

key-normalization =
    .name = Normalisierung
    .help = Skaliert Intensitäten auf Mittelwert und Standardabweichung, mit denen das Netz trainiert wurde.
    .meaning = Mittelwert und Standardabweichung, mit denen Intensitäten in 0–1 normalisiert werden: diejenigen, mit denen die Gewichte trainiert wurden (`weights`), die von ImageNet (`imagenet`), keine (`none`), die der Trainingsbilder (`training-images`), oder die der Gewichte, nachdem die Intensitäten noch einmal durch 255 geteilt wurden (`rescaled-twice`), ein Fehler mancher Publikationen.

key-normalization-choice-weights = wie das Netz es erwartet

key-normalization-choice-imagenet = wie für ImageNet
    .phrase = dann auf Mittelwert und Standardabweichung von ImageNet gebracht

key-normalization-choice-none = keine
    .phrase = ohne weitere Normalisierung

key-normalization-choice-training-images = nach den Trainingsbildern
    .phrase = dann auf Mittelwert und Standardabweichung der Trainingsbilder gebracht

key-normalization-choice-rescaled-twice = zweimal skaliert, ein Fehler mancher Publikationen
    .phrase = dann noch einmal durch 255 geteilt, ein Fehler mancher Publikationen

key-degrade-blur =
    .name = Unschärfe aller Bilder
    .help = Zeichnet alle Bilder weich, die für Training und Test, um zu sehen, wie wichtig die Schärfe ist. In Pixeln des Bildes; 0 bedeutet keine.
    .meaning = Sigma eines Gaußschen Weichzeichners für jedes Bild, bevor es skaliert wird, in Training, Test und Vorhersage. 0: keiner.
    .unit = Pixel
    .phrase = alle Bilder weichgezeichnet (Sigma { $value } Pixel)

key-degrade-scale =
    .name = Größe des Inhalts
    .help = Verkleinert den Inhalt aller Bilder, der für Training und Test, um zu sehen, wie wichtig die Auflösung ist. 1 bedeutet unverändert.
    .meaning = Faktor der Größe des Inhalts jedes Bildes, bevor es skaliert wird, um seine Mitte, in Training, Test und Vorhersage. 1: unverändert.
    .phrase = der Inhalt aller Bilder mit { $value } skaliert

key-degrade-noise =
    .name = Rauschen aller Bilder
    .help = Fügt allen Bildern Rauschen hinzu, denen für Training und Test, um zu sehen, wie wichtig es ist. Relativ zum Bereich der Intensitäten; 0 bedeutet keines.
    .meaning = Standardabweichung des Gaußschen Rauschens in jedem Bild, relativ zum Bereich seiner Intensitäten, in Training, Test und Vorhersage. 0: keines.
    .phrase = Rauschen zu allen Bildern hinzugefügt (Standardabweichung { $value } des Bereichs)

key-match-zoom =
    .name = Vergrößerung aller Bilder
    .help = Vergrößert die Mitte aller Bilder, damit Objekte so groß sind wie in einem anderen Labor. 1 bedeutet unverändert.
    .meaning = Faktor, um den die Mitte jedes Bildes vergrößert wird, in Training und Test. 1: unverändert. Anpassungen setzen ihn; der Faktor für Bilder des anderen Labors steht im Klassifikator.
    .phrase = die Mitte aller Bilder um { $value } vergrößert

key-match-stain =
    .name = Gleiche Färbung in allen Bildern
    .help = Gibt allen Bildern dieselbe mittlere Farbe und denselben Kontrast, damit die Färbung eines Labors weniger zählt.
    .meaning = Ob Mittelwert und Standardabweichung jedes Bildes in CIELAB nach dem Skalieren auf feste Werte gesetzt werden (Reinhard et al. 2001), in Training, Test und Vorhersage. Anpassungen setzen es.
    .phrase = Mittelwert und Standardabweichung jedes Bildes in CIELAB auf feste Werte gesetzt (Reinhard et al. 2001)

key-images-series =
    .name = Serie
    .help = Für Dateien mit mehreren Bildern, etwa Tischpositionen oder Szenen: die Nummer des Bildes, ab 0.
    .meaning = Nummer (ab 0) der Serie, etwa einer Tischposition oder Szene, bei Dateien mit mehreren.
    .phrase = Serie { $value } (ab 0) einer Datei verwendet

key-images-t =
    .name = Zeitpunkt
    .help = Für Filme: die Nummer des Zeitpunkts, ab 0.
    .meaning = Nummer (ab 0) des Zeitpunkts von Filmen.
    .phrase = Zeitpunkt { $value } (ab 0) eines Films verwendet

key-images-z =
    .name = z-Ebene
    .help = Für Stapel: die Nummer der z-Ebene, ab 0; „max“ oder „mean“ über alle z-Ebenen; „best-focus“ für die schärfste; oder „channels“, wenn jede Seite einer Datei ein Kanal ist.
    .meaning = z-Ebene eines Stapels (ab 0), `max` oder `mean` über alle z-Ebenen, `best-focus` für die schärfste, oder `channels`, wenn jede Seite einer Datei ein Kanal ist. Seiten unbekannter Bedeutung sind z-Ebenen.
    .phrase = z-Ebene { $value } (ab 0) eines Stapels verwendet

key-images-z-choice-max = das Maximum aller z-Ebenen
    .phrase = das Maximum aller z-Ebenen eines Stapels verwendet

key-images-z-choice-mean = der Mittelwert aller z-Ebenen
    .phrase = der Mittelwert aller z-Ebenen eines Stapels verwendet

key-images-z-choice-best-focus = die schärfste z-Ebene
    .phrase = die schärfste z-Ebene eines Stapels verwendet

key-images-z-choice-channels = jede Seite ist ein Kanal
    .phrase = die Seiten einer Datei als deren Kanäle verwendet

key-images-channels =
    .name = Kanäle
    .help = Die Kanäle, die das Netz verwendet, nach ihren Nummern ab 0 oder ihren Namen in der Datei.
    .meaning = Nummern (ab 0) oder Namen der zu verwendenden Kanäle. Bleibt es leer (null), werden alle Kanäle verwendet.
    .empty = alle
    .phrase = Kanäle { $value } (ab 0) verwendet

key-images-level =
    .name = Auflösungsstufe
    .help = Für ganze Objektträger und andere Bilder, die in mehreren Auflösungen gespeichert sind: 0 ist die volle Auflösung, höhere Stufen sind gröber.
    .meaning = Stufe (ab 0) von Bildern, die in mehreren Auflösungen gespeichert sind; 0 ist die volle Auflösung. Rahmen und Ausschnittgrößen in Pixeln beziehen sich auf Stufe 0.
    .phrase = Stufe { $value } einer Auflösungspyramide verwendet (0 ist die volle Auflösung)

key-images-pixel-size-um =
    .name = Pixelgröße
    .help = Die Seitenlänge eines Pixels in µm, für Bilder, deren Dateien sie nicht nennen, wie PNG, oder falsch nennen. Sie ändert das Training nicht, außer wenn Ausschnitte eine Größe in µm haben. Der Klassifikator speichert sie, damit Bilder mit anderer Pixelgröße erkannt werden können.
    .meaning = Seitenlänge in µm eines Pixels der Stufe 0, die die in Dateien genannte Pixelgröße ersetzt. Bleibt es leer (null), gilt die Größe der Dateien. Außer bei Ausschnitten mit einer Größe in µm ändert sie das Training nicht; der Klassifikator speichert sie.
    .unit = µm
    .empty = wie in den Dateien
    .phrase = eine Pixelgröße von { $value } µm angegeben

key-channel-files =
    .name = Dateien von Kanälen
    .help = Wenn jeder Kanal in einer eigenen Datei ist: der Teil der Dateinamen, der die Kanäle unterscheidet, in ihrer Reihenfolge, etwa _w1 und _w2.
    .meaning = Teile der Dateinamen, die die Kanäle eines Bildes unterscheiden, wenn jeder Kanal in einer eigenen Datei ist: `[_w1, _w2]`. Bleibt es leer (null), ist jede Datei ein Bild.
    .empty = jede Datei ist ein Bild
    .phrase = Dateien mit { $value } im Namen als Kanäle eines Bildes

key-crop-size =
    .name = Ausschnittgröße
    .help = Für eine Tabelle mit Punkten oder Rahmen in Gesichtsfeldern: die Seitenlänge des Quadrats, das um jeden Punkt oder um die Mitte jedes Rahmens ausgeschnitten wird, in Pixeln (80) oder in µm (32 um). Etwa der doppelte Durchmesser einer Zelle ist ein guter Anfang. In µm werden auch ganze Bilder um ihre Mitte ausgeschnitten, sodass alle Bilder denselben Maßstab haben.
    .meaning = Seitenlänge des Quadrats um jeden Punkt oder um die Mitte jedes Rahmens einer Tabelle. In µm auch um die Mitte ganzer Bilder: Alle Bilder zeigen dann gleich viele µm, unabhängig von ihrer Pixelgröße, und Bilder ohne Pixelgröße werden abgelehnt. Bleibt es leer (null), gibt es keine Punkte, und Rahmen und ganze Bilder behalten ihre Größe.
    .unit = Pixel oder µm
    .empty = die Rahmen einer Tabelle
    .phrase = { $n ->
        [0] Quadrate von { $value } um die Punkte, Rahmen oder Bildmitten ausgeschnitten
       *[other] Quadrate von { $value } Pixeln um die Punkte oder Rahmen einer Tabelle ausgeschnitten
    }

key-crop-margin =
    .name = Rand um Rahmen
    .help = Für eine Tabelle mit Rahmen, etwa eine Objekttabelle: wie viel der Umgebung auf jeder Seite eines Rahmens mit ausgeschnitten wird, als Anteil der längeren Seite des Rahmens (0.2) oder in µm (2 um). Eine Ausschnittgröße ersetzt ihn.
    .meaning = Rand auf jeder Seite eines Rahmens einer Tabelle, als Anteil der längeren Seite des Rahmens oder in µm. `crop_size` ersetzt ihn.
    .phrase = { $n ->
        [0] ein Rand von { $value } auf jeder Seite jedes Rahmens hinzugefügt
       *[other] ein Rand vom { $value }-Fachen der längeren Seite jedes Rahmens auf jeder Seite hinzugefügt
    }

## Decisions

key-positive-class =
    .name = Positive Klasse
    .help = Für zwei Klassen. Die Sensitivität ist der Anteil ihrer Bilder, die als diese Klasse vorhergesagt werden.
    .meaning = Für zwei Klassen: die Klasse, auf die sich Sensitivität, Spezifität, PPV und NPV beziehen. Bleibt es leer (null) und heißt eine Klasse negative, normal, healthy, control oder ähnlich, ist die andere die positive Klasse; sonst ist es die zweite Klasse.
    .empty = nach Namen, sonst die zweite
    .phrase = { $value } war die positive Klasse

key-decide-by =
    .name = Entscheidungsregel
    .help = Schwellen werden auf Validierungsbildern festgelegt. Damit werden seltene Klassen häufiger und häufige Klassen seltener vorhergesagt.
    .meaning = Die Entscheidungsregel. `highest`: die wahrscheinlichste Klasse. `roc`: die Klasse, die am weitesten über ihrer eigenen Schwelle liegt; die Schwellen haben auf Validierungsbildern das beste Gleichgewicht von Sensitivität und Spezifität, daher werden seltene Klassen häufiger und häufige Klassen seltener vorhergesagt. Für zwei Klassen `sensitivity` und `specificity`: die Schwelle, bei der Validierungsbilder mit 90 % Sicherheit zeigen, dass neue Bilder der positiven (oder der anderen) Klasse `target` erreichen. Für zwei Klassen `threshold`: die angegebene `threshold`.

key-decide-by-choice-highest = wahrscheinlichste Klasse
    .phrase = Vorhergesagt wurde die wahrscheinlichste Klasse.

key-decide-by-choice-roc = Klasse, die am weitesten über ihrer eigenen Schwelle liegt (ROC)

key-decide-by-choice-sensitivity = zwei Klassen: Ziel-Sensitivität der positiven Klasse

key-decide-by-choice-specificity = zwei Klassen: Ziel-Spezifität der positiven Klasse

key-decide-by-choice-threshold = zwei Klassen: eine angegebene Schwelle der positiven Klasse

key-target =
    .name = Ziel-Sensitivität oder -Spezifität
    .help = Nur verwendet, wenn die Entscheidungsregel eine Ziel-Sensitivität oder -Spezifität ist.
    .meaning = Das Ziel, wenn `decide_by` den Wert `sensitivity` oder `specificity` hat: Die untere Schranke mit 90 % Sicherheit erreicht es. Bei zu wenigen Validierungsbildern hat die Schwelle die höchste Schranke, und eine Warnung nennt sie.

key-threshold =
    .name = Schwelle der positiven Klasse
    .help = Nur verwendet, wenn die Entscheidungsregel eine angegebene Schwelle ist.
    .meaning = Wenn `decide_by` den Wert `threshold` hat: Bilder mit mindestens dieser Wahrscheinlichkeit werden als positive Klasse vorhergesagt.

key-error-rate =
    .name = Ziel-Fehlerrate
    .help = Höchstens dieser Anteil der entschiedenen Validierungsbilder ist falsch klassifiziert. Weniger sichere Vorhersagen werden als unsicher markiert. Bei Automatisch ist das Ziel die Hälfte der Fehlerrate bei Entscheidung aller Bilder, und höchstens 20 % der Bilder sind unsicher.
    .meaning = Ziel-Fehlerrate der entschiedenen Validierungsbilder. So wenige Bilder wie nötig, und höchstens vier von fünf, sind `uncertain`. Bleibt es leer (null), ist das Ziel die Hälfte der Fehlerrate bei Entscheidung aller Bilder, und höchstens eines von fünf Bildern ist `uncertain`.
    .empty = automatisch
    .phrase = Vorhersagen wurden als unsicher markiert, wenn sonst mehr als ein Anteil von { $value } falsch gewesen wäre

## Data augmentation

key-augment-rotate-degrees =
    .name = Drehen
    .help = Bilder werden um bis zu diesen Winkel in beide Richtungen gedreht. 180 lässt jeden Winkel zu, weil Zellen auf einem Objektträger kein Oben und Unten haben.
    .meaning = Größte Drehung in beide Richtungen. 180 lässt jeden Winkel zu.
    .unit = Grad
    .phrase = Drehung um bis zu { $value }°

key-augment-zoom =
    .name = Zoom
    .help = Bilder werden um bis zu diesen Anteil vergrößert oder verkleinert. 0.1 ist ein Zehntel.
    .meaning = Größte relative Änderung des Maßstabs: 0.1 zieht aus 1/1,1 bis 1,1.
    .phrase = Zoom von ±{ $value }

key-augment-flip =
    .name = Spiegeln
    .help = Bilder werden zufällig gespiegelt. Schalten Sie dies aus, wenn das Spiegelbild eine andere Klasse hat, wie bei Buchstaben, oder wenn sich links und rechts unterscheiden.
    .meaning = Links–rechts und oben–unten spiegeln, jeweils mit Wahrscheinlichkeit 0,5. `horizontal`: nur links–rechts.

key-augment-flip-choice-true = in beiden Richtungen
    .phrase = Spiegelung

key-augment-flip-choice-false = nein

key-augment-flip-choice-horizontal = nur links und rechts
    .phrase = Spiegelung von links und rechts

key-augment-shift =
    .name = Verschieben
    .help = Bilder werden um bis zu diesen Anteil ihrer Seite verschoben.
    .meaning = Größte Verschiebung als Anteil der Bildseite.
    .phrase = Verschiebung um bis zu { $value }

key-augment-contrast =
    .name = Kontrast
    .help = Der Kontrast wird um bis zu diesen Anteil erhöht oder verringert.
    .meaning = Größte relative Änderung des Kontrasts.
    .phrase = Kontrast von ±{ $value }

key-augment-brightness =
    .name = Helligkeit
    .help = Bilder werden um bis zu diesen Anteil des vollen Bereichs heller oder dunkler.
    .meaning = Größte Änderung der Helligkeit als Anteil des vollen Bereichs.
    .phrase = Helligkeit von ±{ $value }

key-augment-shear-degrees =
    .name = Scheren
    .help = Bilder werden um bis zu diesen Winkel schräg gestellt, wie kursive Buchstaben.
    .meaning = Größter Scherwinkel in beide Richtungen.
    .unit = Grad
    .phrase = Scherung um bis zu { $value }°

key-augment-crop =
    .name = Zuschneiden
    .help = Höchstens dieser Anteil der Seite wird abgeschnitten. Der Rest wird auf das ganze Bild vergrößert.
    .meaning = Größter Anteil der Seite, der an zufälliger Stelle abgeschnitten wird. Der Rest wird auf das ganze Bild vergrößert.
    .phrase = Zuschnitt um bis zu { $value } der Seite

key-augment-stain =
    .name = Färbestärke
    .help = Jede Färbung wird um bis zu diesen Anteil stärker oder schwächer, wie zwischen zwei Färbungen. Für gefärbte Präparate im Hellfeld.
    .meaning = Größte relative Änderung der Stärke jeder Färbung, in optischer Dichte (Basis e). Für Farbbilder im Hellfeld.
    .phrase = Färbestärke von ±{ $value } (durch Farbdekonvolution)

key-augment-saturation =
    .name = Sättigung
    .help = Farben werden um bis zu diesen Anteil kräftiger oder blasser.
    .meaning = Größte relative Änderung der Sättigung. Für Farbbilder.
    .phrase = Sättigung von ±{ $value }

key-augment-hue-degrees =
    .name = Farbton
    .help = Der Farbton wird um bis zu diesen Winkel auf dem Farbkreis verschoben.
    .meaning = Größte Verschiebung des Farbtons in beide Richtungen. Für Farbbilder.
    .unit = Grad
    .phrase = Farbton um bis zu { $value }°

key-augment-blur =
    .name = Unschärfe
    .help = Bilder werden um bis zu diese Anzahl von Pixeln weichgezeichnet, als wären sie unscharf.
    .meaning = Größtes Sigma eines Gaußschen Weichzeichners, in Pixeln des skalierten Bildes.
    .unit = Pixel
    .phrase = Gaußsche Unschärfe bis σ = { $value } Pixel

## Named sets of data augmentation. An entry's code is `key-augment-choice-` and the name of the set.

key-augment-choice-default = der Standardwert eines Rezepts

key-augment-choice-none = keine Augmentierung

key-augment-choice-stain = für gefärbte Hellfeldbilder (Blut, Pap, Histologie) und Vorhersagen für Bilder anderer Labore

key-augment-choice-aimic = AIMIC nennt keine Augmentierung

key-augment-choice-mobilevit-mn = MobileViT-MN nennt Drehung, Spiegelung und Skalierung, nur für die seltene Klasse und Validierungsbilder

key-augment-choice-mobincep = Mobincep nennt Drehung, Spiegelung, Zuschnitt, Verschiebung, Skalierung und Scherung

key-augment-choice-efficientnetv2-b0 = der Artikel zu EfficientNetV2-B0 nennt Spiegelung, Zoom, Scherung, Verschiebung in beiden Richtungen und Drehung

key-augment-choice-chromosomes = der Chromosomen-Artikel zum Transfer in zwei Schritten nennt Spiegelung in beiden Richtungen und Gaußsche Unschärfe

## Classes and groups

key-classes-merge =
    .name = Zusammengeführte Klassen
    .help = Klassen, die zu einer Klasse mit neuem Namen zusammengeführt werden.
    .meaning = Zusammenzuführende Klassen: der neue Name, dann die Liste der alten Namen.

key-classes-drop =
    .name = Ausgeschlossene Klassen
    .help = Bilder dieser Klassen werden nicht verwendet.
    .meaning = Klassen, deren Bilder ausgeschlossen werden.

key-classes-rename =
    .name = Umbenannte Klassen
    .help = Neue Namen für Klassen.
    .meaning = Neue Namen für Klassen: alter Name, neuer Name.

key-classes-by-domain =
    .name = Getrennte Klassen für jede Domäne
    .help = Ob Bilder jeder Domäne eigene Klassen haben, auch wenn diese gleich heißen.
    .meaning = Ob jede Domäne eigene Klassen hat, mit Namen der Form `<domain>/<class>`. Sonst sind Klassen mit demselben Namen eine Klasse. In beiden Fällen können die anderen Schlüssel einen solchen Namen für eine Klasse einer Domäne verwenden.

key-classes-order =
    .name = Reihenfolge der Klassen
    .help = Die Klassen, die in jeder Tabelle und Abbildung zuerst kommen.
    .meaning = Klassen, mit ihren neuen Namen, in der Reihenfolge aller Ergebnisse. Die anderen folgen nach Namen.

key-group =
    .name = Gruppen
    .help = Was den Patienten, den Objektträger oder das Well eines Bildes nennt: eine Spalte der Tabelle oder ein Muster im Pfad.
    .meaning = Spalte einer Tabelle, oder regulärer Ausdruck für den Pfad, die bzw. der die Gruppe eines Bildes nennt (Patient, Objektträger, Well). Alle Bilder einer Gruppe bleiben im selben Set. `none`: Gruppen, die eine Tabelle angibt, werden ignoriert.
    .empty = keine

## Split

key-split-val =
    .name = Validierungsset
    .help = Der Anteil der Bilder, nach denen die beste Epoche gewählt und das Training vorzeitig beendet wird. Sie werden nicht zum Training verwendet. 0.2 ist eines von fünf Bildern.
    .meaning = Anteil der Bilder im Validierungsset, das für Auswahl und Schwellen verwendet wird. Auch mit Folds ist es ein Anteil aller Bilder: 5 Folds mit 0.2 trainieren auf 60 %. 0: keine Validierungsbilder, sodass 5 Folds auf 80 % trainieren. Dann ist `epochs` eine Zahl, nichts wird ausgewählt, und Wahrscheinlichkeiten werden nicht kalibriert.

key-split-test =
    .name = Testset
    .help = Der Anteil der Bilder für die endgültigen Metriken. Keine Entscheidung hängt von ihnen ab.
    .meaning = Anteil der Bilder im Testset, für die endgültigen Metriken. Keine Entscheidung hängt von ihnen ab.

key-split-folds =
    .name = Folds
    .help = Anzahl der Folds der Kreuzvalidierung. Jeder Fold wird auf anderen Bildern getestet, bis jedes Bild einmal getestet wurde. Die Trainingszeit wächst mit der Anzahl. Nützlich bei wenigen Bildern oder wenigen Patienten. 0 macht eine einzelne Aufteilung. Bleibt es leer, hängt es von der Anzahl der Bilder und Gruppen und von der Stufe ab.
    .meaning = Anzahl der Folds der Kreuzvalidierung: ein Netz je Fold, auf anderen Bildern getestet, sodass jedes Bild einmal getestet wird (`test` wird dann ignoriert). Der Klassifikator selbst wird auf allen Bildern trainiert. 0 macht eine einzelne Aufteilung. Bleibt es leer (null), werden bis zu 5 Folds verwendet, wenn das Testset einer einzelnen Aufteilung weniger als 60 Bilder oder 10 Gruppen hätte (insgesamt 300 Bilder oder 50 Gruppen); mit Feinabstimmung nur bei insgesamt weniger als 10 Gruppen oder weniger als 100 Bildern ohne Gruppen.
    .empty = je nach Bildern

key-split-by-domain =
    .name = Eine Domäne auslassen
    .help = Ein Fold je Domäne (Ordner, Labor). Jede Domäne wird mit einem Netz getestet, das auf allen anderen Domänen trainiert wurde. Dies schätzt die Leistung auf Bildern einer neuen Domäne.
    .meaning = Ein Fold je Domäne statt `folds` und `test`: jeweils eine Domäne auslassen.
    .phrase = jede Domäne mit einem Netz getestet, das auf allen anderen trainiert wurde

key-split-near-duplicates =
    .name = Beinahe-Duplikate
    .help = Bilder desselben Objekts mit anderen Pixeln: neu gespeichert, skaliert, gedreht, gespiegelt oder beschnitten. coverslip sucht danach und hält sie im selben Set. Wird ein Beinahe-Duplikat eines Testbilds zum Training verwendet, fallen die Metriken zu hoch aus.
    .meaning = Ob nach Beinahe-Duplikaten gesucht wird und sie im selben Set gehalten werden (`together`), oder ob nicht gesucht wird (`ignore`).

key-split-near-duplicates-choice-together = im selben Set halten

key-split-near-duplicates-choice-ignore = nicht suchen
    .phrase = nach Beinahe-Duplikaten nicht gesucht

key-split-train-per-class =
    .name = Höchstzahl der Bilder je Klasse
    .help = Die Höchstzahl der Trainingsbilder je Klasse, zufällig gezogen.
    .meaning = Höchstzahl der Trainingsbilder je Klasse, zufällig gezogen. Bleibt es leer (null), werden alle Bilder verwendet.
    .unit = Bilder
    .empty = alle
    .phrase = höchstens { $value } { $n ->
        [one] Trainingsbild
       *[other] Trainingsbilder
    } jeder Klasse, zufällig gezogen

key-split-seed =
    .name = Seed der Aufteilung
    .help = Die Bilder werden mit diesem Seed aufgeteilt, unabhängig vom Seed des Trainings. Mehrere Trainings können dann auf denselben Bildern getestet werden.
    .meaning = Seed der Aufteilung. Bleibt es leer (null), wird `seed` verwendet.
    .empty = der Seed des Trainings
    .phrase = Bilder mit einem eigenen Seed ({ $value }) aufgeteilt

key-split-run =
    .name = Aufteilung eines früheren Trainings
    .help = Die Aufteilung eines früheren Trainings wird wieder verwendet, sodass zwei Trainings auf denselben Testbildern verglichen werden können. Neue Bilder kommen ins Trainingsset.
    .meaning = Der Ordner eines früheren Trainings mit diesen Bildern. Jedes Bild bleibt in seinem Set (Training, Validierung oder Test). Bleibt es leer (null), wird neu aufgeteilt.
    .empty = eine neue Aufteilung
    .phrase = jedes Bild im selben Set (Training, Validierung oder Test) wie in einem früheren Training

key-split-balance =
    .name = Ausgleich vor der Aufteilung
    .help = Entfernt Bilder häufiger Klassen vor der Aufteilung. Das Testset hat dann gleich große Klassen, anders als neue Bilder.
    .meaning = `undersample`: Vor der Aufteilung wird jede Klasse zufällig auf die Größe der kleinsten verkleinert. Alle Sets haben dann gleich große Klassen, sodass Präzision und Genauigkeit nicht die des Datensatzes sind. Um nur das Training auszugleichen, verwenden Sie `sampling`.

key-split-balance-choice-none = nein

key-split-balance-choice-undersample = alle Klassen auf die kleinste verkleinern
    .phrase = jede Klasse vor der Aufteilung auf die Größe der kleinsten verkleinert

key-split-copies =
    .name = Kopien vor der Aufteilung
    .help = Die Anzahl augmentierter Kopien jedes Bildes, die vor der Aufteilung gemacht werden. Kopien eines Bildes sind dann im Trainings- und im Testset, sodass die Metriken zu hoch ausfallen.
    .meaning = Anzahl augmentierter Kopien jedes Bildes, die vor der Aufteilung durch `augment` gemacht werden. Jede Kopie wird wie ein eigenes Bild aufgeteilt, außer wenn Gruppen bekannt sind. Das Training selbst zieht dann keine Augmentierung. Nur wenn Leakage erlaubt ist, oder in einer Studie.
    .unit = Kopien
    .phrase = { $value } augmentierte { $n ->
        [one] Kopie
       *[other] Kopien
    } jedes Bildes vor der Aufteilung

## Other settings

key-primary-metric =
    .name = Hauptmetrik
    .help = Die Metrik, nach der die beste Epoche auf Validierungsbildern gewählt wird. In Makro-Mittelwerten hat jede Klasse dasselbe Gewicht.
    .meaning = Die Metrik für die Auswahl auf Validierungsbildern.

key-seed =
    .name = Seed
    .help = Der Anfang aller Zufallsziehungen. Eine andere Zahl ergibt eine andere Aufteilung und ein anderes Training.
    .meaning = Seed jeder Zufallsziehung.
    .phrase = Seed { $value }

key-device =
    .name = Gerät
    .help = Automatisch verwendet eine Grafikkarte (GPU), wenn es eine gibt.
    .meaning = Gerät für das Training. `auto` verwendet eine CUDA-GPU, wenn es eine gibt.

key-device-choice-auto = automatisch

key-device-choice-cpu = Prozessor (CPU)

key-device-choice-cuda = NVIDIA-Grafikkarte

key-device-choice-mps = Apple-Grafik
