import type { Texts } from '../en';
import { count, plural } from '../language';
import { counts } from './counts';

export const studies: Texts['studies'] = {
  title: 'Studien',
  intro:
    'Eine Studie vergleicht Netze und Anfangsgewichte. Sie trainiert jede Kombination auf denselben Aufteilungen und testet, welche Unterschiede statistisch signifikant sind.',
  make: 'Neue Studie',
  none: {
    title: 'Noch keine Studien',
    text: 'Wählen Sie die Studie einer Publikation oder eigene Netze, und Ihre Datensätze mit Labels. Bevor die Studie startet, sehen Sie alle ihre Trainings und deren erwartete Dauer.',
  },
  back: 'Alle Studien',
  columns: {
    name: 'Studie',
    state: 'Status',
    done: 'Trainings',
    created: 'Angelegt',
    actions: 'Aktionen',
    training: 'Training',
    dataset: 'Datensatz',
    model: 'Netz',
    regime: 'Anfangsgewichte',
    perClass: 'Höchstzahl der Trainingsbilder je Klasse',
    repeat: 'Wiederholung',
    seed: 'Seed',
    result: (metric) => `${metric} auf Testbildern`,
    time: 'Dauer',
  },
  cellStates: {
    done: 'fertig',
    failed: 'fehlgeschlagen',
    running: 'läuft',
    stopped: 'angehalten',
    'not begun': 'nicht gestartet',
  },
  failed: (n) =>
    plural(n, {
      one: `${count(n)} Training fehlgeschlagen`,
      other: `${count(n)} Trainings fehlgeschlagen`,
    }),
  progress: (done, all) => `${count(done)} von ${counts.trainings(all)}`,
  pretraining: (name) => `Vortraining für ${name}`,
  remove: 'Löschen',
  removeNamed: (name) => `${name} löschen`,
  removed: (name) => `${name} ist im Papierkorb.`,

  plan: {
    title: 'Neue Studie',
    needsPyTorch: 'Feinabstimmung und andere Netze als das Standardnetz',
    intro:
      'Führen Sie die Studie einer Publikation mit Ihren Datensätzen durch, oder vergleichen Sie Netze Ihrer Wahl. Jedes Netz wird mit allen gewählten Anfangsgewichten trainiert, auf denselben Aufteilungen.',
    preset: 'Studie',
    own: {
      title: 'Netze Ihrer Wahl',
      text: 'Verwendet die Standardwerte von coverslip und fünf Folds.',
      name: 'Vergleich von Netzen',
    },
    networkTitle: 'Netze',
    networkHelp:
      'Wählen Sie die Netze für den Vergleich. Netze der Publikation behalten ihre eigenen Einstellungen. Für andere Netze gelten die Einstellungen der Studie.',
    networkChoice: {
      none: 'Noch ist kein Netz gewählt. Wählen Sie Netze aus der Liste.',
      size: (parameters) => `${parameters} Parameter`,
      weights: (areHere) => `Gewichte ${areHere ? '' : 'nicht '}auf diesem Computer`,
      all: 'Alle auswählen',
      clear: 'Keine auswählen',
      add: 'Andere Netze hinzufügen',
      list: 'Alle Netze',
    },
    weightsTitle: 'Anfangsgewichte',
    weightsHelp:
      'Wählen Sie die Anfangsgewichte für den Vergleich. Jedes Netz wird mit jedem davon trainiert.',
    weights: {
      names: {
        imagenet: {
          title: 'ImageNet',
          text: 'Die vortrainierten Gewichte jedes Netzes.',
        },
        scratch: {
          title: 'Zufällig',
          text: 'Training von Grund auf.',
        },
        frozen: {
          title: 'ImageNet, eingefroren',
          text: 'Nur die letzte Schicht wird trainiert.',
        },
        'two-step': {
          title: 'Vortraining auf dem anderen Datensatz',
          text: 'Ausgehend von ImageNet wird jedes Netz zuerst auf dem anderen Datensatz der Studie trainiert.',
        },
        'initialization per network': {
          title: 'Wie in der Publikation',
          text: 'Jedes Netz hat die Anfangsgewichte, die die Publikation verwendet.',
        },
      },
      pretraining: 'Vortraining auf einem anderen Datensatz',
      pretrainingHelp:
        'Ausgehend von ImageNet wird jedes Netz zuerst auf diesem Datensatz trainiert. Nur Datensätze, die nicht zur Studie gehören, sind möglich.',
    },
    time: {
      estimate: 'Dauer schätzen',
      help: 'Baut jedes Netz auf und misst einige Schritte. Das dauert Sekunden bis Minuten und trainiert nichts.',
      total: (time, nTimed, n) =>
        `Etwa ${time} für ${nTimed < n ? `${count(nTimed)} von ${counts.trainings(n)}` : 'alle Trainings'}.`,
      basis:
        'Gemessen auf diesem Rechner, wenn sonst nichts läuft. Frühes Stoppen (Early Stopping) kann Trainings verkürzen.',
      unknown: (n) =>
        plural(n, {
          one: `Die Dauer von ${count(n)} Training ist nicht enthalten, weil seine Bilder oder Gewichte fehlen.`,
          other: `Die Dauer von ${count(n)} Trainings ist nicht enthalten, weil ihre Bilder oder Gewichte fehlen.`,
        }),
    },
    limit: 'Zeitlimit in Stunden',
    limitHelp:
      'Optional. Ein Training, das nicht rechtzeitig enden würde, wird nicht gestartet. Um später weiterzumachen, setzen Sie die Studie fort.',
    chooseNetworks: 'Wählen Sie ein Netz, um die Trainings der Studie zu sehen.',
    chooseWeights: 'Wählen Sie Anfangsgewichte, um die Trainings der Studie zu sehen.',
    published: (dataset) => `Veröffentlichte Ergebnisse auf ${dataset}`,
    difference: (metric) => `Unterschied: ${metric}`,
    nNetworks: (n) => `${counts.networks(n)}.`,
    more: 'Weitere Auswahl: Anfangsgewichte, Rezepte und Protokolle',
    datasets: 'Datensätze',
    datasetsHelp: 'Wählen Sie Datensätze mit Labels. Die Studie verwendet deren jetzige Labels.',
    noDatasets: 'Es gibt noch keinen Datensatz mit Labels.',
    open: 'Bilder mit Labels öffnen',
    small: 'Kleine Teststudie',
    smallHelp: (n) =>
      `Verwendet nur Netze, deren Gewichte zur Installation gehören, Bilder von 64 Pixeln, höchstens ${counts.images(n)} je Klasse zum Training, zwei Epochen und zwei Folds. Die Ergebnisse reproduzieren die Publikation nicht.`,
    arms: 'Rezepte und Protokolle',
    armsHelp:
      'Die Studie trainiert mit jedem davon auf denselben Bildern und gibt die Differenzen an. Jedes vervielfacht die Zahl der Trainings.',
    chooseArms: 'Wählen Sie ein Rezept und Protokoll, um die Trainings der Studie zu sehen.',
    allTables: 'Alle Tabellen der Publikation',
    allTablesHelp:
      'Trainiert alles, was die Tabellen der Publikation benötigen, statt nur ihres eigenen Netzes und dessen Baseline.',
    name: 'Name',
    preview: 'Vorschau',
    choose: 'Wählen Sie einen Datensatz, um die Trainings der Studie zu sehen.',
    planning: 'Wird geplant …',
    all: (n, folds) =>
      folds ? `${counts.trainings(n)}, jedes mit ${counts.folds(folds)}.` : `${counts.trainings(n)}.`,
    allTitle: 'Alle Trainings',
    withoutWeights: (names, n) =>
      plural(n, {
        one: `Die vortrainierten Gewichte dieses Netzes sind nicht auf diesem Rechner, daher werden seine Trainings fehlschlagen: ${names}. Alle anderen Trainings laufen.`,
        other: `Die vortrainierten Gewichte dieser Netze sind nicht auf diesem Rechner, daher werden ihre Trainings fehlschlagen: ${names}. Alle anderen Trainings laufen.`,
      }),
    notes: 'Unterschiede zur Publikation',
    plan: 'Plan als Text',
    planHelp:
      'Für andere Aufteilungen oder Rezepte bearbeiten Sie den Plan. Er kann nur die gewählten Datensätze enthalten, genannt mit ihren Ordnern und Tabellen.',
    planLabel: 'Plan (YAML)',
    change: 'Diesen Plan verwenden',
    discard: 'Änderungen verwerfen',
    isEdited: 'Sie haben den Text des Plans geändert. Verwenden oder verwerfen Sie zuerst die Änderungen.',
    reset: 'Auf den Plan der Auswahl oben zurücksetzen',
    changed: 'Der Plan wurde geändert.',
    start: 'Studie starten',
  },

  analyses: {
    title: 'Weitere Analysen',
    latency: {
      title: 'Vorhersagezeit',
      text: 'Misst die Zeit jedes Netzes für ein Bild und für hundert Bilder. Während ein Training läuft, ist keine Messung möglich.',
      notPossible: 'Möglich, sobald ein Training abgeschlossen ist.',
      start: 'Vorhersagezeit messen',
      repeat: 'Vorhersagezeit noch einmal messen',
    },
    distances: {
      title: 'Abstände zu Datensätzen des Vortrainings',
      text: 'Misst, wie sehr sich jeder Datensatz vom Datensatz seines Vortrainings unterscheidet, nach den Merkmalen jedes Netzes mit ImageNet-Gewichten.',
      notPossible:
        'Möglich, sobald ein Training mit Vortraining auf einem anderen Datensatz abgeschlossen ist. Um beliebige Datensätze zu vergleichen, verwenden Sie den Befehl „coverslip distance“.',
      start: 'Abstände messen',
      repeat: 'Abstände noch einmal messen',
    },
    explanations: {
      title: 'Erklärungen (Heatmaps)',
      text: 'Zeichnet für jedes Netz und seine Anfangsgewichte Heatmaps von drei Testbildern. Die Plausibilitätsprüfungen dauern für jedes Training eine Minute oder länger.',
      notPossible: 'Möglich, sobald ein Training abgeschlossen ist.',
      start: 'Heatmaps zeichnen',
      repeat: 'Heatmaps noch einmal zeichnen',
    },
  },

  page: {
    waiting: 'Wartet in der Warteschlange, bis das laufende Training oder die laufende Studie endet.',
    working: 'Beendete Trainings',
    stop: 'Anhalten',
    stopHelp:
      'Der Fortschritt wird gespeichert. Unterbrochene Trainings gehen weiter, wenn Sie die Studie fortsetzen.',
    stopping: 'Wird nach dem laufenden Schritt angehalten …',
    resume: 'Fortsetzen',
    retry: 'Fehlgeschlagene Trainings wiederholen',
    stopped:
      'Angehalten. Der Fortschritt ist gespeichert. Wenn Sie die Studie fortsetzen, gehen unterbrochene Trainings an dieser Stelle weiter.',
    interrupted:
      'Der Prozess der Studie endete unerwartet, zum Beispiel weil der Rechner ausgeschaltet wurde. Der Fortschritt ist gespeichert, und Sie können die Studie fortsetzen.',
    small: 'kleine Teststudie',
    ownNetworks: 'Netze Ihrer Wahl',
    limit: (time) => `Zeitlimit ${time}`,
    outOfTime:
      'Einige Trainings wurden nicht gestartet, weil sie nicht innerhalb des Zeitlimits geendet hätten. Um sie zu trainieren, setzen Sie die Studie fort.',
    lost: 'Verbindung unterbrochen. Sie wird wiederhergestellt …',
    table: 'Trainings',
    report: 'Bericht',
    csv: 'Tabelle (CSV)',
    soFar: (nDone, nToDo) =>
      [
        nDone ? `${counts.trainings(nDone)} fertig.` : nToDo ? 'Noch kein Ergebnis.' : 'Kein Ergebnis.',
        nToDo ? `${counts.trainings(nToDo)} ausstehend.` : '',
      ].join(' '),
    preliminary: 'Vorläufig: Die Studie ist nicht vollständig.',
    forest: (metric, dataset) => `${metric} der Netze auf ${dataset}`,
    measured: (n, all) => `${count(n)} von ${count(all)}`,
    running: (share) => `Training, ${share}`,
    arms: {
      A: 'Rezept und Protokoll der Publikation',
      B: 'ihr Rezept ohne die Abkürzungen ihres Protokolls',
      C: 'Rezept von coverslip',
    },
    otherArm: 'wie im Plan',
    key: (hasBars, hasEnded, hasArms) =>
      `Große Punkte: Mittelwerte über Aufteilungen. Kleine Punkte: einzelne Trainings. ${
        hasBars
          ? 'Balken: 95-%-Konfidenzintervalle.'
          : hasEnded
            ? 'Keine Konfidenzintervalle: zu wenige Aufteilungen oder gleiche Werte.'
            : 'Konfidenzintervalle folgen, wenn die Studie beendet ist.'
      }${hasEnded && hasArms ? ' Der Satz oben gilt für die zusammengefassten Testbilder, daher können seine Werte von diesen Mittelwerten abweichen.' : ''}`,
    notes: 'Unterschiede zur Publikation',
    plan: 'Plan',
  },
};
