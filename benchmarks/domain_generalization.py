"""GroupDRO against plain training on domains that training did not contain, as a Markdown table.

Each domain (an experiment, a patient, a case) is left out in turn: a small head on the features of EfficientNet-Lite0
(ImageNet weights) is trained on the other domains, and tested on this domain. Both methods have the same images, seeds
and steps. Macro-F1 is averaged over seeds; the interval of the difference is that of Student's t over domains.
GroupDRO: Sagawa and others 2020. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/domain_generalization.py [--seeds 3]
"""

import argparse
import os
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from finetuning import rows_of, write_rows
from scipy.stats import t
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import coverslip as cs
from coverslip.datasets import DecodedPixels, scan_images
from coverslip.evaluation import METRICS
from coverslip.images import ImageFacts
from coverslip.models.networks import create_network
from coverslip.runs import Recipe
from coverslip.training.preprocessing import learn_preprocessing

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
DOMAINS = {  # the column of the domains, and the most images of a class in a domain
    "micronuclei": ("experiment", 50),
    "blood_malaria": ("patient", 50),
    "chromosomes_gband": ("case", 6),
}
METHODS = ("plain", "GroupDRO")
_MOST_DOMAINS = 8
_N_EPOCHS, _BATCH, _LEARNING_RATE = 15, 32, 1e-3
_WEIGHT_STEP = 0.01  # of GroupDRO, as in the publication


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    n_seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    print(f"| dataset | domain left out | {' | '.join(METHODS)} |\n|---|---|{'---|' * len(METHODS)}")
    gains = []
    for name, (column, most) in DOMAINS.items():
        rows = list(left_out(name, column, most, n_seeds))
        for domain, plain, robust in rows:
            print(f"| {name} | {domain} | {plain:.3f} | {robust:.3f} |", flush=True)
        print(f"| **{name}** | difference | | {spread([robust - plain for _, plain, robust in rows])} |", flush=True)
        print(f"| **{name}** | worst domain | {min(row[1] for row in rows):.3f} | {min(row[2] for row in rows):.3f} |")
        gains += [robust - plain for _, plain, robust in rows]
    print(f"| **all datasets** | difference | | {spread(gains)} |")


def spread(differences: list[float]) -> str:
    """Return the mean difference with its 95% confidence interval over domains."""
    n, mean = len(differences), statistics.mean(differences)
    reach = float(t.ppf(0.975, n - 1)) * statistics.stdev(differences) / n**0.5
    n_better = sum(each > 0 for each in differences)
    return f"{mean:+.3f} ({mean - reach:+.3f} to {mean + reach:+.3f}), better on {n_better} of {n}"


def left_out(name: str, column: str, most: int, n_seeds: int) -> Iterator[tuple[str, float, float]]:
    """Yield each domain with the macro-F1 of both methods on it, the mean over seeds."""
    rows = sampled(rows_of(DATA / name / "images.csv"), column, most)
    classes, domains = (sorted({row[key] for row in rows}) for key in ("label", column))
    label = np.array([classes.index(row["label"]) for row in rows])
    domain = np.array([domains.index(row[column]) for row in rows])
    features = embedded(rows, column)
    for k, title in enumerate(domains):
        train, test = np.flatnonzero(domain != k), np.flatnonzero(domain == k)
        mean, sd = features[train].mean(0), features[train].std(0) + 1e-6
        x, held_out = ((features[part] - mean) / sd for part in (train, test))
        y, group = torch.from_numpy(label[train]), torch.from_numpy(domain[train])
        scores = []
        for is_robust in (False, True):
            values = []
            for seed in range(n_seeds):
                head = trained(x, y, group, len(classes), seed, is_robust)
                probability = head(held_out).detach().softmax(1).numpy()
                f1 = METRICS["macro_f1"].value(probability, label[test], probability.argmax(1))
                values.append(float(f1))
            scores.append(statistics.mean(values))
        yield title, *scores


def sampled(rows: list[dict[str, str]], column: str, most: int) -> list[dict[str, str]]:
    """Return images of the domains with the most images."""
    cells: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[row[column]][row["label"]].append(row)
    n_of = {name: sum(min(len(of_class), most) for of_class in cells[name].values()) for name in cells}
    draw = random.Random(0)
    return [
        row
        for name in sorted(cells, key=lambda name: -n_of[name])[:_MOST_DOMAINS]
        for _, of_class in sorted(cells[name].items())
        for row in draw.sample(of_class, min(most, len(of_class)))
    ]


def embedded(rows: list[dict[str, str]], column: str) -> Tensor:
    """Return (n, D) features. Each image is scaled by its own range, so that no domain affects another one."""
    with tempfile.TemporaryDirectory() as folder:
        data = cs.open_dataset(write_rows(rows, column, Path(folder) / "images.csv"))
        assert [record.label for record in data.records] == [row["label"] for row in rows]
        scan = scan_images(data)
        facts = [fact for fact in scan.facts if isinstance(fact, ImageFacts)]
        preprocessing = learn_preprocessing(facts, Recipe(image_size=64, scaling="per-image"))
        pixels = DecodedPixels(data, scan, preprocessing)(range(len(rows)))
    x = torch.from_numpy(pixels.astype(np.float32) / np.iinfo(pixels.dtype).max).permute(0, 3, 1, 2)
    network = create_network("efficientnet_lite0", n_classes=2, channels=x.shape[1]).eval()
    with torch.no_grad():
        return torch.cat([network.features(part) for part in x.split(64)])


def trained(x: Tensor, y: Tensor, group: Tensor, n_classes: int, seed: int, is_robust: bool) -> nn.Module:
    """Return a head trained on features, ready for prediction."""
    torch.manual_seed(seed)
    head = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, n_classes))
    optimizer = torch.optim.AdamW(head.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    weight = {int(k): 1.0 for k in group.unique()}
    for _ in range(_N_EPOCHS):
        for batch in torch.randperm(len(x)).split(_BATCH):
            losses = cross_entropy(head(x[batch]), y[batch], reduction="none")
            loss = worst_case(losses, group[batch], weight) if is_robust else losses.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return head.eval()


def worst_case(losses: Tensor, group: Tensor, weight: dict[int, float]) -> Tensor:
    """Return the loss of GroupDRO, and increase the weights of domains with large losses."""
    of_group = {int(k): losses[group == k].mean() for k in group.unique()}
    for k, loss in of_group.items():
        weight[k] *= float(torch.exp(_WEIGHT_STEP * loss.detach()))
    total = sum(weight.values())
    return torch.stack([weight[k] / total * loss for k, loss in of_group.items()]).sum()


if __name__ == "__main__":
    main()
