"""File formats: how they are identified, described and decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from coverslip.images._decoded import Decoded
from coverslip.images.plan import ReadPlan

HEAD_BYTES = 512  # from which a format can be identified


@dataclass(frozen=True, slots=True)
class Series:
    """One picture, stack or film in a file, as the file declares it."""

    axes: str  # a letter for each of `shape`: Y, X; C channels, S samples of a pixel; others (T, Z, ...) count planes
    shape: tuple[int, ...]
    pixel_size_um: tuple[float, float] | None = None  # width and height of a pixel; None: the file does not say
    name: str = ""

    @property
    def n_planes(self) -> int:
        """How many planes `ReadPlan.plane` can choose from."""
        return prod(size for axis, size in zip(self.axes, self.shape, strict=True) if axis not in "CSYX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One file format. An outside package adds one by an entry point of the group `coverslip.readers`."""

    name: str  # short: what `inspect` counts
    title: str  # for people
    suffixes: tuple[str, ...]  # lower case, with a dot: by these a file in a folder counts as an image
    # Given a file's first 512 bytes. Names are never used: a TIFF may be called .png.
    is_this: Callable[[bytes], bool]
    # Every series of a file; the first is the one that is read. No pixels are decoded.
    describe: Callable[[Path], tuple[Series, ...]] | None = None
    # The plane that the plan asks for; depth, channels and box are applied afterwards. The number is of bytes that its
    # pixels may take: a file that declares more is refused before memory is allocated; see `check_size`. Called by
    # several threads.
    # Opens files with `open_image`, so that the app is given none from outside its folders.
    # May raise anything: all but UnreadableImage is reported as damage. None: known, and refused with a reason.
    read: Callable[[Path, ReadPlan, int], Decoded] | None = None
    # Of a format that is not read: how to get files that are. A function where it is a message of the catalogue.
    export: str | Callable[[], str] = ""

    @property
    def export_advice(self) -> str:
        """How to get files that can be read; empty if nothing is known."""
        return self.export() if callable(self.export) else self.export


def starts(*signatures: bytes) -> Callable[[bytes], bool]:
    """Return whether a file begins with one of them, to be a reader's `is_this`."""
    return lambda head: head.startswith(signatures)
