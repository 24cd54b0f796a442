import { counted } from './numbers';

export const train = {
  title: 'Train a classifier',
  intro: 'Choose images and start. Everything else has sensible defaults.',
  images: 'Images',
  chooseImages: 'Which images to learn from',
  noImages: {
    title: 'First, some labeled images',
    text: 'A folder with one sub-folder for each class, a table, or images that you label here.',
    action: 'Add images',
  },
  reading: 'These images are still being read; training can begin when that is done.',
  facts: (labelled: string, classes: number) =>
    `${labelled} labeled images, ${counted(classes, 'class', 'classes')}`,
  groups: (n: string) => counted(n, 'group', 'groups'),
  groupedBy: (by: string, n: string | null) =>
    n === null ? `grouped by “${by}”` : `${counted(n, 'group', 'groups')} by “${by}”`,
  ungrouped: (n: number) => `${counted(n, 'image has', 'images have')} no known group`,
  noGroups: 'no groups',
  noGroupsAdvice:
    'Do several images come from one patient, slide or well? Then say so first: otherwise the result looks better than it is.',
  nameGroups: 'Define groups',
  groupBy: 'Group by',
  tooFew: 'At least two classes need images.',
  openImages: 'Look at the images',

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
      (of.way === null ? '' : `, as “${of.way}”`) +
      `: ${of.metric_title} ${mean}` +
      (of.regime === null ? '' : `, start: ${of.regime}`) +
      ` (${counted(of.n_splits, 'split', 'splits')}` +
      (of.train_per_class === null ? ')' : `, at most ${of.train_per_class} training images of each class)`),
    isBaseline: '; the others were compared with it.',
    against: (name: string, verdict: string) => `; against ${name}: ${verdict}.`,
  },
  otherModels: 'Choose another network',
  modelOptions: 'Options of this network',
  modelsLabel: 'Networks',
  columns: {
    name: 'Network',
    size: 'Parameters',
    cost: 'Computing per image',
    hand: 'Pretrained weights',
    advice: 'Advice',
  },
  parameters: (n: string) => `${n} parameters`,
  macs: (n: string) => `${n} multiplications for each image`,
  side: (px: number) => `sees images at ${px} × ${px} pixels`,
  weights: {
    here: () => 'weights on this computer',
    download: (size: string) => `downloaded on first use (about ${size}, needs internet)`,
    import: () => 'imported from a file first',
    none: () => 'no pretrained weights: trains from scratch',
  },
  weightsFilter: {
    label: 'Pretrained weights',
    all: 'All networks',
    here: 'Weights on this computer',
    download: 'Downloaded on first use',
    import: 'Imported from a file',
    none: 'No pretrained weights',
  },
  nNetworks: (n: number) => counted(n, 'network', 'networks'),
  filter: 'Find a network',

  more: 'More choices',
  moreText: 'You can leave all of them as they are.',

  how: 'Kind of training',
  stages: {
    finetune: {
      title: 'Instant classifier, then fine-tuning',
      text: 'A first classifier within seconds to minutes; the whole network then learns from your images. Best results.',
    },
    instant: {
      title: 'Instant classifier only',
      text: 'Seconds to minutes, also without a graphics card. Good for a first look.',
    },
  },
  budget: {
    title: 'How long may it take?',
    choices: [
      { value: '', title: 'As long as it takes', text: 'The choices below decide.' },
      { value: 'quick', title: 'Quick', text: '2 minutes: a first look at what can be told apart.' },
      { value: 'balanced', title: 'Balanced', text: '10 minutes: good results for most images.' },
      {
        value: 'best',
        title: 'Best',
        text: '1 hour: also for thousands of images.',
      },
      { value: 'own', title: 'Another time', text: 'As many minutes as you can wait.' },
    ],
    minutes: 'Minutes',
    ownMinutes: (n: number) => counted(n, 'minute', 'minutes'),
    isMissing: 'How many minutes may it take? 1 to 10000.',
    isInstant:
      'The time has no effect, because “Instant classifier only” is chosen below: there is no fine-tuning that could be adapted to it.',
    help: 'Fine-tuning begins at once and is adapted to this time while it runs. It takes smaller images or fewer steps if necessary, unless you set the image size or the number of epochs. If the time is short, a message says how much would be enough.',
  },
  time: {
    about: (time: string, basis: string) => `About ${time} on this computer (from ${basis}).`,
    unknown: 'Time not known: this network has not been trained on this computer yet with similar settings.',
    trainings: (n: number) => `${n} trainings in a row: ${n - 1} folds, then all images.`,
    pretraining: 'The first step is not included.',
  },
  name: 'Name of the training',
  start: 'Start training',
  starting: 'Starting …',
  queued: 'Waiting while another training runs.',
  changes: (n: number) =>
    n === 1 ? '1 choice differs from the defaults' : `${n} choices differ from the defaults`,
  reset: 'Back to the defaults',
  nChanged: (n: number) => (n === 1 ? '1 changed' : `${n} changed`),
  resetField: (title: string) => `${title}: back to the default`,
  leakage: 'Train although the split splits groups or duplicates',
  unlabelled: {
    title: 'These images have no classes yet',
    text: 'Give some of them a class, two classes at least; then come back.',
    action: 'Label them',
  },
  gone: {
    title: 'These images are no longer here',
    text: 'They were removed from coverslip. Choose others to train on.',
  },
  otherImages: 'Train on other images',
  ownThreshold: (name: string) =>
    `The decision threshold of ${name} was chosen after its training, for its classifier. It is not carried over: choose a threshold again after this training, under “Decision threshold” in its results.`,
  leakageHelp: 'The numbers will be too good; the report will say so.',

  split: {
    title: 'Split',
    later: 'How the images are shared out is shown once they are read and two classes have images.',
    parts: { train: 'training', val: 'validation', test: 'test', class: 'Class' },
    caption: 'Images of each class in each part',
    folds: (n: number) =>
      `${n} folds: each image is tested once, by a network that has not seen it. Shown is the first fold.`,
    one: 'One split:',
    keep: (name: string) => `Keep the split of ${name}`,
    keepHelp: 'Its test images stay test images, so that the two can be compared. New images join training.',
    sum: (train: string, val: string, test: string) =>
      `${train} to train on, ${val} for validation, ${test} to test`,
    working: 'Working out the split …',
  },
  init: {
    legend: 'Initial weights',
    imagenet: {
      title: 'ImageNet',
      text: 'A million photographs of everyday things. The network already knows edges and textures. The default.',
    },
    scratch: {
      title: 'Random weights',
      text: 'An untrained network. Needs far more images and epochs, and has no instant classifier.',
    },
    run: {
      title: 'A trained classifier',
      text: 'Training continues from its network, which must be of the same architecture. Images that it was trained on must not be among the test images.',
      which: 'Which classifier',
      none: 'There is no trained classifier yet.',
    },
    train_on: {
      title: 'Other images first',
      text: 'Two trainings: the network first learns from another dataset, with its labels as they are now, then from these images.',
      which: 'Which dataset first',
      none: 'There is no other dataset with labels.',
      unknown: 'These images are not among your datasets. Choose the right dataset.',
      recipe: 'What differs in the first training',
      recipeHelp: 'As lines of a recipe, such as “epochs: 20”. Left empty, it is trained like the second.',
    },
    labels: {
      title: 'Classes with other names there',
      text: 'Where the first training knew all classes of these images, its classifier is kept if it does better on the validation images.',
      there: 'Class there',
      here: 'Class here',
    },
    elsewhere: (path: string) => `${path} (not in the list)`,
  },
  classesHelp:
    'For this training only. Where nothing is changed here, classes and groups are as on the page of these images.',
  sets: {
    title: 'Preset',
    own: 'own choices',
    ownText: 'A preset sets all amounts below; each can still be changed.',
  },
  recipe: {
    title: 'Recipe',
    begin: 'Choices',
    show: 'The choices as a recipe file',
    help: 'what differs from the defaults; to edit, save and use again',
    recommended: 'The defaults, or those of',
    load: 'A recipe file …',
    earlier: 'An earlier training',
    loaded: (name: string) => `${name} was read.`,
    isWrong: 'The text of the recipe is not valid.',
    differs: 'Choices that differ from the defaults',
    choice: 'Choice',
    now: 'Now',
    else: 'Default',
    none: 'Nothing differs from the defaults.',
    notInFile: '(not in the recipe file)',
    download: 'Save as recipe.yaml',
    text: 'Recipe (YAML)',
    nothing: 'none',
    yes: 'yes',
    no: 'no',
  },
  augment: {
    show: 'Show on my images',
    again: 'Show again',
    drawing: 'Drawing …',
    alt: 'Some of your images: as preprocessed in the first column, then changed at random as in training',
    help: 'First column: as preprocessed. The others: changed at random. Could the microscope have taken these, and can you still tell the classes apart? If not, change less.',
  },
  balance: {
    help: 'Counts of your classes:',
    even: 'The classes are about equally frequent; no change is needed.',
    uneven: (n: string) =>
      `The largest class has ${n} times as many images as the smallest. Consider letting mistakes on rare ones count more.`,
    images: 'images',
  },
  field: {
    isWrong: (title: string) => `“${title}” is not valid.`,
    auto: 'automatic',
    number: 'a number:',
    name: 'name',
    add: 'Add',
    addTo: (label: string) => `${label}: add`,
    remove: (name: string) => `Remove ${name}`,
    oldName: 'Old name',
    newName: 'New name',
    joinedInto: (name: string) => `Classes merged into ${name}`,
    otherOptions:
      'Usually empty. Options that its library (timm or torchvision) takes, as lines “name: value”',
    noSuchOption: (names: string) => `This network has no option ${names}.`,
    noOptions: 'It has no options.',
    exclude: 'Remove them',
    asText: 'As lines of a recipe',
    line: (n: number) => `Line ${n}:`,
    key: (key: string) => `in the recipe: ${key}`,
    range: (low: string, high: string) => `${low} to ${high}`,
    atLeast: (low: string) => `${low} or more`,
    atMost: (high: string) => `up to ${high}`,
  },
};
