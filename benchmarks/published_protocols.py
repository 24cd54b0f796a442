"""What do the protocols of five publications add to the results on real images, apart from what their recipes add?

    python benchmarks/published_protocols.py PRESET STUDY

The study is that of `coverslip study preset PRESET … --small --arms A,B,C,shortcuts`, with the images, networks and
epochs below: as many as a busy core trains in 20 to 60 minutes. An interrupted study is resumed. The script states
first which difference the images could show, and prints the differences between the arms.
"""

import argparse
import csv
import math
import os
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _records import Record

from coverslip.datasets.index.opening import open_dataset
from coverslip.evaluation.table import METRICS
from coverslip.studies.plan import StudyPlan, load_plan, merged_changes
from coverslip.studies.presets import preset_plan
from coverslip.studies.study import resume_study, run_study

RECORD = Record("Studies: what the published protocols and recipes add", ["src/coverslip/studies"])
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).absolute()
GROUPS = {
    "nuclei_mitocheck": "movie",
    "micronuclei": "image",
    "pap_herlev": "image",
    "chromosomes_gband": "case",
    "chromosomes_qband": "cell",
}
ARMS = ("A", "B", "C", "shortcuts")
Changes = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What differs from the plan of the preset at the small size."""

    images: Mapping[str, int | None]  # at most so many of each class of each dataset; None: all
    models: tuple[str, ...]  # names of networks of the preset
    published: Changes  # in arms with the recipe of the publication
    image_size: int = 64  # about that of the images
    datasets: tuple[str, ...] | None = None  # names in the plan; None: all
    folds: int = 3
    least: int = 0  # images of a class: smaller classes are left out


SETTINGS = {
    "aimic": Setting(
        images={"nuclei_mitocheck": None},
        models=("mobilenet_v2",),
        published={"epochs": 24, "batch_size": 32, "learning_rate": 3e-4},
    ),
    "mobilevit-mn": Setting(  # from random weights, on all micronuclei arm A has a validation accuracy of .55
        images={"nuclei_mitocheck": None},
        least=300,  # with undersampling, a small class that is in few movies leaves almost no training images
        models=("trans_DSC_SE_NAM",),
        published={"epochs": 24, "batch_size": 16, "rare_class_repeats": 2},
        folds=2,
    ),
    "mobincep": Setting(
        images={"pap_herlev": None, "nuclei_mitocheck": 60},
        models=("Mobincep",),
        published={"epochs": 24, "batch_size": 4},
        datasets=("all as one 60 20 20",),
        folds=0,
    ),
    "efficientnetv2-cell": Setting(
        images={"pap_herlev": None},
        models=("first blocks frozen",),
        published={"epochs": 10, "batch_size": 16, "learning_rate": 3e-4},
        image_size=96,
    ),
    "two-step": Setting(
        images={"chromosomes_qband": 40, "chromosomes_gband": None},
        models=("mobilenet_v2",),
        published={"epochs": 20, "batch_size": 32, "learning_rate": 1e-3},
        datasets=("chromosomes_qband",),
    ),
}
OF_COVERSLIP = {"epochs": "auto", "batch_size": 16}  # in arm C: not those of the small size
_DISCORDANT = 0.2  # assumed share of images that the two arms predict differently


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=SETTINGS)
    parser.add_argument("study", type=Path, help="folder of the study")
    RECORD.add_option(parser)
    options = parser.parse_args()
    plan = None if (options.study / "study.yaml").is_file() else _plan(options.preset, options.study)
    n_tested = _n_tested(plan or load_plan(options.study / "study.yaml"))
    detectable = 2.8 * math.sqrt(_DISCORDANT / n_tested)  # power .8 at a level of 5%
    print(f"{n_tested} test images: could show a difference in accuracy of {detectable:.3f}, if 20% are discordant")
    if plan is None:
        comparison = resume_study(options.study)
    else:
        comparison = run_study(plan, out=options.study)
    metric = METRICS[comparison.metric].title
    print(f"| dataset | network | arms | {metric} | of the other arm | difference (95% CI) |")
    print("|---|---|---|---|---|---|")
    for row in comparison.arm_differences:
        added, arms = row.difference, f"{row.arm} − {row.reference}"
        if added.value is None:
            continue
        ends = None if added.low is None or added.high is None else (round(added.low, 3), round(added.high, 3))
        interval = "" if ends is None else f" ({ends[0]:+.3f} to {ends[1]:+.3f})"
        values = f"{row.value:.3f} | {row.reference_value:.3f} | {added.value:+.3f}{interval}"
        print(f"| {row.dataset} | {row.name} | {arms} | {values} |")
        RECORD.add(f"{metric}, {arms}", round(added.value, 3), of=f"{row.dataset}, {row.name}", interval=ends)
    RECORD.write(part=options.preset)


def _n_tested(plan: StudyPlan) -> int:
    """Return the images of the smallest dataset that are tested: all in folds, else a fifth."""
    sizes = [sum(len(open_dataset(source)) for source in dataset.sources) for dataset in plan.datasets]
    return min(sizes) if plan.folds else min(sizes) // 5


def _plan(preset: str, study: Path) -> StudyPlan:
    setting = SETTINGS[preset]
    tables = study.with_name(f"{study.name}-images")
    data = [_table(name, n, setting.least, tables) for name, n in setting.images.items()]
    groups = [GROUPS[name] for name in setting.images]
    plan = preset_plan(preset, data, group=groups, arms=ARMS, is_small=True).model_dump()
    return StudyPlan.model_validate(
        {
            **plan,
            "datasets": [
                _with_all_pretraining(each)
                for each in plan["datasets"]
                if setting.datasets is None or each["name"] in setting.datasets
            ],
            "models": [model for model in plan["models"] if model["name"] in setting.models],
            "regimes": [regime for regime in plan["regimes"] if regime["name"] != "scratch"],
            "baseline": "imagenet" if preset == "two-step" else None,
            "train_per_class": [None],
            "arms": [_of_size(arm, setting) for arm in plan["arms"]],
            "notes": [*plan["notes"][1:], _note(setting)],
            "folds": setting.folds,
            "repeats": 1,
            "threads": 1,
        }
    )


def _of_size(arm: Changes, setting: Setting) -> Changes:
    changes = OF_COVERSLIP if arm["name"] == "C" else setting.published
    return {**arm, "recipe": merged_changes(arm["recipe"], {"image_size": setting.image_size, **changes})}


def _with_all_pretraining(dataset: Changes) -> Changes:
    """Return the dataset; pretraining uses all images of the other dataset."""
    if (init := dataset["recipe"].get("init")) is None:
        return dataset
    first = {**init["recipe"], "split": {"train_per_class": None}}
    return {**dataset, "recipe": {**dataset["recipe"], "init": {**init, "recipe": first}}}


def _note(setting: Setting) -> str:
    images = " and ".join(
        f"all images of {name}" if n is None else f"at most {n} images of each class of {name}"
        for name, n in setting.images.items()
    )
    changes = ", ".join(f"{key} = {value:g}" for key, value in setting.published.items())
    return f"{setting.image_size} pixels; {images}; with the published recipe, {changes}."


def _table(name: str, n: int | None, least: int, folder: Path) -> Path:
    """Write a table with n images of each class that has `least` images, or as many as there are."""
    source = DATA / name / "images.csv"
    with source.open(newline="", encoding="utf-8") as file:
        rows = [{**row, "path": str(source.parent / row["path"])} for row in csv.DictReader(file)]
    by_class: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_class[row["label"]].append(row)
    generator = random.Random(0)
    drawn = [
        row
        for of_class in by_class.values()
        if len(of_class) >= least
        for row in generator.sample(of_class, len(of_class) if n is None else min(n, len(of_class)))
    ]
    table = folder / name / "images.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(drawn[0]))
        writer.writeheader()
        writer.writerows(drawn)
    return table.absolute()


if __name__ == "__main__":
    main()
