"""`classifier/`, or the same in one file: a trained network with all that is needed to use it.

Nothing in it can run code, and all of it may be untrusted: sizes are checked before anything is read.

Nothing is extracted: entries are read by their exact names, and only as many bytes as the reader asks for.
"""

import hashlib
import json
import math
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from coverslip.archives import Limits, open_archive
from coverslip.datasets import DECISIONS
from coverslip.errors import BadArchive, BadClassifier, CoverslipError
from coverslip.evaluation.ood import FeatureStatistics
from coverslip.files import access_fault, atomic_write, write_bytes, write_text
from coverslip.images import Depth, Preprocessing
from coverslip.keys import bounded_options
from coverslip.messages import Resume, text

_BEGINNING_OF_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
_LARGEST_ZIP = 2**31 - 1  # beyond it zips are of another kind
_LIMITS = Limits(
    max_entries=64,
    max_directory_bytes=64 * 1024,
    max_ratio=20,  # trained weights hardly shrink
    min_ratio_bytes=1024 * 1024,
    allows_zip64=False,
)


def write_archive(file: Path, entries: Mapping[str, bytes]) -> None:
    """Write a zip, whole or not at all; equal entries give equal bytes.

    Raises:
        CoverslipError: it would be too large for a zip, or cannot be written.
    """
    if sum(map(len, entries.values())) > _LARGEST_ZIP - _LIMITS.max_directory_bytes:
        raise CoverslipError("classifier-too-large", file=file)
    with atomic_write(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, _BEGINNING_OF_ZIP_TIME)
            entry.create_system = 3  # Unix, whatever wrote it
            entry.external_attr = _PLAIN_FILE
            archive.writestr(entry, data)


@contextmanager
def opened_entry(file: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """One entry to read from, and how many bytes it says it has. Others with harmless names are ignored.

    Raises:
        BadClassifier: the file is no zip, is damaged, lacks the entry, or holds what no export writes.
    """
    try:
        with open_archive(file, _LIMITS) as (archive, entries):
            info = next((entry.info for entry in entries if str(entry.name) == name), None)
            if info is None:
                raise _bad(text("archive-without-entry", name=name), file)
            with archive.open(info) as stream:
                yield stream, info.file_size
    except BadArchive as error:
        raise _bad(error.why, file) from error
    except OSError as error:
        raise _bad(text("archive-not-readable", reason=str(error)), file) from error


def _bad(reason: str, file: Path) -> BadClassifier:
    return BadClassifier("not-a-packaged-classifier", file=file, reason=reason)


Tensors = dict[str, npt.NDArray[Any]]  # Any: each tensor's own dtype

CARD, WEIGHTS, OOD_FILE = "classifier.json", "weights.safetensors", "ood.safetensors"

CalibrationImages = Literal["validation images", "held-out training images", "the folds' images"]

_FARTHEST = 1e6  # for images that make numbers beyond what a computer can hold
_LARGEST_CARD = 256 * 1024  # bytes; a usual one has 2,000, one with 1,000 classes 30,000
_LARGEST_HEADER = 2 * 1024 * 1024  # of the weights: room for 20,000 tensors
_BYTES_EACH = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "U8": 1, "I8": 1, "I16": 2, "I32": 4, "I64": 8, "BOOL": 1}
_MOST_DIGITS = 18  # of a number in that list: no file has more bytes
_MOST_AXES = 8  # of a tensor
_CHUNK = 1024 * 1024
_BUFFERS = frozenset({"mean", "std", "running_mean", "running_var", "num_batches_tracked"})


class TrainedOn(BaseModel):
    """What the classifier has seen, so that a user can judge what it is good for."""

    model_config = ConfigDict(frozen=True)

    n_images: int
    n_groups: int | None
    width_px: tuple[int, int] = Field(description="Smallest and largest.")
    height_px: tuple[int, int] = Field(description="Smallest and largest.")
    usual_area_px: int = Field(gt=0, description="Width times height that 99 of 100 training images do not exceed.")
    dtypes: tuple[Depth, ...]
    channels: tuple[int, ...] = Field(description="Channels met; an image is gray (1) where all of them are equal.")


