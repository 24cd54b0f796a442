"""Names of files, folders and labels as text (for ids, messages and sorting), paths, and suffixes of images."""

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from coverslip.images.formats import image_suffixes
from coverslip.messages import escape_controls

_BYTE = re.compile(r"\\x([89a-f][0-9a-f]|5c)")  # what `name_as_text` writes
_LIKE_BYTE = re.compile(r"\\(?=x(?:[89a-f][0-9a-f]|5c))")


def source_name(root: Path) -> str:
    """Return a short name for a source: that of its folder, or of the folder of its table."""
    return printable(root.name) or "root"


def dataset_name(path: Path) -> str:
    """Return the name of a folder or the stem of a table; of a table with a generic name, that of its folder."""
    if path.is_dir():
        return path.name
    is_generic = path.suffix and path.stem in ("images", "labels", "table") and path.parent.name
    return path.parent.name if is_generic else path.stem


def dataset_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of folders and tables; if some are equal, those of the folders of the tables."""
    names = [dataset_name(path) for path in paths]
    if len(set(names)) == len(names):
        return names
    return [path.parent.name if path.suffix and not path.is_dir() else path.name for path in paths]


def posix_below(path: Path, root: Path) -> str:
    """Return `path` relative to `root` with "/" between folders; absolute if it is not below `root`."""
    whole, start = os.fspath(path), os.fspath(root).rstrip(os.sep) + os.sep
    text = whole[len(start) :] if whole.startswith(start) else whole
    return text.replace(os.sep, "/")


def absolute_path(path: str | Path, start: Path | None = None) -> Path:
    """Return `path` from `start` (else the current folder) without ".."; links stay, and `~` is the home folder."""
    home = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises on a file named ~cell.tif
    return Path(os.path.normpath((start or Path.cwd()) / home))


def printable(text: str) -> str:
    """Return `text` as valid UTF-8: other bytes of a file name become `\\xff`."""
    return text if text.isascii() else os.fsencode(text).decode("utf-8", "backslashreplace")


def name_as_text(name: str) -> str:
    """Return a file name or path for hashes, ids, tables, SQLite and JSON; `name_from_text` is the inverse.

    Bytes that are not UTF-8 become `\\xff`, as in `printable`. If a name contains such characters itself, its backslash
    becomes `\\x5c`, so that no two files have the same text. On Windows, where backslashes separate folders, there are
    no such bytes.
    """
    return printable(name if os.sep == "\\" else _LIKE_BYTE.sub(r"\\x5c", name))


def name_from_text(text: str) -> str:
    """Return the name that `name_as_text` converted to this text."""
    if os.sep == "\\":
        return text
    return _BYTE.sub(lambda match: os.fsdecode(bytes.fromhex(match[1])), text)


def one_line(text: str, longest: int = 120) -> str:
    """Return `text` for a message: control characters and line ends are escaped, and a long text is shortened."""
    escaped = "".join(c if _is_shown(c) else c.encode("unicode_escape").decode() for c in printable(text))
    half = longest // 2 - 2
    return escaped if len(escaped) <= longest else f"{escaped[:half]} … {escaped[-half:]}"


def _is_shown(character: str) -> bool:
    """Return whether a character is visible or a space, also one without a line break, which numbers contain."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def clean_label(text: str) -> str:
    """Return a label in the form in which labels are compared: stripped, and with composed accents.

    macOS stores accents decomposed. Control characters become readable escapes, so that every table, drawing and
    terminal shows the same class.
    """
    return escape_controls(unicodedata.normalize("NFC", printable(text)).strip())


def natural_key(text: str) -> tuple[tuple[str | tuple[int, str], ...], str]:
    """Return a key that sorts names naturally: "cell 2" before "cell 10", upper and lower case together."""
    pieces = re.split(r"([0-9]+)", text.casefold())
    numbers = (piece.lstrip("0") for piece in pieces[1::2])
    ordered: list[str | tuple[int, str]] = list(pieces)
    ordered[1::2] = [(len(number), number) for number in numbers]
    return tuple(ordered), text


def some(names: Iterable[str], n: int = 5) -> str:
    """Return the first names for a message, and the number of the others."""
    all_names = list(names)
    listed = ", ".join(f"'{one_line(name, 60)}'" for name in all_names[:n])
    return listed if len(all_names) <= n else f"{listed} and {len(all_names) - n:,} more"


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: "1 image", "2,000 images"."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


# Folders that operating systems, network drives and programs put among images, in lower case: of thumbnails, deleted
# files, snapshots, resource forks of macOS in archives, and compiled Python.
_SYSTEM_FOLDERS = {
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin", "recycler"),
    *("system volume information", "lost+found", "__macosx", "__pycache__"),
}


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is hidden, or a folder that belongs to a system."""
    return name.startswith(".") or name.casefold() in _SYSTEM_FOLDERS


def has_image_suffix(name: str) -> bool:
    """Return whether a file name has the suffix of an image, in upper or lower case."""
    return suffix_of(name) in image_suffixes()


def suffix_of(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""
