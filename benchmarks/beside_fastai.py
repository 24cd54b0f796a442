"""A time budget beside fastai: the same images, the same split, as much time, the same ImageNet weights.

    pip install --target FOLDER fastai    # not part of coverslip's environment
    PYTHONPATH=$PYTHONPATH:FOLDER python benchmarks/beside_fastai.py [--sets NAME…] [--minutes 5] [--images 600]

coverslip trains by `--budget`. fastai does what its tutorial does (images of 224 px, `aug_transforms`, `fine_tune`: an
epoch of the head alone, then all layers by one cycle) with EfficientNet-Lite0, coverslip's default network, and gets as
many epochs as fit into the budget by the time that an epoch takes, which is measured before and not counted. Both are
tested on the same images, which neither sees before; fastai sees validation images after each epoch only.
"""

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from _children import succeeded
from budget import DATA, SETS, write_subset
from torch import Tensor, nn

from coverslip.evaluation import score
from coverslip.models.building import build_body
from coverslip.models.catalogue import model_info

_NETWORK = "efficientnet_lite0"
_SIDE_PX = 224
_STATISTICS = ([0.5] * 3, [0.5] * 3)  # mean and standard deviation that its weights were trained with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--minutes", nargs="+", type=float, default=[5])
    parser.add_argument("--images", type=int, default=600)
    chosen = parser.parse_args()
    print("| set | budget s | coverslip: s | accuracy | macro-F1 | fastai: s | epochs | accuracy | macro-F1 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in chosen.sets:
        for minutes in chosen.minutes:
            with tempfile.TemporaryDirectory() as folder:
                print(row(name, 60 * minutes, chosen.images, Path(folder)), flush=True)


def row(name: str, seconds: float, n_images: int, folder: Path) -> str:
    """Both trainings as a row of the table."""
    table, run = folder / "images.csv", folder / "run"
    write_subset(DATA / name, table, n_images, seed=0)
    grouped = ("--group", SETS[name] or "") if SETS[name] else ()
    options = ("--budget", f"{seconds:g}s", "--set", "split.folds=0", "--out", str(run))
    done = succeeded("train", str(table), *grouped, *options, cache=folder / "cache")
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    ours = f"{done.wall_s:.0f} | {metrics['accuracy']['value']:.3f} | {metrics['macro_f1']['value']:.3f}"
    with (run / "split.csv").open(newline="", encoding="utf-8") as file:
        rows = [line for line in csv.DictReader(file) if line["split"] in ("train", "val", "test")]
    took, epochs, found = by_fastai(rows, seconds)
    theirs = f"{took:.0f} | {epochs} | {found['accuracy']:.3f} | {found['macro_f1']:.3f}"
    return f"| {name} | {seconds:g} | {ours} | {theirs} |"


def by_fastai(rows: list[dict[str, str]], seconds: float) -> tuple[float, int, dict[str, float]]:
    """Seconds, epochs, and metrics on the test images."""
    from fastai.vision.all import (  # type: ignore[import-not-found]  # in a folder of its own
        CategoryBlock,
        DataBlock,
        ImageBlock,
        IndexSplitter,
        Normalize,
        Resize,
        aug_transforms,
    )

    classes = sorted({line["label"] for line in rows})
    seen = [line for line in rows if line["split"] != "test"]
    tested = [line for line in rows if line["split"] == "test"]
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=classes)),
        get_x=lambda line: line["path"],
        get_y=lambda line: line["label"],
        splitter=IndexSplitter([i for i, line in enumerate(seen) if line["split"] == "val"]),
        item_tfms=Resize(_SIDE_PX),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*_STATISTICS, cuda=False)],
    )
    loaders = block.dataloaders(seen, bs=32, num_workers=0)
    of_head, of_all = seconds_of_epochs(learner(loaders, len(classes)))
    epochs = max(1, int((seconds - of_head) / of_all))
    began = time.perf_counter()
    learn = learner(loaders, len(classes))
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(epochs)
        probability, _ = learn.get_preds(dl=loaders.test_dl(tested))
    label = torch.tensor([classes.index(line["label"]) for line in tested])
    found = score(probability.double().numpy(), label.numpy(), names=("accuracy", "macro_f1"))
    return time.perf_counter() - began, epochs, found


def seconds_of_epochs(learn: Any) -> tuple[float, float]:  # Any: fastai's
    """Of an epoch of the head alone, and of all layers."""
    taken = []
    with learn.no_bar(), learn.no_logging():
        for change in (learn.freeze, learn.unfreeze):
            change()
            began = time.perf_counter()
            learn.fit(1)
            taken.append(time.perf_counter() - began)
    return taken[0], taken[1]


def learner(loaders: Any, n_classes: int) -> Any:  # Any: fastai's
    """What `vision_learner` makes of a network whose weights it can download."""
    from fastai.vision.all import Learner, apply_init, create_head, default_split

    body = Body()
    head = create_head(body.n_features, n_classes)
    network = nn.Sequential(body, head)
    apply_init(network[1], nn.init.kaiming_normal_)
    return Learner(loaders, network, splitter=default_split)


class Body(nn.Module):
    """The convolutions of the network, with ImageNet weights: images to maps of features."""

    def __init__(self) -> None:
        super().__init__()
        record = model_info(_NETWORK)
        self.network = build_body(record, channels=3, pretrained=True, options={}, image_size=_SIDE_PX)
        self.n_features = self.forward(torch.zeros(1, 3, _SIDE_PX, _SIDE_PX)).shape[1]

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.network.forward_features(x)  # type: ignore[operator]  # timm's
        return maps


if __name__ == "__main__":
    main()
