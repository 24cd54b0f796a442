"""Trainings of a study on a Ray cluster: a task for each training, its work on a node, and the returned run folder.

The study's computer sends the recipe and existing files of a training. The node trains in a separate process and
returns an archive of the run folder. The archive is checked before it is installed.
"""

import io
import os
import platform
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip._version import __version__
from coverslip.datasets.index.opening import open_dataset
from coverslip.errors import BadClusterAnswer, CoverslipError, Stopped
from coverslip.files import safe_name, sha256_json
from coverslip.inference import load_classifier
from coverslip.messages import text
from coverslip.runs.folder import Run
from coverslip.runs.recipe import FromRun
from coverslip.runs.status import images_opened
from coverslip.runtime.cluster import ClusterExecutor, local_path
from coverslip.runtime.executors import ProgramExecutor
from coverslip.runtime.programs import failure_file, log_file, record_failure
from coverslip.studies.cells import expected_recipe, node_start
from coverslip.studies.running import Order, train_in_program

_MAX_FILES = 200_000


def packed(files: Iterable[Path], below: Path) -> bytes:
    """Return an archive of files and folders, by their paths relative to `below`.

    It contains only regular files and folders: a file with several hard links is stored once for each, and symbolic
    links are excluded, as missing files are.
    """
    buffer = io.BytesIO()
    # Uncompressed: weights and images compress poorly. Without `dereference`, a hard link would be stored as a link.
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        for file in files:
            for each in (file, *sorted(file.rglob("*"))):
                if (each.is_file() or each.is_dir()) and not each.is_symlink():
                    archive.add(each, each.relative_to(below).as_posix(), recursive=False)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Extract an archive to a folder. Paths outside the folder, links and devices are refused."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="data")


def unpack_answer(data: bytes, folder: Path, names: Collection[str]) -> None:
    """Check an archive from a computer of the cluster, and extract it to a folder.

    Args:
        data: the archive of `packed`. It is checked completely before files are written.
        folder: the destination.
        names: of the permitted files and folders.

    Raises:
        BadClusterAnswer: the archive contains other entries than regular files and folders with these names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for i, member in enumerate(archive):
                if not (member.isreg() or member.isdir()) or member.issparse():
                    raise BadClusterAnswer(text("cluster-answer-link"))
                if i >= _MAX_FILES or safe_name(member.name).parts[0] not in names:
                    raise BadClusterAnswer(text("cluster-answer-other-files"))
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise BadClusterAnswer(text("cluster-answer-not-unpacked")) from error


@dataclass(frozen=True, slots=True)
class Sent:
    """The data that a training needs from the study's computer."""

    study: str  # identifier of the study
    name: str  # of the run folder
    order: Order
    fingerprint: str  # of the images on the study's computer
    begun: bytes  # archive of the existing files of the training
    starts_from: bytes | None  # archive of the initial run


class Fingerprints:
    """Returns the hashes of `fingerprint_of_images`. Each is computed once. Thread-safe."""

    def __init__(self) -> None:
        self._lock, self._hashes = threading.Lock(), dict[tuple[str, ...], str]()

    def __call__(self, sources: tuple[str, ...]) -> str:
        with self._lock:
            if sources not in self._hashes:
                self._hashes[sources] = fingerprint_of_images(sources)
            return self._hashes[sources]


def fingerprint_of_images(sources: Sequence[str]) -> str:
    """Return a hash of images, labels and predefined splits that does not depend on their location.

    Raises:
        BadDataset: the images cannot be opened.
    """
    return sha256_json([dataset.fingerprint for dataset in images_opened(open_dataset(list(sources))).data])


def train_on_node(version: str, sent: Sent) -> bytes:
    """Train, and return an archive of the run folder and the files beside it.

    The run folder records how the training ended. A training that an earlier worker or a stopped study started on
    this computer is resumed. The files of a training that has ended are removed from this computer.

    Args:
        version: of coverslip on the study's computer.
        sent: the training.

    Raises:
        CoverslipError: this computer has another version of coverslip, which may not have all recipe keys.
    """
    if version != __version__:
        cause = CoverslipError("other-version-on-computer", version=__version__, expected=version)
        raise CoverslipError("error-on-computer", cause=cause, computer=platform.node())
    work = _work_folder(sent)
    folder = work / sent.name
    if not folder.exists():
        unpack(sent.begun, work)
    try:
        sources = _local_sources(sent)
    except CoverslipError as error:
        record_failure(folder, CoverslipError("error-on-computer", cause=error, computer=platform.node()).failure)
    else:
        _train(sent, sources, folder)
    data = packed(training_files(folder), work)
    remove([*training_files(folder), node_start(folder)])
    return data


