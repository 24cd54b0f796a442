"""Draw a sample of images to train on, and images of other groups on which the classifier is scored."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from finetuning import DATA, Images, rows_of, write_rows

from coverslip.datasets import DecodedPixels, open_dataset, scan_images
from coverslip.engines import embed
from coverslip.events import ignore
from coverslip.inference import Classifier
from coverslip.pipeline import train_without_report
from coverslip.runs import Recipe, Run

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FIVE_SETS = ("pap_herlev", "micronuclei", "blood_pbc", "nuclei_mitocheck", "chromosomes_qband")
_FEWEST = 8  # images of a class in the sample


@dataclass(frozen=True)
class Outside:
    """A table of images to train on, and images of other groups."""

    table: Path
    group: str | None
    paths: list[str]
    labels: list[str]

    @property
    def n_outside(self) -> int:
        return len(self.paths)

    def numbers(self, classes: Sequence[str]) -> Ints:
        """Return the class number of each outside image."""
        return np.array([classes.index(label) for label in self.labels])

    def features(self, classifier: Classifier) -> Floats32:
        """Return the features of the outside images, from the cache if possible."""
        preprocessing, data = classifier.card.preprocessing, classifier.open_images(self.paths)
        scan = scan_images(data)
        with embed(
            classifier.network,
            [fact.pixel_hash for fact in scan.readable(range(len(data)))],
            DecodedPixels(data, scan, preprocessing),
            preprocessing=preprocessing.model_dump(mode="json"),
            tta=classifier.card.tta,
            device="cpu",
        ) as (features, _):
            return np.concatenate([features[slice(i, i + 500)] for i in range(0, len(data), 500)])


def draw(images: Images, n: int, seed: int, folder: Path) -> Outside:
    """Draw about n images of whole groups, and divide the groups: one half is trained on, the other is outside.

    All seeds divide the same images, so that their features are computed once.
    """
    by_group: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(DATA / images.source):
        by_group[row[images.group] if images.group else row["path"]].append(row)
    groups = sorted(by_group)
    random.Random(0).shuffle(groups)
    n_before = accumulate((len(by_group[group]) for group in groups), initial=0)
    groups = [group for group, n_drawn in zip(groups, n_before, strict=False) if n_drawn < n]
    random.Random(seed).shuffle(groups)
    halves = groups[: len(groups) // 2], groups[len(groups) // 2 :]
    inside, outside = ([row for group in half for row in by_group[group]] for half in halves)
    n_of = Counter(row["label"] for row in inside)
    inside, outside = ([row for row in some if n_of[row["label"]] >= _FEWEST] for some in (inside, outside))
    table = write_rows(inside, images.group, folder / "images.csv")
    return Outside(table, images.group, [row["path"] for row in outside], [row["label"] for row in outside])


def trained(drawn: Outside, settings: Mapping[str, Any], out: Path) -> Run:
    """Train with these recipe keys."""
    recipe = Recipe.model_validate({"group": drawn.group, "split": {"folds": 0}, **settings})
    return train_without_report(open_dataset(drawn.table), recipe, out=out, emit=ignore)
