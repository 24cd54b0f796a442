"""`coverslip preview`: training images after preprocessing and augmentation."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import Columns, CropSize, Data, setting
from coverslip.messages import escape_controls


def preview(
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="PNG file to write.")] = Path("preview.png"),
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="A YAML file with choices, as for train.", show_default=False),
    ] = None,
    settings: Annotated[
        list[str] | None,
        setting(
            "Change one setting of the recipe, as for train. Repeatable. augment=NAME selects a set of augmentations, "
            "resize=canvas the same scale for all images."
        ),
    ] = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    n: Annotated[int, typer.Option("--n", min=1, max=100, help="Images to show.")] = 6,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="NUMBER", help="Seed that selects images and augmentations. Default: the recipe's seed."
        ),
    ] = None,
) -> None:
    """Show training images after preprocessing and augmentation.

    The sheet has one row per image: its class, the preprocessed image (size, padding, intensity scaling), and five
    augmented copies. Check that the copies look realistic and still show what distinguishes the classes. Of images with
    other than one or three channels, the first channel is shown. Your images are never changed.

    Examples:

      coverslip preview cells/

      coverslip preview smears/ --set augment=stain --out stain.png

      coverslip preview chromosomes/ --set resize=canvas --set augment=chromosomes --n 12
    """
    from coverslip import pipeline
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress
    from coverslip.cli.train import images_and_recipe

    of_seed = [] if seed is None else [f"seed={seed}"]
    dataset, choices = images_and_recipe(
        data, recipe=recipe, settings=[*(settings or []), *of_seed], columns=columns, crop_size=crop_size
    )
    with shown_progress(notes_console()) as emit:
        file = pipeline.preview(dataset, choices, out=out, n=n, emit=emit)
    typer.echo(escape_controls(str(file)))
