"""Plan a study from a preset and datasets of the workspace, and put it into the queue."""

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
from coverslip.workspace.recipes.checking import recipe_of_dataset
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import AnyRow


@dataclass(frozen=True, slots=True)
class StudyPreset:
    """A publication's study that can be done on one's own images."""

    name: str
    title: str
    citation: Annotated[str, Field(description="The publication.")]
    networks: list[str]
    folds: Annotated[int, Field(description="0: one split of each repeat.")]
    repeats: int


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """A training that a plan asks for."""

    name: str
    dataset: str
    model: str
    regime: str
    train_per_class: int | None
    repeat: Annotated[int, Field(description="1-based; each splits the images anew.")]
    seed: int
    is_pretraining: Annotated[bool, Field(description="Others start from it; it has no place among the results.")]


@dataclass(frozen=True, slots=True)
class StudyOutlook:
    """What a plan asks for."""

    trainings: list[PlannedTraining]
    folds: Annotated[int, Field(description="Of each training; 0: one split.")]
    without_weights: Annotated[list[str], Field(description="Networks whose pretrained weights are not here.")]
    notes: Annotated[list[str], Field(description="What is otherwise than in the publication.")]
    plan_text: Annotated[str, Field(description="`study.yaml`, as the command line takes it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyChoices:
    """A preset, and the datasets that it is done on."""

    preset: str
    dataset_ids: tuple[str, ...]
    is_small: bool = False
    as_published: bool = False
    plan_text: str | None = None  # what somebody made of the preset's plan


def list_presets() -> list[StudyPreset]:
    """Studies of publications."""
    return [
        StudyPreset(
            each.name, each.title, each.citation, [_name_of(model) for model in each.models], each.folds, each.repeats
        )
        for each in PRESETS.values()
    ]


def _name_of(model: str | dict[str, Any]) -> str:  # Any: as `study.yaml` has a network
    return model if isinstance(model, str) else str(model["name"])


def outlook(workspace: Workspace, choices: StudyChoices) -> StudyOutlook:
    """What a preset would do with these datasets.

    Raises:
        NotFound, Conflict: a dataset is not there, or not ready.
        BadDataset: no image of one has a label.
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
    """What is to be known of a training before it has begun."""
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
    """The plan of a preset on datasets of the workspace, with the labels of now; and whose images each path has.

    Raises:
        As `outlook` does.
    """
    with workspace.engine.connect() as connection:
        rows = [refuse_unready(connection, dataset_id) for dataset_id in choices.dataset_ids]
    given = [_planned_dataset(workspace, row, name) for row, name in zip(rows, _names_of(rows), strict=True)]
    dataset_of = {each["path"][0]: row.id for each, row in zip(given, rows, strict=True)}
    if choices.plan_text is None:
        plan = preset_plan(choices.preset, given, is_small=choices.is_small, as_published=choices.as_published)
        return plan, dataset_of
    plan = plan_from_text(choices.plan_text)
    _refuse_outside(workspace, plan, dataset_of)
    return plan, dataset_of


def _refuse_outside(workspace: Workspace, plan: StudyPlan, known: Container[str]) -> None:
    """What a plan reads must be the chosen datasets', whose images were looked at, or an earlier run that may be read.

    Raises:
        BadRecipe: it names something else.
    """
    cells = cells_of(plan, workspace.studies)
    starts = [cell.recipe.init for cell in cells]
    images = [path for cell in cells for path in cell.dataset.path]
    images += [start.train_on for start in starts if isinstance(start, Pretraining)]
    for path in images:
        if path not in known:
            raise BadRecipe("plan-of-other-images", path=path)
    own = {str(cell.run.folder) for cell in cells}
    for start in starts:
        if isinstance(start, FromRun) and start.run not in own:
            workspace.allowed(start.run)


def _names_of(rows: Sequence[AnyRow]) -> list[str]:
    """Their names, and a number where two are alike."""
    names = [row.name for row in rows]
    return [name if names.count(name) == 1 else f"{name} {i}" for i, name in enumerate(names, 1)]


def _planned_dataset(workspace: Workspace, row: AnyRow, name: str) -> dict[str, Any]:  # Any: as `study.yaml` has it
    images = training_images(workspace, row.id, in_one=True)
    own = recipe_of_dataset(workspace, row, {})
    recipe: dict[str, Any] = {} if own.classes == ClassPlan() else {"classes": own.classes.model_dump(mode="json")}
    if own.crop_size is not None:
        recipe["crop_size"] = own.crop_size
    return {
        "path": images.sources,
        "name": name,
        "group": images.grouped.column,
        "group_pattern": images.grouped.pattern,
        "recipe": recipe,
    }


def _lacks_weights(cell: Cell) -> bool:
    """Whether the training would fail for want of them."""
    if cell.recipe.init != "imagenet":
        return False
    try:
        return not has_weights(model_info(cell.recipe.model))
    except CoverslipError:  # a network of a package that is gone: the training says so
        return False


def queue_study(workspace: Workspace, choices: StudyChoices, *, name: str | None = None) -> str:
    """Put a study behind those that wait, with the labels of now; gives its id.

    The plan lies in its folder from now on: what is begun, and taken up again, is a study that is there.

    Raises:
        NotFound, Conflict: a dataset is not there, or not ready.
        BadDataset: no image of one has a label.
        BadRecipe: there is no such preset, or it does not fit these datasets.
    """
    plan, dataset_of = plan_of(workspace, choices)
    job_id, folder = new_job_folder(workspace.studies, name or choices.preset)
    cells_of(plan, folder)  # every recipe in it is checked before anything lies there
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
