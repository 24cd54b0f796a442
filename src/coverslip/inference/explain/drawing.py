"""Maps as colors over images, and the sheet of one image: a row for each classifier, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Colors = Literal["viridis", "jet"]
Pixels = npt.NDArray[np.unsignedinteger]
Map = npt.NDArray[np.float32]

TILE_PX = 192
_GAP_PX, _TEXT_PX, _LINES = 8, 16, 3
_INK, _PAPER, _WITHHELD = (29, 37, 41), (255, 255, 255), (225, 230, 230)
_OPACITY = 0.55  # of the colors above the image


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of a sheet and what stands above it; without one the reason stands in its place."""

    lines: tuple[str, ...]
    picture: Image.Image | None


def as_picture(pixels: Pixels) -> Image.Image:
    """(S, S, C) integers as shown to people: three channels as red, green and blue, else the first in gray."""
    levels = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max * 255
    shown = levels if levels.shape[2] == 3 else np.repeat(levels[:, :, :1], 3, axis=2)
    return Image.fromarray(shown.round().astype(np.uint8)).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR)


def strength(drawn: Map, *, centerd: bool) -> Map:
    """(h, w) in [0, 1] of a signed map: 0 where nothing speaks for the class, 1 where most does.

    Args:
        drawn: as `maps` gives it.
        centerd: places count by what they say beyond the average place: for shares of a whole.
    """
    positive = np.maximum(drawn - drawn.mean() if centerd else drawn, 0)
    top = float(positive.max())
    return (positive / top if top > 0 else positive).astype(np.float32)


def overlay(pixels: Pixels, shown: Map, colors: Colors = "viridis") -> Image.Image:
    """A map in [0, 1] as colors over the image in gray."""
    from matplotlib import colormaps

    gray = as_picture(pixels).convert("L").convert("RGB")
    fine = Image.fromarray(shown).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR)
    colored = colormaps[colors](np.asarray(fine).clip(0, 1))[:, :, :3] * 255
    return Image.blend(gray, Image.fromarray(colored.round().astype(np.uint8)), _OPACITY)


def draw_sheet(rows: Sequence[Sequence[Tile]], tiles_per_row: int | None = None) -> Image.Image:
    """A row of tiles for each classifier, or several where so many do not fit; words above each tile."""
    if tiles_per_row is not None:
        rows = [row[i : i + tiles_per_row] for row in rows for i in range(0, len(row), tiles_per_row)]
    header = _LINES * _TEXT_PX + _GAP_PX
    step, height = TILE_PX + _GAP_PX, header + TILE_PX + _GAP_PX
    size = (max(map(len, rows)) * step + _GAP_PX, len(rows) * height + _GAP_PX)
    sheet = Image.new("RGB", size, _PAPER)
    pen, font = ImageDraw.Draw(sheet), _font()
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            x, y = _GAP_PX + j * step, _GAP_PX + i * height
            for k, line in enumerate(tile.lines[:_LINES]):
                pen.text((x, y + k * _TEXT_PX), _shortened(line, font), _INK, font)
            place = (x, y + header)
            sheet.paste(tile.picture or Image.new("RGB", (TILE_PX, TILE_PX), _WITHHELD), place)
    return sheet


def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans as Matplotlib brings it, which has more alphabets than Pillow's own."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 12)


def _shortened(text: str, font: ImageFont.FreeTypeFont) -> str:
    """The text, its end replaced by an ellipsis where the tile is too narrow."""
    if font.getlength(text) <= TILE_PX:
        return text
    while text and font.getlength(f"{text}…") > TILE_PX:
        text = text[:-1]
    return f"{text}…"
