"""Runs side by side, and each against the first on the images that both have measured."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from coverslip.errors import BadRun, CoverslipError
from coverslip.evaluation import METRICS, Answers, McNemar, Metric, mcnemar, paired_differences, scored_metrics
from coverslip.frames import html_table
from coverslip.reports import words
from coverslip.reports.comparing.best import best_words, looks_words
from coverslip.reports.comparing.common import CommonImages, common_images
from coverslip.reports.comparing.differing import Differing, what_differs
from coverslip.reports.comparing.published import Published, read_published
from coverslip.reports.content import Measured, measured
from coverslip.runs import Run, open_run
from coverslip.runs.log.looks import count_comparison

MOST_RUNS = 20
Labels = Literal["both", "first", "second"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How the kept network did on its own training and validation images; null where that was not measured."""

    train_accuracy: float | None
    train_f1: float | None
    val_accuracy: float | None
    val_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A run beside others."""

    run_id: str
    name: str
    model: str
    n: Annotated[int, Field(description="Images that it was measured on.")]
    classes: tuple[str, ...]
    metrics: list[Measured]
    fit: Fit
    confusion: Annotated[
        tuple[tuple[int, ...], ...], Field(description="Rows are the true class, columns the predicted one.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Measured):
    """A metric of the second run minus that of the first, on the images that both have measured."""

    first: Annotated[float | None, Field(description="Of the first run, on these images.")]
    second: float | None
    is_shown: Annotated[bool, Field(description="The interval leaves out zero: chance alone rarely does that.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersByLabels:
    """The differences by one set of labels."""

    labels: Annotated[
        Labels, Field(description="`both`: they have the same ones; else those that one of the runs was measured with.")
    ]
    differences: list[Difference]
    mcnemar: Annotated[
        McNemar, Field(description="Images that only one of them named rightly, and the exact test of that.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The first run and another one, on the images that both have measured."""

    first: Annotated[str, Field(description="Its run_id.")]
    second: str
    n: int
    n_groups: int | None
    n_only_first: Annotated[int, Field(description="Images that only the first run was measured on.")]
    n_only_second: int
    n_relabelled: Annotated[int, Field(description="Images that have another label in the second run.")]
    numbers: Annotated[
        list[NumbersByLabels],
        Field(description="By the labels of both; where some differ, by the first run's and by the second's."),
    ]
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs side by side: what differed, and each against the first."""

    rows: list[ComparedRun]
    differing: list[Differing]
    pairs: list[Pair]
    words: Annotated[
        list[str], Field(description="Which is best, as far as test numbers can tell, and what they cost.")
    ]
    published: Annotated[
        list[Published], Field(description="Figures from elsewhere, of other images: not tested against these.")
    ]

    def _repr_html_(self) -> str:
        """What differed, and the differences, for notebooks."""
        names = [row.name for row in self.rows]
        differed = html_table("What differed", ["", *names], [(row.title, *row.values) for row in self.differing])
        told = "".join(f"<p>{escape(text)}</p>" for text in self.words)
        return differed + "".join(_pair_as_html(pair) for pair in self.pairs) + told


def compare(
    runs: Sequence[Run | Path | str],
    names: Sequence[tuple[str, str]] = (),
    *,
    published: Path | str | Sequence[Published] = (),
) -> Comparison:
    """Runs side by side; the first is what the others are compared with.

    Args:
        runs: two or more that have been measured, or their folders.
        names: an id and a name for each; default: the folder's name.
        published: figures from elsewhere to stand beside them, or a table of them (see `read_published`).

    Raises:
        BadRun: one is no run, or has no numbers yet.
        CoverslipError: fewer than two, too many, or one of them twice; published figures cannot be understood.
    """
    opened = [run if isinstance(run, Run) else open_run(run) for run in runs]
    if not 2 <= len(opened) <= MOST_RUNS:
        raise CoverslipError("Two runs or more can be compared", do=f"Choose 2 to {MOST_RUNS} of them.")
    for run in opened:
        if not run.is_measured:
            raise BadRun("This run has no numbers yet", file=run.folder, do="Let it finish, or resume it.")
    called = list(names) or _names([run.folder for run in opened])
    rows = [_row(run, *name) for run, name in zip(opened, called, strict=True)]
    pairs = [_pair(opened[0], run, rows[0], row) for run, row in zip(opened[1:], rows[1:], strict=True)]
    shared = [run for run, pair in zip(opened[1:], pairs, strict=True) if pair.n]
    for run in (opened[0], *shared) if shared else ():
        own = run.folder.resolve().name
        others = [other.folder.resolve().name for other in (opened[0], *shared)]
        count_comparison(run, [name for name in others if name != own])
    return Comparison(
        rows=rows,
        differing=what_differs(opened),
        pairs=pairs,
        words=[*best_words(opened, [row.name for row in rows]), *looks_words([opened[0], *shared])],
        published=read_published(Path(published)) if isinstance(published, str | Path) else list(published),
    )


def _names(folders: Sequence[Path]) -> list[tuple[str, str]]:
    """The folders' names, or whole paths where two have the same."""
    short = [folder.resolve().name for folder in folders]
    shown = short if len(set(short)) == len(short) else [str(folder) for folder in folders]
    if len(set(shown)) < len(shown):
        raise CoverslipError("A run is named twice", do="Name each run once.")
    return [(name, name) for name in shown]


