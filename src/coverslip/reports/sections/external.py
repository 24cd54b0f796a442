"""Report sections on new images: external test sets, prediction sets, class proportions and unfamiliar images."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from coverslip.evaluation import METRICS, Metric, independent_difference, positive_class, predictive_values
from coverslip.evaluation.decisions import LEVEL, SetCoverage, images_needed, set_coverage
from coverslip.messages import text
from coverslip.reports import content
from coverslip.reports.blocks import Section, SectionText
from coverslip.reports.reported import ReportedRun
from coverslip.reports.tables import Cell, Estimate, below_values, column_titles, estimate
from coverslip.reports.words import DECISION_IMAGES, count, number, percent
from coverslip.runs import Prediction


def _set_titles() -> tuple[str, str]:
    """Return the titles of both sets whose metrics are compared."""
    return text("column-own-test-set"), text("column-external-test-set")


def _own_test_text(run: ReportedRun) -> SectionText:
    own_test_metrics = run.run.metrics.metrics if run.run.is_measured else {}
    names = [
        metric.name
        for metric in content.metrics(run)
        if metric.name in own_test_metrics and METRICS[metric.name].is_compared
    ]
    sets = _set_titles()
    differences = [independent_difference(own_test_metrics[name], run.metrics[name], sets) for name in names]
    rows = [
        (
            METRICS[name].title,
            estimate(run.metrics[name]),
            estimate(own_test_metrics[name]),
            estimate(difference, is_signed=True),
        )
        for name, difference in zip(names, differences, strict=True)
    ]
    words = list(_caveats(run))
    if any(difference.low is not None for difference in differences):
        words.append(f"{below_values(rows)} {text('report-difference-includes-zero')}")
    columns = (text("column-metric"), *reversed(sets), text("column-difference")) if rows else ()
    return SectionText(words, columns, rows)


def against_own_test(run: ReportedRun) -> str:
    """Return how the primary metric differs from that on the run's test set; empty if both cannot be compared."""
    own_test_metrics = run.run.metrics.metrics if run.run.is_measured else {}
    name = run.metrics.primary
    if name not in own_test_metrics:
        return ""
    difference = independent_difference(own_test_metrics[name], run.metrics[name], _set_titles())
    if difference.value is None or difference.low is None or difference.high is None:
        return ""
    is_worse = (difference.value < 0) == (METRICS[name].better == "higher")
    is_same = difference.low <= 0 <= difference.high
    return text(
        "report-against-own-test",
        metric=METRICS[name].title,
        difference=str(estimate(difference, is_signed=True)),
        result="same" if is_same else "worse" if is_worse else "better",
    )


def _caveats(run: ReportedRun) -> Iterator[str]:
    """Yield caveats about the images of both sets that limit the comparison of their metrics."""
    of_own_test = ReportedRun(run.run)
    if of_own_test.run.is_measured and of_own_test.rule == "threshold set by hand":
        yield text("report-threshold-by-hand")
    if n := len(of_own_test.labels_before):
        yield text("report-own-test-relabeled", n_images=n)
    n_images = len(run.measured.predictions)
    n_labeled = sum(row.label is not None for row in run.measured.predictions)
    if n_labeled < n_images:
        yield text("report-partly-labeled", n_labeled=n_labeled, n_images=n_images)
    images = run.measured.evaluated_images
    if images is not None and images.is_of_unfinished_training:
        yield text("report-unfinished-training")
    if images is not None and images.is_rescaled:
        yield text("report-rescaled")
    if images is None or not run.initialization_is_known:
        yield text("report-unknown-training-images")
    if images is not None and images.n_used_in_training:
        yield text("report-used-in-training", n_images=images.n_used_in_training)
    if images is not None and images.n_of_seen_groups:
        yield text("report-groups-of-training", n_images=images.n_of_seen_groups)
    if run.metrics.n_groups is None:
        yield text("report-evaluation-without-groups")


OWN_TEST = Section(
    name="own-test",
    title=lambda: text("report-title-own-test"),
    order=50,
    is_printed=True,
    subtitle=lambda run: text("report-title-own-test.subtitle"),
    verdict=against_own_test,
    applies=lambda run: run.evaluation is not None,
    blocks=lambda run: [_own_test_text(run)],
)


_MOST_GROUPS = 12


