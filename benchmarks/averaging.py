"""Compare the mean of two networks' probabilities with the better network, for instant classifiers.

    python benchmarks/averaging.py [--sets blood_pbc …] [--seeds 2] [--images 400] [--size 96]

For each dataset and seed, the script compares the network with the better validation results (EfficientNet-Lite0 or
MobileNetV2) with the mean of both networks' calibrated probabilities, on the same test images. Datasets are those of
COVERSLIP_DATA, reduced to a number of images; splits are grouped if groups are known.
"""

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import coverslip as cs
from coverslip.datasets import DecodedPixels, scan_images, split_images
from coverslip.engines import embed
from coverslip.evaluation import apply_temperature, fit_temperature, score
from coverslip.experiments import SplitData, apply_recipe
from coverslip.runs import Recipe
from coverslip.training.fitting import initial_network
from coverslip.training.linear_probe import fit_linear_probe
from coverslip.training.preprocessing import learn_preprocessing
from coverslip.training.ranking import primary_score, rank

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
NETWORKS = ("efficientnet_lite0", "mobilenet_v2")
SETS = {
    "blood_pbc": ("blood_pbc", None),
    "micronuclei": ("micronuclei/images.csv", "image"),
    "pap_herlev": ("pap_herlev/images.csv", "image"),
    "nuclei_mitocheck": ("nuclei_mitocheck/images.csv", "movie"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--size", type=int, default=96, help="side in pixels")
    options = parser.parse_args()
    print(
        "| dataset | seed | better network: macro-F1, log loss | mean of both: macro-F1, log loss | gain in macro-F1 |"
    )
    print("|---|---|---|---|---|")
    gains = []
    for name in options.sets:
        for seed in range(options.seeds):
            single, mean = compared(name, seed, options.images, options.size)
            gains.append(mean["macro_f1"] - single["macro_f1"])
            cells = (f"{scores['macro_f1']:.3f}, {scores['log_loss']:.3f}" for scores in (single, mean))
            print(f"| {name} | {seed} | {' | '.join(cells)} | {gains[-1]:+.3f} |", flush=True)
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    print(f"\nMean gain {statistics.mean(gains):+.4f}, standard error {error:.4f}.")


def compared(name: str, seed: int, n_images: int, size: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return test metrics of the network with the better validation results, and of the mean of both networks."""
    source, group = SETS[name]
    recipe = Recipe(image_size=size, seed=seed, stage="instant")
    data, recipe = apply_recipe(cs.open_dataset(DATA / source, group=group), recipe)
    order = np.random.default_rng(seed).permutation(len(data.records))
    data = data.subset(sorted(order[:n_images].tolist()))
    scan = scan_images(data)
    parts = SplitData(data, scan, split_images(data, scan, val=0.2, test=0.3, seed=seed))
    ranks, probabilities = [], []
    for model in NETWORKS:
        val, test = logits_of(parts, recipe.model_copy(update={"model": model}))
        label = parts.label[parts.val]
        ranks.append(rank(val, label, recipe))
        probabilities.append(apply_temperature(test, fit_temperature(val, label)))
    label = parts.label[parts.test]
    is_known = label >= 0
    better = probabilities[max(range(len(NETWORKS)), key=ranks.__getitem__)]
    mean = np.mean(probabilities, axis=0)
    return score(better[is_known], label[is_known]), score(mean[is_known], label[is_known])


def logits_of(parts: SplitData, recipe: Recipe) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the logits of an instant classifier for validation and test images."""
    preprocessing = learn_preprocessing(parts.train_facts, recipe)
    pixels_of = DecodedPixels(parts.data, parts.scan, preprocessing)
    network, _ = initial_network(parts.training_images(pixels_of), preprocessing, recipe, None)
    positions = np.concatenate([parts.train, parts.val, parts.test]).tolist()
    n_train, n_known = len(parts.train), len(parts.train) + len(parts.val)
    with embed(
        network,
        parts.pixel_hashes(positions),
        lambda rows: pixels_of([positions[i] for i in rows]),
        preprocessing=preprocessing.model_dump(mode="json"),
        tta=recipe.tta,
    ) as (features, _):
        train, val = features.part(slice(n_train)), features.part(slice(n_train, n_known))
        head = fit_linear_probe(
            train,
            parts.label[parts.train],
            val,
            parts.label[parts.val],
            n_classes=len(parts.classes),
            balanced=False,
            better=lambda logits, label: primary_score(logits, label, recipe),
        )
        return head.logits(val), head.logits(features.part(slice(n_known, None)))


if __name__ == "__main__":
    began = time.process_time()
    main()
    print(f"{time.process_time() - began:.0f} processor seconds")
