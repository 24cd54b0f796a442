"""Where the command `coverslip` begins; `python -m coverslip` is the same."""

import atexit
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

_INTERRUPTED = 130


def main() -> int:
    """Run one command and give its exit code, also where Ctrl-C comes before its modules are imported.

    SIGTERM and the end of the terminal (SIGHUP) interrupt a command as Ctrl-C does, unless they are ignored (`nohup`).
    """
    # The last step of all: while Python takes itself apart, Ctrl-C would otherwise replace the exit code.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        _on_signals(signal.default_int_handler)
        try:
            from coverslip.cli import main as run

            return run()
        finally:
            _on_signals(_leave_at_once)
    except KeyboardInterrupt:
        print("Error: Interrupted.", file=sys.stderr)  # noqa: T201  this is the door
        return _INTERRUPTED
    finally:
        # An interrupt within `exec`, of which dataclasses are made, has `python -m` end by SIGINT later on, also where
        # it was caught. The next `exec` takes that back.
        exec("")  # noqa: S102  of nothing


def _on_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _leave_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
