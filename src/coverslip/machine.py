"""This computer: its processor, devices, memory and file systems; its user, packages and processes."""

import getpass
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from coverslip.errors import DeviceUnavailable, has_extra


@dataclass(frozen=True, slots=True)
class Machine:
    """The description of a computer for the methods text."""

    processor: str  # product name; the architecture if it is unknown
    n_cores: int  # physical cores; each may run two threads
    n_threads: int  # available to this process; fewer in a container or a cluster job
    memory_gb: float  # total, in 10^9 bytes
    gpus: tuple[str, ...]  # names of the GPUs that PyTorch can use


def describe_machine() -> Machine:
    """Return the description of this computer. Imports PyTorch to list the GPUs."""
    import psutil

    n_threads = n_cores()
    return Machine(
        processor=processor_name(),
        n_cores=psutil.cpu_count(logical=False) or n_threads,
        n_threads=n_threads,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        gpus=_gpus(),
    )


def processor_name() -> str:
    """Return the product name of the processor, from the source of each operating system."""
    if sys.platform == "win32":
        import winreg

        path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
    elif sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    else:
        name = _cpu_value(Path("/proc/cpuinfo"), ("model name",))
    return " ".join(name.split()) or platform.processor() or platform.machine()


def processor_instructions() -> tuple[str, ...]:
    """Return the sorted names of the instructions that the processor supports; empty if the system lists none.

    A virtual machine can hide some of them, so that computers with equal processors differ.
    """
    names = ("flags", "Features")  # x86 and ARM
    return tuple(sorted({*_cpu_value(Path("/proc/cpuinfo"), names).split()}))


def _cpu_value(cpuinfo: Path, names: tuple[str, ...]) -> str:
    """Return the first value with one of these names in `/proc/cpuinfo`; empty if there is none."""
    if not cpuinfo.is_file():
        return ""
    lines = (line.partition(":") for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines())
    return next((value for key, _, value in lines if key.strip() in names), "")


