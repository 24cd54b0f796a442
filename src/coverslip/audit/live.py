"""A classifier that learns while images are labeled, and a number that says how good it is.

The features of all images are computed once. After each label, a linear probe is fitted to the labeled images, and
predicts all others: .14 s of processor time for 5,000 images of 20 classes and 1,000 labels. The predictions follow
from the labels and features alone, whatever the order of the labels.

A random part of the images is reserved as test set. They are shown among the others without predictions, and their
labels are not fitted. The share of them that are predicted right is the accuracy on a random sample, which that on
images that the loop selected is not.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from coverslip.audit.learning_curve import (
    FEWEST_GROUPS,
    FEWEST_IMAGES_OF_A_CLASS,
    gram_matrix,
    nested_order,
    predict_by_size,
)
from coverslip.audit.selecting import (
    FEWEST_LABELS,
    draw_of_name,
    reserved,
    still_reserved,
    typical,
    undecided,
)
from coverslip.datasets.index.opening import ImageSource, open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import clean_label
from coverslip.datasets.quality.scanning import scan_images
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadDataset, CoverslipError
from coverslip.evaluation.intervals import exact_ends, group_codes
from coverslip.evaluation.learning import error_on_the_line
from coverslip.evaluation.proportions import Votes, effective_counts
from coverslip.evaluation.results import Metric
from coverslip.evaluation.table import metric_intervals
from coverslip.events import Emit, show
from coverslip.machine import select_device
from coverslip.messages import Message, message
from coverslip.notebooks import html_table
from coverslip.runs.folder import Run, RunContext
from coverslip.training.linear_probe import LinearHead, fit_linear_probe, moments

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MOST_LABELED = 4_000  # images that the probe is fitted on
_SHRINKAGE = 1.0  # of the probe
_SEED = 0
_ROWS_AT_ONCE = 4_096  # of features that are read together, to limit memory
_N_COMPONENTS = 64  # principal components, in which images are compared
_N_EXTRA = 10  # random projections more than components, for their precision
_FEWEST_FOR_GROUPS = 30  # labeled test images before an interval is one over groups
_N_GAIN = 50  # labels more, whose gain is expected
_FEWEST_FOR_GAIN, _MOST_FOR_GAIN = 60, 300  # labels, and labels at random of which the learning curve is
_MANY_TESTED = 30  # labeled test images before fewer of them are shown
_EVERY_FIRST, _EVERY_LATER = 2, 5  # image that is one of the test set, before and after


class FeatureRows(Protocol):
    """(n, D) float32 features: an array, or rows on disk that are read on access."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice | Ints, /) -> Floats: ...


@dataclass(frozen=True, slots=True)
class LiveImages:
    """Images with features, in the order of their dataset."""

    image_ids: tuple[str, ...]
    paths: tuple[str, ...]
    groups: tuple[str | None, ...]  # None: images without a group
    features: FeatureRows  # (n, D)


@dataclass(frozen=True, slots=True)
class LiveFit:
    """Predictions of all images by the current labels."""

    classes: tuple[str, ...]  # with labels
    logits: Floats  # (n, K)

    @property
    def predicted(self) -> Ints:
        """(n,) positions in `classes`."""
        predicted: Ints = self.logits.argmax(axis=1)
        return predicted

    @property
    def margin(self) -> Floats:
        """(n,) differences between the logits of the two most probable classes: not calibrated, for orders only."""
        two = np.partition(self.logits, -2, axis=1)[:, -2:]
        margin: Floats = two[:, 1] - two[:, 0]
        return margin


@dataclass(frozen=True, slots=True)
class LivePrediction:
    """The prediction of an image."""

    image_id: str
    path: str
    label: str | None  # None: it has none
    # None: fewer than two classes have labels, or it has no label and is a test image, a copy or of the group of one
    predicted: str | None
    margin: float | None  # between the logits of the two most probable classes: not calibrated, for orders only
    is_test: bool  # whether it is in the reserved test set, whose labels are not fitted
    reason: Message | None  # why no class is predicted


@dataclass(frozen=True, slots=True)
class LiveEstimate(DocumentedFields):
    """How many images of the reserved random test set are predicted right."""

    n_right: int
    n: int
    """Labeled images of the reserved test set, of classes with fitted labels or not; 0: fewer than two classes have
    fitted labels."""
    low: float | None
    """Of the 95% confidence interval of the accuracy: exact (Clopper-Pearson), from 30 images on over groups, if there
    are groups; null: fewer than 10 images are labeled, or all of one group."""
    high: float | None
    """Of the interval."""
    n_reserved: int
    """Images of the test set, excluded ones among them."""
    n_skipped: int
    """Images without a label, or excluded, that were drawn before the last labeled one: if skipped ones are difficult,
    the accuracy is too high."""
    macro_f1: Metric | None
    """With its 95% confidence interval; null: a class has labels, but fewer than 10 of labeled test images."""
    gain: float | None
    """Accuracy that 50 more labels are expected to add, by a learning curve of the fitted ones; null: fewer than 60, or
    on average fewer than 10 of a class."""


