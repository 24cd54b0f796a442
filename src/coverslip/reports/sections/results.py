"""Report sections on results: all metrics, limitations, external test sets, prediction sets, class proportions.

Metrics are also shown per fold and per domain if there are several.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from coverslip.evaluation.comparison import independent_difference
from coverslip.evaluation.decisions import SET_LEVEL, SetCoverage, images_needed, positive_class, set_coverage
from coverslip.evaluation.prevalence import predictive_values
from coverslip.evaluation.results import DomainScores, Evaluation, FoldScores, FoldsScores, Metric
from coverslip.evaluation.table import METRICS, row_metrics
from coverslip.messages import Message, joined, text
from coverslip.reports import metric_rows
from coverslip.reports.blocks import Block, MetricRows, Section, SectionContent, SectionText, Statement, Statements
from coverslip.reports.metric_rows import (
    Cell,
    Estimate,
    below_values,
    column_titles,
    estimate,
    reason_words,
)
from coverslip.reports.reported import (
    DECISION_IMAGES,
    ReportedRun,
    count,
    decision_images,
    interval_words,
    listed,
    number,
    percent,
    value_words,
    whole_percent,
)
from coverslip.reports.sections.classes import class_tables
from coverslip.reports.verdict import against_own_test, set_titles, shares_of_classes, verdict_of_run
from coverslip.runs.predictions import Prediction


def uncertain_words(run: ReportedRun) -> str:
    """Return the effect of the `uncertain` threshold on measured images and, after cross-validation, on new images."""
    threshold, tested = run.calibration.uncertain_below, run.tested
    if tested is None:
        return ""
    decision = np.array([row.decision for row in tested.rows], dtype=object)
    is_uncertain, is_unfamiliar = decision == "uncertain", decision == "unfamiliar"
    if threshold <= 0 and not is_uncertain.any():
        return ""
    has_folds, n_uncertain = bool(run.n_folds), int(is_uncertain.sum())
    sentences = [
        text(
            "report-uncertain-threshold",
            has_folds=has_folds,
            threshold=number(threshold, 2),
            image_set=decision_images(run.calibration.calibrated_on),
        )
    ]
    if not n_uncertain:
        sentences.append(text("report-none-uncertain"))
    else:
        is_right, is_decided = tested.predicted == tested.label, ~(is_uncertain | is_unfamiliar)
        sentences.append(
            text(
                "report-uncertain",
                n_uncertain=n_uncertain,
                n_images=len(decision),
                has_decided=bool(is_decided.any()),
                of_decided=percent(float(is_right[is_decided].mean())) if is_decided.any() else "",
                of_uncertain=percent(float(is_right[is_uncertain].mean())),
            )
        )
        if n_unfamiliar := int(is_unfamiliar.sum()):
            sentences.append(text("report-neither-decided", n_images=n_unfamiliar))
    return " ".join([*sentences, *([_by_final_classifier(run)] if has_folds else [])])


def _by_final_classifier(run: ReportedRun) -> str:
    """Return which predictions the final classifier after cross-validation labels as uncertain, in words."""
    calibration = run.calibration
    if calibration.uncertain_below <= 0:
        return text("report-final-classifier-certain")
    threshold, share = number(calibration.uncertain_below, 2), percent(calibration.uncertain_share)
    return text("report-final-classifier-uncertain", threshold=threshold, share=share)


def _blocks(run: ReportedRun) -> Iterator[Block]:
    metrics = metric_rows.metrics(run.metrics)
    yield MetricRows([metric for metric in metrics if metric.is_headline])
    yield SectionText([*_notes(run)])
    columns = column_titles("column-metric", "column-value", "column-meaning")
    further = [(metric.title, estimate(metric), metric.meaning) for metric in metrics if not metric.is_headline]
    if further:
        yield SectionText((), columns, further, columns[2:], summary=text("report-further-metrics"))
    if run.metrics.folds is not None:
        yield _folds(run.metrics.folds, row_metrics(run.metrics.primary))
    if run.metrics.by_domain:
        yield _domains(run, row_metrics(run.metrics.primary))


def tested_section(evaluation: Evaluation) -> SectionContent:
    """Return the headline metrics and those of each class of a classifier whose run is not known."""
    headline = MetricRows([metric for metric in metric_rows.metrics(evaluation) if metric.is_headline])
    return SectionContent(text("report-title-numbers"), [headline, *class_tables(evaluation)], "numbers")


def _notes(run: ReportedRun) -> Iterator[str]:
    """Yield which classifier is measured, what the strips show, missing intervals, and uncertain predictions."""
    if words := run.delivered_words:
        yield words
    metrics = [metric for metric in metric_rows.metrics(run.metrics) if metric.is_headline]
    if methods := metric_rows.interval_methods(run, has_details=False):
        yield text("report-interval-methods", interval=interval_words(run), methods=methods)
    titles_of: dict[Message, list[str]] = {}
    for metric in metrics:
        if metric.low is None and metric.reason and METRICS[metric.name].has_interval:
            titles_of.setdefault(metric.reason, []).append(metric.title)
    for reason, titles in titles_of.items():
        for_some = f" ({listed(titles)})" if len(titles_of) > 1 else ""
        yield f"{reason_words(str(reason))}{for_some}"
    if words := uncertain_words(run):
        yield words


def _folds(folds: FoldsScores, names: Sequence[str]) -> SectionText:
    """Return the rows of each fold and of their mean."""
    has_groups = any(fold.n_groups for fold in folds.per_fold)
    counts = column_titles("column-images", *(["column-groups"] if has_groups else []))

    def row(fold: FoldScores) -> list[Cell]:
        numbers = [fold.n, fold.n_groups or 0] if has_groups else [fold.n]
        return [str(fold.fold), *numbers, *(estimate(fold.metrics[name]) for name in names)]

    note = text("report-fold-metrics-note")
    if any(fold.metrics[name].low is not None for fold in folds.per_fold for name in names):
        note = f"{note} {text('report-fold-interval-note', units=counts[-1])}"
    return SectionText(
        [note],
        (text("column-fold"), *counts, *(METRICS[name].title for name in names)),
        [row(fold) for fold in folds.per_fold],
        heading=text("report-metrics-per-fold"),
        totals=[[text("report-mean"), *("" for _ in counts), *(estimate(folds.mean[name]) for name in names)]],
    )


def _domains(run: ReportedRun, names: Sequence[str]) -> SectionText:
    """Return the row of each domain, with the number of classes among its test images."""
    domains = run.metrics.by_domain
    has_groups = bool(next(iter(domains.values())).n_groups)
    counts = column_titles("column-images", *(["column-groups"] if has_groups else []), "column-classes")
    tested = () if run.tested is None else run.tested.rows
    n_classes = Counter(domain for domain, _ in {(run.domain_of.get(row.image_id, ""), row.label) for row in tested})

    def row(name: str, scores: DomainScores) -> list[Cell]:
        groups = [scores.n_groups or 0] if has_groups else []
        return [name, scores.n, *groups, n_classes[name], *(estimate(scores.metrics[metric]) for metric in names)]

    columns = (text("column-domain"), *counts, *(METRICS[name].title for name in names))
    rows, heading = [row(*each) for each in domains.items()], text("report-metrics-per-domain")
    return SectionText([text("report-domain-metrics-note")], columns, rows, heading=heading)


def _numbers_verdict(run: ReportedRun) -> str:
    """Return the primary metric with its interval, and the class with the lowest recall, as in the verdict."""
    primary = run.metrics.metrics.get(run.metrics.primary)
    if primary is None or primary.value is None:
        return ""
    reason = f"; {primary.reason}" if primary.low is None and primary.reason else ""
    value = f"{value_words(primary)}{reason}"
    first = text("verdict-metric", metric=METRICS[run.metrics.primary].title, value=value)
    rows = shares_of_classes(run.metrics, "recall")
    if not rows:
        return first
    label, recall = rows[0]
    value = number(recall.value or 0, recall.digits)
    return f"{first} {text('verdict-lowest-class', label=label, recall=value, n_images=recall.n_images)}"


NUMBERS = Section(
    name="numbers",
    title=lambda: text("report-title-numbers"),
    order=100,
    subtitle=lambda run: text("report-measured-on", image_set=run.split_words),
    verdict=_numbers_verdict,
    is_printed=True,
    blocks=_blocks,
)


LIMITS = Section(
    name="limits",
    title=lambda: text("report-title-limits"),
    order=800,
    is_about_training=True,
    blocks=lambda run: [Statements([Statement(each.claim, each.meaning) for each in verdict_of_run(run).reasons])],
)


# Sections on new images: external test sets, prediction sets, class proportions and unfamiliar images.


def _own_test_text(run: ReportedRun) -> SectionText:
    own_test_metrics = run.run.metrics.metrics if run.run.is_measured else {}
    names = [
        metric.name
        for metric in metric_rows.metrics(run.metrics)
        if metric.name in own_test_metrics and METRICS[metric.name].is_compared
    ]
    sets = set_titles()
    pairs = [(run.on_both_sets[0][name], run.on_both_sets[1][name]) for name in names]
    differences = [independent_difference(first, second, sets) for first, second in pairs]
    rows = [
        (METRICS[name].title, estimate(second), estimate(first), estimate(difference, is_signed=True))
        for name, (first, second), difference in zip(names, pairs, differences, strict=True)
    ]
    words = list(_caveats(run))
    if rows and run.classes_of_both_sets is not None:
        words.append(text("report-classes-of-both-sets", n_classes=len(run.classes_of_both_sets)))
    if any(difference.low is not None for difference in differences):
        words.append(f"{below_values(rows)} {text('report-difference-includes-zero')}")
        words.append(text("report-independent-test-sets"))
    columns = (text("column-metric"), *reversed(sets), text("column-difference")) if rows else ()
    return SectionText(words, columns, rows)


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
    if images is not None and images.n_of_other_pixel_size:
        yield text("report-other-pixel-size", n_images=images.n_of_other_pixel_size)
    if images is not None and images.other_pixels:
        yield text("report-other-pixels", differences=joined(each.difference for each in images.other_pixels))
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
    subtitle=lambda run: text("report-title-own-test.subtitle", is_delivered=bool(run.delivered_words)),
    verdict=against_own_test,
    applies=lambda run: run.evaluation is not None,
    blocks=lambda run: [_own_test_text(run)],
)


_MOST_GROUPS = 12


def _prediction_sets_text(run: ReportedRun) -> SectionText:
    rows, card = _rows_with_sets(run), run.run.card
    target, n_needed = whole_percent(SET_LEVEL), images_needed()
    if not rows and (card is None or card.set_floors is None):
        return SectionText((text("report-no-prediction-sets", target=target, n_needed=n_needed),))
    if rows:
        whole = _coverage(rows, run.classes)
        first = text(
            "report-prediction-sets",
            target=target,
            n_images=whole.n,
            coverage=percent(whole.n_covered / whole.n),
            mean_size=number(whole.mean_size, 2),
            n_single=whole.n_single,
        )
    else:
        has_folds = bool(run.n_folds)
        first = text("report-sets-of-final-classifier", has_folds=has_folds, target=target, n_needed=n_needed)
    words = [first]
    if rows and 2 * (whole.mean_size - 1) > len(run.classes) - 1:  # fewer than half of the other classes are excluded
        words.append(text("report-large-sets", mean_size=number(whole.mean_size, 1), n_classes=len(run.classes)))
    if run.run.training is not None:
        words.append(
            text(
                "report-coverage-guarantee",
                has_folds=bool(run.n_folds),  # then the table is about the networks of the folds
                calibrated_on=DECISION_IMAGES[run.run.training.calibration.calibrated_on],
                lowest=whole_percent(2 * SET_LEVEL - 1),
            )
        )
    if always := _in_every_set(run):
        words.append(text("report-in-every-set", n_needed=n_needed, labels=", ".join(always)))
    if not rows:
        return SectionText(words)
    if run.n_groups:
        words.append(text("report-coverage-of-groups"))
    if run.n_folds:
        words.append(text("report-coverage-of-folds"))
    columns = column_titles(
        "column-class-or-group", "column-images", "column-true-class-in-set", "column-mean-set-size"
    )
    return SectionText(words, columns, list(_lines(run, rows)))


def _rows_with_sets(run: ReportedRun) -> Sequence[Prediction]:
    return [row for row in run.tested.rows if row.prediction_set is not None] if run.tested is not None else []


def _in_every_set(run: ReportedRun) -> list[str]:
    """Return classes with too few images to be excluded from a prediction set."""
    card = run.run.card
    if card is None or card.set_floors is None:
        return []
    return [name for name, floor in zip(card.classes, card.set_floors, strict=True) if floor == 0]


def _lines(run: ReportedRun, rows: Sequence[Prediction]) -> Iterator[tuple[str, ...]]:
    for name in run.classes:
        yield _line(name, _coverage([row for row in rows if row.label == name], run.classes))
    group_of = {row.image_id: row.group for row in run.run.split} if run.evaluation is None else {}
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


def _scored(run: ReportedRun) -> list[Prediction]:
    return [row for row in run.tested.rows if row.ood_score is not None] if run.tested is not None else []


def _unfamiliar_text(run: ReportedRun) -> SectionText:
    scored = _scored(run)
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
    rows = [(row.image_id, row.predicted or "", number(row.ood_score, 2)) for row in unfamiliar[:_MOST_SHOWN]]
    columns = column_titles("column-image", "column-predicted-class", "column-ood-score")
    return SectionText(words, columns if rows else (), rows, columns[1:2])


def _by_group(run: ReportedRun, scored_ids: set[str], unfamiliar_ids: set[str]) -> str:
    """Return which groups have many unfamiliar images; empty without groups, as for an external test set."""
    rows = run.used if run.evaluation is None else ()
    group_of = {row.image_id: row.group for row in rows if row.group}
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
        share=whole_percent(_MANY),
        groups=", ".join(group_texts),
        is_cut=len(many) > _MOST_UNFAMILIAR_GROUPS,
    )


UNFAMILIAR = Section(
    name="unfamiliar",
    title=lambda: text("report-title-unfamiliar"),
    order=355,
    applies=lambda run: bool(_scored(run)),
    blocks=lambda run: [_unfamiliar_text(run)],
)
