// What a finished run reached: results, evaluations, comparisons.
import type { ImageChanges } from '../api/runs';
import { count, counted } from './numbers';

const ofTest = (n: number) => (n ? ` (${counted(n, 'test image', 'test images')})` : '');

/** Like “3 labeled images added, 2 labels corrected (1 test image), 1 image excluded or removed”. */
export function imageChanges(changes: ImageChanges): string {
  const { n_added, n_relabeled, n_relabeled_test, n_removed, n_removed_test } = changes;
  return [
    n_added > 0 && `${counted(n_added, 'labeled image', 'labeled images')} added`,
    n_relabeled > 0 && `${counted(n_relabeled, 'label', 'labels')} corrected${ofTest(n_relabeled_test)}`,
    n_removed > 0 && `${counted(n_removed, 'image', 'images')} excluded or removed${ofTest(n_removed_test)}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function areOfTestAlone(changes: ImageChanges): boolean {
  const { n_added, n_relabeled, n_relabeled_test, n_removed, n_removed_test } = changes;
  return n_added === 0 && n_relabeled === n_relabeled_test && n_removed === n_removed_test;
}

const testedByFolds = (isSame: boolean) =>
  `Test results are those of the folds${isSame ? '' : ': each fold has its own threshold, chosen on its own validation images'}. They differ from the values here, because other networks predicted the images. Report the test results.`;

export const results = {
  results: {
    tabs: {
      summary: 'Summary',
      metrics: 'Metrics',
      confusion: 'Confusion matrix',
      mistakes: 'Misclassified',
      threshold: 'Decision threshold',
      curves: 'ROC and PR curves',
      calibration: 'Calibration',
      data: 'Data and split',
      doubtful: 'Suspected label errors',
      evaluations: 'External test sets',
      training: 'Training',
      details: 'Details',
    },
    tabsLabel: 'Results',
    predict: 'Predict new images',
    again: 'Train again with changes',
    report: 'Open the report',
    download: 'Download',
    downloads: {
      report: 'Report (HTML)',
      predictions: 'Predictions (CSV)',
      'confusion-matrix': 'Confusion matrix (CSV)',
      'model-card': 'Model card, for a paper (Markdown)',
      classifier: 'Classifier (.coverslip)',
      run: 'Run folder (ZIP)',
      recipe: 'Recipe (YAML)',
    },
    verdicts: {
      metrics: (title: string, value: string) => `${title} is ${value}.`,
      lowestClass: (name: string, f1: string, n: string) =>
        `The class with the lowest F1 is ${name}: ${f1} (${n}).`,
      confusion: (n: string, label: string, predicted: string, share: string) =>
        `Most frequent confusion: ${n} of ${label} (${share} of the class) predicted as ${predicted}.`,
      noConfusion: 'No test image is misclassified.',
      misclassified: (n: string, all: string, share: string) =>
        `${n} of ${all} test images are misclassified (${share}).`,
      positive: (positive: string, sensitivity: string, specificity: string) =>
        `For “${positive}”, sensitivity is ${sensitivity} and specificity ${specificity} on the test images.`,
      positiveByFolds: (
        positive: string,
        sensitivity: string,
        specificity: string,
        way: string,
        threshold: string,
      ) =>
        `On the test images of the folds, each with a threshold of its own (${way}), sensitivity for “${positive}” is ${sensitivity} and specificity ${specificity}. The threshold of the classifier, ${threshold}, was not tested on them.`,
      highest: 'Each image is predicted as its most probable class. No class has a threshold of its own.',
      roc: 'Each class has its own threshold. An image is predicted as the class furthest above its threshold.',
      curves: (auroc: string, title: string, precision: string | null) =>
        `${title} is ${auroc}${precision === null ? '' : `; average precision is ${precision}`}. An AUROC of 0.5 is chance.`,
      noCurves: 'No curve can be drawn: each needs images of the class and of other classes.',
      calibrated: (ece: string, chance: string) =>
        `No miscalibration is shown: the expected calibration error (ECE) of ${ece} is within what chance gives. ${chance}`,
      overconfident: (ece: string, chance: string, confidence: string, accuracy: string) =>
        `The probabilities are too high: on average ${confidence}, but ${accuracy} of the predictions are right. The expected calibration error (ECE) is ${ece}. ${chance}`,
      underconfident: (ece: string, chance: string, confidence: string, accuracy: string) =>
        `The probabilities are too low: on average ${confidence}, but ${accuracy} of the predictions are right. The expected calibration error (ECE) is ${ece}. ${chance}`,
      uncalibrated: (ece: string, chance: string) =>
        `The probabilities are not well calibrated: some are too high, others too low. The expected calibration error (ECE) is ${ece}. ${chance}`,
      eceByChance: (mean: string, high: string) =>
        `With as many images, a perfectly calibrated classifier has an ECE of ${mean} on average and of up to ${high} in 95% of cases.`,
      split: (n: string, train: string, val: string, test: string) =>
        `${n} images: ${train} for training, ${val} for validation, ${test} for testing.`,
      folds: (n: string, folds: number) =>
        `${n} images in ${folds} cross-validation folds; each image is tested once.`,
      labelErrors: (expected: number, judged: string, confirmed: number, n: string, relabelled: number) =>
        `${expected ? `About ${count(expected)}` : 'None'} of ${judged} labels ${expected ? 'may be' : 'is suspected to be'} wrong${confirmed ? `; ${count(confirmed)} confirmed as right` : ''}.${expected ? ' These images resemble another class as much as images of that class do.' : ''} Of all images of the dataset, ${n} are misclassified by classifiers that were not trained on them.${relabelled ? ` This does not count ${counted(relabelled, 'image', 'images')} that you gave another label since this training.` : ''}`,
      noLabelErrors: 'Suspected label errors have not been computed for this run.',
      noEvaluation: 'This classifier has not been evaluated on an external test set.',
      evaluations: (n: string, title: string, low: string, high: string, own: string) =>
        `On ${n}, ${title} is ${low === high ? low : `${low} to ${high}`}; on the run's own test set it is ${own}.`,
      finetuned: (epoch: number, n: number) =>
        `Fine-tuning ran for ${counted(n, 'epoch', 'epochs')}; epoch ${epoch} is used.`,
      instant: 'The instant classifier is used: a linear classifier on features of the pretrained network.',
      eachFold: (n: number) =>
        `Each of ${n} folds was trained separately; the classifier itself is trained on all images.`,
      warnings: (n: number) =>
        n
          ? `${counted(n, 'warning was', 'warnings were')} recorded during training.`
          : 'No warning was recorded during training.',
    },
    figureFiles: { title: 'This figure:', svg: 'SVG', png: 'PNG', csv: 'numbers (CSV)' },
    numbers: 'Metrics',
    keyMetrics: 'Key metrics',
    byChance: (value: string) => `${value} expected by chance`,
    allMetrics: 'All metrics',
    metric: 'Metric',
    value: 'Value',
    intervalColumn: '95% CI',
    further: 'Further metrics',
    ownColumn: 'Own test set',
    plot: 'Value and CI',
    primary: 'primary metric',
    method: (intervals: string, method: string) =>
      `Dots are values, bars are 95% confidence intervals (CI). ${intervals} Method: ${method}.`,
    perClass: 'Metrics by class',
    allClasses: (n: number) => `Show all ${n} classes`,
    ofImages: (correct: string, images: string) => `${correct} of ${images}`,
    countsInstead:
      'Counts are shown instead of a confidence interval where the images come from fewer than 5 groups.',
    worstClasses: (n: number) =>
      `The ${n} classes with the lowest F1. Choose a heading to sort, or find a class.`,
    perClassHelp:
      'Below each value is its 95% CI. Recall is also called sensitivity; precision is also called positive predictive value. NPV is the negative predictive value. Choose a heading to sort.',
    classColumns: {
      name: 'Class',
      n: 'Images',
      precision: 'Precision',
      recall: 'Recall',
      specificity: 'Specificity',
      npv: 'NPV',
      f1: 'F1',
      auroc: 'AUROC',
      average_precision: 'Average precision',
    },
    limits: 'Limits of the result',
    image: 'image',
    images: 'images',
    mixUps: 'Most frequent confusions',
    noMixUps: 'No test image is misclassified.',
    mixUp: (label: string, predicted: string) => `${label} predicted as ${predicted}`,
    ofClass: (share: string) => `${share} of the class`,
    domains: 'By domain',
    domain: 'Domain',
    groups: 'Groups',
    folds: 'Metrics by fold',
    foldsHelp:
      'Each fold is predicted by a classifier that was not trained on it. Large differences between folds mean that the result depends on which images are tested.',
    fold: 'Fold',
    moreImages: {
      drawing: 'Error by number of training images',
      across: 'training images',
      up: 'error (1 − macro-F1)',
      twice: 'twice as many',
      dot: (n: string, error: string, low: string, high: string) =>
        `${n} training images: error ${error} (95% CI ${low} to ${high})`,
    },
    confusion: {
      help: 'Rows are true classes, columns are predicted classes. Choose a cell to see its images; the arrow keys move between cells.',
      counts: 'Counts',
      csv: 'Table (CSV)',
      shares: 'Percent of the row',
      shown: 'Cells show',
      whole: (n: number, most: number) =>
        `Show all ${n} classes, not only the ${most} that are confused most`,
      right: 'correct',
      wrong: 'misclassified',
      legend: 'Share of the row',
      range: '0 to 100%',
      true: 'true class',
      predicted: 'predicted class',
      cell: (label: string, predicted: string, n: number, share: string) =>
        `${label} predicted as ${predicted}: ${counted(n, 'image', 'images')}, ${share} of the row`,
      images: (label: string, predicted: string) =>
        label === predicted ? `${label}, classified correctly` : `${label}, predicted as ${predicted}`,
      total: 'Images',
    },
    threshold: {
      title: 'Decision threshold',
      help: (positive: string, n: string, others: string, images: string, tested: string) =>
        `An image is predicted as “${positive}” if its probability is at or above the threshold. Move the point to see the sensitivity and specificity of other thresholds on ${images} (${n} of “${positive}”, ${others} others). ${tested} The test results are recomputed when you set a threshold.`,
      chosenOn: {
        'validation images': {
          images: 'validation images',
          predictedBy: '',
          tested: () => 'Test images are not used for this choice.',
        },
        'held-out training images': {
          images: 'images of all folds',
          predictedBy: ', each predicted by a linear probe that was trained without it',
          tested: testedByFolds,
        },
        "the folds' images": {
          images: 'validation images of all folds',
          predictedBy: ', each predicted by its fold’s network',
          tested: testedByFolds,
        },
      },
      drawing: (images: string) => `ROC curve of ${images}`,
      across: 'false positive rate (1 − specificity)',
      up: 'sensitivity',
      slider: 'Threshold (higher sensitivity to the right, fewer false positives to the left)',
      say: (sensitivity: string, specificity: string) =>
        `sensitivity ${sensitivity}, specificity ${specificity}`,
      chosen: (images: string) => `Chosen operating point, on ${images} (not the test result)`,
      threshold: 'Threshold',
      sensitivity: 'Sensitivity',
      specificity: 'Specificity',
      ppv: 'Positive predictive value (PPV)',
      npv: 'Negative predictive value (NPV)',
      uncertainBelow: 'Uncertain below a probability of',
      noneUncertain: 'none uncertain',
      switchesOff: (before: string) =>
        `With this threshold, no prediction is marked uncertain for a low probability. With the threshold in use, predictions below ${before} are. On the images that the threshold is chosen on, marking the least certain predictions would not lower the share of errors.`,
      where: (positive: string) => `Expected proportion of “${positive}” (prevalence)`,
      elsewhere: (ppv: string, npv: string) =>
        `At this prevalence, PPV is ${ppv} and NPV is ${npv}, if images of each class look the same as here.`,
      inUse: (threshold: string, way: string) => `In use: threshold ${threshold} (${way}).`,
      ways: {
        highest: () => 'the default',
        roc: () => 'the best balance of both classes, ROC',
        sensitivity: (target: string) => `chosen for a sensitivity of ${target}`,
        specificity: (target: string) => `chosen for a specificity of ${target}`,
        threshold: () => 'set by hand',
      },
      use: 'Use this threshold',
      back: 'Use the default threshold',
      saving: 'Recomputing the test results and the report …',
      done: 'The new threshold is in use. The test results were recomputed.',
      doneWithoutUncertain:
        'The new threshold is in use. The test results were recomputed. Predictions are no longer marked uncertain for a low probability.',
      uncertain: 'Uncertain predictions',
      noUncertain: 'No prediction is marked uncertain for a low probability.',
      points: 'Threshold of each class',
      point: 'Threshold',
      change:
        'To use another decision rule, or a target error rate, choose “Train again with changes” and open “Decision threshold” on the training page.',
    },
    curves: {
      roc: 'ROC curve: each class against all others',
      rocAcross: 'false positive rate (1 − specificity)',
      rocUp: 'true positive rate (sensitivity)',
      pr: 'Precision–recall curve of each class',
      prAcross: 'recall (sensitivity)',
      prUp: 'precision (positive predictive value)',
      legend: 'Classes',
      rocHelp:
        'AUROC is the probability that an image of the class has a higher probability for it than an image of another class.',
      prHelp:
        'AP (average precision) is the area under the curve. For rare classes it is more informative than AUROC.',
      auroc: 'AUROC',
      ap: 'AP',
      none: 'Not computed: the test images contain only one of these classes.',
    },
    calibration: {
      title: 'Calibration',
      help: 'Each dot is a bin of images: across, the mean of their highest probability; up, the share whose most probable class is the true one. Decision thresholds play no part here. On the line, both are equal. Below the line, the probabilities are too high. Larger dots stand for more images. The ECE is the average distance from the line, weighted by images.',
      drawing: 'Reliability diagram',
      bars: 'Images by probability',
      before: 'before calibration',
      after: 'after calibration',
      right: 'correct',
      wrong: 'wrong',
      error: (value: string) => `ECE ${value}`,
      across: 'highest probability',
      up: 'share correct',
      images: (n: number) => counted(n, 'image', 'images'),
      none: 'This run has no predicted probabilities.',
      noBefore: 'Values before calibration are not shown, because each fold has its own temperature.',
      table: 'Show as a table',
      bin: 'Probability',
      mean: 'Mean probability',
      share: 'Most probable class is correct',
    },
    mistakes: {
      title: 'Misclassified images',
      help: 'The predicted class is red, the label stands below it. The highest probabilities come first: their labels are the most likely to be wrong.',
      surest: 'Most confident misclassified images',
      all_of: (n: number) => (n === 1 ? 'Show the image' : `Show all ${count(n)} misclassified images`),
      label: 'labeled',
      sure: (share: string) => `probability ${share}`,
      all: 'All classes',
      filterLabel: 'True class',
      filterPredicted: 'Predicted class',
    },
    details: {
      methods: 'Methods, for a paper',
      copy: 'Copy',
      copied: 'Copied',
      recipe: 'Recipe',
      notes: 'Notes',
      noNotes: 'No warning was recorded.',
      folder: 'Folder',
    },
  },
  gallery: {
    more: 'Show more',
    shown: (n: string, total: string) => `${n} of ${total} images`,
    none: 'No images here.',
    enlarge: (name: string) => `Enlarge ${name}`,
  },
  picture: {
    label: 'Labeled',
    labelBefore: (label: string) => `evaluated with label ${label}`,
    predicted: 'Predicted',
    probabilities: 'Probabilities',
    path: 'File',
    group: 'Group',
  },
  evaluations: {
    title: 'External test sets',
    set: 'external test set',
    sets: 'external test sets',
    intro:
      'The results so far are from the same dataset as the training images. An external test set from another day, slide or laboratory shows how well the classifier generalizes.',
    start: 'Evaluate on an external test set …',
    dataset: 'Labeled dataset',
    choose: 'Choose …',
    name: 'Name',
    begin: 'Evaluate',
    none: 'Not evaluated on an external test set yet.',
    noDatasets: 'There is no other labeled dataset.',
    toDatasets: 'Open another dataset …',
    known: (n: string, all: string) => `${n} of ${all} labeled images have a class of this classifier.`,
    partly: (n: string, all: string) =>
      `Only ${n} of ${all} images have a label. If these were chosen because the classifier was unsure of them, as in a review of predictions, the metrics are too low for the others.`,
    unknown: (names: string) =>
      `Not evaluated, because the classifier does not have these classes: ${names}.`,
    noneKnown: 'The classifier has none of these classes. Rename them, or choose another dataset.',
    seen: (n: string) =>
      `${n} of these images, or duplicates of them, were training or validation images. Results on such images are too good.`,
    notSeen: 'None of these images, and no duplicate of them, was a training or validation image.',
    sameDataset: 'The classifier was trained on this dataset. Results on its images say little.',
    columns: {
      name: 'Dataset',
      state: 'State',
      n: 'Images',
      headline: 'Result',
      created: 'Started',
    },
    back: 'Results of the run',
    of: 'classifier of',
    csv: 'Download CSV',
    remove: 'Delete',
    removeNamed: (name: string) => `Delete the evaluation on ${name}`,
    removed: (name: string) => `The evaluation on ${name} is in the trash.`,
    stop: 'Stop',
    again: 'Start again',
    waiting: 'Waiting in the queue behind another evaluation.',
    working: 'Evaluating',
    stopped: 'Stopped before there was a result.',
    tabsLabel: 'Evaluation',
    thisSet: 'This test set',
    against: 'Comparison with the own test set',
    lower: (title: string, here: string, own: string, difference: string) =>
      `${title} is lower on this test set than on the own test set: ${here} against ${own}, difference ${difference}.`,
    higher: (title: string, here: string, own: string, difference: string) =>
      `${title} is higher on this test set than on the own test set: ${here} against ${own}, difference ${difference}.`,
    same: (title: string, here: string, own: string, difference: string) =>
      `The difference in ${title} is not statistically significant: ${here} on this test set, ${own} on the own test set, difference ${difference}.`,
    noInterval: (title: string, here: string, own: string, reason: string) =>
      `${title} is ${here} on this test set and ${own} on the own test set. The difference cannot be tested: ${reason}.`,
    againstHelp:
      'The interval of the difference assumes that the two test sets are independent: no patient or slide occurs in both.',
    compareWith: 'Compare with another classifier on this test set',
    compare: 'Compare',
  },
  doubtful: {
    title: 'Suspected label errors',
    help: 'Labels of training, validation and test images that are questioned by classifiers not trained on these images. Not all of them are wrong: where classes look alike, many are only difficult. Check each image: correct the label, or confirm it as right.',
    look: 'Find suspected label errors',
    looking: 'Checking all images. This can take minutes. You can leave this page.',
    goThrough: (n: string) => `Review ${n} in the gallery`,
    confirmed: (n: string) => `Confirmed labels (${n})`,
    notJudged: (n: string) => `${n} could not be checked.`,
    className: 'Class',
    images: 'Images',
    doubtful: 'Misclassified (whole dataset)',
    tooFew: 'too few images',
    showAll: (n: number, most: number, confirmed: number) =>
      (n > most
        ? `Show the first ${count(most)} of ${count(n)} misclassified images`
        : `Show all ${count(n)} misclassified images`) + (confirmed ? ' without a confirmed label' : ''),
    showFewer: 'Show the suspected errors only',
    image: 'Image',
    label: 'Label',
    suggested: 'Suggested class',
    score: 'Score (0–1)',
    testImages:
      'If you correct only the suspected label errors of test images, the results may become too high, because wrong labels that agree with the classifier stay. The results of this run do not change. For a fair correction, also check a random sample of the test images.',
  },
  again: {
    shows: 'Correct the label: the image shows',
    joins: (dataset: string) => `The label is corrected in ${dataset} at once. You can use the keys.`,
    corrected: (label: string) => `corrected: ${label}`,
    changed: (changes: ImageChanges, hasFolds: boolean) =>
      `Since this training: ${imageChanges(changes)}.${areOfTestAlone(changes) && !hasFolds ? ' Only test images are affected: training again changes the result, but not the probabilities that the classifier gives. A decision threshold, if you chose one, is not carried over.' : ''}`,
    ungrouped: (n: number) =>
      `${counted(n, 'added image has', 'added images have')} no known group, so nothing shows whether ${n === 1 ? 'it is' : 'they are'} of the same group (such as a patient) as test images. If so, the metrics of a training with them are too high.`,
    result: (metric: string, first: string, second: string) => `${metric} ${first} before, ${second} now`,
    byLabels: {
      both: 'On the same test images:',
      first: 'By the old test labels (the fair ones):',
      second:
        'By the corrected test labels (possibly too high, because only misclassified images were checked):',
    },
    otherRule:
      'The two runs use different decision rules, so metrics of predicted classes differ for that reason as well. A threshold that you choose for a run is not carried over to another training: choose it again under “Decision threshold”.',
    start: 'Train again with these images …',
    endings: {
      labels: 'labels corrected',
      added: 'images added',
      both: 'labels corrected and images added',
      images: 'images changed',
    },
    isDone: 'A newer training has these changes:',
    isAgain: 'This run keeps the split of an earlier run, so that the two can be compared.',
    isAgainOfDeleted:
      'This run keeps the split of an earlier run, which cannot be compared: it was deleted or has no results.',
    compare: 'Compare with the earlier run',
  },
  comparing: {
    published: {
      title: 'Published results',
      help: 'Results from a paper beside yours. The test images differ, so no test is possible: a difference can come from the images alone.',
      mark: 'published: other images, not tested',
      name: 'Paper',
      metric: 'Metric',
      value: 'Value (0 to 1)',
      add: 'Add',
      remove: 'Remove',
      removeNamed: (name: string) => `Remove ${name}`,
    },
    title: 'Compare runs',
    choose: 'Tick two or more runs in the list to compare them.',
    toList: 'Go to the list of runs',
    conclusion: 'Conclusion',
    noConclusion: 'There is no test of all these runs together: their test images, labels or classes differ.',
    metric: 'Metric',
    images: 'Test images',
    help: 'Bars are the 95% confidence intervals (CI) of single values. Whether two runs differ follows from the interval of their difference: intervals of single values that overlap say nothing about it.',
    working: 'Comparing …',
    pair: (first: string, second: string) => `${second} compared with ${first}`,
    measuredOn: (images: string, groups: string) =>
      `Computed on ${images}${groups ? ` from ${groups}` : ''} of both test sets.`,
    group: 'group',
    groups: 'groups',
    labels: {
      both: '',
      first: 'By the labels of the first run',
      second: 'By the labels of the second run',
    },
    difference: 'Difference',
    interval: '95% CI of the difference',
    significance: 'Significance',
    shown: 'statistically significant',
    chance: 'not statistically significant',
    allMetrics: (n: number) => counted(n, 'more metric', 'more metrics'),
    mcnemar: (first: number, second: number, p: string) =>
      `${counted(first, 'image is', 'images are')} classified correctly by the first run only, ${counted(second, 'image', 'images')} by the second only (McNemar’s exact test, which treats images as independent: ${p}).`,
    changed: {
      title: (first: string, second: string) => `Images that changed from ${first} to ${second}`,
      none: 'Both runs predict the same class for every test image.',
      kinds: {
        'to-right': 'Misclassified → correct',
        'to-wrong': 'Correct → misclassified',
        'other-class': 'Misclassified as another class',
      },
      noneOfKind: 'No image.',
      shown: (n: string, total: string) => `${n} of ${total} images`,
      labeled: (label: string) => `labeled ${label}`,
      before: (name: string, share: string) => `${name} ${share}`,
      all: (n: number) => `Show all ${count(n)}`,
    },
    differed: 'Settings and data that differ',
    nothingDiffered: 'Recipe, images and split are the same.',
    own: 'Results of each run',
    fit: {
      val_accuracy: 'Accuracy on validation images (most probable class)',
      val_f1: 'F1 on validation images (most probable class)',
      train_accuracy: 'Accuracy on training images (most probable class)',
      train_f1: 'F1 on training images (most probable class)',
    },
    curves: 'Validation images, epoch by epoch',
  },
};
