"""`coverslip label-errors`, `agreement` and `suggest`: labels to check, and images to label next."""

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
    from coverslip.datasets.index.opening import ImageSource
    from coverslip.runs.results import LabelErrors


def label_errors(
    run: Annotated[Path, argument("RUN", "help-run")],
    out: Annotated[Path | None, option("--out FILE", "help-label-errors-out")] = None,
    device: Device = "auto",
    for_excel: ForExcel = False,
    as_json: AsJson = False,
) -> None:
    """Find suspected label errors, most likely first.

    Labels of training, validation and test images are compared with a classifier that was not trained on these images:
    after cross-validation the network that tested the image, otherwise a classifier fitted without the image's group.
    The first line of the result says how many labels to check first; the table (--out) ranks all misclassified
    images. No label and no result of the run changes.

    Example:

      coverslip label-errors runs/first --out label_issues.csv
    """
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json
    from coverslip.cli.progress import shown_progress

    check_excel([out], for_excel=for_excel)
    with shown_progress(notes_console()) as emit:
        errors = pipeline.label_errors(run, out=out, device=device, emit=emit)
    mark_tables([out], for_excel=for_excel)
    if as_json:
        print_json(errors.model_dump(mode="json"))
    else:
        _show_label_errors(errors, out)


def _show_label_errors(errors: "LabelErrors", out: Path | None) -> None:
    from coverslip.cli._show import results_console, show_sections
    from coverslip.reports.blocks import SectionContent
    from coverslip.reports.sections.data import label_error_blocks

    console = results_console()
    section = SectionContent(text("report-title-label-errors"), [*label_error_blocks(errors)])
    show_sections(console, [section], has_folded=True)
    if errors.images:
        console.print(text("command-check-labels"))
    if out is not None:
        console.print(text("command-result-table", file=out), soft_wrap=True)


# `coverslip agreement`: how far readers agree who labeled the same images.


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
    from coverslip.reports.sections.data import agreement_section

    result = compare_readers(tables, group=group)
    if as_json:
        print_json({"format_version": 1} | asdict(result))
        return
    pairs = [(pair.first, pair.second, pair.agreement) for pair in result.pairs]
    show_sections(results_console(), [agreement_section(pairs, result.similar_labels)], has_folded=True)


# `coverslip suggest`: which images to label next.


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
    are images that a classifier cannot decide, of each predicted class in turn, classes with few labels first. A random
    fifth of the images, or of their groups, is reserved as test set and never suggested, because metrics on suggested
    images are biased. Label some of them too; --json lists them.

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
        _show_suggestions(suggestions, out)


def _show_suggestions(suggestions: "Suggestions", out: Path | None) -> None:
    from coverslip.cli._show import filled_table, results_console
    from coverslip.datasets.names import one_line
    from coverslip.reports.metric_rows import column_titles
    from coverslip.reports.reported import number

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
