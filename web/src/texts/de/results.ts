import type { ImageChanges } from '../../api/runs';
import type { results as english } from '../en/results';
import { count, plural, upTo } from '../language';
import { number, percent } from '../numbers';
import { counts } from './counts';
import { dative } from './dative';

const ofTest = (n: number) => (n ? ` (${counts.testImages(n)})` : '');

export function imageChanges(changes: ImageChanges): string {
  const { n_added, n_relabeled, n_relabeled_test, n_removed, n_removed_test } = changes;
  return [
    n_added > 0 &&
      plural(n_added, {
        one: `${count(n_added)} Bild mit Label hinzugefügt`,
        other: `${count(n_added)} Bilder mit Label hinzugefügt`,
      }),
    n_relabeled > 0 &&
      plural(n_relabeled, {
        one: `${count(n_relabeled)} Label korrigiert`,
        other: `${count(n_relabeled)} Labels korrigiert`,
      }) + ofTest(n_relabeled_test),
    n_removed > 0 &&
      plural(n_removed, {
        one: `${count(n_removed)} Bild ausgeschlossen oder entfernt`,
        other: `${count(n_removed)} Bilder ausgeschlossen oder entfernt`,
      }) + ofTest(n_removed_test),
  ]
    .filter(Boolean)
    .join(', ');
}

function concernOnlyTestImages(changes: ImageChanges): boolean {
  const { n_added, n_relabeled, n_relabeled_test, n_removed, n_removed_test } = changes;
  return n_added === 0 && n_relabeled === n_relabeled_test && n_removed === n_removed_test;
}

const testedByFolds = (isSame: boolean) =>
  `Testergebnisse werden auf den Folds berechnet${isSame ? '' : ', bei jedem Fold mit einer Schwelle, die auf seinen Validierungsbildern gewählt wurde'}. Sie weichen von den Werten hier ab, weil die Vorhersagen von anderen Netzen stammen. Berichten Sie die Testergebnisse.`;

