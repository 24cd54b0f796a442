"""Where the last backups of a folder are: a file beside its database, which can then be replaced after damage."""

import json
from contextlib import suppress
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.files import write_json

_FORMAT_VERSION = 1
_MOST = 20  # backups; older ones are deleted sooner


def record_backup(folder: Path, backup: Path) -> None:
    """Record a complete backup of a folder. If the folder cannot be written to, the backup is complete all the same."""
    paths = [str(backup.absolute()), *(str(path) for path in _recorded(folder))]
    with suppress(CoverslipError):
        write_json(_file(folder), {"format_version": _FORMAT_VERSION, "backups": list(dict.fromkeys(paths))[:_MOST]})


def newest_backup(folder: Path) -> Path | None:
    """Return the newest recorded backup of a folder that still exists."""
    return next((path for path in _recorded(folder) if path.exists()), None)


def _recorded(folder: Path) -> list[Path]:
    try:
        return [Path(str(path)) for path in json.loads(_file(folder).read_text(encoding="utf-8"))["backups"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _file(folder: Path) -> Path:
    return folder / "backups.json"
