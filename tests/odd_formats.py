"""A format whose reader does to its process what no reader should: installed as another package would bring it.

The bytes of a file say what: see `READER`. Real faults of this kind lie in codecs, and are mended when they are known.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from coverslip.images.reader import Decoded, Reader, Selection, Series

SIGN = b"ODD FORMAT "


def write_odd(path: Path, what: str) -> Path:
    """A file over which its reader `sleeps`, `loops`, `allocates`, `aborts`, or `prints` and reads."""
    path.write_bytes(SIGN + what.encode())
    return path


class OddSource:
    def __init__(self, path: Path) -> None:
        self._what = path.read_bytes().removeprefix(SIGN)

    def describe(self) -> tuple[Series, ...]:
        return (Series("YX", (8, 9)),)

    def read_region(self, _: Selection, __: int) -> Decoded:
        return read_odd(self._what)


@contextmanager
def open_odd(path: Path) -> Iterator[OddSource]:
    yield OddSource(path)


def read_odd(what: bytes) -> Decoded:
    if what == b"sleeps":
        time.sleep(1000)
    if what == b"loops":
        while True:
            pass
    if what == b"allocates":
        held = []
        while True:
            held.append(np.ones(10_000_000))
    if what == b"aborts":
        os.abort()
    os.write(1, b"a library prints")
    return Decoded(np.zeros((8, 9, 1), np.uint8), 8)


READER = Reader(
    name="ODD",
    title="a format that is odd",
    suffixes=(".odd",),
    is_this=lambda head: head.startswith(SIGN),
    open=open_odd,
)


def install(folder: Path) -> str:
    """Install a package in `folder` that brings the format; gives the PYTHONPATH by which it is found."""
    (folder / "odd-1.0.dist-info").mkdir(parents=True)
    (folder / "odd-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    entry = "[coverslip.readers]\nodd = odd_formats:READER\n"
    (folder / "odd-1.0.dist-info" / "entry_points.txt").write_text(entry)
    here = Path(__file__).resolve().parent
    return os.pathsep.join(map(str, (folder, here, here.parent / "src")))
