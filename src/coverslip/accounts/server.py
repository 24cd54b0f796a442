"""The folder of a server with accounts: its database and the workspaces of its projects."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.accounts.tables import VERSION, metadata
from coverslip.errors import CoverslipError
from coverslip.messages import ChooseOther

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True)
class AccountServer:
    """The folder of a server. Only one process may serve it at a time."""

    folder: Path  # absolute
    roots: tuple[Path, ...]  # absolute; projects may read images below these

    @property
    def projects(self) -> Path:
        return self.folder / "projects"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "server.log"

    @cached_property
    def engine(self) -> "Engine":
        """The database, opened on first use."""
        from coverslip.workspace.store.database import open_database

        return open_database(self.folder / "accounts.sqlite", (self.projects,), tables=metadata, version=VERSION)


def open_account_server(folder: Path, roots: tuple[Path, ...] = ()) -> AccountServer:
    """Open the folder of a server, and create it if needed. Without roots, projects read uploaded images only.

    Raises:
        CoverslipError: the folder cannot be created, or a root does not exist.
    """
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
    return AccountServer(path.resolve(), real)
