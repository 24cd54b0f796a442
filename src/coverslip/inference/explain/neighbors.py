"""Training images that a classifier sees as most like an image: 'looks like these'."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.datasets import DecodedPixels, ImageRecord, scan_images
from coverslip.engines import Features, embed
from coverslip.images import ImageFacts
from coverslip.models.networks import FeatureNetwork, Network
from coverslip.runs import ClassifierCard, Run, RunContext, unchanged_images

Floats = npt.NDArray[np.float32]

_ROWS_AT_ONCE = 1024
_MOST_HELD = 256 * 2**20  # bytes of features kept in memory; of more images they are read for each


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A training image, and how far its features are."""

    record: ImageRecord
    distance: float  # in standard deviations of the training images, as root mean square over features


class NearestTraining:
    """The training images of a run by their features, open for reading until it is closed.

    Args:
        run: whose training images are searched.
        network: of its classifier.
        card: of its classifier.
        context: its device runs the network, where features are not in the cache; its listener receives progress.

    Raises:
        BadRun: its images are not what they were.
        Stopped: on request.
    """

    def __init__(self, run: Run, network: Network, card: ClassifierCard, context: RunContext) -> None:
        data = unchanged_images(run)
        scan = scan_images(data, emit=context.emit, stop=context.stop)
        trained_on = training_ids(run)
        positions, self._digests = [], list[str]()
        for i, (record, facts) in enumerate(zip(data.records, scan.facts, strict=True)):
            if record.image_id in trained_on and isinstance(facts, ImageFacts):
                positions.append(i)
                self._digests.append(facts.pixel_hash)
        self._records = [data.records[i] for i in positions]
        decoded = DecodedPixels(data, scan, card.preprocessing)
        with ExitStack() as opened:
            self._features, _ = opened.enter_context(
                embed(
                    FeatureNetwork(network),
                    network.head.in_features,
                    self._digests,
                    lambda rows: decoded([positions[i] for i in rows]),
                    preprocessing=card.preprocessing.model_dump(mode="json"),
                    tta=card.tta,
                    device=context.device,
                    emit=context.emit,
                    stop=context.stop,
                )
            )
            self._mean, self._sd = _mean_and_sd(self._features)
            n_rows, n_features = self._features.shape
            self._held = list(_chunks(self._features)) if n_rows * n_features * 4 <= _MOST_HELD else None
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Let go of the features."""
        self._opened.close()

    def of(self, features: Floats, digest: str, n: int) -> list[Neighbor]:
        """The n nearest to an image, the nearest first; images with the same pixels are excluded.

        Args:
            features: (D,) of the image.
            digest: the hash of its pixels.
            n: how many.
        """
        wanted = (features - self._mean) / self._sd
        chunks = self._held if self._held is not None else _chunks(self._features)
        distance = np.concatenate(
            [np.sqrt(np.square((rows - self._mean) / self._sd - wanted).mean(axis=1)) for rows in chunks]
        )
        distance[[i for i, each in enumerate(self._digests) if each == digest]] = np.inf
        nearest = [int(i) for i in np.argsort(distance, kind="stable")[:n] if np.isfinite(distance[i])]
        return [Neighbor(self._records[i], float(distance[i])) for i in nearest]


def training_ids(run: Run) -> set[str]:
    """The images that the network of a run's classifier was trained on: of folds all, since it is refitted on all."""
    parts: Sequence[str] = ("train", "val", "test") if run.is_cross_validated else ("train",)
    return {row.image_id for row in run.split if row.split in parts}


def _chunks(features: Features) -> Iterator[Floats]:
    for start in range(0, features.shape[0], _ROWS_AT_ONCE):
        yield features[start : start + _ROWS_AT_ONCE]


def _mean_and_sd(features: Features) -> tuple[Floats, Floats]:
    """(D,) each; features that never change count for nothing."""
    n, n_features = features.shape
    total, squares = np.zeros(n_features), np.zeros(n_features)
    for rows in _chunks(features):
        total += rows.sum(axis=0, dtype=np.float64)
        squares += np.square(rows, dtype=np.float64).sum(axis=0)
    mean = total / n
    sd = np.sqrt(np.maximum(squares / n - mean**2, 0))
    is_constant = sd <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return mean.astype(np.float32), np.where(is_constant, np.inf, sd).astype(np.float32)
