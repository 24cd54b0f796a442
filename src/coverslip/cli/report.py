"""`coverslip report`: the report of a run, written again."""

from pathlib import Path
from typing import Annotated

import typer


def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]) -> None:
    """Write the report of a run again.

    The report is RUN/report.html: one file that opens in any browser, made from what the run folder holds.

    Example:

      coverslip report runs/first
    """
    from coverslip import pipeline

    typer.echo(str(pipeline.write_report(run)))
