"""What pyproject.toml can't say: a package without its built pages is not built at all."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

PAGES = Path(__file__).resolve().parent / "src" / "coverslip" / "app" / "static" / "index.html"


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


setup(cmdclass={"build_py": BuildWithPages, "sdist": SourcesWithPages})
