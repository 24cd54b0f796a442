# Finders of objects in fields of view.

finder-no-image = Eine Objektsuche braucht Pixel als (height, width) oder (height, width, channels), kein Array der Form { $shape } und des Typs { $dtype }
    .do = Lesen Sie das Gesichtsfeld mit coverslip, oder übergeben Sie eine Ebene.

finder-no-channel = Es gibt keinen Kanal { $channel }: Das Gesichtsfeld hat { $n_channels ->
        [one] einen Kanal
       *[other] { $n_channels } Kanäle
    }, nummeriert ab 0
    .do = Wählen Sie einen anderen Kanal.

finder-channel-order = Die Dateien enthalten dieselben Kanäle in verschiedener Reihenfolge, sodass eine Nummer in jeder einen anderen Kanal bezeichnet: hier { $names }
    .do = Wählen Sie den Kanal nach seinem Namen.

finder-no-pixel-size = Der Durchmesser ist in Mikrometern angegeben, aber die Pixelgröße des Gesichtsfelds ist unbekannt
    .do = Geben Sie die Pixelgröße an, oder geben Sie den Durchmesser in Pixeln an.

finder-first-channel = Das Gesichtsfeld hat { $n_channels } Kanäle, und keiner wurde gewählt: Objekte wurden im ersten gesucht.

finder-nothing = Kein Objekt hebt sich vom Hintergrund ab.

finder-low-contrast = Objekte heben sich vom Hintergrund nur um das { $contrast }-Fache seiner Standardabweichung ab. Viele davon können Rauschen sein oder falsche Umrisse haben.

finder-crowded = Objekte bedecken { $percent } % des Gesichtsfelds. Objekte, die sich an mehreren Seiten berühren, sind womöglich zusammengefasst.

finder-limits = Die Größengrenzen schließen mehr als die Hälfte der Objekte aus.

finder-excluded = { $n_excluded } von { $n_objects } gefundenen Objekten sind ausgeschlossen, weil sie außerhalb der Größengrenzen liegen, oder weil sie den Rand ihres Gesichtsfelds berühren und solche Objekte ausgeschlossen sind.

finder-small-objects = Objekte sind nur { $diameter } Pixel breit. Ihre Umrisse sind unsicher.

finder-tissue = { $percent } % des Gesichtsfelds haben die Farben von Hämatoxylin und Eosin. Die Objektsuche eignet sich nicht für Gewebeschnitte: Verwenden Sie die Objekte eines Programms für Histologie.

# Finders of other packages

finder-unknown = Es gibt keine Objektsuche „{ $name }“; es gibt: { $names }
    .do = Prüfen Sie den Namen, oder installieren Sie das Paket, das die Objektsuche mitbringt.

finder-not-loaded = Die Objektsuche „{ $name }“ des Pakets { $package } konnte nicht geladen werden: { $reason }
    .do = Aktualisieren Sie das Paket, oder deinstallieren Sie es.

finder-no-record = der Entry Point ist ein Objekt des Typs { $type }, kein Finder

finder-failed = Die Objektsuche „{ $name }“ ist fehlgeschlagen: { $reason }
    .do = Verwenden Sie eine andere Objektsuche, oder melden Sie dies ihren Autoren.

finder-wrong-labels = Die Objektsuche „{ $name }“ hat kein Labelbild des Gesichtsfelds zurückgegeben: { $reason }
    .do = Verwenden Sie eine andere Objektsuche, oder melden Sie dies ihren Autoren.
