"""The run folder: paths and contents of its files as a typed `Run`, the context of its training, test set accesses."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np

from coverslip.datasets.quality.inspecting import Inspection
from coverslip.errors import BadRun, CoverslipError
from coverslip.evaluation.learning import LearningCurve
from coverslip.evaluation.results import Evaluation
from coverslip.events import Emit, Event, ignore
from coverslip.files import atomic_write
from coverslip.messages import ChooseOther, Resume, text
from coverslip.runs.classifier import ClassifierCard, card_of
from coverslip.runs.documents import read_object
from coverslip.runs.predictions import Predictions, read_predictions
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import load_recipe
from coverslip.runs.results import (
    AdaptationRecord,
    Evidence,
    LabelErrors,
    LearningCurveRecord,
    MapChecks,
    Occasion,
    TestSetAccesses,
    TrainingChecks,
    read_inspection,
    read_metrics,
)
from coverslip.runs.split import TRAINING_HASHES_FILE, SplitRow, TrainingHashes, TrainingHashRecord, read_split
from coverslip.runs.status import WORK_LOCK, Environment, EvaluatedImages, Status, folder_not_created
from coverslip.runs.training import BudgetRecord, Epoch, TrainingRecord, read_history
from coverslip.stopping import BY_SIGNAL, NO_DEADLINE, Deadline, Stop, TimeLimit

IN_MEMORY_TABLE = "table.csv"  # in the folder of images from memory
_IN_MEMORY = "in_memory_images"
_MOST_ARRAY_BYTES = 512 * 2**20  # logits of half a million images in 121 classes


class _Inside:
    """A property of `Run`: the path of a file or folder inside the run folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, run: "Run", owner: type["Run"]) -> Path:
        return run.folder / self._name


