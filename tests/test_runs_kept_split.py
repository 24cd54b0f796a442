"""A training keeps the split of an earlier one, and its report states which test labels were corrected since."""

import csv
import shutil
from pathlib import Path

import pytest
from drawing import save_cell
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.datasets.index.records import Dataset
from coverslip.errors import BadRecipe, BadRun
from coverslip.messages import text
from coverslip.reports.reported import read_run
from coverslip.reports.verdict import lead, verdict_of_run
from coverslip.runs.folder import Run
from coverslip.runs.images import apply_earlier_split
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.runs.recipe_keys import with_settings

pytestmark = pytest.mark.slow


def keeping(run: Run) -> Recipe:
    return INSTANT.model_copy(update={"split": SplitPlan(run=str(run.folder))})


def parts_of(data: Dataset) -> dict[str, str | None]:
    return {record.image_id: record.predefined_split for record in data.records}


def parts_in(run: Run) -> dict[str, str]:
    return {row.image_id: row.split for row in run.split}


def test_every_image_keeps_its_part_and_new_ones_have_none(cells: Path, trained: Run, tmp_path: Path) -> None:
    assert parts_of(apply_earlier_split(cs.open_dataset(cells), keeping(trained))) == parts_in(trained)
    moved = Path(shutil.copytree(cells, tmp_path / "moved"))
    new = next(moved.rglob("*.png")).with_name("new.png")
    shutil.copy(next(moved.rglob("*.png")), new)
    moved_dataset = cs.open_dataset(moved)
    with pytest.raises(BadRun) as refused:  # a copy of the folder is another folder
        apply_earlier_split(moved_dataset, keeping(trained))
    assert refused.value.code == "no-image-of-split-run"
    run = Run(Path(shutil.copytree(trained.folder, tmp_path / "run")))
    environment = run.environment_file.read_text().replace(str(cells), str(tmp_path / "gone"))
    run.environment_file.write_text(environment)
    parts = parts_of(apply_earlier_split(moved_dataset, keeping(run)))  # here the folder itself was moved
    assert parts.pop(new.relative_to(moved).as_posix()) is None
    assert parts == parts_in(trained)


@pytest.mark.exhaustive
def test_crops_around_points_keep_their_part_where_tables_state_them_as_boxes_or_larger(tmp_path: Path) -> None:
    points, boxes = tmp_path / "points.csv", tmp_path / "boxes.csv"
    with points.open("w", newline="") as file, boxes.open("w", newline="") as other:
        csv.writer(file).writerow(("path", "image_id", "label", "x", "y"))
        csv.writer(other).writerow(("path", "image_id", "label", "x", "y", "width", "height"))
        for k in range(8):
            field = save_cell(tmp_path / f"{k}.png", seed=k, side=64)
            for name, x, y in (("a", 16, 20), ("b", 40, 44)):
                csv.writer(file).writerow((field.name, f"{k}{name}", name, x, y))
                csv.writer(other).writerow((field.name, f"{k}{name}", name, x - 12, y - 12, 24, 24))
    data = cs.open_dataset(points, crop_size=24)
    run = cs.train(data, INSTANT, out=tmp_path / "run")
    for dataset in (data, cs.open_dataset(points, crop_size=32), cs.open_dataset(boxes)):
        assert parts_of(apply_earlier_split(dataset, keeping(run))) == parts_in(run)


def test_folds_and_runs_without_a_split_are_refused(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe) as refused:
        with_settings(Recipe(), ["split.run=runs/first", "split.folds=3"])
    assert refused.value.code == "invalid-recipe"
    assert text("split-run-with-folds") in refused.value.parameters["problems"]
    with pytest.raises(BadRun):
        apply_earlier_split(cs.open_dataset(cells), keeping(Run(tmp_path)))


@pytest.mark.exhaustive
def test_the_report_shows_numbers_by_the_old_labels_beside_those_by_corrected_ones(
    cells: Path, trained: Run, tmp_path: Path
) -> None:
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    tested = next(row for row in trained.split if row.split == "test")
    other = next(name for name in data.classes if name != tested.label)
    table = tmp_path / "corrected.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "image_id", "label", "slide"))
        for record in data.records:
            label = other if record.image_id == tested.image_id else record.label
            writer.writerow((record.path, f"joined/{record.image_id}", label, record.group))  # as after joining folders
    run = cs.train(cs.open_dataset(table, group="slide"), keeping(trained), out=tmp_path / "again")
    assert parts_in(run) == {f"joined/{name}": part for name, part in parts_in(trained).items()}
    report = run.report_file.read_text()
    assert "Corrected test labels" in report
    assert "1 test image of this training has a different label" in report
    assert "earlier labels" in report
    assert "Corrected test labels" not in trained.report_file.read_text()


@pytest.mark.exhaustive
def test_images_that_are_added_twice_stay_in_training_and_no_word_says_of_which_group_they_are(
    cells: Path, trained: Run, tmp_path: Path
) -> None:
    data, before = cs.open_dataset(cells, group_pattern=GROUPS), trained
    rows = [(record.path, record.image_id, record.label, record.group, "old") for record in data.records]
    unknown, earlier = "no known group", read_run(trained.folder)
    assert unknown not in " ".join(lead(earlier, verdict_of_run(earlier)))
    for k in range(2):
        rows += [
            (save_cell(tmp_path / f"{k}{i}.png", seed=500 + 10 * k + i), f"{k}{i}", data.classes[0], "", "added")
            for i in range(5)
        ]
        table = tmp_path / f"{k}.csv"
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([("path", "image_id", "label", "slide", "domain"), *rows])
        run = cs.train(cs.open_dataset(table, group="slide"), keeping(before), out=tmp_path / f"run{k}")
        n_added = 5 * (k + 1)
        assert parts_in(run) == parts_in(trained) | {row[1]: "train" for row in rows[-n_added:]}
        reported = read_run(run.folder)
        assert (reported.n_ungrouped, reported.n_groups) == (n_added, read_run(trained.folder).n_groups)
        assert unknown in " ".join(lead(reported, verdict_of_run(reported)))
        before = run
