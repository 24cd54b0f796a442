"""Precision of suspected label errors, for labels that were changed on purpose, as a Markdown table.

Five percent of labels are changed, at random or to the class that is most often confused with the true one. Precision
at k is the proportion of changed labels among the k images with the highest score, where k is the number of changed
labels. Errors that the dataset already contained count as false positives. Scores: 1 - probability of the label (used
by coverslip), and the margin to the next class. Images: COVERSLIP_DATA, default ../shared/data.

With `--ratios`, the number of labels to check first is divided by the number of changed labels, if 1, 5 or 10 % are
changed at random. If it is below .5 or above 2, it must not be stated as a number of wrong labels.

    python benchmarks/label_errors.py [--sets NAME…] [--seeds N] [--images N]
    python benchmarks/label_errors.py --ratios [--sets NAME…] [--seeds N] [--images N]
"""

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _records import Record

import coverslip as cs
from coverslip.audit.label_issues import SHRINKAGE, count_suspected_errors, label_issues
from coverslip.datasets.pixels import DecodedPixels
from coverslip.datasets.quality.scanning import scan_images
from coverslip.datasets.splits.folding import inner_folds
from coverslip.engines import Features, embed
from coverslip.evaluation.calibration import apply_temperature, fit_temperature
from coverslip.models.backbone import Architecture
from coverslip.models.graphs import pretrained_backbone
from coverslip.training.heads import CrossFitting
from coverslip.training.preprocessing import learn_preprocessing

RECORD = Record("Suspected label errors", ["src/coverslip/audit/label_issues.py", "src/coverslip/training/heads.py"])
CLAIM = "Precision of suspected label errors if 5% of labels are changed (targets: 0.7 at random, 0.55 confusable)"
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
SETS = {
    "blood_pbc": ("blood_pbc", None, 128),
    "blood_malaria": ("blood_malaria/images.csv", "patient", 96),
    "nuclei_mitocheck": ("nuclei_mitocheck/images.csv", "movie", 96),
    "pap_herlev": ("pap_herlev/images.csv", "image", 96),
    "chromosomes_gband": ("chromosomes_gband/images.csv", "cell", 96),
}
CHANGED = 0.05  # proportion of labels
SHARES = (0.01, 0.05, 0.1)  # changed, for the number of labels to check first
RATIO = "Labels to check first, for each label that was changed (5%)"