@dataclass(frozen=True)
class Run:
    """The folder of a training, of one of its folds, or of an evaluation on an external test set.

    Files are read at the first access. A file that does not exist yet gives None or an empty value if the type of the
    property allows it, and raises BadRun otherwise. A run can be used like the path of its folder.

    Examples:
        >>> run = cs.open_run("runs/first")
        >>> run.card.classes
        ('lymphocyte', 'monocyte')
        >>> 0 <= run.metrics["accuracy"].value <= 1
        True
    """

    folder: Path

    recipe_file = _Inside("recipe.yaml")
    environment_file = _Inside("environment.json")
    inspection_file = _Inside("data.json")
    split_file = _Inside("split.csv")
    status_file = _Inside("status.json")
    stop_file = _Inside("stop")
    finish_file = _Inside("finish")
    events_file = _Inside("events.jsonl")
    history_file = _Inside("history.csv")
    training_file = _Inside("training.json")
    learning_curve_file = _Inside("learning_curve.json")
    label_errors_file = _Inside("suspected_label_errors.json")
    checks_file = _Inside("checks.json")  # of the training images
    adaptation_file = _Inside("adaptation.json")  # of a classifier that was adapted to another laboratory
    evidence_file = _Inside("evidence.json")  # reasons of the verdict besides the metrics, for exports
    map_checks_file = _Inside("map_checks.json")
    budget_file = _Inside("budget.json")
    test_set_accesses_file = _Inside("test_set_accesses.json")
    training_hashes_file = _Inside(TRAINING_HASHES_FILE)
    content_hashes_file = _Inside("content_hashes.csv")  # hashes of the image files at the start of the run
    classifier_folder = _Inside("classifier")
    validation_file = _Inside("validation.csv")  # predictions of validation images
    predictions_file = _Inside("predictions.csv")  # predictions of test images
    metrics_file = _Inside("metrics.json")
    confusion_file = _Inside("confusion_matrix.csv")  # the confusion matrix
    in_memory_folder = _Inside(_IN_MEMORY)  # copies of images from memory, and their table
    figures_folder = _Inside("figures")
    evaluations_folder = _Inside("evaluations")
    exports_folder = _Inside("exports")  # exports of the app for other programs
    report_file = _Inside("report.html")
    results_file = _Inside("results.json")  # the sections of the report as data
    model_card_file = _Inside("model_card.md")

    def __fspath__(self) -> str:
        """The folder's path, so that `Path(run)` and `os.path.join(run, "metrics.json")` work."""
        return str(self.folder)

    def checkpoint_file(self, which: Literal["instant", "best", "last"]) -> Path:
        """The result of the instant stage, or the checkpoint of fine-tuning after the best or the last epoch so far."""
        return self.folder / "checkpoints" / f"{which}.safetensors"

    def _repr_html_(self) -> str:
        """Folder, state, verdict and metrics, for notebooks."""
        status = self.status
        state = "not begun" if status is None else status.state
        evidence = Evidence.read_if_there(self.evidence_file)
        verdict = f"<p><strong>{escape(evidence.headline)}</strong></p>" if evidence else ""
        numbers = self.metrics._repr_html_() if self.is_measured else ""
        return f"<p>Run <code>{escape(str(self.folder))}</code>: {state}</p>{verdict}{numbers}"

    def fold(self, number: int) -> "Run":
        """Return the training of one fold, 1-based."""
        return Run(self.folder / "folds" / str(number))

    def evaluation(self, name: str) -> "Run":
        """Return the evaluation of this name, on an external test set."""
        return Run(self.evaluations_folder / name)

    @property
    def evaluations(self) -> list["Run"]:
        """All evaluations on external test sets by name, including unfinished and failed ones."""
        folders = self.evaluations_folder.glob("*/")
        return [Run(folder) for folder in sorted(folders) if Run(folder).status_file.is_file()]

    @property
    def pretraining(self) -> "Run":
        """The pretraining on other images; its folder exists only if the recipe has pretraining."""
        return Run(self.folder / "pretraining")

    @property
    def is_pretraining(self) -> bool:
        """Whether this run is the pretraining of another run."""
        return self == Run(self.folder.parent).pretraining and Run(self.folder.parent).recipe_file.is_file()

    @property
    def is_evaluation(self) -> bool:
        """Whether this is an evaluation on an external test set, which has no recipe."""
        return self.folder.absolute().parent.name == "evaluations" and not self.recipe_file.is_file()

    @property
    def parent_run(self) -> "Run":
        """The run that this fold or evaluation belongs to."""
        return Run(self.folder.absolute().parent.parent)

    @cached_property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return load_recipe(self.recipe_file)

    @cached_property
    def environment(self) -> Environment:
        """Versions, machine, and how and where images were opened."""
        return Environment.read(self.environment_file)

    @property
    def is_split_leaky(self) -> bool:
        """Whether groups and duplicates may be in several sets: leakage was allowed, and sets were predefined."""
        has_predefined_sets = bool(self.environment.predefined_sets) or self.recipe.split.run is not None
        return self.environment.allow_leakage and has_predefined_sets

    @cached_property
    def evaluated_images(self) -> EvaluatedImages | None:
        """The images of an evaluation: how and where they were opened, and their overlap with training."""
        return EvaluatedImages.read_if_there(self.environment_file)

    @cached_property
    def inspection(self) -> Inspection | None:
        """The inspection of the images."""
        return read_inspection(self.inspection_file) if self.inspection_file.is_file() else None

    @cached_property
    def split(self) -> tuple[SplitRow, ...]:
        """The set of each image; empty before the images are split."""
        return read_split(self.split_file) if self.split_file.is_file() else ()

    @property
    def status(self) -> Status | None:
        """The status of the process that works or worked on the run, read at each access; None before the first."""
        return Status.read_if_there(self.status_file)

    @property
    def is_done(self) -> bool:
        """Whether the training is complete."""
        status = self.status
        return status is not None and status.state == "done"

    @cached_property
    def history(self) -> tuple[Epoch, ...]:
        """The epochs of fine-tuning."""
        return read_history(self.history_file)

    @cached_property
    def training(self) -> TrainingRecord | None:
        """The record of the training; None before its end."""
        return TrainingRecord.read_if_there(self.training_file)

    @cached_property
    def learning_curve(self) -> LearningCurve | None:
        """The learning curve; None if it was not computed."""
        record = LearningCurveRecord.read_if_there(self.learning_curve_file)
        return None if record is None else record.curve

    @cached_property
    def label_errors(self) -> LabelErrors | None:
        """Suspected label errors; None before a search."""
        return LabelErrors.read_if_there(self.label_errors_file)

    @cached_property
    def checks(self) -> TrainingChecks | None:
        """Checks of the training images; None if there were none."""
        return TrainingChecks.read_if_there(self.checks_file)

    @cached_property
    def adaptation(self) -> AdaptationRecord | None:
        """How the classifier was adapted to another laboratory; None if it was not."""
        return AdaptationRecord.read_if_there(self.adaptation_file)

    @cached_property
    def map_checks(self) -> MapChecks | None:
        """Sanity checks of heat maps of the classifier; None if no maps were drawn."""
        return MapChecks.read_if_there(self.map_checks_file)

    @cached_property
    def budget(self) -> BudgetRecord | None:
        """The time budget and its use; None without a time budget."""
        return BudgetRecord.read_if_there(self.budget_file)

    @cached_property
    def training_hashes(self) -> TrainingHashRecord:
        """Pixel hashes of training, validation, test and pretraining images."""
        return TrainingHashRecord.read(self.training_hashes_file)

    @property
    def is_fitted_on_test(self) -> bool:
        """Whether the delivered classifier is fitted on the test images too, and is not the tested one."""
        return self.card is not None and self.card.tested is not None

    @property
    def delivered_hashes(self) -> TrainingHashes:
        """Pixel hashes of the images that the delivered classifier comes from."""
        return TrainingHashes.of(self.training_hashes, is_fitted_on_test=self.is_fitted_on_test)

    @cached_property
    def card(self) -> ClassifierCard | None:
        """The card of the classifier; None before there is a classifier."""
        return card_of(self.classifier_folder) if self.has_classifier else None

    @property
    def tested_card(self) -> ClassifierCard | None:
        """The card of the classifier that the metrics are of; None before there is a classifier."""
        return None if self.card is None else self.card.of_tested()

    @property
    def has_classifier(self) -> bool:
        """Whether there is a classifier, possibly of a training that is still running."""
        return (self.classifier_folder / "classifier.json").is_file()

    @cached_property
    def metrics(self) -> Evaluation:
        """Metrics of the test images, such as `run.metrics["macro_f1"].low`."""
        return read_metrics(self.metrics_file)

    @property
    def is_measured(self) -> bool:
        """Whether there are metrics."""
        return self.metrics_file.is_file()

    @cached_property
    def predictions(self) -> Predictions:
        """Predictions of the test images."""
        return read_predictions(self.predictions_file)

    @cached_property
    def validation(self) -> Predictions:
        """Predictions of the validation images."""
        return read_predictions(self.validation_file)

    @cached_property
    def test_logits(self) -> np.ndarray:
        """(n, K) unrounded logits of the rows of `predictions`; NaN where an image could not be read."""
        return _read_array(self._logits_file("test"))

    @cached_property
    def validation_logits(self) -> np.ndarray:
        """(n_val, K) unrounded logits of the rows of `validation`."""
        return _read_array(self._logits_file("validation"))

    @cached_property
    def decision_logits(self) -> np.ndarray:
        """(n, K + 2) of a cross-validated run: logits on which thresholds were selected, class and group numbers."""
        return _read_array(self._logits_file("decisions"))

    def write_logits(self, part: str, logits: np.ndarray) -> None:
        """Write unrounded logits of `test` or `validation` images, or of `decisions`."""
        with atomic_write(self._logits_file(part)) as whole, whole.open("wb") as file:
            np.save(file, logits, allow_pickle=False)

    def _logits_file(self, part: str) -> Path:
        return self.folder / "logits" / f"{part}.npy"

    @property
    def is_cross_validated(self) -> bool:
        """Whether the run has folds."""
        return (self.folder / "folds").is_dir()

    @cached_property
    def folds(self) -> tuple["Run", ...]:
        """The trainings of the folds that have begun."""
        numbers = sorted(int(folder.name) for folder in (self.folder / "folds").glob("*") if folder.name.isdecimal())
        return tuple(self.fold(number) for number in numbers)

    @cached_property
    def trainings(self) -> tuple[TrainingRecord, ...]:
        """The training records of the evaluated networks: those of the folds, or that of the run itself."""
        records = (run.training for run in (self.folds or (self,)))
        return tuple(record for record in records if record is not None)


