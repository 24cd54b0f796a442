"""What this computer is, and what PyTorch can use of it."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from refusing import refusing

from coverslip.errors import DeviceUnavailable
from coverslip.machine import (
    FOR_TRAINING,
    _cpu_value,
    describe_machine,
    free_memory_bytes,
    is_out_of_memory,
    likely_device,
    memory_mib,
    n_cores,
    process_started,
    processor_instructions,
    select_device,
    usable_devices,
)


def test_the_computer_is_described() -> None:
    machine = describe_machine()
    assert machine.processor == machine.processor.strip() != ""
    assert 1 <= machine.n_cores <= (os.cpu_count() or 1)
    assert machine.n_threads == n_cores()
    assert machine.memory_gb == pytest.approx(memory_mib() * 2**20 / 1e9, abs=0.1)
    assert len(machine.gpus) == (torch.cuda.device_count() or torch.backends.mps.is_available())


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only Linux has this file")
def test_the_processor_is_called_what_its_maker_calls_it() -> None:
    names = [
        line.partition(":")[2].split() for line in Path("/proc/cpuinfo").read_text().splitlines() if "name" in line
    ]
    if platform.machine() != "x86_64":
        pytest.skip("other processors need not have a name here")
    assert describe_machine().processor.split() in names


def test_a_processor_without_a_name_has_none(tmp_path: Path) -> None:
    board = tmp_path / "cpuinfo"
    board.write_text("processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\n")
    assert _cpu_value(board, ("model name",)) == _cpu_value(tmp_path / "nothing", ("model name",)) == ""


def test_the_instructions_of_a_processor_are_listed(tmp_path: Path) -> None:
    board = tmp_path / "cpuinfo"
    board.write_text("processor\t: 0\nFeatures\t: fp neon\n\nprocessor\t: 1\nFeatures\t: fp neon\n")
    assert _cpu_value(board, ("flags", "Features")).split() == ["fp", "neon"]
    if sys.platform == "linux" and platform.machine() == "x86_64":
        assert "sse2" in processor_instructions()


def test_auto_takes_the_first_that_is_here() -> None:
    assert select_device("auto") == next(each for each in ("cuda", "mps", "cpu") if each in usable_devices())
    assert select_device("auto", automatic=("cpu",)) == select_device("cpu") == "cpu"


def test_the_device_of_a_training_is_detected_without_pytorch() -> None:
    assert likely_device() == select_device("auto", automatic=FOR_TRAINING)


def test_a_device_that_is_not_here_is_one_clear_error() -> None:
    with refusing(DeviceUnavailable, "device-unavailable", device="tpu") as error:
        select_device("tpu")
    assert error.value.parameters["devices"].startswith("cpu")


def test_the_hardware_is_described_without_pytorch_as_far_as_possible() -> None:
    code = "import sys; from coverslip.machine import n_cores, likely_device; n_cores(), likely_device()"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)


ARENAS = """
import ctypes, sys, threading
from coverslip.machine import limit_memory_arenas
if sys.argv[1] == "limited":
    limit_memory_arenas()
together = threading.Barrier(12)
def work():
    together.wait()
    held = [bytearray(2_000) for _ in range(2_000)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
file = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library has arenas")
def test_threads_of_the_server_share_two_memory_arenas(tmp_path: Path) -> None:
    def n_arenas(name: str) -> int:
        file = tmp_path / name
        subprocess.run([sys.executable, "-c", ARENAS, name, str(file)], check=True, env=environment)
        return file.read_text().count("<heap nr=")

    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    assert n_arenas("limited") <= 2 < n_arenas("default")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB", True),
        ("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried", True),
        (
            "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried to allocate",
            True,
        ),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", True),
        ("GET was unable to find an engine to execute this computation", True),
        ("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!", False),
    ],
)
def test_errors_about_memory_are_recognized_by_their_text(text: str, expected: bool) -> None:
    assert is_out_of_memory(RuntimeError(text)) == expected


def test_an_allocation_that_fails_on_the_processor_is_about_memory() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(10**15)
    assert is_out_of_memory(refused.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_memory_that_pytorch_keeps_for_this_process_is_free() -> None:
    before = free_memory_bytes("cuda")
    torch.empty(2**30, dtype=torch.uint8, device="cuda")
    assert before - free_memory_bytes("cuda") < 2**29


def test_the_start_time_of_a_process_that_has_ended_is_not_reported_again() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert process_started(process.pid) >= process_started(os.getpid())
    with pytest.raises(psutil.NoSuchProcess):  # its PID is free for the next process
        process_started(process.pid)