FEWEST_FOR_INTERVAL = 10  # labeled test images, and for macro-F1 in each class


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An image to label."""

    rank: int  # from 1
    image_id: str
    path: str
    score: float  # share of the images without a label that it represents, or 1 - margin between two classes
    reason: Message


class Live:
    """A classifier that is fitted again whenever labels change.

    Args:
        images: the images.
        labels: of the images; None: without a label.
        is_test: (n,) whether each image belongs to the reserved test set.
    """

    def __init__(self, images: LiveImages, labels: Sequence[str | None], is_test: Bools) -> None:
        self.images, self.is_test = images, is_test
        self._labels, self._is_excluded = list(labels), np.zeros(len(labels), bool)
        self._fit: LiveFit | None = None
        self._is_fitted = False
        self._components: Floats | None = None
        self._row_of = {name: row for row, name in enumerate(images.image_ids)}
        self._row_of |= {path: row for row, path in enumerate(images.paths)}

    def __repr__(self) -> str:
        """Return the numbers of images, labels and reserved test images, and the classes with labels."""
        n_labels = sum(label is not None for label in self._labels)
        numbers = f"{len(self._labels):,} images, {n_labels:,} with a label, {int(self.is_test.sum()):,} test images"
        return f"{numbers}; fitted classes: {', '.join(self.classes) or 'none'}"

    def _repr_html_(self) -> str:
        """Return the number of labels of each class, for notebooks."""
        n_of = Counter(label for label in self._labels if label is not None)
        return html_table(repr(self), ("class", "labels"), sorted(n_of.items()))

    @property
    def labels(self) -> Sequence[str | None]:
        """The labels in the order of the images."""
        return self._labels

    def relabel(self, labels: Sequence[str | None], is_test: Bools, is_excluded: Bools) -> None:
        """Replace all labels, the reserved test set, and the images that are left out of everything."""
        self._labels, self.is_test, self._is_excluded, self._is_fitted = list(labels), is_test, is_excluded, False

    def label(self, images: Iterable[str | Path], name: str | None) -> None:
        """Label images, or remove their labels.

        Args:
            images: IDs or paths of the images.
            name: the class; None removes the labels.

        Raises:
            CoverslipError: this cannot be the name of a class, or there is no such image; no label is changed.
        """
        names = [*map(str, images)]
        label = None if name is None else clean_label(name)
        if label == "":
            raise CoverslipError("empty-class-name")
        for each in names:
            if each not in self._row_of:
                raise CoverslipError("no-live-image", name=each)
        for each in names:
            self._labels[self._row_of[each]] = label
        self._is_fitted = False

    @property
    def fit(self) -> LiveFit | None:
        """The predictions by the current labels; None: fewer than two classes have labels outside the test set."""
        if not self._is_fitted:
            self._fit, self._is_fitted = self._fitted(), True
        return self._fit

    def _fitted(self) -> LiveFit | None:
        labeled = self.rows(has_label=True)
        some = self._some_of_each_class(labeled) if len(labeled) > _MOST_LABELED else labeled
        classes, label = np.unique([str(self._labels[row]) for row in some.tolist()], return_inverse=True)
        if len(classes) < 2:
            return None
        features = self.images.features[some]
        head = fit_linear_probe(
            features,
            label,
            features[:0],
            label[:0],
            n_classes=len(classes),
            balanced=True,
            better=lambda logits, of_label: 0.0,  # with one amount of shrinkage, nothing is selected
            shrinkages=[_SHRINKAGE],
        )
        return LiveFit(tuple(classes.tolist()), _logits(head, self.images.features))

    def _some_of_each_class(self, labeled: Ints) -> Ints:
        """Return as many images of each class as possible, up to 4,000; a new label changes few of them."""
        n_before = Counter[str | None]()
        rank_of = dict[int, int]()  # by image, in its class
        for row in sorted(labeled.tolist(), key=self._draws.__getitem__):
            rank_of[row] = n_before[self._labels[row]]
            n_before[self._labels[row]] += 1
        return np.array(sorted(sorted(rank_of, key=rank_of.__getitem__)[:_MOST_LABELED]), np.int64)

    def rows(self, *, has_label: bool) -> Ints:
        """Return the images that have a label or not, in order, without the test set and what is tied to it."""
        are_labeled = np.array([label is not None for label in self._labels], bool)
        return np.flatnonzero((are_labeled == has_label) & ~self.is_test & ~self._is_tied() & ~self._is_excluded)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes with labels that are fitted; from two on, images are predicted."""
        return tuple(sorted({str(self._labels[row]) for row in self.rows(has_label=True).tolist()}))

    @property
    def n_tied(self) -> int:
        """Number of labeled images that are not fitted, because they are copies of test images or of their groups."""
        are_labeled = np.array([label is not None for label in self._labels], bool)
        return int((are_labeled & self._is_tied() & ~self._is_excluded).sum())

    def _is_tied(self) -> Bools:
        """Return (n,) whether an image has the features of a test image, as a copy has, or is of its group.

        A test is of images that differ from all that were learned. Groups and copies may come after it was drawn.
        """
        test = np.flatnonzero(self.is_test & ~self._is_excluded)
        groups = {self.images.groups[row] for row in test.tolist()} - {None}
        of_groups = np.array([group in groups for group in self.images.groups], bool)
        return (of_groups | np.isin(self._contents, self._contents[test])) & ~self.is_test

    @cached_property
    def _contents(self) -> Ints:
        """(n,) numbers that are equal for images with equal features."""
        features = self.images.features
        hashes = [hash(row.tobytes()) for rows in row_slices(features) for row in features[rows]]
        return np.array(hashes, np.int64)

    @cached_property
    def _draws(self) -> list[float]:
        """Random numbers of the images, which follow from names alone."""
        return [*map(draw_of_name, self.images.image_ids)]

    def predict(self) -> list[LivePrediction]:
        """Return the prediction of each image, in the order of the dataset. Their number is that of readable images.

        Where no class is predicted, `reason` says why.
        """
        fit = self.fit
        predicted, margin = (None, None) if fit is None else (fit.predicted.tolist(), fit.margin.tolist())
        rows, is_hidden, classes = [], self.is_test | self._is_tied(), self.classes
        one_class = message("live-one-class", n=len(classes), name=", ".join(classes))
        for row, (image_id, path, label) in enumerate(
            zip(self.images.image_ids, self.images.paths, self._labels, strict=True)
        ):
            is_test = bool(self.is_test[row])
            reason = one_class if fit is None else None
            if is_hidden[row] and label is None:
                reason = message("live-of-test", is_test=is_test)
            is_shown = reason is None
            rows.append(
                LivePrediction(
                    image_id,
                    path,
                    label,
                    fit.classes[predicted[row]] if is_shown and fit is not None and predicted else None,
                    margin[row] if is_shown and margin else None,
                    is_test,
                    reason,
                )
            )
        return rows

    def least_certain(self) -> Ints:
        """Return the images without a label, the least certain first, with images of the test set among them.

        Every second image is the next drawn one of the test set until 30 of them are labeled, then every fifth. None
        is certain or not without labels of two classes: then the order is that of the dataset.
        """
        rows = self.rows(has_label=False)
        fit = self.fit
        if fit is not None:
            rows = rows[np.argsort(fit.margin[rows], kind="stable")]
        return self.with_test(rows)

    def with_test(self, rows: Ints) -> Ints:
        """Return images among which every second or fifth one is the next drawn one of the test set."""
        test = [row for row in self._drawn() if not self._is_excluded[row]]
        drawn = [row for row in test if self._labels[row] is None]
        n_tested = len(test) - len(drawn)
        order, n_since = list[int](), 0
        for row in rows.tolist():
            if drawn and n_since + 1 == (_EVERY_FIRST if n_tested < _MANY_TESTED else _EVERY_LATER):
                order.append(drawn.pop(0))
                n_tested, n_since = n_tested + 1, 0
            order.append(row)
            n_since += 1
        return np.array(order + drawn, np.int64)

    def _drawn(self) -> list[int]:
        """Return the test set in random order, which follows from names alone, with excluded images."""
        return sorted(np.flatnonzero(self.is_test).tolist(), key=self._draws.__getitem__)

    def suggest(self, n: int, *, by: LiveFit | None = None) -> list[Suggestion]:
        """Suggest images to label next, the most useful first; none of the test set.

        Args:
            n: largest number of images.
            by: predictions of another classifier; None: those by the current labels, from 20 labels on.
        """
        labeled, unlabeled = self.rows(has_label=True), self.rows(has_label=False)
        if not len(unlabeled):
            return []
        fit = by if by is not None or len(labeled) < FEWEST_LABELS else self.fit
        reasons: list[tuple[int, float, Message]] = []
        if fit is None:
            if self._components is None:
                self._components = _components(self.images.features)
            for row, share, n_images in typical(self._components, labeled, unlabeled, n):
                reasons.append((row, share, message("suggestion-typical", n_images=n_images)))
        else:
            n_of = Counter(self._labels[row] for row in labeled.tolist())
            n_labels = np.array([n_of[name] for name in fit.classes], np.int64)
            for row, margin, (k, other) in undecided(fit.logits[unlabeled], n_labels, unlabeled, n):
                names = {"first": fit.classes[k], "second": fit.classes[other]}
                reasons.append((row, 1 - margin, message("suggestion-undecided", **names)))
        return [
            Suggestion(rank, self.images.image_ids[row], self.images.paths[row], score, reason)
            for rank, (row, score, reason) in enumerate(reasons, start=1)
        ]

    def estimate(self) -> LiveEstimate:
        """Return how many labeled images of the reserved test set are predicted right, with an interval."""
        drawn, fit = self._drawn(), self.fit
        are_tested = [self._labels[row] is not None and not self._is_excluded[row] for row in drawn]
        tested = [row for row, is_tested in zip(drawn, are_tested, strict=True) if is_tested]
        last = max((k for k, is_tested in enumerate(are_tested) if is_tested), default=-1)
        n, n_skipped = len(tested), are_tested[: last + 1].count(False)
        if fit is None:
            return LiveEstimate(0, 0, None, None, len(drawn), n_skipped, None, None)
        predicted = [fit.classes[k] for k in fit.predicted[tested].tolist()]
        is_right = np.array(
            [name == self._labels[row] for row, name in zip(tested, predicted, strict=True)], np.float64
        )
        n_right, low, high = int(is_right.sum()), None, None
        groups = [self.images.groups[row] or f"\0{row}" for row in tested]
        if n >= FEWEST_FOR_INTERVAL and len(set(groups)) > 1:
            votes = Votes.of(is_right[:, None], groups)
            counted = float(n) if n < _FEWEST_FOR_GROUPS else min(float(n), effective_counts(votes).n)
            low, high = exact_ends(n_right / n, counted)
        macro_f1, gain = self._macro_f1(tested, predicted), self._gain()
        return LiveEstimate(n_right, n, low, high, len(drawn), n_skipped, macro_f1, gain)

    def _gain(self) -> float | None:
        """Return the accuracy that 50 more labels add, by errors on held-out labels; None with few labels or groups."""
        labeled = self.rows(has_label=True)
        if len(labeled) < _FEWEST_FOR_GAIN:
            return None
        rng = np.random.default_rng(_SEED)
        some = np.sort(rng.permutation(labeled)[:_MOST_FOR_GAIN])
        names, label = np.unique([str(self._labels[row]) for row in some.tolist()], return_inverse=True)
        if len(some) < FEWEST_IMAGES_OF_A_CLASS * len(names):  # a held-out image of a class with one label is not right
            return None
        unit = group_codes(np.array([self.images.groups[row] or "" for row in some.tolist()]))
        if unit.max() + 1 < FEWEST_GROUPS:
            return None
        features = self.images.features[some]
        predicted, sizes = predict_by_size(
            gram_matrix(features),
            label,
            nested_order(label, unit, rng),
            n_features=features.shape[1],
            shrinkage=_SHRINKAGE,
            balanced=True,
        )
        error = (predicted != label).mean(axis=1)
        now, then = (error_on_the_line(sizes, error, n) for n in (len(labeled), len(labeled) + _N_GAIN))
        return float(now - then)

    def _macro_f1(self, tested: Sequence[int], predicted: Sequence[str]) -> Metric | None:
        """Return macro-F1 of labeled test images; None if a class has labels, but too few of them."""
        included = np.flatnonzero(~self._is_excluded).tolist()
        names = sorted({name for row in included if (name := self._labels[row]) is not None})
        code = {name: k for k, name in enumerate(names)}
        label = np.array([code[str(self._labels[row])] for row in tested], np.int64)
        if np.bincount(label, minlength=len(names)).min() < FEWEST_FOR_INTERVAL:
            return None
        probability = np.eye(len(names))[[code[name] for name in predicted]]
        groups = np.array([self.images.groups[row] or "" for row in tested])
        measured = metric_intervals(probability, label, groups if any(groups) else None, metrics=["macro_f1"])
        return measured["macro_f1"]


