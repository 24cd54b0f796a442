"""Messages between a process and those that it began: four bytes of length (big endian) and so many bytes of JSON."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

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


Json = dict[str, Any]  # Any: JSON values
_LONGEST = 16 * 2**20


def write_message(stream: IO[bytes], message: Json, after: bytes | memoryview = b"") -> None:
    """Send one message, and the bytes that it announces, if any."""
    data = json.dumps(message, allow_nan=False).encode()
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.write(after)
    stream.flush()


def read_message(stream: IO[bytes]) -> Json | None:
    """Return the next message; None where the other side has ended."""
    head = stream.read(4)
    if len(head) < 4 or int.from_bytes(head, "big") > _LONGEST:
        return None
    data = stream.read(int.from_bytes(head, "big"))
    if len(data) < int.from_bytes(head, "big"):
        return None
    message: Json = json.loads(data)
    return message
