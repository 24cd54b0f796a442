"""Trainings on a Ray cluster: a task for each, whose folder comes back whole."""

import math
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coverslip.cluster import computers_of, joined_cluster, last_words, task_of
from coverslip.errors import BadClusterAnswer, CoverslipError
from coverslip.events import Emit, ignore
from coverslip.files import sha256_json
from coverslip.inference import load_classifier
from coverslip.messages import failure, text
from coverslip.runs import Run
from coverslip.studies.executors.process import Order, fail
from coverslip.studies.executors.ray_worker import (
    Sent,
    beside,
    fingerprint_of_images,
    packed,
    remove,
    train_on_node,
    unpack_answer,
)


class OnRay:
    """A cluster that is there, or one of this computer alone."""

    def __init__(
        self, address: str, threads: int, study: Path, *, trust_cluster: bool = False, emit: Emit = ignore
    ) -> None:
        """Join it.

        Args:
            address: as of `joined_cluster`.
            threads: of each training.
            study: its folder.
            trust_cluster: join it without a token, as of `joined_cluster`.
            emit: receives a note about the rights of the cluster's computers before a connection.

        Raises:
            CoverslipError: Ray is not installed, no cluster answers at the address, it is not to be trusted, or none of
            its computers is large enough.
        """
        self._ray = joined_cluster(address, is_trusted=trust_cluster, emit=emit)
        self._study = sha256_json(str(study.resolve()))[:16]
        computers = computers_of(self._ray)
        has_gpus = any(own.get("GPU", 0) > 0 for own in computers)
        self.n_aside = sum(
            int(min(own.get("CPU", 0) // threads, own.get("GPU", 0) if has_gpus else math.inf)) for own in computers
        )
        if not self.n_aside:
            raise CoverslipError("no-computer-for-training", threads=threads, has_gpus=has_gpus)
        self._cores, self._gpus = threads, int(has_gpus)
        self.task = self.task_of(train_on_node)
        self._running: dict[Path, Any] = {}  # Any: Ray's references
        self._guard = threading.Lock()
        self._is_stopped = False
        self._fingerprints: dict[tuple[str, ...], str] = {}

    def task_of(self, work: Callable[[Sent], bytes]) -> Any:  # Any: Ray's
        """What does this for a training, on as many cores (and a GPU) as one has."""
        return task_of(self._ray, work, cores=self._cores, gpus=self._gpus)

    def train(self, order: Order, folder: Path, starts_from: Path | None) -> None:
        """Have it trained, and put what comes back into its place."""
        try:
            sent = self._sent(order, folder, starts_from)
        except CoverslipError as error:  # its images cannot be opened
            fail(folder, error.failure)
            return
        with self._guard:
            if self._is_stopped:
                return
            reference = self._running[folder] = self.task.remote(sent)
        try:
            data = self._ray.get(reference)
        except self._ray.exceptions.TaskCancelledError:
            return
        except self._ray.exceptions.RayError as error:
            if not self._is_stopped:
                fail(folder, failure("cluster-training-failed", reason=last_words(error).rstrip(".")))
            return
        finally:
            with self._guard:
                self._running.pop(folder, None)
        try:
            put(data, order, folder)
        except CoverslipError as error:
            fail(folder, error.failure)

    def stop(self) -> None:
        """End all tasks; what they have reached stays on their computers, where a resumed study may find it."""
        with self._guard:
            self._is_stopped = True
            for reference in self._running.values():
                self._ray.cancel(reference)

    def close(self) -> None:
        """Leave the cluster; one that was made for this study ends."""
        self._ray.shutdown()

    def _sent(self, order: Order, folder: Path, starts_from: Path | None) -> Sent:
        with self._guard:
            if order.sources not in self._fingerprints:
                self._fingerprints[order.sources] = fingerprint_of_images(order.sources)
        return Sent(
            study=self._study,
            name=folder.name,
            sources=order.sources,
            fingerprint=self._fingerprints[order.sources],
            recipe=order.recipe.model_dump_json(),
            group_pattern=order.group_pattern,
            threads=order.threads,
            begun=packed(beside(folder), folder.parent),
            starts_from=None if starts_from is None else packed(starts_from.iterdir(), starts_from),
        )


def put(data: object, order: Order, folder: Path) -> None:
    """Put a training that came back into its place, once all of it is what a training leaves behind.

    Files appear whole: unpacked beside, then moved.

    Raises:
        CoverslipError: it is not; nothing of it is kept.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        if not isinstance(data, bytes):
            raise BadClusterAnswer(text("cluster-answer-no-bytes"))
        unpack_answer(data, part, {file.name for file in beside(folder)})
        _check_run(Run(part / folder.name), order)
        remove(beside(folder))
        for new in part.iterdir():
            new.replace(folder.parent / new.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check_run(run: Run, order: Order) -> None:
    """Check that a run's files can be read, and are of the training that was ordered.

    Raises:
        CoverslipError: they are not.
    """
    if not run.folder.exists():  # the training did not begin
        return
    # A run to start from lies elsewhere there, and groups may be named beside the recipe.
    expected = {"init": run.recipe.init} | ({"group": order.group_pattern} if order.group_pattern else {})
    if run.recipe != order.recipe.model_copy(update=expected):
        raise BadClusterAnswer(text("cluster-answer-other-recipe"))
    if run.status is None:
        raise BadClusterAnswer(text("cluster-answer-no-status"))
    if run.is_done:
        load_classifier(run, "cpu")
        for each in (run, *run.folds):
            _ = (each.history, each.split, *((each.metrics, each.predictions) if each.is_measured else ()))
