import type { Texts } from '../en';
import { count, plural } from '../language';
import { counts } from './counts';
import { leakage } from './remedies';

export const train: Texts['train'] = {
  title: 'Klassifikator trainieren',
  intro: 'Wählen Sie einen Datensatz und starten Sie. Alle anderen Einstellungen haben Standardwerte.',
  dataset: 'Datensatz',
  chooseDataset: 'Datensatz für das Training',
  noImages: {
    title: 'Noch kein Datensatz mit Labels',
    text: 'Öffnen Sie einen Ordner mit einem Unterordner pro Klasse, eine Tabelle oder Bilder, denen Sie in der App Labels geben.',
    action: 'Bilder hinzufügen',
  },
  reading:
    'coverslip liest diese Bilder noch. Sie können das Training starten, sobald alle Bilder gelesen sind.',
  facts: (nLabeled, nClasses) =>
    plural(nLabeled, {
      one: `Im Datensatz: ${count(nLabeled)} Bild mit Label, ${counts.classes(nClasses)}`,
      other: `Im Datensatz: ${count(nLabeled)} Bilder mit Label, ${counts.classes(nClasses)}`,
    }),
  groups: counts.groups,
  groupedBy: (by) => `gruppiert nach „${by}“`,
  noGroups: 'keine Gruppen',
  noGroupsAdvice:
    'Wenn mehrere Bilder von einem Patienten, einem Objektträger oder einem Well stammen, legen Sie zuerst Gruppen fest. Sonst fallen die Ergebnisse durch ein Datenleck zu gut aus.',
  defineGroups: 'Gruppen festlegen',
  groupBy: 'Gruppieren nach',
  tooFew: 'Mindestens zwei Klassen müssen Bilder haben.',
  openImages: 'Bilder ansehen',

  model: 'Netz',
  recommended: 'empfohlen',
  finding: {
    study: (name) => `In Ihrer Studie „${name}“`,
    mean: (of, mean) =>
      (of.way === null ? '' : `, Protokoll „${of.way}“`) +
      `: ${of.metric_title} ${mean}` +
      (of.regime === null ? '' : `, Anfangsgewichte: ${of.regime}`) +
      ` (${counts.splits(of.n_splits)}` +
      (of.train_per_class === null
        ? ')'
        : `, höchstens ${plural(of.train_per_class, {
            one: `${count(of.train_per_class)} Trainingsbild`,
            other: `${count(of.train_per_class)} Trainingsbilder`,
          })} pro Klasse)`),
    isBaseline: ' (die Baseline der Studie).',
    comparedWith: (name, verdict) => `; verglichen mit ${name}: ${verdict}.`,
  },
  otherModels: 'Anderes Netz wählen',
  modelOptions: 'Optionen dieses Netzes',
  modelsLabel: 'Liste der Netze',
  columns: {
    name: 'Netz',
    size: 'Parameter',
    cost: 'Operationen pro Bild',
    hand: 'Vortrainierte Gewichte',
    advice: 'Empfehlung',
  },
  parameters: (n) => `${n} Parameter`,
  macs: (n) => `${n} Multiply-Add-Operationen pro Bild`,
  side: (px) => `Eingabe von ${count(px)} × ${count(px)} Pixeln`,
  weights: {
    here: () => 'Gewichte auf diesem Rechner',
    download: (size) =>
      `Gewichte werden bei der ersten Verwendung heruntergeladen (etwa ${size}, braucht Internet)`,
    import: () => 'Gewichte müssen aus einer Datei importiert werden',
    none: () => 'keine vortrainierten Gewichte; das Training beginnt mit zufälligen Gewichten',
  },
  paperFilter: {
    label: 'Veröffentlichung',
    all: 'Alle Veröffentlichungen',
  },
  weightsFilter: {
    label: 'Vortrainierte Gewichte',
    all: 'Alle Netze',
    here: 'Gewichte auf diesem Rechner',
    download: 'Wird bei der ersten Verwendung heruntergeladen',
    import: 'Aus einer Datei importiert',
    none: 'Keine vortrainierten Gewichte',
  },
  nNetworks: counts.networks,
  filter: 'Netz suchen',

  more: 'Weitere Einstellungen',
  moreText: 'Alle Einstellungen haben Standardwerte.',

  presets: {
    title: 'Voreinstellung',
    choices: {
      'first-look': {
        title: 'Erster Eindruck',
        text: 'Sofort-Klassifikator auf Bildern mit halber Seitenlänge. Zeigt, wie gut sich die Klassen unterscheiden lassen.',
      },
      good: { title: 'Gut', text: 'Sofort-Klassifikator auf Bildern in voller Größe.' },
      best: {
        title: 'Bestes Ergebnis',
        text: 'Zeigt zuerst den Sofort-Klassifikator und trainiert dann das ganze Netz mit Ihren Bildern (Feinabstimmung).',
      },
    },
    time: (time) => `Etwa ${time}.`,
    measuring: 'Die Geschwindigkeit dieses Rechners wird gemessen …',
  },
  time: {
    about: (time) => `Etwa ${time} auf diesem Rechner.`,
    trainings: (n) => `${counts.trainings(n)} nacheinander: ${counts.folds(n - 1)}, dann alle Bilder.`,
    pretraining: 'Das Vortraining ist nicht enthalten.',
  },
  name: 'Name des Trainings',
  start: 'Training starten',
  starting: 'Startet …',
  changes: (n) =>
    plural(n, {
      one: `${count(n)} Einstellung weicht von den Standardwerten ab`,
      other: `${count(n)} Einstellungen weichen von den Standardwerten ab`,
    }),
  reset: 'Auf die Standardwerte zurücksetzen',
  nChanged: (n) => plural(n, { one: `${count(n)} geändert`, other: `${count(n)} geändert` }),
  resetField: (title) => `„${title}“ auf den Standardwert zurücksetzen`,
  leakage,
  unlabeled: {
    title: 'Diese Bilder haben noch keine Labels',
    text: 'Geben Sie Bildern von mindestens zwei Klassen Labels, und kehren Sie dann zu dieser Seite zurück.',
    action: 'Labels vergeben',
  },
  gone: {
    title: 'Dieser Datensatz ist nicht mehr verfügbar',
    text: 'Der Datensatz wurde aus coverslip entfernt. Wählen Sie einen anderen Datensatz.',
  },
  otherDataset: 'Mit einem anderen Datensatz trainieren',
  ownThreshold: (name) =>
    `Die Entscheidungsschwelle von ${name} wurde nach dem Training für dessen Klassifikator gewählt und wird deshalb nicht übernommen. Wählen Sie nach diesem Training eine Schwelle in seinen Ergebnissen unter „Belege“.`,
  leakageHelp: 'Durch ein Datenleck fallen die Ergebnisse zu gut aus. Der Bericht enthält eine Warnung.',

  split: {
    title: 'Aufteilung',
    later:
      'Die Aufteilung erscheint, sobald alle Bilder gelesen sind und mindestens zwei Klassen Bilder haben.',
    sets: { train: 'Training', val: 'Validierung', test: 'Test', class: 'Klasse' },
    caption: 'Bilder jeder Klasse in jedem Set',
    folds: (n) =>
      `${counts.folds(n)}: Jedes Bild ist einmal Testbild, für ein Netz, das nicht mit ihm trainiert wurde. Angezeigt ist der erste Fold.`,
    single: 'Einzelne Aufteilung:',
    keep: (name) => `Aufteilung von ${name} beibehalten`,
    keepHelp:
      'Ihre Testbilder bleiben Testbilder, damit Sie die beiden Trainings vergleichen können. Neue Bilder kommen in das Trainingsset.',
    sum: counts.split,
    used: (of) =>
      `In diesem Training verwendet: ${counts.images(of.n)}, ${counts.classes(of.n_classes)}${
        of.n_groups ? ` (${counts.groupsAndOthers(of.n_groups, of.n_ungrouped)})` : ''
      }.`,
    excluded: (n) => `Ausgeschlossen: ${counts.images(n)}.`,
    working: 'Aufteilung wird berechnet …',
  },
  init: {
    legend: 'Anfangsgewichte',
    imagenet: {
      title: 'ImageNet',
      text: 'Gewichte, die mit einer Million Fotos vortrainiert sind, mit Merkmalen wie Kanten und Texturen. Der Standardwert.',
    },
    scratch: {
      title: 'Zufällige Gewichte',
      text: 'Ein untrainiertes Netz. Es braucht viel mehr Bilder und Epochen und hat keinen Sofort-Klassifikator.',
    },
    run: {
      title: 'Ein trainierter Klassifikator',
      text: 'Gewichte eines Klassifikators mit derselben Architektur. Seine Trainingsbilder dürfen keine Testbilder dieses Trainings sein.',
      which: 'Klassifikator für die Anfangsgewichte',
      none: 'Es gibt noch keinen trainierten Klassifikator.',
    },
    train_on: {
      title: 'Vortraining mit einem anderen Datensatz',
      text: 'coverslip trainiert das Netz zuerst mit einem anderen Datensatz und dessen aktuellen Labels, dann mit diesem Datensatz.',
      which: 'Datensatz für das Vortraining',
      none: 'Es gibt keinen anderen Datensatz mit Labels.',
      unknown: 'Dieser Datensatz ist nicht in Ihrer Liste. Wählen Sie einen anderen Datensatz.',
      recipe: 'Einstellungen des Vortrainings',
      recipeHelp:
        'Zeilen eines Rezepts, zum Beispiel „epochs: 20“. Wenn das Feld leer ist, gelten die Einstellungen dieses Trainings.',
    },
    labels: {
      title: 'Klassen mit verschiedenen Namen in den beiden Datensätzen',
      text: 'Wenn das Vortraining alle Klassen dieses Datensatzes hat, evaluiert coverslip auch dessen Klassifikator auf den Validierungsbildern und behält den besseren.',
      source: 'Klasse im Datensatz des Vortrainings',
      target: 'Klasse in diesem Datensatz',
    },
    unlisted: (path) => `${path} (nicht in der Liste)`,
  },
  classesHelp:
    'Diese Einstellungen gelten nur für dieses Training. Ohne Änderung gelten die Klassen und Gruppen des Datensatzes.',
  sets: {
    title: 'Vorlage',
    custom: 'eigene',
    customText: 'Eine Vorlage setzt alle Stärken unten. Danach können Sie jede einzeln ändern.',
  },
  recipe: {
    title: 'Rezept',
    begin: 'Einstellungen',
    show: 'Einstellungen als Rezeptdatei',
    help: 'Abweichungen von den Standardwerten; bearbeiten, speichern oder wiederverwenden',
    recommended: 'Verwenden Sie die Standardwerte, oder laden Sie Einstellungen aus',
    load: 'Rezeptdatei …',
    earlier: 'Früheres Training',
    ofPublication: 'Veröffentlichung',
    loadedRecipe: (title) =>
      `Die Einstellungen von ${title} sind geladen. Nur eine Studie verwendet auch die Aufteilungen und alle Netze der Veröffentlichung.`,
    loaded: (name) => `Die Einstellungen von ${name} sind geladen.`,
    isWrong: 'Der Text des Rezepts ist nicht gültig.',
    differences: 'Einstellungen, die von den Standardwerten abweichen',
    setting: 'Einstellung',
    value: 'Wert',
    default: 'Standardwert',
    none: 'Alle Einstellungen haben ihre Standardwerte.',
    notInFile: '(nicht in der Rezeptdatei)',
    download: 'Als recipe.yaml speichern',
    text: 'Rezept (YAML)',
    nothing: 'nichts',
    yes: 'ja',
    no: 'nein',
  },
  augment: {
    show: 'Vorschau der Datenaugmentierung',
    refresh: 'Vorschau erneuern',
    computing: 'Wird berechnet …',
    alt: 'Beispiele Ihrer Bilder: vorverarbeitet in der ersten Spalte, mit Datenaugmentierung in den anderen Spalten',
    help: 'Die erste Spalte zeigt vorverarbeitete Bilder, die anderen Spalten zufällige Augmentierungen. Wenn die augmentierten Bilder für Ihr Mikroskop nicht realistisch sind oder ihre Klassen nicht mehr erkennbar sind, verringern Sie die Augmentierung.',
  },
  balance: {
    help: 'Bilder pro Klasse:',
    even: 'Die Klassen sind ausgewogen. Sie können den Standardwert beibehalten.',
    uneven: (ratio) =>
      `Die größte Klasse hat ${ratio}-mal so viele Bilder wie die kleinste. Erwägen Sie ein höheres Gewicht für Fehler bei seltenen Klassen.`,
    images: 'Bilder',
  },
  field: {
    isWrong: (title) => `„${title}“ ist nicht gültig.`,
    auto: 'automatisch',
    number: 'eine Zahl:',
    name: 'Name',
    add: 'Hinzufügen',
    addTo: (label) => `Zu „${label}“ hinzufügen`,
    remove: (name) => `${name} entfernen`,
    oldName: 'Alter Name',
    newName: 'Neuer Name',
    mergedInto: (name) => `Mit ${name} zusammengeführte Klassen`,
    otherOptions:
      'Meist leer. Optionen der Bibliothek des Netzes (timm oder torchvision), als Zeilen „Name: Wert“',
    noSuchOption: (names) => `Dieses Netz hat keine Option ${names}.`,
    noOptions: 'Dieses Netz hat keine Optionen.',
    removeUnknown: 'Diese Optionen entfernen',
    asText: 'Als Zeilen eines Rezepts bearbeiten',
    line: (n) => `Zeile ${n}:`,
    key: (key) => `im Rezept: ${key}`,
    range: (low, high) => `${low} bis ${high}`,
    atLeast: (low) => `${low} oder mehr`,
    atMost: (high) => `bis ${high}`,
  },
};
