"""Draw a sample of images to train on, and images of other groups on which the classifier is scored."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from finetuning import DATA, Images, rows_of, write_rows

from coverslip.datasets import open_dataset
from coverslip.evaluation import expected_calibration_error, score
from coverslip.events import ignore
from coverslip.inference import Classifier
from coverslip.pipeline import train_without_report
from coverslip.runs import Recipe, Run

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

    def probabilities(self, classifier: Classifier) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities of the outside images and their class numbers."""
        number = {name: k for k, name in enumerate(classifier.classes)}
        probability = classifier.predict_proba(self.paths, emit=ignore)
        return probability, np.array([number[label] for label in self.labels])

    def scores(self, classifier: Classifier) -> dict[str, float]:
        """Return the metrics of the outside images."""
        probability, label = self.probabilities(classifier)
        scores = score(probability, label, names=("macro_f1", "log_loss"))
        return {name: float(value) for name, value in scores.items()} | {
            "ece": expected_calibration_error(probability, label)
        }


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
