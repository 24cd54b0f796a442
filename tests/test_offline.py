"""Nothing leaves the computer: no command and no page of the app connects to another one or looks up its name.

An audit hook, in a `sitecustomize` that every Python process of a job imports, notes each address that Python's
sockets are asked for. Connections that a library makes without Python's sockets would not be seen.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import RunningApp
from drawing import write_cells
from trained import GROUPS, SMALL_NETWORK, MadeOnce

from coverslip.cli import app
from coverslip.models._libraries import import_timm
from coverslip.workspace.store.workspace import open_workspace

pytestmark = pytest.mark.slow

_HOOK = """
import json, os, sys

ADDRESS_LAST = {"socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"}
ADDRESS_FIRST = {"socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.getnameinfo"}


def note(event, arguments):
    if event not in ADDRESS_LAST | ADDRESS_FIRST:
        return
    address = arguments[-1 if event in ADDRESS_LAST else 0]
    is_file = event in ADDRESS_LAST and isinstance(address, (str, bytes))  # a socket in the file system
    if address is None or is_file:
        return
    host = address[0] if isinstance(address, tuple) else address
    with open(os.environ["COVERSLIP_TEST_ADDRESSES"], "a") as log:
        log.write(json.dumps([event, str(host), sys.argv]) + chr(10))


sys.addaudithook(note)
"""
_RUN_EACH = """
import json, os, sys
from coverslip.cli import main

for i, command in enumerate(json.loads(sys.argv[1])):
    os.environ["COVERSLIP_TEST_ADDRESSES"] = f"{sys.argv[2]}/{i}"
    print("CODE", main(command), flush=True)
"""
# Variables of the environment. ONNX Runtime and MLflow send no usage data if they recognize a CI service or a test.
REMOVED = ("COVERSLIP_", "XDG_", "HF_", "ORT_", "MLFLOW_", "CI", "GITHUB_", "PYTEST_")
LOOPBACK = "127.0.0.1"
NO_HUB = f"http://{LOOPBACK}:9"  # where nothing answers
INSTANT = [f"model={SMALL_NETWORK}", "stage=instant", "image_size=32", "tta=1", "split.folds=0", "augment=none"]
SETTINGS = [part for setting in INSTANT for part in ("--set", setting)]
PLAN = f"""
datasets: [cells]
models: [{SMALL_NETWORK}]
folds: 0
recipe: {{stage: instant, image_size: 32, tta: 1, augment: none}}
"""
Commands = list[str | list[str]]
MAIN_JOB: Commands = [
    "weights import small.pth --model timm/test_efficientnet",
    ["train", "cells", "--group-pattern", GROUPS, "--out", "run", *SETTINGS],
    "predict run cells --out predictions.csv",
    "export run --to onnx --out exported",
]
JOB: Commands = [
    "weights import small.pth --model timm/test_efficientnet",
    "weights",
    "models",
    "models resnet34",
    "models --available",
    "inspect cells --estimate-leakage",
    ["preview", "cells", *SETTINGS],
    ["train", "cells", "--group-pattern", GROUPS, "--out", "run", *SETTINGS],
    ["train", "cells", "--out", "second", *SETTINGS],
    "evaluate run cells",
    "adapt run elsewhere --labels elsewhere --out adapted",
    "predict run cells --out predictions.csv",
    "summarise predictions.csv --by folder --run run",
    "spot-check predictions.csv -n 4 --run run --out to_label.csv",
    "read cells/small/slide0_000.png --out read.tif",
    "objects cells --points points.csv --size 16 --out objects.csv",
    "predict run objects.csv --out of_objects.csv",
    "export-objects of_objects.csv --objects objects.csv --to coco --out objects.json",
    "compare run second",
    "decide run --roc",
    "label-errors run",
    "explain run cells/small/slide0_000.png --out maps",
    "distance cells cells --run run",
    "agreement run/split.csv second/split.csv",
    "suggest cells/small --run run -n 2",
    "export run --to zip",
    "export run --to onnx --out exported",
    "predict run.coverslip cells --out others.csv",
    "report run",
    "study preset aimic cells --out preset.yaml",
    "study run plan.yaml --out study --dry-run",
    "study run plan.yaml --out study",
    "study resume study",
    "study compare study",
    "weights remove timm/test_efficientnet",
    ["train", "cells", "--out", "cached", *SETTINGS],  # from the hub's cache
    "cache",
    "doctor",
    ["backup", "backup.zip", "--workspace", "workspace"],
    "restore backup.zip --workspace restored",
    "cache --clean",
]
FETCHING: list[str] = ["weights fetch resnet34", "train cells --model resnet34 --out third"]


@dataclass(frozen=True)
class Observed:
    """What a command did: its exit code, and the hosts that it asked for."""

    code: int
    hosts: set[str]


def watched(folder: Path) -> dict[str, str]:
    """The environment of a process that notes addresses, in a home folder without any file."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(_HOOK, encoding="utf-8")
    (folder / "home").mkdir()
    paths = [str(folder / "hook"), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "COVERSLIP_TEST_ADDRESSES": str(folder / "addresses"),
        "HOME": str(folder / "home"),
        "USERPROFILE": str(folder / "home"),
        "LOCALAPPDATA": str(folder / "home"),
        "HF_ENDPOINT": NO_HUB,
        "OMP_NUM_THREADS": "1",
    }


