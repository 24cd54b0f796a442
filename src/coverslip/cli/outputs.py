"""`coverslip report` and `coverslip export`: rewrite the report of a run, and write its classifier as one file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import AsJson, argument, option, usage_error
from coverslip.messages import escape_controls, text


def report(run: Annotated[Path, argument("RUN", "help-run")]) -> None:
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
    run: Annotated[Path, argument("RUN", "help-export-run")],
    to: Annotated[str, option("--to FORMAT", "help-export-to")],
    out: Annotated[Path | None, option("--out PATH", "help-export-out")] = None,
    authors: Annotated[list[str] | None, option("--author NAME", "help-export-author")] = None,
    license_: Annotated[str | None, option("--license SPDX", "help-export-license")] = None,
    citation: Annotated[str | None, option("--citation TEXT", "help-export-citation")] = None,
    as_json: AsJson = False,
) -> None:
    """Export a classifier as one file, or for other programs.

    The file contains no images and no file names, and nothing in it can run code. An export for other programs is
    compared with the classifier on validation images of the run. If both do not agree, nothing is written.

    Examples:

      coverslip export runs/first --to zip --out blood_cells.coverslip

      coverslip predict blood_cells.coverslip new_images/ --out predictions.csv

      coverslip export runs/first --to onnx --out blood_cells_onnx

      coverslip export runs/first --to bioimageio --author 'Ada Kern' --license CC-BY-4.0 --citation 'https://doi.org/…'
    """
    from coverslip import pipeline

    if to not in pipeline.EXPORT_NAMES:
        from coverslip.datasets import one_line

        raise usage_error("usage-export-format", format=one_line(to, 40), formats=", ".join(pipeline.EXPORT_NAMES))
    from coverslip.cli._show import notes_console, print_json, results_console, size_in_words

    file = pipeline.export(run, to=to, out=out, authors=authors or (), license=license_, citation=citation)
    size = sum(each.stat().st_size for each in (file, *file.rglob("*")) if each.is_file())
    verification = {} if to == "zip" else json.loads((file / "verification.json").read_text("utf-8"))
    if as_json:
        print_json({"file": str(file), "size_bytes": size, **({"verification": verification} if verification else {})})
        return
    if verification.get("are_drawn"):
        notes_console().print(text("export-verified-by-drawn-images", n_images=verification["n"]), soft_wrap=True)
    line = text("command-result-classifier", file=file, size=size_in_words(size))
    results_console().print(line, soft_wrap=True)
