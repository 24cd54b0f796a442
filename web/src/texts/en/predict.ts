import type { ClassifierCard, JoinCounts } from '../../api/predictions';
import type { ImageChanges } from '../../api/runs';
import { counts } from './counts';
import { fields } from './fields';
import { count, percentageUpTo, plural } from '../language';
import { micrometers, score } from '../numbers';
import { imageChanges } from './results';

/** Consequences of adding corrections to a dataset, besides new images and labels. */
function sideEffects(numbers: JoinCounts): (string | false)[] {
  const { n_same_label, n_conflicting, n_duplicates, n_unreadable } = numbers;
  return [
    n_same_label > 0 &&
      plural(n_same_label, {
        one: `${count(n_same_label)} image of the dataset already has the corrected or confirmed label.`,
        other: `${count(n_same_label)} images of the dataset already have the corrected or confirmed label.`,
      }),
    n_conflicting > 0 &&
      plural(n_conflicting, {
        one: `${count(n_conflicting)} corrected or confirmed image has duplicates with another label. Trainings exclude all of them. Correct the labels of the duplicates in the dataset too.`,
        other: `${count(n_conflicting)} corrected or confirmed images have duplicates with another label. Trainings exclude all of them. Correct the labels of the duplicates in the dataset too.`,
      }),
    n_duplicates > 0 &&
      plural(n_duplicates, {
        one: `The label of ${count(n_duplicates)} image is not used, because the dataset has the same image under another name. If its label there is wrong, correct it in the dataset.`,
        other: `The labels of ${count(n_duplicates)} images are not used, because the dataset has the same images under other names. If their labels there are wrong, correct them in the dataset.`,
      }),
    n_unreadable > 0 &&
      plural(n_unreadable, {
        one: `${count(n_unreadable)} image is not added, because the file cannot be read.`,
        other: `${count(n_unreadable)} images are not added, because the files cannot be read.`,
      }),
  ];
}

const range = (ends: readonly number[]): string => [...new Set(ends)].map(count).join('–');
const BITS = { uint8: '8-bit', uint16: '16-bit', float32: '32-bit float' };

const isText = (sentence: string | false): sentence is string => sentence !== false;

