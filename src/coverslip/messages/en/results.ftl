# Results of runs and comparisons, for reports and pages of the app.

# Headline and the sentences below it

report-headline = { $n_correct } of { $image_kind ->
        [held-out] { $n_images ->
            [one] { $n_images } held-out image
           *[other] { $n_images } held-out images
        }
        [test] { $n_images ->
            [one] { $n_images } test image
           *[other] { $n_images } test images
        }
        [external] { $n_images ->
            [one] { $n_images } image of the external test set
           *[other] { $n_images } images of the external test set
        }
       *[other] { $n_images ->
            [one] { $n_images } image
           *[other] { $n_images } images
        }
    } { $n_correct ->
        [one] is classified correctly.
       *[other] are classified correctly.
    }

report-headline-all-correct = All { $image_kind ->
        [held-out] { $n_images } held-out images are
        [test] { $n_images } test images are
        [external] { $n_images } images of the external test set are
       *[other] { $n_images } images are
    } classified correctly.

report-at-home = The numbers are of images from the laboratory of the training, not of the one that it was adapted to.

report-new-domain = Expected in a new laboratory: { $metric } { $mean }, the mean of { $n } domains ({ $lowest } to { $highest }). Each domain was tested by a classifier that was trained without it.

report-accuracy = Accuracy is { $accuracy }.

report-group-mean = Averaged over { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    } of test images, each with the same weight, accuracy is { $accuracy }.

report-majority-class = A classifier that always predicts “{ $label }” has an accuracy of { $accuracy }.

report-decision-images = { $source ->
        [held-out] images of all folds, each predicted by a linear probe that was trained without it
        [folds] validation images of all folds, each predicted by its fold's network
       *[validation] validation images
    }

report-thresholds-of-classes = Each class has its own decision threshold, which was chosen { $when ->
        [on-images] on { $image_set }.
        [after-test] after the first test.
       *[before-test] before testing.
    }

report-threshold = “{ $label }” is predicted from a probability of { $threshold } on, { $is_by_hand ->
        [true] set by hand
       *[false] chosen
    }{ $when ->
        [on-images] {" "}on { $image_set }
        [after-test] {" "}after the first test
        [before-test] {" "}before testing
       *[not-stated] {""}
    }{ $has_folds ->
        [true] ; each fold has its own.
       *[false] .
    }

report-no-time-to-finetune = There was no time for fine-tuning, so the instant classifier is kept.

report-no-epoch-completed = No epoch of fine-tuning was completed, so the instant classifier is kept.

report-finetuning-not-better-in-folds = In { $n_frozen } of { $n_folds } folds, fine-tuning did not improve validation results, so the instant classifier is kept.

report-finetuning-not-better = Fine-tuning did not improve validation results, so the instant classifier is kept.

report-finished-early = Fine-tuning was ended after { $n_epochs } of { $n_planned ->
        [one] { $n_planned } epoch
       *[other] { $n_planned } epochs
    } and had not improved validation results by then, so the instant classifier is kept.

report-time-for-all = About { $time } would allow all { $n_epochs } epochs.

report-relabeled = This may be too high, because labels were corrected after looking at misclassified images: { $n_images ->
        [one] { $n_images } test image has a different label
       *[other] { $n_images } test images have different labels
    } than in the first training with this split. With the earlier labels, accuracy is { $accuracy }.

report-unknown-labels = The split is that of an earlier training, whose folder no longer exists.
    .meaning = It is not known whether labels of test images were corrected since then. If so, the metrics may be too high.

# Key facts

column-classes = classes

column-groups = groups

column-images = images

column-objects = objects

report-fact-images = { $is_own ->
        [true] images used
       *[false] test images
    }

report-fact-groups = { $is_own ->
        [true] groups of all images used
       *[false] groups of the test images
    }

report-ungrouped = of these, without a known group

report-no-groups-given = none given

report-network = model

report-domains = domains

report-training-time = training

# Groups, confidence intervals and sets

report-groups = { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    }{ $n_ungrouped ->
        [0] {""}
        [one] {" "}and { $n_ungrouped } image without a known group
       *[other] {" "}and { $n_ungrouped } images without a known group
    }

report-groups-of-evaluation = These test images come from { $groups }.

report-groups-of-test-images = The test images come from { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    }{ $n_ungrouped ->
        [0] .
        [one] ; { $n_ungrouped } image of them has no known group.
       *[other] ; { $n_ungrouped } images of them have no known group.
    }

report-groups-of-folds = Each group was tested by a network that was trained without it.

report-groups-not-in-training = { $is_tested_only ->
        [true] The tested classifier was not trained on images of these groups.
       *[false] No image of these groups was used for training.
    }

report-ungrouped-images = { $has_folds ->
        [true] { $n_images ->
            [one] { $n_images } image has no known group
           *[other] { $n_images } images have no known group
        }
       *[false] { $n_images ->
            [one] { $n_images } training or validation image has no known group
           *[other] { $n_images } training or validation images have no known group
        }
    }, so nothing shows whether training and test images are of the same patient or slide.

report-delivered-classifier = The evaluated classifier is the delivered one, which is fitted to all { $n_images } training, validation and test images of its run.{ $is_unseen ->
        [true] {" "}The images evaluated here are others.
       *[false] {""}
    }

report-interval = The 95%{"\u00A0"}CI covers how much the value would change with other { $has_groups ->
        [true] groups (such as patients or slides)
       *[false] images
    } in the test set{ $has_folds ->
        [true] {" "}and other training images.
       *[false] .
    }

report-interval-few-groups = It is approximate, because there are only { $groups }.

report-interval-groups = No interval can show failures on groups that the test set does not contain.

report-folds-intervals = Its intervals, and those of classes, are wider than the counts alone give, because classifiers that are trained on other images differ.

report-interval-folds = The value is that of the folds' classifiers, each trained on { $share } of the images. The final classifier, trained on all images, is usually a little better.

report-split = { $split ->
        [test-once] test images, which no choice was based on
        [test] test images
        [validation] validation images, which choices were based on
        [held-out] held-out images of cross-validation (out-of-fold)
       *[other] the images of “{ $name }”
    }{ $n_relabeled ->
        [0] {""}
       *[other] , { $n_relabeled } of them relabeled after looking at misclassified images
    }

# Uncertain predictions, and metrics of one probability

report-of-one-probability = { $is_of_two ->
        [true] of the probability of “{ $label }”; { $meaning }
       *[false] of the probability of the predicted class; { $meaning }
    }

report-uncertain-threshold = { $has_folds ->
        [true] Each fold labels predictions as uncertain below a threshold that was set on its validation images.
       *[false] Predictions below { $threshold } are labeled uncertain. This threshold was set on { $image_set }.
    }

report-none-uncertain = None of these images is uncertain.

report-uncertain = Here { $n_uncertain } of { $n_images } images { $n_uncertain ->
        [one] is
       *[other] are
    } uncertain. { $has_decided ->
        [true] Accuracy is { $of_decided } on the images with a decided class and { $of_uncertain } on the uncertain ones.
       *[false] Accuracy is { $of_uncertain } on the uncertain ones.
    }

report-neither-decided = { $n_images ->
        [one] { $n_images } unfamiliar image counts as neither.
       *[other] { $n_images } unfamiliar images count as neither.
    }

report-final-classifier-certain = The final classifier does not label predictions as uncertain because of a low probability.

report-final-classifier-uncertain = The final classifier has a separate threshold, { $threshold }: it labels { $share } of the images that this threshold was set on as uncertain. Expect about this share of new images, not the share in the folds.

# Verdicts: whether to use a classifier, followed by a reason or, if it may be used, by counts

