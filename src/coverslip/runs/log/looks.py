"""`looks.json`: how often numbers of a run's test images were shown, which every choice made by them wears out."""

from contextlib import suppress
from typing import Literal

from pydantic import Field

from coverslip.errors import CoverslipError
from coverslip.runs.documents import Document
from coverslip.runs.folder import Run

Occasion = Literal["evaluated", "decided"]


class Looks(Document):
    """How often, after the training itself, which is the first time."""

    evaluated: int = Field(default=0, ge=0, description="Measured again.")
    decided: int = Field(default=0, ge=0, description="Decided by other thresholds.")
    compared_with: tuple[str, ...] = Field(default=(), description="Names of the runs that it was compared with.")

    @property
    def n(self) -> int:
        """In all, the training's own report included."""
        return 1 + self.evaluated + self.decided + len(self.compared_with)


def looks_of(run: Run) -> Looks:
    """So far; a file that cannot be read counts as none."""
    with suppress(CoverslipError):
        return Looks.read_if_there(run.looks_file) or Looks()
    return Looks()


def count_look(run: Run, occasion: Occasion) -> None:
    """One more."""
    looks = looks_of(run)
    _keep(run, looks.model_copy(update={occasion: getattr(looks, occasion) + 1}))


def count_comparison(run: Run, others: list[str]) -> None:
    """Test numbers were set beside those of these runs; each counts once."""
    looks = looks_of(run)
    names = tuple(dict.fromkeys((*looks.compared_with, *others)))
    if names != looks.compared_with:
        _keep(run, looks.model_copy(update={"compared_with": names}))


def _keep(run: Run, looks: Looks) -> None:
    with suppress(CoverslipError, OSError):  # of a folder that may only be read: nothing depends on it
        looks.write(run.looks_file)
