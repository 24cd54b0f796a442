"""Comparison of several runs, each with the first on the test images of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.evaluation.comparison import SAME_PREDICTIONS, McNemar, PairedDifference, mcnemar
from coverslip.evaluation.results import Metric, values_by_field
from coverslip.evaluation.table import METRICS, scored_metrics, value_with_groups
from coverslip.messages import localized_number, text
from coverslip.notebooks import html_table
from coverslip.reports import reported
from coverslip.reports.blocks import SectionContent, SectionText
from coverslip.reports.common_images import ChangedImages, CommonImages, changed_images, common_images
from coverslip.reports.differences import Differing, differences_between
from coverslip.reports.metric_rows import Cell, estimate, is_bound, shown, upper_end
from coverslip.reports.reported import without_results
from coverslip.runs.folder import Run, count_comparison, open_run, read_test_set_accesses

Labels = Literal["both", "first", "second"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Accuracy and F1 of the most probable class on training and validation images, by the selected network.

    A value is None if it was not measured.
    """

    train_accuracy: float | None
    train_f1: float | None
    val_accuracy: float | None
    val_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun(DocumentedFields):
    """A run, or an evaluation of a run, in a comparison."""

    run_id: str
    name: str
    is_evaluation: bool
    """Measured on an external test set, not on its own test set."""
    model: str
    n: int
    """Number of images that the run was measured on."""
    metrics: Mapping[str, Metric]
    fit: Fit
    n_adapted_labels: int
    """Labels of the laboratory that the classifier was adapted to; 0: it was not adapted, or without labels."""
    adapted_accuracy: Metric | None
    """Accuracy in the laboratory that the classifier was adapted to; null: it was not adapted, or without labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(PairedDifference):
    """A metric of the second run minus that of the first run, on their common images."""

    name: str
    """Of the metric."""
    first: float | None
    """Value of the first run on the common images."""
    second: float | None

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersByLabels(DocumentedFields):
    """The differences in metrics, by one set of labels."""

    labels: Labels
    """`both`: the labels of both runs are the same. `first`, `second`: the labels of that run."""
    differences: list[Difference]
    mcnemar: McNemar
    """Numbers of images that only one run classifies correctly; without groups, with the exact McNemar test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(DocumentedFields):
    """The first run and another run, on their common images."""

    first: str
    """`run_id` of the first run."""
    second: str
    """The ID of the second run."""
    n: int
    n_groups: int | None
    """Null if no groups are known."""
    n_ungrouped: int
    """Images without a group; 0 if no groups are known."""
    n_by_content: int
    """Number of the n images that were matched by equal pixels, because their files differ."""
    n_only_first: int
    """Number of images that only the first run was measured on."""
    n_only_second: int
    """Images that only the second run has."""
    n_relabeled: int
    """Number of images with a different label in the second run."""
    has_same_rule: bool
    """Whether both runs use the same decision rule. If not, the rule affects the differences."""
    numbers: list[NumbersByLabels]
    """One entry if all labels are the same; otherwise one by the labels of each run."""
    changed: ChangedImages | None
    """Null if the runs have no images or no classes in common."""
    notes: list[str]


def conclusion(rows: Sequence[ComparedRun], pairs: Sequence[Pair], runs: Sequence[Run], primary: str) -> str:
    """Return which run has the better primary metric, by how much, and whether that is statistically significant.

    Args:
        rows, pairs: rows and pairs of the comparison.
        runs: the same runs, in the same order.
        primary: the metric.

    Returns:
        A sentence or two for each pair, or one for all runs if they have the same test images; empty if the runs cannot
        be compared.
    """
    of_several = _conclusion_of_several(runs, [row.name for row in rows], primary) if len(runs) > 2 else ""
    name_of = {row.run_id: row.name for row in rows}
    of_pairs = (_conclusion_of_pair(pair, name_of[pair.first], name_of[pair.second], primary) for pair in pairs)
    there = (_conclusion_there(run, row.name) for run, row in zip(runs, rows, strict=True) if not run.is_evaluation)
    return " ".join(filter(None, [of_several, *([] if of_several else of_pairs), *there]))


def _conclusion_there(run: Run, name: str) -> str:
    """Return how many labels of the other laboratory an adapted classifier predicts right, and the first one did."""
    adapted = run.adaptation
    if adapted is None or adapted.n_right is None or adapted.n_right_before is None:
        return ""
    return text(
        "comparison-there",
        name=name,
        n_labels=adapted.n_labels,
        n_right=adapted.n_right,
        n_right_before=adapted.n_right_before,
    )


