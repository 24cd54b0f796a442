"""The table of metrics: a record and its texts are all that a metric needs."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from coverslip.evaluation.intervals import RANGES
from coverslip.evaluation.summary import evaluate_predictions
from coverslip.evaluation.table import METRICS, MetricRecord, metric_intervals, of_mean, row_metrics, score
from coverslip.messages import add_entries, text
from coverslip.runs.results import metrics_as_json


def draw(n: int = 80, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    label = generator.integers(0, n_classes, n)
    probability = generator.dirichlet(np.ones(n_classes), n)
    probability[np.arange(n), label] += 0.4
    return probability / probability.sum(axis=1, keepdims=True), label


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_lies_on_its_scale(name: str) -> None:
    record, (probability, label) = METRICS[name], draw()
    value = record.value(probability, label, probability.argmax(axis=1))
    low, high = RANGES[record.scale]
    assert low <= value <= high
    perfect = record.value(np.eye(3)[label], label, label)
    if np.isfinite(perfect):
        assert record.as_higher_is_better(perfect) >= record.as_higher_is_better(value)
    assert record.as_higher_is_better(float("nan")) == float("-inf")


@pytest.mark.parametrize("name", METRICS)
def test_influences_foretell_what_leaving_an_image_out_changes(name: str) -> None:
    record, (probability, label) = METRICS[name], draw(400)
    predicted = probability.argmax(axis=1)
    if record.influence is None:
        assert record.no_interval
        return
    influence = record.influence(probability, label, predicted).of_image
    whole = record.value(probability, label, predicted)
    for image in range(0, 400, 40):
        others = np.arange(400) != image
        change = whole - record.value(probability[others], label[others], predicted[others])
        assert influence[image] == pytest.approx(change, abs=2e-4 + 0.05 * abs(change)), image


def _distance(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    distance: np.ndarray = np.abs(probability - np.eye(probability.shape[1])[label]).sum(axis=1)
    return distance


add_entries("""
metric-distance = Distance
    .meaning = mean distance of probabilities from the truth

metric-largest = Largest class
    .meaning = share of images in the largest class
""")
_VALUE, _INFLUENCE = of_mean(_distance)
DISTANCE = MetricRecord(
    name="distance",
    value=_VALUE,
    influence=_INFLUENCE,
    better="lower",
    scale="positive",
)
LARGEST = MetricRecord(
    name="largest",
    value=lambda probability, label, predicted: float(np.bincount(label).max() / len(label)),
)


@pytest.fixture
def added() -> Iterator[None]:
    for record in (DISTANCE, LARGEST):
        METRICS.add(record)
    yield
    for record in (DISTANCE, LARGEST):
        METRICS.remove(record.name)


@pytest.mark.usefixtures("added")
def test_a_metric_that_is_added_is_measured_with_its_interval() -> None:
    probability, label = draw()
    expected = _distance(probability, label).mean()
    assert score(probability, label)["distance"] == pytest.approx(expected)
    evaluation = evaluate_predictions(probability, label, list("abc"), split="test", primary="distance")
    assert evaluation["distance"].low < evaluation["distance"].value < evaluation["distance"].high
    alone = metric_intervals(probability, label, None, metrics=["log_loss"])["log_loss"]
    assert evaluation["log_loss"].low == pytest.approx(alone.low)
    assert evaluation["largest"].value == np.bincount(label).max() / 80
    assert (evaluation["largest"].low, str(evaluation["largest"].reason)) == (None, "no interval is known for it")
    assert (
        json.loads(json.dumps(metrics_as_json(evaluation)))["metrics"]["distance"]["value"]
        == evaluation["distance"].value
    )
    assert row_metrics(evaluation.primary) == ("accuracy", "macro_f1", "distance")


@pytest.mark.usefixtures("added")
def test_names_are_given_once() -> None:
    with pytest.raises(ValueError, match=text("record-twice", kind_of_record="metric", name="distance")):
        METRICS.add(DISTANCE)
    with pytest.raises(ValueError, match=r"no such metric \(did you mean 'distance'\?\)"):
        METRICS.find("distanse")


def test_subgroups_are_the_largest_first_then_by_name() -> None:
    label = np.arange(84) % 2
    stain = np.array(["giemsa", "wright", "feulgen", "azure", "eosin", "fast green"])[np.arange(84) // 2 % 6]
    stain[:2] = "wright"
    evaluation = evaluate_predictions(
        np.eye(2)[label] * 0.8 + 0.1, label, ("a", "b"), split="test", primary="macro_f1", columns={"stain": stain}
    )
    names = ["wright", "azure", "eosin", "fast green", "feulgen", "giemsa"]
    assert list(evaluation.by_column["stain"]) == names
