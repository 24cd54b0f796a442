"""`coverslip compare`: compare runs, with the statistical significance of their difference."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from coverslip.cli._options import AsJson, argument, option
from coverslip.messages import text

if TYPE_CHECKING:
    from rich.console import Console

    from coverslip.reports.comparison import Comparison, NumbersByLabels, Pair


def compare(
    runs: Annotated[list[Path], argument("RUN RUN…", "help-compare-runs")],
    published: Annotated[Path | None, option("--published FILE", "help-compare-published")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs on the same test images.

    The difference has a 95% confidence interval (CI), computed over groups if groups are known. Paired differences are
    more precise than the two results, because both runs predict the same images. Overlapping intervals of single
    results do not show whether the two runs differ.

    Examples:

      coverslip compare runs/first runs/second

      coverslip compare runs/first runs/second --published papers.csv
    """
    from coverslip import pipeline
    from coverslip.cli._show import print_json, results_console

    comparison = pipeline.compare(runs, published=published or ())
    if as_json:
        print_json(_as_json(comparison))
    else:
        _show(results_console(), comparison)


def _as_json(comparison: "Comparison") -> dict[str, object]:
    field_names = ("value", "low", "high", "level", "method", "reason")
    pairs = [
        {
            "a": pair.first,
            "b": pair.second,
            "metric": row.name,
            "labels": numbers.labels,
            "difference": {name: getattr(row, name) for name in field_names},
            "a_value": row.first,
            "b_value": row.second,
            "p": row.p,
            "mcnemar_p": numbers.mcnemar.p,
            "n": pair.n,
            "n_groups": pair.n_groups,
            "n_by_content": pair.n_by_content,
        }
        for pair in comparison.pairs
        for numbers in pair.numbers
        for row in numbers.differences
    ]
    notes = [{"a": pair.first, "b": pair.second, "text": note} for pair in comparison.pairs for note in pair.notes]
    return {
        "format_version": 1,
        "runs": [{"run": row.name, "model": row.model, "n": row.n, **asdict(row.fit)} for row in comparison.rows],
        "differing": [asdict(differing) for differing in comparison.differing],
        "pairs": pairs,
        "notes": notes,
        "conclusion": comparison.conclusion,
        "access_note": comparison.access_note,
        "published": [asdict(figures) for figures in comparison.published],
    }


def _show(console: "Console", comparison: "Comparison") -> None:
    from coverslip.cli._show import filled_table

    for sentence in filter(None, (comparison.conclusion, *(note for pair in comparison.pairs for note in pair.notes))):
        console.print(sentence, soft_wrap=True)
    console.print(f"\n{text('comparison-differences')}", style="bold")
    names = [row.name for row in comparison.rows]
    differing = [(row.title, *row.values) for row in comparison.differing]
    if differing:
        console.print(filled_table(("", *names), differing, text_columns=names))
    else:
        console.print(text("command-no-difference"))
    _show_fit(console, comparison)
    for pair in comparison.pairs:
        for numbers in pair.numbers:
            _show_numbers(console, pair, numbers)
    if comparison.published:
        _show_published(console, comparison)
    if comparison.access_note:
        console.print(comparison.access_note, soft_wrap=True)


def _show_published(console: "Console", comparison: "Comparison") -> None:
    from coverslip.cli._show import filled_table
    from coverslip.datasets import one_line
    from coverslip.evaluation import METRICS
    from coverslip.reports.words import number

    console.print(f"\n{text('command-published')}", style="bold")
    names = [name for name in METRICS if any(name in figures.metrics for figures in comparison.published)]
    rows = []
    for row in comparison.rows:
        value_of = {metric.name: metric.value for metric in row.metrics}
        rows.append((row.name, *(number(value_of.get(name)) for name in names)))
    for figures in comparison.published:
        source = f" ({one_line(figures.source, 60)})" if figures.source else ""
        values = (number(figures.metrics.get(name)) for name in names)
        name = text("command-published-name", name=f"{one_line(figures.name, 60)}{source}")
        rows.append((name, *values))
    console.print(filled_table(("", *(METRICS[name].title for name in names)), rows))


def _show_fit(console: "Console", comparison: "Comparison") -> None:
    from coverslip.cli._show import filled_table
    from coverslip.reports.words import number

    values = {
        name: [getattr(row.fit, name) for row in comparison.rows]
        for name in ("train_accuracy", "train_f1", "val_accuracy", "val_f1")
    }
    rows = [
        (text("command-fit", metric=name), *map(number, fits))
        for name, fits in values.items()
        if any(fit is not None for fit in fits)
    ]
    if rows:
        console.print(filled_table(("", *(row.name for row in comparison.rows)), rows))


def _show_numbers(console: "Console", pair: "Pair", numbers: "NumbersByLabels") -> None:
    from coverslip.cli._show import filled_table
    from coverslip.reports.tables import estimate
    from coverslip.reports.words import by_labels, number, p_value, with_interval

    by = by_labels(numbers.labels)
    title = text("command-common-images", n_images=pair.n, n_groups=pair.n_groups or 0, by_labels=by)
    console.print(f"\n{title}", style="bold", soft_wrap=True)
    rows = [
        (
            row.title,
            number(row.first, row.digits),
            number(row.second, row.digits),
            estimate(row, is_signed=True),
            p_value(row.p),
        )
        for row in numbers.differences
    ]
    difference = with_interval(text("column-difference"))
    console.print(filled_table((text("column-metric"), pair.first, pair.second, difference, "p"), rows))
    test = numbers.mcnemar
    console.print(
        text(
            "command-mcnemar",
            first=pair.first,
            second=pair.second,
            n_first=test.n_first,
            n_second=test.n_second,
            p=f"{test.p:.3g}",
        ),
        soft_wrap=True,
    )
