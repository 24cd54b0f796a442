import { counts } from './counts';
import { count, plural } from '../language';

export const studies = {
  title: 'Studies',
  intro:
    'A study compares networks and initial weights. It trains every combination on the same splits and tests which differences are statistically significant.',
  make: 'New study',
  none: {
    title: 'No studies yet',
    text: 'Choose the study of a publication or networks of your choice, and your labeled datasets. Before the study starts, you see all its trainings and their expected time.',
  },
  back: 'All studies',
  columns: {
    name: 'Study',
    state: 'State',
    done: 'Trainings',
    created: 'Created',
    actions: 'Actions',
    training: 'Training',
    dataset: 'Dataset',
    model: 'Network',
    regime: 'Initial weights',
    perClass: 'Maximum of training images per class',
    repeat: 'Repetition',
    seed: 'Seed',
    result: (metric: string) => `${metric} on test images`,
    time: 'Time',
  },
  cellStates: {
    done: 'done',
    failed: 'failed',
    running: 'training',
    stopped: 'stopped',
    'not begun': 'not started',
  },
  failed: (n: number) =>
    plural(n, { one: `${count(n)} training failed`, other: `${count(n)} trainings failed` }),
  progress: (done: number, all: number) => `${count(done)} of ${counts.trainings(all)}`,
  pretraining: (name: string) => `pretraining for ${name}`,
  remove: 'Delete',
  removeNamed: (name: string) => `Delete ${name}`,
  removed: (name: string) => `${name} is in the trash.`,

  plan: {
    title: 'New study',
    needsPyTorch: 'Fine-tuning, and networks other than the default network',
    intro:
      'Run the study of a publication on your datasets, or compare networks of your choice. Each network is trained with each choice of initial weights, on the same splits.',
    preset: 'Study',
    own: {
      title: 'Networks of your choice',
      text: 'Uses the default settings of coverslip and five folds.',
      name: 'Comparison of networks',
    },
    networkTitle: 'Networks',
    networkHelp:
      'Select the networks to compare. Networks of the publication keep their own settings. Other networks use the settings of the study.',
    networkChoice: {
      none: 'No network is selected yet. Select networks from the list.',
      size: (parameters: string) => `${parameters} parameters`,
      weights: (areHere: boolean) => `weights ${areHere ? '' : 'not '}on this computer`,
      all: 'Select all',
      clear: 'Select none',
      add: 'Add other networks',
      list: 'All networks',
    },
    weightsTitle: 'Initial weights',
    weightsHelp: 'Select the initial weights to compare. Each network is trained with each of them.',
    weights: {
      names: {
        imagenet: {
          title: 'ImageNet',
          text: 'The pretrained weights of each network.',
        },
        scratch: {
          title: 'Random',
          text: 'Training from scratch.',
        },
        frozen: {
          title: 'ImageNet, frozen',
          text: 'Only the last layer is trained.',
        },
        'two-step': {
          title: 'Pretraining on the other dataset',
          text: 'From ImageNet, each network is trained on the other dataset of the study first.',
        },
        'initialization per network': {
          title: 'As in the publication',
          text: 'Each network has the initial weights that the publication uses.',
        },
      },
      pretraining: 'Pretraining on another dataset',
      pretrainingHelp:
        'From ImageNet, each network is trained on this dataset first. Only datasets that are not part of the study can be used.',
    },
    time: {
      estimate: 'Estimate the time',
      help: 'Builds each network and measures some steps. This takes seconds to minutes, and trains nothing.',
      total: (time: string, nTimed: number, n: number) =>
        `About ${time} for ${nTimed < n ? `${count(nTimed)} of ${counts.trainings(n)}` : 'all trainings'}.`,
      basis: 'Measured on this computer, if nothing else runs. Early stopping can end trainings sooner.',
      unknown: (n: number) =>
        plural(n, {
          one: `The time of ${count(n)} training is not included, because its images or weights are missing.`,
          other: `The time of ${count(n)} trainings is not included, because their images or weights are missing.`,
        }),
    },
    limit: 'Time limit in hours',
    limitHelp:
      'Optional. A training that would not end in time is not started. To continue later, resume the study.',
    chooseNetworks: 'Choose a network to see the trainings of the study.',
    chooseWeights: 'Choose initial weights to see the trainings of the study.',
    published: (dataset: string) => `Published results on ${dataset}`,
    difference: (metric: string) => `Difference in ${metric}`,
    nNetworks: (n: number) => `${counts.networks(n)}.`,
    more: 'More choices: initial weights, recipes and protocols',
    datasets: 'Datasets',
    datasetsHelp: 'Choose labeled datasets. The study uses their current labels.',
    noDatasets: 'There is no labeled dataset yet.',
    open: 'Open labeled images',
    small: 'Small test study',
    smallHelp: (n: number) =>
      `Uses only networks whose weights come with the installation, images of 64 pixels, at most ${counts.images(n)} of each class for training, two epochs and two folds. Its results do not reproduce the publication.`,
    arms: 'Recipes and protocols',
    armsHelp:
      'The study trains with each of them on the same images, and reports their differences. Each one multiplies the number of trainings.',
    chooseArms: 'Choose a recipe and protocol to see the trainings of the study.',
    allTables: 'All tables of the publication',
    allTablesHelp:
      'Trains everything that the tables of the publication need, instead of its own network and its baseline.',
    name: 'Name',
    preview: 'Preview',
    choose: 'Choose a dataset to see the trainings of the study.',
    planning: 'Planning …',
    all: (n: number, folds: number) =>
      folds ? `${counts.trainings(n)}, each with ${counts.folds(folds)}.` : `${counts.trainings(n)}.`,
    allTitle: 'All trainings',
    withoutWeights: (names: string, n: number) =>
      plural(n, {
        one: `The pretrained weights of this network are not on this computer, so its trainings will fail: ${names}. All other trainings run.`,
        other: `The pretrained weights of these networks are not on this computer, so their trainings will fail: ${names}. All other trainings run.`,
      }),
    notes: 'Differences from the publication',
    plan: 'Plan as text',
    planHelp:
      'To use other splits or recipes, edit the plan. It can contain only the chosen datasets, listed by their folders and tables.',
    planLabel: 'Plan (YAML)',
    change: 'Use this plan',
    discard: 'Discard the edits',
    isEdited: 'You edited the text of the plan. First use or discard the edits.',
    reset: 'Reset to the plan of the choices above',
    changed: 'The plan was edited.',
    start: 'Start the study',
  },

  analyses: {
    title: 'Further analyses',
    latency: {
      title: 'Prediction time',
      text: 'Measures the time of each network for one image and for a hundred. It cannot be measured while a training is running.',
      notPossible: 'Possible when a training has finished.',
      start: 'Measure prediction time',
      repeat: 'Measure prediction time again',
    },
    distances: {
      title: 'Distances to pretraining datasets',
      text: 'Measures how different each dataset is from its pretraining dataset, by the features of each network with ImageNet weights.',
      notPossible:
        'Possible when a training with pretraining on another dataset has finished. To compare any datasets, use the command “coverslip distance”.',
      start: 'Measure distances',
      repeat: 'Measure distances again',
    },
    explanations: {
      title: 'Explanations (heat maps)',
      text: 'Draws heat maps of three test images for each network and its initial weights. The sanity checks take a minute or more for each training.',
      notPossible: 'Possible when a training has finished.',
      start: 'Draw heat maps',
      repeat: 'Draw heat maps again',
    },
  },

  page: {
    waiting: 'Waiting in the queue until the current training or study ends.',
    working: 'Trainings that have ended',
    stop: 'Stop',
    stopHelp: 'Progress is saved. Interrupted trainings continue when you resume the study.',
    stopping: 'Stopping after the current step …',
    resume: 'Resume',
    retry: 'Retry failed trainings',
    stopped:
      'Stopped. Progress is saved. When you resume the study, interrupted trainings continue from this point.',
    interrupted:
      'The process of the study ended unexpectedly, for example because the computer was switched off. Progress is saved, and you can resume the study.',
    small: 'small test study',
    ownNetworks: 'networks of your choice',
    limit: (time: string) => `time limit ${time}`,
    outOfTime:
      'Some trainings were not started, because they would not have ended within the time limit. To train them, resume the study.',
    lost: 'Connection lost. Reconnecting …',
    table: 'Trainings',
    report: 'Report',
    csv: 'Table (CSV)',
    soFar: (nDone: number, nToDo: number) =>
      [
        nDone ? `${counts.trainings(nDone)} done.` : nToDo ? 'No result yet.' : 'No result.',
        nToDo ? `${counts.trainings(nToDo)} to do.` : '',
      ].join(' '),
    preliminary: 'Preliminary: the study is not complete.',
    forest: (metric: string, dataset: string) => `${metric} of networks on ${dataset}`,
    measured: (n: number, all: number) => `${count(n)} of ${count(all)}`,
    running: (share: string) => `training, ${share}`,
    arms: {
      A: 'recipe and protocol of the publication',
      B: 'its recipe without the shortcuts of its protocol',
      C: 'recipe of coverslip',
    } as Readonly<Record<string, string>>,
    otherArm: 'as in the plan',
    key: (hasBars: boolean, hasEnded: boolean, hasArms: boolean) =>
      `Large dots: means over splits. Small dots: single trainings. ${
        hasBars
          ? 'Bars: 95% confidence intervals.'
          : hasEnded
            ? 'No confidence intervals: too few splits, or equal values.'
            : 'Confidence intervals follow when the study has ended.'
      }${hasEnded && hasArms ? ' The sentence above is about pooled test images, so its values can differ from these means.' : ''}`,
    notes: 'Differences from the publication',
    plan: 'Plan',
  },
};
