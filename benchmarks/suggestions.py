"""Labels that a classifier needs with suggested and with random images, as a Markdown table.

A fifth of the images, or of their groups, is the test set. Of the others, 20 at a time are labeled: suggested ones, or
random ones. After each step, a linear probe on pretrained features is fitted to the labels and tested. Images:
COVERSLIP_DATA, default ../shared/data.

    python benchmarks/suggestions.py [--sets NAME…] [--seeds N] [--labels N]
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import coverslip as cs
from coverslip.audit.features import feature_extractor, principal_components
from coverslip.audit.learning_curve import gram_matrix, probe_logits
from coverslip.audit.suggesting import FEWEST_LABELS, typical, undecided
from coverslip.datasets import scan_images
from coverslip.evaluation import apply_temperature
from coverslip.runs import RunContext

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
SETS = {
    "blood_pbc": ("blood_pbc", None),
    "blood_malaria": ("blood_malaria/images.csv", "patient"),
    "nuclei_mitocheck": ("nuclei_mitocheck/images.csv", "movie"),
    "pap_herlev": ("pap_herlev/images.csv", None),
    "cellcycle_jurkat_16bit": ("cellcycle_jurkat_16bit", None),
    "micronuclei": ("micronuclei/images.csv", None),
}
STEP = 20
SHOWN = (20, 40, 100, 200)
ENOUGH = 0.95  # of the balanced accuracy with all labels


@dataclass(frozen=True)
class Images:
    """The features of a dataset and what is known about its images."""

    features: np.ndarray  # (n, D)
    components: np.ndarray  # (n, C), principal components of the features
    gram: np.ndarray  # (n, n)
    label: np.ndarray  # (n,) int
    unit: np.ndarray  # (n,) int: groups, or images

    def probabilities(self, labeled: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return probabilities of other images by a probe that is fitted to the labeled ones."""
        logits = probe_logits(
            self.gram[np.ix_(labeled, labeled)],
            self.gram[np.ix_(others, labeled)],
            self.label[labeled],
            n_classes=int(self.label.max()) + 1,
            n_features=self.features.shape[1],
            shrinkage=1.0,
            balanced=True,
        )
        return apply_temperature(logits, 1.0).astype(np.float32)

    def balanced_accuracy(self, labeled: np.ndarray, test: np.ndarray) -> float:
        predicted = self.probabilities(labeled, test).argmax(axis=1)
        truth = self.label[test]
        return float(np.mean([(predicted[truth == k] == k).mean() for k in np.unique(truth)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {'; '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=600)
    options = parser.parse_args()
    at = " | ".join(f"{n} labels" for n in SHOWN)
    print(f"| dataset | images | {at} | labels for {ENOUGH:.0%} of all |")
    print(f"|---|---|{'---|' * (len(SHOWN) + 1)}")
    for name in options.sets:
        images = read(*SETS[name])
        curves = {
            way: [curve(images, choose, seed, options.labels) for seed in range(options.seeds)]
            for way, choose in (("random", random_images), ("suggested", suggested_images))
        }
        for way, of_way in curves.items():
            means = np.mean([accuracies for accuracies, _ in of_way], axis=0)
            cells = " | ".join(f"{means[n // STEP - 1]:.3f}" for n in SHOWN)
            print(f"| {name}, {way} | {len(images.label)} | {cells} | {needed(of_way)} |", flush=True)


def read(path: str, group: str | None) -> Images:
    data = cs.open_dataset(DATA / path, group=group)
    scan = scan_images(data)
    images = feature_extractor([scan]).features_of(data, scan, RunContext(Path(), "cpu", lambda event: None))
    records = [data.records[i] for i in images.positions]
    label = np.unique([record.label or "" for record in records], return_inverse=True)[1]
    unit = np.unique([record.named_group or record.image_id for record in records], return_inverse=True)[1]
    return Images(images.features, principal_components(images.features), gram_matrix(images.features), label, unit)


Choose = Callable[[Images, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def random_images(images: Images, labeled: np.ndarray, pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(pool)[:STEP]


def suggested_images(images: Images, labeled: np.ndarray, pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if len(labeled) < FEWEST_LABELS or len(np.unique(images.label[labeled])) < 2:
        return np.array([row for row, _, _ in typical(images.components, labeled, pool, STEP)])
    probabilities = images.probabilities(labeled, pool)
    return np.array([row for row, _, _ in undecided(images.components, probabilities, pool, STEP)])


def curve(images: Images, choose: Choose, seed: int, n_labels: int) -> tuple[list[float], float]:
    """Return the balanced accuracy after each step, and with all labels."""
    rng = np.random.default_rng(seed)
    units = np.unique(images.unit)
    is_test = np.isin(images.unit, rng.permutation(units)[: max(1, len(units) // 5)])
    test, rest = np.flatnonzero(is_test), np.flatnonzero(~is_test)
    labeled, accuracies = np.zeros(0, np.int64), []
    while len(labeled) < min(n_labels, len(rest) - STEP):
        new = choose(images, labeled, np.setdiff1d(rest, labeled), rng)
        labeled = np.concatenate([labeled, new]).astype(np.int64)
        accuracies.append(images.balanced_accuracy(labeled, test))
    return accuracies, images.balanced_accuracy(rng.permutation(rest)[:4000], test)


def needed(curves: list[tuple[list[float], float]]) -> str:
    """Return the median number of labels for a share of the accuracy with all labels, and the range."""
    numbers = []
    for accuracies, full in curves:
        enough = (STEP * (i + 1) for i, accuracy in enumerate(accuracies) if accuracy >= ENOUGH * full)
        numbers.append(next(enough, None))
    largest = STEP * len(curves[0][0])
    reached = sorted(n for n in numbers if n is not None)
    if len(reached) <= len(numbers) // 2:
        return f"more than {largest} ({len(reached)} of {len(numbers)} splits reached it)"
    median = (reached + [largest] * (len(numbers) - len(reached)))[len(numbers) // 2]
    return f"{median} ({reached[0]} to {reached[-1] if len(reached) == len(numbers) else f'more than {largest}'})"


if __name__ == "__main__":
    main()