export const results: typeof english = {
  results: {
    tabs: { result: 'Ergebnis', images: 'Bilder', trust: 'Belege', use: 'Einsatz' },
    parts: {
      evaluations: 'Externe Testsets',
      metrics: 'Metriken pro Klasse und Fold',
      calibration: 'Kalibrierung',
      curves: 'ROC- und PR-Kurven',
      data: 'Daten und Aufteilung',
      threshold: 'Entscheidungsschwelle',
      training: 'Verlauf des Trainings',
    },
    tabsLabel: 'Ergebnisse',
    predict: 'Neue Bilder klassifizieren',
    trainAgain: 'Mit anderen Einstellungen trainieren',
    nextStep: {
      title: 'Nächster Schritt',
      actions: {
        adapt: 'An Bilder von dort anpassen',
        'check-labels': 'Vermutete Labelfehler prüfen',
        'choose-threshold': 'Andere Schwelle wählen',
        'test-more': 'Mit anderen Bildern testen',
        inspect: 'Nach Abkürzungen suchen',
        'label-more': 'Mehr Bilder labeln',
        'name-groups': 'Gruppen festlegen',
        'train-there': 'Bilder zum Datensatz hinzufügen',
        'train-without-leakage': 'Mit anderer Aufteilung trainieren',
      },
      trainOnBoth: (name) => `Auch auf ${name} trainieren`,
      trainOnBothHelp:
        'Fügt dessen Ordner zum Datensatz dieses Trainings hinzu. Sie sind dann kein externes Testset mehr.',
      fewTested: (n, total) =>
        `${count(n)} der ${count(total)} zufälligen Testbilder haben ein Label, daher ist das Ergebnis ungenau. Geben Sie weiteren ein Label und trainieren Sie wieder.`,
      labelTested: 'Testbildern Labels geben',
      crossValidate: 'Kreuzvalidierung mit 5 Teilen (bis zu 6-mal so lange)',
    },
    report: 'Bericht öffnen',
    download: 'Herunterladen',
    downloads: {
      report: 'Bericht (HTML)',
      predictions: 'Vorhersagen (CSV)',
      'confusion-matrix': 'Konfusionsmatrix (CSV)',
      'model-card': 'Model Card, für eine Publikation (Markdown)',
      classifier: 'Klassifikator (.coverslip)',
      run: 'Trainingsordner (ZIP)',
      recipe: 'Rezept (YAML)',
    },
    verdicts: {
      noEvaluation: 'Dieser Klassifikator wurde noch nicht auf einem externen Testset evaluiert.',
      evaluations: (n, title, low, high, internal) =>
        `${title} auf ${dative.testSets(n)}: ${low === high ? low : `${low} bis ${high}`}. Auf dem Testset des Trainings: ${internal}.`,
    },
    warnings: (n) =>
      n
        ? plural(n, {
            one: `Beim Training gab es ${count(n)} Warnung.`,
            other: `Beim Training gab es ${count(n)} Warnungen.`,
          })
        : 'Beim Training gab es keine Warnung.',
    sections: {
      image: 'Bild',
      label: 'Label',
      predicted: 'Vorhergesagt',
      probability: 'Wahrscheinlichkeit',
    },
    figureFiles: { title: 'Diese Abbildung herunterladen:', svg: 'SVG', png: 'PNG', csv: 'Daten (CSV)' },
    keyMetrics: 'Wichtigste Metriken',
    keyMetricsAtHome: 'Wichtigste Metriken für Bilder aus dem Labor des Trainings',
    metric: 'Metrik',
    value: 'Wert',
    intervalColumn: '95-%-KI',
    plot: 'Wert und KI',
    primary: 'Hauptmetrik',
    limits: 'Einschränkungen',
    notes: (n) => plural(n, { one: `${count(n)} Hinweis`, other: `${count(n)} Hinweise` }),
    confusion: {
      title: 'Konfusionsmatrix',
      atHome: 'Konfusionsmatrix im Labor des Trainings',
      external: (name) => `Externes Testset: ${name}`,
      adapted: (n) => `Im anderen Labor: ${plural(n, { one: '1 Label', other: `${count(n)} Labels` })}`,
      helpAdapted:
        'Labels des Labors, an das der Klassifikator angepasst wurde, jedes durch Kreuzvalidierung vorhergesagt, ohne es zu verwenden. Wahre Klasse in Zeilen, in der Reihenfolge des Testsets; vorhergesagte Klasse in Spalten.',
      help: 'Wahre Klasse in Zeilen, niedrigste Sensitivität zuerst; vorhergesagte Klasse in Spalten. Eine Zelle öffnet ihre Bilder. Mit den Pfeiltasten wechseln Sie zwischen den Zellen.',
      helpLike:
        'Wahre Klasse in Zeilen, in der Reihenfolge des Testsets; vorhergesagte Klasse in Spalten. Eine Zelle öffnet ihre Bilder. Mit den Pfeiltasten wechseln Sie zwischen den Zellen.',
      whole: (n, most) =>
        `Alle ${counts.classes(n)} anzeigen, nicht nur die ${count(most)} mit den meisten Verwechslungen`,
      true: 'wahre Klasse',
      predicted: 'vorhergesagte Klasse',
      cell: (label, predicted, n, share) =>
        `${label} als ${predicted} vorhergesagt: ${counts.images(n)}, ${share} der Zeile`,
      total: 'Bilder',
    },
    threshold: {
      title: 'Entscheidungsschwelle',
      help: (positive, n, nNegative, images, tested) =>
        `Für ein Bild wird „${positive}“ vorhergesagt, wenn die Wahrscheinlichkeit dieser Klasse die Schwelle erreicht oder übersteigt. Um Sensitivität und Spezifität einer anderen Schwelle zu sehen, verschieben Sie den Punkt auf der Kurve. Grundlage der Kurve: ${images} (${count(n)} von „${positive}“, ${count(nNegative)} der anderen Klasse). ${tested} Wenn Sie eine Schwelle festlegen, berechnet coverslip die Testergebnisse neu.`,
      chosenOn: {
        'validation images': {
          images: 'Validierungsbilder',
          predictedBy: '',
          tested: () => 'Testbilder werden für die Wahl der Schwelle nicht verwendet.',
        },
        'held-out training images': {
          images: 'Bilder aller Folds',
          predictedBy:
            ', jedes mit einer Vorhersage eines linearen Klassifikators auf Merkmalen, der nicht mit diesem Bild trainiert wurde',
          tested: testedByFolds,
        },
        "the folds' images": {
          images: 'Validierungsbilder aller Folds',
          predictedBy: ', jedes mit einer Vorhersage des Netzes seines Folds',
          tested: testedByFolds,
        },
      },
      figure: (images) => `ROC-Kurve (${images})`,
      across: 'Falsch-positiv-Rate (1 − Spezifität)',
      up: 'Sensitivität',
      slider: 'Schwelle (nach rechts höhere Sensitivität, nach links weniger falsch Positive)',
      values: (sensitivity, specificity) => `Sensitivität ${sensitivity}, Spezifität ${specificity}`,
      operatingPoint: (images) => `Gewählter Arbeitspunkt (${images}; nicht das Testergebnis)`,
      threshold: 'Schwelle',
      sensitivity: 'Sensitivität',
      specificity: 'Spezifität',
      withBound: (value, bound) => `${value} (mindestens ${bound})`,
      bounds: 'In Klammern: der Wert, den neue Bilder dieser Art mit 90 % Sicherheit erreichen.',
      ppv: 'Positiver prädiktiver Wert (PPV)',
      npv: 'Negativer prädiktiver Wert (NPV)',
      uncertainBelow: 'Unsicher unter einer Wahrscheinlichkeit von',
      noneUncertain: 'keine Vorhersage ist unsicher',
      switchesOff: (before) =>
        `Mit dieser Schwelle markiert coverslip keine Vorhersage wegen niedriger Wahrscheinlichkeit als unsicher. Mit der jetzigen Schwelle markiert es Vorhersagen unter ${before}. Auf den Bildern, auf denen die Schwelle gewählt wird, würde die Fehlerrate nicht sinken, wenn die unsichersten Vorhersagen markiert würden.`,
      prevalence: (positive) => `Erwarteter Anteil von „${positive}“ (Prävalenz)`,
      atPrevalence: (ppv, npv) =>
        `Bei dieser Prävalenz beträgt der PPV ${ppv} und der NPV ${npv}. Dies setzt voraus, dass die Bilder jeder Klasse den Bildern hier ähneln.`,
      inUse: (threshold, way) => `Jetzige Schwelle: ${threshold} (${way}).`,
      ways: {
        highest: () => 'Standard',
        roc: () => 'höchster Mittelwert von Sensitivität und Spezifität auf der ROC-Kurve',
        sensitivity: (target) => `gewählt für eine Sensitivität von mindestens ${target}`,
        specificity: (target) => `gewählt für eine Spezifität von mindestens ${target}`,
        threshold: () => 'von Hand festgelegt',
      },
      use: 'Diese Schwelle verwenden',
      useDefault: 'Standardschwelle verwenden',
      saving: 'Testergebnisse und Bericht werden neu berechnet …',
      done: 'Die neue Schwelle gilt, und die Testergebnisse sind neu berechnet.',
      doneWithoutUncertain:
        'Die neue Schwelle gilt, und die Testergebnisse sind neu berechnet. coverslip markiert keine Vorhersagen mehr wegen niedriger Wahrscheinlichkeit als unsicher.',
      uncertain: 'Unsichere Vorhersagen',
      noUncertain: 'coverslip markiert keine Vorhersage wegen niedriger Wahrscheinlichkeit als unsicher.',
      change:
        'Für eine andere Entscheidungsregel oder eine Ziel-Fehlerrate wählen Sie „Mit anderen Einstellungen trainieren“ und öffnen auf der Trainingsseite „Entscheidungsschwelle“.',
    },
    images: {
      nMisclassified: (n) => `${count(n)} falsch klassifiziert`,
      shows: {
        all: 'Alle Bilder',
        misclassified: 'Falsch klassifiziert',
        uncertain: 'Unsicher',
        unfamiliar: 'Ungewohnt',
        corrected: 'Korrigiert',
        suspected: 'Vermutete Labelfehler',
      },
      label: 'Label',
      probability: (share) => `Wahrscheinlichkeit ${share}`,
      anyClass: 'Alle Klassen',
      limitOfFold: 'Jeder Fold hat eine eigene Schwelle, unter der eine Vorhersage unsicher ist.',
      filterLabel: 'Wahre Klasse',
      filterPredicted: 'Vorhergesagte Klasse',
    },
    tryImage: {
      title: 'Bild ausprobieren',
      help: 'Ein Bild irgendwo ablegen, einfügen oder wählen. Es wird nicht gespeichert.',
    },
    details: {
      methods: 'Methoden, für eine Publikation',
      copy: 'Kopieren',
      copied: 'Kopiert',
      recipe: 'Rezept',
      notes: 'Hinweise',
      folder: 'Ordner',
    },
  },
  gallery: { none: 'Keine Bilder.' },
  picture: {
    label: 'Label',
    labelBefore: (label) => `evaluiert mit dem Label ${label}`,
    predicted: 'Vorhersage',
    facts: ({ label, correction, predicted, probability }) => [
      ...(label ? [`Label ${label}`] : []),
      ...(correction ? [`korrigiert: ${correction}`] : []),
      ...(predicted ? [`vorhergesagt als ${predicted}`, `Wahrscheinlichkeit ${percent(probability)}`] : []),
    ],
    probabilities: 'Wahrscheinlichkeiten',
    related: (n) =>
      plural(n, {
        one: `${count(n)} Duplikat oder Fast-Duplikat im Datensatz:`,
        other: `${count(n)} Duplikate oder Fast-Duplikate im Datensatz:`,
      }),
    path: 'Datei',
    group: 'Gruppe',
  },
  exports: {
    verdict: (n) =>
      n
        ? plural(n, {
            one: `${count(n)} Export für andere Programme stimmt mit dem Klassifikator überein.`,
            other: `${count(n)} Exporte für andere Programme stimmen mit dem Klassifikator überein.`,
          })
        : 'Es gibt noch keinen Export für andere Programme.',
    title: 'Export für andere Programme',
    intro:
      'coverslip öffnet jeden Export wieder und vergleicht ihn auf bis zu 300 Validierungsbildern mit dem Klassifikator. Wenn sie nicht übereinstimmen, wird der Export verworfen.',
    format: 'Format',
    formats: {
      onnx: {
        name: 'ONNX',
        help: 'Für die meisten Bildanalyseprogramme, mit einem Python-Skript, das Bilddateien klassifiziert.',
      },
      bioimageio: {
        name: 'BioImage.IO',
        help: 'Für Programme, die Modelle des BioImage Model Zoo lesen.',
      },
    },
    start: 'Exportieren',
    help: 'Hilfe zu den Formaten und ihrem Einsatz',
    list: 'Exporte',
    columns: {
      state: 'Status',
      verification: 'Übereinstimmung mit dem Klassifikator',
      size: 'Größe',
      created: 'Gestartet',
    },
    agreement: (n, share) => `Gleiche Entscheidung bei ${share} von ${n} Bildern`,
    difference: (sd) =>
      `Größte Abweichung eines Logits: ${sd < 1e-6 ? `weniger als ${upTo(0.000001, 6)}` : upTo(Number(sd.toPrecision(2)), 6)}\u00a0SD (Grenze ${upTo(0.001, 3)}\u00a0SD)`,
    drawn: 'Die Bilder des Trainings sind nicht verfügbar. Verglichen wurden gezeichnete Bilder.',
    files: (n) => `Das beigelegte Skript liest und klassifiziert ${counts.files(n)} ebenso.`,
    outdated:
      'Der Klassifikator hat sich seit diesem Export geändert, zum Beispiel seine Entscheidungsschwelle. Exportieren Sie ihn noch einmal.',
    working: 'Wird exportiert',
    download: 'ZIP herunterladen',
    downloadNamed: (name) => `ZIP des Exports ${name} herunterladen`,
    stop: 'Anhalten',
    restart: 'Neu starten',
    remove: 'Löschen',
    removeNamed: (name) => `Export ${name} löschen`,
    removed: (name) => `Der Export ${name} ist im Papierkorb.`,
    withCoverslip: {
      title: 'Einsatz in coverslip',
      text: 'Um den Klassifikator in coverslip auf einem anderen Rechner zu verwenden, laden Sie ihn herunter und importieren ihn dort auf der Seite „Vorhersage“. Die Datei enthält keine Bilder. Skripte können Bilder an diese App senden und erhalten Vorhersagen.',
      download: 'Klassifikator herunterladen (.coverslip)',
      script: 'Hilfe zum Einsatz aus einem Skript',
    },
  },
  adaptation: {
    open: 'An diese Bilder anpassen',
    unfamiliar:
      'Die meisten dieser Bilder sind dem Klassifikator unbekannt, etwa wie die eines anderen Labors.',
    title: 'An ein anderes Labor anpassen',
    explanation:
      'Ein neues Training kommt hinzu: Bilder beider Labore bekommen gleich große Objekte und dieselbe Färbung, und die letzte Schicht wird neu angepasst. Der erste Klassifikator bleibt, wie er ist.',
    dataset: 'Bilder des anderen Labors',
    labels: (n, areUsed) =>
      n === 0
        ? 'Keines davon hat ein Label einer Klasse des Klassifikators. Ohne Labels wird das Ergebnis nicht geprüft, und jede Entscheidung ist „unsicher“ oder „ungewohnt“. Geben Sie zuerst 20 Bildern Labels, mit denselben Namen der Klassen.'
        : !areUsed
          ? `Mit Label einer Klasse des Klassifikators: ${counts.images(n)}. Weniger als 10 oder Labels einer einzigen Klasse werden nicht verwendet: Das Ergebnis wird nicht geprüft, und jede Entscheidung ist „unsicher“ oder „ungewohnt“. Geben Sie 20 Bildern mehrerer Klassen Labels.`
          : `${counts.images(n)} davon haben ein Label einer Klasse des Klassifikators. Diese Labels wählen den Klassifikator und zeigen seine Genauigkeit dort.`,
    otherLabels: (n, names, areExcluded) =>
      plural(n, {
        one: `${count(n)} weiteres Bild wird ${areExcluded ? 'ausgeschlossen' : 'ohne sein Label verwendet, oder ausgeschlossen, wenn es „none-of-these“ oder „unusable“ ist'}, weil der Klassifikator seine Klasse nicht hat: ${names}.`,
        other: `${count(n)} weitere Bilder werden ${areExcluded ? 'ausgeschlossen' : 'ohne ihre Labels verwendet, oder ausgeschlossen, wenn sie „none-of-these“ oder „unusable“ sind'}, weil der Klassifikator ihre Klassen nicht hat: ${names}.`,
      }),
    label: 'Bilder labeln',
    matching: 'Wie Bilder angeglichen werden, wenn viele unbekannt sind',
    parts: { zoom: 'Größe der Objekte', stain: 'Färbung', invert: 'Hell und dunkel' },
    pictures: ['Ihre Trainingsbilder', 'Neue Bilder', 'Neue Bilder, wie der Klassifikator sie sieht'],
    searching: 'Objekte und Färbung werden gemessen …',
    matched: (zoom, hasFixedStain, isInverted) =>
      [
        Math.max(...zoom) > 1
          ? `Vergrößert: Trainingsbilder ${number(zoom[0]!)} ×, neue Bilder ${number(zoom[1]!)} ×.`
          : 'Kein Bild wird vergrößert.',
        hasFixedStain ? 'Alle Bilder bekommen dieselbe Färbung.' : 'Die Färbung wird nicht geändert.',
        isInverted ? 'Hell und dunkel werden in neuen Bildern vertauscht.' : '',
      ].join(' '),
    begin: 'Anpassen',
    nLabels: (n) =>
      `Labels für die Anpassung: ${count(n)}. Weniger als 10 werden nicht verwendet; besser sind 20.`,
    next: 'Klassifikator anpassen …',
    latest: 'Angepassten Klassifikator öffnen',
  },
  evaluations: {
    title: 'Externe Testsets',
    intro:
      'Die Ergebnisse des Trainings stammen aus demselben Datensatz wie die Trainingsbilder. Ein externes Testset von einem anderen Tag, einem anderen Objektträger oder aus einem anderen Labor zeigt, wie gut der Klassifikator generalisiert.',
    start: 'Auf einem externen Testset evaluieren …',
    dataset: 'Datensatz mit Labels',
    choose: 'Wählen …',
    name: 'Name',
    begin: 'Evaluieren',
    none: 'Noch keine Evaluation auf einem externen Testset.',
    noDatasets: 'Kein Datensatz hat Bilder der Klassen dieses Klassifikators.',
    usable: (name, n, all) =>
      n < all
        ? `${name}: ${count(n)} von ${dative.images(all)} mit Labels dieser Klassen`
        : `${name}: ${counts.images(all)}`,
    noLabels: 'kein Test möglich, da Labels fehlen',
    otherClasses: 'kein Test möglich, da die Labels andere Klassen haben',
    ofTraining: (dataset) => `${dataset}, Trainingsdatensatz`,
    toDatasets: 'Anderen Datensatz öffnen …',
    sharedClasses: (n, all) =>
      plural(n, {
        one: `${count(n)} von ${dative.images(all)} mit Label hat eine Klasse dieses Klassifikators.`,
        other: `${count(n)} von ${dative.images(all)} mit Label haben eine Klasse dieses Klassifikators.`,
      }),
    partlyLabeled: (n, all) =>
      plural(n, {
        one: `Nur ${count(n)} von ${dative.images(all)} hat ein Label. Wenn es sein Label bekam, weil der Klassifikator unsicher war, wie beim Prüfen von Vorhersagen, unterschätzen die Metriken die Leistung auf allen Bildern.`,
        other: `Nur ${count(n)} von ${dative.images(all)} haben ein Label. Wenn sie ihr Label bekamen, weil der Klassifikator unsicher war, wie beim Prüfen von Vorhersagen, unterschätzen die Metriken die Leistung auf allen Bildern.`,
      }),
    unknownClasses: (names) =>
      `Der Klassifikator hat diese Klassen nicht, daher werden ihre Bilder nicht evaluiert: ${names}.`,
    noSharedClass:
      'Der Klassifikator hat keine dieser Klassen. Benennen Sie die Klassen um, oder wählen Sie einen anderen Datensatz.',
    usedInTraining: (n) =>
      plural(n, {
        one: `${count(n)} dieser Bilder, eine andere Ebene davon oder ein Duplikat wurde zum Training dieses Klassifikators verwendet. Das Ergebnis auf solchen Bildern ist zu hoch.`,
        other: `${count(n)} dieser Bilder, andere Ebenen davon oder Duplikate wurden zum Training dieses Klassifikators verwendet. Ergebnisse auf solchen Bildern sind zu hoch.`,
      }),
    notUsedInTraining:
      'Keines dieser Bilder und kein Duplikat davon wurde zum Training dieses Klassifikators verwendet.',
    sameDataset:
      'Der Klassifikator wurde mit diesem Datensatz trainiert. Diese Evaluation zeigt nicht, wie gut er generalisiert.',
    columns: {
      name: 'Datensatz',
      state: 'Status',
      n: 'Bilder',
      headline: 'Ergebnis',
      created: 'Gestartet',
    },
    back: 'Ergebnisse des Trainings',
    of: 'Klassifikator von',
    csv: 'CSV herunterladen',
    remove: 'Löschen',
    removeNamed: (name) => `Evaluation auf ${name} löschen`,
    removed: (name) => `Die Evaluation auf ${name} ist im Papierkorb.`,
    stop: 'Anhalten',
    restart: 'Neu starten',
    waiting: 'Wartet in der Warteschlange.',
    working: 'Wird evaluiert',
    stopped: 'Angehalten, bevor es ein Ergebnis gab.',
    tabsLabel: 'Evaluation',
    compareWith: 'Mit einem anderen Klassifikator auf diesem Testset vergleichen',
    compare: 'Vergleichen',
  },
  labelErrors: {
    verdict: (n) => {
      const confirmed = plural(n.confirmed, {
        one: `${count(n.confirmed)} Label ist bestätigt.`,
        other: `${count(n.confirmed)} Labels sind bestätigt.`,
      });
      const relabeled = plural(n.relabeled, {
        one: `Darin ist ${count(n.relabeled)} Bild nicht enthalten, dessen Label Sie nach diesem Training geändert haben.`,
        other: `Darin sind ${count(n.relabeled)} Bilder nicht enthalten, deren Label Sie nach diesem Training geändert haben.`,
      });
      return [
        n.suspected
          ? plural(n.suspected, {
              one: `Prüfen Sie zuerst ${count(n.suspected)} von ${counts.labels(n.checked)}.`,
              other: `Prüfen Sie zuerst ${count(n.suspected)} von ${counts.labels(n.checked)}.`,
            })
          : `Bei keinem von ${counts.labels(n.checked)} wird ein Fehler vermutet.`,
        n.confirmed > 0 && confirmed,
        n.suspected > 0 &&
          'Diese Bilder ähneln einer anderen Klasse so sehr wie die Bilder jener Klasse. Wie viele ihrer Labels falsch sind, ist nicht bekannt, weil auch der Klassifikator Fehler macht.',
        `Klassifikatoren, die nicht mit dem jeweiligen Bild trainiert wurden, klassifizieren ${counts.images(n.misclassified)} des Datensatzes falsch.`,
        n.relabeled > 0 && relabeled,
      ]
        .filter(Boolean)
        .join(' ');
    },
    notComputed: 'Vermutete Labelfehler sind für dieses Training noch nicht berechnet.',
    details: 'Zahlen und Hinweise',
    questioned: 'Alle falsch klassifizierten Bilder des Datensatzes',
    help: 'Labels von Trainings-, Validierungs- und Testbildern, denen Klassifikatoren widersprechen, die nicht mit diesen Bildern trainiert wurden. Nicht alle diese Labels sind falsch: Wenn Klassen einander ähneln, sind viele dieser Bilder nur schwierig. Prüfen Sie jedes Bild, und korrigieren oder bestätigen Sie dann sein Label.',
    find: 'Labelfehler suchen',
    searching:
      'coverslip prüft alle Bilder. Das kann einige Minuten dauern. Sie können diese Seite verlassen.',
    confirmed: (n) => `Bestätigte Labels (${count(n)})`,
    notChecked: (n) =>
      plural(n, {
        one: `${count(n)} Bild konnte nicht geprüft werden.`,
        other: `${count(n)} Bilder konnten nicht geprüft werden.`,
      }),
    className: 'Klasse',
    images: 'Bilder',
    misclassified: 'Falsch klassifiziert (ganzer Datensatz)',
    tooFew: 'zu wenige Bilder',
    testImages:
      'Wenn Sie nur die vermuteten Labelfehler von Testbildern korrigieren, können spätere Ergebnisse zu hoch werden, weil falsche Labels bleiben, die mit dem Klassifikator übereinstimmen. Die Ergebnisse dieses Trainings ändern sich nicht. Für eine unverzerrte Korrektur prüfen Sie außerdem eine zufällige Stichprobe der Testbilder.',
  },
  retraining: {
    notAdapted: 'Das neue Training wird nicht an ein anderes Labor angepasst.',
    isWrong: (name) => `Label in „${name}“ ändern`,
    isRight: 'Label ist richtig',
    confirmed: 'Label bestätigt',
    notConfirmed: 'Label nicht mehr bestätigt',
    selectHelp:
      'Wählen Sie ein Bild, um die Begründung zu sehen und das Label zu prüfen. Ein Doppelklick vergrößert es.',
    correctLabel: 'Label korrigieren zu',
    savedIn: (dataset) =>
      `coverslip korrigiert das Label sofort im Datensatz „${dataset}“. Sie können auch die Tasten verwenden.`,
    corrected: (label) => `korrigiert: ${label}`,
    changed: (changes, hasFolds, isAdapted) =>
      `Änderungen nach ${isAdapted ? 'dem Training, das angepasst wurde' : 'diesem Training'}: ${imageChanges(changes)}.${concernOnlyTestImages(changes) && !hasFolds ? ' Die Änderungen betreffen nur Testbilder. Ein neues Training ändert das Testergebnis, aber nicht die Wahrscheinlichkeiten des getesteten Klassifikators. Eine Entscheidungsschwelle, die Sie gewählt haben, wird nicht in das neue Training übernommen.' : ''}`,
    changedSince: (run, changes) =>
      `Änderungen nach dem Training „${run}“: ${imageChanges(changes) || 'keine'}.`,
    ungrouped: (n) =>
      plural(n, {
        one: `${count(n)} hinzugefügtes Bild hat keine Gruppe. Wenn es zur selben Gruppe (wie einem Patienten) gehört wie Testbilder, sind die Metriken eines neuen Trainings zu hoch.`,
        other: `${count(n)} hinzugefügte Bilder haben keine Gruppe. Wenn sie zur selben Gruppe (wie einem Patienten) gehören wie Testbilder, sind die Metriken eines neuen Trainings zu hoch.`,
      }),
    start: 'Mit diesen Änderungen neu trainieren …',
    endings: {
      labels: 'Labels korrigiert',
      added: 'Bilder hinzugefügt',
      both: 'Labels korrigiert und Bilder hinzugefügt',
      images: 'Bilder geändert',
    },
    isDone: 'Ein neueres Training enthält diese Änderungen:',
    splitsAnew:
      'Dieses Training wiederholt ein früheres mit einer neuen Aufteilung. Wenn Sie Labels nach dessen Vorhersagen korrigiert haben, können die Ergebnisse zu hoch sein, weil falsche Labels, die zu einem Klassifikator passen, nicht gefunden werden.',
    keepsSplit:
      'Dieses Training behält die Aufteilung eines früheren Trainings bei, damit Sie die beiden vergleichen können.',
    keepsSplitOfDeleted:
      'Dieses Training behält die Aufteilung eines früheren Trainings bei. Die beiden können nicht verglichen werden, weil das frühere Training gelöscht wurde oder keine Ergebnisse hat.',
    compare: 'Mit dem früheren Training vergleichen',
  },
  comparing: {
    title: 'Trainings vergleichen',
    choose: 'Wählen Sie in der Liste zwei oder mehr Trainings aus, um sie zu vergleichen.',
    toList: 'Zur Liste der Trainings',
    conclusion: 'Schlussfolgerung',
    noConclusion:
      'Diese Trainings können nicht gemeinsam getestet werden, weil sich ihre Testbilder, Labels oder Klassen unterscheiden.',
    working: 'Vergleich wird berechnet …',
    changed: {
      title: (first, second) => `Bilder, die sich von ${first} zu ${second} geändert haben`,
      none: 'Beide Trainings sagen für jedes Testbild dieselbe Klasse vorher.',
      kinds: {
        'to-right': 'Falsch klassifiziert → richtig',
        'to-wrong': 'Richtig → falsch klassifiziert',
        'other-class': 'Falsch, als andere Klasse',
      },
      noneOfKind: 'Keine Bilder.',
      shown: (n, total) => `${count(n)} von ${dative.images(total)}`,
      labeled: (label) => `Label ${label}`,
      before: (name, share) => `${name} ${share}`,
      predictedBy: (run, name, share) => `${run}: ${name} ${share}`,
    },
    curves: 'Validierungsbilder, Epoche für Epoche',
  },
};
