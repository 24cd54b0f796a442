# Trainings and experiments: before, during and after training, time budgets, memory, evaluation.

## Stopping

work-stopped = The work was stopped
    .do = Run it again. Progress up to this point is saved.

time-over = The time for this work is over
    .do = Allow more time.

training-stopped = Training was stopped; the best classifier so far is saved, but not yet evaluated on test images
    .do = { $can_finish ->
        [true] Resume the run later, or finish now with this classifier.
       *[false] Resume the run.
    }

training-stopped-early = Training was stopped before there was a classifier
    .do = Resume the run.

cross-validation-stopped = Training was stopped; the progress of the folds is saved
    .do = Resume the run.

evaluation-stopped = The evaluation was stopped
    .do = Start it again. No metrics were computed yet.

stopping = Training stops after this step.

unknown-listener = There is no listener '{ $name }'
    .do = Choose one of these: { $names }.

listener-not-opened = The listener '{ $name }' cannot be opened ({ $reason })
    .do = Update or remove the package that contains it.

mlflow-not-opened = MLflow cannot open the place that MLFLOW_TRACKING_URI states ({ $reason })
    .do = Set MLFLOW_TRACKING_URI to the address of an MLflow server or to a folder. Without this variable, coverslip writes to the folder mlruns.

listener-fault = The progress listener failed ({ $reason }). The run continues.

run-is-finished = The run is finished
    .do = Train a new run, in another folder.

finish-with-folds = A training with folds cannot be finished early, because all folds must be trained in the same way
    .do = Wait, or stop it and resume it later.

finish-in-first-step = A training in two steps cannot be finished during its first step
    .do = Wait for the second step, or stop it and resume it later.

finish-without-fine-tuning = A training without fine-tuning cannot be finished early
    .do = Wait until it ends.

finish-while-reading = The images are still being read
    .do = Wait until the training begins.

finished-early = Fine-tuning was finished early, after { $epochs_run } of { $epochs } epochs.

## Before training

groups-chosen-and-ignored = The images were opened with groups by '{ $group }', but the recipe ignores groups
    .do = Open the images without these groups, or do not set `group` to `none`.

opened-with-one-box = The images were opened with one box for all of them, which a recipe and a classifier cannot store
    .do = Put the boxes into a table, in the columns x, y, width and height.

budget-with-pretraining = A time budget cannot be planned for pretraining on other images
    .do = Pretrain first, in a separate run. Then start from that run with a time budget.
    .fault = no time budget can be planned for pretraining

budget-with-folds-from-scratch = A time budget cannot be planned for cross-validation from random weights
    .do = Train without folds, or without a time budget.
    .fault = no time budget can be planned for cross-validation from random weights

one-domain = There is only one domain, so sampling by domains has no effect.

few-images = There { $n_images ->
        [one] is only { $n_images } labeled image
       *[other] are only { $n_images } labeled images
    } of { $n_classes ->
        [one] { $n_classes } class
       *[other] { $n_classes } classes
    }, so the results are not reliable. Label at least 20 images per class, better 100.

near-duplicates = { $n_clusters ->
        [one] { $n_clusters } set of near-duplicates ({ $n_images } images) stays
       *[other] { $n_clusters } sets of near-duplicates ({ $n_images } images) stay
    } together in the split.

too-many-for-near-duplicates = Near-duplicates are not searched among more than { $most } different images ({ $n_images } images), because the time increases with the square of their number. Images with equal pixels are recognized. If images come from the same slide, patient or movie, define groups.

near-duplicates-not-searched = The search for near-duplicates did not end within { $duration }, a quarter of the remaining time. The split ignores near-duplicates: if there are any, the results are too optimistic. Allow more time.

different-channels = The training images have different numbers of channels: { $n_checked ->
        [0] { "" }
       *[other] of { $n_checked } checked images,{" "}
    }{ $counts }
    .do = { $advice }

color-changes-on-other-channels = { $keys } change red, green and blue, but the training images have { $n_channels ->
        [one] { $n_channels } channel
       *[other] { $n_channels } channels
    }
    .do = Switch them off.

canvas = All images have the same scale: { $canvas_px } of their pixels fill the canvas{ $n_shrunk ->
        [0] .
        [one] ; { $n_shrunk } larger training image of { $n_images } is shrunk to fit.
       *[other] ; { $n_shrunk } larger training images of { $n_images } are shrunk to fit.
    }

## Initial weights and pretraining

weights-of-other-network = The weights do not fit the network ({ $reason })
    .do = Choose another initialization.

weight-shape-differs = shape { $shape } instead of { $target_shape }

initial-network-differs = The run to start from has another network
    .do = Train the same network, with the same options and head.

