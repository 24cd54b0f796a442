import type { JoinCounts } from '../api/predictions';
import type { ImageChanges } from '../api/runs';
import { count, counted } from './numbers';
import { imageChanges } from './results';

/** What adding corrections to a dataset does besides adding images and giving labels. */
function otherOutcomes(counts: JoinCounts): (string | false)[] {
  const { n_same_label, n_conflicting, n_duplicates, n_unreadable } = counts;
  const same = counted(
    n_same_label,
    'image of the dataset already has',
    'images of the dataset already have',
  );
  const conflicting = counted(
    n_conflicting,
    'of the corrected or confirmed images has',
    'of the corrected or confirmed images have',
  );
  const unused =
    n_duplicates === 1 ? 'The answer for 1 image is' : `The answers for ${count(n_duplicates)} images are`;
  const unreadable = counted(n_unreadable, 'image is', 'images are');
  return [
    n_same_label > 0 && `${same} the corrected or confirmed label.`,
    n_conflicting > 0 &&
      `${conflicting} duplicates with another label. Trainings exclude all of them: correct the duplicates in the dataset too.`,
    n_duplicates > 0 &&
      `${unused} not used: the dataset has the same image under another name. If its label there is wrong, correct it in the dataset.`,
    n_unreadable > 0 && `${unreadable} not added: the file cannot be read.`,
  ];
}

const isText = (sentence: string | false): sentence is string => sentence !== false;

