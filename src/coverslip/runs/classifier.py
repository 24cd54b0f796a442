"""The packaged classifier: a trained network with its card, as a folder or one file.

A classifier contains no code. It may come from an untrusted source, so that sizes are checked before reading. Zip files
are not extracted: entries are read by their exact names, and only as many bytes as needed.
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
from pydantic import AfterValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from coverslip.cache.file_hashes import FileState, state_of
from coverslip.datasets.index.records import DECISIONS
from coverslip.documented_fields import DocumentedModel
from coverslip.errors import BadArchive, BadClassifier, CoverslipError
from coverslip.evaluation.ood import FeatureStatistics
from coverslip.files import (
    ArchiveLimits,
    access_fault,
    atomic_write,
    open_archive,
    sha256_json,
    write_bytes,
    write_text,
)
from coverslip.images.preprocessing import Depth, Matching, Preprocessing, Rescaling
from coverslip.images.reader import PIXEL_SIZE_FACTOR, PixelSize, PixelSizeUm, pixel_side
from coverslip.keys import bounded_options
from coverslip.messages import ENGLISH, Resume, in_language, text
from coverslip.objects.finders import FinderRecord

_EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
_LARGEST_ZIP = 2**31 - 1  # larger files need the zip64 format
_LIMITS = ArchiveLimits(
    max_entries=64,
    max_directory_bytes=64 * 1024,
    max_ratio=20,  # trained weights compress hardly
    min_ratio_bytes=1024 * 1024,
    allows_zip64=False,
)


def write_archive(file: Path, entries: Mapping[str, bytes]) -> None:
    """Write a zip, completely or not at all. Equal entries give equal bytes.

    Raises:
        CoverslipError: the entries are too large for a zip, or the file cannot be written.
    """
    if sum(map(len, entries.values())) > _LARGEST_ZIP - _LIMITS.max_directory_bytes:
        raise CoverslipError("classifier-too-large", file=file)
    with atomic_write(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, _EARLIEST_ZIP_TIME)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = _PLAIN_FILE
            archive.writestr(entry, data)


@contextmanager
def opened_entry(file: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """Open one entry, and yield its stream and stated size in bytes. Other entries with harmless names are ignored.

    Raises:
        BadClassifier: the file is not a zip, is damaged, lacks the entry, or contains entries that no export writes.
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
DELIVERED_HEAD = "delivered_head.safetensors"  # fitted on all images; that of the weights is the tested one
METRICS, EVIDENCE = "metrics.json", "evidence.json"  # of the run, in `.coverslip` files

CalibrationImages = Literal["validation images", "held-out training images", "the folds' images"]

LARGEST_SCORE = 1e6  # for images whose features overflow
_LARGEST_CARD = 256 * 1024  # bytes; a typical card has 2,000, one with 1,000 classes 30,000
_LARGEST_HEADER = 2 * 1024 * 1024  # bytes of the weights' header: enough for 20,000 tensors
_BYTES_EACH = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "U8": 1, "I8": 1, "I16": 2, "I32": 4, "I64": 8, "BOOL": 1}
_MOST_DIGITS = 18  # of a number in that header: no file has more bytes
_LARGEST_RESULT = 8 * 2**20  # bytes; metrics of 1,000 classes have 3 million
_MOST_AXES = 8  # of a tensor
_CHUNK = 1024 * 1024
_BUFFERS = frozenset({"mean", "std", "running_mean", "running_var", "num_batches_tracked", "expected"})


FIELD_FACTOR = 9.0  # images with the area of so many training images may be a whole field of view
_SIZE_FACTOR = 1.1  # images whose widths and heights differ by less have one size


