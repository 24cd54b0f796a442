"""Measure a classifier on labeled images: its test images, or an external test set."""

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets.index.classes import with_classes
from coverslip.datasets.index.folders import with_plan
from coverslip.datasets.index.records import SIDES, Dataset, ImageRecord
from coverslip.datasets.names import one_line, some
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.errors import BadDataset, BadRun, Stopped, UnreadableImage
from coverslip.evaluation.calibration import without_temperature
from coverslip.evaluation.results import Evaluation
from coverslip.evaluation.summary import MOST_SUBGROUPS, empty_evaluation, evaluate_predictions
from coverslip.events import Emit, Noted, progress_reporter
from coverslip.experiments.preparation import assign_groups
from coverslip.experiments.run_state import record_work
from coverslip.files import remove_file
from coverslip.images.preprocessing import PixelFacts, PreprocessedImage
from coverslip.inference import Classifier
from coverslip.inference.new_images import note_on_pixels, other_pixels, plans_of_training
from coverslip.messages import Message, Note, joined, message, note
from coverslip.reports.page import write_report_of_images
from coverslip.runs.classifier import ClassifierCard
from coverslip.runs.folder import Run, RunContext, remove_new_folder_on
from coverslip.runs.images import ImageLookup, evaluated_images_of, refuse_other_images, write_in_memory_images
from coverslip.runs.predictions import Prediction, Predictions
from coverslip.runs.recipe import FromRun, Pretraining, Recipe
from coverslip.runs.results import write_confusion, write_metrics
from coverslip.runs.split import SplitRow
from coverslip.runs.status import EvaluatedImages, OtherPixels, images_opened, work_lock
from coverslip.stopping import Stop, signals_stop

if TYPE_CHECKING:
    pass


def measure(
    run: Run,
    data: Dataset,
    classifier: Classifier,
    recipe: Recipe,
    context: RunContext,
    *,
    split: str = "test",
    images: Iterable[PreprocessedImage | UnreadableImage] | None = None,
    may_be_empty: bool = False,
) -> Evaluation:
    """Predict labeled images, and write predictions, logits and metrics to a run folder.

    Args:
        run: gets `predictions.csv`, `metrics.json`, `confusion_matrix.csv` and the logits.
        data: the images.
        classifier: predicts them.
        recipe: names the primary metric.
        context: its listener receives progress, and notes on images that cannot be evaluated.
        split: name of the set of images in the metrics.
        images: the preprocessed images; default: they are decoded.
        may_be_empty: whether metrics are all None, instead of an error, if no image can be evaluated.

    Returns:
        The metrics.

    Raises:
        BadDataset: no readable image has a label that is a class of the classifier.
        Stopped: on request.
    """
    predicted = classifier.predict_images(data, images=images, emit=context.emit, stop=context.stop)
    rows = Predictions(_below_root(data, predicted), classifier.classes)
    temperature = np.full(len(rows), classifier.card.temperature)
    evaluation = evaluate_rows(
        rows, data, temperature, recipe, split=split, emit=context.emit, may_be_empty=may_be_empty
    )
    run.write_logits("test", rows.logits)
    write_results(run, rows, evaluation)
    return evaluation


def _below_root(data: Dataset, rows: Iterable[Prediction]) -> Iterator[Prediction]:
    """Yield the rows with paths relative to the root in the run's `environment.json`."""
    paths: dict[str, str] = {}  # of objects of a field, the same text
    for record, row in zip(data.records, rows, strict=True):
        path = data.relative_path(record)
        yield replace(row, path=paths.setdefault(path, path))


def write_results(run: Run, rows: Predictions, evaluation: Evaluation) -> None:
    """Write the predictions, then the metrics: a folder with `metrics.json` is complete."""
    has_initial_run = not run.is_evaluation and isinstance(run.recipe.init, FromRun | Pretraining)
    if not run.is_evaluation and (run.is_split_leaky or (has_initial_run and run.environment.allow_leakage)):
        evaluation = replace(evaluation, n_leaks=0 if run.inspection is None else run.inspection.n_test_leaks)
    rows.write_csv(run.predictions_file)
    write_confusion(run.confusion_file, evaluation)
    write_metrics(run.metrics_file, evaluation)


