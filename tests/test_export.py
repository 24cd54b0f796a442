"""Exports for other programs reproduce the classifier, from raw file to label, or are refused."""

import csv
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from parameters import only_first
from PIL import Image
from ruamel.yaml import YAML
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import CoverslipError
from coverslip.files import sha256_file
from coverslip.images.decoding import read_pixels
from coverslip.images.preprocessing import Preprocessing, Scaling, preprocess
from coverslip.inference import Classifier
from coverslip.inference.export import EXPORT_FORMATS, Attribution, OpenedExport, export_to, verify
from coverslip.inference.export.exporting import ExportContent, VerificationImages
from coverslip.models import list_models
from coverslip.models.networks import create_network
from coverslip.pipeline import ExportName
from coverslip.runs.classifier import ClassifierCard, TrainedOn, open_classifier, write_classifier
from coverslip.runs.folder import Run

ROOT = Path(__file__).resolve().parent.parent
READER = ROOT / "src" / "coverslip" / "inference" / "export" / "classify.py"


@pytest.mark.slow
@pytest.mark.parametrize("to", EXPORT_FORMATS)
def test_an_export_reproduces_the_classifier_at_every_batch_size(to: str, trained: Run, tmp_path: Path) -> None:
    verification = export_to(trained, to, tmp_path / "out")
    assert verification.passed
    assert verification.n == sum(row.split == "val" for row in trained.split)
    report = json.loads((tmp_path / "out" / "verification.json").read_text())
    assert report["passed"]
    assert report["max_logit_difference_sd"] == verification.max_logit_difference_sd < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    export, classifier = OpenedExport(tmp_path / "out"), cs.load_classifier(trained, "cpu")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (17, 48, 48, 3), dtype=np.uint8)
    expected = classifier.predict_pixels(pixels)
    for n in (1, 3, 17):
        outputs = export.predict_pixels(pixels[:n])
        np.testing.assert_allclose(outputs.probabilities, expected.probabilities[:n], atol=1e-4)
        np.testing.assert_allclose(outputs.features, expected.features[:n], atol=1e-3)


