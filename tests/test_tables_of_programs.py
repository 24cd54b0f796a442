"""Tables of other programs: decimal commas, comments, names without ending or in other forms, columns of classes."""

import csv
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from refusing import fault_in_line, note_of, refusing

import coverslip as cs
from coverslip.datasets.index.image_tables import describe_table, gives_labels, read_table
from coverslip.datasets.names import some
from coverslip.datasets.text_tables import open_text_table
from coverslip.errors import BadDataset
from coverslip.events import ignore
from coverslip.messages import MapColumn, text
from coverslip.objects.table import UNKNOWN, outlines_in_plane, read_objects
from coverslip.table_cells import number_of

NFC, NFD = (unicodedata.normalize(form, "Zürich") for form in ("NFC", "NFD"))


def draw(folder: Path, *names: str) -> None:
    for k, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((30, 40), k, np.uint8)).save(folder / name)


def write(file: Path, *lines: str, encoding: str = "utf-8") -> Path:
    file.write_text("\n".join(lines) + "\n", encoding=encoding)
    return file


def test_a_number_is_finite_and_written_as_other_programs_write_it() -> None:
    cells = ("1", " -1.5e2 ", "1,5", "1_000", "nan", "inf", "", "1.234,5")
    assert [number_of(cell) for cell in cells] == [1, -150, None, None, None, None, None, None]


@pytest.mark.parametrize(
    ("header", "numbers", "box"),
    [
        ("x;y;width;height", "4,4;2,0;10,25;8", (4, 2, 10, 8)),
        ("x\ty\twidth\theight", "0,750\t2.75\t10\t8", (1, 3, 10, 8)),
        ("x;y;width;height", "1234,567;0,500;10;8", (1235, 1, 10, 8)),
    ],
)
def test_decimal_commas_are_read_where_commas_do_not_separate_cells(
    header: str, numbers: str, box: tuple[int, ...], tmp_path: Path
) -> None:
    draw(tmp_path, "a.png")
    mark = header[1]
    table = write(
        tmp_path / "t.csv", f"path{mark}label{mark}{header}", f"a.png{mark}a{mark}{numbers}", encoding="utf-16"
    )
    assert cs.open_dataset(table)[0].plan.region == box


@pytest.mark.parametrize(
    ("rows", "code", "parameters"),
    [
        (["1,500;2", "1,250;3"], "ambiguous-decimal-commas", {"column": "X", "decimal": "1.500", "thousands": "1500"}),
        (["1,5;2", "1.5;3"], "mixed-decimal-signs", {"column": "X", "value": "1,5", "other": "1.5"}),
        (["1.234,5;2"], "invalid-rows", {"rows": fault_in_line(2, "cell-not-a-number", column="X", value="1.234,5")}),
        (['"1,5",2'], "invalid-rows", {"rows": fault_in_line(2, "cell-not-a-number", column="X", value="1,5")}),
    ],
)
def test_numbers_with_commas_of_unknown_meaning_are_refused(
    rows: list[str], code: str, parameters: dict[str, Any], tmp_path: Path
) -> None:
    draw(tmp_path, "a.png")
    mark = "," if '"' in rows[0] else ";"
    lines = (f"a.png{mark}a{mark}{row}" for row in rows)
    table = write(tmp_path / "t.csv", mark.join(["path", "label", "X", "y"]), *lines)
    with refusing(BadDataset, code, **parameters):
        cs.open_dataset(table, crop_size=8)
    assert describe_table(read_table(table)).suggested_crop_size is None


