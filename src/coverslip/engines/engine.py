"""What an engine is, and engines made of an exported network. PyTorch is not needed for them."""

import math
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coverslip.machine import n_cores

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
