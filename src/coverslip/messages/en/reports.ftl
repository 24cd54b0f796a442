# Reports, model cards and comparisons of runs.

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

report-heat-map-picture = Heat maps of a test image, with a row for each initialization

report-figure-files = This figure:

report-figure-numbers = numbers (CSV)

report-file-not-found = file not found

report-tile-image = { $label }, predicted { $predicted }

report-tile-correct = correct

report-tile-label = label: { $label }

report-tile-probability = probability { $probability }

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

proportions-unreadable = unreadable, not counted

proportions-mean = mean of samples

proportions-sample = sample

proportions-axis = proportion

proportions-methods-counted = Class proportions of { $n_samples ->
    [one] { $n_samples } sample
   *[other] { $n_samples } samples
} ({ $n_images } { $are_objects ->
    [true] { $n_images ->
        [one] object
       *[other] objects
    }
   *[false] { $n_images ->
        [one] image
       *[other] images
    }
}) were estimated with coverslip { $version } from the predictions of a classifier. All samples had equal weight.{ $n_open ->
    [0] {""}
    [one] {" "}{ $n_open } uncertain or unfamiliar prediction counted for each class by its probability.
   *[other] {" "}{ $n_open } uncertain or unfamiliar predictions counted for each class by their probabilities.
}{ $n_unreadable ->
    [0] {""}
    [one] {" "}{ $n_unreadable } was unreadable and not counted.
   *[other] {" "}{ $n_unreadable } were unreadable and not counted.
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
