"""What every peer does in its own environment: read the images of a cell, build the network, write probabilities.

Each peer is run as `python PEER.py CELL WEIGHTS SEED`. CELL is a folder with the tables train.csv (path, label, group)
and test.csv (path). The peer writes probabilities.csv into it: the classes, then a row per test image. It receives no
labels of test images.
"""

import csv
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

NETWORK = "tf_efficientnet_lite0"  # timm's name
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Cell:
    """The images of a cell, the initial weights in timm's format, and the seed."""

    folder: Path
    weights: Path
    seed: int

    @cached_property
    def training(self) -> list[dict[str, str]]:
        return self._rows("train.csv")

    @property
    def paths(self) -> list[str]:
        return [row["path"] for row in self.training]

    @property
    def groups(self) -> list[str]:
        return [row["group"] for row in self.training]

    @property
    def classes(self) -> list[str]:
        return sorted({row["label"] for row in self.training})

    @property
    def label(self) -> npt.NDArray[np.int64]:
        return np.array([self.classes.index(row["label"]) for row in self.training])

    @property
    def test_paths(self) -> list[str]:
        return [row["path"] for row in self._rows("test.csv")]

    def write(self, probability: Floats) -> None:
        """Write the probabilities of the test images, with columns in the order of `classes`."""
        with (self.folder / "probabilities.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(self.classes)
            writer.writerows(probability.tolist())

    def _rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def read_cell() -> Cell:
    """Return the cell of the command line."""
    folder, weights, seed = sys.argv[1:]
    return Cell(Path(folder), Path(weights), int(seed))


def declare_operators() -> None:
    """Make torchvision importable beside a PyTorch without CUDA, for which PyPI's torchvision is not built."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        sys.torchvision_operators = library  # type: ignore[attr-defined]  # they exist as long as this object


def read_pixels(paths: list[str]) -> Floats:
    """Return images as (n, 3, side, side) float32 in [-1, 1], as the network expects them."""
    from PIL import Image

    pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    return (pixels.transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float32)
