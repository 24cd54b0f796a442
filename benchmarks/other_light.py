"""Effect of augmented copies on the instant classifier, on unmodified and modified test images, as a Markdown table.

For each dataset and seed, the script trains with the augmented copies of the default data augmentation, and without
copies (`augment: none`; augmentation has no other effect on the instant stage). Test images are predicted without
modification, with brightness changed by ±15%, with hues rotated by ±15 degrees, and scaled by .9 with a mirrored
border. All values are macro-F1 except for the log loss: means over seeds, and for how many seeds the value with copies
is better, equal and worse. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/other_light.py [--sets NAME…] [--seeds N] [--images N] [--size PX]
"""

import argparse
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import f1_score, log_loss

import coverslip as cs
from coverslip.augmentation.transform import apply_changes, composed
from coverslip.datasets import Dataset
from coverslip.events import ignore
from coverslip.inference import Classifier

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
SETS = {
    "blood_pbc": ("blood_pbc", None),
    "blood_malaria": ("blood_malaria/images.csv", "patient"),
    "pap_herlev": ("pap_herlev/images.csv", "image"),
    "micronuclei": ("micronuclei/images.csv", "image"),
    "nuclei_mitocheck": ("nuclei_mitocheck/images.csv", "movie"),
    "chromosomes_gband": ("chromosomes_gband/images.csv", "case"),
    "chromosomes_qband": ("chromosomes_qband/images.csv", "cell"),
    "cellcycle_jurkat_16bit": ("cellcycle_jurkat_16bit", None),
    "blood_bccd": ("blood_bccd", None),
    "weak_labels_cric": ("weak_labels_cric", None),
}
Change = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {'; '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=900)
    parser.add_argument("--size", type=int, default=96)
    options = parser.parse_args()
    columns = ["dataset", "test images", AS_IS, "with copies", "seeds better, equal, worse", "log loss"]
    columns += [name for name in CHANGES if name != AS_IS]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for name in options.sets:
        show(name, options.seeds, options.images, options.size)


def show(name: str, n_seeds: int, n_images: int, size: int) -> None:
    """Print a row of the table: pairs of values without and with copies."""
    pairs = [trained_both_ways(name, seed, n_images, size) for seed in range(n_seeds)]
    n = pairs[0][0]["n"]

    def mean(what: str, way: int) -> float:
        return float(np.mean([pair[way][what] for pair in pairs]))

    difference = [with_copies[AS_IS] - plain[AS_IS] for plain, with_copies in pairs]
    signs = ", ".join(str(sum(np.sign(each) == sign for each in difference)) for sign in (1, 0, -1))
    cells = [f"{n:.0f}", f"{mean(AS_IS, 0):.3f}", f"{mean(AS_IS, 1):.3f}", signs]
    others = ["log loss", *(change for change in CHANGES if change != AS_IS)]
    cells += [f"{mean(what, 0):.3f} → {mean(what, 1):.3f}" if what in pairs[0][0] else "" for what in others]
    print(f"| {name} |", " | ".join(cells), "|", flush=True)


def trained_both_ways(name: str, seed: int, n_images: int, size: int) -> list[dict[str, float]]:
    """Evaluate instant classifiers without and with copies on the same test images."""
    source, group = SETS[name]
    data = cs.open_dataset(DATA / source, group=group)
    labeled = [i for i, record in enumerate(data.records) if record.label]
    places = np.random.default_rng(seed).permutation(labeled)[:n_images]
    data = data.subset(sorted(places.tolist()))
    both = []
    for augment in ("none", "default"):
        settings = {"stage": "instant", "augment": augment, "image_size": size, "seed": seed, "split": {"folds": 0}}
        with tempfile.TemporaryDirectory() as folder:
            recipe = cs.Recipe.model_validate(settings)
            run = cs.train(data, recipe, out=Path(folder) / "run", emit=ignore)
            both.append(measured(cs.load_classifier(run), test_images(data, run)))
    return both


def test_images(data: Dataset, run: cs.Run) -> Dataset:
    """Return the test images of the run."""
    tested = {row.image_id for row in run.split if row.split == "test"}
    return data.subset([i for i, record in enumerate(data.records) if record.image_id in tested])


def measured(classifier: Classifier, images: Dataset) -> dict[str, float]:
    """Return the macro-F1 for each modification, and the log loss of unmodified images."""
    metrics = {}
    for name, change in CHANGES.items():
        if "hue" in name and classifier.card.preprocessing.channels != 3:
            continue
        rows = list(classifier.predict_images(images, change=change))
        label = [classifier.classes.index(row.label) for row in rows]
        probability = np.array([row.probabilities for row in rows])
        metrics[name] = f1_score(label, probability.argmax(axis=1), average="macro")
        if name == AS_IS:
            metrics |= {"n": len(rows), "log loss": log_loss(label, probability, labels=range(len(classifier.classes)))}
    return metrics


def brighter(factor: float) -> Change:
    """Multiply pixels by a factor, limited to the range of their type."""

    def change(pixels: np.ndarray) -> np.ndarray:
        top = np.iinfo(pixels.dtype).max
        return np.clip(np.rint(pixels * np.float32(factor)), 0, top).astype(pixels.dtype)

    return change


def transformed(**drawn: float) -> Change:
    """Apply the transform of data augmentation to an image."""

    def change(pixels: np.ndarray) -> np.ndarray:
        top = float(np.iinfo(pixels.dtype).max)
        x = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None] / top
        changes = composed(1, {name: torch.full((1,), value) for name, value in drawn.items()})
        return np.rint(apply_changes(x, changes)[0].permute(1, 2, 0).numpy() * top).astype(pixels.dtype)

    return change


AS_IS = "without copies"
CHANGES: dict[str, Change | None] = {
    AS_IS: None,
    "brightness +15%": brighter(1.15),
    "brightness -15%": brighter(0.85),
    "hue +15°": transformed(hue=math.radians(15)),
    "hue -15°": transformed(hue=math.radians(-15)),
    "scale .9": transformed(scale=0.9),
}

if __name__ == "__main__":
    main()
