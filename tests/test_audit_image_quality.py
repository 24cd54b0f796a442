"""Images that are cut off, blurred or saturated are found among drawn cells, and no others."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from memory import within_memory
from PIL import Image
from scipy.ndimage import gaussian_filter

import coverslip as cs
from coverslip.audit.image_quality import image_quality, memory_for_checks

SIDE = 96


def cell(
    seed: int, *, across: float = 0.0, light: float = 1.0, blur: float = 0.0, depth: type = np.uint8
) -> np.ndarray:
    """A grainy bright cell on a noisy ground; `across`: how far its middle lies towards the right edge, in sides."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    radius = generator.uniform(0.18, 0.28)
    inside = rows**2 + (columns - across) ** 2 < radius**2
    grain = gaussian_filter(generator.normal(size=(SIDE, SIDE)), 1.5) * 0.25
    image = gaussian_filter(np.where(inside, 0.55 + grain, 0.15), max(blur, 0.7)) * light
    image += generator.normal(0, 0.01, image.shape) * (0.3 if blur else 1)
    top = np.iinfo(depth).max
    return (np.clip(image, 0, 1) * top).astype(depth)[:, :, None]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_each_fault_of_drawn_cells_is_reported_by_its_number(depth: type) -> None:
    for seed in range(6):
        good = image_quality(cell(seed, depth=depth))
        assert (good.saturated, good.cut) == (0, 0) if depth is np.uint8 else good.saturated < 0.01
        assert good.sharpness is not None
        assert image_quality(cell(seed, across=0.42, depth=depth)).cut > 0.25
        assert image_quality(cell(seed, light=2.5, depth=depth)).saturated > 0.5
        blurred = image_quality(cell(seed, blur=4, depth=depth))
        assert blurred.sharpness is not None
        assert blurred.sharpness < good.sharpness - 0.92


@pytest.mark.parametrize("array", [np.zeros((4, 4, 1), np.uint8), np.full((50, 30, 3), 255, np.uint8)])
def test_of_a_flat_or_tiny_image_nothing_is_reported(array: np.ndarray) -> None:
    quality = image_quality(array)
    assert (quality.saturated, quality.sharpness, quality.cut) == (0, None, 0)


def test_a_cell_among_touching_neighbors_is_not_called_cut_off() -> None:
    beside = np.maximum(cell(1), np.roll(cell(2), SIDE // 2 - 6, axis=1))
    assert image_quality(beside).cut == 0


@pytest.mark.slow
def test_inspect_shows_the_images_with_faults_and_no_others(tmp_path: Path) -> None:
    faults = {"cut-off": {"across": 0.42}, "blurred": {"blur": 4.0}, "saturated": {"light": 2.5}}
    for k in range(40):
        code = list(faults)[k] if k < 3 else "fine"
        file = tmp_path / "ab"[k % 2] / f"{code}{k}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(cell(k, **faults.get(code, {}))[:, :, 0]).save(file)
    for _ in range(2):  # measured, and remembered
        inspection = cs.inspect(tmp_path)
        for code in faults:
            (finding,) = inspection.of(code)
            assert [Path(name).stem[:-1] for (name,) in finding.images] == [code]
            assert finding.severity == "advice"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_looking_at_a_large_image_takes_little_more_than_its_pixels() -> None:
    pixels = np.tile(np.arange(250, dtype=np.uint8)[:, None, None], (16, 4000, 3))
    pixels[..., 1] += 1
    with within_memory(1.5 * pixels.nbytes):
        image_quality(pixels)


def test_threads_look_at_large_images_one_at_a_time() -> None:
    at_work, most = [0], []
    large = np.broadcast_to(np.uint8(0), (8000, 8000, 3))

    def look(_: int) -> None:
        with memory_for_checks(large):
            at_work[0] += 1
            most.append(at_work[0])
            time.sleep(0.01)
            at_work[0] -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(8)))
    assert most == [1] * 8
