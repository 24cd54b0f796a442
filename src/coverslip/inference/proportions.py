"""`summarise`: class proportions of samples from tables of predictions, corrected by a run, and conditions compared."""

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.datasets import UNCERTAIN, UNFAMILIAR, UNREADABLE
from coverslip.errors import CoverslipError
from coverslip.evaluation import Metric, estimated_shares, holm
from coverslip.evaluation.plates import wells_of, z_prime, z_score
from coverslip.evaluation.proportions import (
    Corrected,
    ErrorRates,
    Votes,
    Z,
    difference_of_means,
    raw_shares,
    samples_needed,
    trend_of_shares,
)
from coverslip.files import check_replaceable, plain_cell
from coverslip.messages import text
from coverslip.runs import Prediction, Predictions, Run, open_classifier, open_run
from coverslip.runs.documents import read_table, table_text, write_table
from coverslip.runs.predictions import check_predictions_table, read_predictions

Floats = npt.NDArray[np.float64]

RAW_METHOD = "votes of the classifier; Clopper-Pearson interval at the effective number of images"
MELDED_METHOD = "adjusted counts; melded interval at effective numbers of images (Bayer, Fay and Graubard 2022)"
DRAWS_METHOD = "adjusted counts by maximum likelihood; interval by draws at effective numbers of images"
TREND_METHOD = "quasi-binomial GEE of samples with logit link; variance of Mancl and DeRouen (2001), t distribution"
TREND_TEST = "t test of the slope of a quasi-binomial GEE"
FOLDER = "folder"  # a name for the folder of each image, where tables have no such column
MOST_UNFAMILIAR = 0.2  # share of unfamiliar images above which proportions are not corrected
_FEWEST_SAMPLES = 3  # of each condition, for an interval of their difference
_BY_CHANCE = 0.01
_ROUNDED = 2e-6  # largest difference of probabilities in tables, which have six digits
_MOST_LOG = 700.0  # whose exponential is a finite number


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProportion:
    """The proportion of a class in some samples."""

    count: float  # votes for the class
    raw: Metric
    corrected: Metric  # its value is None, with a reason, where it is not corrected
    z_score: float | None = None  # distance from the negative controls of its plate in their standard deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateControls:
    """The controls of a plate, or of all samples if these are no wells."""

    plate: str  # empty: all samples
    name: str  # the class
    n_negative: int
    n_positive: int
    z_prime: float | None  # 1 - 3 (SD of positive + SD of negative controls) / distance of their means


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleProportions:
    """The proportions of all classes in a sample, or in all samples of a condition."""

    sample: str | None  # None: all samples of the condition
    condition: str | None  # None: there are no conditions
    n: int  # readable images
    n_samples: int
    n_uncertain: int  # of n
    n_unfamiliar: int
    n_unreadable: int  # not of n
    classes: Mapping[str, ClassProportion]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDifference:
    """The difference of the proportion of a class between two conditions, with the sample as the unit."""

    name: str  # the class
    conditions: tuple[str, str]
    difference: Metric  # second minus first
    test: str
    p: float | None
    p_holm: float | None  # over all classes and pairs of conditions
    effect_size: float | None  # Hedges' g
    n_samples: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionTrend:
    """The change of the proportion of a class per unit of a condition that is a number, such as a dose."""

    name: str  # the class
    slope: Metric  # of the log odds
    odds_ratio: Metric  # its exponential
    test: str
    p: float | None
    p_holm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesNeeded:
    """How many samples of each of two conditions would show a difference of the proportion of a class."""

    name: str  # the class
    n: int | None  # None: the samples of no condition vary, or more than 10,000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShift:
    """Whether two estimates of the proportions disagree, which they do not if the classifier errs as on its run."""

    violated: bool
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The proportions of samples and conditions, and the comparison of conditions."""

    classes: tuple[str, ...]
    samples: tuple[SampleProportions, ...]
    conditions: tuple[SampleProportions, ...]  # one without a name if there are no conditions
    comparisons: tuple[ConditionDifference, ...]
    trends: tuple[ConditionTrend, ...]
    samples_needed: tuple[SamplesNeeded, ...]  # of each class; empty: no difference to detect was stated
    controls: tuple[PlateControls, ...]  # of each plate and class; empty: no negative control was named
    label_shift: LabelShift | None  # None: not corrected, or too few images
    is_corrected: bool
    method: str
    assumption: str


@dataclass(frozen=True, slots=True)
class _Images:
    """The images of a sample."""

    votes: Floats  # (n, K) of readable images
    probabilities: Floats  # (n, K)
    decisions: Counter[str]


def summarise(
    predictions: Path | str | Sequence[Path | str],
    *,
    by: str,
    condition: str | None = None,
    table: Path | str | None = None,
    run: Run | Path | str | None = None,
    detect: float | None = None,
    negative: str | None = None,
    positive: str | None = None,
) -> Summary:
    """Count the classes in each sample, correct the proportions for the classifier's errors, and compare conditions.

    Each sample has the same weight. An image counts for its predicted class, or by its probabilities if its decision
    is `uncertain` or `unfamiliar`. The correction assumes that the classifier errs in all samples as on the test
    images of its run.

    Args:
        predictions: tables that `predict` wrote, as CSV and without an assumed prevalence.
        by: the column with the sample of each image; `folder` for its folder, if there is no such column.
        condition: the column with the condition of each sample, such as a dose.
        table: a CSV table with these columns and `image_id` or `path`; None: they are columns of the predictions.
        run: the run of the classifier, with predictions of test images; None: proportions are not corrected.
        detect: a difference of proportions, between 0 and 1, for which the number of samples is computed.
        negative: the condition of the negative controls, for z-scores of samples. Samples whose names end in a well,
            such as `plate1/B03`, are compared with the controls of their plate.
        positive: the condition of the positive controls, for Z' of each plate.

    Raises:
        CoverslipError: a file is not a table of predictions with the probability of each class, a table lacks a
            column, a sample has several conditions, or classes differ.

    Examples:
        >>> summary = cs.predict("runs/first", "new/", out="predictions.csv", device="cpu")
        >>> summary = cs.summarise("predictions.csv", by="folder", run="runs/first")
        >>> [each.sample for each in summary.samples]
        ['new']
    """
    files = [Path(file) for file in ([predictions] if isinstance(predictions, str | Path) else predictions)]
    classes, rows = read_sampled(files, by, condition, None if table is None else Path(table))
    opened = None if run is None else run_of_predictions(run, classes, rows, files[0])
    return summary_of(classes, rows, opened, detect, controls=(negative, positive))


def run_of_predictions(
    run: Run | Path | str, classes: Sequence[str], rows: Iterable["SampledPrediction"], file: Path
) -> Run:
    """Open the run of a classifier, whose errors on test images are those of these predictions.

    Tables of predictions do not contain the thresholds of their decisions. Decisions are therefore repeated with the
    current thresholds of the classifier.

    Raises:
        CoverslipError: the thresholds of the classifier have changed since these predictions, or the run has other
            classes.
    """
    opened = open_run(run)
    card = open_classifier(opened.classifier_folder).card
    if set(card.classes) != set(classes):
        raise CoverslipError("summary-other-classes", file=opened.classifier_folder, other=text("these-predictions"))
    predictions = [row.prediction for row in rows if row.prediction.predicted in classes]
    probability = np.array([row.probabilities for row in predictions])
    number = [classes.index(str(row.predicted)) for row in predictions]
    thresholds = np.ones(len(classes))
    if card.operating_points is not None:
        thresholds = np.array([card.operating_points[card.classes.index(name)] for name in classes])
    of_predicted = np.arange(len(number)), number
    largest = ((np.nan_to_num(probability) - _ROUNDED) / thresholds).max(axis=1)
    is_other = (probability[of_predicted] + _ROUNDED) / thresholds[number] < largest
    distance = probability[of_predicted] - card.uncertain_below
    is_uncertain = np.array([row.decision == UNCERTAIN for row in predictions])
    is_other |= is_uncertain & (distance > _ROUNDED)
    is_other |= np.array([row.decision in classes for row in predictions]) & (distance < -_ROUNDED)
    if is_other.any():
        n = int(is_other.sum())
        raise CoverslipError("predictions-of-other-thresholds", file=file, n_images=n, run=str(opened.folder))
    return opened


@dataclass(frozen=True, slots=True)
class SampledPrediction:
    """The prediction of an image, with its sample and the condition of this sample."""

    prediction: Prediction
    sample: str
    condition: str | None = None  # None: there are no conditions


def summary_of(
    classes: Sequence[str],
    rows: Iterable[SampledPrediction],
    run: Run | None,
    detect: float | None = None,
    *,
    controls: tuple[str | None, str | None] = (None, None),
) -> Summary:
    """Return the proportions of the classes in these samples, as `summarise`.

    Args:
        classes: the classes of the classifier, in the order of the probabilities.
        rows: at least one of a readable image; all rows of a sample have the same condition.
        run: the run of the classifier; None: proportions are not corrected.
        detect: as of `summarise`.
        controls: the conditions of negative and positive controls.

    Raises:
        CoverslipError: `detect` is no difference of proportions, or there is no such control.
    """
    if detect is not None and not 0 < detect < 1:
        raise CoverslipError("no-difference-to-detect", value=detect)
    images, condition_of = _samples(classes, rows)
    rates = None if run is None else error_rates(run, classes)
    prior = () if run is None else _prior(run, classes)
    samples = [
        _proportions({name: of_sample}, name, condition_of[name], classes, rates) for name, of_sample in images.items()
    ]
    names = _in_order(condition_of.values())
    for control in controls:
        if control is not None and control not in names:
            raise CoverslipError(
                "summary-no-control", control=control, conditions=", ".join(name for name in names if name) or "-"
            )
    of_condition = {name: {s: each for s, each in images.items() if condition_of[s] == name} for name in names}
    conditions = [_proportions(each, None, name, classes, rates) for name, each in of_condition.items()]
    shift = None if rates is None else _label_shift(list(images.values()), rates, prior)
    return Summary(
        classes=tuple(classes),
        samples=tuple(_with_z_scores(samples, controls[0])),
        conditions=tuple(conditions),
        comparisons=tuple(_comparisons(samples, names, classes)),
        trends=tuple(_trends(samples, names, classes)),
        samples_needed=() if detect is None else tuple(_samples_needed(samples, names, classes, detect)),
        controls=tuple(_plate_controls(samples, controls, classes)),
        label_shift=shift,
        is_corrected=rates is not None,
        method=RAW_METHOD if rates is None else MELDED_METHOD if len(classes) == 2 else DRAWS_METHOD,
        assumption=text("summary-assumption") if rates is not None else text("summary-raw-only"),
    )


SUMMARY_COLUMNS = (
    *("sample", "condition", "n_images", "n_uncertain", "n_unfamiliar", "n_unreadable", "class", "count"),
    *("raw", "raw_low", "raw_high", "corrected", "corrected_low", "corrected_high", "reason", "z_score"),
)


def summary_rows(summary: Summary) -> Iterator[dict[str, object]]:
    """Yield a row for each class in each sample, with `SUMMARY_COLUMNS`."""
    for sample in summary.samples:
        for name, of_class in sample.classes.items():
            raw, corrected = of_class.raw, of_class.corrected
            cells = (sample.sample, sample.condition, sample.n, sample.n_uncertain, sample.n_unfamiliar)
            values = (raw.value, raw.low, raw.high, corrected.value, corrected.low, corrected.high, corrected.reason)
            z_score = "" if of_class.z_score is None else of_class.z_score
            yield dict(
                zip(
                    SUMMARY_COLUMNS,
                    (*cells, sample.n_unreadable, name, of_class.count, *values, z_score),
                    strict=True,
                )
            )


def write_summary(summary: Summary, file: Path) -> None:
    """Write the rows of a summary as a CSV table.

    Raises:
        CoverslipError: the file exists and is no such table, or cannot be written.
    """
    check_replaceable(file, ",".join(SUMMARY_COLUMNS).encode())
    write_table(file, SUMMARY_COLUMNS, summary_rows(summary))


def write_grouped(summary: Summary, file: Path) -> None:
    """Write a CSV table for GraphPad Prism: a column for each condition of a class, and a row for each sample of it.

    Raises:
        CoverslipError: the file exists and is no such table, or cannot be written.
    """
    columns: dict[str, list[float]] = {}
    for name in summary.classes:
        for condition in summary.conditions:
            title = f"{name}: {condition.condition or text('all-samples')}"
            columns[title] = _values(summary.samples, condition.condition, name)
    check_replaceable(file, table_text(list(columns), ()).rstrip().encode())
    n_rows = max(map(len, columns.values()))
    rows = ({title: values[k] if k < len(values) else "" for title, values in columns.items()} for k in range(n_rows))
    write_table(file, list(columns), rows)


def read_sampled(
    files: Sequence[Path], by: str | None, condition: str | None, table: Path | None
) -> tuple[tuple[str, ...], list[SampledPrediction]]:
    """Return the classes, and the predictions with their samples in the order of the tables.

    Args:
        files: as `predictions` of `summarise`; so are the next two.
        by: None: all images of a condition are one sample.
        condition: the column with the condition.
        table: the table to join.

    Raises:
        CoverslipError: as `summarise`.
    """
    joined = None if table is None else _JoinedTable(table, [name for name in (by, condition) if name])
    for file in files:
        check_predictions_table(file)
    tables = [(file, read_predictions(file)) for file in files]
    classes = tables[0][1].classes
    folders = names_of_folders(row.path for _, predicted in tables for row in predicted)
    rows: list[SampledPrediction] = []
    condition_of: dict[str, str | None] = {}
    for file, predicted in tables:
        if set(predicted.classes) != set(classes):
            raise CoverslipError("summary-other-classes", file=file, other=str(files[0]))
        order = [predicted.classes.index(name) for name in classes]
        columns: Iterable[Mapping[str, str]] = read_table(file)
        if joined is not None:
            columns = (joined.row_of(row.image_id, row.path) for row in predicted)
        named = joined.file if joined else file
        for row, about in zip(predicted, columns, strict=True):
            value = _cell(about, condition, row.path, named, folders) if condition else None
            sample = _cell(about, by, row.path, named, folders) if by else value or text("all-samples")
            if condition_of.setdefault(sample, value) != value:
                raise CoverslipError(
                    "sample-of-two-conditions", file=named, sample=sample, first=condition_of[sample], second=value
                )
            in_order = replace(row, probabilities=tuple(row.probabilities[k] for k in order if row.probabilities))
            rows.append(SampledPrediction(in_order, sample, value))
    if all(row.prediction.decision == UNREADABLE for row in rows):
        raise CoverslipError("summary-without-images", file=files[0])
    return classes, rows


def names_of_folders(paths: Iterable[str]) -> dict[PurePath, str]:
    """Return a name for the folder of each path: its own name, or its path below all if two have the same name."""
    folders = list(dict.fromkeys(PurePath(path).parent for path in paths))
    if len({folder.name for folder in folders}) == len(folders):
        return {folder: folder.name for folder in folders}
    common = PurePath(os.path.commonpath(folders))
    common = common.parent if common in folders else common
    return {folder: folder.relative_to(common).as_posix() for folder in folders}


def _samples(
    classes: Sequence[str], rows: Iterable[SampledPrediction]
) -> tuple[dict[str, _Images], dict[str, str | None]]:
    """Return the images and the condition of each sample, in the order of the rows."""
    votes: dict[str, list[Floats]] = defaultdict(list)
    probabilities: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    decisions: dict[str, Counter[str]] = defaultdict(Counter)
    condition_of: dict[str, str | None] = {}
    for row in rows:
        prediction = row.prediction
        condition_of[row.sample] = row.condition
        decisions[row.sample][prediction.decision] += 1
        if prediction.decision == UNREADABLE:
            continue
        probabilities[row.sample].append(prediction.probabilities)
        votes[row.sample].append(vote_of(prediction.predicted, prediction.decision, prediction.probabilities, classes))
    images = {
        sample: _Images(
            np.array(votes[sample], np.float64).reshape(-1, len(classes)),
            np.nan_to_num(np.array(probabilities[sample], np.float64).reshape(-1, len(classes))),
            of_sample,
        )
        for sample, of_sample in decisions.items()
    }
    return images, condition_of


def vote_of(predicted: str | None, decision: str, probabilities: tuple[float, ...], classes: Sequence[str]) -> Floats:
    """Return the (K,) votes of a readable image: 1 for its predicted class, or its probabilities if undecided."""
    if decision in (UNCERTAIN, UNFAMILIAR) or predicted not in classes:
        shares = np.nan_to_num(np.array(probabilities, np.float64))
        normalized: Floats = shares / shares.sum()
        return normalized
    return np.array([name == predicted for name in classes], np.float64)


def _cell(about: Mapping[str, str], column: str, path: str, file: Path, folders: Mapping[PurePath, str]) -> str:
    if column in about:
        if about[column]:
            return about[column]
        raise CoverslipError("summary-empty-cell", file=file, column=column, path=path)
    if column == FOLDER:
        return folders[PurePath(path).parent]
    raise CoverslipError("summary-no-column", file=file, column=column, columns=", ".join(about) or "-")


class _JoinedTable:
    """The rows of a table by `image_id`, else by `path`."""

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        self.file = file
        rows = list(read_csv(file))
        self._key = next((name for name in ("image_id", "path") if rows and name in rows[0]), None)
        if self._key is None:
            raise CoverslipError("summary-table-without-key", file=file)
        if missing := [name for name in columns if name not in rows[0]]:
            raise CoverslipError("summary-no-column", file=file, column=missing[0], columns=", ".join(rows[0]))
        self._rows = {row[self._key]: row for row in rows}
        self._by_name = {PurePath(name).name: row for name, row in self._rows.items()} if self._key == "path" else {}

    def row_of(self, image_id: str, path: str) -> dict[str, str]:
        row = self._rows.get(image_id if self._key == "image_id" else path)
        if row is None and self._key == "path":
            row = self._by_name.get(PurePath(path).name) if len(self._by_name) == len(self._rows) else None
        if row is None:
            raise CoverslipError("summary-image-not-in-table", file=self.file, path=path)
        return row


def read_csv(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV table of a user.

    Raises:
        CoverslipError: it cannot be read.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            return [{plain_cell(k): plain_cell(v or "") for k, v in row.items() if k is not None} for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CoverslipError("summary-table-not-read", file=file, reason=str(error)) from error


def _prior(run: Run, classes: Sequence[str]) -> list[float]:
    """Return the class proportions that the probabilities of a run assume, in the order of `classes`."""
    card = open_classifier(run.classifier_folder).card
    of_class = dict(zip(card.classes, card.prior, strict=True))
    return [of_class[name] for name in classes]


def error_rates(run: Run, classes: Sequence[str]) -> ErrorRates:
    """Return the votes on the test images of a run; after cross-validation, these are all images.

    Raises:
        CoverslipError: the run has other classes.
    """
    order = [run.predictions.classes.index(name) for name in classes if name in run.predictions.classes]

    def vote(row: Prediction) -> Floats:
        return vote_of(row.predicted, row.decision, tuple(row.probabilities[k] for k in order), classes)

    return ErrorRates(votes_on_test_images(run, classes, vote))


def votes_on_test_images(run: Run, classes: Sequence[str], vote: Callable[[Prediction], Floats]) -> list[Votes | None]:
    """Return votes on the test images of each class, by group; None: there is no image of the class.

    Raises:
        CoverslipError: the run has other classes.
    """
    predicted: Predictions = run.predictions
    if set(predicted.classes) != set(classes):
        raise CoverslipError("summary-other-classes", file=run.predictions_file, other=text("these-predictions"))
    group_of = {row.image_id: row.group for row in run.split}
    by_class: list[Votes | None] = []
    rows = [row for row in predicted if row.label in classes and row.decision != UNREADABLE]
    for name in classes:
        of_class = [row for row in rows if row.label == name]
        votes = [vote(row) for row in of_class]
        groups = [group_of.get(row.image_id) or row.image_id for row in of_class]
        is_grouped = any(group_of.get(row.image_id) for row in of_class)
        by_class.append(
            None if not votes else Votes.of(np.array(votes), groups if is_grouped else ["all"] * len(votes))
        )
    return by_class


def _proportions(
    images: Mapping[str, _Images],
    sample: str | None,
    condition: str | None,
    classes: Sequence[str],
    rates: ErrorRates | None,
) -> SampleProportions:
    readable = [each for each in images.values() if len(each.votes)]
    decisions = sum((each.decisions for each in images.values()), Counter[str]())
    n = sum(len(each.votes) for each in readable)
    corrected: Corrected | None = None
    reason = text("summary-without-run") if rates is None else text("summary-sample-without-images")
    raw: Sequence[Metric] = [Metric(value=None, method=RAW_METHOD, reason=text("summary-sample-without-images"))] * len(
        classes
    )
    counts = np.zeros(len(classes))
    if readable:
        votes = Votes(
            np.array([each.votes.sum(axis=0) for each in readable]),
            np.array([float(len(each.votes)) for each in readable]),
        )
        counts = votes.sums.sum(axis=0)
        raw = [Metric(value=v, low=lo, high=hi, method=RAW_METHOD) for v, lo, hi in raw_shares(votes)]
        if rates is not None:
            corrected = rates.correct(votes)
            reason = text(corrected.reason) if corrected.reason else ""
            if decisions[UNFAMILIAR] > MOST_UNFAMILIAR * n:
                reason = text("summary-unfamiliar", share=decisions[UNFAMILIAR] / n)
    method = MELDED_METHOD if len(classes) == 2 else DRAWS_METHOD
    of_class = {}
    for k, name in enumerate(classes):
        metric = Metric(value=None, method=method, reason=reason)
        if corrected is not None and not reason:
            metric = Metric(
                value=float(corrected.shares[k]),
                low=float(corrected.low[k]),
                high=float(corrected.high[k]),
                method=method,
            )
        of_class[name] = ClassProportion(count=float(counts[k]), raw=raw[k], corrected=metric)
    return SampleProportions(
        sample=sample,
        condition=condition,
        n=n,
        n_samples=len(images),
        n_uncertain=decisions[UNCERTAIN],
        n_unfamiliar=decisions[UNFAMILIAR],
        n_unreadable=decisions[UNREADABLE],
        classes=of_class,
    )


def _label_shift(images: Sequence[_Images], rates: ErrorRates, prior: Sequence[float]) -> LabelShift | None:
    """Test whether adjusted counts and the estimate from probabilities agree, on all images together."""
    from scipy.special import ndtr

    votes = np.concatenate([each.votes for each in images])
    probabilities = np.concatenate([each.probabilities for each in images])
    adjusted = rates.correct(Votes(votes.sum(axis=0)[None], np.array([float(len(votes))])))
    estimates = estimated_shares(probabilities, prior)
    if adjusted.reason is not None or any(each.value is None for each in estimates):
        return None
    p = 1.0
    for k, estimate in enumerate(estimates):
        width = (estimate.high or 0.0) - (estimate.low or 0.0)
        error = float(np.hypot(adjusted.high[k] - adjusted.low[k], width)) / (2 * Z)
        z = abs(float(adjusted.shares[k]) - (estimate.value or 0.0)) / max(error, 1e-9)
        p = min(p, 2 * float(ndtr(-z)) * len(estimates))
    return LabelShift(violated=p < _BY_CHANCE, p=min(p, 1.0))


def _values(samples: Sequence[SampleProportions], condition: str | None, name: str) -> list[float]:
    """Return the proportion of a class in each readable sample of a condition, as `shares_of_samples`."""
    shares = shares_of_samples(samples, name)
    values = (shares[str(each.sample)] for each in samples if each.condition == condition)
    return [value for value in values if value is not None]


def _comparisons(
    samples: Sequence[SampleProportions], names: Sequence[str | None], classes: Sequence[str]
) -> list[ConditionDifference]:
    differences = []
    for first, second in combinations([name for name in names if name is not None], 2):
        for name in classes:
            a, b = _values(samples, first, name), _values(samples, second, name)
            comparison = ConditionDifference(
                name=name, conditions=(first, second), difference=Metric(value=None, reason=""),
                test="Welch's t test of samples", p=None, p_holm=None, effect_size=None, n_samples=(len(a), len(b)),
            )  # fmt: skip
            if min(len(a), len(b)) < _FEWEST_SAMPLES:
                reason = text("summary-few-samples", n_needed=_FEWEST_SAMPLES)
                value = float(np.mean(b) - np.mean(a)) if a and b else None
                metric = Metric(value=value, reason=reason, n_groups=len(a) + len(b))
            else:
                welch = difference_of_means(a, b)
                metric = Metric(
                    value=welch.value, low=welch.low, high=welch.high, method="Welch", n_groups=len(a) + len(b)
                )
                comparison = replace(comparison, p=welch.p, effect_size=welch.effect_size)
            differences.append(replace(comparison, difference=metric))
    return _adjusted(differences, classes)


def _trends(
    samples: Sequence[SampleProportions], names: Sequence[str | None], classes: Sequence[str]
) -> list[ConditionTrend]:
    named = [name for name in names if name is not None]
    doses = {name: dose for name in named if (dose := _number(name)) is not None}
    if len(doses) < _FEWEST_SAMPLES or len(doses) < len(named):
        return []
    trends = []
    for name in classes:
        pairs = [(dose, value) for condition, dose in doses.items() for value in _values(samples, condition, name)]
        if len({dose for dose, _ in pairs}) < _FEWEST_SAMPLES:  # samples without a readable image
            return []
        fit = trend_of_shares([dose for dose, _ in pairs], [value for _, value in pairs])
        slope = Metric(
            value=fit.value,
            low=fit.low,
            high=fit.high,
            method=TREND_METHOD,
            reason=text("trend-not-estimable") if fit.value is None else None,
            n_groups=len(pairs),
        )
        ratio = replace(slope, value=_exp(slope.value), low=_exp(slope.low), high=_exp(slope.high))
        trends.append(ConditionTrend(name=name, slope=slope, odds_ratio=ratio, test=TREND_TEST, p=fit.p, p_holm=None))
    return _adjusted(trends, classes)


def _exp(value: float | None) -> float | None:
    return None if value is None else float(np.exp(np.clip(value, -_MOST_LOG, _MOST_LOG)))


def _plates_of(samples: Sequence[SampleProportions]) -> dict[str, str]:
    """Return the plate of each sample; if not all samples are wells, they have one in common."""
    names = [str(each.sample) for each in samples]
    wells = wells_of(names)
    return dict.fromkeys(names, "") if wells is None else {name: well.plate for name, well in wells.items()}


def shares_of_samples(samples: Sequence[SampleProportions], name: str) -> dict[str, float | None]:
    """Return the proportion of a class in each sample: corrected if all samples are, else counted."""
    readable = [each for each in samples if each.n]
    is_corrected = all(each.classes[name].corrected.value is not None for each in readable)
    return {
        str(each.sample): (each.classes[name].corrected if is_corrected else each.classes[name].raw).value
        for each in samples
    }


def _controls_on(samples: Sequence[SampleProportions], plate: str, condition: str | None, name: str) -> list[float]:
    """Return the proportions of a class in the controls of a plate."""
    shares, plates = shares_of_samples(samples, name), _plates_of(samples)
    values = (
        shares[str(each.sample)]
        for each in samples
        if condition is not None and each.condition == condition and plates[str(each.sample)] == plate
    )
    return [value for value in values if value is not None]


def _with_z_scores(samples: Sequence[SampleProportions], negative: str | None) -> Iterator[SampleProportions]:
    if negative is None or not samples:
        yield from samples
        return
    plates = _plates_of(samples)
    names = list(samples[0].classes)
    shares = {name: shares_of_samples(samples, name) for name in names}
    of_plate = {
        (plate, name): _controls_on(samples, plate, negative, name) for plate in {*plates.values()} for name in names
    }
    for each in samples:
        sample, classes = str(each.sample), {}
        for name, proportion in each.classes.items():
            value = shares[name][sample]
            score = None if value is None else z_score(value, of_plate[plates[sample], name])
            classes[name] = replace(proportion, z_score=score)
        yield replace(each, classes=classes)


def _plate_controls(
    samples: Sequence[SampleProportions], controls: tuple[str | None, str | None], classes: Sequence[str]
) -> Iterator[PlateControls]:
    if controls[0] is None:
        return
    for plate in dict.fromkeys(_plates_of(samples).values()):
        for name in classes:
            negative, positive = (_controls_on(samples, plate, control, name) for control in controls)
            yield PlateControls(
                plate=plate,
                name=name,
                n_negative=len(negative),
                n_positive=len(positive),
                z_prime=z_prime(negative, positive),
            )


def _samples_needed(
    samples: Sequence[SampleProportions], names: Sequence[str | None], classes: Sequence[str], difference: float
) -> Iterator[SamplesNeeded]:
    for name in classes:
        values = [_values(samples, condition, name) for condition in names]
        yield SamplesNeeded(name=name, n=samples_needed(values, difference))


Tested = TypeVar("Tested", ConditionDifference, ConditionTrend)


def _adjusted(tests: Sequence[Tested], classes: Sequence[str]) -> list[Tested]:
    """Adjust p over all tests. Of two classes, only one is counted: the proportion of the other is its complement."""
    counted = [each.p for each in tests if len(classes) > 2 or each.name == classes[0]]
    repeats = len(tests) // len(counted) if counted else 1
    adjusted = [p for p in holm(counted) for _ in range(repeats)]
    return [replace(each, p_holm=p) for each, p in zip(tests, adjusted, strict=True)]


def _in_order(names: Iterable[str | None]) -> list[str | None]:
    """Return each condition once: numbers by size, else in the order of the tables."""
    once: list[str | None] = list(dict.fromkeys(names))
    numbers = [_number(name) for name in once]
    if any(number is None for number in numbers):
        return once
    return [name for _, name in sorted(zip(numbers, once, strict=True), key=lambda pair: pair[0] or 0.0)]


def _number(name: str | None) -> float | None:
    try:
        value = float(name or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None
