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
    .do = Choose 'zip', 'onnx' or 'bioimageio'.

export-folder-exists = A file or folder with this name exists
    .do = Choose the name of a new folder.

export-without-attribution = The format '{ $format }' has no place for authors, a license or a citation
    .do = Leave them out, or choose 'bioimageio'.

export-author-invalid = '{ $author }' is not the name of an author
    .do = Give one name without a slash for each author.

export-license-invalid = '{ $license }' is not an SPDX license identifier
    .do = Give an identifier of https://spdx.org/licenses, such as CC-BY-4.0 or MIT.

export-citation-without-link = The citation has neither a DOI nor an address: { $citation }
    .do = Add a DOI such as 10.1234/abc, or an address that begins with https://.

export-needs-run = This is a classifier without its run. An export in the format '{ $format }' is verified with images of the run
    .do = Export from the run folder. Only 'zip' needs no images.

export-refused = The export in the format '{ $format }' was refused, and nothing was written: { $reason }
    .do = coverslip predicts with this classifier as before. Share it as 'zip'.

export-failed = this network cannot be exported ({ $reason })

export-differs = the exported network does not reproduce the classifier. Its logits differ by up to { $difference } standard deviations (the limit is 0.001), and { NUMBER($agreement, style: "percent") } of { $n_images } images have the same decision

export-to-folder = This is a folder, not a file
    .do = Name the file to write in it.

## Predictions

estimator-without-images = X contains no images, but { $shape }
    .do = Pass paths of image files, or arrays of the shape (height, width) or (height, width, channels).

estimator-sparse = a sparse matrix

estimator-rows = { $n_numbers ->
        [one] rows of { $n_numbers } number
       *[other] rows of { $n_numbers } numbers
    }

estimator-x-empty = X is empty: 0 images
    .do = Pass at least one image.

estimator-empty-label = A label in y is empty
    .do = Give each image a label, or leave it out of X and y.

estimator-equal-labels = Two labels in y are the same class { $name }: { $labels }
    .do = Spaces around labels and the encoding of accents do not distinguish classes. Use one spelling.

estimator-columns = X is a data frame with several columns: { $columns }
    .do = Pass the column of the images, such as X[["path"]].

estimator-needs-groups = needs_groups is true, and fit was called without groups
    .do = cross_val_score and cross_validate pass groups to fit with params={"{"}"groups": groups{"}"}, GridSearchCV only with sklearn.set_config(enable_metadata_routing=True).

estimator-without-groups = The names of the images suggest { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    } such as '{ $example }', and fit was called without groups
    .do = If they are patients, slides or fields, pass groups to fit: cross_val_score and cross_validate with params={"{"}"groups": groups{"}"}, and GridSearchCV only with sklearn.set_config(enable_metadata_routing=True). Otherwise images of one patient can be in the training and the test set, and the results are too optimistic.

estimator-changed-classes = The recipe renames or merges classes, so that predictions would not be labels of y
    .do = Change the labels in y instead, and remove classes.rename, classes.merge and classes.by_domain from the recipe.

image-not-predicted = This image cannot be predicted: { $reason }
    .do = Remove it, or replace it by a readable image.

labels-of-other-classes = { $n_images ->
        [one] { $n_images } image has a label that is no class
       *[other] { $n_images } images have labels that are no classes
    } of this classifier ({ $names }). It can assign them only to its own classes.

training-images = { $n_images ->
        [one] { $n_images } of these images was
       *[other] { $n_images } of these images were
    } used to train this classifier. Their predictions are correct more often than those of new images.

is-training-image = this image, or a duplicate of it, was used to train this classifier

unreadable-image = { $image }: { $reason }

prediction-resumed = { $n_images ->
        [one] { $n_images } row of the interrupted prediction was
       *[other] { $n_images } rows of the interrupted prediction were
    } reused. Notes about images cover the remaining images.

