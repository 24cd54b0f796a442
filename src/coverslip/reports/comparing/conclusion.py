"""The conclusion of a comparison in one sentence, and what choosing among runs by test results costs."""

from collections.abc import Sequence

from coverslip.evaluation import METRICS, SAME_PREDICTIONS, Metric, paired_differences
from coverslip.reports import words
from coverslip.reports.comparing.common import common_images
from coverslip.reports.comparing.records import ComparedRun, Difference, Pair
from coverslip.runs import Run
from coverslip.runs.log.looks import looks_of


def conclusion(rows: Sequence[ComparedRun], pairs: Sequence[Pair], runs: Sequence[Run], primary: str) -> str:
    """Which run has the better primary metric, by how much, and whether that is statistically significant.

    Args:
        rows, pairs: of the comparison.
        runs: the same runs, in the same order.
        primary: the metric.

    Returns:
        A sentence or two for two runs; empty if the runs cannot be compared.
    """
    if len(runs) > 2:
        return _of_several(runs, [row.name for row in rows], primary)
    numbers = pairs[0].numbers
    row = next((row for row in numbers[0].differences if row.name == primary), None) if numbers else None
    if row is None or row.value is None:
        return ""
    sentence = _of_two(row, rows[0].name, rows[1].name, pairs[0])
    return sentence if pairs[0].has_same_rule else f"{sentence} The two use different decision rules."


def _of_two(row: Difference, first: str, second: str, pair: Pair) -> str:
    where = f"On {words.plural(pair.n, 'test image')}"
    by_labels = words.by_labels(pair.numbers[0].labels)
    first, second = _quoted(first), _quoted(second)
    both = ((first, words.number(row.first)), (second, words.number(row.second)))
    (first, of_first), (second, of_second) = both
    if row.reason == SAME_PREDICTIONS:
        return f"{where}{by_labels}, {first} and {second} give the same predictions: {row.title} is {of_first}."
    if row.low is None or row.high is None:
        return (
            f"{where}{by_labels}, {row.title} is {of_first} for {first} and {of_second} for {second}. The "
            f"difference cannot be tested ({row.reason})."
        )
    (better, of_better), (worse, of_worse) = reversed(both) if _is_second_better(row) else both
    # With the sign of the table: what the second run adds.
    size = words.signed(row.value or 0)
    interval = f"95% CI {words.signed(row.low)} to {words.signed(row.high)}{_p(row.p)}"
    if row.is_shown:
        return (
            f"{where}{by_labels}, {better} is better than {worse}: {row.title} {of_better} against {of_worse}. The "
            f"difference from {first} to {second} is {size} ({interval})."
        )
    return (
        f"{where}{by_labels}, the difference in {row.title} from {first} ({of_first}) to {second} ({of_second}) is "
        f"not statistically significant: {size} ({interval})."
    )


def _quoted(name: str) -> str:
    return f"“{name}”"


def _is_second_better(row: Difference) -> bool:
    return (row.value or 0) >= 0 if row.better == "higher" else (row.value or 0) < 0


def _p(p: float | None) -> str:
    space = "\N{NO-BREAK SPACE}"
    return "" if p is None else f", p{space}{'' if p < 0.001 else f'={space}'}{words.p_value(p)}"


def _of_several(runs: Sequence[Run], names: Sequence[str], primary: str) -> str:
    record = METRICS[primary]
    values = [run.metrics.metrics[record.name].value for run in runs]
    if any(set(run.metrics.classes) != set(runs[0].metrics.classes) for run in runs) or None in values:
        return ""
    scores = [record.as_higher_is_better(value) for value in values if value is not None]
    best = scores.index(max(scores))
    not_significant: list[str] = []
    significant: list[str] = []
    for k, (run, name) in enumerate(zip(runs, names, strict=True)):
        if k != best:
            difference = _difference(run, runs[best], record.name)
            if difference is None:
                return ""
            is_apart = difference.low is not None and difference.high is not None
            is_apart = is_apart and not (difference.low or 0) <= 0 <= (difference.high or 0)
            (significant if is_apart else not_significant).append(_quoted(name))
    text = f"{_quoted(names[best])} has the best {record.title} ({words.number(values[best])})."
    if significant:
        text += f" The difference from {words.listed(significant)} is statistically significant."
    if not_significant:
        text += f" The difference from {words.listed(not_significant)} is not statistically significant."
    return f"{text} Each comparison is tested by itself (95% CI)."


def _difference(run: Run, best: Run, metric: str) -> Metric | None:
    """None where they have no images in common, or labels differ."""
    common = common_images(run, best)
    if not len(common.first_label) or (common.first_label != common.second_label).any():
        return None
    return paired_differences(common.first, common.second, common.first_label, common.group, metrics=[metric])[metric]


def access_note(runs: Sequence[Run]) -> str:
    """What it costs to choose among runs by their test results; the comparison that is made now is counted already."""
    names = {name for run in runs for name in looks_of(run).compared_with}
    n = max(len(names), len(runs))
    if len(runs) < 2:
        return ""
    return (
        f"Test results of {n} runs have been compared so far. If you choose one of them for its test result, that "
        f"result is too good: of {n} equally good runs, one is best by chance. Choose by validation results, or keep "
        "an external test set for the end."
    )