def evaluate_rows(
    table: Predictions,
    data: Dataset,
    temperature: np.ndarray,
    recipe: Recipe,
    *,
    split: str,
    emit: Emit,
    excluded: Container[int] = (),
    may_be_empty: bool = False,
) -> Evaluation:
    """Return the metrics of predictions of labeled images.

    Args:
        table: one row per record of `data`, in its order.
        data: the images with labels and groups.
        temperature: (n_rows,) of the probabilities; the uncalibrated metrics are computed without it.
        recipe: names the primary metric.
        split: name of the set of images in the metrics.
        emit: receives progress, and notes on images that cannot be evaluated.
        excluded: positions of rows to exclude from the metrics, for a reason that was reported before.
        may_be_empty: whether metrics are all None, instead of an error, if no image can be evaluated.

    Raises:
        BadDataset: no readable image has a label that is a class of the classifier.
    """
    rows, classes = table.rows, table.classes
    number = {name: k for k, name in enumerate(classes)}
    measured = [i for i, row in enumerate(rows) if row.probabilities and row.label in number and i not in excluded]
    _note_excluded(rows, number, data.dropped, emit)
    if not measured and may_be_empty:
        return empty_evaluation(
            classes, split=split, primary=recipe.primary_metric, reason=message("no-image-measured")
        )
    if not measured:
        raise BadDataset("no-known-label", file=data.root, classes=some(classes, 8))
    # NaN: a class without training images in the fold.
    probability = np.nan_to_num([rows[i].probabilities for i in measured])
    records = [data.records[i] for i in measured]
    evaluation = evaluate_predictions(
        probability,
        np.array([number[rows[i].label or ""] for i in measured]),
        classes,
        split=split,
        primary=recipe.primary_metric,
        predicted=np.array([number[rows[i].predicted or ""] for i in measured]),
        group=_column([record.group for record in records]),
        domain=_column([record.domain or None for record in records]),
        probability_uncalibrated=without_temperature(probability, temperature[measured]),
        positive=recipe.positive_class,
        columns=_further_columns(records),
        on_progress=progress_reporter(emit, "computing-intervals", "metrics"),
    )
    is_own_test = split in ("test", "out-of-fold")
    return replace(evaluation, protocol=recipe.protocol_keys if is_own_test else ())


def _column(values: Sequence[str | None]) -> np.ndarray | None:
    return np.array([value or "" for value in values]) if any(values) else None


def _further_columns(records: Sequence[ImageRecord]) -> dict[str, np.ndarray]:
    """Return further columns of the tables by name; an empty text for an image without a value.

    Columns with too many values for subgroups, such as outlines, are left out: as arrays, they would take more memory
    than all other values of the images.
    """
    number_of: dict[str, dict[str, int]] = {}  # number of each value, by column
    for record in records:
        for name, value in record.about:
            values = number_of.setdefault(name, {"": 0})
            if len(values) <= MOST_SUBGROUPS + 1:
                values.setdefault(value, len(values))
    names = [name for name, values in number_of.items() if len(values) <= MOST_SUBGROUPS + 1]
    numbers = np.zeros((len(names), len(records)), dtype=np.uint8)
    for i, record in enumerate(records):
        cells = dict(record.about)
        numbers[:, i] = [number_of[name][cells.get(name, "")] for name in names]
    return {name: np.array(list(number_of[name]))[row] for name, row in zip(names, numbers, strict=True)}


def _note_excluded(rows: Sequence[Prediction], classes: Collection[str], dropped: frozenset[str], emit: Emit) -> None:
    unreadable = sum(not row.probabilities for row in rows)
    if unreadable:
        emit(Noted.of(note("unreadable-not-measured", level="warning", n_images=unreadable)))
    other_labels = Counter(row.label for row in rows if row.label is not None and row.label not in classes)
    for each in other_label_notes(other_labels, classes, dropped):
        emit(Noted.of(each))
    unlabeled = sum(row.label is None for row in rows)
    if unlabeled:
        emit(Noted.of(note("no-label", level="warning", n_images=unlabeled)))


def other_label_notes(labels: Counter[str], classes: Collection[str], dropped: frozenset[str]) -> list[Note]:
    """Return warnings on labels that are no class of the classifier, and on those that nearly are one.

    Args:
        labels: numbers of images by label.
        classes: of the classifier.
        dropped: labels that the recipe drops.
    """
    unknown = sorted(labels.keys() - dropped)
    notes = _nearly_equal_notes(unknown, classes)
    for names, is_dropped in ((unknown, False), (sorted(labels.keys() & dropped), True)):
        if names:
            n = sum(labels[name] for name in names)
            listed = _quoted(names)
            notes.append(note("other-labels", level="warning", n_images=n, labels=listed, is_dropped=is_dropped))
    return notes


_MOST_LABELS = 5  # in a note


