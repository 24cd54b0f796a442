"""Estimated class proportions of new groups, compared with counts of predictions, on real images.

An instant classifier is trained on half of the groups (patients, fields). Samples of new images come from some of the
other groups: with their natural proportions, with given proportions of the second class (two classes), or with random
proportions (more classes). 'Near' and 'far' are samples whose proportions differ from those of training by at most, or
by more than, .2 in any class. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/prevalence_groups.py [--sets NAME…] [--seeds N] [--draws N]
"""

import argparse
import csv
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import coverslip as cs
from coverslip.evaluation import estimated_shares
from coverslip.runs import Recipe, SplitPlan
from coverslip.runs.predictions import read_predictions

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
GROUP = {"blood_malaria": "patient", "micronuclei": "image", "nuclei_mitocheck": "movie"}
SHARES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9)  # proportions of the second of two classes
N_GROUPS = 8  # in a sample of new images
MOST_IMAGES, FEWEST_IMAGES = 500, 60  # in a sample whose proportions differ from those of its groups
FAR = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=GROUP, default=list(GROUP))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=40)
    options = parser.parse_args()
    print(
        "| dataset | proportions | classifiers | samples | error of counts | error of estimate | better estimate | ",
        end="",
    )
    print("bias of estimate, by classifier | coverage |\n|---|---|---|---|---|---|---|---|---|")
    for name in options.sets:
        rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                for case, row in measured(name, seed, options.draws, Path(folder)):
                    rows[case].append(row)
        for case, measured_rows in rows.items():
            show(name, case, np.array(measured_rows))


def show(name: str, case: str, rows: np.ndarray) -> None:
    """Print a row of the table; `rows` contains seed, errors of counts and of the estimate, bias, coverage."""
    seed, counts, estimate, bias, covered = rows.T
    biases = [bias[seed == each].mean() for each in np.unique(seed)]
    print(
        f"| {name} | {case} | {len(biases)} | {len(rows)} | {counts.mean():.3f} | {estimate.mean():.3f} | "
        f"{(estimate < counts).mean():.2f} | {min(biases):+.3f} to {max(biases):+.3f} | {covered.mean():.2f} |",
        flush=True,
    )


def measured(name: str, seed: int, n_draws: int, folder: Path) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Return the errors of samples of new images, averaged over classes, and the bias of the last class."""
    rows = list(csv.DictReader((DATA / name / "images.csv").open()))
    groups, rng = sorted({row[GROUP[name]] for row in rows}), np.random.default_rng(seed)
    inside = set(rng.permutation(groups)[: len(groups) // 2])
    for part, is_in in (("old", True), ("new", False)):
        with (folder / f"{part}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "label", "group"))
            for row in rows:
                if (row[GROUP[name]] in inside) == is_in:
                    writer.writerow(((DATA / name / row["path"]).resolve(), row["label"], row[GROUP[name]]))
    plan = SplitPlan(folds=0)
    recipe = Recipe(model="mobilenet_v2", stage="instant", image_size=112, tta=1, seed=seed, split=plan)
    run = cs.train(cs.open_dataset(folder / "old.csv", group="group"), recipe, out=folder / "run")
    new = cs.open_dataset(folder / "new.csv", group="group")
    cs.predict(run, new, out=folder / "predictions.csv")
    table, prior = read_predictions(folder / "predictions.csv"), cs.load_classifier(run).card.prior
    group_of = {record.image_id: record.group for record in new.records}
    estimates = table.measured()
    group = np.array([group_of[row.image_id] for row in estimates.rows])
    for _ in range(n_draws):
        names = np.unique(group)
        among = np.flatnonzero(np.isin(group, rng.choice(names, min(N_GROUPS, len(names)), replace=False)))
        for case, at in drawn(estimates.label, among, len(prior), rng):
            true, counted = (
                np.bincount(of[at], minlength=len(prior)) / len(at) for of in (estimates.label, estimates.predicted)
            )
            metrics = estimated_shares(estimates.probability[at], prior)
            value, low, high = np.array([(metric.value, metric.low, metric.high) for metric in metrics]).T
            errors = (np.abs(counted - true).mean(), np.abs(value - true).mean(), (value - true)[-1])
            row = (seed, *errors, ((low <= true) & (true <= high)).mean())
            yield case, row
            yield "all near" if np.abs(true - prior).max() < FAR else "all far", row


def drawn(
    label: np.ndarray, among: np.ndarray, n_classes: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield samples of the images of these groups: all images, and samples with other proportions."""
    if len(among) >= FEWEST_IMAGES:
        yield "natural", among
    of_class = [among[label[among] == k] for k in range(n_classes)]
    cases = {f"{share:g}": np.array([1 - share, share]) for share in SHARES} if n_classes == 2 else {}
    for case, shares in (cases or {"random": rng.dirichlet(np.full(n_classes, 0.5))}).items():
        wanted = shares * min(MOST_IMAGES, len(among))
        if n_classes == 2:
            wanted *= min(1.0, *(len(images) / n for images, n in zip(of_class, wanted, strict=True)))
        n_each = [min(round(n), len(images)) for n, images in zip(wanted, of_class, strict=True)]
        if sum(n_each) >= FEWEST_IMAGES:
            yield (
                case,
                np.concatenate([rng.choice(of, n, replace=False) for of, n in zip(of_class, n_each, strict=True)]),
            )


if __name__ == "__main__":
    main()