def _conclusion_of_pair(pair: Pair, first: str, second: str, primary: str) -> str:
    row = next((row for row in pair.numbers[0].differences if row.name == primary), None) if pair.numbers else None
    if row is None or row.value is None:
        return ""
    sentences = [_conclusion_of_two(row, first, second, pair)]
    for by_other_labels in pair.numbers[1:]:
        of_other = next(each for each in by_other_labels.differences if each.name == primary)
        of_first, of_second = (reported.number(each, of_other.digits) for each in (of_other.first, of_other.second))
        sentences.append(text("comparison-by-second-labels", first=of_first, second=of_second))
    if not pair.has_same_rule:
        sentences.append(text("comparison-different-rules"))
    return " ".join(sentences)


def _conclusion_of_two(row: Difference, first: str, second: str, pair: Pair) -> str:
    parameters = {
        "n_images": pair.n,
        "by_labels": reported.by_labels(pair.numbers[0].labels),
        "metric": METRICS[row.name].title,
        "first": first,
        "second": second,
        "of_first": reported.number(row.first, row.digits),
        "of_second": reported.number(row.second, row.digits),
    }
    if row.reason == SAME_PREDICTIONS:
        return text("comparison-same-predictions", **parameters)
    if row.low is None or row.high is None:
        return text("comparison-not-tested", reason=row.reason or "", **parameters)
    # The sign is that of the table: the second run minus the first.
    size = reported.signed(row.value or 0, row.digits)
    ends = reported.range_words(reported.signed(row.low, row.digits), reported.signed(row.high, row.digits))
    interval = text("report-confidence-interval", interval=ends)
    if row.p is not None:
        interval = f"{interval}, {reported.p_words(row.p)}"
    if row.is_significant:
        return text(
            "comparison-better", is_second_better=_is_second_better(row), size=size, interval=interval, **parameters
        )
    return text("comparison-not-significant", size=size, interval=interval, **parameters)


def _is_second_better(row: Difference) -> bool:
    return (row.value or 0) >= 0 if METRICS[row.name].better == "higher" else (row.value or 0) < 0


def _conclusion_of_several(runs: Sequence[Run], names: Sequence[str], primary: str) -> str:
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
            difference = _difference_to_best(run, runs[best], record.name)
            if difference is None:
                return ""
            is_significant = difference.low is not None and difference.high is not None
            is_significant = is_significant and not (difference.low or 0) <= 0 <= (difference.high or 0)
            (significant if is_significant else not_significant).append(text("report-quoted", name=name))
    return text(
        "comparison-of-several",
        best=names[best],
        metric=record.title,
        value=reported.number(values[best]),
        n_significant=len(significant),
        significant=reported.listed(significant),
        n_not_significant=len(not_significant),
        not_significant=reported.listed(not_significant),
    )


def _difference_to_best(run: Run, best: Run, metric: str) -> Metric | None:
    """Return the difference in the metric; None if the test images or their labels are not the same."""
    common = common_images(run, best)
    if common.n_only_first or common.n_only_second or (common.first_label != common.second_label).any():
        return None
    return common.differences(common.first_label, [metric])[metric]


