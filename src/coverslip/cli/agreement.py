"""`coverslip agreement`: how far readers agree who labeled the same images."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from coverslip.cli._options import AsJson, argument, option
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.audit.readings import ReadersAgreement


def agreement(
    tables: Annotated[list[Path], argument("TABLE…", "help-agreement-tables")],
    group: Annotated[str | None, option("--group COLUMN", "help-agreement-group")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the labels of several readers.

    The result has the share of images with equal labels and Cohen's kappa of each pair of readers, with 95% confidence
    intervals, and the counts of both readers. Kappa is the agreement beyond chance: 1 is perfect, 0 is chance. Tables
    from the app (page of a dataset, Second reading) can be used as they are.

    Examples:

      coverslip agreement readings.csv --group patient

      coverslip agreement ada.csv grace.csv
    """
    from coverslip.audit.readings import agreement as compare_readers
    from coverslip.cli._show import print_json

    result = compare_readers(tables, group=group)
    if as_json:
        print_json({"format_version": 1} | asdict(result))
    else:
        _show(result)


def _show(result: "ReadersAgreement") -> None:
    from coverslip.cli._show import filled_table, results_console
    from coverslip.datasets import one_line, some
    from coverslip.reports.tables import Estimate, estimate
    from coverslip.reports.words import with_interval

    console = results_console()
    heads = [text("column-reader"), text("column-other-reader"), text("column-images")]
    heads += [with_interval(text("column-equal-labels")), with_interval(text("metric-kappa"))]
    rows: list[tuple[str | Estimate, ...]] = [
        (
            one_line(pair.first),
            one_line(pair.second),
            f"{pair.agreement.n:,}",
            estimate(pair.agreement.agreement),
            estimate(pair.agreement.kappa),
        )
        for pair in result.pairs
    ]
    console.print(filled_table(heads, rows))
    for spellings in result.similar_labels:
        console.print(text("agreement-similar-names", names=some(spellings)), soft_wrap=True)
    for pair in result.pairs:
        names = [one_line(name) for name in pair.agreement.classes]
        console.print(
            text("agreement-counts", first=one_line(pair.first), second=one_line(pair.second)), soft_wrap=True
        )
        counts = [(name, *(f"{n:,}" for n in row)) for name, row in zip(names, pair.agreement.counts, strict=True)]
        console.print(filled_table((text("column-class"), *names), counts))
