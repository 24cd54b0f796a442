"""Distances between datasets in feature space: maximum mean discrepancy (MMD) and CORAL.

CORAL: Sun and Saenko 2016, Deep CORAL, equation 1: ||C_x - C_y||^2 / (4 d^2), in the Frobenius norm.

MMD: Gretton et al. 2012, A Kernel Two-Sample Test, lemma 6: the unbiased estimate, with a Gaussian kernel whose width
is the median distance. A resample is a vector of counts of images, so that all resamples together are computed by one
matrix product.

The intervals differ from the paper in two points. A bootstrap draws images several times, and pairs of an image with
itself have the highest similarity, which increases the estimate, so the interval excludes such pairs. `paper_low` and
`paper_high` include them, as the two-step paper on chromosomes does. Groups are resampled and permuted as a whole:
images of one slide resemble each other, and as independent images they would make any two datasets differ.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.results import Metric

Features = npt.NDArray[np.floating]

_CORAL_ROWS_AT_ONCE = 1024


def coral(x: Features, y: Features) -> float:
    """Return the CORAL distance; 0 if all variances and covariances are equal, for any means.

    Args:
        x: (n, d), n >= 2.
        y: (m, d), m >= 2.

    Raises:
        ValueError: one dataset has fewer than two rows.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"covariances need two rows or more, not {len(x)} and {len(y)}")
    x, y = (each - each.mean(axis=0, dtype=np.float64).astype(each.dtype) for each in (x, y))
    # Products of rows instead of (d, d) covariances, which would take gigabytes for thousands of features.
    squared = _overlap(x, x) + _overlap(y, y) - 2 * _overlap(x, y)
    return max(squared, 0.0) / (4 * int(x.shape[1]) ** 2)


def _overlap(x: Features, y: Features) -> float:
    """Return the sum over all entries of the elementwise product of two covariances, of centered rows."""
    total = sum(
        float(np.square(x[i : i + _CORAL_ROWS_AT_ONCE] @ y.T, dtype=np.float64).sum())
        for i in range(0, len(x), _CORAL_ROWS_AT_ONCE)
    )
    return total / ((len(x) - 1) * (len(y) - 1))


Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_ROWS_AT_ONCE = 512
_MOST_FOR_MEDIAN = 2000  # images from whose pairs the median is computed
_ENDS = (2.5, 97.5)
_ROUNDING = 1e-5  # of the length of a row: differences of equal images by single precision and batches

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class MMD:
    """The distance between two datasets."""

    value: float  # unbiased estimate of the squared discrepancy; may be slightly below 0
    low: float  # 95 % interval, by bootstrap of whole groups
    high: float
    paper_low: float  # by bootstrap of images including repeated images, as published
    paper_high: float
    p: float  # of a permutation test of groups: share of random assignments with at least this distance


def mmd(
    x: Features,
    y: Features,
    sigma: float,
    *,
    x_group: Ints | None = None,
    y_group: Ints | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    on_progress: OnProgress = lambda done, total: None,
) -> MMD:
    """Return the MMD², its intervals, and the p-value of a permutation test.

    Args:
        x: (n, d), n >= 2.
        y: (m, d), m >= 2.
        sigma: width of the kernel exp(-distance^2 / (2 sigma^2)), such as `median_distance`.
        x_group, y_group: (n,) and (m,) group numbers; None treats images as independent.
        n_resamples: number of bootstraps of each kind, and of permutations.
        seed: of the random numbers.
        on_progress: called with the number of finished rows of the kernel matrix.
    """
    n, m = len(x), len(y)
    x_group, y_group = (_group_numbers(group, len(of)) for group, of in ((x_group, x), (y_group, y)))
    rng = np.random.default_rng(seed)
    image_counts = np.vstack([_counts(np.arange(size), n_resamples, rng).T for size in (n, m)])
    group_counts = np.vstack([_counts(group, n_resamples, rng).T for group in (x_group, y_group)])
    permuted = _permuted(np.concatenate([x_group, x_group.max() + 1 + y_group]), x_group.max() + 1, n_resamples, rng)
    ones = np.ones((n + m, 1), np.float32)
    weights = np.hstack([ones, image_counts, group_counts, permuted])
    rows = np.concatenate([x, y])
    rows = rows - rows.mean(axis=0)  # distances are differences of squares, and large means would cause rounding errors
    from_x, from_y = _products(rows, n, sigma, weights, on_progress)
    drawn = slice(0, 1 + 2 * n_resamples)
    xx, xy, yy = _similarity_sums(weights[:, drawn], from_x[:, drawn], from_y[:, drawn], n)
    value = _unbiased(xx, xy, yy, weights[:, drawn], n, excludes_repeated=True)
    published = _unbiased(xx, xy, yy, weights[:, drawn], n, excludes_repeated=False)
    permuted_values = _permuted_estimates(
        weights[:, drawn.stop :], (from_x + from_y)[:, drawn.stop :], (from_x + from_y)[:, 0]
    )
    low, high = np.percentile(value[1 + n_resamples :], _ENDS)
    paper_low, paper_high = np.percentile(published[1 : 1 + n_resamples], _ENDS)
    p = (1 + int((permuted_values >= value[0] - 1e-12).sum())) / (1 + n_resamples)
    return MMD(float(value[0]), float(low), float(high), float(paper_low), float(paper_high), p)


