# Run folders, recipes and packaged classifiers.

## Files of a run folder

damaged-run-file = The file is damaged: { $reason }
    .do = Train again.

newer-run-format = The file has format version { $version }, and this version of coverslip reads version { $supported }
    .do = Update coverslip.

unreadable-run-file = The file could not be read: { $reason }
    .do = Train again.

no-json-object = The file does not contain a JSON object
    .do = Train again.

damaged-run-table = The table is damaged: { $reason }
    .do = Train again, or evaluate again.

damaged-training-table = The table is damaged: { $reason }
    .do = Train again.

damaged-predictions = The table is damaged: { $reason }
    .do = If it is of a run, evaluate the run again. If you edited it, use it as `coverslip predict` wrote it, or correct these cells.

probabilities-not-one = the probabilities of '{ $image }' are not complete: their sum is not 1

predicted-unknown-class = '{ $name }', predicted for '{ $image }', is no class of the table

not-predictions = This is not a CSV table of predictions
    .do = Name a CSV table that `coverslip predict` wrote. Tables in the formats JSON Lines and Parquet are for other programs.

predictions-of-top-classes = The table has only the most probable classes of each image, not the probability of each class
    .do = Predict the images again, with the probabilities of all classes.

missing-run-file = The run has no such file
    .do = The run may be unfinished. Its status.json shows the state.

unreadable-metrics = The metrics could not be read: { $reason }
    .do = Evaluate the run again.

unreadable-logits = The file could not be read: { $reason }
    .do = Evaluate the run again.

too-many-json-values = it contains more than { $n_values } values

not-a-number = it contains { $value }, which is not a number

not-a-regular-file = it is not a regular file

larger-than-allowed = it is larger than { $limit } MiB

wrong-number-of-cells = it has { $n_cells ->
        [one] { $n_cells } cell
       *[other] { $n_cells } cells
    } instead of { $n_columns }

too-many-cells = it has more than { $n_cells } cells

unknown-epoch-number = there is no epoch { $epoch }

number-out-of-range = { $name } is { $value }, not a number from { $low } to { $high }

unknown-set = there is no set '{ $name }'

no-probability-column = no column contains the probabilities of a class

not-a-numeric-table = it is not a table of numbers

time-without-offset = the time has no offset from UTC

## Run folders

folder-in-use = Another process is working in this folder
    .do = Stop that process first.

folder-not-created = The folder could not be created: { $reason }
    .do = Choose another folder.

folder-not-locked = The folder could not be locked: { $reason }
    .do = Choose another folder.

not-a-run = This is not a run folder: it has no recipe.yaml
    .do = Select the folder of a training.

linked-run-folder = This folder of the run is a link
    .do = Replace the link with a folder.

run-folder-exists = The folder for the run already exists
    .do = { $can_resume ->
        [true] Choose another folder, or resume the run in it.
       *[false] Choose another folder.
    }

changed-split = Images have changed since the run began, so the split would be different
    .do = Train again.

not-a-duration = '{ $budget }' is not a length of time
    .do = Give a duration such as 90s, 10m or 1h30m.

## Images of a run

changed-image-files = { $n_images ->
        [one] { $n_images } image file of { $n_all } has
       *[other] { $n_images } image files of { $n_all } have
    } changed since the run began: { $names }
    .do = Restore these files, or train a new run in another folder.

given-in-memory = { $n_images ->
        [0] The table of images was
        [one] { $n_images } image was
       *[other] { $n_images } images were
    } given in memory and copied into the folder '{ $folder }' of the run. To resume or evaluate the run, or to write its report, coverslip reads these copies. Keep the folder.

no-image-of-split-run = None of these images are in the run whose split is requested
    .do = Train on the images of that run, or without split.run.

run-without-split = The run has no split yet
    .do = Train without split.run.

split-run-has-folds = The run has folds, which test every image once, so there is no split to reuse
    .do = Train with folds as well, and without split.run.

evaluation-without-metrics = The evaluation has no metrics yet
    .do = Let it finish, or start it again.

run-images-changed = Images were removed or relabeled since the run began
    .do = Restore the images, or train a new run.

test-images-missing = { $n_images ->
        [one] { $n_images } of the { $n_all } test images is
       *[other] { $n_images } of the { $n_all } test images are
    } missing
    .do = Restore the images, or evaluate on other labeled images.

test-images-changed = { $n_images ->
        [one] { $n_images } of the { $n_all } test images has
       *[other] { $n_images } of the { $n_all } test images have
    } another label, group or domain than in the run
    .do = Restore the images, or evaluate on other labeled images.

evaluation-name-taken = An evaluation with this name exists, on other images
    .do = Choose another name.

predictions-of-run = These predictions belong to a training or an evaluation, and its metrics were computed from them
    .do = Choose another name.

