"""Studies: how they are asked for."""

from pydantic import BaseModel, ConfigDict, Field


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
