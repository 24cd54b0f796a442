"""Time of MMD² with its resamples, and distances between both chromosome datasets, as Markdown tables.

Times are processor times. 'Naive' resamples images with replacement and computes both sums of similarities 20 times, as
the published bootstrap is described; coverslip uses matrix products. Images: COVERSLIP_DATA, default ../shared/data.
`--peak N` prints only the time and the peak memory of MMD² and CORAL between N and N random rows of 1,280 features.

    python benchmarks/domain_distance.py [--image-size PX] [--no-images] [--peak N]
"""

import argparse
import os
import resource
from pathlib import Path
from time import process_time

import numpy as np

from coverslip.audit.distance import distance
from coverslip.evaluation.distances import _resample, _similarity_sums, _unbiased, coral, median_distance, mmd

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
N_RESAMPLES = 1000
N_NAIVE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--no-images", action="store_true", help="only measurements without images")
    parser.add_argument("--peak", type=int, help="number of rows of each dataset")
    options = parser.parse_args()
    if options.peak:
        show_peak(options.peak)
        return
    print("| images | 1,000 bootstrap samples (s) | naive (s) | with interval and p by groups (s) |")
    print("|---|---|---|---|")
    for n, m in ((500, 500), (5474, 2806)):
        show_times(n, m)
    if not options.no_images:
        show_sets(options.image_size)


def show_times(n: int, m: int) -> None:
    """Print a row for random features; the time does not depend on their values."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(size, 768)).astype(np.float32) for size in (n, m))
    sigma = median_distance(np.concatenate([x, y]))
    bootstraps = min(timed(lambda: bootstrap(x, y, sigma)) for _ in range(3 if n < 1000 else 1))
    naive = timed(lambda: naive_bootstrap(x, y, sigma)) / N_NAIVE * N_RESAMPLES if n < 1000 else None
    whole = timed(lambda: mmd(x, y, sigma, n_resamples=N_RESAMPLES))
    of_naive = "not tried" if naive is None else f"{naive:.1f}"
    print(f"| {n:,} + {m:,} | {bootstraps:.2f} | {of_naive} | {whole:.2f} |", flush=True)


def show_peak(n: int) -> None:
    """Print the peak memory of the process for features of the size that 1,280 channels have."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((n, 1280), np.float32) for _ in range(2))
    of_features = peak_gib()
    sigma = median_distance(x)
    of_mmd = timed(lambda: mmd(x, y, sigma, n_resamples=N_RESAMPLES))
    of_coral = timed(lambda: coral(x, y))
    print(f"{n:,} + {n:,} rows: MMD² {of_mmd:.0f} s, CORAL {of_coral:.1f} s, peak memory {peak_gib():.2f} GiB,", end="")
    print(f" of which {of_features:.2f} GiB before the distances")


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(work: object) -> float:
    """Return the processor seconds of `work`."""
    began = process_time()
    work()  # type: ignore[operator]
    return process_time() - began


def bootstrap(x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    """Resample as `mmd` does, including the kernel."""
    rng = np.random.default_rng(0)
    weights = np.empty((len(x) + len(y), N_RESAMPLES), np.uint8)
    for each, counts in ((x, weights[: len(x)]), (y, weights[len(x) :])):
        _resample(np.arange(len(each)), counts, rng)
    sums = _similarity_sums(np.concatenate([x, y]), len(x), sigma, weights, lambda done, total: None)
    return _unbiased(sums, weights, len(x), excludes_repeated=False)


def naive_bootstrap(x: np.ndarray, y: np.ndarray, sigma: float) -> list[float]:
    """Extract the kernel matrix of each resample from that of all images."""
    rows, n = np.concatenate([x, y]), len(x)
    squares = np.square(rows).sum(axis=1)
    kernel = np.exp((squares[:, None] + squares[None] - 2 * rows @ rows.T) / (-2 * sigma**2))
    rng, distances = np.random.default_rng(0), []
    for _ in range(N_NAIVE):
        i, j = rng.integers(0, n, n), n + rng.integers(0, len(y), len(y))
        xx, yy, xy = kernel[np.ix_(i, i)], kernel[np.ix_(j, j)], kernel[np.ix_(i, j)]
        within = [(each.sum() - len(each)) / (len(each) * (len(each) - 1)) for each in (xx, yy)]
        distances.append(sum(within) - 2 * xy.mean())
    return distances


def show_sets(image_size: int) -> None:
    """Print the distances between both chromosome datasets, and between them and other images."""
    sets = [DATA / name / "images.csv" for name in ("chromosomes_gband", "chromosomes_qband")]
    began = process_time()
    distances = distance([*sets, DATA / "blood_pbc"], image_size=image_size, group="cell")
    seconds = process_time() - began
    print("\n| datasets | MMD² (95% CI, cells resampled) | interval as published | p | CORAL |")
    print("|---|---|---|---|---|")
    for pair in distances.pairs:
        value, published = pair.mmd2, pair.mmd2_as_published
        ends = f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f}) | {published.low:.3f} to {published.high:.3f}"
        print(f"| {pair.a} – {pair.b} | {ends} | {pair.p:.3f} | {pair.coral.value:.2e} |")
    sizes = ", ".join(f"{each.n:,} of {each.name}" for each in distances.sets)
    print(
        f"\n{distances.network}, {image_size} px, {distances.n_features:,} features: {sizes}; {seconds:.0f} s in total"
    )


if __name__ == "__main__":
    main()
