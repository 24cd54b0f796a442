"""Does a distance between datasets predict the benefit of pretraining on one of them?

    python benchmarks/two_step_sources.py STUDY [--images 400] [--size 48] [--repeats 2] [--epochs 3]

Each of six real datasets is the target of pretraining on each of the five others, with MobileNetV2. The gain is the
difference in macro-F1 from ImageNet weights alone, on the same splits. The plan is that of the preset `two-step` with
six datasets. An interrupted study is resumed.
"""

import argparse
import csv
import os
import random
from collections import defaultdict
from pathlib import Path

from coverslip import studies
from coverslip.studies import StudyPlan

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).absolute()
SETS = {  # the column with the groups of each dataset
    "blood_pbc": None,
    "blood_malaria": "patient",
    "pap_herlev": "image",
    "nuclei_mitocheck": "movie",
    "micronuclei": "image",
    "chromosomes_gband": "case",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of the study")
    parser.add_argument("--images", type=int, default=400, help="images of each dataset")
    parser.add_argument("--size", type=int, default=48, help="side in pixels")
    parser.add_argument("--repeats", type=int, default=2, help="number of splits")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    if (options.study / "study.yaml").is_file():
        studies.resume_study(options.study)
    else:
        studies.run_study(_plan(options), out=options.study)
    comparison = studies.study_comparison(options.study, distances=True)
    print("| target | pretraining | gain in macro-F1 | MMD² | CORAL | LogME |\n|---|---|---|---|---|---|")
    for row in comparison.transfers:
        print(
            f"| {row.dataset} | {row.regime} | {row.gain.mean:+.3f} | {row.distance.mmd2.value:.4f} "
            f"| {row.distance.coral.value:.2g} | {row.distance.logme:.3f} |"
        )
    print("\n| measure | pairs | rank correlation with the gain (95% CI) | mean within targets (95% CI) |")
    print("|---|---|---|---|")
    for each in comparison.correlations:
        cells = (f"{m.value:+.2f} ({m.low:+.2f} to {m.high:+.2f})" for m in (each.of_pairs, each.within_targets))
        print(f"| {each.measure} | {each.n_pairs} | {' | '.join(cells)} |")


def _plan(options: argparse.Namespace) -> StudyPlan:
    tables = [_table(name, options) for name in SETS]
    datasets = [
        {"path": [str(table)], "name": name, "group": group}
        for table, (name, group) in zip(tables, SETS.items(), strict=True)
    ]
    plan = studies.preset_plan("two-step", datasets)
    longer = {"epochs": 2 * options.epochs}
    sources = [each.model_copy(update={"recipe": {**each.recipe, **longer}}) for each in plan.regimes if each.two_step]
    return StudyPlan.model_validate(
        {
            **plan.model_dump(),
            "models": ["mobilenet_v2"],
            "regimes": ["imagenet", *(each.model_dump() for each in sources)],
            "folds": 0,
            "repeats": options.repeats,
            "threads": 1,
            "recipe": {
                **plan.recipe,
                "image_size": options.size,
                "epochs": options.epochs,
                "batch_size": 16,
                "learning_rate": 5e-4,
                "split": {"val": 0.2, "test": 0.4},
            },
        }
    )


def _table(name: str, options: argparse.Namespace) -> Path:
    """Write a table with an equal number of images of each class."""
    source = DATA / name / "images.csv"
    if source.is_file():
        with source.open(newline="", encoding="utf-8") as file:
            rows = [{**row, "path": str(source.parent / row["path"])} for row in csv.DictReader(file)]
    else:
        rows = [{"path": str(file), "label": file.parent.name} for file in sorted(source.parent.glob("*/*.jpg"))]
    by_class: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_class[row["label"]].append(row)
    each = options.images // len(by_class)
    generator = random.Random(0)
    sampled_rows = [
        row for of_class in by_class.values() for row in generator.sample(of_class, min(each, len(of_class)))
    ]
    table = options.study.with_name(f"{options.study.name}-tables") / name / "images.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(sampled_rows[0]))
        writer.writeheader()
        writer.writerows(sampled_rows)
    return table.absolute()


if __name__ == "__main__":
    main()
