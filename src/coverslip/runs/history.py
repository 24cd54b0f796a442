"""`history.csv`: a row for each epoch of fine-tuning; epoch 0 is the network that it starts from."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path

import numpy as np

from coverslip.errors import BadRun
from coverslip.events import EpochEnded
from coverslip.messages import text
from coverslip.runs.documents import read_table, write_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """How one pass over the training images ended; shares lie in [0, 1], and None stands where nothing was measured."""

    epoch: int
    seconds: float | None
    learning_rate: float | None
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    val_precision: float | None
    val_recall: float | None
    val_f1: float | None
    train_precision: float | None
    train_recall: float | None
    train_f1: float | None

    @staticmethod
    def of(event: EpochEnded) -> "Epoch":
        """The row of an epoch that has just ended; a mean over steps of which one overflowed is none."""
        numbers = {name: getattr(event, name) for name in _COLUMNS if name != "epoch"}
        finite = {name: value if value is not None and isfinite(value) else None for name, value in numbers.items()}
        return Epoch(epoch=event.epoch, **finite)


EARLY_DIP = (
    "Validation results are usually worse while the learning rate is high. They usually recover only when it falls."
)
_HIGH_SHARE = 0.25  # of the largest learning rate
_WORSE_BY = 0.01  # F1 or accuracy: a difference of a few images is not a dip


def has_early_dip(epochs: Sequence[Epoch], n_epochs: int) -> bool:
    """Whether validation results became worse than before fine-tuning while the learning rate was high.

    Args:
        epochs: so far; without epoch 0 there is nothing to compare with.
        n_epochs: of the whole fine-tuning: a learning rate that does not fall in the second half explains nothing.
    """
    if not epochs or epochs[0].epoch != 0 or n_epochs < _FEWEST_EPOCHS:
        return False
    highest = max(epoch.learning_rate or 0.0 for epoch in epochs)
    before = epochs[0].val_f1
    return before is not None and any(
        epoch.val_f1 is not None
        and epoch.val_f1 < before - _WORSE_BY
        and (epoch.learning_rate or 0.0) >= _HIGH_SHARE * highest
        for epoch in epochs[1:]
    )


_FEWEST_EPOCHS = 3
_COLUMNS = tuple(field.name for field in fields(Epoch))
_SHARES = ("_accuracy", "_precision", "_recall", "_f1")
_MOST = float(np.finfo(np.float32).max)  # a loss is a mean of what networks give
_MOST_EPOCHS = 1_000_000


def write_history(file: Path, epochs: Iterable[Epoch]) -> None:
    """Write the table, whole or not at all."""
    write_table(file, _COLUMNS, ({k: "" if v is None else v for k, v in asdict(row).items()} for row in epochs))


def read_history(file: Path) -> tuple[Epoch, ...]:
    """The rows of the table; none where there was no fine-tuning.

    Raises:
        BadRun: it is damaged.
    """
    if not file.is_file():
        return ()
    try:
        return tuple(_epoch(row) for row in read_table(file))
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun("damaged-training-table", file=file, reason=str(error)) from error


def _epoch(row: dict[str, str]) -> Epoch:
    numbers = {name: _number(name, row[name]) for name in _COLUMNS if name != "epoch"}
    epoch = int(row["epoch"])
    if not 0 <= epoch <= _MOST_EPOCHS:
        raise ValueError(text("unknown-epoch-number", epoch=epoch))
    return Epoch(epoch=epoch, **numbers)


def _number(name: str, cell: str) -> float | None:
    """What no training writes could not be drawn either: NaN, a share of 2, a loss of 1e308."""
    if not cell:
        return None
    value = float(cell)
    least, most = (0.0, 1.0) if name.endswith(_SHARES) else (-_MOST, _MOST)
    if not least <= value <= most:
        raise ValueError(text("number-out-of-range", name=name, value=cell, low=f"{least:g}", high=f"{most:g}"))
    return value
