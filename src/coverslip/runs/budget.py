"""`budget.json`: how long a training may take, and how it used that time."""

import re
from typing import Literal

from pydantic import Field

from coverslip.errors import BadRecipe
from coverslip.messages import duration
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


class BudgetRecord(Document):
    """How a run used its time budget; without one there is no such file."""

    seconds: float = Field(description="Time limit of the whole run.")
    used_seconds: float = Field(default=0.0, description="Time used before the run was resumed.")
    adds_epochs: bool = Field(default=False, description="Whether the recipe left the number of epochs open.")
    is_finetuned: bool = Field(default=False, description="Whether the recipe asked for fine-tuning.")
    is_fixed: bool = Field(
        default=False,
        description="The recipe of folds holds all that was chosen: nothing is adapted any more.",
    )
    reserve_seconds: float = Field(default=0.0, description="Kept for folds without fine-tuning, if the time is over.")
    epochs: int | None = Field(default=None, description="Planned epochs.")
    epochs_run: float | None = Field(default=None, description="Completed epochs; null without fine-tuning.")
    image_size: int | None = Field(default=None, description="Image size of fine-tuning.")
    full_image_size: int | None = Field(
        default=None, description="Image size without a budget; null if it was not reduced."
    )
    instant_image_size: int | None = Field(
        default=None,
        description="Image size of the first instant classifier, where a smaller one was tried next.",
    )
    sufficient_seconds: float | None = Field(
        default=None, description="Estimated for all epochs at the full image size; null where they were run."
    )
    least_seconds: float | None = Field(
        default=None, description="Estimated for fine-tuning at the smallest image size; null where it had time."
    )
    least_image_size: int | None = Field(default=None, description="That image size.")
    ended: (
        Literal[
            "fine-tuned",
            "instant classifier",
            "larger instant classifier",
            "no time to fine-tune",
            "no time to fine-tune folds",
        ]
        | None
    ) = None

    @property
    def for_some(self) -> str:
        """Sentence on the time that would allow fine-tuning at all; empty where that is not known."""
        if self.least_seconds is None:
            return ""
        return f"About {duration(self.least_seconds)} would allow fine-tuning on images of {self.least_image_size} px."

    @property
    def is_reduced(self) -> bool:
        """Whether images are smaller than without a budget."""
        return bool(self.image_size and self.full_image_size and self.image_size < self.full_image_size)
