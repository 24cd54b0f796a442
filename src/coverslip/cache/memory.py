"""A cache in the memory of this process, for decoded pixels and what is computed from them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

_V = TypeVar("_V")


class MemoryCache(Generic[_V]):
    """Values by key. Thread-safe: the first thread that needs a value computes it, and others wait.

    The least recently used values are removed first. The last one stays, however large it is.

    Args:
        max_bytes: the memory of all values together.
        n_bytes: returns the memory of a value.
    """

    def __init__(self, max_bytes: int, n_bytes: Callable[[_V], int]) -> None:
        self._max_bytes, self._n_bytes, self._lock = max_bytes, n_bytes, threading.Lock()
        self._values: OrderedDict[Hashable, Future[_V]] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], _V]) -> _V:
        """Return the value of a key. An exception is raised in each waiting thread; a later call computes again."""
        with self._lock:
            pending = self._values.get(key)
            future = pending or self._values.setdefault(key, Future())
            self._values.move_to_end(key)
        if pending is None:
            self._fill(key, future, compute)
        return future.result()

    def _fill(self, key: Hashable, future: "Future[_V]", compute: Callable[[], _V]) -> None:
        try:
            future.set_result(compute())
        except BaseException as error:  # noqa: BLE001 - raised by `get`
            with self._lock:
                self._values.pop(key, None)
            future.set_exception(error)
        else:
            self._evict()

    def _evict(self) -> None:
        with self._lock:
            ended = {key: future.result() for key, future in self._values.items() if future.done()}
            n_bytes = sum(map(self._n_bytes, ended.values()))
            last = next(reversed(self._values), None)
            for key, value in ended.items():
                if n_bytes <= self._max_bytes:
                    return
                if key != last:
                    del self._values[key]
                    n_bytes -= self._n_bytes(value)
