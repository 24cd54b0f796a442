"""Calibration of the final classifiers of cross-validation on an external test set, as a Markdown table.

The script trains with five folds on a part of a dataset and evaluates the final classifier on the rest, which shares no
group with this part. 'coverslip' is the classifier's own calibration. The other rows divide the same logits by another
temperature and use another threshold for `uncertain`: 'folds, median' uses the median temperature of the folds and the
threshold from the validation images of all folds; 'folds, pooled' one temperature and threshold from the test
predictions of all folds; 'best possible' the values chosen on the external test set. 'ECE by chance' is the value for
perfect probabilities with the same number of images. Images: COVERSLIP_DATA, default ../shared/data.

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
    """A dataset, its group column, the numbers of training and test images, and the image size."""

    source: str
    group: str | None
    n_train: int
    n_parallel: int
    image_size: int


@dataclass(frozen=True)
class Judged:
    """Predictions with one calibration."""

    temperature: float
    probability: np.ndarray  # (n, K)
    label: np.ndarray  # (n,)
    is_decided: np.ndarray  # (n,) not `uncertain`


ROWS = {
    "blood_pbc": Row("blood_pbc", None, 1200, 800, 96),
    "nuclei_mitocheck": Row("nuclei_mitocheck/images.csv", "movie", 1200, 1200, 64),
    "pap_herlev": Row("pap_herlev/images.csv", "image", 517, 400, 96),
}
FIGURES = ("T", "log loss", "ECE", "ECE by chance", "uncertain", "error rate of decided images")
HEADER = (
    f"| dataset | seed | test images | accuracy | calibration | {' | '.join(FIGURES)} |\n|{'---|' * (5 + len(FIGURES))}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), help=f"some of: {'; '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="default: stage=instant")
    parser.add_argument("--keep", type=Path, help="folder that keeps the runs; default: they are deleted")
    options = parser.parse_args()
    print(HEADER)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.rows:
            of_seeds: dict[str, list[Judged]] = defaultdict(list)
            for seed in range(options.seeds):
                folder = (options.keep or Path(scratch)) / name / str(seed)
                run = trained(ROWS[name], seed, options.set or ["stage=instant"], folder)
                for title, judged in measured(run):
                    show(f"{name} | {seed}", title, judged)
                    of_seeds[title].append(judged)
            for title, parts in of_seeds.items():
                show(f"**{name}** | all {options.seeds}", title, together(parts))


def trained(row: Row, seed: int, settings: Sequence[str], folder: Path) -> Run:
    """Return a cross-validation whose classifier was evaluated on the external test set; an existing run is reused."""
    run = Run(folder / "run")
    if not run.evaluation("external").is_measured:
        data = cs.open_dataset(DATA / row.source, group=row.group)
        train, external = write_tables(data, row.n_train, row.n_parallel, seed, folder)
        group = ("--group", "group") if row.group else ()
        settings_of_run = [f"seed={seed}", f"image_size={row.image_size}", "split.folds=5", *settings]
        options = [part for setting in settings_of_run for part in ("--set", setting)]
        succeeded("train", str(train), *group, *options, "--out", str(run.folder), cache=folder / "cache")
        succeeded("evaluate", str(run.folder), str(external), *group, "--name", "external", cache=folder / "cache")
    return run


def write_tables(data: Dataset, n_train: int, n_parallel: int, seed: int, folder: Path) -> tuple[Path, Path]:
    """Write tables of the training images and of the external test set; no group is in both."""
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
    """Return the predictions on the external test set with each calibration."""
    external = run.evaluation("external")
    logits, label = external.test_logits, labels(external)
    for title, (temperature, threshold) in calibrations(run, logits, label).items():
        probability = apply_temperature(logits, temperature)
        is_decided = probability.max(axis=1) >= threshold
        yield title, Judged(temperature, probability, label, is_decided)


def together(parts: Sequence[Judged]) -> Judged:
    """Pool several predictions: with more images, chance has less effect on the ECE."""
    return Judged(
        float(np.mean([part.temperature for part in parts])),
        np.concatenate([part.probability for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.is_decided for part in parts]),
    )


def labels(run: Run) -> np.ndarray:
    """(n,) class numbers of the test images of a run."""
    number = {name: k for k, name in enumerate(run.predictions.classes)}
    return np.array([number[row.label or ""] for row in run.predictions])


def calibrations(run: Run, logits: np.ndarray, label: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return temperature and threshold of each calibration; logits and labels are those of the external test set."""
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
    """Return the median temperature of the folds, and the threshold from all their validation images."""
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
    """Return temperature and threshold fitted to these logits."""
    temperature = fit_temperature(logits, label)
    return temperature, learn_decisions(apply_temperature(logits, temperature), label, DecisionRule())[1]


def show(name: str, title: str, judged: Judged) -> None:
    """Print a row of the table."""
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
    """Return the mean ECE of labels that are sampled from these probabilities."""
    rng, highest = np.random.default_rng(0), probability.cumsum(axis=1)
    drawn = ((highest < rng.random((len(probability), 1))).sum(axis=1) for _ in range(200))
    last = probability.shape[1] - 1
    return float(np.mean([expected_calibration_error(probability, np.minimum(label, last)) for label in drawn]))


if __name__ == "__main__":
    main()
