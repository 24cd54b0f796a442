"""The chunks of an OME-Zarr folder for the package zarr: read-only, confined, and none may be missing.

zarr fills missing chunks with a constant. A folder that was copied in part, or whose chunks have other names than its
metadata state, would become a black image without an error.

A shard is a file of several chunks, and its index states which chunks are empty: writers omit those that consist of the
fill value only. These are no missing chunks. A shard that is missing, empty or shorter than its index states is an
error.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from coverslip.images.confining import confined_to, open_image
from coverslip.images.reader import damaged
from coverslip.messages import message

_METADATA = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}


class ChunkStore(Store):  # type: ignore[misc]  # of a package without types here
    """The files of one folder."""

    def __init__(self, folder: Path, roots: Sequence[Path] | None, *, is_sparse: bool) -> None:
        """Take the folder of an image.

        Args:
            folder: of the image.
            roots: the folders to which reading is confined; zarr reads in another thread.
            is_sparse: whether a missing chunk has the constant that its metadata state, as in label images.
        """
        super().__init__(read_only=True)
        self._folder, self._roots, self._is_sparse = folder, roots, is_sparse

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChunkStore) and other._folder == self._folder

    def __hash__(self) -> int:
        return hash(self._folder)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return the bytes of a file; None for missing metadata, and for a missing chunk of a sparse image.

        Raises:
            UnreadableImage: a chunk is missing or incomplete.
        """
        try:
            is_complete = True
            with confined_to(self._roots), open_image(self._folder / key) as file:
                match byte_range:
                    case RangeByteRequest(start, end):
                        file.seek(start)
                        data = file.read(end - start)
                        is_complete = len(data) == end - start
                    case OffsetByteRequest(offset):
                        file.seek(offset)
                        data = file.read()
                    case SuffixByteRequest(suffix):
                        file.seek(max(0, file.seek(0, 2) - suffix))
                        data = file.read()
                    case _:
                        data = file.read()
                is_complete = is_complete and bool(file.seek(0, 2))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            if self._is_sparse or key.rsplit("/", 1)[-1] in _METADATA:
                return None
            raise damaged(self._folder, message("zarr-chunk-missing", chunk=key)) from None
        if not is_complete:
            raise damaged(self._folder, message("zarr-chunk-incomplete", chunk=key))
        return prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> Sequence[Buffer | None]:
        """Return the parts of several files."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether there is a file."""
        return (self._folder / key).is_file()

    supports_writes = supports_deletes = supports_listing = False

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse to write."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        raise NotImplementedError

    def list(self) -> AsyncIterator[str]:
        """Refuse to list."""
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refuse to list."""
        raise NotImplementedError

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refuse to list."""
        raise NotImplementedError