initial-run-changed = The run to start from has changed
    .do = Train a new run.

unknown-class-of-initial-run = The training to start from has no class '{ $name }', which init.labels names
    .do = In init.labels, map each class of that training to its name here. That training has { $names }.

unknown-class-of-images = The images to train on have no class '{ $name }', which init.labels names
    .do = In init.labels, map each class of that training to its name here. The images have { $names }.

labels-merge-classes = By init.labels, { $names } of the training to start from would all be '{ $name }' here
    .do = Give each class a different name, or remove those that do not occur here.

unknown-initialization = The classifier to start from does not state which images it was trained on. Check that none of these images are among them.

leaking-recipe = With { $keys }, test images affect the training, so that the metrics are too high
    .do = Remove these settings, or accept results that are too high.

no-validation-images = Without validation images (split.val = 0), the training cannot use { $keys } as the recipe states
    .do = Set epochs to a number, stage_selection to finetune, head_init to random, refit_head to false and decide_by to highest; or set split.val to more than 0.
    .fault = needs validation images, and split.val is 0

budget-without-validation = A time budget needs validation images, and split.val is 0
    .do = Set split.val to more than 0, or train without a time budget.
    .fault = a time budget needs validation images

copies-of-planes = Copies before the split need plain images, and the recipe reads planes or channels of them
    .do = Remove images.series, images.t, images.z, images.channels, images.level, channel_files and crop_size, or set split.copies to 0.
    .fault = needs plain images, without planes or channels

copies-of-mixed-channels = Copies before the split need files that give the same channels one order, because copies have no names of channels
    .do = Write all files with the channels in one order, or set split.copies to 0.
    .fault = needs files with the channels in one order

protocol-checkpoint-selection-set = As in some publications, the epoch is selected by the test images, so the metrics tend to be too high.

protocol-validation-copies = As in some publications, the images that select the epoch include augmented copies.

protocol-normalization = As in some publications, intensities are divided by 255 twice.

protocol-split-balance = As in some publications, each class is reduced to the size of the smallest before the split, so the test set has equal classes, also if the dataset does not.

protocol-split-copies = As in some publications, images are augmented before the split. Copies of one image can be in the training and in the test set, so the metrics can be too high.

images-of-pretraining-tested = { $n_images ->
        [one] { $n_images } of { $n_test } test images was
       *[other] { $n_images } of { $n_test } test images were
    } used in pretraining
    .do = Start from other images, or accept results that are too high.

leakage-of-pretraining = { $n_images ->
        [one] { $n_images } of { $n_test } test images was
       *[other] { $n_images } of { $n_test } test images were
    } used in pretraining, so the results are too optimistic.

pretraining = Pretraining on '{ $source }' comes first. Then the network is trained on your images.

pretraining-no-better = Pretraining did not improve the initial network, which is used unchanged.

## Preview of preprocessing and data augmentation

preview-preprocessed = preprocessed

preview-augmented = augmented

## Training

training-diverged = Training diverged: the loss is no longer a number
    .do = Lower the learning rate.

diverged = Fine-tuning diverged after epoch { $epoch }. Lower the learning rate.

no-second-phase = Fine-tuning ended before it changed from Adam to SGD, after { $n_epochs } of its epochs. Allow more epochs or more time, increase the patience, or change to SGD earlier.

stages-compared = { $kept ->
        [finetune] The fine-tuned network is kept.
       *[instant] The instant classifier is kept.
    }{ $has_scores ->
        [true] {" "}{ $metric } on validation images{ $is_augmented ->
            [true] {" "}with test-time augmentation
           *[false] { "" }
        }: { NUMBER($finetune, minimumFractionDigits: 3, maximumFractionDigits: 3) } for the fine-tuned network, { NUMBER($instant, minimumFractionDigits: 3, maximumFractionDigits: 3) } for the instant classifier.
       *[false] { "" }
    }{ $is_close ->
        [true] {" "}This difference is too small to decide.
       *[false] { "" }
    }{ $is_fixed ->
        [true] {" "}The recipe keeps the fine-tuned network in any case.
       *[false] { "" }
    }

other-precision = Training continued in { $now }, after epochs in { $before }, because this GPU is of another kind. The result differs slightly from that of a training without an interruption.

smaller-parts = The memory was not sufficient for a training step. The gradient of a batch is now accumulated over parts of { $images_at_once ->
        [one] { $images_at_once } image
       *[other] { $images_at_once } images
    }. The gradient is the same except for rounding, and training takes slightly longer.

step-out-of-memory = The memory is not sufficient for a training step with { $images_at_once ->
        [one] { $images_at_once } image
       *[other] { $images_at_once } images
    }
    .do = { $images_at_once ->
        [one] Use smaller images or a smaller network, or close other programs.
       *[other] Use smaller batches, smaller images or a smaller network, or close other programs.
    }