rows-saved = { $n_images ->
        [one] { $n_images } row is
       *[other] { $n_images } rows are
    } saved. To continue after them, repeat the prediction with the option 'resume'.

rows-of-other-settings = The saved rows belong to other images, another classifier, other options or another version of coverslip
    .do = Repeat the earlier command, or start again without the option 'resume'.

parquet-not-resumable = Parquet files cannot be resumed
    .do = Choose the format 'csv' or 'jsonl'.

top-k-out-of-range = The classifier cannot list { $top_k } classes: it has { $n_classes }
    .do = Choose a number from 1 to { $n_classes }.

rows-without-all-probabilities = the reused rows contain the probabilities of the most probable classes only

extra-for-parquet = The format 'parquet'

watching = { $n_images ->
        [0] Predicting images that appear in '{ $folder }'.
        [one] Predicting images that appear in '{ $folder }'. { $n_images } image has a row already.
       *[other] Predicting images that appear in '{ $folder }'. { $n_images } images have a row already.
    } To end, press Ctrl-C.

no-folder-to-watch = There is no such folder
    .do = Create the folder first, or check the spelling.

parquet-not-growable = Rows cannot be appended to Parquet files
    .do = Choose the format 'csv' or 'jsonl'.

watched-channel-files = This classifier reads several files for each image, so coverslip cannot determine when an image is complete
    .do = Predict these images when all files exist.

watched-fields = This image is a whole field of view, and the classifier classifies objects, which coverslip does not find in a watched folder
    .do = Predict the folder when its images are complete: `coverslip predict` without --watch finds the objects.

rows-of-other-classifier = The rows of this table are predictions of another classifier or of other class proportions
    .do = Choose another name for the table.

rows-of-other-columns = This table of predictions has other columns, or is damaged
    .do = Choose another name for the table.

replaced = The earlier predictions in '{ $file_name }' were replaced.

unfinished-training = Training has not ended: this classifier is the best so far, not the final one. Let the training end, or resume it, before you rely on metrics and predictions.

reason-unfamiliar = Unlike the training images: possibly another size, stain or instrument, or none of the classes

reason-uncertain = The probability is below { NUMBER($threshold, maximumFractionDigits: 3) }

reason-not-checked = The classifier was adapted to these images, and not checked with labels of any of them

reason-on-computer = { $reason }, on { $computer }

## Differences from the training images

bit-depth-differs = { $depth }, but the training images are { $trained }

channels-differ = in { $channels }, but the training images are in { $trained }

other-channel-names = The file names the channels { $names }, the files of the training images { $trained }
    .do = If these are the same stains under other names, choose the channels of these images in the order of the training, by names or numbers from 0. Otherwise, this classifier cannot predict them.

channels-reordered = channels in the order of the training, not in that of the file ({ $names })

reordered-channels = The files of { $n_images ->
        [one] { $n_images } image name
       *[other] { $n_images } images name
    } the channels of the training in another order. The channels were reordered by their names. If the names are wrong, choose the channels of these images by their numbers.

image-is-field = { $width } x { $height } pixels, as large as { $n_times } training images: if it shows many objects, give their boxes

size-differs = { $width } x { $height } pixels, but the training images are { $trained }

sizes-differ = of another size (such as { $width } x { $height } pixels), but the training images are { $trained }

larger-than-canvas = larger than the canvas of { $canvas_px } pixels, and shrunk to fit instead of shown at the common scale

pixel-size-differs = { NUMBER($um, maximumSignificantDigits: 4) } µm per pixel, but the training images have { NUMBER($trained_um, maximumSignificantDigits: 4) } µm per pixel

image-rescaled = rescaled from { NUMBER($um, maximumSignificantDigits: 4) } to { NUMBER($trained_um, maximumSignificantDigits: 4) } µm per pixel

other-pixel-size = { $n_images ->
        [one] { $n_images } image has
       *[other] { $n_images } images have
    } another pixel size, such as { $image } with { NUMBER($um, maximumSignificantDigits: 4) } µm per pixel. The training images have { NUMBER($trained_um, maximumSignificantDigits: 4) } µm per pixel. If objects appear larger or smaller than in training, predictions are less certain than they appear.

