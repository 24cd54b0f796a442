"""Corrected class proportions of samples: known answers, coverage, and tables of real predictions."""

import codecs
import csv
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parameters import only_first
from refusing import refusing
from scipy.stats import betabinom, binomtest, dirichlet_multinomial, norm, ttest_ind
from scipy.stats import t as student_t

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import CoverslipError
from coverslip.evaluation.prevalence import estimated_shares
from coverslip.evaluation.proportions import (
    ErrorRates,
    Votes,
    correlations_within_groups,
    difference_of_means,
    effective_counts,
    pooled_counts,
    raw_shares,
    solve,
)
from coverslip.evaluation.results import Metric
from coverslip.evaluation.sample_proportions import (
    ClassProportion,
    ExpectedErrors,
    LabelShift,
    SampleProportions,
    values_by_condition,
)
from coverslip.events import Event, Noted
from coverslip.inference.summarising import cautions_of, names_of_folders, write_grouped
from coverslip.messages import message, text
from coverslip.reports.proportions_page import proportions_report, similar_names_of, warnings_of
from coverslip.reports.reported import read_run
from coverslip.reports.verdict import verdict_of_run
from coverslip.runs.classifier import write_card
from coverslip.runs.error_rates import votes_on_test_images
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction, Predictions
from coverslip.runs.split import write_split


def of_counts(*counts: Sequence[float] | np.ndarray) -> Votes:
    """Votes of units, each with its counts by class."""
    sums = np.array(counts, np.float64)
    return Votes(sums, sums.sum(axis=1))


def test_one_sample_has_the_interval_of_independent_images() -> None:
    share, low, high = raw_shares(of_counts([7, 3]))[1]
    exact = binomtest(3, 10).proportion_ci(method="exact")
    assert (share, low, high) == pytest.approx((0.3, exact.low, exact.high))


def test_the_effective_number_of_images_follows_from_the_variance_between_samples() -> None:
    votes = of_counts([90, 10], [80, 20], [60, 40])
    counts = effective_counts(votes)
    variance = np.var([0.1, 0.2, 0.4], ddof=1) / 3
    mean = 0.7 / 3
    assert counts.shares[1] == pytest.approx(mean)
    assert counts.n == pytest.approx(mean * (1 - mean) / variance * (1.959964 / 4.302653) ** 2, rel=1e-6)
    assert effective_counts(of_counts([8, 2], [8, 2])).n == 20  # without variance, all images count


def test_adjusted_counts_of_two_classes_are_those_of_rogan_and_gladen() -> None:
    rates = ErrorRates([of_counts([900, 100]), of_counts([200, 800])])
    corrected = rates.correct(of_counts([690, 310]))
    assert corrected.shares[1] == pytest.approx((0.31 + 0.9 - 1) / (0.8 + 0.9 - 1))
    assert corrected.low[1] < 0.3 < corrected.high[1]
    assert corrected.low[0] == pytest.approx(1 - corrected.high[1])


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.floats(0.5, 0.99))
def test_exact_votes_give_the_proportions_again(weights: list[float], accuracy: float) -> None:
    truth = np.array(weights) / sum(weights)
    matrix = np.full((3, 3), (1 - accuracy) / 2)
    np.fill_diagonal(matrix, accuracy)
    assert solve(matrix, (truth @ matrix)[None])[0] == pytest.approx(truth, abs=1e-9)


def test_proportions_outside_the_simplex_are_moved_into_it() -> None:
    matrix = np.array([[0.9, 0.1, 0.0], [0.05, 0.9, 0.05], [0.0, 0.1, 0.9]])
    solved = solve(matrix, np.array([[0.98, 0.02, 0.0]]))[0]
    assert solved.sum() == pytest.approx(1)
    assert solved[0] > 0.99
    assert (solved >= 0).all()


# Values of QuaPy 0.2.3 for these votes of 100 images of each class: `ACC` (inversion), and `EMQ` without calibration.
CONFUSION = of_counts([85, 10, 5]), of_counts([8, 82, 10]), of_counts([3, 12, 85])


@pytest.mark.parametrize(
    ("votes", "of_quapy", "tolerance"),
    [
        ((50, 30, 20), (0.556522, 0.273043, 0.170434), 2e-6),
        ((90, 6, 4), (1, 0, 0), 1e-4),
        (
            (10, 10, 80),
            (0.0745, 0, 0.9255),
            0.01,
        ),  # outside the simplex; QuaPy takes the closest votes, not the likeliest
    ],
)
def test_adjusted_counts_are_those_of_quapy(
    votes: tuple[int, ...], of_quapy: tuple[float, ...], tolerance: float
) -> None:
    assert ErrorRates(CONFUSION).correct(of_counts(votes)).shares == pytest.approx(of_quapy, abs=tolerance)


def test_proportions_from_probabilities_are_those_of_quapy() -> None:
    probability = [
        *([0.9, 0.08, 0.02], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6], [0.05, 0.15, 0.8]),
        *([0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.02, 0.08, 0.9], [0.5, 0.25, 0.25]),
    ]
    estimates = estimated_shares(np.array(probability * 5), (0.5, 0.3, 0.2))
    assert [each.value for each in estimates] == pytest.approx([0.172308, 0.182546, 0.645146], abs=2e-6)


def test_a_classifier_that_does_not_distinguish_is_not_used() -> None:
    corrected = ErrorRates([of_counts([55, 45]), of_counts([50, 50])]).correct(of_counts([60, 40]))
    assert corrected.reason == "summary-uninformative"
    assert np.isnan(corrected.shares).all()
    assert ErrorRates([of_counts([55, 45]), None]).correct(of_counts([60, 40])).reason == "summary-class-without-images"


@pytest.mark.parametrize("n", [5, 32, 400])
def test_an_interval_is_not_shorter_than_that_of_a_classifier_without_errors(n: int) -> None:
    rates = ErrorRates([of_counts([160, 40]), of_counts([5, 195])])
    few, many = (rates.correct(of_counts(votes)) for votes in ([n, 0], [0, n]))
    without_errors = raw_shares(of_counts([n, 0]))[1]
    assert few.shares[1] == pytest.approx(0, abs=1e-6)
    assert few.high[1] > without_errors[2] - 1e-9 > 0
    assert few.low[0] < 1 - without_errors[2] + 1e-9
    assert many.low[1] < 1 - without_errors[2] + 1e-9


@pytest.mark.parametrize("n_classes", [2, 3])
def test_votes_that_error_rates_do_not_allow_have_the_interval_of_the_nearest_proportions(n_classes: int) -> None:
    rates = ErrorRates([of_counts(60 * row + 20) for row in np.eye(n_classes)])
    least = (rates.matrix[0] * 40).round(9)
    possible, impossible = (rates.correct(of_counts(votes)) for votes in (least, 40 * np.eye(n_classes)[0]))
    assert possible.unclipped[1:] == pytest.approx(0, abs=1e-6)
    assert max(impossible.unclipped[1:]) < -0.1
    assert impossible.high[1:] == pytest.approx(possible.high[1:], abs=0.01)
    assert impossible.low[0] == pytest.approx(possible.low[0], abs=0.01)