verdict = { $is_external ->
        [true] { $use ->
            [no] Do not use this classifier on such images.
            [unknown] Not known whether it is usable on such images.
            [care] Use with care on such images.
           *[yes] Usable for such images.
        }
       *[false] { $use ->
            [no] Do not use this classifier.
            [unknown] Not known whether it is usable.
            [care] Use with care.
           *[yes] { $has_groups ->
                [true] Usable for images like the test images.
               *[false] Usable for images like the test images, if each is of a different patient or slide.
            }
        }
    }

verdict-own-images = { $is_usable ->
        [true] Usable for images like its test images.
       *[false] On images like its test images, use with care.
    }

verdict-class = “{ $label }”

verdict-count-of-class = { $n_correct } of { $n_images } for “{ $label }”{ $interval }

verdict-count-of-predictions = { $n_correct } of { $n_images } predictions of “{ $label }” are right{ $interval }

verdict-weakest-class = In the class with the lowest recall, “{ $label }”, { $n_correct } of { $n_images } are.

verdict-without-groups = No groups were given. If several images come from one patient or slide, { $is_external ->
        [true] the confidence intervals are too narrow.
       *[false] the result is probably too high, and its confidence interval too narrow.
    }

verdict-next = Next: { $step }

verdict-action = { $action ->
        [adapt] Adapt it to images from there, at least 20 of them with labels (coverslip adapt RUN NEW_DATA --labels TABLE).
        [check-labels] Check the suspected label errors (tab “Images”, or coverslip label-errors RUN).
        [choose-threshold] Choose another threshold (tab “Trust” of the training, or coverslip decide RUN), or label more images.
        [inspect] Search for shortcuts (tab “Checks” of the dataset, or coverslip inspect DATA --estimate-leakage).
        [label-more] { $confused ->
            [none] {""}
           *[other] Check the labels of { $confused }, which are confused with each other, and merge them if nobody can distinguish them.{" "}
        }{ $classes ->
            [none] Label more images
           *[other] Label more images of { $classes }
        } (coverslip suggest DATA --run RUN), and train again.
        [name-groups] Name the patients or slides (tab “Checks” of the dataset, or coverslip train --group COLUMN or --group-pattern PATTERN), and train again.
        [test-more] { $has_folds ->
            [true] Label { $classes ->
                [none] more images{ $n_needed ->
                    [0] {""}
                   *[other] , until at least { $n_needed } are predicted as { $predicted }
                }
               *[other] { $n_needed ->
                    [0] more images of { $classes }
                   *[other] more images, until there are at least { $n_needed } of { $classes }
                }
            }{ $has_groups ->
                [true] {" "}from further patients or slides
               *[false] {""}
            }, and train again: cross-validation tests these too. Or test it on them (tab “Trust” of the training, or coverslip evaluate RUN DATA).
           *[false] { $classes ->
                [none] Test it on more labeled images{ $n_needed ->
                    [0] {""}
                   *[other] , until at least { $n_needed } are predicted as { $predicted }
                }
               *[other] { $n_needed ->
                    [0] Test it on more images of { $classes }
                   *[other] Test it on at least { $n_needed } images of { $classes }
                }
            }{ $has_groups ->
                [true] {" "}from further patients or slides
               *[false] {""}
            } (tab “Trust” of the training, or coverslip evaluate RUN DATA).{ $can_have_folds ->
                [true] {" "}Cross-validation also tests more images, and takes up to six times as long (coverslip train --set split.folds=5){ $has_groups ->
                    [true] .
                   *[false] {""}; if several are of one patient or slide, name these first.
                }
               *[false] {""}
            }
        }
       *[train-without-leakage] Train again without leakage between the sets, or with another split.
    }

limit-no-test-image = No image could be measured.
    .meaning = The performance is not known.
    .next = Check that the test images can be read and have labels.

limit-not-above-chance = { $kind ->
        [constant] It gives all { $n_images } test images the same class, “{ $label }”.
        [worse] It is worse than guessing: { $value } of the images are classified correctly; guessing as many images of each class would be correct for { $chance }.
        [hardly] It is hardly better than guessing: on average over the classes, { $value } are recognized; guessing would recognize { $chance }.
       *[not-shown] It is not shown to be better than guessing: on average over the classes, { $value } are recognized; guessing would recognize { $chance }.
    }
    .meaning = { $kind ->
        [worse] Most images of some classes get the same wrong class, so names or labels may be exchanged.
       *[other] More labeled images may help, or images on which the classes look different. Check the labels first.
    }
    .next = { $kind ->
        [constant] Check the labels, label more images of the other classes (coverslip suggest DATA --run RUN), and train again.
        [worse] Check whether the names of the classes, or the labels, are exchanged or shifted.
       *[other] Check the labels, label more images (coverslip suggest DATA --run RUN), and train again.
    }

limit-chance-not-excluded = There are too few test images { $has_groups ->
        [true] or groups{" "}
       *[false] {""}
    }to say whether it is better than guessing: on average over the classes, { $value } are recognized; guessing would recognize { $chance }.
    .meaning = Test it on more images before you rely on it.

limit-class-lost = It recognizes almost no image of { $n_classes ->
        [one] a class
       *[other] some classes
    }: { $labels }.
    .meaning = Images of such a class get another class, of which too many are counted. Check the labels, label more of them and train again.

limit-class-lost-of-many = It recognizes almost no image of { $n_classes ->
        [one] a class
       *[other] some classes
    }: { $labels }.
    .meaning = Images of such a class get another class, of which too many are counted. Check the labels, label more of them and train again.

limit-leaks = { $n_clusters ->
        [one] { $n_clusters } group or set of duplicates is
       *[other] { $n_clusters } groups or sets of duplicates are
    } both in the test set and in the training or validation set, so the result is probably too high.
    .meaning = Leakage was allowed for this run. How well the classifier works on new images is not known. Train again without leakage.

limit-above-grouped = On images of new groups, { $metric } is expected to be about { $grouped }, not { $value }.
    .meaning = The leakage estimate compares a split by images with a split by groups. The result of this run is like that of the split by images.

limit-wide-interval = There are too few test images { $has_groups ->
        [true] or groups{" "}
       *[false] {""}
    }to know how good it is: { $metric } may be anywhere from { $low } to { $high } (95% CI).
    .meaning = Test it on more images{ $can_have_folds ->
        [true] , or by cross-validation,
       *[false] {""}
    } before you rely on it.

limit-mostly-wrong = It is wrong more often than right: on average over the classes, it recognizes { $value } of the images; guessing would recognize { $chance }.
    .meaning = Use it only to sort images, and check all of its predictions. More labeled images may help, or larger ones.

limit-weak = It misses many images: on average over the classes, it recognizes { $value } of the images; guessing would recognize { $chance }.
    .meaning = Check its predictions, or use it only to sort images. More labeled images may help.

limit-unsure-average = It may miss many images of some classes: on average over the classes, it recognizes { $value } of the images; guessing would recognize { $chance }.
    .meaning = It may be below { $half }, half the way from guessing to perfect. Check its predictions until it is tested on more images.

limit-weak-classes = It recognizes fewer than half of the images of a class: { $labels }.
    .meaning = Do not count classes by its predictions alone: those that it predicts instead are too many. Label more images.

limit-unsure-classes = { $is_below ->
        [true] It may recognize fewer than half of the images of a class:
       *[false] There are too few test images { $has_groups ->
            [true] or groups{" "}
           *[false] {""}
        }to say whether it recognizes more than half of the images of a class:
    } { $labels }.
    .meaning = { $n_classes ->
        [one] The interval includes
       *[other] The intervals include
    } one half. Do not count classes by its predictions alone: those that it predicts instead may be too many.

