"""Options that several commands share, and the options and commands that errors and notes suggest."""

import csv
import difflib
import json
import os
import re
import shlex
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.exceptions import TyperException

from coverslip.errors import CoverslipError
from coverslip.files import mark_for_excel
from coverslip.messages import (
    FAILURE_VARIABLE,
    AllowLeakage,
    ChooseOther,
    CleanCache,
    Evaluate,
    Finish,
    GroupBy,
    ImportWeights,
    JoinGroups,
    MapColumn,
    Remedy,
    Rescale,
    RestoreBackup,
    Resume,
    Set,
    ShowModels,
    TrustCluster,
    text,
)

if TYPE_CHECKING:
    from coverslip.runs.recipe_keys import RecipeKey


def network_names(incomplete: str) -> list[str]:
    """Return the networks whose names have this prefix."""
    from coverslip.models import list_models

    return [record.name for record in list_models() if record.name.startswith(incomplete)]


def recipe_settings(incomplete: str) -> list[str]:
    """Return the keys with this prefix, each followed by `=`."""
    from coverslip.runs.recipe_keys import key_names

    return [f"{key}=" for key in key_names() if key.startswith(incomplete)]


def keys_as_text(width: int = 100) -> str:
    """Return every key below the title of its group: its possible values, default and meaning."""
    from coverslip.runs.recipe_keys import recipe_groups, recipe_keys

    keys = recipe_keys()
    blocks = []
    for group in recipe_groups():
        rows = [_key_row(key, width) for key in keys if key.group == group.name]
        blocks.append("\n".join([f"{group.title}: {group.text}", *rows]))
    return "\n\n".join(blocks)


def _key_row(key: "RecipeKey", width: int) -> str:
    allowed, default = key.allowed.replace("`", ""), json.dumps(key.default).strip('"')
    meaning = textwrap.fill(f"{key.title}. {key.help}", width, initial_indent="      ", subsequent_indent="      ")
    return f"  {key.key}={default}  ({allowed})\n{meaning}"


def argument(metavar: str, code: str, **settings: Any) -> Any:  # Any: as Typer has them
    """Return an argument of a command.

    Args:
        metavar: its name in the help.
        code: of its help text.
        settings: of `typer.Argument`.
    """
    return typer.Argument(metavar=metavar, help=text(code), **settings)


def option(usage: str, code: str, **settings: Any) -> Any:  # Any: as Typer has them
    """Return an option of a command.

    Args:
        usage: as in the help: `--out FILE`, or `--json` for a switch.
        code: of its help text.
        settings: of `typer.Option`.
    """
    name, _, metavar = usage.partition(" ")
    return typer.Option(name, metavar=metavar or None, help=text(code), **settings)


Data = Annotated[list[str], argument("DATA", "help-data")]
Group = Annotated[str | None, option("--group COLUMN", "help-group")]
GroupPattern = Annotated[str | None, option("--group-pattern PATTERN", "help-group-pattern")]
Columns = Annotated[str | None, option("--columns NAME=COLUMN,...", "help-columns")]
CropSize = Annotated[str | None, option("--crop-size PIXELS|UM", "help-crop-size")]
Channels = Annotated[str | None, option("--channels A,B", "help-channels")]
RescaleImages = Annotated[bool, option("--rescale", "help-rescale")]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], option("--device", "help-device")]
AllClasses = Annotated[bool, option("--all-classes", "help-all-classes")]
ForExcel = Annotated[bool, option("--excel", "help-excel")]
AsJson = Annotated[bool, option("--json", "help-json")]


def setting(code: str) -> Any:  # Any: option type of Typer
    """Return the option `--set` of a command, which may be repeated.

    Args:
        code: of its help text.
    """
    return option("--set KEY=VALUE", code, autocompletion=recipe_settings)


def one_or_all(data: list[str]) -> str | list[str]:
    """Return a single source without a list: a folder has a different meaning than a list of files."""
    return data[0] if len(data) == 1 else data


def columns_of(option: str | None) -> dict[str, str]:
    """Return the columns that `--columns` sets, by their content.

    Raises:
        typer.BadParameter: a part of the text is not NAME=COLUMN, or a name is repeated.
    """
    columns: dict[str, str] = {}
    for pair in next(csv.reader([option]), []) if option else []:
        name, separator, column = (part.strip() for part in pair.partition("="))
        if not separator or not name or name in columns:
            is_repeated = name in columns
            raise usage_error("usage-columns", hint="--columns", column=pair.strip(), is_repeated=is_repeated)
        columns[name] = column
    return columns


