"""Compare the trainings of two versions of the code: tensors by content, numbers, tables, histories.

The trainings run on real images, each as a separate command with an empty cache and two threads. Run folders are read
as files and not with coverslip, so that any commit can be compared:

    python benchmarks/same_results.py run --src ../before/src --out before.json
    python benchmarks/same_results.py run --out after.json
    python benchmarks/same_results.py compare before.json after.json

If a recipe key has another name in one version, use `run --rename old=new`. `compare` exits with 1 if values differ
that both versions have; it lists keys, columns and files of only one version. Images: COVERSLIP_DATA, default
../shared/data.
"""

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
CHROMOSOMES = ("1", "5", "10", "16", "20", "22")

# Not results: times, speeds, paths, texts.
NOT_RESULTS = ("seconds", "per_second", "format_version", "engine_difference", "root", "advice", "method")
JSON_FILES = ("metrics.json", "training.json", "data.json")
TABLES = ("split.csv", "predictions.csv", "history.csv", "validation.csv")

Json = dict[str, Any]


@dataclass(frozen=True)
class Training:
    """One `coverslip train`: its images, in a work folder if they are written, and its settings."""

    source: Callable[[Path], Path]
    settings: Callable[[Path], dict[str, str]]  # by the present recipe keys
    group: str | None = None


def given(name: str) -> Callable[[Path], Path]:
    """Return existing images."""
    return lambda _: DATA / name


def plainly(**settings: str) -> Callable[[Path], dict[str, str]]:
    """Return settings without files; a double underscore represents the dot in a key."""
    return lambda _: {key.replace("__", "."): value for key, value in settings.items()}


def gband(work: Path) -> Path:
    """Write a table of some chromosomes of the G-band dataset."""
    return cut_table(DATA / "chromosomes_gband", work / "gband.csv", dict(zip(CHROMOSOMES, CHROMOSOMES, strict=True)))


def qband(work: Path) -> Path:
    """Write the same classes of the Q-band dataset, which have other names ('01')."""
    return cut_table(
        DATA / "chromosomes_qband", work / "qband.csv", {f"{int(k):02}": f"{int(k):02}" for k in CHROMOSOMES}, 60
    )


def cut_table(folder: Path, table: Path, labels: Mapping[str, str], most: int | None = None) -> Path:
    """Write a table of some classes with a limited number of images; ids as in the whole table, absolute paths."""
    with (folder / "images.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in labels]
    n_of: Counter[str] = Counter()
    with table.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, ["image_id", *rows[0]])
        out.writeheader()
        for row in rows:
            n_of[row["label"]] += 1
            if most is None or n_of[row["label"]] <= most:
                out.writerow({**row, "image_id": row["path"], "path": folder / row["path"]})
    return table


def in_two_steps(work: Path) -> dict[str, str]:
    """Return settings with pretraining on Q-band chromosomes, whose classes have other names."""
    return {
        "init.train_on": str(qband(work)),
        "init.labels": json.dumps({f"{int(name):02}": name for name in CHROMOSOMES}),
        "init.recipe": json.dumps({"group": "cell", "init": "scratch"}),
        "epochs": "2",
        "image_size": "64",
        "split.folds": "0",
    }


TRAININGS = {
    "blood_pbc, instant": Training(given("blood_pbc"), plainly(stage="instant")),
    "blood_pbc, 2 epochs at 96 px": Training(given("blood_pbc"), plainly(epochs="2", image_size="96")),
    "chromosomes_gband, folds by case at 64 px": Training(
        given("chromosomes_gband/images.csv"),
        plainly(stage="instant", image_size="64", split__folds="3", decide_by="roc"),
        group="case",
    ),
    "chromosomes_gband cut, fine-tuned folds": Training(
        gband,
        plainly(init="scratch", epochs="2", image_size="64", split__folds="2", class_weights="balanced"),
        group="case",
    ),
    "cellcycle_jurkat_16bit": Training(
        given("cellcycle_jurkat_16bit"), plainly(epochs="2", image_size="64", split__folds="0", sampling="oversample")
    ),
    "chromosomes in two steps": Training(gband, in_two_steps, group="case"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(command="run", src=HERE.parent / "src", out=None, only=list(TRAININGS), rename=[])
    commands = parser.add_subparsers(dest="command")
    run = commands.add_parser("run", help="train, and write the results")
    run.add_argument(
        "--src", type=Path, default=HERE.parent / "src", help="src folder of the version; default: this one"
    )
    run.add_argument("--out", type=Path, help="file; default: none, digests are only printed")
    run.add_argument("--only", nargs="*", default=list(TRAININGS), help=f"some of: {'; '.join(TRAININGS)}")
    run.add_argument(
        "--rename", action="append", default=[], metavar="OLD=NEW", help="name of a recipe key in that version"
    )
    compare = commands.add_parser("compare", help="compare two such files")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        sys.exit(compared(json.loads(options.before.read_text()), json.loads(options.after.read_text())))
    results = {}
    for name in options.only:
        results[name] = trained(
            TRAININGS[name], options.src.resolve(), dict(each.split("=") for each in options.rename)
        )
        digests = " ".join(
            f"{place or '.'}={run['tensors digest'][:12]}" for place, run in results[name]["runs"].items()
        )
        print(f"{name}: {results[name]['wall_s']:.0f} s, tensors {digests}", flush=True)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1))


