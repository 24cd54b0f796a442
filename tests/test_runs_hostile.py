"""Run folders of strangers: whatever lies in them ends in one clear error that names the file, and runs no code."""

import dataclasses
import itertools
import json
import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory import within_memory

from coverslip.cli import main
from coverslip.datasets.index.opening import open_dataset
from coverslip.errors import BadClassifier, BadDataset, BadRecipe, BadRun
from coverslip.runs.folder import Run, open_run
from coverslip.runs.log import LogReader
from coverslip.runs.training import Epoch

MOST_BYTES = 400e6  # of memory, for a file of a stranger


class _Touches:
    """What runs code where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.mkdir, (str(self._file),)  # type: ignore[return-value]


def everywhere(value: object) -> Callable[[Path], None]:
    """Every value of a JSON file but its format becomes this one."""

    def replaced(old: Any, key: str = "") -> Any:  # Any: JSON values
        if key == "format_version":
            return old
        if isinstance(old, dict) and old:
            return {name: replaced(inner, name) for name, inner in old.items()}
        return [replaced(inner) for inner in old] if isinstance(old, list) and old else value

    return lambda file: file.write_text(json.dumps(replaced(json.loads(file.read_text()))), encoding="utf-8") and None


def written(data: bytes) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(data) and None


def spaces(file: Path) -> None:
    """A gigabyte of them, which takes no room on the disk: zeros are no JSON either."""
    with file.open("wb") as opened:
        opened.truncate(10**9)


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def device(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def outside(file: Path) -> None:
    file.unlink()
    file.symlink_to(Path(__file__))


ANY = {
    "a gigabyte": spaces,
    "no bytes": written(b""),
    "control characters": written(b"\x00\x1b[31m\r\n" * 10),
    "no UTF-8": written(b"\xff\xfe\xfa{}"),
    "a link that leads out": outside,
    **({} if sys.platform == "win32" else {"a pipe": pipe, "a device": device}),
}
JSON = {
    **ANY,
    "a million brackets": written(b"[" * 1_000_000),
    "deep objects": written(b'{"a":' * 300_000),
    "many values": written(b'{"a":[' + b"[]," * 5_000_000 + b"[]]}"),
    "no object": written(b"null"),
    "NaN": everywhere(float("nan")),
    "1e999": lambda file: file.write_text(re.sub(r"\d+\.\d+", "1e999", file.read_text())) and None,
    "numbers too large": everywhere(10**300),
    "wrong types": everywhere([[]]),
}


def added(text: str) -> Callable[[Path], None]:
    return lambda file: file.write_text(file.read_text() + text) and None


TABLE = {
    **ANY,
    "a cell of 300,000 letters": added("x" * 300_000 + "\n"),
    "a row of a million cells": added("," * 1_000_000 + "\n"),
    "a short row": added("x\n"),
    "five million columns": written(b"a," * 5_000_000),
    "no numbers": lambda file: file.write_text(file.read_text().replace("0.", "z").replace(",train,", ",tr,")) and None,
}
ARRAY = {
    **ANY,
    "a pickle": lambda file: file.write_bytes(pickle.dumps(_Touches(file.parent / "code was run"))) and None,
    "objects": lambda file: np.save(file, np.array([[_Touches(file.parent / "code was run")]]), allow_pickle=True),
    "texts": lambda file: np.save(file, np.array([["a"]])),
    "one axis": lambda file: np.save(file, np.zeros(5)),
    **{
        f"shape {shape}": (lambda file, shape=shape: header(file, shape))
        for shape in ((10**9, 3), (10**15, 10**6), (-1, 3))
    },
}


def header(file: Path, shape: tuple[int, ...]) -> None:
    with file.open("wb") as opened:
        np.lib.format.write_array_header_1_0(opened, {"descr": "<f8", "fortran_order": False, "shape": shape})


DOCUMENTS = {
    "metrics.json": "metrics",
    "training.json": "training",
    "data.json": "inspection",
    "environment.json": "environment",
    "status.json": "status",
    "training_hashes.json": "training_hashes",
    "classifier/classifier.json": "card",
}
TABLES = {"predictions.csv": "predictions", "validation.csv": "validation", "split.csv": "split"}
ARRAYS = {"logits/test.npy": "test_logits", "logits/validation.npy": "validation_logits"}
CASES = [
    *((file, what, name, do) for file, what in DOCUMENTS.items() for name, do in JSON.items()),
    *((file, what, name, do) for file, what in TABLES.items() for name, do in TABLE.items()),
    *((file, what, name, do) for file, what in ARRAYS.items() for name, do in ARRAY.items()),
    *(("recipe.yaml", "recipe", name, do) for name, do in ANY.items()),
]
# Files that say nothing, and where that is how it is left out.
HARMLESS = {("recipe.yaml", "no bytes"), ("split.csv", "no bytes")}


@pytest.fixture(scope="module")
def copied(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The files of a run that are read here, but for its weights."""
    copy = tmp_path_factory.mktemp("hostile") / "run"
    for file in (*DOCUMENTS, *TABLES, *ARRAYS, "recipe.yaml", "events.jsonl"):
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        (copy / file).write_bytes((trained.folder / file).read_bytes())
    return Run(copy)


