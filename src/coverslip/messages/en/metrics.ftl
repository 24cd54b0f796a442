# Why a metric has no value or no interval.

interval-needs-groups = only { $n_groups ->
        [one] { $n_groups } group
       *[other] { $n_groups } groups
    }: a confidence interval needs at least { $n_needed }

interval-needs-images = a confidence interval needs at least { $n_needed } images

interval-of-one-image = there is only one image: no interval

interval-without-influence = no image changes the value: no interval

interval-of-set-missing = { $name }: { $reason }

no-interval = no interval

folds-without-value = { $n_missing } of { $n_folds ->
        [one] { $n_folds } fold has
       *[other] { $n_folds } folds have
    } no such number

folds-of-equal-value = every fold gives the same value: no interval

other-images-of-other-classes = the other images are not of the same classes

class-without-images = no image of this class

class-never-predicted = never predicted

class-of-all-images = no image of another class

class-always-predicted = no other class was predicted

few-validation-images = fewer than { $n_needed } validation images of { $which ->
        [this] this class
        [other] the other class
       *[others] other classes
    }

no-threshold-above-chance = no threshold is better than chance on validation images

shares-need-images = { $n_needed ->
        [one] { $n_needed } image is
       *[other] { $n_needed } images are
    } needed, and there are { $n_images }

no-uncalibrated-probabilities = probabilities before calibration were not given
