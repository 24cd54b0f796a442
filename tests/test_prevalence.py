"""Other shares of the classes than among the training images: probabilities, estimates, predictive values."""

import json
from pathlib import Path

import numpy as np
import pytest

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.records import UNFAMILIAR
from coverslip.errors import CoverslipError
from coverslip.evaluation.prevalence import at_prevalence, chance_of_shares, estimated_shares, predictive_values
from coverslip.inference.new_images import EstimatedShares
from coverslip.messages import message
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction


def test_predictive_values_are_those_of_bayes() -> None:
    values = predictive_values(0.9, 0.9, 0.01)
    assert values.ppv == pytest.approx(0.009 / 0.108)
    assert values.npv == pytest.approx(0.891 / 0.892)
    assert predictive_values(0.0, 1.0, 0.5).ppv is None


def test_probabilities_follow_the_ratio_of_shares() -> None:
    changed = at_prevalence(np.array([[0.5, 0.5], [0.1, 0.9]]), (0.5, 0.5), (0.95, 0.05))
    np.testing.assert_allclose(changed[0], [0.95, 0.05])
    np.testing.assert_allclose(changed[1, 1], 0.9 * 0.1 / (0.9 * 0.1 + 0.1 * 1.9))
    np.testing.assert_allclose(at_prevalence(changed, (0.95, 0.05), (0.5, 0.5))[1], [0.1, 0.9])