limit-false-alarms = Most images that it predicts as { $predicted } are of another class: { $labels }.
    .meaning = Check each image that is predicted as such a class. In new images, the share of wrong predictions is higher if the class is rarer than here.

limit-unsure-predictions = It is not shown that most of the images that it predicts as { $predicted } are right: { $labels }.
    .meaning = { $n_classes ->
        [one] The interval includes
       *[other] The intervals include
    } one half. Check the images that are predicted as such a class.

limit-like-majority-class = { $is_worse ->
        [true] It is correct less often ({ $accuracy }) than if it always predicted “{ $label }” ({ $majority }).
       *[false] It is not shown to be correct more often ({ $accuracy }) than if it always predicted “{ $label }” ({ $majority }).
    }
    .meaning = Accuracy says little here. Judge the classifier by the recall and precision of the other classes.

limit-miscalibrated = Its probabilities are not reliable: { $kind ->
        [high] they are { $error } too high on average.
        [low] they are { $error } too low on average.
       *[both] some are too high, others too low, by { $error } on average.
    }
    .meaning = Its classes do not depend on this. Do not use the probabilities as such, and choose no threshold by them without a test.
    .next = Use only its classes, or train again with more labeled images, by which its probabilities are calibrated.

limit-lower-than-own-test = It works { $is_much ->
        [true] much worse
       *[false] worse
    } on these images than on the test set of its training: on average over the classes{ $are_all_classes ->
        [true] {""}
       *[false] {" "}in both test sets
    }, { $value } are recognized instead of { $of_training }.
    .meaning = The images differ from those of the training, for example in the laboratory, the stain or the microscope. Train with images like these.

limit-used-in-training = { $n_images ->
        [one] { $n_images } of these images was used in the training, so the result does not show how good it is on new images.
       *[other] { $n_images } of these images were used in the training, so the result does not show how good it is on new images.
    }
    .meaning = A classifier is nearly always better on images that it was trained on. Test it on other images.

limit-groups-of-training = { $n_images ->
        [one] { $n_images } of these images is of a group that was used in the training, so the result may be too high.
       *[other] { $n_images } of these images are of groups that were used in the training, so the result may be too high.
    }
    .meaning = Test it on images of other patients or slides.

limit-unfamiliar = { $n_unfamiliar } of { $n_images } images look different from all training images, so its predictions for them are not reliable.
    .meaning = Adapt it to images like these, at least 20 of them with labels.

limit-external-test = { $is_useless ->
        [true] On images like those of “{ $name }”, do not use it.
       *[false] On images like those of “{ $name }”, use with care.
    } { $claim }
    .meaning = This is the result on an external test set. The images differ from those of the training, for example in the laboratory, the stain or the microscope.

limit-wrong-labels = Labels are suspect: { $share } of the images that are clearest by their features have a label of another class. Those of the test images are suspect too, so the result may be too low.
    .meaning = Either labels are wrong, or the network does not see what distinguishes these classes. Images that are similar to several classes are not counted.

limit-possibly-wrong-labels = Labels are suspect: { $share } of the images that are clearest by their features have a label of another class. Those of the test images are suspect too, so the result may be too low. One in five trainings with correct labels gets this reason too: look at the labels.
    .meaning = Either labels are wrong, or the network does not see what distinguishes these classes. Images that are similar to several classes are not counted.

wrong-labels-of-hard-classes = the clearer the images, the fewer errors: the features hardly show the classes

limit-adapted-unchecked = It was adapted to another laboratory, and not checked there: no label of its { $n_images } images was used, so every decision on new images is “uncertain” or “unfamiliar”.
    .next = Label 20 images of that laboratory (coverslip suggest NEW), and adapt the first classifier again with them (coverslip adapt RUN NEW --labels TABLE).
    .meaning = It is for images of that laboratory only. The metrics are of test images from the laboratory of the training.

limit-adapted = It was adapted to another laboratory. Of { $n_labels } labeled images there, it predicts { $n_right } right without their own labels: { $accuracy }. The first classifier predicted { $n_right_before } right.{ $is_of_one_group ->
        [true] {" "}They are all of one group, so it may be lower in others.
       *[false] {""}
    }
    .next = { $are_all_labeled ->
        [true] Test it on images of other patients or slides of that laboratory (coverslip evaluate RUN DATA).
       *[false] Label more images of that laboratory (coverslip suggest NEW), and adapt the first classifier again with them (coverslip adapt RUN NEW --labels TABLE).
    }
    .meaning = It is for images of that laboratory only. Each label was predicted without being used. The metrics are of test images from the laboratory of the training.

limit-mark = It is not known how it recognizes { $classes }: the border of the images alone recognizes { $labels }, so the result may be too high.
    .next = Crop, mask or replace the borders, train again, and test it on images without the mark.
    .meaning = Something at the border differs, such as a mark, a scale bar, padding or the background. The classifier may recognize it instead of the cell. Then the metrics do not apply to images without it. Crop the images, or mix the sources of the classes.

limit-protocol = { $claim }
    .next = Train again without { $n_steps ->
        [one] this step
       *[other] these steps
    } of a publication, or test it on images that were not used so far (tab “Trust” of the training, or coverslip evaluate RUN DATA).
    .meaning = The run repeats the steps of a published study. Report its metrics as those of this protocol, not as the performance on new images.

limit-finding = { $claim }
    .meaning = { $meaning }

# Results of sections in a sentence

verdict-metric = { $metric } is { $value }.

verdict-lowest-class = The class with the lowest recall is { $label }: { $recall } ({ $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    }).

verdict-confusion = Most frequent confusion: { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } of { $label } ({ $share } of the class) predicted as { $predicted }.

verdict-no-confusion = No test image is misclassified.

verdict-misclassified = { $n } of { $n_images } test images { $n ->
        [one] is
       *[other] are
    } misclassified ({ $share }).

verdict-two-classes = For “{ $label }”, sensitivity is { $sensitivity } and specificity { $specificity } on the test images.{ $has_thresholds_of_folds ->
        [true] {" "}Each fold has a separate threshold. The threshold of the classifier was not evaluated on these images.
       *[false] {""}
    }

verdict-decision = { $has_thresholds ->
        [false] Each image is predicted as its most probable class. There are no decision thresholds.
       *[true] Each class has its own threshold. An image is predicted as the class with the largest margin above its threshold.
    }

verdict-curves = { $metric } is { $value }{ $has_precision ->
        [true] ; average precision is { $precision }
       *[false] {""}
    }. An AUROC of 0.5 is the chance level.

verdict-no-curves = There are no curves: each curve needs test images of the class and of other classes.

verdict-calibration = { $direction ->
        [right] The test does not show that the probabilities are wrong.
        [both] The probabilities are not well calibrated: some are too high, others too low.
        [extreme] The probabilities are too extreme: high ones are too high, low ones too low.
        [moderate] The probabilities are not extreme enough: high ones are too low, low ones too high.
        [high] The probabilities are too high: on average { $confidence }, but { $accuracy } of the predictions are correct.
       *[low] The probabilities are too low: on average { $confidence }, but { $accuracy } of the predictions are correct.
    } The calibration error above chance is { $error }{ $has_line ->
        [true] , the intercept is { $intercept } (0 is right) and the slope { $slope } (1 is right).
       *[false] .
    }

verdict-calibration-unknown = It is not known whether the probabilities are right. The calibration error above chance is { $error }, without an interval: { $reason }.

verdict-no-calibration = The calibration error of this run is not known.

