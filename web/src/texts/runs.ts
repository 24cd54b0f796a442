import { count, counted } from './numbers';
import { results } from './results';
import type { RunState } from '../api/runs';

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
  intro: 'Each training is a folder of its own. It goes on when you close this page.',
  train: 'Train a classifier',
  none: {
    title: 'No trainings yet',
    text: 'Choose labeled images and start one. A first classifier is ready within seconds to minutes.',
  },
  states,
  running: { train: 'training', evaluate: 'evaluating', predict: 'predicting', study: 'training' },
  queuePosition: (n: number) => (n === 1 ? 'next in the queue' : `number ${n} in the queue`),
  fold: (k: number, n: number) => `fold ${k} of ${n}`,
  columns: {
    pick: 'Compare',
    name: 'Training',
    model: 'Network',
    state: 'State',
    headline: 'Result on test images',
    curve: 'Validation F1',
    created: 'Started',
    actions: 'Actions',
  },
  marks: {
    rules: {
      'chosen threshold': {
        text: 'chosen threshold',
        help: 'Classes are predicted with a decision threshold that was chosen on validation images. Compare the result only with results of the same decision rule.',
      },
      'threshold set by hand': {
        text: 'threshold set by hand',
        help: 'A person set the decision threshold. If test results were known by then, the result is too high.',
      },
    },
    relabeled: (n: number) => ({
      text: `${counted(n, 'test image', 'test images')} relabeled`,
      help: 'Labels were corrected after looking at misclassified images, so the result is an overestimate. The summary of the training shows the accuracy with the earlier labels.',
    }),
    otherRule: 'without threshold',
    otherRuleHelp:
      'Here the class with the highest probability is predicted; the test result is with the decision threshold. Do not compare the two.',
  },
  curve: (first: string, last: string) => `F1 on validation images, epoch by epoch: from ${first} to ${last}`,
  meanOfFolds: (n: number) => `Mean of ${n} ${n === 1 ? 'fold' : 'folds'}`,
  pick: (name: string) => `Compare ${name}`,
  compare: (n: number) => (n < 2 ? 'Tick two or more to compare' : `Compare ${n} trainings`),
  interval: (low: string, high: string) => `${low} to ${high}`,
  remove: 'Delete',
  removeNamed: (name: string) => `Delete ${name}`,
  removed: (name: string) => `${name} is in the trash.`,
  open: 'Open',
  back: 'All trainings',
  toStudy: 'Part of a study',
  rename: 'Rename',
  newName: 'Name of the training',
  save: 'Save',
  cancel: 'Cancel',

  live: {
    title: 'Progress',
    whole: 'Whole training',
    fold: (k: number, n: number) => `Fold ${k} of ${n}`,
    folds: 'Folds',
    epoch: (k: number, n: number, perSecond: number) =>
      `Epoch ${k} of ${n} · ${perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond))} images per second`,
    work: (stage: string) => stage.charAt(0).toUpperCase() + stage.slice(1),
    left: (time: string) => `${time} left`,
    waiting: 'Waiting for the training or study before it.',
    starting: 'Starting …',
    ready: 'A first classifier is ready',
    first: 'First numbers',
    preliminary: 'preliminary',
    preliminaryText:
      'From validation images, which training makes choices by. The numbers that count are measured on test images at the end.',
    sinceStart: (time: string) => `${time} since the start`,
    queuedFor: (time: string) => `Queued for ${time}.`,
    accuracy: 'Accuracy',
    f1: 'Macro-F1',
    readyText: (accuracy: string, f1: string) =>
      `The instant classifier reaches an accuracy of ${accuracy} and a macro-F1 of ${f1} on validation images. Fine-tuning starts from it. Validation images decide which of the two is kept.`,
    readyAlone: (accuracy: string, f1: string) =>
      `The instant classifier reaches an accuracy of ${accuracy} and a macro-F1 of ${f1} on validation images.`,
    predictNow: 'Predict with it now',
    partsOfFinal: (n: string) => `The final classifier is trained on all ${n} images.`,
    parts: (train: string, val: string, test: string) =>
      `${train} training images, ${val} validation images, ${test} test images`,
    watched: {
      title: 'Predictions of validation images',
      help: (n: number) =>
        `${n} validation images, the same ones in every epoch, with their predicted class. Dashed: misclassified, with the label below. The curves show the results for all validation images.`,
      right: (epoch: number, n: number, all: number) =>
        `${epoch ? `After epoch ${epoch}` : 'Before the first epoch'}: ${n} of ${all} right.`,
      isRight: (name: string) => `${name}, as labeled`,
      isWrong: (label: string, name: string) => `${label}, predicted as ${name}`,
    },
    curves: 'Curves',
    curvesOf: 'Curves of',
    noCurves: 'Curves appear after the first epoch of fine-tuning.',
    noFineTuning: 'This training has no epochs: the instant classifier is fitted in one go.',
    train: 'training',
    val: 'validation',
    kept: 'kept',
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
    logEmpty: 'Nothing yet.',
    allLines: 'The whole log',
    stop: 'Stop (resume later)',
    stopHelp: 'The best classifier so far is kept.',
    stopHelpEarly: 'There is no classifier yet. What was done is kept, and you can resume it later.',
    stopping: 'Stopping after the current step …',
    resume: 'Resume',
    stopped: 'Stopped.',
    stoppedText: 'The best classifier so far is kept. You can resume it where it stopped.',
    stoppedEarly:
      'There is no classifier yet, but what was done is kept. You can resume it where it stopped.',
    interrupted: 'It was interrupted.',
    interruptedText:
      'Its process ended unexpectedly (the computer may have been switched off). What it had learnt by then is kept, and you can resume it.',
    failed: 'The training failed.',
    lost: 'The connection is lost; trying again …',
    step: (k: number) => (k === 1 ? 'Step 1 of 2: pretraining on other images' : 'Step 2 of 2: your images'),
    firstTraining: 'Step 1 of 2: pretraining',
    main: 'This training',
    second: 'Step 2 of 2: your images',
    stages: {
      title: 'Stages',
      names: {
        reading: 'Read images',
        instant: 'Instant classifier',
        finetune: 'Fine-tuning',
        measuring: 'Calibration, test images and report',
      },
      soFar: (time: string) => `${time} so far`,
    },
    learningRate: 'Learning rate',
    epochZero:
      'Epoch 0 is the instant classifier before it was also fitted on validation images. Epochs are validated without test-time augmentation to save time, so these results can differ from those given for the instant classifier.',
    dip: 'Validation results are usually worse while the learning rate is high. They usually recover only when it falls.',
    selection: {
      lastLater: (n: number) =>
        `If fine-tuning is not ended early, its last epoch (${n}) is kept: by then the learning rate has fallen to zero. If you finish it now, the best epoch so far is kept. If you stop it, that epoch can be used until you resume: the training then continues after its last completed epoch.`,
      bestSoFar: (epoch: number) =>
        `The epoch with the best validation results is kept; so far this is epoch ${epoch}.`,
      last: (epoch: number) => `Kept: epoch ${epoch}, the last.`,
      best: (epoch: number) => `Kept: epoch ${epoch}, the best on validation images.`,
      instant: 'Kept: the instant classifier. Fine-tuning did not improve the validation results enough.',
    },
    finish: 'Finish now and evaluate …',
    finishTitle: 'Finish this training now?',
    finishText:
      'Fine-tuning ends. The best epoch so far by validation images is kept, unless the instant classifier is better. Calibration, test images and the report follow.',
    finishBest: (epoch: number, n: number) => `Best epoch so far: ${epoch} of ${n}.`,
    finishNone: 'No epoch is complete yet, so the instant classifier is kept.',
    finishFinal: 'A finished training cannot be resumed. To pause it, use “Stop (resume later)” instead.',
    finishNow: 'Finish now',
    finishCancel: 'Keep training',
    finishing: 'Finishing: fine-tuning ends after this step; test images and the report follow.',
    final: 'All images',
    foldScore: (accuracy: string, f1: string) => `accuracy ${accuracy}, macro-F1 ${f1}`,
  },
  lines: {
    steps: (isFirst: boolean) => (isFirst ? 'Step 1 of 2 (pretraining): ' : ''),
    RunStarted: (train: string, val: string, test: string) =>
      `${train} training images, ${val} validation images, ${test} test images`,
    kept: (epoch: number, isLast: boolean) =>
      `Kept: epoch ${epoch}, ${isLast ? 'the last' : 'the best on validation images'}`,
    keptInstant: 'Kept: the instant classifier',
    FoldStarted: (k: number, n: number) => `Fold ${k} of ${n}`,
    FoldEnded: (k: number, accuracy: string, f1: string) =>
      `Fold ${k} tested: accuracy ${accuracy}, macro-F1 ${f1}`,
    instant: 'Stage 1: a classifier on top of the pretrained network',
    finetune: (n: number) => `Stage 2: fine-tuning the network, ${counted(n, 'epoch', 'epochs')}`,
    instantReady: 'The instant classifier is ready',
    instantScores: (accuracy: string, f1: string) => `: validation accuracy ${accuracy}, macro-F1 ${f1}`,
    start: (f1: string) => `Epoch 0, before fine-tuning: validation F1 ${f1}`,
    EpochEnded: (k: number, n: number, loss: string, f1: string, best: boolean) =>
      `Epoch ${k} of ${n}: training loss ${loss}, validation F1 ${f1}${best ? ' (best epoch of fine-tuning so far)' : ''}`,
    done: 'Done',
    foldDone: (k: number) => `Fold ${k} done`,
    stopped: 'Stopped',
    failed: (reason: string) => `Failed${reason ? `: ${reason}` : ''}`,
  },

  ...results,
};
