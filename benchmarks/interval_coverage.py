"""How often intervals hold the truth: percentiles of a group bootstrap against coverslip's intervals.

    python benchmarks/interval_coverage.py [--experiments 600]

Simulated test sets of 3 classes: every group has a difficulty of its own (its accuracy is drawn on the logit scale)
and 40 images on average. The truth is the metric on a very large number of groups. A nominal 95 % interval should hold
it in 95 of 100 test sets. About two minutes on one core.
"""

import argparse

import numpy as np

from coverslip.evaluation import bootstrap_intervals, score
from coverslip.evaluation.intervals import group_codes
from coverslip.evaluation.metrics import accuracy, confusion_matrix, macro_f1

METRICS = {"accuracy": accuracy, "macro_f1": macro_f1}
CLASS_SHARES = (0.5, 0.3, 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=600, help="simulated test sets per row")
    n_experiments = parser.parse_args().experiments
    print(f"coverage (mean width) of nominal 95 % intervals, {n_experiments} simulated test sets per row")
    print(f"{'groups':>14} {'metric':>10}   {'percentiles':>13}   {'coverslip':>13}")
    for name, n_groups, spread in (
        *((f"{n} groups", n, 1.0) for n in (2, 3, 5, 8, 15, 30, 60)),
        ("200 images", 200, 0.0),
        ("40 images", 40, 0.0),
    ):
        for metric, columns in measure(n_groups, spread, n_experiments).items():
            print(f"{name:>14} {metric:>10}   " + "   ".join(f"{hit:.3f} ({width:.3f})" for hit, width in columns))


def measure(n_groups: int, spread: float, n_experiments: int) -> dict[str, list[tuple[float, float]]]:
    """Coverage and mean width per metric: of percentiles, then of `bootstrap_intervals`."""
    generator = np.random.default_rng(n_groups)
    truth = score(*simulate(20_000, spread, generator)[:2])
    found = {metric: np.zeros((n_experiments, 2, 2)) for metric in METRICS}
    for experiment in range(n_experiments):
        probability, label, group = simulate(n_groups, spread, generator, n_images=40 if spread else 1)
        ours = bootstrap_intervals(
            probability, label, group if spread else None, n_resamples=400, seed=experiment, metrics=list(METRICS)
        )
        percentiles = percentile_intervals(probability, label, group, generator)
        for metric in METRICS:
            low, high = ours[metric].low, ours[metric].high
            assert low is not None
            assert high is not None
            ends = np.array([percentiles[metric], (low, high)])
            found[metric][experiment, :, 0] = (ends[:, 0] <= truth[metric]) & (truth[metric] <= ends[:, 1])
            found[metric][experiment, :, 1] = ends[:, 1] - ends[:, 0]
    return {metric: [(row[0], row[1]) for row in values.mean(axis=0)] for metric, values in found.items()}


def simulate(
    n_groups: int, spread: float, generator: np.random.Generator, *, n_images: int = 40
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels and groups of one test set."""
    size = (
        generator.integers(n_images // 2, n_images * 3 // 2 + 1, n_groups) if n_images > 1 else np.ones(n_groups, int)
    )
    group = np.repeat(np.arange(n_groups), size)
    label = generator.choice(3, p=CLASS_SHARES, size=len(group))
    chance_right = 1 / (1 + np.exp(-generator.normal(2.0, spread, n_groups)[group]))
    is_right = generator.random(len(group)) < chance_right
    predicted = np.where(is_right, label, (label + generator.integers(1, 3, len(group))) % 3)
    return np.eye(3)[predicted] * 0.7 + 0.1, label, group


def percentile_intervals(
    probability: np.ndarray, label: np.ndarray, group: np.ndarray, generator: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """The usual way: 2.5th and 97.5th percentile over resamples of groups."""
    code = group_codes(group)
    n_groups = code.max() + 1
    predicted = probability.argmax(axis=1)
    counts = np.stack([confusion_matrix(label[code == g], predicted[code == g], 3) for g in range(n_groups)])
    weight = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=400)
    resampled = np.tensordot(weight, counts, axes=1)
    ends = {metric: np.quantile(of_counts(resampled), [0.025, 0.975]) for metric, of_counts in METRICS.items()}
    return {metric: (float(low), float(high)) for metric, (low, high) in ends.items()}


if __name__ == "__main__":
    main()
