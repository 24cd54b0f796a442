"""`coverslip report`: rewrite the report of a run."""

from pathlib import Path
from typing import Annotated

import typer

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
