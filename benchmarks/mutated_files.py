"""Thousands of damaged files in `inspect` and `predict`: no crash, and one row for each file.

The script writes synthetic images in every common format, damages the bytes (flipped bits, truncation, headers of other
formats, huge numbers in size fields, holes, reordered pieces) and runs both commands as child processes: on a tenth of
the files, on ten copies of this tenth (peak memory must be the same; a damaged size that can be decoded would hide an
increase), and on all. Exit code 1 if a command fails, a row is missing, `predict` decides on a file that `inspect`
cannot read, a decoder prints to the terminal, or memory increases with the number of files.

    python benchmarks/mutated_files.py [--count N] [--seed S] [--keep FOLDER]
"""

import argparse
import csv
import io
import json
import re
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
from _children import Done, coverslip
from _records import Record
from PIL import Image

from coverslip.messages import entries, message_of, text

RECORD = Record("Damaged files", ["src/coverslip/images", "src/coverslip/datasets", "src/coverslip/inference"])
SIDE = 48
MOST_GROWTH_MIB = 80  # more of the large files can be in progress at the same time
STAGES = [code for code, entry in entries().items() if code.startswith("stage-") and "$" not in entry]
BEGINNINGS = ("Warning: ", "Note: ", *(f"{text(code)}: " for code in STAGES))  # of lines that coverslip prints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="damaged files (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="folder that keeps the files")
    RECORD.add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        faults = check(options.count, options.seed, options.keep or Path(scratch) / "files", Path(scratch))
    for fault in faults:
        print(f"WRONG: {fault}")
    RECORD.add(
        "Crashes, missing rows and other faults of inspect and predict", len(faults), n=f"{options.count:,} files"
    )
    RECORD.write()
    sys.exit(1 if faults else 0)


def check(count: int, seed: int, files: Path, scratch: Path) -> list[str]:
    """Write the files, run both commands on them and print the results; return all faults."""
    run = a_classifier(scratch)
    paths = write_mutated(files, count, seed)
    tenth = paths[::10]
    many = [linked(path, scratch / "links" / str(k)) for k in range(10) for path in tenth]
    faults: list[str] = []
    peaks: list[dict[str, float]] = []
    unreadable: dict[str, str] = {}
    rows: list[dict[str, str]] = []
    for name, listed in (("a tenth", tenth), ("ten copies of the tenth", many), ("all", paths)):
        table, predictions = scratch / "list.csv", scratch / "predictions.csv"
        write_list(table, listed)
        cache = scratch / f"cache of {name}"
        inspected = coverslip("inspect", str(table), "--json", cache=cache)
        predicted = coverslip("predict", str(run), str(table), "--out", str(predictions), cache=cache)
        for command, done in (("inspect", inspected), ("predict", predicted)):
            faults += faults_of(f"{command}, {name}", done)
            wall = f"{done.wall_s:.1f} s"
            print(f"{command}, {name}: {len(listed):,} files in {wall}, peak {done.peak_mib:.0f} MiB", flush=True)
        if inspected.code or predicted.code:
            return faults
        peaks.append({"inspect": inspected.peak_mib, "predict": predicted.peak_mib})
        inspection = json.loads(inspected.stdout)
        unreadable = {
            image: str(message_of(reason))
            for finding in inspection["findings"]
            if finding["code"] == "unreadable"
            for (image,), (reason,) in zip(finding["images"], finding["notes"], strict=True)
        }
        with predictions.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened))
        if inspection["n_images"] != len(listed) or len(rows) != len(listed):
            faults.append(f"{len(listed)} files, {inspection['n_images']} in inspect, {len(rows)} rows in predict")
        refused = {row["image_id"] for row in rows if row["decision"] == "unreadable"}
        if missed := set(unreadable) - refused:
            faults.append(f"predict decided on {len(missed)} files that inspect cannot read: {sorted(missed)[:3]}")
    for command, small in peaks[0].items():
        large = peaks[1][command]
        n, note = f"{len(many):,} files", f"without the copies {small:.0f}"
        RECORD.add(
            "Peak memory for ten copies of a tenth of the files", round(large), "MiB", of=command, n=n, note=note
        )
        print(f"{command}: ten copies of the files take {large / small:.2f} of the peak memory")
        if large - small > MOST_GROWTH_MIB:
            faults.append(f"{command} took {large - small:.0f} MiB more for ten copies of the files")
    n_unfit = sum(row["decision"] == "unreadable" for row in rows) - len(unreadable)  # float pixels, other channels
    print(
        f"rows {len(rows):,}, readable {len(rows) - len(unreadable):,} ({n_unfit:,} not suitable for this classifier)"
    )
    RECORD.add("Damaged files that are decoded", len(rows) - len(unreadable), n=len(rows), note="others have a reason")
    print(f"unreadable {len(unreadable):,}:")
    for reason, n in Counter(map(in_short, unreadable.values())).most_common():
        print(f"{n:>7,}  {reason}")
    return faults