def test_more_labeled_images_make_the_interval_shorter() -> None:
    def width(n: int) -> float:
        corrected = ErrorRates([of_counts([9 * n, n]), of_counts([n, 9 * n])]).correct(of_counts([700, 300]))
        return float(corrected.high[1] - corrected.low[1])

    assert width(1000) < width(100) < width(10)


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", only_first(1, [2, 4]))
def test_intervals_contain_the_true_proportion(n_classes: int) -> None:
    """In 200 simulated experiments with five samples that differ; at a nominal 95 %, fewer than 89 % are a fault."""
    rng = np.random.default_rng(5)
    matrix = np.full((n_classes, n_classes), 0.15 / (n_classes - 1))
    np.fill_diagonal(matrix, 0.85)
    truth = np.full(n_classes, 0.9 / (n_classes - 1))
    truth[-1] = 0.1
    hits = 0
    for _ in range(200):
        labeled = [of_counts(*rng.multinomial(20, row, 10)) for row in matrix]
        samples = [rng.multinomial(150, share @ matrix) for share in rng.dirichlet(truth * 40, 5)]
        corrected = ErrorRates(labeled).correct(of_counts(*samples))
        hits += bool(corrected.low[-1] <= truth[-1] <= corrected.high[-1])
    assert hits >= 178


def test_conditions_are_compared_as_scipy_compares_them() -> None:
    a, b = [0.1, 0.12, 0.2], [0.3, 0.25, 0.4, 0.33]
    difference, expected = difference_of_means(a, b), ttest_ind(b, a, equal_var=False)
    assert (difference.p, difference.low) == pytest.approx((expected.pvalue, expected.confidence_interval().low))
    assert difference_of_means([0.1, 0.1], [0.1, 0.1]).p is None


@given(st.floats(-0.4, 0.4), st.floats(0, 0.6), st.floats(0.01, 0.2))
def test_an_interval_of_a_difference_contains_0_as_its_p_value_says(
    shift: float, error_of_factor: float, spread: float
) -> None:
    """Fieller (1954): d is in the interval if (D - d)² is at most (t SE)² + (z d g)², g the error of the factor."""
    a = 0.2 + spread * np.array([-1, 0.5, 0.2, 0.8, -0.5])
    b = 0.2 + shift + spread * np.array([0.3, -0.6, 1.1, -0.2])
    both = difference_of_means(a, b, relative_error=error_of_factor)
    welch = ttest_ind(b, a, equal_var=False)
    assert both.p == pytest.approx(welch.pvalue, rel=1e-9)
    if both.low is None or both.high is None:
        assert error_of_factor > 1 / 1.96
        return
    assert (both.low <= 0 <= both.high) == (welch.pvalue >= 0.05)
    half = welch.confidence_interval().high - (b.mean() - a.mean())
    for end in (both.low, both.high):
        squared = half**2 + (1.959964 * end * error_of_factor) ** 2
        assert (b.mean() - a.mean() - end) ** 2 == pytest.approx(squared, rel=1e-6)


def test_an_error_beside_that_of_samples_makes_intervals_wider_and_p_larger() -> None:
    a, b = [0.1, 0.12, 0.2], [0.3, 0.25, 0.4, 0.33]
    alone, both = difference_of_means(a, b), difference_of_means(a, b, absolute_error=0.06)
    assert alone.low is not None
    assert both.low is not None
    assert both.value is not None
    assert both.value - both.low == pytest.approx(np.hypot(both.value - alone.low, 1.959964 * 0.06))
    welch = ttest_ind(b, a, equal_var=False)
    z = np.linspace(0, 5, 500_001)  # that at which the interval ends at 0
    squared = (student_t.isf(norm.sf(z), welch.df) * both.value / welch.statistic) ** 2 + (z * 0.06) ** 2
    assert both.p == pytest.approx(2 * norm.sf(z[np.argmin(np.abs(squared - both.value**2))]), rel=1e-3)


def test_a_sample_without_the_class_has_a_value_below_0() -> None:
    """So that means are right: with false positives at 10 %, half of all samples have fewer than 10 % by chance."""
    rates = ErrorRates([of_counts([900, 100]), of_counts([200, 800])])
    corrected = rates.correct(of_counts([95, 5]))
    assert corrected.shares[1] == pytest.approx(0, abs=1e-4)
    assert corrected.unclipped[1] == pytest.approx((0.05 - 0.1) / (0.8 + 0.9 - 1))
    assert corrected.unclipped.sum() == pytest.approx(1)
    rng = np.random.default_rng(0)
    votes = rng.binomial(200, 0.02 * 0.8 + 0.98 * 0.1, 300)
    samples = [rates.correct(of_counts([200 - n, n])) for n in votes]
    error = np.std([each.unclipped[1] for each in samples]) / 300**0.5
    assert np.mean([each.unclipped[1] for each in samples]) == pytest.approx(0.02, abs=3 * error)
    assert np.mean([each.shares[1] for each in samples]) > 0.02 + 0.005


def test_the_error_of_a_difference_is_that_of_sensitivity_and_specificity() -> None:
    """By the delta method: D is the difference of votes over J, so its relative error is that of J."""
    rates = ErrorRates([of_counts([90, 10]), of_counts([20, 80])])
    variance = sum(rate * (1 - rate) / 100 for rate in (90.5 / 101, 80.5 / 101))
    assert rates.error_of_difference(np.array([-0.1, 0.1])).relative == pytest.approx(variance**0.5 / 0.7)
    of_three = ErrorRates(CONFUSION).error_of_difference(np.array([0.2, -0.2, 0.0]))
    row_by_row = []  # D = d M⁻¹, so that dD = -D dM M⁻¹, with multinomial rows
    inverse = np.linalg.inv([[0.85, 0.1, 0.05], [0.08, 0.82, 0.1], [0.03, 0.12, 0.85]])
    for of_class, votes in zip((0.2, -0.2, 0.0), CONFUSION, strict=True):
        p = votes.shares[0]
        row_by_row.append(of_class**2 * inverse.T @ ((np.diag(p) - np.outer(p, p)) / 100) @ inverse)
    assert of_three.absolute == pytest.approx(np.diag(sum(row_by_row)) ** 0.5, rel=0.15)


def test_weights_of_groups_follow_their_size() -> None:
    """A group with few images counts little; the effective number follows from the differences between groups."""
    votes = of_counts([90, 10], [80, 20], [1, 3])
    counts = pooled_counts(votes)
    assert counts.shares[1] == pytest.approx(33 / 204)
    assert ErrorRates([votes, votes]).matrix[0] == pytest.approx(counts.shares)
    w = np.array([100, 100, 4]) / 204
    residuals = w / (1 - w) * (np.array([0.1, 0.2, 0.75]) - 33 / 204)
    variance = 2 * (residuals**2).sum() * 2 / 3  # of both classes
    t = student_t.ppf(0.975, 1 / (w**2).sum() - 1)
    assert counts.n == pytest.approx(2 * 33 * 171 / 204**2 / variance * (1.959964 / t) ** 2, rel=1e-6)
    assert pooled_counts(of_counts([9, 1], [8, 2])).n == pytest.approx(effective_counts(of_counts([9, 1], [8, 2])).n)