def open_run(folder: Run | Path | str) -> Run:
    """Open a run folder.

    Raises:
        BadRun: the folder is not a run, is of a newer format, or contains a link in place of a folder for output.

    Examples:
        >>> run = cs.open_run("runs/first")
        >>> run.recipe.stage, run.is_done
        ('instant', True)
        >>> len(run.predictions) > 0
        True
    """
    run = Run(Path(folder))
    if not run.recipe_file.is_file():
        raise BadRun("not-a-run", file=run.folder)
    if run.environment_file.exists():
        read_object(run.environment_file)  # refuses a newer format
    for folder_inside in (run.figures_folder, run.evaluations_folder, run.exports_folder):
        if folder_inside.is_symlink():  # in an untrusted run, output would replace files outside the run
            raise BadRun("linked-run-folder", file=folder_inside)
    return run


def is_run(folder: Path) -> bool:
    """Return whether the folder is a run."""
    return Run(folder).recipe_file.is_file()


def check_new_folder(folder: Path) -> None:
    """Check that a folder can become a run folder. Nothing is written.

    Raises:
        BadRun: the folder exists and is not empty.
    """
    run = Run(folder)
    if folder.exists() and not _is_unused(folder):
        can_resume = run.recipe_file.is_file() and not run.is_done
        raise BadRun(
            "run-folder-exists",
            file=folder,
            remedies=(ChooseOther("output"), *([Resume(str(folder))] if can_resume else [])),
            can_resume=can_resume,
        )


