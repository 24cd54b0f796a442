"""How images will be preprocessed: the recipe's wishes, and what training images are like."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from coverslip.augmentation import AUGMENTATIONS
from coverslip.datasets import counted, what_to_do_about_channels
from coverslip.errors import BadDataset, BadRecipe
from coverslip.images import ImageFacts, Preprocessing, learn_scaling
from coverslip.messages import Note, Set
from coverslip.models import model_info
from coverslip.runs import Recipe, plan_of

_CANVAS_SHARE = 0.99  # of training images that fit: one uncropped field must not make all others tiny


def learn_preprocessing(facts: Sequence[ImageFacts], recipe: Recipe) -> Preprocessing:
    """The preprocessing for training and prediction, from the facts of *training* images.

    Raises:
        BadDataset: images with different numbers of channels cannot be trained on together.
        BadRecipe: changes of colour are asked for, but the images are not in colour.
    """
    channels = _channels(facts)
    _check_colour_changes(channels, recipe)
    scaling = learn_scaling(facts, recipe.scaling, channels)
    all_8_bit = all(fact.dtype == "uint8" for fact in facts)
    return Preprocessing(
        image_size=recipe.image_size or model_info(recipe.model).input_px,
        channels=channels,
        resize=recipe.resize,
        canvas_px=_canvas_px(facts) if recipe.resize == "canvas" else None,
        pad_colour=recipe.pad_colour,
        scaling=scaling,
        depth="uint8" if all_8_bit else "uint16",
        plan=plan_of(recipe),
    )


def canvas_notes(facts: Sequence[ImageFacts], preprocessing: Preprocessing) -> list[Note]:
    """What the common scale of these images is, and how many it does not hold for; nothing without a canvas."""
    if preprocessing.canvas_px is None:
        return []
    n = sum(preprocessing.is_too_large(fact.width_px, fact.height_px) for fact in facts)
    shrunk = f"; {counted(n, 'larger training image')} of {len(facts):,} shrunk to fit" if n else ""
    text = f"One scale for all images: {preprocessing.canvas_px:,} of their pixels fill the canvas{shrunk}."
    return [Note("canvas", text, parameters={"canvas_px": preprocessing.canvas_px, "n_shrunk": n})]


def _canvas_px(facts: Sequence[ImageFacts]) -> int:
    """The longer side that 99 of 100 images do not exceed; the largest one's, where there are at most 100."""
    return int(np.quantile([max(fact.width_px, fact.height_px) for fact in facts], _CANVAS_SHARE, method="higher"))


def _check_colour_changes(channels: int, recipe: Recipe) -> None:
    keys = [key for key, amount in recipe.augment if amount and AUGMENTATIONS[key].needs_colour]
    if keys and channels != 3:
        raise BadRecipe(
            f"{' and '.join(f'augment.{key}' for key in keys)} change red, green and blue, but the training images "
            f"have {counted(channels, 'channel')}",
            do="Switch them off.",
            remedies=[Set(f"augment.{key}", 0) for key in keys],
        )


def check_channels(facts: Sequence[ImageFacts], looked_at: str = "") -> None:
    """Raises BadDataset where images have different numbers of channels; grey ones go with any others (repeated).

    Args:
        facts: of the images.
        looked_at: which of them these are, if not all: "of 32 looked at, ".
    """
    n_by_channels = Counter(fact.n_channels for fact in facts)
    several = sorted(set(n_by_channels) - {1})
    if len(several) > 1:
        do, remedies = what_to_do_about_channels(n_by_channels)
        counts = ", ".join(f"{n_by_channels[n]:,} have {n}" for n in several)
        what = f"The training images have different numbers of channels: {looked_at}{counts}"
        raise BadDataset(what, do=do, remedies=remedies)


def _channels(facts: Sequence[ImageFacts]) -> int:
    """That the network will see: of all but the grey ones."""
    check_channels(facts)
    return max((fact.n_channels for fact in facts), default=1)
