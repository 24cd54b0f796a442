"""Listeners that pass the metrics of a training to other programs, by name: `mlflow`, `tensorboard`, and further ones.

Another package adds a listener as an entry point of the group `coverslip.listeners`: a function that takes the run
folder and returns a callable that receives events.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from coverslip.datasets import one_line
from coverslip.errors import CoverslipError
from coverslip.events import Emit, Event

ENTRY_POINTS = "coverslip.listeners"
NewListener = Callable[[Path], Emit]


def _mlflow(run_folder: Path) -> Emit:
    from coverslip.listeners.mlflow import MlflowListener

    return MlflowListener(run_folder)


def _tensorboard(run_folder: Path) -> Emit:
    from coverslip.listeners.tensorboard import TensorBoardListener

    return TensorBoardListener(run_folder)


@cache
def _listeners() -> Mapping[str, Callable[[], NewListener]]:
    others = {entry.name: entry.load for entry in entry_points(group=ENTRY_POINTS)}
    return {**others, "mlflow": lambda: _mlflow, "tensorboard": lambda: _tensorboard}


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