class TrainedOn(DocumentedModel):
    """Number, sizes and formats of the training images, which limit what the classifier can be used for."""

    model_config = ConfigDict(frozen=True)

    n_images: int
    """To which the last layer is fitted: of the training and validation set, or all."""
    n_groups: int | None
    n_ungrouped: int = 0
    """Of these images, those without a group, if groups are known."""
    width_px: tuple[int, int]
    """Smallest and largest."""
    height_px: tuple[int, int]
    """Smallest and largest."""
    pixel_size_um: tuple[PixelSizeUm, PixelSizeUm] | None = None
    """Median width and height of a pixel in µm of the training images whose size is known; null: none."""
    pixel_side_um: tuple[PixelSizeUm, PixelSizeUm] | None = None
    """Smallest and largest side of a pixel in µm, the square root of its width times its height."""
    usual_area_px: int = Field(gt=0)
    """99% quantile of width times height of the training images."""
    dtypes: tuple[Depth, ...]
    channels: tuple[int, ...]
    """Numbers of channels; an image with equal channels counts as gray (1)."""

    def rescaling(self) -> Rescaling:
        """Return the rescaling of images to the pixel size of the training images.

        Raises:
            CoverslipError: their pixel size is unknown.
        """
        if self.pixel_size_um is None:
            raise CoverslipError("no-pixel-size-of-training")
        sides = (self.width_px, self.height_px)
        is_one_size = all(largest <= _SIZE_FACTOR * smallest for smallest, largest in sides)
        return Rescaling(self.pixel_size_um, (self.width_px[1], self.height_px[1]) if is_one_size else None)

    def is_field(self, width_px: int, height_px: int) -> bool:
        """Return whether an image is so much larger than training images that it may be a whole field of view.

        If these are objects, it is one. A single large object among them does not hide that.
        """
        return width_px * height_px >= FIELD_FACTOR * self.usual_area_px

    def has_other_pixel_size(self, pixel_size_um: PixelSize) -> bool:
        """Return whether a pixel size differs by more than 10% from those of the training images."""
        if self.pixel_side_um is None:
            return False
        low, high = self.pixel_side_um
        return not low / PIXEL_SIZE_FACTOR <= pixel_side(pixel_size_um) <= high * PIXEL_SIZE_FACTOR