def _prediction_sets_text(run: ReportedRun) -> SectionText:
    rows = _rows_with_sets(run)
    if not rows:
        return SectionText((text("report-no-prediction-sets", target=f"{LEVEL:.0%}", n_needed=images_needed()),))
    whole = _coverage(rows, run.classes)
    words = [
        text(
            "report-prediction-sets",
            target=f"{LEVEL:.0%}",
            n_images=whole.n,
            coverage=percent(whole.n_covered / whole.n),
            mean_size=f"{whole.mean_size:.2f}",
            n_single=whole.n_single,
        )
    ]
    if run.run.training is not None:
        words.append(
            text(
                "report-coverage-guarantee",
                has_folds=bool(run.n_folds),  # then the table is about the networks of the folds
                calibrated_on=DECISION_IMAGES[run.run.training.calibration.calibrated_on],
                is_instant=run.run.training.chosen == "instant",
                lowest=f"{2 * LEVEL - 1:.0%}",
            )
        )
    if always := _in_every_set(run):
        words.append(text("report-in-every-set", n_needed=images_needed(), labels=", ".join(always)))
    if run.n_groups:
        words.append(text("report-coverage-of-groups"))
    if run.n_folds:
        words.append(text("report-coverage-of-folds"))
    columns = column_titles(
        "column-class-or-group", "column-images", "column-true-class-in-set", "column-mean-set-size"
    )
    return SectionText(words, columns, list(_lines(run, rows)))


def _rows_with_sets(run: ReportedRun) -> Sequence[Prediction]:
    return [
        row
        for row in run.measured.predictions.measured().rows
        if row.prediction_set is not None and row.label is not None
    ]


def _in_every_set(run: ReportedRun) -> list[str]:
    """Return classes with too few images to be excluded from a prediction set."""
    card = run.run.card
    if card is None or card.set_floors is None:
        return []
    return [name for name, floor in zip(card.classes, card.set_floors, strict=True) if floor == 0]


def _lines(run: ReportedRun, rows: Sequence[Prediction]) -> Iterator[tuple[str, ...]]:
    for name in run.classes:
        yield _line(name, _coverage([row for row in rows if row.label == name], run.classes))
    group_of = {row.image_id: row.named_group for row in run.run.split} if run.evaluation is None else {}
    by_group: dict[str, list[Prediction]] = defaultdict(list)
    for row in rows:
        if group := group_of.get(row.image_id):
            by_group[group].append(row)
    of_groups = {name: _coverage(group_rows, run.classes) for name, group_rows in by_group.items()}
    worst = sorted(of_groups, key=lambda name: of_groups[name].n_covered / of_groups[name].n)
    for name in worst[:_MOST_GROUPS]:
        yield _line(text("report-group-name", name=name), of_groups[name])


def _line(name: str, coverage: SetCoverage) -> tuple[str, ...]:
    if not coverage.n:
        return (name, "0", "–", "–")
    return (name, count(coverage.n), percent(coverage.n_covered / coverage.n), number(coverage.mean_size, 2))


def _coverage(rows: Sequence[Prediction], classes: Sequence[str]) -> SetCoverage:
    is_in_set = np.array([[name in (row.prediction_set or ()) for name in classes] for row in rows], dtype=bool)
    label = np.array([classes.index(row.label or "") for row in rows], dtype=np.int64)
    return set_coverage(is_in_set.reshape(len(rows), len(classes)), label)


PREDICTION_SETS = Section(
    name="prediction_sets",
    title=lambda: text("report-title-prediction-sets"),
    order=650,
    applies=lambda run: run.metrics.n > 0,
    blocks=lambda run: [_prediction_sets_text(run)],
)


_PREVALENCES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)
_SAME_SHOWN = 0.0005  # shares closer than this are formatted alike


def _prevalence_text(run: ReportedRun) -> SectionText:
    name = positive_class(run.classes, run.recipe.positive_class) or ""
    scores = run.metrics.per_class[name].metrics
    sensitivity, specificity = scores["recall"], scores["specificity"]
    test_share = run.metrics.per_class[name].n / max(run.metrics.n, 1)
    has_ranges = sensitivity.low is not None and specificity.low is not None
    words = (
        text("report-predictive-values", share=percent(test_share), label=name),
        text("report-ppv-and-npv", label=name),
        *([text("report-predictive-ranges")] if has_ranges else []),
    )
    rows: list[list[Cell]] = [
        [percent(share), *(_predictive_value(sensitivity, specificity, share, which) for which in ("ppv", "npv"))]
        for share in sorted(
            {test_share, *(prevalence for prevalence in _PREVALENCES if abs(prevalence - test_share) >= _SAME_SHOWN)}
        )
        if 0 < share < 1
    ]
    columns = (text("column-proportion", label=name), *column_titles("column-ppv", "column-npv"))
    return SectionText(words, columns, rows)