def in_hub_cache(cache: Path, file: Path) -> None:
    """Weights as the hub's client leaves them after a download."""
    import safetensors.torch
    import torch

    repository = cache / "models--timm--test_efficientnet.r160_in1k"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    safetensors.torch.save_file(torch.load(file), snapshot / "model.safetensors")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40, encoding="utf-8")


def hosts_in(log: Path) -> set[str]:
    return {json.loads(line)[1] for line in log.read_text().splitlines()} if log.exists() else set()


def arguments(command: str | list[str]) -> list[str]:
    return command.split() if isinstance(command, str) else command


def written_in(home: Path) -> set[str]:
    """The folders of a home that hold files, down to the program that wrote them."""
    files = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    return {"/".join(file.parts[: 3 if file.parts[0] == ".local" else 2]) for file in files}


@pytest.fixture(
    scope="module",
    params=["main", pytest.param("all", marks=pytest.mark.exhaustive)],
)
def observed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Observed], Path]:
    """The commands on one small dataset, and the home folder afterwards."""
    import torch

    folder = tmp_path_factory.mktemp("offline")
    write_cells(folder / "cells", 45, side=32)
    write_cells(folder / "elsewhere", 45, side=32, seed=7)
    torch.save(import_timm().create_model(SMALL_NETWORK.removeprefix("timm/")).state_dict(), folder / "small.pth")
    in_hub_cache(folder / "hub", folder / "small.pth")
    (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
    (folder / "points.csv").write_text("image,x,y\nsmall/slide0_000.png,16,16\n", encoding="utf-8")
    with open_workspace(folder / "workspace", (folder,)).engine.connect():  # creates its database
        pass
    addresses = folder / "addresses"
    addresses.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(REMOVED)}
    commands = [*(MAIN_JOB if request.param == "main" else JOB), *FETCHING]
    done = subprocess.run(
        [sys.executable, "-c", _RUN_EACH, json.dumps([arguments(command) for command in commands]), str(addresses)],
        cwd=folder,
        env=environment | watched(folder) | {"HF_HUB_CACHE": str(folder / "hub")},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,  # a busy machine; ten seconds are usual
    )
    codes = [int(code) for code in re.findall(r"^CODE (\d+)$", done.stdout, re.MULTILINE)]
    assert len(codes) == len(commands), done.stderr
    connections = {
        " ".join(arguments(command)): Observed(code, hosts_in(addresses / str(i)))
        for i, (command, code) in enumerate(zip(commands, codes, strict=True))
    }
    return connections, folder / "home"


@pytest.mark.exhaustive
def test_no_command_asks_for_another_computer(observed: tuple[dict[str, Observed], Path]) -> None:
    attempts = {name: each for name, each in observed[0].items() if name not in FETCHING}
    assert {name: each.hosts for name, each in attempts.items() if each.hosts} == {}
    assert {name: each.code for name, each in attempts.items() if each.code} == {}


def test_only_what_fetches_weights_asks_for_the_hub(observed: tuple[dict[str, Observed], Path]) -> None:
    assert {name: observed[0][name] for name in FETCHING} == dict.fromkeys(FETCHING, Observed(1, {LOOPBACK}))


