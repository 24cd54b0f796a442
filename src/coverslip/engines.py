"""Run networks fast, with results that agree with PyTorch on the processor; compute and cache features.

On the processor an engine runs single images, several of them in parallel: the output of an image does not depend on
the other images, and this is also the fastest way. On a GPU the batch size is constant for the same reason.
"""

import math
import os
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.cache.arrays import ArrayStore
from coverslip.cache.stores import Kind, unusable_note
from coverslip.errors import require_extra
from coverslip.events import COMPUTING_FEATURES, Emit, Noted, ignore, paced
from coverslip.machine import is_out_of_memory, n_cores, package_version, processor_instructions, processor_name
from coverslip.messages import note
from coverslip.models.backbone import Backbone
from coverslip.models.graphs import with_weights
from coverslip.stopping import BY_SIGNAL, Stop

if TYPE_CHECKING:
    from coverslip.models.networks import Network

FloatArray = npt.NDArray[np.float32]
EngineName = Literal["onnxruntime", "pytorch"]
Pixels = npt.NDArray[np.unsignedinteger]
Forward = Callable[[FloatArray], FloatArray]

LARGEST_DIFFERENCE = 1e-3  # relative to the SD of the outputs; fp32 engines: about 1e-5, reduced precision: far higher
_MAX_BATCH_BYTES = 64 * 2**20  # as floats
_MAX_BATCH_IMAGES = 64


@dataclass(frozen=True, slots=True)
class Engine:
    """A network ready to run: (B, C, S, S) float32 in [0, 1] -> (B, D) float32, one row per image."""

    name: EngineName
    device: str  # `cpu`, `cuda` or `mps`
    run: Forward
    largest_difference: float | None  # from the library that made the weights, relative to the SD of the outputs


