"""What the app says about itself and this computer."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True)
class System:
    """The server and the computer that it runs on."""

    version: str
    workspace: Annotated[str, Field(description="The folder in which the app keeps everything.")]
    roots: Annotated[list[str], Field(description="Images may be opened in these folders and below.")]
    device: Annotated[str, Field(description="What trainings most likely run on: cpu, cuda or mps.")]
    n_cores: int
    memory_mib: int
    activity: Annotated[
        str,
        Field(description="Changes when a job is asked for, begins, ends or is removed, and when datasets come or go."),
    ]
