"""Run networks fast, with results that agree with PyTorch on the processor; compute and cache features.

On the processor an engine runs single images, several of them in parallel: the output of an image does not depend on
the other images, and this is also the fastest way. On a GPU the batch size is constant for the same reason.
"""

import copy
import hashlib
import io
import json
import math
import os
import sqlite3
import threading
import time
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from coverslip._version import __version__
from coverslip.cache.arrays import ArrayStore
from coverslip.cache.stores import Kind, RecordStore, claim_store, unusable_note
from coverslip.errors import CoverslipError, has_extra
from coverslip.events import COMPUTING_FEATURES, Emit, Noted, ignore, paced
from coverslip.files import write_bytes, write_json
from coverslip.machine import is_out_of_memory, n_cores, processor_instructions, processor_name
from coverslip.messages import note
from coverslip.stopping import BY_SIGNAL, Stop

if TYPE_CHECKING:
    from torch import nn

    from coverslip.models.networks import Network

FloatArray = npt.NDArray[np.float32]
EngineName = Literal["onnxruntime", "pytorch"]
Pixels = npt.NDArray[np.unsignedinteger]
Forward = Callable[[Pixels], FloatArray]

LARGEST_DIFFERENCE = 1e-3  # relative to the SD of the outputs; fp32 engines: about 1e-5, reduced precision: far higher
_MAX_BATCH_BYTES = 64 * 2**20  # as floats
_MAX_BATCH_IMAGES = 64


@dataclass(frozen=True)
class Engine:
    """A network ready to run: (B, S, S, C) pixels -> (B, D) float32, one row per image."""

    name: EngineName
    device: str  # `cpu`, `cuda` or `mps`
    run: Forward
    largest_difference: float  # from PyTorch on the images of the comparison, relative to the SD of the outputs
    cache_key: str | None = None  # its name in the cache; None: not cached


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


def onnxruntime_engine(exported: bytes) -> Forward:
    """Return a function that runs an ONNX network for one image with ONNX Runtime."""
    onnxruntime = import_onnxruntime()

    # One image per core in parallel is faster than all cores on one image, whose threads wait for each other.
    options, cores = onnxruntime.SessionOptions(), n_cores()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])

    pool = ThreadPoolExecutor(cores, thread_name_prefix="onnxruntime")

    def run_one(image: Pixels) -> FloatArray:
        outputs: FloatArray = session.run(None, {"pixels": image[np.newaxis]})[0][0]
        return outputs

    def run(images: Pixels) -> FloatArray:
        return np.stack([*pool.map(run_one, images)]).astype(np.float32)

    return run


ENGINES = Kind("engines", bound_bytes=2 * 10**9)
ENGINE_KEYS = Kind("engine-keys")
_NETWORK, _CHECK, _ABOUT = "network.onnx", "check.npz", "engine.json"
_CACHE_ERRORS = (OSError, sqlite3.Error, CoverslipError)  # a full disk or a read-only cache: work without it


def engine_key(fingerprint: str, shape: tuple[int, ...]) -> str:
    """Return the cache key of an engine for a network, an image shape, the software versions and the processor."""
    settings = [fingerprint, shape, __version__, *software()]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]


def software() -> list[str]:
    """Return the versions of the inference libraries, and the processor, on which the last digits of results depend."""
    versions = (_version_of(package) for package in ("onnxruntime", "torch"))
    return [*versions, processor_name(), " ".join(processor_instructions())]


@dataclass(frozen=True, slots=True)
class ExportedEngine:
    """An engine as files, for the cache or for other processes."""

    network: bytes  # ONNX, for one image
    check: bytes  # NPZ of an image, and of the output of PyTorch for it

    def load(self) -> Engine | None:
        """Return the engine if ONNX Runtime is installed and reproduces the output of PyTorch; else None."""
        if not has_extra("onnx"):
            return None
        try:
            with np.load(io.BytesIO(self.check), allow_pickle=False) as check:
                example, expected = check["example"], check["expected"]
            run = onnxruntime_engine(self.network)
            deviation = difference(run(example), expected)
        except (ImportError, RuntimeError, ValueError, KeyError, EOFError, BadZipFile, OSError):
            return None
        return Engine("onnxruntime", "cpu", run, deviation) if deviation <= LARGEST_DIFFERENCE else None


def _check_of(network: Forward, like: Pixels) -> bytes:
    """Return an image of noise with the output of a network, as `ExportedEngine.check`: files contain no images."""
    example = np.random.default_rng(0).integers(0, np.iinfo(like.dtype).max, like[:1].shape, like.dtype, endpoint=True)
    check = io.BytesIO()
    np.savez(check, example=example, expected=network(example))
    return check.getvalue()


def _save_engine(key: str, exported: ExportedEngine) -> bool:
    """Save an engine in the cache, and return whether this succeeded."""
    try:
        with claim_store(ENGINES, key) as claim:
            write_bytes(claim.folder / _NETWORK, exported.network)
            write_bytes(claim.folder / _CHECK, exported.check)
            write_json(claim.folder / _ABOUT, {"sha256": _digests(exported)})
        claim.release()
    except _CACHE_ERRORS:
        return False
    return True


