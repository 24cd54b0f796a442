"""Preprocessing, by the recipe and the training images."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

import numpy as np

from coverslip.augmentation.table import AUGMENTATIONS
from coverslip.datasets.quality.findings import channel_advice
from coverslip.errors import BadDataset, BadRecipe
from coverslip.images.preprocessing import (
    PixelFacts,
    Preprocessing,
    Scaling,
    channel_order,
    in_orders,
    learn_scaling,
    usual_orders,
)
from coverslip.messages import Note, Set, note
from coverslip.models import model_info
from coverslip.runs.classifier import card_of, find_classifier
from coverslip.runs.images import plan_of
from coverslip.runs.recipe import FromRun, Recipe

_CANVAS_SHARE = 0.99  # of training images that fit; a single uncropped field of view must not make all cells tiny


def learn_preprocessing(facts: Sequence[PixelFacts], recipe: Recipe) -> Preprocessing:
    """Return the preprocessing for training and prediction, by the facts of *training* images.

    Raises:
        BadDataset: the images have different numbers of channels.
        BadRecipe: the recipe has changes of color, but the images are not in color.
        BadClassifier: the earlier run of the initialization has no classifier, or a damaged one.
    """
    channels = _channels(facts)
    check_color_changes(channels, recipe)
    names = usual_orders(fact.channel_names for fact in facts)
    if isinstance(recipe.init, FromRun):  # its weights belong to channels in its order
        earlier = card_of(find_classifier(recipe.init.run)).preprocessing.channel_names
        names = tuple(sorted(in_orders(each, earlier) for each in names))
    if names and plan_of(recipe).channels is None:
        facts = [_in_order(fact, names) for fact in facts]
    scaling = learn_scaling(facts, recipe.scaling, channels)
    canvas_px = _canvas_px(facts) if recipe.resize == "canvas" else None
    # Matched colors have fine steps, so that another library that computes them rounds to about the same.
    is_fine = recipe.match.stain or any(fact.dtype != "uint8" for fact in facts)
    preprocessing = _preprocessing(recipe, channels, scaling, canvas_px, "uint16" if is_fine else "uint8")
    return preprocessing.model_copy(update={"channel_names": names})


def _in_order(fact: PixelFacts, names: Sequence[Sequence[str]]) -> PixelFacts:
    """Return the facts with the ranges of the channels in the order of the network input."""
    order = channel_order(fact.channel_names, names)
    if order is None or len(fact.low) != len(order):  # gray that is stored in several channels
        return fact
    low, high = (tuple(ends[k] for k in order) for ends in (fact.low, fact.high))
    return fact._replace(low=low, high=high)


def preprocessing_in_scan(recipe: Recipe) -> Callable[[PixelFacts], Preprocessing | None]:
    """Return a function that gives the preprocessing of an image before the facts of the training images are known.

    It is the preprocessing that `learn_preprocessing` returns if all training images are 8-bit and have as many
    channels as this image. It is None for deeper images, and if the preprocessing depends on sizes, intensities, names
    of channels or all bytes of the images.
    """

    @cache
    def of_channels(channels: int) -> Preprocessing:
        scaling = Scaling(mode="per-image" if recipe.scaling == "per-image" else "full")
        return _preprocessing(recipe, channels, scaling, None, "uint8")

    degradation = recipe.degrade.degradation
    is_known = recipe.resize != "canvas" and recipe.scaling != "training-range" and degradation is None
    is_known &= not recipe.match.stain

    def of_image(facts: PixelFacts) -> Preprocessing | None:
        is_plain = facts.dtype == "uint8" and not facts.channel_names
        return of_channels(facts.n_channels) if is_known and is_plain else None

    return of_image


def _preprocessing(
    recipe: Recipe, channels: int, scaling: Scaling, canvas_px: int | None, depth: Literal["uint8", "uint16"]
) -> Preprocessing:
    return Preprocessing(
        image_size=recipe.image_size or model_info(recipe.model).input_px,
        channels=channels,
        resize=recipe.resize,
        canvas_px=canvas_px,
        pad_color=recipe.pad_color,
        scaling=scaling,
        depth=depth,
        # The pixel size is stated for the training images only.
        plan=plan_of(recipe).model_copy(update={"pixel_size_um": None}),
        degradation=recipe.degrade.degradation,
        matching=recipe.match.matching,
    )


def canvas_notes(facts: Sequence[PixelFacts], preprocessing: Preprocessing) -> list[Note]:
    """Return a note on the size of the canvas and the number of larger images; no note without a canvas."""
    if preprocessing.canvas_px is None:
        return []
    n = sum(preprocessing.is_too_large(fact.width_px, fact.height_px) for fact in facts)
    return [note("canvas", canvas_px=preprocessing.canvas_px, n_shrunk=n, n_images=len(facts))]


def _canvas_px(facts: Sequence[PixelFacts]) -> int:
    """Return the 99% quantile of the longer sides; of at most 100 images the maximum."""
    return int(np.quantile([max(fact.width_px, fact.height_px) for fact in facts], _CANVAS_SHARE, method="higher"))


def color_changes(recipe: Recipe) -> list[str]:
    """Return the keys of `augment` that change colors."""
    return [key for key, amount in recipe.augment if amount and AUGMENTATIONS[key].needs_color]


def check_color_changes(channels: int, recipe: Recipe) -> None:
    """Check that images of so many channels have the colors that the recipe changes.

    Raises:
        BadRecipe: they have not.
    """
    values: dict[str, float | bool] = {f"augment.{key}": 0 for key in color_changes(recipe)}
    values |= {"match.stain": False} if recipe.match.stain else {}
    if values and channels != 3:
        raise BadRecipe(
            "color-changes-on-other-channels",
            remedies=[Set(key, value) for key, value in values.items()],
            keys=" and ".join(values),
            n_channels=channels,
        )


def check_channels(facts: Sequence[PixelFacts], *, n_checked: int = 0) -> None:
    """Check that images have equal numbers of channels. Gray images fit all others, because they are repeated.

    Args:
        facts: of the images.
        n_checked: size of the sample; 0 if these are all images.

    Raises:
        BadDataset: the images have different numbers of channels.
    """
    n_by_channels = Counter(fact.n_channels for fact in facts)
    several = sorted(set(n_by_channels) - {1})
    if len(several) > 1:
        advice, remedies = channel_advice(n_by_channels)
        counts = ", ".join(f"{n_by_channels[n]:,} have {n}" for n in several)
        raise BadDataset("different-channels", remedies=remedies, n_checked=n_checked, counts=counts, advice=advice)


def _channels(facts: Sequence[PixelFacts]) -> int:
    """Return the number of channels of the network: that of all images that are not gray."""
    check_channels(facts)
    return max((fact.n_channels for fact in facts), default=1)
