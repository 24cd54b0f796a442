"""`summarise`: class proportions of samples from tables of predictions, corrected by a run, and conditions compared."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from coverslip.counts import ImagesInProportions
from coverslip.datasets.index.records import UNCERTAIN, UNFAMILIAR, UNREADABLE
from coverslip.datasets.names import natural_key, some
from coverslip.datasets.quality.findings import similar_names
from coverslip.datasets.text_tables import open_text_table
from coverslip.errors import BadRun, CoverslipError
from coverslip.evaluation.decisions import positive_class
from coverslip.evaluation.prevalence import estimated_shares
from coverslip.evaluation.proportions import Corrected, ErrorRates, ErrorsOfSample, Votes, Z, raw_shares
from coverslip.evaluation.results import Metric
from coverslip.evaluation.sample_proportions import (
    COUNTED_METHOD,
    SUMMARY_COLUMNS,
    ClassProportion,
    ExpectedErrors,
    LabelShift,
    SampleProportions,
    Summary,
    block_means,
    compared_conditions,
    conditions_in_order,
    has_blocks,
    has_corrections,
    tested_shares,
    values_by_condition,
    with_shown,
)
from coverslip.events import Emit, Noted, ignore, show
from coverslip.files import check_replaceable
from coverslip.messages import Message, message, note, text
from coverslip.runs.classifier import identity_of, open_classifier
from coverslip.runs.documents import rows_of_table, table_text, write_table
from coverslip.runs.error_rates import error_rates, probabilities_of, votes_of
from coverslip.runs.folder import Run, open_run
from coverslip.runs.predictions import (
    CLASSIFIER_COLUMN,
    EXCLUDED_COLUMN,
    FILE_COLUMN,
    PIXELS_COLUMN,
    Prediction,
    check_predictions_table,
    classes_in,
    predictions_with_cells,
)
from coverslip.table_cells import composed

Floats = npt.NDArray[np.float64]

RAW_METHOD = "votes of the classifier; Clopper-Pearson interval at the effective number of images"
MELDED_METHOD = "adjusted counts; melded interval at effective numbers of images (Bayer, Fay and Graubard 2022)"
DRAWS_METHOD = "adjusted counts by maximum likelihood; interval by draws at effective numbers of images"
FOLDER = "folder"  # a name for the folder of each image, where tables have no such column
MOST_UNFAMILIAR = 0.2  # share of unfamiliar images above which proportions are not corrected
_MOST_ROUNDING = 0.01  # difference of the sum of the probabilities of an image from 1
_ROWS_OF_BLOCK = 10_000  # that are held in memory
MOST_WIDTH = 0.5  # of an interval, above which the classifier does not determine the number
FEW_IMAGES = 10  # of a sample, whose proportion then says little
_OF_TWO = ("sample-of-two-conditions", "sample-of-two-blocks")


@dataclass(frozen=True, slots=True)
class SampleImages:
    """The images of a sample."""

    sums: Floats  # (K,) of the votes of readable images
    n: int  # of these
    decisions: Counter[str]


def summarise(
    predictions: Path | str | Sequence[Path | str],
    *,
    by: str,
    condition: str | None = None,
    block: str | None = None,
    table: Path | str | None = None,
    run: Run | Path | str | None = None,
    control: str | None = None,
    emit: Emit = show,
) -> Summary:
    """Count the classes in each sample, correct the proportions for the classifier's errors, and compare conditions.

    Each sample has the same weight. An image counts for its predicted class, or by its probabilities if its decision
    is `uncertain` or `unfamiliar`. The correction assumes that the classifier errs in all samples as on the test
    images of its run.

    Args:
        predictions: tables that `predict` wrote, as CSV and without an assumed prevalence.
        by: the column with the sample of each image; `folder` for its folder, if there is no such column.
        condition: the column with the condition of each sample, such as a dose.
        block: the column with the experiment day, batch or patient of each sample. Conditions are then compared within
            blocks. If it is also `by`, the images of each condition in a block are a sample, such as a patient before
            and after treatment.
        table: a CSV table with these columns and `image_id` or `path`, or a row for each sample; None: they are columns
            of the predictions.
        run: the run of the classifier, with predictions of test images; None: proportions are not corrected.
        control: the condition that others are compared with; None: each two are compared.
        emit: receives notes.

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
    classes, rows = read_sampled(files, by, condition, None if table is None else Path(table), emit, block=block)
    opened = None if run is None else open_run_of_classes(run, classes)
    return summary_of(classes, rows if opened is None else of_classifier(rows, opened, files[0]), opened, control)


