# The installation, devices, files and clusters.

bad-cluster-answer = Eine Antwort des Clusters wurde abgelehnt: { $why }
    .do = Installieren Sie auf allen Rechnern dieselbe Version von coverslip, und verwenden Sie einen Cluster, dem Sie vertrauen.

no-computer-for-task = Kein Rechner des Clusters hat { $cores ->
        [one] { $cores } Kern
       *[other] { $cores } Kerne
    }{ $has_gpus ->
        [true] {" "}und eine GPU
       *[false] {""}
    }
    .do = Fügen Sie dem Cluster einen Rechner hinzu. Für eine Studie können Sie auch `threads` im Plan verringern.

cluster-failed = Der Cluster ist ausgefallen: { $reason }
    .do = Setzen Sie die Studie fort, oder wiederholen Sie die Vorhersage.

extra-not-installed = { $what } braucht das Zusatzpaket „{ $extra }“, das nicht installiert ist
    .do = Führen Sie aus: { $command }

extra-not-included = { $what } braucht das Zusatzpaket „{ $extra }“, das zu dieser Installation nicht hinzugefügt werden kann
    .do = Installieren Sie coverslip mit pip, uv oder pipx; für PyTorch auch als Paket coverslip-train. Siehe „Installation“ in der Dokumentation.

extra-for-app = Die Web-App

extra-for-cluster = Die Arbeit auf einem Ray-Cluster

extra-for-keras = Das Lesen einer Datei mit Keras-Gewichten

extra-for-map = Die Karte eines Datensatzes

extra-for-mlflow = Der Listener für MLflow

extra-for-pandas = Ein Data Frame

extra-for-sklearn = Der Estimator für scikit-learn

extra-for-tensorboard = Der Listener für TensorBoard

extra-for-train = Arbeit mit PyTorch (Fine-Tuning, andere Netze als das voreingestellte, Heatmaps; nicht die Voreinstellungen „first-look“ und „good“)

# Devices

device-unavailable = PyTorch kann „{ $device }“ auf diesem Rechner nicht verwenden; vorhanden: { $devices }
    .do = Wählen Sie ein anderes Gerät, oder verwenden Sie einen anderen Rechner.

device-refused = Das Netz läuft auf „{ $device }“ nicht richtig. Der Prozessor führt es stattdessen aus, was langsamer ist.

device-out-of-memory = Der Speicher von „{ $device }“ reicht für das Netz nicht aus. Der Prozessor führt es stattdessen aus, was langsamer ist.

# coverslip doctor

doctor-installation = Installation

doctor-computer = Dieser Rechner

doctor-folders = Ordner, mit dem freien Speicherplatz

doctor-error = Fehler: { $what }. { $do }

doctor-warning = Warnung: { $what }. { $do }

doctor-no-findings = Es gibt nichts zu beheben. Um alles von Bildern bis zum Bericht zu testen, führen Sie `coverslip demo` aus.

doctor-networks = Es kann kein Netz aufgebaut werden: { $reason }
    .do = Vielleicht passen Pakete nicht zusammen. Installieren Sie coverslip in einer neuen Umgebung.

doctor-gpu-without-cuda = Dieser Rechner hat eine GPU ({ $gpus }), aber PyTorch ist nur für Prozessoren installiert
    .do = Trainings auf der GPU sind viel schneller. Installieren Sie PyTorch dafür: `uv pip install --reinstall torch torchvision --torch-backend auto`

doctor-gpu-not-usable = PyTorch kann die GPU dieses Rechners nicht verwenden ({ $gpus })
    .do = Vielleicht ist ihr Treiber zu alt für diese Version von PyTorch. Installieren Sie den neuesten Treiber der GPU.

doctor-torchvision = torchvision { $torchvision } passt nicht zu PyTorch { $torch }, sodass `import torchvision` und `import timm` außer in coverslip scheitern
    .do = Notebooks und andere Programme in dieser Umgebung brauchen die passende Version: `pip uninstall --yes torchvision`, dann `pip install torch=={ $version } torchvision --index-url https://download.pytorch.org/whl/{ $build }`

doctor-little-memory = Dieser Rechner hat { $size } Arbeitsspeicher
    .do = Trainings brauchen etwa 4 GB. Schließen Sie andere Programme, wählen Sie ein kleineres Netz, oder verwenden Sie einen anderen Rechner.

doctor-folder = coverslip kann nicht in diesen Ordner schreiben: { $reason }
    .do = Erlauben Sie Ihrem Konto, dorthin zu schreiben, oder setzen Sie { $variable } auf einen anderen Ordner.

doctor-little-disk = Auf dem Datenträger dieses Ordners sind nur { $size } frei
    .do = Schaffen Sie freien Speicherplatz, oder setzen Sie { $variable } auf einen Ordner auf einem anderen Datenträger.

# Files and archives

file-not-written = Die Datei konnte nicht geschrieben werden: { $reason }
    .do = Schaffen Sie freien Speicherplatz, oder wählen Sie einen Ordner, in den Sie schreiben dürfen. Der bisherige Inhalt ist unversehrt.

