"""Prediction of many images on a Ray cluster: a task for each batch of images, rows in the order of the images."""

import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.datasets import Dataset, ImageRecord
from coverslip.events import Emit, Noted, Progressed, ignore, time_left
from coverslip.inference.new_images import Differences, DistinctImages, Pair
from coverslip.inference.ray_worker import Packed, PredictionOptions, predict_batch, rows_of
from coverslip.runs import ClassifierCard, Run, export_classifier
from coverslip.runtime.cluster import ClusterExecutor

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
        with closing(executor.in_order(tasks, most_ahead=_MOST_AHEAD * n_parallel, on_wait=progress.report)) as answers:
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
        pace = n / seconds if n and seconds else None
        left = time_left(done, self._n, done / pace) if pace else None
        self._emit(Progressed(stage="predicting", done=done, total=self._n, per_second=pace, seconds_left=left))
