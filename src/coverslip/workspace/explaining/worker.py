"""A process that draws the explanation of one image: networks need libraries that the server does without.

Run as `python -m coverslip.workspace.explaining.worker FOLDER`, with the question as JSON on stdin. It leaves a picture
in the folder, or `failure.json`.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from coverslip.datasets import Dataset, open_dataset
from coverslip.errors import CoverslipError
from coverslip.files import write_json
from coverslip.images import ReadPlan

FAILURE = "failure.json"
_N_NEAREST, _TILES_PER_ROW = 4, 2  # beside a picture there is room for two


def image_of(file: str, plan: ReadPlan, label: str | None) -> Dataset:
    """The one image, read as its row was, whatever a classifier's plan says."""
    opened = open_dataset([file], plan=plan, labelled=False)
    record = replace(opened.records[0], label=label, plan=plan, stated=frozenset({"plane", "channels"}))
    return replace(opened, records=(record,))


def main(folder: Path) -> int:
    """Exit code 0 where the picture is there."""
    question = json.load(sys.stdin)
    from coverslip.inference.explain import explain

    try:
        explain(
            question["run"],
            image_of(question["file"], ReadPlan.model_validate(question["plan"]), question["label"]),
            out=folder / "drawn",
            n_nearest=_N_NEAREST,
            tiles_per_row=_TILES_PER_ROW,
            device="cpu",  # quick enough for single images, and a GPU is left to trainings
        )
    except CoverslipError as error:
        write_json(folder / FAILURE, asdict(error.failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
