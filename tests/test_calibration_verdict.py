"""Whether probabilities are right: by calibration error, intercept and slope together."""

import numpy as np
import pytest

from coverslip.evaluation.calibration import apply_temperature
from coverslip.evaluation.results import Metric
from coverslip.evaluation.summary import evaluate_predictions
from coverslip.evaluation.table import metric_intervals
from coverslip.reports.metric_rows import estimate, metric_of
from coverslip.reports.sections.curves import calibration_direction


def direction_of(n_classes: int, *, temperature: float = 1.0, shift: float = 0.0, n: int = 3000) -> str:
    """Return the direction of probabilities that are too extreme below temperature 1, or too high for a class."""
    rng = np.random.default_rng(0)
    logits = 1.5 * rng.normal(size=(n, n_classes))
    label = (apply_temperature(logits, 1.0).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    logits[:, 1] += shift
    probability = apply_temperature(logits, temperature)
    names = ("ece_excess", "calibration_intercept", "calibration_slope")
    gap = float(probability.max(axis=1).mean() - (probability.argmax(axis=1) == label).mean())
    return calibration_direction(metric_intervals(probability, label, None, metrics=names), gap, n_classes)


@pytest.mark.parametrize(
    ("n_classes", "settings", "direction"),
    [
        (4, {}, "right"),
        (2, {}, "right"),
        (4, {"temperature": 0.5}, "high"),
        (4, {"temperature": 2.0}, "low"),
        (2, {"temperature": 2.0}, "low"),
        (2, {"shift": 0.8}, "high"),
    ],
)
def test_the_direction_is_that_of_the_known_fault(n_classes: int, settings: dict[str, float], direction: str) -> None:
    assert direction_of(n_classes, **settings) == direction


def test_an_intercept_that_is_not_zero_shows_wrong_probabilities_although_the_error_interval_contains_zero() -> None:
    metrics = {
        "ece_excess": Metric(value=0.03, low=-0.04, high=0.08),
        "calibration_intercept": Metric(value=0.66, low=0.31, high=1.01),
        "calibration_slope": Metric(value=1.1, low=0.8, high=1.4),
    }
    assert calibration_direction(metrics, -0.06, 5) == "low"
    assert calibration_direction(metrics, -0.01, 2) == "both"
    metrics["calibration_intercept"] = Metric(value=0.1, low=-0.2, high=0.4)
    assert calibration_direction(metrics, -0.01, 5) == "right"
    metrics["calibration_slope"] = Metric(value=0.6, low=0.4, high=0.8)
    assert calibration_direction(metrics, -0.01, 5) == "extreme"
    del metrics["calibration_intercept"], metrics["calibration_slope"]  # not defined
    assert calibration_direction(metrics, -0.01, 5) == "right"


def test_an_error_that_is_not_shown_to_be_above_chance_is_shown_by_its_upper_end():
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(3), 300)
    drawn = (probability.cumsum(axis=1) < rng.random((300, 1))).sum(axis=1)
    true, wrong = (
        evaluate_predictions(probability, label, ["a", "b", "c"], split="test", primary="accuracy")
        for label in (drawn, (drawn + 1) % 3)
    )
    shown = str(estimate(metric_of(true, "ece_excess")))
    assert shown.startswith("≤\N{NO-BREAK SPACE}")
    assert 0 <= float(shown[2:]) - (true["ece_excess"].high or 0) < 0.001  # rounded up
    assert wrong["ece_excess"].low > 0
    assert estimate(metric_of(wrong, "ece_excess")).number == wrong["ece_excess"].value


def test_certain_probabilities_without_an_error_have_an_interval_above_zero():
    label = np.arange(40) % 2
    error = metric_intervals(np.eye(2)[label], label, None, metrics=["ece_excess"])["ece_excess"]
    assert error.value == error.low == 0 < error.high < 0.2
