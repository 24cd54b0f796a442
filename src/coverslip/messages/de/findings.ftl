# Findings: what is wrong with a dataset or could be better. `.title` is the heading of a kind of finding, `.limit` what
# it means for the numbers of a training on these images.

finding-leakage = Die vorgegebene Aufteilung hat { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    } und { $n_equal ->
        [one] { $n_equal } Menge
       *[other] { $n_equal } Mengen
    } gleicher Bilder{ $n_near ->
        [0] { "" }
        [one] , { $n_near } Menge von Beinahe-Duplikaten
       *[other] , { $n_near } Mengen von Beinahe-Duplikaten
    }{ $n_chains ->
        [0] { "" }
        [one] {" "}und { $n_chains } Kette von Gruppen, die durch Duplikate verbunden sind,
       *[other] {" "}und { $n_chains } Ketten von Gruppen, die durch Duplikate verbunden sind,
    } in mehreren Sets. Die Testergebnisse würden zu optimistisch ausfallen.
    .title = In mehreren Sets der vorgegebenen Aufteilung
    .do = Verschieben Sie sie in ein Set, oder lassen Sie coverslip die Bilder aufteilen.

finding-no-labels = Kein Bild hat ein Label.
    .title = Keine Labels
    .do = Geben Sie den Bildern in der App Labels, legen Sie jede Klasse in einen Ordner, oder geben Sie eine Tabelle mit einer Label-Spalte an.

finding-one-class = Es gibt nur eine Klasse, { $class_name }. Ein Klassifikator braucht mindestens zwei.
    .title = Nur eine Klasse
    .do = Fügen Sie Bilder einer weiteren Klasse in einem eigenen Ordner hinzu.

finding-unlike-channels = Die Anzahl der Kanäle ist unterschiedlich ({ $counts }). Mit diesen Bildern ist kein Training möglich.
    .title = Unterschiedlich viele Kanäle
    .do = { $advice }

channels-of-gray-and-color = Schließen Sie die Bilder einer Art aus, oder exportieren Sie alle mit denselben Kanälen.

channels-in-common = Wenn die Kanäle in allen Bildern dieselbe Bedeutung haben, wählen Sie diejenigen, die alle Bilder haben. Trainieren Sie sonst mit nur einer Art von Bildern.

channels-of-number = { $n_images } mit { $n_channels }

finding-confounded-groups = Jede Klasse ist in einer einzigen Gruppe ({ $group_names }). Daher lassen sich Klasse und Gruppe nicht unterscheiden, und keine Klasse kann zugleich im Trainings- und im Testset sein.
    .title = Jede Klasse in einer einzigen Gruppe
    .do = Fügen Sie Bilder hinzu, sodass jede Klasse aus mehreren Gruppen stammt. Ohne solche Bilder trainieren Sie ohne Gruppen. Der Klassifikator lernt dann womöglich die Gruppe statt der Klasse, und die Ergebnisse können es nicht zeigen.

finding-overwritten = { $n ->
        [one] Die Datei von { $n } Bild hat
       *[other] Die Dateien von { $n } Bildern haben
    } einen anderen Inhalt als zu der Zeit, als { $n ->
        [one] es
       *[other] sie
    } in der App Labels { $n ->
        [one] erhielt
       *[other] erhielten
    }. Labels, Bestätigungen, Ausschlüsse und Zweitbefundungen sind die des früheren Inhalts.
    .title = Seit der Vergabe der Labels überschrieben
    .do = Vergleichen Sie die Bilder mit den Labels. Wurden nur Einzelheiten bearbeitet, behalten Sie die Labels. Sind es andere Bilder, verwerfen Sie sie: Sie bleiben beim früheren Inhalt und kommen zurück, wenn Dateien ihn wieder haben.

finding-unreadable = { $n ->
        [one] { $n } Bild ist nicht lesbar und wird ausgeschlossen („{ $first }“: { $reason }).
       *[other] { $n } Bilder sind nicht lesbar und werden ausgeschlossen (das erste: „{ $first }“: { $reason }).
    }
    .title = Nicht lesbar
    .do = Wenn Sie diese Bilder brauchen, legen Sie fehlende Dateien an ihren Ort, und kopieren oder exportieren Sie die anderen noch einmal. Sonst ist nichts zu tun: Diese Bilder werden ausgeschlossen.

