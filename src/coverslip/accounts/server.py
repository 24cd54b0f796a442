"""The folder of a server with accounts: its database and the workspaces of its projects."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.accounts.tables import VERSION, metadata
from coverslip.errors import CoverslipError
from coverslip.messages import ChooseOther

if TYPE_CHECKING:
    from sqlalchemy import Engine

_ACCOUNTS = "accounts.sqlite"
_POSTGRESQL = "COVERSLIP_DATABASE"  # the variable with the address of a database, as earlier versions had it


@dataclass(frozen=True)
class AccountServer:
    """The folder of a server. Only one process may serve it at a time."""

    folder: Path  # absolute
    roots: tuple[Path, ...]  # absolute; projects may read images below these

    @property
    def projects(self) -> Path:
        return self.folder / "projects"

    @property
    def database_file(self) -> Path:
        return self.folder / _ACCOUNTS

    @property
    def log(self) -> Path:
        return self.folder / "log" / "server.log"

    def check_database(self) -> None:
        """Read the whole database of the accounts, as `Workspace.check_database` does that of a workspace.

        Raises:
            CoverslipError: it is damaged, empty or of another version, or cannot be used.
        """
        from coverslip.workspace.store.database import check_pages

        _ = self.engine
        check_pages(self.database_file)

    @cached_property
    def engine(self) -> "Engine":
        """The database, opened on first use."""
        from coverslip.workspace.store.database import open_database

        return open_database(self.database_file, tables=metadata, version=VERSION, steps={})


def open_account_server(folder: Path, roots: tuple[Path, ...] = ()) -> AccountServer:
    """Open the folder of a server, and create it if needed.

    Args:
        folder: the folder.
        roots: folders whose images projects may read. Without them, projects read uploaded images only.

    Raises:
        CoverslipError: the folder cannot be created, it has projects but no accounts, a root does not exist, or a
            database of PostgreSQL is named.
    """
    refuse_postgresql()
    path = folder.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        (path / "projects").mkdir(exist_ok=True)
        is_lost = not (path / _ACCOUNTS).exists() and any((path / "projects").iterdir())
    except OSError as error:
        raise CoverslipError("server-not-created", file=path, reason=error.strerror) from error
    if is_lost:
        raise CoverslipError("server-without-accounts", file=path / _ACCOUNTS)
    real = tuple(root.expanduser().resolve() for root in roots)
    if missing := next((root for root in real if not root.is_dir()), None):
        raise CoverslipError("missing-root", file=missing, remedies=(ChooseOther("root"),))
    return AccountServer(path.resolve(), real)


def refuse_postgresql() -> None:
    """Raise CoverslipError if the environment names a database of PostgreSQL: its server would look empty here."""
    if os.environ.get(_POSTGRESQL):
        raise CoverslipError("postgresql-not-supported", variable=_POSTGRESQL)
