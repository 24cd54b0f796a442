"""The plan `study.yaml`: datasets, networks, initializations, splits, and how they are compared."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from coverslip.datasets.names import dataset_name
from coverslip.datasets.text_tables import is_table
from coverslip.errors import BadRecipe
from coverslip.evaluation.table import CLASS_METRICS, scored_metrics
from coverslip.experiments.presets import Preset
from coverslip.files import read_bytes, resolved_path, stated_paths, write_text
from coverslip.messages import text
from coverslip.runs.recipe import OneOf, RecipeSection
from coverslip.runs.recipe_keys import as_yaml, read_yaml, with_paths

PUBLISHED = Path(__file__).parent / "presets" / "published"  # a file of published values for each preset
_LARGEST_BYTES = 2**20
_SHORT_REGIMES: Mapping[str, dict[str, Any]] = {  # Any: values of recipe keys
    "scratch": {"init": "scratch"},
    "imagenet": {"init": "imagenet"},
    "frozen": {"init": "imagenet", "freeze_to": "backbone"},
}
Changes = dict[str, Any]  # Any: values of recipe keys, checked with the recipe of each cell


def _as_named(value: Any) -> Any:  # Any: a YAML value
    return {"name": value} if isinstance(value, str) else value


def _as_dataset(value: Any) -> Any:  # Any: a YAML value
    return {"path": value} if isinstance(value, str) else value


def _as_regime(value: Any) -> Any:  # Any: a YAML value
    if isinstance(value, str):
        if value not in _SHORT_REGIMES:
            raise ValueError(text("plan-unknown-regime", regimes=", ".join(_SHORT_REGIMES)))
        return {"name": value, "recipe": _SHORT_REGIMES[value]}
    if isinstance(value, dict) and "name" not in value:
        source = value.get("two_step") or value.get("run") or ""
        kind = "two-step" if "two_step" in value else "run"
        return {"name": f"{kind} {Path(str(source)).stem}", **value}
    return value


def _as_list(value: Any) -> Any:  # Any: a YAML value
    return [value] if isinstance(value, str) else value


# Recipe keys of how images are read and labeled. Each part of a merged dataset has its values.
READING_KEYS = ("group", "classes", "images", "channel_files", "crop_size", "crop_margin")


class PartPlan(RecipeSection):
    """A labeled dataset, or a part of a merged one. Several paths are one dataset with several domains."""

    path: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    name: str = ""
    group: str | None = None
    group_pattern: str | None = None
    recipe: Changes = Field(default_factory=dict)
    """Keys that differ from the recipe of the study."""

    @model_validator(mode="before")
    @classmethod
    def _name_from_path(cls, value: Any) -> Any:  # Any: a YAML value
        if isinstance(value, dict) and not value.get("name") and value.get("path"):
            paths = _as_list(value["path"])
            return {**value, "name": " + ".join(dataset_name(Path(str(path))) for path in paths)}
        return value

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the folders and tables of its images."""
        return self.path


