"""The advice of errors about tables helps: each test gets the error, does what its text says, and gets the images."""

import os
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from refusing import refusing
from test_advice import codes_with_advice

import coverslip as cs
from coverslip.datasets.index.records import ImageRecord
from coverslip.errors import CoverslipError

Content = str | bytes
Options = dict[str, Any]  # of `open_dataset`
Step = Callable[[Path], tuple[Any, Options]]  # writes tables beside the images; the source and the options

IMAGES = ("a:x", "b:x", "c:y")  # file and label of each image
ROWS = "a.png,x\nb.png,x\nc.png,y\n"
PLAIN = f"path,label\n{ROWS}"
CROPS = ("a:x[4,4,8,8]", "a:y[20,4,8,8]")
NFC, NFD = (unicodedata.normalize(form, "Zürich") for form in ("NFC", "NFD"))


def table(content: Content, name: str = "t.csv", **options: Any) -> Step:
    """Write one table."""

    def write(folder: Path) -> tuple[Any, Options]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder / name, options

    return write


def tables(*contents: Content, **options: Any) -> Step:
    """Write several tables in folders of their own, whose paths start from there."""

    def write(folder: Path) -> tuple[Any, Options]:
        return [table(each, f"{k}/t.csv")(folder)[0] for k, each in enumerate(contents)], options

    return write


def memory(source: Any, **options: Any) -> Step:
    return lambda folder: (source, options)


def folder_of_images(table_name: str | None = None, **options: Any) -> Step:
    """Use the folder of the images, or a table in it."""

    def write(folder: Path) -> tuple[Any, Options]:
        (folder / "list.csv").write_text(f"path,label,slide\n{ROWS.replace('x', 'x,1').replace('y', 'y,2')}")
        return folder / (table_name or ""), options

    return write


def spreadsheet(name: str) -> Step:
    """Write a compressed file, as spreadsheet programs do."""

    def write(folder: Path) -> tuple[Any, Options]:
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("xl/workbook.xml", "<workbook/>\0")
        return folder / name, {}

    return write


def large(folder: Path) -> tuple[Any, Options]:
    """Write a table of more than a GiB, most of which takes no space on the disk."""
    source, options = table(PLAIN)(folder)
    os.truncate(source, 2**30 + 1)
    return source, options


def in_other_folder(folder: Path) -> tuple[Any, Options]:
    (folder / "images").mkdir(exist_ok=True)
    for file in folder.glob("*.png"):
        file.rename(folder / "images" / file.name)
    return table(PLAIN)(folder)


def moved_to_images(folder: Path) -> tuple[Any, Options]:
    return (folder / "t.csv").rename(folder / "images" / "t.csv"), {}


def in_current_folder(folder: Path) -> tuple[Any, Options]:
    os.chdir(folder)
    return table(PLAIN, "tables/t.csv")(folder)


def moved_to_current_folder(folder: Path) -> tuple[Any, Options]:
    return (folder / "tables" / "t.csv").rename(folder / "t.csv"), {}


def accents(*names: str, cell: str) -> Step:
    def write(folder: Path) -> tuple[Any, Options]:
        for each in folder.glob("*rich*"):
            each.unlink()
        for each in names:
            Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / each)
        return table(f"path,label\n{cell},x\nc.png,y\n")(folder)

    return write


ARRAYS = [np.full((9, 9), k, np.uint8) for k in range(3)]
MEMORY = ("image 0:x", "image 1:x", "image 2:y")
POINTS = "path,label,x,y\na.png,x,8,8\na.png,y,24,8\n"