finding-conflicting-labels = { $n ->
        [one] { $n } Bild hat dieselben Pixel wie ein Bild mit einem anderen Label. Es wird ausgeschlossen, bis die Labels übereinstimmen.
       *[other] { $n } Bilder haben dieselben Pixel wie ein Bild mit einem anderen Label. Sie alle werden ausgeschlossen, bis die Labels übereinstimmen.
    }
    .title = Gleiche Pixel, verschiedene Klassen
    .do = Entscheiden Sie, welches Label richtig ist.

finding-duplicates = { $n_images ->
        [one] { $n_images } Bild hat
       *[other] { $n_images } Bilder haben
    } dieselben Pixel wie ein anderes Bild, in { $n_clusters ->
        [one] { $n_clusters } Menge
       *[other] { $n_clusters } Mengen
    }.
    .title = Gleiche Pixel, gleiche Klasse
    .do = Wenn diese Duplikate nicht beabsichtigt sind, schließen Sie sie aus. Die Aufteilung hält sie im selben Set, aber das Bild zählt mehrfach.
    .limit = Die Aufteilung hielt solche Duplikate im selben Set.

finding-class-not-in-training = Die vorgegebene Aufteilung enthält kein Trainingsbild von { $names }. Ohne Trainingsbilder kann ein Klassifikator eine Klasse nicht lernen, daher werden alle Bilder mit einem solchen Label ausgeschlossen.
    .title = Klasse ohne Trainingsbilder
    .do = Verschieben Sie einige dieser Bilder ins Trainingsset, oder lassen Sie coverslip die Bilder aufteilen.

finding-small-class = { $names }: weniger als { $n_needed } Bilder. Die Metriken einer so kleinen Klasse werden ungenau sein.
    .title = Kleine Klassen
    .do = Fügen Sie nach Möglichkeit Bilder hinzu, und beachten Sie die Konfidenzintervalle der Metriken jeder Klasse.

finding-small-class-not-in-all-sets = { $names }: weniger als { $n_needed } Bilder. Eine solche Klasse kann nicht zugleich im Trainings-, Validierungs- und Testset sein.
    .do = Fügen Sie Bilder der Klasse hinzu, oder schließen Sie sie aus.

finding-near-duplicates = { $n_images ->
        [one] { $n_images } Bild ist ein Beinahe-Duplikat
       *[other] { $n_images } Bilder sind Beinahe-Duplikate
    } in { $n_clusters ->
        [one] { $n_clusters } Menge
       *[other] { $n_clusters } Mengen
    }: Kopien eines anderen Bildes, die komprimiert, skaliert, aufgehellt, gedreht, gespiegelt, verschoben oder beschnitten wurden.{ $n_clusters_of_several_classes ->
        [0] { "" }
        [one] {" "}In { $n_clusters_of_several_classes } Menge sind die Klassen verschieden.
       *[other] {" "}In { $n_clusters_of_several_classes } Mengen sind die Klassen verschieden.
    }
    .title = Beinahe-Duplikate
    .do = { $n_clusters_of_several_classes ->
        [0] Prüfen Sie die Mengen von Beinahe-Duplikaten.
       *[other] Prüfen Sie die Mengen von Beinahe-Duplikaten, und entscheiden Sie bei verschiedenen Klassen, welches Label richtig ist.
    } { $are_all_together ->
        [true] Das Training hält jede im selben Set.
       *[false] Das Training hält mit Sicherheit { $n_clusters_together } der { $n_clusters } Mengen im selben Set.
    } Ein Bild mit Beinahe-Duplikaten zählt mehrfach.
    .limit = { $are_all_together ->
        [true] Die Aufteilung hielt Beinahe-Duplikate im selben Set.
       *[false] Die Aufteilung hielt { $n_clusters_together } der Mengen von Beinahe-Duplikaten im selben Set.
    }

