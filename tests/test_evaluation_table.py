"""The table of metrics: one record is all that a metric needs."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from coverslip.evaluation import (
    METRICS,
    FromCounts,
    FromSums,
    FromWeights,
    MetricRecord,
    bootstrap_intervals,
    evaluate_predictions,
    row_metrics,
    score,
)
from coverslip.runs import metrics_as_json


def draw(n: int = 80, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    label = generator.integers(0, n_classes, n)
    probability = generator.dirichlet(np.ones(n_classes), n)
    probability[np.arange(n), label] += 0.4
    return probability / probability.sum(axis=1, keepdims=True), label


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_its_words_and_lies_on_its_scale(name: str) -> None:
    record, (probability, label) = METRICS[name], draw()
    assert record.title
    assert record.meaning
    value = record.value(probability, label, probability.argmax(axis=1))
    assert 0 <= value <= (1 if record.scale == "share" else np.inf)
    perfect = record.value(np.eye(3)[label], label, label)
    assert record.as_higher_is_better(perfect) >= record.as_higher_is_better(value)
    assert record.as_higher_is_better(float("nan")) == float("-inf")


@pytest.mark.parametrize("name", METRICS)
def test_the_way_of_the_bootstrap_gives_the_value_where_every_image_is_drawn_once(name: str) -> None:
    record, (probability, label) = METRICS[name], draw()
    predicted = probability.argmax(axis=1)
    match record.bootstrap:
        case FromCounts(of_counts):
            confusion = np.zeros((2, 3, 3))
            np.add.at(confusion, (slice(None), label, predicted), 1)
            found = of_counts(confusion)
        case FromSums(of_images, of_sums, n_columns):
            value, column = of_images(probability, label)
            sums = np.bincount(column, weights=value, minlength=n_columns)
            found = of_sums(np.stack([sums, sums]), np.array([80.0, 80.0]))
        case FromWeights(of_weights):
            found = of_weights(probability, label, np.ones((80, 2)))
        case None:
            pytest.skip("no interval")
    assert found == pytest.approx(record.value(probability, label, predicted))


def _distance(probability: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth = np.eye(probability.shape[1])[label]
    return ((probability - truth) ** 2).sum(axis=1), np.zeros(len(label), dtype=int)


BRIER = MetricRecord(
    name="brier",
    title="Brier score",
    meaning="mean squared distance of probabilities from the truth",
    value=lambda probability, label, predicted: float(_distance(probability, label)[0].mean()),
    bootstrap=FromSums(_distance, lambda sums, n: sums[:, 0] / n),
    better="lower",
    scale="positive",
)
LARGEST = MetricRecord(
    name="largest",
    title="Largest class",
    meaning="share of images in the largest class",
    value=lambda probability, label, predicted: float(np.bincount(label).max() / len(label)),
)


@pytest.fixture
def added() -> Iterator[None]:
    for record in (BRIER, LARGEST):
        METRICS.add(record)
    yield
    for record in (BRIER, LARGEST):
        METRICS.remove(record.name)


@pytest.mark.usefixtures("added")
def test_a_metric_that_is_added_is_measured_with_its_interval() -> None:
    probability, label = draw()
    expected = _distance(probability, label)[0].mean()
    assert score(probability, label)["brier"] == pytest.approx(expected)
    found = evaluate_predictions(probability, label, list("abc"), split="test", primary="brier")
    assert found["brier"].low < found["brier"].value < found["brier"].high
    alone = bootstrap_intervals(probability, label, None, metrics=["log_loss"])["log_loss"]
    assert found["log_loss"].low == pytest.approx(alone.low)
    assert found["largest"].value == np.bincount(label).max() / 80
    assert (found["largest"].low, found["largest"].reason) == (None, "no interval is known for it")
    assert json.loads(json.dumps(metrics_as_json(found)))["metrics"]["brier"]["value"] == found["brier"].value
    assert row_metrics(found.primary) == ("accuracy", "macro_f1", "brier")


@pytest.mark.usefixtures("added")
def test_names_are_given_once() -> None:
    with pytest.raises(ValueError, match="metric called 'brier' already"):
        METRICS.add(BRIER)
    with pytest.raises(ValueError, match=r"no such metric \(did you mean 'brier'\?\)"):
        METRICS.find("briar")
