"""The public Python functions (open, inspect, train, evaluate, predict, report, ...), also used by CLI and app."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from coverslip.audit.leakage_estimate import inspect_with_leakage_audit
from coverslip.audit.near_duplicates import ScanCollector, with_near_duplicates
from coverslip.datasets.index.opening import ImageSource, open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import one_line
from coverslip.datasets.pixels import DecodedPixels
from coverslip.datasets.quality.inspecting import Inspection, inspect_dataset, with_locations
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadRun, Conflict, CoverslipError
from coverslip.evaluation.decisions import DecideBy
from coverslip.events import Emit, Noted, progress_reporter, show
from coverslip.experiments.cross_validation import measure_folds, refuse_fold
from coverslip.experiments.evaluating import evaluate_on, evaluation_name, measure
from coverslip.experiments.one_split import make_split
from coverslip.experiments.preparation import (
    apply_recipe,
    assign_groups,
    refuse_leaking_recipe,
    validated,
    write_copies,
)
from coverslip.experiments.presets import Preset, apply_preset
from coverslip.experiments.rethreshold import rethreshold
from coverslip.experiments.run_state import already_finished, begin_run, check_budget, resume_budget
from coverslip.experiments.split_data import SplitData
from coverslip.experiments.training_run import run_training
from coverslip.files import atomic_write, remove_file
from coverslip.inference import load_classifier
from coverslip.inference.predicting import PredictionSummary, predict, unfinished_note, watch
from coverslip.machine import FOR_TRAINING, select_device
from coverslip.reports.comparison import compare
from coverslip.reports.page import write_report
from coverslip.reports.reported import read_run
from coverslip.reports.sections.methods import methods_text
from coverslip.reports.verdict import evidence_of
from coverslip.runs.classifier import export_classifier, find_classifier
from coverslip.runs.folder import (
    Run,
    RunContext,
    check_new_folder,
    count_test_set_access,
    create_run_folder,
    is_run,
    open_run,
)
from coverslip.runs.images import (
    UnchangedImages,
    apply_earlier_split,
    held_out_images,
    unchanged_images,
    write_in_memory_images,
)
from coverslip.runs.predictions import read_predictions
from coverslip.runs.recipe import Recipe
from coverslip.runs.results import Evidence, LabelErrors, check_label_errors_file
from coverslip.runs.status import folder_in_use, work_lock
from coverslip.runs.training import budget_seconds
from coverslip.stopping import NO_DEADLINE, Deadline, Stop
from coverslip.training.preprocessing import canvas_notes, learn_preprocessing

if TYPE_CHECKING:
    from PIL.Image import Image

    from coverslip.objects.exporting import ObjectFormat

__all__ = [
    "PredictionSummary",
    "compare",
    "decide",
    "evaluate",
    "export",
    "export_objects",
    "inspect",
    "label_errors",
    "load_classifier",
    "methods_text",
    "open_dataset",
    "predict",
    "preview",
    "resume",
    "train",
    "train_without_report",
    "watch",
    "write_report",
]

ExportName = Literal["zip", "onnx", "bioimageio"]
EXPORT_NAMES: tuple[ExportName, ...] = get_args(ExportName)


def inspect(
    data: Dataset | ImageSource, recipe: Recipe | None = None, *, estimate_leakage: bool = False, emit: Emit = show
) -> Inspection:
    """Inspect a dataset: its content, its problems and suggested actions. Decodes every image once.

    Near-duplicates are searched too, and cached for trainings on these images.

    Args:
        data: a dataset, or images as for `open_dataset`.
        recipe: the plane, channels, classes and groups of a training; default: those of the dataset.
        estimate_leakage: also compute features of some 2,000 images, to detect shortcuts and to compare an image-level
            split with a grouped split.
        emit: receives progress events.

    Returns:
        The inspection; with `estimate_leakage` an `InspectionWithLeakageEstimate`.

    Raises:
        BadDataset: with `estimate_leakage`, the images cannot be used in one training.

    Examples:
        >>> inspection = cs.inspect("my_cells/")
        >>> inspection.n_images, inspection.classes
        (54, {'lymphocyte': 27, 'monocyte': 27})
        >>> for finding in inspection.findings:
        ...     text = f"{finding.severity}: {finding.text} {finding.do}"
    """
    data = _as_dataset(data)
    if recipe is not None:
        data, _ = apply_recipe(data, recipe)
    observed = ScanCollector(len(data))
    scan = with_near_duplicates(data, scan_images(data, emit=emit, on_pixels=observed), observed, emit=emit)
    if not estimate_leakage:
        return with_locations(data, inspect_dataset(data, scan))
    from coverslip.experiments.leakage_audit import audit_leakage

    audit = audit_leakage(data, scan, emit=emit)
    return with_locations(data, inspect_with_leakage_audit(data, scan, audit))


def preview(
    data: Dataset | ImageSource, recipe: Recipe | None = None, *, out: Path | str, n: int = 6, emit: Emit = show
) -> Path:
    """Save some training images as network input, preprocessed and with data augmentation, as one PNG file.

    Args:
        data: labeled images, a dataset or as for `open_dataset`.
        recipe: the preprocessing and augmentation; its seed determines the images and the augmentation.
        out: the file, written atomically.
        n: the number of images, from as many classes as possible.
        emit: receives progress events.

    Returns:
        The file.

    Examples:
        >>> cs.preview("my_cells/", cs.Recipe(image_size=48), out="preview.png", n=4).name
        'preview.png'
    """
    sheet = draw_training_images(data, recipe, n=n, emit=emit)
    with atomic_write(Path(out)) as part:
        sheet.save(part, "PNG")
    return Path(out)


def draw_training_images(
    data: Dataset | ImageSource, recipe: Recipe | None = None, *, n: int = 6, emit: Emit = show
) -> Image:
    """Draw the picture of `preview`."""
    from coverslip.training.preview import draw_preview

    data, recipe = apply_recipe(_as_dataset(data), recipe or Recipe())
    data = apply_earlier_split(data, recipe)
    scan = scan_images(data, emit=emit)
    split_data = SplitData(data, scan, make_split(data, scan, recipe, allow_leakage=True))
    preprocessing = learn_preprocessing(split_data.train_facts, recipe)
    for each in canvas_notes(split_data.train_facts, preprocessing):
        emit(Noted.of(each))
    sample = split_data.sample_training_images(n, seed=recipe.seed)
    return draw_preview(
        DecodedPixels(data, scan, preprocessing)(sample),
        [split_data.classes[k] for k in split_data.label[sample]],
        recipe.augment,
        seed=recipe.seed,
    )


def train(
    data: Dataset | ImageSource,
    recipe: Recipe | None = None,
    *,
    out: Path | str,
    emit: Emit = show,
    allow_leakage: bool = False,
    preset: Preset = "best",
    budget: float | str | None = None,
    began: float | None = None,
) -> Run:
    """Train one classifier, and write a complete run folder to `out`.

    Args:
        data: labeled images, a dataset or as for `open_dataset`: a folder, a table, or images in memory, of which the
            run folder stores copies.
        recipe: the settings of the training; the default suits most datasets.
        out: a new or empty folder.
        emit: receives all events.
        allow_leakage: accept a predefined split with equal images or groups in training and test set, and recipe keys
            of published protocols by which test images affect the training.
        preset: `good` gives the instant classifier, `first-look` that of images of half the side, and `best` also
            fine-tunes the network. Values that the recipe states are not changed.
        budget: the time limit: seconds, or a text such as `10m`. The number of steps of fine-tuning is adapted to the
            time while it runs. If there is time for too few of them, the result is that of a faster preset. The
            `recipe.yaml` of the run contains the resulting settings, which reproduce it without a budget.
        began: the start of the time limit, by `time.monotonic()`; default: now.

    Returns:
        The run.

    Raises:
        CoverslipError: any error of coverslip, with suggested actions.
        BadRecipe: also if the recipe states another value of a key that the preset changes, such as `stage: finetune`.
        BadRun: the folder is not empty.
        Conflict: another process works in the folder.
        Stopped: on Ctrl-C, SIGTERM or a file named `stop` in the run folder; the best checkpoint is saved.

    Examples:
        >>> data = cs.open_dataset("my_cells/", group_pattern=r"slide\\d+")
        >>> run = cs.train(data, cs.Recipe(stage="instant", seed=3), out="runs/third")
        >>> run.is_done, 0 <= run.metrics["macro_f1"].value <= 1
        (True, True)
        >>> run.report_file.name
        'report.html'
    """
    recipe = apply_preset(recipe or Recipe(), preset)
    return _train(_as_dataset(data), recipe, Path(out), emit, allow_leakage=allow_leakage, budget=budget, began=began)


def train_without_report(data: Dataset, recipe: Recipe, *, out: Path, emit: Emit = show) -> Run:
    """Train as `train` does, for callers that need the classifier and its predictions only.

    The run has neither a report nor a learning curve, which take longer than the training of an instant classifier.
    """
    return _train(data, recipe, out, emit, with_report=False)


def _train(
    dataset: Dataset,
    recipe: Recipe,
    out: Path,
    emit: Emit,
    *,
    allow_leakage: bool = False,
    budget: float | str | None = None,
    began: float | None = None,
    with_report: bool = True,
) -> Run:
    seconds = None if budget is None else budget_seconds(budget)
    deadline = NO_DEADLINE if seconds is None else Deadline((began or time.monotonic()) + seconds)
    data, recipe = validated(dataset, recipe)  # report invalid settings before any work
    refuse_leaking_recipe(recipe, allow_leakage=allow_leakage)
    if budget is not None:
        check_budget(recipe)
        recipe = recipe.model_copy(update={"schedule_changes": {}})  # set again by this budget
    device = select_device(recipe.device, automatic=FOR_TRAINING)
    run = Run(out)
    check_new_folder(run.folder)
    with work_lock(run.folder):
        if recipe.split.copies:
            create_run_folder(run.folder)
            data, recipe = apply_recipe(write_copies(assign_groups(dataset, recipe), recipe, run, emit=emit), recipe)
        elif dataset.is_in_memory:
            create_run_folder(run.folder)
            data, recipe = apply_recipe(write_in_memory_images(assign_groups(dataset, recipe), run, emit=emit), recipe)
        del dataset  # the records before the recipe was applied
        environment = begin_run(run.folder, data, recipe, device, allow_leakage=allow_leakage, budget=seconds)
        context = RunContext(run.folder, device, emit, Stop(run.stop_file), deadline, with_report=with_report)
        return run_training(data, recipe, environment, context)


def resume(run: Run | Path | str, *, budget: float | str | None = None, emit: Emit = show) -> Run:
    """Resume a training that was stopped, killed or failed; the result is that of an uninterrupted training.

    Fine-tuning continues after the last complete epoch. Earlier results are read from caches if they still exist.

    Args:
        run: a run folder.
        budget: the time limit from now, as for `train`; default: the remaining budget of the run, if it has one.
        emit: receives all events.

    Raises:
        BadRecipe: the budget is not a duration, or it cannot be planned for the recipe.
        BadRun: the run is finished, or its images have changed: removed, relabeled, or files with other content.
            Nothing is written then.
        Conflict: another process works in the folder.
        DeviceUnavailable: this computer lacks the device of the run.
        OutOfTime: the folds began without a budget, and cannot be fine-tuned within this one.

    Examples:
        >>> run = cs.open_run("runs/first")
        >>> if not run.is_done:
        ...     run = cs.resume(run)
    """
    opened = open_run(run)
    refuse_fold(opened)
    with work_lock(opened.folder):
        return _resume(opened, None if budget is None else budget_seconds(budget), emit)


def _resume(opened: Run, seconds: float | None, emit: Emit) -> Run:
    status, device = opened.status, opened.environment.device
    if opened.is_done:
        raise already_finished(opened)
    if opened.adaptation is not None:
        raise BadRun("adapt-interrupted", file=opened.folder)
    if status is not None and status.is_alive:  # on another computer that does not share locks
        raise folder_in_use(opened.folder)
    select_device(device)
    data = _unchanged_images(opened, emit)
    if is_run(opened.pretraining.folder) and not opened.pretraining.is_done:
        _unchanged_images(open_run(opened.pretraining), emit)
    deadline = resume_budget(opened, seconds)
    remove_file(opened.stop_file)
    for part in list(opened.folder.rglob(".*.part")):  # temporary files of a killed process, also in subfolders
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
    context = RunContext(opened.folder, device, emit, Stop(opened.stop_file), deadline)
    return run_training(data, context.run.recipe, opened.environment, context)  # a budget can have changed the recipe


def evaluate(
    run: Run | Path | str,
    data: Dataset | ImageSource | None = None,
    *,
    name: str | None = None,
    rescale: bool = False,
    device: str = "auto",
    emit: Emit = show,
) -> Run:
    """Evaluate a classifier on the test set of its run, or on other labeled images.

    Args:
        run: a run folder.
        data: other labeled images, a dataset or as for `open_dataset`, with class names of the run or names that its
            recipe maps to them. None: evaluate the test set of the run again, and rewrite its report.
        name: the name of the folder `evaluations/NAME` for other images; default: the name of their folder or table,
            or `in_memory`.
        rescale: rescale other images to the pixel size of the training images, as for `predict`.
        device: the device of the classifier, as for `load_classifier`.
        emit: receives progress events.

    Returns:
        A `Run` whose folder contains `metrics.json`, `predictions.csv` and `report.html`.

    Raises:
        BadDataset: no image has a label that is a class of the classifier.
        BadRun: the images of the run have changed, or the name is that of an evaluation on other images.
        Conflict: another process works in the folder of the run or of the evaluation.
        CoverslipError: the test set of the run is to be rescaled, or the pixel size of the training images is unknown.
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
    opened = open_run(run)
    if rescale and data is None:
        raise CoverslipError("rescaling-of-own-test")
    context = RunContext(opened.folder, select_device(device), emit)
    if (unfinished := unfinished_note(opened)) is not None:
        emit(Noted.of(unfinished))
    if data is None:
        with work_lock(opened.folder):
            data = held_out_images(opened)
            if opened.is_cross_validated:
                measure_folds(opened, data, context)
            else:
                classifier = load_classifier(opened.folder, context.device, tested=True)
                measure(opened, data, classifier, opened.recipe, context)
            count_test_set_access(opened, "evaluated")
            write_report(opened.folder, emit)
        return Run(opened.folder)
    data = data if isinstance(data, Dataset) else open_dataset(data, crop_size=opened.recipe.crop_size)
    classifier = load_classifier(opened.folder, context.device)
    classifier = classifier.with_rescaling() if rescale else classifier
    evaluation = opened.evaluation(evaluation_name(data, name))
    evaluation = evaluate_on(evaluation, data, classifier, context)
    if opened.report_file.is_file():
        evidence = evidence_of(read_run(opened.folder))
        with suppress(Conflict, BadRun):  # another process writes a report
            if evidence != Evidence.read_if_there(opened.evidence_file):  # the classifier fails, or no longer fails
                with work_lock(opened.folder):
                    write_report(opened.folder, emit)
    return evaluation