def linked(path: Path, folder: Path) -> Path:
    """Link the same file under another name."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / path.name
    link.symlink_to(path.absolute())
    return link


def a_classifier(scratch: Path) -> Path:
    """Train a small run on synthetic cells."""
    from coverslip.synthetic_cells import write_sample_images

    write_sample_images(scratch / "samples", n_images=80)
    settings = [part for choice in ("stage=instant", "image_size=48", "tta=1") for part in ("--set", choice)]
    arguments = ["train", str(scratch / "samples"), *settings, "--out", str(scratch / "run")]
    done = coverslip(*arguments, cache=scratch / "cache")
    if done.code:
        raise SystemExit(f"training failed:\n{done.stderr}")
    return scratch / "run"


def write_list(table: Path, paths: list[Path]) -> None:
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *((path, f"class {i % 2}") for i, path in enumerate(paths))])


def faults_of(what: str, done: Done) -> list[str]:
    faults = []
    if done.code:
        faults.append(f"{what} ended with {done.code}: {done.stderr.strip()[-600:]}")
    strange = [line for line in done.stderr.splitlines() if not line.startswith(BEGINNINGS)]
    if strange:
        faults.append(f"{what}: {len(strange)} lines on stderr that are not coverslip's, such as {strange[0][:200]!r}")
    return faults


def in_short(reason: str) -> str:
    """Return a reason without numbers, addresses and names, so that equal causes are counted together."""
    return re.sub(r"(0x)?[0-9a-f]*\d[0-9a-f]*", "#", re.sub(r"'[^']*'|\"[^\"]*\"|<[^>]*>", "…", reason))[:110]


# The files ----------------------------------------------------------------------------------------------------------


def write_mutated(folder: Path, count: int, seed: int) -> list[Path]:
    """Write `count` damaged files; equal seeds give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    whole = list(every_format(rng))
    paths = []
    for i in range(count):
        name, data = whole[i % len(whole)]
        other = whole[int(rng.integers(len(whole)))][1]
        kind = list(MUTATIONS)[int(rng.integers(len(MUTATIONS)))]
        path = folder / f"{i:06d}_{kind}_{name}"
        path.write_bytes(MUTATIONS[kind](bytearray(data), other, rng))
        paths.append(path)
    return paths


