"""Claims of the five papers, tested on real datasets: networks or initializations with one recipe on the same splits.

Each experiment trains its variants on the same images with the same splits (one per seed). It prints their test metrics
and the difference of each variant from the first: the mean over splits with the corrected interval of Nadeau and Bengio
(2003), which accounts for shared training images. Images: COVERSLIP_DATA, default ../shared/data.

The last experiment compares one network for several datasets with a separate network for each, on the same splits.

    python benchmarks/papers.py [--only NAME…] [--seeds N] [--set key=value…]
"""

import argparse
import csv
import hashlib
import json
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _children import number_cells, succeeded
from _records import Record

RECORD = Record(
    "Claims of publications on real datasets", [f"src/coverslip/{name}" for name in ("training", "models", "losses")]
)
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).absolute()

Choices = Mapping[str, Any]  # Any: as in a recipe


@dataclass(frozen=True)
class Experiment:
    """Variants of one recipe on one dataset."""

    sources: tuple[str, ...]
    common: Choices
    variants: Mapping[str, Choices]


@dataclass(frozen=True)
class Joining:
    """Several datasets with the same classes: each separately, and all in one training."""

    sets: Mapping[str, tuple[str, str, Choices]]  # name: table, group, mapping of class names
    common: Choices
    joint: Choices  # recipe of the training on all datasets


HERLEV_IN_TWO = {
    "merge": {
        "normal": ["normal_columnar", "normal_intermediate", "normal_superficiel"],
        "abnormal": ["carcinoma_in_situ", "light_dysplastic", "moderate_dysplastic", "severe_dysplastic"],
    }
}
ONE_SPLIT = {"folds": 0}
FROM_SCRATCH = {"init": "scratch", "head": "native", "tta": 1, "split": ONE_SPLIT, "patience": None}
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
    "with K-means groups, sums (published)": {"regularizer": {"groups": "kmeans", "scatter": "sum"}},
    "with classes as groups, means, memory of 128": {"regularizer": {"groups": "labels", "memory": 128}},
}
MOBINCEP = {
    **FROM_SCRATCH,
    "model": "mobincep",
    "image_size": 64,
    "batch_size": 16,
    "epochs": 15,
    "optimizer": "amsgrad",
    "learning_rate": 5e-4,
    "schedule": "constant",
    "warmup": 0.0,
}
# Class names of the Q-band dataset by those of the G-band dataset.
CHROMOSOMES = {f"{i:02d}": str(i) for i in range(1, 25)}
# Forty training images of each class: few enough to show an effect of the initialization. Chromosomes are upright with
# the short arm up, which vertical flips and rotation would change.
UPRIGHT = {"flip": False, "rotate_degrees": 10}
FEW = {
    "tta": 1,
    "image_size": 64,
    "split": {**ONE_SPLIT, "train_per_class": 40},
    "resize": "canvas",
    "epochs": 16,
    "augment": UPRIGHT,
    "learning_rate": 5e-4,
}


def two_step(first: str, group: str, labels: Choices) -> Choices:
    recipe = {"group": group, "epochs": 12, "split": {**ONE_SPLIT, "train_per_class": None}}  # all images
    return {"init": {"train_on": str(DATA / first), "labels": labels, "recipe": recipe}}


