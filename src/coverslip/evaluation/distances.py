"""Distances between datasets by their features: MMD and CORAL.

Source: Sun and Saenko 2016, Deep CORAL, equation 1: ||C_x - C_y||^2 / (4 d^2), in Frobenius' norm.

Source: Gretton et al. 2012, A Kernel Two-Sample Test, lemma 6: the unbiased estimate, with a Gaussian kernel whose
width is the median distance. Resampled sets are counts of images, so that a resample costs a product of a matrix and a
vector, and all resamples one of two matrices.

What differs: a bootstrap draws images several times, and pairs of an image with itself have the highest similarity,
which raises the estimate; the interval excludes such pairs. `paper_low` and `paper_high` keep them, as the
two-step paper on chromosomes does. Groups are drawn, and permuted, whole: images of one slide resemble each other, and
as single images would make every two sets look different.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.results import Metric

Features = npt.NDArray[np.floating]

_CORAL_ROWS_AT_ONCE = 1024


def coral(x: Features, y: Features) -> float:
    """Return the distance; 0 where all variances and covariances are equal, whatever the means.

    Args:
        x: (n, d), n >= 2.
        y: (m, d), m >= 2.

    Raises:
        ValueError: there are fewer than two rows of one.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"covariances need two rows or more, not {len(x)} and {len(y)}")
    x, y = (each - each.mean(axis=0, dtype=np.float64).astype(each.dtype) for each in (x, y))
    # Products of rows instead of (d, d) covariances, which would take gigabytes for thousands of features.
    squared = _overlap(x, x) + _overlap(y, y) - 2 * _overlap(x, y)
    return max(squared, 0.0) / (4 * int(x.shape[1]) ** 2)


def _overlap(x: Features, y: Features) -> float:
    """Return sum over all entries of the product of two covariances, of centerd rows."""
    total = sum(
        float(np.square(x[i : i + _CORAL_ROWS_AT_ONCE] @ y.T, dtype=np.float64).sum())
        for i in range(0, len(x), _CORAL_ROWS_AT_ONCE)
    )
    return total / ((len(x) - 1) * (len(y) - 1))


Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_ROWS_AT_ONCE = 512
_MOST_FOR_MEDIAN = 2000  # images whose pairs give the median
_ENDS = (2.5, 97.5)
_ROUNDING = 1e-5  # of the length of a row: what single precision and other batches make of equal images

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class MMD:
    """The distance between two sets of images."""

    value: float  # unbiased estimate of the squared discrepancy; slightly below 0 where there is none
    low: float  # 95 % interval, by bootstrap of whole groups
    high: float
    paper_low: float  # by bootstrap of images, each drawn several times, as published
    paper_high: float
    p: float  # of a permutation test: how often whole groups, assigned at random, are as far apart


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
    """Return the distance, its intervals, and whether it could be chance.

    Args:
        x: (n, d), n >= 2.
        y: (m, d), m >= 2.
        sigma: width of the kernel exp(-distance^2 / (2 sigma^2)), such as `median_distance`.
        x_group, y_group: (n,) and (m,) numbers of what belongs together; None: each image stands by itself.
        n_resamples: of each kind.
        seed: of the resamples.
        on_progress: called with the number of rows of the kernel that are done.
    """
    n, m = len(x), len(y)
    x_group, y_group = (_numbered(group, len(of)) for group, of in ((x_group, x), (y_group, y)))
    rng = np.random.default_rng(seed)
    plain = np.vstack([_counts(np.arange(size), n_resamples, rng).T for size in (n, m)])
    whole = np.vstack([_counts(group, n_resamples, rng).T for group in (x_group, y_group)])
    permuted = _permuted(np.concatenate([x_group, x_group.max() + 1 + y_group]), x_group.max() + 1, n_resamples, rng)
    every = np.ones((n + m, 1), np.float32)
    weights = np.hstack([every, plain, whole, permuted])
    rows = np.concatenate([x, y])
    rows = rows - rows.mean(axis=0)  # distances are differences of squares, which large means would drown
    from_x, from_y = _products(rows, n, sigma, weights, on_progress)
    drawn = slice(0, 1 + 2 * n_resamples)
    xx, xy, yy = _forms(weights[:, drawn], from_x[:, drawn], from_y[:, drawn], n)
    value = _unbiased(xx, xy, yy, weights[:, drawn], n, drops_repeated=True)
    naive = _unbiased(xx, xy, yy, weights[:, drawn], n, drops_repeated=False)
    by_chance = _of_permuted(weights[:, drawn.stop :], (from_x + from_y)[:, drawn.stop :], (from_x + from_y)[:, 0])
    low, high = np.percentile(value[1 + n_resamples :], _ENDS)
    paper_low, paper_high = np.percentile(naive[1 : 1 + n_resamples], _ENDS)
    p = (1 + int((by_chance >= value[0] - 1e-12).sum())) / (1 + n_resamples)
    return MMD(float(value[0]), float(low), float(high), float(paper_low), float(paper_high), p)


