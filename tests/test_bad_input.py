"""Whatever people hand in, by accident or not: one clear line or a visible row, and nothing half-written."""

import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import save_cell, save_cells
from PIL import Image
from tables import rows_of
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.cli._options import for_shell
from coverslip.errors import UnreadableImage
from coverslip.images.decoding import read_pixels
from coverslip.messages import message, message_of, text
from coverslip.runs.folder import Run
from coverslip.synthetic_cells import write_sample_images

ROOT = Path(__file__).resolve().parent.parent
_SETTINGS = (f"model={SMALL_NETWORK}", "stage=instant", "image_size=48", "tta=1", "split.folds=0")
QUICK = tuple(part for setting in _SETTINGS for part in ("--set", setting))
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_images(tmp_path_factory.mktemp("cells") / "cells", n_images=60).folder


@pytest.fixture(scope="module")
def run(trained: Run) -> Path:
    """A finished training's folder."""
    return trained.folder


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line of a command that must end with exit code 1 and print no answer."""
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    return the_error(err)


def one_line(line: str) -> str:
    return " ".join(line.split())


def the_error(stderr: str) -> str:
    errors = [line for line in stderr.splitlines() if line.startswith("Error: ")]
    assert stderr.splitlines()[-1:] == errors
    assert "Traceback" not in stderr
    assert "error in coverslip" not in stderr
    return errors[0]


# Folders ------------------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_refused_by_every_command_and_leaves_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    for arguments in (
        ["inspect", empty],
        ["train", empty, "--out", out],
        ["predict", run, empty, "--out", out],
        ["evaluate", run, empty],
    ):
        line = refusal(capsys, *arguments)
        assert text("no-images", content="nothing", suffixes="", n_folders=0, n_hidden=0) in line
        assert str(empty) in line
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert not (run / "evaluations").exists()


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["only"], text("too-few-classes", n_usable=1, label="only", n_classes=1, is_of_several=False)),
        (["a", "uncertain"], text("class-name-is-a-decision", label="uncertain")),
    ],
)
def test_classes_that_cannot_be_trained_on_are_reported_before_any_work(
    names: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in refusal(capsys, "train", save_cells(tmp_path / "images", names), "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_class_of_one_image_is_trained_on_and_the_shortage_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = save_cells(tmp_path / "images", ("a", "b"))
    save_cell(images / "rare" / "1.png")
    assert main(["inspect", str(images)]) == 0
    assert "13 images, 3 classes" in (stdout := capsys.readouterr().out)
    assert text("finding-small-class-not-in-all-sets", names="'rare'", n_needed=3) in one_line(stdout)
    assert main(["train", str(images), *QUICK, "--out", str(tmp_path / "run")]) == 0
    units = {"n_images": 1, "n_units": 1, "n_parts": 3, "reason": "few-images", "is_tested": False}
    missing = text("missing-part", subject="class", name="rare", missing="val-and-test", **units)
    assert missing in one_line(capsys.readouterr().err)
    (rare,) = [row for row in rows_of(tmp_path / "run" / "split.csv") if row["label"] == "rare"]
    assert rare["split"] == "train"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_single_item_is_named_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = save_cells(tmp_path / "images", ("a",), n=1)
    (images / "a" / "broken.png").write_bytes(b"")
    assert main(["inspect", str(images), "--group-pattern", "a"]) == 0
    stdout = capsys.readouterr().out
    assert "2 images (1 unreadable), 1 class; 1 group of 2 images" in stdout
    save_cells(images, ("a", "b"), n=4)
    assert main(["train", str(images), *QUICK, "--out", str(tmp_path / "run")]) == 0
    err = one_line(capsys.readouterr().err)
    assert text("excluded", n_images=1, reason="unreadable") in err
    assert text("few-images", n_images=8, n_classes=2) in err


@pytest.mark.slow
def test_names_may_hold_anything(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = tmp_path / "my images"
    labels = ["two words", 'it\'s "quoted"', "two\nlines", "back\r=1+1", "Größe µ", "🔬 細胞", "=SUM(A1)", "[bold]red"]
    for label in labels:
        save_cell(images / label / f"image {label}.png")
    assert main(["inspect", str(images)]) == 0
    table = capsys.readouterr().out.split("class ")[1].split("\n\n")[0].splitlines()[1:]
    assert sorted(line.rsplit(maxsplit=1)[0] for line in table) == sorted(
        name.replace("\n", "\\n").replace("\r", "\\r") for name in labels
    )
    out = tmp_path / "p \n🔬.csv"
    assert main(["predict", str(run), str(images), "--out", str(out)]) == 0
    names = {row["image_id"].removeprefix("'") for row in rows_of(out)}
    assert names == {f"{label}/image {label}.png" for label in labels}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_classes_called_like_columns_are_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = save_cells(tmp_path / "images", ("label", "decision", "p:label"))
    assert main(["train", str(images), *QUICK, "--out", str(tmp_path / "run")]) == 0
    out = tmp_path / "p.csv"
    assert main(["predict", str(tmp_path / "run"), str(images), "--out", str(out)]) == 0
    for row in rows_of(out):
        assert row["predicted"] in ("label", "decision", "p:label")
        assert row["decision"] in (row["predicted"], "uncertain", "unfamiliar")
        assert bool(row["reason"]) == (row["decision"] != row["predicted"])
        chances = [float(row[f"p:{name}"]) for name in ("label", "decision", "p:label")]
        assert sum(chances) == pytest.approx(1, abs=1e-5)
    capsys.readouterr()


@pytest.mark.slow
def test_hidden_files_are_ignored_and_reported(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = save_cells(tmp_path / "images", ("a",), n=2)
    for name in ("a/.DS_Store", "a/._0.png", ".hidden/1.png"):
        save_cell(images / f"{name}.png").rename(images / name)
    assert main(["predict", str(run), str(images), "--out", str(tmp_path / "p.csv")]) == 0
    assert text("hidden-files", n_files=3) in one_line(capsys.readouterr().err)
    assert len(rows_of(tmp_path / "p.csv")) == 2


@pytest.mark.slow
def test_links_to_themselves_and_their_own_folder_stop_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = save_cells(tmp_path / "images", ("a",), n=2)
    (images / "a" / "self.png").symlink_to("self.png")
    (images / "a" / "round").symlink_to(images)
    assert main(["predict", str(run), str(images), "--out", str(tmp_path / "p.csv")]) == 0
    decisions = {row["image_id"]: row["decision"] for row in rows_of(tmp_path / "p.csv")}
    assert len(decisions) == 3
    assert decisions["a/self.png"] == "unreadable"
    assert "a/self.png: The file could not be opened" in capsys.readouterr().err


# Images -------------------------------------------------------------------------------------------------------------


def encoded(kind: str, side: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@cache
def huge_png() -> bytes:
    """900 million pixels in a megabyte: whole and right, were it not for its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(bytes(1 + 30_000)) for _ in range(30_000)) + packer.flush()
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def huge_bmp() -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 8, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + head + bytes(1024)


