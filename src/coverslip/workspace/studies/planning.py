"""Plan a study on datasets of the workspace, estimate its time, and queue it."""

import itertools
import json
import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from coverslip.cache.stores import Kind, RecordStore
from coverslip.datasets.index.classes import ClassPlan
from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import BadRecipe, CoverslipError, NotFound, UnknownModel, require_extra
from coverslip.events import Emit
from coverslip.files import sha256_json
from coverslip.messages import text
from coverslip.models import has_weights, model_info
from coverslip.runs.recipe import FromRun, Pretraining, Recipe
from coverslip.runs.recipe_keys import Values, as_yaml, values_given
from coverslip.runs.training import budget_seconds
from coverslip.studies.cells import Cell, cells_of
from coverslip.studies.plan import StudyPlan, plan_from_text, plan_of, save_plan, with_choices
from coverslip.studies.presets import (
    PRESETS,
    SMALL_PER_CLASS,
    arm_names,
    model_name,
    notes_of_plan,
    preset_plan,
    preset_recipe,
)
from coverslip.studies.published import PublishedResult, main_result, publication_of
from coverslip.workspace.datasets.labels import training_images
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.records import add_job, new_job_folder, register_function
from coverslip.workspace.recipes import recipe_of_dataset
from coverslip.workspace.store.rows import (
    AnyRow,
    Json,
    dataset_row,
    has_predefined_split,
    keys_of_dataset,
    refuse_unready,
)
from coverslip.workspace.store.workspace import Workspace

PlannedDataset = dict[str, Any]  # Any: a dataset in `study.yaml`


@dataclass(frozen=True, slots=True)
class StudyNetwork(DocumentedFields):
    """A network of a study."""

    name: str
    """Its name in the study."""
    model: str
    """The name of the network in `GET /models`."""
    has_weights: bool
    """Whether its initial weights are on this computer."""
    is_own: bool
    """Whether it is proposed by the publication, or its baseline."""


@dataclass(frozen=True, slots=True)
class StudyArm:
    """A recipe and protocol that a study can compare."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class StudyPreset(DocumentedFields):
    """A study of a publication that can be repeated with other images."""

    name: str
    title: str
    publication: str
    """The short title of the publication."""
    citation: str
    """The publication."""
    published: PublishedResult | None
    """Its first result."""
    networks: list[StudyNetwork]
    small_networks: list[StudyNetwork]
    """The networks at the small size."""
    initial_weights: list[str]
    """The names of the initial weights that it compares."""
    folds: int
    """0: one split for each repeat."""
    repeats: int
    small_per_class: int
    """Most training images of each class at the small size."""
    arms: list[StudyArm]
    """Empty: it is not the study of a publication."""
    recipe: Values | None
    """Its recipe for a single training: values of dotted keys. Null: it has two steps, so that a single training needs
    another dataset, too."""


@dataclass(frozen=True, slots=True)
class PlannedTraining(DocumentedFields):
    """A training of a plan."""

    name: str
    dataset: str
    """With the name of the arm, if the study has several."""
    plan_dataset: str
    """The same dataset in all arms."""
    arm: str
    """Empty: the study has no arms."""
    model: str
    regime: str
    train_per_class: int | None
    """Training images per class; null: all."""
    repeat: int
    """From 1; each repeat has another split."""
    seed: int
    is_pretraining: bool
    """Whether it is the pretraining of others; it is not part of the results."""


@dataclass(frozen=True, slots=True)
class StudyOutlook(DocumentedFields):
    """The trainings of a plan."""

    trainings: list[PlannedTraining]
    folds: int
    """Folds of each training; 0: one split."""
    without_weights: list[str]
    """Networks without available pretrained weights."""
    notes: list[str]
    """Differences from the publication."""
    plan_text: str
    """`study.yaml` for the command line."""


# The same ID or name twice would train twice.
Distinct = Annotated[tuple[str, ...], AfterValidator(lambda names: tuple(dict.fromkeys(names)))]


class StudyChoices(DocumentedModel, frozen=True, extra="forbid"):
    """A publication's study, or a comparison of chosen networks, on datasets of the workspace."""

    preset: str | None = Field(default=None, max_length=60, examples=["aimic"])
    """See `GET /study-presets`. Null: the chosen networks with the default recipe and five folds."""
    dataset_ids: Distinct = Field(min_length=1, max_length=100)
    """Labeled datasets, in the order in which they are shown."""
    networks: Distinct = Field(default=(), max_length=200)
    """Networks of the preset, which keep their recipes, or names of `GET /models`. Empty: those of the preset with
    `is_own`, or all with `all_tables`."""
    initial_weights: Distinct = Field(default=(), max_length=20)
    """`imagenet`, `scratch`, `frozen` (ImageNet, only the last layer is trained), or initial weights of the preset.
    Empty: those of the preset, unless there are `pretraining_ids`."""
    pretraining_ids: Distinct = Field(default=(), max_length=20)
    """Other labeled datasets. For each, networks that are pretrained on it are compared, too."""
    is_small: bool = False
    """A quick demonstration: networks whose weights come with the installation, few small images, two epochs."""
    arms: Distinct = Field(default=(), max_length=20)
    """Recipes and protocols of the preset, which are compared on every dataset. Empty: A, B and C."""
    all_tables: bool = False
    """Train everything that the tables of the publication need."""
    plan: str | None = Field(default=None, max_length=2**20)
    """`study.yaml` of a preview, with changes; it can use the images of these datasets only. Null: the plan of the
    other choices."""

    @model_validator(mode="after")
    def _preset_has_its_options(self) -> Self:
        if self.preset is None and (self.is_small or self.arms or self.all_tables):
            raise ValueError(text("options-without-preset"))
        return self


