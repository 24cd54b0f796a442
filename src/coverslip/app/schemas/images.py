"""Images of a set, one by one."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from coverslip.app.schemas.datasets import Text
from coverslip.datasets import Part
from coverslip.workspace.viewing.images import ImageProblem, ProblemFilter, Sort


class ImageFilters(BaseModel):
    """Which images, and in which order. Several filters hold at once."""

    model_config = ConfigDict(extra="forbid")

    label: Text | None = Field(None, description="As labelled now; empty for images without a label.")
    group: Text | None = None
    domain: Text | None = None
    problem: ProblemFilter | None = Field(
        None, description="changed: labelled otherwise in the app; any: one of the other three."
    )
    search: Text | None = Field(None, description="Part of the path, in upper or lower case.")
    part: Part | None = Field(None, description="Side of the split of `run`.")
    run: Text | None = Field(None, description="A training on this set of images.")
    sort: Sort = "position"


class ImagePage(ImageFilters):
    """A page of those images."""

    offset: Annotated[int, Field(ge=0, le=2**31)] = 0
    limit: Annotated[int, Field(ge=1, le=2_000)] = 200


class Image(BaseModel):
    """One image as a wall shows it."""

    i: int = Field(description="Its place in the set, from 0.")
    image_id: str
    path: str = Field(description="Below the folder or table that it comes from.")
    label: str | None = Field(description="As it is now.")
    label_before: str | None = Field(description="As the folder or table says.")
    group: str | None
    domain: str
    problem: ImageProblem | None = Field(
        description="unreadable; duplicate: an equal image has the same label; conflicting: one has another label."
    )
    width: int | None
    height: int | None
    version: str = Field(description="Changes when the file does; give it as ?v= to keep pictures for good.")


class ImageList(BaseModel):
    """A page of images."""

    items: list[Image]
    total: int


class Positions(BaseModel):
    """Which images match, in order."""

    positions: list[int]
    total: int


class ImageFacts(Image):
    """All that is known about one image."""

    format: str | None
    bit_depth: int | None
    n_channels: int | None
    n_planes: int | None
    dtype: str | None
    low: list[float] | None = Field(description="0.1 percentile of each channel.")
    high: list[float] | None = Field(description="99.9 percentile of each channel.")
    pixel_hash: str | None
    equal_to: list[int] = Field(description="Images with the same pixels.")
    note: str | None = Field(description="What was noticed when it was read, or why it cannot be read.")
    duplicates: int = Field(description="How many other images have the same pixels.")
    size_bytes: int | None
    file: str = Field(description="Absolute path.")
    given_split: str | None
