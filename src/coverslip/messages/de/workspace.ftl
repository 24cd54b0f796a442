# The app and its workspace: requests, datasets, labels, jobs, results and the database.

## Requests and the server

wrong-host = Die App nimmt unter diesem Hostnamen keine Anfragen an
    .do = Öffnen Sie die Adresse, die coverslip beim Start ausgegeben hat.

wrong-origin = Eine andere Webseite hat diese Anfrage gesendet
    .do = Öffnen Sie die App in einem eigenen Tab unter der Adresse, die coverslip ausgegeben hat.

missing-token = Das Token der App fehlt oder ist falsch
    .do = Öffnen Sie die Adresse mit ?token=…, die coverslip ausgegeben hat, oder starten Sie coverslip neu und fordern Sie ein neues Token an.

open-coverslip = Weiter zu coverslip

invalid-request = Die Anfrage ist ungültig
    .detail = Die Anfrage ist ungültig: { $reasons }.

not-json = Dies ist kein JSON

not-a-json-object = Dies ist kein JSON-Objekt mit dem Inhaltstyp application/json

options-without-preset = is_small, arms und all_tables gehören zu einer Vorlage

either-dataset-or-sources = geben Sie entweder dataset_id oder sources an

either-label-or-excluded = geben Sie entweder label oder excluded an

request-not-understood = Die Anfrage konnte nicht verstanden werden

unknown-address = Unter dieser Adresse gibt es nichts

wrong-method = Diese Adresse nimmt diese Art von Anfrage nicht an

request-too-large = Die Anfrage ist größer, als der Server unter dieser Adresse annimmt

request-limit = Der Server nimmt unter dieser Adresse höchstens { $n_bytes } Byte an.

http-error = { $phrase }

not-unicode = Ein Name oder Text enthält Zeichen, die kein Unicode sind
    .do = Schreiben Sie ihn ohne diese Zeichen. Wenn es der Name einer Datei oder eines Ordners ist, benennen Sie die Datei oder den Ordner um.

disk-refused = Das Betriebssystem hat den Zugriff auf den Datenträger verweigert: { $reason }
    .do = Schaffen Sie freien Speicherplatz, oder prüfen Sie, ob Sie in den Ordner der App schreiben dürfen. Vorhandene Dateien sind unversehrt.

request-aborted = Die Anfrage wurde unterbrochen
    .do = Senden Sie sie noch einmal.

internal-error = In coverslip ist ein Fehler aufgetreten
    .do = Dies ist ein Fehler von coverslip. Melden Sie ihn mit dem Ende von log/app.log im Ordner der App.

no-files-in-form = Die Anfrage enthält keine Dateien
    .do = Senden Sie die Dateien als Felder eines Formulars (multipart/form-data).

file-too-large = Die Datei ist größer als { $n_mb } MB
    .do = Senden Sie eine kleinere Datei.

no-such-address = Dieser Rechner hat keine Adresse „{ $host }“
    .do = Geben Sie eine seiner eigenen Adressen an oder keine.

cannot-listen = Der Server kann unter { $host } keine Verbindungen annehmen: { $reason }
    .do = Geben Sie eine der Adressen dieses Rechners an oder keine.

## The workspace and its database

workspace-not-created = Der Arbeitsbereich konnte nicht angelegt werden: { $reason }
    .do = Wählen Sie einen anderen Ordner für den Arbeitsbereich.

missing-root = Diesen Ordner gibt es nicht
    .do = Wählen Sie einen anderen Ordner, den die App lesen darf.

missing-path = Diese Datei oder diesen Ordner gibt es nicht
    .do = Wählen Sie eine andere Datei oder einen anderen Ordner.

outside-roots = Diese Datei oder dieser Ordner liegt außerhalb der Ordner, die die App lesen darf
    .do = Wählen Sie etwas unterhalb von { $roots }, oder erlauben Sie der App, auch dies zu lesen.

outside-workspace = Diese Datei oder dieser Ordner liegt außerhalb des Arbeitsbereichs { $workspace } und wird deshalb nicht geändert
    .do = Öffnen Sie den Arbeitsbereich, der sie enthält.

workspace-not-locked = Der Arbeitsbereich kann nicht beschrieben oder gesperrt werden: { $reason }
    .do = Schaffen Sie freien Speicherplatz, oder wählen Sie einen anderen Ordner für den Arbeitsbereich.

workspace-open-elsewhere = Ein anderes coverslip verwendet diesen Arbeitsbereich bereits{ $has_address ->
        [true] , unter { $address }
       *[false] { "" }
    }
    .do = Verwenden Sie jenes coverslip, halten Sie es in seinem Terminal mit Strg-C an, oder wählen Sie einen anderen Ordner für den Arbeitsbereich.

workspace-busy = Die Datenbank des Arbeitsbereichs wird gerade verwendet
    .do = Versuchen Sie es später noch einmal.

workspace-database-unusable = Die Datenbank des Arbeitsbereichs kann nicht verwendet werden: { $reason ->
        [full] Der Datenträger ist voll
        [read-only] Die Datei ist schreibgeschützt
        [not-opened] Die Datei kann nicht geöffnet werden
       *[no-answer] Der Datenträger antwortet nicht
    }
    .do = Schaffen Sie freien Speicherplatz, oder prüfen Sie, ob Sie in ihren Ordner schreiben dürfen. Der vorhandene Inhalt ist unversehrt.