# The pixels of files that are read

other-pixels = { $keys ->
        [one] The choice of pixels in the files differs
       *[other] The choices of pixels in the files differ
    } from those of the training, numbers from 0: { $differences }. Predictions may be wrong. To read the images as in training, change the choice on the page of the dataset, or the columns of its table.

pixels-differ = { $key ->
        [series] series
        [t] time point
        [z] z-plane
        [channels] channels
       *[level] level
    } { $value } (training: { $trained })

pixels-all = all

pixels-value = { $value }

rescaled-images = { $n_images ->
        [one] { $n_images } image was
       *[other] { $n_images } images were
    } rescaled to the pixel size of the training images, { NUMBER($trained_um, maximumSignificantDigits: 4) } µm.

no-pixel-size = { $n_images ->
        [one] The pixel size of { $n_images } image is
       *[other] The pixel size of { $n_images } images is
    } not known, so it is not compared with that of the training images ({ NUMBER($trained_um, maximumSignificantDigits: 4) } µm).

no-pixel-size-of-training = The pixel size of the training images is not known
    .do = Predict without rescaling. To train a classifier that knows it, state the pixel size in the recipe (images.pixel_size_um) or in a column pixel_size_um of the table.

rescaling-of-own-test = The test set of the run cannot be rescaled: it has the pixel size of the training images
    .do = Give other labeled images, or evaluate without rescaling.

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

unfamiliar-not-known = coverslip cannot tell which images are unlike the training images, because the classifier had too few of these.{ $decides_all ->
        [true] {" "}It marks no prediction as uncertain.
       *[false] {""}
    } Check some predictions.

unfamiliar-images = { $n_images ->
        [one] { $n_images } of { $n_predicted } images is
       *[other] { $n_images } of { $n_predicted } images are
    } unlike the training images; about { NUMBER($n_expected, maximumFractionDigits: 0) } are expected by chance. They may have another size, stain or instrument, or show none of the classes. Without labels of such images, it is not known whether their predictions are reliable.

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

other-prevalence = Class proportions here differ from those that the probabilities assume, if the classifier makes errors as often here as on its test images: { $proportions }.

class-proportion = { $name } { NUMBER($value, style: "percent", maximumFractionDigits: 1) } ({ NUMBER($low, style: "percent", maximumFractionDigits: 1) } to { NUMBER($high, style: "percent", maximumFractionDigits: 1) }), not { NUMBER($assumed, style: "percent", maximumFractionDigits: 1) }

shares-of-stated-proportions = these predictions assume stated class proportions, so that their counts do not show the proportions

## Clusters

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

## Proportions of samples

summary-assumption = The correction assumes that, on average, the classifier makes errors as often in these samples as on the test images of its run. To check this, label some images of each condition (spot check).

summary-valid-if = Valid if the classifier makes errors as often here as on its test images; a check would find a difference of { NUMBER($points, maximumFractionDigits: 1) } percentage points in 8 of 10 cases, and found none.

summary-by-probabilities = { $n_images ->
    [one] The prediction is uncertain or unfamiliar, and counts for each class by its probability.
   *[other] { $n } of { $n_images } { $are_objects ->
        [true] objects
       *[false] images
    } { $n ->
        [one] is uncertain or unfamiliar, and counts for each class by its probability.
       *[other] are uncertain or unfamiliar, and count for each class by their probabilities.
    }
}

summary-rates-differ = A classifier can make more errors in some patients, slides or other groups of images than in others. The correlation of errors within groups shows how much this one does so on test images: { NUMBER($correlation, minimumFractionDigits: 2, maximumFractionDigits: 2) } for '{ $name }' (probably { NUMBER($low, minimumFractionDigits: 2, maximumFractionDigits: 2) } to { NUMBER($high, minimumFractionDigits: 2, maximumFractionDigits: 2) }; 0: errors are equally frequent in all groups; 1: all images of a group are right or all are wrong). The intervals of single samples include this.{ $is_unsure ->
    [true] {" "}The test images of '{ $name }' have too few errors or groups to know it better, which makes these intervals wide. Labeled images of more groups would help.
   *[false] {""}
}