def open_run_of_classes(run: Run | Path | str, classes: Sequence[str]) -> Run:
    """Open the run of a classifier of these classes.

    Raises:
        CoverslipError: it has other classes.
    """
    opened = open_run(run)
    if set(open_classifier(opened.classifier_folder).card.classes) != set(classes):
        raise CoverslipError("summary-other-classes", file=opened.classifier_folder, other=text("these-predictions"))
    return opened


def of_classifier(rows: Iterable["SampledPrediction"], run: Run, file: Path) -> Iterator["SampledPrediction"]:
    """Yield the rows, and check that the errors of the run on test images are those of these predictions.

    Raises:
        CoverslipError: after the last row, if predictions are of another classifier, of other thresholds, or for stated
            class proportions; or they do not contain their classifier.
    """
    folder = run.classifier_folder
    card = open_classifier(folder).card
    identities = {identity_of(folder, card, is_rescaled=is_rescaled) for is_rescaled in (False, True)}
    n_others = 0
    for row in rows:
        if not row.classifier:
            raise CoverslipError("predictions-without-classifier", file=file, column=CLASSIFIER_COLUMN)
        n_others += row.classifier not in identities
        yield row
    if n_others:
        raise CoverslipError("predictions-of-other-thresholds", file=file, n_images=n_others, run=str(run.folder))


@dataclass(frozen=True, slots=True)
class SampledPrediction:
    """The prediction of an image, with its sample and the condition of this sample."""

    prediction: Prediction
    sample: str
    condition: str | None = None  # None: there are no conditions
    block: str | None = None  # None: there are no blocks
    classifier: str = ""  # the code of the classifier and its settings; empty: unknown
    pixels_read: str = ""  # of its file, such as `z=1`; empty: the first plane
    file_sha256: str = ""  # of its file; empty: unknown
    plate: str = ""  # of the well, where tables have such a column
    table: str = ""  # with this row; empty: all rows are of one table
    is_object: bool = False  # in a field of view


def summary_of(
    classes: Sequence[str],
    rows: Iterable[SampledPrediction],
    run: Run | None,
    control: str | None = None,
) -> Summary:
    """Return the proportions of the classes in these samples, as `summarise`.

    Args:
        classes: the classes of the classifier, in the order of the probabilities.
        rows: at least one of a readable image; all rows of a sample have the same condition. None is kept.
        run: the run of the classifier; None: proportions are not corrected.
        control: as of `summarise`.

    Raises:
        CoverslipError: there is no such control.
    """
    counts = _CountedRows(classes, rows)
    images, condition_of, block_of = counts.images, counts.condition_of, counts.block_of
    rates = None if run is None else error_rates(run, classes)
    prior = () if run is None else _prior(run, classes)
    samples, errors = _samples(images, condition_of, block_of, classes, rates)
    names = conditions_in_order(condition_of.values())
    if control is not None and control not in names:
        named = ", ".join(name for name in names if name) or "-"
        raise CoverslipError("summary-no-control", control=control, conditions=named)
    of_condition = {name: {s: each for s, each in images.items() if condition_of[s] == name} for name in names}
    conditions = [_proportions(each, None, name, classes, rates) for name, each in of_condition.items()]
    conditions = with_shown(conditions, errors)
    has_corrected = has_corrections((*samples, *conditions))
    shift = None if rates is None or not has_corrected else _label_shift(counts, rates, prior)
    return Summary(
        classes=tuple(classes),
        samples=tuple(samples),
        conditions=tuple(conditions),
        comparisons=tuple(compared_conditions(samples, names, classes, rates, control)),
        label_shift=shift,
        correlations={} if rates is None else _correlations(rates, classes),
        cautions=(*cautions_of(samples, are_objects=counts.are_objects), *counts.pooled()),
        similar_samples=tuple(similar_names(images)),
        similar_conditions=tuple(similar_names(name for name in names if name is not None)),
        similar_blocks=tuple(similar_names(dict.fromkeys(name for name in block_of.values() if name is not None))),
        is_corrected=rates is not None,
        expected_errors=errors,
        positive_class=positive_class(classes, None if run is None else run.metrics.positive_class),
        method=COUNTED_METHOD if not has_corrected else MELDED_METHOD if len(classes) == 2 else DRAWS_METHOD,
        assumption=_assumption(rates, classes, has_corrected=has_corrected),
        are_objects=counts.are_objects,
    )


