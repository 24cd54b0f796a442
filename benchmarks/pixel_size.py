"""Accuracy on test images of another pixel size, with and without rescaling.

Images of nuclei (64 x 64 pixels, 16 classes) and chromosomes (of various sizes) are saved as OME-TIFF with a stated
pixel size. A classifier is trained on whole groups, and evaluated on the images of other groups: unchanged, and saved
as if taken with

- half the resolution: the same field of view, half the pixels per side;
- twice the magnification: the central half of the field of view, the same pixels per side.

    python benchmarks/pixel_size.py --data ../shared/data --out /tmp/pixel_size
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

import coverslip as cs
from coverslip.images import read_pixels
from coverslip.runs import Recipe, SplitPlan

_UM = 0.5
_CONDITIONS: dict[str, tuple[float, Callable[[Image.Image], Image.Image]]] = {
    "as in training": (_UM, lambda image: image),
    "half the resolution": (2 * _UM, lambda image: _resized(image, 0.5)),
    "twice the magnification": (_UM / 2, lambda image: _resized(_center(image), 2)),
}
_SETS = {
    "nuclei_mitocheck": ("movie", ("pad",)),  # of one size, so that canvas is the same
    "chromosomes_qband": ("cell", ("pad", "canvas")),
}
_TEST_SHARE = 0.3
_MOST_OF_CLASS = 60  # images


def _resized(image: Image.Image, factor: float) -> Image.Image:
    size = [max(1, round(side * factor)) for side in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC)


def _center(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 4, height // 4, width - width // 4, height - height // 4))


def _rows(folder: Path, group: str) -> list[dict[str, str]]:
    with (folder / "images.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random = np.random.default_rng(0)
    order = [rows[i] for i in random.permutation(len(rows))]
    n_of: dict[str, int] = {}
    selected = []
    for row in order:
        n_of[row["label"]] = n_of.get(row["label"], 0) + 1
        if n_of[row["label"]] <= _MOST_OF_CLASS:
            selected.append(row)
    groups = sorted({row[group] for row in selected})
    test = {groups[i] for i in random.permutation(len(groups))[: round(_TEST_SHARE * len(groups))]}
    return [{**row, "is_test": "yes" if row[group] in test else ""} for row in selected]


def _write(source: Path, rows: list[dict[str, str]], folder: Path, group: str, condition: str) -> Path:
    um, change = _CONDITIONS[condition]
    folder.mkdir(parents=True)
    with (folder / "images.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for i, row in enumerate(rows):
            image = change(Image.fromarray(read_pixels(source / row["path"]).array[..., 0]))
            about = {"PhysicalSizeX": um, "PhysicalSizeY": um, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
            tifffile.imwrite(folder / f"{i:05d}.ome.tif", np.asarray(image), metadata={"axes": "YX", **about})
            writer.writerow([f"{i:05d}.ome.tif", row["label"], row[group]])
    return folder / "images.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(_SETS))
    parser.add_argument("--image-size", type=int, default=64)
    arguments = parser.parse_args()
    print("| dataset | `resize` | test images | n | without rescaling (95% CI) | with `--rescale` (95% CI) |")
    print("|---|---|---|---|---|---|")
    for name in arguments.sets:
        group, resizes = _SETS[name]
        source, out = arguments.data / name, arguments.out / name
        rows = _rows(source, group)
        test = [row for row in rows if row["is_test"]]
        train = _write(source, [row for row in rows if not row["is_test"]], out / "train", group, "as in training")
        tests = {each: _write(source, test, out / each.replace(" ", "_"), group, each) for each in _CONDITIONS}
        for resize in resizes:
            recipe = Recipe(
                stage="instant", image_size=arguments.image_size, resize=resize, split=SplitPlan(test=0.1, folds=0)
            )
            run = cs.train(cs.open_dataset(train), recipe, out=out / f"run_{resize}", emit=lambda _: None)
            for condition, table in tests.items():
                cells = []
                for rescale in (False, True):
                    evaluated = cs.evaluate(
                        run.folder,
                        table,
                        name=f"{table.parent.name}_{rescale}",
                        rescale=rescale,
                        device="cpu",
                        emit=lambda _: None,
                    )
                    accuracy, n = evaluated.metrics["accuracy"], evaluated.metrics.n
                    cells.append(f"{accuracy.value:.3f} ({accuracy.low:.3f} to {accuracy.high:.3f})")
                print(f"| {name} | {resize} | {condition} | {n} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