def live(
    data: Dataset | ImageSource,
    *,
    group: str | None = None,
    group_pattern: str | None = None,
    device: str = "auto",
    emit: Emit = show,
) -> Live:
    """Return a classifier that learns while you label: label some images, and it predicts all others.

    The features of all images are computed first, and stay in the cache. Nothing else is stored: give the labels to
    `train` for a classifier whose test you can publish.

    Args:
        data: images of which some, or none, have a label. About 15 KiB of memory are needed for each.
        group, group_pattern: as of `open_dataset`.
        device: the device of the network, as of `load_classifier`.
        emit: receives progress.

    Raises:
        BadDataset: there are no images, or none can be read.
        Stopped: on request; features that were computed stay in the cache.

    Examples:
        >>> live = cs.live("new/", device="cpu")
        >>> first, second = live.suggest(2)
        >>> live.label([first.image_id], "monocyte")
        >>> live.label([second.image_id], "lymphocyte")
        >>> len(live.predict()) > 2
        True
        >>> live.estimate().n
        0
    """
    dataset = open_pool(data, group, group_pattern)
    with open_live(dataset, still_reserved(dataset, reserved(dataset), ()), device=device, emit=emit) as opened:
        features = opened.images.features[slice(0, len(opened.labels))]
        return Live(replace(opened.images, features=features), opened.labels, opened.is_test)


