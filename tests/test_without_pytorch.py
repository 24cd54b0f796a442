"""The way from images to a report, where PyTorch is not installed: the same numbers as where it is."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from drawing import write_cells
from fastapi.testclient import TestClient
from small_workspace import API, new_workspace, open_images
from trained import MadeOnce

from coverslip.app.server import create_app
from coverslip.errors import EXTRA_MODULES, install_command

pytestmark = pytest.mark.slow
COMMAND = """
import sys
from coverslip.cli import main
code = main(sys.argv[1:])
sys.stderr.write("\\n" + " ".join(name for name in ("torch", "timm", "torchvision") if name in sys.modules))
sys.exit(code)
"""
TRAIN = ("--set", "image_size=48", "--set", "stage=instant", "--set", "split.folds=0")


@pytest.fixture(scope="module")
def environment(made_once: MadeOnce) -> Path:
    """The Python of an environment with all packages of this one except the extra `train`."""

    def make(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        packages = folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
        for each in Path(sysconfig.get_path("purelib")).iterdir():
            if each.name.partition("-")[0] not in EXTRA_MODULES["train"]:
                (packages / each.name).symlink_to(each)

    return made_once("environment without pytorch", make) / "bin" / "python"


def coverslip(python: str | Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [python, "-c", COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(made_once: MadeOnce, environment: Path) -> Path:
    """Images, and a run that was trained without PyTorch."""

    def train(folder: Path) -> None:
        write_cells(folder / "cells")
        write_cells(folder / "new", is_sorted=False, seed=1)
        done = coverslip(environment, "train", folder / "cells", "--out", folder / "run", *TRAIN)
        assert done.returncode == 0, done.stderr

    return made_once("without pytorch", train)


def test_a_training_has_the_same_bytes_and_imports_none_of_pytorch_where_it_is_installed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    done = coverslip(sys.executable, "train", folder / "cells", "--out", tmp_path / "run", *TRAIN)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rpartition("\n")[2] == ""
    for name in ("classifier/weights.safetensors", "classifier/delivered_head.safetensors", "predictions.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (folder / "run" / name).read_bytes()


@pytest.mark.parametrize("is_file", [False, True])
def test_a_table_has_the_same_bytes(folder: Path, environment: Path, tmp_path: Path, is_file: bool) -> None:
    classifier = folder / "run"
    if is_file:
        file = tmp_path / "c.coverslip"
        assert coverslip(environment, "export", classifier, "--to", "zip", "--out", file).returncode == 0
        classifier = file
    for name, python in (("one", environment), ("two", sys.executable)):
        out = ("--out", tmp_path / f"{name}.csv")
        assert coverslip(python, "predict", classifier, folder / "cells", *out).returncode == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


COMMANDS = (
    "inspect {cells}",
    "preview {cells} --out preview.png",
    "evaluate {run} {cells}",
    "report {run}",
    "label-errors {run}",
    "suggest {new} --out suggested.csv",
    "export {run} --to onnx --out exported",
    "doctor",
    "models",
    " ".join(("train {cells} --out again --set init.run={run}", *TRAIN)),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_a_command_works(
    folder: Path, environment: Path, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {name: folder / name for name in ("cells", "new", "run")}
    done = coverslip(environment, *(word.format(**folders) for word in command.split()))
    assert done.returncode == 0, done.stderr


def test_the_app_refuses_what_needs_pytorch_before_it_is_queued(environment: Path, tmp_path: Path) -> None:
    command = [environment, "-c", "import sys, test_without_pytorch as t; t.check_app(t.Path(sys.argv[1]))", tmp_path]
    paths = {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check_app(folder: Path) -> None:
    """Ask the app for what needs PyTorch, in an environment without it."""
    workspace = new_workspace(folder)
    dataset = open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")
    with TestClient(create_app(workspace)) as client:
        study = {"dataset_ids": [dataset], "networks": ["resnet18"], "initial_weights": ["scratch"]}
        for kind, body in (("runs", {"dataset_id": dataset, "recipe": {}}), ("studies", study)):
            answer = client.post(f"{API}/{kind}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "extra-not-installed"), answer.text
        assert client.get(f"{API}/system").json()["missing_pytorch"]["command"] == install_command("train")
        models = client.get(f"{API}/models").json()["items"]
        assert [model["name"] for model in models if not model["needs_pytorch"]] == ["efficientnet_lite0"]
        split = client.post(f"{API}/previews", json={"kind": "split", "dataset_id": dataset, "recipe": {}}).json()
        time = {"kind": "time", "dataset_id": dataset, "recipe": {}, "sizes": split["sizes"]}
        presets = client.post(f"{API}/previews", json=time).json()["presets"]
        assert {each["preset"]: each["needs_pytorch"] for each in presets} == {"good": False, "best": True}


def test_what_needs_pytorch_says_so_before_any_work(folder: Path, environment: Path, tmp_path: Path) -> None:
    for arguments in (
        ("train", folder / "cells", "--out", tmp_path / "run"),
        ("train", folder / "cells", "--out", tmp_path / "run", "--set", "model=resnet50", *TRAIN),
        ("explain", folder / "run", folder / "cells", "--out", tmp_path / "maps"),
        ("models", "timm/resnet18"),
    ):
        done = coverslip(environment, *arguments)
        assert done.returncode == 1
        assert "coverslip[train]" in done.stderr, done.stderr
    assert not (tmp_path / "run").exists()
