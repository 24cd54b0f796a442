"""Global options, and the commands in the order of a typical workflow."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from coverslip.cli import app as app_command
from coverslip.cli import (
    cache,
    compare,
    decide,
    demo,
    distance,
    evaluate,
    explain,
    export,
    models,
    predict,
    preview,
    report,
    study,
    train,
    weights,
)
from coverslip.cli import inspect as inspect_command
from coverslip.cli import label_errors as label_errors_command

app = typer.Typer(
    name="coverslip",
    help="Train, test and use classifiers of microscope images on this computer.",
    epilog="New here? Try `coverslip demo`. Every command explains itself: `coverslip train --help`.",
    rich_markup_mode=None,
    # Help uses the width of the terminal, up to a readable line length.
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 120},
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from coverslip._version import __version__

        typer.echo(f"coverslip {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="On an error, show the traceback.")] = False,
) -> None:
    """Both options act before any command runs: `--version` here, `--debug` in `main`."""


for command in (
    app_command.app,
    demo.demo,
    inspect_command.inspect,
    preview.preview,
    train.train,
    evaluate.evaluate,
    compare.compare,
    decide.decide,
    predict.predict,
    report.report,
):
    app.command()(command)
app.command(name="label-errors")(label_errors_command.label_errors)
app.command(name="explain")(explain.explain)
app.command(name="distance")(distance.distance)
app.command(name="export")(export.export)
app.command(name="models")(models.models)
app.command(name="cache")(cache.cache)
app.add_typer(study.study_app, name="study")
app.add_typer(weights.weights_app, name="weights")


def _with_whole_examples(function: Callable[..., Any]) -> str:  # Any: whichever command
    """Return a command's help without line breaks in its examples, so that they can be copied."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(f"\b\n{text}" if text.startswith("  coverslip ") else text for text in paragraphs)


of_weights = weights.weights_app
for info in (
    *app.registered_commands,
    *study.study_app.registered_commands,
    *of_weights.registered_commands,
    of_weights.registered_callback,
):
    if info is not None and info.callback is not None:
        info.help = _with_whole_examples(info.callback)
