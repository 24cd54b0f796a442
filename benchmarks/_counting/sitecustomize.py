"""Counters in every Python process of a session of `same_answers.py`: Python imports this module when it starts.

Each process appends lines to the file that SAME_ANSWERS_COUNTS names: its start, the programs and forks that it starts,
every opening of an image of the session for reading, every SQL statement by database and thread, and its peak memory
when it ends. A process that is killed writes no peak. The module uses audit events and the trace of SQLite.
"""

import atexit
import os
import re
import resource
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

_IMAGE = re.compile(r"slide\d+_\w+\.(png|tif)")  # names of the images that a session writes
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|TABLE|INDEX|JOIN)\s+\"?(\w+)", re.IGNORECASE)


def main(file: str) -> None:
    """Install the counters."""
    log = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    original_connect = sqlite3.connect

    def write(*fields: object) -> None:
        line = "\t".join(re.sub(r"\s+", " ", str(field)) for field in (os.getpid(), *fields))
        os.write(log, f"{line}\n".encode(errors="replace"))

    def count_opening(path: object, mode: object, flags: int) -> None:
        if isinstance(path, (str, bytes, os.PathLike)) and not flags & (os.O_WRONLY | os.O_RDWR):
            name = os.fsdecode(path).rpartition("/")[2]
            if _IMAGE.fullmatch(name):
                write("open", name)

    def count(event: str, values: tuple[Any, ...]) -> None:
        if event == "open":
            count_opening(*values)
        elif event == "subprocess.Popen":
            write("program", program_of([os.fsdecode(value) for value in values[1]]))
        elif event in ("os.fork", "os.forkpty", "os.posix_spawn", "os.system"):
            write("program", event)

    def connect(database: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = original_connect(database, *arguments, **options)
        name = Path(os.fsdecode(database)).name
        connection.set_trace_callback(lambda sql: write("sql", name, threading.current_thread().name, summary_of(sql)))
        return connection

    sqlite3.connect = sqlite3.dbapi2.connect = connect  # type: ignore[assignment]  # no audit event can set a trace
    write("start", program_of(sys.orig_argv), os.getppid())
    atexit.register(lambda: write("peak", program_of(sys.orig_argv), peak_mib()))
    sys.addaudithook(count)


def program_of(command: list[str]) -> str:
    """Return the name of a program, of a Python program with its module and its sub-command or task."""
    if not Path(command[0]).name.startswith("python"):
        return Path(command[0]).name
    for k, argument in enumerate(command[1:], start=1):
        if argument == "-m":
            task = command[k + 2] if len(command) > k + 2 else ""
            is_name = re.fullmatch(r"[a-z][\w.:-]*", task)
            return f"python -m {command[k + 1]} {task if is_name else ''}".strip()
        if argument == "-c":
            return " ".join(["python", *command[1 : k + 1]])
        if not argument.startswith("-"):
            return f"python {Path(argument).name}"
    return "python"


def summary_of(sql: str) -> str:
    """Return the verb and the first table of a statement, or the statement as far as it is constant."""
    verb = sql.split(None, 1)[0].upper() if sql.strip() else ""
    table = _TABLE.search(sql)
    return f"{verb} {table[1]}" if table else sql.strip()[:40]


def peak_mib() -> int:
    """Return the peak memory of this program alone; of its parent too before it started, outside Linux."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) // 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 1024)


if os.environ.get("SAME_ANSWERS_COUNTS"):
    main(os.environ["SAME_ANSWERS_COUNTS"])
