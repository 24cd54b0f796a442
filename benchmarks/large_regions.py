"""Time and memory of reading a region of 256 × 256 pixels from pyramids of 4 GiB, as a Markdown table.

The pyramids are generated: 65,536 × 65,536 pixels of 8 bit, as OME-TIFF and OME-Zarr, compressed. A new process reads
three regions of each, of which the last one is from a coarser level.

    python benchmarks/large_regions.py [--folder FOLDER]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
import zarr

SIDE, TILE, N_LEVELS = 65_536, 512, 8

CHILD = """
import json, resource, sys, time
started = time.monotonic()
from pathlib import Path
from coverslip.images import ReadPlan, read_pixels
imported = time.monotonic()
seconds, levels = [], []
for level, x, y in ((0, 40_000, 30_000), (0, 12_345, 54_321), (2, 20_000, 20_000)):
    before = time.monotonic()
    plan = ReadPlan(level=level, region=(x, y, 256 * 2**level, 256 * 2**level))
    pixels = read_pixels(Path(sys.argv[1]), plan).array
    assert pixels.shape[:2] == (256, 256), pixels.shape
    assert int(pixels[0, 0, 0]) == int(sys.argv[2 + len(seconds)]), int(pixels[0, 0, 0])
    seconds.append(time.monotonic() - before)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([imported - started, *seconds, peak]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None, help="where the pyramids are written; default: temporary")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        files = [write_tiff(folder / "pyramid.ome.tif"), write_zarr(folder / "pyramid.ome.zarr")]
        print("| file | import s | first region s | second s | at level 2 s | peak memory MiB |")
        print("|---|---|---|---|---|---|")
        corners = [value(30_000, 40_000), value(54_321, 12_345), value(20_000, 20_000)]
        for file in files:
            command = [sys.executable, "-c", CHILD, str(file), *map(str, corners)]
            rows = [
                json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(3)
            ]
            middle = np.median(rows, axis=0)
            print(f"| {file.name} | " + " | ".join(f"{each:.2f}" for each in middle[:4]) + f" | {middle[4]:.0f} |")


def value(row: int, column: int) -> int:
    """Return the intensity at a position: constant within squares of 256 pixels, so that all levels contain it."""
    return (row // 256 * 7 + column // 256 * 13) % 251 + 1


def tiles(level: int) -> Iterator[np.ndarray]:
    step, n = 2**level, SIDE // 2**level
    size = min(TILE, n)
    at = np.arange(0, SIDE, step) // 256
    for top in range(0, n, size):
        rows = at[top : top + size] * 7
        for left in range(0, n, size):
            yield ((rows[:, None] + at[left : left + size][None, :] * 13) % 251 + 1).astype(np.uint8)


def write_tiff(file: Path) -> Path:
    if file.exists():
        return file
    with tifffile.TiffWriter(file, bigtiff=True, ome=True) as writer:
        for level in range(N_LEVELS):
            n = SIDE // 2**level
            writer.write(
                tiles(level),
                shape=(n, n),
                dtype=np.uint8,
                tile=(TILE, TILE),
                compression="zlib",
                subifds=N_LEVELS - 1 if level == 0 else None,
                subfiletype=1 if level else 0,
                metadata={"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25} if level == 0 else None,
            )
    return file


def write_zarr(folder: Path) -> Path:
    if folder.exists():
        return folder
    group = zarr.open_group(folder, mode="w", zarr_format=3)
    datasets = []
    for level in range(N_LEVELS):
        n = SIDE // 2**level
        array = group.create_array(
            str(level), shape=(n, n), chunks=(TILE, TILE), dtype="uint8", dimension_names=["y", "x"]
        )
        each = tiles(level)
        for top in range(0, n, TILE):
            for left in range(0, n, TILE):
                array[top : top + TILE, left : left + TILE] = next(each)
        scale = [{"type": "scale", "scale": [0.25 * 2**level] * 2}]
        datasets.append({"path": str(level), "coordinateTransformations": scale})
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return folder


if __name__ == "__main__":
    main()
