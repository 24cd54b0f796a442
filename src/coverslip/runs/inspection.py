"""`data.json`: the inspection of the images of a run."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from coverslip.datasets import Inspection, Signal
from coverslip.errors import BadRun
from coverslip.evaluation import Metric
from coverslip.files import write_json
from coverslip.runs.documents import FORMAT_VERSION, check_format, first_fault, read_object


class SplitComparison(BaseModel):
    """The same classifier with an image-level split and with a grouped split."""

    model_config = ConfigDict(frozen=True)

    image_level: Metric
    grouped: Metric
    difference: Metric = Field(description="Image-level minus grouped.")


class LeakageEstimate(SplitComparison):
    """What an image-level split would have reported: instant classifiers, each image named by one not fitted on it."""

    metric: str
    nearest_image: SplitComparison = Field(description="The same with the label of the nearest image.")
    n_images: int
    n_units: int = Field(description="Groups and copies that the grouped split keeps together; the rest by themselves.")


class InspectionWithLeakageEstimate(Inspection):
    """An inspection for which images were shown to a network too."""

    leakage_estimate: LeakageEstimate | None = Field(
        description="None where no groups or copies are known: both splits are the same."
    )
    signal: Signal | None = Field(
        description="How well the whole image predicts the classes, and how well parts without the object do; None "
        "where there are too few images to tell."
    )


# Other fields in a file are passed over, so the one that needs more comes first.
_EITHER = Annotated[InspectionWithLeakageEstimate | Inspection, Field(union_mode="left_to_right")]
_ADAPTER: TypeAdapter[Inspection] = TypeAdapter(_EITHER)


def inspection_as_json(inspection: Inspection) -> dict[str, Any]:  # Any: JSON values
    """An inspection as a JSON object, as `inspect --json` prints it."""
    return {"format_version": FORMAT_VERSION, **inspection.model_dump(mode="json")}


def write_inspection(file: Path, inspection: Inspection) -> None:
    """Write what was found, whole or not at all."""
    write_json(file, inspection_as_json(inspection))


def inspection_of(values: Any) -> Inspection:  # Any: JSON values
    """What `inspection_as_json` gave; an `InspectionWithLeakageEstimate` where images were shown to a network.

    Raises:
        ValidationError: these values are none.
    """
    return _ADAPTER.validate_python(values)


def read_inspection(file: Path) -> Inspection:
    """What was found; an `InspectionWithLeakageEstimate` where images were shown to a network.

    Raises:
        BadRun: the file is missing, damaged, or of a newer format.
    """
    values = read_object(file)
    check_format(values.pop("format_version", FORMAT_VERSION), file)
    try:
        return inspection_of(values)
    except ValidationError as error:
        raise BadRun("damaged-run-file", file=file, reason=first_fault(error)) from error
