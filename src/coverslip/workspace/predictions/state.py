"""The state of predictions, read from their folders, and their objects for other programs."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter
from sqlalchemy import select

from coverslip.datasets.columns import TableChoices
from coverslip.datasets.index.opening import domains_of_paths
from coverslip.datasets.names import some
from coverslip.errors import BadClassifier, BadRun, Conflict, CoverslipError, NotFound
from coverslip.events import Emit, Event, Noted, progress_reporter
from coverslip.files import write_json
from coverslip.images.reader import ReadPlan
from coverslip.messages import Note, localized_note, note, text
from coverslip.objects.exporting import CropChoices, ObjectFormat, PredictedObjects
from coverslip.objects.table import Objects, is_objects_table
from coverslip.runs.classifier import ClassifierCard, find_classifier, open_classifier
from coverslip.runs.folder import Run
from coverslip.runs.prediction_tables import table_of_objects
from coverslip.runs.progress import Work
from coverslip.workspace.datasets.image_rows import refuse_changed_files
from coverslip.workspace.datasets.labels import refuse_exchanged_files
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.process import read_arguments, write_request
from coverslip.workspace.jobs.records import (
    ACTIVE,
    Job,
    JobFacts,
    JobKind,
    Json,
    add_job,
    all_jobs,
    end_time,
    facts_of,
    find_job,
    find_owned_job,
    folded_log,
    new_job_folder,
    register,
    register_function,
    state_of,
    status_of,
    unused_name,
)
from coverslip.workspace.lists import JobImages, images_of_job, labels_of_other_classes, read_results
from coverslip.workspace.predictions.classifiers import classifier_job
from coverslip.workspace.predictions.predicting import INPUT_FILE, PredictionInput, plan_for
from coverslip.workspace.store.rows import (
    AnyRow,
    Page,
    Paging,
    dataset_row,
    keys_of_dataset,
    refuse_unready,
    source_paths,
    table_choices,
)
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.results import zipped
from coverslip.workspace.viewing.fields import tables_of


def queue_prediction(
    workspace: Workspace,
    *,
    classifier_id: str,
    dataset_id: str | None = None,
    sources: Sequence[str] | None = None,
    name: str | None = None,
    prevalence: Mapping[str, float] | None = None,
    rescale: bool = False,
) -> str:
    """Queue a prediction; return its ID.

    Raises:
        NotFound, Conflict: the classifier or the dataset does not exist or is not ready.
        CoverslipError: a source is outside the allowed roots, class proportions do not fit the classifier, or images
            are to be rescaled and the pixel size of the training images is unknown.
        BadClassifier: there is no classifier yet, or it is damaged.
    """
    classifier = classifier_job(workspace, classifier_id)
    card = open_classifier(find_classifier(classifier.folder)).card
    if prevalence:
        from coverslip.inference.new_images import stated_shares

        stated_shares(card, prevalence)  # reports errors before the prediction is queued
    if rescale:
        card.trained_on.rescaling()
    paths, images_name, choices = _images_of(workspace, dataset_id, sources or ())
    if dataset_id is not None:
        with workspace.engine.connect() as connection:
            dataset = dataset_row(connection, dataset_id)
            if dataset.summary["n_labeled"]:  # the labels are in the table of predictions
                refuse_changed_files(connection, dataset)
    job_id, folder = new_job_folder(workspace, workspace.predictions, name or images_name)
    request: Json = {"folder": str(folder), "classifier": str(classifier.folder), "sources": paths}
    request["prevalence"], request["rescale"] = dict(prevalence or {}), rescale
    request["tables"] = {"columns": dict(choices.columns), "crop_size": choices.crop_size}
    request["domains"] = [None] * len(paths)
    if dataset_id is not None:
        with workspace.engine.connect() as connection:
            dataset = dataset_row(connection, dataset_id)
            request["domains"] = _domains_of(dataset)
            request["pixels"] = dataset.pixel_choice
            query = select(images.c.image_id, images.c.label).where(images.c.dataset_id == dataset_id)
            request["labels"] = {image.image_id: image.label for image in connection.execute(query)}
    add_job(
        workspace,
        id=job_id,
        kind=PREDICTION.name,
        name=name or unused_name(workspace, PREDICTION.name, images_name),
        dataset_id=dataset_id,
        dataset_name=images_name,
        classifier_id=classifier_id,
        folder=str(folder),
        command=write_request(workspace, PREDICTION, folder, request),
        choices={
            "sources": paths,
            "classes": list(card.classes),
            "classifier_name": classifier.name,
            "prevalence": request["prevalence"],
        },
        image_keys=None if dataset_id is None else keys_of_dataset(workspace, dataset_id),
    )
    return job_id


def _domains_of(dataset: AnyRow) -> list[str | None]:
    """Return the domains of the sources of a dataset, which are parts of the IDs of its images."""
    stated = [source["domain"] for source in dataset.sources]
    if not dataset.is_labeled or len(stated) == 1:
        return stated
    named = domains_of_paths([Path(path) for path in source_paths(dataset)])
    return [domain or name for domain, name in zip(stated, named, strict=True)]


def _images_of(
    workspace: Workspace, dataset_id: str | None, sources: Sequence[str]
) -> tuple[list[str], str, TableChoices]:
    """Return the paths of the images, their common name, and how to read their tables."""
    if dataset_id is not None:
        with workspace.engine.connect() as connection:
            dataset = refuse_unready(connection, dataset_id)
        return source_paths(dataset), dataset.name, table_choices(dataset)
    paths = [str(workspace.allowed(source)) for source in sources]
    name = Path(paths[0]).name if len(paths) == 1 else text("several-sources", n=len(paths))
    return paths, name, TableChoices()


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionState(JobFacts):
    """The current state of a prediction."""

    kind: Literal["predict"]
    classifier_id: str
    classifier_name: str
    run_id: str | None
    """The training of the classifier; null if the classifier was imported or the training deleted."""
    dataset_id: str | None
    """null: its images are not a dataset of the app."""
    keys_dataset_id: str | None
    """The dataset from which classes have their keys and colors: that of the images, otherwise that of the training;
    null: neither is known."""
    n_done: int
    """Rows so far. Images that are listed again count again."""
    progress: Work | None
    """The step in progress."""
    decisions: dict[str, int]
    """Rows by decision of the classifier, most frequent first."""
    classes: list[str]
    prevalence: dict[str, float]
    """Stated class proportions, to which probabilities are adapted."""
    thresholds: dict[str, float] | None
    """Decision threshold of each class; null: the most probable class is predicted."""
    uncertain_below: float | None
    """Less probable predictions are uncertain; null before the start."""
    has_earlier_thresholds: bool
    """Whether the thresholds of the classifier have changed since then."""
    n_review: int
    """Rows without a decided class and without an answer of a user."""
    n_warned: int
    """Rows with a warning, such as that the image differs from all training images or was used in training; without
    excluded ones."""
    n_corrected: int
    """Rows with an answer of a user, including exclusions."""
    n_labeled: int
    """Images that a user corrected or confirmed, each once."""
    n_excluded: int
    """Images that a user excluded, each once."""
    n_excluded_rows: int
    """Rows of images that a user excluded."""
    has_objects_table: bool
    """Whether the objects were found in whole fields and have a table."""
    notes: list[Note]
    """Notes about these images."""


def list_predictions(workspace: Workspace, paging: Paging) -> Page[PredictionState]:
    """Return the predictions, the newest first."""
    jobs = all_jobs(workspace, PREDICTION.name)
    return Page([state_of_prediction(workspace, job) for job in paging.of(jobs)], len(jobs))


def state_of_prediction(workspace: Workspace, job: Job) -> PredictionState:
    """Return the state of a prediction."""
    status = status_of(job)
    state = state_of(job, status)
    facts = facts_of(workspace, job, status, state)
    try:
        listed = images_of_job(workspace, job.id)
    except BadRun as damaged:  # a damaged table must not hide the other predictions
        listed = JobImages(workspace, job, None, list(job.choices["classes"]), [])
        state = "failed"
        facts |= {"state": state, "error": damaged.failure, "ended": end_time(state, status)}
    counts = listed.counts()
    logged = folded_log(job).progress
    classes, prevalence = list(job.choices["classes"]), dict(job.choices["prevalence"])
    training = _training_of(workspace, job)
    inputs, card = _thresholds_of(job, None if training is None else training.folder)
    notes = {each.text: each for each in logged.notes}  # a resumed process repeats them
    return PredictionState(
        **facts,
        kind="predict",
        classifier_id=job.classifier_id or "",
        classifier_name=str(job.choices.get("classifier_name", "")),
        run_id=None if training is None else training.id,
        dataset_id=job.dataset_id,
        keys_dataset_id=job.dataset_id or (None if training is None else training.dataset_id),
        n_done=0 if listed.table is None else listed.table.n_rows,
        progress=logged.work if state in ACTIVE else None,
        decisions=listed.decisions(),
        classes=classes,
        prevalence=prevalence,
        thresholds=dict(zip(classes, inputs.thresholds, strict=True)) if inputs and inputs.thresholds else None,
        uncertain_below=inputs.uncertain_below if inputs else None,
        has_earlier_thresholds=bool(inputs and card and not inputs.matches(card, has_stated_shares=bool(prevalence))),
        n_review=counts.n_review,
        n_warned=counts.n_warned,
        n_corrected=counts.n_corrected,
        n_labeled=counts.n_labeled,
        n_excluded=counts.n_excluded,
        n_excluded_rows=counts.n_excluded_rows,
        has_objects_table=table_of_objects(job.run.predictions_file).is_file(),
        notes=[*_other_labels_note(workspace, job), *notes.values()],
    )


def _other_labels_note(workspace: Workspace, job: Job) -> Iterator[Note]:
    """Yield the note that images have labels which are no class of the classifier."""
    n_of = labels_of_other_classes(workspace, job)
    if n_of:
        n_images = sum(n_of.values())
        yield note("labels-of-other-classes", level="warning", n_images=n_images, names=some(n_of, 5))


def _thresholds_of(job: Job, run_folder: Path | None) -> tuple[PredictionInput | None, ClassifierCard | None]:
    """Return the thresholds of the rows, and the current classifier; None if missing or damaged."""
    try:
        return PredictionInput.read_if_there(job.folder / INPUT_FILE), None if run_folder is None else Run(
            run_folder
        ).card
    except BadRun:
        return None, None


def _training_of(workspace: Workspace, job: Job) -> Job | None:
    """Return the training of a prediction's classifier; None if the classifier was imported or the training deleted."""
    with suppress(NotFound):
        return find_job(workspace, job.classifier_id or "", "train")
    return None


