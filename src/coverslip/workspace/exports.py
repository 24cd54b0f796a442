"""Exports of classifiers for other programs: queue, list and watch them, download the result, and their process."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from coverslip.errors import Conflict, CoverslipError, Stopped
from coverslip.events import Event
from coverslip.experiments.run_state import record_work
from coverslip.files import sha256_json, write_json
from coverslip.inference.export import Attribution, Verification, check_export
from coverslip.runs.classifier import ClassifierCard, find_classifier, open_classifier
from coverslip.runs.documents import read_object
from coverslip.runs.folder import Run, RunContext, open_run
from coverslip.runs.progress import Work
from coverslip.stopping import Stop, signals_stop, work_stopped
from coverslip.workspace.jobs.records import (
    ACTIVE,
    Job,
    JobFacts,
    JobKind,
    add_job,
    all_jobs,
    facts_of,
    find_job,
    folded_log,
    new_job_folder,
    register,
    state_of,
    status_of,
)
from coverslip.workspace.store import tables
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.results import zipped

# The process of an export: `python -m coverslip.workspace.exports RUN FORMAT FOLDER ABOUT`.
#
# The verified export is `FOLDER/export`. FOLDER also contains the status and the log of the process. ABOUT is JSON with
# the name of the training, and authors, license and citation.

CONTENT, SOURCE_FILE = "export", "source.json"


def revision_of(card: ClassifierCard) -> str:
    """Return a hash that changes if a classifier decides otherwise, for example with other thresholds."""
    return sha256_json(card.model_dump(mode="json"))


def export_into(run_folder: Path, to: str, folder: Path, about: dict[str, Any]) -> None:  # Any: JSON values
    """Export the classifier of a run, and record in `folder` how that ended.

    Raises:
        CoverslipError: the export was refused, or stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = RunContext(folder, stop=Stop(Run(folder).stop_file))
    with signals_stop(), record_work(context, stopped=lambda _: work_stopped()) as recorded:

        def handle(event: Event) -> None:
            recorded.emit(event)
            recorded.stop.check()

        from coverslip.inference.export import export_to

        attribution = Attribution(tuple(about["authors"]), about["license"], about["citation"])
        run = open_run(run_folder)
        shutil.rmtree(folder / CONTENT, ignore_errors=True)
        card = open_classifier(find_classifier(run.folder)).card
        write_json(folder / SOURCE_FILE, {"format_version": 1, "revision": revision_of(card)})
        export_to(run, to, folder / CONTENT, name=about["name"], attribution=attribution, emit=handle)


def main(arguments: list[str]) -> int:
    """Export, and return the exit code. Errors are printed as one line."""
    run_folder, to, folder, about = arguments
    try:
        export_into(Path(run_folder), to, Path(folder), json.loads(about))
    except CoverslipError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 0 if isinstance(error, Stopped) else 1
    return 0


# Queue, list and watch exports, and download the result.

ExportTo = Literal["onnx", "bioimageio"]
_VERIFICATION = TypeAdapter(Verification)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportState(JobFacts):
    """The current state of an export of a classifier for other programs."""

    kind: Literal["export"]
    run_id: str
    to: Annotated[ExportTo, Field(description="The format.")]
    work: Annotated[Work | None, Field(description="The step in progress.")]
    verification: Annotated[
        Verification | None,
        Field(description="The agreement with the classifier; null until the export is done."),
    ]
    size_bytes: Annotated[int | None, Field(description="Size of its files; null until the export is done.")]
    is_outdated: Annotated[
        bool, Field(description="Whether the classifier has changed since then, for example its decision threshold.")
    ]


def queue_export(workspace: Workspace, run_id: str, to: ExportTo, attribution: Attribution | None = None) -> str:
    """Queue an export of the classifier of a training; return its ID.

    Raises:
        NotFound: there is no such training.
        Conflict: it is not finished.
        ExtraNotInstalled: the extra `onnx` is not installed.
        CoverslipError: the format has no authors, license and citation.
    """
    training = find_job(workspace, run_id, "train")
    run = training.run
    if not (run.is_done and run.has_classifier):
        raise Conflict("training-not-finished")
    check_export(to, attribution)
    about = {"name": training.name, **asdict(attribution or Attribution())}
    job_id, folder = new_job_folder(workspace, run.exports_folder, to)
    add_job(
        workspace,
        id=job_id,
        kind=EXPORT.name,
        name=f"{training.name} · {to}",
        dataset_name=training.dataset_name,
        classifier_id=run_id,
        folder=str(folder),
        command=["-m", "coverslip.workspace.exports", str(run.folder), to, str(folder), json.dumps(about)],
        choices={"to": to},
    )
    return job_id


def list_exports(workspace: Workspace, run_id: str, paging: Paging) -> Page[ExportState]:
    """Return the exports of a training, the newest first.

    Raises:
        NotFound: there is no such training.
    """
    find_job(workspace, run_id, "train")
    jobs = all_jobs(workspace, EXPORT.name, tables.jobs.c.classifier_id == run_id)
    return Page([_state_of(workspace, job) for job in paging.of(jobs)], len(jobs))


def export_state(workspace: Workspace, export_id: str) -> ExportState:
    """Return the state of an export.

    Raises:
        NotFound: there is no such export.
    """
    return _state_of(workspace, find_job(workspace, export_id, EXPORT.name))


def _state_of(workspace: Workspace, job: Job) -> ExportState:
    status = status_of(job)
    state = state_of(job, status)
    content = job.folder / CONTENT if state == "done" else None
    return ExportState(
        **facts_of(workspace, job, status, state),
        kind="export",
        run_id=job.classifier_id or "",
        to=job.choices["to"],
        work=folded_log(job).progress.work if state in ACTIVE else None,
        verification=None if content is None else _verification_in(content),
        size_bytes=None if content is None else sum(file.stat().st_size for file in content.glob("*")),
        is_outdated=content is not None and _is_outdated(job),
    )


def _verification_in(content: Path) -> Verification | None:
    with suppress(OSError, ValueError):  # somebody removed or changed the file
        return _VERIFICATION.validate_json((content / "verification.json").read_bytes())
    return None


def _is_outdated(job: Job) -> bool:
    with suppress(CoverslipError):
        card = Run(job.folder.parent.parent).card
        return card is not None and read_object(job.folder / SOURCE_FILE)["revision"] != revision_of(card)
    return False


def download(workspace: Workspace, export_id: str) -> tuple[str, Iterator[bytes]]:
    """Return the name of a zip of a finished export, and its bytes, as they are produced.

    Raises:
        NotFound: there is no such export.
        Conflict: it is not finished.
    """
    job = find_job(workspace, export_id, EXPORT.name)
    content = job.folder / CONTENT
    if not content.is_dir():
        raise Conflict("export-not-finished")
    name = f"{job.folder.parent.parent.name}-{job.choices['to']}"
    return f"{name}.zip", zipped(content, name)


EXPORT = register(JobKind(name="export", collection="exports", queue="exports"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
