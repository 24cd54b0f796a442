"""Records of measurements, the page that is generated from them, and the page of ideas that were not kept."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
PAGE, NOT_KEPT = BENCHMARKS / "RESULTS.md", BENCHMARKS / "NOT_KEPT.md"
WORDS = {PAGE: 4200, NOT_KEPT: 4000}
# They compare two versions of the code, and say nothing that is true of one of them.
WITHOUT_RECORD = {"same_results", "same_answers", "make_results"}
Json = dict[str, Any]  # Any: JSON values


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import make_results

    return make_results


@pytest.fixture
def records(results: ModuleType) -> dict[str, Json]:
    read: dict[str, Json] = results.read_records()
    assert read
    return read


def test_the_page_is_what_the_records_say(results: ModuleType, records: dict[str, Json]) -> None:
    page = results.without_marks(PAGE.read_text(encoding="utf-8"))
    assert page == results.page_of(records, older=set()), "run: make results"
    for record in records.values():
        assert f"`{record['command']}`" in page
        for figure in record["figures"]:
            assert f"**{figure['value']:,}**" in page


def test_marks_are_all_that_older_records_change(results: ModuleType, records: dict[str, Json]) -> None:
    name = next(iter(records))
    marked = results.page_of(records, older={name})
    assert marked.count(results.OLDER) == 1
    assert results.without_marks(marked) == results.page_of(records, older=set())


@pytest.mark.parametrize("page", WORDS, ids=lambda page: page.name)
def test_pages_of_measurements_are_short(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").split()) <= WORDS[page]


def test_every_benchmark_writes_a_record_and_has_one(records: dict[str, Json]) -> None:
    scripts = {file.stem for file in BENCHMARKS.glob("[!_]*.py")} - WITHOUT_RECORD
    writing = {name for name in scripts if "RECORD.write(" in (BENCHMARKS / f"{name}.py").read_text(encoding="utf-8")}
    assert scripts - writing == set()
    assert {Path(record["script"]).stem for record in records.values()} == scripts


def test_benchmarks_measure_code_that_exists() -> None:
    """A record may name code that was renamed since; then it is older than the code."""
    paths = set[str]()
    for script in BENCHMARKS.glob("[!_]*.py"):
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Record":
                paths |= set(eval(compile(ast.Expression(node.args[1]), script.name, "eval")))  # noqa: S307 a list
    assert len(paths) > 30
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_records_contain_nothing_of_a_computer(records: dict[str, Json]) -> None:
    for name, record in records.items():
        assert (record["commit"] is None) == (None in record["measures"].values()), name
        text = json.dumps(record)
        assert re.search(r"(?<![\w.~-])/(home|root|tmp|work|Users|var)/|\w+://", text) is None, name


def test_the_table_of_the_readme_has_the_figures_of_its_records(records: dict[str, Json]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \| (-?[\d.]+) \[(.+)\] \| (-?[\d.]+) \[(.+)\] \|$", readme, re.M)
    figures = records["finetuning-by-dataset"]["figures"]
    tuned = {figure["of"]: figure for figure in figures if "note" in figure}
    gains = {figure["of"]: figure for figure in figures if "interval" in figure}
    leakage = {figure["of"]: figure for figure in records["real_findings"]["figures"]}
    assert {name for name, *_ in rows} == set(tuned) == set(gains)
    for name, instant, gain, of_gain, difference, of_difference in rows:
        assert instant == tuned[name]["note"], name
        for value, interval, figure in ((gain, of_gain, gains[name]), (difference, of_difference, leakage[name])):
            ends = [float(end) for end in interval.split(", ")]
            assert (float(value), ends) == (figure["value"], figure["interval"]), name


def test_every_mention_of_a_section_of_both_pages_is_right() -> None:
    """Links of pages are followed by `test_docs.py`; this test also reads sources, scripts and the pages of the app."""
    from test_docs import anchors

    titles = {page.name: anchors(page) for page in (PAGE, NOT_KEPT)}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if not listed:
        pytest.skip("not in a repository of Git")
    wrong = []
    for name in listed.split("\0"):
        file = ROOT / name
        if file.suffix not in {".md", ".py", ".ts", ".svelte", ".ftl", ".toml", ".yml"} or not file.is_file():
            continue
        if file.name in ("test_site.py", "test_results.py"):  # examples
            continue
        for page, anchor in re.findall(r"(RESULTS|NOT_KEPT)\.md#([\w-]+)", file.read_text(encoding="utf-8")):
            wrong += [(name, anchor)] if anchor not in titles[f"{page}.md"] else []
    assert wrong == []


def test_benchmarks_that_documents_name_exist() -> None:
    names = set()
    for folder, pattern in (("docs", "*.md"), ("src", "*.py"), ("src", "*.ftl"), ("benchmarks", "*.py")):
        for file in (ROOT / folder).rglob(pattern):
            names |= set(re.findall(r"\bbenchmarks/(\w+)\.py\b", file.read_text(encoding="utf-8")))
    names |= set(re.findall(r"SCRIPT=(\w+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert {name for name in names if not (BENCHMARKS / f"{name}.py").is_file()} - {"NAME"} == set()


# A repository of its own, in which a script measures and records


SCRIPT = """
import argparse
from _records import Record