summary-rates-equal = { $are_all ->
    [true] The test images have no groups, such as patients, or are of a single one. So it is not known
   *[false] The test images of { $names } have no groups, such as patients, or are of a single one. So it is not known for them
} whether the classifier makes more errors in some samples than in others. If it does, the intervals of single samples are too narrow. To find out, name the group of each image (patient, slide or plate) when you train, and test several groups.

summary-wide-intervals = In { $n_wide } of { $n_samples } corrected samples, an interval is wider than { $points } percentage points. Means of several samples are more precise, and so are single samples after a spot check{ $has_few_images ->
    [true] {" "}or with more { $are_objects ->
        [true] objects
       *[false] images
    }
   *[false] {""}
}.

summary-single-images = { $n_single } of { $n_samples } samples are a single { $are_objects ->
    [true] object
   *[false] image
}. The test of conditions takes each sample for independent. If several of them are of one patient, well or slide, name that as the sample: otherwise p-values are too small.

summary-small-samples = { $n_small } of { $n_samples } samples { $n_small ->
        [one] has
       *[other] have
    } fewer than { $n_images } { $are_objects ->
        [true] objects
       *[false] images
    }. Means and the test of conditions count each sample alike, whatever its size.

summary-pooled-samples = { $n_samples ->
    [one] One sample has
   *[other] { $n_samples } samples have
} images of several { $kind ->
    [plates] plates
    [tables] tables
   *[folders] folders
} ({ $names }), which are counted together. If these are different samples of equal names, such as wells of several plates, name them in one column that includes the plate, such as P1-A01, or give a table of samples that has a column of plates like the predictions.

summary-fields-as-samples = Each field counts as a sample of its own. If several fields are of one patient, well or slide, p-values are too small: name the patient, well or slide as the sample.

all-samples = all samples

summary-raw-only = Proportions are counts of predictions, which are biased by errors of the classifier. To correct them, name its run with --run.

summary-without-run = no run with errors on test images was given

summary-sample-without-images = all of its predictions are unreadable

summary-uninformative = the test images do not show that the classifier distinguishes the classes

summary-adapted = the classifier was adapted to another laboratory, and its errors were measured on test images of the first one

summary-counts-are-compared = a sample cannot be corrected, so that counts of all samples are compared

summary-counts-are-closer = for this classifier and this number of predictions, counts are expected to be closer to the true proportions than corrected values

summary-class-without-images = the test images of the run lack a class

summary-unfamiliar = { NUMBER($share, style: "percent") } of the predictions are unfamiliar to the classifier, so that its errors on them are not known

summary-few-blocks = an interval needs at least { $n_needed } blocks that contain both conditions

summary-few-samples = an interval needs at least { $n_needed } samples of each condition

summary-size-unknown = the error rates of the classifier are too uncertain to say how large the difference is

summary-without-variation = the compared values do not vary, so chance cannot be estimated: no interval and no p

summary-values-unclipped = corrected, values below 0 or above 1 are meant

summary-mean-of-condition = { NUMBER($mean, maximumFractionDigits: 1) }% in { $condition }

summary-samples-outside = In { $n_outside } of { $n_samples ->
        [one] { $n_samples } sample
       *[other] { $n_samples } samples
    }, the corrected proportion of “{ $name }” would be below 0% or above 100% ({ NUMBER($value, maximumFractionDigits: 1) }% in { $sample }), and is shown as 0% or 100%: the classifier probably makes other errors there than on the test images of its run. Label some images (spot check).

