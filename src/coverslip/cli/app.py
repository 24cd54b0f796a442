"""`coverslip app`, `server`, `backup` and `restore`: the workflow in the browser, for one person or several."""

import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import AsJson, argument, error_line, option, usage_error
from coverslip.errors import CoverslipError
from coverslip.messages import escape_controls, text

if TYPE_CHECKING:
    from coverslip.app.server import Server
    from coverslip.runs.documents import Document
    from coverslip.server.projects import Project
    from coverslip.workspace.jobs.queue import JobOptions

DEFAULT_PORT = 8765  # as in app.guard, which is too slow to import for --help


def app(
    host: Annotated[str, option("--host ADDRESS", "help-app-host")] = "127.0.0.1",
    port: Annotated[int, option("--port N", "help-app-port", min=0, max=65535)] = DEFAULT_PORT,
    workspace: Annotated[Path | None, option("--workspace FOLDER", "help-app-workspace")] = None,
    root: Annotated[list[Path] | None, option("--root FOLDER", "help-app-root")] = None,
    no_browser: Annotated[bool, option("--no-browser", "help-app-no-browser")] = False,
    new_token: Annotated[bool, option("--new-token", "help-app-new-token")] = False,
    slurm: Annotated[str | None, option("--slurm OPTIONS", "help-slurm")] = None,
    job_memory: Annotated[str | None, option("--job-memory SIZE", "help-app-job-memory")] = None,
) -> None:
    """Label, train, evaluate and predict in the browser.

    Everything stays on this computer. Your images are never changed; results are written to the app's workspace.
    Trainings continue when the browser or the app is closed.

    Examples:

      coverslip app

      coverslip app --root /data/microscope --workspace /data/coverslip

      coverslip app --host 0.0.0.0 --no-browser
    """
    import webbrowser

    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.machine import limit_memory_arenas
    from coverslip.workspace.store.workspace import open_workspace, redirect_file

    limit_memory_arenas()
    options = job_options(slurm, job_memory)
    opened_workspace = open_workspace(workspace, tuple(root or ()))
    from coverslip.app.server import open_server  # takes seconds; the workspace is checked before

    # Ctrl-C, SIGTERM or a closed terminal is the regular end, not an error.
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        with shown_progress(notes_console()) as emit:  # of an upgrade of the workspace
            opening = open_server(
                opened_workspace, host=host, port=port, new_token=new_token, options=options, emit=emit
            )
            server = stack.enter_context(opening)
        typer.echo(_greeting(server, port))
        if not no_browser and _has_screen():
            address = server.own_address
            if server.new_token:
                address = stack.enter_context(redirect_file(opened_workspace, address)).as_uri()
            webbrowser.open(address)
        server.run()
    with suppress(OSError):  # the terminal may be closed
        typer.echo(f"\n{text('command-app-ended')}")
    exit_at_once()


def job_options(slurm: str | None, job_memory: str | None) -> "JobOptions":
    """Return how jobs run, by `--slurm` and `--job-memory`."""
    from coverslip.machine import bytes_of
    from coverslip.runtime.slurm import Slurm
    from coverslip.workspace.jobs.queue import JobOptions

    most_bytes = None if job_memory is None else bytes_of(job_memory)
    if job_memory is not None and not most_bytes:
        raise usage_error("usage-size", hint="--job-memory", value=job_memory)
    return JobOptions(None if slurm is None else Slurm.of(slurm), most_bytes)


def exit_at_once() -> None:
    """Exit the process immediately; all resources that need closing are closed.

    A regular exit of Python waits for threads that can be killed at any time, and unloads all modules of the server,
    which takes seconds on a busy machine.
    """
    from coverslip.images.decoding import end_decoding

    end_decoding()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _greeting(server: "Server", requested_port: int) -> str:

    workspace = server.workspace
    address = f"{server.address}{f'?token={server.new_token}' if server.new_token else ''}"
    rows = {
        "command-app-address": address,
        "command-app-workspace": str(workspace.folder),
        "command-app-may-read": ", ".join(str(root) for root in workspace.roots),
    }
    lines = [f"{text(code):<11}{value}" for code, value in rows.items()]
    if requested_port not in (0, server.port):
        lines.append(text("command-app-port", wanted=str(requested_port), port=str(server.port)))
    if server.new_token:
        lines.append(text("command-app-new-token"))
    elif server.door.token_sha256:
        lines.append(text("command-app-token"))
    return "\n".join([*lines, text("command-app-end")])


def _has_screen() -> bool:
    """Return whether a screen is available: a text browser would overwrite the server's output in the terminal."""
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & set(os.environ))


# `coverslip backup` and `coverslip restore`: the workspace of the app as one file.


