"""Images that are listed several times: one row for each, in their order, with all columns, by every way to predict."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from refusing import note_of
from trained import MadeOnce

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.opening import open_dataset
from coverslip.events import Event, Noted
from coverslip.images.reader import ReadPlan
from coverslip.inference import Classifier
from coverslip.runs.folder import Run

A, B, NUMBERED, BROKEN, MISSING = FILES = ("a.png", "b.png", "a.png (2).png", "broken.png", "missing.png")


@pytest.fixture(scope="module")
def folder(made_once: MadeOnce) -> Path:
    """Files of 48 × 48 pixels, one of which cannot be read."""

    def write(folder: Path) -> None:
        rng = np.random.default_rng(0)
        for name in (A, B, NUMBERED):
            Image.fromarray(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(folder / name)
        (folder / BROKEN).write_bytes(b"no image")

    return made_once("repeated", write)


@pytest.fixture(scope="module")
def classifier(trained: Run) -> Classifier:
    return cs.load_classifier(trained, device="cpu")


@pytest.fixture(scope="module")
def table(folder: Path) -> Path:
    """A table that names a file three times: with its well, with another well, and again as at first."""
    file = folder / "wells.csv"
    rows = [(A, "A1"), (B, "A2"), (A, "A3"), (BROKEN, "A4"), (A, "A1")]
    file.write_text("path,well\n" + "".join(f"{name},{well}\n" for name, well in rows))
    return file


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(FILES), min_size=1, max_size=9).filter(lambda names: set(names) != {MISSING}))
def test_every_listed_image_has_its_row(classifier: Classifier, folder: Path, names: list[str]) -> None:
    single = {row.path: row for row in classifier.predict([folder / name for name in FILES])}
    predicted = classifier.predict([folder / name for name in names])
    assert predicted["path"] == [str(folder / name) for name in names]
    assert len(set(predicted["image_id"])) == len(names)
    for row in predicted:
        assert row.decision == single[row.path].decision
        assert row.probabilities == pytest.approx(single[row.path].probabilities, abs=1e-5)
    assert predicted.probabilities.shape == (len(names), len(classifier.classes))


def test_repeated_rows_get_numbers_that_name_no_other_image(classifier: Classifier, folder: Path) -> None:
    frame = {"path": [str(folder / name) for name in (A, B, A, B)], "image_id": ["a", "a (2)", "a", "a (2)"]}
    assert classifier.predict(frame)["image_id"] == ["a", "a (2)", "a (3)", "a (2) (2)"]


def test_images_in_memory_and_datasets_may_be_repeated(classifier: Classifier, folder: Path) -> None:
    pixels = np.asarray(Image.open(folder / A))
    assert len(classifier.predict([pixels, pixels, folder / A, pixels])) == 4
    data = open_dataset([folder / A, folder / B], labeled=False).subset([1, 0, 1, 1])
    predicted = classifier.predict(data)
    assert predicted["path"] == [str(folder / name) for name in (B, A, B, B)]
    assert len(set(predicted["image_id"])) == 4


def test_an_image_is_decoded_once(classifier: Classifier, folder: Path) -> None:
    data = classifier.open_images([folder / name for name in (A, B, A, A)])
    pairs = list(classifier.predict_with_pixels(data.records, is_hashed=True))
    assert [image is None for _, image in pairs] == [False, False, True, True]
    assert len({row.probabilities for row, _ in pairs}) == 2


def test_several_channel_files_may_be_repeated(folder: Path) -> None:
    plan = ReadPlan(channel_files=("_w1", "_w2"))
    for name in ("c_w1.png", "c_w2.png", "d_w1.png"):
        (folder / name).write_bytes((folder / A).read_bytes())
    names = ("c_w1.png", "c_w2.png", "d_w1.png", "c_w1.png", "c_w2.png", "c_w2.png")
    data = open_dataset([folder / name for name in names], labeled=False, plan=plan)
    assert [record.path.name for record in data.records] == ["c_w1.png", "d_w1.png", "c_w1.png", "c_w1.png"]
    assert len({record.image_id for record in data.records}) == 4


def test_one_image_counts_once_unless_it_is_predicted(folder: Path, table: Path) -> None:
    listed = [folder / A, folder / B, folder / A]
    assert len(open_dataset(listed, labeled=False)) == 3
    distinct = open_dataset(listed, labeled=False, distinct=True)
    assert [len(distinct), note_of(distinct.notes, "given-twice").parameters["n_images"]] == [2, 1]
    assert len(open_dataset(table, labeled=False)) == 5
    distinct = open_dataset(table, labeled=False, distinct=True)
    assert [len(distinct), note_of(distinct.notes, "repeated-rows").parameters["n_rows"]] == [3, 2]


@pytest.mark.parametrize("options", [(), ("--format", "jsonl"), ("--top-k", "2")], ids=str)
def test_each_row_of_a_table_keeps_its_columns(
    trained: Run, table: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / ("p.jsonl" if "jsonl" in options else "p.csv")
    assert main(["predict", str(trained.folder), str(table), "--out", str(out), *options]) == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(lines)) if out.suffix == ".csv" else list(map(json.loads, lines))
    assert [row["well"] for row in rows] == ["A1", "A2", "A3", "A4", "A1"]
    assert [row["image_id"] for row in rows] == [A, B, f"{A} (2)", BROKEN, f"{A} (3)"]


def test_an_interrupted_table_of_repeated_rows_is_resumed_to_the_same_bytes(
    trained: Run, table: Path, tmp_path: Path
) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Noted) and event.note.code == "unreadable-image":
            raise KeyboardInterrupt

    for name in ("whole.csv", "resumed.csv"):
        if name == "resumed.csv":
            with pytest.raises(KeyboardInterrupt):
                cs.predict(trained, table, out=tmp_path / name, device="cpu", emit=interrupt)
        cs.predict(trained, table, out=tmp_path / name, device="cpu", resume=True, emit=print)
    assert (tmp_path / "resumed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_class_proportions_count_each_image_once(trained: Run, cells: Path, folder: Path, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Noted) and event.note.code == "unreadable-image":
            raise KeyboardInterrupt

    first, *others = sorted(cells.rglob("*.png"))[:6]
    images = [first, *others, first, folder / BROKEN, first]
    with pytest.raises(KeyboardInterrupt):
        cs.predict(trained, images, out=tmp_path / "p.csv", device="cpu", emit=interrupt)
    summary = cs.predict(trained, images, out=tmp_path / "p.csv", device="cpu", resume=True, emit=print)
    assert sum(summary.decisions.values()) == 9
    (sample,) = (each for each in cs.summarise(tmp_path / "p.csv", by="folder", run=trained).samples if each.n)
    assert sample.n == 6
    assert summary.shares == {name: each.shown for name, each in sample.classes.items()}


def test_summaries_count_an_image_once_in_each_sample(trained: Run, table: Path, tmp_path: Path) -> None:
    file, events = tmp_path / "p.csv", list[Event]()
    cs.predict(trained, table, out=file, device="cpu")
    summary = cs.summarise(file, by="well", run=trained, emit=events.append)
    counts = {each.sample: (each.n, each.n_unreadable) for each in summary.samples}
    assert counts == {"A1": (1, 0), "A2": (1, 0), "A3": (1, 0), "A4": (0, 1)}
    assert note_of(events, "repeated-images-counted-once").parameters["n_images"] == 1
    with pytest.raises(cs.CoverslipError) as refused:
        cs.summarise([file, tmp_path / "." / "p.csv"], by="well")
    assert refused.value.code == "predictions-given-twice"


def test_class_folders_that_are_classes_are_labels(classifier: Classifier, folder: Path, tmp_path: Path) -> None:
    first, labeled, plates = classifier.classes[0], tmp_path / "labeled", tmp_path / "plates"
    for target in (labeled / first, labeled / "2024-05-01", plates / f"plate {first}", plates / "2024-05-01"):
        target.mkdir(parents=True)
        (target / "1.png").write_bytes((folder / A).read_bytes())

    def labels(*sources: Path) -> dict[str, str | None]:
        records = classifier.open_images(list(sources)).records
        return {record.path.relative_to(tmp_path).parent.as_posix(): record.label for record in records}

    expected = {f"labeled/{first}": first, "labeled/2024-05-01": None}
    assert labels(labeled) == expected
    assert labels(labeled, labeled / first) == labels(labeled / first, labeled) == expected
    assert labels(plates, labeled) == {f"plates/plate {first}": None, "plates/2024-05-01": None, **expected}
    assert labels(labeled / first / "1.png") == {f"labeled/{first}": None}
    opened = classifier.open_images(open_dataset(labeled, labeled=False, crop_size=16))
    assert {record.label for record in opened.records} == {first, None}
