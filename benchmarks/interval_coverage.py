"""Coverage and width of confidence intervals on simulated test sets.

    python benchmarks/interval_coverage.py [--sets 2000] [--rows "5 groups" …]

Each image has a score for each class: noise, plus a signal for the true class. Groups differ in the signal and favor
different classes. Unequal groups have sizes from a log-normal distribution, and in some rows large groups are harder.
In the rows `one class a group`, all images of a group have the same class. The true value is the metric on very many
images or groups. A nominal 95% interval should contain it in 95% of test sets. In parentheses: the proportion of
intervals completely above the true value (too optimistic), and the mean width. Test sets without an interval (the class
occurs in fewer than five groups) are not counted. The rows `folds` fit a classifier (nearest mean of noisy features;
`training_noise` adds independent noise to each training) in five folds, or in the stated number. Their true value is
the mean score on new images of classifiers with as many training images.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from _records import Record

from coverslip.evaluation.results import ClassScores, Evaluation, Metric
from coverslip.evaluation.summary import per_class, with_folds
from coverslip.evaluation.table import metric_intervals, score

RECORD = Record("Coverage of intervals", [f"src/coverslip/evaluation/{name}.py" for name in ("metrics", "summary")])
RECORDED = ("8 groups", "30 groups")

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "average_precision")
RECALL, AUROC = "recall, rarest", "AUROC, rarest"
CLASSES = ("a", "b", "c")
COMMON, RARE = (0.5, 0.3, 0.2), (0.6, 0.39, 0.01)
EIGHT = (0.3, 0.2, 0.15, 0.12, 0.1, 0.06, 0.05, 0.02)


@dataclass(frozen=True, kw_only=True)
class Design:
    """Properties of simulated test sets."""

    n: int = 400  # images, without groups
    n_groups: int = 0
    is_unequal: bool = False
    shares: tuple[float, ...] = COMMON
    signal: float = 2.6
    spread: float = 0.8  # of the groups' signals
    wrong: float = 0.0  # proportion of images with exactly the features of another class
    failing: float = 0.0  # proportion of groups in which all images have exactly the features of another class
    harder: float = 0.0  # decrease of the signal if a group is e times as large as the median
    is_nested: bool = False  # all images of a group belong to one class


DESIGNS = {
    "400 images": Design(),
    "100 images": Design(n=100),
    **{f"{n} groups": Design(n_groups=n) for n in (5, 8, 10, 30)},
    **{f"{n} unequal groups": Design(n_groups=n, is_unequal=True) for n in (5, 8, 10, 30)},
    "a class of 1%": Design(shares=RARE),
    "8 classes, rarest 2%": Design(shares=EIGHT),
    "accuracy .99, 400 images": Design(signal=9, wrong=0.01),
    "accuracy .99, 100 images": Design(n=100, signal=9, wrong=0.01),
    **{f"accuracy .998, {n} groups": Design(n_groups=n, signal=9, wrong=0.002) for n in (5, 8, 18)},
    "accuracy .998, 18 unequal groups": Design(n_groups=18, is_unequal=True, signal=9, wrong=0.002),
    **{f"one group in ten fails, {n} groups": Design(n_groups=n, signal=9, failing=0.1) for n in (8, 18)},
    **{
        f"one in ten fails, others .99, {n} groups": Design(n_groups=n, signal=9, wrong=0.01, failing=0.1)
        for n in (8, 20)
    },
    **{f"accuracy .98, {n} groups": Design(n_groups=n, signal=9, wrong=0.02) for n in (10, 20)},
    **{f"large groups harder, {n} groups": Design(n_groups=n, is_unequal=True, harder=1.0) for n in (8, 20)},
    "a class of 1%, 20 groups": Design(n_groups=20, shares=RARE),
    **{f"one class a group, {n} groups": Design(n_groups=n, is_nested=True) for n in (10, 20)},
}


@dataclass(frozen=True, kw_only=True)
class Folded:
    """Properties of a simulated cross-validation."""

    n: int
    n_groups: int = 0
    k: int = 5
    training_noise: float = 0.0  # standard deviation of the noise that each training adds to the fitted means


FOLDS = {
    "folds, 150 images": Folded(n=150),
    "folds, 500 images": Folded(n=500),
    "folds, 12 groups": Folded(n=12 * 30, n_groups=12),
    "folds, 30 groups": Folded(n=30 * 20, n_groups=30),
    "folds, 150 images, training noise": Folded(n=150, training_noise=0.35),
    "folds, 500 images, training noise": Folded(n=500, training_noise=0.35),
    "folds, 30 groups, training noise": Folded(n=30 * 20, n_groups=30, training_noise=0.35),
    "2 folds, 150 images": Folded(n=150, k=2),
    "10 folds, 150 images": Folded(n=150, k=10),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=2000, help="simulated test sets per row")
    parser.add_argument("--rows", nargs="+", default=[*DESIGNS, *FOLDS], help="which rows")
    RECORD.add_option(parser)
    arguments = parser.parse_args()
    columns = (*METRICS, RECALL, AUROC)
    print(f"coverage (above the true value; mean width) of nominal 95% intervals, {arguments.sets} test sets per row")
    print("| | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
    coverages: dict[str, float] = {}  # of intervals of accuracy
    for name in arguments.rows:
        is_fold = name in FOLDS
        truth, sets = folded(FOLDS[name], arguments.sets) if is_fold else tested(DESIGNS[name], arguments.sets)
        cells = {column: numbers_of(truth[column], column, sets) if column in truth else None for column in columns}
        shown = ("–" if of is None else f"{of[0]:.3f} ({of[1]:.3f}; {of[2]:.3f})" for of in cells.values())
        print(f"| {name} | {' | '.join(shown)} |", flush=True)
        if of_accuracy := cells["accuracy"]:
            coverages[name] = of_accuracy[0]
            if name in RECORDED:
                claim, n = "Coverage of nominal 95% intervals of accuracy", f"{arguments.sets:,} test sets"
                RECORD.add(claim, round(of_accuracy[0], 3), of=name, n=n)
    lowest = min(coverages, key=lambda name: coverages[name])
    RECORD.add("Lowest coverage of a design for accuracy", round(coverages[lowest], 3), note=lowest)
    RECORD.write()


def numbers_of(value: float, name: str, sets: list[dict[str, Metric]]) -> tuple[float, float, float] | None:
    """Return coverage, proportion of intervals above the true value, and mean width; None without an interval."""
    ends = np.array([(each[name].low, each[name].high) for each in sets if each[name].low is not None], float)
    if not len(ends):  # fewer than five groups
        return None
    is_above, is_below = ends[:, 0] > value, ends[:, 1] < value
    return 1 - (is_above | is_below).mean(), is_above.mean(), np.ptp(ends, axis=1).mean()


def tested(design: Design, n_sets: int) -> tuple[dict[str, float], list[dict[str, Metric]]]:
    """Return the true values, and the intervals of each test set."""
    many = replace(design, n_groups=10_000) if design.n_groups else replace(design, n=200_000)
    probability, label, _ = simulate(many, np.random.default_rng(0))
    truth = score(probability, label, names=METRICS)
    of_class = of_rarest(per_class(probability, label))
    truth |= {name: metric.value for name, metric in of_class.items() if metric.value is not None}
    return truth, [intervals(*simulate(design, np.random.default_rng(1 + seed))) for seed in range(n_sets)]


def intervals(probability: np.ndarray, label: np.ndarray, group: np.ndarray | None) -> dict[str, Metric]:
    of_class = of_rarest(per_class(probability, label, group=group))
    return {**metric_intervals(probability, label, group, metrics=METRICS), **of_class}


def simulate(design: Design, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Simulate probabilities, labels and groups of one test set."""
    n_classes, n, group = len(design.shares), design.n, None
    signal, leaning = np.full(n, design.signal), np.zeros((n, n_classes))
    if design.n_groups:
        sizes = np.full(design.n_groups, 40)
        if design.is_unequal:
            sizes = np.maximum(np.exp(generator.normal(size=design.n_groups)) * 25, 2).round().astype(int)
        group = np.repeat(np.arange(design.n_groups), sizes)
        n = len(group)
        of_groups = design.signal + design.spread * generator.normal(size=design.n_groups)
        signal = (of_groups - design.harder * np.log(sizes / 25))[group]
        leaning = (design.spread / 2 * generator.normal(size=(design.n_groups, n_classes)))[group]
    if design.is_nested:
        label = generator.choice(n_classes, p=design.shares, size=design.n_groups)[group]
    else:
        label = generator.choice(n_classes, p=design.shares, size=n)
    logits = generator.normal(size=(n, n_classes)) + leaning
    is_wrong = generator.random(n) < design.wrong
    if group is not None and design.failing:
        is_wrong |= (generator.random(design.n_groups) < design.failing)[group]
    predicted = (label + is_wrong * generator.integers(1, n_classes, n)) % n_classes
    logits[np.arange(n), predicted] += signal
    return softmax(1.5 * logits), label, group


