import type { Texts } from '../en';
import { count, plural } from '../language';

/** The name of a setting of the training page. */
export const leakage = 'Trainieren, obwohl die Aufteilung Gruppen oder Duplikate trennt';

export const remedies: Texts['remedies'] = {
  apply: (title, value) => `„${title}“ auf „${value}“ setzen`,
  joinClasses: 'Diese Klassen im Training zusammenführen',
  joinGroups: (n) =>
    plural(n, {
      one: 'Diese Gruppen zusammenführen',
      other: `Die Gruppen aller ${count(n)} Mengen zusammenführen`,
    }),
  groupByColumn: (column) => `Nach der Spalte „${column}“ gruppieren`,
  groupByPattern: 'Nach diesen Teilen der Namen gruppieren',
  groupByFile: 'Jede Datei ist von einem anderen Patienten oder Objektträger',
  defineGroups: 'Gruppen festlegen',
  trainWith: (title, value) => `Mit „${title}“ auf „${value}“ trainieren`,
  joinInApp: 'Auf der Seite des Datensatzes können Sie sie zusammenführen.',
  trainAnyway: 'Trotzdem trainieren',
  set: (title, value) => `Setzen Sie auf der Trainingsseite „${title}“ auf „${value}“.`,
  allowLeakage: `Auf der Trainingsseite können Sie „${leakage}“ auswählen.`,
  groupByColumnInApp: (column) => `Unter „Gruppen“ auf „Prüfungen“ können Sie die Spalte „${column}“ wählen.`,
  group: 'Unter „Gruppen“ auf „Prüfungen“ können Sie Gruppen festlegen.',
  importWeights:
    'Die Seite „Vortrainierte Gewichte“ der Dokumentation beschreibt, wie Sie eine Datei importieren.',
  cleanCache: 'Die Dokumentation beschreibt, wie Sie den Cache leeren.',
  chooseRoot: 'Die Dokumentation der App beschreibt, wie Sie coverslip erlauben, andere Ordner zu lesen.',
};