summary-means-outside = The corrected values of “{ $name }” have a mean of { $means }: the classifier probably makes other errors there than on the test images of its run, or the samples have few images. Tests and effect sizes are of these means, but proportions are limited to 0% to 100%. Label some images (spot check).

summary-similar-samples = The samples { $names } may be one sample with several spellings. They count as different samples. If they are one sample, use one spelling.

summary-similar-conditions = The conditions { $names } may be one condition with several spellings. They count as different conditions. If they are one condition, use one spelling.

summary-similar-blocks = The blocks { $names } may be one block with several spellings. They count as different blocks. If they are one block, use one spelling.

summary-shift-violated = The classifier probably makes other errors here than on the test images of its run: two estimates of the proportions disagree ({ $p }). Label some images (spot check) before you rely on corrected proportions.

summary-shift-power = A check found no sign that the classifier makes other errors here than on the test images. It compares two estimates of the proportions in all images, and finds a difference of { NUMBER($points, maximumFractionDigits: 1) } percentage points or more in at least 8 of 10 cases. Smaller ones can remain.

summary-other-classes = The classes differ from those of { $other }
    .do = Name predictions and the run of one classifier.

these-predictions = the predictions

predictions-of-other-thresholds = { $n_images ->
    [one] The prediction of { $n_images } image is
   *[other] The predictions of { $n_images } images are
} not those of { $run } with its current thresholds: these have changed since the prediction, it is another classifier, or class proportions were stated
    .do = Predict the images again with this classifier and without --prevalence, or name no run.

predictions-without-classifier = The predictions do not state their classifier: the column '{ $column }' is missing or has empty cells
    .do = Use the table as `coverslip predict` wrote it, or name no run.

summary-no-column = There is no column '{ $column }'. The columns are { $columns }
    .do = Name another column, or name a table with --table.

summary-empty-cell = The column '{ $column }' is empty for { $path }
    .do = Fill in the column, or remove the row.

sample-of-two-conditions = The sample '{ $sample }' has two conditions, '{ $first }' and '{ $second }'
    .do = Correct the condition, or give each sample a name of its own. For patients before and after treatment, name the patient as block.

sample-of-two-blocks = The sample '{ $sample }' is in two blocks, '{ $first }' and '{ $second }'
    .do = Correct the block, or give each sample a name of its own.

summary-without-images = There are no predictions of readable images
    .do = Predict images first.

no-sample-matches = The pattern '{ $pattern }' matches no path. The first path is '{ $path }'
    .do = Correct the pattern. For names like slide07_cell3.png, write slide[0-9]+.

column-without-samples = No image has a value in the column '{ $column }'
    .do = Choose another column, or folders.

sample-table-without-samples = No column of this table names a sample. The first sample is '{ $sample }'
    .do = Write the names of samples into a column, as on the page.

sample-table-without-conditions = This table has no column 'condition'. The columns are { $columns }
    .do = Name the column of conditions 'condition', and that of blocks 'block'.

summary-no-control = No sample has the condition '{ $control }'
    .do = Name one of the conditions: { $conditions }.

summary-table-without-key = This table has none of the columns { $columns }
    .do = Add a column with the image_id or path of each image, or with the sample of each row, as in the predictions.

predictions-given-twice = This table of predictions is given twice
    .do = Give each table once: its images would count twice.

repeated-images-counted-once = { $n_images ->
        [one] { $n_images } row lists an { $are_objects ->
            [true] object
           *[false] image
        } again. It counts once.
       *[other] { $n_images } rows list { $are_objects ->
            [true] objects again. Each object
           *[false] images again. Each image
        } counts once.
    }

excluded-images-not-counted = { $n_images ->
        [one] { $n_images } { $are_objects ->
            [true] object
           *[false] image
        } was excluded in the app and is not counted.
       *[other] { $n_images } { $are_objects ->
            [true] objects
           *[false] images
        } were excluded in the app and are not counted.
    }

summary-table-repeats = Several rows of this table have the { $key } '{ $image }', with different cells in the column '{ $column }'
    .do = Add a column image_id with the image_id of each row of the predictions, or correct the cells.

