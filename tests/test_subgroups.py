"""Subgroups and whole groups against NumPy and SciPy."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import gmean, t

import coverslip as cs
from coverslip.evaluation.summary import evaluate_predictions
from coverslip.reports.reported import group_mean
from coverslip.runs.folder import Run
from coverslip.runs.results import read_metrics, write_metrics


def draw(n: int, seed: int = 0, n_classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    label = generator.integers(0, n_classes, n)
    logits = generator.normal(size=(n, n_classes))
    logits[np.arange(n), label] += 1.2
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probability, label


def evaluated(probability, label, **more):
    classes = [f"c{k}" for k in range(probability.shape[1])]
    return evaluate_predictions(probability, label, classes, split="test", primary="macro_f1", **more)


def test_a_gap_is_the_difference_from_all_others_and_its_interval_that_of_two_proportions():
    probability, label = draw(600)
    sex = np.where(np.arange(600) < 200, "f", "m")
    scores = evaluated(probability, label, columns={"sex": sex}).by_column["sex"]
    assert list(scores) == ["m", "f"]  # the largest first
    right = probability.argmax(axis=1) == label
    shares, n = [right[sex == name].mean() for name in ("f", "m")], [200, 400]
    gap = scores["f"].gaps["accuracy"]
    assert gap.value == pytest.approx(shares[0] - shares[1])
    wald = 1.96 * np.sqrt(sum(share * (1 - share) / k for share, k in zip(shares, n, strict=True)))
    assert gap.high - gap.low == pytest.approx(2 * wald, rel=0.03)
    assert scores["m"].gaps["accuracy"].value == pytest.approx(-gap.value)
    assert scores["f"].metrics["accuracy"].value == pytest.approx(shares[0])


def test_a_mean_over_classes_is_not_compared_where_a_subgroup_lacks_one():
    probability, label = draw(400)
    site = np.where((label == 1) & (np.arange(400) % 2 == 0), "bank", "clinic")  # no image of the first class there
    scores = evaluated(probability, label, columns={"site": site}).by_column["site"]
    assert {name: each.n_missing for name, each in scores.items()} == {"bank": 1, "clinic": 0}
    for each in scores.values():
        assert (each.gaps["macro_f1"].value, each.gaps["accuracy"].value is None) == (None, False)


def test_images_of_a_group_on_both_sides_move_a_gap_together():
    """Patients differ much, sexes not at all: each patient's images lie on both sides and cancel out."""
    generator = np.random.default_rng(0)
    patient = np.repeat(np.arange(30), 20)
    label = generator.integers(0, 2, 600)
    right = generator.random(600) < generator.choice([0.6, 1.0], 30)[patient]
    predicted = np.where(right, label, 1 - label)
    probability = np.where(np.arange(2) == predicted[:, None], 0.9, 0.1)
    within, between = np.arange(600) % 2, patient % 2
    columns = {"within": within.astype(str), "between": between.astype(str)}
    group = patient.astype(str)
    by_column = evaluated(probability, label, group=group, columns=columns).by_column
    widths = {
        name: scores["0"].gaps["accuracy"].high - scores["0"].gaps["accuracy"].low for name, scores in by_column.items()
    }
    assert widths["within"] < widths["between"]


def test_columns_without_subgroups_are_ignored_and_small_subgroups_are_marked():
    probability, label = draw(60)
    columns = {
        "name": np.array([f"image {i}" for i in range(60)]),
        "same": np.full(60, "x"),
        "class again": label.astype(str),
        "stain": np.where(np.arange(60) < 5, "old", "new"),
    }
    by_column = evaluated(probability, label, columns=columns).by_column
    assert list(by_column) == ["stain"]
    assert [by_column["stain"][name].is_small for name in ("new", "old")] == [False, True]


def test_a_group_is_decided_by_the_geometric_mean_of_its_images():
    probability, _ = draw(80, n_classes=3)
    group = np.repeat(np.arange(20), 4).astype(str)
    label = np.repeat(np.random.default_rng(1).integers(0, 3, 20), 4)
    decided = evaluated(probability, label, group=group).of_groups
    expected = np.array([gmean(probability[group == str(g)]).argmax() for g in range(20)])
    assert decided.metrics["accuracy"].value == pytest.approx((expected == label[::4]).mean())
    assert np.sum(decided.confusion_matrix) == decided.n == 20
    assert "sensitivity" not in decided.metrics


def test_groups_of_several_classes_have_none_and_single_images_are_no_groups():
    probability, label = draw(80)
    mixed = np.repeat(np.arange(20), 4).astype(str)
    assert evaluated(probability, label, group=mixed).of_groups is None
    assert evaluated(probability, label, group=np.arange(80).astype(str)).of_groups is None
    assert evaluated(probability, label).of_groups is None
    pure = np.array([f"{k} {i // 10}" for i, k in enumerate(label)])
    pure[np.flatnonzero(label == 0)[:1]] = pure[np.flatnonzero(label == 1)[0]]
    decided = evaluated(probability, label, group=pure).of_groups
    assert decided.n_mixed == 1
    assert set(decided.metrics) >= {"accuracy", "sensitivity", "specificity", "ppv", "npv"}


