import { counts } from './counts';
import { count, date, plural } from '../language';

export const general = {
  name: 'coverslip',
  skip: 'Skip to the content',
  nav: {
    label: 'Main',
    start: 'Start',
    datasets: 'Datasets',
    runs: 'Trainings',
    studies: 'Studies',
    predict: 'Predict',
  },
  help: {
    link: 'Help',
    title: 'Help',
    contents: 'Pages of the documentation',
    start: 'Start',
    search: 'Search the documentation',
    hits: (n: number) =>
      n
        ? plural(n, {
            one: `${count(n)} section found.`,
            other: `${count(n)} sections found.`,
          })
        : 'No section found. Try other words.',
  },
  terms: { explain: 'Explain the terms', glossary: 'Glossary' },
  theme: { label: 'Colors', auto: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' },
  language: 'Language',
  loading: 'Loading …',
  findClass: (n: number) => `Find a class (${count(n)} classes)`,
  retry: 'Try again',
  close: 'Close',
  cancel: 'Cancel',
  computation: { waiting: 'Waiting in the queue', starting: 'Starting' },
  undo: 'Undo',
  undone: (n: number, nLeft: number) => stepText(n ? `Undone for ${counts.images(n)}.` : 'Undone.', nLeft),
  redone: (n: number, nLeft: number) => stepText(n ? `Redone for ${counts.images(n)}.` : 'Redone.', nLeft),
  actions: 'Actions',
  deleted: {
    title: (n: number) => `Recently deleted (${count(n)})`,
    help: 'You can restore each item for 30 days after its deletion.',
    restore: 'Restore',
    when: (time: string) => `deleted ${time}`,
    kinds: {
      train: 'training',
      evaluate: 'evaluation',
      export: 'export',
      predict: 'prediction',
      study: 'study',
      import: 'imported classifier',
      dataset: 'dataset',
    } as Record<string, string>,
  },
  timeLeft: (time: string) => `about ${time} left`,
  timeLeftOrLonger: (time: string) => `about ${time} left, or longer while validation results improve`,
  notHere: 'Page not found',
  notFound: 'This address does not belong to any page.',
  toStart: 'Go to the start page',
  notLoaded: {
    title: 'This page could not be loaded',
    advice:
      'coverslip was updated or does not answer. If it still runs, reload the page. Otherwise, start it again.',
    reload: 'Reload',
  },
  silent: {
    title: 'coverslip does not answer.',
    advice: 'The program may have been closed. Start it again the same way as before.',
    notUpdated: 'Until then, this page does not show what changes on its own.',
    reconnects: 'This page then reconnects on its own. Running trainings continue in the meantime.',
  },
  gallery: {
    number: (n: number) => `Image ${n}`,
    predictedAs: (name: string) => `predicted as ${name}`,
    ofClass: (name: string) => `class ${name}`,
    unlabeled: 'no class yet',
    size: 'Size of thumbnails',
  },
  log: { show: 'Show the log', empty: 'The log is empty.' },
  needsPyTorch: (command: string | null, size: string) =>
    `Needs PyTorch (${size} on disk), which is not installed${command ? `: run “${command}”, then start coverslip again` : ''}.`,
  explanation: {
    show: 'Why this class?',
    waiting: 'Waiting in the queue: the explanation of another image is being computed',
    elapsed: (time: string) => `${time} since the request`,
    starting: 'Computing the explanation …',
    first:
      'The first explanation of a classifier takes a minute or more, because coverslip first runs the sanity checks of the heat maps. Later explanations take seconds.',
    title: 'Explanation (heat map)',
    ofRun: 'Explains the classifier that made this prediction.',
    ofFold: (fold: number) =>
      `Explains the classifier of fold ${fold}, which made this prediction: it was not trained on this image.`,
    alt: 'The image, a heat map of the evidence for the class, and the most similar training images',
    help: 'Bright areas support the class. A heat map shows which areas the network used. It does not show whether the prediction is correct. coverslip does not show maps that fail the sanity checks: such a map is the same with random weights, or does not locate the evidence better than the image center does. “Contributions” shows how much each area adds to the score of the class. The most similar training images are below the map.',
  },
  viewer: {
    title: (name: string) => `Image ${name}`,
    place: (k: string, n: string) => `${k} of ${n}`,
    smaller: 'Smaller (−)',
    larger: 'Larger (+)',
    fit: 'Fit to window',
    full: '1 : 1',
    previous: 'Previous image (←)',
    next: 'Next image (→)',
    unreadable: 'This image cannot be displayed.',
    display: 'Display',
    contrast: 'Contrast',
    reset: 'Reset',
    preparing: 'The file has no smaller versions of this image. They are being computed once.',
    channels: 'Channels',
    channelNames: ['Red', 'Green', 'Blue'],
    channelNumber: (k: string) => `Channel ${k}`,
    show: (name: string) => `Show ${name}`,
    color: (name: string) => `Color of ${name}`,
    lowOf: (name: string) => `Black point of ${name}`,
    highOf: (name: string) => `White point of ${name}`,
    limits: (low: string, high: string) => `${low} to ${high}`,
    saveDisplay: 'Use for all images',
    savedDisplay: 'All images of this dataset are shown with these channels, colors and limits.',
    resetDisplay: 'Automatic display',
    storedDisplay: 'The dataset has its own colors and limits.',
    series: 'Series',
    seriesOf: (k: string, name: string) => (name ? `${k}: ${name}` : k),
    z: 'z-plane',
    time: 'Time point',
    projection: 'z-projection',
    projections: { none: 'None', max: 'Maximum', mean: 'Mean', 'best-focus': 'Sharpest plane' },
    scaleBar: (length: string) => `Scale bar: ${length}`,
    facts: 'File',
    copy: 'Copy',
    copied: 'The path was copied.',
    notCopied: 'The browser does not allow copying.',
  },
  folders: {
    where: 'Current folder',
    content: 'Contents of this folder',
    roots: 'Your folders',
    path: 'Path of a folder or table',
    pathHint: 'Paste a path, or choose a folder below',
    go: 'Open this path',
    recent: 'Recent folders',
    notCounted: 'not counted',
    imagesNotCounted: 'Images not counted, because counting would take too long.',
    above: 'Parent folder',
    empty: 'This folder has no sub-folders.',
    images: (n: number, isMore: boolean) =>
      isMore
        ? `${count(n)} or more images in this folder`
        : plural(n, { one: `${count(n)} image in this folder`, other: `${count(n)} images in this folder` }),
    none: 'No images in this folder.',
    classes: 'Sub-folders become classes',
    topFolder:
      'This is the top folder. If one of its sub-folders contains your classes, open that sub-folder.',
    tables: 'Tables in this folder',
    useTable: 'Use this table',
    file: (name: string) => `${name} is a file. Its folder is shown.`,
    useFolder: 'Use this folder',
    unread: (n: number, title: string) =>
      plural(n, {
        one: `${count(n)} file in the format ${title} cannot be read.`,
        other: `${count(n)} files in the format ${title} cannot be read.`,
      }),
    outside:
      'If a folder on another disk is missing, allow coverslip to read it first. The app’s documentation describes how.',
  },
  table: {
    title: 'Open a table',
    open: 'Open this table',
    add: 'Add this table',
    back: 'Back to the folder',
    size: (nRows: number, nFiles: number | null) => {
      const rows = plural(nRows, { one: `${count(nRows)} row`, other: `${count(nRows)} rows` });
      if (nFiles === null) return `${rows}.`;
      const files = { one: `${count(nFiles)} image file`, other: `${count(nFiles)} image files` };
      return `${rows}, ${plural(nFiles, files)}.`;
    },
    firstRows: 'First rows of the table',
    choose: 'Choose a column',
    none: 'none',
    path: 'Image file',
    label: 'Class label',
    noLabel: 'none: I will label the images in the app',
    byClassColumns: 'a column for each class',
    classColumns: (names: string[]) =>
      `This table has a column for each class: ${names.join(', ')}. The label of an image is the column with 1.`,
    group: 'Group (patient, slide, …)',
    groupHelp:
      'All images of one patient, slide or well should be one group. coverslip then keeps each group in one set (training, validation or test). It suggests columns that may name groups when the table is open.',
    predictions:
      'This table contains predictions, and predicted classes are not labels. To correct predictions and train with them, predict the images in this app, under “Predict”.',
    byFile: 'each image file',
    split: 'Predefined split',
    noSplit: 'none: coverslip makes the split',
    positions: 'Positions in fields of view',
    cropSize: 'Crop size',
    cropUnit: 'Unit',
    cropHelp: (side: number | null) =>
      'coverslip crops a square of this side around each point. In µm, crops of different pixel sizes show the same area. About twice the diameter of a cell is a good first value.' +
      (side === null ? '' : ` ${count(side)} px suits the distances between these points.`),
    cropMissing: (isInUm: boolean) =>
      isInUm ? 'Enter a crop size in µm.' : `Enter a crop size from ${count(4)} to ${count(10_000)} px.`,
    crops: 'Example crops',
    layouts: {
      none: 'Each row is a whole image. If rows are positions in fields of view, choose the columns of the coordinates.',
      point: 'Each row is a point in an image file.',
      corner: 'Each row is a box in an image file: left, top, width and height.',
      center: 'Each row is a box in an image file: center, width and height.',
      corners: 'Each row is a box in an image file: two corners.',
    },
    meanings: {
      path: 'image file',
      label: 'class label',
      group: 'group',
      split: 'split',
      x: 'x',
      y: 'y',
      width: 'width',
      height: 'height',
      x_center: 'x of the center',
      y_center: 'y of the center',
      x_min: 'left',
      y_min: 'top',
      x_max: 'right',
      y_max: 'bottom',
    } as Readonly<Record<string, string>>,
  },
  drop: {
    here: 'Drop here. coverslip then asks what to do.',
    title: 'Dropped files',
    titleOf: (name: string, n: number) =>
      plural(n, {
        one: name,
        other: `${name || 'Files'} (${count(n)} files)`,
      }),
    listing: 'Listing the files …',
    classifier: 'Classifier',
    notKept: 'coverslip does not keep the image.',
    nothing: 'There are no files. Drop images, a folder, a zip file, a table or a .coverslip file.',
    notAllowed: 'Only editors of this project can add files.',
    notPredicted: 'Not predicted',
    otherClasses: (n: number) =>
      plural(n, { one: `${count(n)} other class`, other: `${count(n)} other classes` }),
    answers: {
      import: 'Import the classifier',
      conditions: 'Take the conditions of samples from the table',
      'find-table': 'Open the table where it lies',
      show: 'Predict this image',
      predict: 'Predict the images',
      evaluate: 'Evaluate the classifier on these labeled images',
      add: 'Add the images to this dataset',
      labeled: 'Open as a new labeled dataset',
      unlabeled: 'Open as a new dataset without labels',
      find: 'Find the objects in these fields',
    },
    help: (classifier: string) => ({
      import: 'It can then predict images.',
      conditions: 'For the proportions by sample of this prediction.',
      'find-table':
        'Browsers do not say in which folder a table is. Choose the table there, so that coverslip finds its images.',
      show: `With ${classifier}. coverslip does not keep the image.`,
      predict: `With ${classifier}. The result is a table with a class and probabilities for each image.`,
      evaluate: 'As an external test set: sub-folders or a table give the true classes.',
      add: 'As a domain of its own. Labels that you gave are kept.',
      labeled: 'Sub-folders or a table give the classes. Use it to train.',
      unlabeled: 'Use it to look at the images, and to label them.',
      find: 'For images with several cells each. Each object becomes an image of a new dataset.',
    }),
  },
  upload: {
    drop: 'Drop images, a folder or a zip file here',
    or: 'or choose',
    files: 'Files …',
    folder: 'A folder …',
    archive: 'A zip file …',
    copied: 'coverslip copies the files into its folder on this computer.',
    sending: 'Copying images',
    failed: (n: number) =>
      plural(n, {
        one: `${count(n)} file could not be copied. All other files were copied.`,
        other: `${count(n)} files could not be copied. All other files were copied.`,
      }),
    all: 'No file could be copied.',
    nothing: 'The folder or zip file contained no files.',
    skip: 'Continue without these files',
    retryFiles: 'Retry these files',
    withoutLabels: 'Open without labels',
    ignoreTable: 'Ignore the table',
    named: (now: Date) => `Images of ${date(now)}`,
  },
  existing: {
    title: (name: string) => `These images are already open as the dataset “${name}”.`,
    text: (nImages: number, nLabeled: number, nChanged: number) =>
      plural(nImages, {
        one: `${count(nImages)} image, ${count(nLabeled)} labeled`,
        other: `${count(nImages)} images, ${count(nLabeled)} labeled`,
      }) +
      (nChanged === 0
        ? '.'
        : `, ${count(nChanged)} of them labeled in the app. A second dataset would not have these labels.`),
    useExisting: 'Use this dataset',
    openAsNew: 'Open as a new dataset',
  },
  add: {
    labeled: 'Open labeled images',
    plain: 'Open images',
    way: 'Location of the images',
    folder: 'On this computer',
    upload: 'Upload files',
    labels: 'Classes',
    fromFolders: 'From sub-folders or a table',
    noLabels: 'None yet: I will label the images in the app',
    severalFolders: 'Add this folder to a list',
    openTogether: (n: number) =>
      n > 1 ? plural(n, { other: `Open ${count(n)} folders as one dataset` }) : 'Open this folder',
    tablesIgnored: (names: string) =>
      `“Use this folder” does not read the tables in the folder (${names}). To use columns such as patient or slide as groups, choose “Use this table”.`,
    readOnly: 'coverslip only reads your folder. It never writes to it.',
  },
  inProject: {
    toProjects: 'Projects',
    viewer: 'You are a viewer of this project: you can view everything but change nothing.',
    annotator: 'You are an annotator of this project: you can label and correct images.',
  },
  scores: {
    uses: { care: 'use with care', unknown: 'not known whether usable', no: 'do not use' },
    rules: {
      'chosen threshold': {
        text: 'chosen threshold',
        help: 'Classes are predicted with a decision threshold that was chosen on validation images. Compare this result only with results of the same decision rule.',
      },
      'threshold set by hand': {
        text: 'threshold set manually',
        help: 'A person set the decision threshold. If the person knew the test results, the result is too high.',
      },
    },
    withoutGroups: {
      text: 'no groups',
      help: 'No groups were given. If several images come from one patient or slide, the result is probably too high.',
    },
    relabeled: (n: number) => ({
      text: plural(n, {
        one: `${count(n)} test image relabeled`,
        other: `${count(n)} test images relabeled`,
      }),
      help: 'Labels of misclassified test images were corrected, so the result may be too high. The report shows the accuracy with the earlier labels.',
    }),
  },
};

function stepText(done: string, nLeft: number): string {
  if (!nLeft) return done;
  const left = plural(nLeft, {
    one: `${count(nLeft)} image was changed again since then and stays as it is.`,
    other: `${count(nLeft)} images were changed again since then and stay as they are.`,
  });
  return `${done} ${left}`;
}
