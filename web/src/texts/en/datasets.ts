import { counts } from './counts';
import { count, plural } from '../language';
import { interval, micrometers, pValue, score } from '../numbers';

export const datasets = {
  title: 'Datasets',
  start: {
    goOn: (name: string) => `Continue with ${name}`,
    labelLast: (name: string) => `Label ${name}`,
    title: 'Get started',
    local: 'All data stays on this computer. coverslip sends no image, label or result anywhere.',
    onServer:
      'All data of this project is on the server of your lab, for its members and administrators. The server sends no image, label or result anywhere else.',
    copy: 'This workspace was copied from another folder, or moved to another disk. It has its own files: nothing that you do here changes those of the other folder.',
    samples: {
      title: 'Try it with sample images',
      text: 'Synthetic images of five types of blood cells from 60 slides. Go from images to a classifier and its report within minutes. coverslip adds two datasets: labeled images for training, and new images for prediction.',
      action: 'Use the sample images',
    },
    folder: {
      title: 'Open my labeled folder',
      text: 'A folder with one sub-folder per class, or a table that states the class of each image.',
      action: 'Choose a folder',
    },
    label: {
      title: 'Label images in the app',
      text: 'For images without classes, also fields of view whose cells or nuclei coverslip finds. Label one or many with a single key, and undo at any time.',
      action: 'Choose images',
    },
    recentImages: 'Recent datasets',
    recentRuns: 'Recent trainings',
    allImages: 'All datasets',
    allRuns: 'All trainings',
    steps: {
      title: 'Steps from images to predictions',
      list: [
        [
          'Dataset',
          'Open and inspect your images. coverslip finds faulty files and duplicates. Single keys label images.',
        ],
        [
          'Training',
          'Choose a dataset and start. coverslip trains a classifier that distinguishes the classes, in minutes.',
        ],
        [
          'Evaluation',
          'Accuracy on test images that were not used for training, and all misclassified images.',
        ],
        ['Prediction', 'The classifier predicts the classes of new images and marks uncertain predictions.'],
      ] as [string, string][],
    },
  },
  list: {
    add: 'Add images',
    empty: 'Datasets that you open are listed here.',
    remove: 'Remove from list',
    removeTitle: (name: string) => `Remove “${name}” from the list?`,
    removeText:
      'coverslip no longer lists this dataset or the labels that you assigned in the app. Your image files, trainings and results stay.',
    removeUpload:
      'coverslip no longer lists this dataset or the labels that you assigned in the app. It deletes its copies of the files after 30 days. Trainings and results stay.',
    removed: (name: string) => `“${name}” was removed from the list.`,
    exportFirst: 'Save the labels first (CSV)',
  },
  kinds: {
    folders: 'Folder',
    table: 'Table',
    files: 'Files',
    upload: 'Uploaded files',
    samples: 'Sample images',
  },
  images: 'images',
  labeled: (n: string) => `${n} labeled`,
  unreadable: (n: string) => `${n} unreadable`,
  excluded: (n: string) => `${n} excluded`,
  missingImages: (n: string) => `${n} missing from the folders (labels are kept)`,
  changed: (n: string) => `${n} relabeled`,
  noClasses: 'No classes yet',
  state: {
    reading: 'Reading images',
    drawing: 'Creating the sample images',
    failed: 'coverslip could not read the images.',
    rescan: 'Update from files',
    rescanHint:
      'Finds new, changed and removed files. Your labels stay with their images, also if files were renamed.',
  },
  tabs: {
    label: 'Sections of this page',
    overview: 'Overview',
    images: 'Images',
    checks: 'Checks',
  },
  runStates: {
    queued: 'Waiting',
    starting: 'Starting',
    running: 'Training',
    stopping: 'Stopping',
    stopped: 'Stopped',
    done: 'Done',
    failed: 'Failed',
    interrupted: 'Interrupted',
  },
  rename: 'Rename',
  renameTitle: 'New name',
  name: 'Name',
  save: 'Save',
  train: 'Train a classifier',
  labelNow: 'Label images',
  trainHint: 'First label images of at least two classes.',
  pixels: {
    title: 'Pixels of each file',
    several: {
      series: 'series',
      t: 'time points',
      z: 'z-planes',
      channels: 'channels',
      level: 'resolutions',
    },
    ask: (things: string) =>
      `The files contain several ${things}. Choose what coverslip reads as one image. Trainings and predictions use this choice, and labels are kept.`,
    differ: 'The files differ in these numbers. A file without the chosen part is reported as unreadable.',
    series: 'Series',
    seriesOf: (k: string, name: string) => (name ? `${k}: ${name}` : `Series ${k}`),
    moreSeries: (n: string) => `and ${n} more series`,
    time: 'Time point',
    z: 'z-planes',
    one: (k: string) => `Plane ${k}`,
    plane: 'Plane',
    projections: { max: 'Maximum', mean: 'Mean', 'best-focus': 'Sharpest plane' },
    channels: 'Channels',
    channelOf: (k: string, name: string) => name || `Channel ${k}`,
    allChannels: 'all channels',
    level: 'Resolution',
    levelOf: (w: string, h: string) => `${w} × ${h} px`,
    use: 'Use this choice',
    change: 'Change',
    saved: 'The images are read again with this choice.',
    noChannel: 'Choose at least one channel.',
    chosen: (parts: string) => `Images are read with ${parts}.`,
    ofSeries: (k: string) => `series ${k}`,
    ofTime: (k: string) => `time point ${k}`,
    ofPlane: (k: string) => `z-plane ${k}`,
    ofProjection: {
      max: 'the maximum of all z-planes',
      mean: 'the mean of all z-planes',
      'best-focus': 'the sharpest z-plane',
      channels: 'all z-planes as channels',
    },
    ofChannels: (names: string) => `the channels ${names}`,
    ofLevel: (k: string) => `resolution level ${k}`,
  },
  overview: {
    removedBefore: (name: string, when: string, n: number) =>
      plural(n, {
        one: `The dataset “${name}” of the same folder was removed (${when}), with what users said about ${count(n)} image.`,
        other: `The dataset “${name}” of the same folder was removed (${when}), with what users said about ${count(n)} images.`,
      }),
    restore: 'Restore that dataset',
    perClass: 'Images per class',
    perGroup: 'Largest groups',
    inTraining: (names: string, n: number) => `A training uses ${counts.classes(n)}: ${names}.`,
    changeClasses: 'Change classes',
    noGroups: 'No groups defined',
    noGroupsText:
      'If several images come from one patient, slide or well, define groups. Otherwise images of one patient can be in both the training set and the test set (data leakage), which inflates the results.',
    defineGroups: 'Define groups',
    moreGroups: (n: string) => `and ${n} more`,
    oneEach: 'Each group is one image.',
    fileFacts: 'Image files',
    size: (w: string, h: string) => `${w} × ${h} px`,
    advice: 'Recommendations',
    noAdvice: 'The checks found no problem. You can train a classifier.',
    notes: 'Notes',
    unlabeled: 'no class',
    toChecks: 'Open the checks',
    readingText: 'You can already view the images. Numbers appear when all images are read.',
  },
  missing: {
    title: (n: number) =>
      plural(n, {
        one: 'The folder of this dataset cannot be read.',
        other: 'Several folders of this dataset cannot be read.',
      }),
    text: 'The folder was renamed, moved or deleted, its disk is not connected, or the app was started without access to it (coverslip app --root FOLDER). Labels and results stay. If you restore the folder, this page continues on its own. If you moved it, choose its new location.',
    choose: 'Choose the new location …',
    chooseTitle: 'New location of the folder',
    chooseText: 'Choose the folder that has the same images. Its previous location:',
    retry: 'Check again',
    remove: 'Remove from list',
  },
  origins: {
    title: 'Sources',
    perDomain: 'Images per domain',
    domain:
      'A domain is the origin of images, such as a laboratory, a microscope or a day. Results are reported for all images together and for each domain.',
    contains: {
      corrections: 'Corrected images of a prediction',
      objects: 'Objects found in fields of view',
      upload: 'Uploaded files',
    },
    add: 'Add another folder',
    addThis: 'Add this folder',
    change: 'Add, rename or remove folders',
    name: 'Domain',
    nameOf: (path: string) => `Domain of ${path}`,
    noSource: 'The dataset would have no source left, because the other sources were removed meanwhile.',
    source: 'Folder or table',
    exclude: 'Remove',
    removeNamed: (path: string) => `Remove ${path}`,
    excluded:
      'coverslip no longer shows images of a removed folder or uses them for training. The files stay. If you add the folder again, the labels that you assigned in the app return.',
    save: 'Save',
  },
  gallery: {
    label: (name: string) => `Images of ${name}`,
    filters: 'Filters',
    filter: 'Filter',
    all: 'All',
    unlabeled: 'Without a class',
    fields: {
      label: 'Class',
      predicted: 'Predicted as',
      domain: 'Domain',
      only: 'Show only',
      group: 'Group',
      search: 'Name contains',
      run: 'Split of a training',
      part: 'Set of the split',
    },
    only: {
      problem: 'Images with a problem',
      unreadable: 'Unreadable images',
      duplicate: 'Duplicates',
      conflicting: 'Duplicates with another label',
      excluded: 'Excluded images',
      changed: 'Relabeled images',
      confirmed: 'Confirmed labels',
      'near-duplicates': 'Duplicates and near-duplicates',
      suggested: 'Suggested to label',
      reserved: 'Reserved test set',
    } as Record<string, string>,
    excluded: 'excluded',
    onlyByRun: {
      suspected: 'Suspected label errors',
      questioned: 'Misclassified images',
    } as Record<string, string>,
    exclude: 'Exclude from training',
    include: 'Include',
    isExcluded: 'Excluded: not counted, and not used for training.',
    isRight: 'Confirm the label',
    isRightHelp: 'Removes the image from the suspected label errors, also for later trainings.',
    removeConfirmation: 'Remove confirmation',
    confirmed: (n: number) =>
      plural(n, {
        one: `The label of ${count(n)} image is confirmed.`,
        other: `The labels of ${count(n)} images are confirmed.`,
      }),
    confirmationRemoved: (n: number) =>
      plural(n, {
        one: `The confirmation of ${count(n)} label is removed.`,
        other: `The confirmations of ${count(n)} labels are removed.`,
      }),
    allChecked: 'All suspected label errors are checked.',
    toTraining: 'Back to the training',
    suspectedCaption: (label: string, suggested: string) => `${label}\n→ ${suggested}?`,
    suggested: (name: string) => `A classifier that was not trained on this image predicts: ${name}`,
    why: {
      unreadable: 'cannot be read',
      duplicate: 'has a duplicate',
      conflicting: 'has a duplicate with another label',
    },
    sort: 'Order',
    sorts: { position: 'As in the folder', label: 'By class', group: 'By group' },
    byErrorScore: 'Most likely errors first',
    byDuplicates: 'Duplicates side by side',
    leastCertain: 'Least certain first',
    mostCertain: 'Most certain first',
    byUsefulness: 'Most useful first',
    parts: { train: 'Training', val: 'Validation', test: 'Test', excluded: 'Excluded' },
    chip: (field: string, value: string) => `${field}: ${value}`,
    removeChip: (text: string) => `Remove the filter ${text}`,
    clear: 'Show all images',
    none: 'No image matches these filters.',
    nSelected: (n: number) => `${count(n)} selected`,
    labelSelected: 'Label selected images',
    labelImage: 'Label this image',
    selectFirst: 'No image is selected. Select images, then press the key of their class.',
    alsoPredicted: 'Images without a class that are predicted as this class',
    howToLabel:
      'Click an image, or select several with Ctrl or Shift. Then click a class or press its key. To show one class only, use “Filter”.',
    toSelected: (n: number) =>
      n
        ? plural(n, { one: `${count(n)} image selected`, other: `${count(n)} images selected` })
        : 'No image selected',
    noClass: 'No class',
    newClass: 'New class',
    newClassName: 'Name of the new class',
    add: 'Add',
    firstClass: 'First add classes. Each class gets a key.',
    advance: 'Go to the next one',
    undo: 'Undo (Ctrl-Z)',
    redo: 'Redo (Ctrl-Shift-Z)',
    keys: 'Keys (?)',
    keysTitle: 'Keys',
    keysNote:
      'Single keys act only while the gallery or the viewer has the focus. The gallery has the focus when it opens. To give it the focus again, press an arrow key or click an image.',
    exportLabels: 'Download labels (CSV)',
    exportChanges:
      'Download all label changes (CSV): time, person, and the page on which each label was changed',
    labeled: (images: string, label: string) => `${images}: ${label}`,
    keyList: [
      ['1 – 9, 0, a – z', 'Label the selected images with the class of that key'],
      ['Delete or Backspace', 'Remove the label of the selected images'],
      [';', 'In suspected label errors: confirm the label'],
      ['Arrows', 'Move the selection; in the viewer, open the next or previous image'],
      ['Shift + arrows, Shift + click', 'Select a range'],
      ['Ctrl + click, Space', 'Add the image to the selection, or remove it'],
      ['Ctrl + A', 'Select all images that match the filters'],
      ['Escape', 'Clear the selection, or close the viewer'],
      ['Enter, double-click', 'Open the viewer. On a touch screen, tap the selected image'],
      ['Ctrl + Z, Ctrl + Shift + Z', 'Undo or redo a label change'],
      ['+  −  Home', 'In the viewer: zoom in, zoom out, fit to window'],
      ['Shift + arrows', 'In the viewer: move the picture'],
      ['?', 'Show this list'],
    ] as [string, string][],
  },
  facts: {
    path: 'Path',
    size: 'Size',
    format: 'Format',
    depth: 'Depth',
    pixelSize: 'Pixel size',
    pixelSizeOf: ([width, height]: number[]) =>
      width === height ? micrometers(width!) : `${micrometers(width!)} × ${micrometers(height!)}`,
    depthOf: (bits: string, dtype: string) => `${bits} bit (${dtype})`,
    channels: 'Channels',
    planes: 'Planes',
    bytes: 'File size',
    values: 'Values',
    valuesOf: (low: string, high: string) => `${low} – ${high}`,
    group: 'Group',
    domain: 'Domain',
    before: 'Original class',
    equal: 'Duplicates',
    note: 'Note',
    side: 'Predefined split',
  },
  classes: {
    title: 'Classes',
    text: 'Rename, merge or exclude classes for training. To merge classes, give them the same name. Files and labels do not change.',
    key: 'Key',
    name: 'Class',
    n: 'Images',
    trainingName: 'Name in training',
    trainingNameOf: (name: string) => `Name of ${name} in training`,
    exclude: 'Exclude',
    excludeNamed: (name: string) => `Exclude ${name}`,
    up: (name: string) => `Move ${name} up`,
    down: (name: string) => `Move ${name} down`,
    remove: (name: string) => `Remove the empty class ${name}`,
    result: 'In training',
    save: 'Save these classes',
    back: 'Discard changes',
    saved: 'The changes of the classes are saved.',
    tooFew: 'A classifier needs at least two classes.',
    empty: 'You add classes when you label images.',
  },
  groupsTab: {
    title: 'Groups',
    joined: 'Joined groups',
    joinedOf: (names: string[]) => `with ${names.join(', ')}`,
    separate: 'Separate',
    separateNamed: (name: string) => `Separate the groups that are joined in ${name}`,
    text: 'Images of one patient, slide or well resemble each other. All images of a group stay in the same set (training, validation or test), which prevents data leakage. If names of files and folders do not contain it, open a table with the paths, labels and patients of the images as a dataset.',
    how: 'Definition of groups',
    byDefault: 'The groups that the table or the image files state, if any',
    noneOf: {
      none: 'No groups',
      file: 'The image file: crops of one field of view are one group',
      table: 'The column of groups in the table',
    } as Record<string, string>,
    eachFile: 'Each file is a group: all images are of different patients, slides or wells',
    pattern: 'A part of the path',
    expert: 'Expert: a pattern in the path',
    patternLabel: 'Pattern in the path (a regular expression)',
    presets: 'Suggestions for this dataset',
    patternHelp:
      'Enter the text that is common to the paths of one patient or slide. \\d+ matches any number, [A-Z]+ matches capital letters. Example: slide\\d+ matches slide7 and slide12.',
    suggestions: {
      column: (name: string) => `Column “${name}”`,
      supported: (p: number) => `Images of one group resemble each other (${pValue(p)}).`,
      unsupported: 'Images of one group do not resemble each other more than others.',
      untested: 'Not tested whether images of one group resemble each other.',
      divides: (unit: string) =>
        `Images of several of these groups have a name that contains “${unit}”. They may come from one patient or slide.`,
      of: (n: number, example: string) => `${counts.groups(n)}, such as ${example}`,
    },
    unmatched: (n: number) =>
      plural(n, {
        one: `${count(n)} image has no group`,
        other: `${count(n)} images have no group`,
      }),
    allMatched: 'Every image has a group.',
    examples: 'Examples',
    noGroup: 'no match',
    largest: 'Largest groups',
    save: 'Save these groups',
    saved: 'The groups are saved.',
    single: 'All images are in one group, so there is no test set.',
  },
  checks: {
    title: 'Is this dataset fit for training?',
    verdict: (nErrors: number, nWarnings: number, nAdvice: number) =>
      nErrors
        ? `No: ${plural(nErrors, { one: `${count(nErrors)} problem`, other: `${count(nErrors)} problems` })} must be solved first.`
        : nWarnings
          ? `Yes, with ${plural(nWarnings, { one: `${count(nWarnings)} warning`, other: `${count(nWarnings)} warnings` })} to look at first.`
          : nAdvice
            ? 'Yes. Nothing is wrong; there is advice below.'
            : 'Yes. All images that are not excluded can be read, and there are no duplicates and no contradictory labels.',
    labels: 'Only a training finds other wrong labels: its images have the filter “Suspected label errors”.',
    notYet: 'Nothing was found so far.',
    sets: (n: number) => plural(n, { one: `${count(n)} set`, other: `${count(n)} sets` }),
    solvedSet: 'Solved',
    isUsed: 'used in training',
    isExcluded: 'excluded',
    solved: (title: string) => `Solved: ${title}`,
    again: 'Checking again …',
    compare: 'Compare the images',
    enlarge: (names: string) => `Enlarge ${names}`,
    rightClass: 'Right class:',
    excludeImage: 'Exclude this image',
    decided: (n: number, name: string) =>
      plural(n, {
        one: `The class is ${name}. ${count(n)} copy of another class is excluded.`,
        other: `The class is ${name}. ${count(n)} copies of other classes are excluded.`,
      }),
    labeled: (n: number, name: string) =>
      plural(n, { one: `${count(n)} image is ${name} now.`, other: `${count(n)} images are ${name} now.` }),
    joinedClasses: 'The classes are one class in training. The labels stay as they are.',
    joinedGroups: 'The groups are joined. The table and the files stay as they are.',
    separated: 'Separated again.',
    reading: 'Checks start when all images are read.',
    searching:
      'coverslip is searching for near-duplicates. This page shows them when the search is complete. If you close coverslip before, the search restarts.',
    notSearched:
      'Near-duplicates were not searched for: there are more than 100,000 images, or the search failed.',
    severity: { error: 'Problem:', warning: 'Warning:', advice: 'Advice:' },
    file: 'File',
    why: 'Reason',
    more: (n: number) => `Show ${count(n)} more`,
    open: 'Show in the gallery',
    excludeUnreadable: (n: number) =>
      plural(n, { one: 'Exclude this file', other: `Exclude these ${count(n)} files` }),
    excludeDuplicates: (n: number) =>
      plural(n, { one: `Exclude ${count(n)} duplicate`, other: `Exclude ${count(n)} duplicates` }),
    excludeDuplicatesHelp:
      'coverslip keeps the first image of each set of duplicates. It does not exclude duplicates with different labels.',
    keep: (n: number) =>
      plural(n, {
        one: `Keep the label of ${count(n)} image`,
        other: `Keep the labels of ${count(n)} images`,
      }),
    kept: (n: number) =>
      plural(n, {
        one: `The label of ${count(n)} image is kept.`,
        other: `The labels of ${count(n)} images are kept.`,
      }),
    drop: (n: number) =>
      plural(n, {
        one: `Drop the label of ${count(n)} image`,
        other: `Drop the labels of ${count(n)} images`,
      }),
    dropped: (n: number) =>
      plural(n, { one: `${count(n)} file is a new image.`, other: `${count(n)} files are new images.` }),
    dropHelp:
      'The files become new images. Labels, confirmations, exclusions and second readings stay with the former content. To get them back, undo this, or let files have this content again.',
    excludedTitle: 'Excluded',
    excluded: (n: number) =>
      plural(n, { one: `${count(n)} image is excluded.`, other: `${count(n)} images are excluded.` }),
    excludedText:
      'Excluded images stay in the gallery. They do not count as images of a class and are not used for training.',
    include: 'Include the images',
    included: (n: number) =>
      plural(n, { one: `${count(n)} image is included.`, other: `${count(n)} images are included.` }),
  },
  live: {
    title: 'Live',
    start: 'Switch live on',
    about:
      'Label a few images, and coverslip predicts all others after each label. Before, about a fifth of the images is drawn at random as test set; where there are groups, of groups without labels.',
    starting: 'Computing the features of the images',
    waiting: 'Waiting for the features of another dataset',
    fitted: (n: number) =>
      n
        ? plural(n, { one: `fitted to ${count(n)} label`, other: `fitted to ${count(n)} labels` })
        : 'no label yet',
    more: (n: number) =>
      plural(n, {
        one: `Compute features of ${count(n)} image`,
        other: `Compute features of ${count(n)} images`,
      }),
    orders: { suggested: 'Suggest images', uncertain: 'Least certain first' } as Record<string, string>,
    renew: 'Renew the order by the current labels',
    oneClass: (name: string) =>
      `Only ${name} has labels outside the test set, so nothing is predicted: label an image of a second class`,
    leftOut: (names: string[]) => `No label outside the test set, so never predicted: ${names.join(', ')}`,
    plan: 'Live predicts the classes of the labels; trainings merge, drop and rename them',
    tied: (n: number) =>
      plural(n, {
        one: `${count(n)} label is not used: its image is a copy of a test image, or of its group`,
        other: `${count(n)} labels are not used: their images are copies of test images, or of their groups`,
      }),
    stop: 'Switch off',
    train: 'Train and test',
    trainHelp:
      'Trains an instant classifier on the labels, and tests it on the labeled images of the random test set. It is another classifier than that of live, of larger images, so other test images can be right. Labels of two classes and a labeled test image are needed.',
    noneReserved: 'No random test set is reserved: only images and groups without labels can be.',
    fewTested: (n: number) => `fewer than ${count(n)}: the result will be imprecise`,
    right: (n: number, total: number) => `${count(n)} of ${count(total)} random test images right`,
    macroF1: (f1: { value: number | null; low?: number | null; high?: number | null }) =>
      `Macro-F1 ${score(f1.value)} ${interval(f1.low, f1.high)}`,
    gain: (gain: number) => {
      const n = Math.round(100 * gain);
      return `50 more labels: about ${plural(n, { one: '1 percentage point', other: `${count(n)} percentage points` })} more`;
    },
    skipped: (n: number) => `${count(n)} drawn earlier, not labeled`,
    estimateHelp:
      'The accuracy on random images of those without a class when live was switched on, not only of the remaining ones, with its 95% confidence interval. Their labels are not fitted. If you stop as soon as you like the number, it is too high. Test images that are excluded, or drawn earlier and not labeled, may be the difficult ones.',
    reserved: (n: number, total: number) => `Test set: ${count(n)} of ${count(total)} labeled`,
    reservedHelp:
      'Images that an order offers contain more rare and ambiguous ones than the dataset, so metrics on them are biased. Images of the reserved test set are random, and shown without a prediction. Labeled ones are the test set of trainings.',
    showReserved: 'Show test set',
    release: 'Release test set',
    releaseHelp: 'Its images can then be suggested and used for training. Live is switched off; labels stay.',
  },
  map: {
    tab: 'Map',
    title: 'Map of the images',
    about:
      'A map shows the images. Similar images are near each other, by the features of a network trained on photographs. Use it to find groups of similar images, to label them together, and to find unusual images. Distances between far points have no meaning.',
    duration:
      'Most of the time is needed for the features of new images. The last step takes up to a few minutes.',
    start: 'Compute the map',
    again: 'Compute the map again',
    starting: 'Computing the map',
    waiting: 'Waiting for the map of another dataset',
    missing: (n: number) =>
      plural(n, {
        one: `${count(n)} image is not on the map.`,
        other: `${count(n)} images are not on the map.`,
      }),
    colorBy: 'Color by',
    byClass: 'Class',
    byGroup: 'Group',
    byCluster: 'Cluster',
    byPrediction: 'Predicted class',
    jobs: {
      train: (name: string) => `Training ${name} (held-out images)`,
      evaluate: (name: string) => `Evaluation ${name}`,
      predict: (name: string) => `Prediction ${name}`,
    },
    notPredicted: 'Not predicted',
    predicted: (name: string | null) => (name === null ? 'not predicted' : `predicted as ${name}`),
    noGroup: 'No group',
    cluster: (k: number) => `Cluster ${count(k)}`,
    selectCluster: 'Select a cluster',
    choose: 'Choose…',
    clusterOption: (
      k: number,
      n: number,
      nUnlabeled: number,
      label: string | null,
      nLabel: number,
      nOthers: number,
    ) =>
      `${count(k)}: ${plural(n, { one: `${count(n)} image`, other: `${count(n)} images` })}, ${count(nUnlabeled)} without a class${
        label === null ? '' : `, ${count(nLabel)} ${label}`
      }${nOthers ? `; not selected: ${count(nOthers)} of the test set or excluded` : ''}`,
    lasso: 'Lasso',
    lassoHelp: 'Draw around points to select their images. Shift + drag has the same effect.',
    points: (n: number) => `Map with ${count(n)} points. The list beside it has the same images, by cluster.`,
    list: 'Images by cluster',
    howTo: 'Select images on the map or in the list, then choose a class.',
    selected: (n: string) => `Selected: ${n}`,
    exclude: 'Exclude selected images',
    excluded: (n: number) =>
      plural(n, { one: `${count(n)} image is excluded.`, other: `${count(n)} images are excluded.` }),
    reserved: (n: number) =>
      plural(n, { one: `${count(n)} image of the test set`, other: `${count(n)} images of the test set` }),
    reservedHelp:
      'Lasso and clusters do not select images of the reserved test set: label these one by one, so that the test is fair.',
    keysTitle: 'Keys of the map',
    keyList: [
      ['1 – 9, 0, a – z', 'Label the selected images with the class of that key'],
      ['Delete or Backspace', 'Remove the label of the selected images'],
      ['Arrows', 'Select the next or previous image of the list; the map follows'],
      ['Ctrl + click, Space', 'Add the image to the selection, or remove it'],
      ['Shift + drag on the map', 'Draw a lasso: the images inside are added to the selection'],
      ['Ctrl + A, Escape', 'Select all images of the map, or none'],
      ['Enter, double-click', 'Open the viewer of the image'],
      ['Ctrl + Z, Ctrl + Shift + Z', 'Undo or redo a label change'],
      ['Wheel, drag', 'Zoom, move the map'],
      ['?', 'Show this list'],
    ] as [string, string][],
  },
  readings: {
    link: 'Second reading',
    title: 'Second reading',
    cardText:
      'Let another person label some images again without seeing the first label. Percent agreement and Cohen’s kappa show how reliable the labels are.',
    intro:
      'Labeled images are drawn at random and labeled again by another person, without the first label and the file name. Readings do not change labels; disagreements are decided afterwards.',
    csv: 'Download readings (CSV)',
    import: 'Import readings (CSV)',
    importHelp: 'A table with the columns image_id or path, label, author and time.',
    imported: (r: {
      n: number;
      n_same_author: number;
      n_without_author: number;
      n_unlabeled: number;
      n_unknown: number;
      unknown: string[];
    }) =>
      [
        plural(r.n, { one: `${count(r.n)} reading imported.`, other: `${count(r.n)} readings imported.` }),
        r.n_without_author && `Rows without author: ${count(r.n_without_author)}.`,
        r.n_same_author && `Rows by the author of the first label: ${count(r.n_same_author)}.`,
        r.n_unlabeled && `Rows of images without a label: ${count(r.n_unlabeled)}.`,
        r.n_unknown &&
          `Rows of images that are not in this dataset: ${count(r.n_unknown)}, such as ${r.unknown[0]}.`,
      ]
        .filter(Boolean)
        .join(' '),
    remove: 'Remove second reading',
    result: 'Agreement',
    n: 'Images',
    drawn: (n: number, total: number) =>
      `${count(n)} of ${plural(total, { one: `${count(total)} labeled image is drawn.`, other: `${count(total)} labeled images are drawn.` })}`,
    byReader: (n: number) =>
      plural(n, {
        one: `The first label of ${count(n)} image is yours; another reader must read it.`,
        other: `The first labels of ${count(n)} images are yours; another reader must read them.`,
      }),
    none: 'No image has two readings yet. Label drawn images, or import the readings of another person.',
    first: (author: string | null) => (author === null ? 'first label' : `first label, ${author}`),
    disagreements: 'Disagreements',
    decided: (n: number, total: number) =>
      plural(total, {
        one: `${count(n)} of ${count(total)} image is decided.`,
        other: `${count(n)} of ${count(total)} images are decided.`,
      }),
    decideHelp:
      'The decision becomes the label of the image. All readings stay in the history, and the agreement does not change.',
    decideOf: (k: number) => `Label of image ${count(k)}`,
    image: (k: number) => `Image ${count(k)}`,
    otherClass: 'Another class…',
    decision: (label: string, author: string) => `Decided: ${label} (${author})`,
    more: (n: number) => `Show ${count(n)} more`,
    allDecided: 'All disagreements are decided.',
  },
  leakage: {
    title: 'Data leakage and shortcuts',
    text: 'Evaluates a simple classifier on up to 2,000 images, with an image-level split and with a grouped split. The difference shows how much an image-level split overestimates performance. coverslip also tests for shortcuts: whether the classes can be predicted without the object, from the border, background, size or format of the image. This takes from half a minute to several minutes.',
    estimate: 'Estimate leakage',
    estimateAgain: 'Estimate again',
    outdated: 'This estimate is outdated: labels, groups or images have changed.',
    same: 'This dataset has no groups, duplicates or near-duplicates, so both splits are identical. If several images come from one patient, slide or field of view, define groups.',
    few: 'The dataset has too few labeled images for an estimate.',
    macroF1: 'Macro-F1',
    imageLevel: 'image-level split',
    grouped: 'grouped split',
    instant: 'Instant classifier',
    nearest: 'Nearest neighbor',
    axis: 'Balanced accuracy on test images',
    from: 'Predicted from',
    balanced: 'Balanced accuracy',
    whole: 'whole image',
    chance: 'chance',
    sources: {
      border: 'border only',
      background: 'brightness and noise of the background',
      size: 'width and height',
      format: 'bit depth, channels and planes',
      metadata: 'camera and compression metadata of the file',
    } as Record<string, string>,
  },
};