workspace-database-damaged = Die Datenbank des Arbeitsbereichs ist beschädigt: { $reason }
    .do = { $has_backup ->
        [true] Stellen Sie die neueste Sicherung in einem neuen Ordner wieder her, oder wählen Sie einen anderen Ordner für den Arbeitsbereich.
       *[false] Hier ist keine Sicherung verzeichnet. Ersetzen Sie die Datei durch eine Kopie, oder wählen Sie einen anderen Ordner für den Arbeitsbereich.
    } Der Ordner runs/ ist nicht betroffen.

database-log-without-file = die Datei fehlt, aber ihr Protokoll „{ $name }“ ist vorhanden

missing-table = die Tabelle „{ $table }“ fehlt

missing-table-columns = in der Tabelle „{ $table }“ fehlen Spalten: { $columns }

workspace-version = Dieser Arbeitsbereich hat das Format { $version }{ $has_needed ->
        [true] {" "}von coverslip { $needed }
       *[false] { "" }
    }, und diese Version von coverslip liest das Format { $expected }
    .do = { $has_needed ->
        [true] Installieren Sie coverslip { $needed } oder eine spätere Version
       *[false] Verwenden Sie die Version von coverslip, die ihn geschrieben hat
    }, oder wählen Sie einen anderen Ordner für den Arbeitsbereich. Nichts wurde geändert.

workspace-upgrade = Der Arbeitsbereich { $folder } hat das Format { $version }. coverslip bringt ihn auf das Format { $expected } und behält seine bisherige Datenbank in { $copy }. Wird dies unterbrochen, bleibt der Arbeitsbereich unverändert.

workspace-upgraded-while-served = Ein Server verwendet diesen Arbeitsbereich, dessen Format sich ändern würde
    .do = Beenden Sie den Server mit Strg+C in seinem Terminal, und starten Sie ihn mit dieser Version von coverslip.

server-without-accounts = Die Konten dieses Servers fehlen, obwohl er Projekte hat
    .do = Stellen Sie den Server aus einer Sicherung in einem neuen Ordner wieder her, oder verschieben Sie accounts.sqlite zurück.

workspace-on-network-drive = Dieser Ordner liegt auf einem Netzlaufwerk ({ $file_system }), auf dem zwei Rechner die Datenbank des Arbeitsbereichs beschädigen können
    .do = Wählen Sie einen Ordner auf einer Festplatte dieses Rechners.

workspace-database-empty = Die Datenbank des Arbeitsbereichs ist leer
    .do = { $has_backup ->
        [true] Stellen Sie die neueste Sicherung in einem neuen Ordner wieder her.
       *[false] Hier ist keine Sicherung verzeichnet. Ersetzen Sie die Datei durch eine Kopie. Ohne Kopie sind Labels und Namen verloren: Entfernen Sie die leere Datei, um neu zu beginnen, oder wählen Sie einen anderen Ordner für den Arbeitsbereich.
    }

backup-without-workspace = Hier gibt es keinen Arbeitsbereich
    .do = Wählen Sie den Ordner des Arbeitsbereichs. `coverslip app` gibt ihn aus.

backup-exists = Diese Datei gibt es bereits
    .do = Wählen Sie einen anderen Namen für die Sicherung, oder entfernen Sie die Datei.

no-backup-folder = Dieser Server hat keinen Ordner für Sicherungen
    .do = Bitten Sie den Betreiber des Servers, ihn mit einem Ordner für Sicherungen zu starten oder ihn mit dem Befehl zu sichern.

backup-in-progress = Eine Sicherung wird gerade geschrieben
    .do = Warten Sie, bis sie vollständig ist.

backup-without-server = In diesem Ordner ist kein Server mit Konten
    .do = Wählen Sie den Ordner des Servers.

backup-of-server-not-accepted = Dieser Ordner ist keine vollständige Sicherung eines Servers
    .do = Wählen Sie einen Ordner, den `coverslip backup --server` geschrieben hat.

backup-inside-workspace = Die Sicherung läge innerhalb des Arbeitsbereichs
    .do = Wählen Sie eine Datei außerhalb des Arbeitsbereichs, am besten auf einem anderen Datenträger.

backup-file-not-read = Diese Datei konnte nicht gelesen werden: { $reason }
    .do = Prüfen Sie, ob Sie sie lesen dürfen und ob ihr Datenträger antwortet.

backup-database-not-copied = Die Datenbank konnte nicht kopiert werden: { $reason }
    .do = Versuchen Sie es noch einmal. Wenn sie beschädigt ist, entfernen Sie die Vorhersage, zu der sie gehört, oder stellen Sie eine frühere Sicherung wieder her.

backup-name-not-accepted = Der Name dieser Datei ist zu lang für eine Sicherung
    .do = Benennen Sie sie um, oder entfernen Sie sie.

backup-too-many-files = Der Arbeitsbereich hat { $n_files } Dateien, mehr als eine Sicherung enthalten kann
    .do = Entfernen Sie hochgeladene Bilder oder Trainings, die Sie nicht mehr brauchen.

backup-overtaken = Trainings oder Klassifikatoren wurden während der Sicherung entfernt oder wiederhergestellt
    .do = Erstellen Sie die Sicherung noch einmal.

restore-folder-not-empty = Dieser Ordner ist nicht leer
    .do = Wählen Sie einen neuen oder leeren Ordner für den Arbeitsbereich.

restore-disk-full = Der Arbeitsbereich braucht { NUMBER($needed_mb, maximumFractionDigits: 0) } MB, und { NUMBER($free_mb, maximumFractionDigits: 0) } MB sind frei
    .do = Schaffen Sie freien Speicherplatz, oder wählen Sie einen Ordner auf einem anderen Datenträger.