def test_images_without_a_named_group_are_counted_apart_from_groups():
    probability, _ = draw(80, n_classes=3)
    group = np.repeat(np.arange(20), 4).astype(str)
    label = np.repeat(np.random.default_rng(1).integers(0, 3, 20), 4)
    group[-16:] = ""
    decided = evaluated(probability, label, group=group).of_groups
    assert (decided.n, decided.n_alone) == (16, 16)
    whole = evaluated(probability, label, group=group)
    assert (whole.n_groups, whole.n_ungrouped, whole.n_units) == (16, 16, 32)
    assert decided == replace(evaluated(probability[:-16], label[:-16], group=group[:-16]).of_groups, n_alone=16)
    assert evaluated(probability, label, group=np.full(80, "")).of_groups is None


def wrong_in(sizes, n_wrong):
    """Groups of these sizes, so many images of each misclassified."""
    label = np.concatenate([np.arange(n) % 2 for n in sizes])
    is_wrong = np.concatenate([np.arange(n) < wrong for n, wrong in zip(sizes, n_wrong, strict=True)])
    group = np.repeat([f"slide {k}" for k in range(len(sizes))], sizes)
    return np.eye(2)[np.where(is_wrong, 1 - label, label)], label, group


def test_the_mean_over_groups_gives_each_the_same_weight_and_has_students_interval():
    shares = np.repeat([0.5, 0.6, 0.7, 0.8, 0.9], 6)
    sizes = np.where(shares < 0.7, 100, 10)  # large groups are harder
    probability, label, group = wrong_in(sizes, np.round(sizes * (1 - shares)).astype(int))
    evaluation = evaluated(probability, label, group=group)
    mean = evaluation.group_mean_accuracy
    assert (mean.value, mean.n_groups) == (pytest.approx(0.7), 30)
    reach = t.ppf(0.975, 29) * shares.std(ddof=1) / np.sqrt(30) / (0.7 * 0.3)  # on the logit scale
    assert mean.low == pytest.approx(expit(logit(0.7) - reach), abs=0.003)  # the exact interval is a little wider
    assert mean.high == pytest.approx(expit(logit(0.7) + reach), abs=0.003)
    assert evaluation["accuracy"].value < 0.6
    assert evaluation.is_group_mean_different
    assert group_mean(evaluation)


def test_the_mean_over_groups_is_shown_only_of_five_named_groups_that_differ_from_the_images():
    equal = evaluated(*wrong_in([20] * 6, range(1, 7))[:2], group=wrong_in([20] * 6, range(1, 7))[2])
    assert equal.group_mean_accuracy.value == pytest.approx(equal["accuracy"].value)
    assert not equal.is_group_mean_different
    assert not group_mean(equal)
    probability, label, group = wrong_in([100, 100, 5, 5], [60, 50, 0, 1])
    few = evaluated(probability, label, group=group)
    assert (few.group_mean_accuracy.low, few.is_group_mean_different) == (None, False)
    assert evaluated(probability, label).group_mean_accuracy is None
    assert evaluated(probability, label, group=np.full(210, "")).group_mean_accuracy is None
    group[:200] = ""  # only the small groups are named
    assert evaluated(probability, label, group=group).group_mean_accuracy.value == pytest.approx(0.9)


def test_the_mean_over_groups_is_kept_in_the_file(tmp_path):
    evaluation = evaluated(*draw(80), group=np.arange(80) // 8)
    write_metrics(tmp_path / "metrics.json", evaluation)
    assert evaluation.group_mean_accuracy is not None
    assert read_metrics(tmp_path / "metrics.json").group_mean_accuracy == evaluation.group_mean_accuracy


@pytest.mark.slow
def test_columns_of_a_table_are_reported_by_file_and_report(own_run: Run, cells: Path, tmp_path: Path) -> None:
    files = sorted(cells.rglob("*.png"))
    table = tmp_path / "cells.csv"
    rows = [
        f"{file},{file.parent.name},{file.parent.name}{i % 9},{'old' if i % 3 else 'new'}"
        for i, file in enumerate(files)
    ]
    table.write_text("\n".join(["path,label,slide,stain", *rows]), encoding="utf-8")
    measured = cs.evaluate(own_run.folder, cs.open_dataset(table, group="slide"))
    metrics = json.loads(measured.metrics_file.read_text())
    assert {value: scores["n"] for value, scores in metrics["by_column"]["stain"].items()} == {"old": 60, "new": 30}
    assert metrics["of_groups"]["n"] == 27
    assert measured.metrics.by_column["stain"]["old"].gaps["accuracy"].low is not None
    page = measured.report_file.read_text(encoding="utf-8")
    assert "Subgroups" in page
    assert "Metrics per group" in page
