"""Opening folders and tables: what becomes an image, its label, group and part, and what is said about the rest."""

import contextlib
import csv
import os
import tracemalloc
from collections import Counter
from copy import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refusing import fault_in_line, note_of, refusing

from coverslip.counts import GroupCount, count_groups
from coverslip.datasets.index.image_tables import PackedRows
from coverslip.datasets.index.opening import open_dataset, with_groups
from coverslip.datasets.names import natural_key
from coverslip.datasets.quality.scanning import group_facts, scan_images, units_per_class
from coverslip.datasets.splits.splitting import Split
from coverslip.errors import BadDataset
from coverslip.files import WORKSPACE_DATABASE
from coverslip.images.reader import PLAN_COLUMNS, ReadPlan
from coverslip.messages import GroupBy, MapColumn, text
from coverslip.runs.split import read_split, split_rows, write_split


def save_image(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 256, (6, 6), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="PNG")
    return path


def make_folder(root: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        save_image(root / name, i)
    return root


def write_table(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))
    return path


# Folders


def test_the_first_folder_level_is_the_class_and_deeper_ones_are_ignored(tmp_path):
    make_folder(tmp_path, "10/slide a/1.png", "2/deep/er/2.png", "2/3.png")
    dataset = open_dataset(tmp_path)
    assert dataset.source == "folders"
    assert dataset.classes == ("2", "10")
    assert {r.image_id: r.label for r in dataset.records} == {
        "2/3.png": "2",
        "2/deep/er/2.png": "2",
        "10/slide a/1.png": "10",
    }
    assert all(r.path.is_absolute() and r.path.is_file() for r in dataset.records)
    assert not dataset.has_groups
    assert dataset.notes == ()


def test_parts_are_read_from_folders_under_any_of_their_usual_names(tmp_path):
    make_folder(tmp_path, "Training/a/1.png", "valid/a/2.png", "validation/b/3.png", "TEST/b/4.png", "masks/m.png")
    dataset = open_dataset(tmp_path)
    assert dataset.source == "split folders"
    splits = {r.image_id: (r.predefined_split, r.label) for r in dataset.records}
    assert splits["Training/a/1.png"] == ("train", "a")
    assert splits["valid/a/2.png"] == ("val", "a")
    assert splits["validation/b/3.png"] == ("val", "b")
    assert splits["TEST/b/4.png"] == ("test", "b")
    assert splits["masks/m.png"] == (None, None)


def test_a_flat_test_folder_keeps_its_images_without_labels(tmp_path):
    dataset = open_dataset(make_folder(tmp_path, "train/a/1.png", "train/b/2.png", "test/3.png"))
    assert [(r.predefined_split, r.label) for r in dataset.records if r.image_id == "test/3.png"] == [("test", None)]
    assert note_of(dataset.notes, "no-class-folder").parameters == {"n_images": 1, "examples": "'test/3.png'"}


def test_classes_may_be_called_test_beside_others(tmp_path):
    dataset = open_dataset(make_folder(tmp_path, "control/1.png", "test/2.png"))
    assert dataset.source == "folders"
    assert dataset.classes == ("control", "test")


def test_part_folders_without_class_folders_are_refused(tmp_path):
    with refusing(BadDataset, "split-folders-without-classes", folders="'test', 'train'"):
        open_dataset(make_folder(tmp_path, "train/1.png", "test/2.png"))


def test_a_folder_wrapped_around_the_class_folders_is_no_class(tmp_path):
    make_folder(tmp_path, "archive/images/a/1.png", "archive/images/b/2.png")
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("a", "b")
    assert note_of(dataset.notes, "inner-class-folders").parameters == {"folder": "archive/images"}


def test_a_wrapping_folder_may_hold_parts(tmp_path):
    dataset = open_dataset(make_folder(tmp_path, "data/train/a/1.png", "data/val/a/2.png"))
    assert dataset.source == "split folders"
    assert [(r.predefined_split, r.label) for r in dataset.records] == [("train", "a"), ("val", "a")]


def test_one_class_can_be_opened(tmp_path):
    assert open_dataset(make_folder(tmp_path, "a/1.png", "a/2.png")).classes == ("a",)


def test_suffixes_count_in_any_case_and_ignored_files_are_reported(tmp_path):
    make_folder(tmp_path, "a/1.PNG", "a/2.TiF", "b/3.Jpeg", ".hidden/4.png", "a/._1.png", "__MACOSX/a/5.png")
    (tmp_path / "a" / "Thumbs.db").touch()
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    dataset = open_dataset(tmp_path)
    assert len(dataset.records) == 3
    assert {note.code: dict(note.parameters) for note in dataset.notes} == {
        "not-images": {"suffixes": "1 .db, 1 .txt"},
        "hidden-files": {"n_files": 3},
        "empty-folders": {"n_folders": 1, "folders": "'empty'"},
    }


SYSTEM_FOLDERS = ("@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information", "__pycache__")


