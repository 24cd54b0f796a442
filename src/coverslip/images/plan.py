"""Which pixels of a file make one image."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Plane = Annotated[int, Field(ge=0)] | Literal["max", "mean", "channels"]


class ReadPlan(BaseModel):
    """Which pixels of a file make one image; an empty plan reads the whole first plane with all its channels.

    A page of a multi-page file is a *channel* where the file declares it so (axis C of an ImageJ, OME or
    shaped TIFF); any other page (Z, T, unknown) is a *plane*, of which one is chosen or all are projected, unless
    `plane` says that all of them are channels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plane: Plane = Field(
        0,
        description="0-based page of a multi-page file, 'max' or 'mean' over all pages, or 'channels': all of them.",
    )
    channels: tuple[int, ...] | None = Field(
        None, description="0-based channels to keep, in this order; None keeps all."
    )
    box: tuple[int, int, int, int] | None = Field(
        None, description="x, y, width, height in pixels; None is the whole plane."
    )
