"""`budget.json`: how long a training may take, what was planned for that time, and what came of it."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from coverslip.errors import BadRecipe
from coverslip.runs.documents import Document

PRESETS = {"quick": 120.0, "balanced": 600.0, "best": 3600.0}  # seconds

_NUMBER = r"(\d+(?:\.\d+)?)"
_TIME = re.compile(rf"(?:{_NUMBER} ?h)? ?(?:{_NUMBER} ?m(?:in)?)? ?(?:{_NUMBER} ?s)?")


def budget_seconds(budget: float | str) -> float:
    """A time budget in seconds.

    Args:
        budget: seconds; or a text: `90s`, `10m`, `1h30m`, or one of `quick`, `balanced` and `best`.

    Raises:
        BadRecipe: it is no length of time.
    """
    seconds = _read(budget.strip().lower()) if isinstance(budget, str) else float(budget)
    if seconds is None or not 0 < seconds < 1e8:
        raise BadRecipe(
            f"'{budget}' is no length of time",
            do=f"Give one such as 90s, 10m or 1h30m, or one of {', '.join(PRESETS)}.",
        )
    return seconds


def _read(text: str) -> float | None:
    if text in PRESETS:
        return PRESETS[text]
    parts = _TIME.fullmatch(text)
    if parts is None or not any(parts.groups()):
        return None
    return sum(float(part or 0) * unit for part, unit in zip(parts.groups(), (3600, 60, 1), strict=True))


Outcome = Literal["chosen", "tried", "cut short", "no time"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PlannedStep(_Part):
    """One line of the plan."""

    what: str
    seconds: float = Field(description="As measured on this machine before it began.")


class TriedNetwork(_Part):
    """A network that was considered, at one image size."""

    model: str
    image_size: int
    planned_seconds: float | None = Field(description="For its instant classifier; null where it was not measured.")
    outcome: Outcome
    seconds: float | None = Field(default=None, description="That its instant classifier took.")
    score: float | None = Field(default=None, description="The primary metric on validation images.")
    log_loss: float | None = Field(
        default=None, description="Of validation images, the temperature being fitted on other validation images."
    )


class BudgetRecord(Document):
    """The plan of a run with a time budget; without one there is no such file."""

    seconds: float = Field(description="That the whole run may take.")
    used_seconds: float = Field(default=0.0, description="By processes that worked on it before, where it was resumed.")
    chooses_network: bool = Field(description="Whether the network was left to the plan.")
    asks_for_finetuning: bool = Field(
        default=False,
        description="Whether the recipe had it before it was settled, which leaves it out where time is short.",
    )
    steps: tuple[PlannedStep, ...] = Field(default=(), description="Empty until it is planned.")
    networks: tuple[TriedNetwork, ...] = Field(default=(), description="That were considered.")
    reserve_seconds: float = Field(default=0.0, description="Kept for what comes after fine-tuning.")
    instant_px: int | None = Field(
        default=None,
        description="Image size that the network would have had without fine-tuning, which takes smaller images to fit "
        "into the time; null where it does not.",
    )
    is_planned: bool = Field(
        default=False, description="The run's recipe holds what was settled: nothing is planned again."
    )
    ended: (
        Literal["as planned", "fine-tuning cut short", "fine-tuning left out", "larger instant classifier"] | None
    ) = None

    @property
    def tried(self) -> tuple[TriedNetwork, ...]:
        """Those whose instant classifiers were compared on validation images."""
        return tuple(network for network in self.networks if network.score is not None)
