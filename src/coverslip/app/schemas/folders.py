"""What the chooser of folders shows."""

from pydantic import BaseModel, Field


class PlaceInFolder(BaseModel):
    """A folder or table that can be chosen."""

    name: str
    path: str


class ClassFolder(BaseModel):
    """A folder that holds images, and so may be a class."""

    name: str
    n_images: int


class Folder(BaseModel):
    """What lies in one folder; hidden things are left out."""

    path: str | None = Field(description="None: this is the list of folders that may be read at all.")
    parent: str | None = Field(description="None: nothing above it may be read.")
    folders: list[PlaceInFolder]
    tables: list[PlaceInFolder]
    n_images: int = Field(description="In the folder and below; see is_more.")
    class_folders: list[ClassFolder]
    is_more: bool = Field(description="There are more images than were counted (10,000 at most).")
    n_left_out: int = Field(description="Folders and tables that are not listed because their names are no text.")