verdict-split = { $n_images } images: { $n_train } for training, { $n_val } for validation and { $n_test } for testing.

verdict-folds = { $n_images } images, { $n_folds } folds of cross-validation. { $n_untested ->
        [0] Each image is a test image once.
        [one] { $n_untested } image could not be tested; each other image is a test image once.
       *[other] { $n_untested } images could not be tested; each other image is a test image once.
    }

verdict-against-own-test = { $result ->
        [same] { $metric } does not differ from that on the run's own test set by more than chance: { $difference }.
        [worse] { $metric } is worse than on the run's own test set: { $difference }. For images like these, use the metrics of the external test set. Training on some of them may help.
       *[better] { $metric } is better than on the run's own test set: { $difference }. Check whether these images are easier, or known to the classifier.
    }

accuracy-after-adaptation = Accuracy in the other laboratory

verdict-each-fold = { $n_folds } folds were trained separately. The final classifier is trained on all images.

verdict-finetuned = Fine-tuning ran for { $n_epochs ->
        [one] { $n_epochs } epoch
       *[other] { $n_epochs } epochs
    }. Epoch { $epoch } is used.

verdict-instant = The instant classifier is used: a linear classifier on features of the pretrained network.

report-classifier = classifier

report-is-instant = instant{ $has_finetuning ->
        [true] ; fine-tuning was not better
       *[false] {""}
    }

report-is-finetuned = fine-tuned, epoch { $epoch } of { $n_epochs }

# Limitations

limit-classifier-not-measured = The classifier itself was not measured.
    .meaning = The metrics are those of { $n_folds } networks, each trained without its test images. The classifier was trained in the same way on all images. Its performance should be similar, but no image is left to measure it.

limit-leakage-allowed = Training and test images may overlap, so the result may be too high.
    .meaning = Leakage was allowed for this run. If images or groups are in both sets, the metrics are too high.

limit-relabeled = { $claim }
    .meaning = If only misclassified images were reviewed, metrics with the corrected labels may be too high, because wrong labels that agree with the classifier stay. Report the metrics with the earlier labels.

limit-validation-images = The result is from validation images, which training used for choices, so it is probably too high.
    .meaning = Test it on images that no choice was based on.

limit-no-groups = No groups are known.
    .meaning = If several images come from one patient, slide or plate, some can be in the training set and others in the test set. The network may then recognize the slide instead of the cell, and the metrics are too high. Name the groups and train again.

limit-too-few-groups = { $has_folds ->
        [true] The run has only { $groups } (patients or slides), too few to estimate how good it is on new ones.
       *[false] The test set has only { $groups } (patients or slides), too few to estimate how good it is on new ones.
    }
    .meaning = How good the classifier is on a new group cannot be estimated from so few: confidence intervals need at least { $n_needed } groups.{ $can_have_folds ->
        [true] {" "}Cross-validation tests on every group and uses the data better.
       *[false] {""}
    }
    .next = Test it on images of more patients or slides (tab “Trust” of the training, or coverslip evaluate RUN DATA).

limit-few-groups = { $has_folds ->
        [true] The run has only { $groups } (patients or slides), too few to include all kinds of new ones.
       *[false] The test set has only { $groups } (patients or slides), too few to include all kinds of new ones.
    }
    .meaning = A kind that { $share } of all groups are of is missing among so few in 1 of 20 cases.{ $can_have_folds ->
        [true] {" "}Cross-validation tests on every group and uses the data better.
       *[false] {""}
    }
    .next = Test it on images of more patients or slides (tab “Trust” of the training, or coverslip evaluate RUN DATA){ $can_have_folds ->
        [true] , or on all groups by cross-validation (coverslip train --set split.folds=5).
       *[false] .
    }

limit-compared-runs = Its test metrics were compared with those of { $n_others ->
        [one] { $n_others } other training.
       *[other] { $n_others } other trainings.
    }
    .meaning = If it was selected among { $n_runs } by these metrics, they are too high: of { $n_runs } equally good classifiers, one is best by chance. Select by validation metrics, or keep an external test set.

limit-threshold-not-measured = The test metrics are by the thresholds of the folds, not by that of the classifier{ $has_point ->
        [true] {":"} the classifier predicts “{ $label }” from a probability of { $threshold }, with a sensitivity of { $sensitivity } and a specificity of { $specificity } on the images that it was chosen on.
       *[false] {"."}
    }
    .meaning = The classifier can be right more or less often than these metrics. Measure its threshold on an external test set.

limit-decision-after-test = The decision rule was changed after the test metrics were first computed.
    .meaning = If it was chosen by these metrics, they are too high. Measure it on an external test set.

limit-tested-repeatedly = Test metrics were computed { $n_times } times.
    .meaning = Each choice that is based on test metrics makes them higher than the true performance.

limit-few-test-images = { $n_images ->
        [one] There is only { $n_images } test image.
       *[other] There are only { $n_images } test images.
    }
    .meaning = A single image changes the metrics visibly.

limit-class-without-test-image = Without a test image, it is not known how it recognizes { $classes }.
    .meaning = Add images of these classes and test it again.

limit-rare-classes = { $is_all ->
        [true] All
       *[false] Some
    } classes have fewer than { $n_fewest } test images.
    .meaning = Their metrics are uncertain: { $labels }.

limit-classes-not-distinguished = The test images do not show that the classifier distinguishes all classes.
    .meaning = Class proportions of samples are not corrected for its errors. Label more images of the classes that are rarely recognized, or merge classes.

limit-class-imbalance = Class sizes are very different.
    .meaning = The largest class has { $ratio } times as many test images as the smallest. Accuracy depends mostly on the large classes; balanced accuracy and macro-F1 weight all classes equally.

limit-unknown-initialization = The training images of the initial classifier are not known.
    .meaning = Training started from a classifier that does not record its training images. If test images are among them, all metrics are too high.

limit-one-domain = All images are from one domain (laboratory or microscope).
    .meaning = No other laboratory, microscope or stain was given. Images from another one can have lower metrics. Evaluate the run on a labeled external test set before you rely on it.

limit-training-domains = All test domains (laboratories or microscopes) are also training domains.
    .meaning = The metrics apply to new images of { $tested }.{ $n_untested ->
        [0] {""}
       *[other] {" "}No test image is from { $untested }.
    } Images from another domain can have lower metrics. Evaluate the run on a labeled external test set, or test each domain by a classifier trained on the others (split.by_domain=true).

limit-no-shared-class = No class occurs in two domains (laboratories or microscopes).
    .meaning = A classifier that recognizes the domain (by stain, color or size) already excludes most wrong classes. See the metrics per domain instead of the averages over all domains.

limit-near-duplicates = Near-duplicates were not searched for.
    .meaning = Some test images may be rotated, mirrored, cropped or recompressed copies of training images. With split.near_duplicates: together, a training finds them and keeps them in one set.

limit-excluded-images = { $n_images ->
        [one] { $n_images } image was excluded because of a problem.
       *[other] { $n_images } images were excluded because of problems.
    }
    .meaning = The file split.csv in the run’s folder lists them with reasons. New images with the same problems get no prediction.

limit-excluded-by-hand = { $n_images ->
        [one] { $n_images } image of the dataset was excluded by users.
       *[other] { $n_images } images of the dataset were excluded by users.
    }
    .meaning = If these were difficult images, and not duplicates or replaced objects, the metrics are too high for new images, of which none is excluded.

limit-scaled-per-image = Intensity was removed.
    .meaning = Each image was scaled to its own range. Classes that differ only in brightness or amount of stain cannot be distinguished.

