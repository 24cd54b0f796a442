"""The linear probe by products of images with each other: many of them on parts of the same images cost little.

The same discriminant as `coverslip.training.linear_probe` at one shrinkage, written with the Gram matrix
(Mika et al. 1999, Fisher Discriminant Analysis with Kernels), which is worked out once. Each part then takes one
Cholesky factor in place of an eigendecomposition over thousands of features.
"""

import numpy as np
import numpy.typing as npt

from coverslip.training.linear_probe import whitened_products

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_SD_FLOOR = 1e-3  # of the median feature's, as for the linear probe


def gram_matrix(features: npt.NDArray[np.float32]) -> Singles:
    """(n, n) products of (n, D) features, each feature standardised over all images."""
    standardised, _ = _standardised(features)
    gram: Singles = standardised @ standardised.T
    return gram


def _standardised(features: npt.NDArray[np.float32]) -> tuple[Singles, npt.NDArray[np.float64]]:
    """Standardised features and their standard deviations."""
    sd = features.std(axis=0, dtype=np.float64)
    sd = np.maximum(sd, max(_SD_FLOOR * float(np.median(sd)), 1e-12))
    return ((features - features.mean(axis=0, dtype=np.float64)) / sd).astype(np.float32), sd


def gram_matrix_with_variation(
    features: npt.NDArray[np.float32],
    label: Ints,
    variation: npt.NDArray[np.float32],
    *,
    shrinkage: float,
    balanced: bool,
) -> Singles:
    """(n, n) products in a space where the covariance within images and the shrinkage together are the identity.

    There a probe adds the identity in place of a shrinkage, which is in units of the mean variance of all these images.

    Args:
        features: (n, D).
        label: (n,) int.
        variation: (R, D), as for the linear probe.
        shrinkage, balanced: as for the linear probe.
    """
    label = np.unique(label, return_inverse=True)[1]  # a sample may lack a class
    standardised, sd = _standardised(features)
    within = (variation / sd).astype(np.float32)
    count = np.bincount(label)
    share = np.full(len(count), 1 / len(count)) if balanced else count / len(label)
    gram: Singles = whitened_products(standardised, label, share, within, shrinkage).astype(np.float32)
    return gram


def probe_logits(
    train: Singles,
    cross: Singles,
    label: Ints,
    *,
    n_classes: int,
    n_features: int,
    shrinkage: float | None,
    balanced: bool,
) -> Singles:
    """(m, n_classes) logits, up to what is the same for all classes; -inf for a class that was not trained on.

    Args:
        train: (n, n) Gram matrix of the training images.
        cross: (m, n) products of other images with them.
        label: (n,) int of the training images.
        n_classes: K.
        n_features: D, that the products sum over.
        shrinkage: as for the linear probe; None if the products already include it.
        balanced: as for the linear probe.
    """
    from scipy.linalg import cho_factor, cho_solve

    n, count = len(label), np.bincount(label, minlength=n_classes)
    share = (count > 0) / np.count_nonzero(count) if balanced else count / n
    mean_of = np.zeros((n, n_classes), np.float32)  # images -> class centres
    mean_of[np.arange(n), label] = 1 / count[label]
    with_centres = train @ mean_of  # (n, K): images x centres
    centres = mean_of.T @ with_centres  # (K, K)
    weight = np.sqrt(share[label] / count[label]).astype(np.float32)
    scatter = train - with_centres[:, label]
    scatter -= with_centres[:, label].T
    scatter += centres[np.ix_(label, label)]
    scatter *= weight
    scatter *= weight[:, None]
    floor = 1.0 if shrinkage is None else shrinkage * max(float(np.trace(scatter)) / n_features, 1e-12)
    scatter[np.diag_indices(n)] += np.float32(floor)
    deviation = weight[:, None] * (with_centres - centres[label])  # (n, K): weighted deviations x centres
    factor = cho_factor(scatter, lower=True, overwrite_a=True, check_finite=False)
    solved = cho_solve(factor, deviation, check_finite=False)
    by_image = weight[:, None] * solved
    other_centres = cross @ mean_of  # (m, K)
    linear = other_centres - cross @ by_image + other_centres @ (count[:, None] * (mean_of.T @ by_image))
    own = np.diag(centres) - np.einsum("nk,nk->k", deviation, solved)
    with np.errstate(divide="ignore"):
        logits: Singles = (linear - own / 2) / floor + np.log(share)
    return logits
