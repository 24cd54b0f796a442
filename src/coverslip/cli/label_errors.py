"""`coverslip label-errors`: suspected label errors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from coverslip.cli._options import AsJson, Device, ForExcel, argument, check_excel, mark_tables, option
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.runs import LabelErrors


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
    The first line of the result says how many labels are probably wrong; the table (--out) ranks all misclassified
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
        _show(errors, out)


def _show(errors: "LabelErrors", out: Path | None) -> None:
    from coverslip.cli._show import filled_table, results_console
    from coverslip.datasets import one_line
    from coverslip.reports.sections.data_quality import label_issue_columns, listed_errors, suspected_words
    from coverslip.reports.tables import column_titles
    from coverslip.reports.words import number

    console = results_console()
    console.print(suspected_words(errors), soft_wrap=True)
    if errors.n_not_checked:
        console.print(text("command-labels-not-checked", n_labels=errors.n_not_checked))
    classes = [
        (
            one_line(row.name),
            f"{row.n:,}",
            text("command-too-few-images") if row.n_misclassified is None else f"{row.n_misclassified:,}",
        )
        for row in errors.classes
    ]
    console.print(filled_table(column_titles("column-class", "column-images", "column-misclassified"), classes))
    images = [
        (one_line(image.image_id), image.split, one_line(image.label), one_line(image.suggested), number(image.score))
        for image in listed_errors(errors)
    ]
    if images:
        columns = label_issue_columns()
        console.print(filled_table(columns, images, text_columns=columns[1:4]))
        console.print(text("command-check-labels"))
        if any(image.split == "test" for image in errors.images):
            console.print(text("report-label-correction"), soft_wrap=True)
    if out is not None:
        console.print(text("command-result-table", file=out), soft_wrap=True)
