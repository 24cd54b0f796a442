"""Write pixels to a TIFF file that reads back the same."""

from pathlib import Path

from coverslip.files import atomic_write
from coverslip.images.reader import Array

_UM_PER_CM = 1e4


def write_tiff(path: Path, array: Array, pixel_size_um: tuple[float, float] | None = None) -> None:
    """Write (H, W, C) pixels, with three channels of 8 bit as color, and the size of a pixel if it is known.

    Raises:
        OSError: the file cannot be written.
    """
    from tifffile import imwrite

    resolution = None if pixel_size_um is None else (_UM_PER_CM / pixel_size_um[0], _UM_PER_CM / pixel_size_um[1])
    unit = "NONE" if resolution is None else "CENTIMETER"
    with atomic_write(path) as part:
        if array.shape[2] == 3 and array.dtype.itemsize == 1:
            imwrite(part, array, photometric="rgb", resolution=resolution, resolutionunit=unit)
        else:
            planes = array.transpose(2, 0, 1) if array.shape[2] > 1 else array[..., 0]
            about = {"axes": "CYX" if array.shape[2] > 1 else "YX"}
            imwrite(part, planes, photometric="minisblack", metadata=about, resolution=resolution, resolutionunit=unit)
