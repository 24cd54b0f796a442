import type { JoinCounts } from '../../api/predictions';
import type { Texts } from '../en';
import { count, percentageUpTo, plural } from '../language';
import { micrometers, score } from '../numbers';
import { counts } from './counts';
import { fields } from './fields';
import { dative } from './dative';
import { imageChanges } from './results';

/** Consequences of adding corrections to a dataset, besides new images and labels. */
function sideEffects(numbers: JoinCounts): (string | false)[] {
  const { n_same_label, n_conflicting, n_duplicates, n_unreadable } = numbers;
  return [
    n_same_label > 0 &&
      plural(n_same_label, {
        one: `${count(n_same_label)} Bild des Datensatzes hat das korrigierte oder bestätigte Label bereits.`,
        other: `${count(n_same_label)} Bilder des Datensatzes haben das korrigierte oder bestätigte Label bereits.`,
      }),
    n_conflicting > 0 &&
      plural(n_conflicting, {
        one: `${count(n_conflicting)} korrigiertes oder bestätigtes Bild hat Duplikate mit einem anderen Label. Trainings schließen sie alle aus. Korrigieren Sie auch die Labels der Duplikate im Datensatz.`,
        other: `${count(n_conflicting)} korrigierte oder bestätigte Bilder haben Duplikate mit einem anderen Label. Trainings schließen sie alle aus. Korrigieren Sie auch die Labels der Duplikate im Datensatz.`,
      }),
    n_duplicates > 0 &&
      plural(n_duplicates, {
        one: `Das Label von ${count(n_duplicates)} Bild wird nicht verwendet, weil der Datensatz dasselbe Bild unter einem anderen Namen hat. Wenn sein Label dort falsch ist, korrigieren Sie es im Datensatz.`,
        other: `Die Labels von ${count(n_duplicates)} Bildern werden nicht verwendet, weil der Datensatz dieselben Bilder unter anderen Namen hat. Wenn ihre Labels dort falsch sind, korrigieren Sie sie im Datensatz.`,
      }),
    n_unreadable > 0 &&
      plural(n_unreadable, {
        one: `${count(n_unreadable)} Bild wird nicht hinzugefügt, weil die Datei nicht lesbar ist.`,
        other: `${count(n_unreadable)} Bilder werden nicht hinzugefügt, weil die Dateien nicht lesbar sind.`,
      }),
  ];
}

const range = (ends: readonly number[]): string => [...new Set(ends)].map(count).join('–');
const BITS = { uint8: '8\u00a0Bit', uint16: '16\u00a0Bit', float32: '32\u00a0Bit Gleitkomma' };

const isText = (sentence: string | false): sentence is string => sentence !== false;

