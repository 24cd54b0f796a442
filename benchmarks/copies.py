"""Near-duplicate search: planted copies that are detected, incorrect pairs, and times.

    python benchmarks/copies.py --images 2000 --planted 25
    python benchmarks/copies.py --thresholds
    python benchmarks/copies.py --species planktonclas/resources/demo-images

`--thresholds` measures the basis of the threshold in `coverslip.audit.near_duplicates`: synthetic images, modified
copies of them, and the most similar pairs of different images. Otherwise images are sampled from the real datasets of
`COVERSLIP_DATA` (without `blood_bccd_augmented`, which contains many duplicates), and copies of each kind are planted.
A pair is correct if both images come from one original. Pairs of real images are listed separately, because it is
unknown whether they are duplicates.

`--species` takes a folder with images of one species in each subfolder, each of another animal, so that any pair of two
animals is incorrect. Each kind of copy is searched for separately. The recorded figures are of the 105 images of
plankton in the Python package planktonclas 0.2.4 (Apache License 2.0).
"""

import argparse
import io
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from _records import Record
from PIL import Image, ImageEnhance, ImageFilter
from scipy.ndimage import gaussian_filter

from coverslip.audit import alignment, near_duplicates
from coverslip.audit.near_duplicates import _find_clusters
from coverslip.audit.small_pictures import small_picture
from coverslip.images.decoding import read_pixels
from coverslip.stopping import BY_SIGNAL
from coverslip.synthetic_cells import write_sample_images

RECORD = Record(
    "Near-duplicate search",
    [f"src/coverslip/audit/{name}.py" for name in ("near_duplicates", "alignment", "small_pictures")],
)
THRESHOLD, SPECIES = "threshold", "species"  # the parts of the record by `--thresholds` and `--species`
SETS = (
    "blood_pbc",
    "blood_malaria",
    "chromosomes_qband",
    "chromosomes_gband",
    "nuclei_mitocheck",
    "micronuclei",
    "pap_herlev",
    "cellcycle_jurkat_16bit",
    "weak_labels_cric",
    "blood_bccd",
)
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
KINDS = ("recompressed", "resized", "blurred", "brightened", "mirrored", "rotated 90", "rotated 20", "cropped 8%")
KINDS_OF_SPECIES = ("quality 40", "mirrored and recompressed")


def changed(picture: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    """Return a modified copy of an 8-bit picture."""
    width, height = picture.size
    match kind:
        case "recompressed":
            return recompressed(picture, quality=60)
        case "quality 40":
            return recompressed(picture, quality=40)
        case "mirrored and recompressed":
            return recompressed(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), quality=60)
        case "resized":
            return picture.resize((max(8, round(0.6 * width)), max(8, round(0.6 * height))), Image.Resampling.BICUBIC)
        case "blurred":
            return picture.filter(ImageFilter.GaussianBlur(max(width, height) / 120))
        case "brightened":
            return ImageEnhance.Brightness(picture).enhance(1.15)
        case "mirrored":
            return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        case "rotated 90":
            return picture.transpose(Image.Transpose.ROTATE_90)
        case "rotated 20":
            return picture.rotate(20, Image.Resampling.BICUBIC)
    across, down = round(0.08 * width), round(0.08 * height)
    left, top = int(rng.integers(0, across + 1)), int(rng.integers(0, down + 1))
    return picture.crop((left, top, left + width - across, top + height - down))


