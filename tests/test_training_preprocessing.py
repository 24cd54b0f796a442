"""What is learnt from training images before training: the canvas, and whether color can be changed."""

import numpy as np
import pytest

from coverslip.errors import BadRecipe
from coverslip.images.preprocessing import PixelFacts, image_facts
from coverslip.images.reading import Pixels
from coverslip.messages import Set
from coverslip.runs.recipe import Augment, Recipe, augment_named
from coverslip.training.preprocessing import canvas_notes, learn_preprocessing


def facts(height: int, width: int, channels: int = 1) -> PixelFacts:
    array = np.arange(height * width * channels, dtype=np.uint8).reshape(height, width, channels)
    return image_facts(Pixels(array, "PNG", 8, 1))


def test_the_canvas_is_as_large_as_the_largest_of_a_few_images() -> None:
    preprocessing = learn_preprocessing([facts(10, 30), facts(50, 20), facts(5, 5)], Recipe(resize="canvas"))
    assert preprocessing.canvas_px == 50
    assert [(note.code, note.parameters) for note in canvas_notes([facts(10, 30)], preprocessing)] == [
        ("canvas", {"canvas_px": 50, "n_shrunk": 0, "n_images": 1})
    ]


def test_one_uncropped_field_does_not_make_all_others_tiny_and_is_reported() -> None:
    seen = [facts(20 + i % 10, 10) for i in range(200)] + [facts(300, 400)]
    preprocessing = learn_preprocessing(seen, Recipe(resize="canvas"))
    assert preprocessing.canvas_px == 29
    (note,) = canvas_notes(seen, preprocessing)
    assert (note.parameters["n_shrunk"], note.parameters["n_images"]) == (1, 201)


@pytest.mark.parametrize("resize", ["pad", "stretch", "crop"])
def test_other_ways_of_resizing_learn_no_scale(resize: str) -> None:
    recipe = Recipe.model_validate({"resize": resize, "pad_color": "black"})
    preprocessing = learn_preprocessing([facts(10, 30)], recipe)
    assert (preprocessing.canvas_px, preprocessing.pad_color) == (None, "black")
    assert canvas_notes([facts(10, 30)], preprocessing) == []


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_changes_of_color_are_refused_for_images_without_color(channels: int) -> None:
    with pytest.raises(BadRecipe) as caught:
        learn_preprocessing([facts(8, 8, channels)], Recipe(augment=Augment(stain=0.1, hue_degrees=5)))
    assert caught.value.code == "color-changes-on-other-channels"
    assert caught.value.remedies == (Set("augment.stain", 0), Set("augment.hue_degrees", 0))


def test_changes_of_color_are_for_three_channels() -> None:
    assert learn_preprocessing([facts(8, 8, 3)], Recipe(augment=augment_named("stain"))).channels == 3
