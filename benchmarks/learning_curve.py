"""Accuracy of the gain that the learning curve predicts for twice as many images.

A third of the groups (or images) is the test set. From half of the rest, `learning_curve` predicts the gain of twice as
many images. The true gain is the score after training on the whole rest, minus the mean score of 12 halves. With
`--classes`, the script compares for each class the loss with half of its images and the gain if these are doubled.
Instant classifiers only. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/learning_curve.py [--sets NAME…] [--seeds N] [--classes]
"""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coverslip.audit import learning_curve
from coverslip.audit.learning_curve import gram_matrix, nested_order, probe_logits
from coverslip.datasets import DecodedPixels, open_dataset, scan_images
from coverslip.engines import embed
from coverslip.evaluation import METRICS, apply_temperature, score
from coverslip.experiments import SplitData
from coverslip.experiments.one_split import make_split
from coverslip.models.networks import create_network
from coverslip.runs import Recipe
from coverslip.training.linear_probe import SHRINKAGES
from coverslip.training.preprocessing import learn_preprocessing

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
N_HALVINGS = 6  # each gives two halves
MOST_IMAGES = 3300  # of a dataset; of larger ones, whole groups are excluded


@dataclass(frozen=True)
class Source:
    """Path, group column and image size of a dataset."""

    path: str
    group: str | None
    px: int


SETS = {
    "blood_pbc": Source("blood_pbc", None, 96),
    "nuclei_mitocheck, by movie": Source("nuclei_mitocheck/images.csv", "movie", 64),
    "pap_herlev, by image": Source("pap_herlev/images.csv", "image", 96),
    "blood_malaria, by slide": Source("blood_malaria/images.csv", "slide", 48),
    "chromosomes_gband, by cell": Source("chromosomes_gband/images.csv", "cell", 64),
    "cellcycle_jurkat_16bit": Source("cellcycle_jurkat_16bit", None, 64),
}


