"""Prediction of many images on a Ray cluster: a task for each batch of images, and its untrusted answer."""

import math
import platform
import tempfile
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from coverslip.datasets.index.records import DECISIONS, UNREADABLE, Dataset, ImageRecord
from coverslip.datasets.names import name_as_text, one_line
from coverslip.documented_fields import DocumentedModel
from coverslip.errors import BadClusterAnswer, CoverslipError
from coverslip.events import Emit, Noted, Progressed, ignore, paced
from coverslip.images.preprocessing import PreprocessedImage
from coverslip.images.reader import PixelSizeUm
from coverslip.inference.classifier import load_classifier
from coverslip.inference.new_images import Differences, DistinctImages, Pair
from coverslip.messages import Failure, Message, message, text
from coverslip.runs.classifier import ClassifierCard, export_classifier
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction
from coverslip.runtime.cluster import ClusterExecutor, local_path

Packed = npt.NDArray[np.uint8]  # (n,): bytes of a `.coverslip` file, shared by the tasks of one computer


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """Options of the prediction; plain values."""

    batch_size: int
    device: str
    prevalence: Mapping[str, float]  # stated shares of classes; empty: those of training
    is_rescaled: bool  # to the pixel size of the training images
    is_hashed: bool  # take hashes of pixels, by which training images are counted


def predict_batch(classifier: Packed, options: PredictionOptions, records: Sequence[ImageRecord]) -> bytes:
    """Return the results of all images in their order, or the reason of a failure, in the format of `rows_of`.

    Images are read at their path on this computer (`local_path`).
    """
    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        file = Path(folder, "classifier.coverslip")
        classifier.tofile(file)
        try:
            loaded = load_classifier(file, options.device)
            if options.prevalence:
                loaded = loaded.at_prevalence(options.prevalence)
            if options.is_rescaled:
                loaded = loaded.with_rescaling()
            local = tuple(map(_with_local_paths, records))
            rows = loaded.predict_with_pixels(local, batch_size=options.batch_size, is_hashed=options.is_hashed)
            return answer_of(
                (_with_computer_name(row, record), image if isinstance(image, PreprocessedImage) else None)
                for (row, image), record in zip(rows, local, strict=True)
            )
        except CoverslipError as error:
            return refusal_of(error.failure, platform.node())


def _with_local_paths(record: ImageRecord) -> ImageRecord:
    """Return the record with the paths on this computer."""
    if record.in_memory is not None:
        return record
    other_files = tuple(map(local_path, record.plan.other_files))
    plan = record.plan.model_copy(update={"other_files": other_files})
    return replace(record, path=Path(local_path(str(record.path))), plan=plan)


def _with_computer_name(row: Prediction, record: ImageRecord) -> Prediction:
    """Add the name of this computer to the reason if the file does not exist here."""
    return (
        row
        if record.exists
        else replace(row, reason=message("reason-on-computer", reason=row.reason, computer=platform.node()))
    )


_MAX_CHARACTERS = 2_000  # of a text
_BYTES_AN_IMAGE, _BYTES_A_CLASS, _OTHER_BYTES = 20_000, 1_000, 100_000


def _shortened(stated: Message) -> Message:
    words = str(stated)
    is_short = len(stated.as_json()) <= _MAX_CHARACTERS and len(words.splitlines()) <= 1
    return stated if is_short else message("english-text", text=one_line(words, _MAX_CHARACTERS))


Words = Annotated[str, Field(max_length=_MAX_CHARACTERS)]
ShortMessage = Annotated[Message, AfterValidator(_shortened)]
Positive = Annotated[int, Field(ge=1)]


