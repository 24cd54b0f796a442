import type { Texts } from '../en';
import { dative } from './dative';
import { count, date, plural } from '../language';

export const general: Texts['general'] = {
  name: 'coverslip',
  skip: 'Zum Inhalt springen',
  nav: {
    label: 'Hauptmenü',
    start: 'Start',
    datasets: 'Datensätze',
    runs: 'Trainings',
    studies: 'Studien',
    predict: 'Vorhersage',
  },
  help: {
    link: 'Hilfe',
    title: 'Hilfe',
    contents: 'Seiten der Dokumentation',
    start: 'Start',
    search: 'Dokumentation durchsuchen',
    hits: (n: number) =>
      n
        ? plural(n, {
            one: `${count(n)} Abschnitt gefunden.`,
            other: `${count(n)} Abschnitte gefunden.`,
          })
        : 'Kein Abschnitt gefunden. Versuchen Sie andere Wörter.',
  },
  terms: { explain: 'Begriffe erklären', glossary: 'Glossar' },
  theme: { label: 'Farben', auto: 'Farben: System', light: 'Farben: hell', dark: 'Farben: dunkel' },
  language: 'Sprache',
  loading: 'Wird geladen …',
  findClass: (n) => `Klasse suchen (${count(n)} Klassen)`,
  retry: 'Erneut versuchen',
  close: 'Schließen',
  cancel: 'Abbrechen',
  computation: { waiting: 'In der Warteschlange', starting: 'Wird gestartet' },
  undo: 'Rückgängig machen',
  undone: (n, nLeft) =>
    stepText(n ? `Bei ${dative.images(n)} rückgängig gemacht.` : 'Rückgängig gemacht.', nLeft),
  redone: (n, nLeft) => stepText(n ? `Bei ${dative.images(n)} wiederholt.` : 'Wiederholt.', nLeft),
  actions: 'Aktionen',
  deleted: {
    title: (n) => `Kürzlich gelöscht (${count(n)})`,
    help: 'Sie können jeden Eintrag bis zu 30 Tage nach dem Löschen wiederherstellen.',
    restore: 'Wiederherstellen',
    when: (time) => `gelöscht: ${time}`,
    kinds: {
      train: 'Training',
      evaluate: 'Evaluation',
      export: 'Export',
      predict: 'Vorhersage',
      study: 'Studie',
      import: 'importierter Klassifikator',
      dataset: 'Datensatz',
    },
  },
  timeLeft: (time) => `noch etwa ${time}`,
  timeLeftOrLonger: (time) =>
    `noch etwa ${time}, oder länger, solange sich die Validierungsergebnisse verbessern`,
  notHere: 'Seite nicht gefunden',
  notFound: 'Zu dieser Adresse gibt es keine Seite.',
  toStart: 'Zur Startseite',
  notLoaded: {
    title: 'Diese Seite konnte nicht geladen werden',
    advice:
      'coverslip wurde aktualisiert oder antwortet nicht. Wenn es noch läuft, laden Sie die Seite neu. Andernfalls starten Sie es erneut.',
    reload: 'Neu laden',
  },
  silent: {
    title: 'coverslip antwortet nicht.',
    advice: 'Das Programm wurde vielleicht beendet. Starten Sie es wieder auf demselben Weg wie zuvor.',
    notUpdated: 'Bis dahin zeigt diese Seite nicht von selbst, was sich ändert.',
    reconnects: 'Diese Seite verbindet sich dann von selbst neu. Laufende Trainings gehen inzwischen weiter.',
  },
  gallery: {
    number: (n) => `Bild ${n}`,
    predictedAs: (name) => `vorhergesagt als ${name}`,
    ofClass: (name) => `Klasse ${name}`,
    unlabeled: 'noch keine Klasse',
    size: 'Größe der Vorschaubilder',
  },
  log: { show: 'Protokoll anzeigen', empty: 'Das Protokoll ist leer.' },
  needsPyTorch: (command, size) =>
    `Braucht PyTorch (${size} Speicherplatz), das nicht installiert ist${command ? `. Führen Sie „${command}“ aus, und starten Sie coverslip neu` : ''}.`,
  explanation: {
    show: 'Warum diese Klasse?',
    waiting: 'In der Warteschlange: Die Erklärung eines anderen Bildes wird gerade berechnet',
    elapsed: (time) => `${time} seit der Anfrage`,
    starting: 'Erklärung wird berechnet …',
    first:
      'Die erste Erklärung eines Klassifikators dauert eine Minute oder länger, weil coverslip zuerst die Plausibilitätsprüfungen der Heatmaps durchführt. Spätere Erklärungen dauern Sekunden.',
    title: 'Erklärung (Heatmap)',
    ofRun: 'Erklärt den Klassifikator, von dem diese Vorhersage stammt.',
    ofFold: (fold) =>
      `Erklärt den Klassifikator von Fold ${fold}, von dem diese Vorhersage stammt: Er wurde nicht mit diesem Bild trainiert.`,
    alt: 'Das Bild, eine Heatmap der Hinweise auf die Klasse und die ähnlichsten Trainingsbilder',
    help: 'Helle Bereiche sprechen für die Klasse. Eine Heatmap zeigt, welche Bereiche das Netz verwendet hat. Sie zeigt nicht, ob die Vorhersage stimmt. coverslip zeigt keine Heatmaps, die die Plausibilitätsprüfungen nicht bestehen: Eine solche Heatmap ist mit zufälligen Gewichten dieselbe oder findet die Hinweise nicht besser als die Bildmitte. „Beiträge“ zeigt, wie viel jeder Bereich zum Wert der Klasse beiträgt. Die ähnlichsten Trainingsbilder stehen unter der Heatmap.',
  },
  viewer: {
    title: (name) => `Bild ${name}`,
    place: (k, n) => `${k} von ${n}`,
    smaller: 'Kleiner (−)',
    larger: 'Größer (+)',
    fit: 'An Fenster anpassen',
    full: '1 : 1',
    previous: 'Vorheriges Bild (←)',
    next: 'Nächstes Bild (→)',
    unreadable: 'Dieses Bild kann nicht angezeigt werden.',
    display: 'Darstellung',
    contrast: 'Kontrast',
    reset: 'Zurücksetzen',
    preparing: 'Die Datei enthält keine kleineren Versionen dieses Bildes. Sie werden einmalig berechnet.',
    channels: 'Kanäle',
    channelNames: ['Rot', 'Grün', 'Blau'],
    channelNumber: (k) => `Kanal ${k}`,
    show: (name) => `${name} anzeigen`,
    color: (name) => `Farbe von ${name}`,
    lowOf: (name) => `Schwarzpunkt von ${name}`,
    highOf: (name) => `Weißpunkt von ${name}`,
    limits: (low, high) => `${low} bis ${high}`,
    saveDisplay: 'Für alle Bilder verwenden',
    savedDisplay: 'Alle Bilder dieses Datensatzes werden mit diesen Kanälen, Farben und Grenzen angezeigt.',
    resetDisplay: 'Automatische Darstellung',
    storedDisplay: 'Der Datensatz hat eigene Farben und Grenzen.',
    series: 'Serie',
    seriesOf: (k, name) => (name ? `${k}: ${name}` : k),
    z: 'z-Ebene',
    time: 'Zeitpunkt',
    projection: 'z-Projektion',
    projections: { none: 'Keine', max: 'Maximum', mean: 'Mittelwert', 'best-focus': 'Schärfste Ebene' },
    scaleBar: (length) => `Maßstabsbalken: ${length}`,
    facts: 'Datei',
    copy: 'Kopieren',
    copied: 'Der Pfad wurde kopiert.',
    notCopied: 'Der Browser erlaubt das Kopieren nicht.',
  },
  folders: {
    where: 'Aktueller Ordner',
    content: 'Inhalt dieses Ordners',
    roots: 'Ihre Ordner',
    path: 'Pfad eines Ordners oder einer Tabelle',
    pathHint: 'Fügen Sie einen Pfad ein oder wählen Sie unten einen Ordner',
    go: 'Diesen Pfad öffnen',
    recent: 'Zuletzt verwendete Ordner',
    notCounted: 'nicht gezählt',
    imagesNotCounted: 'Die Bilder wurden nicht gezählt, weil das zu lange dauern würde.',
    above: 'Übergeordneter Ordner',
    empty: 'Dieser Ordner hat keine Unterordner.',
    images: (n, isMore) =>
      isMore
        ? `${count(n)} oder mehr Bilder in diesem Ordner`
        : plural(n, {
            one: `${count(n)} Bild in diesem Ordner`,
            other: `${count(n)} Bilder in diesem Ordner`,
          }),
    none: 'Keine Bilder in diesem Ordner.',
    classes: 'Unterordner werden zu Klassen',
    topFolder: 'Dies ist der oberste Ordner. Wenn ein Unterordner Ihre Klassen enthält, öffnen Sie diesen.',
    tables: 'Tabellen in diesem Ordner',
    useTable: 'Diese Tabelle verwenden',
    file: (name) => `${name} ist eine Datei. Ihr Ordner wird angezeigt.`,
    useFolder: 'Diesen Ordner verwenden',
    unread: (n, title) =>
      plural(n, {
        one: `${count(n)} Datei im Format ${title} kann nicht gelesen werden.`,
        other: `${count(n)} Dateien im Format ${title} können nicht gelesen werden.`,
      }),
    outside:
      'Wenn ein Ordner auf einem anderen Laufwerk fehlt, erlauben Sie coverslip zuerst, ihn zu lesen. Die Dokumentation der App beschreibt, wie.',
  },
  table: {
    title: 'Tabelle öffnen',
    open: 'Diese Tabelle öffnen',
    add: 'Diese Tabelle hinzufügen',
    back: 'Zurück zum Ordner',
    size: (nRows, nFiles) => {
      const rows = plural(nRows, { one: `${count(nRows)} Zeile`, other: `${count(nRows)} Zeilen` });
      if (nFiles === null) return `${rows}.`;
      const files = { one: `${count(nFiles)} Bilddatei`, other: `${count(nFiles)} Bilddateien` };
      return `${rows}, ${plural(nFiles, files)}.`;
    },
    firstRows: 'Erste Zeilen der Tabelle',
    choose: 'Spalte wählen',
    none: 'keine',
    path: 'Bilddatei',
    label: 'Klassenlabel',
    noLabel: 'keine: Ich vergebe die Labels in der App',
    byClassColumns: 'je eine Spalte für jede Klasse',
    classColumns: (names) =>
      `Diese Tabelle hat je eine Spalte für jede Klasse: ${names.join(', ')}. Das Label eines Bildes ist die Spalte mit der 1.`,
    group: 'Gruppe (Patient, Objektträger, …)',
    groupHelp:
      'Alle Bilder eines Patienten, eines Objektträgers oder eines Wells sollten eine Gruppe bilden. coverslip hält dann jede Gruppe in einem Set zusammen (Training, Validierung oder Test). Sobald die Tabelle geöffnet ist, schlägt es Spalten vor, die Gruppen benennen könnten.',
    predictions:
      'Diese Tabelle enthält Vorhersagen, und vorhergesagte Klassen sind keine Labels. Um Vorhersagen zu korrigieren und damit zu trainieren, klassifizieren Sie die Bilder in dieser App unter „Vorhersage“.',
    byFile: 'jede Bilddatei',
    split: 'Vorgegebene Aufteilung',
    noSplit: 'keine: coverslip teilt auf',
    positions: 'Positionen in Gesichtsfeldern',
    cropSize: 'Größe der Ausschnitte',
    cropUnit: 'Einheit',
    cropHelp: (side) =>
      'coverslip schneidet um jeden Punkt ein Quadrat mit dieser Seitenlänge aus. In µm zeigen Ausschnitte mit verschiedenen Pixelgrößen dieselbe Fläche. Ein guter erster Wert ist etwa der doppelte Durchmesser einer Zelle.' +
      (side === null ? '' : ` Zu den Abständen dieser Punkte passen ${count(side)} px.`),
    cropMissing: (isInUm) =>
      isInUm
        ? 'Geben Sie die Größe der Ausschnitte in µm ein.'
        : `Geben Sie eine Größe der Ausschnitte von ${count(4)} bis ${count(10_000)} px ein.`,
    crops: 'Beispiele für Ausschnitte',
    layouts: {
      none: 'Jede Zeile ist ein ganzes Bild. Wenn die Zeilen Positionen in Gesichtsfeldern sind, wählen Sie die Spalten der Koordinaten.',
      point: 'Jede Zeile ist ein Punkt in einer Bilddatei.',
      corner: 'Jede Zeile ist ein Rechteck in einer Bilddatei: links, oben, Breite und Höhe.',
      center: 'Jede Zeile ist ein Rechteck in einer Bilddatei: Mittelpunkt, Breite und Höhe.',
      corners: 'Jede Zeile ist ein Rechteck in einer Bilddatei: zwei Ecken.',
    },
    meanings: {
      path: 'Bilddatei',
      label: 'Klassenlabel',
      group: 'Gruppe',
      split: 'Aufteilung',
      x: 'x',
      y: 'y',
      width: 'Breite',
      height: 'Höhe',
      x_center: 'x des Mittelpunkts',
      y_center: 'y des Mittelpunkts',
      x_min: 'links',
      y_min: 'oben',
      x_max: 'rechts',
      y_max: 'unten',
    },
  },
  drop: {
    here: 'Hier ablegen. coverslip fragt dann, was geschehen soll.',
    title: 'Abgelegte Dateien',
    titleOf: (name: string, n: number) =>
      plural(n, {
        one: name,
        other: `${name || 'Dateien'} (${count(n)} Dateien)`,
      }),
    listing: 'Dateien werden aufgelistet …',
    classifier: 'Klassifikator',
    notKept: 'coverslip behält das Bild nicht.',
    nothing:
      'Es sind keine Dateien. Legen Sie Bilder, einen Ordner, eine ZIP-Datei, eine Tabelle oder eine .coverslip-Datei ab.',
    notAllowed: 'Nur Bearbeiter dieses Projekts können Dateien hinzufügen.',
    notPredicted: 'Nicht vorhergesagt',
    otherClasses: (n) => plural(n, { one: `${count(n)} andere Klasse`, other: `${count(n)} andere Klassen` }),
    answers: {
      import: 'Klassifikator importieren',
      conditions: 'Bedingungen der Proben aus der Tabelle nehmen',
      'find-table': 'Tabelle dort öffnen, wo sie liegt',
      show: 'Dieses Bild vorhersagen',
      predict: 'Bilder vorhersagen',
      evaluate: 'Klassifikator auf diesen Bildern mit Labels evaluieren',
      add: 'Bilder zu diesem Datensatz hinzufügen',
      labeled: 'Als neuen Datensatz mit Labels öffnen',
      unlabeled: 'Als neuen Datensatz ohne Labels öffnen',
      find: 'Objekte in diesen Gesichtsfeldern finden',
    },
    help: (classifier: string) => ({
      import: 'Er kann dann Bilder vorhersagen.',
      conditions: 'Für die Anteile nach Proben dieser Vorhersage.',
      'find-table':
        'Browser verraten nicht, in welchem Ordner eine Tabelle liegt. Wählen Sie sie dort, damit coverslip ihre Bilder findet.',
      show: `Mit ${classifier}. coverslip behält das Bild nicht.`,
      predict: `Mit ${classifier}. Das Ergebnis ist eine Tabelle mit einer Klasse und Wahrscheinlichkeiten für jedes Bild.`,
      evaluate: 'Als externes Testset: Unterordner oder eine Tabelle geben die wahren Klassen an.',
      add: 'Als eigene Domäne. Labels, die Sie vergeben haben, bleiben erhalten.',
      labeled: 'Unterordner oder eine Tabelle geben die Klassen an. Damit können Sie trainieren.',
      unlabeled: 'Damit können Sie die Bilder ansehen und labeln.',
      find: 'Für Bilder mit je mehreren Zellen. Jedes Objekt wird ein Bild eines neuen Datensatzes.',
    }),
  },
  upload: {
    drop: 'Bilder, einen Ordner oder eine ZIP-Datei hier ablegen',
    or: 'oder wählen',
    files: 'Dateien …',
    folder: 'Ein Ordner …',
    archive: 'Eine ZIP-Datei …',
    copied: 'coverslip kopiert die Dateien in seinen Ordner auf diesem Computer.',
    sending: 'Bilder werden kopiert',
    failed: (n) =>
      plural(n, {
        one: `${count(n)} Datei konnte nicht kopiert werden. Alle anderen Dateien wurden kopiert.`,
        other: `${count(n)} Dateien konnten nicht kopiert werden. Alle anderen Dateien wurden kopiert.`,
      }),
    all: 'Keine Datei konnte kopiert werden.',
    nothing: 'Der Ordner oder die ZIP-Datei enthielt keine Dateien.',
    skip: 'Ohne diese Dateien fortfahren',
    retryFiles: 'Diese Dateien erneut kopieren',
    withoutLabels: 'Ohne Labels öffnen',
    ignoreTable: 'Tabelle ignorieren',
    named: (now) => `Bilder vom ${date(now)}`,
  },
  existing: {
    title: (name) => `Diese Bilder sind bereits als Datensatz „${name}“ geöffnet.`,
    text: (nImages, nLabeled, nChanged) =>
      plural(nImages, {
        one: `${count(nImages)} Bild, ${count(nLabeled)} mit Label`,
        other: `${count(nImages)} Bilder, ${count(nLabeled)} mit Label`,
      }) +
      (nChanged === 0
        ? '.'
        : `, davon ${count(nChanged)} mit einem Label aus der App. Ein zweiter Datensatz hätte diese Labels nicht.`),
    useExisting: 'Diesen Datensatz verwenden',
    openAsNew: 'Als neuen Datensatz öffnen',
  },
  add: {
    labeled: 'Bilder mit Labels öffnen',
    plain: 'Bilder öffnen',
    way: 'Ort der Bilder',
    folder: 'Auf diesem Computer',
    upload: 'Dateien hochladen',
    labels: 'Klassen',
    fromFolders: 'Aus Unterordnern oder einer Tabelle',
    noLabels: 'Noch keine: Ich vergebe die Labels in der App',
    severalFolders: 'Diesen Ordner zu einer Liste hinzufügen',
    openTogether: (n) =>
      n > 1 ? plural(n, { other: `${count(n)} Ordner als einen Datensatz öffnen` }) : 'Diesen Ordner öffnen',
    tablesIgnored: (names) =>
      `„Diesen Ordner verwenden“ liest die Tabellen in diesem Ordner nicht (${names}). Um Spalten wie Patient oder Objektträger als Gruppen zu verwenden, wählen Sie „Diese Tabelle verwenden“.`,
    readOnly: 'coverslip liest Ihren Ordner nur. Es schreibt nie hinein.',
  },
  inProject: {
    toProjects: 'Projekte',
    viewer: 'Sie sind Betrachter in diesem Projekt: Sie können alles ansehen, aber nichts ändern.',
    annotator: 'Sie sind Annotator in diesem Projekt: Sie können Labels vergeben und Bilder korrigieren.',
  },
  scores: {
    uses: { care: 'mit Vorsicht', unknown: 'Nutzen nicht bekannt', no: 'nicht verwenden' },
    rules: {
      'chosen threshold': {
        text: 'gewählte Schwelle',
        help: 'Klassen werden mit einer Entscheidungsschwelle vorhergesagt, die auf Validierungsbildern gewählt wurde. Vergleichen Sie dieses Ergebnis nur mit Ergebnissen derselben Entscheidungsregel.',
      },
      'threshold set by hand': {
        text: 'Schwelle von Hand festgelegt',
        help: 'Eine Person hat die Entscheidungsschwelle festgelegt. Wenn sie die Testergebnisse kannte, ist das Ergebnis zu hoch.',
      },
    },
    withoutGroups: {
      text: 'ohne Gruppen',
      help: 'Es wurden keine Gruppen angegeben. Wenn mehrere Bilder von einem Patienten oder Objektträger stammen, ist das Ergebnis wahrscheinlich zu hoch.',
    },
    relabeled: (n) => ({
      text: plural(n, {
        one: `Label von ${count(n)} Testbild geändert`,
        other: `Labels von ${count(n)} Testbildern geändert`,
      }),
      help: 'Labels von falsch klassifizierten Testbildern wurden korrigiert, daher ist das Ergebnis vielleicht zu hoch. Der Bericht zeigt die Genauigkeit mit den früheren Labels.',
    }),
  },
};

function stepText(done: string, nLeft: number): string {
  if (!nLeft) return done;
  const left = plural(nLeft, {
    one: `${count(nLeft)} Bild wurde seitdem wieder geändert und bleibt, wie es ist.`,
    other: `${count(nLeft)} Bilder wurden seitdem wieder geändert und bleiben, wie sie sind.`,
  });
  return `${done} ${left}`;
}
