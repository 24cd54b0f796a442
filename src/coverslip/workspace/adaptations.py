"""Adaptations of trainings to the images of another laboratory: preview and queue."""

import base64
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.files import csv_text
from coverslip.images.preprocessing import MatchingPart
from coverslip.images.reader import Array
from coverslip.messages import text
from coverslip.processes import Json
from coverslip.runs.folder import Run
from coverslip.workspace.datasets.labels import TrainingInput, training_images
from coverslip.workspace.evaluations import evaluable_run
from coverslip.workspace.jobs.records import add_job, find_job, new_job_folder, unused_name
from coverslip.workspace.store.rows import AnyRow, refuse_unready, source_paths, table_choices
from coverslip.workspace.store.tables import jobs
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.results import adapted_from
from coverslip.workspace.workers import WorkerPool

_PICTURE_PX, _GAP_PX = 96, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationPreview(DocumentedFields):
    """How images of two laboratories would be matched if many of the new ones are unfamiliar."""

    zoom: tuple[float, float]
    """Factors by which training images and new images are enlarged."""
    has_fixed_stain: bool
    is_inverted: bool
    pictures: tuple[str, str, str]
    """PNGs as Base64, of some images side by side: of the training, new ones, and these as they are matched."""


def preview_adaptation(
    workspace: Workspace, pool: WorkerPool, run_id: str, dataset_id: str, parts: Collection[MatchingPart]
) -> AdaptationPreview:
    """Match images of a training and of a dataset, in a process of the pool.

    Raises:
        NotFound, Conflict: the training or the dataset does not exist or is not ready.
        CoverslipError: the adaptation would be refused.
    """
    run = evaluable_run(workspace, _first_run(workspace, run_id))
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
    choices, labels = table_choices(dataset), _labels(workspace, dataset)
    preview = pool.call(
        matched_pictures,
        run=str(run.folder),
        sources=source_paths(dataset),
        columns=dict(choices.columns),
        labels=None if labels is None else labels.sources[0],
        crop_size=_crop_size(dataset, run),
        parts=list(parts),
    )
    if preview is None:
        raise CoverslipError("preview-ended-silently")
    return AdaptationPreview(**preview)


def matched_pictures(
    *,
    run: str,
    sources: Sequence[str],
    columns: dict[str, str],
    labels: str | None,
    crop_size: int | str | None,
    parts: Sequence[str],
) -> Json:
    """Return the fields of a preview.

    Raises:
        CoverslipError: the adaptation would be refused.
    """
    from coverslip.datasets.index.opening import open_dataset
    from coverslip.experiments.adapting import preview_matching

    data = open_dataset(list(sources), labeled=False, distinct=True, columns=columns, crop_size=crop_size)
    labeled = None if labels is None else open_dataset(labels, crop_size=crop_size)
    preview = preview_matching(run, data, labeled, parts=parts)
    return {
        "zoom": (preview.at_home.zoom, preview.there.zoom),
        "has_fixed_stain": preview.there.has_fixed_stain,
        "is_inverted": preview.there.is_inverted,
        "pictures": [_side_by_side(pixels) for pixels in preview.pictures],
    }


def _side_by_side(pixels: Array) -> str:
    """Return a PNG, as Base64, of (n, S, S, C) pixels; of further channels, the first is shown."""
    from PIL import Image

    step = _PICTURE_PX + _GAP_PX
    sheet = Image.new("RGBA", (len(pixels) * step - _GAP_PX, _PICTURE_PX))
    for k, each in enumerate(pixels):
        shown = (each if each.shape[2] == 3 else each[..., 0]) // (1 if each.dtype.itemsize == 1 else 256)
        sheet.paste(Image.fromarray(shown.astype("uint8")).resize((_PICTURE_PX, _PICTURE_PX)), (k * step, 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def queue_adaptation(
    workspace: Workspace,
    run_id: str,
    *,
    dataset_id: str,
    without: Collection[MatchingPart] = (),
    name: str | None = None,
) -> str:
    """Queue the adaptation of a training to the images of a dataset, with its current labels; return the new run's ID.

    The new run is a training: its images are those of the first one. Of a training that was itself adapted, the first
    one is adapted.

    Raises:
        NotFound, Conflict: the training or the dataset does not exist or is not ready.
        Conflict: files are not those that were labeled any more.
    """
    from coverslip.experiments.adapting import adapted_recipe

    run_id = _first_run(workspace, run_id)
    parent, run = find_job(workspace, run_id, "train"), evaluable_run(workspace, run_id)
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
    choices, table = table_choices(dataset), _labels(workspace, dataset)
    labels = [] if table is None else [f"--labels={table.sources[0]}", *table.group_options]
    pairs = [f"{role}={column}" for role, column in choices.columns.items()]
    columns = [f"--columns={csv_text([pairs]).strip()}"] if pairs else []
    size = _crop_size(dataset, run)
    name = name or unused_name(workspace, "train", text("adapted-name", name=parent.name, dataset=dataset.name))
    job_id, folder = new_job_folder(workspace, workspace.runs, name)
    sources = [str(run.folder), *source_paths(dataset)]
    add_job(
        workspace,
        id=job_id,
        kind="train",
        name=name,
        dataset_id=parent.dataset_id,
        dataset_name=parent.dataset_name,
        folder=str(folder),
        command=[
            "-m",
            "coverslip",
            "adapt",
            *labels,
            *columns,
            *([] if size is None else [f"--crop-size={size}"]),
            *(f"--without={part}" for part in without),
            f"--out={folder}",
            "--",
            *sources,
        ],
        choices=adapted_recipe(run, run.recipe.match).model_dump(mode="json"),
        image_keys=parent.image_keys,
    )
    return job_id


def _labels(workspace: Workspace, dataset: AnyRow) -> TrainingInput | None:
    """Return the current labels of a dataset, and which images are excluded; None if there are neither."""
    if not (dataset.summary["n_labeled"] or dataset.summary["n_excluded"]):
        return None
    return training_images(workspace, dataset.id, in_one=True, needs_labels=False)


def _first_run(workspace: Workspace, run_id: str) -> str:
    """Return the ID of the training that was adapted; of the training itself if it was not, or that one is not here."""
    job = find_job(workspace, run_id, "train")
    if not (adapted := adapted_from(job)):
        return run_id
    first, *_ = adapted
    with workspace.engine.connect() as connection:
        is_first = (jobs.c.folder == first) & (jobs.c.state != "removed")
        return connection.execute(select(jobs.c.id).where(is_first)).scalar() or run_id


def _crop_size(dataset: AnyRow, run: Run) -> int | str | None:
    """Return the size of crops of a dataset, unless the training states its own."""
    return None if run.recipe.crop_size else table_choices(dataset).crop_size
