"""False positive rate and power of the tests in studies, as a Markdown table.

Each simulated study has images in groups (a group shifts all of its images) and two training methods: ridge
classifiers, each on its own half of the features. Both are equal on average; for the power, the classes are further
apart in the second half. Accuracy is tested by coverslip's corrected resampled t test and by tests of publications on
the same splits: the plain paired t test, and the percentile bootstrap of the differences. All images of a group stay in
the same fold. With a cap, training uses a limited number of images per class, as with `train_per_class`.

    python benchmarks/study_error_rate.py [--studies N]
"""

import argparse

import numpy as np
from _records import Record

from coverslip.evaluation.comparison import ProcedureDifference, as_if_independent, procedure_difference

RECORD = Record("Studies: false positive rate and power", ["src/coverslip/evaluation/comparison.py"])

_FEATURES = 8  # of each training method
_EFFECT = 0.35  # distance of the class means, in every feature
_GAIN = 0.25  # additional distance in the second half, for the power
_GROUP_SD = 0.7  # SD of the shift common to a group; that of single images is 1
# images, groups, folds, repeats, training images of each class
DESIGNS = (
    (100, 100, 5, 1, None),
    (100, 20, 5, 1, None),
    (100, 20, 5, 4, None),
    (300, 30, 5, 1, None),
    (300, 30, 10, 1, None),
    (60, 10, 5, 10, None),
    (400, 40, 5, 1, 40),
    (400, 40, 5, 1, 10),
    (400, 40, 5, 4, 40),
    (400, 400, 5, 1, 40),
)
HEAD = (
    "images|groups|folds x repeats|cap|p ≤ .05: corrected|ratio by training images|paired t|bootstrap excludes 0"
    "|corrected interval contains 0|mean width|power: corrected|ratio by training images"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=5000)
    RECORD.add_option(parser)
    n_studies = parser.parse_args().studies
    print(f"| {' | '.join(HEAD.split('|'))} |\n|{'---|' * len(HEAD.split('|'))}")
    rates: dict[str, list[float]] = {}  # of each design
    for n, n_groups, n_folds, n_repeats, cap in DESIGNS:
        draws = np.random.default_rng([n, n_groups, n_folds, n_repeats, *([] if cap is None else [cap])])
        trained = n * (n_folds - 1) / n_folds
        ratios = 1 / (n_folds - 1), n / n_folds / (trained if cap is None else min(2 * cap, trained))
        alike, differences = [], []
        for _ in range(n_studies):
            alike.append(study(draws, n, n_groups, n_folds, n_repeats, cap))
            differences.append(study(draws, n, n_groups, n_folds, n_repeats, cap, gain=_GAIN))
        by_ratio = [[tested(each, ratio, n_groups) for each in alike] for ratio in ratios]
        power = [[tested(each, ratio, n_groups) for each in differences] for ratio in ratios]
        usual = [each for each in map(as_if_independent, alike) if each is not None]
        intervals = [(each.low, each.high) for each in by_ratio[0] if each.low is not None and each.high is not None]
        cells = [
            *map(rate, by_ratio),
            np.mean([each.t_p <= 0.05 for each in usual]),
            np.mean([each.bootstrap_shows for each in usual]),
            np.mean([low <= 0 <= high for low, high in intervals]),
            np.mean([high - low for low, high in intervals]),
            *map(rate, power),
        ]
        of_design = f"{n} | {n_groups} | {n_folds} x {n_repeats} | {cap or ''}"
        print(f"| {of_design} | {' | '.join(f'{cell:.3f}' for cell in cells)} |", flush=True)
        name = f"{n} images, {n_groups} groups, {n_folds} x {n_repeats} folds{f', cap {cap}' if cap else ''}"
        rates[name] = [float(cell) for cell in cells]
    tests = {"corrected t test": 0, "paired t test": 2, "percentile bootstrap of publications": 3}
    for test, column in tests.items():
        worst = max(rates, key=lambda name: rates[name][column])
        claim, target = f"Largest false positive rate in {len(rates)} designs", "" if column else "target: 0.065; "
        RECORD.add(
            claim, round(rates[worst][column], 3), of=test, n=f"{n_studies:,} studies each", note=f"{target}{worst}"
        )
    for name in ("300 images, 30 groups, 10 x 1 folds",):
        RECORD.add(f"Power of the corrected t test, {name}", round(rates[name][6], 3))
    RECORD.write()


def tested(differences: np.ndarray, ratio: float, n_groups: int) -> ProcedureDifference:
    return procedure_difference(differences, test_to_train=ratio, n_units=n_groups)


def rate(differences: list[ProcedureDifference]) -> float:
    """Return the proportion of significant differences; equal accuracies on all splits are not significant."""
    return float(np.mean([each.p is not None and each.p <= 0.05 for each in differences]))


def study(
    draws: np.random.Generator,
    n: int,
    n_groups: int,
    n_folds: int,
    n_repeats: int,
    cap: int | None,
    gain: float = 0.0,
) -> np.ndarray:
    """(folds x repeats,) differences of accuracy between the two training methods."""
    group = np.arange(n) % n_groups
    label = draws.integers(0, 2, n)
    features = draws.normal(size=(n, 2 * _FEATURES)) + draws.normal(0, _GROUP_SD, (n_groups, 2 * _FEATURES))[group]
    apart = np.repeat([_EFFECT, _EFFECT + gain], _FEATURES)
    features += np.where(label[:, None] == 1, apart, -apart)
    differences = []
    for _ in range(n_repeats):
        fold = (draws.permutation(n_groups) % n_folds)[group]
        order = draws.permutation(n)  # a cap selects the same images in all folds
        for k in range(n_folds):
            is_train = capped(fold != k, label, order, cap)
            first, second = (
                accuracy(features[:, part], label, is_train, fold == k)
                for part in (slice(None, _FEATURES), slice(_FEATURES, None))
            )
            differences.append(second - first)
    return np.array(differences)


def capped(is_train: np.ndarray, label: np.ndarray, order: np.ndarray, cap: int | None) -> np.ndarray:
    """Return the training images within the cap: the first ones of each class in a given order."""
    if cap is None:
        return is_train
    taken = np.zeros_like(is_train)
    for each in (0, 1):
        taken[order[is_train[order] & (label[order] == each)][:cap]] = True
    return taken


def accuracy(features: np.ndarray, label: np.ndarray, is_train: np.ndarray, is_test: np.ndarray) -> float:
    """Return the accuracy of a ridge classifier."""
    x, y = features[is_train], 2.0 * label[is_train] - 1
    mean = x.mean(axis=0)
    weights = np.linalg.solve((x - mean).T @ (x - mean) + np.eye(x.shape[1]), (x - mean).T @ (y - y.mean()))
    predicted = (features[is_test] - mean) @ weights + y.mean() > 0
    return float((predicted == label[is_test]).mean())


if __name__ == "__main__":
    main()