def backup(
    file: Annotated[Path, argument("FILE", "help-backup-file")],
    workspace: Annotated[Path | None, option("--workspace FOLDER", "help-app-workspace")] = None,
    server: Annotated[Path | None, option("--server FOLDER", "help-backup-server")] = None,
    as_json: AsJson = False,
) -> None:
    """Back up the app's workspace as one file, also while the app runs, or a server with accounts as a folder.

    The file contains labels, uploaded images, runs, studies and predictions. It does not contain images outside the
    workspace, caches and tokens. It appears completely or not at all.

    Examples:

      coverslip backup /backups/coverslip-monday.zip

      coverslip backup /backups/lab.zip --workspace /data/coverslip

      coverslip backup /backups/server-monday --server /srv/coverslip
    """
    from coverslip.cli._show import notes_console, size_in_words
    from coverslip.cli.progress import shown_progress
    from coverslip.files import default_workspace_folder
    from coverslip.workspace.backups import write_backup
    from coverslip.workspace.store.workspace import Workspace

    _check_choice(workspace, server)
    if server is not None:
        _back_up_server(server, file, as_json=as_json)
        return
    folder = (workspace or default_workspace_folder()).absolute().resolve()
    with shown_progress(notes_console()) as emit:
        manifest = write_backup(Workspace(folder, ()), file, emit)
    size = file.stat().st_size
    if manifest.n_images_outside:
        _print_note(text("command-backup-images-outside", n_images=manifest.n_images_outside))
    if manifest.n_links:
        _print_note(text("command-backup-links", n_links=manifest.n_links), "progress-warning")
    line = text("command-backup-written", file=file, size=size_in_words(size), n_files=manifest.n_files)
    _print_result({"file": str(file), "size_bytes": size, **manifest.model_dump(mode="json")}, line, as_json=as_json)


def restore(
    file: Annotated[Path, argument("FILE", "help-restore-file")],
    workspace: Annotated[Path | None, option("--workspace FOLDER", "help-restore-workspace")] = None,
    server: Annotated[Path | None, option("--server FOLDER", "help-restore-server")] = None,
    as_json: AsJson = False,
) -> None:
    """Restore a workspace, or a server with accounts, from a backup into a new folder.

    Jobs that were running when the backup was made are interrupted; resume them in the app. Images outside the
    workspace are used again if they are at the same location on this computer.

    Examples:

      coverslip restore /backups/lab.zip --workspace /data/coverslip

      coverslip app --workspace /data/coverslip

      coverslip restore /backups/server-monday --server /srv/coverslip
    """
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.workspace.backups import restore_backup

    _check_choice(workspace, server)
    if server is not None:
        _restore_server(file, server, as_json=as_json)
        return
    if workspace is None:
        raise usage_error("usage-restore", hint="--workspace")
    with shown_progress(notes_console()) as emit:
        restored = restore_backup(file, workspace, emit)
    manifest = restored.manifest
    if manifest.n_images_outside:
        _print_note(text("command-restored-images-outside", n_images=manifest.n_images_outside))
    line = text("command-restored", folder=escape_controls(str(restored.folder)), n_files=manifest.n_files)
    _print_restored(restored.folder, restored.n_interrupted, manifest, line, as_json=as_json)


def _print_note(note: str, level: str = "progress-note") -> None:
    from coverslip.cli._show import notes_console

    notes_console().print(text(level, note=note), markup=False, soft_wrap=True)


def _print_restored(folder: Path, n_interrupted: int, manifest: "Document", line: str, *, as_json: bool) -> None:
    """Print a note on interrupted jobs, and the result of a restore."""
    if n_interrupted:
        _print_note(text("command-restored-interrupted", n_jobs=n_interrupted))
    values = {"folder": str(folder), "n_interrupted": n_interrupted, **manifest.model_dump(mode="json")}
    _print_result(values, line, as_json=as_json)


def _print_result(values: dict[str, object], line: str, *, as_json: bool) -> None:
    from coverslip.cli._show import print_json, results_console

    if as_json:
        print_json(values)
    else:
        results_console().print(line, soft_wrap=True)


def _check_choice(workspace: Path | None, server: Path | None) -> None:
    if workspace is not None and server is not None:
        raise usage_error("usage-workspace-or-server", hint="--server")


def _back_up_server(server: Path, folder: Path, *, as_json: bool) -> None:
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.server.backups import write_server_backup
    from coverslip.server.folder import AccountServer

    existing = AccountServer(server.absolute().resolve(), ())
    with shown_progress(notes_console()) as emit:
        manifest = write_server_backup(existing, folder, emit)
    n_projects, n_users = len(manifest.projects), manifest.accounts["users"]
    line = text("command-backup-of-server", folder=str(folder), n_projects=n_projects, n_users=n_users)
    _print_result({"folder": str(folder), **manifest.model_dump(mode="json")}, line, as_json=as_json)


def _restore_server(backup_folder: Path, server: Path, *, as_json: bool) -> None:
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.server.backups import restore_server_backup

    with shown_progress(notes_console()) as emit:
        manifest, restored = restore_server_backup(backup_folder, server, emit)
    n_interrupted = sum(each.n_interrupted for each in restored.values())
    n_projects, n_users = len(manifest.projects), manifest.accounts["users"]
    line = text("command-restored-server", folder=str(server), n_projects=n_projects, n_users=n_users)
    _print_restored(server, n_interrupted, manifest, line, as_json=as_json)


# `coverslip server`: the app for several people, with accounts and projects.


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
            raise usage_error("usage-proxy", hint="--proxy", address=address) from error
    if user_header is not None and not proxy:
        raise usage_error("usage-user-header", hint="--user-header")
    if not re.fullmatch(r"[A-Za-z0-9._~/-]*", base_path):
        raise usage_error("usage-base-path", hint="--base-path")
    if reset_password and admin is None:
        raise usage_error("usage-reset-password", hint="--reset-password")
    base = "/".join(["", *filter(None, base_path.split("/"))])
    limit_memory_arenas()
    options = job_options(slurm, job_memory)
    opened = open_account_server(folder, tuple(root or ()))
    if admin is None and not any(user.is_admin for user in list_users(opened)):
        raise usage_error("usage-first-admin", hint="--admin")
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