def list_presets() -> list[StudyPreset]:
    """Return the presets."""
    lacks_weights = cache(_lacks_weights)  # presets have networks in common, and each search reads the disk
    return [
        StudyPreset(
            name=each.name,
            title=each.title,
            publication=publication_of(each.name).publication,
            citation=each.citation,
            published=main_result(publication_of(each.name), each.primary_metric),
            networks=[_network(model, each.own_models, lacks_weights) for model in each.models],
            small_networks=[
                _network(model, each.small_own_models or each.own_models, lacks_weights) for model in each.small_models
            ],
            initial_weights=[model_name(regime) for regime in each.regimes],
            folds=each.folds,
            repeats=each.repeats,
            small_per_class=SMALL_PER_CLASS,
            arms=[StudyArm(name, text("study-arm", arm=name)) for name in arm_names(each)],
            recipe=None if each.has_two_steps else _values(preset_recipe(each.name)),
        )
        for each in PRESETS.values()
    ]


def _network(
    model: str | dict[str, Any],  # Any: a network in `study.yaml`
    own_models: Sequence[str],
    lacks_weights: Callable[[str], bool],
) -> StudyNetwork:
    name = model_name(model)
    recipe = Recipe.model_validate({"model": name, **({} if isinstance(model, str) else model["recipe"])})
    return StudyNetwork(
        name,
        recipe.model,
        has_weights=recipe.init != "imagenet" or not lacks_weights(recipe.model),
        is_own=name in own_models,
    )


def _values(recipe: Recipe) -> Values:
    return values_given(recipe, recipe.model_dump(mode="json", exclude_unset=True))


def outlook(workspace: Workspace, choices: StudyChoices) -> StudyOutlook:
    """Return the trainings of a study with these choices.

    Raises:
        NotFound, Conflict: a dataset does not exist or is not ready.
        BadDataset: a dataset has no labeled image.
        BadRecipe: there is no such preset, network or initialization, or it does not fit these datasets.
    """
    plan, _ = chosen_plan(workspace, choices)
    cells = cells_of(plan, workspace.studies)
    return StudyOutlook(
        trainings=[planned(cell) for cell in cells],
        folds=plan.folds,
        without_weights=sorted(
            {cell.model for cell in cells if cell.recipe.init == "imagenet" and _lacks_weights(cell.recipe.model)}
        ),
        notes=[*map(str, notes_of_plan(plan, cells))],
        plan_text=as_yaml(plan.model_dump(mode="json", exclude_defaults=True)),
    )


