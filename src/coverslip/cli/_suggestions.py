"""Suggestions for options of other programs that are recipe settings here."""

import difflib
import json
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from typer.exceptions import TyperException

from coverslip.cli._options import usage_error
from coverslip.errors import CoverslipError
from coverslip.messages import (
    FAILURE_VARIABLE,
    AllowLeakage,
    ChooseOther,
    CleanCache,
    Evaluate,
    Finish,
    GroupBy,
    ImportWeights,
    MapColumn,
    Remedy,
    Resume,
    Set,
    ShowModels,
    TrustCluster,
)

_OPTIONS = {
    "output": "--out",
    "name": "--name",
    "workspace": "--workspace FOLDER",
    "root": "--root FOLDER",
    "host": "--host ADDRESS",
}


def with_remedies(text: str, remedies: Sequence[Remedy]) -> str:
    """Append the options or commands of remedies to a text; a page renders remedies itself."""
    if not remedies or is_read_on_a_page():
        return text
    settings = [_typed(remedy) for remedy in remedies if isinstance(remedy, Set)]
    other_suggestions = [_typed(remedy) for remedy in remedies if not isinstance(remedy, Set)]
    suggestion = " or ".join(filter(None, [" ".join(settings), *other_suggestions]))
    return f"{text.removesuffix('.')} ({suggestion})."


def is_read_on_a_page() -> bool:
    """Return whether another program, such as the app, started this command and shows its output."""
    return FAILURE_VARIABLE in os.environ


def error_line(error: CoverslipError) -> str:
    """Return what happened, in which file, what to do, and the options or commands for it."""
    return with_remedies(str(error), error.remedies)


def _typed(remedy: Remedy) -> str:
    match remedy:
        case Set(key="crop_size", value=value):
            return f"--crop-size {value}"
        case MapColumn(meaning=meaning):
            return f"--columns {meaning}=COLUMN"
        case Set(key=key, value=value):
            return f"--set {for_shell(f'{key}={_as_given(value)}')}"
        case AllowLeakage():
            return "--allow-leakage"
        case GroupBy(column=column):
            return f"--group {for_shell(column)}" if column else "--group-pattern PATTERN"
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
        case TrustCluster():
            return "--trust-cluster"


def _as_given(value: object) -> str:
    """Return a value in the format of `--set`."""
    return value if isinstance(value, str) else json.dumps(value)


def for_shell(text: str | Path) -> str:
    """Return a name for a suggested command, quoted for the shell if necessary, such as `Patient ID`."""
    text = str(text)
    if re.fullmatch(r"[\w@%+=:,./\\-]+", text):
        return text
    # Double quotes also work on Windows, unless the text contains special characters.
    return shlex.quote(text) if re.search(r'["$`\\!]', text) else f'"{text}"'


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
    # A name similar to an option of this command is treated as a misspelling of that option.
    key = _suggested_key(option.lstrip("-"), allow_similar=not getattr(error, "possibilities", None))
    if key is None:
        return None
    from coverslip.messages import text

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


def _suggested_key(name: str, *, allow_similar: bool = True) -> str | None:
    from coverslip.runs.recipe import key_names, suggested_key

    return suggested_key(name, key_names(), allow_similar=allow_similar)


def _value(option: str, arguments: Sequence[str]) -> str:
    """Return the value that follows the option."""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option and equals:
            return for_shell(value)
        if name == option and at + 1 < len(arguments) and not arguments[at + 1].startswith("-"):
            return for_shell(arguments[at + 1])
    return "VALUE"
