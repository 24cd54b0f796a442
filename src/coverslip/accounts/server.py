"""The folder of a server with accounts: its database and the workspaces of its projects."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.accounts.tables import VERSION, metadata
from coverslip.errors import CoverslipError
from coverslip.messages import ChooseOther

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from coverslip.workspace.store.postgres import Schema

_SCHEMA = "coverslip"


@dataclass(frozen=True)
class AccountServer:
    """The folder of a server. Only one process may serve it at a time."""

    folder: Path  # absolute
    roots: tuple[Path, ...]  # absolute; projects may read images below these
    database: str | None = field(default=None, repr=False)  # the address of a PostgreSQL database; None: SQLite

    @property
    def projects(self) -> Path:
        return self.folder / "projects"

    @property
    def schema(self) -> "Schema | None":
        """The schema of PostgreSQL with the accounts; None: they are in a file of SQLite."""
        return self._schema(_SCHEMA)

    def schema_of(self, project_id: str) -> "Schema | None":
        """Return the schema of PostgreSQL with the tables of a project; None: they are in a file of SQLite."""
        return self._schema(f"{_SCHEMA}_{project_id}")

    def _schema(self, name: str) -> "Schema | None":
        from coverslip.workspace.store.postgres import Schema

        return None if self.database is None else Schema(self.database, name)

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
        if self.schema is None:
            check_pages(self.folder / "accounts.sqlite")

    @cached_property
    def engine(self) -> "Engine":
        """The database, opened on first use."""
        from coverslip.workspace.store.database import open_database
        from coverslip.workspace.store.postgres import open_schema

        if self.schema is not None:
            return open_schema(self.schema, (self.projects,), tables=metadata, version=VERSION)
        return open_database(self.folder / "accounts.sqlite", tables=metadata, version=VERSION)


def open_account_server(folder: Path, roots: tuple[Path, ...] = (), database: str | None = None) -> AccountServer:
    """Open the folder of a server, and create it if needed.

    Args:
        folder: the folder.
        roots: folders whose images projects may read. Without them, projects read uploaded images only.
        database: the address of a PostgreSQL database for the accounts and the tables of the projects; None: they are
            in files of SQLite in the folder.

    Raises:
        CoverslipError: the folder cannot be created, a root does not exist, or the address is not valid.
        ExtraNotInstalled: the driver of PostgreSQL is not installed.
    """
    from coverslip.workspace.store.postgres import check_address

    if database is not None:
        check_address(database)
    path = folder.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        (path / "projects").mkdir(exist_ok=True)
    except OSError as error:
        raise CoverslipError("server-not-created", file=path, reason=error.strerror) from error
    real = tuple(root.expanduser().resolve() for root in roots)
    if missing := next((root for root in real if not root.is_dir()), None):
        raise CoverslipError("missing-root", file=missing, remedies=(ChooseOther("root"),))
    return AccountServer(path.resolve(), real, database)
