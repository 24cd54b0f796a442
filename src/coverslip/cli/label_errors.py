"""`coverslip label-errors`: labels to look at again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import AsJson, Device

if TYPE_CHECKING:
    from coverslip.runs import LabelErrors

_MOST_SHOWN = 20


def label_errors(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A table (CSV) of all of them besides; replaces an earlier one.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Find labels to look at again, the most doubtful first.

    Images of training, validation and test whose label a classifier doubts that never saw them: of a run with folds
    the network that tested the image, else one fitted without the image's group. Doubtful is not wrong: look at each.
    No label is changed, and nothing of the run's numbers.

    Example:

      coverslip label-errors runs/first --out doubts.csv
    """
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        doubtful = pipeline.label_errors(run, out=out, device=device, emit=emit)
    if as_json:
        print_json(doubtful.model_dump(mode="json"))
    else:
        _show(doubtful, out)


def _show(doubtful: "LabelErrors", out: Path | None) -> None:
    from coverslip.cli._show import results_console
    from coverslip.cli._tables import decimal, table_of
    from coverslip.datasets import counted, one_line

    console = results_console()
    n_labels = counted(len(doubtful.images), "label")
    judged = f"{n_labels} of {doubtful.n_judged:,} to look at again"
    console.print(f"{judged}; {doubtful.n_not_judged:,} could not be judged", soft_wrap=True)
    classes = table_of("class", "images", "doubtful")
    for row in doubtful.classes:
        n_doubtful = "too few to judge" if row.n_doubtful is None else f"{row.n_doubtful:,}"
        classes.add_row(one_line(row.name), f"{row.n:,}", n_doubtful)
    console.print(classes)
    images = table_of("image", "part", "label", "suggested", "score")
    for image in doubtful.images[:_MOST_SHOWN]:
        names = (one_line(image.image_id), image.split, one_line(image.label), one_line(image.suggested))
        images.add_row(*names, decimal(image.score))
    console.print(images)
    if doubtful.images:
        told = "Doubtful is not wrong: where classes look alike, most of these images are only hard."
        if any(image.split == "test" for image in doubtful.images):
            told += (
                " Correcting only the test images among them would make the numbers too good: look at a random part of "
                "the others as well."
            )
        console.print(told, soft_wrap=True)
    if out is not None:
        console.print(f"Table  {out}", soft_wrap=True)
