"""What to type instead of options that other programs have and this one has not: choices of the recipe are set."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from typer.exceptions import TyperException

from coverslip.cli._options import usage_error
from coverslip.cli._remedies import for_shell

_NEAR = 0.7  # of difflib: below it, names are of other things


def keep_near_options(error: TyperException) -> None:
    """Propose options of like names alone: the dashes before them make any two short ones alike."""
    option = str(getattr(error, "option_name", "")).lstrip("-")
    if possibilities := getattr(error, "possibilities", None):
        names = {each.lstrip("-"): each for each in possibilities}
        near = [names[name] for name in difflib.get_close_matches(option, names, cutoff=_NEAR)]
        error.possibilities = near  # type: ignore[attr-defined]  # of an option that there is not


def set_instead(error: TyperException, arguments: Sequence[str]) -> str | None:
    """The error for an option that is none, where it is a choice of the recipe and the command takes such; else None.

    Args:
        error: of parsing.
        arguments: what was typed.
    """
    option, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if option is None or context is None or "settings" not in {parameter.name for parameter in context.command.params}:
        return None
    # Something that is like an option of ours is that one misspelt.
    key = _key_meant(option.lstrip("-"), may_be_misspelt=not getattr(error, "possibilities", None))
    if key is None:
        return None
    from coverslip.messages import text

    return text("usage-set-instead", option=option, setting=f"{key}={_value(option, arguments)}")


def refuse_bare_settings(data: Sequence[str]) -> None:
    """Refuse `epochs=3` among the sources of images.

    Raises:
        typer.BadParameter: there is no such file, but such a key.
    """
    for source in data:
        name, equals, value = source.partition("=")
        key = _key_meant(name) if equals and not Path(source).exists() else None
        if key is not None:
            typed = for_shell(f"{key}={value}")
            raise usage_error("usage-bare-setting", source=source, setting=typed)


def _key_meant(name: str, *, may_be_misspelt: bool = True) -> str | None:
    from coverslip.runs.recipe import key_meant, recipe_keys

    return key_meant(name, (key.key for key in recipe_keys()), may_be_misspelt=may_be_misspelt)


def _value(option: str, arguments: Sequence[str]) -> str:
    """What was typed behind the option."""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option and equals:
            return for_shell(value)
        if name == option and at + 1 < len(arguments) and not arguments[at + 1].startswith("-"):
            return for_shell(arguments[at + 1])
    return "VALUE"
