"""Whether this process or another decodes an image; joined channels, and whole fields kept for several boxes."""

import atexit
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images.confining import confined_to
from coverslip.images.decoding_pool import Decoders
from coverslip.images.facts import effective_channels
from coverslip.images.formats import are_added
from coverslip.images.plan import ReadPlan
from coverslip.images.reader import MAX_BYTES
from coverslip.images.reading import WHOLE_IMAGE, Pixels, cut, decode
from coverslip.processes import APART_VARIABLE

MOST_BYTES = 128 * 2**20  # of decoded planes; the one that was used last is kept whatever its size
_Key = tuple[Path, ReadPlan]


class Fields:
    """Decoded planes by file and plan, for one pass over images. Used by several threads, which wait for one another.

    Memory is bounded: planes that were not used for longest go first.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, Future[Pixels | UnreadableImage]] = OrderedDict()

    def get(self, path: Path, whole: ReadPlan, decode: Callable[[], Pixels]) -> Pixels:
        """Return the plane with all its channels by a plan without a box, decoded by whoever asks first.

        Raises:
            UnreadableImage: it cannot be read; nobody tries again.
        """
        key = (path, whole)
        with self._lock:
            pending = self._kept.get(key)
            future = pending or self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
        if pending is None:
            self._decode(key, future, decode)
        field = future.result()
        if isinstance(field, UnreadableImage):
            raise UnreadableImage.of(field.failure)
        return field

    def _decode(self, key: _Key, future: "Future[Pixels | UnreadableImage]", decode: Callable[[], Pixels]) -> None:
        try:
            future.set_result(decode())
        except UnreadableImage as error:
            future.set_result(error)
        except BaseException as error:  # noqa: BLE001 - raised in every waiting thread, this one too
            future.set_exception(error)
            with self._lock:
                self._kept.pop(key, None)
        self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            n_bytes = sum(map(_n_bytes, self._kept.values()))
            for key in list(self._kept)[:-1]:
                if n_bytes <= self._most_bytes:
                    return
                if self._kept[key].done():
                    n_bytes -= _n_bytes(self._kept.pop(key))


def _n_bytes(future: "Future[Pixels | UnreadableImage]") -> int:
    field = future.result() if future.done() and future.exception() is None else None
    return field.array.nbytes if isinstance(field, Pixels) else 0


def decode_image(
    path: Path, plan: ReadPlan, *, max_bytes: int = MAX_BYTES, within: Sequence[Path] | None = None
) -> Pixels:
    """Decode an image of one file, or of a file for each channel: gray that is stored as color is one channel.

    Raises:
        UnreadableImage: a file cannot be read, lies outside the folders `within`, or they differ in size or depth.
    """
    with confined_to(within):
        return _decoded(path, plan, max_bytes)


def _decoded(path: Path, plan: ReadPlan, max_bytes: int) -> Pixels:
    if not plan.other_files:
        return decode(path, plan, max_bytes=max_bytes)
    of_each = ReadPlan(plane=plan.plane)
    channels: list[Pixels] = []
    for file in plan.files(path):
        n_bytes = sum(pixels.array.nbytes for pixels in channels)
        channels.append(_channel(path, file, of_each, max(1, max_bytes - n_bytes)))
    arrays = [pixels.array for pixels in channels]
    _refuse_unlike(plan.files(path), channels)
    notes = dict.fromkeys(pixels.note for pixels in channels if pixels.note)
    joined = replace(channels[0], array=np.concatenate(arrays, axis=2), note="; ".join(notes) or None)
    return cut(path, joined, plan, max_bytes)


def _channel(path: Path, file: Path, plan: ReadPlan, max_bytes: int) -> Pixels:
    try:
        pixels = decode(file, plan, max_bytes=max_bytes)
    except UnreadableImage as error:
        if file == path:
            raise
        if error.code == "no-such-image":
            raise UnreadableImage("channel-file-missing", file=file, name=file.name) from error
        raise UnreadableImage("channel-file-unreadable", cause=error, file=file, name=file.name) from error
    return replace(pixels, array=effective_channels(pixels.array))


def _refuse_unlike(files: tuple[Path, ...], channels: list[Pixels]) -> None:
    first = channels[0].array
    for file, pixels in zip(files, channels, strict=True):
        if pixels.array.shape[:2] != first.shape[:2] or pixels.array.dtype != first.dtype:
            (height, width), (other_height, other_width) = first.shape[:2], pixels.array.shape[:2]
            raise UnreadableImage(
                "channel-files-differ",
                file=file,
                width=width,
                height=height,
                dtype=str(first.dtype),
                other_width=other_width,
                other_height=other_height,
                other_dtype=str(pixels.array.dtype),
            )


WITHIN_VARIABLE = "COVERSLIP_READ_WITHIN"
"""Where the environment has it, a JSON list of real paths, a process reads no image outside these folders."""

_WITHIN = tuple(map(Path, json.loads(os.environ[WITHIN_VARIABLE]))) if WITHIN_VARIABLE in os.environ else None
_lock = threading.Lock()
# One for each `decoding_apart` that is open, with its folders. Of the process, since threads that it begins shall read
# likewise.
_open: list[Sequence[Path] | None] = [_WITHIN] if os.environ.get(APART_VARIABLE) else []
_decoders = Decoders()


def read_pixels(
    path: Path,
    plan: ReadPlan = WHOLE_IMAGE,
    *,
    max_bytes: int = MAX_BYTES,
    fields: Fields | None = None,
    within: Sequence[Path] | None = None,
) -> Pixels:
    """Decode one image: one file, or a file for each channel where the plan names others.

    The format is identified by the first bytes, never by the name. Safe to call from several threads.

    Args:
        path: a file.
        plan: which plane, channels and box to keep.
        max_bytes: a plane that declares more, over all channels, is refused before it is decoded.
        fields: where planes are kept that several boxes are cut out of; whole images are never kept.
        within: real paths of folders; files outside them are refused, also those that links or metadata lead to. None
            takes those of `decoding_apart` or of the environment, or any.

    Raises:
        UnreadableImage: for everything that can be wrong with one file; nothing else is raised, but
            within `decoding_apart`, where it may have been interrupted (Stopped), or no process can be begun.
    """
    if fields is None or plan.box is None:
        return _read(path, plan, max_bytes, within)
    whole = plan.model_copy(update={"box": None, "channels": None})
    return cut(path, fields.get(path, whole, lambda: _read(path, whole, max_bytes, within)), plan, max_bytes)


def _read(path: Path, plan: ReadPlan, max_bytes: int, within: Sequence[Path] | None) -> Pixels:
    within = _readable() if within is None else within
    if not _open or are_added():  # other processes do not know formats that this one added
        return decode_image(path, plan, max_bytes=max_bytes, within=within)
    return _decoders.read(path, plan, max_bytes, within)


def _readable() -> Sequence[Path] | None:
    """Return the folders to which reads are confined that name none; of servers of one process, those of each."""
    each = [*_open] or [_WITHIN]
    return None if None in each else [folder for folders in each if folders is not None for folder in folders]


@contextmanager
def decoding_apart(within: Sequence[Path] | None = None) -> Iterator[None]:
    """Let all threads of this process have their images decoded by processes that can be killed.

    At the end what is still being read is stopped. Idle processes stay for a while, for whoever opens it again.

    Args:
        within: real paths of the folders to which reads are confined that name none.
    """
    with _lock:
        _open.append(within)
        _decoders.resume()
    try:
        yield
    finally:
        with _lock:
            _open.remove(within)
            if _open:  # another server of this process reads on, whatever this one interrupted
                _decoders.resume()
            else:
                _decoders.interrupt()


def interrupt_decoding() -> None:
    """Stop whatever is being decoded apart, at once: whoever waits for it gets `Stopped`."""
    _decoders.interrupt()


def end_decoding() -> None:
    """End all processes that decode: of a process that leaves without Python's own end, which would do it."""
    _decoders.close()


atexit.register(end_decoding)
