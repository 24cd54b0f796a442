"""Training a part only, with what leaves the frozen part kept (`frozen_variants`) and without: seconds and macro-F1.

The first table has seconds of an epoch of fine-tuning, validation included: 256 training and 64 validation images of
noise in memory, random weights, both ways in turn within one process. The second has `coverslip train` with all
defaults but the image size and these two keys, on the same splits of real sets as `benchmarks/finetuning.py` cuts them.
Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/frozen_boundary.py [--only epochs|sets] [--sets NAME…] [--boundaries NAME…] [--seeds N]
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetuning import SETS, Images, numbers, trained, write_part

_VARIANTS = 4
_EPOCHS = 3  # the first one prepares what later ones use again
_N_TRAIN, _N_VAL = 256, 64
_CASES = (
    ("efficientnetv2_b0", 96, "blocks.3"),
    ("efficientnetv2_b0", 96, "first_200_of_271"),
    ("efficientnetv2_b0", 96, "backbone"),
    ("efficientnet_lite0", 96, "blocks.3"),
    ("efficientnet_lite0", 96, "blocks.5"),
    ("efficientnet_lite0", 96, "backbone"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["epochs", "sets"])
    parser.add_argument("--sets", nargs="*", default=["nuclei_mitocheck", "blood_malaria", "blood_pbc"])
    parser.add_argument("--boundaries", nargs="*", default=["blocks.3", "backbone"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--images", type=int, default=500)
    asked = parser.parse_args()
    if asked.only != "sets":
        compare_epochs()
    if asked.only != "epochs":
        compare_on_sets(asked.sets, asked.boundaries, asked.seeds, asked.images)


def compare_epochs() -> None:
    print("| network | px | frozen to | s an epoch | kept | ratio | s once, per variant | kept, KiB an image |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for model, side, boundary in _CASES:
        usual, kept = epochs(model, side, boundary, None), epochs(model, side, boundary, _VARIANTS)
        print(
            f"| `{model}` | {side} | `{boundary}` | {usual.epoch_s:.2f} | {kept.epoch_s:.2f} | "
            f"{usual.epoch_s / kept.epoch_s:.1f} | {kept.before_s / min(_VARIANTS, _EPOCHS):.2f} | {kept.kib:.0f} |",
            flush=True,
        )


@dataclass(frozen=True)
class Epochs:
    """How long fine-tuning took."""

    epoch_s: float  # the quickest after the first
    before_s: float  # until the start was measured on validation images
    kib: float  # of what is kept of an image in one variant


def epochs(model: str, side: int, boundary: str, variants: int | None) -> Epochs:
    """Fine-tune on noise."""
    import numpy as np
    import torch

    from coverslip.events import EpochEnded, Event
    from coverslip.models.freezing import freeze_to
    from coverslip.models.frozen_part import FrozenPart
    from coverslip.models.networks import create_network
    from coverslip.runs import Recipe, RunContext
    from coverslip.training.batches import TrainingImages, as_tensor
    from coverslip.training.finetuning import finetune

    pixels = np.random.default_rng(0).integers(0, 256, (_N_TRAIN + _N_VAL, side, side, 3), np.uint8)
    label = np.arange(len(pixels)) % 4
    train, val = np.arange(_N_TRAIN), np.arange(_N_TRAIN, len(pixels))
    images = TrainingImages(lambda p: pixels[list(p)], train, label[train], val, label[val], 4)
    torch.manual_seed(0)
    network = create_network(model, n_classes=4, pretrained=False, image_size=side)
    freeze_to(network, boundary)
    recipe = Recipe(
        model=model,
        init="scratch",
        batch_norm="keep",
        epochs=_EPOCHS,
        freeze_to=boundary,
        frozen_variants=variants,
        patience=None,
    )
    seconds: list[float] = []
    ended: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            seconds.append(event.seconds)
            ended.append(time.monotonic())

    with tempfile.TemporaryDirectory() as folder:
        context = RunContext(Path(folder), emit=note)
        began = time.monotonic()
        finetune(network, images, recipe, context)
    x = as_tensor(pixels[:2])
    n_numbers = FrozenPart(network, x).leaving(x).shape[1]
    return Epochs(min(seconds[2:]), ended[0] - seconds[0] - began, n_numbers * 2 / 1024)


def compare_on_sets(sets: list[str], boundaries: list[str], n_seeds: int, n_images: int) -> None:
    print("\n| set | seed | frozen to | macro-F1 | kept | log loss | kept | s of fine-tuning | kept |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    gains: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for name in sets:
        for seed in range(n_seeds):
            for boundary, gain in rows(name, SETS[name], seed, boundaries, n_images):
                gains[boundary].append(gain)
    for boundary, differences in gains.items():
        f1, loss, ratio = zip(*differences, strict=True)
        print(
            f"| **mean of {len(f1)}** | | `{boundary}` | | {with_error(f1)} | | {with_error(loss)} | | "
            f"{statistics.geometric_mean(ratio):.1f} times as fast |"
        )


def rows(
    name: str, images: Images, seed: int, boundaries: list[str], n_images: int
) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Train both ways for each boundary; what keeping adds to macro-F1 and to log loss, and how much faster it is."""
    with tempfile.TemporaryDirectory() as folder:
        table = write_part(images, n_images, seed, Path(folder) / "images.csv")
        common = [str(table), *(("--group", images.group) if images.group else ())]
        for boundary in boundaries:
            settings = [f"seed={seed}", f"image_size={images.side_px}", "split.folds=0", f"freeze_to={boundary}"]
            ways = {"usual": settings, "kept": [*settings, f"frozen_variants={_VARIANTS}"]}
            runs = [
                trained(common, keys, Path(folder) / f"{boundary} {way}", Path(folder) / "cache")[0]
                for way, keys in ways.items()
            ]
            f1, loss = ([numbers(run, metric) for run in runs] for metric in ("macro_f1", "log_loss"))
            seconds = [finetuning_seconds(run) for run in runs]
            print(
                f"| {name} | {seed} | `{boundary}` | {f1[0]:.3f} | {f1[1]:.3f} | {loss[0]:.3f} | {loss[1]:.3f} | "
                f"{seconds[0]:.1f} | {seconds[1]:.1f} |",
                flush=True,
            )
            yield boundary, (f1[1] - f1[0], loss[1] - loss[0], seconds[0] / seconds[1])


def finetuning_seconds(run: Path) -> float:
    """All of the second stage, what is computed once included."""
    stages = json.loads((run / "training.json").read_text())["stages"]
    return float(next(stage["seconds"] for stage in stages if "epochs_run" in stage))


def with_error(differences: tuple[float, ...]) -> str:
    """Mean of paired differences and its standard error."""
    error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("nan")
    return f"{statistics.mean(differences):+.4f} (standard error {error:.4f})"


if __name__ == "__main__":
    main()
