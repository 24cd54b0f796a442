"""Compare the answers of two versions of the code: the same sessions with app, commands and Python, replayed on both.

A session opens, labels, trains, predicts, corrects, exports and restores small images that the script draws. Answers
are normalized (identifiers, times, durations, folders) and compared value by value; counters are compared with them:
processes of a job, openings of each image for reading (for its hash or its pixels), SQL statements of a request, and
peak memory. A workspace of the first version is also opened with the second one, which must find the same in it.

    python benchmarks/same_answers.py both ../before/src
    python benchmarks/same_answers.py run --src ../before/src --out before.json --keep before
    python benchmarks/same_answers.py run --out after.json --older before
    python benchmarks/same_answers.py compare before.json after.json

`both` and `compare` list the differences and exit with 1 if there are any. Nothing of the versions is imported here. If
a request or an option is renamed, run each version with the script of its own folder: steps are compared by name.
Changes of names that are intended belong into `RENAMED`.

Each session uses one processor core, so that the number of processes and the order of their work is the same in every
run. Not compared: the work of the server's background threads, which depends on time, and memory within the tolerance.
"""

import argparse
import json
import os
import re
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from _answers import Names, Values, differences, renamed
from _app_session import ask_workspace, use_app
from _command_session import Commands, use_commands, use_python
from _sessions import Counts, Recording, Refused, Version, app_of, write_images

HERE = Path(__file__).resolve().parent

# Regular expressions for paths, programs or tables of the first version, and what replaces them in the second version.
RENAMED: dict[str, str] = {}

# Regular expressions for steps and paths that are random or depend on the computer, and why.
EXCLUDED: dict[str, str] = {
    r"draw a second reading \| content\.images\.order": "all images are drawn, in random order",
    r".*(second reading|spot[ -]check|draw) \| content\.how\.(seed|made)$": "each draw has another seed and time",
    r".*spot[ -]check \| content\.(images\.order|rows\.order|sha256 of the bytes)": "the same",
    r".*\| content\.log_tail$": "progress is reported at intervals of time",
    r".*\| content\.(dataset\.)?progress(\.|$)": "it depends on the time of the request",
    r"(backup|restore) \| output\.(n|size)_bytes$": "compressed times",
    r"(begin )?upload.* \| content\.max_bytes$": "it depends on the free space of the disk",
    r"doctor \| output\.(computer\.free_memory|folders\..*|installation\.folder)$": "of the computer and the version",
    r".*\| file .*history\.csv\.sha256": "it contains times",
    r".*\| processes\..* coverslip\.images\.decoding_worker$": "they end if they are idle",
    r"(suspected label errors|suggest images|leakage estimate|collect (masks|points)) \| content\.state$": "the same",
    r"study \| content\.queue_position$": "it depends on the time of the request",
    r".*: job \| file openings\.": "files are hashed again until they are a minute old, and jobs run side by side",
    r".*\| SQL\..*records\.sqlite\.": "it depends on what the cache holds of files that are less than a minute old",
    r"workspace: .* \| SQL\.": "the first version has prepared the results that the second one prepares now",
    r"workspace: .* \| content\.are_copies_known$": "a check in the background may have ended",
    r"cache \| output\.stores\.order$": "by their last use, which is the same second for some",
    r"cache \| output\.limit_bytes$": "it depends on the free space of the disk",
    r".*\| SQL\..*\.PRAGMA (foreign_keys|journal_mode|synchronous)": "of a new connection; threads reuse connections",
}

# Peak memory varies with the addresses of libraries and with the time of garbage collection.
MEMORY_SHARE, MEMORY_MIB = 0.2, 30

Json = dict[str, Any]  # Any: JSON values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="replay the sessions on one version, and write its answers")
    run.add_argument("--src", type=Path, default=HERE.parent / "src", help="its src folder; default: this one")
    run.add_argument("--out", type=Path, required=True, help="file to write")
    run.add_argument("--keep", type=Path, help="new folder for images and workspace, to be opened by another version")
    run.add_argument("--older", type=Path, help="such a folder of an older version")
    both = commands.add_parser("both", help="run two versions and compare them")
    both.add_argument("before", type=Path, help="src folder of the first version")
    both.add_argument("after", type=Path, nargs="?", default=HERE.parent / "src", help="of the second; default: this")
    compare = commands.add_parser("compare", help="compare two such files")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        sys.exit(compared(json.loads(options.before.read_text()), json.loads(options.after.read_text())))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        if options.command == "both":
            before = answers_of(options.before.resolve(), folder / "1")
            after = answers_of(options.after.resolve(), folder / "2", older=folder / "1")
            sys.exit(compared(before, after))
        target = folder / "1" if options.keep is None else options.keep.resolve()
        answers = answers_of(options.src.resolve(), target, older=options.older and options.older.resolve())
        options.out.write_text(json.dumps(answers, indent=1))