class DatasetPlan(PartPlan):
    """A labeled dataset of a study."""

    parts: tuple[Annotated[PartPlan, BeforeValidator(_as_dataset)], ...] = ()
    """Datasets that are merged, in place of `path`. Each keeps its groups, its classes and its reading."""
    by_domain: bool = False
    """Leave one domain out, independent of `folds`."""
    models: tuple[str, ...] = ()
    """Networks that are trained on it; default: all."""

    @model_validator(mode="after")
    def _has_images(self) -> "DatasetPlan":
        if bool(self.path) == bool(self.parts) or not all(part.path for part in self.parts):
            raise ValueError(text("plan-path-or-parts"))
        own_keys = {key for part in self.parts for key in part.recipe}
        if self.parts and (self.group or self.group_pattern or own_keys.difference(READING_KEYS)):
            raise ValueError(text("plan-keys-of-parts", keys=", ".join(READING_KEYS)))
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the folders and tables of its images, or of its parts."""
        return self.path or tuple(source for part in self.parts for source in part.path)


class ArmPlan(RecipeSection):
    """A recipe and protocol with which all datasets are trained, in comparison with those of another arm."""

    name: str
    recipe: Changes = Field(default_factory=dict)
    ignores_groups: bool = False
    """Split by image: the groups of datasets are not used."""
    compared_with: str | None = None
    """The arm from which the difference is computed."""
    not_stated: tuple[str, ...] = ()
    """Recipe keys that the publication of the arm does not state; the report lists them."""


class TrainedDataset(DatasetPlan):
    """A dataset in an arm of the study."""

    plan_name: str  # of the dataset in the plan
    arm: str = ""  # empty: the study has no arms
    ignores_groups: bool = False


class ModelPlan(RecipeSection):
    """A network with its recipe keys. `name` is the name of the network unless the recipe sets `model`."""

    name: str
    recipe: Changes = Field(default_factory=dict)


class RegimePlan(RecipeSection):
    """An initialization, or another compared change of the recipe."""

    name: str
    recipe: Changes = Field(default_factory=dict)
    """Keys of the pretraining, with `two_step`."""
    two_step: str | None = None
    """Labeled images for pretraining, once per network and seed."""
    run: str | None = None
    """An earlier run whose network is trained further."""
    labels: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_initialization(self) -> "RegimePlan":
        if self.two_step and self.run:
            raise ValueError(text("plan-two-initializations"))
        return self


# Of one class; without a class, their averaging is not stated.
COUNTED_CLASS_METRICS = tuple(name for name, record in CLASS_METRICS.items() if record.macro is not None)


# Published values that are no metrics: millions of parameters and of operations as printed, seconds for one image and
# for 100 images and their ratio, a time that is stated without a unit, hours of a training, and MMD² between two
# datasets.
QUANTITIES = ("parameters", "flops", "seconds_one", "seconds_many", "time_ratio", "time", "training_hours", "mmd2")


def published_metrics() -> tuple[str, ...]:
    """Return the names of the metrics and quantities that published values may have."""
    return (*scored_metrics(), *COUNTED_CLASS_METRICS, *QUANTITIES)


class PublishedPlan(RecipeSection):
    """Published values on other images; they are reported without a test."""

    name: str
    variant: str = ""
    """The network of this study that it is shown beside."""
    dataset: str = ""
    beside: str = ""
    """Pattern of the names of datasets that it is shown beside."""
    class_name: str = ""
    images: Literal["training", "validation", "test", "merged"] = "test"
    """Test images, unless stated; `merged`: of the dataset, by the merged network."""
    metrics: dict[Annotated[str, OneOf("metric", published_metrics)], float | tuple[float, float]]
    """A value, or the ends of a range."""
    sd: dict[str, float] = Field(default_factory=dict)
    """Standard deviations, by metric."""
    is_difference: bool = False
    """Whether the values are differences from the baseline."""
    source: str = ""


def publications() -> tuple[str, ...]:
    """Return the publications whose values come with the package."""
    return tuple(sorted(file.stem for file in PUBLISHED.glob("*.json")))


_DEFAULT_REGIMES = (RegimePlan(name="imagenet", recipe=dict(_SHORT_REGIMES["imagenet"])),)


class StudyPlan(RecipeSection):
    """The plan of a study. Each dataset x network x initialization x size x repeat x seed is one training."""

    datasets: tuple[Annotated[DatasetPlan, BeforeValidator(_as_dataset)], ...] = Field(min_length=1)
    models: tuple[Annotated[ModelPlan, BeforeValidator(_as_named)], ...] = Field(min_length=1)
    regimes: tuple[Annotated[RegimePlan, BeforeValidator(_as_regime)], ...] = Field(
        default=_DEFAULT_REGIMES, min_length=1
    )
    arms: tuple[ArmPlan, ...] = ()
    """Recipes and protocols that are compared."""
    folds: int = Field(default=5, ge=0, le=100)
    """Folds of each repeat; 0: one split."""
    repeats: int = Field(default=1, ge=1, le=1000)
    """Number of different splits."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Seeds of training, on the same splits."""
    train_per_class: tuple[int | None, ...] = Field(default=(None,), min_length=1)
    recipe: Changes = Field(default_factory=dict)
    """Keys of all trainings, unless set elsewhere."""
    preset: Preset = "best"
    """How long each training takes: `first-look`, `good` or `best`."""
    primary_metric: Annotated[str, OneOf("metric", scored_metrics)] = "macro_f1"
    baseline: str | None = None
    """`MODEL`, `MODEL, REGIME`, or `REGIME` of each network; default: the first."""
    equivalence: float = Field(default=0.01, ge=0)
    """Largest difference without practical importance."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of each training; default: all cores, one training at a time."""
    published: tuple[Annotated[str, OneOf("publication", publications)] | PublishedPlan, ...] = ()
    """Names of publications with a preset, or values."""
    notes: tuple[str, ...] = ()
    """Notes that the report shows."""
    format_version: Literal[1] = 1

    @field_validator("datasets", "models", "regimes", "arms")
    @classmethod
    def _names_differ(cls, planned: tuple[Any, ...]) -> tuple[Any, ...]:  # Any: plans of any kind
        names = [each.name for each in planned]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(text("plan-repeated-names", names=", ".join(twice)))
        return planned

    @field_validator("seeds", "train_per_class")
    @classmethod
    def _values_differ(cls, values: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if len(set(values)) < len(values) or any(value is not None and value < 0 for value in values):
            raise ValueError(text("plan-invalid-numbers"))
        return values

    @model_validator(mode="after")
    def _baseline_exists(self) -> "StudyPlan":
        baselines = [*self.variant_names, *(regime.name for regime in self.regimes)]
        if self.baseline is not None and self.baseline not in baselines:
            variants = "; ".join(self.variant_names)
            raise ValueError(text("plan-unknown-baseline", baseline=self.baseline, variants=variants))
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> "StudyPlan":
        for kind, names, used in (
            (
                "network",
                {model.name for model in self.models},
                {name for each in self.datasets for name in each.models},
            ),
            ("arm", {arm.name for arm in self.arms}, {arm.compared_with for arm in self.arms} - {None}),
        ):
            if unknown := sorted(map(str, used - names)):
                raise ValueError(text("plan-unknown-name", kind=kind, names=", ".join(unknown)))
        return self

    @property
    def trained_datasets(self) -> tuple[TrainedDataset, ...]:
        """Return each dataset of the plan in each arm."""
        arms = self.arms or (ArmPlan(name=""),)
        return tuple(_in_arm(dataset, arm, is_single=len(arms) == 1) for dataset in self.datasets for arm in arms)

    @property
    def reference_datasets(self) -> tuple[TrainedDataset, ...]:
        """Return the datasets in the arms that others are compared with, if these keep groups together."""
        names = {arm.name for arm in self.arms if arm.compared_with is None and not arm.ignores_groups}
        return tuple(each for each in self.trained_datasets if not self.arms or each.arm in names)

    @property
    def variant_names(self) -> list[str]:
        """Return the names of the compared variants: each network with each initialization."""
        return [self.variant_name(model.name, regime.name) for model in self.models for regime in self.regimes]

    def variant_name(self, model: str, regime: str) -> str:
        """Return the name in tables: the name of the network alone if there is a single initialization."""
        return model if len(self.regimes) == 1 else f"{model}, {regime}"

    def baseline_of(self, model: str, regime: str) -> str:
        """Return the baseline of a variant. If the plan names a regime, it is the same network with that regime."""
        names = self.variant_names
        if self.baseline is None:
            return names[0]
        return self.baseline if self.baseline in names else self.variant_name(model, self.baseline)


def _in_arm(dataset: DatasetPlan, arm: ArmPlan, *, is_single: bool) -> TrainedDataset:
    values = dataset.model_dump()
    without_groups = {"group": None, "group_pattern": None} if arm.ignores_groups else {}
    values |= {
        **without_groups,
        "parts": [{**part, **without_groups} for part in values["parts"]],
        "name": dataset.name if is_single else f"{dataset.name}, {arm.name}",
        "recipe": merged_changes(dataset.recipe, arm.recipe),
        "plan_name": dataset.name,
        "arm": arm.name,
        "ignores_groups": arm.ignores_groups,
    }
    return TrainedDataset.model_validate(values)


def load_plan(file: Path) -> StudyPlan:
    """Read a plan. Relative paths in the plan are relative to its folder.

    Raises:
        BadRecipe: not YAML, or a key or value is not valid; all faults at once.
    """
    try:
        content = read_bytes(file, _LARGEST_BYTES).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise BadRecipe("no-such-plan", file=file) from error
    except (OSError, ValueError) as error:
        raise BadRecipe("unreadable-plan", file=file, reason=str(error).splitlines()[0]) from error
    if is_table(file):
        raise BadRecipe("table-instead-of-plan", file=file)
    data, _ = read_yaml(content, file)
    return _with_paths(plan_of(data, file), partial(resolved_path, folder=file.parent))


def plan_from_text(content: str) -> StudyPlan:
    """Return the plan in a YAML text. Its paths are not changed.

    Raises:
        BadRecipe: not YAML, or a key or value is not valid; all faults at once.
    """
    data, _ = read_yaml(content)
    return plan_of(data)


def plan_of(data: Any, file: Path | None = None) -> StudyPlan:  # Any: a YAML value
    """Check a plan.

    Args:
        data: the content of `study.yaml`.
        file: the source, for the error.

    Raises:
        BadRecipe: a key or value is not valid; all faults at once.
    """
    try:
        return StudyPlan.model_validate(data)
    except ValidationError as error:
        faults = dict.fromkeys(_in_words(fault) for fault in error.errors())
        raise BadRecipe("invalid-plan", file=file, plan_faults="; ".join(faults)) from error


def save_plan(plan: StudyPlan, file: Path) -> None:
    """Write the plan with all defaults. Paths in its folder, or in the same workspace, are relative to the folder."""
    write_text(file, as_yaml(_with_paths(plan, stated_paths(file.parent)).model_dump(mode="json")))


def merged_changes(below: Mapping[str, Any], above: Mapping[str, Any]) -> Changes:  # Any: values of recipe keys
    """Return the merged recipe keys. Values of `above` take precedence; sections are merged key by key."""
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merges = key != "init" and isinstance(inner, dict) and isinstance(value, dict)
        merged[key] = merged_changes(inner, value) if merges and inner is not None else value
    return merged


def _with_paths(plan: StudyPlan, convert: Callable[[str], str]) -> StudyPlan:
    """Return a plan with the paths of images and runs converted, also those in its recipes."""

    def converted(planned: RecipeSection) -> Any:  # Any: the same type
        changes: dict[str, Any] = {}  # Any: of each key its own
        for name, value in planned:
            match name, value:
                case "path", tuple():
                    changes[name] = tuple(map(convert, value))
                case "run" | "two_step", str():
                    changes[name] = convert(value)
                case "recipe", dict():
                    changes[name] = with_paths(value, convert)
                case _, tuple():
                    are_plans = all(isinstance(each, RecipeSection) for each in value)
                    changes[name] = tuple(map(converted, value)) if are_plans else value
        return planned.model_copy(update=changes)

    whole: StudyPlan = converted(plan)
    return whole


def _in_words(fault: Any) -> str:  # Any: Pydantic's ErrorDetails
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(fault["loc"][-1]), StudyPlan.model_fields, n=1, cutoff=0.5)
        suggestion = next(iter(near), "")
        return text("plan-misspelled-key" if near else "plan-unknown-key", key=key, suggestion=suggestion)
    if fault["type"] == "missing":
        return text("plan-missing-key", key=key)
    reason = re.sub("^Value error, ", "", fault["msg"])
    return text("plan-invalid-value", key=key, reason=reason) if key else reason


