"""What a classifier computes of resized pixels, whichever library runs its network."""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


class PixelOutputs(NamedTuple):
    """The outputs for n images."""

    probabilities: npt.NDArray[np.floating]  # (n, K), calibrated, in the order of the classes
    logits: npt.NDArray[np.floating]  # (n, K), before calibration
    features: npt.NDArray[np.float32]  # (n, D), averaged over test-time augmentation
    ood_score: npt.NDArray[np.floating] | None  # (n,): 0 is typical, above 1 unfamiliar; None: the classifier has none


class Predictor(Protocol):
    """A network that is ready to predict: a `Classifier`, or an exported classifier that was opened again."""

    def predict_pixels(self, pixels: npt.NDArray[np.unsignedinteger]) -> PixelOutputs:
        """Return the outputs for (n, S, S, C) pixels that were resized as the classifier's card says."""
        ...
