"""Running a trained or frozen network fast, and only where the result is that of PyTorch on the processor.

On the processor an engine takes one image at a time inside, several side by side: what comes out for an image does not
depend on which others it is run with, and that is also the fastest way. A GPU takes always as many at once, for the
same reason.
"""

import copy
import hashlib
import io
import json
import math
import sqlite3
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from coverslip._version import __version__
from coverslip.cache import FILES, RECORDS, Kind, RecordStore, claimed, register
from coverslip.errors import CoverslipError, has_extra
from coverslip.events import Emit, Noted, ignore
from coverslip.files import write_bytes
from coverslip.machine import n_cores, processor_name
from coverslip.messages import note

if TYPE_CHECKING:
    from torch import nn

FloatArray = npt.NDArray[np.float32]
EngineName = Literal["openvino", "onnxruntime", "pytorch"]
Run = Callable[[FloatArray], FloatArray]

LARGEST_DIFFERENCE = 1e-3  # of the outputs' spread; fp32 engines stay near 1e-5, reduced precision is far above
_BYTES_AT_ONCE = 64 * 2**20  # of floats
_MOST_AT_ONCE = 64


@dataclass(frozen=True)
class Engine:
    """A network ready to run: (B, C, H, W) float32 in [0, 1] -> (B, D) float32, one row per image."""

    name: EngineName
    device: str  # `cpu`, `cuda` or `mps`
    run: Run
    largest_difference: float  # to PyTorch on the images it was checked with, as a share of the outputs' spread
    kept_as: str | None = None  # the name under which the cache has it for other processes


def images_at_once(shape: tuple[int, ...]) -> int:
    """How many images of this shape are turned into floats at a time, so that memory stays small for large ones."""
    return max(1, min(_MOST_AT_ONCE, _BYTES_AT_ONCE // (4 * math.prod(shape))))


def difference(actual: FloatArray, expected: FloatArray) -> float:
    """Largest deviation as a share of the expected values' standard deviation; infinite where shapes or NaN differ."""
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    spread = max(float(expected.std()), 1e-6)
    return float(np.abs(actual - expected).max()) / spread


def openvino_engine(exported: bytes) -> Run:
    """Return a network as ONNX, for one image, run by OpenVINO."""
    openvino = _import_openvino()
    core = openvino.Core()
    cores = n_cores()
    # One image per core side by side beats all cores on one image. The precision is said since bf16 is the default
    # on processors that have it, and changes labels.
    compiled = core.compile_model(
        core.read_model(exported),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores},
    )
    queue = openvino.AsyncInferQueue(compiled, cores)
    n_outputs = int(compiled.output(0).shape[1])
    one_at_a_time = threading.Lock()  # the queue has one callback

    def run(images: FloatArray) -> FloatArray:
        outputs = np.empty((len(images), n_outputs), np.float32)

        def keep(request: Any, place: int) -> None:  # Any: OpenVINO's untyped request
            outputs[place] = request.get_output_tensor(0).data[0]

        with one_at_a_time:
            queue.set_callback(keep)
            for i in range(len(images)):
                queue.start_async({0: images[i : i + 1]}, i)
            queue.wait_all()
        return outputs

    return run


def _import_openvino() -> Any:  # Any: untyped
    """Import OpenVINO without its telemetry.

    Its import writes a permanent id into the home folder and posts it to an analytics service, unless the package
    `openvino_telemetry` cannot be imported.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # Python's mark of "do not import"
    import openvino

    return openvino


def onnxruntime_engine(exported: bytes) -> Run:
    """Return a network as ONNX, for one image, run by ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_cores()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])

    def run(images: FloatArray) -> FloatArray:
        rows = [session.run(None, {"images": images[i : i + 1]})[0][0] for i in range(len(images))]
        return np.stack(rows).astype(np.float32)

    return run


BUILDERS: dict[EngineName, Callable[[bytes], Run]] = {"openvino": openvino_engine, "onnxruntime": onnxruntime_engine}
"""Fastest first (see benchmarks/RESULTS.md)."""


ENGINES = register(Kind("engines", "networks made ready to predict", FILES, bound_bytes=2 * 10**9))
ENGINE_KEYS = register(Kind("engine-keys", "which of them classifiers need", RECORDS))
_NETWORK, _CHECK = "network.onnx", "check.npz"
_NOT_KEPT = (OSError, sqlite3.Error, CoverslipError)  # a full disk, a cache that cannot be written: done without


