"""The linear probe: a linear classifier on frozen features, in seconds.

A regularised linear discriminant (Friedman 1989, Regularized Discriminant Analysis, with a pooled covariance shrunk
towards the identity): one eigendecomposition serves every amount of shrinkage, so that choosing it on validation images
costs next to nothing.
On blood cells (1,200 to train on, these features) its mean accuracy over three splits was above that of logistic
regression at each of three image sizes, in a fraction of the time. Standardisation is folded into the weights, so
that the result is an ordinary linear layer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

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
_SD_FLOOR = 1e-3  # of the median feature's: dead features must not get huge weights


class Rows(Protocol):
    """(n, D) float32 features: an array, or rows on disk of which a slice is read when asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class LinearHead:
    """logits = features @ weight.T + bias."""

    weight: npt.NDArray[np.float32]  # (K, D)
    bias: npt.NDArray[np.float32]  # (K,)
    shrinkage: float | None  # that was chosen; None where it was trained otherwise

    def logits(self, features: Rows) -> Floats:
        """(n, K) for (n, D) features."""
        return next(_logits_of([self], features))


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
) -> LinearHead:
    """The linear head whose shrinkage is best on validation images.

    Args:
        features: (n, D) of the training images.
        label: (n,) in [0, n_classes); every class occurs.
        val_features, val_label: of the validation images.
        n_classes: K.
        balanced: every class counts the same, however many images it has.
        better: (n, K) logits and labels -> a score, higher is better; of equal ones the larger shrinkage wins.
        shrinkages: to choose from, rising; with a single one there is nothing to choose, and no validation images are
            needed.
    """
    mean, sd = _moments(features)
    heads = [
        _unfold(shrinkage, weight, bias, mean, sd)
        for shrinkage, weight, bias in _discriminants(
            features, mean, sd, label, n_classes, shrinkages, balanced=balanced
        )
    ]
    if len(heads) == 1:
        return heads[0]
    scores = [better(logits, val_label) for logits in _logits_of(heads, val_features)]
    best = max(range(len(heads)), key=lambda i: (scores[i], i))
    return heads[best]


def _logits_of(heads: Sequence[LinearHead], features: Rows) -> Iterator[Floats]:
    """(n, K) logits of each head; the features are read once for all of them."""
    weight = np.concatenate([head.weight for head in heads]).T.astype(np.float64)
    bias = np.concatenate([head.bias for head in heads])
    parts = [features[rows].astype(np.float64) @ weight for rows in _row_slices(features.shape[0])]
    logits = np.concatenate([np.zeros((0, len(bias))), *parts]) + bias
    return iter(np.split(logits, len(heads), axis=1))


def _moments(features: Rows) -> tuple[Floats, Floats]:
    """(D,) mean and standard deviation, the latter with a floor."""
    n, d = features.shape
    total, square = np.zeros(d), np.zeros(d)
    for rows in _row_slices(n):
        total += features[rows].sum(axis=0, dtype=np.float64)
    mean = total / n
    for rows in _row_slices(n):
        square += np.square(features[rows] - mean).sum(axis=0)
    sd = np.sqrt(square / n)
    return mean, np.maximum(sd, max(_SD_FLOOR * float(np.median(sd)), 1e-12))


def _discriminants(
    features: Rows,
    mean: Floats,
    sd: Floats,
    label: Ints,
    n_classes: int,
    shrinkages: Sequence[float],
    *,
    balanced: bool,
) -> Iterator[tuple[float, Floats, Floats]]:
    """(shrinkage, (K, D) weight, (K,) bias) for every shrinkage, on features standardised by mean and sd."""
    n, d = features.shape
    counts = np.bincount(label, minlength=n_classes)
    share = np.full(n_classes, 1 / n_classes) if balanced else counts / n
    is_class = np.eye(n_classes)[label]  # (n, K)
    centres = np.zeros((n_classes, d))
    for rows in _row_slices(n):
        centres += is_class[rows].T @ ((features[rows] - mean) / sd)
    centres /= counts[:, None]

    def scatter(rows: slice) -> Floats:
        """Deviations from the class centres; the cross product of all rows is the pooled covariance."""
        deviations = (features[rows] - mean) / sd - centres[label[rows]]
        weighted: Floats = deviations * np.sqrt(share / counts)[label[rows]][:, None]
        return weighted

    variance, directions = _principal(scatter, n, d)
    projected = centres @ directions  # (K, r)
    unit = max(float(variance.sum()) / d, 1e-12)
    for shrinkage in shrinkages:
        floor = shrinkage * unit
        # (covariance + floor I)^-1 by its eigenvectors; the directions without variance all have 1 / floor.
        weight = (projected * (1 / (variance + floor) - 1 / floor)) @ directions.T + centres / floor
        bias = np.log(share) - 0.5 * np.einsum("kd,kd->k", centres, weight)
        yield shrinkage, weight, bias


def _principal(scatter: Callable[[slice], Floats], n: int, d: int) -> tuple[Floats, Floats]:
    """Eigenvalues (r,) and orthonormal eigenvectors (D, r) of scatter.T @ scatter, by its smaller product."""
    if d <= n:
        covariance = np.zeros((d, d))
        for rows in _row_slices(n):
            part = scatter(rows)
            covariance += part.T @ part
        variance, directions = np.linalg.eigh(covariance)
        return np.maximum(variance, 0), directions
    scattered = scatter(slice(0, n))
    variance, left = np.linalg.eigh(scattered @ scattered.T)
    kept = variance > 1e-9 * max(float(variance[-1]), 1e-300)
    variance, left = variance[kept], left[:, kept]
    return variance, (scattered.T @ left) / np.sqrt(variance)


def _row_slices(n: int) -> Iterator[slice]:
    """Rows to hold at a time, in double precision, so that 100,000 images take the memory of some thousand."""
    return (slice(start, start + _ROWS_AT_ONCE) for start in range(0, n, _ROWS_AT_ONCE))


def _unfold(shrinkage: float, weight: Floats, bias: Floats, mean: Floats, sd: Floats) -> LinearHead:
    """The head for raw features: standardisation becomes part of weight and bias."""
    raw = weight / sd
    return LinearHead(raw.astype(np.float32), (bias - raw @ mean).astype(np.float32), shrinkage)
