"""Time budgets on real sets: whether they are kept, and what accuracy they bring, on a quiet and on a busy machine.

    python benchmarks/budget.py [--sets blood_pbc …] [--minutes 1 5 15] [--seeds 1] [--busy] [--images 600]
        [--fastai FOLDER]

Every row is one `coverslip train --budget` in a process of its own with an empty cache, start-up included. `--busy`
keeps one core at work beside it. Kept means at most a tenth over; a budget that was refused (too little for these
images on this machine) is shown as such. Images are drawn from the sets of COVERSLIP_DATA by whole groups; of the
groups left, at most 1,200 images are tested afterwards, outside the budget.

`--fastai` trains by fastai too, on the same images and for as long, and tests it on the same images. fastai is not part
of coverslip's environment: `pip install --target FOLDER fastai` keeps it apart.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _children import coverslip, succeeded
from folds_calibration import DATA, write_tables

import coverslip as cs

_MOST_TESTED = 1200
SETS = {
    "blood_pbc": ("blood_pbc", None),
    "micronuclei": ("micronuclei/images.csv", "image"),
    "pap_herlev": ("pap_herlev/images.csv", "image"),
    "chromosomes_gband": ("chromosomes_gband/images.csv", "cell"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 5, 15])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--busy", action="store_true", help="keep one core busy with another program")
    parser.add_argument("--fastai", type=Path, metavar="FOLDER", help="where fastai is installed: train by it too")
    chosen = parser.parse_args()
    print("| set | seed | budget s | by | took s | kept | network | epochs | accuracy | macro-F1 |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in chosen.sets:
        for seed in range(chosen.seeds):
            with tempfile.TemporaryDirectory() as folder, beside_another(is_wanted=chosen.busy):
                train, tested = tables(name, seed, chosen.images, Path(folder))
                for minutes in chosen.minutes:
                    start = f"| {name} | {seed} | {60 * minutes:g} |"
                    print(start, row(name, seed, 60 * minutes, train, tested), flush=True)
                    if chosen.fastai:
                        print(start, row_of_fastai(chosen.fastai, 60 * minutes, train, tested), flush=True)


def tables(name: str, seed: int, n_images: int, folder: Path) -> tuple[Path, Path]:
    """Tables of the images to train on and of those to test afterwards."""
    source, group = SETS[name]
    data = cs.open_dataset(DATA / source, group=group)
    return write_tables(data, n_images, min(len(data.records) - n_images, _MOST_TESTED), seed, folder)


def row(name: str, seed: int, seconds: float, train: Path, tested: Path) -> str:
    """One training as the end of a row of the table."""
    group = ("--group", "group") if SETS[name][1] else ()
    with tempfile.TemporaryDirectory() as scratch:
        run, cache = Path(scratch) / "run", Path(scratch) / "cache"
        options = ["--budget", f"{seconds:g}s", "--set", f"seed={seed}", "--out", str(run)]
        done = coverslip("train", str(train), *group, *options, cache=cache)
        start = f"coverslip | {done.wall_s:.0f} | {'yes' if done.wall_s <= 1.1 * seconds else 'no'} |"
        if done.code:
            return f"{start} {done.stderr.strip().splitlines()[-1]} | | | |"
        found = json.loads(succeeded("evaluate", str(run), str(tested), *group, "--json", cache=cache).stdout)
        record = json.loads((run / "training.json").read_text())
        card = json.loads((run / "classifier" / "classifier.json").read_text())
    epochs = sum(stage.get("epochs_run", 0) for stage in record["stages"])
    network = f"{card['model']}, {card['preprocessing']['image_size']} px, {record['chosen']}"
    accuracy, f1 = (found["metrics"][metric]["value"] for metric in ("accuracy", "macro_f1"))
    return f"{start} {network} | {epochs} | {accuracy:.3f} | {f1:.3f} |"


def row_of_fastai(library: Path, seconds: float, train: Path, tested: Path) -> str:
    """The same by fastai."""
    script = Path(__file__).with_name("_by_fastai.py")
    paths = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(library)]))
    done = subprocess.run(
        [sys.executable, str(script), str(train), str(tested), str(seconds)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return (
        f"fastai | {found['seconds']:.0f} | | {found['network']} | {found['epochs']} | {found['accuracy']:.3f} | "
        f"{found['macro_f1']:.3f} |"
    )


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
