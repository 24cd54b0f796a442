"""Report sections by group and by subgroup."""

from coverslip.evaluation import Metric, SubgroupScores
from coverslip.messages import text
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.tables import Cell, Estimate, below_values, estimate
from coverslip.reports.words import count, listed

_FEW_GROUPS = 10
_TITLES = {
    "accuracy": ("Accuracy", "share of the groups that are classified correctly"),
    "balanced_accuracy": ("Balanced accuracy", "mean of that share over classes"),
    "sensitivity": ("Sensitivity", "share of the positive groups that are predicted as positive"),
    "specificity": ("Specificity", "share of the negative groups that are predicted as negative"),
    "ppv": ("PPV", "share of the groups predicted as positive that are"),
    "npv": ("NPV", "share of the groups predicted as negative that are"),
}


def _groups_text(run: ReportedRun) -> SectionText:
    decided = run.metrics.of_groups
    assert decided is not None, "the section is there only with them"
    words = [text("report-group-predictions", n_groups=decided.n)]
    if decided.n_mixed:
        words.append(text("report-mixed-groups", n_groups=decided.n_mixed))
    if decided.n_alone:
        words.append(text("report-images-without-group", n_images=decided.n_alone))
    if decided.n < _FEW_GROUPS:
        words.append(text("report-few-predicted-groups"))
    rows = [(_TITLES[name][0], estimate(metric), _TITLES[name][1]) for name, metric in decided.metrics.items()]
    if below := below_values(rows):
        words.append(below)
    return SectionText(words, ("metric", "value", "meaning"), rows, ("meaning",))


GROUPS = Section(
    name="groups",
    title="Metrics per group",
    order=340,
    subtitle=lambda run: "one prediction per patient, slide or well",
    applies=lambda run: run.metrics.of_groups is not None,
    text=_groups_text,
)


_COLUMNS = ("subgroup", "images", "groups", "accuracy", "difference in accuracy", "macro-F1", "difference in macro-F1")


def _subgroups_text(run: ReportedRun) -> SectionText:
    rows = [_row(name, scores) for name, scores in _each(run)]
    clear = [name for name, scores in _each(run) if not scores.is_small and _is_apart(scores.gaps["accuracy"])]
    small = [name for name, scores in _each(run) if scores.is_small]
    words = [text("report-subgroups")]
    if any(isinstance(cell, Estimate) and cell.interval for row in rows for cell in row):
        words.append(f"{below_values(rows)} {text('report-difference-includes-zero')}")
    if clear:
        words.append(text("report-significant-subgroups", subgroups=listed(clear)))
    if small:
        words.append(text("report-small-subgroups", subgroups=listed(small)))
    if lacking := [name for name, scores in _each(run) if scores.n_missing]:
        words.append(text("report-subgroups-without-class", subgroups=listed(lacking)))
    words.append(text("report-subgroup-proportions"))
    if len(rows) > 2:
        words.append(text("report-many-subgroups", n_rows=len(rows)))
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
        *([text("report-subgroup-lacks-classes", n_classes=scores.n_missing)] if scores.n_missing else []),
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
    text=_subgroups_text,
)
