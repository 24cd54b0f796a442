"""Bodies of the REST API about trainings and studies."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from coverslip.evaluation import DecideBy
from coverslip.runs import recipe_keys


def _tell_keys(schema: JsonDict) -> None:
    keys = ", ".join(f"`{key.key}`" for key in recipe_keys())
    schema["description"] = f"Only what differs from the defaults; nested keys or dotted ones. Keys: {keys}."


class NewRun(BaseModel):
    """A training to queue."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
    # Any: of each key its own
    recipe: dict[str, Any] = Field(default_factory=dict, json_schema_extra=_tell_keys)
    allow_leakage: bool = False
    budget: str | None = Field(
        default=None,
        max_length=40,
        description="How long it may take: `90s`, `10m`, `1h30m`, or `quick` (2 minutes), `balanced` (10 minutes), "
        "`best` (1 hour). Fine-tuning is adapted to it. Null: as long as it takes.",
    )
    again_of: str | None = Field(
        default=None,
        description="An earlier training on the same dataset, to be compared with: its test images stay test images, "
        "its validation images validation images. New images join training. With folds they are dealt anew.",
    )


class RunChanges(BaseModel):
    """What to change."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=120)


class Decision(BaseModel):
    """How classes shall be decided; what is left out is the default."""

    model_config = ConfigDict(extra="forbid")

    decide_by: DecideBy = "highest"
    target: float = Field(
        default=0.95, gt=0, le=1, description="Sensitivity or specificity, where it is decided by one."
    )
    threshold: float = Field(
        default=0.5, gt=0, lt=1, description="Of the positive class, where it is decided by a threshold."
    )
    error_rate: float | None = Field(
        default=None, gt=0, lt=1, description="Wished among images that are not `uncertain`."
    )
    positive_class: str | None = Field(default=None, description="Of two classes; null leaves it as it is.")


class StudyAsked(BaseModel):
    """A publication's study on datasets of the workspace."""

    model_config = ConfigDict(extra="forbid")

    preset: str = Field(max_length=60, description="See `GET /study-presets`.")
    dataset_ids: list[str] = Field(
        min_length=1, max_length=100, description="Labeled images, in the order that they are shown."
    )
    is_small: bool = Field(
        default=False,
        description="Networks whose weights come with the installation, small and few images, two epochs: to see it.",
    )
    as_published: bool = Field(
        default=False,
        description="Every dataset a second time as the publication did it, and by how much that looks better.",
    )
    plan: str | None = Field(
        default=None,
        max_length=2**20,
        description="`study.yaml`, as a preview gave it and somebody changed it; it cannot be of other images than "
        "those of these datasets. Null: as the preset says.",
    )


class NewStudy(StudyAsked):
    """A study to queue."""

    name: str | None = Field(default=None, max_length=120, description="Default: named after the preset.")