def test_commands_leave_nothing_in_the_home_folder_but_caches_and_weights(
    observed: tuple[dict[str, Observed], Path],
) -> None:
    assert written_in(observed[1]) <= {".cache/coverslip", ".cache/matplotlib", ".local/share/coverslip"}


def test_the_exported_script_leaves_nothing_in_the_home_folder(
    observed: tuple[dict[str, Observed], Path], tmp_path: Path
) -> None:
    exported, image = observed[1].parent / "exported", next((observed[1].parent / "cells").rglob("*.png"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(REMOVED)}
    command = [sys.executable, exported / "classify.py", exported / "model.onnx", image]
    subprocess.run(command, env=environment | watched(tmp_path), capture_output=True, check=True)
    assert written_in(tmp_path / "home") == set()


def test_the_listener_for_mlflow_writes_a_folder_and_asks_for_no_other_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    write_cells(tmp_path / "cells", 45, side=32)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(REMOVED)}
    environment |= watched(tmp_path) | {"COVERSLIP_WEIGHTS": os.environ["COVERSLIP_WEIGHTS"]}
    command = [sys.executable, "-m", "coverslip", "train", "cells", "--out", "run", "--listener", "mlflow", *SETTINGS]
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert hosts_in(tmp_path / "addresses") <= {"::1"}  # urllib3 binds a socket there to learn whether there is IPv6
    assert written_in(tmp_path / "home") <= {".cache/coverslip", ".cache/matplotlib"}
    client = MlflowClient(str(tmp_path / "mlruns"))
    experiment = client.get_experiment_by_name("coverslip")
    assert experiment is not None
    (logged,) = client.search_runs([experiment.experiment_id])
    assert (logged.info.run_name, logged.info.status) == ("run", "FINISHED")
    assert "test/accuracy" in logged.data.metrics


def test_all_commands_are_tried() -> None:
    import typer

    command = typer.main.get_command(app)
    commands = getattr(command, "commands").keys()  # noqa: B009  a group of commands, which is untyped
    assert {arguments(each)[0] for each in JOB} | {"app", "demo", "server"} == set(commands)


@pytest.mark.exhaustive
def test_the_demo_asks_for_no_other_computer(tmp_path: Path) -> None:
    environment = {**os.environ, **watched(tmp_path)}
    subprocess.run([sys.executable, "-m", "coverslip", "demo", "--out", tmp_path / "demo"], env=environment, check=True)
    assert hosts_in(tmp_path / "addresses") == set()


@pytest.mark.exhaustive
def test_the_app_speaks_with_its_own_computer_only(
    tmp_path: Path, made_once: MadeOnce, other_app: Callable[..., RunningApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in watched(tmp_path).items():
        monkeypatch.setenv(name, value)
    cells = made_once("cells", write_cells)
    server = other_app(root=cells)
    page = urllib.request.urlopen(server.address, timeout=30).read().decode()
    for path in re.findall(r'(?:src|href)="/([^"]+)"', page):
        urllib.request.urlopen(server.address + path, timeout=30).read()
    outside = [address for address in re.findall(r"https?://[^\"'\s]+", page) if LOOPBACK not in address]
    assert outside == []
    dataset = server.opened(cells)
    recipe = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 32, "tta": 1, "split.folds": 0}
    of_dataset = {"dataset_id": dataset["id"], "recipe": recipe}
    split = server.send("previews", {"kind": "split", **of_dataset})
    server.send("previews", {"kind": "time", **of_dataset, "sizes": split["sizes"]})
    run = server.send("runs", {"dataset_id": dataset["id"], "recipe": recipe})
    assert server.ended(f"jobs/{run['id']}")["state"] == "done"
    prediction = server.send("predictions", {"classifier_id": run["id"], "dataset_id": dataset["id"]})
    assert server.ended(f"jobs/{prediction['id']}")["state"] == "done"
    assert server.end() == 0
    assert hosts_in(tmp_path / "addresses") <= {LOOPBACK}
    assert written_in(tmp_path / "home") <= {".cache/coverslip", ".cache/matplotlib", ".local/share/coverslip"}
