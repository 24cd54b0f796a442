"""Plan a study from a preset and datasets of the workspace, and queue it."""

from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field

from coverslip.datasets import ClassPlan
from coverslip.errors import BadRecipe, CoverslipError
from coverslip.models import has_weights, model_info
from coverslip.runs import FromRun, Pretraining
from coverslip.runs.recipe import as_yaml
from coverslip.studies import PRESETS, Cell, StudyPlan, cells_of, plan_from_text, preset_plan, save_plan
from coverslip.workspace.datasets.reading_images import refuse_unready
from coverslip.workspace.datasets.snapshots import training_images
from coverslip.workspace.jobs.records import add_job, new_job_folder
from coverslip.workspace.recipes import recipe_of_dataset
from coverslip.workspace.store.rows import AnyRow
from coverslip.workspace.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class StudyPreset:
    """A study of a publication that can be repeated with other images."""

    name: str
    title: str
    citation: Annotated[str, Field(description="The publication.")]
    networks: list[str]
    folds: Annotated[int, Field(description="0: one split for each repeat.")]
    repeats: int


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """A training of a plan."""

    name: str
    dataset: str
    model: str
    regime: str
    train_per_class: int | None
    repeat: Annotated[int, Field(description="From 1; each repeat has another split.")]
    seed: int
    is_pretraining: Annotated[
        bool, Field(description="Whether it is the pretraining of others; it is not part of the results.")
    ]


