"""Images with a file for each channel: recognized by names or columns, suggested, trained on and predicted."""

import csv
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from refusing import fault_in_line, note_of, refusing
from tables import downloaded
from typer.testing import CliRunner

import coverslip as cs
from coverslip.cli import app
from coverslip.datasets.quality.scanning import Unreadable, scan_images
from coverslip.images.decoding import decode_in_processes, read_pixels
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reader import ReadPlan
from coverslip.messages import Set, message

MARKS = ("_w1", "_w2")
IN_TWO_FILES = ReadPlan(channel_files=MARKS)


def write_stains(folder: Path, n: int = 3, marks: tuple[str, ...] = MARKS) -> Path:
    """Two classes that differ by the second stain alone; a class folder each, `n` images, a gray file per stain."""
    from tifffile import imwrite

    rng = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 160)):
        (folder / label).mkdir(parents=True)
        for k in range(n):
            for mark, mean in zip(marks, (100, level), strict=True):
                imwrite(folder / label / f"{label}{k}{mark}.tif", rng.integers(mean, mean + 40, (12, 14), np.uint8))
    return folder


def test_files_of_one_image_are_read_as_its_channels_in_the_requested_order(tmp_path):
    folder = write_stains(tmp_path)
    data = cs.open_dataset(folder, plan=ReadPlan(channel_files=MARKS[::-1]))
    assert [record.image_id for record in data.records[:2]] == ["dark/dark0_w2.tif", "dark/dark1_w2.tif"]
    assert [record.label for record in data.records] == ["dark"] * 3 + ["light"] * 3
    apart = [read_pixels(folder / "dark" / f"dark0{mark}.tif").array for mark in MARKS[::-1]]
    np.testing.assert_array_equal(data[0].read().array, np.concatenate(apart, axis=2))
    box = data[0].plan.model_copy(update={"region": (1, 2, 5, 6), "channels": (1,)})
    np.testing.assert_array_equal(read_pixels(data[0].path, box).array, apart[1][2:8, 1:6])
    with decode_in_processes():
        np.testing.assert_array_equal(data[0].read().array, np.concatenate(apart, axis=2))
    marks = ", ".join(f"'{mark}'" for mark in MARKS[::-1])
    assert note_of(data.notes, "channel-files").parameters == {"n_files": 12, "n_images": 6, "marks": marks}


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"region": (20, 40, 50, 30)},
        {"region": (20, 40, 50, 30), "crop_margin": 0.1},
        {"region": (60, 60, 9, 9), "crop_size": "16 um"},
    ],
)
def test_a_level_of_several_files_is_that_of_each_file(tmp_path: Path, part: dict[str, object]) -> None:
    from tifffile import TiffWriter

    rng = np.random.default_rng(0)
    for name in ("a.tif", "b.tif"):
        pixels = rng.integers(0, 256, (128, 192), np.uint8)
        with TiffWriter(tmp_path / name, ome=True) as writer:
            about = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
            writer.write(pixels, subifds=1, tile=(32, 32), metadata=about)
            writer.write(pixels[::2, ::2], subfiletype=1, tile=(32, 32))
    plan = ReadPlan(level=1, **part)
    files = [read_pixels(tmp_path / name, plan) for name in ("a.tif", "b.tif")]
    image = read_pixels(tmp_path / "a.tif", plan.model_copy(update={"other_files": ("b.tif",)}))
    np.testing.assert_array_equal(image.array, np.concatenate([each.array for each in files], axis=2))
    assert image.pixel_size_um == files[0].pixel_size_um == (1.0, 1.0)


def test_images_of_several_files_are_alike_only_where_all_their_channels_are(tmp_path):
    folder = write_stains(tmp_path)
    shutil.copy(folder / "dark" / "dark0_w1.tif", folder / "dark" / "dark1_w1.tif")  # the second channels differ
    for mark in MARKS:
        shutil.copy(folder / "light" / f"light0{mark}.tif", folder / "light" / f"light1{mark}.tif")
    (folder / "dark" / "dark2_w2.tif").write_bytes(b"torn")
    apart, whole = cs.open_dataset(folder), cs.open_dataset(folder, plan=IN_TWO_FILES)
    place = {record.path: k for k, record in enumerate(apart.records)}
    files = [[place[file] for file in record.plan.files(record.path)] for record in whole.records]
    joined, seen = scan_images(apart).joined(files), scan_images(whole)
    assert joined.equal_pixels == seen.equal_pixels == ((3, 4),)
    assert [isinstance(facts, Unreadable) for facts in joined.facts] == [False, False, True, False, False, False]
    for facts_of_image, other in zip(joined.facts, seen.facts, strict=True):
        if isinstance(facts_of_image, PixelFacts):
            assert (facts_of_image.n_channels, facts_of_image.width_px, facts_of_image.low) == (
                other.n_channels,
                other.width_px,
                other.low,
            )
    clusters = replace(scan_images(apart), near_duplicates=((0, 2), (6, 8), (7, 9))).joined(files)
    assert clusters.near_duplicates == ((3, 4),)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [("_w1", message("no-such-image")), ("_w2", message("channel-file-missing", name="dark1_w2.tif"))],
)
def test_an_image_without_one_of_its_files_stays_as_one_that_cannot_be_read(tmp_path, missing, reason):
    folder = write_stains(tmp_path)
    (folder / "dark" / f"dark1{missing}.tif").unlink()
    data = cs.open_dataset(folder, plan=IN_TWO_FILES)
    assert [record.image_id for record in data.records[:3]] == [f"dark/dark{k}_w1.tif" for k in range(3)]
    facts = scan_images(data).facts
    assert facts[1] == Unreadable(reason)
    assert sum(isinstance(fact, PixelFacts) and fact.n_channels == 2 for fact in facts) == 5


