"""Trainings on a Ray cluster: one task per training, which returns the run folder."""

import math
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coverslip.cluster import error_summary, join_cluster, node_resources, remote_task
from coverslip.errors import BadClusterAnswer, CoverslipError
from coverslip.events import Emit, ignore
from coverslip.files import sha256_json
from coverslip.inference import load_classifier
from coverslip.messages import failure, text
from coverslip.runs import Run
from coverslip.studies.executors.local import Order, fail
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
    """Executor on an existing Ray cluster, or on a new cluster of this computer."""

    def __init__(
        self, address: str, threads: int, study: Path, *, trust_cluster: bool = False, emit: Emit = ignore
    ) -> None:
        """Join the cluster.

        Args:
            address: as in `join_cluster`.
            threads: of each training.
            study: its folder.
            trust_cluster: join without a token, as in `join_cluster`.
            emit: receives a note about the rights of the cluster's computers before a connection.

        Raises:
            CoverslipError: Ray is not installed, no cluster answers at the address, the cluster is not trusted, or no
                computer of it is large enough.
        """
        self._ray = join_cluster(address, is_trusted=trust_cluster, emit=emit)
        self._study = sha256_json(str(study.resolve()))[:16]
        computers = node_resources(self._ray)
        has_gpus = any(resources.get("GPU", 0) > 0 for resources in computers)
        self.n_parallel = sum(
            int(min(resources.get("CPU", 0) // threads, resources.get("GPU", 0) if has_gpus else math.inf))
            for resources in computers
        )
        if not self.n_parallel:
            raise CoverslipError("no-computer-for-training", threads=threads, has_gpus=has_gpus)
        self._cores, self._gpus = threads, int(has_gpus)
        self.task = self.remote_task(train_on_node)
        self._running: dict[Path, Any] = {}  # Any: Ray's references
        self._guard = threading.Lock()
        self._is_stopped = False
        self._fingerprints: dict[tuple[str, ...], str] = {}

    def remote_task(self, work: Callable[[Sent], bytes]) -> Any:  # Any: Ray's
        """Return the Ray task of a function, with the cores (and the GPU) of one training."""
        return remote_task(self._ray, work, cores=self._cores, gpus=self._gpus)

    def train(self, order: Order, folder: Path, starts_from: Path | None) -> None:
        """Train on the cluster, and install the returned run folder."""
        try:
            sent = self._sent(order, folder, starts_from)
        except CoverslipError as error:  # the images cannot be opened
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
                fail(folder, failure("cluster-training-failed", reason=error_summary(error).rstrip(".")))
            return
        finally:
            with self._guard:
                self._running.pop(folder, None)
        try:
            put(data, order, folder)
        except CoverslipError as error:
            fail(folder, error.failure)

    def stop(self) -> None:
        """Cancel all tasks. Their progress stays on their computers, where a resumed study can continue."""
        with self._guard:
            self._is_stopped = True
            for reference in self._running.values():
                self._ray.cancel(reference)

    def close(self) -> None:
        """Leave the cluster. A cluster that was started for this study ends."""
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
    """Check a returned training, and install it in its folder.

    Files are first unpacked to a temporary folder, then moved, so that they are never incomplete.

    Raises:
        CoverslipError: the data is not a valid training; none of it is installed.
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
    """Check that a run's files can be read and belong to the requested training.

    Raises:
        CoverslipError: the files are not valid.
    """
    if not run.folder.exists():  # the training did not start
        return
    # On the node, the initial run has another path, and the group pattern is an option outside the recipe.
    expected = {"init": run.recipe.init} | ({"group": order.group_pattern} if order.group_pattern else {})
    if run.recipe != order.recipe.model_copy(update=expected):
        raise BadClusterAnswer(text("cluster-answer-other-recipe"))
    if run.status is None:
        raise BadClusterAnswer(text("cluster-answer-no-status"))
    if run.is_done:
        load_classifier(run, "cpu")
        for each in (run, *run.folds):
            _ = (each.history, each.split, *((each.metrics, each.predictions) if each.is_measured else ()))