finding-hidden-groups = Datei- oder Ordnernamen deuten auf { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    } hin, wie etwa „{ $example }“. Bilder derselben Gruppe stimmen in { $shared ->
        [labels] Labels
       *[appearance] Größe oder Helligkeit
    } weit häufiger überein, als durch Zufall zu erwarten ist. Sie könnten von einem Patienten, Objektträger oder Gesichtsfeld stammen.
    .title = Gruppen in Namen
    .do = Klären Sie, was die Namen bedeuten. Wenn sie Patienten, Objektträger oder Gesichtsfelder nennen, legen Sie Gruppen fest. Sonst fallen die Ergebnisse zu optimistisch aus.
    .limit = Bilder mit verwandten Namen (wie etwa „{ $example }“) stimmen in { $shared ->
        [labels] Labels
       *[appearance] Größe oder Helligkeit
    } weit häufiger überein, als durch Zufall zu erwarten ist, und es wurden keine Gruppen festgelegt. Wenn sie von einem Patienten, Objektträger oder Gesichtsfeld stammen, ähneln Testbilder den Trainingsbildern, und diese Ergebnisse sind nicht verlässlich.

finding-hidden-groups-divided = Datei- oder Ordnernamen deuten auf Gruppen hin. Ein Muster findet { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    }, aber Bilder mehrerer dieser Gruppen haben einen Namen, der „{ $unit }“ enthält. Sie könnten von einem Patienten, Objektträger oder Gesichtsfeld stammen, das diese Gruppen teilen würden.
    .title = Gruppen in Namen
    .do = Klären Sie, was die Namen bedeuten. Wenn sie Patienten, Objektträger oder Gesichtsfelder nennen, legen Sie Gruppen durch eine Spalte fest oder durch ein Muster, das für alle Namen mit „{ $unit }“ dieselbe Gruppe findet. Sonst fallen die Ergebnisse zu optimistisch aus.
    .limit = Bilder mit verwandten Namen (wie etwa „{ $unit }“) stimmen in { $shared ->
        [labels] Labels
       *[appearance] Größe oder Helligkeit
    } weit häufiger überein, als durch Zufall zu erwarten ist, und es wurden keine Gruppen festgelegt. Wenn sie von einem Patienten, Objektträger oder Gesichtsfeld stammen, ähneln Testbilder den Trainingsbildern, und diese Ergebnisse sind nicht verlässlich.

finding-hidden-groups-in-column = Die Spalte „{ $column_name }“ deutet auf { $n_groups ->
        [one] { $n_groups } Gruppe
       *[other] { $n_groups } Gruppen
    } hin, wie etwa „{ $example }“.{ $has_other_columns ->
        [true] {" "}Weitere Spalten: { $other_columns }.
       *[false] { "" }
    } Bilder derselben Gruppe stimmen in { $shared ->
        [labels] Labels
       *[appearance] Größe oder Helligkeit
    } weit häufiger überein, als durch Zufall zu erwarten ist. Sie könnten von einem Patienten, Objektträger oder Gesichtsfeld stammen.
    .do = Klären Sie, was die Spalte bedeutet. Wenn sie Patienten, Objektträger oder Gesichtsfelder nennt, legen Sie Gruppen fest. Sonst fallen die Ergebnisse zu optimistisch aus.
    .limit = Bilder mit demselben Wert in der Spalte „{ $column_name }“ (wie etwa „{ $example }“) stimmen in { $shared ->
        [labels] Labels
       *[appearance] Größe oder Helligkeit
    } weit häufiger überein, als durch Zufall zu erwarten ist, und es wurden keine Gruppen festgelegt. Wenn sie von einem Patienten, Objektträger oder Gesichtsfeld stammen, ähneln Testbilder den Trainingsbildern, und diese Ergebnisse sind nicht verlässlich.

