"""An ONNX export of coverslip, applied to arrays; independent of napari."""

import json
import os
import runpy
from pathlib import Path

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read on import; ONNX Runtime would send properties of the network
import onnxruntime


class ExportedClassifier:
    """A classifier from the folder that `coverslip export --to onnx` wrote.

    Args:
        folder: the export.

    Raises:
        ValueError: the folder is no such export, or its classifier needs coverslip to read images.
    """

    def __init__(self, folder: Path) -> None:
        model, reader = folder / "model.onnx", folder / "classify.py"
        if not model.is_file() or not reader.is_file():
            raise ValueError(
                f"{folder} has no model.onnx and classify.py. Choose a folder of coverslip export --to onnx."
            )
        self._resize = runpy.run_path(str(reader))["resize"]
        self._session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.classes: list[str] = json.loads(metadata["classes"])
        self._points = json.loads(metadata["thresholds"])["operating_points"]
        self._preprocessing = json.loads(metadata["preprocessing"])
        self.n_channels: int = self._preprocessing["channels"]
        if self._preprocessing["scaling"]["mode"] == "per-image":
            raise ValueError("This classifier scales each image by its own intensities. Use coverslip.")

    def classify(self, pixels: np.ndarray) -> tuple[str, float]:
        """Return the class of (height, width, channels) pixels, and its probability."""
        resized = self._resize(pixels, self._preprocessing)
        (probability,) = self._session.run(["probabilities"], {"pixels": resized[None]})[0]
        predicted = int(np.argmax(probability / (self._points or 1)))
        return self.classes[predicted], float(probability[predicted])


def channels_last(image: np.ndarray, *, is_color: bool, n: int | None = None) -> np.ndarray:
    """Return the pixels of an image as (height, width, channels).

    Args:
        image: color, one channel, or the channels as first axis.
        is_color: whether the last axis has the colors.
        n: number of channels that a classifier needs, which repeats one channel for color; None: any.

    Raises:
        ValueError: the classifier cannot be applied to such an image.
    """
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"The image has values of the type {image.dtype}. Choose an image with 8 or 16 bits.")
    if is_color and image.ndim == 3 and n in (3, None):
        return image[..., :3]
    if not is_color and image.ndim == 2 and n in (1, 3, None):
        return image[..., None]
    if not is_color and image.ndim == 3 and n in (image.shape[0], None):
        return np.moveaxis(image, 0, -1)
    needed = "" if n is None else f", and the classifier needs {n} channels"
    raise ValueError(
        f"The image has the shape {image.shape}{needed}. Choose an image with one channel, color, or the channels as "
        "first axis."
    )


def crops_around(
    labels: np.ndarray, pixels: np.ndarray, side: int
) -> tuple[list[int], list[np.ndarray], list[np.ndarray]]:
    """Return the number of each object, its center (y, x), and the square of `side` pixels around it.

    A square that would leave the image is moved into it.
    """
    y, x = np.nonzero(labels)
    numbers, position = np.unique(labels[y, x], return_inverse=True)
    n_pixels = np.bincount(position)
    centers = np.stack([np.bincount(position, each) / n_pixels for each in (y, x)], axis=1)
    crops = []
    for center in centers:
        top, left = (
            int(min(max(round(middle - (side - 1) / 2), 0), max(size - side, 0)))
            for middle, size in zip(center, labels.shape, strict=True)
        )
        crops.append(pixels[top : top + side, left : left + side])
    return [int(number) for number in numbers], list(centers), crops
