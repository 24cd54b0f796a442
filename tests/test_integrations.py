"""Scripts for other programs that use the ONNX export, run in these programs where they are installed."""

import csv
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import tifffile
from ruamel.yaml import YAML
from trained import draw_objects

import coverslip as cs
from coverslip.inference.export import classify

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
INTEGRATIONS = ROOT / "integrations"
MACRO = INTEGRATIONS / "classify_folder.ijm"


@pytest.fixture
def imagej() -> list[str]:
    """The command of ImageJ; `COVERSLIP_IMAGEJ` names its file, by default that of Debian's package `imagej`."""
    file = Path(os.environ.get("COVERSLIP_IMAGEJ", "/usr/share/java/ij.jar"))
    if not file.is_file() or shutil.which("java") is None:
        pytest.skip("ImageJ is not installed. Run: .ci/programs")
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
    expected = cs.load_classifier(trained, "cpu").predict(files)
    for name in ("predicted", "decision"):
        assert [row[name] for row in rows] == expected[name]


@pytest.fixture
def other_python() -> str:
    """The Python of an environment with napari and bioimageio.core."""
    if not (ROOT / ".programs" / "locked.txt").is_file():
        pytest.skip("napari and bioimageio.core are not installed. Run: .ci/programs")
    return str(ROOT / ".programs" / "bin" / "python")


