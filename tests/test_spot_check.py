"""Spot checks: known answers, coverage, and the way from a table of drawn images to the result."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from parameters import only_first
from PIL import Image
from refusing import refusing
from scipy.stats import binomtest

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import CoverslipError
from coverslip.evaluation.proportions import EffectiveCounts, ErrorRates, Votes, effective_counts, pooled_counts
from coverslip.evaluation.spot_check import (
    CheckedSample,
    expected_accuracy,
    expected_correlation,
    labeled_share,
    labels_needed,
    powered_share,
)
from coverslip.files import sha256_file
from coverslip.inference.spot_check import drawn_images, needed_labels, spot_check_of
from coverslip.inference.summarising import SampledPrediction
from coverslip.runs.predictions import Prediction

# Votes and labels of 60 images, and 137 votes among 340 others.
VOTES = "111000000110000000010100000110010000000100010001000110110100"
LABELS = "001000000100000010110100000110010000100100010000100010110000"


def known_sample() -> CheckedSample:
    votes = np.array([*map(float, VOTES), *[1.0] * 137, *[0.0] * 203])
    return CheckedSample(votes, np.arange(60), np.array([*map(float, LABELS)]), np.ones(60))


def test_the_estimate_is_that_of_ppi_py() -> None:
    """`ppi_mean_pointestimate` of ppi_py 0.2.3, which divides the covariance by n, not n - 1."""
    ppi_power, ppi_value = 0.42868203, 0.3107957
    share = powered_share([known_sample()])
    power = ppi_power * 400 / 340 * 60 / 59  # of all votes, not of those of images without a label
    assert share.power == pytest.approx(power, rel=1e-6)
    in_ppi = 16 / 60 + ppi_power * (137 / 340 - VOTES.count("1") / 60)
    assert in_ppi == pytest.approx(ppi_value, abs=1e-6)
    of_labeled = VOTES.count("1")
    assert share.value == pytest.approx(16 / 60 + power * ((137 + of_labeled) / 400 - of_labeled / 60), abs=1e-6)
    assert share.low < ppi_value < share.high


def test_labels_alone_have_the_exact_interval() -> None:
    value, low, high = labeled_share([known_sample()])
    exact = binomtest(16, 60).proportion_ci(method="exact")
    assert (value, low, high) == pytest.approx((16 / 60, exact.low, exact.high))


def test_predictions_that_say_nothing_do_not_contribute() -> None:
    votes = np.tile([0.0, 1.0], 200)
    labels = np.repeat([0.0, 1.0], 20)
    share = powered_share([CheckedSample(votes, np.arange(40), labels, np.ones(40))])
    assert share.power == pytest.approx(0, abs=0.05)
    assert share.value == pytest.approx(0.5)
    constant = powered_share([CheckedSample(np.zeros(400), np.arange(40), labels, np.ones(40))])
    assert (constant.power, constant.value) == (0, 0.5)


def test_labels_without_a_mismatch_do_not_make_all_predictions_certain() -> None:
    """Ten labels that agree with the predictions: 400 predictions are not 400 labels."""
    votes = np.array([*[1.0] * 5, *[0.0] * 5, *[1.0] * 195, *[0.0] * 195])
    share = powered_share([CheckedSample(votes, np.arange(10), votes[:10], np.ones(10))])
    exact = binomtest(200, 400).proportion_ci(method="exact")
    assert share.value == pytest.approx(0.5)
    assert share.low < exact.low - 0.05
    none = powered_share([CheckedSample(np.zeros(400), np.arange(30), np.zeros(30), np.ones(30))])
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(binomtest(0, 30).proportion_ci(method="exact").high)


def test_differences_between_samples_are_part_of_the_interval() -> None:
    def samples(*shares: float) -> list[CheckedSample]:
        labels = [np.array([1.0] * round(20 * share) + [0.0] * (20 - round(20 * share))) for share in shares]
        return [CheckedSample(np.tile(each, 10), np.arange(20), each, np.ones(20)) for each in labels]

    alike, unlike = powered_share(samples(0.5, 0.5, 0.5, 0.5)), powered_share(samples(0.2, 0.8, 0.3, 0.7))
    assert alike.value == unlike.value == pytest.approx(0.5)
    assert alike.high - alike.low < 0.2 < unlike.high - unlike.low


@pytest.mark.slow
@pytest.mark.parametrize(("proportion", "n_samples"), only_first(1, [(0.05, 1), (0.3, 1), (0.3, 6)]))
def test_intervals_contain_the_true_proportion(proportion: float, n_samples: int) -> None:
    """In 400 simulated experiments with a classifier of 95 % accuracy; fewer than 92 % are a fault."""
    rng = np.random.default_rng(3)
    hits, widths = 0, []
    for _ in range(400):
        samples = []
        for _ in range(n_samples):
            labels = (rng.random(600 // n_samples) < proportion).astype(float)
            votes = np.where(rng.random(len(labels)) < 0.95, labels, 1 - labels)
            is_labeled = rng.choice(len(labels), 96 // n_samples, replace=False)
            samples.append(CheckedSample(votes, is_labeled, labels[is_labeled], np.ones(len(is_labeled))))
        share, alone = powered_share(samples), labeled_share(samples)
        hits += share.low <= proportion <= share.high
        widths.append((share.high - share.low) / (alone[2] - alone[1]))
    assert hits >= 368
    assert np.mean(widths) < 0.95


def test_the_number_of_labels_gives_the_width_of_the_interval() -> None:
    assert labels_needed(0.05, 0.5, 10_000, 1, 0) == 385  # the textbook number
    assert labels_needed(0.05, 0.5, 300, 1, 0) is None
    n = labels_needed(0.05, 0.3, 1000, 1, 0.9)
    assert n is not None
    residual = (0.21 * (1 - 0.81) * n + 0.5) / (n + 1)  # with the further image of `powered_share`
    variance = 0.21 / 1000 + (1 / n - 1 / 1000) * residual
    assert 1.96 * variance**0.5 == pytest.approx(0.05, rel=0.02)
    assert (labels_needed(0.05, 0.06, 4000, 1, 1.0) or 0) > 10  # no mismatch in test images is no proof
    few, many = labels_needed(0.1, 0.3, 1000, 4, 0), labels_needed(0.1, 0.3, 1000, 12, 0)
    assert few is not None
    assert many is not None
    assert few > many > (labels_needed(0.1, 0.3, 1000, 1, 0) or 0)


def test_samples_that_differ_need_more_labels() -> None:
    """And more samples, where their differences alone make the interval too wide."""
    alike, different = (labels_needed(0.1, 0.3, 1000, 12, 0, between) for between in (0.0, 0.01))
    assert alike is not None
    assert different is not None
    quantile = 2.200985  # of t with 11 degrees of freedom
    assert different == pytest.approx(0.21 / ((0.1 / quantile) ** 2 - 0.01 / 12), abs=1)
    assert different > alike
    assert labels_needed(0.1, 0.3, 1000, 12, 0, 0.03) is None


def test_samples_of_one_classifier_vary_by_their_images_and_rates() -> None:
    rng, correlation, mean = np.random.default_rng(0), 0.1, np.array([0.1, 0.8])  # votes for the second class
    concentration = (1 - correlation) / correlation
    groups = [[rng.binomial(40, rng.beta(each * concentration, (1 - each) * concentration)) for _ in range(400)]
              for each in mean]  # fmt: skip
    rates = ErrorRates([Votes(np.array([[40.0 - n, n] for n in of_class]), np.full(400, 40.0)) for of_class in groups])
    of_samples = rng.beta(mean * concentration, (1 - mean) * concentration, (4000, 2))
    votes = rng.binomial(100, of_samples @ [0.7, 0.3])
    unclipped = np.linalg.solve(rates.matrix.T, np.array([100 - votes, votes]) / 100)[1]
    typical = float(np.median(votes))
    variance = rates.variance_of_sample(Votes(np.array([[100 - typical, typical]]), np.array([100.0])))
    assert variance == pytest.approx(np.full(2, unclipped.var()), rel=0.15)


def test_the_mean_over_images_is_expected_though_units_differ_in_size() -> None:
    votes = Votes(np.array([[90.0, 10.0], [0.0, 1.0], [0.0, 1.0]]), np.array([100.0, 1.0, 1.0]))
    pooled = pooled_counts(votes)
    assert pooled.shares == pytest.approx([90 / 102, 12 / 102])
    assert effective_counts(votes).shares == pytest.approx([0.3, 0.7])
    alike = Votes(np.array([[9.0, 1.0], [7.0, 3.0], [5.0, 5.0]]), np.full(3, 10.0))
    assert pooled_counts(alike).shares == pytest.approx(effective_counts(alike).shares)
    assert pooled_counts(alike).n == pytest.approx(effective_counts(alike).n)


def test_the_expected_correlation_is_that_of_labels_and_votes() -> None:
    matrix, shares = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0.7, 0.3])
    labels = np.repeat([0, 0, 1, 1], [6300, 700, 600, 2400])
    votes = np.repeat([0, 1, 0, 1], [6300, 700, 600, 2400])
    assert expected_correlation(matrix, shares, 1) == pytest.approx(np.corrcoef(labels, votes)[0, 1])
    assert expected_correlation(matrix, np.array([1.0, 0.0]), 1) == 0


def test_accuracy_is_expected_for_the_class_proportions_here() -> None:
    recalls = [EffectiveCounts(np.array([0.9, 0.1]), 100), EffectiveCounts(np.array([0.6, 0.4]), 400)]
    expected = expected_accuracy(recalls, np.array([0.25, 0.75]))
    assert expected.value == pytest.approx(0.25 * 0.9 + 0.75 * 0.6)
    assert 0.6 < expected.low < expected.value < expected.high < 0.75
    perfect = expected_accuracy([EffectiveCounts(np.array([1.0, 0.0]), 20)] * 2, np.array([0.5, 0.5]))
    exact = binomtest(40, 40).proportion_ci(method="exact")
    assert (perfect.value, perfect.high) == (1, 1)
    assert perfect.low == pytest.approx(exact.low, abs=0.02)


def predicted(n: int, *, of: str = "well 1", condition: str | None = None, share: int = 3) -> list[SampledPrediction]:
    """Images of which every `share`th is predicted as b."""
    rows = []
    for k in range(n):
        name = "b" if k % share == 0 else "a"
        p = (0.1, 0.9) if name == "b" else (0.9, 0.1)
        row = Prediction(f"{of}/{k}", f"/{of}/{k}.png", None, name, 0.9, name, p)
        rows.append(SampledPrediction(row, of, condition))
    return rows


def test_images_are_drawn_evenly_over_samples_and_never_twice() -> None:
    rows = [*predicted(100, of="1"), *predicted(5, of="2"), *predicted(100, of="3")]
    drawn = drawn_images(rows, 30, 1)
    assert len(set(drawn)) == 30
    samples = [rows[k].sample for k in drawn]
    assert samples.count("2") == 5
    assert {samples.count("1"), samples.count("3")} <= {12, 13}
    assert samples != sorted(samples)
    assert drawn == drawn_images(rows, 30, 1) != drawn_images(rows, 30, 2)
    assert len(drawn_images(rows, 1000, 1)) == 205
    with refusing(CoverslipError, "spot-check-few-images"):
        drawn_images(rows, 2, 1)


def test_conditions_are_drawn_and_compared_on_their_own() -> None:
    rows = [*predicted(60, of="1", condition="low"), *predicted(60, of="2", condition="high")]
    drawn = drawn_images(rows, 20, 1)
    assert [sum(rows[k].condition == name for k in drawn) for name in ("low", "high")] == [20, 20]
    # All predictions of one condition are right, and half of the other.
    labels = {k: rows[k].prediction.predicted or "" for k in drawn if rows[k].condition == "low"}
    high = [k for k in drawn if rows[k].condition == "high"]
    labels |= {k: rows[k].prediction.predicted or "" for k in high[:10]}
    labels |= {k: "b" if rows[k].prediction.predicted == "a" else "a" for k in high[10:]}
    check = spot_check_of(["a", "b"], rows, labels, None, n_drawn=40)
    assert {each.condition: each.accuracy.value for each in check.conditions} == {"low": 1.0, "high": 0.5}
    assert all(each.expected_accuracy.value is None and each.expected_accuracy.reason for each in check.conditions)


def test_excluded_images_and_samples_without_labels() -> None:
    rows = [*predicted(20, of="1"), *predicted(20, of="2")]
    labels = {0: "b", 1: "a", 2: "none-of-these", 3: "unusable"}
    (check,) = spot_check_of(["a", "b"], rows, labels, None, n_drawn=8).conditions
    assert (check.n_labeled, check.n_excluded) == (2, 2)
    assert check.accuracy.value is None
    assert str(check.accuracy.reason) in check.remarks
    (check,) = spot_check_of(["a", "b"], rows, labels | {20: "b"}, None, n_drawn=8).conditions
    assert (check.n_labeled, check.accuracy.value) == (3, 1.0)
    assert check.classes["b"].n_labels == 2


def with_debris(rng: np.random.Generator, n: int, n_labeled: int) -> CheckedSample:
    """A sample of 40% of the class, 40% of another one, and 20% debris that is predicted as the class."""
    kind = rng.choice(3, n, p=[0.4, 0.4, 0.2])
    votes = np.where(rng.random(n) < 0.97, kind != 1, kind == 1).astype(float)
    is_labeled = rng.choice(n, n_labeled, replace=False)
    drawn = kind[is_labeled]
    return CheckedSample(votes, is_labeled, (drawn == 0).astype(float), (drawn != 2).astype(float))


def test_images_of_no_class_do_not_change_the_proportion_among_those_of_a_class() -> None:
    """In 300 simulated samples; fewer than 92 % of intervals with the true proportion, .5, are a fault."""
    rng = np.random.default_rng(3)
    shares = [powered_share([with_debris(rng, 2000, 200)]) for _ in range(300)]
    assert np.mean([share.value for share in shares]) == pytest.approx(0.5, abs=0.01)
    assert sum(share.low <= 0.5 <= share.high for share in shares) >= 276
    of_all = with_debris(rng, 200, 200)
    assert powered_share([of_all]).value == pytest.approx(of_all.labels.sum() / of_all.counts.sum())


def test_excluded_images_are_part_of_the_selection() -> None:
    """All debris is predicted as a: with all images labeled, the proportion is that of the labels."""
    rows = [*predicted(20, of="1"), *predicted(20, of="1")]
    labels = {k: ("a", "b", "none-of-these")[k % 3] if k % 2 else "b" for k in range(0, 40, 2)}
    labels |= {k: ("a", "none-of-these")[k % 4 == 1] for k in range(1, 40, 2)}
    (check,) = spot_check_of(["a", "b"], rows, labels, None, n_drawn=40).conditions
    shown = [name for name in labels.values() if name in ("a", "b")]
    assert check.n_excluded == 40 - len(shown) > 0
    for name in ("a", "b"):
        of_class = check.classes[name]
        share = pytest.approx(shown.count(name) / len(shown))
        assert (of_class.powered.value, of_class.labels.value) == (share, share)


def test_a_wider_interval_needs_fewer_labels_and_a_half_width_is_a_share() -> None:
    rows = predicted(500)
    counts = [[each.alone for each in needed_labels(["a", "b"], rows, None, width)] for width in (0.05, 0.1)]
    assert all(near is not None and far is not None and near > far for near, far in zip(*counts, strict=True))
    with refusing(CoverslipError, "spot-check-half-width"):
        list(needed_labels(["a", "b"], rows, None, 5))


@pytest.mark.slow
def test_from_drawn_images_to_the_result(
    trained: cs.Run, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, to_label = tmp_path / "predictions.csv", tmp_path / "to_label.csv"
    cs.predict(trained, cells, out=predictions)
    command = ["spot-check", str(predictions), "--by", "folder", "--run", str(trained.folder)]
    assert main([*command, "-n", "12", "--out", str(to_label), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {each["class"] for each in printed["needed"]} == {None, *printed["classes"]}
    with to_label.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert list(rows[0]) == ["image_id", "path", "label", "file_sha256"]  # no predictions
    assert [row["image_id"] for row in rows] == [each["image_id"] for each in printed["images"]]
    assert len(rows) == 12

    assert main([*command, "--labels", str(to_label)]) == 1  # nothing is labeled
    for row in rows[1:]:
        row["label"] = Path(row["path"]).parent.name
    with to_label.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    capsys.readouterr()
    assert main([*command, "--labels", str(to_label), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["n_drawn"], printed["n_labeled"]) == (12, 11)
    (condition,) = printed["conditions"]
    assert condition["expected_accuracy"]["value"] is not None
    for proportion in condition["classes"].values():
        for method in ("raw", "labels", "powered"):
            assert 0 <= proportion[method]["low"] <= proportion[method]["value"] <= proportion[method]["high"] <= 1
    assert main([*command, "--labels", str(to_label)]) == 0
    assert main([*command, "--labels", str(to_label), "--out", str(to_label)]) == 2


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("name,label\na,b\n", "spot-check-no-labels-table"),
        ("image_id,label\nnowhere,b\n", "spot-check-unknown-image"),
        ("image_id,label\nIMAGE,no class\n", "spot-check-unknown-label"),
        ("image_id,label\nIMAGE,small\nIMAGE,large\n", "spot-check-image-twice"),
        ("image_id,label\nIMAGE,\n", "spot-check-without-labels"),
    ],
)
def test_a_table_of_labels_that_does_not_fit_is_refused(
    trained: cs.Run, cells: Path, tmp_path: Path, table: str, code: str
) -> None:
    predictions, labels = tmp_path / "predictions.csv", tmp_path / "labels.csv"
    images = sorted(cells.rglob("*.png"))[:3]
    cs.predict(trained, images, out=predictions)
    with predictions.open(newline="", encoding="utf-8") as opened:
        image_id = next(csv.DictReader(opened))["image_id"]
    labels.write_text(table.replace("IMAGE", image_id))
    with refusing(CoverslipError, code) as refused:
        cs.spot_check(predictions, labels)
    assert refused.value.file == labels


def test_an_image_of_several_rows_is_labeled_once_by_its_path(trained: cs.Run, cells: Path, tmp_path: Path) -> None:
    predictions, labels = tmp_path / "predictions.csv", tmp_path / "labels.csv"
    image = next(cells.rglob("*.png"))
    cs.predict(trained, [image, image], out=predictions)
    labels.write_text(f"path,label\n{image},small\n")
    assert cs.spot_check(predictions, labels).n_labeled == 1
    labels.write_text(f"path,image_id,label\n{image},{image} (2),small\n")
    with refusing(CoverslipError, "spot-check-unknown-image"):
        cs.spot_check(predictions, labels)


def test_labels_of_other_files_than_the_predicted_ones_are_refused(
    trained: cs.Run, cells: Path, tmp_path: Path
) -> None:
    predictions, to_label, labels = (tmp_path / f"{name}.csv" for name in ("predictions", "to_label", "labels"))
    (tmp_path / "new").mkdir()
    first, second = (
        Path(shutil.copy(file, tmp_path / "new" / f"{k}.png"))
        for k, file in enumerate(sorted(cells.rglob("*.png"))[:2])
    )
    cs.predict(trained, tmp_path / "new", out=predictions)
    draw = cs.draw_spot_check(predictions, n=2, out=to_label)
    assert {image.file_sha256 for image in draw.images} == {sha256_file(file) for file in (first, second)}
    labels.write_text(to_label.read_text().replace(",,", ",small,"))
    assert cs.spot_check(predictions, labels).n_labeled == 2
    first.rename(tmp_path / "0.png")
    second.rename(first)
    (tmp_path / "0.png").rename(second)
    cs.predict(trained, tmp_path / "new", out=predictions)
    with refusing(CoverslipError, "spot-check-other-file"):
        cs.spot_check(predictions, labels)


def test_labels_by_path_are_refused_if_a_file_has_several_rows(trained: cs.Run, cells: Path, tmp_path: Path) -> None:
    predictions, labels, boxes = tmp_path / "predictions.csv", tmp_path / "labels.csv", tmp_path / "boxes.csv"
    image = next(cells.rglob("*.png"))
    boxes.write_text(f"path,x,y,width,height\n{image},0,0,20,20\n{image},20,20,20,20\n")
    cs.predict(trained, boxes, out=predictions)
    labels.write_text(f"path,label\n{image},small\n")
    with refusing(CoverslipError, "spot-check-several-rows", n_rows=2):
        cs.spot_check(predictions, labels)


def test_labels_of_two_planes_of_a_file_are_those_of_each_plane(trained: cs.Run, cells: Path, tmp_path: Path) -> None:
    for k, file in enumerate(sorted(cells.rglob("*.png"))[:2]):
        with Image.open(file) as opened:
            plane = np.asarray(opened.convert("L"))
        tifffile.imwrite(tmp_path / f"{k}.tif", np.stack([plane, 255 - plane]), metadata={"axes": "ZYX"})
    tables = [tmp_path / "first.csv", tmp_path / "second.csv"]
    for z, table in enumerate(tables):
        images = tmp_path / "images.csv"
        images.write_text(f"path,z\n0.tif,{z}\n1.tif,{z}\n")
        cs.predict(trained, images, out=table)
    to_label = tmp_path / "to_label.csv"
    draw = cs.draw_spot_check(tables, n=4, out=to_label)
    with to_label.open(newline="", encoding="utf-8") as opened_table:
        rows = list(csv.DictReader(opened_table))
    assert [row["pixels_read"] for row in rows] == [image.pixels_read for image in draw.images]
    assert sorted(row["pixels_read"] for row in rows) == ["", "", "z=1", "z=1"]
    with to_label.open("w", newline="", encoding="utf-8") as opened_table:
        writer = csv.DictWriter(opened_table, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": "large" if row["pixels_read"] else "small"} for row in rows)
    (condition,) = cs.spot_check(tables, to_label).conditions
    assert [condition.classes[name].n_labels for name in ("small", "medium", "large")] == [2, 0, 2]
