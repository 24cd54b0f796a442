"""`coverslip agreement`: how far readers agree who labeled the same images."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from coverslip.cli._options import AsJson, argument, option


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
    from coverslip.cli._show import print_json, results_console, show_sections
    from coverslip.reports.readers import agreement_section

    result = compare_readers(tables, group=group)
    if as_json:
        print_json({"format_version": 1} | asdict(result))
        return
    pairs = [(pair.first, pair.second, pair.agreement) for pair in result.pairs]
    show_sections(results_console(), [agreement_section(pairs, result.similar_labels)], has_folded=True)