def planned(cell: Cell) -> PlannedTraining:
    """Return the description of a training before its start."""
    return PlannedTraining(
        name=cell.name,
        dataset=cell.dataset.name,
        plan_dataset=cell.dataset.plan_name,
        arm=cell.dataset.arm,
        model=cell.model,
        regime=cell.regime,
        train_per_class=cell.train_per_class,
        repeat=cell.repeat,
        seed=cell.seed,
        is_pretraining=cell.is_pretraining,
    )


def chosen_plan(workspace: Workspace, choices: StudyChoices) -> tuple[StudyPlan, dict[str, str]]:
    """Return the plan on datasets with their current labels, and the dataset of each path.

    Raises:
        NotFound, Conflict, BadDataset, BadRecipe: as `outlook`.
    """
    with workspace.engine.connect() as connection:
        rows = [refuse_unready(connection, dataset_id) for dataset_id in choices.dataset_ids]
        first_rows = [refuse_unready(connection, dataset_id) for dataset_id in choices.pretraining_ids]
        with_split = {row.id for row in rows if has_predefined_split(connection, row.id)}
    if set(choices.pretraining_ids) & set(choices.dataset_ids):
        raise BadRecipe("pretraining-on-compared-dataset")
    all_rows = [*rows, *first_rows]
    all_datasets = [_planned_dataset(workspace, *each) for each in zip(all_rows, _names_of(all_rows), strict=True)]
    datasets, first_datasets = all_datasets[: len(rows)], all_datasets[len(rows) :]
    dataset_of = {each["path"][0]: row.id for each, row in zip(all_datasets, all_rows, strict=True)}
    if choices.plan is not None:
        plan = plan_from_text(choices.plan)
        _refuse_outside(workspace, plan, dataset_of)
    else:
        initial = _initial_plan(choices, datasets)
        plan = with_choices(
            initial,
            models=choices.networks,
            regimes=[name for choice in choices.initial_weights for name in _regimes_of(initial, choice)],
            more_regimes=[_pretraining_on(each, is_small=choices.is_small) for each in first_datasets],
        )
    for each in plan.datasets:
        if plan.folds and any(dataset_of.get(path) in with_split for path in each.sources):
            raise BadRecipe("study-folds-of-split", name=each.name)
    return plan, dataset_of


def _regimes_of(plan: StudyPlan, choice: str) -> list[str]:
    """Return the chosen initialization. With three datasets or more, `two-step` is a pretraining on each of them."""
    first_steps = [regime.name for regime in plan.regimes if regime.two_step]
    return first_steps if choice == "two-step" and first_steps else [choice]


def _initial_plan(choices: StudyChoices, datasets: Sequence[PlannedDataset]) -> StudyPlan:
    """Return the plan of the preset; without one, a plan with coverslip's own recipe."""
    if choices.preset is None:
        return plan_of({"datasets": datasets, "models": [Recipe().model]})
    plan, all_tables = (
        preset_plan(choices.preset, datasets, arms=choices.arms, all_tables=all_tables, is_small=choices.is_small)
        for all_tables in (choices.all_tables, True)
    )
    return plan.model_copy(update={"models": all_tables.models}) if choices.networks else plan


def _pretraining_on(dataset: PlannedDataset, *, is_small: bool) -> Json:
    """Return the initialization by pretraining on a dataset. With an instant classifier, it would have no effect."""
    recipe = {**dataset["recipe"], "group": dataset["group"] or dataset["group_pattern"], "stage_selection": "finetune"}
    if is_small:
        recipe["split"] = {"train_per_class": SMALL_PER_CLASS}
    return {"name": text("pretraining-on", dataset=dataset["name"]), "two_step": dataset["path"][0], "recipe": recipe}


