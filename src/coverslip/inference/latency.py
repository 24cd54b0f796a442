"""Latency of a network or classifier for one image and for a hundred: the network alone, and from file to result.

Each measurement is repeated ten times after a warm-up that prepares the engine.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import ImageRecord
from coverslip.datasets.pixels import read_preprocessed
from coverslip.images.preprocessing import PreprocessedImage, Preprocessing
from coverslip.machine import n_cores, processor_name

if TYPE_CHECKING:
    from coverslip.datasets.index.opening import ImageSource
    from coverslip.datasets.index.records import Dataset
    from coverslip.engines import Engine
    from coverslip.inference.classifier import Classifier

REPEATS = 10
MANY = 100
_DRAWN_PX = 360  # image side for networks without a classifier, as of blood cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of repeated measurements."""

    median: float
    mean: float
    low: float  # minimum
    high: float  # maximum
    runs: tuple[float, ...]  # in order

    @staticmethod
    def of(seconds: Sequence[float]) -> "Timing":
        """Return the summary of repeated measurements."""
        return Timing(
            median=statistics.median(seconds),
            mean=statistics.fmean(seconds),
            low=min(seconds),
            high=max(seconds),
            runs=tuple(seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds of a network or classifier for one image and for many."""

    processor: str
    n_threads: int
    engine: str  # engine and its device
    image_px: int  # image side of the network's input
    n_many: int
    network_one: Timing  # the network alone, test-time augmentation included
    network_many: Timing
    whole_one: Timing  # from file to result
    whole_many: Timing

    @property
    def ratio(self) -> float:
        """Time of many images divided by the time of one image, from files to results."""
        return self.whole_many.median / self.whole_one.median


def classifier_latency(classifier: "Classifier", images: "Dataset | ImageSource", *, repeats: int = REPEATS) -> Latency:
    """Return the latency of a classifier on a user's images.

    Args:
        classifier: loaded, on its device.
        images: as of `Classifier.open_images`; at most the first `MANY` are used.
        repeats: of each measurement.

    Raises:
        BadDataset: there are no images.
    """
    card = classifier.card
    dataset = classifier.open_images(images)
    dataset = dataset.subset(range(min(MANY, len(dataset.records))))
    first = dataset.subset([0])
    return _latency(
        classifier.engine,
        _pixels(dataset.records, card.preprocessing),
        (lambda: list(classifier.predict_images(first)), lambda: list(classifier.predict_images(dataset))),
        tta=card.tta,
        repeats=repeats,
    )


def model_latency(name: str, *, image_px: int | None = None, repeats: int = REPEATS) -> Latency:
    """Return the latency of a network with random weights and two classes on the CPU, on random images of 360 pixels.

    Args:
        name: a registered name, or `timm/NAME`.
        image_px: image side of the network's input; None: the default.
        repeats: of each measurement.

    Raises:
        UnknownModel: no model has this name.
    """
    from coverslip.engines import as_input, fastest_engine
    from coverslip.models import model_info
    from coverslip.models.backbone import Architecture
    from coverslip.models.networks import random_network

    record = model_info(name)
    preprocessing = Preprocessing(image_size=image_px or record.input_px)
    engine = fastest_engine(random_network(Architecture(name, "native", 3, preprocessing.image_size)).as_backbone())
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_dataset([str(file) for file in _random_images(Path(folder))], labeled=False)
        pixels = _pixels(dataset.records, preprocessing)

        def run(n: int) -> None:
            engine.run(as_input(_pixels(dataset.records[:n], preprocessing)))

        whole = (lambda: run(1), lambda: run(MANY))
        return _latency(engine, pixels, whole, tta=1, repeats=repeats)


def _latency(
    engine: "Engine",
    pixels: np.ndarray,
    whole: tuple[Callable[[], object], Callable[[], object]],
    *,
    tta: int,
    repeats: int,
) -> Latency:
    from coverslip.engines import run_tta

    return Latency(
        processor=processor_name(),
        n_threads=n_cores(),
        engine=f"{engine.name}, {engine.device}",
        image_px=pixels.shape[1],
        n_many=len(pixels),
        network_one=_timed(lambda: run_tta(engine, pixels[:1], tta), repeats),
        network_many=_timed(lambda: run_tta(engine, pixels, tta), repeats),
        whole_one=_timed(whole[0], repeats),
        whole_many=_timed(whole[1], repeats),
    )


def _timed(work: Callable[[], object], repeats: int) -> Timing:
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return Timing.of(seconds)


def _pixels(records: Sequence[ImageRecord], preprocessing: Preprocessing) -> np.ndarray:
    images = read_preprocessed(records, preprocessing)
    return np.stack([image.pixels for image in images if isinstance(image, PreprocessedImage)])


def _random_images(folder: Path) -> list[Path]:
    from PIL import Image

    rng = np.random.default_rng(0)
    files = [folder / f"{i:03d}.png" for i in range(MANY)]
    for file in files:
        coarse = rng.integers(0, 255, (_DRAWN_PX // 8, _DRAWN_PX // 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((_DRAWN_PX, _DRAWN_PX)).save(file)
    return files
