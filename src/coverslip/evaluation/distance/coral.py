"""CORAL: how far apart the covariances of features are.

Source: Sun and Saenko 2016, Deep CORAL, equation 1: ||C_x - C_y||^2 / (4 d^2), in Frobenius' norm.
"""

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating]

_ROWS_AT_ONCE = 1024


def coral(x: Features, y: Features) -> float:
    """The distance; 0 where all variances and covariances are equal, whatever the means.

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
    """Sum over all entries of the product of two covariances, of centred rows."""
    total = sum(
        float(np.square(x[i : i + _ROWS_AT_ONCE] @ y.T, dtype=np.float64).sum())
        for i in range(0, len(x), _ROWS_AT_ONCE)
    )
    return total / ((len(x) - 1) * (len(y) - 1))
