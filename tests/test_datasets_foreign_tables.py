"""Tables of other programs: points and boxes by usual names, columns chosen by hand, no header, fields as groups."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusing import refusing

from coverslip.datasets.index.folders import with_plan
from coverslip.datasets.index.image_tables import describe_table, read_table, with_mapping
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadDataset
from coverslip.images.reader import ReadPlan
from coverslip.messages import MapColumn, Set, text


def draw_fields(folder: Path, n: int = 4) -> None:
    (folder / "fields").mkdir()
    for k in range(n):
        pixels = np.random.default_rng(k).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "fields" / f"{k}.png")


def write(folder: Path, header: str, rows: list[str]) -> Path:
    table = folder / "cells.csv"
    table.write_text("\n".join([header, *rows]) + "\n")
    return table


POINTS = [f"fields/{k}.png,{x},{y},{'ab'[x % 2]}" for k in range(4) for x, y in ((10, 12), (31, 30), (50, 48))]


@pytest.mark.parametrize(
    "header",
    [
        "path,x,y,label",
        "Filename,X,Y,Class",
        "File,Position X,Position Y,Label",
        "image,cx,cy,class",
        "image,Centroid X (px),Centroid Y (px),class",
    ],
)
def test_points_under_usual_names_become_square_crops_grouped_by_field(tmp_path: Path, header: str) -> None:
    draw_fields(tmp_path)
    data = open_dataset(write(tmp_path, header, POINTS), crop_size=21)
    assert len(data) == len(POINTS)
    assert data.records[0].plan.region == (0, 2, 21, 21)
    assert {record.group for record in data.records} == {f"fields/{k}.png" for k in range(4)}
    assert [record.label for record in data.records[:3]] == ["a", "b", "a"]
    field = np.asarray(Image.open(tmp_path / "fields" / "0.png"))
    assert np.array_equal(data.records[0].read().array, field[2:23, 0:21])


def test_points_without_a_crop_size_are_refused_with_a_size_that_fits_their_distances(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    with refusing(BadDataset, "points-without-crop-size", names="x, y", columns=["x", "y"]) as error:
        open_dataset(write(tmp_path, "path,x,y,label", POINTS))
    spacing = np.hypot(19, 18)  # between the second and the third point
    assert error.value.remedies == (Set("crop_size", 8 * round(2 * spacing / 8)),)
    assert error.value.parameters["suggested"] == 8 * round(2 * spacing / 8)
    with pytest.raises(BadDataset):
        open_dataset(write(tmp_path, "path,x,y,label", POINTS), crop_size=2)


def test_where_each_row_is_a_file_of_its_own_positions_are_only_remembered(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    table = write(tmp_path, "path,x,y,label", [f"fields/{k}.png,{k},7,a" for k in range(4)])
    assert all(record.plan.region is None for record in open_dataset(table).records)
    assert open_dataset(table, crop_size=10).records[1].plan.region == (-4, 2, 10, 10)


@pytest.mark.parametrize(
    ("header", "cells", "box"),
    [
        ("path,xmin,ymin,xmax,ymax,label", "4,6,24,16", (4, 6, 20, 10)),
        ("path,x1,y1,x2,y2,label", "4,6,24,16", (4, 6, 20, 10)),
        ("path,x0,y0,x1,y1,label", "4,6,24,16", (4, 6, 20, 10)),
        ("path,left,top,right,bottom,label", "4,6,24,16", (4, 6, 20, 10)),
        ("path,X (px),Y (px),Width (px),Height (px),label", "4,6,20,10", (4, 6, 20, 10)),
        ("path,cx,cy,w,h,label", "14,11,20,10", (4, 6, 20, 10)),
        ("path,left,top,width,height,label", "4,6,20,10", (4, 6, 20, 10)),
        ("path,xmin,ymin,width,height,label", "4,6,20,10", (4, 6, 20, 10)),
        ("path,bbox_x,bbox_y,bbox_width,bbox_height,label", "4,6,20,10", (4, 6, 20, 10)),
        ("path,box_x,box_y,box_w,box_h,label", "4,6,20,10", (4, 6, 20, 10)),
        ("path,x,y,bbox_x,bbox_y,bbox_width,bbox_height,label", "14,11,4,6,20,10", (4, 6, 20, 10)),
        ("path,width,height,xmin,ymin,xmax,ymax,label", "80,60,4,6,24,16", (4, 6, 20, 10)),
        ("path,xmin_rel,ymin_rel,xmax_rel,ymax_rel,label", ".05,.1,.3,.5", (4, 6, 20, 24)),
    ],
)
def test_boxes_by_corners_centers_and_in_pixels_or_shares(
    tmp_path: Path, header: str, cells: str, box: tuple[int, ...]
) -> None:
    draw_fields(tmp_path)
    table = write(tmp_path, header, [f"fields/0.png,{cells},a", f"fields/1.png,{cells},b"])
    assert {record.plan.region for record in open_dataset(table).records} == {box}


def test_files_that_may_not_be_read_are_not_opened_for_boxes_relative_to_their_size(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    cells = ".05,.1,.25,.4"
    rows = [f"fields/0.png,{cells},a", f"fields/1.png,{cells},b"]
    table = write(tmp_path, "path,x_rel,y_rel,width_rel,height_rel,label", rows)
    allowed = tmp_path / "fields" / "0.png"
    for labeled in (True, False):
        first, second = open_dataset(table, labeled=labeled, may_read=lambda file: file == allowed).records
        assert first.plan.region == (4, 6, 20, 24)
        assert second.plan.region == (500, 1000, 2500, 4000)  # of a size that says nothing of the file


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("path,xmin,ymin,xmax,ymax,label", "fields/0.png,24,6,4,16,a"),
        ("path,x,y,label", "fields/0.png,,,a"),
        ("path,x,y,label", "fields/0.png,three,4,a"),
        ("path,Centroid X µm,Centroid Y µm,label", "fields/0.png,1.5,4.5,a"),
    ],
)
def test_a_position_that_cannot_be_used_is_refused_rather_than_read_as_a_whole_field(
    tmp_path: Path, header: str, row: str
) -> None:
    draw_fields(tmp_path)
    table = write(tmp_path, header, [row.replace("0.png", f"{k}.png") for k in (0, 0, 1, 2)])
    with pytest.raises(BadDataset):
        open_dataset(table, crop_size=None if "µm" in header else 20)


def test_a_point_at_the_edge_is_padded_and_one_outside_keeps_its_row(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    rows = ["fields/0.png,1,1,a", "fields/0.png,300,1,a", "fields/1.png,30,30,b"]
    data = open_dataset(write(tmp_path, "path,x,y,label", rows), crop_size=20)
    assert data.records[0].read().array.shape == (20, 20, 3)
    facts = scan_images(data).facts
    assert [type(fact).__name__ for fact in facts] == ["PixelFacts", "Unreadable", "PixelFacts"]


def test_columns_are_chosen_by_hand_and_headers_stay_as_they_are(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    rows = [f"{'ab'[k % 2]};fields/{k}.png;P{k // 2};train;wrong" for k in range(4)]
    table = write(tmp_path, "Phenotype;Bild;Patient Nr;split;label", rows)
    columns = {"label": "Phenotype", "group": "Patient Nr", "split": ""}
    data = open_dataset(table, columns=columns)
    assert [(r.label, r.group, r.predefined_split) for r in data.records] == [
        (label, group, None) for label, group in zip("abab", ("P0", "P0", "P1", "P1"), strict=True)
    ]
    assert dict(data.records[0].about) == {"split": "train", "label": "wrong"}
    reopened = open_dataset(data.opening.sources, columns=data.opening.columns, group=data.opening.group)
    assert reopened.records == data.records
    hint = f" {text('did-you-mean', name='Phenotype')}"
    with refusing(BadDataset, "unknown-column", column="Phenotyp", hint=hint):
        open_dataset(table, columns={"label": "Phenotyp"})
    with refusing(BadDataset, "unknown-meaning", meaning="pfad"):
        open_dataset(table, columns={"pfad": "Bild"})


def test_columns_that_are_chosen_for_points_are_points_also_where_each_file_has_one(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    table = read_table(write(tmp_path, "path,x,y,label", [f"fields/{k}.png,{k + 20},27,a" for k in range(4)]))
    assert describe_table(table).layout is None
    described = describe_table(with_mapping(table, {"x": "x", "y": "y"}))
    assert (described.layout, described.mapping["x"], described.mapping["y"]) == ("point", "x", "y")
    assert describe_table(with_mapping(table, {"x": "x"})).layout is None


def test_a_missing_label_column_names_what_to_choose(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    with pytest.raises(BadDataset) as error:
        open_dataset(write(tmp_path, "File,Art", ["fields/0.png,a"]))
    assert error.value.remedies == (MapColumn("label"),)
    assert error.value.failure.parameters["columns"] == ["File", "Art"]


def test_a_table_without_a_header_keeps_its_first_row(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    table = write(tmp_path, "fields/0.png,10,12,a", POINTS[1:])
    data = open_dataset(table, columns={"label": "column 4", "x": "column 2", "y": "column 3"}, crop_size=21)
    assert len(data) == len(POINTS)
    assert data.records[0].plan.region == (0, 2, 21, 21)


def test_another_crop_size_cuts_around_the_same_points(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    table = write(tmp_path, "path,x,y,label", POINTS)
    large, small = open_dataset(table, crop_size=30), open_dataset(table, crop_size=13)
    assert with_plan(large, ReadPlan(crop_size=13)).records == small.records
    assert [record.image_id for record in large.records] == [record.image_id for record in small.records]


def test_two_fields_are_no_groups_but_a_warning(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    data = open_dataset(write(tmp_path, "path,x,y,label", POINTS[:6]), crop_size=20)
    assert not data.has_groups
    assert [note.level for note in data.notes if note.code == "few-fields"] == ["warning"]


@pytest.mark.parametrize("n_fields", [1, 4])
def test_crops_of_one_field_are_one_group_from_whatever_table_they_come(tmp_path: Path, n_fields: int) -> None:
    """Crops that are predicted and added later: else the field would be on both sides of a split."""
    draw_fields(tmp_path)
    first = write(tmp_path, "path,x,y,label", POINTS)
    (tmp_path / "added").mkdir()
    rows = [f"../fields/{k}.png,40,20,a" for k in range(n_fields)]
    rows += [f"../fields/{k}.png,24,40,b" for k in range(n_fields)]
    second = write(tmp_path / "added", "path,x,y,label", rows)
    data = open_dataset([first, second], crop_size=21)
    assert len(data) == len(POINTS) + 2 * n_fields
    assert len({record.group for record in data.records}) == 4
    assert len({(record.path.resolve(), record.group) for record in data.records}) == 4


@pytest.mark.parametrize(
    ("columns", "names", "column", "n_groups"),
    [
        ("field,object_id", ("f0", "f1", "f2"), None, 4),
        ("field,object_id", ("f0", "f1", "f2"), "field", 4),
        ("patient,note", ("p0", "p0", "p1"), "patient", 2),
        ("patient,note", ("p0", "p1", "p2"), "patient", 3),  # of one field each
    ],
)
def test_added_crops_are_in_the_group_of_their_field_or_are_a_group_if_groups_are_fields(
    tmp_path: Path, columns: str, names: tuple[str, ...], column: str | None, n_groups: int
) -> None:
    """Objects of one field in both sets are leakage. A field of an unknown patient has no group."""
    draw_fields(tmp_path)
    of_objects = [f"fields/{k}.png,{x},30,a,{names[k]},{x}" for k in range(3) for x in (20, 40)]
    first = write(tmp_path, f"path,x,y,label,{columns}", of_objects)
    (tmp_path / "added").mkdir()
    rows = [f"../fields/{k}.png,24,{y},b," for k in (2, 3) for y in (24, 40)]
    second = write(tmp_path / "added", f"path,x,y,label,{column or 'note'}", rows)
    data = open_dataset([first, second], crop_size=21, group=column)
    of_fields = {(int(record.path.stem), record.group) for record in data.records}
    assert len(of_fields) == 4
    assert [field for field, group in of_fields if group is None] == ([3] if column == "patient" else [])
    assert len({group for _, group in of_fields if group is not None}) == n_groups


def test_fields_of_the_same_name_in_two_tables_are_two_groups(tmp_path: Path) -> None:
    tables = []
    for name in ("monday", "tuesday"):
        (tmp_path / name).mkdir()
        draw_fields(tmp_path / name)
        tables.append(write(tmp_path / name, "path,x,y,label", POINTS))
    data = open_dataset(tables, crop_size=20)
    assert len({record.group for record in data.records}) == 8


def test_a_table_of_predictions_has_no_labels_to_train_on_until_they_are_filled_in(tmp_path: Path) -> None:
    draw_fields(tmp_path)
    header, rows = "path,label,predicted,probability,decision", [f"fields/{k}.png,,a,0.9,a" for k in range(4)]
    table = write(tmp_path, header, rows)
    with refusing(BadDataset, "predictions-without-labels"):
        open_dataset(table)
    assert len(open_dataset(table, labeled=False)) == 4
    write(tmp_path, header, [row.replace(",,", ",b,") for row in rows])
    assert open_dataset(table).classes == ("b",)
