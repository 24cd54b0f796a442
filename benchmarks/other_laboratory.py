"""Classifiers on images of another laboratory: macro-F1 in both laboratories by training setting, as a Markdown table.

Each row is one pair of datasets, reduced to the common classes and to a number of images, with one seed and one
training setting. Both values are of the same classifier: on its own test images, and on images of the other dataset. A
few images per class of the other dataset (and all other images of their groups) are excluded from the test set; one
setting uses them for training. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/other_laboratory.py [--pairs NAME…] [--seeds N] [--images N] [--instant]

With `--adapt`, each row is an instant classifier that is adapted to new images (`coverslip adapt`): without labels, and
with the first images that `suggest` lists. Both values of a row, and those of the classifier as it is, are of the new
images without a label. Rows are kept in the folder, so that a stopped run continues.

    python benchmarks/other_laboratory.py --adapt FOLDER [--cases NAME…]
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _children import succeeded
from _records import Record
from finetuning import rows_of, write_rows

import coverslip as cs
from coverslip.events import ignore
from coverslip.pipeline import train_without_report

RECORD = Record(
    "Another laboratory",
    [f"src/coverslip/{name}" for name in ("experiments/adapting.py", "training", "augmentation", "images")],
)
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))

# Dataset for training, other dataset, group column of the first, and image size.
PAIRS = {
    "pbc-bccd": ("blood_pbc", "blood_bccd", None, 96),
    "bccd-pbc": ("blood_bccd", "blood_pbc", None, 96),
    "qband-gband": ("chromosomes_qband/images.csv", "chromosomes_gband/images.csv", "cell", 96),
    "gband-qband": ("chromosomes_gband/images.csv", "chromosomes_qband/images.csv", "cell", 96),
}
CLAIM = "Macro-F1 in the second laboratory after training in the first (in parentheses: in the first), mean over seeds"
RECORDED = ("instant", "fine-tuned", "fine-tuned, large stain augmentation")
_FEW = 10  # images of each class from the other laboratory
WITH_A_FEW = f"instant, with {_FEW} images per class of the other laboratory"
WAYS = {
    "instant": ("stage=instant",),
    "instant, each image scaled by its own intensity range": ("stage=instant", "scaling=per-image"),
    WITH_A_FEW: ("stage=instant",),
    "fine-tuned": (),
    "fine-tuned, each image scaled by its own intensity range": ("scaling=per-image",),
    "fine-tuned, small stain augmentation": ("augment.brightness=0.05", "augment.saturation=0.1", "augment.stain=0.05"),
    "fine-tuned, large stain augmentation": ("augment=stain",),
    "fine-tuned, large stain and size augmentation": ("augment=stain", "augment.zoom=0.4"),
}

Rows = list[dict[str, str]]
_CELLS = ("lymphocyte", "neutrophil", "monocyte", "eosinophil")
_LABORATORIES = {"pbc": "blood_pbc", "cellavision": "blood_cellavision", "bccd": "blood_bccd_crops"}
_N_ADAPTED, _SEED = 300, 0  # images of a laboratory
ADAPTED = "Macro-F1, adapted with the most labels (before; without labels; with 20)"
FOREIGN = "Images of no class whose decision is a class"
COVERED = "Intervals of the labels that contain the accuracy on the other new images"
HARMED = "Adaptations with labels that lower the accuracy by more than .02"


@dataclass(frozen=True)
class Case:
    """A classifier for images at home, images of the other laboratory, and numbers of labels there."""

    home: Callable[[], Rows]
    new: Callable[[], Rows]
    side_px: int = 96
    n_labels: tuple[int, ...] = (0, 20)
    group: str | None = None
    never_labeled: str = ""  # a class


def cells_of(laboratory: str, *, is_rest: bool = False, n_of: dict[str, int] | None = None) -> Callable[[], Rows]:
    """Return white cells, of four classes 75 of each or at most as stated, or the rest of them."""

    def drawn() -> Rows:
        rows, most = labeled_alike(rows_of(DATA / laboratory)), _N_ADAPTED // len(_CELLS)
        draw, selected = random.Random(_SEED), Rows()
        for label in _CELLS:
            of_label = [row for row in rows if row["label"] == label]
            first = draw.sample(of_label, min(len(of_label), most))
            drawn_rows = [row for row in of_label if row not in first][:most] if is_rest else first
            selected += drawn_rows[: (n_of or {}).get(label, most)]
        return selected

    return drawn


def chromosomes_of(laboratory: str) -> Callable[[], Rows]:
    """Return 20 chromosomes of each class at random."""

    def drawn() -> Rows:
        rows, draw = labeled_alike(rows_of(DATA / laboratory / "images.csv")), random.Random(_SEED)
        by_label = defaultdict(list)
        for row in rows:
            by_label[row["label"]].append(row)
        return [row for label in sorted(by_label) for row in draw.sample(by_label[label], 20)]

    return drawn


def groups_of(table: str, group: str, half: int) -> Callable[[], Rows]:
    """Return images of one half of the groups."""

    def drawn() -> Rows:
        rows, draw = rows_of(DATA / table / "images.csv"), random.Random(_SEED)
        names = sorted({row[group] for row in rows})
        groups = set(draw.sample(names, len(names))[half::2])
        selected = [row for row in rows if row[group] in groups]
        return draw.sample(selected, min(_N_ADAPTED, len(selected)))

    return drawn


CASES = {
    **{
        f"{home}-{new}": Case(cells_of(_LABORATORIES[home]), cells_of(_LABORATORIES[new]), n_labels=(0, 20, 50))
        for home in _LABORATORIES
        for new in _LABORATORIES
        if home != new
    },
    "malaria-patients": Case(
        groups_of("blood_malaria", "patient", 0), groups_of("blood_malaria", "patient", 1), 64, group="patient"
    ),
    "mitocheck-plates": Case(
        groups_of("nuclei_mitocheck", "plate", 0), groups_of("nuclei_mitocheck", "plate", 1), 64, (0, 50), "plate"
    ),
    "micronuclei-experiments": Case(
        groups_of("micronuclei", "experiment", 0), groups_of("micronuclei", "experiment", 1), 64, group="experiment"
    ),
    **{
        f"{home}-{new}": Case(
            chromosomes_of(f"chromosomes_{home}"), chromosomes_of(f"chromosomes_{new}"), 64, (0, 50), "cell"
        )
        for home, new in (("qband", "gband"), ("gband", "qband"))
    },
    "same-laboratory": Case(cells_of("blood_pbc"), cells_of("blood_pbc", is_rest=True), n_labels=(0, 20, 50)),
    "many-neutrophils": Case(
        cells_of("blood_pbc"),
        cells_of("blood_bccd_crops", n_of={"lymphocyte": 6, "monocyte": 6, "eosinophil": 6}),
    ),
    "many-lymphocytes": Case(
        cells_of("blood_bccd_crops"),
        cells_of("blood_pbc", n_of={"neutrophil": 6, "monocyte": 6, "eosinophil": 6}),
    ),
    "no-label-of-monocytes": Case(
        cells_of("blood_pbc"), cells_of("blood_bccd_crops"), n_labels=(20,), never_labeled="monocyte"
    ),
    "nuclei-for-blood": Case(cells_of("blood_pbc"), groups_of("nuclei_mitocheck", "plate", 1), n_labels=(0, 20)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="*", default=list(PAIRS), help=f"some of: {', '.join(PAIRS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--instant", action="store_true", help="without fine-tuning, which takes most of the time")
    parser.add_argument("--adapt", type=Path, metavar="FOLDER", help="measure `coverslip adapt` instead")
    parser.add_argument("--cases", nargs="*", default=list(CASES), help=f"some of: {'; '.join(CASES)}")
    RECORD.add_option(parser)
    options = parser.parse_args()
    if options.adapt:
        measure_adaptations(options.adapt.absolute(), options.cases)
        return
    print(
        "| pair | seed | training | macro-F1: same laboratory | other laboratory |\n|---|---|---|---|---|", flush=True
    )
    gains: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pair in options.pairs:
        of_pair: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for seed in range(options.seeds):
            scores = one_pair(pair, seed, options.images, only_instant=options.instant)
            for way, (home, away) in scores.items():
                plain = scores["instant" if way.startswith("instant") else "fine-tuned"]
                gains[way].append((home - plain[0], away - plain[1]))
                of_pair[way].append((home, away))
        for way, scores_of_seeds in ((way, of_pair[way]) for way in RECORDED if way in of_pair):
            home, away = (statistics.mean(scores[k] for scores in scores_of_seeds) for k in (0, 1))
            n = f"{len(scores_of_seeds)} seeds"
            RECORD.add(CLAIM, round(away, 3), of=f"{pair}, {way}", n=n, note=f"{home:.3f}")
    for way, pairs in gains.items():
        home, away = (statistics.mean(pair[k] for pair in pairs) for k in (0, 1))
        print(f"| **mean gain of {len(pairs)}** | | {way} | {home:+.3f} | {away:+.3f} |")
    RECORD.write()


def one_pair(pair: str, seed: int, n: int, *, only_instant: bool) -> dict[str, tuple[float, float]]:
    """Train with each setting and print a row; return the macro-F1 in both laboratories."""
    home, away, group, side_px = PAIRS[pair]
    tables = [labeled_alike(rows_of(DATA / source)) for source in (home, away)]
    common = set.intersection(*({row["label"] for row in rows} for rows in tables))
    here, there = ([row for row in rows if row["label"] in common] for rows in tables)
    few, rest = few_and_rest(there, group, seed)
    scores = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name / "images.csv" for name in ("home", "away", "few")}
        for file in files.values():
            file.parent.mkdir()
        write_part(here, n, seed, files["home"], group)
        write_part(rest, n, seed, files["away"], group)
        write_rows(few, group, files["few"])
        for i, (way, settings) in enumerate(WAYS.items()):
            if only_instant and not way.startswith("instant"):
                continue
            run, cache = Path(folder) / str(i), Path(folder) / "cache"
            settings_of_run = [f"seed={seed}", f"image_size={side_px}", "split.folds=0", *settings]
            options = [part for setting in settings_of_run for part in ("--set", setting)]
            grouped = ["--group", group] if group else []
            sources = [files["home"], files["few"]] if way == WITH_A_FEW else [files["home"]]
            succeeded("train", *map(str, sources), *grouped, *options, "--out", str(run), cache=cache)
            done = succeeded("evaluate", str(run), str(files["away"]), "--json", cache=cache)
            metrics = json.loads((run / "metrics.json").read_text())
            home_metrics = metrics["by_domain"]["home"] if len(sources) > 1 else metrics
            scores[way] = (macro_f1(home_metrics), macro_f1(json.loads(done.stdout)))
            print(f"| {pair} | {seed} | {way} | {scores[way][0]:.3f} | {scores[way][1]:.3f} |", flush=True)
    return scores


def few_and_rest(
    rows: list[dict[str, str]], group: str | None, seed: int
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return a few images of each class, and all images that share no group with them."""
    by_group: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_group[row[group] if group else row["path"]].append(row)
    n_of: dict[str, int] = defaultdict(int)
    few, rest = [], []
    for name in random.Random(seed).sample(sorted(by_group), len(by_group)):
        wanted = [row for row in by_group[name] if n_of[row["label"]] < _FEW]
        for row in wanted:
            n_of[row["label"]] += 1
        few += wanted
        rest += [] if wanted else by_group[name]
    return few, rest


