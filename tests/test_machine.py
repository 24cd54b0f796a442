"""What this computer is, and what PyTorch can use of it."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from refusing import refusing

from coverslip.errors import DeviceUnavailable
from coverslip.machine import (
    FOR_TRAINING,
    _model_name,
    describe_machine,
    likely_device,
    memory_mib,
    n_cores,
    select_device,
    usable_devices,
)


def test_the_computer_is_described() -> None:
    found = describe_machine()
    assert found.processor == found.processor.strip() != ""
    assert 1 <= found.n_cores <= (os.cpu_count() or 1)
    assert found.n_threads == n_cores()
    assert found.memory_gb == pytest.approx(memory_mib() * 2**20 / 1e9, abs=0.1)
    assert len(found.gpus) == (torch.cuda.device_count() or torch.backends.mps.is_available())


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only Linux has this file")
def test_the_processor_is_called_what_its_maker_calls_it() -> None:
    names = [
        line.partition(":")[2].split() for line in Path("/proc/cpuinfo").read_text().splitlines() if "name" in line
    ]
    if platform.machine() != "x86_64":
        pytest.skip("other processors need not tell their name")
    assert describe_machine().processor.split() in names


def test_a_processor_without_a_name_has_none(tmp_path: Path) -> None:
    board = tmp_path / "cpuinfo"
    board.write_text("processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\n")
    assert _model_name(board) == _model_name(tmp_path / "nothing") == ""


def test_auto_takes_the_first_that_is_here() -> None:
    assert select_device("auto") == next(each for each in ("cuda", "mps", "cpu") if each in usable_devices())
    assert select_device("auto", automatic=("cpu",)) == select_device("cpu") == "cpu"


def test_what_a_training_will_run_on_is_told_right_without_pytorch() -> None:
    assert likely_device() == select_device("auto", automatic=FOR_TRAINING)


def test_a_device_that_is_not_here_is_one_clear_error() -> None:
    with refusing(DeviceUnavailable, "device-unavailable", device="tpu") as error:
        select_device("tpu")
    assert error.value.parameters["devices"].startswith("cpu")


def test_what_a_computer_has_is_told_without_pytorch_as_far_as_that_goes() -> None:
    code = "import sys; from coverslip.machine import n_cores, likely_device; n_cores(), likely_device()"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)