# A plan with the networks and initial weights that somebody chose, instead of those of the plan.


def with_choices(
    plan: StudyPlan, *, models: Sequence[str] = (), regimes: Sequence[str] = (), more_regimes: Sequence[Changes] = ()
) -> StudyPlan:
    """Return the plan with other networks and initializations.

    Args:
        plan: of a study.
        models: names of networks of the plan, which keep their recipes, or of any other networks; none: those of the
            plan.
        regimes: names of initializations of the plan, or of the short ones of `study.yaml`; none: those of the plan,
            unless there are `more_regimes`.
        more_regimes: further initializations, as in `study.yaml`.

    Raises:
        BadRecipe: a name is not valid.
    """
    data = plan.model_dump(mode="json")
    of_models = {each["name"]: each for each in data["models"]}
    of_regimes = {each["name"]: each for each in data["regimes"]}
    chosen_models = [of_models.get(name, name) for name in models] or data["models"]
    chosen_regimes = [*(of_regimes.get(name, name) for name in regimes), *more_regimes] or data["regimes"]
    names = {name if isinstance(name, str) else name["name"] for name in chosen_models}
    # A dataset may be for some networks only.
    datasets = [
        {**each, "models": [name for name in each["models"] if name in names]}
        for each in data["datasets"]
        if not each["models"] or names.intersection(each["models"])
    ]
    changes = {"datasets": datasets, "models": chosen_models, "regimes": chosen_regimes, "baseline": None}
    selected = plan_of({**data, **changes})
    baselines = [*selected.variant_names, *(regime.name for regime in selected.regimes)]
    return selected.model_copy(update={"baseline": plan.baseline}) if plan.baseline in baselines else selected