def engine_key(fingerprint: str, shape: tuple[int, ...]) -> str:
    """Return the name of an engine for a network and images of a shape, of these versions, on such a processor."""
    made_by = [fingerprint, shape, __version__, *software()]
    return hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:32]


def software() -> list[str]:
    """The versions of what runs networks, and the processor: with others the last digits of results may differ."""
    return [*(_version_of(package) for package in ("openvino", "onnxruntime", "torch")), processor_name()]


def keep_engine(key: str, name: EngineName, exported: bytes, example: FloatArray, expected: FloatArray) -> bool:
    """Keep a network as ONNX with what it is to be checked with; whether that could be done.

    Args:
        key: as of `engine_key`.
        name: what runs it.
        exported: the network for one image.
        example: images that it was compared with PyTorch on.
        expected: what PyTorch gives for them.
    """
    check = io.BytesIO()
    digest = np.array(hashlib.sha256(exported).hexdigest())
    np.savez(check, name=np.array(name), example=example[:1], expected=expected[:1], sha256=digest)
    try:
        with claimed(ENGINES, key) as claim:
            write_bytes(claim.folder / _NETWORK, exported)
            write_bytes(claim.folder / _CHECK, check.getvalue())
        claim.release()
    except _NOT_KEPT:
        return False
    return True


def kept_engine(key: str) -> Engine | None:
    """The engine of this name, where it is undamaged and gives what PyTorch gave for the image that is kept with it."""
    if not has_extra("onnx") or not (ENGINES.folder / key / _CHECK).is_file():
        return None
    try:
        with claimed(ENGINES, key, will_grow=False) as claim:
            exported = (claim.folder / _NETWORK).read_bytes()
            with np.load(claim.folder / _CHECK, allow_pickle=False) as check:
                name, example, expected = _named(str(check["name"])), check["example"], check["expected"]
                is_intact = str(check["sha256"]) == hashlib.sha256(exported).hexdigest()
        claim.release(has_grown=False)
        if not is_intact:  # a changed weight may stay below the difference that is allowed
            return None
        run = BUILDERS[name](exported)
        far = difference(run(example), expected)
    except (ImportError, RuntimeError, ValueError, KeyError, EOFError, BadZipFile, *_NOT_KEPT):
        return None
    return Engine(name, "cpu", run, far, key) if far <= LARGEST_DIFFERENCE else None


def remember_engine(classifier: str, engine: Engine) -> None:
    """Let `engine_of` find an engine that is kept, for a classifier by its fingerprint."""
    if engine.kept_as is not None:
        with suppress(*_NOT_KEPT), RecordStore(ENGINE_KEYS, "classifiers") as store:
            store.keep({_record_key(classifier): engine.kept_as.encode()})


def engine_of(classifier: str) -> Engine | None:
    """Return the engine that was remembered for a classifier, if it is kept and works here."""
    with suppress(*_NOT_KEPT), RecordStore(ENGINE_KEYS, "classifiers") as store:
        name = store.find([_record_key(classifier)]).get(_record_key(classifier))
        return None if name is None else kept_engine(name.decode())
    return None


def _record_key(classifier: str) -> str:
    return engine_key(classifier, ())


def _named(name: str) -> EngineName:
    return "openvino" if name == "openvino" else "onnxruntime"


@cache  # to look up a version takes longer than all else of a key
def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


N_CHECKED = 8  # images that an engine is compared with PyTorch on
_N_KEPT = 2  # engines; of a training, that of the frozen network and that of the fine-tuned one


def fastest_engine(network: "nn.Module", example: FloatArray, *, device: str = "cpu", emit: Emit = ignore) -> Engine:
    """Return the first that gives on `example` the numbers of PyTorch on the processor.

    A GPU, if requested, runs PyTorch. On the processor the order is OpenVINO, ONNX Runtime, PyTorch, that of
    speed (see benchmarks/RESULTS.md); without the extra `onnx` it is PyTorch. A GPU that lacks an operation or memory,
    or gives other numbers, leaves it to the processor, with a warning.

    The last ones on the processor are kept, in this process and in the cache: for a network of equal weights only the
    comparison is repeated.

    Args:
        network: (B, C, H, W) -> (B, D), on the processor, where it stays; put into evaluation mode.
        example: (B, C, H, W) float32 in [0, 1], real images that the engine is checked with.
        device: `cpu`, `cuda` or `mps`.
        emit: receives a note if another device is used.
    """
    network = network.eval()
    on_processor = pytorch_on_processor(network)
    expected = on_processor(example)
    if device != "cpu":
        if (engine := _on_gpu(network, example, expected, device)) is not None:
            return engine
        emit(Noted.of(note("device-refused", level="warning", device=device)))
    key = engine_key(fingerprint(network), example.shape[1:])
    with _keeping:
        stored = _kept.get(key)
    # The difference for other images must neither be reported for these nor be trusted.
    if stored is not None and (far := difference(stored.run(example), expected)) <= LARGEST_DIFFERENCE:
        engine = replace(stored, largest_difference=far)
    else:
        engine = _exported(network, key, example, expected) or Engine("pytorch", "cpu", on_processor, 0.0)
    if engine.name != "pytorch":  # that would follow the network when its weights change
        with _keeping:
            _kept[key] = engine
            _kept.move_to_end(key)
            while len(_kept) > _N_KEPT:
                _kept.popitem(last=False)
    return engine


