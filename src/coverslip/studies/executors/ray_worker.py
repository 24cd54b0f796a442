"""One training of a study on a node of a Ray cluster: what is sent there, and what comes back."""

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
from coverslip.cluster import place_here
from coverslip.datasets import open_dataset
from coverslip.errors import BadClusterAnswer, CoverslipError
from coverslip.files import sha256_json
from coverslip.messages import text
from coverslip.runs import FromRun, Run, check_recipe, images_opened
from coverslip.studies.executors.process import Order, begin, fail, failure_file, log_file, settle

_MOST_FILES = 200_000


def packed(files: Iterable[Path], below: Path) -> bytes:
    """Files and whole folders, by their names below a folder; those that are not there are left out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:  # weights and images hardly shrink
        for file in files:
            if file.exists():
                archive.add(file, file.relative_to(below).as_posix())
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Put what was packed into a folder; names that lead out of it, links and devices are refused."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="data")


def unpack_answer(data: bytes, folder: Path, names: Collection[str]) -> None:
    """Put what a computer of a cluster packed into a folder.

    Args:
        data: what `packed` gave there; all of it is checked before anything is written.
        folder: where it goes.
        names: of the files and folders that it may hold.

    Raises:
        BadClusterAnswer: it holds anything but plain files and folders of these names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for i, member in enumerate(archive):
                if not (member.isreg() or member.isdir()) or member.issparse():
                    raise BadClusterAnswer(text("cluster-answer-link"))
                if i >= _MOST_FILES or safe_name(member.name).parts[0] not in names:
                    raise BadClusterAnswer(text("cluster-answer-other-files"))
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise BadClusterAnswer(text("cluster-answer-not-unpacked")) from error


_SECONDS_TO_STOP = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What a training needs that is not on every computer; plain values."""

    study: str  # tells studies apart
    name: str  # of the run folder
    sources: tuple[str, ...]
    fingerprint: str  # of their images, as they are where the study lies
    recipe: str  # JSON
    group_pattern: str | None
    threads: int
    begun: bytes  # what there is of it already, packed
    starts_from: bytes | None  # the run that it starts from, packed


def fingerprint_of_images(sources: Sequence[str]) -> str:
    """Tells whether images, labels and predefined splits are the same, wherever they lie.

    Raises:
        BadDataset: they cannot be opened.
    """
    return sha256_json([own.fingerprint for own in images_opened(open_dataset(list(sources))).data])


def train_on_node(sent: Sent) -> bytes:
    """Train, and give the run folder with what lies beside it, packed. The folder states how the training ended.

    A training that was begun on this computer before, by a worker that was killed or for a study that was stopped, goes
    on where it was. Nothing of one that has ended is left here.
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
    """A run folder, and what lies beside it."""
    return [folder, folder.with_name(f"{folder.name}.yaml"), log_file(folder), failure_file(folder)]


def remove(files: Iterable[Path]) -> None:
    """Files and folders, as far as they are there."""
    for file in files:
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)


def _start(folder: Path) -> Path:
    """Where the run lies that a training starts from."""
    return folder.with_name(f"{folder.name}.start")


def _train(sent: Sent, sources: tuple[str, ...], folder: Path) -> None:
    recipe = check_recipe(json.loads(sent.recipe))
    if sent.starts_from is not None and isinstance(recipe.init, FromRun):
        unpack(sent.starts_from, start := _start(folder))
        recipe = recipe.model_copy(update={"init": FromRun(run=str(start), labels=recipe.init.labels)})
    run = Run(folder)
    while (status := run.status) is not None and status.is_alive:  # of a worker that was killed, and outlived it
        time.sleep(0.2)
    if run.is_done:
        return
    process = begin(Order(sources, recipe, sent.group_pattern, sent.threads), folder)
    try:
        settle(process, folder)
    except BaseException:  # the study was stopped: what was reached is kept on this computer
        process.send_signal(SIGINT)
        with suppress(Exception):
            process.wait(_SECONDS_TO_STOP)
        raise


def _work_folder(sent: Sent) -> Path:
    """Of this user on this computer; a training comes back to it when its worker was killed.

    Raises:
        CoverslipError: somebody else made a folder of that name, and could read or change what is put there.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    own = Path(tempfile.gettempdir()) / f"coverslip-{user}"
    own.mkdir(mode=0o700, exist_ok=True)
    if own.is_symlink() or (hasattr(os, "getuid") and own.stat().st_uid != user):
        raise CoverslipError("training-folder-of-other-user", file=own)
    work = own / sent.study
    work.mkdir(exist_ok=True)
    return work


def _sources_here(sent: Sent) -> tuple[str, ...]:
    """Where the images lie on this computer.

    Raises:
        CoverslipError: they are not here, or are others.
    """
    sources = tuple(map(place_here, sent.sources))
    if fingerprint_of_images(sources) != sent.fingerprint:
        raise CoverslipError("different-images-on-computer", sources=", ".join(sources))
    return sources
