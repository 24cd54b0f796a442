"""The main job: open, inspect, train, evaluate, predict, report. This is the public API; CLI and app call it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Literal

from coverslip.audit import ScanCollector, inspect_with_leakage_audit, with_near_duplicates, with_quality
from coverslip.datasets import (
    Dataset,
    DecodedPixels,
    ImageSource,
    Inspection,
    check_trainable,
    inspect_dataset,
    one_line,
    open_dataset,
    scan_images,
    split_images,
)
from coverslip.errors import CoverslipError
from coverslip.evaluation import DecideBy
from coverslip.events import Emit, Noted
from coverslip.experiments import (
    SplitData,
    apply_recipe,
    assign_groups,
    begin_run,
    check_budget,
    evaluate_on,
    evaluation_name,
    measure,
    measure_folds,
    refuse_fold,
    resume_budget,
    run_training,
    validated,
)
from coverslip.experiments.rethreshold import rethreshold
from coverslip.experiments.run_state import already_finished
from coverslip.files import remove_file, written_whole
from coverslip.inference import load_classifier
from coverslip.inference.predicting import Summary, predict, unfinished_note
from coverslip.machine import FOR_TRAINING, chosen_device
from coverslip.progress import show
from coverslip.reports import compare, methods_text, write_report
from coverslip.runs import (
    ContentHashes,
    LabelErrors,
    Recipe,
    Run,
    RunContext,
    budget_seconds,
    check_label_errors_file,
    check_new_folder,
    create_run_folder,
    export_classifier,
    held_out_images,
    is_run,
    open_run,
    refuse_changed_images,
    unchanged_images,
    work_lock,
    write_in_memory_images,
)
from coverslip.runs.folder import count_test_set_access
from coverslip.runs.status import folder_in_use
from coverslip.stopping import NO_DEADLINE, Deadline, Stop
from coverslip.training.preprocessing import canvas_notes, learn_preprocessing

__all__ = [
    "Summary",
    "compare",
    "decide",
    "evaluate",
    "export",
    "inspect",
    "label_errors",
    "load_classifier",
    "methods_text",
    "open_dataset",
    "predict",
    "preview",
    "resume",
    "train",
    "write_report",
]

_FORMATS: tuple[str, ...] = ("zip",)  # of exported classifiers


def inspect(
    data: Dataset | ImageSource, recipe: Recipe | None = None, *, estimate_leakage: bool = False, emit: Emit = show
) -> Inspection:
    """What a dataset holds, what is wrong with it, and what to do about it. Decodes every image once.

    Images that show the same though their pixels differ are looked for, and remembered for trainings on these images.

    Args:
        data: images, opened or as `open_dataset` takes them.
        recipe: which plane, channels, classes and groups a training would take; the default takes what there is.
        estimate_leakage: also compute features of some 2,000 images, to detect shortcuts and to compare an image-level
            split with a grouped split.
        emit: receives progress events.

    Returns:
        With `estimate_leakage` an `InspectionWithLeakageEstimate`.

    Raises:
        BadDataset: with `estimate_leakage`, images that cannot be trained on together.

    Examples:
        >>> inspection = cs.inspect("my_cells/")
        >>> inspection.n_images, inspection.classes
        (54, {'lymphocyte': 27, 'monocyte': 27})
        >>> for finding in inspection.findings:
        ...     text = f"{finding.severity}: {finding.text} {finding.do}"
    """
    data = _opened(data)
    if recipe is not None:
        data, _ = apply_recipe(data, recipe)
    seen = ScanCollector()
    scan = with_near_duplicates(data, scan_images(data, emit=emit, on_pixels=seen), seen, emit=emit)
    scan = with_quality(data, scan, seen.quality, emit=emit)
    if not estimate_leakage:
        return inspect_dataset(data, scan)
    from coverslip.experiments.leakage_audit import audit_leakage

    return inspect_with_leakage_audit(data, scan, audit_leakage(data, scan, recipe or Recipe(), emit=emit))


def preview(
    data: Dataset | ImageSource, recipe: Recipe | None = None, *, out: Path | str, n: int = 6, emit: Emit = show
) -> Path:
    """Draw some training images as a network will see them, as prepared and changed at random, into one PNG file.

    Args:
        data: labeled images, opened or as `open_dataset` takes them.
        recipe: how they will be preprocessed and changed; its seed chooses the images and the changes.
        out: the file; it appears when it is complete.
        n: images, of as many classes as there are.
        emit: receives progress events.

    Returns:
        The file.

    Examples:
        >>> cs.preview("my_cells/", cs.Recipe(image_size=48), out="preview.png", n=4).name
        'preview.png'
    """
    from coverslip.training.preview import draw_preview

    data, recipe = apply_recipe(_opened(data), recipe or Recipe())
    scan = scan_images(data, emit=emit)
    plan = recipe.split
    split = split_images(data, scan, val=plan.val, test=plan.test, seed=recipe.split_seed, allow_leakage=True)
    check_trainable(data, scan, split)
    split_data = SplitData(data, scan, split)
    preprocessing = learn_preprocessing(split_data.train_facts, recipe)
    for note in canvas_notes(split_data.train_facts, preprocessing):
        emit(Noted.of(note))
    shown = split_data.sample_training_images(n, seed=recipe.seed)
    sheet = draw_preview(
        DecodedPixels(data, scan, preprocessing)(shown),
        [split_data.classes[k] for k in split_data.label[shown]],
        recipe.augment,
        seed=recipe.seed,
    )
    with written_whole(Path(out)) as part:
        sheet.save(part, "PNG")
    return Path(out)


def train(
    data: Dataset | ImageSource,
    recipe: Recipe | None = None,
    *,
    out: Path | str,
    emit: Emit = show,
    allow_leakage: bool = False,
    budget: float | str | None = None,
    began: float | None = None,
) -> Run:
    """Train one classifier and leave a complete run folder at `out`.

    Args:
        data: labeled images, opened or as `open_dataset` takes them: a folder, a table, images in memory. The run's
            folder keeps copies of what was given in memory.
        recipe: what to do; the default is a good one.
        out: a new or empty folder.
        emit: receives all events.
        allow_leakage: accept a predefined split with the same pixels or groups on both sides.
        budget: how long it may take: seconds, or a text such as `10m`, `quick`, `balanced` or `best`. Fine-tuning is
            adapted to the time while it runs (image size, number of steps), as far as the recipe leaves that open. The
            run's `recipe.yaml` holds what was chosen, and gives the same result again without a budget.
        began: when that time began to run, by `time.monotonic()`; default: now.

    Raises:
        CoverslipError: one of its kinds, with what to do.
        BadRun: the folder is not empty.
        Conflict: another process works in the folder.
        OutOfTime: not even the instant classifier fits into the budget.
        Stopped: on Ctrl-C, SIGTERM or a file named `stop` in the run folder; the best checkpoint is kept.

    Examples:
        >>> data = cs.open_dataset("my_cells/", group_pattern=r"slide\\d+")
        >>> run = cs.train(data, cs.Recipe(stage="instant", seed=3), out="runs/third")
        >>> run.is_done, 0 <= run.metrics["macro_f1"].value <= 1
        (True, True)
        >>> run.report_file.name
        'report.html'
    """
    seconds = None if budget is None else budget_seconds(budget)
    deadline = NO_DEADLINE if seconds is None else Deadline((began or time.monotonic()) + seconds)
    opened = _opened(data)
    data, recipe = validated(opened, recipe or Recipe())  # what can be known to be wrong is said before any work
    if budget is not None:
        check_budget(recipe)
        recipe = recipe.model_copy(update={"schedule_changes": {}})  # which this budget writes
    device = chosen_device(recipe.device, automatic=FOR_TRAINING)
    run = Run(Path(out))
    check_new_folder(run.folder)
    with work_lock(run.folder):
        if opened.is_in_memory:
            create_run_folder(run.folder)
            data, recipe = apply_recipe(write_in_memory_images(assign_groups(opened, recipe), run, emit=emit), recipe)
        environment = begin_run(run.folder, data, recipe, device, allow_leakage=allow_leakage, budget=seconds)
        return run_training(
            data, recipe, environment, RunContext(run.folder, device, emit, Stop(run.stop_file), deadline)
        )


def resume(run: Run | Path | str, *, budget: float | str | None = None, emit: Emit = show) -> Run:
    """Go on with a training that was stopped, killed or failed; it ends as if it had not been interrupted.

    Fine-tuning continues after the last complete epoch. Earlier results are read from caches if they still exist.

    Args:
        run: its folder.
        budget: time from now, as for `train`; default: what is left of the run's budget, if it has one.
        emit: receives all events.

    Raises:
        BadRecipe: the budget is no length of time.
        BadRun: it is finished, or its images are not what they were: removed, relabeled, or files
            with other content. Nothing is written then.
        Conflict: another process works in the folder.
        DeviceUnavailable: this computer lacks the device that it began on.

    Examples:
        >>> run = cs.open_run("runs/first")
        >>> if not run.is_done:
        ...     run = cs.resume(run)
    """
    begun = open_run(run)
    refuse_fold(begun)
    with work_lock(begun.folder):
        return _resume(begun, None if budget is None else budget_seconds(budget), emit)


def _resume(begun: Run, seconds: float | None, emit: Emit) -> Run:
    status, device = begun.status, begun.environment.device
    if begun.is_done:
        raise already_finished(begun)
    if status is not None and status.is_alive:  # on a computer that does not share locks
        raise folder_in_use(begun.folder)
    chosen_device(device)
    data = _unchanged_images(begun, emit)
    if is_run(begun.pretraining.folder) and not begun.pretraining.is_done:
        _unchanged_images(open_run(begun.pretraining), emit)
    deadline = resume_budget(begun, seconds)
    remove_file(begun.stop_file)
    for part in list(begun.folder.rglob(".*.part")):  # what a killed process was writing; folders hold others of them
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
    context = RunContext(begun.folder, device, emit, Stop(begun.stop_file), deadline)
    return run_training(data, context.run.recipe, begun.environment, context)  # a budget may have changed the recipe


def evaluate(
    run: Run | Path | str,
    data: Dataset | ImageSource | None = None,
    *,
    name: str | None = None,
    device: str = "auto",
    emit: Emit = show,
) -> Run:
    """Numbers on the run's own held-out images, or on other labeled images.

    Args:
        run: a run folder.
        data: other labeled images, by the run's names for classes or by those that its recipe changed into them; None
            evaluates the test images of the run again and rewrites its report. Opened, or as `open_dataset` takes them.
        name: of `evaluations/NAME`, where the numbers on other images are kept; default: the name of their folder or
            table, or `in_memory`.
        device: what runs the classifier, as of `load_classifier`.
        emit: receives progress events.

    Returns:
        A `Run` whose folder holds `metrics.json`, `predictions.csv` and `report.html`.

    Raises:
        BadDataset: no image has a label that the classifier knows.
        BadRun: the run's own images are no longer what they were, or the name is that of an evaluation on others.
        DeviceUnavailable: this computer has no such device.
        Stopped: on Ctrl-C, SIGTERM or a file named `stop` in the evaluation's folder.

    Examples:
        >>> others = cs.open_dataset("other_hospital.csv", group="patient")
        >>> measured = cs.evaluate("runs/first", others, name="other_hospital", device="cpu")
        >>> measured.folder.as_posix()
        'runs/first/evaluations/other_hospital'
        >>> accuracy = measured.metrics["accuracy"]
        >>> accuracy.low <= accuracy.value <= accuracy.high
        True
    """
    measured = open_run(run)
    context = RunContext(measured.folder, chosen_device(device), emit)
    if (unfinished := unfinished_note(measured)) is not None:
        emit(Noted.of(unfinished))
    if data is None:
        data = held_out_images(measured)
        if measured.is_cross_validated:
            measure_folds(measured, data, context)
        else:
            measure(measured, data, load_classifier(measured.folder, context.device), measured.recipe, context)
        count_test_set_access(measured, "evaluated")
        write_report(measured.folder, emit)
        return Run(measured.folder)
    data = data if isinstance(data, Dataset) else open_dataset(data, crop_size=measured.recipe.crop_size)
    classifier = load_classifier(measured.folder, context.device)
    evaluation = measured.evaluation(evaluation_name(data, name))
    return evaluate_on(evaluation, data, classifier, context)


def label_errors(
    run: Run | Path | str, *, out: Path | str | None = None, device: str = "auto", emit: Emit = show
) -> LabelErrors:
    """Find suspected label errors of a run's images, most likely first.

    No image is checked by a classifier that was trained on it. What was found stays in the run folder
    (`suspected_label_errors.json`). No label is changed.

    Args:
        run: a run folder.
        out: a table (CSV) of them besides, whole or not at all; an earlier one is replaced, nothing else is.
        device: what runs the network, where features of images are not known from training.
        emit: receives progress events.

    Raises:
        BadRun, CoverslipError: the training has not ended, its images have changed, or another file has that name.
        DeviceUnavailable: this computer has no such device.
        Stopped: on Ctrl-C or SIGTERM.

    Examples:
        >>> errors = cs.label_errors("runs/first", out="labels.csv", device="cpu")
    """
    from coverslip.audit.label_issues import find_label_errors

    if out is not None:
        check_label_errors_file(Path(out))  # before minutes of work

    checked = open_run(run)
    errors = find_label_errors(checked, RunContext(checked.folder, chosen_device(device), emit))
    if out is not None:
        errors.write_csv(Path(out))
    errors.write(checked.label_errors_file)
    return errors


def decide(
    run: Run | Path | str,
    decide_by: DecideBy = "highest",
    *,
    target: float = 0.95,
    threshold: float = 0.5,
    error_rate: float | None = None,
    positive_class: str | None = None,
    emit: Emit = show,
) -> Run:
    """Let a run's classifier decide by other thresholds, without training it again.

    They are learnt from validation images, never from test images, and kept in the classifier; predictions and numbers
    of the test images, evaluations on other images and the reports follow. Without arguments it is the default again.

    Args:
        run: a run folder.
        decide_by, target, threshold, error_rate: as the recipe's keys of these names.
        positive_class: likewise; None leaves it as it is.
        emit: receives notes on unreliable thresholds, and on evaluations that cannot be updated.

    Raises:
        BadRecipe: a choice is not valid, or does not fit the classes.
        BadRun: it has no numbers yet, or its images are gone.

    Examples:
        >>> run = cs.decide("runs/first", "sensitivity", target=0.9, positive_class="monocyte")
        >>> run = cs.decide(run)  # the default again
    """
    choices: dict[str, object] = {
        "decide_by": decide_by,
        "target": target,
        "threshold": threshold,
        "error_rate": error_rate,
    }
    if positive_class is not None:
        choices["positive_class"] = positive_class
    opened = open_run(run)
    context = RunContext(opened.folder, "cpu", emit)
    decided = rethreshold(opened, choices, context)
    count_test_set_access(decided, "decided")
    write_report(decided.folder, emit)
    return decided


def export(run: Run | Path | str, *, to: Literal["zip"] = "zip", out: Path | str | None = None) -> Path:
    """Write a trained classifier as one file, to pass on; an equal classifier gives equal bytes.

    Args:
        run: a run folder or a packaged classifier.
        to: `zip` is a `.coverslip` file, which `predict` and `load_classifier` take in place of a run.
        out: the file; default: named after the run, in the current folder.

    Returns:
        The file.

    Raises:
        BadClassifier: there is no classifier, or it is damaged.
        CoverslipError: there is no such format, or the file cannot be written.

    Examples:
        >>> file = cs.export("runs/first", out="cells.coverslip")
        >>> cs.load_classifier(file).classes
        ('lymphocyte', 'monocyte')
    """
    if to not in _FORMATS:
        raise CoverslipError("unknown-export-format", format=one_line(str(to), 40))
    file = Path(out) if out is not None else Path(f"{Path(run).absolute().stem}.coverslip")
    if file.is_dir():
        raise CoverslipError("export-to-folder", file=file)
    export_classifier(run, file)
    return file


def _unchanged_images(run: Run, emit: Emit) -> Dataset:
    data = unchanged_images(run)
    refuse_changed_images(run, data, ContentHashes(), emit=emit)
    return data


def _opened(data: Dataset | ImageSource) -> Dataset:
    return data if isinstance(data, Dataset) else open_dataset(data)
