"""The processes that decode: begun when needed, looked after while they work, ended when nobody asks for a while."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from coverslip.errors import Stopped, UnreadableImage
from coverslip.images._decoded import EXPORT_AGAIN
from coverslip.images.decoding.process import Decoder, Died, Limits
from coverslip.images.decoding.taking_turns import SharedOrExclusive
from coverslip.images.plan import ReadPlan
from coverslip.images.reading import Pixels

_LOOK_EVERY_S = 0.25
_SILENT_S = 60.0
STOPPED_OUTSIDE = "The process that read the file was killed twice, probably for lack of memory"
_FREE_MEMORY = "Close other programs, and read the images again; the file itself may be undamaged."
READ_ALONE = "the process that read it was killed; it was read again, alone"


class Decoders:
    """As many processes as threads ask at the same time. Used by several threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        """`limits` of each file; None takes those of the app."""
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._room = SharedOrExclusive()
        self._idle: list[Decoder] = []  # the last asked stands last
        self._busy: set[Decoder] = set()
        self._is_interrupted = False
        self._warden: threading.Thread | None = None

    def read(self, path: Path, plan: ReadPlan, max_bytes: int, within: Sequence[Path] | None = None) -> Pixels:
        """As `read_pixels`.

        Raises:
            UnreadableImage: the file cannot be read, takes more than it may, or a reader crashed over it twice.
            Stopped: by `interrupt`.
            CoverslipError: no process can be begun.
        """
        try:
            with self._room.beside_others():
                return self._read(path, plan, max_bytes, within)
        except Died:
            self._check()
        # A process that was killed from outside is no fault of the file: others may have taken the memory.
        try:
            with self._room.alone():
                pixels = self._read(path, plan, max_bytes, within)
        except Died as error:
            self._check()
            if error.was_killed:
                raise UnreadableImage(STOPPED_OUTSIDE, file=path, do=_FREE_MEMORY) from error
            raise UnreadableImage("Its reader crashed over the file", file=path, do=EXPORT_AGAIN) from error
        return replace(pixels, note=f"{pixels.note}; {READ_ALONE}" if pixels.note else READ_ALONE)

    def _read(self, path: Path, plan: ReadPlan, max_bytes: int, within: Sequence[Path] | None) -> Pixels:
        with self._taken() as decoder:
            return decoder.read(path, plan, max_bytes, within)

    def interrupt(self) -> None:
        """Kill all that are at work; from now on nothing is read, until `resume`."""
        with self._lock:
            self._is_interrupted = True
            busy = list(self._busy)
        for decoder in busy:
            decoder.kill()

    def resume(self) -> None:
        """Read again."""
        with self._lock:
            self._is_interrupted = False

    def close(self) -> None:
        """End all of them."""
        self.interrupt()
        with self._lock:
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.kill()

    @contextmanager
    def _taken(self) -> Iterator[Decoder]:
        """A process for one question."""
        decoder = self._take()
        try:
            yield decoder
        finally:
            with self._lock:
                self._busy.discard(decoder)
                stays = not decoder.has_ended and not self._is_interrupted
                if stays:
                    self._idle.append(decoder)
            if not stays:
                decoder.kill()

    def _take(self) -> Decoder:
        with self._lock:
            self._check()
            decoder = self._idle.pop() if self._idle else Decoder(self._limits)
            self._busy.add(decoder)
            if self._warden is None:
                self._warden = threading.Thread(target=self._look_after, name="decoders", daemon=True)
                self._warden.start()
        return decoder

    def _check(self) -> None:
        if self._is_interrupted:
            raise Stopped("Reading was stopped", do="Read the images again.")

    def _look_after(self) -> None:
        """As long as there are any."""
        while True:
            time.sleep(_LOOK_EVERY_S)
            with self._lock:
                busy = list(self._busy)
                silent_since = time.monotonic() - _SILENT_S
                silent = [decoder for decoder in self._idle if decoder.last_asked < silent_since]
                self._idle = [decoder for decoder in self._idle if decoder not in silent]
                if not busy and not self._idle:
                    self._warden = None
            for decoder in busy:
                decoder.look_after()
            for decoder in silent:
                decoder.kill()
            if self._warden is None:
                return
