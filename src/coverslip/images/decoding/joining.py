"""One image whose channels lie in files of their own, in this process."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images._decoded import MAX_BYTES
from coverslip.images.confining import confined_to
from coverslip.images.facts import effective_channels
from coverslip.images.plan import ReadPlan
from coverslip.images.reading import NO_SUCH_FILE, Pixels, cut, decode


def decode_image(
    path: Path, plan: ReadPlan, *, max_bytes: int = MAX_BYTES, within: Sequence[Path] | None = None
) -> Pixels:
    """Decode an image of one file, or of a file for each channel: grey that is stored as colour is one channel.

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
        is_missing = error.what == NO_SUCH_FILE
        what = (
            f"The file of a channel, '{file.name}', {'is missing' if is_missing else f'cannot be read: {error.what}'}"
        )
        do = "Put it beside the others, or leave the image out." if is_missing else error.do
        raise UnreadableImage(what, file=file, do=do) from error
    return replace(pixels, array=effective_channels(pixels.array))


def _refuse_unlike(files: tuple[Path, ...], channels: list[Pixels]) -> None:
    first = channels[0].array
    for file, pixels in zip(files, channels, strict=True):
        if pixels.array.shape[:2] != first.shape[:2] or pixels.array.dtype != first.dtype:
            (height, width), (its_height, its_width) = first.shape[:2], pixels.array.shape[:2]
            raise UnreadableImage(
                f"The files of its channels differ: {width} x {height} pixels of {first.dtype} and "
                f"{its_width} x {its_height} of {pixels.array.dtype}",
                file=file,
                do="Export all channels the same way.",
            )