def label_errors(
    run: Run | Path | str, *, out: Path | str | None = None, device: str = "auto", emit: Emit = show
) -> LabelErrors:
    """Find suspected label errors of a run's images, most likely first.

    Each image is checked by a classifier that was not trained on it. The result is saved in the run folder
    (`suspected_label_errors.json`). No label is changed.

    Args:
        run: a run folder.
        out: a CSV table, written in addition and atomically; it replaces an earlier table, but no other file.
        device: the device of the network, used for images whose features are not cached.
        emit: receives progress events.

    Raises:
        BadRun, CoverslipError: the training has not ended, its images have changed, or `out` is another file.
        DeviceUnavailable: this computer has no such device.
        Stopped: on Ctrl-C or SIGTERM.

    Examples:
        >>> errors = cs.label_errors("runs/first", out="labels.csv", device="cpu")
    """
    from coverslip.audit.label_issues import find_label_errors

    if out is not None:
        check_label_errors_file(Path(out))  # before minutes of work

    opened = open_run(run)
    errors = find_label_errors(opened, RunContext(opened.folder, select_device(device), emit))
    if out is not None:
        errors.write_csv(Path(out))
    errors.write(opened.label_errors_file)
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
    """Change the decision thresholds of a classifier without training it again.

    Thresholds are learned from validation images, never from test images, and stored in the classifier. Predictions and
    metrics of the test set, evaluations on other images and the reports are updated. Without arguments the default is
    restored.

    Args:
        run: a run folder.
        decide_by, target, threshold, error_rate: as the recipe keys of these names.
        positive_class: as the recipe key; None: unchanged.
        emit: receives notes about unreliable thresholds, and about evaluations that cannot be updated.

    Raises:
        BadRecipe: a value is invalid, or does not fit the classes.
        BadRun: the run has no metrics yet, or its images are missing.
        Conflict: another process works in the folder, such as its training.

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
    folder = open_run(run).folder
    with work_lock(folder):
        opened = open_run(folder)
        decided = rethreshold(opened, choices, RunContext(folder, "cpu", emit))
        count_test_set_access(decided, "decided")
        write_report(folder, emit)
    return decided


def export(
    run: Run | Path | str,
    *,
    to: ExportName = "zip",
    out: Path | str | None = None,
    authors: Sequence[str] = (),
    license: str | None = None,
    citation: str | None = None,
) -> Path:
    """Write a trained classifier for distribution (`zip`), or for other programs.

    An export for other programs is opened again and compared with the classifier on images of the run, and written only
    if both agree; its `verification.json` has the numbers. If these images are not available any more, drawn images
    are compared. Equal classifiers give equal `zip` files.

    Args:
        run: a run folder; for `zip` also a packaged classifier.
        to: `zip` for a `.coverslip` file, which `predict` and `load_classifier` accept in place of a run; `onnx`
            or `bioimageio` (BioImage Model Zoo) for a folder.
        out: the file or folder; default: the name of the run, in the current folder.
        authors: names, for `bioimageio`.
        license: an SPDX identifier such as `CC-BY-4.0`, for `bioimageio`.
        citation: a text with a DOI or an address, for `bioimageio`.

    Returns:
        The file or folder.

    Raises:
        BadClassifier: there is no classifier, or it is damaged.
        CoverslipError: the format is unknown or has no authors, license and citation, one of them is invalid, the
            export does not agree with the classifier, or it cannot be written.

    Examples:
        >>> file = cs.export("runs/first", out="cells.coverslip")
        >>> cs.load_classifier(file).classes
        ('lymphocyte', 'monocyte')
    """
    if to not in EXPORT_NAMES:
        raise CoverslipError("unknown-export-format", format=one_line(str(to), 40))
    folder = run.folder if isinstance(run, Run) else Path(run)
    from coverslip.inference.export import Attribution, export_to

    attribution = Attribution(tuple(authors), license, citation)
    if to != "zip":
        target = Path(out) if out is not None else Path(f"{folder.absolute().stem}-{to}")
        find_classifier(folder)
        if not (folder / "classifier").is_dir():
            raise CoverslipError("export-needs-run", file=folder, format=to)
        export_to(open_run(folder), to, target, attribution=attribution)
        return target
    if attribution:
        raise CoverslipError("export-without-attribution", format=to)
    file = Path(out) if out is not None else Path(f"{folder.absolute().stem}.coverslip")
    if file.is_dir():
        raise CoverslipError("export-to-folder", file=file)
    export_classifier(folder, file)
    return file


def export_objects(
    predictions: Path | str,
    *,
    objects: Path | str,
    to: ObjectFormat,
    out: Path | str,
    margin: float | str = 0.0,
    mask_neighbors: bool = False,
    t: int = 0,
    z: int | str = 0,
    emit: Emit = show,
) -> list[Path]:
    """Write the predictions of objects for the programs in which their fields of view are seen.

    Args:
        predictions: the CSV table that `predict` wrote for the objects, with the probability of each class.
        objects: their table, as of `collect_objects`.
        to: `geojson` for QuPath and napari (classes, colors and probabilities), `label-tiff` (label images, and images
            of class numbers), `rois` for ImageJ, `coco`, `cellprofiler` (a table with ImageNumber and ObjectNumber), or
            `ome-tiff` (a crop of each object with all channels, and a table of the crops).
        out: a file for `coco` and `cellprofiler`, or if there is a single field; otherwise a folder, which gets a file
            for each field.
        margin: of crops, on each side of the box: a share of its longer side, or a length in µm such as `"2 um"`.
        mask_neighbors: whether pixels of other objects in a crop get the median of its background.
        t: of crops of films, as `images.t` of the recipe: the time point of objects whose table states none.
        z: of crops of stacks, as `images.z` of the recipe: the z-plane of objects whose table states none.
        emit: receives progress and notes.

    Returns:
        The written files.

    Raises:
        BadDataset: the table of objects is invalid, or the size of a field is needed and unknown.
        BadRun: the table of predictions is missing or damaged.
        CoverslipError: no prediction is of one of the objects, a file cannot be written, or the margin, the time point
            or the z-plane is invalid.

    Examples:
        >>> summary = cs.collect_objects("fields/", points="points/", size_px=48, out="objects.csv")
        >>> predicted = cs.predict("runs/first", "objects.csv", out="predictions.csv", device="cpu")
        >>> files = cs.export_objects("predictions.csv", objects="objects.csv", to="geojson", out="geojson")
        >>> [file.name for file in files]
        ['field0.geojson', 'field1.geojson', 'field2.geojson']
    """
    from pydantic import ValidationError

    from coverslip.objects.exporting import (
        OBJECT_FORMATS,
        CropChoices,
        export_predicted,
        notes_on_matches,
        predicted_objects,
        write_crops,
    )
    from coverslip.objects.table import read_objects

    if to not in OBJECT_FORMATS:
        raise CoverslipError("unknown-object-format", format=one_line(str(to), 40))
    try:
        choices = CropChoices.model_validate({"margin": margin, "mask_neighbors": mask_neighbors, "t": t, "z": z})
    except ValidationError as error:
        match error.errors()[0]["loc"][0]:
            case "t":
                raise CoverslipError("crop-time-invalid", time=one_line(str(t), 40)) from error
            case "z":
                raise CoverslipError("crop-plane-invalid", plane=one_line(str(z), 40)) from error
        raise CoverslipError("crop-margin-invalid", margin=one_line(str(margin), 40)) from error
    table = read_predictions(Path(predictions))
    rows = {
        row.image_id: (row.predicted or "", math.nan if row.probability is None else row.probability, row.decision)
        for row in table
    }
    colors = [color_of_class(k) for k in range(len(table.classes))]
    predicted, n_other = predicted_objects(read_objects(Path(objects)), rows, table.classes, colors)
    n_predicted = len(rows) - n_other
    if not n_predicted:
        raise CoverslipError("predictions-of-other-objects", file=Path(predictions), objects=str(objects))
    for each in notes_on_matches(n_other, len(predicted.objects) - n_predicted):
        emit(Noted.of(each))
    if to == "ome-tiff":
        return write_crops(predicted, Path(out), choices, emit, progress_reporter(emit, "exporting-crops", "objects"))
    return export_predicted(predicted, to, Path(out), progress_reporter(emit, "exporting-objects", "fields"))


def color_of_class(index: int) -> str:
    """Return the color of a class in exports: that of figures, and darker shades of it for further classes."""
    from coverslip.reports.figures import N_CLASS_COLORS, class_line_color

    color, shade = class_line_color(index), 0.6 ** (index // N_CLASS_COLORS)
    return "#" + "".join(f"{round(int(color[k : k + 2], 16) * shade):02x}" for k in (1, 3, 5))


def _unchanged_images(run: Run, emit: Emit) -> Dataset:
    data = unchanged_images(run)
    UnchangedImages().check(run, data, emit=emit)
    return data


def _as_dataset(data: Dataset | ImageSource) -> Dataset:
    return data if isinstance(data, Dataset) else open_dataset(data)