RECORD = Record("Speed of a thing", ["src/coverslip/thing.py"])
parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int, default=3)
parser.add_argument("--file")
parser.add_argument("--database")
RECORD.add_option(parser)
options = parser.parse_args()
RECORD.add("Speed", 1234.5, "images/s", n=options.n, interval=(1000, 1500), note="target: 900")
RECORD.add("Speed of parts", 2, of="small")
RECORD.add("Speed of parts", 0.25, of="large")
RECORD.write()
print("done")
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "benchmarks").mkdir(parents=True)
    (root / "src" / "coverslip").mkdir(parents=True)
    for name in ("_records.py", "make_results.py"):
        (root / "benchmarks" / name).write_text((BENCHMARKS / name).read_text(encoding="utf-8"), encoding="utf-8")
    (root / "benchmarks" / "thing.py").write_text(SCRIPT, encoding="utf-8")
    (root / "src" / "coverslip" / "__init__.py").touch()
    (root / "src" / "coverslip" / "thing.py").write_text("x = 1\n", encoding="utf-8")
    (root / ".gitignore").write_text("__pycache__\n", encoding="utf-8")
    run(root, "git", "init", "-q")
    commit(root)
    return root


def commit(root: Path) -> None:
    run(root, "git", "add", ".")
    run(root, "git", "-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-q", "-m", "Change")


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(root / "src"), "PATH": os.environ["PATH"], "HOME": str(root.parent)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def measure(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(root, sys.executable, "benchmarks/thing.py", *arguments)


def record_of(root: Path) -> Json:
    record: Json = json.loads((root / "benchmarks" / "results" / "thing.json").read_text(encoding="utf-8"))
    return record


def test_only_a_run_with_the_option_writes_a_record(repository: Path) -> None:
    assert measure(repository).stdout == "done\n"
    assert not (repository / "benchmarks" / "results").exists()
    address = "postgresql://user:password@host/name"
    done = measure(repository, "--n", "5", "--record", "--file", str(repository / "cells"), "--database", address)
    assert done.returncode == 0, done.stderr
    record = record_of(repository)
    assert record["command"] == "python benchmarks/thing.py --n 5 --file cells --database ADDRESS"
    assert record["commit"] == run(repository, "git", "rev-parse", "--short=8", "HEAD").stdout.strip()
    assert record["measures"] == {
        "src/coverslip/thing.py": run(repository, "git", "rev-parse", "HEAD:src/coverslip/thing.py").stdout.strip()
    }
    assert record["figures"][0] == {
        "claim": "Speed", "value": 1234.5, "unit": "images/s", "n": 5, "interval": [1000, 1500], "note": "target: 900",
    }  # fmt: skip
    assert str(repository) not in json.dumps(record)
    assert record["machine"]["cores"] >= 1


def test_a_record_that_replaces_another_says_so(repository: Path) -> None:
    measure(repository, "--record")
    script = repository / "benchmarks" / "thing.py"
    script.write_text(SCRIPT.replace('RECORD.add("Speed of parts", 2, of="small")\n', ""), encoding="utf-8")
    commit(repository)
    done = measure(repository, "--n", "1", "--record")
    assert "by: python benchmarks/thing.py\n" in done.stderr
    assert "No longer in the record: Speed of parts small" in done.stderr


@pytest.mark.parametrize("changed", ["src/coverslip/thing.py", "benchmarks/thing.py"])
def test_no_record_names_a_commit_without_the_measured_code(repository: Path, changed: str) -> None:
    with (repository / changed).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    done = measure(repository, "--record")
    assert done.returncode == 2
    assert "commit the changes" in done.stderr
    assert not (repository / "benchmarks" / "results").exists()
    assert measure(repository).returncode == 0


def test_no_record_is_of_another_copy_of_coverslip(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "src" / "coverslip").mkdir(parents=True)
    (tmp_path / "src" / "coverslip" / "__init__.py").touch()
    environment = {"PYTHONPATH": str(tmp_path / "src"), "PATH": os.environ["PATH"]}
    command = [sys.executable, "benchmarks/thing.py", "--record"]
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "another folder" in done.stderr


def test_a_record_is_marked_when_its_code_changes_and_not_when_other_code_does(repository: Path) -> None:
    make = (sys.executable, "benchmarks/make_results.py")
    measure(repository, "--record")
    commit(repository)
    page = repository / "benchmarks" / "RESULTS.md"
    assert "1 records" in run(repository, *make).stdout
    unmarked = page.read_text(encoding="utf-8")
    assert "older than the code" not in unmarked.partition("## ")[2]
    assert "- Speed: **1,234.5** images/s [1,000, 1,500] (n = 3; target: 900)\n" in unmarked
    assert "- Speed of parts:\n  - small: **2**\n  - large: **0.25**\n" in unmarked
    (repository / "src" / "coverslip" / "other.py").touch()
    commit(repository)
    assert "older" not in run(repository, *make).stdout
    (repository / "src" / "coverslip" / "thing.py").write_text("x = 2\n", encoding="utf-8")
    commit(repository)
    assert "thing: older than its code" in run(repository, *make).stdout
    assert ", **older**)" in page.read_text(encoding="utf-8")
