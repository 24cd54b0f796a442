import { counts } from './counts';
import { count, plural } from '../language';
import { leakage } from './remedies';

export const train = {
  title: 'Train a classifier',
  intro: 'Choose a dataset and start. All other settings have defaults.',
  dataset: 'Dataset',
  chooseDataset: 'Dataset for the training',
  noImages: {
    title: 'No labeled dataset yet',
    text: 'Open a folder with one sub-folder per class, a table, or images that you label in the app.',
    action: 'Add images',
  },
  reading: 'coverslip is still reading these images. You can start the training when all images are read.',
  facts: (nLabeled: number, nClasses: number) =>
    plural(nLabeled, {
      one: `In the dataset: ${count(nLabeled)} labeled image, ${counts.classes(nClasses)}`,
      other: `In the dataset: ${count(nLabeled)} labeled images, ${counts.classes(nClasses)}`,
    }),
  groups: counts.groups,
  groupedBy: (by: string) => `grouped by “${by}”`,
  noGroups: 'no groups',
  noGroupsAdvice:
    'If several images come from one patient, slide or well, define groups first. Otherwise data leakage inflates the results.',
  defineGroups: 'Define groups',
  groupBy: 'Group by',
  tooFew: 'At least two classes must have images.',

  model: 'Network',
  recommended: 'recommended',
  finding: {
    study: (name: string) => `In your study “${name}”`,
    mean: (
      of: {
        metric_title: string;
        way: string | null;
        regime: string | null;
        train_per_class: number | null;
        n_splits: number;
      },
      mean: string,
    ) =>
      (of.way === null ? '' : `, protocol “${of.way}”`) +
      `: ${of.metric_title} ${mean}` +
      (of.regime === null ? '' : `, initial weights: ${of.regime}`) +
      ` (${counts.splits(of.n_splits)}` +
      (of.train_per_class === null
        ? ')'
        : `, at most ${count(of.train_per_class)} training images per class)`),
    isBaseline: ' (the baseline of the study).',
    comparedWith: (name: string, verdict: string) => `; compared with ${name}: ${verdict}.`,
  },
  otherModels: 'Choose another network',
  modelsLabel: 'List of networks',
  columns: {
    name: 'Network',
    size: 'Parameters',
    cost: 'Operations per image',
    hand: 'Pretrained weights',
    advice: 'Advice',
  },
  parameters: (n: string) => `${n} parameters`,
  macs: (n: string) => `${n} multiply–add operations per image`,
  side: (px: number) => `input of ${count(px)} × ${count(px)} pixels`,
  weights: {
    here: () => 'weights on this computer',
    download: (size: string) => `weights are downloaded on first use (about ${size}, needs internet)`,
    import: () => 'weights must be imported from a file',
    none: () => 'no pretrained weights; training starts from random weights',
  },
  paperFilter: {
    label: 'Publication',
    all: 'Any publication',
  },
  weightsFilter: {
    label: 'Pretrained weights',
    all: 'All networks',
    here: 'Weights on this computer',
    download: 'Downloaded on first use',
    import: 'Imported from a file',
    none: 'No pretrained weights',
  },
  nNetworks: counts.networks,
  filter: 'Find a network',

  presets: {
    title: 'Preset',
    choices: {
      'first-look': {
        title: 'First look',
        text: 'Trains only the last layer of a pretrained network, on smaller images. Shows how well the classes can be distinguished.',
      },
      good: {
        title: 'Good',
        text: 'Trains only the last layer of a pretrained network (instant classifier).',
      },
      best: {
        title: 'Best',
        text: 'Shows the instant classifier first, then trains the whole network on your images (fine-tuning).',
      },
    },
    measuring: 'Measuring the speed of this computer …',
  },
  time: {
    about: (time: string) => `About ${time} on this computer.`,
    trainings: (n: number) => `${counts.trainings(n)} in sequence: ${counts.folds(n - 1)}, then all images.`,
    pretraining: 'Pretraining is not included.',
  },
  name: 'Name of the training',
  start: 'Start training',
  starting: 'Starting …',
  reset: 'Reset to the defaults',
  resetField: (title: string) => `Reset “${title}” to the default`,
  leakage,
  unlabeled: {
    title: 'These images have no labels yet',
    text: 'Label images of at least two classes, then return to this page.',
    action: 'Label the images',
  },
  gone: {
    title: 'This dataset is no longer available',
    text: 'The dataset was removed from coverslip. Choose another dataset.',
  },
  otherDataset: 'Train on another dataset',
  ownThreshold: (name: string) =>
    `The decision threshold of ${name} was chosen for its classifier after its training, so it is not copied. After this training, choose a threshold in its results on “Trust”.`,
  leakageHelp: 'Data leakage inflates the results. The report contains a warning.',

  split: {
    title: 'Test set',
    tested: (nGroups: number, nOthers: number) =>
      `Tested on ${nGroups ? counts.groupsAndOthers(nGroups, nOthers) : counts.images(nOthers)} that training never sees`,
    testedInFolds: (n: number) => `Tested on all ${count(n)} images, each by a network that never saw it`,
    strip: (n: number, reason: string) => `${counts.images(n)}, ${reason}`,
    reasons: {
      earlier: 'tested in the earlier training too',
      predefined: 'assigned to the test set in the dataset',
      connected: 'connected with an assigned test image by its group or as a duplicate',
      domain: 'of the domain that this fold leaves out',
      related: 'chosen at random, together with near-duplicates or connected groups',
      group: 'chosen at random, as a whole group',
      single: 'chosen at random',
    },
    others: (n: number) => `Show ${count(n)} more`,
    notListed: (n: number) => `Test images in further groups: ${count(n)}.`,
    fewer: 'Show fewer',
    share: (nTested: number, n: number) => `${counts.testImages(nTested)} of ${count(n)}.`,
    shareOfFold: (nTested: number, n: number) =>
      `In the first fold: ${counts.testImages(nTested)} of ${count(n)}.`,
    later: 'The split appears when all images are read and at least two classes have images.',
    sets: { train: 'training', val: 'validation', test: 'test', class: 'Class' },
    caption: 'Images of each class in each set',
    folds: (n: number) =>
      `${counts.folds(n)}: each image is a test image once, for a network that was not trained on it or its group. The first fold is shown.`,
    single: 'All images of a group and all near-duplicates stay on one side of the split.',
    keep: (name: string) => `Keep the split of ${name}`,
    keepHelp:
      'Its test images stay test images, so that you can compare the two trainings. New images join the training set.',
    sum: counts.split,
    used: (of: { n: number; n_classes: number; n_groups: number; n_ungrouped: number }) =>
      `Used in this training: ${counts.images(of.n)}, ${counts.classes(of.n_classes)}${
        of.n_groups ? ` (${counts.groupsAndOthers(of.n_groups, of.n_ungrouped)})` : ''
      }.`,
    excluded: (n: number) => `Excluded: ${counts.images(n)}.`,
    working: 'Computing the split …',
  },
  init: {
    run: 'A trained classifier',
    train_on: 'Pretraining on another dataset',
    of: (name: string) => `A trained classifier: ${name}`,
    on: (name: string) => `Pretraining on another dataset: ${name}`,
  },
  expert: {
    title: 'Expert settings',
    find: 'Find a setting',
    keys: (n: number) => plural(n, { one: `${count(n)} setting`, other: `${count(n)} settings` }),
    before: (value: string) => `Default: ${value}`,
  },
  sets: {
    title: 'Data augmentation',
    names: {
      default: 'Default',
      none: 'None',
      stain: 'Stained images',
      chromosomes: 'Chromosomes',
    } as Record<string, string | undefined>, // others have the names of publications
    custom: 'custom',
    customText: 'Set by single keys of the recipe.',
  },
  recipe: {
    title: 'Recipe',
    recommended: 'Use the defaults, or load settings from',
    load: 'A recipe file …',
    earlier: 'An earlier training',
    ofPublication: 'A publication',
    loadedRecipe: (title: string) =>
      `The settings of ${title} are loaded. Only a study also uses the splits and all networks of the publication.`,
    loaded: (name: string) => `The settings of ${name} are loaded.`,
    isWrong: 'The text of the recipe is not valid.',
    differences: 'Settings that differ from the defaults',
    none: 'All settings have their defaults.',
    download: 'Save as recipe.yaml',
    text: 'Recipe (YAML)',
    nothing: 'none',
    yes: 'yes',
    no: 'no',
  },
  augment: {
    show: 'Preview data augmentation',
    refresh: 'Refresh the preview',
    computing: 'Computing …',
    alt: 'Examples of your images: preprocessed in the first column, with data augmentation in the other columns',
    help: 'The first column shows preprocessed images, the other columns random augmentations. If the augmented images are not realistic for your microscope, or their classes are no longer recognizable, reduce the augmentation.',
  },
  balance: {
    help: 'Images per class:',
    even: 'The classes are balanced. You can keep the default.',
    uneven: (ratio: string) =>
      `The largest class has ${ratio} times as many images as the smallest. Consider a higher weight for errors on rare classes.`,
    images: 'images',
  },
  field: {
    add: 'Add',
    addTo: (title: string) => `Add “${title}” to the recipe`,
    line: (n: number) => `Line ${n}:`,
  },
};
