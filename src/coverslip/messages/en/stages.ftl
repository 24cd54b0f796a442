# The names of stages of long work, which are shown with their progress. An entry's code is `stage-` and the identifier of
# the stage in events.

## Training

stage-reading-images = reading images

stage-preprocessing-images = preprocessing images

stage-computing-features = computing features

stage-fitting-classifier = fitting the classifier

stage-predicting = predicting

stage-computing-intervals = computing confidence intervals

stage-computing-learning-curve = computing the learning curve

stage-writing-report = writing the report

stage-hashing-files = hashing files

stage-storing-images = storing images in the run folder

## Checks of the data

stage-finding-duplicate-candidates = near-duplicates 1 of 3: finding candidates

stage-aligning-duplicate-candidates = near-duplicates 2 of 3: aligning pairs

stage-comparing-duplicate-candidates = near-duplicates 3 of 3: comparing pairs

stage-reading-images-for-duplicates = reading images for near-duplicates

stage-measuring-image-quality = measuring image quality

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

stage-testing-perturbed-images = testing perturbed images

stage-drawing-heat-maps = drawing heat maps

stage-measuring-distances = measuring distances between datasets

stage-measuring-speed = measuring the speed of this computer

stage-measuring-latencies = measuring prediction times

## Demo

stage-drawing-sample-images = drawing sample images
