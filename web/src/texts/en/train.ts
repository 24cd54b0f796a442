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
  openImages: 'View the images',

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
  modelOptions: 'Options of this network',
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

  more: 'More settings',
  moreText: 'All settings have defaults.',

  presets: {
    title: 'Preset',
    choices: {
      'first-look': {
        title: 'First look',
        text: 'Instant classifier of images of half the side. Shows how well the classes can be distinguished.',
      },
      good: { title: 'Good', text: 'Instant classifier of images of full size.' },
      best: {
        title: 'Best',
        text: 'Shows the instant classifier first, then trains the whole network on your images (fine-tuning).',
      },
    },
    time: (time: string) => `About ${time}.`,
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
  changes: (n: number) =>
    plural(n, {
      one: `${count(n)} setting differs from the defaults`,
      other: `${count(n)} settings differ from the defaults`,
    }),
  reset: 'Reset to the defaults',
  nChanged: (n: number) => plural(n, { one: `${count(n)} changed`, other: `${count(n)} changed` }),
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
    title: 'Split',
    later: 'The split appears when all images are read and at least two classes have images.',
    sets: { train: 'training', val: 'validation', test: 'test', class: 'Class' },
    caption: 'Images of each class in each set',
    folds: (n: number) =>
      `${counts.folds(n)}: each image is a test image once, for a network that was not trained on it. The first fold is shown.`,
    single: 'Single split:',
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
    legend: 'Initial weights',
    imagenet: {
      title: 'ImageNet',
      text: 'Weights pretrained on a million photographs, with features such as edges and textures. The default.',
    },
    scratch: {
      title: 'Random weights',
      text: 'An untrained network. It needs many more images and epochs, and has no instant classifier.',
    },
    run: {
      title: 'A trained classifier',
      text: 'Weights of a classifier with the same architecture. Its training images must not be test images of this training.',
      which: 'Classifier for the initial weights',
      none: 'There is no trained classifier yet.',
    },
    train_on: {
      title: 'Pretraining on another dataset',
      text: 'coverslip first trains the network on another dataset with its current labels, then on this dataset.',
      which: 'Pretraining dataset',
      none: 'There is no other labeled dataset.',
      unknown: 'This dataset is not in your list. Choose another dataset.',
      recipe: 'Settings of the pretraining',
      recipeHelp:
        'Lines of a recipe, such as “epochs: 20”. If the field is empty, the settings of this training apply.',
    },
    labels: {
      title: 'Classes with different names in the two datasets',
      text: 'If the pretraining has all classes of this dataset, coverslip also evaluates its classifier on the validation images and keeps the better one.',
      source: 'Class in the pretraining dataset',
      target: 'Class in this dataset',
    },
    unlisted: (path: string) => `${path} (not in the list)`,
  },
  classesHelp:
    'These settings apply to this training only. By default, classes and groups are those of the dataset.',
  sets: {
    title: 'Preset',
    custom: 'custom',
    customText: 'A preset sets all amounts below. You can then change each of them.',
  },
  recipe: {
    title: 'Recipe',
    begin: 'Settings',
    show: 'Settings as a recipe file',
    help: 'differences from the defaults; edit, save or reuse them',
    recommended: 'Use the defaults, or load settings from',
    load: 'A recipe file …',
    earlier: 'An earlier training',
    ofPublication: 'A publication',
    loadedRecipe: (title: string) =>
      `The settings of ${title} are loaded. Only a study also uses the splits and all networks of the publication.`,
    loaded: (name: string) => `The settings of ${name} are loaded.`,
    isWrong: 'The text of the recipe is not valid.',
    differences: 'Settings that differ from the defaults',
    setting: 'Setting',
    value: 'Value',
    default: 'Default',
    none: 'All settings have their defaults.',
    notInFile: '(not in the recipe file)',
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
    isWrong: (title: string) => `“${title}” is not valid.`,
    auto: 'automatic',
    number: 'a number:',
    name: 'name',
    add: 'Add',
    addTo: (label: string) => `Add to “${label}”`,
    remove: (name: string) => `Remove ${name}`,
    oldName: 'Old name',
    newName: 'New name',
    mergedInto: (name: string) => `Classes merged into ${name}`,
    otherOptions:
      'Usually empty. Options of the network’s library (timm or torchvision), as lines “name: value”',
    noSuchOption: (names: string) => `This network has no option ${names}.`,
    noOptions: 'This network has no options.',
    removeUnknown: 'Remove these options',
    asText: 'Edit as lines of a recipe',
    line: (n: number) => `Line ${n}:`,
    key: (key: string) => `in the recipe: ${key}`,
    range: (low: string, high: string) => `${low} to ${high}`,
    atLeast: (low: string) => `${low} or more`,
    atMost: (high: string) => `up to ${high}`,
  },
};