backup-not-accepted = Diese Sicherung kann nicht wiederhergestellt werden: { $why }
    .do = Nichts wurde wiederhergestellt. Verwenden Sie eine andere Sicherung, oder kopieren Sie diese noch einmal von ihrem Speicherort.

backup-version = Diese Sicherung stammt von { $has_needed ->
        [true] coverslip { $needed }, dessen Format diese Version nicht liest
       *[false] einer anderen Version von coverslip
    }
    .do = Stellen Sie sie mit der Version wieder her, die sie erstellt hat.

backup-other-system = Diese Sicherung stammt von einem anderen Betriebssystem, dessen Pfade anders sind
    .do = Stellen Sie sie unter Linux oder macOS wieder her, wenn sie dort erstellt wurde, und unter Windows, wenn sie unter Windows erstellt wurde.

backup-without-manifest = sie hat kein gültiges { $name }

backup-other-file = „{ $name }“ ist keine Datei eines Arbeitsbereichs

backup-incomplete = sie ist unvollständig

not-in-trash = Dies ist nicht mehr im Papierkorb
    .do = Es kann nicht wiederhergestellt werden.

original-location-taken = Am ursprünglichen Ort liegt eine andere Datei oder ein anderer Ordner mit demselben Namen
    .do = Verschieben Sie „{ $name }“ an einen anderen Ort.

## Datasets

no-such-dataset = Diesen Datensatz gibt es nicht
    .do = Vielleicht wurde er entfernt. Sehen Sie in der Liste der Datensätze nach.

other-images-match = Seit die Bilder aufgelistet wurden, sind welche hinzugekommen oder weggefallen (aufgelistet { $n_listed }, jetzt passend { $n_matching }), daher wurde nichts geändert
    .do = Prüfen Sie die Bilder, die jetzt passen, und wiederholen Sie die Änderung.

filters-without-list = Die Anfrage wählt Bilder durch Filter ohne die Liste dieser Bilder aus, daher wurde nichts geändert
    .do = Listen Sie die Bilder mit denselben Filtern auf, und geben Sie ihre Zahl (`n_listed`) und die Prüfsumme der Liste (`digest`) an.

unreadable-samples = Die gespeicherten Proben und Bedingungen der Vorhersage sind nicht lesbar: { $what }
    .do = Um wieder Ordner als Proben zu verwenden, wählen Sie „Neu beginnen“ auf der Seite „Anteile nach Proben“. Die Datei bleibt unter einem anderen Namen erhalten.

other-sampling-saved = Jemand anderes hat diese Proben oder ihre Bedingungen inzwischen geändert
    .do = Die Seite zeigt die aktuellen. Prüfen Sie sie, und wiederholen Sie Ihre Änderung, falls sie noch nötig ist.

image-files-changed = { $n_images ->
        [one] Eine Datei hat
       *[other] { $n_images } Dateien haben
    } sich seit dem Einlesen geändert: { $names }
    .do = Wählen Sie „Aus Dateien aktualisieren“ in der Übersicht des Datensatzes. Labels bleiben dann bei den Bildern, für die sie vergeben wurden.

images-overwritten = { $n_images ->
        [one] Ein Bild wurde
       *[other] { $n_images } Bilder wurden
    } mit anderem Inhalt überschrieben, seit Label, Bestätigungen oder Ausschlüsse angegeben wurden: { $names }
    .do = Öffnen Sie die Prüfungen des Datensatzes, und behalten oder verwerfen Sie Label, Bestätigungen und Ausschlüsse.

predicted-files-changed = { $n_images ->
        [one] Eine Datei hat
       *[other] { $n_images } Dateien haben
    } sich seit der Vorhersage geändert: { $names }
    .do = Stellen Sie die { $n_images ->
        [one] frühere Datei
       *[other] früheren Dateien
    } wieder her, entfernen Sie die Antworten zu { $n_images ->
        [one] diesem Bild
       *[other] diesen Bildern
    }, oder sagen Sie die Bilder noch einmal vorher.

images-changed = { $n_missing ->
        [one] { $n_missing } dieser Bilder ist
       *[other] { $n_missing } dieser Bilder sind
    } nicht mehr im Datensatz, daher wurde nichts geändert
    .do = Laden Sie die Bilder neu, und wählen Sie sie dann noch einmal aus.

missing-source = Den Ordner oder die Tabelle dieser Bilder gibt es nicht
    .do = Legen Sie ihn zurück, oder wählen Sie den neuen Ort auf der Seite des Datensatzes.

images-still-reading = Die Bilder werden noch gelesen
    .do = Warten Sie, bis sie gelesen sind.

images-not-read = Die Bilder konnten nicht gelesen werden
    .do = Die Seite des Datensatzes nennt den Grund. Beheben Sie das Problem, und lesen Sie die Bilder dann noch einmal.

images-not-there = Die Bilder gibt es noch nicht
    .do = Warten Sie, bis coverslip sie gezeichnet hat.

dataset-changed-meanwhile = Quellen, Gruppen oder Pixel des Datensatzes wurden inzwischen geändert, daher wurde nichts geändert
    .do = Laden Sie die Seite neu, und ändern Sie den Datensatz dann noch einmal.

reading-failed = Die Bilder konnten nicht gelesen werden ({ $reason })
    .do = Lesen Sie die Bilder noch einmal. Wenn auch das misslingt, melden Sie es.

