"""Running a trained or frozen network fast, and only where the result is that of PyTorch on the processor.

On the processor an engine takes one image at a time inside, several side by side: what comes out for an image does not
depend on which others it is run with, and that is also the fastest way. A GPU takes always as many at once, for the
same reason.
"""

import copy
import hashlib
import io
import threading
import warnings
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from coverslip.engines.engine import BUILDERS, LARGEST_DIFFERENCE, Engine, FloatArray, Run, difference, images_at_once
from coverslip.engines.keeping import engine_key, keep_engine, kept_engine
from coverslip.errors import has_extra
from coverslip.events import Emit, Noted, ignore
from coverslip.messages import note

if TYPE_CHECKING:
    from torch import nn

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