def exported_engine(key: str | None) -> ExportedEngine | None:
    """Return an undamaged engine from the cache; else None."""
    if key is None or not (ENGINES.folder / key / _ABOUT).is_file():
        return None
    try:
        with claim_store(ENGINES, key, will_grow=False) as claim:
            about = json.loads((claim.folder / _ABOUT).read_bytes())
            network, check = ((claim.folder / name).read_bytes() for name in (_NETWORK, _CHECK))
            exported = ExportedEngine(network, check)
        claim.release(has_grown=False)
    except (ValueError, KeyError, TypeError, *_CACHE_ERRORS):
        return None
    # A damaged weight can stay below the largest difference.
    return exported if about["sha256"] == _digests(exported) else None


def _digests(exported: ExportedEngine) -> list[str]:
    return [hashlib.sha256(data).hexdigest() for data in (exported.network, exported.check)]


def load_engine(key: str) -> Engine | None:
    """Return an engine from the cache if it is undamaged and reproduces its reference output; else None.

    An engine that this process uses already is not compiled again: all folds of a training have the same one.
    """
    with _engines_lock:
        engine = _engines.get(key)
    if engine is None:
        exported = exported_engine(key)
        engine = None if exported is None else exported.load()
        engine = None if engine is None else replace(engine, cache_key=key)
    if engine is not None:
        _keep(key, engine)
    return engine


def remember_engine(classifier: str, engine: Engine) -> None:
    """Store which cached engine belongs to a classifier, by the fingerprint of the classifier, for `engine_of`."""
    if engine.cache_key is not None:
        with suppress(*_CACHE_ERRORS), RecordStore(ENGINE_KEYS, "classifiers") as store:
            store.keep({_record_key(classifier): engine.cache_key.encode()})


def engine_of(classifier: str) -> Engine | None:
    """Return the cached engine of a classifier, if there is one and it works on this computer."""
    with suppress(*_CACHE_ERRORS), RecordStore(ENGINE_KEYS, "classifiers") as store:
        name = store.find([_record_key(classifier)]).get(_record_key(classifier))
        return None if name is None else load_engine(name.decode())
    return None


def _record_key(classifier: str) -> str:
    return engine_key(classifier, ())


@cache  # looking up versions is the slowest part of a key
def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


N_CHECKED = 8  # images for the comparison of an engine with PyTorch
_N_IN_MEMORY = 2  # engines: in a training, those of the frozen and the fine-tuned network


def fastest_engine(network: "nn.Module", example: Pixels, *, device: str = "cpu", emit: Emit = ignore) -> Engine:
    """Return the fastest engine whose outputs for `example` agree with PyTorch on the processor.

    A requested GPU runs PyTorch. On the processor ONNX Runtime is the fastest; without the extra `onnx`, or if it does
    not agree, it is PyTorch. If a GPU lacks an operation or memory, or its outputs differ, the processor is
    used, with a warning.

    The latest engines on the processor are stored in this process and in the cache; for a network of equal weights only
    the comparison is repeated.

    Args:
        network: (B, S, S, C) -> (B, D), on the processor, where it stays; it is switched to evaluation mode.
        example: (B, S, S, C), real images for the comparison.
        device: `cpu`, `cuda` or `mps`.
        emit: receives a note if another device is used.
    """
    network = network.eval()
    on_processor = pytorch_on_processor(network)
    expected = on_processor(example)
    if device != "cpu" and (engine := _on_gpu(network, example, expected, device, emit)) is not None:
        return engine
    key = engine_key(fingerprint(network), example.shape[1:])
    with _engines_lock:
        stored = _engines.get(key)
    # Compare again: the stored difference is that of other images.
    if stored is not None and (deviation := difference(stored.run(example), expected)) <= LARGEST_DIFFERENCE:
        engine = replace(stored, largest_difference=deviation)
    else:
        engine = _exported(network, key, example, on_processor, expected) or Engine("pytorch", "cpu", on_processor, 0.0)
    if engine.name != "pytorch":  # a PyTorch engine changes with the weights of the network
        _keep(key, engine)
    return engine


def _keep(key: str, engine: Engine) -> None:
    """Keep an engine in this process, instead of the one that was used longest ago."""
    with _engines_lock:
        _engines[key] = engine
        _engines.move_to_end(key)
        while len(_engines) > _N_IN_MEMORY:
            _engines.popitem(last=False)


_engines: OrderedDict[str, Engine] = OrderedDict()  # by key, most recently used last
_engines_lock = threading.Lock()