class _Closed(DocumentedModel):
    """A model without additional keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class ImageProperties(_Closed):
    """Properties of an image before preprocessing."""

    width_px: Positive
    height_px: Positive
    n_channels: Positive
    dtype: Annotated[str, Field(pattern="^[a-z0-9]{1,20}$")]
    note: ShortMessage | None
    pixel_hash: Annotated[str, Field(pattern="^[0-9a-f]{1,128}$")] | None
    pixel_size_um: tuple[PixelSizeUm, PixelSizeUm] | None
    is_rescaled: bool
    is_reordered: bool


class ImageResult(_Closed):
    """The result of an image, which is identified by its position."""

    predicted: Words | None
    probability: float | None
    decision: Words
    probabilities: tuple[float, ...]
    reason: ShortMessage | None
    warning: ShortMessage | None
    ood_score: float | None
    prediction_set: tuple[Words, ...] | None
    logits: tuple[float, ...]
    image: ImageProperties | None  # None if the image could not be read


class _Answer(_Closed):
    """The results of a batch, or the reason of a failure."""

    results: tuple[ImageResult, ...] = ()
    what: Words | None = None  # reason why the computer cannot use the classifier; None: it can
    do: Words = ""
    computer: Words = ""  # name of the computer that cannot use the classifier


def answer_of(rows: Iterable[tuple[Prediction, PreprocessedImage | None]]) -> bytes:
    """Return the answer with the result of each image."""
    return _Answer(results=tuple(_result(row, image) for row, image in rows)).model_dump_json(round_trip=True).encode()


def refusal_of(failure: Failure, computer: str) -> bytes:
    """Return the answer with the reason why a computer cannot use the classifier."""
    what, do, name = (one_line(words, _MAX_CHARACTERS) for words in (failure.what, failure.do, computer))
    return _Answer(what=what, do=do, computer=name).model_dump_json().encode()


def rows_of(
    answer: object, records: Sequence[ImageRecord], classes: Sequence[str]
) -> list[tuple[Prediction, PreprocessedImage | None]]:
    """Return the rows of a batch with names and labels of the records, and the properties of images without pixels.

    Raises:
        BadClusterAnswer: the answer is not valid for these images and classes.
        CoverslipError: the computer could not use the classifier.
    """
    max_bytes = _OTHER_BYTES + len(records) * (_BYTES_AN_IMAGE + _BYTES_A_CLASS * len(classes))
    if not isinstance(answer, bytes) or len(answer) > max_bytes:
        raise BadClusterAnswer(text("answer-too-long"))
    try:
        checked = _Answer.model_validate_json(answer)
    except ValidationError as error:
        raise BadClusterAnswer(text("answer-with-bad-values", n_values=error.error_count())) from error
    if checked.what is not None:
        reason, advice, computer = (
            one_line(words, _MAX_CHARACTERS) for words in (checked.what, checked.do, checked.computer)
        )
        raise CoverslipError("refused-by-computer", reason=reason, advice=advice, computer=computer)
    if len(checked.results) != len(records):
        reason = text("answer-about-other-images", n_images=len(checked.results), n_expected=len(records))
        raise BadClusterAnswer(reason)
    pairs = zip(checked.results, records, strict=True)
    return [(_prediction_of(result, record, classes), _image(result.image)) for result, record in pairs]


def _result(row: Prediction, image: PreprocessedImage | None) -> ImageResult:
    values = {name: getattr(row, name) for name in ImageResult.model_fields if name != "image"}
    image_values = {name: getattr(image, name) for name in ImageProperties.model_fields} if image else None
    return ImageResult.model_validate({**values, "image": image_values})


def _prediction_of(result: ImageResult, record: ImageRecord, classes: Sequence[str]) -> Prediction:
    is_read = result.image is not None
    shares = (*result.probabilities, *(() if result.probability is None else (result.probability,)))
    if (
        is_read != (result.decision != UNREADABLE)
        or is_read != (result.predicted is not None)
        or (not is_read and result.reason is None)
        or result.decision not in (*classes, *DECISIONS)
        or not {*((result.predicted,) if is_read else ()), *(result.prediction_set or ())} <= {*classes}
        or len(result.probabilities) != (len(classes) if is_read else 0)
        or len(result.logits) not in (0, len(result.probabilities))
        or not all(map(_is_share, shares))
    ):
        raise BadClusterAnswer(text("answer-not-possible", image=one_line(record.image_id)))
    return Prediction(
        record.image_id, name_as_text(str(record.path)), record.label, **{k: v for k, v in result if k != "image"}
    )


def _image(properties: ImageProperties | None) -> PreprocessedImage | None:
    return None if properties is None else PreprocessedImage(np.empty((0, 0, 0), np.uint8), **dict(properties))


def _is_share(value: float) -> bool:
    return math.isnan(value) or 0 <= value <= 1


# The executor, which keeps rows in the order of the images.

_BATCHES_PER_COMPUTER = 16  # so that faster computers process more batches, and little work is lost with a computer
_MIN_IMAGES, _MAX_IMAGES = 64, 2048  # in a batch: each loads the classifier and holds its rows in memory
_MOST_AHEAD = 3  # batches per computer ahead of the returned rows


def predict_on_ray(
    address: str,
    run: Run | Path | str,
    card: ClassifierCard,
    data: Dataset,
    options: PredictionOptions,
    *,
    trust_cluster: bool = False,
    emit: Emit = ignore,
) -> Generator[Pair]:
    """Yield the results of `Classifier.predict_with_pixels`, without pixels, computed on a cluster.

    Each computer predicts one batch at a time with all its cores, or with one GPU if the cluster has GPUs and the
    device allows it. Computers read the images themselves. If a computer is lost, another one repeats its batch.

    Args:
        address: of the cluster, as of `join_cluster`.
        run: the classifier, as of `load_classifier`.
        card: of the classifier.
        data: images, opened for the classifier.
        options: of the prediction.
        trust_cluster: join the cluster without a token, as of `join_cluster`.
        emit: receives progress, and notes on images unlike the training images.

    Raises:
        CoverslipError: Ray is not installed, there is no such cluster, or a computer failed or sent an invalid answer.
    """
    distinct = DistinctImages(data.records)
    rows = _rows_of(address, run, card, distinct.records, options, trust_cluster=trust_cluster, emit=emit)
    with closing(rows):
        yield from distinct.every_row(rows)


def _rows_of(
    address: str,
    run: Run | Path | str,
    card: ClassifierCard,
    records: Sequence[ImageRecord],
    options: PredictionOptions,
    *,
    trust_cluster: bool,
    emit: Emit,
) -> Generator[Pair]:
    packed, with_gpus = _packed(run), options.device in ("auto", "cuda")
    executor = ClusterExecutor(address, predict_batch, with_gpus=with_gpus, is_trusted=trust_cluster, emit=emit)
    with closing(executor):
        differences, progress = Differences(card), _PredictionProgress(len(records), emit)
        shared, n_parallel = executor.shared(packed), executor.n_parallel
        tasks = [(shared, options, batch) for batch in _batches(records, n_parallel)]
        with closing(executor.in_order(tasks, n_ahead=_MOST_AHEAD * n_parallel, on_wait=progress.report)) as answers:
            for (*_, batch), answer in answers:
                results = rows_of(answer, batch, card.classes)
                for record, (row, image) in zip(batch, results, strict=True):
                    if image is not None:
                        differences.count(record, image)
                    differences.count_decided(row)
                    yield row, image
        for note in differences.notes():
            emit(Noted.of(note))


def _packed(run: Run | Path | str) -> Packed:
    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        export_classifier(run, file := Path(folder, "classifier.coverslip"))
        return np.fromfile(file, np.uint8)


def _batches(records: Sequence[ImageRecord], n_parallel: int) -> list[Sequence[ImageRecord]]:
    size = min(max(len(records) // (_BATCHES_PER_COMPUTER * n_parallel), _MIN_IMAGES), _MAX_IMAGES)
    return [records[i : i + size] for i in range(0, len(records), size)]


class _PredictionProgress:
    """Emits the number of finished images and the remaining time."""

    def __init__(self, n: int, emit: Emit) -> None:
        self._n, self._emit = n, emit
        self._done = 0
        self._first: tuple[int, float] | None = None  # start of the pace, which excludes loading of the classifiers
        emit(Progressed(stage="predicting", done=0, total=n))

    def report(self, ended: Sequence[tuple[Any, ...]]) -> None:  # Any: arguments of `predict_batch`
        done = sum(len(batch) for *_, batch in ended)
        if done == self._done:
            return
        now = time.monotonic()
        self._done, self._first = done, self._first or (done, now)
        n, seconds = done - self._first[0], now - self._first[1]
        self._emit(paced(stage="predicting", done=done, total=self._n, n=n, seconds=seconds))