def _assumption(rates: ErrorRates | None, classes: Sequence[str], *, has_corrected: bool) -> str:
    """Return what the correction assumes, and whether intervals include that error rates of samples differ."""
    if rates is None:
        return text("summary-raw-only")
    if not has_corrected:
        return text("proportions-not-corrected")
    sentences = [text("summary-assumption")]
    if without := [name for name, each in zip(classes, rates.correlations, strict=True) if each is None]:
        are_all = len(without) == len(classes)
        sentences.append(text("summary-rates-equal", are_all=are_all, names=", ".join(f"'{name}'" for name in without)))
    values = [(each.value, name, each) for name, each in zip(classes, rates.correlations, strict=True) if each]
    if values:
        value, name, correlation = max(values)
        low, high = correlation.interval
        is_unsure = high - low > MOST_WIDTH
        sentences.append(
            text("summary-rates-differ", name=name, correlation=value, low=low, high=high, is_unsure=is_unsure)
        )
    return " ".join(sentences)


def _correlations(rates: ErrorRates, classes: Sequence[str]) -> dict[str, float | None]:
    return {name: None if each is None else each.value for name, each in zip(classes, rates.correlations, strict=True)}


def cautions_of(samples: Sequence[SampleProportions], *, are_objects: bool = False) -> Iterator[str]:
    """Yield what a reader must know before using the proportions of single samples."""
    corrected = [[each for each in sample.classes.values() if each.corrected.value is not None] for sample in samples]
    wide = [of_sample for of_sample in corrected if any(each.corrected.width > MOST_WIDTH for each in of_sample)]
    if wide:
        has_few_images = any(each.raw.width > MOST_WIDTH / 2 for of_sample in wide for each in of_sample)
        yield text(
            "summary-wide-intervals",
            n_wide=len(wide),
            n_samples=sum(map(bool, corrected)),
            points=round(100 * MOST_WIDTH),
            has_few_images=has_few_images,
            are_objects=are_objects,
        )
    n_single = sum(each.n + each.n_unreadable == 1 for each in samples)
    n_small = sum(0 < each.n < FEW_IMAGES for each in samples)
    if len({each.condition for each in samples}) > 1:
        if 2 * n_single > len(samples):
            yield text("summary-single-images", n_single=n_single, n_samples=len(samples), are_objects=are_objects)
        elif 0 < n_small < len(samples):
            yield text(
                "summary-small-samples",
                n_small=n_small,
                n_samples=len(samples),
                n_images=FEW_IMAGES,
                are_objects=are_objects,
            )


def write_summary(summary: Summary, file: Path) -> None:
    """Write the rows of a summary as a CSV table.

    Raises:
        CoverslipError: the file exists and is no such table, or cannot be written.
    """
    check_replaceable(file, ",".join(SUMMARY_COLUMNS).encode())
    write_table(file, SUMMARY_COLUMNS, summary.rows())


def write_grouped(summary: Summary, file: Path) -> None:
    """Write the table of `grouped_rows` as CSV.

    Raises:
        CoverslipError: the file exists and is no such table, or cannot be written.
    """
    columns, rows = grouped_rows(summary)
    check_replaceable(file, table_text(columns, ()).rstrip().encode())
    write_table(file, columns, rows)


