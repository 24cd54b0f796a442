"""Captions in pictures: the font, and texts that fit."""

from pathlib import Path

from PIL import ImageFont


def caption_font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans of Matplotlib, which has more alphabets than Pillow's font."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size_px)


def fit_caption(caption: str, font: ImageFont.FreeTypeFont, width_px: int) -> str:
    """Return the caption, shortened with an ellipsis if it is wider than `width_px`."""
    if font.getlength(caption) <= width_px:
        return caption
    while caption and font.getlength(f"{caption}…") > width_px:
        caption = caption[:-1]
    return f"{caption}…"
