"""Does masking of neighbors in crops improve classification? Crops as they are, and with neighbors filled, in pairs.

    python benchmarks/neighbors.py --mnfinder MNFINDER --data ../shared/data

MNFINDER is as of `benchmarks/finder.py`. Pixels of other objects are filled with the median of the crop's background.
The instant classifiers of both variants have the same folds, by field; one pair for each seed.

- Red blood cells: crops of 80 pixels around the points of experts, 11 classes. Objects are those of the finder.
- Nuclei and micronuclei of mnfinder: crops of 64 pixels. Objects are those of its masks.
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

import coverslip as cs
from coverslip.images import read_pixels
from coverslip.objects.finding import find_objects

sys.path.insert(0, str(Path(__file__).resolve().parent))
from finder import labels_of_mask

Pixels = npt.NDArray[np.uint8]
_RIM = 3  # pixels around a neighbor that are filled, too
Crop = tuple[str, str, Pixels, Pixels]  # field, class, crop, and crop without neighbors


def crops_at(
    name: str, pixels: Pixels, labels: npt.NDArray[np.integer], centers: Iterator[tuple[str, int, int, int]], side: int
) -> Iterator[Crop]:
    """Yield the crops of objects: class, column, row and number in `labels` (0: unknown)."""
    half = side // 2
    around = ((half, half), (half, half))
    pixels = np.pad(pixels, (*around, (0, 0))[: pixels.ndim], mode="edge")
    labels = np.pad(labels, around)
    for label, x, y, number in centers:
        crop, objects = pixels[y : y + side, x : x + side], labels[y : y + side, x : x + side]
        masked = crop.copy()
        if number and (objects == 0).any():
            others = ndimage.binary_dilation((objects > 0) & (objects != number), iterations=_RIM)
            masked[others & (objects != number)] = np.median(crop[objects == 0], axis=0)
        yield name, label, crop, masked


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


def write(crops: Iterator[Crop], folder: Path) -> int:
    """Write the crops as PNG files in class folders; return their number."""
    n = 0
    for n, (field, label, *variants) in enumerate(crops, start=1):
        for name, crop in zip(("whole", "masked"), variants, strict=True):
            path = folder / name / label / f"{field}_{n:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(crop).save(path)
    return n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--mnfinder", type=Path, required=True, help="the unpacked wheel")
    parser.add_argument("--fields", type=int, default=60, help="of red blood cells")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print("| dataset | crops | seeds | macro-F1, whole crops | macro-F1, masked | masked - whole: mean (range) |")
    print("|---|---|---|---|---|---|")
    for name, crops in (
        ("red blood cells", red_cells(options.data, options.fields)),
        ("nuclei and micronuclei", nuclei(options.mnfinder)),
    ):
        with tempfile.TemporaryDirectory() as scratch:
            n, scores = write(crops, Path(scratch)), []
            for seed in range(options.seeds):
                recipe = cs.Recipe(
                    stage="instant", image_size=96, seed=seed, group=r"([^/]+)_\d+\.png$",
                    split={"folds": 5, "near_duplicates": "ignore"},
                )  # fmt: skip
                pair = [
                    cs.train(
                        Path(scratch) / variant, recipe, out=Path(scratch) / f"{variant}{seed}", emit=lambda e: None
                    )
                    for variant in ("whole", "masked")
                ]
                scores.append([run.metrics["macro_f1"].value for run in pair])
                print(name, seed, scores[-1], file=sys.stderr, flush=True)
            whole, masked = np.array(scores).T
            gain = masked - whole
            print(
                f"| {name} | {n:,} | {options.seeds} | {whole.mean():.3f} | {masked.mean():.3f} "
                f"| {gain.mean():+.3f} ({gain.min():+.3f} to {gain.max():+.3f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
