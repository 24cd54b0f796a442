"""Cost of recognizing the files of a training by their bytes, against reading the images.

    python benchmarks/identity.py [--images 30000] [--side 128] [--folder FOLDER]

Draws color images (PNG) of `--side` pixels below a new folder in FOLDER (default: the folder for temporary files), and
prints processor seconds of one thread, with and without the system's, because the machine may be busy. The files are in
the memory of the system, so no line contains the time of a disk.

- reading the bytes of all files, without any use of them;
- verified: the hashes of all files, read as on a network drive or on Windows, of an empty cache;
- fast path: the same hashes by the state of the files, as on a local disk;
- reading the images: a scan with an empty cache, which hashes and decodes all files;
- the same scan again, with each way of recognizing files.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _records import Record
from PIL import Image

from coverslip.cache.file_hashes import FileHashes
from coverslip.datasets.content_hashes import find_hashes, hash_files
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.scanning import scan_images

RECORD = Record(
    "Recognition of files",
    [
        "src/coverslip/cache/file_hashes.py",
        "src/coverslip/datasets/content_hashes.py",
        "src/coverslip/datasets/quality",
    ],
)
HOUR_NS = 3600 * 10**9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=30_000)
    parser.add_argument("--side", type=int, default=128, help="width and height of the images in pixels")
    parser.add_argument("--folder", type=Path, help="where to draw the images, to measure another disk")
    RECORD.add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        os.environ["COVERSLIP_CACHE"] = f"{folder}/cache"
        measure(open_dataset(drawn(Path(folder, "images"), options.images, options.side)), options.side)
    RECORD.write()


def drawn(folder: Path, n: int, side: int) -> Path:
    """Draw a disc on noise in each image, as large as those of a microscope after compression."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - side / 2
    for k in range(n):
        label = "small" if k % 2 else "large"
        disc = (x**2 + y**2 < (side / (6 if k % 2 else 3)) ** 2)[..., None] * 120
        pixels = (random.integers(0, 32, (side, side, 3)) + disc).astype(np.uint8)
        file = folder / label / f"{k % 100}" / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    return folder


def measure(data: Dataset, side: int) -> None:
    n_bytes = sum(record.path.stat().st_size for record in data.records)
    print(f"{len(data):,} images of {side} x {side} pixels, {n_bytes / 1e6:,.0f} MB\n")
    print("| step | processor s | of it in the system | µs per image | of reading the images |\n|---|---|---|---|---|")
    bytes_s = seconds_of(lambda: [record.path.read_bytes() for record in data.records])
    cold_s = seconds_of(lambda: scan_images(data, n_threads=1))
    # The files were just drawn: their states are trusted as if that had been an hour ago.
    with FileHashes(clock=lambda: time.time_ns() + HOUR_NS) as hashes:
        verified_s = seconds_of(lambda: [hashes.read(record.files) for record in data.records])
    with FileHashes() as hashes:
        by_state: list[bytes | None] = []
        fast_s = seconds_of(lambda: by_state.extend(find_hashes(data.records, hashes)))
        assert [digest and digest.hex() for digest in by_state] == [*hash_files(data.records, hashes)]
    is_local = None not in by_state
    warm_s = seconds_of(lambda: scan_images(data, n_threads=1))
    with tempfile.TemporaryDirectory() as folder:
        facts, copy = Path(os.environ["COVERSLIP_CACHE"], "facts"), Path(folder, "facts")
        os.environ["COVERSLIP_CACHE"] = folder  # a cache with the same facts, but without hashes
        facts.rename(copy)
        verified_scan_s = seconds_of(lambda: scan_images(data, n_threads=1))
    steps = {
        "reading the bytes": bytes_s,
        "recognition, verified": verified_s,
        "recognition, fast path": fast_s,
        "reading the images": cold_s,
        "scan again, verified": verified_scan_s,
        "scan again, fast path": warm_s,
    }
    for name, (user, system) in steps.items():
        total = user + system
        each = f"{1e6 * total / len(data):.1f} | {100 * total / sum(cold_s):.2f}%"
        print(f"| {name} | {total:.2f} | {system:.2f} | {each} |")
    if not is_local:
        print(
            "\nThe state of files is not trusted on this disk: the lines of the fast path are those of reading files."
        )
    size = f"{len(data)} images of {side} x {side} pixels"
    fast, verified = 100 * sum(fast_s) / sum(cold_s), sum(verified_s) / sum(bytes_s)
    note = "target: at most 1%" if is_local else "target: at most 1%; not on a local disk"
    claim = "Processor time at the start of a training, of reading the images"
    RECORD.add(claim, round(fast, 2), "%", of="by the state of files", n=size, note=note)
    share = 100 * sum(verified_s) / sum(cold_s)
    RECORD.add(claim, round(share, 1), "%", of="by their bytes", n=size)
    RECORD.add("By their bytes, of reading the bytes only", round(verified, 2), note="target: about 1")
    for name in ("scan again, verified", "scan again, fast path"):
        share = 100 * sum(steps[name]) / sum(cold_s)
        RECORD.add("Processor time of a second scan, of the first one", round(share, 1), "%", of=name)


def seconds_of(work: Callable[[], object]) -> tuple[float, float]:
    """Return the processor seconds of work in this process, in its code and in the system."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