def _predictive_value(sensitivity: Metric, specificity: Metric, share: float, which: str) -> Estimate:
    """Return the predictive value, with an interval from the ends of both intervals."""

    def at(sensitive: float | None, specific: float | None) -> float | None:
        if sensitive is None or specific is None:
            return None
        value: float | None = getattr(predictive_values(sensitive, specific, share), which)
        return value

    low, high = at(sensitivity.low, specificity.low), at(sensitivity.high, specificity.high)
    return estimate(Metric(value=at(sensitivity.value, specificity.value), low=low, high=high))


PREVALENCE = Section(
    name="prevalence",
    title=lambda: text("report-title-prevalence"),
    order=350,
    applies=lambda run: len(run.classes) == 2 and run.metrics.n > 0,
    blocks=lambda run: [_prevalence_text(run)],
)


_MOST_SHOWN = 12
_FEWEST, _MANY = 2, 0.1  # minimum unfamiliar images of a group, and their share: a single image is no evidence
_MOST_UNFAMILIAR_GROUPS = 5  # listed by name


def _unfamiliar_text(run: ReportedRun) -> SectionText:
    scored = [row for row in run.measured.predictions if row.ood_score is not None]
    unfamiliar = sorted(
        (row for row in scored if row.decision == "unfamiliar"), key=lambda row: row.ood_score or 0, reverse=True
    )
    detector = run.run.card.ood if run.run.card is not None else None
    words = [text("report-unfamiliar", n_unfamiliar=len(unfamiliar), n_images=len(scored))]
    if detector is not None:
        has_folds = bool(run.n_folds)
        if has_folds:
            words.append(text("report-ood-folds"))
        words.append(
            text(
                "report-ood-threshold",
                has_folds=has_folds,
                n_images=detector.n,
                n_beyond=detector.n_beyond,
                set_on=DECISION_IMAGES[detector.calibrated_on],
            )
        )
    words.append(text("report-ood-benchmarks"))
    if by_group := _by_group(run, {row.image_id for row in scored}, {row.image_id for row in unfamiliar}):
        words.insert(1, by_group)
    rows = [(row.image_id, row.predicted or "", f"{row.ood_score:.2f}") for row in unfamiliar[:_MOST_SHOWN]]
    columns = column_titles("column-image", "column-predicted-class", "column-ood-score")
    return SectionText(words, columns if rows else (), rows, columns[1:2])


def _by_group(run: ReportedRun, scored_ids: set[str], unfamiliar_ids: set[str]) -> str:
    """Return which groups have many unfamiliar images; empty without groups, as for an external test set."""
    rows = run.used if run.evaluation is None else ()
    group_of = {row.image_id: row.named_group for row in rows if row.named_group}
    n_of = Counter(group_of[image_id] for image_id in scored_ids if image_id in group_of)
    n_unfamiliar_of = Counter(group_of[image_id] for image_id in unfamiliar_ids if image_id in group_of)
    if not n_of:
        return ""
    many = sorted(
        (name for name, n in n_unfamiliar_of.items() if n >= _FEWEST and n > _MANY * n_of[name]),
        key=lambda name: (-n_unfamiliar_of[name] / n_of[name], name),
    )
    group_texts = [
        text("report-unfamiliar-group", name=name, n_unfamiliar=n_unfamiliar_of[name], n_images=n_of[name])
        for name in many[:_MOST_UNFAMILIAR_GROUPS]
    ]
    return text(
        "report-unfamiliar-groups",
        n_many=len(many),
        n_groups=len(n_of),
        n_fewest=_FEWEST,
        share=f"{_MANY:.0%}",
        groups=", ".join(group_texts),
        is_cut=len(many) > _MOST_UNFAMILIAR_GROUPS,
    )


UNFAMILIAR = Section(
    name="unfamiliar",
    title=lambda: text("report-title-unfamiliar"),
    order=355,
    applies=lambda run: any(row.ood_score is not None for row in run.measured.predictions),
    blocks=lambda run: [_unfamiliar_text(run)],
)
