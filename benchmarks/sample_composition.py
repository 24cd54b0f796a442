"""Errors of counted and corrected class proportions in samples of known composition, on real images.

Half of the groups (patients, fields; images of blood_pbc, which has no groups) train an instant classifier with five
folds, whose out-of-fold predictions correct the counts. Samples come from the other half:

- blood_malaria: the cells of each patient; and 100 cells of four patients, with 2, 10, 25 and 50 % of parasitized ones;
- blood_pbc: 200 cells with random proportions of the eight classes (Dirichlet, concentration .5);
- fields_rbc_chula: the red cells that experts marked in a field, and their counts by type;
- fields_rbc_chula_normal: the same with two classes, normal cells and all others.

Errors are mean absolute errors over classes and samples, in percentage points. Coverage is the share of 95 % intervals
that contain the true proportion. `estimate from probabilities` is that of `predict` (Saerens). A second table has the
recall of each class on out-of-fold images: over images, which the correction uses, and as the mean over groups. Bias is
the mean error of the corrected proportion of the last class. COVERSLIP_DATA has the images, default ../shared/data.

With `--one-split`, training has no folds. The tested classifier, whose errors are known, predicts the samples, and the
delivered one, which is also fitted on the test images, predicts them too.

    python benchmarks/sample_composition.py [--sets NAME…] [--seeds N] [--draws N] [--one-split]
"""

import argparse
import csv
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
from _records import Record

import coverslip as cs
from coverslip.evaluation.prevalence import estimated_shares
from coverslip.evaluation.proportions import effective_counts, pooled_counts
from coverslip.inference.summarising import SampledPrediction, summary_of
from coverslip.runs.error_rates import votes_on_test_images
from coverslip.runs.predictions import Prediction
from coverslip.runs.recipe import Recipe, SplitPlan

RECORD = Record(
    "Samples of known composition",
    ["src/coverslip/inference/summarising.py", "src/coverslip/evaluation/proportions.py"],
)
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
SHARES = (0.02, 0.1, 0.25, 0.5)
MOST_TRAINING, MOST_NEW = 2000, 2000  # images
FEWEST_CELLS = 20  # of a field or patient
NORMAL, UNCATEGORIZED = "0", "10"  # normal cells, and cells of no type


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--one-split", action="store_true", help="compare the tested and the delivered classifier")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(
        "| dataset | samples | n | counted: error | coverage | corrected: error | shown: error | bias | coverage |"
        " better | refused |",
        end="",
    )
    print(f" estimate from probabilities: error | label shift reported |\n|{'---|' * 13}")
    recalls = list[str]()
    for name in options.sets:
        results: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        shifts: dict[str, list[bool]] = defaultdict(list)
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                for case, samples, run in measured(name, seed, options.draws, options.one_split, Path(folder)):
                    rows, is_shifted = compared(samples, run)
                    whole = [f"all samples, {case.split(', ')[-1]}"] if options.one_split else []
                    for each in (case, *whole):
                        results[each] += rows
                        shifts[each].append(is_shifted)
                recalls += (f"| {name} | {seed} | {cells} |" for cells in recalls_of(run))
        for case, case_rows in results.items():
            is_recorded = not options.one_split or case.startswith("all samples")
            show(name, case, np.array(case_rows), shifts[case], is_recorded=is_recorded)
    print("\n| dataset | seed | class | images | groups | recall over images | mean over groups |")
    print("\n".join(["|---|---|---|---|---|---|---|", *recalls]))
    RECORD.write("one split" if options.one_split else "")


def recalls_of(run: cs.Run) -> Iterator[str]:
    """Yield the cells of each class: images, groups, and the recall over images and over groups."""
    classes = run.metrics.classes
    votes = votes_on_test_images(
        run, classes, lambda rows: np.array([[row.predicted == name for name in classes] for row in rows], float)
    )
    for k, (name, of_class) in enumerate(zip(classes, votes, strict=True)):
        if of_class is not None:
            recalls = (pooled_counts(of_class).shares[k], effective_counts(of_class).shares[k])
            cells = " | ".join(f"{recall:.3f}" for recall in recalls)
            yield f"{name} | {of_class.n.sum():.0f} | {len(of_class.n)} | {cells}"


