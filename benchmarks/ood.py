"""Out-of-distribution detection: images of other instruments and of excluded classes. Markdown tables.

A classifier of some of the images of `blood_pbc` judges its own test images, images of other stains, instruments and
objects, and, with one class excluded from training, images of that class. AUROC: how often a strange image is stranger
than an own test image; flagged: the share called `unfamiliar`. Images: COVERSLIP_DATA, default ../shared/data.

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
from finetuning import rows_of, write_rows

import coverslip as cs
from coverslip.runs import Recipe, Run

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
HOME = "blood_pbc"
OTHER_INSTRUMENTS = {
    "other laboratory's blood cells": "blood_bccd",
    "red cells": "blood_malaria/images.csv",
    "Pap smears": "pap_herlev/images.csv",
    "fluorescent nuclei": "nuclei_mitocheck/images.csv",
    "nuclei of 16 bit": "micronuclei/images.csv",
    "chromosomes": "chromosomes_qband/images.csv",
}
N_STRANGE = 60  # of each set and each held-out class
SIDE_PX = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--finetune", action="store_true", help="four epochs of fine-tuning after the linear probe")
    parser.add_argument("--without-classes", action="store_true", help="other stains and instruments only")
    asked = parser.parse_args()
    recipe = Recipe.model_validate(
        {
            "image_size": SIDE_PX,
            "stage": "finetune" if asked.finetune else "instant",
            "epochs": 4,
            "split": {"folds": 0, "test": 0.3},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        from_other_instruments(recipe, asked.seeds, asked.images, Path(folder))
        if not asked.without_classes:
            held_out_classes(recipe, asked.seeds, asked.images, Path(folder))


def from_other_instruments(recipe: Recipe, n_seeds: int, n: int, folder: Path) -> None:
    """Print a row per set: means over seeds."""
    scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for seed in range(n_seeds):
        run, own = trained(recipe, some(rows_of(DATA / HOME), n, seed), seed, folder / f"{seed}")
        scores["own test images"].append((float("nan"), float((own > 1).mean())))
        calibrated_on = [row.path for row in run.split if row.split == "train"]
        seen = cs.load_classifier(run.folder).predict(calibrated_on)["ood_score"]
        scores["training images"].append((float("nan"), float(np.mean([far is not None and far > 1 for far in seen]))))
        for name, source in OTHER_INSTRUMENTS.items():
            strange = judged(run, some(rows_of(DATA / source), N_STRANGE, seed), folder / f"{seed} {name}")
            scores[name].append((auroc(own, strange), float((strange > 1).mean())))
    print("| images | AUROC, mean (worst) | flagged, mean (least - most) |\n|---|---|---|")
    for name, of_seeds in scores.items():
        ranks, flagged = np.array(of_seeds).T
        first = "-" if np.isnan(ranks).any() else f"{ranks.mean():.3f} ({ranks.min():.3f})"
        print(f"| {name} | {first} | {flagged.mean():.3f} ({flagged.min():.3f} - {flagged.max():.3f}) |", flush=True)


def held_out_classes(recipe: Recipe, n_seeds: int, n: int, folder: Path) -> None:
    """Print a row per class that training leaves out, and the mean of all."""
    everything = rows_of(DATA / HOME)
    means = []
    print("\n| excluded class | AUROC, mean (worst) | flagged |\n|---|---|---|")
    for label in sorted({row["label"] for row in everything}):
        ranks, flagged = [], []
        for seed in range(n_seeds):
            rows = [row for row in some(everything, n, seed) if row["label"] != label]
            run, own = trained(recipe, rows, seed, folder / f"{seed} without {label}")
            left_out = some([row for row in everything if row["label"] == label], N_STRANGE, seed)
            strange = judged(run, left_out, folder / f"{seed} {label}")
            ranks.append(auroc(own, strange))
            flagged.append(float((strange > 1).mean()))
        means.append((np.mean(ranks), np.mean(flagged)))
        print(f"| {label} | {np.mean(ranks):.3f} ({min(ranks):.3f}) | {np.mean(flagged):.3f} |", flush=True)
    rank, share = np.mean(means, axis=0)
    print(f"| **mean** | {rank:.3f} ({min(rank for rank, _ in means):.3f}) | {share:.3f} |")


def trained(recipe: Recipe, rows: list[dict[str, str]], seed: int, folder: Path) -> tuple[Run, np.ndarray]:
    """A run, and how unfamiliar its test images are to it."""
    table = written(rows, folder)
    run = cs.train(table, recipe.model_copy(update={"seed": seed}), out=folder / "run")
    with run.predictions_file.open(newline="", encoding="utf-8") as file:
        return run, np.array([float(row["ood_score"]) for row in csv.DictReader(file)])


def judged(run: Run, rows: list[dict[str, str]], folder: Path) -> np.ndarray:
    """How unfamiliar images are to a run's classifier."""
    unlike = cs.load_classifier(run.folder).predict(written(rows, folder))["ood_score"]
    return np.array([number for number in unlike if number is not None], dtype=np.float64)


def written(rows: list[dict[str, str]], folder: Path) -> Path:
    folder.mkdir(parents=True)
    return write_rows(rows, None, folder / "images.csv")


def some(rows: list[dict[str, str]], n: int, seed: int) -> list[dict[str, str]]:
    return random.Random(seed).sample(rows, min(n, len(rows)))


def auroc(own: np.ndarray, strange: np.ndarray) -> float:
    below = (own[:, None] < strange).mean()
    return float(below + (own[:, None] == strange).mean() / 2)


if __name__ == "__main__":
    main()
