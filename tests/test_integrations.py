"""Scripts for other programs that use the ONNX export, run in these programs where they are installed."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import coverslip as cs

pytestmark = pytest.mark.slow

MACRO = Path(__file__).resolve().parent.parent / "integrations" / "classify_folder.ijm"


@pytest.fixture
def imagej() -> list[str]:
    """The command of ImageJ; `COVERSLIP_IMAGEJ` names its file, by default that of Debian's package `imagej`."""
    file = Path(os.environ.get("COVERSLIP_IMAGEJ", "/usr/share/java/ij.jar"))
    if not file.is_file() or shutil.which("java") is None:
        pytest.skip("ImageJ is not installed")
    return ["java", "-Djava.awt.headless=true", "-cp", str(file), "ij.ImageJ", "-batch", str(MACRO)]


@pytest.fixture
def export(trained: cs.Run, tmp_path: Path) -> Path:
    return cs.export(trained, to="onnx", out=tmp_path / "cells onnx")


def test_imagej_classifies_a_folder_as_coverslip_does(
    imagej: list[str], export: Path, trained: cs.Run, cells: Path, tmp_path: Path
) -> None:
    images = tmp_path / "new images"
    images.mkdir()
    for k, file in enumerate(sorted(cells.rglob("*.png"))[::9]):
        shutil.copy(file, images / f"{k}.png")
    (images / "notes.txt").write_text("no image")
    done = subprocess.run(
        [*imagej, f"{sys.executable}|{export}|{images}"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (images / "predictions.csv").is_file(), done.stdout + done.stderr
    rows = list(csv.DictReader((images / "predictions.csv").read_text().splitlines()))
    files = sorted(map(str, images.glob("*.png")))
    assert [row["path"] for row in rows] == files
    assert [row["predicted"] for row in rows] == cs.load_classifier(trained, "cpu").predict(files)["predicted"]


def test_imagej_shows_why_images_could_not_be_classified_and_writes_no_table(
    imagej: list[str], export: Path, cells: Path, tmp_path: Path
) -> None:
    images = tmp_path / "new"
    images.mkdir()
    shutil.copy(next(cells.rglob("*.png")), images / "a.png")
    (images / "b.png").write_bytes(b"no image")
    subprocess.run([*imagej, f"{sys.executable}|{export}|{images}"], capture_output=True, check=False, timeout=120)
    assert not (images / "predictions.csv").exists()
