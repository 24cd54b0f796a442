"""Build the documentation as a site, and check every link of it.

    python docs/make_site.py site/

Sources are the pages of this folder, README.md and the other pages that they link to. They are copied with links
between their new places and with the anchors of GitHub, built by Zensical (`.ci/tools zensical`), and every link of the
built pages is followed. Nothing on the site is loaded from another computer.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
INDEX = DOCS / "README.md"
OTHERS = {  # pages outside this folder, and their places on the site
    ROOT / "README.md": "overview.md",
    ROOT / "CHANGELOG.md": "changelog.md",
    ROOT / "CONTRIBUTING.md": "contributing.md",
    ROOT / "CODE_OF_CONDUCT.md": "code_of_conduct.md",
    ROOT / "SECURITY.md": "security_policy.md",
    ROOT / "benchmarks" / "RESULTS.md": "results.md",
    ROOT / "benchmarks" / "NOT_KEPT.md": "not_kept.md",
    ROOT / "benchmarks" / "TWO_STEP.md": "two_step.md",
}
# Names of files and settings stay whole in narrow columns: the table scrolls.
STYLE = ".md-typeset td code { word-break: normal; overflow-wrap: normal; }\n"
_LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
_CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/make_site.py FOLDER")
    target = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".site.") as work:
        write_sources(Path(work))
        command = [
            str(ROOT / ".ci" / "tools"),
            "zensical",
            "build",
            "--clean",
            "--config-file",
            f"{work}/zensical.toml",
        ]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"site: Zensical failed:\n{done.stdout}{done.stderr}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(work) / "site", target)
    write_words(target / "search.json")
    faults = list(faults_of(target))
    for fault in faults:
        sys.stderr.write(f"site: {fault}\n")
    n_pages = len(list(target.rglob("*.html")))
    sys.stdout.write(f"site: {n_pages} pages in {target}, {len(faults)} faulty links\n")
    return bool(faults)


def places() -> dict[Path, str]:
    """Each page and picture, and its place on the site."""
    files = [file for file in DOCS.rglob("*") if file.suffix in {".md", ".png", ".svg", ".webp"}]
    inside = {file: file.relative_to(DOCS).as_posix() for file in files}
    return {**inside, **OTHERS, INDEX: "index.md"}


def write_sources(folder: Path) -> None:
    """Write the sources of the site, and Zensical's configuration."""
    place_of = places()
    for file, place in place_of.items():
        target = folder / "docs" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            text = with_anchors(with_links(file.read_text(encoding="utf-8"), file, place_of))
            target.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(file, target)
    (folder / "docs" / "site.css").write_text(STYLE, encoding="utf-8")
    (folder / "zensical.toml").write_text(configuration(place_of), encoding="utf-8")


def with_links(text: str, file: Path, place_of: dict[Path, str]) -> str:
    """The page with links between places on the site. Links to files that are not on it become plain text."""
    here = PurePosixPath(place_of[file]).parent

    def moved(match: re.Match[str]) -> str:
        name, hash_sign, anchor = match[1].partition("#")
        if not name or re.match(r"[a-z]+:", name):
            return match[1]
        target = (file.parent / name).resolve()
        if target not in place_of:
            return "\0"
        return os.path.relpath(place_of[target], here) + hash_sign + anchor

    parts = _CODE.split(text)
    parts[::2] = [re.sub(r"\[([^\]]+)\]\(\0\)", r"\1", _LINK.sub(moved, part)) for part in parts[::2]]
    return "".join(parts)