def answers_of(src: Path, folder: Path, older: Path | None = None) -> Json:
    """Return the answers and counters of a version, and what it finds in the workspace of an older version.

    Args:
        src: its source folder.
        folder: a new folder for images and workspaces.
        older: the same of the older version; it remains as it is.
    """
    started, processor_s = time.monotonic(), processor_seconds()
    if not (src / "coverslip").is_dir():
        raise SystemExit(f"{src} has no folder coverslip.")
    images = folder / "images"
    write_images(images)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
    records: dict[str, Recording] = {}

    def session_of_app() -> None:
        version = Version(src, new_folder(folder / "app"), cores[0])
        workspace = version.work / "workspace"
        with app_of(version, workspace, folder, recorded(records, "app", folder), "app") as app:
            use_app(app, images)
        names = {str(workspace): "workspace", str(folder): "folder"}
        with app_of(version, workspace, folder, recorded(records, "workspace", names), "app") as app:
            ask_workspace(app)
        commands = Commands(version, records["app"])
        commands.run("backup", "backup", "backup.zip", "--workspace", workspace, "--json")
        commands.run("restore", "restore", "backup.zip", "--workspace", "restored", "--json")
        if older is not None:
            open_older(Version(src, new_folder(folder / "older"), cores[0]), older, records)

    def session_of_commands() -> None:
        version = Version(src, new_folder(folder / "commands"), cores[-1])
        commands = Commands(version, recorded(records, "commands", folder))
        use_commands(commands, images)
        use_python(commands, images)

    failures = run_at_once({"app": session_of_app, "commands": session_of_commands})
    for file in folder.glob("*/counts.txt"):
        Counts(file).end_all()
    for failure in failures:
        print(failure, file=sys.stderr)
    wall_s = round(time.monotonic() - started, 1)
    processor_s = round(processor_seconds() - processor_s, 1)
    n_steps = sum(len(record.answers) for record in records.values())
    print(f"{src}: {n_steps} steps in {wall_s:.0f} s, processor time {processor_s:.0f} s", flush=True)
    return {
        "failures": failures,
        "wall_s": wall_s,
        "processor_s": processor_s,
        "answers": {name: record.answers for name, record in records.items()},
        "counters": {name: record.counters for name, record in records.items()},
        "memory_mib": {name: record.memory_mib for name, record in records.items()},
    }


def processor_seconds() -> float:
    """Return the processor time of all programs of sessions that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def new_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def recorded(records: dict[str, Recording], name: str, folders: Path | Mapping[str, str]) -> Recording:
    """Return a new record, with names of folders."""
    names = {str(folders): "folder"} if isinstance(folders, Path) else folders
    return records.setdefault(name, Recording(Names(names)))


def open_older(version: Version, older: Path, records: dict[str, Recording]) -> None:
    """Ask for what the workspace of an older version holds. The workspace is copied before, and put back."""
    workspace = older / "app" / "workspace"
    copy = workspace.with_name("workspace before")
    shutil.copytree(workspace, copy, symlinks=True)
    names = {str(workspace): "workspace", str(older): "folder"}
    try:
        with app_of(version, workspace, older, recorded(records, "older workspace", names), "app") as app:
            ask_workspace(app)
    finally:
        shutil.rmtree(workspace)
        copy.rename(workspace)


def run_at_once(sessions: Mapping[str, Callable[[], None]]) -> list[str]:
    """Run sessions in threads, whose programs do the work; return the failures that ended sessions early."""
    failures: list[str] = []

    def run(name: str, session: Callable[[], None]) -> None:
        try:
            session()
        except (Refused, LookupError, TypeError, ValueError, OSError) as error:
            failures.append(f"The session of {name} ended early: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=run, args=item) for item in sessions.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(failures)


def compared(before: Json, after: Json, renames: Mapping[str, str] = RENAMED) -> int:
    """Print a line for each difference; return 1 if there are any, else 0."""
    lines = [f"{side}: {failure}" for side, of in (("before", before), ("after", after)) for failure in of["failures"]]
    lines += differing(before, after, renames)
    for line in lines:
        print(line)
    n_steps, n_values = (
        sum(len(steps) for steps in before["answers"].values()),
        sum(len(values) for steps in before["answers"].values() for values in steps.values()),
    )
    n_counters = sum(len(values) for steps in before["counters"].values() for values in steps.values())
    compared_with = f"{n_steps} steps, {n_values:,} values and {n_counters:,} counters"
    print(f"{len(lines)} differences in {compared_with}." if lines else f"Equal: {compared_with}.")
    return int(bool(lines))


def differing(before: Json, after: Json, renames: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each difference of answers, counters and memory."""
    sessions = [(name, name, name) for name in before["answers"]]
    if "older workspace" in after["answers"]:
        sessions.append(("workspace", "older workspace", "workspace of the first version"))
    for name, other, title in sessions:
        for kind in ("answers", "counters", "memory_mib"):
            first, second = before[kind].get(name, {}), after[kind].get(other, {})
            for step in [*first, *(step for step in second if step not in first)]:
                if (step in first) != (step in second):
                    if kind == "answers":
                        yield f"{title} | {step} | only {'before' if step in first else 'after'}"
                    continue
                was, now = (included(step, values) for values in (renamed(first[step], renames), second[step]))
                lines = heavier(was, now) if kind == "memory_mib" else differences(was, now)
                yield from (f"{title} | {step} | {line}" for line in lines)


def included(step: str, values: Values) -> Values:
    """Return the values that are compared."""
    return {path: value for path, value in values.items() if not excluded(f"{step} | {path}")}


def excluded(name: str) -> bool:
    """Return whether a value is not compared."""
    return any(re.match(pattern, name) for pattern in EXCLUDED)


def heavier(before: Values, after: Values) -> Iterator[str]:
    """Yield a line for each program whose peak memory differs by more than the tolerance."""
    for program, was in before.items():
        now = after.get(program, was)
        if abs(now - was) > MEMORY_SHARE * was + MEMORY_MIB:
            yield f"peak memory of {program}: {was} -> {now} MiB (tolerance {MEMORY_SHARE:.0%} + {MEMORY_MIB} MiB)"


if __name__ == "__main__":
    main()
