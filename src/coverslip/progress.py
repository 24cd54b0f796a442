"""The default `emit` of the Python functions: show progress on a terminal or in a notebook."""

import shutil
import sys
import time
from dataclasses import dataclass, field
from html import escape
from typing import Any

from coverslip.events import CheckpointSaved, Event, Progressed, StepEnded, ValidationImagesChosen, WorkPlanned

_UPDATE_INTERVAL_S = 0.1  # of the progress line
_BAR_WIDTH = 20


@dataclass
class _Output:
    """The output of a notebook cell, and the time of the last update."""

    cell: int = -1
    handle: Any = None  # Any: IPython's DisplayHandle
    lines: list[str] = field(default_factory=list)
    updated: float = 0.0


_output = _Output()


def show(event: Event) -> None:
    """Show an event: progress in one line that is updated, other events in one line each.

    Writes to stderr if it is a terminal, or to the output of a notebook cell. To run a function without output, pass
    `emit=coverslip.events.ignore`.
    """
    shell = _notebook()
    is_terminal = sys.stderr is not None and sys.stderr.isatty()  # None in programs without a console
    if (shell is None and not is_terminal) or isinstance(event, CheckpointSaved | ValidationImagesChosen | WorkPlanned):
        return
    fraction = _fraction(event)
    if fraction is not None and fraction < 1:
        if time.monotonic() - _output.updated < _UPDATE_INTERVAL_S:
            return
        _output.updated = time.monotonic()
    line = str(event) if fraction is None else f"{_bar(fraction)} {event}"
    if shell is None:
        _write(line, is_lasting=_is_lasting(event))
    else:
        _display(shell.execution_count, line, is_lasting=_is_lasting(event))


def _fraction(event: Event) -> float | None:
    """Return the completed fraction of the work, 0-1; None for other events than progress."""
    match event:
        case Progressed():
            return event.done / max(event.total, 1)
        case StepEnded():
            return event.step / max(event.n_steps, 1)
    return None


def _is_lasting(event: Event) -> bool:
    return not isinstance(event, StepEnded) and not (isinstance(event, Progressed) and event.done < event.total)


def _bar(fraction: float) -> str:
    n_full = int(fraction * _BAR_WIDTH)
    return f"{fraction:4.0%} |{'#' * n_full}{'-' * (_BAR_WIDTH - n_full)}|"


def _write(line: str, *, is_lasting: bool) -> None:
    """Overwrite the progress line; a lasting line stays above it."""
    width = shutil.get_terminal_size().columns - 1
    sys.stderr.write("\r" + (f"{line.ljust(width)}\n" if is_lasting else line[:width].ljust(width)))
    sys.stderr.flush()


def _notebook() -> Any:  # Any: IPython's shell
    """Return the IPython shell of the notebook; None outside of notebooks."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if hasattr(shell, "kernel") else None


def _display(cell: int, line: str, *, is_lasting: bool) -> None:
    from IPython.display import HTML, display

    is_new = cell != _output.cell
    if is_new:
        _output.cell, _output.lines = cell, []
    shown = HTML(f"<pre>{escape(chr(10).join([*_output.lines, line]))}</pre>")
    if is_lasting:
        _output.lines.append(line)
    if is_new:
        _output.handle = display(shown, display_id=True)
    else:
        _output.handle.update(shown)
