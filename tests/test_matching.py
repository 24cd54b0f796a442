"""Matching of the images of several laboratories: the same zoom and stain by all doors."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from PIL import Image

import coverslip as cs
from coverslip.errors import BadRecipe
from coverslip.images.preprocessing import LAB_MEAN, LAB_SD, Matching, Preprocessing, _lab_of, preprocess
from coverslip.inference.export.graph import _matched_colors

CLASSIFY = Path(cs.__file__).parent / "inference/export/classify.py"


def test_lab_is_that_of_the_standard() -> None:
    rgb = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]], np.float32)
    of_standard = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(_lab_of(rgb)[0], of_standard, atol=0.01)


def test_a_fixed_stain_removes_that_of_the_laboratory() -> None:
    image = np.random.default_rng(0).integers(100, 156, (40, 40, 3), dtype=np.uint8)
    matching = Matching(has_fixed_stain=True)
    matched = matching.colors(image)
    lab = _lab_of(matched / np.float32(255))
    np.testing.assert_allclose(lab.mean(axis=(0, 1)), LAB_MEAN, atol=0.6)
    np.testing.assert_allclose(lab.std(axis=(0, 1)), LAB_SD, atol=0.6)
    darker = np.rint(image * [0.8, 0.7, 0.9]).astype(np.uint8)
    pairs = ((darker, image), (matching.colors(darker), matched))
    before, after = (abs(first.astype(float) - second).mean() for first, second in pairs)
    assert after < 5 < 20 < before


def test_an_image_of_one_color_has_no_noise_to_amplify() -> None:
    flat = np.full((20, 20, 3), 90, np.uint8)
    flat[3, 3] = 91
    assert np.ptp(Matching(has_fixed_stain=True).colors(flat)[..., 0].astype(int)) <= 20


def test_zoom_shows_the_center() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 60, 3), dtype=np.uint8)
    zoomed = preprocess(image, Preprocessing(image_size=50, matching=Matching(zoom=2)))
    padded = np.pad(image, ((0, 0), (20, 20), (0, 0)))
    np.testing.assert_array_equal(zoomed, padded[25:75, 25:75])


@pytest.mark.parametrize("resize", ["pad", "stretch", "crop", "canvas"])
def test_a_reader_without_coverslip_zooms_alike(resize: str) -> None:
    resized = runpy.run_path(str(CLASSIFY))["resize"]
    rng = np.random.default_rng(0)
    for zoom in (1, 1.37, 2.5):
        for image in (rng.integers(0, 256, (100, 61, 3), np.uint8), rng.integers(0, 65536, (37, 80, 3), np.uint16)):
            preprocessing = Preprocessing.model_validate(
                {
                    "image_size": 50,
                    "resize": resize,
                    "canvas_px": 90 if resize == "canvas" else None,
                    "depth": image.dtype.name,
                    "matching": {"zoom": zoom, "has_fixed_stain": True},
                }
            )
            expected = preprocess(image, preprocessing.before_colors)
            np.testing.assert_array_equal(resized(image, preprocessing.model_dump(mode="json")), expected)


def test_a_stain_needs_three_channels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="three channels"):
        Preprocessing(image_size=50, channels=1, matching=Matching(has_fixed_stain=True))
    rng = np.random.default_rng(0)
    for k in range(40):
        file = tmp_path / "gray" / "ab"[k % 2] / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(file)
    with pytest.raises(BadRecipe) as refused:
        cs.train(tmp_path / "gray", cs.Recipe.model_validate({"match": {"stain": True}}), out=tmp_path / "run")
    assert refused.value.code == "color-changes-on-other-channels"


@pytest.mark.slow
@pytest.mark.parametrize("is_inverted", [False, True])
def test_the_graph_of_an_export_changes_colors_as_coverslip_does(
    shared_data: Callable[[str], Path], is_inverted: bool
) -> None:
    import onnx
    import onnxruntime

    matching = Matching(has_fixed_stain=True, is_inverted=is_inverted)
    graph = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 18]> colors (uint8[n, h, w, 3] pixels) => (float[n, h, w, 3] matched) {{
            numbers = Cast<to = 1>(pixels) top = Constant<value_float = 255.0>() {_matched_colors(matching)} }}"""
    )
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    files = [
        file for folder in ("blood_pbc", "blood_bccd_crops") for file in sorted(shared_data(folder).glob("*/*"))[:3]
    ]
    for file in files:
        pixels = np.array(Image.open(file).convert("RGB"))
        (of_graph,) = session.run(None, {"pixels": pixels[None]})
        difference = np.abs(of_graph[0] - matching.colors(pixels))
        assert difference.max() <= 1  # of 255, where one rounds up and the other down
        assert (difference > 0).mean() < 0.02
        assert np.abs(of_graph[0] - pixels).mean() > 5


@pytest.mark.slow
def test_an_exported_network_matches_colors(tmp_path: Path) -> None:
    recipe = cs.Recipe.model_validate(
        {"stage": "instant", "image_size": 48, "split": {"folds": 0}, "match": {"stain": True, "zoom": 1.4}}
    )
    run = cs.train(str(write_cells(tmp_path / "cells", 90)), recipe, out=tmp_path / "run")
    assert run.card is not None
    assert run.card.preprocessing.matching == Matching(zoom=1.4, has_fixed_stain=True)
    out = cs.export(run, to="onnx", out=tmp_path / "onnx")
    verification = json.loads((out / "verification.json").read_text())
    assert verification["passed"]
    assert verification["n_files"] > 0
