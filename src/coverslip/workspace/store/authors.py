"""Who makes a change: the user of a request, else the user account of this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from coverslip.machine import account_name

_author: ContextVar[str | None] = ContextVar("author", default=None)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Let changes of this context, and of the threads that it starts, be made by this user."""
    token = _author.set(name)
    try:
        yield
    finally:
        _author.reset(token)


def author_name() -> str:
    """Return who makes changes in this context; empty if it is unknown."""
    name = _author.get()
    return account_name() if name is None else name
