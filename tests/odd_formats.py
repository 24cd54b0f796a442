"""A format whose reader does to its process what no reader should: installed as another package would bring it.

The bytes of a file say what: see `READER`. Real faults of this kind lie in codecs, and are mended when they are known.
"""

import importlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from coverslip.images import formats
from coverslip.images.reader import Decoded, Reader, Selection, Series

SIGN = b"ODD FORMAT "


def write_odd(path: Path, what: str) -> Path:
    """A file over which its reader `sleeps`, `loops`, `allocates`, `aborts`, or `prints` and reads.

    Or which it reads after it `aborts once`, or `waits` until there is a file `PATH.go`.
    """
    path.write_bytes(SIGN + what.encode())
    return path


class OddSource:
    def __init__(self, path: Path) -> None:
        self._path, self._what = path, path.read_bytes().removeprefix(SIGN)

    def describe(self) -> tuple[Series, ...]:
        return (Series("YX", (8, 9)),)

    def read_region(self, _: Selection, __: int) -> Decoded:
        go = self._path.with_name(f"{self._path.name}.go")
        while self._what == b"waits" and not go.exists():
            time.sleep(0.01)
        if self._what == b"aborts once" and not go.exists():
            go.touch()
            os.abort()
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


def install(folder: Path, target: str = "odd_formats:READER", *, version: str = "1.0") -> str:
    """Install a package in `folder` that brings a format; gives the PYTHONPATH by which it is found."""
    about = folder / "odd.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: odd\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(f"[coverslip.readers]\nodd = {target}\n")
    here = Path(__file__).resolve().parent
    return os.pathsep.join(map(str, (folder, here, here.parent / "src")))


@contextmanager
def installed(folder: Path, target: str, *, version: str = "1.0") -> Iterator[None]:
    """Install a package in `folder` that brings a format to this process, and remove it afterward."""
    install(folder, target, version=version)
    sys.path.insert(0, str(folder))
    _forget_formats()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _forget_formats()


def _forget_formats() -> None:
    importlib.invalidate_caches()
    for cached in (formats._installed, formats.image_suffixes, formats.decoder_versions):
        cached.cache_clear()
