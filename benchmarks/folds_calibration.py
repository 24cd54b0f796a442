"""Calibration of the classifiers of cross-validation on an external test set, as a Markdown table.

Trains with five folds on a part of a set and measures the classifier on the rest, which shares no group with that part.
'coverslip' is what the classifier itself says. The other lines divide the same logits by another temperature and have
another threshold for `uncertain`: 'folds, median' the median of the folds' temperatures, and the threshold that all
folds' validation images give; 'folds, pooled' one temperature and threshold for what every fold said of its own test
images; 'best possible' the values chosen on the external test set. 'ECE by chance' is what perfect
probabilities would show on as many images. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/folds_calibration.py [--rows NAME…] [--seeds N] [--set key=value…] [--keep FOLDER]
"""

import argparse
import csv
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _children import succeeded

import coverslip as cs
from coverslip.datasets import Dataset, split_units
from coverslip.evaluation import (
    DecisionRule,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    learn_decisions,
)
from coverslip.runs import Run

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()


@dataclass(frozen=True)
class Row:
    """A set, the column of its groups, how many images to train and test on, and their size."""

    source: str
    group: str | None
    n_train: int
    n_parallel: int
    image_size: int


@dataclass(frozen=True)
class Judged:
    """Images as a calibration judges them."""

    temperature: float
    probability: np.ndarray  # (n, K)
    label: np.ndarray  # (n,)
    is_decided: np.ndarray  # (n,) not `uncertain`


ROWS = {
    "blood_pbc": Row("blood_pbc", None, 1200, 800, 96),
    "nuclei_mitocheck": Row("nuclei_mitocheck/images.csv", "movie", 1200, 1200, 64),
    "pap_herlev": Row("pap_herlev/images.csv", "image", 517, 400, 96),
}
FIGURES = ("T", "log loss", "ECE", "ECE by chance", "uncertain", "mistakes among the decided")
HEADER = f"| set | seed | external | accuracy | calibration | {' | '.join(FIGURES)} |\n|{'---|' * (5 + len(FIGURES))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), help=f"some of: {'; '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="default: stage=instant")
    parser.add_argument("--keep", type=Path, help="a folder for the runs, which are thrown away otherwise")
    asked = parser.parse_args()
    print(HEADER)
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.rows:
            of_seeds: dict[str, list[Judged]] = defaultdict(list)
            for seed in range(asked.seeds):
                folder = (asked.keep or Path(scratch)) / name / str(seed)
                run = trained(ROWS[name], seed, asked.set or ["stage=instant"], folder)
                for title, judged in measured(run):
                    show(f"{name} | {seed}", title, judged)
                    of_seeds[title].append(judged)
            for title, parts in of_seeds.items():
                show(f"**{name}** | all {asked.seeds}", title, together(parts))


def trained(row: Row, seed: int, settings: Sequence[str], folder: Path) -> Run:
    """A run by folds whose classifier was evaluated on the external test set; an existing run is reused."""
    run = Run(folder / "run")
    if not run.evaluation("external").is_measured:
        data = cs.open_dataset(DATA / row.source, group=row.group)
        train, external = write_tables(data, row.n_train, row.n_parallel, seed, folder)
        group = ("--group", "group") if row.group else ()
        chosen = [f"seed={seed}", f"image_size={row.image_size}", "split.folds=5", *settings]
        options = [part for setting in chosen for part in ("--set", setting)]
        succeeded("train", str(train), *group, *options, "--out", str(run.folder), cache=folder / "cache")
        succeeded("evaluate", str(run.folder), str(external), *group, "--name", "external", cache=folder / "cache")
    return run


def write_tables(data: Dataset, n_train: int, n_parallel: int, seed: int, folder: Path) -> tuple[Path, Path]:
    """Tables of the training images and of the external test set; no group is in both."""
    folder.mkdir(parents=True, exist_ok=True)
    label = np.unique([record.label or "" for record in data.records], return_inverse=True)[1]
    group = np.unique([record.group or record.image_id for record in data.records], return_inverse=True)[1]
    shares = n_train / len(label), 1 - (n_train + n_parallel) / len(label), n_parallel / len(label)
    part = split_units(label, group, shares, seed)
    tables = folder / "train.csv", folder / "external.csv"
    for table, side in zip(tables, (0, 2), strict=True):
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["image_id", "path", "label", "group"])
            for record in (data.records[i] for i in np.flatnonzero(part == side)):
                writer.writerow([record.image_id, record.path, record.label, record.group])
    return tables


