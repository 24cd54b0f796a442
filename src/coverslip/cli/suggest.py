"""`coverslip suggest`: which images to label next."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from coverslip.cli._options import (
    AsJson,
    Device,
    ForExcel,
    Group,
    GroupPattern,
    argument,
    check_excel,
    check_groups,
    mark_tables,
    option,
)
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.audit.suggesting import Suggestions
    from coverslip.datasets import ImageSource


def suggest(
    data: Annotated[list[str], argument("DATA", "help-suggest-data")],
    run: Annotated[Path | None, option("--run RUN", "help-suggest-run")] = None,
    n: Annotated[int, option("-n N", "help-suggest-n", min=1)] = 20,
    out: Annotated[Path | None, option("--out FILE", "help-suggest-out")] = None,
    group: Group = None,
    group_pattern: GroupPattern = None,
    device: Device = "auto",
    for_excel: ForExcel = False,
    as_json: AsJson = False,
) -> None:
    """Suggest images to label next, the most useful first.

    The first suggestions represent many similar images. Once 20 images of two classes are labeled, or with --run, they
    are images that a classifier cannot decide and that differ from each other. A random fifth of the images, or of
    their groups, is reserved as test set and never suggested, because metrics on suggested images are biased. Label
    some of them too; --json lists them.

    Examples:

      coverslip suggest new_cells/ -n 50 --out suggestions.csv

      coverslip suggest partly_labeled.csv --group slide --run runs/first
    """
    from coverslip.audit.suggesting import suggest as suggest_images
    from coverslip.cli._show import notes_console, print_json
    from coverslip.cli.progress import shown_progress

    check_groups(group, group_pattern)
    check_excel([out], for_excel=for_excel)
    with shown_progress(notes_console()) as emit:
        suggestions = suggest_images(
            cast("list[ImageSource]", data) if len(data) > 1 else data[0],
            run=run,
            n=n,
            out=out,
            group=group,
            group_pattern=group_pattern,
            device=device,
            emit=emit,
        )
    mark_tables([out], for_excel=for_excel)
    if as_json:
        print_json({"format_version": 1} | asdict(suggestions))
    else:
        _show(suggestions, out)


def _show(suggestions: "Suggestions", out: Path | None) -> None:
    from coverslip.cli._show import filled_table, results_console
    from coverslip.datasets import one_line
    from coverslip.reports.tables import column_titles
    from coverslip.reports.words import number

    console = results_console()
    columns = column_titles("column-rank", "column-image", "column-score", "column-reason")
    rows = [(str(s.rank), one_line(s.image_id), number(s.score), str(s.reason)) for s in suggestions.suggestions]
    console.print(filled_table(columns, rows, text_columns=(columns[1], columns[3])))
    console.print(
        text(
            "command-reserved-test",
            n_images=len(suggestions.reserved_test),
            n_labeled=suggestions.n_reserved_labeled,
        ),
        soft_wrap=True,
    )
    if out is not None:
        console.print(text("command-result-table", file=out), soft_wrap=True)
