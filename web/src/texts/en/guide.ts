export const guide = {
  title: 'First steps',
  place: (step: number, n: number) => `Step ${step} of ${n}`,
  previous: 'Back',
  next: 'Next',
  goOn: 'Go to this step',
  close: 'Close the guide',
  finish: 'Finish',
  steps: {
    overview: {
      title: 'Open the dataset.',
      text: 'Here you see the number of images of each class, and recommendations. In your own data, check first that all classes are here and none is rare.',
    },
    checks: {
      title: 'Read the checks.',
      text: 'coverslip searched for images that make results wrong. These samples contain duplicates, a truncated file, and two identical images with different labels. Change nothing: the training keeps duplicates in the same set and excludes the other images. “Images” shows all images.',
    },
    groups: {
      title: 'Check the groups.',
      text: 'Images of one slide resemble each other. A group keeps them together, so that the classifier is tested on other slides than those it was trained on. The groups of these samples are right.',
    },
    train: {
      title: 'Train.',
      text: 'Choose “Start training”. All settings have defaults. The button states how long it takes.',
    },
    result: {
      title: 'Read the result.',
      text: 'First results appear within a few minutes. When the training is complete, look at the metric with its confidence interval, the misclassified images, and the limitations. Then choose “Predict new images”.',
    },
    predict: {
      title: 'Predict new images.',
      text: 'Choose your classifier, then “New sample images” under the datasets in coverslip, then “Predict”.',
    },
    review: {
      title: 'Review the predictions.',
      text: '“Needs review” lists images that are uncertain, unfamiliar or unreadable. To correct an image, click it and press the key of its class. A double-click opens it. “Download CSV” saves the table.',
    },
    share: {
      title: 'Share the result.',
      text: '“Open the report” shows all metrics and figures in one file. “Classifier (.coverslip)” saves the classifier for other people. Now use your own images.',
    },
  },
};
