"""`status.json` and `environment.json`: whether a run is alive, its lock, versions, machine and images.

The lock is a lock of the operating system on a file in the folder. The file stays in the folder, but the lock ends with
its process, so that a dead process does not block others. Some network file systems have no locks. There, only the
heartbeat of `status.json` shows that another process is working. A process must not open its own lock file, since
closing the file would release the lock.
"""

import hashlib
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from coverslip._version import __version__
from coverslip.cache.stores import exclusive_lock
from coverslip.datasets.index.records import SIDES, Dataset, ImageRecord, Side
from coverslip.errors import BadRun, Conflict, CoverslipError, Stopped
from coverslip.files import sha256_json
from coverslip.images.reader import Channel
from coverslip.machine import Machine, describe_machine, package_version, process_started
from coverslip.messages import ChooseOther, Failure, Message, joined, message, text
from coverslip.runs.documents import Document, Record, StatedPath
from coverslip.runtime.programs import is_running
from coverslip.stopping import signals_stop


def _validated_time(time_stamp: str) -> str:
    """Validate a time in ISO 8601 with its offset from UTC."""
    if datetime.fromisoformat(time_stamp).utcoffset() is None:
        raise ValueError(text("time-without-offset"))
    return time_stamp


State = Literal["running", "done", "stopped", "failed"]

Moment = Annotated[str, AfterValidator(_validated_time)]

_SILENT_SECONDS = 300.0  # without a heartbeat; decoding one huge image, for example, renews no heartbeat


class Status(Document):
    """`status.json`: the last status of the process that works or worked on a folder."""

    state: State
    host: str
    pid: int = Field(ge=0, lt=2**31)
    process_started: float  # `machine.process_started`: distinguishes a process from a later one with the same number
    began: Moment  # start of the work on the folder
    heartbeat: Moment
    reason: str | None = None  # of an early end
    failure: Failure | None = None  # the reason as data, if it is a CoverslipError
    epoch: int | None = None
    n_epochs: int | None = None
    seconds_left: float | None = None

    @property
    def seconds_worked(self) -> float:
        """Seconds from the start of the work to its last heartbeat."""
        return (datetime.fromisoformat(self.heartbeat) - datetime.fromisoformat(self.began)).total_seconds()

    @property
    def is_alive(self) -> bool:
        """Whether the process is still running, and not a later one with the same number."""
        if self.state != "running":
            return False
        if self.host != platform.node():  # a process of another computer is only visible by its heartbeat
            silent = datetime.now(UTC) - datetime.fromisoformat(self.heartbeat)
            return silent.total_seconds() < _SILENT_SECONDS
        return is_running(self.pid, self.process_started)


class StatusFile:
    """Writes the status of this process's work into a folder."""

    _SECONDS_BETWEEN = 5.0

    def __init__(self, file: Path) -> None:
        self._file = file
        self._values: dict[str, Any] = {}  # Any: each field has its own type
        self._written = 0.0
        self._began = datetime.now(UTC).isoformat(timespec="seconds")

    def write(self, state: State, **more: object) -> None:
        """Write the state and further fields immediately."""
        self._values = {**self._values, "state": state, **more}
        self._write()

    def beat(self, **more: object) -> None:
        """Update fields and renew the heartbeat. The file is written at most every few seconds."""
        self._values |= more
        if time.monotonic() - self._written > self._SECONDS_BETWEEN:
            self._write()

    @contextmanager
    def recording(self) -> Iterator["StatusFile"]:
        """Record that the work of the block runs, and how it ended. A signal requests a stop of it."""
        with signals_stop():
            self.write("running")
            try:
                yield self
                self.write("done", seconds_left=None)
            except BaseException as error:
                state: State = "stopped" if isinstance(error, Stopped | KeyboardInterrupt) else "failed"
                failure = error.failure if isinstance(error, CoverslipError) else None
                with suppress(CoverslipError, OSError):  # if the disk is full, `error` is more important
                    self.write(state, reason=str(error) or type(error).__name__, failure=failure, seconds_left=None)
                raise

    def _write(self) -> None:
        self._written = time.monotonic()
        Status(
            host=platform.node(),
            pid=os.getpid(),
            process_started=process_started(),
            began=self._began,
            heartbeat=datetime.now(UTC).isoformat(timespec="seconds"),
            **self._values,
        ).write(self._file)


