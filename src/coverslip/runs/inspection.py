"""`data.json`: what was found when the images of a run were looked at."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from coverslip.datasets import Inspection
from coverslip.errors import BadRun
from coverslip.files import write_json
from coverslip.runs.documents import FORMAT_VERSION, check_format, first_fault, read_object

_ADAPTER = TypeAdapter(Inspection)


def inspection_as_json(inspection: Inspection) -> dict[str, Any]:  # Any: JSON values
    """An inspection as a JSON object, as `inspect --json` prints it."""
    return {"format_version": FORMAT_VERSION, **_ADAPTER.dump_python(inspection, mode="json")}


def write_inspection(file: Path, inspection: Inspection) -> None:
    """Write what was found, whole or not at all."""
    write_json(file, inspection_as_json(inspection))


def read_inspection(file: Path) -> Inspection:
    """What was found.

    Raises:
        BadRun: the file is missing, damaged, or of a newer format.
    """
    values = read_object(file)
    check_format(values.pop("format_version", FORMAT_VERSION), file)
    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        raise BadRun(f"The file is damaged: {first_fault(error)}", file=file, do="Train again.") from error
