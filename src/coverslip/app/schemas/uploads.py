"""Images that a browser sends."""

from pydantic import BaseModel, ConfigDict, Field

from coverslip.app.schemas.datasets import CropSize, Name, TableColumns


class NewUpload(BaseModel):
    """What is going to be sent."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    is_labelled: bool = Field(description="Whether sub-folders or a table give the labels.")


class TableReading(BaseModel):
    """How the table among the files is to be read."""

    model_config = ConfigDict(extra="forbid")

    columns: TableColumns = Field(default_factory=dict, description="As of a table's preview.")
    crop_size: CropSize | None = Field(
        default=None, description="Side in pixels of the square around each point of a table."
    )


class FinishUpload(BaseModel):
    """What to make of the files."""

    model_config = ConfigDict(extra="forbid")

    is_labelled: bool | None = Field(default=None, description="Other than was said at first.")
    table: TableReading | None = Field(
        default=None, description="Read the table of the upload so; null: by its header, if it gives the labels."
    )
    ignores_table: bool = Field(default=False, description="Make a dataset of the images alone.")
