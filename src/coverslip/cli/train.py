"""`coverslip train`: labelled images become a run folder."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli._options import Data, Group, GroupPattern, check_groups, one_or_all


def train(
    data: Data,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="FILE",
            help="A YAML file with choices: recipe.yaml of an earlier run, or your own. Without one, good defaults.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="Network to use; `coverslip models` lists them.", show_default=False
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change one choice of the recipe; may be given several times. stage=instant stops after the first, "
            "quick stage; epochs=30 trains longer; split.test=0.3 keeps more images aside.",
            show_default=False,
        ),
    ] = None,
    group: Group = None,
    group_pattern: GroupPattern = None,
    allow_leakage: Annotated[
        bool,
        typer.Option(
            "--allow-leakage",
            help="Train although your own split has the same images or patients on both sides. "
            "The numbers will look better than they are; the report says so.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="RUN",
            help="New folder for the results. Default: runs/DATA-1, then runs/DATA-2 and so on.",
            show_default=False,
        ),
    ] = None,
) -> None:
    r"""Train a classifier and measure it on images kept aside.

    Your images are only read. All that comes out, the report included, lies in one run folder.

    Examples:

      coverslip train cells/

      coverslip train cells/ --group-pattern 'slide\d+' --out runs/first

      coverslip train cells.csv --group patient --set stage=instant
    """
    check_groups(group, group_pattern)
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, read_metrics, results_console, show_numbers
    from coverslip.cli.progress import shown_progress
    from coverslip.errors import Stopped
    from coverslip.images import ReadPlan
    from coverslip.runs import Recipe, load_recipe, with_settings

    choices = load_recipe(recipe) if recipe is not None else Recipe()
    choices = with_settings(choices, [*([f"model={model}"] if model else []), *(settings or [])])
    if group or group_pattern:
        choices = choices.model_copy(update={"group": group or group_pattern})
    elif choices.group is not None:  # a recipe's groups must not get lost
        group, group_pattern = _groups_of(choices.group, data)
    out = out or _next_free(Path("runs"), Path(data[0]).absolute().stem)
    plan = ReadPlan(plane=choices.plane, channels=choices.channels)
    dataset = pipeline.open_dataset(one_or_all(data), group=group, group_pattern=group_pattern, plan=plan)
    try:
        with shown_progress(notes_console()) as emit:
            run = pipeline.train(dataset, choices, out=out, emit=emit, allow_leakage=allow_leakage)
    except KeyboardInterrupt:
        raise Stopped(
            "Training was interrupted before a classifier was ready", file=out, do="Start it again with another --out."
        ) from None
    stdout = results_console()
    show_numbers(stdout, read_metrics(run.folder))
    stdout.print(f"Report    {run.folder / 'report.html'}", soft_wrap=True)
    stdout.print(f"Next      coverslip predict {run.folder} NEW_IMAGES --out predictions.csv", soft_wrap=True)


def _groups_of(group: str, data: list[str]) -> tuple[str | None, str | None]:
    """A recipe's one key as column and pattern: a column for tables, a pattern on the path for folders."""
    return (group, None) if all(Path(source).is_file() for source in data) else (None, group)


def _next_free(parent: Path, name: str) -> Path:
    """The first of `name-1`, `name-2`, … that does not exist."""
    number = 1
    while (parent / f"{name}-{number}").exists():
        number += 1
    return parent / f"{name}-{number}"