def fingerprint(network: "nn.Module") -> str:
    """Return the hex SHA-256 of the structure and all tensors of a network; networks with equal hashes are equal."""
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _exported(
    network: "nn.Module", key: str, example: Pixels, on_processor: Forward, expected: FloatArray
) -> Engine | None:
    """Return ONNX Runtime, from the cache or new; None if it does not agree with PyTorch or cannot run the network."""
    if not has_extra("onnx"):
        return None
    stored = load_engine(key)
    if stored is not None and (deviation := difference(stored.run(example), expected)) <= LARGEST_DIFFERENCE:
        return replace(stored, largest_difference=deviation)
    try:
        exported = as_onnx(network, example)
        run = onnxruntime_engine(exported)
        deviation = difference(run(example), expected)
    except (ImportError, RuntimeError, ValueError, TypeError):  # an operation that is missing, or a damaged library
        return None
    if deviation > LARGEST_DIFFERENCE:
        return None
    is_cached = _save_engine(key, ExportedEngine(exported, _check_of(on_processor, example)))
    return Engine("onnxruntime", "cpu", run, deviation, key if is_cached else None)


def _on_gpu(network: "nn.Module", example: Pixels, expected: FloatArray, device: str, emit: Emit) -> Engine | None:
    """Return PyTorch on a GPU; None, with a note, if it does not work or its outputs differ."""
    reason = "device-refused"
    try:
        run = pytorch_on_device(network, device, images_at_once(example.shape[1:]))
        if (deviation := difference(run(example), expected)) <= LARGEST_DIFFERENCE:
            return Engine("pytorch", device, run, deviation)
    except RuntimeError as error:
        if is_out_of_memory(error):  # otherwise an operation is missing on this device
            reason = "device-out-of-memory"
    emit(Noted.of(note(reason, level="warning", device=device)))
    return None


def as_onnx(
    network: "nn.Module", example: Pixels, *, outputs: Sequence[str] = ("outputs",), has_any_batch: bool = False
) -> bytes:
    """Export a network to ONNX by tracing, which takes seconds; the newer exporter takes a minute.

    Args:
        network: (B, S, S, C) pixels -> one tensor or several, in evaluation mode.
        example: (B, S, S, C) pixels.
        outputs: names of the outputs.
        has_any_batch: the ONNX network accepts any number of images, not only one.

    Raises:
        RuntimeError, ValueError, TypeError: ONNX lacks an operation.
    """
    import torch

    buffer = io.BytesIO()
    is_16_bit = example.dtype == np.uint16  # which the exporter lacks, but ONNX has
    pixels = torch.from_numpy(example[:1].astype(np.int32) if is_16_bit else example[:1])
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # warnings of the tracer concern developers of PyTorch
        torch.onnx.export(
            network,
            (pixels,),
            buffer,  # type: ignore[arg-type]  # accepted when tracing, not in the annotation
            dynamo=False,
            input_names=["pixels"],
            output_names=[*outputs],
            dynamic_axes={name: {0: "n_images"} for name in ("pixels", *outputs)} if has_any_batch else None,
        )
    return _with_16_bit_input(buffer.getvalue()) if is_16_bit else buffer.getvalue()


def _with_16_bit_input(exported: bytes) -> bytes:
    import onnx

    model = onnx.load_from_string(exported)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT16
    onnx.checker.check_model(model)
    changed: bytes = model.SerializeToString()
    return changed


def pytorch_on_processor(network: "nn.Module") -> Forward:
    """Return a function that runs PyTorch on the processor, one image at a time."""
    import torch

    network = network.to("cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation

    def run(images: Pixels) -> FloatArray:
        with torch.inference_mode():
            x = torch.from_numpy(images)
            outputs: FloatArray = torch.cat([network(x[i : i + 1]).float() for i in range(len(x))]).numpy()
        return outputs

    return run


def pytorch_on_device(network: "nn.Module", device: str, n_at_once: int) -> Forward:
    """Return a function that runs a copy of the network on a device in padded batches of `n_at_once` images.

    The batch size is constant because a GPU adds numbers in an order that depends on it, so that the outputs of an
    image would depend on the number of other images. Only if memory is insufficient, it is halved.
    """
    import torch

    on_device = copy.deepcopy(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation

    def run_batches(images: Pixels, n_at_once: int) -> FloatArray:
        black = np.zeros((-len(images) % n_at_once, *images.shape[1:]), images.dtype)
        padded = torch.from_numpy(np.concatenate([images, black]))
        # By default cuDNN rounds the factors of convolutions to 10 bits (TF32), and sums in a varying order.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            batches = [
                on_device(padded[i : i + n_at_once].to(device)).float() for i in range(0, len(padded), n_at_once)
            ]
            outputs: FloatArray = torch.cat(batches).cpu().numpy()
        return outputs[: len(images)]

    def run(images: Pixels) -> FloatArray:
        nonlocal n_at_once
        while True:
            try:
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


FEATURES = Kind("features")
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
            if engine.device != device:  # the cache of the requested device must not get features of another one
                with embed(
                    network,
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
            for chunk, pixels in _read_ahead(missing, pixels_of, images_at_once(example.shape[1:])):
                store.add([digests[i] for i in chunk], run_tta(engine, pixels, tta))
                done += len(chunk)
                stop.check()
                seconds = time.monotonic() - started
                emit(paced(stage=COMPUTING_FEATURES, done=done, total=len(missing), n=done, seconds=seconds))
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