def test_folders_of_systems_are_neither_classes_nor_images(tmp_path: Path) -> None:
    make_folder(tmp_path, "a/1.png", "b/2.png", *(f"{name}/x/3.png" for name in SYSTEM_FOLDERS))
    make_folder(tmp_path, "a/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "b/.ipynb_checkpoints/2-checkpoint.png")
    data = open_dataset(tmp_path)
    assert (data.classes, len(data)) == (("a", "b"), 2)
    assert [note.parameters for note in data.notes if note.code == "hidden-files"] == [{"n_files": 8}]


def test_images_beside_class_folders_have_a_row_without_label(tmp_path):
    dataset = open_dataset(make_folder(tmp_path, "a/1.png", "b/2.png", "stray.png"))
    assert {r.image_id: r.label for r in dataset.records}["stray.png"] is None


@pytest.mark.parametrize(
    ("names", "code", "parameters"),
    [
        (["a/1.xyz", "a/2.xyz", "readme.txt"], "no-images", {"content": "other-files", "suffixes": "2 .xyz, 1 .txt"}),
        ([".png", ".hidden"], "no-images", {"content": "hidden-files", "n_hidden": 2}),
        ([], "no-images", {"content": "nothing"}),
        (["1.png", "2.png"], "no-class-folders", {"n_images": 2}),
    ],
)
def test_a_folder_without_labeled_images_says_what_was_found(tmp_path, names, code, parameters):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with refusing(BadDataset, code, **parameters):
        open_dataset(tmp_path)


def test_a_missing_folder_names_the_nearest_one(tmp_path):
    make_folder(tmp_path, "images/a/1.png")
    with refusing(BadDataset, "no-such-source", advice=text("did-you-mean-file", name="images")):
        open_dataset(tmp_path / "image")


def test_links_round_in_a_circle_end_and_label_nothing_twice(tmp_path):
    make_folder(tmp_path, "a/1.png", "a/sub/2.png", "b/3.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "sub" / "back").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "b" / "self").symlink_to("self")
    dataset = open_dataset(tmp_path)
    assert [r.image_id for r in dataset.records] == ["a/1.png", "a/sub/2.png", "b/3.png"]
    assert note_of(dataset.notes, "circular-links").parameters == {"n_links": 2}


def test_linked_class_folders_are_followed(tmp_path):
    make_folder(tmp_path / "elsewhere", "1.png")
    make_folder(tmp_path / "data", "b/2.png")
    (tmp_path / "data" / "a").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "data" / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    dataset = open_dataset(tmp_path / "data")
    assert dataset.classes == ("a", "b")
    assert any(r.image_id == "b/gone.png" for r in dataset.records)


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_odd_names_are_opened_and_can_be_written_as_text(tmp_path):
    odd = ["a/new\nline.png", "a/🔬 cell.png", "a/ü.png", "b/ leading.png", 'b/"quoted",comma.png']
    make_folder(tmp_path, *odd)
    undecodable = os.fsencode(tmp_path / "b") + b"/caf\xe9.png"
    with contextlib.suppress(OSError):  # a file system that allows UTF-8 only
        Path(os.fsdecode(undecodable)).write_bytes(b"")
    dataset = open_dataset(tmp_path)
    assert set(odd) <= {r.image_id for r in dataset.records}
    for record in dataset.records:
        record.image_id.encode("utf-8")
        dataset.relative_path(record).encode("utf-8")


def test_decomposed_and_composed_accents_are_one_label(tmp_path):
    table = write_table(tmp_path / "t.csv", "path,label\n1.png,Zelle u\u0308\n2.png,Zelle ü\n")
    make_folder(tmp_path, "1.png", "2.png")
    assert open_dataset(table).classes == ("Zelle ü",)


@pytest.mark.slow
@given(st.lists(st.text(max_size=8), max_size=8))
def test_natural_order_is_an_order_of_any_names(names):
    once = sorted(names, key=natural_key)
    assert all(natural_key(a) <= natural_key(b) for a, b in pairwise(once))
    assert sorted(set(names), key=natural_key) == list(dict.fromkeys(once))


def test_natural_order_counts_as_people_do():
    names = ["cell 10", "Cell 2", "cell 002b", "10", "9", "a"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "Cell 2", "cell 002b", "cell 10"]


def test_a_table_in_the_folder_is_pointed_out_not_used(shared_data):
    dataset = open_dataset(shared_data("nuclei_mitocheck"))
    assert len(dataset.records) == 3277
    assert len(dataset.classes) == 16
    assert not dataset.has_groups
    beside = note_of(dataset.notes, "table-beside").parameters
    assert beside["table"] == "images.csv"
    assert "movie" in beside["columns"]


# Groups from a pattern


def test_a_pattern_takes_the_named_part_else_the_first_else_all_of_the_match(tmp_path):
    make_folder(tmp_path, "a/s1_c1.png", "a/s1_c2.png", "b/s2_c1.png")
    for pattern, groups in [
        (r"s\d", ["s1", "s1", "s2"]),
        (r"s(\d)_(c\d)", ["1", "1", "2"]),
        (r"(s)(?P<group>\d)", ["1", "1", "2"]),
    ]:
        assert [r.group for r in open_dataset(tmp_path, group_pattern=pattern).records] == groups


def test_images_that_a_pattern_does_not_match_have_no_group(tmp_path):
    make_folder(tmp_path, "a/s1_1.png", "a/odd.png", "b/strange.png")
    dataset = open_dataset(tmp_path, group_pattern=r"s\d")
    assert [r.group for r in dataset.records] == [None, "s1", None]
    assert note_of(dataset.notes, "pattern-misses").parameters == {
        "n_images": 2,
        "names": "'a/odd.png', 'b/strange.png'",
        "examples": ["a/odd.png", "b/strange.png"],
    }


def test_the_note_on_images_that_a_pattern_does_not_match_names_five_of_them(tmp_path: Path) -> None:
    make_folder(tmp_path, "a/s1_1.png", *(f"b/odd{k}.png" for k in range(7)))
    note = note_of(open_dataset(tmp_path, group_pattern=r"s\d").notes, "pattern-misses")
    assert (note.parameters["n_images"], note.parameters["examples"]) == (7, [f"b/odd{k}.png" for k in range(5)])
    assert [f"'b/odd{k}.png'" in note.parameters["names"] for k in range(7)] == [True] * 5 + [False] * 2


def test_a_pattern_that_matches_nothing_or_is_none_is_refused_with_an_example(tmp_path):
    make_folder(tmp_path, "a/s1_1.png")
    with refusing(BadDataset, "pattern-matches-nothing", n_paths=1, path="a/s1_1.png", pattern="slide"):
        open_dataset(tmp_path, group_pattern="slide")
    with refusing(BadDataset, "invalid-pattern", pattern="s("):
        open_dataset(tmp_path, group_pattern="s(")
    with refusing(BadDataset, "folder-has-no-columns", group="slide", has_table=False) as refused:
        open_dataset(tmp_path, group="slide")
    assert refused.value.remedies == (GroupBy(),)
    with refusing(BadDataset, "column-and-pattern"):
        open_dataset(tmp_path, group="slide", group_pattern="s")


def test_a_table_in_the_folder_that_has_the_group_column_is_named(tmp_path: Path) -> None:
    make_folder(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a table.csv").write_text("path,label\na/1.png,a\n")
    (tmp_path / "images.csv").write_text("path,label,patient\na/1.png,a,P1\n")
    with refusing(BadDataset, "folder-has-no-columns", has_table=True, table="images.csv"):
        open_dataset(tmp_path, group="patient")


def test_a_pattern_may_match_images_of_one_source_only(tmp_path):
    make_folder(tmp_path / "old", "a/s1_1.png", "b/s2_1.png")
    make_folder(tmp_path / "new", "a/1.png", "b/2.png")
    dataset = open_dataset([tmp_path / "old", tmp_path / "new"], group_pattern=r"s\d")
    assert [r.group for r in dataset.records] == ["s1", "s2", None, None]
    assert [note.parameters["n_images"] for note in dataset.notes if note.code == "pattern-misses"] == [2]
    for more in ({}, {"labeled": False}, {"labeled": False, "domains": ["x", "y"]}):
        with refusing(BadDataset, "pattern-matches-nothing", n_paths=4):
            open_dataset([tmp_path / "old", tmp_path / "new"], group_pattern="slide", **more)


def test_patients_are_read_from_real_file_names(shared_data):
    folder = shared_data("chromosomes_gband")
    by_pattern = open_dataset(folder, group_pattern=r"/\d+_\d+_(\d+)_")
    by_column = open_dataset(folder / "images.csv", group="case")
    assert {r.image_id: r.group for r in by_pattern.records} == {r.image_id: r.group for r in by_column.records}
    assert len({r.group for r in by_column.records}) == 16


# Tables


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_open_with_any_usual_separator_and_encoding(tmp_path, encoding, separator):
    make_folder(tmp_path, "Größe 1.png", "b, c; d.png")
    lines = [["File Name", "CLASS", "Other"], ["Größe 1.png", "ü", "x"], ['"b, c; d.png"', "v", ""]]
    table = write_table(tmp_path / "t.csv", "\r\n".join(separator.join(cells) for cells in lines), encoding)
    dataset = open_dataset(table)
    assert dataset.source == "table"
    assert [(r.path.name, r.label) for r in dataset.records] == [("Größe 1.png", "ü"), ("b, c; d.png", "v")]
    assert dataset.root == tmp_path
    assert [note.code for note in dataset.notes] == (["not-utf-8"] if encoding == "cp1252" else [])


def test_the_line_that_excel_puts_first_is_understood(tmp_path):
    make_folder(tmp_path, "1.png")
    dataset = open_dataset(write_table(tmp_path / "t.csv", "sep=;\npath;label\n1.png;a\n"))
    assert dataset.records[0].label == "a"


def test_all_columns_of_a_table_are_read(tmp_path):
    make_folder(tmp_path, "f.tif")
    header = "path,label,image_id,group,split,domain,channels,z,x,y,width,height\n"
    rows = "f.tif,a,cell 1,p1,valid,lab,0 2,max,1,2,30,40\nf.tif,b,,p2,TRAIN,lab,,3,1.0,2,30,40\n"
    first, second = open_dataset(write_table(tmp_path / "t.csv", header + rows)).records
    assert (first.image_id, first.group, first.predefined_split, first.domain) == ("cell 1", "p1", "val", "lab")
    assert first.plan == ReadPlan(z="max", channels=(0, 2), region=(1, 2, 30, 40))
    assert second.image_id == "f.tif#z=3#box=1,2,30,40"
    assert second.plan == ReadPlan(z=3, region=(1, 2, 30, 40))


def test_series_time_plane_level_and_channels_by_name_are_read_and_written_again(tmp_path):
    make_folder(tmp_path, "f.tif")
    rows = 'path,label,series,t,z,channels,level\nf.tif,a,2,1,best-focus,"DAPI, Alexa 488",3\nf.tif,b,,,,0 2,\n'
    first, second = open_dataset(write_table(tmp_path / "t.csv", rows)).records
    assert first.plan == ReadPlan(series=2, t=1, z="best-focus", channels=("DAPI", "Alexa 488"), level=3)
    assert first.image_id == "f.tif#series=2#t=1#z=best-focus#channels=DAPI+Alexa 488#level=3"
    assert second.plan == ReadPlan(channels=(0, 2))
    assert [first.plan.cell(name) for name in PLAN_COLUMNS] == ["2", "1", "best-focus", "DAPI,Alexa 488", "3", ""]
    assert second.plan.cell("channels") == "0 2"


def test_width_and_height_alone_are_no_box(tmp_path):
    make_folder(tmp_path, "1.png")
    table = write_table(tmp_path / "t.csv", "path,label,width,height\n1.png,a,640,480\n")
    assert open_dataset(table).records[0].plan == ReadPlan()


def test_a_path_may_be_absolute_or_written_on_windows(tmp_path):
    make_folder(tmp_path, "sub/1.png", "sub/2.png")
    table = write_table(tmp_path / "t.csv", f"path,label\nsub\\1.png,a\n{tmp_path}/sub/2.png,b\nsub/../sub/2.png,b\n")
    dataset = open_dataset(table)
    assert [r.image_id for r in dataset.records] == ["sub/1.png", "sub/2.png"]
    assert note_of(dataset.notes, "repeated-rows").parameters == {"n_rows": 1}


def test_a_path_column_wins_over_one_named_image(shared_data):
    dataset = open_dataset(shared_data("pap_herlev") / "images.csv", group="image")
    assert len(dataset.records) == 917
    assert len({r.group for r in dataset.records}) == 538


def test_an_unknown_group_column_names_the_nearest(shared_data):
    hint = f" {text('did-you-mean', name='movie')}"
    table = shared_data("nuclei_mitocheck") / "images.csv"
    with refusing(BadDataset, "unknown-group-column", column="moive", hint=hint) as refused:
        open_dataset(table, group="moive")
    assert refused.value.file == table


def test_columns_that_may_be_groups_are_advised_and_only_group_is_used_unasked(tmp_path):
    make_folder(tmp_path, "1.png", "2.png", "3.png")
    rows = "1.png,a,p1,{0}\n2.png,b,p1,{1}\n3.png,a,p2,{1}\n"
    table = write_table(tmp_path / "t.csv", "path,label,patient,slide\n" + rows.format("s1", "s2"))
    dataset = open_dataset(table)
    assert not dataset.has_groups
    (note,) = dataset.notes
    assert (note.code, note.level, note.parameters["first"]) == ("not-grouped", "warning", "patient")
    assert text("column-with-values", column="slide", n_values=2) in note.parameters["columns"]
    assert note.remedies == (GroupBy("patient"), GroupBy("slide"))
    table = write_table(tmp_path / "u.csv", "path,label,patient,Group\n" + rows.format("g1", "g2"))
    dataset = open_dataset(table)
    assert [r.group for r in dataset.records] == ["g1", "g2", "g2"]
    others = text("column-with-values", column="patient", n_values=2)
    assert note_of(dataset.notes, "grouped").parameters == {"column": "Group", "has_others": True, "others": others}
    assert [r.group for r in open_dataset(table, group="PATIENT").records] == ["p1", "p1", "p2"]


def test_rows_without_a_group_have_none(tmp_path):
    make_folder(tmp_path, "1.png", "2.png")
    dataset = open_dataset(write_table(tmp_path / "t.csv", "path,label,group\n1.png,a,\n2.png,b,\n"))
    assert [r.group for r in dataset.records] == [None, None]
    assert group_facts(dataset, scan_images(dataset)) is None


def test_a_group_named_after_one_of_its_images_contains_this_image_in_all_counts(tmp_path):
    """The group of each movie is the name of its first frame."""
    frames = [(f"m{movie}_t{k}.png", "ab"[movie % 2], f"m{movie}_t0.png") for movie in range(4) for k in range(2)]
    for lab in ("lab1", "lab2"):
        make_folder(tmp_path / lab, *(name for name, _, _ in frames))
        write_table(tmp_path / lab / "t.csv", "path,label,group\n" + "".join(f"{','.join(row)}\n" for row in frames))
    dataset = open_dataset(tmp_path / "lab1" / "t.csv")
    scan = scan_images(dataset)
    facts = group_facts(dataset, scan)
    assert facts is not None
    assert (facts.n_groups, facts.n_ungrouped, facts.images_per_group.min) == (4, 0, 2)
    assert units_per_class(dataset, scan) == {"a": 2, "b": 2}
    split = Split(("train",) * 8, ("",) * 8, ())
    write_split(tmp_path / "split.csv", split_rows(dataset, split))
    assert count_groups(row.group for row in read_split(tmp_path / "split.csv")) == GroupCount(4, 0)
    both = open_dataset([tmp_path / "lab1" / "t.csv", tmp_path / "lab2" / "t.csv"])
    assert Counter(record.group for record in both) == {f"m{movie}_t0.png": 4 for movie in range(4)}


@pytest.mark.parametrize(
    ("content", "code", "parameters"),
    [
        ("", "empty-table", {}),
        ("path,label\n", "no-table-rows", {}),
        ("path,label\n1.png,a,b\n", "rows-too-long", {"n_rows": 1, "line": 2}),
        ("path,label\n1.png\0,a\n", "not-a-text-table", {}),
    ],
)
def test_a_table_that_cannot_be_read_says_where_and_why(tmp_path, content, code, parameters):
    make_folder(tmp_path, "1.png")
    with refusing(BadDataset, code, **parameters) as refused:
        open_dataset(write_table(tmp_path / "t.csv", content))
    assert refused.value.file == tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("content", "meaning", "column"),
    [("pth,label\n1,a\n", "path", "pth"), ("path,lable\n1.png,a\n", "label", "lable")],
)
def test_a_missing_column_names_the_nearest_one(tmp_path, content, meaning, column):
    make_folder(tmp_path, "1.png")
    hint = f" {text('is-it-column', column=column)}"
    with refusing(BadDataset, "missing-column", meaning=meaning, hint=hint) as refused:
        open_dataset(write_table(tmp_path / "t.csv", content))
    assert refused.value.remedies == (MapColumn(meaning),)
    assert refused.value.file == tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("path,label\n,a\n", fault_in_line(2, "path-empty")),
        (
            "path,label,split\n1.png,a,trian\n",
            fault_in_line(2, "unknown-split-value", value="trian", hint=f" {text('did-you-mean', name='train')}"),
        ),
        ("path,label,z\n1.png,a,top\n", fault_in_line(2, "not-a-z-plane", value="top")),
        ("path,label,channels\n1.png,a,;\n", fault_in_line(2, "not-channels", value=";")),
        ("path,label,series\n1.png,a,-1\n", fault_in_line(2, "not-a-count", column="series", value="-1")),
        ("path,label,x,y,width,height\n1.png,a,1,,3,4\n", fault_in_line(2, "cell-not-a-number", column="y", value="")),
        (
            "path,label,x,y,width,height\n1.png,a,1,2,0,4\n",
            fault_in_line(2, "box-too-small", width="width", height="height"),
        ),
        ('path,label\n\n"1.png",a\n,b\n', fault_in_line(4, "path-empty")),
    ],
)
def test_an_invalid_row_is_refused_with_its_line(tmp_path, content, fault):
    make_folder(tmp_path, "1.png")
    with refusing(BadDataset, "invalid-rows", n_rows=1, rows=fault, has_more=False) as refused:
        open_dataset(write_table(tmp_path / "t.csv", content))
    assert refused.value.file == tmp_path / "t.csv"