@pytest.mark.slow
def test_a_run_whose_images_were_moved_is_exported_and_says_so(
    own_run: Run, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = own_run.environment_file
    environment.write_text(environment.read_text().replace(str(cells), str(tmp_path / "moved")))
    assert main(["export", str(own_run.folder), "--to", "onnx", "--out", str(tmp_path / "out"), "--json"]) == 0
    verification = json.loads(capsys.readouterr().out)["verification"]
    assert (verification["are_drawn"], verification["passed"], verification["n_files"]) == (True, True, 0)
    assert verification["n"] == 64


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [record.name for record in list_models()])
def test_every_trained_network_is_exported_exactly_at_every_batch_size(
    name: str, shared_data: Callable[[str], Path]
) -> None:
    shared_data("blood_pbc")
    script = ROOT / "benchmarks" / "exported_networks.py"
    done = subprocess.run([sys.executable, str(script), name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_reference_reader_gives_the_classifier_s_labels_without_coverslip(trained: Run, tmp_path: Path) -> None:
    folder = cs.export(trained, to="onnx", out=tmp_path / "cells")
    assert json.loads((folder / "verification.json").read_text())["n_files"] > 0
    classifier = cs.load_classifier(trained, "cpu")
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    table = classifier.predict([trained.environment.opened.sources[0], tmp_path / "noise.png"])
    files = table["path"]
    block = "import runpy, sys; sys.modules['coverslip'] = sys.modules['torch'] = None; del sys.argv[0]; "
    run = [sys.executable, "-I", "-c", block + "runpy.run_path(sys.argv[0], run_name='__main__')"]
    done = subprocess.run(
        [*run, "classify.py", "model.onnx", *map(str, files)], cwd=folder, capture_output=True, text=True, check=True
    )
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["path"] for row in rows] == files
    assert [row["predicted"] for row in rows] == table["predicted"]
    assert [row["decision"] for row in rows] == table["decision"]
    assert "unfamiliar" in table["decision"]
    np.testing.assert_allclose([float(row["probability"]) for row in rows], table["probability"], atol=1e-5)  # type: ignore[arg-type]  # numbers


@pytest.mark.slow
def test_the_metadata_holds_classes_thresholds_and_card(trained: Run, tmp_path: Path) -> None:
    import onnx

    folder = cs.export(trained, to="onnx", out=tmp_path / "cells")
    properties = onnx.load(folder / "model.onnx").metadata_props
    metadata = {each.key: json.loads(each.value) for each in properties}
    card = trained.card
    assert card is not None
    assert metadata["classes"] == list(card.classes)
    assert metadata["thresholds"]["uncertain_below"] == card.uncertain_below
    assert metadata["classifier"]["temperature"] == card.temperature
    assert metadata["model_card"] == trained.model_card_file.read_text()
    assert metadata["resampling"] == {
        "filter": "triangle",
        "is_antialiased": True,
        "border": "median of outermost pixels",
    }
    check_test_image(folder)


def check_test_image(folder: Path) -> None:
    """Check that the reference reader and ONNX Runtime give the stated pixels and outputs of the test image."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx")
    preprocessing = json.loads(session.get_modelmeta().custom_metadata_map["preprocessing"])
    stated = json.loads((folder / "test.json").read_text())
    pixels = np.fromfile(folder / stated["pixels"], stated["depth"]).reshape(stated["shape"])
    read = runpy.run_path(str(folder / "classify.py"))["read"](str(folder / stated["image"]), preprocessing)
    np.testing.assert_array_equal(read, pixels)
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(None, {"pixels": pixels[None]}), strict=True))
    np.testing.assert_allclose(outputs["probabilities"][0], stated["probabilities"], atol=1e-6)
    assert (stated["ood_score"] is None) == ("ood_score" not in outputs)
    if "ood_score" in outputs:
        np.testing.assert_allclose(outputs["ood_score"][0], stated["ood_score"], rtol=1e-4)


@pytest.mark.slow
def test_the_description_for_bioimage_io_names_its_files_and_reproduces_its_test_arrays(
    trained: Run, tmp_path: Path
) -> None:
    folder = cs.export(trained, to="bioimageio", out=tmp_path / "cells (1)")
    described = YAML(typ="safe").load(folder / "rdf.yaml")
    outputs = OpenedExport(folder).predict_pixels(np.load(folder / "test_input.npy"))
    assert [each["id"] for each in described["outputs"]] == ["probabilities", "logits", "features", "ood_score"]
    for each, array in zip(described["outputs"], outputs, strict=True):
        np.testing.assert_allclose(np.load(folder / each["test_tensor"]["source"]), array, rtol=1e-4)  # type: ignore[arg-type]  # all there
    named = [described["weights"]["onnx"], *described["attachments"]]
    named += [each["test_tensor"] for each in (*described["inputs"], *described["outputs"])]
    assert all(sha256_file(folder / each["source"]) == each["sha256"] for each in named)
    assert "&" not in (folder / "rdf.yaml").read_text().split("config:")[0]  # no aliases


@pytest.mark.parametrize(
    ("to", "attribution", "code"),
    [
        ("onnx", {"license": "MIT"}, "export-without-attribution"),
        ("zip", {"authors": ["Ada Kern"]}, "export-without-attribution"),
        ("bioimageio", {"authors": [" "]}, "export-author-invalid"),
        ("bioimageio", {"license": "CC BY 4.0"}, "export-license-invalid"),
        ("bioimageio", {"citation": "Kern 2026"}, "export-citation-without-link"),
    ],
)
def test_an_invalid_attribution_is_refused(
    trained: Run,
    tmp_path: Path,
    to: ExportName,
    attribution: dict[str, Any],  # Any: an argument
    code: str,
) -> None:
    with pytest.raises(CoverslipError) as refused:
        cs.export(trained, to=to, out=tmp_path / "out", **attribution)
    assert refused.value.code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("citation", "link"),
    [
        ("Kern and Holt 2026 (https://doi.org/10.1234/a.b-c).", {"doi": "10.1234/a.b-c"}),
        ("See https://cells.example/2026/.", {"url": "https://cells.example/2026/"}),
    ],
)
def test_a_citation_names_its_doi_or_address(citation: str, link: dict[str, str]) -> None:
    assert Attribution(citation=citation).described()["cite"] == [{"text": citation, **link}]


def changed(content: ExportContent, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    backbone = content.classifier.backbone
    content.classifier.backbone = replace(backbone, arrays={**backbone.arrays, name: change(backbone.arrays[name])})


def swap_channels(content: ExportContent) -> None:
    arrays = content.classifier.backbone.arrays  # in any order
    first = next(name for name, each in arrays.items() if each.shape[1:2] == (3,) and len(each) > 1)
    changed(content, first, lambda filters: filters[:, ::-1].copy())


def change_mean(content: ExportContent) -> None:
    changed(content, "mean", lambda mean: mean + np.float32(0.02))


def kill_a_layer(content: ExportContent) -> None:
    last = max(name for name, each in content.classifier.backbone.arrays.items() if each.ndim == 4 and len(each) > 1)
    changed(content, last, np.zeros_like)


FAULTS: tuple[Callable[[ExportContent], None], ...] = (swap_channels, change_mean, kill_a_layer)


@pytest.mark.slow
@pytest.mark.parametrize("plant", only_first(1, FAULTS))
def test_a_network_with_a_planted_fault_is_refused_and_leaves_nothing(
    plant: Callable[[ExportContent], None], trained: Run, tmp_path: Path
) -> None:
    def write(content: ExportContent, folder: Path) -> None:
        plant(content)
        EXPORT_FORMATS["onnx"](content, folder)

    with pytest.raises(CoverslipError) as refused:
        export_to(trained, "onnx", tmp_path / "out", {"onnx": write})
    assert refused.value.code == "export-refused"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_reader_that_resizes_with_aligned_corners_is_refused_and_leaves_nothing(trained: Run, tmp_path: Path) -> None:
    def write(content: ExportContent, folder: Path) -> None:
        EXPORT_FORMATS["onnx"](content, folder)
        reader = folder / "classify.py"
        box = "(0.5, 0.5, width - 0.5, height - 0.5)"
        changed = reader.read_text().replace("Image.Resampling.BILINEAR, box", f"Image.Resampling.BILINEAR, {box}")
        assert changed != reader.read_text()
        reader.write_text(changed)

    with pytest.raises(CoverslipError) as refused:
        export_to(trained, "onnx", tmp_path / "out", {"onnx": write})
    assert refused.value.code == "export-refused"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("to", EXPORT_FORMATS)
def test_sixteen_bit_pixels_two_channels_and_eight_copies_are_exported(to: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = create_network(SMALL_NETWORK, n_classes=3, channels=2, pretrained=False, image_size=32)
    card = ClassifierCard(
        model=SMALL_NETWORK,
        model_options={},
        head="multi_layer",
        tta=8,
        classes=("a", "b", "c"),
        prior=(0.2, 0.3, 0.5),
        preprocessing=Preprocessing(image_size=32, channels=2, depth="uint16"),
        temperature=0.1,
        operating_points=(0.2, 0.5, 0.4),
        uncertain_below=0.0,
        trained_on=TrainedOn(
            n_images=9,
            n_groups=None,
            width_px=(20, 20),
            height_px=(20, 20),
            usual_area_px=400,
            dtypes=("uint16",),
            channels=(2,),
        ),
    )
    write_classifier(tmp_path / "of", card, network.weights())
    packed = open_classifier(tmp_path / "of")
    pixels = np.random.default_rng(0).integers(0, 60_000, (23, 32, 32, 2), dtype=np.uint16)
    classifier = Classifier(packed)
    images = VerificationImages(pixels, classifier.predict_pixels(pixels), {})
    (tmp_path / "out").mkdir()
    EXPORT_FORMATS[to](ExportContent(classifier, "of", "", Attribution()), tmp_path / "out")
    verification = verify(tmp_path / "out", images, card)
    assert verification.passed
    assert verification.max_logit_difference_sd < 1e-4
    check_test_image(tmp_path / "out")


MODES = {"L": 1, "RGB": 3, "RGBA": 4, "P": 3, "LA": 2, "1": 1, "I;16": 1}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"pad_color": "black"},
        {"resize": "stretch"},
        {"resize": "crop"},
        {"resize": "canvas", "canvas_px": 60},
        {"depth": "uint16", "scaling": "training-range"},
        {"depth": "uint16", "pad_color": "white"},
    ],
    ids=str,
)
def test_the_reference_reader_reads_exactly_what_coverslip_reads(
    mode: str, channels: int, choices: dict[str, object], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(1)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 60_000, (23, 41), dtype=np.uint16))
    else:
        color = Image.fromarray(rng.integers(0, 256, (23, 41, 3), dtype=np.uint8))
        image = color.convert("L").convert(mode) if mode == "LA" else color.convert(mode)
    image.save(file := tmp_path / "image.png")
    ranges = {"uint8": ((20, 200),) * channels, "uint16": ((900, 40_000),) * channels}
    scaling = Scaling(mode="training-range", ranges=ranges) if "scaling" in choices else Scaling()
    preprocessing = Preprocessing.model_validate(
        {**choices, "image_size": 32, "channels": channels, "scaling": scaling}
    )
    expected = preprocess(read_pixels(file).array, preprocessing)
    read = runpy.run_path(str(READER))["read"](str(file), preprocessing.model_dump(mode="json"))
    assert read.dtype == expected.dtype
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_the_reference_reader_reads_a_page_for_each_channel(channels: int, dtype: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pages = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, (channels, 23, 41)).astype(dtype)
    tifffile.imwrite(file := tmp_path / "channels.tif", pages, imagej=True, metadata={"axes": "CYX"})
    ranges = {dtype: tuple((20 + k, np.iinfo(dtype).max - 9) for k in range(channels))}
    preprocessing = Preprocessing(
        image_size=32, channels=channels, depth="uint16", scaling=Scaling(mode="training-range", ranges=ranges)
    )
    read = runpy.run_path(str(READER))["read"](str(file), preprocessing.model_dump(mode="json"))
    np.testing.assert_array_equal(read, preprocess(read_pixels(file).array, preprocessing))
    with pytest.raises(ValueError, match="coverslip"):
        runpy.run_path(str(READER))["read"](str(file), Preprocessing(image_size=32, channels=1).model_dump(mode="json"))


def test_the_reader_refuses_what_it_cannot_read_as_coverslip_does(tmp_path: Path) -> None:
    read = runpy.run_path(str(READER))["read"]
    deep = np.full((9, 9, 3), 4_000, np.uint16)
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    tifffile.imwrite(tmp_path / "pages.tif", deep[..., 0:1].repeat(2, axis=2).transpose(2, 0, 1))
    tifffile.imwrite(tmp_path / "inverted.tif", deep[..., 0], photometric="miniswhite")
    Image.new("CMYK", (9, 9)).save(tmp_path / "cmyk.jpg")
    for name in ("deep.png", "pages.tif", "inverted.tif", "cmyk.jpg"):
        for channels in (1, 3):
            with pytest.raises(ValueError, match="coverslip"):
                read(str(tmp_path / name), Preprocessing(image_size=32, channels=channels).model_dump(mode="json"))
    Image.new("RGB", (9, 9)).save(file := tmp_path / "image.png")
    plans: list[dict[str, object]] = [{"plan": {"z": "max"}}, {"plan": {"crop_size": "9 um"}}]
    for choices in ({"scaling": Scaling(mode="per-image")}, *plans, {"channels": 2}, {"degradation": {"blur": 2}}):
        preprocessing = Preprocessing.model_validate({"image_size": 32, **choices})
        with pytest.raises(ValueError, match="coverslip"):
            read(file, preprocessing.model_dump(mode="json"))


@pytest.mark.slow
def test_the_command_exports_a_folder_and_refuses_a_classifier_without_its_run(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cells"
    assert main(["export", str(trained.folder), "--to", "onnx", "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["verification"]["passed"]
    assert printed["size_bytes"] == sum(file.stat().st_size for file in out.iterdir())
    assert main(["export", str(trained.folder), "--to", "onnx", "--out", str(out)]) == 1
    file = cs.export(trained, out=tmp_path / "cells.coverslip")
    for to in EXPORT_FORMATS:
        with pytest.raises(CoverslipError) as refused:
            cs.export(file, to=to, out=tmp_path / "other")  # type: ignore[arg-type]  # a name of a format
        assert refused.value.code == "export-needs-run"
    assert not (tmp_path / "other").exists()
    assert main(["export", str(trained.folder), "--to", "docx"]) == 2