export const predict = {
  title: 'Predict new images',
  intro:
    'Choose a classifier and images. When the prediction is done, you can correct the predicted classes.',
  classifier: 'Classifier',
  none: {
    title: 'No classifier yet',
    text: 'Train a classifier on labeled images, or import a .coverslip file from another person.',
    action: 'Train a classifier',
  },
  gone: {
    title: 'This classifier is no longer available',
    text: 'The classifier was removed from coverslip. Choose another classifier.',
  },
  import: 'Import a .coverslip file',
  importing: 'Reading the file …',
  isReady: (name: string) => `${name} is ready to predict.`,
  imported: 'imported from a file',
  card: {
    title: 'Classifier',
    link: 'Card',
    linkOf: (name: string) => `Card of ${name}`,
    kind: (isImported: boolean): string => (isImported ? 'Imported classifier' : 'Trained classifier'),
    training: 'Open the training',
    predict: 'Predict images',
    about: 'About this classifier',
    notFor: 'Do not use it for:',
    metrics: 'Metrics on test images',
    testedOn: (
      {
        n,
        n_groups,
        n_ungrouped,
        split,
      }: { n: number; n_groups: number | null; n_ungrouped: number; split: string },
      isImported: boolean,
      nTested: number | null,
    ) =>
      `Measured ${isImported ? 'by its author ' : ''}on ${counts.images(n)}${n_groups === null ? '' : ` (${counts.groupsAndOthers(n_groups, n_ungrouped)})`}${
        split === 'out-of-fold' ? ' by cross-validation' : ''
      }. ${
        split === 'out-of-fold'
          ? 'Each image was predicted by a network that was not trained on it; this classifier is trained on all of them.'
          : `${nTested === null ? 'The classifier' : `The tested classifier, which was trained on ${counts.images(nTested)},`} was not trained on these images.`
      } Other images can have other results.`,
    withoutMetrics:
      'This file contains no metrics. Evaluate the classifier on labeled images before you rely on its predictions.',
    factsOf: (card: ClassifierCard): [string, string][] => [
      ['Network', `${card.model}, ${count(card.n_parameters)} parameters`],
      ['Classes', card.classes.join(', ')],
      [
        card.n_tested === null ? 'Trained and validated on' : 'Trained on',
        `${counts.images(card.n_images)}${card.n_groups === null ? '' : ` (${counts.groupsAndOthers(card.n_groups, card.n_ungrouped)})`}`,
      ],
      [
        'Size of these images',
        `${range(card.width_px)} × ${range(card.height_px)} px, ${card.dtypes.map((each) => BITS[each]).join(' or ')}, ${card.channels.join(' or ')} ${card.channels.join() === '1' ? 'channel' : 'channels'}`,
      ],
      ...card.channel_names.map((names): [string, string] => ['Channels, in this order', names.join(', ')]),
      ['Pixel size', card.pixel_side_um === null ? 'unknown' : micrometers(card.pixel_side_um)],
      ['Input of the network', `${card.image_size} × ${card.image_size} px (${card.resize})`],
      [
        'Decision threshold',
        card.thresholds === null
          ? 'none: the most probable class is predicted'
          : Object.entries(card.thresholds)
              .map(([name, value]) => `${name} ${score(value)}`)
              .join(', '),
      ],
      [
        'Uncertain',
        card.uncertain_below ? `if the probability is below ${score(card.uncertain_below)}` : 'not marked',
      ],
      [
        'Unfamiliar',
        card.detects_unfamiliar ? 'images that differ from the training images are marked' : 'not marked',
      ],
    ],
  },
  stage: { instant: 'instant classifier', finetune: 'fine-tuned' },
  classes: counts.classes,
  unfinished:
    'Training not finished: this classifier has no test results and does not mark unfamiliar (out-of-distribution) images. Finish or resume its training first.',
  ofStudies: (n: number) => `${counts.classifiers(n)} of studies`,
  images: 'Images',
  folder: 'A folder on this computer (not copied) …',
  orDataset: 'or a dataset in coverslip',
  choose: 'Choose …',
  nImages: counts.images,
  selected: (name: string) => `Selected: ${name}`,
  reading: 'coverslip is reading these images. The prediction starts when they are read.',
  prevalence: {
    title: 'Expected class proportions (prevalence)',
    help: 'If classes are rarer or more frequent in these images than in training, enter their proportions. coverslip adjusts the probabilities and predicted classes. Empty fields divide the rest as in training. The adjustment is valid only if images of each class resemble those of training.',
    of: (name: string) => `${name}, % of these images`,
    stated: (shares: string) => `Predictions assume these class proportions: ${shares}.`,
    share: (name: string, share: number) => `${name} ${percentageUpTo(share, 1)}`,
  },
  rescale: (um: number) => `Rescale to ${micrometers(um)} per pixel, as in training`,
  rescaleHelp:
    'Use this if the images come from another objective. Only images with a known pixel size are rescaled. Without rescaling, a note counts images of another pixel size.',
  start: 'Predict',
  starting: 'Starting …',
  earlier: 'Earlier predictions',
  columns: { name: 'Images', classifier: 'Classifier', state: 'State', n: 'Number', created: 'Started' },
  remove: 'Delete',
  removeNamed: (name: string) => `Delete the predictions of ${name}`,
  removed: (name: string) => `The predictions of ${name} are in the trash.`,

  removeClassifier: (name: string) => `Delete the classifier ${name}`,
  classifierRemoved: (name: string) => `The classifier ${name} is in the trash. Its predictions stay.`,

  back: 'Predict',
  with: 'with',
  progress: 'Predicting',
  stop: 'Stop',
  resume: 'Resume',
  search: 'File name contains',
  csv: 'Download CSV',
  download: {
    open: 'Download options',
    title: 'Download predictions',
    format: 'Format',
    formats: {
      csv: 'CSV, for spreadsheets, R and Python',
      jsonl: 'JSON Lines, for programs: one JSON object for each image',
    },
    probabilities: 'Probabilities',
    all: (n: number) => `Probabilities of all ${n} classes`,
    top: 'Most probable classes only',
    topK: 'Number of classes',
    topHelp:
      'Columns: top_1, top_1_probability, top_2, … Proportions by sample need the probabilities of all classes.',
    invalid: (n: number) => `Enter a number of classes from 1 to ${n}.`,
    objects: 'Download the table of objects (CSV): outlines and sizes',
    action: 'Download',
  },
  samples: {
    link: 'Proportions by sample',
    titleOf: (name: string) => `Proportions · ${name}`,
    toPrediction: 'Prediction',
    csv: 'Download table (CSV)',
    prism: 'Download for Prism (CSV)',
    report: 'Download report (HTML)',
    by: 'A sample is',
    byFolder: (n: number) => `folder (${count(n)})`,
    byColumn: (name: string, n: number) => `${name} (${count(n)})`,
    byField: (n: number) => `field (${count(n)})`,
    byPattern: 'part of the path …',
    pattern: 'Pattern (regular expression)',
    apply: 'Apply',
    class: 'Class',
    ofClass: (name: string) => `Proportion of ${name}`,
    proportion: 'Proportion',
    withoutCondition: 'no condition',
    correctedKey: 'Sample: corrected for errors of the classifier, with its 95% confidence interval',
    countedKey: 'Sample: counted proportion',
    correctedValue: 'Corrected for errors of the classifier',
    meanKey: (isCorrected: boolean, hasInterval: boolean) =>
      `Mean of the samples${isCorrected ? ', corrected' : ''}${hasInterval ? ', with its 95% confidence interval' : ''}`,
    notCorrected:
      'Proportions are not corrected, because this classifier has no predictions of test images here: it was imported, or its training was deleted or is not finished. Counts of predictions are biased by its errors.',
    counted: (areObjects: boolean, n: number, nUncertain: number, nUnfamiliar: number, nUnreadable: number) =>
      `Counted: ${areObjects ? fields.objects(n) : counts.images(n)}${nUncertain + nUnfamiliar ? `, of which ${count(nUncertain)} uncertain and ${count(nUnfamiliar)} unfamiliar, which count for each class by their probabilities` : ''}. Not counted: ${count(nUnreadable)} unreadable.`,
    repeated: (areObjects: boolean, n: number) =>
      plural(n, {
        one: `${count(n)} row lists an ${counts.unit(areObjects).one} again. It counts once.`,
        other: `${count(n)} rows list ${counts.unit(areObjects).many} again. Each ${counts.unit(areObjects).one} counts once.`,
      }),
    excluded: (areObjects: boolean, n: number) =>
      plural(n, {
        one: `${count(n)} ${counts.unit(areObjects).one} that was marked as excluded is not counted.`,
        other: `${count(n)} ${counts.unit(areObjects).many} that were marked as excluded are not counted.`,
      }),
    unmatched: (areObjects: boolean, n: number) =>
      plural(n, {
        one: `${count(n)} ${counts.unit(areObjects).one} belongs to no sample and is not counted.`,
        other: `${count(n)} ${counts.unit(areObjects).many} belong to no sample and are not counted.`,
      }),
    control: 'Compare',
    controlHelp:
      'With a control, each other condition is compared with it only, and p-values are adjusted for fewer comparisons.',
    eachTwo: 'each pair of conditions',
    samples: 'Samples',
    sample: 'Sample',
    condition: 'Condition',
    conditions: 'Conditions',
    conditionOf: (sample: string) => `Condition of ${sample}`,
    block: 'Block',
    saving: 'Saving …',
    saved: 'Saved.',
    addBlocks: 'Add blocks',
    blockOf: (sample: string) => `Block of ${sample}`,
    useFolders: 'Use names of folders as conditions',
    useColumn: (name: string) => `Conditions from column ${name}`,
    table: 'Table of conditions …',
    tableRead: (n: number, unknown: readonly string[]) =>
      plural(n, {
        one: `${count(n)} sample has the condition of the table.`,
        other: `${count(n)} samples have the conditions of the table.`,
      }) +
      (unknown.length
        ? ` Not among the samples: ${unknown.slice(0, 5).join(', ')}${unknown.length > 5 ? ' …' : ''}`
        : ''),
    moveHere: 'Move here',
    newCondition: 'New condition …',
    numbered: (n: number) => `condition ${n}`,
    conditionHelp:
      'Drag samples to a condition, or choose them and press “Move here”. A comparison needs at least three samples of each condition.',
    nameOf: (condition: string) => `Name of the condition ${condition}`,
    noValue: (isCounted: boolean, reason: string) => `${isCounted ? 'not corrected' : 'no value'}: ${reason}`,
    assumption: 'What the correction assumes',
    unknownKey: 'no bar or band: no interval, or one wider than 0.8, which only the tables state',
    trust: 'Can you rely on this?',
    corrections: (areObjects: boolean, n: number) => {
      const { one, many } = counts.unit(areObjects);
      const corrected = n === 1 ? `One ${one} was` : `${count(n)} ${many} were`;
      return `${corrected} corrected or confirmed. Proportions are of the predictions: labels of chosen ${many} would bias them.`;
    },
    check: (areObjects: boolean) => `Check it: label random ${counts.unit(areObjects).many}`,
    tableHelp: 'Counts, proportions, and fields for conditions and blocks',
    blockHelp:
      'If samples are from several days or batches, or each patient has several samples, enter the day, batch or patient as block. Conditions are then compared within blocks.',
    clear: 'Remove all conditions',
    n: (areObjects: boolean): string => (areObjects ? 'Objects' : 'Images'),
    across: (hasConditions: boolean, areObjects: boolean) =>
      hasConditions ? 'Condition (n: samples)' : `Sample (n: ${counts.unit(areObjects).many})`,
    decided: 'Decided as the class',
    raw: 'Counted proportion',
    interval: '95% CI of the proportion',
    corrected: 'Corrected ± standard error',
    computing: 'Computing the proportions…',
    startAgain: 'Start again',
    reset: (file: string) =>
      `Folders are the samples. The earlier samples and conditions are in the file ${file} of the prediction.`,
  },
  spotCheck: {
    link: 'Spot check',
    title: 'Spot check',
    result: 'Result',
    intro: (areObjects: boolean) =>
      `Label some ${counts.unit(areObjects).many} that are drawn at random, without their predictions. The labels show whether the classifier works on these ${counts.unit(areObjects).many}, and how large the proportion of each class is.`,
    csv: 'Download labels (CSV)',
    remove: 'Remove spot check',
    n: (areObjects: boolean) => `${areObjects ? 'Objects' : 'Images'} of each condition`,
    sampling: (
      areObjects: boolean,
      by: 'folder' | 'field' | 'column' | 'pattern',
      column: string,
      nConditions: number,
    ) =>
      `A sample is ${{ folder: 'a folder', field: 'a field of view', column: `a value of ${column}`, pattern: 'a part of the file path' }[by]}. ${
        nConditions
          ? `${plural(nConditions, { one: `${count(nConditions)} sample has`, other: `${count(nConditions)} samples have` })} a condition.`
          : 'No sample has a condition.'
      } The ${counts.unit(areObjects).many} are divided among the samples of a condition evenly.`,
    changeSampling: 'Change samples and conditions',
    needed: 'Number of labels for an interval',
    width: 'Half the width of the 95% confidence interval, in percentage points',
    of: 'Accuracy, or proportion of',
    accuracy: 'Accuracy',
    expected: 'Expected',
    alone: 'Labels alone',
    both: 'Labels and predictions',
    moreThanAll: 'more than all images',
    neededHelp:
      'In each condition, including the differences between its samples that the predictions show. If not even all labels are enough, more samples are needed.',
    incomplete: (areObjects: boolean) =>
      `Not all drawn ${counts.unit(areObjects).many} are labeled. The result is valid only if you did not stop because of it.`,
    counts: (areObjects: boolean, n: number, drawn: number, excluded: number) =>
      `${count(n)} of ${count(drawn)} drawn ${plural(drawn, { one: counts.unit(areObjects).one, other: counts.unit(areObjects).many })} labeled, ${count(excluded)} excluded.`,
    condition: 'Condition',
    corrections: 'Corrections',
    correctionsHelp: (areObjects: boolean) =>
      `The labels can become corrections of this prediction: use them to correct its table or to train. Exclusions are not applied, and ${counts.unit(areObjects).many} that you corrected before keep their corrections. The numbers above do not change. If you train with these ${counts.unit(areObjects).many}, this spot check is no independent test of the new classifier: draw a new one from a new prediction.`,
    apply: 'Apply labels as corrections',
    applied: (n: number, nBefore: number) =>
      `${plural(n, { one: `${count(n)} label is a correction now`, other: `${count(n)} labels are corrections now` })}${
        nBefore
          ? `; ${plural(nBefore, { one: `${count(nBefore)} earlier correction was kept`, other: `${count(nBefore)} earlier corrections were kept` })}`
          : ''
      }.`,
    nApplied: (n: number) =>
      plural(n, { one: `${count(n)} label is applied`, other: `${count(n)} labels are applied` }),
    undoApplied: 'Remove these corrections',
  },
  blind: {
    label: (areObjects: boolean) => `Label ${counts.unit(areObjects).many}`,
    progress: (areObjects: boolean) => `Labeled ${counts.unit(areObjects).many}`,
    image: (areObjects: boolean, n: number, total: number) =>
      `${areObjects ? 'Object' : 'Image'} ${count(n)} of ${count(total)}`,
    previous: 'Previous',
    next: 'Next',
    failed: (areObjects: boolean) => `This ${counts.unit(areObjects).one} cannot be shown.`,
    failedToExclude: (areObjects: boolean) =>
      `This ${counts.unit(areObjects).one} cannot be shown. Mark it as unusable.`,
    reader: 'Reader',
    saveReader: 'Save name',
    readsAsUser: (name: string) => `You label as ${name}.`,
    readsAs: (name: string) => `This browser labels as ${name}. The name is stored with every label.`,
    drawMore: (areObjects: boolean) => `Draw more ${counts.unit(areObjects).many}`,
    draw: (areObjects: boolean) => `Draw ${counts.unit(areObjects).many}`,
    removeHelp: (areObjects: boolean) =>
      `The drawn ${counts.unit(areObjects).many} and all of their labels are removed for good. Decided labels and corrections stay.`,
    labelHelp:
      'Labels are saved at once; you can continue later. Earlier labels, predictions and file names are hidden, so that they do not influence you.',
    keyList: [
      ['1–9, a–z', 'Label with the class of this key'],
      [',', 'Exclude: it shows none of the classes'],
      ['.', 'Exclude: it is unusable'],
      ['← →', 'Previous or next image'],
      ['Backspace', 'Remove the label'],
      ['?', 'Show the keys'],
    ] as [string, string][],
    keys: {
      title: 'Keys',
      note: 'Each key labels the image and shows the next one without a label.',
    },
  },
  use: 'Add corrections to the training set and retrain',
  useHelp:
    'Adds the corrected and confirmed images to the dataset of the training, then starts a new training.',
  using: {
    counts: (n: number) =>
      plural(n, {
        one: `${count(n)} image with a corrected or confirmed class is added to the dataset.`,
        other: `${count(n)} images with a corrected or confirmed class are added to the dataset.`,
      }),
    consequences: (numbers: JoinCounts): string[] => {
      const { n_new, n_withdrawn, n_relabeled } = numbers;
      return [
        n_new
          ? plural(n_new, {
              one: `${count(n_new)} new image is added to the dataset.`,
              other: `${count(n_new)} new images are added to the dataset.`,
            })
          : 'No new image is added to the dataset.',
        n_withdrawn > 0 &&
          plural(n_withdrawn, {
            one: `${count(n_withdrawn)} image that was added before is removed from the dataset, because you removed its correction.`,
            other: `${count(n_withdrawn)} images that were added before are removed from the dataset, because you removed their corrections.`,
          }),
        n_relabeled > 0 &&
          plural(n_relabeled, {
            one: `${count(n_relabeled)} image of the dataset is relabeled.`,
            other: `${count(n_relabeled)} images of the dataset are relabeled.`,
          }),
        ...sideEffects(numbers),
      ].filter(isText);
    },
    excluded: (n: number) =>
      plural(n, {
        one: `${count(n)} image marked “None of these classes” or “Unusable” is not added.`,
        other: `${count(n)} images marked “None of these classes” or “Unusable” are not added.`,
      }),
    nothing: 'No image has a corrected or confirmed class, so there is nothing to add.',
    target: (name: string, n: number) => `Dataset: ${name}, ${counts.images(n)}`,
    retrainText: (name: string) =>
      `The new training uses the settings and the test set of “${name}”, so that you can compare the two. Added images join the training set only. Files are not moved.`,
    retrainFolds: (name: string) =>
      `The new training uses the settings of “${name}”. With cross-validation, added images are test images too. Files are not moved.`,
    domain: (name: string) =>
      `The added images form the new domain “${name}”, because new images often come from another day or microscope. Results are reported for each domain.`,
    noColumn: (column: string, n: number) =>
      plural(n, {
        one: `Groups are defined by the column “${column}”, which has no value for ${count(n)} added image.`,
        other: `Groups are defined by the column “${column}”, which has no value for ${count(n)} added images.`,
      }),
    noMatch: (pattern: string, n: number) =>
      plural(n, {
        one: `Groups are defined by the pattern “${pattern}”, which does not match the path of ${count(n)} added image.`,
        other: `Groups are defined by the pattern “${pattern}”, which does not match the paths of ${count(n)} added images.`,
      }),
    ungrouped:
      'coverslip cannot determine whether these images belong to the same group (such as a patient) as test images. If they do, the metrics are too high.',
    matched: (groups: string[]) =>
      `Groups of added images: ${groups.slice(0, 6).join(', ')}${groups.length > 6 ? ', …' : ''}`,
    retrain: 'Add and retrain',
    reading: 'Reading the added images',
    otherDataset: 'Add images to another dataset instead',
    noTraining:
      'The training of this classifier is not in this app, because it was deleted or the classifier was imported. Choose a dataset for the images.',
    dataset: 'Dataset',
    newDataset: 'A new dataset',
    newDatasetText: 'Creates a dataset that is labeled by your corrections. Classes keep their keys.',
    joinText:
      'The images become another source of that dataset. Files are not moved, and images that the dataset already has are not added twice. To remove the images later, choose “Add, rename or remove folders” on the page of the dataset.',
    create: 'Create the dataset',
    join: 'Add to the dataset',
    joined: (name: string, numbers: JoinCounts): string => {
      const { n_new, n_withdrawn, n_relabeled } = numbers;
      return [
        n_new
          ? plural(n_new, {
              one: `${count(n_new)} new image was added to “${name}”.`,
              other: `${count(n_new)} new images were added to “${name}”.`,
            })
          : `No new image was added to “${name}”.`,
        n_withdrawn > 0 &&
          plural(n_withdrawn, {
            one: `${count(n_withdrawn)} image added before was removed from the dataset.`,
            other: `${count(n_withdrawn)} images added before were removed from the dataset.`,
          }),
        n_relabeled > 0 &&
          plural(n_relabeled, {
            one: `${count(n_relabeled)} image of this dataset was relabeled.`,
            other: `${count(n_relabeled)} images of this dataset were relabeled.`,
          }),
        ...sideEffects(numbers),
      ]
        .filter(isText)
        .join(' ');
    },
    changes: (run: string, changes: ImageChanges) =>
      `In total, compared with the images of “${run}”: ${imageChanges(changes) || 'no difference'}.`,
  },
  toDataset: 'Corrected labels in the dataset',
  toDatasetHelp: 'coverslip saves your corrections as labels in the dataset of these images.',
  created: 'A dataset was created from your corrections.',
  show: (areObjects: boolean): string => (areObjects ? 'Show objects' : 'Show images'),
  predictedAs: 'Decision of the classifier',
  all: (areObjects: boolean): string => (areObjects ? 'All objects' : 'All images'),
  review: 'Needs review',
  corrected: 'Reviewed',
  excludedImages: 'Excluded',
  excludedImagesHelp: (areObjects: boolean) =>
    `Users excluded these ${counts.unit(areObjects).many}. They do not count in proportions.`,
  warned: 'With a warning',
  warning: 'warning',
  uncertain: 'Uncertain',
  unfamiliar: 'Unfamiliar',
  unreadable: 'Unreadable',
  decisions: { uncertain: 'uncertain', unfamiliar: 'unfamiliar', unreadable: 'unreadable' } as Record<
    string,
    string
  >,
  reviewHelp: (uncertainBelow: string | null) =>
    `The classifier abstained here: these are unfamiliar or unreadable${uncertainBelow === null ? '' : `, or the probability of their predicted class is below ${uncertainBelow}`}. The list of all is sorted by probability, lowest first.`,
  reviewLeft: (n: number) =>
    `${count(n)} still to review. What is reviewed stays here until you open this list again.`,
  thresholds: {
    share: (name: string, threshold: string) => `“${name}” ${threshold}`,
    two: (both: string) => `Decision thresholds: ${both}.`,
    many: 'Each class has a decision threshold. The predicted class is the one with the largest margin above its threshold.',
    earlier:
      'The decision threshold of the classifier was changed after this prediction. These results use the earlier threshold. To apply the new threshold, predict the images again.',
    mark: 'earlier threshold',
  },
  warnedHelp: (areObjects: boolean) =>
    `These ${counts.unit(areObjects).many} differ from all training images of the classifier, or were used in its training. Check them before you rely on their predictions.`,
  unfamiliarHelp: (areObjects: boolean) =>
    `These ${counts.unit(areObjects).many} are out-of-distribution (OOD): their features are rare or absent in the training set. Possible reasons are another size, stain or instrument, or an object of none of the classes. Do not rely on their predicted classes. A few percent of ${counts.unit(areObjects).many} that resemble the training set are marked unfamiliar too. An unknown class that resembles a known class is often not marked.`,
  set: 'Prediction set',
  setHelp:
    'The classes that are plausible for the image. If images resemble those of training, the prediction set contains the true class for 90% of the images of each class. Each class has its own threshold, so a less probable class can be in the set and a more probable one not.',
  nothing: (areObjects: boolean) => `No ${counts.unit(areObjects).many} match.`,
  nothingYet: 'The first results appear shortly.',
  queued: 'Waiting in the queue.',
  reviewDone: (areObjects: boolean) => `All ${counts.unit(areObjects).many} that needed review are reviewed.`,
  predictedImages: 'Predicted images',
  form: 'View',
  gallery: 'Gallery',
  list: 'List',
  correctSelected: 'Correct the selection',
  selectFirst: 'Nothing is selected. Click an image or an object, or use the arrow keys.',
  notCorrected: 'no correction',
  otherClass: (name: string, isOfClassifier: boolean) =>
    `Not labeled: ${isOfClassifier ? 'the classifier' : 'the dataset'} does not have the class ${name}.`,
  excluded: { 'none-of-these': 'None of these classes', unusable: 'Unusable' },
  excludedHelp:
    'Excludes the selection from training. coverslip saves this in the table of predictions. You can undo it.',
  marks: { corrected: 'corrected', confirmed: 'confirmed', excluded: 'excluded' },
  sort: 'Sort by',
  sorts: {
    position: 'file order',
    probability: 'probability, lowest first',
    '-probability': 'probability, highest first',
  },
  keys: {
    title: 'Keys',
    note: 'Single keys act only while the list of images or the viewer has the focus. The list has the focus when it opens. To give it the focus again, press an arrow key.',
    list: [
      [
        '1 – 9, 0, a – z',
        'change the predicted class to the class of that key; “Go to the next one” then selects the next one',
      ],
      [',', 'none of these classes: exclude the image from training'],
      ['.', 'unusable image: exclude it from training'],
      ['Delete or Backspace', 'remove the correction'],
      ['Arrows, Home, End', 'select another image; in the viewer, open the next or previous image'],
      ['Click', 'select an image'],
      ['Enter, double-click', 'open the image'],
      ['+  −  Home', 'in the viewer: zoom in, zoom out, fit to window'],
      ['Shift + arrows', 'in the viewer: move the picture'],
      ['Ctrl + Z, Ctrl + Shift + Z', 'undo or redo a correction'],
      ['?', 'show this list'],
    ] as [string, string][],
  },
  correct: (name: string) => `Correct ${name}`,
  removeCorrection: 'Remove the correction',
  predictedClass: (name: string) => `predicted as ${name}`,
  stopped: 'Stopped. Predictions up to this point are saved.',
};