folder-instead-of-table = Dies ist ein Ordner, keine Datei
    .do = Nennen Sie die Tabelle, die in diesem Ordner geschrieben werden soll.

other-file-in-place = Es gibt eine andere Datei mit diesem Namen, die coverslip nicht geschrieben hat
    .do = Wählen Sie einen anderen Namen, oder verschieben Sie jene Datei.

file-not-regular = sie ist keine reguläre Datei

file-above-limit = sie ist größer als die Grenze von { NUMBER($limit_mib, maximumSignificantDigits: 3) } MiB

file-name-not-accepted = Der Name „{ $name }“ wird nicht angenommen: { $fault }
    .do = Geben Sie der Datei einen einfachen Namen, und senden Sie sie noch einmal.

name-with-empty-part = er ist leer oder hat einen leeren Teil

name-leaves-folder = er führt aus seinem Ordner hinaus

name-with-special-character = er enthält einen Backslash, einen Doppelpunkt oder ein Steuerzeichen

name-no-text = er ist kein gültiger Text

name-ends-in-space-or-dot = er endet mit einem Leerzeichen oder Punkt

name-of-device = er ist der Name eines Geräts

name-too-long = er ist zu lang

archive-not-accepted = Das Archiv wird nicht angenommen: { $why }
    .do = Es wurde nichts entpackt. Wenn der Name eines Eintrags nicht angenommen wird, benennen Sie diese Datei und solche mit ähnlichen Namen um. Erstellen Sie dann eine neue Zip-Datei des Ordners mit den Bildern.

archive-damaged = es konnte nicht gelesen werden ({ $reason })

archive-no-zip = es ist keine Zip-Datei oder unvollständig

archive-too-large = es enthält weit mehr, als die Grenze zulässt

archive-end-damaged = es ist an seinem Ende beschädigt

archive-bomb = es ist entpackt weit größer als seine Dateigröße

archive-entry-not-accepted = sein Eintrag „{ $name }“ wird nicht angenommen: { $fault }

archive-entry-outside = sein Eintrag „{ $name }“ liegt außerhalb des Archivs

archive-entry-twice = es enthält „{ $name }“ doppelt

archive-entry-link = er ist eine Verknüpfung oder keine einfache Datei

archive-entry-encrypted = er ist verschlüsselt

archive-entry-compression = er ist auf unübliche Weise komprimiert

# The cache

cache-not-usable = In den Cache-Ordner „{ $folder }“ kann nicht geschrieben werden ({ $reason }). Die Ergebnisse bleiben gleich, aber nichts wird für das nächste Mal gespeichert. Schaffen Sie freien Speicherplatz, leeren Sie den Cache, oder setzen Sie COVERSLIP_CACHE auf einen Ordner, in den Sie schreiben dürfen.

cache-not-read = Der Cache konnte nicht gelesen werden: { $reason }
    .do = Leeren Sie den Cache. coverslip berechnet seinen Inhalt neu, wenn er gebraucht wird.

cache-cut = er ist unvollständig

cache-not-written = In den Cache konnte nicht geschrieben werden: { $reason }
    .do = Schaffen Sie freien Speicherplatz, oder setzen Sie COVERSLIP_CACHE auf einen Ordner, in den Sie schreiben dürfen. Der bisherige Inhalt ist unversehrt.

cache-limit-no-size = { $variable } ist „{ $value }“, was keine Größe ist
    .do = Geben Sie eine Zahl und eine Einheit an, etwa 5GB oder 500MB.

cache-not-cleaned = Der Cache konnte nicht geleert werden: { $reason }
    .do = Prüfen Sie, ob Sie in seinen Ordner schreiben dürfen.

# Content of the cache, by kind of store (`coverslip cache --json`)

cache-kind-unknown = dieser Version nicht bekannt

cache-kind-app-explanations = Erklärungen einzelner Bilder in der App

cache-kind-app-previews = Vorschauen der Datenaugmentierung in der App

cache-kind-app-results = Ergebnisse für die Seiten der App


cache-kind-app-study-times = erwartete Zeiten von Studien in der App

cache-kind-app-thumbnails = Miniaturbilder eines Datensatzes in der App

cache-kind-app-tiles = Auflösungsstufen großer Bilder in der App

cache-kind-graphs = Graphen von Netzen für ONNX Runtime

cache-kind-facts = Größe, Bittiefe und Hash jedes eingelesenen Bildes

cache-kind-features = Merkmale von Bildern aus eingefrorenen Netzen

cache-kind-file-hashes = Hashes von Dateien nach ihrem Zustand

cache-kind-leakage-audits = die Schätzungen von Datenlecks in Datensätzen und deren Shortcuts

cache-kind-near-duplicates = Beinahe-Duplikate eines Datensatzes

cache-kind-network-trials = Netze von Klassifikatoren, die innerhalb der Grenzen aufgebaut wurden

