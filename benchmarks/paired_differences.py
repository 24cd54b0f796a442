"""False positive rate of paired differences between two classifiers of equal accuracy.

    python benchmarks/paired_differences.py [--pairs 1500]

Both classifiers misclassify the same images, except for a few images of which each classifies half correctly on
average. The proportion of pairs with p < 0.05 should be at most 5%.
"""

import argparse

import numpy as np

from coverslip.evaluation import Answers, paired_differences

METRICS = ("accuracy", "balanced_accuracy", "macro_f1")
N_CLASSES = 5
DESIGNS = (
    (30, 3, 8),
    (60, 3, 8),
    (120, 3, 8),
    (120, 10, 30),
)  # test images, minimum and maximum number of different predictions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1500, help="simulated pairs per row")
    n_pairs = parser.parse_args().pairs
    columns = ("test images", "different predictions", *METRICS)
    print(f"proportion of {n_pairs:,} pairs with p < 0.05\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for n, fewest, most in DESIGNS:
        shares = false_positives(n, fewest, most, n_pairs)
        print(f"| {n} | {fewest} to {most} | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)


def false_positives(n: int, fewest: int, most: int, n_pairs: int) -> list[float]:
    """Return the proportion of pairs with a significant difference, by metric."""
    rng = np.random.default_rng(2)
    n_found = dict.fromkeys(METRICS, 0)
    for _ in range(n_pairs):
        label = rng.permutation(np.arange(n) % N_CLASSES)
        is_right = np.tile(rng.random(n) > 0.08, (2, 1))
        changed = rng.choice(n, rng.integers(fewest, most + 1), replace=False)
        is_right[:, changed] = (is_first := rng.random(len(changed)) < 0.5), ~is_first
        pair = [answers(label, each) for each in is_right]
        for name, difference in paired_differences(*pair, label, None, metrics=METRICS).items():
            n_found[name] += difference.p is not None and difference.p < 0.05
    return [n_found[name] / n_pairs for name in METRICS]


def answers(label: np.ndarray, is_right: np.ndarray) -> Answers:
    """Return the true class with a probability of .8, else the next class."""
    predicted = np.where(is_right, label, (label + 1) % N_CLASSES)
    probability = np.full((len(label), N_CLASSES), 0.2 / (N_CLASSES - 1))
    probability[np.arange(len(label)), predicted] = 0.8
    return Answers(probability, predicted)


if __name__ == "__main__":
    main()
