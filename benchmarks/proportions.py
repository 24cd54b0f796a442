"""Corrected class proportions in simulated experiments: bias, coverage and width of intervals.

An experiment has samples of 200 images each, whose proportions of the classes differ (Dirichlet, by the intra-sample
correlation). The errors of its classifier are known from labeled images of 20 groups per class, whose error rates
differ by the same correlation. Groups have equal sizes; sizes of a log-normal distribution (`unequal`); or such sizes,
and smaller groups have larger error rates (`related`). The accuracy is that over the images of every class.

Coverage is the share of 95 % intervals that contain the proportion. The oracle knows the error rates and the variance
of samples. Bias has its standard error, since means of simulations vary; `without limits` is the bias of estimates that
may be below 0 or above 1. `by group` are rates with equal weight of all groups, in the first fifth of the experiments.
Experiments whose correction is refused are counted, and left out of the other columns.

With `--single`, designs are drawn at random, and each sample has error rates of its own, which differ as those of
groups of labeled images do: correlation 0 to .5; 2, 4 or 8 classes; proportion .01 to .5; accuracy .7 to .97; 3 to 40
groups per class; 100 to 5,000 labels. A classifier has five new samples of 200 images, means of 2 to 10 samples, and
two conditions of six samples, whose proportions differ by half of the proportion, or not at all (five times). `before`
are intervals with the mean error rates for all samples, and differences of values with limits at 0 and 1 by Welch's
test. Errors are root mean squares of the last class. A bias is within the target if it is so within two standard errors
of the simulation. A type I error is above the target if its exact binomial 95 % limits are.

    python benchmarks/proportions.py [--repeats 1000] [--classes 2 4] [--sizes equal unequal related]
    python benchmarks/proportions.py --single 200 --repeats 200 [--seed 0]
    python benchmarks/proportions.py --few --repeats 300

With `--few`, the test images of a single split are few: 4 or 8 of each of 2, 4 or 8 classes, without groups, or 100 in
five groups with correlation .3. The accuracy is .8, .9, or that of guessing.
"""

import argparse
import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from _records import Record
from scipy.stats import binomtest

from coverslip.evaluation.proportions import ErrorRates, SampleEstimate, Votes, difference_of_means, solve
from coverslip.evaluation.sample_proportions import ExpectedErrors

RECORD = Record("Corrected class proportions", ["src/coverslip/evaluation/proportions.py"])

Floats = npt.NDArray[np.float64]

N_IMAGES, N_GROUPS = 200, 20
N_SINGLE, N_ARM = 5, 6  # new samples of a classifier: single ones, and those of a condition
SAMPLES_OF_MEANS, N_NULL = (2, 3, 5, 6, 10), 5  # samples of a mean; comparisons of a classifier without a difference
MOST_TYPE_I, MOST_COVERED = 0.06, 0.985  # the target; a coverage above which intervals are wide
FEWEST_GROUPS = 5  # designs with fewer are reported apart
MOST_BIAS = 0.005  # of differences, the target
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
    parser.add_argument("--single", type=int, metavar="DESIGNS", help="single samples with rates of their own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--few", action="store_true", help="few test images")
    RECORD.add_option(parser)
    options = parser.parse_args()
    if options.few:
        few_test_images(options.repeats, options.seed)
        return
    if options.single:
        single_samples(options.single, options.repeats, options.seed)
        return
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


@dataclass
class Results:
    """What was measured in one design; lists have a value for each sample, or for each classifier."""

    n_classes: int
    correlation: float
    proportion: float
    accuracy: float
    n_groups: int
    n_labels: int
    hits: list[bool] = field(default_factory=list)
    hits_before: list[bool] = field(default_factory=list)
    hits_of_means: dict[int, list[bool]] = field(default_factory=lambda: {n: [] for n in SAMPLES_OF_MEANS})
    widths: list[float] = field(default_factory=list)
    widths_before: list[float] = field(default_factory=list)
    errors: list[tuple[float, float, float]] = field(default_factory=list)  # counted, corrected, shown
    n_refused: int = 0
    differences: list[tuple[float, float]] = field(default_factory=list)  # errors of the difference, before and after
    of_difference: list[tuple[bool, bool]] = field(default_factory=list)  # whether its interval contains it
    is_false: list[bool] = field(default_factory=list)  # significant without a difference
    is_detected: list[tuple[bool, bool]] = field(default_factory=list)  # the same with a difference, before and after

    @property
    def type_i(self) -> float:
        return float(np.mean(self.is_false))

    @property
    def limits_of_type_i(self) -> tuple[float, float]:
        """Exact binomial limits (95 %)."""
        limits = binomtest(sum(self.is_false), len(self.is_false)).proportion_ci(method="exact")
        return float(limits.low), float(limits.high)


