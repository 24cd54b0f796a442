"""Time and peak memory of files with false size declarations, and of the largest images that are read.

A separate process inspects each file. Exit code 1 if a file takes over 10 s of processor time or 1 GB, or a hostile
file is read.

    python benchmarks/hostile_images.py
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
from _children import coverslip
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from hostile_images import HOSTILE  # type: ignore[import-not-found]

MOST_SECONDS, MOST_MIB = 10, 1000
SIDE = 8192  # of the largest image in 8-bit color


def main() -> None:
    if len(sys.argv) > 2:
        FILES[sys.argv[1]](Path(sys.argv[2]))
        return
    print("| file | bytes | processor time (s) | peak memory (MiB) | |\n|---|---|---|---|---|")
    faults = [name for name in FILES if is_at_fault(name)]
    sys.exit(1 if faults else 0)


def is_at_fault(name: str) -> bool:
    """Print a row of the table; return whether the file exceeds a limit or a hostile file is read."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "images" / "a" / f"image.{name.rsplit('.', 1)[-1] if '.' in name else 'tif'}"
        image.parent.mkdir(parents=True)
        # Another process writes the file: the peak of a child process is never below the size of its parent.
        subprocess.run([sys.executable, __file__, name, str(image)], check=True)
        done = coverslip("inspect", str(image.parent.parent), "--json", cache=Path(scratch) / "cache")
        size = image.stat().st_size
        inspected = json.loads(done.stdout)
    is_read = not any(finding["code"] == "unreadable" for finding in inspected["findings"])
    what = "read" if is_read else "refused"
    print(f"| {name} | {size:,} | {done.processor_s:.1f} | {done.peak_mib:.0f} | {what} |", flush=True)
    return done.processor_s > MOST_SECONDS or done.peak_mib > MOST_MIB or is_read != (name in LARGEST)


def drawn(side: int, dtype: type) -> np.ndarray:
    """(side, side) fine stripes."""
    return (np.add.outer(np.arange(side) // 7, np.arange(side) // 5) % 251).astype(dtype)


def write_color(path: Path, **options: object) -> None:
    Image.merge("RGB", [Image.fromarray(drawn(SIDE, np.uint8))] * 3).save(path, **options)


def write_tiff(path: Path, side: int, dtype: type, **options: object) -> None:
    tifffile.imwrite(path, drawn(side, dtype), compression="zlib", **options)  # type: ignore[arg-type]


LARGEST: dict[str, Callable[[Path], object]] = {
    "8,192 x 8,192 color.jpg": partial(write_color, progressive=True),
    "8,192 x 8,192 color.png": partial(write_color, compress_level=1),
    "13,300 x 13,300 gray": partial(write_tiff, side=13_300, dtype=np.uint8),
    "10,000 x 10,000 uint16, other byte order": partial(write_tiff, side=10_000, dtype=np.uint16, byteorder=">"),
    "5,000 x 5,000 float64, one strip": partial(write_tiff, side=5_000, dtype=np.float64, rowsperstrip=5_000),
}

FILES: dict[str, Callable[[Path], object]] = {
    **{name: lambda path, make=make: path.write_bytes(make()) for name, make in HOSTILE.items()},  # type: ignore[misc]
    **LARGEST,
}

if __name__ == "__main__":
    main()