def huge_tiff() -> bytes:
    tags = [(256, 30_000), (257, 30_000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 30_000)]
    tags.append((279, 900_000_000))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "zero.png": (lambda: b"", "empty"),
    "cut.jpg": (lambda: encoded("JPEG", 200)[:4000], "damaged"),
    "table.png": (lambda: b"path,label\n1.png,a\n" * 9, text("not-an-image", is_text=True)),
    "huge.png": (huge_png, "the limit is 201 million bytes"),
    "huge.bmp": (huge_bmp, "the limit is 201 million bytes"),
    "huge.tif": (huge_tiff, "the limit is 201 million bytes"),
}


@pytest.mark.slow
def unreadable_in(inspected: dict[str, Any]) -> dict[str, str]:
    """What `inspect --json` gives as unreadable: the image's name, and why."""
    (finding,) = [each for each in inspected["findings"] if each["code"] == "unreadable"]
    return {
        image: str(message_of(reason)) for (image,), (reason,) in zip(finding["images"], finding["notes"], strict=True)
    }


@pytest.mark.slow
@pytest.mark.exhaustive
def test_broken_images_keep_their_rows_and_stop_nobody_else(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = save_cells(tmp_path / "images", ("a", "b"), n=20)
    assert main(["predict", str(run), str(images), "--out", str(tmp_path / "good.csv")]) == 0
    for name, (make, _) in BROKEN.items():
        (images / "a" / name).write_bytes(make())
    capsys.readouterr()
    assert main(["inspect", str(images), "--json"]) == 0
    unreadable = unreadable_in(json.loads(capsys.readouterr().out))
    assert unreadable.keys() == {f"a/{name}" for name in BROKEN}
    for name, (_, reason) in BROKEN.items():
        assert reason in unreadable[f"a/{name}"]
    assert main(["predict", str(run), str(images), "--out", str(tmp_path / "all.csv")]) == 0
    rows = rows_of(tmp_path / "all.csv")
    assert {row["image_id"] for row in rows if row["decision"] == "unreadable"} == unreadable.keys()
    assert [row for row in rows if row["decision"] != "unreadable"] == rows_of(tmp_path / "good.csv")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_declared_size_takes_no_memory(tmp_path: Path) -> None:
    images = save_cells(tmp_path / "images", ("a", "b"), n=2)
    usual = peak_mib("inspect", str(images))
    for name, (make, _) in BROKEN.items():
        (images / "a" / name).write_bytes(make())
    assert peak_mib("inspect", str(images)) < usual + 60  # one of them would take 900


def peak_mib(*arguments: str) -> float:
    """Peak memory of one command that must succeed, in a process of its own."""
    code = (
        "import resource, subprocess, sys; "
        "done = subprocess.run([sys.executable, '-m', 'coverslip', *sys.argv[1:]], capture_output=True); "
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    returned, peak = done.stdout.split()
    assert returned == "0"
    return float(peak)


def refusal_of(path: Path) -> UnreadableImage | None:
    try:
        assert read_pixels(path).array.size, path.name
    except UnreadableImage as error:
        return error
    return None


@pytest.mark.filterwarnings("ignore")  # pytest takes away the filter that hides Pillow's warnings from users
def test_damaged_files_of_every_format_are_read_or_refused_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from mutated_files import write_mutated

    paths = write_mutated(tmp_path / "mutated", 150, seed=0)
    refused = {path: error for path in paths if (error := refusal_of(path))}
    assert 30 < len(refused) < 140
    assert all(error.file == path and error.what for path, error in refused.items())
    assert capfd.readouterr().err == ""


# Tables -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("path|label\n1.png|a\n", text("single-column-table", column="path|label")),
        ("path label\n1.png a\n", text("single-column-table.do")),
        ("path,label,label\n1.png,a,b\n", text("duplicate-column", n_columns=2, column="label")),
        ("path,Path,label\n1.png,1.png,a\n", text("duplicate-column", n_columns=2, column="path")),
        ("photo,kind\n1.png,a\n", text("missing-column", meaning="label", hint="", names="'photo', 'kind'")),
    ],
)
def test_a_table_that_cannot_be_understood_is_one_line(
    content: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_cell(tmp_path / "1.png")
    (tmp_path / "t.csv").write_text(content)
    line = refusal(capsys, "inspect", tmp_path / "t.csv")
    assert sentence in line
    assert str(tmp_path / "t.csv") in line


def test_a_group_column_that_stands_twice_is_refused_and_other_twins_are_nobodys_business(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_cell(tmp_path / "1.png")
    table = tmp_path / "t.csv"
    table.write_text("path,label,slide,slide\n1.png,a,1,2\n")
    line = refusal(capsys, "inspect", table, "--group", "slide")
    assert text("duplicate-column", n_columns=2, column="slide") in line
    assert main(["inspect", str(table)]) == 0


def test_a_table_from_a_spreadsheet_with_numbers_as_labels_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(4):
        save_cell(tmp_path / f"{i}.png")
    rows = ["0.png;1;x", "1.png;2;x", "2.png;10;x", "3.png;2;x", "3.png;2;x"]
    (tmp_path / "t.csv").write_text("\ufeffpath;label;remark\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert main(["inspect", str(tmp_path / "t.csv"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["classes"] == {"1": 1, "2": 2, "10": 1}
    (note,) = (note for note in printed["notes"] if note["code"] == "repeated-rows")
    assert note["parameters"] == {"n_rows": 1}


@pytest.mark.slow
def test_files_that_a_table_names_but_are_not_there_keep_their_rows(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_cell(tmp_path / "1.png")
    table = tmp_path / "t.csv"
    table.write_text("path,label\n1.png,a\n2.png,b\n")
    assert main(["predict", str(run), str(table), "--out", str(tmp_path / "p.csv")]) == 0
    assert "2.png: There is no such file" in capsys.readouterr().err
    assert [row["decision"] == "unreadable" for row in rows_of(tmp_path / "p.csv")] == [False, True]
    assert main(["inspect", str(table)]) == 0
    stdout = capsys.readouterr().out
    assert text("finding-unreadable", n=1, first="2.png", reason=message("no-such-image")) in one_line(stdout)


def test_a_column_that_needs_quotes_gets_them_in_the_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{save_cell(tmp_path / f'{i}.png').name},{'ab'[i % 2]},{i // 2}" for i in range(6)]
    (tmp_path / "t.csv").write_text("path,label,Patient ID\n" + "\n".join(rows) + "\n")
    assert main(["inspect", str(tmp_path / "t.csv")]) == 0
    assert '(--group "Patient ID").' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("runs/first", "runs/first"),
        ("my run", '"my run"'),
        ("C:\\runs", "C:\\runs"),
        ("it's", '"it\'s"'),
        ('a"b', "'a\"b'"),
        ("$HOME", "'$HOME'"),
        ("", '""'),
    ],
)
def test_names_in_suggested_commands_can_be_typed(name: str, typed: str) -> None:
    assert for_shell(name) == typed


# Recipes and classifiers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("epochs=true", "epochs = true: true and false are not valid here"),
        ("augment.zoom=false", "augment.zoom = false: true and false are not valid here"),
        ("tta=true", "tta = true: true and false are not valid here"),
        ("images.channels=[true, 1]", "images.channels = [true, 1]: true and false are not valid here"),
        (
            "images.z=top",
            "images.z = 'top': it must be the number of a z-plane from 0, 'max', 'mean', 'best-focus' or 'channels'",
        ),
        (
            "images.channels=0,2",
            "images.channels = '0,2': it must be a list of channel numbers from 0, or of names, "
            "such as [0, 2] or [DAPI, GFP]",
        ),
        ("augment=3", "augment = 3: it is a section of several keys, such as augment.flip, or the name of a set"),
        ("augment.flip=7", "augment.flip = 7: it must be true, false or horizontal"),
        ("epochs=2.5", "epochs = 2.5: it must be auto, or a whole number from 1 to 10,000"),
        ("learning_rate=.inf", "learning_rate = inf: it must be a finite number"),
        ("model=null", "model = null: it must be text"),
        ("freeze_to=''", f"freeze_to = '': {text('freeze-to-empty')}"),
        ("split.val=0.9", "split: val = 0.9 and test = 0.2 leave no images for training"),
    ],
)
def test_a_wrong_choice_is_explained_in_plain_words_once(
    setting: str, sentence: str, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, "train", cells, "--set", setting, "--out", tmp_path / "run")
    assert line == f"Error: The recipe is not valid: {sentence}. Correct it."
    assert not (tmp_path / "run").exists()


def test_whole_numbers_are_numbers_too(cells: Path) -> None:
    recipe = cs.Recipe.model_validate({"learning_rate": 1, "weight_decay": 0, "augment": {"zoom": 0, "flip": False}})
    assert (recipe.learning_rate, recipe.augment.zoom, recipe.augment.flip) == (1.0, 0.0, False)


def test_a_classifier_of_a_newer_coverslip_says_update(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = tmp_path / "classifier"
    shutil.copytree(run / "classifier", newer)
    card = json.loads((newer / "classifier.json").read_text())
    (newer / "classifier.json").write_text(json.dumps({**card, "format_version": 2, "news": True}))
    line = refusal(capsys, "predict", newer, save_cell(tmp_path / "1.png"), "--out", tmp_path / "p.csv")
    assert "format version 2," in line
    assert line.endswith("Update coverslip.")
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_run_that_was_killed_before_it_began_is_in_nobodys_way(
    cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "environment.json").write_text("{}")
    (folder / ".recipe.yaml.0a1b2c3d.part").write_text("model:")
    assert main(["train", str(cells), *QUICK, "--out", str(folder)]) == 0
    assert not list(folder.glob(".*"))
    capsys.readouterr()


# Places to write to -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_predict_replaces_predictions_and_nothing_else(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = save_cell(tmp_path / "1.png")
    out = tmp_path / "p.csv"
    for sentence in ("", "The earlier predictions in"):
        assert main(["predict", str(run), str(image), "--out", str(out)]) == 0
        assert sentence in capsys.readouterr().err
    table = tmp_path / "labels.csv"
    table.write_text("path,label\n1.png,a\n")
    for precious in (table, image, Path(os.devnull)):
        before = precious.read_bytes()
        assert "another file of that name" in refusal(capsys, "predict", run, image, "--out", precious)
        assert precious.read_bytes() == before
    assert Path(os.devnull).is_char_device()
    measured = run / "predictions.csv"
    before = measured.read_bytes()
    assert "belong to a training" in refusal(capsys, "predict", run, image, "--out", measured)
    assert measured.read_bytes() == before
    assert "This is a folder" in refusal(capsys, "predict", run, image, "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"1.png", "p.csv", "labels.csv"}


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
def test_an_answer_that_finds_no_space_is_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        for arguments in (["models"], ["models", "--json"], ["--version"]):
            command = [sys.executable, "-m", "coverslip", *arguments]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert done.returncode == 1
            assert done.stderr.count("\n") == 1
            assert "The output could not be written: No space left on device" in the_error(done.stderr)
        images = save_cells(tmp_path / "images", ("a",), n=2)
        command = [sys.executable, "-m", "coverslip", "inspect", str(images)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
        assert done.returncode == 0, "a log that finds no space stops nothing"
        assert "2 images, 1 class" in done.stdout


def without_privileges(*arguments: str | Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that may open and write only what file modes allow, though the tests may run as root."""
    code = (
        "import ctypes, os, sys\n"
        "drop_from_children = ctypes.CDLL(None).prctl\n"
        "for capability in (1, 2):  # to pass over modes when writing, when reading\n"
        "    drop_from_children(24, capability, 0, 0, 0)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'coverslip', *sys.argv[1:]])"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "COVERSLIP_CACHE": str(cache)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="gives up privileges as Linux has them")


@pytest.mark.slow
@needs_linux
@pytest.mark.exhaustive
def test_what_may_not_be_read_is_reported_and_stops_nobody_else(tmp_path: Path) -> None:
    images = save_cells(tmp_path / "images", ("a", "b"), n=3)
    save_cell(images / "closed" / "1.png")
    (images / "a" / "slide0_0.png").chmod(0)
    (images / "closed").chmod(0)
    try:
        done = without_privileges("inspect", images, "--json", cache=tmp_path / "cache")
        printed = json.loads(done.stdout)
        assert unreadable_in(printed) == {"a/slide0_0.png": "The file may not be read: Permission denied"}
        assert printed["n_readable"] == 5
        (note,) = (note for note in printed["notes"] if note["code"] == "closed-folders")
        assert note["parameters"] == {"n_folders": 1, "folders": "'closed'"}
        (tmp_path / "t.csv").write_text("path,label\nimages/b/slide0_0.png,b\n")
        (tmp_path / "t.csv").chmod(0)
        for closed, sentence in (
            (images / "closed", text("image-folder-not-opened", reason="Permission denied")),
            (tmp_path / "t.csv", text("table-not-read", reason="Permission denied")),
        ):
            done = without_privileges("inspect", closed, cache=tmp_path / "cache")
            assert done.returncode == 1
            assert sentence in the_error(done.stderr)
    finally:
        (images / "closed").chmod(0o755)


@needs_linux
@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_folder_that_may_not_be_written_to_is_one_line(run: Path, cells: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    shutil.copytree(run, closed / "run")
    before = {path: path.read_bytes() for path in closed.rglob("*") if path.is_file()}
    folders = [closed, *(path for path in closed.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    image = save_cell(tmp_path / "1.png")
    try:
        for arguments in (
            ["predict", run, image, "--out", closed / "p.csv"],
            ["train", cells, *QUICK, "--out", closed / "new"],
            ["report", closed / "run"],
            ["demo", "--out", closed / "demo"],
        ):
            done = without_privileges(*arguments, cache=tmp_path / "cache")
            assert done.returncode == 1
            assert done.stdout == ""
            assert "Permission denied" in the_error(done.stderr)
        done = without_privileges("predict", closed / "run", image, "--out", tmp_path / "p.csv", cache=closed / "cache")
        assert done.returncode == 0, "a classifier may lie where nobody can write"
        done = without_privileges("train", cells, *QUICK, "--out", tmp_path / "new", cache=closed / "cache")
        assert done.returncode == 0, "the cache saves time; without it training takes longer"
        assert str(closed / "cache") in done.stderr
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert {path: path.read_bytes() for path in closed.rglob("*") if path.is_file()} == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give a disk of its own with the size asked for; asked again, the same disk with another size."""
    disk = tmp_path / "small disk"

    def of_size(size: str) -> Path:
        options = f"remount,size={size}" if disk.exists() else f"size={size}"
        disk.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        if not hasattr(os, "geteuid") or os.geteuid() or subprocess.run(command, check=False).returncode:
            pytest.skip("needs root to mount a tmpfs")
        return disk

    yield of_size
    subprocess.run(["umount", str(disk)], check=False, stderr=subprocess.DEVNULL)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


@pytest.mark.slow
def test_a_full_disk_leaves_the_earlier_predictions_whole(
    run: Path, cells: Path, small_disk: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    disk = small_disk("64k")
    out = disk / "p.csv"
    first = next(cells.glob("*/*.png"))
    assert main(["predict", str(run), str(first), "--out", str(out)]) == 0
    before = out.read_bytes()
    fill(disk)
    capsys.readouterr()
    line = refusal(capsys, "predict", run, cells, "--out", out)
    assert "No space left on device" in line
    assert str(out) in line
    assert out.read_bytes() == before
    assert {path.name for path in disk.iterdir()} == {"p.csv", "filler"}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_full_disk_under_the_cache_stops_no_training(
    cells: Path, tmp_path: Path, small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk("60k")
    fill(disk)
    monkeypatch.setenv("COVERSLIP_CACHE", str(disk))
    assert main(["train", str(cells), *QUICK, "--out", str(tmp_path / "run")]) == 0
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [event["code"] for event in events if event.get("code") == "cache-not-usable"] == ["cache-not-usable"]
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_full_disk_under_a_checkpoint_is_one_line_and_more_space_lets_it_resume(
    cells: Path, tmp_path: Path, small_disk: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_disk("1m") / "run"
    settings = [*QUICK, *("--set", "stage=finetune", "--set", "epochs=1", "--set", "batch_size=16")]
    line = refusal(capsys, "train", cells, *settings, "--out", folder)
    assert "No space left on device" in line
    assert "checkpoints" in line
    assert json.loads((folder / "status.json").read_text())["state"] == "failed"
    assert not list(folder.rglob("*.part"))
    assert [file.name for file in (folder / "checkpoints").iterdir()] == ["instant.safetensors"]
    small_disk("200m")
    assert main(["train", "--resume", str(folder)]) == 0
    assert (folder / "report.html").exists()
    capsys.readouterr()
