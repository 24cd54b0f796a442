"""Limits that a process sets itself before it opens what a stranger made, and may be killed by."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# Threads and their own pieces of memory count as memory that is held; such processes get along without them.
_SMALL = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

APART_VARIABLE = "COVERSLIP_DECODE_APART"
"""Where the environment has it, a process decodes images apart: commands do, and what the app begins."""


def confined_environment() -> dict[str, str]:
    """Return the environment of a process that is going to limit itself."""
    return {**os.environ, **_SMALL}


def write_answer(answer: object) -> None:
    """Write a JSON value to stdout, for `answer_in`; what libraries print afterwards goes to stderr."""
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()
    os.dup2(2, 1)


def answer_in(stdout: bytes) -> Any:  # Any: a JSON value
    """Return what `write_answer` wrote, after anything that libraries printed.

    Raises:
        ValueError: there is no answer.
    """
    return json.loads((stdout.splitlines() or [b""])[-1])


def prefer_for_oom_kill() -> None:
    """Where the computer has no memory left, Linux shall take it from here."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def limit_memory(most_bytes: int) -> None:
    """Limit memory beyond what the process uses now. Only on Linux."""
    if sys.platform == "linux":
        import resource

        held = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        wanted = held + most_bytes
        resource.setrlimit(resource.RLIMIT_AS, (wanted if most < 0 else min(wanted, most), most))


def limit_processor_time(seconds: int) -> None:
    """Beyond what the process took by now; a busy computer takes nothing of it. Not on Windows."""
    if sys.platform != "win32":
        import resource

        taken = resource.getrusage(resource.RUSAGE_SELF)
        wanted = round(taken.ru_utime + taken.ru_stime) + seconds
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (wanted if most < 0 else min(wanted, most), most))


def set_alarm(seconds: int) -> None:
    """Let the system end this process then, whatever it is at, even if nobody is left to kill it; 0: no more."""
    if sys.platform != "win32":
        import signal

        signal.alarm(seconds)
