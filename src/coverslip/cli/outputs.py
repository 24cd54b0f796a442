"""`coverslip report` and `coverslip export`: rewrite the report of a run, and write its classifier as one file."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import AsJson, usage_error
from coverslip.messages import escape_controls


def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]) -> None:
    """Write the report of a run again.

    The report is RUN/report.html, one file that opens in any browser. Its figures are in RUN/figures/ as SVG and PNG,
    with their numbers as CSV. RUN/model_card.md is the model card. An evaluation on an external test set has its own
    report.

    Examples:

      coverslip report runs/first

      coverslip report runs/first/evaluations/other_hospital
    """
    from coverslip import pipeline
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        file = pipeline.write_report(run, emit)
    typer.echo(escape_controls(str(file)))


def export(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A run folder, or the classifier/ folder of one.", show_default=False),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="zip",
            help="zip: one .coverslip file, which `predict` takes in place of RUN.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="File to write. Default: the name of the run, ending in .coverslip.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export a classifier as one file.

    The file contains no images and no file names, and nothing in it can run code.

    Examples:

      coverslip export runs/first --to zip --out blood_cells.coverslip

      coverslip predict blood_cells.coverslip new_images/ --out predictions.csv
    """
    if to != "zip":
        from coverslip.datasets import one_line

        raise usage_error("usage-export-format", format=one_line(to, 40))
    from coverslip import pipeline
    from coverslip.cli._show import print_json, results_console, size_in_words
    from coverslip.messages import text

    file = pipeline.export(run, out=out)
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "size_bytes": size})
        return
    line = text("command-result-classifier", file=file, size=size_in_words(size))
    results_console().print(line, soft_wrap=True)
