"""Measure a classifier on labeled images: its test images, or an external test set."""

import re
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets import (
    Dataset,
    ImageRecord,
    one_line,
    read_as,
    scan_images,
    some,
    with_classes,
)
from coverslip.errors import BadDataset, BadRun, Stopped
from coverslip.evaluation import Evaluation, empty_evaluation, evaluate_predictions, without_temperature
from coverslip.events import Emit, Noted, telling
from coverslip.experiments.preparation import assign_groups
from coverslip.experiments.run_state import record_work
from coverslip.files import remove_file
from coverslip.inference import Classifier
from coverslip.messages import note
from coverslip.reports import write_report
from coverslip.runs import (
    ClassifierCard,
    EvaluatedImages,
    Prediction,
    Predictions,
    Recipe,
    Run,
    RunContext,
    SplitRow,
    TrainingHashes,
    images_opened,
    refuse_other_images,
    remove_new_folder_on,
    work_lock,
    write_confusion,
    write_in_memory_images,
    write_metrics,
)
from coverslip.runs.images import evaluated_images_of
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
    may_be_empty: bool = False,
) -> Evaluation:
    """Predict labeled images, and leave predictions, logits and numbers in a run's folder.

    Args:
        run: gets `predictions.csv`, `metrics.json` and the logits.
        data: the images.
        classifier: what predicts them.
        recipe: names the primary metric.
        context: its listener receives notes on images that could not be evaluated.
        split: name of the set of images in the metrics.
        may_be_empty: give numbers that are all None, instead of raising, where no image can be measured.

    Raises:
        BadDataset: no readable image has a label that the classifier knows.
        Stopped: on request.
    """
    predicted = classifier.predict_images(data, emit=context.emit, stop=context.stop)
    rows = Predictions(_below_root(data, predicted), classifier.classes)
    temperature = np.full(len(rows), classifier.card.temperature)
    evaluation = evaluated(rows, data, temperature, recipe, split=split, emit=context.emit, may_be_empty=may_be_empty)
    run.write_logits("test", rows.logits)
    write_results(run, rows, evaluation)
    return evaluation


def _below_root(data: Dataset, rows: Iterable[Prediction]) -> Iterator[Prediction]:
    """Rows whose paths are relative to the root that the run's `environment.json` states."""
    for record, row in zip(data.records, rows, strict=True):
        yield replace(row, path=data.relative_path(record))


def write_results(run: Run, rows: Predictions, evaluation: Evaluation) -> None:
    """Write predictions, then the numbers: a folder with numbers is whole."""
    rows.write_csv(run.predictions_file)
    write_confusion(run.confusion_file, evaluation)
    write_metrics(run.metrics_file, evaluation)


def evaluated(
    table: Predictions,
    data: Dataset,
    temperature: np.ndarray,
    recipe: Recipe,
    *,
    split: str,
    emit: Emit,
    unmeasured: Container[int] = (),
    may_be_empty: bool = False,
) -> Evaluation:
    """How good predictions of labeled images are.

    Args:
        table: one row per record of `data`, in its order.
        data: the images with labels and groups.
        temperature: (n_rows,) that made the probabilities; it is taken out again for the uncalibrated numbers.
        recipe: names the primary metric.
        split: name of the set of images in the metrics.
        emit: receives notes on images that could not be evaluated.
        unmeasured: positions of rows to exclude from the metrics, for a reason that was reported already.
        may_be_empty: give numbers that are all None, instead of raising, where no image can be measured.

    Raises:
        BadDataset: no readable image has a label that the classifier knows.
    """
    rows, classes = table.rows, table.classes
    number = {name: k for k, name in enumerate(classes)}
    measured = [i for i, row in enumerate(rows) if row.probabilities and row.label in number and i not in unmeasured]
    _note_excluded(rows, number, data.dropped, emit)
    if not measured and may_be_empty:
        return empty_evaluation(
            classes, split=split, primary=recipe.primary_metric, reason="no image could be measured"
        )
    if not measured:
        raise BadDataset("no-known-label", file=data.root, classes=some(classes, 8))
    probability = np.nan_to_num([rows[i].probabilities for i in measured])  # NaN: a class that its fold did not know
    records = [data.records[i] for i in measured]
    return evaluate_predictions(
        probability,
        np.array([number[rows[i].label or ""] for i in measured]),
        classes,
        split=split,
        primary=recipe.primary_metric,
        predicted=np.array([number[rows[i].predicted or ""] for i in measured]),
        group=_column([record.named_group for record in records]),
        domain=_column([record.domain or None for record in records]),
        probability_uncalibrated=without_temperature(probability, temperature[measured]),
        positive=recipe.positive_class,
        columns=_columns(records),
        on_progress=telling(emit, "computing confidence intervals", "metrics"),
    )


