"""Compute features of a frozen network, cached by image content."""

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

from coverslip.cache import ARRAYS, ArrayStore, Kind, register, unusable_note
from coverslip.engines.running import (
    N_CHECKED,
    Engine,
    FloatArray,
    Pixels,
    fastest_engine,
    fingerprint,
    images_at_once,
    software,
)
from coverslip.events import COMPUTING_FEATURES, Emit, Noted, Progressed, ignore, time_left
from coverslip.stopping import BY_SIGNAL, Stop

if TYPE_CHECKING:
    from torch import nn

    from coverslip.models.networks import Network

_Number = TypeVar("_Number", bound=np.generic)


def run_tta(engine: Engine, pixels: Pixels, tta: int) -> FloatArray:
    """Return the (N, D) outputs of an engine for (N, S, S, C) pixels, averaged over test-time augmentation (TTA).

    Engines run one copy of an image at a time, so that an engine serves every number of copies. All copies in a batch
    would not be faster (benchmarks/NOT_KEPT.md).

    Args:
        engine: runs a `FeatureNetwork` without TTA.
        pixels: (N, S, S, C).
        tta: number of copies, as of `FeatureNetwork`.
    """
    total = engine.run(pixels)
    for turn in range(1, tta):
        total += engine.run(np.ascontiguousarray(turned(pixels.transpose(0, 3, 1, 2), turn).transpose(0, 2, 3, 1)))
    return total / np.float32(tta)


def as_input(pixels: npt.NDArray[np.unsignedinteger]) -> FloatArray:
    """Convert (N, S, S, C) integers to (N, C, S, S) float32 in [0, 1]."""
    top = np.float32(np.iinfo(pixels.dtype).max)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / top


def turned(x: npt.NDArray[_Number], copy: int) -> npt.NDArray[_Number]:
    """Return (N, C, S, S) images transformed by number.

    0: identity; 1: rotation by 180°; 2 and 3: reflections; 4 to 7: transposition followed by 0 to 3.
    """
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


FEATURES = register(Kind("features", ARRAYS))
_FEATURES_VERSION = 2  # increased when features of the same network and pixels change


class Features:
    """(N, D) float32 features that stay in the cache file; slices are read on access.

    The features of 100,000 images need 1.4 GiB with the default network.
    """

    def __init__(self, store: ArrayStore, positions: npt.NDArray[np.int64]) -> None:
        self._store, self._positions = store, positions

    @property
    def shape(self) -> tuple[int, int]:
        """N and D."""
        return len(self._positions), self._store.shape[0]

    def __getitem__(self, rows: slice) -> FloatArray:
        """Read (n, D) features."""
        return self._store.read(self._positions[rows])

    def part(self, rows: slice | npt.NDArray[np.int64]) -> "Features":
        """Return some of the rows without reading them."""
        return Features(self._store, self._positions[rows])


@contextmanager
def embed(
    network: "Network",
    digests: Sequence[str],
    pixels_of: Callable[[Sequence[int]], Pixels],
    *,
    preprocessing: dict[str, Any],
    tta: int,
    device: str = "cpu",
    emit: Emit = ignore,
    stop: Stop = BY_SIGNAL,
) -> Iterator[tuple[Features, Engine | None]]:
    """Yield the features of all images, and the engine that computed them; None if all features were cached.

    Features of the same weights and pixels are read from the cache.

    Args:
        network: a frozen network; its head is not used.
        digests: the pixel hash of each image.
        pixels_of: returns (n, S, S, C) integers of the images at these positions.
        preprocessing: the preprocessing of the images as JSON, on which features depend, with their depth.
        tta: number of copies for test-time augmentation, as of `FeatureNetwork`.
        device: `cpu`, `cuda` or `mps`.
        emit: receives progress events after each batch.
        stop: checked after each batch.

    Raises:
        Stopped: on request; the features computed so far stay in the cache.
    """
    from coverslip.models.networks import FeatureNetwork

    features = FeatureNetwork(network, preprocessing["depth"])
    settings = _feature_settings(features, preprocessing, tta, device)
    engine = None

    def report_failure(error: OSError | sqlite3.Error) -> None:
        emit(Noted.of(unusable_note(error)))

    with ArrayStore(FEATURES, settings, (network.head.in_features,), np.float32, report_failure) as store:
        positions = store.positions(digests)
        missing = [i for i, position in enumerate(positions) if position < 0]
        if missing:
            example = pixels_of(missing[:N_CHECKED])
            engine = fastest_engine(features, example, device=device, emit=emit)
            started, done = time.monotonic(), 0
            for chunk, pixels in _read_ahead(missing, pixels_of, images_at_once(example.shape[1:])):
                store.add([digests[i] for i in chunk], run_tta(engine, pixels, tta))
                done += len(chunk)
                stop.check()
                emit(_progress(done, len(missing), time.monotonic() - started))
            positions = store.positions(digests)
        yield Features(store, positions), engine


def n_missing(
    network: "Network",
    digests: Sequence[str],
    *,
    preprocessing: dict[str, Any],
    tta: int,
    device: str = "cpu",
) -> int:
    """Return the number of images whose features are not in the cache; arguments as for `embed`."""
    from coverslip.models.networks import FeatureNetwork

    features = FeatureNetwork(network, preprocessing["depth"])
    settings = _feature_settings(features, preprocessing, tta, device)
    with ArrayStore(FEATURES, settings, (network.head.in_features,), np.float32, lambda error: None) as store:
        return int((store.positions(digests) < 0).sum())


def _feature_settings(features: "nn.Module", preprocessing: dict[str, Any], tta: int, device: str) -> dict[str, Any]:
    return {
        "version": _FEATURES_VERSION,
        "software": software(),
        "weights": fingerprint(features),
        "preprocessing": preprocessing,
        "tta": tta,
        "device": device,
    }


def _read_ahead(
    positions: Sequence[int], pixels_of: Callable[[Sequence[int]], Pixels], n_at_once: int
) -> Iterator[tuple[Sequence[int], Pixels]]:
    """Yield chunks of positions with their pixels, while a thread reads the next chunk."""
    chunks = [positions[start : start + n_at_once] for start in range(0, len(positions), n_at_once)]
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        in_flight = deque(pool.submit(pixels_of, chunk) for chunk in chunks[:1])
        for chunk, following in zip_longest(chunks, chunks[1:]):
            pixels = in_flight.popleft().result()
            if following is not None:
                in_flight.append(pool.submit(pixels_of, following))
            yield chunk, pixels


def _progress(done: int, total: int, seconds: float) -> Progressed:
    per_second, left = done / max(seconds, 1e-9), time_left(done, total, seconds)
    return Progressed(stage=COMPUTING_FEATURES, done=done, total=total, per_second=per_second, seconds_left=left)
