# The methods section of a result.

report-lossless-copies = rotation and mirroring without interpolation

report-augmented-copies = The covariance of features within images, over augmented copies of { $n_images ->
        [one] { $n_images } training image
       *[other] { $n_images } training images
    } ({ $changes }), was added to that within classes.

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
    } were classified by a linear discriminant fitted on { $has_validation ->
        [true] training and validation images
       *[false] training images
    }, whose shrinkage was chosen on validation images.

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

methods-best-epoch = the one with the best { $metric } on { $set ->
        [test] test images
       *[validation] validation images
    }

methods-augmentation = Data augmentation of training images: { $changes }.

methods-refitted = The last layer was averaged with a linear discriminant on the features of { $has_validation ->
        [true] training and validation images
       *[false] training images
    } { $has_folds ->
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

report-title-methods = Methods
    .subtitle = text for the methods section of a paper

report-recipe = Recipe: all settings of this training

excluded-unreadable = unreadable

excluded-duplicates = duplicates with other labels

excluded-on-request = on request

excluded-class-not-in-training = class not in training set

methods-resized = resized { $size }