class OodThreshold(BaseModel):
    """How far images like those of training lie from them, by the network's features."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    usual: float = Field(description="The distance that half of such images exceed.")
    limit: float = Field(description="The distance beyond which an image is called unfamiliar.")
    n: int = Field(ge=1, description="Images that both come from; the network was not trained on them.")
    n_beyond: int = Field(ge=0, description="Of these, those beyond the limit.")
    calibrated_on: CalibrationImages

    @model_validator(mode="after")
    def _usual_is_within(self) -> "OodThreshold":
        if self.usual >= self.limit:
            raise ValueError(text("usual-distance-beyond-limit"))
        return self

    def ood_score(self, distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """0 for what is usual, above 1 unfamiliar."""
        far = (distance - self.usual) / (self.limit - self.usual)
        return np.clip(np.nan_to_num(far, nan=_FARTHEST), -_FARTHEST, _FARTHEST)

    def distance(self, ood_score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The inverse."""
        return self.usual + ood_score * (self.limit - self.usual)


class ClassifierCard(BaseModel):
    """`classifier.json`: everything that prediction needs besides the weights."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format_version: Literal[1] = 1
    model: str
    model_options: Annotated[dict[str, Any], AfterValidator(bounded_options)]  # Any: the architecture checks them
    head: Literal["multi_layer", "native"]
    tta: int = Field(ge=1, le=8)
    classes: tuple[str, ...] = Field(min_length=2)
    prior: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        description="The share of each class that its probabilities take for granted."
    )
    preprocessing: Preprocessing
    temperature: float = Field(gt=0, description="Logits are divided by it before the softmax.")
    operating_points: tuple[Annotated[float, Field(gt=0, lt=1)], ...] | None = Field(
        default=None,
        description="A threshold for each class: the one whose probability is largest in proportion to its threshold "
        "is predicted. null predicts the most probable class.",
    )
    uncertain_below: float = Field(
        ge=0, le=1, description="Where the predicted class has a lower probability, the decision is `uncertain`."
    )
    set_floors: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = Field(
        default=None,
        description="The probability from which on each class is in an image's prediction set; 0 (in every set) where "
        "it had too few images to learn that from, null where all had.",
    )
    trained_on: TrainedOn
    ood: OodThreshold | None = Field(
        default=None, description="What makes an image unfamiliar; null where too few images could tell."
    )
    must_not_be_used_for: str = (
        "Diagnosis or treatment of patients. Images from another microscope, stain, species or preparation than it "
        "was trained and tested on, unless it has been evaluated on such images first."
    )

    @field_validator("classes")
    @classmethod
    def _each_class_is_one(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError(text("equal-class-names"))
        if reserved := DECISIONS.intersection(classes):
            raise ValueError(text("reserved-class-name", name=min(reserved)))
        return classes

    @field_validator("preprocessing")
    @classmethod
    def _names_no_files(cls, preprocessing: Preprocessing) -> Preprocessing:
        if preprocessing.plan.other_files:  # of one image; for all images they would name files of the user
            raise ValueError(text("card-names-files"))
        return preprocessing

    @model_validator(mode="after")
    def _a_threshold_for_each_class(self) -> "ClassifierCard":
        n = len(self.classes)
        if self.operating_points is not None and len(self.operating_points) != n:
            raise ValueError(text("operating-points-mismatch", n_points=len(self.operating_points), n_classes=n))
        if self.set_floors is not None and len(self.set_floors) != n:
            raise ValueError(text("set-floors-mismatch", n_floors=len(self.set_floors), n_classes=n))
        if len(self.prior) != n:
            raise ValueError(text("prior-mismatch", n_proportions=len(self.prior), n_classes=n))
        return self


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """What a file of weights says about one tensor."""

    dtype: str  # as safetensors names it: F32, I64
    shape: tuple[int, ...]


@dataclass(frozen=True)
class PackedClassifier:
    """A packaged classifier whose weights were checked, but not read."""

    place: Path  # a folder, or a `.coverslip` file
    card: ClassifierCard
    tensors: Mapping[str, TensorFacts]

    @property
    def n_parameters(self) -> int:
        """The number of the network's parameters; buffers such as the statistics of batch norms are not counted."""
        return sum(
            math.prod(tensor.shape)
            for name, tensor in self.tensors.items()
            if name.rpartition(".")[2] not in _BUFFERS and tensor.dtype.startswith("F")
        )

    def read_weights(self) -> Tensors:
        """All tensors. They are as large as `tensors` says: see first that the network needs them so.

        Raises:
            BadClassifier: they are damaged, or no finite numbers.
        """
        return self._read(WEIGHTS)

    def read_ood_statistics(self) -> FeatureStatistics | None:
        """Where training images lie among the network's features; None where that is not known.

        Raises:
            BadClassifier: the statistics are damaged, or do not fit the network.
        """
        if self.card.ood is None:
            return None
        with _opened(self.place, OOD_FILE) as (stream, size):
            tensors = _read_header(stream, size, self.place)
        head = self.tensors.get("head.weight", TensorFacts("F32", (0, 0))).shape
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        if {tensor.dtype for tensor in tensors.values()} != {"F32"} or not FeatureStatistics.shapes_fit(
            shapes, head[-1], len(self.card.classes)
        ):
            raise BadClassifier("weights-statistics-mismatch", file=self.place)
        return FeatureStatistics(**self._read(OOD_FILE))

    def _read(self, file: str) -> Tensors:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        with _opened(self.place, file) as (stream, size):
            data = _read(stream, size, self.place)
        try:
            tensors: Tensors = load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise BadClassifier("weights-not-readable", file=self.place, reason=str(error)) from error
        for name, tensor in tensors.items():
            if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                raise BadClassifier("classifier-weights-not-finite", file=self.place, tensor=name)
        return tensors


