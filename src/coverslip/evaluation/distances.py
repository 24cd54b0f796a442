"""Distances between datasets in the features of a network.

CORAL: Sun and Saenko 2016, Deep CORAL, equation 1: ||C_x - C_y||^2 / (4 d^2), in the Frobenius norm.

MMD: Gretton et al. 2012, A Kernel Two-Sample Test, lemma 6: the unbiased estimate, with a Gaussian kernel whose width
is the median distance. A resample is a vector of counts of images, so that all resamples together are computed by
matrix products. The kernel matrix is symmetric and is computed in square parts, of which each pair of images needs one.

The intervals differ from the paper in two points. A bootstrap draws images several times, and pairs of an image with
itself have the highest similarity, which increases the estimate, so the interval excludes such pairs. `paper_low` and
`paper_high` include them, as the two-step paper on chromosomes does. Groups are resampled and permuted as a whole:
images of one slide resemble each other, and as independent images they would make any two datasets differ.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.documented_fields import DocumentedFields
from coverslip.evaluation.results import Metric
from coverslip.notebooks import html_table

Features = npt.NDArray[np.floating]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_ROWS_AT_ONCE = 2048
_RESAMPLES_AT_ONCE = 50  # random numbers take 8 bytes for each image, counts take one
_MOST_FOR_MEDIAN = 2000  # images from whose pairs the median is computed
_ENDS = (2.5, 97.5)
_ROUNDING = 1e-5  # of the length of a row: differences of equal images by single precision and batches

OnProgress = Callable[[int, int], None]


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
    difference = _covariance(x)
    difference -= _covariance(y)
    return float(np.einsum("ij,ij", difference, difference)) / (4 * int(x.shape[1]) ** 2)


def _covariance(x: Features) -> Floats:
    """Return (d, d)."""
    mean = x.mean(axis=0, dtype=np.float64).astype(x.dtype)
    total = np.zeros((x.shape[1], x.shape[1]))
    for block in _blocks(0, len(x)):
        centered = x[block] - mean
        total += centered.T @ centered
    total /= len(x) - 1
    return total


def _blocks(start: int, stop: int) -> list[slice]:
    return [slice(i, min(i + _ROWS_AT_ONCE, stop)) for i in range(start, stop, _ROWS_AT_ONCE)]


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
        on_progress: called with the share of finished pairs, as a number of images, and the number of all images.
    """
    n, m = len(x), len(y)
    x_group, y_group = (_group_numbers(group, len(of)) for group, of in ((x_group, x), (y_group, y)))
    rows = np.concatenate([x, y])
    rows -= rows.mean(axis=0)  # distances are differences of squares, and large means would cause rounding errors
    weights = np.empty((n + m, 1 + 3 * n_resamples), np.uint8)
    all_once, by_image, by_group, permuted = np.split(weights, [1, 1 + n_resamples, 1 + 2 * n_resamples], axis=1)
    all_once[:] = 1
    rng = np.random.default_rng(seed)
    for resamples, groups in ((by_image, (np.arange(n), np.arange(m))), (by_group, (x_group, y_group))):
        _resample(groups[0], resamples[:n], rng)
        _resample(groups[1], resamples[n:], rng)
    _permute(np.concatenate([x_group, x_group.max() + 1 + y_group]), x_group.max() + 1, permuted, rng)
    sums = _similarity_sums(rows, n, sigma, weights, on_progress)
    drawn, assigned = slice(0, 1 + 2 * n_resamples), slice(1 + 2 * n_resamples, None)
    value = _unbiased(sums[drawn], weights[:, drawn], n, excludes_repeated=True)
    published = _unbiased(sums[drawn], weights[:, drawn], n, excludes_repeated=False)
    permuted_values = _permuted_estimates(sums[assigned], permuted, float(sums.with_all[0]))
    low, high = np.percentile(value[1 + n_resamples :], _ENDS)
    paper_low, paper_high = np.percentile(published[1 : 1 + n_resamples], _ENDS)
    p = (1 + int((permuted_values >= value[0] - 1e-12).sum())) / (1 + n_resamples)
    return MMD(float(value[0]), float(low), float(high), float(paper_low), float(paper_high), p)


def median_distance(features: Features) -> float:
    """Return the median distance of two rows of (n, d), computed from at most 2,000 random rows.

    Raises:
        ValueError: half of all pairs are equal except for rounding, or there is one row.
    """
    sample = features
    if len(features) > _MOST_FOR_MEDIAN:
        indices = np.random.default_rng(0).choice(len(features), _MOST_FOR_MEDIAN, replace=False)
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


def _resample(group: Ints, counts: Counts, rng: np.random.Generator) -> None:
    """Write to (n, n_resamples) how often each image, with its group, is drawn.

    A byte is enough: in a bootstrap, no group among many is drawn more than 255 times.
    """
    n_groups = int(group.max()) + 1
    for part in _parts_of_resamples(counts):
        drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=part.shape[1])
        part[:] = drawn.astype(np.uint8).T[group]


def _permute(group: Ints, n_of_x: int, is_x: Counts, rng: np.random.Generator) -> None:
    """Write to (n + m, n_resamples) 1 if a random assignment of groups puts an image into the first dataset."""
    n_groups = int(group.max()) + 1
    for part in _parts_of_resamples(is_x):
        order = np.argsort(rng.random((part.shape[1], n_groups)), axis=1)
        of_group = np.zeros(order.shape, np.uint8)
        np.put_along_axis(of_group, order[:, :n_of_x], 1, axis=1)
        part[:] = of_group.T[group]