def access_note(runs: Sequence[Run], *, has_validation: bool) -> str:
    """Return how selection by test results biases them; the current comparison is already counted.

    Args:
        runs: The trainings that were compared.
        has_validation: Whether each has validation results, by which a user can choose instead.
    """
    names = {name for run in runs for name in read_test_set_accesses(run).compared_with}
    n = max(len(names), len(runs))
    if len(runs) < 2:
        return ""
    return text("comparison-access-note", n_runs=n, has_validation=has_validation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(DocumentedFields):
    """Compared runs: their differences in settings and data, and each run against the first."""

    rows: list[ComparedRun]
    differing: list[Differing]
    pairs: list[Pair]
    conclusion: str
    """Which run has the better primary metric, and by how much; empty if they are not comparable."""
    access_note: str
    """How selecting a run by test results biases these results; empty for evaluations."""
    primary: str
    """Name of the metric of the conclusion."""

    def _repr_html_(self) -> str:
        """Return the conclusion and the sections as HTML, for notebooks."""
        conclusion, access = (
            f"<p>{escape(sentence)}</p>" if sentence else "" for sentence in (self.conclusion, self.access_note)
        )
        tables = [
            html_table(section.title, block.columns, [[*map(shown, row)] for row in block.rows], " ".join(block.words))
            if block.rows
            else f"<p>{escape(' '.join(block.words))}</p>"
            for section in comparison_sections(self)
            for block in section.blocks
            if isinstance(block, SectionText)
        ]
        return conclusion + "".join(tables) + access


def comparison_sections(comparison: Comparison) -> list[SectionContent]:
    """Return the sections of a comparison: each run against the first, what differs, and the metrics of each run."""
    names = {row.run_id: row.name for row in comparison.rows}
    settings = [(row.title, *row.values) for row in comparison.differing]
    words, columns = [] if settings else [text("comparison-no-difference")], ("", *names.values())
    differing = SectionText(words, columns, settings, columns[1:])
    return [
        *(_pair_section(pair, names, comparison.primary) for pair in comparison.pairs),
        SectionContent(text("comparison-differences"), [differing], "differing"),
        SectionContent(text("comparison-runs"), _blocks_of_runs(comparison), "runs"),
    ]


def _pair_section(pair: Pair, names: Mapping[str, str], primary: str) -> SectionContent:
    first, second = names[pair.first], names[pair.second]
    columns = (text("column-metric"), first, second, reported.with_interval(text("column-difference")), "p")
    blocks: list[SectionText] = [SectionText(pair.notes)]
    for numbers in pair.numbers:
        rows = {
            row.name: (
                METRICS[row.name].title,
                reported.number(row.first, row.digits),
                reported.number(row.second, row.digits),
                estimate(row, is_signed=True),
                reported.p_value(row.p),
            )
            for row in numbers.differences
        }
        test = numbers.mcnemar
        counts = text(
            "comparison-mcnemar",
            first=first,
            second=second,
            n_first=test.n_first,
            n_second=test.n_second,
            has_p=test.p is not None,
            p="" if test.p is None else localized_number(f"{test.p:.3g}"),
        )
        by_labels = "" if numbers.labels == "both" else text("comparison-labels", labels=numbers.labels)
        blocks += _with_further(rows, primary, columns, by_labels, [counts])
    common = text(
        "comparison-common-images", n_images=pair.n, n_groups=pair.n_groups or 0, n_ungrouped=pair.n_ungrouped
    )
    return SectionContent(text("comparison-pair", first=first, second=second), blocks, "pair", common if pair.n else "")


def _with_further(
    rows: Mapping[str, Sequence[Cell]],
    primary: str,
    columns: Sequence[str],
    heading: str = "",
    words: Sequence[str] = (),
) -> list[SectionText]:
    """Return the rows of the headline metrics as a table, and the others as one that is shown on request."""
    headline = [row for name, row in rows.items() if name == primary or METRICS[name].is_headline]
    further = [row for name, row in rows.items() if name != primary and not METRICS[name].is_headline]
    first = SectionText(words, columns, headline, heading=heading)
    return [first, *([SectionText((), columns, further, summary=text("report-further-metrics"))] if further else [])]


def _blocks_of_runs(comparison: Comparison) -> list[SectionText]:
    """Return the metrics of each run on its own images, and those on training and validation images."""
    runs = comparison.rows
    columns = (text("column-metric"), *(row.name for row in runs))
    values = {
        name: [getattr(row.fit, name) for row in runs]
        for name in ("train_accuracy", "train_f1", "val_accuracy", "val_f1")
    }
    fits: list[Sequence[Cell]] = [
        (text("comparison-fit", metric=name), *map(reported.number, fit))
        for name, fit in values.items()
        if any(value is not None for value in fit)
    ]
    rows: dict[str, Sequence[Cell]] = {
        name: (METRICS[name].title, *(_metric_cell(row, name) for row in runs))
        for name in METRICS
        if any(name in row.metrics for row in runs)
    }
    sizes: Sequence[Cell] = (text("column-images"), *(row.n for row in runs))
    there: list[Sequence[Cell]] = []
    if any(row.n_adapted_labels for row in runs):
        there = [
            (text("comparison-adapted-labels"), *(row.n_adapted_labels or "–" for row in runs)),
            (
                text("accuracy-after-adaptation"),
                *(estimate(row.adapted_accuracy or Metric(value=None)) for row in runs),
            ),
        ]
    return [
        SectionText((), columns, [sizes, *fits, *there]),
        *_with_further(rows, comparison.primary, columns, words=[text("comparison-overlap")]),
    ]


def _metric_cell(run: ComparedRun, name: str) -> Cell:
    metric = run.metrics.get(name, Metric(value=None))
    return upper_end(metric, metric.digits) if is_bound(name, metric.low) else estimate(metric)


MOST_RUNS = 20


def compare(
    runs: Sequence[Run | Path | str],
    names: Sequence[tuple[str, str]] = (),
) -> Comparison:
    """Compare runs; the first is the reference for all others.

    Args:
        runs: two or more that have been measured, or their folders; or evaluations on external test sets.
        names: an ID and a name for each run; default: the name of its folder.

    Raises:
        BadRun: a folder is not a run, or has no metrics yet.
        CoverslipError: fewer than two runs, more than `MOST_RUNS`, or a run twice.

    Examples:
        >>> comparison = cs.compare(["runs/first", "runs/second"])
        >>> [row.title for row in comparison.differing]
        [...'Seed'...]
        >>> len(comparison.pairs)
        1
    """
    opened = [_opened_run(run) for run in runs]
    if not 2 <= len(opened) <= MOST_RUNS:
        raise CoverslipError("number-of-compared-runs", n_runs=len(opened), most=MOST_RUNS)
    for run in opened:
        if not run.is_measured:
            raise without_results(run)
    ids_and_names = list(names) or _folder_names([run.folder for run in opened])
    rows = [_compared_run(run, *name) for run, name in zip(opened, ids_and_names, strict=True)]
    pairs = [_pair(opened[0], run, rows[0], row) for run, row in zip(opened[1:], rows[1:], strict=True)]
    primary = opened[0].metrics.primary
    shared = [run for run, pair in zip(opened[1:], pairs, strict=True) if pair.n and not run.is_evaluation]
    for run in (opened[0], *shared) if shared and not opened[0].is_evaluation else ():
        run_name = run.folder.resolve().name
        folder_names = [compared_run.folder.resolve().name for compared_run in (opened[0], *shared)]
        count_comparison(run, [name for name in folder_names if name != run_name])
    return Comparison(
        rows=rows,
        differing=differences_between([_training_of(run) for run in opened]),
        pairs=pairs,
        conclusion=conclusion(rows, pairs, opened, primary),
        access_note=access_note(
            [run for run in (opened[0], *shared) if not run.is_evaluation],
            has_validation=all(row.fit.val_f1 is not None for row in rows if not row.is_evaluation),
        ),
        primary=primary,
    )


def _opened_run(run: Run | Path | str) -> Run:
    if isinstance(run, Run):
        return run
    opened_run = Run(Path(run))
    return opened_run if opened_run.is_evaluation and opened_run.is_measured else open_run(run)


def _folder_names(folders: Sequence[Path]) -> list[tuple[str, str]]:
    """Return the folders' names, or whole paths if two names are equal."""
    short = [folder.resolve().name for folder in folders]
    unique_names = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    if len(set(unique_names)) < len(unique_names):
        raise CoverslipError("run-compared-twice")
    return [(name, name) for name in unique_names]


def _compared_run(run: Run, run_id: str, name: str) -> ComparedRun:
    evaluation, adapted = run.metrics, None if run.is_evaluation else run.adaptation
    return ComparedRun(
        run_id=run_id,
        name=name,
        is_evaluation=run.is_evaluation,
        model=_training_of(run).recipe.model,
        n=evaluation.n,
        metrics=evaluation.metrics,
        fit=_fit(run),
        n_adapted_labels=adapted.n_labels if adapted else 0,
        adapted_accuracy=adapted.accuracy if adapted else None,
    )


def _training_of(run: Run) -> Run:
    """Return the training that an evaluation belongs to; else the run itself."""
    return run.parent_run if run.is_evaluation else run


def _fit(run: Run) -> Fit:
    """Return the fit of the selected network; empty after cross-validation, in which each fold has a network."""
    record = None if run.is_cross_validated or run.is_evaluation else run.training
    if record is None:
        return Fit(train_accuracy=None, train_f1=None, val_accuracy=None, val_f1=None)
    selected_epoch = next((epoch for epoch in run.history if epoch.epoch == record.selected_epoch), None)
    finetuned_epoch = selected_epoch if record.chosen == "finetune" else None
    values = _on_validation_images(run)
    return Fit(
        train_accuracy=None if finetuned_epoch is None else finetuned_epoch.train_accuracy,
        train_f1=None if finetuned_epoch is None else finetuned_epoch.train_f1,
        val_accuracy=values.get("accuracy"),
        val_f1=values.get("macro_f1"),
    )


def _on_validation_images(run: Run) -> dict[str, float]:
    """Return validation metrics of the most probable class: a threshold chosen on these images is biased."""
    if not run.validation_file.is_file():
        return {}
    rows = run.validation.measured()
    if not rows.rows:
        return {}
    values = {
        name: METRICS[name].value(rows.probability, rows.label, rows.probability.argmax(axis=1))
        for name in ("accuracy", "macro_f1")
    }
    return {name: float(value) for name, value in values.items() if not np.isnan(value)}


def _pair(first: Run, second: Run, first_row: ComparedRun, second_row: ComparedRun) -> Pair:
    pair = Pair(
        first=first_row.run_id,
        second=second_row.run_id,
        n=0,
        n_groups=None,
        n_ungrouped=0,
        n_by_content=0,
        n_only_first=first_row.n,
        n_only_second=second_row.n,
        n_relabeled=0,
        has_same_rule=_rule_of(first) == _rule_of(second),
        numbers=[],
        changed=None,
        notes=[],
    )
    if set(first.predictions.classes) != set(second.predictions.classes):
        return replace(pair, notes=[text("comparison-different-classes")])
    common = common_images(first, second)
    is_adapted = any(run.adaptation is not None for run in (first, second) if not run.is_evaluation)
    groups = common.n_of_groups
    n, n_relabeled = len(common.first_label), int((common.first_label != common.second_label).sum())
    return replace(
        pair,
        n=n,
        n_groups=None if groups is None else groups.n_groups,
        n_ungrouped=0 if groups is None else groups.n_ungrouped,
        n_by_content=common.n_by_content,
        n_only_first=common.n_only_first,
        n_only_second=common.n_only_second,
        n_relabeled=n_relabeled,
        numbers=_numbers_by_labels(common, n_relabeled) if n else [],
        changed=changed_images(common) if n else None,
        notes=[
            *([text("comparison-at-home")] if is_adapted else []),
            *_notes(
                common,
                n,
                n_relabeled,
                has_same_rule=pair.has_same_rule,
                has_folds=any(run.is_cross_validated and not run.is_evaluation for run in (first, second)),
            ),
        ],
    )


def _rule_of(run: Run) -> tuple[object, ...]:
    """Return the rule by which a run predicts a class; a target is included only if the rule uses it."""
    recipe = _training_of(run).recipe
    if recipe.decide_by in ("sensitivity", "specificity"):
        return recipe.decide_by, recipe.target, run.metrics.positive_class
    if recipe.decide_by == "threshold":
        return recipe.decide_by, recipe.threshold, run.metrics.positive_class
    return (recipe.decide_by,)


def _numbers_by_labels(common: CommonImages, n_relabeled: int) -> list[NumbersByLabels]:
    if not n_relabeled:
        return [_by_labels(common, "both", common.first_label)]
    return [_by_labels(common, "first", common.first_label), _by_labels(common, "second", common.second_label)]


def _by_labels(common: CommonImages, labels: Labels, label: np.ndarray) -> NumbersByLabels:
    first, second = common.first, common.second
    differences = common.differences(label, scored_metrics())
    return NumbersByLabels(
        labels=labels,
        differences=[_difference(name, differences[name], common, label) for name in scored_metrics()],
        mcnemar=mcnemar(first.predicted == label, second.predicted == label, are_independent=common.group is None),
    )


def _difference(name: str, metric: PairedDifference, common: CommonImages, label: np.ndarray) -> Difference:
    values = [
        value_with_groups(name, answers.probability, label, answers.predicted, common.group)
        for answers in (common.first, common.second)
    ]
    of_first, of_second = (None if np.isnan(value) else float(value) for value in values)
    return Difference(**values_by_field(metric), name=name, first=of_first, second=of_second)


def _notes(common: CommonImages, n: int, n_relabeled: int, *, has_same_rule: bool, has_folds: bool) -> list[str]:
    if not n:
        return [text("comparison-no-common-image")]
    notes = []
    if not has_same_rule:
        notes.append(text("comparison-different-rules-note"))
    if common.n_by_content:
        notes.append(text("comparison-matched-by-pixels", n_matched=common.n_by_content, n_images=n))
    if common.n_only_first or common.n_only_second:
        notes.append(text("comparison-different-test-sets", n_images=n))
    if n_relabeled:
        notes.append(text("comparison-relabeled", n_relabeled=n_relabeled, n_images=n))
    if common.n_of_groups is None:
        notes.append(text("comparison-without-groups"))
    if has_folds:
        notes.append(text("comparison-of-folds"))
    return notes
