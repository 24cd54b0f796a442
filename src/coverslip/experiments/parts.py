"""The images of each part of a split, as a training sees them."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coverslip.datasets import Dataset, Scan, Split, trained_classes
from coverslip.images import ImageFacts

if TYPE_CHECKING:
    from coverslip.training.batches import PixelsOf, TrainingImages

Ints = npt.NDArray[np.int64]


class Parts:
    """Positions in the dataset of each part's images, with labels as class numbers."""

    def __init__(self, data: Dataset, scan: Scan, split: Split) -> None:
        self.data, self.scan, self.split = data, scan, split
        self.classes = trained_classes(data, split)
        number = {name: k for k, name in enumerate(self.classes)}
        parts = np.array(split.parts)
        self.train, self.val, self.test = (np.flatnonzero(parts == part) for part in ("train", "val", "test"))
        self.label = np.array([number.get(record.label or "", -1) for record in data.records])
        self.domain = np.unique([record.domain for record in data.records], return_inverse=True)[1]
        self._facts = {i: facts for i, facts in enumerate(scan.facts) if isinstance(facts, ImageFacts)}

    @property
    def train_facts(self) -> list[ImageFacts]:
        """What is known of each training image."""
        return [self._facts[i] for i in self.train.tolist()]

    def digests(self, positions: Sequence[int]) -> list[str]:
        """What tells copies of the images at these positions."""
        return [self._facts[i].pixel_hash for i in positions]

    def training_images(self, pixels_of: "PixelsOf") -> "TrainingImages":
        """Training and validation images, with whatever gives their pixels."""
        from coverslip.training.batches import TrainingImages

        return TrainingImages(
            pixels_of=pixels_of,
            train=self.train,
            train_label=self.label[self.train],
            val=self.val,
            val_label=self.label[self.val],
            n_classes=len(self.classes),
            train_domain=self.domain[self.train],
        )

    def some_training_images(self, n: int, *, seed: int) -> list[int]:
        """Positions of n training images at random, the classes in turn, ordered by class."""
        order = np.random.default_rng(seed).permutation(self.train)
        met: Counter[int] = Counter()
        turn = []
        for label in self.label[order].tolist():
            turn.append(met[label])
            met[label] += 1
        chosen = order[np.argsort(turn, kind="stable")[:n]]
        return [int(i) for i in chosen[np.argsort(self.label[chosen], kind="stable")]]