def measured(run: Run) -> Iterator[tuple[str, Judged]]:
    """The external test set, by each calibration."""
    external = run.evaluation("external")
    logits, label = external.test_logits, labels(external)
    for title, (temperature, threshold) in calibrations(run, logits, label).items():
        probability = apply_temperature(logits, temperature)
        is_decided = probability.max(axis=1) >= threshold
        yield title, Judged(temperature, probability, label, is_decided)


def together(parts: Sequence[Judged]) -> Judged:
    """Several as one: a calibration error of more images owes less to chance."""
    return Judged(
        float(np.mean([part.temperature for part in parts])),
        np.concatenate([part.probability for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.is_decided for part in parts]),
    )


def labels(run: Run) -> np.ndarray:
    """(n,) class numbers of the images that a run has measured."""
    number = {name: k for k, name in enumerate(run.predictions.classes)}
    return np.array([number[row.label or ""] for row in run.predictions])


def calibrations(run: Run, logits: np.ndarray, label: np.ndarray) -> dict[str, tuple[float, float]]:
    """Temperature and threshold, by what they are learnt from; logits and labels are of the external test set."""
    card = run.card
    assert card is not None
    pooled, is_known = run.test_logits, np.isfinite(run.test_logits).all(axis=1)
    return {
        "folds, median": by_median(run, card.classes),
        "folds, pooled": learnt(pooled[is_known], labels(run)[is_known]),
        "coverslip": (card.temperature, card.uncertain_below),
        "best possible": learnt(logits, label),
    }


def by_median(run: Run, classes: Sequence[str]) -> tuple[float, float]:
    """The median of the folds' temperatures, and the threshold that their validation images give together."""
    temperatures, probabilities, label = [], [], []
    for fold in run.folds:
        assert fold.card is not None
        temperatures.append(fold.card.temperature)
        probability = np.zeros((len(fold.validation), len(classes)))
        places = [classes.index(name) for name in fold.card.classes]
        probability[:, places] = apply_temperature(fold.validation_logits, fold.card.temperature)
        probabilities.append(probability)
        label += [classes.index(row.label or "") for row in fold.validation]
    threshold = learn_decisions(np.concatenate(probabilities), np.array(label), DecisionRule())[1]
    return statistics.median(temperatures), threshold


def learnt(logits: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Temperature and threshold that these logits give."""
    temperature = fit_temperature(logits, label)
    return temperature, learn_decisions(apply_temperature(logits, temperature), label, DecisionRule())[1]


def show(name: str, title: str, judged: Judged) -> None:
    """Print a line of the table."""
    probability, label = judged.probability, judged.label
    is_right = probability.argmax(axis=1) == label
    figures = (
        judged.temperature,
        -np.log(np.maximum(probability[np.arange(len(label)), label], 1e-15)).mean(),
        expected_calibration_error(probability, label),
        error_by_chance(probability),
        1 - judged.is_decided.mean(),
        1 - is_right[judged.is_decided].mean(),
    )
    cells = " | ".join(f"{figure:.3f}" for figure in figures)
    print(f"| {name} | {len(label):,} | {is_right.mean():.3f} | {title} | {cells} |", flush=True)


def error_by_chance(probability: np.ndarray) -> float:
    """The mean calibration error if labels were drawn by these probabilities."""
    rng, highest = np.random.default_rng(0), probability.cumsum(axis=1)
    drawn = ((highest < rng.random((len(probability), 1))).sum(axis=1) for _ in range(200))
    last = probability.shape[1] - 1
    return float(np.mean([expected_calibration_error(probability, np.minimum(label, last)) for label in drawn]))


if __name__ == "__main__":
    main()
