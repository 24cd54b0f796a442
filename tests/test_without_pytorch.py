"""The way from images to a report, where PyTorch is not installed: the same numbers as where it is."""

import subprocess
import sys
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
from importlib.machinery import PathFinder
names, *arguments = sys.argv[1:]

class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in names.split(",") else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Installed
from coverslip.cli import main
code = main(arguments)
sys.stderr.write("\\n" + " ".join(name for name in ("torch", "timm", "torchvision") if name in sys.modules))
sys.exit(code)
"""
TRAIN = ("--set", "image_size=48", "--set", "stage=instant", "--set", "split.folds=0")


def coverslip(*arguments: object, without: bool = True) -> subprocess.CompletedProcess[str]:
    names = ",".join(EXTRA_MODULES["train"]) if without else ""
    command = [sys.executable, "-c", COMMAND, names, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(made_once: MadeOnce) -> Path:
    """Images, and a run that was trained without PyTorch."""

    def train(folder: Path) -> None:
        write_cells(folder / "cells")
        write_cells(folder / "new", is_sorted=False, seed=1)
        done = coverslip("train", folder / "cells", "--out", folder / "run", *TRAIN)
        assert done.returncode == 0, done.stderr

    return made_once("without pytorch", train)


def test_a_training_has_the_same_bytes_and_imports_none_of_pytorch_where_it_is_installed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    done = coverslip("train", folder / "cells", "--out", tmp_path / "run", *TRAIN, without=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rpartition("\n")[2] == ""
    for name in ("classifier/weights.safetensors", "classifier/delivered_head.safetensors", "predictions.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (folder / "run" / name).read_bytes()


@pytest.mark.parametrize("is_file", [False, True])
def test_a_table_has_the_same_bytes(folder: Path, tmp_path: Path, is_file: bool) -> None:
    classifier = folder / "run"
    if is_file:
        assert coverslip("export", classifier, "--to", "zip", "--out", tmp_path / "c.coverslip").returncode == 0
        classifier = tmp_path / "c.coverslip"
    for name, without in (("one", True), ("two", False)):
        out = ("--out", tmp_path / f"{name}.csv")
        assert coverslip("predict", classifier, folder / "cells", *out, without=without).returncode == 0
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
def test_a_command_works(folder: Path, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {name: folder / name for name in ("cells", "new", "run")}
    done = coverslip(*(word.format(**folders) for word in command.split()))
    assert done.returncode == 0, done.stderr


def test_the_app_refuses_what_needs_pytorch_before_it_is_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in EXTRA_MODULES["train"]:
        monkeypatch.setitem(sys.modules, name, None)  # Python then takes it for not installed
    workspace = new_workspace(tmp_path)
    dataset = open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")
    with TestClient(create_app(workspace)) as client:
        answer = client.post(f"{API}/runs", json={"dataset_id": dataset, "recipe": {}})
        assert (answer.status_code, answer.json()["code"]) == (422, "extra-not-installed")
        assert client.get(f"{API}/system").json()["missing_pytorch"]["command"] == install_command("train")
        models = client.get(f"{API}/models").json()["items"]
        assert [model["name"] for model in models if not model["needs_pytorch"]] == ["efficientnet_lite0"]
        split = client.post(f"{API}/previews", json={"kind": "split", "dataset_id": dataset, "recipe": {}}).json()
        time = {"kind": "time", "dataset_id": dataset, "recipe": {}, "sizes": split["sizes"]}
        presets = client.post(f"{API}/previews", json=time).json()["presets"]
        assert {each["preset"]: each["needs_pytorch"] for each in presets} == {"good": False, "best": True}


def test_what_needs_pytorch_says_so_before_any_work(folder: Path, tmp_path: Path) -> None:
    for arguments in (
        ("train", folder / "cells", "--out", tmp_path / "run"),
        ("train", folder / "cells", "--out", tmp_path / "run", "--set", "model=resnet50", *TRAIN),
        ("explain", folder / "run", folder / "cells", "--out", tmp_path / "maps"),
        ("models", "timm/resnet18"),
    ):
        done = coverslip(*arguments)
        assert done.returncode == 1
        assert 'pip install "coverslip[train]"' in done.stderr, done.stderr
    assert not (tmp_path / "run").exists()
