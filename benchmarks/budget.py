"""Time budgets on real sets: whether they are kept, and what accuracy they bring, on a quiet and on a busy machine.

    python benchmarks/budget.py [--sets blood_pbc …] [--minutes 1 5 15] [--seeds 1] [--busy] [--images 600]

Every row is one `coverslip train --budget` in a process of its own with an empty cache, start-up included. `--busy`
keeps one core at work beside it. Kept means at most a tenth over; a budget that was refused (too little for these
images on this machine) is shown as such. Sets are those of COVERSLIP_DATA, the first so many images of a shuffled list.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
SETS = {
    "blood_pbc": None,
    "micronuclei": "image",
    "pap_herlev": "image",
    "nuclei_mitocheck": "movie",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--minutes", nargs="*", type=float, default=[1, 5, 15])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--busy", action="store_true", help="keep one core busy with another program")
    chosen = parser.parse_args()
    print("| set | seed | budget s | took s | kept | network | epochs | accuracy | macro-F1 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in chosen.sets:
        for seed in range(chosen.seeds):
            for minutes in chosen.minutes:
                with beside_another(is_wanted=chosen.busy), tempfile.TemporaryDirectory() as folder:
                    print(row(name, seed, 60 * minutes, chosen.images, Path(folder)), flush=True)


def row(name: str, seed: int, seconds: float, n_images: int, folder: Path) -> str:
    """One training as a row of the table."""
    table, run = folder / "images.csv", folder / "run"
    write_subset(DATA / name, table, n_images, seed)
    group = SETS[name]
    options = ["--budget", f"{seconds:g}s", "--set", f"seed={seed}", "--out", str(run)]
    command = [sys.executable, "-m", "coverslip", "train", str(table), *(["--group", group] if group else []), *options]
    began = time.monotonic()
    ended = subprocess.run(
        command,
        env={**os.environ, "COVERSLIP_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.monotonic() - began
    kept = "yes" if took <= 1.1 * seconds else "no"
    start = f"| {name} | {seed} | {seconds:g} | {took:.0f} | {kept} |"
    if ended.returncode:
        return f"{start} {ended.stderr.strip().splitlines()[-1]} | | | |"
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    record = json.loads((run / "training.json").read_text())
    card = json.loads((run / "classifier" / "classifier.json").read_text())
    epochs = sum(stage.get("epochs_run", 0) for stage in record["stages"])
    network = f"{card['model']}, {card['preprocessing']['image_size']} px, {record['chosen']}"
    return f"{start} {network} | {epochs} | {metrics['accuracy']['value']:.3f} | {metrics['macro_f1']['value']:.3f} |"


def write_subset(source: Path, table: Path, n_images: int, seed: int) -> None:
    """A table of some images of a set, with whole paths."""
    if (source / "images.csv").is_file():
        with (source / "images.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        files = (file for file in source.rglob("*") if file.is_file() and file.parent != source)
        rows = [{"path": str(file.relative_to(source)), "label": file.parent.name} for file in sorted(files)]
    rows = random.Random(seed).sample(rows, min(n_images, len(rows)))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "path": str((source / row["path"]).absolute())} for row in rows)


@contextmanager
def beside_another(*, is_wanted: bool) -> Iterator[None]:
    """Another program that keeps one core busy."""
    if not is_wanted:
        yield
        return
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()


if __name__ == "__main__":
    main()
