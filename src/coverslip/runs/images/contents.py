"""Whether the files of a run's images hold what they held when it began.

Their bytes are hashed, not their sizes and times of change compared: a file can be replaced by another of the same size
and time. That takes a pass over the files without decoding any.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from coverslip.datasets import Dataset, some
from coverslip.errors import BadRun
from coverslip.events import Emit, telling
from coverslip.runs.documents import read_table, write_table
from coverslip.runs.folder import Run
from coverslip.stopping import BY_SIGNAL, Stop

_THREADS = 8  # more than cores: a network drive answers late
_EXAMPLES = 5


class ContentHashes:
    """Hashes of image files, each read once however many images it holds."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, data: Dataset, *, emit: Emit, stop: Stop = BY_SIGNAL) -> dict[str, str]:
        """The hashes of all files of each image, by its id; empty for a file that is not there."""
        files = {record.image_id: record.plan.files(record.path) for record in data.records if record.given is None}
        unknown = list(dict.fromkeys(file for each in files.values() for file in each if file not in self._known))
        tell = telling(emit, "hashing files", "files")
        for n, (file, digest) in enumerate(zip(unknown, _hashed(unknown), strict=True), start=1):
            self._known[file] = digest
            tell(n, len(unknown))
            stop.check()
        return {image_id: " ".join(self._known[file] for file in each) for image_id, each in files.items()}


def keep_content_hashes(run: Run, data: Dataset, *, emit: Emit, stop: Stop) -> None:
    """Leave in a run folder what the files of its images hold, when it begins."""
    if not run.content_hashes_file.is_file():
        hashes = ContentHashes().of(data, emit=emit, stop=stop)
        rows = ({"image_id": image_id, "blake2b": digest} for image_id, digest in hashes.items())
        write_table(run.content_hashes_file, ("image_id", "blake2b"), rows)


def refuse_changed_images(run: Run, data: Dataset, hashes: ContentHashes, *, emit: Emit) -> None:
    """Check that files hold what they held when the run began, where it came so far as to say so.

    Args:
        run: that is to be resumed.
        data: its images as they are now; those that the run does not know do not count.
        hashes: that may know these files already, of another run.
        emit: receives progress events.

    Raises:
        BadRun: some do not.
    """
    if not run.content_hashes_file.is_file():
        return
    before = {row["image_id"]: row["blake2b"] for row in read_table(run.content_hashes_file)}
    now = hashes.of(data, emit=emit)
    changed = [image_id for image_id, digest in now.items() if before.get(image_id, digest) != digest]
    if changed:
        raise BadRun(
            "changed-image-files",
            file=data.root,
            n_images=len(changed),
            n_all=len(before),
            names=some(changed, _EXAMPLES),
            examples=changed[:_EXAMPLES],
        )


def _hashed(files: list[Path]) -> Iterator[str]:
    pool = ThreadPoolExecutor(_THREADS)
    try:
        yield from pool.map(_hash_of, files)
    finally:
        pool.shutdown(cancel_futures=True)


def _hash_of(file: Path) -> str:
    try:
        if not file.is_file():  # a pipe would be waited for
            return ""
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""
