"""YAML of people and strangers to plain data: small, flat, without aliases, and each fault with its line.

A few hundred bytes of aliases stand for more values than any memory holds, and some thousand brackets for a nesting
that no program walks through; recipes need neither.
"""

import copy
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from coverslip.errors import BadRecipe

_LARGEST_TEXT = 128 * 1024  # characters; the largest of a usual kind, with a thousand classes by name, has half as many
LARGEST_BYTES = 4 * _LARGEST_TEXT  # of a file; a character has four at most
_LONGEST_VALUE = 3_000  # characters; a path is the longest that any key takes
_DEEPEST = 12  # sections in each other; init.recipe.classes.merge is the deepest that any key has


class _Unreadable(Exception):
    def __init__(self, why: str, line: int | None) -> None:
        super().__init__(why)
        self.why, self.line = why, line


def read_yaml(text: str, file: Path | None = None) -> tuple[dict[str, Any], dict[str, int]]:  # Any: as YAML gives it
    """Plain data, and in which line each dotted key of it stands.

    Raises:
        BadRecipe: not YAML, or more of it than any recipe holds; with the line.
    """
    try:
        data, node = _read(text)
    except _Unreadable as error:
        raise BadRecipe(
            f"The recipe could not be read: {f'line {error.line}: ' if error.line else ''}{error.why}",
            file=file,
            do="It must be a YAML file of `key: value` lines.",
            faults=[("", error.why)] if error.line else (),
            lines={"": error.line} if error.line else None,
        ) from error
    if data is not None and not isinstance(data, dict):
        raise BadRecipe(
            "The recipe is not a list of `key: value` lines",
            file=file,
            do="Write a key and its value on each line, such as `epochs: 20`.",
        )
    return copy.deepcopy(data) or {}, dict(_lines(node))


def read_value(text: str) -> Any:  # Any: as YAML gives it
    """One value, as it stands behind a key.

    Raises:
        ValueError: it is not YAML, or too much of it.
    """
    try:
        return copy.deepcopy(_read(text)[0])
    except _Unreadable as error:
        raise ValueError(error.why) from error


def check_depth(data: object) -> None:
    """Refuse plain data that are nested more deeply than any recipe.

    Raises:
        BadRecipe: they are.
    """
    inner: list[object] = [data]
    for _ in range(_DEEPEST):
        inner = [
            value
            for each in inner
            if isinstance(each, dict | list)
            for value in (each.values() if isinstance(each, dict) else each)
        ]
        if not inner:
            return
    raise BadRecipe(f"The recipe is not valid: {_TOO_DEEP}", do="Correct it.")


_TOO_DEEP = f"sections or lists lie in each other, more than {_DEEPEST} deep"


@lru_cache(maxsize=32)  # a run's recipe is read again and again, and reading YAML takes longer than all else in it
def _read(text: str) -> tuple[Any, Any]:  # Any: as YAML gives it, and a node of ruamel.yaml
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    if len(text) > _LARGEST_TEXT:
        raise _Unreadable(f"it has {len(text):,} characters, more than the {_LARGEST_TEXT:,} that are read", None)
    yaml = YAML(typ="safe", pure=True)
    try:
        _check_events(YAML(typ="safe", pure=True).parse(text))
        node = yaml.compose(text)
        return _constructed(yaml, node), node
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Unreadable(error.problem or str(error).splitlines()[0], mark.line + 1 if mark else None) from error
    except ReaderError as error:
        raise _Unreadable(str(error).splitlines()[0], text.count("\n", 0, error.position) + 1) from error
    except YAMLError as error:
        raise _Unreadable(str(error).splitlines()[0], None) from error


def _check_events(events: Iterator[Any]) -> None:  # Any: events of ruamel.yaml
    """Before anything is built of them, and before the text is read any further than needed."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

    depth = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, AliasEvent):
            raise _Unreadable(f"aliases (*{event.anchor}) are not read; write the value out", line)
        if isinstance(event, ScalarEvent) and len(event.value) > _LONGEST_VALUE:
            raise _Unreadable(f"a value has {len(event.value):,} characters", line)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            raise _Unreadable(_TOO_DEEP, line)


def _constructed(yaml: Any, node: Any) -> Any:  # Any: ruamel.yaml, a node of it, and what it stands for
    if node is None:
        return None
    try:
        return yaml.constructor.construct_document(node)
    except ValueError as error:  # a date such as 2024-99-99
        bad = next((scalar for scalar in _scalars(node) if not _is_valid(yaml, scalar)), node)
        raise _Unreadable(str(error).splitlines()[0], bad.start_mark.line + 1) from error


def _is_valid(yaml: Any, scalar: Any) -> bool:  # Any: ruamel.yaml, and a node of it
    try:
        yaml.constructor.construct_document(scalar)
    except ValueError:
        return False
    return True


def _scalars(node: Any) -> Iterator[Any]:  # Any: nodes of ruamel.yaml
    match node.id:
        case "mapping":
            for pair in node.value:
                yield from (scalar for inner in pair for scalar in _scalars(inner))
        case "sequence":
            for inner in node.value:
                yield from _scalars(inner)
        case _:
            yield node


def _lines(node: Any, section: str = "") -> Iterator[tuple[str, int]]:  # Any: a node of ruamel.yaml
    if node is not None and node.id == "mapping":
        for key, value in node.value:
            yield f"{section}{key.value}", key.start_mark.line + 1
            yield from _lines(value, f"{section}{key.value}.")


def line_of(key: str, lines: Mapping[str, int]) -> int | None:
    """Where a key stands, or else the section that it should lie in."""
    parts = key.split(".")
    places = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((lines[place] for place in places if place in lines), None)
