"""The documentation as a site: links between the new places, anchors of GitHub, and a check that sees faults."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_site", ROOT / "docs" / "make_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_menu_once(site: ModuleType, tmp_path: Path) -> None:
    site.write_sources(tmp_path)
    menu = tomllib.loads((tmp_path / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    entries = [entry for section in menu for entries in section.values() for entry in entries]
    listed = [page for entry in entries for page in (entry.values() if isinstance(entry, dict) else [entry])]
    pages = [file.relative_to(tmp_path / "docs").as_posix() for file in (tmp_path / "docs").rglob("*.md")]
    assert sorted(listed) == sorted(pages)


def test_links_lead_to_the_new_places(site: ModuleType) -> None:
    places = site.places()
    text = "[a](../benchmarks/RESULTS.md#x) [b](app.md) [c](../constraints.txt) `[d](app.md)` [e](#here)"
    moved = site.with_links(text, ROOT / "docs" / "papers" / "README.md", places)
    assert moved == "a b c `[d](app.md)` [e](#here)"
    moved = site.with_links(text, ROOT / "docs" / "data.md", places)
    assert moved == "[a](results.md#x) [b](app.md) c `[d](app.md)` [e](#here)"
    assert site.with_links("[a](docs/app.md)", ROOT / "README.md", places) == "[a](app.md)"


def test_headings_have_the_anchors_of_github(site: ModuleType) -> None:
    text = "# `a`: b (c)\n\n## A [link](x.md)\n\n## A link\n\n```sh\n# comment\n```\n"
    marked = (
        "# `a`: b (c) { #a-b-c }\n\n## A [link](x.md) { #a-link }\n\n## A link { #a-link-1 }\n\n```sh\n# comment\n```\n"
    )
    assert site.with_anchors(text) == marked


def test_faulty_links_and_foreign_files_are_named(site: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="#top">1</a><a href="b.html#x">2</a><a href="b.html#y">3</a><a href="c.html">4</a>'
        '<a href="https://example.org">5</a><script src="https://example.org/x.js"></script><img src="no.png">'
    )
    (tmp_path / "b.html").write_text('<p id="x">B</p>')
    assert [fault.replace(" to ", " ").split()[2] for fault in site.faults_of(tmp_path)] == [
        "https://example.org/x.js",
        *("b.html#y,", "c.html,", "no.png,"),
    ]


@pytest.mark.exhaustive
def test_the_site_has_no_faulty_link(tmp_path: Path) -> None:
    command = [sys.executable, "docs/make_site.py", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "which_number.html").is_file()
