"""Folders as bytes, to be sent from one computer to another."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path


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
