"""Predicted images that somebody looked through join a dataset, as one more domain of it."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select

from coverslip.datasets import open_dataset, scan_images
from coverslip.errors import Conflict
from coverslip.images import ImageFacts
from coverslip.workspace.datasets import changing
from coverslip.workspace.datasets.labels import set_labels
from coverslip.workspace.datasets.listing import DatasetState, describe
from coverslip.workspace.datasets.reading_images import refuse_unready
from coverslip.workspace.datasets.sources import Source
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.corrections import LabelledImage, table_of
from coverslip.workspace.predictions.predicted import every_row
from coverslip.workspace.predictions.relabelled import position_of
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import AnyRow
from coverslip.workspace.store.tables import images


def join_dataset(workspace: Workspace, prediction_id: str, dataset_id: str) -> DatasetState:
    """Add those images of a prediction to a dataset whose class somebody has confirmed or corrected.

    Their files stay where they are: a table of them becomes a source of the dataset, and leaving that source out again
    is the way back. Images whose file or pixels are in the dataset already do not come twice.

    Raises:
        NotFound: there is no such prediction or dataset.
        Conflict: the dataset is not ready, or no image would join it.
    """
    job = find_job(workspace, prediction_id, "predict")
    with workspace.engine.connect() as connection:
        row = refuse_unready(connection, dataset_id)
        confirmed = [
            (image.image_id, picture, image.correction)
            for image, picture in every_row(workspace, job)
            if image.correction is not None and position_of(connection, dataset_id, picture) is None
        ]
        of_dataset = images.c.dataset_id == dataset_id
        hashes = set(connection.execute(select(images.c.pixel_hash).where(of_dataset)).scalars())
    new = _unlike(hashes, confirmed, [str(table_of(workspace, job, confirmed))] if confirmed else [])
    if not new:
        raise Conflict(
            "None of these images would join the dataset",
            do="Correct or confirm the class of some that are not in it yet.",
        )
    table = table_of(workspace, job, new, group_column=row.group_column)
    sources = [*row.sources, asdict(Source(str(table), _free_domain(job.name, row)))]
    changing.change(workspace, dataset_id, {"sources": sources})
    if not row.is_labelled:  # what its tables say of labels is not read
        _label(workspace, dataset_id, new)
    return describe(workspace, dataset_id)


def _unlike(hashes: set[str | None], labelled: Sequence[LabelledImage], tables: Sequence[str]) -> list[LabelledImage]:
    """Those of the images whose pixels are not known, each picture once; what cannot be read does not join."""
    if not tables:
        return []
    scan = scan_images(open_dataset(tables))
    known, new = set(hashes), []
    for image, facts in zip(labelled, scan.facts, strict=True):
        if isinstance(facts, ImageFacts) and facts.pixel_hash not in known:
            known.add(facts.pixel_hash)
            new.append(image)
    return new


def _free_domain(name: str, row: AnyRow) -> str:
    """The prediction's name, numbered where images joined from it before."""
    used = {origin["domain"] for origin in row.opened["origins"]} | {source["domain"] for source in row.sources}
    numbered = (name if n == 1 else f"{name} {n}" for n in range(1, len(used) + 2))
    return next(each for each in numbered if each not in used)


def _label(workspace: Workspace, dataset_id: str, labelled: Sequence[LabelledImage]) -> None:
    of_label: dict[str, list[int]] = {}
    with workspace.engine.connect() as connection:
        for _, picture, label in labelled:
            position = position_of(connection, dataset_id, picture)
            if position is not None:
                of_label.setdefault(label, []).append(position)
    for label, positions in of_label.items():
        set_labels(workspace, dataset_id, positions, label)