def _quoted(labels: Sequence[str]) -> Message | None:
    names = [message("report-quoted", name=one_line(label, 60)) for label in labels]
    rest = [message("report-more-names", n=len(names) - _MOST_LABELS)] if len(names) > _MOST_LABELS else []
    return joined([*names[:_MOST_LABELS], *rest], "list-of-messages")


def _nearly_equal_notes(labels: Sequence[str], classes: Collection[str]) -> list[Note]:
    """Return a warning for each label that differs from a class only in case, spaces or punctuation."""
    plain = {_letters_and_digits(name): name for name in classes}
    return [
        note("nearly-equal-labels", level="warning", label=one_line(label, 60), class_name=one_line(name, 60))
        for label in labels
        if (name := plain.get(_letters_and_digits(label))) is not None
    ]


def _letters_and_digits(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum()) or name


_MOST_LETTERS = 60  # of a folder, which can have 4 bytes each, and 255 bytes in all
_SETS_OF_TRAINING = frozenset({*SIDES, "out-of-fold"})
_USUAL_STEMS = frozenset({"annotations", "data", "dataset", "images", "labels", "metadata", "table"})


def evaluate_on(evaluation: Run, data: Dataset, classifier: Classifier, context: RunContext) -> Run:
    """Evaluate a run's classifier on an external test set, and write the results to the folder of the evaluation.

    Args:
        evaluation: a folder in the run folder, new or of an earlier evaluation on the same images.
        data: the images. Their labels are classes of the run, or labels that its recipe renames to classes.
        classifier: of the run.
        context: of the run; its listener receives progress, and notes on images and groups used in training.

    Raises:
        BadDataset: no image has a label that is a class of the classifier.
        BadRun: the folder holds an evaluation on other images.
        Conflict: another process works in the folder.
        Stopped: on request, or if the evaluation's folder contains a file named `stop`.
    """
    run = evaluation.parent_run
    data = _with_groups_of_run(data, run, context.emit)
    for each in data.notes:
        if each.code != "not-grouped":  # this note concerns splits
            context.emit(Noted.of(each))
    with remove_new_folder_on(BadDataset, evaluation), work_lock(evaluation.folder):
        refuse_other_images(evaluation, as_measured(data, run, classifier.card))
        return _evaluate_in(evaluation, data, classifier, context)


def _evaluate_in(evaluation: Run, data: Dataset, classifier: Classifier, context: RunContext) -> Run:
    run = evaluation.parent_run
    data = as_measured(write_in_memory_images(data, evaluation, emit=context.emit), run, classifier.card)
    remove_file(evaluation.stop_file)
    evaluation_context = RunContext(evaluation.folder, context.device, context.emit, Stop(evaluation.stop_file))
    with signals_stop(), record_work(evaluation_context, stopped=_stopped) as inner:
        measured, scan = _images_to_measure(data, classifier.classes, inner)
        images = EvaluatedImages(
            **images_opened(data).model_dump(),
            n_used_in_training=_count_training_images(run, measured, scan, inner),
            n_of_seen_groups=_count_images_of_training_groups(run, measured, inner.emit),
            is_of_unfinished_training=not run.is_done,
            is_rescaled=classifier.is_rescaling,
            n_of_other_pixel_size=0
            if classifier.is_rescaling
            else _count_other_pixel_sizes(measured, scan, classifier),
            other_pixels=_other_pixels(run, measured, classifier.card, inner.emit),
        )
        images.write(evaluation.environment_file)
        measure(evaluation, data, classifier, run.recipe, inner, split=evaluation.folder.name)
        write_report_of_images(evaluation, ImageLookup(evaluation, data), inner.emit)
    return Run(evaluation.folder)


def images_of_evaluation(evaluation: Run) -> Dataset:
    """Return the images of an evaluation as they were evaluated.

    Raises:
        BadRun: some are missing, or their description changed.
        CoverslipError: their folder or table is missing.
    """
    run, image_ids = evaluation.parent_run, {row.image_id for row in evaluation.predictions}
    assert run.card is not None, "the evaluation has metrics"
    data = as_measured(evaluated_images_of(evaluation), run, run.card)
    data = data.subset(i for i, record in enumerate(data.records) if record.image_id in image_ids)
    before = evaluation.evaluated_images
    if before is None or before.fingerprints != images_opened(data).fingerprints:
        raise BadRun("evaluated-images-changed", file=data.root)
    return data


def evaluation_name(data: Dataset, name: str | None) -> str:
    """Return a valid folder name for an evaluation, from `name` or from the names of the folders or tables."""
    if not name and data.is_in_memory:
        name = "in_memory"
    if not name:
        sources = [Path(str(source)) for source in data.opening.sources]
        name = "_".join(map(_source_name, sources))
    return valid_name(name)


