"""Report sections by class: confusion matrix, metrics of each class, and the threshold of two classes."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from coverslip.evaluation.decisions import OperatingPoint
from coverslip.evaluation.metrics import confused_classes, confused_pairs
from coverslip.evaluation.results import ClassScores, Evaluation, Metric, SubgroupScores
from coverslip.evaluation.table import CLASS_METRICS, METRICS
from coverslip.messages import localized_number, text
from coverslip.reports import figures
from coverslip.reports.blocks import Drawing, Section, SectionText
from coverslip.reports.figures import FigureData
from coverslip.reports.metric_rows import Cell, Estimate, below_values, column_titles, estimate
from coverslip.reports.reported import (
    MANY_CLASSES,
    N_HARDEST,
    ReportedRun,
    count,
    decision_images,
    is_numbered,
    listed,
    percent,
    value_words,
    with_interval,
)
from coverslip.reports.verdict import shares_of_classes

_MOST_IN_FULL = 30  # maximum number of classes whose names and counts fit into one matrix


def _is_in_full(run: ReportedRun) -> bool:
    return len(run.classes) <= _MOST_IN_FULL


def _confusion_text(run: ReportedRun) -> SectionText:
    if _is_in_full(run):
        return SectionText(drawings=_drawings(run))
    rows = [
        (run.classes[pair.true], run.classes[pair.predicted], count(pair.n), percent(pair.share))
        for pair in confused_pairs(np.array(run.metrics.confusion_matrix), N_HARDEST)
    ]
    columns = column_titles("column-true-class", "column-predicted-as", "column-images", "column-share-of-class")
    return SectionText((), columns, rows, columns[1:2], drawings=_drawings(run))


def _drawings(run: ReportedRun) -> list[Drawing]:
    matrix = np.array(run.metrics.confusion_matrix)
    is_in_full = _is_in_full(run)
    title = text(
        "report-confusion-matrix", n_classes=len(run.classes), has_numbers=is_in_full and is_numbered(run.classes)
    )

    def numbers() -> FigureData:
        return figures.confusion_data(matrix, run.classes)

    if is_in_full:
        return [Drawing("confusion_matrix", title, lambda: figures.confusion(matrix, run.classes), numbers)]
    most = confused_classes(matrix, N_HARDEST)
    part, names, n_images = matrix[np.ix_(most, most)], [run.classes[k] for k in most], matrix.sum(axis=1)[most]
    class_numbers = [k + 1 for k in most]
    return [
        Drawing(
            "most_confused",
            text("report-most-confused-classes", n_classes=N_HARDEST),
            lambda: figures.confusion(part, names, numbers=class_numbers, n_images=n_images),
            lambda: figures.confusion_data(part, names),
        ),
        Drawing("confusion_matrix", title, lambda: figures.whole_confusion(matrix), numbers),
    ]


def _confusion_verdict(run: ReportedRun) -> str:
    for pair in confused_pairs(np.array(run.metrics.confusion_matrix), 1):
        label, predicted = run.classes[pair.true], run.classes[pair.predicted]
        return text("verdict-confusion", n_images=pair.n, label=label, share=percent(pair.share), predicted=predicted)
    return text("verdict-no-confusion")


CONFUSION = Section(
    name="confusion",
    title=lambda: text("report-title-confusion"),
    order=200,
    is_printed=True,
    verdict=_confusion_verdict,
    blocks=lambda run: [_confusion_text(run)],
)


def negative_class(run: ReportedRun) -> str:
    """Return the negative class of two."""
    return next(name for name in run.classes if name != run.metrics.positive_class)


def threshold_words(run: ReportedRun) -> str:
    """Return the decision threshold in words, and its results on the images that it was chosen on."""
    positive, card = run.metrics.positive_class, run.run.card
    if card is not None and run.earlier_thresholds is not None and positive in card.classes:
        earlier = run.earlier_thresholds[card.classes.index(positive)]
        return text("report-earlier-threshold", label=positive, threshold=localized_number(f"{earlier:.3g}"))
    if card is None or card.operating_points is None or positive not in card.classes:
        return text("report-default-threshold", label=positive)
    place = card.classes.index(positive)
    target = run.recipe.target
    threshold = text(
        "report-used-threshold",
        label=positive,
        threshold=localized_number(f"{card.operating_points[place]:.3g}"),
        has_own_folds=bool(run.n_folds) and run.recipe.decide_by != "threshold",
        rule=run.recipe.decide_by,
        target=percent(target) if run.recipe.decide_by in ("sensitivity", "specificity") else "",
        image_set=decision_images(run.calibration.calibrated_on),
    )
    point = (run.calibration.operating_points or ())[place]
    return f"{threshold} {_on_decision_images(point, run)}".strip()


def _on_decision_images(point: OperatingPoint, run: ReportedRun) -> str:
    if point.sensitivity is None or point.specificity is None:
        return "" if point.reason is None else text("report-threshold-not-chosen", reason=point.reason)
    return text(
        "report-threshold-results",
        image_set=decision_images(run.calibration.calibrated_on),
        sensitivity=percent(point.sensitivity),
        specificity=percent(point.specificity),
        is_by_hand=run.recipe.decide_by == "threshold",
        has_bounds=point.least_sensitivity is not None,
        least_sensitivity="" if point.least_sensitivity is None else percent(point.least_sensitivity),
        least_specificity="" if point.least_specificity is None else percent(point.least_specificity),
    )


def _two_classes_text(run: ReportedRun) -> SectionText:
    positive, negative = run.metrics.positive_class or "", negative_class(run)
    rows = [
        (
            text("report-metric-of-two-classes", metric=name),
            estimate(metric),
            text("report-meaning-of-two-classes", metric=name, positive=positive, negative=negative),
        )
        for name, metric in run.metrics.two_classes.items()
    ]
    positive_class = text("report-positive-class", label=positive, is_set=run.recipe.positive_class == positive)
    metric, value, meaning = column_titles("column-metric", "column-value", "column-meaning")
    columns = (metric, with_interval(value), meaning)
    return SectionText((positive_class, threshold_words(run)), columns, rows, (meaning,))


def _two_classes_verdict(run: ReportedRun) -> str:
    """Return sensitivity and specificity of the positive class of two; otherwise the decision rule."""
    if of_positive := run.metrics.two_classes:
        return text(
            "verdict-two-classes",
            label=run.metrics.positive_class,
            sensitivity=value_words(of_positive["sensitivity"]),
            specificity=value_words(of_positive["specificity"]),
            has_thresholds_of_folds=bool(run.n_folds) and run.rule == "chosen threshold",
        )
    return text("verdict-decision", has_thresholds=run.rule != "highest probability")


TWO_CLASSES = Section(
    name="two_classes",
    title=lambda: text("report-title-two-classes"),
    order=150,
    is_printed=True,
    verdict=_two_classes_verdict,
    subtitle=lambda run: text("report-two-classes-subtitle", label=run.metrics.positive_class),
    applies=lambda run: bool(run.metrics.two_classes),
    blocks=lambda run: [_two_classes_text(run)],
)


def operating_point_words(run: ReportedRun) -> str:
    """Return what the operating points in the table are; empty if the most probable class is predicted."""
    if run.recipe.decide_by == "highest":
        return ""
    if run.recipe.decide_by != "roc":
        return threshold_words(run)
    images = decision_images(run.calibration.calibrated_on)
    return text("report-operating-points", has_folds=bool(run.n_folds), image_set=images)


def class_tables(
    evaluation: Evaluation, operating_points: Mapping[str, float] | None = None, words: Sequence[str] = ()
) -> Iterator[SectionText]:
    """Yield the table of all classes; of many, those with the lowest recall, and all on request.

    Args:
        evaluation: the results.
        operating_points: decision thresholds by class; None: the most probable class is predicted.
        words: sentences below the table.
    """
    columns = column_titles("column-class", "column-images", *(record.heading for record in CLASS_METRICS.values()))
    if operating_points is not None:
        columns = (*columns, text("column-operating-point"))
    rows, summary = _class_rows(evaluation, operating_points), ""
    if len(rows) > MANY_CLASSES:
        hardest = [rows[k] for k in _hardest_classes(evaluation)]
        yield SectionText([text("report-lowest-recall-classes", n_classes=len(hardest))])
        yield SectionText((), columns, hardest)
        summary = text("report-all-classes", n_classes=len(rows))
    below = [*filter(None, [below_values(rows), text("report-class-metrics"), *words])]
    yield SectionText(below, columns, rows, summary=summary)


def summary_table(evaluation: Evaluation) -> SectionText:
    """Return recall, precision and F1 of each class, or of those with the lowest recall, and their means."""
    names = {"recall": "balanced_accuracy", "precision": "macro_precision", "f1": "macro_f1"}
    columns = column_titles("column-class", "column-images", *(CLASS_METRICS[name].heading for name in names))
    rows: list[list[Cell]] = [
        [label, scores.n, *(estimate(scores.metrics[name]) for name in names if name in scores.metrics)]
        for label, scores in evaluation.per_class.items()
    ]
    words = []
    if len(rows) > MANY_CLASSES:
        hardest = _hardest_classes(evaluation)
        rows, words = [rows[k] for k in hardest], [text("report-lowest-recall-classes", n_classes=len(hardest))]
    means = [estimate(evaluation.metrics[name]) for name in names.values() if name in evaluation.metrics]
    if evaluation.primary not in names.values():
        primary, value = METRICS[evaluation.primary], value_words(evaluation[evaluation.primary])
        words.append(text("verdict-metric", metric=primary.title, value=value))
    return SectionText(words, columns, rows, totals=[[text("report-mean"), evaluation.n, *means]])


def _hardest_classes(evaluation: Evaluation) -> list[int]:
    """Return the numbers of the classes with the lowest recall, lowest first."""
    return [evaluation.classes.index(label) for label, _ in shares_of_classes(evaluation, "recall")[:N_HARDEST]]


def _class_rows(evaluation: Evaluation, operating_points: Mapping[str, float] | None) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for number, name in enumerate(evaluation.classes, start=1):
        scores = evaluation.per_class.get(name, ClassScores(n=0, metrics={}))
        missing = Metric(value=None, reason=scores.reason)
        cells = [estimate(scores.metrics.get(key, missing), is_strong=key == "f1") for key in CLASS_METRICS]
        title = f"{number}. {name}" if is_numbered(evaluation.classes) and name != str(number) else name
        row: list[Cell] = [title, scores.n, *cells]
        if operating_points is not None:
            row.append(localized_number(f"{operating_points[name]:.3g}") if name in operating_points else "–")
        rows.append(row)
    return rows


def _per_class_blocks(run: ReportedRun) -> Iterator[SectionText]:
    points = None if run.recipe.decide_by == "highest" else _operating_points(run)
    return class_tables(run.metrics, points, [operating_point_words(run)])


def _operating_points(run: ReportedRun) -> dict[str, float]:
    """Return the decision thresholds of classes, as far as they are known."""
    card = run.run.card
    if card is None:
        return {}
    return dict(zip(card.classes, run.earlier_thresholds or card.operating_points or (), strict=False))


PER_CLASS = Section(
    name="per_class",
    title=lambda: text("report-title-per-class"),
    order=300,
    is_printed=True,
    blocks=_per_class_blocks,
)


def _adapted_text(run: ReportedRun) -> SectionText:
    adapted = run.run.adaptation
    assert adapted is not None, "the section applies to adapted classifiers"
    matrix = np.array(adapted.confusion_matrix)
    rows = []
    for k, name in enumerate(run.classes):
        n, n_right, n_predicted = int(matrix[k].sum()), int(matrix[k, k]), int(matrix[:, k].sum())
        others = [j for j in np.argsort(-matrix[k], kind="stable").tolist() if j != k and matrix[k, j]]
        confused = ", ".join(f"{run.classes[j]} ({matrix[k, j]})" for j in others)
        shares = (percent(n_right / whole) if whole else "–" for whole in (n, n_predicted))
        rows.append((name, str(n), *shares, confused))
    columns = column_titles(
        "column-class", "column-labels", "column-recall", "column-precision", "column-confused-with"
    )
    words = text("report-adapted", n_labels=adapted.n_labels, n_right=adapted.n_right)
    return SectionText((words,), columns, rows, columns[-1:])


ADAPTED = Section(
    name="adapted",
    title=lambda: text("report-title-adapted"),
    order=310,
    is_about_training=True,
    applies=lambda run: run.run.adaptation is not None and bool(run.run.adaptation.confusion_matrix),
    blocks=lambda run: [_adapted_text(run)],
)


_FEW_GROUPS = 10


def _groups_text(run: ReportedRun) -> SectionText:
    scores = run.metrics.of_groups
    assert scores is not None, "the section applies to runs with predictions of groups"
    words = [text("report-group-predictions", n_groups=scores.n)]
    if scores.n_mixed:
        words.append(text("report-mixed-groups", n_groups=scores.n_mixed))
    if scores.n_alone:
        words.append(text("report-images-without-group", n_images=scores.n_alone))
    if scores.n < _FEW_GROUPS:
        words.append(text("report-few-predicted-groups"))
    rows = [
        (text("report-group-metric", metric=name), estimate(metric), text("report-group-metric.meaning", metric=name))
        for name, metric in scores.metrics.items()
    ]
    if below := below_values(rows):
        words.append(below)
    columns = column_titles("column-metric", "column-value", "column-meaning")
    return SectionText(words, columns, rows, columns[2:])


GROUPS = Section(
    name="groups",
    title=lambda: text("report-title-groups"),
    order=340,
    is_printed=True,
    subtitle=lambda run: text("report-title-groups.subtitle"),
    applies=lambda run: run.metrics.of_groups is not None,
    blocks=lambda run: [_groups_text(run)],
)


def _subgroups_text(run: ReportedRun) -> SectionText:
    rows = [_subgroup_row(name, scores) for name, scores in _all_subgroups(run)]
    significant = [
        name for name, scores in _all_subgroups(run) if not scores.is_small and _is_significant(scores.gaps["accuracy"])
    ]
    small = [name for name, scores in _all_subgroups(run) if scores.is_small]
    words = [text("report-subgroups")]
    if any(isinstance(cell, Estimate) and cell.interval for row in rows for cell in row):
        words.append(f"{below_values(rows)} {text('report-difference-includes-zero')}")
    if significant:
        words.append(text("report-significant-subgroups", subgroups=listed(significant)))
    if small:
        words.append(text("report-small-subgroups", subgroups=listed(small)))
    if without_class := [name for name, scores in _all_subgroups(run) if scores.n_missing]:
        words.append(text("report-subgroups-without-class", subgroups=listed(without_class)))
    words.append(text("report-subgroup-proportions"))
    if len(rows) > 2:
        words.append(text("report-many-subgroups", n_rows=len(rows)))
    columns = column_titles(
        "column-subgroup",
        "column-images",
        "column-groups",
        "column-accuracy",
        "column-difference-in-accuracy",
        "column-macro-f1",
        "column-difference-in-macro-f1",
    )
    return SectionText(words, columns, rows)


def _all_subgroups(run: ReportedRun) -> list[tuple[str, SubgroupScores]]:
    return [
        (f"{column}: {value or text('report-empty-cell')}", scores)
        for column, by_value in run.metrics.by_column.items()
        for value, scores in by_value.items()
    ]


def _subgroup_row(name: str, scores: SubgroupScores) -> list[Cell]:
    n_groups = "–" if scores.n_groups is None else count(scores.n_groups)
    numbers = [
        cell
        for metric in ("accuracy", "macro_f1")
        for cell in (estimate(scores.metrics[metric]), estimate(scores.gaps[metric], is_signed=True))
    ]
    marks = [
        *([text("report-few-images")] if scores.is_small else []),
        *([text("report-subgroup-lacks-classes", n_classes=scores.n_missing)] if scores.n_missing else []),
    ]
    return [f"{name} ({', '.join(marks)})" if marks else name, count(scores.n), n_groups, *numbers]


def _is_significant(gap: Metric) -> bool:
    return gap.low is not None and gap.high is not None and not gap.low <= 0 <= gap.high


SUBGROUPS = Section(
    name="subgroups",
    title=lambda: text("report-title-subgroups"),
    order=350,
    is_printed=True,
    subtitle=lambda run: text("report-subgroup-columns", columns=listed(list(run.metrics.by_column))),
    applies=lambda run: bool(run.metrics.by_column),
    blocks=lambda run: [_subgroups_text(run)],
)
