"""What the last layer of a network makes of features."""

import numpy as np
import numpy.typing as npt


def linear_logits(
    features: npt.NDArray[np.float32], weight: npt.NDArray[np.floating], bias: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Return (n, K) for (n, D) features, (K, D) weights and (K,) biases, computed in 64 bit."""
    logits: npt.NDArray[np.float64] = features.astype(np.float64) @ weight.astype(np.float64).T + bias
    return logits
