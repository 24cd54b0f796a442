"""The split of an earlier run, for a training that shall be compared with it: a test image stays a test image."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from coverslip.datasets import SIDES, Dataset, ImageRecord
from coverslip.errors import BadRun, CoverslipError
from coverslip.images import ReadPlan, middle_of
from coverslip.runs.folder import Run, open_run
from coverslip.runs.images.provenance import images_of
from coverslip.runs.recipe import Recipe
from coverslip.runs.split import SplitRow

_Pixels = tuple[str, ReadPlan, tuple[int, int] | None]  # a file, which of its pixels a table states, and its point


def keeping_split(data: Dataset, recipe: Recipe) -> Dataset:
    """The images, each in the part that it took in the run that the recipe's `split.run` names, if it names one.

    Images that were excluded then, or were added since, have no set: they join the training set, or the set of their
    group or of an equal image.

    Raises:
        BadRun: there is no such run, it has folds or no split yet, or none of these images were in it.
    """
    if recipe.split.run is None:
        return data
    run = open_run(Path(recipe.split.run))
    rows = _rows_of_one_split(run)
    by_pixels, not_there = _found_again(run, rows)
    parts = [_row_of(record, by_pixels) or not_there.get(record.image_id) for record in data.records]
    if not any(parts):
        raise BadRun("no-image-of-split-run", file=run.folder)
    records = [
        replace(record, predefined_split=row.split if row is not None and row.split in SIDES else None)
        for record, row in zip(data.records, parts, strict=True)
    ]
    return replace(data, records=tuple(records))


def earlier_test_labels(run: Run, earlier: Run) -> dict[str, str]:
    """What test images of a run were labeled as test images of the run whose split it keeps.

    Images are found again as `keeping_split` finds them: one that another folder was added to has other ids now.

    Returns:
        By the ids of `run`; without images that were no test images then.
    """
    by_pixels, not_there = _found_again(earlier, {row.image_id: row for row in earlier.split})
    here: dict[str, ImageRecord] = {}
    with suppress(CoverslipError):
        here = {record.image_id: record for record in images_of(run).records}
    labels = {}
    for row in run.split:
        record = here.get(row.image_id)
        before = (_row_of(record, by_pixels) if record is not None else None) or not_there.get(row.image_id)
        if before is not None and before.split == row.split == "test":
            labels[row.image_id] = before.label
    return labels


def _rows_of_one_split(run: Run) -> dict[str, SplitRow]:
    rows = {row.image_id: row for row in run.split}
    if not rows:
        raise BadRun("run-without-split", file=run.folder)
    if any(row.fold for row in rows.values()):
        raise BadRun("split-run-has-folds", file=run.folder)
    return rows


def _found_again(run: Run, rows: dict[str, SplitRow]) -> tuple[dict[_Pixels, SplitRow], dict[str, SplitRow]]:
    """Rows by their pixels, and by their id those whose file is not where it was: its folder may have been moved."""
    records: tuple[ImageRecord, ...] = ()
    with suppress(CoverslipError):
        records = tuple(record for record in images_of(run).records if record.is_there)
    there = {record.image_id for record in records}
    by_pixels: dict[_Pixels, SplitRow] = {}
    for record in records:
        for pixels in _pixels_of(record) if record.image_id in rows else ():
            by_pixels.setdefault(pixels, rows[record.image_id])
    return by_pixels, {image_id: row for image_id, row in rows.items() if image_id not in there}


def _row_of(record: ImageRecord, by_pixels: Mapping[_Pixels, SplitRow]) -> SplitRow | None:
    return next((by_pixels[pixels] for pixels in _pixels_of(record) if pixels in by_pixels), None)


def _pixels_of(record: ImageRecord) -> list[_Pixels]:
    """Return the keys that identify an image, also if a recipe reads another plane or channels of it; best first.

    A crop is also known by its center. Tables state the same crops as points, or as boxes beside other boxes.
    """
    values = {name: getattr(record.plan, name) for name in record.stated - {"point"}}
    pixels: list[_Pixels] = [] if "point" in record.stated else [(str(record.path), ReadPlan(**values), None)]
    if record.plan.box is not None and record.stated & {"point", "box"}:
        values.pop("box", None)
        pixels.append((str(record.path), ReadPlan(**values), middle_of(record.plan.box)))
    return pixels