fine-tuning-out-of-memory = Fine-tuning { $model } at { $image_size } px takes about { $needed } of memory even in small batches, and { $free } are free
    .do = Use smaller images or a smaller network, or close other programs.

smaller-batches = Fine-tuning { $model } with batches of { $full_batch_size } takes about { $needed } of memory, and only { $free } are free. The batch size is reduced to { $batch_size }.

checkpoint-not-usable = The checkpoint cannot be used: { $reason }
    .do = Train again.

no-ood-detector = Out-of-distribution images are not detected: this needs at least { $n_needed } held-out images, and there { $n_images ->
        [one] is { $n_images }
       *[other] are { $n_images }
    }.

few-images-for-threshold = chosen on fewer than { $n } validation images

operating-point-replaced = { $reason }: { NUMBER($threshold, maximumFractionDigits: 3) } is used

target-not-shown = with { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } of { $aim ->
        [sensitivity] the positive class, a sensitivity
       *[specificity] the negative class, a specificity
    } of at most { NUMBER($bound, maximumFractionDigits: 2) } can be shown with 90% confidence, instead of { NUMBER($target, maximumFractionDigits: 3) }; the threshold with this bound is used

doubtful-operating-points = Unreliable operating points: { $names } ({ $reason }).

## Expected time

expected-time = The expected time{ $step ->
        [0] { "" }
       *[other] {" "}of step { $step } of 2
    } is about { $duration } on this computer.{ $n_folds ->
        [0] { "" }
       *[other] {" "}The classifier is trained { $n_trainings } times: for { $n_folds } folds, then on all images.
    }

## Presets and time budgets

preset-not-offered = The preset { $preset } does not fit this recipe: { $reason ->
        [random-weights] with random initial weights, there is no instant classifier
        [stated-size] the recipe states the image size
        [stated-value] the recipe states { $key } = { $value }
       *[network-size] the network { $model } does not accept images of half the side
    }
    .do = Choose another preset.

smaller-images = Images are resized to { $image_size } px, half of the usual side, to fit into the time.

no-time-to-fine-tune = There is no time for fine-tuning{ $n_networks ->
        [1] { "" }
       *[other] {" "}of { $n_networks } networks
    }, so the instant classifier is kept. About { $duration } would allow all { $epochs } epochs.

no-time-for-folds = Cross-validation is skipped, and one split measures the classifier, because the time budget cannot be planned for folds from random weights.

fewer-epochs = There was time for { NUMBER($epochs_run, maximumFractionDigits: 1) } of { $epochs } epochs. About { $duration } would allow all of them.

budget-not-needed = Fine-tuning ended after { NUMBER($epochs, maximumFractionDigits: 1) } epochs. More epochs would hardly improve the results.

budget-exceeded = The time limit of { $budget } is too short on this computer. The fastest training of these images is run, and takes about { $duration } in all.

out-of-time = There was no time to fine-tune all folds, so all of them keep the instant classifier.

no-time-for-all-folds = There was no time to fine-tune all networks of the cross-validation
    .do = Allow more time.

## Cross-validation

one-fold = This is one fold of a run
    .do = Resume the whole run, which includes this fold.

delivered-classifier = The metrics are those of the tested classifier, which is trained on { $n_tested } images, without the test images. The last layer of the delivered classifier, which predicts new images, is fitted to all { $n_images } images. It has no metrics of its own.

tested-classifier-delivered = The delivered classifier is the tested one, since it cannot be fitted on all images: { $reason }.

refit = The final classifier is now trained on { $n_images } images{ $n_epochs ->
        [0] .
        [one] {" "}for { $n_epochs } epoch, the median of the folds.
       *[other] {" "}for { $n_epochs } epochs, the median of the folds.
    }

## Evaluation and decisions

no-known-label = None of the images has a label that the classifier knows ({ $classes })
    .do = Use the same names for the classes, or predict these images, or adapt to them, without labels.

unreadable-not-measured = { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    } could not be read and { $n_images ->
        [one] is
       *[other] are
    } not in the metrics.

no-label = { $n_images ->
        [one] { $n_images } image has no label and is
       *[other] { $n_images } images have no label and are
    } not in the metrics.

other-labels = { $is_dropped ->
        [true] { $n_images ->
            [one] { $n_images } image of dropped classes is
           *[other] { $n_images } images of dropped classes are
        }
       *[false] { $n_images ->
            [one] { $n_images } image has a label that the classifier does not know, and is
           *[other] { $n_images } images have labels that the classifier does not know, and are
        }
    } excluded ({ $labels }).