unsupported-predictions-format = Predictions are written in the format '{ $format }', and '{ $suffix }' is the suffix of another format
    .do = Name the file '{ $name }', or choose another format: csv, jsonl or parquet. Spreadsheet programs can open csv.

## Packaged classifiers

classifier-too-large = The classifier is larger than 2 GB, which is too large for one file
    .do = Share its folder instead.

not-a-packaged-classifier = This is not a packaged classifier: { $reason }
    .do = Ask the author to export it again.

archive-without-entry = it does not contain { $name }

archive-not-readable = it could not be read ({ $reason })

classifier-path-closed = The path cannot be opened: { $reason }
    .do = Check the path.

run-without-classifier = The run has no classifier, because its training did not get that far
    .do = Resume the run.

no-classifier = There is no classifier at this path
    .do = Select a run folder, its classifier/, or a .coverslip file.

no-classifier-file = The classifier has no such file
    .do = Select a run folder, its classifier/, or a .coverslip file.

classifier-file-not-readable = The file could not be read: { $reason }
    .do = Copy the classifier again.

classifier-file-damaged = '{ $name }' is damaged: its content is not that which was written
    .do = Copy the classifier again, or restore this file from a backup. If there is no copy, train again.

classifier-truncated = The classifier is truncated
    .do = Copy the classifier again.

card-too-large = Its { $name } is too large ({ $n_bytes } bytes)
    .do = Copy the classifier again.

damaged-card = The description of the classifier is damaged ({ $reason })
    .do = Copy the classifier again.

newer-classifier-format = The classifier has format version { $version }, and this version of coverslip reads versions 1 and 2
    .do = Update coverslip.

weights-not-readable = The weights could not be read: { $reason }
    .do = Copy the classifier again.

classifier-weights-not-finite = The weights contain a value that is not a finite number, in { $tensor }
    .do = Copy the classifier again.

weights-truncated = The weights are truncated or damaged
    .do = Copy the classifier again.

weights-header-damaged = The weights have a damaged list of contents ({ $reason })
    .do = Copy the classifier again.

weights-size-mismatch = The weights do not have the size that their list of contents states
    .do = Copy the classifier again.

delivered-head-mismatch = The last layer of the delivered classifier does not match the weights
    .do = Copy the classifier again.

weights-statistics-mismatch = The weights and the statistics of the training images do not match
    .do = Copy the classifier again.

too-many-digits = a number has { $n_digits } digits; the limit is { $limit }

not-a-shape = a shape is a list of at most { $limit } whole numbers

usual-distance-beyond-limit = the usual distance is beyond the limit

equal-class-names = two classes have the same name

reserved-class-name = a class cannot have the name '{ $name }'

card-names-files = plan.other_files: a classifier cannot name files

operating-points-mismatch = { $n_points ->
        [one] { $n_points } operating point
       *[other] { $n_points } operating points
    } for { $n_classes } classes

set-floors-mismatch = { $n_floors ->
        [one] { $n_floors } threshold
       *[other] { $n_floors } thresholds
    } of prediction sets for { $n_classes } classes

prior-mismatch = { $n_proportions ->
        [one] { $n_proportions } class proportion
       *[other] { $n_proportions } class proportions
    } for { $n_classes } classes

## Recipes as text

invalid-recipe = The recipe is not valid: { $problems }
    .do = Correct it.

fault-at-line = line { $line }: { $fault }

more-faults = and { $n_more } more

recipe-not-readable = The recipe could not be read: { $reason }
    .do = Give a YAML file of `key: value` lines.

recipe-line-not-readable = The recipe could not be read: line { $line }: { $reason }
    .do = Give a YAML file of `key: value` lines.

recipe-not-a-mapping = The recipe is not a list of `key: value` lines
    .do = Write a key and its value on each line, such as `epochs: 20`.

recipe-too-deep = sections or lists are nested more than { $limit } levels deep

recipe-too-long = it has { $n_characters } characters, more than the limit of { $limit }

recipe-with-alias = aliases (*{ $name }) are not supported; write the value instead

recipe-value-too-long = a value has { $n_characters } characters

no-recipe-file = There is no such recipe file
    .do = Give a YAML file of `key: value` lines, such as the recipe.yaml of a run.

recipe-is-a-folder = This is a folder, not a recipe
    .do = Give a YAML file of `key: value` lines, such as the recipe.yaml of a run.

newer-recipe-format = The recipe has format version { $version }, and this version of coverslip reads version 1
    .do = Update coverslip.

recipe-fault-at-line = line { $line }: { $what }

invalid-pretraining-recipe = In init.recipe: { $what }

pretraining-without-training = In init.recipe: pretraining stops before the network is trained
    .do = Correct it.
    .fault = pretraining stops before the network is trained