def images_at_once(shape: tuple[int, ...]) -> int:
    """Return the batch size for images of this shape, which limits memory for large images."""
    return max(1, min(_MAX_BATCH_IMAGES, _MAX_BATCH_BYTES // (4 * math.prod(shape))))


def difference(actual: FloatArray, expected: FloatArray) -> float:
    """Return the largest deviation relative to the SD of the expected values; infinite if shapes or NaN differ."""
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    spread = max(float(expected.std()), 1e-6)
    return float(np.abs(actual - expected).max()) / spread


def import_onnxruntime() -> Any:  # Any: untyped
    """Import ONNX Runtime without its telemetry.

    On import it would write a permanent id to the home folder. It would send this id and properties of each network to
    an analytics service (from version 1.29).
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read on import; not on Windows
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # on Windows
    return onnxruntime


def new_session(model: bytes) -> Any:  # Any: untyped
    """Return a session of ONNX Runtime on one core for a graph with weights; its input is `images`."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


_N_IN_MEMORY = 2  # engines: in a training, those of the frozen and the fine-tuned network
_engines: OrderedDict[str, Engine] = OrderedDict()  # by fingerprint, most recently used last
_engines_lock = threading.Lock()


def fastest_engine(backbone: Backbone, *, device: str = "cpu", emit: Emit = ignore) -> Engine:
    """Return the fastest engine whose features agree with those of the library that made the weights.

    A requested GPU runs PyTorch. On the processor ONNX Runtime is the fastest; if it does not agree, it is PyTorch. If
    a GPU lacks an operation or memory, or its features differ, the processor is used, with a warning.

    The latest engines on the processor are kept in this process: all folds of a training have the same one.

    Args:
        backbone: the network.
        device: `cpu`, `cuda` or `mps`.
        emit: receives a note if another device is used.

    Raises:
        KeyError, ValueError: the arrays do not fit the architecture.
        RuntimeError: the same, for a network that PyTorch runs.
        ExtraNotInstalled: the network needs PyTorch, which is not installed.
    """
    with _engines_lock:
        engine = _engines.get(backbone.fingerprint)
    if engine is None:
        engine = _on_processor(backbone)
    with _engines_lock:
        _engines[backbone.fingerprint] = engine
        _engines.move_to_end(backbone.fingerprint)
        while len(_engines) > _N_IN_MEMORY:
            _engines.popitem(last=False)
    return engine if device == "cpu" else _on_gpu(backbone, engine, device, emit) or engine


def _on_processor(backbone: Backbone) -> Engine:
    model = with_weights(backbone)
    try:
        engine = None if model is None else _onnxruntime(model, backbone)
    except Exception:  # ONNX Runtime's errors have no other common class
        if backbone.architecture.is_packaged:
            raise
        engine = None
    if engine is not None:
        return engine
    require_extra("train")
    from coverslip.models.networks import network_of

    return Engine("pytorch", "cpu", _pytorch(network_of(backbone), "cpu", 1), 0.0)


def _onnxruntime(model: bytes, backbone: Backbone) -> Engine | None:
    """Return ONNX Runtime with a network; None if it does not agree with the expected features."""
    session, pool = new_session(model), ThreadPoolExecutor(n_cores(), thread_name_prefix="onnxruntime")

    # One image per core in parallel is faster than all cores on one image, whose threads wait for each other.
    def run_one(image: FloatArray) -> FloatArray:
        features: FloatArray = session.run(None, {"images": image[np.newaxis]})[0][0]
        return features

    def run(images: FloatArray) -> FloatArray:
        return np.stack([*pool.map(run_one, images)])

    deviation = None if backbone.expected is None else difference(run(backbone.noise()), backbone.expected)
    is_equal = deviation is None or deviation <= LARGEST_DIFFERENCE
    return Engine("onnxruntime", "cpu", run, deviation) if is_equal else None


def _on_gpu(backbone: Backbone, on_processor: Engine, device: str, emit: Emit) -> Engine | None:
    """Return PyTorch on a GPU; None, with a note, if it does not work or its features differ."""
    from coverslip.models.networks import network_of

    noise, reason = backbone.noise(), "device-refused"
    try:
        run = _pytorch(network_of(backbone), device, images_at_once(noise.shape[1:]))
        if (deviation := difference(run(noise), on_processor.run(noise))) <= LARGEST_DIFFERENCE:
            return Engine("pytorch", device, run, deviation)
    except RuntimeError as error:
        if is_out_of_memory(error):  # otherwise an operation is missing on this device
            reason = "device-out-of-memory"
    emit(Noted.of(note(reason, level="warning", device=device)))
    return None


def _pytorch(network: "Network", device: str, n_at_once: int) -> Forward:
    """Return a function that runs a network on a device in padded batches of `n_at_once` images.

    The batch size is constant because a GPU adds numbers in an order that depends on it, so that the outputs of an
    image would depend on the number of other images. Only if memory is insufficient, it is halved.
    """
    import torch

    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation
    lock = threading.Lock()  # a network keeps the outputs of its stages until they are pooled

    def run_batches(images: FloatArray, n_at_once: int) -> FloatArray:
        black = np.zeros((-len(images) % n_at_once, *images.shape[1:]), images.dtype)
        padded = torch.from_numpy(np.concatenate([images, black]))
        # By default cuDNN rounds the factors of convolutions to 10 bits (TF32), and sums in a varying order.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            batches = [
                network.features(padded[i : i + n_at_once].to(device)).float() for i in range(0, len(padded), n_at_once)
            ]
            outputs: FloatArray = torch.cat(batches).cpu().numpy()
        return outputs[: len(images)]

    def run(images: FloatArray) -> FloatArray:
        nonlocal n_at_once
        while True:
            try:
                with lock:
                    return run_batches(images, n_at_once)
            except RuntimeError as error:
                if n_at_once == 1 or not is_out_of_memory(error):
                    raise
            n_at_once //= 2  # outside the handler, where the error no longer holds the tensors of the failed pass

    return run


# Compute features of a frozen network, cached by image content.

_Number = TypeVar("_Number", bound=np.generic)


def run_tta(engine: Engine, pixels: Pixels, tta: int) -> FloatArray:
    """Return the (N, D) outputs of an engine for (N, S, S, C) pixels, averaged over test-time augmentation (TTA).

    Engines run one copy of an image at a time, so that an engine serves every number of copies. All copies in a batch
    would not be faster (benchmarks/NOT_KEPT.md).

    Args:
        engine: of a network.
        pixels: (N, S, S, C).
        tta: number of copies. 1: the image; 2: also rotated by 180°; 4: also both reflections; 8: also all of these
            transposed.
    """
    images = as_input(pixels)
    total = engine.run(images)
    for turn in range(1, tta):
        total = total + engine.run(np.ascontiguousarray(turned(images, turn)))
    return total / np.float32(tta)


def as_input(pixels: npt.NDArray[np.unsignedinteger]) -> FloatArray:
    """Convert (N, S, S, C) integers to (N, C, S, S) float32 in [0, 1]."""
    top = np.float32(np.iinfo(pixels.dtype).max)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / top


FLIPPED: dict[int, tuple[int, ...]] = {0: (), 1: (2, 3), 2: (3,), 3: (2,)}
"""Axes of (N, C, S, S) images along which the first copies of test-time augmentation are mirrored, by number."""


def turned(x: npt.NDArray[_Number], copy: int) -> npt.NDArray[_Number]:
    """Return (N, C, S, S) images transformed by number.

    0: identity; 1: rotation by 180°; 2 and 3: reflections; 4 to 7: transposition followed by 0 to 3.
    """
    return np.flip(x.transpose(0, 1, 3, 2) if copy >= 4 else x, FLIPPED[copy % 4])


FEATURES = Kind("features")
_FEATURES_VERSION = 3  # increased when features of the same network and pixels change


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

    @property
    def made_by(self) -> dict[str, Any]:  # Any: JSON values
        """The settings that they depend on besides the pixels, for `cached_features`."""
        return self._store.made_by

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> FloatArray:
        """Read (n, D) features."""
        return self._store.read(self._positions[rows])

    def part(self, rows: slice | npt.NDArray[np.int64]) -> "Features":
        """Return some of the rows without reading them."""
        return Features(self._store, self._positions[rows])


@contextmanager
def cached_features(
    made_by: dict[str, Any], n_features: int, digests: Sequence[str]
) -> Iterator[tuple[npt.NDArray[np.int64], Features]]:
    """Yield the positions of the images whose features are in the cache, and these features; no network is needed.

    Args:
        made_by: of `Features`, whose D is `n_features`.
        digests: the pixel hash of each image.
    """
    with ArrayStore(FEATURES, made_by, (n_features,), np.float32) as store:
        positions = store.positions(digests)
        cached = np.flatnonzero(positions >= 0)
        yield cached, Features(store, positions[cached])


@contextmanager
def embed(
    backbone: Backbone,
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
        backbone: the network.
        digests: the pixel hash of each image.
        pixels_of: returns (n, S, S, C) integers of the images at these positions.
        preprocessing: the preprocessing of the images as JSON, on which features depend, with their depth.
        tta: number of copies for test-time augmentation, as of `run_tta`.
        device: `cpu`, `cuda` or `mps`.
        emit: receives progress events after each batch.
        stop: checked after each batch.

    Raises:
        Stopped: on request; the features computed so far stay in the cache.
    """
    settings = _feature_settings(backbone, preprocessing, tta, device)
    engine = None

    def report_failure(error: OSError | sqlite3.Error) -> None:
        emit(Noted.of(unusable_note(error)))

    with ArrayStore(FEATURES, settings, (backbone.n_features,), np.float32, report_failure) as store:
        positions = store.positions(digests)
        missing = [i for i, position in enumerate(positions) if position < 0]
        if missing:
            engine = fastest_engine(backbone, device=device, emit=emit)
            if engine.device != device:  # the cache of the requested device must not get features of another one
                with embed(
                    backbone,
                    digests,
                    pixels_of,
                    preprocessing=preprocessing,
                    tta=tta,
                    device=engine.device,
                    emit=emit,
                    stop=stop,
                ) as computed:
                    yield computed
                return
            started, done = time.monotonic(), 0
            for chunk, pixels in _read_ahead(missing, pixels_of, images_at_once(backbone.noise().shape[1:])):
                store.add([digests[i] for i in chunk], run_tta(engine, pixels, tta))
                done += len(chunk)
                stop.check()
                seconds = time.monotonic() - started
                emit(paced(stage=COMPUTING_FEATURES, done=done, total=len(missing), n=done, seconds=seconds))
            positions = store.positions(digests)
        yield Features(store, positions), engine


def n_missing(
    backbone: Backbone,
    digests: Sequence[str],
    *,
    preprocessing: dict[str, Any],
    tta: int,
    device: str = "cpu",
) -> int:
    """Return the number of images whose features are not in the cache; arguments as for `embed`."""
    settings = _feature_settings(backbone, preprocessing, tta, device)
    with ArrayStore(FEATURES, settings, (backbone.n_features,), np.float32, lambda error: None) as store:
        return int((store.positions(digests) < 0).sum())


def _feature_settings(backbone: Backbone, preprocessing: dict[str, Any], tta: int, device: str) -> dict[str, Any]:
    return {
        "version": _FEATURES_VERSION,
        # The last digits depend on the library and the processor.
        "software": [package_version("onnxruntime" if device == "cpu" else "torch"), processor_name()],
        "instructions": " ".join(processor_instructions()),
        "weights": backbone.fingerprint,
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
