"""Do prediction sets hold the true class as often as promised? A Markdown table.

Out-of-fold probabilities of a run with folds are divided at random, many times: half sets the limits, half is tested.
Coverage must lie between 0.9 and 0.9 + 1 / (n + 1), n being the images of the class that set its limit. Images are
divided one by one: what groups do to sets is for the report of each run to tell.

    python benchmarks/prediction_sets.py RUN [--splits N]
"""

import argparse

import numpy as np

from coverslip.evaluation.prediction_sets import LEVEL, set_floors
from coverslip.runs import open_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--splits", type=int, default=400)
    asked = parser.parse_args()
    predictions = open_run(asked.run).predictions
    measured = predictions.measured()
    covered, promised, sizes = drawn(measured.probability, measured.label, asked.splits)
    print("| class | coverage, mean | promised | classes in a set |\n|---|---|---|---|")
    for k, name in enumerate(predictions.classes):
        low, high = LEVEL, LEVEL + promised[k]
        print(f"| {name} | {np.nanmean(covered[:, k]):.3f} | {low:.3f} - {high:.3f} | {np.nanmean(sizes[:, k]):.2f} |")
    print(f"| **all** | {np.nanmean(covered[:, -1]):.3f} | | {np.nanmean(sizes[:, -1]):.2f} |")


def drawn(probability: np.ndarray, label: np.ndarray, n_splits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(splits, K + 1) coverage by class and of all, (K,) mean of 1 / (n + 1), (splits, K + 1) sizes."""
    rng, n_classes = np.random.default_rng(0), probability.shape[1]
    covered, sizes = np.full((n_splits, n_classes + 1), np.nan), np.full((n_splits, n_classes + 1), np.nan)
    slack = np.zeros(n_classes)
    for i in range(n_splits):
        order = rng.permutation(len(label))
        half, rest = order[: len(order) // 2], order[len(order) // 2 :]
        slack += 1 / (np.bincount(label[half], minlength=n_classes) + 1) / n_splits
        floors = set_floors(probability[half], label[half])
        if floors is None:
            continue
        is_in_set, truth = probability[rest] >= np.array(floors), label[rest]
        hit, size = is_in_set[np.arange(len(truth)), truth], is_in_set.sum(axis=1)
        for k in range(n_classes):
            covered[i, k], sizes[i, k] = hit[truth == k].mean(), size[truth == k].mean()
        covered[i, -1], sizes[i, -1] = hit.mean(), size.mean()
    return covered, slack, sizes


if __name__ == "__main__":
    main()
