"""A classifier measured on other images: in the run's groups, beside its own numbers, with what misleads."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawing import write_cells
from PIL import Image
from refusing import refusing
from trained import INSTANT

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadDataset, BadRecipe
from coverslip.events import Event, Noted
from coverslip.experiments.evaluating import evaluation_name
from coverslip.messages import text
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.runs.recipe_keys import save_recipe

SEEN = {"seen-in-training", "groups-seen-in-training"}  # codes of notes


def notes_of(run: Run, data: Path) -> tuple[Run, dict[str, Noted]]:
    events: list[Event] = []
    evaluation = cs.evaluate(run.folder, data, name="other", emit=events.append)
    return evaluation, {event.code: event for event in events if isinstance(event, Noted)}


@pytest.mark.slow
def test_the_runs_groups_are_saved_and_recognized(own_run: Run, tmp_path: Path) -> None:
    evaluation, notes = notes_of(own_run, write_cells(tmp_path / "other", 54, seed=9))
    assert evaluation.metrics.n_groups == 9
    learnt = {row.group for row in own_run.split if row.split in ("train", "val", "test")}  # it is fitted on all
    assert notes["groups-seen-in-training"].parameters["n"] == 54 // 9 * len(learnt)
    assert evaluation.evaluated_images is not None
    assert evaluation.evaluated_images.is_seen
    assert evaluation.evaluated_images.n_used_in_training == 0


@pytest.mark.slow
@pytest.mark.exhaustive
def test_images_of_new_groups_are_new(own_run: Run, tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "other", 54, seed=9)
    for file in [*cells.glob("*/*.png")]:
        file.rename(file.with_name(file.name.replace("slide", "slide1")))
    evaluation, notes = notes_of(own_run, cells)
    assert evaluation.metrics.n_groups == 9
    assert "groups-seen-in-training" not in notes
    assert evaluation.evaluated_images is not None
    assert not evaluation.evaluated_images.is_seen


@pytest.mark.slow
def test_only_measured_images_count_as_training_images_and_as_images_of_training_groups(
    own_run: Run, cells: Path, tmp_path: Path
) -> None:
    """Of images without a label, with a label of no class and that cannot be read, no metric is computed."""
    (tmp_path / "damaged.png").write_bytes(b"no image")
    new = sorted(write_cells(tmp_path / "new", 12, seed=9).glob("*/*.png"))
    learnt = sorted(cells.glob("*/*.png"))[:5]
    rows = [f"{file},{file.parent.name},new {i}" for i, file in enumerate(new)]
    rows += [f"{file},{label},{file.name[:6]}" for file, label in zip(learnt, ("", "", "", "other"), strict=False)]
    rows += [f"{tmp_path / 'damaged.png'},small,{learnt[0].name[:6]}"]
    n_used, codes = [], []
    for more in ((), (f"{learnt[4]},{learnt[4].parent.name},{learnt[4].name[:6]}",)):
        table = tmp_path / f"{len(more)}.csv"
        table.write_text("\n".join(["path,label,group", *rows, *more]))
        events: list[Event] = []
        evaluation = cs.evaluate(own_run, cs.open_dataset(table, group="group"), name=table.stem, emit=events.append)
        images = evaluation.evaluated_images
        assert images is not None
        n_used.append((evaluation.metrics.n, images.n_used_in_training, images.n_of_seen_groups))
        codes.append({event.code for event in events if isinstance(event, Noted)} & SEEN)
    assert n_used == [(12, 0, 0), (13, 1, 1)]
    assert codes == [set(), SEEN]


@pytest.mark.slow
def test_an_evaluation_that_is_refused_leaves_no_folder(own_run: Run, tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "other", 12, seed=9)
    for folder in [*cells.iterdir()]:
        folder.rename(folder.with_name(f"no {folder.name}"))
    with pytest.raises(BadDataset):
        cs.evaluate(own_run.folder, cells, name="other")
    assert not own_run.evaluations_folder.exists()
    assert own_run.is_measured


def test_tables_with_a_common_name_are_named_after_their_folders(tmp_path: Path) -> None:
    names = []
    for folder, table in (("ward a", "images.csv"), ("ward b", "Images.csv"), ("ward b", "second.csv")):
        cells = write_cells(tmp_path / folder / "cells", 3, seed=9)
        rows = (f"cells/{file.relative_to(cells)},{file.parent.name}" for file in cells.glob("*/*.png"))
        (tmp_path / folder / table).write_text("\n".join(("path,label", *rows)), encoding="utf-8")
        names.append(evaluation_name(cs.open_dataset(tmp_path / folder / table), None))
    assert names == ["ward_a", "ward_b", "second"]


def test_an_evaluation_does_not_have_the_name_of_a_set_of_the_training(tmp_path: Path) -> None:
    """Its metrics would be taken for those of validation images."""
    cells = cs.open_dataset(write_cells(tmp_path / "Val", 3, seed=9))
    assert evaluation_name(cells, None) == "Val_images"
    assert len(evaluation_name(cells, "細胞" * 100).encode()) < 200  # a name of a folder has at most 255 bytes
    assert [evaluation_name(cells, name) for name in ("test", "out-of-fold", "tests")] == [
        "test_images",
        "out-of-fold_images",
        "tests",
    ]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_an_evaluation_is_done_when_its_report_is_written(own_run: Run, tmp_path: Path) -> None:
    states: list[tuple[str, bool]] = []

    def listen(event: Event) -> None:
        status = evaluation.status
        states.append((status.state if status else "", evaluation.report_file.exists()))

    evaluation = own_run.evaluation("other")
    cs.evaluate(own_run.folder, write_cells(tmp_path / "other", 12, seed=9), name="other", emit=listen)
    assert ("done", True) in states
    assert ("done", False) not in states


@pytest.mark.exhaustive
@pytest.mark.slow
def test_images_without_such_groups_are_measured_one_by_one_and_groups_of_ones_own_go_first(
    own_run: Run, tmp_path: Path
) -> None:
    cells = write_cells(tmp_path / "other", 30, seed=9)
    for i, file in enumerate(sorted(cells.glob("*/*.png"))):
        file.rename(file.with_name(f"cell{i % 5}_{i}.png"))
    evaluation, notes = notes_of(own_run, cells)
    assert evaluation.metrics.n_groups is None
    assert "slide" in notes["groups-unknown"].parameters["group"]
    grouped = cs.open_dataset(cells, group_pattern=r"cell\d")
    evaluation = cs.evaluate(own_run.folder, grouped, name="by cell")
    assert evaluation.metrics.n_groups == 5


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_folder_is_said_to_have_no_such_column_and_which_table_in_it_was_not_used(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 60)
    files = sorted(cells.rglob("*.png"))
    rows = [f"{file.relative_to(cells).as_posix()},{file.parent.name},{file.name[:6]}" for file in files]
    (cells / "images.csv").write_text("\n".join(["path,label,slide", *rows]))
    run = train_without_report(cs.open_dataset(cells / "images.csv", group="slide"), INSTANT, out=tmp_path / "run")
    evaluation, notes = notes_of(run, cells)
    assert evaluation.metrics.n_groups is None
    assert notes["table-beside"].parameters["table"] == "images.csv"
    parameters = notes["groups-unknown"].parameters
    assert (parameters["is_column"], parameters["group"]) == (True, "slide")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_only_the_groups_that_are_used_are_reported(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 60)
    files = sorted(cells.rglob("*.png"))
    rows = [f"{file.relative_to(cells).as_posix()},{file.parent.name},{file.name[:6]}" for file in files]
    for column in ("patient", "group"):
        (cells / f"{column}.csv").write_text("\n".join([f"path,label,{column}", *rows]))
    (cells / "none.csv").write_text("\n".join(["path,label", *(row.rpartition(",")[0] for row in rows)]))
    run = train_without_report(cs.open_dataset(cells / "patient.csv", group="patient"), INSTANT, out=tmp_path / "run")
    about_groups = {"grouped", "not-grouped", "groups-unknown"}
    texts = {}
    for table in ("patient", "group", "none"):
        events: list[Event] = []
        measured = cs.evaluate(run.folder, cells / f"{table}.csv", name=table, emit=events.append)
        codes = {event.code for event in events if isinstance(event, Noted)} & about_groups
        texts[table] = (bool(measured.metrics.n_groups), codes)
    assert texts == {"patient": (True, set()), "group": (True, {"grouped"}), "none": (False, {"groups-unknown"})}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_labels_of_some_images_only_are_a_warning(own_run: Run, tmp_path: Path) -> None:
    """As a review of predictions gives them: to images that the classifier is unsure of."""
    cells = write_cells(tmp_path / "reviewed", 60, seed=9)
    files = sorted(cells.rglob("*.png"))
    for n_labeled in (len(files), 20):
        rows = [f"{f.relative_to(cells)},{f.parent.name if i < n_labeled else ''}" for i, f in enumerate(files)]
        (cells / f"{n_labeled}.csv").write_text("\n".join(["path,label", *rows]))
        measured = cs.evaluate(own_run, cells / f"{n_labeled}.csv", name=f"of {n_labeled}")
        page = measured.report_file.read_text(encoding="utf-8")
        assert (f"Only {n_labeled} of {len(files)} images have a label" in page) == (n_labeled < len(files))


@pytest.mark.slow
def test_metrics_far_from_those_of_the_run_are_reported_beside_them(
    cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without groups, of which its test part would have two.
    run = train_without_report(cs.open_dataset(cells), INSTANT, out=tmp_path / "run")
    other = write_cells(tmp_path / "other", 90, seed=9)
    (other / "small").rename(other / "moved")
    (other / "large").rename(other / "small")
    (other / "moved").rename(other / "large")  # another laboratory's names
    assert main(["evaluate", str(run.folder), str(other)]) == 0
    output = capsys.readouterr()
    assert "much worse on these images" in output.out
    assert "has an accuracy of 33.3%" in output.out


@pytest.mark.exhaustive
@pytest.mark.slow
def test_its_report_is_beside_its_metrics_and_describes_these_images(own_run: Run, tmp_path: Path) -> None:
    own_report = own_run.report_file.read_bytes()
    evaluation, _ = notes_of(own_run, write_cells(tmp_path / "other", 54, seed=9))
    page = evaluation.report_file.read_text(encoding="utf-8")
    assert "Comparison with the run&#39;s test set" in page
    assert "have a group name that training images have too" in page
    assert "external test set are classified" not in page
    assert "Training curves" not in page
    assert own_run.report_file.read_bytes() == own_report
    assert cs.write_report(evaluation.folder) == evaluation.report_file
    assert evaluation.report_file.read_text(encoding="utf-8") == page


def test_groups_that_were_chosen_contradict_a_recipe_that_ignores_groups(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 12)
    table = tmp_path / "cells.csv"
    rows = [f"{file},{file.parent.name},p{k % 4}" for k, file in enumerate(sorted(cells.rglob("*.png")))]
    table.write_text("\n".join(["path,label,patient", *rows]))
    out = tmp_path / "run"
    assert main(["train", str(table), "--group=patient", "--set=group=none", f"--out={out}"]) != 0
    for groups in ({"group": "patient"}, {"group_pattern": "small|medium"}):
        data, recipe = cs.open_dataset(table, **groups), INSTANT.model_copy(update={"group": "none"})  # type: ignore[arg-type]
        with refusing(BadRecipe, "groups-chosen-and-ignored", group=min(groups.values())):
            cs.train(data, recipe, out=out)
    assert not out.exists()


@pytest.mark.slow
def test_groups_that_were_chosen_apply_to_a_run_that_ignored_groups(own_run: Run, tmp_path: Path) -> None:
    save_recipe(own_run.recipe.model_copy(update={"group": "none"}), own_run.recipe_file)
    cells = write_cells(tmp_path / "other", 12, seed=9)
    data = cs.open_dataset(cells, group_pattern=r"slide\d+")
    n_groups = len({record.group for record in data.records})
    assert cs.evaluate(Run(own_run.folder), data, name="other").metrics.n_groups == n_groups


@pytest.mark.slow
def test_an_evaluation_names_the_pixels_that_the_training_did_not_read(tmp_path: Path) -> None:
    """And counts other planes of training images as images that were used in training."""
    cells = write_cells(tmp_path / "cells", 48)
    files = sorted(cells.rglob("*.png"))
    for file in files:
        with Image.open(file) as opened:
            pixels = np.asarray(opened.convert("L"))
        resolution = {"metadata": {"axes": "ZYX", "unit": "um"}, "resolution": (2.0, 2.0), "imagej": True}
        tifffile.imwrite(file.with_suffix(".tif"), np.stack([pixels, 255 - pixels]), **resolution)

    def table(name: str, planes: tuple[int, ...] | None, um: float | None = None) -> Path:
        """Each plane that the table states is an image, in turn."""
        lines = ["path,label" + (",z" if planes else "") + (",pixel_size_um" if um else "")]
        for k, file in enumerate(files):
            row = [str(file.with_suffix(".tif")), file.parent.name]
            row += ([str(planes[k % len(planes)])] if planes else []) + ([str(um)] if um else [])
            lines.append(",".join(row))
        (tmp_path / name).write_text("\n".join(lines))
        return tmp_path / name

    run = train_without_report(cs.open_dataset(table("all.csv", None)), INSTANT, out=tmp_path / "run")
    for name, planes, um, differences in (
        ("first.csv", (0,), None, []),
        ("second.csv", (1,), None, [("z", ("1",), ("0",))]),
        ("both.csv", (0, 1), 0.1, [("z", ("0", "1"), ("0",))]),
    ):
        evaluation, notes = notes_of(run, table(name, planes, um))
        images = evaluation.evaluated_images
        assert images is not None
        assert [(each.key, each.values, each.trained) for each in images.other_pixels] == differences
        assert ("other-pixels" in notes) == bool(differences)
        assert images.n_used_in_training == len(files)
        assert images.n_of_other_pixel_size == (0 if um is None else len(files))
        page = evaluation.report_file.read_text(encoding="utf-8")
        assert all(str(each.difference) in page for each in images.other_pixels)
        assert (text("report-other-pixel-size", n_images=len(files)) in page) == (um is not None)
        shutil.rmtree(evaluation.folder)
    tables = [tmp_path / f"{name} predicted.csv" for name in ("first", "second")]
    for table_file in tables:  # whose rows have equal names, but are other planes
        name = table_file.name.split()[0]
        lines = (tmp_path / f"{name}.csv").read_text().splitlines()
        lines = [f"image_id,{lines[0]}", *(f"{k},{line}" for k, line in enumerate(lines[1:]))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
        cs.predict(run, tmp_path / f"{name}.csv", out=table_file)
    assert [each.n for each in cs.summarise(tables, by="folder").samples] == [2 * len(files) // 3] * 3
    of_rows = train_without_report(cs.open_dataset(table("rows.csv", (0, 1))), INSTANT, out=tmp_path / "of rows")
    evaluation, notes = notes_of(of_rows, table("second rows.csv", (1,)))
    assert "other-pixels" not in notes  # no plane was chosen for all images of the training
    stated = train_without_report(cs.open_dataset(table("stated.csv", (1,))), INSTANT, out=tmp_path / "stated")
    for name, planes in (("unstated.csv", None), ("stated first.csv", (0,))):
        evaluation, notes = notes_of(stated, table(name, planes))
        images = evaluation.evaluated_images
        assert images is not None
        assert [(each.key, each.values, each.trained) for each in images.other_pixels] == [("z", ("0",), ("1",))]
        assert "other-pixels" in notes
        assert images.n_used_in_training == len(files)
        shutil.rmtree(evaluation.folder)
