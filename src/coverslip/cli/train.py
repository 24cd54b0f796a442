"""`coverslip train`: train a classifier from labeled images."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coverslip.cli._options import (
    AllClasses,
    AsJson,
    Columns,
    CropSize,
    Group,
    GroupPattern,
    argument,
    check_groups,
    columns_of,
    for_shell,
    is_read_on_a_page,
    network_names,
    one_or_all,
    option,
    refuse_bare_settings,
    setting,
    usage_error,
)
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.datasets.index.records import Dataset
    from coverslip.runs.recipe import Recipe


def _show_keys(is_requested: bool) -> None:
    if is_requested:
        from coverslip.cli._options import keys_as_text

        typer.echo(keys_as_text())
        raise typer.Exit()


def train(
    data: Annotated[list[str] | None, argument("DATA", "help-data")] = None,
    recipe: Annotated[str | None, option("--recipe FILE|PRESET", "help-train-recipe")] = None,
    model: Annotated[str | None, option("--model NAME", "help-train-model", autocompletion=network_names)] = None,
    settings: Annotated[list[str] | None, setting("help-train-set")] = None,
    preset: Annotated[Literal["first-look", "good", "best"] | None, option("--preset", "help-train-preset")] = None,
    budget: Annotated[str | None, option("--budget TIME", "help-train-budget")] = None,
    group: Group = None,
    group_pattern: GroupPattern = None,
    column_pattern: Annotated[str | None, typer.Option("--column-pattern", hidden=True)] = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    allow_leakage: Annotated[bool, option("--allow-leakage", "help-train-allow-leakage")] = False,
    out: Annotated[Path | None, option("--out RUN", "help-train-out")] = None,
    resume: Annotated[Path | None, option("--resume RUN", "help-train-resume")] = None,
    finish: Annotated[Path | None, option("--finish RUN", "help-train-finish")] = None,
    listeners: Annotated[list[str] | None, option("--listener NAME", "help-train-listener")] = None,
    keys: Annotated[bool, option("--keys", "help-train-keys", callback=_show_keys, is_eager=True)] = False,
    all_classes: AllClasses = False,
    as_json: AsJson = False,
) -> None:
    r"""Train a classifier and test it.

    Your images are never changed. All results, including the report, are written to one run folder.

    Examples:

      coverslip train cells/

      coverslip train cells/ --group-pattern 'slide\d+' --out runs/first

      coverslip train cells/ --budget 10m

      coverslip train cells/ --recipe mobincep

      coverslip train cells.csv --group patient --preset good

      coverslip train points.csv --columns path=File,label=Type --crop-size 80

      coverslip train lab_a/ lab_b/ --set classes.by_domain=true --set sampling=domains

      coverslip train cells/ --set 'classes.merge={sick: [early, late]}' --set 'classes.drop=[debris]'

      coverslip train new_stain/ --set init.run=runs/first

      coverslip train cells/ --listener tensorboard

      coverslip train --resume runs/first

      coverslip train --finish runs/first
    """
    check_groups(group, group_pattern)
    if sum(option is not None for option in (data, resume, finish)) != 1:
        raise usage_error("usage-train")
    began = time.monotonic()  # includes the time for imports
    other_options = (recipe, model, settings, preset, group, group_pattern, columns, crop_size, allow_leakage, out)
    if resume is not None and any(other_options):
        raise usage_error("usage-resume-options")
    if finish is not None and any((*other_options, budget)):
        raise usage_error("usage-finish-options")
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console, show_result
    from coverslip.cli.progress import shown_progress
    from coverslip.errors import LeakageFound
    from coverslip.experiments.run_state import request_finish, withdraw_finish
    from coverslip.listeners import open_listener, to_all
    from coverslip.reports.reported import read_run
    from coverslip.reports.verdict import verdict_as_json, verdict_of_run
    from coverslip.runs.folder import Run, remove_new_folder_on
    from coverslip.runs.results import metrics_as_json

    if finish is not None:
        if request_finish(finish):
            notes_console().print(text("command-finish-requested"))
            if as_json:
                print_json({"run": str(finish), "is_finish_requested": True})
            return
    elif resume is not None:
        withdraw_finish(resume)
    with shown_progress(notes_console()) as shown:
        if folder := resume or finish:
            emit = to_all(shown, *(open_listener(name, folder) for name in listeners or ()))
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
            emit = to_all(shown, *(open_listener(name, out) for name in listeners or ()))
            with remove_new_folder_on(LeakageFound, Run(out)):  # for the same command with --allow-leakage
                run = pipeline.train(
                    dataset,
                    choices,
                    out=out,
                    emit=emit,
                    allow_leakage=allow_leakage,
                    preset=preset or "best",
                    budget=budget,
                    began=began,
                )
    reported_run = read_run(run.folder)
    if as_json:
        verdict = verdict_as_json(verdict_of_run(reported_run))
        print_json({"run": str(run.folder), "verdict": verdict, **metrics_as_json(run.metrics)})
        return
    stdout = results_console()
    show_result(stdout, reported_run, all_classes=all_classes)
    stdout.print(text("command-result-report", file=run.report_file), soft_wrap=True)
    if not is_read_on_a_page():
        stdout.print(text("command-result-next", run=for_shell(run.folder)), soft_wrap=True)


def images_and_recipe(
    data: list[str],
    *,
    recipe: str | None = None,
    model: str | None = None,
    settings: list[str] | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    columns: str | None = None,
    crop_size: str | None = None,
) -> "tuple[Dataset, Recipe]":
    """Return the dataset and the recipe that the options describe."""
    refuse_bare_settings(data)
    from coverslip import pipeline
    from coverslip.runs.recipe import Recipe
    from coverslip.runs.recipe_keys import with_settings

    settings = [*([f"model={model}"] if model else []), *(settings or [])]
    if crop_size is not None:
        settings.append(f"crop_size={crop_size}")
    choices = with_settings(Recipe(), settings) if recipe is None else _recipe_of(recipe, settings)
    dataset = pipeline.open_dataset(
        one_or_all(data),
        group=group,
        group_pattern=group_pattern,
        columns=columns_of(columns),
        crop_size=choices.crop_size,
    )
    return dataset, choices


def _recipe_of(name: str, settings: list[str]) -> "Recipe":
    """Return the recipe in a file, or the recipe of a publication, with settings."""
    from coverslip.runs.recipe_keys import load_recipe, with_settings
    from coverslip.studies.presets import preset_recipe

    file = Path(name)
    is_file = file.exists() or file.suffix or file.name != name
    return with_settings(load_recipe(file), settings) if is_file else preset_recipe(name, settings)


def _next_free(parent: Path, name: str) -> Path:
    """Return the first of `name-1`, `name-2`, … that does not exist."""
    number = 1
    while (parent / f"{name}-{number}").exists():
        number += 1
    return parent / f"{name}-{number}"
