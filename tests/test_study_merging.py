"""Merged datasets of a study: each part keeps its groups, its classes and its crops."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drawing import save_cell, write_cells
from tables import rows_of
from trained import GROUPS, SMALL_NETWORK

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.errors import BadRecipe, BadRun
from coverslip.experiments.preparation import apply_recipe
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.studies.cells import Cell, cells_of, open_images, write_merged_tables
from coverslip.studies.plan import StudyPlan, plan_of, save_plan
from coverslip.studies.presets import preset_plan
from coverslip.studies.study import check_cells, resume_study, run_study
from coverslip.studies.variants import merged_classes


def write_table(folder: Path, group: str, classes: tuple[str, ...], **boxes: int) -> Path:
    """A table of the cells in a folder, with a group of four images each."""
    names = ("small", "medium", "large")
    write_cells(folder, 24)
    files = [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*.png"))]
    with (folder / "images.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", group, *boxes])
        for k, file in enumerate(files):
            writer.writerow([file, classes[names.index(file.split("/")[0])], f"{group} {k // 4}", *boxes.values()])
    return folder / "images.csv"


def only(plan: StudyPlan, folder: Path, name: str) -> Cell:
    return next(cell for cell in cells_of(plan, folder) if cell.dataset.name == name)


def as_trained(cell: Cell) -> Dataset:
    return apply_recipe(open_images(cell), cell.recipe)[0]


@pytest.fixture
def tables(tmp_path: Path) -> list[dict[str, Any]]:
    """Two tables with other columns of groups; the classes of the second are merged, and its boxes have a margin."""
    first = write_table(tmp_path / "lab a", "image", ("small", "large", "large"))
    second = write_table(tmp_path / "lab b", "movie", ("s", "m", "l"), x=10, y=12, width=20, height=16)
    recipe = {"classes": {"merge": {"large": ["m", "l"]}, "rename": {"s": "small"}}, "crop_margin": 0.1}
    return [
        {"path": [str(first)], "name": "a", "group": "image"},
        {"path": [str(second)], "name": "b", "group": "movie", "recipe": recipe},
    ]


def test_each_part_of_a_merged_dataset_has_its_groups_classes_and_crops(
    tables: list[dict[str, Any]], tmp_path: Path
) -> None:
    plan = preset_plan("mobincep", tables, arms=["B"])
    merged = only(plan, tmp_path / "out", "all as one 60 20 20")
    single = as_trained(only(plan, tmp_path / "out", "b 60 20 20"))
    data = as_trained(merged)
    assert data.classes == ("large", "small")
    assert {record.group for record in data.records} == {
        f"{group} {k}" for group in ("image", "movie") for k in range(6)
    }
    crops = {record.domain: record.plan.crop((48, 48), None) for record in data.records}
    assert (
        crops
        == {"lab a": None, "lab b": single.records[0].plan.crop((48, 48), None)}
        == {
            "lab a": None,
            "lab b": (8, 10, 24, 20),
        }
    )
    check_cells([merged])
    write_merged_tables([merged])
    from_table = apply_recipe(open_dataset(merged.sources), merged.recipe)[0]
    assert [replace(record, stated=frozenset()) for record in from_table.records] == [
        replace(record, stated=frozenset()) for record in data.records
    ]
    by_domain = {"name": "each left out", "by_domain": True, "parts": tables}
    left_out = only(plan_of({"datasets": [by_domain], "models": [SMALL_NETWORK]}), tmp_path / "out", "each left out")
    assert left_out.recipe.split.by_domain
    assert {record.domain for record in as_trained(left_out).records} == {"lab a", "lab b"}


def test_a_first_part_without_groups_does_not_divide_those_of_the_second(
    tables: list[dict[str, Any]], tmp_path: Path
) -> None:
    tables[0]["group"] = None
    plan = preset_plan("mobincep", tables, arms=["B"])
    cell = only(plan, tmp_path / "out", "all as one 60 20 20")
    write_merged_tables([cell])
    data = apply_recipe(open_dataset(cell.sources), cell.recipe)[0]
    assert {record.group for record in data.records if record.domain == "lab b"} == {f"movie {k}" for k in range(6)}
    assert {record.group for record in data.records if record.domain == "lab a"} == {None}
    published = preset_plan("mobincep", tables, arms=["A"])
    without_groups = only(published, tmp_path / "other", "all as one 60 20 20")
    assert not as_trained(without_groups).has_groups


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "nothing"},
        {"path": "a", "parts": ["b"]},
        {"name": "both", "parts": ["a", "b"], "group": "slide"},
        {"name": "both", "parts": ["a", {"path": "b", "recipe": {"epochs": 3}}]},
        {"name": "both", "parts": ["a", {"name": "b"}]},
    ],
)
def test_parts_that_cannot_be_merged_are_refused(dataset: dict[str, Any]) -> None:
    with pytest.raises(BadRecipe) as refusal:
        plan_of({"datasets": [dataset], "models": [SMALL_NETWORK]})
    assert refusal.value.code == "invalid-plan"


def test_crops_in_micrometers_must_be_the_same(tmp_path: Path) -> None:
    def cells(first: str, second: str | int) -> list[Cell]:
        parts = [{"path": "a", "recipe": {"crop_size": first}}, {"path": "b", "recipe": {"crop_size": second}}]
        plan = plan_of({"datasets": [{"name": "both", "parts": parts}], "models": [SMALL_NETWORK]})
        return cells_of(plan, tmp_path)

    assert cells("32 um", "32 um")[0].recipe.crop_size == "32 um"
    with pytest.raises(BadRecipe) as refusal:
        cells("32 um", 40)
    assert refusal.value.code == "merged-crops-differ"


@pytest.mark.slow
def test_the_boxes_with_a_margin_of_a_part_are_those_of_the_merged_dataset(
    tables: list[dict[str, Any]], tmp_path: Path
) -> None:
    recipe = {"image_size": 32, "tta": 1, "stage": "instant", "augment": "none"}
    datasets = [*tables, {"name": "both", "parts": tables}]
    plan = plan_of({"datasets": datasets, "models": [SMALL_NETWORK], "folds": 0, "recipe": recipe})
    cells = cells_of(plan, tmp_path / "out")
    write_merged_tables(cells)
    for cell in cells:
        train_without_report(open_dataset(cell.sources), cell.recipe, out=cell.run.folder)
    of_classes = merged_classes(plan, cells)
    rows = [row for row in of_classes if row.class_name is None]
    of_run = cells[-1].run.metrics.per_class
    for row in of_classes:
        if row.class_name is not None:
            assert row.on_all_images["f1"].value == of_run[row.class_name].metrics["f1"].value
    n_tested = sum(row.label is not None for row in cells[-1].run.predictions)
    assert {row.dataset for row in rows} == {"a", "b"}
    assert all(row.n_merged for row in rows)
    assert sum(row.n_merged for row in rows) == n_tested
    # An image without a group is not in the group of its name.
    tested = [row.image_id for row in cells[-1].run.predictions]
    split = rows_of(cells[-1].run.split_file)
    intervals = []
    for name in ("a group", tested[0]):
        group_of = dict.fromkeys(tested[1:4], name) | {tested[0]: ""}
        with cells[-1].run.split_file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, [*split[0]])
            writer.writeheader()
            writer.writerows(row | {"group": group_of.get(row["image_id"], row["group"])} for row in split)
        reopened = [replace(cell, run=Run(cell.run.folder)) for cell in cells]
        intervals.append([row.with_others for row in merged_classes(plan, reopened)])
    assert intervals[0] == intervals[1]


@pytest.mark.slow
def test_a_study_is_not_resumed_on_changed_images_of_another_arm_of_a_merged_dataset(tmp_path: Path) -> None:
    labs = [write_cells(tmp_path / name, 18, seed=seed) for seed, name in enumerate(("lab_a", "lab_b"))]
    plan = plan_of(
        {
            "datasets": [{"name": "both", "parts": [str(lab) for lab in labs]}],
            "arms": [{"name": "A", "compared_with": "B"}, {"name": "B"}],
            "models": [SMALL_NETWORK],
            "folds": 0,
            "recipe": {"image_size": 32, "tta": 1, "stage": "instant", "augment": "none"},
        }
    )
    out = tmp_path / "out"
    save_plan(plan, out / "study.yaml")
    done, _ = cells_of(plan, out)
    write_merged_tables([done])
    train_without_report(open_dataset(done.sources), done.recipe, out=done.run.folder)
    file = next(labs[1].rglob("*.png"))
    save_cell(file)
    with pytest.raises(BadRun) as refusal:
        resume_study(out)
    assert refusal.value.parameters["n_images"] == 1


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_merged_dataset_is_trained_and_compared_with_its_parts(tmp_path: Path) -> None:
    labs = [write_cells(tmp_path / name, 36, seed=seed) for seed, name in enumerate(("lab_a", "lab_b"))]
    parts = [{"path": str(labs[0]), "group_pattern": GROUPS}, {"path": str(labs[1])}]
    plan = plan_of(
        {
            "datasets": [*parts, {"name": "both", "parts": parts}],
            "models": [SMALL_NETWORK],
            "folds": 0,
            "recipe": {"image_size": 32, "tta": 1, "stage": "instant"},
            "threads": 1,
        }
    )
    compared = run_study(plan, out=tmp_path / "out")
    assert not compared.failures
    assert {(row.dataset, row.merged) for row in compared.merged} == {("lab_a", "both"), ("lab_b", "both")}
    assert [each.dataset for each in compared.left_out] == ["both"]
    assert (tmp_path / "out" / "datasets" / "both.csv").is_file()
