"""What is recognized in files of objects before they are imported: columns, units, names, groups, and faults."""

import json
from pathlib import Path
from typing import Any

import pytest
from image_sets import App, workspace_in
from PIL import Image
from refusing import refusing
from small_workspace import do_jobs
from test_objects_reading import HEIGHT, WIDTH, fields, written
from typer.testing import CliRunner

import coverslip as cs
from coverslip.cli import app as cli
from coverslip.datasets.columns import TableChoices
from coverslip.datasets.quality.related_images import patterns_in_names
from coverslip.errors import BadDataset
from coverslip.events import ignore
from coverslip.objects.collecting import preview_first_table, read_objects_of
from coverslip.objects.fields import FieldNames, PointSize, list_fields
from coverslip.objects.table import read_objects

__all__ = ["fields"]

TABLE = "Pos_A,Pos_B,Slide,Kind\n10,12,a.tif,round\n30,8,a.tif,flat\n5,5,b.tif,round\n"
COLUMNS = {"x": "Pos_A", "y": "Pos_B", "path": "Slide", "label": "kind"}


def test_a_table_is_previewed_with_and_without_the_columns_that_the_user_states(fields: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "spots.csv", TABLE)
    unknown = preview_first_table([table], TableChoices())
    assert unknown is not None
    assert (unknown.kind, unknown.n_rows, unknown.meanings) == ("table", 3, {})
    assert unknown.columns == ("Pos_A", "Pos_B", "Slide", "Kind")
    assert unknown.first_rows[1] == ("30", "8", "a.tif", "flat")
    with refusing(BadDataset, "no-positions-in-table"):
        cs.collect_objects(fields, points=table, size_px=4, out=None, emit=ignore)
    summary = cs.collect_objects(fields, points=table, size_px=4, columns=COLUMNS, out=None, emit=ignore)
    assert summary.table is not None
    assert summary.table.meanings == {"path": "Slide", "label": "Kind", "x": "Pos_A", "y": "Pos_B"}
    assert (summary.kind, summary.n_files, summary.n_read) == ("table", 1, 1)
    assert summary.matches == {"a.tif": "a.tif", "b.tif": "b.tif"}
    assert [(each.image_id, each.box, each.label) for each in summary.first][1] == ("a.tif#2", (28, 6, 4, 4), "flat")
    points = written(tmp_path / "p" / "a.txt", "1 2\n")
    assert preview_first_table([points], TableChoices()) is None


def test_positions_in_micrometers_are_divided_by_the_pixel_size(fields: Path, tmp_path: Path) -> None:
    table, out = written(tmp_path / "spots.csv", "image,x,y\na.tif,10,6\n"), tmp_path / "o.csv"
    for source in (table, written(tmp_path / "a.txt", "10 6\n")):
        cs.collect_objects(fields / "a.tif", points=source, size_px=2, unit="um", out=out, emit=ignore)
        assert read_objects(out).box.tolist() == [[19, 11, 2, 2]]
    with refusing(BadDataset, "field-without-pixel-size"):
        cs.collect_objects(
            fields / "b.tif", points=written(tmp_path / "b.txt", "9 6\n"), size_px=2, unit="um", out=None, emit=ignore
        )
    in_um = cs.collect_objects(
        fields / "a.tif", points=written(tmp_path / "u.csv", "image,x (µm),y [um]\na.tif,10,6\n"), size_px=2, out=None
    )
    assert in_um.table is not None
    assert in_um.table.in_um == ("x", "y")


def plates(folder: Path) -> Path:
    """Four fields whose names contain plate and well, and a table of them with patients."""
    folder.mkdir()
    rows = ["path,patient,label"]
    for k, name in enumerate(("P1_A01_f1", "P1_A02_f1", "P2_A01_f1", "P2_A02_f1")):
        Image.new("L", (WIDTH, HEIGHT), 40 + k).save(folder / f"{name}.png")
        written(folder.parent / "points" / f"{name}.txt", "20 20 round\n")
        rows.append(f"{name}.png,{'xyxy'[k]},")
    written(folder / "fields.csv", "\n".join(rows))
    return folder


def test_groups_and_columns_of_fields_come_from_names_or_from_a_table(tmp_path: Path) -> None:
    folder, out = plates(tmp_path / "plates"), tmp_path / "objects.csv"
    pattern = r"(?P<plate>P\d)_(?P<well>[A-H]\d+)"
    options: Any = {"points": tmp_path / "points", "size_px": 8, "emit": ignore}
    summary = cs.collect_objects(sorted(folder.glob("*.png")), group_pattern=pattern, out=out, **options)
    assert [each.group for each in summary.fields] == ["P1", "P1", "P2", "P2"]
    assert dict(summary.fields[1].about) == {"plate": "P1", "well": "A02"}
    data = cs.open_dataset(out)
    assert [record.group for record in data.records] == ["P1", "P1", "P2", "P2"]
    assert dict(data.records[3].about)["well"] == "A02"
    summary = cs.collect_objects(folder / "fields.csv", group="patient", out=None, **options)
    assert [each.group for each in summary.fields] == ["x", "y", "x", "y"]
    named = cs.collect_objects(
        sorted(folder.glob("*.png")), group_pattern=r"P\d_(?P<group>A\d+)_(?P<position>f\d)", out=None, **options
    )
    assert [(each.group, dict(each.about)) for each in named.fields][:2] == [
        ("A01", {"position": "f1"}),
        ("A02", {"position": "f1"}),
    ]
    with refusing(BadDataset, "pattern-part-reserved"):
        cs.collect_objects(sorted(folder.glob("*.png")), group_pattern=r"(?P<label>P\d)", out=None, **options)
    with refusing(BadDataset, "pattern-matches-nothing"):
        cs.collect_objects(cs.open_dataset(folder, labeled=False), group_pattern="Z", out=None, **options)
    groupings = dict(patterns_in_names([f"{name}.png" for name in ("P1_A01_f1", "P1_A02_f1", "P2_A01_f1")] * 2))
    assert not [pattern for pattern in groupings if "\\d)" in pattern]


