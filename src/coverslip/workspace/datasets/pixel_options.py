"""The series, time points, z-planes, channels and levels in the files of a dataset, among which users choose.

Only files whose format or first pixels show that they can contain several are described, and of those only some. Usual
photographs cause no work.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field
from sqlalchemy import Connection, func, select

from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import UnreadableImage
from coverslip.images.decoding import describe_image
from coverslip.images.reader import Channel, Series, ZPlane
from coverslip.workspace.store.rows import OUTSIDE, dataset_row
from coverslip.workspace.store.tables import image_facts, images
from coverslip.workspace.store.workspace import Workspace

PixelKey = Literal["series", "t", "z", "channels", "level"]
_MOST_FILES = 12  # that are described
_SINGLE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM", "JPEG2000")


class PixelChoice(DocumentedModel):
    """The pixels of each file that are an image, as `images` of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: Annotated[int, Field(ge=0)] = 0
    """0-based series (position, scene, image) of a file."""
    t: Annotated[int, Field(ge=0)] = 0
    """0-based time point."""
    z: ZPlane = 0
    """0-based z-plane, or max, mean, best-focus or channels."""
    channels: Annotated[tuple[Channel, ...] | None, Field(min_length=1, max_length=1_000)] = None
    """Numbers or names of channels, in this order; null: all."""
    level: Annotated[int, Field(ge=0)] = 0
    """0-based level of a pyramid; 0 is the full resolution."""


@dataclass(frozen=True, slots=True)
class SeriesOptions(DocumentedFields):
    """What a series of a file contains."""

    name: str
    """The name in the file; empty: none."""
    n_t: int
    n_z: int
    n_channels: int
    """1 for color images, whose colors belong together."""
    channels: list[str]
    """Names of the channels; empty: none."""
    levels: list[list[int]]
    """Width and height of each level, full resolution first."""


@dataclass(frozen=True, slots=True)
class PixelOptions(DocumentedFields):
    """The series, time points, z-planes, channels and levels among which users choose for all files of a dataset."""

    keys: list[PixelKey]
    """What files have several of; empty: there is nothing to choose."""
    row_id: int | None
    """The image whose file is described; null: none."""
    series: list[SeriesOptions]
    """The series of that file."""
    n_files: int
    """Number of files that were described."""
    are_alike: bool
    """Whether these files have the same numbers of everything."""


_NOTHING = PixelOptions([], None, [], 0, True)


def pixel_options(workspace: Workspace, dataset_id: str) -> PixelOptions:
    """Return what can be chosen about the pixels of a dataset's files.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
        if row.state == "reading" or row.opened is None:
            return _NOTHING
        files = _files(connection, dataset_id)
    described = []
    for file in files:
        with suppress(UnreadableImage):
            described.append((file, _cached_series(file.path, file.version, workspace.readable)))
    if not described:
        return _NOTHING
    kinds = {tuple(map(_series_sizes, series)) for _, series in described}
    example, series = max(described, key=lambda each: _n_alternatives(each[1]))
    keys = [key for key in _KEYS if any(key not in file.stated and _has_several(each, key) for file, each in described)]
    row_id = example.row_id if keys else None
    return PixelOptions(keys, row_id, list(map(_options, series)), len(described), len(kinds) == 1)


_KEYS: tuple[PixelKey, ...] = ("series", "t", "z", "channels", "level")


class _File(NamedTuple):
    """An image, its file, and what a row of a table states about its pixels."""

    row_id: int
    path: Path
    version: str
    stated: frozenset[str]


def _files(connection: Connection, dataset_id: str) -> list[_File]:
    """Return some files that may contain several images, evenly spread."""
    facts = image_facts.c.facts
    file_format = facts["file_format"].as_string()
    n_planes, n_channels = facts["n_planes"].as_integer(), facts["n_channels"].as_integer()
    may_have_several = (
        file_format.not_in(_SINGLE_FORMATS)
        | (n_planes > 1)
        | n_channels.not_in((1, 3))
        | (image_facts.c.reason.is_not(None) & (image_facts.c.reason != OUTSIDE))
    )
    first = (
        select(func.min(images.c.row_id))
        .join(image_facts, image_facts.c.row_id == images.c.row_id)
        .where(images.c.dataset_id == dataset_id, ~images.c.is_excluded, may_have_several)
        .group_by(images.c.path)
    )
    query = (
        select(images.c.row_id, images.c.path, images.c.version, images.c.plan)
        .where(images.c.row_id.in_(first))
        .order_by(images.c.position)
    )
    rows = [
        _File(row_id, Path(path), version, frozenset((plan or {}).get("stated", ())))
        for row_id, path, version, plan in connection.execute(query)
    ]
    step = max(1, -(-len(rows) // _MOST_FILES))
    return rows[::step]


@lru_cache(maxsize=1_000)
def _cached_series(path: Path, version: str, within: tuple[Path, ...]) -> tuple[Series, ...]:
    """Return the series of a file; `version` changes with it."""
    return describe_image(path, within=within)


def _n_channels(series: Series) -> int:
    return 1 if "S" in series.channel_axes and series.n_channels <= 4 else series.n_channels


def _series_sizes(series: Series) -> tuple[int, ...]:
    return series.size("T"), series.n_z, _n_channels(series), len(series.sizes)


def _n_alternatives(series: Sequence[Series]) -> tuple[int, int]:
    """Return the number of keys of which a file has several, and the number of planes; resolutions do not count."""
    n_keys = sum(_has_several(series, key) for key in _KEYS if key != "level")
    return n_keys, sum(t * z * channels for t, z, channels, _ in map(_series_sizes, series))


def _has_several(series: Sequence[Series], key: PixelKey) -> bool:
    if key == "series":
        return len(series) > 1
    place = ("t", "z", "channels", "level").index(key)
    return any(_series_sizes(each)[place] > 1 for each in series)


def _options(series: Series) -> SeriesOptions:
    return SeriesOptions(
        series.name,
        series.size("T"),
        series.n_z,
        _n_channels(series),
        list(series.channels) if len(series.channels) == _n_channels(series) else [],
        [list(size) for size in series.sizes],
    )
