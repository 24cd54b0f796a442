"""Fields of view that several boxes are cut out of: each is decoded once and kept for a while."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from coverslip.errors import UnreadableImage
from coverslip.images.plan import ReadPlan
from coverslip.images.reading import Pixels

MOST_BYTES = 128 * 2**20  # of decoded planes; the one that was used last is kept whatever its size
_Key = tuple[Path, ReadPlan]


class Fields:
    """Decoded planes by file and plan, for one pass over images. Used by several threads, which wait for one another.

    Memory is bounded: planes that were not used for longest go first.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, Future[Pixels | UnreadableImage]] = OrderedDict()

    def get(self, path: Path, whole: ReadPlan, decode: Callable[[], Pixels]) -> Pixels:
        """The plane with all its channels by a plan without a box, decoded by whoever asks first.

        Raises:
            UnreadableImage: it cannot be read; nobody tries again.
        """
        key = (path, whole)
        with self._lock:
            known = self._kept.get(key)
            future = known or self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
        if known is None:
            self._decode(key, future, decode)
        field = future.result()
        if isinstance(field, UnreadableImage):
            raise UnreadableImage(field.what, file=field.file, do=field.do)
        return field

    def _decode(self, key: _Key, future: "Future[Pixels | UnreadableImage]", decode: Callable[[], Pixels]) -> None:
        try:
            future.set_result(decode())
        except UnreadableImage as error:
            future.set_result(error)
        except BaseException as error:  # noqa: BLE001 - whoever waits for it is told, this thread too
            future.set_exception(error)
            with self._lock:
                self._kept.pop(key, None)
        self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            n_bytes = sum(map(_n_bytes, self._kept.values()))
            for key in list(self._kept)[:-1]:
                if n_bytes <= self._most_bytes:
                    return
                if self._kept[key].done():
                    n_bytes -= _n_bytes(self._kept.pop(key))


def _n_bytes(future: "Future[Pixels | UnreadableImage]") -> int:
    field = future.result() if future.done() and future.exception() is None else None
    return field.array.nbytes if isinstance(field, Pixels) else 0