def grouped_rows(summary: Summary) -> tuple[list[str], list[dict[str, object]]]:
    """Return a table for GraphPad Prism: a column for each condition of a class, and a row for each sample, or block.

    Values are those that are compared. The titles of columns with values below 0 or above 1 say that these are meant.
    The first column names the block of a row, or its sample if there are no conditions to compare.
    """
    conditions = [each.condition for each in summary.conditions]
    columns: dict[str, list[float | str]] = {}
    are_named = len(conditions) == 1 and not has_blocks(summary.samples)
    if are_named:
        columns[text("column-sample")] = [str(each.sample) for each in summary.samples]
    for name in summary.classes:
        of_samples = values_by_condition(summary.samples, name)
        of_blocks = block_means(summary.samples, conditions, name)
        if of_blocks:
            columns[text("column-block")] = [*of_blocks]
        for k, condition in enumerate(conditions):
            title = f"{name}: {condition or text('all-samples')}"
            cells: list[float | str] = [*of_samples[condition]]
            if are_named:
                cells = ["" if each is None else each for each in tested_shares(summary.samples, name).values()]
            if of_blocks:
                cells = ["" if (mean := means[k]) is None else mean for means in of_blocks.values()]
            is_within = all(0 <= value <= 1 for value in cells if not isinstance(value, str))
            columns[title if is_within else f"{title} ({text('summary-values-unclipped')})"] = cells
    n_rows = max(map(len, columns.values()))
    rows: list[dict[str, object]] = [
        {title: values[k] if k < len(values) else "" for title, values in columns.items()} for k in range(n_rows)
    ]
    return list(columns), rows


def read_sampled(
    files: Sequence[Path],
    by: str | None,
    condition: str | None,
    table: Path | None,
    emit: Emit = ignore,
    *,
    block: str | None = None,
) -> tuple[tuple[str, ...], Iterator[SampledPrediction]]:
    """Return the classes, and the predictions with their samples in the order of the tables, each image once.

    Images that a user of the app excluded are not counted.

    Args:
        files: as `predictions` of `summarise`; so are the next two.
        by: None: all images of a condition are one sample.
        condition: the column with the condition.
        table: the table to join.
        emit: receives notes on images that are listed several times or were excluded, after the last row.
        block: the column with the block of each sample.

    Raises:
        CoverslipError: as `summarise`, also while rows are read.
    """
    for file, n in Counter(file.resolve() for file in files).items():
        if n > 1:
            raise CoverslipError("predictions-given-twice", file=file)
    for file in files:
        check_predictions_table(file)
    classes = classes_in(files[0])
    for file in files[1:]:
        if set(classes_in(file)) != set(classes):
            raise CoverslipError("summary-other-classes", file=file, other=str(files[0]))
    return classes, _sampled_rows(files, by, condition, block, table, classes, emit)


def _sampled_rows(
    files: Sequence[Path],
    by: str | None,
    condition: str | None,
    block: str | None,
    table: Path | None,
    classes: Sequence[str],
    emit: Emit,
) -> Iterator[SampledPrediction]:
    """Yield the rows of `read_sampled`."""
    columns = [name for name in (by, condition, block) if name]
    has_plates = table is not None and all(_plate_of(next(rows_of_table(file), {})) is not None for file in files)
    joined = None if table is None else _JoinedTable(table, columns, by, (condition, block), has_plates=has_plates)
    folders: Mapping[str, str] = {}
    if FOLDER in columns:
        folders = names_of_folders(cells["path"] for file in files for cells in rows_of_table(file))
    images, is_readable, are_objects = ImagesInProportions(), False, True
    about_samples: dict[str, tuple[str | None, str | None]] = {}  # condition and block
    for file in files:
        named = joined.file if joined else file
        for row, cells in predictions_with_cells(file, classes, lambda name: name in (condition, block)):
            if row.probabilities and not abs(sum(row.probabilities) - 1) < _MOST_ROUNDING:
                reason = message("probabilities-not-one", image=row.path)
                raise BadRun("damaged-predictions", file=file, reason=reason)
            pixels_read = cells.get(PIXELS_COLUMN, "")
            is_object = bool(cells.get("object_id"))
            are_objects = are_objects and is_object
            image = *_identity(row, file), pixels_read  # other planes of a file are other images
            if cells.get(EXCLUDED_COLUMN):
                images.add(_digest(image), is_excluded=True)
                continue
            about: Mapping[str, str] = cells
            if joined and joined.is_of_samples and by:
                if by not in (*cells, FOLDER):
                    raise CoverslipError("summary-table-without-key", file=joined.file, columns="image_id, path")
                of_plate = _plate_of(cells) if joined.has_plates else None
                if of_plate == "":
                    raise CoverslipError("summary-empty-cell", file=file, column=joined.plate, path=row.path)
                about = joined.row_of_sample(_cell(cells, by, row.path, file, folders), row.path, of_plate)
            elif joined:
                about = joined.row_of(row.image_id, row.path)
            value = _cell(about, condition, row.path, named, folders) if condition else None
            sample = _cell(about, by, row.path, named, folders) if by else value or text("all-samples")
            of_block = _cell(about, block, row.path, named, folders) if block else None
            if value and block == by:
                sample = f"{sample}, {value}"
            earlier = about_samples.setdefault(sample, (value, of_block))
            for code, first, second in zip(_OF_TWO, earlier, (value, of_block), strict=True):
                if first != second:
                    raise CoverslipError(code, file=named, sample=sample, first=first, second=second)
            if images.add(_digest((*image, sample)), is_excluded=False):
                is_readable = is_readable or row.decision != UNREADABLE
                identity, file_hash = (cells.get(name, "") for name in (CLASSIFIER_COLUMN, FILE_COLUMN))
                plate = _plate_of(cells) or _plate_of(about) or ""
                yield SampledPrediction(
                    *(row, sample, value, of_block, identity, pixels_read, file_hash, plate),
                    table=str(file),
                    is_object=is_object,
                )
    if images.n_repeated:
        emit(Noted.of(note("repeated-images-counted-once", n_images=images.n_repeated, are_objects=are_objects)))
    if images.n_excluded:
        emit(Noted.of(note("excluded-images-not-counted", n_images=images.n_excluded, are_objects=are_objects)))
    if not is_readable:
        raise CoverslipError("summary-without-images", file=files[0])


