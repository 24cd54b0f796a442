"""Does it work as well for all? The numbers by each column of the dataset's table, and the gaps."""

from coverslip.evaluation import Metric, SubgroupScores
from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import listed

_COLUMNS = ("subgroup", "images", "groups", "accuracy", "interval", "against all others", "interval")
_MACRO = ("macro-F1", "interval", "against all others", "interval")


def _text(run: ReportedRun) -> SectionText:
    rows = [_row(name, scores) for name, scores in _each(run)]
    clear = [name for name, scores in _each(run) if not scores.is_small and _is_apart(scores.gaps["accuracy"])]
    small = [name for name, scores in _each(run) if scores.is_small]
    words = [
        "Each row is the images with one value in a column of the dataset's table. “Against all others” is its number "
        "minus that of all other images, with an interval of that difference; one that holds 0 can be luck."
    ]
    if clear:
        words.append(f"Beyond luck, as far as one comparison goes, accuracy differs for {listed(clear)}.")
    if small:
        words.append(f"Few images or groups (below 20 or 5), so that their rows say little: {listed(small)}.")
    if len(rows) > 2:
        words.append(
            f"Of {len(rows)} rows, one in twenty differs by luck alone. Where subgroups hold classes in other shares, "
            "numbers differ for that reason too."
        )
    return SectionText(words, (*_COLUMNS, *_MACRO), rows)


def _each(run: ReportedRun) -> list[tuple[str, SubgroupScores]]:
    return [
        (f"{column}: {value or '(empty)'}", scores)
        for column, by_value in run.metrics.by_column.items()
        for value, scores in by_value.items()
    ]


def _row(name: str, scores: SubgroupScores) -> list[str]:
    n_groups = "–" if scores.n_groups is None else str(scores.n_groups)
    numbers = [
        cell
        for metric in ("accuracy", "macro_f1")
        for number in (scores.metrics[metric], scores.gaps[metric])
        for cell in content.shown(number)
    ]
    return [f"{name}{' (few)' if scores.is_small else ''}", f"{scores.n:,}", n_groups, *numbers]


def _is_apart(gap: Metric) -> bool:
    return gap.low is not None and gap.high is not None and not gap.low <= 0 <= gap.high


SUBGROUPS = Section(
    name="subgroups",
    title="Does it work as well for all?",
    order=350,
    subtitle=lambda run: f"by {listed(list(run.metrics.by_column))}",
    applies=lambda run: bool(run.metrics.by_column),
    text=_text,
)
