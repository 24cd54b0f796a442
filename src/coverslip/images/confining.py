"""Opening the files of images, anywhere or only below some folders, whatever links are exchanged meanwhile.

A path that was checked may lead to another file by the time it is opened. So a confined file is opened folder by
folder from the root above its real path, and no link is followed on the way: the file that was checked is read.
"""

import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from coverslip.errors import UnreadableImage

# Without them (Windows), a link that is exchanged between check and opening is followed.
_CAN_WALK = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_OF_THREAD = threading.local()


@contextmanager
def confined_to(roots: Sequence[Path] | None) -> Iterator[None]:
    """Let `open_image` open nothing but files below these real paths, in this thread; None: any file."""
    before = getattr(_OF_THREAD, "roots", None)
    _OF_THREAD.roots = roots
    try:
        yield
    finally:
        _OF_THREAD.roots = before


def open_image(path: Path) -> BufferedReader:
    """Return a file to read bytes from; every reader of a format opens its files with this.

    Raises:
        UnreadableImage: it lies outside the folders that this thread is confined to.
        OSError: it cannot be opened.
    """
    roots: Sequence[Path] | None = getattr(_OF_THREAD, "roots", None)
    return path.open("rb") if roots is None else open_below(path, roots)


def open_below(path: Path, roots: Sequence[Path]) -> BufferedReader:
    """Return a regular file that lies below one of these real paths, also behind links, to read bytes from.

    Raises:
        UnreadableImage: it is outside these paths, or a link was put into its path meanwhile.
        OSError: it cannot be opened.
    """
    real = path.resolve(strict=True)
    root = next((root for root in roots if real.is_relative_to(root)), None)
    if root is None:
        raise _outside(path)
    if real == root:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(real))
    if not _CAN_WALK:
        return real.open("rb")
    try:
        number = _opened_without_links(root, real.relative_to(root).parts)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _outside(path) from error
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise UnreadableImage("no-regular-file", file=path)
    return os.fdopen(number, "rb")


def _opened_without_links(root: Path, parts: Sequence[str]) -> int:
    in_folder = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(root, in_folder)
    try:
        for part in parts[:-1]:
            inner = os.open(part, in_folder, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Not blocking: a pipe that was put there would hold the reader.
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)


def _outside(path: Path) -> UnreadableImage:
    return UnreadableImage("image-outside-folders", file=path)
