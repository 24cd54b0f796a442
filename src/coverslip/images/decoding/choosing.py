"""Where this process decodes images."""

import atexit
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from coverslip.images._decoded import MAX_BYTES
from coverslip.images.decoding.fields import Fields
from coverslip.images.decoding.joining import decode_image
from coverslip.images.decoding.pool import Decoders
from coverslip.images.formats import are_added
from coverslip.images.plan import ReadPlan
from coverslip.images.reading import WHOLE_IMAGE, Pixels, cut
from coverslip.process_limits import APART_VARIABLE

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

    The format is told by the first bytes, never by the name. Safe to call from several threads.

    Args:
        path: a file.
        plan: which plane, channels and box to keep.
        max_bytes: a plane that declares more, over all channels, is refused before it is decoded.
        fields: where planes are kept that several boxes are cut out of; whole images are never kept.
        within: real paths of folders; files elsewhere are refused, also those that links or metadata lead to. None
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
    """The folders to which reads are confined that name none; of servers of one process, those of each."""
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