def create_run_folder(folder: Path) -> Run:
    """Create a run folder, or use an empty one, which may contain the lock of this process (`work_lock`).

    Raises:
        BadRun: the folder exists and is not empty.
    """
    check_new_folder(folder)
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_not_created(folder, error) from error
    return Run(folder)


def _is_unused(folder: Path) -> bool:
    """Return whether the folder contains at most the first files of a run that was killed before it began."""
    first_files = re.compile(
        rf"{re.escape(WORK_LOCK)}|(environment|budget)\.json"
        rf"|\.({re.escape(WORK_LOCK)}|environment\.json|budget\.json|recipe\.yaml)\.[0-9a-f]+\.part"
    )
    return folder.is_dir() and all(
        first_files.fullmatch(file.name) or _is_in_memory_folder(file) for file in folder.iterdir()
    )


def _is_in_memory_folder(folder: Path) -> bool:
    """Return whether the folder contains only copies of images from memory."""
    copies = re.compile(rf"{re.escape(IN_MEMORY_TABLE)}|[0-9a-f]{{32}}\.tif|\..+\.[0-9a-f]+\.part")
    return (
        folder.name == _IN_MEMORY and folder.is_dir() and all(copies.fullmatch(file.name) for file in folder.iterdir())
    )


def _read_array(file: Path) -> np.ndarray:
    try:
        if not file.is_file():
            raise ValueError(text("not-a-regular-file"))
        with np.errstate(over="raise"):  # of its size
            array: object = np.load(file, allow_pickle=False, mmap_mode="r")  # which is no larger than its file
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
            raise ValueError(text("not-a-numeric-table"))
        if array.nbytes > _MOST_ARRAY_BYTES:
            raise ValueError(text("larger-than-allowed", limit=_MOST_ARRAY_BYTES // 2**20))
        return np.array(array)
    except (OSError, ValueError, EOFError, ArithmeticError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadRun("unreadable-logits", file=file, reason=reason) from error


def read_test_set_accesses(run: Run) -> TestSetAccesses:
    """Return the accesses to the test set so far; zero if their file cannot be read."""
    with suppress(CoverslipError):
        return TestSetAccesses.read_if_there(run.test_set_accesses_file) or TestSetAccesses()
    return TestSetAccesses()


def count_test_set_access(run: Run, occasion: Occasion) -> None:
    """Count an access to the test set."""
    accesses = read_test_set_accesses(run)
    _write_accesses(run, accesses.model_copy(update={occasion: getattr(accesses, occasion) + 1}))


def count_comparison(run: Run, names: list[str]) -> None:
    """Count a comparison of test metrics with the runs of these names. Each run is counted once."""
    accesses = read_test_set_accesses(run)
    compared_with = tuple(dict.fromkeys((*accesses.compared_with, *names)))
    if compared_with != accesses.compared_with:
        _write_accesses(run, accesses.model_copy(update={"compared_with": compared_with}))


def _write_accesses(run: Run, accesses: TestSetAccesses) -> None:
    with suppress(CoverslipError, OSError):  # a read-only folder is no reason to fail
        accesses.write(run.test_set_accesses_file)


@dataclass(frozen=True, slots=True)
class RunContext:
    """The context of one training: folder, device, listener, stop request and deadline.

    It can be passed to another process if its listener can.
    """

    folder: Path  # the run folder
    device: str = "cpu"  # as PyTorch names it
    emit: Emit = ignore  # receives all events
    stop: Stop = BY_SIGNAL  # the stop request
    deadline: Deadline = NO_DEADLINE  # of all work; fine-tuning without `limit` raises OutOfTime after it
    limit: TimeLimit | None = None  # to which the number of steps of fine-tuning is adapted
    with_report: bool = True  # whether a learning curve is computed and a report is written, which takes seconds

    @property
    def run(self) -> Run:
        """A new `Run` at each access, so that its files are read again."""
        return Run(self.folder)

    @property
    def is_finish_requested(self) -> bool:
        """Whether fine-tuning ends now with its best epoch so far, and the rest of the training follows."""
        return self.run.finish_file.exists()

    def with_emit(self, emit: Emit) -> "RunContext":
        """Return the context with another listener."""
        return replace(self, emit=emit)

    def with_deadline(self, deadline: Deadline) -> "RunContext":
        """Return the context with another deadline."""
        return replace(self, deadline=deadline)

    def nested(self, folder: Path, **marks: Any) -> "RunContext":  # Any: values of fields of events
        """Return the context of a training inside this one, whose events are marked with `fold` or `is_pretraining`."""

        def emit_marked(event: Event) -> None:
            self.emit(replace(event, **marks))

        return replace(self, folder=folder, emit=emit_marked)


@contextmanager
def remove_new_folder_on(error_type: type[CoverslipError], run: Run) -> Iterator[None]:
    """Remove the folder of a run or evaluation after such an error, if it is new and contains no pretraining."""
    is_new, is_parent_new = not run.folder.exists(), not run.folder.parent.exists()
    try:
        yield
    except error_type:
        if is_new and not run.pretraining.folder.exists():
            shutil.rmtree(run.folder, ignore_errors=True)
            if is_parent_new:
                with suppress(OSError):  # the parent contains other runs
                    run.folder.parent.rmdir()
        raise
