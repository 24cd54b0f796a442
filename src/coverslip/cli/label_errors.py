"""`coverslip label-errors`: suspected label errors."""

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
    """Find suspected label errors, most likely first.

    Labels of training, validation and test images are compared with a classifier that was not trained on these images:
    with folds the network that tested the image, else one that was fitted without the image's group. The headline says
    how many labels are probably wrong; the table (--out) ranks all misclassified images. No label and no result of the
    run changes.

    Example:

      coverslip label-errors runs/first --out label_issues.csv
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
    expected = counted(doubtful.n_expected, "label")
    console.print(
        f"About {expected} of {doubtful.n_judged:,} may be wrong: these images resemble another class as much as its "
        f"own images do. {len(doubtful.images):,} images are misclassified, most of them because they are hard. "
        f"{doubtful.n_not_judged:,} labels could not be checked.",
        soft_wrap=True,
    )
    classes = table_of("class", "images", "misclassified")
    for row in doubtful.classes:
        n_doubtful = "too few to judge" if row.n_doubtful is None else f"{row.n_doubtful:,}"
        classes.add_row(one_line(row.name), f"{row.n:,}", n_doubtful)
    console.print(classes)
    images = table_of("image", "part", "label", "suggested", "score")
    for image in doubtful.images[: min(_MOST_SHOWN, doubtful.n_expected)]:
        names = (one_line(image.image_id), image.split, one_line(image.label), one_line(image.suggested))
        images.add_row(*names, decimal(image.score))
    console.print(images)
    if doubtful.images:
        told = "A suspected label error is not always one: look at each image before you change its label."
        if any(image.split == "test" for image in doubtful.images):
            told += (
                " Correcting only the test images among them would make the numbers too good: look at a random part of "
                "the others as well."
            )
        console.print(told, soft_wrap=True)
    if out is not None:
        console.print(f"Table  {out}", soft_wrap=True)
