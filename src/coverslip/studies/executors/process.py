"""A training of a study in a process of its own, and what it leaves beside its folder: recipe, log, why it failed."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from coverslip.files import write_json
from coverslip.messages import FAILURE_VARIABLE, Failure, failure, failure_of
from coverslip.runs import Recipe, Run, is_run, save_recipe

_LINES_KEPT = 2  # of what a training that failed wrote last
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be trained; it can be sent to another computer."""

    sources: tuple[str, ...]  # folders or tables
    recipe: Recipe
    group_pattern: str | None
    threads: int


def begin(order: Order, folder: Path) -> "subprocess.Popen[bytes]":
    """Begin a training, or go on with it, in a session of its own: Ctrl-C reaches it once, by who began it.

    Args:
        order: what is to be trained.
        folder: of the run.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    failure_file(folder).unlink(missing_ok=True)
    arguments = ["--resume", str(folder)]
    if not is_run(folder):
        save_recipe(order.recipe, recipe := folder.with_name(f"{folder.name}.yaml"))
        groups = ["--group-pattern", order.group_pattern] if order.group_pattern else []
        arguments = [*order.sources, "--recipe", str(recipe), *groups, "--out", str(folder)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(order.threads),
        FAILURE_VARIABLE: str(failure_file(folder)),
    }
    with log_file(folder).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "coverslip", "train", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def settle(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait for the end of a training; one that ended without a word has its last lines written down as the reason."""
    code = process.wait()
    if code in (0, _INTERRUPTED) or failure_file(folder).is_file() or Run(folder).status is not None:
        return
    lines = _last_lines(folder).rstrip(".")
    if lines:
        fail(folder, failure("training-process-failed", last_lines=lines))
    else:
        fail(folder, failure("training-process-ended", exit_code=str(code)))


def fail(folder: Path, reason: Failure) -> None:
    """Write down why a training did not start."""
    write_json(failure_file(folder), asdict(reason))


def why_not_begun(folder: Path) -> str | None:
    """Why a training failed that has no folder to say so in; None where it did not."""
    try:
        reason = failure_of(json.loads(failure_file(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    about = f" ({reason.file})" if reason.file else ""
    return f"{reason.what}{about}. {reason.do}".rstrip()


def log_file(folder: Path) -> Path:
    """What the process of a training prints."""
    return folder.with_name(f"{folder.name}.log")


def failure_file(folder: Path) -> Path:
    """How the process of a training failed, where it did."""
    return folder.with_name(f"{folder.name}.failure.json")


def _last_lines(folder: Path) -> str:
    lines = [line.strip() for line in log_file(folder).read_text(encoding="utf-8", errors="replace").splitlines()]
    return " ".join(list(filter(None, lines))[-_LINES_KEPT:])
