"""What a file holds, and the pixels that training gets, on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from test_images_regions import write_pyramid

from coverslip.cli import main
from coverslip.images.decoding import describe_image, read_pixels
from coverslip.images.reader import ReadPlan
from coverslip.messages import text


@pytest.mark.slow
def test_inspect_lists_what_a_file_holds_from_a_process_that_can_be_killed(tmp_path: Path) -> None:
    array = write_pyramid(tmp_path / "a.ome.tif")
    (tmp_path / "b.tif").write_bytes(b"no image at all, but some text")
    command = [sys.executable, "-m", "coverslip", "inspect", "a.ome.tif", "b.tif", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    good, bad = json.loads(done.stdout)["sources"]
    first, second = good["series"]
    assert (first["axes"], first["shape"], first["dtype"]) == ("CYX", list(array.shape), "uint16")
    assert (first["channels"], first["pixel_size_um"]) == (["DAPI", "Alexa 488"], [0.5, 0.5])
    assert first["levels"] == [[512, 512], [256, 256], [128, 128]]
    assert (second["index"], second["shape"]) == (1, [2, 50, 60])
    assert good["error"] is None
    assert (bad["series"], bad["error"]["code"]) == ([], "not-an-image")


def test_read_writes_what_training_gets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array = write_pyramid(tmp_path / "a.ome.tif")
    file, out = str(tmp_path / "a.ome.tif"), tmp_path / "crop.tif"
    choices = ["--channels", "Alexa 488,0", "--level", "1", "--region", "20,40,200,100"]
    assert main(["read", file, *choices, "--out", str(out)]) == 0
    expected = array[::-1, ::2, ::2][:, 20:70, 10:110]
    np.testing.assert_array_equal(tifffile.imread(out), expected)
    plan = ReadPlan(channels=("Alexa 488", 0), level=1, region=(20, 40, 200, 100))
    np.testing.assert_array_equal(read_pixels(out).array, read_pixels(tmp_path / "a.ome.tif", plan).array)
    assert describe_image(out)[0].pixel_size_um == pytest.approx((1.0, 1.0))
    assert str(out) in capsys.readouterr().out


def test_a_region_beyond_the_edge_is_filled_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.arange(1600, dtype=np.uint16).reshape(40, 40))
    file, out = str(tmp_path / "a.tif"), tmp_path / "crop.tif"
    for region, has_note in (("0,0,40,40", False), ("0,0,50,50", True)):
        assert main(["read", file, "--region", region, "--out", str(out)]) == 0
        assert (capsys.readouterr().err != "") == has_note
    assert tifffile.imread(out).shape == (50, 50)


def test_options_of_datasets_are_refused_with_single_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 40), dtype=np.uint8))
    choices = (["--set", "images.z=max"], ["--crop-size", "5"], ["--group", "a"], ["--estimate-leakage"])
    for options in choices:
        assert main(["inspect", str(tmp_path / "a.tif"), *options]) == 2
        assert text("usage-inspect-files") in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "a.tif"), "--json"]) == 0


@pytest.mark.parametrize(
    ("choices", "code"),
    [
        (["--region", "1,2,3"], 2),
        (["--region", "a,b,c,d"], 2),
        (["--z", "top"], 2),
        (["--z", "-1"], 2),
        (["--z", "4"], 1),
        (["--series", "2"], 1),
        (["--channels", "GFP"], 1),
    ],
)
def test_what_a_file_does_not_have_is_refused_and_nothing_is_written(
    tmp_path: Path, choices: list[str], code: int
) -> None:
    write_pyramid(tmp_path / "a.ome.tif")
    assert main(["read", str(tmp_path / "a.ome.tif"), *choices, "--out", str(tmp_path / "crop.tif")]) == code
    assert not (tmp_path / "crop.tif").exists()
