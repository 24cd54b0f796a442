"""ARCHITECTURE.md names only what exists."""

import ast
import re
from pathlib import Path

from sources import parse

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PATHS = re.findall(r"`([\w./]+/|[\w./]+\.(?:py|md|toml|ts))(?::(\w+))?`", PAGE)


def names_of(file: Path) -> set[str]:
    """The names that a module defines."""
    defined = set()
    for node in parse(file).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
    return defined


def test_each_file_and_each_name_in_the_architecture_exists() -> None:
    assert len(PATHS) > 30
    missing = []
    for path, name in PATHS:
        file = next((base / path for base in (ROOT, ROOT / "src" / "coverslip") if (base / path).exists()), None)
        if file is None or (name and name not in names_of(file)):
            missing.append(f"{path}:{name}" if name else path)
    assert missing == []


def test_the_architecture_is_one_page() -> None:
    assert len(PAGE.split()) <= 800