@pytest.fixture
def predictions(trained: cs.Run, cells: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Predictions of the images of a training, and a table with a well and a dose for each."""
    file, table = tmp_path / "predictions.csv", tmp_path / "wells.csv"
    cs.predict(trained, cells, out=file)
    with table.open("w", newline="") as opened, file.open(newline="") as predicted:
        writer = csv.writer(opened)
        writer.writerow(["image_id", "well", "dose"])
        for number, row in enumerate(csv.DictReader(predicted)):
            writer.writerow([row["image_id"], f"w{number % 9}", number % 9 // 3])
    return file, table


def test_samples_and_conditions_of_real_predictions(trained: cs.Run, predictions: tuple[Path, Path]) -> None:
    file, table = predictions
    summary = cs.summarise(file, by="well", condition="dose", table=table, run=trained)
    assert [each.condition for each in summary.conditions] == ["0", "1", "2"]
    assert len(summary.samples) == 9
    for each in summary.samples:
        assert sum(of_class.count for of_class in each.classes.values()) == pytest.approx(each.n)
        assert sum(of_class.raw.value or 0 for of_class in each.classes.values()) == pytest.approx(1)
        for of_class in each.classes.values():
            metric = of_class.corrected
            assert metric.reason or 0 <= metric.low <= metric.value <= metric.high <= 1  # type: ignore[operator]
    assert {each.conditions for each in summary.comparisons} == {("0", "1"), ("0", "2"), ("1", "2")}
    assert all(each.p_holm is None or each.p is None or each.p_holm >= each.p for each in summary.comparisons)


def test_nine_samples_fit_on_a_screen(
    trained: cs.Run, predictions: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = predictions
    monkeypatch.setenv("COLUMNS", "160")
    options = [
        "--by",
        "well",
        "--condition",
        "dose",
        "--table",
        str(table),
        "--control",
        "0",
        "--run",
        str(trained.folder),
    ]
    capsys.readouterr()
    assert main(["summarise", str(file), *options]) == 0
    printed = capsys.readouterr()
    lines = f"{printed.out}{printed.err}".splitlines()
    assert len(lines) <= 30
    assert len(" ".join(lines).split()) < 400


def test_a_table_for_other_programs_replaces_no_other_file(
    predictions: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = predictions
    out = tmp_path / "samples.csv"
    command = ["summarise", str(file), "--by", "well", "--condition", "dose", "--table", str(table), "--out", str(out)]
    assert main([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    with out.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert {(row["sample"], row["condition"], int(row["n_images"])) for row in rows} == {
        (each["sample"], each["condition"], each["n"]) for each in printed["samples"]
    }
    assert all(row["corrected"] == "" and row["reason"] for row in rows)  # no run was given
    assert {row[name] for row in rows for name in ("raw_low", "raw_high")} == {""}
    assert main(command) == 0  # the same table may be replaced
    assert main([*command[:-1], str(table)]) == 1
    assert main([*command, "--control", "none"]) == 1
    assert "well" in table.read_text()


def test_folders_of_the_same_name_are_different_samples() -> None:
    names = names_of_folders(f"/data/{k % 2}/rep{k % 3}/{k}.png" for k in range(12))
    assert sorted(names.values()) == ["0/rep0", "0/rep1", "0/rep2", "1/rep0", "1/rep1", "1/rep2"]
    assert list(names_of_folders(["/data/0/1.png", "/data/1/1.png"]).values()) == ["0", "1"]
    assert list(names_of_folders(["/data/a/1.png", "/data/a/a/1.png"]).values()) == ["a", "a/a"]
    assert list(names_of_folders(["1.png", "a/2.png"]).values()) == [".", "a"]


def test_the_table_for_prism_names_samples_without_conditions(tmp_path: Path) -> None:
    of_class_a(tmp_path / "p.csv", {f"{place}/1.png": f"/d/{place}/1.png" for place in "yx"})
    summary = cs.summarise(tmp_path / "p.csv", by="folder")
    write_grouped(summary, tmp_path / "prism.csv")
    with (tmp_path / "prism.csv").open(newline="", encoding="utf-8") as opened:
        assert [row[text("column-sample")] for row in csv.DictReader(opened)] == ["y", "x"]


@pytest.mark.parametrize(
    ("column", "cell"),
    [("predicted", "A "), ("p:a", ""), ("p:a", "100%")],
)
def test_a_table_that_was_edited_is_refused_where_it_says_nothing(column: str, cell: str, tmp_path: Path) -> None:
    of_class_a(tmp_path / "p.csv", {f"{k}.png": f"/d/x/{k}.png" for k in range(3)})
    header, *lines = (tmp_path / "p.csv").read_text().splitlines()
    cells = lines[1].split(",")
    cells[header.split(",").index(column)] = cell
    (tmp_path / "p.csv").write_text("\n".join([header, lines[0], ",".join(cells), *lines[2:]]))
    with refusing(CoverslipError, "damaged-predictions"):
        cs.summarise(tmp_path / "p.csv", by="folder")


def test_images_without_a_common_folder_have_samples_by_folder_and_by_column(tmp_path: Path) -> None:
    paths = ("/d/x/c/1.png", "/d/y/c/2.png", "c/3.png", "image 1")
    assert [*names_of_folders(paths).values()] == ["/d/x/c", "/d/y/c", "c", "."]
    of_class_a(tmp_path / "p.csv", {path: path for path in paths})
    rows = ["image_id,well", *(f"{path},{k}" for k, path in enumerate(paths))]
    (tmp_path / "wells.csv").write_text("\n".join(rows))
    assert len(cs.summarise(tmp_path / "p.csv", by="well", table=tmp_path / "wells.csv").samples) == 4
    assert len(cs.summarise(tmp_path / "p.csv", by="folder").samples) == 4


def test_an_image_in_two_tables_counts_once_and_objects_of_one_file_count_each(tmp_path: Path) -> None:
    few, all_ = tmp_path / "few.csv", tmp_path / "all.csv"
    of_class_a(few, {f"{k}.png": f"/d/x/{k}.png" for k in range(4)})
    of_class_a(all_, {f"{place}/{k}.png": f"/d/{place}/{k}.png" for place in "xy" for k in range(10)})
    for files in ([few, all_], [all_, few]):
        events: list[Event] = []
        summary = cs.summarise(files, by="folder", emit=events.append)
        assert {each.sample: each.n for each in summary.samples} == {"x": 10, "y": 10}
        (noted,) = [event.note for event in events if isinstance(event, Noted)]
        assert (noted.code, noted.parameters["n_images"]) == ("repeated-images-counted-once", 4)
    objects = {f"f.tif#{k}": "/d/x/f.tif" for k in range(6)}
    of_class_a(few, dict(list(objects.items())[:2]))
    of_class_a(all_, objects)
    assert [each.n for each in cs.summarise([few, all_], by="folder").samples] == [6]
    of_class_a(few, {"f.tif#1": "/d/x/f.tif"})
    of_class_a(all_, {"x/f.tif#2": "/d/x/f.tif"})
    assert [each.n for each in cs.summarise([few, all_], by="folder").samples] == [2]
    of_class_a(few, {"1.png": "x/1.png"})  # of two roots
    of_class_a(all_, {"1.png": "x/1.png"})
    assert [each.n for each in cs.summarise([few, all_], by="folder").samples] == [2]


def test_images_of_two_tables_with_one_image_id_have_no_common_row(tmp_path: Path) -> None:
    for plate in ("1", "2"):
        of_class_a(tmp_path / f"p{plate}.csv", {f"{k}.png": f"/plate{plate}/{k}.png" for k in range(3)})
    table = tmp_path / "wells.csv"
    table.write_text("image_id,well\n" + "".join(f"{k}.png,A\n" for k in range(3)))
    assert [each.n for each in cs.summarise(tmp_path / "p1.csv", by="well", table=table).samples] == [3]
    with refusing(CoverslipError, "summary-row-of-two-images"):
        cs.summarise([tmp_path / "p1.csv", tmp_path / "p2.csv"], by="well", table=table)


def of_class_a(file: Path, paths: Mapping[str, str]) -> None:
    """Write the predictions of images, by their ids and paths."""
    rows = [Prediction(image_id, path, None, "a", 0.9, "a", (0.9, 0.1)) for image_id, path in paths.items()]
    Predictions(rows, ("a", "b")).write_csv(file)


def test_of_two_classes_one_test_is_counted(tmp_path: Path) -> None:
    """The proportion of the second class is the complement of that of the first: the same test again."""
    rows = [
        Prediction(f"{k}", f"{k % 9}/{k}.png", None, name, 1.0, name, (float(name == "a"), float(name == "b")))
        for k in range(360)
        for name in ["ab"[k % 7 > k % 9 // 3 + k % 9 % 2]]
    ]
    Predictions(rows, ("a", "b")).write_csv(tmp_path / "p.csv")
    table = tmp_path / "doses.csv"
    table.write_text("image_id,well,dose\n" + "".join(f"{k},w{k % 9},{k % 9 // 3}\n" for k in range(360)))
    summary = cs.summarise(tmp_path / "p.csv", by="well", condition="dose", table=table)
    assert {each.name for each in summary.comparisons} == {"a", "b"}
    for each in summary.comparisons:
        (other,) = (of for of in summary.comparisons if of.conditions == each.conditions and of.name != each.name)
        assert (each.p, each.p_holm) == pytest.approx((other.p, other.p_holm))
    smallest = min(summary.comparisons, key=lambda each: each.p or 1)
    assert smallest.p is not None
    assert smallest.p_holm == pytest.approx(min(1, 3 * smallest.p))  # three pairs of conditions


def mark_unfamiliar(file: Path, is_unfamiliar: Sequence[bool]) -> None:
    """Change the decisions of a table of predictions."""
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for row, each in zip(rows, is_unfamiliar, strict=True):
        row["decision"] = "unfamiliar" if each else row["predicted"]
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_conditions_are_compared_by_counts_if_one_is_not_corrected(
    own_run: cs.Run, predictions: tuple[Path, Path]
) -> None:
    """Corrected proportions of one condition and counts of another would differ by the correction alone."""
    file, table = predictions
    measured = own_run.predictions  # with mistakes, so that a correction changes proportions
    first, second = measured.classes[:2]
    mistaken = [
        replace(row, image_id=f"{row.image_id} {k}", predicted=name, decision=name)
        for row in measured
        for k in range(20)
        for name in [second if row.label == first and k < 4 else row.label]
    ]
    Predictions(mistaken, measured.classes).write_csv(own_run.predictions_file)
    doses = [row["dose"] for row in csv.DictReader(table.read_text().splitlines())]
    mark_unfamiliar(file, [dose == "2" for dose in doses])
    summary = cs.summarise(file, by="well", condition="dose", table=table, run=Run(own_run.folder))
    of_dose = {each.condition: each for each in summary.conditions}
    name = summary.classes[0]
    corrected = of_dose["0"].classes[name].corrected.value
    assert corrected is not None
    assert corrected > (of_dose["0"].classes[name].raw.value or 0) + 0.01
    assert of_dose["2"].classes[name].corrected.value is None
    (difference,) = (each for each in summary.comparisons if each.name == name and each.conditions == ("0", "2"))
    raw = {
        dose: np.mean([each.classes[name].raw.value for each in summary.samples if each.condition == dose])
        for dose in ("0", "2")
    }
    assert difference.difference.value == pytest.approx(raw["2"] - raw["0"])
    report = html.unescape(proportions_report(summary))
    assert text("proportions-shown", correction="some") in report
    assert text("proportions-differences-help", has_blocks=False, is_corrected=False) in report
    assert summary.assumption in report


def test_nothing_is_stated_of_a_correction_if_no_sample_is_corrected(
    trained: cs.Run, predictions: tuple[Path, Path]
) -> None:
    """The classifier is unfamiliar with all images."""
    file, table = predictions
    mark_unfamiliar(file, [True] * len(table.read_text().splitlines()[1:]))
    summary = cs.summarise(file, by="well", condition="dose", table=table, run=trained)
    assert summary.is_corrected  # a run was named
    assert {each.n_unfamiliar for each in summary.samples} == {each.n for each in summary.samples}
    assert (summary.assumption, summary.label_shift) == (text("proportions-not-corrected"), None)
    assert summary.method == cs.summarise(file, by="well", table=table).method
    report = html.unescape(proportions_report(summary))
    assert text("proportions-shown", correction="none") in report
    all_counted, _ = text("proportions-some-not-corrected", is_all=True, reason="|").split("|")
    some_counted, _ = text("proportions-some-not-corrected", is_all=False, reason="|").split("|")
    assert all_counted in report
    assert some_counted not in report
    assert text("proportions-differences-help", has_blocks=False, is_corrected=False) in report
    corrected = text("proportions-methods-corrected", is_binary=False, has_correlation=False, n_not_corrected=0)
    assert corrected.partition(".")[0] not in report  # the part that no parameter changes


def test_proportions_of_a_prediction_are_those_of_one_sample(own_run: cs.Run, cells: Path, tmp_path: Path) -> None:
    """Also where labeled images do not allow any: then no door states a number, and all give the reason."""
    measured, file = own_run.predictions, tmp_path / "predictions.csv"
    images = sorted((cells / "large").glob("*.png")) * 3  # far from the proportions in training
    for is_by_chance in (False, True):
        mistaken = [
            replace(row, image_id=f"{row.image_id} {k}", predicted=name, decision=name)
            for row in measured
            for k in range(30)
            for name in [measured.classes[k % len(measured.classes)] if is_by_chance or k < 3 else str(row.label)]
        ]
        Predictions(mistaken, measured.classes).write_csv(own_run.predictions_file)
        events = list[Event]()
        predicted = cs.predict(own_run.folder, images, out=file, device="cpu", emit=events.append)
        (sample,) = cs.summarise(file, by="folder", run=own_run.folder).samples
        notes = [event.note for event in events if isinstance(event, Noted) and event.note.code == "other-prevalence"]
        if is_by_chance:
            assert {each.reason for each in predicted.shares.values()} == {message("summary-uninformative")}
            assert {each.corrected.reason for each in sample.classes.values()} == {message("summary-uninformative")}
            assert not notes
        else:
            assert predicted.shares == {name: each.shown for name, each in sample.classes.items()}
            assert {each.value for each in predicted.shares.values()} >= set(notes[0].parameters["values"].values())


@pytest.mark.slow
def test_all_doors_give_the_same_unclipped_values(
    own_run: cs.Run, predictions: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = predictions
    measured = own_run.predictions
    first, second = measured.classes[:2]
    mistaken = [
        replace(row, image_id=f"{row.image_id} {k}", predicted=name, decision=name)
        for row in measured
        for k in range(20)
        for name in [second if row.label == first and k < 12 else str(row.label)]
    ]
    Predictions(mistaken, measured.classes).write_csv(own_run.predictions_file)
    run = Run(own_run.folder)
    out, prism = tmp_path / "samples.csv", tmp_path / "prism.csv"
    options = ["--by", "well", "--condition", "dose", "--table", str(table), "--run", str(run.folder), "--json"]
    assert main(["summarise", str(file), *options, "--out", str(out), "--prism", str(prism)]) == 0
    printed = json.loads(capsys.readouterr().out)
    summary = cs.summarise(file, by="well", condition="dose", table=table, run=run)
    expected = [of_class.unclipped for each in summary.samples for of_class in each.classes.values()]
    assert None not in expected
    of_json = [of_class["unclipped"] for each in printed["samples"] for of_class in each["classes"].values()]
    with out.open(newline="", encoding="utf-8") as opened:
        of_table = [float(row["unclipped"]) for row in csv.DictReader(opened)]
    assert of_json == pytest.approx(expected)
    assert of_table == pytest.approx(expected)
    header, *rows = csv.reader(prism.read_text(encoding="utf-8").splitlines())
    columns = {title: [float(row[k]) for row in rows if row[k]] for k, title in enumerate(header)}
    assert sorted(value for values in columns.values() for value in values) == pytest.approx(sorted(expected))  # type: ignore[type-var]
    for title, values in columns.items():
        is_beyond = any(not 0 <= value <= 1 for value in values)
        assert title.endswith(f"({text('summary-values-unclipped')})") == is_beyond
    assert any(
        min(values) < 0 for values in columns.values()
    )  # predictions of the second class are fewer than errors on the first
    means = [
        (mean, text("summary-mean-of-condition", condition=condition, mean=100 * mean))
        for name in summary.classes
        for condition, values in values_by_condition(summary.samples, name).items()
        for mean in [np.mean(values)]
    ]
    warnings = "\n".join(warnings_of(summary))
    assert min(mean for mean, _ in means) < 0, "the table shows 0"
    assert all((f" {sentence}" in warnings) == (not -0.01 < mean < 1.01) for mean, sentence in means)
    assert printed["correlations"] == pytest.approx(dict(summary.correlations))


def test_without_a_run_proportions_are_only_counted(
    predictions: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file, _ = predictions
    assert main(["summarise", str(file), "--by", "folder", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["label_shift"] is None
    for each in printed["samples"]:
        for of_class in each["classes"].values():
            assert of_class["corrected"] is None
            assert of_class["reason"]


def test_samples_conditions_and_blocks_with_several_spellings_are_named(
    predictions: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = predictions
    with table.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    days = ("mon", "Mon", "mon", "Mon", "tue", "tue")
    wells, doses = ("P1", "p1", "P01", "P2", "Q1", "Q2"), ("low", "low", "Low", "Low", "high", "high")
    with table.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["image_id", "well", "dose", "day"])
        writer.writerows([row["image_id"], wells[k % 6], doses[k % 6], days[k % 6]] for k, row in enumerate(rows))
    options = ["--by", "well", "--condition", "dose", "--block", "day", "--table", str(table)]
    assert main(["summarise", str(file), *options, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["similar_samples"] == [["P1", "p1", "P01"]]
    assert [sorted(names) for names in printed["similar_conditions"]] == [["Low", "low"]]
    assert [sorted(names) for names in printed["similar_blocks"]] == [["Mon", "mon"]]
    assert main(["summarise", str(file), *options, "--report", str(tmp_path / "report.html")]) == 0
    shown = capsys.readouterr().err
    report = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    for sentence in similar_names_of(cs.summarise(file, by="well", condition="dose", block="day", table=table)):
        assert sentence in shown
        assert sentence in report


def test_kept_columns_of_predictions_name_samples(predictions: tuple[Path, Path], tmp_path: Path) -> None:
    file, _ = predictions
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for number, row in enumerate(rows):
        row["patient"] = f"p{number % 2}"
    predictions_file = tmp_path / "kept.csv"
    with predictions_file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert {each.sample for each in cs.summarise(predictions_file, by="patient").samples} == {"p0", "p1"}


@pytest.mark.parametrize(
    ("text_of_table", "code"),
    [
        ("name,well\na,b\n", "summary-table-without-key"),
        ("path,other\na,b\n", "summary-no-column"),
        ("path,well\na.png,b\n", "summary-image-not-in-table"),
        ("path,well\na.png,b\na.png,c\n", "summary-table-repeats"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    predictions: tuple[Path, Path], tmp_path: Path, text_of_table: str, code: str
) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(text_of_table)
    with pytest.raises(CoverslipError) as refused:
        cs.summarise(predictions[0], by="well", table=table)
    assert (refused.value.code, refused.value.file) == (code, table)


def test_rows_of_a_table_belong_to_images_in_the_same_folders(predictions: tuple[Path, Path], tmp_path: Path) -> None:
    with predictions[0].open(newline="") as opened:
        rows = list(csv.DictReader(opened))[:4]
    places = ("plate1/A01.png", "plate1/A02.png", "plate2/A01.png", "plate2/A02.png")
    file, table = tmp_path / "predictions.csv", tmp_path / "plates.csv"
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(
            row | {"image_id": place, "path": f"/data/{place}"} for row, place in zip(rows, places, strict=True)
        )
    table.write_text("\n".join(["path,dose", *(f"{place},{k}" for k, place in enumerate(places))]))
    assert [each.sample for each in cs.summarise(file, by="dose", table=table).samples] == ["0", "1", "2", "3"]
    table.write_text("path,dose\nplate1/A01.png,0\nplate1/A02.png,10\n")
    with refusing(CoverslipError, "summary-image-not-in-table"):
        cs.summarise(file, by="dose", table=table)
    table.write_text("\n".join(["path,dose", *(f"/else/data/{place},{k}" for k, place in enumerate(places))]))
    with refusing(CoverslipError, "summary-image-not-in-table"):
        cs.summarise(file, by="dose", table=table)
    relative = file.with_name("relative.csv")
    relative.write_text(file.read_text().replace("/data/", ""))
    assert [each.sample for each in cs.summarise(relative, by="dose", table=table).samples] == ["0", "1", "2", "3"]
    table.write_text("\n".join(["path,dose", *(f"./{place},{k}" for k, place in enumerate(places))]))
    assert [each.sample for each in cs.summarise(file, by="dose", table=table).samples] == ["0", "1", "2", "3"]
    table.write_text("path,dose\nA01.png,0\nA02.png,10\n")
    with refusing(CoverslipError, "summary-row-of-two-images"):
        cs.summarise(file, by="dose", table=table)


@pytest.mark.parametrize(
    ("format_", "top_k", "code"),
    [("csv", 2, "predictions-of-top-classes"), ("jsonl", None, "not-predictions"), ("jsonl", 2, "not-predictions")],
)
def test_predictions_without_the_probability_of_each_class_are_refused(
    trained: cs.Run, cells: Path, tmp_path: Path, format_: Literal["csv", "jsonl"], top_k: int | None, code: str
) -> None:
    file = tmp_path / f"p.{format_}"
    images = sorted(cells.rglob("*.png"))[:2]
    cs.predict(trained.folder, images, out=file, format=format_, top_k=top_k, device="cpu")
    with refusing(CoverslipError, code) as refused:
        cs.summarise(file, by="folder")
    assert refused.value.file == file


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_tables_that_excel_saved_are_the_same(
    predictions: tuple[Path, Path], encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With semicolons, decimal commas and a byte order mark, which `--excel` also writes, or as "CSV" in Germany."""
    file, table = tmp_path / "predictions.csv", predictions[1]
    file.write_text(predictions[0].read_text().replace("a_0", "Größe_0"), encoding="utf-8")

    def saved(before: Path, numbers: tuple[str, ...]) -> Path:
        with before.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened))
        after = tmp_path / f"saved {before.name}"
        with after.open("w", newline="", encoding=encoding) as opened:
            writer = csv.DictWriter(opened, list(rows[0]), delimiter=";")
            writer.writeheader()
            for row in rows:
                is_number = [name in numbers or name.startswith("p:") for name in row]
                cells = zip(row.items(), is_number, strict=True)
                writer.writerow({n: cell.replace(".", ",") if each else cell for (n, cell), each in cells})
        return after

    layout = tmp_path / "layout.csv"
    layout.write_text("\n".join(re.sub(r",(\d)$", r",\1.25", line) for line in table.read_text().splitlines()))
    saved_file = saved(file, ("probability", "ood_score"))
    saved_layout = saved(layout, ("dose",))
    before = cs.summarise(file, table=layout, by="well", condition="dose")
    after = cs.summarise(saved_file, table=saved_layout, by="well", condition="dose")
    assert after == before
    assert before.conditions[0].condition == "0.25"
    out = tmp_path / "samples.csv"
    arguments = ["summarise", str(saved_file), "--by", "folder", "--out", str(out)]
    for option in ("--excel", "--json"):
        assert main([*arguments, option]) == 0
        assert out.read_bytes().startswith(codecs.BOM_UTF8) == (option == "--excel")
    assert main(["summarise", str(saved_file), "--by", "folder", "--excel"]) == 2


