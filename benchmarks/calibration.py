"""Calibration error above chance of simulated test sets, compared with the known error and with the bare value.

Probabilities of the predicted class have a beta distribution. A prediction is correct with this probability at
temperature 1, and with a less extreme one above it: the classifier is overconfident, and its calibration error over 15
bins is computed from two million images. Below 1, it is underconfident. With groups, correct predictions of a group
resemble each other (normal copula, correlation .3 or .5), and groups have equal or unequal sizes. The true class is
random, so that correctness does not follow from it.

    python benchmarks/calibration.py [--repeats 1000]
"""

import argparse

import numpy as np
import numpy.typing as npt
from _records import Record
from scipy.special import expit, logit
from scipy.stats import norm

from coverslip.evaluation.calibration import expected_calibration_error
from coverslip.evaluation.table import metric_intervals

RECORD = Record(
    "Calibration error above chance", ["src/coverslip/evaluation/calibration.py", "src/coverslip/evaluation/table.py"]
)

Floats = npt.NDArray[np.float64]

TEMPERATURES, SIZES = (1.0, 1.3, 2.0, 0.75), (50, 100, 200, 400)
GROUPS = ((0, 0.0, False), (6, 0.3, False), (10, 0.3, False), (10, 0.5, True), (30, 0.3, True))
N_BINS, N_EXACT = 15, 2_000_000
FEW = 200  # images of a small test set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    RECORD.add_option(parser)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    columns = ["temperature", "images", "groups", "correlation", "true error", "mean bare", "mean above chance"]
    columns += ["coverage", "upper end too low", "contains 0"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    rows = []
    for temperature in TEMPERATURES:
        truth = true_error(rng, temperature)
        for n in SIZES:
            for n_groups, correlation, is_unequal in GROUPS:
                sets = (
                    simulated(rng, n, temperature, n_groups, correlation, is_unequal) for _ in range(options.repeats)
                )
                results = np.array([measured(*each, truth) for each in sets])
                bare, excess, coverage, too_low, has_zero = results.mean(axis=0)
                rows.append((temperature, n, n_groups, truth, bare, excess, coverage, has_zero, too_low))
                numbers = f"{truth:.3f} | {bare:.3f} | {excess:+.3f} | {coverage:.3f} | {too_low:.3f} | {has_zero:.3f}"
                groups = f"{n_groups} unequal" if is_unequal else n_groups or "–"
                print(f"| {temperature} | {n:,} | {groups} | {correlation} | {numbers} |", flush=True)
    n = f"{options.repeats:,} test sets a design"
    for temperature in TEMPERATURES:
        few = [row for row in rows if row[0] == temperature and row[1] <= FEW]
        for words, of_kind in (
            ("without groups", [x for x in few if not x[2]]),
            ("6 to 30 groups", [x for x in few if x[2]]),
        ):
            bare, excess = (round(float(np.mean([row[k] for row in of_kind])), 3) + 0.0 for k in (4, 5))
            claim = f"Mean on at most {FEW} images, {words}, true error"
            RECORD.add(claim, excess, n=n, of=f"{few[0][3]:.3f}", note=f"bare {bare:.3f}")
    coverages, ends = ([row[k] for row in rows] for k in (6, 8))
    note = f"lowest {min(coverages):.3f}; perfect probabilities {np.mean([row[7] for row in rows if row[0] == 1]):.3f}"
    RECORD.add(
        "Mean coverage of 95% intervals", round(float(np.mean(coverages)), 3), n=f"{len(rows)} designs", note=note
    )
    note = f"largest {max(ends):.3f}"
    RECORD.add("Upper end below the true error", round(float(np.mean(ends)), 3), n=f"{len(rows)} designs", note=note)
    RECORD.write()


def confidences(rng: np.random.Generator, n: int) -> Floats:
    return 0.5 + 0.5 * rng.beta(4, 1.2, n)


def is_right(confidence: Floats, temperature: float) -> Floats:
    """Return the probability that predictions with this confidence are correct."""
    right: Floats = expit(logit(np.minimum(confidence, 1 - 1e-9)) / temperature)
    return right


def true_error(rng: np.random.Generator, temperature: float) -> float:
    confidence = confidences(rng, N_EXACT)
    bins = np.ceil(confidence * N_BINS).astype(int)
    gap = np.bincount(bins, weights=confidence - is_right(confidence, temperature))
    return float(np.abs(gap).sum() / N_EXACT)


def simulated(
    rng: np.random.Generator, n: int, temperature: float, n_groups: int, correlation: float, is_unequal: bool
) -> tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
    """Return probabilities of two classes, true classes and groups of a test set."""
    confidence, noise, group = confidences(rng, n), rng.normal(size=n), None
    if n_groups:
        sizes = rng.exponential(size=n_groups) if is_unequal else np.ones(n_groups)
        group = rng.choice(n_groups, n, p=sizes / sizes.sum())
        noise = correlation**0.5 * rng.normal(size=n_groups)[group] + (1 - correlation) ** 0.5 * noise
    label, is_wrong = rng.integers(0, 2, n), norm.cdf(noise) >= is_right(confidence, temperature)
    of_first = np.where((label == 0) != is_wrong, confidence, 1 - confidence)
    return np.column_stack([of_first, 1 - of_first]), label, group


def measured(
    probability: Floats, label: npt.NDArray[np.int64], group: npt.NDArray[np.int64] | None, truth: float
) -> tuple[float, float, bool, bool, bool]:
    """Return the bare error, that above chance, and whether its interval has the true error, is below it, and has 0."""
    excess = metric_intervals(probability, label, group, metrics=["ece_excess"])["ece_excess"]
    low, high = (np.nan if end is None else end for end in (excess.low, excess.high))
    bare = expected_calibration_error(probability, label)
    return bare, excess.value or 0.0, low <= truth <= high, high < truth, low <= 0 <= high


if __name__ == "__main__":
    main()
