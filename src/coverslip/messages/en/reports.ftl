# Reports, model cards and comparisons of runs.

# Errors

run-without-results = This run has no results yet
    .do = Let the training finish, or resume it.

evaluation-without-results = This evaluation has no results yet
    .do = Let it finish, or start it again.

number-of-compared-runs = A comparison needs at least two runs and at most { $most }, not { $n_runs }
    .do = Choose 2 to { $most } runs.

run-compared-twice = A run is named twice
    .do = Name each run once.

# Groups, confidence intervals and sets

report-without-group = { $n_images ->
        [one] { $n_images } image has
       *[other] { $n_images } images have
    } no known group and may be of a group in another set

report-lossless-copies = rotation and mirroring without interpolation

report-augmented-copies = The covariance of features within images, over augmented copies of { $n_images ->
        [one] { $n_images } training image
       *[other] { $n_images } training images
    } ({ $changes }), was added to that within classes.

# Labels

report-suspected-labels = { $n_suspected ->
        [0] None of { $n_checked ->
            [one] { $n_checked } label
           *[other] { $n_checked } labels
        } is suspected to be wrong.
       *[other] Check { $n_suspected } of { $n_checked ->
            [one] { $n_checked } label
           *[other] { $n_checked } labels
        } first: these images resemble another class as much as its own images do. How many of these labels are wrong is not known, because the classifier makes errors too.
    }

report-misclassified = In all, { $n_images ->
        [one] { $n_images } image is misclassified, usually because it is hard to classify.
       *[other] { $n_images } images are misclassified, usually because they are hard to classify.
    }

report-labels-checked-by = The labels were compared with { $checked_by ->
        [folds] the networks of the folds, each on its own test images.
       *[other] linear probes that were fitted without these images, their groups and duplicates.
    }

report-label-correction = Correcting only suspected errors among the test images can make the results too high, because wrong labels that agree with the classifier stay. For a fair correction, check a random sample of the test images as well.

# Groups and subgroups

report-group-predictions = Each of { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    } gets one prediction from all its images: the class with the highest mean log probability. The decision thresholds of single images are not used.

report-mixed-groups = Excluded because their images are of several classes: { $n_groups ->
        [one] { $n_groups } group.
       *[other] { $n_groups } groups.
    }

report-images-without-group = Not counted here because they have no known group: { $n_images ->
        [one] { $n_images } image.
       *[other] { $n_images } images.
    }

report-few-predicted-groups = With so few groups, these metrics are uncertain.

report-subgroups = Each row covers the images with one value in a column of the dataset's table. A difference is the row's value minus the value of all other images.

report-significant-subgroups = Taken by itself, the difference in accuracy is statistically significant for { $subgroups }.

report-small-subgroups = Fewer than 20 images or 5 groups, so interpret with care: { $subgroups }.

report-subgroups-without-class = These have no image of some classes, so their macro-F1 is a mean over fewer classes: { $subgroups }.

report-subgroup-proportions = Different class proportions also cause differences between subgroups.

report-many-subgroups = With { $n_rows } rows, one in twenty differences is significant by chance.

report-subgroup-lacks-classes = lacks { $n_classes ->
        [one] { $n_classes } class
       *[other] { $n_classes } classes
    }

# Dataset and its images

# Leakage estimate

# Heat maps and curves

report-map-checks = A heat map shows which regions of an image support a class. Each method was checked on { $checked_on ->
        [validation] { $n_images ->
            [one] { $n_images } validation image
           *[other] { $n_images } validation images
        }
        [training] { $n_images ->
            [one] { $n_images } training image
           *[other] { $n_images } training images
        }
       *[explained] { $n_images ->
            [one] the { $n_images } explained image
           *[other] the { $n_images } explained images
        }
    }. To pass, its maps must change if the network has random weights (rank correlation of at most 0.5), and blurring the image in the order of the map must lower the predicted probability faster than blurring from the center outward.

report-shown-map = coverslip shows the first method that passed both checks. A heat map does not show whether the prediction is correct.

