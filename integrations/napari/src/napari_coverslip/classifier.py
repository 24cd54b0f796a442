"""An ONNX export of coverslip, applied to arrays; independent of napari."""

import runpy
from pathlib import Path

import numpy as np

Box = tuple[int, int, int, int]  # x, y, width, height


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
        self._reader = runpy.run_path(str(reader))
        self._classifier = self._reader["Classifier"](str(model))
        self._preprocessing = self._classifier.metadata["preprocessing"]
        self.n_channels: int = self._preprocessing["channels"]
        if self._preprocessing["scaling"]["mode"] == "per-image":
            raise ValueError("This classifier scales each image by its own intensities. Use coverslip.")

    def classify(self, pixels: np.ndarray) -> tuple[str, float, str]:
        """Return the class of (height, width, channels) pixels, its probability and the decision."""
        result: tuple[str, float, str] = self._classifier.classify(self._reader["resize"](pixels, self._preprocessing))
        return result

    def crop(
        self, pixels: np.ndarray, box: Box, side: int = 0, pixel_size_um: tuple[float, float] | None = None
    ) -> np.ndarray:
        """Return the pixels of an object that the classifier sees.

        Args:
            pixels: of the image, (height, width, channels).
            box: of the object.
            side: of the square around the center of the box; 0: as in training.
            pixel_size_um: width and height of a pixel.

        Raises:
            ValueError: the training had a size in µm, and the pixel size is unknown.
        """
        plan = {**self._preprocessing["plan"], **({"crop_size": side} if side else {})}
        cropped: np.ndarray = self._reader["crop"](pixels, box, plan, pixel_size_um)
        return cropped


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


def boxes_of(labels: np.ndarray) -> dict[int, Box]:
    """Return the box of each object of a labels layer, by its number."""
    y, x = np.nonzero(labels)
    numbers, position = np.unique(labels[y, x], return_inverse=True)
    low, high = np.full((2, len(numbers)), np.iinfo(np.int64).max), np.full((2, len(numbers)), -1)
    for axis, each in enumerate((x, y)):
        np.minimum.at(low[axis], position, each)
        np.maximum.at(high[axis], position, each)
    sides = high - low + 1
    boxes = zip(*low.tolist(), *sides.tolist(), strict=True)
    return dict(zip(numbers.tolist(), boxes, strict=True))


def centers_of(boxes: dict[int, Box]) -> np.ndarray:
    """Return the center (y, x) of each box."""
    return np.array([(y + (height - 1) / 2, x + (width - 1) / 2) for x, y, width, height in boxes.values()])
