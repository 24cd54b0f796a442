"""Memory that looking at images takes beside their pixels: one amount for all threads and datasets of a process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_BYTES = 10**9
_BYTES_A_SAMPLE = 8  # of copies as floats, and of what is told pixel by pixel


class _Room:
    """Bytes that may be taken at the same time; what needs more than all of them is let in alone."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._taken = most_bytes, 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, n_bytes: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + n_bytes <= self._most_bytes)
            self._taken += n_bytes
        try:
            yield
        finally:
            with self._changed:
                self._taken -= n_bytes
                self._changed.notify_all()


_room = _Room(_MOST_BYTES)


@contextmanager
def room_to_look_at(array: npt.NDArray[Any]) -> Iterator[None]:  # Any: one of three
    """Wait until there is memory to look at these (H, W, C) pixels."""
    with _room.taken(np.size(array) * _BYTES_A_SAMPLE):
        yield
