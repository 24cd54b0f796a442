"""Gain of the delivered classifier, fitted on all images, over the tested one, on images outside training and test.

For each dataset and seed, half of the groups are outside, and an instant classifier is trained on the other half.
Differences are delivered minus tested. The mean probability of predictions minus their accuracy is below 0 if
probabilities are too low. `uncertain` and `sets` are the share of uncertain predictions, and the share of prediction
sets that contain the true class, with the thresholds of the tested classifier. All seeds divide the same images, so
that standard errors (SE) are rather too small. Ctrl-C ends with the trainings so far,
whose number the record states. Without `--copies`, the recipe has no data augmentation, since copies take most of the
time. With `--finetuned`, the network is fine-tuned, and its last layer is averaged with one that is fitted to training
and validation images (tested), or to test images too (delivered). Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/refit.py [--sets NAME…] [--seeds N] [--images N] [--side PX] [--copies | --finetuned]
"""

import argparse
import itertools
import random
import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from _records import Record
from finetuning import DATA, SETS, Images, rows_of, write_rows

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.pixels import DecodedPixels, PixelCache
from coverslip.datasets.quality.scanning import scan_images
from coverslip.datasets.splits.folding import held_out_units
from coverslip.datasets.splits.splitting import Split
from coverslip.engines import embed
from coverslip.errors import BadDataset, Stopped
from coverslip.evaluation.calibration import apply_temperature, confidence_minus_accuracy
from coverslip.evaluation.table import score
from coverslip.events import ignore
from coverslip.experiments.split_data import SplitData
from coverslip.inference import Classifier, load_classifier
from coverslip.pipeline import train_without_report
from coverslip.runs.classifier import ClassifierCard
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.images import unchanged_images
from coverslip.runs.recipe import Recipe
from coverslip.runs.training import Calibration
from coverslip.training.fitting import calibrate
from coverslip.training.heads import refit_head
from coverslip.training.linear_probe import LinearHead
from coverslip.training.task import TrainingTask

RECORD = Record("Delivered classifier", ["src/coverslip/training", "src/coverslip/experiments/one_split.py"])
FIVE_SETS = ("pap_herlev", "micronuclei", "blood_pbc", "nuclei_mitocheck", "chromosomes_qband")
METRICS = ("macro-F1", "log loss")
CONFIDENCE = "probability minus accuracy"  # mean over images
RATES = ("uncertain", "sets")
INSTANT = {"stage": "instant"}
FINETUNED = {"stage_selection": "finetune", "refit_head": False, "epochs": 16}  # last layers are refitted here
_FEWEST = 8  # images of a class to train on
_ROWS_AT_ONCE = 500

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=FIVE_SETS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=700, help="half of them are outside")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--copies", action="store_true", help="with the default augmentation")
    parser.add_argument("--finetuned", action="store_true", help="the last layer of fine-tuned networks")
    RECORD.add_option(parser)
    options = parser.parse_args()
    columns = [f"{name}: tested | delivered" for name in (*METRICS, CONFIDENCE, *RATES)]
    last = "weights of the refitted layers" if options.finetuned else "s of refit"
    print(f"| dataset | seed | images | outside | {' | '.join(columns)} | s of training | {last} |")
    print("|---|---|---|---|" + "---|" * (2 * len(columns) + 2), flush=True)
    changes: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    with suppress(KeyboardInterrupt, Stopped):
        for seed, name in itertools.product(range(options.seeds), options.sets):
            stage = INSTANT | {"augment": {} if options.copies else "none"}
            settings = {"seed": seed, "image_size": options.side, **(FINETUNED if options.finetuned else stage)}
            with suppress(BadDataset):  # a class has too few groups
                changes[name].append(one_row(name, options.images, seed, settings))
    kind = f"{options.side} px, {options.images} images" + (", fine-tuned" if options.finetuned else "")
    for k, metric in enumerate(METRICS):
        of_set = {name: [each[k] for each in rows] for name, rows in changes.items()}
        values = [value for each in of_set.values() for value in each]
        by_set = ", ".join(f"{name} {spread(each)}" for name, each in of_set.items())
        print(f"\n{metric}: {spread(values)}; {by_set}")
        n, note = f"{len(values)} trainings", f"±SE: {spread(values)}"
        RECORD.add("Change on images of other groups", round(statistics.mean(values), 3), of=metric, n=n, note=note)
    confidences = [row[-1] for rows in changes.values() for row in rows]
    by_set = ", ".join(f"{name} {spread([row[-1] for row in rows])}" for name, rows in changes.items())
    print(f"\n{CONFIDENCE}, delivered: {spread(confidences)}; {by_set}")
    claim = "Mean probability minus accuracy of the delivered"
    RECORD.add(claim, round(statistics.mean(confidences), 3), note=f"±SE: {by_set}")
    RECORD.write(kind)


def spread(values: list[float]) -> str:
    """Return the mean with its standard error."""
    error = f"±{statistics.stdev(values) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):+.3f}{error}"


@dataclass(frozen=True)
class Outside:
    """A table of images to train on, and images of other groups."""

    table: Path
    paths: list[str]
    labels: list[str]

    def features(self, classifier: Classifier) -> npt.NDArray[np.float32]:
        """Return the features of the outside images, from the cache if possible."""
        preprocessing, data = classifier.card.preprocessing, classifier.open_images(self.paths)
        scan = scan_images(data)
        with embed(
            classifier.backbone,
            [fact.pixel_hash for fact in scan.readable(range(len(data)))],
            DecodedPixels(data, scan, preprocessing),
            preprocessing=preprocessing.model_dump(mode="json"),
            tta=classifier.card.tta,
            device="cpu",
        ) as (features, _):
            return np.concatenate([features[slice(i, i + _ROWS_AT_ONCE)] for i in range(0, len(data), _ROWS_AT_ONCE)])