def median_distance(features: Features, *, seed: int = 0) -> float:
    """Return the median distance of two rows of (n, d); of more than 2,000 rows that of some drawn at random.

    Raises:
        ValueError: half of all pairs are equal but for rounding, or there is one row.
    """
    sample = features
    if len(features) > _MOST_FOR_MEDIAN:
        indices = np.random.default_rng(seed).choice(len(features), _MOST_FOR_MEDIAN, replace=False)
        sample = features[np.sort(indices)]
    centerd = sample - sample.mean(axis=0, dtype=np.float64).astype(sample.dtype)  # else rounding hides small distances
    squares = _squared_distances(centerd, centerd)[np.triu_indices(len(sample), 1)]
    median = float(np.sqrt(np.median(squares))) if len(squares) else 0.0
    length = float(np.sqrt(np.square(sample, dtype=np.float64).sum(axis=1).mean()))
    if not median > _ROUNDING * length:
        raise ValueError("rows are equal")
    return median


def _numbered(group: Ints | None, n: int) -> Ints:
    """Return (n,) from 0 on without gaps."""
    return np.arange(n) if group is None else np.unique(group, return_inverse=True)[1]


def _counts(group: Ints, n_resamples: int, rng: np.random.Generator) -> Weights:
    """Return (n_resamples, n): how often each image is drawn, as often as its group."""
    n_groups = int(group.max()) + 1
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_resamples)
    return drawn[:, group].astype(np.float32)


def _permuted(group: Ints, n_of_x: int, n_resamples: int, rng: np.random.Generator) -> Weights:
    """Return (n + m, n_resamples): 1 where a random assignment of groups puts an image into the first set."""
    n_groups = int(group.max()) + 1
    order = np.argsort(rng.random((n_resamples, n_groups)), axis=1)
    is_x = np.zeros((n_resamples, n_groups), np.float32)
    np.put_along_axis(is_x, order[:, :n_of_x], 1, axis=1)
    return np.ascontiguousarray(is_x[:, group].T)


def _products(
    rows: Features, n: int, sigma: float, weights: Weights, on_progress: OnProgress
) -> tuple[Weights, Weights]:
    """Return the kernel times the weights of the first n rows, and times those of the others: (n + m, k) each."""
    from_x, from_y = np.empty_like(weights), np.empty_like(weights)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        kernel = np.exp(_squared_distances(rows[some], rows) / (-2 * sigma**2))
        from_x[some], from_y[some] = kernel[:, :n] @ weights[:n], kernel[:, n:] @ weights[n:]
        on_progress(min(some.stop, len(rows)), len(rows))
    return from_x, from_y


def _squared_distances(x: Features, y: Features) -> Weights:
    """Return (n, m); single precision, as the features have."""
    x_square, y_square = (np.square(each, dtype=np.float64).sum(axis=1) for each in (x, y))
    squares = x_square[:, None] + y_square[None] - 2.0 * (x @ y.T)
    return np.asarray(np.maximum(squares, 0), dtype=np.float32)


def _forms(weights: Weights, from_x: Weights, from_y: Weights, n: int) -> tuple[Floats, Floats, Floats]:
    """Sums of similarities over pairs within the first set, between both, and within the second, by resample."""
    return (
        _dot(weights[:n], from_x[:n]),
        _dot(weights[:n], from_y[:n]),
        _dot(weights[n:], from_y[n:]),
    )


def _unbiased(xx: Floats, xy: Floats, yy: Floats, weights: Weights, n: int, *, drops_repeated: bool) -> Floats:
    """The estimate by resample; an image is similar to itself by 1, once for each pair that it makes with itself."""
    within = []
    for total, counts in ((xx, weights[:n]), (yy, weights[n:])):
        drawn = counts.sum(axis=0, dtype=np.float64)
        same = _dot(counts, counts) if drops_repeated else drawn
        within.append((total - same) / np.maximum(drawn**2 - same, 1))
    n_pairs = weights[:n].sum(axis=0, dtype=np.float64) * weights[n:].sum(axis=0, dtype=np.float64)
    return np.asarray(within[0] + within[1] - 2 * xy / n_pairs)


def _of_permuted(is_x: Weights, from_x: Weights, from_all: Weights) -> Floats:
    """Return the estimate for permuted sets.

    Args:
        is_x: (n + m, k), 1 for images of the first set.
        from_x: the kernel times `is_x`.
        from_all: (n + m,) its sums of rows.
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
    """One of the datasets."""

    name: str
    n: int  # images that could be read
    n_groups: int | None  # None: none are known, each image counts by itself


@dataclass(frozen=True, slots=True)
class PairDistance:
    """Two of the datasets."""

    a: str
    b: str
    mmd2: Metric
    mmd2_as_published: Metric  # with the bootstrap of images that draws pairs of an image with itself
    p: float  # of a permutation test over groups
    coral: Metric


@dataclass(frozen=True, slots=True)
class Distances:
    """How far apart datasets are."""

    network: str
    n_features: int
    sigma: float  # width of the kernel: the median distance of two images of all datasets
    sets: tuple[SetFacts, ...]
    pairs: tuple[PairDistance, ...]
    nearest: str | None  # to the first dataset; None where there is only one other
    advice: str
