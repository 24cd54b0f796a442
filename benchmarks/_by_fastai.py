"""Train with fastai for a given time and print the results on a test set as JSON; `budget.py` runs this script.

The script follows fastai's tutorial (images of 224 px, `aug_transforms`, a fifth of the images as validation set,
`fine_tune`: one epoch of the head, then one cycle of all layers) with coverslip's default network and weights. The
number of epochs follows from the time of one epoch, which is measured before and not counted.
"""

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from coverslip.evaluation import score
from coverslip.models.building import build_body
from coverslip.models.catalogue import model_info

_NETWORK = "efficientnet_lite0"
_SIDE_PX = 224
_STATISTICS = ([0.5] * 3, [0.5] * 3)  # mean and standard deviation of pretraining


def main() -> None:
    from fastai.vision.all import (  # type: ignore[import-not-found]  # installed separately
        CategoryBlock,
        DataBlock,
        ImageBlock,
        Normalize,
        RandomSplitter,
        Resize,
        aug_transforms,
        set_seed,
    )

    train, tested = (rows_of(Path(table)) for table in sys.argv[1:3])
    seconds = float(sys.argv[3])
    classes = sorted({line["label"] for line in train})
    set_seed(0)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=classes)),
        get_x=lambda line: line["path"],
        get_y=lambda line: line["label"],
        splitter=RandomSplitter(seed=0),
        item_tfms=Resize(_SIDE_PX),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*_STATISTICS, cuda=False)],
    )
    loaders = block.dataloaders(train, bs=32, num_workers=0)
    of_head, of_all = seconds_of_epochs(learner(loaders, len(classes)))
    epochs = max(1, int((seconds - of_head) / of_all))
    began = time.perf_counter()
    learn = learner(loaders, len(classes))
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(epochs)
        took = time.perf_counter() - began
        probability, _ = learn.get_preds(dl=loaders.test_dl(tested))
    label = torch.tensor([classes.index(line["label"]) for line in tested])
    scores = score(probability.double().numpy(), label.numpy(), names=("accuracy", "macro_f1"))
    print(json.dumps({"network": f"{_NETWORK}, {_SIDE_PX} px", "seconds": took, "epochs": epochs, **scores}))


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def seconds_of_epochs(learn: Any) -> tuple[float, float]:  # Any: fastai's
    """Return the seconds of an epoch of the head, and of an epoch of all layers."""
    taken = []
    with learn.no_bar(), learn.no_logging():
        for change in (learn.freeze, learn.unfreeze):
            change()
            began = time.perf_counter()
            learn.fit(1)
            taken.append(time.perf_counter() - began)
    return taken[0], taken[1]


def learner(loaders: Any, n_classes: int) -> Any:  # Any: fastai's
    """Return the learner that `vision_learner` creates for networks with weights to download."""
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