finding-hidden-groups-confounded = { $is_column ->
        [true] Die Spalte „{ $column_name }“ deutet
       *[false] Datei- oder Ordnernamen deuten
    } darauf hin, dass jede Klasse in einer von { $n_groups } Gruppen wie „{ $example }“ ist. Wenn es Patienten, Objektträger oder Chargen sind, lassen sich Klasse und Gruppe nicht unterscheiden, und der Klassifikator lernt womöglich die Gruppe statt der Klasse.
    .do = Fügen Sie Bilder hinzu, sodass jede Klasse aus mehreren Gruppen stammt. Das Training kann diese Gruppen nicht verwenden: Keine Klasse könnte zugleich im Trainings- und im Testset sein.
    .limit = { $is_column ->
        [true] Die Spalte „{ $column_name }“ deutet
       *[false] Datei- oder Ordnernamen deuten
    } darauf hin, dass jede Klasse in einer von { $n_groups } Gruppen wie „{ $example }“ ist. Wenn es Patienten, Objektträger oder Chargen sind, lassen sich Klasse und Gruppe nicht unterscheiden. Diese Ergebnisse können nicht zeigen, ob der Klassifikator die Klasse erkennt.

finding-no-groups = Es sind keine Gruppen festgelegt. Wenn mehrere Bilder von einem Patienten, Objektträger oder Well stammen, können Trainings- und Testset beide Bilder davon enthalten, was die Ergebnisse beschönigt.
    .title = Keine Gruppen
    .do = Legen Sie fest, welche Bilder zusammengehören: durch eine Spalte der Tabelle oder ein Muster in den Namen von Dateien und Ordnern. Oder geben Sie an, dass jede Datei von einem anderen Patienten, Objektträger oder Well stammt.

finding-class-in-few-groups = { $names }: Bilder aus weniger als { $n_needed } Gruppen. Eine solche Klasse kann nicht zugleich im Trainings-, Validierungs- und Testset sein.
    .title = Klassen aus wenigen Gruppen
    .do = Fügen Sie Bilder einer solchen Klasse aus anderen Gruppen hinzu, oder schließen Sie die Klasse aus.

finding-few-groups = { $n_groups ->
        [one] Es gibt nur { $n_groups } Gruppe.
       *[other] Es gibt nur { $n_groups } Gruppen.
    } Die Ergebnisse hängen stark davon ab, welche davon im Testset sind, und die Konfidenzintervalle werden breit und dennoch nur ungefähr sein.{ $is_cross_validated ->
        [true] {" "}Das Training verwendet daher eine Kreuzvalidierung, die jede Gruppe einmal testet.
       *[false] { "" }
    }
    .title = Wenige Gruppen
    .do = { $is_cross_validated ->
        [true] Fügen Sie nach Möglichkeit Bilder anderer Gruppen hinzu.
       *[false] Verwenden Sie eine Kreuzvalidierung, die jede Gruppe einmal testet.
    }

finding-channel-files = { $n_files } Dateien scheinen die Kanäle von { $n } Bildern zu sein (wie etwa { $files }), aber jede Datei wird als eigenes Bild gelesen. Trainings- und Testset können dann Kanäle desselben Bildes enthalten.
    .title = Dateien, die Kanäle sind
    .do = Wenn es Kanäle sind, lesen Sie die Dateien eines Bildes als dessen Kanäle ein.
    .limit = Dateien scheinen Kanäle derselben Bilder zu sein, aber jede wurde als eigenes Bild gelesen. Wenn das zutrifft, enthält das Trainingsset Teile von Testbildern.

finding-groups-divide-copies = { $n_clusters ->
        [one] { $n_clusters } Menge von Duplikaten ist in mehreren Gruppen
       *[other] { $n_clusters } Mengen von Duplikaten sind in mehreren Gruppen
    }{ $are_kept_together ->
        [true] . Diese Gruppen werden daher im selben Set gehalten.
       *[false] . Es sind so viele, dass die meisten Gruppen zu einer einzigen verbunden würden. Daher gelten hier nur Bilder mit gleichen Pixeln als Duplikate, und die Gruppen bleiben, wie sie festgelegt wurden.
    }
    .title = Duplikate in verschiedenen Gruppen
    .do = Prüfen Sie, ob die Gruppen richtig sind.

