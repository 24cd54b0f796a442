"""Intervals hold the truth about as often as they say, and move groups as a whole."""

import numpy as np
import pytest
from scipy import special
from scipy.stats import beta, binom

from coverslip.evaluation.comparison import Answers, paired_differences
from coverslip.evaluation.intervals import RANGES, exact_ends, group_codes, influence_on_mean
from coverslip.evaluation.metrics import auroc, average_precision
from coverslip.evaluation.results import Metric
from coverslip.evaluation.summary import evaluate_predictions, per_class
from coverslip.evaluation.table import METRICS, metric_intervals, score
from coverslip.messages import message, text
from coverslip.reports.metric_rows import estimate
from coverslip.reports.reported import percent, range_after


def predictions(n_groups: int, n_images: int, seed: int, *, spread: float = 1.0):
    """Groups of unequal difficulty, mean accuracy near 0.85."""
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), n_images)
    label = generator.integers(0, 3, len(group))
    chance = 1 / (1 + np.exp(-generator.normal(2, spread, n_groups)[group]))
    predicted = np.where(generator.random(len(group)) < chance, label, (label + 1) % 3)
    probability = np.eye(3)[predicted] * 0.6 + generator.dirichlet([4, 4, 4], len(group)) * 0.4
    return probability, label, group


def test_images_of_a_group_move_together():
    """Ten copies of every image add no information: with groups, the interval is that of the originals."""
    probability, label, _ = predictions(40, 1, 4, spread=4.0)
    copies = np.repeat(np.arange(40), 10)
    alone = metric_intervals(probability, label, None)["accuracy"]
    by_group = metric_intervals(probability[copies], label[copies], copies)["accuracy"]
    by_image = metric_intervals(probability[copies], label[copies], None)["accuracy"]
    assert by_group.high - by_group.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert by_image.high - by_image.low < 0.45 * (by_group.high - by_group.low)


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [5, 8, 30])
@pytest.mark.exhaustive
def test_intervals_over_groups_hold_the_truth_about_as_often_as_they_say(n_groups):
    truth = score(*predictions(20_000, 5, 99)[:2])["accuracy"]
    intervals = [
        metric_intervals(*predictions(n_groups, 30, seed), metrics=["accuracy"])["accuracy"] for seed in range(200)
    ]
    coverage = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert coverage >= 0.9  # .95, less 3 standard errors


@pytest.mark.slow
def test_intervals_over_images_hold_the_truth_about_as_often_as_they_say():
    truth = score(*predictions(100_000, 1, 99, spread=0)[:2])["macro_f1"]
    drawn = [predictions(150, 1, seed, spread=0)[:2] for seed in range(200)]
    intervals = [metric_intervals(*sample, None, metrics=["macro_f1"])["macro_f1"] for sample in drawn]
    assert 0.89 <= np.mean([sample.low <= truth <= sample.high for sample in intervals]) <= 0.99


def test_the_value_lies_inside_and_bounds_are_respected():
    for seed in range(30):
        for name, interval in metric_intervals(*predictions(6, 6, seed)).items():
            if interval.low is not None:
                bottom, top = RANGES[METRICS[name].scale]
                assert bottom <= interval.low <= interval.value <= interval.high <= top, name


def test_few_groups_say_so_in_the_method_and_many_do_not():
    few = metric_intervals(*predictions(8, 10, 0))["accuracy"].method
    many = metric_intervals(*predictions(40, 10, 0))["accuracy"].method
    alone = metric_intervals(*predictions(8, 10, 0)[:2], None)["accuracy"].method
    assert "over groups" in few
    assert "only 8 groups" in few
    assert "over groups" in many
    assert "only" not in many
    assert "over images" in alone