def _store_rows(workspace: Workspace, job: Job) -> None:
    read_results(workspace, job)


PREDICTION = register(
    JobKind(
        name="predict",
        queue="predictions",
        function="coverslip.workspace.predictions.predicting:predict_into",
        can_be_submitted=True,
        story=state_of_prediction,
        store_rows=_store_rows,
        refuse=refuse_exchanged_files,
    )
)


# Predicted objects for other programs: a worker process writes the files, which are downloaded as one zip.

OBJECT_EXPORT = register_function("object-export", "coverslip.workspace.predictions.state:export_objects")
FOLDER, _LAST = "objects", "objects.json"  # in the folder of the prediction


class ObjectExport(CropChoices):
    """The format of predicted objects, and the crops of the format `ome-tiff`."""

    to: ObjectFormat
    """The format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectExportState(ResultState):
    """The files of predicted objects in one format, and the progress of writing them."""

    kind: Literal["object-export"]
    to: ObjectFormat | None
    """The format of the files; null: there are none."""
    n_files: int
    notes: list[Note]
    """Notes and warnings about the export."""


def export_state(workspace: Workspace, prediction_id: str) -> ObjectExportState:
    """Return the state of the last export of the objects of a prediction.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, PREDICTION.name)
    work = computation(workspace, OBJECT_EXPORT, job.id)
    last = _last(job)
    state = work.of_result("not-requested" if last is None else "ready")
    if last is None:
        return ObjectExportState(**state, to=None, n_files=0, notes=[])
    notes = [localized_note(each) for each in _NOTES.validate_python(last["notes"])]
    return ObjectExportState(**state, to=last["to"], n_files=last["n_files"], notes=notes)


