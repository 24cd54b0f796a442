"""`coverslip app`: the whole workflow in the browser."""

import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import option
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.app.server import Server
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
    from coverslip.workspace.store.serving import redirect_file
    from coverslip.workspace.store.workspace import open_workspace

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
        raise typer.BadParameter(text("usage-size", value=job_memory), param_hint="--job-memory")
    return JobOptions(None if slurm is None else Slurm.of(slurm), most_bytes)


def exit_at_once() -> None:
    """Exit the process immediately; all resources that need closing are closed.

    A regular exit of Python waits for threads that can be killed at any time, and unloads all modules of the server,
    which takes seconds on a busy machine.
    """
    from coverslip.images import end_decoding

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
