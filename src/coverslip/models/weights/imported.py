"""Weights that the user imported: one folder per model, with the tensors and a JSON file that describes them.

The folders are in `coverslip.files.weights_folder`. The JSON file is written last, and its name of the tensors' file
depends on the content: without the JSON file nothing is imported, and replacing it switches to the complete new
weights.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from coverslip.errors import WeightsUnavailable
from coverslip.files import atomic_write, sha256_file, weights_folder, write_error, write_json
from coverslip.messages import ImportWeights
from coverslip.models.records import LocalWeights, Normalization, Tensors, WeightsSource

FORMAT_VERSION = 1
_RECORD_FILE = "weights.json"


class ImportRecord(BaseModel):
    """The JSON file that describes imported weights."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)

    format_version: int = FORMAT_VERSION
    model: str
    source_file: str  # name without folders
    sha256: str  # of that file
    license: str | None
    imported: str  # date and time, UTC
    n_classes: int  # of the classifier; 0: there is none
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tensors_file: str
    tensors_sha256: str

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the JSON file.

        Raises:
            WeightsUnavailable: the file is damaged or has a newer format.
        """
        try:
            record = cls.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise WeightsUnavailable("import-record-unreadable", file=file, remedies=(ImportWeights(),)) from error
        if record.format_version > FORMAT_VERSION:
            raise WeightsUnavailable("import-too-new", file=file)
        return record


def imported_models() -> tuple[str, ...]:
    """Return the sorted names of the models with imported weights."""
    root = weights_folder()
    names = (record.parent.relative_to(root).as_posix() for record in root.glob(f"**/{_RECORD_FILE}"))
    return tuple(sorted(names))


def is_imported(name: str) -> bool:
    """Return whether weights were imported for a model."""
    return (_folder(name) / _RECORD_FILE).is_file()


def imported_source(name: str) -> WeightsSource | None:
    """Return the source of the weights that were imported for a model, or None.

    Raises:
        WeightsUnavailable: their JSON file is damaged.
    """
    if not is_imported(name):
        return None
    folder = _folder(name)
    record = ImportRecord.read(folder / _RECORD_FILE)
    return WeightsSource(
        model=name,
        kind="imported",
        source=record.source_file,
        license=record.license,
        sha256=record.sha256,
        file=folder / Path(record.tensors_file).name,
        normalization=Normalization(record.mean, record.std),
    )


def read_imported(name: str) -> LocalWeights | None:
    """Return the weights that were imported for a model, or None.

    Raises:
        WeightsUnavailable: the file is missing or was changed.
    """
    import safetensors.torch

    if not is_imported(name):
        return None
    folder = _folder(name)
    record = ImportRecord.read(folder / _RECORD_FILE)
    file = folder / Path(record.tensors_file).name
    if not file.is_file() or sha256_file(file) != record.tensors_sha256:
        raise WeightsUnavailable("imported-weights-changed", file=file, remedies=(ImportWeights(name),), model=name)
    return LocalWeights(name, safetensors.torch.load_file(file, device="cpu"), record.n_classes, file)


def store_imported(weights: LocalWeights, *, license: str | None, normalization: Normalization) -> WeightsSource:
    """Store weights, and replace earlier weights of the model.

    Args:
        weights: as read from the user's file `weights.file`.
        license: as the user states it.
        normalization: that the weights expect.

    Raises:
        CoverslipError: the folder cannot be written to.
    """
    import safetensors.torch

    folder, source_sha256 = _folder(weights.model), sha256_file(weights.file)
    file = folder / f"{source_sha256[:16]}.safetensors"
    plain: Tensors = {name: tensor.detach().contiguous().clone() for name, tensor in weights.tensors.items()}
    with atomic_write(file) as part:
        safetensors.torch.save_file(plain, part)
    record = ImportRecord(
        model=weights.model,
        source_file=weights.file.name,
        sha256=source_sha256,
        license=license,
        imported=datetime.now(UTC).isoformat(timespec="seconds"),
        n_classes=weights.n_classes,
        mean=normalization.mean,
        std=normalization.std,
        tensors_file=file.name,
        tensors_sha256=sha256_file(file),
    )
    write_json(folder / _RECORD_FILE, record.model_dump(mode="json"))
    for earlier in folder.glob("*.safetensors"):
        if earlier.name != file.name:
            earlier.unlink(missing_ok=True)
    source = imported_source(weights.model)
    assert source is not None  # written above
    return source


def remove_imported(name: str) -> None:
    """Delete the weights that were imported for a model.

    Raises:
        WeightsUnavailable: no weights were imported for the model.
        CoverslipError: the folder cannot be written to.
    """
    names = imported_models()
    if name not in names:
        models = ", ".join(names)
        raise WeightsUnavailable("no-imported-weights", model=name, has_models=bool(models), models=models)
    folder = _folder(name)
    try:
        (folder / _RECORD_FILE).unlink()  # without this file the weights no longer count as imported
        for file in folder.glob("*.safetensors"):
            file.unlink()
    except OSError as error:
        raise write_error(folder, error) from error
    with suppress(OSError):  # subfolders of other models, or files of the user
        folder.rmdir()


def _folder(name: str) -> Path:
    return weights_folder().joinpath(*name.split("/"))
