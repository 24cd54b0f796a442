"""The errors of a classifier on the test images of its run, with which class proportions are corrected."""

from collections.abc import Callable, Sequence
from math import isnan

import numpy as np
import numpy.typing as npt

from coverslip.datasets.index.records import UNCERTAIN, UNFAMILIAR, UNREADABLE
from coverslip.errors import CoverslipError
from coverslip.evaluation.intervals import group_codes
from coverslip.evaluation.proportions import ErrorRates, Votes
from coverslip.messages import text
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction, Predictions

Floats = npt.NDArray[np.float64]


def error_rates(run: Run, classes: Sequence[str]) -> ErrorRates:
    """Return the votes on the test images of a run; after cross-validation, these are all images.

    A classifier that was adapted to another laboratory has no test images from there.

    Raises:
        CoverslipError: the run has other classes.
    """
    if run.adaptation is not None:
        return ErrorRates([None] * len(classes), incomplete="summary-adapted")
    order = [run.predictions.classes.index(name) for name in classes if name in run.predictions.classes]

    def votes(rows: Sequence[Prediction]) -> Floats:
        return votes_of(rows, classes, probabilities_of(rows, len(classes))[:, order])

    return ErrorRates(
        votes_on_test_images(run, classes, votes), votes_on_test_images(run, classes, votes, is_grouped=True)
    )


def votes_on_test_images(
    run: Run,
    classes: Sequence[str],
    votes: Callable[[Sequence[Prediction]], Floats],
    *,
    is_grouped: bool = False,
) -> list[Votes | None]:
    """Return votes on the test images of each class, by group; None: there is no image of the class.

    An image without a group is a group, if others have a group. With `is_grouped`, only images with a group count.

    Raises:
        CoverslipError: the run has other classes.
    """
    predicted: Predictions = run.predictions
    if set(predicted.classes) != set(classes):
        raise CoverslipError("summary-other-classes", file=run.predictions_file, other=text("these-predictions"))
    group_of = {row.image_id: row.group for row in run.split if row.split != "excluded"}
    by_class: list[Votes | None] = []
    # The network of a fold has no probability of a class without training images: metrics do not count these images.
    number_of = {name: k for k, name in enumerate(predicted.classes)}
    rows = [
        row
        for row in predicted
        if row.label in number_of and row.decision != UNREADABLE and not isnan(row.probabilities[number_of[row.label]])
    ]
    for name in classes:
        of_class = [row for row in rows if row.label == name and (group_of.get(row.image_id) or not is_grouped)]
        groups = np.array([group_of.get(row.image_id) for row in of_class], dtype=object)
        units = group_codes(groups) if any(groups) else np.zeros(len(of_class), dtype=int)
        by_class.append(Votes.of(votes(of_class), units.tolist()) if of_class else None)
    return by_class


def votes_of(predictions: Sequence[Prediction], classes: Sequence[str], probabilities: Floats) -> Floats:
    """Return the (n, K) votes of readable images: 1 for the predicted class, or the probabilities if undecided.

    Args:
        predictions: of n images.
        classes: K names.
        probabilities: (n, K), as of `probabilities_of`.
    """
    number_of = {name: k for k, name in enumerate(classes)}
    number = np.array(
        [
            -1 if row.decision in (UNCERTAIN, UNFAMILIAR) else number_of.get(row.predicted or "", -1)
            for row in predictions
        ],
        np.int64,
    )
    votes = np.zeros(probabilities.shape)
    decided, undecided = np.flatnonzero(number >= 0), np.flatnonzero(number < 0)
    votes[decided, number[decided]] = 1
    votes[undecided] = probabilities[undecided] / probabilities[undecided].sum(axis=1, keepdims=True)
    return votes


def probabilities_of(predictions: Sequence[Prediction], n_classes: int) -> Floats:
    """Return the (n, K) probabilities of readable images; 0 if unknown."""
    return np.nan_to_num(np.array([row.probabilities for row in predictions], np.float64).reshape(-1, n_classes))