def _column(values: Sequence[str | None]) -> np.ndarray | None:
    return np.array([value or "" for value in values]) if any(values) else None


def _columns(records: Sequence[ImageRecord]) -> dict[str, np.ndarray]:
    """What tables say of these images besides; an empty text where a table does not say it."""
    about = [dict(record.about) for record in records]
    names = dict.fromkeys(name for cells in about for name in cells)
    return {name: np.array([cells.get(name, "") for cells in about]) for name in names}


def _note_excluded(rows: Sequence[Prediction], classes: Collection[str], dropped: frozenset[str], emit: Emit) -> None:
    unreadable = sum(not row.probabilities for row in rows)
    if unreadable:
        emit(Noted.of(note("unreadable-not-measured", level="warning", n_images=unreadable)))
    others = {row.label for row in rows if row.label is not None and row.label not in classes}
    _tell_nearly_equal(others - dropped, classes, emit)
    _warn_of_labels(rows, others - dropped, emit, is_dropped=False)
    _warn_of_labels(rows, others & dropped, emit, is_dropped=True)
    unlabeled = sum(row.label is None for row in rows)
    if unlabeled:
        emit(Noted.of(note("no-label", level="warning", n_images=unlabeled)))


def _tell_nearly_equal(labels: set[str], classes: Collection[str], emit: Emit) -> None:
    """Labels that are a class's name but for capitals and spaces are a slip more often than another class."""
    plain = {_plain(name): name for name in classes}
    for label in sorted(labels):
        if (name := plain.get(_plain(label))) is not None:
            near = note(
                "nearly-equal-labels", level="warning", label=one_line(label, 60), class_name=one_line(name, 60)
            )
            emit(Noted.of(near))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def _warn_of_labels(rows: Sequence[Prediction], labels: set[str], emit: Emit, *, is_dropped: bool) -> None:
    if labels:
        n, names = sum(row.label in labels for row in rows), some(sorted(labels))
        emit(Noted.of(note("other-labels", level="warning", n_images=n, labels=names, is_dropped=is_dropped)))


_USUAL_STEMS = frozenset({"annotations", "data", "dataset", "images", "labels", "metadata", "table"})


def evaluate_on(evaluation: Run, data: Dataset, classifier: Classifier, context: RunContext) -> Run:
    """Measure a run's classifier on other labeled images, and leave in the evaluation's folder how that went.

    Args:
        evaluation: its folder in the run's; it may be there of an earlier time, on the same images.
        data: the images, by the run's names for classes or by those that its recipe changed into them.
        classifier: of the run.
        context: of the run; receives progress, and a note on images that training has seen.

    Raises:
        BadDataset: no image has a label that the classifier knows.
        BadRun: there is an evaluation in the folder, on others.
        Conflict: another process works in the folder.
        Stopped: on request, or where there is a file named `stop` in the evaluation's folder.
    """
    run = evaluation.whole
    data = _in_the_runs_groups(data, run, context.emit)
    for each in data.notes:
        if each.code != "not-grouped":  # it warns of groups on both sides of a split, and nothing is split here
            context.emit(Noted.of(each))
    with remove_new_folder_on(BadDataset, evaluation), work_lock(evaluation.folder):
        refuse_other_images(evaluation, _as_measured(data, run, classifier.card))
        return _measured_in(evaluation, data, classifier, context)


