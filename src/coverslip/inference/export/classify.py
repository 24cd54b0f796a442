"""Classify images without coverslip: python classify.py model.onnx IMAGE... > predictions.csv

Other programs use `Classifier`, `read`, `crop` and `resize`. It needs NumPy, Pillow and onnxruntime, and reads whole
PNG, JPEG, TIFF and BMP images with 8-bit color, or with 8-bit or 16-bit gray values, and TIFF images of ImageJ with a
page for each channel.
"""

import csv
import json
import os
import sys
from typing import Any

import numpy as np
from PIL import Image, ImageOps

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it would send properties of the network to an analytics service
import onnxruntime

onnxruntime.disable_telemetry_events()  # on Windows

UNCERTAIN, UNFAMILIAR = "uncertain", "unfamiliar"
MODES = {"1": "L", "LA": "L", "P": "RGB", "RGBA": "RGB", "L": "L", "RGB": "RGB", "I;16": "I;16", "I;16B": "I;16B"}


class Classifier:
    """The network of an export, with its metadata.

    Args:
        model: the file `model.onnx`.
    """

    def __init__(self, model: str) -> None:
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        properties = self._session.get_modelmeta().custom_metadata_map
        self.metadata: dict[str, Any] = {name: json.loads(text) for name, text in properties.items()}

    def classify(self, pixels: np.ndarray) -> tuple[str, float, str]:
        """Return the predicted class of an image, its probability and the decision.

        The decision is the predicted class, `uncertain` or `unfamiliar`.

        Args:
            pixels: (side, side, channels), from `read` or `resize`.
        """
        classes, thresholds = self.metadata["classes"], self.metadata["thresholds"]
        has_score = thresholds["unfamiliar_above"] is not None
        outputs = ["probabilities", *(["ood_score"] if has_score else [])]
        probability, *scores = (each[0] for each in self._session.run(outputs, {"pixels": pixels[None]}))
        k = int(np.argmax(probability / (thresholds["operating_points"] or 1)))
        decision = UNCERTAIN if probability[k] < thresholds["uncertain_below"] else classes[k]
        if has_score and scores[0] > thresholds["unfamiliar_above"]:
            decision = UNFAMILIAR
        return classes[k], float(probability[k]), decision


def read(file: str, preprocessing: dict[str, Any]) -> np.ndarray:
    """Return the (side, side, channels) pixels of an image file as the network expects them.

    Pages are channels in the order of `preprocessing["channel_names"]`.
    """
    image, n = Image.open(file), preprocessing["channels"]
    selecting = ("series", "t", "z", "channels", "level", "channel_files")
    plan = preprocessing["plan"]
    is_selected = any(plan.get(key) for key in selecting) or isinstance(plan["crop_size"], str)  # in µm
    is_deep = not image.mode.startswith("I;16") and ";16" in str(image.tile)  # color that Pillow reads as 8-bit
    tags, n_pages = getattr(image, "tag_v2", {}), getattr(image, "n_frames", 1)
    is_inverted = tags.get(262) == 0  # TIFF with white as 0
    mode = MODES.get(image.mode)
    mode = "L" if mode == "RGB" and n == 1 else mode
    is_gray, description = mode in ("L", "I;16", "I;16B"), str(tags.get(270)).split("\n")
    has_pages = is_gray and n_pages == n and {f"images={n}", f"channels={n}"} <= {*description}  # as ImageJ writes
    is_selected |= n_pages > 1 and bool(preprocessing.get("channel_names")) and 50839 in tags  # may name channels
    is_read = has_pages if n_pages > 1 else is_gray or (mode == "RGB" and n == 3)
    if is_selected or is_deep or is_inverted or preprocessing["scaling"]["mode"] == "per-image" or not is_read:
        raise ValueError(f"{file}: this script cannot read images of this kind. Use coverslip.")
    pages = []
    for page in range(n_pages):
        image.seek(page)
        pages.append(np.atleast_3d(np.asarray(ImageOps.exif_transpose(image).convert(mode))))
    return resize(np.concatenate(pages, axis=2), preprocessing)


