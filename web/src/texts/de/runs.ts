import type { Texts } from '../en';
import { count, decimal, plural } from '../language';
import { counts } from './counts';
import { results } from './results';

export const runs: Texts['runs'] = {
  title: 'Trainings',
  intro: 'Jedes Training hat einen eigenen Ordner. Trainings laufen weiter, wenn Sie diese Seite schließen.',
  train: 'Klassifikator trainieren',
  none: {
    title: 'Noch keine Trainings',
    text: 'Wählen Sie einen Datensatz mit Labels und starten Sie ein Training. Ein erster Klassifikator ist nach Sekunden bis Minuten bereit.',
  },
  states: {
    queued: 'wartet',
    starting: 'startet',
    running: 'läuft',
    stopping: 'wird angehalten',
    stopped: 'angehalten',
    done: 'fertig',
    failed: 'fehlgeschlagen',
    interrupted: 'unterbrochen',
  },
  running: {
    train: 'Training läuft',
    evaluate: 'Evaluation läuft',
    export: 'Export läuft',
    predict: 'Vorhersage läuft',
    study: 'Training läuft',
  },
  queuePosition: (n) => `Platz ${count(n)} in der Warteschlange`,
  fold: (k, n) => `Fold ${count(k)} von ${count(n)}`,
  columns: {
    pick: 'Vergleichen',
    name: 'Training',
    examples: 'Beispielbilder',
    model: 'Netz',
    state: 'Status',
    headline: 'Ergebnis auf Testbildern',
    curve: 'F1 (Validierung)',
    created: 'Gestartet',
    actions: 'Aktionen',
  },
  curve: (first, last) => `F1 auf Validierungsbildern, Epoche für Epoche: von ${first} bis ${last}`,
  meanOfFolds: (n) => `Mittelwert von ${counts.folds(n)}`,
  pick: (name) => `${name} vergleichen`,
  compare: (n) => (n < 2 ? 'Zum Vergleichen zwei oder mehr auswählen' : `${counts.trainings(n)} vergleichen`),
  remove: 'Löschen',
  removeNamed: (name) => `${name} löschen`,
  removed: (name) => `${name} ist im Papierkorb, mit den externen Tests, falls es welche gibt.`,
  back: 'Alle Trainings',
  toStudy: 'Teil einer Studie',
  network: (name) => `Netz ${name}`,
  rename: 'Umbenennen',
  newName: 'Name des Trainings',
  save: 'Speichern',

  live: {
    title: 'Fortschritt',
    whole: 'Ganzes Training',
    fold: (k, n) => `Fold ${count(k)} von ${count(n)}`,
    folds: 'Folds',
    epoch: (k, n, perSecond) =>
      `Epoche ${count(k)} von ${count(n)} · ${decimal(perSecond, perSecond < 10 ? 1 : 0)} Bilder pro Sekunde`,
    work: (title) => title.charAt(0).toUpperCase() + title.slice(1),
    adaptation:
      'Dieses Training passt einen Klassifikator an ein anderes Labor an. Trainings-, Validierungs- und Testbilder sind die des ersten Labors. Labels des anderen, falls es welche gibt, wählen am Ende den Klassifikator und zeigen seine Genauigkeit dort.',
    waiting: 'Wartet in der Warteschlange, bis das laufende Training oder die laufende Studie endet.',
    starting: 'Das Programm wird gestartet …',
    ready: 'Ein erster Klassifikator ist bereit',
    first: 'Erste Ergebnisse',
    preliminary: 'vorläufig',
    meanOfFolds: (n) => plural(n, { one: 'Aus dem ersten Fold.', other: `Mittel aus ${count(n)} Folds.` }),
    preliminaryText:
      'Diese Ergebnisse sind auf Validierungsbildern berechnet, nach denen das Training Entscheidungen trifft. Die endgültigen Ergebnisse werden am Ende auf Testbildern berechnet.',
    sinceStart: (time) => `${time} seit dem Start`,
    queuedFor: (time) => `${time} in der Warteschlange.`,
    accuracy: 'Genauigkeit auf Validierungsbildern',
    f1: 'Makro-F1 auf Validierungsbildern',
    readyText: (accuracy, f1) =>
      `Der Sofort-Klassifikator erreicht auf Validierungsbildern eine Genauigkeit von ${accuracy} und ein Makro-F1 von ${f1}. Die Feinabstimmung geht von ihm aus. Validierungsbilder entscheiden, welchen von beiden coverslip behält.`,
    readyAlone: (accuracy, f1) =>
      `Der Sofort-Klassifikator erreicht auf Validierungsbildern eine Genauigkeit von ${accuracy} und ein Makro-F1 von ${f1}.`,
    predictNow: 'Mit diesem Klassifikator klassifizieren',
    finalTraining: (n) =>
      plural(n, {
        one: `Der endgültige Klassifikator wird mit ${count(n)} Bild trainiert.`,
        other: `Der endgültige Klassifikator wird mit allen ${count(n)} Bildern trainiert.`,
      }),
    split: counts.split,
    examples: {
      title: 'Vorhersagen für Validierungsbilder',
      help: (n) =>
        plural(n, {
          one: `${count(n)} Validierungsbild mit der vorhergesagten Klasse, in jeder Epoche dasselbe.`,
          other: `${count(n)} Validierungsbilder mit ihrer vorhergesagten Klasse, in jeder Epoche dieselben Bilder.`,
        }) +
        ' Ein gestrichelter Rand markiert ein falsch klassifiziertes Bild; sein Label steht darunter. Die Kurven zeigen die Ergebnisse auf allen Validierungsbildern.',
      nCorrect: (epoch, n, all) =>
        epoch
          ? `Nach Epoche ${count(epoch)}: ${count(n)} von ${count(all)} richtig.`
          : `Vor der ersten Epoche: ${count(n)} von ${count(all)} richtig.`,
      correct: (name) => `${name}, wie das Label`,
      misclassified: (label, name) => `${label}, als ${name} vorhergesagt`,
    },
    curves: 'Kurven',
    curvesOf: 'Kurven von',
    noCurves: 'Kurven erscheinen nach der ersten Epoche der Feinabstimmung.',
    noFineTuning:
      'Dieses Training hat keine Epochen, weil der Sofort-Klassifikator in einem einzigen Schritt angepasst wird.',
    train: 'Training',
    val: 'Validierung',
    selected: 'gewählt',
    best: 'bisher beste Epoche',
    scores: {
      loss: 'Verlust',
      accuracy: 'Genauigkeit',
      precision: 'Präzision',
      recall: 'Sensitivität',
      f1: 'F1',
    },
    table: 'Als Tabelle anzeigen',
    epochColumn: 'Epoche',
    log: 'Protokoll',
    logEmpty: 'Noch keine Einträge.',
    earlierEntries: (n: number) =>
      `Dies sind die letzten ${count(n)} Einträge. Der Ordner des Trainings enthält alle in events.jsonl.`,
    allLines: 'Vollständiges Protokoll des Programms (auf Englisch)',
    stop: 'Anhalten (später fortsetzen)',
    stopHelp: 'Der bisher beste Klassifikator wird gespeichert.',
    stopHelpEarly:
      'Es gibt noch keinen Klassifikator. Der bisherige Fortschritt wird gespeichert, und Sie können das Training später fortsetzen.',
    stopping: 'Wird nach dem laufenden Schritt angehalten …',
    resume: 'Fortsetzen',
    stopped: 'Angehalten.',
    stoppedText:
      'Der bisher beste Klassifikator ist gespeichert. Sie können das Training an dieser Stelle fortsetzen.',
    stoppedEarly:
      'Es gibt noch keinen Klassifikator, aber der bisherige Fortschritt ist gespeichert. Sie können das Training an dieser Stelle fortsetzen.',
    interrupted: 'Das Training wurde unterbrochen.',
    interruptedText:
      'Der Prozess des Trainings endete unerwartet, zum Beispiel weil der Rechner ausgeschaltet wurde. Der bisherige Fortschritt ist gespeichert, und Sie können das Training fortsetzen.',
    failed: 'Das Training ist fehlgeschlagen.',
    lost: 'Verbindung unterbrochen. Sie wird wiederhergestellt …',
    step: (k) =>
      k === 1
        ? 'Schritt 1 von 2: Vortraining auf einem anderen Datensatz'
        : 'Schritt 2 von 2: Training auf Ihrem Datensatz',
    firstTraining: 'Schritt 1 von 2: Vortraining',
    main: 'Dieses Training',
    second: 'Schritt 2 von 2: Training auf Ihrem Datensatz',
    stages: {
      title: 'Phasen',
      names: {
        reading: 'Bilder lesen',
        instant: 'Sofort-Klassifikator',
        finetune: 'Feinabstimmung',
        measuring: 'Kalibrierung, Evaluation und Bericht',
      },
      soFar: (time) => `bisher ${time}`,
    },
    learningRate: 'Lernrate',
    epochZero:
      'Epoche 0 ist der Sofort-Klassifikator, angepasst ohne Validierungsbilder. Um Zeit zu sparen, werden Epochen ohne Testzeit-Augmentierung validiert. Daher können diese Ergebnisse von den berichteten Ergebnissen des Sofort-Klassifikators abweichen.',
    dip: 'Die Validierungsergebnisse sind meist schlechter, solange die Lernrate hoch ist, und verbessern sich, wenn sie sinkt.',
    selection: {
      lastLater: (n) =>
        `Wenn die Feinabstimmung bis zum Ende läuft, wird ihre letzte Epoche (${count(n)}) gewählt, weil die Lernrate dann null ist. Wenn Sie sie vorzeitig abschließen, wird die bisher beste Epoche gewählt. Wenn Sie sie anhalten, können Sie bis zum Fortsetzen die beste Epoche verwenden. Das Training geht dann nach seiner letzten vollständigen Epoche weiter.`,
      bestSoFar: (epoch) =>
        `Gewählt wird die Epoche mit den besten Validierungsergebnissen, zurzeit Epoche ${count(epoch)}.`,
      last: (epoch) => `Gewählt: Epoche ${count(epoch)}, die letzte.`,
      best: (epoch) => `Gewählt: Epoche ${count(epoch)}, die beste auf Validierungsbildern.`,
      instant: (epoch, n) => {
        if (!epoch)
          return 'Gewählt: der Sofort-Klassifikator. Keine Epoche der Feinabstimmung wurde vollständig.';
        const after = epoch < n ? `In ${count(epoch)} von ${count(n)} Epochen` : 'Insgesamt';
        return `Gewählt: der Sofort-Klassifikator. ${after} hat die Feinabstimmung die Validierungsergebnisse nicht genug verbessert.`;
      },
    },
    finish: 'Jetzt abschließen und evaluieren …',
    finishTitle: 'Dieses Training jetzt abschließen?',
    finishText:
      'Die Feinabstimmung endet, und die bisher beste Epoche auf Validierungsbildern wird gewählt, sofern nicht der Sofort-Klassifikator besser ist. coverslip kalibriert und evaluiert dann den Klassifikator und schreibt den Bericht.',
    finishBest: (epoch, n) => `Bisher beste Epoche: ${count(epoch)} von ${count(n)}.`,
    finishNone: 'Noch keine Epoche ist vollständig, daher wird der Sofort-Klassifikator gewählt.',
    finishFinal:
      'Ein abgeschlossenes Training kann nicht fortgesetzt werden. Um zu pausieren, wählen Sie stattdessen „Anhalten (später fortsetzen)“.',
    finishNow: 'Jetzt abschließen',
    finishCancel: 'Weiter trainieren',
    finishing:
      'Wird abgeschlossen. Die Feinabstimmung endet nach dem laufenden Schritt; Evaluation und Bericht folgen.',
    final: 'Alle Bilder',
    foldScore: (accuracy, f1) => `auf den Testbildern: Genauigkeit ${accuracy}, Makro-F1 ${f1}`,
  },

  ...results,
};
