"""Suggestions for options of other programs that are recipe settings here."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from typer.exceptions import TyperException

from coverslip.cli._options import usage_error
from coverslip.cli._remedies import for_shell

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
    key = _suggested_key(option.lstrip("-"), may_be_misspelt=not getattr(error, "possibilities", None))
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


def _suggested_key(name: str, *, may_be_misspelt: bool = True) -> str | None:
    from coverslip.runs.recipe import recipe_keys, suggested_key

    return suggested_key(name, (key.key for key in recipe_keys()), may_be_misspelt=may_be_misspelt)


def _value(option: str, arguments: Sequence[str]) -> str:
    """Return the value that follows the option."""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option and equals:
            return for_shell(value)
        if name == option and at + 1 < len(arguments) and not arguments[at + 1].startswith("-"):
            return for_shell(arguments[at + 1])
    return "VALUE"