dataset-reading-stopped = Das Lesen wurde angehalten
    .do = Es wird automatisch fortgesetzt.

unlabeled-dataset = Kein Bild hat ein Label
    .do = Geben Sie zuerst einigen Bildern jeder Klasse ein Label.

source-not-absolute = „{ $path }“ ist kein absoluter Pfad
    .do = Geben Sie den ganzen Pfad eines Ordners an, etwa /data/cells.

source-not-text = Der Name dieser Datei oder dieses Ordners ist kein Text
    .do = Benennen Sie die Datei oder den Ordner um.

repeated-source = Diese Datei oder dieser Ordner ist doppelt angegeben
    .do = Entfernen Sie eine der beiden Angaben.

all-images-outside = Alle diese Bilder liegen außerhalb der Ordner, die die App lesen darf
    .do = Wählen Sie einen anderen Ordner, oder erlauben Sie der App, auch diesen zu lesen.

image-outside = Ein Bild liegt außerhalb der Ordner, die die App lesen darf
    .do = Wählen Sie andere Bilder, oder erlauben Sie der App, auch deren Ordner zu lesen.

reason-outside = Es liegt außerhalb der Ordner, die die App lesen darf

adapted-name = { $name } für { $dataset }

several-sources = { $n } Quellen

names-and-more = { $names } und { $n } weitere

english-text = „{ $text }“ (englisch)

two-messages = { $first }; { $second }

what-and-do = { $what }. { $do }

list-of-messages = { $first }, { $second }

list-and-more = { $first }, …

either-message = { $first } oder { $second }

not-a-message = es enthält keine Nachricht

not-a-table-file = Dies ist keine Tabelle
    .do = Wählen Sie eine Datei, deren Name auf .csv oder .tsv endet.

groups-not-joined = Die Gruppe „{ $name }“ gehört zu zwei Gruppen, die zusammengeführt werden sollen, oder nicht zu denen, die ihren Namen bekommen
    .do = Führen Sie jede Gruppe einmal zusammen, unter einem der Namen.

both-column-and-pattern = Eine Gruppenspalte und ein Gruppenmuster sind angegeben
    .do = Geben Sie nur eines von beiden an.

slow-group-pattern = Das Gruppenmuster „{ $pattern }“ braucht zu lange
    .do = Vereinfachen Sie es. Verschachtelte Wiederholungen wie (a+)+ können endlos dauern.

unusable-group-pattern = Das Gruppenmuster „{ $pattern }“ ist kein regulärer Ausdruck: { $reason }
    .do = Für Namen wie slide07_cell3.png schreiben Sie slide[0-9]+.

no-image-with-row-id = Der Datensatz hat kein Bild { $row_id }
    .do = Vielleicht wurde der Datensatz neu gelesen. Laden Sie die Seite neu.

no-object-of-field = Das Bild ist kein Objekt eines Gesichtsfelds
    .do = Öffnen Sie stattdessen die Ansicht dieses Bildes.

no-such-tile = Das Bild hat keine solche Kachel
    .do = Entnehmen Sie die Anzahl der Auflösungsstufen und die Größe der Beschreibung des Bildes.

pictures-not-needed = Die Darstellungen werden nicht mehr gebraucht
    .do = Fordern Sie sie noch einmal an.

dataset-in-use = „{ $name }“ verwendet diese Bilder noch
    .do = Halten Sie diesen Auftrag zuerst an, oder warten Sie, bis er fertig ist.

## Uploads

no-such-upload = Diesen Upload gibt es nicht
    .do = Beginnen Sie einen neuen Upload.

upload-finished = Der Upload ist abgeschlossen
    .do = Beginnen Sie für weitere Bilder einen neuen Upload.

upload-without-table = Diese Dateien enthalten keine Tabelle
    .do = Erstellen Sie einen Datensatz nur aus den Bildern.

upload-too-large = Die Dateien sind größer als die { NUMBER($n_gb, minimumFractionDigits: 1, maximumFractionDigits: 1) } GB, die für diesen Upload übrig sind
    .do = Senden Sie weniger Bilder, oder öffnen Sie ihren Ordner, statt ihn zu senden.

upload-too-many-files = Es sind mehr als { $n_files ->
        [one] { $n_files } Datei
       *[other] { $n_files } Dateien
    }
    .do = Senden Sie weniger Bilder, oder öffnen Sie ihren Ordner, statt ihn zu senden.

upload-archive-empty = Das Archiv enthält keine Datei
    .do = Erstellen Sie eine neue Zip-Datei des Bilderordners.

upload-name-taken = „{ $name }“ gibt es bereits, aber von anderer Art
    .do = Geben Sie einen anderen Namen, und senden Sie noch einmal.

upload-archive-name-taken = Die hochgeladenen Dateien enthalten bereits „{ $name }“, wie auch dieses Archiv. Daher wurde nichts entpackt
    .do = Legen Sie die Bilder in einen Ordner mit anderem Namen, und packen Sie sie noch einmal, oder senden Sie sie ohne Archiv.

## Classes and labels

empty-class-name = Die Klasse hat keinen Namen
    .do = Geben Sie einen Namen ein.

long-class-name = Der Name der Klasse ist zu lang
    .do = Verwenden Sie höchstens { $n_characters } Zeichen.

reserved-name = Keine Klasse kann „{ $name }“ heißen: In Vorhersagen bedeutet dieses Wort, dass für keine Klasse entschieden wurde
    .do = Wählen Sie einen anderen Namen.