def show(name: str, case: str, rows: np.ndarray, shifts: Sequence[bool], *, is_recorded: bool) -> None:
    """Print a row of the table; `rows` has the numbers of each sample, NaN without a correction."""
    counted, of_counted, _, corrected, of_corrected, widths, shown, _, _, estimate, bias = rows.T
    is_corrected = ~np.isnan(corrected)
    cells = [f"{100 * counted.mean():.1f}", f"{of_counted.mean():.2f}"]
    if is_corrected.any():
        mean_bias = 100 * bias[is_corrected].mean()
        cells += [f"{100 * corrected[is_corrected].mean():.1f}", f"{100 * shown[is_corrected].mean():.1f}"]
        cells += [f"{mean_bias:+.1f}"]
        cells += [f"{of_corrected[is_corrected].mean():.3f}"]
        cells += [f"{(corrected < counted)[is_corrected].mean():.2f}"]
        coverage, width = of_corrected[is_corrected].mean(), widths[is_corrected].mean()
        note = f"counted {100 * counted[is_corrected].mean():.1f}, shown {100 * shown[is_corrected].mean():.1f}; "
        note += f"coverage {coverage:.3f}, width {100 * width:.0f} points, bias {mean_bias:+.1f}"
        value, n = round(100 * corrected[is_corrected].mean(), 1), f"{is_corrected.sum()} samples"
        if is_recorded:
            RECORD.add("Mean error of corrected proportions", value, "points", of=f"{name}, {case}", n=n, note=note)
    else:
        cells += ["–"] * 5
    cells += [f"{(~is_corrected).sum()}", f"{100 * np.nanmean(estimate):.1f}", f"{sum(shifts)} of {len(shifts)}"]
    print(f"| {name} | {case} | {len(rows)} | {' | '.join(cells)} |", flush=True)


def compared(samples: Sequence[Sequence[Prediction]], run: cs.Run) -> tuple[list[tuple[float, ...]], bool]:
    """Return error, coverage and width of counted, corrected and shown proportions, the estimate's error, and bias."""
    card = cs.load_classifier(run).card
    rows = [SampledPrediction(row, f"{k}") for k, sample in enumerate(samples) for row in sample]
    summary = summary_of(card.classes, rows, run)
    results = []
    for sample, of_sample in zip(samples, summary.samples, strict=True):
        true = np.array([sum(row.label == name for row in sample) for name in card.classes]) / len(sample)
        numbers: list[float] = []
        of_classes = of_sample.classes.values()
        for metrics in ([x.raw for x in of_classes], [x.corrected for x in of_classes], [x.shown for x in of_classes]):
            value, low, high = np.array([(m.value, m.low, m.high) for m in metrics], np.float64).T
            is_missing = bool(np.isnan(value).any())
            numbers += [float(np.abs(value - true).mean())]
            numbers += [np.nan if is_missing else float(((low <= true + 1e-9) & (true <= high + 1e-9)).mean())]
            numbers += [float((high - low).mean())]
        probability = np.nan_to_num(np.array([row.probabilities for row in sample]))
        estimates = [each.value for each in estimated_shares(probability, card.prior)]
        numbers += [np.nan if None in estimates else float(np.abs(np.array(estimates, np.float64) - true).mean())]
        last = [each.corrected.value for each in of_classes][-1]
        numbers += [np.nan if last is None else float(last - true[-1])]
        results.append(tuple(numbers))
    return results, summary.label_shift is not None and summary.label_shift.violated


