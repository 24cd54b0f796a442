"""One server for one workspace, and the token that lets other computers in."""

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from coverslip.cache import sole_lock
from coverslip.errors import CoverslipError
from coverslip.files import write_json
from coverslip.messages import ChooseOther
from coverslip.workspace.store.home import Workspace

_FORMAT_VERSION = 1


@contextmanager
def only_server(workspace: Workspace) -> Iterator[None]:
    """Keep other servers away from the workspace: two would start each queued training twice.

    The operating system takes the lock back even from a killed process.

    Raises:
        CoverslipError: another server has it, and the message says where that one is; or it cannot be written to.
    """
    file = workspace.folder / "server.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(closing(sole_lock(file, wait_s=0)))
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise CoverslipError(
                    f"The workspace cannot be written to: {error}",
                    file=file,
                    do="Free some space, or choose another folder for the workspace.",
                    remedies=(ChooseOther("workspace"),),
                ) from error
            address = _other_address(workspace)
            raise CoverslipError(
                f"This workspace is open in another coverslip already{f', at {address}' if address else ''}",
                file=workspace.folder,
                do="Use that one, end it with Ctrl-C in its terminal, or choose another folder for the workspace.",
                remedies=(ChooseOther("workspace"),),
            ) from error
        yield


def say_address(workspace: Workspace, address: str) -> None:
    """Leave word of where this workspace is served, for whoever finds it locked."""
    write_json(_address_file(workspace), {"format_version": _FORMAT_VERSION, "address": address, "pid": os.getpid()})


def _other_address(workspace: Workspace) -> str | None:
    try:
        return str(json.loads(_address_file(workspace).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_token(workspace: Workspace) -> str:
    """A new token; the workspace keeps its hash alone, so it can't be shown again. Earlier ones end."""
    token = secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    write_json(_token_file(workspace), {"format_version": _FORMAT_VERSION, "sha256": digest})
    _token_file(workspace).chmod(0o600)
    return token


def token_hash(workspace: Workspace) -> str | None:
    """Hex SHA-256 of the token made last; None where there is none."""
    try:
        return str(json.loads(_token_file(workspace).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _token_file(workspace: Workspace) -> Path:
    return workspace.folder / "token.json"


def _address_file(workspace: Workspace) -> Path:
    return workspace.folder / "server.json"
