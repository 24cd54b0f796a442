"""The lock that allows one server for a workspace, and the token for other computers."""

import hashlib
import html
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from coverslip.cache import exclusive_lock
from coverslip.errors import CoverslipError
from coverslip.files import write_json
from coverslip.machine import file_systems, network_file_system
from coverslip.messages import ChooseOther, text
from coverslip.workspace.store.database import SERVED, SERVER_LOCK
from coverslip.workspace.store.workspace import Workspace

_FORMAT_VERSION = 1
_REDIRECT_SECONDS = 60.0  # a browser on a busy computer starts slowly


@contextmanager
def only_server(folder: Path) -> Iterator[None]:
    """Lock a folder, such as that of a workspace, against other servers: two would start each queued training twice.

    The operating system releases the lock even after a process is killed.

    Raises:
        CoverslipError: another server, whose address the message contains, uses it; or it cannot be written to.
    """
    file = folder / SERVER_LOCK
    with ExitStack() as stack:
        try:
            stack.enter_context(closing(exclusive_lock(file, wait_s=0)))
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, OSError) or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                reason = error.strerror if isinstance(error, OSError) else error
                raise CoverslipError(
                    "workspace-not-locked", file=file, remedies=(ChooseOther("workspace"),), reason=str(reason)
                ) from error
            address = _recorded_address(folder)
            raise CoverslipError(
                "workspace-open-elsewhere",
                file=folder,
                remedies=(ChooseOther("workspace"),),
                has_address=address is not None,
                address=address or "",
            ) from error
        SERVED.add(folder)
        stack.callback(SERVED.discard, folder)
        yield


def refuse_network_drive(folder: Path) -> None:
    """Raise CoverslipError if a folder is on a network drive, where SQLite's log does not keep two computers apart."""
    if file_system := network_file_system(str(folder.resolve()), file_systems()):
        raise CoverslipError(
            "workspace-on-network-drive", file=folder, remedies=(ChooseOther("workspace"),), file_system=file_system
        )


def record_address(folder: Path, address: str) -> None:
    """Record the address of the server, for the error message of other servers."""
    write_json(_address_file(folder), {"format_version": _FORMAT_VERSION, "address": address, "pid": os.getpid()})


def _recorded_address(folder: Path) -> str | None:
    try:
        return str(json.loads(_address_file(folder).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_token(workspace: Workspace) -> str:
    """Create a token; earlier ones become invalid. The workspace stores its hash only, so it is shown once."""
    token = secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    write_json(_token_file(workspace), {"format_version": _FORMAT_VERSION, "sha256": digest})
    _token_file(workspace).chmod(0o600)
    return token


def token_hash(workspace: Workspace) -> str | None:
    """Return the hex SHA-256 of the latest token; None if there is none."""
    try:
        return str(json.loads(_token_file(workspace).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def redirect_file(workspace: Workspace, address: str) -> Iterator[Path]:
    """Write a page that redirects to an address with a token. Only this user can read it. It is removed after a while.

    All users of a computer can see the arguments of programs, so the browser gets the name of this file. It is in the
    workspace, because sandboxed browsers read neither temporary nor hidden folders.
    """
    file = workspace.folder / "open.html"
    file.unlink(missing_ok=True)  # from a killed server
    escaped = html.escape(address)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as page:
        page.write(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
            f'<meta http-equiv="refresh" content="0;url={escaped}"><title>coverslip</title></head>'
            f'<body><a href="{escaped}">{text("open-coverslip")}</a></body></html>'
        )
    timer = threading.Timer(_REDIRECT_SECONDS, _remove, [file])
    timer.daemon = True
    timer.start()
    try:
        yield file
    finally:
        timer.cancel()
        _remove(file)


def _remove(file: Path) -> None:
    with suppress(OSError):  # Windows keeps open files; the next server removes it
        file.unlink(missing_ok=True)


def _token_file(workspace: Workspace) -> Path:
    return workspace.folder / "token.json"


def _address_file(folder: Path) -> Path:
    return folder / "server.json"