# By code: the step that is refused, then those that follow its advice, and the images that each of them gives.
ADVICE: dict[str, list[tuple[Step, dict[str, tuple[Step, tuple[str, ...]]]]]] = {
    "spreadsheet": [(spreadsheet("t.xlsx"), {"csv": (table(PLAIN), IMAGES)})],
    "no-such-source": [
        (
            lambda folder: (folder / "tt.csv", table(PLAIN)(folder)[1]),
            {"nearest name": (lambda folder: (folder / "t.csv", {}), IMAGES)},
        )
    ],
    "not-a-folder-or-table": [(table(PLAIN, "t.dat"), {"suffix": (table(PLAIN, "t.csv"), IMAGES)})],
    "no-class-folders": [(folder_of_images(), {"table": (folder_of_images("list.csv"), IMAGES)})],
    "single-image": [(lambda folder: (folder / "a.png", {}), {"table": (table(PLAIN), IMAGES)})],
    "folder-has-no-columns": [
        (
            folder_of_images(group="slide"),
            {"table": (folder_of_images("list.csv", group="slide"), ("a:x/1", "b:x/1", "c:y/2"))},
        )
    ],
    "column-and-pattern": [
        (
            table(f"path,label,slide\n{ROWS}", group="slide", group_pattern="[ab]"),
            {"one of them": (table(PLAIN, group_pattern="[abc]"), ("a:x/a", "b:x/b", "c:y/c"))},
        )
    ],
    "two-values-of-sources": [
        (
            tables("path,label\n../a.png,x\n../b.png,x\n", "path,label\n../a.png,y\n../c.png,y\n"),
            {
                "correct": (
                    tables("path,label\n../a.png,x\n../b.png,x\n", "path,label\n../a.png,x\n../c.png,y\n"),
                    IMAGES,
                ),
                "remove": (tables("path,label\n../a.png,x\n../b.png,x\n", "path,label\n../c.png,y\n"), IMAGES),
            },
        ),
        (
            tables(
                "path,label,day,slide\n../a.png,x,1,s\n../b.png,x,1,s\n",
                "path,label,day,slide\n../a.png,x,2,s\n../c.png,y,2,t\n",
                group="day",
            ),
            {
                "other column": (
                    tables(
                        "path,label,day,slide\n../a.png,x,1,s\n../b.png,x,1,s\n",
                        "path,label,day,slide\n../a.png,x,2,s\n../c.png,y,2,t\n",
                        group="slide",
                    ),
                    ("a:x/s", "b:x/s", "c:y/t"),
                ),
            },
        ),
        (
            tables(
                "path,label,split\n../a.png,x,train\n../b.png,x,\n", "path,label,split\n../a.png,x,test\n../c.png,y,\n"
            ),
            {
                "correct": (
                    tables("path,label,split\n../a.png,x,train\n../b.png,x,\n", "path,label\n../a.png,x\n../c.png,y\n"),
                    IMAGES,
                )
            },
        ),
    ],
    "table-too-large": [
        (
            large,
            {
                "keep columns": (table(PLAIN), IMAGES),
                "divide": (tables("path,label\n../a.png,x\n../b.png,x\n", "path,label\n../c.png,y\n"), IMAGES),
            },
        )
    ],
    "rows-too-long": [
        (
            table("path,label,note\na.png,x,round, dark\nb.png,x,\nc.png,y,\n"),
            {"quoted": (table('path,label,note\na.png,x,"round, dark"\nb.png,x,\nc.png,y,\n'), IMAGES)},
        ),
        (
            table("path,label,x,y,width,height\na.png,x,4,4,4,8,8\na.png,y,20,1,4,8,8\n"),
            {
                "decimal points": (
                    table("path,label,x,y,width,height\na.png,x,4.4,4,8,8\na.png,y,20.1,4,8,8\n"),
                    CROPS,
                )
            },
        ),
    ],
    "no-table-rows": [(table("path,label\n"), {"rows": (table(PLAIN), IMAGES)})],
    "empty-table": [(table(""), {"lines": (table(PLAIN), IMAGES)})],
    "invalid-table-line": [
        (
            table('path,label,stain\na.png,x,10" slide\nb.png,x,\nc.png,y,\n'),
            {"quoted and twice": (table('path,label,stain\na.png,x,"10"" slide"\nb.png,x,\nc.png,y,\n'), IMAGES)},
        ),
        (
            table('path,label\n"a.png,x\nb.png,x\nc.png,y\n'),
            {"closed": (table('path,label\n"a.png",x\nb.png,x\nc.png,y\n'), IMAGES)},
        ),
        (
            table('path,label,stain\na.png,x,"10" slide"\nb.png,x,\nc.png,y,\n'),
            {"twice": (table('path,label,stain\na.png,x,"10"" slide"\nb.png,x,\nc.png,y,\n'), IMAGES)},
        ),
    ],
    "not-a-text-table": [
        (spreadsheet("t.csv"), {"csv": (table(PLAIN), IMAGES)}),
        (table(PLAIN.encode("utf-16-le")), {"csv": (table(PLAIN), IMAGES)}),
    ],
    "unknown-encoding": [
        (
            table("path,label,note\na.png,x,細胞\nb.png,x,\nc.png,y,\n".encode("shift-jis") + b"\x81\n"),
            {"utf-8": (table("\ufeffpath,label,note\na.png,x,細胞\nb.png,x,\nc.png,y,\n"), IMAGES)},
        )
    ],
    "mixed-encodings": [
        (
            table("path,label,note\na.png,x,Zürich\n".encode() + "b.png,x,Zürich\nc.png,y,\n".encode("cp1252")),
            {"utf-8": (table("\ufeffpath,label,note\na.png,x,Zürich\nb.png,x,Zürich\nc.png,y,\n"), IMAGES)},
        )
    ],
    "unknown-meaning": [
        (
            table(f"path,kind\n{ROWS}", columns={"class": "kind"}),
            {"a listed meaning": (table(f"path,kind\n{ROWS}", columns={"label": "kind"}), IMAGES)},
        )
    ],
    "unknown-column": [
        (
            table(f"path,kind\n{ROWS}", columns={"label": "kinds"}),
            {"a listed column": (table(f"path,kind\n{ROWS}", columns={"label": "kind"}), IMAGES)},
        )
    ],
    "unknown-group-column": [
        (
            folder_of_images("list.csv", group="slides"),
            {"a listed column": (folder_of_images("list.csv", group="slide"), ("a:x/1", "b:x/1", "c:y/2"))},
        )
    ],
    "predictions-without-labels": [
        (
            table("path,label,predicted,decision\na.png,,x,x\nb.png,,y,y\nc.png,,y,uncertain\n"),
            {"filled in": (table("path,label,predicted,decision\na.png,x,x,x\nb.png,x,y,y\nc.png,y,y,y\n"), IMAGES)},
        )
    ],
    "gap-in-channel-columns": [
        (
            table("channel_1,channel_3,label\na.png,b.png,x\n"),
            {"no gap": (table("channel_1,channel_2,label\na.png,b.png,x\n"), ("a:x+b.png",))},
        )
    ],
    "duplicate-column": [
        (
            table("path,label,label\na.png,x,1\nb.png,x,1\nc.png,y,2\n"),
            {
                "removed": (table(PLAIN), IMAGES),
                "renamed": (table("path,label,label 2\na.png,x,1\nb.png,x,1\nc.png,y,2\n"), IMAGES),
            },
        )
    ],
    "no-labels-given": [
        (memory({"image": ARRAYS}), {"both": (memory({"image": ARRAYS, "label": ["x", "x", "y"]}), MEMORY)})
    ],
    "single-column-table": [
        (
            table("path label\na.png x\nb.png x\nc.png y\n"),
            {repr(mark): (table(PLAIN.replace(",", mark)), IMAGES) for mark in (",", ";", "\t")},
        ),
        (table(f"files\n{ROWS.replace(',', '|')}"), {"named": (table(PLAIN), IMAGES)}),
        (table("path\na.png\nb.png\nc.png\n"), {"named": (table(PLAIN), IMAGES)}),
    ],
    "missing-column": [
        (
            table("photo,kind\na,x\nb,x\nc,y\n"),
            {
                "chosen": (table("photo,kind\na,x\nb,x\nc,y\n", columns={"path": "photo", "label": "kind"}), IMAGES),
                "named": (table("path,label\na,x\nb,x\nc,y\n"), IMAGES),
            },
        ),
        (
            table(f"path,kind\n{ROWS}"),
            {
                "chosen": (table(f"path,kind\n{ROWS}", columns={"label": "kind"}), IMAGES),
                "named": (table(PLAIN), IMAGES),
            },
        ),
    ],
    "row-without-one-class": [
        (
            table("path,flat,long\na.png,1,0\nb.png,0,0\nc.png,0,1\n"),
            {
                "corrected": (
                    table("path,flat,long\na.png,1,0\nb.png,1,0\nc.png,0,1\n"),
                    ("a:flat", "b:flat", "c:long"),
                )
            },
        ),
        (
            table("path,kind,dark,round\na.png,x,1,1\nb.png,x,0,0\nc.png,y,0,1\n"),
            {
                "chosen": (
                    table("path,kind,dark,round\na.png,x,1,1\nb.png,x,0,0\nc.png,y,0,1\n", columns={"label": "kind"}),
                    IMAGES,
                ),
                "added": (table("path,label,dark,round\na.png,x,1,1\nb.png,x,0,0\nc.png,y,0,1\n"), IMAGES),
            },
        ),
    ],
    "missing-box-column": [
        (
            table("path,label,x,y,width,tall\na.png,x,4,4,8,8\na.png,y,20,4,8,8\n"),
            {
                "chosen": (
                    table("path,label,x,y,width,tall\na.png,x,4,4,8,8\na.png,y,20,4,8,8\n", columns={"height": "tall"}),
                    CROPS,
                ),
                "named": (table("path,label,x_min,y_min,x_max,y_max\na.png,x,4,4,12,12\na.png,y,20,4,28,12\n"), CROPS),
                "with a size": (
                    table("path,label,x_min,y_min,width,height\na.png,x,4,4,8,8\na.png,y,20,4,8,8\n"),
                    CROPS,
                ),
                "centers": (
                    table("path,label,x_center,y_center,width,height\na.png,x,8,8,8,8\na.png,y,24,8,8,8\n"),
                    CROPS,
                ),
            },
        ),
        (
            table("path,label,x,width,height\na.png,x,4,60,40\nb.png,x,5,60,40\nc.png,y,6,60,40\n"),
            {
                "not used": (
                    table(
                        "path,label,x,width,height\na.png,x,4,60,40\nb.png,x,5,60,40\nc.png,y,6,60,40\n",
                        columns={"x": ""},
                    ),
                    IMAGES,
                )
            },
        ),
        (
            table("path,label,x,y,width\na.png,x,4,4,60\nb.png,x,5,4,60\nc.png,y,6,4,60\n"),
            {
                "not used": (
                    table(
                        "path,label,x,y,width\na.png,x,4,4,60\nb.png,x,5,4,60\nc.png,y,6,4,60\n", columns={"width": ""}
                    ),
                    IMAGES,
                )
            },
        ),
    ],
    "points-without-crop-size": [
        (table(POINTS), {"side": (table(POINTS, crop_size=8), ("a:x[4,4,8,8]", "a:y[20,4,8,8]"))})
    ],
    "positions-in-micrometers": [
        (
            table("path,label,x (µm),y (µm)\na.png,x,4,4\na.png,y,12,4\n", crop_size=8),
            {
                "exported": (table(POINTS, crop_size=8), CROPS),
                "divided": (table("path,label,x,y\na.png,x,8,8\na.png,y,24,8\n", crop_size=8), CROPS),
            },
        )
    ],
    "invalid-rows": [
        (table("path,label\n,x\na.png,x\nb.png,x\nc.png,y\n"), {"corrected": (table(PLAIN), IMAGES)}),
        (
            table(f"{PLAIN}a.png,y\n"),
            {"corrected": (table(f"{PLAIN}a.png,x\n"), IMAGES), "removed": (table(PLAIN), IMAGES)},
        ),
        (
            table("path,label,split\na.png,x,\nb.png,x,\nc.png,y,\na.png,x,excluded\n"),
            {
                "removed": (table("path,label,split\na.png,x,\nb.png,x,\nc.png,y,\n"), IMAGES),
                "other removed": (table("path,label,split\nb.png,x,\nc.png,y,\na.png,x,excluded\n"), IMAGES[1:]),
            },
        ),
        (
            table("path,label,split\na.png,x,trian\nb.png,x,\nc.png,y,\n"),
            {"near": (table("path,label,split\na.png,x,train\nb.png,x,\nc.png,y,\n"), IMAGES)},
        ),
        (
            table('path,label\na.png,x\n"b\n.png",x\nc.png,y\n'),
            {"no mark": (table(PLAIN), IMAGES)},
        ),
        (
            table("path,label,channels\na.png,x,;\nb.png,x,\nc.png,y,\n"),
            {
                "numbers": (table("path,label,channels\na.png,x,0 2\nb.png,x,\nc.png,y,\n"), ("a:x#0#2", "b:x", "c:y")),
                "names": (
                    table('path,label,channels\na.png,x,"DAPI,Cy 5"\nb.png,x,\nc.png,y,\n'),
                    ("a:x#DAPI#Cy 5", "b:x", "c:y"),
                ),
            },
        ),
        (
            table("path,label\na,x\nb,x\nd,y\n"),
            {"ending": (table("path,label\na,x\nb,x\nd.tif,y\n"), ("a:x", "b:x", "d:y"))},
        ),
        (
            accents(f"{NFC}-{NFD}.png", f"{NFD}-{NFC}.png", cell=f"{NFC}-{NFC}.png"),
            {
                "renamed": (
                    accents(f"{NFC}-{NFD}.png", "z.png", cell=f"{NFC}-{NFC}.png"),
                    (f"{NFC}-{NFD}:x", "c:y"),
                )
            },
        ),
        (
            table("path,label,x,y,width,height\na.png,x,4,4,8,\na.png,y,20,4,8,0\n"),
            {"corrected": (table("path,label,x,y,width,height\na.png,x,4,4,8,8\na.png,y,20,4,8,8\n"), CROPS)},
        ),
    ],
    "ambiguous-decimal-commas": [
        (
            table("path;label;x;y;width;height\na.png;x;4,000;4,000;8,000;8,000\na.png;y;20,000;4,000;8,000;8,000\n"),
            {
                "points": (
                    table(
                        "path;label;x;y;width;height\na.png;x;4.000;4.000;8.000;8.000\na.png;y;20.000;4.000;8.000;8.000\n"
                    ),
                    CROPS,
                ),
                "no commas": (table("path;label;x;y;width;height\na.png;x;4;4;8;8\na.png;y;20;4;8;8\n"), CROPS),
            },
        )
    ],
    "mixed-decimal-signs": [
        (
            table("path;label;x;y;width;height\na.png;x;4,2;4;8;8\na.png;y;20.1;4;8;8\n"),
            {
                "commas": (table("path;label;x;y;width;height\na.png;x;4,2;4;8;8\na.png;y;20,1;4;8;8\n"), CROPS),
                "points": (table("path;label;x;y;width;height\na.png;x;4.2;4;8;8\na.png;y;20.1;4;8;8\n"), CROPS),
            },
        )
    ],
    "unread-time-column": [
        (
            table("path,label,frame\nfilm.tif,x,0\nfilm.tif,y,1\n"),
            {
                "as t": (
                    table("path,label,frame\nfilm.tif,x,0\nfilm.tif,y,1\n", columns={"t": "frame"}),
                    ("film:x@0", "film:y@1"),
                )
            },
        ),
        (
            table("path,label,frame,x,y,width,height\na.png,x,7,4,4,8,8\na.png,y,9,20,4,8,8\n"),
            {
                "no t": (
                    table(
                        "path,label,frame,x,y,width,height\na.png,x,7,4,4,8,8\na.png,y,9,20,4,8,8\n", columns={"t": ""}
                    ),
                    CROPS,
                )
            },
        ),
    ],
    "all-rows-excluded": [
        (
            table("path,label,split\na.png,x,excluded\nb.png,x,excluded\nc.png,y,excluded\n"),
            {"some": (table("path,label,split\na.png,x,excluded\nb.png,x,\nc.png,y,\n"), IMAGES[1:])},
        )
    ],
    "no-file-exists": [
        (
            in_other_folder,
            {
                "folder before names": (
                    table(f"path,label\nimages/{ROWS.replace(chr(10), f'{chr(10)}images/', 2)}"),
                    IMAGES,
                ),
                "moved": (moved_to_images, IMAGES),
            },
        ),
        (in_current_folder, {"moved": (moved_to_current_folder, IMAGES)}),
        (
            table("path,label\n/nowhere/a.png,x\n/nowhere/b.png,x\n"),
            {
                "corrected": (
                    lambda folder: table(f"path,label\n{folder}/a.png,x\n{folder}/b.png,x\n")(folder),
                    IMAGES[:2],
                )
            },
        ),
    ],
    "array-in-cell": [
        (
            memory({"image": ARRAYS, "label": [np.array([1, 0]), np.array([1, 0]), np.array([0, 1])]}),
            {"one value": (memory({"image": ARRAYS, "label": ["x", "x", "y"]}), MEMORY)},
        )
    ],
    "unequal-columns": [
        (
            memory({"image": ARRAYS, "label": ["x", "y"]}),
            {"a row each": (memory({"image": ARRAYS, "label": ["x", "x", "y"]}), MEMORY)},
        )
    ],
    "images-and-paths": [
        (
            memory({"image": ARRAYS, "path": ["a.png", "b.png", "c.png"], "label": ["x", "x", "y"]}),
            {"removed": (memory({"image": ARRAYS, "label": ["x", "x", "y"]}), MEMORY)},
        )
    ],
}