class Images:
    """Features of a dataset's images as a matrix of products."""

    def __init__(self, source: Source) -> None:
        features, label, group = _embedded(source)
        unit = np.unique(group, return_inverse=True)[1]
        is_used = nested_order(label, unit, np.random.default_rng(0)) < MOST_IMAGES / len(label)
        self.features, self.label, self.unit = features[is_used], label[is_used], unit[is_used]
        self.has_groups = source.group is not None
        self.gram, self.n_classes = gram_matrix(self.features), int(self.label.max()) + 1

    def f1(self, train: np.ndarray, others: np.ndarray, shrinkage: float) -> float:
        """Return the macro-F1 on other images."""
        logits = probe_logits(
            self.gram[np.ix_(train, train)],
            self.gram[np.ix_(others, train)],
            self.label[train],
            n_classes=self.n_classes,
            n_features=self.features.shape[1],
            shrinkage=shrinkage,
            balanced=False,
        )
        logits = np.where(np.isfinite(logits), logits, -1e9)
        return float(score(apply_temperature(logits, 1.0), self.label[others])[METRICS["macro_f1"].name])

    def shrinkage(self, train: np.ndarray, seed: int) -> float:
        """Choose the shrinkage as a training does, on a fifth of the images."""
        key = self.order(train, seed)
        fit, val = train[key < 0.8], train[key >= 0.8]
        return max(SHRINKAGES, key=lambda shrinkage: self.f1(fit, val, shrinkage))

    def order(self, images: np.ndarray, seed: int) -> np.ndarray:
        """Return a number in [0, 1) for each image, equal within a group."""
        unit = np.unique(self.unit[images], return_inverse=True)[1]
        return nested_order(self.label[images], unit, np.random.default_rng(seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {'; '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--classes", action="store_true", help="for each class separately")
    options = parser.parse_args()
    if options.classes:
        print("| dataset | seed | mean loss with half of a class | mean gain with twice a class | correlation |")
        print("|---|---|---|---|---|")
    else:
        print(
            "| dataset | seed | images (groups) | macro-F1 | predicted gain (95% CI) | true gain | inside | seconds |"
        )
        print("|---|---|---|---|---|---|---|---|")
    for name in options.sets:
        images = Images(SETS[name])
        for seed in range(options.seeds):
            (by_class if options.classes else one_row)(name, images, seed)


def one_row(name: str, images: Images, seed: int) -> None:
    """Predict the gain, compare it with the true gain, and print a row."""
    half, rest, test = parted(images, seed)
    unit = np.unique(images.unit[half], return_inverse=True)[1]
    shrinkage, n_groups, started = images.shrinkage(half, seed), int(unit.max()) + 1, time.process_time()
    curve = learning_curve(
        images.features[half],
        images.label[half],
        unit,
        n_images=len(half),
        n_groups=n_groups if images.has_groups else None,
        has_name=np.ones(len(half), dtype=bool) if images.has_groups else None,
        shrinkage=shrinkage,
        balanced=False,
        seed=seed,
    )
    seconds = time.process_time() - started
    halves = halvings(images, rest)
    before = np.mean([images.f1(part, test, images.shrinkage(part, seed)) for part in halves])
    truth = images.f1(rest, test, images.shrinkage(rest, seed)) - before
    groups = f" ({n_groups})" if images.has_groups else ""
    gain = curve.gain
    if gain.value is None or gain.low is None or gain.high is None:
        print(
            f"| {name} | {seed} | {len(half)}{groups} | {before:.3f} | {gain.reason} | {truth:+.3f} | | |", flush=True
        )
        return
    holds = "yes" if gain.low <= truth <= gain.high else "no"
    doubled = f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
    cells = (name, seed, f"{len(half)}{groups}", f"{before:.3f}", doubled, f"{truth:+.3f}", holds, f"{seconds:.1f}")
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def by_class(name: str, images: Images, seed: int) -> None:
    """Return, for each class, the loss with half of its images and the gain with twice as many."""
    half, rest, test = parted(images, seed)
    shrinkage, label = images.shrinkage(half, seed), images.label
    lost, gained = np.zeros(images.n_classes), np.zeros(images.n_classes)
    for repeat in range(10):
        key = (images.order(half, repeat // 5) + repeat % 5 / 5) % 1
        train, scored = half[key < 0.8], half[key >= 0.8]
        whole = images.f1(train, scored, shrinkage)
        for k in range(images.n_classes):
            fewer = half[(key < 0.4) | ((key < 0.8) & (label[half] != k))]
            lost[k] += (whole - images.f1(fewer, scored, shrinkage)) / 10
    halves = halvings(images, rest)
    for part in halves:
        whole = images.f1(part, test, shrinkage)
        for k in range(images.n_classes):
            more = np.union1d(part, rest[label[rest] == k])
            gained[k] += (images.f1(more, test, shrinkage) - whole) / len(halves)
    r = np.corrcoef(lost, gained)[0, 1]
    print(f"| {name} | {seed} | {lost.mean():+.3f} | {gained.mean():+.3f} | {r:+.2f} |", flush=True)


def parted(images: Images, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the available half, the whole rest, and the test set."""
    key = images.order(np.arange(len(images.label)), 1000 + seed)
    return np.flatnonzero(key < 1 / 3), np.flatnonzero(key < 2 / 3), np.flatnonzero(key >= 2 / 3)


def halvings(images: Images, rest: np.ndarray) -> list[np.ndarray]:
    """Yield halves of the images, two for each halving."""
    keys = [images.order(rest, 2000 + k) for k in range(N_HALVINGS)]
    return [rest[(key < 0.5) == is_first] for key in keys for is_first in (True, False)]


def _embedded(source: Source) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (n, D) features, (n,) labels and groups of a dataset, as for the instant classifier, without flips."""
    data = open_dataset(DATA / source.path, group=source.group)
    scan = scan_images(data)
    recipe = Recipe(stage="instant", image_size=source.px, tta=1)
    parts = SplitData(data, scan, make_split(data, scan, recipe))
    preprocessing = learn_preprocessing(parts.train_facts, recipe)
    network = create_network(
        recipe.model,
        n_classes=len(parts.classes),
        head=recipe.head,
        channels=preprocessing.channels,
        pretrained=True,
        options=recipe.model_options,
        image_size=preprocessing.image_size,
    )
    used = np.sort(np.concatenate([parts.train, parts.val, parts.test]))
    pixels = DecodedPixels(data, scan, preprocessing)
    with embed(
        network,
        parts.pixel_hashes(used),
        lambda rows: pixels([int(used[i]) for i in rows]),
        preprocessing=preprocessing.model_dump(mode="json"),
        tta=1,
    ) as (features, _):
        group = np.array([data.records[i].group or str(i) for i in used.tolist()])
        return features[slice(len(used))], parts.label[used], group


if __name__ == "__main__":
    main()