def every_format(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield (file extension, bytes) of a small image in every common format, depth and compression."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    blob = 120 * np.exp(-((rows - 24.0) ** 2 + (columns - 20.0) ** 2) / 150)
    gray = np.clip(60 + blob + rng.normal(0, 6, (SIDE, SIDE)), 0, 255).astype(np.uint8)
    color = np.stack([gray, 255 - gray, np.roll(gray, 7, axis=1)], axis=2)
    deep = gray.astype(np.uint16) * 257

    def pillow(array: np.ndarray, kind: str, mode: str | None = None, **options: object) -> bytes:
        image = Image.fromarray(array)
        buffer = io.BytesIO()
        (image.convert(mode) if mode else image).save(buffer, kind, **options)
        return buffer.getvalue()

    def tiff(array: np.ndarray, **options: object) -> bytes:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, array, **options)
        return buffer.getvalue()

    yield "gray.png", pillow(gray, "PNG")
    yield "color.png", pillow(color, "PNG")
    yield "palette.png", pillow(color, "PNG", "P")
    yield "alpha.png", pillow(color, "PNG", "RGBA")
    yield "deep.png", pillow(deep, "PNG")
    yield "bits.png", pillow(gray, "PNG", "1")
    yield "color.jpg", pillow(color, "JPEG")
    yield "gray.jpg", pillow(gray, "JPEG", quality=95)
    yield "progressive.jpg", pillow(color, "JPEG", progressive=True)
    yield "inks.jpg", pillow(color, "JPEG", "CMYK")
    yield "color.bmp", pillow(color, "BMP")
    yield "palette.bmp", pillow(gray, "BMP")
    yield "still.gif", pillow(gray, "GIF")
    frames = [Image.fromarray(np.roll(gray, 5, axis=0))]
    yield "moving.gif", pillow(gray, "GIF", save_all=True, append_images=frames)
    yield "lossy.webp", pillow(color, "WEBP")
    yield "lossless.webp", pillow(color, "WEBP", lossless=True)
    yield "moving.webp", pillow(gray, "WEBP", save_all=True, append_images=frames)
    yield "color.jp2", pillow(color, "JPEG2000")
    yield "deep.pgm", pillow(deep, "PPM")
    for compression in ("none", "lzw", "zlib", "packbits", "zstd", "jpeg"):
        yield f"{compression}.tif", tiff(color, photometric="rgb", compression=compression)
    yield "deep.tif", tiff(deep, photometric="minisblack")
    yield "deep_lzw.tif", tiff(deep, photometric="minisblack", compression="lzw", predictor=True)
    yield "big_endian.tif", tiff(deep, photometric="minisblack", byteorder=">")
    yield "float.tif", tiff(gray.astype(np.float32) / 255, photometric="minisblack")
    yield "tiles.tif", tiff(color, photometric="rgb", tile=(16, 16), compression="zlib")
    yield "pages.tif", tiff(np.stack([deep, deep // 2, deep // 3]), photometric="minisblack", compression="zlib")
    yield "imagej.tif", tiff(np.stack([deep] * 3), imagej=True, metadata={"axes": "CYX"})
    yield "ome.ome.tif", tiff(np.stack([deep] * 3), ome=True, metadata={"axes": "CYX"})
    yield "pillow_lzw.tif", pillow(color, "TIFF", compression="tiff_lzw")
    yield "fax.tif", pillow(gray, "TIFF", "1", compression="group4")


def flip_bits(data: bytearray, other: bytes, rng: np.random.Generator) -> bytes:
    for at in rng.integers(0, len(data), int(rng.integers(1, 20))):
        data[at] ^= 1 << int(rng.integers(8))
    return bytes(data)


def flip_header(data: bytearray, other: bytes, rng: np.random.Generator) -> bytes:
    for at in rng.integers(0, min(len(data), 300), int(rng.integers(1, 6))):
        data[at] = int(rng.integers(256))
    return bytes(data)


def cut(data: bytearray, other: bytes, rng: np.random.Generator) -> bytes:
    return bytes(data[: int(rng.integers(0, len(data)))])


def swap_header(data: bytearray, other: bytes, rng: np.random.Generator) -> bytes:
    n = int(rng.choice([4, 8, 16, 64, 256]))
    return other[:n] + bytes(data[n:])


def huge_number(data: bytearray, other: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, max(1, min(len(data), 400) - 4)))
    value = int(rng.choice([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
    data[at : at + 4] = struct.pack("<I" if rng.random() < 0.5 else ">I", value)
    return bytes(data)


def hole(data: bytearray, other: bytes, rng: np.random.Generator) -> bytes:
    start, stop = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    data[start:stop] = bytes(stop - start)
    return bytes(data)


def shuffle(data: bytearray, other: bytes, rng: np.random.Generator) -> bytes:
    a, b, c = sorted(rng.integers(0, len(data) + 1, 3).tolist())
    return bytes(data[:a] + data[b:c] + data[a:b] + data[c:])


def tail_of_another(data: bytearray, other: bytes, rng: np.random.Generator) -> bytes:
    return bytes(data[: int(rng.integers(1, len(data)))]) + other[int(rng.integers(0, len(other))) :]


MUTATIONS: dict[str, Callable[[bytearray, bytes, np.random.Generator], bytes]] = {
    "flip": flip_bits,
    "header": flip_header,
    "cut": cut,
    "swap": swap_header,
    "huge": huge_number,
    "hole": hole,
    "shuffle": shuffle,
    "tail": tail_of_another,
}


if __name__ == "__main__":
    main()