def trained(training: Training, src: Path, renamed: Mapping[str, str]) -> Json:
    """Return the results of a training by the relative path of each run folder ('' is the main one)."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        settings = {renamed.get(key, key): value for key, value in training.settings(work).items()}
        command = [sys.executable, "-m", "coverslip", "train", str(training.source(work)), "--out", str(work / "run")]
        command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        command += ["--group", training.group] if training.group else []
        environment = os.environ | {
            "PYTHONPATH": str(src),
            "COVERSLIP_CACHE": str(work / "cache"),
            "OMP_NUM_THREADS": "2",
            "CUDA_VISIBLE_DEVICES": "",
        }
        started = time.monotonic()
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
        wall_s = round(time.monotonic() - started, 1)
        run = work / "run"
        places = sorted(card.parent.parent for card in run.rglob("classifier/weights.safetensors"))
        runs = {"" if place == run else place.relative_to(run).as_posix(): results_of(place) for place in places}
    return {"wall_s": wall_s, "runs": runs}


def results_of(run: Path) -> Json:
    """Return the results of a run folder: tensors, tables by column, numbers by key."""
    tensors = {}
    for file in (run / "classifier" / "weights.safetensors", *sorted((run / "checkpoints").glob("*.safetensors"))):
        tensors |= {f"{file.parent.name}/{file.name}: {name}": digest for name, digest in digests_of(file)}
    numbers = {}
    for file in (*(run / name for name in JSON_FILES), *sorted((run / "classifier").glob("*.json"))):
        if file.is_file():
            name = file.relative_to(run).as_posix()
            numbers |= {f"{name}: {key}": value for key, value in flat(json.loads(file.read_text(encoding="utf-8")))}
    tables = {name: columns_of(run / name) for name in TABLES if (run / name).is_file()}
    return {
        "tensors digest": hashlib.sha256(json.dumps(tensors, sort_keys=True).encode()).hexdigest(),
        "tensors": tensors,
        "numbers": numbers,
        "tables": tables,
    }


def digests_of(weights: Path) -> Iterator[tuple[str, str]]:
    """Return the SHA-256 of type, shape and content of each tensor, by name."""
    with safe_open(weights, framework="np") as file:
        for name in sorted(file.keys()):
            tensor = np.ascontiguousarray(file.get_tensor(name))
            head = f"{tensor.dtype} {tensor.shape} ".encode()
            yield name, hashlib.sha256(head + tensor.tobytes()).hexdigest()


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number, text and null in JSON with its path, except times and texts for users."""
    if any(word in key.rpartition(".")[2] for word in NOT_RESULTS):
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flat(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from flat(inner, f"{key}.{number}")
    else:
        yield key, value


def columns_of(table: Path) -> dict[str, list[str]]:
    """Return a table by column; rows of a split by image, of a history from epoch 1 on."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if rows and "image_id" in rows[0]:
        rows.sort(key=lambda row: row["image_id"])
    rows = [row for row in rows if row.get("epoch") != "0"]
    names = [name for name in (rows[0] if rows else {}) if not any(word in name for word in NOT_RESULTS)]
    return {name: [row[name] for row in rows] for name in names}


def compared(before: Json, after: Json) -> int:
    """Print a table of the differences; return 1 if a value that both have differs, else 0."""
    differing = 0
    print(
        "| training | run | content | compared | different | only before | only after |\n|---|---|---|---|---|---|---|"
    )
    for name in before:
        if name not in after:
            print(f"| {name} | | not trained after | | | | |")
            differing += 1
            continue
        for place in sorted(before[name]["runs"].keys() | after[name]["runs"].keys()):
            first, other = (of[name]["runs"].get(place) for of in (before, after))
            if first is None or other is None:
                print(f"| {name} | {place or '.'} | the run is in one version only | | 1 | | |")
                differing += 1
                continue
            for what, was, now in parts_of(first, other):
                differing += compared_part(f"| {name} | {place or '.'} | {what}", was, now)
    print("\nEqual." if not differing else f"\n{differing} differences.")
    return int(differing > 0)


def parts_of(before: Json, after: Json) -> Iterator[tuple[str, Json, Json]]:
    """Yield what is compared by key: tensors, numbers, the columns of each table."""
    yield "tensors", before["tensors"], after["tensors"]
    yield "numbers", *(under_their_last_names(of["numbers"]) for of in (before, after))
    for table in sorted(before["tables"].keys() | after["tables"].keys()):
        yield table, before["tables"].get(table, {}), after["tables"].get(table, {})


def under_their_last_names(numbers: Json) -> Json:
    """Return the keys of a number in another version: with its interval, or moved to the calibration."""
    return {key.removesuffix(".value").replace(" calibration.", " "): value for key, value in numbers.items()}


def compared_part(title: str, before: Json, after: Json) -> int:
    """Print a row, and one for each of the first different keys; return their number. Missing tensors count too."""
    common = [key for key in before if key in after]
    gone, come = ([key for key in keys if key not in other] for keys, other in ((before, after), (after, before)))
    wrong = [key for key in common if before[key] != after[key]]
    n_wrong = len(wrong) + (len(gone) + len(come) if title.endswith("| tensors") else 0)
    print(f"{title} | {len(common)} | {n_wrong or ''} | {listed(gone)} | {listed(come)} |")
    for key in wrong[:5]:
        print(f"  {key}: {difference(before[key], after[key])}")
    return n_wrong


def listed(keys: list[str]) -> str:
    return f"{len(keys)}: {', '.join(keys[:9])}{' …' if len(keys) > 9 else ''}" if keys else ""


def difference(before: Any, after: Any) -> str:
    """Describe the difference of two values or columns."""
    if not isinstance(before, list):
        return f"{str(before)[:60]} -> {str(after)[:60]}"
    if len(before) != len(after):
        return f"{len(before)} rows -> {len(after)} rows"
    pairs = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    return f"{len(pairs)} of {len(before)} rows, such as {pairs[0][0]!r} -> {pairs[0][1]!r}"


if __name__ == "__main__":
    main()