def _digest(parts: Sequence[str]) -> bytes:
    """Return a code for texts, of which a million take less memory than the texts."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _identity(row: Prediction, file: Path) -> tuple[str, str]:
    """Return what rows of one image have in common, also in several tables; a relative path only in one table."""
    image_id = row.repeats or row.image_id
    if os.path.isabs(row.path):  # noqa: PTH117 - `Path` takes seconds for 100,000 images
        return row.path, image_id.rpartition("/")[2]  # ids begin with folders, which depend on what was opened
    return str(file), image_id


_PLATE = re.compile(r"(?:.*[_ ])?plate(?:[_ ]?(?:id|name|barcode|number))?|barcode")


@lru_cache(maxsize=16)
def _plate_column(columns: tuple[str, ...]) -> str | None:
    return next((name for name in columns if _PLATE.fullmatch(name.casefold())), None)


def _plate_of(cells: Mapping[str, str]) -> str | None:
    """Return the plate of an image or a sample; None: there is no column of plates."""
    column = _plate_column(tuple(cells))
    return None if column is None else cells[column]


def _with_slashes(path: str) -> str:
    """Return a path as on this computer, if it was written on Windows."""
    return path if "/" in path else path.replace("\\", "/")


def folder_of(path: str) -> str:
    return os.path.dirname(_with_slashes(path))  # noqa: PTH120 - `Path` takes seconds for 100,000 images


def names_of_folders(paths: Iterable[str]) -> dict[str, str]:
    """Return a name for the folder of each path, as `short_names`."""
    return short_names(map(folder_of, paths))


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Return a name for each folder or file: its own name, or its path below all if two have the same name.

    If no folder contains all, as for relative and absolute paths, the whole path is the name.
    """
    folders = {name: PurePath(_with_slashes(name)) for name in dict.fromkeys(paths)}
    different = set(folders.values())
    if len({folder.name for folder in different}) == len(different):
        return {name: folder.name or folder.as_posix() for name, folder in folders.items()}
    try:
        common = PurePath(os.path.commonpath(different))
    except ValueError:
        return {name: folder.as_posix() for name, folder in folders.items()}
    common = common.parent if common in different else common
    return {name: folder.relative_to(common).as_posix() for name, folder in folders.items()}


