"""Predictions have a row for each row of their input, in its order, with all its columns."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import coverslip as cs
from coverslip.datasets.columns import unique_columns
from coverslip.datasets.index.opening import open_dataset
from coverslip.inference import Classifier
from coverslip.runs.folder import Run
from coverslip.runs.predictions import FIRST_COLUMNS, LAST_COLUMNS, is_reserved, output_columns, read_predictions

pytestmark = pytest.mark.slow

NAMES = ["well", "Well", "File", "label", "predicted", "Decision", "input:predicted", "p:a", "top_1", "classifier", ""]
NAMES += ["excluded", "coverslip_plan", "split", "group", "x", "y", "note", "input:note"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


@pytest.fixture(scope="module")
def classifier(trained: Run) -> Classifier:
    return cs.load_classifier(trained, device="cpu")


@given(st.lists(st.sampled_from(NAMES) | st.text(max_size=4), max_size=12))
def test_output_columns_are_distinct_and_take_no_name_with_a_meaning(names: list[str]) -> None:
    unique = unique_columns(names, is_reserved)
    assert len(set(unique)) == len(names)
    assert not any(map(is_reserved, unique))
    for name, output in zip(names, unique, strict=True):
        assert output.replace("input:", "").endswith(name.replace("input:", ""))
    columns = output_columns([tuple(dict.fromkeys(names))])
    assert output_columns([tuple(columns.values())]) == {name: name for name in columns.values()}


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_row_and_column_of_a_table_is_opened(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("tables")
    for name in ("a.png", "b.png"):
        (root / name).write_bytes(b"")
    names = ["path", *data.draw(st.lists(st.sampled_from(["well", "note", "note", "", "split", "group", "Class"])))]
    names = [name for k, name in enumerate(names) if name in ("note", "") or name not in names[:k]]
    cell = st.sampled_from(["", "1", "excluded", "train", "é"])
    rows = data.draw(
        st.lists(st.tuples(st.sampled_from(["a.png", "b.png", "c.png"]), *[cell] * (len(names) - 1)), min_size=1)
    )
    if not any(row[0] != "c.png" for row in rows):
        rows.append(("a.png", *[""] * (len(names) - 1)))
    with (root / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([names, *rows])
    records = open_dataset(root / "t.csv", labeled=False).records
    assert [record.path.name for record in records] == [row[0] for row in rows]
    copied = [k for k, name in enumerate(names) if k and (name or any(row[k] for row in rows))]
    for record, row in zip(records, rows, strict=True):
        assert [cell for _, cell in record.about] == [row[k] for k in copied]
    assert len({record.image_id for record in records}) == len(rows)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_predictions_copy_all_columns_in_files_and_in_python(
    trained: Run, classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    names = [file.name for file in sorted(folder.glob("*.png"))][:2]
    file = folder / "columns.csv"
    header = ["Filename", "Class", "group", "split", "x", "y", "width", "height", "predicted", "note", "note", "top_1"]
    cells = [
        [names[0], "round", "P1", "excluded", "0", "0", "9", "9", "old", "a", "b", "c"],
        [names[1], "", "", "no set", "1", "1", "9", "9", "", "", "", "d"],
        [names[0], "round", "P2", "train", "0", "0", "9", "9", "new", "a", "b", "c"],
    ]
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *cells])
    expected = [*header[:8], "input:predicted", "note", "input:note", "input:top_1"]
    cs.predict(trained, file, out=tmp_path / "p.csv", device="cpu")
    written = rows_of(tmp_path / "p.csv")
    further = list(written[0])[len(FIRST_COLUMNS) + len(classifier.classes) + len(LAST_COLUMNS) :]
    assert further == [*expected, "repeats", "file_sha256", "classifier"]
    assert [row["repeats"] for row in written] == ["", "", written[0]["image_id"]]
    assert [[row[name] for name in expected] for row in written] == cells
    assert [(row["label"], Path(row["path"]).name) for row in written] == [(row[1], row[0]) for row in cells]

    predicted = classifier.predict(file)
    assert predicted.columns[-len(expected) :] == tuple(expected)
    assert [[predicted[name][k] for name in expected] for k in range(3)] == cells
    saved = read_predictions(tmp_path / "p.csv")
    assert [saved[name] for name in expected] == [predicted[name] for name in expected]

    cs.predict(trained, tmp_path / "p.csv", out=tmp_path / "q.jsonl", format="jsonl", device="cpu")
    lines = [json.loads(line) for line in (tmp_path / "q.jsonl").read_text(encoding="utf-8").splitlines()]
    for line, row, before in zip(lines, cells, written, strict=True):
        assert [line[name] for name in header[:8]] == row[:8]
        assert (line["input:predicted"], line["input:input:predicted"]) == (before["predicted"], row[8])
        assert (line["image_id"], line["input:classifier"]) == (before["image_id"], before["classifier"])
        assert line["decision"] == before["decision"]  # the same box


def test_rows_of_several_tables_and_of_files_have_the_columns_of_all(
    classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    image = sorted(folder.glob("*.png"))[0]
    for name, column in (("a", "well"), ("b", "plate")):
        (tmp_path / f"{name}.csv").write_text(f"path,{column}\n{image},{name}1\n")
    predicted = classifier.predict([tmp_path / "a.csv", image, tmp_path / "b.csv"])
    assert (predicted["well"], predicted["plate"]) == (["a1", "", ""], ["", "", "b1"])
    assert classifier.predict({"image": [image], "well": ["C1"]})["well"] == ["C1"]
