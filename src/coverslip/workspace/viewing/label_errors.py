"""What a training found of the labels, as its dataset is by now."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from coverslip.datasets import with_classes
from coverslip.errors import NotFound
from coverslip.runs import LabelErrors, Run
from coverslip.workspace.store.records import as_dataset, load_records
from coverslip.workspace.store.rows import confirmed_ids, dataset_row
from coverslip.workspace.store.run_images import ids_in_dataset, rows_in_dataset


@dataclass(frozen=True, slots=True)
class LabelErrorsNow:
    """Misclassified images of a training, by the ids that they have in its dataset now."""

    unchanged: LabelErrors  # of images that are still there, with the label that they had in the training
    left: LabelErrors  # of those the ones whose label nobody confirmed as right
    n_relabelled: int


def label_errors_now(connection: Connection, dataset_id: str, run: Run) -> LabelErrorsNow | None:
    """What is left of them; None where nobody looked for them. All are where there is no such dataset."""
    errors = run.label_errors
    if errors is None:
        return None
    with suppress(NotFound):
        dataset = dataset_row(connection, dataset_id)
        there = errors.renamed(ids_in_dataset(rows_in_dataset(connection, dataset_id, run)))
        labels = {image.image_id: image.label for image in there.images}
        records = load_records(connection, dataset_id, image_ids=labels)
        now = with_classes(as_dataset(dataset, records), run.recipe.classes).records if records else ()
        changed = {record.image_id for record in now if record.label != labels[record.image_id]}
        unchanged = there.without(changed)
        return LabelErrorsNow(unchanged, unchanged.without(confirmed_ids(connection, dataset_id)), len(changed))
    return LabelErrorsNow(errors, errors, 0)