@pytest.mark.parametrize(("file", "what", "name", "do"), CASES, ids=[f"{case[0]}: {case[2]}" for case in CASES])
def test_a_file_of_a_stranger_is_refused_by_name_within_little_memory(
    copied: Run, file: str, what: str, name: str, do: Callable[[Path], None]
) -> None:
    path = copied.folder / file
    before = path.read_bytes()
    try:
        do(path)
        with within_memory(MOST_BYTES):
            if (file, name) in HARMLESS:
                getattr(Run(copied.folder), what)
            elif path.is_file():
                with pytest.raises((BadRun, BadClassifier, BadRecipe)) as refused:
                    getattr(Run(copied.folder), what)
                assert path in (refused.value.file, path.parent / str(refused.value.file)) or what == "card"
                assert len(str(refused.value)) < 1000
            else:  # left out where a run may do without, else refused
                try:
                    assert not getattr(Run(copied.folder), what)
                except (BadRun, BadClassifier, BadRecipe) as error:
                    assert str(copied.folder) in str(error)  # noqa: PT017 - it may also be left out
        assert not (path.parent / "code was run").exists()
    finally:
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(before)


EPOCH = {"epoch": "1", "seconds": "2.5", "val_loss": "3.1", "val_accuracy": "0.5"}


@pytest.mark.parametrize(
    "cells",
    [{"val_loss": cell} for cell in ("nan", "inf", "1e308", "x")]
    + [
        {"val_accuracy": "1.5"},
        {"val_accuracy": "-1"},
        {"epoch": "-1"},
        {"epoch": "1" + "0" * 18},
        {"epoch": "1" * 5000},
    ],
    ids=str,
)
def test_epochs_of_a_stranger_that_no_training_can_have_are_refused_by_name(
    tmp_path: Path, cells: dict[str, str]
) -> None:
    names = [field.name for field in dataclasses.fields(Epoch)]
    for row in (EPOCH, EPOCH | cells):
        lines = [",".join(names), ",".join(row.get(name, "") for name in names)]
        (tmp_path / "history.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if row is EPOCH:
            assert [epoch.val_loss for epoch in Run(tmp_path).history] == [3.1]
    with pytest.raises(BadRun, match=re.escape("history.csv")):
        _ = Run(tmp_path).history


def test_a_log_of_a_stranger_is_read_as_far_as_it_makes_sense(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    good = b'{"n": 1, "time": 2.0, "event": "Noted", "text": "a"}'
    odd = [
        b"[" * 100_000,
        b'{"n": "x", "time": 1, "event": "a"}',
        b'{"n": 1e999, "time": [], "event": "a"}',
        b"[1]",
        b"1",
    ]
    log.write_bytes(b"\n".join([*odd, good, b""]))
    assert [line.n for line in LogReader(log).new_lines()] == [1]


def test_what_a_terminal_would_obey_is_escaped(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = copied.training_file.read_text(encoding="utf-8")
    copied.training_file.write_text(json.dumps({"format_version": "\x1b[31m\u202e"}), encoding="utf-8")
    assert main(["report", str(copied.folder)]) == 1
    copied.training_file.write_text(before, encoding="utf-8")
    stderr = capsys.readouterr().err
    assert "\\x1b[31m\\u202e" in stderr
    assert stderr.removesuffix("\n").isprintable()


@pytest.mark.parametrize("name", ["figures", "evaluations"])
def test_nothing_is_written_through_a_link_that_leads_out(copied: Run, tmp_path: Path, name: str) -> None:
    (copied.folder / name).symlink_to(tmp_path, target_is_directory=True)
    try:
        with pytest.raises(BadRun) as refused:
            open_run(copied.folder)
        assert refused.value.code == "linked-run-folder"
    finally:
        (copied.folder / name).unlink()


def sparse(file: Path) -> None:
    """Two gigabytes that take no room on the disk."""
    file.write_bytes(b"path,label\n")
    os.truncate(file, 2 * 10**9)


LISTS = {
    "two gigabytes": (sparse, "larger than 1 GiB"),
    "a header of 20 million letters": (written(b"path,label" + b"x" * 20_000_000), "line 1 on: the row has more"),
    "a row of 10 million cells": (written(b"path,label\n" + b"," * 10_000_000), "line 2 on: the row has more"),
    "a row in a million lines": (written(b"path,label\n" + b'"a\n",' * 1_000_000), "line 2 on: the row has more"),
    "a quote that never ends": (
        written(b'path,label\n"' + (b"a" * 99 + b"\n") * 100_000),
        "line 2 on: the row has more",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_images_is_read_as_far_as_it_can_be_one(tmp_path: Path, name: str) -> None:
    write, expected = LISTS[name]
    write(tmp_path / "labels.csv")
    with within_memory(MOST_BYTES), pytest.raises(BadDataset, match=expected):
        open_dataset(tmp_path / "labels.csv")


NAMES = {
    "out of its folder": "../../../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "with a NUL": "a\0b.png",
    "too long": "x" * 10_000,
    "a device": "/dev/zero",
    "an address": "http://127.0.0.1:9/x.png",
}


@pytest.mark.slow
def test_no_path_that_a_run_of_a_stranger_names_is_opened(own_run: Run) -> None:
    names_of_text = {name for name in NAMES.values() if "\0" not in name}
    names = itertools.cycle(names_of_text)
    for table in (own_run.split_file, own_run.predictions_file):
        table.write_text(re.sub(r",[^,\n]+\.png,", lambda _: f",{next(names)},", table.read_text()), encoding="utf-8")
    assert {row.path for row in Run(own_run.folder).split} == names_of_text
    assert main(["report", str(own_run.folder)]) == 0
    assert "root:" not in own_run.report_file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_a_stranger_whose_images_lie_anywhere_ends_in_one_line(
    own_run: Run, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = json.loads(own_run.environment_file.read_text())
    environment["opened"]["sources"] = [NAMES[name]]
    environment["data"][0] |= {"root": NAMES[name], "sources": [NAMES[name]]}
    own_run.environment_file.write_text(json.dumps(environment))
    assert main(["evaluate", str(own_run.folder)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "error in coverslip" not in error


INITIAL = {
    **{name: NAMES[name] for name in NAMES},
    "the folder of all": "/",
    "a classifier that is a link out": "LINK",
    "weights that are a pipe": "PIPE",
    "weights that are a device": "DEVICE",
}


@pytest.mark.parametrize("name", INITIAL)
def test_an_initialization_that_is_no_run_ends_in_one_line(
    own_run: Run, cells: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = INITIAL[name]
    weights = own_run.classifier_folder / "weights.safetensors"
    match place:
        case "LINK":
            outside(weights)
        case "PIPE":
            pipe(weights)
        case "DEVICE":
            device(weights)
    run = str(own_run.folder) if place.isupper() else place
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps({"stage": "instant", "init": {"run": run}}))
    assert main(["train", str(cells), "--recipe", str(recipe), "--out", str(tmp_path / "new")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "error in coverslip" not in error
    assert not (tmp_path / "new" / "classifier").exists()
