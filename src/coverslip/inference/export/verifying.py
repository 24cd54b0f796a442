"""Comparison of an exported classifier with the original on real images."""

import runpy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from coverslip.datasets import Dataset, read_preprocessed
from coverslip.engines import LARGEST_DIFFERENCE, difference
from coverslip.errors import BadDataset
from coverslip.evaluation import decided_classes
from coverslip.events import Emit, ignore, progress_reporter
from coverslip.images import PreprocessedImage, ReadPlan
from coverslip.inference.classifier import PixelOutputs, Predictor
from coverslip.runs import ClassifierCard, Run
from coverslip.runs.images import images_of

if TYPE_CHECKING:
    from coverslip.inference.classifier import Classifier

MOST_IMAGES = 300
_N_DRAWN, _N_PATTERNS = 64, 6
_BATCHES = (1, 3, 17, 64)  # images at a time, then 64 again: an exported network must not depend on it


@dataclass(frozen=True, slots=True)
class Verification:
    """The agreement of an exported classifier with the original; `verification.json`."""

    n: int  # images
    n_files: Annotated[int, Field(description="Of these read by `classify.py`, without coverslip.")]
    max_logit_difference_sd: Annotated[float, Field(description="Largest difference, in SDs of all logits.")]
    max_feature_difference_sd: Annotated[float, Field(description="The same of a feature, in its SDs.")]
    max_ood_score_difference_sd: Annotated[float, Field(description="The same of OOD scores; 0 without them.")]
    label_agreement: Annotated[float, Field(description="Share of images with the same decision.")]
    are_drawn: Annotated[bool, Field(description="The images of the run are missing; others were drawn.")] = False

    @property
    def passed(self) -> bool:
        """Whether the export may be handed out."""
        differences = (self.max_logit_difference_sd, self.max_feature_difference_sd, self.max_ood_score_difference_sd)
        return max(differences) <= LARGEST_DIFFERENCE and self.label_agreement == 1

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """Return the content of `verification.json`."""
        return {"format_version": 1, **asdict(self), "passed": self.passed}


@dataclass(frozen=True, slots=True)
class VerificationImages:
    """Images and what the classifier computes of them."""

    pixels: npt.NDArray[np.unsignedinteger]  # (n, S, S, C)
    expected: PixelOutputs
    files: dict[int, Path]  # those that are whole files, by position
    are_drawn: bool = False  # at random, since those of the run are not available


def verification_images(run: Run, classifier: "Classifier", emit: Emit = ignore) -> VerificationImages:
    """Return at most `MOST_IMAGES` validation images of a run, or training images if it has no validation images.

    If none of them is available, for example because their folder was moved, images are drawn at random.

    Args:
        run: of the classifier.
        classifier: the original.
        emit: receives the progress.
    """
    try:
        data = _images(run)
    except BadDataset:
        return _drawn_images(classifier)
    images = read_preprocessed(data.records, classifier.card.preprocessing)
    report, n_images = progress_reporter(emit, "reading-images", "images"), len(data.records)
    readable = []
    for done, (record, image) in enumerate(zip(data.records, images, strict=True), start=1):
        if isinstance(image, PreprocessedImage):
            readable.append((record, image.pixels))
        report(done, n_images)
    if not readable:
        return _drawn_images(classifier)
    pixels = np.stack([each for _, each in readable])
    whole = ReadPlan()
    files = {
        i: record.path
        for i, (record, _) in enumerate(readable)
        if record.plan.of_pixels == whole and record.in_memory is None
    }
    return VerificationImages(pixels, classifier.predict_pixels(pixels), files)


def _drawn_images(classifier: "Classifier") -> VerificationImages:
    """Return squares of random intensities in coarse and fine patterns, dark and bright, so that outputs differ."""
    preprocessing, rng = classifier.card.preprocessing, np.random.default_rng(0)
    depth = np.dtype(preprocessing.depth)
    drawn = []
    for k in range(_N_DRAWN):
        n_squares = 2 ** (1 + k % _N_PATTERNS)
        at = np.arange(preprocessing.image_size) * n_squares // preprocessing.image_size
        squares = rng.random((n_squares, n_squares, preprocessing.channels))
        shares = np.clip(rng.random() + rng.random() * (squares - 0.5), 0, 1)
        drawn.append(np.rint(shares[np.ix_(at, at)] * np.iinfo(depth).max).astype(depth))
    pixels = np.stack(drawn)
    return VerificationImages(pixels, classifier.predict_pixels(pixels), {}, are_drawn=True)


