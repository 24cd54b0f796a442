"""`spot-check`: draw predicted images at random, and compare their labels with the predictions.

The accuracy on these images shows whether the classifier works on them, and the labels correct the proportions of
classes without an assumption about its errors.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coverslip.datasets.index.records import UNREADABLE
from coverslip.datasets.names import clean_label
from coverslip.datasets.text_tables import open_text_table
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.evaluation.comparison import independent_difference
from coverslip.evaluation.proportions import EffectiveCounts, ErrorRates, Votes, pooled_counts, raw_shares
from coverslip.evaluation.results import Metric
from coverslip.evaluation.sample_proportions import ClassProportion, SampleProportions
from coverslip.evaluation.spot_check import (
    CheckedCondition,
    CheckedProportion,
    CheckedSample,
    SpotCheck,
    expected_accuracy,
    expected_correlation,
    labeled_share,
    labels_needed,
    powered_share,
)
from coverslip.files import check_replaceable
from coverslip.inference.summarising import (
    SampledPrediction,
    of_classifier,
    open_run_of_classes,
    read_sampled,
    summary_of,
)
from coverslip.messages import Message, message, text
from coverslip.runs.documents import write_table
from coverslip.runs.error_rates import error_rates, probabilities_of, votes_of, votes_on_test_images
from coverslip.runs.folder import Run
from coverslip.runs.predictions import FILE_COLUMN, PIXELS_COLUMN, Prediction
from coverslip.table_cells import composed

Floats = npt.NDArray[np.float64]

EXCLUSIONS = ("none-of-these", "unusable")  # labels of images that show no class of the classifier, or cannot be judged
DRAWN_COLUMNS = ("image_id", "path", "label")
ACCURACY_METHOD = "Clopper-Pearson at the effective number of images"
LABELS_METHOD = "labels alone; Clopper-Pearson at the effective number of images"
POWERED_METHOD = "prediction-powered, with power tuning (PPI++); Clopper-Pearson at the effective number of images"
DIFFERENCE_METHOD = "from the intervals of both accuracies (MOVER)"
DEFAULT_N, DEFAULT_HALF_WIDTH = 100, 0.05  # images of each condition; of the interval
_MOST_HALF_WIDTH, _SMALLEST_WIDTH = 0.5, 1e-9
_ASSUMED_ACCURACY = 0.9  # without a run


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsNeeded(DocumentedFields):
    """How many labels of a condition give an interval of a half width, without differences between samples."""

    condition: str | None
    name: str | None
    """The class; null: accuracy."""
    expected: float  # the proportion or accuracy that is assumed
    alone: int | None
    """Without predictions; null: more than all images."""
    with_predictions: int | None
    """null: more than all images."""


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """An image that was drawn at random for a spot check."""

    image_id: str
    path: str
    sample: str
    condition: str | None
    pixels_read: str  # as in tables of predictions, such as `z=1`; empty: the first plane
    file_sha256: str  # of the file that was predicted; empty: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheckDraw:
    """The images to label, in random order, and how many labels are needed."""

    classes: tuple[str, ...]
    images: tuple[DrawnImage, ...]
    half_width: float
    needed: tuple[LabelsNeeded, ...]


def draw_spot_check(
    predictions: Path | str | Sequence[Path | str],
    *,
    n: int = DEFAULT_N,
    by: str | None = None,
    condition: str | None = None,
    table: Path | str | None = None,
    run: Run | Path | str | None = None,
    half_width: float = DEFAULT_HALF_WIDTH,
    seed: int = 0,
    out: Path | str | None = None,
) -> SpotCheckDraw:
    """Draw images of each condition at random, to be labeled without their predictions.

    Each sample has the same number of images as far as possible. The same seed draws the same images.

    Args:
        predictions: as of `summarise`; so are `by`, `condition`, `table` and `run`. Without `by`, all images of a
            condition are one sample.
        n: images of each condition.
        by: the column with the sample of each image.
        condition: the column with the condition of each sample.
        table: a table with these columns.
        run: the run of the classifier, for the expected accuracy.
        half_width: of the 95% interval for which the number of labels is computed.
        seed: of the random selection.
        out: a CSV table to write, with an empty column `label` and without predictions. If other planes or channels
            than the first plane were read, the column `pixels_read` states them. `file_sha256` states which files.

    Raises:
        CoverslipError: as `summarise`; a condition has more samples than images are drawn; `half_width` is no share.

    Examples:
        >>> summary = cs.predict("runs/first", "new/", out="predictions.csv", device="cpu")
        >>> draw = cs.draw_spot_check("predictions.csv", n=3, out="to_label.csv")
        >>> len(draw.images)
        3
    """
    classes, rows, opened = _read_predictions(predictions, by, condition, table, run)
    needed = needed_labels(classes, rows, opened, half_width)
    drawn = [rows[k] for k in drawn_images(rows, n, seed)]
    images = tuple(
        DrawnImage(
            image_id=row.prediction.image_id,
            path=row.prediction.path,
            sample=row.sample,
            condition=row.condition,
            pixels_read=row.pixels_read,
            file_sha256=row.file_sha256,
        )
        for row in drawn
    )
    if out is not None:
        check_replaceable(Path(out), ",".join(DRAWN_COLUMNS).encode())
        more = [name for name in (PIXELS_COLUMN, FILE_COLUMN) if any(getattr(row, name) for row in rows)]
        columns = (*DRAWN_COLUMNS, *more)
        write_table(Path(out), columns, ({**asdict(image), "label": ""} for image in images))
    return SpotCheckDraw(classes=classes, images=images, half_width=half_width, needed=tuple(needed))


def spot_check(
    predictions: Path | str | Sequence[Path | str],
    labels: Path | str,
    *,
    by: str | None = None,
    condition: str | None = None,
    table: Path | str | None = None,
    run: Run | Path | str | None = None,
) -> SpotCheck:
    """Compare the labels of randomly drawn images with their predictions.

    Args:
        predictions: as of `draw_spot_check`; so are the arguments after `labels`.
        labels: the table that `draw_spot_check` wrote, with labels. Rows without a label are ignored. The label
            `none-of-these` or `unusable` excludes an image.
        by: the column with the sample of each image.
        condition: the column with the condition of each sample.
        table: a table with these columns.
        run: the run of the classifier, for the expected accuracy and for corrected proportions.

    Raises:
        CoverslipError: as `summarise`; the table of labels has an unknown label or image, or no label, or it is of
            other files of the same names.

    Examples:
        >>> summary = cs.predict("runs/first", "new/", out="predictions.csv", device="cpu")
        >>> draw = cs.draw_spot_check("predictions.csv", n=3, out="to_label.csv")
        >>> import pandas as pd
        >>> table = pd.read_csv("to_label.csv").assign(label=draw.classes[0])
        >>> table.to_csv("labeled.csv", index=False)
        >>> cs.spot_check("predictions.csv", "labeled.csv").n_labeled
        3
    """
    classes, rows, opened = _read_predictions(predictions, by, condition, table, run)
    checked, n_drawn = _read_labels(Path(labels), classes, rows)
    return spot_check_of(classes, rows, checked, opened, n_drawn=n_drawn)


def drawn_images(rows: Sequence[SampledPrediction], n: int, seed: int) -> list[int]:
    """Return the numbers of the drawn rows in random order.

    Raises:
        CoverslipError: a condition has more samples than images are drawn.
    """
    rng = np.random.default_rng(seed)
    drawn: list[int] = []
    for condition, samples in _readable(rows).items():
        if n < len(samples):
            raise CoverslipError(
                "spot-check-few-images", n=n, n_samples=len(samples), condition=condition or text("all-samples")
            )
        for indices, size in zip(samples.values(), _even_sizes(list(map(len, samples.values())), n, rng), strict=True):
            drawn.extend(rng.choice(indices, size, replace=False).tolist())
    return [int(k) for k in rng.permutation(drawn)]


def _readable(rows: Sequence[SampledPrediction]) -> dict[str | None, dict[str, list[int]]]:
    """Return the numbers of the rows of readable images by condition and sample."""
    numbers: dict[str | None, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for k, row in enumerate(rows):
        if row.prediction.decision != UNREADABLE:
            numbers[row.condition][row.sample].append(k)
    return numbers


def _even_sizes(available: Sequence[int], n: int, rng: np.random.Generator) -> list[int]:
    """Divide n images among samples as evenly as their numbers of images allow."""
    sizes = np.zeros(len(available), np.int64)
    room = np.array(available)
    left = min(n, int(room.sum()))
    while left > 0:
        is_open = np.flatnonzero(sizes < room)
        if left < len(is_open):
            sizes[rng.choice(is_open, left, replace=False)] += 1
            break
        step = min(left // len(is_open), int((room - sizes)[is_open].min()))
        sizes[is_open] += step
        left -= step * len(is_open)
    return [int(size) for size in sizes]


def needed_labels(
    classes: Sequence[str], rows: Sequence[SampledPrediction], run: Run | None, half_width: float
) -> Iterator[LabelsNeeded]:
    """Yield how many labels of each condition the accuracy and each class need.

    Raises:
        CoverslipError: the half width is no share.
    """
    if not 0 < half_width < _MOST_HALF_WIDTH:
        raise CoverslipError("spot-check-half-width", value=half_width)
    summary = summary_of(classes, rows, run)
    recalls = None if run is None else _recalls(run, classes)
    rates = None if run is None else error_rates(run, classes)
    for condition in summary.conditions:
        if not condition.n:
            continue
        between = _between_samples([each for each in summary.samples if each.condition == condition.condition], rates)
        shares = np.array([_best(condition.classes[name]) for name in classes])
        shares = shares / shares.sum()
        accuracy = _ASSUMED_ACCURACY if recalls is None else expected_accuracy(recalls, shares).value

        n = _needed(condition, half_width, accuracy, 0)
        yield LabelsNeeded(condition=condition.condition, name=None, expected=accuracy, alone=n, with_predictions=n)
        for k, name in enumerate(classes):
            share = float(shares[k])
            is_known = rates is not None and rates.is_complete
            correlation = expected_correlation(rates.matrix, shares, k) if rates is not None and is_known else 0.0
            yield LabelsNeeded(
                condition=condition.condition,
                name=name,
                expected=share,
                alone=_needed(condition, half_width, share, 0, between[k]),
                with_predictions=_needed(condition, half_width, share, correlation, between[k]),
            )


def _between_samples(samples: Sequence[SampleProportions], rates: ErrorRates | None) -> Floats:
    """Return the variance of the true proportions of each class between samples; 0 where it cannot be estimated.

    It is the variance of the proportions from predictions, without the part that images and error rates cause.
    """
    classes = samples[0].classes
    readable = [each for each in samples if each.n]
    values = np.array([[proportion.unclipped for proportion in each.classes.values()] for each in readable], np.float64)
    if rates is None or len(readable) < 2 or np.isnan(values).any():
        return np.zeros(len(classes))
    votes = [np.array([proportion.count for proportion in each.classes.values()]) for each in readable]
    noise = [rates.variance_of_sample(Votes(of_sample[None], of_sample.sum()[None])) for of_sample in votes]
    between: Floats = np.maximum(values.var(axis=0, ddof=1) - np.mean(noise, axis=0), 0)
    return between


def _needed(
    condition: SampleProportions, half_width: float, share: float, correlation: float, between: float = 0.0
) -> int | None:
    # Before labeling, it is not known that a proportion is nearer to 0 or 1 than half of this width.
    assumed = float(np.clip(share, half_width / 2, 1 - half_width / 2))
    return labels_needed(half_width, assumed, condition.n, condition.n_samples, correlation, between)


def _best(proportion: ClassProportion) -> float:
    value = proportion.raw.value if proportion.corrected.value is None else proportion.corrected.value
    return value or 0.0


def _recalls(run: Run, classes: Sequence[str]) -> list[EffectiveCounts] | None:
    """Return the shares of right and wrong predictions on the test images of each class.

    None: a class has no image, or the classifier was adapted to another laboratory than that of the test images.
    """
    if run.adaptation is not None:
        return None

    def is_right(rows: Sequence[Prediction]) -> Floats:
        return np.array([(row.predicted == row.label, row.predicted != row.label) for row in rows], np.float64)

    votes = votes_on_test_images(run, classes, is_right)
    return None if any(each is None for each in votes) else [pooled_counts(each) for each in votes if each]


def _read_predictions(
    predictions: Path | str | Sequence[Path | str],
    by: str | None,
    condition: str | None,
    table: Path | str | None,
    run: Run | Path | str | None,
) -> tuple[tuple[str, ...], list[SampledPrediction], Run | None]:
    files = [Path(file) for file in ([predictions] if isinstance(predictions, str | Path) else predictions)]
    classes, rows = read_sampled(files, by, condition, None if table is None else Path(table))
    opened = None if run is None else open_run_of_classes(run, classes)
    return classes, list(rows if opened is None else of_classifier(rows, opened, files[0])), opened


def _read_labels(file: Path, classes: Sequence[str], rows: Sequence[SampledPrediction]) -> tuple[dict[int, str], int]:
    """Return the labels by number of the row, and the number of images in the table.

    Raises:
        CoverslipError: an image or a label is not known, an image has several rows or labels, or another file was
            labeled, or there is no label.
    """
    lines = list(open_text_table(file).named_rows(used=("image_id", "path", "label", PIXELS_COLUMN, FILE_COLUMN)))
    columns = list(lines[0]) if lines else []
    if "label" not in columns or not {"image_id", "path"} & {*columns}:
        raise CoverslipError("spot-check-no-labels-table", file=file, columns=", ".join(columns) or "-")
    keys = [name for name in ("image_id", "path", PIXELS_COLUMN) if name in columns]
    numbers_of: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for k, row in enumerate(rows):
        predicted = row.prediction
        if predicted.decision != UNREADABLE:
            cells = {"image_id": predicted.image_id, "path": predicted.path, PIXELS_COLUMN: row.pixels_read}
            numbers_of[tuple(composed(cells[name]) for name in keys)].append(k)
    labels: dict[int, str] = {}
    for line in lines:
        image = tuple(composed(line[name]) for name in keys)
        if image not in numbers_of:
            raise CoverslipError("spot-check-unknown-image", file=file, image=image[0])
        if len(numbers_of[image]) > 1:
            raise CoverslipError("spot-check-several-rows", file=file, image=image[0], n_rows=len(numbers_of[image]))
        label = clean_label(line["label"])
        hashes = {line.get(FILE_COLUMN, ""), rows[numbers_of[image][0]].file_sha256} - {""}
        if label and len(hashes) > 1:
            raise CoverslipError("spot-check-other-file", file=file, image=image[0])
        if label and label not in classes and label not in EXCLUSIONS:
            raise CoverslipError(
                "spot-check-unknown-label",
                file=file,
                label=label,
                image=image[0],
                labels=", ".join((*classes, *EXCLUSIONS)),
            )
        if labels.setdefault(numbers_of[image][0], label) != label:
            raise CoverslipError("spot-check-image-twice", file=file, image=image[0])
    n_drawn = len(labels)
    labels = {k: label for k, label in labels.items() if label}
    if not labels:
        raise CoverslipError("spot-check-without-labels", file=file)
    return labels, n_drawn


def spot_check_of(
    classes: Sequence[str],
    rows: Sequence[SampledPrediction],
    labels: Mapping[int, str],
    run: Run | None,
    *,
    n_drawn: int,
) -> SpotCheck:
    """Return the results for labels of randomly drawn rows.

    Args:
        classes: the classes of the classifier, in the order of the probabilities.
        rows: as of `summary_of`.
        labels: a class or one of `EXCLUSIONS`, by number of the row; a class goes first if the names are equal.
        run: the run of the classifier.
        n_drawn: images that were drawn, with or without labels.
    """
    summary = summary_of(classes, rows, run)
    recalls = None if run is None else _recalls(run, classes)
    of_class = {k: label for k, label in labels.items() if label in classes}
    conditions = [_checked_condition(condition, classes, rows, labels, recalls) for condition in summary.conditions]
    return SpotCheck(
        classes=tuple(classes),
        n_drawn=n_drawn,
        n_labeled=len(of_class),
        n_excluded=len(labels) - len(of_class),
        conditions=tuple(conditions),
    )


def _checked_condition(
    condition: SampleProportions,
    classes: Sequence[str],
    rows: Sequence[SampledPrediction],
    labels: Mapping[int, str],
    recalls: Sequence[EffectiveCounts] | None,
) -> CheckedCondition:
    samples = _readable(rows).get(condition.condition, {})
    n_excluded = sum(k in labels and labels[k] not in classes for numbers in samples.values() for k in numbers)
    checked_images = {
        name: [(place, k) for place, k in enumerate(numbers) if k in labels] for name, numbers in samples.items()
    }
    labeled = {
        name: [(place, k) for place, k in images if labels[k] in classes] for name, images in checked_images.items()
    }
    n_labeled = sum(map(len, labeled.values()))
    unlabeled = next((name for name, images in labeled.items() if not images), None)
    reason = None if unlabeled is None else message("spot-check-unlabeled-sample", sample=unlabeled)
    accuracy = expected = difference = Metric(value=None, reason=reason, method=ACCURACY_METHOD)
    if reason is None and samples:
        right = [[float(rows[k].prediction.predicted == labels[k]) for _, k in images] for images in labeled.values()]
        sums = np.array([[sum(each), len(each) - sum(each)] for each in right])
        accuracy = _metric(raw_shares(Votes(sums, sums.sum(axis=1)))[0], ACCURACY_METHOD)
    votes = {
        name: votes_of(predictions, classes, probabilities_of(predictions, len(classes)))
        for name, predictions in ((name, [rows[k].prediction for k in numbers]) for name, numbers in samples.items())
    }
    checked: dict[str, CheckedProportion] = {}
    for c, name in enumerate(classes):
        checked_samples = [
            CheckedSample(
                votes[sample][:, c],
                np.array([place for place, _ in images], np.int64),
                np.array([float(labels[k] == name) for _, k in images]),
                np.array([float(labels[k] in classes) for _, k in images]),
            )
            for sample, images in checked_images.items()
        ]
        checked[name] = _checked_proportion(checked_samples, condition.classes[name], reason)
    is_lower: bool | None = None
    if accuracy.value is not None:
        shares = np.array([checked[name].labels.value or 0.0 for name in classes])
        if recalls is None:
            reason = message("spot-check-without-run")
            expected = difference = Metric(value=None, reason=reason, method=DIFFERENCE_METHOD)
        else:
            of_test = expected_accuracy(recalls, shares / shares.sum())
            expected = _metric((of_test.value, of_test.low, of_test.high), ACCURACY_METHOD)
            difference = replace(independent_difference(expected, accuracy), method=DIFFERENCE_METHOD)
            is_lower = difference.high is not None and difference.high < 0
    return CheckedCondition(
        condition=condition.condition,
        n_samples=condition.n_samples,
        n_images=condition.n,
        n_labeled=n_labeled,
        n_excluded=n_excluded,
        accuracy=accuracy,
        expected_accuracy=expected,
        difference=difference,
        is_lower=is_lower,
        classes=checked,
        remarks=tuple(_remarks(accuracy, difference, is_lower, checked, n_labeled)),
    )


def _checked_proportion(
    samples: Sequence[CheckedSample], proportion: ClassProportion, reason: Message | None
) -> CheckedProportion:
    """Return the proportion of one class by labels, and by labels together with predictions.

    Args:
        samples: of the condition, with the votes and the labels for the class.
        proportion: of the class by predictions.
        reason: why there is no proportion by labels; None if there is one.
    """
    n_labels = sum(int(sample.labels.sum()) for sample in samples)
    raw, corrected = proportion.raw, proportion.corrected
    if reason is not None or not samples:
        missing = Metric(value=None, reason=reason)
        return CheckedProportion(
            n_labels=n_labels,
            raw=raw,
            corrected=corrected,
            labels=missing,
            powered=missing,
            power=None,
            as_precise_as=None,
        )
    share = powered_share(samples)
    by_labels = _metric(labeled_share(samples), LABELS_METHOD)
    powered = _metric((share.value, share.low, share.high), POWERED_METHOD)
    ratio = by_labels.width / max(powered.width, _SMALLEST_WIDTH)
    return CheckedProportion(
        n_labels=n_labels,
        raw=raw,
        corrected=corrected,
        labels=by_labels,
        powered=powered,
        power=share.power,
        as_precise_as=round(sum(float(sample.counts.sum()) for sample in samples) * ratio**2),
    )


def _remarks(
    accuracy: Metric,
    difference: Metric,
    is_lower: bool | None,
    checked: Mapping[str, CheckedProportion],
    n_labeled: int,
) -> Iterator[str]:
    if accuracy.value is None:
        yield str(accuracy.reason or "")
        return
    if is_lower:
        yield text("spot-check-lower")
    elif is_lower is not None:
        low, high = (f"{100 * (end or 0.0):+.0f}".replace("-", "−") for end in (difference.low, difference.high))
        yield text("spot-check-compatible", n_labels=n_labeled, low=low, high=high)
    useless = [
        name for name, each in checked.items() if each.as_precise_as is not None and each.as_precise_as <= n_labeled
    ]
    if useless:
        yield text("spot-check-useless", classes=", ".join(useless))
    not_corrected = dict.fromkeys(each.corrected.reason for each in checked.values() if each.corrected.reason)
    yield from (text("spot-check-not-corrected", reason=reason) for reason in not_corrected if reason)


def _metric(estimate: tuple[float, float, float], method: str) -> Metric:
    value, low, high = estimate
    return Metric(value=value, low=low, high=high, method=method)
