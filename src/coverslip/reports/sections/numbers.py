"""The numbers: each metric with its interval; fold by fold and domain by domain where there are several."""

from pathlib import Path
from typing import Any

import numpy as np

from coverslip.reports import content
from coverslip.reports.content import Measured, MetricValue
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import number, percent, split_words

Json = dict[str, Any]  # Any: JSON values


def decided(run: ReportedRun) -> str:
    """What the threshold for `uncertain` did to the test images, in words."""
    threshold, tested = run.calibration.uncertain_below, run.tested
    if tested is None or threshold <= 0:
        return ""
    is_decided = np.array([row.decision != "uncertain" for row in tested.rows])
    n_aside = int((~is_decided).sum())
    is_right = tested.predicted == tested.label
    below = "Each fold marks predictions as uncertain that lie below a limit set on its validation images."
    if not run.n_folds:
        below = f"Predictions below {threshold:.2f} are marked uncertain, a limit set on validation images."
    if n_aside == 0 or not is_decided.any():
        return f"{below} Among these images there were none."
    kept, aside = (percent(float(is_right[rows].mean())) for rows in (is_decided, ~is_decided))
    return (
        f"{below} Here that sets aside {n_aside} of {len(is_decided)} images; of the others {kept} are right, of those "
        f"set aside {aside}."
    )


def _text(run: ReportedRun) -> SectionText:
    rows = [(metric.title, number(metric.value), _range(metric), metric.meaning) for metric in content.metrics(run)]
    return SectionText(tuple(filter(None, [decided(run)])), ("metric", "value", "interval", "meaning"), rows)


def _range(metric: Measured) -> str:
    return "" if metric.low is None else f"{number(metric.low)} – {number(metric.high)}"


def _shown(run: ReportedRun) -> Json:
    metrics = content.metrics(run)
    return {
        "shares": _strips([metric for metric in metrics if metric.is_headline and _is_good_share(metric)]),
        "others": [metric for metric in metrics if metric.is_headline and not _is_good_share(metric)],
        "further": [metric for metric in metrics if not metric.is_headline],
        "interval_method": run.metrics["accuracy"].method,
        "decided": decided(run),
        "folds": content.folds(run),
        "domains": content.domains(run),
    }


def _strips(metrics: list[MetricValue]) -> Json:
    """The metrics between 0 and 1 where high is good, with where their interval lies on a common scale."""
    lows = [x for metric in metrics for x in (metric.low, metric.value) if x is not None]
    start = min(0.9, int(10 * min(lows, default=0.0)) / 10)

    def place(x: float) -> float:  # percent of the scale
        return round(100 * (x - start) / (1 - start), 2)

    def strip(metric: MetricValue) -> Json:
        at = None if metric.value is None else place(metric.value)
        if metric.low is None or metric.high is None:
            return {"metric": metric, "at": at, "left": None, "width": None}
        left = place(metric.low)
        return {"metric": metric, "at": at, "left": left, "width": round(place(metric.high) - left, 2)}

    rows = [strip(metric) for metric in metrics]
    return {"rows": rows, "start": f"{start:.1f}", "middle": f"{(start + 1) / 2:.2f}"}


def _is_good_share(metric: Measured) -> bool:
    return (metric.better, metric.scale) == ("higher", "share")


NUMBERS = Section(
    name="numbers",
    title="The numbers",
    order=100,
    subtitle=lambda run: f"on {split_words(run)}",
    text=_text,
    shown=_shown,
    template=Path(__file__).with_name("numbers.html"),
)
