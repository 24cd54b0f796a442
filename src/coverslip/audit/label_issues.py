"""Suspected label errors, by the probabilities of classifiers that were not trained on the images.

With cross-validation, each label is checked by the network of the fold that tested the image. Otherwise, it is checked
by a linear probe on features of the frozen network, fitted without the group and duplicates of the image. Test images
are checked too, which does not change the metrics of the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from coverslip.audit.near_duplicates import with_recorded_near_duplicates
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.pixels import DecodedPixels, PixelKeys
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.datasets.splits.folding import inner_folds
from coverslip.engines import embed
from coverslip.errors import BadRun
from coverslip.evaluation.calibration import apply_temperature, fit_temperature
from coverslip.evaluation.intervals import Units, influence_on_proportion, metric_with_interval, share_of_images
from coverslip.evaluation.results import Metric
from coverslip.images.preprocessing import PixelFacts
from coverslip.messages import message
from coverslip.models import has_weights, model_info
from coverslip.runs.classifier import open_classifier
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.images import unchanged_images
from coverslip.runs.recipe import Recipe
from coverslip.runs.results import CheckedBy, CheckedClass, LabelErrors, LabelIssue
from coverslip.runs.split import SplitRow
from coverslip.training.heads import CrossFitting, is_balanced
from coverslip.training.instant import initial_backbone
from coverslip.training.linear_probe import HeldOutProbes
from coverslip.training.task import TrainingImages

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FEWEST_IMAGES = 10  # of a class: with fewer, a rare appearance cannot be distinguished from a wrong label


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """Scores of label issues, one per image."""

    score: Floats  # (n,) 1 - probability of the label
    suggested: Ints  # (n,) the most probable class
    is_checked: npt.NDArray[np.bool_]  # (n,) whether its class has enough images
    is_misclassified: npt.NDArray[np.bool_]  # (n,) whether another class is more probable than the label

    @property
    def ranked(self) -> Ints:
        """Positions of the misclassified images, most likely label errors first."""
        order = np.argsort(-self.score, kind="stable")
        return order[self.is_misclassified[order]]


def count_suspected_errors(probability: Floats, label: Ints) -> int:
    """Return the number of labels to check first: the off-diagonal of the confident joint.

    It is no estimate of the number of wrong labels, since errors of the classifier are counted too.

    An image is counted if the most probable of the classes above their thresholds is not its label. The threshold of a
    class is its mean probability over the images with this label. Most images between two similar classes are below it,
    so this number is smaller than the number of misclassified images.
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

    Compared with the margin to the next class, this ranking finds as many or more of randomly flipped labels, and as
    many or fewer of labels flipped between similar classes (benchmarks/label_errors.py). Formula: Northcutt, Jiang and
    Chuang 2021, Confident Learning, section 3.2.

    Args:
        probability: (n, K) out-of-fold, calibrated.
        label: (n,) in [0, K).
    """
    suggested = probability.argmax(axis=1)
    is_checked = np.bincount(label, minlength=probability.shape[1])[label] >= FEWEST_IMAGES
    of_label = probability[np.arange(len(label)), label]
    is_misclassified = is_checked & (probability.max(axis=1) > of_label)
    return LabelIssues(np.clip(1 - of_label, 0, 1), suggested, is_checked, is_misclassified)


_CLEAREST = 0.25  # of the images
_FALLING = 0.1  # p of errors among the clearer half of these


def wrong_labels_of_clearest(
    features: Floats32, label: Ints, fold_index: Ints, group: Ints | None, *, balanced: bool
) -> Metric:
    """Return the share of labels of another class among the images that are clearest by their features.

    Images that resemble several classes have a small margin. Errors among the images with the largest margins are
    therefore mostly wrong labels: with clean labels, their share was 0 to .05 on five of eight sets, and with 5% of
    wrong labels .07 to .11. Wrong labels are as frequent at each margin. If the clearer half has fewer errors, the
    features hardly show the classes, and the share has a reason in place of an interval.

    Args:
        features: (n, D).
        label: (n,) in [0, K); every class occurs.
        fold_index: (n,) fold in which each image is held out; negative for never.
        group: (n,) number of the group of each image; None: no groups are known. A group whose images all look like
            another class is no sign of wrong labels, so the interval is over groups.
        balanced: give all classes the same weight.
    """
    from scipy.special import bdtr

    order = np.argsort(fold_index, kind="stable")
    probes = HeldOutProbes(
        features[order], label[order], fold_index[order], n_classes=int(label.max()) + 1, balanced=balanced
    )
    logits, label = probes.logits(SHRINKAGE), label[order]
    is_checked = np.isfinite(logits).all(axis=1)
    logits, label = logits[is_checked], label[is_checked]
    group = None if group is None else group[order][is_checked]
    highest = np.sort(logits, axis=1)[:, ::-1]
    clearest = np.argsort(highest[:, 1] - highest[:, 0], kind="stable")[: int(_CLEAREST * len(label))]
    is_wrong = (logits.argmax(axis=1) != label)[clearest]
    share = share_of_images(int(is_wrong.sum()), len(clearest))
    if group is not None and len(clearest):
        code = np.unique(group[clearest], return_inverse=True)[1]
        n_classes = logits.shape[1]
        units = Units(code, int(code.max()) + 1, label[clearest], n_classes, True, label[clearest])
        influence = influence_on_proportion(is_wrong, np.ones_like(is_wrong), label[clearest], n_classes)
        share = metric_with_interval(float(is_wrong.mean()), influence, units, "share")
    if bdtr(int(is_wrong[: len(clearest) // 2].sum()), int(is_wrong.sum()), 0.5) < _FALLING:
        return replace(share, low=None, high=None, reason=message("wrong-labels-of-hard-classes"))
    return share


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
    """Return the label errors from the probabilities of these images; rows of NaN were not checked."""
    has_probability = np.isfinite(probability).all(axis=1)
    checked_rows = [rows[i] for i in np.flatnonzero(has_probability).tolist()]
    label = np.array([classes.index(row.label) for row in checked_rows], dtype=np.int64)
    issues = label_issues(probability[has_probability], label)
    n_suspected = count_suspected_errors(probability[has_probability], label)
    n_in_split = sum(row.split != "excluded" for row in run.split)
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
        n_not_checked=n_in_split - int(issues.is_checked.sum()),
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
    temperature_of = {k: open_classifier(run.fold(k).classifier_folder).card.temperature for k in _fold_numbers(run)}
    rows = [row_of[row.image_id] for row in run.predictions]
    temperature = np.array([temperature_of[row.fold or 0] for row in rows])
    logits = run.test_logits / temperature[:, None]
    is_untrained_class = np.isnan(logits) & ~np.isnan(logits).all(
        axis=1, keepdims=True
    )  # a class without training images in the fold
    logits[is_untrained_class] = -np.inf
    probability = apply_temperature(logits, 1.0)
    number = {name: k for k, name in enumerate(classes)}
    for i, row in enumerate(rows):
        if is_untrained_class[i, number[row.label]]:
            probability[i] = np.nan
    return rows, classes, probability


def _fold_numbers(run: Run) -> set[int]:
    return {row.fold for row in run.split if row.fold}


def _checked_by_probes(run: Run, context: RunContext) -> tuple[list[SplitRow], tuple[str, ...], Floats]:
    """Return all labeled images of the run, and (n, K) probabilities by linear probes fitted on other images."""
    data = unchanged_images(run)
    scan = scan_images(data, emit=context.emit, stop=context.stop)
    if run.inspection is not None:
        scan = with_recorded_near_duplicates(data, scan, run.inspection)
    rows, positions = _split_images(run, data, scan)
    classes = tuple(name for name in data.classes if any(row.label == name for row in rows))
    label = np.array([classes.index(row.label) for row in rows], dtype=np.int64)
    fold = inner_folds(data, scan, positions, seed=run.recipe.seed)
    logits = _cross_fitted(run, data, scan, positions, label, fold, context)
    has_probability = np.isfinite(logits).all(axis=1)
    probability = np.full(logits.shape, np.nan)
    if has_probability.any():
        temperature = fit_temperature(logits[has_probability], label[has_probability])
        probability[has_probability] = apply_temperature(logits[has_probability], temperature)
    return rows, classes, probability


def _split_images(run: Run, data: Dataset, scan: Scan) -> tuple[list[SplitRow], list[int]]:
    """Return the readable images with a label, and their positions in the dataset."""
    row_of = {row.image_id: row for row in run.split if row.split != "excluded" and row.label}
    positions = [
        i
        for i, record in enumerate(data.records)
        if record.image_id in row_of and isinstance(scan.facts[i], PixelFacts)
    ]
    return [row_of[data.records[i].image_id] for i in positions], positions


def _cross_fitted(
    run: Run, data: Dataset, scan: Scan, positions: list[int], label: Ints, fold: Ints, context: RunContext
) -> Floats:
    """Return (n, K) logits of probes that were not fitted on the image; NaN without such a probe."""
    card = open_classifier(run.classifier_folder).card
    recipe = _recipe_of_frozen_network(run.recipe)
    decoded = DecodedPixels(data, scan, card.preprocessing)
    trained_on = {row.image_id for row in run.split if row.split == "train"}
    train = np.array([p for p in positions if data.records[p].image_id in trained_on], dtype=np.int64)
    no_positions, n_classes = np.zeros(0, np.int64), int(label.max()) + 1
    # The initialization is that of the training, so that its cached features are used.
    images = TrainingImages(
        decoded, train, np.zeros(len(train), np.int64), no_positions, no_positions, n_classes=n_classes
    )
    with embed(
        initial_backbone(images, card.preprocessing, recipe, None),
        PixelKeys(data, scan, positions, card.preprocessing),
        lambda indices: decoded([positions[i] for i in indices]),
        preprocessing=card.preprocessing.model_dump(mode="json"),
        tta=recipe.n_views,
        device=context.device,
        emit=context.emit,
        stop=context.stop,
    ) as (features, _):
        probes = CrossFitting(features, label, fold, n_classes=n_classes, balanced=is_balanced(recipe))
        return probes.logits(SHRINKAGE)


def _recipe_of_frozen_network(recipe: Recipe) -> Recipe:
    """Return a recipe whose network was not trained on these images: the pretrained one, else the default."""
    if recipe.init == "imagenet":
        return recipe
    if has_weights(model_info(recipe.model)):
        return recipe.model_copy(update={"init": "imagenet"})
    default = Recipe()
    return recipe.model_copy(
        update={"init": "imagenet", "model": default.model, "model_options": {}, "head": default.head}
    )
