"""LogME against the evidence of the Gaussian that it describes."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from coverslip.evaluation.distances import logme


def _evidence(precisions: np.ndarray, features: np.ndarray, y: np.ndarray) -> float:
    alpha, beta = np.exp(precisions)
    covariance = np.eye(len(y)) / beta + features @ features.T / alpha
    return float(multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)) / len(y)


@pytest.mark.parametrize("d", [3, 40])
def test_logme_is_the_greatest_evidence_of_a_linear_model(d: int) -> None:
    generator = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], 8)
    features = generator.normal(size=(24, d)) + label[:, None] * 0.5
    best = []
    for k in range(3):
        y = (label == k).astype(float)
        best.append(-minimize(lambda p, y=y: -_evidence(p, features, y), [0.0, 0.0], method="Nelder-Mead").fun)
    assert logme(features, label) == pytest.approx(np.mean(best), abs=2e-3)


def test_features_that_separate_the_classes_have_a_higher_logme() -> None:
    generator = np.random.default_rng(1)
    label = np.repeat([0, 1], 30)
    noise = generator.normal(size=(60, 5))
    values = [logme(noise + apart * label[:, None], label) for apart in (0, 1, 3)]
    assert values == sorted(values)
    with pytest.raises(ValueError, match="two classes"):
        logme(noise, np.zeros(60, int))