def _refuse_outside(workspace: Workspace, plan: StudyPlan, paths: Container[str]) -> None:
    """Check that a plan uses images of the chosen datasets and readable runs only.

    Raises:
        BadRecipe: it uses other images.
    """
    cells = cells_of(plan, workspace.studies)
    starts = [cell.recipe.init for cell in cells]
    images = [path for cell in cells for path in cell.dataset.sources]
    images += [start.train_on for start in starts if isinstance(start, Pretraining)]
    for path in images:
        if path not in paths:
            raise BadRecipe("plan-of-other-images", path=path)
    run_folders = {str(cell.run.folder) for cell in cells}
    for start in starts:
        if isinstance(start, FromRun) and start.run not in run_folders:
            workspace.allowed(start.run)


def _names_of(rows: Sequence[AnyRow]) -> list[str]:
    """Return a distinct name for each dataset, with a number if names are equal."""
    names, unique = [row.name for row in rows], list[str]()
    for name in names:
        numbered = (f"{name} {i}" for i in itertools.count(1))
        unique.append(name if names.count(name) == 1 else next(each for each in numbered if each not in names + unique))
    return unique


def _planned_dataset(workspace: Workspace, row: AnyRow, name: str) -> PlannedDataset:
    images = training_images(workspace, row.id, in_one=True)
    full_recipe = recipe_of_dataset(workspace, row, {})
    recipe: dict[str, Any] = (
        {} if full_recipe.classes == ClassPlan() else {"classes": full_recipe.classes.model_dump(mode="json")}
    )
    if full_recipe.crop_size is not None:
        recipe["crop_size"] = full_recipe.crop_size
    if images_choice := full_recipe.images.model_dump(mode="json", exclude_defaults=True):
        recipe["images"] = images_choice
    return {
        "path": images.sources,
        "name": name,
        "group": images.grouped.column,
        "group_pattern": images.grouped.pattern,
        "recipe": recipe,
    }


def _lacks_weights(model: str) -> bool:
    """Return whether a training with pretrained weights would fail because these are missing."""
    try:
        return not has_weights(model_info(model))
    except UnknownModel:
        raise
    except CoverslipError:  # the training reports networks of missing packages
        return False


def queue_study(
    workspace: Workspace, choices: StudyChoices, *, name: str | None = None, budget: str | None = None
) -> str:
    """Queue a study with the current labels; return its ID.

    Its folder contains the plan from now on, so that it can be resumed.

    Args:
        workspace: the workspace of the study.
        choices: of its datasets, networks and initial weights.
        name: its name; by default that of the preset.
        budget: the time limit of each start. Trainings that would not end in time are left for later.

    Raises:
        NotFound, Conflict: a dataset does not exist or is not ready.
        BadDataset: a dataset has no labeled image.
        BadRecipe: as `outlook`, or the budget is no length of time.
        ExtraNotInstalled: a training needs PyTorch, which is not installed.
    """
    from coverslip.experiments.preparation import needs_pytorch

    seconds = None if budget is None else math.ceil(budget_seconds(budget))
    plan, dataset_of = chosen_plan(workspace, choices)
    name = name or (text("own-study") if choices.preset is None else publication_of(choices.preset).publication)
    limit = [f"--budget={seconds}s"] if seconds else []
    job_id, folder = new_job_folder(workspace, workspace.studies, name)
    cells = cells_of(plan, folder)  # checks every recipe before the folder is created
    if any(needs_pytorch(cell.recipe) for cell in cells):
        require_extra("train")
    folder.mkdir()
    save_plan(plan, folder / "study.yaml")
    add_job(
        workspace,
        id=job_id,
        kind="study",
        name=name,
        dataset_name=" · ".join(dict.fromkeys(dataset.name for dataset in plan.datasets)),
        folder=str(folder),
        command=[
            "-m",
            "coverslip",
            "study",
            "resume",
            *limit,
            "--",
            str(folder),
        ],
        choices={
            **choices.model_dump(exclude={"plan"}),  # the folder contains it
            "is_small": choices.is_small and choices.plan is None,  # an edited plan can have any size
            "dataset_ids": [*choices.dataset_ids, *choices.pretraining_ids],  # they are all read
            "dataset_of": dataset_of,
            "keys_of": {path: keys_of_dataset(workspace, dataset_id) for path, dataset_id in dataset_of.items()},
            "budget_seconds": seconds,
        },
    )
    return job_id