def test_of_many_invalid_rows_the_first_are_shown(tmp_path):
    rows = "; ".join(fault_in_line(line, "path-empty") for line in range(2, 7))
    with refusing(BadDataset, "invalid-rows", n_rows=8, rows=rows, has_more=True):
        open_dataset(write_table(tmp_path / "t.csv", "path,label\n" + ",a\n" * 8))


def test_some_missing_files_keep_their_rows_but_all_missing_is_an_error(tmp_path, monkeypatch):
    make_folder(tmp_path, "here/1.png")
    some = write_table(tmp_path / "some.csv", "path,label\nhere/1.png,a\nhere/2.png,b\n")
    assert len(open_dataset(some).records) == 2
    misplaced = write_table(tmp_path / "tables" / "all.csv", "path,label\nhere/1.png,a\n")
    path = str(tmp_path / "tables" / "here" / "1.png")
    with refusing(BadDataset, "no-file-exists", n_files=1, path=path, is_in_current_folder=False):
        open_dataset(misplaced)
    monkeypatch.chdir(tmp_path)
    with refusing(BadDataset, "no-file-exists", n_files=1, path=path, is_in_current_folder=True):
        open_dataset(misplaced)


def test_repeated_names_are_distinguished_by_their_images_whatever_the_order_of_rows(tmp_path):
    make_folder(tmp_path, "a.tif", "b.tif", "c.tif")
    header = "path,label,group,image_id,x,y,width,height\n"
    rows = [
        "a.tif,round,,cell 7,0,0,9,9\n",
        "a.tif,round,,cell 7,5,5,9,9\n",
        "b.tif,flat,,cell 7,0,0,9,9\n",
        "b.tif,flat,p1,cell 7,0,0,9,9\n",
        "c.tif,flat,p1,cell 8,0,0,9,9\n",
    ]
    image_of = []
    for order in (rows, rows[::-1]):
        records = open_dataset(write_table(tmp_path / "t.csv", header + "".join(order))).records
        image_of.append({record.image_id: (record.path.name, record.plan.region) for record in records})
        named = [record.group for record in records if record.label == "round" and record.path.name == "a.tif"]
        assert named == [None, None], "an image without a group is alone"
    assert image_of[0] == image_of[1]
    assert image_of[0] == {
        "cell 7 (a.tif#box=0,0,9,9)": ("a.tif", (0, 0, 9, 9)),
        "cell 7 (a.tif#box=5,5,9,9)": ("a.tif", (5, 5, 9, 9)),
        "cell 7 (b.tif#box=0,0,9,9)": ("b.tif", (0, 0, 9, 9)),
        "cell 7 (b.tif#box=0,0,9,9) (2)": ("b.tif", (0, 0, 9, 9)),
        "cell 8": ("c.tif", (0, 0, 9, 9)),
    }


