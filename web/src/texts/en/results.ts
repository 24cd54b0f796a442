// Texts of results, evaluations and comparisons.
import type { ImageChanges } from '../../api/runs';
import { counts } from './counts';
import { count, plural, upTo } from '../language';
import { number, percent } from '../numbers';

interface PictureFacts {
  label?: string | null;
  correction?: string | null;
  predicted: string | null;
  probability: number | null;
}

const ofTest = (n: number) => (n ? ` (${counts.testImages(n)})` : '');

/** Changes of a dataset, such as “3 labeled images added, 2 labels corrected (1 test image)”. */
export function imageChanges(changes: ImageChanges): string {
  const { n_added, n_relabeled, n_relabeled_test, n_removed, n_removed_test } = changes;
  return [
    n_added > 0 &&
      plural(n_added, {
        one: `${count(n_added)} labeled image added`,
        other: `${count(n_added)} labeled images added`,
      }),
    n_relabeled > 0 &&
      plural(n_relabeled, {
        one: `${count(n_relabeled)} label corrected`,
        other: `${count(n_relabeled)} labels corrected`,
      }) + ofTest(n_relabeled_test),
    n_removed > 0 &&
      plural(n_removed, {
        one: `${count(n_removed)} image excluded or removed`,
        other: `${count(n_removed)} images excluded or removed`,
      }) + ofTest(n_removed_test),
  ]
    .filter(Boolean)
    .join(', ');
}

function concernOnlyTestImages(changes: ImageChanges): boolean {
  const { n_added, n_relabeled, n_relabeled_test, n_removed, n_removed_test } = changes;
  return n_added === 0 && n_relabeled === n_relabeled_test && n_removed === n_removed_test;
}

const testedByFolds = (isSame: boolean) =>
  `Test results are computed on the folds${isSame ? '' : ', each with a threshold that is chosen on the validation images of the fold'}. They differ from the values here, because other networks predicted the images. Report the test results.`;