nested-pretraining = In init.recipe: pretraining cannot contain another pretraining
    .do = Correct it.
    .fault = pretraining cannot contain another pretraining

pretraining-of-other-network = In init.recipe: both trainings must have the same model, model_options and head
    .do = Remove these keys there.
    .fault = model, model_options and head are those of the training that follows

setting-without-value = The setting '{ $setting }' has no '='
    .do = Write it as key=value, for example epochs=20.

setting-not-readable = The value of '{ $setting }' could not be read
    .do = Put the value into quotation marks. In a terminal, put other quotation marks around the whole setting: 'group="a: b"'. In braces, a space must follow each colon.

## Keys and values of a recipe

unknown-recipe-key = there is no key '{ $key }'

similar-recipe-key = there is no key '{ $key }' (did you mean '{ $nearest }'?)

recipe-key-with-colon = there is no key '{ $key }' (in braces, a space must follow each colon)

missing-recipe-key = there is no { $key }

init-with-run-and-data = init: give either run or train_on, not both

recipe-value = { $key ->
        [images_z] it must be the number of a z-plane from 0, 'max', 'mean', 'best-focus' or 'channels'
        [channel_files] it must be a list of 2 to 16 different parts of file names, such as [_w1, _w2]
        [images_channels] it must be a list of channel numbers from 0, or of names, such as [0, 2] or [DAPI, GFP]
        [epochs] it must be auto, or a whole number from 1 to 10,000
        [clip_gradient] it must be auto, or a number above 0 and at most 1,000,000; left empty (null), gradients are not clipped
        [crop_size] it must be a whole number of pixels from 4 to 10,000, or a length in µm, such as 32 um
        [crop_margin] it must be a share of the longer side of a box from 0 to 10, or a length in µm, such as 2 um
        [image_size] it must be the number of pixels of the side of the network's input. For images that all show the same number of µm, set crop_size, such as crop_size=32um
        [augment_flip] it must be true, false or horizontal
        [augment] it is a section of several keys, such as augment.flip, or the name of a set
        [init] it must be imagenet, scratch, {"{"}run: PATH{"}"} or {"{"}train_on: DATA{"}"}
        [regularizer] it is a section of several keys, such as regularizer.groups
        [split] it is a section of several keys, such as split.test
        [loss_options] it is a section of several keys, such as loss_options.gamma
       *[other] it is a section of several keys
    }

value-not-finite = it must be a finite number

value-below-minimum = it must be { NUMBER($limit, maximumFractionDigits: 6) } or more

value-not-above = it must be more than { NUMBER($limit, maximumFractionDigits: 6) }

value-above-maximum = it must be { NUMBER($limit, maximumFractionDigits: 6) } or less

value-not-below = it must be less than { NUMBER($limit, maximumFractionDigits: 6) }

value-not-an-option = it must be { $options }

value-of-wrong-type = it must be { $type ->
        [int] a whole number
        [float] a number
        [bool] true or false
       *[string] text
    }

value-with-many-digits = a number with many digits

value-is-boolean = true and false are not valid here

freeze-to-empty = it must name a part of the network; left empty (null), the whole network is trained

one-fold-only = one fold would leave no images for training: use 0 for a single split, or 2 or more

split-run-with-folds = run reuses a single split and cannot be combined with folds

domains-with-folds = by_domain makes one fold per domain: leave folds empty

nothing-to-train-on = val = { $val } and test = { $test } leave no images for training

schedule-change-too-low = a total number of epochs is lower than the number of epochs at that point

needs-two-classes = { $decide_by ->
        [sensitivity] A target sensitivity
        [specificity] A target specificity
       *[threshold] A threshold of the positive class
    } needs two classes, and there { $n_classes ->
        [one] is { $n_classes }
       *[other] are { $n_classes }
    }
    .do = Merge classes until there are two, or select the operating points of ROC curves (roc).
    .fault = { $decide_by ->
        [sensitivity] a target sensitivity
        [specificity] a target specificity
       *[threshold] a threshold of the positive class
    } needs two classes, and there { $n_classes ->
        [one] is { $n_classes }
       *[other] are { $n_classes }
    }

positive-class-needs-two = positive_class: it is one of two classes, and there { $n_classes ->
        [one] is { $n_classes }
       *[other] are { $n_classes }
    }
    .do = Do not set it.
    .fault = it is one of two classes, and there { $n_classes ->
        [one] is { $n_classes }
       *[other] are { $n_classes }
    }

unknown-positive-class = positive_class: { $reason }
    .do = Name one of the two classes.

classifier-limits = Diagnosis or treatment of patients. Images from another microscope, stain, species or preparation than it was trained and tested on, unless it has been evaluated on such images first.