def valid_name(name: str) -> str:
    """Return a valid folder name for an evaluation of this name.

    It is not that of a set of images of the training, for which the metrics would be taken.
    """
    valid = re.sub(r"[^\w.-]+", "_", name)[:_MOST_LETTERS].strip("._") or "evaluation"
    return f"{valid}_images" if valid.casefold() in _SETS_OF_TRAINING else valid


def _source_name(source: Path) -> str:
    """Return the name of a folder or table; for a table with a common name such as `images.csv`, that of its folder."""
    if not source.is_file():
        return source.name
    folder = source.absolute().parent.name
    return folder if source.stem.casefold() in _USUAL_STEMS and folder else source.stem


def _with_groups_of_run(data: Dataset, run: Run, emit: Emit) -> Dataset:
    """Return the images with groups by the recipe of the run, unless groups were chosen or these do not apply."""
    if data.opening.is_grouped:
        return data
    is_column, reason = True, None
    if run.environment.opened.group is None or data.opening.are_tables:
        try:
            return assign_groups(data, run.recipe)
        except BadDataset as error:
            is_column, reason = False, error.message
    if not data.has_groups:  # otherwise, a note of the dataset states its groups
        group = one_line(run.recipe.group or "")
        emit(Noted.of(note("groups-unknown", group=group, is_column=is_column, reason=reason or "")))
    return data


def as_measured(data: Dataset, run: Run, card: ClassifierCard) -> Dataset:
    """Return the images with the reading options of the classifier and the class names of the recipe."""
    return with_classes(with_plan(data, card.preprocessing.plan), run.recipe.classes, known=card.classes)


def _images_to_measure(data: Dataset, classes: Sequence[str], context: RunContext) -> tuple[Dataset, Scan]:
    """Return the readable images with a class of the classifier, which are those with metrics, and their scan."""
    scan = scan_images(data, emit=context.emit, stop=context.stop)
    positions = [
        i
        for i, (record, facts) in enumerate(zip(data.records, scan.facts, strict=True))
        if isinstance(facts, PixelFacts) and record.label in classes
    ]
    return data.subset(positions), Scan(tuple(scan.facts[i] for i in positions))


def _other_pixels(run: Run, data: Dataset, card: ClassifierCard, emit: Emit) -> tuple[OtherPixels, ...]:
    """Return which other pixels of files are read than in training."""
    plans, names = (record.plan for record in data.records), card.preprocessing.channel_names
    differences = other_pixels(plans, plans_of_training(run, card), names)
    if (pixel_note := note_on_pixels(differences)) is not None:
        emit(Noted.of(pixel_note))
    return differences


def _count_other_pixel_sizes(data: Dataset, scan: Scan, classifier: Classifier) -> int:
    """Count the images whose pixel size differs from that of the training images. Prediction emits a note on these."""
    has_other_pixel_size = classifier.card.trained_on.has_other_pixel_size
    return sum(
        isinstance(facts, PixelFacts)
        and facts.pixel_size_um is not None
        and not record.plan.has_physical_size
        and has_other_pixel_size(facts.pixel_size_um)
        for record, facts in zip(data.records, scan.facts, strict=True)
    )


def _count_training_images(run: Run, data: Dataset, scan: Scan, context: RunContext) -> int:
    """Count the images that are training images or duplicates of them, which inflate the metrics."""
    hashes, positions = run.delivered_hashes, range(len(data.records))
    n = len(hashes.find_shared(data, scan, positions, emit=context.emit, stop=context.stop))
    if n:
        context.emit(Noted.of(note("seen-in-training", level="warning", n=n)))
    return n


def _count_images_of_training_groups(run: Run, data: Dataset, emit: Emit) -> int:
    """Count the images of groups (such as patients) with training images, which inflate the metrics too."""
    if not data.has_groups:
        return 0
    training_groups = {row.group for row in run.split if _is_used_in_training(row, run)} - {""}
    groups = [record.group for record in data.records if record.group in training_groups]
    if groups:
        names = some(sorted({group for group in groups if group is not None}), 4)
        emit(Noted.of(note("groups-seen-in-training", level="warning", n=len(groups), names=names)))
    return len(groups)


def _is_used_in_training(row: SplitRow, run: Run) -> bool:
    """Return whether the classifier was trained on the image; with folds, this includes the tested images."""
    return row.split in ("train", "val") or (row.split == "test" and (run.is_cross_validated or run.is_fitted_on_test))


def _stopped(evaluation: Run) -> Stopped:
    return Stopped("evaluation-stopped", file=evaluation.folder)