def test_one_value_of_a_column_decides_for_all_of_them_and_other_columns_do_not(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    rows = ["a.png;a;1,500;2", "a.png;b;12,25;3", "a.png;b;20;9"]
    table = write(tmp_path / "t.csv", "path;label;x;y", *rows)
    boxes = [record.plan.region for record in cs.open_dataset(table, crop_size=8)]
    assert boxes == [(-2, -2, 8, 8), (8, -1, 8, 8), (16, 5, 8, 8)]
    ambiguous = write(tmp_path / "u.csv", "path;label;x;y", *(f"{row},100" for row in rows))
    with refusing(BadDataset, "ambiguous-decimal-commas", column="y"):
        cs.open_dataset(ambiguous, crop_size=8)
    frame = {"path": [str(tmp_path / "a.png")] * 2, "label": ["a", "b"], "x": ["1,5", "2"], "y": [3, 4]}
    assert cs.open_dataset(frame, crop_size=8)[0].plan.region == (-2, -1, 8, 8)


@pytest.mark.parametrize(
    "lines",
    [
        ["# Axio Scan, 20x", "# exported; by hand", "path,label", "#1.png,a", "2.png,b"],
        ["", "#", "path;label", "#1.png;a", "2.png;b"],
        ["sep=;", "# label", "path;label", "#1.png;a", "2.png;b"],
        ["# Image, 3", "path,label", "#1.png,a", "2.png,b"],
        ["# path,label", "#1.png,a", "2.png,b"],
        ["# a comment", "#path,label", "#1.png,a", "2.png,b"],
        ["#,path,label", "1,#1.png,a", "2,2.png,b"],
        ["#1.png,a", "2.png,b"],
        ["# a comment", "#1.png,a", "2.png,b"],
        ["# path, label, and the operator", "#Bild,label", "#1.png,a", "2.png,b"],
    ],
)
def test_comments_before_the_header_are_skipped_and_nothing_else(lines: list[str], tmp_path: Path) -> None:
    draw(tmp_path, "#1.png", "2.png")
    table = write(tmp_path / "t.csv", *lines)
    columns = None if any("label" in line for line in lines) else {"path": "column 1", "label": "column 2"}
    assert [(record.path.name, record.label) for record in cs.open_dataset(table, columns=columns)] == [
        ("#1.png", "a"),
        ("2.png", "b"),
    ]
    assert read_table(table).lines[-1] == len(lines)


def test_a_file_with_zero_bytes_anywhere_is_no_table(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    table = tmp_path / "t.csv"
    table.write_bytes(b"path,label\n" + b"a.png,a\n" * 1000 + b"a.png,b\0\n")
    with refusing(BadDataset, "not-a-text-table"):
        cs.open_dataset(table)


@pytest.mark.parametrize(
    ("content", "utf8_line"),
    [(b"path,label\na.png,Gr\xc3\xbcn\nb.png,Gr\xfcn\n", 2), (b"\xef\xbb\xbfpath,label\na.png,a\nb.png,Gr\xfcn\n", 1)],
)
def test_a_table_of_two_encodings_would_give_one_class_two_names(
    content: bytes, utf8_line: int, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(content)
    with refusing(BadDataset, "mixed-encodings", utf8_line=utf8_line, line=3):
        cs.open_dataset(table)
    draw(tmp_path, "a.png")
    with refusing(BadDataset, "mixed-encodings", utf8_line=utf8_line, line=3):
        cs.collect_objects(tmp_path / "a.png", points=table, size_px=8, out=None, emit=ignore)


def test_bytes_that_are_no_letters_would_give_two_classes_one_name(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(b"path,label\na.png,Gr\x81n\nb.png,Gr\x8dn\n")
    with refusing(BadDataset, "unknown-encoding", line=2):
        cs.open_dataset(table)


def test_rows_without_a_box_are_listed_since_their_images_are_whole_files(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")
    table = write(tmp_path / "t.csv", "path,label,x,y,w,h", "a.png,a,1,2,3,4", "b.png,b,,,,")
    data = cs.open_dataset(table)
    assert [record.plan.region for record in data] == [(1, 2, 3, 4), None]
    assert note_of(data.notes, "rows-without-box").parameters == {"n_rows": 1, "rows": text("table-line", line=3)}


def test_a_column_that_is_the_time_point_in_tables_of_objects_is_not_ignored(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    table = write(tmp_path / "t.csv", "path,label,frame,x,y", "a.png,a,0,5,6", "a.png,b,1,7,6")
    with refusing(BadDataset, "unread-time-column", column="frame") as refused:
        cs.open_dataset(table, crop_size=8)
    assert refused.value.remedies == (MapColumn("t"),)
    assert [record.plan.t for record in cs.open_dataset(table, crop_size=8, columns={"t": "frame"})] == [0, 1]
    assert [record.plan.t for record in cs.open_dataset(table, crop_size=8, columns={"t": ""})] == [0, 0]


@pytest.mark.parametrize(("on_disk", "in_table"), [(NFC, NFD), (NFD, NFC)])
def test_names_match_in_any_unicode_form(on_disk: str, in_table: str, tmp_path: Path) -> None:
    draw(tmp_path, f"{on_disk}/{on_disk}.png", "b.png")
    rows = f"{in_table}/{in_table}.png,a", "b.png,b"
    table = write(tmp_path / "t.csv", "path,label", *rows)
    file = tmp_path / on_disk / f"{on_disk}.png"
    assert cs.open_dataset(table)[0].path == file
    spots = write(tmp_path / "spots.csv", "image,x,y", f"{in_table}.png,3,4")
    cs.collect_objects([file, tmp_path / "b.png"], points=[spots], size_px=8, out=tmp_path / "objects.csv", emit=ignore)
    objects = tmp_path / "objects.csv"
    objects.write_text(objects.read_text().replace(on_disk, in_table))
    assert read_objects(objects).fields[0].path == file
    assert len(outlines_in_plane(objects, file, 0, 0, 0)[0]) == 1


def test_readers_agree_on_images_whose_names_have_another_unicode_form(tmp_path: Path) -> None:
    tables = [
        write(tmp_path / f"{name}.csv", "path,label", f"{form}.png,a", "b.png,b")
        for name, form in (("x", NFC), ("y", NFD))
    ]
    assert cs.agreement(tables).pairs[0].agreement.n == 2


def test_of_names_that_differ_only_in_their_unicode_form_none_is_chosen(tmp_path: Path) -> None:
    names = [f"{NFC}{NFC}.png", f"{NFD}{NFD}.png"]
    draw(tmp_path, *names)
    exact = write(tmp_path / "exact.csv", "path,label", *(f"{name},a" for name in names))
    assert [record.path.name for record in cs.open_dataset(exact)] == names
    other = write(tmp_path / "other.csv", "path,label", f"{NFC}{NFD}.png,a")
    fault = fault_in_line(2, "several-unicode-forms", value=f"{NFC}{NFD}.png", names=some(sorted(names)))
    with refusing(BadDataset, "invalid-rows", rows=fault):
        cs.open_dataset(other)


def test_names_without_an_ending_are_the_only_file_that_fits(tmp_path: Path) -> None:
    draw(tmp_path, "img/0.jpg", "img/1.5.TIF", "img/2.ome.tif", "img/3.png", "img/30.png", f"img/{NFD}.png")
    (tmp_path / "img/0.txt").touch()
    cells = ["img/0", "img/1.5", "img/2", "img/3", f"img/{NFC}"]
    table = write(tmp_path / "t.csv", "image,label", *(f"{cell},a" for cell in cells))
    names = ["0.jpg", "1.5.TIF", "2.ome.tif", "3.png", f"{NFD}.png"]
    assert [record.path.name for record in cs.open_dataset(table)] == names
    assert cs.open_dataset(table)[0].image_id == "img/0.jpg"
    draw(tmp_path, "img/3.jpg")
    fault = fault_in_line(5, "several-endings", value="3", names=some(["3.jpg", "3.png"]))
    with refusing(BadDataset, "invalid-rows", rows=fault):
        cs.open_dataset(table)
    elsewhere = write(tmp_path / "elsewhere.csv", "image,label", "0,a", "30,b")
    with refusing(BadDataset, "no-file-exists", n_files=2, has_folder=True, folder="img", name="0"):
        cs.open_dataset(elsewhere)
    assert len(cs.open_dataset(elsewhere.rename(tmp_path / "img/elsewhere.csv"))) == 2
    nowhere = write(tmp_path / "nowhere.csv", "image,label", "4,a")
    with refusing(BadDataset, "no-file-exists", has_folder=False):
        cs.open_dataset(nowhere)


@pytest.mark.parametrize(
    "name",
    [
        "c{k}",
        "img/c{k}",
        "img\\c{k}",
        "c{k}.png",
        "TRAIN,c{k}.png",
        "TRAIN,gs://bucket/c{k}.png",
        "http://x/c{k}.png?raw=1",
    ],
)
def test_the_first_row_of_a_table_without_names_of_columns_is_no_header(name: str, tmp_path: Path) -> None:
    images = [f"{folder}c{k}.png" for folder in ("", "img/") for k in range(4)]
    draw(tmp_path, *images)
    lines = [f"{name.format(k=k)},{'target' if k == 0 and name == 'c{k}.png' else 'b'}\n" for k in range(4)]
    (tmp_path / "t.csv").write_text("".join(lines))
    table = read_table(tmp_path / "t.csv")
    assert (len(table.rows), table.columns[0]) == (4, "column 1")
    at = name.count(",") + 1
    columns = {"path": f"column {at}", "label": f"column {at + 1}"}
    if "://" in name:
        with refusing(BadDataset, "no-file-exists", n_files=4):
            cs.open_dataset(tmp_path / "t.csv", columns=columns)
    else:
        assert len(cs.open_dataset(tmp_path / "t.csv", columns=columns)) == 4


def test_the_row_of_a_missing_image_is_no_header(tmp_path: Path) -> None:
    draw(tmp_path, "c1.png", "c2.png")
    (tmp_path / "t.csv").write_text("c0.png,a\nc1.png,a\nc2.png,b\n")
    assert read_table(tmp_path / "t.csv").columns == ("column 1", "column 2")


@pytest.mark.parametrize("ones", ["10", ("1.0", "0.0"), ("1,0", "0,0"), ("True", "False"), ("WAHR", "FALSCH")])
def test_a_column_for_each_class_gives_labels(ones: tuple[str, str], tmp_path: Path) -> None:
    draw(tmp_path, *(f"{k}.png" for k in range(3)))
    yes, no = ones
    rows = [f"{k}.png;{3 * k};{(yes, no)[k % 2]};{(no, yes)[k % 2]};{no}" for k in range(3)]
    table = write(tmp_path / "t.csv", "image;age;MEL;Männlich;UNK", *rows)
    data = cs.open_dataset(table)
    assert [record.label for record in data] == ["MEL", "Männlich", "MEL"]
    assert dict(data[0].about) == {"age": "0"}
    assert note_of(data.notes, "labels-of-class-columns").parameters["n_classes"] == 3
    assert describe_table(read_table(table)).class_columns == ("MEL", "Männlich", "UNK")
    assert gives_labels(read_table(table))
    assert [record.label for record in cs.open_dataset(table, columns={"label": "age"})] == ["0", "3", "6"]
    assert [record.label for record in cs.open_dataset(table, labeled=False)] == [None] * 3


@pytest.mark.parametrize(("cells", "n_ones"), [("1;1", 2), ("0;0", 0), (";", 0)])
def test_columns_of_classes_need_a_single_one_in_each_row(cells: str, n_ones: int, tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")
    table = write(tmp_path / "t.csv", "image;male;smoker;kind;remark", "a.png;0;1;x;", f"b.png;{cells};y;")
    with refusing(BadDataset, "row-without-one-class", place=text("table-line", line=3), n_ones=n_ones) as refused:
        cs.open_dataset(table)
    assert refused.value.remedies == (MapColumn("label"),)
    assert cs.open_dataset(table, columns={"label": "kind"}).classes == ("x", "y")
    single = write(tmp_path / "u.csv", "image;male", "a.png;0", "b.png;1")
    with refusing(BadDataset, "missing-column", meaning="label"):
        cs.open_dataset(single)


POINTS = [(10.5, 20.25), (30.0, 5.75)]


@pytest.mark.parametrize(
    "content",
    [
        "x;y;class\n10,5;20,25;a\n30;5,75;a\n",
        "# TrackMate\n#x;y;class\n10,5;20,25;a\n30;5,75;a\n",
        "10,5;20,25;a\n30;5,75;a\n",
        "10,5 20,25 a\n30 5,75 a\n",
        "# x y\n10,5\t20,25\ta\n30\t5,75\ta\n",
        "10.5, 20.25, a\n30,5.75,a\n",
        "\ufeffx,y,class\n10.5,20.25,a\n30,5.75,a\n",
    ],
)
def test_points_of_objects_with_decimal_commas(content: str, tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    points = tmp_path / "a.txt"
    points.write_text(content, encoding="utf-8")
    cs.collect_objects(tmp_path / "a.png", points=points, size_px=8, out=tmp_path / "o.csv", emit=ignore)
    objects = read_objects(tmp_path / "o.csv")
    assert [(x + 4, y + 4) for x, y, _, _ in objects.box.tolist()] == [(11, 20), (30, 6)]
    assert objects.labels == ("a",)


@pytest.mark.parametrize("content", ["x;y\n1,500;2\n", "1,500;2\n", "1,500 2\n"])
def test_points_of_objects_with_commas_of_unknown_meaning_are_refused(content: str, tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    points = tmp_path / "a.txt"
    points.write_text(content)
    with refusing(BadDataset, "ambiguous-decimal-commas", column="x", value="1,500"):
        cs.collect_objects(tmp_path / "a.png", points=points, size_px=8, out=tmp_path / "o.csv", emit=ignore)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("image,x,y,label,label\na.png,10,20,a,b\n", "duplicate-column"),
        ("image,x,y\na.png,1,5,2,5\n", "rows-too-long"),  # decimal commas between commas
        ('image,x,y,label\na.png,10,20,"a\nb.png,10,20,b\n', "invalid-table-line"),
        ("image,x_min,y_min,x_max,y_max,x,y\na.png,1,2,30,,10,10\n", "invalid-rows"),
    ],
)
def test_tables_of_objects_are_read_as_strictly_as_tables_of_images(content: str, code: str, tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    points = tmp_path / "points.csv"
    points.write_text(content)
    with refusing(BadDataset, code):
        cs.collect_objects(tmp_path / "a.png", points=points, size_px=8, out=None, emit=ignore)


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        ("filepath,x1,y1,x2,y2", "1,2,31,22"),
        ("file_path,x0,y0,x1,y1", "1,2,31,22"),
        ("image,x1,y1,box_w,box_h", "1,2,30,20"),
        ("image,x_coordinate,y_coordinate,w,h", "1,2,30,20"),
        ("image,xcentre,ycentre,w,h", "16,12,30,20"),
    ],
)
def test_tables_of_images_and_of_objects_accept_the_same_names_of_columns(
    header: str, numbers: str, tmp_path: Path
) -> None:
    draw(tmp_path, "a.png", "b.png")
    table = write(tmp_path / "t.csv", f"{header},class", f"b.png,{numbers},k")
    cs.collect_objects([tmp_path / "a.png", tmp_path / "b.png"], outlines=table, out=tmp_path / "o.csv", emit=ignore)
    for opened in (cs.open_dataset(table), cs.open_dataset(tmp_path / "o.csv")):
        assert [(r.path.name, r.plan.region, r.label) for r in opened] == [("b.png", (1, 2, 30, 20), "k")]


def test_rectangles_of_omero_have_its_text_as_class_and_not_the_kind_of_their_shape(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    columns = "image_id,image_name,roi_id,shape_id,type,text,z,t,X,Y,Width,Height,X1,Y1,X2,Y2"
    table = write(tmp_path / "rois.csv", columns, '5,"a.png",1,7,rectangle,"Zürich",1,1,3,4,10,8,,,,')
    cs.collect_objects(tmp_path / "a.png", outlines=table, out=tmp_path / "o.csv", emit=ignore)
    objects = read_objects(tmp_path / "o.csv")
    assert (objects.box.tolist(), objects.labels, objects.t.tolist()) == ([[3, 4, 10, 8]], ("Zürich",), [UNKNOWN])


def test_a_repeated_column_of_readings_or_samples_is_not_chosen_by_chance(tmp_path: Path) -> None:
    tables = [write(tmp_path / f"{name}.csv", "path,label,label", "a.png,a,b", "b.png,b,b") for name in "xy"]
    with refusing(BadDataset, "duplicate-column", column="label"):
        cs.agreement(tables)
    rows = open_text_table(write(tmp_path / "t.csv", "path,well,note,note", "a.png,A1,x,y"))
    assert [row["well"] for row in rows.named_rows(used={"path", "well"})] == ["A1"]
    with refusing(BadDataset, "duplicate-column", column="note"):
        rows.named_rows()


def test_a_table_of_objects_that_excel_saved_is_the_same(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    points = write(tmp_path / "points.csv", "image,x,y,label", "a.png,10,12,a", "a.png,20,12,b")
    table = tmp_path / "o.csv"
    cs.collect_objects(tmp_path / "a.png", points=points, size_px=8, pixel_size_um=0.325, out=table, emit=ignore)
    saved = tmp_path / "saved.csv"
    rows = list(csv.reader(table.open(newline="")))
    with saved.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter=";").writerows([cell.replace("0.325", "0,325") for cell in row] for row in rows)
    first, second = read_objects(table), read_objects(saved)
    assert first.fields == second.fields
    assert first.fields[0].pixel_size_um == (0.325, 0.325)
    assert np.array_equal(first.box, second.box)


@pytest.mark.parametrize(
    "labels",
    [
        list(torch.tensor([0, 1])),
        torch.tensor([0.0, 1.0]),
        [np.array(0), np.array([1])],
        [np.int64(0), np.float32(1)],
        [b"0", np.bytes_(b"1")],
    ],
)
def test_labels_that_are_tensors_or_arrays_become_their_values(labels: object) -> None:
    images = list(np.zeros((2, 6, 6), np.uint8))
    assert cs.open_dataset((images, labels)).classes == ("0", "1")
    assert cs.open_dataset({"image": images, "label": labels}).classes == ("0", "1")


def test_an_array_of_several_values_is_no_label() -> None:
    images = list(np.zeros((2, 6, 6), np.uint8))
    with refusing(BadDataset, "array-in-cell", shape="(2,)"):
        cs.open_dataset({"image": images, "label": list(torch.tensor([[0, 1], [1, 0]]))})
