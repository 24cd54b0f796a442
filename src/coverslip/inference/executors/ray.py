"""Many images predicted on a Ray cluster: a task for each part of them, rows in their order."""

import tempfile
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.cluster import error_summary, join_cluster, node_resources, remote_task
from coverslip.datasets import Dataset, PreprocessedImage
from coverslip.errors import CoverslipError
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.inference.executors.answers import rows_of
from coverslip.inference.executors.ray_worker import Packed, Part, predict_part
from coverslip.inference.new_images import Differences
from coverslip.runs import ClassifierCard, Prediction, Run, export_classifier

_PARTS_EACH = 16  # of each computer: quicker ones do more of them, and little is lost with one
_FEWEST, _MOST = 64, 2048  # images in a part: the classifier is loaded for each, and its rows are held in memory
_AHEAD_EACH = 3  # parts that each computer may be ahead of the rows that are returned
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_STOP = 5.0


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """How images are predicted."""

    batch_size: int
    device: str
    prevalence: Mapping[str, float]  # stated shares of classes; empty: those of training
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
) -> Generator[tuple[Prediction, PreprocessedImage | None]]:
    """What `Classifier.predict_with_pixels` gives here, without the pixels, from the computers of a cluster.

    Each computer does one part at a time, with all its cores; or, where the cluster has GPUs and the device may be one,
    with one of its GPUs. It reads the images itself. A part whose computer is lost is done by another.

    Args:
        address: of the cluster, as of `join_cluster`.
        run: the classifier, as of `load_classifier`.
        card: its card.
        data: images, opened for it.
        options: how they are predicted.
        trust_cluster: join it without a token, as of `join_cluster`.
        emit: receives progress, and notes on images unlike the training images.

    Raises:
        CoverslipError: Ray is not installed, there is no such cluster, or one of its computers could not do its part
            or answered what it cannot have found.
    """
    packed = _packed(run)
    ray = join_cluster(address, is_trusted=trust_cluster, emit=emit)
    try:
        n_parallel, cores, gpus = _needed(node_resources(ray), options.device)
        task, sent = remote_task(ray, predict_part, cores=cores, gpus=gpus), ray.put(packed)
        differences = Differences(card)
        parts, n_ahead = _parts(data, n_parallel, options), _AHEAD_EACH * n_parallel
        with closing(_in_order(ray, lambda part: task.remote(sent, part), parts, card.classes, n_ahead, emit)) as done:
            for part, outcome in done:
                for record, (row, image) in zip(part.records, outcome, strict=True):
                    if image is not None:
                        differences.count(record, image)
                    differences.count_decided(row)
                    yield row, image
        for note in differences.notes():
            emit(Noted.of(note))
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise CoverslipError("cluster-prediction-failed", reason=error_summary(error)) from error
    finally:
        ray.shutdown()  # which ends a cluster that was begun for this alone


def _packed(run: Run | Path | str) -> Packed:
    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        export_classifier(run, file := Path(folder, "classifier.coverslip"))
        return np.fromfile(file, np.uint8)


def _needed(computers: Sequence[Mapping[str, float]], device: str) -> tuple[int, int, int]:
    """How many parts can be done side by side, and the cores and GPUs that each takes.

    Raises:
        CoverslipError: no computer has any cores for it.
    """
    with_gpus = [computer for computer in computers if computer.get("GPU", 0) >= 1]
    if with_gpus and device in ("auto", "cuda"):
        cores = min(int(computer.get("CPU", 0) // computer["GPU"]) for computer in with_gpus)
        return sum(int(computer["GPU"]) for computer in with_gpus), cores, 1
    of_each = [int(computer["CPU"]) for computer in computers if computer.get("CPU", 0) >= 1]
    if not of_each:
        raise CoverslipError("cluster-without-cores")
    cores = min(of_each)
    return sum(n_cores // cores for n_cores in of_each), cores, 0


def _parts(data: Dataset, n_parallel: int, options: PredictionOptions) -> list[Part]:
    size = min(max(len(data) // (_PARTS_EACH * n_parallel), _FEWEST), _MOST)
    return [
        Part(data.records[i : i + size], options.batch_size, options.device, options.prevalence, options.is_hashed)
        for i in range(0, len(data), size)
    ]


def _in_order(
    ray: Any,  # Any: Ray's module
    begin: Any,  # Any: gives Ray's references
    parts: Sequence[Part],
    classes: Sequence[str],
    n_ahead: int,
    emit: Emit,
) -> Generator[tuple[Part, list[tuple[Prediction, PreprocessedImage | None]]]]:
    """Each part with what came of it; when this ends early, so do all tasks."""
    progress = _PredictionProgress(sum(len(part.records) for part in parts), emit)
    running: deque[Any] = deque()  # of the next parts
    n_before = 0
    try:
        for i, part in enumerate(parts):
            running.extend(begin(more) for more in parts[i + len(running) : i + n_ahead])
            ready: list[Any] = []
            while running[0] not in ready:
                ready, _ = ray.wait([*running], num_returns=len(running), timeout=_SECONDS_BETWEEN_LOOKS)
                of_ready = (each for each, reference in zip(parts[i:], running, strict=False) if reference in ready)
                progress.tell(n_before + sum(len(each.records) for each in of_ready))
            answer = ray.get(running[0])
            running.popleft()
            yield part, rows_of(answer, part.records, classes)
            n_before += len(part.records)
    finally:
        for reference in running:
            ray.cancel(reference)
        if running:  # they remove what they wrote
            ray.wait([*running], num_returns=len(running), timeout=_SECONDS_TO_STOP)


class _PredictionProgress:
    """Emits how many images are done, and how long the others will take."""

    def __init__(self, n: int, emit: Emit) -> None:
        self._n, self._emit = n, emit
        self._done = 0
        self._first: tuple[int, float] | None = None  # before it classifiers were made ready: no part of the pace
        emit(Progressed(stage="predicting", done=0, total=n))

    def tell(self, done: int) -> None:
        if done == self._done:
            return
        now = time.monotonic()
        self._done, self._first = done, self._first or (done, now)
        n, seconds = done - self._first[0], now - self._first[1]
        pace = n / seconds if n and seconds else None
        left = (self._n - done) / pace if pace else None
        self._emit(Progressed(stage="predicting", done=done, total=self._n, per_second=pace, seconds_left=left))
