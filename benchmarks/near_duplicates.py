"""Cost and effect of the near-duplicate search in trainings on real datasets, as a Markdown table.

    python benchmarks/near_duplicates.py [--sets NAME…] [--train] [--size 224]

The table lists processor seconds, because the machine may be busy: of decoding, of the search (thumbnails and
comparison), and with `--train` of a whole training of the instant classifier with an empty cache, search included.
`--train` trains with `split.near_duplicates` set to together and to ignore, and lists the number of images in another
set of the split, and both macro-F1. Images: COVERSLIP_DATA, default ../shared/data.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from _records import Record
from real_findings import SETS

import coverslip as cs
from coverslip.audit.near_duplicates import ScanCollector, with_near_duplicates
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.related_images import undivided_clusters
from coverslip.datasets.quality.scanning import scan_images

RECORD = Record(
    "Near-duplicates in trainings",
    [
        *(f"src/coverslip/audit/{name}.py" for name in ("near_duplicates", "small_pictures")),
        "src/coverslip/datasets/splits",
    ],
)
HEAD = "dataset|images|decoding|search|ms per image|clusters|images in clusters|largest|kept together"
TRAINED = "instant training|images in another set|macro-F1 together|macro-F1 ignore"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {', '.join(SETS)}")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--size", type=int, default=224, help="image size of the trainings")
    RECORD.add_option(parser)
    options = parser.parse_args()
    head = f"{HEAD}|{TRAINED}" if options.train else HEAD
    print(f"| {' | '.join(head.split('|'))} |\n|{'---|' * len(head.split('|'))}")
    searches: list[tuple[float, str]] = []
    for name in options.sets:
        where, column, pattern = SETS[name]
        source = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")) / where
        data = open_dataset(source, group=column, group_pattern=pattern)
        with tempfile.TemporaryDirectory() as folder:
            os.environ["COVERSLIP_CACHE"] = folder
            cells = [name, f"{len(data):,}", *searched(data)]
        if options.train:
            with tempfile.TemporaryDirectory() as folder:
                os.environ["COVERSLIP_CACHE"] = f"{folder}/cache"
                cells += trained(name, data, Path(folder), options.size)
        print(f"| {' | '.join(cells)} |", flush=True)
        searches.append((float(cells[4]), name))
    for which, (milliseconds, name) in (("slowest", max(searches)), ("fastest", min(searches))):
        RECORD.add("Search per image, processor time", milliseconds, "ms", of=f"{which} dataset, {name}")
    RECORD.write()


def searched(data: Dataset) -> list[str]:
    began = time.process_time()
    scan_images(data, n_threads=1)
    decoding = time.process_time() - began
    os.environ["COVERSLIP_CACHE"] += "/search"
    began = time.process_time()
    seen = ScanCollector(len(data))
    scan = with_near_duplicates(data, scan_images(data, n_threads=1, on_pixels=seen), seen)
    search = time.process_time() - began - decoding
    clusters = sorted(map(len, scan.near_duplicates or ()), reverse=True)
    each = f"{1000 * search / len(data):.1f}"
    sizes = ", ".join(map(str, clusters[:3])) or "–"
    n_clusters = len(undivided_clusters(data, scan))
    return [f"{decoding:.1f}", f"{search:.1f}", each, str(len(clusters)), str(sum(clusters)), sizes, str(n_clusters)]


def trained(name: str, data: Dataset, folder: Path, size: int) -> list[str]:
    base = {"stage": "instant", "image_size": size, "split": {"folds": 0}}
    began = time.process_time()
    runs = []
    for choice in ("together", "ignore"):
        recipe = cs.Recipe.model_validate({**base, "split": {"folds": 0, "near_duplicates": choice}})
        runs.append(cs.train(data, recipe, out=folder / choice))
        if choice == "together":
            seconds = time.process_time() - began
    together, ignore = runs
    moved = sum(a.split != b.split for a, b in zip(together.split, ignore.split, strict=True))
    values = [run.metrics["macro_f1"] for run in runs]
    for choice, value in zip(("together", "ignored"), values, strict=True):
        claim, interval = "Macro-F1 with near-duplicates together or ignored in the split", (value.low, value.high)
        rounded = None if value.low is None else tuple(round(end, 3) for end in interval)
        RECORD.add(claim, round(value.value, 3), of=f"{name}, {choice}", interval=rounded)
    return [f"{seconds:.0f}", str(moved), *(f"{v.value:.3f} ({v.low:.3f} to {v.high:.3f})" for v in values)]


if __name__ == "__main__":
    main()