def test_groups_named_as_their_images_stay_groups(tmp_path):
    make_folder(tmp_path, "one/a.png", "one/b.png", "one/c.png", "two/a.png")
    first = write_table(tmp_path / "one" / "t.csv", "path,label,image_id\na.png,x,s1\nb.png,y,s1\nc.png,x,s2\n")
    second = write_table(tmp_path / "two" / "t.csv", "path,label,image_id\na.png,x,s2\n")
    records = open_dataset(first, group="image_id").records
    assert [record.group for record in records] == ["s1", "s1", "s2"]
    both = open_dataset([first, second], group="image_id").records
    assert [record.group for record in both] == ["s1", "s1", "s2", "s2"]
    assert len({record.image_id for record in both}) == 4


def test_spreadsheets_single_images_and_other_files_are_refused_with_advice(tmp_path):
    make_folder(tmp_path, "1.png")
    for name, code in [("t.xlsx", "spreadsheet"), ("1.png", "single-image"), ("x.yaml", "not-a-folder-or-table")]:
        (tmp_path / name).touch()
        with refusing(BadDataset, code):
            open_dataset(tmp_path / name)


@pytest.mark.slow
def test_a_record_of_an_object_takes_little_memory_and_loses_nothing(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png")
    rows = [f"a.png#{k},a.png,a.png,{k},{k % 90},{k // 90},{7 + k % 3},9,{k / 7:.6g}" for k in range(3_000)]
    header = "image_id,path,field,object_id,x,y,width,height,area_um2"
    table = write_table(tmp_path / "objects.csv", "\n".join([header, *rows]))
    open_dataset(table, labeled=False)  # imports are no part of the records
    tracemalloc.start()
    data = open_dataset(table, labeled=False)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 600 * len(data)
    record = data[1234]
    assert record.plan == ReadPlan(region=(64, 13, 8, 9))
    assert (record.field, record.object_id, dict(record.about)["area_um2"]) == ("a.png", "1234", "176.286")
    assert record.with_plan(record.plan) == replace(record) == copy(record) == record
    assert replace(record, plan=ReadPlan(region=(64, 13, 8, 2**40))).plan.region == (64, 13, 8, 2**40)
    assert len({record, record.with_label("b"), record.with_group("b"), record.with_plan(ReadPlan())}) == 4
    odd = replace(record, about=(("a", "x\x1fy"), ("b", "")))
    assert odd.about == (("a", "x\x1fy"), ("b", ""))


@pytest.mark.slow
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=40), st.integers(1, 7))
def test_packed_rows_are_the_rows(rows: list[tuple[str, str]], n_of_block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coverslip.datasets.index.image_tables._ROWS_OF_BLOCK", n_of_block)
        packed = PackedRows()
        for row in rows:
            packed.append(row)
        assert (list(packed), len(packed)) == (rows, len(rows))
        assert packed[1:5] == tuple(rows[1:5])
        assert all(packed[k] == rows[k] == packed[k - len(rows)] for k in range(len(rows)))


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\/~"), min_size=1, max_size=8),
            st.sampled_from(["a", "b; c", 'd "e"', "ü"]),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[0],
    ).filter(lambda rows: "there" not in dict(rows)),
    st.sampled_from([",", ";", "\t"]),
)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows, separator):
    folder = tmp_path_factory.mktemp("t")
    (folder / "there.png").touch()
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([("path", "label"), ("there.png", "a"), *((name + ".png", label) for name, label in rows)])
    read = {r.path.name: r.label for r in open_dataset(folder / "t.csv").records}
    assert read == {"there.png": "a"} | {name + ".png": label for name, label in rows}


