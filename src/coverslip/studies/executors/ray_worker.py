"""One training of a study on a node of a Ray cluster: request, execution and returned data."""

import io
import json
import os
import platform
import shutil
import tarfile
import tempfile
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from coverslip.archives import safe_name
from coverslip.cluster import local_path
from coverslip.datasets import open_dataset
from coverslip.errors import BadClusterAnswer, CoverslipError
from coverslip.files import sha256_json
from coverslip.messages import text
from coverslip.runs import FromRun, Run, check_recipe, images_opened
from coverslip.studies.executors.local import Order, begin, fail, failure_file, log_file, settle

_MAX_FILES = 200_000


def packed(files: Iterable[Path], below: Path) -> bytes:
    """Return an archive of files and folders, by their paths relative to `below`; missing files are excluded."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:  # uncompressed: weights and images compress poorly
        for file in files:
            if file.exists():
                archive.add(file, file.relative_to(below).as_posix())
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


_SECONDS_TO_STOP = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """The data that a training needs from the study's computer, as plain values."""

    study: str  # identifier of the study
    name: str  # of the run folder
    sources: tuple[str, ...]
    fingerprint: str  # of the images on the study's computer
    recipe: str  # JSON
    group_pattern: str | None
    threads: int
    begun: bytes  # archive of the existing files of the training
    starts_from: bytes | None  # archive of the initial run


def fingerprint_of_images(sources: Sequence[str]) -> str:
    """Return a hash of images, labels and predefined splits that does not depend on their location.

    Raises:
        BadDataset: the images cannot be opened.
    """
    return sha256_json([dataset.fingerprint for dataset in images_opened(open_dataset(list(sources))).data])


def train_on_node(sent: Sent) -> bytes:
    """Train, and return an archive of the run folder and the files beside it.

    The run folder records how the training ended. A training that an earlier worker or a stopped study started on
    this computer is resumed. The files of a training that has ended are removed from this computer.
    """
    work = _work_folder(sent)
    folder = work / sent.name
    if not folder.exists():
        unpack(sent.begun, work)
    try:
        sources = _sources_here(sent)
    except CoverslipError as error:
        fail(folder, CoverslipError("error-on-computer", cause=error, computer=platform.node()).failure)
    else:
        _train(sent, sources, folder)
    data = packed(beside(folder), work)
    remove([*beside(folder), _start(folder)])
    return data


def beside(folder: Path) -> list[Path]:
    """Return the paths of a run folder and of the files beside it."""
    return [folder, folder.with_name(f"{folder.name}.yaml"), log_file(folder), failure_file(folder)]


def remove(files: Iterable[Path]) -> None:
    """Remove files and folders that exist."""
    for file in files:
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)


def _start(folder: Path) -> Path:
    """Return the folder of the initial run of a training."""
    return folder.with_name(f"{folder.name}.start")


def _train(sent: Sent, sources: tuple[str, ...], folder: Path) -> None:
    recipe = check_recipe(json.loads(sent.recipe))
    if sent.starts_from is not None and isinstance(recipe.init, FromRun):
        unpack(sent.starts_from, start := _start(folder))
        recipe = recipe.model_copy(update={"init": FromRun(run=str(start), labels=recipe.init.labels)})
    run = Run(folder)
    while (status := run.status) is not None and status.is_alive:  # a process that outlived its killed worker
        time.sleep(0.2)
    if run.is_done:
        return
    process = begin(Order(sources, recipe, sent.group_pattern, sent.threads), folder)
    try:
        settle(process, folder)
    except BaseException:  # the study was stopped: progress stays on this computer
        process.send_signal(SIGINT)
        with suppress(Exception):
            process.wait(_SECONDS_TO_STOP)
        raise


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


def _sources_here(sent: Sent) -> tuple[str, ...]:
    """Return the paths of the images on this computer.

    Raises:
        CoverslipError: the images are missing, or differ from those of the study.
    """
    sources = tuple(map(local_path, sent.sources))
    if fingerprint_of_images(sources) != sent.fingerprint:
        raise CoverslipError("different-images-on-computer", sources=", ".join(sources))
    return sources
