"""The address of the database of a server."""

import os

import typer

from coverslip.messages import text

_VARIABLE = "COVERSLIP_DATABASE"


def database_address(option: str | None) -> str | None:
    """Return the address of the database of a server, by `--database` or the environment; None: SQLite.

    Raises:
        BadParameter: the option has a password, which all users of the computer can see.
    """
    user, _, _ = (option or "").partition("//")[2].rpartition("@")
    if ":" in user:
        raise typer.BadParameter(text("usage-database-password", name=_VARIABLE), param_hint="--database")
    return option or os.environ.get(_VARIABLE) or None