limit-known-classes = The classifier predicts only these classes.
    .meaning = Dirt, a blurred field or another cell type can also get one of the { $n_classes } classes.

limit-class-proportions = Predictive values depend on the class proportions.
    .meaning = If a class is rarer than in the measured images, its precision is lower. Set the expected class proportions for prediction, or evaluate on images with these proportions.

limit-unverified-labels = Labels were not verified.
    .meaning = Wrong labels make the metrics wrong. Review the most confident misclassifications.

# Leakage estimate

report-leakage-estimate = With an image-level split, which puts images of one group or duplicates in both training and test set, { $metric } is { $image_level }. With a grouped split it is { $grouped }. The difference is { $difference }.

report-leakage-not-tested = The difference was not tested{ $has_reason ->
        [true] {" "}({ $reason }).
       *[false] .
    }

report-leakage-overestimates = An image-level split overestimates the performance on new patients, slides or fields. Report the value of the grouped split.

report-leakage-underestimates = Here the image-level split gives the lower value, which happens if groups contain few of the classes.

report-leakage-not-significant = The difference is not statistically significant.

report-leakage-estimate-method = Measured on { $n_images } images in { $n_units } units (groups, sets of duplicates and single images). Both splits use the same quick classifiers on the features of a network that was not trained on these images, and each image is predicted by a classifier that was not fitted on it. A fine-tuned network can differ, and groups that were not given are not considered. No choice was based on these values.

# Comparisons of runs

report-by-labels = { $labels ->
        [first] , by the labels of the first run
       *[second] , by the labels of the second run
    }

comparison-same-predictions = On { $n_images ->
        [one] { $n_images } test image
       *[other] { $n_images } test images
    }{ $by_labels }, “{ $first }” and “{ $second }” give the same predictions: { $metric } is { $of_first }.

comparison-not-tested = On { $n_images ->
        [one] { $n_images } test image
       *[other] { $n_images } test images
    }{ $by_labels }, { $metric } is { $of_first } for “{ $first }” and { $of_second } for “{ $second }”. The difference cannot be tested ({ $reason }).

comparison-better = On { $n_images ->
        [one] { $n_images } test image
       *[other] { $n_images } test images
    }{ $by_labels }, { $is_second_better ->
        [true] “{ $second }” is better than “{ $first }”: { $metric } { $of_second } against { $of_first }.
       *[false] “{ $first }” is better than “{ $second }”: { $metric } { $of_first } against { $of_second }.
    } The difference from “{ $first }” to “{ $second }” is { $size } ({ $interval }).

comparison-not-significant = On { $n_images ->
        [one] { $n_images } test image
       *[other] { $n_images } test images
    }{ $by_labels }, the difference in { $metric } from “{ $first }” ({ $of_first }) to “{ $second }” ({ $of_second }) is not statistically significant: { $size } ({ $interval }).

comparison-by-second-labels = By the labels of the second run, the values are { $first } and { $second }.

comparison-different-rules = The two use different decision rules.

comparison-there = In the other laboratory, “{ $name }” predicts { $n_right } of { $n_labels } labeled images right, each without its own label; before the adaptation, { $n_right_before } were right.

comparison-of-several = “{ $best }” has the best { $metric } ({ $value }).{ $n_significant ->
        [0] {""}
        [one] {" "}The difference from { $significant } is statistically significant.
       *[other] {" "}The differences from { $significant } are statistically significant.
    }{ $n_not_significant ->
        [0] {""}
        [one] {" "}The difference from { $not_significant } is not statistically significant.
       *[other] {" "}The differences from { $not_significant } are not statistically significant.
    } Each comparison is tested by itself (95% CI).

comparison-access-note = Test results of { $n_runs } runs have been compared so far. If you choose one of them for its test result, that result is too optimistic: of { $n_runs } equally good runs, one is best by chance. { $has_validation ->
        [true] Choose by validation results, or keep an external test set for the end.
       *[false] Keep an external test set for the end.
    }

comparison-different-classes = The two have different classes, so their results are not comparable.

comparison-no-common-image = The two have no test image in common. A difference can come from the images, not from the classifiers.

comparison-different-rules-note = The two use different decision rules. Metrics of predicted classes differ for that reason as well. AUROC and log loss do not depend on the decision rule.

comparison-matched-by-pixels = { $n_matched ->
        [one] { $n_matched } test image of { $n_images } was
       *[other] { $n_matched } test images of { $n_images } were
    } matched by equal pixels, because the two use different files.

comparison-different-test-sets = The two test sets differ. The differences are computed on the { $n_images ->
        [one] { $n_images } image of both.
       *[other] { $n_images } images of both.
    }

comparison-relabeled = { $n_relabeled ->
        [one] { $n_relabeled } test image of { $n_images } has another label
       *[other] { $n_relabeled } test images of { $n_images } have another label
    } in the second. If only the labels of misclassified images were reviewed, results by the new labels may be too high, because wrong labels that agree with the classifier stay. Results by the old labels do not have this bias.

comparison-without-groups = No groups are defined. If several images come from one patient or slide, the intervals are too narrow.

comparison-of-folds = The folds share training images. The intervals are about these classifiers on new images, not about repeated training.

comparison-finished-early = after epoch { $n_epochs } of { $n_planned }

comparison-adapted-to-budget = adapted to a time budget

comparison-images-differ = { $difference ->
        [labels] { $n_images ->
            [one] { $n_images } image labeled differently
           *[other] { $n_images } images labeled differently
        }
        [groups] { $n_images ->
            [one] { $n_images } image in another group
           *[other] { $n_images } images in another group
        }
       *[moved] { $n_images ->
            [one] { $n_images } image in another set
           *[other] { $n_images } images in another set
        }
    }

comparison-fact-finished-early = Fine-tuning finished early

comparison-fact-sources = Folders or tables

comparison-fact-classes = Classes

comparison-fact-images = Images

comparison-fact-labels = Labels

comparison-fact-groups = Groups

comparison-fact-sets = Sets

comparison-fact-moved = Images moved

comparison-fact-device = Computed on

# Lists, ranges and cells

report-confidence-interval = 95%{"\u00A0"}CI { $interval }

report-range = { $low } to { $high }

report-and = { $first } and { $second }

report-more-names = { $n } more

report-quoted = “{ $name }”

report-yes = yes

report-no = no

report-missing-value = { $has_value ->
        [true] No CI: { $reason }.
       *[false] No value: { $reason }.
    }

column-class = class

column-condition = condition

column-conditions = conditions

column-corrected = corrected

column-corrected-with-error = corrected ± standard error

column-interval-of-proportion = 95% CI of the proportion

column-decided = decided as this class

column-difference = difference

