"""The `coverslip` command: each command parses arguments, calls public functions and prints the result.

Results go to stdout; progress, notes and errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130
interrupted. Slow imports are delayed until a command runs, so that `--help` is fast.
"""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from coverslip.cli import app as app_command
from coverslip.cli import demo, doctor, models, objects, predict, proportions, runs, study, train
from coverslip.cli import inspect as inspect_command
from coverslip.cli import labels as label_errors_command
from coverslip.cli._options import error_line, keep_near_options, option, set_instead, suggesting_only
from coverslip.errors import CoverslipError, Stopped
from coverslip.files import DISK_FULL, write_json
from coverslip.machine import limit_thread_spinning
from coverslip.messages import FAILURE_VARIABLE, Failure, failure, text
from coverslip.processes import DECODE_APART_VARIABLE

__all__ = ["app", "main"]

INTERRUPTED = 130


COMMANDS: dict[str, tuple[typer.Typer | Callable[..., Any], ...]] = {  # Any: whichever command
    "help-commands-start": (app_command.app, demo.demo),
    "help-commands-label": (
        inspect_command.inspect,
        label_errors_command.suggest,
        label_errors_command.label_errors,
        label_errors_command.agreement,
        inspect_command.distance,
        inspect_command.read,
        objects.objects,
    ),
    "help-commands-train": (train.train, inspect_command.preview, models.models, study.study_app, models.weights_app),
    "help-commands-trust": (runs.evaluate, runs.adapt, runs.compare, runs.decide, predict.explain, runs.report),
    "help-commands-predict": (predict.predict, proportions.summarise, proportions.spot_check, objects.export_objects),
    "help-commands-share": (runs.export,),
    "help-commands-run": (app_command.server, app_command.backup, app_command.restore, doctor.cache, doctor.doctor),
}


class _CommandsByPurpose(TyperGroup):
    """The program's help lists its commands by purpose, each with its whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # Any: Typer exports neither type
        width = max(map(len, self.commands))
        commands: list[tuple[str, Any]] = list(self.commands.items())
        for title in map(text, COMMANDS):
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name.ljust(width), command.get_short_help_str(limit=200))
                        for name, command in commands
                        if command.rich_help_panel == title
                    ]
                )


app = typer.Typer(
    name="coverslip",
    cls=_CommandsByPurpose,
    help=text("help-program"),
    epilog=text("help-first-steps"),
    rich_markup_mode=None,
    # Help uses the width of the terminal, up to a readable line length.
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 120},
)


def _show_version(is_requested: bool) -> None:
    if is_requested:
        from coverslip._version import __version__

        typer.echo(f"coverslip {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[bool, option("--version", "help-version", callback=_show_version, is_eager=True)] = False,
    debug: Annotated[bool, option("--debug", "help-debug")] = False,
) -> None:
    """Both options act before any command runs: `--version` here, `--debug` in `main`."""


for purpose, commands in COMMANDS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=text(purpose))
        else:
            app.command(rich_help_panel=text(purpose))(command)


def _with_whole_examples(function: Callable[..., Any]) -> str:  # Any: whichever command
    """Return a command's help without line breaks in its examples, so that they can be copied."""
    paragraphs = cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(f"\b\n{text}" if text.startswith("  coverslip ") else text for text in paragraphs)


for info in (
    *app.registered_commands,
    *study.study_app.registered_commands,
    *models.weights_app.registered_commands,
    models.weights_app.registered_callback,
):
    if info is not None and info.callback is not None:
        info.help = _with_whole_examples(info.callback)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; errors become one line on stderr.

    Args:
        arguments: without the program's name; `sys.argv` if None. `--debug` may be at any position.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"] or ["--help"]
    for stream in (sys.stdout, sys.stderr):  # file names may contain bytes that are not valid text
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    limit_thread_spinning()
    os.environ.setdefault(DECODE_APART_VARIABLE, "1")  # read at the first decoding of an image
    with suggesting_only(partial(_options_of, arguments)):
        return _run_command(arguments, debug=debug)


def _options_of(arguments: list[str]) -> set[str]:
    """Return the options of the command that the arguments name."""
    command = typer.main.get_command(app)
    for word in arguments:
        if (subcommand := getattr(command, "commands", {}).get(word)) is None:
            break
        command = subcommand
    return {name for parameter in command.params for name in parameter.opts}


def _run_command(arguments: list[str], *, debug: bool) -> int:
    try:
        # Without standalone mode, the exit code of a command is returned, or None.
        code = app(arguments, prog_name="coverslip", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # `coverslip inspect … | head`: the reader has closed the pipe
        _discard_output()
        return 0
    except TyperException as error:
        keep_near_options(error)
        sentence = set_instead(error, arguments) or error.format_message()
        sentence = sentence.replace(": Value error, ", ": ", 1)  # Pydantic begins the errors of validators so
        return _fail(_one_line(sentence) + _help_of(error), error.exit_code)
    except CoverslipError as error:
        if debug:
            raise
        _write_failure(error.failure)
        line = _one_line(error_line(error))
        return _end(line, INTERRUPTED) if isinstance(error, Stopped) else _fail(line, 1)
    except OSError as error:
        if debug or error.errno not in DISK_FULL:
            return _unexpected_error(error, debug)
        _discard_output()
        return _fail(text("command-disk-full", reason=error.strerror), 1)
    except Exception as error:  # noqa: BLE001  the process ends here; --debug shows where it came from
        return _unexpected_error(error, debug)
    if code == INTERRUPTED:
        return _fail(text("command-interrupted"), INTERRUPTED)
    return code if isinstance(code, int) else 0


def _fail(line: str, code: int) -> int:
    return _end(text("command-error", line=line), code)


def _end(line: str, code: int) -> int:
    with suppress(OSError):  # the pipe is closed, or the disk of a log is full
        print(line, file=sys.stderr)  # noqa: T201  command-line output
    return code


def _unexpected_error(error: Exception, debug: bool) -> int:
    if debug:
        raise error
    what = _one_line(" ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])).rstrip(".")
    _write_failure(failure("command-fault", kind="fault", what=what))
    return _fail(text("command-fault-report", what=what), 1)


def _write_failure(reason: Failure) -> None:
    """Write the reason of the failure to a file, if the program that started the command requests it."""
    file = os.environ.get(FAILURE_VARIABLE)
    if file:
        with suppress(CoverslipError):  # on a full disk, the reason is still printed
            write_json(Path(file), asdict(reason))


def _discard_output() -> None:
    """Redirect the rest of stdout to the null device; otherwise Python reports an error at exit."""
    with suppress(OSError, ValueError):  # ValueError: stdout is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(content: str) -> str:
    """Return a text on one line, with control characters escaped: names and texts of files may contain any."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(content.split()))


def _help_of(error: TyperException) -> str:
    """Return the command that shows the help of the command in which the error occurred."""
    context = getattr(error, "ctx", None)
    return f" {text('command-see-help', command=context.command_path)}" if context is not None else ""
