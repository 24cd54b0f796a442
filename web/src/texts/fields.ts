/** Choices of a training in plain words, where the recipe's own sentence is written for those who know networks. */
interface FieldText {
  title?: string;
  help?: string;
  none?: string; // what an empty field means
  choices?: Record<string, string>;
}

export const fields: Record<string, FieldText> = {
  'split.val': {
    title: 'Share to choose by',
    help: 'Also called validation images. Not learnt from: they say which state of the network is best, and when to stop. 0.2 is one image in five.',
  },
  'split.test': {
    title: 'Share to test on',
    help: 'Kept aside until the end. The final result comes from these alone.',
  },
  'split.folds': {
    title: 'Folds',
    none: 'by the images',
    help: 'Instead of one test, so many: each fold tests on another part of the images, until every image was tested once. Takes as many times as long; good for few images or few patients. 0 makes one test. Left empty, folds are made where there are few groups or images.',
  },
  'split.train_per_class': {
    title: 'Most images per class',
    none: 'all',
    help: 'Learns from no more than so many images of each class, drawn at random.',
  },
  'augment.flip': {
    choices: { true: 'both ways', false: 'no', horizontal: 'left and right only' },
    help: 'Whether the mirror image is of the same class. Not for letters, or where left and right matter.',
  },
  'augment.rotate_degrees': {
    help: 'Turned by up to so many degrees either way. 180 allows any angle, as cells on a slide have no upside.',
  },
  'augment.zoom': { help: 'Larger or smaller by up to this share: 0.1 is a tenth.' },
  'augment.shift': { help: 'Moved by up to this share of the side.' },
  'augment.brightness': { help: 'Brighter or darker by up to this share of the whole range.' },
  'augment.contrast': { help: 'More or less contrast, by up to this share.' },
  'augment.shear_degrees': { help: 'Slanted by up to so many degrees, as italic letters are.' },
  'augment.crop': { help: 'Up to this share of the side is cut away; the rest fills the image.' },
  'augment.blur': { help: 'As if out of focus: up to so many pixels.' },
  'augment.saturation': { help: 'Colours stronger or paler by up to this share.' },
  'augment.hue_degrees': { help: 'Colours turned by up to so many degrees of the colour circle.' },
  'augment.stain': {
    help: 'Each dye stronger or weaker by up to this share, as from one staining to the next. For stained slides in bright field.',
  },
  balance: {
    title: 'Rare classes',
    choices: {
      none: 'as they are',
      weights: 'mistakes on rare ones count more',
      oversample: 'rare ones are shown more often',
      undersample: 'frequent ones are shown less often',
      even: 'both, equally often in the end',
      domains: 'small sources are shown more often',
    },
    help: 'Without this, a network may do well on frequent classes and neglect rare ones. The test stays as it is.',
  },
  image_size: {
    none: 'the network’s own',
    help: 'Images are brought to so many pixels a side. Smaller is faster, larger shows finer detail.',
  },
  resize: {
    title: 'Bringing to a square',
    choices: {
      pad: 'whole image, with a border',
      squash: 'stretch',
      crop: 'cut the middle out',
      canvas: 'same scale for all, with a border',
    },
    help: 'What to do with images that are not square. With the same scale for all a small cell stays small.',
  },
  pad_colour: {
    title: 'Colour of the border',
    choices: { auto: 'as the image’s edge', black: 'black', white: 'white' },
  },
  scaling: {
    title: 'Intensities',
    choices: {
      auto: 'automatic',
      full: 'whole range of the format',
      'training-range': 'range of the training images',
      'per-image': 'each image by itself',
    },
    help: 'Which values become black and white. Taken from each image by itself, differences in brightness between images are lost.',
  },
  normalisation: {
    choices: {
      weights: 'as the network expects',
      imagenet: 'as for ImageNet',
      none: 'none',
      'training-images': 'by the training images',
    },
    help: 'Shifts and stretches intensities once more to the range the network was trained on.',
  },
  plane: {
    title: 'Page of a stack',
    help: 'For files with several pages: which one, from 0; or “max” or “mean” over all.',
  },
  epochs: { title: 'Most rounds (epochs)', help: 'In each, the network sees every training image once.' },
  seed: { help: 'Where random draws start. Another number gives another split and another training.' },
  device: {
    title: 'Computed on',
    choices: {
      auto: 'automatic',
      cpu: 'processor (CPU)',
      cuda: 'NVIDIA graphics card',
      mps: 'Apple graphics',
    },
    help: 'Automatic takes a graphics card where there is one.',
  },
  batch_size: {
    help: 'Images looked at together before the network changes. Fewer need less memory.',
  },
  learning_rate: {
    help: 'How far the network changes at each step. Too large and it does not learn, too small and it takes long.',
  },
  optimizer: {
    title: 'Way of learning',
    help: 'How steps are taken (the optimiser). The default suits nearly all; the others repeat published trainings.',
  },
  sgd_from: { help: 'Only for adam-then-sgd: the share of rounds after which it changes.' },
  sgd_learning_rate: { help: 'Only for adam-then-sgd: the largest step after the change.' },
  schedule: {
    title: 'Steps over time',
    choices: {
      cosine: 'fall smoothly to nothing',
      plateau: 'smaller when it stalls',
      constant: 'stay the same',
    },
    help: 'How the size of the steps changes during training.',
  },
  warmup: {
    help: 'The share of all steps that begin small and grow, so that nothing is spoilt at the start.',
  },
  weight_decay: { help: 'Keeps the network’s weights small, which helps against learning by heart.' },
  label_smoothing: {
    help: 'Above 0 the network is not pushed to be wholly sure. Useful where some labels may be wrong.',
  },
  patience: {
    none: 'never stop early',
    help: 'Stops after so many rounds without a better result on the images to choose by.',
  },
  primary_metric: {
    title: 'Best by',
    choices: {
      accuracy: 'accuracy',
      balanced_accuracy: 'balanced accuracy',
      macro_f1: 'macro-F1',
      macro_auroc: 'macro-AUROC',
      log_loss: 'log loss',
    },
    help: 'The number by which the best state of the network is chosen. Macro: each class counts the same.',
  },
  decide_by: {
    title: 'Which class is said',
    choices: { highest: 'the most probable', roc: 'the one most above its own threshold' },
    help: 'With thresholds rare classes are found more often, and frequent ones less.',
  },
  head: {
    title: 'Features used',
    choices: { pooled_stages: 'of many layers', native: 'of the last layer' },
    help: 'What the classifier on top of the network is given.',
  },
  views: {
    title: 'Looks at each image',
    help: 'The same image turned and mirrored, and the answers averaged: 2 adds the half turn, 4 the mirror images, 8 all quarter turns. More takes longer.',
  },
  freeze_to: {
    title: 'Layers left as they are',
    none: 'none',
    help: 'Up to which part the network is not changed. The documentation of networks names the parts.',
  },
  batch_norm: {
    choices: { auto: 'automatic', keep: 'keep', learn: 'learn anew' },
    help: 'Whether the network’s running averages stay as pretrained. Automatic keeps them, unless it starts from nothing.',
  },
  'regulariser.groups': {
    choices: { none: 'no', labels: 'by class', kmeans: 'by likeness (K-means)' },
    help: 'An extra aim of learning, from a publication: images of a group should look alike to the network.',
  },
  'regulariser.spread_weight': {
    help: 'For the extra aim: how strongly groups are pushed apart. 0 is not at all.',
  },
  'regulariser.scatter_weight': {
    help: 'For the extra aim: how strongly images of a group are pulled together. 0 is not at all.',
  },
  'regulariser.scatter': {
    help: 'For the extra aim: whether distances within a group are averaged or added up.',
  },
  'regulariser.memory': { help: 'For the extra aim: how many earlier images count too. 0 is none.' },
};
