"""Out-of-distribution (OOD) detection by the distance of an image's features to those of the training images.

The limit is set by images that the network was not trained on:

- A frozen network with ImageNet weights was trained on none of the images, so each image is held out in turn.
- For a fine-tuned network, validation images set the limit, although they selected its epoch.
- A network that was refitted on all images has no validation images. The limit is set by the distances of the folds'
  networks for the images of their test folds. These networks used fewer images and therefore fewer directions.
  Distances grow with the number of directions, so the refitted network uses the same number. With as many directions as
  its images allow, 18 and 14% of new images of the same kind were unfamiliar instead of 4.6% (240 images of blood_pbc,
  5 folds, two seeds).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.engines import Features
from coverslip.evaluation.ood import (
    FEWEST_FOR_OOD,
    FeatureStatistics,
    directions_for,
    feature_statistics,
    held_out_distances,
    limit_of,
    n_directions,
)
from coverslip.events import Noted
from coverslip.messages import note
from coverslip.runs.classifier import CalibrationImages, OodThreshold
from coverslip.runs.recipe import N_OOD_IMAGES
from coverslip.training.fitting import Fitted
from coverslip.training.heads import features_of, some_of_training, some_of_validation
from coverslip.training.task import TrainingTask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FoldIndicesOf = Callable[[Sequence[int]], Ints]  # positions -> fold in which each image is held out; negative for never

_MOST_FROZEN = 4000
_MOST_VALIDATION = 4000  # validation images: a quantile needs no more, and their features take 5 KiB each


@dataclass(frozen=True, slots=True)
class OodDetector:
    """Statistics of the features of training images, and the limit of the distance."""

    statistics: FeatureStatistics
    limits: OodThreshold


@dataclass(frozen=True, slots=True)
class FoldDistances:
    """Distances of test images of all folds to the training images of their fold."""

    distance: Floats  # (n,)
    n_directions: int  # of the feature space


def fit_ood_detector(
    fitted: Fitted, task: TrainingTask, fold_indices_of: FoldIndicesOf, folds: FoldDistances | None = None
) -> OodDetector | None:
    """Return the OOD detector of a network; emit a note and return None if there are too few images.

    Args:
        fitted: the network.
        task: of its training. Features are read from the cache if possible.
        fold_indices_of: folds in which images are held out if the network is frozen.
        folds: distances by the networks of the folds; None without folds.
    """
    images, recipe = task.images, task.recipe
    is_frozen = fitted.selected_stage == "instant" and recipe.init == "imagenet"
    train, train_label = some_of_training(images, recipe.seed, _MOST_FROZEN if is_frozen else N_OOD_IMAGES)
    val, val_label = some_of_validation(images, recipe.seed, _MOST_VALIDATION)
    positions = np.concatenate([train, val])
    with features_of(fitted.backbone, task, positions) as (features, _):
        n = len(train)
        features_of_train = _features_of_rows(features, slice(0, n))
        features_of_val = _features_of_rows(features, slice(n, len(positions)))
    label = train_label
    if is_frozen:  # it was trained neither on training images nor on validation images
        features_of_train, label = (
            np.concatenate([features_of_train, features_of_val]),
            np.concatenate([train_label, val_label]),
        )
    # The distances that set the limit have the same number of directions.
    n_used = n_directions(*features_of_train.shape) if is_frozen or folds is None else folds.n_directions
    directions = directions_for(features_of_train, recipe.seed, n_used)
    statistics = feature_statistics(directions, features_of_train, label)
    calibrated_on: CalibrationImages = "validation images"
    if is_frozen:
        calibrated_on = "held-out training images"
        distance = held_out_distances(features_of_train, label, fold_indices_of(positions.tolist()), recipe.seed)
    elif folds is not None:
        calibrated_on, distance = "the folds' images", folds.distance
    else:
        distance = statistics.distance(features_of_val)
    if len(distance) < FEWEST_FOR_OOD:
        task.context.emit(Noted.of(note("no-ood-detector", n_needed=FEWEST_FOR_OOD, n_images=len(distance))))
        return None
    usual = float(np.median(distance))
    limit = max(limit_of(distance), usual + 1)  # identical images would leave no margin
    return OodDetector(
        statistics,
        OodThreshold(
            usual=usual,
            limit=limit,
            n=len(distance),
            n_beyond=int((distance > limit).sum()),
            calibrated_on=calibrated_on,
        ),
    )


def _features_of_rows(features: Features, rows: slice) -> npt.NDArray[np.float32]:
    return features[rows] if rows.stop > rows.start else np.zeros((0, features.shape[1]), np.float32)