EXPERIMENTS: dict[str, Experiment | Joining] = {
    "mobilevit_mn on micronuclei": Experiment(
        ("micronuclei/images.csv",),
        # The brightness of these crops differs twenty-fold between experiments.
        {**FROM_SCRATCH, "group": "image", "image_size": 64, "epochs": 15, "scaling": "per-image"},
        MOBILEVITS,
    ),
    "mobilevit_mn on micronuclei, by way of nuclei_mitocheck": Experiment(
        ("micronuclei/images.csv",),
        {
            **FROM_SCRATCH,
            "init": {
                "train_on": str(DATA / "nuclei_mitocheck/images.csv"),
                "recipe": {"group": "movie", "epochs": 15, "init": "scratch"},
            },
            "group": "image",
            "image_size": 64,
            "epochs": 20,
            "learning_rate": 2e-3,
            "scaling": "per-image",
        },
        MOBILEVITS,
    ),
    "mobilevit_mn on nuclei_mitocheck": Experiment(
        ("nuclei_mitocheck/images.csv",),
        {**FROM_SCRATCH, "group": "movie", "image_size": 64, "epochs": 15, "learning_rate": 2e-3},
        MOBILEVITS,
    ),
    "mobincep on pap_herlev, 2 classes": Experiment(
        ("pap_herlev/images.csv",),
        {**MOBINCEP, "group": "image", "classes": HERLEV_IN_TWO},
        MOBINCEPS,
    ),
    "mobincep on pap_herlev, 7 classes": Experiment(
        ("pap_herlev/images.csv",),
        {**MOBINCEP, "group": "image"},
        MOBINCEPS,
    ),
    "freezing, on pap_herlev": Experiment(
        ("pap_herlev/images.csv",),
        {"group": "image", "image_size": 96, "epochs": 8, "tta": 1, "split": ONE_SPLIT},
        {
            "all of the network": {},
            "frozen to blocks.3": {"freeze_to": "blocks.3"},
            "frozen to blocks.5": {"freeze_to": "blocks.5"},
            "head only": {"stage": "instant"},
        },
    ),
    "two steps to chromosomes_gband": Experiment(
        ("chromosomes_gband/images.csv",),
        {**FEW, "group": "case"},
        {
            "ImageNet": {},
            "ImageNet, then chromosomes_qband": two_step("chromosomes_qband/images.csv", "cell", CHROMOSOMES),
        },
    ),
    "two steps to chromosomes_qband": Experiment(
        ("chromosomes_qband/images.csv",),
        {**FEW, "group": "cell"},
        {
            "ImageNet": {},
            "ImageNet, then chromosomes_gband": two_step(
                "chromosomes_gband/images.csv", "case", {new: old for old, new in CHROMOSOMES.items()}
            ),
        },
    ),
    "both chromosome sets in one": Joining(
        {
            "chromosomes_gband": ("chromosomes_gband/images.csv", "case", {}),
            "chromosomes_qband": ("chromosomes_qband/images.csv", "cell", CHROMOSOMES),
        },
        FEW,
        {"sampling": "domains", "split": ONE_SPLIT},  # the images are those of the single trainings
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(EXPERIMENTS), help=f"some of: {'; '.join(EXPERIMENTS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings of training")
    RECORD.add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        show(options.only, options.seeds, Trainings(Path(scratch), options.set))
    RECORD.write()


def show(names: Sequence[str], n_seeds: int, trainings: "Trainings") -> None:
    """Run the experiments in sequence and print their tables."""
    for name in names:
        print(f"\n{name}\n")
        print("| variant | seed | test images (groups) | accuracy | macro-F1 (95% CI) | s | peak memory (MiB) |")
        print("|---|---|---|---|---|---|---|", flush=True)
        experiment = EXPERIMENTS[name]
        if isinstance(experiment, Experiment):
            show_differences(name, one_experiment(experiment, n_seeds, trainings))
            continue
        for rows in joined_experiment(experiment, n_seeds, trainings):
            show_differences(name, rows)


class Trainings:
    """Trainings in one temporary folder; equal trainings run once."""

    def __init__(self, scratch: Path, settings: Sequence[str]) -> None:
        self.scratch, self._settings = scratch, settings
        self._costs: dict[Path, str] = {}

    def trained(self, sources: Sequence[str], recipe: Choices) -> tuple[Path, str]:
        """Return the run folder, and time and peak memory as table cells."""
        text = json.dumps([sources, recipe], sort_keys=True)
        run = self.scratch / hashlib.sha256(text.encode()).hexdigest()[:12]
        if run not in self._costs:
            file = run.with_suffix(".yaml")
            file.write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
            more = [part for setting in self._settings for part in ("--set", setting)]
            images = [str(DATA / source) for source in sources]
            cache = self.scratch / "cache"
            done = succeeded("train", *images, "--recipe", str(file), *more, "--out", str(run), cache=cache)
            self._costs[run] = f"{done.wall_s:.0f} | {done.peak_mib:.0f}"
        return run, self._costs[run]


def one_experiment(experiment: Experiment, n_seeds: int, trainings: Trainings) -> dict[str, list[dict[str, Any]]]:
    """Train all variants and print a row for each; return their `metrics.json`."""
    metrics_of: dict[str, list[dict[str, Any]]] = {name: [] for name in experiment.variants}
    for seed in range(n_seeds):
        for name, choices in experiment.variants.items():
            run, cost = trainings.trained(experiment.sources, {**experiment.common, **choices, "seed": seed})
            metrics_of[name].append({**numbers_of(run), "n_train": n_trained(run)})
            print(f"| {name}{which_kept(run)} | {seed} | {number_cells(metrics_of[name][-1])} | {cost} |", flush=True)
    return metrics_of


def joined_experiment(
    experiment: Joining, n_seeds: int, trainings: Trainings
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Print rows for each dataset with its own network and with the network for all; return both metrics."""
    alone: dict[str, list[dict[str, Any]]] = {name: [] for name in experiment.sets}
    joined: dict[str, list[dict[str, Any]]] = {name: [] for name in experiment.sets}
    for seed in range(n_seeds):
        rows: list[dict[str, str]] = []
        for name, (source, group, labels) in experiment.sets.items():
            run, cost = trainings.trained((source,), {**experiment.common, "group": group, "seed": seed})
            alone[name].append({**numbers_of(run), "n_train": n_trained(run)})
            print(
                f"| {name} separately{which_kept(run)} | {seed} | {number_cells(alone[name][-1])} | {cost} |",
                flush=True,
            )
            rows += shared_rows(run, DATA / Path(source).parent, name, labels)
        table = trainings.scratch / f"all{seed}.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        run, cost = trainings.trained(
            (str(table),), {**experiment.common, **experiment.joint, "group": "group", "seed": seed}
        )
        for name, of_set in numbers_of(run)["by_domain"].items():
            joined[name].append({**of_set, "n_train": alone[name][-1]["n_train"]})
            print(f"| {name}, one for all{which_kept(run)} | {seed} | {number_cells(of_set)} | {cost} |", flush=True)
    for name in experiment.sets:
        yield {f"{name} separately": alone[name], f"{name}, one for all": joined[name]}


def shared_rows(run: Path, root: Path, domain: str, labels: Choices) -> list[dict[str, str]]:
    """Return the images of a single training with their split, as rows of the table for all datasets."""
    with (run / "split.csv").open(newline="", encoding="utf-8") as file:
        return [
            {
                "path": str(root / row["path"]),
                "label": labels.get(row["label"], row["label"]),
                "group": f"{domain} {row['group']}",
                "domain": domain,
                "split": row["split"],
            }
            for row in csv.DictReader(file)
            if row["split"] != "excluded"
        ]


def numbers_of(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return content


def which_kept(run: Path) -> str:
    """Return a mark if fine-tuning was not better than the head on frozen features, here or in pretraining."""
    selected_stages = []
    for name, folder in (("pretraining", run / "pretraining"), ("", run)):
        file = folder / "training.json"
        story = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if story.get("chosen") == "instant" and len(story["stages"]) > 1:
            selected_stages.append(f"{name} head only".strip())
    return f" ({', '.join(selected_stages)})" if selected_stages else ""


def n_trained(run: Path) -> int:
    card = json.loads((run / "classifier" / "classifier.json").read_text(encoding="utf-8"))
    return int(card["trained_on"]["n_images"])


def show_differences(experiment: str, metrics_of: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Print means over splits, and the difference of each variant from the first."""
    first = next(iter(metrics_of))
    for metric in ("accuracy", "macro_f1"):
        of = {name: [metrics["metrics"][metric]["value"] for metrics in each] for name, each in metrics_of.items()}
        for name, values in of.items():
            line = f"{metric}: {name}: mean {statistics.mean(values):.4f}"
            if name != first and len(values) > 1:
                differences = [value - base for value, base in zip(values, of[first], strict=True)]
                half = half_width(differences, metrics_of[name])
                if metric == "macro_f1":
                    variants, n = f"{experiment}: '{name}' against '{first}'", f"{len(values)} splits"
                    value = round(statistics.mean(differences), 4)
                    RECORD.add("Difference in macro-F1 (half of its CI)", value, of=variants, n=n, note=f"± {half:.3f}")
                line += f"; against '{first}' {statistics.mean(differences):+.4f} +- {half:.4f}"
            print(line, flush=True)


def half_width(differences: Sequence[float], runs: Sequence[Mapping[str, Any]]) -> float:
    """Return half of the 95% interval of a mean difference over splits (Nadeau and Bengio 2003, corrected t)."""
    from scipy.stats import t

    n = len(differences)
    ratio = statistics.mean(run["n"] / run["n_train"] for run in runs)  # test images per training image
    return float(t.ppf(0.975, n - 1)) * statistics.stdev(differences) * (1 / n + ratio) ** 0.5


if __name__ == "__main__":
    main()
