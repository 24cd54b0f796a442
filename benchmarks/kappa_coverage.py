"""Coverage and width of the intervals of Cohen's kappa and percent agreement, as a Markdown table.

Two readers label the same images. Each gives the true class with a probability, else a random other class. With groups,
this probability differs between groups (beta distribution) and is the same for both readers, and so does the mix of
classes (Dirichlet), so that images of a group are not independent. The true values are those of a million images.

    python benchmarks/kappa_coverage.py [--repeats 1000]
"""

import argparse
from dataclasses import dataclass

import numpy as np

from coverslip.evaluation import Metric
from coverslip.evaluation.agreement import agreement_of

Labels = np.ndarray
CONCENTRATION = 10.0  # of the distributions over groups


@dataclass(frozen=True)
class Design:
    """The images and readers of a row."""

    n: int
    n_groups: int  # 0: images are independent
    shares: tuple[float, ...]
    accuracy: float

    def draw(self, n: int, n_groups: int, rng: np.random.Generator) -> tuple[Labels, Labels, Labels]:
        """Return the labels of both readers, and the groups."""
        k = len(self.shares)
        if n_groups:
            group = np.arange(n) % n_groups
            mixes = rng.dirichlet(CONCENTRATION * np.array(self.shares), n_groups)[group]
            right = rng.beta(CONCENTRATION * self.accuracy, CONCENTRATION * (1 - self.accuracy), n_groups)[group]
        else:
            group, right = np.arange(n), np.full(n, self.accuracy)
            mixes = np.tile(self.shares, (n, 1))
        true = (rng.random((n, 1)) > mixes.cumsum(axis=1)[:, :-1]).sum(axis=1)
        first, second = (np.where(rng.random(n) < right, true, (true + rng.integers(1, k, n)) % k) for _ in range(2))
        return first, second, group


DESIGNS = [
    Design(n, n_groups, shares, accuracy)
    for shares in ((0.5, 0.5), (0.95, 0.05), (0.4, 0.3, 0.2, 0.07, 0.03))
    for accuracy in (0.8, 0.95)
    for n, n_groups in ((50, 0), (200, 0), (200, 10), (1000, 20))
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    print("| classes | accuracy | images | groups | kappa | bias | coverage | width | no interval |", end="")
    print(" agreement | coverage | width |\n|---|---|---|---|---|---|---|---|---|---|---|---|")
    for design in DESIGNS:
        rng = np.random.default_rng(0)
        names = [f"class {k}" for k in range(len(design.shares))]
        first, second, _ = design.draw(1_000_000, 50_000 if design.n_groups else 0, rng)
        share = float((first == second).mean())
        by_chance = sum(float((first == k).mean() * (second == k).mean()) for k in range(len(names)))
        true = (share - by_chance) / (1 - by_chance)
        kappas, shares = list[Metric](), list[Metric]()
        for _ in range(repeats):
            first, second, group = design.draw(design.n, design.n_groups, rng)
            groups = [f"group {each}" for each in group] if design.n_groups else None
            result = agreement_of([names[k] for k in first], [names[k] for k in second], names, groups)
            kappas.append(result.kappa)
            shares.append(result.agreement)
        cells = [f"{len(names)}: {', '.join(map(str, design.shares))}", f"{design.accuracy}", f"{design.n}"]
        cells += [f"{design.n_groups or '–'}", f"{true:.3f}"]
        cells += [f"{np.mean([each.value for each in kappas if each.value is not None]) - true:+.3f}"]
        cells += [*of_intervals(kappas, true), f"{sum(each.low is None for each in kappas)}"]
        cells += [f"{share:.3f}", *of_intervals(shares, share)]
        print(f"| {' | '.join(cells)} |", flush=True)


def of_intervals(metrics: list[Metric], true: float) -> tuple[str, str]:
    """Return the share of intervals that contain the true value, and their mean width."""
    ends = np.array([(each.low, each.high) for each in metrics if each.low is not None])
    is_covered = (ends[:, 0] <= true) & (true <= ends[:, 1])
    return f"{is_covered.mean():.3f}", f"{(ends[:, 1] - ends[:, 0]).mean():.3f}"


if __name__ == "__main__":
    main()
