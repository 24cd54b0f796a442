"""Sanity checks of heat maps by network and kind of map, as a Markdown table.

The script trains instant classifiers of every network whose pretrained weights are on this machine, on some images of a
real dataset. With `--small`, it trains small networks of every family from random weights on synthetic cells. Heat maps
are checked on validation images with the cell in the center. The second check is repeated on images that are shifted by
a quarter of their side, so that the center is far from the true region. Images: COVERSLIP_DATA, default
../shared/data.

    python benchmarks/explanations.py [--set NAME] [--images N] [--models NAME…] [--heads NAME…] [--small] [--keep FILE]

`--keep FILE` writes the rows of each network as soon as they are measured. If the script is started again with this
file, it measures only missing networks.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import numpy as np
import torch
import torch.nn.functional as F

import coverslip as cs
from coverslip.datasets import Dataset, read_preprocessed
from coverslip.engines import as_input
from coverslip.inference.explain.maps import Maps, check_maps, deletion_curve, maps_by, methods_of, with_random_weights
from coverslip.models import model_info, models_with_weights
from coverslip.models.networks import Network, create_network
from coverslip.runs import Run, SplitPlan
from coverslip.synthetic_cells import write_sample_images

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
SMALL = {  # side in pixels: the minimum of the network, or a larger one
    "timm/test_efficientnet": 64,
    "timm/test_resnet": 64,
    "timm/test_convnext": 64,
    "timm/test_vit": 160,
    "timm/test_mambaout": 64,
    "timm/test_nfnet": 64,
    "mobilenet_v2": 64,
    "shufflenet_v2_x1_0": 64,
    "mobilevit_xxs": 64,
    "mobilevit_mn": 64,
    "mobincep": 64,
    "googlenet": 64,
    "alexnet": 96,
    "nasnet_mobile": 64,
    "swin_t": 64,
}
SIDE, N_CHECKED = 96, 16


@dataclass(frozen=True, slots=True)
class Row:
    """Results of both checks for one kind of map."""

    network: str
    head: str
    right: float  # accuracy on test images
    method: str
    similarity: float
    gain: float
    gain_low: float
    passes: bool
    moved: float  # gain with the cell outside the center
    moved_low: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="blood_pbc")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--models", nargs="*", help="networks; default: all")
    parser.add_argument("--heads", nargs="*", default=["multi_layer", "native"])
    parser.add_argument("--small", action="store_true", help="small networks from random weights instead")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    methods = list(kept(options.keep))
    show_head()
    with tempfile.TemporaryDirectory() as folder:
        data = demo_images(Path(folder) / "demo") if options.small else some(DATA / options.set, options.images)
        for name in options.models or (SMALL if options.small else models_with_weights()):
            for head in options.heads[:1] if options.small else options.heads:
                rows = [row for row in methods if (row.network, row.head) == (name, head)]
                if not rows:
                    recipe = from_scratch(name, head) if options.small else instant(name, head)
                    rows = measured(data, recipe, Path(folder) / f"{name.replace('/', '_')}_{head}")
                    keep(options.keep, rows)
                for row in rows:
                    show(row)


def kept(file: Path | None) -> Iterator[Row]:
    if file is not None and file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            yield Row(**json.loads(line))


def keep(file: Path | None, rows: list[Row]) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.writelines(json.dumps(asdict(row)) + "\n" for row in rows)


def show_head() -> None:
    print(
        "| network | head | accuracy | heat map | similarity to random weights | gain over the center (lower bound) "
        "| checks | gain, cell moved (lower bound) |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)


def show(row: Row) -> None:
    gain, moved = f"{row.gain:+.3f} ({row.gain_low:+.3f})", f"{row.moved:+.3f} ({row.moved_low:+.3f})"
    of_network = f"{row.network} | {row.head} | {row.right:.2f}"
    verdict = "passed" if row.passes else "failed"
    print(f"| {of_network} | {row.method} | {row.similarity:.2f} | {gain} | {verdict} | {moved} |", flush=True)


def one_split() -> SplitPlan:
    return SplitPlan(folds=0, val=0.2, test=0.2)


def instant(name: str, head: str) -> cs.Recipe:
    side = next(px for px in range(SIDE, 2 * SIDE) if px % model_info(name).side_multiple == 0)
    return cs.Recipe(model=name, head=head, image_size=side, tta=1, stage="instant", split=one_split())


def from_scratch(name: str, head: str) -> cs.Recipe:
    return cs.Recipe(
        model=name,
        head=head,
        init="scratch",
        image_size=SMALL[name],
        tta=1,
        epochs=15,
        stage="finetune",
        split=one_split(),
    )


def demo_images(folder: Path) -> Dataset:
    return cs.open_dataset(write_sample_images(folder, n_images=300).folder, group_pattern=r"slide\d+")


def some(source: Path, n: int) -> Dataset:
    data = cs.open_dataset(source)
    places = np.random.default_rng(0).permutation(len(data.records))[:n]
    return data.subset(sorted(places.tolist()))


def measured(data: Dataset, recipe: cs.Recipe, folder: Path) -> list[Row]:
    """Return the rows of a network."""
    began = monotonic()
    run = cs.train(data, recipe, out=folder)
    network = cs.load_classifier(run.folder, "cpu").network
    card = cs.load_classifier(run.folder, "cpu").card
    x = validation_images(data, run)

    def build() -> Network:
        side = card.preprocessing.image_size if model_info(card.model).is_sized else None
        return create_network(
            card.model, n_classes=len(card.classes), head=card.head, pretrained=False, image_size=side
        )

    randomized, rows = with_random_weights(build, x), []
    for method in methods_of(network):
        checks = check_maps(network, maps_by(method), x, randomized)
        shifted = gains(network, maps_by(method), moved(x))
        rows.append(
            Row(
                *(recipe.model, recipe.head, run.metrics["accuracy"].value, method),
                *(checks.similarity, checks.gain, checks.gain_low, checks.passes),
                *(float(shifted.mean()), lower_bound(shifted)),
            )
        )
    print(f"{recipe.model}, {recipe.head}: {len(x)} images, {monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return rows


def gains(network: Network, draw: Maps, x: torch.Tensor) -> np.ndarray:
    """(n,) additional reduction of the probability by blurring in the order of the map, and not from the center."""
    gains_of_maps = []
    side = torch.arange(x.shape[-1], dtype=torch.float32) - (x.shape[-1] - 1) / 2
    outwards = -(side[:, None].square() + side.square())[None]
    for i in range(len(x)):
        image = x[i : i + 1]
        with torch.no_grad():
            number = network(image).argmax(dim=1)
        orders = (draw(network, image, number), outwards)
        by_map, by_center = (deletion_curve(network, image, number, order).mean() for order in orders)
        gains_of_maps.append(by_center - by_map)
    return np.array(gains_of_maps)


def lower_bound(values: np.ndarray) -> float:
    """Return the one-sided 95% lower bound."""
    return float(values.mean() - 1.645 * values.std(ddof=1) / len(values) ** 0.5)


def moved(x: torch.Tensor) -> torch.Tensor:
    """(n, C, S, S): images shifted towards the four corners in turn; the edge is repeated."""
    by = x.shape[-1] // 4
    large = F.pad(x, (by,) * 4, mode="replicate")
    corners = [(2 * by * (i % 2), 2 * by * (i // 2 % 2)) for i in range(len(x))]
    cut = [large[i, :, top : top + x.shape[-2], left : left + x.shape[-1]] for i, (top, left) in enumerate(corners)]
    return torch.stack(cut)


def validation_images(data: Dataset, run: Run) -> torch.Tensor:
    """(n, C, S, S) of at most `N_CHECKED` images."""
    image_ids = {row.image_id for row in run.split if row.split == "val"}
    records = [record for record in data.records if record.image_id in image_ids]
    records = records[:: max(1, len(records) // N_CHECKED)][:N_CHECKED]
    card = cs.load_classifier(run.folder, "cpu").card
    return torch.from_numpy(as_input(np.stack([i.pixels for i in read_preprocessed(records, card.preprocessing)])))


if __name__ == "__main__":
    main()
