"""The table of finders: the built-in one, and those of other packages."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.events import OnProgress
from coverslip.messages import note, text
from coverslip.objects.finding import FinderResult, FinderSettings, filter_objects, find_objects

ENTRY_POINTS = "coverslip.finders"

# Takes pixels (H, W, channels), settings, and the pixel size in micrometers or None. Returns labels (H, W): 0 is
# background, every other number an object.
Find = Callable[[NDArray[np.generic], FinderSettings, float | None], NDArray[np.integer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """A finder of objects.

    To add one, return its record in `list_finders`. Other packages add finders with an entry point of the group
    `coverslip.finders`.
    """

    name: str  # short, for commands
    title: str  # shown to users
    license: str  # of the code and of its weights
    find: Find
    version: str = ""  # empty: that of the package


CLASSICAL = Finder(
    name="classical",
    title="coverslip's finder",
    license="BSD-3-Clause",
    find=lambda pixels, settings, pixel_size_um: find_objects(pixels, settings, pixel_size_um).labels,
    version="2",  # another one whenever the objects of a field can change
)


class FinderRecord(DocumentedFields, BaseModel):
    """How objects were found: by which finder, of which version, with which settings and limits of sizes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(max_length=200)
    version: str = Field(max_length=200)
    settings: FinderSettings = FinderSettings()
    """Also the smallest and largest objects, and whether objects at the edge are kept."""
    measure: bool = False
    """Whether the objects were measured."""

    def as_text(self) -> str:
        """Return the cell of a table of objects, without settings that have their default."""
        return self.model_dump_json(exclude_defaults=True)


def finder_record(name: str, settings: FinderSettings, *, measure: bool = False) -> FinderRecord:
    """Return how a finder of this version finds objects, and whether they are measured.

    Raises:
        CoverslipError: there is no such finder.
    """
    return FinderRecord(name=name, version=finder_named(name).version, settings=settings, measure=measure)


def finder_named(name: str) -> Finder:
    """Return a finder.

    Raises:
        CoverslipError: there is none of this name, or that of an installed package cannot be loaded.
    """
    if name == CLASSICAL.name:
        return CLASSICAL
    table = {finder.name: finder for finder in list_finders()}
    if name not in table:
        raise CoverslipError("finder-unknown", name=name, names=", ".join(table))
    return table[name]


def list_finders() -> tuple[Finder, ...]:
    """Return all finders: the built-in one, then those of installed packages.

    Raises:
        CoverslipError: the finder of an installed package cannot be loaded.
    """
    return (CLASSICAL, *_installed())


def find_with(
    name: str,
    pixels: NDArray[np.generic],
    settings: FinderSettings | None = None,
    pixel_size_um: float | None = None,
    report: OnProgress = lambda done, total: None,
) -> FinderResult:
    """Find the objects of a field with the finder of this name.

    Args:
        name: a name of `list_finders()`.
        pixels, settings, pixel_size_um: as for `find_objects`. Other finders use those settings that suit them.
        report: receives the numbers of searched pixels and of all pixels.

    Raises:
        CoverslipError: there is no such finder, it failed, or its result is no label image.
    """
    settings = settings or FinderSettings()
    finder = finder_named(name)
    if finder is CLASSICAL:
        return _within_limits(find_objects(pixels, settings, pixel_size_um, report), settings, pixel_size_um)
    pixels = np.asarray(pixels)
    try:
        labels = finder.find(pixels[..., None] if pixels.ndim == 2 else pixels, settings, pixel_size_um)
    except CoverslipError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise CoverslipError("finder-failed", name=name, reason=reason) from error
    labels = _checked(name, labels, pixels.shape[:2])
    report(labels.size, labels.size)
    warnings = () if labels.any() else (note("finder-nothing", level="warning"),)
    return _within_limits(FinderResult(labels, warnings, settings), settings, pixel_size_um)


def _within_limits(result: FinderResult, settings: FinderSettings, pixel_size_um: float | None) -> FinderResult:
    """Return the objects that the settings allow, with a warning if the limits of size exclude most of them."""
    labels = filter_objects(result.labels, settings, pixel_size_um)
    of_size = filter_objects(result.labels, settings.model_copy(update={"at_edge": True}), pixel_size_um)
    warnings = result.warnings
    if 2 * int(of_size.max(initial=0)) < result.n_objects:
        warnings += (note("finder-limits", level="warning"),)
    n_excluded = result.n_objects - int(labels.max(initial=0))
    return replace(result, labels=labels, warnings=warnings, n_excluded=n_excluded)


def _checked(name: str, labels: NDArray[np.integer], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the labels numbered from 1 without gaps."""
    labels = np.asarray(labels)
    if labels.shape != shape or labels.dtype.kind not in "iu" or labels.min(initial=0) < 0:
        reason = f"{labels.shape}, {labels.dtype}"
        raise CoverslipError("finder-wrong-labels", name=name, reason=reason)
    numbers, ranks = np.unique(labels, return_inverse=True)
    has_background = bool(numbers.size) and numbers[0] == 0
    consecutive: NDArray[np.int32] = (ranks.reshape(shape) + (0 if has_background else 1)).astype(np.int32)
    return consecutive


@cache
def _installed() -> tuple[Finder, ...]:
    names = {CLASSICAL.name}
    loaded = []
    for entry in entry_points(group=ENTRY_POINTS):
        loaded.append(_load(entry, names))
        names.add(loaded[-1].name)
    return tuple(loaded)


def _load(entry: EntryPoint, names: set[str]) -> Finder:
    package = entry.dist.name if entry.dist else entry.value
    try:
        finder = entry.load()
        if not isinstance(finder, Finder):
            raise TypeError(text("finder-no-record", type=type(finder).__name__))
        if finder.name in names:
            raise ValueError(f"there are two finders with the name '{finder.name}'")
        return replace(finder, version=finder.version or (entry.dist.version if entry.dist else ""))
    except Exception as error:
        raise CoverslipError(
            "finder-not-loaded", name=entry.name, package=package, reason=str(error) or type(error).__name__
        ) from error
