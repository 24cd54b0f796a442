"""A process that draws the explanation of one image, with libraries that the server does not load.

Run as `python -m coverslip.workspace.explaining.worker`, by `coverslip.workspace.workers.submit`.
"""

import base64
import sys
from dataclasses import replace
from pathlib import Path

from coverslip.datasets import Dataset, open_image_file
from coverslip.events import Emit
from coverslip.images import ReadPlan
from coverslip.processes import Json
from coverslip.workspace.workers.worker import answer

_N_NEAREST, _TILES_PER_ROW = 4, 2  # there is space for two next to a picture


def draw(question: Json, emit: Emit) -> Json:
    """Return the picture, a PNG, as base64.

    Raises:
        CoverslipError: the image, or the classifier, cannot be read.
    """
    from coverslip.inference.explain import explanation_of

    data = image_of(question["file"], ReadPlan.model_validate(question["plan"]), question["label"])
    picture = explanation_of(
        question["run"],
        data,
        n_nearest=_N_NEAREST,
        tiles_per_row=_TILES_PER_ROW,
        device="cpu",  # fast enough for single images; the GPU stays free for trainings
        emit=emit,
    )
    return {"png": base64.b64encode(picture).decode()}


def image_of(file: str, plan: ReadPlan, label: str | None) -> Dataset:
    """Return a dataset of one image, read with its own plan instead of the classifier's."""
    opened = open_image_file(Path(file))
    record = replace(opened.records[0], label=label, plan=plan, stated=frozenset({"plane", "channels"}))
    return replace(opened, records=(record,))


if __name__ == "__main__":
    sys.exit(answer(draw))
