"""The run folder: where each file of it lies, and all of them read into one typed `Run`."""

import re
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np

from coverslip.datasets import Inspection
from coverslip.errors import BadRun
from coverslip.evaluation import Evaluation, LearningCurve
from coverslip.files import atomic_write
from coverslip.messages import ChooseOther, Resume, text
from coverslip.runs.classifier import ClassifierCard, card_of
from coverslip.runs.documents import check_format, read_object
from coverslip.runs.environment import Environment, EvaluatedImages
from coverslip.runs.history import Epoch, read_history
from coverslip.runs.predictions import Predictions, read_predictions
from coverslip.runs.recipe import Recipe, load_recipe
from coverslip.runs.results import LabelErrors, LearningCurveRecord, MapChecks, read_inspection, read_metrics
from coverslip.runs.split import SplitRow, read_split
from coverslip.runs.status import WORK_LOCK, Status, folder_not_created
from coverslip.runs.training import BudgetRecord, TrainingRecord
from coverslip.runs.training_hashes import SEEN, TrainingHashRecord

GIVEN_TABLE = "table.csv"  # in the folder of images that were given in memory
_GIVEN = "in_memory_images"
_MOST_ARRAY_BYTES = 512 * 2**20  # logits of half a million images in 121 classes


@dataclass(frozen=True)
class Run:
    """A folder with what a training, one of its folds, or a measurement on other images left behind.

    Files are read when they are first asked for. What a run has not reached yet is None or empty where its type says
    so, and BadRun else. A run may be given wherever the path of its folder may.

    Examples:
        >>> run = cs.open_run("runs/first")
        >>> run.card.classes
        ('lymphocyte', 'monocyte')
        >>> 0 <= run.metrics["accuracy"].value <= 1
        True
    """

    folder: Path

    def __fspath__(self) -> str:
        """The folder's path, so that `Path(run)` and `os.path.join(run, "metrics.json")` work."""
        return str(self.folder)

    @property
    def recipe_file(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def environment_file(self) -> Path:
        return self.folder / "environment.json"

    @property
    def inspection_file(self) -> Path:
        return self.folder / "data.json"

    @property
    def split_file(self) -> Path:
        return self.folder / "split.csv"

    @property
    def status_file(self) -> Path:
        return self.folder / "status.json"

    @property
    def stop_file(self) -> Path:
        return self.folder / "stop"

    @property
    def finish_file(self) -> Path:
        return self.folder / "finish"

    @property
    def events_file(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def history_file(self) -> Path:
        return self.folder / "history.csv"

    @property
    def training_file(self) -> Path:
        return self.folder / "training.json"

    @property
    def learning_curve_file(self) -> Path:
        return self.folder / "learning_curve.json"

    @property
    def label_errors_file(self) -> Path:
        return self.folder / "suspected_label_errors.json"

    @property
    def map_checks_file(self) -> Path:
        return self.folder / "map_checks.json"

    @property
    def budget_file(self) -> Path:
        return self.folder / "budget.json"

    @property
    def test_set_accesses_file(self) -> Path:
        return self.folder / "test_set_accesses.json"

    @property
    def training_hashes_file(self) -> Path:
        return self.folder / SEEN

    @property
    def content_hashes_file(self) -> Path:
        """What the files of its images held when it began."""
        return self.folder / "content_hashes.csv"

    def checkpoint_file(self, which: Literal["best", "last"]) -> Path:
        """The state of fine-tuning after its best epoch so far, or after its last one."""
        return self.folder / "checkpoints" / f"{which}.safetensors"

    @property
    def classifier_folder(self) -> Path:
        return self.folder / "classifier"

    @property
    def validation_file(self) -> Path:
        """Predictions of validation images."""
        return self.folder / "validation.csv"

    @property
    def predictions_file(self) -> Path:
        """Predictions of held-out images."""
        return self.folder / "predictions.csv"

    @property
    def metrics_file(self) -> Path:
        return self.folder / "metrics.json"

    @property
    def confusion_file(self) -> Path:
        """The confusion matrix."""
        return self.folder / "confusion_matrix.csv"

    @property
    def given_images_folder(self) -> Path:
        """Images that were given in memory, and their table."""
        return self.folder / _GIVEN

    @property
    def figures_folder(self) -> Path:
        return self.folder / "figures"

    @property
    def evaluations_folder(self) -> Path:
        return self.folder / "evaluations"

    @property
    def report_file(self) -> Path:
        return self.folder / "report.html"

    @property
    def model_card_file(self) -> Path:
        return self.folder / "model_card.md"

    def _repr_html_(self) -> str:
        """Where it is, how far it came, and its numbers, for notebooks."""
        status = self.status
        state = "not begun" if status is None else status.state
        numbers = self.metrics._repr_html_() if self.is_measured else ""
        return f"<p>Run <code>{escape(str(self.folder))}</code>: {state}</p>{numbers}"

    def fold(self, number: int) -> "Run":
        """The training of one fold, 1-based."""
        return Run(self.folder / "folds" / str(number))

    def evaluation(self, name: str) -> "Run":
        """A measurement on other images."""
        return Run(self.evaluations_folder / name)

    @property
    def evaluations(self) -> list["Run"]:
        """All measurements on other images, by name; some may still be made, or have failed."""
        folders = self.evaluations_folder.glob("*/")
        return [Run(folder) for folder in sorted(folders) if Run(folder).status_file.is_file()]

    @property
    def pretraining(self) -> "Run":
        """Pretraining on other images, where the recipe asks for it."""
        return Run(self.folder / "pretraining")

    @property
    def is_pretraining(self) -> bool:
        """Whether it is the first step of another run."""
        return self == Run(self.folder.parent).pretraining and Run(self.folder.parent).recipe_file.is_file()

    @property
    def is_evaluation(self) -> bool:
        """Whether it is a measurement on other images, which has no recipe of its own."""
        return self.folder.absolute().parent.name == "evaluations" and not self.recipe_file.is_file()

    @property
    def whole(self) -> "Run":
        """The run that this is a fold of, or an evaluation."""
        return Run(self.folder.absolute().parent.parent)

    @cached_property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return load_recipe(self.recipe_file)

    @cached_property
    def environment(self) -> Environment:
        """With what it was made, and where its images lay."""
        return Environment.read(self.environment_file)

    @cached_property
    def evaluated_images(self) -> EvaluatedImages | None:
        """Of an evaluation on other images: where these lay."""
        return EvaluatedImages.read_if_there(self.environment_file)

    @cached_property
    def inspection(self) -> Inspection | None:
        """The inspection of the images."""
        return read_inspection(self.inspection_file) if self.inspection_file.is_file() else None

    @cached_property
    def split(self) -> tuple[SplitRow, ...]:
        """The part that each image takes; empty before images were shared out."""
        return read_split(self.split_file) if self.split_file.is_file() else ()

    @property
    def status(self) -> Status | None:
        """The last status of the process that works on the run, read at each access; None before there is one."""
        return Status.read_if_there(self.status_file)

    @property
    def is_done(self) -> bool:
        """Whether training came to its end."""
        status = self.status
        return status is not None and status.state == "done"

    @cached_property
    def history(self) -> tuple[Epoch, ...]:
        """The epochs of fine-tuning."""
        return read_history(self.history_file)

    @cached_property
    def training(self) -> TrainingRecord | None:
        """How its network came about."""
        return TrainingRecord.read_if_there(self.training_file)

    @cached_property
    def learning_curve(self) -> LearningCurve | None:
        """What more images would bring; None where no curve was drawn."""
        record = LearningCurveRecord.read_if_there(self.learning_curve_file)
        return None if record is None else record.curve

    @cached_property
    def label_errors(self) -> LabelErrors | None:
        """Suspected label errors; None if they were not searched for."""
        return LabelErrors.read_if_there(self.label_errors_file)

    @cached_property
    def map_checks(self) -> MapChecks | None:
        """Sanity checks of heat maps of its classifier; None if none were drawn."""
        return MapChecks.read_if_there(self.map_checks_file)

    @cached_property
    def budget(self) -> BudgetRecord | None:
        """What was planned for its time; None where it may take as long as it takes."""
        return BudgetRecord.read_if_there(self.budget_file)

    @cached_property
    def seen(self) -> TrainingHashRecord:
        """Which images' pixels its weights and choices come from."""
        return TrainingHashRecord.read(self.training_hashes_file)

    @cached_property
    def card(self) -> ClassifierCard | None:
        """What its classifier says of itself."""
        return card_of(self.classifier_folder) if self.has_classifier else None

    @property
    def has_classifier(self) -> bool:
        """Whether there is a classifier. The training may still be running."""
        return (self.classifier_folder / "classifier.json").is_file()

    @cached_property
    def metrics(self) -> Evaluation:
        """Numbers of the held-out images: `run.metrics["macro_f1"].low`."""
        return read_metrics(self.metrics_file)

    @property
    def is_measured(self) -> bool:
        """Whether there are numbers."""
        return self.metrics_file.is_file()

    @cached_property
    def predictions(self) -> Predictions:
        """Predictions of the held-out images."""
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
        """(n, K + 1) of a cross-validated run: logits that its decisions were learnt on, and the class's number."""
        return _read_array(self._logits_file("decisions"))

    def write_logits(self, part: str, logits: np.ndarray) -> None:
        """Keep logits as they are, since tables round: those of `test` or `validation` images, or `decisions`."""
        with atomic_write(self._logits_file(part)) as whole, whole.open("wb") as file:
            np.save(file, logits, allow_pickle=False)

    def _logits_file(self, part: str) -> Path:
        return self.folder / "logits" / f"{part}.npy"

    @property
    def is_cross_validated(self) -> bool:
        """Whether it was made of folds."""
        return (self.folder / "folds").is_dir()

    @cached_property
    def folds(self) -> tuple["Run", ...]:
        """The trainings of its folds, as far as they have begun."""
        numbers = sorted(int(folder.name) for folder in (self.folder / "folds").glob("*") if folder.name.isdecimal())
        return tuple(self.fold(number) for number in numbers)

    @cached_property
    def trainings(self) -> tuple[TrainingRecord, ...]:
        """How the networks that were measured came about: those of the folds, else the run's own."""
        records = (run.training for run in (self.folds or (self,)))
        return tuple(record for record in records if record is not None)


def open_run(folder: Run | Path | str) -> Run:
    """A run that has been written.

    Raises:
        BadRun: there is no run folder, it is of a newer format, or a folder in it that is written to is a link.

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
        check_format(read_object(run.environment_file).get("format_version"), run.folder)
    for place in (run.figures_folder, run.evaluations_folder):
        if place.is_symlink():  # of an untrusted run: writing there would replace files outside of it
            raise BadRun("linked-run-folder", file=place)
    return run


def is_run(folder: Path) -> bool:
    """Whether a training has begun in a folder."""
    return Run(folder).recipe_file.is_file()


def check_new_folder(folder: Path) -> None:
    """Check that a folder can become that of a run; nothing is written.

    Raises:
        BadRun: it exists and is not empty.
    """
    run = Run(folder)
    if folder.exists() and not _never_began(folder):
        can_resume = run.recipe_file.is_file() and not run.is_done
        raise BadRun(
            "run-folder-exists",
            file=folder,
            remedies=(ChooseOther("output"), *([Resume(str(folder))] if can_resume else [])),
            can_resume=can_resume,
        )


def create_run_folder(folder: Path) -> Run:
    """Make a new folder for a run, or take one that is locked for it (`work_lock`).

    Raises:
        BadRun: it exists and is not empty.
    """
    check_new_folder(folder)
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_not_created(folder, error) from error
    return Run(folder)


def _never_began(folder: Path) -> bool:
    """Return whether a run was killed while the first files of its folder were written, so that nothing is lost."""
    begun = re.compile(
        rf"{re.escape(WORK_LOCK)}|(environment|budget)\.json"
        rf"|\.({re.escape(WORK_LOCK)}|environment\.json|budget\.json|recipe\.yaml)\.[0-9a-f]+\.part"
    )
    return folder.is_dir() and all(begun.fullmatch(file.name) or _holds_copies(file) for file in folder.iterdir())


def _holds_copies(folder: Path) -> bool:
    """Whether this is a folder of copies of images that were given in memory, and of nothing else."""
    ours = re.compile(rf"{re.escape(GIVEN_TABLE)}|[0-9a-f]{{32}}\.tif|\..+\.[0-9a-f]+\.part")
    return folder.name == _GIVEN and folder.is_dir() and all(ours.fullmatch(file.name) for file in folder.iterdir())


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
