"""The numbers in the events of a training, as other programs show them: names, values and steps."""

from pathlib import Path

from coverslip.events import EpochEnded, Event, InstantClassifierFitted, RunEnded, StepEnded
from coverslip.runs import Run

_OF_EPOCH = ("loss", "accuracy", "precision", "recall", "f1")


def scalars_of(event: Event) -> tuple[dict[str, float], int]:
    """Return the numbers of an event by name, and its step: an epoch, or a step of fine-tuning.

    Names begin with `train`, `validation`, `step` or `test`; before it, `fold_1` and so on, or `pretraining`.
    """
    values: dict[str, float | None] = {}
    step = 0
    match event:
        case InstantClassifierFitted():
            values = {"instant/accuracy": event.val_accuracy, "instant/f1": event.val_macro_f1}
        case StepEnded():
            values = {"step/loss": event.loss, "step/images_per_second": event.images_per_second}
            step = (event.epoch - 1) * event.n_steps + event.step
        case EpochEnded():
            values = {"learning_rate": event.learning_rate}
            for name in _OF_EPOCH:
                values[f"train/{name}"] = getattr(event, f"train_{name}")
                values[f"validation/{name}"] = getattr(event, f"val_{name}")
            step = event.epoch
        case RunEnded(state="done"):
            run = Run(Path(event.run))
            metrics = run.metrics.metrics if run.is_measured else {}
            values = {f"test/{name}": metric.value for name, metric in metrics.items()}
        case _:
            pass
    prefix = f"fold_{event.fold}/" if event.fold is not None else "pretraining/" if event.is_pretraining else ""
    return {f"{prefix}{name}": value for name, value in values.items() if value is not None}, step


def is_end(event: Event) -> bool:
    """Return whether the event ends the whole training, not a fold or the pretraining."""
    return isinstance(event, RunEnded) and event.fold is None and not event.is_pretraining