report-fold-curves-drawing = Loss, macro-F1 and accuracy on validation images by epoch. Each fold has a line.

report-curves-drawing = Loss, macro-F1 and accuracy by epoch.{ $has_start ->
        [true] {" "}Epoch 0 is the classifier that fine-tuning starts from, fitted on training images alone.
       *[false] {""}
    }

report-selected-epoch = Epoch { $epoch } of { $n_epochs } is kept: { $selection ->
        [last] the last.
       *[best] the one with the best { $metric } on { $set } images.
    }

report-curves-without-refit = { $has_augmentation ->
        [true] The curves show validation results without test-time augmentation and the final fit of the last layers; the choice was made with both.
       *[false] The curves show validation results without the final fit of the last layers; the choice was made with it.
    }

report-misclassifications-shown = { $n_shown } of { $n_images }, with predicted class, label and probability

# Learning curve and time budget

# Methods, for the methods section of a paper

methods-images = { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } of { $n_classes ->
        [one] { $n_classes } class
       *[other] { $n_classes } classes
    }{ $n_groups ->
        [0] {""}
        [one] {" "}from { $n_groups } group
       *[other] {" "}from { $n_groups } groups
    }{ $has_domains ->
        [true] , of the domains { $domains },
       *[false] {""}
    } were divided, { $division }.

methods-kept-together = { $has_groups ->
        [true] Images of one group and images with identical pixels
       *[false] Images with identical pixels
    } { $case ->
        [folds] were kept in the same fold. Each fold was tested by a network that was trained on the others{ $has_validation ->
            [true] , of which a part was used for validation
           *[false] {""}
        }. The classifier was then trained on all images with the median of the settings selected in the folds.
        [leaky] may be in several sets.
       *[sets] were kept in the same set.
    }

methods-excluded = Of { $n_found ->
        [one] { $n_found } image
       *[other] { $n_found } images
    } found, { $n_excluded ->
        [one] { $n_excluded } was excluded
       *[other] { $n_excluded } were excluded
    }: { $reasons }.

methods-given-division = as given with the data, into { $sets }{ $has_others ->
        [true] {" "}({ $others })
       *[false] {""}
    }

methods-division = { $has_given ->
        [true] { $given } images as given with the data and the other sets{" "}
       *[false] {""}
    }{ $has_domains ->
        [true] stratified by domain and class
       *[false] stratified by class
    }, into { $sets } ({ $settings })

methods-folds = { $n_folds } folds

methods-sets = { $sets } images

methods-group-column = Groups were taken from the column “{ $column }” of the dataset's table.

methods-group-pattern = Groups were taken from the part of the file names that matches “{ $pattern }”.

methods-no-near-duplicates = Near-duplicates (compressed, resized, rotated, mirrored or cropped copies) were searched for by alignment; none were found.

methods-near-duplicates = Near-duplicates (compressed, resized, rotated, mirrored or cropped copies) were searched for by alignment; { $n_clusters ->
        [one] { $n_clusters } set of near-duplicates ({ $n_images ->
            [one] { $n_images } image
           *[other] { $n_images } images
        }) was found
       *[other] { $n_clusters } sets of near-duplicates ({ $n_images } images) were found
    }, { $together ->
        [leaky] { $has_folds ->
            [true] which may be divided between folds.
           *[false] which may be divided between sets.
        }
        [all] { $has_folds ->
            [true] and kept in the same fold.
           *[false] and kept in the same set.
        }
       *[some] { $has_folds ->
            [true] of which { $n_together } were kept in the same fold.
           *[false] of which { $n_together } were kept in the same set.
        }
    }

methods-classes-by-domain = Each domain had separate classes, named after it.

methods-merged-class = { $old } as “{ $new }”

methods-merged-classes = Classes were merged: { $classes }.

methods-renamed-class = { $old } to “{ $new }”

methods-renamed-classes = Classes were renamed: { $classes }.

methods-excluded-classes = Images of { $classes } were excluded.

methods-class-limit = { $image_set }, were used.

methods-preprocessing = Images were { $resized }, and intensities scaled { $scaling }{ $others }.