def write_classifier(
    folder: Path, card: ClassifierCard, weights: Tensors, familiar: FeatureStatistics | None = None
) -> None:
    """Write `classifier.json` and the arrays beside it; equal arrays give equal bytes."""
    from safetensors.numpy import save

    write_bytes(folder / WEIGHTS, save(dict(sorted(weights.items()))))
    if familiar is not None:
        write_bytes(folder / OOD_FILE, save(dict(sorted(familiar.arrays().items()))))
    write_card(folder, card)


def write_card(folder: Path, card: ClassifierCard) -> None:
    """Write `classifier.json`; the weights beside it stay what they are."""
    write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")


def find_classifier(path: os.PathLike[str] | str) -> Path:
    """Where the classifier lies: the `classifier/` of a run, such a folder itself, or a `.coverslip` file.

    Raises:
        BadClassifier: there is none.
    """
    place = Path(path)
    if (reason := access_fault(place)) is not None:
        raise BadClassifier("classifier-path-closed", file=place, reason=reason)
    if (place / "classifier").is_dir():
        place = place / "classifier"
    elif (place / "recipe.yaml").exists():
        raise BadClassifier("run-without-classifier", file=place, remedies=(Resume(str(place)),))
    if not place.is_file() and not (place / CARD).exists():
        raise BadClassifier("no-classifier", file=place)
    return place


def open_classifier(place: Path) -> PackedClassifier:
    """The card of a packaged classifier, and what its weights are like; memory does not grow with their size.

    Args:
        place: as `find_classifier` gives it.

    Raises:
        BadClassifier: a file is missing, damaged, or of a newer format.
    """
    card = card_of(place)
    with _opened(place, WEIGHTS) as (stream, size):
        return PackedClassifier(place, card, _read_header(stream, size, place))


def card_of(place: Path) -> ClassifierCard:
    """Return the card of a packaged classifier; its weights are not read.

    Raises:
        BadClassifier: the card is missing, damaged, or of a newer format.
    """
    with _opened(place, CARD) as (stream, size):
        if size > _LARGEST_CARD:
            raise BadClassifier("card-too-large", file=place, name=CARD, n_bytes=size)
        data = _read(stream, size, place)
    try:
        return ClassifierCard.model_validate_json(data)
    except ValidationError as error:
        raise _bad_card(error, place) from error


