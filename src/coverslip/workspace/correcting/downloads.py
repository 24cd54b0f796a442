"""The table of a prediction with the answers of users, for downloads."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat

from coverslip.runs import CLASSIFIER_COLUMN, TEXT_FORMATS, Format, Layout
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.classifiers import INPUT_FILE, PredictionInput
from coverslip.workspace.predictions.rows import as_prediction, authors_of, every_row
from coverslip.workspace.predictions.table_cells import ANSWER_COLUMNS, cells_by_row, check_columns, columns_of
from coverslip.workspace.store.workspace import Workspace

_ROWS_AT_ONCE = 500
_AFTER = 6  # `decision` and the columns before it


def table_of(
    workspace: Workspace,
    prediction_id: str,
    format_: Format = "csv",
    *,
    top_k: int | None = None,
    keep: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the table of a prediction in pieces. If there are answers of users, their columns follow `decision`.

    Args:
        workspace: the workspace of the prediction.
        prediction_id: the prediction.
        format_: `csv` or `jsonl`.
        top_k: number of most probable classes in place of the probability of each class.
        keep: columns of the tables that name the images, besides `field`, `object_id` and `sample`.

    Raises:
        NotFound: there is no such prediction.
        CoverslipError: there are fewer classes, or there is no such column.
    """
    from coverslip.inference.predicting import OBJECT_COLUMNS

    job = find_job(workspace, prediction_id, "predict")
    check_columns(job.folder, keep)
    columns_of_table = columns_of(job.folder)
    keep = [*(name for name in OBJECT_COLUMNS if name in columns_of_table), *keep]
    begun = PredictionInput.read_if_there(job.folder / INPUT_FILE)
    identity = {} if begun is None else {CLASSIFIER_COLUMN: begun.identity}
    layout = Layout(tuple(map(str, job.choices["classes"])), top_k, tuple(dict.fromkeys([*keep, *identity])))
    authors, record = authors_of(workspace, prediction_id), TEXT_FORMATS[format_].record
    columns = [*layout.columns]
    columns[_AFTER:_AFTER] = ANSWER_COLUMNS if authors else ()

    def records() -> Iterator[str]:
        yield record(columns, None)
        cells_of_rows = cells_by_row(job.folder) if keep else repeat({})
        for (row, _), cells in zip(every_row(workspace, job), cells_of_rows, strict=False):  # it may still run
            values = layout.values(as_prediction(row), {**cells, **identity})
            values[_AFTER:_AFTER] = (row.correction, row.excluded, authors.get(row.row_id)) if authors else ()
            yield record(columns, values)

    def pieces() -> Iterator[str]:
        remaining = records()
        for first in remaining:
            yield "".join(chain([first], islice(remaining, _ROWS_AT_ONCE - 1)))

    return pieces()
