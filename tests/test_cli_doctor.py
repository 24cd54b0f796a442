"""`coverslip doctor`: facts of the installation and this computer, and what to mend."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coverslip.cli import main
from coverslip.cli.doctor import gpu_findings

GPU = "NVIDIA GeForce RTX 4090, 580.65.06"


def examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    code = main(["doctor", "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_a_sound_installation_has_no_errors_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("COVERSLIP_CACHE", "COVERSLIP_WEIGHTS", "COVERSLIP_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "not yet" / name))
    code, answer = examined(capsys)
    assert (code, answer["errors"]) == (0, [])
    assert answer["installation"]["numpy"]
    assert answer["computer"]["cores"] >= 1
    assert "cpu" in answer["computer"]["devices"]
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_a_torchvision_that_other_programs_cannot_import_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    imported = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, check=False)
    _, answer = examined(capsys)
    codes = {finding["code"] for finding in answer["warnings"]}
    assert ("doctor-torchvision" in codes) == (imported.returncode != 0)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_it_works_without_extras() -> None:
    without = (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "from coverslip.errors import EXTRA_MODULES\n"
        "extras, find = {name for names in EXTRA_MODULES.values() for name in names}, PathFinder.find_spec\n"
        "PathFinder.find_spec = lambda name, *more: None if name in extras else find(name, *more)\n"
        "from coverslip.cli import main\n"
        "sys.exit(main(['doctor', '--json']))\n"
    )
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["errors"]) == (0, [])
    assert answer["installation"]["extras"] == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["file/cache", "link"])
def test_a_folder_that_cannot_be_written_is_an_error_that_names_its_variable(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / folder))
    code, answer = examined(capsys)
    (error,) = answer["errors"]
    assert code == 1
    assert (error["code"], error["parameters"]["variable"]) == ("doctor-folder", "COVERSLIP_CACHE")
    assert main(["doctor"]) == 1
    assert error["what"] in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="writes a program for a shell")
def test_a_gpu_that_the_driver_lists_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{GPU}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    _, answer = examined(capsys)
    assert answer["computer"]["gpus"] == [GPU]


@pytest.mark.parametrize(
    ("gpus", "devices", "is_cuda_build", "expected"),
    [
        ([GPU], ["cpu"], False, ["doctor-gpu-without-cuda"]),
        ([GPU], ["cpu"], True, ["doctor-gpu-not-usable"]),
        ([GPU], ["cpu", "cuda"], True, []),
        ([], ["cpu"], False, []),
        ([], ["cpu", "mps"], False, []),
    ],
)
def test_the_reason_why_a_gpu_is_not_used_is_a_finding(
    gpus: list[str], devices: list[str], is_cuda_build: bool, expected: list[str]
) -> None:
    assert [finding.code for finding in gpu_findings(gpus, devices, is_cuda_build=is_cuda_build)] == expected