def binormal(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n, 2) true probabilities, at equal shares, of numbers from two normal distributions two deviations apart."""
    x = rng.normal(size=n) + 2 * (rng.random(n) < share)
    odds = np.exp(2 * x - 2)
    return np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_shares_are_estimated_without_bias_and_their_intervals_cover(share: float) -> None:
    rng = np.random.default_rng(0)
    estimates = [estimated_shares(binormal(400, share, rng), (0.5, 0.5))[1] for _ in range(60)]
    assert abs(np.mean([estimate.value for estimate in estimates]) - share) < 0.012
    covered = np.mean([estimate.low <= share <= estimate.high for estimate in estimates])
    assert covered >= 0.88
    # Counting what is called positive is far off where the class is rare.
    if share == 0.02:
        assert (binormal(4000, share, rng)[:, 1] > 0.5).mean() > 5 * share


def test_of_several_classes_shares_add_up_and_few_images_give_none() -> None:
    rng = np.random.default_rng(1)
    label = rng.choice(3, 300, p=(0.6, 0.3, 0.1))
    logits = rng.normal(size=(300, 3)) + 3 * np.eye(3)[label]
    probability = np.exp(logits * 3) / np.exp(logits * 3).sum(axis=1, keepdims=True)
    shares = estimated_shares(probability, (1 / 3, 1 / 3, 1 / 3))
    assert sum(share.value for share in shares) == pytest.approx(1)
    assert all(share.low < true < share.high for share, true in zip(shares, np.bincount(label) / 300, strict=True))
    none = estimated_shares(probability[:10], (1 / 3, 1 / 3, 1 / 3))
    assert none[0].value is None
    assert none[0].reason == message("shares-need-images", n_needed=30, n_images=10)


def test_of_many_classes_shares_are_seldom_called_others_where_they_are_not() -> None:
    """Each class by its own interval, some class of eight misses in every third set of images."""
    rng = np.random.default_rng(2)
    prior = np.full(8, 1 / 8)

    def chance(shares: np.ndarray) -> float:
        x = rng.normal(size=(60, 8)) + 2 * np.eye(8)[rng.choice(8, 60, p=shares)]
        likelihood = np.exp(2 * x - 2)
        return chance_of_shares(likelihood / likelihood.sum(axis=1, keepdims=True), prior)

    same = [chance(prior) for _ in range(100)]
    assert sum(p <= 0.01 for p in same) <= 4
    assert sum(p <= 0.5 for p in same) > 25  # and it is no test that always says so
    others = np.array([0.65, *[0.05] * 7])
    assert sum(chance(others) <= 0.01 for _ in range(10)) >= 9


def test_class_proportions_of_unfamiliar_images_are_not_reported(trained: Run) -> None:
    card = cs.load_classifier(trained.folder).card
    row = Prediction(
        "a",
        "a.png",
        None,
        card.classes[0],
        0.99,
        UNFAMILIAR,
        (0.99, *[0.01 / (len(card.classes) - 1)] * (len(card.classes) - 1)),
    )
    shares = EstimatedShares(card, trained)
    for _ in range(40):
        shares.add(row)
    share = shares.by_class()[card.classes[0]]
    assert share.value is None
    assert share.reason == message("summary-unfamiliar", share=1.0)
    assert shares.note() is None


def test_class_proportions_of_many_images_do_not_depend_on_their_order(trained: Run) -> None:
    card = cs.load_classifier(trained.folder).card
    probabilities = np.full((len(card.classes), len(card.classes)), 0.01 / (len(card.classes) - 1))
    np.fill_diagonal(probabilities, 0.99)
    shares = EstimatedShares(card, trained)
    for k, n in enumerate((15_000, 25_000)):  # class by class
        row = Prediction("a", "a.png", None, card.classes[k], 0.99, card.classes[k], tuple(probabilities[k]))
        for _ in range(n):
            shares.add(row)
    by_class = [share.value for share in shares.by_class().values()]
    assert by_class[:2] == pytest.approx([0.375, 0.625], abs=0.02)


def test_a_classifier_at_another_prevalence_multiplies_its_probabilities(trained: Run, cells: Path) -> None:
    classifier = cs.load_classifier(trained.folder)
    rarer = classifier.at_prevalence({classifier.classes[0]: 0.01})
    images = sorted(cells.rglob("*.png"))[:6]
    expected = at_prevalence(classifier.predict_proba(images), classifier.card.prior, rarer.card.prior)
    np.testing.assert_allclose(rarer.predict_proba(images), expected, atol=1e-6)
    assert rarer.card.prior[0] == 0.01
    assert sum(rarer.card.prior) == pytest.approx(1)
    assert rarer.card.prior[1] / rarer.card.prior[2] == pytest.approx(
        classifier.card.prior[1] / classifier.card.prior[2]
    )


def test_a_note_says_so_where_classes_have_other_shares_than_in_training(trained: Run, cells: Path) -> None:
    classifier = cs.load_classifier(trained.folder)
    rows = classifier.predict(sorted((cells / "large").glob("*.png")) * 2)
    others, same = (EstimatedShares(classifier.card, trained) for _ in range(2))
    for row in rows:
        others.add(row)
    for row in classifier.predict(cells):
        same.add(row)
    note = others.note()
    assert note is not None
    assert "large" in note.text
    assert note.parameters["values"]["large"] > 0.6
    assert same.note() is None


@pytest.mark.parametrize("shares", [{"nobody": 0.1}, {"large": 0}, {"large": 5}, {"large": 0.6, "small": 0.4}])
def test_shares_that_make_no_whole_are_refused(trained: Run, shares: dict[str, float]) -> None:
    classifier = cs.load_classifier(trained.folder)
    with pytest.raises(CoverslipError):
        classifier.at_prevalence(shares)


@pytest.mark.slow
def test_the_command_estimates_proportions_and_takes_expected_ones(
    trained: Run, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "p.csv")
    name = cs.load_classifier(trained.folder).classes[0]
    assert (
        main(["predict", str(trained.folder), str(cells), "--out", out, "--prevalence", f"{name}=0.9", "--json"]) == 0
    )
    printed = json.loads(capsys.readouterr().out)
    shares = printed["shares"]
    assert printed["assumed"][name] == 0.9
    assert sum(printed["assumed"].values()) == pytest.approx(1)
    for share in shares.values():  # `summarise` refuses these predictions too
        assert (share["value"], share["reason"]["code"]) == (None, "shares-of-stated-proportions")
    assert main(["predict", str(trained.folder), str(cells), "--out", out, "--prevalence", "0.9"]) == 2
    assert main(["predict", str(trained.folder), str(next(cells.rglob("*.png"))), "--out", out]) == 0
    assert "0.00–1.00" in capsys.readouterr().out  # of one image
    twice = ["--prevalence", f"{name}=0.3", "--prevalence", f"{name}=0.2"]
    assert main(["predict", str(trained.folder), str(cells), "--out", out, *twice]) == 2
    assert "twice" in capsys.readouterr().err
