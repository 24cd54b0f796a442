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

  presets: {
    title: 'Voreinstellung',
    choices: {
      'first-look': {
        title: 'Erster Eindruck',
        text: 'Trainiert nur die letzte Schicht eines vortrainierten Netzes, mit kleineren Bildern. Zeigt, wie gut sich die Klassen unterscheiden lassen.',
      },
      good: {
        title: 'Gut',
        text: 'Trainiert nur die letzte Schicht eines vortrainierten Netzes (Sofort-Klassifikator).',
      },
      best: {
        title: 'Bestes Ergebnis',
        text: 'Zeigt zuerst den Sofort-Klassifikator und trainiert dann das ganze Netz mit Ihren Bildern (Feinabstimmung).',
      },
    },
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
  reset: 'Auf die Standardwerte zurücksetzen',
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
    title: 'Testset',
    tested: (nGroups, nOthers) =>
      `Testset, das das Training nie sieht: ${nGroups ? counts.groupsAndOthers(nGroups, nOthers) : counts.images(nOthers)}`,
    testedInFolds: (n) => `Testset: alle ${count(n)} Bilder, jedes für ein Netz, das es nie gesehen hat`,
    strip: (n, reason) => `${counts.images(n)}, ${reason}`,
    reasons: {
      earlier: 'auch im früheren Training getestet',
      predefined: 'im Datensatz dem Testset zugeordnet',
      connected: 'über die Gruppe oder als Duplikat mit einem zugeordneten Testbild verbunden',
      domain: 'aus der Domäne, die dieser Fold auslässt',
      related: 'zufällig ausgewählt, zusammen mit Fast-Duplikaten oder verbundenen Gruppen',
      group: 'zufällig ausgewählt, als ganze Gruppe',
      single: 'zufällig ausgewählt',
    },
    others: (n) => `${count(n)} weitere anzeigen`,
    notListed: (n) => `Testbilder in weiteren Gruppen: ${count(n)}.`,
    fewer: 'Weniger anzeigen',
    share: (nTested, n) => `${counts.testImages(nTested)} von ${count(n)}.`,
    shareOfFold: (nTested, n) => `Im ersten Fold: ${counts.testImages(nTested)} von ${count(n)}.`,
    later:
      'Die Aufteilung erscheint, sobald alle Bilder gelesen sind und mindestens zwei Klassen Bilder haben.',
    sets: { train: 'Training', val: 'Validierung', test: 'Test', class: 'Klasse' },
    caption: 'Bilder jeder Klasse in jedem Set',
    folds: (n) =>
      `${counts.folds(n)}: Jedes Bild ist einmal Testbild, für ein Netz, das weder mit ihm noch mit seiner Gruppe trainiert wurde. Angezeigt ist der erste Fold.`,
    single: 'Alle Bilder einer Gruppe und alle Fast-Duplikate bleiben auf einer Seite der Aufteilung.',
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
    run: 'Ein trainierter Klassifikator',
    train_on: 'Vortraining mit einem anderen Datensatz',
    of: (name) => `Ein trainierter Klassifikator: ${name}`,
    on: (name) => `Vortraining mit einem anderen Datensatz: ${name}`,
  },
  expert: {
    title: 'Experteneinstellungen',
    find: 'Einstellung suchen',
    keys: (n) => plural(n, { one: `${count(n)} Einstellung`, other: `${count(n)} Einstellungen` }),
    before: (value) => `Standardwert: ${value}`,
  },
  sets: {
    title: 'Datenaugmentierung',
    names: { default: 'Standard', none: 'Keine', stain: 'Gefärbte Bilder', chromosomes: 'Chromosomen' },
    custom: 'eigene',
    customText: 'Durch einzelne Schlüssel des Rezepts festgelegt.',
  },
  recipe: {
    title: 'Rezept',
    recommended: 'Verwenden Sie die Standardwerte, oder laden Sie Einstellungen aus',
    load: 'Rezeptdatei …',
    earlier: 'Früheres Training',
    ofPublication: 'Veröffentlichung',
    loadedRecipe: (title) =>
      `Die Einstellungen von ${title} sind geladen. Nur eine Studie verwendet auch die Aufteilungen und alle Netze der Veröffentlichung.`,
    loaded: (name) => `Die Einstellungen von ${name} sind geladen.`,
    isWrong: 'Der Text des Rezepts ist nicht gültig.',
    differences: 'Einstellungen, die von den Standardwerten abweichen',
    none: 'Alle Einstellungen haben ihre Standardwerte.',
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
    add: 'Hinzufügen',
    addTo: (title) => `„${title}“ zum Rezept hinzufügen`,
    line: (n) => `Zeile ${n}:`,
  },
};