nearly-equal-labels = The label '{ $label }' is not the class '{ $class_name }': they differ only in capitals, spaces or dashes. If they are one class, use the spelling of the class in the name of the folder or in the label column of the table, and start again.

evaluated-images-changed = The images of the evaluation changed
    .do = Restore them, or evaluate again.

groups-unknown = { $is_column ->
        [true] The images of the run were grouped by the column '{ $group }', but these images come without a table.
       *[false] The images of the run were grouped by '{ $group }', but these images cannot be: { $reason }.
    }

seen-in-training = { $n ->
        [one] { $n } of these images, another plane of it or a duplicate was
       *[other] { $n } of these images, other planes of them or duplicates were
    } used to train the classifier. Metrics on such images are too optimistic.

groups-seen-in-training = { $n ->
        [one] { $n } of these images belongs to a group
       *[other] { $n } of these images belong to groups
    } that the classifier was trained on ({ $names }). If these are the same patients or slides and do not only share a name, the metrics are too optimistic for new ones.

run-without-metrics = This run has no metrics yet
    .do = Let the training finish, or resume it.

decision-target = { $decide_by ->
        [roc] thresholds by ROC
        [threshold] threshold of { NUMBER($value, maximumFractionDigits: 6) }
        [sensitivity] target sensitivity of { NUMBER($value, maximumFractionDigits: 6) }
        [specificity] target specificity of { NUMBER($value, maximumFractionDigits: 6) }
       *[error_rate] target error rate of { NUMBER($value, maximumFractionDigits: 6) }
    }

decision-replaced = This decision replaces the earlier { $targets }. To combine targets, choose them together.

evaluations-decided-before = The images or network outputs of these evaluations are missing, so their metrics remain those of the previous decision threshold: { $evaluations }.

## Adaptation to another laboratory

adapt-unfinished-run = The training of this classifier has not ended
    .do = Let it finish, or resume it.

adapt-file = A .coverslip file contains no training images, which an adaptation needs
    .do = Adapt the run folder that it was exported from, where its images are.

adapt-adapted-run = This classifier was adapted itself
    .do = Adapt the first classifier to these images.

adapt-finetuned-folds = This classifier was fine-tuned in { $n_folds } folds and then on all images, so that no image is left to compare its accuracy at home before and after
    .do = Train with split.folds=0, and adapt that classifier.

adaptation-stopped = The adaptation was stopped
    .do = Start it again. Nothing is left of it.

adapt-interrupted = This adaptation was interrupted
    .do = Adapt again with the same --out: it begins again.

decide-no-threshold = No threshold for this target was chosen: { $reason }. The earlier decision is unchanged
    .do = Label more images, or use “coverslip decide RUN” to see the thresholds, and choose one by hand.

decide-adapted-run = This classifier was adapted to another laboratory, and its validation images are of the first one
    .do = Decide for the first classifier, and adapt it again: labels then set the thresholds.

adapt-few-images = { $n_images ->
        [one] { $n_images } image of the other laboratory can be read and is not excluded
       *[other] { $n_images } images of the other laboratory can be read and are not excluded
    }, but { $n_needed } are needed
    .do = Add images.

adapt-training-images = { $n_images ->
        [one] { $n_images } of the new images is a training image
       *[other] { $n_images } of the new images are training images
    } of this classifier
    .do = Leave them out: the classifier was fitted to them.

adapt-without-training-images = The classifier can't be adapted without its training images: { $reason }
    .do = Adapt it where its images are, unchanged.

adapt-label-of-other-image = The labeled image '{ $name }' is not one of the new images
    .do = Label new images only: they are found by their pixels.

adapt-two-labels = The image '{ $name }' has two different labels
    .do = Keep one of them.

adapt-excluded-images = { $n_images ->
        [one] { $n_images } image of the other laboratory is left out, because it is excluded or its label is
       *[other] { $n_images } images of the other laboratory are left out, because they are excluded or their labels are
    } no class of the classifier.

adapt-labels-not-used = The labels of images of the other laboratory are not used: { $n_labels ->
        [0] none is of a class of the classifier ({ $classes })
        [one] one is of a class of the classifier
       *[other] { $n_labels } are of { $n_classes ->
            [one] a single class
           *[other] { $n_classes } classes
        } of the classifier
    }, but at least { $n_needed } of two or more classes are needed.

adapt-no-shift = { $n_images ->
        [one] The new image shows no shift
       *[other] { $is_known ->
            [true] The { $n_images } new images show no shift (unfamiliar to the classifier: { $n_unfamiliar })
           *[false] The classifier cannot tell whether the { $n_images } new images are unfamiliar, because it had too few training images for that
        }
    }. Nothing was adapted. Only labels can show whether the classifier works there: label 20 images, and adapt with them.