def _gpus() -> tuple[str, ...]:
    if not _may_have_gpu():  # importing PyTorch takes seconds
        return ()
    import torch

    if torch.cuda.is_available():
        return tuple(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
    return (f"{processor_name()} GPU",) if torch.backends.mps.is_available() else ()


CORES_VARIABLE = "COVERSLIP_CORES"  # set for trainings of a study: the number of cores of each
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # limits of libraries


def n_cores() -> int:
    """Return the number of processor cores available to this process; fewer in a container or a cluster job."""
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(n, int(os.environ.get(CORES_VARIABLE, n)))


def limit_thread_spinning() -> None:
    """Reduce the time that threads of PyTorch spin while waiting. Call this before PyTorch is imported.

    By default threads of GNU OpenMP spin for some milliseconds while they wait for others. If other programs use the
    cores too, spinning threads block the threads for which they wait, thousands of times per training step, which
    becomes about thirty times slower. Spinning a hundredth of that time makes an idle computer 10% slower and a busy
    computer several times faster. Settings of the user take precedence.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = "3000"  # 1,000 make an idle computer slower by a third


# Devices for `auto`, in order of preference. Trainings on Apple GPUs were not compared with others, so they run there
# on request only. Predictions on a GPU are compared with the processor.
FOR_TRAINING = ("cuda", "cpu")
FOR_PREDICTING = ("cuda", "mps", "cpu")


def select_device(name: str, *, automatic: Sequence[str] = FOR_PREDICTING) -> str:
    """Return the device for PyTorch: `cpu`, `cuda` or `mps`.

    Args:
        name: one of them, or `auto`.
        automatic: the devices for `auto`, in order of preference.

    Raises:
        DeviceUnavailable: this computer has no such device.
    """
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"  # avoids importing PyTorch, which takes seconds
    usable = usable_devices()
    if name == "auto":
        return next(device for device in automatic if device in usable)
    if name not in usable:
        raise DeviceUnavailable("device-unavailable", device=name, devices=" and ".join(usable))
    return name


def usable_devices() -> list[str]:
    """Return the devices that PyTorch can use on this computer."""
    if not has_extra("train"):
        return ["cpu"]
    import torch

    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [device for device, is_usable in usable.items() if is_usable]


@cache
def likely_device() -> str:
    """Return the device that a training most likely uses, without importing PyTorch."""
    build = package_version("torch") or "+cpu"
    has_gpu = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    return "cuda" if has_gpu and not build.endswith("+cpu") else "cpu"


def _may_have_gpu() -> bool:
    """Return whether there is PyTorch, and a driver of a GPU that it may support."""
    if not has_extra("train"):
        return False
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", "C:/Windows"), "System32", "nvcuda.dll").exists()
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return any(Path("/dev", name).exists() for name in ("nvidiactl", "nvidia0", "kfd", "dxg"))


_OUT_OF_MEMORY = (
    "out of memory",  # GPUs
    "can't allocate memory",  # processors
    "not enough memory",  # processors on Windows
    "alloc_failed",  # libraries of CUDA
    "cublas_status_not_initialized",  # their first use
    "unable to find an engine to execute this computation",  # cuDNN without memory for its work
)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of PyTorch is about insufficient memory."""
    text = str(error).lower()
    return any(part in text for part in _OUT_OF_MEMORY)


def memory_mib() -> int:
    """Return the total memory of this computer; a container can have less."""
    import psutil

    return int(psutil.virtual_memory().total // 2**20)


def free_memory_bytes(device: str = "cpu") -> int:
    """Return the free memory of a GPU, or of this computer within the limit of a container."""
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()  # freed memory that PyTorch keeps for this process is not free otherwise
        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return min([int(psutil.virtual_memory().available), *_free_in_container(Path("/sys/fs/cgroup"))])


def _free_in_container(folder: Path) -> list[int]:
    """Return the free memory within the limit of a container, if there is one (Linux, control groups version 2)."""
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
        cached = re.search(r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
        return [] if limit == "max" else [max(0, int(limit) - int(used) + int(cached[1] if cached else 0))]
    except (OSError, ValueError):
        return []


def memory_of_processes(pid: int) -> int:
    """Return the resident memory of a process and its child processes in bytes; 0 if it has ended.

    Memory that they share is counted once on Linux, elsewhere for each of them.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        processes = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for each in processes:
        with suppress(psutil.Error):  # it has ended meanwhile
            info = each.memory_full_info() if sys.platform == "linux" else each.memory_info()
            total += info.pss if sys.platform == "linux" else info.rss
    return total


_M_ARENA_MAX = -8  # from malloc.h


def limit_memory_arenas() -> None:
    """Let all threads of this process share two memory arenas, where the C library is GNU's.

    By default there are eight for each core, and each keeps what its threads once used: a server with many threads
    grows for as long as it runs. A setting of the user takes precedence.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # missing in musl, which has no arenas
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)


_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def bytes_of(size: str) -> int | None:
    """Return the number of bytes of a size such as 8GB or 500 MB; None if it is not a size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", size.strip(), re.IGNORECASE | re.ASCII)
    if not match:
        return None
    unit = match[2].upper()
    return int(float(match[1]) * _UNITS[unit if unit in _UNITS else f"{unit}B"])


_NETWORK = frozenset(
    {
        *("afpfs", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs"),
        *("fuse.sshfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb2", "smb3", "smbfs", "webdav"),
    }
)


def file_systems() -> dict[str, str]:
    """Return the type of the file system of each mount point, such as `ext4`; nothing on Windows."""
    if os.name != "posix":
        return {}
    import psutil

    try:
        return {each.mountpoint: each.fstype.lower() for each in psutil.disk_partitions(all=True)}
    except (OSError, RuntimeError, psutil.Error):
        return {}


def mount_point(real_path: str, mounts: Collection[str]) -> str | None:
    """Return the mount point of a file or folder; None if it is unknown.

    Args:
        real_path: the path without links.
        mounts: all mount points.
    """
    return next((str(each) for each in (Path(real_path), *Path(real_path).parents) if str(each) in mounts), None)


def network_file_system(real_path: str, mounts: Mapping[str, str]) -> str | None:
    """Return the type of the network file system of a folder; None if it is not on one, or this is unknown.

    Args:
        real_path: the path without links.
        mounts: as of `file_systems`.
    """
    point = mount_point(real_path, mounts)
    return mounts[point] if point is not None and mounts[point] in _NETWORK else None


def process_started(pid: int | None = None) -> float:
    """Return the start time of a process in seconds, which distinguishes it from a later process with the same id.

    On Linux the time is relative to the start of the computer, because the time of day changes when the clock is set.

    Args:
        pid: the process id; None: this process.

    Raises:
        psutil.NoSuchProcess: the process has ended.
        psutil.AccessDenied: the system hides processes of other users.
    """
    import psutil

    process = psutil.Process(pid)
    if sys.platform != "linux":
        return float(process.create_time())
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise psutil.NoSuchProcess(process.pid) from error
    after_name = stat.rpartition(")")[2].split()  # the program name can contain any character
    return int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def account_name() -> str:
    """Return the user account of this process; empty if it is unknown."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return ""


@cache  # looking up versions is slow
def package_version(package: str) -> str | None:
    """Return the version of an installed package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
