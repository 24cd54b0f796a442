"""Metrics of the measured images of some classes, to compare two test sets that do not have the same classes."""

from collections.abc import Collection, Mapping

import numpy as np

from coverslip.evaluation.results import Evaluation
from coverslip.evaluation.summary import empty_evaluation, evaluate_predictions, with_folds
from coverslip.messages import message
from coverslip.runs.folder import Run
from coverslip.runs.predictions import MeasuredPredictions


def metrics_of_classes(run: Run, labels: Collection[str], group_of: Mapping[str, str]) -> Evaluation:
    """Return the metrics of a run or an evaluation on the images of some classes.

    Args:
        run: was measured.
        labels: names of the classes.
        group_of: the group of each image by its ID; empty for an image without one.
    """
    metrics, predictions = run.metrics, run.predictions.measured()
    is_of_labels = np.isin(predictions.label, [metrics.classes.index(label) for label in labels])
    if not is_of_labels.any():
        reason = message("other-images-of-other-classes")
        return empty_evaluation(metrics.classes, split=metrics.split, primary=metrics.primary, reason=reason)
    if is_of_labels.all():  # the table rounds the probabilities
        return metrics
    pooled = _evaluated(metrics, predictions, is_of_labels, group_of)
    if metrics.folds is None:
        return pooled
    fold_of = {row.image_id: row.fold for row in run.split}
    fold = np.array([fold_of[row.image_id] or 0 for row in predictions.rows])
    tested = {
        k.fold: _evaluated(metrics, predictions, is_of_fold, group_of)
        for k in metrics.folds.per_fold
        if (is_of_fold := is_of_labels & (fold == k.fold)).any()
    }
    n_train = [k.n_train for k in metrics.folds.per_fold if k.fold in tested]
    return with_folds(pooled, list(tested.values()), n_train, n_images=sum(row.fold is not None for row in run.split))


def _evaluated(
    metrics: Evaluation, predictions: MeasuredPredictions, is_used: np.ndarray, group_of: Mapping[str, str]
) -> Evaluation:
    groups = np.array([group_of.get(row.image_id, "") for row in predictions.rows])[is_used]
    return evaluate_predictions(
        predictions.probability[is_used],
        predictions.label[is_used],
        metrics.classes,
        split=metrics.split,
        primary=metrics.primary,
        predicted=predictions.predicted[is_used],
        group=groups if groups.any() else None,
    )