export const predict = {
  title: 'Predict new images',
  intro: 'Choose a classifier, then images. Afterwards you can correct what it says.',
  classifier: 'Classifier',
  none: {
    title: 'First, a classifier',
    text: 'Train one on labeled images, or import a .coverslip file that somebody gave you.',
    action: 'Train a classifier',
  },
  import: 'Import a .coverslip file',
  importing: 'Reading the file …',
  isReady: (name: string) => `${name} is ready to predict.`,
  imported: 'imported from a file',
  stage: { instant: 'instant classifier', finetune: 'fine-tuned' },
  classes: (n: number) => counted(n, 'class', 'classes'),
  unfinished:
    'Not finished: no test results, and unfamiliar images are not recognized. Finish or resume its training first.',
  ofStudies: (n: number) => `${counted(n, 'classifier', 'classifiers')} of studies`,
  images: 'Images',
  folder: 'A folder on this computer (not copied) …',
  orDataset: 'or images already in coverslip',
  choose: 'Choose …',
  count: (n: string) => counted(n, 'image', 'images'),
  chosen: (name: string) => `Chosen: ${name}`,
  reading: 'These images are being read. Prediction starts right after.',
  shares: {
    title: 'Are classes rarer or more frequent than in training?',
    help: 'State how frequent classes are among these images, where you know it: probabilities and answers follow. What is left empty divides the rest as in training. True only where images of a class look as those of training do.',
    of: (name: string) => `${name}, % of these images`,
    stated: (shares: string) => `Answers are for images of which ${shares}, as stated.`,
    share: (name: string, percent: string) => `${percent}% are ${name}`,
  },
  start: 'Predict',
  starting: 'Starting …',
  earlier: 'Earlier predictions',
  columns: { name: 'Images', classifier: 'Classifier', state: 'State', n: 'Number', created: 'Started' },
  remove: 'Delete',
  removeNamed: (name: string) => `Delete the predictions of ${name}`,
  removed: (name: string) => `The predictions of ${name} are in the trash.`,

  removeClassifier: (name: string) => `Delete the classifier ${name}`,
  classifierRemoved: (name: string) => `The classifier ${name} is in the trash. Its predictions stay.`,

  back: 'Predict',
  with: 'with',
  progress: 'Predicting',
  stop: 'Stop',
  resume: 'Resume',
  search: 'Part of a file’s name',
  csv: 'Download CSV',
  use: 'Add these corrections to the training set and retrain',
  useHelp: 'Adds the corrected and confirmed images to the dataset of the training, and trains again.',
  using: {
    counts: (n: number) =>
      `${counted(n, 'image', 'images')} with a corrected or confirmed class ${n === 1 ? 'is' : 'are'} added to the dataset.`,
    toJoin: (counts: JoinCounts): string[] => {
      const { n_new, n_withdrawn, n_relabeled } = counts;
      const added = n_new ? counted(n_new, 'new image is', 'new images are') : 'No new image is';
      const withdrawn = counted(
        n_withdrawn,
        'image that was added before is',
        'images that were added before are',
      );
      const relabeled = counted(n_relabeled, 'image of the dataset gets', 'images of the dataset get');
      return [
        `${added} added to the dataset.`,
        n_withdrawn > 0 && `${withdrawn} removed from it, as you took the answer back.`,
        n_relabeled > 0 && `${relabeled} another label.`,
        ...otherOutcomes(counts),
      ].filter(isText);
    },
    excluded: (n: number) =>
      `${counted(n, 'image', 'images')} marked “None of these classes” or “Unusable image” ${n === 1 ? 'is' : 'are'} not added.`,
    nothing: 'No image has a corrected or confirmed class: there is nothing to add.',
    target: (name: string, n: string) => `Training set: ${name}, ${n} images`,
    retrainText: (name: string) =>
      `The new training has the settings and the test images of “${name}”: compare the two afterwards. Added images are used for training only. Files stay where they are.`,
    retrainFolds: (name: string) =>
      `The new training has the settings of “${name}”. With cross-validation, added images are tested too. Files stay where they are.`,
    domain: (name: string) =>
      `The added images become a domain of their own, “${name}”, because new images often come from another day or microscope. The dataset and its results name each domain.`,
    noColumn: (column: string) =>
      `Groups come from the column “${column}”, where added images have no value.`,
    noMatch: (pattern: string, n: number) =>
      `Groups come from the pattern “${pattern}”. It matches nothing in the paths of ${counted(n, 'added image', 'added images')}.`,
    ungrouped:
      'Nothing shows whether these images are of the same group (such as a patient) as test images. If they are, the metrics are too high.',
    matched: (pattern: string, groups: string[]) =>
      `Groups that the pattern “${pattern}” finds in the paths of added images: ${groups.slice(0, 6).join(', ')}${groups.length > 6 ? ', …' : ''}`,
    retrain: 'Add and retrain',
    reading: 'Reading the added images',
    others: 'Add them to another dataset instead',
    noTraining:
      'The training of this classifier is not in this app: it was deleted, or the classifier was imported. Choose where the images go.',
    where: 'Dataset',
    fresh: 'A new dataset',
    freshText: 'Makes a new dataset, labeled by your corrections. Classes keep the keys that they have here.',
    joinText:
      'They become one more source of that dataset. Files stay where they are; images that it already has are not added twice. To remove them again, open “Add, rename or remove folders” on its page.',
    make: 'Make the dataset',
    join: 'Add to the dataset',
    joined: (name: string, counts: JoinCounts): string => {
      const { n_new, n_withdrawn, n_relabeled } = counts;
      const added = n_new ? counted(n_new, 'new image was', 'new images were') : 'No new image was';
      const withdrawn = counted(n_withdrawn, 'image added before was', 'images added before were');
      const relabeled = counted(n_relabeled, 'image of this dataset got', 'images of this dataset got');
      return [
        `${added} added to “${name}”.`,
        n_withdrawn > 0 && `${withdrawn} removed from it.`,
        n_relabeled > 0 && `${relabeled} another label.`,
        ...otherOutcomes(counts),
      ]
        .filter(isText)
        .join(' ');
    },
    removeAdded: 'Undo this addition',
    addedRemoved: (name: string, { n_new, n_withdrawn }: JoinCounts): string =>
      [
        'This addition was undone.',
        n_new > 0 && `${counted(n_new, 'image was', 'images were')} removed from “${name}”.`,
        n_withdrawn > 0 && `${counted(n_withdrawn, 'image', 'images')} came back to “${name}”.`,
        'Corrections of its other images stay.',
      ]
        .filter(isText)
        .join(' '),
    changes: (run: string, changes: ImageChanges) =>
      `In total, compared with the images of “${run}”: ${imageChanges(changes) || 'no difference'}.`,
  },
  joined: 'Corrected labels in the dataset',
  joinedHelp: 'Your corrections are labels of the dataset that these images come from.',
  made: 'A dataset was made from your corrections.',
  show: 'Show images',
  decidedAs: 'Decided as',
  all: 'All images',
  review: 'Needs review',
  corrected: 'Reviewed',
  warned: 'With a warning',
  warning: 'warning',
  unfamiliar: 'Unfamiliar',
  unreadable: 'Could not be read',
  decisions: { uncertain: 'uncertain', unfamiliar: 'unfamiliar' } as Record<string, string>,
  reviewHelp: (uncertainBelow: string | null) =>
    `These were not decided: they are unfamiliar or unreadable${uncertainBelow === null ? '' : `, or their predicted class has a probability below ${uncertainBelow}`}. The least probable of the others come first under All images.`,
  thresholds: {
    share: (name: string, threshold: string) => `“${name}” ${threshold}`,
    two: (both: string) => `Decision thresholds: ${both}.`,
    many: 'Each class has its own decision threshold. The predicted class is the one furthest above its threshold.',
    earlier:
      'The classifier’s decision threshold was changed after these images were predicted. These results are by the earlier threshold. To use the new one, predict the images again.',
    mark: 'earlier threshold',
  },
  warnedHelp:
    'These images differ from all those that the classifier learned from. Have a look before you rely on them.',
  unfamiliarHelp:
    'The network sees in these images what it hardly saw in training: another size, another stain or instrument, or none of the classes? Do not rely on their classes. A few of 100 images like those of training are called so as well; and an unknown class that looks like a known one often is not.',
  set: 'Prediction set',
  setHelp:
    'Classes that the image may well show: for images like those of training the true class is among them in 90% of the images of each class.',
  nothing: 'No images here.',
  nothingYet: 'The first results appear in a moment.',
  queued: 'Waiting for the prediction before it.',
  reviewDone: 'Nothing is left to review.',
  form: 'Shown as',
  gallery: 'Gallery',
  list: 'List',
  keysOf: 'Correct the selected image',
  selectFirst: 'No image is selected. Click an image, or use the arrow keys.',
  excluded: { 'none-of-these': 'None of these classes', unusable: 'Unusable image' },
  excludedHelp:
    'The image is excluded from training images. The answer is saved in the table; you can undo it.',
  marks: { corrected: 'corrected', confirmed: 'confirmed', excluded: 'excluded' },
  sort: 'Sorted by',
  sorts: {
    position: 'order of the files',
    probability: 'least sure first',
    '-probability': 'most sure first',
  },
  keys: {
    title: 'Keys',
    list: [
      ['1 – 9, 0, a – z', 'correct to the class with that key; “Go to the next image” moves on'],
      [',', 'none of these classes: exclude the image from training'],
      ['.', 'unusable image: exclude it from training'],
      ['Delete or Backspace', 'remove the correction'],
      ['← → ↑ ↓', 'another image'],
      ['Enter', 'open the image'],
      ['Ctrl + Z', 'undo the last correction'],
      ['?', 'this list'],
    ] as [string, string][],
  },
  correct: (name: string) => `Correct ${name}`,
  takeBack: 'Undo the correction',
  undone: 'The correction was undone.',
  open: (name: string) => `Open ${name}`,
  shown: (n: string, total: string) => `${n} of ${total} images`,
  stopped: 'Stopped. What was predicted so far is kept.',
  failed: 'The prediction failed.',
};