def crop_size_of(option: str | None) -> int | str | None:
    """Return the crop size that `--crop-size` sets; it is checked when the images are opened."""
    return int(option) if option is not None and option.isdecimal() else option


def channels_of(option: str | None) -> tuple[int | str, ...] | None:
    """Return the channels that `--channels` lists, by numbers from 0 or names."""
    names = (name.strip() for name in (option or "").split(","))
    return None if option is None else tuple(int(name) if name.isdecimal() else name for name in names)


def check_groups(group: str | None, group_pattern: str | None) -> None:
    """Reject `--group` together with `--group-pattern`.

    Raises:
        typer.BadParameter: both options are set.
    """
    if group is not None and group_pattern is not None:
        raise usage_error("usage-two-groups")


def check_excel(tables: Sequence[Path | None], *, for_excel: bool) -> None:
    """Reject `--excel` without a CSV table that is written.

    Raises:
        typer.BadParameter: there is none.
    """
    if for_excel and not any(tables):
        raise usage_error("usage-excel", hint="--excel")


def mark_tables(tables: Sequence[Path | None], *, for_excel: bool) -> None:
    """Mark written tables as UTF-8, so that Excel for Windows shows accents, if the user wants it.

    Raises:
        CoverslipError: a table cannot be written.
    """
    for table in tables:
        if for_excel and table is not None:
            mark_for_excel(table)


def usage_error(code: str, *, hint: str | None = None, **parameters: Any) -> typer.BadParameter:
    """Return the error for wrong usage, from a message of the catalogue.

    Args:
        code, parameters: as of `messages.text`.
        hint: the option or argument that is wrong.
    """
    return typer.BadParameter(text(code, **parameters), param_hint=hint)


_OPTIONS = {
    "output": "--out",
    "name": "--name",
    "workspace": "--workspace FOLDER",
    "root": "--root FOLDER",
    "host": "--host ADDRESS",
}


_options_of_command: ContextVar[Callable[[], Collection[str]] | None] = ContextVar("options of command", default=None)


@contextmanager
def suggesting_only(options: Callable[[], Collection[str]]) -> Iterator[None]:
    """Suggest no other options within the block. They are computed when the first one is suggested."""
    token = _options_of_command.set(options)
    try:
        yield
    finally:
        _options_of_command.reset(token)


def _is_accepted(suggestion: str) -> bool:
    """Return whether a suggestion is another command, or an option that the running command has."""
    options = _options_of_command.get()
    return options is None or not suggestion.startswith("--") or suggestion.split(maxsplit=1)[0] in options()


def with_remedies(sentence: str, remedies: Sequence[Remedy]) -> str:
    """Append the options or commands of remedies to a sentence; a page renders remedies itself."""
    if not remedies or is_read_on_a_page():
        return sentence
    settings = [_as_argument(remedy) for remedy in remedies if isinstance(remedy, Set)]
    other_remedies = [_as_argument(remedy) for remedy in remedies if not isinstance(remedy, Set)]
    suggestions = [each for each in [" ".join(settings), *other_remedies] if each and _is_accepted(each)]
    if not suggestions:
        return sentence
    suggestion = reduce(lambda first, second: text("report-or", first=first, second=second), suggestions)
    return f"{sentence.removesuffix('.')} ({suggestion})."


def is_read_on_a_page() -> bool:
    """Return whether another program, such as the app, started this command and shows its output."""
    return FAILURE_VARIABLE in os.environ


def error_line(error: CoverslipError) -> str:
    """Return what happened, in which file, what to do, and the options or commands for it."""
    return with_remedies(str(error), error.remedies)


