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
    from coverslip.cli._show import results_console, show_sections
    from coverslip.reports.blocks import SectionContent
    from coverslip.reports.sections.data_quality import label_error_blocks

    console = results_console()
    section = SectionContent(text("report-title-label-errors"), [*label_error_blocks(errors)])
    show_sections(console, [section], has_folded=True)
    if errors.images:
        console.print(text("command-check-labels"))
    if out is not None:
        console.print(text("command-result-table", file=out), soft_wrap=True)
