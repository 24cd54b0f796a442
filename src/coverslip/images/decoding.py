"""Read images in this process, or in child processes that can be killed.

`read_pixels` decodes in this process. Inside `decode_in_processes` it decodes in a few child processes, which stay
alive for a while and answer over pipes. Each file has limits of processor time, time and memory, so a file that blocks
its reader becomes one unreadable image. This module also joins channels of several files, and caches planes from which
several boxes are cut.
"""

import atexit
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverslip.cache.stores import MemoryCache
from coverslip.errors import UnreadableImage
from coverslip.images.confining import confined_to
from coverslip.images.decoding_pool import Decoders
from coverslip.images.preprocessing import PreprocessedImage, Preprocessing, effective_channels, preprocess_image
from coverslip.images.reader import MAX_BYTES, ReadPlan, Series
from coverslip.images.reading import WHOLE_IMAGE, Pixels, cut, decode, describe
from coverslip.messages import joined
from coverslip.processes import DECODE_APART_VARIABLE

_MAX_CACHED_BYTES = 128 * 2**20  # of cached planes; the most recently used plane is never removed


class Fields:
    """A cache of decoded planes by file and plan, for one pass over images. Thread-safe: each plane is decoded once.

    Memory is bounded: the least recently used planes are removed first.
    """

    def __init__(self, max_bytes: int = _MAX_CACHED_BYTES) -> None:
        self._planes = MemoryCache[Pixels | UnreadableImage](max_bytes, _n_bytes)

    def get(self, path: Path, whole: ReadPlan, decode: Callable[[], Pixels]) -> Pixels:
        """Return the plane of a plan without a region; the first caller decodes it.

        Raises:
            UnreadableImage: the plane cannot be read; later calls do not try again.
        """

        def attempt() -> Pixels | UnreadableImage:
            try:
                return decode()
            except UnreadableImage as error:
                return error

        pixels = self._planes.get((path, whole), attempt)
        if isinstance(pixels, UnreadableImage):
            raise UnreadableImage.of(pixels.failure)
        return pixels


def _n_bytes(pixels: Pixels | UnreadableImage) -> int:
    return pixels.array.nbytes if isinstance(pixels, Pixels) else 0


def decode_image(
    path: Path, plan: ReadPlan, *, max_bytes: int = MAX_BYTES, within: Sequence[Path] | None = None
) -> Pixels:
    """Decode an image of one file, or of one file per channel, in this process.

    Gray that is stored as color counts as one channel if the channels are in several files.

    Raises:
        UnreadableImage: a file cannot be read or lies outside the folders `within`, or files differ in size or depth.
    """
    with confined_to(within):
        return _decode_files(path, plan, max_bytes)


def _decode_files(path: Path, plan: ReadPlan, max_bytes: int) -> Pixels:
    if not plan.other_files:
        return decode(path, plan, max_bytes=max_bytes)
    # Whole planes, because a file that is gray within a box need not be gray elsewhere.
    file_plan = ReadPlan(series=plan.series, t=plan.t, z=plan.z, level=plan.level, pixel_size_um=plan.pixel_size_um)
    channels: list[Pixels] = []
    for file in plan.files(path):
        n_bytes = sum(pixels.array.nbytes for pixels in channels)
        channels.append(_decode_channel(path, file, file_plan, max(1, max_bytes - n_bytes)))
    arrays = [pixels.array for pixels in channels]
    _check_equal_sizes(plan.files(path), channels)
    notes = dict.fromkeys(pixels.note for pixels in channels if pixels.note)
    names = tuple(name for pixels in channels for name in pixels.channel_names)
    image = replace(
        channels[0],
        array=np.concatenate(arrays, axis=2),
        note=joined(notes),
        has_other_files=any(pixels.has_other_files for pixels in channels),
        channel_names=names if all(pixels.channel_names for pixels in channels) else (),
    )
    full_size = describe(path)[plan.series].sizes[0] if plan.level else None
    return cut(path, image, plan, max_bytes, full_size=full_size)


def _decode_channel(path: Path, file: Path, plan: ReadPlan, max_bytes: int) -> Pixels:
    try:
        pixels = decode(file, plan, max_bytes=max_bytes)
    except UnreadableImage as error:
        if file == path:
            raise
        if error.code == "no-such-image":
            raise UnreadableImage("channel-file-missing", file=file, name=file.name) from error
        raise UnreadableImage("channel-file-unreadable", cause=error, file=file, name=file.name) from error
    return replace(pixels, array=effective_channels(pixels.array))


def _check_equal_sizes(files: tuple[Path, ...], channels: list[Pixels]) -> None:
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


def describe_file(path: Path, *, within: Sequence[Path] | None = None) -> tuple[Series, ...]:
    """Describe a file in this process.

    Raises:
        UnreadableImage: the file cannot be read, or lies outside the folders `within`.
    """
    with confined_to(within):
        return describe(path)


WITHIN_VARIABLE = "COVERSLIP_READ_WITHIN"
"""Environment variable with a JSON list of real paths: the process reads images in these folders only."""

