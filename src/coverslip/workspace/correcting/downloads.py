"""The table of a prediction with the answers of users, for downloads."""

from collections.abc import Iterator
from itertools import chain, islice

from coverslip.runs import ANSWER_COLUMNS, CLASSIFIER_COLUMN, TEXT_FORMATS, Format, PredictionColumns
from coverslip.workspace.lists.rows import as_prediction, images_of_job
from coverslip.workspace.predictions.classifiers import INPUT_FILE, PredictionInput
from coverslip.workspace.store.workspace import Workspace

_ROWS_AT_ONCE = 500
_AFTER = 6  # `decision` and the columns before it


def table_of(
    workspace: Workspace,
    prediction_id: str,
    format_: Format = "csv",
    *,
    top_k: int | None = None,
) -> Iterator[str]:
    """Yield the table of a prediction in pieces. If there are answers of users, their columns follow `decision`.

    Args:
        workspace: the workspace of the prediction.
        prediction_id: the prediction.
        format_: `csv` or `jsonl`.
        top_k: number of most probable classes in place of the probability of each class.

    Raises:
        NotFound: there is no such prediction.
        CoverslipError: there are fewer classes.
    """
    listed = images_of_job(workspace, prediction_id, "predict")
    begun = PredictionInput.read_if_there(listed.job.folder / INPUT_FILE)
    identity = {} if begun is None else {CLASSIFIER_COLUMN: begun.identity}
    layout = PredictionColumns(tuple(listed.classes), top_k, (*listed.columns, *identity))
    record, has_answers = TEXT_FORMATS[format_].record, bool(listed.counts().n_corrected)
    columns = [*layout.columns]
    columns[_AFTER:_AFTER] = ANSWER_COLUMNS if has_answers else ()

    def records() -> Iterator[str]:
        yield record(columns, None)
        for row, _ in listed.every_row():
            values = layout.values(as_prediction(row), {**row.cells, **identity})
            values[_AFTER:_AFTER] = (row.correction, row.excluded, row.corrected_by) if has_answers else ()
            yield record(columns, values)

    def pieces() -> Iterator[str]:
        remaining = records()
        for first in remaining:
            yield "".join(chain([first], islice(remaining, _ROWS_AT_ONCE - 1)))

    return pieces()