methods-network = The network was { $network } with { $initialization } ({ $environment }).

methods-gpu = on { $gpu }

methods-processor = on { $processor } with { $n_threads ->
        [one] { $n_threads } thread
       *[other] { $n_threads } threads
    }

methods-weights = Pretrained weights: { $source } ({ $kind }) · { $has_license ->
        [true] license { $license }
       *[false] license not stated
    }

methods-weights-of-run = the weights of the earlier run “{ $name }”

methods-weights-of-pretraining = the weights { $is_kept ->
        [true] of pretraining
       *[false] that were not improved by pretraining
    } on “{ $name }”, described in its own folder pretraining/,

methods-imported-weights = the imported weights “{ $source }” { $has_license ->
        [true] (license { $license })
       *[false] (license not stated)
    }

methods-pretrained-weights = { $phrase } from { $source } { $has_license ->
        [true] (license { $license })
       *[false] (license not stated)
    }

methods-linear-probe = { $features }, the network being frozen{ $has_augmentation ->
        [true] , { $augmentation },
       *[false] {""}
    } were classified by a linear discriminant fitted on { $image_set }, whose shrinkage was chosen on validation images.

methods-not-finetuned = The network was not fine-tuned.

methods-finetuned = It was then fine-tuned with { $optimizer } ({ $steps }) { $epochs }, keeping { $selection }{ $has_epoch ->
        [true] {" "}(epoch { $epoch } of { $n_epochs }).
       *[false] .
    }

methods-epochs = for { $n_epochs ->
        [one] { $n_epochs } epoch
       *[other] { $n_epochs } epochs
    }

methods-planned-epochs = over { $n_epochs ->
        [one] { $n_epochs } epoch
       *[other] { $n_epochs } epochs
    }

methods-finished-early = for { $n_epochs } of { $n_planned } planned epochs{ $has_rate ->
        [true] , at a learning rate of { $rate } by then
       *[false] {""}
    }

methods-last-epoch = the last

methods-last-epoch-unless-better = the last unless { $metric } on validation images was better before fine-tuning

methods-best-epoch = the one with the best { $metric } on { $set } images

methods-augmentation = Data augmentation of training images: { $changes }.

methods-refitted = The last layer was averaged with a linear discriminant on the features of { $image_set } { $has_folds ->
        [true] (weight chosen on validation images).
       *[false] (weight { $weight }, chosen on validation images).
    }

methods-precision = Steps were computed in mixed precision ({ $precision }).

methods-frozen-kept = The frozen network had better validation results{ $n_folds ->
        [0] {""}
       *[other] {" "}in { $n_frozen } of { $n_folds } folds
    } and was kept.

methods-regularizer = The loss also drew the features of the groups { $groups } together, and the groups apart (weights { $weights }).

methods-calibrated = { $has_validation ->
        [true] Probabilities were calibrated by temperature scaling on validation images{ $has_folds ->
            [true] .
           *[false] {" "}(T = { $temperature }).
        }
       *[false] Probabilities were not calibrated, because there were no validation images.
    }

methods-threshold = An image was predicted as { $label } if its probability reached a threshold of { $threshold }, which was set by hand.

methods-target = An image was predicted as { $label } if its probability reached a threshold: the one that on { $has_folds ->
        [true] each fold's validation images
       *[false] the validation images
    } has { $metric ->
        [sensitivity] a sensitivity of { $target } or more and the highest specificity.
       *[specificity] a specificity of { $target } or more and the highest sensitivity.
    }

methods-operating-points = Each class had an operating point: the threshold at which its one-vs-rest ROC curve on { $has_folds ->
        [true] each fold's validation images
       *[false] the validation images
    } has the largest Youden index, sensitivity + specificity − 1{ $has_default ->
        [true] {" "}(1 / { $n_classes } for classes without enough images to find one, or with none better than chance).
       *[false] .
    } The class whose probability was largest in proportion to its threshold was predicted.

methods-calibrated-held-out = The classifier was calibrated on held-out predictions of linear probes with the same shrinkage, each fitted on about nine tenths of all images.

