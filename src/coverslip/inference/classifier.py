"""The packaged classifier, which predicts one row with a decision per image.

This includes what it computes of resized pixels, whichever library runs its network.
"""

import copy
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from coverslip.datasets.index.folders import with_plan
from coverslip.datasets.index.in_memory import Axes
from coverslip.datasets.index.opening import ImageSource, open_dataset, with_folder_labels, with_unique_ids
from coverslip.datasets.index.records import UNCERTAIN, UNFAMILIAR, UNREADABLE, Dataset, ImageRecord
from coverslip.datasets.names import counted, name_as_text
from coverslip.datasets.pixels import read_preprocessed
from coverslip.engines import fastest_engine, run_tta
from coverslip.errors import BadClassifier, UnknownModel, UnreadableImage, require_extra
from coverslip.evaluation.calibration import apply_temperature
from coverslip.evaluation.decisions import classes_in_sets, decided_classes
from coverslip.evaluation.prevalence import log_ratios
from coverslip.events import Emit, Event, Noted, Progressed, ignore, paced
from coverslip.images.preprocessing import PreprocessedImage, Rescaling
from coverslip.inference.new_images import (
    Differences,
    DistinctImages,
    Pair,
    refuse_other_channels,
    stated_shares,
)
from coverslip.machine import select_device
from coverslip.messages import message
from coverslip.models.backbone import EXPECTED, Architecture, Backbone
from coverslip.models.graphs import graph_without_pytorch, tensors_of
from coverslip.models.zoo import linear_logits
from coverslip.notebooks import html_table
from coverslip.runs.classifier import (
    ClassifierCard,
    PackedClassifier,
    find_classifier,
    identity_of,
    open_classifier,
    weights_do_not_fit,
)
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction, Predictions
from coverslip.stopping import BY_SIGNAL, Stop

if TYPE_CHECKING:
    from coverslip.evaluation.ood import FeatureStatistics
    from coverslip.models.networks import Network


def load_backbone(packed: PackedClassifier) -> Backbone:
    """Return the network of a classifier without its last layer, as arrays.

    Raises:
        BadClassifier: the network is unknown, or the weights are damaged or do not fit the classes or channels.
    """
    card = packed.card
    tensors = {name: (each.dtype, each.shape) for name, each in packed.tensors.items()}
    n_features = math.prod(tensors.get(EXPECTED, ("", (0,)))[1])
    ends = {
        EXPECTED: ("F32", (1, n_features)),
        "mean": ("F32", (1, card.preprocessing.channels, 1, 1)),
        "head.weight": ("F32", (len(card.classes), n_features)),
        "head.bias": ("F32", (len(card.classes),)),
    }
    if ends.items() - tensors.items():
        raise weights_do_not_fit(packed)
    architecture = Architecture(
        card.model, card.head, card.preprocessing.channels, card.preprocessing.image_size, card.model_options
    )
    try:
        graph = graph_without_pytorch(architecture)
    except UnknownModel as error:
        raise BadClassifier("network-build-failed", file=packed.path, reason=error.message) from error
    if graph is None:
        require_extra("train")
        from coverslip.inference.loading import load_network

        load_network(packed)  # within limits of time and memory, before it is built to trace its graph
    elif tensors != {**tensors_of(graph, architecture), **ends}:
        raise weights_do_not_fit(packed)
    arrays = {name: array for name, array in packed.read_weights().items() if not name.startswith("head.")}
    return Backbone(architecture, arrays, n_features, arrays.pop(EXPECTED))


class PixelOutputs(NamedTuple):
    """The outputs for n images."""

    probabilities: npt.NDArray[np.floating]  # (n, K), calibrated, in the order of the classes
    logits: npt.NDArray[np.floating]  # (n, K), before calibration
    features: npt.NDArray[np.float32]  # (n, D), averaged over test-time augmentation
    ood_score: npt.NDArray[np.floating] | None  # (n,): 0 is typical, above 1 unfamiliar; None: the classifier has none


