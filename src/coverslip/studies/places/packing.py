"""Folders as bytes, to be sent from one computer to another."""

import io
import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path

from coverslip.archives import safe_name
from coverslip.errors import BadClusterAnswer

_MOST_FILES = 200_000


def packed(files: Iterable[Path], below: Path) -> bytes:
    """Files and whole folders, by their names below a folder; those that are not there are left out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:  # weights and images hardly shrink
        for file in files:
            if file.exists():
                archive.add(file, file.relative_to(below).as_posix())
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Put what was packed into a folder; names that lead out of it, links and devices are refused."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="data")


def unpack_answer(data: bytes, folder: Path, names: Collection[str]) -> None:
    """Put what a computer of a cluster packed into a folder.

    Args:
        data: what `packed` gave there; all of it is checked before anything is written.
        folder: where it goes.
        names: of the files and folders that it may hold.

    Raises:
        BadClusterAnswer: it holds anything but plain files and folders of these names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for i, member in enumerate(archive):
                if not (member.isreg() or member.isdir()) or member.issparse():
                    raise BadClusterAnswer("it holds a link or no plain file")
                if i >= _MOST_FILES or safe_name(member.name).parts[0] not in names:
                    raise BadClusterAnswer("it holds other files than those of the training")
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise BadClusterAnswer("it could not be unpacked") from error
