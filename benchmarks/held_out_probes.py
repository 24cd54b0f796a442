"""Temperatures of an instant classifier after cross-validation, on features computed once, with many seeds.

The script measures the same as `folds_calibration.py` without complete runs. Folds, shrinkage and heads are those of a
run, but the features of all images come from one pass, so that a seed takes seconds. 'folds, median' and 'best
possible' are defined there. 'held out' is the calibration of coverslip. 'held out, all groups' holds out every image,
also if this removes half of a class from the probes. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/held_out_probes.py [--rows NAME…] [--seeds N]
"""

import argparse
import statistics
from collections import defaultdict
from collections.abc import Iterator
from functools import partial

import numpy as np
from folds_calibration import DATA, HEADER, ROWS, Judged, Row, learnt, show, together

import coverslip as cs
from coverslip.datasets import DecodedPixels, Part, Split, fold_units, scan_images, split_units
from coverslip.datasets.splits.folding import inner_folds_of_units
from coverslip.engines import embed
from coverslip.evaluation import DecisionRule, apply_temperature, fit_temperature, learn_decisions
from coverslip.experiments import SplitData
from coverslip.models.networks import create_network
from coverslip.runs import Recipe
from coverslip.training.initialization import set_normalization
from coverslip.training.linear_probe import LinearHead, fit_linear_probe, held_out_logits
from coverslip.training.preprocessing import learn_preprocessing
from coverslip.training.ranking import primary_score

N_FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), help=f"some of: {'; '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(HEADER)
    for name in options.rows:
        features, label, group = embedded(ROWS[name])
        of_seeds: dict[str, list[Judged]] = defaultdict(list)
        for seed in range(options.seeds):
            for title, judged in measured(features, label, group, ROWS[name], seed):
                show(f"{name} | {seed}", title, judged)
                of_seeds[title].append(judged)
        for title, parts in of_seeds.items():
            show(f"**{name}** | all {options.seeds}", title, together(parts))


def embedded(row: Row) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (n, D) features of all images, their class numbers and their group numbers."""
    data = cs.open_dataset(DATA / row.source, group=row.group)
    scan, recipe = scan_images(data), Recipe(image_size=row.image_size)
    everything: tuple[Part, ...] = ("train",) * len(data.records)
    parts = SplitData(data, scan, Split(everything, ("",) * len(everything), ()))
    preprocessing = learn_preprocessing(parts.train_facts, recipe)
    network = create_network(
        recipe.model,
        n_classes=len(parts.classes),
        head=recipe.head,
        channels=preprocessing.channels,
        pretrained=True,
        image_size=preprocessing.image_size,
    )
    pixels = DecodedPixels(data, scan, preprocessing)
    set_normalization(network, recipe, pixels, parts.train)
    with embed(
        network,
        parts.pixel_hashes(parts.train.tolist()),
        pixels,
        preprocessing=preprocessing.model_dump(mode="json"),
        tta=recipe.tta,
    ) as (features, _):
        array = features[slice(None)]
    group = np.unique([record.group or record.image_id for record in data.records], return_inverse=True)[1]
    return array, parts.label, group


def measured(
    features: np.ndarray, label: np.ndarray, group: np.ndarray, row: Row, seed: int
) -> Iterator[tuple[str, Judged]]:
    """Return the predictions on the external test set with each calibration."""
    n = len(label)
    part = split_units(
        label, group, (row.n_train / n, 1 - (row.n_train + row.n_parallel) / n, row.n_parallel / n), seed
    )
    train, external = (np.flatnonzero(part == side) for side in (0, 2))
    x, y, unit = features[train], label[train], group[train]
    n_classes = int(label.max()) + 1
    shrinkage, by_median = folded(x, y, unit, n_classes, seed)
    head = probe(x, y, x[:0], y[:0], n_classes, shrinkages=[shrinkage])
    logits = head.logits(features[external])
    held_out = partial(by_turns, x, y, n_classes=n_classes, shrinkage=shrinkage)
    calibrations = {
        "folds, median": by_median,
        "held out, all groups": held_out(fold_units(y, unit, 10, seed)),
        "held out": held_out(inner_folds_of_units(y, unit, seed)),
        "best possible": learnt(logits, label[external]),
    }
    for title, (temperature, threshold) in calibrations.items():
        probability = apply_temperature(logits, temperature)
        yield title, Judged(temperature, probability, label[external], probability.max(axis=1) >= threshold)


def folded(
    x: np.ndarray, y: np.ndarray, unit: np.ndarray, n_classes: int, seed: int
) -> tuple[float, tuple[float, float]]:
    """Return the median shrinkage and temperature of folds, and the threshold from all validation images."""
    fold = fold_units(y, unit, N_FOLDS, seed)
    shrinkages, temperatures, probabilities, labels = [], [], [], []
    for k in range(N_FOLDS):
        rest = np.flatnonzero(fold != k)
        is_val = split_units(y[rest], unit[rest], (0.75, 0.25, 0.0), seed + k) == 1
        fit, val = rest[~is_val], rest[is_val]
        val = val[np.isin(y[val], y[fit])]
        classes, numbers = np.unique(y[fit], return_inverse=True)
        val_label = np.searchsorted(classes, y[val])
        head = probe(x[fit], numbers, x[val], val_label, len(classes))
        logits = head.logits(x[val])
        shrinkages.append(head.shrinkage or 0.0)
        temperatures.append(fit_temperature(logits, val_label))
        probability = np.zeros((len(val), n_classes))
        probability[:, classes] = apply_temperature(logits, temperatures[-1])
        probabilities.append(probability)
        labels.append(y[val])
    threshold = learn_decisions(np.concatenate(probabilities), np.concatenate(labels), DecisionRule())[1]
    return statistics.median_high(shrinkages), (statistics.median(temperatures), threshold)


def probe(
    x: np.ndarray, y: np.ndarray, val_x: np.ndarray, val_y: np.ndarray, n_classes: int, **options: list[float]
) -> LinearHead:
    def better(logits: np.ndarray, label: np.ndarray) -> float:
        return primary_score(logits, label, Recipe())

    return fit_linear_probe(x, y, val_x, val_y, n_classes=n_classes, balanced=False, better=better, **options)


def by_turns(
    x: np.ndarray, y: np.ndarray, turn: np.ndarray, *, n_classes: int, shrinkage: float
) -> tuple[float, float]:
    """Return temperature and threshold from images that are held out in turn."""
    order = np.argsort(turn, kind="stable")
    logits = held_out_logits(x[order], y[order], turn[order], n_classes=n_classes, balanced=False, shrinkage=shrinkage)
    is_held_out = turn[order] >= 0
    return learnt(logits[is_held_out], y[order][is_held_out])


if __name__ == "__main__":
    main()