def _as_argument(remedy: Remedy) -> str:
    match remedy:
        case Set(key="crop_size", value=value):
            return f"--crop-size {for_shell(str(value))}"
        case Set(key="images.channels", value=value) if not _is_accepted("--set"):
            return f"--channels {for_shell(','.join(map(str, value)))}"
        case JoinGroups():
            return ""  # the names in the table or of the folders, which the command line lists
        case MapColumn(meaning=meaning):
            return f"--columns {meaning}=COLUMN"
        case Set(key=key, value=value):
            return f"--set {for_shell(f'{key}={as_setting(value)}')}"
        case AllowLeakage():
            return "--allow-leakage"
        case GroupBy(column=column, pattern=pattern):
            if column:
                return f"--group {for_shell(column)}"
            return f"--group-pattern {for_shell(pattern) if pattern else 'PATTERN'}"
        case Resume(run=folder, of="study"):
            return f"`coverslip study resume {for_shell(folder)}`"
        case Resume(run=run):
            return f"`coverslip train --resume {for_shell(run)}`"
        case Evaluate(run=run, on_other_images=is_on_others):
            return f"`coverslip evaluate {for_shell(run)}{' DATA' if is_on_others else ''}`"
        case Finish(run=run):
            return f"`coverslip train --finish {for_shell(run)}`"
        case ImportWeights(model=model):
            return f"`coverslip weights import FILE --model {for_shell(model) if model else 'NAME'}`"
        case ShowModels(model=model):
            return f"`coverslip models{f' {for_shell(model)}' if model else ''}`"
        case CleanCache(store=store):
            return f"`coverslip cache --clean{f' --kind {store}' if store else ''}`"
        case ChooseOther(of=of):
            return _OPTIONS[of]
        case Rescale():
            return "--rescale"
        case RestoreBackup(backup=backup, of=of):
            return f"`coverslip restore {for_shell(backup)} --{of} NEW_FOLDER`"
        case TrustCluster():
            return "--trust-cluster"


def as_setting(value: object) -> str:
    """Return a value in the format of a recipe, `--set KEY=VALUE` and `--option KEY=VALUE`."""
    return value if isinstance(value, str) else json.dumps(value)


def for_shell(name: str | Path) -> str:
    """Return a name for a suggested command, quoted for the shell if necessary, such as `Patient ID`."""
    word = str(name)
    if re.fullmatch(r"[\w@%+=:,./\\-]+", word):
        return word
    # Double quotes also work on Windows, unless the word contains special characters.
    return shlex.quote(word) if re.search(r'["$`\\!]', word) else f'"{word}"'


_NEAR = 0.7  # similarity of difflib; below it, names are unrelated


def keep_near_options(error: TyperException) -> None:
    """Suggest only options with similar names, without their dashes, which make all short options similar."""
    option = str(getattr(error, "option_name", "")).lstrip("-")
    if possibilities := getattr(error, "possibilities", None):
        names = {possibility.lstrip("-"): possibility for possibility in possibilities}
        near = [names[name] for name in difflib.get_close_matches(option, names, cutoff=_NEAR)]
        error.possibilities = near  # type: ignore[attr-defined]  # attribute of the error for an unknown option


def set_instead(error: TyperException, arguments: Sequence[str]) -> str | None:
    """Return the error for an unknown option that is a recipe setting, if the command accepts settings; else None.

    Args:
        error: from parsing.
        arguments: of the command line.
    """
    option, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if option is None or context is None or "settings" not in {parameter.name for parameter in context.command.params}:
        return None
    # A name similar to an option of this command is a misspelling of that option.
    key = None if getattr(error, "possibilities", None) else _suggested_key(option.lstrip("-"))
    if key is None:
        return None
    return text("usage-set-instead", option=option, setting=f"{key}={_value(option, arguments)}")


def refuse_bare_settings(data: Sequence[str]) -> None:
    """Refuse `epochs=3` among the sources of images.

    Raises:
        typer.BadParameter: the file does not exist, but the recipe has such a key.
    """
    for source in data:
        name, equals, value = source.partition("=")
        key = _suggested_key(name) if equals and not Path(source).exists() else None
        if key is not None:
            setting = for_shell(f"{key}={value}")
            raise usage_error("usage-bare-setting", source=source, setting=setting)


def _suggested_key(name: str) -> str | None:
    from coverslip.runs.recipe import suggested_key
    from coverslip.runs.recipe_keys import key_names

    return suggested_key(name, key_names())


def _value(option: str, arguments: Sequence[str]) -> str:
    """Return the value that follows the option."""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option and equals:
            return for_shell(value)
        if name == option and at + 1 < len(arguments) and not arguments[at + 1].startswith("-"):
            return for_shell(arguments[at + 1])
    return "VALUE"
