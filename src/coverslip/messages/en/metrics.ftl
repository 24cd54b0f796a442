# Metrics. The code of an entry is `metric-` and the metric's name, with dashes for underscores. Its text is the label.
#
#   .meaning      the meaning in a few words
#   .undefined    why it can have no value
#   .no-interval  why it has no confidence interval
#
# Without `.undefined` or `.no-interval`, those of `any-metric` are used.

any-metric =
    .undefined = it is not defined for these images
    .no-interval = no interval is known for it

metric-accuracy = Accuracy
    .meaning = share of the images that are classified correctly

metric-balanced-accuracy = Balanced accuracy
    .meaning = mean recall over classes

metric-macro-f1 = Macro-F1
    .meaning = mean F1 over classes; F1 combines precision and recall

metric-macro-precision = Macro-precision
    .meaning = mean over classes of the share of predictions that are correct (PPV)

metric-macro-recall = Macro-recall
    .meaning = mean over classes of the share of images that are recognized (sensitivity); equal to balanced accuracy

metric-macro-auroc = Macro-AUROC
    .meaning = mean area under the ROC curve over classes; 0.5 is chance
    .undefined = all images are of one class

metric-micro-auroc = Micro-AUROC
    .meaning = area under the ROC curve of all pairs of image and class; frequent classes have more weight

metric-average-precision = Average precision
    .meaning = mean area under the precision-recall curve over classes
    .undefined = all images are of one class

metric-mcc = Matthews correlation
    .meaning = correlation of true and predicted classes; 0 is chance
    .undefined = all images are of one class, or are predicted as one

metric-kappa = Cohen's kappa
    .meaning = agreement beyond chance; 0 is chance
    .undefined = all images are of one class and are predicted as it

metric-one-vs-rest-accuracy = One-against-rest accuracy
    .meaning = mean over classes of the accuracy of 'this class or not' (AIMIC's accuracy); high if there are many classes

metric-ece-excess = Calibration error above chance
    .meaning = mean difference between probability and accuracy, without the part that chance alone causes on this number of images; about 0 if the probabilities are right, and below 0 by chance
    .no-interval = no interval is known for differences of calibration errors

metric-ece-excess-uncalibrated = Calibration error above chance, before calibration
    .meaning = the same without temperature scaling

metric-calibration-slope = Calibration slope
    .meaning = below 1: probabilities are too extreme; above 1: not extreme enough
    .undefined = the probability separates errors from correct predictions, or there are none of either

metric-calibration-intercept = Calibration intercept
    .meaning = below 0: probabilities are too high on average; above 0: too low
    .undefined = all predictions are correct, or all are errors

metric-confidence-gap = Mean probability minus accuracy
    .meaning = above 0: probabilities are too high on average; below 0: too low

metric-log-loss = Log loss
    .meaning = mean negative logarithm of the probability of the true class; confident errors cost most

metric-brier = Brier score
    .meaning = squared distance of probabilities from the truth, 0 to 2

# Why a metric has no value or no interval.

interval-needs-groups = only { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    }: a confidence interval needs at least { $n_needed }

interval-needs-images = a confidence interval needs at least { $n_needed } images

interval-of-one-image = there is only one image: no interval

kappa-of-one-class = both readers used the same single class: kappa is not defined

interval-without-influence = no image changes the value: no interval

interval-of-set-missing = { $name }: { $reason }

no-interval = no interval

folds-without-value = { $n_missing } of { $n_folds ->
        [one] { $n_folds } fold has
       *[other] { $n_folds } folds have
    } no such number

folds-of-equal-value = every fold gives the same value: no interval

other-images-of-other-classes = the other images are not of the same classes

class-without-images = no image of this class

no-image-measured = no image could be measured

class-never-predicted = never predicted

class-of-all-images = no image of another class

class-always-predicted = no other class was predicted

few-validation-images = fewer than { $n_needed } validation images of { $which ->
        [this] this class
        [other] the other class
       *[others] other classes
    }

no-threshold-above-chance = no threshold is better than chance on validation images

shares-need-images = { $n_needed ->
        [one] { $n_needed } image is
       *[other] { $n_needed } images are
    } needed, and there are { $n_images }

no-uncalibrated-probabilities = probabilities before calibration were not given

mcnemar-of-groups = McNemar's test assumes independent images, but there are groups: p of accuracy is over groups

same-predictions = both give the same predictions

lower-is-better = { $meaning }; lower is better
