"""Decodes per image of `coverslip train`, `predict` and `evaluate`, with a cold cache: how often and for what.

Each command runs as a separate process with an empty cache. The process counts the calls that decode an image, by image
and by the function that needs its pixels; no part of the package knows of the counter. Columns: decodes per image (mean
and largest number), wall time, processor time, peak memory.

    python benchmarks/decodes.py [--src ../before/src] [--images 2000] [--only "train, instant" predict] [--callers]

Images: `blood_pbc` of COVERSLIP_DATA (default ../shared/data), the first of each class. With --src, another version of
the package is measured, without a record. Use the ratio of two alternating calls; other work on the machine affects the
times.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from _records import Record

RECORD = Record("Decodes of images", ["src/coverslip/datasets", "src/coverslip/experiments", "src/coverslip/images"])
HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
SMALL = ["--set", "image_size=96", "--set", "epochs=2", "--set", "split.folds=0"]
INSTANT = ["--set", "stage=instant"]
TRAININGS = {
    "instant": [*INSTANT, "--set", "split.folds=0"],
    "fine-tuned": SMALL,
    "folds": [*INSTANT, "--set", "split.folds=3"],
}
# Each scenario has the commands that run before it with the same cache, and the measured command.
SCENARIOS: dict[str, tuple[list[str], list[str]]] = {
    **{f"train, {name}": ([], ["train", "TABLE", "--out", "run", *settings]) for name, settings in TRAININGS.items()},
    "train after inspect": (["inspect", "TABLE"], ["train", "TABLE", "--out", "run", *TRAININGS["instant"]]),
    "inspect": ([], ["inspect", "TABLE"]),
    "predict": ([], ["predict", "RUN", "TABLE", "--out", "predictions.csv"]),
    "evaluate": ([], ["evaluate", "RUN", "TABLE"]),
}
_PLUMBING = ("datasets", "images", "engines", "messages")  # packages below the functions that need pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, default=HERE.parent / "src", help="src folder of the version")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), help=f"some of: {'; '.join(SCENARIOS)}")
    parser.add_argument("--callers", action="store_true", help="also list the decodes by caller")
    RECORD.add_option(parser)
    parser.add_argument("--counted", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.counted:
        sys.exit(count_decodes(options.counted))
    if "--record" in sys.argv and options.src != HERE.parent / "src":
        parser.error("--record measures this version, not that of --src")
    environment = os.environ | {"PYTHONPATH": str(options.src.resolve()), "CUDA_VISIBLE_DEVICES": ""}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        n = write_table(work / "images.csv", options.images)
        print(f"{n:,} images of blood_pbc, {os.cpu_count()} cores")
        print("| command | decodes per image | largest | wall s | processor s | peak MiB |\n|---|---|---|---|---|---|")
        trained = None
        for name in options.only:
            before, command = SCENARIOS[name]
            if "RUN" in command and trained is None:
                trained = work / "trained"
                write_table(work / "few.csv", 80)
                run(["train", str(work / "few.csv"), "--out", str(trained), *TRAININGS["instant"]], work, environment)
            measured(name, before, command, work, trained, n, environment, with_callers=options.callers)
    RECORD.write()


def write_table(file: Path, n: int) -> int:
    """Write a table of the first images of each class; return their number."""
    folders = sorted(folder for folder in (DATA / "blood_pbc").iterdir() if folder.is_dir())
    rows = [(image, folder.name) for folder in folders for image in sorted(folder.iterdir())[: n // len(folders)]]
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("path", "label"), *rows])
    return len(rows)


def run(command: Sequence[str], work: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run a command in a process that counts its decodes, with the cache of a work folder; return what it measured."""
    result, errors = work / "decodes.json", work / "errors.txt"
    environment = environment | {"COVERSLIP_CACHE": str(work / "cache")}
    arguments = [sys.executable, __file__, "--counted", str(result), *command]
    started = time.monotonic()
    with errors.open("wb") as file:
        child = subprocess.Popen(arguments, env=environment, cwd=work, stdout=subprocess.DEVNULL, stderr=file)
        _, status, used = os.wait4(child.pid, 0)  # with the decoding processes, which it ends before itself
    wall_s = time.monotonic() - started
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"coverslip {' '.join(command)} failed:\n{errors.read_text()}")
    resources = {"processor_s": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}
    return {"wall_s": wall_s, **resources, **json.loads(result.read_text())}


def measured(
    name: str,
    before: list[str],
    command: list[str],
    work: Path,
    trained: Path | None,
    n: int,
    environment: dict[str, str],
    *,
    with_callers: bool,
) -> None:
    """Run a scenario with an empty cache, and print its row."""
    places = {"TABLE": str(work / "images.csv"), "RUN": str(trained)}
    with tempfile.TemporaryDirectory(dir=work) as cache:
        for each in filter(None, (before, command)):
            result = run([places.get(part, part) for part in each], Path(cache), environment)
    by_caller = result["by_caller"]
    total = sum(by_caller.values())
    cells = f"{result['wall_s']:.1f} | {result['processor_s']:.1f} | {result['peak_mib']:.0f}"
    RECORD.add(
        "Times that a command decodes an image, on average",
        round(total / n, 2),
        of=name,
        n=f"{n:,} images",
        note=f"at most {result['largest']}",
    )
    print(f"| {name} | {total / n:.2f} | {result['largest']} | {cells} |", flush=True)
    if with_callers:
        for caller, n_decodes in sorted(by_caller.items(), key=lambda item: -item[1]):
            print(f"    {n_decodes / n:6.2f}  {caller}")


def count_decodes(arguments: Sequence[str]) -> int:
    """Run a command in this process, and write how often it decoded each image, and for which function."""
    from coverslip.cli import main as command_line
    from coverslip.images import decoding

    result, *command = arguments
    lock, main_thread = threading.Lock(), threading.main_thread().ident or 0
    by_image: Counter[tuple[Path, object]] = Counter()
    by_caller: Counter[str] = Counter()

    def counting(decode: Callable[..., Any]) -> Callable[..., Any]:
        def decode_and_count(path: Path, plan: object, *rest: object, **options: object) -> object:
            with lock:
                by_image[path, plan] += 1
                by_caller[caller(sys._current_frames()[main_thread])] += 1
            return decode(path, plan, *rest, **options)

        return decode_and_count

    decoding.decode_image = counting(decoding.decode_image)
    for name in ("read", "read_preprocessed"):  # in other processes
        setattr(decoding._decoders, name, counting(getattr(decoding._decoders, name)))
    code = command_line(command)
    record = {"by_caller": by_caller, "largest": max(by_image.values(), default=0)}
    Path(result).write_text(json.dumps(record))
    return code


def caller(frame: FrameType | None) -> str:
    """Return the innermost function of the package, in the main thread, that is no plumbing."""
    while frame is not None:
        package, _, module = frame.f_globals.get("__name__", "").partition(".")
        if package == "coverslip" and module.partition(".")[0] not in _PLUMBING:
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "?"


if __name__ == "__main__":
    main()