def recompressed(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def as_picture(array: np.ndarray) -> Image.Image:
    """Return an 8-bit gray or color image; higher bit depths are scaled, and other channels are averaged."""
    if array.shape[2] not in (1, 3):
        array = array.mean(axis=2, keepdims=True)
    if array.dtype != np.uint8:
        low, high = np.percentile(array, (0.1, 99.9))
        array = np.clip((array - low) / max(high - low, 1e-6) * 215, 0, 255).astype(np.uint8)
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def as_array(picture: Image.Image) -> np.ndarray:
    array = np.asarray(picture)
    return array if array.ndim == 3 else array[..., None]


def files_of(data: Path, sets: Sequence[str], n: int, rng: np.random.Generator) -> list[Path]:
    """Return a sample of the files of the real datasets."""
    files = [p for name in sets for p in sorted((data / name).rglob("*")) if p.suffix.lower() in SUFFIXES]
    return [files[i] for i in sorted(rng.choice(len(files), min(n, len(files)), replace=False))]


def planted_among_real(n_images: int, n_planted: int, sets: Sequence[str]) -> dict:
    """Measure the search among real images with planted copies."""
    rng = np.random.default_rng(0)
    data = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
    files = files_of(data, sets, n_images - len(KINDS) * n_planted, rng)
    originals = rng.choice(len(files), len(KINDS) * n_planted, replace=False)
    kind_of = {int(i): KINDS[k % len(KINDS)] for k, i in enumerate(originals)}
    pictures, family, kinds = [], [], []
    began = time.process_time()
    for i, file in enumerate(files):
        array = read_pixels(file).array
        rows = [(small_picture(array), "")]
        if i in kind_of:
            rows.append((small_picture(as_array(changed(as_picture(array), kind_of[i], rng))), kind_of[i]))
        for picture, kind in rows:
            if picture is not None:
                pictures.append(picture)
                family.append(i)
                kinds.append(kind)
    reading, began, wall = time.process_time() - began, time.process_time(), time.monotonic()
    clusters = _find_clusters(np.stack(pictures), lambda _: None, BY_SIGNAL)
    seconds, wall = time.process_time() - began, time.monotonic() - wall
    together = {pair for rows in clusters for pair in combinations(rows, 2)}
    detected = Counter(kinds[j] or kinds[i] for i, j in together if family[i] == family[j])
    touching = [(i, j) for i, j in together if kinds[i] or kinds[j]]
    wrong = [(i, j) for i, j in touching if family[i] != family[j]]
    n_planted_of = {kind: sum(k == kind for k in kinds) for kind in KINDS}
    RECORD.add(
        "Planted copies of eight kinds that are detected",
        round(detected.total() / max(1, sum(n_planted_of.values())), 3),
        n=sum(n_planted_of.values()),
    )
    precision = round(1 - len(wrong) / max(1, len(touching)), 3)
    RECORD.add("Precision of pairs with a planted copy", precision, n=f"{len(touching)} pairs")
    for kind, of in (("rotated 20", "rotated by 20°"), ("cropped 8%", "cropped by 8%")):
        RECORD.add("Detected copies of one kind (target: 0.95)", detected[kind], of=of, n=n_planted_of[kind])
    RECORD.add("Processor time of the search", round(seconds, 1), "s", note=f"decoding {reading:.1f} s")
    others = [(i, j) for i, j in together if family[i] != family[j] and not kinds[i] and not kinds[j]]
    named = [[files[family[i]].parent.name + "/" + files[family[i]].name for i in pair] for pair in others]
    return {
        "images": len(pictures),
        "recall": {kind: f"{detected[kind]}/{sum(k == kind for k in kinds)}" for kind in KINDS},
        "recall_of_all": round(sum(detected.values()) / max(1, sum(map(bool, kinds))), 4),
        "pairs_touching_planted": len(touching),
        "precision": round(1 - len(wrong) / max(1, len(touching)), 4),
        "pairs_of_real_images": len(others),
        "some_of_them": named[:40],
        "decoding_and_shrinking_cpu_s": round(reading, 1),
        "finding_cpu_s": round(seconds, 1),
        "finding_wall_s": round(wall, 1),
    }


def planted_among_species(folder: Path) -> dict:
    """Measure the search among animals of the same species, with a copy of each, for each kind of copy."""
    rng = np.random.default_rng(0)
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    arrays = [read_pixels(file).array for file in files]
    originals = [small_picture(array) for array in arrays]
    n, figures, wrong = len(files), {}, 0
    for kind in (*KINDS_OF_SPECIES, *KINDS):
        copies = [small_picture(as_array(changed(as_picture(array), kind, rng))) for array in arrays]
        clusters = _find_clusters(np.stack(originals + copies), lambda _: None, BY_SIGNAL)
        together = {pair for rows in clusters for pair in combinations(rows, 2)}
        detected = sum(j == i + n for i, j in together)
        n_wrong = sum(i % n != j % n for i, j in together)
        figures[kind] = {"detected": f"{detected}/{n}", "incorrect pairs": n_wrong}
        wrong += n_wrong
        if kind in KINDS_OF_SPECIES:
            RECORD.add("Detected copies of plankton (target: 0.92)", detected, of=kind, n=n)
    RECORD.add("Pairs of two animals", wrong, n=f"{len(figures)} kinds")
    return {"images": n, **figures}


def drawn(n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """(H, W, 1) uint8 images of similar plain shapes: banded rods, discs, and noisy nuclei."""
    images = []
    for k in range(n):
        if k % 3 == 0:  # a rod: one of ten lengths, individual bands
            length, width, angle = rng.uniform(0.9, 1.1, 3) * (12 + 2 * (k % 10), 5, 1) + (0, 0, rng.normal(0, 0.3))
            side = int(2.3 * length)
            y, x = np.mgrid[:side, :side] - side / 2
            along, across = x * np.sin(angle - 1) + y * np.cos(angle - 1), x * np.cos(angle - 1) - y * np.sin(angle - 1)
            inside = gaussian_filter(((np.abs(along) < length) & (np.abs(across) < width)).astype(float), 1)
            bands = gaussian_filter(rng.normal(0, 1, 101), 5) * 4
            place = np.clip(np.rint(50 + 50 * along / length), 0, 100).astype(int)
            image = inside * (130 + 40 * bands[place]) + inside * rng.normal(0, 3, inside.shape)
        else:
            side = 50
            y, x = np.mgrid[:side, :side] - side / 2 + rng.normal(0, 1, (2, 1, 1))
            angle = np.arctan2(y, x)
            waves = sum(rng.normal(0, 0.05) * np.cos(m * angle + rng.uniform(0, 6.3)) for m in (2, 3, 4))
            inside = (np.hypot(x, y) < (23 if k % 3 == 1 else 15) * (1 + waves)).astype(float)
            texture = gaussian_filter(rng.normal(0, 1, (side, side)), 2.5) * 5
            if k % 3 == 1:
                image = inside * (190 + 6 * texture)
            else:
                image = gaussian_filter(inside, 1.2) * (110 + 20 * texture) + 20 + rng.normal(0, 6, (side, side))
        images.append(np.clip(image, 0, 255).astype(np.uint8)[..., None])
    return images


def laid_over(pictures: np.ndarray, first: np.ndarray, second: np.ndarray) -> alignment.Matches:
    """Return the similarity of pairs, all compared in detail."""
    return alignment.compare(pictures, alignment.align_coarsely(pictures, first, second)[0])


def thresholds(n_images: int = 120) -> dict:
    """Measure the similarity of synthetic images to modified copies, and that of the most similar other pairs."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        broken = write_sample_images(Path(folder) / "cells", n_images=n_images).broken
        files = [file for file in sorted(Path(folder).rglob("*.png")) if file not in broken]
        arrays = list({array.tobytes(): array for array in (read_pixels(file).array for file in files)}.values())
    arrays += drawn(3 * n_images, rng)
    n = len(arrays)
    rows = [small_picture(array) for array in arrays]
    kind_of = [KINDS[(k // 3) % len(KINDS)] for k in range(n)]
    rows += [
        small_picture(as_array(changed(as_picture(array), kind, rng)))
        for array, kind in zip(arrays, kind_of, strict=True)
    ]
    pictures = np.stack(rows)
    same = laid_over(pictures, np.arange(n), np.arange(n) + n)
    first, second = near_duplicates.candidate_pairs(pictures[:n])
    parts = [slice(start, start + alignment.AT_ONCE) for start in range(0, len(first), alignment.AT_ONCE)]
    others = np.concatenate([laid_over(pictures[:n], first[part], second[part]).likeness for part in parts])
    kinds, thresholds_tried = np.array(kind_of)[same.first], np.arange(3.4, 5.2, 0.2).round(1).tolist()
    share = round(float(same.are_duplicates.sum() / n), 4)
    RECORD.add("Modified copies of synthetic images that are detected", share, n=n)
    RECORD.add("Largest similarity of two different images", round(float(others.max()), 2), note="threshold: 4.4")
    lowest = {kind: np.quantile(same.likeness[kinds == kind], (0, 0.01, 0.05)).round(2).tolist() for kind in KINDS}
    return {
        "copies": n,
        "compared in detail": len(same.fine),
        "similarity of copies (minimum, 1%, 5%)": lowest,
        "similarity of other pairs (99%, 99.9%, maximum)": np.quantile(others, (0.99, 0.999, 1)).round(2).tolist(),
        "proportion of copies detected": share,
        "proportion of copies at or above": {
            t: round(float((same.likeness >= t).sum() / n), 4) for t in thresholds_tried
        },
        "other pairs at or above": {t: int((others >= t).sum()) for t in thresholds_tried},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--planted", type=int, default=25, help="number of copies of each kind")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--thresholds", action="store_true")
    parser.add_argument("--species", type=Path, help="folder with images of one species in each subfolder")
    RECORD.add_option(parser)
    options = parser.parse_args()
    if options.species:
        figures = planted_among_species(options.species)
    elif options.thresholds:
        figures = thresholds()
    else:
        figures = planted_among_real(options.images, options.planted, options.sets)
    print(json.dumps(figures, indent=2))
    RECORD.write(part=SPECIES if options.species else THRESHOLD if options.thresholds else "")