def decided_row(
    row: Prediction, card: ClassifierCard, logits: np.ndarray, shift: np.ndarray | float = 0.0
) -> Prediction:
    """Return the row of an image with the decision for its logits, by the thresholds of the card.

    Args:
        row: of the image, without a prediction.
        card: of the classifier.
        logits: (K,) of the image.
        shift: (K,) added to the logits for other class proportions. Prediction sets do not depend on it, except that
            they always contain the predicted class.

    Raises:
        BadClassifier: a probability is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        probability = apply_temperature(logits[None], card.temperature)[0]
    if not np.isfinite(probability).all():
        raise BadClassifier("classifier-not-finite")
    k = int(decided_classes(probability[None], card.operating_points)[0])
    predicted, top_probability = card.classes[k], float(probability[k])
    decision, reason = predicted, None
    if row.ood_score is not None and row.ood_score > 1:
        decision, reason = UNFAMILIAR, message("reason-unfamiliar")
    elif not card.is_checked:
        decision, reason = UNCERTAIN, message("reason-not-checked")
    elif top_probability < card.uncertain_below:
        decision, reason = UNCERTAIN, message("reason-uncertain", threshold=card.uncertain_below)
    return replace(
        row,
        predicted=predicted,
        probability=top_probability,
        decision=decision,
        reason=reason,
        probabilities=tuple(probability.tolist()),
        logits=tuple(logits.tolist()),
        prediction_set=_prediction_set(card, logits - shift, k),
    )


def _prediction_set(card: ClassifierCard, logits: np.ndarray, predicted: int) -> tuple[str, ...] | None:
    if card.set_floors is None:
        return None
    probability = apply_temperature(logits[None], card.temperature)[0]
    (is_in_set,) = classes_in_sets(probability[None], card.set_floors)
    is_in_set[predicted] = True  # an additional class can only increase the coverage
    return tuple(name for name, is_in in zip(card.classes, is_in_set, strict=True) if is_in)


BATCH_SIZE = 64
_MAX_BYTES = 64 * 2**20  # of preprocessed pixels in a batch, of which three are in memory
_SECONDS_BETWEEN_EVENTS = 0.2


class Classifier:
    """A trained classifier, ready to predict.

    New images are preprocessed exactly like training images, and decisions use the thresholds that validation images
    set. Prediction needs PyTorch only for networks whose graph is not known on this computer yet.

    Args:
        packed: card and weights.
        device: `cpu`, `cuda` or `mps`.

    Raises:
        BadClassifier: the weights are damaged, or do not fit the network.
    """

    def __init__(self, packed: PackedClassifier, device: str = "cpu") -> None:
        packed.check_small_files()
        self.card, self.device = packed.card, device
        self._packed = packed
        self._shift = np.zeros(len(self.card.classes))  # of logits, for other class proportions
        self._rescaling: Rescaling | None = None
        self.backbone = load_backbone(packed)
        self._notes: list[Event] = []  # of the engine, for the first prediction
        try:
            self.engine = fastest_engine(self.backbone, device=device, emit=self._notes.append)
        except (KeyError, ValueError, RuntimeError) as error:
            raise weights_do_not_fit(packed) from error

    def __repr__(self) -> str:
        """Return the network, its size, the classes, and the number of training images."""
        card, trained_on = self.card, self.card.trained_on
        groups = "" if trained_on.n_groups is None else f" of {counted(trained_on.n_groups, 'group')}"
        return (
            f"Classifier({card.model}, {self._packed.n_parameters:,} parameters, "
            f"{counted(len(card.classes), 'class', 'classes')}: {', '.join(card.classes)}; "
            f"trained on {counted(trained_on.n_images, 'image')}{groups})"
        )

    def _repr_html_(self) -> str:
        """Return the classes and the proportions that probabilities assume, for notebooks."""
        rows = zip(self.card.classes, self.card.prior, strict=True)
        return html_table(repr(self), ("class", "assumed proportion"), rows)

    @cached_property
    def network(self) -> "Network":
        """The network as a PyTorch module in evaluation mode, on the CPU."""
        require_extra("train")
        from coverslip.inference.loading import load_network

        return load_network(self._packed)

    @property
    def path(self) -> Path:
        """The folder or `.coverslip` file of the packaged classifier."""
        return self._packed.path

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the probability columns."""
        return self.card.classes

    @property
    def is_rescaling(self) -> bool:
        """Whether images are rescaled to the pixel size of the training images."""
        return self._rescaling is not None

    @cached_property
    def ood_statistics(self) -> "FeatureStatistics | None":
        """The reference of out-of-distribution scores; None if the card has none."""
        return self._packed.read_ood_statistics()

    @cached_property
    def _head(self) -> tuple[np.ndarray, np.ndarray]:
        head = self.read_head()
        return head["head.weight"], head["head.bias"]

    def read_head(self) -> dict[str, np.ndarray]:
        """Read the last layer: `head.weight` (K, D) and `head.bias` (K,).

        Raises:
            BadClassifier: it is damaged.
        """
        return self._packed.read_head()

    def at_prevalence(self, prevalence: Mapping[str, float]) -> "Classifier":
        """Return the classifier for images with other class proportions than the training images.

        Probabilities are multiplied by the ratio of the proportions, and the most probable class is predicted, because
        operating points were selected for the proportions of the validation images. This is valid only if the images
        of each class are distributed as in training.

        Args:
            prevalence: known proportions of classes; the other classes divide the rest as in training.

        Raises:
            CoverslipError: a class does not exist, or the proportions do not fit into 1.
        """
        shares = stated_shares(self.card, prevalence)
        adapted = copy.copy(self)
        adapted._shift = self._shift + self.card.temperature * log_ratios(self.card.prior, shares)
        adapted.card = self.card.model_copy(update={"prior": shares, "operating_points": None})
        return adapted

    def with_rescaling(self) -> "Classifier":
        """Return the classifier that rescales images of known pixel size to that of the training images.

        If widths and heights of the training images differ by at most 10%, rescaled images are cut or padded to the
        largest of them, about their center.

        Raises:
            CoverslipError: the pixel size of the training images is not known.
        """
        adapted = copy.copy(self)
        adapted._rescaling = self.card.trained_on.rescaling()
        return adapted

    def open_images(self, sources: Dataset | ImageSource, axes: Axes = "HWC", *, distinct: bool = False) -> Dataset:
        """Open images, to be read like the training images.

        Class folders give the labels of their images if they have the name of a class.

        Args:
            sources: files, folders, globs, tables, arrays, Pillow images, data frames, or several of these in a list.
            axes: of arrays of color images: channels last or first.
            distinct: whether images that are listed again count once, and those that a table excludes do not. Other
                sets of tables do not matter.

        Raises:
            BadDataset: there are no images.
        """
        plan = self.card.preprocessing.plan
        if isinstance(sources, Dataset):
            return with_folder_labels(with_unique_ids(with_plan(sources, plan)), self.classes)
        depths = self.card.trained_on.dtypes
        depth = depths[0] if len(depths) == 1 else None
        opened = open_dataset(
            sources, plan=plan, labeled=False, distinct=distinct, with_split=False, axes=axes, depth=depth
        )
        return with_folder_labels(opened, self.classes)

    def predict(self, sources: Dataset | ImageSource, *, axes: Axes = "HWC", emit: Emit = ignore) -> Predictions:
        """Return one row per image, in their order, with absolute paths; arguments as of `open_images`.

        An image that cannot be read is no error: its row gives the reason. An image that is listed again is computed
        once and gets a row each time.

        Raises:
            BadDataset: there are no images.
            BadClassifier: a probability is not finite.
        """
        rows = self.predict_images(self.open_images(sources, axes), emit=emit)
        return Predictions(rows, self.classes, identity_of(self.path, self.card, is_rescaled=self.is_rescaling))

    def predict_proba(self, sources: Dataset | ImageSource, *, axes: Axes = "HWC", emit: Emit = ignore) -> np.ndarray:
        """Return (n, K) calibrated probabilities in the order of `classes`; NaN for images that cannot be read.

        Raises:
            BadDataset: there are no images.
        """
        return self.predict(sources, axes=axes, emit=emit).probabilities

    def predict_images(
        self,
        dataset: Dataset,
        *,
        batch_size: int = BATCH_SIZE,
        images: Iterable[PreprocessedImage | UnreadableImage] | None = None,
        emit: Emit = ignore,
        stop: Stop = BY_SIGNAL,
    ) -> Generator[Prediction]:
        """Yield one row per image of a dataset, in its order, with absolute paths.

        Memory does not grow with the number of images.

        Args:
            dataset: the images.
            batch_size: images at a time.
            images: the preprocessed images of the dataset; default: they are decoded.
            emit: receives progress and notes.
            stop: checked between images.

        Raises:
            BadDataset: the channels of an image have other names than those of the training images.
            Stopped: on request.
            BadClassifier: a probability is not finite.
        """
        records = dataset.records
        for row, _ in self.predict_with_pixels(records, batch_size=batch_size, images=images, emit=emit, stop=stop):
            yield row

    def predict_with_pixels(
        self,
        records: Sequence[ImageRecord],
        *,
        batch_size: int = BATCH_SIZE,
        is_hashed: bool = False,
        images: Iterable[PreprocessedImage | UnreadableImage] | None = None,
        before_each: Callable[[int], None] | None = None,
        emit: Emit = ignore,
        stop: Stop = BY_SIGNAL,
    ) -> Generator[Pair]:
        """Yield the rows of `predict_images`, each with its decoded image, with the hash of pixels if `is_hashed`.

        The image is None if an earlier row is of the same image. `before_each` is called with the position of each
        other image before it is read, in the reading threads.
        """
        differences = Differences(self.card)
        while self._notes:
            emit(self._notes.pop(0))
        n = len(records)
        unit = "objects" if self.card.of_objects else "images"
        emit(Progressed(stage="predicting", done=0, total=n, unit=unit))  # to prepare the engine may take seconds
        last_emitted, first_row_at = monotonic(), None
        preprocessing = self.card.preprocessing
        bytes_each = preprocessing.image_size**2 * preprocessing.channels * np.dtype(preprocessing.depth).itemsize
        batch_size = max(1, min(batch_size, _MAX_BYTES // bytes_each))
        distinct = DistinctImages(() if images else records)
        records = records if images else distinct.records
        images = images or read_preprocessed(
            records,
            preprocessing,
            is_hashed=is_hashed,
            n_ahead=batch_size,
            rescaling=self._rescaling,
            before_each=None if before_each is None else lambda i: before_each(distinct.positions[i]),
        )
        rows = distinct.every_row(self._rows(records, images, batch_size, differences, emit))
        for done, row in enumerate(rows, start=1):
            yield row
            now = monotonic()
            first_row_at = first_row_at or now  # the pace excludes the preparation of the engine
            if now - last_emitted > _SECONDS_BETWEEN_EVENTS or done == n:
                last_emitted = now
                stop.check()
                of_rows = paced(stage="predicting", done=done, total=n, n=done - 1, seconds=now - first_row_at)
                emit(replace(of_rows, unit=unit))
        for each in differences.notes():
            emit(Noted.of(each))

    def _rows(
        self,
        records: Sequence[ImageRecord],
        images: Iterable[PreprocessedImage | UnreadableImage],
        batch_size: int,
        differences: Differences,
        emit: Emit,
    ) -> Iterator[Pair]:
        """Yield the rows of a batch while a thread runs the network on the next, and others decode the one after it."""
        network = ThreadPoolExecutor(1, thread_name_prefix="network")
        try:
            in_flight: _Batch | None = None
            for of_batch, batch in _in_batches(records, images, batch_size):
                pixels = [image.pixels for image in batch if isinstance(image, PreprocessedImage)]
                outputs = network.submit(self._outputs, pixels) if pixels else None
                if in_flight is not None:
                    yield from self._rows_of_batch(in_flight, differences)
                in_flight = _Batch(of_batch, batch, outputs)
            if in_flight is not None:
                yield from self._rows_of_batch(in_flight, differences)
        finally:
            network.shutdown(wait=False, cancel_futures=True)

    def _rows_of_batch(self, batch: "_Batch", differences: Differences) -> Iterator[Pair]:
        outputs = iter(() if batch.outputs is None else batch.outputs.result())
        for record, image in zip(batch.records, batch.images, strict=True):
            path = name_as_text(str(record.path))  # absolute, because no file states a root folder for these rows
            if isinstance(image, UnreadableImage):
                yield replace(_unread_row(record, path), reason=image.message), image
            else:
                refuse_other_channels(record, image.channel_names, self._packed.card.preprocessing)
                outputs_of_image = next(outputs)
                if self._is_field(record, image):
                    yield replace(_unread_row(record, path), reason=message("image-is-whole-field")), image
                    continue
                warning = differences.count(record, image)
                row = replace(self.decide(record, path, *outputs_of_image), warning=warning)
                differences.count_decided(row)
                yield row, image

    def _is_field(self, record: ImageRecord, image: PreprocessedImage) -> bool:
        """Return whether an image is a whole field, and the classifier is one of objects."""
        is_of_objects = self.card.of_objects and not record.has_box
        return is_of_objects and self.card.trained_on.is_field(image.width_px, image.height_px)

    def decide(self, record: ImageRecord, path: str, logits: np.ndarray, ood_score: float | None = None) -> Prediction:
        """Return the row of an image with the decision for its (K,) logits and its OOD score.

        Raises:
            BadClassifier: a probability is not finite.
        """
        row = replace(_unread_row(record, path), ood_score=ood_score)
        return decided_row(row, self.card, logits, self._shift)

    def probabilities_of(self, features: np.ndarray) -> np.ndarray:
        """Return (n, K) calibrated probabilities for (n, D) features of its network."""
        return apply_temperature(linear_logits(features, *self._head) + self._shift, self.card.temperature)

    def _outputs(self, pixels: list[np.ndarray]) -> list[tuple[np.ndarray, float | None]]:
        """Return logits and OOD score of each image."""
        _, logits, _, ood_score = self.predict_pixels(np.stack(pixels))
        return list(zip(logits, [None] * len(pixels) if ood_score is None else ood_score.tolist(), strict=True))

    def predict_pixels(self, pixels: np.ndarray) -> PixelOutputs:
        """Return the outputs for (n, S, S, C) pixels that were resized as the card says."""
        features = run_tta(self.engine, pixels, self.card.tta)
        ood, ood_score = self.card.ood, None
        with np.errstate(over="ignore", invalid="ignore"):  # decisions refuse probabilities that are not finite
            logits = linear_logits(features, *self._head) + self._shift
            probabilities = apply_temperature(logits, self.card.temperature)
            if self.ood_statistics is not None and ood is not None:
                ood_score = ood.ood_score(self.ood_statistics.distance(features))
        return PixelOutputs(probabilities, logits, features, ood_score)


def load_classifier(path: Run | Path | str, device: str = "auto", *, tested: bool = False) -> Classifier:
    """Load a packaged classifier.

    Args:
        path: a run folder, its `classifier/`, or a `.coverslip` file.
        device: `cpu`, `cuda`, `mps`, or `auto` for the first available one of `cuda`, `mps` and `cpu`.
        tested: load the classifier that was not fitted on the test images, and whose metrics the run states, in place
            of the delivered one. Both are the same with `refit_all: false`, after fine-tuning and with folds.

    Raises:
        BadClassifier: there is no classifier, or it is damaged or has a newer format.
        DeviceUnavailable: this computer has no such device.

    Examples:
        >>> classifier = cs.load_classifier("runs/first", device="cpu")
        >>> classifier
        Classifier(timm/test_efficientnet, ... parameters, 2 classes: lymphocyte, monocyte; trained on ...)
        >>> table = classifier.predict("new/*.tif")
        >>> len(table), table.columns[:3]
        (4, ('image_id', 'path', 'label'))
        >>> classifier.predict_proba("new/").shape
        (4, 2)
    """
    return Classifier(open_classifier(find_classifier(path), tested=tested), select_device(device))


@dataclass(frozen=True, slots=True)
class _Batch:
    """Images with the outputs of the network, which a thread computes."""

    records: Sequence[ImageRecord]
    images: Sequence[PreprocessedImage | UnreadableImage]
    outputs: Future[list[tuple[np.ndarray, float | None]]] | None  # of the readable images; None if there are none


def _unread_row(record: ImageRecord, path: str) -> Prediction:
    return Prediction(
        image_id=record.image_id,
        path=path,
        label=record.label,
        predicted=None,
        probability=None,
        decision=UNREADABLE,
        probabilities=(),
        field=record.field,
        object_id=record.object_id,
        sample=record.sample,
        about=record.about,
    )


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
