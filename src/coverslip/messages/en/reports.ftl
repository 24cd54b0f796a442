# Reports, model cards and comparisons of runs.

# Groups, confidence intervals and sets

report-lossless-copies = rotation and mirroring without interpolation

report-augmented-copies = The covariance of features within images, over augmented copies of { $n_images ->
        [one] { $n_images } training image
       *[other] { $n_images } training images
    } ({ $changes }), was added to that within classes.

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

methods-last-epoch-unless-better = the last unless { $metric } on validation images was better before fine-tuning{ $is_by_two_errors ->
        [true] {" "}by more than two standard errors
       *[false] {""}
    }

methods-best-epoch = the one with the best { $metric } on { $set } images

methods-augmentation = Data augmentation of training images: { $changes }.

methods-refitted = The last layer was averaged with a linear discriminant on the features of { $image_set } { $has_folds ->
        [true] (weight chosen on validation images).
       *[false] (weight { $weight }, chosen on validation images).
    }

methods-precision = Steps were computed in mixed precision ({ $precision }).

methods-frozen-kept = The fine-tuned network was not better on validation images{ $n_folds ->
        [0] {""}
       *[other] {" "}in { $n_frozen } of { $n_folds } folds
    }, and the frozen network was kept.

methods-regularizer = The loss also drew the features of the groups { $groups } together, and the groups apart (weights { $weights }).

methods-calibrated = { $has_validation ->
        [true] Probabilities were calibrated by temperature scaling on validation images, each predicted by a last layer that was fitted without it{ $has_folds ->
            [true] .
           *[false] {" "}(T = { $temperature }).
        }
       *[false] Probabilities were not calibrated, because there were no validation images.
    }

methods-calibrated-delivered = The delivered classifier has another temperature (T = { $temperature }), from images that were held out from its last layer.

methods-threshold = An image was predicted as { $label } if its probability reached a threshold of { $threshold }, which was set by hand.

methods-target = An image was predicted as { $label } if its probability reached a threshold: the one that on { $has_folds ->
        [true] each fold's validation images
       *[false] the validation images
    } has { $metric ->
        [sensitivity] a sensitivity whose lower 90% confidence bound is { $target } or more, or is highest, and the highest specificity.
       *[specificity] a specificity whose lower 90% confidence bound is { $target } or more, or is highest, and the highest sensitivity.
    }

methods-operating-points = Each class had an operating point: the threshold at which its one-vs-rest ROC curve on { $has_folds ->
        [true] each fold's validation images
       *[false] the validation images
    } has the largest Youden index, sensitivity + specificity − 1{ $has_default ->
        [true] {" "}(1 / { $n_classes } for classes without enough images to find one, or with none better than chance).
       *[false] .
    } The class whose probability was largest in proportion to its threshold was predicted.

methods-calibrated-held-out = The classifier was calibrated on held-out predictions of linear probes with the same shrinkage, each fitted on all images except those of one group (or one image without groups).

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

report-title-methods = Methods
    .subtitle = text for the methods section of a paper

# Columns of tables

column-about = about

column-assumed = assumed

column-datasets = datasets

column-decision = decision

column-estimated-proportion = estimated proportion

column-family = family

column-image-size = image size

column-input = input

column-kind = kind

column-last-used = last used

column-license = license

column-model = model

column-multiplications = multiplications

column-name = name

column-network = network

column-normalization = normalization

column-f1 = F1

column-auroc = AUROC

column-parameters = parameters

column-preset = preset

column-publication = publication

column-readable-images = readable images

column-rank = rank

column-records = records

column-regime = regime

column-sensitivity = sensitivity

column-size = size

column-source = source

column-state = state

column-study = study

column-threshold = threshold

column-training = training

column-use = what for

column-weights = weights

# Cells of tables

report-or = { $first } or { $second }

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
