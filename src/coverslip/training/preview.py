"""A sheet of training images after preprocessing and data augmentation."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from coverslip.augmentation.copies import changed_image
from coverslip.augmentation.table import Amount, Floats
from coverslip.images.output import caption_font, fit_caption
from coverslip.messages import text

VARIANTS = 5  # columns of augmented images
SMALLEST_TILE_PX, LARGEST_TILE_PX = 96, 224
GAP_PX, LABEL_PX, HEADER_PX, _FONT_PX = 4, 150, 26, 13
_INK, _PAPER = (29, 37, 41), (225, 230, 230)  # gray, so that the borders of white and black backgrounds are visible


def draw_preview(
    pixels: npt.NDArray[np.unsignedinteger], labels: Sequence[str], augment: Iterable[tuple[str, Amount]], *, seed: int
) -> Image.Image:
    """Draw a row per image: its class, the preprocessed image, and five augmented images.

    Three channels are shown as red, green and blue. For other numbers only the first channel is shown.

    Args:
        pixels: (n, S, S, C) uint8 or uint16, preprocessed.
        labels: n classes.
        augment: data augmentation of the training.
        seed: of the random changes.
    """
    plain, generator = pixels / np.float32(np.iinfo(pixels.dtype).max), np.random.default_rng(seed)
    rows = [[image, *(changed_image(image, augment, generator) for _ in range(VARIANTS))] for image in plain]
    tile_px = min(max(plain.shape[2], SMALLEST_TILE_PX), LARGEST_TILE_PX)
    step = tile_px + GAP_PX
    sheet = Image.new("RGB", (LABEL_PX + (1 + VARIANTS) * step, HEADER_PX + len(rows) * step), _PAPER)
    pen, font = ImageDraw.Draw(sheet), caption_font(_FONT_PX)
    pen.text((LABEL_PX, 5), text("preview-preprocessed"), _INK, font)
    pen.text((LABEL_PX + step, 5), text("preview-augmented"), _INK, font)
    for row, (images, label) in enumerate(zip(rows, labels, strict=True)):
        y = HEADER_PX + row * step
        pen.text((GAP_PX, y), fit_caption(label, font, LABEL_PX - 2 * GAP_PX), _INK, font)
        for column, image in enumerate(images):
            sheet.paste(_picture(image, tile_px), (LABEL_PX + column * step, y))
    return sheet


def _picture(image: Floats, side_px: int) -> Image.Image:
    """Convert (S, S, C) in [0, 1] to a picture of the size on the sheet."""
    levels = np.rint(image * 255).astype(np.uint8)
    shown = levels if levels.shape[2] == 3 else levels[..., 0]
    return Image.fromarray(shown).convert("RGB").resize((side_px, side_px), Image.Resampling.BILINEAR)
