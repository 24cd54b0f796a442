"""The identity of files: the SHA-256 of their bytes, by which everything that is stored about a file is found again.

Names, sizes and times do not identify files: programs that unpack, synchronize or restore files set them. The state of
a file, which is its path, size, times, device and inode, is only a fast path to a hash that was computed before. It is
trusted under these conditions; otherwise the file is read:

- The file is on a local file system on which every change sets a time that programs cannot set (ctime). Therefore the
  state of a file on another computer, from which a cache can be copied, is different.
- The last change was a minute or longer before the file was read. A later change within the granularity of the clock
  would have the same time, and a change through a memory map can set the time up to 35 seconds late.
"""

import errno
import hashlib
import json
import os
import sqlite3
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from coverslip.cache.stores import Kind, RecordStore
from coverslip.machine import file_systems, mount_point

FILE_HASHES = Kind("file-hashes")
_LOCAL = frozenset({"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "tmpfs", "xfs", "zfs"})
# File systems whose volumes have other devices than their mount points. On macOS, /Users is on another volume than /.
_OWN_DEVICES = frozenset({"apfs", "btrfs"})
_SETTLED_NS = 60 * 10**9
_BLOCK_BYTES = 2**20
_AT_ONCE = 2_000  # images
_STATE = struct.Struct("<QQQqq")


class FileState(NamedTuple):
    """What changes if a regular file is changed or replaced, on file systems that keep it."""

    device: int
    inode: int
    n_bytes: int
    mtime_ns: int
    ctime_ns: int


def state_of(file: Path | str) -> FileState | None:
    """Return the state of a regular file, after links are followed; None if there is none."""
    try:
        return _state(os.stat(file))  # noqa: PTH116 - a `Path` takes as long as the rest
    except (OSError, ValueError):
        return None


def _state(status: os.stat_result) -> FileState | None:
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileState(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def states_of(image: Iterable[Path]) -> dict[str, FileState]:
    """Return the states of the regular files of an image by path; if it is a folder, those of all files in it."""
    return _Files(image).states


def state_text(states: Mapping[str, FileState]) -> str:
    """Return the states of the files of an image as one text, which begins with their number of bytes."""
    # Without the device, whose number can change when a disk is connected.
    texts = [f"{state.mtime_ns} {state.ctime_ns} {state.inode}" for state in states.values()]
    if len(texts) > 1:
        texts = [hashlib.blake2b(json.dumps([*states, *texts]).encode(), digest_size=16).hexdigest()]
    return f"{sum(state.n_bytes for state in states.values())} {texts[0]}"


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """The hash of one or more files, and their state before they were read."""

    sha256: bytes
    image: tuple[Path, ...]  # files, or folders that are one image
    states: Mapping[str, FileState]  # of all files by path

    def is_current(self) -> bool:
        """Return whether no file has changed since it was read, as far as its state shows it."""
        return states_of(self.image) == self.states


class FileHashes:
    """Hashes of files, read from the files or found by their state.

    Several threads can use `read` at the same time, the other methods are for one thread.
    """

    def __init__(
        self,
        on_failure: Callable[[OSError | sqlite3.Error], None] | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open the records of hashes.

        Args:
            on_failure: called at most once, with the error due to which nothing is recorded.
            clock: returns the current time in nanoseconds since 1970.
        """
        self._store = RecordStore(FILE_HASHES, "files", on_failure=on_failure)
        self._clock = clock
        self._devices = _Devices()
        self._new: dict[str, bytes] = {}
        self._is_closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> "FileHashes":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def find(self, images: Sequence[Sequence[Path]]) -> list[bytes | None]:
        """Return the hash of the files of each image without reading them; None where they must be read."""
        # All at once would take half as long again, because of the many objects at the same time.
        blocks = (images[k : k + _AT_ONCE] for k in range(0, len(images), _AT_ONCE))
        return [digest for block in blocks for digest in self._find(block)]

    def _find(self, images: Sequence[Sequence[Path]]) -> list[bytes | None]:
        # Most images are one file. What is computed for each of them takes most of the time of a start of a training.
        paths = [os.fspath(image[0]) if len(image) == 1 else "" for image in images]
        packed = list(map(self._local_state, paths))
        others = {i: _Files(images[i]) for i, state in enumerate(packed) if state is None}  # folders, several files
        for each in others.values():
            paths += each.states
            packed += map(self._local_state, each.states)
        keys = [_path_key(path) if state else "" for path, state in zip(paths, packed, strict=True)]
        stored = self._store.find(filter(None, keys))
        digests = [_recorded(stored.get(key), state) for key, state in zip(keys, packed, strict=True)]
        if others:
            by_path = {path: digest for path, digest in zip(paths, digests, strict=True) if digest is not None}
            for i, each in others.items():
                digests[i] = each.joined(by_path)
        return digests[: len(images)]

    def _local_state(self, path: str) -> bytes | None:
        """Return the packed state of a regular file; empty if it is not trusted, None if there is no such file."""
        try:
            status = os.stat(path)  # noqa: PTH116 - as in `state_of`
        except (OSError, ValueError):
            return None
        packed = _packed(status)
        return packed if packed is None or self._devices.is_local(path, status.st_dev) else b""

    def read(self, image: Sequence[Path]) -> FileIdentity | None:
        """Return the hash of the files of an image after reading them; None if they do not exist or cannot be read."""
        files = _Files(image)
        hashes: dict[str, bytes] = {}
        states: dict[str, FileState] = {}
        try:
            for path in files.states:
                hashes[path], states[path] = self._read(path)
        except (OSError, ValueError):
            return None
        joined = files.joined(hashes)
        return None if joined is None else FileIdentity(joined, tuple(image), states)

    def save(self) -> None:
        """Record the hashes that were read."""
        with self._lock:
            new, self._new = self._new, {}
        self._store.keep(new)

    def close(self) -> None:
        """Save, and close the records. Threads that still read a file get None."""
        self._is_closed = True
        self.save()
        self._store.close()

    def _read(self, path: str) -> tuple[bytes, FileState]:
        """Return the hash of a regular file, and its state before it was read."""
        started = self._clock()
        # Non-blocking: opening a pipe would wait for its writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags)
        try:
            state = _state(os.fstat(descriptor))
            if state is None:
                raise ValueError(f"{path} is no regular file")
            digest, n_at_once = hashlib.sha256(), min(state.n_bytes + 1, _BLOCK_BYTES)
            while block := os.read(descriptor, n_at_once):
                if self._is_closed:  # an interrupted scan must not wait for a file of many gigabytes
                    raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED), path)
                digest.update(block)
        finally:
            os.close(descriptor)
        is_settled = started - state.ctime_ns > _SETTLED_NS
        if is_settled and self._devices.is_local(path, state.device) and state_of(path) == state:
            with self._lock:
                self._new[_path_key(path)] = _STATE.pack(*state) + digest.digest()
        return digest.digest(), state


def _path_key(path: str) -> str:
    return hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()


def _packed(status: os.stat_result) -> bytes | None:
    """Return the state of a regular file as bytes, which take less time than a `FileState`; None for other files."""
    if not stat.S_ISREG(status.st_mode):
        return None
    return _STATE.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _recorded(value: bytes | None, state: bytes | None) -> bytes | None:
    """Return the hash of a record; None if there is no record of this state, or the state is not trusted."""
    return value[_STATE.size :] if value is not None and state and value.startswith(state) else None


class _Files:
    """The regular files of an image; of a folder, which is one image in some formats, all files in it."""

    def __init__(self, image: Iterable[Path]) -> None:
        self.states: dict[str, FileState] = {}  # by path, of all that exist
        self._members: list[str | dict[str, str]] = []  # a file, or the files of a folder by their names in it
        for path in map(os.fspath, image):
            state = state_of(path)
            if state is not None:
                self.states[path] = state
            inner = _files_in(path) if state is None and Path(path).is_dir() else None
            self._members.append(path if inner is None else inner)
            for each in () if inner is None else inner.values():
                if (state := state_of(each)) is not None:
                    self.states[each] = state

    def joined(self, hashes: Mapping[str, bytes]) -> bytes | None:
        """Return the hash of the image from those of its files by path; None if one is missing."""
        members = []
        for member in self._members:
            digest = hashes.get(member) if isinstance(member, str) else _of_folder(member, hashes)
            if digest is None:
                return None
            members.append(digest)
        return members[0] if len(members) == 1 else hashlib.sha256(b"".join(members)).digest()


def _of_folder(inner: Mapping[str, str], hashes: Mapping[str, bytes]) -> bytes | None:
    """Return the hash of the names and the hashes of files; None if one is missing."""
    digest = hashlib.sha256()
    for name, path in inner.items():
        if path not in hashes:
            return None
        digest.update(os.fsencode(name) + b"\0" + hashes[path])
    return digest.digest()


def _files_in(path: str) -> dict[str, str]:
    """Return the files of a folder by their names in it, sorted."""
    inner: dict[str, str] = {}
    visited: set[str] = set()  # links can lead back
    for folder, folders, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        for file in (Path(folder, name) for name in names):
            inner[file.relative_to(path).as_posix()] = str(file)
    return dict(sorted(inner.items()))


class _Devices:
    """Which devices are local file systems that keep the state of files."""

    def __init__(self) -> None:
        self._is_local: dict[int, bool] = {}
        self._mounts: dict[str, str] | None = None

    def is_local(self, path: str, device: int) -> bool:
        """Return whether the file at a path, which is on this device, is on such a file system."""
        is_local = self._is_local.get(device)
        if is_local is None:
            if self._mounts is None:
                self._mounts = file_systems()
            is_local = self._is_local[device] = is_on_local(os.path.realpath(path), device, self._mounts)
        return is_local


def is_on_local(real_path: str, device: int, mounts: Mapping[str, str]) -> bool:
    """Return whether a file is on a local file system that keeps the state of files; False if this is unknown.

    Args:
        real_path: of the file, without links.
        device: of the file.
        mounts: the type of the file system of each mount point.
    """
    point = mount_point(real_path, mounts)
    if point is None or mounts[point] not in _LOCAL:
        return False
    try:
        return Path(point).stat().st_dev == device or mounts[point] in _OWN_DEVICES
    except OSError:
        return False
