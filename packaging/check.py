"""Check the folder that packaging/build.sh built: FOLDER/environment/bin/python packaging/check.py FOLDER.

PyInstaller includes the modules that it sees to be imported. A module that it does not see is missed only when a user
needs it. Therefore the program imports each module of coverslip, and each module that any of them imports anywhere, as
far as the environment of the build has it. Then it shows the help of each command and runs `coverslip demo`.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
READERS = (
    "czifile",
    "h5py",
    "liffile",
    "nd2",
    "oiffile",
    "pydicom",
    "zarr",
)  # that other modules import by their names
IMPORTING = """
import importlib, json, sys
failures = {}
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except BaseException as error:
        failures[name] = f"{type(error).__name__}: {error}"
json.dump(failures, open(sys.argv[1], "w"))
"""
COMMANDS = """
import json, sys, typer
from coverslip.cli import app
def paths(command, path):
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from paths(each, [*path, name])
json.dump(list(paths(typer.main.get_command(app), [])), open(sys.argv[1], "w"))
"""


def own_modules() -> Iterator[tuple[str, Path]]:
    """The name and file of each module of coverslip."""
    for file in sorted((SOURCES / "coverslip").rglob("*.py")):
        parts = file.relative_to(SOURCES).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def imported(file: Path) -> Iterator[str]:
    """The modules that a module imports at any place, not only at its beginning."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def main(folder: Path) -> int:
    """Print what fails."""
    program = folder.resolve() / "coverslip" / ("coverslip.exe" if sys.platform == "win32" else "coverslip")
    own = dict(own_modules())
    names = sorted({name for file in own.values() for name in imported(file)}.union(own, READERS))
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary, "out.json")
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("COVERSLIP_", "PYTHON"))}
        variables |= {"HOME": temporary, "COVERSLIP_CACHE": str(Path(temporary, "cache"))}

        def run(*arguments: str, by: Path = program, data: str = "") -> bool:
            command = [str(by), *arguments]
            done = subprocess.run(
                command, env=variables, cwd=temporary, input=data, capture_output=True, text=True, check=False
            )
            if done.returncode:
                failures[" ".join(command)] = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
            return not done.returncode

        def not_imported(by: Path) -> dict[str, str]:
            is_done = run("-c", IMPORTING, str(out), by=by, data=json.dumps(names))
            return json.loads(out.read_text(encoding="utf-8")) if is_done else {}

        missing_in_build = not_imported(Path(sys.executable))
        failures |= {name: why for name, why in not_imported(program).items() if name not in missing_in_build}
        commands = json.loads(out.read_text(encoding="utf-8")) if run("-c", COMMANDS, str(out)) else []
        for path in commands:
            run(*path, "--help")
        run("doctor")
        run("demo", "--out", "demo")
    for name, reason in failures.items():
        sys.stderr.write(f"packages: {name}: {reason}\n")
    if not failures:
        n_modules = len(names) - len(missing_in_build)
        sys.stdout.write(f"packages: {n_modules} modules, the help of {len(commands)} commands, doctor and demo work\n")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