class _CountedRows:
    """Counts of the predictions of each sample, in the order of the rows.

    Args:
        classes: K names, in the order of the probabilities.
        rows: are read once, and not kept.
    """

    def __init__(self, classes: Sequence[str], rows: Iterable[SampledPrediction]) -> None:
        self.condition_of: dict[str, str | None] = {}
        self.block_of: dict[str, str | None] = {}
        self._classes = classes
        self._has_plates = self.are_objects = True
        self._plates, self._tables = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        self._folders = defaultdict[str, set[tuple[str, str]]](set)  # with the table that a relative path depends on
        decisions = defaultdict[str, Counter[str]](Counter)
        sums = defaultdict[str, Floats](lambda: np.zeros(len(classes)))
        blocks = [np.zeros((0, len(classes)))]
        remaining = iter(rows)
        while block := list(islice(remaining, _ROWS_OF_BLOCK)):
            for row in block:
                decisions[row.sample][row.prediction.decision] += 1
                self._add_place(row)
            readable = [row for row in block if row.prediction.decision != UNREADABLE]
            predictions = [row.prediction for row in readable]
            blocks.append(probabilities_of(predictions, len(classes)))
            for row, votes in zip(readable, votes_of(predictions, classes, blocks[-1]), strict=True):
                sums[row.sample] += votes
        self.probabilities = np.concatenate(blocks)  # (n, K) of readable images
        self.images = {
            sample: SampleImages(sums[sample], of_sample.total() - of_sample[UNREADABLE], of_sample)
            for sample, of_sample in decisions.items()
        }

    def _add_place(self, row: SampledPrediction) -> None:
        """Count the condition, the block, the table and the plate or folder of an image."""
        self.condition_of[row.sample], self.block_of[row.sample] = row.condition, row.block
        folder = folder_of(row.prediction.path)
        parent, _, name = folder.rpartition("/")
        of_table = "" if os.path.isabs(row.prediction.path) else row.table  # noqa: PTH117 - as in `_identity`
        self._folders[row.sample].add((of_table, parent if name in self._classes else folder))
        self._plates[row.sample].add(row.plate)
        self._tables[row.sample].add(row.table)
        self._has_plates = self._has_plates and bool(row.plate)
        self.are_objects = self.are_objects and row.is_object

    def pooled(self) -> Iterator[str]:
        """Yield a caution if samples may be several of equal names, such as wells of several plates.

        A sample of one table may have images of several plates or folders, if no other sample has images of the same.
        """
        n_places = {s: len(self._plates[s] if self._has_plates else self._folders[s]) for s in self._tables}
        pooled = [sample for sample, n in n_places.items() if n > 1]
        of_tables = [sample for sample in pooled if len(self._tables[sample]) > 1]
        kind, origins = "folders", {sample: {folder for _, folder in self._folders[sample]} for sample in pooled}
        if self._has_plates:
            kind, origins = "plates", self._plates
        elif of_tables:
            kind, origins = "tables", self._tables
        n_of = Counter(frozenset(origins[sample]) for sample in pooled)
        common, n_samples = n_of.most_common(1)[0] if n_of else (frozenset[str](), 0)
        if of_tables:
            common, n_samples = frozenset().union(*(origins[sample] for sample in of_tables)), len(of_tables)
        if n_samples > 1 or of_tables:
            names = some(sorted(common if self._has_plates else short_names(common).values(), key=natural_key))
            yield text("summary-pooled-samples", n_samples=n_samples, names=names, kind=kind)


def _cell(about: Mapping[str, str], column: str, path: str, file: Path, folders: Mapping[str, str]) -> str:
    if column in about:
        if about[column]:
            return about[column]
        raise CoverslipError("summary-empty-cell", file=file, column=column, path=path)
    if column == FOLDER:
        return folders[folder_of(path)]
    raise CoverslipError("summary-no-column", file=file, column=column, columns=", ".join(about) or "-")