def mark_interrupted(file: Path) -> bool:
    """Let the status of a folder name no process, such as that of a copied folder, so that its work can be resumed.

    Returns:
        Whether it named a running process.
    """
    try:
        status = Status.read(file)
    except BadRun:
        return False
    if status.state != "running":
        return False
    status.model_copy(update={"host": platform.node(), "pid": 0, "process_started": 0.0}).write(file)
    return True


WORK_LOCK = "work.lock"
_WAIT_S = 1.0  # processes that start simultaneously may first block each other


@contextmanager
def work_lock(folder: Path) -> Iterator[None]:
    """Lock a folder for this process and thread during the block. The folder is created if there is none.

    Raises:
        BadRun: the folder cannot be created, or no file can be written in it.
        Conflict: another process works there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_not_created(folder, error) from error
    try:
        lock: AbstractContextManager[object] = closing(exclusive_lock(folder / WORK_LOCK, wait_s=_WAIT_S))
    except OSError:
        lock = nullcontext()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # higher bits are extended codes
            raise BadRun(
                "folder-not-locked", file=folder, remedies=(ChooseOther("output"),), reason=str(error)
            ) from error
        raise folder_in_use(folder) from error
    with lock:
        yield


def folder_in_use(folder: Path) -> Conflict:
    """Return the error for a folder in which another process is working."""
    return Conflict("folder-in-use", file=folder)


def folder_not_created(folder: Path, error: OSError) -> BadRun:
    """Return the error for a folder that cannot be created."""
    reason = error.strerror or str(error)
    return BadRun("folder-not-created", file=folder, remedies=(ChooseOther("output"),), reason=reason)


# `environment.json`: versions, machine and command of a run, and how and where its images were opened.

_NAMED_PACKAGES = ("torch", "timm", "numpy", "pillow", "tifffile", "scipy", "onnxruntime")


class Opened(Record):
    """How the images were opened."""

    sources: tuple[StatedPath, ...]
    group: str | None
    group_pattern: str | None
    column_pattern: str | None = None
    """Regular expression that extracted the values of the group column from the images' paths."""
    domains: tuple[str | None, ...] = ()
    """Names of the domains, one per source."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Columns of the tables by meaning, if the user chose them."""
    crop_size: int | str | None = None
    """Side of the crop around each point of a table, in pixels or in µm (`32 um`)."""
    channels: tuple[Channel, ...] | None = None
    """Numbers or names of the channels, if they were chosen for all images."""


class DomainImages(Record):
    """Folder and number of the images of one domain."""

    domain: str
    root: StatedPath
    sources: tuple[StatedPath, ...]
    n_images: int
    fingerprint: str
    """Changes if images are added, removed or described differently."""


class Weights(Record):
    """The pretrained weights of an initialization."""

    model: str
    kind: str
    source: str | None
    license: str | None
    sha256: str | None


