"""Time budgets on real datasets: durations and accuracies, on an idle and on a busy machine.

    python benchmarks/budget.py [--sets blood_pbc …] [--minutes 0 2 5] [--seed 0] [--busy] [--images 600]
        [--rows FILE] [--fastai FOLDER]

Each row is one `coverslip train` in a separate process with an empty cache, start-up included: with `--budget`, or
without a budget for 0 minutes (default settings). The first row of a dataset is the instant classifier. `--busy` keeps
one core busy with another program. A refused budget (too short for these images on this machine) is shown as refused.
Images are sampled from the datasets of COVERSLIP_DATA in whole groups. At most 1,200 images of the other groups are
tested afterwards, outside the budget. With `--images 0`, all images are used, and each training has its own test set.

The second last column is the gain in macro-F1 over the instant classifier on the same images, with the standard error
over resampled images. The last column is the load average of the machine at the end of the training.

`--fastai` also trains with fastai on the same images for the same time, and tests it on the same images. fastai is not
part of coverslip's environment; `pip install --target FOLDER fastai` installs it separately.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _children import coverslip, succeeded
from folds_calibration import DATA, write_tables

import coverslip as cs
from coverslip.evaluation import METRICS
from coverslip.runs import Run

_MOST_TESTED = 1200
_N_RESAMPLES = 200
SETS = {
    "blood_pbc": ("blood_pbc", None),
    "blood_malaria": ("blood_malaria/images.csv", "patient"),
    "micronuclei": ("micronuclei/images.csv", "image"),
    "pap_herlev": ("pap_herlev/images.csv", "image"),
    "chromosomes_gband": ("chromosomes_gband/images.csv", "cell"),
}
HEADER = (
    "| dataset | busy | budget (s) | software | time (s) | used | in time | network | epochs | accuracy | macro-F1 "
    "| gain over instant (SE) | load |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Predicted:
    """True and predicted classes of the test images."""

    label: np.ndarray  # (n,) class numbers
    predicted: np.ndarray  # (n,)

    def score(self, metric: str, drawn: np.ndarray | None = None) -> float:
        """Return the macro-F1 of all images, or of a sample."""
        rows = np.arange(len(self.label)) if drawn is None else drawn
        probability = np.eye(1 + max(self.label.max(), self.predicted.max()))[self.predicted[rows]]
        return float(METRICS[metric].value(probability, self.label[rows], self.predicted[rows]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--minutes", nargs="+", type=float, default=[2, 5])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=600, help="number of images; 0 uses all")
    parser.add_argument("--busy", action="store_true", help="keep one core busy with another program")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="also append each row to this file")
    parser.add_argument(
        "--fastai", type=Path, metavar="FOLDER", help="also train with fastai, installed in this folder"
    )
    options = parser.parse_args()
    say(HEADER, options.rows)
    for name in options.sets:
        with tempfile.TemporaryDirectory() as folder, beside_another(is_wanted=options.busy):
            train, tested = tables(name, options.seed, options.images, Path(folder))
            start = f"| {name} | {'yes' if options.busy else ''} |"
            line, instant = row(name, options.seed, 0, train, tested, None, "stage=instant", "split.folds=0")
            say(f"{start} instant | {line}", options.rows)
            for minutes in options.minutes:
                line, _ = row(name, options.seed, 60 * minutes, train, tested, instant)
                say(f"{start} {60 * minutes or 'none'} | {line}", options.rows)
                if options.fastai:
                    say(
                        f"{start} {60 * minutes:g} | {row_of_fastai(options.fastai, 60 * minutes, train, tested)}", None
                    )


def say(line: str, file: Path | None) -> None:
    """Print a line and append it to a file."""
    print(line, flush=True)
    if file is not None:
        with file.open("a", encoding="utf-8") as opened:
            opened.write(f"{line}\n")


def tables(name: str, seed: int, n_images: int, folder: Path) -> tuple[Path, Path | None]:
    """Write tables of training and test images; the second is None if each training has its own test set."""
    source, group = SETS[name]
    if not n_images:
        return DATA / source, None
    data = cs.open_dataset(DATA / source, group=group)
    return write_tables(data, n_images, min(len(data.records) - n_images, _MOST_TESTED), seed, folder)


def row(
    name: str,
    seed: int,
    seconds: float,
    train: Path,
    tested: Path | None,
    instant: Predicted | None,
    *settings: str,
) -> tuple[str, Predicted | None]:
    """Return the end of a table row for one training, and its predictions."""
    group = () if SETS[name][1] is None else ("--group", "group" if tested is not None else SETS[name][1] or "")
    with tempfile.TemporaryDirectory() as scratch:
        run, cache = Path(scratch) / "run", Path(scratch) / "cache"
        options = ["--out", str(run), *(f"--set={choice}" for choice in (f"seed={seed}", *settings))]
        if seconds:
            options += ["--budget", f"{seconds:g}s"]
        done = coverslip("train", str(train), *group, *options, cache=cache)
        load = os.getloadavg()[0]
        share = f"{done.wall_s / seconds:.2f} | {'yes' if done.wall_s <= seconds else 'no'}" if seconds else " | "
        start = f"coverslip | {done.wall_s:.0f} | {share} |"
        if done.code:
            return f"{start} {done.stderr.strip().splitlines()[-1]} | | | | | {load:.1f} |", None
        measured = Run(run)
        if tested is not None:
            succeeded("evaluate", str(run), str(tested), *group, "--name", "tested", cache=cache)
            measured = measured.evaluation("tested")
        predicted = predictions(measured)
        record = json.loads((run / "training.json").read_text())
        card = json.loads((run / "classifier" / "classifier.json").read_text())
        budget = json.loads((run / "budget.json").read_text()) if seconds else {}
    epochs = budget.get("epochs_run") or max((stage.get("epochs_run", 0) for stage in record["stages"]), default=0)
    of = f" of {budget['epochs']}" if budget.get("epochs") else ""
    network = f"{card['model']}, {card['preprocessing']['image_size']} px, {record['chosen']}"
    scores = f"{predicted.score('accuracy'):.4f} | {predicted.score('macro_f1'):.4f}"
    return f"{start} {network} | {epochs:g}{of} | {scores} | {beyond(predicted, instant)} | {load:.1f} |", predicted


def predictions(run: Run) -> Predicted:
    """Return the test predictions of a run in an order that is the same for all runs."""
    rows = sorted(run.predictions, key=lambda row: row.image_id)
    number = {name: k for k, name in enumerate(run.predictions.classes)}
    return Predicted(
        np.array([number[row.label or ""] for row in rows]), np.array([number[row.predicted or ""] for row in rows])
    )


def beyond(predicted: Predicted, instant: Predicted | None) -> str:
    """Return the gain in macro-F1 over the instant classifier, and its standard error over resampled images."""
    if instant is None or len(instant.label) != len(predicted.label):
        return ""
    generator, n = np.random.default_rng(0), len(predicted.label)
    drawn = [generator.integers(n, size=n) for _ in range(_N_RESAMPLES)]
    differences = [predicted.score("macro_f1", rows) - instant.score("macro_f1", rows) for rows in drawn]
    return f"{predicted.score('macro_f1') - instant.score('macro_f1'):+.4f} ({np.std(differences):.4f})"


def row_of_fastai(library: Path, seconds: float, train: Path, tested: Path) -> str:
    """Return the end of a table row for a training with fastai."""
    script = Path(__file__).with_name("_by_fastai.py")
    paths = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(library)]))
    done = subprocess.run(
        [sys.executable, str(script), str(train), str(tested), str(seconds)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    row = json.loads(done.stdout.splitlines()[-1])
    return (
        f"fastai | {row['seconds']:.0f} | | {row['network']} | {row['epochs']} | {row['accuracy']:.3f} | "
        f"{row['macro_f1']:.3f} |"
    )


@contextmanager
def beside_another(*, is_wanted: bool) -> Iterator[None]:
    """Run another program that keeps one core busy."""
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
