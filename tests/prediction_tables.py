"""Tables of predictions as the process of a prediction in the app writes them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from coverslip.images.reader import ReadPlan
from coverslip.runs.prediction_tables import PredictionColumns, prediction_table
from coverslip.runs.predictions import CLASSIFIER_COLUMN, FILE_COLUMN, FIRST_COLUMN, PLAN_COLUMN, Prediction
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.lists import finder_in
from coverslip.workspace.store.rows import write_keys
from coverslip.workspace.store.workspace import Workspace


def write_predictions(
    folder: Path,
    classes: Sequence[str],
    rows: Iterable[tuple[Prediction, ReadPlan]],
    first_of: Mapping[int, int] = MappingProxyType({}),
    contents: Sequence[str] = (),
) -> None:
    """Write `predictions.csv` of a prediction.

    `first_of` has the first rows of images that are listed again, `contents` the hashes of the files of all images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    of_files = (FILE_COLUMN,) if contents else ()
    layout = PredictionColumns(tuple(classes), None, (PLAN_COLUMN, FIRST_COLUMN, *of_files, CLASSIFIER_COLUMN))
    with prediction_table(folder / "predictions.csv", layout, "csv", {}) as table:
        assert not list(table.saved_rows([]))
        for k, (row, plan) in enumerate(rows):
            first = str(first_of.get(k, ""))
            cells = {PLAN_COLUMN: plan.as_json(), FIRST_COLUMN: first, CLASSIFIER_COLUMN: "0"}
            table.write(row, cells | dict(zip(of_files, contents[k : k + 1], strict=True)))


def keys_by_path(
    workspace: Workspace, dataset_id: str | None, rows: Iterable[tuple[Prediction, ReadPlan]]
) -> str | None:
    """The keys of the images of a dataset under the IDs of these rows, which have absolute paths."""
    if dataset_id is None:
        return None
    with workspace.engine.connect() as connection:
        finder, row_ids = finder_in(connection, dataset_id)
    places = {row.image_id: finder.find(row.path, plan) for row, plan in rows}
    return write_keys(workspace, {image_id: row_ids[k] for image_id, k in places.items() if k is not None})


def written_prediction(
    workspace: Workspace,
    classes: Sequence[str],
    rows: Iterable[tuple[Prediction, ReadPlan]],
    job_id: str = "written",
    contents: Sequence[str] = (),
    **more: Any,  # as for `add_job`
) -> str:
    """The ID of a prediction, written instead of made, with these rows; `contents` as of `write_predictions`."""
    folder = workspace.predictions / job_id
    write_predictions(folder, classes, rows, contents=contents)
    choices = {"sources": [], "classes": list(classes), "classifier_name": "", "prevalence": {}}
    values = {"id": job_id, "kind": "predict", "name": "Written", "dataset_name": "", "folder": str(folder)}
    add_job(workspace, **values, command=[], choices=choices, state="ended", queued=None, **more)
    return job_id