def test_a_sample_has_one_condition(predictions: tuple[Path, Path]) -> None:
    file, table = predictions
    table.write_text(table.read_text().replace(",w0,0", ",w0,5", 1))
    with pytest.raises(CoverslipError) as refused:
        cs.summarise(file, by="well", condition="dose", table=table)
    assert refused.value.code == "sample-of-two-conditions"


@pytest.mark.slow
def test_predictions_with_earlier_thresholds_are_not_corrected(own_run: cs.Run, cells: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    cs.predict(own_run, cells, out=file)
    assert cs.summarise(file, by="folder", run=own_run).is_corrected
    card = own_run.card
    assert card is not None
    thresholds = (0.98, *[0.02 / (len(card.classes) - 1)] * (len(card.classes) - 1))
    write_card(own_run.classifier_folder, card.model_copy(update={"operating_points": thresholds}))
    with refusing(CoverslipError, "predictions-of-other-thresholds") as refused:
        cs.summarise(file, by="folder", run=own_run)
    assert refused.value.file == file
    cs.predict(own_run, cells, out=file)
    assert cs.summarise(file, by="folder", run=own_run).is_corrected
    first, second = card.classes[:2]
    cs.predict(own_run, cells, out=file, prevalence={first: 0.9, second: 0.02})
    with refusing(CoverslipError, "predictions-of-other-thresholds"):
        cs.summarise(file, by="folder", run=own_run)


def test_predictions_that_do_not_state_their_classifier_are_not_corrected(
    trained: cs.Run, predictions: tuple[Path, Path], tmp_path: Path
) -> None:
    file = tmp_path / "cut.csv"
    with predictions[0].open(newline="") as opened:
        rows = [{name: cell for name, cell in row.items() if name != "classifier"} for row in csv.DictReader(opened)]
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with refusing(CoverslipError, "predictions-without-classifier"):
        cs.summarise(file, by="folder", run=trained)
    assert not cs.summarise(file, by="folder").is_corrected


@pytest.mark.slow
def test_conditions_have_the_means_of_their_samples_and_the_report_replaces_no_other_file(
    predictions: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = predictions
    report = tmp_path / "report.html"
    command = ["summarise", str(file), "--by", "well", "--condition", "dose", "--table", str(table)]
    assert main([*command, "--report", str(report), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    for whole in printed["conditions"]:
        samples = [each for each in printed["samples"] if each["condition"] == whole["condition"]]
        assert (whole["n_samples"], whole["n"]) == (len(samples), sum(each["n"] for each in samples)) != (0, 0)
        for name, of_class in whole["classes"].items():
            of_samples = [each["classes"][name] for each in samples]
            assert sum(each["count"] for each in of_samples) == pytest.approx(of_class["count"])
            assert of_class["raw"]["value"] == pytest.approx(np.mean([each["raw"]["value"] for each in of_samples]))
    page = report.read_text(encoding="utf-8")
    assert "http" not in page.replace("http://www.w3.org", "")
    assert main([*command, "--report", str(table)]) == 1  # another file
    assert "dose" in table.read_text()


def drawn_rates(rng: np.random.Generator, mean: np.ndarray, correlation: float, n: int) -> np.ndarray:
    """Rates of n groups or samples, whose votes have this correlation within each."""
    return rng.dirichlet(mean * (1 - correlation) / correlation, n) if correlation else np.tile(mean, (n, 1))


def test_the_correlation_within_groups_has_the_likelihood_of_beta_binomial_votes() -> None:
    counts = [[18, 2], [9, 11], [20, 0], [4, 1]]
    (correlation,) = correlations_within_groups([of_counts(*counts)])
    assert correlation is not None
    values = 1 - (1 - (np.arange(60) + 0.5) / 60) ** (1 / 3)  # of a beta distribution (1, 3), equally probable before
    mean = (14 + 0.5) / (65 + 1)
    a, b = (share * (1 - values) / values for share in (mean, 1 - mean))
    likelihood = np.prod([betabinom.pmf(wrong, right + wrong, a, b) for right, wrong in counts], axis=0)
    assert correlation.probabilities == pytest.approx(likelihood / likelihood.sum())
    assert correlation.value == pytest.approx(values @ likelihood / likelihood.sum())
    low, high = correlation.interval
    assert low < correlation.value < high
    draws = correlation.draws(np.random.default_rng(0), 20_000)
    assert np.mean((draws >= low) & (draws <= high)) >= 0.95


def test_the_correlation_of_more_than_two_votes_has_the_likelihood_of_dirichlet_multinomial_votes() -> None:
    counts = np.array([[18, 2, 0], [9, 8, 3], [20, 0, 0], [4, 0, 1]])
    (correlation,) = correlations_within_groups([of_counts(*counts)])
    assert correlation is not None
    mean = (counts.sum(axis=0) + 1 / 3) / (counts.sum() + 1)
    values = 1 - (1 - (np.array([3, 40]) + 0.5) / 60) ** (1 / 3)
    first, second = (
        np.prod([dirichlet_multinomial.pmf(row, mean * (1 - value) / value, row.sum()) for row in counts])
        for value in values
    )
    assert correlation.probabilities[40] / correlation.probabilities[3] == pytest.approx(second / first)


def test_the_correlation_is_unknown_if_no_group_can_be_compared() -> None:
    one_group, alone = of_counts([80, 20]), of_counts(*[[1, 0]] * 9)
    several = of_counts([18, 2], [9, 11])
    correlations = correlations_within_groups([one_group, alone, None, several])
    assert [each is None for each in correlations] == [True, True, True, False]


def test_votes_that_are_probabilities_give_the_correlation_of_their_means() -> None:
    """Groups whose mean rates differ as strongly have the same correlation, whether votes are sure or not."""
    rng = np.random.default_rng(0)
    rates = drawn_rates(rng, np.array([0.7, 0.3]), 0.2, 200)
    groups = np.repeat(np.arange(200), 50)
    sure = rng.random(10_000) < rates[groups, 0]
    open_votes = np.clip(rates[groups, 0] + rng.normal(0, 0.1, 10_000), 0, 1)
    values = []
    for votes in (sure.astype(float), open_votes, np.where(rng.random(10_000) < 0.2, open_votes, sure)):
        (correlation,) = correlations_within_groups([Votes.of(np.column_stack([votes, 1 - votes]), groups.tolist())])
        assert correlation is not None
        values.append(correlation.value)
    assert values == pytest.approx([values[0]] * 3, abs=0.03)
    assert values[0] == pytest.approx(0.2, abs=0.05)


def test_one_error_that_is_alone_in_its_group_does_not_make_intervals_useless() -> None:
    """Analysis of variance finds a correlation of 1: all images of a sample would be right, or all wrong."""
    informative = of_counts(*[[9, 1], [10, 0], [8, 2]] * 4)
    right, alone = [[0, 5]] * 11, [[1, 0]]
    rates = [ErrorRates([informative, of_counts(*right, *others)]) for others in (alone, [])]
    widths = [
        float(each.high[1] - each.low[1]) for each in (of_case.correct(of_counts([140, 60])) for of_case in rates)
    ]
    assert widths[0] < 1.5 * widths[1] < 0.6
    correlation = rates[0].correlations[1]
    assert correlation is not None
    assert correlation.interval[1] - correlation.interval[0] > 0.3  # hardly known
    both = ErrorRates([of_counts(*[[5, 0]] * 11, [0, 1]), of_counts(*right, *alone)]).correct(of_counts([140, 60]))
    assert both.high[1] - both.low[1] < 0.9  # no class tells more


@pytest.mark.slow
@pytest.mark.parametrize(("n_classes", "share"), only_first(1, [(2, 0.4), (4, 0.7), (2, 0.02)]))
def test_intervals_of_single_samples_include_their_error_rates(n_classes: int, share: float) -> None:
    """At a nominal 95 %, fewer than 89 % of 200 are a fault. With equal error rates in all samples, 60 to 85 % are."""
    rng = np.random.default_rng(2)
    matrix = np.full((n_classes, n_classes), 0.15 / (n_classes - 1))
    np.fill_diagonal(matrix, 0.85)
    truth = np.full(n_classes, (1 - share) / (n_classes - 1))
    truth[-1] = share
    hits, hits_with_equal_rates = 0, 0
    for _ in range(200):
        labeled = [
            of_counts(*[rng.multinomial(30, rates) for rates in drawn_rates(rng, row, 0.1, 15)]) for row in matrix
        ]
        of_sample = np.concatenate([drawn_rates(rng, row, 0.1, 1) for row in matrix])
        sample = of_counts(rng.multinomial(200, truth @ of_sample))
        rates = ErrorRates(labeled)
        for is_equal in (False, True):
            corrected = rates.correct(sample, has_mean_rates=is_equal)
            is_hit = bool(corrected.low[-1] <= share <= corrected.high[-1])
            hits, hits_with_equal_rates = (
                hits + (is_hit and not is_equal),
                hits_with_equal_rates + (is_hit and is_equal),
            )
    assert hits >= 178
    assert hits_with_equal_rates < hits


def test_expected_errors_of_a_sample_have_the_formulas_of_two_classes() -> None:
    groups = [[92, 8], [80, 20], [94, 6], [82, 18]], [[10, 90], [25, 75], [15, 85], [30, 70]]
    rates = ErrorRates([of_counts(*each) for each in groups])
    errors = rates.errors_of_sample(of_counts([160, 40]))
    counted, false_positives, recall = 0.2, 0.13, 0.8
    share = (counted - false_positives) / (recall - false_positives)
    of_votes = of_means = counted * (1 - counted) / 200
    of_classes = zip((1 - share, share), (false_positives, recall), groups, rates.correlations, strict=True)
    for of_class, rate, votes, within in of_classes:
        counts = pooled_counts(of_counts(*votes))
        assert within is not None
        of_votes += of_class**2 * rate * (1 - rate) * within.value
        of_means += of_class**2 * rate * (1 - rate) * (within.value + (1 - within.value) / counts.n)
    factor = 1 / (recall - false_positives)
    assert errors.standard == pytest.approx([factor * of_means**0.5] * 2)
    squared_bias = (counted - share) ** 2 - of_means * (1 - factor) ** 2
    assert errors.squared_counted == pytest.approx(2 * (of_votes + squared_bias))
    assert errors.squared_corrected <= 2 * factor**2 * of_means  # within 0 and 1


@pytest.mark.parametrize(("votes", "is_better"), [([180, 20], True), ([100, 100], False)])
def test_a_correction_is_shown_where_it_is_expected_to_be_closer(votes: list[float], is_better: bool) -> None:
    """With errors that differ between groups, and false positives that count more where the class is rare."""
    groups = [[92, 8], [80, 20], [94, 6], [82, 18]], [[10, 90], [25, 75], [15, 85], [30, 70]]
    errors = ErrorRates([of_counts(*each) for each in groups]).errors_of_sample(of_counts(votes))
    assert ExpectedErrors.of([errors]).is_correction_better == is_better


def test_images_without_a_label_are_no_problem(own_run: cs.Run) -> None:
    rows = own_run.split
    for reasons, n_problems in ((["no label"] * 3, 0), (["no label", "unreadable: damaged"], 1)):
        own_run.split_file.unlink()
        excluded = [
            replace(rows[0], image_id=f"x{k}", split="excluded", reason=reason) for k, reason in enumerate(reasons)
        ]
        write_split(own_run.split_file, [*rows, *excluded])
        found = verdict_of_run(read_run(own_run.folder)).reasons
        claims = [each.claim for each in found if each.code == "limit-excluded-images"]
        assert claims == [text("limit-excluded-images", n_images=n_problems)] * n_problems


@pytest.mark.parametrize("n_classes", [2, 4, 8])
def test_few_test_images_of_a_good_classifier_give_wide_intervals_instead_of_a_refusal(n_classes: int) -> None:
    """Six test images of each class, accuracy .84: at most 10 % are refused, and intervals contain the truth."""
    rng = np.random.default_rng(n_classes)
    matrix = np.full((n_classes, n_classes), 0.16 / (n_classes - 1))
    np.fill_diagonal(matrix, 0.84)
    truth = np.append(np.full(n_classes - 1, 0.9 / (n_classes - 1)), 0.1)
    n_refused, hits = 0, []
    for _ in range(60):
        rates = ErrorRates([of_counts(rng.multinomial(6, row).tolist()) for row in matrix])
        corrected = rates.correct(of_counts(rng.multinomial(200, truth @ matrix).tolist()))
        n_refused += corrected.reason is not None
        if corrected.reason is None:
            hits.append((corrected.low <= truth) & (truth <= corrected.high))
    assert n_refused <= 6
    assert np.mean(hits) >= 0.93


def test_a_classifier_by_chance_is_refused_as_a_rule() -> None:
    rng = np.random.default_rng(0)
    for n_classes, fewest in ((2, 65), (4, 90)):
        rates = [
            ErrorRates([of_counts(row) for row in rng.multinomial(40, [1 / n_classes] * n_classes, n_classes).tolist()])
            for _ in range(100)
        ]
        assert sum(each.reason == "summary-uninformative" for each in rates) >= fewest


@pytest.mark.parametrize("right", [4, 40])
def test_the_reason_against_a_correction_needs_no_sample(right: int) -> None:
    counts = np.full((3, 3), 4.0) + np.diag([right - 4.0] * 3)
    by_class = [Votes(row[None], row.sum(keepdims=True)) for row in counts]
    sample = Votes(np.ones((1, 3)), np.array([3.0]))
    for votes in (by_class, [*by_class[:2], None]):
        reason = ErrorRates(votes).reason
        assert reason == ErrorRates(votes).correct(sample).reason
    assert reason == "summary-class-without-images"
    assert ErrorRates(by_class).reason == ("summary-uninformative" if right == 4 else None)


def test_without_groups_the_assumption_of_intervals_is_stated(own_run: cs.Run, predictions: tuple[Path, Path]) -> None:
    """Whether error rates of samples differ is then not known, which is not the same as a correlation of 0."""
    with_groups = cs.summarise(predictions[0], by="folder", run=own_run)
    assert all(each is not None for each in with_groups.correlations.values())
    rows = list(csv.DictReader(own_run.split_file.read_text().splitlines()))
    with own_run.split_file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"group": ""} for row in rows)
    summary = cs.summarise(predictions[0], by="folder", run=Run(own_run.folder))
    assert summary.correlations == dict.fromkeys(summary.classes)
    assert text("summary-rates-equal", are_all=True, names="") in summary.assumption
    assert not any(f"'{name}'" in summary.assumption for name in summary.classes)


def test_the_verdict_says_that_proportions_are_not_corrected(own_run: cs.Run, predictions: tuple[Path, Path]) -> None:
    """Both by the same test images: with those of the training, and if one class is always predicted as another."""
    rows = list(csv.DictReader(own_run.predictions_file.read_text().splitlines()))
    first, second = own_run.predictions.classes[:2]
    for is_distinguished in (True, False):
        with own_run.predictions_file.open("w", newline="") as opened:
            writer = csv.DictWriter(opened, list(rows[0]))
            writer.writeheader()
            lost = {"predicted": second, "decision": second}
            writer.writerows(row if is_distinguished or row["label"] != first else row | lost for row in rows)
        run = Run(own_run.folder)
        summary = cs.summarise(predictions[0], by="folder", run=run)
        reasons = {each.corrected.reason for sample in summary.samples for each in sample.classes.values()}
        assert ("summary-uninformative" in {getattr(each, "code", each) for each in reasons}) != is_distinguished
        codes = {reason.code for reason in verdict_of_run(read_run(run.folder)).reasons}
        assert ("limit-classes-not-distinguished" in codes) != is_distinguished


def test_images_of_a_class_that_their_fold_could_not_know_are_no_errors(own_run: cs.Run) -> None:
    rows = list(csv.DictReader(own_run.predictions_file.read_text().splitlines()))
    first, second = own_run.predictions.classes[:2]
    unknown = {f"p:{first}": "", "predicted": second, "decision": second}
    with own_run.predictions_file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | unknown if row["label"] == first else row for row in rows)
    run = Run(own_run.folder)
    classes = run.predictions.classes
    votes = votes_on_test_images(run, classes, lambda rows: np.ones((len(rows), 1)))
    assert [each is None for each in votes] == [name == first for name in classes]


def test_images_without_a_group_do_not_count_as_groups_of_one(own_run: cs.Run) -> None:
    """Nor does a row that is excluded state the group of an image with the same name."""
    rows = list(csv.DictReader(own_run.split_file.read_text().splitlines()))
    tested = {row.image_id for row in own_run.predictions}
    without = {row["image_id"] for row in rows[::3]}
    with own_run.split_file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"group": ""} if row["image_id"] in without else row for row in rows)
        writer.writerows(row | {"group": "", "split": "excluded"} for row in rows)
    run = Run(own_run.folder)
    classes = run.predictions.classes
    votes = votes_on_test_images(run, classes, lambda rows: np.ones((len(rows), 1)), is_grouped=True)
    assert sum(each.n.sum() for each in votes if each is not None) == len(tested - without) < len(tested)