def _images(run: Run) -> Dataset:
    data = images_of(run)
    split_of = {row.image_id: row.split for row in run.split}
    by_split = [
        [i for i, record in enumerate(data.records) if split_of.get(record.image_id) == split]
        for split in ("val", "train", "test")  # after cross-validation, the classifier is refitted on all images
    ]
    positions = next(filter(None, by_split), [])
    step = max(1, -(-len(positions) // MOST_IMAGES))
    return data.subset(positions[::step])


def verify(
    predictor: Predictor,
    images: VerificationImages,
    card: ClassifierCard,
    reader: Path | None,
    emit: Emit = ignore,
) -> Verification:
    """Compare an exported classifier with the original.

    Args:
        predictor: the export, opened again.
        images: from `verification_images`.
        card: of the original.
        reader: `classify.py` of the export, whose pixels must be equal too; None: the export has none.
        emit: receives the progress.
    """
    report, n_done, parts = progress_reporter(emit, "verifying-export", "images"), 0, []
    for batch in _batches(images.pixels):
        parts.append(predictor.predict_pixels(batch))
        report(n_done := n_done + len(batch), len(images.pixels))
    outputs = _joined(parts)
    read = {} if reader is None else _read_without_coverslip(reader, images.files, card)
    if not read:
        return replace(_compared(outputs, images.expected, card, 0), are_drawn=images.are_drawn)
    rows = np.array([*range(len(images.pixels)), *read])
    outputs = _joined([outputs, *(predictor.predict_pixels(pixels[None]) for pixels in read.values())])
    return _compared(outputs, _rows(images.expected, rows), card, len(read))


def _batches(pixels: npt.NDArray[np.unsignedinteger]) -> Iterator[npt.NDArray[np.unsignedinteger]]:
    start = 0
    for size in (*_BATCHES, *[_BATCHES[-1]] * len(pixels)):
        if start < len(pixels):
            yield pixels[start : start + size]
        start += size


def _read_without_coverslip(reader: Path, files: dict[int, Path], card: ClassifierCard) -> dict[int, Any]:
    """Return the pixels of the files that the reference reader can read, by position."""
    read, preprocessing = runpy.run_path(str(reader))["read"], card.preprocessing.model_dump(mode="json")
    pixels = {}
    for position, file in files.items():
        try:
            pixels[position] = read(file, preprocessing)
        except (OSError, ValueError):  # another format, which the reader refuses
            continue
    return pixels


def _compared(outputs: PixelOutputs, expected: PixelOutputs, card: ClassifierCard, n_files: int) -> Verification:
    score, expected_score = outputs.ood_score, expected.ood_score
    if score is not None and expected_score is not None:
        ood_difference = difference(score, expected_score)
    else:
        ood_difference = 0.0 if score is expected_score else float("inf")
    return Verification(
        n=len(expected.logits) - n_files,
        n_files=n_files,
        max_logit_difference_sd=difference(outputs.logits, expected.logits),
        max_feature_difference_sd=difference(outputs.features, expected.features),
        max_ood_score_difference_sd=ood_difference,
        label_agreement=float((_decisions(outputs, card) == _decisions(expected, card)).mean()),
    )


def _decisions(outputs: PixelOutputs, card: ClassifierCard) -> npt.NDArray[np.int64]:
    """Return the predicted class of each image; -1 for uncertain and -2 for unfamiliar."""
    decided = decided_classes(outputs.probabilities, card.operating_points)
    is_uncertain = outputs.probabilities[np.arange(len(decided)), decided] < card.uncertain_below
    decided = np.where(is_uncertain, -1, decided)
    return decided if outputs.ood_score is None else np.where(outputs.ood_score > 1, -2, decided)


def _joined(parts: Sequence[PixelOutputs]) -> PixelOutputs:
    probabilities, logits, features = (np.concatenate([part[i] for part in parts]) for i in range(3))
    scores = [part.ood_score for part in parts if part.ood_score is not None]
    return PixelOutputs(probabilities, logits, features, np.concatenate(scores) if scores else None)


def _rows(outputs: PixelOutputs, rows: npt.NDArray[np.int64]) -> PixelOutputs:
    score = outputs.ood_score
    return PixelOutputs(
        outputs.probabilities[rows],
        outputs.logits[rows],
        outputs.features[rows],
        None if score is None else score[rows],
    )