finding-group-is-class = Jede Gruppe enthält nur eine Klasse. Das Netz könnte lernen, statt der Klassen die Färbung oder Belichtung der Gruppen zu unterscheiden.
    .title = Eine Klasse in jeder Gruppe
    .do = Fügen Sie Gruppen hinzu, die mehrere Klassen enthalten. Sie zeigen, ob das Netz die Gruppen lernt.

finding-no-signal = Aus den Bildern lassen sich die Labels nicht vorhersagen. Ein Sofort-Klassifikator erreicht eine ausgewogene Genauigkeit von { NUMBER($balanced_accuracy, minimumFractionDigits: 2, maximumFractionDigits: 2) } auf Bildern, an die er nicht angepasst wurde; Zufall ergibt { NUMBER($chance, minimumFractionDigits: 2, maximumFractionDigits: 2) } (p = { NUMBER($p, minimumFractionDigits: 2, maximumFractionDigits: 2) }).
    .title = Labels aus Bildern nicht vorhersagbar
    .do = Prüfen Sie, ob Labels und Bilder zusammengehören. Wenn ja, versuchen Sie es mit mehr Bildern oder einem feinabgestimmten Netz.
    .limit = Vor dem Training sagte kein Klassifikator diese Labels besser als durch Zufall vorher.

