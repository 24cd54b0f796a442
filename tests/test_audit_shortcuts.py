"""Shortcuts: what is planted is found, what is not there is not, and real clean cells give no warning."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from PIL import Image

from coverslip.audit.label_issues import wrong_labels_of_clearest
from coverslip.audit.leakage_estimate import estimate_leakage
from coverslip.audit.shortcuts import (
    background_features,
    batch_columns,
    border_features,
    border_probe,
    file_tags,
    name_features,
    signal_of,
)
from coverslip.cli import main
from coverslip.datasets.quality import findings
from coverslip.datasets.quality.scanning import ProbeScore, Scan, Signal
from coverslip.evaluation.intervals import share_of_images
from coverslip.messages import LANGUAGES, in_language, message, text
from coverslip.reports.verdict import MARKED_RECALL, MARKED_SPECIFICITY, WRONG_LABELS

WARNING_SHARE, ADVICE_SHARE = 0.5, 0.25


def cells(n: int, *, marked: bool = False, dim: bool = False, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Discs on gray noise: those of class 1 are larger; `marked` ones have a dot in a corner, `dim` ones less light."""
    generator = np.random.default_rng(seed)
    label = np.arange(n) % 2
    rows, columns = np.mgrid[:48, :48]
    images = []
    for k in label:
        image = generator.normal(0.5, 0.02, (48, 48, 1))
        radius = generator.normal(9 + 2 * k, 1)
        image[(rows - 24) ** 2 + (columns - 24) ** 2 < radius**2] -= 0.2
        if marked and k:
            image[2:5, 40:43] = 0.9
        if dim and k:
            image -= 0.03
        images.append(image.astype(np.float32))
    return images, label


def whole(images: list[np.ndarray]) -> np.ndarray:
    """What a network might see: rows and columns of the image."""
    pixels = np.stack(images)[:, :, :, 0]
    return np.concatenate([pixels.mean(axis=1), pixels.mean(axis=2)], axis=1)


def shortcuts(images: list[np.ndarray], label: np.ndarray, unit: np.ndarray | None = None):
    sources = {
        "border": np.stack([border_features(image) for image in images]),
        "background": np.stack([background_features(image) for image in images]),
        "size": np.full((len(label), 2), 48.0, np.float32),
    }
    signal = signal_of(whole(images), sources, label, np.arange(len(label)) if unit is None else unit)
    assert signal is not None
    return signal


@pytest.mark.slow
def test_a_mark_in_a_corner_of_one_class_is_a_shortcut() -> None:
    images, label = cells(120, marked=True)
    signals = shortcuts(images, label)
    assert signals.by_source["border"].balanced_accuracy > 0.95
    assert signals.share("border") > WARNING_SHARE
    assert "size" not in signals.by_source  # the same for all images


@pytest.mark.slow
def test_less_light_in_one_class_is_a_shortcut_of_the_background() -> None:
    images, label = cells(120, dim=True)
    assert shortcuts(images, label).share("background") > WARNING_SHARE


@pytest.mark.slow
def test_cells_that_differ_in_themselves_have_none() -> None:
    images, label = cells(240)
    signals = shortcuts(images, label)
    assert signals.is_significant
    assert max(signals.share("border"), signals.share("background")) < ADVICE_SHARE


def test_the_probe_of_whole_images_finds_what_few_of_many_features_show() -> None:
    generator = np.random.default_rng(1)
    label = np.arange(80) % 4
    hidden = generator.normal(size=(80, 20)) + 3 * np.eye(4, 20)[label]
    features = hidden @ generator.normal(size=(20, 600)) + 3 * generator.normal(size=(80, 600))
    faint = np.eye(4)[label] + generator.normal(0, 1.3, size=(80, 4))
    signal = signal_of(features.astype(np.float32), {"background": faint.astype(np.float32)}, label, np.arange(80))
    assert signal is not None
    assert signal.whole.balanced_accuracy > 0.8
    assert 0 < signal.share("background") < ADVICE_SHARE


@pytest.mark.exhaustive
def test_labels_at_random_have_no_signal() -> None:
    n_signals = 0
    for seed in range(4):
        images, label = cells(80, seed=seed)
        signals = shortcuts(images, np.random.default_rng(seed).permutation(label))
        n_signals += signals.is_significant
    assert n_signals <= 1  # of a test at .05


