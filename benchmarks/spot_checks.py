"""Prediction-powered class proportions in simulated spot checks: coverage and width against labels alone.

An experiment has samples of 200 images each (one sample: 1,000 images). Their proportions of a class differ by the
intra-sample correlation (beta distribution). The classifier is right for a share of the images of both classes, and
labels of some images are drawn evenly over samples. `asymptotic` is the interval of the same estimate that ppi_py
computes: normal, without a minimum variance.

    python benchmarks/spot_checks.py [--repeats 1000]
"""

import argparse
import itertools

import numpy as np
import numpy.typing as npt
from _records import Record

from coverslip.evaluation.spot_check import CheckedSample, labeled_share, powered_share

RECORD = Record("Spot checks", ["src/coverslip/evaluation/spot_check.py"])

Floats = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    RECORD.add_option(parser)
    options = parser.parse_args()
    print("| samples | correlation | labels | proportion | accuracy | power | bias | coverage | width |", end="")
    print(" labels alone: coverage | width | asymptotic: coverage |\n|---|---|---|---|---|---|---|---|---|---|---|---|")
    grid = itertools.product(((1, 0.0), (6, 0.0), (6, 0.05)), (50, 100), (0.01, 0.05, 0.3), (0.8, 0.95, 0.99))
    rng = np.random.default_rng(0)
    coverages, of_labels = [], []
    relative_widths: dict[float, float] = {}
    for (n_samples, correlation), n_labels, proportion, accuracy in grid:
        rows = np.array(
            [experiment(rng, proportion, accuracy, n_samples, correlation, n_labels) for _ in range(options.repeats)]
        )
        power, bias, coverage, width, alone, alone_width, asymptotic = rows.mean(axis=0)
        coverages.append(coverage)
        of_labels.append(alone)
        if (n_samples, n_labels, accuracy) == (1, 100, 0.95):
            relative_widths[proportion] = width / alone_width
        print(
            f"| {n_samples} | {correlation} | {n_labels} | {proportion} | {accuracy} | {power:.2f} | {bias:+.4f} "
            f"| {coverage:.3f} | {width:.3f} | {alone:.3f} | {alone_width:.3f} "
            f"| {'–' if n_samples > 1 else f'{asymptotic:.3f}'} |",
            flush=True,
        )
    n = f"{len(coverages)} designs of {options.repeats:,} experiments"
    note = f"lowest {min(coverages):.3f}; labels alone {np.mean(of_labels):.3f}"
    RECORD.add("Mean coverage of 95% intervals over all designs", round(np.mean(coverages), 3), n=n, note=note)
    for proportion, ratio in sorted(relative_widths.items(), reverse=True):
        claim = "Width relative to labels alone, accuracy 0.95, one sample, 100 labels"
        RECORD.add(claim, round(ratio, 2), of=f"proportion {proportion}")
    RECORD.write()


def experiment(
    rng: np.random.Generator, proportion: float, accuracy: float, n_samples: int, correlation: float, n_labels: int
) -> tuple[float, ...]:
    """Return power, bias, coverage and width of the estimate, coverage and width of labels alone, and of ppi_py."""
    n_images = 1000 if n_samples == 1 else 200
    concentration = np.inf if correlation == 0 else (1 - correlation) / correlation
    samples = []
    for _ in range(n_samples):
        share = proportion
        if np.isfinite(concentration):
            share = rng.beta(proportion * concentration, (1 - proportion) * concentration)
        labels = (rng.random(n_images) < share).astype(np.float64)
        votes = np.where(rng.random(n_images) < accuracy, labels, 1 - labels)
        is_labeled = rng.choice(n_images, n_labels // n_samples, replace=False)
        samples.append(CheckedSample(votes, is_labeled, labels[is_labeled], np.ones(len(is_labeled))))
    share, (_, low, high) = powered_share(samples), labeled_share(samples)
    is_covered = share.low <= proportion <= share.high
    return (
        share.power,
        share.value - proportion,
        is_covered,
        share.high - share.low,
        low <= proportion <= high,
        high - low,
        is_in_asymptotic(samples[0], share.power, proportion),
    )


def is_in_asymptotic(sample: CheckedSample, power: float, proportion: float) -> bool:
    """Return whether the normal interval of ppi_py for one sample contains the proportion."""
    is_rest = np.ones(len(sample.votes), bool)
    is_rest[sample.is_labeled] = False
    rest, labeled = sample.votes[is_rest], sample.votes[sample.is_labeled]
    of_rest = power * len(rest) / len(sample.votes)
    residual = sample.labels - of_rest * labeled
    value = of_rest * rest.mean() + residual.mean()
    half = 1.96 * (of_rest**2 * rest.var() / len(rest) + residual.var() / len(residual)) ** 0.5
    return bool(abs(value - proportion) <= half)


if __name__ == "__main__":
    main()