export const results = {
  results: {
    tabs: { result: 'Result', images: 'Images', trust: 'Trust', use: 'Use' },
    parts: {
      evaluations: 'External test sets',
      metrics: 'Metrics per class and fold',
      calibration: 'Calibration',
      curves: 'ROC and PR curves',
      data: 'Data and split',
      threshold: 'Decision threshold',
      training: 'Course of the training',
    },
    tabsLabel: 'Results',
    predict: 'Predict new images',
    trainAgain: 'Train with other settings',
    nextStep: {
      title: 'Next step',
      actions: {
        adapt: 'Adapt to images from there',
        'check-labels': 'Check suspected label errors',
        'choose-threshold': 'Choose another threshold',
        'test-more': 'Test on other images',
        inspect: 'Search for shortcuts',
        'label-more': 'Label more images',
        'name-groups': 'Define groups',
        'train-there': 'Add images to the dataset',
        'train-without-leakage': 'Train with another split',
      },
      trainOnBoth: (name: string) => `Train on ${name} too`,
      trainOnBothHelp:
        'Adds its folders to the dataset of this training. They are no external test set any more.',
      fewTested: (n: number, total: number) =>
        `${count(n)} of the ${count(total)} random test images have a label, so the result is imprecise. Label more of them, then train again.`,
      labelTested: 'Label test images',
      crossValidate: 'Cross-validate in 5 folds (up to 6 times as long)',
    },
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
      noEvaluation: 'This classifier has not been evaluated on an external test set.',
      evaluations: (n: number, title: string, low: string, high: string, internal: string) =>
        `On ${counts.testSets(n)}, ${title} is ${low === high ? low : `${low} to ${high}`}. On the test set of the run, it is ${internal}.`,
    },
    warnings: (n: number) =>
      n
        ? plural(n, {
            one: `${count(n)} warning was recorded during training.`,
            other: `${count(n)} warnings were recorded during training.`,
          })
        : 'No warning was recorded during training.',
    sections: {
      image: 'Image',
      label: 'Label',
      predicted: 'Predicted',
      probability: 'Probability',
    },
    figureFiles: { title: 'Download this figure:', svg: 'SVG', png: 'PNG', csv: 'data (CSV)' },
    keyMetrics: 'Key metrics',
    keyMetricsAtHome: 'Key metrics on images from the laboratory of the training',
    metric: 'Metric',
    value: 'Value',
    intervalColumn: '95% CI',
    plot: 'Value and CI',
    primary: 'primary metric',
    limits: 'Limitations',
    notes: (n: number) => plural(n, { one: `${count(n)} note`, other: `${count(n)} notes` }),
    confusion: {
      title: 'Confusion matrix',
      atHome: 'Confusion matrix in the laboratory of the training',
      external: (name: string) => `External test set: ${name}`,
      adapted: (n: number) =>
        `In the other laboratory: ${plural(n, { one: '1 label', other: `${count(n)} labels` })}`,
      helpAdapted:
        'Labels of the laboratory that the classifier was adapted to, each predicted by cross-validation without using it. True class in rows, in the order of the test set; predicted class in columns.',
      help: 'True class in rows, lowest recall first; predicted class in columns. A cell opens its images. Arrow keys move between cells.',
      helpLike:
        'True class in rows, in the order of the test set; predicted class in columns. A cell opens its images. Arrow keys move between cells.',
      whole: (n: number, most: number) =>
        `Show all ${counts.classes(n)}, not only the ${count(most)} with the most confusions`,
      true: 'true class',
      predicted: 'predicted class',
      cell: (label: string, predicted: string, n: number, share: string) =>
        `${label} predicted as ${predicted}: ${counts.images(n)}, ${share} of the row`,
      total: 'Images',
    },
    threshold: {
      title: 'Decision threshold',
      help: (positive: string, n: number, nNegative: number, images: string, tested: string) =>
        `An image is predicted as “${positive}” if its probability for this class is at or above the threshold. To see the sensitivity and specificity of another threshold, move the point on the curve. The curve is computed on ${images} (${count(n)} of “${positive}”, ${count(nNegative)} of the other class). ${tested} When you set a threshold, coverslip recomputes the test results.`,
      chosenOn: {
        'validation images': {
          images: 'validation images',
          predictedBy: '',
          tested: () => 'Test images are not used to choose the threshold.',
        },
        'held-out training images': {
          images: 'images of all folds',
          predictedBy: ', each predicted by a linear probe that was not trained on it',
          tested: testedByFolds,
        },
        "the folds' images": {
          images: 'validation images of all folds',
          predictedBy: ', each predicted by the network of its fold',
          tested: testedByFolds,
        },
      },
      figure: (images: string) => `ROC curve on ${images}`,
      across: 'false positive rate (1 − specificity)',
      up: 'sensitivity',
      slider: 'Threshold (higher sensitivity to the right, fewer false positives to the left)',
      values: (sensitivity: string, specificity: string) =>
        `sensitivity ${sensitivity}, specificity ${specificity}`,
      operatingPoint: (images: string) => `Selected operating point on ${images} (not the test result)`,
      threshold: 'Threshold',
      sensitivity: 'Sensitivity',
      specificity: 'Specificity',
      withBound: (value: string, bound: string) => `${value} (at least ${bound})`,
      bounds: 'In parentheses: the value that new images like these reach, with 90% confidence.',
      ppv: 'Positive predictive value (PPV)',
      npv: 'Negative predictive value (NPV)',
      uncertainBelow: 'Uncertain below a probability of',
      noneUncertain: 'no prediction is uncertain',
      switchesOff: (before: string) =>
        `With this threshold, coverslip marks no prediction uncertain for a low probability. With the current threshold, it marks predictions below ${before}. On the images that are used to choose the threshold, marking the least certain predictions would not lower the error rate.`,
      prevalence: (positive: string) => `Expected proportion of “${positive}” (prevalence)`,
      atPrevalence: (ppv: string, npv: string) =>
        `At this prevalence, PPV is ${ppv} and NPV is ${npv}. This assumes that images of each class resemble the images here.`,
      inUse: (threshold: string, way: string) => `Current threshold: ${threshold} (${way}).`,
      ways: {
        highest: () => 'default',
        roc: () => 'highest mean of sensitivity and specificity on the ROC curve',
        sensitivity: (target: string) => `chosen for a sensitivity of at least ${target}`,
        specificity: (target: string) => `chosen for a specificity of at least ${target}`,
        threshold: () => 'set manually',
      },
      use: 'Use this threshold',
      useDefault: 'Use the default threshold',
      saving: 'Recomputing the test results and the report …',
      done: 'The new threshold is applied, and the test results are recomputed.',
      doneWithoutUncertain:
        'The new threshold is applied, and the test results are recomputed. coverslip no longer marks predictions uncertain for a low probability.',
      uncertain: 'Uncertain predictions',
      noUncertain: 'coverslip marks no prediction uncertain for a low probability.',
      change:
        'To use another decision rule, or a target error rate, choose “Train with other settings” and open “Decision threshold” on the training page.',
    },
    images: {
      nMisclassified: (n: number) => `${count(n)} misclassified`,
      shows: {
        all: 'All images',
        misclassified: 'Misclassified',
        uncertain: 'Uncertain',
        unfamiliar: 'Unfamiliar',
        corrected: 'Corrected',
        suspected: 'Suspected label errors',
      },
      label: 'labeled',
      probability: (share: string) => `probability ${share}`,
      anyClass: 'All classes',
      limitOfFold: 'Each fold has its own threshold below which a prediction is uncertain.',
      filterLabel: 'True class',
      filterPredicted: 'Predicted class',
    },
    tryImage: {
      title: 'Try an image',
      help: 'Drop it anywhere, paste or choose it. It is not kept.',
    },
    details: {
      methods: 'Methods, for a paper',
      copy: 'Copy',
      copied: 'Copied',
      recipe: 'Recipe',
      notes: 'Notes',
      folder: 'Folder',
    },
  },
  gallery: { none: 'No images.' },
  picture: {
    label: 'Labeled',
    labelBefore: (label: string) => `evaluated with label ${label}`,
    predicted: 'Predicted',
    /** What a person sees beside an image, for screen readers. */
    facts: ({ label, correction, predicted, probability }: PictureFacts): string[] => [
      ...(label ? [`labeled ${label}`] : []),
      ...(correction ? [`corrected: ${correction}`] : []),
      ...(predicted ? [`predicted as ${predicted}`, `probability ${percent(probability)}`] : []),
    ],
    probabilities: 'Probabilities',
    related: (n: number) =>
      plural(n, {
        one: `${count(n)} duplicate or near-duplicate in the dataset:`,
        other: `${count(n)} duplicates or near-duplicates in the dataset:`,
      }),
    path: 'File',
    group: 'Group',
  },
  exports: {
    verdict: (n: number) =>
      n
        ? plural(n, {
            one: `${count(n)} export for other programs agrees with the classifier.`,
            other: `${count(n)} exports for other programs agree with the classifier.`,
          })
        : 'There is no export for other programs yet.',
    title: 'Export for other programs',
    intro:
      'coverslip opens each export again and compares it with the classifier on up to 300 validation images. If they do not agree, the export is refused.',
    format: 'Format',
    formats: {
      onnx: {
        name: 'ONNX',
        help: 'For most image analysis programs, with a Python script that classifies image files.',
      },
      bioimageio: { name: 'BioImage.IO', help: 'For programs that read models of the BioImage Model Zoo.' },
    },
    start: 'Export',
    help: 'Help on formats and their use',
    list: 'Exports',
    columns: {
      state: 'State',
      verification: 'Agreement with the classifier',
      size: 'Size',
      created: 'Started',
    },
    agreement: (n: string, share: string) => `Same decision on ${share} of ${n} images`,
    difference: (sd: number) =>
      `Largest difference of a logit: ${sd < 1e-6 ? 'less than 0.000001' : upTo(Number(sd.toPrecision(2)), 6)} SD (limit 0.001 SD)`,
    drawn: 'The images of the training are not available. Drawn images were compared.',
    files: (n: number) => `The enclosed script reads and classifies ${counts.files(n)} equally.`,
    outdated:
      'The classifier has changed since this export, for example its decision threshold. Export it again.',
    working: 'Exporting',
    download: 'Download ZIP',
    downloadNamed: (name: string) => `Download ZIP of the ${name} export`,
    stop: 'Stop',
    restart: 'Start again',
    remove: 'Delete',
    removeNamed: (name: string) => `Delete the ${name} export`,
    removed: (name: string) => `The ${name} export is in the trash.`,
    withCoverslip: {
      title: 'Use with coverslip',
      text: 'To use the classifier in coverslip on another computer, download it and import it there on the page Predict. The file contains no images. Scripts can send images to this app and receive predictions.',
      download: 'Download the classifier (.coverslip)',
      script: 'Help on use from a script',
    },
  },
  adaptation: {
    open: 'Adapt to these images',
    unfamiliar: 'Most of these images are unfamiliar to the classifier, such as those of another laboratory.',
    title: 'Adapt to another laboratory',
    explanation:
      'A new training is added: images of both laboratories get the same size of objects and the same stain, and the last layer is fitted again. The first classifier stays as it is.',
    dataset: 'Images of the other laboratory',
    labels: (n: number, areUsed: boolean) =>
      n === 0
        ? 'None of them has a label of a class of the classifier. Without labels, the result is not checked, and every decision is “uncertain” or “unfamiliar”. Label 20 of them first, with the same class names.'
        : !areUsed
          ? `Labeled with a class of the classifier: ${counts.images(n)}. Fewer than 10, or of a single class, are not used: the result is not checked, and every decision is “uncertain” or “unfamiliar”. Label 20 images of several classes.`
          : `${counts.images(n)} of them have a label of a class of the classifier. These labels choose the classifier, and show its accuracy there.`,
    otherLabels: (n: number, names: string, areExcluded: boolean) =>
      plural(n, {
        one: `${count(n)} further image is ${areExcluded ? 'excluded' : 'used without its label, or excluded if it is “none-of-these” or “unusable”'}, because the classifier does not have its class: ${names}.`,
        other: `${count(n)} further images are ${areExcluded ? 'excluded' : 'used without their labels, or excluded if these are “none-of-these” or “unusable”'}, because the classifier does not have their classes: ${names}.`,
      }),
    label: 'Label images',
    matching: 'How images are matched, if many are unfamiliar',
    parts: { zoom: 'Size of objects', stain: 'Stain', invert: 'Dark and bright' },
    pictures: ['Your training images', 'New images', 'New images as the classifier sees them'],
    searching: 'Measuring objects and stain …',
    matched: (zoom: readonly number[], hasFixedStain: boolean, isInverted: boolean) =>
      [
        Math.max(...zoom) > 1
          ? `Enlarged: training images ${number(zoom[0]!)} ×, new images ${number(zoom[1]!)} ×.`
          : 'No image is enlarged.',
        hasFixedStain ? 'All images get the same stain.' : 'The stain is not changed.',
        isInverted ? 'Dark and bright are swapped in new images.' : '',
      ].join(' '),
    begin: 'Adapt',
    nLabels: (n: number) =>
      `Labels for the adaptation: ${count(n)}. Fewer than 10 are not used; 20 are better.`,
    next: 'Adapt the classifier …',
    latest: 'Open the adapted classifier',
  },
  evaluations: {
    title: 'External test sets',
    intro:
      'The results of the run are from the same dataset as the training images. An external test set from another day, slide or laboratory shows how well the classifier generalizes.',
    start: 'Evaluate on an external test set …',
    dataset: 'Labeled dataset',
    choose: 'Choose …',
    name: 'Name',
    begin: 'Evaluate',
    none: 'No evaluation on an external test set yet.',
    noDatasets: 'No dataset has images of the classes of this classifier.',
    usable: (name: string, n: number, all: number) =>
      n < all
        ? `${name}: ${count(n)} of ${counts.images(all)} labeled with these classes`
        : `${name}: ${counts.images(all)}`,
    noLabels: 'cannot be tested on, because it has no labels',
    otherClasses: 'cannot be tested on, because its labels are of other classes',
    ofTraining: (dataset: string) => `${dataset}, training dataset`,
    toDatasets: 'Open another dataset …',
    sharedClasses: (n: number, all: number) =>
      plural(n, {
        one: `${count(n)} of ${count(all)} labeled images has a class of this classifier.`,
        other: `${count(n)} of ${count(all)} labeled images have a class of this classifier.`,
      }),
    partlyLabeled: (n: number, all: number) =>
      plural(n, {
        one: `Only ${count(n)} of ${count(all)} images has a label. If it was labeled because the classifier was uncertain, as in a review of predictions, the metrics underestimate the performance on all images.`,
        other: `Only ${count(n)} of ${count(all)} images have a label. If they were labeled because the classifier was uncertain, as in a review of predictions, the metrics underestimate the performance on all images.`,
      }),
    unknownClasses: (names: string) =>
      `The classifier does not have these classes, so their images are not evaluated: ${names}.`,
    noSharedClass: 'The classifier has none of these classes. Rename the classes, or choose another dataset.',
    usedInTraining: (n: number) =>
      plural(n, {
        one: `${count(n)} of these images, another plane of it or a duplicate was used to train this classifier. The result on such images is too high.`,
        other: `${count(n)} of these images, other planes of them or duplicates were used to train this classifier. Results on such images are too high.`,
      }),
    notUsedInTraining: 'None of these images, and no duplicate of them, was used to train this classifier.',
    sameDataset:
      'The classifier was trained on this dataset. This evaluation does not show how well it generalizes.',
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
    restart: 'Start again',
    waiting: 'Waiting in the queue.',
    working: 'Evaluating',
    stopped: 'Stopped before a result was available.',
    tabsLabel: 'Evaluation',
    compareWith: 'Compare with another classifier on this test set',
    compare: 'Compare',
  },
  labelErrors: {
    verdict: (n: {
      suspected: number;
      checked: number;
      confirmed: number;
      misclassified: number;
      relabeled: number;
    }) => {
      const confirmed = plural(n.confirmed, {
        one: `${count(n.confirmed)} label is confirmed.`,
        other: `${count(n.confirmed)} labels are confirmed.`,
      });
      const relabeled = plural(n.relabeled, {
        one: `This number does not include ${count(n.relabeled)} image that you relabeled after this training.`,
        other: `This number does not include ${count(n.relabeled)} images that you relabeled after this training.`,
      });
      return [
        n.suspected
          ? plural(n.suspected, {
              one: `Check ${count(n.suspected)} of ${counts.labels(n.checked)} first.`,
              other: `Check ${count(n.suspected)} of ${counts.labels(n.checked)} first.`,
            })
          : `None of ${counts.labels(n.checked)} is suspected to be wrong.`,
        n.confirmed > 0 && confirmed,
        n.suspected > 0 &&
          'These images resemble another class as much as images of that class do. How many of their labels are wrong is not known, because the classifier makes errors too.',
        `Classifiers that were not trained on the respective image misclassify ${counts.images(n.misclassified)} of the dataset.`,
        n.relabeled > 0 && relabeled,
      ]
        .filter(Boolean)
        .join(' ');
    },
    notComputed: 'Suspected label errors are not computed for this run yet.',
    details: 'Numbers and notes',
    questioned: 'All misclassified images of the dataset',
    help: 'Labels of training, validation and test images that are questioned by classifiers not trained on these images. Not all suspected labels are wrong: if classes resemble each other, many of these images are only difficult. Check each image, then correct or confirm its label.',
    find: 'Find suspected label errors',
    searching: 'coverslip is checking all images. This can take minutes. You can leave this page.',
    confirmed: (n: number) => `Confirmed labels (${count(n)})`,
    notChecked: (n: number) =>
      plural(n, {
        one: `${count(n)} image could not be checked.`,
        other: `${count(n)} images could not be checked.`,
      }),
    className: 'Class',
    images: 'Images',
    misclassified: 'Misclassified (whole dataset)',
    tooFew: 'too few images',
    testImages:
      'If you correct only the suspected label errors of test images, later results can become too high, because wrong labels that agree with the classifier stay. The results of this run do not change. For an unbiased correction, also check a random sample of the test images.',
  },
  retraining: {
    notAdapted: 'The new training is not adapted to another laboratory.',
    isWrong: (name: string) => `Change label to “${name}”`,
    isRight: 'Label is correct',
    confirmed: 'label confirmed',
    notConfirmed: 'label no longer confirmed',
    selectHelp: 'Select an image to see why, and to check its label. A double click enlarges it.',
    correctLabel: 'Correct the label to',
    savedIn: (dataset: string) =>
      `coverslip corrects the label in the dataset “${dataset}” immediately. You can use the keys.`,
    corrected: (label: string) => `corrected: ${label}`,
    changed: (changes: ImageChanges, hasFolds: boolean, isAdapted: boolean) =>
      `Changes after ${isAdapted ? 'the training that was adapted' : 'this training'}: ${imageChanges(changes)}.${concernOnlyTestImages(changes) && !hasFolds ? ' The changes concern only test images. A new training changes the test result, but not the probabilities of the tested classifier. A decision threshold that you chose is not copied to the new training.' : ''}`,
    changedSince: (run: string, changes: ImageChanges) =>
      `Changes after the training “${run}”: ${imageChanges(changes) || 'none'}.`,
    ungrouped: (n: number) =>
      plural(n, {
        one: `${count(n)} added image has no group. If it belongs to the same group (such as a patient) as test images, the metrics of a new training are too high.`,
        other: `${count(n)} added images have no group. If they belong to the same group (such as a patient) as test images, the metrics of a new training are too high.`,
      }),
    start: 'Train again with these changes …',
    endings: {
      labels: 'labels corrected',
      added: 'images added',
      both: 'labels corrected and images added',
      images: 'images changed',
    },
    isDone: 'A newer training includes these changes:',
    splitsAnew:
      'This run repeats an earlier one with a new split. If you corrected labels after seeing its predictions, results can be too high, because wrong labels that agree with a classifier are not found.',
    keepsSplit: 'This run keeps the split of an earlier run, so that you can compare the two.',
    keepsSplitOfDeleted:
      'This run keeps the split of an earlier run. The two cannot be compared, because the earlier run was deleted or has no results.',
    compare: 'Compare with the earlier run',
  },
  comparing: {
    title: 'Compare runs',
    choose: 'Select two or more runs in the list to compare them.',
    toList: 'Go to the list of trainings',
    conclusion: 'Conclusion',
    noConclusion:
      'These runs cannot be tested together, because their test images, labels or classes differ.',
    working: 'Comparing …',
    changed: {
      title: (first: string, second: string) => `Images that changed from ${first} to ${second}`,
      none: 'Both runs predict the same class for every test image.',
      kinds: {
        'to-right': 'Misclassified → correct',
        'to-wrong': 'Correct → misclassified',
        'other-class': 'Misclassified as another class',
      },
      noneOfKind: 'No images.',
      shown: (n: number, total: number) => `${count(n)} of ${counts.images(total)}`,
      labeled: (label: string) => `labeled ${label}`,
      before: (name: string, share: string) => `${name} ${share}`,
      predictedBy: (run: string, name: string, share: string) => `${run}: ${name} ${share}`,
    },
    curves: 'Validation images, epoch by epoch',
  },
};