@pytest.mark.slow
def test_labels_that_whole_groups_share_are_no_shortcut_of_what_groups_share() -> None:
    """Slides differ in their light, and each holds one class: by chance light and class go together."""
    n_groups, generator = 8, np.random.default_rng(0)
    images, label = cells(160)
    group = np.repeat(np.arange(n_groups), 160 // n_groups)
    light = generator.normal(0, 0.05, n_groups)
    images = [image + light[g] for image, g in zip(images, group, strict=True)]
    label = (np.arange(n_groups) % 2)[group]
    signals = shortcuts([image.astype(np.float32) for image in images], label, group)
    assert signals.share("background") < WARNING_SHARE


@pytest.mark.parametrize(("light", "tie", "is_reported"), [(0.06, 0.9, True), (0.06, 0.5, False), (0.0, 0.9, False)])
def test_a_day_is_a_shortcut_where_images_show_it_and_classes_go_with_it(
    light: float, tie: float, is_reported: bool
) -> None:
    images, label = cells(240)
    day = np.where(np.random.default_rng(1).random(240) < tie, label, 1 - label)
    images = [(image + light * d).astype(np.float32) for image, d in zip(images, day, strict=True)]
    about = [
        {"day": f"2026-11-2{d}", "case": str(k), "class": "ab"[y]}
        for k, (d, y) in enumerate(zip(day, label, strict=True))
    ]
    columns = batch_columns(about, label, np.arange(240))
    assert list(columns) == ["day"]
    signal = signal_of(whole(images), {}, label, np.arange(240), columns=columns)
    assert signal is not None
    assert (signal.share_of_column("day") >= WARNING_SHARE) == is_reported
    for language in LANGUAGES:
        with in_language(language):
            cases = list(findings.shortcuts(None, Scan(facts=(), signal=signal)))
        assert [case.message for case in cases] == ["finding-shortcut-batch"] * is_reported


def test_a_single_class_or_classes_of_one_group_each_cannot_be_tested() -> None:
    images, label = cells(40)
    sources = {"border": np.stack([border_features(image) for image in images])}
    assert signal_of(whole(images), sources, np.zeros_like(label), np.arange(40)) is None
    assert signal_of(whole(images), sources, label, label) is None


@pytest.mark.slow
def test_names_of_files_reveal_sources_and_not_the_class_that_they_name() -> None:
    labels = ["basophil", "7"] * 40
    numbers = np.random.default_rng(0).permutation(80)
    named = [f"basophil {k}" if label == "basophil" else f"{k} 007" for k, label in zip(numbers, labels, strict=True)]
    coded = [("BA_" if label == "basophil" else "XQ_") + str(100 + k) for k, label in zip(numbers, labels, strict=True)]
    for names in (named, coded):
        assert score_of_names(names, labels).p > 0.05
    scanners = [("dayA_" if k % 10 < (9 if i % 2 else 1) else "dayB_") + str(k) for i, k in enumerate(numbers)]
    counted = [f"im{i // 2 + 40 * (i % 2)}" for i in range(80)]  # one class numbered after the other
    for names, least in ((scanners, 0.7), (counted, 0.9)):
        assert score_of_names(names, labels).balanced_accuracy > least


def score_of_names(names: list[str], labels: list[str]) -> ProbeScore:
    label = np.unique(labels, return_inverse=True)[1]
    features = np.random.default_rng(1).normal(size=(len(label), 8)).astype(np.float32)
    return signal_of(features, {"name": name_features(names, labels)}, label, np.arange(len(label))).by_source["name"]


def test_names_are_advice_and_no_signal_of_images() -> None:
    signal = Signal(0.5, ProbeScore(0.5, 0.6), {"name": ProbeScore(0.98, 0.02)})
    assert not signal.is_significant
    seen = replace(signal, whole=ProbeScore(0.9, 0.02))
    scan = Scan(facts=(), signal=seen)
    (finding,) = findings.slight_shortcuts(None, scan)
    assert finding.parameters["from"] == "name"
    assert finding.do == text("finding-shortcut.do", **finding.parameters)
    assert not list(findings.shortcuts(None, scan))


def test_files_reveal_how_they_were_taken_and_saved_and_not_when(tmp_path: Path) -> None:
    picture, exif = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)), Image.Exif()
    exif.update({0x0110: "Scope 7", 0x0132: "2026:11:22 01:00:00"})
    for name, quality in (("a.jpg", 60), ("b.jpg", 60), ("c.jpg", 90)):
        picture.save(tmp_path / name, quality=quality, exif=exif)
    a, b, c = (file_tags(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.jpg"))
    assert a == b
    assert {name for name in a if a[name] != c[name]} == {"quantization"}
    assert (a["Model"], "DateTime" in a) == ("Scope 7", False)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:40])
    assert file_tags(tmp_path / "cut.jpg") == file_tags(tmp_path / "none.png") == {}