def start_export(workspace: Workspace, prediction_id: str, choice: ObjectExport) -> ObjectExportState:
    """Export the objects of a prediction with their corrections, unless this is in progress.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_owned_job(workspace, prediction_id, PREDICTION.name)
    if choice.to == "ome-tiff" and None in (choice.t, choice.z):
        with suppress(BadClassifier):  # it was removed
            plan = _plan_of(workspace, job)
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
    )
    return export_state(workspace, prediction_id)


def _plan_of(workspace: Workspace, job: Job) -> ReadPlan:
    """Return how the images of a prediction were read."""
    request = read_arguments(workspace, job.folder)
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


AnsweredRow = tuple[Path, tuple[str, float, str]]  # the file; class, probability and decision


def write_objects(workspace: Workspace, prediction_id: str, choice: ObjectExport, emit: Emit) -> list[Path]:
    """Write the objects of a prediction into its folder, with the classes that users corrected; return the files.

    Raises:
        NotFound: there is no such prediction.
        Conflict: files of images with answers of users were changed after the prediction.
        CoverslipError: it has no table of objects, none of its images is in one, or a file cannot be read or written.
    """
    from coverslip.objects.exporting import export_predicted, notes_on_matches, predicted_objects, write_crops
    from coverslip.objects.table import read_objects
    from coverslip.pipeline import color_of_class

    job = find_owned_job(workspace, prediction_id, PREDICTION.name)
    tables = _tables_of_objects(workspace, job)
    if not tables:
        raise CoverslipError("prediction-without-objects")
    predicted_images = images_of_job(workspace, job.id)
    predicted_images.refuse_changed_files(predicted_images.answered_rows())
    rows, classes = _answered_rows(predicted_images)
    colors = [color_of_class(k) for k in range(len(classes))]
    of_tables, n_objects, n_matched = list[PredictedObjects](), 0, 0
    for table, prefix in tables:
        listed = read_objects(table)
        of_table = _rows_of_table(listed, rows, prefix, is_only=len(tables) == 1)
        predicted, n_other = predicted_objects(listed, of_table, classes, colors)
        of_tables.append(predicted)
        n_objects, n_matched = n_objects + len(predicted.objects), n_matched + len(of_table) - n_other
    if not n_matched:
        objects = some(table.name for table, _ in tables)
        raise CoverslipError("predictions-of-other-objects", file=job.run.predictions_file, objects=objects)
    for each in notes_on_matches(len(rows) - n_matched, n_objects - n_matched):
        emit(Noted.of(each))
    shutil.rmtree(job.folder / FOLDER, ignore_errors=True)
    files: list[Path] = []
    for number, predicted in enumerate(of_tables, start=1):
        out = job.folder / FOLDER / (f"table{number}" if len(tables) > 1 else "")
        if choice.to == "ome-tiff":
            report = progress_reporter(emit, "exporting-crops", "objects")
            files += write_crops(predicted, out, choice, emit, report)
        else:
            out = out / _FILES[choice.to] if choice.to in _FILES else out
            report = progress_reporter(emit, "exporting-objects", "fields")
            files += export_predicted(predicted, choice.to, out, report)
    return files


def _tables_of_objects(workspace: Workspace, job: Job) -> list[tuple[Path, str]]:
    """Return the tables of objects of a prediction, and with what the IDs of the images of each begin: its domain."""
    object_table = table_of_objects(job.run.predictions_file)
    if object_table.is_file():  # in whole fields
        return [(object_table, "")]
    sources = list(map(str, job.choices["sources"]))
    domains = read_arguments(workspace, job.folder).get("domains") or []
    prefixes = [""] * len(sources)
    if len(sources) > 1 and any(domains):
        names = domains_of_paths(list(map(Path, sources)))
        prefixes = [f"{domain or name}/" for domain, name in zip(domains, names, strict=True)]
    return [
        (table, prefix)
        for source, prefix in zip(sources, prefixes, strict=True)
        for table in tables_of(workspace, [source])
        if is_objects_table(table)
    ]


def _rows_of_table(
    objects: Objects, rows: Mapping[str, AnsweredRow], prefix: str, *, is_only: bool
) -> dict[str, tuple[str, float, str]]:
    """Return the rows of the objects of a table by their IDs there.

    Without domains, the rows of several tables differ by their files, which are part of the IDs of repeated names.
    """
    if is_only or prefix:
        return {name.removeprefix(prefix): row for name, (_, row) in rows.items() if name.startswith(prefix)}
    names, files = set(objects.image_ids), {field.path for field in objects.fields}
    return {
        name if name in names else name.rpartition(" (")[0]: row for name, (file, row) in rows.items() if file in files
    }


def _answered_rows(listed: JobImages) -> tuple[dict[str, AnsweredRow], list[str]]:
    """Return file, class, probability and decision of each image, and the classes, with the answers of users."""
    rows: dict[str, AnsweredRow] = {}
    classes = dict.fromkeys(listed.classes)
    for row, source in listed.every_row():
        if row.excluded is not None:
            rows[row.image_id] = source.file, ("", math.nan, "")
            continue
        name = row.correction or row.predicted or ""
        probability = row.probability if row.correction is None else row.probabilities.get(name)
        answer = name, math.nan if probability is None else probability, row.correction or row.decision
        rows[row.image_id] = source.file, answer
        if row.correction is not None:
            classes[row.correction] = None
    return rows, list(classes)


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