_kept: OrderedDict[str, Engine] = OrderedDict()  # last used last
_keeping = threading.Lock()


def fingerprint(network: "nn.Module") -> str:
    """Return hex SHA-256 over a network's structure and every tensor: equal networks, equal outputs."""
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _exported(network: "nn.Module", key: str, example: FloatArray, expected: FloatArray) -> Engine | None:
    """Return the first engine other than PyTorch that gives its numbers, which is kept; None where there is none."""
    if not has_extra("onnx"):
        return None
    stored = kept_engine(key)
    if stored is not None and (far := difference(stored.run(example), expected)) <= LARGEST_DIFFERENCE:
        return replace(stored, largest_difference=far)
    try:
        exported = _as_onnx(network, example)
    except (RuntimeError, ValueError, TypeError):  # an operation that ONNX does not have
        return None
    for name, build in BUILDERS.items():
        try:
            run = build(exported)
            far = difference(run(example), expected)
        except (ImportError, RuntimeError, ValueError):  # its library cannot be loaded, or the network is beyond it
            continue
        if far <= LARGEST_DIFFERENCE:
            is_kept = keep_engine(key, name, exported, example, expected)
            return Engine(name, "cpu", run, far, key if is_kept else None)
    return None


def _on_gpu(network: "nn.Module", example: FloatArray, expected: FloatArray, device: str) -> Engine | None:
    """PyTorch there; None where that does not work or gives other numbers."""
    try:
        run = pytorch_on_device(network, device, images_at_once(example.shape[1:]))
        far = difference(run(example), expected)
    except RuntimeError:  # an operation that PyTorch does not have there, or too little memory
        return None
    return Engine("pytorch", device, run, far) if far <= LARGEST_DIFFERENCE else None


def _as_onnx(network: "nn.Module", example: FloatArray) -> bytes:
    """Return the network for one image as ONNX, by tracing: seconds, where the newer exporter takes a minute."""
    import torch

    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer's notices are for PyTorch's own developers
        torch.onnx.export(
            network,
            (torch.from_numpy(example[:1]),),
            buffer,  # type: ignore[arg-type]  # accepted when tracing, not in the annotation
            dynamo=False,
            input_names=["images"],
            output_names=["outputs"],
        )
    return buffer.getvalue()


def pytorch_on_processor(network: "nn.Module") -> Run:
    """PyTorch as it is, one image at a time."""
    import torch

    network = network.to("cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation

    def run(images: FloatArray) -> FloatArray:
        with torch.inference_mode():
            x = torch.from_numpy(images).to("cpu", memory_format=torch.channels_last)
            outputs: FloatArray = torch.cat([network(x[i : i + 1]).float() for i in range(len(x))]).numpy()
        return outputs

    return run


def pytorch_on_device(network: "nn.Module", device: str, n_at_once: int) -> Run:
    """Return a copy of the network on a device, which is always given `n_at_once` images, black ones behind the last.

    With another number of images a GPU adds up in another order, and an image's numbers would depend on the others.
    """
    import torch

    on_device = copy.deepcopy(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation

    def run(images: FloatArray) -> FloatArray:
        black = np.zeros((-len(images) % n_at_once, *images.shape[1:]), np.float32)
        padded = torch.from_numpy(np.concatenate([images, black]))
        # cuDNN's default rounds the factors of convolutions to 10 bits (TF32), and sums in an order that varies.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            parts = [
                on_device(padded[i : i + n_at_once].to(device, memory_format=torch.channels_last)).float()
                for i in range(0, len(padded), n_at_once)
            ]
            outputs: FloatArray = torch.cat(parts).cpu().numpy()
        return outputs[: len(images)]

    return run
