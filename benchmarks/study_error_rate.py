"""How often a study finds a difference where there is none, as a Markdown table.

Each simulated study draws images in groups (a group shifts all of its images), and two ways of training that are equal
on average: ridge classifiers, each on its own half of features which are all alike. Accuracy is tested by the corrected
resampled t test of coverslip, and by what publications do with the same splits: the plain paired t test, and the
percentile bootstrap of their differences. Folds never divide groups.

    python benchmarks/study_error_rate.py [--studies N]
"""

import argparse

import numpy as np

from coverslip.evaluation import as_if_independent, procedure_difference

_FEATURES = 8  # of each way of training
_EFFECT = 0.35  # distance of the class means, in every feature
_GROUP_SD = 0.7  # of the shift that images of a group share, where the images themselves have 1
# images, groups, folds, repeats
DESIGNS = ((100, 100, 5, 1), (100, 20, 5, 1), (100, 20, 5, 4), (300, 30, 5, 1), (300, 30, 10, 1), (60, 10, 5, 10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=5000)
    n_studies = parser.parse_args().studies
    print(
        "| images | groups | folds x repeats | p <= .05: corrected | paired t | bootstrap leaves out 0 "
        "| corrected interval holds 0 | mean width |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for n, n_groups, n_folds, n_repeats in DESIGNS:
        draws = np.random.default_rng([n, n_groups, n_folds, n_repeats])
        corrected, paired, bootstrap, holds, widths = [], [], [], [], []
        for _ in range(n_studies):
            differences = study(draws, n, n_groups, n_folds, n_repeats)
            found = procedure_difference(differences, test_to_train=1 / (n_folds - 1), n_units=n_groups)
            usual = as_if_independent(differences)
            if usual is None or found.p is None or found.low is None or found.high is None:
                continue  # the same on every split
            corrected.append(found.p <= 0.05)
            paired.append(usual.t_p <= 0.05)
            bootstrap.append(usual.bootstrap_shows)
            holds.append(found.low <= 0 <= found.high)
            widths.append(found.high - found.low)
        shares = " | ".join(f"{np.mean(each):.3f}" for each in (corrected, paired, bootstrap, holds, widths))
        print(f"| {n} | {n_groups} | {n_folds} x {n_repeats} | {shares} |", flush=True)


def study(draws: np.random.Generator, n: int, n_groups: int, n_folds: int, n_repeats: int) -> np.ndarray:
    """(folds x repeats,) differences of accuracy between the two ways of training."""
    group = np.arange(n) % n_groups
    label = draws.integers(0, 2, n)
    features = draws.normal(size=(n, 2 * _FEATURES)) + draws.normal(0, _GROUP_SD, (n_groups, 2 * _FEATURES))[group]
    features += np.where(label[:, None] == 1, _EFFECT, -_EFFECT)
    differences = []
    for _ in range(n_repeats):
        fold = (draws.permutation(n_groups) % n_folds)[group]
        for k in range(n_folds):
            first, second = (
                accuracy(features[:, part], label, fold == k)
                for part in (slice(None, _FEATURES), slice(_FEATURES, None))
            )
            differences.append(second - first)
    return np.array(differences)


def accuracy(features: np.ndarray, label: np.ndarray, is_test: np.ndarray) -> float:
    """Of a ridge classifier fitted on the other images."""
    x, y = features[~is_test], 2.0 * label[~is_test] - 1
    mean = x.mean(axis=0)
    weights = np.linalg.solve((x - mean).T @ (x - mean) + np.eye(x.shape[1]), (x - mean).T @ (y - y.mean()))
    said = (features[is_test] - mean) @ weights + y.mean() > 0
    return float((said == label[is_test]).mean())


if __name__ == "__main__":
    main()
