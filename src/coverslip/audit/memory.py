"""The memory that checks of images take beside their pixels: one budget for all threads and datasets of a process."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_BYTES = 10**9
_BYTES_A_SAMPLE = 8  # of copies as floats, and of what is told pixel by pixel


class _MemoryBudget:
    """Bytes that may be taken at the same time; a request for more than all of them waits until it is alone."""

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


_budget = _MemoryBudget(_MOST_BYTES)


def memory_for_checks(array: npt.NDArray[Any]) -> AbstractContextManager[None]:  # Any: one of three
    """Wait until there is memory to check these (H, W, C) pixels."""
    return _budget.taken(np.size(array) * _BYTES_A_SAMPLE)