def training_files(folder: Path) -> list[Path]:
    """Return the paths of a run folder and of the files beside it."""
    return [folder, folder.with_name(f"{folder.name}.yaml"), log_file(folder), failure_file(folder)]


def remove(files: Iterable[Path]) -> None:
    """Remove files and folders that exist."""
    for file in files:
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)


def _train(sent: Sent, sources: tuple[str, ...], folder: Path) -> None:
    recipe = sent.order.recipe
    if sent.starts_from is not None and isinstance(recipe.init, FromRun):
        unpack(sent.starts_from, start := node_start(folder))
        recipe = recipe.model_copy(update={"init": FromRun(run=str(start), labels=recipe.init.labels)})
    run = Run(folder)
    while (status := run.status) is not None and status.is_alive:  # a process that outlived its killed worker
        time.sleep(0.2)
    if run.is_done:
        return
    executor = ProgramExecutor(sent.order.threads, pins_cores=False)  # other executors would pin to the same cores
    # If the study is stopped meanwhile, progress stays on this computer.
    train_in_program(executor, replace(sent.order, sources=sources, recipe=recipe), folder)


def _work_folder(sent: Sent) -> Path:
    """Return the study's work folder of this user on this computer. A training resumes there if its worker was killed.

    Raises:
        CoverslipError: another user created a folder of that name, and could read or change its files.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    user_folder = Path(tempfile.gettempdir()) / f"coverslip-{user}"
    user_folder.mkdir(mode=0o700, exist_ok=True)
    if user_folder.is_symlink() or (hasattr(os, "getuid") and user_folder.stat().st_uid != user):
        raise CoverslipError("training-folder-of-other-user", file=user_folder)
    work = user_folder / sent.study
    work.mkdir(exist_ok=True)
    return work


def _local_sources(sent: Sent) -> tuple[str, ...]:
    """Return the paths of the images on this computer.

    Raises:
        CoverslipError: the images are missing, or differ from those of the study.
    """
    sources = tuple(map(local_path, sent.order.sources))
    if fingerprint_of_images(sources) != sent.fingerprint:
        raise CoverslipError("different-images-on-computer", sources=", ".join(sources))
    return sources


def train_on_cluster(
    executor: ClusterExecutor,
    study: Path,
    fingerprint_of: Fingerprints,
    order: Order,
    folder: Path,
    starts_from: Path | None,
) -> None:
    """Train on a cluster that runs `train_on_node`, and install the returned run folder.

    After a stop, the progress stays on its computer, where a resumed study can continue.

    Args:
        executor: runs `train_on_node`.
        study: the folder of the study.
        fingerprint_of: returns the hashes of the images.
        order: the definition of the training.
        folder: of the run.
        starts_from: the folder of the initial run, on this computer.
    """
    try:
        sent = Sent(
            study=sha256_json(str(study.resolve()))[:16],
            name=folder.name,
            order=order,
            fingerprint=fingerprint_of(order.sources),
            begun=packed(training_files(folder), folder.parent),
            starts_from=None if starts_from is None else packed(starts_from.iterdir(), starts_from),
        )
        install(executor.run((__version__, sent)), order, folder)
    except Stopped:
        pass
    except CoverslipError as error:
        record_failure(folder, error.failure)


def install(data: object, order: Order, folder: Path) -> None:
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
        unpack_answer(data, part, {file.name for file in training_files(folder)})
        _check_run(Run(part / folder.name), order)
        remove(training_files(folder))
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
    if run.recipe != expected_recipe(run, order.recipe, order.group_pattern):
        raise BadClusterAnswer(text("cluster-answer-other-recipe"))
    if run.status is None:
        raise BadClusterAnswer(text("cluster-answer-no-status"))
    if run.is_done:
        load_classifier(run, "cpu")
        for each in (run, *run.folds):
            _ = (each.history, each.split, *((each.metrics, each.predictions) if each.is_measured else ()))
