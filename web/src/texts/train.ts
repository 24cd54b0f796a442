export const train = {
  title: 'Train a classifier',
  intro: 'Choose images and start. All else is set so that it works.',
  images: 'Images',
  chooseImages: 'Which images to learn from',
  noImages: {
    title: 'First, some labelled images',
    text: 'A folder with one sub-folder for each class, a table, or images that you label here.',
    action: 'Add images',
  },
  reading: 'These images are still being read; training can begin when that is done.',
  facts: (labelled: string, classes: number) => `${labelled} labelled images, ${classes} classes`,
  groups: (n: string) => `${n} groups`,
  noGroups: 'no groups',
  noGroupsAdvice:
    'Do several images come from one patient, slide or well? Then say so first: otherwise the result looks better than it is.',
  nameGroups: 'Say which belong together',
  tooFew: 'At least two classes need images.',
  openImages: 'Look at the images',

  model: 'Network',
  recommended: 'recommended',
  otherModels: 'Choose another network',
  modelsLabel: 'Networks',
  columns: {
    name: 'Network',
    size: 'Weights',
    cost: 'Work per image',
    input: 'Image side',
    hand: 'Pretrained on photographs',
    advice: 'Advice',
  },
  parameters: (n: string) => `${n} weights`,
  macs: (n: string) => `${n} multiplications for each image`,
  side: (px: number) => `sees images at ${px} × ${px} pixels`,
  atHand: 'ready on this computer',
  fetched: 'fetched once, over the internet',
  filter: 'Find a network',

  more: 'More choices',
  moreText: 'None of them needs to be touched.',

  how: 'How far',
  stages: {
    finetune: {
      title: 'Instant classifier, then fine-tuning',
      text: 'A first classifier within seconds to minutes; the whole network then learns from your images. Best results.',
    },
    instant: {
      title: 'Instant classifier only',
      text: 'Seconds to minutes, also without a graphics card. Good for a first look and for few images.',
    },
  },
  name: 'Name of the training',
  start: 'Start training',
  starting: 'Starting …',
  queued: 'It waits while another training runs.',
  changes: (n: number) =>
    n === 1 ? '1 choice differs from the defaults' : `${n} choices differ from the defaults`,
  reset: 'Back to the defaults',
  changed: 'changed',
  resetField: (title: string) => `${title}: back to the default`,
  leakage: 'Train although the split divides groups or copies',
  unlabelled: {
    title: 'These images have no classes yet',
    text: 'Give some of them a class, two classes at least; then come back.',
    action: 'Label them',
  },
  gone: {
    title: 'These images are not here any more',
    text: 'They were forgotten. Choose others to train on.',
  },
  otherImages: 'Train on other images',
  leakageHelp: 'The numbers come out too good; the report will say so.',

  split: {
    parts: { train: 'learn', val: 'choose', test: 'test', class: 'Class' },
    caption: 'Images of each class in each part',
    folds: (n: number) =>
      `${n} folds: each image is tested once, by a network that has not seen it. Shown is the first fold.`,
    one: 'Split once:',
    sum: (train: string, val: string, test: string) =>
      `${train} to train on, ${val} for validation, ${test} to test`,
    working: 'Working out the split …',
    nothing: 'A class without images in a part is shown in red.',
  },
  init: {
    legend: 'Where the weights start',
    imagenet: {
      title: 'ImageNet',
      text: 'A million photographs of everyday things. The network already knows edges and textures. The default.',
    },
    scratch: {
      title: 'Nothing',
      text: 'Random weights. Needs far more images and epochs, and has no instant classifier.',
    },
    run: {
      title: 'An earlier training',
      text: 'Its network is taken over; it must be the same architecture. Images that it was trained on may not be tested on.',
    },
    which: 'Which training',
    none: 'There is no finished training yet.',
  },
  augment: {
    show: 'Show on my images',
    again: 'Show again',
    drawing: 'Drawing …',
    alt: 'Some of your images: as prepared in the first column, then changed at random as in training',
    help: 'First column: as prepared. The others: changed at random. Could the microscope have taken these, and can you still tell the classes apart? If not, change less.',
    none: 'No random changes',
    default: 'Default',
  },
  balance: {
    help: 'Counts of your classes:',
    even: 'The classes are about equally frequent; nothing needs to be done.',
    uneven: (n: string) =>
      `The largest class has ${n} times as many images as the smallest. Consider letting mistakes on rare ones count more.`,
    images: 'images',
  },
  field: {
    auto: 'automatic',
    key: (key: string) => `in the recipe: ${key}`,
    range: (low: string, high: string) => `${low} to ${high}`,
    atLeast: (low: string) => `${low} or more`,
    atMost: (high: string) => `up to ${high}`,
  },
};
