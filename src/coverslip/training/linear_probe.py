"""The linear probe: a linear classifier on frozen features; comparison of two classifiers by validation images.

A regularized linear discriminant (Friedman 1989, Regularized Discriminant Analysis, with a pooled covariance shrunk
towards the identity). One covariance serves every amount of shrinkage, so that selecting the shrinkage on validation
images costs little. The covariance of features within images, over augmented copies of each image, can be added to the
covariance within classes. It reduces the weight of directions that orientation, illumination and size change.

On blood cells (1,200 training images, these features), the mean accuracy over three splits was above that of logistic
regression at each of three image sizes, in a fraction of the time. Standardization is folded into the weights, so that
the result is an ordinary linear layer.

`_linear_layer` is the closed form of the discriminant. It needs the class centers and a `_Solve`, which multiplies them
by the inverse covariance: `_by_covariance` works on features, `_by_rows` on images if there are fewer images than
features (Woodbury). `fit_linear_probe` and `HeldOutProbes` both use them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.calibration import apply_temperature, fit_temperature
from coverslip.evaluation.table import METRICS
from coverslip.events import OnProgress, ignore_progress
from coverslip.runs.recipe import Recipe

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_Numbers = TypeVar("_Numbers", npt.NDArray[np.float32], Floats)

SHRINKAGES = (
    0.01,
    0.03,
    0.1,
    0.3,
    1.0,
    3.0,
    10.0,
    30.0,
    100.0,
)  # added to every direction's variance, in units of its mean
_ROWS_AT_ONCE = 2048
_FEWEST_BY_FEATURES = 0.5  # images per feature: with more, each fold has a covariance of features instead of columns
_SD_FLOOR = 1e-3  # of the median standard deviation: constant features must not get huge weights


class Rows(Protocol):
    """(n, D) float32 features: an array, or rows on disk that are read slice by slice."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A linear layer: logits = features @ weight.T + bias."""

    weight: npt.NDArray[np.float32]  # (K, D)
    bias: npt.NDArray[np.float32]  # (K,)
    shrinkage: float | None  # None if the layer was trained in another way

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the arrays by their names in a classifier."""
        return {"head.weight": self.weight, "head.bias": self.bias}

    def logits(self, features: Rows) -> Floats:
        """Return (n, K) logits for (n, D) features."""
        return next(_logits_of([self], features))

    def softened(self, temperature: float) -> "LinearHead":
        """Return the layer divided by its temperature: overconfident logits cause large first steps of fine-tuning."""
        factor = np.float32(1 / temperature)
        return LinearHead(self.weight * factor, self.bias * factor, self.shrinkage)


def fit_linear_probe(
    features: Rows,
    label: Ints,
    val_features: Rows,
    val_label: Ints,
    *,
    n_classes: int,
    balanced: bool,
    better: Callable[[Floats, Ints], float],
    shrinkages: Sequence[float] = SHRINKAGES,
    variation: npt.NDArray[np.float32] | None = None,
    row_weights: Floats | None = None,
    standardize: bool = True,
    on_progress: OnProgress = ignore_progress,
) -> LinearHead:
    """Return the linear head whose shrinkage is best on validation images.

    Args:
        features: (n, D) of the training images.
        label: (n,) in [0, n_classes); every class occurs.
        val_features, val_label: of the validation images.
        n_classes: K.
        balanced: give all classes the same weight, whatever their numbers of images.
        better: (n, K) logits and labels -> a score, higher is better. The larger shrinkage wins if scores are equal.
        shrinkages: candidates in ascending order. A single one needs no validation images.
        variation: (R, D) rows; rows.T @ rows is the covariance of features within images, which is added to the
            covariance within classes. None: no such covariance.
        row_weights: (n,) above 0. The weight of a class is the sum of those of its images, whatever `balanced` is.
            None: images of a class have equal weights.
        standardize: as of `HeldOutProbes`.
        on_progress: called after each slice of rows and after each shrinkage.
    """
    mean, sd = moments(features) if standardize else _no_moments(features)
    share = _class_weights(label, n_classes, balanced=balanced)
    if row_weights is not None:
        share = np.bincount(label, row_weights, n_classes) / row_weights.sum()
    layers = _discriminants(
        lambda rows: (features[rows] - mean) / sd,
        label,
        share,
        shrinkages,
        _standardized(variation, sd),
        np.ones(len(label)) if row_weights is None else row_weights,
        on_progress,
    )
    heads = [_unfold(shrinkage, weight, bias, mean, sd) for shrinkage, weight, bias in layers]
    if len(heads) == 1:
        return heads[0]
    scores = [better(logits, val_label) for logits in _logits_of(heads, val_features)]
    best = max(range(len(heads)), key=lambda i: (scores[i], i))
    return heads[best]


class HeldOutProbes:
    """Probes that are fitted without the images of a fold, whose logits calibrate another probe.

    In each fold, its images are held out, and a head is fitted on all others. Standardization, class weights, the
    weight of an image and the shrinkage are those of all images. So one matrix serves all folds: what a fold adds to it
    is removed from its inverse (Woodbury), and each image can be a fold.

    Args:
        features: (n, D) of the training images, ordered by fold.
        label: (n,) in [0, n_classes).
        fold_index: (n,) ascending; negative for images that are never held out. No fold holds all images of a class.
        n_classes, balanced, variation: as for `fit_linear_probe`.
        standardize: whether to divide each feature by its standard deviation. Not for principal components: the last
            would weigh as much as the first, and with few images all of them would be equally far from each other.
        fold_of_variation: (R,) fold in which each row of the variation is excluded; negative for never.
    """

    def __init__(
        self,
        features: Rows,
        label: Ints,
        fold_index: Ints,
        *,
        n_classes: int,
        balanced: bool,
        standardize: bool = True,
        variation: npt.NDArray[np.float32] | None = None,
        fold_of_variation: Ints | None = None,
    ) -> None:
        n, d = features.shape
        mean, sd = moments(features) if standardize else _no_moments(features)
        self._label, self._fold_index, self._n_features = label, fold_index, d
        self._share = _class_weights(label, n_classes, balanced=balanced)
        self._row_weight = self._share / np.bincount(label, minlength=n_classes)
        within = _standardized(variation, sd)
        fold_of_rows = np.full(len(within), -1) if fold_of_variation is None else fold_of_variation
        order = np.argsort(fold_of_rows, kind="stable")
        within, self._fold_of_rows = within[order], fold_of_rows[order]

        def standardized(rows: slice) -> Floats:
            return (features[rows] - mean) / sd

        self._whitening: Whitening[Floats] | None = None
        self._space: _Space | None = None
        if n <= d and len(within):
            self._whitening = Whitening(standardized(slice(0, n)), label, self._share, within)
            return
        rows: Callable[[slice], Floats] = standardized
        if n <= d:  # a discriminant depends on inner products of rows only
            rows = np.asarray(np.linalg.qr(standardized(slice(0, n)).T, mode="r")).T.__getitem__
        sums = _Sums.of(rows, label, self._row_weight, slice(0, n))
        within = within if len(within) else np.zeros((0, sums.centers.shape[1]))
        self._space = _Space(rows, sums.centers, sums.covariance + within.T @ within, within)

    def logits(self, shrinkage: float, *, excludes_variation: bool = True) -> Floats:
        """Return (n, K) logits of heads with this shrinkage; NaN for images that are never held out.

        Args:
            shrinkage: of every head.
            excludes_variation: exclude the rows of the variation that belong to the fold.
        """
        from scipy.linalg import cholesky, solve_triangular

        folds = np.unique(self._fold_index[self._fold_index >= 0])
        starts, stops = _bounds(self._fold_index, folds)
        first, last = _bounds(self._fold_of_rows, folds) if excludes_variation else np.zeros((2, len(folds)), np.int64)
        space = self._space or self._whitened_space(shrinkage, with_variation=bool((last > first).any()))
        covariance = space.covariance.copy()
        if self._whitening is None:
            covariance[np.diag_indices_from(covariance)] += shrinkage * _unit(np.trace(covariance), self._n_features)
        root = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)

        def whitened(rows: Floats) -> Floats:
            white: Floats = solve_triangular(root, rows.T, lower=True, check_finite=False).T
            return white

        centers = whitened(space.centers)
        logits = np.full((len(self._label), len(self._share)), np.nan)
        k = 0
        while k < len(folds):
            n_rows = np.cumsum(stops[k:] - starts[k:] + last[k:] - first[k:])
            end = k + max(1, int(np.searchsorted(n_rows, _ROWS_AT_ONCE, side="right")))
            images = whitened(space.rows(slice(starts[k], stops[end - 1])))
            variation = whitened(space.variation[first[k] : last[end - 1]])
            for t in range(k, end):
                of_fold, rows = slice(starts[t], stops[t]), slice(first[t], last[t])
                logits[of_fold] = self._held_out_logits(
                    images[starts[t] - starts[k] : stops[t] - starts[k]],
                    self._label[of_fold],
                    centers,
                    variation[first[t] - first[k] : last[t] - first[k]],
                    space.remainder(rows),
                )
            k = end
        return logits

    def _whitened_space(self, shrinkage: float, *, with_variation: bool) -> "_Space":
        """Return the space in which the variation and the shrinkage together are the identity."""
        from scipy.linalg import solve_triangular

        assert self._whitening is not None, "there are fewer images than features, and variation"
        n = len(self._label)
        products, variation = self._whitening.products(shrinkage), None
        products[np.diag_indices(n)] += 1e-10 * np.trace(products) / n  # rows may be linearly dependent
        root = np.asarray(np.linalg.cholesky(products), dtype=np.float64)
        sums = _Sums.of(root.__getitem__, self._label, self._row_weight, slice(0, n))
        covariance = sums.covariance + np.eye(n)
        if not with_variation:
            return _Space(root.__getitem__, sums.centers, covariance, np.zeros((0, n)))
        with_rows, within = self._whitening.products_of_variation(shrinkage)
        variation = solve_triangular(root, with_rows, lower=True, check_finite=False).T
        return _Space(root.__getitem__, sums.centers, covariance, variation, within)

    def _held_out_logits(
        self, x: Floats, label: Ints, centers: Floats, variation: Floats, remainder: Floats | float
    ) -> Floats:
        """Return (g, K) logits of the images of a fold by the head of all others.

        Args:
            x: (g, m) of the fold, in a space in which the covariance of all images is the identity.
            label: (g,).
            centers: (K, m) of all images, in this space.
            variation: (r, m) rows of the variation that belong to the fold, in this space.
            remainder: (r, r) products of these rows outside of this space.
        """
        from scipy.linalg import cho_factor, cho_solve

        counts = np.bincount(self._label, minlength=len(self._share))
        centers, excluded = centers.copy(), [variation]
        for c in np.unique(label):
            deviations = x[label == c] - centers[c]
            n_left, mean = counts[c] - len(deviations), deviations.mean(axis=0)
            excluded.append(np.sqrt(self._row_weight[c]) * (deviations + (np.sqrt(counts[c] / n_left) - 1) * mean))
            centers[c] -= len(deviations) / n_left * mean
        rows = np.concatenate(excluded)
        remaining = np.eye(len(rows)) - rows @ rows.T
        remaining[: len(variation), : len(variation)] -= remainder
        factor = cho_factor(remaining, overwrite_a=True, check_finite=False)
        weight = centers + cho_solve(factor, rows @ centers.T, check_finite=False).T @ rows
        weight *= 1 - self._row_weight[label].sum()  # the covariance is a mean over the other images
        logits: Floats = x @ weight.T + np.log(self._share) - 0.5 * np.einsum("km,km->k", centers, weight)
        return logits


@dataclass(frozen=True, slots=True)
class _Space:
    """Images and variation in a space of m dimensions with the inner products that a discriminant depends on."""

    rows: Callable[[slice], Floats]  # (., m) images
    centers: Floats  # (K, m) of the classes
    covariance: Floats  # (m, m) within classes and images
    variation: Floats  # (R, m)
    products: Callable[[slice], Floats] | None = None  # (., .) of rows of the variation; None: those of this space

    def remainder(self, rows: slice) -> Floats | float:
        """Return the products of rows of the variation outside of this space."""
        if self.products is None:
            return 0.0
        return self.products(rows) - self.variation[rows] @ self.variation[rows].T


def _bounds(ascending: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Return the first index of each value in an ascending array, and the index after its last one."""
    return np.searchsorted(ascending, values), np.searchsorted(ascending, values, side="right")


