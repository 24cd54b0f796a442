"""A process that draws the explanation of one image: networks need libraries that the server does without.

Run as `python -m coverslip.workspace.explaining.worker`, by `coverslip.workspace.asked`.
"""

import base64
import sys
from dataclasses import replace
from pathlib import Path

from coverslip.datasets import Dataset, open_image_file
from coverslip.events import Emit
from coverslip.images import ReadPlan
from coverslip.pipes import Json
from coverslip.workspace.workers.worker import answer

_N_NEAREST, _TILES_PER_ROW = 4, 2  # beside a picture there is room for two


def draw(question: Json, emit: Emit) -> Json:
    """The picture, a PNG, as base64.

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
        device="cpu",  # quick enough for single images, and a GPU is left to trainings
        emit=emit,
    )
    return {"png": base64.b64encode(picture).decode()}


def image_of(file: str, plan: ReadPlan, label: str | None) -> Dataset:
    """The one image, read as its row was, whatever a classifier's plan says."""
    opened = open_image_file(Path(file))
    record = replace(opened.records[0], label=label, plan=plan, stated=frozenset({"plane", "channels"}))
    return replace(opened, records=(record,))


if __name__ == "__main__":
    sys.exit(answer(draw))
