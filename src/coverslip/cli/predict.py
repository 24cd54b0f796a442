"""`coverslip predict`: what new images show."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import AsJson, Device
from coverslip.errors import CoverslipError


def predict(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A run folder, the classifier/ folder of one, or a .coverslip file.", show_default=False
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Images, folders of images, patterns like 'new/*.tif', or a table.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Table to write. Earlier predictions of that name are replaced; other files never.",
        ),
    ] = Path("predictions.csv"),
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Images at a time. Changes speed and memory, never the results.")
    ] = 64,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Predict the class of new images.

    Writes one row per image, in the order given: the class, its probability, and a decision, which is `uncertain`
    where the classifier is too unsure to be relied on and `unreadable` where a file is broken. Where nothing at all
    could be read the exit code is 1.

    Examples:

      coverslip predict runs/first new_images/ --out predictions.csv

      coverslip predict runs/first 'monday/*.tif' 'tuesday/*.tif'
    """
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console, show_decisions
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        summary = pipeline.predict(run, list(images), out=out, batch_size=batch_size, device=device, emit=emit)
    if as_json:
        print_json({"file": str(summary.file), "decisions": summary.decisions})
    else:
        show_decisions(results_console(), notes_console(), summary.decisions)
        results_console().print(f"Predictions  {out}", soft_wrap=True)
    if set(summary.decisions) == {"unreadable"}:
        do = "The table has a row for each; the notes above say why."
        raise CoverslipError("None of the images could be read", file=summary.file, do=do)
