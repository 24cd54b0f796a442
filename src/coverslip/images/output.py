"""Images for people and other programs: thumbnails, captions in pictures, and TIFF files that read back the same."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

from coverslip.files import atomic_write
from coverslip.images.composites import channel_colors, composite, first_visible
from coverslip.images.preprocessing import Scaling, rescale, resized, scaling_limits
from coverslip.images.reader import Array
from coverslip.images.reading import Pixels

_UM_PER_CM = 1e4


def as_webp(small: Array) -> bytes:
    """Return (height, width, 1 or 3) uint8 as the bytes of a WebP file."""
    buffer = io.BytesIO()
    Image.fromarray(small if small.shape[2] == 3 else small[..., 0]).save(buffer, "WEBP", quality=85)
    return buffer.getvalue()


def small_picture_of(image: Pixels, side_px: int) -> Array:
    """Return (height, width, 1 or 3) uint8 of a decoded image, the longer side at most `side_px`.

    Several channels with names are added up in the colors of their names, so that files of any order look alike. Other
    images: see `small_pixels`.
    """
    names = image.channel_names
    if len(names) == 1 or len(names) != image.array.shape[2]:
        return small_pixels(image.array, side_px)
    visible, colors = first_visible(names), channel_colors(names)
    channels = [small_pixels(image.array[..., k : k + 1], side_px)[..., 0] for k in visible]
    return composite(channels, [colors[k] for k in visible], [(0.0, 255.0)] * len(visible))


def small_pixels(array: Array, side_px: int) -> Array:
    """Return (height, width, 1 or 3) uint8 of decoded pixels, the longer side at most `side_px`.

    Small images keep their size. Images deeper than 8 bit are scaled by the range of each channel, for viewing, not for
    measurements. Three channels are shown as red, green and blue; otherwise only the first channel is shown.
    """
    if array.shape[2] != 3:
        array = array[..., :1]
    scale = min(1.0, side_px / max(array.shape[:2]))
    if scale == 1 and array.dtype == np.uint8:
        return array
    height, width = (max(1, round(side * scale)) for side in array.shape[:2])
    if array.dtype == np.uint8:
        image = Image.fromarray(array if array.shape[2] == 3 else array[..., 0])
        # `reducing_gap` first shrinks by an integer factor: twice as fast, without a visible difference.
        small: Array = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.4))
        return small if small.ndim == 3 else small[..., np.newaxis]
    low, high = scaling_limits(Scaling(mode="per-image"), array, array.shape[2])
    small_floats = resized(array, width, height, as_float=True)
    scaled: Array = np.rint(rescale(low, high, small_floats) * 255).astype(np.uint8)
    return scaled


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


def write_tiff(path: Path, image: Pixels) -> None:
    """Write the pixels of an image, with three channels of 8 bit as color unless they have names.

    The size of a pixel is written if it is known, and names of channels as OME metadata.

    Raises:
        OSError: the file cannot be written.
    """
    from tifffile import imwrite

    array, size, names = image.array, image.pixel_size_um, image.channel_names
    resolution = None if size is None else (_UM_PER_CM / size[0], _UM_PER_CM / size[1])
    unit = "NONE" if resolution is None else "CENTIMETER"
    with atomic_write(path) as part:
        if array.shape[2] == 3 and array.dtype.itemsize == 1 and not names:
            imwrite(part, array, photometric="rgb", resolution=resolution, resolutionunit=unit)
            return
        planes = array.transpose(2, 0, 1) if array.shape[2] > 1 else array[..., 0]
        about: dict[str, object] = {"axes": "CYX" if array.shape[2] > 1 else "YX"}
        if names:
            about |= {"Channel": {"Name": list(names)}}
            if size is not None:
                about |= {f"PhysicalSize{axis}": um for axis, um in zip("XY", size, strict=True)}
        imwrite(
            part,
            planes,
            ome=bool(names),
            photometric="minisblack",
            metadata=about,
            resolution=resolution,
            resolutionunit=unit,
        )
