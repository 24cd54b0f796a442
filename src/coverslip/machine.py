"""What this computer has to offer."""

import os
import platform
import shutil
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path


def n_cores() -> int:
    """Processor cores that this process may use: fewer than there are in a container or a cluster's job."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def share_cores() -> None:
    """Let PyTorch's threads go to sleep soon when they wait for one another. To be called before PyTorch is imported.

    By default GNU OpenMP's threads wait some milliseconds by spinning. Where other programs want the cores too, they
    keep those threads from running for which they wait, thousands of times in each step of training, which becomes
    some thirty times slower. Spinning a hundredth of that time costs an idle machine a tenth of its speed and makes a
    busy one several times as fast (`benchmarks/busy_machine.py`). What the user has chosen stays.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = "3000"  # 1,000 make an idle machine slower by a third


def memory_mib() -> int:
    """All memory of this computer; a container may be allowed less."""
    import psutil

    return int(psutil.virtual_memory().total // 2**20)


@cache
def likely_device() -> str:
    """What PyTorch will most likely train on, told without the seconds and memory that importing it takes."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    build = version("torch")
    has_gpu = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    return "cuda" if has_gpu and not build.endswith("+cpu") else "cpu"
