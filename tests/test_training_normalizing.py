"""What intensities are brought to before the first layer."""

import numpy as np
import pytest

from coverslip.models import Normalization
from coverslip.models.backbone import Architecture, Backbone
from coverslip.runs.recipe import Recipe
from coverslip.training.instant import with_normalization


def set_by(name: str, pixels: np.ndarray, train: list[int]) -> tuple[np.ndarray, np.ndarray]:
    channels = pixels.shape[3]
    architecture = Architecture("efficientnet_lite0", "native", channels, pixels.shape[1])
    backbone = Backbone(architecture, {}, 1280).normalized(Normalization((0.5,) * channels, (0.25,) * channels))
    recipe = Recipe(normalization=name)  # type: ignore[arg-type]
    fitted = with_normalization(backbone, recipe, lambda positions: pixels[list(positions)], np.array(train))
    return fitted.arrays["mean"].ravel(), fitted.arrays["std"].ravel()


@pytest.mark.parametrize(("dtype", "n"), [(np.uint8, 3), (np.uint8, 150), (np.uint16, 70)])
def test_training_images_get_mean_0_and_sd_1_and_no_others_are_used(dtype: type, n: int) -> None:
    rng = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    pixels = rng.integers(0, top, (n + 5, 6, 6, 3), dtype=dtype)
    pixels[n:] = top
    mean, sd = set_by("training-images", pixels, list(range(n)))
    values = pixels[:n].reshape(-1, 3) / top
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(sd, values.std(axis=0), rtol=1e-5)


def test_a_channel_without_contrast_does_not_become_noise() -> None:
    mean, sd = set_by("training-images", np.full((4, 5, 5, 2), 51, np.uint8), [0, 1, 2, 3])
    np.testing.assert_allclose(mean, 0.2, rtol=1e-6)
    np.testing.assert_allclose(sd, 1e-3, rtol=1e-6)


def test_named_normalizations() -> None:
    color, gray = np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 4, 4, 1), np.uint8)
    for pixels in (color, gray):
        assert {*set_by("weights", pixels, [0])[0].tolist()} == {0.5}
        assert [of.tolist() for of in set_by("none", pixels, [0])] == [[0.0] * pixels.shape[3], [1.0] * pixels.shape[3]]
    np.testing.assert_allclose(set_by("imagenet", color, [0])[0], [0.485, 0.456, 0.406], rtol=1e-6)
    np.testing.assert_allclose(set_by("imagenet", gray, [0])[1], [np.mean([0.229, 0.224, 0.225])], rtol=1e-6)
