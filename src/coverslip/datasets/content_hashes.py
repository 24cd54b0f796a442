"""The hashes of the files of images, by which images are recognized whatever their files are called."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import overload

from coverslip.cache.file_hashes import FileHashes, FileIdentity
from coverslip.datasets.index.records import ImageRecord

_THREADS = 8  # more than cores, since network drives have a high latency
_AT_ONCE = 2_000  # images
_PER_TASK = 16  # images: starting a task takes as long as hashing a small file
_DIGEST_BYTES = 32


class ContentHashes(Sequence[str]):
    """The hex SHA-256 of the files of each image; empty if it is unknown, or the image has no file."""

    def __init__(self, n: int) -> None:
        """Start with `n` images whose files are unknown."""
        self._digests = bytearray(n * _DIGEST_BYTES)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentHashes) and self._digests == other._digests

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __len__(self) -> int:
        return len(self._digests) // _DIGEST_BYTES

    @overload
    def __getitem__(self, i: int) -> str: ...

    @overload
    def __getitem__(self, i: slice) -> list[str]: ...

    def __getitem__(self, i: int | slice) -> str | list[str]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        i = range(len(self))[i]
        digest = self._digests[i * _DIGEST_BYTES : (i + 1) * _DIGEST_BYTES]
        return digest.hex() if any(digest) else ""

    def __setitem__(self, i: int, digest: bytes) -> None:
        self._digests[i * _DIGEST_BYTES : (i + 1) * _DIGEST_BYTES] = digest


class SharedReads:
    """Reads the files of images, those with several images once. Thread-safe."""

    def __init__(self, hashes: FileHashes) -> None:
        self._hashes, self._lock = hashes, Lock()
        self._reads: dict[tuple[Path, ...], Future[FileIdentity | None]] = {}

    def __call__(self, record: ImageRecord) -> FileIdentity | None:
        """Return the identity of an image's files; None if it has none, or they cannot be read."""
        if record.in_memory is not None:
            return None
        files = record.files
        if not (record.has_box or record.stated):  # the only image of its file: nothing to remember
            return self._hashes.read(files)
        with self._lock:
            is_first = files not in self._reads
            read = self._reads.setdefault(files, Future())
        if is_first:
            try:
                read.set_result(self._hashes.read(files))
            except BaseException as error:
                read.set_exception(error)
                raise
        return read.result()


def find_hashes(records: Sequence[ImageRecord], hashes: FileHashes) -> list[bytes | None]:
    """Return the hash of each image's files if their state shows that they are unchanged, without reading them."""
    files: list[tuple[Path, ...]] = []
    index_of: dict[tuple[Path, ...], int] = {}
    indices: list[int] = []  # in `files`, of each image; -1: it is in memory
    for record in records:
        if record.in_memory is not None:
            indices.append(-1)
            continue
        of_record = record.files
        index = len(files)
        if record.has_box or record.stated:  # a field of many objects is looked up once
            index = index_of.setdefault(of_record, index)
        if index == len(files):
            files.append(of_record)
        indices.append(index)
    digests = hashes.find(files)
    return [None if index < 0 else digests[index] for index in indices]


def hash_files(
    records: Sequence[ImageRecord],
    hashes: FileHashes,
    read: SharedReads | None = None,
    on_progress: Callable[[int], None] = lambda n: None,
) -> Iterator[str]:
    """Yield the hex SHA-256 of the files of each image, in order, a block ahead; empty if it has none.

    Args:
        records: the images.
        hashes: of files, by their state.
        read: shared with other calls for images of the same files; None: with none.
        on_progress: called with the number of images so far.
    """
    read = read or SharedReads(hashes)

    def read_some(some: Sequence[ImageRecord]) -> list[FileIdentity | None]:
        return list(map(read, some))

    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="hash")
    try:
        for start in range(0, len(records), _AT_ONCE):
            block = records[start : start + _AT_ONCE]
            digests = find_hashes(block, hashes)
            unread = [record for record, digest in zip(block, digests, strict=True) if digest is None]
            tasks = [unread[k : k + _PER_TASK] for k in range(0, len(unread), _PER_TASK)]
            missing = chain.from_iterable(pool.map(read_some, tasks))
            for k, digest in enumerate(digests):
                if digest is None:
                    identity = next(missing)
                    digest = None if identity is None else identity.sha256
                yield "" if digest is None else digest.hex()
                on_progress(start + k + 1)
            hashes.save()
    finally:
        pool.shutdown(cancel_futures=True)