repeated-class-name = Zwei Klassen haben denselben Namen
    .do = Geben Sie jeder Klasse einen eigenen Namen.

invalid-classes = Diese Klassen können nicht verwendet werden: { $reason }
    .do = Korrigieren Sie ihre Namen.

no-such-change = Diese Änderung gibt es nicht
    .do = Laden Sie die Seite neu.

change-gone = Diese Änderung wurde schon rückgängig gemacht oder wiederhergestellt
    .do = Laden Sie die Seite neu.

changed-since = Alle Bilder dieser Änderung wurden seitdem wieder geändert, daher bleibt alles, wie es ist
    .do = Laden Sie die Seite neu. Ändern Sie die Bilder noch einmal, wo es nötig ist.

unlabeled-not-confirmed = Ein Bild ohne Label kann nicht bestätigt werden
    .do = Geben Sie ihm zuerst ein Label.

objects-of-dataset = Objekte von { $name }

finder-preview-ended = Die Objektsuche endete ohne Ergebnis oder dauerte zu lange
    .do = Wählen Sie andere Einstellungen, oder durchsuchen Sie ein kleineres Gesichtsfeld.

objects-paths-or-finder = Geben Sie entweder Pfade von Dateien oder die Quelle finder an

no-dataset-map = Dieser Datensatz hat noch keine Karte
    .do = Berechnen Sie zuerst die Karte.

live-is-off = Live ist für diesen Datensatz ausgeschaltet
    .do = Schalten Sie es ein. Zuerst werden die Merkmale der Bilder berechnet.

features-in-progress = Die Merkmale der Bilder werden berechnet
    .do = Warten Sie, bis das beendet ist, oder brechen Sie es ab.

too-many-images-for-live = Der Datensatz hat { $n_images } Bilder. Live sagt höchstens { $n_most } vorher
    .do = Öffnen Sie einen Teil der Bilder als Datensatz.

correction-not-of-job = Das Label dieses Bildes wurde an anderer Stelle geändert, daher kann die Korrektur hier nicht entfernt werden
    .do = Wählen Sie die Klasse des Bildes.

labels-without-dataset = Diese Bilder stammen nicht aus einem Datensatz der App, daher können ihre Labels hier nicht korrigiert werden
    .do = Öffnen Sie die Bilder als Datensatz, und trainieren Sie damit.

only-labels-of-measured = In den Ergebnissen eines Trainings oder einer Auswertung lassen sich nur Labels ändern
    .do = Schließen Sie das Bild in seinem Datensatz aus.

image-left-dataset = Das Bild ist nicht mehr in seinem Datensatz
    .do = Lesen Sie den Datensatz noch einmal, oder fügen Sie den Ordner des Bildes hinzu.

no-answers-yet = Noch hat kein Bild eine korrigierte oder bestätigte Klasse
    .do = Korrigieren oder bestätigen Sie zuerst die Klasse einiger Bilder.

no-joined-table = Diese Tabelle hinzugefügter Bilder gibt es nicht
    .do = Laden Sie die Seite neu.

only-joined-images = Der Datensatz hat keine anderen Bilder
    .do = Entfernen Sie den Datensatz.

empty-new-dataset = Der neue Datensatz würde keine Bilder enthalten
    .do = Korrigieren Sie zuerst einige Zeilen, oder nehmen Sie alle Zeilen auf.

dataset-of-corrections = { $name }, korrigiert

dataset-of-predictions = { $name }, wie vorhergesagt

labels-not-checked = Die Labels dieses Trainings wurden nicht geprüft
    .do = Suchen Sie zuerst nach vermuteten Labelfehlern.

## Jobs

no-such-job = Kein Auftrag hat diese ID
    .do = Vielleicht wurde er gelöscht. Sehen Sie in der Liste nach.

no-such-list = Kein Datensatz, kein Training, keine Auswertung und keine Vorhersage hat diese ID
    .do = Vielleicht wurde der Eintrag gelöscht. Sehen Sie in der Liste nach.

no-such-training = Dieses Training gibt es nicht
    .do = Vielleicht wurde es gelöscht. Sehen Sie in der Liste der Trainings nach.

job-changed = Eine andere Anfrage hat diesen Auftrag im selben Moment geändert
    .do = Laden Sie die Seite neu, und versuchen Sie es dann noch einmal.

job-ended = Dieser Auftrag ist bereits beendet
    .do = Es gibt nichts mehr anzuhalten.

job-finished = Dieser Auftrag ist abgeschlossen
    .do = Starten Sie einen neuen.

job-not-ended = Dieser Auftrag ist nicht beendet
    .do = Halten Sie ihn zuerst an.

job-in-use = „{ $name }“ verwendet diesen Auftrag noch
    .do = Halten Sie das zuerst an, oder warten Sie, bis es fertig ist.

not-finished-early = Dieses Training kann jetzt nicht vorzeitig abgeschlossen werden
    .do = Warten Sie, bis es endet, oder halten Sie es an und setzen Sie es später fort.

training-removed = Das Training dieser Evaluation wurde entfernt
    .do = Stellen Sie zuerst das Training wieder her.

job-fault = Unerwarteter Fehler, laut Protokoll: „{ $reason }“
    .do = Dies ist ein Fehler von coverslip. Melden Sie ihn mit der Ausgabe des Prozesses.

job-not-started = Der Prozess konnte nicht gestartet werden: { $reason }
    .do = Beheben Sie die Ursache, und setzen Sie den Auftrag dann fort.

