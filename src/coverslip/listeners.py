"""Listeners that pass the metrics of a training to other programs, by name: `mlflow`, `tensorboard`, and others."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.datasets.names import one_line
from coverslip.errors import CoverslipError, require_extra
from coverslip.events import Emit, EpochEnded, Event, InstantClassifierFitted, RunEnded, StepEnded
from coverslip.runs.folder import Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

ENTRY_POINTS = "coverslip.listeners"
NewListener = Callable[[Path], Emit]


@cache
def _listeners() -> Mapping[str, Callable[[], NewListener]]:
    others = {entry.name: entry.load for entry in entry_points(group=ENTRY_POINTS)}
    return {**others, "mlflow": lambda: MlflowListener, "tensorboard": lambda: TensorBoardListener}


def listener_names() -> list[str]:
    """Return the names of all listeners."""
    return sorted(_listeners())


def open_listener(name: str, run_folder: Path) -> Emit:
    """Return the listener of this name for a training.

    Args:
        name: one of `listener_names`.
        run_folder: of the training; it need not exist yet.

    Raises:
        CoverslipError: there is no such listener, or it cannot be loaded.
        ExtraNotInstalled: its packages are not installed.
    """
    load = _listeners().get(name)
    if load is None:
        raise CoverslipError("unknown-listener", name=one_line(name, 40), names=", ".join(listener_names()))
    try:
        return load()(run_folder)
    except CoverslipError:
        raise
    except Exception as error:  # code of another package
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        raise CoverslipError("listener-not-opened", name=name, reason=reason) from error


def to_all(*listeners: Emit) -> Emit:
    """Return a listener that passes each event to all of these."""

    def emit(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return emit


# The numbers in the events of a training, as other programs show them: names, values and steps.

_OF_EPOCH = ("loss", "accuracy", "precision", "recall", "f1")


def scalars_of(event: Event) -> tuple[dict[str, float], int]:
    """Return the numbers of an event by name, and its step: an epoch, or a step of fine-tuning.

    Names begin with `train`, `validation`, `step` or `test`; before it, `fold_1` and so on, or `pretraining`.
    """
    values: dict[str, float | None] = {}
    step = 0
    match event:
        case InstantClassifierFitted():
            values = {"instant/accuracy": event.val_accuracy, "instant/f1": event.val_macro_f1}
        case StepEnded():
            values = {"step/loss": event.loss, "step/images_per_second": event.images_per_second}
            step = (event.epoch - 1) * event.n_steps + event.step
        case EpochEnded():
            values = {"learning_rate": event.learning_rate}
            for name in _OF_EPOCH:
                values[f"train/{name}"] = getattr(event, f"train_{name}")
                values[f"validation/{name}"] = getattr(event, f"val_{name}")
            step = event.epoch
        case RunEnded(state="done"):
            run = Run(Path(event.run))
            metrics = run.metrics.metrics if run.is_measured else {}
            values = {f"test/{name}": metric.value for name, metric in metrics.items()}
        case _:
            pass
    prefix = f"fold_{event.fold}/" if event.fold is not None else "pretraining/" if event.is_pretraining else ""
    return {f"{prefix}{name}": value for name, value in values.items() if value is not None}, step


def is_end(event: Event) -> bool:
    """Return whether the event ends the whole training, not a fold or the pretraining."""
    return isinstance(event, RunEnded) and event.fold is None and not event.is_pretraining


# A listener that logs a training to MLflow.

_STATES = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_EXPERIMENT = "coverslip"


class MlflowListener:
    """Logs recipe, metrics, report and model card as a run of the experiment `coverslip`.

    The environment variables of MLflow, such as `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME`, state where;
    by default the folder `mlruns` in the current folder. MLflow sends no usage data unless
    `MLFLOW_DISABLE_TELEMETRY` is `false`. If your program imports MLflow itself, set this variable to `true` before.

    Args:
        run_folder: of the training.

    Raises:
        CoverslipError: MLflow cannot open the place that `MLFLOW_TRACKING_URI` states.
        ExtraNotInstalled: MLflow is not installed.
    """

    def __init__(self, run_folder: Path | str) -> None:
        require_extra("mlflow")
        import os

        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow reads it when it is imported
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # without it, MLflow writes to no folder
        from mlflow import MlflowClient
        from mlflow.tracking import is_tracking_uri_set

        is_set = is_tracking_uri_set()  # type: ignore[no-untyped-call]
        try:
            self._client = MlflowClient(None if is_set else "mlruns")
        except Exception as error:  # of MLflow, or of a package that its stores need
            reason = one_line(f"{type(error).__name__}: {error}", 200)
            raise CoverslipError("mlflow-not-opened", reason=reason) from error
        self._run = Run(Path(run_folder))
        self._experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        self._id: str | None = None

    def __call__(self, event: Event) -> None:
        """Log the numbers of an event; after the last event, the files."""
        values, step = scalars_of(event)
        if values and self._id is None:
            self._id = self._begin()
        if self._id is None:
            return
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=step)
        if is_end(event) and isinstance(event, RunEnded):
            for file in (self._run.report_file, self._run.model_card_file, self._run.metrics_file):
                if file.is_file():
                    self._client.log_artifact(self._id, str(file))
            self._client.set_terminated(self._id, _STATES[event.state])
            self._id = None

    def _begin(self) -> str:
        experiment = self._client.get_experiment_by_name(self._experiment)
        experiment_id = (
            self._client.create_experiment(self._experiment) if experiment is None else experiment.experiment_id
        )
        run = self._client.create_run(experiment_id, run_name=self._run.folder.name)
        for key, value in _flat(self._run.recipe.model_dump(mode="json")).items():
            self._client.log_param(run.info.run_id, key, value)
        run_id: str = run.info.run_id
        return run_id


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:  # Any: JSON values
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


# A listener that writes the metrics of a training for TensorBoard.


class TensorBoardListener:
    """Writes metrics to the folder `tensorboard/` in the run folder.

    Args:
        run_folder: of the training.
    """

    def __init__(self, run_folder: Path | str) -> None:
        require_extra("tensorboard")
        require_extra("train")  # whose PyTorch writes the files
        self._folder = str(Path(run_folder) / "tensorboard")
        self._writer: SummaryWriter | None = None

    def __call__(self, event: Event) -> None:
        """Write the numbers of an event."""
        values, step = scalars_of(event)
        if values and self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self._folder)
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        if is_end(event):
            self._writer.close()
            self._writer = None
