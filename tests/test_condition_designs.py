"""Comparisons of conditions within blocks (days, batches, patients) and with a control: known answers, all doors."""

import csv
import html
import json
from pathlib import Path

import numpy as np
import pytest
from refusing import refusing
from scipy.stats import ttest_1samp, ttest_ind, ttest_rel

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import CoverslipError
from coverslip.evaluation.proportions import difference_of_means
from coverslip.evaluation.sample_proportions import PAIRED_TEST, WELCH_TEST, ConditionDifference
from coverslip.messages import message, text
from coverslip.reports.proportions_page import proportions_report
from coverslip.runs.predictions import Prediction, Predictions

DAYS, DOSES, N_IMAGES = ("mon", "tue", "wed", "thu"), ("0", "5", "10"), 40
POSITIVE = {  # images of the second class by day and dose, in each well
    ("mon", "0"): (4, 6), ("mon", "5"): (9,), ("mon", "10"): (12, 15),
    ("tue", "0"): (14,), ("tue", "5"): (18, 20), ("tue", "10"): (25,),
    ("wed", "0"): (8, 9), ("wed", "5"): (11,), ("wed", "10"): (14,),
    ("thu", "0"): (20,), ("thu", "10"): (29, 31),
}  # fmt: skip


@pytest.fixture
def plate(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions, and a table with the well, dose and day of each image; Thursday lacks a dose."""
    file, table = tmp_path / "predictions.csv", tmp_path / "wells.csv"
    predictions, about = [], ["image_id,well,dose,day,animal"]
    for (day, dose), counts in POSITIVE.items():
        for k, n in enumerate(counts):
            for image in range(N_IMAGES):
                name, image_id = "ab"[image < n], f"{day} {dose} {k} {image}"
                probabilities = (float(name == "a"), float(name == "b"))
                predictions.append(Prediction(image_id, f"{image_id}.png", None, name, 1.0, name, probabilities))
                about.append(f"{image_id},{day} {dose} {k},{dose},{day},{day}")
    Predictions(predictions, ("a", "b")).write_csv(file)
    table.write_text("\n".join(about))
    return file, table


def means(dose: str) -> dict[str, float]:
    return {day: float(np.mean(n)) / N_IMAGES for (day, each), n in POSITIVE.items() if each == dose}


def test_blocks_are_compared_by_the_paired_t_test_of_their_means(plate: tuple[Path, Path]) -> None:
    file, table = plate
    summary = cs.summarise(file, by="well", condition="dose", block="day", table=table)
    assert {each.block for each in summary.samples} == set(DAYS)
    assert {each.conditions for each in summary.comparisons} == {("0", "5"), ("0", "10"), ("5", "10")}
    for each in (each for each in summary.comparisons if each.name == "b"):
        first, second = (means(dose) for dose in each.conditions)
        common = [day for day in DAYS if day in first and day in second]
        a, b = ([of_dose[day] for day in common] for of_dose in (first, second))
        expected = ttest_rel(b, a)
        interval = ttest_1samp(np.subtract(b, a), 0).confidence_interval(0.95)
        assert each.p == pytest.approx(expected.pvalue)
        assert each.difference.value == pytest.approx(np.mean(np.subtract(b, a)))
        assert (each.difference.low, each.difference.high) == pytest.approx((interval.low, interval.high))
        assert (each.n_blocks, each.test) == (len(common), PAIRED_TEST)
    report = html.unescape(proportions_report(summary))
    assert text("proportions-blocks", n_blocks=4) in report
    assert text("proportions-methods-compared", is_corrected=False, is_binary=True, has_blocks=True) in report


def test_differences_between_days_do_not_hide_the_effect(plate: tuple[Path, Path]) -> None:
    file, table = plate
    options = {"by": "well", "condition": "dose", "table": table}
    without, within = cs.summarise(file, **options), cs.summarise(file, block="day", **options)
    for each, of_blocks in zip(without.comparisons, within.comparisons, strict=True):
        assert each.conditions == of_blocks.conditions
        assert (each.n_blocks, each.test) == (None, WELCH_TEST)
        if each.conditions == ("0", "10"):
            assert each.p > 5 * of_blocks.p  # type: ignore[operator]


def test_other_conditions_are_compared_with_the_control_only(plate: tuple[Path, Path]) -> None:
    file, table = plate
    summary = cs.summarise(file, by="well", condition="dose", table=table, control="0")
    of_class = [each for each in summary.comparisons if each.name == "b"]
    assert [each.conditions for each in of_class] == [("0", "5"), ("0", "10")]
    wells = {
        dose: [n / N_IMAGES for (_, each), of_day in POSITIVE.items() if each == dose for n in of_day] for dose in DOSES
    }
    expected = [ttest_ind(wells[dose], wells["0"], equal_var=False).pvalue for dose in DOSES[1:]]
    assert [each.p for each in of_class] == pytest.approx(expected)
    assert min(each.p_holm or 1 for each in of_class) == pytest.approx(min(1, 2 * min(expected)))  # two comparisons


def test_a_patient_before_and_after_is_a_pair(tmp_path: Path) -> None:
    """One table of images with the patient and the visit: each visit of a patient is a sample."""
    rng, file = np.random.default_rng(0), tmp_path / "predictions.csv"
    rows, about = [], ["image_id,patient,visit"]
    shares: dict[str, list[float]] = {"before": [], "after": []}
    for patient in range(6):
        level = rng.uniform(0.1, 0.6)
        for visit, effect in (("before", 0.0), ("after", 0.1)):
            is_second = rng.random(50) < level + effect
            shares[visit].append(float(is_second.mean()))
            for k, each in enumerate(is_second):
                image_id, name = f"{patient} {visit} {k}", "ab"[int(each)]
                rows.append(
                    Prediction(image_id, f"{image_id}.png", None, name, 1.0, name, (float(not each), float(each)))
                )
                about.append(f"{image_id},P{patient},{visit}")
    Predictions(rows, ("a", "b")).write_csv(file)
    table = tmp_path / "visits.csv"
    table.write_text("\n".join(about))
    with refusing(CoverslipError, "sample-of-two-conditions"):
        cs.summarise(file, by="patient", condition="visit", table=table)
    summary = cs.summarise(file, by="patient", condition="visit", block="patient", table=table)
    assert len(summary.samples) == 12
    (comparison,) = (each for each in summary.comparisons if each.name == "b")
    assert comparison.conditions == ("before", "after")
    assert comparison.p == pytest.approx(ttest_rel(shares["after"], shares["before"]).pvalue)


def test_a_sample_has_one_block(plate: tuple[Path, Path]) -> None:
    file, table = plate
    table.write_text(table.read_text().replace("mon 0 0,0,mon", "mon 0 0,0,tue", 1))
    with refusing(CoverslipError, "sample-of-two-blocks"):
        cs.summarise(file, by="well", condition="dose", block="day", table=table)


def of_counts(folder: Path, *counts: tuple[int, ...]) -> list[ConditionDifference]:
    """Return the comparison of conditions, whose samples have these numbers of 10 images of the second class."""
    file, rows = folder / "counts.csv", []
    for condition, ns in zip("xyz", counts, strict=False):
        for k, n in enumerate(ns):
            for image in range(10):
                name, image_id = "ab"[image < n], f"{condition}/{k}/{image}"
                probabilities = (float(name == "a"), float(name == "b"))
                rows.append(Prediction(image_id, f"{image_id}.png", None, name, 1.0, name, probabilities))
    Predictions(rows, ("a", "b")).write_csv(file)
    table = folder / "conditions.csv"
    about = [f"{row.image_id},{row.image_id[:3]},{row.image_id[0]}" for row in rows]
    table.write_text("\n".join(["image_id,sample,condition", *about]))
    return list(cs.summarise(file, by="sample", condition="condition", table=table).comparisons)


def test_samples_that_do_not_vary_have_a_reason_in_place_of_an_interval(tmp_path: Path) -> None:
    for each in of_counts(tmp_path, (3, 3, 3), (6, 6, 6)):
        assert (each.p, each.difference.low) == (None, None)
        assert each.difference.reason == message("summary-without-variation")


def test_the_interval_of_a_difference_of_proportions_is_within_1(tmp_path: Path) -> None:
    unlimited = difference_of_means([0.1, 0.0, 0.6], [1.0, 0.9, 0.3])
    assert unlimited.high is not None
    assert unlimited.high > 1
    (_, second) = of_counts(tmp_path, (1, 0, 6), (10, 9, 3))
    assert second.name == "b"
    assert (second.difference.low, second.difference.high) == (pytest.approx(unlimited.low), 1)


def test_few_blocks_have_no_interval(plate: tuple[Path, Path]) -> None:
    file, table = plate
    text_of_table = table.read_text()
    for day in DAYS[2:]:
        text_of_table = text_of_table.replace(f",{day},", ",mon,")
    table.write_text(text_of_table)
    summary = cs.summarise(file, by="well", condition="dose", block="day", table=table)
    for each in summary.comparisons:
        assert (each.p, each.n_blocks) == (None, 2)
        assert each.difference.value is not None
        assert each.difference.reason == message("summary-few-blocks", n_needed=3)


def test_command_line_json_prism_and_table_have_the_blocks(
    plate: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = plate
    tidy, prism = tmp_path / "tidy.csv", tmp_path / "prism.csv"
    command = ["summarise", str(file), "--by", "well", "--condition", "dose", "--block", "day", "--table", str(table)]
    assert main([*command, "--out", str(tidy), "--prism", str(prism), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    summary = cs.summarise(file, by="well", condition="dose", block="day", table=table)
    for each, of_json in zip(summary.comparisons, printed["comparisons"], strict=True):
        assert of_json["p"] == pytest.approx(each.p)
        assert (of_json["n_blocks"], of_json["test"]) == (each.n_blocks, PAIRED_TEST)
    with tidy.open(newline="", encoding="utf-8") as opened:
        assert {(row["sample"], row["block"]) for row in csv.DictReader(opened)} == {
            (each.sample, each.block) for each in summary.samples
        }
    with prism.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert [row[text("column-block")] for row in rows] == [*DAYS]
    for dose in DOSES:
        cells = {row[text("column-block")]: row[f"b: {dose}"] for row in rows}
        assert {day: float(cell) for day, cell in cells.items() if cell} == pytest.approx(means(dose))
    assert main(command) == 0
    assert text("proportions-blocks", n_blocks=4) in capsys.readouterr().out


def test_a_paired_difference_has_the_interval_of_a_ratio() -> None:
    """With an uncertain factor, it contains 0 if and only if p is at least .05, as without pairs."""
    rng = np.random.default_rng(0)
    for shift in np.linspace(0, 0.3, 20):
        first = rng.uniform(0, 0.5, 6)
        second = first + shift + rng.normal(0, 0.1, 6)
        result = difference_of_means(first.tolist(), second.tolist(), is_paired=True, relative_error=0.2)
        assert result.p == pytest.approx(ttest_rel(second, first).pvalue)
        assert (result.low <= 0 <= result.high) == (result.p >= 0.05)  # type: ignore[operator]
