"""What is installed: exact versions with hashes, permissive licenses, and audits that do not pass without an answer."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from parameters import only_first

ROOT = Path(__file__).resolve().parent.parent
LOCKED = sorted((ROOT / ".ci" / "locked").glob("*.txt"))
EXTRAS_OF_SETUP = (
    "app",
    "formats",
    "train",
    "keras",
    "mlflow",
    "parquet",
    "tensorboard",
    "cluster",
    "dev",
    "weights",
)
EXTRAS_OF_PACKAGES = ("app", "map", "formats")


def pins(file: Path) -> dict[str, tuple[str, list[str]]]:
    """The version and the hashes of each package in a file of requirements."""
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    versions = {}
    for line in filter(None, (each.partition("#")[0].strip() for each in text.splitlines())):
        requirement = Requirement(line.partition(" --hash")[0])
        (version,) = requirement.specifier
        assert version.operator == "=="
        versions[canonicalize_name(requirement.name)] = (
            version.version,
            re.findall(r"--hash=sha256:([0-9a-f]{64})", line),
        )
    return versions


def test_each_locked_package_has_hashes_and_the_version_of_the_constraints() -> None:
    versions = {name: version for name, (version, _) in pins(ROOT / "constraints.txt").items()}
    stems = ["base", "cuda", "fuzz", "node", "package-train", "package", "programs", "tools", "torch-cpu", "uv"]
    assert [file.stem for file in LOCKED] == stems
    for file in LOCKED:
        for name, (version, hashes) in pins(file).items():
            assert hashes, (file.name, name)
            if file.stem == "programs" and name.startswith("pydantic"):  # of bioimageio.core
                continue
            assert versions.get(name, version) == version.removesuffix("+cpu"), (file.name, name)


@pytest.mark.parametrize(
    ("file", "extras"),
    [
        ("base.txt", EXTRAS_OF_SETUP),
        ("package.txt", EXTRAS_OF_PACKAGES),
        ("package-train.txt", (*EXTRAS_OF_PACKAGES, "train", "keras")),
    ],
)
def test_all_that_is_declared_is_locked(file: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["optional-dependencies"]
    texts = [*project["dependencies"], *(text for extra in extras for text in declared[extra])]
    needed = {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, texts)}
    needed |= {  # what extras of packages need
        canonicalize_name(dependency.name): dependency
        for requirement in [*needed.values()]
        for extra in requirement.extras
        for dependency in map(Requirement, distribution(requirement.name).requires or ())
        if (marker := dependency.marker) and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})
    }
    locked = pins(ROOT / ".ci" / "locked" / file)
    assert [name for name in needed if name not in locked or locked[name][0] not in needed[name].specifier] == []


def test_no_index_is_named() -> None:
    assert [file.name for file in LOCKED if "://" in file.read_text(encoding="utf-8")] == []
    modules = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [name for name, module in modules.items() if name and "integrity" not in module] == []


@pytest.mark.slow
def test_licenses_are_permissive_and_a_copyleft_one_is_refused() -> None:
    assert subprocess.run([sys.executable, ".ci/licenses.py"], cwd=ROOT, check=False).returncode == 0
    code = (
        "import runpy, json, sys; is_free = runpy.run_path('.ci/licenses.py')['is_free'];"
        "print(json.dumps([is_free(text) for text in sys.argv[1:]]))"
    )
    free = ["MIT", "BSD-3-Clause AND (MIT OR GPL-2.0-only)", "Apache Software License", "0BSD"]
    refused = [
        "",
        "GPL-3.0-or-later",
        "LGPL-2.1",
        "AGPL-3.0",
        "MIT AND GPL-3.0",
        "MPL-2.0",
        "GNU General Public License",
    ]
    done = subprocess.run([sys.executable, "-c", code, *free, *refused], cwd=ROOT, check=True, capture_output=True)
    assert json.loads(done.stdout) == [True] * len(free) + [False] * len(refused)


VULNERABLE = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}


@pytest.mark.parametrize(
    ("kind", "answer", "code"),
    only_first(
        2,
        [
            ("pip", {"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, 0),
            ("pip", {"dependencies": [VULNERABLE]}, 1),
            ("pip", {"dependencies": [{"name": "a", "skip_reason": "Dependency not found"}]}, 1),
            ("pip", None, 1),
            ("npm", {"vulnerabilities": {}}, 0),
            ("npm", {"vulnerabilities": {"a": {"severity": "high"}}}, 1),
            ("npm", {"message": "405 Method Not Allowed", "error": {}}, 1),
        ],
    ),
)
def test_an_audit_passes_only_with_an_answer_about_all(tmp_path: Path, kind: str, answer: object, code: int) -> None:
    if answer is not None:
        (tmp_path / "answer.json").write_text(json.dumps(answer))
    arguments = [sys.executable, ".ci/audited.py", kind, str(tmp_path / "answer.json"), "locked"]
    assert subprocess.run(arguments, cwd=ROOT, check=False, capture_output=True).returncode == code
