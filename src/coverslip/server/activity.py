"""The record of requests other than reading, and of attempts to sign in."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated

from pydantic import Field
from sqlalchemy import RowMapping, delete, func, insert, select

from coverslip.app.clients import Change
from coverslip.server.folder import AccountServer, activity
from coverslip.workspace.datasets.snapshots import csv_text
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import Page, Paging, now

_ROWS = 1_000
_MOST = 1_000  # characters of a name or state


@dataclass(frozen=True, slots=True)
class Request:
    """A request other than reading, or an attempt to sign in."""

    time: Annotated[str, Field(description="ISO 8601, UTC.")]
    user: Annotated[str, Field(description="The name of the user at that time. Empty: nobody was signed in.")]
    project_id: str | None
    method: str
    path: str
    status: Annotated[int, Field(description="Status code of the response; from 400 on, it was refused.")]
    address: Annotated[str, Field(description="The address of the client.")]
    object: Annotated[str, Field(description="The name of what was changed, such as an account. Empty: not recorded.")]
    before: Annotated[str, Field(description="Its state before, such as the role of a member. Empty: none.")]
    after: Annotated[str, Field(description="Its state afterwards, such as the new role or label. Empty: none.")]


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
    request = Request(now(), user, project_id, method, path, status, address, *(each[:_MOST] for each in states))
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
