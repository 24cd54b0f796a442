"""Report sections with curves: training and validation, learning curve, ROC, calibration."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.evaluation.learning import LearningCurve
from coverslip.evaluation.metrics import (
    Curve,
    average_precision,
    macro_roc_curve,
    micro_pr_curve,
    micro_roc_curve,
    pr_curve,
    roc_curve,
)
from coverslip.evaluation.results import Evaluation, Metric
from coverslip.evaluation.table import METRICS
from coverslip.messages import text
from coverslip.reports import figures, metric_rows
from coverslip.reports.blocks import Drawing, Section, SectionText
from coverslip.reports.figures import (
    CLASS_DASHES,
    INK,
    MUTED,
    N_CLASS_COLORS,
    FigureData,
    class_line_color,
    new_figure,
    shortened,
)
from coverslip.reports.metric_rows import estimate
from coverslip.reports.reported import (
    ReportedRun,
    interval_after,
    number,
    percent,
    value_words,
    why_instant,
)
from coverslip.runs.recipe_keys import phrases
from coverslip.runs.training import EARLY_DIP, Epoch, has_early_dip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _histories(run: ReportedRun) -> list[Sequence[Epoch]]:
    return [fold.history for fold in run.run.folds] if run.n_folds else [run.run.history]


def _has_curves(run: ReportedRun) -> bool:
    return bool(figures.curve_panels(_histories(run), ("val",) if run.n_folds else ("train", "val")))


def _curves_drawings(run: ReportedRun) -> list[Drawing]:
    histories = _histories(run)
    if run.n_folds:
        title = text("report-fold-curves-drawing")
        numbered = list(enumerate(histories, start=1))
        return [
            Drawing(
                "curves",
                title,
                lambda: figures.fold_curves(histories),
                lambda: figures.epochs_data(numbered),
            )
        ]
    history = histories[0]
    selected_epoch = run.training.selected_epoch if run.training is not None else None
    return [
        Drawing(
            "curves",
            text("report-curves-drawing", has_start=any(row.epoch == 0 for row in history)),
            lambda: figures.curves(history, selected_epoch),
            lambda: figures.epochs_data([(None, history)]),
        )
    ]


def _curves_text(run: ReportedRun) -> SectionText:
    words = []
    is_cosine = run.recipe.schedule == "cosine"
    if is_cosine and any(has_early_dip(history, len(history)) for history in _histories(run)):
        words.append(EARLY_DIP)
    if not run.n_folds and (selection_text := _selection(run)) is not None:
        words.append(selection_text)
    return SectionText(words, drawings=_curves_drawings(run))


def _selection(run: ReportedRun) -> str | None:
    """Return which network is selected, and by which rule."""
    training, stage = run.training, run.finetuning
    if training is None or stage is None or not stage.epochs_run:
        return None
    if training.chosen == "instant":
        return " ".join(filter(None, [why_instant(run), _without_augmentation(run)]))
    return text(
        "report-selected-epoch",
        epoch=stage.selected_epoch,
        n_epochs=stage.epochs_run,
        selection=stage.checkpoint_selection,
        metric=phrases(run.recipe)["primary_metric"],
        set=run.recipe.checkpoint_selection_set,
    )


def _without_augmentation(run: ReportedRun) -> str:
    """Return that curves may rank the two classifiers differently than the selection did."""
    return text("report-curves-without-refit", has_augmentation=run.recipe.n_views > 1)


def _curves_verdict(run: ReportedRun) -> str:
    """Return which networks were trained, and which one is the classifier."""
    if run.n_folds:
        return text("verdict-each-fold", n_folds=run.n_folds)
    stage = run.finetuning
    if stage is None or run.training is None or run.training.chosen == "instant":
        return text("verdict-instant")
    return text("verdict-finetuned", n_epochs=stage.epochs_run, epoch=stage.selected_epoch)


CURVES = Section(
    name="curves",
    title=lambda: text("report-title-curves"),
    order=1100,
    is_about_training=True,
    subtitle=lambda run: text("report-title-curves.subtitle"),
    verdict=_curves_verdict,
    applies=_has_curves,
    blocks=lambda run: [_curves_text(run)],
)


_AVERAGE_DASHES: Any = {"macro-average": (0, (5, 1.5)), "micro-average": (0, (1, 1))}  # Any: Matplotlib's


@dataclass(frozen=True, slots=True)
class NamedCurve:
    """The curve of a class, or an average over more than two classes: with two, both have the same information."""

    name: str
    curve: Curve | None  # None: it is not defined, or only the value is available
    value: float | None  # area under the curve


def average_title(name: str, *, has_curve: bool) -> str:
    """Return the title of `macro-average` or `micro-average`; a mean of values is no curve."""
    return text("figure-label-average", average=name.removesuffix("-average"), has_curve=has_curve)


def average_roc_curves(
    probability: np.ndarray, label: np.ndarray, macro: float | None, micro: float | None
) -> list[NamedCurve]:
    """Return the macro- and the micro-average of the ROC curves, with the areas passed in."""
    if probability.shape[1] < 3:
        return []
    return [
        NamedCurve("macro-average", macro_roc_curve(probability, label), macro),
        NamedCurve("micro-average", micro_roc_curve(probability, label), micro),
    ]


def average_pr_curves(probability: np.ndarray, label: np.ndarray, macro: float | None) -> list[NamedCurve]:
    """Return the averages of precision and recall; the macro-average is a number without a curve."""
    if probability.shape[1] < 3:
        return []
    is_true_class = np.eye(probability.shape[1], dtype=bool)[label]
    micro = float(average_precision(probability.ravel(), is_true_class.ravel()).value)
    return [
        NamedCurve("macro-average", None, macro),
        NamedCurve("micro-average", micro_pr_curve(probability, label), micro),
    ]


def draw_roc(curves: Sequence[NamedCurve], averages: Sequence[NamedCurve] = ()) -> "Figure":
    """Draw the ROC curve of each class against all others; of many classes, color and name only the hardest."""
    figure, axes = _draw_curves(curves, averages, text("figure-title-auroc"))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)), zorder=0)
    axes.set(xlabel=text("figure-label-false-positive-rate"), ylabel=text("figure-label-true-positive-rate"))
    return figure


def _draw_precision_recall(curves: Sequence[NamedCurve], averages: Sequence[NamedCurve]) -> "Figure":
    figure, axes = _draw_curves(curves, averages, text("figure-title-average-precision"))
    axes.set(xlabel=text("figure-label-recall"), ylabel=text("figure-label-precision"))
    return figure


def _draw_curves(curves: Sequence[NamedCurve], averages: Sequence[NamedCurve], metric: str) -> tuple["Figure", "Axes"]:
    figure = new_figure(8.6, 3.7)
    axes, legend = figure.subplots(1, 2, width_ratios=(1.15, 1))
    indices_with_value = [k for k, each in enumerate(curves) if each.value is not None]
    hardest = sorted(indices_with_value, key=lambda k: curves[k].value or 0.0)
    colored_indices = hardest[:N_CLASS_COLORS]
    style = {k: (class_line_color(k), CLASS_DASHES[k // N_CLASS_COLORS % len(CLASS_DASHES)]) for k in colored_indices}
    for k in reversed(hardest):
        curve = curves[k].curve
        if curve is not None:
            color, dash = style.get(k, (MUTED, "-"))
            strength = {"linewidth": 1.5} if k in style else {"linewidth": 0.7, "alpha": 0.4}
            axes.plot(curve.x, curve.y, color=color, linestyle=dash, **strength)
    for average in averages:
        if average.curve is not None:
            dash = _AVERAGE_DASHES[average.name]
            axes.plot(average.curve.x, average.curve.y, color=INK, linestyle=dash, linewidth=1.8)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.01, 1.02))
    rows: list[_KeyRow] = [(shortened(curves[k].name), curves[k].value, *style[k]) for k in colored_indices]
    rows += [
        (
            average_title(average.name, has_curve=average.curve is not None),
            average.value,
            INK,
            _AVERAGE_DASHES[average.name] if average.curve else None,
        )
        for average in averages
    ]
    _draw_key(legend, rows, metric, len(indices_with_value) - len(colored_indices))
    return figure, axes


_KeyRow = tuple[str, float | None, str, Any]  # name, value, color, dash (Any: Matplotlib's; None: no line)


def _draw_key(axes: "Axes", rows: Sequence[_KeyRow], metric: str, n_more: int) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_title(text("figure-title-lowest-first", metric=metric))
    step = 0.088
    for i, (name, value, color, dash) in enumerate(rows):
        y = 0.96 - i * step
        if dash is not None:
            axes.plot([0.0, 0.09], [y, y], color=color, linestyle=dash, linewidth=1.6)
        axes.text(0.13, y, name, va="center", fontsize=8)
        if value is not None:
            axes.text(1.0, y, number(value), va="center", ha="right", fontsize=8)
    if n_more:
        y = 0.96 - len(rows) * step
        axes.plot([0.0, 0.09], [y, y], color=MUTED, linewidth=0.8)
        axes.text(0.13, y, text("figure-label-more-classes", n_more=n_more), va="center", fontsize=8, color=MUTED)


def _points(curves: Iterable[NamedCurve], axes: tuple[str, str]) -> FigureData:
    rows = [
        (each.name, x, y)
        for each in curves
        if each.curve is not None
        for x, y in zip(each.curve.x, each.curve.y, strict=True)
    ]
    return FigureData(("class", *axes), rows)


def _class_curves(
    run: ReportedRun, curve_of: Callable[[np.ndarray, np.ndarray], Curve | None], metric: str
) -> list[NamedCurve]:
    values, tested = metric_rows.class_values(run.metrics, metric), run.tested
    assert tested is not None, "the section applies to runs with predictions"
    return [
        NamedCurve(name, curve_of(tested.probability[:, k], tested.label == k), values[k])
        for k, name in enumerate(run.classes)
    ]


def _roc_drawings(run: ReportedRun) -> list[Drawing]:
    tested, metrics = run.tested, run.metrics
    assert tested is not None
    measured = (tested.probability, tested.label)

    def roc() -> tuple[list[NamedCurve], list[NamedCurve]]:
        averages = average_roc_curves(*measured, metrics["macro_auroc"].value, metrics["micro_auroc"].value)
        return _class_curves(run, roc_curve, "auroc"), averages

    def precision_recall() -> tuple[list[NamedCurve], list[NamedCurve]]:
        averages = average_pr_curves(*measured, metrics["average_precision"].value)
        return _class_curves(run, pr_curve, "average_precision"), averages

    return [
        Drawing(
            "roc",
            text("report-roc-drawing"),
            lambda: draw_roc(*roc()),
            lambda: _points(chain(*roc()), ("false_positive_rate", "true_positive_rate")),
        ),
        Drawing(
            "precision_recall",
            text("report-precision-recall-drawing"),
            lambda: _draw_precision_recall(*precision_recall()),
            lambda: _points(chain(*precision_recall()), ("recall", "precision")),
        ),
    ]


def _roc_text(run: ReportedRun) -> SectionText:
    words = [text("report-averaged-curves")] if len(run.classes) > 2 else []
    return SectionText(words, drawings=_roc_drawings(run))


def _roc_verdict(run: ReportedRun) -> str:
    auroc, precision = (run.metrics.metrics.get(name) for name in ("macro_auroc", "average_precision"))
    if auroc is None or auroc.value is None:
        return text("verdict-no-curves")
    return text(
        "verdict-curves",
        metric=METRICS["macro_auroc"].title,
        value=value_words(auroc),
        has_precision=precision is not None and precision.value is not None,
        precision=estimate(precision).value if precision is not None else number(None),
    )


ROC = Section(
    name="roc",
    title=lambda: text("report-title-roc"),
    order=700,
    subtitle=lambda run: text("report-title-roc.subtitle"),
    verdict=_roc_verdict,
    applies=lambda run: (
        run.tested is not None and any(auroc is not None for auroc in metric_rows.class_values(run.metrics, "auroc"))
    ),
    blocks=lambda run: [_roc_text(run)],
)


def _calibration_text(run: ReportedRun) -> SectionText:
    tested = run.tested
    assert tested is not None
    n_needed = 2 * figures.FEWEST_IN_DOT
    if len(tested.label) < n_needed:
        return SectionText([text("report-few-for-calibration", n_images=len(tested.label), n_needed=n_needed)])
    n_other = int((tested.probability.argmax(axis=1) != tested.predicted).sum())
    return SectionText([text("report-calibration", n_other=n_other)], drawings=_calibration_drawings(run))


def _calibration_drawings(run: ReportedRun) -> list[Drawing]:
    tested = run.tested
    assert tested is not None
    before = metric_rows.uncalibrated(run)
    error, error_before = (_error_words(run.metrics, each) for each in ("ece_excess", "ece_excess_uncalibrated"))
    title = text("report-calibration-drawing")
    return [
        Drawing(
            "calibration",
            title,
            lambda: figures.calibration(
                tested.probability, tested.label, before, error=error, error_before=error_before
            ),
            lambda: figures.calibration_data(tested.probability, tested.label, before),
        )
    ]


def _error_words(evaluation: Evaluation, name: str) -> str:
    """Return a metric of calibration with its interval; empty if it is not known."""
    if name not in evaluation.metrics or evaluation[name].value is None:
        return ""
    cell = estimate(metric_rows.metric_of(evaluation, name))
    return f"{cell.value}{interval_after(cell.interval)}"


def _calibration_verdict(run: ReportedRun) -> str:
    """Return whether probabilities are right, by error above chance, intercept and slope."""
    error, tested = run.metrics.metrics.get("ece_excess"), run.tested
    if error is None or error.value is None or tested is None:
        return text("verdict-no-calibration")
    excess = _error_words(run.metrics, "ece_excess")
    if error.low is None:
        return text("verdict-calibration-unknown", error=excess, reason=error.reason or "")
    confidence = float(tested.probability.max(axis=1).mean())
    accuracy = float((tested.probability.argmax(axis=1) == tested.label).mean())
    intercept, slope = (_error_words(run.metrics, f"calibration_{each}") for each in ("intercept", "slope"))
    return text(
        "verdict-calibration",
        direction=calibration_direction(run.metrics.metrics, confidence - accuracy, len(run.classes)),
        error=excess,
        has_line=bool(intercept and slope),
        intercept=intercept,
        slope=slope,
        confidence=percent(confidence),
        accuracy=percent(accuracy),
    )


def calibration_direction(metrics: Mapping[str, Metric], gap: float, n_classes: int) -> str:
    """Return how probabilities are wrong; `right` if no interval shows it.

    The interval of the error above chance is wide, so those of the intercept and the slope count too.

    Args:
        metrics: with intervals.
        gap: mean probability of the predicted class minus accuracy.
        n_classes: with two classes, the intercept is that of the second class, and shows no gap.
    """
    error, intercept, slope = (
        metrics.get(name, Metric(value=None)) for name in ("ece_excess", "calibration_intercept", "calibration_slope")
    )
    has_error = error.low is not None and error.low > 0
    if _excludes(intercept, 0) and n_classes > 2:
        return "high" if (intercept.value or 0) < 0 else "low"
    if has_error and abs(gap) >= (error.value or 0) / 2:
        return "high" if gap > 0 else "low"
    if _excludes(slope, 1):
        return "extreme" if (slope.value or 0) < 1 else "moderate"
    return "both" if has_error or _excludes(intercept, 0) else "right"


def _excludes(metric: Metric, value: float) -> bool:
    return metric.low is not None and metric.high is not None and not metric.low <= value <= metric.high


CALIBRATION = Section(
    name="calibration",
    title=lambda: text("report-title-calibration"),
    order=600,
    subtitle=lambda run: text("report-title-calibration.subtitle"),
    verdict=_calibration_verdict,
    applies=lambda run: run.tested is not None,
    blocks=lambda run: [_calibration_text(run)],
)


# The learning curve.

_FLAT = 0.005  # macro-F1; a gain too small to justify labeling twice the images


def doubling(curve: LearningCurve) -> str:
    """Return the expected effect of twice as many images, in a sentence or two."""
    gain = curve.gain
    if gain.value is None:
        return text("report-no-doubling", reason=gain.reason or "")
    gain_estimate = estimate(gain, is_signed=True)
    change = f"{gain_estimate.value} {text('column-macro-f1')}{interval_after(gain_estimate.interval)}"
    if gain.value < _FLAT:
        return text("report-flat-learning-curve", change=change)
    return text(
        "report-doubling",
        change=change,
        n_images=curve.n_images,
        n_doubled=2 * curve.n_images,
        is_significant=gain.low is None or gain.low > 0,
    )


def over_folds(curve: LearningCurve) -> str:
    """Return what the final classifier gains over those of the folds, in two sentences; empty without folds."""
    if curve.over_folds is None or curve.n_images_of_fold is None:
        return ""
    gain_estimate = estimate(curve.over_folds, is_signed=True)
    change = f"{gain_estimate.value}{interval_after(gain_estimate.interval)}"
    return text(
        "report-final-classifier-gain", n_of_fold=curve.n_images_of_fold, n_images=curve.n_images, change=change
    )


def _learning_text(run: ReportedRun) -> SectionText:
    curve = run.run.learning_curve
    assert curve is not None
    if not curve.points:
        return SectionText([doubling(curve)])
    words = (doubling(curve), over_folds(curve), _learning_curve_method(run), _learning_curve_limits(curve))
    title = text("report-learning-curve-drawing")
    drawing = Drawing("learning_curve", title, lambda: figures.learning(curve), lambda: figures.learning_data(curve))
    return SectionText([*filter(None, words)], drawings=[drawing])


def _learning_curve_method(run: ReportedRun) -> str:
    """Return how the curve was measured."""
    is_finetuned = run.training is not None and run.training.chosen == "finetune"
    return text("report-learning-curve-method", has_folds=bool(run.n_folds), is_finetuned=is_finetuned)


def _learning_curve_limits(curve: LearningCurve) -> str:
    """Return what the curve does not show."""
    n_groups = curve.n_groups
    groups = (
        text("report-learning-curve-without-groups")
        if n_groups is None
        else text("report-learning-curve-groups", n_groups=n_groups, n_doubled=2 * n_groups)
    )
    return f"{groups} {text('report-learning-curve-limits')}"


LEARNING = Section(
    name="learning_curve",
    title=lambda: text("report-title-learning-curve"),
    order=750,
    is_about_training=True,
    subtitle=lambda run: text("report-title-learning-curve.subtitle"),
    applies=lambda run: run.run.learning_curve is not None,
    blocks=lambda run: [_learning_text(run)],
)