def open_pool(data: Dataset | ImageSource, group: str | None, group_pattern: str | None) -> Dataset:
    """Return the images, of which some, or none, have a label."""
    if isinstance(data, Dataset):
        return data
    try:
        return open_dataset(data, group=group, group_pattern=group_pattern)
    except BadDataset:  # images without classes
        return open_dataset(data, group=group, group_pattern=group_pattern, labeled=False, distinct=True)


@contextmanager
def open_live(
    dataset: Dataset, is_test: Bools, *, run: Run | None = None, device: str = "auto", emit: Emit
) -> Iterator[Live]:
    """Yield the images of a dataset that can be read, with their labels and their features, which stay in the cache.

    Args:
        dataset: the images.
        is_test: (number of images,) whether each belongs to the reserved test set.
        run: the run whose features are used; None: those of the instant classifier of small images.
        device, emit: as of `live`.

    Raises:
        BadDataset: none can be read.
        Stopped: on request; features that were computed stay in the cache.
    """
    from coverslip.audit.features import feature_extractor

    scan = scan_images(dataset, emit=emit)
    context = RunContext(Path(), select_device(device), emit)
    extractor = feature_extractor([scan], run=run, is_first_look=run is None)
    with extractor.open_features(dataset, scan, context) as stored:
        readable = [dataset.records[i] for i in stored.positions]
        rows = [k for k, record in enumerate(readable) if record.label is None or dataset.has_class(record)]
        if not rows:
            raise BadDataset("no-readable-image-to-suggest")
        records = [readable[k] for k in rows]
        images = LiveImages(
            tuple(record.image_id for record in records),
            tuple(str(record.path) for record in records),
            tuple(record.group for record in records),
            stored.features.part(np.array(rows)),
        )
        yield Live(images, [record.label for record in records], is_test[[stored.positions[k] for k in rows]])


