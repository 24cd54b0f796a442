"""The content of a backup: a zip file with the files of a workspace, and `backup.json`, its last entry.

Replace the folder of a workspace in the paths that its files and databases contain.
"""

import csv
import errno
import json
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote_to_bytes

from pydantic import Field

from coverslip.archives import ArchiveLimits, safe_name
from coverslip.errors import CoverslipError
from coverslip.files import CsvWriter, atomic_write, write_error, write_json, write_text
from coverslip.runs.documents import Document
from coverslip.runs.recipe import as_yaml

FORMAT_VERSION = 1
MANIFEST = "backup.json"
DATABASE = "workspace.sqlite"
UPLOADS = "uploads"  # files of the user, which are never changed
FOLDERS = ("classifiers", "jobs", "objects", "predictions", "runs", "samples", "snapshots", "studies", "trash", UPLOADS)
"""The folders of a workspace in a backup. The others hold temporary files, logs, locks and tokens."""

LIMITS = ArchiveLimits(
    max_entries=2_000_000,
    max_directory_bytes=2**29,
    max_ratio=1_000,
    min_ratio_bytes=2**30,
    allows_zip64=True,
)
SQLITE = ".sqlite"
_JSON_STARTS = ('"', "[", "{")
_PLAIN = re.compile(r"[A-Za-z0-9_./ -]+")  # characters that JSON, YAML and CSV store unchanged


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


@dataclass(frozen=True)
class Relocation:
    """A folder that was moved: paths below the old one become paths below the new one.

    Args:
        old: the absolute path of the folder before, without a separator at its end.
        new: the absolute path of the folder now.
    """

    old: str
    new: str

    def text(self, value: str) -> str:
        """Return a text with its paths replaced, such as a path, `--out=PATH`, a sentence, or JSON.

        The folder is replaced at the start of the text, and after spaces, quotes and equals signs, if a separator or
        the end of the text follows: `/data/lab2` is not below `/data/lab`.
        """
        if self._hint not in value:
            return value
        if value.startswith(_JSON_STARTS):
            try:
                content = json.loads(value)
            except ValueError:
                pass
            else:
                moved = self.json(content)
                return value if moved == content else json.dumps(moved)
        return self._pattern.sub(lambda match: self.new, value)

    def json(self, value: Any) -> Any:  # Any: JSON values
        """Return a JSON value with all its texts replaced, including keys of objects."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.json(item) for item in value]
            case dict():
                return {self.text(key): self.json(item) for key, item in value.items()}
        return value

    def file(self, path: Path) -> None:
        """Replace the paths in a file of a format that contains paths. Damaged files are not changed."""
        rewrite = _BY_SUFFIX.get(path.suffix)
        if rewrite is None or self.old == self.new:
            return
        status = path.stat()
        try:
            rewrite(self, path)
        except (ValueError, csv.Error):
            return
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def database(self, file: Path) -> None:
        """Replace the paths in all tables of an SQLite database, in one transaction.

        Raises:
            ValueError: it is damaged.
            CoverslipError: the disk is full.
        """
        try:
            self._update(file)
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise ValueError(str(error)) from error
            raise write_error(file, OSError(errno.EIO, str(error))) from error

    def _update(self, file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.create_function("relocated", 1, self._cell, deterministic=True)
            connection.execute("BEGIN IMMEDIATE")
            query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            for (table,) in connection.execute(query).fetchall():
                for _, name, *_ in connection.execute(f"PRAGMA table_info({quoted(table)})").fetchall():
                    column = quoted(name)
                    connection.execute(
                        f"UPDATE {quoted(table)} SET {column} = relocated({column})"  # noqa: S608 - quoted names
                        f" WHERE typeof({column}) IN ('text', 'blob') AND relocated({column}) IS NOT {column}"
                    )
            connection.execute("COMMIT")

    def _cell(self, value: str | bytes) -> str | bytes:
        """Return a cell of a database with its paths replaced. Paths that are not UTF-8 are stored as bytes."""
        if isinstance(value, str):
            return _as_stored(self.text(value))
        if value.startswith(os.fsencode(self.old)):
            return _as_stored(self.text(os.fsdecode(value)))
        return value

    @cached_property
    def _hint(self) -> str:
        """A part of the old path that occurs in every text with this path, however the text is encoded."""
        return max(_PLAIN.findall(self.old), key=len, default="")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(rf"(?:(?<=[\s\"'=(])|^){re.escape(self.old)}(?=[/\\]|\Z)")

    def _json_file(self, path: Path) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        moved = self.json(content)
        if moved != content:
            write_json(path, moved)

    def _json_lines(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").split("\n")
        write_text(path, "\n".join(map(self._json_line, lines)))

    def _json_line(self, line: str) -> str:
        try:
            content = json.loads(line)
        except ValueError:  # the last line can be incomplete
            return line
        moved = self.json(content)
        return line if moved == content else json.dumps(moved, ensure_ascii=False)

    def _yaml_file(self, path: Path) -> None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        except YAMLError as error:
            raise ValueError(str(error)) from error
        moved = self.json(content)
        if moved != content:
            write_text(path, as_yaml(moved))

    def _csv_file(self, path: Path) -> None:
        with (
            path.open(encoding="utf-8", newline="") as source,
            atomic_write(path) as part,
            part.open("w", encoding="utf-8", newline="") as target,
        ):
            writer = CsvWriter(target)
            for row in csv.reader(source):
                writer.writerow(map(self.text, row))


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _as_stored(text: str) -> str | bytes:
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


_BY_SUFFIX: dict[str, Callable[[Relocation, Path], None]] = {
    ".json": Relocation._json_file,
    ".jsonl": Relocation._json_lines,
    ".yaml": Relocation._yaml_file,
    ".csv": Relocation._csv_file,
    SQLITE: Relocation.database,
}