finding-shortcut = Ein einfacher Klassifikator sagt die Labels allein aus { $from ->
        [border] dem äußersten Achtel des Bildes
        [background] Helligkeit und Körnung des Hintergrunds
        [size] Breite und Höhe des Bildes
        [format] Bittiefe, Kanälen und Ebenen der Datei
        [metadata] den Metadaten der Datei (Kamera, Programm, Auflösung und Kompression)
       *[name] dem Dateinamen (Schreibweise, Länge und letzte Zahl, ohne die Klasse selbst)
    } vorher. Seine ausgewogene Genauigkeit beträgt { NUMBER($balanced_accuracy, minimumFractionDigits: 2, maximumFractionDigits: 2) }. Auf dem ganzen Bild erreicht derselbe einfache Klassifikator { NUMBER($whole_image, minimumFractionDigits: 2, maximumFractionDigits: 2) }, ein trainiertes Netz meist mehr. Zufall ergibt { NUMBER($chance, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
    .title = Labels ohne das Objekt vorhersagbar
    .do = { $from ->
        [border] Prüfen Sie die Ränder auf Markierungen, Maßstabsbalken, Nachbarzellen oder Beleuchtung, die sich zwischen den Klassen unterscheiden. Ein Netz kann dies statt des Objekts lernen; es versagt dann auf Bildern ohne dieses Merkmal.
        [background] Prüfen Sie, ob die Klassen an verschiedenen Tagen, Objektträgern oder Mikroskopen aufgenommen wurden. Ein Netz kann dies statt des Objekts lernen; es versagt dann auf Bildern ohne dieses Merkmal.
        [size] Prüfen Sie, ob die Klassen verschieden zugeschnitten oder exportiert wurden. Ein Netz kann dies statt des Objekts lernen; es versagt dann auf Bildern ohne dieses Merkmal.
        [format] Prüfen Sie, ob die Klassen verschieden exportiert wurden, und exportieren Sie sie auf dieselbe Weise. Ein Netz kann dies statt des Objekts lernen; es versagt dann auf Bildern ohne dieses Merkmal.
        [metadata] Prüfen Sie, ob die Klassen verschieden aufgenommen oder gespeichert wurden. Eine stärkere Kompression zum Beispiel ist in den Pixeln sichtbar. Ein Netz kann dies statt des Objekts lernen; es versagt dann auf Bildern ohne dieses Merkmal.
       *[name] Prüfen Sie, ob die Klassen aus verschiedenen Quellen oder von verschiedenen Tagen stammen oder nacheinander nummeriert wurden. Ein Netz verwendet keine Namen, aber womöglich Merkmale der Bilder, die sich mit ihnen unterscheiden.
    }
    .limit = { $from ->
        [name] Die Klassen stammen womöglich aus verschiedenen Quellen. Die Dateinamen unterscheiden sich zwischen ihnen, und vielleicht auch die Bilder.
       *[border] Das Netz hat womöglich dies statt des Objekts gelernt. Es versagt dann auf Bildern ohne dieses Merkmal.
    }

finding-slight-shortcut =
    .title = Labels teilweise ohne das Objekt vorhersagbar

finding-shortcut-batch = Die Bilder verraten ihren Wert von { $column }: Innerhalb einer Klasse wird er mit einem Score von { NUMBER($visibility, minimumFractionDigits: 2, maximumFractionDigits: 2) } vorhergesagt, wobei 0 Zufall und 1 immer richtig bedeutet. Die Klassen unterscheiden sich in { $column }: Allein aus { $column } werden sie mit einer ausgewogenen Genauigkeit von { NUMBER($balanced_accuracy, minimumFractionDigits: 2, maximumFractionDigits: 2) } vorhergesagt. Ein einfacher Klassifikator des ganzen Bildes erreicht { NUMBER($whole_image, minimumFractionDigits: 2, maximumFractionDigits: 2) }, Zufall ergibt { NUMBER($chance, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
    .do = Gruppieren Sie die Bilder nach { $column }, um zu testen, ob ein Netz ohne dieses Merkmal auskommt. Nehmen Sie die Klassen nach Möglichkeit gemeinsam auf.
    .limit = Das Netz hat womöglich { $column } der Bilder statt ihrer Klasse gelernt. Es versagt dann auf Bildern mit einem anderen Wert von { $column }.

finding-channel-order = { $n_images ->
        [one] { $n_images } Datei nennt
       *[other] { $n_images } Dateien nennen
    } die Kanäle in der Reihenfolge { $names }, andere in der Reihenfolge { $usual }. { $are_chosen ->
        [true] Kanäle werden nach ihren Nummern gelesen, sodass eine Eingabe des Netzes mehrere Färbungen enthält.
       *[false] Kanäle werden nach ihren Namen geordnet.
    }
    .title = Kanäle in mehreren Reihenfolgen
    .do = { $are_chosen ->
        [true] Wenn die Namen stimmen, lesen Sie die Kanäle nach ihren Namen.
       *[false] Wenn die Namen falsch sind, wählen Sie die Kanäle nach ihren Nummern.
    }
    .limit = Dateien nennen dieselben Kanäle in mehreren Reihenfolgen. { $are_chosen ->
        [true] Der Klassifikator wurde mit Kanälen nach ihren Nummern trainiert, sodass eine Eingabe mehrere Färbungen enthält.
       *[false] Die Kanäle wurden nach ihren Namen geordnet: Falsche Namen vertauschen die Färbungen.
    }

finding-other-channels = Dateien nennen verschiedene Kanäle: { $names }. { $n_images ->
        [one] { $n_images } Bild weicht
       *[other] { $n_images } Bilder weichen
    } von den meisten ab{ $n_unnamed ->
        [0] {""}
       *[other] , { $n_unnamed } von allen ohne Namen
    }. Ihre Kanäle werden nach ihrer Position gelesen, sodass eine Eingabe des Netzes mehrere Färbungen enthalten kann.
    .title = Verschiedene Kanäle
    .do = Wenn dies dieselben Färbungen mit anderen Namen sind, prüfen Sie, ob alle Dateien dieselbe Reihenfolge haben. Wählen Sie andernfalls die Kanäle für jedes Bild in einer Tabelle, oder schließen Sie die Bilder aus.
    .limit = Dateien nannten verschiedene Kanäle, die nach ihrer Position gelesen wurden: Eine Eingabe des Klassifikators kann mehrere Färbungen enthalten.

finding-mixed-pixel-sizes = Die Pixelgrößen unterscheiden sich um mehr als 10 % ({ $counts }). { $differs_by_class ->
        [true] Sie unterscheiden sich zwischen den Klassen (Mediane: { $classes }), sodass die Pixelgröße die Klasse verrät.
       *[false] Die Mediane der Klassen unterscheiden sich nicht so stark.
    }
    .title = Gemischte Pixelgrößen
    .do = Prüfen Sie, ob die Bilder von mehreren Objektiven oder Mikroskopen stammen. Exportieren Sie alle Bilder mit einer Pixelgröße, oder trainieren Sie mit Bildern einer Pixelgröße.
    .limit = { $differs_by_class ->
        [true] Das Netz hat womöglich die Vergrößerung statt der Klasse gelernt. Es versagt dann auf Bildern mit anderer Vergrößerung.
       *[false] Bilder mit mehreren Pixelgrößen zeigen Objekte in mehreren Maßstäben.
    }

images-of-pixel-size = { $n_images } mit { NUMBER($um, maximumSignificantDigits: 3) } µm

pixel-size-of-class = { $label } { NUMBER($um, maximumSignificantDigits: 3) } µm

finding-unlabeled = { $n ->
        [one] { $n } Bild ohne Label wird ausgeschlossen.
       *[other] { $n } Bilder ohne Label werden ausgeschlossen.
    }
    .title = Bilder ohne Label
    .do = Geben Sie den Bildern, aus denen der Klassifikator lernen soll, ein Label.

finding-imbalance = Die größte Klasse hat { NUMBER($ratio, maximumFractionDigits: 0) }-mal so viele Bilder wie die kleinste.
    .title = Ungleiche Klassen
    .do = Beurteilen Sie den Klassifikator nach ausgewogener Genauigkeit oder Makro-F1, und erwägen Sie Klassengewichte im Training.

finding-similar-group-names = { $n ->
        [one] Die Gruppen { $names } könnten eine Gruppe in mehreren Schreibweisen sein. Deren Bilder
       *[other] Bei { $n } Mengen von Gruppen könnte jede eine Gruppe in mehreren Schreibweisen sein, zum Beispiel { $names }. Bilder einer Gruppe
    } können dann im Trainingsset und im Testset sein.
    .title = Ähnliche Gruppennamen
    .do = Wenn sie eine Gruppe sind, führen Sie sie zusammen, oder verwenden Sie eine Schreibweise in der Tabelle oder in den Namen von Dateien und Ordnern.
    .limit = Gruppen mit ähnlichen Namen könnten eine Gruppe sein (zum Beispiel { $names }). Dann enthält das Trainingsset Bilder von Gruppen des Testsets, und die Metriken sind zu hoch.

finding-groups-may-divide = { $n ->
        [one] Die Namen der Gruppen { $names } enthalten einander; sie könnten ein Patient oder Objektträger sein. Dessen Bilder
       *[other] In { $n } Mengen von Gruppen enthalten die Namen einander, zum Beispiel { $names }. Jede Menge könnte ein Patient oder Objektträger sein, und ihre Bilder
    } können dann im Trainingsset und im Testset sein.
    .title = Gruppen, deren Namen einander enthalten
    .do = Wenn sie ein Patient, Objektträger oder Gesichtsfeld sind, führen Sie sie zusammen, oder legen Sie Gruppen durch eine Spalte fest oder durch ein Muster, das für alle dieselbe Gruppe findet.
    .limit = Gruppen, deren Namen einander enthalten, könnten ein Patient oder Objektträger sein (zum Beispiel { $names }). Dann enthält das Trainingsset Bilder von Gruppen des Testsets, und die Metriken sind zu hoch.

finding-similar-class-names = Die Labels { $names } könnten eine Klasse in mehreren Schreibweisen sein.
    .title = Ähnliche Klassennamen
    .do = Wenn es eine Klasse ist, führen Sie sie zusammen, oder verwenden Sie in den Namen der Ordner oder in der Label-Spalte der Tabelle eine einheitliche Schreibweise.

finding-several-planes = { $n ->
        [one] { $n } Bild hat mehrere Ebenen.
       *[other] { $n } Bilder haben mehrere Ebenen.
    } Die erste Ebene wird verwendet, sofern das Rezept keine anderen nennt.
    .title = Mehrere Ebenen
    .do = { $is_one_kind ->
        [true] Wenn die erste Ebene nicht die maßgebliche ist, wählen Sie eine andere. Wenn jede Seite eine Färbung zeigt, lesen Sie die Seiten als Kanäle ein.
       *[false] Wenn die erste Ebene nicht die maßgebliche ist, wählen Sie eine andere.
    }
