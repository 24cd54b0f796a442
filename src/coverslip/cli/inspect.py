"""`coverslip inspect` and `coverslip preview`: check a dataset, and show its images after preprocessing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    option,
    setting,
)
from coverslip.messages import escape_controls

if TYPE_CHECKING:
    from coverslip.images import Series
    from coverslip.messages import Failure


def inspect(
    data: Data,
    group: Group = None,
    group_pattern: GroupPattern = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    settings: Annotated[list[str] | None, setting("help-inspect-set")] = None,
    estimate_leakage: Annotated[bool, option("--estimate-leakage", "help-inspect-estimate-leakage")] = False,
    all_classes: AllClasses = False,
    as_json: AsJson = False,
) -> None:
    r"""Check a dataset before training.

    Shows counts by class and group, sizes, formats, unreadable files and duplicates, and what to do about them. Of
    single image files, lists series, time points, z-planes, channels, levels and pixel size. Your images are never
    changed.

    Examples:

      coverslip inspect cells/

      coverslip inspect cells/ --group-pattern 'slide\d+'

      coverslip inspect cells.csv --group patient --json

      coverslip inspect cells.csv --group patient --estimate-leakage

      coverslip inspect plate.nd2

      coverslip inspect stacks/ --set images.z=max --set 'images.channels=[0, 2]'
    """
    check_groups(group, group_pattern)
    from coverslip.datasets import is_image

    if all(is_image(Path(each)) for each in data):
        _describe([Path(each) for each in data], as_json=as_json)
        return
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
        files = list(dict.fromkeys(record.path for record in dataset.records))
        sources = [_source_as_json(file, *_series_or_failure(file)) for file in files[:_MOST_SOURCES]]
        print_json({**inspection_as_json(inspection), "n_files": len(files), "sources": sources})
    else:
        show_inspection(results_console(), inspection, all_classes=all_classes)


_MOST_SOURCES = 100  # files of a dataset whose series are listed


def _describe(files: "list[Path]", *, as_json: bool) -> None:
    """Show the series of image files, or why they cannot be read.

    Raises:
        typer.Exit: a file cannot be read.
    """
    from coverslip.cli._show import print_json, results_console, series_lines

    console, described = results_console(), [(file, *_series_or_failure(file)) for file in files]
    if as_json:
        print_json({"format_version": 1, "sources": [_source_as_json(*each) for each in described]})
    else:
        for file, series, error in described:
            console.print(escape_controls(str(file)), soft_wrap=True)
            for line in [f"{error.what}. {error.do}"] if error else series_lines(series):
                console.print(f"  {escape_controls(line)}", soft_wrap=True)
    if any(error for _, _, error in described):
        raise typer.Exit(1)


def _series_or_failure(file: Path) -> "tuple[tuple[Series, ...], Failure | None]":
    from coverslip.errors import UnreadableImage
    from coverslip.images import describe_image

    try:
        return describe_image(file), None
    except UnreadableImage as unreadable:
        return (), unreadable.failure


def _source_as_json(file: Path, series: "Sequence[Series]", error: "Failure | None") -> dict[str, object]:
    from coverslip.cli._show import series_as_json

    failure = None if error is None else {"code": error.code, "text": error.what, "do": error.do}
    return {"path": str(file), "series": series_as_json(series), "error": failure}


def preview(
    data: Data,
    out: Annotated[Path, option("--out FILE", "help-preview-out")] = Path("preview.png"),
    recipe: Annotated[str | None, option("--recipe FILE|PRESET", "help-preview-recipe")] = None,
    settings: Annotated[list[str] | None, setting("help-preview-set")] = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    n: Annotated[int, option("--n", "help-preview-n", min=1, max=100)] = 6,
    seed: Annotated[int | None, option("--seed NUMBER", "help-preview-seed")] = None,
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
