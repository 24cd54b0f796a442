"""Screenshots of reports and pages, compared with those that are kept in `tests/screenshots/`.

A kept picture is small: a quarter of the page's size, in few colors. It shows what stands where, not how letters are
drawn, so that it fits other versions of a browser. `check_screenshot` works for any page that Playwright has opened.

After a change of the look that is meant, look at the new pictures and commit them:

    COVERSLIP_NEW_SCREENSHOTS=1 .venv/bin/python -m pytest tests/test_report_screenshots.py
    COVERSLIP_NEW_SCREENSHOTS=1 .venv/bin/python -m pytest tests/test_app_screenshots.py
"""

import io
import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).with_name("screenshots")
_SHRINK, _N_COLORS = 4, 128
_LARGEST_STEP = 40  # of 255, in any color: a pixel that differs by more is another one
MOST_DIFFERENT = 0.01  # share of such pixels
_ROOT = Path(__file__).resolve().parent.parent
_FONT = _ROOT / "web" / "node_modules" / "@fontsource-variable" / "inter" / "files" / "inter-latin-wght-normal.woff2"


def use_own_font(page: "Page") -> None:
    """Give the page the font of the app, so that lines break alike on every machine."""
    source = f"data:font/woff2;base64,{b64encode(_FONT.read_bytes()).decode()}"
    page.add_style_tag(
        content=f"@font-face {{ font-family: 'Inter Variable'; font-weight: 100 900; src: url({source}) }}"
    )
    page.evaluate("Promise.all([400, 600].map((weight) => document.fonts.load(`${weight} 16px 'Inter Variable'`)))")
    page.evaluate("document.fonts.ready.then(() => null)")


def check_screenshot(
    page: "Page", name: str, folder: Path, *, hidden: Sequence[str] = (), is_whole: bool = True
) -> None:
    """Compare the page as it stands with `screenshots/NAME.png`.

    Args:
        page: opened at its width, in its color scheme; `use_own_font` comes first where it has no font of its own.
        name: of the picture.
        folder: where the picture of now and the differences are written if they are too many.
        hidden: selectors of what differs from run to run, such as paths and times; it is taken from the page.
        is_whole: take all of the page, not only what the window shows.

    Raises:
        AssertionError: there is no such picture, its size differs, or more than one pixel in a hundred does.
    """
    for selector in hidden:
        page.add_style_tag(content=f"{selector} {{ display: none !important }}")
    taken = page.screenshot(full_page=is_whole, animations="disabled", caret="hide")
    now = _small(Image.open(io.BytesIO(taken)).convert("RGB"))
    file = FOLDER / f"{name}.png"
    if os.environ.get("COVERSLIP_NEW_SCREENSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        now.quantize(_N_COLORS, dither=Image.Dither.NONE).save(file, optimize=True)
        return
    how = "If the change is meant, COVERSLIP_NEW_SCREENSHOTS=1 keeps the new one"
    assert file.is_file(), f"There is no picture {file}. {how}."
    stored = Image.open(file).convert("RGB")
    share, different = differences(stored, now.quantize(_N_COLORS, dither=Image.Dither.NONE).convert("RGB"))
    if share > MOST_DIFFERENT:
        now.save(folder / f"{name}-now.png")
        different.save(folder / f"{name}-differences.png")
    sizes = f"{stored.width}x{stored.height} kept, {now.width}x{now.height} now"
    assert share <= MOST_DIFFERENT, f"{name}: {share:.1%} of the page differ ({sizes}), see {folder}. {how}."


def differences(stored: Image.Image, now: Image.Image) -> tuple[float, Image.Image]:
    """Return the share of pixels that differ, and a picture of them; what only one of the two has differs."""
    size = (max(stored.width, now.width), max(stored.height, now.height))
    pixels = []
    for picture in (stored, now):
        whole = np.full((size[1], size[0], 3), -255, dtype=np.int16)
        whole[: picture.height, : picture.width] = np.asarray(picture)
        pixels.append(whole)
    is_different = np.abs(pixels[0] - pixels[1]).max(axis=2) > _LARGEST_STEP
    return float(is_different.mean()), Image.fromarray(np.where(is_different, 0, 255).astype(np.uint8))


def _small(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // _SHRINK, picture.height // _SHRINK), Image.Resampling.BOX)
