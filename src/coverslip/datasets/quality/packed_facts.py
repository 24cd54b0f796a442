"""Facts of many images in little memory."""

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import starmap
from operator import eq
from typing import Any, overload

from coverslip.images import ImageFacts
from coverslip.messages import Message, message

_ROW = struct.Struct("16s4I")  # hash, width, height, number of the kind, and position of the intensity range


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The reason why a file could not be read."""

    reason: Message


@cache
def not_scanned() -> Unreadable:
    """Return the facts of an image that the scan has not reached."""
    return Unreadable(message("image-not-reached"))


class PackedFacts(Sequence[ImageFacts | Unreadable]):
    """Facts of images by position, which take about 50 bytes for each image instead of 220 and more.

    Each access returns a new object.
    """

    def __init__(self, n: int) -> None:
        """Start with `n` images that are not scanned."""
        self._rows = bytearray(_ROW.size * n)
        self._ranges = array("d")  # low ends, then high ends, of the channels of each image
        # What most images share: all facts except the hash, the size and the intensity range.
        self._kinds: list[tuple[Any, ...] | Unreadable] = [not_scanned()]  # Any: of each fact another type
        self._number_of_kind: dict[tuple[Any, ...] | Unreadable, int] = {not_scanned(): 0}

    def __len__(self) -> int:
        return len(self._rows) // _ROW.size

    def __setitem__(self, position: int, facts: ImageFacts | Unreadable) -> None:
        if isinstance(facts, Unreadable):
            row = (b"", 0, 0, self._number(facts), 0)
        else:
            kind = (
                *(facts.n_channels, facts.dtype, facts.bit_depth, facts.file_format, facts.n_planes),
                *(facts.note, facts.pixel_size_um),
            )
            digest = bytes.fromhex(facts.pixel_hash)
            row = (digest, facts.width_px, facts.height_px, self._number(kind), len(self._ranges))
            self._ranges.extend((*facts.low, *facts.high))
        _ROW.pack_into(self._rows, position * _ROW.size, *row)

    def _number(self, kind: tuple[Any, ...] | Unreadable) -> int:
        number = self._number_of_kind.setdefault(kind, len(self._kinds))
        if number == len(self._kinds):
            self._kinds.append(kind)
        return number

    @overload
    def __getitem__(self, position: int) -> ImageFacts | Unreadable: ...

    @overload
    def __getitem__(self, position: slice) -> "list[ImageFacts | Unreadable]": ...

    def __getitem__(self, position: int | slice) -> "ImageFacts | Unreadable | list[ImageFacts | Unreadable]":
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self)))]
        n = len(self)
        if not -n <= position < n:
            raise IndexError(position)
        return self._unpacked(*_ROW.unpack_from(self._rows, position % n * _ROW.size))

    def __iter__(self) -> Iterator[ImageFacts | Unreadable]:
        return starmap(self._unpacked, _ROW.iter_unpack(self._rows))

    def _unpacked(self, digest: bytes, width: int, height: int, number: int, start: int) -> ImageFacts | Unreadable:
        kind = self._kinds[number]
        if isinstance(kind, Unreadable):
            return kind
        n_channels, dtype, bit_depth, file_format, n_planes, note, pixel_size_um = kind
        middle = start + n_channels
        low, high = tuple(self._ranges[start:middle]), tuple(self._ranges[middle : middle + n_channels])
        shape = digest.hex(), width, height, n_channels
        return ImageFacts(*shape, dtype, bit_depth, file_format, n_planes, low, high, note, pixel_size_um)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # it changes
