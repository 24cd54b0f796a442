"""The state of predictions, read from their folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select

from coverslip.datasets import domains_of_paths
from coverslip.datasets.tables.columns import TableChoices
from coverslip.errors import BadRun
from coverslip.files import write_json
from coverslip.messages import Note, localized_note, text
from coverslip.runs import ClassifierCard, Run, find_classifier, open_classifier
from coverslip.workspace.datasets.changed_files import refuse_changed_files
from coverslip.workspace.datasets.snapshots import refuse_exchanged_files
from coverslip.workspace.jobs.kinds import JobKind, JobProgress, StateSource, register
from coverslip.workspace.jobs.records import Job, Json, add_job, all_jobs, find_job, new_job_folder, unused_name
from coverslip.workspace.jobs.state import (
    ACTIVE,
    JobFacts,
    facts_of,
    state_of,
    status_of,
)
from coverslip.workspace.lists.reading import read_results
from coverslip.workspace.lists.rows import images_of_job
from coverslip.workspace.predictions.classifiers import INPUT_FILE, PredictionInput, location_of
from coverslip.workspace.store.rows import (
    AnyRow,
    Page,
    Paging,
    dataset_row,
    folder_of_run,
    keys_of_dataset,
    refuse_unready,
    source_paths,
    table_choices,
)
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace


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
    classifier = location_of(workspace, classifier_id)
    card = open_classifier(find_classifier(classifier.path)).card
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
    job_id, folder = new_job_folder(workspace.predictions, name or images_name)
    request: Json = {"format_version": 1, "classifier": str(classifier.path), "sources": paths}
    request["prevalence"], request["rescale"] = dict(prevalence or {}), rescale
    request["tables"] = {"columns": dict(choices.columns), "crop_size": choices.crop_size}
    request["roots"] = [str(root) for root in (*workspace.roots, workspace.folder)]
    request["domains"] = [None] * len(paths)
    if dataset_id is not None:
        with workspace.engine.connect() as connection:
            dataset = dataset_row(connection, dataset_id)
            request["domains"] = _domains_of(dataset)
            request["pixels"] = dataset.pixel_choice
            query = select(images.c.image_id, images.c.label).where(images.c.dataset_id == dataset_id)
            request["labels"] = {image.image_id: image.label for image in connection.execute(query)}
    write_json(folder / "request.json", request)
    add_job(
        workspace,
        id=job_id,
        kind=PREDICTION.name,
        name=name or unused_name(workspace, PREDICTION.name, images_name),
        dataset_id=dataset_id,
        dataset_name=images_name,
        classifier_id=classifier_id,
        folder=str(folder),
        command=["-m", "coverslip.workspace.predictions.predicting", str(folder)],
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
    run_id: Annotated[
        str | None,
        Field(
            description="The training of the classifier; null if the classifier was imported or the training deleted."
        ),
    ]
    dataset_id: Annotated[str | None, Field(description="null: its images are not a dataset of the app.")]
    n_done: Annotated[int, Field(description="Rows so far. Images that are listed again count again.")]
    n_total: Annotated[int | None, Field(description="Null until the images are listed.")]
    seconds_left: float | None
    decisions: Annotated[dict[str, int], Field(description="Rows by decision, most frequent first.")]
    classes: list[str]
    prevalence: Annotated[
        dict[str, float], Field(description="Stated class proportions, to which probabilities are adapted.")
    ]
    thresholds: Annotated[
        dict[str, float] | None,
        Field(description="Decision threshold of each class; null: the most probable class is predicted."),
    ]
    uncertain_below: Annotated[
        float | None, Field(description="Less probable predictions are uncertain; null before the start.")
    ]
    has_earlier_thresholds: Annotated[
        bool, Field(description="Whether the thresholds of the classifier have changed since then.")
    ]
    n_review: Annotated[int, Field(description="Rows without a decided class and without an answer of a user.")]
    n_warned: Annotated[int, Field(description="Rows of images that differ from all training images.")]
    n_corrected: Annotated[int, Field(description="Rows with an answer of a user, including exclusions.")]
    n_labeled: Annotated[int, Field(description="Images that a user corrected or confirmed, each once.")]
    n_excluded: Annotated[int, Field(description="Images that a user excluded, each once.")]
    notes: Annotated[list[Note], Field(description="Notes about these images.")]


def list_predictions(workspace: Workspace, paging: Paging) -> Page[PredictionState]:
    """Return the predictions, the newest first."""
    jobs = all_jobs(workspace, PREDICTION.name)
    return Page([state_of_prediction(workspace, job) for job in paging.of(jobs)], len(jobs))


def prediction_state(workspace: Workspace, prediction_id: str) -> PredictionState:
    """Return the state of a prediction.

    Raises:
        NotFound: there is no such prediction.
    """
    return state_of_prediction(workspace, find_job(workspace, prediction_id, PREDICTION.name))


def state_of_prediction(workspace: Workspace, job: Job) -> PredictionState:
    """Return the state of a prediction."""
    status = status_of(job)
    state = state_of(job, status)
    listed = images_of_job(workspace, job.id)
    decisions = listed.decisions()
    counts = listed.counts()
    is_active = state in ACTIVE
    classes, prevalence = list(job.choices["classes"]), dict(job.choices["prevalence"])
    run_folder = _run_of_classifier(workspace, job)
    inputs, card = _thresholds_of(job, run_folder)
    return PredictionState(
        **facts_of(job, status, state),
        kind="predict",
        classifier_id=job.classifier_id or "",
        classifier_name=str(job.choices.get("classifier_name", "")),
        run_id=None if run_folder is None else job.classifier_id,
        dataset_id=job.dataset_id,
        n_done=sum(decisions.values()),
        n_total=status.n_total if status else None,
        seconds_left=status.seconds_left if status and is_active else None,
        decisions=decisions,
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
        notes=[localized_note(each) for each in status.notes] if status else [],
    )


def _thresholds_of(job: Job, run_folder: Path | None) -> tuple[PredictionInput | None, ClassifierCard | None]:
    """Return the thresholds of the rows, and the current classifier; None if missing or damaged."""
    try:
        return PredictionInput.read_if_there(job.folder / INPUT_FILE), None if run_folder is None else Run(
            run_folder
        ).card
    except BadRun:
        return None, None


def _run_of_classifier(workspace: Workspace, job: Job) -> Path | None:
    if job.classifier_id is None:
        return None
    with workspace.engine.connect() as connection:
        return folder_of_run(connection, job.classifier_id)


@dataclass(frozen=True, slots=True)
class RowsSoFar:
    """The number of rows of a prediction."""

    n: int


@dataclass(frozen=True, slots=True)
class PredictionEvents:
    """The events of a prediction by name."""

    state: Annotated[PredictionState, Field(description="The current state: first, after each change, and last.")]
    rows: Annotated[
        RowsSoFar, Field(description="The number of rows has changed; pages request the rows that they show.")
    ]


def prediction_events(workspace: Workspace, prediction_id: str) -> PredictionEvents:
    """Return the current events of a prediction; raises as `prediction_state`."""
    state = prediction_state(workspace, prediction_id)
    return PredictionEvents(state, RowsSoFar(state.n_done))


def _progress(job: Job) -> JobProgress | None:
    status = status_of(job)
    if status is None or status.n_total is None:
        return None
    return JobProgress(status.n_done or 0, status.n_total, seconds_left=status.seconds_left)


def _store_rows(workspace: Workspace, job: Job) -> None:
    read_results(workspace, job)


PREDICTION = register(
    JobKind(
        name="predict",
        collection="predictions",
        queue="predictions",
        can_be_submitted=True,
        events=PredictionEvents,
        source=partial(StateSource, prediction_events),
        progress=_progress,
        store_rows=_store_rows,
        refuse=refuse_exchanged_files,
    )
)
