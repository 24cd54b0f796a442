"""What the five papers claim, tried on real image sets: networks or regimes side by side, one recipe, the same splits.

Each experiment trains its variants on the same images with the same splits (one per seed) and prints what they reach on
the images kept aside, and how each differs from the first: the mean over splits with the corrected interval of Nadeau
and Bengio (2003), which allows for training images that the splits share. Images: COVERSLIP_DATA, default
../shared/data.

    python benchmarks/papers.py [--only NAME…] [--seeds N] [--set key=value…]
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _children import Done, number_cells, succeeded

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).absolute()

Choices = Mapping[str, Any]  # Any: as in a recipe


@dataclass(frozen=True)
class Experiment:
    """Variants of one recipe on one set of images."""

    sources: tuple[str, ...]
    common: Choices
    variants: Mapping[str, Choices]


HERLEV_IN_TWO = {
    "merge": {
        "normal": ["normal_columnar", "normal_intermediate", "normal_superficiel"],
        "abnormal": ["carcinoma_in_situ", "light_dysplastic", "moderate_dysplastic", "severe_dysplastic"],
    }
}
ONE_SPLIT = {"folds": 0}
FROM_SCRATCH = {"init": "scratch", "head": "native", "views": 1, "split": ONE_SPLIT, "patience": None}
MOBILEVITS = {
    "mobilevit_xxs": {"model": "mobilevit_xxs"},
    "mobilevit_mn, as its text says": {"model": "mobilevit_mn"},
    "mobilevit_mn, as its counts say": {
        "model": "mobilevit_mn",
        "model_options": {"dsc": False, "mv2_attention": "se", "mobilevit_attention": "nam", "placement": "counts"},
    },
}
MOBINCEPS = {
    "cross-entropy": {},
    "with K-means groups, sums (published)": {"regulariser": {"groups": "kmeans", "scatter": "sum"}},
    "with classes as groups, means, memory of 128": {"regulariser": {"groups": "labels", "memory": 128}},
}
MOBINCEP = {**FROM_SCRATCH, "model": "mobincep", "optimizer": "amsgrad", "schedule": "constant", "warmup": 0.0}
# Names of Q-band classes by those of the G-band set.
CHROMOSOMES = {f"{i:02d}": str(i) for i in range(1, 25)}
TUNED = {"views": 1, "image_size": 64, "split": ONE_SPLIT, "resize": "canvas"}


def two_step(first: str, group: str, labels: Choices, epochs: int) -> Choices:
    return {"init": {"train_on": str(DATA / first), "labels": labels, "recipe": {"group": group, "epochs": epochs}}}


EXPERIMENTS = {
    "mobilevit_mn on micronuclei": Experiment(
        ("micronuclei/images.csv",),
        {**FROM_SCRATCH, "group": "image", "image_size": 64, "epochs": 15, "balance": "oversample"},
        MOBILEVITS,
    ),
    "mobilevit_mn on nuclei_mitocheck": Experiment(
        ("nuclei_mitocheck/images.csv",),
        {**FROM_SCRATCH, "group": "movie", "image_size": 64, "epochs": 15},
        MOBILEVITS,
    ),
    "mobincep on pap_herlev, 2 classes": Experiment(
        ("pap_herlev/images.csv",),
        {**MOBINCEP, "group": "image", "classes": HERLEV_IN_TWO, "image_size": 96, "epochs": 15, "learning_rate": 5e-4},
        MOBINCEPS,
    ),
    "mobincep on pap_herlev, 7 classes": Experiment(
        ("pap_herlev/images.csv",),
        {**MOBINCEP, "group": "image", "image_size": 96, "epochs": 15, "learning_rate": 5e-4},
        MOBINCEPS,
    ),
    "freezing, on pap_herlev": Experiment(
        ("pap_herlev/images.csv",),
        {"group": "image", "image_size": 128, "epochs": 8, "views": 1, "split": ONE_SPLIT},
        {
            "all of the network": {},
            "frozen to blocks.3": {"freeze_to": "blocks.3"},
            "frozen to blocks.5": {"freeze_to": "blocks.5"},
            "head only": {"stage": "instant"},
        },
    ),
    "two steps to chromosomes_gband": Experiment(
        ("chromosomes_gband/images.csv",),
        {**TUNED, "group": "case", "epochs": 8},
        {
            "ImageNet": {},
            "ImageNet, then chromosomes_qband": two_step("chromosomes_qband/images.csv", "cell", CHROMOSOMES, 8),
        },
    ),
    "two steps to chromosomes_qband": Experiment(
        ("chromosomes_qband/images.csv",),
        {**TUNED, "group": "cell", "epochs": 6},
        {
            "ImageNet": {},
            "ImageNet, then chromosomes_gband": two_step(
                "chromosomes_gband/images.csv", "case", {new: old for old, new in CHROMOSOMES.items()}, 8
            ),
        },
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(EXPERIMENTS), help=f"some of: {'; '.join(EXPERIMENTS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings of training")
    asked = parser.parse_args()
    for name in asked.only:
        print(f"\n{name}\n")
        print("| variant | seed | test images (groups) | accuracy | macro-F1 (95 %) | wall s | peak MiB |")
        print("|---|---|---|---|---|---|---|", flush=True)
        show_differences(one_experiment(EXPERIMENTS[name], asked.seeds, asked.set))


def one_experiment(experiment: Experiment, n_seeds: int, settings: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """`metrics.json` of every training, by variant; prints a row for each."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in experiment.variants}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(n_seeds):
            for i, (name, choices) in enumerate(experiment.variants.items()):
                run = Path(scratch) / f"run{seed}-{i}"
                recipe = {**experiment.common, **choices, "seed": seed}
                done = train(experiment.sources, recipe, settings, run, Path(scratch) / "cache")
                metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
                found[name].append({**metrics, "n_train": n_trained(run)})
                cost = f"{done.wall_s:.0f} | {done.peak_mib:.0f}"
                print(f"| {name} | {seed} | {number_cells(metrics)} | {cost} |", flush=True)
    return found


