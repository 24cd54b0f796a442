"""Suspected label errors, by the probabilities of classifiers that were not trained on the images.

With cross-validation, the network that tested an image checks it. Without, linear probes on features of the frozen
network do: each image is checked by a probe that was fitted without its group and its duplicates. Test images are
checked too, which does not change the metrics of the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.audit.near_duplicates import with_recorded_near_duplicates
from coverslip.datasets import Dataset, DecodedPixels, Scan, inner_folds, scan_images
from coverslip.engines import embed
from coverslip.errors import BadRun
from coverslip.evaluation import apply_temperature, fit_temperature
from coverslip.images import ImageFacts
from coverslip.models import has_weights, model_info
from coverslip.models.networks import FeatureNetwork
from coverslip.runs import (
    CheckedBy,
    CheckedClass,
    LabelErrors,
    LabelIssue,
    Recipe,
    Run,
    RunContext,
    SplitRow,
    open_classifier,
    unchanged_images,
)
from coverslip.training.batches import TrainingImages
from coverslip.training.fitting import initial_network
from coverslip.training.heads import cross_fitted_logits, is_balanced

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST_IMAGES = 10  # of a class: with fewer, a rare appearance cannot be distinguished from a wrong label


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """Evidence against each label."""

    score: Floats  # (n,) 1 - probability of the label
    suggested: Ints  # (n,) the most probable class
    is_checked: npt.NDArray[np.bool_]  # (n,) its class has enough images
    is_misclassified: npt.NDArray[np.bool_]  # (n,) another class is more probable than the label

    @property
    def ranked(self) -> Ints:
        """Positions of the misclassified images, most likely label errors first."""
        order = np.argsort(-self.score, kind="stable")
        return order[self.is_misclassified[order]]


def count_suspected_errors(probability: Floats, label: Ints) -> int:
    """Return the number of labels that are probably wrong: the off-diagonal of the confident joint.

    An image counts for another class if that class is the most probable of those whose probability reaches the mean of
    the images with this label. Images between two similar classes mostly do not reach it, so this number is smaller
    than the number of misclassified images.
    Formula: Northcutt, Jiang and Chuang 2021, Confident Learning, section 3.1.

    Args:
        probability: (n, K) out-of-fold, calibrated.
        label: (n,) in [0, K).
    """
    n_of = np.bincount(label, minlength=probability.shape[1])
    of_label = probability[np.arange(len(label)), label]
    mean = np.bincount(label, of_label, probability.shape[1]) / np.maximum(n_of, 1)
    threshold = np.where(n_of >= FEWEST_IMAGES, mean, np.inf)
    confident = np.where(probability >= threshold, probability, -1.0)
    is_counted = (confident.max(axis=1) >= 0) & (n_of[label] >= FEWEST_IMAGES)
    return int((is_counted & (confident.argmax(axis=1) != label) & (probability.argmax(axis=1) != label)).sum())


def label_issues(probability: Floats, label: Ints) -> LabelIssues:
    """Rank labels by how likely they are wrong, by self-confidence.

    This ranking found as many or more of the labels that were flipped at random than the margin to the next class did,
    and as many or fewer of those flipped between similar classes (benchmarks/label_errors.py). Formula: Northcutt,
    Jiang and Chuang 2021, Confident Learning, section 3.2.

    Args:
        probability: (n, K) out-of-fold, calibrated.
        label: (n,) in [0, K).
    """
    suggested = probability.argmax(axis=1)
    is_checked = np.bincount(label, minlength=probability.shape[1])[label] >= FEWEST_IMAGES
    of_label = probability[np.arange(len(label)), label]
    is_misclassified = is_checked & (probability.max(axis=1) > of_label)
    return LabelIssues(np.clip(1 - of_label, 0, 1), suggested, is_checked, is_misclassified)


SHRINKAGE = 3.0  # more than for training, since some of the labels are wrong


def find_label_errors(run: Run, context: RunContext) -> LabelErrors:
    """Return the labels of a run's images for which another class is more probable.

    Args:
        run: a completed training.
        context: its device runs the network for images without cached features; receives progress.

    Raises:
        BadRun: the training is not complete, or its images have changed.
        Stopped: on request.
    """
    if not run.is_done:
        raise BadRun("labels-of-unfinished-training", file=run.folder)
    if run.is_cross_validated:
        rows, classes, probability = _checked_by_folds(run)
        return _label_errors(run, rows, classes, probability, "folds")
    rows, classes, probability = _checked_by_probes(run, context)
    return _label_errors(run, rows, classes, probability, "linear probes")


def _label_errors(
    run: Run, rows: Sequence[SplitRow], classes: Sequence[str], probability: Floats, checked_by: CheckedBy
) -> LabelErrors:
    """Return the label errors by the probabilities of these images; a row of NaN could not be checked."""
    is_known = np.isfinite(probability).all(axis=1)
    checked_rows = [rows[i] for i in np.flatnonzero(is_known).tolist()]
    label = np.array([classes.index(row.label) for row in checked_rows], dtype=np.int64)
    issues = label_issues(probability[is_known], label)
    n_suspected = count_suspected_errors(probability[is_known], label)
    n_taking_part = sum(row.split != "excluded" for row in run.split)
    return LabelErrors(
        checked_by=checked_by,
        classes=tuple(
            CheckedClass(
                name=name,
                n=int((label == k).sum()),
                n_misclassified=int(issues.is_misclassified[label == k].sum())
                if issues.is_checked[label == k].any()
                else None,
            )
            for k, name in enumerate(classes)
        ),
        n_suspected=n_suspected,
        n_not_checked=n_taking_part - int(issues.is_checked.sum()),
        images=tuple(
            LabelIssue(
                image_id=checked_rows[i].image_id,
                path=checked_rows[i].path,
                label=checked_rows[i].label,
                suggested=classes[issues.suggested[i]],
                score=float(issues.score[i]),
                split=checked_rows[i].split,
            )
            for i in issues.ranked.tolist()
        ),
    )


def _checked_by_folds(run: Run) -> tuple[list[SplitRow], tuple[str, ...], Floats]:
    """Return the images that folds tested, and (n, K) probabilities by the networks that tested them."""
    classes = run.predictions.classes
    row_of = {row.image_id: row for row in run.split}
    temperature_of = {k: open_classifier(run.fold(k).classifier_folder).card.temperature for k in _folds(run)}
    rows = [row_of[row.image_id] for row in run.predictions]
    temperature = np.array([temperature_of[row.fold or 0] for row in rows])
    logits = run.test_logits / temperature[:, None]
    is_unknown = np.isnan(logits) & ~np.isnan(logits).all(
        axis=1, keepdims=True
    )  # a class without training images in the fold
    logits[is_unknown] = -np.inf
    probability = apply_temperature(logits, 1.0)
    number = {name: k for k, name in enumerate(classes)}
    for i, row in enumerate(rows):
        if is_unknown[i, number[row.label]]:
            probability[i] = np.nan
    return rows, classes, probability


def _folds(run: Run) -> set[int]:
    return {row.fold for row in run.split if row.fold}


def _checked_by_probes(run: Run, context: RunContext) -> tuple[list[SplitRow], tuple[str, ...], Floats]:
    """Return all labeled images of the run, and (n, K) probabilities by linear probes that were fitted on others."""
    data = unchanged_images(run)
    scan = scan_images(data, emit=context.emit, stop=context.stop)
    if run.inspection is not None:
        scan = with_recorded_near_duplicates(data, scan, run.inspection)
    rows, positions = _taking_part(run, data, scan)
    classes = tuple(name for name in data.classes if any(row.label == name for row in rows))
    label = np.array([classes.index(row.label) for row in rows], dtype=np.int64)
    fold = inner_folds(data, scan, positions, seed=run.recipe.seed)
    logits = _cross_fitted(run, data, scan, positions, label, fold, context)
    is_known = np.isfinite(logits).all(axis=1)
    probability = np.full(logits.shape, np.nan)
    if is_known.any():
        temperature = fit_temperature(logits[is_known], label[is_known])
        probability[is_known] = apply_temperature(logits[is_known], temperature)
    return rows, classes, probability


def _taking_part(run: Run, data: Dataset, scan: Scan) -> tuple[list[SplitRow], list[int]]:
    """Return the readable images with a label, and their positions in the dataset."""
    row_of = {row.image_id: row for row in run.split if row.split != "excluded" and row.label}
    positions = [
        i
        for i, record in enumerate(data.records)
        if record.image_id in row_of and isinstance(scan.facts[i], ImageFacts)
    ]
    return [row_of[data.records[i].image_id] for i in positions], positions


def _cross_fitted(
    run: Run, data: Dataset, scan: Scan, positions: list[int], label: Ints, fold: Ints, context: RunContext
) -> Floats:
    """Return (n, K) logits of probes that were not fitted on the image; NaN if there is no such probe."""
    card = open_classifier(run.classifier_folder).card
    recipe = _with_features(run.recipe)
    decoded = DecodedPixels(data, scan, card.preprocessing)
    trained_on = {row.image_id for row in run.split if row.split == "train"}
    train = np.array([p for p in positions if data.records[p].image_id in trained_on], dtype=np.int64)
    nothing, n_classes = np.zeros(0, np.int64), int(label.max()) + 1
    # With the initialization of the training, so that its cached features can be used.
    images = TrainingImages(decoded, train, np.zeros(len(train), np.int64), nothing, nothing, n_classes=n_classes)
    network, _ = initial_network(images, card.preprocessing, recipe, None)
    with embed(
        FeatureNetwork(network),
        network.head.in_features,
        [fact.pixel_hash for p in positions if isinstance(fact := scan.facts[p], ImageFacts)],
        lambda indices: decoded([positions[i] for i in indices]),
        preprocessing=card.preprocessing.model_dump(mode="json"),
        tta=recipe.tta,
        device=context.device,
        emit=context.emit,
        stop=context.stop,
    ) as (features, _):
        balanced = is_balanced(recipe)
        return cross_fitted_logits(features, label, fold, n_classes=n_classes, balanced=balanced, shrinkage=SHRINKAGE)


def _with_features(recipe: Recipe) -> Recipe:
    """Return a recipe whose network was not trained on these images: the pretrained one, else the default."""
    if recipe.init == "imagenet":
        return recipe
    if has_weights(model_info(recipe.model)):
        return recipe.model_copy(update={"init": "imagenet"})
    default = Recipe()
    return recipe.model_copy(
        update={"init": "imagenet", "model": default.model, "model_options": {}, "head": default.head}
    )
