"""Labels given in the app: kept at once, taken back and made again, exported and trained on."""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest
from drawing import save_cell, save_cells
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_sets import App, ids_at, images_at, in_lists, workspace_in
from small_workspace import CLASSES, QUICK, new_workspace, open_images, trained_here, write_cells

from coverslip.datasets.columns import TableChoices
from coverslip.datasets.index.classes import ClassPlan
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.related_images import labels_of
from coverslip.errors import BadDataset, CoverslipError
from coverslip.experiments.preparation import apply_recipe
from coverslip.runs.folder import open_run
from coverslip.runs.recipe import Pretraining, Recipe
from coverslip.workspace.correcting import undoing
from coverslip.workspace.correcting.corrections import exclude
from coverslip.workspace.datasets import labels
from coverslip.workspace.datasets.labels import table_lines, training_images
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.sources import Grouping, Source, open_sources
from coverslip.workspace.datasets.state import ClassCount, class_order_for_training, dataset_state
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.recipes import recipe_grouping, validated_recipe
from coverslip.workspace.store.rows import ImagesChanged, dataset_row, load_dataset, load_scan, row_ids_of
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.queueing import preview_split
from coverslip.workspace.viewing.images import DatasetImages, Filters

N = 6
STEPS = st.lists(
    st.one_of(
        st.just("undo"),
        st.just("redo"),
        st.tuples(st.lists(st.integers(0, N - 1), min_size=1, max_size=N), st.sampled_from(["a", "b", "new", None])),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("labels")
    save_cells(folder / "cells", ("a", "b"), n=N // 2)
    return workspace_in(folder)


def opened(home: Workspace, **choices: object) -> str:
    dataset = open_sources(home, [Source(str(home.folder.parent / "cells"))], **choices)  # type: ignore[arg-type]
    home.background.wait_all()
    return dataset.id


def test_columns_of_a_table_outlast_a_corrected_label(home: Workspace) -> None:
    folder = home.folder.parent / "cells"
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.png"))
    rows = [f"{file},{file[0]},{stain},{k}" for k, (file, stain) in enumerate(zip(files, "xyxyxy", strict=True))]
    table = folder / "stains.csv"
    table.write_text("\n".join(["path,label,stain,Day", *rows]))
    try:
        dataset_id = open_sources(home, [Source(str(table))]).id
        home.background.wait_all()
        labels.set_labels(home, dataset_id, images_at(home, dataset_id, [0]), "b")
        (changed,) = training_images(home, dataset_id).sources
        read = open_dataset(changed).records
        assert [record.about for record in read] == [record.about for record in open_dataset(table).records]
        assert dict(read[1].about) == {"stain": "y", "Day": "1"}
        assert read[0].label == "b"
        with home.engine.connect() as connection:
            assert dict(load_dataset(connection, dataset_id).records[1].about) == {"stain": "y", "Day": "1"}
    finally:
        table.unlink()


def labels_now(home: Workspace, dataset_id: str) -> list[str | None]:
    return [image.label for image in DatasetImages(home, dataset_id).page(Filters(), limit=2000).items]


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_undo_and_redo_are_those_of_a_plain_list(home: Workspace, steps: list[object]) -> None:
    dataset_id = opened(home)
    done: list[list[str | None]] = [["a"] * 3 + ["b"] * 3]
    undone: list[list[str | None]] = []
    changes: list[int] = []
    undone_changes: list[int] = []
    for step in steps:
        if step == "undo":
            if changes:
                undoing.undo(home, changes[-1])
                undone.append(done.pop())
                undone_changes.append(changes.pop())
        elif step == "redo":
            if undone_changes:
                undoing.redo(home, undone_changes[-1])
                done.append(undone.pop())
                changes.append(undone_changes.pop())
        else:
            positions, label = step  # type: ignore[misc]
            change, n = labels.set_labels(home, dataset_id, images_at(home, dataset_id, sorted(set(positions))), label)
            after = [label if i in positions else was for i, was in enumerate(done[-1])]
            assert n == sum(was != now for was, now in zip(done[-1], after, strict=True))
            assert (change is None) == (n == 0)
            if change is not None:
                done.append(after)
                changes.append(change)
                undone.clear()
                undone_changes.clear()
        assert labels_now(home, dataset_id) == done[-1]
        state = dataset_state(home, dataset_id)
        original = ["a"] * 3 + ["b"] * 3
        assert state.n_label_changes == sum(a != b for a, b in zip(done[-1], original, strict=True))
        assert state.n_labeled == N - done[-1].count(None)
        assert {each.name: each.n for each in state.classes if each.n} == {
            name: done[-1].count(name) for name in set(done[-1]) - {None}
        }


def test_a_new_name_becomes_a_class_and_keeps_its_color(home: Workspace) -> None:
    dataset_id = opened(home)
    labels.set_labels(home, dataset_id, images_at(home, dataset_id, [0]), "  zeta  ")
    change, _ = labels.set_labels(home, dataset_id, images_at(home, dataset_id, [1]), "alpha")
    assert [each.name for each in dataset_state(home, dataset_id).classes] == ["a", "b", "zeta", "alpha"]
    undoing.undo(home, change or 0)
    assert dataset_state(home, dataset_id).classes[3] == ClassCount("alpha", n=0)


@pytest.mark.parametrize("name", ["", "  ", "uncertain", "unreadable", "x" * 201])
def test_no_class_has_this_name(home: Workspace, name: str) -> None:
    dataset_id = opened(home)
    with pytest.raises(CoverslipError):
        labels.set_labels(home, dataset_id, images_at(home, dataset_id, [0]), name)


def test_an_unknown_image_changes_nothing(home: Workspace) -> None:
    dataset_id = opened(home)
    images = ImageSelection(images=[*ids_at(home, dataset_id, [0]), "none of them"])
    with pytest.raises(ImagesChanged):
        labels.set_labels(home, dataset_id, images, "new")
    assert labels_now(home, dataset_id) == ["a"] * 3 + ["b"] * 3


@pytest.mark.slow
def test_equal_images_conflict_as_long_as_their_labels_differ(tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells")
    for name in ("copy1.png", "copy2.png"):
        save_cell(cells / "round" / name, seed=1)
    save_cell(cells / "flat" / "copy3.png", seed=1)
    app = App(workspace_in(tmp_path))
    dataset = app.open(cells)
    where = f"datasets/{dataset['id']}"

    def agrees() -> bool:
        """Whether what is marked is what an inspection, and so a training, finds."""
        with app.home.engine.connect() as connection:
            data, scan = load_dataset(connection, dataset["id"]), load_scan(connection, dataset["id"])
        marked = {"conflicting": set[int](), "duplicate": set[int]()}
        for members in scan.equal_pixels:
            marked["conflicting" if len(labels_of(data, members)) > 1 else "duplicate"].update(members)
        return all(set(app.positions(f"{where}", only=kind)) == marked[kind] for kind in marked)

    conflicting = app.positions(f"{where}", only="conflicting")
    assert agrees()
    assert len(conflicting) == 4
    listed = app.get(f"{in_lists(where)}/rows")["items"]
    odd = next(i for i in conflicting if listed[i]["label"] == "flat")
    change = app.label(where, [odd], "round")["change"]
    assert len(app.rows(f"{where}", only="conflicting")) == 0
    assert len(app.rows(f"{where}", only="duplicate")) == 4
    assert agrees()
    app.undo(change)
    assert len(app.rows(f"{where}", only="conflicting")) == 4


@pytest.mark.slow
def test_the_exported_table_holds_no_formula_and_opens_as_it_was(tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", ("=1+1", "-neg", 'say "x", y'), n=2)
    app = App(workspace_in(tmp_path))
    dataset = app.open(cells, group_pattern=r"slide\d")
    where = f"datasets/{dataset['id']}"
    app.label(where, [0], "@new\nline")
    app.label(where, [1], None)
    answer = app.client.get(f"/api/v1/{where}/download/labels")
    assert answer.headers["content-disposition"] == 'attachment; filename="cells-labels.csv"'
    for row in csv.reader(io.StringIO(answer.text)):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
    table = tmp_path / "elsewhere" / "labels.csv"
    table.parent.mkdir()
    table.write_bytes(answer.content)
    exported = open_dataset(table, group="group")
    images = app.get(f"{in_lists(where)}/rows")["items"]
    assert [(r.image_id, r.label, r.group) for r in exported.records] == [
        (image["image_id"], image["label"], image["group"]) for image in images
    ]


def test_a_training_reads_the_users_files_until_a_label_is_changed(home: Workspace) -> None:
    dataset_id = opened(home, group_pattern=r"slide\d")
    whole = training_images(home, dataset_id)
    assert (whole.sources, whole.options) == ([str(home.folder.parent / "cells")], [r"--group-pattern=slide\d"])
    first_change, _ = labels.set_labels(home, dataset_id, images_at(home, dataset_id, [0]), "b")
    changed = training_images(home, dataset_id)
    (first,) = changed.sources
    assert changed.options == ["--group=group", r"--column-pattern=slide\d"]
    assert training_images(home, dataset_id) == changed  # the same content has the same name
    second_change, _ = labels.set_labels(home, dataset_id, images_at(home, dataset_id, [1]), "b")
    (second,) = training_images(home, dataset_id).sources
    assert second != first
    assert [r.label for r in open_dataset(first).records] == ["b", "a", "a", "b", "b", "b"]
    for change in (second_change, first_change):
        undoing.undo(home, change or 0)
    assert training_images(home, dataset_id).sources == [str(home.folder.parent / "cells")]


def test_a_training_may_group_otherwise_than_the_dataset(home: Workspace) -> None:
    dataset_id = opened(home, group_pattern=r"slide\d")
    by_class = Grouping(pattern="^[ab]")
    assert training_images(home, dataset_id, grouped=by_class).options == ["--group-pattern=^[ab]"]
    assert training_images(home, dataset_id, grouped=Grouping()).options == []
    labels.set_labels(home, dataset_id, images_at(home, dataset_id, [0]), "b")
    (table,) = training_images(home, dataset_id, grouped=by_class).sources
    assert [r.group for r in open_dataset(table, group="group").records] == ["a", "a", "a", "b", "b", "b"]
    (without,) = (alone := training_images(home, dataset_id, grouped=Grouping())).sources
    assert (alone.options, "group" in Path(without).read_text().splitlines()[0]) == ([], False)


def test_images_opened_without_labels_are_trained_on_by_those_given(home: Workspace) -> None:
    dataset_id = opened(home, is_labeled=False)
    with pytest.raises(BadDataset) as refused:
        training_images(home, dataset_id)
    assert refused.value.code == "unlabeled-dataset"
    labels.set_labels(home, dataset_id, images_at(home, dataset_id, [0, 1]), "a")
    (table,) = (images := training_images(home, dataset_id)).sources
    assert images.options == []
    assert [r.label for r in open_dataset(table).records] == ["a", "a", None, None, None, None]


def test_boxes_planes_and_predefined_splits_stand_in_the_table(tmp_path: Path) -> None:
    save_cell(tmp_path / "field.png", 1, side=64)
    (tmp_path / "t.csv").write_text(
        "path,label,split,channels,z,x,y,width,height\n"
        "field.png,a,train,0 2,,1,2,20,21\nfield.png,b,test,,0,5,5,20,20\nfield.png,b,,1,max,,,,\n"
    )
    home = workspace_in(tmp_path)
    dataset = open_sources(home, [Source(str(tmp_path / "t.csv"))])
    home.background.wait_all()
    table = tmp_path / "home" / "out.csv"
    table.write_text("".join(table_lines(home, dataset.id)))
    before, after = open_dataset(tmp_path / "t.csv").records, open_dataset(table).records
    assert [(r.path, r.label, r.predefined_split, r.plan, r.image_id, r.stated) for r in before] == [
        (r.path, r.label, r.predefined_split, r.plan, r.image_id, r.stated) for r in after
    ]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_classifier_is_trained_on_the_exported_table(tmp_path: Path) -> None:
    from coverslip.pipeline import train
    from coverslip.runs.recipe_keys import check_recipe

    cells = save_cells(tmp_path / "cells", n=10)
    app = App(workspace_in(tmp_path))
    dataset = app.open(cells)
    app.label(f"datasets/{dataset['id']}", [0], "round")
    table = tmp_path / "labels.csv"
    table.write_bytes(app.client.get(f"/api/v1/datasets/{dataset['id']}/download/labels").content)
    recipe = check_recipe({"stage": "instant", "image_size": 48, "tta": 1, "split": {"folds": 0}})
    run = train(open_dataset(table), recipe, out=tmp_path / "run")
    assert (run.folder / "classifier" / "classifier.json").is_file()


def with_stated_groups(folder: Path) -> Path:
    """Write a table of cells in 5 groups."""
    files = sorted(write_cells(folder / "stated", 30).rglob("*.png"))
    table = folder / "stated.csv"
    table.write_text("\n".join(["path,label,group", *(f"{f},{f.parent.name},g{k % 5}" for k, f in enumerate(files))]))
    return table


@pytest.mark.parametrize("has_changed_label", [False, True])
@pytest.mark.parametrize(("group", "n_groups"), [(None, 5), ("none", 0)])
def test_the_app_ignores_stated_groups_as_the_command_line_does(
    tmp_path: Path, has_changed_label: bool, group: str | None, n_groups: int
) -> None:
    home, table = new_workspace(tmp_path), with_stated_groups(tmp_path)
    dataset_id = open_images(home, table)
    if has_changed_label:
        labels.set_labels(home, dataset_id, images_at(home, dataset_id, [0]), CLASSES[1])
    recipe = {**QUICK, "group": group}
    preview = preview_split(home, dataset_id, recipe)
    assert (preview.used.n_groups, preview.used.n_ungrouped) == (n_groups, 0 if n_groups else preview.used.n)
    with home.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    images = training_images(home, dataset_id, grouped=recipe_grouping(home, row, recipe))
    assert (images.sources != [str(table)]) == has_changed_label
    trained = open_dataset(images.sources, group=images.grouped.column)
    of_command = open_dataset(table)
    groups, expected = (
        {record.path: record.group for record in apply_recipe(data, Recipe(group=group))[0].records}
        for data in (trained, of_command)
    )
    assert groups == expected
    assert len(set(groups.values()) - {None}) == n_groups


def test_pretraining_ignores_stated_groups(tmp_path: Path) -> None:
    home = new_workspace(tmp_path)
    dataset_id = open_images(home, with_stated_groups(tmp_path))
    choices = {"init": {"train_on": dataset_id, "recipe": {"group": "none"}}, "stage": "finetune"}
    init = validated_recipe(home, choices, {}).init
    assert isinstance(init, Pretraining)
    assert init.recipe["group"] == "none"


def test_joined_crops_of_a_field_are_no_duplicates_of_each_other_in_the_preview_of_a_split(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    lines = ["path,x,y,label"]
    for k in range(12):
        file = save_cell(tmp_path / f"{k // 2}_c{k % 2}.png", seed=k, side=80)
        lines += [f"{file.name},{10 + 12 * i},{10 + 9 * i},{'ab'[i % 2]}" for i in range(4)]
    (tmp_path / "points.csv").write_text("\n".join(lines))
    points = open_images(home, tmp_path / "points.csv", choices=TableChoices(crop_size=8))
    preview = preview_split(home, points, {**QUICK, "channel_files": ["_c0", "_c1"]})
    assert (preview.used.n, preview.n_excluded) == (24, 0)


def test_a_class_without_included_images_is_in_no_recipe(tmp_path: Path) -> None:
    home = new_workspace(tmp_path)
    save_cells(tmp_path / "cells", ("a", "b"), n=2)
    save_cell(tmp_path / "cells" / "rare" / "0.png", 99)
    dataset = open_images(home, tmp_path / "cells")
    exclude(home, dataset, images_at(home, dataset, [4]), is_excluded=True)
    with home.engine.connect() as connection:
        order = class_order_for_training(connection, dataset_row(connection, dataset), ClassPlan())
    assert order == ["a", "b"]


@pytest.mark.slow
def test_the_previewed_test_images_are_those_that_a_training_tests_and_each_has_a_reason(tmp_path: Path) -> None:
    home = new_workspace(tmp_path)
    dataset_id = open_images(home, write_cells(tmp_path / "cells", 60))
    near = {"split.near_duplicates": "ignore"}  # the search for them is not awaited here
    reasons = {}
    for name, recipe in {
        "one-split": {**QUICK, **near, "group": r"(slide\d+)"},
        "folds": {**QUICK, **near, "group": r"(slide\d+)", "split.folds": 3},
    }.items():
        preview = preview_split(home, dataset_id, recipe)
        run = open_run(find_job(home, trained_here(home, dataset_id, recipe)).folder)
        tests = [row for row in run.split if (row.fold == 1 if preview.n_folds else row.split == "test")]
        with home.engine.connect() as connection:
            row_of = row_ids_of(connection, dataset_id)
        shown = {row for strip in preview.tested for row in strip.row_ids}
        n_of_group = Counter(row.group for row in tests)
        assert shown == {row_of[row.image_id] for row in tests}
        assert {strip.group: strip.n for strip in preview.tested} == n_of_group
        assert sum(strip.n for strip in preview.tested) == len(tests)
        reasons[name] = {strip.reason for strip in preview.tested}
    assert reasons == {"one-split": {"group"}, "folds": {"group"}}
