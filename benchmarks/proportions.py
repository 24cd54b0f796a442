"""Corrected class proportions in simulated experiments: bias, coverage and width of intervals.

An experiment has samples of 200 images each, whose proportions of the classes differ (Dirichlet, by the intra-sample
correlation). The errors of its classifier are known from labeled images of 20 groups per class, which differ by the
same correlation. The accuracy is that of every class. Width is that of the 95 % interval; the oracle knows the error
rates, and its images are independent. Experiments whose correction is refused are counted.

    python benchmarks/proportions.py [--repeats 200] [--classes 2 4]
"""

import argparse
import itertools

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.proportions import ErrorRates, Votes

Floats = npt.NDArray[np.float64]

N_IMAGES, N_GROUPS = 200, 20
Z = 1.96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 4])
    options = parser.parse_args()
    print(
        "| classes | accuracy | proportion | samples | correlation | labeled | bias of counts | bias | coverage |",
        end="",
    )
    print(" width | width of the oracle | refused |\n|---|---|---|---|---|---|---|---|---|---|---|---|")
    grid = itertools.product(options.classes, (0.8, 0.95, 0.99), (0.005, 0.05, 0.5), (3, 12), (0.0, 0.1), (100, 2000))
    rng = np.random.default_rng(0)
    for n_classes, accuracy, proportion, n_samples, correlation, n_labeled in grid:
        truth = np.full(n_classes, (1 - proportion) / (n_classes - 1))
        truth[-1] = proportion
        matrix = np.full((n_classes, n_classes), (1 - accuracy) / (n_classes - 1))
        np.fill_diagonal(matrix, accuracy)
        estimates = [experiment(rng, truth, matrix, n_samples, correlation, n_labeled) for _ in range(options.repeats)]
        finite = np.array([each for each in estimates if each is not None])
        vote = float(truth @ matrix[:, -1])
        oracle = 2 * Z * (vote * (1 - vote) / (n_samples * N_IMAGES)) ** 0.5 / float(accuracy - matrix[0, -1])
        counted, bias, coverage, width = finite.mean(axis=0)
        print(
            f"| {n_classes} | {accuracy} | {proportion} | {n_samples} | {correlation} | {n_labeled:,} | {counted:+.4f} "
            f"| {bias:+.4f} | {coverage:.3f} | {width:.3f} | {oracle:.3f} | {len(estimates) - len(finite)} |",
            flush=True,
        )


def experiment(
    rng: np.random.Generator, truth: Floats, matrix: Floats, n_samples: int, correlation: float, n_labeled: int
) -> tuple[float, float, float, float] | None:
    """Return the bias of counts, the bias, coverage and width of the last class; None if the correction is refused."""
    shares = drawn(rng, truth, n_samples, correlation)
    samples = Votes(
        np.array([rng.multinomial(N_IMAGES, share @ matrix) for share in shares], np.float64),
        np.full(n_samples, float(N_IMAGES)),
    )
    labeled = []
    for row in matrix:
        n = max(2, n_labeled // len(matrix))
        sizes = np.maximum(1, rng.multinomial(n, np.full(min(N_GROUPS, n), 1 / min(N_GROUPS, n))))
        rates = drawn(rng, row, len(sizes), correlation)
        sums = np.array([rng.multinomial(size, rate) for size, rate in zip(sizes, rates, strict=True)], np.float64)
        labeled.append(Votes(sums, sizes.astype(np.float64)))
    result = ErrorRates(labeled).correct(samples)
    if result.reason is not None:
        return None
    true = float(truth[-1])
    is_covered = float(result.low[-1] <= true <= result.high[-1])
    counted = float(samples.shares[:, -1].mean()) - true
    return counted, float(result.shares[-1]) - true, is_covered, float(result.high[-1] - result.low[-1])


def drawn(rng: np.random.Generator, mean: Floats, n: int, correlation: float) -> Floats:
    """Return (n, K) shares that vary around `mean`."""
    if correlation == 0:
        return np.tile(mean, (n, 1))
    return rng.dirichlet(np.maximum(mean * (1 - correlation) / correlation, 1e-9), n)


if __name__ == "__main__":
    main()