def _parts_of_resamples(counts: Counts) -> list[Counts]:
    return [counts[:, i : i + _RESAMPLES_AT_ONCE] for i in range(0, counts.shape[1], _RESAMPLES_AT_ONCE)]


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums of similarities of weighted images, for k vectors of weights."""

    xx: Floats  # (k,) over pairs within the first dataset
    xy: Floats  # between both
    yy: Floats  # within the second
    with_all: Floats  # of weighted images with all images

    def __getitem__(self, columns: slice) -> "_Sums":
        return _Sums(self.xx[columns], self.xy[columns], self.yy[columns], self.with_all[columns])


def _similarity_sums(rows: Features, n: int, sigma: float, weights: Counts, on_progress: OnProgress) -> _Sums:
    """Return the sums for rows of which the first n are those of the first dataset, with weights (n + m, k)."""
    blocks = [*_blocks(0, n), *_blocks(n, len(rows))]
    sums = {name: np.zeros(weights.shape[1]) for name in ("xx", "xy", "yy", "with_all")}
    of_rows = np.zeros(len(rows))  # sums of the rows of the kernel matrix
    n_done = 0
    for second, b in enumerate(blocks):
        weights_of_b = weights[b].astype(np.float32)
        for a in blocks[: second + 1]:
            kernel = np.exp(_squared_distances(rows[a], rows[b]) / (-2 * sigma**2))
            of_rows[a] += kernel.sum(axis=1, dtype=np.float64)
            if a != b:
                of_rows[b] += kernel.sum(axis=0, dtype=np.float64)
            is_between = a.start < n <= b.start
            total = _dot(weights[a], kernel @ weights_of_b)
            sums["xy" if is_between else "xx" if b.start < n else "yy"] += total if is_between or a == b else 2 * total
            n_done += (1 if a == b else 2) * len(kernel) * kernel.shape[1]
            on_progress(n_done // len(rows), len(rows))
    for block in blocks:
        sums["with_all"] += of_rows[block] @ weights[block]
    return _Sums(**sums)


def _squared_distances(x: Features, y: Features) -> Weights:
    """Return (n, m) in single precision, the precision of features."""
    x_square, y_square = (np.square(each, dtype=np.float64).sum(axis=1) for each in (x, y))
    squares = x_square[:, None] + y_square[None] - 2.0 * (x @ y.T)
    return np.asarray(np.maximum(squares, 0), dtype=np.float32)


def _unbiased(sums: _Sums, weights: Counts, n: int, *, excludes_repeated: bool) -> Floats:
    """Return the unbiased estimate of each resample; the similarity of an image to itself is 1."""
    within = []
    for total, counts in ((sums.xx, weights[:n]), (sums.yy, weights[n:])):
        drawn = counts.sum(axis=0, dtype=np.float64)
        same = _dot(counts, counts) if excludes_repeated else drawn
        within.append((total - same) / np.maximum(drawn**2 - same, 1))
    n_pairs = weights[:n].sum(axis=0, dtype=np.float64) * weights[n:].sum(axis=0, dtype=np.float64)
    return np.asarray(within[0] + within[1] - 2 * sums.xy / n_pairs)


def _permuted_estimates(sums: _Sums, is_x: Counts, of_all: float) -> Floats:
    """Return the unbiased estimate of each permutation.

    Args:
        sums: of the permutations.
        is_x: (n + m, k), 1 for images of the first dataset.
        of_all: the sum of the kernel matrix.
    """
    xx = sums.xx + 2 * sums.xy + sums.yy  # images of both datasets are in the first one of a permutation
    yy = of_all - 2 * sums.with_all + xx
    n = is_x.sum(axis=0, dtype=np.float64)
    m = len(is_x) - n
    within = (xx - n) / np.maximum(n * (n - 1), 1) + (yy - m) / np.maximum(m * (m - 1), 1)
    return np.asarray(within - 2 * (sums.with_all - xx) / np.maximum(n * m, 1))


def _dot(weights: Counts, products: Counts | Weights) -> Floats:
    return np.asarray(np.einsum("ik,ik->k", weights, products, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class SetFacts:
    """Name and size of one dataset."""

    name: str
    n: int  # readable images
    n_groups: int | None  # None without groups: images are independent


@dataclass(frozen=True, slots=True)
class PairDistance(DocumentedFields):
    """Distances between two datasets."""

    a: str
    b: str
    mmd2: Metric
    """Squared maximum mean discrepancy (MMD²) of the features."""
    mmd2_as_published: Metric
    """The bootstrap includes pairs of an image with itself."""
    p: float
    """Of a permutation test over groups."""
    coral: Metric
    """CORAL distance of the features."""


@dataclass(frozen=True, slots=True)
class Distances(DocumentedFields):
    """Distances between all pairs of datasets."""

    network: str
    n_features: int
    sigma: float
    """Width of the kernel: median distance of two images of any datasets."""
    sets: tuple[SetFacts, ...]
    pairs: tuple[PairDistance, ...]
    meaning: str
    """What the distances show and what not, and images that datasets share."""

    def _repr_html_(self) -> str:
        """Return the distances of each pair, for notebooks."""
        rows = [(each.a, each.b, each.mmd2.value, each.mmd2.low, each.mmd2.high, each.p) for each in self.pairs]
        return html_table(self.network, ("dataset", "dataset", "MMD²", "low", "high", "p"), rows, self.meaning)