@dataclass(frozen=True, slots=True)
class StudyOutlook:
    """The trainings of a plan."""

    trainings: list[PlannedTraining]
    folds: Annotated[int, Field(description="Folds of each training; 0: one split.")]
    without_weights: Annotated[list[str], Field(description="Networks without available pretrained weights.")]
    notes: Annotated[list[str], Field(description="Differences from the publication.")]
    plan_text: Annotated[str, Field(description="`study.yaml` for the command line.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyChoices:
    """A preset and the datasets of a study."""

    preset: str
    dataset_ids: tuple[str, ...]
    is_small: bool = False
    as_published: bool = False
    plan_text: str | None = None  # an edited plan of the preset


def list_presets() -> list[StudyPreset]:
    """Return the presets."""
    return [
        StudyPreset(
            each.name, each.title, each.citation, [_name_of(model) for model in each.models], each.folds, each.repeats
        )
        for each in PRESETS.values()
    ]


def _name_of(model: str | dict[str, Any]) -> str:  # Any: a network in `study.yaml`
    return model if isinstance(model, str) else str(model["name"])


def outlook(workspace: Workspace, choices: StudyChoices) -> StudyOutlook:
    """Return the trainings of a preset with these datasets.

    Raises:
        NotFound, Conflict: a dataset does not exist or is not ready.
        BadDataset: a dataset has no labeled image.
        BadRecipe: there is no such preset, or it does not fit these datasets.
    """
    plan, _ = plan_of(workspace, choices)
    cells = cells_of(plan, workspace.studies)
    return StudyOutlook(
        trainings=[planned(cell) for cell in cells],
        folds=plan.folds,
        without_weights=sorted({cell.model for cell in cells if _lacks_weights(cell)}),
        notes=list(plan.notes),
        plan_text=as_yaml(plan.model_dump(mode="json", exclude_defaults=True)),
    )


def planned(cell: Cell) -> PlannedTraining:
    """Return the description of a training before its start."""
    return PlannedTraining(
        name=cell.name,
        dataset=cell.dataset.name,
        model=cell.model,
        regime=cell.regime,
        train_per_class=cell.train_per_class,
        repeat=cell.repeat,
        seed=cell.seed,
        is_pretraining=cell.is_pretraining,
    )


def plan_of(workspace: Workspace, choices: StudyChoices) -> tuple[StudyPlan, dict[str, str]]:
    """Return the plan of a preset on datasets with their current labels, and the dataset of each path.

    Raises:
        NotFound, Conflict, BadDataset, BadRecipe: as `outlook`.
    """
    with workspace.engine.connect() as connection:
        rows = [refuse_unready(connection, dataset_id) for dataset_id in choices.dataset_ids]
    datasets = [_planned_dataset(workspace, row, name) for row, name in zip(rows, _names_of(rows), strict=True)]
    dataset_of = {each["path"][0]: row.id for each, row in zip(datasets, rows, strict=True)}
    if choices.plan_text is None:
        plan = preset_plan(choices.preset, datasets, is_small=choices.is_small, as_published=choices.as_published)
        return plan, dataset_of
    plan = plan_from_text(choices.plan_text)
    _refuse_outside(workspace, plan, dataset_of)
    return plan, dataset_of


def _refuse_outside(workspace: Workspace, plan: StudyPlan, paths: Container[str]) -> None:
    """Check that a plan uses images of the chosen datasets and readable runs only.

    Raises:
        BadRecipe: it uses other images.
    """
    cells = cells_of(plan, workspace.studies)
    starts = [cell.recipe.init for cell in cells]
    images = [path for cell in cells for path in cell.dataset.path]
    images += [start.train_on for start in starts if isinstance(start, Pretraining)]
    for path in images:
        if path not in paths:
            raise BadRecipe("plan-of-other-images", path=path)
    run_folders = {str(cell.run.folder) for cell in cells}
    for start in starts:
        if isinstance(start, FromRun) and start.run not in run_folders:
            workspace.allowed(start.run)


def _names_of(rows: Sequence[AnyRow]) -> list[str]:
    """Return the names of datasets, with numbers if names are equal."""
    names = [row.name for row in rows]
    return [name if names.count(name) == 1 else f"{name} {i}" for i, name in enumerate(names, 1)]


def _planned_dataset(workspace: Workspace, row: AnyRow, name: str) -> dict[str, Any]:  # Any: a dataset in `study.yaml`
    images = training_images(workspace, row.id, in_one=True)
    full_recipe = recipe_of_dataset(workspace, row, {})
    recipe: dict[str, Any] = (
        {} if full_recipe.classes == ClassPlan() else {"classes": full_recipe.classes.model_dump(mode="json")}
    )
    if full_recipe.crop_size is not None:
        recipe["crop_size"] = full_recipe.crop_size
    return {
        "path": images.sources,
        "name": name,
        "group": images.grouped.column,
        "group_pattern": images.grouped.pattern,
        "recipe": recipe,
    }


def _lacks_weights(cell: Cell) -> bool:
    """Return whether the training would fail because its weights are missing."""
    if cell.recipe.init != "imagenet":
        return False
    try:
        return not has_weights(model_info(cell.recipe.model))
    except CoverslipError:  # the training reports networks of missing packages
        return False


def queue_study(workspace: Workspace, choices: StudyChoices, *, name: str | None = None) -> str:
    """Queue a study with the current labels; return its ID.

    Its folder contains the plan from now on, so that it can be resumed.

    Raises:
        NotFound, Conflict: a dataset does not exist or is not ready.
        BadDataset: a dataset has no labeled image.
        BadRecipe: there is no such preset, or it does not fit these datasets.
    """
    plan, dataset_of = plan_of(workspace, choices)
    job_id, folder = new_job_folder(workspace.studies, name or choices.preset)
    cells_of(plan, folder)  # checks every recipe before the folder is created
    folder.mkdir()
    save_plan(plan, folder / "study.yaml")
    add_job(
        workspace,
        id=job_id,
        kind="study",
        name=name or choices.preset,
        dataset_name=" · ".join(dict.fromkeys(dataset.name for dataset in plan.datasets)),
        folder=str(folder),
        command=["-m", "coverslip", "study", "resume", "--", str(folder)],
        choices={**asdict(choices), "dataset_of": dataset_of},
    )
    return job_id