@pytest.mark.parametrize("shape", [(2, 2, 1), (3, 200, 3), (5, 4, 2), (700, 41, 4)])
def test_any_shape_is_described_by_as_many_numbers(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    border, background = border_features(image), background_features(image)
    assert border.shape == (80 * shape[2],)
    assert background.shape == (7 * shape[2],)
    assert np.isfinite(border).all()
    assert np.isfinite(background).all()


def test_an_image_level_split_is_distinguished_from_a_grouped_one() -> None:
    """Each group has a look of its own, and a class: nothing is learnt of classes, and one by one all is known."""
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 8)
    label = generator.permutation(np.arange(30) % 3)[group]
    features = (generator.normal(size=(30, 40))[group] + generator.normal(0, 0.2, (240, 40))).astype(np.float32)
    estimate = estimate_leakage(features, label, group)
    assert estimate.grouped.value is not None
    assert estimate.image_level.value is not None
    assert estimate.grouped.value < 0.6
    assert estimate.image_level.value > 0.9
    for numbers in (estimate, estimate.nearest_image):
        assert numbers.difference.low is not None
        assert numbers.difference.low > 0.2
    alike = estimate_leakage(generator.normal(size=(240, 40)).astype(np.float32), label, np.arange(240))
    assert alike.image_level.value == alike.grouped.value


@pytest.mark.slow
def test_inspect_reports_a_planted_mark_and_the_leakage_of_an_image_level_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = write_cells(tmp_path / "cells", 60, classes=("small", "large"), radii=(0.2, 0.21), n_slides=6)
    for file in (cells / "large").iterdir():
        pixels = np.array(Image.open(file))
        pixels[1:5, -6:-2] = 255
        Image.fromarray(pixels).save(file)
    arguments = ["inspect", str(cells), "--group-pattern", r"slide\d+", "--estimate-leakage"]
    assert main([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (shortcut,) = [finding for finding in printed["findings"] if finding["code"] == "shortcut"]
    assert shortcut["from"] == "border"
    assert shortcut["balanced_accuracy"] > 0.9
    assert printed["leakage_estimate"]["metric"] == "macro_f1"
    assert printed["leakage_estimate"]["n_images"] == 60
    assert main(arguments) == 0
    assert "Leakage estimate" in capsys.readouterr().out


@pytest.mark.parametrize("is_marked", [True, False])
def test_the_border_gives_a_class_away_whose_images_have_a_mark_in_a_corner(is_marked: bool) -> None:
    rng = np.random.default_rng(0)
    label, fold = np.repeat(np.arange(3), 40), np.arange(120) % 5
    images = rng.random((120, 40, 40, 3)).astype(np.float32)
    if is_marked:
        images[label == 1, :4, :4] = 1
    for k, (recall, specificity) in enumerate(border_probe(images, label, fold)):
        assert recall.n_images == 40
        is_given_away = (recall.low or 0) > MARKED_RECALL and (specificity.low or 0) > MARKED_SPECIFICITY
        assert is_given_away == (is_marked and k == 1)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_wrong_labels_stand_out_among_the_clearest_images_and_similar_classes_do_not(share: float) -> None:
    rng = np.random.default_rng(1)
    true_class = np.arange(1200) % 4
    centers = np.array([[0, 0], [0, 1.5], [6, 0], [6, 6]], float)  # the first two overlap
    features = np.c_[centers[true_class], np.zeros((1200, 6))] + rng.normal(size=(1200, 8))
    is_wrong = rng.random(1200) < share
    label = np.where(is_wrong, rng.integers(0, 4, 1200), true_class)
    found = wrong_labels_of_clearest(features.astype(np.float32), label, np.arange(1200) % 10, None, balanced=False)
    assert ((found.low or 0) > WRONG_LABELS) == (share > 0)


def test_a_group_that_looks_like_another_class_has_no_wrong_labels() -> None:
    rng = np.random.default_rng(1)
    label, group = np.arange(1200) % 3, np.arange(1200) % 12
    looks_like = np.where(group == 3, 1, label)  # all of its images have label 0
    features = (rng.normal(size=(1200, 8)) + 6 * np.eye(3, 8)[looks_like]).astype(np.float32)
    without, with_groups = (
        wrong_labels_of_clearest(features, label, group, each, balanced=False) for each in (None, group)
    )
    assert (without.low or 0) > WRONG_LABELS
    assert (with_groups.low or 0) < WRONG_LABELS
    noisy = np.where(rng.random(1200) < 0.2, rng.integers(0, 3, 1200), label)
    features = (rng.normal(size=(1200, 8)) + 6 * np.eye(3, 8)[label]).astype(np.float32)
    assert (wrong_labels_of_clearest(features, noisy, group, group, balanced=False).low or 0) > WRONG_LABELS


def test_classes_that_the_features_hardly_show_are_no_wrong_labels() -> None:
    rng = np.random.default_rng(1)
    label = np.arange(1200) % 4
    features = rng.normal(size=(1200, 8)) + np.eye(4, 8)[label]
    found = wrong_labels_of_clearest(features.astype(np.float32), label, np.arange(1200) % 10, None, balanced=False)
    assert found.n_correct is not None
    assert (share_of_images(found.n_correct, 300).low or 0) > WRONG_LABELS
    assert (found.low, found.reason) == (None, message("wrong-labels-of-hard-classes"))
