"""Corrected class proportions in simulated experiments: bias, coverage and width of intervals.

An experiment has samples of 200 images each, whose proportions of the classes differ (Dirichlet, by the intra-sample
correlation). The errors of its classifier are known from labeled images of 20 groups per class, whose error rates
differ by the same correlation. Groups have equal sizes; sizes of a log-normal distribution (`unequal`); or such sizes,
and smaller groups have larger error rates (`related`). The accuracy is that over the images of every class.

Coverage is the share of 95 % intervals that contain the proportion. The oracle knows the error rates and the variance
of samples. Bias has its standard error, since means of simulations vary; `without limits` is the bias of estimates that
may be below 0 or above 1. `by group` are rates with equal weight of all groups, in the first fifth of the experiments.
Experiments whose correction is refused are counted, and left out of the other columns.

    python benchmarks/proportions.py [--repeats 1000] [--classes 2 4] [--sizes equal unequal related]
"""

import argparse
import itertools

import numpy as np
import numpy.typing as npt
from _records import Record

from coverslip.evaluation.proportions import ErrorRates, Votes

RECORD = Record("Corrected class proportions", ["src/coverslip/evaluation/proportions.py"])

Floats = npt.NDArray[np.float64]

N_IMAGES, N_GROUPS = 200, 20
Z = 1.96
SIZES = ("equal", "unequal", "related")
LARGEST_ERROR = 0.9
FEWEST_COVERED = 0.93  # the target
COLUMNS = (
    *("classes", "sizes", "accuracy", "proportion", "samples", "correlation", "labeled", "bias of counts", "bias"),
    *("SE", "without limits", "coverage", "width", "oracle", "refused", "by group: bias", "coverage", "width"),
    "refused",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES)
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    grid = itertools.product(
        *(options.classes, options.sizes, (0.8, 0.95, 0.99), (0.005, 0.05, 0.5), (3, 12), (0.0, 0.1), (100, 2000))
    )
    rng = np.random.default_rng(0)
    coverages: dict[str, float] = {}  # by design
    for n_classes, sizes, accuracy, proportion, n_samples, correlation, n_labeled in grid:
        truth = np.full(n_classes, (1 - proportion) / (n_classes - 1))
        truth[-1] = proportion
        matrix = np.full((n_classes, n_classes), (1 - accuracy) / (n_classes - 1))
        np.fill_diagonal(matrix, accuracy)
        counts, estimates, by_group = [], [], []
        for repeat in range(options.repeats):
            samples = drawn_samples(rng, truth, matrix, n_samples, correlation)
            labeled = [
                drawn_groups(rng, matrix, k, n_labeled // n_classes, correlation, sizes) for k in range(n_classes)
            ]
            counts.append(float(samples.shares[:, -1].mean()) - proportion)
            estimates.append(corrected(labeled, samples, proportion))
            if 5 * repeat < options.repeats:
                equal = [with_equal_weights(votes) for votes in labeled]
                by_group.append(corrected(equal, samples, proportion))
        accepted, before = (
            np.array([each for each in results if each is not None]) for results in (estimates, by_group)
        )
        (bias, free, coverage, width), error = accepted.mean(axis=0), accepted[:, 0].std() / len(accepted) ** 0.5
        row = (n_classes, sizes, accuracy, proportion, n_samples, correlation, f"{n_labeled:,}")
        numbers = (f"{np.mean(counts):+.4f}", f"{bias:+.4f}", f"{error:.4f}", f"{free:+.4f}")
        design = (
            f"{n_classes} classes, {sizes} groups, accuracy {accuracy}, proportion {proportion}, {n_samples} samples"
        )
        coverages[f"{design}, correlation {correlation}, {n_labeled:,} labeled"] = float(coverage)
        width_of_oracle = oracle(truth, matrix, n_samples, correlation)
        shown = (f"{coverage:.3f}", f"{width:.3f}", f"{width_of_oracle:.3f}", options.repeats - len(accepted))
        old_bias, _, old_coverage, old_width = before.mean(axis=0) if len(before) else (np.nan,) * 4
        old = (f"{old_bias:+.4f}", f"{old_coverage:.3f}", f"{old_width:.3f}", len(by_group) - len(before))
        print(f"| {' | '.join(map(str, (*row, *numbers, *shown, *old)))} |", flush=True)
    n = f"{len(coverages)} designs of {options.repeats:,} experiments"
    lowest = min(coverages, key=lambda name: coverages[name])
    n_low = sum(coverage < FEWEST_COVERED for coverage in coverages.values())
    RECORD.add(
        "Mean coverage of 95% intervals over all simulated designs", round(np.mean(list(coverages.values())), 3), n=n
    )
    RECORD.add("Lowest coverage of a design", round(coverages[lowest], 3), note=lowest)
    RECORD.add(f"Designs with a coverage below {FEWEST_COVERED}", n_low, n=len(coverages))
    RECORD.write()


def drawn_samples(rng: np.random.Generator, truth: Floats, matrix: Floats, n_samples: int, correlation: float) -> Votes:
    """Return the votes in samples whose proportions vary around the truth."""
    shares = drawn(rng, truth, n_samples, correlation)
    return Votes(
        np.array([rng.multinomial(N_IMAGES, share @ matrix) for share in shares], np.float64),
        np.full(n_samples, float(N_IMAGES)),
    )


def drawn_groups(rng: np.random.Generator, matrix: Floats, k: int, n: int, correlation: float, sizes: str) -> Votes:
    """Return the votes on `n` labeled images of class k, in groups."""
    n_groups = min(N_GROUPS, max(2, n))
    weights = np.ones(n_groups) if sizes == "equal" else np.exp(rng.normal(size=n_groups))
    n_images = np.maximum(1, rng.multinomial(max(2, n), weights / weights.sum())).astype(np.float64)
    rows = np.tile(matrix[k], (n_groups, 1))
    if sizes == "related":
        error = 1 - matrix[k, k]
        errors = n_images**-0.5
        for _ in range(2):  # the second time, since errors were limited
            errors = np.minimum(errors * error * n_images.sum() / (n_images * errors).sum(), LARGEST_ERROR)
        rows *= (errors / error)[:, None]
        rows[:, k] = 1 - errors
    rates = np.concatenate([drawn(rng, row, 1, correlation) for row in rows])
    votes = [rng.multinomial(int(n), rate) for n, rate in zip(n_images, rates, strict=True)]
    return Votes(np.array(votes, np.float64), n_images)


def with_equal_weights(votes: Votes) -> Votes:
    """Return votes whose mean over images is the mean over groups of these votes."""
    n = np.full(len(votes.n), votes.n.mean())
    return Votes(votes.shares * n[:, None], n)


def corrected(labeled: list[Votes], samples: Votes, truth: float) -> tuple[float, float, float, float] | None:
    """Return the bias, that without limits, coverage and width of the last class; None if the correction is refused."""
    rates = ErrorRates(labeled)
    result = rates.correct(samples)
    if result.reason is not None:
        return None
    free = float(np.linalg.solve(rates.matrix.T, samples.shares.mean(axis=0))[-1])
    low, high = float(result.low[-1]), float(result.high[-1])
    return float(result.shares[-1]) - truth, free - truth, float(low <= truth <= high), high - low


def oracle(truth: Floats, matrix: Floats, n_samples: int, correlation: float) -> float:
    """Return the width of a normal interval from the true error rates and the true variance of samples."""
    vote, informedness = float(truth @ matrix[:, -1]), float(matrix[-1, -1] - matrix[0, -1])
    between = correlation * float(truth[-1] * (1 - truth[-1])) * informedness**2
    variance = between + (vote * (1 - vote) - between) / N_IMAGES
    return float(2 * Z * (variance / n_samples) ** 0.5 / informedness)


def drawn(rng: np.random.Generator, mean: Floats, n: int, correlation: float) -> Floats:
    """Return (n, K) shares that vary around `mean`."""
    if correlation == 0:
        return np.tile(mean, (n, 1))
    return rng.dirichlet(np.maximum(mean * (1 - correlation) / correlation, 1e-9), n)


if __name__ == "__main__":
    main()