class OodThreshold(DocumentedModel):
    """Reference distances for the out-of-distribution score: how far images like the training images are from these."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    usual: float
    """Median distance."""
    limit: float
    """Distance beyond which an image is `unfamiliar`."""
    n: int = Field(ge=1)
    """Number of images of the reference; the network was not trained on them."""
    n_beyond: int = Field(ge=0)
    """Number of these images beyond the limit."""
    calibrated_on: CalibrationImages

    @model_validator(mode="after")
    def _usual_is_within(self) -> "OodThreshold":
        if self.usual >= self.limit:
            raise ValueError(text("usual-distance-beyond-limit"))
        return self

    def ood_score(self, distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the out-of-distribution scores of distances: 0 is typical, above 1 is unfamiliar."""
        score = (distance - self.usual) / (self.limit - self.usual)
        return np.clip(np.nan_to_num(score, nan=LARGEST_SCORE), -LARGEST_SCORE, LARGEST_SCORE)

    def distance(self, ood_score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the distances of out-of-distribution scores, the inverse of `ood_score`."""
        return self.usual + ood_score * (self.limit - self.usual)


class TestedHead(DocumentedModel):
    """What differs in the classifier whose test metrics are known, if the delivered one is fitted on all images."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    temperature: float = Field(gt=0)
    prior: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    n_images: int = Field(ge=1)
    n_groups: int | None
    n_ungrouped: int


def default_limits() -> str:
    """Return what a classifier must not be used for, in English as all files."""
    with in_language(ENGLISH):
        return text("classifier-limits")


class ClassifierCard(DocumentedModel):
    """`classifier.json`: everything that prediction needs in addition to the weights."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format_version: Literal[1] = 1
    model: str
    model_options: Annotated[dict[str, Any], AfterValidator(bounded_options)]  # Any: the architecture checks them
    head: Literal["multi_layer", "native"]
    tta: int = Field(ge=1, le=8)
    classes: tuple[str, ...] = Field(min_length=2)
    prior: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    """Class proportions that the probabilities assume."""
    preprocessing: Preprocessing
    temperature: float = Field(gt=0)
    """Logits are divided by it before the softmax."""
    operating_points: tuple[Annotated[float, Field(gt=0, lt=1)], ...] | None = None
    """Threshold of each class. The class with the largest ratio of probability to threshold is predicted. null predicts
    the most probable class."""
    uncertain_below: float = Field(ge=0, le=1)
    """If the predicted class has a lower probability, the decision is `uncertain`."""
    set_floors: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = None
    """Smallest probability at which each class is in the prediction set. 0 (always in the set) for a class with too few
    images to determine it; null if all classes have too few."""
    trained_on: TrainedOn
    of_objects: bool = False
    """Whether all training images were objects in fields of view."""
    finder: FinderRecord | None = None
    """Of the objects of the training; null: they were read from files, or found with several settings."""
    ood: OodThreshold | None = None
    """Reference for the out-of-distribution score; null if there were too few images for it."""
    tested: TestedHead | None = None
    """The temperature, the prior and the numbers of training images of the tested classifier, whose last layer is in
    the weights. The delivered one, fitted on all images, is in a file of its own. null: the delivered classifier is the
    tested one."""
    home_matching: Matching | None = None
    """Of a classifier that was adapted to another laboratory: the matching of its training and test images, which can
    differ from that of `preprocessing`. null: it was not adapted."""
    is_checked: bool = True
    """Whether labels of images like those to predict have been compared with predictions. If not, since a classifier
    was adapted without labels, decisions are `uncertain` or `unfamiliar`."""
    sha256: dict[str, str] = Field(default_factory=dict)
    """Of the other files of the classifier, by name; compared when they are read."""
    must_not_be_used_for: str = Field(default_factory=default_limits)

    @field_validator("classes")
    @classmethod
    def _classes_are_unique(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError(text("equal-class-names"))
        if reserved := {*DECISIONS}.intersection(classes):
            raise ValueError(text("reserved-class-name", name=min(reserved)))
        return classes

    @field_validator("preprocessing")
    @classmethod
    def _has_no_file_names(cls, preprocessing: Preprocessing) -> Preprocessing:
        if preprocessing.plan.other_files:  # they belong to single images, and would disclose file names
            raise ValueError(text("card-names-files"))
        return preprocessing

    @model_validator(mode="after")
    def _fits_classes(self) -> "ClassifierCard":
        n = len(self.classes)
        if self.operating_points is not None and len(self.operating_points) != n:
            raise ValueError(text("operating-points-mismatch", n_points=len(self.operating_points), n_classes=n))
        if self.set_floors is not None and len(self.set_floors) != n:
            raise ValueError(text("set-floors-mismatch", n_floors=len(self.set_floors), n_classes=n))
        for prior in (self.prior, *([] if self.tested is None else [self.tested.prior])):
            if len(prior) != n:
                raise ValueError(text("prior-mismatch", n_proportions=len(prior), n_classes=n))
        return self

    def of_tested(self) -> "ClassifierCard":
        """Return the card of the tested classifier, whose last layer is in the weights, for the test images."""
        card = self
        if self.home_matching is not None:
            matching = None if self.home_matching == Matching() else self.home_matching
            preprocessing = self.preprocessing.model_copy(update={"matching": matching})
            card = self.model_copy(update={"preprocessing": preprocessing, "is_checked": True})
        if self.tested is None:
            return card
        numbers = self.tested.model_dump(include={"n_images", "n_groups", "n_ungrouped"})
        return card.model_copy(
            update={
                "temperature": self.tested.temperature,
                "prior": self.tested.prior,
                "trained_on": self.trained_on.model_copy(update=numbers),
                "tested": None,
                "sha256": {name: sha256 for name, sha256 in self.sha256.items() if name != DELIVERED_HEAD},
            }
        )

    def delivered(self, temperature: float, prior: tuple[float, ...], trained_on: TrainedOn) -> "ClassifierCard":
        """Return the card of a classifier with another last layer, fitted on more images; this one is the tested."""
        tested = TestedHead(
            temperature=self.temperature,
            prior=self.prior,
            n_images=self.trained_on.n_images,
            n_groups=self.trained_on.n_groups,
            n_ungrouped=self.trained_on.n_ungrouped,
        )
        update = {"temperature": temperature, "prior": prior, "trained_on": trained_on, "tested": tested}
        return self.model_copy(update=update)


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """Type and shape of one tensor by the header of a weights file."""

    dtype: str  # name in safetensors, such as F32 or I64
    shape: tuple[int, ...]


@dataclass(frozen=True)
class PackedClassifier:
    """A packaged classifier. The header of its weights is checked, and the weights are not read yet."""

    path: Path  # a folder, or a `.coverslip` file
    card: ClassifierCard
    tensors: Mapping[str, TensorFacts]

    @property
    def n_parameters(self) -> int:
        """The number of the network's parameters, without buffers such as the statistics of batch normalization."""
        return sum(
            math.prod(tensor.shape)
            for name, tensor in self.tensors.items()
            if name.rpartition(".")[2] not in _BUFFERS and tensor.dtype.startswith("F")
        )

    def read_weights(self) -> Tensors:
        """Read all tensors. They have the sizes in `tensors`, which the caller first compares with the network.

        Raises:
            BadClassifier: a file is damaged, or weights are not finite.
        """
        weights = self._read(WEIGHTS)
        return weights if self.card.tested is None else weights | self._read_delivered_head()

    def read_head(self) -> Tensors:
        """Read `head.weight` and `head.bias`.

        Raises:
            BadClassifier: as of `read_weights`.
        """
        return self._read(WEIGHTS) if self.card.tested is None else self._read_delivered_head()

    def check_small_files(self) -> None:
        """Check the hashes of the files beside the weights, which are used after the first prediction.

        Raises:
            BadClassifier: a file is missing or damaged.
        """
        used = {OOD_FILE: self.card.ood is not None, DELIVERED_HEAD: self.card.tested is not None}
        for name in (name for name, is_used in used.items() if is_used):
            _checked_sha256(self.path, self.card, name)

    def _read_delivered_head(self) -> Tensors:
        with _open_member(self.path, DELIVERED_HEAD) as (stream, size):
            tensors = _read_header(stream, size, self.path)
        if tensors != {name: self.tensors.get(name) for name in ("head.weight", "head.bias")}:
            raise BadClassifier("delivered-head-mismatch", file=self.path)
        return self._read(DELIVERED_HEAD)

    def read_ood_statistics(self) -> FeatureStatistics | None:
        """Read the feature statistics of training images; None if the card has no out-of-distribution reference.

        Raises:
            BadClassifier: the statistics are damaged, or do not fit the network.
        """
        if self.card.ood is None:
            return None
        with _open_member(self.path, OOD_FILE) as (stream, size):
            tensors = _read_header(stream, size, self.path)
        head = self.tensors.get("head.weight", TensorFacts("F32", (0, 0))).shape
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        if {tensor.dtype for tensor in tensors.values()} != {"F32"} or not FeatureStatistics.shapes_fit(
            shapes, head[-1], len(self.card.classes)
        ):
            raise BadClassifier("weights-statistics-mismatch", file=self.path)
        return FeatureStatistics(**self._read(OOD_FILE))

    def _read(self, file: str) -> Tensors:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        with _open_member(self.path, file) as (stream, size):
            data = _read_exactly(stream, size, self.path)
        _check_sha256(self.path, self.card, file, hashlib.sha256(data).hexdigest())
        try:
            tensors: Tensors = load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise BadClassifier("weights-not-readable", file=self.path, reason=str(error)) from error
        for name, tensor in tensors.items():
            if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                raise BadClassifier("classifier-weights-not-finite", file=self.path, tensor=name)
        return tensors


def write_classifier(
    folder: Path, card: ClassifierCard, weights: Tensors, statistics: FeatureStatistics | None = None
) -> None:
    """Write the card, the weights and the feature statistics. Equal arrays give equal bytes."""
    sha256 = {WEIGHTS: _write_tensors(folder / WEIGHTS, weights)}
    if statistics is not None:
        sha256[OOD_FILE] = _write_tensors(folder / OOD_FILE, dict(statistics.arrays()))
    write_card(folder, card.model_copy(update={"sha256": sha256}))
    (folder / DELIVERED_HEAD).unlink(missing_ok=True)  # of this training before it was resumed


def write_delivered_head(folder: Path, card: ClassifierCard, head: Tensors) -> None:
    """Write the last layer that is fitted on all images, then the card, from which on it is used."""
    sha256 = {**card.sha256, DELIVERED_HEAD: _write_tensors(folder / DELIVERED_HEAD, head)}
    write_card(folder, card.model_copy(update={"sha256": sha256}))


def write_adapted(
    folder: Path, card: ClassifierCard, statistics: FeatureStatistics | None, head: Tensors | None
) -> None:
    """Replace the card, and the feature statistics and the last layer unless they are None, of a classifier."""
    sha256 = dict(card.sha256)
    if head is not None:
        weights = open_classifier(folder, tested=True)._read(WEIGHTS)
        sha256[WEIGHTS] = _write_tensors(folder / WEIGHTS, weights | head)
    if statistics is not None:
        sha256[OOD_FILE] = _write_tensors(folder / OOD_FILE, dict(statistics.arrays()))
    write_card(folder, card.model_copy(update={"sha256": sha256}))


def _write_tensors(file: Path, tensors: Tensors) -> str:
    """Write tensors, and return the SHA-256 of the file."""
    from safetensors.numpy import save

    # safetensors writes numbers in the order in which they are in memory.
    data = save({name: np.asarray(tensors[name], order="C") for name in sorted(tensors)})
    write_bytes(file, data)
    return hashlib.sha256(data).hexdigest()


def _check_sha256(path: Path, card: ClassifierCard, name: str, sha256: str) -> None:
    if card.sha256.get(name) != sha256:
        raise BadClassifier("classifier-file-damaged", file=path if path.is_file() else path / name, name=name)


def write_card(folder: Path, card: ClassifierCard) -> None:
    """Write `classifier.json`. The weights are not changed."""
    write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")


def find_classifier(path: os.PathLike[str] | str) -> Path:
    """Return the path of a classifier: the `classifier/` of a run, such a folder itself, or a `.coverslip` file.

    Raises:
        BadClassifier: there is no classifier.
    """
    path = Path(path)
    if (reason := access_fault(path)) is not None:
        raise BadClassifier("classifier-path-closed", file=path, reason=reason)
    if (path / "classifier").is_dir():
        path = path / "classifier"
    elif (path / "recipe.yaml").exists():
        raise BadClassifier("run-without-classifier", file=path, remedies=(Resume(str(path)),))
    if not path.is_file() and not (path / CARD).exists():
        raise BadClassifier("no-classifier", file=path)
    return path


def open_classifier(path: Path, *, tested: bool = False) -> PackedClassifier:
    """Read the card of a packaged classifier, and the header of its weights. Memory does not depend on their size.

    Args:
        path: from `find_classifier`.
        tested: the classifier whose test metrics are known, in place of the delivered one, which was also fitted on
            the test images.

    Raises:
        BadClassifier: a file is missing, damaged, or of a newer format.
    """
    card = card_of(path).of_tested() if tested else card_of(path)
    with _open_member(path, WEIGHTS) as (stream, size):
        return PackedClassifier(path, card, _read_header(stream, size, path))


def card_of(path: Path) -> ClassifierCard:
    """Read the card of a packaged classifier, without its weights.

    Raises:
        BadClassifier: the card is missing, damaged, or of a newer format.
    """
    with _open_member(path, CARD) as (stream, size):
        if size > _LARGEST_CARD:
            raise BadClassifier("card-too-large", file=path, name=CARD, n_bytes=size)
        data = _read_exactly(stream, size, path)
    try:
        return ClassifierCard.model_validate_json(data)
    except ValidationError as error:
        raise _bad_card(error, path) from error


def weights_do_not_fit(packed: PackedClassifier) -> BadClassifier:
    """Return the error for weights that do not fit the network or the classes of the card."""
    card = packed.card
    return BadClassifier(
        "classifier-weights-do-not-fit", file=packed.path, model=card.model, n_classes=len(card.classes)
    )


def fingerprint_of(path: os.PathLike[str] | str, *, tested: bool = False) -> str:
    """Return a hash of a classifier's weights in hexadecimal. Equal trainings have equal fingerprints.

    Args:
        path: as of `find_classifier`.
        tested: as of `open_classifier`. The network before its last layer is the same.

    Raises:
        BadClassifier: a file is damaged.
    """
    path = find_classifier(path)
    card = card_of(path)
    weights = _checked_sha256(path, card, WEIGHTS)
    if tested or card.tested is None:
        return weights
    return sha256_json([weights, _checked_sha256(path, card, DELIVERED_HEAD)])


def _checked_sha256(path: Path, card: ClassifierCard, name: str) -> str:
    digest = hashlib.sha256()
    with _open_member(path, name) as (stream, _):
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    _check_sha256(path, card, name, digest.hexdigest())
    return digest.hexdigest()


def identity_of(path: os.PathLike[str] | str, card: "ClassifierCard", *, is_rescaled: bool = False) -> str:
    """Return a code of all that predictions and decisions follow from, for the column `classifier` of predictions.

    Args:
        path: the packaged classifier, for its weights.
        card: its settings as used, with its thresholds and the class proportions that it assumes.
        is_rescaled: whether images are rescaled to the pixel size of the training images.
    """
    without = {"tested"} if card.tested is None else set()  # as before there was a second head
    return sha256_json([fingerprint_of(path), card.model_dump(mode="json", exclude=without), is_rescaled])[:16]


def state_of_classifier(path: os.PathLike[str] | str) -> FileState | None:
    """Return what changes if a classifier is replaced; None if there is none."""
    try:
        path = find_classifier(path)
    except (BadClassifier, OSError):
        return None
    return state_of(path if path.is_file() else path / CARD)


def export_classifier(path: os.PathLike[str] | str, file: Path) -> None:
    """Write a classifier as one file, with the metrics and the evidence of its run. Equal content gives equal bytes.

    Raises:
        BadClassifier: there is no classifier, or it is damaged.
        CoverslipError: the file cannot be written.
    """
    results = {name: result_bytes(Path(path), name) for name in (METRICS, EVIDENCE)}
    path = find_classifier(path)
    packed = open_classifier(path)
    packed.read_weights()  # a damaged classifier is not exported
    statistics = packed.read_ood_statistics()
    entries = {name: content for name, content in results.items() if content is not None}
    optional = {OOD_FILE: statistics is not None, DELIVERED_HEAD: packed.card.tested is not None}
    for name in (CARD, WEIGHTS, *(name for name, is_there in optional.items() if is_there)):
        with _open_member(path, name) as (stream, size):
            entries[name] = _read_exactly(stream, size, path)
    write_archive(file, entries)


def result_bytes(path: Path, name: str) -> bytes | None:
    """Return a file of results in a run folder or a `.coverslip` file; None if there is none that can be read."""
    try:
        with _open_member(path, name) as (stream, size):
            return _read_exactly(stream, size, path) if size <= _LARGEST_RESULT else None
    except BadClassifier:
        return None


@contextmanager
def _open_member(path: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file of a packaged classifier, and yield its stream and size in bytes."""
    if path.is_file():
        with opened_entry(path, name) as entry:
            yield entry
        return
    if not (path / name).is_file():
        raise BadClassifier("no-classifier-file", file=path / name)
    try:
        with (path / name).open("rb") as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise BadClassifier("classifier-file-not-readable", file=path / name, reason=str(error)) from error


def _read_exactly(stream: IO[bytes], n: int, path: Path) -> bytes:
    """Read exactly n bytes in chunks, so that a zip entry never unpacks to more."""
    data = bytearray()
    while len(data) < n:
        chunk = stream.read(min(_CHUNK, n - len(data)))
        if not chunk:
            raise BadClassifier("classifier-truncated", file=path)
        data += chunk
    return bytes(data)


def _read_header(stream: IO[bytes], size: int, path: Path) -> dict[str, TensorFacts]:
    """Read the header of the weights, and check that it agrees with their size."""
    n_header = int.from_bytes(_read_exactly(stream, 8, path), "little") if size >= 8 else size
    if n_header > min(_LARGEST_HEADER, size - 8):
        raise BadClassifier("weights-truncated", file=path)
    try:
        listed = json.loads(_read_exactly(stream, n_header, path), parse_int=_size_of)
        tensors = {
            name: TensorFacts(str(about["dtype"]), _shape_of(about))
            for name, about in listed.items()
            if name != "__metadata__"
        }
        n_bytes = sum(_BYTES_EACH[tensor.dtype] * math.prod(tensor.shape) for tensor in tensors.values())
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise BadClassifier("weights-header-damaged", file=path, reason=reason) from error
    if n_bytes != size - 8 - n_header:
        raise BadClassifier("weights-size-mismatch", file=path)
    return tensors


def _size_of(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(text("too-many-digits", n_digits=len(digits), limit=_MOST_DIGITS))
    return int(digits)


def _shape_of(about: Mapping[str, Any]) -> tuple[int, ...]:  # Any: JSON values
    shape = about["shape"]
    is_valid = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    if not is_valid or len(shape) > _MOST_AXES:
        raise ValueError(text("not-a-shape", limit=_MOST_AXES))
    return tuple(shape)


def _bad_card(error: ValidationError, file: Path) -> BadClassifier:
    fault = error.errors()[0]
    if fault["loc"] == ("format_version",):
        return BadClassifier("newer-classifier-format", file=file, version=str(fault["input"]))
    key = ".".join(str(part) for part in fault["loc"])
    reason = f"{key}: {fault['msg']}" if key else str(fault["msg"])
    return BadClassifier("damaged-card", file=file, reason=reason)