@dataclass(frozen=True)
class Images:
    """Features, class numbers, and the fold in which each image is predicted."""

    features: Features
    label: np.ndarray  # (n,) int
    turn: np.ndarray  # (n,) int

    @property
    def n_classes(self) -> int:
        return int(self.label.max()) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {'; '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=900)
    parser.add_argument("--ratios", action="store_true", help="labels to check first, for each changed label")
    RECORD.add_option(parser)
    options = parser.parse_args()
    if options.ratios:
        print("| dataset | accuracy before | changed | ratio | lowest seed | highest seed |\n|---|---|---|---|---|---|")
        for name in options.sets:
            with opened(name, options.images) as images:
                show_ratios(name, images, options.seeds)
        RECORD.write("labels to check first")
        return
    print(
        "| dataset | images | classes | accuracy before | changed labels | precision at k | lowest seed | by margin |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in options.sets:
        with opened(name, options.images) as images:
            show(name, images, options.seeds)
    RECORD.write()


def show(name: str, images: Images, n_seeds: int) -> None:
    """Print two rows of the table."""
    clean = probabilities(images, images.label)
    is_known = np.isfinite(clean).all(axis=1)
    right = (clean.argmax(axis=1) == images.label)[is_known].mean()
    confused = np.zeros((images.n_classes, images.n_classes))
    np.add.at(confused, (images.label[is_known], clean[is_known].argmax(axis=1)), 1)
    np.fill_diagonal(confused, -1)
    precision = defaultdict(list)
    for seed in range(n_seeds):
        for how in ("at random", "confusable"):
            label, changed = with_changes(images.label, confused, how, CHANGED, np.random.default_rng(seed))
            probability = probabilities(images, label)
            for score, ranked in rankings(probability, label).items():
                precision[how, score].append(np.isin(ranked[: len(changed)], changed).mean())
    for how in ("at random", "confusable"):
        precision_of_method, margin = precision[how, "own"], precision[how, "margin"]
        figures = f"{np.mean(precision_of_method):.2f} | {min(precision_of_method):.2f} | {np.mean(margin):.2f}"
        n = f"{len(images.label)} images, {n_seeds} seeds"
        RECORD.add(CLAIM, round(np.mean(precision_of_method), 2), of=f"{name}, {how}", n=n)
        print(f"| {name} | {len(images.label):,} | {images.n_classes} | {right:.3f} | {how} | {figures} |", flush=True)


def show_ratios(name: str, images: Images, n_seeds: int) -> None:
    """Print a row of the table for each share of changed labels."""
    clean = probabilities(images, images.label)
    is_checked = np.isfinite(clean).all(axis=1)
    right = float((clean.argmax(axis=1) == images.label)[is_checked].mean())
    means = []
    for share in SHARES:
        ratios = []
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            label, changed = with_changes(images.label, np.zeros((images.n_classes, 0)), "at random", share, rng)
            probability = probabilities(images, label)
            rows = np.flatnonzero(np.isfinite(probability).all(axis=1))
            ratios.append(count_suspected_errors(probability[rows], label[rows]) / len(changed))
        means.append(float(np.mean(ratios)))
        numbers = f"{means[-1]:.2f} | {min(ratios):.2f} | {max(ratios):.2f}"
        print(f"| {name} | {right:.2f} | {share:.0%} | {numbers} |", flush=True)
    few, some, many = means
    n, note = f"{len(images.label)} images, {n_seeds} seeds", f"{SHARES[0]:.0%}: {few:.1f}, {SHARES[2]:.0%}: {many:.1f}"
    RECORD.add(RATIO, round(some, 1), of=f"{name}, accuracy {right:.2f}", n=n, note=note)


@contextmanager
def opened(name: str, n_images: int) -> Iterator[Images]:
    """Return features of some images of a dataset, by the frozen default network."""
    source, group, side = SETS[name]
    data = cs.open_dataset(DATA / source, group=group)
    places = np.random.default_rng(0).permutation(len(data.records))[:n_images]
    data = data.subset(sorted(places.tolist()))
    scan = scan_images(data)
    recipe = cs.Recipe(image_size=side)
    preprocessing = learn_preprocessing(scan.facts, recipe)
    architecture = Architecture(recipe.model, recipe.head, preprocessing.channels, side)
    everything = list(range(len(data.records)))
    with embed(
        pretrained_backbone(architecture),
        [facts.pixel_hash for facts in scan.facts],
        DecodedPixels(data, scan, preprocessing),
        preprocessing=preprocessing.model_dump(mode="json"),
        tta=recipe.n_views,
    ) as (features, _):
        label = np.unique([record.label for record in data.records], return_inverse=True)[1]
        yield Images(features, label, inner_folds(data, scan, everything, seed=0))


def with_changes(
    label: np.ndarray, confused: np.ndarray, how: str, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Change some labels; return all labels and the positions of the changed ones."""
    n_classes, changed = len(confused), rng.choice(len(label), round(share * len(label)), replace=False)
    wrong = label.copy()
    if how == "confusable":
        wrong[changed] = confused.argmax(axis=1)[label[changed]]
    else:
        wrong[changed] = (label[changed] + rng.integers(1, n_classes, len(changed))) % n_classes
    return wrong, changed


def probabilities(images: Images, label: np.ndarray) -> np.ndarray:
    """(n, K) probabilities of probes that were not trained on the image; NaN if there is none."""
    probes = CrossFitting(images.features, label, images.turn, n_classes=images.n_classes, balanced=False)
    logits = probes.logits(SHRINKAGE)
    is_known = np.isfinite(logits).all(axis=1)
    probability = np.full(logits.shape, np.nan)
    temperature = fit_temperature(logits[is_known], label[is_known])
    probability[is_known] = apply_temperature(logits[is_known], temperature)
    return probability


def rankings(probability: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """Return the positions of suspected label errors by each score, the highest score first."""
    rows = np.flatnonzero(np.isfinite(probability).all(axis=1))
    issues = label_issues(probability[rows], label[rows])
    misclassified = np.flatnonzero(issues.is_misclassified)
    margin = probability[rows].max(axis=1) - (1 - issues.score)
    return {
        "own": rows[issues.ranked],
        "margin": rows[misclassified[np.argsort(-margin[misclassified], kind="stable")]],
    }


if __name__ == "__main__":
    main()
