"""Predicted images whose class a person corrected or confirmed are added to a dataset, as a source of it."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, select

from coverslip.datasets import open_dataset, scan_images
from coverslip.errors import Conflict
from coverslip.images import ImageFacts
from coverslip.runs.lookup import ImageSource
from coverslip.workspace.correcting.leaving_out import leave_out
from coverslip.workspace.correcting.tables import LabelledImage, is_joined_table_of, joined_table_of, table_of
from coverslip.workspace.datasets import changing, grouping
from coverslip.workspace.datasets.labels import set_labels
from coverslip.workspace.datasets.listing import DatasetState, describe
from coverslip.workspace.datasets.reading_images import refuse_unready
from coverslip.workspace.datasets.sources import Source
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.predicted import every_row
from coverslip.workspace.predictions.relabelled import position_of
from coverslip.workspace.predictions.rows import Row
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import table_choices
from coverslip.workspace.store.rows import AnyRow, Json
from coverslip.workspace.store.tables import images, jobs


def join_dataset(workspace: Workspace, prediction_id: str, dataset_id: str) -> DatasetState:
    """Add those images of a prediction to a dataset whose class a person has corrected or confirmed.

    Their files stay where they are: a table of them becomes a source of the dataset, and removing that source removes
    them. A table that an earlier call added is replaced, so that the dataset follows the answers of now. Images whose
    file is in another source of the dataset are not added again: they get the label there, or are excluded. These
    changes stay if the source is removed. An image that an earlier call excluded is included if its answer is another
    one now. Images with the pixels of another image of the dataset are not added either.

    Raises:
        NotFound: there is no such prediction or dataset.
        Conflict: the dataset is not ready, or nobody corrected or confirmed the class of an image.
    """
    job = find_job(workspace, prediction_id, "predict")
    answered = [
        (row, picture)
        for row, picture in every_row(workspace, job)
        if row.correction is not None or row.excluded is not None
    ]
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
        earlier, other_sources = _divided_by(job, dataset.sources)
        places = {row.k: _place_in_others(connection, dataset, earlier, picture) for row, picture in answered}
        confirmed = [
            (row.image_id, picture, row.correction)
            for row, picture in answered
            if row.correction is not None and places[row.k] is None
        ]
        known = set(_hashes_of_others(connection, dataset, earlier))
        group_columns = _group_columns(workspace, connection, dataset)
    if not earlier and not any(row.correction is not None for row, _ in answered):
        raise Conflict(
            "Nobody has corrected or confirmed the class of an image yet",
            do="Correct or confirm the class of some images first.",
        )
    new = _unlike(known, confirmed, [str(table_of(workspace, job, confirmed))] if confirmed else [])
    sources = other_sources
    if new:
        domain = earlier[0]["domain"] if earlier else _free_domain(job.name, dataset)
        table = joined_table_of(workspace, job, new, table_choices(dataset).columns, group_columns)
        sources = [*other_sources, asdict(Source(str(table), domain))]
    if sources != dataset.sources:
        changing.change(workspace, dataset_id, {"sources": sources})
    _answer(workspace, job, dataset_id, [(row, picture) for row, picture in answered])
    return describe(workspace, dataset_id)


def _divided_by(job: Job, sources: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """The sources that earlier calls added for a prediction, and the others."""
    earlier = [source for source in sources if is_joined_table_of(job, source["path"])]
    return earlier, [source for source in sources if source not in earlier]


def _place_in_others(
    connection: Connection, dataset: AnyRow, earlier: Sequence[Json], picture: ImageSource
) -> int | None:
    """Where an image stands among those that the dataset has from other sources."""
    place = position_of(connection, dataset.id, picture)
    if place is None or not earlier:
        return place
    here = (images.c.dataset_id == dataset.id) & (images.c.position == place)
    domain = connection.execute(select(images.c.domain).where(here)).scalar_one()
    return None if domain in _domains_of(dataset, earlier) else place


def _hashes_of_others(connection: Connection, dataset: AnyRow, earlier: Sequence[Json]) -> Sequence[str | None]:
    others = (images.c.dataset_id == dataset.id) & images.c.domain.not_in(_domains_of(dataset, earlier))
    return connection.execute(select(images.c.pixel_hash).where(others)).scalars().all()


def _domains_of(dataset: AnyRow, sources: Sequence[Json]) -> set[str]:
    """The domains of sources, also of those whose domain was not named."""
    paths = {source["path"] for source in sources}
    return {origin["domain"] for origin in dataset.opened["origins"] if paths.intersection(origin["sources"])}


def _group_columns(workspace: Workspace, connection: Connection, dataset: AnyRow) -> list[str]:
    """The columns that the dataset, or a training on it, groups images by: a table without them could not be added."""
    trained = (jobs.c.dataset_id == dataset.id) & (jobs.c.kind == "train")
    chosen = connection.execute(select(jobs.c.choices).where(trained)).scalars()
    wanted = {dataset.group_column, *(choices.get("group") for choices in chosen)}
    return [column for column in grouping.columns(workspace, dataset.id) if column in wanted]


def _unlike(hashes: set[str | None], labelled: Sequence[LabelledImage], tables: Sequence[str]) -> list[LabelledImage]:
    """Those of the images whose pixels are not known, each picture once; what cannot be read is not added."""
    if not tables:
        return []
    scan = scan_images(open_dataset(tables))
    known, new = set(hashes), []
    for image, facts in zip(labelled, scan.facts, strict=True):
        if isinstance(facts, ImageFacts) and facts.pixel_hash not in known:
            known.add(facts.pixel_hash)
            new.append(image)
    return new


def _free_domain(name: str, dataset: AnyRow) -> str:
    """The prediction's name, numbered where the dataset has a domain of that name."""
    used = {origin["domain"] for origin in dataset.opened["origins"]} | {s["domain"] for s in dataset.sources}
    numbered = (name if n == 1 else f"{name} {n}" for n in range(1, len(used) + 2))
    return next(each for each in numbered if each not in used)


def _answer(workspace: Workspace, job: Job, dataset_id: str, answered: Sequence[tuple[Row, ImageSource]]) -> None:
    """Label and exclude images where they stand in the dataset by now, and include those that are not excluded now."""
    of_label: dict[str, list[int]] = {}
    excluded: list[int] = []
    by_job = (images.c.dataset_id == dataset_id) & (images.c.left_out_by == job.id)
    with workspace.engine.connect() as connection:
        for row, picture in answered:
            place = position_of(connection, dataset_id, picture)
            if place is not None and row.correction is not None:
                of_label.setdefault(row.correction, []).append(place)
            elif place is not None:
                excluded.append(place)
        excluded_before = connection.execute(select(images.c.position).where(by_job)).scalars().all()
    for label, places in of_label.items():
        set_labels(workspace, dataset_id, places, label, job_id=job.id)
    if excluded:
        leave_out(workspace, dataset_id, excluded, is_left_out=True, job_id=job.id)
    if included := sorted(set(excluded_before).difference(excluded)):
        leave_out(workspace, dataset_id, included, is_left_out=False, job_id=job.id)
