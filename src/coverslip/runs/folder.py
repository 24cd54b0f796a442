"""The run folder: what lies where, and how it is written and read."""

import os
import platform
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from coverslip._version import __version__
from coverslip.errors import BadRun
from coverslip.evaluation import Evaluation
from coverslip.files import for_shell, write_json
from coverslip.runs.documents import FORMAT_VERSION, check_format
from coverslip.runs.documents import read_object as read_json
from coverslip.runs.metrics import read_metrics
from coverslip.runs.recipe import Recipe, load_recipe

SPLIT_COLUMNS = ("image_id", "path", "label", "group", "domain", "split", "fold", "reason")

_SILENT_SECONDS = 300.0  # without a heartbeat: long stretches such as decoding one huge image do not beat

_NAMED_PACKAGES = ("torch", "timm", "numpy", "pillow", "tifffile", "scikit-learn", "openvino", "onnxruntime")


@dataclass(frozen=True)
class Run:
    """A folder with what a training, or an evaluation of it on other images, left behind."""

    folder: Path

    @cached_property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return load_recipe(self.folder / "recipe.yaml")

    @cached_property
    def metrics(self) -> Evaluation:
        """What was measured on the held-out images: `metrics["macro_f1"].low` is one number of it."""
        return read_metrics(self.folder / "metrics.json")

    @property
    def classifier_folder(self) -> Path:
        """Where the packaged classifier lies."""
        return self.folder / "classifier"


def open_run(folder: Path | str) -> Run:
    """A run that has been written.

    Raises:
        BadRun: there is no run folder, or it is of a newer format.
    """
    folder = Path(folder)
    if not (folder / "recipe.yaml").is_file():
        raise BadRun(
            "This is not a run folder: it has no recipe.yaml",
            file=folder,
            do="Give the folder that `coverslip train` wrote.",
        )
    environment = read_json(folder / "environment.json") if (folder / "environment.json").exists() else {}
    check_format(environment.get("format_version", FORMAT_VERSION), folder)
    return Run(folder)


def create_run_folder(folder: Path) -> Path:
    """Make a new folder for a run.

    Raises:
        BadRun: it exists and is not empty.
    """
    if _never_began(folder):
        for part in folder.glob(".*.part"):
            part.unlink(missing_ok=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        do = "Choose another one with --out."
        if (folder / "recipe.yaml").is_file() and read_status(folder).get("state") != "done":
            do = f"Choose another one with --out, or go on with it: coverslip train --resume {for_shell(folder)}."
        raise BadRun("The folder for the run exists already", file=folder, do=do)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRun(
            f"The folder for the run could not be made: {error.strerror}", file=folder, do="Choose another with --out."
        ) from error
    return folder


def _never_began(folder: Path) -> bool:
    """Whether a run was killed while the first files of its folder were written: there is nothing to lose or go on."""
    begun = re.compile(r"environment\.json|\.(environment\.json|recipe\.yaml)\.[0-9a-f]+\.part")
    return folder.is_dir() and all(begun.fullmatch(file.name) for file in folder.iterdir())


def describe_environment(
    *,
    seed: int,
    device: str,
    opened: dict[str, Any],  # Any: JSON values
    data: list[dict[str, Any]],
    allow_leakage: bool,
) -> dict[str, Any]:
    """What `environment.json` says: versions, machine, seed, how images were opened, where each domain's lay."""
    packages = {name: found for name in _NAMED_PACKAGES if (found := _version_of(name))}
    return {
        "format_version": FORMAT_VERSION,
        "coverslip": __version__,
        "python": platform.python_version(),
        "packages": packages,
        "platform": platform.platform(),
        "device": device,
        "seed": seed,
        "opened": opened,
        "data": data,
        "allow_leakage": allow_leakage,
        "command": sys.argv if Path(sys.argv[0]).name.startswith("coverslip") else None,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Status:
    """`status.json`: what a run is doing, with a heartbeat that tells running from dead."""

    _SECONDS_BETWEEN = 5.0

    def __init__(self, folder: Path) -> None:
        self._file = folder / "status.json"
        self._said: dict[str, Any] = {}  # Any: JSON values
        self._written = 0.0

    def say(self, state: str, **more: Any) -> None:  # Any: JSON values
        """Write the state and whatever belongs to it at once."""
        self._said = {**self._said, "state": state, **more}
        self._write()

    def beat(self, **more: Any) -> None:  # Any: JSON values
        """Renew the heartbeat, written at most every few seconds."""
        self._said |= more
        if time.monotonic() - self._written > self._SECONDS_BETWEEN:
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        described = {
            "format_version": FORMAT_VERSION,
            "host": platform.node(),
            "pid": os.getpid(),
            "process_started": _process_started(),
        }
        write_json(self._file, {**described, **self._said, "heartbeat": now})


def read_status(folder: Path) -> dict[str, Any]:  # Any: JSON values
    """What `status.json` says; empty where a run was killed before it wrote one."""
    file = folder / "status.json"
    return read_json(file) if file.exists() else {}


def is_alive(status: Mapping[str, Any]) -> bool:  # Any: JSON values
    """Whether the process of a status still runs: its number may have gone to another one since."""
    import psutil

    pid, started, beat = status.get("pid"), status.get("process_started"), status.get("heartbeat")
    if status.get("state") != "running" or pid is None or started is None or beat is None:
        return False
    if status.get("host") != platform.node():  # a shared disk: only the heartbeat can be seen from here
        return (datetime.now(UTC) - datetime.fromisoformat(beat)).total_seconds() < _SILENT_SECONDS
    try:
        if psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE:  # ended; nobody has asked how
            return False
        return abs(_process_started(int(pid)) - float(started)) < 1
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another user's, so it is there
        return True


def _process_started(pid: int | None = None) -> float:
    """Seconds since 1970: with the process id it tells a process from a later one of the same number."""
    import psutil

    return float(psutil.Process(pid).create_time())
