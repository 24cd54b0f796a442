# The names of stages of long work, which are shown with their progress. An entry's code is `stage-` and the identifier of
# the stage in events.

## Training

stage-reading-images = reading images

stage-preprocessing-images = preprocessing images

stage-computing-features = computing features

stage-fitting-classifier = fitting the classifier

stage-predicting = predicting

stage-describing-fields = describing fields

stage-reading-objects = reading objects

stage-finding-objects = finding objects

stage-measuring-objects = measuring objects

stage-tracing-objects = tracing objects

stage-exporting-crops = writing crops

stage-exporting-objects = exporting objects

stage-writing-objects = writing objects

stage-watching = predicting new images

stage-computing-intervals = computing confidence intervals

stage-computing-learning-curve = computing the learning curve

stage-writing-report = writing the report

stage-hashing-files = hashing files

stage-writing-backup = writing the backup

stage-restoring-backup = restoring the backup

stage-copying-workspace = copying the database of the workspace

stage-upgrading-workspace = bringing the workspace to the format { $version }

stage-storing-images = storing images in the run folder

## Exports

stage-converting-network = converting the network

stage-verifying-export = comparing the export with the classifier

## Checks of the data

stage-finding-duplicate-candidates = near-duplicates 1 of 3: finding candidates

stage-aligning-duplicate-candidates = near-duplicates 2 of 3: aligning pairs

stage-comparing-duplicate-candidates = near-duplicates 3 of 3: comparing pairs

stage-reading-images-for-duplicates = reading images for near-duplicates

stage-reading-backgrounds = reading borders and backgrounds

stage-searching-shortcuts = searching for shortcuts

stage-comparing-datasets = comparing { $first } with { $second }

## Heat maps

stage-checking-heat-maps = checking heat maps ({ $n_methods ->
        [one] { $method }
       *[other] { $method }, { $position } of up to { $n_methods }
    })

stage-explaining-predictions = explaining predictions

## Studies

stage-training-networks = training

stage-drawing-heat-maps = drawing heat maps

stage-arranging-images = arranging images on the map

stage-measuring-distances = measuring distances between datasets

stage-measuring-speed = measuring the speed of this computer

stage-measuring-latencies = measuring prediction times

## Demo

stage-drawing-sample-images = drawing sample images

# What is counted

unit-images = images

unit-images-and-copies = images and augmented copies

unit-trainings = trainings

unit-networks = networks

unit-steps = steps

unit-metrics = metrics

unit-pairs = pairs

unit-probes = probes

unit-sections = sections

unit-fields = fields

unit-megapixels = megapixels

unit-files = files

unit-objects = objects

unit-megabytes = MB

unit-percent = %

# Events as a line of text

event-of-fold = Fold { $fold }: { $event }

event-of-pretraining = Pretraining: { $event }

event-with-reason = { $event }: { $reason }

event-score = { $name ->
        [test-accuracy] test accuracy
        [val-accuracy] validation accuracy
        [train-loss] training loss
        [val-loss] validation loss
        [loss] loss
        [accuracy] accuracy
       *[macro-f1] macro-F1
    } { NUMBER($value, minimumFractionDigits: 3, maximumFractionDigits: 3) }

event-expected-time = expected time { $time }

event-finetuning-left = { $time } of fine-tuning left

event-work-planned = Planned: { $n_train ->
        [one] { $n_train } training image
       *[other] { $n_train } training images
    }, { $n_epochs ->
        [one] { $n_epochs } epoch
       *[other] { $n_epochs } epochs
    }

event-run-started = Training started: { $n_train } training, { $n_val } validation and { $n_test ->
        [one] { $n_test } test image
       *[other] { $n_test } test images
    }, { $n_classes ->
        [one] { $n_classes } class
       *[other] { $n_classes } classes
    }

event-fold-started = Fold { $fold } of { $n_folds } started

event-fold-ended = Fold { $fold } of { $n_folds } ended

event-stage-started = { $stage ->
        [finetune] Fine-tuning started: { $n_epochs ->
            [one] { $n_epochs } epoch
           *[other] { $n_epochs } epochs
        }
       *[instant] Fitting of the instant classifier started
    }

event-instant-classifier-fitted = Instant classifier ready after { $time }

event-step-ended = Epoch { $epoch }: step { $step } of { $n_steps }

event-validation-images-chosen = { $n_images ->
        [one] { $n_images } validation image
       *[other] { $n_images } validation images
    } selected for predictions after every epoch

event-epoch-ended = Epoch { $epoch } of { $n_epochs } ended

event-checkpoint-saved = Checkpoint of epoch { $epoch } saved in { $path }

event-classifier-selected = Kept: { $rule ->
        [instant] the instant classifier
        [last] epoch { $epoch }, the last
       *[best] epoch { $epoch }, the best
    }

event-run-ended = { $state ->
        [stopped] Stopped
        [failed] Failed
       *[done] Done
    }