def median_distance(features: Features, *, seed: int = 0) -> float:
    """Return the median distance of two rows of (n, d), computed from at most 2,000 random rows.

    Raises:
        ValueError: half of all pairs are equal except for rounding, or there is one row.
    """
    sample = features
    if len(features) > _MOST_FOR_MEDIAN:
        indices = np.random.default_rng(seed).choice(len(features), _MOST_FOR_MEDIAN, replace=False)
        sample = features[np.sort(indices)]
    # Centering limits rounding errors of small distances.
    centered = sample - sample.mean(axis=0, dtype=np.float64).astype(sample.dtype)
    squares = _squared_distances(centered, centered)[np.triu_indices(len(sample), 1)]
    median = float(np.sqrt(np.median(squares))) if len(squares) else 0.0
    length = float(np.sqrt(np.square(sample, dtype=np.float64).sum(axis=1).mean()))
    if not median > _ROUNDING * length:
        raise ValueError("rows are equal")
    return median


def _group_numbers(group: Ints | None, n: int) -> Ints:
    """Return (n,) group numbers from 0 without gaps."""
    return np.arange(n) if group is None else np.unique(group, return_inverse=True)[1]


def _counts(group: Ints, n_resamples: int, rng: np.random.Generator) -> Weights:
    """Return (n_resamples, n): how often each image, with its group, is drawn."""
    n_groups = int(group.max()) + 1
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_resamples)
    return drawn[:, group].astype(np.float32)


def _permuted(group: Ints, n_of_x: int, n_resamples: int, rng: np.random.Generator) -> Weights:
    """Return (n + m, n_resamples): 1 if a random assignment of groups puts an image into the first dataset."""
    n_groups = int(group.max()) + 1
    order = np.argsort(rng.random((n_resamples, n_groups)), axis=1)
    is_x = np.zeros((n_resamples, n_groups), np.float32)
    np.put_along_axis(is_x, order[:, :n_of_x], 1, axis=1)
    return np.ascontiguousarray(is_x[:, group].T)


def _products(
    rows: Features, n: int, sigma: float, weights: Weights, on_progress: OnProgress
) -> tuple[Weights, Weights]:
    """Return products of the kernel with the weights of the first n rows, and of the other rows: (n + m, k) each."""
    from_x, from_y = np.empty_like(weights), np.empty_like(weights)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        kernel = np.exp(_squared_distances(rows[block], rows) / (-2 * sigma**2))
        from_x[block], from_y[block] = kernel[:, :n] @ weights[:n], kernel[:, n:] @ weights[n:]
        on_progress(min(block.stop, len(rows)), len(rows))
    return from_x, from_y


def _squared_distances(x: Features, y: Features) -> Weights:
    """Return (n, m) in single precision, the precision of features."""
    x_square, y_square = (np.square(each, dtype=np.float64).sum(axis=1) for each in (x, y))
    squares = x_square[:, None] + y_square[None] - 2.0 * (x @ y.T)
    return np.asarray(np.maximum(squares, 0), dtype=np.float32)


def _similarity_sums(weights: Weights, from_x: Weights, from_y: Weights, n: int) -> tuple[Floats, Floats, Floats]:
    """Return sums of similarities over pairs within the first dataset, between both, and within the second."""
    return (
        _dot(weights[:n], from_x[:n]),
        _dot(weights[:n], from_y[:n]),
        _dot(weights[n:], from_y[n:]),
    )


def _unbiased(xx: Floats, xy: Floats, yy: Floats, weights: Weights, n: int, *, excludes_repeated: bool) -> Floats:
    """Return the unbiased estimate of each resample; the similarity of an image to itself is 1."""
    within = []
    for total, counts in ((xx, weights[:n]), (yy, weights[n:])):
        drawn = counts.sum(axis=0, dtype=np.float64)
        same = _dot(counts, counts) if excludes_repeated else drawn
        within.append((total - same) / np.maximum(drawn**2 - same, 1))
    n_pairs = weights[:n].sum(axis=0, dtype=np.float64) * weights[n:].sum(axis=0, dtype=np.float64)
    return np.asarray(within[0] + within[1] - 2 * xy / n_pairs)


def _permuted_estimates(is_x: Weights, from_x: Weights, from_all: Weights) -> Floats:
    """Return the unbiased estimate of each permutation.

    Args:
        is_x: (n + m, k), 1 for images of the first dataset.
        from_x: product of the kernel and `is_x`.
        from_all: (n + m,) row sums of the kernel.
    """
    n_all = len(is_x)
    xx = _dot(is_x, from_x)
    x_all = from_all.astype(np.float64) @ is_x
    yy = from_all.sum(dtype=np.float64) - 2 * x_all + xx
    n = is_x.sum(axis=0, dtype=np.float64)
    m = n_all - n
    within = (xx - n) / np.maximum(n * (n - 1), 1) + (yy - m) / np.maximum(m * (m - 1), 1)
    return np.asarray(within - 2 * (x_all - xx) / np.maximum(n * m, 1))


def _dot(weights: Weights, products: Weights) -> Floats:
    return np.asarray(np.einsum("ik,ik->k", weights, products, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class SetFacts:
    """Name and size of one dataset."""

    name: str
    n: int  # readable images
    n_groups: int | None  # None without groups: images are independent


@dataclass(frozen=True, slots=True)
class PairDistance:
    """Distances between two datasets."""

    a: str
    b: str
    mmd2: Metric
    mmd2_as_published: Metric  # with the bootstrap that includes pairs of an image with itself
    p: float  # of a permutation test over groups
    coral: Metric


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances between all pairs of datasets."""

    network: str
    n_features: int
    sigma: float  # width of the kernel: median distance of two images of any datasets
    sets: tuple[SetFacts, ...]
    pairs: tuple[PairDistance, ...]
    nearest: str | None  # the dataset nearest to the first; None with only two datasets
    advice: str
