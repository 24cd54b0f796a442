"""Syntax trees of Python sources, parsed once for all tests of a process that read them."""

import ast
from functools import cache
from pathlib import Path


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def nodes_of(file: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parse(file)))


@cache
def calls_in(file: Path) -> tuple[tuple[ast.Call, str], ...]:
    """Each call of a module with the dotted name of what it calls; the name is empty for other expressions."""
    return tuple((node, dotted_name(node.func)) for node in nodes_of(file) if isinstance(node, ast.Call))


def dotted_name(node: ast.expr) -> str:
    """The text of `a.b.c` and of `super().b`; empty for other expressions. `ast.unparse` takes 20 times as long."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            before = dotted_name(node.value)
            return f"{before}.{node.attr}" if before else f".{node.attr}"
        case ast.Call(func=ast.Name(id="super"), args=[]):
            return "super()"
    return ""
