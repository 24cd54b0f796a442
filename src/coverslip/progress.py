"""The default listener of the Python functions: progress on a terminal and in a notebook."""

import shutil
import sys
import time
from dataclasses import dataclass, field
from html import escape
from typing import Any

from coverslip.events import CheckpointSaved, Event, Progressed, StepEnded, ValidationImagesChosen, WorkPlanned

_SECONDS_BETWEEN = 0.1  # updates of the line that moves
_BAR_WIDTH = 20


@dataclass
class _Output:
    """What stands in the output of a notebook's cell, and when its last line was updated."""

    cell: int = -1
    handle: Any = None  # Any: IPython's DisplayHandle
    lines: list[str] = field(default_factory=list)
    updated: float = 0.0


_output = _Output()


def show(event: Event) -> None:
    """Show an event: progress in a line that is updated, other events in a line each.

    It writes to stderr if that is a terminal, or into the output of a notebook's cell. To keep a function silent, give
    it `emit=coverslip.events.ignore`.
    """
    shell = _notebook()
    is_terminal = sys.stderr is not None and sys.stderr.isatty()  # a program without a console has none
    if (shell is None and not is_terminal) or isinstance(event, CheckpointSaved | ValidationImagesChosen | WorkPlanned):
        return
    share = _share(event)
    if share is not None and share < 1:
        if time.monotonic() - _output.updated < _SECONDS_BETWEEN:
            return
        _output.updated = time.monotonic()
    line = str(event) if share is None else f"{_bar(share)} {event}"
    if shell is None:
        _write(line, is_lasting=_is_lasting(event))
    else:
        _display(shell.execution_count, line, is_lasting=_is_lasting(event))


def _share(event: Event) -> float | None:
    """Return how much of the work is done, from 0 to 1; None for an event that is no progress."""
    match event:
        case Progressed():
            return event.done / max(event.total, 1)
        case StepEnded():
            return event.step / max(event.n_steps, 1)
    return None


def _is_lasting(event: Event) -> bool:
    return not isinstance(event, StepEnded) and not (isinstance(event, Progressed) and event.done < event.total)


def _bar(share: float) -> str:
    n_full = int(share * _BAR_WIDTH)
    return f"{share:4.0%} |{'#' * n_full}{'-' * (_BAR_WIDTH - n_full)}|"


def _write(line: str, *, is_lasting: bool) -> None:
    """Write over the line that moves; a lasting line stays above it."""
    width = shutil.get_terminal_size().columns - 1
    sys.stderr.write("\r" + (f"{line.ljust(width)}\n" if is_lasting else line[:width].ljust(width)))
    sys.stderr.flush()


def _notebook() -> Any:  # Any: IPython's shell
    """Return the shell of the notebook that runs this process; None if there is none."""
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
