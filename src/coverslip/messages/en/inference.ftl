# Prediction, explanation and export.

## Classifiers

classifier-not-finite = The classifier computes values that are too large or not numbers
    .do = Ask the author to train it again.

network-build-failed = Its network cannot be built on this computer: { $reason }
    .do = Update coverslip, or copy the classifier again.

network-build-refused = Its network cannot be built on this computer: { $reason }
    .do = Ask the author for a classifier with standard options.

network-build-too-slow = building it takes too long; the limits are { $seconds } s of processor time and { $gigabytes } GB of memory

network-build-ended = building it ended with code { $exit_code }; the limits are { $seconds } s of processor time and { $gigabytes } GB of memory

classifier-weights-do-not-fit = The weights do not fit '{ $model }' with { $n_classes } classes
    .do = Copy the classifier again.

unknown-export-format = Classifiers are not exported as '{ $format }'
    .do = Choose 'zip'.

export-to-folder = This is a folder, not a file
    .do = Name the file to write in it.

## Predictions

training-images = { $n_images ->
        [one] { $n_images } of these images was a training or validation image
       *[other] { $n_images } of these images were training or validation images
    } of this classifier. Their predictions are correct more often than those of new images.

unreadable-image = { $image }: { $reason }

replaced = The earlier predictions in '{ $file_name }' were replaced.

unfinished-training = Training has not ended: this classifier is the best so far, not the final one. Let the training end, or resume it, before you rely on metrics and predictions.

reason-unfamiliar = Unlike the training images: another size, another stain or instrument, or none of the classes?

reason-uncertain = The probability is below { NUMBER($threshold, maximumFractionDigits: 3) }

## Differences from the training images

bit-depth-differs = { $depth }, but the training images are { $trained }

channels-differ = in { $channels }, but the training images are in { $trained }

image-is-field = { $width } x { $height } pixels, as large as { $n_times } training images: if it shows many objects, give their boxes

size-differs = { $width } x { $height } pixels, but the training images are { $trained }

sizes-differ = of another size (such as { $width } x { $height } pixels), but the training images are { $trained }

larger-than-canvas = larger than the canvas of { $canvas_px } pixels, and shrunk to fit instead of shown at the common scale

size-of-training-images = { $is_range ->
        [true] { $low } to { $high }
       *[false] { $low }
    } pixels

bit-depth = { $dtype ->
        [uint8] 8 bit
        [uint16] 16 bit
        [float32] floating point
       *[other] { $dtype }
    }

color-mode = { $n_channels ->
        [1] grayscale
        [3] color
       *[other] { $n_channels } channels
    }

unlike-training = { $n_images ->
        [one] { $n_images } image is
       *[other] { $n_images } images are
    } { $difference }. Predictions for such images are less certain than they appear.

field-of-view = { $n_images ->
        [one] { $n_images } image is
       *[other] { $n_images } images are
    } at least { $factor } times as large as most training images. If an image shows many objects, a single prediction for all of them is not meaningful: give a table with a row for each object, with its path and its box as x, y, width, height. If it shows one object, its scale differs from the training images, and the prediction is less certain than it appears.

unusual-images = { $n_images ->
        [one] { $n_images } image
       *[other] { $n_images } images
    }: { $observation }.

unfamiliar-images = { $n_images ->
        [one] { $n_images } of { $n_predicted } images is
       *[other] { $n_images } of { $n_predicted } images are
    } unlike the training images, and about { NUMBER($n_expected, maximumFractionDigits: 0) } would be by chance: another size, another stain or instrument, or none of the classes? Look at some of them, and evaluate on labeled images of this kind before you rely on predictions.

## Expected class proportions

unknown-class-of-prevalence = The classifier has no class '{ $name }'
    .do = It has { $classes }.

prevalence-out-of-range = The expected proportion of '{ $name }' must be more than 0 and less than 1
    .do = Give 5% as 0.05, for example.

prevalence-not-one = The expected class proportions do not add up to 1
    .do = Give the proportions of some of the classes. The other classes divide the rest.

prevalence-leaves-nothing = The expected class proportions leave nothing for the other classes
    .do = Give the proportions of some of the classes. The other classes divide the rest.

thresholds-set-aside = The decision threshold of the classifier is not used, because it was chosen for the class proportions of the validation images. With the expected class proportions that you gave, the most probable class is predicted.

other-prevalence = If images of each class look like those in training, class proportions here differ from those that the probabilities assume: { $proportions }. The ranges include sampling error only, not differences between groups such as patients, slides or days.

class-proportion = { $name } { NUMBER($value, style: "percent", maximumFractionDigits: 1) } ({ NUMBER($low, style: "percent", maximumFractionDigits: 1) } to { NUMBER($high, style: "percent", maximumFractionDigits: 1) }), not { NUMBER($assumed, style: "percent", maximumFractionDigits: 1) }

too-many-unfamiliar-images = more than a fifth of the images are unlike the training images

## Clusters

cluster-prediction-failed = The cluster could not predict the images: { $reason }
    .do = Run the prediction again.

cluster-without-cores = No computer of the cluster has free cores
    .do = Add some to the cluster.

refused-by-computer = { $reason } (on the computer '{ $computer }')
    .do = { $advice }

answer-too-long = it is too long, or not bytes

answer-with-bad-values = { $n_values ->
        [one] { $n_values } of its values is not as expected
       *[other] { $n_values } of its values are not as expected
    }

answer-about-other-images = it describes { $n_images } images instead of { $n_expected }

answer-not-possible = its result for '{ $image }' is not possible

## Explanations

method-not-available = '{ $name }' reads only its last layer, for which '{ $method }' is not available
    .do = Choose one of { $methods }.

no-neighbors = The nearest training images of '{ $name }' are not shown: { $reason }.

image-not-drawn = { $image } could not be read, so there is no picture of it.

image-not-explained = The image could not be explained
    .do = Check that its file can be read.

different-numbers-of-images = These classifiers read different numbers of images from these files
    .do = Explain the classifiers one by one.

explanation-folder-in-use = The folder for the pictures is not empty
    .do = Choose a new or an empty folder.

no-heat-map = '{ $model }' gives no heat map at '{ $layer }'
    .do = Use occlusion.

## Captions on sheets of explanations

sheet-predicted = predicted { $label }

sheet-probability = probability { $probability }{ $decision ->
        [uncertain] , uncertain
        [unfamiliar] , unfamiliar
       *[class] { "" }
    }

sheet-evidence = evidence for { $label }

sheet-verdict = { $verdict ->
        [passed] passed its checks
        [failed] failed the check
       *[unchecked] not checked
    }

sheet-withheld = withheld: failed the check

sheet-neighbors = similar training images:
