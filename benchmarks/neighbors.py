"""Measure whether masking of neighbors in crops improves classification: same objects, folds and seeds, in pairs.

    python benchmarks/neighbors.py --mnfinder MNFINDER --data ../shared/data

MNFINDER is as of `benchmarks/finder.py`. Pixels of other objects, and of 3 pixels around them, are set to the median of
the background of the crop (as `export-objects --mask-neighbors` does, without the rim) or to 0. Classifiers are the
linear probes of instant classifiers, in 5 folds by field, with all training images and with 20 of each class. Crops are
squares of one size for all objects, or the box of each object with a margin of a fifth.

- Red blood cells: squares of 80 pixels around the points of experts, 11 classes. Objects are those of the finder; boxes
  are of points in a found object.
- Nuclei and micronuclei of mnfinder: squares of 64 pixels. Objects are those of its masks.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image
from scipy import ndimage
from sklearn.metrics import f1_score

import coverslip as cs
from coverslip.datasets import fold_units, split_units
from coverslip.images import read_pixels
from coverslip.objects.finding import find_objects

sys.path.insert(0, str(Path(__file__).resolve().parent))
from finder import labels_of_mask
from folds_calibration import Row
from held_out_probes import embedded, probe

Pixels = npt.NDArray[np.uint8]
Features = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
_RIM = 3  # pixels around a neighbor that are masked, too
_VARIANTS = ("whole", "median", "zero")
_SHRINKAGES = [0.1, 1.0, 10.0]  # candidates; the best on validation images is used
_MARGIN = 0.2
_MOST_PADDED = 400  # pixels
Crop = tuple[str, str, str, list[Pixels]]  # field, class, kind of crop, and the crop in each variant


def crops_at(
    name: str, pixels: Pixels, labels: npt.NDArray[np.integer], centers: Iterator[tuple[str, int, int, int]], side: int
) -> Iterator[Crop]:
    """Yield the crops of objects: class, column, row and number in `labels` (0: unknown)."""
    p = _MOST_PADDED
    around = ((p, p), (p, p))
    pixels = np.pad(pixels, (*around, (0, 0))[: pixels.ndim], mode="edge")
    labels = np.pad(labels, around)
    boxes = ndimage.find_objects(labels)
    for label, x, y, number in centers:
        square = (slice(y + p - side // 2, y + p + side // 2), slice(x + p - side // 2, x + p + side // 2))
        yield name, label, "square", variants_of(pixels[square], labels[square], number)
        if number:
            rows, columns = boxes[number - 1]
            margin = round(_MARGIN * max(rows.stop - rows.start, columns.stop - columns.start))
            box = slice(rows.start - margin, rows.stop + margin), slice(columns.start - margin, columns.stop + margin)
            yield name, label, "box", variants_of(pixels[box], labels[box], number)


def variants_of(crop: Pixels, objects: npt.NDArray[np.integer], number: int) -> list[Pixels]:
    """Return a crop in each of the variants."""
    variants = [crop, crop.copy(), crop.copy()]
    if number and (objects == 0).any():
        others = ndimage.binary_dilation((objects > 0) & (objects != number), iterations=_RIM)
        others &= objects != number
        variants[1][others] = np.median(crop[objects == 0], axis=0)
        variants[2][others] = 0
    return variants


def red_cells(data: Path, n_fields: int) -> Iterator[Crop]:
    """Yield the cells around the points of experts, without class 10 (uncategorized)."""
    folder = data / "fields_rbc_chula"
    for file in sorted((folder / "fields").iterdir())[:: max(1, 120 // n_fields)]:
        pixels = read_pixels(file).array
        labels = find_objects(pixels).labels
        points = np.loadtxt(folder / "points" / f"{file.stem}.txt", dtype=int, ndmin=2)
        inside = points[(points[:, :2] < pixels.shape[1::-1]).all(1) & (points[:, 2] != 10)]
        yield from crops_at(file.stem, pixels, labels, ((str(c), x, y, int(labels[y, x])) for x, y, c in inside), 80)


def nuclei(folder: Path) -> Iterator[Crop]:
    """Yield the nuclei and the micronuclei of mnfinder."""
    for mask in sorted(folder.glob("mnfinder/*/*/nucleus_masks/*.png"))[::2]:
        file = mask.parent.parent / "images" / f"{mask.stem}.tif"
        pixels = tifffile.imread(file).astype(np.float64)
        low, high = np.percentile(pixels, [0.1, 99.9])
        pixels = ((pixels - low) / max(high - low, 1) * 255).clip(0, 255).astype(np.uint8)
        labels = labels_of_mask(mask)
        n_nuclei = int(labels.max())
        small = labels_of_mask(mask.parent.parent / "mn_masks" / mask.name, least_pixels=15)
        labels = np.where(small > 0, small + n_nuclei, labels)

        def centers(labels: npt.NDArray[np.integer] = labels, n: int = n_nuclei) -> Iterator[tuple[str, int, int, int]]:
            for number in np.unique(labels[labels > 0]).tolist():
                y, x = (round(each) for each in np.argwhere(labels == number).mean(0))
                yield "nucleus" if number <= n else "micronucleus", x, y, number

        yield from crops_at(f"{mask.parts[-4]}-{mask.parts[-3]}-{mask.stem}", pixels, labels, centers(), 64)


def write(crops: Iterator[Crop], folder: Path) -> dict[str, list[bool]]:
    """Write the crops as PNG files in class folders; return for each kind of crop which have a masked pixel."""
    masked: dict[str, list[bool]] = {}
    for field, label, kind, variants in crops:
        of_kind = masked.setdefault(kind, [])
        of_kind.append(bool((variants[0] != variants[1]).any()))
        for name, crop in zip(_VARIANTS, variants, strict=True):
            path = folder / kind / name / label / f"{field}_{len(of_kind):05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(crop).save(path)
    return masked


def embedded_crops(folder: Path) -> tuple[Features, Ints, Ints]:
    """Return features, class numbers and field numbers of the crops in a folder."""
    features, label, _ = embedded(Row(str(folder.absolute()), None, 0, 0, 96))
    names = [record.path.name.rpartition("_")[0] for record in cs.open_dataset(folder).records]
    return features, label, np.unique(names, return_inverse=True)[1]


def scores(x: Features, y: Ints, field: Ints, seed: int, per_class: int | None) -> float:
    """Return the macro-F1 of the predictions in 5 folds by field."""
    fold, predicted = fold_units(y, field, 5, seed), np.empty_like(y)
    rng = np.random.default_rng(seed)
    for k in range(5):
        rest = np.flatnonzero(fold != k)
        is_val = split_units(y[rest], field[rest], (0.75, 0.25, 0.0), seed + k) == 1
        fit, val = rest[~is_val], rest[is_val]
        if per_class is not None:
            order = rng.permutation(fit)
            fit = np.concatenate([order[y[order] == label][:per_class] for label in np.unique(y)])
        classes, numbers = np.unique(y[fit], return_inverse=True)
        val = val[np.isin(y[val], classes)]
        head = probe(x[fit], numbers, x[val], np.searchsorted(classes, y[val]), len(classes), shrinkages=_SHRINKAGES)
        predicted[fold == k] = classes[head.logits(x[fold == k]).argmax(axis=1)]
    return float(f1_score(y, predicted, average="macro"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--mnfinder", type=Path, required=True, help="the unpacked wheel")
    parser.add_argument("--fields", type=int, default=40, help="of red blood cells")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(
        "| dataset | crops | n | masked | training images | whole crops | median - whole: mean (range) "
        "| 0 - whole: mean (range) |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, crops in (
        ("nuclei, micronuclei", nuclei(options.mnfinder)),
        ("red blood cells", red_cells(options.data, options.fields)),
    ):
        with tempfile.TemporaryDirectory() as scratch:
            for kind, masked in write(crops, Path(scratch)).items():
                sets = [embedded_crops(Path(scratch) / kind / variant) for variant in _VARIANTS]
                for per_class in (20, None):
                    of_seeds = np.array(
                        [[scores(*each, seed, per_class) for each in sets] for seed in range(options.seeds)]
                    )
                    gains = (of_seeds[:, 1:] - of_seeds[:, :1]).T
                    columns = (f"{gain.mean():+.3f} ({gain.min():+.3f} to {gain.max():+.3f})" for gain in gains)
                    size = f"{per_class} of each class" if per_class else "all"
                    row = (name, kind, f"{len(masked):,}", f"{np.mean(masked):.0%}", size)
                    print(f"| {' | '.join((*row, f'{of_seeds[:, 0].mean():.3f}', *columns))} |", flush=True)


if __name__ == "__main__":
    main()
