"""`coverslip train`: train a classifier from labeled images."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli._options import (
    AllClasses,
    AsJson,
    Columns,
    CropSize,
    Group,
    GroupPattern,
    check_groups,
    columns_of,
    for_shell,
    is_read_on_a_page,
    network_names,
    one_or_all,
    refuse_bare_settings,
    setting,
    usage_error,
)

if TYPE_CHECKING:
    from coverslip.datasets import Dataset
    from coverslip.runs import Recipe


def _show_keys(is_requested: bool) -> None:
    if is_requested:
        from coverslip.cli._options import keys_as_text

        typer.echo(keys_as_text())
        raise typer.Exit()


def train(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DATA",
            help="A folder with one sub-folder per class, or a table (CSV, TSV) with the columns path and label.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="FILE",
            help="A YAML file with settings: recipe.yaml of an earlier run, or your own. Default: built-in settings.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Network to use; `coverslip models` lists them.",
            show_default=False,
            autocompletion=network_names,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        setting(
            "Change one setting of the recipe. Repeatable. stage=instant skips fine-tuning; epochs=30 trains longer; "
            "split.folds=5 uses cross-validation. --keys lists all settings."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="TIME",
            help="Time limit: 90s, 10m, 1h30m, or quick (2 minutes), balanced (10 minutes), best (1 hour). "
            "Image size and number of steps of fine-tuning are adapted to it.",
            show_default=False,
        ),
    ] = None,
    group: Group = None,
    group_pattern: GroupPattern = None,
    column_pattern: Annotated[str | None, typer.Option("--column-pattern", hidden=True)] = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    allow_leakage: Annotated[
        bool,
        typer.Option(
            "--allow-leakage",
            help="Train even if your predefined split has the same images or patients in two sets. "
            "Performance is then overestimated, and the report says so.",
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
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Resume a run that was stopped or killed, with its own images and recipe. With --budget, the time "
            "starts now.",
            show_default=False,
        ),
    ] = None,
    finish: Annotated[
        Path | None,
        typer.Option(
            "--finish",
            metavar="RUN",
            help="End the fine-tuning of a run now and keep its best epoch; then calibrate, test and write the "
            "report. The run may be running in another process, or stopped. It cannot be resumed afterwards.",
            show_default=False,
        ),
    ] = None,
    keys: Annotated[
        bool,
        typer.Option("--keys", callback=_show_keys, is_eager=True, help="List the settings for --set."),
    ] = False,
    all_classes: AllClasses = False,
    as_json: AsJson = False,
) -> None:
    r"""Train a classifier and test it.

    Your images are never changed. All results, including the report, are written to one run folder.

    Examples:

      coverslip train cells/

      coverslip train cells/ --group-pattern 'slide\d+' --out runs/first

      coverslip train cells/ --budget 10m

      coverslip train cells.csv --group patient --set stage=instant

      coverslip train points.csv --columns path=File,label=Type --crop-size 80

      coverslip train lab_a/ lab_b/ --set classes.by_domain=true --set sampling=domains

      coverslip train cells/ --set 'classes.merge={sick: [early, late]}' --set 'classes.drop=[debris]'

      coverslip train new_stain/ --set init.run=runs/first

      coverslip train --resume runs/first

      coverslip train --finish runs/first
    """
    check_groups(group, group_pattern)
    if sum(option is not None for option in (data, resume, finish)) != 1:
        raise usage_error("usage-train")
    began = time.monotonic()  # includes the time for imports
    other_options = (recipe, model, settings, group, group_pattern, columns, crop_size, allow_leakage, out)
    if resume is not None and any(other_options):
        raise usage_error("usage-resume-options")
    if finish is not None and any((*other_options, budget)):
        raise usage_error("usage-finish-options")
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console, show_numbers
    from coverslip.cli.progress import shown_progress
    from coverslip.errors import LeakageFound
    from coverslip.experiments.run_state import request_finish, withdraw_finish
    from coverslip.messages import text
    from coverslip.reports.reported import read_run
    from coverslip.reports.sections.training import doubling
    from coverslip.reports.words import overestimates
    from coverslip.runs import Run, metrics_as_json, remove_new_folder_on

    if finish is not None:
        if request_finish(finish):
            notes_console().print(text("command-finish-requested"))
            return
    elif resume is not None:
        withdraw_finish(resume)
    with shown_progress(notes_console()) as emit:
        if folder := resume or finish:
            run = pipeline.resume(folder, budget=budget, emit=emit)
        else:
            dataset, choices = images_and_recipe(
                data or [],
                recipe=recipe,
                model=model,
                settings=settings,
                group=group,
                group_pattern=group_pattern,
                columns=columns,
                crop_size=crop_size,
            )
            if column_pattern is not None:  # the table is from the app
                dataset = replace(dataset, opening=replace(dataset.opening, column_pattern=column_pattern))
            out = out or _next_free(Path("runs"), Path((data or [""])[0]).absolute().stem)
            with remove_new_folder_on(LeakageFound, Run(out)):  # for the same command with --allow-leakage
                run = pipeline.train(
                    dataset, choices, out=out, emit=emit, allow_leakage=allow_leakage, budget=budget, began=began
                )
    if as_json:
        print_json({"run": str(run.folder), **metrics_as_json(run.metrics)})
        return
    stdout = results_console()
    show_numbers(stdout, run.metrics, overestimates=overestimates(read_run(run.folder)), all_classes=all_classes)
    for finding in run.inspection.of("hidden-groups") if run.inspection is not None else ():
        stdout.print(text("command-result-doubtful", limit=finding.limit), style="bold", soft_wrap=True)
    if run.learning_curve is not None:
        stdout.print(text("command-result-images", sentence=doubling(run.learning_curve)), soft_wrap=True)
    stdout.print(text("command-result-report", file=run.report_file), soft_wrap=True)
    if not is_read_on_a_page():
        stdout.print(text("command-result-next", run=for_shell(run.folder)), soft_wrap=True)


def images_and_recipe(
    data: list[str],
    *,
    recipe: Path | None = None,
    model: str | None = None,
    settings: list[str] | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    columns: str | None = None,
    crop_size: int | None = None,
) -> "tuple[Dataset, Recipe]":
    """Return the dataset and the recipe that the options describe."""
    refuse_bare_settings(data)
    from coverslip import pipeline
    from coverslip.runs import Recipe, load_recipe, with_settings

    choices = load_recipe(recipe) if recipe is not None else Recipe()
    choices = with_settings(choices, [*([f"model={model}"] if model else []), *(settings or [])])
    if crop_size is not None:
        choices = with_settings(choices, [f"crop_size={crop_size}"])
    dataset = pipeline.open_dataset(
        one_or_all(data),
        group=group,
        group_pattern=group_pattern,
        columns=columns_of(columns),
        crop_size=choices.crop_size,
    )
    return dataset, choices


def _next_free(parent: Path, name: str) -> Path:
    """Return the first of `name-1`, `name-2`, … that does not exist."""
    number = 1
    while (parent / f"{name}-{number}").exists():
        number += 1
    return parent / f"{name}-{number}"
