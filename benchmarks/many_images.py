"""Time and memory per image for increasing numbers of small images.

The script writes synthetic images of 64 x 64 pixels in four classes and runs `inspect`, an instant `train` and
`predict` on them, each as a child process, with an empty cache for every count; `inspect again` finds its metadata in
the cache. The last columns compare processor seconds with the smallest count. A ratio above 1 means that the time per
image increases (start-up makes small counts slow). Processor seconds depend little on other work on the machine.

    python benchmarks/many_images.py [--counts N N…] [--set key=value…]
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np
from _children import Done, succeeded
from _records import Record
from PIL import Image

RECORD = Record("Many images", [f"src/coverslip/{name}" for name in ("datasets", "training", "inference")])
SIDE = 64
CLASSES = ("dots", "rings", "bars", "crosses")
IN_A_FOLDER = 1000  # as in an export in several folders
SETTINGS = ("stage=instant", "image_size=32", "tta=1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings of training")
    RECORD.add_option(parser)
    options = parser.parse_args()
    first: dict[str, tuple[Done, int]] = {}
    print(
        "| command | images | s | processor s | ms per image | ratio | peak memory (MiB) | KiB per additional image |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for count in sorted(options.counts):
        with tempfile.TemporaryDirectory() as scratch:
            for name, done in run_all(Path(scratch), count, [*SETTINGS, *options.set]).items():
                before, n_before = first.setdefault(name, (done, count))
                each, each_before = done.processor_s / count, before.processor_s / n_before
                more = 1024 * (done.peak_mib - before.peak_mib) / (count - n_before) if count > n_before else 0.0
                print(
                    f"| {name} | {count:,} | {done.wall_s:.1f} | {done.processor_s:.1f} | {1000 * each:.2f} "
                    f"| {each / each_before:.2f} | {done.peak_mib:.0f} | {more:.2f} |",
                    flush=True,
                )
                if count == max(options.counts):
                    note, n = f"peak memory {done.peak_mib:,.0f} MiB", f"{count:,} images"
                    RECORD.add("Processor time per image", round(1000 * each, 2), "ms", of=name, n=n, note=note)
    RECORD.write()


def run_all(scratch: Path, count: int, settings: list[str]) -> dict[str, Done]:
    """Measure each command on `count` images."""
    images, run, cache = scratch / "images", scratch / "run", scratch / "cache"
    draw(images, count)
    choices = [part for setting in settings for part in ("--set", setting)]
    done = {
        "inspect": succeeded("inspect", str(images), "--json", cache=cache),
        "inspect again": succeeded("inspect", str(images), "--json", cache=cache),
        "train": succeeded("train", str(images), *choices, "--out", str(run), cache=scratch / "cache of train"),
        "predict": succeeded("predict", str(run), str(images), "--out", str(scratch / "p.csv"), cache=cache),
    }
    assert json.loads(done["inspect"].stdout)["n_readable"] == count
    with (scratch / "p.csv").open(newline="", encoding="utf-8") as file:
        assert sum(1 for _ in csv.DictReader(file)) == count
    return done


def draw(folder: Path, count: int) -> None:
    """Write PNG images of a bright shape on noise, all different."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    for i in range(count):
        y, x = rng.uniform(24, 40, 2)
        distance = np.hypot(rows - y, columns - x)
        shape = {
            "dots": distance < 9,
            "rings": abs(distance - 14) < 3,
            "bars": abs(columns - x) < 3,
            "crosses": (abs(columns - x) < 3) | (abs(rows - y) < 3),
        }[CLASSES[i % 4]]
        noise = rng.integers(0, 60, (SIDE, SIDE), dtype=np.uint8)
        path = folder / CLASSES[i % 4] / f"part{i // (4 * IN_A_FOLDER):03d}" / f"{i:06d}.png"
        if i % (4 * IN_A_FOLDER) < 4:
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise + np.uint8(120) * shape).save(path, compress_level=1)


if __name__ == "__main__":
    main()
