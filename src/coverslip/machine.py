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
