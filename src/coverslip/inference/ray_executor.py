"""Prediction of many images on a Ray cluster: a task for each batch of images, rows in the order of the images."""

import tempfile
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.cluster import error_summary, join_cluster, node_resources, remote_task
from coverslip.datasets import Dataset, ImageRecord
from coverslip.errors import CoverslipError
from coverslip.events import Emit, Noted, Progressed, ignore, time_left
from coverslip.images import PreprocessedImage
from coverslip.inference.new_images import Differences
from coverslip.inference.ray_worker import ImageBatch, Packed, predict_batch, rows_of
from coverslip.inference.repeated_images import DistinctImages, Pair
from coverslip.runs import ClassifierCard, Prediction, Run, export_classifier

_BATCHES_PER_COMPUTER = 16  # so that faster computers process more batches, and little work is lost with a computer
_MIN_IMAGES, _MAX_IMAGES = 64, 2048  # in a batch: each loads the classifier and holds its rows in memory
_MAX_AHEAD = 3  # batches per computer ahead of the returned rows
_SECONDS_BETWEEN_CHECKS = 0.2
_SECONDS_TO_STOP = 5.0


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """Options of the prediction."""

    batch_size: int
    device: str
    prevalence: Mapping[str, float]  # stated shares of classes; empty: those of training
    is_rescaled: bool  # to the pixel size of the training images
    is_hashed: bool  # take hashes of pixels, by which training images are counted


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
    packed = _packed(run)
    ray = join_cluster(address, is_trusted=trust_cluster, emit=emit)
    try:
        n_parallel, cores, gpus = _task_resources(node_resources(ray), options.device)
        task, sent = remote_task(ray, predict_batch, cores=cores, gpus=gpus), ray.put(packed)
        differences = Differences(card)
        batches, n_ahead = _batches(records, n_parallel, options), _MAX_AHEAD * n_parallel
        begin = partial(task.remote, sent)
        with closing(_in_order(ray, begin, batches, card.classes, n_ahead, emit)) as finished:
            for batch, results in finished:
                for record, (row, image) in zip(batch.records, results, strict=True):
                    if image is not None:
                        differences.count(record, image)
                    differences.count_decided(row)
                    yield row, image
        for note in differences.notes():
            emit(Noted.of(note))
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise CoverslipError("cluster-prediction-failed", reason=error_summary(error)) from error
    finally:
        ray.shutdown()  # also ends a cluster that was started for this prediction


def _packed(run: Run | Path | str) -> Packed:
    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        export_classifier(run, file := Path(folder, "classifier.coverslip"))
        return np.fromfile(file, np.uint8)


def _task_resources(computers: Sequence[Mapping[str, float]], device: str) -> tuple[int, int, int]:
    """Return the number of parallel tasks, and the cores and GPUs of each task.

    Raises:
        CoverslipError: no computer has cores.
    """
    with_gpus = [computer for computer in computers if computer.get("GPU", 0) >= 1]
    if with_gpus and device in ("auto", "cuda"):
        cores = min(int(computer.get("CPU", 0) // computer["GPU"]) for computer in with_gpus)
        return sum(int(computer["GPU"]) for computer in with_gpus), cores, 1
    n_cores_each = [int(computer["CPU"]) for computer in computers if computer.get("CPU", 0) >= 1]
    if not n_cores_each:
        raise CoverslipError("cluster-without-cores")
    cores = min(n_cores_each)
    return sum(n_cores // cores for n_cores in n_cores_each), cores, 0


def _batches(records: Sequence[ImageRecord], n_parallel: int, options: PredictionOptions) -> list[ImageBatch]:
    size = min(max(len(records) // (_BATCHES_PER_COMPUTER * n_parallel), _MIN_IMAGES), _MAX_IMAGES)
    return [
        ImageBatch(
            tuple(records[i : i + size]),
            options.batch_size,
            options.device,
            options.prevalence,
            is_hashed=options.is_hashed,
            is_rescaled=options.is_rescaled,
        )
        for i in range(0, len(records), size)
    ]


def _in_order(
    ray: Any,  # Any: Ray's module
    begin: Any,  # Any: returns Ray's references
    batches: Sequence[ImageBatch],
    classes: Sequence[str],
    n_ahead: int,
    emit: Emit,
) -> Generator[tuple[ImageBatch, list[tuple[Prediction, PreprocessedImage | None]]]]:
    """Yield each batch with its results. If the generator is closed early, all tasks are canceled."""
    progress = _PredictionProgress(sum(len(batch.records) for batch in batches), emit)
    running: deque[Any] = deque()  # references of the next batches
    n_before = 0
    try:
        for i, batch in enumerate(batches):
            running.extend(begin(following) for following in batches[i + len(running) : i + n_ahead])
            ready: list[Any] = []
            while running[0] not in ready:
                ready, _ = ray.wait([*running], num_returns=len(running), timeout=_SECONDS_BETWEEN_CHECKS)
                pairs = zip(batches[i:], running, strict=False)
                n_ready = sum(len(each.records) for each, reference in pairs if reference in ready)
                progress.report(n_before + n_ready)
            answer = ray.get(running[0])
            running.popleft()
            yield batch, rows_of(answer, batch.records, classes)
            n_before += len(batch.records)
    finally:
        for reference in running:
            ray.cancel(reference)
        if running:  # tasks remove their temporary files
            ray.wait([*running], num_returns=len(running), timeout=_SECONDS_TO_STOP)


class _PredictionProgress:
    """Emits the number of finished images and the remaining time."""

    def __init__(self, n: int, emit: Emit) -> None:
        self._n, self._emit = n, emit
        self._done = 0
        self._first: tuple[int, float] | None = None  # start of the pace, which excludes loading of the classifiers
        emit(Progressed(stage="predicting", done=0, total=n))

    def report(self, done: int) -> None:
        if done == self._done:
            return
        now = time.monotonic()
        self._done, self._first = done, self._first or (done, now)
        n, seconds = done - self._first[0], now - self._first[1]
        pace = n / seconds if n and seconds else None
        left = time_left(done, self._n, done / pace) if pace else None
        self._emit(Progressed(stage="predicting", done=done, total=self._n, per_second=pace, seconds_left=left))
