"""A sheet of training images after preprocessing and data augmentation."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from coverslip.augmentation.transform import apply_changes, draw_changes
from coverslip.images import caption_font, fit_caption
from coverslip.messages import text
from coverslip.runs import Augment
from coverslip.training.batches import as_tensor

VARIANTS = 5  # columns of augmented images
SMALLEST_TILE_PX, LARGEST_TILE_PX = 96, 224
GAP_PX, LABEL_PX, HEADER_PX, _FONT_PX = 4, 150, 26, 13
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
    pen, font = ImageDraw.Draw(sheet), caption_font(_FONT_PX)
    pen.text((LABEL_PX, 5), text("preview-preprocessed"), _INK, font)
    pen.text((LABEL_PX + step, 5), text("preview-augmented"), _INK, font)
    for row, (images, label) in enumerate(zip(rows, labels, strict=True)):
        y = HEADER_PX + row * step
        pen.text((GAP_PX, y), fit_caption(label, font, LABEL_PX - 2 * GAP_PX), _INK, font)
        for column, image in enumerate(images):
            sheet.paste(_picture(image, tile_px), (LABEL_PX + column * step, y))
    return sheet


def _picture(image: Tensor, side_px: int) -> Image.Image:
    """Convert (C, S, S) in [0, 1] to a picture of the size on the sheet."""
    shown = image if len(image) == 3 else image[:1].expand(3, -1, -1)
    levels = (shown * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(levels)).resize((side_px, side_px), Image.Resampling.BILINEAR)