def test_an_image_without_a_group_is_not_in_the_group_of_its_name(own_run: cs.Run) -> None:
    rows = list(csv.DictReader(own_run.split_file.read_text().splitlines()))
    tested = [row.image_id for row in own_run.predictions]
    group_of = {image_id: tested[k - 1] for k, image_id in enumerate(tested)} | {tested[0]: ""}
    with own_run.split_file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"group": group_of.get(row["image_id"], "other")} for row in rows)
    run = Run(own_run.folder)
    votes = votes_on_test_images(run, run.predictions.classes, lambda rows: np.ones((len(rows), 1)))
    assert sum(len(each.n) for each in votes if each is not None) == len(tested)


def test_the_check_of_error_rates_finds_a_difference_with_its_power() -> None:
    """And it finds none in 1 % of the cases without one."""
    rng, errors = np.random.default_rng(0), [0.03, 0.03]
    detectable = LabelShift.of([0, 0], errors).detectable

    def power(difference: float) -> float:
        drawn = rng.normal(difference, 0.03, 5000)
        return float(np.mean([LabelShift.of([each, -each], errors).violated for each in drawn]))

    assert detectable == pytest.approx(0.03 * (norm.ppf(1 - 0.01 / 4) + norm.ppf(0.8)))
    assert power(detectable) == pytest.approx(0.8, abs=0.03)
    assert power(0) < 0.01


def test_a_classifier_that_cannot_measure_single_samples_says_so() -> None:
    """Half of the groups have errors only, and half have none: nothing is known about the next sample."""
    classes = ("a", "b")
    different = of_counts(*[[195, 5], [30, 170]] * 5)
    corrected = ErrorRates([different, of_counts(*[[5, 195]] * 10)]).correct(of_counts([120, 80]))
    assert corrected.high[1] - corrected.low[1] > 0.5
    sample = SampleProportions(
        sample="s", condition=None, block=None, n=200,
        n_samples=1, n_uncertain=0, n_unfamiliar=0, n_unreadable=0,
        classes={
            name: ClassProportion(
                n_decided=1,
                count=1.0,
                raw=Metric(value=0.4),
                corrected=Metric(value=float(v), low=float(low), high=float(high)),
                unclipped=0.4,
                standard_error=0.2,
                shown=Metric(value=0.4),
            )
            for name, v, low, high in zip(classes, corrected.shares, corrected.low, corrected.high, strict=True)
        },
    )  # fmt: skip
    caution = text("summary-wide-intervals", n_wide=1, n_samples=1, points=50, has_few_images=False, are_objects=False)
    assert list(cautions_of([sample])) == [caution]
