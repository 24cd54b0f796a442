"""Run one coverslip command as a child process and measure its output, time and peak memory.

The module also formats the metrics of a run as table cells.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.messages import message_of


@dataclass(frozen=True)
class Done:
    """Result of a command."""

    code: int  # negative: the signal that ended it
    stdout: str
    stderr: str
    wall_s: float
    processor_s: float
    peak_mib: float


def coverslip(*arguments: str, cache: Path) -> Done:
    """Run a command with a separate cache."""
    environment = {**os.environ, "COVERSLIP_CACHE": str(cache)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        command = [sys.executable, "-m", "coverslip", *arguments]
        with subprocess.Popen(command, stdout=out, stderr=err, env=environment) as child:
            # wait4 gives the peak of this child alone. It is never below the parent's own size, which is small.
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    processor = used.ru_utime + used.ru_stime
    return Done(child.returncode, texts[0], texts[1], wall, processor, used.ru_maxrss / 1024)


def succeeded(*arguments: str, cache: Path) -> Done:
    """Run a command and stop the script if it fails."""
    done = coverslip(*arguments, cache=cache)
    if done.code:
        raise SystemExit(f"coverslip {' '.join(arguments)} failed:\n{done.stderr}")
    return done


def number_cells(metrics: Mapping[str, Any]) -> str:
    """Test images (groups), accuracy and macro-F1 with its interval, as cells of a Markdown table."""
    accuracy, f1 = metrics["metrics"]["accuracy"], metrics["metrics"]["macro_f1"]
    interval = f"{f1['low']:.3f}-{f1['high']:.3f}" if f1["low"] is not None else message_of(f1["reason"])
    groups = f" ({metrics['n_groups']})" if metrics["n_groups"] else ""
    return f"{metrics['n']:,}{groups} | {accuracy['value']:.4f} | {f1['value']:.4f} ({interval})"
