"""Submit evaluations, and preview them."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, func, select

from coverslip.images import ReadPlan
from coverslip.runs import Run, training_hashes
from coverslip.workspace.datasets.reading_images import refuse_unread, refuse_unready
from coverslip.workspace.datasets.snapshots import training_images
from coverslip.workspace.jobs.records import add_job, find_job, new_job_folder, training_not_finished
from coverslip.workspace.store.records import table_choices
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class EvaluationOutlook:
    """The images that an evaluation on a dataset would use."""

    n_labeled: int
    n_known: Annotated[int, Field(description="Images labeled with a class of the classifier.")]
    unknown_classes: list[str]
    n_used_in_training: Annotated[
        int | None,
        Field(
            description="Images used in training, and duplicates of them; null if the images must be read again to "
            "count them."
        ),
    ]


def outlook(workspace: Workspace, run_id: str, dataset_id: str) -> EvaluationOutlook:
    """Return the images that an evaluation of a training on a dataset would use.

    Raises:
        NotFound, Conflict: the training or the dataset does not exist or is not ready.
    """
    run = _evaluable(workspace, run_id)
    with workspace.engine.connect() as connection:
        refuse_unread(connection, dataset_id)
        n_of = _labels(connection, dataset_id)
        n_used_in_training = _count_seen(connection, dataset_id, run)
    labels = _known_labels(run)
    unknown = [label for label in n_of if labels is not None and label not in labels]
    n_labeled = sum(n_of.values())
    return EvaluationOutlook(n_labeled, n_labeled - sum(n_of[label] for label in unknown), unknown, n_used_in_training)


def queue_evaluation(workspace: Workspace, run_id: str, *, dataset_id: str, name: str | None = None) -> str:
    """Queue an evaluation of a training with the current labels; return its ID.

    Raises:
        NotFound, Conflict: the training or the dataset does not exist or is not ready.
        BadDataset: no image has a label.
    """
    run = _evaluable(workspace, run_id)
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
    source = training_images(workspace, dataset_id)
    crop_size = None if run.recipe.crop_size else table_choices(dataset).crop_size
    crops = [] if crop_size is None else [f"--crop-size={crop_size}"]
    job_id, folder = new_job_folder(run.evaluation("").folder, name or dataset.name)
    add_job(
        workspace,
        id=job_id,
        kind="evaluate",
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
            f"--name={folder.name}",
            "--",
            str(run.folder),
            *source.sources,
        ],
        choices={"sources": source.sources},
    )
    return job_id


def _evaluable(workspace: Workspace, run_id: str) -> Run:
    """Return the run of a training; raise Conflict if it has no finished classifier."""
    run = find_job(workspace, run_id, "train").run
    if not (run.is_done and run.has_classifier):
        raise training_not_finished()
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


def _count_seen(connection: Connection, dataset_id: str, run: Run) -> int | None:
    of_training = training_hashes(run.seen).by_plan
    if set(of_training) != {ReadPlan()}:  # the workspace read whole images: other planes have other pixels
        return None
    is_labeled = (images.c.dataset_id == dataset_id) & images.c.label.is_not(None) & ~images.c.is_excluded
    hashes = connection.execute(select(images.c.pixel_hash).where(is_labeled)).scalars()
    return sum(pixel_hash in of_training[ReadPlan()] for pixel_hash in hashes)
