"""How much each image moves a number: the derivative of a metric by the image's weight.

The sum of these influences over the images of a group is how much the group moves the number, and the spread of these
sums is the number's standard error (the infinitesimal jackknife: Efron 1982, The Jackknife, the Bootstrap and Other
Resampling Plans, chapter 6; for AUROC it is that of DeLong, DeLong and Clarke-Pearson 1988). It is what a bootstrap
over groups tends to, without drawing: one pass over the images, and equal numbers every time.

A class that is all right or all wrong moves nothing, though its next image might. So each class also counts an image
that was not seen: half of it right, half of it as wrong as can be.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coverslip.evaluation.metrics import Margins, confusion_matrix, margins_of

_STEP = 1e-4  # of an image, for derivatives by counts


@dataclass(frozen=True, slots=True)
class Influence:
    """How much images move one number."""

    of_image: np.ndarray  # (n_images,) derivative by the weight of each; their sum is about 0
    unseen: np.ndarray  # (K,) variance that the unseen image of each class adds
    smoothed: float  # the number with the unseen images
    is_proportion: bool = False  # of single images, each right or wrong: its variance follows from its value


def influence_on_counts(
    of_margins: Callable[[Margins], np.ndarray], label: np.ndarray, predicted: np.ndarray, n_classes: int
) -> Influence:
    """Of a metric of the margins of a confusion matrix.

    Args:
        of_margins: (..., K) margins to (...) values.
        label: (n_images,) int, the true class.
        predicted: (n_images,) int, the class that was decided.
        n_classes: K.
    """
    confusion = confusion_matrix(label, predicted, n_classes)
    half = _unseen_images(confusion)
    slope = _slope_by_cell(of_margins, margins_of(confusion + half))
    return Influence(
        of_image=slope[label, predicted],
        unseen=(half * slope**2).sum(axis=1),
        smoothed=float(of_margins(margins_of(confusion + half))),
    )


def influence_on_mean(value: np.ndarray, label: np.ndarray, n_classes: int) -> Influence:
    """Of the mean of something over images.

    Args:
        value: (n_images,) of each.
        label: (n_images,) int, the true class.
        n_classes: K.
    """
    mean = float(value.mean())
    return Influence(of_image=(value - mean) / len(value), unseen=np.zeros(n_classes), smoothed=mean)


def influence_on_proportion(
    is_right: np.ndarray, is_counted: np.ndarray, label: np.ndarray, n_classes: int
) -> Influence:
    """Of the share of some images that are right.

    Args:
        is_right: (n_images,) bool.
        is_counted: (n_images,) bool: the images that it is a share of, one at least.
        label: (n_images,) int, the true class.
        n_classes: K.
    """
    n, right = int(is_counted.sum()), int((is_right & is_counted).sum())
    smoothed = (right + 0.5) / (n + 1)
    # Together they are smoothed * (1 - smoothed) / n, so that single images get Jeffreys' interval for n images.
    of_image = np.where(is_counted, is_right - smoothed, 0.0) / np.sqrt(n * (n + 1))
    unseen = ((1 - smoothed) ** 2 + smoothed**2) / 2 / (n * (n + 1))
    by_class = np.bincount(label[is_counted], minlength=n_classes) / n
    return Influence(of_image, unseen * by_class, smoothed, is_proportion=True)


def _unseen_images(confusion: np.ndarray) -> np.ndarray:
    """Return (K, K): for each class that occurs half an image named rightly, and half of one named wrongly."""
    n_classes = len(confusion)
    images = np.full((n_classes, n_classes), 0.5 / max(n_classes - 1, 1))
    np.fill_diagonal(images, 0.5)
    images[confusion.sum(axis=1) == 0] = 0
    return images


def _slope_by_cell(of_margins: Callable[[Margins], np.ndarray], margins: Margins) -> np.ndarray:
    """Return (K, K) derivative by each count, from those by the three margins that it adds to; 0 where no image is."""
    n_classes = len(margins.n_true)
    steps = _STEP * np.eye(n_classes) * (margins.n_true > 0)
    steps_predicted = _STEP * np.eye(n_classes)
    slopes = []
    for place, step in enumerate((steps, steps, steps_predicted)):
        above, below = (
            of_margins(Margins(*(each + sign * step * (place == k) for k, each in enumerate(margins))))
            for sign in (1, -1)
        )
        slopes.append((above - below) / (2 * _STEP))
    by_right, by_true, by_predicted = slopes
    by_cell: np.ndarray = by_true[:, None] + by_predicted + np.diag(by_right)
    return by_cell
