"""A finished training measured on other labeled images than its own."""

import re
from pathlib import Path

from coverslip.datasets import Dataset, one_line, scan_images, some, with_classes, with_plan
from coverslip.errors import BadDataset, BadRun, Stopped
from coverslip.events import Emit, Noted
from coverslip.experiments.beginning import assign_groups
from coverslip.experiments.measuring import measure
from coverslip.experiments.working import working_in
from coverslip.files import remove_file
from coverslip.inference import Classifier
from coverslip.messages import note
from coverslip.reports import write_report
from coverslip.runs import (
    ClassifierCard,
    EvaluatedImages,
    Run,
    RunContext,
    SplitRow,
    images_opened,
    kept_as_files,
    no_folder_after,
    refuse_other_images,
    training_hashes,
    work_lock,
)
from coverslip.runs.images import evaluated_images_of
from coverslip.stopping import Stop, signals_stop

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
    with no_folder_after(BadDataset, evaluation), work_lock(evaluation.folder):
        refuse_other_images(evaluation, _as_measured(data, run, classifier.card))
        return _measured_in(evaluation, data, classifier, context)


def _measured_in(evaluation: Run, data: Dataset, classifier: Classifier, context: RunContext) -> Run:
    run = evaluation.whole
    data = _as_measured(kept_as_files(data, evaluation, emit=context.emit), run, classifier.card)
    remove_file(evaluation.stop_file)
    evaluation_context = RunContext(evaluation.folder, context.device, context.emit, Stop(evaluation.stop_file))
    with signals_stop(), working_in(evaluation_context, stopped=_stopped) as inner:
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


def measured_images(evaluation: Run) -> Dataset:
    """The images of an evaluation as they were measured.

    Raises:
        BadRun: some are missing, or their description changed.
        CoverslipError: their folder or table is not there.
    """
    run, image_ids = evaluation.whole, {row.image_id for row in evaluation.predictions}
    assert run.card is not None, "it was measured with this classifier"
    data = _as_measured(evaluated_images_of(evaluation), run, run.card)
    data = data.subset(i for i, record in enumerate(data.records) if record.image_id in image_ids)
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
    return with_classes(with_plan(data, card.preprocessing.plan), run.recipe.classes, known=card.classes)


def _count_seen(run: Run, data: Dataset, context: RunContext) -> int:
    """A classifier looks better than it is on images that it was trained on, or copies of them."""
    scan = scan_images(data, emit=context.emit, stop=context.stop)
    seen, positions = training_hashes(run.seen), range(len(data.records))
    n = len(seen.known(data, scan, positions, emit=context.emit, stop=context.stop))
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