def crop(
    array: np.ndarray,
    box: tuple[int, int, int, int],
    plan: dict[str, Any],
    pixel_size_um: tuple[float, float] | None = None,
) -> np.ndarray:
    """Return the pixels of an object that the classifier sees, before `resize`.

    These are its box with the margin of the training, or a square of the training's size around the center of the box.
    What is beyond the edge of the image has the color of the border.

    Args:
        array: the image, (height, width, channels).
        box: x, y, width and height of the object.
        plan: `metadata["preprocessing"]["plan"]`.
        pixel_size_um: width and height of a pixel in µm.

    Raises:
        ValueError: the classifier needs a pixel size, or the box is outside the image.
    """
    x, y, width, height = box

    def in_pixels(length: int | str) -> tuple[int, int]:
        if isinstance(length, int):
            return length, length
        if pixel_size_um is None:
            raise ValueError("The classifier needs images with a pixel size.")
        um = float(length.removesuffix(" um"))
        return max(1, round(um / pixel_size_um[0])), max(1, round(um / pixel_size_um[1]))

    if plan["crop_size"] is not None:
        wide, high = in_pixels(plan["crop_size"])
        left, top = x + width // 2 - wide // 2, y + height // 2 - high // 2
    else:
        margin = plan["crop_margin"]
        beside, above = in_pixels(margin if isinstance(margin, str) else round(margin * max(width, height)))
        left, top, wide, high = x - beside, y - above, width + 2 * beside, height + 2 * above
    inner = array[max(top, 0) : max(top + high, 0), max(left, 0) : max(left + wide, 0)]
    if not inner.size:
        raise ValueError("An object is outside the image.")
    filled = np.empty((high, wide, array.shape[2]), array.dtype)
    filled[:] = border_color(inner)
    y, x = max(-top, 0), max(-left, 0)
    filled[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    return filled


def border_color(array: np.ndarray) -> np.ndarray:
    """Return the median of the outermost pixels for each channel, the lower of two middle values."""
    border = np.sort(np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]]), axis=0)
    color: np.ndarray = border[(len(border) - 1) // 2]
    return color


def resize(array: np.ndarray, preprocessing: dict[str, Any]) -> np.ndarray:
    """Return the pixels of an image of 8 or 16 bits, (height, width, channels), as the network expects them.

    The network matches the colors, if the classifier does.
    """
    if preprocessing.get("degradation"):
        raise ValueError("This script cannot degrade images as the classifier does. Use coverslip.")
    side, n, scaling = preprocessing["image_size"], preprocessing["channels"], preprocessing["scaling"]
    depth = array.dtype.name
    limits = scaling["ranges"].get(depth) if scaling["mode"] == "training-range" else None
    is_unchanged = depth == preprocessing["depth"] == "uint8" and limits is None
    color = border_color(array)
    if preprocessing.get("pad_color", "auto") != "auto":
        color = np.full_like(color, 0 if preprocessing["pad_color"] == "black" else np.iinfo(depth).max)
    (height, width), new, zoom = array.shape[:2], (side, side), (preprocessing.get("matching") or {}).get("zoom", 1)
    seen = (width / zoom, height / zoom)
    if preprocessing["resize"] == "crop":
        seen = (min(height, width) / zoom,) * 2
    elif preprocessing["resize"] != "stretch":
        extent = max(height, width, preprocessing.get("canvas_px") or 0) / zoom
        seen, scale = (min(width, extent), min(height, extent)), side / extent
        new = (max(1, round(seen[0] * scale)), max(1, round(seen[1] * scale)))
    left, top = (width - seen[0]) / 2, (height - seen[1]) / 2
    box = (left, top, left + seen[0], top + seen[1])
    planes = np.ascontiguousarray(array.transpose(2, 0, 1), array.dtype if is_unchanged else np.float32)
    resized = [Image.fromarray(plane).resize(new, Image.Resampling.BILINEAR, box) for plane in planes]
    inner = np.stack([np.asarray(plane) for plane in resized], axis=-1)
    square = np.empty((side, side, array.shape[2]), inner.dtype)
    square[:] = color
    y, x = (side - new[1]) // 2, (side - new[0]) // 2
    square[y : y + new[1], x : x + new[0]] = inner
    square = np.repeat(square, n // square.shape[2], axis=2)
    if is_unchanged:
        return square
    low, high = np.array(limits or [(0, np.iinfo(depth).max)] * n, np.float32).T
    top = np.float32(np.iinfo(preprocessing["depth"]).max)
    levels: np.ndarray = np.rint((np.clip(square, low, high) - low) / (high - low) * top)
    return levels.astype(preprocessing["depth"])


def main(model: str, files: list[str]) -> None:
    """Print a table with the predicted class of each image, its probability and the decision."""
    classifier = Classifier(model)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["path", "predicted", "probability", "decision"])
    for file in files:
        predicted, probability, decision = classifier.classify(read(file, classifier.metadata["preprocessing"]))
        table.writerow([file, predicted, f"{probability:.6f}", decision])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