def _row(run: Run, run_id: str, name: str) -> ComparedRun:
    evaluation = run.metrics
    return ComparedRun(
        run_id=run_id,
        name=name,
        model=run.recipe.model,
        n=evaluation.n,
        classes=evaluation.classes,
        metrics=[measured(each, metric) for each, metric in evaluation.metrics.items() if each in METRICS],
        fit=_fit(run),
        confusion=evaluation.confusion_matrix,
    )


def _fit(run: Run) -> Fit:
    """Of the network that is kept; of folds, which have a network each, nothing."""
    record = None if run.is_cross_validated else run.training
    if record is None:
        return Fit(train_accuracy=None, train_f1=None, val_accuracy=None, val_f1=None)
    kept = next((epoch for epoch in run.history if epoch.epoch == record.kept_epoch), None)
    if record.chosen == "finetune" and kept is not None:
        return Fit(
            train_accuracy=kept.train_accuracy,
            train_f1=kept.train_f1,
            val_accuracy=kept.val_accuracy,
            val_f1=kept.val_f1,
        )
    stage = record.instant
    val = (None, None) if stage is None else (stage.val_accuracy, stage.val_macro_f1)
    return Fit(train_accuracy=None, train_f1=None, val_accuracy=val[0], val_f1=val[1])


def _pair(first: Run, second: Run, first_row: ComparedRun, second_row: ComparedRun) -> Pair:
    pair = Pair(
        first=first_row.run_id,
        second=second_row.run_id,
        n=0,
        n_groups=None,
        n_only_first=first_row.n,
        n_only_second=second_row.n,
        n_relabelled=0,
        numbers=[],
        notes=[],
    )
    if set(first.predictions.classes) != set(second.predictions.classes):
        return replace(pair, notes=["They tell different classes apart, so their numbers answer different questions."])
    common = common_images(first, second)
    n, n_relabelled = len(common.first_label), int((common.first_label != common.second_label).sum())
    return replace(
        pair,
        n=n,
        n_groups=common.n_groups,
        n_only_first=common.n_only_first,
        n_only_second=common.n_only_second,
        n_relabelled=n_relabelled,
        numbers=_numbers(common, n_relabelled) if n else [],
        notes=_notes(common, n, n_relabelled, has_folds=first.is_cross_validated or second.is_cross_validated),
    )


def _numbers(common: CommonImages, n_relabelled: int) -> list[NumbersByLabels]:
    if not n_relabelled:
        return [_by_labels(common, "both", common.first_label)]
    return [_by_labels(common, "first", common.first_label), _by_labels(common, "second", common.second_label)]


def _by_labels(common: CommonImages, labels: Labels, label: np.ndarray) -> NumbersByLabels:
    first, second = common.first, common.second
    found = paired_differences(first, second, label, common.group)
    return NumbersByLabels(
        labels=labels,
        differences=[_difference(name, found[name], first, second, label) for name in scored_metrics()],
        mcnemar=mcnemar(first.predicted == label, second.predicted == label),
    )


def _difference(name: str, metric: Metric, first: Answers, second: Answers, label: np.ndarray) -> Difference:
    values = [METRICS[name].value(each.probability, label, each.predicted) for each in (first, second)]
    of_first, of_second = (None if np.isnan(value) else float(value) for value in values)
    is_shown = metric.low is not None and metric.high is not None and not metric.low <= 0 <= metric.high
    told = asdict(measured(name, metric))
    return Difference(**told, first=of_first, second=of_second, is_shown=is_shown)


def _notes(common: CommonImages, n: int, n_relabelled: int, *, has_folds: bool) -> list[str]:
    if not n:
        return ["They were measured on different images: a difference may come from the images, not from the networks."]
    notes = []
    if common.n_only_first or common.n_only_second:
        notes.append(
            f"They were not measured on the same images: the differences are of the {words.plural(n, 'image')} that "
            "both have measured."
        )
    if n_relabelled:
        notes.append(
            f"{words.plural(n_relabelled, 'test image')} of {n:,} {'has' if n_relabelled == 1 else 'have'} another "
            "label in the second. Where labels were corrected after looking at mistakes, numbers by the new labels are "
            "too good: only what was called wrong was looked at again. The old labels' numbers are the fair ones."
        )
    if common.group is None:
        notes.append(
            "No groups were named: if several images come from one patient or slide, the intervals are too narrow."
        )
    if has_folds:
        notes.append(
            "Folds share training images, so the intervals are about these networks on new images, not about training "
            "again: small differences may turn round."
        )
    return notes


def _pair_as_html(pair: Pair) -> str:
    tables = [
        html_table(
            f"{pair.second} minus {pair.first}{words.by_labels(numbers.labels)}: {words.plural(pair.n, 'image')}",
            ["", pair.first, pair.second, "difference", "95 % interval"],
            [(row.title, row.first, row.second, row.value, interval(row)) for row in numbers.differences],
        )
        for numbers in pair.numbers
    ]
    return "".join([*tables, *(f"<p>{escape(note)}</p>" for note in pair.notes)])


def interval(row: Measured) -> str:
    """The ends of a difference's interval with their signs; empty where there is none."""
    return "" if row.low is None or row.high is None else f"{row.low:+.3f} to {row.high:+.3f}"
