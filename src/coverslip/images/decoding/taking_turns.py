"""Several threads at work beside each other, or one alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SharedOrExclusive:
    """Used by several threads. Whoever wants to be alone goes before those that come later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n_beside = self._n_alone_or_waiting = 0
        self._turn = threading.Lock()  # of those that want to be alone

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Work beside others, once nobody is alone or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._n_alone_or_waiting)
            self._n_beside += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_beside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work with nobody beside."""
        with self._changed:
            self._n_alone_or_waiting += 1
        try:
            with self._turn:
                with self._changed:
                    self._changed.wait_for(lambda: not self._n_beside)
                yield
        finally:
            with self._changed:
                self._n_alone_or_waiting -= 1
                self._changed.notify_all()
