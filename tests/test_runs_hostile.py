"""Run folders of strangers: whatever lies in them ends in one clear error that names the file, and runs no code."""

import json
import os
import pickle
import re
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coverslip.cli import main
from coverslip.errors import BadClassifier, BadRecipe, BadRun
from coverslip.runs import Run, open_run
from coverslip.runs.log.reader import lasting_lines

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


def elsewhere(file: Path) -> None:
    file.unlink()
    file.symlink_to(Path(__file__))


ANY = {
    "a gigabyte": spaces,
    "no bytes": written(b""),
    "control characters": written(b"\x00\x1b[31m\r\n" * 10),
    "no UTF-8": written(b"\xff\xfe\xfa{}"),
    "a link that leads out": elsewhere,
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
    "pixels.json": "seen",
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
HARMLESS = {("recipe.yaml", "no bytes"), ("split.csv", "no bytes"), ("pixels.json", "1e999")}


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
        tracemalloc.start()
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
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
        assert not (path.parent / "code was run").exists()
    finally:
        tracemalloc.stop()
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(before)


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
    assert [line.n for line in lasting_lines(log)] == [1]


def test_what_a_terminal_would_obey_is_escaped(copied: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = copied.training_file.read_text(encoding="utf-8")
    copied.training_file.write_text(json.dumps({"format_version": "\x1b[31m\u202e"}), encoding="utf-8")
    assert main(["report", str(copied.folder)]) == 1
    copied.training_file.write_text(before, encoding="utf-8")
    said = capsys.readouterr().err
    assert "\\x1b[31m\\u202e" in said
    assert said.removesuffix("\n").isprintable()


@pytest.mark.parametrize("name", ["figures", "evaluations"])
def test_nothing_is_written_through_a_link_that_leads_out(copied: Run, tmp_path: Path, name: str) -> None:
    (copied.folder / name).symlink_to(tmp_path, target_is_directory=True)
    try:
        with pytest.raises(BadRun, match="is a link"):
            open_run(copied.folder)
    finally:
        (copied.folder / name).unlink()
