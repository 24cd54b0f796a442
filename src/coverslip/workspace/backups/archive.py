"""The content of a backup: a zip file with the files of a workspace, and `backup.json`, its last entry."""

import os
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

from pydantic import Field

from coverslip.archives import Limits, safe_name
from coverslip.errors import CoverslipError
from coverslip.runs.documents import Document

FORMAT_VERSION = 1
MANIFEST = "backup.json"
DATABASE = "workspace.sqlite"
UPLOADS = "uploads"  # files of the user, which are never changed
FOLDERS = ("classifiers", "jobs", "objects", "predictions", "runs", "samples", "snapshots", "studies", "trash", UPLOADS)
"""The folders of a workspace in a backup. The others hold temporary files, logs, locks and tokens."""

LIMITS = Limits(
    max_entries=2_000_000,
    max_directory_bytes=2**29,
    max_ratio=1_000,
    min_ratio_bytes=2**30,
    allows_zip64=True,
)


class Manifest(Document):
    """`backup.json`: where a backup comes from, and what it contains."""

    coverslip: str = Field(description="Version that wrote the backup.")
    database_version: int = Field(description="Version of the tables of the database.")
    system: str = Field(description="Kind of operating system: posix or nt.")
    workspace: str = Field(description="Absolute path of the workspace.")
    created: str = Field(description="ISO 8601, UTC.")
    n_files: int = Field(ge=1, description="Files of the backup, without this one.")
    n_bytes: int = Field(ge=0, description="Size of these files.")
    n_rows: dict[str, int] = Field(description="Rows of each table of the database.")
    n_images_outside: int = Field(ge=0, description="Images of datasets that are outside the workspace.")
    n_links: int = Field(ge=0, description="Links in the workspace, which are not in the backup.")


_ENCODED = b"%\\:"  # besides bytes that are no visible ASCII characters


def entry_name(path: PurePosixPath) -> str:
    """Return the name of the entry of a file: its path in the workspace, with unusual characters as in `%3A`."""
    return "/".join(map(_encoded, path.parts))


def _encoded(part: str) -> str:
    if "%" not in part and _is_portable(part):
        return part
    data = os.fsencode(part)
    ends = (0, len(data) - 1)  # where a space, a dot or the name of a device is not portable
    return "".join(
        chr(byte) if 32 < byte < 127 and byte not in _ENCODED and i not in ends else f"%{byte:02X}"
        for i, byte in enumerate(data)
    )


def _is_portable(part: str) -> bool:
    try:
        return str(safe_name(part)) == part  # not if the normal form of Unicode differs
    except CoverslipError:
        return False


def path_of_entry(name: PurePosixPath) -> PurePosixPath | None:
    """Return the path of the file of an entry in the workspace; None if no file of a workspace has this name."""
    parts = [os.fsdecode(unquote_to_bytes(part)) if "%" in part else part for part in name.parts]
    separators = "/\0" if os.sep == "/" else "/\0\\:"
    if any(part in ("", ".", "..") or any(each in part for each in separators) for part in parts):
        return None
    if parts == [DATABASE] or (len(parts) > 1 and parts[0] in FOLDERS):
        return PurePosixPath(*parts)
    return None
