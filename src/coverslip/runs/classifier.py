"""`classifier/`: a trained network with all that is needed to use it, and nothing that could run code."""

import struct
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coverslip.errors import BadClassifier
from coverslip.files import write_bytes, write_text
from coverslip.images import Preparation

Tensors = dict[str, npt.NDArray[Any]]  # Any: each tensor's own dtype

_LARGEST_HEADER = 10 * 1024 * 1024


class TrainedOn(BaseModel):
    """What the classifier has seen, so that a user can judge what it is good for."""

    model_config = ConfigDict(frozen=True)

    n_images: int
    n_groups: int | None
    width_px: tuple[int, int] = Field(description="Smallest and largest.")
    height_px: tuple[int, int] = Field(description="Smallest and largest.")
    dtypes: tuple[str, ...]
    channels: tuple[int, ...] = Field(description="Channels met; an image is grey (1) where all of them are equal.")


class ClassifierCard(BaseModel):
    """`classifier.json`: everything that prediction needs besides the weights."""

    model_config = ConfigDict(frozen=True)

    format_version: Literal[1] = 1
    model: str
    model_options: dict[str, Any]  # Any: the architecture checks them
    head: Literal["pooled_stages", "native"]
    views: int
    classes: tuple[str, ...] = Field(min_length=2)
    preparation: Preparation
    temperature: float = Field(gt=0, description="Logits are divided by it before the softmax.")
    uncertain_below: float = Field(ge=0, le=1, description="Top probabilities below it are decided `uncertain`.")
    trained_on: TrainedOn
    must_not_be_used_for: str = (
        "Diagnosis or treatment of patients. Images from another microscope, stain, species or preparation than it "
        "was trained and tested on, unless it has been evaluated on such images first."
    )


def write_classifier(folder: Path, card: ClassifierCard, weights: Tensors) -> None:
    """Write `classifier.json` and `weights.safetensors`; equal weights give equal bytes."""
    from safetensors.numpy import save

    write_bytes(folder / "weights.safetensors", save(dict(sorted(weights.items()))))
    write_text(folder / "classifier.json", card.model_dump_json(indent=2) + "\n")


def read_classifier(folder: Path) -> tuple[ClassifierCard, Tensors]:
    """The card and the weights of a packaged classifier.

    Raises:
        BadClassifier: a file is missing, damaged, or of a newer format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    card_file, weights_file = folder / "classifier.json", folder / "weights.safetensors"
    for file in (card_file, weights_file):
        if not file.is_file():
            raise BadClassifier(
                "The classifier has no such file", file=file, do="Give a run folder or its classifier/."
            )
    try:
        card = ClassifierCard.model_validate_json(card_file.read_bytes())
    except ValidationError as error:
        raise _bad_card(error, card_file) from error
    try:
        data = weights_file.read_bytes()
        if len(data) < 8 or struct.unpack("<Q", data[:8])[0] > _LARGEST_HEADER:
            raise BadClassifier(
                "The weights are cut off or damaged", file=weights_file, do="Copy the classifier again."
            )
        return card, load(data)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise BadClassifier(
            f"The weights could not be read: {error}", file=weights_file, do="Copy the classifier again."
        ) from error


def _bad_card(error: ValidationError, file: Path) -> BadClassifier:
    fault = error.errors()[0]
    if fault["loc"] == ("format_version",):
        version = fault["input"]
        return BadClassifier(
            f"It has format version {version}; this coverslip reads 1", file=file, do="Update coverslip."
        )
    place = ".".join(str(part) for part in fault["loc"])
    what = f"{place}: {fault['msg']}" if place else str(fault["msg"])
    return BadClassifier(
        f"The classifier's description is damaged ({what})", file=file, do="Copy the classifier again."
    )
