# Titles, axes and legends of figures.

figure-title-loss = Loss

figure-title-macro-f1 = Macro-F1

figure-title-accuracy = Accuracy

figure-title-accuracy-by-probability = Accuracy by predicted probability

figure-title-images-by-probability = Images by predicted probability

figure-title-auroc = Area under the curve (AUROC)

figure-title-average-precision = Average precision

figure-title-lowest-first = { $metric }, lowest first

figure-label-training = training

figure-label-validation = validation

figure-label-validation-of-fold = validation, one fold

figure-label-selected-epoch = selected epoch

figure-label-epoch = epoch

figure-label-predicted-class = predicted class

figure-label-true-class = true class

figure-label-perfect-calibration = perfect calibration

figure-label-before-calibration = before calibration

figure-label-after-calibration = after calibration

figure-label-with-error = { $label } (error above chance { $error })

figure-label-probability = predicted probability

figure-label-accuracy = accuracy

figure-label-correct = correct

figure-label-wrong = wrong

figure-label-images = images

figure-label-measured = measured

figure-label-extrapolated = extrapolated to twice as many images

figure-label-training-images = images for training and validation

figure-label-error = error (1 − macro-F1)

figure-label-false-positive-rate = false positive rate

figure-label-true-positive-rate = true positive rate (sensitivity)

figure-label-recall = recall (sensitivity)

figure-label-precision = precision (PPV)

figure-label-more-classes = { $n_more } more classes: see the metrics per class

figure-label-average = { $average ->
        [macro] macro-average
       *[micro] micro-average
    }{ $has_curve ->
        [true] {""}
       *[false] {" "}(a mean, no curve)
    }

figure-files-not-found = files not
    found
