"""The structure of the package: no import cycle, and one owner of the files of a run folder."""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
import typer
from sources import nodes_of

from coverslip.cli import app

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "coverslip"
MODULES = sorted(PACKAGE.rglob("*.py"))

RUN_FILES = {
    *("classifier.json", "data.json", "environment.json", "events.jsonl", "history.csv", "learning_curve.json"),
    *("content_hashes.csv", "test_set_accesses.json", "map_checks.json", "training_hashes.json"),
    *("metrics.json", "predictions.csv", "split.csv", "status.json", "training.json", "validation.csv"),
    *("best.safetensors", "last.safetensors"),
}
# A table of predictions that is no run's: of the images that somebody wants to know about.
PREDICTIONS_OF_NEW_IMAGES = {
    "app/routes/files.py",
    "cli/demo.py",
    "cli/predict.py",
    "workspace/predictions/predicting.py",
}


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def strings(path: Path) -> frozenset[str]:
    """All strings that a module computes with: no docstrings, no comments, and of f-strings their plain parts."""
    nodes = nodes_of(path)
    of_no_use = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = (node for node in nodes if isinstance(node, ast.Constant) and id(node) not in of_no_use)
    return frozenset(node.value for node in constants if isinstance(node.value, str))


def run_files_named_by(path: Path) -> set[str]:
    named = {text.rsplit("/", 1)[-1] for text in strings(path) if " " not in text} & RUN_FILES
    return named - {"predictions.csv"} if place(path) in PREDICTIONS_OF_NEW_IMAGES else named


def test_every_folder_of_modules_is_a_package() -> None:
    """What is none is overlooked by the checks of imports."""
    assert {place(path.parent) for path in MODULES if not (path.parent / "__init__.py").is_file()} == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions and for type checkers count: one that is hidden to dodge a circle asks for a move."""
    graph = grimp.build_graph("coverslip", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # its error names the circle


@pytest.mark.slow
def test_only_the_room_of_runs_names_the_files_of_a_run_folder() -> None:
    others = [path for path in MODULES if not place(path).startswith("runs/")]
    assert {place(path) for path in others if run_files_named_by(path)} == set()


_ARGUMENT = re.compile(r"--[a-z-]+=?")  # given to a process that is begun
_OPTION = re.compile(r"(?<![\w(-])--[a-z]")  # but not the variable of a style, var(--face)
_COMMAND = re.compile(rf"\bcoverslip (?:{'|'.join(typer.main.get_command(app).commands)})\b")  # type: ignore[attr-defined]  # Typer's group


@pytest.mark.slow
def test_only_the_command_line_speaks_of_its_options_and_commands() -> None:
    """Remedies are sentences and data (`messages.py`): the app shows them to people without a terminal."""
    of_developers = "app/files.py"  # says how pages are built from sources
    below = [path for path in MODULES if not place(path).startswith(("cli/", of_developers))]
    words = [(place(path), text) for path in below for text in strings(path) if not _ARGUMENT.fullmatch(text)]
    assert [(name, text) for name, text in words if _OPTION.search(text) or _COMMAND.search(text)] == []


def test_readers_of_images_open_files_in_one_way() -> None:
    """Else links that are exchanged meanwhile lead out of the app's folders."""
    readers = [path for path in MODULES if place(path).startswith("images/") and path.name != "confining.py"]
    opening = re.compile(r"""\.open\(["']r?b|\bread_bytes\(|\bmemmap\(|(?<![\w.])open\(""")
    assert {place(path) for path in readers if opening.search(path.read_text(encoding="utf-8"))} == set()
