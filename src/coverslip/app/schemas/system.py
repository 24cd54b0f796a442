"""What the app says about itself and this computer."""

from pydantic import BaseModel, Field


class System(BaseModel):
    """The server and the computer that it runs on."""

    version: str
    workspace: str = Field(description="The folder in which the app keeps everything.")
    roots: list[str] = Field(description="Images may be opened in these folders and below.")
    device: str = Field(description="What trainings most likely run on: cpu, cuda or mps.")
    n_cores: int
    memory_mib: int