def train(sources: Sequence[str], recipe: Choices, settings: Sequence[str], run: Path, cache: Path) -> Done:
    """One `coverslip train` in a process of its own."""
    file = run.with_suffix(".yaml")
    file.write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    more = [part for setting in settings for part in ("--set", setting)]
    images = [str(DATA / source) for source in sources]
    return succeeded("train", *images, "--recipe", str(file), *more, "--out", str(run), cache=cache)


def n_trained(run: Path) -> int:
    card = json.loads((run / "classifier" / "classifier.json").read_text(encoding="utf-8"))
    return int(card["trained_on"]["n_images"])


def show_differences(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Means over splits, and each variant against the first."""
    first = next(iter(found))
    for metric in ("accuracy", "macro_f1"):
        of = {name: [one["metrics"][metric]["value"] for one in each] for name, each in found.items()}
        for name, values in of.items():
            line = f"{metric}: {name}: mean {statistics.mean(values):.4f}"
            if name != first and len(values) > 1:
                differences = [value - base for value, base in zip(values, of[first], strict=True)]
                half = half_width(differences, found[name])
                line += f"; against '{first}' {statistics.mean(differences):+.4f} +- {half:.4f}"
            print(line, flush=True)


def half_width(differences: Sequence[float], runs: Sequence[Mapping[str, Any]]) -> float:
    """Of the 95 % interval of a mean difference over random splits (Nadeau and Bengio 2003, corrected t interval)."""
    from scipy.stats import t

    n = len(differences)
    ratio = statistics.mean(run["n"] / run["n_train"] for run in runs)  # test images by training images
    return float(t.ppf(0.975, n - 1)) * statistics.stdev(differences) * (1 / n + ratio) ** 0.5


if __name__ == "__main__":
    main()
