"""`coverslip compare`: runs side by side, and whether their difference is statistically significant."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from coverslip.reports.comparing import Comparison, NumbersByLabels, Pair


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN RUN…", help="Run folders; the others are compared with the first.", show_default=False
        ),
    ],
    published: Annotated[
        Path | None,
        typer.Option(
            "--published",
            metavar="FILE",
            help="Published figures to stand beside: a CSV file with the columns name and accuracy, macro_f1, …",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare trainings: what differed, and by how much they differ on the same test images.

    The difference has a 95% confidence interval (CI), computed over groups if groups are known. Paired differences are
    more precise than the two results, because both runs see the same images; overlapping intervals of single results
    say nothing about the difference.

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
    kept = ("value", "low", "high", "level", "method", "reason")
    pairs = [
        {
            "a": pair.first,
            "b": pair.second,
            "metric": row.name,
            "labels": numbers.labels,
            "difference": {name: getattr(row, name) for name in kept},
            "a_value": row.first,
            "b_value": row.second,
            "p": row.p,
            "mcnemar_p": numbers.mcnemar.p,
            "n": pair.n,
            "n_groups": pair.n_groups,
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
    from coverslip.cli._tables import table_of

    names = [row.name for row in comparison.rows]
    console.print("\nWhat differed", style="bold")
    differed = table_of("", *names)
    for row in comparison.differing:
        differed.add_row(row.title, *row.values)
    console.print(differed if comparison.differing else "Nothing: recipe, images and split are the same.")
    _show_fit(console, comparison)
    for pair in comparison.pairs:
        for numbers in pair.numbers:
            _show_numbers(console, pair, numbers)
        for note in pair.notes:
            console.print(note, soft_wrap=True)
    if comparison.published:
        _show_published(console, comparison)
    for text in filter(None, (comparison.conclusion, comparison.access_note)):
        console.print(text, soft_wrap=True)


def _show_published(console: "Console", comparison: "Comparison") -> None:
    from coverslip.cli._tables import decimal, table_of
    from coverslip.datasets import one_line
    from coverslip.evaluation import METRICS

    console.print("\nPublished figures: other images, not tested against these", style="bold")
    names = [name for name in METRICS if any(name in figures.metrics for figures in comparison.published)]
    table = table_of("", *(METRICS[name].title for name in names))
    for row in comparison.rows:
        own = {metric.name: metric.value for metric in row.metrics}
        table.add_row(row.name, *(decimal(own.get(name)) for name in names))
    for figures in comparison.published:
        source = f" ({one_line(figures.source, 60)})" if figures.source else ""
        numbers = (decimal(figures.metrics.get(name)) for name in names)
        table.add_row(f"published: {one_line(figures.name, 60)}{source}", *numbers)
    console.print(table)


def _show_fit(console: "Console", comparison: "Comparison") -> None:
    from coverslip.cli._tables import decimal, table_of

    table = table_of("", *(row.name for row in comparison.rows))
    told = (
        ("Accuracy on training images", "train_accuracy"),
        ("F1 on training images", "train_f1"),
        ("Accuracy on validation images", "val_accuracy"),
        ("F1 on validation images", "val_f1"),
    )
    for title, name in told:
        values = [getattr(row.fit, name) for row in comparison.rows]
        if any(value is not None for value in values):
            table.add_row(title, *map(decimal, values))
    if table.row_count:
        console.print(table)


def _show_numbers(console: "Console", pair: "Pair", numbers: "NumbersByLabels") -> None:
    from coverslip.cli._tables import decimal, table_of
    from coverslip.datasets import counted
    from coverslip.reports.comparing import interval
    from coverslip.reports.words import by_labels

    groups = f" from {counted(pair.n_groups, 'group')}" if pair.n_groups else ""
    title = f"{counted(pair.n, 'test image')}{groups} of both{by_labels(numbers.labels)}"
    console.print(f"\n{title}", style="bold", soft_wrap=True)
    table = table_of("", pair.first, pair.second, "difference", "95% CI", "")
    for row in numbers.differences:
        change = "–" if row.value is None else f"{row.value:+.3f}"
        shown = "" if row.low is None else "significant" if row.is_shown else "not significant"
        table.add_row(row.title, decimal(row.first), decimal(row.second), change, interval(row) or "–", shown)
    console.print(table)
    test = numbers.mcnemar
    console.print(
        f"Only {pair.first} right: {counted(test.n_first, 'image')}; only {pair.second} right: "
        f"{counted(test.n_second, 'image')} (McNemar's exact test, images taken for independent: p = {test.p:.3g})",
        soft_wrap=True,
    )
