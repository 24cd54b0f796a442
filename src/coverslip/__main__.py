"""The entry point of the command `coverslip` and of `python -m coverslip`."""

import atexit
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

_INTERRUPTED = 130


def main() -> int:
    """Run one command and return its exit code, also if Ctrl-C is pressed while modules are imported.

    SIGTERM and SIGHUP (end of the terminal) interrupt a command like Ctrl-C. Signals that are ignored stay ignored:
    SIGINT if a script started the command with `&`, SIGHUP if `nohup` did.
    """
    # The last step: Ctrl-C during the shutdown of Python would replace the exit code.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        _set_handlers(signal.default_int_handler)
        try:
            from coverslip.cli import main as run

            return run()
        finally:
            _set_handlers(_exit_at_once)
    except KeyboardInterrupt:
        print("Error: Interrupted.", file=sys.stderr)  # noqa: T201  output of a command
        return _INTERRUPTED
    finally:
        # After an interrupt within `exec`, which `dataclass` uses, `python -m` ends by SIGINT, even if the interrupt
        # was caught. The next `exec` resets this state.
        exec("")  # noqa: S102  empty code


def _set_handlers(handler: Callable[[int, FrameType | None], object]) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
