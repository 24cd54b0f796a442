"""Label images of OME-Zarr folders, in which each object has the pixels of one number and 0 is background.

Source: Moore et al. 2023, OME-Zarr; https://ngff.openmicroscopy.org/0.5, "labels" metadata.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath

from coverslip.errors import UnreadableImage
from coverslip.images._zarr import OME_ZARR, ZarrSource, is_zarr
from coverslip.images.reader import Array, Selection, Window, check_size


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """A label image, and the image that it belongs to."""

    folder: Path
    image: Path  # the OME-Zarr, or a name like its own
    series: int | None = None  # of the image; None: unknown

    def property_names(self) -> list[str]:
        """Return the names of the properties that the metadata state of objects."""
        properties = ZarrSource(self.folder).attributes(PurePosixPath()).get("image-label", {}).get("properties") or ()
        return list(dict.fromkeys(name for each in properties for name in each if name != "label-value"))


def label_folders(folder: Path) -> list[LabelFolder]:
    """Return the label images in an OME-Zarr: those below `labels` of its images; otherwise the folder itself.

    Raises:
        UnreadableImage: the metadata are damaged, or the package zarr is not installed.
    """
    _check_package(folder)
    if folder.parent.name == "labels" and is_zarr(folder.parent.parent):
        return [LabelFolder(folder, folder.parent.parent)]
    if folder.name == "labels" and is_zarr(folder.parent):
        folder = folder.parent
    below = ZarrSource(folder).label_folders()
    folders = [LabelFolder(folder / path, folder, series) for series, path in below]
    return folders or [LabelFolder(folder, folder)]


def read_label_folder(folder: Path, max_bytes: int) -> Iterator[Array]:
    """Yield the planes of a label image, (H, W, C) in the type of the file: z-planes follow each other.

    Missing chunks are background: writers omit those without objects.

    Raises:
        UnreadableImage: it is damaged, a plane has more than `max_bytes`, or the package zarr is not installed.
    """
    _check_package(folder)
    image = ZarrSource(folder, is_sparse=True)
    series = image.describe()[0]
    width, height = series.sizes[0]
    check_size(folder, width, height, max_bytes, bytes_per_pixel=8 * series.n_channels)
    window = Window(0, 0, width, height)
    axes = ("T" if "T" in series.axes else "") + series.z_axes
    for at in product(*(range(series.size(axis)) for axis in axes)):
        selection = Selection(series=0, level=0, at=dict(zip(axes, at, strict=True)), window=window, channels=None)
        yield image.read_region(selection, max_bytes).array


def _check_package(folder: Path) -> None:
    if not OME_ZARR.can_read:
        raise UnreadableImage("format-not-installed", file=folder, title=OME_ZARR.title, advice=OME_ZARR.advice)
