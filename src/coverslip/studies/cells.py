"""The trainings of a study: their names, recipes, run folders, images and states."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from coverslip.datasets.index.opening import NO_GROUPS, merge_datasets, open_dataset
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.errors import BadRecipe, CoverslipError, error_text
from coverslip.experiments.preparation import apply_recipe
from coverslip.experiments.presets import apply_preset
from coverslip.files import sha256_json
from coverslip.images.reader import PLAN_COLUMNS, ReadPlan
from coverslip.runs.folder import Run, is_run
from coverslip.runs.images import write_image_table
from coverslip.runs.recipe import FromRun, Pretraining, Recipe
from coverslip.runs.recipe_keys import check_recipe, pretraining_recipe
from coverslip.runtime.programs import recorded_failure
from coverslip.studies.plan import (
    READING_KEYS,
    Changes,
    ModelPlan,
    PartPlan,
    RegimePlan,
    StudyPlan,
    TrainedDataset,
    merged_changes,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One training. A pretraining is not part of the table of results."""

    dataset: TrainedDataset  # its images
    model: str
    regime: str
    train_per_class: int | None
    repeat: int  # 1-based
    seed: int
    recipe: Recipe
    run: Run
    starts_from: Run | None = None  # a pretraining of this study
    is_pretraining: bool = False

    @property
    def merged_table(self) -> Path | None:
        """The table of a merged dataset in the study's folder; None: the dataset is not merged."""
        folder = self.run.folder.parents[1] / "datasets"
        return folder / f"{slug(self.dataset.name)}.csv" if self.dataset.parts else None

    @property
    def sources(self) -> tuple[str, ...]:
        """The folders or tables that the training opens."""
        return self.dataset.path or (str(self.merged_table),)

    @property
    def label(self) -> str:
        """Return a readable description."""
        return f"{self.dataset.name}, {self.model}, {self.regime}"

    @property
    def name(self) -> str:
        return self.run.folder.name


def cells_of(plan: StudyPlan, folder: Path) -> list[Cell]:
    """Return all trainings of a study, pretrainings before the trainings that start from them.

    The order is by repeat and seed. If a study ends early, all variants have nearly the same number of trainings.

    Args:
        plan: of the study.
        folder: of the study.

    Raises:
        BadRecipe: a combined recipe is not valid; the error names dataset, network and regime. Or two trainings would
            have the same folder name.
    """
    cells: dict[Path, Cell] = {}
    for repeat in range(1, plan.repeats + 1):
        for seed in plan.seeds:
            for cell in _of_one_repeat(plan, folder, repeat, seed):
                same = cells.setdefault(cell.run.folder, cell)
                if same is not cell and not cell.is_pretraining:
                    raise BadRecipe("study-name-collision", first=same.label, second=cell.label, folder=cell.name)
    return list(cells.values())


def _of_one_repeat(plan: StudyPlan, folder: Path, repeat: int, seed: int) -> Iterator[Cell]:
    for n in plan.train_per_class:
        for dataset in plan.trained_datasets:
            for model in plan.models:
                if dataset.models and model.name not in dataset.models:
                    continue
                for regime in plan.regimes:
                    if regime.two_step in dataset.sources:  # a dataset is no pretraining for itself
                        continue
                    yield from _cell(plan, folder, dataset, model, regime, n, repeat, seed)


