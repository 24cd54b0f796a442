"""Calibration error above chance of simulated test sets, compared with the known error and with the bare value.

Probabilities of the predicted class have a beta distribution. A prediction is correct with this probability at
temperature 1, and with a less extreme one above it: the classifier is overconfident, and its calibration error over 15
bins is computed from two million images. With groups, correct predictions of a group resemble each other (normal
copula, correlation .3).

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

TEMPERATURES, SIZES, GROUPS = (1.0, 1.3, 2.0), (50, 100, 200, 400, 2000), (None, 10, 30)
N_BINS, N_EXACT, CORRELATION = 15, 2_000_000, 0.3
FEW = 200  # images of a small test set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    RECORD.add_option(parser)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    print("| temperature | images | groups | true error | mean bare | mean above chance | coverage | contains 0 |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for temperature in TEMPERATURES:
        truth = true_error(rng, temperature)
        for n in SIZES:
            for n_groups in GROUPS:
                results = np.array([measured(rng, n, temperature, n_groups, truth) for _ in range(options.repeats)])
                bare, excess, coverage, has_zero = results.mean(axis=0)
                rows.append((temperature, n, n_groups, truth, bare, excess, coverage, has_zero))
                numbers = f"{truth:.3f} | {bare:.3f} | {excess:+.3f} | {coverage:.3f} | {has_zero:.3f}"
                print(f"| {temperature} | {n:,} | {n_groups or '–'} | {numbers} |", flush=True)
    n = f"{options.repeats:,} test sets a design"
    for temperature in TEMPERATURES:
        few = [row for row in rows if row[0] == temperature and row[1] <= FEW]
        mean_bare, mean_excess = (round(float(np.mean([row[k] for row in few])), 3) + 0.0 for k in (4, 5))
        claim = f"Mean on at most {FEW} images, true error"
        RECORD.add(claim, mean_excess, n=n, of=f"{few[0][3]:.3f}", note=f"bare {mean_bare:.3f}")
    coverages = [row[6] for row in rows]
    note = f"lowest {min(coverages):.3f}; perfect probabilities {np.mean([row[7] for row in rows if row[0] == 1]):.3f}"
    RECORD.add(
        "Mean coverage of 95% intervals", round(float(np.mean(coverages)), 3), n=f"{len(rows)} designs", note=note
    )
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


def measured(
    rng: np.random.Generator, n: int, temperature: float, n_groups: int | None, truth: float
) -> tuple[float, float, bool, bool]:
    """Return the bare error, that above chance, and whether its interval contains the true error and 0."""
    confidence, noise = confidences(rng, n), rng.normal(size=n)
    group = None if n_groups is None else rng.integers(0, n_groups, n)
    if group is not None:
        noise = CORRELATION**0.5 * rng.normal(size=n_groups)[group] + (1 - CORRELATION) ** 0.5 * noise
    label = (norm.cdf(noise) >= is_right(confidence, temperature)).astype(int)
    probability = np.column_stack([confidence, 1 - confidence])
    excess = metric_intervals(probability, label, group, metrics=["ece_excess"])["ece_excess"]
    low, high = (np.nan if end is None else end for end in (excess.low, excess.high))
    bare = expected_calibration_error(probability, label)
    return bare, excess.value or 0.0, low <= truth <= high, low <= 0 <= high


if __name__ == "__main__":
    main()