def draw(images: Images, n: int, seed: int, folder: Path) -> Outside:
    """Draw about n images of whole groups, and divide the groups: one half is trained on, the other is outside.

    All seeds divide the same images, so that their features are computed once.
    """
    by_group: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(DATA / images.source):
        by_group[row[images.group] if images.group else row["path"]].append(row)
    groups = sorted(by_group)
    random.Random(0).shuffle(groups)
    n_before = itertools.accumulate((len(by_group[group]) for group in groups), initial=0)
    groups = [group for group, n_drawn in zip(groups, n_before, strict=False) if n_drawn < n]
    random.Random(seed).shuffle(groups)
    halves = groups[: len(groups) // 2], groups[len(groups) // 2 :]
    inside, outside = ([row for group in half for row in by_group[group]] for half in halves)
    n_of = Counter(row["label"] for row in inside)
    inside, outside = ([row for row in some if n_of[row["label"]] >= _FEWEST] for some in (inside, outside))
    table = write_rows(inside, images.group, folder / "images.csv")
    return Outside(table, [row["path"] for row in outside], [row["label"] for row in outside])


def one_row(name: str, n: int, seed: int, settings: Mapping[str, Any]) -> tuple[float, ...]:
    """Train, print a row, and return the changes of the metrics, then the delivered one's confidence gap."""
    recipe = Recipe.model_validate({"split": {"folds": 0}, "group": SETS[name].group, **settings})
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw(SETS[name], n, seed, Path(folder))
        run = train_without_report(open_dataset(drawn.table), recipe, out=Path(folder) / "run", emit=ignore)
        tested = load_classifier(run, "cpu", tested=True)
        features = drawn.features(tested)
        label = np.array([tested.classes.index(name) for name in drawn.labels])
        if recipe.stage == "instant":
            delivered = load_classifier(run, "cpu")
            probabilities = [each.probabilities_of(features) for each in (tested, delivered)]
            thresholds: ClassifierCard | Calibration = tested.card
            shares: list[float] = []
        else:
            probabilities, thresholds, shares = refitted(run, features)
        columns = [measured(each, label, thresholds) for each in probabilities]
        training = run.training
        assert training is not None
        pairs = " | ".join(f"{before:.3f} | {after:.3f}" for before, after in zip(*columns, strict=True))
        refit = training.refit_on_all
        last = " and ".join(map(str, shares)) if refit is None else f"{refit.seconds:.0f}"
        print(
            f"| {name} | {seed} | {len(run.split)} | {len(label)} | {pairs} | {training.seconds:.0f} | {last} |",
            flush=True,
        )
    changes = tuple(after - before for before, after in zip(*columns, strict=True))[: len(METRICS)]
    return (*changes, columns[1][len(METRICS)])


def refitted(run: Run, features: npt.NDArray[np.float32]) -> tuple[list[Floats], Calibration, list[float]]:
    """Return the probabilities of other images by a fine-tuned network with each last layer.

    The images that set the average and the temperature are held out: of the validation set, then of the test set too.

    Returns:
        The probabilities of tested and delivered classifier, the calibration of the tested one, and the weights of the
        refitted layers.
    """
    data, recipe, set_of = unchanged_images(run), run.recipe, {row.image_id: row.split for row in run.split}
    parts = tuple(set_of[record.image_id] for record in data.records)
    split_data = SplitData(data, scan_images(data), Split(parts, ("",) * len(parts), ()))
    probabilities, calibrations, shares = [], [], []
    for held_out in (split_data.val, np.concatenate([split_data.val, split_data.test])):
        classifier, label = load_classifier(run, "cpu"), split_data.label[held_out]
        preprocessing = classifier.card.preprocessing
        fold_index = held_out_units(
            data, split_data.scan, held_out.tolist(), [*split_data.train.tolist(), *held_out.tolist()]
        )
        with PixelCache(data, split_data.scan, (), preprocessing) as pixels:
            images = replace(split_data.training_images(pixels, recipe), val=held_out, val_label=label)
            task = TrainingTask(
                images, split_data.pixel_keys(preprocessing), preprocessing, recipe, RunContext(run.folder)
            )
            trained = classifier.read_head()
            head = LinearHead(trained["head.weight"], trained["head.bias"], None)
            logits, average, head = refit_head(classifier.backbone, head, task, fold_index)
        shares.append(average.share)
        calibrations.append(calibrate(logits, label, recipe.decision_rule(split_data.classes)))
        probabilities.append(apply_temperature(head.logits(features), calibrations[-1].temperature))
    return probabilities, calibrations[0], shares


def measured(probability: Floats, label: Ints, thresholds: ClassifierCard | Calibration) -> tuple[float, ...]:
    """Return the metrics and rates of the outside images."""
    scores = score(probability, label, names=("macro_f1", "log_loss"))
    floors = np.zeros(probability.shape[1]) if thresholds.set_floors is None else np.array(thresholds.set_floors)
    is_in_set = probability[np.arange(len(label)), label] >= floors[label]
    is_uncertain = probability.max(axis=1) < thresholds.uncertain_below
    confidence = float(confidence_minus_accuracy(probability, label).mean())
    shares = float(is_uncertain.mean()), float(is_in_set.mean())
    return (scores["macro_f1"], scores["log_loss"], confidence, *shares)


if __name__ == "__main__":
    main()
