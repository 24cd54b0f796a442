"""`coverslip backup` and `coverslip restore`: the workspace of the app as one file."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import AsJson, argument, option
from coverslip.messages import escape_controls, text


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
    from coverslip.cli._show import notes_console, print_json, results_console, size_in_words
    from coverslip.cli.progress import shown_progress
    from coverslip.files import default_workspace_folder
    from coverslip.workspace.backups.writing import write_backup
    from coverslip.workspace.store.workspace import Workspace

    _check_choice(workspace, server)
    if server is not None:
        _back_up_server(server, file, as_json=as_json)
        return
    folder = (workspace or default_workspace_folder()).absolute().resolve()
    stderr = notes_console()
    with shown_progress(stderr) as emit:
        manifest = write_backup(Workspace(folder, ()), file, emit)
    size = file.stat().st_size
    if manifest.n_images_outside:
        note = text("command-backup-images-outside", n_images=manifest.n_images_outside)
        stderr.print(text("progress-note", note=note), markup=False, soft_wrap=True)
    if manifest.n_links:
        note = text("command-backup-links", n_links=manifest.n_links)
        stderr.print(text("progress-warning", note=note), markup=False, soft_wrap=True)
    if as_json:
        print_json({"file": str(file), "size_bytes": size, **manifest.model_dump(mode="json")})
        return
    line = text("command-backup-written", file=file, size=size_in_words(size), n_files=manifest.n_files)
    results_console().print(line, soft_wrap=True)


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
    from coverslip.cli._show import notes_console, print_json, results_console
    from coverslip.cli.progress import shown_progress
    from coverslip.workspace.backups.restoring import restore_backup

    _check_choice(workspace, server)
    if server is not None:
        _restore_server(file, server, as_json=as_json)
        return
    if workspace is None:
        raise typer.BadParameter(text("usage-restore"), param_hint="--workspace")
    stderr = notes_console()
    with shown_progress(stderr) as emit:
        restored = restore_backup(file, workspace, emit)
    manifest = restored.manifest
    if manifest.n_images_outside:
        note = text("command-restored-images-outside", n_images=manifest.n_images_outside)
        stderr.print(text("progress-note", note=note), markup=False, soft_wrap=True)
    if restored.n_interrupted:
        note = text("command-restored-interrupted", n_jobs=restored.n_interrupted)
        stderr.print(text("progress-note", note=note), markup=False, soft_wrap=True)
    if as_json:
        summary = {"folder": str(restored.folder), "n_interrupted": restored.n_interrupted}
        print_json({**summary, **manifest.model_dump(mode="json")})
        return
    line = text("command-restored", folder=escape_controls(str(restored.folder)), n_files=manifest.n_files)
    results_console().print(line, soft_wrap=True)


def _check_choice(workspace: Path | None, server: Path | None) -> None:
    if workspace is not None and server is not None:
        raise typer.BadParameter(text("usage-workspace-or-server"), param_hint="--server")


def _back_up_server(server: Path, folder: Path, *, as_json: bool) -> None:
    from coverslip.cli._show import notes_console, print_json, results_console
    from coverslip.cli.progress import shown_progress
    from coverslip.server.backups import write_server_backup
    from coverslip.server.folder import AccountServer, refuse_postgresql

    refuse_postgresql()
    existing = AccountServer(server.absolute().resolve(), ())
    with shown_progress(notes_console()) as emit:
        manifest = write_server_backup(existing, folder, emit)
    if as_json:
        print_json({"folder": str(folder), **manifest.model_dump(mode="json")})
        return
    n_projects, n_users = len(manifest.projects), manifest.accounts["users"]
    line = text("command-backup-of-server", folder=str(folder), n_projects=n_projects, n_users=n_users)
    results_console().print(line, soft_wrap=True)


def _restore_server(backup_folder: Path, server: Path, *, as_json: bool) -> None:
    from coverslip.cli._show import notes_console, print_json, results_console
    from coverslip.cli.progress import shown_progress
    from coverslip.server.backups import restore_server_backup

    stderr = notes_console()
    with shown_progress(stderr) as emit:
        manifest, restored = restore_server_backup(backup_folder, server, emit)
    n_interrupted = sum(each.n_interrupted for each in restored.values())
    if n_interrupted:
        note = text("command-restored-interrupted", n_jobs=n_interrupted)
        stderr.print(text("progress-note", note=note), markup=False, soft_wrap=True)
    if as_json:
        summary = {"folder": str(server), "n_interrupted": n_interrupted}
        print_json({**summary, **manifest.model_dump(mode="json")})
        return
    n_projects, n_users = len(manifest.projects), manifest.accounts["users"]
    line = text("command-restored-server", folder=str(server), n_projects=n_projects, n_users=n_users)
    results_console().print(line, soft_wrap=True)
