"""The metrics of subgroups, by each column of the dataset's table, and their differences from the other images."""

from coverslip.evaluation import Metric, SubgroupScores
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.tables import Cell, Estimate, below_values, estimate
from coverslip.reports.words import count, listed, plural

_COLUMNS = ("subgroup", "images", "groups", "accuracy", "difference in accuracy", "macro-F1", "difference in macro-F1")


def _text(run: ReportedRun) -> SectionText:
    rows = [_row(name, scores) for name, scores in _each(run)]
    clear = [name for name, scores in _each(run) if not scores.is_small and _is_apart(scores.gaps["accuracy"])]
    small = [name for name, scores in _each(run) if scores.is_small]
    words = [
        "Each row covers the images with one value in a column of the dataset's table. A difference is the row's value "
        "minus the value of all other images."
    ]
    if any(isinstance(cell, Estimate) and cell.interval for row in rows for cell in row):
        words.append(f"{below_values(rows)} A difference whose CI includes 0 is not statistically significant.")
    if clear:
        words.append(f"Taken by itself, the difference in accuracy is statistically significant for {listed(clear)}.")
    if small:
        words.append(f"Fewer than 20 images or 5 groups, so interpret with care: {listed(small)}.")
    if lacking := [name for name, scores in _each(run) if scores.n_missing]:
        words.append(
            f"These have no image of some classes, so their macro-F1 is a mean over fewer classes: {listed(lacking)}."
        )
    words.append("Subgroups with other class proportions differ for that reason too.")
    if len(rows) > 2:
        words.append(f"With {len(rows)} rows, one in twenty differences is significant by chance.")
    return SectionText(words, _COLUMNS, rows)


def _each(run: ReportedRun) -> list[tuple[str, SubgroupScores]]:
    return [
        (f"{column}: {value or '(empty)'}", scores)
        for column, by_value in run.metrics.by_column.items()
        for value, scores in by_value.items()
    ]


def _row(name: str, scores: SubgroupScores) -> list[Cell]:
    n_groups = "–" if scores.n_groups is None else count(scores.n_groups)
    numbers = [
        cell
        for metric in ("accuracy", "macro_f1")
        for cell in (estimate(scores.metrics[metric]), estimate(scores.gaps[metric], is_signed=True))
    ]
    marks = [
        *(["few"] if scores.is_small else []),
        *([f"lacks {plural(scores.n_missing, 'class')}"] if scores.n_missing else []),
    ]
    return [f"{name} ({', '.join(marks)})" if marks else name, count(scores.n), n_groups, *numbers]


def _is_apart(gap: Metric) -> bool:
    return gap.low is not None and gap.high is not None and not gap.low <= 0 <= gap.high


SUBGROUPS = Section(
    name="subgroups",
    title="Subgroups",
    order=350,
    subtitle=lambda run: f"by {listed(list(run.metrics.by_column))}",
    applies=lambda run: bool(run.metrics.by_column),
    text=_text,
)
