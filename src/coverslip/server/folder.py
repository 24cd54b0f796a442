"""The folder of a server with accounts: its database, the workspaces of its projects, and the record of activity."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    delete,
    func,
    insert,
    select,
)

from coverslip.app.clients import Change
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.files import csv_text
from coverslip.messages import ChooseOther
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import Page, Paging, now

if TYPE_CHECKING:
    from sqlalchemy import Engine

_ACCOUNTS = "accounts.sqlite"
VERSION = 1  # changes with the tables
metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),  # in lower case
    Column("password_hash", String),  # None: none was set yet, or the proxy signs this user in
    Column("has_proxy", Boolean, nullable=False),  # a reverse proxy signs this user in; there is never a password
    Column("is_admin", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("removed", String),  # ISO 8601, UTC; the name is kept, because labels name their author
)

# Secrets that show who sends a request. Only their hashes are stored.
keys = Table(
    "keys",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("id", String, nullable=False, unique=True),  # public
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String, nullable=False),  # session, invitation, script
    Column("name", String, nullable=False),  # of the key of a script
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("expires", String),  # ISO 8601, UTC; None: never
)

projects = Table(
    "projects",
    metadata,
    Column("id", String, primary_key=True),  # the name of its folder
    Column("name", String, nullable=False),
    Column("roots", JSON, nullable=False),  # absolute folders whose images it may read
    Column("max_bytes", BigInteger),  # of its folder; None: no limit
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("removed", String),  # ISO 8601, UTC; its folder is kept
)

members = Table(
    "members",
    metadata,
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String, nullable=False),  # viewer, annotator, editor
    sqlite_with_rowid=False,
)

# Requests that change something, and attempts to sign in.
activity = Table(
    "activity",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", String, nullable=False),  # ISO 8601, UTC
    Column("user", String, nullable=False),  # the name at that time; empty: nobody was signed in
    Column("project_id", String),
    Column("method", String, nullable=False),
    Column("path", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("address", String, nullable=False),  # of the client
    Column("object", String, nullable=False),  # the name of what was changed, if it is recorded
    Column("before", String, nullable=False),
    Column("after", String, nullable=False),
    Index("activity_by_project", "project_id", "id"),
)


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
        CoverslipError: the folder cannot be created, it has projects but no accounts, or a root does not exist.
    """
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


# The record of requests other than reading, and of attempts to sign in.

_ROWS = 1_000
_LONGEST = 1_000  # characters of a name or state


@dataclass(frozen=True, slots=True)
class Request(DocumentedFields):
    """A request other than reading, or an attempt to sign in."""

    time: str
    """ISO 8601, UTC."""
    user: str
    """The name of the user at that time. Empty: nobody was signed in."""
    project_id: str | None
    method: str
    path: str
    status: int
    """Status code of the response; from 400 on, it was refused."""
    address: str
    """The address of the client."""
    object: str
    """The name of what was changed, such as an account. Empty: not recorded."""
    before: str
    """Its state before, such as the role of a member. Empty: none."""
    after: str
    """Its state afterwards, such as the new role or label. Empty: none."""


def record(
    server: AccountServer,
    *,
    user: str,
    project_id: str | None,
    method: str,
    path: str,
    status: int,
    address: str,
    change: Change,
) -> None:
    """Record a request."""
    states = (change.object, change.before, change.after)
    request = Request(now(), user, project_id, method, path, status, address, *(each[:_LONGEST] for each in states))
    values = {field.name: getattr(request, field.name) for field in fields(Request)}
    with write_transaction(server.engine) as connection:
        connection.execute(insert(activity).values(**values))


def delete_older(server: AccountServer, days: int) -> None:
    """Delete the records that are older than this."""
    earliest = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)).isoformat(timespec="milliseconds")
    with write_transaction(server.engine) as connection:
        connection.execute(delete(activity).where(activity.c.time < earliest))


def list_requests(server: AccountServer, paging: Paging) -> Page[Request]:
    """Return a page of the recorded requests, the newest first."""
    query = select(activity).order_by(activity.c.id.desc()).offset(paging.offset).limit(paging.limit)
    with server.engine.connect() as connection:
        total = connection.execute(select(func.count()).select_from(activity)).scalar_one()
        rows = connection.execute(query).mappings().all()
    return Page([_request(row) for row in rows], total)


def requests_as_csv(server: AccountServer) -> Iterator[str]:
    """Return the lines of a CSV table of all recorded requests, the oldest first."""
    names = [field.name for field in fields(Request)]
    yield csv_text([names])
    last = 0
    while True:
        query = select(activity).where(activity.c.id > last).order_by(activity.c.id).limit(_ROWS)
        with server.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        if not rows:
            return
        yield csv_text([["" if row[name] is None else str(row[name]) for name in names] for row in rows])
        last = rows[-1]["id"]


def _request(row: RowMapping) -> Request:
    return Request(**{field.name: row[field.name] for field in fields(Request)})