ADA, BOB = "image_id,path,label\n,a.png,x\n,b.png,y\n", "image_id,path,label\n,a.png,x\n,b.png,x\n"
# Of tables of readings: by code, the tables that are refused, then those that follow the advice, and the common images.
READINGS: dict[str, list[tuple[tuple[str, ...], dict[str, tuple[str, ...]]]]] = {
    "table-not-read": [((), {"name": (ADA, BOB)})],
    "readings-without-columns": [
        (("a.png,x\nb.png,y\n", "a.png,x\nb.png,x\n"), {"named": ("path,label\na.png,x\nb.png,y\n", BOB)}),
    ],
    "readings-without-group": [
        ((ADA, BOB), {"named": tuple(each.replace("image_id,", "slide,") for each in (ADA, BOB))})
    ],
    "readings-without-image": [
        (
            ("image_id,path,label\n1,,x\n2,,y\n", BOB),
            {
                "image_id in all": ("image_id,path,label\n1,,x\n2,,y\n", "image_id,path,label\n1,a.png,x\n2,b.png,x\n"),
                "path in all": ("image_id,path,label\n1,a.png,x\n2,b.png,y\n", BOB),
            },
        )
    ],
    "readings-of-one-image": [
        (
            ("path,label\na.png,x\nb.png,y\nb.png,x\n", BOB),
            {
                "one": (ADA, BOB),
                "authors": ("path,label,author\na.png,x,ada\nb.png,y,ada\nb.png,x,eve\na.png,x,eve\n", BOB),
            },
        )
    ],
    "readings-of-two-groups": [
        (
            ("path,label,slide\na.png,x,1\nb.png,y,1\n", "path,label,slide\na.png,x,2\nb.png,x,1\n"),
            {"same": ("path,label,slide\na.png,x,1\nb.png,y,1\n", "path,label,slide\na.png,x,1\nb.png,x,1\n")},
        )
    ],
    "readings-not-shared": [
        ((ADA,), {"another reader": (ADA, BOB)}),
        ((ADA, "path,label\nimages/a.png,x\n"), {"same path": (ADA, BOB)}),
        (
            (ADA, "path,label\nimages/a.png,x\nimages/b.png,x\n"),
            {"same image_id": tuple(f"image_id,path,label\n1,{k}a.png,x\n2,{k}b.png,x\n" for k in ("", "images/"))},
        ),
    ],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with four images and a film of two time points."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "data").mkdir()
    for k, name in enumerate(("a.png", "b.png", "c.png", "d.png", "d.tif")):
        Image.fromarray(np.full((40, 60), k, np.uint8)).save(tmp_path / "data" / name)
    film = np.zeros((2, 40, 60), np.uint8)
    tifffile.imwrite(tmp_path / "data" / "film.tif", film, imagej=True, metadata={"axes": "TYX"})
    return tmp_path / "data"


def listed(record: ImageRecord) -> str:
    """Return the file, label, group and pixels of an image, as `IMAGES` and the like have them."""
    plan = record.plan
    marks = f"/{record.group}" if record.group and "region" not in record.stated | {"point"} & record.stated else ""
    marks += "" if plan.region is None else str(list(plan.region)).replace(" ", "")
    marks += f"@{plan.t}" if "t" in record.stated else ""
    marks += "".join(f"+{name}" for name in plan.other_files)
    marks += "".join(f"#{each}" for each in plan.channels or () if "channels" in record.stated)
    stem = record.path.stem if record.in_memory is None else record.image_id
    return f"{stem}:{record.label}{marks}"


def test_each_advice_about_tables_is_followed() -> None:
    sections = ("Tables as files", "Columns of tables", "Rows of tables", "Readings")
    assert codes_with_advice("datasets.ftl", *sections) <= ADVICE.keys() | READINGS.keys()


@pytest.mark.parametrize(
    ("code", "refused", "followed", "images"),
    [
        pytest.param(code, refused, followed, images, id=f"{code}-{k}-{how}")
        for code, cases in ADVICE.items()
        for k, (refused, ways) in enumerate(cases)
        for how, (followed, images) in ways.items()
    ],
)
def test_who_follows_the_advice_gets_the_images(
    code: str, refused: Step, followed: Step, images: tuple[str, ...], folder: Path
) -> None:
    source, options = refused(folder)
    with refusing(CoverslipError, code):
        cs.open_dataset(source, **options)
    source, options = followed(folder)
    assert tuple(map(listed, cs.open_dataset(source, **options).records)) == images


@pytest.mark.parametrize(
    ("code", "refused", "followed"),
    [
        pytest.param(code, refused, followed, id=f"{code}-{k}-{how}")
        for code, cases in READINGS.items()
        for k, (refused, ways) in enumerate(cases)
        for how, followed in ways.items()
    ],
)
def test_who_follows_the_advice_compares_the_readers(
    code: str, refused: tuple[str, ...], followed: tuple[str, ...], tmp_path: Path
) -> None:
    group = "slide" if "group" in code else None
    files = [tmp_path / name for name in ("ada.csv", "bob.csv")]
    for file, content in zip(files, refused, strict=False):
        file.write_text(content)
    with refusing(CoverslipError, code):
        cs.agreement(files[: len(refused) or 2], group=group)
    for file, content in zip(files, followed, strict=True):
        file.write_text(content)
    compared = cs.agreement(files, group=group)
    assert (compared.readers["bob"], compared.pairs[0].agreement.n) == (2, 2)