def test_files_of_other_sizes_or_without_a_mark_are_reported(tmp_path):
    from tifffile import imwrite

    folder = write_stains(tmp_path)
    imwrite(folder / "dark" / "dark1_w2.tif", np.zeros((12, 15), np.uint8))
    imwrite(folder / "dark" / "extra_w10.tif", np.zeros((12, 14), np.uint8))
    data = cs.open_dataset(folder, plan=IN_TWO_FILES)
    sizes = {"width": 14, "height": 12, "other_width": 15, "other_height": 12}
    reason = message("channel-files-differ", dtype="uint8", other_dtype="uint8", **sizes)
    assert Unreadable(reason) in scan_images(data).facts
    assert [note.code for note in data.notes] == ["channel-files", "no-channel-mark"]
    assert len(data) == 7


def test_a_changed_file_of_any_channel_is_read_again(tmp_path):
    from tifffile import imwrite

    data = cs.open_dataset(write_stains(tmp_path), plan=IN_TWO_FILES)
    before = scan_images(data).facts[0]
    imwrite(tmp_path / "dark" / "dark0_w2.tif", np.zeros((12, 14), np.uint8))
    after = scan_images(data).facts[0]
    assert before.pixel_hash != after.pixel_hash


def test_the_label_of_the_first_channel_counts_where_they_differ(tmp_path):
    table = write_stains(tmp_path) / "labels.csv"
    table.write_text("path,label\ndark/dark0_w2.tif,other\ndark/dark0_w1.tif,dark\nlight/light0_w1.tif,light\n")
    data = cs.open_dataset(table, plan=IN_TWO_FILES)
    assert [record.label for record in data.records] == ["dark", "light"]
    assert [note.code for note in data.notes] == ["channel-files", "unlike-channel-labels"]


def test_repeated_names_are_distinguished_alike_whatever_is_read_of_the_files(tmp_path):
    table = write_stains(tmp_path) / "labels.csv"
    table.write_text(
        "path,label,image_id\ndark/dark0_w1.tif,dark,cell\ndark/dark0_w2.tif,dark,cell\nlight/light0_w1.tif,light,cell\n"
    )
    ids = [record.image_id for record in cs.open_dataset(table).records]
    assert ids == [f"cell ({name})" for name in ("dark/dark0_w1.tif", "dark/dark0_w2.tif", "light/light0_w1.tif")]
    of_one_channel = cs.open_dataset(table, plan=ReadPlan(channels=(0,)))
    assert [record.image_id for record in of_one_channel.records] == ids
    joined = cs.open_dataset(table, plan=IN_TWO_FILES)
    assert [record.image_id for record in joined.records] == [ids[0], ids[2]]


def test_columns_of_a_table_name_the_files_of_channels(tmp_path):
    folder = write_stains(tmp_path)
    (folder / "t.csv").write_text(
        "channel_1,channel_2,label\n"
        "dark/dark0_w1.tif,light/light0_w2.tif,a\n"
        f"light/light1_w1.tif,{folder / 'dark/dark1_w2.tif'},b\n"
        "light/light2_w1.tif,,b\n"
    )
    data = cs.open_dataset(folder / "t.csv")
    assert [record.plan.other_files for record in data.records] == [
        ("../light/light0_w2.tif",),
        ("../dark/dark1_w2.tif",),
        (),
    ]
    assert [record.read().array.shape[2] for record in data.records] == [2, 2, 1]
    assert data.read_with(ReadPlan(z="max"))[0].read().array.shape[2] == 2


@pytest.mark.parametrize(
    ("header", "row", "code", "parameters"),
    [
        ("channel_1,channel_3,label", "a.tif,b.tif,x", "gap-in-channel-columns", {}),
        (
            "channel_1,channel_2,channel_3,label",
            "a.tif,,b.tif,x",
            "invalid-rows",
            {"rows": fault_in_line(2, "channel-file-empty", channel=2)},
        ),
    ],
)
def test_gaps_between_channels_in_a_table_are_refused(tmp_path, header, row, code, parameters):
    (tmp_path / "t.csv").write_text(f"{header}\n{row}\n")
    with refusing(cs.CoverslipError, code, **parameters):
        cs.open_dataset(tmp_path / "t.csv")


