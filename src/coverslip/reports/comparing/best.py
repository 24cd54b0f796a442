"""Which of several runs is best, as far as the test images that all have measured can tell."""

from collections.abc import Sequence

from coverslip.evaluation import METRICS, Metric, paired_differences
from coverslip.reports import words
from coverslip.reports.comparing.common import common_images
from coverslip.runs import Run
from coverslip.runs.log.looks import looks_of


def best_words(runs: Sequence[Run], names: Sequence[str]) -> list[str]:
    """Which has the best primary metric, and whether that is more than chance; nothing of runs that cannot be compared.

    Args:
        runs: two or more; the first one's primary metric counts.
        names: of them.
    """
    record = METRICS[runs[0].metrics.primary]
    values = [run.metrics.metrics[record.name].value for run in runs]
    if any(set(run.metrics.classes) != set(runs[0].metrics.classes) for run in runs) or None in values:
        return []
    scores = [record.as_higher_is_better(value) for value in values if value is not None]
    best = scores.index(max(scores))
    doubtful = []
    for k, (run, name) in enumerate(zip(runs, names, strict=True)):
        if k != best:
            difference = _difference(run, runs[best], record.name)
            if difference is None:
                return []
            if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
                doubtful.append(name)
    number = f"{names[best]} has the best {record.title} on test images ({words.number(values[best])})"
    if not doubtful:
        more = " (each interval taken by itself)" if len(runs) > 2 else ""
        return [f"{number}: better than {words.listed(_others(names, best))} by more than chance{more}."]
    return [f"{number}, but no best one is shown: the difference from {words.listed(doubtful)} could be chance."]


def _others(names: Sequence[str], best: int) -> list[str]:
    return [name for k, name in enumerate(names) if k != best]


def _difference(run: Run, best: Run, metric: str) -> Metric | None:
    """None where they have no images in common, or labels differ."""
    common = common_images(run, best)
    if not len(common.first_label) or (common.first_label != common.second_label).any():
        return None
    return paired_differences(common.first, common.second, common.first_label, common.group, metrics=[metric])[metric]


def looks_words(runs: Sequence[Run]) -> list[str]:
    """What it costs to choose among runs by their test numbers; the comparison that is made now is counted already."""
    names = {name for run in runs for name in looks_of(run).compared_with}
    n = max(len(names), len(runs))
    if len(runs) < 2:
        return []
    return [
        f"Test numbers of {n} trainings were set side by side by now. If one is chosen because of them, its number is "
        f"too good: of {n} equally good ones one looks best by luck. Choose by validation numbers, or keep further "
        "images aside for the end."
    ]
