"""The language of names and texts: standard terms instead of a private vocabulary (CONTRIBUTING, "Language")."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sources import nodes_of

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted(file for name in ("tests", "benchmarks", "docs") for file in (ROOT / name).rglob("*.py"))
TEXTS = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/RESULTS.md", "benchmarks/NOT_KEPT.md")),
    *sorted((ROOT / "src").rglob("*.ftl")),
    *SOURCES,
    *sorted(file for suffix in ("ts", "svelte") for file in (ROOT / "web" / "src").rglob(f"*.{suffix}")),
]

# No part of a name, such as `n_aside` or `DoubtfulLabel`.
NOT_IN_NAMES = {
    *("told", "tell", "tells", "asked", "asking", "anew", "again", "aside", "elsewhere", "wish", "wished", "careless"),
    *("luck", "dealt", "heap", "spare", "doubt", "doubts", "doubtful", "forget", "forgotten", "looks", "looked"),
    *("familiar", "familiarity", "habits"),
}
# Participles and pronouns that do not say what a variable holds.
NO_VARIABLES = {"found", "told", "asked", "said", "one", "known", "own", "kept", "given", "chosen"}
PHRASES = re.compile(
    r"\b(told|anew|dealt out|careless|wished|called so|on the mean|kept aside|goes? on with|at all events|"
    r"taken? in again|spare (copy|copies)|mix-ups?|said to be|looked at|by luck|could be luck)\b",
    re.IGNORECASE,
)


@cache
def names_of(file: Path) -> tuple[tuple[str, bool], ...]:
    """Every name that a module defines, and whether it is a variable or a parameter."""
    return tuple(_names_of(file))


def _names_of(file: Path) -> Iterator[tuple[str, bool]]:
    for node in nodes_of(file):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, False
            case ast.Name(ctx=ast.Store()):
                yield node.id, True
            case ast.arg():
                yield node.arg, True
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, False


@cache
def words_in(name: str) -> frozenset[str]:
    """The words of a name in snake_case or CamelCase."""
    return frozenset(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))


@pytest.mark.slow
def test_names_are_terms_of_the_field() -> None:
    names = {(str(file.relative_to(ROOT)), name) for file in SOURCES for name, _ in names_of(file)}
    assert {(file, name) for file, name in names if words_in(name) & NOT_IN_NAMES} == set()


def test_modules_are_named_by_terms_of_the_field() -> None:
    assert [file for file in SOURCES if words_in(file.stem) & NOT_IN_NAMES] == []


@pytest.mark.slow
def test_variables_are_nouns() -> None:
    names = [
        (str(file.relative_to(ROOT)), name)
        for file in (*SOURCES, *TESTS)
        for name, is_variable in names_of(file)
        if is_variable and name in NO_VARIABLES
    ]
    assert len(names) <= 10, names


@pytest.mark.slow
def test_texts_use_no_private_phrases() -> None:
    uses = [
        (str(file.relative_to(ROOT)), phrase[0])
        for file in TEXTS
        for phrase in PHRASES.finditer(file.read_text(encoding="utf-8"))
    ]
    assert len(uses) < 10, uses
