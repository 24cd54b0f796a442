"""The trainings of a study: name, recipe and run folder."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip.datasets import NO_GROUPS
from coverslip.errors import BadRecipe
from coverslip.files import sha256_json
from coverslip.runs import FromRun, Pretraining, Recipe, Run, check_recipe, pretraining_recipe
from coverslip.studies.plan import (
    READING_KEYS,
    Changes,
    ModelPlan,
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
    for layer in ({"split": split, **_groups(dataset)}, *layers, _initialization(regime)):
        changes = merged_changes(changes, layer)
    if dataset.ignores_groups:
        changes["group"] = None if dataset.parts else NO_GROUPS  # the table of merged images states no groups
    recipe = _checked(changes, where)
    name = slug(
        dataset.name, model.name, *([regime.name] if len(plan.regimes) > 1 else []),
        *([f"n{train_per_class}"] if train_per_class else []), f"r{repeat}", f"s{seed}",
    )  # fmt: skip
    cell = Cell(dataset, model.name, regime.name, train_per_class, repeat, seed, recipe, Run(folder / "cells" / name))
    if not isinstance(recipe.init, Pretraining):
        yield cell
        return
    images = TrainedDataset(path=(recipe.init.train_on,), name=regime.name, plan_name=regime.name)
    first = pretraining_recipe(recipe.model_copy(update={"split": recipe.split.model_copy(update={"seed": None})}))
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


def _groups(dataset: TrainedDataset) -> Changes:
    return {"group": dataset.group} if dataset.group else {}


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