@pytest.mark.parametrize("n_groups", [1, 3, 4])
def test_fewer_than_five_groups_give_counts_without_an_interval(n_groups):
    probability, label, group = predictions(n_groups, 20, 0)
    accuracy = metric_intervals(probability, label, group)["accuracy"]
    assert accuracy.value == pytest.approx(score(probability, label)["accuracy"])
    assert (accuracy.low, accuracy.high) == (None, None)
    assert accuracy.reason == message("interval-needs-groups", n_groups=n_groups, n_needed=5)
    n_correct = int((probability.argmax(axis=1) == label).sum())
    assert (accuracy.n_correct, accuracy.n_images, accuracy.n_groups) == (n_correct, len(label), n_groups)


def test_a_class_in_few_groups_has_no_interval_though_others_have():
    """Ten groups, three of which have the second class: what rests on its images has no interval."""
    label, group = np.repeat([0, 1], [70, 30]), np.r_[np.arange(70) % 10, np.arange(30) % 3]
    predicted = np.where(np.arange(100) % 7 == 0, 1 - label, label)
    probability = np.eye(2)[predicted] * 0.8 + 0.1
    first, second = per_class(probability, label, group=group)
    assert second.metrics["recall"].low is None
    assert (second.metrics["recall"].n_images, second.metrics["recall"].n_groups) == (30, 3)
    assert second.metrics["auroc"].low is None  # images of the class are of three groups
    assert first.metrics["recall"].low is not None
    assert metric_intervals(probability, label, group)["accuracy"].low is not None