class _JoinedTable:
    """The rows of a table by `image_id`, else by `path`, which may lack the first folders of images, else by sample.

    If this table and the predictions have a column of plates, its samples are wells of these plates.

    Args:
        file: the table.
        columns: that are used.
        by: the column of samples.
        numbers: the columns whose cells are read as numbers.
        has_plates: whether the predictions have a column of plates.
    """

    def __init__(
        self, file: Path, columns: Sequence[str], by: str | None, numbers: Sequence[str | None], *, has_plates: bool
    ) -> None:
        self.file = file
        used = {"image_id", "path", *columns}
        rows = list(open_text_table(file).named_rows(lambda name: name in numbers, used))
        self._key = next((name for name in ("image_id", "path", by) if rows and name in rows[0]), None)
        if self._key is None:
            raise CoverslipError(
                "summary-table-without-key", file=file, columns=", ".join(filter(None, ("image_id", "path", by)))
            )
        self.is_of_samples = self._key not in ("image_id", "path")
        self.plate = _plate_column(tuple(rows[0])) or ""
        self.has_plates = has_plates and self.is_of_samples and self.plate not in ("", by)
        if missing := [name for name in columns if name not in rows[0] and name != FOLDER]:
            raise CoverslipError("summary-no-column", file=file, column=missing[0], columns=", ".join(rows[0]))
        self._rows: dict[str, dict[str, str]] = {}
        for row in rows:
            of_plate = row[self.plate] if self.has_plates else None
            earlier = self._rows.setdefault(self._key_of(_sample_name(row[self._key], of_plate)), row)
            if others := [name for name in columns if row.get(name) != earlier.get(name) and name != self._key]:
                raise CoverslipError(
                    "summary-table-repeats", file=file, key=self._key, image=row[self._key], column=others[0]
                )
        self._path_of: dict[str, str] = {}  # of the image of each key
        self._keys_of_name: dict[str, list[str]] = defaultdict(list)  # by the names of files
        for key in self._rows if self._key == "path" else ():
            self._keys_of_name[PurePath(key).name].append(key)

    def row_of_sample(self, sample: str, path: str, plate: str | None) -> dict[str, str]:
        """Return the row of a sample, which names its plate; the path is that of an image of it."""
        sample = _sample_name(sample, plate)
        if (row := self._rows.get(self._key_of(sample))) is None:
            raise CoverslipError("summary-sample-not-in-table", file=self.file, sample=sample, path=path)
        return row | {str(self._key): sample}

    def row_of(self, image_id: str, path: str) -> dict[str, str]:
        """Return the row of an image."""
        key = self._key_of(image_id if self._key == "image_id" else path)
        if key not in self._rows and self._key == "path":
            key = self._ending_of(key)
        if key not in self._rows:
            raise CoverslipError("summary-image-not-in-table", file=self.file, path=path)
        other = self._path_of.setdefault(key, path)
        if other != path:
            raise CoverslipError("summary-row-of-two-images", file=self.file, key=key, path=path, other=other)
        return self._rows[key]

    def _key_of(self, cell: str) -> str:
        is_path = self._key in ("path", FOLDER)
        return PurePath(_with_slashes(composed(cell))).as_posix() if is_path else composed(cell)

    def _ending_of(self, path: str) -> str:
        """Return the key that ends the path, else the only one that the path ends; empty if there is none."""
        keys = self._keys_of_name.get(PurePath(path).name, [])
        shorter = [key for key in keys if path.endswith(f"/{key}")]
        longer = [key for key in keys if key.endswith(f"/{path}")]
        return max(shorter, key=len) if shorter else longer[0] if len(longer) == 1 else ""


def _sample_name(sample: str, plate: str | None) -> str:
    return sample if plate is None else f"{plate}, {sample}"


def _prior(run: Run, classes: Sequence[str]) -> list[float]:
    """Return the class proportions that the probabilities of a run assume, in the order of `classes`."""
    card = open_classifier(run.classifier_folder).card
    of_class = dict(zip(card.classes, card.prior, strict=True))
    return [of_class[name] for name in classes]


def _samples(
    images: Mapping[str, SampleImages],
    condition_of: Mapping[str, str | None],
    block_of: Mapping[str, str | None],
    classes: Sequence[str],
    rates: ErrorRates | None,
) -> tuple[list[SampleProportions], ExpectedErrors | None]:
    """Return the samples with the values to show, and the errors to expect if all are corrected."""
    errors = {
        name: rates.errors_of_sample(_votes_of([each]))
        for name, each in images.items()
        if rates is not None and each.n and not why_not_corrected(rates, each.n, each.decisions[UNFAMILIAR])
    }
    samples = [
        _proportions(
            {name: each}, name, condition_of[name], classes, rates, block=block_of[name], errors=errors.get(name)
        )
        for name, each in images.items()
    ]
    are_corrected = len(errors) == sum(each.n > 0 for each in images.values())
    expected = ExpectedErrors.of([*errors.values()]) if errors and are_corrected else None
    return with_shown(samples, expected), expected


