"""Exports of classifiers for other programs: queue, list and watch them, do their work, and download the result."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from coverslip.errors import Conflict, CoverslipError
from coverslip.events import Emit
from coverslip.files import sha256_json, write_json
from coverslip.inference.export import Attribution, Verification, check_export
from coverslip.runs.classifier import ClassifierCard, find_classifier, open_classifier
from coverslip.runs.documents import read_object
from coverslip.runs.folder import Run, open_run
from coverslip.runs.progress import Work
from coverslip.workspace.jobs.process import write_request
from coverslip.workspace.jobs.records import (
    ACTIVE,
    Job,
    JobFacts,
    JobKind,
    Json,
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

CONTENT, SOURCE_FILE = "export", "source.json"


def revision_of(card: ClassifierCard) -> str:
    """Return a hash that changes if a classifier decides otherwise, for example with other thresholds."""
    return sha256_json(card.model_dump(mode="json"))


def export_classifier(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Export the classifier of a training into a folder; the verified export is `export` in it.

    Raises:
        CoverslipError: the export was refused.
    """
    from coverslip.inference.export import export_to

    folder = Path(arguments["folder"])
    run, about = open_run(Path(arguments["run"])), arguments["attribution"]
    attribution = Attribution(tuple(about["authors"]), about["license"], about["citation"])
    shutil.rmtree(folder / CONTENT, ignore_errors=True)
    card = open_classifier(find_classifier(run.folder)).card
    write_json(folder / SOURCE_FILE, {"format_version": 1, "revision": revision_of(card)})
    export_to(run, arguments["to"], folder / CONTENT, name=arguments["name"], attribution=attribution, emit=emit)


# Queue, list and watch exports, and download the result.

ExportTo = Literal["onnx", "bioimageio"]
_VERIFICATION = TypeAdapter(Verification)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportState(JobFacts):
    """The current state of an export of a classifier for other programs."""

    kind: Literal["export"]
    run_id: str
    to: ExportTo
    """The format."""
    progress: Work | None
    """The step in progress."""
    verification: Verification | None
    """The agreement with the classifier; null until the export is done."""
    size_bytes: int | None
    """Size of its files; null until the export is done."""
    is_outdated: bool
    """Whether the classifier has changed since then, for example its decision threshold."""


def queue_export(workspace: Workspace, run_id: str, to: ExportTo, attribution: Attribution | None = None) -> str:
    """Queue an export of the classifier of a training; return its ID.

    Raises:
        NotFound: there is no such training.
        Conflict: it is not finished.
        CoverslipError: the format has no authors, license and citation.
    """
    training = find_job(workspace, run_id, "train")
    run = training.run
    if not (run.is_done and run.has_classifier):
        raise Conflict("training-not-finished")
    check_export(to, attribution)
    job_id, folder = new_job_folder(workspace, run.exports_folder, to)
    about = {"name": training.name, "attribution": asdict(attribution or Attribution())}
    arguments = {"folder": str(folder), "run": str(run.folder), "to": to, **about}
    add_job(
        workspace,
        id=job_id,
        kind=EXPORT.name,
        name=f"{training.name} · {to}",
        dataset_name=training.dataset_name,
        classifier_id=run_id,
        folder=str(folder),
        command=write_request(workspace, EXPORT, folder, arguments),
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
    return Page([export_state(workspace, job) for job in paging.of(jobs)], len(jobs))


def export_state(workspace: Workspace, job: Job) -> ExportState:
    """Return the state of an export."""
    status = status_of(job)
    state = state_of(job, status)
    content = job.folder / CONTENT if state == "done" else None
    return ExportState(
        **facts_of(workspace, job, status, state),
        kind="export",
        run_id=job.classifier_id or "",
        to=job.choices["to"],
        progress=folded_log(job).progress.work if state in ACTIVE else None,
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


EXPORT = register(
    JobKind(
        name="export",
        queue="exports",
        function="coverslip.workspace.exports:export_classifier",
        story=export_state,
    )
)
