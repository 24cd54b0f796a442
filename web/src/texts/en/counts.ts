// Counted things, such as “1 image” and “2,000 images”.
import { count, plural } from '../language';

export const counts = {
  images: (n: number) => plural(n, { one: `${count(n)} image`, other: `${count(n)} images` }),
  /** What the rows of a prediction are: objects in fields of view, or images. */
  unit: (areObjects: boolean) =>
    areObjects ? { one: 'object', many: 'objects' } : { one: 'image', many: 'images' },
  classes: (n: number) => plural(n, { one: `${count(n)} class`, other: `${count(n)} classes` }),
  groups: (n: number) => plural(n, { one: `${count(n)} group`, other: `${count(n)} groups` }),
  /** Groups, and the images that have none. */
  groupsAndOthers: (nGroups: number, nUngrouped: number) =>
    plural(nGroups, { one: `${count(nGroups)} group`, other: `${count(nGroups)} groups` }) +
    (nUngrouped
      ? plural(nUngrouped, {
          one: ` and ${count(nUngrouped)} image without a group`,
          other: ` and ${count(nUngrouped)} images without a group`,
        })
      : ''),
  files: (n: number) => plural(n, { one: `${count(n)} file`, other: `${count(n)} files` }),
  labels: (n: number) => plural(n, { one: `${count(n)} label`, other: `${count(n)} labels` }),
  /** The sizes of the three sets of a split. */
  split: (train: number, val: number, test: number) =>
    [
      plural(train, { one: `${count(train)} training image`, other: `${count(train)} training images` }),
      plural(val, { one: `${count(val)} validation image`, other: `${count(val)} validation images` }),
      plural(test, { one: `${count(test)} test image`, other: `${count(test)} test images` }),
    ].join(', '),
  testImages: (n: number) => plural(n, { one: `${count(n)} test image`, other: `${count(n)} test images` }),
  misclassified: (n: number) =>
    plural(n, { one: `${count(n)} misclassified image`, other: `${count(n)} misclassified images` }),
  trainings: (n: number) => plural(n, { one: `${count(n)} training`, other: `${count(n)} trainings` }),
  networks: (n: number) => plural(n, { one: `${count(n)} network`, other: `${count(n)} networks` }),
  classifiers: (n: number) => plural(n, { one: `${count(n)} classifier`, other: `${count(n)} classifiers` }),
  splits: (n: number) => plural(n, { one: `${count(n)} split`, other: `${count(n)} splits` }),
  folds: (n: number) => plural(n, { one: `${count(n)} fold`, other: `${count(n)} folds` }),
  epochs: (n: number) => plural(n, { one: `${count(n)} epoch`, other: `${count(n)} epochs` }),
  testSets: (n: number) =>
    plural(n, { one: `${count(n)} external test set`, other: `${count(n)} external test sets` }),
};