def labeled_alike(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return class names that agree between both datasets: lower case, numbers without leading zeros."""
    return [{**row, "label": row["label"].lower().lstrip("0")} for row in rows]


def write_part(rows: list[dict[str, str]], n: int, seed: int, table: Path, group: str | None) -> Path:
    """Write a table of a sample of the images with the class proportions of the dataset."""
    by_label: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_label[row["label"]].append(row)
    draw = random.Random(seed)
    most = n // len(by_label)
    selected_rows = [
        row for label in sorted(by_label) for row in draw.sample(by_label[label], min(len(by_label[label]), most))
    ]
    return write_rows(selected_rows, group, table)


def macro_f1(metrics: dict[str, Any]) -> float:
    return float(metrics["metrics"]["macro_f1"]["value"])


# Adaptations


@dataclass(frozen=True)
class Adapted:
    """What an adaptation says, and how good it is on the images without a label; pairs: as it is, and adapted."""

    selected: str  # empty: nothing was adapted; or the code of an error
    unfamiliar: float = 0
    right: tuple[float, float] | None = None  # of the labels, as the adaptation says
    interval: tuple[float, float] | None = None
    n_scored: int = 0
    accuracy: tuple[float, float] | None = None
    macro_f1: tuple[float, float] | None = None
    recall: tuple[float, float] | None = None  # of the class without a label
    decided: tuple[float, float] | None = None  # share of the images with a class as decision, and their accuracy
    home: tuple[float, float] | None = None  # accuracy
    processor_s: float = 0


def measure_adaptations(folder: Path, names: list[str]) -> None:
    """Print a row for each case and number of labels, and record the macro-F1 of each case."""
    os.environ.setdefault("COVERSLIP_CACHE", str(folder / "cache"))
    columns = ("case", "labels", "unfamiliar", "selected", "accuracy", "macro-F1", "estimate (95% CI)")
    columns += ("decided, accuracy", "at home", "recall of the class without a label", "processor s")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    with_labels = list[tuple[Adapted, float, float]]()  # accuracies on the other images, as it is and adapted
    for name in names:
        rows = dict[int, Adapted]()
        for n in CASES[name].n_labels:
            done = folder / name / f"{n}.json"
            if not done.is_file():
                done.parent.mkdir(parents=True, exist_ok=True)
                done.write_text(json.dumps(asdict(adapted(CASES[name], n, folder / name))))
            row = rows[n] = Adapted(**json.loads(done.read_text()))
            print_row(name, n, row)
            if row.interval and row.accuracy:
                with_labels.append((row, *row.accuracy))
        most = rows[max(rows)]
        if most.macro_f1:
            scores = [f"{row.macro_f1[1]:.2f}" for row in rows.values() if row.macro_f1 and row != most]
            note = ", ".join([f"{most.macro_f1[0]:.2f}", *scores])
            RECORD.add(ADAPTED, round(most.macro_f1[1], 2), of=name, n=most.n_scored, note=note)
        elif most.decided:
            RECORD.add(FOREIGN, round(most.decided[0], 2), of=name, n=most.n_scored, note=most.selected or "nothing")
    n = f"{len(with_labels)} adaptations"
    n_covered = sum(row.interval[0] <= after <= row.interval[1] for row, _, after in with_labels if row.interval)
    RECORD.add(COVERED, n_covered, n=n)
    RECORD.add(HARMED, sum(after < as_is - 0.02 for _, as_is, after in with_labels), n=n)
    RECORD.write("adapted")


def print_row(name: str, n: int, row: Adapted) -> None:
    estimate = ""
    if row.right and row.interval:
        estimate = f"{row.right[1] / n:.2f} ({row.interval[0]:.2f}–{row.interval[1]:.2f})"
    pairs = [f"{pair[0]:.3f} → {pair[1]:.3f}" if pair else "" for pair in (row.accuracy, row.macro_f1)]
    more = [f"{pair[0]:.2f}, {pair[1]:.2f}" if pair else "" for pair in (row.decided, row.home, row.recall)]
    cells = [name, n, f"{row.unfamiliar:.2f}", row.selected or "nothing", *pairs, estimate, *more]
    print(f"| {' | '.join(map(str, cells))} | {row.processor_s:.0f} |", flush=True)


def adapted(case: Case, n: int, folder: Path) -> Adapted:
    """Train at home if there is no run yet, adapt to the other laboratory, and predict both as it is and adapted."""
    home, new = case.home(), case.new()
    classes = {row["label"] for row in home}
    run = folder.parent / f"home-{hashlib.sha256(repr(home).encode()).hexdigest()[:8]}"
    if not (run / "metrics.json").is_file():
        shutil.rmtree(run, ignore_errors=True)  # of a stopped training
        recipe = cs.Recipe.model_validate({"stage": "instant", "image_size": case.side_px, "split": {"folds": 0}})
        data = cs.open_dataset(write_rows(home, case.group, folder / "home.csv"), group=case.group)
        train_without_report(data, recipe, out=run, emit=ignore)
    began = time.process_time()
    images, labels, labeled = folder / "new.csv", None, Rows()
    images.write_text("\n".join(["path", *(row["path"] for row in new)]) + "\n", encoding="utf-8")
    if n:
        row_of = {row["path"]: row for row in new}
        n_suggested = 3 * n if case.never_labeled else n  # where labels of a class are left out
        suggestions = cs.suggest(images, n=n_suggested, device="cpu", emit=ignore).suggestions
        labeled = [row_of[each.path] for each in suggestions if row_of[each.path]["label"] != case.never_labeled][:n]
        labeled_rows = [
            {**row, "label": row["label"] if row["label"] in classes else "none-of-these"} for row in labeled
        ]
        labels = cs.open_dataset(write_rows(labeled_rows, case.group, folder / f"labels{n}.csv"), group=case.group)
    out = folder / f"{n}"
    shutil.rmtree(out, ignore_errors=True)
    try:
        record = cs.adapt(run, images, labels, out=out, device="cpu", emit=ignore)
    except cs.CoverslipError as error:
        return Adapted(error.code)
    rest = [k for k, row in enumerate(new) if row not in labeled]
    truth = [new[k]["label"] for k in rest]
    is_known = not classes.isdisjoint(truth)
    as_is, after = (predictions(each, images, folder) for each in (run, out if record.selected else run))
    both = [[rows[k]["predicted"] for k in rest] for rows in (as_is, after)]
    is_right = [after[k]["predicted"] == new[k]["label"] for k in rest if after[k]["decision"] in classes]
    unlabeled = [i for i, name in enumerate(truth) if name == case.never_labeled]
    return Adapted(
        record.selected or "",
        unfamiliar=(record.n_unfamiliar or 0) / record.n_images,
        right=pair_of(record.n_right_before, record.n_right),
        interval=pair_of(record.low, record.high),
        n_scored=len(rest),
        accuracy=(accuracy_of(both[0], truth), accuracy_of(both[1], truth)) if is_known else None,
        macro_f1=(macro_f1_of(both[0], truth), macro_f1_of(both[1], truth)) if is_known else None,
        recall=pair_of(*(accuracy_of([each[i] for i in unlabeled], [truth[i] for i in unlabeled]) for each in both))
        if unlabeled
        else None,
        decided=(len(is_right) / len(rest), statistics.mean(is_right or [0])),
        home=pair_of(record.home_before, record.home_after),
        processor_s=time.process_time() - began,
    )


def pair_of(first: float | None, second: float | None) -> tuple[float, float] | None:
    return None if first is None or second is None else (first, second)


def predictions(run: Path, images: Path, folder: Path) -> Rows:
    out = folder / "predictions.csv"
    cs.predict(run, images, out=out, device="cpu", emit=ignore)
    with out.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def accuracy_of(predicted: Sequence[str], truth: Sequence[str]) -> float:
    return sum(map(str.__eq__, predicted, truth)) / len(truth)


def macro_f1_of(predicted: Sequence[str], truth: Sequence[str]) -> float:
    """Return the mean F1 of the classes that occur."""
    n_right = Counter(a for a, b in zip(predicted, truth, strict=True) if a == b)
    n_of, n_predicted = Counter(truth), Counter(predicted)
    return statistics.mean(2 * n_right[name] / (n_of[name] + n_predicted[name]) for name in n_of)


if __name__ == "__main__":
    main()
