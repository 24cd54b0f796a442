"""Open image files, optionally confined to some folders, safe against links that are replaced in the meantime.

After a path is checked, it can lead to another file by the time it is opened. A confined file is therefore opened
folder by folder, from the allowed root along its real path, without following links: the checked file is read.
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

# Without these functions (Windows), a link that is replaced between check and opening is followed.
_CAN_WALK = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_thread = threading.local()


@contextmanager
def confined_to(roots: Sequence[Path] | None) -> Iterator[None]:
    """Restrict `open_image` in this thread to files below these real paths; None: any file."""
    before = getattr(_thread, "roots", None)
    _thread.roots = roots
    try:
        yield
    finally:
        _thread.roots = before


def confining_roots() -> Sequence[Path] | None:
    """Return the real paths to which this thread is confined; None: any file."""
    roots: Sequence[Path] | None = getattr(_thread, "roots", None)
    return roots


@contextmanager
def files_opened() -> Iterator[set[str]]:
    """Collect the paths that `open_image` opens in this thread during the block."""
    before = getattr(_thread, "opened", None)
    _thread.opened = opened = set[str]()
    try:
        yield opened
    finally:
        _thread.opened = before


def open_image(path: Path) -> BufferedReader:
    """Open a file for reading bytes. Every format reader opens its files with this function.

    Raises:
        UnreadableImage: the file is outside the folders to which this thread is confined.
        OSError: the file cannot be opened.
    """
    opened: set[str] | None = getattr(_thread, "opened", None)
    if opened is not None:
        opened.add(os.fspath(path))
    roots = confining_roots()
    return path.open("rb") if roots is None else open_below(path, roots)


def open_below(path: Path, roots: Sequence[Path]) -> BufferedReader:
    """Open a regular file whose real path is below one of these real paths, for reading bytes.

    Raises:
        UnreadableImage: the file is outside these paths, or a link was put into its path in the meantime.
        OSError: the file cannot be opened.
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
        descriptor = _open_without_links(root, real.relative_to(root).parts)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _outside(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableImage("no-regular-file", file=path)
    file = os.fdopen(descriptor, "rb")
    file.raw.name = str(real)  # type: ignore[attr-defined]  # of FileIO; readers of some formats need a path
    return file


def _open_without_links(root: Path, parts: Sequence[str]) -> int:
    in_folder = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(root, in_folder)
    try:
        for part in parts[:-1]:
            inner = os.open(part, in_folder, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Non-blocking: opening a named pipe would block the reader.
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)


def _outside(path: Path) -> UnreadableImage:
    return UnreadableImage("image-outside-folders", file=path)