def folded(design: Folded, n_sets: int) -> tuple[dict[str, float], list[dict[str, Metric]]]:
    """Return the true values for classifiers with the folds' number of images, and the intervals after folds."""
    n, n_groups, part = design.n, design.n_groups, (design.k - 1) / design.k
    generator = np.random.default_rng(1)
    scores = []
    for _ in range(300):
        features, label, _ = cells(int(n * part), int(n_groups * part), generator)
        others, true, _ = cells(max(n, 2000), 1000 if n_groups else 0, generator)
        probability = fitted(features, label, design.training_noise, generator)(others)
        rarest = of_rarest(per_class(probability, true))
        scores.append(score(probability, true, names=METRICS) | {name: metric.value for name, metric in rarest.items()})
    truth = {name: float(np.mean([each[name] for each in scores])) for name in scores[0]}
    sets = [cross_validated(design, *cells(n, n_groups, generator), generator) for _ in range(n_sets)]
    return truth, [{**evaluation.metrics, **of_rarest(list(evaluation.per_class.values()))} for evaluation in sets]


def of_rarest(classes: Sequence[ClassScores]) -> dict[str, Metric]:
    """Return the metrics of the last class, the rarest."""
    return {RECALL: classes[-1].metrics["recall"], AUROC: classes[-1].metrics["auroc"]}


