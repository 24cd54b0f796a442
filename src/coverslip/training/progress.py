"""State of fine-tuning: saved with every checkpoint, so that it can be resumed."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from coverslip.runs import Recipe
from coverslip.training.step import PrecisionName


@dataclass(slots=True)
class Progress:
    """Where the training loop stands; saved with every checkpoint."""

    epoch: int = 0  # last whole one
    best_epoch: int = 0  # by the primary metric on validation images
    epochs_since_better: int = 0
    best_score: float = float("-inf")  # higher is better; where it is undefined, or equal, the loss decides
    loss_of_best: float = float("inf")
    best_val_loss: float = float("inf")
    epochs_since_lower_loss: int = 0
    plateau_factor: float = 1.0
    seconds: float = 0.0
    images: int = 0
    training_seconds: float = 0.0
    images_at_once: int | None = None  # since the last epoch: fewer than at first, where memory ran out
    precision: PrecisionName = "float32"
    loss_scale: tuple[float, int] | None = None  # of float16
    n_steps: int = 0
    schedule_changes: dict[int, int] = field(default_factory=dict)  # as the recipe's key of this name, in steps

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """What `restored` reads; JSON knows no infinity."""
        return {name: None if value in (np.inf, -np.inf) else value for name, value in asdict(self).items()}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> "Progress":  # Any: JSON values
        """As it was saved."""
        progress = cls(**{name: value for name, value in saved.items() if value is not None})
        progress.schedule_changes = {int(step): n for step, n in progress.schedule_changes.items()}
        return progress

    def follow_plateau(self, recipe: Recipe, val_loss: float) -> None:
        """Lower the learning rate where the validation loss has stopped falling, if the recipe says so."""
        if val_loss < self.best_val_loss:
            self.best_val_loss, self.epochs_since_lower_loss = val_loss, 0
            return
        self.epochs_since_lower_loss += 1
        if recipe.schedule == "plateau" and self.epochs_since_lower_loss >= max(1, (recipe.patience or 10) // 2):
            self.plateau_factor, self.epochs_since_lower_loss = self.plateau_factor / 10, 0