def fingerprint_of(path: os.PathLike[str] | str) -> str:
    """Hex SHA-256 of a classifier's weights: equal training, equal fingerprint."""
    with _opened(find_classifier(path), WEIGHTS) as (stream, _):
        digest = hashlib.sha256()
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def stamp_of(path: os.PathLike[str] | str) -> int:
    """Changes when another classifier is written there: ns since 1970; 0 where there is none."""
    try:
        place = find_classifier(path)
        return (place if place.is_file() else place / CARD).stat().st_mtime_ns
    except (BadClassifier, OSError):
        return 0


def export_classifier(path: os.PathLike[str] | str, file: Path) -> None:
    """Write a classifier as one file; an equal classifier gives equal bytes.

    Raises:
        BadClassifier: there is none, or it is damaged.
        CoverslipError: the file cannot be written.
    """
    place = find_classifier(path)
    packed = open_classifier(place)
    packed.read_weights()  # a damaged classifier is not exported
    familiar = packed.read_ood_statistics()
    entries = {}
    for name in (CARD, WEIGHTS) if familiar is None else (CARD, WEIGHTS, OOD_FILE):
        with _opened(place, name) as (stream, size):
            entries[name] = _read(stream, size, place)
    write_archive(file, entries)


@contextmanager
def _opened(place: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """A part of a packaged classifier to read from, and its size in bytes."""
    if place.is_file():
        with opened_entry(place, name) as entry:
            yield entry
        return
    if not (place / name).is_file():
        raise BadClassifier("no-classifier-file", file=place / name)
    try:
        with (place / name).open("rb") as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise BadClassifier("classifier-file-not-readable", file=place / name, reason=str(error)) from error


def _read(stream: IO[bytes], n: int, place: Path) -> bytes:
    """Exactly the next n bytes, by and by: a zip's entry would else be unpacked at once, whatever comes out."""
    data = bytearray()
    while len(data) < n:
        chunk = stream.read(min(_CHUNK, n - len(data)))
        if not chunk:
            raise BadClassifier("classifier-truncated", file=place)
        data += chunk
    return bytes(data)


def _read_header(stream: IO[bytes], size: int, place: Path) -> dict[str, TensorFacts]:
    """What the weights' own list says, once it agrees with their size."""
    n_header = int.from_bytes(_read(stream, 8, place), "little") if size >= 8 else size
    if n_header > min(_LARGEST_HEADER, size - 8):
        raise BadClassifier("weights-truncated", file=place)
    try:
        listed = json.loads(_read(stream, n_header, place), parse_int=_size_of)
        tensors = {
            name: TensorFacts(str(about["dtype"]), _shape_of(about))
            for name, about in listed.items()
            if name != "__metadata__"
        }
        n_bytes = sum(_BYTES_EACH[tensor.dtype] * math.prod(tensor.shape) for tensor in tensors.values())
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise BadClassifier("weights-header-damaged", file=place, reason=reason) from error
    if n_bytes != size - 8 - n_header:
        raise BadClassifier("weights-size-mismatch", file=place)
    return tensors


def _size_of(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(text("too-many-digits", n_digits=len(digits), limit=_MOST_DIGITS))
    return int(digits)


def _shape_of(about: Mapping[str, Any]) -> tuple[int, ...]:  # Any: JSON values
    shape = about["shape"]
    are_sizes = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    if not are_sizes or len(shape) > _MOST_AXES:
        raise ValueError(text("not-a-shape", limit=_MOST_AXES))
    return tuple(shape)


def _bad_card(error: ValidationError, file: Path) -> BadClassifier:
    fault = error.errors()[0]
    if fault["loc"] == ("format_version",):
        return BadClassifier("newer-classifier-format", file=file, version=str(fault["input"]))
    place = ".".join(str(part) for part in fault["loc"])
    reason = f"{place}: {fault['msg']}" if place else str(fault["msg"])
    return BadClassifier("damaged-card", file=file, reason=reason)
