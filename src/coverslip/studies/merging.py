"""Merged datasets: several datasets as one. Each is a domain with its own groups, classes and reading of images.

Their table in the study's folder lists the images as each part reads and labels them.
"""

from collections.abc import Iterable
from dataclasses import replace

from coverslip.datasets import Dataset, ImageRecord, merge_datasets, open_dataset
from coverslip.experiments.preparation import apply_recipe
from coverslip.images import PLAN_COLUMNS, ReadPlan
from coverslip.runs import check_recipe, write_image_table
from coverslip.studies.cells import Cell
from coverslip.studies.plan import PartPlan
from coverslip.studies.running import state_of


def open_images(cell: Cell) -> Dataset:
    """Open the images of a training as it opens them, before its recipe applies."""
    if cell.dataset.parts:
        return merge_datasets([_open_part(part) for part in cell.dataset.parts])
    return open_dataset(list(cell.sources), group_pattern=cell.dataset.group_pattern)


def write_merged_tables(cells: Iterable[Cell]) -> None:
    """Write the table of each merged dataset that still has trainings, with the current labels of its parts.

    Raises:
        BadDataset, BadRecipe: a part cannot be opened, or two parts give an image different labels.
    """
    unfinished = (cell for cell in cells if state_of(cell).state != "done")
    for table, cell in {cell.merged_table: cell for cell in unfinished}.items():
        if table is not None:
            write_image_table(open_images(cell), table)


def _open_part(part: PartPlan) -> Dataset:
    """Open a dataset whose records state its groups, classes, planes and crops."""
    recipe = check_recipe({**part.recipe, **({"group": part.group} if part.group else {})})
    data = open_dataset(list(part.path), group_pattern=part.group_pattern, crop_size=recipe.crop_size)
    data, _ = apply_recipe(data, recipe)
    return replace(data, records=tuple(_as_stated(record) for record in data.records if data.has_class(record)))


def _as_stated(record: ImageRecord) -> ImageRecord:
    """Return a record that keeps its plan if it is opened from a table. A crop in pixels becomes its region."""
    plan, default = record.plan, ReadPlan()
    stated = {name for name in PLAN_COLUMNS if getattr(plan, name) != getattr(default, name)}
    if plan.other_files:
        stated.add("other_files")
    if plan.region is not None and not (plan.has_physical_size or isinstance(plan.crop_margin, str)):
        region = plan.crop((0, 0), None)
        changes = {"region": region, "crop_size": None, "crop_margin": 0.0}
        return replace(record, plan=plan.model_copy(update=changes), stated=frozenset({*stated, "region"}))
    return replace(record, plan=plan, stated=record.stated | stated)
