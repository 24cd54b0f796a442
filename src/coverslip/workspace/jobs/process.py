"""The process of a job whose kind has a function: `python -m coverslip.workspace.jobs.process FOLDER WORKSPACE`.

FOLDER contains `request.json`, and then the status and the events. The paths of the request are relative to WORKSPACE,
so that a job in a copied or moved workspace works on the files of that one. The function belongs to the room that owns
the subject. It runs in a process of its own, because it needs libraries that the server does not load, or memory that
the server would not release.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Emit, Event
from coverslip.experiments.run_state import record_work
from coverslip.files import write_json
from coverslip.processes import Json
from coverslip.runs.documents import read_object
from coverslip.runs.folder import Run, RunContext
from coverslip.runtime.programs import end_with_parent
from coverslip.stopping import Stop, signals_stop, work_stopped
from coverslip.workspace.jobs.records import JobKind
from coverslip.workspace.store.tables import with_absolute_paths, with_relative_paths
from coverslip.workspace.store.workspace import Workspace

Function = Callable[[Workspace, Json, Emit], None]
"""Does the work of a job from JSON values, and reports its progress to the receiver of events."""

_REQUEST_FILE = "request.json"


def write_request(workspace: Workspace, kind: JobKind, folder: Path, arguments: Mapping[str, object]) -> list[str]:
    """Write the request of a job, and return the command of its process.

    Args:
        workspace: the workspace.
        kind: has a function.
        folder: of the job.
        arguments: of the function, as JSON values.
    """
    values = {"function": kind.function, "ends_with_server": kind.ends_with_server, "workspace": workspace.as_json()}
    request = with_relative_paths({**values, "arguments": arguments}, str(workspace.folder))
    write_json(folder / _REQUEST_FILE, {"format_version": 1, **request})
    return ["-m", __name__, str(folder), str(workspace.folder)]


def read_arguments(workspace: Workspace, folder: Path) -> Json:
    """Return the arguments of the request of a job.

    Raises:
        BadRun: the request is missing or damaged.
    """
    arguments: Json = _read_request(folder, workspace.folder)["arguments"]
    return arguments


def _read_request(folder: Path, workspace_folder: Path) -> Json:
    request: Json = with_absolute_paths(read_object(folder / _REQUEST_FILE), str(workspace_folder))
    return request


def main(folder: Path, workspace_folder: Path) -> int:
    """Do a requested job, record in its folder how that ended, and return the exit code. An error is printed."""
    context = RunContext(folder, stop=Stop(Run(folder).stop_file))
    try:
        with signals_stop(), record_work(context, stopped=lambda _: work_stopped()) as recorded:

            def handle(event: Event) -> None:
                recorded.emit(event)
                recorded.stop.check()

            request = _read_request(folder, workspace_folder)
            if request["ends_with_server"]:
                end_with_parent()
            module, _, name = request["function"].partition(":")
            function: Function = getattr(importlib.import_module(module), name)
            function(Workspace.from_json(request["workspace"]), request["arguments"], handle)
    except Stopped:
        return 0
    except CoverslipError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