def _cell(
    plan: StudyPlan,
    folder: Path,
    dataset: TrainedDataset,
    model: ModelPlan,
    regime: RegimePlan,
    train_per_class: int | None,
    repeat: int,
    seed: int,
) -> Iterator[Cell]:
    """Yield the training, preceded by its pretraining if there is one."""
    where = f"{dataset.name}, {plan.variant_name(model.name, regime.name)}"
    folds: Changes = {"by_domain": True} if dataset.by_domain else {"folds": plan.folds}
    split: Changes = {**folds, "seed": repeat - 1, "train_per_class": train_per_class}
    changes: Changes = {
        "seed": seed,
        "model": model.name,
        "primary_metric": plan.primary_metric,
        "refit_all": False,  # a study compares the tested classifiers
    }
    common = merged_changes(plan.recipe, dataset.recipe)
    if dataset.parts:
        dataset, common = _with_reading(common, dataset, where)
    layers = (common, model.recipe, {} if regime.two_step else regime.recipe)
    group: Changes = {"group": dataset.group} if dataset.group else {}
    for layer in ({"split": split, **group}, *layers, _initialization(regime)):
        changes = merged_changes(changes, layer)
    if dataset.ignores_groups:
        changes["group"] = None if dataset.parts else NO_GROUPS  # the table of merged images states no groups
    recipe = apply_preset(_checked(changes, where), plan.preset)
    name = slug(
        dataset.name, model.name, *([regime.name] if len(plan.regimes) > 1 else []),
        *([f"n{train_per_class}"] if train_per_class else []), f"r{repeat}", f"s{seed}",
    )  # fmt: skip
    cell = Cell(dataset, model.name, regime.name, train_per_class, repeat, seed, recipe, Run(folder / "cells" / name))
    if not isinstance(recipe.init, Pretraining):
        yield cell
        return
    images = TrainedDataset(path=(recipe.init.train_on,), name=regime.name, plan_name=regime.name)
    init = recipe.init
    if dataset.ignores_groups:
        init = init.model_copy(update={"recipe": {**init.recipe, "group": NO_GROUPS}})
    with_any_seed = {"init": init, "split": recipe.split.model_copy(update={"seed": None})}
    first = pretraining_recipe(recipe.model_copy(update=with_any_seed))
    same = sha256_json([recipe.init.train_on, first.model_dump(mode="json")])[:8]  # datasets may differ in image size
    before = Run(folder / "pretraining" / slug(regime.name, model.name, f"s{seed}", same))
    yield replace(cell, dataset=images, recipe=first, run=before, is_pretraining=True)
    start = FromRun(run=str(before.folder), labels=recipe.init.labels)
    yield replace(cell, recipe=recipe.model_copy(update={"init": start}), starts_from=before)


def _with_reading(common: Changes, dataset: TrainedDataset, where: str) -> tuple[TrainedDataset, Changes]:
    """Return a merged dataset whose parts have all their keys of reading, and the keys that apply to all images.

    A length in µm becomes pixels when an image is read, so that all parts must have the same.

    Args:
        common: keys of all parts, unless they have others.
        dataset: as planned.
        where: description of the training, for the error.

    Raises:
        BadRecipe: parts have different crops, some of them in µm.
    """
    reading = {key: common[key] for key in READING_KEYS if key in common}
    recipes = [merged_changes(reading, part.recipe) for part in dataset.parts]
    if dataset.ignores_groups:
        recipes = [{**recipe, "group": NO_GROUPS} for recipe in recipes]
    parts = [part.model_copy(update={"recipe": recipe}) for part, recipe in zip(dataset.parts, recipes, strict=True)]
    of_all: Changes = {key: value for key, value in common.items() if key not in READING_KEYS}
    crops = [{key: recipe[key] for key in ("crop_size", "crop_margin") if recipe.get(key)} for recipe in recipes]
    if any(isinstance(length, str) for crop in crops for length in crop.values()):
        if any(crop != crops[0] for crop in crops):
            raise BadRecipe("merged-crops-differ", training=where)
        of_all |= crops[0]
    if order := dict.fromkeys(name for recipe in recipes for name in recipe.get("classes", {}).get("order", ())):
        of_all["classes"] = {"order": list(order)}
    return dataset.model_copy(update={"parts": tuple(parts)}), of_all


def _initialization(regime: RegimePlan) -> Changes:
    if regime.two_step:
        return {"init": {"train_on": regime.two_step, "recipe": regime.recipe, "labels": regime.labels}}
    return {"init": {"run": regime.run, "labels": regime.labels}} if regime.run else {}


def _checked(changes: Changes, where: str) -> Recipe:
    try:
        return check_recipe(changes)
    except BadRecipe as error:
        raise BadRecipe("study-training-error", cause=error, training=where, faults=error.faults) from error


def slug(*parts: str) -> str:
    """Return a folder name that is valid on every operating system."""
    return "_".join(re.sub(r"[^\w.+-]+", "-", part).strip("-.") for part in parts)[:150]


