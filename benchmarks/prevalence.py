"""Bias of estimated class proportions, and coverage of their 95% intervals, as Markdown tables.

Images are sampled from normal distributions with equal distances between their means, with their true probabilities for
equal proportions. 'Proportion of counts' is the proportion of images predicted as the class, without the estimate.

    python benchmarks/prevalence.py [--draws N]
"""

import argparse

import numpy as np

from coverslip.evaluation import estimated_shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    print("| distance of means (SD) | images | true proportion | mean estimate | coverage | proportion of counts |")
    print("|---|---|---|---|---|---|")
    for apart in (2.0, 3.3):
        for n in (200, 1000):
            for share in (0.005, 0.02, 0.05, 0.2, 0.5):
                show(apart, n, share, options.draws, rng)
    print(
        "\n| classes | distance of means (SD) | images | true proportion | mean estimate | coverage |\n"
        "|---|---|---|---|---|---|"
    )
    for shares in ((0.7, 0.2, 0.08, 0.02), (0.5, 0.2, 0.1, 0.08, 0.05, 0.04, 0.02, 0.01)):
        for apart in (2.0, 3.3):
            for n in (200, 1000):
                show_several(apart, n, shares, options.draws, rng)


def show(apart: float, n: int, share: float, n_draws: int, rng: np.random.Generator) -> None:
    """Print a row of the table."""
    draws = [probabilities(apart, n, share, rng) for _ in range(n_draws)]
    estimates = [estimated_shares(probability, (0.5, 0.5))[1] for probability in draws]
    mean = np.mean([estimate.value for estimate in estimates])
    coverage = np.mean([estimate.low <= share <= estimate.high for estimate in estimates])
    counted = np.mean([(probability[:, 1] > 0.5).mean() for probability in draws])
    print(f"| {apart} | {n:,} | {share} | {mean:.4f} | {coverage:.3f} | {counted:.3f} |", flush=True)


def show_several(apart: float, n: int, shares: tuple[float, ...], n_draws: int, rng: np.random.Generator) -> None:
    """Print a row per class."""
    prior = (1 / len(shares),) * len(shares)
    draws = [estimated_shares(of_several(apart, n, shares, rng), prior) for _ in range(n_draws)]
    for k, share in enumerate(shares):
        mean = np.mean([draw[k].value for draw in draws])
        coverage = np.mean([draw[k].low <= share <= draw[k].high for draw in draws])
        print(f"| {len(shares)} | {apart} | {n:,} | {share} | {mean:.4f} | {coverage:.3f} |", flush=True)


def of_several(apart: float, n: int, shares: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """(n, K) probabilities for equal proportions, of points around the corners of a regular simplex."""
    corners = apart / np.sqrt(2) * np.eye(len(shares))
    x = rng.normal(size=(n, len(shares))) + corners[rng.choice(len(shares), n, p=shares)]
    odds = np.exp(x @ corners.T - (x @ corners.T).max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def probabilities(apart: float, n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n, 2) probabilities for equal proportions."""
    x = rng.normal(size=n) + apart * (rng.random(n) < share)
    odds = np.exp(apart * x - apart**2 / 2)
    return np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)


if __name__ == "__main__":
    main()
