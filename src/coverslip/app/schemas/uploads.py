"""Images that a browser sends."""

from pydantic import BaseModel, ConfigDict, Field

from coverslip.app.schemas.datasets import Name


class NewUpload(BaseModel):
    """What is going to be sent."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    is_labelled: bool = Field(description="Whether sub-folders or a table give the labels.")


class FinishUpload(BaseModel):
    """What to make of the files."""

    model_config = ConfigDict(extra="forbid")

    is_labelled: bool | None = Field(default=None, description="Other than was said at first.")