ROWS_BEFORE = "".join(f"{i}.png,a,note\n" for i in range(2, 6))


@pytest.mark.parametrize(
    ("rows", "line", "reason"),
    [
        ('6.png,"b,note\n7.png,b,note\n', 6, text("unclosed-quotation-mark")),  # to the end of the file
        ('6.png,"b,note\n7.png,"b",note\n', 6, text("unclosed-quotation-mark")),  # to the next quoted cell
        ('6.png,b,note\n7.png,b,"last', 7, text("unclosed-quotation-mark")),
        ('6.png,"b"x,note\n', 6, text("text-after-quotation-mark")),
    ],
)
def test_a_stray_quotation_mark_is_refused_with_its_line(tmp_path, rows, line, reason):
    table = write_table(tmp_path / "t.csv", f"path,label,comment\n{ROWS_BEFORE}{rows}")
    with refusing(BadDataset, "invalid-table-line", line=line, reason=reason) as refused:
        open_dataset(table)
    assert refused.value.file == table


@pytest.mark.parametrize(
    "rows", ['6.png,b,"note\n7.png,b,note"\n', '6.png,b,"note\r\n7,b,last"\n', '6.png,"b,x\n7.png,b",x']
)
def test_a_quoted_cell_that_swallows_the_next_row_is_refused_with_its_line(tmp_path, rows):
    (tmp_path / "7").write_bytes(b"")
    table = write_table(tmp_path / "t.csv", f"path,label,comment\n{ROWS_BEFORE}{rows}")
    with refusing(BadDataset, "invalid-table-line", line=6):
        open_dataset(table)


