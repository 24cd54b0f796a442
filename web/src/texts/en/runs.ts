import { counts } from './counts';
import { count, decimal, plural } from '../language';
import { results } from './results';
import type { RunState } from '../../api/runs';

const states: Record<RunState, string> = {
  queued: 'waiting',
  starting: 'starting',
  running: 'training',
  stopping: 'stopping',
  stopped: 'stopped',
  done: 'done',
  failed: 'failed',
  interrupted: 'interrupted',
};

export const runs = {
  title: 'Trainings',
  intro: 'Each training has a separate run folder. Trainings continue if you close this page.',
  train: 'Train a classifier',
  none: {
    title: 'No trainings yet',
    text: 'Choose a labeled dataset and start a training. A first classifier is ready within seconds to minutes.',
  },
  states,
  running: {
    train: 'training',
    evaluate: 'evaluating',
    export: 'exporting',
    predict: 'predicting',
    study: 'training',
  },
  queuePosition: (n: number) => `position ${count(n)} in the queue`,
  fold: (k: number, n: number) => `fold ${count(k)} of ${count(n)}`,
  columns: {
    pick: 'Compare',
    name: 'Training',
    examples: 'Example images',
    model: 'Network',
    state: 'State',
    headline: 'Result on test images',
    curve: 'Validation F1',
    created: 'Started',
    actions: 'Actions',
  },
  curve: (first: string, last: string) => `F1 on validation images, epoch by epoch: from ${first} to ${last}`,
  meanOfFolds: (n: number) => `Mean of ${counts.folds(n)}`,
  pick: (name: string) => `Compare ${name}`,
  compare: (n: number) => (n < 2 ? 'Select two or more to compare' : `Compare ${counts.trainings(n)}`),
  remove: 'Delete',
  removeNamed: (name: string) => `Delete ${name}`,
  removed: (name: string) => `${name} is in the trash, with its external tests if there are any.`,
  back: 'All trainings',
  toStudy: 'Part of a study',
  network: (name: string) => `network ${name}`,
  rename: 'Rename',
  newName: 'Name of the training',
  save: 'Save',

  live: {
    title: 'Progress',
    whole: 'Whole training',
    fold: (k: number, n: number) => `Fold ${count(k)} of ${count(n)}`,
    folds: 'Folds',
    epoch: (k: number, n: number, perSecond: number) =>
      `Epoch ${count(k)} of ${count(n)} · ${decimal(perSecond, perSecond < 10 ? 1 : 0)} images per second`,
    work: (title: string) => title.charAt(0).toUpperCase() + title.slice(1),
    adaptation:
      'This training adapts a classifier to another laboratory. Training, validation and test images are those of the first laboratory. Labels of the other one, if there are any, choose the classifier at the end, and show its accuracy there.',
    waiting: 'Waiting in the queue until the current training or study ends.',
    starting: 'Starting the program …',
    ready: 'A first classifier is ready',
    first: 'First results',
    preliminary: 'preliminary',
    meanOfFolds: (n: number) =>
      plural(n, { one: 'Of the first fold.', other: `Means of ${count(n)} folds.` }),
    preliminaryText:
      'These results are computed on validation images, which training uses to make choices. The final results are computed on test images at the end.',
    sinceStart: (time: string) => `${time} since the start`,
    queuedFor: (time: string) => `Queued for ${time}.`,
    accuracy: 'Accuracy on validation images',
    f1: 'Macro-F1 on validation images',
    readyText: (accuracy: string, f1: string) =>
      `The instant classifier reaches an accuracy of ${accuracy} and a macro-F1 of ${f1} on validation images. Fine-tuning starts from it. Validation images decide which of the two coverslip keeps.`,
    readyAlone: (accuracy: string, f1: string) =>
      `The instant classifier reaches an accuracy of ${accuracy} and a macro-F1 of ${f1} on validation images.`,
    predictNow: 'Predict with this classifier',
    finalTraining: (n: number) => `The final classifier is trained on all ${counts.images(n)}.`,
    split: counts.split,
    examples: {
      title: 'Predictions of validation images',
      help: (n: number) =>
        `${count(n)} validation images with their predicted class, the same images in every epoch. A dashed border marks a misclassified image, with its label below. The curves show the results on all validation images.`,
      nCorrect: (epoch: number, n: number, all: number) =>
        epoch
          ? `After epoch ${count(epoch)}: ${count(n)} of ${count(all)} correct.`
          : `Before the first epoch: ${count(n)} of ${count(all)} correct.`,
      correct: (name: string) => `${name}, as labeled`,
      misclassified: (label: string, name: string) => `${label}, predicted as ${name}`,
    },
    curves: 'Curves',
    curvesOf: 'Curves of',
    noCurves: 'Curves appear after the first epoch of fine-tuning.',
    noFineTuning: 'This training has no epochs, because the instant classifier is fitted in a single step.',
    train: 'training',
    val: 'validation',
    selected: 'selected',
    best: 'best epoch so far',
    scores: {
      loss: 'Loss',
      accuracy: 'Accuracy',
      precision: 'Precision',
      recall: 'Recall',
      f1: 'F1',
    },
    table: 'Show as a table',
    epochColumn: 'Epoch',
    log: 'Log',
    logEmpty: 'No entries yet.',
    earlierEntries: (n: number) =>
      `These are the last ${count(n)} entries. The folder of the training contains all in events.jsonl.`,
    allLines: 'Complete log of the program',
    stop: 'Stop (resume later)',
    stopHelp: 'The best classifier so far is saved.',
    stopHelpEarly:
      'There is no classifier yet. Progress up to this point is saved, and you can resume the training later.',
    stopping: 'Stopping after the current step …',
    resume: 'Resume',
    stopped: 'Stopped.',
    stoppedText: 'The best classifier so far is saved. You can resume the training from this point.',
    stoppedEarly:
      'There is no classifier yet, but progress up to this point is saved. You can resume the training from this point.',
    interrupted: 'The training was interrupted.',
    interruptedText:
      'The process of the training ended unexpectedly, for example because the computer was switched off. Progress up to this point is saved, and you can resume the training.',
    failed: 'The training failed.',
    lost: 'Connection lost. Reconnecting …',
    step: (k: number): string =>
      k === 1 ? 'Step 1 of 2: pretraining on another dataset' : 'Step 2 of 2: training on your dataset',
    firstTraining: 'Step 1 of 2: pretraining',
    main: 'This training',
    second: 'Step 2 of 2: training on your dataset',
    stages: {
      title: 'Stages',
      names: {
        reading: 'Read images',
        instant: 'Instant classifier',
        finetune: 'Fine-tuning',
        measuring: 'Calibration, evaluation and report',
      },
      soFar: (time: string) => `${time} so far`,
    },
    learningRate: 'Learning rate',
    epochZero:
      'Epoch 0 is the instant classifier, fitted without validation images. To save time, epochs are validated without test-time augmentation. Therefore these results can differ from the reported results of the instant classifier.',
    dip: 'Validation results are usually worse while the learning rate is high, and improve when it decreases.',
    selection: {
      lastLater: (n: number) =>
        `If fine-tuning runs to the end, its last epoch (${count(n)}) is selected, because the learning rate is then zero. If you finish it early, the best epoch so far is selected. If you stop it, you can use the best epoch until you resume. The training then continues after its last completed epoch.`,
      bestSoFar: (epoch: number) =>
        `The epoch with the best validation results is selected, currently epoch ${count(epoch)}.`,
      last: (epoch: number) => `Selected: epoch ${count(epoch)}, the last.`,
      best: (epoch: number) => `Selected: epoch ${count(epoch)}, the best on validation images.`,
      instant: (epoch: number, n: number) => {
        if (!epoch) return 'Selected: the instant classifier. No epoch of fine-tuning was completed.';
        const after = epoch < n ? `In ${count(epoch)} of ${count(n)} epochs, fine-tuning` : 'Fine-tuning';
        return `Selected: the instant classifier. ${after} did not improve the validation results enough.`;
      },
    },
    finish: 'Finish now and evaluate …',
    finishTitle: 'Finish this training now?',
    finishText:
      'Fine-tuning ends, and the best epoch so far on validation images is selected, unless the instant classifier is better. coverslip then calibrates and evaluates the classifier and writes the report.',
    finishBest: (epoch: number, n: number) => `Best epoch so far: ${count(epoch)} of ${count(n)}.`,
    finishNone: 'No epoch is complete yet, so the instant classifier is selected.',
    finishFinal: 'A finished training cannot be resumed. To pause it, use “Stop (resume later)” instead.',
    finishNow: 'Finish now',
    finishCancel: 'Continue training',
    finishing: 'Finishing. Fine-tuning ends after the current step; evaluation and report follow.',
    final: 'All images',
    foldScore: (accuracy: string, f1: string) => `on its test images: accuracy ${accuracy}, macro-F1 ${f1}`,
  },

  ...results,
};