export const predict: Texts['predict'] = {
  title: 'Neue Bilder klassifizieren',
  intro:
    'Wählen Sie einen Klassifikator und Bilder. Wenn die Vorhersage fertig ist, können Sie die vorhergesagten Klassen korrigieren.',
  classifier: 'Klassifikator',
  none: {
    title: 'Noch kein Klassifikator',
    text: 'Trainieren Sie einen Klassifikator mit Bildern mit Label, oder importieren Sie eine .coverslip-Datei einer anderen Person.',
    action: 'Klassifikator trainieren',
  },
  gone: {
    title: 'Dieser Klassifikator ist nicht mehr verfügbar',
    text: 'Der Klassifikator wurde aus coverslip entfernt. Wählen Sie einen anderen Klassifikator.',
  },
  import: 'Eine .coverslip-Datei importieren',
  importing: 'Die Datei wird gelesen …',
  isReady: (name) => `${name} ist bereit.`,
  imported: 'aus einer Datei importiert',
  card: {
    title: 'Klassifikator',
    link: 'Steckbrief',
    linkOf: (name) => `Steckbrief von ${name}`,
    kind: (isImported) => (isImported ? 'Importierter Klassifikator' : 'Trainierter Klassifikator'),
    training: 'Training öffnen',
    predict: 'Bilder klassifizieren',
    about: 'Über diesen Klassifikator',
    notFor: 'Nicht verwenden für:',
    metrics: 'Metriken auf Testbildern',
    testedOn: ({ n, n_groups, n_ungrouped, split }, isImported, nTested) =>
      `Gemessen${isImported ? ' von seinem Autor' : ''} auf ${dative.images(n)}${n_groups === null ? '' : ` (${counts.groupsAndOthers(n_groups, n_ungrouped)})`}${
        split === 'out-of-fold' ? ' mit Kreuzvalidierung' : ''
      }. ${
        split === 'out-of-fold'
          ? 'Jedes Bild wurde von einem Netz vorhergesagt, das nicht mit ihm trainiert wurde; dieser Klassifikator ist mit allen trainiert.'
          : `${nTested === null ? 'Der Klassifikator' : `Der getestete Klassifikator, der mit ${dative.images(nTested)} trainiert wurde,`} wurde nicht mit diesen Bildern trainiert.`
      } Auf anderen Bildern können die Ergebnisse andere sein.`,
    withoutMetrics:
      'Diese Datei enthält keine Metriken. Evaluieren Sie den Klassifikator auf Bildern mit Label, bevor Sie sich auf seine Vorhersagen verlassen.',
    factsOf: (card) => [
      ['Netz', `${card.model}, ${count(card.n_parameters)} Parameter`],
      ['Klassen', card.classes.join(', ')],
      [
        card.n_tested === null ? 'Trainiert und validiert mit' : 'Trainiert mit',
        `${dative.images(card.n_images)}${card.n_groups === null ? '' : ` (${counts.groupsAndOthers(card.n_groups, card.n_ungrouped)})`}`,
      ],
      [
        'Größe dieser Bilder',
        `${range(card.width_px)} × ${range(card.height_px)}\u00a0px, ${card.dtypes.map((each) => BITS[each]).join(' oder ')}, ${card.channels.join(' oder ')} ${card.channels.join() === '1' ? 'Kanal' : 'Kanäle'}`,
      ],
      ...card.channel_names.map((names): [string, string] => [
        'Kanäle, in dieser Reihenfolge',
        names.join(', '),
      ]),
      ['Pixelgröße', card.pixel_side_um === null ? 'unbekannt' : micrometers(card.pixel_side_um)],
      ['Eingabe des Netzes', `${card.image_size} × ${card.image_size}\u00a0px (${card.resize})`],
      [
        'Entscheidungsschwelle',
        card.thresholds === null
          ? 'keine: Vorhergesagt wird die wahrscheinlichste Klasse'
          : Object.entries(card.thresholds)
              .map(([name, value]) => `${name} ${score(value)}`)
              .join('; '),
      ],
      [
        'Unsicher',
        card.uncertain_below
          ? `wenn die Wahrscheinlichkeit unter ${score(card.uncertain_below)} liegt`
          : 'nicht markiert',
      ],
      [
        'Ungewohnt',
        card.detects_unfamiliar
          ? 'Bilder, die von den Trainingsbildern abweichen, werden markiert'
          : 'nicht markiert',
      ],
    ],
  },
  stage: { instant: 'Sofort-Klassifikator', finetune: 'feinabgestimmt' },
  classes: counts.classes,
  unfinished:
    'Training nicht abgeschlossen: Dieser Klassifikator hat keine Testergebnisse und markiert keine ungewohnten Bilder (out-of-distribution). Schließen Sie sein Training zuerst ab, oder setzen Sie es fort.',
  ofStudies: (n) => `${counts.classifiers(n)} aus Studien`,
  images: 'Bilder',
  folder: 'Ein Ordner auf diesem Rechner (nicht kopiert) …',
  orDataset: 'oder ein Datensatz in coverslip',
  choose: 'Wählen …',
  nImages: counts.images,
  selected: (name) => `Gewählt: ${name}`,
  reading: 'coverslip liest diese Bilder. Die Vorhersage startet, wenn sie gelesen sind.',
  prevalence: {
    title: 'Erwartete Klassenanteile (Prävalenz)',
    help: 'Wenn Klassen in diesen Bildern seltener oder häufiger sind als im Training, geben Sie ihre Anteile ein. coverslip passt die Wahrscheinlichkeiten und die vorhergesagten Klassen an. Leere Felder teilen sich den Rest wie im Training. Die Anpassung gilt nur, wenn die Bilder jeder Klasse denen des Trainings ähneln.',
    of: (name) => `${name}, % dieser Bilder`,
    stated: (shares) => `Vorhersagen setzen diese Klassenanteile voraus: ${shares}.`,
    share: (name, share) => `${name} ${percentageUpTo(share, 1)}`,
  },
  rescale: (um) => `Auf ${micrometers(um)} pro Pixel skalieren, wie im Training`,
  rescaleHelp:
    'Verwenden Sie dies, wenn die Bilder mit einem anderen Objektiv aufgenommen wurden. Nur Bilder mit bekannter Pixelgröße werden skaliert. Ohne Skalierung nennt ein Hinweis die Anzahl der Bilder mit anderer Pixelgröße.',
  start: 'Klassifizieren',
  starting: 'Wird gestartet …',
  earlier: 'Frühere Vorhersagen',
  columns: {
    name: 'Bilder',
    classifier: 'Klassifikator',
    state: 'Status',
    n: 'Anzahl',
    created: 'Gestartet',
  },
  remove: 'Löschen',
  removeNamed: (name) => `Vorhersagen für ${name} löschen`,
  removed: (name) => `Die Vorhersagen für ${name} sind im Papierkorb.`,

  removeClassifier: (name) => `Klassifikator ${name} löschen`,
  classifierRemoved: (name) =>
    `Der Klassifikator ${name} ist im Papierkorb. Seine Vorhersagen bleiben erhalten.`,

  back: 'Vorhersage',
  with: 'mit',
  progress: 'Wird klassifiziert',
  stop: 'Anhalten',
  resume: 'Fortsetzen',
  search: 'Dateiname enthält',
  csv: 'CSV herunterladen',
  download: {
    open: 'Optionen des Downloads',
    title: 'Vorhersagen herunterladen',
    format: 'Format',
    formats: {
      csv: 'CSV, für Tabellenkalkulationen, R und Python',
      jsonl: 'JSON Lines, für Programme: ein JSON-Objekt für jedes Bild',
    },
    probabilities: 'Wahrscheinlichkeiten',
    all: (n) => `Wahrscheinlichkeiten aller ${n} Klassen`,
    top: 'Nur die wahrscheinlichsten Klassen',
    topK: 'Anzahl der Klassen',
    topHelp:
      'Spalten: top_1, top_1_probability, top_2, … Die Anteile nach Proben brauchen die Wahrscheinlichkeiten aller Klassen.',
    invalid: (n) => `Geben Sie eine Anzahl von 1 bis ${n} Klassen ein.`,
    objects: 'Tabelle der Objekte herunterladen (CSV): Umrisse und Größen',
    action: 'Herunterladen',
  },
  samples: {
    link: 'Anteile nach Proben',
    titleOf: (name) => `Anteile · ${name}`,
    toPrediction: 'Vorhersage',
    csv: 'Tabelle herunterladen (CSV)',
    prism: 'Für Prism herunterladen (CSV)',
    report: 'Bericht herunterladen (HTML)',
    by: 'Eine Probe ist',
    byFolder: (n) => `Ordner (${count(n)})`,
    byColumn: (name, n) => `${name} (${count(n)})`,
    byField: (n) => `Gesichtsfeld (${count(n)})`,
    byPattern: 'Teil des Pfads …',
    pattern: 'Muster (regulärer Ausdruck)',
    apply: 'Anwenden',
    class: 'Klasse',
    ofClass: (name) => `Anteil von ${name}`,
    proportion: 'Anteil',
    withoutCondition: 'keine Bedingung',
    correctedKey: 'Probe: um Fehler des Klassifikators korrigiert, mit 95-%-Konfidenzintervall',
    countedKey: 'Probe: gezählter Anteil',
    correctedValue: 'Um Fehler des Klassifikators korrigiert',
    meanKey: (isCorrected, hasInterval) =>
      `Mittelwert der Proben${isCorrected ? ', korrigiert' : ''}${hasInterval ? ', mit seinem 95-%-Konfidenzintervall' : ''}`,
    notCorrected:
      'Die Anteile sind nicht korrigiert, weil es hier von diesem Klassifikator keine Vorhersagen für Testbilder gibt: Er wurde importiert, oder sein Training wurde gelöscht oder ist nicht abgeschlossen. Gezählte Vorhersagen sind durch seine Fehler verzerrt.',
    counted: (areObjects, n, nUncertain, nUnfamiliar, nUnreadable) =>
      `Gezählt: ${areObjects ? fields.objects(n) : counts.images(n)}${nUncertain + nUnfamiliar ? `, davon ${count(nUncertain)} unsicher und ${count(nUnfamiliar)} ungewohnt, die für jede Klasse mit ihren Wahrscheinlichkeiten zählen` : ''}. Nicht gezählt: ${count(nUnreadable)} nicht lesbar.`,
    repeated: (areObjects, n) =>
      plural(n, {
        one: `${count(n)} Zeile nennt ein ${counts.unit(areObjects).one} noch einmal. Es zählt einmal.`,
        other: `${count(n)} Zeilen nennen ${counts.unit(areObjects).many} noch einmal. Jedes ${counts.unit(areObjects).one} zählt einmal.`,
      }),
    excluded: (areObjects, n) =>
      plural(n, {
        one: `${count(n)} ${counts.unit(areObjects).one}, das als ausgeschlossen markiert ist, wird nicht gezählt.`,
        other: `${count(n)} ${counts.unit(areObjects).many}, die als ausgeschlossen markiert sind, werden nicht gezählt.`,
      }),
    unmatched: (areObjects, n) =>
      plural(n, {
        one: `${count(n)} ${counts.unit(areObjects).one} gehört zu keiner Probe und wird nicht gezählt.`,
        other: `${count(n)} ${counts.unit(areObjects).many} gehören zu keiner Probe und werden nicht gezählt.`,
      }),
    control: 'Verglichen wird',
    controlHelp:
      'Mit einer Kontrolle wird jede andere Bedingung nur mit ihr verglichen, und p-Werte sind für weniger Vergleiche adjustiert.',
    eachTwo: 'jede Bedingung mit jeder',
    samples: 'Proben',
    sample: 'Probe',
    condition: 'Bedingung',
    conditions: 'Bedingungen',
    conditionOf: (sample) => `Bedingung von ${sample}`,
    block: 'Block',
    saving: 'Wird gespeichert …',
    saved: 'Gespeichert.',
    addBlocks: 'Blöcke hinzufügen',
    blockOf: (sample) => `Block von ${sample}`,
    useFolders: 'Namen der Ordner als Bedingungen verwenden',
    useColumn: (name) => `Bedingungen aus der Spalte ${name}`,
    table: 'Tabelle der Bedingungen …',
    tableRead: (n, unknown) =>
      plural(n, {
        one: `${count(n)} Probe hat die Bedingung der Tabelle.`,
        other: `${count(n)} Proben haben die Bedingungen der Tabelle.`,
      }) +
      (unknown.length
        ? ` Nicht unter den Proben: ${unknown.slice(0, 5).join(', ')}${unknown.length > 5 ? ' …' : ''}`
        : ''),
    moveHere: 'Hierher verschieben',
    newCondition: 'Neue Bedingung …',
    numbered: (n) => `Bedingung ${n}`,
    conditionHelp:
      'Ziehen Sie Proben zu einer Bedingung, oder wählen Sie Proben und drücken Sie „Hierher verschieben“. Ein Vergleich braucht mindestens drei Proben je Bedingung.',
    nameOf: (condition) => `Name der Bedingung ${condition}`,
    noValue: (isCounted, reason) => `${isCounted ? 'nicht korrigiert' : 'kein Wert'}: ${reason}`,
    assumption: 'Was die Korrektur voraussetzt',
    unknownKey:
      'ohne Balken oder Band: kein Intervall oder eines breiter als 0,8, das nur in den Tabellen steht',
    trust: 'Ist darauf Verlass?',
    corrections: (areObjects, n) => {
      const { one, many } = counts.unit(areObjects);
      const corrected = n === 1 ? `Ein ${one} wurde` : `${count(n)} ${many} wurden`;
      return `${corrected} korrigiert oder bestätigt. Anteile gelten für die Vorhersagen: Labels ausgewählter ${many} würden sie verfälschen.`;
    },
    check: (areObjects) => `Prüfen: zufällige ${counts.unit(areObjects).many} labeln`,
    tableHelp: 'Zählungen, Anteile und Felder für Bedingungen und Blöcke',
    blockHelp:
      'Wenn Proben von mehreren Tagen oder Chargen sind oder Patienten mehrere Proben haben, geben Sie den Tag, die Charge oder den Patienten als Block ein. Bedingungen werden dann innerhalb der Blöcke verglichen.',
    clear: 'Alle Bedingungen entfernen',
    n: (areObjects) => (areObjects ? 'Objekte' : 'Bilder'),
    across: (hasConditions, areObjects) =>
      hasConditions ? 'Bedingung (n: Proben)' : `Probe (n: ${counts.unit(areObjects).many})`,
    decided: 'Als Klasse entschieden',
    raw: 'Gezählter Anteil',
    interval: '95-%-KI des Anteils',
    corrected: 'Korrigiert ± Standard\u00ADfehler',
    computing: 'Anteile werden berechnet …',
    startAgain: 'Neu beginnen',
    reset: (file) =>
      `Ordner sind die Proben. Die früheren Proben und Bedingungen stehen in der Datei ${file} der Vorhersage.`,
  },
  spotCheck: {
    link: 'Stichprobe',
    title: 'Stichprobe',
    result: 'Ergebnis',
    intro: (areObjects) =>
      `Geben Sie einigen zufällig gezogenen ${counts.unit(areObjects).many}n Labels, ohne deren Vorhersagen zu sehen. Die Labels zeigen, ob der Klassifikator auf diesen ${counts.unit(areObjects).many}n funktioniert und wie groß der Anteil jeder Klasse ist.`,
    csv: 'Labels herunterladen (CSV)',
    remove: 'Stichprobe entfernen',
    n: (areObjects) => `${counts.unit(areObjects).many} je Bedingung`,
    sampling: (areObjects, by, column, nConditions) =>
      `Eine Probe ist ${{ folder: 'ein Ordner', field: 'ein Gesichtsfeld', column: `ein Wert von ${column}`, pattern: 'ein Teil des Dateipfads' }[by]}. ${
        nConditions
          ? `${plural(nConditions, { one: `${count(nConditions)} Probe hat`, other: `${count(nConditions)} Proben haben` })} eine Bedingung.`
          : 'Keine Probe hat eine Bedingung.'
      } Die ${counts.unit(areObjects).many} werden gleichmäßig auf die Proben einer Bedingung verteilt.`,
    changeSampling: 'Proben und Bedingungen ändern',
    needed: 'Anzahl der Labels für ein Intervall',
    width: 'Halbe Breite des 95-%-Konfidenzintervalls in Prozentpunkten',
    of: 'Genauigkeit oder Anteil von',
    accuracy: 'Genauigkeit',
    expected: 'Erwartet',
    alone: 'Nur Labels',
    both: 'Labels und Vorhersagen',
    moreThanAll: 'mehr als alle Bilder',
    neededHelp:
      'In jeder Bedingung, mit den Unterschieden zwischen ihren Proben, die die Vorhersagen zeigen. Wenn selbst alle Labels nicht reichen, sind mehr Proben nötig.',
    incomplete: (areObjects) =>
      `Nicht alle gezogenen ${counts.unit(areObjects).many} haben ein Label. Das Ergebnis gilt nur, wenn Sie nicht seinetwegen aufgehört haben.`,
    counts: (areObjects, n, drawn, excluded) =>
      `${count(n)} von ${count(drawn)} gezogenen ${plural(drawn, { one: counts.unit(areObjects).one, other: `${counts.unit(areObjects).many}n` })} mit Label, ${count(excluded)} ausgeschlossen.`,
    condition: 'Bedingung',
    corrections: 'Korrekturen',
    correctionsHelp: (areObjects) =>
      `Die Labels können zu Korrekturen dieser Vorhersage werden: um damit die Tabelle zu korrigieren oder zu trainieren. Ausschlüsse werden nicht übernommen, und ${counts.unit(areObjects).many}, die Sie schon korrigiert haben, behalten ihre Korrekturen. Die Zahlen oben ändern sich nicht. Wenn Sie mit diesen ${counts.unit(areObjects).many}n trainieren, ist diese Stichprobe kein unabhängiger Test des neuen Klassifikators: Ziehen Sie eine neue aus einer neuen Vorhersage.`,
    apply: 'Labels als Korrekturen übernehmen',
    applied: (n, nBefore) =>
      `${plural(n, { one: `${count(n)} Label ist jetzt eine Korrektur`, other: `${count(n)} Labels sind jetzt Korrekturen` })}${
        nBefore
          ? `; ${plural(nBefore, { one: `${count(nBefore)} frühere Korrektur wurde beibehalten`, other: `${count(nBefore)} frühere Korrekturen wurden beibehalten` })}`
          : ''
      }.`,
    nApplied: (n) =>
      plural(n, {
        one: `${count(n)} Label ist übernommen`,
        other: `${count(n)} Labels sind übernommen`,
      }),
    undoApplied: 'Diese Korrekturen entfernen',
  },
  blind: {
    label: () => 'Labels vergeben',
    progress: (areObjects) => `${counts.unit(areObjects).many} mit Label`,
    image: (areObjects, n, total) => `${counts.unit(areObjects).one} ${count(n)} von ${count(total)}`,
    previous: 'Zurück',
    next: 'Weiter',
    failed: (areObjects) => `Dieses ${counts.unit(areObjects).one} kann nicht angezeigt werden.`,
    failedToExclude: (areObjects) =>
      `Dieses ${counts.unit(areObjects).one} kann nicht angezeigt werden. Markieren Sie es als unbrauchbar.`,
    reader: 'Befunder',
    saveReader: 'Namen speichern',
    readsAsUser: (name) => `Sie vergeben Labels als ${name}.`,
    readsAs: (name) =>
      `Dieser Browser vergibt Labels als ${name}. Der Name wird mit jedem Label gespeichert.`,
    drawMore: (areObjects) => `Weitere ${counts.unit(areObjects).many} ziehen`,
    draw: (areObjects) => `${counts.unit(areObjects).many} ziehen`,
    removeHelp: (areObjects) =>
      `Die gezogenen ${counts.unit(areObjects).many} und alle ihre Labels werden endgültig entfernt. Labels aus Entscheidungen und Korrekturen bleiben erhalten.`,
    labelHelp:
      'Labels werden sofort gespeichert; Sie können später weitermachen. Frühere Labels, Vorhersagen und Dateinamen sind verborgen, damit sie Sie nicht beeinflussen.',
    keyList: [
      ['1–9, a–z', 'Label mit der Klasse dieser Taste geben'],
      [',', 'Ausschließen: zeigt keine der Klassen'],
      ['.', 'Ausschließen: unbrauchbar'],
      ['← →', 'Vorheriges oder nächstes Bild'],
      ['Rücktaste', 'Label entfernen'],
      ['?', 'Tasten anzeigen'],
    ],
    keys: {
      title: 'Tasten',
      note: 'Jede Taste gibt dem Bild ein Label und zeigt das nächste Bild ohne Label.',
    },
  },
  use: 'Korrekturen zum Trainingsset hinzufügen und neu trainieren',
  useHelp:
    'Fügt die korrigierten und bestätigten Bilder zum Datensatz des Trainings hinzu und startet dann ein neues Training.',
  using: {
    counts: (n) =>
      plural(n, {
        one: `${count(n)} Bild mit korrigierter oder bestätigter Klasse wird zum Datensatz hinzugefügt.`,
        other: `${count(n)} Bilder mit korrigierter oder bestätigter Klasse werden zum Datensatz hinzugefügt.`,
      }),
    consequences: (numbers) => {
      const { n_new, n_withdrawn, n_relabeled } = numbers;
      return [
        n_new
          ? plural(n_new, {
              one: `${count(n_new)} neues Bild wird zum Datensatz hinzugefügt.`,
              other: `${count(n_new)} neue Bilder werden zum Datensatz hinzugefügt.`,
            })
          : 'Kein neues Bild wird zum Datensatz hinzugefügt.',
        n_withdrawn > 0 &&
          plural(n_withdrawn, {
            one: `${count(n_withdrawn)} früher hinzugefügtes Bild wird aus dem Datensatz entfernt, weil Sie seine Korrektur entfernt haben.`,
            other: `${count(n_withdrawn)} früher hinzugefügte Bilder werden aus dem Datensatz entfernt, weil Sie ihre Korrekturen entfernt haben.`,
          }),
        n_relabeled > 0 &&
          plural(n_relabeled, {
            one: `${count(n_relabeled)} Bild des Datensatzes erhält ein anderes Label.`,
            other: `${count(n_relabeled)} Bilder des Datensatzes erhalten ein anderes Label.`,
          }),
        ...sideEffects(numbers),
      ].filter(isText);
    },
    excluded: (n) =>
      plural(n, {
        one: `${count(n)} Bild mit der Markierung „Keine dieser Klassen“ oder „Unbrauchbar“ wird nicht hinzugefügt.`,
        other: `${count(n)} Bilder mit der Markierung „Keine dieser Klassen“ oder „Unbrauchbar“ werden nicht hinzugefügt.`,
      }),
    nothing: 'Kein Bild hat eine korrigierte oder bestätigte Klasse, daher gibt es nichts hinzuzufügen.',
    target: (name, n) => `Datensatz: ${name}, ${counts.images(n)}`,
    retrainText: (name) =>
      `Das neue Training verwendet die Einstellungen und das Testset von „${name}“, damit Sie die beiden vergleichen können. Hinzugefügte Bilder kommen nur ins Trainingsset. Dateien werden nicht verschoben.`,
    retrainFolds: (name) =>
      `Das neue Training verwendet die Einstellungen von „${name}“. Bei Kreuzvalidierung sind hinzugefügte Bilder auch Testbilder. Dateien werden nicht verschoben.`,
    domain: (name) =>
      `Die hinzugefügten Bilder bilden die neue Domäne „${name}“, weil neue Bilder oft von einem anderen Tag oder Mikroskop stammen. Ergebnisse werden für jede Domäne berichtet.`,
    noColumn: (column, n) =>
      plural(n, {
        one: `Gruppen sind durch die Spalte „${column}“ festgelegt, die für ${count(n)} hinzugefügtes Bild keinen Wert hat.`,
        other: `Gruppen sind durch die Spalte „${column}“ festgelegt, die für ${count(n)} hinzugefügte Bilder keinen Wert hat.`,
      }),
    noMatch: (pattern, n) =>
      plural(n, {
        one: `Gruppen sind durch das Muster „${pattern}“ festgelegt, das nicht auf den Pfad von ${count(n)} hinzugefügten Bild passt.`,
        other: `Gruppen sind durch das Muster „${pattern}“ festgelegt, das nicht auf die Pfade von ${count(n)} hinzugefügten Bildern passt.`,
      }),
    ungrouped:
      'coverslip kann nicht feststellen, ob diese Bilder zur selben Gruppe (wie einem Patienten) gehören wie Testbilder. Wenn ja, sind die Metriken zu hoch.',
    matched: (groups) =>
      `Gruppen hinzugefügter Bilder: ${groups.slice(0, 6).join(', ')}${groups.length > 6 ? ', …' : ''}`,
    retrain: 'Hinzufügen und neu trainieren',
    reading: 'Hinzugefügte Bilder werden gelesen',
    otherDataset: 'Bilder stattdessen zu einem anderen Datensatz hinzufügen',
    noTraining:
      'Das Training dieses Klassifikators ist nicht in dieser App, weil es gelöscht oder der Klassifikator importiert wurde. Wählen Sie einen Datensatz für die Bilder.',
    dataset: 'Datensatz',
    newDataset: 'Ein neuer Datensatz',
    newDatasetText:
      'Legt einen Datensatz an, dessen Labels Ihre Korrekturen sind. Die Klassen behalten ihre Tasten.',
    joinText:
      'Die Bilder werden zu einer weiteren Quelle dieses Datensatzes. Dateien werden nicht verschoben, und Bilder, die der Datensatz schon hat, werden nicht doppelt hinzugefügt. Um die Bilder später zu entfernen, wählen Sie auf der Seite des Datensatzes „Ordner hinzufügen, umbenennen oder entfernen“.',
    create: 'Datensatz anlegen',
    join: 'Zum Datensatz hinzufügen',
    joined: (name, numbers) => {
      const { n_new, n_withdrawn, n_relabeled } = numbers;
      return [
        n_new
          ? plural(n_new, {
              one: `${count(n_new)} neues Bild wurde zu „${name}“ hinzugefügt.`,
              other: `${count(n_new)} neue Bilder wurden zu „${name}“ hinzugefügt.`,
            })
          : `Kein neues Bild wurde zu „${name}“ hinzugefügt.`,
        n_withdrawn > 0 &&
          plural(n_withdrawn, {
            one: `${count(n_withdrawn)} früher hinzugefügtes Bild wurde aus dem Datensatz entfernt.`,
            other: `${count(n_withdrawn)} früher hinzugefügte Bilder wurden aus dem Datensatz entfernt.`,
          }),
        n_relabeled > 0 &&
          plural(n_relabeled, {
            one: `${count(n_relabeled)} Bild dieses Datensatzes hat ein anderes Label erhalten.`,
            other: `${count(n_relabeled)} Bilder dieses Datensatzes haben ein anderes Label erhalten.`,
          }),
        ...sideEffects(numbers),
      ]
        .filter(isText)
        .join(' ');
    },
    changes: (run, changes) =>
      `Insgesamt, verglichen mit den Bildern von „${run}“: ${imageChanges(changes) || 'kein Unterschied'}.`,
  },
  toDataset: 'Korrigierte Labels im Datensatz',
  toDatasetHelp: 'coverslip speichert Ihre Korrekturen als Labels im Datensatz dieser Bilder.',
  created: 'Aus Ihren Korrekturen wurde ein Datensatz angelegt.',
  show: (areObjects) => (areObjects ? 'Objekte anzeigen' : 'Bilder anzeigen'),
  predictedAs: 'Entscheidung des Klassifikators',
  all: (areObjects) => (areObjects ? 'Alle Objekte' : 'Alle Bilder'),
  review: 'Zu prüfen',
  corrected: 'Geprüft',
  excludedImages: 'Ausgeschlossen',
  excludedImagesHelp: (areObjects) =>
    `Diese ${counts.unit(areObjects).many} wurden von Hand ausgeschlossen. Sie zählen nicht bei den Anteilen.`,
  warned: 'Mit Warnung',
  warning: 'Warnung',
  uncertain: 'Unsicher',
  unfamiliar: 'Ungewohnt',
  unreadable: 'Nicht lesbar',
  decisions: { uncertain: 'unsicher', unfamiliar: 'ungewohnt', unreadable: 'nicht lesbar' },
  reviewHelp: (uncertainBelow) =>
    `Hier trifft der Klassifikator keine Entscheidung: Was hier steht, ist ungewohnt oder nicht lesbar${uncertainBelow === null ? '' : `, oder die Wahrscheinlichkeit der vorhergesagten Klasse liegt unter ${uncertainBelow}`}. Die Liste mit allen ist nach Wahrscheinlichkeit sortiert, die niedrigste zuerst.`,
  reviewLeft: (n) =>
    `Noch ${count(n)} zu prüfen. Was geprüft ist, bleibt hier, bis Sie diese Liste erneut öffnen.`,
  thresholds: {
    share: (name, threshold) => `„${name}“ ${threshold}`,
    two: (both) => `Entscheidungsschwellen: ${both}.`,
    many: 'Jede Klasse hat eine Entscheidungsschwelle. Vorhergesagt wird die Klasse, deren Wahrscheinlichkeit ihre Schwelle am weitesten übersteigt.',
    earlier:
      'Die Entscheidungsschwelle des Klassifikators wurde nach dieser Vorhersage geändert. Diese Ergebnisse verwenden die frühere Schwelle. Um die neue Schwelle anzuwenden, klassifizieren Sie die Bilder noch einmal.',
    mark: 'frühere Schwelle',
  },
  warnedHelp: (areObjects) =>
    `Diese ${counts.unit(areObjects).many} unterscheiden sich von allen Trainingsbildern des Klassifikators oder wurden in seinem Training verwendet. Prüfen Sie sie, bevor Sie sich auf ihre Vorhersagen verlassen.`,
  unfamiliarHelp: (areObjects) =>
    `Diese ${counts.unit(areObjects).many} sind out-of-distribution (OOD): Ihre Merkmale sind im Trainingsset selten oder fehlen. Mögliche Gründe sind eine andere Größe, eine andere Färbung, ein anderes Gerät oder ein Objekt, das zu keiner der Klassen gehört. Verlassen Sie sich nicht auf ihre vorhergesagten Klassen. Auch einige Prozent der ${counts.unit(areObjects).many}, die dem Trainingsset ähneln, werden als ungewohnt markiert. Eine unbekannte Klasse, die einer bekannten ähnelt, wird oft nicht markiert.`,
  set: 'Vorhersagemenge',
  setHelp:
    'Die Klassen, die für das Bild plausibel sind. Wenn Bilder denen des Trainings ähneln, enthält die Vorhersagemenge bei 90\u00a0% der Bilder jeder Klasse die wahre Klasse. Jede Klasse hat ihren eigenen Schwellenwert: Eine weniger wahrscheinliche Klasse kann in der Menge sein und eine wahrscheinlichere nicht.',
  nothing: (areObjects) => `Keine passenden ${counts.unit(areObjects).many}.`,
  nothingYet: 'Die ersten Ergebnisse erscheinen in Kürze.',
  queued: 'Wartet in der Warteschlange.',
  reviewDone: (areObjects) => `Alle ${counts.unit(areObjects).many}, die zu prüfen waren, sind geprüft.`,
  predictedImages: 'Klassifizierte Bilder',
  form: 'Ansicht',
  gallery: 'Galerie',
  list: 'Liste',
  correctSelected: 'Auswahl korrigieren',
  selectFirst:
    'Nichts ist ausgewählt. Klicken Sie auf ein Bild oder ein Objekt, oder verwenden Sie die Pfeiltasten.',
  notCorrected: 'keine Korrektur',
  otherClass: (name, isOfClassifier) =>
    `Kein Label vergeben: ${isOfClassifier ? 'Der Klassifikator' : 'Der Datensatz'} hat die Klasse ${name} nicht.`,
  excluded: { 'none-of-these': 'Keine dieser Klassen', unusable: 'Unbrauchbar' },
  excludedHelp:
    'Schließt die Auswahl vom Training aus. coverslip speichert dies in der Tabelle der Vorhersagen. Sie können es rückgängig machen.',
  marks: { corrected: 'korrigiert', confirmed: 'bestätigt', excluded: 'ausgeschlossen' },
  sort: 'Sortieren nach',
  sorts: {
    position: 'Reihenfolge der Dateien',
    probability: 'Wahrscheinlichkeit, niedrigste zuerst',
    '-probability': 'Wahrscheinlichkeit, höchste zuerst',
  },
  keys: {
    title: 'Tasten',
    note: 'Einzelne Tasten wirken nur, wenn die Liste der Bilder oder die Bildansicht den Fokus hat. Die Liste hat den Fokus, wenn sie geöffnet wird. Um ihr den Fokus wiederzugeben, drücken Sie eine Pfeiltaste.',
    list: [
      [
        '1 – 9, 0, a – z',
        'vorhergesagte Klasse zur Klasse dieser Taste ändern; „Weiter zum nächsten“ wählt das nächste Bild',
      ],
      [',', 'keine dieser Klassen: Bild vom Training ausschließen'],
      ['.', 'unbrauchbares Bild: vom Training ausschließen'],
      ['Entf oder Rücktaste', 'Korrektur entfernen'],
      ['Pfeile, Pos1, Ende', 'anderes Bild wählen; in der Bildansicht: nächstes oder vorheriges Bild öffnen'],
      ['Klick', 'Bild auswählen'],
      ['Eingabetaste, Doppelklick', 'Bild öffnen'],
      ['+  −  Pos1', 'in der Bildansicht: vergrößern, verkleinern, an Fenster anpassen'],
      ['Umschalt + Pfeile', 'in der Bildansicht: Bild verschieben'],
      ['Strg + Z, Strg + Umschalt + Z', 'Korrektur rückgängig machen oder wiederholen'],
      ['?', 'diese Liste anzeigen'],
    ],
  },
  correct: (name) => `${name} korrigieren`,
  removeCorrection: 'Korrektur entfernen',
  predictedClass: (name) => `vorhergesagt als ${name}`,
  stopped: 'Angehalten. Die bisherigen Vorhersagen sind gespeichert.',
};
