"""A part of many images, predicted on whichever computer of a cluster was given it."""

import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coverslip.cluster import local_path
from coverslip.datasets import ImageRecord, PreprocessedImage
from coverslip.errors import CoverslipError
from coverslip.inference.classifier import load_classifier
from coverslip.inference.executors.answers import answer_of, refusal_of
from coverslip.runs import Prediction

Packed = npt.NDArray[np.uint8]  # (n,): the bytes of a `.coverslip` file, which tasks of one computer share


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the images, and how they are predicted; plain values."""

    records: tuple[ImageRecord, ...]
    batch_size: int
    device: str
    prevalence: Mapping[str, float]  # stated shares of classes; empty: those of training
    is_hashed: bool


def predict_part(classifier: Packed, part: Part) -> bytes:
    """What the classifier says of each image, in their order; or why it cannot be used: as `rows_of` reads it.

    An image is read where this computer has it (`local_path`).
    """
    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        file = Path(folder, "classifier.coverslip")
        classifier.tofile(file)
        try:
            loaded = load_classifier(file, part.device)
            if part.prevalence:
                loaded = loaded.at_prevalence(part.prevalence)
            here = tuple(map(_as_here, part.records))
            rows = loaded.predict_with_pixels(here, batch_size=part.batch_size, is_hashed=part.is_hashed)
            return answer_of(
                (_on_this_computer(row, record), image if isinstance(image, PreprocessedImage) else None)
                for (row, image), record in zip(rows, here, strict=True)
            )
        except CoverslipError as error:
            return refusal_of(error.failure, platform.node())


def _as_here(record: ImageRecord) -> ImageRecord:
    """The image where it lies on this computer."""
    if record.in_memory is not None:
        return record
    others = tuple(map(local_path, record.plan.other_files))
    plan = record.plan.model_copy(update={"other_files": others})
    return replace(record, path=Path(local_path(str(record.path))), plan=plan)


def _on_this_computer(row: Prediction, here: ImageRecord) -> Prediction:
    """Where there is no such file it is said on which computer."""
    return row if here.exists else replace(row, reason=f"{row.reason}, on {platform.node()}")