def _measured_in(evaluation: Run, data: Dataset, classifier: Classifier, context: RunContext) -> Run:
    run = evaluation.whole
    data = _as_measured(write_in_memory_images(data, evaluation, emit=context.emit), run, classifier.card)
    remove_file(evaluation.stop_file)
    evaluation_context = RunContext(evaluation.folder, context.device, context.emit, Stop(evaluation.stop_file))
    with signals_stop(), record_work(evaluation_context, stopped=_stopped) as inner:
        images = EvaluatedImages(
            **images_opened(data).model_dump(),
            n_used_in_training=_count_seen(run, data, inner),
            n_of_seen_groups=_count_of_seen_groups(run, data, inner.emit),
            is_of_unfinished_training=not run.is_done,
        )
        images.write(evaluation.environment_file)
        measure(evaluation, data, classifier, run.recipe, inner, split=evaluation.folder.name)
        write_report(evaluation.folder, inner.emit)
    return Run(evaluation.folder)


def images_of_evaluation(evaluation: Run) -> Dataset:
    """The images of an evaluation as they were measured.

    Raises:
        BadRun: some are missing, or their description changed.
        CoverslipError: their folder or table is not there.
    """
    run, image_ids = evaluation.whole, {row.image_id for row in evaluation.predictions}
    assert run.card is not None, "it was measured with this classifier"
    data = _as_measured(evaluated_images_of(evaluation), run, run.card)
    data = data.chosen(i for i, record in enumerate(data.records) if record.image_id in image_ids)
    before = evaluation.evaluated_images
    if before is None or before.fingerprints != images_opened(data).fingerprints:
        raise BadRun("evaluated-images-changed", file=data.root)
    return data


def evaluation_name(data: Dataset, name: str | None) -> str:
    """Return the name of an evaluation as its folder can have it: the given one, or that of the folders or tables."""
    if not name and data.is_in_memory:
        name = "in_memory"
    if not name:
        sources = [Path(str(source)) for source in data.opening.sources]
        name = "_".join(map(_source_name, sources))[:80]
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "evaluation"


def _source_name(source: Path) -> str:
    """Return the name of a folder or table; for a table with a common name such as `images.csv`, that of its folder."""
    if not source.is_file():
        return source.name
    folder = source.absolute().parent.name
    return folder if source.stem.casefold() in _USUAL_STEMS and folder else source.stem


def _in_the_runs_groups(data: Dataset, run: Run, emit: Emit) -> Dataset:
    """The images in groups as the run's recipe names them, unless others were chosen or these images have none such."""
    is_column, reason = True, ""
    if run.environment.opened.group is None or data.opening.is_grouped or data.opening.are_tables:
        try:
            return assign_groups(data, run.recipe)
        except BadDataset as error:
            is_column, reason = False, error.what
    if not data.has_groups:  # else a note of the images says what their groups are
        group = one_line(run.recipe.group or "")
        emit(Noted.of(note("groups-unknown", group=group, is_column=is_column, reason=reason)))
    return data


def _as_measured(data: Dataset, run: Run, card: ClassifierCard) -> Dataset:
    """The images read as the classifier does, labeled by its names."""
    return with_classes(read_as(data, card.preprocessing.plan), run.recipe.classes, known=card.classes)


def _count_seen(run: Run, data: Dataset, context: RunContext) -> int:
    """A classifier looks better than it is on images that it was trained on, or copies of them."""
    scan = scan_images(data, emit=context.emit, stop=context.stop)
    hashes, positions = TrainingHashes.of(run.training_hashes), range(len(data.records))
    n = len(hashes.find_shared(data, scan, positions, emit=context.emit, stop=context.stop))
    if n:
        context.emit(Noted.of(note("seen-in-training", level="warning", n=n)))
    return n


def _count_of_seen_groups(run: Run, data: Dataset, emit: Emit) -> int:
    """Images of the patients that it learnt from say little about new patients, be they new themselves."""
    if not data.has_groups:
        return 0
    learnt = {row.group for row in run.split if _was_learnt_from(row, run)} - {""}
    groups = [record.group for record in data.records if record.group in learnt]
    if groups:
        names = some(sorted({group for group in groups if group is not None}), 4)
        emit(Noted.of(note("groups-seen-in-training", level="warning", n=len(groups), names=names)))
    return len(groups)


def _was_learnt_from(row: SplitRow, run: Run) -> bool:
    """Folds leave a classifier behind that was trained on all images, tested ones too."""
    return row.split in ("train", "val") or (run.is_cross_validated and row.split == "test")


def _stopped(evaluation: Run) -> Stopped:
    return Stopped("evaluation-stopped", file=evaluation.folder)
