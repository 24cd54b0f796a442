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
      title: 'Look at the dataset.',
      text: 'Here you see the number of images of each class, and recommendations. In your own data, check first that all classes are here and none is rare.',
    },
    checks: {
      title: 'Read the checks.',
      text: 'coverslip looked for images that make a result wrong. These samples contain duplicates, a truncated file, and an image with two labels. Each finding says what to do.',
    },
    groups: {
      title: 'Check the groups.',
      text: 'Images of one slide resemble each other. A group keeps them together, so that the classifier is tested on other slides than those it was trained on.',
    },
    train: {
      title: 'Train.',
      text: 'Choose “Start training”. All settings have defaults. A training of the samples takes a few minutes.',
    },
    result: {
      title: 'Read the result.',
      text: 'First results appear within a minute, and the page shows the time left. When the training is complete, look at the metric with its confidence interval, the misclassified images, and the limitations. Then choose “Predict new images”.',
    },
    predict: {
      title: 'Predict new images.',
      text: 'Your classifier is selected. Choose “New sample images” under the datasets in coverslip, then “Predict”.',
    },
    review: {
      title: 'Review the predictions.',
      text: '“Needs review” lists images that are uncertain, unfamiliar or unreadable. To correct an image, select it and press the key of its class. “Download CSV” saves the table. Now use your own images.',
    },
  },
};
