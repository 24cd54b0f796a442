"""The instant head: a linear classifier on frozen features, in seconds.

A regularised linear discriminant (Friedman 1989, Regularized Discriminant Analysis, with a pooled covariance shrunk
towards the identity): one eigendecomposition serves every strength of regularisation, so that choosing it on
validation images costs next to nothing. Compared with logistic regression on the same 3,680 features of 1,200 blood
cells it was more accurate in all splits tried, at a tenth of the time. Standardisation is folded into the weights,
so that the result is an ordinary linear layer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRENGTHS = (
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
_SD_FLOOR = 1e-3  # of the median feature's: dead features must not get huge weights


@dataclass(frozen=True, slots=True)
class LinearHead:
    """logits = features @ weight.T + bias."""

    weight: npt.NDArray[np.float32]  # (K, D)
    bias: npt.NDArray[np.float32]  # (K,)
    strength: float  # of the regularisation that was chosen

    def logits(self, features: npt.NDArray[np.float32]) -> Floats:
        """(n, K) for (n, D) features."""
        return features.astype(np.float64) @ self.weight.T.astype(np.float64) + self.bias


def fit_head(
    features: npt.NDArray[np.float32],
    label: Ints,
    val_features: npt.NDArray[np.float32],
    val_label: Ints,
    *,
    n_classes: int,
    balanced: bool,
    better: Callable[[Floats, Ints], float],
) -> LinearHead:
    """The linear head whose strength of regularisation is best on validation images.

    Args:
        features: (n, D) of the training images.
        label: (n,) in [0, n_classes); every class occurs.
        val_features, val_label: of the validation images.
        n_classes: K.
        balanced: every class counts the same, however many images it has.
        better: (n, K) logits and labels -> a score, higher is better; ties go to the stronger regularisation.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    sd = features.std(axis=0, dtype=np.float64)
    sd = np.maximum(sd, max(_SD_FLOOR * float(np.median(sd)), 1e-12))
    standard = (features - mean) / sd
    heads = [
        _unfold(strength, weight, bias, mean, sd)
        for strength, weight, bias in _discriminants(standard, label, n_classes, balanced=balanced)
    ]
    scores = [better(head.logits(val_features), val_label) for head in heads]
    best = max(range(len(heads)), key=lambda i: (scores[i], i))
    return heads[best]


def _discriminants(x: Floats, label: Ints, n_classes: int, *, balanced: bool) -> Iterator[tuple[float, Floats, Floats]]:
    """(strength, (K, D) weight, (K,) bias) for every strength, on standardised (n, D) features."""
    n, d = x.shape
    counts = np.bincount(label, minlength=n_classes)
    centres = np.stack([x[label == k].mean(axis=0) for k in range(n_classes)])
    share = np.full(n_classes, 1 / n_classes) if balanced else counts / n
    scatter = (x - centres[label]) * np.sqrt(share / counts)[label][
        :, None
    ]  # its cross product is the pooled covariance
    variance, directions = _principal(scatter)
    projected = centres @ directions  # (K, r)
    unit = max(float(variance.sum()) / d, 1e-12)
    for strength in STRENGTHS:
        floor = strength * unit
        # (covariance + floor I)^-1 by its eigenvectors; the directions without variance all have 1 / floor.
        weight = (projected * (1 / (variance + floor) - 1 / floor)) @ directions.T + centres / floor
        bias = np.log(share) - 0.5 * np.einsum("kd,kd->k", centres, weight)
        yield strength, weight, bias


def _principal(scatter: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (r,) and orthonormal eigenvectors (D, r) of scatter.T @ scatter, by its smaller product."""
    n, d = scatter.shape
    if d <= n:
        variance, directions = np.linalg.eigh(scatter.T @ scatter)
        return np.maximum(variance, 0), directions
    variance, left = np.linalg.eigh(scatter @ scatter.T)
    kept = variance > 1e-9 * max(float(variance[-1]), 1e-300)
    variance, left = variance[kept], left[:, kept]
    return variance, (scatter.T @ left) / np.sqrt(variance)


def _unfold(strength: float, weight: Floats, bias: Floats, mean: Floats, sd: Floats) -> LinearHead:
    """The head for raw features: standardisation becomes part of weight and bias."""
    raw = weight / sd
    return LinearHead(raw.astype(np.float32), (bias - raw @ mean).astype(np.float32), strength)
