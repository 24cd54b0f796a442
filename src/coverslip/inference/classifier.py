"""The packaged classifier at work: images in, one row per image out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets import (
    UNCERTAIN,
    UNREADABLE,
    Axes,
    Dataset,
    Given,
    ImageRecord,
    PreprocessedImage,
    open_dataset,
    read_preprocessed,
)
from coverslip.errors import BadClassifier, UnreadableImage
from coverslip.evaluation import apply_temperature, decided_classes
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.machine import chosen_device
from coverslip.messages import Note
from coverslip.runs import ClassifierCard, Prediction, Predictions, find_classifier, open_classifier
from coverslip.stopping import BY_SIGNAL, Stop

if TYPE_CHECKING:
    from coverslip.engines import Engine
    from coverslip.models.networks import Network

BATCH_SIZE = 64
_MOST_BYTES = 128 * 2**20  # of preprocessed pixels in a batch
_SECONDS_BETWEEN_EVENTS = 0.2
_SIZE_FACTOR = 2.0  # so much smaller or larger than any training image is worth a warning


class Classifier:
    """A trained classifier, ready to predict.

    New images are preprocessed exactly as training images were; it decides by the thresholds that validation
    images set.

    Args:
        card: what it is.
        network: on the processor.
        device: what runs it: `cpu`, `cuda` or `mps`.
    """

    def __init__(self, card: ClassifierCard, network: "Network", device: str = "cpu") -> None:
        self.card, self.network, self.device = card, network, device
        self._engine: Engine | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the probability columns."""
        return self.card.classes

    def open_images(self, sources: Dataset | Given, axes: Axes = "HWC") -> Dataset:
        """Images to be read as those of training were.

        Args:
            sources: files, folders, globs, tables, arrays, Pillow's images, data frames, or several of these in a list.
            axes: of arrays of colour images: channels last or first.

        Raises:
            BadDataset: nothing is there.
        """
        plan = self.card.preprocessing.plan
        if isinstance(sources, Dataset):
            return sources.read_with(plan)
        return open_dataset(sources, plan=plan, labelled=False, axes=axes)

    def predict(self, sources: Dataset | Given, *, axes: Axes = "HWC", emit: Emit = ignore) -> Predictions:
        """One row per image, in the order given; arguments as of `open_images`.

        Raises:
            BadDataset: nothing is there. An image that cannot be read is not an error: it keeps its row.
            BadClassifier: its numbers leave what a computer can hold.
        """
        return Predictions(self.predict_images(self.open_images(sources, axes), emit=emit), self.classes)

    def predict_proba(self, sources: Dataset | Given, *, axes: Axes = "HWC", emit: Emit = ignore) -> np.ndarray:
        """(n, K) calibrated probabilities in the order of `classes`, a row per image; NaN where one cannot be read.

        Raises:
            BadDataset: nothing is there.
        """
        return self.predict(sources, axes=axes, emit=emit).probabilities

    def predict_images(
        self, dataset: Dataset, *, batch_size: int = BATCH_SIZE, emit: Emit = ignore, stop: Stop = BY_SIGNAL
    ) -> Iterator[Prediction]:
        """One row per image of a dataset, in its order, as they come; memory does not grow with their number.

        Raises:
            Stopped: on request.
            BadClassifier: its numbers leave what a computer can hold.
        """
        differences = _Differences(self.card)
        last_emitted, first_row_at = monotonic(), None
        n = len(dataset.records)
        for done, row in enumerate(self._rows(dataset, batch_size, differences, emit), start=1):
            yield row
            now = monotonic()
            first_row_at = first_row_at or now  # before it the engine was made ready: no part of the pace
            if now - last_emitted > _SECONDS_BETWEEN_EVENTS or done == n:
                last_emitted = now
                stop.check()
                pace = (done - 1) / (now - first_row_at) if now > first_row_at else None
                left = (n - done) / pace if pace else None
                emit(Progressed(stage="predicting", done=done, total=n, per_second=pace, seconds_left=left))
        for note in differences.notes():
            emit(Noted.of(note))

    def _rows(self, dataset: Dataset, batch_size: int, differences: "_Differences", emit: Emit) -> Iterator[Prediction]:
        preprocessing = self.card.preprocessing
        bytes_each = preprocessing.image_size**2 * preprocessing.channels * np.dtype(preprocessing.depth).itemsize
        batch_size = max(1, min(batch_size, _MOST_BYTES // bytes_each))
        images = read_preprocessed(dataset.records, preprocessing)
        for records, batch in _in_batches(dataset.records, images, batch_size):
            readable = [image for image in batch if isinstance(image, PreprocessedImage)]
            warnings = iter([differences.count(image) for image in readable])
            logits = iter(self._logits(np.stack([image.pixels for image in readable]), emit)) if readable else iter(())
            for record, outcome in zip(records, batch, strict=True):
                path = dataset.relative_path(record)
                if isinstance(outcome, UnreadableImage):
                    yield Prediction(record.image_id, path, record.label, None, None, UNREADABLE, (), outcome.what)
                else:
                    yield replace(self.decide(record, path, next(logits)), warning=next(warnings))

    def decide(self, record: ImageRecord, path: str, logits: np.ndarray) -> Prediction:
        """The row of an image whose (K,) logits are known.

        Raises:
            BadClassifier: its numbers leave what a computer can hold, so that nothing can be said of any image.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            probability = apply_temperature(logits[None], self.card.temperature)[0]
        if not np.isfinite(probability).all():
            raise BadClassifier(
                "The classifier computes numbers that are too large or none at all",
                do="Ask whoever made it to train it again.",
            )
        k = int(decided_classes(probability[None], self.card.operating_points)[0])
        predicted, its_probability = self.classes[k], float(probability[k])
        decision = UNCERTAIN if its_probability < self.card.uncertain_below else predicted
        return Prediction(
            image_id=record.image_id,
            path=path,
            label=record.label,
            predicted=predicted,
            probability=its_probability,
            decision=decision,
            probabilities=tuple(probability.tolist()),
            logits=tuple(logits.tolist()),
        )

    def _logits(self, pixels: np.ndarray, emit: Emit) -> np.ndarray:
        """(n, K) logits of (n, S, S, C) preprocessed pixels, averaged over test-time augmentation."""
        from coverslip.engines import as_input, fastest_engine, run_tta
        from coverslip.models.networks import FeatureNetwork

        if self._engine is None:
            # On one image, so that the choice does not depend on the batch size either.
            example = as_input(pixels[:1])
            self._engine = fastest_engine(FeatureNetwork(self.network), example, device=self.device, emit=emit)
        return self.network.logits(run_tta(self._engine, pixels, self.card.tta))


def load_classifier(path: Path | str, device: str = "auto") -> Classifier:
    """A packaged classifier: a run folder, its `classifier/`, or a `.coverslip` file.

    Args:
        path: where it lies.
        device: what shall run it: `cpu`, `cuda`, `mps`, or the first of `cuda`, `mps` and `cpu` that is here (`auto`).

    Raises:
        BadClassifier: there is none, or it is damaged, or of a newer format.
        DeviceUnavailable: this computer has no such device.
    """
    from coverslip.inference.loading import load_network

    packed = open_classifier(find_classifier(path))
    return Classifier(packed.card, load_network(packed), chosen_device(device))


def _in_batches(
    records: Sequence[ImageRecord], images: Iterable[PreprocessedImage | UnreadableImage], batch_size: int
) -> Iterator[tuple[Sequence[ImageRecord], list[PreprocessedImage | UnreadableImage]]]:
    batch: list[PreprocessedImage | UnreadableImage] = []
    start = 0
    for image in images:
        batch.append(image)
        if len(batch) == batch_size:
            yield records[start : start + len(batch)], batch
            start, batch = start + len(batch), []
    if batch:
        yield records[start:], batch


class _Differences:
    """Counts images unlike those that the classifier was trained on, for one line per kind of difference."""

    def __init__(self, card: ClassifierCard) -> None:
        self._seen, self._preprocessing = card.trained_on, card.preprocessing
        self._counts: Counter[str] = Counter()
        self._odd_size: str | None = None  # the first of them

    def count(self, image: PreprocessedImage) -> str | None:
        """How one image differs, in words; None: it does not."""
        differences = list(self._found_in(image))
        self._counts.update(difference for difference, _ in differences)
        return "; ".join(own for _, own in differences) or None

    def _found_in(self, image: PreprocessedImage) -> Iterator[tuple[str, str]]:
        """Each kind of difference as it is counted, and as it stands beside the image."""
        seen = self._seen
        if image.dtype not in seen.dtypes:
            depths = " or ".join(map(_depth, seen.dtypes))
            text = f"{_depth(image.dtype)} deep, training images were {depths}"
            yield text, text
        if image.n_channels not in seen.channels:
            colours = " or ".join(map(_colours, seen.channels))
            text = f"in {_colours(image.n_channels)}, training images were in {colours}"
            yield text, text
        if not (_is_near(image.width_px, seen.width_px) and _is_near(image.height_px, seen.height_px)):
            low, high = (f"{seen.width_px[i]}x{seen.height_px[i]}" for i in (0, 1))
            own = f"{image.width_px}x{image.height_px} pixels"
            self._odd_size = self._odd_size or own
            trained = f"training images were {low} to {high}"
            yield f"of another size (such as {self._odd_size}), {trained}", f"{own}, {trained}"
        if self._preprocessing.is_too_large(image.width_px, image.height_px):
            canvas = f"canvas of {self._preprocessing.canvas_px} pixels"
            text = f"larger than the {canvas}, and shrunk to fit instead of shown at the common scale"
            yield text, text

    def notes(self) -> list[Note]:
        """One sentence per kind."""
        doubt = "Predictions for such images are less certain than they look."
        return [
            Note(
                "unlike-training",
                f"{n:,} {'image is' if n == 1 else 'images are'} {difference}. {doubt}",
                level="warning",
            )
            for difference, n in self._counts.most_common()
        ]


def _is_near(size: int, seen: tuple[int, int]) -> bool:
    return seen[0] / _SIZE_FACTOR <= size <= seen[1] * _SIZE_FACTOR


def _depth(dtype: str) -> str:
    return {"uint8": "8 bit", "uint16": "16 bit", "float32": "float"}.get(dtype, dtype)


def _colours(n_channels: int) -> str:
    return {1: "grey", 3: "colour"}.get(n_channels, f"{n_channels} channels")
