"""The command line's table of contents: global options and the commands in the order of a day's work."""

from typing import Annotated

import typer

from coverslip.cli import app as app_command
from coverslip.cli import cache, demo, evaluate, export, inspect, models, predict, preview, report, train, weights

app = typer.Typer(
    name="coverslip",
    help="Turn a folder of labelled microscope images into a classifier, with honest numbers, on this computer.",
    epilog="New here? Try `coverslip demo`. Every command explains itself: `coverslip train --help`.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from coverslip._version import __version__

        typer.echo(f"coverslip {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="On an error, show where in the program it arose.")] = False,
) -> None:
    """Both options act before any command runs: `--version` here, `--debug` in `main`."""


for command in (
    app_command.app,
    demo.demo,
    inspect.inspect,
    preview.preview,
    train.train,
    evaluate.evaluate,
    predict.predict,
    report.report,
):
    app.command()(command)
app.command(name="export")(export.export)
app.command(name="models")(models.models)
app.command(name="cache")(cache.cache)
app.add_typer(weights.weights_app, name="weights")