methods-calibrated-folds = The classifier was calibrated on the predictions of the folds' networks for their validation images.

methods-metrics = All metrics are from { $image_set }{ $has_groups ->
        [true] {" "}({ $groups })
       *[false] {""}
    }: { $metrics }; { $has_intervals ->
        [true] { $confidence } confidence intervals are by { $methods }.
       *[false] no confidence intervals are given.
    }

# Metrics and decisions

report-evaluation-name = { $run } on { $evaluation }

report-confusion-matrix = Confusion matrix of { $n_classes } classes. Rows are true classes, columns predicted classes. The shade is the share of the row.{ $has_numbers ->
        [true] {" "}Columns have the numbers of the rows.
       *[false] {""}
    }

report-most-confused-classes = Confusion matrix of the { $n_classes } most confused classes, numbered as in the full matrix. Rows are true classes, columns predicted classes. The shade is the share of the row.

report-two-classes-subtitle = positive class: “{ $label }”

report-positive-class = { $is_set ->
        [true] “{ $label }” is the positive class (set in the recipe).
       *[false] “{ $label }” is the positive class (derived from the names of the classes).
    } The recipe can choose the other one.

report-meaning-of-two-classes = { $metric ->
        [sensitivity] share of the images of “{ $positive }” that are predicted as “{ $positive }”
        [specificity] share of the images of “{ $negative }” that are predicted as “{ $negative }”
        [ppv] share of the images predicted as “{ $positive }” that are “{ $positive }”; lower if “{ $positive }” is rarer than here
       *[npv] share of the images predicted as “{ $negative }” that are “{ $negative }”; lower if “{ $positive }” is more frequent
    }

# External test sets

report-threshold-by-hand = The decision threshold was set by hand. If it was set after looking at the run's test results, the metrics on that test set are too high.

report-own-test-relabeled = { $n_images ->
        [one] { $n_images } image of the run's test set was
       *[other] { $n_images } images of the run's test set were
    } relabeled after looking at misclassified images, so the metrics on that test set may be too high.

report-partly-labeled = Only { $n_labeled } of { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } { $n_labeled ->
        [one] has
       *[other] have
    } a label. If these were chosen because the classifier was unsure of them, as in a review of predictions, the metrics are too low for the others.

report-unfinished-training = Training had not ended when these images were measured: the metrics are of the classifier until then. Resume the training or end it, then evaluate again.

report-rescaled = Images of known pixel size were rescaled to the pixel size of the training images before they were measured.

report-other-pixel-size = { $n_images ->
        [one] { $n_images } image has
       *[other] { $n_images } images have
    } another pixel size than the training images, without rescaling. Objects may appear larger or smaller than in training.

report-other-pixels = Other pixels of the files were read than in training, numbers from 0: { $differences }. The metrics are for these pixels.

report-unknown-training-images = It is not known which of these images were used for training, so the metrics may be too high.

report-used-in-training = { $n_images ->
        [one] { $n_images } image, another plane of it or a duplicate was
       *[other] { $n_images } images, other planes of them or duplicates were
    } used for training. Metrics on such images are too high.

report-groups-of-training = { $n_images ->
        [one] { $n_images } image has
       *[other] { $n_images } images have
    } a group name that training images have too. If these are the same patients or slides, the metrics are too high for new ones.

report-evaluation-without-groups = No groups are known. If several of these images come from one patient or slide, the confidence intervals are too narrow.

report-predictive-values = { $share } of the images measured here are { $label }. Predictive values depend on this proportion. Sensitivity and specificity do not, as long as the images of a class look the same.

report-ppv-and-npv = PPV is the share of the images predicted as { $label } that are { $label }. NPV is the share of the other images that are not { $label }.

report-predictive-ranges = Each value is followed by the range from the lower to the upper limits of the CIs of sensitivity and specificity.

# Comparisons of runs

# Model card

card-about = Written by coverslip { $version } from the files of the run of { $date }. Information that these files do not contain is marked as “not known”. Add it before you share the classifier.

card-not-known = not known

