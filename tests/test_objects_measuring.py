"""Measurements of objects: known shapes and intensities, in the table, in predictions and in exports."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from tables import rows_of

import coverslip as cs
from coverslip.cli import main
from coverslip.events import Event, Noted, ignore
from coverslip.objects.exporting import export_predicted, predicted_objects
from coverslip.objects.measuring import shape_of
from coverslip.objects.table import read_objects

HEIGHT, WIDTH = 120, 160
CHANNELS = ("DAPI", "GFP")


def save_field(folder: Path, name: str = "a") -> np.ndarray:
    """Save a field of two channels with a rectangle, a disk, and a disk that the edge cuts; return the labels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[10:30, 20:50] = 1
    labels[(y - 70) ** 2 + (x - 80) ** 2 <= 30**2] = 2
    labels[(y - 60) ** 2 + x**2 <= 15**2] = 3
    rising = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    for kind in ("fields", "masks"):
        (folder / kind).mkdir(exist_ok=True)
    channels = np.stack([labels * 100 + 5, rising]).astype(np.uint16)
    metadata = {"axes": "CYX", "Channel": {"Name": list(CHANNELS)}}
    tifffile.imwrite(folder / "fields" / f"{name}.ome.tif", channels, ome=True, metadata=metadata)
    tifffile.imwrite(folder / "masks" / f"{name}.tif", labels)
    return labels


def test_measurements_are_those_of_known_pixels(tmp_path: Path) -> None:
    labels, table = save_field(tmp_path), tmp_path / "objects.csv"
    rising = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    assert (
        main(
            ["objects", str(tmp_path / "fields"), "--masks", str(tmp_path / "masks"), "--measure", "--out", str(table)]
        )
        == 0
    )
    rectangle, disk, cut = rows_of(table)
    assert (rectangle["area_px"], rectangle["perimeter_px"], rectangle["solidity"]) == ("600", "96", "1")
    assert float(disk["perimeter_px"]) == pytest.approx(2 * np.pi * 30, rel=0.06)
    assert float(disk["solidity"]) > 0.95
    for row in (rectangle, disk, cut):
        inside = labels == int(row["object_id"])
        assert float(row["area_px"]) == inside.sum()
        assert float(row["intensity_mean DAPI"]) == 5 + 100 * int(row["object_id"])
        assert float(row["intensity_mean GFP"]) == pytest.approx(rising[inside].mean(), rel=1e-9)
        assert float(row["intensity_sum GFP"]) == rising[inside].sum()
    again = read_objects(table)
    assert list(again.measured) == [name for name in rectangle if name.startswith(("area_px", "per", "sol", "int"))]
    assert again.measurements(0)["intensity_sum GFP"] == rising[labels == 1].sum()


@pytest.mark.parametrize("names", [["Ch", "Ch", "Ch"], None])
def test_channels_of_equal_names_and_fluorescence_without_names_are_numbered(
    tmp_path: Path, names: list[str] | None
) -> None:
    labels, table = save_field(tmp_path), tmp_path / "objects.csv"
    values = np.stack([np.full(labels.shape, value, np.uint16) for value in (10, 200, 3000)])
    metadata = {"axes": "CYX", **({"Channel": {"Name": names}} if names else {})}
    file = tmp_path / "fields" / "a.ome.tif"
    tifffile.imwrite(file, values, ome=True, photometric="minisblack", metadata=metadata)
    cs.collect_objects(str(tmp_path / "fields"), masks=tmp_path / "masks", out=table, measure=True, emit=ignore)
    assert [float(rows_of(table)[0][f"intensity_mean {k}"]) for k in (1, 2, 3)] == [10, 200, 3000]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 3))
def test_shapes_do_not_depend_on_place_or_direction(height: int, width: int, margin: int) -> None:
    mask = np.pad(np.ones((height, width), bool), margin)
    area, perimeter, solidity = shape_of(mask)
    assert (area, solidity) == (height * width, pytest.approx(1))
    assert shape_of(mask.T) == pytest.approx((area, perimeter, solidity))
    if min(height, width) > 1:
        assert perimeter == pytest.approx(2 * (height + width) - 4)  # through the centers of the pixels at the edge


def test_measurements_go_into_exports_under_the_names_of_the_other_program(tmp_path: Path) -> None:
    labels, table = save_field(tmp_path), tmp_path / "objects.csv"
    cs.collect_objects(str(tmp_path / "fields"), masks=tmp_path / "masks", out=table, measure=True, emit=ignore)
    objects = read_objects(table)
    rows = dict.fromkeys(list(objects.image_ids)[:2], ("round", 0.75, "round"))
    predicted, _ = predicted_objects(objects, rows, ["round"], ["#0072b2"])
    exports = {"geojson": "a.geojson", "cellprofiler": "a.csv", "coco": "a.json", "labelme": "b.json"}
    for to, name in exports.items():
        export_predicted(predicted, to, tmp_path / name, lambda done, total: None)  # type: ignore[arg-type]
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    measured = [feature["properties"]["measurements"] for feature in features]
    assert [each["area_px"] for each in measured] == [(labels == k).sum() for k in (1, 2, 3)]
    assert [each.get("probability") for each in measured] == [0.75, 0.75, None]
    for name, key in (("a.json", "annotations"), ("b.json", "shapes")):
        written_values = [each["measurements"] for each in json.loads((tmp_path / name).read_text())[key]]
        assert [each["area_px"] for each in written_values] == [each["area_px"] for each in measured]
    assert [row["Intensity_MeanIntensity_DAPI"] for row in rows_of(tmp_path / "a.csv")] == ["105", "205", "305"]


def test_objects_of_a_field_that_cannot_be_read_have_shapes_and_a_note(tmp_path: Path) -> None:
    save_field(tmp_path)
    save_field(tmp_path, "b")
    damaged, table = tmp_path / "fields" / "b.ome.tif", tmp_path / "objects.csv"
    with tifffile.TiffFile(damaged) as file:
        n_bytes = file.pages[0].dataoffsets[0] + 10  # type: ignore[union-attr]
    damaged.write_bytes(damaged.read_bytes()[:n_bytes])
    events: list[Event] = []
    cs.collect_objects(str(tmp_path / "fields"), masks=tmp_path / "masks", out=table, measure=True, emit=events.append)
    assert [event.code for event in events if isinstance(event, Noted)] == ["field-not-measured"]
    rows = rows_of(table)
    assert [row["area_px"] for row in rows[:3]] == [row["area_px"] for row in rows[3:]]
    assert [bool(row["intensity_mean DAPI"]) for row in rows] == [True] * 3 + [False] * 3