job-ended-silently = Der Prozess endete ohne Meldung
    .do = Starten Sie den Auftrag noch einmal. Vielleicht hatte der Rechner zu wenig Arbeitsspeicher oder wurde ausgeschaltet.

job-ended-by-signal = Ein Signal hat den Prozess beendet ({ $signal })
    .do = Starten Sie den Auftrag erneut. Ist das Signal SIGKILL, reichte wahrscheinlich der Arbeitsspeicher nicht: Schließen Sie andere Programme, oder verwenden Sie ein kleineres Netz, kleinere Bilder oder kleinere Batches.

job-ended-with-error = Der Prozess endete mit dem Exit-Code { $exit_code }, laut Protokoll: „{ $reason }“
    .do = Lesen Sie das Protokoll des Auftrags. Wenn die Ursache daraus nicht klar wird, melden Sie den Fehler mit dem Protokoll.

job-ended-with-code = Der Prozess endete mit dem Exit-Code { $exit_code } und ohne Fehlermeldung
    .do = Lesen Sie das Protokoll des Auftrags. Wenn die Ursache daraus nicht klar wird, melden Sie den Fehler mit dem Protokoll.

job-took-memory = Der Auftrag brauchte { NUMBER($taken, maximumFractionDigits: 1) } GB Arbeitsspeicher; erlaubt sind { NUMBER($limit, maximumFractionDigits: 1) } GB je Auftrag
    .do = Verwenden Sie ein kleineres Netz, kleinere Bilder oder kleinere Batches, oder bitten Sie den Betreiber der App, die Grenze zu erhöhen. Ein fortgesetztes Training beginnt beim letzten gespeicherten Stand.

near-duplicates-pending = Nach Beinahe-Duplikaten wurde noch nicht gesucht. Wenn das Training welche findet, hält es sie im selben Set, und seine Aufteilung weicht leicht von dieser ab.

preview-ended-silently = Das Zeichnen der Bilder endete ohne Ergebnis oder dauerte zu lange
    .do = Versuchen Sie es noch einmal, wenn der Rechner weniger ausgelastet ist.

training-not-finished = Dieses Training ist nicht abgeschlossen
    .do = Lassen Sie es zu Ende laufen, oder setzen Sie es fort.

no-classifier-yet = Es gibt noch keinen Klassifikator
    .do = Lassen Sie das Training weiterlaufen, oder setzen Sie es fort.

predictions-busy = { $n_requests } Anfragen nach Vorhersagen sind in Bearbeitung
    .do = Senden Sie die Anfrage in einigen Sekunden noch einmal.

prediction-damaged = Die Tabelle der Vorhersagen ist nach Zeile { $n_rows } beschädigt
    .do = Sagen Sie die Bilder noch einmal vorher.

prediction-not-finished = Diese Vorhersage ist nicht abgeschlossen
    .do = Warten Sie, bis sie fertig ist, oder setzen Sie sie fort.

spot-check-is-labeled = Bilder dieser Stichprobe haben bereits Labels
    .do = Entfernen Sie die Stichprobe mit ihren Labels, bevor Sie andere Bilder ziehen.

spot-check-not-finished = Nicht alle gezogenen Bilder der Stichprobe haben ein Label
    .do = Geben Sie zuerst allen ein Label, damit das Ergebnis der Stichprobe nicht davon abhängt, wann Sie aufgehört haben.

no-image-to-read = Es gibt kein weiteres Bild mit Label, das gezogen werden könnte
    .do = Geben Sie zuerst weiteren Bildern Labels.

row-not-drawn = Dieses Bild ist nicht gezogen
    .do = Laden Sie die Seite neu.

blind-label-of-other-class = „{ $label }“ ist keine der Klassen { $classes }
    .do = Wählen Sie eine davon. Fügen Sie eine andere Klasse eines Datensatzes zuerst hinzu; schließen Sie ein Bild einer Vorhersage aus, das keine zeigt.

second-reading-by-first-author = Das erste Label dieses Bildes stammt von { $author }
    .do = Lassen Sie es von einem anderen Befunder beurteilen: Eine Zweitbefundung vergleicht zwei Befunder.

spot-check-not-labeled = Kein Bild der Stichprobe hat ein Label
    .do = Geben Sie zuerst den gezogenen Bildern Labels.

summary-of-stated-proportions = Diese Vorhersagen setzen angegebene Klassenanteile voraus, sodass ihre Anzahlen nicht die Anteile der Proben zeigen
    .do = Machen Sie die Vorhersage für die Bilder noch einmal ohne erwartete Klassenanteile.

summary-of-earlier-thresholds = Die Entscheidungsschwellen des Klassifikators haben sich seit dieser Vorhersage geändert, sodass seine Fehler auf Testbildern nicht die dieser Vorhersagen sind
    .do = Machen Sie die Vorhersage für die Bilder noch einmal.

export-not-finished = Dieser Export ist nicht abgeschlossen
    .do = Lassen Sie ihn zu Ende laufen, oder starten Sie ihn noch einmal.

no-run-folder-yet = Das Training hat noch keinen Ordner
    .do = Warten Sie, bis das Training beginnt.

no-run-file-yet = Der Auftrag hat noch kein { $name }
    .do = Lassen Sie ihn zu Ende laufen, oder setzen Sie ihn fort.

no-results-yet = Dieses Training hat noch keine Ergebnisse
    .do = Lassen Sie es zu Ende laufen, oder setzen Sie es fort.

