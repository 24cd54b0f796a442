"""Which heat maps pass their checks, by network and kind of map? As a Markdown table.

Instant classifiers of every network whose pretrained weights are on this machine, on some images of a real set, and
small networks of other families, trained from random weights on the demo's images (`--small`). Maps are checked on
validation images. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/explanations.py [--set NAME] [--images N] [--models NAME…] [--heads NAME…] [--small]
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch

import coverslip as cs
from coverslip.datasets import Dataset, read_preprocessed
from coverslip.engines import as_input
from coverslip.inference.explain.checks import check_maps, with_random_weights
from coverslip.inference.explain.maps import maps_by, methods_of
from coverslip.models import model_info, models_with_weights
from coverslip.models.networks import create_network
from coverslip.runs import Run, SplitPlan
from coverslip.samples import write_sample_images

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
SMALL = ("test_efficientnet", "test_resnet", "test_convnext", "test_vit", "test_mambaout", "test_nfnet")
SIDE, SMALL_SIDE, N_CHECKED = 96, 64, 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="blood_pbc")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--models", nargs="*", default=list(models_with_weights()))
    parser.add_argument("--heads", nargs="*", default=["multi_layer", "native"])
    parser.add_argument("--small", action="store_true", help="small networks from random weights instead")
    asked = parser.parse_args()
    print("| network | head | right | map | like random weights | beats the centre by (at least) | |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        if asked.small:
            data = cs.open_dataset(demo_images(Path(folder) / "demo"), group_pattern=r"slide\d+")
            for name in SMALL:
                train_and_show(data, f"timm/{name}", "multi_layer", from_scratch(f"timm/{name}"), folder)
            return
        data = some(cs.open_dataset(DATA / asked.set), asked.images)
        for name in asked.models:
            for head in asked.heads:
                recipe = cs.Recipe(model=name, head=head, image_size=SIDE, tta=1, stage="instant", split=one_split())
                train_and_show(data, name, head, recipe, folder)


def one_split() -> SplitPlan:
    return SplitPlan(folds=0, val=0.2, test=0.2)


def from_scratch(name: str) -> cs.Recipe:
    return cs.Recipe(
        model=name, init="scratch", image_size=SMALL_SIDE, tta=1, epochs=15, stage="finetune", split=one_split()
    )


def demo_images(folder: Path) -> Path:
    return write_sample_images(folder, n_images=300).folder


def some(data: Dataset, n: int) -> Dataset:
    places = np.random.default_rng(0).permutation(len(data.records))[:n]
    return data.chosen(sorted(places.tolist()))


def train_and_show(data: Dataset, name: str, head: str, recipe: cs.Recipe, folder: str) -> None:
    """Print the rows of a network."""
    run = cs.train(data, recipe, out=Path(folder) / f"{name.replace('/', '_')}_{head}")
    network, x = cs.load_classifier(run.folder, "cpu").network, validation_images(data, run)
    card = cs.load_classifier(run.folder, "cpu").card

    def build() -> torch.nn.Module:
        side = card.preprocessing.image_size if model_info(card.model).is_sized else None
        return create_network(
            card.model, n_classes=len(card.classes), head=card.head, pretrained=False, image_size=side
        )

    randomised = with_random_weights(build, x)
    right = run.metrics["accuracy"].value
    for method in methods_of(network):
        found = check_maps(network, maps_by(method), x, randomised)
        verdict = "passed" if found.passes else "failed"
        gain = f"{found.gain:+.3f} ({found.gain_low:+.3f})"
        print(f"| {name} | {head} | {right:.2f} | {method} | {found.similarity:.2f} | {gain} | {verdict} |", flush=True)


def validation_images(data: Dataset, run: Run) -> torch.Tensor:
    """(n, C, S, S) of up to so many as are checked."""
    chosen = {row.image_id for row in run.split if row.split == "val"}
    records = [record for record in data.records if record.image_id in chosen]
    records = records[:: max(1, len(records) // N_CHECKED)][:N_CHECKED]
    card = cs.load_classifier(run.folder, "cpu").card
    return torch.from_numpy(as_input(np.stack([i.pixels for i in read_preprocessed(records, card.preprocessing)])))


if __name__ == "__main__":
    main()
