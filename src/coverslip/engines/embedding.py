"""Frozen features of images, computed once and cached by content."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from coverslip.engines.running import FloatArray, fastest_engine
from coverslip.engines.views import as_input, run_views
from coverslip.events import Emit, Progressed, ignore
from coverslip.store import RecordStore

Pixels = npt.NDArray[np.unsignedinteger]

_N_AT_ONCE = 128
_N_CHECKED = 8  # images that an engine is compared with PyTorch on


def embed(
    network: nn.Module,
    digests: Sequence[str],
    pixels_of: Callable[[Sequence[int]], Pixels],
    *,
    prepared_by: dict[str, Any],
    n_views: int,
    device: str = "cpu",
    emit: Emit = ignore,
) -> tuple[FloatArray, str]:
    """(N, D) float32 features of every image, and the name of the engine that gave them.

    Features that were computed before, by the same weights on the same pixels, are read from the cache.

    Args:
        network: frozen: (B, C, H, W) in [0, 1] -> (B, D).
        digests: what tells each image's content apart (its pixel hash).
        pixels_of: (n, S, S, C) integers of the images at these positions.
        prepared_by: the preparation as JSON: other preparations are other features.
        n_views: mirrored and turned copies to average.
        device: where PyTorch would run.
        emit: told about progress.
    """
    made_by = {"weights": fingerprint(network), "preparation": prepared_by, "views": n_views, "device": device}
    engine = fastest_engine(network, as_input(pixels_of(range(min(_N_CHECKED, len(digests))))), device=device)
    n_features = engine.run(as_input(pixels_of([0]))).shape[1]
    with RecordStore("features", {**made_by, "engine": engine.name}, (n_features,), np.float32) as store:
        places = store.places(digests)
        waiting = [i for i, place in enumerate(places) if place < 0]
        started, done = time.monotonic(), 0
        for some, pixels in _read_ahead(waiting, pixels_of):
            store.add([digests[i] for i in some], run_views(engine, pixels, n_views))
            done += len(some)
            emit(_progress(done, len(waiting), time.monotonic() - started))
        features: FloatArray = store.read(store.places(digests) if waiting else places)
    return features, engine.name


def _read_ahead(
    waiting: Sequence[int], pixels_of: Callable[[Sequence[int]], Pixels]
) -> Iterator[tuple[Sequence[int], Pixels]]:
    """Chunks of positions with their pixels, the next chunk being read while one is worked on."""
    chunks = [waiting[start : start + _N_AT_ONCE] for start in range(0, len(waiting), _N_AT_ONCE)]
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        in_flight = deque(pool.submit(pixels_of, chunk) for chunk in chunks[:1])
        for chunk, following in zip_longest(chunks, chunks[1:]):
            pixels = in_flight.popleft().result()
            if following is not None:
                in_flight.append(pool.submit(pixels_of, following))
            yield chunk, pixels


def fingerprint(network: nn.Module) -> str:
    """Hex SHA-256 over a network's structure and every tensor: equal networks, equal features."""
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _progress(done: int, total: int, seconds: float) -> Progressed:
    per_second = done / max(seconds, 1e-9)
    left = (total - done) / per_second
    return Progressed(stage="looking at images", done=done, total=total, per_second=per_second, seconds_left=left)
