"""Events of trainings, made by hand."""

from typing import Any

from coverslip.events import EpochEnded, StepEnded


def an_epoch(epoch: int, **more: Any) -> EpochEnded:  # Any: fields of the event
    scores = {f"{part}_{name}": 0.5 for part in ("train", "val") for name in ("accuracy", "precision", "recall", "f1")}
    values: dict[str, Any] = {
        "n_epochs": 3,
        "seconds": 1.0,
        "learning_rate": 1e-3,
        "train_loss": 1 / max(epoch, 1),
        "val_loss": 1 / max(epoch, 1),
        "is_best": False,
        "seconds_left": 9.0,
        **scores,
        **more,
    }
    return EpochEnded(epoch=epoch, **values)


def a_step(epoch: int, step: int, n_steps: int = 4, **more: Any) -> StepEnded:  # Any: fields of the event
    values: dict[str, Any] = {"loss": 1.0, "images_per_second": 5.0}
    return StepEnded(epoch=epoch, step=step, n_steps=n_steps, **{"n_epochs": 3, **values, **more})
