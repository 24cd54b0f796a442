"""Out-of-distribution detection: images of other instruments and of excluded classes, as Markdown tables.

A classifier is trained on some images of `blood_pbc`. It is applied to its own test images, to images of other stains,
instruments and objects, and, with one class excluded from training, to images of this class. AUROC: probability that an
out-of-distribution image has a higher score than a test image. Flagged: proportion with the decision `unfamiliar`.
Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/ood.py [--seeds N] [--images N] [--finetune] [--without-classes]
"""

import argparse
import csv
import os
import random
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from _records import Record
from finetuning import rows_of, write_rows

import coverslip as cs
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe

RECORD = Record("Out-of-distribution images", ["src/coverslip/evaluation/ood.py", "src/coverslip/training/ood.py"])
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
HOME = "blood_pbc"
OTHER_INSTRUMENTS = {
    "blood cells of another laboratory": "blood_bccd",
    "red cells": "blood_malaria/images.csv",
    "Pap smears": "pap_herlev/images.csv",
    "fluorescent nuclei": "nuclei_mitocheck/images.csv",
    "16-bit nuclei": "micronuclei/images.csv",
    "chromosomes": "chromosomes_qband/images.csv",
}
N_STRANGE = 60  # images of each other dataset and of each excluded class
SIDE_PX = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--finetune", action="store_true", help="four epochs of fine-tuning after the linear probe")
    parser.add_argument("--without-classes", action="store_true", help="other stains and instruments only")
    RECORD.add_option(parser)
    options = parser.parse_args()
    recipe = Recipe.model_validate(
        {
            "image_size": SIDE_PX,
            "stage": "finetune" if options.finetune else "instant",
            "epochs": 4,
            "split": {"folds": 0, "test": 0.3},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        from_other_instruments(recipe, options.seeds, options.images, Path(folder))
        if not options.without_classes:
            held_out_classes(recipe, options.seeds, options.images, Path(folder))
    RECORD.write()


def from_other_instruments(recipe: Recipe, n_seeds: int, n: int, folder: Path) -> None:
    """Print a row per dataset: means over seeds."""
    scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for seed in range(n_seeds):
        run, inside = trained(recipe, some(rows_of(DATA / HOME), n, seed), seed, folder / f"{seed}")
        scores["test images of the same dataset"].append((float("nan"), float((inside > 1).mean())))
        calibrated_on = [row.path for row in run.split if row.split == "train"]
        seen = cs.load_classifier(run.folder).predict(calibrated_on)["ood_score"]
        scores["training images"].append((float("nan"), float(np.mean([far is not None and far > 1 for far in seen]))))
        for name, source in OTHER_INSTRUMENTS.items():
            strange = judged(run, some(rows_of(DATA / source), N_STRANGE, seed), folder / f"{seed} {name}")
            scores[name].append((auroc(inside, strange), float((strange > 1).mean())))
    print("| images | AUROC, mean (worst) | flagged, mean (minimum - maximum) |\n|---|---|---|")
    for name, of_seeds in scores.items():
        ranks, flagged = np.array(of_seeds).T
        first = "-" if np.isnan(ranks).any() else f"{ranks.mean():.3f} ({ranks.min():.3f})"
        print(f"| {name} | {first} | {flagged.mean():.3f} ({flagged.min():.3f} - {flagged.max():.3f}) |", flush=True)
    flagged = {name: np.mean([share for _, share in of_seeds]) for name, of_seeds in scores.items()}
    claim, n = "Proportion of images that are flagged as unfamiliar, mean over seeds", f"{n_seeds} seeds"
    for name in ("test images of the same dataset", min(OTHER_INSTRUMENTS, key=lambda name: flagged[name])):
        of = f"{name}, the lowest of {len(OTHER_INSTRUMENTS)} other datasets" if name in OTHER_INSTRUMENTS else name
        RECORD.add(claim, round(flagged[name], 3), of=of, n=n)


def held_out_classes(recipe: Recipe, n_seeds: int, n: int, folder: Path) -> None:
    """Print a row per excluded class, and the mean of all."""
    everything = rows_of(DATA / HOME)
    means = []
    print("\n| excluded class | AUROC, mean (worst) | flagged |\n|---|---|---|")
    for label in sorted({row["label"] for row in everything}):
        ranks, flagged = [], []
        for seed in range(n_seeds):
            rows = [row for row in some(everything, n, seed) if row["label"] != label]
            run, inside = trained(recipe, rows, seed, folder / f"{seed} without {label}")
            left_out = some([row for row in everything if row["label"] == label], N_STRANGE, seed)
            strange = judged(run, left_out, folder / f"{seed} {label}")
            ranks.append(auroc(inside, strange))
            flagged.append(float((strange > 1).mean()))
        means.append((np.mean(ranks), np.mean(flagged)))
        print(f"| {label} | {np.mean(ranks):.3f} ({min(ranks):.3f}) | {np.mean(flagged):.3f} |", flush=True)
    rank, share = np.mean(means, axis=0)
    note = f"worst {min(rank for rank, _ in means):.3f}; flagged {share:.3f}"
    RECORD.add("Mean AUROC of classes excluded from training", round(rank, 3), n=f"{len(means)} classes", note=note)
    print(f"| **mean** | {rank:.3f} ({min(rank for rank, _ in means):.3f}) | {share:.3f} |")


def trained(recipe: Recipe, rows: list[dict[str, str]], seed: int, folder: Path) -> tuple[Run, np.ndarray]:
    """Return a run and the OOD scores of its test images."""
    table = written(rows, folder)
    run = cs.train(table, recipe.model_copy(update={"seed": seed}), out=folder / "run")
    with run.predictions_file.open(newline="", encoding="utf-8") as file:
        return run, np.array([float(row["ood_score"]) for row in csv.DictReader(file)])


def judged(run: Run, rows: list[dict[str, str]], folder: Path) -> np.ndarray:
    """Return the OOD scores of images by a run's classifier."""
    unlike = cs.load_classifier(run.folder).predict(written(rows, folder))["ood_score"]
    return np.array([number for number in unlike if number is not None], dtype=np.float64)


def written(rows: list[dict[str, str]], folder: Path) -> Path:
    folder.mkdir(parents=True)
    return write_rows(rows, None, folder / "images.csv")


def some(rows: list[dict[str, str]], n: int, seed: int) -> list[dict[str, str]]:
    return random.Random(seed).sample(rows, min(n, len(rows)))


def auroc(inside: np.ndarray, strange: np.ndarray) -> float:
    below = (inside[:, None] < strange).mean()
    return float(below + (inside[:, None] == strange).mean() / 2)


if __name__ == "__main__":
    main()