# The expected time.

STUDY_TIME = register_function("study-time", "coverslip.workspace.studies.planning:time_study")
_TIMES = Kind("app-study-times", bound_bytes=10**7)
_STORE = "times"


@dataclass(frozen=True, slots=True)
class TrainingTime(DocumentedFields):
    """The expected time of a training of a study."""

    name: str
    seconds: float | None
    """Null if its images or weights are not available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTime(ResultState):
    """The expected time of a study on this computer, and the progress of the measurement."""

    kind: Literal["study-time"]
    seconds: float | None
    """Sum of the known times of all trainings; null until they are measured."""
    n_unknown: int
    """Number of trainings whose time is not known."""
    trainings: list[TrainingTime]
    """The trainings; empty until their times are measured."""


def start_study_time(workspace: Workspace, choices: StudyChoices) -> StudyTime:
    """Start the measurement for a study with these choices, unless it is done or running; return its state.

    Each network is built and timed for a few steps. Nothing is trained.

    Raises:
        NotFound, Conflict: a dataset does not exist or is not ready.
        BadDataset: a dataset has no labeled image.
        BadRecipe: the choices are not valid.
    """
    plan, dataset_of = chosen_plan(workspace, choices)
    cells_of(plan, workspace.studies)  # checks every recipe
    with workspace.engine.connect() as connection:
        rows = [dataset_row(connection, dataset_id) for dataset_id in sorted(set(dataset_of.values()))]
    content = plan.model_dump(mode="json")
    key = sha256_json([content, [[row.id, row.revision] for row in rows]])
    if _stored_times(key) is None:
        request_result(
            workspace,
            STUDY_TIME,
            key,
            {"plan": content, "folder": str(workspace.studies), "key": key},
            name=" · ".join(row.name for row in rows),
        )
    return study_time(workspace, key)


def study_time(workspace: Workspace, time_id: str) -> StudyTime:
    """Return the expected time of a study by the ID of its measurement.

    Raises:
        NotFound: there is no such measurement.
    """
    work, seconds = computation(workspace, STUDY_TIME, time_id), _stored_times(time_id)
    if work.id is None and seconds is None:
        raise NotFound("no-such-study-time")
    durations = [each for each in (seconds or {}).values() if each is not None]
    return StudyTime(
        **work.of_result("not-requested" if seconds is None else "ready"),
        seconds=None if seconds is None else sum(durations),
        n_unknown=len(seconds or {}) - len(durations),
        trainings=[TrainingTime(name, each) for name, each in (seconds or {}).items()],
    )


def _stored_times(key: str) -> dict[str, float | None] | None:
    with RecordStore(_TIMES, _STORE) as store:
        stored = store.find([key]).get(key)
    return None if stored is None else json.loads(stored)


def time_study(_: Workspace, arguments: Json, emit: Emit) -> None:
    """Measure and store the expected seconds of each training of a plan by name; null if it cannot be timed."""
    from coverslip.studies.timing import cell_seconds

    plan = plan_of(arguments["plan"])
    seconds = dict(cell_seconds(cells_of(plan, Path(arguments["folder"])), emit))
    with RecordStore(_TIMES, _STORE) as store:
        store.keep({arguments["key"]: json.dumps(seconds).encode()})