summary-image-not-in-table = The image { $path } is not in this table
    .do = Add a row for it. In the column path, the first folders may be missing.

summary-sample-not-in-table = The sample '{ $sample }', for example of { $path }, is not in this table
    .do = Add a row for it, or correct its name.

summary-row-of-two-images = Two images, { $other } and { $path }, have the row { $key } of this table
    .do = Name images in the column path, with their folders and without a column image_id, so that each image has a row.

## Spot checks

spot-check-few-images = { $n } images cannot be drawn from { $n_samples } samples of the condition '{ $condition }'
    .do = Draw at least one image of each sample.

spot-check-half-width = The half width of an interval must be above 0 and below 0.5, not { $value }
    .do = State it as a share: 0.05 is an interval of ± 5 percentage points.

spot-check-no-labels-table = This is no table of labels: it needs the columns label and image_id or path. Its columns are { $columns }
    .do = Name the table that `coverslip spot-check` wrote with --out.

spot-check-unknown-image = There is no prediction of a readable image '{ $image }'
    .do = Name the predictions from which the images were drawn.

spot-check-several-rows = { $n_rows } rows of the predictions are of the image '{ $image }'
    .do = Add a column image_id to the table of labels, as in the predictions, and name each table of predictions once.

spot-check-unknown-label = The label '{ $label }' of { $image } is none of { $labels }
    .do = Correct it, or leave it empty.

spot-check-image-twice = The image '{ $image }' has two labels
    .do = Remove one of its rows.

spot-check-other-file = The label of '{ $image }' is of another file than the one that was predicted
    .do = Draw images of these predictions again, and label them.

spot-check-without-labels = This table has no labels yet
    .do = Fill in the column label.

spot-check-unlabeled-sample = no image of the sample '{ $sample }' is labeled

spot-check-without-run = no run with test images was named

spot-check-drawn = { $n_images ->
    [one] { $n_images } image to label is
   *[other] { $n_images } images to label are
} in { $file }. Fill in the column label with { $labels }. Do not look at the predictions. Then run the command again with --labels.

spot-check-needed = Number of labels in each condition for a 95% confidence interval of ± { $points } percentage points, including the differences between samples that the predictions show. If not even all labels are enough, more samples are needed.

spot-check-more-than-all = more than all images

spot-check-lower = Accuracy is lower than expected from the test images. The classifier makes more errors here; do not rely on corrected proportions.

spot-check-compatible = Accuracy is compatible with that on the test images. { $n_labels ->
    [one] { $n_labels } label does
   *[other] { $n_labels } labels do
} not exclude a difference between { $low } and { $high } percentage points.

spot-check-useless = For { $classes }, predictions do not make the interval shorter than labels alone.

spot-check-not-corrected = Counts are not corrected: { $reason }.

## Whole fields

image-is-whole-field = A whole field of view, which a classifier of objects cannot classify. A prediction of its file finds its objects and classifies them.

fields-without-found-objects = { $n_fields ->
        [one] The image is a whole field of view
       *[other] { $n_fields } images are whole fields of view
    }, but the classifier classifies objects, and those of its training were read from files or found in several ways
    .do = Give a table of the objects: `coverslip objects FIELDS --masks MASKS`, or with --outlines, --points or --finder. In the app, use Find objects on the dataset of the fields.

fields-in-memory = { $n_fields ->
        [one] An image in memory is a whole field of view
       *[other] { $n_fields } images in memory are whole fields of view
    }, and the classifier classifies objects
    .do = Save the fields as files, and give the files.

finder-of-other-version = The finder { $finder } has version { $version }. The objects of the training were found by version { $trained }, so objects and their outlines can differ.

objects-found = Found { $n_objects } objects in { $n_fields ->
        [one] one field
       *[other] { $n_fields } fields
    }, with the settings of the training. The table of objects is { $file_name }.
