"""What this computer has to offer."""

import getpass
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from coverslip.errors import DeviceUnavailable

# What `auto` takes the first of that is here. Nobody has compared trainings on Apple's GPUs with others: they run there
# on request only. What is predicted there is checked against the processor.
FOR_TRAINING = ("cuda", "cpu")
FOR_PREDICTING = ("cuda", "mps", "cpu")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a methods text says about a computer."""

    processor: str  # as its maker calls it; its architecture where the system does not tell
    n_cores: int  # in all; each may run two threads
    n_threads: int  # side by side, for this process: fewer in a container or a cluster's job
    memory_gb: float  # in all, in 10^9 bytes
    gpus: tuple[str, ...]  # that PyTorch can use, by name


def describe_machine() -> Machine:
    """This computer. Imports PyTorch, which knows the GPUs."""
    import psutil

    n_threads = n_cores()
    return Machine(
        processor=processor_name(),
        n_cores=psutil.cpu_count(logical=False) or n_threads,
        n_threads=n_threads,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        gpus=_gpus(),
    )


def account_name() -> str:
    """Return the account that this process runs as; empty where the system does not tell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        return ""


def chosen_device(name: str, *, automatic: Sequence[str] = FOR_PREDICTING) -> str:
    """Return where PyTorch shall run: `cpu`, `cuda` or `mps`.

    Args:
        name: one of them, or `auto`.
        automatic: what `auto` takes the first of that is here.

    Raises:
        DeviceUnavailable: this computer has no such device.
    """
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"  # without importing PyTorch, which takes seconds
    usable = usable_devices()
    if name == "auto":
        return next(device for device in automatic if device in usable)
    if name not in usable:
        raise DeviceUnavailable("device-unavailable", device=name, devices=" and ".join(usable))
    return name


def _may_have_gpu() -> bool:
    """Return whether a driver is there of a GPU that PyTorch may be able to use."""
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", "C:/Windows"), "System32", "nvcuda.dll").exists()
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return any(Path("/dev", name).exists() for name in ("nvidiactl", "nvidia0", "kfd", "dxg"))


def usable_devices() -> list[str]:
    """Return what PyTorch can run on here."""
    import torch

    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [device for device, is_usable in usable.items() if is_usable]


def n_cores() -> int:
    """Return processor cores that this process may use: fewer than there are in a container or a cluster's job."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def limit_thread_spinning() -> None:
    """Let PyTorch's threads go to sleep soon when they wait for one another. To be called before PyTorch is imported.

    By default GNU OpenMP's threads wait some milliseconds by spinning. Where other programs want the cores too, they
    keep those threads from running for which they wait, thousands of times in each step of training, which becomes
    some thirty times slower. Spinning a hundredth of that time costs an idle machine a tenth of its speed and makes a
    busy one several times as fast (`benchmarks/busy_machine.py`). What the user has chosen stays.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = "3000"  # 1,000 make an idle machine slower by a third


def memory_mib() -> int:
    """Return all memory of this computer; a container may be allowed less."""
    import psutil

    return int(psutil.virtual_memory().total // 2**20)


def free_memory_bytes(device: str = "cpu") -> int:
    """Return memory that a training may still take: of a GPU its own, else what programs and a container leave."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return min([int(psutil.virtual_memory().available), *_left_by_container(Path("/sys/fs/cgroup"))])


def _left_by_container(folder: Path) -> list[int]:
    """Return what the limit of a container leaves, where there is one (Linux, second version of control groups)."""
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
        cached = re.search(r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
        return [] if limit == "max" else [max(0, int(limit) - int(used) + int(cached[1] if cached else 0))]
    except (OSError, ValueError):
        return []


@cache
def process_started(pid: int | None = None) -> float:
    """When a process started, in seconds: tells it from a later process of the same number. None: this process.

    Linux counts them from the start of the computer. The time of day would change for all processes whenever the clock
    is set.

    Raises:
        psutil.NoSuchProcess: it has ended.
        psutil.AccessDenied: the system tells other users nothing.
    """
    import psutil

    process = psutil.Process(pid)
    if sys.platform != "linux":
        return float(process.create_time())
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise psutil.NoSuchProcess(process.pid) from error
    after_name = stat.rpartition(")")[2].split()  # the name of a program may hold anything
    return int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def likely_device() -> str:
    """Return the device that a training most likely uses, without the time and memory of importing PyTorch."""
    build = version("torch")
    has_gpu = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    return "cuda" if has_gpu and not build.endswith("+cpu") else "cpu"


def processor_name() -> str:
    """Return the name of the processor; each system stores it in a different place."""
    if sys.platform == "win32":
        import winreg

        place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
    elif sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    else:
        name = _named_in(Path("/proc/cpuinfo"))
    return " ".join(name.split()) or platform.processor() or platform.machine()


def _named_in(cpuinfo: Path) -> str:
    """Return the model's name; empty where Linux knows none, as on most ARM boards."""
    if not cpuinfo.is_file():
        return ""
    lines = (line.partition(":") for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines())
    return next((value for key, _, value in lines if key.strip() == "model name"), "")


def _gpus() -> tuple[str, ...]:
    import torch

    if torch.cuda.is_available():
        return tuple(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
    return (f"{processor_name()} GPU",) if torch.backends.mps.is_available() else ()
