"""Packages: the launcher of desktop packages, versions that agree, workflows without rights, and the wheel."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from coverslip._version import __version__

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def launched(*arguments: str, data: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PACKAGING / "launcher.py"), *arguments]
    return subprocess.run(command, input=data, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_launcher_is_the_command_and_the_interpreter_of_its_processes() -> None:
    version = f"coverslip {__version__}"
    assert launched("--version").stdout.strip() == version
    assert launched("-P", "-m", "coverslip", "--version").stdout.strip() == version
    script = "import sys; print(__name__, sys.argv[1:], sys.stdin.read())"
    assert launched("-I", "-S", "-c", script, "a", data="b").stdout.strip() == "__main__ ['a'] b"
    assert launched("-m", "json.tool", data="{}").stdout.strip() == "{}"
    assert launched("-m", "coverslip.nothing").returncode != 0


def test_all_files_name_the_same_version() -> None:
    named = {
        "CITATION.cff": r"^version: (.+)$",
        "packaging/conda/construct.yaml": r"^version: (.+)$",
        "packaging/conda/recipe.yaml": r"^  version: (\d.+)$",
        "docs/install.md": r"coverslip[-_](\d+\.\d+\.\d+)[-_]",
        "README.md": r"coverslip-(\d+\.\d+\.\d+)-",
    }
    for name, pattern in named.items():
        versions = set(re.findall(pattern, (ROOT / name).read_text(encoding="utf-8"), re.M))
        assert versions == {__version__}, name


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_have_no_rights_and_keep_no_credentials(file: Path) -> None:
    import yaml

    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= (350 if file.stem == "nightly" else 60)
        for step in job["steps"]:
            assert "secrets." not in str(step)
            assert "${{ github.event" not in step.get("run", "")  # text of strangers in a shell
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
            for line in step.get("run", "").splitlines():
                if line.startswith("make "):
                    assert set(line.split()[1:]) <= targets


def test_scripts_are_valid() -> None:
    for script in [*PACKAGING.rglob("*.sh"), PACKAGING / "linux" / "coverslip-window"]:
        shell = "bash" if script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash") else "sh"
        assert subprocess.run([shell, "-n", script], check=False).returncode == 0, script
        assert script.stat().st_mode & 0o100, script


def test_the_conda_recipe_needs_what_the_package_and_its_app_need() -> None:
    import yaml

    recipe = yaml.safe_load((PACKAGING / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = re.compile(r"[\w.-]+")
    wanted = {name.match(each)[0] for each in [*project["dependencies"], *project["optional-dependencies"]["app"]]}  # type: ignore[index]
    recipe_names = {each.split()[0].replace("matplotlib-base", "matplotlib") for each in recipe["requirements"]["run"]}
    # Only faster, and not on Windows.
    assert recipe_names - {"python", "argon2-cffi"} == wanted - {"uvloop"}


def test_files_of_the_server_name_options_that_exist() -> None:
    import typer
    import yaml

    from coverslip.cli import app

    command = typer.main.get_command(app).commands["server"]  # type: ignore[attr-defined]
    options = {option for each in command.params for option in each.opts}
    unit = (PACKAGING / "server" / "coverslip.service").read_text(encoding="utf-8")
    (started,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", unit, re.M)
    services = yaml.safe_load((PACKAGING / "server" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for line in (started, services["coverslip"]["command"]):
        used = set(re.findall(r" (--[a-z-]+)", line))
        assert {"--proxy", "--name", "--root"} <= used <= options


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    unit = (PACKAGING / "server" / "coverslip.service").read_text(encoding="utf-8")
    (tmp_path / "coverslip.service").write_text(unit.replace("/opt/coverslip/bin/coverslip", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", tmp_path / "coverslip.service"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.exhaustive
def test_the_wheel_is_reproducible_and_small() -> None:
    done = subprocess.run([sys.executable, ".ci/wheel.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "reproducible" in done.stdout