def measured(
    name: str, seed: int, n_draws: int, is_one_split: bool, folder: Path
) -> Iterator[tuple[str, list[list[Prediction]], cs.Run]]:
    """Train on half of the groups; yield samples of the others."""
    rng = np.random.default_rng(seed)
    rows = SETS[name](folder)
    groups = sorted({row["group"] for row in rows})
    inside = set(rng.permutation(groups)[: len(groups) // 2])
    halves = {"old": MOST_TRAINING, "new": MOST_NEW}
    for half, most in halves.items():
        of_half = [row for row in rows if (row["group"] in inside) == (half == "old")]
        at = np.sort(rng.permutation(len(of_half))[:most])
        with (folder / f"{half}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(of_half[k] for k in at)
    size = 96 if name.startswith("fields_rbc_chula") else 64
    split = SplitPlan(folds=0 if is_one_split else 5)
    recipe = Recipe(model="mobilenet_v2", stage="instant", image_size=size, tta=1, seed=seed, split=split)
    is_grouped = name != "blood_pbc"
    run = cs.train(
        cs.open_dataset(folder / "old.csv", group="group" if is_grouped else None), recipe, out=folder / "run"
    )
    new = cs.open_dataset(folder / "new.csv", group="group")
    group_of = {record.image_id: record.group for record in new.records if record.group is not None}
    for tested, words in ((True, ", tested"), (False, ", delivered")) if is_one_split else ((False, ""),):
        predicted = [
            row for row in cs.load_classifier(run, tested=tested).predict(new).rows if row.label in run.metrics.classes
        ]
        for case, samples in drawn(name, predicted, group_of, n_draws, deepcopy(rng)):
            yield f"{case}{words}", samples, run


def drawn(
    name: str, rows: Sequence[Prediction], group_of: dict[str, str], n_draws: int, rng: np.random.Generator
) -> Iterator[tuple[str, list[list[Prediction]]]]:
    """Yield samples of each case."""
    label, group = np.array([row.label for row in rows]), np.array([group_of[row.image_id] for row in rows])
    classes = np.unique(label)
    if name != "blood_pbc":
        units = [np.flatnonzero(group == each) for each in np.unique(group)]
        case = "patients" if name == "blood_malaria" else "fields"
        yield case, [[rows[k] for k in unit] for unit in units if len(unit) >= FEWEST_CELLS]
    if name.startswith("fields_rbc_chula"):
        return
    cases = {f"{share:.0%} parasitized": share for share in SHARES} if name == "blood_malaria" else {"random": None}
    for case, share in cases.items():
        samples = []
        for _ in range(n_draws):
            if share is None:
                among, n, shares = np.arange(len(rows)), 200, rng.dirichlet(np.full(len(classes), 0.5))
            else:
                names = rng.choice(np.unique(group), 4, replace=False)
                among, n, shares = np.flatnonzero(np.isin(group, names)), 100, np.array([share, 1 - share])
            counts = rng.multinomial(n, shares) if share is None else np.round(n * shares).astype(int)
            at = [rng.permutation(among[label[among] == each])[:k] for each, k in zip(classes, counts, strict=True)]
            samples.append([rows[k] for k in np.concatenate(at)])
        yield case, samples


def _of_table(name: str, group: str) -> Callable[[Path], list[dict[str, str]]]:
    def read(_: Path) -> list[dict[str, str]]:
        with (DATA / name / "images.csv").open() as file:
            return [
                {"path": str((DATA / name / row["path"]).resolve()), "label": row["label"], "group": row[group]}
                for row in csv.DictReader(file)
            ]

    return read


def _of_folders(_: Path) -> list[dict[str, str]]:
    files = sorted((DATA / "blood_pbc").glob("*/*"))
    return [{"path": str(file.resolve()), "label": file.parent.name, "group": file.stem} for file in files]


def _of_fields(folder: Path) -> list[dict[str, str]]:
    fields = DATA / "fields_rbc_chula"
    table = folder / "objects.csv"
    cs.collect_objects(fields / "fields", points=fields / "points", size_px=80, out=table)
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] != UNCATEGORIZED]
    return [{**row, "path": str((folder / row["path"]).resolve()), "group": row["field"]} for row in rows]


def _of_fields_in_two_classes(folder: Path) -> list[dict[str, str]]:
    return [{**row, "label": "normal" if row["label"] == NORMAL else "other"} for row in _of_fields(folder)]


SETS = {
    "blood_malaria": _of_table("blood_malaria", "patient"),
    "blood_pbc": _of_folders,
    "fields_rbc_chula": _of_fields,
    "fields_rbc_chula_normal": _of_fields_in_two_classes,
}


if __name__ == "__main__":
    main()