def _logits(head: LinearHead, features: FeatureRows) -> Floats:
    parts = [features[rows] @ head.weight.T + head.bias for rows in row_slices(features)]
    return np.concatenate(parts)


def _components(features: FeatureRows) -> Floats:
    """Return (n, C) principal components of standardized features, by random projections (Halko et al. 2011).

    The exact ones of 5,000 images with 3,680 features take 9 seconds.
    """
    mean, sd = moments(features)
    rng = np.random.default_rng(_SEED)
    directions = rng.standard_normal((len(sd), _N_COMPONENTS + _N_EXTRA)).astype(np.float32)

    def standardized(rows: slice) -> Floats:
        scaled: Floats = ((features[rows] - mean) / sd).astype(np.float32)
        return scaled

    basis, _ = np.linalg.qr(np.concatenate([standardized(rows) @ directions for rows in row_slices(features)]))
    reduced = sum(basis[rows].T @ standardized(rows) for rows in row_slices(features))
    rotation, scale, _ = np.linalg.svd(reduced, full_matrices=False)
    components: Floats = ((basis @ rotation) * scale)[:, :_N_COMPONENTS].astype(np.float32)
    return components


def row_slices(features: FeatureRows) -> Iterator[slice]:
    """Return the slices of rows that are read together, which limits memory."""
    n = features.shape[0]
    return (slice(start, min(start + _ROWS_AT_ONCE, n)) for start in range(0, n, _ROWS_AT_ONCE))