def with_anchors(text: str) -> str:
    """The page with the anchors that GitHub gives its headings."""
    used = Counter[str]()

    def marked(match: re.Match[str]) -> str:
        anchor = anchor_of(match[2])
        n_before = used[anchor]
        used[anchor] += 1
        return f"{match[0]} {{ #{f'{anchor}-{n_before}' if n_before else anchor} }}"

    parts = re.split(r"(^ *```.*?^ *```$)", text, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [_HEADING.sub(marked, part) for part in parts[::2]]
    return "".join(parts)


def anchor_of(title: str) -> str:
    """The anchor of a heading in links, as GitHub makes it."""
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")


def configuration(place_of: dict[Path, str]) -> str:
    """Zensical's configuration: the sections of the index are those of the menu."""
    start = {"Documentation": INDEX, "README": ROOT / "README.md"}  # both pages have the title "coverslip"
    entries = ", ".join(f'{{ "{title}" = "{place_of[page]}" }}' for title, page in start.items())
    sections = [f'{{ "Start" = [{entries}] }}']
    for part in re.split(r"^## ", INDEX.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, content = part.partition("\n")
        targets = [(DOCS / link.partition("#")[0]).resolve() for link in _LINK.findall(content)]
        pages = [each for each in dict.fromkeys(targets) if each.suffix == ".md" and each in place_of]
        sections.append(f'{{ "{title}" = [{_entries(pages, place_of)}] }}')
    others = [page for page in OTHERS if page.parent != ROOT / "benchmarks" and page != ROOT / "README.md"]
    sections.append(f'{{ "Project" = [{_entries(others, place_of)}] }}')
    return f"""[project]
site_name = "coverslip"
site_description = "Train, test and use classifiers of microscope images, without code"
docs_dir = "docs"
site_dir = "site"
use_directory_urls = false
extra_css = ["site.css"]
nav = [{", ".join(sections)}]

[project.theme]
language = "en"
font = false
features = ["navigation.top", "content.code.copy"]

[project.markdown_extensions.attr_list]
[project.markdown_extensions.tables]
[project.markdown_extensions.toc]
permalink = true
[project.markdown_extensions.pymdownx.superfences]
[project.markdown_extensions.pymdownx.highlight]
"""


def write_words(index: Path) -> None:
    """Add the users' words (words.md) to the search index of the site, and remove the texts of errors from it.

    The words of a row are added to the sections to which it links. Errors, which would be the first hits of most
    searches, are still found by their codes.
    """
    words = defaultdict(list)
    for line in (DOCS / "words.md").read_text(encoding="utf-8").splitlines():
        phrases, _, pages = line.strip("| ").partition(" | ")
        for link in _LINK.findall(pages):
            words[link.replace(".md", ".html")].append(phrases)
    content = json.loads(index.read_text(encoding="utf-8"))
    for item in content["items"]:
        if item["location"].startswith("problems_"):
            item["text"] = ""
        item["text"] = f"{item['text']}<p>{', '.join(words[item['location']])}</p>"
    index.write_text(json.dumps(content), encoding="utf-8")


def _entries(pages: list[Path], place_of: dict[Path, str]) -> str:
    return ", ".join(f'"{place_of[page]}"' for page in pages)


class _Page(HTMLParser):
    """The links, anchors and loaded files of a built page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and anchors of an element."""
        values = dict(attrs)
        self.anchors |= {name for name in (values.get("id"), values.get("name")) if name}
        is_page = tag == "a" or values.get("rel") in ("canonical", "next", "prev", "edit")
        for address in (values.get("href"), values.get("src")):
            if address:
                (self.links if is_page else self.loaded).append(address)


def faults_of(site: Path) -> Iterator[str]:
    """Each link of the pages that leads nowhere, and each file that they load from another computer."""
    pages = {}
    for file in site.rglob("*.html"):
        pages[file] = page = _Page()
        page.feed(file.read_text(encoding="utf-8"))
    for file, page in pages.items():
        if file.name == "404.html":  # its addresses begin at the root of the server
            continue
        where = file.relative_to(site)
        yield from (f"{where} loads {each}" for each in page.loaded if urlsplit(each).netloc)
        for address in (*page.links, *page.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{where} links to {address}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{where} links to {address}, but there is no such heading"


if __name__ == "__main__":
    sys.exit(main())
