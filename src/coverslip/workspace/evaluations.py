"""Evaluations on external test sets: preview, queue, list and watch them; comparisons of runs."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, func, select

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRun, Conflict, CoverslipError
from coverslip.images.reader import PIXEL_KEYS, pixel_side
from coverslip.messages import text
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.reports.common_images import ChangedImages
from coverslip.reports.comparison import MOST_RUNS, compare, comparison_sections
from coverslip.reports.differences import Differing
from coverslip.runs.folder import Run
from coverslip.runs.progress import TimedNote, Work
from coverslip.runs.status import EvaluatedImages
from coverslip.workspace.datasets.labels import refuse_exchanged_files, training_images
from coverslip.workspace.jobs.records import (
    ACTIVE,
    Job,
    JobFacts,
    JobFolders,
    JobKind,
    add_job,
    add_job_in,
    all_jobs,
    facts_of,
    find_job,
    find_measured_job,
    folded_log,
    register,
    state_of,
    status_of,
)
from coverslip.workspace.store import tables
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    Page,
    Paging,
    plan_of_dataset,
    refuse_unread,
    refuse_unready,
    table_choices,
    write_keys,
)
from coverslip.workspace.store.tables import datasets, images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.state import Headline, evaluation_of, headline_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedJob(DocumentedFields):
    """A training or an evaluation in a comparison."""

    run_id: str
    name: str
    is_evaluation: bool
    """Measured on an external test set, not on its own test set."""
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are the true class, columns the predicted one."""
    changed: ChangedImages | None
    """Predictions that differ from those of the first; null without common images or classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobComparison(DocumentedFields):
    """Compared trainings and evaluations."""

    rows: list[ComparedJob]
    conclusion: str
    """Which run has the better primary metric, and by how much; empty if they are not comparable."""
    access_note: str
    """How selecting a run by test results biases these results; empty for evaluations."""
    sections: list[ReportSection]
    """`pair`: each run but the first against the first, in their order; `differing`: settings and data; `runs`: the
    metrics of each run."""


def compared(workspace: Workspace, run_ids: Sequence[str]) -> JobComparison:
    """Compare runs, and test each against the first on their common images.

    Raises:
        NotFound: there is no such run or evaluation.
        Conflict: one has no results yet.
        CoverslipError: there are fewer than two runs, or too many.
    """
    ids = list(dict.fromkeys(run_ids))
    if not 2 <= len(ids) <= MOST_RUNS:
        raise CoverslipError("runs-to-compare", n_max=MOST_RUNS)
    jobs = [_measured(workspace, run_id) for run_id in ids]
    comparison = compare([job.run for job in jobs], [(job.id, _name(workspace, job)) for job in jobs])
    rows = [
        ComparedJob(
            run_id=row.run_id,
            name=row.name,
            is_evaluation=row.is_evaluation,
            classes=job.run.metrics.classes,
            confusion=job.run.metrics.confusion_matrix,
            changed=changed,
        )
        for job, row, changed in zip(
            jobs, comparison.rows, [None, *(pair.changed for pair in comparison.pairs)], strict=True
        )
    ]
    trainings = [find_job(workspace, job.classifier_id) if job.classifier_id else job for job in jobs]
    differing = _with_dataset_names(comparison.differing, [training.dataset_name for training in trainings])
    return JobComparison(
        rows=rows,
        conclusion=comparison.conclusion,
        access_note=comparison.access_note,
        sections=[*map(as_data, comparison_sections(replace(comparison, differing=differing)))],
    )


def _with_dataset_names(differing: Sequence[Differing], names: Sequence[str]) -> list[Differing]:
    """Name the images by their datasets: their sources are tables of the workspace. Equal names do not differ."""
    names = [name or "–" for name in names]
    named = [replace(row, values=names) if row.name == "sources" else row for row in differing]
    return [row for row in named if len(set(row.values)) > 1]


def _measured(workspace: Workspace, run_id: str) -> Job:
    job = find_measured_job(workspace, run_id)
    if not job.run.is_measured:
        raise Conflict("not-measured-yet", name=job.name)
    return job


def _name(workspace: Workspace, job: Job) -> str:
    """Return the name of the training, for an evaluation with the name of its images."""
    if job.classifier_id is None:
        return job.name
    training = find_job(workspace, job.classifier_id).name
    return text("training-on-images", training=training, dataset=job.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationState(JobFacts):
    """The current state of an evaluation on an external test set."""

    kind: Literal["evaluate"]
    run_id: str
    run_name: str
    dataset_id: str | None
    """null: its images are not a dataset of the app."""
    dataset_name: str
    progress: Work | None
    """The step in progress."""
    n: int | None
    """Number of measured images."""
    n_used_in_training: int | None
    """Measured images that were used in training, other planes of them, and duplicates of them."""
    headline: Headline | None
    notes: tuple[TimedNote, ...]


def list_evaluations(workspace: Workspace, run_id: str, paging: Paging) -> Page[EvaluationState]:
    """Return the evaluations of a training, the newest first.

    Raises:
        NotFound: there is no such training.
    """
    find_job(workspace, run_id, "train")
    jobs = all_jobs(workspace, EVALUATION.name, tables.jobs.c.classifier_id == run_id)
    return Page([evaluation_state(workspace, job) for job in paging.of(jobs)], len(jobs))


def evaluation_state(workspace: Workspace, job: Job) -> EvaluationState:
    """Return the state of an evaluation.

    Raises:
        NotFound: its training was removed.
    """
    run, status = find_job(workspace, job.classifier_id or "", "train"), status_of(job)
    state = state_of(job, status)
    measured = evaluation_of(job) if state == "done" else None
    logged = folded_log(job).progress
    return EvaluationState(
        **facts_of(workspace, job, status, state),
        kind="evaluate",
        run_id=run.id,
        run_name=run.name,
        dataset_id=job.dataset_id,
        dataset_name=job.dataset_name,
        progress=logged.work if state in ACTIVE else None,
        n=None if measured is None else measured.n,
        n_used_in_training=_n_used_in_training(job.run) if measured is not None else None,
        headline=headline_of(job.run) if measured is not None else None,
        notes=logged.notes,
    )


def _n_used_in_training(evaluation: Run) -> int | None:
    with suppress(BadRun):
        images = evaluation.evaluated_images
        return None if images is None else images.n_used_in_training
    return None


def _list_unlisted(workspace: Workspace, folders: JobFolders) -> None:
    """List evaluations from the command line that are in the folder of a training and state their images."""
    for run_id, folder in folders.of_kind.get("train", {}).items():
        for evaluation in Run(folder).evaluations:
            if str(evaluation.folder) in folders.listed:
                continue
            with suppress(BadRun):  # a damaged evaluation is not listed
                images = evaluation.evaluated_images
                if images is not None:
                    _list(workspace, run_id, folder, evaluation, images)


def _list(workspace: Workspace, run_id: str, run_folder: Path, evaluation: Run, images: EvaluatedImages) -> None:
    opened = images.opened
    grouping = [f"--group={opened.group}"] if opened.group else []
    grouping += [f"--group-pattern={opened.group_pattern}"] if opened.group_pattern else []
    grouping += ["--rescale"] if images.is_rescaled else []
    options = [*grouping, f"--name={evaluation.folder.name}"]
    add_job(
        workspace,
        id=secrets.token_hex(5),
        kind=EVALUATION.name,
        name=evaluation.folder.name,
        dataset_name=Path(opened.sources[0]).name,
        classifier_id=run_id,
        folder=str(evaluation.folder),
        command=["-m", "coverslip", "evaluate", *options, "--", str(run_folder), *opened.sources],
        choices={"sources": list(opened.sources)},
        state="started",
        queued=None,
    )


EVALUATION = register(
    JobKind(
        name="evaluate",
        queue="evaluations",
        can_be_submitted=True,
        story=evaluation_state,
        has_measurements=True,
        list_unlisted=_list_unlisted,
        refuse=refuse_exchanged_files,
    )
)


@dataclass(frozen=True, slots=True)
class TestSet(DocumentedFields):
    """A dataset with which a training can be evaluated."""

    dataset_id: str
    n_known: int
    """Images labeled with a class of the classifier."""
    is_of_training: bool
    """Whether the classifier was trained on this dataset."""


def test_sets(workspace: Workspace, run_id: str, paging: Paging) -> Page[TestSet]:
    """Return the datasets with images of a class of the classifier, the newest first.

    Raises:
        NotFound, Conflict: the training does not exist or has no finished classifier.
    """
    run = evaluable_run(workspace, run_id)
    trained_on = find_job(workspace, run_id, "train").dataset_ids
    labels = _known_labels(run)
    usable = datasets.c.removed.is_(None) & (datasets.c.state != "failed")
    with workspace.engine.connect() as connection:
        listed = select(datasets.c.id, datasets.c.summary).where(usable)
        rows = connection.execute(listed.order_by(datasets.c.created.desc(), datasets.c.id)).all()
    sets = []
    for dataset_id, summary in rows:
        n_known = sum(n for label, n in summary["classes"].items() if labels is None or label in labels)
        if n_known:
            sets.append(TestSet(dataset_id, n_known, dataset_id in trained_on))
    return paging.page_of(sets)


@dataclass(frozen=True, slots=True)
class EvaluationOutlook(DocumentedFields):
    """The images that an evaluation on a dataset would use."""

    n_labeled: int
    n_known: int
    """Images labeled with a class of the classifier."""
    unknown_classes: list[str]
    """Labels that the classifier does not have."""
    n_used_in_training: int | None
    """Of the images with a class of the classifier, those used in training, other planes of them, and duplicates of
    them; null if the images must be read again to count them."""
    pixel_side_um: float | None
    """Side in µm to which pixels can be rescaled, as in training; null if unknown."""


def outlook(workspace: Workspace, run_id: str, dataset_id: str) -> EvaluationOutlook:
    """Return the images that an evaluation of a training on a dataset would use.

    Raises:
        NotFound, Conflict: the training or the dataset does not exist or is not ready.
    """
    run = evaluable_run(workspace, run_id)
    with workspace.engine.connect() as connection:
        dataset = refuse_unread(connection, dataset_id)
        n_of = _labels(connection, dataset_id)
        n_used_in_training = _count_used_in_training(connection, dataset, run)
    labels = _known_labels(run)
    unknown = [label for label in n_of if labels is not None and label not in labels]
    n_labeled = sum(n_of.values())
    n_known = n_labeled - sum(n_of[label] for label in unknown)
    size = None if run.card is None else run.card.trained_on.pixel_size_um
    pixel_side_um = None if size is None else pixel_side(size)
    return EvaluationOutlook(n_labeled, n_known, unknown, n_used_in_training, pixel_side_um)


def queue_evaluation(
    workspace: Workspace, run_id: str, *, dataset_id: str, name: str | None = None, rescale: bool = False
) -> str:
    """Queue an evaluation of a training with the current labels; return its ID.

    Raises:
        NotFound, Conflict: the training or the dataset does not exist or is not ready.
        BadDataset: no image has a label.
        CoverslipError: images are to be rescaled, and the pixel size of the training images is unknown.
    """
    run = evaluable_run(workspace, run_id)
    if rescale and run.card is not None:
        run.card.trained_on.rescaling()
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
    source = training_images(workspace, dataset_id, states_pixels=_has_other_pixels(dataset, run))
    crop_size = None if run.recipe.crop_size else table_choices(dataset).crop_size
    crops = [] if crop_size is None else [f"--crop-size={crop_size}"]
    job_id, keys = secrets.token_hex(5), write_keys(workspace, source.row_of)
    run.evaluations_folder.mkdir(exist_ok=True)
    with write_transaction(workspace.engine) as connection:  # no other evaluation takes the folder meanwhile
        folder = workspace.owned(_unused_folder(connection, run, name or dataset.name))
        add_job_in(
            connection,
            id=job_id,
            kind=EVALUATION.name,
            name=name or dataset.name,
            dataset_id=dataset_id,
            dataset_name=dataset.name,
            classifier_id=run_id,
            folder=str(folder),
            command=[
                "-m",
                "coverslip",
                "evaluate",
                *source.group_options,
                *crops,
                *(["--rescale"] if rescale else []),
                f"--name={folder.name}",
                "--",
                str(run.folder),
                *source.sources,
            ],
            choices={"sources": source.sources},
            image_keys=keys,
        )
    return job_id


def _unused_folder(connection: Connection, run: Run, name: str) -> Path:
    """Return the folder of a new evaluation, named as it is; with a number if there is or was one of this name."""
    from coverslip.experiments.evaluating import valid_name

    parent = run.evaluations_folder
    folders = connection.execute(select(tables.jobs.c.folder).where(tables.jobs.c.kind == EVALUATION.name)).scalars()
    of_jobs = [folder for folder in map(Path, folders) if folder.parent == parent]
    used = {folder.name.casefold() for folder in (*of_jobs, *parent.glob("*"))}
    valid = valid_name(name)
    names = (valid, *(f"{valid}_{k}" for k in range(2, len(used) + 2)))
    return parent / next(each for each in names if each.casefold() not in used)


def _has_other_pixels(dataset: AnyRow, run: Run) -> bool:
    """Return whether other pixels of the files were chosen for a dataset than the run was trained on."""
    if dataset.pixel_choice is None or run.card is None:
        return False
    trained, plan = run.card.preprocessing.plan, plan_of_dataset(dataset)
    if plan.channels is None:  # none were chosen: the table states none, so that those of the training are read
        plan = plan.model_copy(update={"channels": trained.channels})
    return any(getattr(plan, name) != getattr(trained, name) for name in PIXEL_KEYS)


def evaluable_run(workspace: Workspace, run_id: str) -> Run:
    """Return the run of a training; raise Conflict if it has no finished classifier."""
    run = find_job(workspace, run_id, "train").run
    if not (run.is_done and run.has_classifier):
        raise Conflict("training-not-finished")
    return run


def _labels(connection: Connection, dataset_id: str) -> dict[str, int]:
    """Count the images with each label."""
    is_labeled = (images.c.dataset_id == dataset_id) & images.c.label.is_not(None) & ~images.c.is_excluded
    counts = connection.execute(select(images.c.label, func.count()).where(is_labeled).group_by(images.c.label))
    return {str(label): int(n) for label, n in counts}


def _known_labels(run: Run) -> frozenset[str] | None:
    """Return the labels that are or become classes of the run; None if each domain has its own classes."""
    plan, card = run.recipe.classes, run.card
    if plan.by_domain or card is None:
        return None
    return frozenset({*card.classes, *(old for old, new in plan.new_names().items() if new in card.classes)})


def _count_used_in_training(connection: Connection, dataset: AnyRow, run: Run) -> int | None:
    hashes_by_plan = run.delivered_hashes.by_plan
    plan = plan_of_dataset(dataset)
    if set(hashes_by_plan) != {plan}:  # the workspace has read other pixels
        return None
    is_labeled = (images.c.dataset_id == dataset.id) & images.c.label.is_not(None) & ~images.c.is_excluded
    stated_keys = connection.execute(select(images.c.plan["stated"]).where(is_labeled).distinct()).scalars()
    if any(not set(PIXEL_KEYS).isdisjoint(keys or ()) for keys in stated_keys):  # the training may have read others
        return None
    rows = connection.execute(select(images.c.pixel_hash, images.c.label).where(is_labeled))
    labels = _known_labels(run)
    return sum((labels is None or label in labels) and pixel_hash in hashes_by_plan[plan] for pixel_hash, label in rows)