column-effect-size = effect size (Hedges' g)

column-raw = counted

column-sample = sample

column-samples = samples

column-block = block

column-reader = reader

column-other-reader = other reader

column-equal-labels = equal labels

column-with-interval = { $title } (95%{"\u00A0"}CI)

interval-of-few-images = too few { $has_few_groups ->
        [true] groups
       *[false] images{ $n ->
            [0] {" "}or groups
           *[other] {""}
        }
    }{ $n ->
        [0] {""}
       *[other] : n = { $n }
    }

report-counts = { $n_correct } of { $n_images }

report-rows = { $n_rows ->
        [one] { $n_rows } row
       *[other] { $n_rows } rows
    }

proportions-some-not-corrected = { $is_all ->
    [true] Proportions are counts of predictions without an interval, since errors of the classifier on these images are not known
   *[false] Some proportions are not corrected
}: { $reason }.

proportions-not-corrected = Proportions are counts of predictions, which are biased by errors of the classifier.

proportions-by-condition = Proportions

proportions-shown = { $correction ->
    [all] Means are corrected and within 0 and 1. Differences use corrected values without these limits.
    [some] Figures show counts of predictions, because some samples could not be corrected. Differences use these counts, too.
   *[none] Figures show counts of predictions, because no sample could be corrected.
}

proportions-of-single-samples = { $is_correction_better ->
    [true] Values of single samples are corrected ones: their expected error is { NUMBER($corrected, minimumFractionDigits: 1, maximumFractionDigits: 1) } percentage points, that of counts { NUMBER($counted, minimumFractionDigits: 1, maximumFractionDigits: 1) }.
   *[false] Unlike means, values of single samples are counted ones, with the interval of the true proportion: their expected error is { NUMBER($counted, minimumFractionDigits: 1, maximumFractionDigits: 1) } percentage points, that of corrected values { NUMBER($corrected, minimumFractionDigits: 1, maximumFractionDigits: 1) }.
}

proportions-uncertain = uncertain

proportions-unfamiliar = unfamiliar

proportions-mean-of = mean of { $n_samples }

proportions-of-class = Proportion of { $name }

proportions-strips = Points: samples. Line: mean of the samples of a condition. Bars and bands: 95% confidence intervals (CI).

proportions-without-condition = no condition

proportions-result = { $has_interval ->
    [true] { $is_significant ->
        [true] The proportion of { $name } is { NUMBER($points, maximumFractionDigits: 1) } percentage points { $is_lower ->
            [true] lower
           *[false] higher
        } in { $second } than in { $first }
       *[false] The difference in the proportion of { $name } between { $second } and { $first } is not statistically significant: { NUMBER($points, maximumFractionDigits: 1) } percentage points { $is_lower ->
            [true] lower
           *[false] higher
        } in { $second }
    } (95% CI of the difference { $interval }; { $has_blocks ->
        [true] { $n_blocks } blocks
       *[false] { $n_second } and { $n_first } samples
    }; adjusted p: { $p }).
   *[false] The proportion of { $name } is { NUMBER($points, maximumFractionDigits: 1) } percentage points { $is_lower ->
        [true] lower
       *[false] higher
    } in { $second } than in { $first }. Whether this is chance is not known: { $reason }.
}

proportions-result-alone = { $n_samples ->
    [0] No sample has a proportion of { $name }.
    [one] The { $is_corrected ->
        [true] corrected
       *[false] counted
    } proportion of { $name } is { NUMBER($low, maximumFractionDigits: 1) }% in the only sample.
   *[other] The { $is_corrected ->
        [true] corrected
       *[false] counted
    } proportion of { $name } is { NUMBER($low, maximumFractionDigits: 1) }% to { NUMBER($high, maximumFractionDigits: 1) }% in { $n_samples } samples.
}

proportions-differences = Differences between conditions

proportions-blocks = { $n_blocks ->
    [one] { $n_blocks } block
   *[other] { $n_blocks } blocks
}

proportions-samples = Samples

proportions-methods = Methods

proportions-methods-help = Text for the methods section of a paper.

proportions-differences-help = { $has_blocks ->
    [true] Each block that contains both conditions counts as one difference. Samples without a block are not compared.
   *[false] Each sample counts as one value.
} { $is_corrected ->
    [true] Differences are computed from proportions before these are limited to the range of 0 to 1, so they can differ a little from the table above. Their intervals include the uncertainty of the error rates.
   *[false] Differences are computed from counts of predictions, so errors of the classifier can bias them.
} Effect size (Hedges' g): the difference, divided by the standard deviation of the { $has_blocks ->
    [true] blocks
   *[false] samples
} of a condition. A small adjusted p-value (below 0.05) says that such a difference would be rare if the conditions did not differ; it allows for the number of classes and comparisons.

agreement-title = Agreement

agreement-similar-names = The readers use the labels { $names }, which may be one class with several spellings. They count as different classes. If they are one class, use one spelling.

agreement-counts = Number of images. Rows: { $first }; columns: { $second }

agreement-help = Kappa is the agreement beyond chance: 1 is perfect agreement, 0 is chance. It is low if a class is rare, even if readers seldom differ, so read it together with the counts. With groups, intervals take into account that images of a group resemble each other.

agreement-first-labels = First labels

# Sections of the report that are shown on pages in the language of the reader

report-title-numbers = Metrics

report-measured-on = on { $image_set }

report-further-metrics = Further metrics

report-interval-methods = Each value is followed by its 95% confidence interval (CI). { $interval } Method: { $methods }.

interval-method = { $method ->
        [chance] calibration error less chance
        [jackknife-images] infinitesimal jackknife over images
        [jackknife-groups] infinitesimal jackknife over groups
        [binomial] exact binomial
       *[folds] corrected resampled t over folds
    }

report-interval-method = { $method } for { $metrics }

report-fold-metrics-note = Report the CI above this table, which is of all held-out images together. The CI of the mean accounts for the training images that the folds share (corrected resampled t).

report-fold-interval-note = The CI of a row covers only the choice of { $units } in its test set.

report-metrics-per-fold = Metrics per fold

report-mean = mean

column-fold = fold

report-domain-metrics-note = Macro-F1 is the mean over the classes that the domain has test images of. The classifier can predict any class.

report-metrics-per-domain = Metrics per domain

column-domain = domain

report-title-per-class = Metrics per class

report-title-adapted = In the laboratory that it was adapted to

report-adapted = Of { $n_labels } labels there, { $n_right } are predicted right. Each is predicted by cross-validation of the whole adaptation, without using it. Few labels of a class show little about this class.

column-confused-with = predicted as (images)

report-lowest-recall-classes = The { $n_classes } classes with the lowest recall, lowest first.

report-all-classes = All { $n_classes } classes

report-values-with-interval = Each value is followed by its 95% confidence interval (CI).

report-shares-with-count = Each share is followed by its count.

report-class-metrics = Recall is also called sensitivity, and precision positive predictive value (PPV). NPV is the share of images predicted as another class that are of another class.

report-earlier-threshold = An image was predicted as “{ $label }” if its probability was at least { $threshold }. That is not the current threshold of the classifier: it changed after this evaluation. Evaluate these images again to measure the current threshold.

report-default-threshold = An image is predicted as “{ $label }” if its probability is at least 0.5 (the default threshold).

report-used-threshold = An image is predicted as “{ $label }” if its probability is at least { $threshold }{ $has_own_folds ->
        [true] {" "}(the classifier's threshold; each fold has its own)
       *[false] {""}
    }, { $rule ->
        [roc] the threshold with the largest Youden index on { $image_set }.
        [sensitivity] chosen for a target sensitivity of { $target } on { $image_set }.
        [specificity] chosen for a target specificity of { $target } on { $image_set }.
        [threshold] set by hand.
       *[highest] the default threshold.
    }

report-threshold-results = On { $image_set }, it has a sensitivity of { $sensitivity } and a specificity of { $specificity }{ $is_by_hand ->
        [true] ; the table has the values on the measured images.
       *[false] . On other images both can be lower, because the threshold was chosen on those images.
    }{ $has_bounds ->
        [true] {" "}With 90% confidence each, further images like these have a sensitivity of at least { $least_sensitivity } and a specificity of at least { $least_specificity }.
       *[false] {""}
    }

report-threshold-not-chosen = It is the default threshold: { $reason }.

report-operating-points = The predicted class is the one with the largest ratio of probability to operating point. { $has_folds ->
        [true] The table shows the final classifier's operating points, set on { $image_set }.
       *[false] They were set on { $image_set }.
    }

column-operating-point = operating point

column-metric = metric

column-value = value

column-meaning = meaning

column-precision = precision

column-recall = recall

column-specificity = specificity

column-average-precision = average precision

report-title-own-test = Comparison with the run's test set
    .subtitle = { $is_delivered ->
        [true] the delivered classifier on external images, and the tested classifier on the run's test set
       *[false] same classifier, two test sets
    }

report-difference-includes-zero = A difference whose CI includes 0 is not statistically significant.

column-own-test-set = test set of the run

column-external-test-set = external test set

report-title-roc = ROC and precision-recall curves
    .subtitle = each class against all others

report-roc-drawing = ROC curve of each class against all other classes, with the area under the curve (AUROC).

report-precision-recall-drawing = Precision-recall curve of each class against all other classes, with the average precision.

report-averaged-curves = The macro-average is the mean of the curves of all classes. The micro-average pools all pairs of image and class, so frequent classes have more weight.

report-title-calibration = Calibration
    .subtitle = predicted probability against accuracy

report-calibration = A classifier is calibrated if its dots lie on the diagonal: 80% of the predictions with probability 0.8 are correct.{ $n_other ->
        [0] {""}
        [one] {" "}Here, correct and wrong refer to the most probable class. With the threshold, { $n_other } image has another predicted class.
       *[other] {" "}Here, correct and wrong refer to the most probable class. With the threshold, { $n_other } images have another predicted class.
    }

report-few-for-calibration = { $n_images ->
        [one] { $n_images } image is
       *[other] { $n_images } images are
    } too few for a figure of accuracy by predicted probability, which needs { $n_needed } images.

report-calibration-drawing = Left: accuracy by predicted probability, in bins of at least 10 images; larger dots have more images, and small dots can be off the diagonal by chance. Right: number of images by predicted probability.

report-classes-of-both-sets = All metrics, also accuracy and calibration error, are of the images of the { $n_classes ->
        [one] only class
       *[other] { $n_classes } classes
    } in both test sets.

report-independent-test-sets = The CI of the difference assumes independent test sets: no patient and no slide is in both.

# Sections of a comparison

comparison-pair = { $second } minus { $first }

comparison-common-images = { $n_images ->
        [one] { $n_images } common test image
       *[other] { $n_images } common test images
    }{ $n_groups ->
        [0] {""}
        [one] {" "}from { $n_groups } group
       *[other] {" "}from { $n_groups } groups
    }{ $n_ungrouped ->
        [0] {""}
       *[other] {" "}({ $n_ungrouped } without a group)
    }

comparison-labels = { $labels ->
        [first] By the labels of the first run
       *[second] By the labels of the second run
    }

comparison-mcnemar = Correct in { $first } only: { $n_first ->
        [one] { $n_first } image
       *[other] { $n_first } images
    }; in { $second } only: { $n_second ->
        [one] { $n_second } image
       *[other] { $n_second } images
    }{ $has_p ->
        [true] {" "}(exact McNemar test: p = { $p }; with few such images, it is more accurate than the p of accuracy in the table, which is an approximation)
       *[false] . McNemar's test does not apply to images in groups. The p of accuracy is over groups.
    }

comparison-differences = Differences between the runs

comparison-no-difference = None: recipe, images and split are the same.

comparison-runs = Metrics of each run

comparison-fit = { $metric ->
        [train_accuracy] Accuracy on training images (most probable class)
        [train_f1] F1 on training images (most probable class)
        [val_accuracy] Accuracy on validation images (most probable class)
       *[val_f1] F1 on validation images (most probable class)
    }

comparison-adapted-labels = Labels from the other laboratory

comparison-at-home = A classifier was adapted to another laboratory. The differences are those on images from the laboratory of the training.

comparison-overlap = To decide whether two runs differ, use the interval of their difference. Overlapping intervals of single values do not answer this question.

# Sections of a spot check

column-expected = expected

column-labels-alone = labels alone

column-labels-and-predictions = labels and predictions

column-equivalent-labels = equivalent labels

spot-check-accuracy = Accuracy on these images

spot-check-expected = The expected accuracy is that on the test images of the training, for the class proportions of the labels. Each sample has the same weight.

spot-check-proportions = Proportions

spot-check-methods = Counted: counts of predictions, which are biased by errors of the classifier. Corrected: assumes the errors of the test images. Labels alone: no predictions. Labels and predictions: prediction-powered inference (PPI++), which assumes nothing about errors; “equivalent labels” is the number of labels that would give the same interval without predictions.

# Dataset, learning curve, leakage estimate, prediction sets and out-of-distribution images

report-duplicates = { $n_images ->
        [one] { $n_images } included image has a duplicate or near-duplicate.
       *[other] { $n_images } included images have duplicates or near-duplicates.
    } { $may_be_divided ->
        [true] Such images may be in several sets.
       *[false] Such images are always in the same set.
    }

report-no-near-duplicate-search = Near-duplicates (rotated, cropped or recompressed copies) were not searched for.

report-untested = { $n_images ->
        [one] { $n_images } included image could
       *[other] { $n_images } included images could
    } not be tested: no training image of the fold has the class, or the image could not be read. The metrics do not include { $n_images ->
        [one] it.
       *[other] them.
    }

column-total = total

report-class-count = { $n_classes } classes

report-images-per-domain = Images per domain

report-excluded-images-note = split.csv lists the images that the training excluded, with reasons.

report-excluded-images = { $n_images ->
        [one] { $n_images } excluded image
       *[other] { $n_images } excluded images
    }

report-image-sources = Folders of the images

report-all-images = all images

report-excluded-by-hand = excluded by hand

report-no-reason = no reason given

report-source = { $root }{ $has_fingerprint ->
        [true] {" "}· fingerprint { $fingerprint }
       *[false] {""}
    }

report-title-images = Dataset
    .subtitle = images of each class in each set

excluded-without-label = without label

excluded-by-hand = by hand

excluded-other-reasons = other reasons

column-reason = reason

report-examples = The images were drawn at random (seed { $seed }), not selected by hand. The scale bar is in pixels if the files do not contain a pixel size. Images with more than 8 bits are each scaled to their own range.

report-examples-drawing = Up to { $n_images } images of each of { $n_classes } classes, all at the same scale.

report-title-examples = Example images
    .subtitle = of each class

report-largest-classes = The { $n_shown } largest of { $n_classes } classes are shown.

report-corrected-labels = { $n_images ->
        [one] { $n_images } test image of this training has a different label
       *[other] { $n_images } test images of this training have a different label
    } than in the training that made the split. If only misclassified images were reviewed, metrics with the corrected labels may be too high, because wrong labels that agree with the classifier stay. Report the metrics with the earlier labels.

column-earlier-labels = earlier labels

column-corrected-labels = corrected labels

column-first-training-earlier-labels = first training, earlier labels

report-title-relabeled = Corrected test labels
    .subtitle = metrics with earlier and with corrected labels

report-instant-classifier = instant classifier

report-nearest-neighbor = nearest neighbor

report-leakage-drawing = { $metric } of two quick classifiers with an image-level and a grouped split. Lines are 95% CIs.

report-title-leakage-estimate = Leakage estimate
    .subtitle = image-level split against grouped split

column-image-level-split = image-level split

column-grouped-split = grouped split

report-no-doubling = The effect of more images cannot be estimated: { $reason }.

report-flat-learning-curve = Twice as many images like these for training and validation would change the result by about { $change }. The learning curve is flat.

report-doubling = Twice as many images like these for training and validation ({ $n_doubled } instead of { $n_images }) would change the result by about { $change }.{ $is_significant ->
        [true] {""}
       *[false] {" "}This is not statistically significant.
    }

report-final-classifier-gain = The folds' classifiers were trained on about { $n_of_fold } images each, the final one on { $n_images }. By the learning curve, this changes macro-F1 on new images by about { $change }.

report-learning-curve-drawing = Error (1 − macro-F1) by number of images for training and validation, extrapolated to twice as many. Lines are 95% CIs.

report-learning-curve-method = Instant classifiers were trained on subsets of the { $has_folds ->
        [true] images, which are also the test images of the folds,
       *[false] training and validation images
    } and scored on the remaining ones, ten times or, with many images, five times. { $has_folds ->
        [true] No choice was based on the curve.
       *[false] Test images were not used.
    } The dashed line extrapolates the error to twice as many images, and its CI includes the uncertainty of the extrapolation.{ $is_finetuned ->
        [true] {" "}Fine-tuning was not repeated because it takes far longer. The gain of a fine-tuned network can differ.
       *[false] {""}
    }

report-learning-curve-without-groups = No groups are known. If several images come from one slide or patient, more images of the same slides bring less than this.

report-learning-curve-groups = Twice as many images means twice as many groups ({ $n_doubled } instead of the { $n_groups } that the classifier was fitted on). More images of the same groups bring less.

report-title-learning-curve = Learning curve
    .subtitle = effect of twice as many images for training and validation

report-no-prediction-sets = There are no prediction sets. A coverage of { $target } per class needs { $n_needed } calibration images of a class that were not used for training, and no class has that many.

report-prediction-sets = A prediction set lists the plausible classes of an image. It always contains the most probable class. The target is that { $target } of the images of each class have their true class in the set, on average over trainings; in a single training, some classes have less. Of { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } measured here, { $coverage } do. A set has { $mean_size } classes on average, and { $n_single ->
        [one] { $n_single } set has
       *[other] { $n_single } sets have
    } one class. The target holds for images like the training images; it does not hold for images from another source.

report-large-sets = Such sets say little: they contain { $mean_size } of { $n_classes } classes on average. They are large if the classes are hard to distinguish, or if a class has few calibration images.

report-sets-of-final-classifier = { $has_folds ->
        [true] The classifiers of the folds have no prediction sets, because no class has { $n_needed } calibration images in a fold.
       *[false] The predictions of these images have no prediction sets.
    } The final classifier has prediction sets, with a target coverage of { $target } per class.

report-coverage-guarantee = { $has_folds ->
        [true] The final classifier's sets
       *[false] The sets
    } were calibrated on { $calibrated_on ->
        [held-out] training images, each predicted by a linear probe that was trained without it (cross-conformal). Their guaranteed coverage is { $lowest } of the images of a class; the usual coverage is the target.
        [folds] the validation images of all folds, each predicted by its fold's network (cross-conformal). Their guaranteed coverage is { $lowest } of the images of a class; the usual coverage is the target.
       *[validation] validation images, which other choices were based on too. Each image was predicted by a last layer that was fitted without it. The coverage is therefore approximate.
    }

report-in-every-set = These classes have fewer than { $n_needed } calibration images, so they are in every set: { $labels }.

report-coverage-of-groups = The calibration treats images as independent, although images of a group are similar. The target therefore holds for further images of the same groups. Images of new groups reach nearly the same coverage if a class has many small groups, and less if it has a few large ones. The table lists the groups with the lowest coverage.

report-coverage-of-folds = The table shows the folds' networks instead. Their sets were calibrated on each fold's validation images.

column-class-or-group = class or group

column-true-class-in-set = true class in the set

column-mean-set-size = mean set size

report-group-name = group { $name }

report-title-prediction-sets = Prediction sets

report-unfamiliar = { $n_unfamiliar } of { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } measured here { $n_unfamiliar ->
        [one] is
       *[other] are
    } labeled unfamiliar (out-of-distribution, OOD): their features are farther from every class than those of nearly all training images. The metrics include these images.

report-ood-folds = Each image was measured in the fold that it is a test image of, with this fold's threshold.

report-ood-threshold = { $has_folds ->
        [true] The final classifier's OOD threshold
       *[false] The OOD threshold
    } was set on { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } ({ $set_on ->
        [held-out] { $has_folds ->
            [true] training images, each scored without its own features
           *[false] training and validation images, each scored without its own features
        }
        [folds] images that were scored by the networks of the folds that were not trained on them
       *[validation] validation images, which other choices were based on too
    }). { $n_beyond ->
        [one] { $n_beyond } of them exceeds it.
       *[other] { $n_beyond } of them exceed it.
    } { $has_folds ->
        [true] They include the images measured here.
       *[false] Test images were not used.
    }

report-ood-benchmarks = In benchmarks, nearly all images of another stain, instrument or object were labeled unfamiliar. A new cell type that looks like a known class is often not detected.

column-predicted-class = predicted class

column-ood-score = OOD score (threshold: 1)

report-unfamiliar-group = { $name } ({ $n_unfamiliar } of { $n_images })

report-unfamiliar-groups = In { $n_many } of { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    } of test images, at least { $n_fewest } images and more than { $share } are unfamiliar{ $n_many ->
        [0] .
       *[other] { $is_cut ->
            [true] : the first: { $groups }.
           *[false] : { $groups }.
        }
    }

report-title-unfamiliar = Out-of-distribution images

column-image = image

report-set = { $split ->
        [train] training
        [val] validation
        [test] test
        [tested-once] tested once
        [untested] not tested
       *[excluded] excluded
    }

report-learning-curve-limits = The curve does not show which class needs more images, and it does not apply to images from another laboratory.

column-macro-f1 = macro-F1

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

report-group-predictions = Each of { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    } of test images gets one prediction from all its images: the class with the highest mean log probability. The decision thresholds of single images are not used.

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

report-predictive-values = { $share } of the images measured here are { $label }. Predictive values depend on this proportion. Sensitivity and specificity do not, as long as the images of a class look the same.

report-ppv-and-npv = PPV is the share of the images predicted as { $label } that are { $label }. NPV is the share of the other images that are not { $label }.

report-predictive-ranges = Each value is followed by the range from the lower to the upper limits of the CIs of sensitivity and specificity.

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

report-title-curves = Training curves
    .subtitle = by epoch of fine-tuning

column-accuracy = accuracy

column-checks = checks

column-correlation-with-random-weights = correlation with random weights

column-difference-in-accuracy = difference in accuracy

column-difference-in-macro-f1 = difference in macro-F1

column-gain-with-bound = gain over center (95% lower bound)

column-label = label

column-method = method

column-misclassified = misclassified

column-npv = NPV

column-ppv = PPV

column-predicted-as = predicted as

column-proportion = proportion of { $label }

column-score = score

column-set = set

column-share-of-class = share of the class

column-subgroup = subgroup

column-suggested-class = suggested class

column-true-class = true class

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

report-labels-not-checked = { $n_labels ->
        [one] Not checked: { $n_labels } label.
       *[other] Not checked: { $n_labels } labels.
    }

report-too-few-images = too few images

report-misclassified-by-class = Misclassified images by class

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

report-without-group = { $n_images ->
        [one] { $n_images } image has
       *[other] { $n_images } images have
    } no known group and may be of a group in another set

column-labels = labels

run-without-results = This run has no results yet
    .do = Let the training finish, or resume it.

evaluation-without-results = This evaluation has no results yet
    .do = Let it finish, or start it again.

number-of-compared-runs = A comparison needs at least two runs and at most { $most }, not { $n_runs }
    .do = Choose 2 to { $most } runs.

run-compared-twice = A run is named twice
    .do = Name each run once.