cache-kind-pixels = vorverarbeitete Pixel von Trainingsbildern

# Ray clusters

slurm-waits = Auftrag { $number } wartet in Slurm: { $where }

slurm-runs = Slurm führt Auftrag { $number } auf { $where } aus

slurm-ended-job = Slurm hat Auftrag { $number } beendet: { $state }
    .do = Setzen Sie ihn fort. War seine Zeit abgelaufen (TIMEOUT), fordern Sie vorher mehr Zeit an.

no-slurm = Auf diesem Rechner fehlt sbatch, der Befehl, der Aufträge an Slurm übergibt
    .do = Starten Sie den Server auf einem Rechner, von dem aus Slurm-Aufträge übergeben werden können, oder ohne --slurm.

slurm-options = Die Optionen für Slurm sind nicht lesbar: { $options } ({ $reason })
    .do = Schreiben Sie sie wie für sbatch, zum Beispiel --slurm "--partition=gpu --gres=gpu:1".

cluster-address-invalid = „{ $address }“ ist keine gültige Adresse eines Ray-Clusters
    .do = Geben Sie sie als ray://HOST:PORT oder HOST:PORT an.

cluster-unreachable = Unter { $address } antwortet kein Ray-Cluster: { $reason }
    .do = Starten Sie den Cluster, oder korrigieren Sie die Adresse, auch in RAY_ADDRESS.

no-ray-cluster = es ist kein Ray-Cluster

cluster-closed-connection = der Server hat die Verbindung geschlossen

joining-cluster = Verbindung mit dem Ray-Cluster unter { $address }: Wer einen seiner Rechner kontrolliert, kann auf diesem Rechner mit Ihren Rechten beliebigen Code ausführen.

cluster-not-trusted = Mit dem Ray-Cluster unter { $address } wurde keine Verbindung aufgenommen: Ohne Token kann jeder, der einen seiner Rechner kontrolliert, auf diesem Rechner mit Ihren Rechten beliebigen Code ausführen
    .do = Schützen Sie den Cluster durch ein Token (RAY_AUTH_MODE=token auf allen seinen Rechnern und auf diesem), oder erklären Sie, dass Sie seinen Rechnern und seinem Netzwerk vertrauen.

ray-cluster-open = Ray { $version } hat einen Cluster gestartet, der für andere Rechner offen ist, und coverslip hat ihn angehalten
    .do = Installieren Sie die Version von Ray, mit der coverslip getestet wurde.

ray-imported-before = Ray war bereits importiert und würde einen Cluster starten, der Verbindungen anderer Rechner annimmt
    .do = Verwenden Sie ein Programm, das Ray noch nicht verwendet hat.

ray-not-connected = coverslip konnte sich nicht mit Ray verbinden oder es starten ({ $name }): { $reason }
    .do = Starten Sie einen Cluster, oder geben Sie die Adresse eines laufenden an.

ray-of-this-computer = auf diesem Rechner

# Options and named records

option-no-boolean = muss true oder false sein

option-no-choice = muss einer dieser Werte sein: { $choices }

option-no-number = muss eine { $is_whole ->
        [true] ganze Zahl
       *[false] Zahl
    }{ $range ->
        [both] {" "}zwischen { NUMBER($minimum, maximumFractionDigits: 6) } und { NUMBER($maximum, maximumFractionDigits: 6) } sein
        [low] {" "}ab { NUMBER($minimum, maximumFractionDigits: 6) } sein
        [high] {" "}bis höchstens { NUMBER($maximum, maximumFractionDigits: 6) } sein
       *[none] {" "}sein
    }

option-no-list = muss eine Liste von { $n ->
        [one] { $n } ganzen Zahl
       *[other] { $n } ganzen Zahlen
    }{ $range ->
        [both] {" "}zwischen { NUMBER($minimum, maximumFractionDigits: 6) } und { NUMBER($maximum, maximumFractionDigits: 6) } sein
        [low] {" "}ab { NUMBER($minimum, maximumFractionDigits: 6) } sein
        [high] {" "}bis höchstens { NUMBER($maximum, maximumFractionDigits: 6) } sein
       *[none] {" "}sein
    }

options-too-many = es gibt mehr als { $limit } Werte oder mehr als { $depth } Verschachtelungsebenen

option-too-long = „{ $name }“ ist länger als { $limit } Zeichen

option-too-large = „{ $name }“ liegt jenseits der Grenze von { $limit }

loss-without-options = die Verlustfunktion { $name } hat keine Optionen

no-such-record = diesen Eintrag ({ $kind_of_record }) gibt es nicht{ $has_nearest ->
        [true] {" "}(meinten Sie „{ $nearest }“?)
       *[false] { "" }
    }; verfügbar: { $names }

record-twice = es gibt bereits einen Eintrag ({ $kind_of_record }) mit dem Namen „{ $name }“

augmentation-draws-unknown = augment.{ $name } zieht „{ $part }“, was kein Teil der Transformation ist oder von einer anderen Augmentierung gezogen wird