no-evaluation-results-yet = Diese Evaluation hat noch keine Ergebnisse
    .do = Lassen Sie sie zu Ende laufen, oder starten Sie sie noch einmal.

training-on-images = { $training } mit { $dataset }

runs-to-compare = Ein Vergleich braucht 2 bis { $n_max } Trainings
    .do = Wählen Sie 2 bis { $n_max } Trainings.

not-measured-yet = „{ $name }“ hat noch keine Ergebnisse
    .do = Vergleichen Sie Trainings, die abgeschlossen sind.

no-measured-images = Noch kein Bild wurde gemessen
    .do = Lassen Sie den Auftrag zu Ende laufen, oder setzen Sie ihn fort.

no-threshold-to-choose = Es gibt keine Schwelle zu wählen: Dazu sind zwei Klassen mit je 5 Validierungsbildern nötig
    .do = Behalten Sie die aktuelle Entscheidung bei.

no-explanation-yet = Dieses Bild hat noch keine Erklärung
    .do = Fordern Sie die Erklärung an, und warten Sie, bis sie gezeichnet ist.

image-moved = Das Bild ist nicht mehr an seinem Ort
    .do = Legen Sie den Ordner oder die Tabelle zurück, aus der es geöffnet wurde.

study-not-ended = Die Studie wartet oder läuft
    .do = Warten Sie, bis die Studie endet, oder halten Sie sie an. Wiederholen Sie dann die Anfrage.

no-training-to-analyze = Kein Training { $is_distance ->
        [true] mit Vortraining auf anderen Bildern
       *[false] dieser Studie
    } ist abgeschlossen
    .do = { $is_distance ->
        [true] Abstände werden zu den Bildern des Vortrainings gemessen. Um beliebige Datensätze zu vergleichen, verwenden Sie den Befehl `coverslip distance`.
       *[false] Setzen Sie die Studie fort, und wiederholen Sie die Anfrage, wenn ein Training abgeschlossen ist.
    }

training-while-timing = „{ $name }“ läuft, daher wäre die Vorhersagezeit falsch
    .do = Warten Sie, bis kein Training läuft, und wiederholen Sie die Anfrage.

no-such-study-time = Keine Messung dieser Art hat diese ID
    .do = Fordern Sie die Zeit der Studie noch einmal an.

## Predictions

no-such-classifier = Kein Klassifikator hier hat diese ID
    .do = Vielleicht wurde er entfernt. Sehen Sie in der Liste der Klassifikatoren nach.

classifier-ended = Der Prozess des Klassifikators endete bei diesem Bild
    .do = Verwenden Sie dasselbe Bild in einer Vorhersage. Deren Seite nennt den Grund, warum das Bild misslingt.

prediction-images-changed = Die Bilder haben sich seit dem Beginn dieser Vorhersage geändert
    .do = Starten Sie eine neue Vorhersage. Die Zeilen dieser Vorhersage bleiben erhalten.

prediction-classifier-changed = Der Klassifikator oder seine Entscheidungsschwellen haben sich seit dem Beginn dieser Vorhersage geändert
    .do = Starten Sie eine neue Vorhersage, oder stellen Sie die früheren Schwellen wieder her und setzen Sie fort. Die Zeilen dieser Vorhersage bleiben erhalten.

no-such-row = Keine Zeile hat diese Nummer
    .do = Laden Sie die Seite neu.

## Filters of images

unknown-filter = Diese Bilder können nicht nach { $name } „{ $value }“ gefiltert oder sortiert werden
    .do = Entfernen Sie diesen Filter.

filter-without-training = Dieser Filter braucht ein Training
    .do = Geben Sie das Training an.

no-split-yet = Das Training hat noch keine Aufteilung
    .do = Warten Sie, bis es die Bilder gelesen hat.

## Recipes and networks

repeated-section = „{ $section }“ ist doppelt angegeben
    .do = Geben Sie jeden Abschnitt einmal an.

recipe-path-refused = { $what }

refused-path = { $what }: { $path }

training-of-other-dataset = Jenes Training verwendete einen anderen Datensatz
    .do = Trainieren Sie ohne die Aufteilung eines früheren Trainings.

split-not-kept = Die Aufteilung jenes Trainings kann nicht wiederverwendet werden: { $what }

training-without-split = Jenes Training hat keine Aufteilung
    .do = Trainieren Sie ohne seine Aufteilung.

recommended-network = Eine gute erste Wahl: klein, und auch ohne GPU schnell.

network-cost = { $cost ->
        [unknown] Der Rechenaufwand ist unbekannt
        [same] Etwa derselbe Rechenaufwand wie beim empfohlenen Netz
        [less] Etwa { NUMBER($cost_ratio, style: "percent", maximumFractionDigits: 0) } des Rechenaufwands des empfohlenen Netzes
       *[more] Etwa der { NUMBER($cost_ratio, maximumFractionDigits: 1) }-fache Rechenaufwand des empfohlenen Netzes
    }, { $size ->
        [same] etwa dieselbe Anzahl von Parametern
        [less] { NUMBER($size_ratio, style: "percent", maximumFractionDigits: 0) } seiner Parameter
       *[more] das { NUMBER($size_ratio, maximumFractionDigits: 1) }-Fache seiner Parameter
    }.

import-network-weights = { $weights } importieren.

## Studies