card-see-methods = see “Methods”

card-training-images = { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    }

card-title-channels = Channels, in this order

card-title-pixel-size = Pixel size

card-pixel-size = { $is_same ->
        [true] { NUMBER($median, maximumSignificantDigits: 4) } µm
       *[false] { NUMBER($smallest, maximumSignificantDigits: 4) } to { NUMBER($largest, maximumSignificantDigits: 4) } µm (median { NUMBER($median, maximumSignificantDigits: 4) } µm)
    } in the training images

card-input = images of any size, resized to { $size } × { $size } pixels ({ $resize })

# Titles of sections

report-title-two-classes = Sensitivity and specificity

report-title-confusion = Confusion matrix

report-title-prevalence = Predictive values by class proportion

report-title-groups = Metrics per group
    .subtitle = one prediction per patient, slide or well

report-title-subgroups = Subgroups

report-subgroup-columns = by { $columns }

report-title-misclassified = Most confident misclassifications

report-title-label-errors = Suspected label errors

report-title-map-checks = Heat-map checks

report-title-limits = Limitations

report-title-methods = Methods
    .subtitle = text for the methods section of a paper

report-title-curves = Training curves
    .subtitle = by epoch of fine-tuning

# Columns of tables

column-about = about

column-accuracy = accuracy

column-assumed = assumed

column-checks = checks

column-correlation-with-random-weights = correlation with random weights

column-datasets = datasets

column-decision = decision

column-difference-in-accuracy = difference in accuracy

column-difference-in-macro-f1 = difference in macro-F1

column-estimated-proportion = estimated proportion

column-family = family

column-gain-with-bound = gain over center (95% lower bound)

column-image-size = image size

column-input = input

column-kind = kind

column-label = label

column-labels = labels

column-last-used = last used

column-license = license

column-method = method

column-misclassified = misclassified

column-model = model

column-multiplications = multiplications

column-name = name

column-network = network

column-normalization = normalization

column-npv = NPV

column-f1 = F1

column-auroc = AUROC

column-parameters = parameters

column-ppv = PPV

column-predicted-as = predicted as

column-preset = preset

column-proportion = proportion of { $label }

column-publication = publication

column-range-of-proportion = 95% range (sampling error only)

column-readable-images = readable images

column-rank = rank

column-records = records

column-regime = regime

column-score = score

column-sensitivity = sensitivity

column-set = set

column-share-of-class = share of the class

column-size = size

column-source = source

column-state = state

column-study = study

column-subgroup = subgroup

column-suggested-class = suggested class

column-threshold = threshold

column-training = training

column-true-class = true class

column-use = what for

column-weights = weights

# Cells of tables

report-or = { $first } or { $second }

report-passed = passed

report-failed = failed

report-metric-of-two-classes = { $metric ->
        [sensitivity] Sensitivity
        [specificity] Specificity
        [ppv] PPV
       *[npv] NPV
    }

report-group-metric = { $metric ->
        [accuracy] Accuracy
        [balanced_accuracy] Balanced accuracy
        [sensitivity] Sensitivity
        [specificity] Specificity
        [ppv] PPV
       *[npv] NPV
    }
    .meaning = { $metric ->
        [accuracy] share of the groups that are classified correctly
        [balanced_accuracy] mean of that share over classes
        [sensitivity] share of the positive groups that are predicted as positive
        [specificity] share of the negative groups that are predicted as negative
        [ppv] share of the groups predicted as positive that are positive
       *[npv] share of the groups predicted as negative that are negative
    }

report-empty-cell = (empty)

report-few-images = few

# The page

report-page-title = { $name } · coverslip report

report-made-by = coverslip { $version } · Python { $python } · { $platform } · device { $device } · seed { $seed }

report-primary-metric = primary

report-recipe = Recipe: all settings of this training

report-heat-map-picture = Heat maps of a test image, with a row for each initialization

report-figure-files = This figure:

report-figure-numbers = numbers (CSV)

report-file-not-found = file not found

report-tile-image = { $label }, predicted { $predicted }

report-tile-correct = correct