class ImagesOpened(Document):
    """How and where images were opened."""

    opened: Opened
    data: tuple[DomainImages, ...]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint of each domain."""
        return tuple(images.fingerprint for images in self.data)


class OtherPixels(Record):
    """A choice of pixels in the files of images that differs from that of the training."""

    key: str
    """Of a plan: series, t, z, channels or level."""
    values: tuple[str, ...]
    """What is read, as in a table; empty texts: all channels."""
    trained: tuple[str, ...]
    """What was read in the training."""

    @property
    def difference(self) -> Message:
        """The difference as part of a sentence."""
        return message("pixels-differ", key=self.key, value=_listed(self.values), trained=_listed(self.trained))


def _listed(values: tuple[str, ...]) -> Message | None:
    names = (message("pixels-value", value=value) if value else message("pixels-all") for value in values)
    listed = joined(islice(names, _MOST_VALUES), "list-of-messages")
    return message("list-and-more", first=listed) if len(values) > _MOST_VALUES else listed


_MOST_VALUES = 4  # of a difference that a sentence lists


class EvaluatedImages(ImagesOpened):
    """`environment.json` of an evaluation on an external test set."""

    n_used_in_training: int
    """Number of measured images that were used in training, of which another plane was, or that are duplicates. If the
    table of the training states several planes, other planes are not counted."""
    n_of_seen_groups: int
    """Number of measured images whose group has the name of a group with training images."""
    n_of_other_pixel_size: int = 0
    """Number of measured images that were not rescaled and have another pixel size than in training."""
    other_pixels: tuple[OtherPixels, ...] = ()
    """Other planes, channels or levels of files than were read in training."""
    thresholds: tuple[float, ...] | None = None
    """Thresholds of the classes for these metrics; null: the current thresholds of the classifier."""
    is_of_unfinished_training: bool
    """Whether training had not ended, so that the evaluated classifier is not the final one."""
    is_rescaled: bool
    """Whether images of known pixel size were rescaled to that of the training images."""

    @property
    def is_seen(self) -> bool:
        """Whether some images or groups were used in training."""
        return self.n_used_in_training > 0 or self.n_of_seen_groups > 0


class Environment(ImagesOpened):
    """`environment.json` of a training: versions, machine, seed, and how and where images were opened."""

    coverslip: str
    python: str
    packages: dict[str, str]
    platform: str
    machine: Machine
    device: str
    seed: int
    allow_leakage: bool
    predefined_sets: tuple[Side, ...] = ()
    """Sets that the data predefine, such as in a column `split`."""
    command: tuple[str, ...] | None
    started: str
    """ISO 8601, UTC."""
    initialization: str | None = None
    """SHA-256 of the weights of the run that provides the initial weights."""
    weights: Weights | None = None
    """The pretrained weights of the initialization."""
    fold: int | None = None
    """Number of the fold, 1-based, if this is the training of a fold."""


def images_opened(data: Dataset) -> ImagesOpened:
    """Return how the images of a dataset were opened, and the folder of each domain."""
    records_of: dict[str, list[ImageRecord]] = {origin.domain: [] for origin in data.origins}
    for record in data.records:
        records_of.setdefault(record.domain, []).append(record)
    roots = {origin.domain: (origin.root, origin.sources) for origin in data.origins}
    opening = data.opening
    domain_images = []
    for domain, records in records_of.items():
        root, sources = roots.get(domain, (data.root, opening.sources))
        domain_images.append(
            DomainImages(
                domain=domain,
                root=str(root),
                sources=tuple(map(str, sources)),
                n_images=len(records),
                fingerprint=_fingerprint(records),
            )
        )
    opened = Opened(
        sources=tuple(map(str, opening.sources)),
        group=opening.group,
        group_pattern=opening.group_pattern,
        column_pattern=opening.column_pattern,
        domains=opening.domains,
        columns=dict(opening.columns),
        crop_size=opening.plan.crop_size,
        channels=opening.channels,
    )
    return ImagesOpened(opened=opened, data=tuple(domain_images))


def describe_environment(
    data: Dataset,
    *,
    seed: int,
    device: str,
    allow_leakage: bool,
    initialization: str | None = None,
    weights: Weights | None,
) -> Environment:
    """Return the environment of a run that begins now."""
    images = images_opened(data)
    return Environment(
        opened=images.opened,
        data=images.data,
        coverslip=__version__,
        python=platform.python_version(),
        packages={name: installed for name in _NAMED_PACKAGES if (installed := package_version(name))},
        platform=platform.platform(),
        machine=describe_machine(),
        device=device,
        seed=seed,
        allow_leakage=allow_leakage,
        predefined_sets=tuple(
            side for side in SIDES if any(record.predefined_split == side for record in data.records)
        ),
        command=tuple(sys.argv) if Path(sys.argv[0]).name.startswith("coverslip") else None,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        initialization=initialization,
        weights=weights,
    )


def _fingerprint(records: Sequence[ImageRecord]) -> str:
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.image_id):
        described = [record.image_id, record.label, record.group, record.predefined_split]
        digest.update(sha256_json([*described, record.plan.model_dump(mode="json")]).encode())
    return digest.hexdigest()