@pytest.mark.parametrize("sizes", [[3] * 18 + [6], [30, *[2] * 17]])
def test_without_an_error_the_interval_is_the_exact_one_over_groups(sizes):
    """By SciPy's beta distribution, as statsmodels' `proportion_confint(n, n, method="beta")` gives it."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    label = np.zeros(len(group), dtype=int)
    metrics = metric_intervals(np.eye(2)[label], label, group, metrics=["accuracy", "macro_f1"])
    recall = per_class(np.eye(2)[label], label, group=group)[0].metrics["recall"]
    for metric in (*metrics.values(), recall):
        assert (metric.low, metric.high) == pytest.approx((beta.ppf(0.025, len(sizes), 1), 1.0))


def test_fewer_than_twenty_groups_allow_for_one_more_that_fails():
    """One of 50 images is wrong in each group, so nothing shows that groups could differ."""
    for n_groups in (8, 19, 20):
        label = np.tile(np.arange(50) % 2, n_groups)
        predicted = np.where(np.arange(len(label)) % 50 == 7, 1 - label, label)
        group = np.repeat(np.arange(n_groups), 50)
        intervals = metric_intervals(np.eye(2)[predicted], label, group, metrics=["accuracy", "kappa"])
        with_failing_group = [0.98 * n_groups / (n_groups + 1), 0.96 * n_groups / (n_groups + 1)]
        lows = [intervals[name].low for name in ("accuracy", "kappa")]
        if n_groups < 20:
            assert lows == pytest.approx(with_failing_group)
        else:
            assert lows > with_failing_group
        alone = metric_intervals(np.eye(2)[predicted], label, None, metrics=["accuracy"])["accuracy"]
        assert alone.low > with_failing_group[0]


def test_eight_groups_hold_the_truth_where_one_group_in_ten_fails():
    generator = np.random.default_rng(0)
    truth, coverage = 0.9 * 0.99, []
    for _ in range(100):
        group = np.repeat(np.arange(8), 40)
        label = generator.integers(0, 2, len(group))
        is_wrong = (generator.random(8) < 0.1)[group] | (generator.random(len(group)) < 0.01)
        predicted = np.where(is_wrong, 1 - label, label)
        interval = metric_intervals(np.eye(2)[predicted], label, group, metrics=["accuracy"])["accuracy"]
        coverage.append(interval.low <= truth <= interval.high)
    assert np.mean(coverage) >= 0.95


def test_average_precision_near_one_has_no_lower_end_far_below_a_bootstraps():
    """An unseen image is not taken to rank above all others: the lower end was .74 where a bootstrap gives .99."""
    generator = np.random.default_rng(1)
    group, label = np.arange(400) * 20 // 400, generator.integers(0, 2, 400)
    logit = generator.normal(size=400) + (label * 2 - 1) * 2.2 + 0.5 * generator.normal(size=20)[group]
    probability = 1 / (1 + np.exp(-logit))
    of_class = per_class(np.c_[1 - probability, probability], label, group=group)[1].metrics["average_precision"]
    drawn = [np.concatenate([np.flatnonzero(group == k) for k in generator.integers(0, 20, 20)]) for _ in range(200)]
    low = np.quantile([average_precision(probability[rows], label[rows] == 1).value for rows in drawn], 0.025)
    assert low - 0.035 < of_class.low <= low


def test_no_errors_do_not_give_an_interval_of_no_width():
    probability, label = np.eye(3)[np.arange(60) % 3] * 0.97 + 0.01, np.arange(60) % 3
    by_image = metric_intervals(probability, label, None)
    by_group = metric_intervals(probability, label, np.arange(60) // 12)
    assert by_image["accuracy"].value == by_image["accuracy"].high == 1
    assert 0.9 < by_image["accuracy"].low < 0.99  # for 60 of 60 images: .940
    assert by_group["accuracy"].low < by_image["accuracy"].low
    assert by_image["macro_auroc"].low < by_image["macro_auroc"].high == 1
    assert 0.9 < by_image["macro_f1"].low < 0.99


def test_images_without_a_group_are_each_their_own():
    codes = group_codes(np.array(["a", "", None, "a", "", "b"], dtype=object))
    assert codes.tolist() == [0, 1, 2, 0, 3, 4]


def test_an_unknown_metric_is_named():
    with pytest.raises(ValueError, match=r"no such metric.*macro_f1"):
        metric_intervals(*predictions(3, 3, 0), metrics=["f1"])


def test_an_interval_stays_sensible_where_a_group_is_perfect():
    """Five groups, one of them without a mistake."""
    label, wrong = np.zeros(150, dtype=int), (0, 3, 5, 2, 4)
    predicted = np.concatenate([np.repeat([0, 1], [30 - n, n]) for n in wrong])
    metric = metric_intervals(np.eye(2)[predicted], label, np.repeat(np.arange(5), 30), metrics=["accuracy"])[
        "accuracy"
    ]
    assert 0.7 < metric.low < 0.9
    assert 0.92 < metric.high < 1


def test_without_groups_a_share_has_the_exact_binomial_interval():
    """By SciPy's beta distribution, as statsmodels' `proportion_confint(right, n, method="beta")` gives it."""
    label = np.repeat([0, 1], [30, 70])
    predicted = np.where(np.arange(100) % 10 == 0, 1 - label, label)
    recall = per_class(np.eye(2)[predicted], label)[0].metrics["recall"]
    assert (recall.low, recall.high) == pytest.approx(beta.ppf([0.025, 0.975], [27, 28], [4, 3]), abs=1e-9)
    accuracy = metric_intervals(np.eye(2)[predicted], label, None, metrics=["accuracy"])["accuracy"]
    assert (accuracy.low, accuracy.high) == pytest.approx(beta.ppf([0.025, 0.975], [90, 91], [11, 10]), abs=1e-9)


def test_the_interval_of_few_images_holds_the_true_share_and_neither_end_fails_more_often_than_it_says():
    share = np.linspace(0.001, 0.999, 999)
    for n in range(3, 21):
        ends = np.array([exact_ends(k / n, n) for k in range(n + 1)])[:, :, None]
        probability = binom.pmf(np.arange(n + 1)[:, None], n, share)
        is_above, is_below = ends[:, 0] > share, ends[:, 1] < share
        assert max((probability * is_wrong).sum(axis=0).max() for is_wrong in (is_above, is_below)) <= 0.025


@pytest.mark.parametrize("n", [4, 8, 30])
def test_f1_is_not_more_certain_than_recall_and_precision(n):
    """A recall or a precision at the end of its interval, with the other as measured, is within that of F1."""
    label = np.repeat([0, 1], [n, 4 * n])
    scores = per_class(np.eye(2)[label], label)[0].metrics
    assert scores["f1"].value == 1
    for name in ("recall", "precision"):
        low = scores[name].low
        assert scores["f1"].low <= 2 * low / (1 + low)


def test_a_sentence_replaces_an_interval_of_most_values():
    few = estimate(Metric(value=1.0, low=0.14, high=1.0, n_images=4))
    assert (few.interval, few.below) == ("", text("interval-of-few-images", n=4, has_few_groups=False))
    assert (few.low, few.high) == (0.14, 1.0)
    for groups, n in ((None, 0), (6, 6)):
        metric = Metric(value=0.75, low=0.01, high=1.0, n_images=groups and 200, n_groups=groups)
        words = text("interval-of-few-images", n=n, has_few_groups=bool(groups))
        assert range_after(metric, percent) == f" ({words})"
    assert estimate(Metric(value=1.0, low=0.3, high=1.0, n_images=4)).interval
    assert estimate(Metric(value=0.1, low=-0.3, high=0.6), is_signed=True).interval


def test_the_standard_error_of_auroc_is_delongs():
    """Of 4 images of the class and 3 others: placements 1, 1, 2/3, 1/3 and 1, 1/2, 3/4."""
    ranked = auroc(np.array([0.9, 0.8, 0.55, 0.3, 0.1, 0.6, 0.4]), np.arange(7) < 4)
    placements, others = np.array([1, 1, 2 / 3, 1 / 3]), np.array([1, 0.5, 0.75])
    assert ranked.value == pytest.approx(0.75)
    expected = ((placements - 0.75) ** 2).sum() / 16 + ((others - 0.75) ** 2).sum() / 9
    assert (ranked.of_image**2).sum() == pytest.approx(expected)


def test_a_few_large_groups_count_less_than_many_equal_ones():
    """Ten groups, every second one without a mistake; in the other set one group has half of the images."""
    label, widths = np.zeros(180, int), []
    for group in (np.repeat(np.arange(10), 18), np.repeat(np.arange(10), [90] + [10] * 9)):
        wrong = (np.arange(180) % 5 < 2) & (group % 2 == 0)
        accuracy = metric_intervals(np.eye(2)[wrong.astype(int)], label, group, metrics=["accuracy"])["accuracy"]
        widths.append(accuracy.high - accuracy.low)
    assert widths[1] > 1.5 * widths[0]


def test_a_class_with_few_images_that_are_all_right_is_not_certain():
    label = np.repeat([0, 1], [196, 4])
    predicted = np.where(np.arange(200) < 10, 1 - label, label)
    balanced = metric_intervals(np.eye(2)[predicted], label, None, metrics=["balanced_accuracy"])["balanced_accuracy"]
    assert balanced.low < 0.85  # a bootstrap: .95


@pytest.mark.slow
def test_the_error_of_a_mean_over_groups_is_statsmodels_cluster_robust_one():
    import statsmodels.api as sm  # here, since it takes two seconds

    generator = np.random.default_rng(0)
    group = generator.integers(0, 12, 200)
    value = generator.normal(size=200) + generator.normal(size=12)[group]
    influence = influence_on_mean(value, np.zeros(200, dtype=int), 1)
    sums = np.bincount(group, weights=influence.of_image)
    options = {"groups": group, "use_correction": False}
    fitted = sm.OLS(value, np.ones(200)).fit(cov_type="cluster", cov_kwds=options)
    assert np.sqrt((sums**2).sum()) == pytest.approx(fitted.bse[0])


def test_a_classifier_is_better_or_worse_than_the_majority_class_or_not_significantly_different():
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 100)
    for skill, expected in ((0.0, "not significant"), (3.0, "better"), (-3.0, "worse")):
        logits = generator.normal(size=(100, 2))
        logits[np.arange(100), label] += skill
        probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        evaluation = evaluate_predictions(probability, label, ["a", "b"], split="test", primary="macro_f1")
        assert evaluation.against_majority_class == expected


def test_the_precision_of_a_class_does_not_depend_on_how_groups_of_single_classes_are_drawn():
    """Errors are spread evenly over the groups, so that groups tell no more than their images."""
    label = np.repeat([0, 1], 100)
    predicted = np.where(np.arange(200) % 10 < 3, 1 - label, label)
    group = np.arange(200) // 10  # of one class each
    with_groups, alone = (
        per_class(np.eye(2)[predicted], label, group=each)[0].metrics["precision"] for each in (group, None)
    )
    assert with_groups.width == pytest.approx(alone.width, rel=0.15)


def test_class_proportions_of_groups_do_not_matter_for_a_classifier_that_recognizes_both_classes():
    label = np.repeat([0, 1, 0, 1, 1, 0, 1, 1, 0, 1], 20)  # each group is of one class
    predicted = np.where(np.arange(200) % 10 == 0, 1 - label, label)  # one in ten is wrong, in every group
    group = np.repeat([f"slide {k}" for k in range(10)], 20)
    probability, majority = np.eye(2)[predicted], np.ones(200, dtype=int)
    evaluation = evaluate_predictions(probability, label, ["a", "b"], split="test", primary="macro_f1", group=group)
    of_majority = Answers(np.eye(2)[majority], majority)
    paired = paired_differences(of_majority, Answers(probability, predicted), label, group, metrics=["accuracy"])
    assert paired["accuracy"].low > 0.2
    over = evaluation.over_majority_class
    assert over is not None
    assert over.value == pytest.approx(0.9 - 0.6)
    assert evaluation.against_majority_class == "better"


def test_the_difference_from_the_majority_class_has_the_variance_of_recalls_at_these_proportions():
    label = np.repeat([0, 1], [300, 100])
    predicted = np.concatenate([np.repeat([0, 1], [270, 30]), np.repeat([1, 0], [40, 60])])
    evaluation = evaluate_predictions(np.eye(2)[predicted], label, ["a", "b"], split="test", primary="macro_f1")
    over = evaluation.over_majority_class
    assert over is not None
    assert over.value == pytest.approx(310 / 400 - 0.75)
    variance = 0.75**2 * 0.9 * 0.1 / 300 + 0.25**2 * 0.4 * 0.6 / 100
    assert over.high - over.low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.03)
    always = evaluate_predictions(np.eye(2)[0 * label], label, ["a", "b"], split="test", primary="macro_f1")
    assert always.against_majority_class == "not significant"
    reverse = evaluate_predictions(np.eye(2)[1 - 0 * label], label, ["a", "b"], split="test", primary="macro_f1")
    assert reverse.against_majority_class == "worse"


@pytest.mark.parametrize(("n", "n_groups"), [(100, None), (400, None), (160, 8)])
@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_the_interval_of_a_loss_holds_it_if_few_samples_contain_an_error(
    name: str, n: int, n_groups: int | None
) -> None:
    """Known answer: one of 500 predictions is wrong, and most samples have no error."""
    rng = np.random.default_rng(0)

    def sample(n: int) -> tuple[np.ndarray, np.ndarray]:
        certainty = special.expit(rng.normal(9, 2, n))
        probability = np.stack([certainty, 0.8 * (1 - certainty), 0.2 * (1 - certainty)], axis=1)
        return probability, np.where(rng.random(n) < certainty, 0, 1)

    large = sample(400_000)
    truth = METRICS[name].value(*large, large[0].argmax(axis=1))
    group = None if n_groups is None else np.arange(n) % n_groups
    is_covered = []
    for _ in range(150):
        metric = metric_intervals(*sample(n), group, metrics=[name])[name]
        is_covered.append(metric.low <= truth <= metric.high)
    assert np.mean(is_covered) > 0.93