def test_columns_of_measurements_beside_the_path_are_no_files(tmp_path):
    folder = write_stains(tmp_path)
    (folder / "t.csv").write_text("path,label,channel_1,channel_2\ndark/dark0_w1.tif,a,0.5,0.7\n")
    data = cs.open_dataset(folder / "t.csv")
    assert data[0].plan == ReadPlan()
    assert "channel-columns" in {note.code for note in data.notes}


@pytest.mark.parametrize(
    "marks",
    [("_w1", "_w2"), ("_ch00", "_ch01"), ("_C0", "_C1"), ("_channel1", "_channel2"), ("_w1DAPI", "_w2GFP")],
)
def test_names_that_pair_up_are_proposed_as_channels(tmp_path, marks):
    finding = cs.inspect(write_stains(tmp_path, marks=marks)).of("channel-files")[0]
    assert finding.remedies == (Set("channel_files", list(marks)),)
    assert (finding.parameters["n_files"], finding.parameters["n"]) == (12, 6)
    joined = cs.inspect(tmp_path, cs.Recipe(channel_files=marks))
    assert (joined.n_images, joined.channels) == (6, {"2": 6})
    assert not joined.of("channel-files")


def test_cells_and_wells_that_are_numbered_are_not_taken_for_channels(tmp_path):
    from tifffile import imwrite

    for k in range(12):
        folder = tmp_path / f"class{k % 2}"
        folder.mkdir(exist_ok=True)
        imwrite(folder / f"slide{k // 6}_c{k}.tif", np.full((8, 8), k, np.uint8))
    assert not cs.inspect(tmp_path).of("channel-files")


@pytest.mark.slow
def test_ten_thousand_files_pair_in_a_second(tmp_path):
    write_stains(tmp_path, n=1)
    rows = [f"dark/cell{k}{mark}.tif,dark" for k in range(5_000) for mark in MARKS]
    (tmp_path / "t.csv").write_text("\n".join(["path,label", "dark/dark0_w1.tif,dark", *rows]))
    data = cs.open_dataset(tmp_path / "t.csv")
    began = time.process_time()
    joined = cs.open_dataset(tmp_path / "t.csv", plan=IN_TWO_FILES)
    paired = time.process_time() - began
    assert (len(data), len(joined)) == (10_001, 5_001)
    assert paired < 2


@pytest.mark.slow
def test_the_app_proposes_pairs_splits_them_and_keeps_to_its_folders(tmp_path):
    from image_sets import App, in_lists, workspace_in

    app = App(workspace_in(tmp_path))
    folder = write_stains(tmp_path / "images", n=8)
    where = f"datasets/{app.open(folder)['id']}"
    findings = {finding["code"]: finding for finding in app.get(f"{where}/inspection")["findings"]}
    setting = findings["channel-files"]["remedies"][0]
    recipe = {setting["key"]: setting["value"], "split": {"folds": 0}}
    split = app.preview("split", where, recipe=recipe)
    assert sum(part["n"] for part in split["parts"]) == 16

    (folder / "t.csv").write_text(
        "channel_1,channel_2,label\ndark/dark0_w1.tif,dark/dark0_w2.tif,a\n"
        "dark/dark1_w1.tif,/etc/hostname,b\ndark/dark2_w1.tif,dark/dark2_w2.tif,b\n"
    )
    table = app.open(folder / "t.csv")
    assert table["n_unreadable"] == 1
    where = f"datasets/{table['id']}"
    image = f"{in_lists(where)}/rows/{app.rows(where)[0]}"
    assert app.get(image)["n_channels"] == 2
    assert app.client.get(f"/api/v1/{image}/overview?display=1:ffffff").status_code == 200
    exported = downloaded(app.client.get(f"/api/v1/datasets/{table['id']}/download/labels")).splitlines()
    assert exported[0] == "path,image_id,label,channel_2"
    assert exported[1].endswith(f",{folder / 'dark/dark0_w2.tif'}")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_only_the_second_file_shows_is_learnt_and_predicted_from_pairs(tmp_path, own_cache):
    from trained import INSTANT

    folder = write_stains(tmp_path / "images", n=16)
    recipe = INSTANT.model_copy(update={"channel_files": MARKS, "image_size": 32})
    run = cs.train(cs.open_dataset(folder), recipe, out=tmp_path / "run")
    assert run.metrics["accuracy"].value == 1
    new = write_stains(tmp_path / "new", n=2)
    (new / "light" / "light1_w2.tif").unlink()
    out = tmp_path / "p.csv"
    done = CliRunner().invoke(app, ["predict", str(tmp_path / "run"), str(new), "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(out.open()))
    assert [row["predicted"] for row in rows] == ["dark", "dark", "light", ""]
    assert rows[3]["decision"] == "unreadable"
    assert rows[3]["reason"] == "The file of a channel, 'light1_w2.tif', is missing"
    measured = cs.evaluate(tmp_path / "run", cs.open_dataset(folder))
    assert len(measured.predictions) == 32
