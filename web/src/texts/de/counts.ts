import type { Texts } from '../en';
import { count, plural } from '../language';

export const counts: Texts['counts'] = {
  images: (n) => plural(n, { one: `${count(n)} Bild`, other: `${count(n)} Bilder` }),
  unit: (areObjects) => (areObjects ? { one: 'Objekt', many: 'Objekte' } : { one: 'Bild', many: 'Bilder' }),
  classes: (n) => plural(n, { one: `${count(n)} Klasse`, other: `${count(n)} Klassen` }),
  groups: (n) => plural(n, { one: `${count(n)} Gruppe`, other: `${count(n)} Gruppen` }),
  groupsAndOthers: (nGroups, nUngrouped) =>
    plural(nGroups, { one: `${count(nGroups)} Gruppe`, other: `${count(nGroups)} Gruppen` }) +
    (nUngrouped
      ? plural(nUngrouped, {
          one: ` und ${count(nUngrouped)} Bild ohne Gruppe`,
          other: ` und ${count(nUngrouped)} Bilder ohne Gruppe`,
        })
      : ''),
  files: (n) => plural(n, { one: `${count(n)} Datei`, other: `${count(n)} Dateien` }),
  labels: (n) => plural(n, { one: `${count(n)} Label`, other: `${count(n)} Labels` }),
  split: (train, val, test) =>
    [
      plural(train, { one: `${count(train)} Trainingsbild`, other: `${count(train)} Trainingsbilder` }),
      plural(val, { one: `${count(val)} Validierungsbild`, other: `${count(val)} Validierungsbilder` }),
      plural(test, { one: `${count(test)} Testbild`, other: `${count(test)} Testbilder` }),
    ].join(', '),
  testImages: (n) => plural(n, { one: `${count(n)} Testbild`, other: `${count(n)} Testbilder` }),
  misclassified: (n) =>
    plural(n, {
      one: `${count(n)} falsch klassifiziertes Bild`,
      other: `${count(n)} falsch klassifizierte Bilder`,
    }),
  trainings: (n) => plural(n, { one: `${count(n)} Training`, other: `${count(n)} Trainings` }),
  networks: (n) => plural(n, { one: `${count(n)} Netz`, other: `${count(n)} Netze` }),
  classifiers: (n) => plural(n, { one: `${count(n)} Klassifikator`, other: `${count(n)} Klassifikatoren` }),
  splits: (n) => plural(n, { one: `${count(n)} Aufteilung`, other: `${count(n)} Aufteilungen` }),
  folds: (n) => plural(n, { one: `${count(n)} Fold`, other: `${count(n)} Folds` }),
  epochs: (n) => plural(n, { one: `${count(n)} Epoche`, other: `${count(n)} Epochen` }),
  testSets: (n) => plural(n, { one: `${count(n)} externes Testset`, other: `${count(n)} externe Testsets` }),
};
