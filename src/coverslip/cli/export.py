"""`coverslip export`: a trained classifier as one file."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import AsJson, usage_error


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

    file = pipeline.export(run, out=out)
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "size_bytes": size})
        return
    results_console().print(f"Classifier  {file} ({size_in_words(size)})", soft_wrap=True)
