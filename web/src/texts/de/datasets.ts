import type { Texts } from '../en';
import { count, plural } from '../language';
import { interval, micrometers, pValue, score } from '../numbers';
import { counts } from './counts';

export const datasets: Texts['datasets'] = {
  title: 'Datensätze',
  start: {
    goOn: (name) => `Weiter mit ${name}`,
    labelLast: (name) => `${name} labeln`,
    title: 'Erste Schritte',
    local:
      'Alle Daten bleiben auf diesem Rechner. coverslip sendet keine Bilder, Labels oder Ergebnisse an andere.',
    onServer:
      'Alle Daten dieses Projekts liegen auf dem Server Ihres Labors, für seine Mitglieder und Administratoren. Der Server sendet keine Bilder, Labels oder Ergebnisse an andere.',
    copy: 'Dieser Arbeitsbereich wurde aus einem anderen Ordner kopiert oder auf einen anderen Datenträger verschoben. Er hat eigene Dateien: Was Sie hier tun, ändert die des anderen Ordners nicht.',
    samples: {
      title: 'Mit Beispielbildern ausprobieren',
      text: 'Synthetische Bilder von fünf Arten von Blutzellen von 60 Objektträgern. In wenigen Minuten von den Bildern zum Klassifikator und seinem Bericht. coverslip fügt zwei Datensätze hinzu: Bilder mit Labels für das Training und neue Bilder für die Vorhersage.',
      action: 'Beispielbilder verwenden',
    },
    folder: {
      title: 'Eigenen Ordner mit Labels öffnen',
      text: 'Ein Ordner mit einem Unterordner pro Klasse oder eine Tabelle, die die Klasse jedes Bildes nennt.',
      action: 'Ordner wählen',
    },
    label: {
      title: 'Labels in der App vergeben',
      text: 'Für Bilder ohne Klassen, auch Gesichtsfelder, deren Zellen oder Kerne coverslip findet. Eine Taste gibt einem oder vielen ein Label, und Sie können jederzeit rückgängig machen.',
      action: 'Bilder wählen',
    },
    recentImages: 'Zuletzt verwendete Datensätze',
    recentRuns: 'Letzte Trainings',
    allImages: 'Alle Datensätze',
    allRuns: 'Alle Trainings',
    steps: {
      title: 'Von Bildern zu Vorhersagen',
      list: [
        [
          'Datensatz',
          'Öffnen und prüfen Sie Ihre Bilder. coverslip findet fehlerhafte Dateien und Duplikate. Labels vergeben Sie mit einzelnen Tasten.',
        ],
        [
          'Training',
          'Wählen Sie einen Datensatz und starten Sie. coverslip trainiert in Minuten einen Klassifikator, der die Klassen unterscheidet.',
        ],
        [
          'Evaluation',
          'Genauigkeit auf Testbildern, die nicht für das Training verwendet wurden, und alle falsch klassifizierten Bilder.',
        ],
        [
          'Vorhersage',
          'Der Klassifikator sagt die Klassen neuer Bilder vorher und kennzeichnet unsichere Vorhersagen.',
        ],
      ],
    },
  },
  list: {
    add: 'Bilder hinzufügen',
    empty: 'Hier erscheinen die Datensätze, die Sie öffnen.',
    remove: 'Aus der Liste entfernen',
    removeTitle: (name) => `„${name}“ aus der Liste entfernen?`,
    removeText:
      'coverslip zeigt diesen Datensatz und die Labels, die Sie in der App vergeben haben, nicht mehr an. Ihre Bilddateien, Trainings und Ergebnisse bleiben erhalten.',
    removeUpload:
      'coverslip zeigt diesen Datensatz und die Labels, die Sie in der App vergeben haben, nicht mehr an. Es löscht seine Kopien der Dateien nach 30 Tagen. Trainings und Ergebnisse bleiben erhalten.',
    removed: (name) => `„${name}“ wurde aus der Liste entfernt.`,
    exportFirst: 'Zuerst die Labels speichern (CSV)',
  },
  kinds: {
    folders: 'Ordner',
    table: 'Tabelle',
    files: 'Dateien',
    upload: 'Hochgeladene Dateien',
    samples: 'Beispielbilder',
  },
  images: 'Bilder',
  labeled: (n) => `${n} mit Label`,
  unreadable: (n) => `${n} nicht lesbar`,
  excluded: (n) => `${n} ausgeschlossen`,
  missingImages: (n) => `${n} fehlen in den Ordnern (Labels bleiben erhalten)`,
  changed: (n) => `${n} mit geändertem Label`,
  noClasses: 'Noch keine Klassen',
  state: {
    reading: 'Bilder werden gelesen',
    drawing: 'Beispielbilder werden erzeugt',
    failed: 'coverslip konnte die Bilder nicht lesen.',
    rescan: 'Aus Dateien aktualisieren',
    rescanHint:
      'Findet neue, geänderte und entfernte Dateien. Ihre Labels bleiben bei ihren Bildern, auch wenn Dateien umbenannt wurden.',
  },
  tabs: {
    label: 'Abschnitte dieser Seite',
    overview: 'Überblick',
    images: 'Bilder',
    checks: 'Prüfungen',
  },
  runStates: {
    queued: 'Wartet',
    starting: 'Startet',
    running: 'Trainiert',
    stopping: 'Wird angehalten',
    stopped: 'Angehalten',
    done: 'Fertig',
    failed: 'Fehlgeschlagen',
    interrupted: 'Unterbrochen',
  },
  rename: 'Umbenennen',
  renameTitle: 'Neuer Name',
  name: 'Name',
  save: 'Speichern',
  train: 'Klassifikator trainieren',
  labelNow: 'Labels vergeben',
  trainHint: 'Geben Sie zuerst Bildern von mindestens zwei Klassen ein Label.',
  pixels: {
    title: 'Pixel jeder Datei',
    several: {
      series: 'Serien',
      t: 'Zeitpunkte',
      z: 'z-Ebenen',
      channels: 'Kanäle',
      level: 'Auflösungen',
    },
    ask: (things) =>
      `Die Dateien enthalten mehrere ${things}. Wählen Sie, was coverslip als ein Bild liest. Trainings und Vorhersagen verwenden diese Auswahl, und die Labels bleiben erhalten.`,
    differ:
      'Die Dateien unterscheiden sich in diesen Anzahlen. Eine Datei ohne den gewählten Teil wird als nicht lesbar gemeldet.',
    series: 'Serie',
    seriesOf: (k, name) => (name ? `${k}: ${name}` : `Serie ${k}`),
    moreSeries: (n) => `und ${n} weitere Serien`,
    time: 'Zeitpunkt',
    z: 'z-Ebenen',
    one: (k) => `Ebene ${k}`,
    plane: 'Ebene',
    projections: { max: 'Maximum', mean: 'Mittelwert', 'best-focus': 'Schärfste Ebene' },
    channels: 'Kanäle',
    channelOf: (k, name) => name || `Kanal ${k}`,
    allChannels: 'alle Kanäle',
    level: 'Auflösung',
    levelOf: (w, h) => `${w} × ${h} px`,
    use: 'Diese Auswahl verwenden',
    change: 'Ändern',
    saved: 'Die Bilder werden mit dieser Wahl neu gelesen.',
    noChannel: 'Wählen Sie mindestens einen Kanal.',
    chosen: (parts) => `Gelesen wird: ${parts}.`,
    ofSeries: (k) => `Serie ${k}`,
    ofTime: (k) => `Zeitpunkt ${k}`,
    ofPlane: (k) => `z-Ebene ${k}`,
    ofProjection: {
      max: 'das Maximum aller z-Ebenen',
      mean: 'der Mittelwert aller z-Ebenen',
      'best-focus': 'die schärfste z-Ebene',
      channels: 'alle z-Ebenen als Kanäle',
    },
    ofChannels: (names) => `die Kanäle ${names}`,
    ofLevel: (k) => `Auflösungsstufe ${k}`,
  },
  overview: {
    removedBefore: (name, when, n) =>
      plural(n, {
        one: `Der Datensatz „${name}“ aus demselben Ordner wurde entfernt (${when}), mit Angaben von Nutzern zu ${count(n)} Bild.`,
        other: `Der Datensatz „${name}“ aus demselben Ordner wurde entfernt (${when}), mit Angaben von Nutzern zu ${count(n)} Bildern.`,
      }),
    restore: 'Diesen Datensatz wiederherstellen',
    perClass: 'Bilder pro Klasse',
    perGroup: 'Größte Gruppen',
    inTraining: (names, n) => `Ein Training verwendet ${counts.classes(n)}: ${names}.`,
    changeClasses: 'Klassen ändern',
    noGroups: 'Keine Gruppen festgelegt',
    noGroupsText:
      'Wenn mehrere Bilder von einem Patienten, einem Objektträger oder einem Well stammen, legen Sie Gruppen fest. Sonst können Bilder eines Patienten zugleich im Trainingsset und im Testset sein (Datenleck), und die Ergebnisse fallen zu gut aus.',
    defineGroups: 'Gruppen festlegen',
    moreGroups: (n) => `und ${n} weitere`,
    oneEach: 'Jede Gruppe ist ein Bild.',
    fileFacts: 'Bilddateien',
    size: (w, h) => `${w} × ${h} px`,
    advice: 'Empfehlungen',
    noAdvice: 'Die Prüfungen haben kein Problem gefunden. Sie können einen Klassifikator trainieren.',
    notes: 'Hinweise',
    unlabeled: 'keine Klasse',
    toChecks: 'Prüfungen öffnen',
    readingText: 'Sie können die Bilder bereits ansehen. Zahlen erscheinen, sobald alle Bilder gelesen sind.',
  },
  missing: {
    title: (n) =>
      plural(n, {
        one: 'Der Ordner dieses Datensatzes kann nicht gelesen werden.',
        other: 'Mehrere Ordner dieses Datensatzes können nicht gelesen werden.',
      }),
    text: 'Der Ordner wurde umbenannt, verschoben oder gelöscht, sein Datenträger ist nicht verbunden, oder die App wurde ohne Zugriff darauf gestartet (coverslip app --root ORDNER). Labels und Ergebnisse bleiben erhalten. Wenn Sie den Ordner wiederherstellen, geht diese Seite von selbst weiter. Wenn Sie ihn verschoben haben, wählen Sie den neuen Ort.',
    choose: 'Neuen Ort wählen …',
    chooseTitle: 'Neuer Ort des Ordners',
    chooseText: 'Wählen Sie den Ordner mit denselben Bildern. Sein bisheriger Ort:',
    retry: 'Erneut prüfen',
    remove: 'Aus der Liste entfernen',
  },
  origins: {
    title: 'Quellen',
    perDomain: 'Bilder pro Domäne',
    domain:
      'Eine Domäne ist die Herkunft von Bildern, etwa ein Labor, ein Mikroskop oder ein Tag. Ergebnisse werden für alle Bilder zusammen und für jede Domäne angegeben.',
    contains: {
      corrections: 'Korrigierte Bilder einer Vorhersage',
      objects: 'In Gesichtsfeldern gefundene Objekte',
      upload: 'Hochgeladene Dateien',
    },
    add: 'Weiteren Ordner hinzufügen',
    addThis: 'Diesen Ordner hinzufügen',
    change: 'Ordner hinzufügen, umbenennen oder entfernen',
    name: 'Domäne',
    nameOf: (path) => `Domäne von ${path}`,
    noSource: 'Der Datensatz hätte keine Quelle mehr, denn die anderen Quellen wurden inzwischen entfernt.',
    source: 'Ordner oder Tabelle',
    exclude: 'Entfernen',
    removeNamed: (path) => `${path} entfernen`,
    excluded:
      'coverslip zeigt Bilder eines entfernten Ordners nicht mehr an und verwendet sie nicht für das Training. Die Dateien bleiben erhalten. Wenn Sie den Ordner wieder hinzufügen, kehren die Labels zurück, die Sie in der App vergeben haben.',
    save: 'Speichern',
  },
  gallery: {
    label: (name) => `Bilder von ${name}`,
    filters: 'Filter',
    filter: 'Filtern',
    all: 'Alle',
    unlabeled: 'Ohne Klasse',
    fields: {
      label: 'Klasse',
      predicted: 'Vorhergesagt als',
      domain: 'Domäne',
      only: 'Nur anzeigen',
      group: 'Gruppe',
      search: 'Name enthält',
      run: 'Aufteilung eines Trainings',
      part: 'Set der Aufteilung',
    },
    only: {
      problem: 'Bilder mit einem Problem',
      unreadable: 'Nicht lesbare Bilder',
      duplicate: 'Duplikate',
      conflicting: 'Duplikate mit anderem Label',
      excluded: 'Ausgeschlossene Bilder',
      changed: 'Bilder mit geändertem Label',
      confirmed: 'Bestätigte Labels',
      'near-duplicates': 'Duplikate und Beinahe-Duplikate',
      suggested: 'Für ein Label vorgeschlagen',
      reserved: 'Reserviertes Testset',
    },
    excluded: 'ausgeschlossen',
    onlyByRun: {
      suspected: 'Vermutete Labelfehler',
      questioned: 'Falsch klassifizierte Bilder',
    },
    exclude: 'Vom Training ausschließen',
    include: 'Wieder aufnehmen',
    isExcluded: 'Ausgeschlossen: nicht gezählt und nicht für das Training verwendet.',
    isRight: 'Label bestätigen',
    isRightHelp: 'Entfernt das Bild aus den vermuteten Labelfehlern, auch für spätere Trainings.',
    removeConfirmation: 'Bestätigung entfernen',
    confirmed: (n) =>
      plural(n, {
        one: `Das Label von ${count(n)} Bild ist bestätigt.`,
        other: `Die Labels von ${count(n)} Bildern sind bestätigt.`,
      }),
    confirmationRemoved: (n) =>
      plural(n, {
        one: `Die Bestätigung von ${count(n)} Label ist entfernt.`,
        other: `Die Bestätigungen von ${count(n)} Labels sind entfernt.`,
      }),
    allChecked: 'Alle vermuteten Labelfehler sind geprüft.',
    toTraining: 'Zurück zum Training',
    suspectedCaption: (label, suggested) => `${label}\n→ ${suggested}?`,
    suggested: (name) =>
      `Vorhersage eines Klassifikators, der nicht mit diesem Bild trainiert wurde: ${name}`,
    why: {
      unreadable: 'ist nicht lesbar',
      duplicate: 'hat ein Duplikat',
      conflicting: 'hat ein Duplikat mit anderem Label',
    },
    sort: 'Reihenfolge',
    sorts: { position: 'Wie im Ordner', label: 'Nach Klasse', group: 'Nach Gruppe' },
    byErrorScore: 'Wahrscheinlichste Fehler zuerst',
    byDuplicates: 'Duplikate nebeneinander',
    leastCertain: 'Unsicherste zuerst',
    mostCertain: 'Sicherste zuerst',
    byUsefulness: 'Nützlichste zuerst',
    parts: { train: 'Training', val: 'Validierung', test: 'Test', excluded: 'Ausgeschlossen' },
    chip: (field, value) => `${field}: ${value}`,
    removeChip: (text) => `Filter „${text}“ entfernen`,
    clear: 'Alle Bilder anzeigen',
    none: 'Kein Bild passt zu diesen Filtern.',
    nSelected: (n) => `${count(n)} ausgewählt`,
    labelSelected: 'Ausgewählten Bildern ein Label geben',
    labelImage: 'Diesem Bild ein Label geben',
    selectFirst:
      'Kein Bild ist ausgewählt. Wählen Sie Bilder aus und drücken Sie dann die Taste ihrer Klasse.',
    alsoPredicted: 'Bilder ohne Klasse, die als diese Klasse vorhergesagt werden',
    howToLabel:
      'Klicken Sie auf ein Bild, oder wählen Sie mit Strg oder Umschalt mehrere aus. Klicken Sie dann auf eine Klasse oder drücken Sie ihre Taste. Um nur eine Klasse anzuzeigen, verwenden Sie „Filtern“.',
    toSelected: (n) =>
      n
        ? plural(n, { one: `${count(n)} Bild ausgewählt`, other: `${count(n)} Bilder ausgewählt` })
        : 'Kein Bild ausgewählt',
    noClass: 'Keine Klasse',
    newClass: 'Neue Klasse',
    newClassName: 'Name der neuen Klasse',
    add: 'Hinzufügen',
    firstClass: 'Fügen Sie zuerst Klassen hinzu. Jede Klasse bekommt eine Taste.',
    advance: 'Weiter zum nächsten',
    undo: 'Rückgängig machen (Strg-Z)',
    redo: 'Wiederholen (Strg-Umschalt-Z)',
    keys: 'Tasten (?)',
    keysTitle: 'Tasten',
    keysNote:
      'Einzelne Tasten wirken nur, solange die Galerie oder die Bildansicht den Fokus hat. Die Galerie hat den Fokus, wenn sie sich öffnet. Um ihr den Fokus wieder zu geben, drücken Sie eine Pfeiltaste oder klicken Sie auf ein Bild.',
    exportLabels: 'Labels herunterladen (CSV)',
    exportChanges:
      'Alle Änderungen der Labels herunterladen (CSV): Zeit, Person und die Seite, auf der jedes Label geändert wurde',
    labeled: (images, label) => `${images}: ${label}`,
    keyList: [
      ['1 – 9, 0, a – z', 'Den ausgewählten Bildern das Label der Klasse dieser Taste geben'],
      ['Entf oder Rücktaste', 'Das Label der ausgewählten Bilder entfernen'],
      [';', 'Bei vermuteten Labelfehlern: das Label bestätigen'],
      ['Pfeiltasten', 'Auswahl bewegen; in der Bildansicht das nächste oder vorherige Bild öffnen'],
      ['Umschalt + Pfeiltasten, Umschalt + Klick', 'Einen Bereich auswählen'],
      ['Strg + Klick, Leertaste', 'Das Bild zur Auswahl hinzufügen oder daraus entfernen'],
      ['Strg + A', 'Alle Bilder auswählen, die zu den Filtern passen'],
      ['Esc', 'Auswahl aufheben oder Bildansicht schließen'],
      [
        'Eingabetaste, Doppelklick',
        'Bildansicht öffnen. Tippen Sie auf einem Touchscreen auf das ausgewählte Bild',
      ],
      ['Strg + Z, Strg + Umschalt + Z', 'Änderung eines Labels rückgängig machen oder wiederholen'],
      ['+  −  Pos1', 'In der Bildansicht: vergrößern, verkleinern, an das Fenster anpassen'],
      ['Umschalt + Pfeiltasten', 'In der Bildansicht: das Bild verschieben'],
      ['?', 'Diese Liste anzeigen'],
    ],
  },
  facts: {
    path: 'Pfad',
    size: 'Größe',
    format: 'Format',
    depth: 'Bittiefe',
    pixelSize: 'Pixelgröße',
    pixelSizeOf: ([width, height]) =>
      width === height ? micrometers(width!) : `${micrometers(width!)} × ${micrometers(height!)}`,
    depthOf: (bits, dtype) => `${bits} Bit (${dtype})`,
    channels: 'Kanäle',
    planes: 'Ebenen',
    bytes: 'Dateigröße',
    values: 'Werte',
    valuesOf: (low, high) => `${low} – ${high}`,
    group: 'Gruppe',
    domain: 'Domäne',
    before: 'Ursprüngliche Klasse',
    equal: 'Duplikate',
    note: 'Hinweis',
    side: 'Vorgegebene Aufteilung',
  },
  classes: {
    title: 'Klassen',
    text: 'Benennen Sie Klassen für das Training um, führen Sie sie zusammen oder schließen Sie sie aus. Um Klassen zusammenzuführen, geben Sie ihnen denselben Namen. Dateien und Labels ändern sich nicht.',
    key: 'Taste',
    name: 'Klasse',
    n: 'Bilder',
    trainingName: 'Name im Training',
    trainingNameOf: (name) => `Name von ${name} im Training`,
    exclude: 'Ausschließen',
    excludeNamed: (name) => `${name} ausschließen`,
    up: (name) => `${name} nach oben`,
    down: (name) => `${name} nach unten`,
    remove: (name) => `Leere Klasse ${name} entfernen`,
    result: 'Im Training',
    save: 'Diese Klassen speichern',
    back: 'Änderungen verwerfen',
    saved: 'Die Änderungen der Klassen sind gespeichert.',
    tooFew: 'Ein Klassifikator braucht mindestens zwei Klassen.',
    empty: 'Klassen fügen Sie hinzu, wenn Sie Labels vergeben.',
  },
  groupsTab: {
    title: 'Gruppen',
    joined: 'Zusammengeführte Gruppen',
    joinedOf: (names) => `mit ${names.join(', ')}`,
    separate: 'Trennen',
    separateNamed: (name) => `Die in ${name} zusammengeführten Gruppen trennen`,
    text: 'Bilder von einem Patienten, einem Objektträger oder einem Well ähneln einander. Alle Bilder einer Gruppe bleiben im selben Set (Training, Validierung oder Test). Das verhindert ein Datenleck. Wenn Datei- und Ordnernamen sie nicht enthalten, öffnen Sie eine Tabelle mit den Pfaden, Labels und Patienten der Bilder als Datensatz.',
    how: 'Festlegung der Gruppen',
    byDefault: 'Die Gruppen, die die Tabelle oder die Bilddateien angeben, falls vorhanden',
    noneOf: {
      none: 'Keine Gruppen',
      file: 'Die Bilddatei: Ausschnitte eines Gesichtsfelds sind eine Gruppe',
      table: 'Die Spalte der Tabelle für Gruppen',
    } as Record<string, string>,
    eachFile:
      'Jede Datei ist eine Gruppe: Alle Bilder sind von verschiedenen Patienten, Objektträgern oder Wells',
    pattern: 'Ein Teil des Pfades',
    expert: 'Für Experten: ein Muster im Pfad',
    patternLabel: 'Muster im Pfad (ein regulärer Ausdruck)',
    presets: 'Vorschläge für diesen Datensatz',
    patternHelp:
      'Geben Sie den Text ein, den die Pfade eines Patienten oder Objektträgers gemeinsam haben. \\d+ passt zu jeder Zahl, [A-Z]+ zu Großbuchstaben. Beispiel: slide\\d+ passt zu slide7 und slide12.',
    suggestions: {
      column: (name) => `Spalte „${name}“`,
      supported: (p) => `Bilder einer Gruppe ähneln einander (${pValue(p)}).`,
      unsupported: 'Bilder einer Gruppe ähneln einander nicht mehr als andere.',
      untested: 'Nicht geprüft, ob Bilder einer Gruppe einander ähneln.',
      divides: (unit: string) =>
        `Bilder mehrerer dieser Gruppen haben einen Namen, der „${unit}“ enthält. Sie könnten von einem Patienten oder Objektträger stammen.`,
      of: (n, example) => `${counts.groups(n)}, zum Beispiel ${example}`,
    },
    unmatched: (n) =>
      plural(n, {
        one: `${count(n)} Bild hat keine Gruppe`,
        other: `${count(n)} Bilder haben keine Gruppe`,
      }),
    allMatched: 'Jedes Bild hat eine Gruppe.',
    examples: 'Beispiele',
    noGroup: 'passt nicht',
    largest: 'Größte Gruppen',
    save: 'Diese Gruppen speichern',
    saved: 'Die Gruppen sind gespeichert.',
    single: 'Alle Bilder sind in einer Gruppe, deshalb gibt es kein Testset.',
  },
  checks: {
    title: 'Eignet sich dieser Datensatz für ein Training?',
    verdict: (nErrors, nWarnings, nAdvice) =>
      nErrors
        ? `Nein: ${plural(nErrors, { one: `${count(nErrors)} Problem muss`, other: `${count(nErrors)} Probleme müssen` })} zuerst gelöst werden.`
        : nWarnings
          ? `Ja, aber sehen Sie zuerst ${plural(nWarnings, { one: `${count(nWarnings)} Warnung`, other: `${count(nWarnings)} Warnungen` })} an.`
          : nAdvice
            ? 'Ja. Es gibt keine Probleme; unten stehen Empfehlungen.'
            : 'Ja. Alle nicht ausgeschlossenen Bilder sind lesbar, und es gibt weder Duplikate noch widersprüchliche Labels.',
    labels:
      'Andere falsche Labels findet erst ein Training: Dessen Bilder haben den Filter „Vermutete Labelfehler“.',
    notYet: 'Bisher wurde nichts gefunden.',
    sets: (n) => plural(n, { one: `${count(n)} Satz`, other: `${count(n)} Sätze` }),
    solvedSet: 'Gelöst',
    isUsed: 'wird im Training verwendet',
    isExcluded: 'ausgeschlossen',
    solved: (title) => `Gelöst: ${title}`,
    again: 'Wird noch einmal geprüft …',
    compare: 'Bilder vergleichen',
    enlarge: (names) => `${names} vergrößern`,
    rightClass: 'Richtige Klasse:',
    excludeImage: 'Dieses Bild ausschließen',
    decided: (n, name) =>
      plural(n, {
        one: `Die Klasse ist ${name}. ${count(n)} Kopie einer anderen Klasse ist ausgeschlossen.`,
        other: `Die Klasse ist ${name}. ${count(n)} Kopien anderer Klassen sind ausgeschlossen.`,
      }),
    labeled: (n, name) =>
      plural(n, {
        one: `${count(n)} Bild ist jetzt ${name}.`,
        other: `${count(n)} Bilder sind jetzt ${name}.`,
      }),
    joinedClasses: 'Die Klassen sind im Training eine Klasse. Die Labels bleiben, wie sie sind.',
    joinedGroups: 'Die Gruppen sind zusammengeführt. Tabelle und Dateien bleiben, wie sie sind.',
    separated: 'Wieder getrennt.',
    reading: 'Die Prüfungen beginnen, sobald alle Bilder gelesen sind.',
    searching:
      'coverslip sucht Beinahe-Duplikate. Diese Seite zeigt sie, sobald die Suche fertig ist. Wenn Sie coverslip vorher schließen, beginnt die Suche von vorn.',
    notSearched:
      'Nach Beinahe-Duplikaten wurde nicht gesucht: Es sind mehr als 100.000 Bilder, oder die Suche ist fehlgeschlagen.',
    severity: { error: 'Problem:', warning: 'Warnung:', advice: 'Empfehlung:' },
    file: 'Datei',
    why: 'Grund',
    more: (n) => `${count(n)} weitere anzeigen`,
    open: 'In der Galerie anzeigen',
    excludeUnreadable: (n) =>
      plural(n, { one: 'Diese Datei ausschließen', other: `Diese ${count(n)} Dateien ausschließen` }),
    excludeDuplicates: (n) =>
      plural(n, { one: `${count(n)} Duplikat ausschließen`, other: `${count(n)} Duplikate ausschließen` }),
    excludeDuplicatesHelp:
      'coverslip behält von gleichen Bildern das erste. Duplikate mit verschiedenen Labels schließt es nicht aus.',
    keep: (n) =>
      plural(n, {
        one: `Label von ${count(n)} Bild behalten`,
        other: `Labels von ${count(n)} Bildern behalten`,
      }),
    kept: (n) =>
      plural(n, {
        one: `Das Label von ${count(n)} Bild bleibt erhalten.`,
        other: `Die Labels von ${count(n)} Bildern bleiben erhalten.`,
      }),
    drop: (n) =>
      plural(n, {
        one: `Label von ${count(n)} Bild verwerfen`,
        other: `Labels von ${count(n)} Bildern verwerfen`,
      }),
    dropped: (n) =>
      plural(n, {
        one: `${count(n)} Datei ist ein neues Bild.`,
        other: `${count(n)} Dateien sind neue Bilder.`,
      }),
    dropHelp:
      'Die Dateien werden neue Bilder. Labels, Bestätigungen, Ausschlüsse und Zweitbefundungen bleiben beim früheren Inhalt. Sie kommen zurück, wenn Sie das rückgängig machen oder wenn Dateien diesen Inhalt wieder haben.',
    excludedTitle: 'Ausgeschlossen',
    excluded: (n) =>
      plural(n, {
        one: `${count(n)} Bild ist ausgeschlossen.`,
        other: `${count(n)} Bilder sind ausgeschlossen.`,
      }),
    excludedText:
      'Ausgeschlossene Bilder bleiben in der Galerie. Sie zählen nicht als Bilder einer Klasse und werden nicht für das Training verwendet.',
    include: 'Bilder wieder aufnehmen',
    included: (n) =>
      plural(n, {
        one: `${count(n)} Bild ist wieder aufgenommen.`,
        other: `${count(n)} Bilder sind wieder aufgenommen.`,
      }),
  },
  live: {
    title: 'Live-Vorhersage',
    start: 'Live einschalten',
    about:
      'Geben Sie wenigen Bildern ein Label, und coverslip sagt nach jedem Label alle anderen vorher. Vorher wird etwa ein Fünftel der Bilder zufällig als Testdaten reserviert, bei Gruppen aus solchen ohne Labels.',
    starting: 'Merkmale der Bilder werden berechnet',
    waiting: 'Wartet auf die Merkmale eines anderen Datensatzes',
    fitted: (n) =>
      n
        ? plural(n, { one: `an ${count(n)} Label angepasst`, other: `an ${count(n)} Labels angepasst` })
        : 'noch kein Label',
    more: (n) =>
      plural(n, {
        one: `Merkmale von ${count(n)} Bild berechnen`,
        other: `Merkmale von ${count(n)} Bildern berechnen`,
      }),
    orders: { suggested: 'Bilder vorschlagen', uncertain: 'Unsicherste zuerst' },
    renew: 'Reihenfolge nach den aktuellen Labels erneuern',
    oneClass: (name) =>
      `Nur ${name} hat Labels außerhalb des Testsets, daher keine Vorhersage: Geben Sie einem Bild einer zweiten Klasse ein Label`,
    leftOut: (names) => `Kein Label außerhalb des Testsets, daher nie vorhergesagt: ${names.join(', ')}`,
    plan: 'Live sagt die Klassen der Labels vorher; Trainings verbinden, entfernen und benennen sie um',
    tied: (n) =>
      plural(n, {
        one: `${count(n)} Label wird nicht benutzt: Sein Bild ist die Kopie eines Testbilds oder aus dessen Gruppe`,
        other: `${count(n)} Labels werden nicht benutzt: Ihre Bilder sind Kopien von Testbildern oder aus deren Gruppen`,
      }),
    stop: 'Ausschalten',
    train: 'Trainieren und testen',
    trainHelp:
      'Trainiert einen Klassifikator mit den Labels und testet ihn mit den zufälligen Testbildern, die ein Label haben. Er ist ein anderer als der von Live, für größere Bilder, daher können andere Testbilder richtig sein. Nötig sind Labels von zwei Klassen und ein Testbild mit Label.',
    noneReserved:
      'Keine zufälligen Testdaten sind reserviert: Nur Bilder und Gruppen ohne Labels können es sein.',
    fewTested: (n) => `weniger als ${count(n)}: Das Ergebnis wird ungenau`,
    right: (n, total) => `${count(n)} von ${count(total)} zufälligen Testbildern richtig`,
    macroF1: (f1) => `Makro-F1 ${score(f1.value)} ${interval(f1.low, f1.high)}`,
    gain: (gain) => {
      const n = Math.round(100 * gain);
      return `50 weitere Labels: etwa ${plural(n, { one: '1 Prozentpunkt', other: `${count(n)} Prozentpunkte` })} mehr`;
    },
    skipped: (n) => `${count(n)} früher gezogen, ohne Label`,
    estimateHelp:
      'Die Genauigkeit auf zufälligen Bildern von denen, die beim Einschalten kein Label hatten, nicht nur von den übrigen, mit 95-%-Konfidenzintervall. An ihre Labels wird nicht angepasst. Wenn Sie aufhören, sobald Ihnen die Zahl gefällt, ist sie zu hoch. Testbilder, die ausgeschlossen sind oder früher gezogen und ohne Label, sind vielleicht die schwierigen.',
    reserved: (n, total) => `Testdaten: ${count(n)} von ${count(total)} mit Label`,
    reservedHelp:
      'Bilder, die eine Reihenfolge anbietet, sind öfter selten oder mehrdeutig als die des Datensatzes; Metriken auf ihnen sind verzerrt. Die reservierten Testbilder sind zufällig und werden ohne Vorhersage gezeigt. Die mit Label sind die Testdaten von Trainings.',
    showReserved: 'Testdaten zeigen',
    release: 'Testdaten freigeben',
    releaseHelp:
      'Ihre Bilder können dann vorgeschlagen und trainiert werden. Live wird ausgeschaltet; Labels bleiben.',
  },
  map: {
    tab: 'Karte',
    title: 'Karte der Bilder',
    about:
      'Eine Karte zeigt die Bilder. Ähnliche Bilder liegen nah beieinander, nach den Merkmalen eines mit Fotos trainierten Netzes. Finden Sie damit Gruppen ähnlicher Bilder, um ihnen gemeinsam ein Label zu geben, und ungewöhnliche Bilder. Abstände zwischen weit entfernten Punkten haben keine Bedeutung.',
    duration:
      'Die meiste Zeit brauchen die Merkmale neuer Bilder. Der letzte Schritt dauert bis zu einige Minuten.',
    start: 'Karte berechnen',
    again: 'Karte neu berechnen',
    starting: 'Karte wird berechnet',
    waiting: 'Wartet auf die Karte eines anderen Datensatzes',
    missing: (n) =>
      plural(n, {
        one: `${count(n)} Bild ist nicht auf der Karte.`,
        other: `${count(n)} Bilder sind nicht auf der Karte.`,
      }),
    colorBy: 'Farbe nach',
    byClass: 'Klasse',
    byGroup: 'Gruppe',
    byCluster: 'Cluster',
    byPrediction: 'Vorhergesagte Klasse',
    jobs: {
      train: (name) => `Training ${name} (zurückgehaltene Bilder)`,
      evaluate: (name) => `Evaluation ${name}`,
      predict: (name) => `Vorhersage ${name}`,
    },
    notPredicted: 'Nicht vorhergesagt',
    predicted: (name) => (name === null ? 'nicht vorhergesagt' : `vorhergesagt als ${name}`),
    noGroup: 'Keine Gruppe',
    cluster: (k) => `Cluster ${count(k)}`,
    selectCluster: 'Cluster auswählen',
    choose: 'Wählen …',
    clusterOption: (k, n, nUnlabeled, label, nLabel, nOthers) =>
      `${count(k)}: ${counts.images(n)}, ${count(nUnlabeled)} ohne Klasse${
        label === null ? '' : `, ${count(nLabel)} ${label}`
      }${nOthers ? `; nicht ausgewählt: ${count(nOthers)} aus dem Testset oder ausgeschlossen` : ''}`,
    lasso: 'Lasso',
    lassoHelp: 'Umfahren Sie Punkte, um ihre Bilder auszuwählen. Umschalt + Ziehen hat dieselbe Wirkung.',
    points: (n) =>
      plural(n, {
        one: `Karte mit ${count(n)} Punkt. Die Liste daneben enthält dieselben Bilder, nach Clustern.`,
        other: `Karte mit ${count(n)} Punkten. Die Liste daneben enthält dieselben Bilder, nach Clustern.`,
      }),
    list: 'Bilder nach Clustern',
    howTo: 'Wählen Sie Bilder auf der Karte oder in der Liste aus und dann eine Klasse.',
    selected: (n) => `Ausgewählt: ${n}`,
    exclude: 'Ausgewählte Bilder ausschließen',
    excluded: (n) =>
      plural(n, {
        one: `${count(n)} Bild ist ausgeschlossen.`,
        other: `${count(n)} Bilder sind ausgeschlossen.`,
      }),
    reserved: (n) =>
      plural(n, { one: `${count(n)} Bild des Testsets`, other: `${count(n)} Bilder des Testsets` }),
    reservedHelp:
      'Lasso und Cluster wählen keine Bilder des reservierten Testsets aus: Geben Sie diesen einzeln Labels, damit der Test unverzerrt ist.',
    keysTitle: 'Tasten der Karte',
    keyList: [
      ['1 – 9, 0, a – z', 'Den ausgewählten Bildern das Label der Klasse dieser Taste geben'],
      ['Entf oder Rücktaste', 'Das Label der ausgewählten Bilder entfernen'],
      ['Pfeiltasten', 'Das nächste oder vorherige Bild der Liste auswählen; die Karte folgt'],
      ['Strg + Klick, Leertaste', 'Das Bild zur Auswahl hinzufügen oder daraus entfernen'],
      ['Umschalt + Ziehen auf der Karte', 'Ein Lasso zeichnen: Die Bilder darin kommen zur Auswahl hinzu'],
      ['Strg + A, Esc', 'Alle Bilder der Karte auswählen oder keines'],
      ['Eingabetaste, Doppelklick', 'Die Bildansicht öffnen'],
      ['Strg + Z, Strg + Umschalt + Z', 'Änderung eines Labels rückgängig machen oder wiederholen'],
      ['Mausrad, Ziehen', 'Karte vergrößern und verkleinern, verschieben'],
      ['?', 'Diese Liste anzeigen'],
    ],
  },
  readings: {
    link: 'Zweitbefundung',
    title: 'Zweitbefundung',
    cardText:
      'Lassen Sie eine andere Person einigen Bildern noch einmal Labels geben, ohne dass sie das erste Label sieht. Die prozentuale Übereinstimmung und Cohens Kappa zeigen, wie zuverlässig die Labels sind.',
    intro:
      'Bilder mit Label werden zufällig gezogen, und eine andere Person gibt ihnen noch einmal Labels, ohne das erste Label und den Dateinamen zu sehen. Befundungen ändern die Labels nicht; über Abweichungen wird danach entschieden.',
    csv: 'Befundungen herunterladen (CSV)',
    import: 'Befundungen importieren (CSV)',
    importHelp: 'Eine Tabelle mit den Spalten image_id oder path, label, author und time.',
    imported: (r) =>
      [
        plural(r.n, {
          one: `${count(r.n)} Befundung importiert.`,
          other: `${count(r.n)} Befundungen importiert.`,
        }),
        r.n_without_author && `Zeilen ohne Autor: ${count(r.n_without_author)}.`,
        r.n_same_author && `Zeilen vom Autor des ersten Labels: ${count(r.n_same_author)}.`,
        r.n_unlabeled && `Zeilen von Bildern ohne Label: ${count(r.n_unlabeled)}.`,
        r.n_unknown &&
          `Zeilen von Bildern, die nicht in diesem Datensatz sind: ${count(r.n_unknown)}, zum Beispiel ${r.unknown[0]}.`,
      ]
        .filter(Boolean)
        .join(' '),
    remove: 'Zweitbefundung entfernen',
    result: 'Übereinstimmung',
    n: 'Bilder',
    drawn: (n, total) =>
      plural(total, {
        one: `${count(n)} von ${count(total)} Bild mit Label gezogen.`,
        other: `${count(n)} von ${count(total)} Bildern mit Label gezogen.`,
      }),
    byReader: (n) =>
      plural(n, {
        one: `Das erste Label von ${count(n)} Bild ist von Ihnen; ein anderer Befunder muss es befunden.`,
        other: `Die ersten Labels von ${count(n)} Bildern sind von Ihnen; ein anderer Befunder muss sie befunden.`,
      }),
    none: 'Noch kein Bild hat zwei Befundungen. Geben Sie gezogenen Bildern Labels, oder importieren Sie die Befundungen einer anderen Person.',
    first: (author) => (author === null ? 'erstes Label' : `erstes Label, ${author}`),
    disagreements: 'Abweichungen',
    decided: (n, total) =>
      plural(total, {
        one: `${count(n)} von ${count(total)} Bild entschieden.`,
        other: `${count(n)} von ${count(total)} Bildern entschieden.`,
      }),
    decideHelp:
      'Die Entscheidung wird das Label des Bildes. Alle Befundungen bleiben im Verlauf, und die Übereinstimmung ändert sich nicht.',
    decideOf: (k) => `Label von Bild ${count(k)}`,
    image: (k) => `Bild ${count(k)}`,
    otherClass: 'Andere Klasse …',
    decision: (label, author) => `Entschieden: ${label} (${author})`,
    more: (n) => `${count(n)} weitere anzeigen`,
    allDecided: 'Über alle Abweichungen ist entschieden.',
  },
  leakage: {
    title: 'Datenleck und Shortcuts',
    text: `Evaluiert einen einfachen Klassifikator auf bis zu ${count(2000)} Bildern, mit einer Aufteilung nach Bildern und mit einer nach Gruppen. Der Unterschied zeigt, wie sehr eine Aufteilung nach Bildern die Leistung überschätzt. coverslip sucht außerdem Shortcuts: ob sich die Klassen ohne das Objekt vorhersagen lassen, aus Rand, Hintergrund, Größe oder Format des Bildes. Das dauert eine halbe bis mehrere Minuten.`,
    estimate: 'Datenleck schätzen',
    estimateAgain: 'Erneut schätzen',
    outdated: 'Diese Schätzung ist veraltet: Labels, Gruppen oder Bilder haben sich geändert.',
    same: 'Dieser Datensatz hat keine Gruppen, Duplikate oder Beinahe-Duplikate, deshalb sind beide Aufteilungen gleich. Wenn mehrere Bilder von einem Patienten, einem Objektträger oder einem Gesichtsfeld stammen, legen Sie Gruppen fest.',
    few: 'Der Datensatz hat zu wenige Bilder mit Label für eine Schätzung.',
    macroF1: 'Makro-F1',
    imageLevel: 'Aufteilung nach Bildern',
    grouped: 'Aufteilung nach Gruppen',
    instant: 'Sofort-Klassifikator',
    nearest: 'Nächster Nachbar',
    axis: 'Ausgewogene Genauigkeit auf Testbildern',
    from: 'Vorhergesagt aus',
    balanced: 'Ausgewogene Genauigkeit',
    whole: 'ganzes Bild',
    chance: 'Zufall',
    sources: {
      border: 'nur der Rand',
      background: 'Helligkeit und Rauschen des Hintergrunds',
      size: 'Breite und Höhe',
      format: 'Bittiefe, Kanäle und Ebenen',
      metadata: 'Metadaten der Datei zu Kamera und Kompression',
    },
  },
};
