"""`coverslip server`: the app for several people, with accounts and projects."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import argument, error_line, option
from coverslip.cli.app import DEFAULT_PORT, exit_at_once, job_options
from coverslip.errors import CoverslipError
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.server.projects import Project


def server(
    folder: Annotated[Path, argument("FOLDER", "help-server-folder")],
    admin: Annotated[str | None, option("--admin NAME", "help-server-admin")] = None,
    reset_password: Annotated[bool, option("--reset-password", "help-server-reset-password")] = False,
    root: Annotated[list[Path] | None, option("--root FOLDER", "help-server-root")] = None,
    host: Annotated[str, option("--host ADDRESS", "help-server-host")] = "127.0.0.1",
    port: Annotated[int, option("--port N", "help-server-port", min=0, max=65535)] = DEFAULT_PORT,
    name: Annotated[list[str] | None, option("--name HOST", "help-server-name")] = None,
    base_path: Annotated[str, option("--base-path PATH", "help-server-base-path")] = "",
    proxy: Annotated[list[str] | None, option("--proxy ADDRESS", "help-server-proxy")] = None,
    user_header: Annotated[str | None, option("--user-header NAME", "help-server-user-header")] = None,
    slurm: Annotated[str | None, option("--slurm OPTIONS", "help-slurm")] = None,
    backups: Annotated[Path | None, option("--backups FOLDER", "help-server-backups")] = None,
    keep_activity: Annotated[int | None, option("--keep-activity DAYS", "help-server-keep-activity", min=1)] = None,
    job_memory: Annotated[str | None, option("--job-memory SIZE", "help-app-job-memory")] = None,
) -> None:
    """Serve the app to several people, with accounts, projects and roles.

    FOLDER contains the accounts and the projects. With --admin, an address is printed at which a new administrator
    sets a password. Administrators create accounts and projects in the browser.

    Examples:

      coverslip server /srv/coverslip --admin maria --root /data/microscope

      coverslip server /srv/coverslip --host 0.0.0.0

      coverslip server /srv/coverslip --admin maria --reset-password

      coverslip server /srv/coverslip --slurm "--partition=gpu --gres=gpu:1 --time=8:00:00"

      coverslip server /srv/coverslip --proxy 127.0.0.1 --name lab.example.org --base-path /coverslip
    """
    import ipaddress
    import re

    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import progress_lines
    from coverslip.machine import limit_memory_arenas
    from coverslip.server.folder import open_account_server
    from coverslip.server.users import list_users

    for address in proxy or ():
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as error:
            raise typer.BadParameter(text("usage-proxy", address=address), param_hint="--proxy") from error
    if user_header is not None and not proxy:
        raise typer.BadParameter(text("usage-user-header"), param_hint="--user-header")
    if not re.fullmatch(r"[A-Za-z0-9._~/-]*", base_path):
        raise typer.BadParameter(text("usage-base-path"), param_hint="--base-path")
    if reset_password and admin is None:
        raise typer.BadParameter(text("usage-reset-password"), param_hint="--reset-password")
    base = "/".join(["", *filter(None, base_path.split("/"))])
    limit_memory_arenas()
    options = job_options(slurm, job_memory)
    opened = open_account_server(folder, tuple(root or ()))
    if admin is None and not any(user.is_admin for user in list_users(opened)):
        raise typer.BadParameter(text("usage-first-admin"), param_hint="--admin")
    from coverslip.server.app import Proxies, open_accounts_server  # takes seconds; arguments are checked before

    proxies = Proxies(tuple(proxy or ()), user_header)
    with (
        suppress(KeyboardInterrupt),
        open_accounts_server(
            opened,
            host=host,
            port=port,
            names=tuple(name or ()),
            proxies=proxies,
            base=base,
            admin=admin,
            resets_password=reset_password,
            options=options,
            activity_days=keep_activity,
            backups=None if backups is None else backups.absolute(),
            report=_report_project,
            emit=progress_lines(notes_console()),
        ) as running,
    ):
        rows = {"command-app-address": running.address, "command-server-folder": str(opened.folder)}
        if running.invitation:
            rows["command-server-invitation"] = running.invitation
        lines = [f"{text(code):<14}{value}" for code, value in rows.items()]
        typer.echo("\n".join([*lines, text("command-server-end")]))
        running.run()
    with suppress(OSError):  # the terminal may be closed
        typer.echo(f"\n{text('command-server-ended')}")
    exit_at_once()


def _report_project(project: "Project", error: CoverslipError | OSError) -> None:
    """Show that a project is not served, although the server runs."""
    reason = error_line(error) if isinstance(error, CoverslipError) else str(error)
    with suppress(OSError):  # the terminal may be closed
        typer.echo(text("command-server-project", name=project.name, reason=reason), err=True)