def cells(n: int, n_groups: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Simulate features, labels and groups."""
    label = generator.choice(3, p=COMMON, size=n)
    features = generator.normal(size=(n, 20))
    features[np.arange(n), label] += 1.8
    if not n_groups:
        return features, label, None
    group = np.arange(n) * n_groups // n
    return features + 0.7 * generator.normal(size=(n_groups, 20))[group], label, group


def fitted(
    features: np.ndarray, label: np.ndarray, training_noise: float, generator: np.random.Generator
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a classifier: features to probabilities."""
    means = np.stack([features[label == k].mean(axis=0) for k in range(3)])
    if training_noise:
        means += training_noise * generator.normal(size=means.shape)
    return lambda others: softmax(others @ means.T - (means**2).sum(axis=1) / 2)


def cross_validated(
    design: Folded, features: np.ndarray, label: np.ndarray, group: np.ndarray | None, generator: np.random.Generator
) -> Evaluation:
    """Evaluate a cross-validation as a run does."""
    unit = np.arange(len(label)) if group is None else group
    fold = np.random.default_rng(0).permutation(np.arange(int(unit.max()) + 1) % design.k)[unit]
    probability = np.empty((len(label), 3))
    for k in range(design.k):
        classifier = fitted(features[fold != k], label[fold != k], design.training_noise, generator)
        probability[fold == k] = classifier(features[fold == k])
    parts = [evaluation(probability, label, group, fold == k) for k in range(design.k)]
    whole = evaluation(probability, label, group, np.ones(len(label), bool))
    return with_folds(whole, parts, [len(label) - part.n for part in parts], n_images=len(label))


def evaluation(probability: np.ndarray, label: np.ndarray, group: np.ndarray | None, rows: np.ndarray) -> Evaluation:
    """The part of an evaluation that the intervals of folds use."""
    groups = None if group is None else group[rows]
    return Evaluation(
        split="test",
        n=int(rows.sum()),
        n_groups=None if groups is None else len(np.unique(groups)),
        primary="macro_f1",
        metrics=metric_intervals(probability[rows], label[rows], groups, metrics=METRICS),
        per_class=dict(zip(CLASSES, per_class(probability[rows], label[rows], group=groups), strict=True)),
        by_domain={},
        confusion_matrix=(),
        classes=CLASSES,
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    main()
