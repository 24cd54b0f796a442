"""Text files of objects, read line by line: lines, and rows of tables."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from coverslip.errors import BadDataset
from coverslip.files import LONGEST_LINE
from coverslip.images import open_image


def text_lines(file: Path, most: int | None = None) -> list[str]:
    """Return the lines of a text file, or the first of them.

    Raises:
        BadDataset: the file cannot be read, or is not text.
    """
    lines = []
    with _opened(file) as stream:
        for line in stream:
            lines.append(line)
            if len(lines) == most:
                break
    return lines


def _opened(file: Path) -> io.TextIOWrapper:
    try:
        stream = open_image(file)
        head = stream.read(4096)
        stream.seek(0)
    except OSError as error:
        raise BadDataset("object-file-not-read", file=file, reason=error.strerror or str(error)) from error
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return io.TextIOWrapper(stream, "utf-16", errors="replace", newline="")
    if b"\0" in head:
        raise BadDataset("object-file-not-text", file=file)
    try:
        head.decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError as error:
        encoding = "utf-8-sig" if error.start > len(head) - 4 else "cp1252"
    return io.TextIOWrapper(stream, encoding, errors="replace", newline="")


def table_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line and the cells of each row of a CSV or TSV file, the header first.

    Raises:
        BadDataset: the file cannot be read, is not text, or a row cannot be parsed.
    """
    with _opened(file) as stream:
        first = stream.readline(LONGEST_LINE)
        if first[:4].casefold() == "sep=":
            first = stream.readline(LONGEST_LINE)
        separator = max(",;\t", key=first.count)
        stream.seek(0)
        reader = csv.reader(stream, delimiter=separator, skipinitialspace=True)
        try:
            for cells in reader:
                if any(cells) and not (len(cells) == 1 and cells[0][:4].casefold() == "sep="):
                    yield reader.line_num, [cell.strip() for cell in cells]
        except csv.Error as error:
            raise BadDataset("object-file-not-read", file=file, reason=f"{reader.line_num}: {error}") from error