def start_failure(folder: Path) -> str | None:
    """Return why a training failed without a last status; None if it did not fail, or was stopped."""
    failure = recorded_failure(folder)
    return None if failure is None or failure.kind == "stopped" else error_text(failure)


CellWord = Literal["done", "failed", "running", "stopped", "not begun"]


@dataclass(frozen=True, slots=True)
class CellState:
    """The state of a training."""

    state: CellWord
    error: str | None = None


def state_of(cell: Cell) -> CellState:
    """Return the state of a training from its run folder, or from its failure file if there is no run folder."""
    try:
        status = cell.run.status
    except CoverslipError as error:  # it cannot be resumed, and must not hide the others
        return CellState("failed", error_text(error.failure))
    if status is not None and status.state == "done":
        return CellState("done")
    if status is not None and status.state == "failed":
        return CellState("failed", status.reason if status.failure is None else error_text(status.failure))
    if status is not None and status.is_alive:
        return CellState("running")
    if (reason := start_failure(cell.run.folder)) is not None:
        return CellState("failed", reason)
    return CellState("not begun" if status is None else "stopped")


def finished(cells: Iterable[Cell]) -> list[Cell]:
    """Return the trainings that are done, without pretrainings."""
    return [cell for cell in cells if not cell.is_pretraining and state_of(cell).state == "done"]


def expected_recipe(run: Run, planned: Recipe, group_pattern: str | None) -> Recipe:
    """Return a planned recipe with the values that the computer and the images of a run decide, as its recipe has them.

    On the node of a cluster, the initial run has another path. The group pattern is an option outside the recipe,
    batches are reduced if memory is insufficient, and images decide a number of folds that the recipe leaves open.

    Args:
        run: with a recipe.
        planned: the recipe of the plan.
        group_pattern: of the dataset.
    """
    expected: dict[str, object] = {"batch_size": min(run.recipe.batch_size, planned.batch_size)}
    if isinstance(planned.init, FromRun) and isinstance(run.recipe.init, FromRun):
        names = (Path(planned.init.run).name, node_start(run.folder).name)
        if Path(run.recipe.init.run).name in names:
            expected["init"] = planned.init.model_copy(update={"run": run.recipe.init.run})
    if group_pattern:
        expected["group"] = group_pattern
    split = planned.split
    if split.folds is None:
        split = split.model_copy(update={"folds": run.recipe.split.folds})
    if split.run is not None:
        split = split.model_copy(update={"run": str(Path(split.run).absolute())})
    expected["split"] = split
    return planned.model_copy(update=expected)


def node_start(folder: Path) -> Path:
    """Return the folder of the initial run of a training on the node of a cluster."""
    return folder.with_name(f"{folder.name}.start")


def as_trained(cell: Cell) -> Cell:
    """Return the training with the recipe of its run, if that can be read and differs from the recipe of the plan."""
    if not is_run(cell.run.folder):
        return cell
    try:
        recipe = cell.run.recipe
    except CoverslipError:  # what needs the recipe reports it
        return cell
    expected = expected_recipe(cell.run, cell.recipe, cell.dataset.group_pattern)
    return cell if recipe == expected else replace(cell, recipe=recipe)


# Merged datasets: several datasets as one. Each is a domain with its own groups, classes and reading of images.
#
# Their table in the study's folder lists the images as each part reads and labels them.


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
    plan, default = crop_as_region(record.plan), ReadPlan()
    stated = {name for name in PLAN_COLUMNS if getattr(plan, name) != getattr(default, name)}
    if plan.other_files:
        stated.add("other_files")
    if plan is not record.plan:
        return replace(record, plan=plan, stated=frozenset({*stated, "region"}))
    return replace(record, plan=plan, stated=record.stated | stated)


def crop_as_region(plan: ReadPlan) -> ReadPlan:
    """Return a plan whose region is the crop in pixels; the same plan if there is no region or a length in µm."""
    if plan.region is None or plan.has_physical_size or isinstance(plan.crop_margin, str):
        return plan
    return plan.model_copy(update={"region": plan.crop((0, 0), None), "crop_size": None, "crop_margin": 0.0})
