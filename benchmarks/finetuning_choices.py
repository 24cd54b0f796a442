"""Effect of settings of fine-tuning: macro-F1 and log loss relative to the instant classifier, on many test images.

    python benchmarks/finetuning_choices.py [--sets NAME…] [--ways NAME…] [--seeds N…] [--images N] [--image-size PX]

The datasets are those of `benchmarks/finetuning.py`. A sample of each dataset in whole groups is used for training, a
fifth of it for validation, and all other images (at most 3,300 of a dataset are read) are tested. These are ten times
as many test images as in `coverslip train`, so rows are more precise. Networks are trained in this process on one
thread; the fine-tuned network is measured whether or not it would be kept. Temperatures are fitted to validation
images.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from finetuning import DATA, SETS, rows_of, spread

from coverslip.evaluation import apply_temperature, fit_temperature, score
from coverslip.images import Preprocessing, image_facts, preprocess
from coverslip.images.reading import decode
from coverslip.runs import Recipe, RunContext
from coverslip.training.batches import TrainingImages, TrainingTask
from coverslip.training.fitting import Fitted, fit
from coverslip.training.preprocessing import learn_preprocessing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST = 3300  # images of a dataset
_WAYS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "8 epochs": {"epochs": 8},
    "1.5 times the epochs": {},
    "twice the epochs": {},
    "half the rate": {"learning_rate": 5e-4},
    "batch statistics": {"batch_norm": "learn"},
    "gentle": {"epochs": 8, "batch_size": 32, "learning_rate": 3e-4, "backbone_rate": 0.3},
}
_TIMES = {"1.5 times the epochs": 1.5, "twice the epochs": 2.0}  # of the default number of epochs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--ways", nargs="+", choices=_WAYS, default=list(_WAYS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--image-size", type=int, metavar="PX", help="default: the size of the dataset, 64 to 128")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| dataset | seed | images | settings | macro-F1: instant | gain | log loss: instant | change "
        "| loss ratio | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    gains: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name in options.sets:
        loaded = Loaded(name, options.image_size or SETS[name].side_px)
        for seed in options.seeds:
            for way in options.ways:
                gains[way].append(row(loaded, seed, way, options.images))
    print("\n| settings | trainings | gain in macro-F1 | change in log loss |")
    print("|---|---|---|---|")
    for way, pairs in gains.items():
        f1, loss = (spread([pair[which] for pair in pairs]) for which in (0, 1))
        print(f"| {way} | {len(pairs)} | {f1} | {loss} |")


class Loaded:
    """The images of a dataset in memory, preprocessed as in a training."""

    def __init__(self, name: str, side_px: int) -> None:
        self.name, self.side_px = name, side_px
        images = SETS[name]
        rows = rows_of(DATA / images.source)
        group = [row[images.group] if images.group else str(i) for i, row in enumerate(rows)]
        units = np.random.default_rng(0).permutation(sorted(set(group))).tolist()
        place = {unit: i for i, unit in enumerate(units)}
        order = sorted(range(len(rows)), key=lambda i: place[group[i]])[:_MOST]
        decoded = [decode(Path(rows[i]["path"])) for i in order]
        facts = [image_facts(image) for image in decoded]
        self.preprocessing: Preprocessing = learn_preprocessing(facts, Recipe(image_size=side_px))
        self.pixels = np.stack([preprocess(image.array, self.preprocessing) for image in decoded])
        self.digests = [image.pixel_hash for image in facts]
        self.label = np.unique([rows[i]["label"] for i in order], return_inverse=True)[1].astype(np.int64)
        self.group = np.array([group[i] for i in order])

    def divided(self, seed: int, n: int) -> tuple[TrainingImages, Ints, Ints]:
        """Return training and validation images, and positions and labels of test images of the classes in training."""
        n = min(round(0.8 * n), round(0.65 * len(self.label)))
        parts: tuple[list[int], list[int], list[int]] = ([], [], [])
        for unit in np.random.default_rng([seed, 7]).permutation(sorted(set(self.group.tolist()))):
            members = np.flatnonzero(self.group == unit).tolist()
            is_val = len(parts[1]) < round(0.2 * n)
            parts[1 if is_val else 0 if len(parts[0]) + len(parts[1]) < n else 2].extend(members)
        classes, train_label = np.unique(self.label[parts[0]], return_inverse=True)
        val, test = (np.array([i for i in part if self.label[i] in classes]) for part in parts[1:])
        number = {int(k): i for i, k in enumerate(classes)}
        val_label, test_label = (np.array([number[int(self.label[i])] for i in part]) for part in (val, test))
        images = TrainingImages(
            lambda positions: self.pixels[list(positions)],
            np.array(parts[0]),
            train_label.astype(np.int64),
            val,
            val_label,
            len(classes),
        )
        return images, test, test_label

    def fitted(self, images: TrainingImages, recipe: Recipe, losses: list[float]) -> Fitted:
        """Train both stages, or the first; append the validation loss of each epoch to `losses`."""

        def note(event: object) -> None:
            loss = getattr(event, "val_loss", None)
            if loss is not None:
                losses.append(float(loss))

        with tempfile.TemporaryDirectory() as folder:
            context = RunContext(Path(folder), emit=note)
            (Path(folder) / "checkpoints").mkdir()
            digests_of = lambda positions: [self.digests[i] for i in positions]  # noqa: E731
            return fit(TrainingTask(images, digests_of, self.preprocessing, recipe, context), None)


def row(loaded: Loaded, seed: int, way: str, n: int) -> tuple[float, float]:
    """Train and print a row; return the gain in macro-F1 and the change in log loss by fine-tuning."""
    images, test, label = loaded.divided(seed, n)
    recipe = Recipe(image_size=loaded.side_px, seed=seed, **_WAYS[way]).with_epochs(len(images.train))
    recipe = recipe.model_copy(update={"epochs": round(_TIMES.get(way, 1) * recipe.n_epochs)})
    measured, losses = [], list[float]()
    for changes in ({"stage": "instant"}, {"stage_selection": "finetune"}):
        fitted = loaded.fitted(images, recipe.model_copy(update=changes), losses)
        measured.append(tested(fitted, images, loaded.pixels[test], label, recipe.tta))
    stage = fitted.finetuning
    assert stage is not None
    before, after = measured
    f1, loss = (after[metric] - before[metric] for metric in ("macro_f1", "log_loss"))
    print(
        f"| {loaded.name} | {seed} | {len(images.train)} | {way} | {before['macro_f1']:.3f} | {f1:+.3f} | "
        f"{before['log_loss']:.3f} | {loss:+.3f} | {losses[1] / losses[0]:.2f} | {stage.seconds:.0f} |",
        flush=True,
    )
    return f1, loss


def tested(fitted: Fitted, images: TrainingImages, pixels: Any, label: Ints, tta: int) -> dict[str, float]:
    """Calibrate on validation images and evaluate on test images."""
    from coverslip.engines import N_CHECKED, fastest_engine, run_tta
    from coverslip.models.networks import FeatureNetwork

    engine = fastest_engine(FeatureNetwork(fitted.network, pixels.dtype.name), pixels[:N_CHECKED], device="cpu")
    logits = np.concatenate(
        [fitted.network.logits(run_tta(engine, pixels[i : i + 128], tta)) for i in range(0, len(pixels), 128)]
    )
    temperature = fit_temperature(fitted.val_logits, images.val_label)
    scores = score(apply_temperature(logits, temperature), label, names=("macro_f1", "log_loss"))
    return {name: float(value) for name, value in scores.items() if value is not None}


if __name__ == "__main__":
    main()
