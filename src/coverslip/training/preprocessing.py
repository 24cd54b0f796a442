"""Preprocessing by the recipe and the training images, and the preview of data augmentation."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from coverslip.augmentation import AUGMENTATIONS
from coverslip.augmentation.batch import apply_changes, draw_changes
from coverslip.datasets import what_to_do_about_channels
from coverslip.errors import BadDataset, BadRecipe
from coverslip.images import ImageFacts, Preprocessing, learn_scaling
from coverslip.messages import Note, Set, note
from coverslip.models import model_info
from coverslip.runs import Augment, Recipe, plan_of
from coverslip.training.batches import as_tensor

_CANVAS_SHARE = 0.99  # of training images that fit; a single uncropped field of view must not make all cells tiny


def learn_preprocessing(facts: Sequence[ImageFacts], recipe: Recipe) -> Preprocessing:
    """Return the preprocessing for training and prediction, by the facts of *training* images.

    Raises:
        BadDataset: the images have different numbers of channels.
        BadRecipe: the recipe has changes of color, but the images are not in color.
    """
    channels = _channels(facts)
    _check_color_changes(channels, recipe)
    scaling = learn_scaling(facts, recipe.scaling, channels)
    all_8_bit = all(fact.dtype == "uint8" for fact in facts)
    return Preprocessing(
        image_size=recipe.image_size or model_info(recipe.model).input_px,
        channels=channels,
        resize=recipe.resize,
        canvas_px=_canvas_px(facts) if recipe.resize == "canvas" else None,
        pad_color=recipe.pad_color,
        scaling=scaling,
        depth="uint8" if all_8_bit else "uint16",
        plan=plan_of(recipe),
    )


def canvas_notes(facts: Sequence[ImageFacts], preprocessing: Preprocessing) -> list[Note]:
    """Return a note on the size of the canvas and the number of larger images; no note without a canvas."""
    if preprocessing.canvas_px is None:
        return []
    n = sum(preprocessing.is_too_large(fact.width_px, fact.height_px) for fact in facts)
    return [note("canvas", canvas_px=preprocessing.canvas_px, n_shrunk=n, n_images=len(facts))]


def _canvas_px(facts: Sequence[ImageFacts]) -> int:
    """Return the 99% quantile of the longer sides; of at most 100 images the maximum."""
    return int(np.quantile([max(fact.width_px, fact.height_px) for fact in facts], _CANVAS_SHARE, method="higher"))


def _check_color_changes(channels: int, recipe: Recipe) -> None:
    keys = [key for key, amount in recipe.augment if amount and AUGMENTATIONS[key].needs_color]
    if keys and channels != 3:
        raise BadRecipe(
            "color-changes-on-other-channels",
            remedies=[Set(f"augment.{key}", 0) for key in keys],
            keys=" and ".join(f"augment.{key}" for key in keys),
            n_channels=channels,
        )


def check_channels(facts: Sequence[ImageFacts], *, n_checked: int = 0) -> None:
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
        advice, remedies = what_to_do_about_channels(n_by_channels)
        counts = ", ".join(f"{n_by_channels[n]:,} have {n}" for n in several)
        raise BadDataset("different-channels", remedies=remedies, n_checked=n_checked, counts=counts, advice=advice)


def _channels(facts: Sequence[ImageFacts]) -> int:
    """Return the number of channels of the network: that of all images that are not gray."""
    check_channels(facts)
    return max((fact.n_channels for fact in facts), default=1)


VARIANTS = 5  # columns of augmented images
SMALLEST_TILE_PX, LARGEST_TILE_PX = 96, 224
GAP_PX, LABEL_PX, HEADER_PX = 4, 150, 26
_INK, _PAPER = (29, 37, 41), (225, 230, 230)  # gray, so that the borders of white and black backgrounds are visible


def draw_preview(
    pixels: npt.NDArray[np.unsignedinteger], labels: Sequence[str], augment: Augment, *, seed: int
) -> Image.Image:
    """Draw a row per image: its class, the preprocessed image, and five augmented images.

    Three channels are shown as red, green and blue. For other numbers only the first channel is shown.

    Args:
        pixels: (n, S, S, C) uint8 or uint16, preprocessed.
        labels: n classes.
        augment: data augmentation of the training.
        seed: of the random changes.
    """
    plain = as_tensor(pixels)
    copies = plain.repeat_interleave(VARIANTS, dim=0)
    changes = draw_changes(len(copies), augment, torch.Generator().manual_seed(seed))
    changed = apply_changes(copies, changes).reshape(len(plain), VARIANTS, *plain.shape[1:])
    rows = torch.cat([plain[:, None], changed], dim=1)
    tile_px = min(max(plain.shape[3], SMALLEST_TILE_PX), LARGEST_TILE_PX)
    step = tile_px + GAP_PX
    sheet = Image.new("RGB", (LABEL_PX + (1 + VARIANTS) * step, HEADER_PX + len(rows) * step), _PAPER)
    pen, font = ImageDraw.Draw(sheet), _font()
    pen.text((LABEL_PX, 5), "as prepared", _INK, font)
    pen.text((LABEL_PX + step, 5), "changed at random", _INK, font)
    for row, (images, label) in enumerate(zip(rows, labels, strict=True)):
        y = HEADER_PX + row * step
        pen.text((GAP_PX, y), _shortened(label, font), _INK, font)
        for column, image in enumerate(images):
            sheet.paste(_picture(image, tile_px), (LABEL_PX + column * step, y))
    return sheet


def _picture(image: Tensor, side_px: int) -> Image.Image:
    """Convert (C, S, S) in [0, 1] to a picture of the size on the sheet."""
    shown = image if len(image) == 3 else image[:1].expand(3, -1, -1)
    levels = (shown * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(levels)).resize((side_px, side_px), Image.Resampling.BILINEAR)


def _font() -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans of Matplotlib, which has more alphabets than Pillow's font."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 13)


def _shortened(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Return the text, shortened with an ellipsis if the column is too narrow."""
    if font.getlength(text) <= LABEL_PX - 2 * GAP_PX:
        return text
    while text and font.getlength(f"{text}…") > LABEL_PX - 2 * GAP_PX:
        text = text[:-1]
    return f"{text}…"