_WITHIN = tuple(map(Path, json.loads(os.environ[WITHIN_VARIABLE]))) if WITHIN_VARIABLE in os.environ else None
_lock = threading.Lock()
# The folders of each `decode_in_processes` that is open. Global, because it applies to all threads of the process.
_open: list[Sequence[Path] | None] = [_WITHIN] if os.environ.get(DECODE_APART_VARIABLE) else []
_decoders = Decoders()


def read_pixels(
    path: Path,
    plan: ReadPlan = WHOLE_IMAGE,
    *,
    max_bytes: int = MAX_BYTES,
    fields: Fields | None = None,
    within: Sequence[Path] | None = None,
) -> Pixels:
    """Decode one image from one file, or from one file per channel if the plan names others. Thread-safe.

    The format is identified by the first bytes, not by the file name.

    Args:
        path: the file.
        plan: the series, plane, channels and region to read.
        max_bytes: a region that declares more bytes, over all channels, is refused before it is decoded.
        fields: a cache of planes from which several boxes are cut; whole images are not cached.
        within: real paths of folders; files outside them are refused, including targets of links and metadata. None:
            the folders of `decode_in_processes` or of the environment, or any folder.

    Raises:
        UnreadableImage: for any problem with the file.
        Stopped: within `decode_in_processes` only: decoding was interrupted.
        CoverslipError: within `decode_in_processes` only: no process can be started.
    """
    if fields is None or plan.region is None or plan.level or plan.z == "best-focus":
        return _read_in_pool(path, plan, max_bytes, within)
    whole = plan.model_copy(update={"region": None, "crop_size": None, "crop_margin": 0.0})
    try:
        plane = fields.get(path, whole, lambda: _read_in_pool(path, whole, max_bytes, within))
    except UnreadableImage as error:
        if error.code != "image-too-large":
            raise
        return _read_in_pool(path, plan, max_bytes, within)
    box = ReadPlan(region=plan.region, crop_size=plan.crop_size, crop_margin=plan.crop_margin)
    return cut(path, plane, box, max_bytes)


def read_preprocessed_image(
    path: Path, plan: ReadPlan, preprocessing: Preprocessing, *, is_hashed: bool = False
) -> PreprocessedImage:
    """Decode and preprocess one image. Thread-safe.

    Within `decode_in_processes` the same child process does both, and answers with the pixels for the network only.

    Args:
        path, plan: as for `read_pixels`.
        preprocessing: how it is preprocessed.
        is_hashed: whether to compute the hash of its pixels.

    Raises:
        UnreadableImage, Stopped, CoverslipError: as for `read_pixels`.
    """
    within = _allowed_folders()
    if not _open:
        pixels = decode_image(path, plan, within=within)
        return preprocess_image(pixels, preprocessing, is_hashed=is_hashed)
    return _decoders.read_preprocessed(path, plan, preprocessing, is_hashed, MAX_BYTES, within)


def _read_in_pool(path: Path, plan: ReadPlan, max_bytes: int, within: Sequence[Path] | None) -> Pixels:
    within = _allowed_folders() if within is None else within
    if not _open:
        return decode_image(path, plan, max_bytes=max_bytes, within=within)
    return _decoders.read(path, plan, max_bytes, within)


def describe_image(path: Path, *, within: Sequence[Path] | None = None) -> tuple[Series, ...]:
    """Return the series that a file declares, with axes and pixel size, without decoding pixels. Thread-safe.

    Args:
        path: the file.
        within: as for `read_pixels`.

    Raises:
        UnreadableImage: as for `read_pixels`, except for damage that is only detected by decoding.
        Stopped, CoverslipError: as for `read_pixels`.
    """
    within = _allowed_folders() if within is None else within
    if not _open:
        return describe_file(path, within=within)
    return _decoders.describe(path, within)


def _allowed_folders() -> Sequence[Path] | None:
    """Return the folders to which reads without `within` are confined, of all servers in this process together."""
    allowed = [*_open] or [_WITHIN]
    return None if None in allowed else [folder for folders in allowed if folders is not None for folder in folders]


@contextmanager
def decode_in_processes(within: Sequence[Path] | None = None) -> Iterator[None]:
    """Decode the images of all threads of this process in child processes that can be killed.

    At the end, decoding that is still in progress is stopped. Idle processes stay alive for a while for reuse.

    Args:
        within: real paths of the folders to which reads without `within` are confined.
    """
    with _lock:
        _open.append(within)
        _decoders.resume()
    try:
        yield
    finally:
        with _lock:
            _open.remove(within)
            if _open:  # another server of this process continues to read
                _decoders.resume()
            else:
                _decoders.interrupt()


def prepare_decoding() -> None:
    """Start a process within `decode_in_processes`, so that the next image need not wait for it. Returns at once.

    Raises:
        CoverslipError: no process can be started.
    """
    if _open:
        _decoders.prepare()


def interrupt_decoding() -> None:
    """Stop all decoding in child processes at once; the waiting callers get `Stopped`."""
    _decoders.interrupt()


def end_decoding() -> None:
    """End all decoding processes. Needed before `os._exit`, which skips the exit handlers of Python."""
    _decoders.close()


atexit.register(end_decoding)