def _standardized(variation: npt.NDArray[np.float32] | None, sd: Floats) -> Floats:
    """Return (R, D) standardized rows; no rows if there is no variation."""
    return np.zeros((0, len(sd))) if variation is None else variation / sd


class Whitening(Generic[_Numbers]):
    """Products of rows in spaces in which variation and a shrinkage together are the identity.

    The smaller matrix is factorized: the covariance of features, or the products of the variation (Woodbury). Products
    that several shrinkages share are computed once.

    Args:
        rows: (n, D), standardized.
        label: (n,) in [0, K); every class occurs.
        share: (K,) weight of each class.
        variation: (R, D), standardized like the rows: rows.T @ rows is the covariance within images.
    """

    def __init__(self, rows: _Numbers, label: Ints, share: Floats, variation: _Numbers) -> None:
        deviations = rows - np.stack([rows[label == k].mean(axis=0) for k in range(len(share))])[label]
        self._squares = (share / np.bincount(label))[label] @ np.square(deviations).sum(axis=1, dtype=np.float64)
        self._variation: _Numbers = variation
        self._n_features = rows.shape[1]
        self._is_by_features = len(variation) >= variation.shape[1]
        self._inner: _Numbers = variation.T @ variation if self._is_by_features else variation @ variation.T
        self._outer: _Numbers = rows if self._is_by_features else rows @ variation.T
        self._products: _Numbers | None = None if self._is_by_features else rows @ rows.T

    def products(self, shrinkage: float) -> Floats:
        """Return (n, n) products of rows; the shrinkage is in units of the mean variance within classes and images."""
        _, floor, half = self._factors(shrinkage)
        products: Floats = half.T @ half
        return products if self._products is None else (self._products - products) / floor

    def products_of_variation(self, shrinkage: float) -> tuple[Floats, Callable[[slice], Floats]]:
        """Return (n, R) products of rows with the variation, and a function for products of a slice of the variation.

        Args:
            shrinkage: as of `products`.
        """
        from scipy.linalg import solve_triangular

        root, floor, half = self._factors(shrinkage)
        if self._is_by_features:
            of_variation = solve_triangular(root, self._variation.T.astype(np.float64), lower=True, check_finite=False)
            return half.T @ of_variation, lambda rows: of_variation[:, rows].T @ of_variation[:, rows]
        with_rows: Floats = solve_triangular(root, half, lower=True, trans="T", check_finite=False).T
        inverse = solve_triangular(root, np.eye(len(root)), lower=True, overwrite_b=True, check_finite=False)

        def products(rows: slice) -> Floats:
            of_rows = inverse[:, rows]
            within: Floats = np.eye(of_rows.shape[1]) - floor * (of_rows.T @ of_rows)
            return within

        return with_rows, products

    def _factors(self, shrinkage: float) -> tuple[Floats, float, Floats]:
        """Return the root of the inner matrix, the floor of the variance, and the outer rows divided by the root."""
        from scipy.linalg import cholesky, solve_triangular

        inner = self._inner.astype(np.float64)
        floor = shrinkage * _unit(self._squares + np.trace(inner), self._n_features)
        inner[np.diag_indices_from(inner)] += floor
        root = cholesky(inner, lower=True, overwrite_a=True, check_finite=False)
        half: Floats = solve_triangular(root, self._outer.astype(np.float64).T, lower=True, check_finite=False)
        return root, floor, half


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over some rows that determine their class centers and covariance; the sums of others can be subtracted."""

    squares: Floats  # (D, D) sum over rows of x x', each times the weight of its class
    totals: Floats  # (K, D) sum over the rows of each class
    counts: Floats  # (K,) rows, or the sums of how often they count
    row_weight: Floats  # (K,) weight of a row of each class

    @staticmethod
    def of(
        rows: Callable[[slice], Floats],
        label: Ints,
        row_weight: Floats,
        selected: slice,
        on_slice: Callable[[int], None] | None = None,
        counted: Floats | None = None,
    ) -> "_Sums":
        """Sum over the selected rows; `on_slice` gets the number of slices that are done.

        Args:
            counted: (n,) how often each row counts; None: once.
        """
        is_class, counted = np.eye(len(row_weight)), np.ones(len(label)) if counted is None else counted
        d = rows(slice(0, 1)).shape[1]
        squares, totals = np.zeros((d, d)), np.zeros((len(row_weight), d))
        for done, some in enumerate(_row_slices(selected.stop, selected.start), start=1):
            x = rows(some)
            totals += (is_class[label[some]] * counted[some, None]).T @ x
            weighted = x * np.sqrt(row_weight[label[some]] * counted[some])[:, None]
            squares += weighted.T @ weighted
            if on_slice is not None:
                on_slice(done)
        counts: Floats = np.bincount(label[selected], counted[selected], len(row_weight)).astype(np.float64)
        return _Sums(squares, totals, counts, row_weight)

    @property
    def centers(self) -> Floats:
        """(K, D) mean of each class."""
        return self.totals / self.counts[:, None]

    @property
    def covariance(self) -> Floats:
        """(D, D) within classes."""
        centers, counted = self.centers, self.row_weight * self.counts
        covariance: Floats = (self.squares - (centers * counted[:, None]).T @ centers) / counted.sum()
        return covariance


def _logits_of(heads: Sequence[LinearHead], features: Rows) -> Iterator[Floats]:
    """Return the (n, K) logits of each head. The features are read once for all heads."""
    weight = np.concatenate([head.weight for head in heads]).T.astype(np.float64)
    bias = np.concatenate([head.bias for head in heads])
    parts = [features[rows].astype(np.float64) @ weight for rows in _row_slices(features.shape[0])]
    logits = np.concatenate([np.zeros((0, len(bias))), *parts]) + bias
    return iter(np.split(logits, len(heads), axis=1))


def moments(features: Rows) -> tuple[Floats, Floats]:
    """Return (D,) mean and standard deviation, the latter with a lower limit."""
    n, d = features.shape
    total, square = np.zeros(d), np.zeros(d)
    for rows in _row_slices(n):
        total += features[rows].sum(axis=0, dtype=np.float64)
    mean = total / n
    for rows in _row_slices(n):
        square += np.square(features[rows] - mean).sum(axis=0)
    sd = np.sqrt(square / n)
    return mean, np.maximum(sd, max(_SD_FLOOR * float(np.median(sd)), 1e-12))


def _no_moments(features: Rows) -> tuple[Floats, Floats]:
    """Return the mean and standard deviation with which features stay as they are."""
    return np.zeros(features.shape[1]), np.ones(features.shape[1])


def principal_components(features: Rows, n_components: int = 64) -> npt.NDArray[np.float32]:
    """Return (n, C) principal components of standardized features, the first ones first.

    Features are read in parts: those of 100,000 images would need half a GiB of memory, and several times as much to
    standardize them. Of fewer images than features, the products of images are the smaller matrix.
    """
    n, n_features = features.shape
    parts = list(_row_slices(n))
    mean, sd = moments(features)
    if n < n_features:
        standardized = (features[slice(0, n)] - mean) / sd
        variance, vectors = np.linalg.eigh(standardized @ standardized.T)
        scale = np.sqrt(np.maximum(variance[::-1][:n_components], 0))
        components: npt.NDArray[np.float32] = (vectors[:, ::-1][:, :n_components] * scale).astype(np.float32)
        return components
    products = np.zeros((n_features, n_features))
    for part in parts:
        rows = (features[part] - mean) / sd
        products += rows.T @ rows
    _, directions = np.linalg.eigh(products)
    first = (directions[:, ::-1][:, :n_components] / sd[:, None]).astype(np.float32)
    center = mean.astype(np.float32)
    projected: npt.NDArray[np.float32] = np.concatenate([(features[part] - center) @ first for part in parts])
    return projected


def _discriminants(
    rows: Callable[[slice], Floats],
    label: Ints,
    share: Floats,
    shrinkages: Sequence[float],
    variation: Floats,
    counted: Floats,
    on_progress: OnProgress,
) -> Iterator[tuple[float, Floats, Floats]]:
    """Yield (shrinkage, (K, D) weight, (K,) bias) for every shrinkage.

    Args:
        rows: returns (., D) standardized features of a slice of the images.
        label: (n,) in [0, K).
        share: (K,) weight of each class.
        shrinkages, on_progress: as for `fit_linear_probe`.
        variation: (R, D), standardized like the features.
        counted: (n,) how often each image counts.
    """
    n, d = len(label), variation.shape[1]
    row_weight = share / np.bincount(label, counted, len(share))
    n_slices = len(list(_row_slices(n)))
    n_steps = n_slices + len(shrinkages)
    if d <= n + len(variation):
        sums = _Sums.of(rows, label, row_weight, slice(0, n), lambda done: on_progress(done, n_steps), counted)
        centers, solve = sums.centers, _by_covariance(sums.covariance + variation.T @ variation, d)
    else:
        x = rows(slice(0, n))
        is_class = np.eye(len(share))[label] * counted[:, None]  # (n, K)
        centers = is_class.T @ x / is_class.sum(axis=0)[:, None]
        deviations = (x - centers[label]) * np.sqrt(row_weight[label] * counted)[:, None]
        solve = _by_rows(np.concatenate([deviations, variation]))
    for done, shrinkage in enumerate(shrinkages, start=n_slices + 1):
        weight, bias = _linear_layer(solve, shrinkage, centers, share)
        on_progress(done, n_steps)
        yield shrinkage, weight, bias


_Solve = Callable[[float, Floats], Floats]
"""(shrinkage, (K, D) centers) -> (K, D): centers @ inverse of (covariance + shrinkage * mean variance * identity)."""


def _linear_layer(solve: _Solve, shrinkage: float, centers: Floats, share: Floats) -> tuple[Floats, Floats]:
    """Return the (K, D) weight and (K,) bias of the discriminant with these (K, D) class centers and class weights."""
    weight = solve(shrinkage, centers)
    return weight, np.log(share) - 0.5 * np.einsum("kd,kd->k", centers, weight)


def _by_covariance(covariance: Floats, n_features: int) -> _Solve:
    """Solve with a Cholesky factor of the covariance for each shrinkage; the covariance is changed in place.

    With thousands of features, nine factors take a quarter of the time of the eigenvectors that would serve all
    shrinkages.

    Args:
        covariance: (D, D).
        n_features: over which the variance is averaged; more than D if the features were rotated into fewer columns.
    """
    from scipy.linalg import cho_factor, cho_solve

    variance = covariance.diagonal().copy()

    def solve(shrinkage: float, centers: Floats) -> Floats:
        np.fill_diagonal(covariance, variance + shrinkage * _unit(variance.sum(), n_features))
        weight: Floats = cho_solve(cho_factor(covariance, check_finite=False), centers.T, check_finite=False).T
        return weight

    return solve


def _by_rows(rows: Floats) -> _Solve:
    """Solve with the products of rows, for fewer rows than features: the covariance is rows.T @ rows (Woodbury)."""
    from scipy.linalg import cho_factor, cho_solve

    products = rows @ rows.T
    variance, d = products.diagonal().copy(), rows.shape[1]

    def solve(shrinkage: float, centers: Floats) -> Floats:
        floor = shrinkage * _unit(variance.sum(), d)
        np.fill_diagonal(products, variance + floor)
        by_row = cho_solve(cho_factor(products, check_finite=False), rows @ centers.T, check_finite=False)
        weight: Floats = (centers - by_row.T @ rows) / floor
        return weight

    return solve


def _unit(variance: float, d: int) -> float:
    """Return the mean variance of d directions, the unit of shrinkage."""
    return max(float(variance) / d, 1e-12)


def _class_weights(label: Ints, n_classes: int, *, balanced: bool) -> Floats:
    """Return (K,) weights that sum to 1: equal, or the proportions of the classes."""
    counts = np.bincount(label, minlength=n_classes)
    return np.full(n_classes, 1 / n_classes) if balanced else counts / counts.sum()


def _row_slices(stop: int, start: int = 0) -> Iterator[slice]:
    """Return slices of rows to hold in double precision, so that 100,000 images take the memory of some thousand."""
    return (slice(first, min(first + _ROWS_AT_ONCE, stop)) for first in range(start, stop, _ROWS_AT_ONCE))


def _unfold(shrinkage: float, weight: Floats, bias: Floats, mean: Floats, sd: Floats) -> LinearHead:
    """Return the head for raw features, with the standardization folded into weight and bias."""
    raw = weight / sd
    return LinearHead(raw.astype(np.float32), (bias - raw @ mean).astype(np.float32), shrinkage)


# Comparison of two classifiers by validation images.

_N_RESAMPLES = 60
_NOISE_SHARE = 0.5  # of a standard error: smaller differences are mostly chance
_SIGNIFICANT_ERRORS = 2.0  # standard errors of a significant difference


def rank(logits: Floats, label: Ints, recipe: Recipe) -> tuple[float, float]:
    """Return the primary metric and the negative calibrated log loss, which breaks ties; higher is better.

    Args:
        logits: (n_val, K).
        label: (n_val,) int in [0, K).
        recipe: names the primary metric.
    """
    return primary_score(logits, label, recipe), -calibrated_log_loss(logits, label)


def calibrated_log_loss(logits: Floats, label: Ints) -> float:
    """Return the log loss of (n, K) logits at their best temperature."""
    return _metric_value("log_loss", apply_temperature(logits, fit_temperature(logits, label)), label)


def is_preferred(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> bool:
    """Return whether a classifier is better than another on validation images.

    The primary metric decides if it differs by more than half of the standard error of the difference. A smaller
    difference is mostly chance: two images of a rare class can reverse it. Then the calibrated log loss decides, to
    which every image contributes by the probability of its class.

    Args:
        challenger: (n_val, K) logits.
        incumbent: (n_val, K) logits of the classifier that is kept if neither is better.
        label: (n_val,) int in [0, K).
        recipe: names the primary metric; its seed draws the resampled images.
    """
    new, old = rank(challenger, label, recipe), rank(incumbent, label, recipe)
    difference = new[0] - old[0]
    if not np.isfinite(difference):  # not defined for at least one of them
        return new > old
    if abs(difference) > _NOISE_SHARE * _difference_error(challenger, incumbent, label, recipe):
        return difference > 0
    return new[1] > old[1]


def is_significantly_worse(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> bool:
    """Return whether a classifier is significantly worse than another on validation images.

    It is if the primary metric is lower by more than two standard errors of the difference. If the metric is not
    defined, the calibrated log loss decides. With about fifty validation images, the error is about as large as the
    usual gain by fine-tuning, and favors the instant classifier, whose shrinkage was selected on these images
    (benchmarks/NOT_KEPT.md).

    Args:
        challenger, incumbent, label, recipe: as for `is_preferred`.
    """
    new, old = rank(challenger, label, recipe), rank(incumbent, label, recipe)
    if not np.isfinite(new[0] - old[0]):
        return new < old
    return old[0] - new[0] > _SIGNIFICANT_ERRORS * _difference_error(challenger, incumbent, label, recipe)


def _difference_error(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> float:
    """Return the bootstrap standard error of the difference of two classifiers in the primary metric."""
    metric, generator = METRICS[recipe.primary_metric], np.random.default_rng(recipe.seed)
    pair = [
        apply_temperature(logits, fit_temperature(logits, label) if metric.needs_calibration else 1.0)
        for logits in (challenger, incumbent)
    ]
    differences = []
    for _ in range(_N_RESAMPLES):
        drawn = generator.integers(len(label), size=len(label))
        new, old = (metric.value(p[drawn], label[drawn], p[drawn].argmax(axis=1)) for p in pair)
        differences.append(new - old)
    defined = np.array(differences)[np.isfinite(differences)]
    return float(defined.std()) if len(defined) else 0.0


def primary_score(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """Return the primary metric with the sign for which higher is better."""
    return METRICS[recipe.primary_metric].as_higher_is_better(primary_value(logits, label, recipe))


def primary_value(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """Return the primary metric as displayed."""
    metric = METRICS[recipe.primary_metric]
    if metric.needs_calibration:
        logits = logits / fit_temperature(logits, label)
    return _metric_value(metric.name, apply_temperature(logits, 1.0), label)


def _metric_value(metric: str, probability: Floats, label: Ints) -> float:
    """Return a single metric: with many classes, AUROC takes longer than all other metrics."""
    return METRICS[metric].value(probability, label, probability.argmax(axis=1))
