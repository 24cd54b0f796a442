"""Weights that the user imported: one folder per model, with the tensors and a JSON that says what they are.

The JSON is written last and names the file of tensors by its content: until it is there nothing has been imported, and
when it is replaced the new weights are there whole. It lies in `coverslip.files.weights_folder`.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from coverslip.errors import WeightsUnavailable
from coverslip.files import atomic_write, sha256_file, weights_folder, write_error, write_json
from coverslip.messages import ImportWeights
from coverslip.models.records import Normalization
from coverslip.models.weights.source import LocalWeights, Tensors, WeightsSource

FORMAT_VERSION = 1
_ABOUT = "weights.json"


class About(BaseModel):
    """What the JSON beside imported weights says."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)

    format_version: int = FORMAT_VERSION
    model: str
    source_file: str  # its name, without folders
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
        """Return the JSON's content.

        Raises:
            WeightsUnavailable: it is damaged or of a newer format.
        """
        try:
            about = cls.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise WeightsUnavailable("import-record-unreadable", file=file, remedies=(ImportWeights(),)) from error
        if about.format_version > FORMAT_VERSION:
            raise WeightsUnavailable("import-too-new", file=file)
        return about


def imported_models() -> tuple[str, ...]:
    """Return names of the models for which weights were imported, sorted."""
    root = weights_folder()
    names = (about.parent.relative_to(root).as_posix() for about in root.glob(f"**/{_ABOUT}"))
    return tuple(sorted(names))


def is_imported(name: str) -> bool:
    """Return whether weights were imported for a model."""
    return (_folder(name) / _ABOUT).is_file()


def imported_source(name: str) -> WeightsSource | None:
    """Return what is known about weights that were imported for a model, or None.

    Raises:
        WeightsUnavailable: what was written about them is damaged.
    """
    if not is_imported(name):
        return None
    folder = _folder(name)
    about = About.read(folder / _ABOUT)
    return WeightsSource(
        model=name,
        kind="imported",
        source=about.source_file,
        license=about.license,
        sha256=about.sha256,
        file=folder / Path(about.tensors_file).name,
        normalization=Normalization(about.mean, about.std),
    )


def read_imported(name: str) -> LocalWeights | None:
    """Return the weights that were imported for a model, or None.

    Raises:
        WeightsUnavailable: they are gone or not what was imported.
    """
    import safetensors.torch

    if not is_imported(name):
        return None
    folder = _folder(name)
    about = About.read(folder / _ABOUT)
    file = folder / Path(about.tensors_file).name
    if not file.is_file() or sha256_file(file) != about.tensors_sha256:
        raise WeightsUnavailable("imported-weights-changed", file=file, remedies=(ImportWeights(name),), model=name)
    return LocalWeights(name, safetensors.torch.load_file(file, device="cpu"), about.n_classes, file)


def store_imported(weights: LocalWeights, *, license: str | None, normalization: Normalization) -> WeightsSource:
    """Keep weights, in place of earlier ones of that model.

    Args:
        weights: as read from the user's file, which `weights.file` names.
        license: in the user's words.
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
    about = About(
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
    write_json(folder / _ABOUT, about.model_dump(mode="json"))
    for other in folder.glob("*.safetensors"):
        if other.name != file.name:
            other.unlink(missing_ok=True)
    source = imported_source(weights.model)
    assert source is not None  # it was just written
    return source


def remove_imported(name: str) -> None:
    """Forget the weights that were imported for a model.

    Raises:
        WeightsUnavailable: none were imported for it.
        CoverslipError: the folder cannot be written to.
    """
    names = imported_models()
    if name not in names:
        models = ", ".join(names)
        raise WeightsUnavailable("no-imported-weights", model=name, has_models=bool(models), models=models)
    folder = _folder(name)
    try:
        (folder / _ABOUT).unlink()  # from here on they are not imported any more
        for file in folder.glob("*.safetensors"):
            file.unlink()
    except OSError as error:
        raise write_error(folder, error) from error
    with suppress(OSError):  # other models below it, or a file of the user's
        folder.rmdir()


def _folder(name: str) -> Path:
    return weights_folder().joinpath(*name.split("/"))
