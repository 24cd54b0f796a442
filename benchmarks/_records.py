"""Records of measurements: each benchmark writes `results/NAME.json`, and `make results` writes RESULTS.md from them.

    RECORD = Record("Start-up time", ["src/coverslip/cli"])  # the section of the page, and the code that is measured

    RECORD.add_option(parser)  # --record
    RECORD.add("Seconds of `coverslip --help`", 0.08, "s", n=11, note="target: below 0.3 s")  # for each headline figure
    RECORD.write()  # at the end

A run writes a record only with `--record`, which replaces the earlier record of this script. The record contains the
command with its arguments, so that a short run cannot be mistaken for a full one. `--record` is refused if coverslip is
imported from elsewhere, or if the measured code has changes without a commit: the record names a commit.
"""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
FORMAT_VERSION = 1

Json = dict[str, Any]  # Any: JSON values


class Record:
    """The headline figures of one run of a benchmark."""

    def __init__(self, title: str, measures: Sequence[str]) -> None:
        """Begin the record of a script.

        Args:
            title: The heading of the record on the page.
            measures: The files and folders of the repository whose code the figures are of.
        """
        self._title, self._measures = title, tuple(measures)
        self._script = Path(sys.argv[0])
        self._source: Json | None = None  # commit, hashes and computer at the start of a run that is recorded
        self._figures: list[Json] = []

    def add_option(self, parser: argparse.ArgumentParser) -> None:
        """Add `--record` to the options of a script."""
        record = self

        class Recorded(argparse.Action):
            def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
                origin = getattr(importlib.util.find_spec("coverslip"), "origin", None)
                if origin is None or ROOT not in Path(origin).resolve().parents:
                    parser.error("--record: coverslip is imported from another folder, see PYTHONPATH")
                paths = [*record._measures, f"benchmarks/{record._script.name}"]
                if git("status", "--porcelain", "--", *paths):
                    parser.error(f"--record: commit the changes of {', '.join(paths)} first")
                hashes = hashes_of(record._measures)
                if None in hashes.values():
                    parser.error(f"--record: not in the last commit: {', '.join(p for p in hashes if not hashes[p])}")
                record._source = {
                    "commit": git("rev-parse", "--short=8", "HEAD"),
                    "measures": hashes,
                    "machine": _machine(),
                }

        text = "write the figures to benchmarks/results, in place of the earlier record"
        parser.add_argument("--record", nargs=0, action=Recorded, help=text)

    def add(
        self,
        claim: str,
        value: float,
        unit: str = "",
        *,
        of: str = "",
        n: int | str | None = None,
        interval: tuple[float | None, float | None] | None = None,
        note: str = "",
    ) -> None:
        """Add a figure.

        Args:
            claim: What the figure says, to a reader who has not seen the script.
            value: The figure, rounded to the digits that are meaningful.
            unit: Its unit.
            of: Which of the figures with this claim it is, such as a dataset.
            n: The sample size, as a number or with the unit of the sample.
            interval: Both ends of the 95% confidence interval.
            note: A comparison, a target, or what limits the figure.
        """
        number = value.item() if hasattr(value, "item") else value  # of NumPy
        figure: Json = {"claim": claim, "of": of, "value": number, "unit": unit, "n": n}
        figure |= {"interval": list(interval) if interval and None not in interval else None, "note": note}
        self._figures.append({key: each for key, each in figure.items() if each not in ("", None)})

    def write(self, part: str = "") -> None:
        """Write the record if `--record` was an option. A part of a script has a record of its own."""
        if self._source is None:
            return
        record = {
            "format_version": FORMAT_VERSION,
            "title": self._title,
            **({"part": part} if part else {}),
            "script": f"benchmarks/{self._script.name}",
            "command": _command(),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            **self._source,
            "figures": self._figures,
        }
        name = "-".join([self._script.stem, *re.findall(r"\w+", part.lower())])
        file = RESULTS / f"{name}.json"
        before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"\nrecord: benchmarks/results/{file.name}; now run: make results", file=sys.stderr)
        if before is not None:
            old, new = ({f"{f['claim']} {f.get('of', '')}" for f in each["figures"]} for each in (before, record))
            print(f"It replaces a record of {before['date']} by: {before['command']}", file=sys.stderr)
            for claim in sorted(old - new):
                print(f"No longer in the record: {claim}", file=sys.stderr)


def read_records() -> dict[str, Json]:
    """Return all records by the name of their file."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(RESULTS.glob("*.json"))}


def hashes_of(paths: Sequence[str]) -> dict[str, str | None]:
    """Return what Git calls the content of each file or folder in the last commit; None where there is none."""
    return {path: git("rev-parse", "--verify", "--quiet", f"HEAD:{path.rstrip('/')}") or None for path in paths}


def git(*arguments: str) -> str:
    """Return what a command of Git prints; nothing if it fails."""
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _command() -> str:
    """Return the command without `--record`, addresses, and folders of this computer."""
    threads = os.environ.get("OMP_NUM_THREADS")
    words = [re.sub(r"\w+://.*", "ADDRESS", word) for word in sys.argv[1:] if word != "--record"]
    words = [Path(word).name if Path(word).is_absolute() else word for word in words]
    script = f"benchmarks/{Path(sys.argv[0]).name}"
    return (f"OMP_NUM_THREADS={threads} " if threads else "") + shlex.join(["python", script, *words])


def _machine() -> Json:
    """Return the properties of this computer that affect times, and none that identify it."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    information = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", information.read_text() if information.is_file() else "", re.M)
    machine = {"cores": n_cores, "processor": names[0] if names else platform.processor() or platform.machine()}
    with_memory = hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names
    n_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if with_memory else 0
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    return {**machine, "memory_gib": round(n_bytes / 2**30) or None, "system": platform.system(), "load": load}
