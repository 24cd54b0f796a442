"""Run networks with test-time augmentation, and compute features of a frozen network, cached by image content."""

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
    """Return the outputs of an engine averaged over test-time augmentation (TTA), (N, D) float32.

    Args:
        engine: the network.
        pixels: (N, S, S, C) uint8 or uint16.
        tta: number of copies. 1: the image; 2: also rotated by 180°; 4: also both reflections; 8: also all of these
            transposed.
    """
    n = images_at_once(pixels.shape[1:])
    return np.concatenate([_mean_output(engine, pixels[i : i + n], tta) for i in range(0, len(pixels), n)])


def as_input(pixels: npt.NDArray[np.unsignedinteger]) -> FloatArray:
    """Convert (N, S, S, C) integers to (N, C, S, S) float32 in [0, 1]."""
    top = np.float32(np.iinfo(pixels.dtype).max)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / top


def _mean_output(engine: Engine, pixels: npt.NDArray[np.unsignedinteger], tta: int) -> FloatArray:
    x = as_input(pixels)
    total = engine.run(x)
    for copy in range(1, tta):
        total += engine.run(np.ascontiguousarray(turned(x, copy)))
    return total / np.float32(tta)


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


Pixels = npt.NDArray[np.unsignedinteger]

FEATURES = register(Kind("features", "features of images from frozen networks", ARRAYS))
_FEATURES_VERSION = 1  # increased when features of the same network and pixels change


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
    """Yield the features of all images, and the engine that computed them; None if all features were cached.

    Features of the same weights and pixels are read from the cache.

    Args:
        network: a frozen network, (B, C, H, W) in [0, 1] -> (B, D).
        n_features: D.
        digests: the pixel hash of each image.
        pixels_of: returns (n, S, S, C) integers of the images at these positions.
        preprocessing: the preprocessing of the images as JSON, on which features depend.
        tta: number of copies for test-time augmentation, as in `run_tta`.
        device: `cpu`, `cuda` or `mps`.
        emit: receives progress events after each batch.
        stop: checked after each batch.

    Raises:
        Stopped: on request; the features computed so far stay in the cache.
    """
    settings = _feature_settings(network, preprocessing, tta, device)
    engine = None

    def report_failure(error: OSError | sqlite3.Error) -> None:
        emit(Noted.of(unusable_note(error)))

    with ArrayStore(FEATURES, settings, (n_features,), np.float32, report_failure) as store:
        positions = store.positions(digests)
        missing = [i for i, position in enumerate(positions) if position < 0]
        if missing:
            example = as_input(pixels_of(missing[:N_CHECKED]))
            engine = fastest_engine(network, example, device=device, emit=emit)
            started, done = time.monotonic(), 0
            for chunk, pixels in _read_ahead(missing, pixels_of, images_at_once(example.shape[1:])):
                store.add([digests[i] for i in chunk], run_tta(engine, pixels, tta))
                done += len(chunk)
                stop.check()
                emit(_progress(done, len(missing), time.monotonic() - started))
            positions = store.positions(digests)
        yield Features(store, positions), engine


def n_missing(
    network: "nn.Module",
    n_features: int,
    digests: Sequence[str],
    *,
    preprocessing: dict[str, Any],
    tta: int,
    device: str = "cpu",
) -> int:
    """Return the number of images whose features are not in the cache; arguments as for `embed`."""
    settings = _feature_settings(network, preprocessing, tta, device)
    with ArrayStore(FEATURES, settings, (n_features,), np.float32, lambda error: None) as store:
        return int((store.positions(digests) < 0).sum())


def _feature_settings(network: "nn.Module", preprocessing: dict[str, Any], tta: int, device: str) -> dict[str, Any]:
    return {
        "version": _FEATURES_VERSION,
        "software": software(),
        "weights": fingerprint(network),
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
    per_second = done / max(seconds, 1e-9)
    left = (total - done) / per_second
    return Progressed(stage=COMPUTING_FEATURES, done=done, total=total, per_second=per_second, seconds_left=left)
