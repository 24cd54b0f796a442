"""Messages between parent and child processes, and limits of processes.

A message is JSON with a length prefix of four bytes (big endian).
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

# Threads and memory arenas count toward memory limits; processes with limits do not need them.
_SMALL = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

DECODE_APART_VARIABLE = "COVERSLIP_DECODE_APART"
"""Environment variable: the process decodes images in child processes, as commands and workers of the app do."""


def confined_environment() -> dict[str, str]:
    """Return the environment for a process with limits."""
    return {**os.environ, **_SMALL}


def write_answer(answer: object) -> None:
    """Write a JSON value to stdout, for `answer_in`, and redirect later output of libraries to stderr."""
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()
    os.dup2(2, 1)


def answer_in(stdout: bytes) -> Any:  # Any: a JSON value
    """Return the value that `write_answer` wrote, ignoring earlier output of libraries.

    Raises:
        ValueError: there is no answer.
    """
    return json.loads((stdout.splitlines() or [b""])[-1])


def prefer_for_oom_kill() -> None:
    """Make this process the first that Linux kills if memory is exhausted."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def limit_memory(most_bytes: int) -> None:
    """Limit additional memory of this process to `most_bytes`. Linux only."""
    if sys.platform == "linux":
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = used + most_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit if most < 0 else min(limit, most), most))


def limit_processor_time(seconds: int) -> None:
    """Limit additional processor time of this process, independent of the load of the computer. Not on Windows."""
    if sys.platform != "win32":
        import resource

        usage = resource.getrusage(resource.RUSAGE_SELF)
        limit = round(usage.ru_utime + usage.ru_stime) + seconds
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (limit if most < 0 else min(limit, most), most))


def set_alarm(seconds: int) -> None:
    """Let the system end this process after some seconds, even without a parent process; 0 cancels. Not on Windows."""
    if sys.platform != "win32":
        import signal

        signal.alarm(seconds)


Json = dict[str, Any]  # Any: JSON values
_MAX_MESSAGE_BYTES = 16 * 2**20


def write_message(stream: IO[bytes], message: Json, after: bytes | memoryview = b"") -> None:
    """Send one message, optionally followed by bytes that it announces."""
    data = json.dumps(message, allow_nan=False).encode()
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.write(after)
    stream.flush()


def read_message(stream: IO[bytes]) -> Json | None:
    """Return the next message; None if the other process has ended or the message is too long."""
    head = stream.read(4)
    if len(head) < 4 or int.from_bytes(head, "big") > _MAX_MESSAGE_BYTES:
        return None
    data = stream.read(int.from_bytes(head, "big"))
    if len(data) < int.from_bytes(head, "big"):
        return None
    message: Json = json.loads(data)
    return message
