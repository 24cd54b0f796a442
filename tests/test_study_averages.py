"""Means and ranks over the datasets of a study, some of which have images in common."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from PIL import Image
from synthetic_runs import latency, written_study
from trained import SMALL_NETWORK, train_cells

from coverslip.evaluation.results import Metric
from coverslip.evaluation.table import METRICS
from coverslip.messages import text
from coverslip.reports.metric_rows import Estimate
from coverslip.reports.reported import signed
from coverslip.studies.cells import cells_of
from coverslip.studies.comparing import compare_study
from coverslip.studies.figures import names_by_size, seconds_per_image
from coverslip.studies.plan import StudyPlan, plan_of
from coverslip.studies.published import ArmDifference
from coverslip.studies.report import result_of, study_sections
from coverslip.studies.results import ResultRow, disjoint_datasets, images_of_datasets
from coverslip.studies.variants import NetworkLatency, StepDistance


def rows(dataset: str, model: str, values: list[float]) -> list[ResultRow]:
    return [
        ResultRow(
            dataset=dataset, model=model, regime="imagenet", train_per_class=None, repeat=1, fold=k, seed=0,
            n_train=80, n_untested=80, n_test=20, primary=value, metrics={"macro_f1": value}, state="done",
            run=f"{model} {k}",
        )
        for k, value in enumerate(values, start=1)
    ]  # fmt: skip


VALUES = {"a": (0.9, 0.8, 0.7), "b": (0.8, 0.9, 0.7), "other": (0.6, 0.5, 0.4), "blurred": (0.6, 0.5, 0.4)}


def results(*datasets: str) -> list[ResultRow]:
    return [
        row
        for dataset in datasets
        for model, value in zip("xyz", VALUES[dataset], strict=True)
        for row in rows(dataset, model, [value, value + 0.02])
    ]


def test_unions_and_degraded_copies_are_no_further_datasets() -> None:
    plan = StudyPlan.model_validate(
        {
            "datasets": [
                {"path": ["a", "b"], "name": "other"},
                "a",
                {"path": "a", "name": "blurred", "recipe": {"degrade": {"blur": 2}}},
                "b",
            ],
            "models": ["x", "y", "z"],
            "published": [{"name": "theirs", "variant": "x", "metrics": {"macro_f1": 0.9}}],
        }
    )
    compared = compare_study(plan, results("other", "a", "blurred", "b"))
    (overall,) = compared.overall
    assert compared.counted == overall.datasets == ("a", "b")
    assert overall.critical_difference == pytest.approx(2.343 * (3 * 4 / (6 * 2)) ** 0.5, abs=1e-3)
    means = {row.name: row.mean for row in overall.scores}
    assert means == {"x": pytest.approx(0.86), "y": pytest.approx(0.86), "z": pytest.approx(0.71)}
    left_out = [(each.dataset, each.shared_with, each.n_common, each.n_images) for each in compared.left_out]
    assert left_out == [("other", ("a", "b"), 2, 2), ("blurred", ("a",), 1, 1)]
    (published,) = compared.published
    assert published.own == {"": pytest.approx(0.86)}


def test_a_distance_stands_beside_the_gain_with_the_largest_number_of_training_images() -> None:
    regimes = ["imagenet", {"name": "from f", "two_step": "f"}]
    plan = plan_of({"datasets": ["a"], "models": ["x"], "regimes": regimes, "train_per_class": [5, 10]})
    results = [
        replace(row, regime=regime, train_per_class=n)
        for n, regime, value in ((5, "imagenet", 0.5), (5, "from f", 0.9), (10, "imagenet", 0.6), (10, "from f", 0.75))
        for row in rows("a", "x", [value, value + 0.01])
    ]
    measure = Metric(value=0.2)
    distance = StepDistance(dataset="a", first="f", model="x", regime="from f", mmd2=measure, coral=measure, p=0.1)
    compared = replace(compare_study(plan, results), distances=(distance,))
    (section,) = (each for each in study_sections(compared) if each.title == text("study-distances.title"))
    ((*_, gain),) = section.blocks[0].rows
    assert isinstance(gain, Estimate)
    assert gain.value == "+0.150"


def test_the_time_of_a_network_is_that_in_the_arm_of_its_scores() -> None:
    plan = plan_of({"datasets": ["a", "b"], "models": ["x", "y"], "arms": [{"name": "A"}, {"name": "B"}]})
    results: list[ResultRow] = []
    latencies: list[NetworkLatency] = []
    for arm, seconds, parameters in (("A", 1.0, 10), ("B", 3.0, 30)):
        for dataset, model in itertools.product(("a", "b"), ("x", "y")):
            name = f"{dataset}, {arm}"
            results += [replace(row, parameters=parameters) for row in rows(name, model, [0.5, 0.6])]
            latencies.append(NetworkLatency(dataset=name, model=model, latency=latency(seconds)))
    compared = replace(compare_study(plan, results), latencies=tuple(latencies))
    assert compared.overall[-1].arm == "B"
    assert seconds_per_image(compared, "x") == pytest.approx(latency(3.0).whole_many.median / latency(3.0).n_many)
    assert {row.parameters for row in names_by_size(compared)} == {30}


def test_images_are_recognized_by_content_and_not_by_name() -> None:
    images = {
        "large": [frozenset(f"file {k}") | {f"pixels {k}"} for k in range(4)],
        "small": [frozenset({"another file", "pixels 3"}), frozenset({"a file", "pixels 9"})],
        "apart": [frozenset({"file of another laboratory"})],
    }
    counted, (left_out,) = disjoint_datasets(["large", "small", "apart"], images)
    assert counted == ["small", "apart"]
    assert (left_out.dataset, left_out.shared_with, left_out.n_common, left_out.n_images) == ("large", ("small",), 1, 4)


def test_a_mean_difference_has_an_interval_if_each_dataset_has_it() -> None:
    plan = StudyPlan.model_validate({"datasets": ["a", "b"], "models": ["x", "y"]})
    values = {
        "a": {"x": [0.5, 0.52, 0.51], "y": [0.6, 0.63, 0.61]},
        "b": {"x": [0.7, 0.71, 0.7], "y": [0.74, 0.76, 0.75]},
    }
    compared = compare_study(
        plan, [row for name, of in values.items() for model, each in of.items() for row in rows(name, model, each)]
    )
    difference_of = {row.name: row.difference for row in compared.overall[0].scores}
    mean, of_each = difference_of["y"], [part.differences[0].difference for part in compared.datasets]
    assert difference_of["x"] is None
    assert mean is not None
    assert mean.mean == pytest.approx(sum(each.mean for each in of_each) / 2)
    half = [max((each.high or 0) - each.mean, each.mean - (each.low or 0)) for each in of_each]
    assert mean.high == pytest.approx(min(1, mean.mean + (half[0] ** 2 + half[1] ** 2) ** 0.5 / 2))


@pytest.mark.slow
def test_files_that_were_copied_or_stored_in_another_format_are_the_same_images(tmp_path: Path) -> None:
    cells, others = (write_cells(tmp_path / name, 30, seed=seed) for seed, name in enumerate(("cells", "others")))
    for file in cells.rglob("*.png"):
        copied = tmp_path / "stored anew" / file.relative_to(cells).with_suffix(".bmp")
        copied.parent.mkdir(parents=True, exist_ok=True)
        Image.open(file).save(copied)
    plan = plan_of(
        {
            "datasets": [{"path": str(tmp_path / "stored anew"), "name": "first"}, str(cells), str(others)],
            "models": [SMALL_NETWORK],
            "folds": 0,
            "recipe": {"image_size": 32, "tta": 1, "stage": "instant"},
        }
    )
    trainings = cells_of(plan, tmp_path / "out")
    train_cells(trainings)
    counted, (left_out,) = disjoint_datasets(["first", "cells", "others"], images_of_datasets(plan, trainings))
    assert counted == ["first", "others"]
    assert (left_out.dataset, left_out.n_common, left_out.n_images) == ("cells", 30, 30)


@pytest.mark.parametrize(
    ("interval", "significance"),
    [((0.01, 0.33), "yes"), ((-0.01, 0.35), "no"), ((None, None), "unknown")],
)
def test_a_protocol_adds_something_only_if_the_difference_is_significant(
    interval: tuple[float | None, float | None], significance: str
) -> None:
    difference = Metric(value=0.17, low=interval[0], high=interval[1])
    of_protocol = ArmDifference(
        dataset="cells", train_per_class=None, name="net", arm="A", reference="B", value=0.9, reference_value=0.73,
        difference=difference,
    )  # fmt: skip
    study = replace(written_study(), arm_differences=[of_protocol])
    low, high = (signed(end) for end in interval)
    assert result_of(study) == text(
        "study-result-arms", name="net", metric=METRICS[study.metric].title, dataset="cells", n=1, published="0.900",
        honest="0.730", difference="+0.170", significance=significance, low=low, high=high, has_own=False, own="–",
    )  # fmt: skip


def test_the_result_of_a_study_is_a_sentence_for_each_dataset_with_the_largest_training_set() -> None:
    study = written_study()
    best = [max(row.mean or 0 for row in part.scores) for part in study.datasets if part.train_per_class == 160]
    sentence = result_of(study)
    assert [value for value in re.findall(r"0\.\d{3}", sentence) if float(value) in np.round(best, 3)] == [
        f"{value:.3f}" for value in best
    ]