def invoked(*words: str) -> Any:
    return CliRunner().invoke(cli, words)


def test_a_dry_run_shows_columns_and_faults_and_writes_nothing(fields: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "spots.csv", TABLE)
    start = ["objects", str(fields), "--points", str(table), "--size", "4", "--dry-run"]
    refused = invoked(*start)
    assert refused.exit_code == 1
    assert "Pos_A" in refused.stderr
    columns = ",".join(f"{meaning}={column}" for meaning, column in COLUMNS.items())
    shown = invoked(*start, "--columns", columns)
    assert shown.exit_code == 0
    assert "Pos_A" in shown.stdout
    as_json = json.loads(invoked(*start, "--columns", columns, "--group-pattern", r"^\w", "--json").stdout)
    assert {each["name"]: each["group"] for each in as_json["fields"]} == {"a.tif": "a", "b.tif": "b"}
    assert as_json["table"]["meanings"]["x"] == "Pos_A"
    assert as_json["first"][0]["image_id"] == "a.tif#1"
    assert not (tmp_path / "objects.csv").exists()
    written(table, TABLE + "x,1,a.tif,flat\n")
    faulty = invoked(*start, "--columns", columns)
    assert faulty.exit_code == 1
    assert "5" in faulty.stderr  # the line


@pytest.mark.slow
def test_the_app_previews_files_and_imports_them_by_the_same_choices(tmp_path: Path) -> None:
    app = App(workspace_in(tmp_path))
    folder = plates(tmp_path / "plates")
    (folder / "fields.csv").unlink()
    dataset = app.open(folder, is_labeled=False)["id"]
    table = written(tmp_path / "spots.csv", "Pos_A,Pos_B,Slide\n" + "9,9,P1_A01_f1.png\n" * 2 + "9,9,P2_A02_f1.png\n")
    choice = {"source": "points", "paths": [str(table)], "size_px": 8}
    try:
        seen = app.preview("objects", dataset, **choice)
        assert (seen["objects"], seen["error"]["code"]) == (None, "no-positions-in-table")
        assert seen["table"]["columns"] == ["Pos_A", "Pos_B", "Slide"]
        choice |= {"columns": {"x": "Pos_A", "y": "Pos_B", "path": "Slide"}, "group_pattern": r"(?P<plate>P\d)"}
        seen = app.preview("objects", dataset, **choice)
        assert (seen["error"], seen["objects"]["n_objects"], seen["objects"]["n_empty"]) == (None, 3, 2)
        assert seen["objects"]["n_groups"] == 2
        assert seen["objects"]["fields"][3] == {
            "name": "P2_A02_f1.png",
            "n_objects": 1,
            "group": "P2",
            "about": {"plate": "P2"},
        }
        assert [note["code"] for note in seen["notes"]] == ["fields-without-objects"]
        assert (
            app.refused("POST", "previews", {"kind": "objects", "dataset_id": dataset, "source": "finder"})["status"]
            == 422
        )
        suggestions = app.get(f"datasets/{dataset}/group-suggestions")["items"]
        assert not suggestions  # four names are too few for three groups of several fields
    finally:
        app.client.app.state.previews.close()  # type: ignore[attr-defined]  # of FastAPI
    app.send("POST", "computations", {"kind": "objects", "subject": dataset, **choice})
    do_jobs(app.home)
    objects = app.wait(app.get(f"computations/objects/{dataset}")["objects"]["dataset_id"])
    assert (objects["n_images"], objects["groups"]["n_groups"]) == (3, 2)


def test_a_pattern_finds_groups_below_each_folder_of_fields(tmp_path: Path) -> None:
    for place in ("x/day1/s1/f1.png", "x/day1/s2/f2.png", "x/day2/s1/f3.png", "x/day2/s2/f4.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / place)
    folders = [tmp_path / "x" / "day1", tmp_path / "x" / "day2"]
    pattern = r"^(?P<group>s\d)/(?P<place>f\d)"
    for source in (folders, cs.open_dataset(folders), cs.open_dataset(folders, labeled=False)):
        listed = list_fields(source, group_pattern=pattern, emit=ignore)
        assert {field.path.name: (field.group, dict(field.about)["place"]) for field in listed} == {
            "f1.png": ("s1", "f1"),
            "f2.png": ("s2", "f2"),
            "f3.png": ("s1", "f3"),
            "f4.png": ("s2", "f4"),
        }
    files = cs.open_dataset(sorted(tmp_path.rglob("*.png")), labeled=False, group_pattern=r"^(day\d)/")
    assert [record.group for record in files] == ["day1", "day1", "day2", "day2"]


def test_after_the_time_limit_no_further_file_is_read(fields: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / "points" / f"{name}.txt", "20 20\n")
    names = FieldNames(list_fields(fields, emit=ignore))
    _, summary = read_objects_of(
        "points", names, [tmp_path / "points"], size=PointSize(4), choices=TableChoices(), emit=ignore, most_s=0
    )
    assert (summary.n_read, summary.n_files, summary.n_objects) == (1, 2, 1)
