"""`coverslip inspect` and `coverslip preview`: check a dataset, and show its images after preprocessing."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import (
    AllClasses,
    AsJson,
    Columns,
    CropSize,
    Data,
    Group,
    GroupPattern,
    check_groups,
    setting,
)
from coverslip.messages import escape_controls


def inspect(
    data: Data,
    group: Group = None,
    group_pattern: GroupPattern = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    settings: Annotated[
        list[str] | None,
        setting(
            "Read the images as a training with this setting would, such as channels, plane or classes.drop. "
            "Repeatable."
        ),
    ] = None,
    estimate_leakage: Annotated[
        bool,
        typer.Option(
            "--estimate-leakage",
            help="Also compute features of about 2,000 images, to detect shortcuts and to estimate how much an "
            "image-level split would overestimate performance.",
        ),
    ] = False,
    all_classes: AllClasses = False,
    as_json: AsJson = False,
) -> None:
    r"""Check a dataset before training.

    Shows counts by class and group, sizes, formats, unreadable files and duplicates, and what to do about them. Your
    images are never changed.

    Examples:

      coverslip inspect cells/

      coverslip inspect cells/ --group-pattern 'slide\d+'

      coverslip inspect cells.csv --group patient --json

      coverslip inspect cells.csv --group patient --estimate-leakage

      coverslip inspect stacks/ --set plane=max --set 'channels=[0, 2]'
    """
    check_groups(group, group_pattern)
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console, show_inspection
    from coverslip.cli.progress import shown_progress
    from coverslip.cli.train import images_and_recipe
    from coverslip.runs import inspection_as_json

    dataset, choices = images_and_recipe(
        data, settings=settings, group=group, group_pattern=group_pattern, columns=columns, crop_size=crop_size
    )
    with shown_progress(notes_console()) as emit:
        inspection = pipeline.inspect(
            dataset, choices if settings else None, estimate_leakage=estimate_leakage, emit=emit
        )
    if as_json:
        print_json(inspection_as_json(inspection))
    else:
        show_inspection(results_console(), inspection, all_classes=all_classes)


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
