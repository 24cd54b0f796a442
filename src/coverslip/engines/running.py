"""Running a trained or frozen network fast on the processor, and only where the result is PyTorch's.

An engine takes one image at a time inside, several side by side: what comes out for an image does not depend on
which others it is run with, and on processors that is also the fastest way.
"""

import io
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from coverslip.machine import n_cores

FloatArray = npt.NDArray[np.float32]
EngineName = Literal["openvino", "onnxruntime", "pytorch"]

N_CHECKED = 8  # images that an engine is compared with PyTorch on
_LARGEST_DIFFERENCE = 1e-3  # of the outputs' spread; fp32 engines stay near 1e-5, reduced precision is far above


@dataclass(frozen=True)
class Engine:
    """A network ready to run: (B, C, H, W) float32 in [0, 1] -> (B, D) float32, one row per image."""

    name: EngineName
    run: Callable[[FloatArray], FloatArray]
    largest_difference: float  # to PyTorch on the images it was checked with, as a share of the outputs' spread


def fastest_engine(network: nn.Module, example: FloatArray, *, device: str = "cpu") -> Engine:
    """The first of OpenVINO, ONNX Runtime and PyTorch that gives PyTorch's numbers on `example`.

    The order is that of speed on processors (see benchmarks/RESULTS.md); on a GPU it is PyTorch.

    Args:
        network: (B, C, H, W) -> (B, D); put into evaluation mode.
        example: (B, C, H, W) float32 in [0, 1], real images that the engine is checked with.
        device: where PyTorch would run.
    """
    network = network.eval()
    if device != "cpu":
        return Engine("pytorch", _pytorch(network, device), 0.0)
    expected = _pytorch(network, "cpu")(example)
    try:
        exported = _as_onnx(network, example)
    except (RuntimeError, ValueError, TypeError):  # an operation that ONNX does not have
        return Engine("pytorch", _pytorch(network, "cpu"), 0.0)
    candidates: list[tuple[EngineName, Callable[[bytes], Callable[[FloatArray], FloatArray]]]] = [
        ("openvino", _openvino),
        ("onnxruntime", _onnxruntime),
    ]
    for name, build in candidates:
        try:
            run = build(exported)
            difference = _difference(run(example), expected)
        except (ImportError, RuntimeError, ValueError):  # not installed here, or the network is beyond it
            continue
        if difference <= _LARGEST_DIFFERENCE:
            return Engine(name, run, difference)
    return Engine("pytorch", _pytorch(network, "cpu"), 0.0)


def _difference(given: FloatArray, expected: FloatArray) -> float:
    """Largest deviation as a share of the expected values' standard deviation; infinite where shapes or NaN differ."""
    if given.shape != expected.shape or not np.isfinite(given).all():
        return float("inf")
    spread = max(float(expected.std()), 1e-6)
    return float(np.abs(given - expected).max()) / spread


def _as_onnx(network: nn.Module, example: FloatArray) -> bytes:
    """The network for one image as ONNX, by tracing: seconds, where the newer exporter takes a minute."""
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


def _openvino(exported: bytes) -> Callable[[FloatArray], FloatArray]:
    import openvino

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


def _onnxruntime(exported: bytes) -> Callable[[FloatArray], FloatArray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_cores()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])

    def run(images: FloatArray) -> FloatArray:
        rows = [session.run(None, {"images": images[i : i + 1]})[0][0] for i in range(len(images))]
        return np.stack(rows).astype(np.float32)

    return run


def _pytorch(network: nn.Module, device: str) -> Callable[[FloatArray], FloatArray]:
    """Single images on the processor, whole batches on a GPU, which one image would leave idle."""
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation

    def run(images: FloatArray) -> FloatArray:
        n_at_once = 1 if device == "cpu" else len(images)
        with torch.inference_mode():
            x = torch.from_numpy(images).to(device, memory_format=torch.channels_last)
            parts = [network(x[i : i + n_at_once]).float() for i in range(0, len(x), n_at_once)]
            outputs: FloatArray = torch.cat(parts).cpu().numpy()
        return outputs

    return run
