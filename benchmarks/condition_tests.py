"""Type I error of the tests between conditions in simulated experiments without a difference.

An experiment has two conditions with some samples each, of 200 images. The paired test takes samples at the same place
as blocks. Their proportions of a class have the same distribution (beta, by the intra-sample correlation). A classifier
of some accuracy votes, and the proportions are corrected by its errors on 2,000 labeled images, as `summarise` does.
Rows count the experiments with p < .05, and those without a p-value (no sample differs). Limits are the exact binomial
ones (95 %).

    python benchmarks/condition_tests.py [--repeats 4000]
"""

import argparse
import itertools

import numpy as np
import numpy.typing as npt
from _records import Record
from scipy.stats import binomtest

from coverslip.evaluation.proportions import difference_of_means

RECORD = Record("Type I error of the tests between conditions", ["src/coverslip/evaluation/proportions.py"])
TESTS = ("Welch's test", "Paired test")

Floats = npt.NDArray[np.float64]

N_IMAGES, N_LABELED, ALPHA = 200, 2000, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=4000)
    RECORD.add_option(parser)
    options = parser.parse_args()
    print("| proportion | accuracy | samples per condition | correlation |", end="")
    print("".join(f" {name}: type I error | no p |" for name in TESTS) + "\n|" + "---|" * 8)
    rng = np.random.default_rng(0)
    counts: list[list[tuple[int, int]]] = [[], []]  # of each test, by design: p < 0.05, of all
    for row in itertools.product((0.01, 0.05, 0.3), (0.9, 0.99), (3, 6, 12), (0.0, 0.05)):
        proportion, accuracy, n_samples, correlation = row
        results: tuple[list[float | None], ...] = ([], [])
        for _ in range(options.repeats):
            first, second = experiment(rng, proportion, accuracy, 2 * n_samples, correlation).reshape(2, -1).tolist()
            for of_test, is_paired in zip(results, (False, True), strict=True):
                of_test.append(difference_of_means(first, second, is_paired=is_paired).p)
        cells = []
        for of_test, ps in zip(counts, results, strict=True):
            of_test.append((sum(p is not None and p < ALPHA for p in ps), len(ps)))
            cells += [f"{of_test[-1][0] / len(ps):.3f}", f"{sum(p is None for p in ps)}"]
        print(f"| {' | '.join(map(str, (*row, *cells)))} |", flush=True)
    for name, of_test in zip(TESTS, counts, strict=True):
        largest, n = max(of_test)
        limits = binomtest(largest, n).proportion_ci(method="exact")
        note = f"largest {largest / n:.3f} [{limits.low:.3f}, {limits.high:.3f}]"
        mean = float(np.mean([k / n for k, n in of_test]))
        RECORD.add(f"{name}, p < 0.05", round(mean, 3), n=f"{len(of_test)} designs", note=note)
    RECORD.write()


def experiment(
    rng: np.random.Generator, proportion: float, accuracy: float, n_samples: int, correlation: float
) -> Floats:
    """Return the corrected proportion of the class in each sample."""
    share = np.full(n_samples, proportion)
    if correlation:
        concentration = (1 - correlation) / correlation
        share = rng.beta(proportion * concentration, (1 - proportion) * concentration, n_samples)
    votes = rng.binomial(N_IMAGES, share * accuracy + (1 - share) * (1 - accuracy)) / N_IMAGES
    recall, specificity = rng.binomial(N_LABELED // 2, accuracy, 2) / (N_LABELED // 2)
    matrix = np.array([[specificity, 1 - specificity], [1 - recall, recall]])
    corrected: Floats = np.linalg.solve(matrix.T, np.array([1 - votes, votes]))[1]  # without limits at 0 and 1
    return corrected


if __name__ == "__main__":
    main()
