"""How much do the protocols of five publications add to the results on the same real images?

    python benchmarks/published_protocols.py PRESET STUDY

The study is that of `coverslip study preset PRESET … --as-published --small`, with the images, networks and epochs
below: enough for the networks to learn, on one core in some minutes. An interrupted study is resumed. The script prints
the difference between the published protocol and that of coverslip, for each network.
"""

import argparse
import csv
import os
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _records import Record

from coverslip import studies
from coverslip.evaluation import METRICS
from coverslip.studies import StudyPlan
from coverslip.studies.plan import merged_changes

RECORD = Record("Studies: what the published protocols add", ["src/coverslip/studies"])
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).absolute()
GROUPS = {
    "nuclei_mitocheck": "movie",
    "micronuclei": "image",
    "pap_herlev": "image",
    "chromosomes_gband": "case",
    "chromosomes_qband": "cell",
}
Changes = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What differs from the plan of the preset at the small size."""

    images: Mapping[str, int | Mapping[str, int]]  # of each class of each dataset, or of these classes
    models: tuple[str, ...]  # names of networks of the preset
    recipe: Changes
    folds: int = 2
    repeats: int = 1
    of_publication: Changes = field(default_factory=dict)  # in the published protocol alone


_FROZEN = {"freeze_to": "backbone", "learning_rate": 5e-3}  # a few times faster
SETTINGS = {
    "aimic": Setting(
        images={"nuclei_mitocheck": 30},
        models=("efficientnet_lite0",),
        recipe={"image_size": 64, "epochs": 10, **_FROZEN},
        folds=3,
    ),
    "mobilevit-mn": Setting(
        images={"micronuclei": {"micronucleated": 100, "no_micronucleus": 500}},
        models=("mobilenet_v2",),
        recipe={"image_size": 64, "epochs": 8, "batch_size": 16, **_FROZEN},
    ),
    "mobincep": Setting(
        images={"pap_herlev": 100},
        models=("efficientnet_lite0",),
        recipe={"image_size": 64, "epochs": 8, "batch_size": 16, **_FROZEN},
        folds=0,
        repeats=2,
    ),
    "efficientnetv2-cell": Setting(
        images={"pap_herlev": 30},
        models=("nothing frozen",),
        recipe={"image_size": 64, "epochs": 6, "learning_rate": 5e-4},
        of_publication={"split": {"copies": 2}},
    ),
    "two-step": Setting(
        images={"chromosomes_qband": 12, "chromosomes_gband": 12},
        models=("mobilenet_v2",),
        recipe={"image_size": 48, "epochs": 6, "learning_rate": 1e-3},
        folds=0,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=SETTINGS)
    parser.add_argument("study", type=Path, help="folder of the study")
    RECORD.add_option(parser)
    options = parser.parse_args()
    if (options.study / "study.yaml").is_file():
        comparison = studies.resume_study(options.study)
    else:
        comparison = studies.run_study(_plan(options.preset, options.study), out=options.study)
    print("| dataset | network | metric | published protocol | this study | difference (95% CI) |")
    print("|---|---|---|---|---|---|")
    for gap in comparison.gaps:
        added = gap.difference
        ends = "" if added.low is None else f" ({added.low:+.3f} to {added.high:+.3f})"
        values = f"{gap.as_published:.3f} | {gap.own:.3f} | {added.value:+.3f}{ends}"
        print(f"| {gap.dataset} | {gap.name} | {METRICS[comparison.metric].title} | {values} |")
        claim = f"{METRICS[comparison.metric].title} by the published protocol minus that of coverslip"
        ends = None if added.low is None else (round(added.low, 3), round(added.high, 3))
        RECORD.add(claim, round(added.value, 3), of=f"{gap.dataset}, {gap.name}", interval=ends)
    RECORD.write(part=options.preset)


def _plan(preset: str, study: Path) -> StudyPlan:
    setting = SETTINGS[preset]
    tables = study.with_name(f"{study.name}-images")
    data = [_table(name, n, tables) for name, n in setting.images.items()]
    groups = [GROUPS[name] for name in setting.images]
    plan = studies.preset_plan(preset, data, group=groups, is_small=True, as_published=True).model_dump()
    return StudyPlan.model_validate(
        {
            **plan,
            "datasets": [_changed(each, setting) for each in plan["datasets"] if "degrade" not in each["recipe"]],
            "models": [model for model in plan["models"] if model["name"] in setting.models],
            "regimes": [regime for regime in plan["regimes"] if regime["name"] != "scratch"],
            "baseline": None if plan["baseline"] not in (*setting.models, "imagenet") else plan["baseline"],
            "train_per_class": [None],
            "notes": [_note(setting, plan["recipe"])],
            "folds": setting.folds,
            "repeats": setting.repeats,
            "recipe": merged_changes(plan["recipe"], setting.recipe),
        }
    )


def _note(setting: Setting, recipe: Changes) -> str:
    values = {**recipe, **setting.recipe}
    images = " and ".join(
        f"at most {n} images of each class of {name}" if isinstance(n, int) else f"{sum(n.values())} images of {name}"
        for name, n in setting.images.items()
    )
    size = f"{values['image_size']} pixels, {values['epochs']} epochs, a learning rate of {values['learning_rate']:g}"
    size += ", a frozen backbone" if "freeze_to" in values else ""
    return f"Small size: {images}, {size}. The results say nothing about the publication."


def _changed(dataset: Changes, setting: Setting) -> Changes:
    """Return the dataset with the changes of its protocol; pretraining uses all images of the other dataset."""
    recipe = merged_changes(dataset["recipe"], setting.of_publication if dataset["as_published_of"] else {})
    if first := recipe.get("init", {}).get("recipe"):
        recipe = {**recipe, "init": {**recipe["init"], "recipe": {**first, "split": {"train_per_class": None}}}}
    return {**dataset, "recipe": recipe}


def _table(name: str, n: int | Mapping[str, int], folder: Path) -> Path:
    """Write a table with this number of images of each class, or as many as there are."""
    source = DATA / name / "images.csv"
    with source.open(newline="", encoding="utf-8") as file:
        rows = [{**row, "path": str(source.parent / row["path"])} for row in csv.DictReader(file)]
    by_class: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_class[row["label"]].append(row)
    generator = random.Random(0)
    drawn = [
        row
        for label, of_class in by_class.items()
        for row in generator.sample(of_class, min(n if isinstance(n, int) else n[label], len(of_class)))
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
