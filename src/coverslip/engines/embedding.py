"""Frozen features of images, computed once and cached by content."""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.cache import ARRAYS, ArrayStore, Kind, not_usable, register
from coverslip.engines.running import (
    N_CHECKED,
    Engine,
    FloatArray,
    fastest_engine,
    fingerprint,
    images_at_once,
    software,
)
from coverslip.events import COMPUTING_FEATURES, Emit, Noted, Progressed, ignore
from coverslip.stopping import BY_SIGNAL, Stop

if TYPE_CHECKING:
    from torch import nn

_Number = TypeVar("_Number", bound=np.generic)


def run_tta(engine: Engine, pixels: npt.NDArray[np.unsignedinteger], tta: int) -> FloatArray:
    """Return the engine's outputs averaged over the copies: (N, D) float32.

    Args:
        engine: what to run.
        pixels: (N, S, S, C) uint8 or uint16.
        tta: 1 the image; 2 and its half turn; 4 and both mirror images; 8 and all of these turned by a quarter.
    """
    n = images_at_once(pixels.shape[1:])
    return np.concatenate([_average(engine, pixels[i : i + n], tta) for i in range(0, len(pixels), n)])


def as_input(pixels: npt.NDArray[np.unsignedinteger]) -> FloatArray:
    """Map (N, S, S, C) integers -> (N, C, S, S) float32 in [0, 1]."""
    top = np.float32(np.iinfo(pixels.dtype).max)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / top


def _average(engine: Engine, pixels: npt.NDArray[np.unsignedinteger], tta: int) -> FloatArray:
    x = as_input(pixels)
    total = engine.run(x)
    for copy in range(1, tta):
        total += engine.run(np.ascontiguousarray(turned(x, copy)))
    return total / np.float32(tta)


def turned(x: npt.NDArray[_Number], copy: int) -> npt.NDArray[_Number]:
    """(N, C, S, S). Copy 1 is the half turn, 2 and 3 the mirror images, 4 to 7 the same of the transposed image."""
    if copy >= 4:
        x = x.transpose(0, 1, 3, 2)
    match copy % 4:
        case 1:
            return x[:, :, ::-1, ::-1]
        case 2:
            return x[:, :, :, ::-1]
        case 3:
            return x[:, :, ::-1]
        case _:
            return x


Pixels = npt.NDArray[np.unsignedinteger]

FEATURES = register(Kind("features", "what a frozen network sees in images", ARRAYS))
_FEATURES_VERSION = 1  # goes up when the same network and pixels would give other features


class Features:
    """(N, D) float32 rows that stay in the cache, so that they take no memory: a slice is read on access.

    The rows of 100,000 images are 1.4 GiB with the default network.
    """

    def __init__(self, store: ArrayStore, places: npt.NDArray[np.int64]) -> None:
        self._store, self._places = store, places

    @property
    def shape(self) -> tuple[int, int]:
        """N and D."""
        return len(self._places), self._store.shape[0]

    def __getitem__(self, rows: slice) -> FloatArray:
        """Return (n, D), read now."""
        return self._store.read(self._places[rows])

    def part(self, rows: slice | npt.NDArray[np.int64]) -> "Features":
        """Return some of the rows, not read yet."""
        return Features(self._store, self._places[rows])


@contextmanager
def embed(
    network: "nn.Module",
    n_features: int,
    digests: Sequence[str],
    pixels_of: Callable[[Sequence[int]], Pixels],
    *,
    preprocessing: dict[str, Any],
    tta: int,
    device: str = "cpu",
    emit: Emit = ignore,
    stop: Stop = BY_SIGNAL,
) -> Iterator[tuple[Features, Engine | None]]:
    """Features of every image, open for reading, and the engine that gave them; None where all were in the cache.

    Features that were computed before, by the same weights on the same pixels, are read from the cache.

    Args:
        network: frozen: (B, C, H, W) in [0, 1] -> (B, D).
        n_features: D.
        digests: what tells each image's content apart (its pixel hash).
        pixels_of: (n, S, S, C) integers of the images at these positions.
        preprocessing: how the images were preprocessed, as JSON: another way gives other features.
        tta: mirrored and turned copies to average.
        device: where to run it.
        emit: receives progress.
        stop: checked as often.

    Raises:
        Stopped: on request; what was computed is kept.
    """
    made_by = _made_by(network, preprocessing, tta, device)
    engine = None

    def say_not_kept(error: OSError | sqlite3.Error) -> None:
        emit(Noted.of(not_usable(error)))

    with ArrayStore(FEATURES, made_by, (n_features,), np.float32, say_not_kept) as store:
        places = store.positions(digests)
        waiting = [i for i, place in enumerate(places) if place < 0]
        if waiting:
            example = as_input(pixels_of(waiting[:N_CHECKED]))
            engine = fastest_engine(network, example, device=device, emit=emit)
            started, done = time.monotonic(), 0
            for some, pixels in _read_ahead(waiting, pixels_of, images_at_once(example.shape[1:])):
                store.add([digests[i] for i in some], run_tta(engine, pixels, tta))
                done += len(some)
                stop.check()
                emit(_progress(done, len(waiting), time.monotonic() - started))
            places = store.positions(digests)
        yield Features(store, places), engine


def n_missing(
    network: "nn.Module",
    n_features: int,
    digests: Sequence[str],
    *,
    preprocessing: dict[str, Any],
    tta: int,
    device: str = "cpu",
) -> int:
    """How many images `embed` would have to compute: their features are not in the cache. Arguments as of `embed`."""
    made_by = _made_by(network, preprocessing, tta, device)
    with ArrayStore(FEATURES, made_by, (n_features,), np.float32, lambda error: None) as store:
        return int((store.positions(digests) < 0).sum())


def _made_by(network: "nn.Module", preprocessing: dict[str, Any], tta: int, device: str) -> dict[str, Any]:
    return {
        "version": _FEATURES_VERSION,
        "software": software(),
        "weights": fingerprint(network),
        "preprocessing": preprocessing,
        "tta": tta,
        "device": device,
    }


def _read_ahead(
    waiting: Sequence[int], pixels_of: Callable[[Sequence[int]], Pixels], n_at_once: int
) -> Iterator[tuple[Sequence[int], Pixels]]:
    """Chunks of positions with their pixels, the next chunk being read while one is worked on."""
    chunks = [waiting[start : start + n_at_once] for start in range(0, len(waiting), n_at_once)]
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        in_flight = deque(pool.submit(pixels_of, chunk) for chunk in chunks[:1])
        for chunk, following in zip_longest(chunks, chunks[1:]):
            pixels = in_flight.popleft().result()
            if following is not None:
                in_flight.append(pool.submit(pixels_of, following))
            yield chunk, pixels


def _progress(done: int, total: int, seconds: float) -> Progressed:
    per_second = done / max(seconds, 1e-9)
    left = (total - done) / per_second
    return Progressed(stage=COMPUTING_FEATURES, done=done, total=total, per_second=per_second, seconds_left=left)
