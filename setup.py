"""What pyproject.toml can't say: a package without its built pages is not built, and a registry has no other files."""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
PAGES = ROOT / "src" / "coverslip" / "app" / "static" / "index.html"


def check_pages() -> None:
    if not PAGES.is_file():
        raise SystemExit("The pages of the web app are not built, so this package would have none. Run: make pages")


class BuildWithPages(build_py):
    def run(self) -> None:
        if not self.editable_mode:  # a checkout builds its pages later, and says so where they are missing
            check_pages()
        super().run()


class SourcesWithPages(sdist):
    def run(self) -> None:
        check_pages()
        super().run()


def description() -> str:
    """README.md without the pictures of the repository, and with the texts of links to its files."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?:)[^)]+\)", lambda link: "" if link[1] else link[2], text)


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    cmdclass={"build_py": BuildWithPages, "sdist": SourcesWithPages},
)
