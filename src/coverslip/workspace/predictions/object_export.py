"""Predicted objects for other programs: a worker process writes the files, which are downloaded as one zip."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from coverslip.errors import BadClassifier, Conflict, CoverslipError
from coverslip.events import Emit, Event, Noted, progress_reporter
from coverslip.files import write_json
from coverslip.images import ReadPlan
from coverslip.messages import Note, localized_note
from coverslip.objects import CropChoices, ObjectFormat, is_objects_table
from coverslip.processes import Json
from coverslip.runs import find_classifier, open_classifier
from coverslip.runs.documents import read_object
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.kinds import register_function
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.lists.rows import images_of_job
from coverslip.workspace.predictions.predicting import plan_for
from coverslip.workspace.predictions.state import PREDICTION
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.downloads import zipped
from coverslip.workspace.viewing.fields import tables_of

OBJECT_EXPORT = register_function("object-export", "coverslip.workspace.predictions.object_export:export_objects")
FOLDER, _LAST = "objects", "objects.json"  # in the folder of the prediction


class ObjectExport(CropChoices):
    """The format of predicted objects, and the crops of the format `ome-tiff`."""

    to: ObjectFormat = Field(description="The format.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectExportState(ResultState):
    """The files of predicted objects in one format, and the progress of writing them."""

    n_files: int
    notes: Annotated[list[Note], Field(description="Notes and warnings about the export.")]


def export_state(workspace: Workspace, prediction_id: str) -> ObjectExportState:
    """Return the state of the last export of the objects of a prediction.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, PREDICTION.name)
    work = computation(workspace, OBJECT_EXPORT, job.id)
    last = _last(job)
    n_files, notes = (0, []) if last is None else (last["n_files"], _NOTES.validate_python(last["notes"]))
    state = work.of_result("not-requested" if last is None else "ready")
    return ObjectExportState(**state, n_files=n_files, notes=[localized_note(each) for each in notes])


def start_export(workspace: Workspace, prediction_id: str, choice: ObjectExport) -> ObjectExportState:
    """Export the objects of a prediction with their corrections, unless this is in progress.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, PREDICTION.name)
    if choice.to == "ome-tiff" and None in (choice.t, choice.z):
        with suppress(BadClassifier):  # it was removed
            plan = _plan_of(job)
            t, z = (plan.t if choice.t is None else choice.t), (plan.z if choice.z is None else choice.z)
            choice = choice.model_copy(update={"t": t, "z": z})
    with suppress(FileNotFoundError):
        (job.folder / _LAST).unlink()
    request_result(
        workspace,
        OBJECT_EXPORT,
        job.id,
        {"prediction_id": job.id, **choice.model_dump(mode="json")},
        name=job.name,
        link=f"/predictions/{job.id}/objects-export",
    )
    return export_state(workspace, prediction_id)


def _plan_of(job: Job) -> ReadPlan:
    """Return how the images of a prediction were read."""
    request = read_object(job.folder / "request.json")
    return plan_for(request, open_classifier(find_classifier(Path(request["classifier"]))).card.preprocessing.plan)


def download(workspace: Workspace, prediction_id: str) -> tuple[str, Iterator[bytes]]:
    """Return the name of a zip of the exported files, and its bytes, as they are produced.

    Raises:
        NotFound: there is no such prediction.
        Conflict: nothing is exported.
    """
    job = find_job(workspace, prediction_id, PREDICTION.name)
    last = _last(job)
    if last is None:
        raise Conflict("export-not-finished")
    name = f"{job.folder.name}-{last['to']}"
    return f"{name}.zip", zipped(job.folder / FOLDER, name)


def write_objects(workspace: Workspace, prediction_id: str, choice: ObjectExport, emit: Emit) -> list[Path]:
    """Write the objects of a prediction into its folder, with the classes that users corrected; return the files.

    Raises:
        NotFound: there is no such prediction.
        CoverslipError: it has no table of objects, or a file cannot be read or written.
    """
    from coverslip.objects import export_predicted, predicted_objects, read_objects, write_crops
    from coverslip.pipeline import color_of_class

    job = find_job(workspace, prediction_id, PREDICTION.name)
    tables = [table for table in tables_of(workspace, job.choices["sources"]) if is_objects_table(table)]
    if not tables:
        raise CoverslipError("prediction-without-objects")
    rows = {
        row.image_id: (row.correction or row.predicted or "", row.probability or 0.0, row.decision)
        for row, _ in images_of_job(workspace, job.id).every_image()
        if row.excluded is None
    }
    classes = list(map(str, job.choices["classes"]))
    colors = [color_of_class(k) for k in range(len(classes))]
    shutil.rmtree(job.folder / FOLDER, ignore_errors=True)
    files: list[Path] = []
    for number, table in enumerate(tables, start=1):
        predicted, _ = predicted_objects(read_objects(table), rows, classes, colors)
        out = job.folder / FOLDER / (f"table{number}" if len(tables) > 1 else "")
        if choice.to == "ome-tiff":
            report = progress_reporter(emit, "exporting-crops", "objects")
            files += write_crops(predicted, out, choice, emit, report)
        else:
            out = out / _FILES[choice.to] if choice.to in _FILES else out
            report = progress_reporter(emit, "exporting-objects", "fields")
            files += export_predicted(predicted, choice.to, out, report)
    return files


_FILES = {"coco": "objects.json", "cellprofiler": "objects.csv"}  # formats of a single file
_NOTES = TypeAdapter(list[Note])


def _last(job: Job) -> Json | None:
    file = job.folder / _LAST
    if not file.is_file():
        return None
    content: Json = json.loads(file.read_text(encoding="utf-8"))
    return content


def export_objects(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Write the objects of a prediction for another program, and record the number of files and the notes.

    Raises:
        CoverslipError: the prediction has no table of objects, or a file cannot be read or written.
    """
    notes: list[Note] = []

    def handle(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.note)
        emit(event)

    choice = ObjectExport.model_validate({name: arguments[name] for name in ObjectExport.model_fields})
    files = write_objects(workspace, arguments["prediction_id"], choice, handle)
    folder = find_job(workspace, arguments["prediction_id"], PREDICTION.name).folder
    content = {"to": choice.to, "n_files": len(files), "notes": [asdict(each) for each in notes]}
    write_json(folder / _LAST, {"format_version": 1, **content})