report-tile-label = label: { $label }

report-tile-probability = probability { $probability }

# Figures

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

figure-label-average = { $average }{ $has_curve ->
        [true] {""}
       *[false] {" "}(a mean, no curve)
    }

figure-files-not-found = files not
    found

# Reasons for excluded images

excluded-unreadable = unreadable

excluded-duplicates = duplicates with other labels

excluded-on-request = on request

excluded-class-not-in-training = class not in training set

# Comparison and methods

methods-resized = resized { $size }

# The model card and its checklists

card-title = Model card: { $name }

card-title-use = Intended use

card-use = For what

card-users = By whom

card-use-images = On which images

card-not-for = Not for:

card-title-classifier = The classifier

card-network = Network

card-initial-weights = Initial weights

card-classes = Classes

card-title-training-images = Images of the training and validation set

card-title-delivered = Delivered classifier

card-title-input = Input

card-title-results = Results

card-to-fill-in = _To be filled in._

# Report of class proportions

proportions-headline = Class proportions of { $n_samples ->
    [one] { $n_samples } sample
   *[other] { $n_samples } samples
}

proportions-made-by = coverslip { $version }

proportions-uncertain = uncertain images

proportions-unfamiliar = unfamiliar images

proportions-unreadable = unreadable images, not counted

proportions-mean = mean of samples

proportions-sample = sample

proportions-axis = proportion

proportions-methods-counted = Class proportions of { $n_samples ->
    [one] { $n_samples } sample
   *[other] { $n_samples } samples
} ({ $n_images ->
    [one] { $n_images } image
   *[other] { $n_images } images
}) were estimated with coverslip { $version } from the predictions of a classifier. All samples had equal weight.{ $n_open ->
    [0] {""}
    [one] {" "}{ $n_open } image with an uncertain or unfamiliar decision counted for each class by its probability.
   *[other] {" "}{ $n_open } images with an uncertain or unfamiliar decision counted for each class by their probabilities.
}{ $n_unreadable ->
    [0] {""}
    [one] {" "}{ $n_unreadable } unreadable image was not counted.
   *[other] {" "}{ $n_unreadable } unreadable images were not counted.
}

proportions-methods-corrected = Counts were corrected by the error rates of the classifier on test images that it was not fitted on (adjusted counts). { $is_binary ->
    [true] 95% confidence intervals are melded (Bayer, Fay and Graubard 2022)
   *[false] 95% confidence intervals are from 1,000 Dirichlet draws of error rates and counts
} at effective numbers of images, which include differences between samples and between groups of test images.{ $n_not_corrected ->
    [0] {""}
    [one] {" "}{ $n_not_corrected } sample could not be corrected.
   *[other] {" "}{ $n_not_corrected } samples could not be corrected.
} { $has_correlation ->
    [true] Intervals of single samples also include that error rates differ between samples as they do between groups of test images (intra-group correlation of a Dirichlet-multinomial model).
   *[other] Intervals of single samples assume equal error rates in all samples.
} Values of single samples are the weighted means of counts and corrected proportions with the least expected squared error; means of samples are corrected in full. The correction assumes that the error rates of the classifier were on average the same in the samples as on the test images.

proportions-methods-compared = Conditions were compared { $has_blocks ->
        [true] within blocks (such as experiment days or patients) by a paired t test of the means in each block, from the
       *[false] by Welch's t test of the
    }{ " " }{ $is_corrected ->
        [true] corrected proportions of samples without limits at 0 and 1; { $is_binary ->
            [true] confidence intervals include the uncertainty of the error rates (Fieller's method).
           *[other] confidence intervals and p-values include the uncertainty of the error rates.
        }
       *[other] counted proportions of samples.
    } The { $has_blocks ->
        [true] block
       *[false] sample
    } was the unit; p-values were adjusted by Holm's method.

report-labels-not-checked = { $n_labels ->
        [one] Not checked: { $n_labels } label.
       *[other] Not checked: { $n_labels } labels.
    }

report-too-few-images = too few images

report-misclassified-by-class = Misclassified images by class
