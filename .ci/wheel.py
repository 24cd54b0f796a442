"""Build the wheel into dist/: from a clean copy, twice, byte for byte the same; then check what a registry would check.

The time in the wheel is that of the last commit. Python and setuptools are those of the environment, which .ci/locked
names.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("LICENSE", "README.md", "pyproject.toml", "setup.py", "src")
MOST_BYTES = 15 * 10**6
PAGES = ("coverslip/app/static/index.html", "coverslip/app/static/licences.txt")


def built(folder: Path) -> Path:
    """The wheel of a copy of the sources in a folder."""
    before = os.umask(0o022)  # the wheel contains the permissions of its files
    try:
        folder.mkdir()
        for name in SOURCES:
            source = ROOT / name
            if source.is_dir():
                # As git has them: a copy of a file gets the default mode, and compiled modules stay behind.
                ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.part")
                shutil.copytree(source, folder / name, ignore=ignored, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(source, folder / name)
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist")]
        commit = ["git", "log", "-1", "--format=%ct"]
        epoch = subprocess.check_output(commit, cwd=ROOT, text=True)
        environment = os.environ | {"SOURCE_DATE_EPOCH": epoch.strip()}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    finally:
        os.umask(before)
    if done.returncode:
        sys.exit(f"wheel: it could not be built:\n{done.stdout}{done.stderr}")
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def check(wheel: Path) -> None:
    """Exit where a registry would refuse the wheel, or where it is too large or lacks the pages."""
    if wheel.stat().st_size > MOST_BYTES:
        sys.exit(f"wheel: {wheel.stat().st_size / 1e6:.1f} MB are more than {MOST_BYTES / 1e6:.0f} MB")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata_file,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Metadata.from_email(archive.read(metadata_file), validate=True)
    if missing := [name for name in PAGES if name not in names]:
        sys.exit(f"wheel: it lacks {', '.join(missing)}")
    needed = ("summary", "description", "license_expression", "requires_python", "keywords", "classifiers")
    if missing := [name for name in needed if not getattr(metadata, name)]:
        sys.exit(f"wheel: its metadata lack {', '.join(missing)}")
    if metadata.description_content_type != "text/markdown":
        sys.exit("wheel: its description is not declared as Markdown")
    if links := re.findall(r"\]\((?!https?:)([^)]+)\)", metadata.description or ""):
        sys.exit(f"wheel: its description links to {', '.join(links)}, which a registry does not have")


def main() -> int:
    """Build, compare, check, and put the wheel into dist/."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = built(Path(folder) / "first"), built(Path(folder) / "the second")
        if first.read_bytes() != second.read_bytes():
            sys.exit("wheel: two builds of the same sources differ")
        check(first)
        (ROOT / "dist").mkdir(exist_ok=True)
        wheel = shutil.copyfile(first, ROOT / "dist" / first.name)
    sys.stdout.write(f"wheel: {wheel.relative_to(ROOT)}, {wheel.stat().st_size / 1e6:.2f} MB, reproducible\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
