"""Draw the ROC and precision-recall curves of each class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.evaluation import Curve, macro_roc_curve, micro_pr_curve, micro_roc_curve, pr_curve, roc_curve
from coverslip.evaluation.ranking import average_precision
from coverslip.reports.figures import CLASS_DASHES, INK, MUTED, N_CLASS_COLOURS, class_color, new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AVERAGE_DASHES: Any = {"macro-average": (0, (5, 1.5)), "micro-average": (0, (1, 1))}  # Any: Matplotlib's


@dataclass(frozen=True, slots=True)
class Average:
    """An average curve over more than two classes; with two classes, both curves hold the same information."""

    name: str
    curve: Curve | None  # None: only the value is available
    value: float | None  # area under the curve


def roc_averages(probability: np.ndarray, label: np.ndarray, macro: float | None, micro: float | None) -> list[Average]:
    """Return the macro- and the micro-average of the ROC curves, with the areas passed in."""
    if probability.shape[1] < 3:
        return []
    return [
        Average("macro-average", macro_roc_curve(probability, label), macro),
        Average("micro-average", micro_roc_curve(probability, label), micro),
    ]


def pr_averages(probability: np.ndarray, label: np.ndarray, macro: float | None) -> list[Average]:
    """Return the averages of precision and recall; the macro-average is a number without a curve."""
    if probability.shape[1] < 3:
        return []
    is_true_class = np.eye(probability.shape[1], dtype=bool)[label]
    micro = float(average_precision(probability.ravel(), is_true_class.ravel()).value)
    return [Average("macro-average", None, macro), Average("micro-average", micro_pr_curve(probability, label), micro)]


def roc(
    probability: np.ndarray,
    label: np.ndarray,
    classes: Sequence[str],
    aurocs: Sequence[float | None],
    averages: Sequence[Average] = (),
) -> "Figure":
    """Draw the ROC curve of each class against all others; of many classes, color and name only the hardest."""
    curves = [roc_curve(probability[:, k], label == k) for k in range(len(classes))]
    figure, axes = _drawn(curves, classes, aurocs, averages, "Area under the curve (AUROC)")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)), zorder=0)
    axes.set(xlabel="false positive rate", ylabel="true positive rate (sensitivity)")
    return figure


def precision_recall(
    probability: np.ndarray,
    label: np.ndarray,
    classes: Sequence[str],
    average_precisions: Sequence[float | None],
    averages: Sequence[Average] = (),
) -> "Figure":
    """Draw precision against recall for each class."""
    curves = [pr_curve(probability[:, k], label == k) for k in range(len(classes))]
    figure, axes = _drawn(curves, classes, average_precisions, averages, "Average precision")
    axes.set(xlabel="recall (sensitivity)", ylabel="precision (PPV)")
    return figure


def _drawn(
    curves: Sequence[Curve | None],
    classes: Sequence[str],
    values: Sequence[float | None],
    averages: Sequence[Average],
    what: str,
) -> tuple["Figure", "Axes"]:
    figure = new_figure(8.6, 3.7)
    axes, legend = figure.subplots(1, 2, width_ratios=(1.15, 1))
    indices_with_value = [k for k in range(len(classes)) if values[k] is not None]
    hardest = sorted(indices_with_value, key=lambda k: values[k] or 0.0)
    colored_indices = hardest[:N_CLASS_COLOURS]
    style = {k: (class_color(k), CLASS_DASHES[k // N_CLASS_COLOURS % len(CLASS_DASHES)]) for k in colored_indices}
    for k in reversed(hardest):
        curve = curves[k]
        if curve is not None:
            color, dash = style.get(k, (MUTED, "-"))
            strength = {"linewidth": 1.5} if k in style else {"linewidth": 0.7, "alpha": 0.4}
            axes.plot(curve.x, curve.y, color=color, linestyle=dash, **strength)
    for average in averages:
        if average.curve is not None:
            dash = _AVERAGE_DASHES[average.name]
            axes.plot(average.curve.x, average.curve.y, color=INK, linestyle=dash, linewidth=1.8)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.01, 1.02))
    rows: list[_KeyRow] = [(shortened(classes[k]), values[k], *style[k]) for k in colored_indices]
    rows += [
        (average.name, average.value, INK, _AVERAGE_DASHES[average.name])
        if average.curve
        else (f"{average.name} (a mean, no curve)", average.value, INK, None)
        for average in averages
    ]
    _key(legend, rows, what, len(indices_with_value) - len(colored_indices))
    return figure, axes


_KeyRow = tuple[str, float | None, str, Any]  # name, value, color, dash (Any: Matplotlib's; None: no line)


def _key(axes: "Axes", rows: Sequence[_KeyRow], what: str, n_more: int) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"{what}, lowest first")
    step = 0.088
    for i, (name, value, color, dash) in enumerate(rows):
        y = 0.96 - i * step
        if dash is not None:
            axes.plot([0.0, 0.09], [y, y], color=color, linestyle=dash, linewidth=1.6)
        axes.text(0.13, y, name, va="center", fontsize=8)
        if value is not None:
            axes.text(1.0, y, f"{value:.3f}", va="center", ha="right", fontsize=8)
    if n_more:
        y = 0.96 - len(rows) * step
        axes.plot([0.0, 0.09], [y, y], color=MUTED, linewidth=0.8)
        axes.text(0.13, y, f"{n_more} more classes: see the metrics per class", va="center", fontsize=8, color=MUTED)