def single_samples(n_designs: int, n_repeats: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    print(
        "| classes | correlation | proportion | accuracy | groups | labels | coverage before | after | width before |"
        " after | error of counted | corrected | shown | refused | bias of differences before | after | coverage of"
        " differences before | after | type I error | low | high | power before | after |"
        + "".join(f" coverage of {n} |" for n in SAMPLES_OF_MEANS)
        + "\n"
        + "|---" * (23 + len(SAMPLES_OF_MEANS))
        + "|"
    )
    designs = []
    for _ in range(n_designs):
        design = Results(
            int(rng.choice([2, 2, 4, 8])),
            round(float(rng.choice([0, rng.uniform(0, 0.1), rng.uniform(0.1, 0.5)])), 3),
            round(float(np.exp(rng.uniform(np.log(0.01), np.log(0.5)))), 3),
            round(float(rng.uniform(0.7, 0.97)), 2),
            int(rng.integers(3, 41)),
            int(np.exp(rng.uniform(np.log(100), np.log(5000)))),
        )
        for _ in range(n_repeats):
            measure(design, rng)
        if design.hits:
            designs.append(design)
        show(design)
    many = [each for each in designs if each.n_groups >= FEWEST_GROUPS]
    few = [each for each in designs if each.n_groups < FEWEST_GROUPS]

    def add(claim: str, value: float, note: str, n: int, of: str = "") -> None:
        print(f"{claim} {of}: {value:.3f}; {note}; {n} designs")
        RECORD.add(claim, round(value, 3), note=note, n=f"{n} designs", of=of)

    def add_coverage(name: str, hits: list[list[bool]], widths: list[list[float]] | None = None) -> None:
        covered = np.array([np.mean(each) for each in hits])
        note = f"lowest {covered.min():.3f}"
        if widths is not None:
            of_designs = np.array([np.mean(each) for each in widths])
            is_wide = covered > MOST_COVERED
            note += f", width {of_designs.mean():.2f}; above {MOST_COVERED}: {np.mean(is_wide):.0%}"
            note += f", width {of_designs[is_wide].mean():.2f}" if is_wide.any() else ""
        claim = f"Designs with a coverage of {FEWEST_COVERED}"
        add(claim, float(np.mean(covered >= FEWEST_COVERED)), note, len(hits), name)

    add_coverage("varying rates", [each.hits for each in many], [each.widths for each in many])
    add_coverage("equal rates", [each.hits_before for each in many])
    if few:
        add_coverage(f"below {FEWEST_GROUPS} groups", [each.hits for each in few])
    compared = [each for each in designs if each.differences]
    of_means = {n: np.array([np.mean(each.hits_of_means[n]) for each in compared]) for n in SAMPLES_OF_MEANS}
    shares = {n: float(np.mean(covered >= FEWEST_COVERED)) for n, covered in of_means.items()}
    note = f"{', '.join(map(str, shares))} samples: {', '.join(f'{share:.3f}' for share in shares.values())}"
    add(f"Designs with a coverage of {FEWEST_COVERED}", min(shares.values()), note, len(compared), "means, lowest")
    of_errors = np.array([np.sqrt((np.array(each.errors) ** 2).mean(axis=0)) for each in designs])
    for name, column in zip(("counted", "corrected", "shown"), of_errors.T, strict=True):
        ratio = column / of_errors[:, :2].min(axis=1)
        note = f"largest {ratio.max():.2f}"
        add("Relative error", float(ratio.mean()), note, len(designs), name)
    for k, name in enumerate(("with limits", "without")):
        errors = [np.array(each.differences)[:, k] for each in compared]
        is_small = [abs(each.mean()) - 2 * each.std() / len(each) ** 0.5 <= MOST_BIAS for each in errors]
        covered = [float(np.mean(np.array(each.of_difference)[:, k])) for each in compared]
        power = float(np.mean([np.mean(np.array(each.is_detected)[:, k]) for each in compared]))
        note = f"coverage {np.mean(covered):.3f}, lowest {min(covered):.3f}; power {power:.3f}"
        add(f"Differences, bias within {MOST_BIAS}", float(np.mean(is_small)), note, len(compared), name)
    worst = max(compared, key=lambda each: each.type_i)
    low, high = worst.limits_of_type_i
    n_above = sum(each.limits_of_type_i[0] > MOST_TYPE_I for each in compared)
    note = f"largest {worst.type_i:.3f} [{low:.3f}, {high:.3f}]; {n_above} above {MOST_TYPE_I}"
    add("Type I error of differences", float(np.mean([each.type_i for each in compared])), note, len(compared))
    RECORD.write("single samples")


def few_test_images(n_repeats: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    print(
        "| classes | accuracy | images per class | groups | refused | coverage | width |\n|---|---|---|---|---|---|---|"
    )
    refused: dict[bool, list[float]] = {True: [], False: []}  # by whether the accuracy is that of guessing
    covered, designs = (
        list[float](),
        itertools.product((2, 4, 8), (0.8, 0.9, 0.0), ((4, 0, 0.0), (8, 0, 0.0), (100, 5, 0.3))),
    )
    for n_classes, accuracy, (n, n_groups, correlation) in designs:
        matrix = np.full((n_classes, n_classes), (1 - (accuracy or 1 / n_classes)) / (n_classes - 1))
        np.fill_diagonal(matrix, accuracy or 1 / n_classes)
        truth = np.append(np.full(n_classes - 1, 0.9 / (n_classes - 1)), 0.1)
        results = []
        for _ in range(n_repeats):
            labeled = [
                drawn_groups(rng, matrix, k, n, correlation, "equal", n_groups)
                if n_groups
                else Votes(rng.multinomial(n, row)[None].astype(float), np.array([float(n)]))
                for k, row in enumerate(matrix)
            ]
            of_sample = np.concatenate([drawn(rng, row, 1, correlation) for row in matrix])
            sample = rng.multinomial(N_IMAGES, truth @ of_sample).astype(float)
            result = ErrorRates(labeled).correct(Votes(sample[None], np.array([float(N_IMAGES)])))
            is_within = (result.low <= truth) & (truth <= result.high)
            results.append((result.reason is not None, is_within.mean(), (result.high - result.low).mean()))
        is_refused, hits, widths = np.array(results).T
        shown = [f"{np.mean(is_refused):.3f}"]
        refused[not accuracy].append(float(np.mean(is_refused)))
        if accuracy:
            covered.append(float(hits[is_refused == 0].mean()))
            shown += [f"{covered[-1]:.3f}", f"{widths[is_refused == 0].mean():.2f}"]
        else:
            shown += ["–", "–"]
        print(f"| {n_classes} | {accuracy or 'chance'} | {n} | {n_groups or '–'} | {' | '.join(shown)} |", flush=True)
    note = f"largest {max(refused[False]):.3f}; accuracy of guessing {np.mean(refused[True]):.3f}"
    note += f", lowest {min(refused[True]):.3f}"
    n_designs = f"{len(covered)} designs of {n_repeats} experiments"
    RECORD.add("Refused at an accuracy of .8 or .9", round(float(np.mean(refused[False])), 3), note=note, n=n_designs)
    note = f"lowest {min(covered):.3f}"
    RECORD.add("Coverage of 95% intervals", round(float(np.mean(covered)), 3), note=note, n=n_designs)
    RECORD.write("few test images")


def measure(design: Results, rng: np.random.Generator) -> None:
    """Train and use one simulated classifier."""
    k, share = design.n_classes, design.proportion
    matrix = np.full((k, k), (1 - design.accuracy) / (k - 1))
    np.fill_diagonal(matrix, design.accuracy)
    labeled = [
        drawn_groups(rng, matrix, at, design.n_labels // k, design.correlation, "unequal", design.n_groups)
        for at in range(k)
    ]
    rates = ErrorRates(labeled)

    def votes(proportion: float, n: int) -> list[Votes]:
        truth = np.full(k, (1 - proportion) / (k - 1))
        truth[-1] = proportion
        drawn_rates = [np.concatenate([drawn(rng, row, 1, design.correlation) for row in matrix]) for _ in range(n)]
        counts = [rng.multinomial(N_IMAGES, truth @ of_sample).astype(np.float64) for of_sample in drawn_rates]
        return [Votes(each[None], np.array([float(N_IMAGES)])) for each in counts]

    if rates.reason is not None:
        design.n_refused += N_SINGLE
        return
    samples = votes(share, N_SINGLE)
    errors = ExpectedErrors.of([rates.errors_of_sample(sample) for sample in samples])
    for sample in samples:
        result, before = rates.correct(sample), rates.correct(sample, has_mean_rates=True)
        design.hits.append(bool(result.low[-1] <= share <= result.high[-1]))
        design.hits_before.append(bool(before.low[-1] <= share <= before.high[-1]))
        design.widths.append(float(result.high[-1] - result.low[-1]))
        design.widths_before.append(float(before.high[-1] - before.low[-1]))
        counted, corrected_share = sample.shares[0, -1], result.shares[-1]
        values = (counted, corrected_share, corrected_share if errors.is_correction_better else counted)
        design.errors.append(tuple(float(value) - share for value in values))  # type: ignore[arg-type]
    for n in SAMPLES_OF_MEANS:
        of_mean = votes(share, n)
        result = rates.correct(Votes(np.concatenate([each.sums for each in of_mean]), np.full(n, float(N_IMAGES))))
        design.hits_of_means[n].append(bool(result.low[-1] <= share <= result.high[-1]))

    def estimates(difference: float) -> tuple[SampleEstimate, SampleEstimate]:
        arms = [np.concatenate([each.shares for each in votes(share + d, N_ARM)]) for d in (0.0, difference)]
        free = [np.linalg.solve(rates.matrix.T, arm.T).T for arm in arms]
        limited = [solve(rates.matrix, arm)[:, -1] for arm in arms]
        of_rates = rates.error_of_difference(free[1].mean(axis=0) - free[0].mean(axis=0))
        absolute = of_rates.absolute[-1] if of_rates.absolute else 0.0
        return difference_of_means(limited[0], limited[1]), difference_of_means(
            free[0][:, -1], free[1][:, -1], relative_error=of_rates.relative, absolute_error=absolute
        )

    for _ in range(N_NULL):
        design.is_false.append(is_significant(estimates(0.0)[1]))
    both = estimates(share / 2)
    design.differences.append(tuple((each.value or 0.0) - share / 2 for each in both))  # type: ignore[arg-type]
    design.of_difference.append(tuple(  # type: ignore[arg-type]
        each.low is None or each.high is None or each.low <= share / 2 <= each.high for each in both
    ))  # fmt: skip
    design.is_detected.append((is_significant(both[0]), is_significant(both[1])))


def is_significant(estimate: SampleEstimate) -> bool:
    return estimate.p is not None and estimate.p < 0.05


def show(design: Results) -> None:
    """Print a row of the table."""
    cells: list[object] = [design.n_classes, design.correlation, design.proportion, design.accuracy, design.n_groups]
    cells.append(design.n_labels)
    if design.hits:
        numbers = (design.hits_before, design.hits, design.widths_before, design.widths)
        cells += [f"{np.mean(each):.3f}" for each in numbers]
        cells += [f"{value:.3f}" for value in np.sqrt((np.array(design.errors) ** 2).mean(axis=0))]
    else:
        cells += ["–"] * 7
    cells.append(design.n_refused)
    if design.differences:
        cells += [f"{value:+.4f}" for value in np.mean(design.differences, axis=0)]
        cells += [
            f"{value:.3f}"
            for value in (
                *np.mean(design.of_difference, axis=0),
                *(design.type_i, *design.limits_of_type_i),
                *np.mean(design.is_detected, axis=0),
                *(np.mean(hits) for hits in design.hits_of_means.values()),
            )
        ]
    else:
        cells += ["–"] * (9 + len(SAMPLES_OF_MEANS))
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def drawn_samples(rng: np.random.Generator, truth: Floats, matrix: Floats, n_samples: int, correlation: float) -> Votes:
    """Return the votes in samples whose proportions vary around the truth."""
    shares = drawn(rng, truth, n_samples, correlation)
    return Votes(
        np.array([rng.multinomial(N_IMAGES, share @ matrix) for share in shares], np.float64),
        np.full(n_samples, float(N_IMAGES)),
    )


def drawn_groups(
    rng: np.random.Generator,
    matrix: Floats,
    k: int,
    n: int,
    correlation: float,
    sizes: str,
    most_groups: int = N_GROUPS,
) -> Votes:
    """Return the votes on `n` labeled images of class k, in groups."""
    n_groups = min(most_groups, max(2, n))
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