def proportions_of_images(images: SampleImages, classes: Sequence[str], rates: ErrorRates | None) -> SampleProportions:
    """Return the proportions of images as those of one sample, whose values to show `summarise` shows too.

    Args:
        images: with a readable one.
        classes: K names, in the order of the votes.
        rates: of the classifier; None: they are not known.
    """
    name = text("all-samples")
    (sample,), _ = _samples({name: images}, {name: None}, {name: None}, classes, rates)
    return sample


def why_not_corrected(rates: ErrorRates | None, n: int, n_unfamiliar: int) -> Message | None:
    """Return why no proportions of images are estimated from their predictions; None if they are."""
    if rates is None:
        return message("summary-without-run")
    if n_unfamiliar > MOST_UNFAMILIAR * n:
        return message("summary-unfamiliar", share=n_unfamiliar / n)
    return message(rates.reason) if rates.reason else None


def _proportions(
    images: Mapping[str, SampleImages],
    sample: str | None,
    condition: str | None,
    classes: Sequence[str],
    rates: ErrorRates | None,
    block: str | None = None,
    errors: ErrorsOfSample | None = None,
) -> SampleProportions:
    readable = [each for each in images.values() if each.n]
    decisions = sum((each.decisions for each in images.values()), Counter[str]())
    n = sum(each.n for each in readable)
    corrected: Corrected | None = None
    reason: Message | None = message("summary-sample-without-images")
    raw: Sequence[Metric] = [
        Metric(value=None, method=RAW_METHOD, reason=message("summary-sample-without-images"))
    ] * len(classes)
    counts = np.zeros(len(classes))
    if readable:
        votes = _votes_of(readable)
        counts = votes.sums.sum(axis=0)
        raw = [Metric(value=v, low=lo, high=hi, method=RAW_METHOD) for v, lo, hi in raw_shares(votes)]
        reason = why_not_corrected(rates, n, decisions[UNFAMILIAR])
        corrected = None if rates is None or reason else rates.correct(votes)
    method = MELDED_METHOD if len(classes) == 2 else DRAWS_METHOD
    of_class = {}
    for k, name in enumerate(classes):
        metric, unclipped, error = Metric(value=None, method=method, reason=reason), None, None
        if corrected is not None:
            metric = Metric(
                value=float(corrected.shares[k]),
                low=float(corrected.low[k]),
                high=float(corrected.high[k]),
                method=method,
            )
            unclipped = float(corrected.unclipped[k])
            error = None if errors is None else float(errors.standard[k])
        of_class[name] = ClassProportion(
            n_decided=decisions[name],
            count=float(counts[k]),
            raw=raw[k],
            corrected=metric,
            unclipped=unclipped,
            standard_error=error,
            shown=raw[k],
        )
    return SampleProportions(
        sample=sample,
        condition=condition,
        block=block,
        n=n,
        n_samples=len(images),
        n_uncertain=decisions[UNCERTAIN],
        n_unfamiliar=decisions[UNFAMILIAR],
        n_unreadable=decisions[UNREADABLE],
        classes=of_class,
    )


def _votes_of(images: Sequence[SampleImages]) -> Votes:
    return Votes(np.array([each.sums for each in images]), np.array([float(each.n) for each in images]))


def _label_shift(rows: _CountedRows, rates: ErrorRates, prior: Sequence[float]) -> LabelShift | None:
    """Test whether adjusted counts and the estimate from probabilities agree, on all images together."""
    votes = _votes_of([*rows.images.values()])
    adjusted = rates.correct(Votes(votes.sums.sum(axis=0)[None], votes.n.sum(keepdims=True)), has_mean_rates=True)
    estimates = estimated_shares(rows.probabilities, prior)
    if adjusted.reason is not None or any(each.value is None for each in estimates):
        return None
    differences = [float(share) - (each.value or 0.0) for share, each in zip(adjusted.shares, estimates, strict=True)]
    widths = [each.width for each in estimates]
    errors = np.hypot(adjusted.high - adjusted.low, widths) / (2 * Z)
    return LabelShift.of(differences, errors.tolist())
