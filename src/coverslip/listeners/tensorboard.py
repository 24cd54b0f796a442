"""A listener that writes the metrics of a training for TensorBoard."""

from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import require_extra
from coverslip.events import Event
from coverslip.listeners.scalars import is_end, scalars_of
from coverslip.messages import text

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardListener:
    """Writes metrics to the folder `tensorboard/` in the run folder.

    Args:
        run_folder: of the training.
    """

    def __init__(self, run_folder: Path | str) -> None:
        require_extra("tensorboard", text("extra-for-tensorboard"))
        self._folder = str(Path(run_folder) / "tensorboard")
        self._writer: SummaryWriter | None = None

    def __call__(self, event: Event) -> None:
        """Write the numbers of an event."""
        values, step = scalars_of(event)
        if values and self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self._folder)
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        if is_end(event):
            self._writer.close()
            self._writer = None
