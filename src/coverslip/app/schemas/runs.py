"""Bodies of the REST API about trainings and studies."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from coverslip.evaluation import DecideBy
from coverslip.runs.recipe import key_names


def _describe_keys(schema: JsonDict) -> None:
    keys = ", ".join(f"`{key}`" for key in key_names())
    schema["description"] = f"Only what differs from the defaults; nested keys or dotted ones. Keys: {keys}."


class NewRun(BaseModel):
    """A training to queue."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
    # Any: each key has its own type
    recipe: dict[str, Any] = Field(default_factory=dict, json_schema_extra=_describe_keys)
    allow_leakage: bool = False
    budget: str | None = Field(
        default=None,
        max_length=40,
        description="Time budget: `90s`, `10m`, `1h30m`, or `quick` (2 minutes), `balanced` (10 minutes), "
        "`best` (1 hour). Fine-tuning is adapted to it. Null: no limit.",
    )
    again_of: str | None = Field(
        default=None,
        description="An earlier training on the same dataset, for comparison: its test images stay test images, "
        "its validation images stay validation images. New images join the training set. Folds are split again.",
    )


class RunChanges(BaseModel):
    """Changes of a training."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=120)


class Decision(BaseModel):
    """The decision rule; missing fields have their defaults."""

    model_config = ConfigDict(extra="forbid")

    decide_by: DecideBy = "highest"
    target: float = Field(
        default=0.95, gt=0, le=1, description="Target sensitivity or specificity, if the rule uses one."
    )
    threshold: float = Field(
        default=0.5, gt=0, lt=1, description="Threshold of the positive class, if the rule uses one."
    )
    error_rate: float | None = Field(
        default=None, gt=0, lt=1, description="Target error rate among images that are not `uncertain`."
    )
    positive_class: str | None = Field(default=None, description="One of two classes; null: unchanged.")


class StudyRequest(BaseModel):
    """A publication's study on datasets of the workspace."""

    model_config = ConfigDict(extra="forbid")

    preset: str = Field(max_length=60, description="See `GET /study-presets`.")
    dataset_ids: list[str] = Field(
        min_length=1, max_length=100, description="Labeled datasets, in the order in which they are shown."
    )
    is_small: bool = Field(
        default=False,
        description="A quick demonstration: networks whose weights come with the installation, few small images, "
        "two epochs.",
    )
    as_published: bool = Field(
        default=False,
        description="Repeat every dataset with the protocol of the publication, and compare the results.",
    )
    plan: str | None = Field(
        default=None,
        max_length=2**20,
        description="`study.yaml` of a preview, with changes; it can use the images of these datasets only. "
        "Null: the plan of the preset.",
    )


class NewStudy(StudyRequest):
    """A study to queue."""

    name: str | None = Field(default=None, max_length=120, description="Default: named after the preset.")
