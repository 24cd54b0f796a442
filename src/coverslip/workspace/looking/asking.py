"""What a careless split of a dataset would have reported: asking for it, how far it is, and what was found."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from coverslip.datasets import Signal
from coverslip.errors import CoverslipError
from coverslip.messages import Failure, failure_of
from coverslip.pipes import read_message
from coverslip.reports.sections import careless_words
from coverslip.runs import WhatIf
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.inspections import inspect_again, kept_look
from coverslip.workspace.jobs.processes import child_environment
from coverslip.workspace.store.database import one_moment
from coverslip.workspace.store.home import Workspace

_FAULT = Failure(
    code="fault",
    what="The process that looks at the images ended without saying why",
    do="Try again when less is going on; if that fails too, report it.",
)


@dataclass(frozen=True, slots=True)
class LookProgress:
    """How far a step of it is."""

    stage: str
    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class CarelessSplit:
    """What a split that divides groups and copies would have reported, and how far the looking is."""

    state: Annotated[
        Literal["not-asked", "waiting", "looking", "outdated", "known"],
        Field(
            description="outdated: labels, groups or images have changed since; waiting: for another dataset's turn."
        ),
    ]
    progress: Annotated[LookProgress | None, Field(description="Null until it is known.")]
    error: Annotated[Failure | None, Field(description="Why the last try, since the server began, came to nothing.")]
    what_if: Annotated[
        WhatIf | None,
        Field(description="Null where nobody has looked, or no groups or copies are known: both splits are the same."),
    ]
    words: Annotated[list[str], Field(description="What it means.")]
    signal: Annotated[Signal | None, Field(description="What the labels are told by, with their figures.")]


@dataclass
class _Look:
    """One that was asked for."""

    process: "subprocess.Popen[bytes] | None" = None
    progress: LookProgress | None = None
    is_cancelled: bool = False


@dataclass
class Looking:
    """The looks that were asked for, one after the other; each takes all cores, in a process of its own."""

    home: Workspace
    _looks: dict[str, _Look] = field(default_factory=dict)
    _errors: dict[str, Failure] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def start(self, dataset_id: str) -> CarelessSplit:
        """Look at the images of a dataset, unless that is being done.

        Raises:
            NotFound: there is no such dataset.
            Conflict: its images are still being read, or could not be.
        """
        with self.home.engine.connect() as connection:
            reading_images.refuse_unread(connection, dataset_id)
        with self._lock:
            if dataset_id not in self._looks:
                self._errors.pop(dataset_id, None)
                look = self._looks[dataset_id] = _Look()
                threading.Thread(target=self._work, args=(dataset_id, look), name="look", daemon=True).start()
        return self.state_of(dataset_id)

    def cancel(self, dataset_id: str) -> None:
        """Look no further."""
        with self._lock:
            if (look := self._looks.pop(dataset_id, None)) is not None:
                _end(look)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            looks, self._looks = list(self._looks.values()), {}
            for look in looks:
                _end(look)

    def state_of(self, dataset_id: str) -> CarelessSplit:
        """What is known of a dataset now.

        Raises:
            NotFound: there is no such dataset.
            Conflict: its images are still being read, or could not be.
        """
        with one_moment(self.home.engine) as connection:
            row = reading_images.refuse_unread(connection, dataset_id)
            known = kept_look(connection, dataset_id, row.revision)
        with self._lock:
            look, error = self._looks.get(dataset_id), self._errors.get(dataset_id)
        state = known.state if look is None else "waiting" if look.process is None else "looking"
        words = [] if known.what_if is None else careless_words(known.what_if)
        progress = None if look is None else look.progress
        return CarelessSplit(state, progress, error, known.what_if, words, known.signal)

    def _work(self, dataset_id: str, look: _Look) -> None:
        failure: Failure | None = None
        try:
            with self._turn, self._begun(dataset_id, look) as process:
                if process is not None:
                    failure = self._watch(process, look)
            if failure is None and not look.is_cancelled:
                inspect_again(self.home, dataset_id)
        except CoverslipError as error:  # the dataset was forgotten, or is being read again
            failure = error.failure
        except OSError:
            failure = _FAULT
        with self._lock:
            if self._looks.get(dataset_id) is look:
                del self._looks[dataset_id]
                if failure is not None:
                    self._errors[dataset_id] = failure

    @contextmanager
    def _begun(self, dataset_id: str, look: _Look) -> "Iterator[subprocess.Popen[bytes] | None]":
        """Its process, which has ended afterwards; None where it was cancelled meanwhile."""
        worker, roots = "coverslip.workspace.looking.worker", [str(root) for root in self.home.roots]
        arguments = ["-P", "-m", worker, str(self.home.folder), dataset_id, *roots]
        with self._lock:
            if not look.is_cancelled:
                look.process = subprocess.Popen(
                    [sys.executable, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=child_environment(),
                    start_new_session=True,  # Ctrl-C in the server's terminal is not for it
                )
        try:
            yield look.process
        finally:
            if look.process is not None:
                look.process.kill()
                look.process.wait()

    def _watch(self, process: "subprocess.Popen[bytes]", look: _Look) -> Failure | None:
        """Follow it to its end; why it came to nothing."""
        assert process.stdout is not None
        while (message := read_message(process.stdout)) is not None:
            if "error" in message:
                return failure_of(message["error"])
            look.progress = LookProgress(**message["progress"])
        return None if process.wait() == 0 or look.is_cancelled else _FAULT


def _end(look: _Look) -> None:
    look.is_cancelled = True
    if look.process is not None:
        with suppress(OSError):
            look.process.kill()