@pytest.mark.parametrize("row", ['"6.png\n7.png",b,note,p1', '6.png,b,note,"p1\r\n7.png"'])
def test_a_path_or_group_over_several_lines_is_refused(tmp_path, row):
    rows = ROWS_BEFORE.replace("note", "note,p1")
    table = write_table(tmp_path / "t.csv", f"path,label,comment,patient\n{rows}{row}\n")
    column = "path" if row.startswith('"') else "patient"
    rows = fault_in_line(6, "multi-line-cell", column=column)
    with refusing(BadDataset, "invalid-rows", n_rows=1, rows=rows) as refused:
        open_dataset(table, group="patient")
    assert refused.value.file == table


@pytest.mark.parametrize("row", ['6.png,b"', '6"".png,b', '6.png, "b"'])
def test_a_quotation_mark_in_a_cell_that_is_not_quoted_is_refused(tmp_path, row):
    make_folder(tmp_path, "2.png")
    table = write_table(tmp_path / "t.csv", f"path,label\n2.png,a\n{row}\n")
    with refusing(BadDataset, "invalid-table-line", line=3, reason=text("unquoted-quotation-mark")):
        open_dataset(table)


def test_quotation_marks_may_be_written_twice_in_quoted_cells(tmp_path):
    make_folder(tmp_path, "2.png")
    table = write_table(tmp_path / "t.csv", 'path,label\n2.png,"5"" lens, ""a"""\n')
    assert [record.label for record in open_dataset(table).records] == ['5" lens, "a"']


def test_a_quoted_comment_may_hold_line_breaks(tmp_path):
    make_folder(tmp_path, "2.png")
    table = write_table(
        tmp_path / "t.csv", f'path,label,comment\n{ROWS_BEFORE}6.png,b,"two\nlines, ""quoted"""\n7.png,b,\n'
    )
    assert [record.label for record in open_dataset(table).records] == [*"aaaa", "b", "b"]


# Several sources, and images to predict


def test_several_sources_are_domains_of_one_dataset(tmp_path):
    make_folder(tmp_path / "lab1" / "set", "a/p1_1.png", "b/p2_1.png")
    make_folder(tmp_path / "lab2" / "set", "a/p1_1.png", "b/x.png")
    dataset = open_dataset([tmp_path / "lab1" / "set", tmp_path / "lab2" / "set"], group_pattern=r"p\d")
    assert dataset.root == tmp_path
    assert {r.domain for r in dataset.records} == {"set-1", "set-2"}
    assert len({r.image_id for r in dataset.records}) == 4
    assert {r.group for r in dataset.records} == {"p1", "p2", None}
    assert note_of(dataset.notes, "shared-groups").parameters == {"groups": "'p1'"}


def test_the_same_folder_twice_counts_once(tmp_path):
    make_folder(tmp_path, "a/1.png", "b/2.png")
    assert len(open_dataset([tmp_path, tmp_path]).records) == 2


def test_images_to_predict_keep_the_order_given(tmp_path, monkeypatch):
    make_folder(tmp_path, "new/10.png", "new/2.png", "other/x.TIF", "z.png")
    monkeypatch.chdir(tmp_path)
    dataset = open_dataset(["z.png", "new/*.png", "other", "z.png"], labeled=False, distinct=True)
    assert [r.image_id for r in dataset.records] == ["z.png", "new/2.png", "new/10.png", "other/x.TIF"]
    assert dataset.source == "files"
    assert all(r.label is None for r in dataset.records)
    assert note_of(dataset.notes, "given-twice").parameters == {"n_images": 1}


def test_one_folder_to_predict_needs_no_classes(tmp_path):
    dataset = open_dataset(make_folder(tmp_path, "1.png", "a/2.png"), labeled=False)
    assert {r.image_id for r in dataset.records} == {"1.png", "a/2.png"}
    assert {r.label for r in dataset.records} == {None}


def test_a_table_to_predict_may_have_labels_or_not(tmp_path):
    make_folder(tmp_path, "1.png", "2.png")
    table = write_table(tmp_path / "t.csv", "path,label\n2.png,a\n1.png,\n")
    assert [(r.image_id, r.label) for r in open_dataset(table, labeled=False).records] == [
        ("2.png", "a"),
        ("1.png", None),
    ]
    table = write_table(tmp_path / "u.csv", "image\n2.png\n")
    assert [r.image_id for r in open_dataset(table, labeled=False).records] == ["2.png"]


def test_names_with_brackets_are_files_before_they_are_patterns(tmp_path):
    make_folder(tmp_path, "[1].png", "1.png")
    dataset = open_dataset([tmp_path / "[1].png"], labeled=False)
    assert [r.path.name for r in dataset.records] == ["[1].png"]


