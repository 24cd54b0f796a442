"""Tables of predictions: formats, columns, and resumption after a kill at any moment with equal bytes."""

import codecs
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from drawing import write_cells
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refusing import refusing
from trained import INSTANT, MadeOnce

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.records import ImageRecord
from coverslip.errors import CoverslipError
from coverslip.events import Event, Noted
from coverslip.images.reader import ReadPlan
from coverslip.inference.predicting import PredictionSummary
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.runs.prediction_tables import Format, HashedReading, PredictionColumns, prediction_table
from coverslip.runs.predictions import Prediction, read_predictions

WELLS = ("A1", '=2"', "line\nbreak", "")


@pytest.fixture(scope="session")
def plate(made_once: MadeOnce) -> Path:
    """A table of 800 boxes in one field of view, with a column `well`."""

    def write(folder: Path) -> None:
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 255, (400, 400, 3), dtype=np.uint8)).save(folder / "field.png")
        with (folder / "plate.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "x", "y", "width", "height", "well"])
            for i in range(800):
                writer.writerow(["field.png", i % 40 * 8, i // 40 * 8, 60, 60, WELLS[i % 4]])

    return made_once("plate", write) / "plate.csv"


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def objects_in(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def predicted(trained: Run, plate: Path, out: Path, **options: object) -> PredictionSummary:
    return cs.predict(trained.folder, plate, out=out, device="cpu", emit=lambda event: None, **options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_every_format_has_the_same_values(trained: Run, plate: Path, tmp_path: Path) -> None:
    summaries = [predicted(trained, plate, tmp_path / f"p.{name}", format=name) for name in ("csv", "jsonl")]
    assert summaries[0].decisions == summaries[1].decisions
    table, objects = rows_of(tmp_path / "p.csv"), objects_in(tmp_path / "p.jsonl")
    assert len(table) == len(objects) == 800
    for row, values in zip(table, objects, strict=True):
        assert list(row) == list(values)
        assert [row["predicted"], row["decision"]] == [values["predicted"], values["decision"]]
        for name in ("probability", *(name for name in row if name.startswith("p:"))):
            assert float(row[name]) == values[name]


@pytest.mark.slow
def test_a_parquet_file_has_the_same_values(trained: Run, plate: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    options = {"top_k": 2}
    for name in ("parquet", "jsonl"):
        predicted(trained, plate, tmp_path / f"p.{name}", format=name, **options)
    assert parquet.read_table(tmp_path / "p.parquet").to_pylist() == objects_in(tmp_path / "p.jsonl")
    predicted(trained, plate, tmp_path / "p.parquet", format="parquet")
    assert f"p:{cs.load_classifier(trained.folder).classes[0]}" in parquet.read_schema(tmp_path / "p.parquet").names
    with refusing(CoverslipError, "parquet-not-resumable"):
        predicted(trained, plate, tmp_path / "p.parquet", format="parquet", resume=True)
    other = tmp_path / "other.parquet"
    parquet.write_table(parquet.read_table(tmp_path / "p.parquet").select(["path"]), other)
    with refusing(CoverslipError, "other-file-in-place"):
        predicted(trained, plate, other, format="parquet")


@pytest.mark.slow
def test_a_parquet_file_needs_its_extra(trained: Run, plate: Path, tmp_path: Path) -> None:
    script = """
import sys
sys.modules["pyarrow"] = None
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name == "pyarrow" else find(name, *more)
from coverslip.cli import main
sys.exit(main(sys.argv[1:]))
"""
    arguments = [
        "predict",
        str(trained.folder),
        str(plate),
        "--format",
        "parquet",
        "--out",
        str(tmp_path / "p.parquet"),
    ]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "coverslip[parquet]" in done.stderr


@pytest.mark.slow
def test_the_most_probable_classes_stand_in_place_of_all(trained: Run, plate: Path, tmp_path: Path) -> None:
    classes = cs.load_classifier(trained.folder).classes
    predicted(trained, plate, tmp_path / "all.csv")
    predicted(trained, plate, tmp_path / "p.csv", top_k=2)
    for row, whole in zip(rows_of(tmp_path / "p.csv"), rows_of(tmp_path / "all.csv"), strict=True):
        assert not [name for name in row if name.startswith("p:")]
        shares = {name: whole[f"p:{name}"] for name in classes}
        best = sorted(classes, key=lambda name: -float(shares[name]))[:2]
        assert [float(shares[name]) for name in best] == [float(row[f"top_{rank}_probability"]) for rank in (1, 2)]
        assert shares[row["top_1"]] == row["top_1_probability"]
        assert shares[row["top_2"]] == row["top_2_probability"]
    for top_k in (0, len(classes) + 1):
        with refusing(CoverslipError, "top-k-out-of-range"):
            predicted(trained, plate, tmp_path / "p.csv", top_k=top_k)


def test_a_table_for_excel_is_marked_as_utf8_and_read_as_any_other(trained: Run, cells: Path, tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.csv", tmp_path / "marked.csv"
    images = map(str, sorted(cells.rglob("*.png"))[:3])
    arguments = ["predict", str(trained.folder), *images, "--device", "cpu", "--out"]
    for out, options in ((plain, []), (marked, ["--excel"]), (marked, ["--excel"])):  # it replaces its own table
        assert main([*arguments, str(out), *options]) == 0
    assert marked.read_bytes() == codecs.BOM_UTF8 + plain.read_bytes()
    assert list(read_predictions(marked)) == list(read_predictions(plain))
    assert main([*arguments, str(tmp_path / "p.jsonl"), "--format", "jsonl", "--excel"]) == 2
    assert main([*arguments, str(marked), "--watch", str(tmp_path), "--excel"]) == 2


@pytest.mark.slow
def test_columns_of_the_input_table_are_copied(trained: Run, plate: Path, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    assert main(["predict", str(trained.folder), str(plate), "--out", str(out)]) == 0
    assert [row["well"] for row in rows_of(out)][:4] == ["A1", "'=2\"", "line\nbreak", ""]


def killed_at(size: int, rows: Path, command: list[str]) -> bool:
    """Kill a prediction when the file of its rows has this size; return whether it was killed before it ended."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if rows.exists() and rows.stat().st_size >= size:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.001)
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize(
    ("format_", "n_kills"),
    [("csv", 2), *(pytest.param(name, 10, marks=pytest.mark.exhaustive) for name in ("csv", "jsonl"))],
)
def test_killed_again_and_again_the_table_has_the_same_bytes(
    trained: Run, plate: Path, tmp_path: Path, format_: Format, n_kills: int
) -> None:
    whole, cut = tmp_path / f"whole.{format_}", tmp_path / f"cut.{format_}"
    decisions = predicted(trained, plate, whole, format=format_).decisions
    options = ["--format", format_, "--resume", "--device", "cpu", "--out", str(cut)]
    command = [sys.executable, "-m", "coverslip", "predict", str(trained.folder), str(plate), *options]
    rows = cut.with_name(f"{cut.name}.unfinished") / f"rows.{format_}"
    for kill in range(1, n_kills + 1):
        assert killed_at(whole.stat().st_size * kill // (n_kills + 2), rows, command)
        assert not cut.exists()
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    assert cut.read_bytes() == whole.read_bytes()
    assert json.loads(done.stdout)["decisions"] == decisions
    assert {file.name for file in tmp_path.iterdir()} == {whole.name, cut.name}


class Interrupted(Exception):
    pass


@pytest.mark.slow
def test_rows_of_other_images_or_options_are_not_resumed(trained: Run, plate: Path, tmp_path: Path) -> None:
    out, events = tmp_path / "p.csv", list[Event]()

    def interrupt(event: Event) -> None:
        events.append(event)
        if getattr(event, "done", 0) > 300:
            raise Interrupted

    with pytest.raises(Interrupted):
        cs.predict(trained.folder, plate, out=out, device="cpu", emit=interrupt)
    (saved,) = [event for event in events if isinstance(event, Noted) and event.code == "rows-saved"]
    assert saved.note.parameters["n_images"] > 300
    first = cs.load_classifier(trained.folder).classes[0]
    changes: list[dict[str, object]] = [{"top_k": 1}, {"prevalence": {first: 0.9}}]
    for changed in changes:
        with refusing(CoverslipError, "rows-of-other-settings"):
            predicted(trained, plate, out, resume=True, **changed)
    with refusing(CoverslipError, "rows-of-other-settings"):
        predicted(trained, plate.parent / "field.png", out, resume=True)
    resumed = list[Event]()
    cs.predict(trained.folder, plate, out=out, device="cpu", resume=True, emit=resumed.append)
    (note,) = [event.note for event in resumed if isinstance(event, Noted) and event.code == "prediction-resumed"]
    assert note.parameters == saved.note.parameters
    predicted(trained, plate, tmp_path / "whole.csv")
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.slow
def test_one_table_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    layout = PredictionColumns(("a", "b"))
    with prediction_table(tmp_path / "p.csv", layout, "csv", {}):
        script = f"""
from pathlib import Path
from coverslip.errors import Conflict
from coverslip.runs.prediction_tables import PredictionColumns, prediction_table
try:
    with prediction_table(Path({str(tmp_path / "p.csv")!r}), PredictionColumns(("a", "b")), "csv", {{}}):
        pass
except Conflict:
    print("conflict")
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "conflict"
    assert (tmp_path / "p.csv").exists()


def written(file: Path, format_: Format, rows: list[Prediction], about: list[dict[str, str]], stop_at: int = -1) -> int:
    """Write a table, or continue one, and return the number of earlier rows; end with an error before `stop_at`."""
    layout = PredictionColumns(("a", "b"), more=("note",))
    records = [ImageRecord(row.image_id, Path(row.path), None, None, "", None, ReadPlan()) for row in rows]
    with (
        prediction_table(file, layout, format_, {}, resume=True) as table,
        HashedReading(records) as reading,
    ):
        n = len(list(table.saved_rows(records)))
        for i in range(n, len(rows)):
            if i == stop_at:
                raise Interrupted
            reading(i)
            table.write(rows[i], about[i], reading.hash_of(i))
    return n


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_rows_of_files_that_changed_are_computed_again(tmp_path: Path, format_: Format) -> None:
    files = [tmp_path / f"{i}.tif" for i in range(4)]  # the last one does not exist
    for i, file in enumerate(files[:3]):
        file.write_bytes(bytes([i]))
        os.utime(file, (1.7e9, 1.7e9))
    rows = [Prediction(file.name, str(file), None, "a", 0.75, "a", (0.75, 0.25)) for file in files]
    about = [{"note": ""}] * 4
    for changed, n_kept in ((None, 4), (2, 2), (0, 0)):
        with pytest.raises(Interrupted):
            written(tmp_path / "out", format_, [*rows, rows[0]], [*about, about[0]], stop_at=4)
        if changed is not None:
            files[changed].write_bytes(b"x")
            os.utime(files[changed], (1.7e9, 1.7e9))
        assert written(tmp_path / "out", format_, rows, about) == n_kept


def test_rows_under_other_columns_are_computed_again(tmp_path: Path) -> None:
    (tmp_path / "0.tif").write_bytes(b"x")
    rows = [Prediction("0.tif", str(tmp_path / "0.tif"), None, "a", 0.75, "a", (0.75, 0.25))]
    with pytest.raises(Interrupted):
        written(tmp_path / "p.csv", "csv", rows * 2, [{"note": ""}] * 2, stop_at=1)
    unfinished = next(file for file in tmp_path.rglob("*") if file.is_file() and b",note" in file.read_bytes())
    unfinished.write_bytes(unfinished.read_bytes().replace(b",note", b",other", 1))
    assert written(tmp_path / "p.csv", "csv", rows, [{"note": "n"}]) == 0
    assert [row["note"] for row in rows_of(tmp_path / "p.csv")] == ["n"]


@pytest.mark.slow
@given(
    notes=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=6),
    cut=st.floats(0, 1),
    format_=st.sampled_from(["csv", "jsonl"]),
)
def test_a_table_that_is_cut_at_any_byte_is_resumed_to_the_same_bytes(
    notes: list[str], cut: float, format_: Format
) -> None:
    rows = [Prediction(f"cell {i}", "/x", None, "a", 0.75, "a", (0.75, 0.25)) for i in range(len(notes))]
    about = [{"note": note} for note in notes]
    with TemporaryDirectory() as folder:
        whole, part = Path(folder, f"whole.{format_}"), Path(folder, f"part.{format_}")
        written(whole, format_, rows, about)
        with pytest.raises(Interrupted):
            written(part, format_, [*rows, rows[0]], [*about, about[0]], stop_at=len(rows))
        saved = part.with_name(f"{part.name}.unfinished") / f"rows.{format_}"
        assert saved.read_bytes() == whole.read_bytes()
        with saved.open("r+b") as file:
            file.truncate(round(cut * saved.stat().st_size))
        written(part, format_, rows, about)
        assert part.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_a_prediction_names_the_pixels_that_the_training_did_not_read(tmp_path: Path) -> None:
    """A table can state them for each image, in training and now."""
    files = sorted(write_cells(tmp_path / "cells", 48).rglob("*.png"))
    for file in files:
        with Image.open(file) as opened:
            plane = np.asarray(opened.convert("L"))
        tifffile.imwrite(file.with_suffix(".tif"), np.stack([255 - plane, plane]), metadata={"axes": "ZYX"})

    def table(name: str, z: str) -> Path:
        rows = [f"{file.with_suffix('.tif')},{file.parent.name},{z}" for file in files]
        (tmp_path / name).write_text("\n".join(["path,label,z", *rows]))
        return tmp_path / name

    run = train_without_report(cs.open_dataset(table("second.csv", "1")), INSTANT, out=tmp_path / "run")
    for classifier, z, differences in (
        (run.folder, "1", []),
        (run.folder, "0", [("0", "1")]),
        (run.folder / "classifier", "", [("0", "1")]),
    ):
        events: list[Event] = []
        predicted = cs.predict(classifier, table("new.csv", z), out=tmp_path / "p.csv", emit=events.append)
        assert predicted.file.is_file()
        notes = [event.note for event in events if isinstance(event, Noted) and event.note.code == "other-pixels"]
        stated = [each.parameters["differences"]["parameters"] for each in notes]
        values = [(each["value"]["parameters"]["value"], each["trained"]["parameters"]["value"]) for each in stated]
        assert values == differences
