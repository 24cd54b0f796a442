"""Coverage of prediction sets, as Markdown tables.

Out-of-fold probabilities of cross-validations are halved at random, many times: one half sets the limits, the other
half is tested. Expected coverage: 0.9 to 0.9 + 1 / (n + 1), where n is the number of images of the class that set its
limit.

    python benchmarks/prediction_sets.py RUN [--splits N]

For one run, images are assigned to halves separately. With `--groups`, runs with groups are halved by image and by
group. A last table has simulated images whose logits are correlated within groups, with limits from some groups tested
on others.

    python benchmarks/prediction_sets.py --groups [RUN…] [--splits N]
"""

import argparse
from collections.abc import Iterator

import numpy as np

from coverslip.evaluation.decisions import LEVEL, classes_in_sets, set_floors
from coverslip.runs import Run, open_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--groups", action="store_true")
    parser.add_argument("--splits", type=int, default=400)
    options = parser.parse_args()
    if options.groups:
        show_groups([open_run(run) for run in options.runs], options.splits)
        show_drawn_groups(options.splits)
    else:
        for run in options.runs:
            show_classes(open_run(run), options.splits)


def show_classes(run: Run, n_splits: int) -> None:
    predictions = run.predictions
    measured = predictions.measured()
    covered, promised, sizes = by_class(measured.probability, measured.label, n_splits)
    print("| class | mean coverage | expected | classes per set |\n|---|---|---|---|")
    for k, name in enumerate(predictions.classes):
        low, high = LEVEL, LEVEL + promised[k]
        print(f"| {name} | {np.nanmean(covered[:, k]):.3f} | {low:.3f} - {high:.3f} | {np.nanmean(sizes[:, k]):.2f} |")
    print(f"| **all** | {np.nanmean(covered[:, -1]):.3f} | | {np.nanmean(sizes[:, -1]):.2f} |")


def show_groups(runs: list[Run], n_splits: int) -> None:
    print("| run | images | groups | halving | mean coverage of classes | worst class | 10th percentile of groups |")
    print("|---|---|---|---|---|---|---|")
    for run in runs:
        group_of = {row.image_id: row.group for row in run.split}
        measured = run.predictions.measured()
        groups = [group_of[row.image_id] for row in measured.rows]
        group = np.unique(groups, return_inverse=True)[1]
        label = measured.label
        for how, units in (("by image", np.arange(len(label))), ("by group", group)):
            of_class, of_group = [], []
            for half in halves(units, n_splits):
                covered = covered_by_other_half(measured.probability, label, half)
                of_class.append([share(covered, ~half & (label == k)) for k in range(label.max() + 1)])
                of_group.append([share(covered, ~half & (group == g)) for g in range(group.max() + 1)])
            by_class, by_group = np.nanmean(of_class, axis=0), np.nanquantile(of_group, 0.1)
            which = f"{run.folder.name} | {len(label)} | {group.max() + 1}"
            print(f"| {which} | {how} | {by_class.mean():.3f} | {by_class.min():.3f} | {by_group:.2f} |", flush=True)


def show_drawn_groups(n_splits: int) -> None:
    """Simulate three classes; group and image add normal numbers to every logit, with variances that sum to 2."""
    print(
        "\n| groups of 20 images | proportion of variance between groups | mean coverage "
        "| coverage reached in 95% of samples |"
    )
    print("|---|---|---|---|")
    rng = np.random.default_rng(0)
    for n_groups in (3, 5, 10, 30):
        for between in (0.0, 0.25, 0.5, 0.9):
            covered = []
            for _ in range(n_splits):
                probability, label = drawn_groups(n_groups, between, rng)
                floors = set_floors(probability, label)
                new, truth = drawn_groups(200, between, rng)
                covered.append(classes_in_sets(new, floors)[np.arange(len(truth)), truth].mean())
            print(f"| {n_groups} | {between} | {np.mean(covered):.3f} | {np.quantile(covered, 0.05):.2f} |", flush=True)


def drawn_groups(n_groups: int, between: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 3) probabilities and (n,) labels of groups of 20 images of all classes."""
    label = rng.integers(0, 3, size=(n_groups, 20))
    of_group = rng.normal(scale=np.sqrt(2 * between), size=(n_groups, 1, 3))
    of_image = rng.normal(scale=np.sqrt(2 - 2 * between), size=(n_groups, 20, 3))
    odds = np.exp(2 * np.eye(3)[label] + of_group + of_image).reshape(-1, 3)
    return odds / odds.sum(axis=1, keepdims=True), label.ravel()


def halves(unit: np.ndarray, n_splits: int) -> Iterator[np.ndarray]:
    """(n,) whether an image is in the half that sets limits; images of one unit are in the same half."""
    rng, n_units = np.random.default_rng(0), unit.max() + 1
    for _ in range(n_splits):
        yield np.isin(unit, rng.permutation(n_units)[: n_units // 2])


def covered_by_other_half(probability: np.ndarray, label: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(n,) whether the set of an image contains its class, as 1 and 0; NaN for images of the half that sets limits."""
    floors = np.array(set_floors(probability[half], label[half]))
    covered = classes_in_sets(probability, floors)[np.arange(len(label)), label].astype(float)
    return np.where(floors[label] > 0, covered, np.nan)


def share(covered: np.ndarray, where: np.ndarray) -> float:
    finite = covered[where & ~np.isnan(covered)]
    return float(finite.mean()) if len(finite) else np.nan


def by_class(probability: np.ndarray, label: np.ndarray, n_splits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(splits, K + 1) coverage by class and of all, (K,) mean of 1 / (n + 1), (splits, K + 1) sizes."""
    rng, n_classes = np.random.default_rng(0), probability.shape[1]
    covered, sizes = np.full((n_splits, n_classes + 1), np.nan), np.full((n_splits, n_classes + 1), np.nan)
    slack = np.zeros(n_classes)
    for i in range(n_splits):
        order = rng.permutation(len(label))
        half, rest = order[: len(order) // 2], order[len(order) // 2 :]
        slack += 1 / (np.bincount(label[half], minlength=n_classes) + 1) / n_splits
        floors = set_floors(probability[half], label[half])
        if floors is None or not all(floors):
            continue
        is_in_set, truth = classes_in_sets(probability[rest], floors), label[rest]
        hit, size = is_in_set[np.arange(len(truth)), truth], is_in_set.sum(axis=1)
        for k in range(n_classes):
            covered[i, k], sizes[i, k] = hit[truth == k].mean(), size[truth == k].mean()
        covered[i, -1], sizes[i, -1] = hit.mean(), size.mean()
    return covered, slack, sizes


if __name__ == "__main__":
    main()