def test_a_missing_image_keeps_its_row_among_others_but_is_an_error_alone(tmp_path):
    make_folder(tmp_path, "1.png")
    assert len(open_dataset([tmp_path / "1.png", tmp_path / "nine.png"], labeled=False).records) == 2
    with refusing(BadDataset, "no-image-exists", n_images=1):
        open_dataset(tmp_path / "2.png", labeled=False)
    with refusing(BadDataset, "no-match", pattern=f"{tmp_path}/*.bmp"):
        open_dataset(f"{tmp_path}/*.bmp", labeled=False)
    with refusing(BadDataset, "no-such-file-or-folder"):
        open_dataset([tmp_path / "1.png", tmp_path / "nofolder"], labeled=False)
    with refusing(BadDataset, "no-images-given"):
        open_dataset([], labeled=False)


def test_another_plan_leaves_what_a_row_states_and_boxes_as_they_are(tmp_path):
    save_image(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text(
        "path,label,z,x,y,width,height\na.png,one,2,,,,\na.png,two,,0,0,4,4\n", encoding="utf-8"
    )
    dataset = open_dataset(tmp_path / "t.csv").read_with(ReadPlan(z="max", channels=(1,)))
    assert [record.plan for record in dataset.records] == [
        ReadPlan(z=2, channels=(1,)),
        ReadPlan(z="max", channels=(1,), region=(0, 0, 4, 4)),
    ]
    assert dataset.opening.plan == ReadPlan(z="max", channels=(1,))


def test_regrouping_keeps_images_out_that_were_taken_out(tmp_path):
    for name in ("a/slide1_x.png", "a/slide2_x.png", "b/slide1_y.png"):
        save_image(tmp_path / name)
    dataset = open_dataset(tmp_path)
    some = replace(dataset, records=dataset.records[1:])
    assert [record.group for record in with_groups(some, r"slide\d").records] == ["slide2", "slide1"]


def test_each_of_several_sources_is_a_domain_with_its_own_root(tmp_path):
    for name in ("north/a/1.png", "north/b/1.png", "deep/south/a/1.png", "deep/south/b/1.png"):
        save_image(tmp_path / name)
    dataset = open_dataset([tmp_path / "north", tmp_path / "deep/south"])
    assert [(o.domain, o.root, o.sources) for o in dataset.origins] == [
        ("north", tmp_path / "north", (str(tmp_path / "north"),)),
        ("south", tmp_path / "deep/south", (str(tmp_path / "deep/south"),)),
    ]
    assert [dataset.relative_path(record) for record in dataset.records] == ["a/1.png", "b/1.png"] * 2


@pytest.mark.parametrize("is_workspace", [False, True])
def test_an_image_is_in_the_group_of_its_crops_in_another_table(tmp_path, is_workspace):
    if is_workspace:
        (tmp_path / WORKSPACE_DATABASE).touch()
    fields = [save_image(tmp_path / "uploads" / f"{k}.png", k) for k in range(3)]
    crops = [f"{field},{label},{x},0,3,3" for field in fields for x, label in enumerate("ab")]
    first = write_table(tmp_path / "first" / "crops.csv", "\n".join(["path,label,x,y,width,height", *crops]))
    second = write_table(tmp_path / "second" / "fields.csv", "\n".join(["path,label", *(f"{f},a" for f in fields)]))
    groups_of = {}
    for record in open_dataset([first, second]).records:
        groups_of.setdefault(record.path, set()).add(record.group)
    assert groups_of == {field: {f"first/{field}"} for field in fields}


@pytest.mark.parametrize(
    ("columns", "row", "box"),
    [
        ("x,y,width,height", "-3,2.5,10,7.4", (-3, 3, 10, 7)),
        ("x_center,y_center,width,height", "20,10,8,6", (16, 7, 8, 6)),
        ("X Center,Y Center,Width,Height", "1,10,8,6", (-3, 7, 8, 6)),
        ("center_x_norm,center_y_norm,width_norm,height_norm", "0.5,0.5,0.25,0.1", (15, 9, 10, 2)),
        ("x_rel,y_rel,width_rel,height_rel", "0,0.5,1,0.5", (0, 10, 40, 10)),
    ],
)
def test_boxes_are_given_as_corner_or_center_in_pixels_or_shares(
    tmp_path: Path, columns: str, row: str, box: tuple[int, ...]
) -> None:
    Image.new("L", (40, 20)).save(tmp_path / "field.png")
    table = write_table(tmp_path / "t.csv", f"path,label,{columns}\nfield.png,a,{row}\n")
    assert open_dataset(table).records[0].plan.region == box


def test_boxes_without_size_or_number_are_refused_with_their_line(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png")
    rows = "a.png,c,0,0,2,2\na.png,c,0,0,0,2\na.png,c,0,nan,2,2\n"
    table = write_table(tmp_path / "t.csv", f"path,label,x,y,width,height\n{rows}")
    faults = [
        fault_in_line(3, "box-too-small", width="width", height="height"),
        fault_in_line(4, "cell-not-a-number", column="y", value="nan"),
    ]
    with refusing(BadDataset, "invalid-rows", n_rows=2, rows="; ".join(faults)):
        open_dataset(table)


@pytest.mark.parametrize("missing", ["x", "y", "width", "height"])
def test_boxes_that_lack_a_column_are_refused(tmp_path: Path, missing: str) -> None:
    save_image(tmp_path / "a.png")
    columns = [name for name in ("x", "y", "width", "height") if name != missing]
    table = write_table(tmp_path / "t.csv", f"path,label,{','.join(columns)}\na.png,cell,0,0,2\n")
    with refusing(BadDataset, "missing-box-column", column=missing):
        open_dataset(table)


def test_an_image_that_one_row_excludes_and_another_uses_is_refused(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (16, 16)).save(tmp_path / name)
    table = tmp_path / "table.csv"
    table.write_text("path,label,split\na.png,x,excluded\nb.png,y,\na.png,x,excluded\n")
    assert [record.image_id for record in open_dataset(table)] == ["b.png"]
    table.write_text("image_id,path,label,split\nc,a.png,x,excluded\nb,b.png,y,\nc,./a.png,x,train\n")
    with refusing(BadDataset, "invalid-rows") as refused:
        open_dataset(table)
    assert refused.value.parameters["rows"] == fault_in_line(2, "excluded-and-used", image="c")
    objects = "f#1,a.png,f,1,0,0,8,8,x,excluded\nf#2,a.png,f,2,0,0,8,8,x,\ng#1,b.png,g,1,0,0,8,8,y,\n"
    table.write_text(f"image_id,path,field,object_id,x,y,width,height,label,split\n{objects}")
    assert [record.image_id for record in open_dataset(table)] == ["f#2", "g#1"]
    boxes = "a.png,x,0,0,8,8,excluded\na.png,x,8,0,8,8,\nb.png,y,0,0,8,8,\na.png,x,1,nothing,8,8,excluded\n"
    table.write_text(f"path,label,x,y,width,height,split\n{boxes}")
    assert len(open_dataset(table)) == 2


def test_two_labels_of_an_image_are_refused_with_their_lines(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (16, 16)).save(tmp_path / name)
    table, boxes, plain = (tmp_path / f"{name}.csv" for name in ("table", "boxes", "plain"))
    table.write_text("path,label\na.png,x\nb.png,y\na.png,x\na.png,y\n./b.png,z\n")
    with refusing(BadDataset, "invalid-rows") as refused:
        open_dataset(table)
    first, second = text("table-line", line=2), text("table-line", line=3)
    faults = [
        fault_in_line(5, "second-label", has_box=False, path="a.png", label="y", first_label="x", place=first),
        fault_in_line(6, "second-label", has_box=False, path="./b.png", label="z", first_label="y", place=second),
    ]
    assert (refused.value.parameters["n_rows"], refused.value.parameters["rows"]) == (2, "; ".join(faults))
    with refusing(BadDataset, "invalid-rows"):
        open_dataset(table, labeled=False, distinct=True)
    with refusing(BadDataset, "invalid-rows"):
        open_dataset({"path": [str(tmp_path / "a.png")] * 2, "label": ["x", "y"]})
    boxes.write_text("path,label,x,y,width,height\na.png,x,0,0,8,8\na.png,y,8,0,8,8\n")
    assert len(open_dataset(boxes)) == 2
    boxes.write_text(boxes.read_text() + "a.png,z,0,0,8,8\na.png,x,8,0,8,8\n")
    with refusing(BadDataset, "invalid-rows") as refused:
        open_dataset(boxes)
    of_box = {"has_box": True, "path": "a.png"}
    faults = [
        fault_in_line(4, "second-label", **of_box, box="0, 0, 8, 8", label="z", first_label="x", place=first),
        fault_in_line(5, "second-label", **of_box, box="8, 0, 8, 8", label="x", first_label="y", place=second),
    ]
    assert refused.value.parameters["rows"] == "; ".join(faults)
    plain.write_text("path,label\nb.png,y\na.png,other\n")
    table.write_text("path,label\na.png,x\nb.png,y\na.png,x\n")
    with refusing(BadDataset, "two-values-of-sources", meaning="label", value="other", first_value="x") as refused:
        open_dataset([table, plain])
    assert refused.value.file == tmp_path / "a.png"
    assert [record.label for record in open_dataset([table, plain], labeled=False)] == ["x", "y", "x", "y", "other"]


def test_an_image_of_two_tables_is_one_image_with_what_either_says(tmp_path):
    for name in "abc":
        Image.new("RGB", (16, 16)).save(tmp_path / f"{name}.png")
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("path,label,split,group,stain\na.png,x,,,\nb.png,,test,p,H\nc.png,y,train,q,E\n")
    second.write_text("path,label,split,group,stain,age\na.png,,val,o,E,1\nb.png,z,,,,2\nc.png,y,train,q,,3\n")
    for sources in ([first, second], [second, first]):
        dataset = open_dataset(sources)
        records = {record.path.stem: record for record in dataset}
        assert len(dataset) == 3
        assert {name: (r.label, r.predefined_split, r.group) for name, r in records.items()} == {
            "a": ("x", "val", "o"),
            "b": ("z", "test", "p"),
            "c": ("y", "train", "q"),
        }
        assert {name: dict(r.about) for name, r in records.items()} == {
            "a": {"stain": "E", "age": "1"},
            "b": {"stain": "H", "age": "2"},
            "c": {"stain": "E", "age": "3"},
        }
        assert note_of(dataset.notes, "named-twice").parameters["n_images"] == 3


@pytest.mark.parametrize(
    ("row", "meaning"), [("a.png,x,val,p", "predefined_split"), ("a.png,x,,q", "group"), ("a.png,y,,", "label")]
)
def test_two_tables_that_contradict_each_other_are_refused(tmp_path, row, meaning):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("path,label,split,group\na.png,x,train,p\n")
    second.write_text(f"path,label,split,group\n{row}\n")
    with refusing(BadDataset, "two-values-of-sources", meaning=meaning):
        open_dataset([first, second])


def test_fields_of_crops_are_in_the_group_that_another_table_states(tmp_path):
    for name in "abc":
        Image.new("RGB", (16, 16)).save(tmp_path / f"{name}.png")
    boxes = [f"{name}.png,x,{k},0,8,8" for name in "abc" for k in (0, 8)]
    crops, patients = tmp_path / "crops.csv", tmp_path / "patients.csv"
    crops.write_text("path,label,x,y,width,height\n" + "\n".join(boxes))
    patients.write_text(f"path,label,x,y,width,height,group\n{boxes[0]},p\nb.png,x,3,0,8,8,p\n")
    for sources in ([crops, patients], [patients, crops]):
        dataset = open_dataset(sources)
        groups = {name: {record.group for record in dataset if record.path.stem == name} for name in "abc"}
        assert len(dataset) == 7
        assert groups["a"] == groups["b"] == {"p"}
        assert len(groups["c"]) == 1
    patients.write_text(f"path,label,x,y,width,height,group\n{boxes[0]},p\n{boxes[1]},q\n")
    dataset = open_dataset([crops, patients])
    assert [record.group for record in dataset if record.path.stem == "a"] == ["p", "q"]
