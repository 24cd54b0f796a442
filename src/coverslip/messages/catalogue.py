"""The catalogue of messages: every sentence that users read, under a stable code.

The entries are in Project Fluent's format (https://projectfluent.org), in `en/*.ftl`, one file for each subject:

    no-such-address = This computer has no address '{ $host }'
        .do = Give one of its own addresses, or none.

`what happened` is the value, `.do` says what to do about it. Fluent selects plurals and formats numbers by the rules
of the language. A translation is a folder with the same files and codes.
"""

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluent.runtime import FluentBundle

_LANGUAGE = "en"
_LOCALE = "en-US"
_ENTRY = re.compile(r"^(?=[A-Za-z][\w-]* *=)", re.MULTILINE)


def text(code: str, **parameters: Any) -> str:
    """Return the text of a message.

    Args:
        code: the entry; with `.do`, `.title` or another name behind it, that attribute of the entry.
        parameters: the values of its variables: numbers, texts and paths.

    Raises:
        KeyError: there is no such entry, or a parameter is missing.
    """
    name, _, attribute = code.partition(".")
    message = _bundle(name).get_message(name)
    pattern = message.attributes[attribute] if attribute else message.value
    if pattern is None:
        raise KeyError(f"the message '{name}' has attributes only")
    rendered, errors = _bundle(name).format_pattern(pattern, {key: _plain(each) for key, each in parameters.items()})
    if errors:
        raise KeyError(f"the message '{code}' cannot be rendered: {errors[0]}")
    return str(rendered)


def has_entry(code: str) -> bool:
    """Return whether the catalogue has an entry, or with `.do` behind its name, that attribute."""
    name, _, attribute = code.partition(".")
    if name not in _sources():
        return False
    return not attribute or attribute in _bundle(name).get_message(name).attributes


def entries() -> Mapping[str, str]:
    """Return the source of every entry, by code."""
    return dict(_sources())


def _plain(parameter: Any) -> Any:
    """Return a parameter in a type that Fluent has."""
    if isinstance(parameter, bool):
        return str(parameter).lower()  # for { $is_grouped -> [true] … *[false] … }
    return str(parameter) if isinstance(parameter, PurePath) else parameter


@cache
def _sources() -> dict[str, str]:
    """Return the source of every entry. Reading an entry takes longer than finding it: each is read when it is used."""
    return dict(_read())


def _read() -> Iterator[tuple[str, str]]:
    folder = files("coverslip.messages").joinpath(_LANGUAGE)
    for file in folder.iterdir():
        if file.name.endswith(".ftl"):
            for entry in _ENTRY.split(file.read_text(encoding="utf-8"))[1:]:
                yield entry.partition("=")[0].strip(), re.sub(r"^#.*\n?", "", entry, flags=re.MULTILINE)


@cache
def _bundle(name: str) -> "FluentBundle":
    """Return the entry, ready to be rendered."""
    from fluent.runtime import FluentBundle, FluentResource  # imports Babel: only where a message is shown

    bundle = FluentBundle([_LOCALE], use_isolating=False)
    bundle.add_resource(FluentResource(_sources()[name]))
    return bundle


def duration(seconds: float) -> str:
    """Seconds for people: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def rough_duration(seconds: float) -> str:
    """A length of time that is an estimate: `40 s`, `6 min`, `2 h 10 min`."""
    if seconds < 55:
        return f"{max(5, 5 * math.ceil(seconds / 5))} s"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min"
    return duration(600 * round(seconds / 600))


_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
_UNSAFE_IN_LINES = re.compile(r"(?![\n\t])[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")


def escape_controls(text: str) -> str:
    r"""Return `text` with each control character as an escape, such as `\x1b`; line ends and tabs too."""
    return _UNSAFE.sub(_escaped, text)


def escape_controls_in_lines(text: str) -> str:
    """Return `text` of several lines with each control character as an escape but line ends and tabs."""
    return _UNSAFE_IN_LINES.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()
