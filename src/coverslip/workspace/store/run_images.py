"""The images of a training in its dataset as that is by now."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from coverslip.runs import Run, SplitRow
from coverslip.runs.lookup import file_of_each
from coverslip.workspace.store.tables import images


def rows_in_dataset(connection: Connection, dataset_id: str, run: Run) -> dict[str, SplitRow]:
    """The row of the split of each image that a training had, by the id that the image has in the dataset now.

    Ids change where a dataset gets or loses a source, so images are found by their files; by their ids only where
    there is no image of that file any more, since its folder was moved.
    """
    of_dataset = select(images.c.image_id, images.c.path).where(images.c.dataset_id == dataset_id)
    there = [(image_id, path) for image_id, path in connection.execute(of_dataset).all()]
    n_of_file = Counter(file for _, file in there)
    rows_of = _rows_by_file(run)
    moved = {row.image_id: row for file, rows in rows_of.items() if file not in n_of_file for row in rows}
    found = {}
    for image_id, file in there:
        of_file = rows_of.get(file)
        row = moved.get(image_id) if of_file is None else _row_of(image_id, of_file, is_only=n_of_file[file] == 1)
        if row is not None:
            found[image_id] = row
    return found


def ids_in_dataset(rows: Mapping[str, SplitRow]) -> dict[str, str]:
    """The ids that images have in a dataset now, by those that they had in the training."""
    return {row.image_id: image_id for image_id, row in rows.items()}


def _rows_by_file(run: Run) -> dict[str, list[SplitRow]]:
    files, rows = file_of_each(run), defaultdict[str, list[SplitRow]](list)
    for row in run.split:
        rows[files[row.image_id]].append(row)
    return rows


def _row_of(image_id: str, of_file: Sequence[SplitRow], *, is_only: bool) -> SplitRow | None:
    """The row of an image among those of its file; where there are several, the name of a source may differ."""
    if is_only and len(of_file) == 1:
        return of_file[0]
    same = (row for row in of_file if _is_same(image_id, row.image_id) or _is_same(row.image_id, image_id))
    return next(same, None)


def _is_same(image_id: str, without_source: str) -> bool:
    return f"/{image_id}".endswith(f"/{without_source}")
