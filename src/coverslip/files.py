"""Files that appear whole or not at all, their hashes, and where imported weights live."""

import csv
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from coverslip.errors import CoverslipError
from coverslip.messages import text

_SECONDS_UNTIL_ABANDONED = 86_400
_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")
_cleaned: set[Path] = set()  # folders


def weights_folder() -> Path:
    """Return where imported weights are kept: `COVERSLIP_WEIGHTS`, else the platform's folder for coverslip's data.

    It is no cache: nothing here can be computed again.
    """
    folder = os.environ.get("COVERSLIP_WEIGHTS")
    if folder:
        return Path(folder).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("coverslip", appauthor=False)) / "weights"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it is renamed to `path`, on any error it is removed.

    A reader finds the old file or the new one, never half of one. The first writing in a folder removes what killed
    writers left there, if nothing was written to it for a day.

    Raises:
        CoverslipError: the folder cannot be written to, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        yield part
        part.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # where it could not be made there is nothing to take away
            part.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files that no living process writes to: they were last changed a day ago or more.

    A process does it once for each folder, since folders can hold thousands of files.
    """
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    oldest = time.time() - _SECONDS_UNTIL_ABANDONED
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PART.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                Path(entry).unlink(missing_ok=True)


def remove_file(path: Path) -> None:
    """Remove a file, where there is one.

    Raises:
        CoverslipError: its folder cannot be written to.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> CoverslipError:
    """Return the one line for a file that could not be written."""
    return CoverslipError("file-not-written", file=path, reason=error.strerror or str(error))


def refuse_to_replace_others(file: Path, begins_with: bytes) -> None:
    """A slip of the hand in the name of a table must not cost anybody their images or their own table.

    Args:
        file: that is to be written.
        begins_with: what an earlier one of the same kind begins with, which may be replaced.

    Raises:
        CoverslipError: it is a folder, or another file than such a table.
    """
    if file.is_dir():
        raise CoverslipError("folder-instead-of-table", file=file)
    try:
        if not file.exists():
            return
        if file.is_file():
            with file.open("rb") as opened:
                start = opened.read(len(begins_with))
            if start in (b"", begins_with):
                return
    except OSError as error:
        raise cannot_write(file, error) from error
    raise CoverslipError("other-file-in-place", file=file)


def read_bytes(path: Path, most_bytes: int) -> bytes:
    """Return all of a file that may come from a stranger.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is larger, or no regular file: a pipe would be waited for, a device may never end.
    """
    if path.exists() and not path.is_file():
        raise ValueError(text("file-not-regular"))
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(text("file-above-limit", limit_mib=most_bytes / 2**20))
    return data


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all.

    Bytes of a file name that are no UTF-8 become `\\udcff`, which JSON reads back as they were.
    """
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes, whole or not at all."""
    with written_whole(path) as part:
        part.write_bytes(data)


def write_same(path: Path, as_file: Path) -> None:
    """Write what is in another file, whole or not at all; it takes no room of its own where the disk can do that.

    Args:
        path: to be written.
        as_file: on the same disk; only ever replaced as a whole, so that a change of the one leaves the other.
    """
    with written_whole(path) as part:
        try:
            os.link(as_file, part)
        except OSError:  # FAT, and some network drives, know no links
            shutil.copyfile(as_file, part)


def write_json(path: Path, value: Any) -> None:  # Any: JSON values
    """Write JSON, whole or not at all.

    Raises:
        ValueError: a number is NaN or infinite; write `null` and a `reason` instead.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finite_or_none(value: float) -> float | None:
    """`value` for JSON: None where it is NaN or infinite."""
    return value if math.isfinite(value) else None


def sha256_file(path: Path) -> str:
    """Return hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:  # Any: JSON values
    """Return hex SHA-256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, ensure_ascii=False).encode(errors="backslashreplace")
    ).hexdigest()


_FORMULA_STARTS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")  # the latter in full width, as in Japanese


class CsvWriter:
    """Rows of CSV that every reader takes for as many; lines end in a line feed.

    `csv` puts a cell into quotation marks where it holds a part of the line's end, so that a carriage return within a
    name would stand bare, and begin a row of its own, where lines end in a line feed alone.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._writer = csv.writer(self, lineterminator="\r\n")

    def writerow(self, cells: Iterable[object]) -> None:
        """Write one row; texts as they are, see `safe_cell`."""
        self._writer.writerow(cells)

    def write(self, line: str) -> None:
        """What `csv` calls, once for each row."""
        self._stream.write(line.removesuffix("\r\n") + "\n")


def closed_because(path: Path) -> str | None:
    """Return why a path cannot be examined: its name is impossible, or its folder may not be entered. None: it can."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)
    return None


def safe_cell(text: str) -> str:
    """Text for a CSV cell that a spreadsheet does not take for a formula: `-neg` becomes `'-neg`.

    A text in that form already, `'-neg`, gets one more quote, so that every text can be restored.
    """
    return f"'{text}" if _is_marked(text) or text.startswith(_FORMULA_STARTS) else text


def plain_cell(cell: str) -> str:
    """Return the text that `safe_cell` was given."""
    return cell[1:] if _is_marked(cell) else cell


def _is_marked(cell: str) -> bool:
    """Return whether a formula's start follows one quote or more."""
    return cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_STARTS)