study-folds-of-split = Die Bilder von { $name } haben reservierte Testdaten oder eine vorgegebene Aufteilung, denen eine Kreuzvalidierung nicht folgen würde
    .do = Geben Sie die Testdaten bei den Bildern des Datensatzes frei, oder öffnen Sie die Bilder ohne die Aufteilung.

plan-of-other-images = Der Plan enthält Bilder eines Datensatzes, der nicht gewählt ist: { $path }
    .do = Wählen Sie auch diesen Datensatz. Der Plan nennt seinen Ordner oder seine Tabelle.

comparison-damaged = Der Vergleich ist beschädigt
    .do = Setzen Sie die Studie fort. Sie schreibt den Vergleich neu.

no-comparison-yet = Noch wurde nichts verglichen
    .do = Die Studie schreibt den Vergleich, wenn sie endet oder angehalten wird.

# Accounts and projects

not-signed-in = Niemand ist angemeldet
    .do = Melden Sie sich an, oder senden Sie den Schlüssel eines Skripts: Authorization: Bearer KEY.

not-administrator = Dies dürfen nur Administratoren
    .do = Wenden Sie sich an einen Administrator des Servers.

role-too-low = Dies erfordert die Rolle { $needed } im Projekt; Ihre ist { $role }
    .do = Bitten Sie einen Administrator des Servers um diese Rolle.

change-of-other-user = Diese Änderung stammt von { $author }
    .do = Annotatoren machen nur ihre eigenen Änderungen rückgängig. Wenden Sie sich an einen Bearbeiter des Projekts.

no-such-user = Kein Konto hat diese ID oder diesen Namen
    .do = Vielleicht wurde es entfernt. Sehen Sie in der Liste der Konten nach.

user-name-not-valid = Dieser Name ist ungültig
    .do = Verwenden Sie 1 bis 64 Zeichen ohne Leerzeichen, Schrägstriche, Anführungszeichen, Doppelpunkte, Kommas und Semikolons.

user-name-used = Es gibt bereits ein Konto mit dem Namen { $name }
    .do = Wählen Sie einen anderen Namen.

user-name-removed = Das Konto { $name } wurde entfernt
    .do = Stellen Sie es auf der Seite „Konten“ wieder her, oder wählen Sie einen anderen Namen: Labels und Trainings des entfernten Kontos behalten seinen Namen.

last-administrator = Es bliebe kein aktiver Administrator übrig
    .do = Machen Sie zuerst ein anderes Konto zum Administrator.

user-has-proxy = Ein Proxy meldet diesen Benutzer an, daher gibt es kein Passwort
    .do = Melden Sie sich beim Proxy an.

invitation-not-valid = Die Einladung ist ungültig oder wurde bereits verwendet oder ersetzt
    .do = Bitten Sie einen Administrator um eine neue Einladung.

wrong-name-or-password = Name oder Passwort ist falsch
    .do = Prüfen Sie beides. Wenn Sie das Passwort vergessen haben, bitten Sie einen Administrator um eine Einladung.

too-many-attempts = Für diesen Namen oder von dieser Adresse gab es zu viele falsche Passwörter
    .do = Warten Sie { $seconds } s, und versuchen Sie es dann noch einmal.

too-many-streams = { $of ->
        [user] Ihr Konto
       *[address] Ihre Adresse
    } empfängt schon { $n } Ereignisströme
    .do = Schließen Sie Browser oder beenden Sie Skripte, die Ereignisse empfangen. Warten Sie dann { $seconds } s, und versuchen Sie es noch einmal.

password-length = Ein Passwort hat { $n } bis 1000 Zeichen
    .do = Wählen Sie ein anderes Passwort, zum Beispiel aus mehreren Wörtern.

many-sign-ins = Gerade melden sich viele Benutzer an
    .do = Versuchen Sie es in einigen Sekunden noch einmal.

script-may-not = Der Schlüssel eines Skripts erlaubt dies nicht
    .do = Melden Sie sich für Änderungen an Konten und Projekten mit einem Passwort an.

root-contains-server = Projekte dürfen den Ordner des Servers nicht lesen
    .do = Wählen Sie einen Ordner, der ihn weder enthält noch darin liegt.

no-such-script-key = Kein Schlüssel dieses Benutzers hat diese ID
    .do = Vielleicht wurde er entfernt. Sehen Sie in der Liste der Schlüssel nach.

no-such-project = Kein Projekt hat diese ID
    .do = Vielleicht wurde es entfernt, oder Sie dürfen es nicht verwenden. Sehen Sie in der Liste der Projekte nach.

project-full = Das Projekt hat die Grenze seiner Größe erreicht
    .do = Löschen Sie Trainings, Vorhersagen oder hochgeladene Bilder, oder bitten Sie einen Administrator um eine höhere Grenze. Die Größe wird jede Minute gemessen.

server-not-created = Der Ordner des Servers konnte nicht angelegt werden ({ $reason })
    .do = Wählen Sie einen Ordner, in den Sie schreiben dürfen.

objects-not-of-app = Die Objekte dieses Datensatzes wurden nicht von der App gefunden oder gelesen, daher wird ihre Tabelle nicht geändert
    .do = Öffnen Sie die Gesichtsfelder in der App, und finden oder lesen Sie die Objekte dort.

edit-of-several-fields = Die ausgewählten Objekte sind nicht in einem Gesichtsfeld
    .do = Wählen Sie Objekte eines Gesichtsfelds.

outline-not-usable = Der Umriss enthält kein Pixel des Gesichtsfelds oder mehr als 4 Millionen
    .do = Zeichnen Sie um ein Objekt im Gesichtsfeld.