def test_bioimage_io_core_accepts_the_export_and_reproduces_its_test_arrays(
    other_python: str, trained: cs.Run, tmp_path: Path
) -> None:
    citation = "Kern and Holt 2026, https://doi.org/10.1234/abc"
    authors = ["Ada Kern", "Ben Holt"]
    # The format has names of at least five characters, without dots.
    folder = cs.export(
        trained, to="bioimageio", out=tmp_path / "a.b", authors=authors, license="CC-BY-4.0", citation=citation
    )
    described = YAML(typ="safe").load(folder / "rdf.yaml")
    assert described["name"] == "a_b classifier"
    assert [each["name"] for each in described["authors"]] == authors
    assert described["license"] == "CC-BY-4.0"
    assert described["cite"] == [{"text": citation, "doi": "10.1234/abc"}]
    code = "import sys; from bioimageio.core import test_description as test; print(test(sys.argv[1]).status)"
    command = [other_python, "-c", code, str(folder / "rdf.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.splitlines()[-1:] == ["passed"], done.stdout + done.stderr


_NAPARI = """
import json, sys
import napari, numpy as np
from npe2 import PluginManager, PluginManifest

manifest, export, fields, *folders = sys.argv[1:]
PluginManager.instance().register(PluginManifest.from_file(manifest))
viewer = napari.Viewer(show=False)
stored = np.load(fields)
image = viewer.add_image(stored["field"], name="field")
objects = viewer.add_labels(stored["objects"], name="cells")
_, widget = viewer.window.add_plugin_dock_widget("napari-coverslip", "Classify with coverslip")
widget.export.value, widget.image.value, widget.objects.value = export, image, objects
widget.call_button.native.click()
points = viewer.layers[-1]
print(json.dumps([objects.features.to_dict("records"), points.name, points.data[0].tolist()]))
widget.image.value, widget.objects.value = viewer.add_image(stored["object"]), None
widget.call_button.native.click()
print(json.dumps(viewer.layers[-1].features.to_dict("records")))

sys.path += folders  # of coverslip and its packages, after those of napari
_, live = viewer.window.add_plugin_dock_widget("napari-coverslip", "Label live with coverslip")
live.image.value, live.objects.value, live.crop_size.value = image, objects, 40
live.start.native.click()
points = viewer.layers[-1]
for _ in range(6):
    (row,) = points.selected_data
    live.class_name.value = "ab"[row % 2]
    live.assign.native.click()
print(json.dumps([objects.features.to_dict("records"), points.features["class"].tolist(), live.state.value]))
viewer.close()
"""


@pytest.fixture
def napari(other_python: str) -> list[str]:
    """The command of a Python with napari, on a display."""
    if "DISPLAY" in os.environ:
        return [other_python]
    if (virtual := shutil.which("xvfb-run")) is None:
        pytest.skip("napari needs a display: xvfb-run is not installed. Run: .ci/programs")
    return [virtual, "-a", other_python]


@pytest.mark.parametrize("n_rows", [pytest.param(3), pytest.param(23, marks=pytest.mark.exhaustive)])
def test_objects_have_the_same_classes_in_napari_and_in_its_live_labeling(
    n_rows: int, napari: list[str], objects_job: Path, tmp_path: Path
) -> None:
    pixels, labels = (array[14:, 14:] for array in draw_objects(np.random.default_rng(1), n_rows))  # some are cut
    (tmp_path / "fields").mkdir()
    (tmp_path / "masks").mkdir()
    tifffile.imwrite(tmp_path / "fields" / "field.tif", pixels)
    tifffile.imwrite(tmp_path / "masks" / "field.tif", labels)
    cs.collect_objects(tmp_path / "fields", masks=tmp_path / "masks", out=tmp_path / "objects.csv")
    expected = cs.load_classifier(objects_job / "run", "cpu").predict(tmp_path / "objects.csv")
    regions = [record.plan.region or (0, 0, 0, 0) for record in cs.open_dataset(tmp_path / "objects.csv")]

    export = cs.export(objects_job / "run", to="onnx", out=tmp_path / "objects onnx")
    plan = cs.open_run(objects_job / "run").card.preprocessing.plan.model_dump(mode="json")
    cut = classify.crop(pixels[..., None], regions[0], plan)[..., 0]
    np.savez(tmp_path / "field.npz", field=pixels, objects=labels, object=cut)
    source = INTEGRATIONS / "napari" / "src"
    folders = [ROOT / "src", sysconfig.get_path("purelib")]
    arguments = [source / "napari_coverslip" / "napari.yaml", export, tmp_path / "field.npz", *folders]
    done = subprocess.run(
        [*napari, "-c", _NAPARI, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (rows, name, center), (whole,), (labeled, shown, state) = map(json.loads, done.stdout.splitlines())
    assert [row["index"] for row in rows] == list(range(1, n_rows**2 + 1))
    for column in ("predicted", "decision"):
        assert [row[column] for row in rows] == expected[column]
    assert [row["probability"] for row in rows] == pytest.approx(expected["probability"], abs=1e-4)
    x, y, width, height = regions[0]
    assert (name, center) == ("Classes of cells", [y + (height - 1) / 2, x + (width - 1) / 2])
    assert whole["decision"] == expected["decision"][0]

    crops = [classify.crop(pixels[..., None], region, {"crop_size": 40})[..., 0] for region in regions]
    live = cs.live(crops, device="cpu", emit=lambda event: None)
    for row in (row for row in labeled if row["label"]):
        live.label([live.images.image_ids[row["index"] - 1]], row["label"])
    assert {row["label"] for row in labeled} == {"a", "b", ""}
    assert [row["label"] for row in labeled] == [row.label or "" for row in live.predict()]
    assert [row["predicted"] for row in labeled] == [row.predicted or "" for row in live.predict()]
    assert shown == [row["label"] or row["predicted"] for row in labeled]
    assert live.estimate().n > 0
    assert state.startswith(f"6 labeled;\n{live.estimate().n_right} of {live.estimate().n} ")


@pytest.mark.exhaustive
def test_imagej_shows_why_images_could_not_be_classified_and_writes_no_table(
    imagej: list[str], export: Path, cells: Path, tmp_path: Path
) -> None:
    images = tmp_path / "new"
    images.mkdir()
    shutil.copy(next(cells.rglob("*.png")), images / "a.png")
    (images / "b.png").write_bytes(b"no image")
    subprocess.run([*imagej, f"{sys.executable}|{export}|{images}"], capture_output=True, check=False, timeout=120)
    assert not (images / "predictions.csv").exists()
