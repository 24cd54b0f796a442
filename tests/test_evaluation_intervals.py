"""Intervals hold the truth about as often as they say, and move groups as a whole."""

import numpy as np
import pytest

from coverslip.evaluation import METRICS, bootstrap_intervals, score, scored_metrics
from coverslip.evaluation.intervals import _draws, _resample, _Sample, group_codes


def predictions(n_groups: int, n_images: int, seed: int, *, spread: float = 1.0):
    """Groups of unequal difficulty, mean accuracy near 0.85."""
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), n_images)
    label = generator.integers(0, 3, len(group))
    chance = 1 / (1 + np.exp(-generator.normal(2, spread, n_groups)[group]))
    predicted = np.where(generator.random(len(group)) < chance, label, (label + 1) % 3)
    probability = np.eye(3)[predicted] * 0.6 + generator.dirichlet([4, 4, 4], len(group)) * 0.4
    return probability, label, group


def test_equal_seeds_give_equal_intervals_and_other_seeds_close_ones():
    probability, label, group = predictions(12, 20, 0)
    first, again, other = (bootstrap_intervals(probability, label, group, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["macro_f1"] != other["macro_f1"]
    assert first["macro_f1"].low == pytest.approx(other["macro_f1"].low, abs=0.02)
    assert tuple(first) == scored_metrics()


@pytest.mark.parametrize("group_by", ["groups", "images"])
def test_a_resample_scores_the_drawn_images_as_scikit_learn_would_see_them(group_by):
    """Each resample is rebuilt image by image and scored the plain way."""
    probability, label, group = predictions(6, 9, 3)
    unit = group if group_by == "groups" else np.arange(len(label))
    decided = np.roll(probability.argmax(axis=1), 1)
    sample = _Sample(probability, label, decided, unit, int(unit.max()) + 1)
    resampled = _resample(sample, 8, 5, [METRICS[name] for name in scored_metrics()])
    weight = np.concatenate(list(_draws(sample.n_units, len(label), 8, 5)), axis=1)
    for column in range(8):
        drawn = np.repeat(np.arange(len(label)), weight[unit, column].astype(int))
        expected = score(probability[drawn], label[drawn], decided[drawn])
        for name, value in expected.items():
            assert resampled[name][column] == pytest.approx(value, abs=1e-9), name


def test_images_of_a_group_move_together():
    """Ten copies of every image tell nothing new: with groups the interval is that of the originals."""
    probability, label, _ = predictions(40, 1, 4, spread=4.0)
    copies = np.repeat(np.arange(40), 10)
    alone = bootstrap_intervals(probability, label, None, n_resamples=4000)["accuracy"]
    by_group = bootstrap_intervals(probability[copies], label[copies], copies, n_resamples=4000)["accuracy"]
    by_image = bootstrap_intervals(probability[copies], label[copies], None, n_resamples=4000)["accuracy"]
    assert by_group.high - by_group.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert by_image.high - by_image.low < 0.45 * (by_group.high - by_group.low)


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [3, 8, 30])
def test_intervals_over_groups_hold_the_truth_about_as_often_as_they_say(n_groups):
    truth = score(*predictions(20_000, 5, 99)[:2])["accuracy"]
    intervals = [
        bootstrap_intervals(*predictions(n_groups, 30, seed), n_resamples=200, metrics=["accuracy"])["accuracy"]
        for seed in range(200)
    ]
    coverage = np.mean([one.low <= truth <= one.high for one in intervals])
    assert 0.89 <= coverage <= 0.99  # ± 3 standard errors around .945


def test_intervals_over_images_hold_the_truth_about_as_often_as_they_say():
    truth = score(*predictions(100_000, 1, 99, spread=0)[:2])["macro_f1"]
    drawn = [predictions(150, 1, seed, spread=0)[:2] for seed in range(200)]
    intervals = [bootstrap_intervals(*one, None, n_resamples=200, metrics=["macro_f1"])["macro_f1"] for one in drawn]
    assert 0.89 <= np.mean([one.low <= truth <= one.high for one in intervals]) <= 0.99


def test_the_value_lies_inside_and_bounds_are_respected():
    for seed in range(30):
        for one in bootstrap_intervals(*predictions(4, 6, seed), n_resamples=100).values():
            if one.low is not None:
                assert 0 <= one.low <= one.value <= one.high
                assert one.high <= 1 or one.value > 0.2  # log loss alone may pass 1


def test_few_groups_say_so_in_the_method_and_many_do_not():
    few = bootstrap_intervals(*predictions(8, 10, 0))["accuracy"].method
    many = bootstrap_intervals(*predictions(40, 10, 0))["accuracy"].method
    alone = bootstrap_intervals(*predictions(8, 10, 0)[:2], None)["accuracy"].method
    assert few.startswith("bootstrap over groups")
    assert "only 8 groups" in few
    assert "too narrow" in few
    assert many.startswith("bootstrap over groups")
    assert "only" not in many
    assert alone.startswith("bootstrap over images")


def test_one_group_gives_the_value_without_an_interval():
    probability, label, _ = predictions(5, 4, 0)
    one = bootstrap_intervals(probability, label, np.array(["slide 1"] * 20, dtype=object))["accuracy"]
    assert one.value == pytest.approx(score(probability, label)["accuracy"])
    assert (one.low, one.high, one.reason) == (None, None, "all images are of one group: no interval")


def test_no_mistakes_do_not_give_an_interval_of_no_width():
    probability, label = np.eye(3)[np.arange(60) % 3] * 0.97 + 0.01, np.arange(60) % 3
    by_image = bootstrap_intervals(probability, label, None)
    by_group = bootstrap_intervals(probability, label, np.arange(60) // 12)
    assert by_image["accuracy"].value == by_image["accuracy"].high == 1
    assert 0.9 < by_image["accuracy"].low < 0.99  # Jeffreys for 60 of 60 images: .959; by class a little lower
    assert by_group["accuracy"].low < by_image["accuracy"].low
    assert "Jeffreys" in by_image["macro_f1"].method
    assert by_image["macro_auroc"].low is None
    assert by_image["macro_auroc"].reason


def test_images_without_a_group_are_each_their_own():
    codes = group_codes(np.array(["a", "", None, "a", "", "b"], dtype=object))
    assert codes.tolist() == [0, 1, 2, 0, 3, 4]


def test_an_unknown_metric_is_named():
    with pytest.raises(ValueError, match=r"no such metric.*macro_f1"):
        bootstrap_intervals(*predictions(3, 3, 0), metrics=["f1"])


def test_an_interval_stays_sensible_where_some_resamples_are_perfect():
    """Three groups, one of them without a mistake: resamples of it alone must not decide the width."""
    label = np.zeros(90, dtype=int)
    predicted = np.concatenate([np.zeros(30), np.repeat([0, 1], [27, 3]), np.repeat([0, 1], [25, 5])]).astype(int)
    one = bootstrap_intervals(np.eye(2)[predicted], label, np.repeat([0, 1, 2], 30), metrics=["accuracy"])["accuracy"]
    assert 0.4 < one.low < 0.8
    assert 0.95 < one.high < 1
