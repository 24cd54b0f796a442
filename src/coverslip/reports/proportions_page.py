"""The report of class proportions of samples: a self-contained page."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from coverslip._version import __version__
from coverslip.evaluation.results import Metric
from coverslip.evaluation.sample_proportions import (
    ConditionDifference,
    LabelShift,
    SampleProportions,
    Summary,
    has_blocks,
    has_corrections,
    is_corrected,
    values_by_condition,
)
from coverslip.files import check_replaceable, write_text
from coverslip.messages import text
from coverslip.reports import reported
from coverslip.reports.blocks import Drawing, Quotation, SectionContent, SectionText, with_content
from coverslip.reports.figures import DATA, INK, legend_below, new_figure, shortened
from coverslip.reports.metric_rows import Cell, Estimate, column_titles, estimate
from coverslip.reports.page import page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BEGINS_WITH = b"<!doctype html>"
_DIGITS, _DIGITS_OF_SMALL, _SMALL = 3, 4, 0.1  # after the decimal point, and those of classes that are rare everywhere
_SIGNIFICANT = 0.05  # adjusted p-value below which a difference is stated
_MOST_DETECTABLE = 0.3  # difference that a check of the error rates can find, above which finding none says little
_FAR_OUTSIDE = 0.1  # of a single sample below 0 or above 1, and more than its standard error
_OUTSIDE = 0.01  # of means below 0 or above 1, which is stated
_STRIP_WIDTH = 0.6  # of the points of a condition, in distances between conditions


def write_proportions_report(summary: Summary, file: Path | str) -> Path:
    """Write the proportions of samples as one HTML file, with figures, tables and a text for the methods section.

    Raises:
        CoverslipError: the file exists and is no HTML page, or cannot be written.

    Examples:
        >>> summary = cs.predict("runs/first", "new/", out="predictions.csv", device="cpu")
        >>> summary = cs.summarise("predictions.csv", by="folder", run="runs/first")
        >>> cs.write_proportions_report(summary, "proportions.html").name
        'proportions.html'
    """
    check_replaceable(Path(file), _BEGINS_WITH)
    write_text(Path(file), proportions_report(summary))
    return Path(file)


def proportions_report(summary: Summary) -> str:
    """Return the page of `write_proportions_report`."""
    return page(
        name=text("proportions-samples"),
        headline=text("proportions-headline", n_samples=len(summary.samples)),
        further=list(warnings_of(summary)),
        lead=[assumption_of(summary)],
        facts=_facts(summary),
        sections=proportion_sections(summary, shown_classes(summary)),
        made_by=text("proportions-made-by", version=__version__),
    )


def _facts(summary: Summary) -> list[tuple[str, str]]:
    conditions = [each for each in summary.conditions if each.condition is not None]
    facts = [
        ("column-samples", len(summary.samples)),
        ("column-conditions", len(conditions)),
        (_unit(summary), sum(each.n for each in summary.samples)),
    ]
    for code, name in (
        ("proportions-uncertain", "n_uncertain"),
        ("proportions-unfamiliar", "n_unfamiliar"),
        ("proportions-unreadable", "n_unreadable"),
    ):
        facts.append((code, sum(getattr(each, name) for each in summary.samples)))
    return [(text(code), reported.count(n)) for code, n in facts if n]


def _unit(summary: Summary) -> str:
    """Return the code of the heading above numbers of predictions."""
    return "column-objects" if summary.are_objects else "column-images"


def similar_names_of(summary: Summary) -> Iterator[str]:
    """Yield a sentence for each set of names that may be one sample, condition or block with several spellings."""
    for code, sets in (
        ("summary-similar-samples", summary.similar_samples),
        ("summary-similar-conditions", summary.similar_conditions),
        ("summary-similar-blocks", summary.similar_blocks),
    ):
        for spellings in sets:
            yield text(code, names=", ".join(f"'{name}'" for name in spellings))


def shift_words(shift: LabelShift) -> str:
    """Return what the check of the error rates found, and what it can find."""
    if shift.violated:
        return text("summary-shift-violated", p=reported.p_words(shift.p))
    return text("summary-shift-power", points=100 * shift.detectable)


def _correction(summary: Summary) -> Literal["all", "some", "none"]:
    """Return which proportions are corrected; only if those of all samples are, figures and tests use them."""
    if not has_corrections((*summary.samples, *summary.conditions)):
        return "none"
    return "all" if all(is_corrected(summary.samples, name) for name in summary.classes) else "some"


def assumption_of(summary: Summary) -> str:
    """Return what the correction assumes, and that nothing contradicts it; or that nothing is corrected."""
    if _correction(summary) == "none":
        return text("proportions-not-corrected")
    shift = summary.label_shift
    if shift is None or shift.violated or shift.detectable > _MOST_DETECTABLE:
        return summary.assumption
    return summary.assumption if any(_outside(summary)) else f"{summary.assumption} {shift_words(shift)}"


def warnings_of(summary: Summary) -> Iterator[str]:
    """Yield what may be wrong with the samples or the correction."""
    yield from summary.cautions
    yield from similar_names_of(summary)
    if summary.label_shift is not None and summary.label_shift.violated:
        yield shift_words(summary.label_shift)
    yield from _outside(summary)
    if summary.is_corrected:
        metrics = [each.classes[name].corrected for each in summary.samples for name in summary.classes]
        reasons = [each.reason for each in metrics if each.reason]
        reasons.sort(key=lambda reason: reason.parameters.get("share", 0))
        for reason in {reason.code: reason for reason in reasons}.values():  # of samples, that with the largest share
            yield text("proportions-some-not-corrected", is_all=_correction(summary) == "none", reason=reason)


def _outside(summary: Summary) -> Iterator[str]:
    """Yield a sentence for each class with values below 0 or above 1: means that are compared, else single samples."""
    return (_means_outside if summary.comparisons else _samples_outside)(summary, shown_classes(summary))


def _is_outside(mean: float) -> bool:
    return not -_OUTSIDE < mean < 1 + _OUTSIDE


def _samples_outside(summary: Summary, names: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each class with values that are far below 0 or above 1, which are not shown."""
    for name in (each for each in names if is_corrected(summary.samples, each)):
        outside = []
        for sample in summary.samples:
            of_class = sample.classes[name]
            is_shown = of_class.shown.value == of_class.corrected.value
            if is_shown and of_class.unclipped is not None and of_class.standard_error is not None:
                excess = max(of_class.unclipped - 1, -of_class.unclipped)
                outside += [(excess, sample)] if excess > max(_FAR_OUTSIDE, of_class.standard_error) else []
        if outside:
            _, farthest = max(outside, key=lambda pair: pair[0])
            yield text(
                "summary-samples-outside",
                name=name,
                n_outside=len(outside),
                n_samples=len(summary.samples),
                sample=str(farthest.sample),
                value=100 * (farthest.classes[name].unclipped or 0),
            )


def _means_outside(summary: Summary, names: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each class whose compared values have means below 0 or above 1, which are not shown."""
    for name in names:
        values = {each: of_each for each, of_each in values_by_condition(summary.samples, name).items() if of_each}
        means = {condition: fmean(of_condition) for condition, of_condition in values.items()}
        outside = [
            text("summary-mean-of-condition", condition=each, mean=100 * mean)
            for each, mean in means.items()
            if each is not None and _is_outside(mean)
        ]
        if outside:
            yield text("summary-means-outside", name=name, means=", ".join(outside))


def proportion_sections(summary: Summary, names: Sequence[str]) -> list[SectionContent]:
    """Return the sections of some classes that have results, from top to bottom."""
    sections = (
        ("conditions", "proportions-by-condition", "", _conditions(summary, names)),
        ("samples", "proportions-samples", "", (_samples(summary, name, len(names)) for name in names)),
        ("methods", "proportions-methods", text("proportions-methods-help"), [Quotation([_methods(summary)])]),
    )
    return [*with_content(SectionContent(text(title), [*of], name, subtitle) for name, title, subtitle, of in sections)]


def result_of(summary: Summary, name: str) -> str:
    """Return the result for a class as a sentence: the clearest difference of conditions, else the proportions."""
    differences = [each for each in summary.comparisons if each.name == name and each.difference.value is not None]
    if not differences:
        values = [value for each in summary.samples if (value := each.classes[name].shown.value) is not None]
        low, high = min(values, default=0.0), max(values, default=0.0)
        errors = summary.expected_errors
        return text(
            "proportions-result-alone",
            name=name,
            n_samples=len(values),
            low=100 * low,
            high=100 * high,
            is_corrected=errors is not None and errors.is_correction_better,
        )
    clearest = min(differences, key=lambda each: (2 if each.p is None else each.p, -abs(each.difference.value or 0)))
    difference, (first, second) = clearest.difference, clearest.conditions
    points, low, high = (100 * (each or 0) for each in (difference.value, difference.low, difference.high))
    of_condition = values_by_condition(summary.samples, name)
    if any(_is_outside(fmean(of_condition[each])) for each in clearest.conditions if of_condition.get(each)):
        # The tested difference may not be possible: state that of the proportions shown, if the interval contains it.
        points, low, high = (min(max(each, -100.0), 100.0) for each in (points, low, high))
        shown = {each.condition: each.classes[name].shown.value or 0 for each in summary.conditions}
        of_shown = 100 * (shown[second] - shown[first])
        points = of_shown if low <= of_shown <= high else points
    p = clearest.p_holm
    return text(
        "proportions-result",
        name=name,
        first=first,
        second=second,
        points=abs(points),
        is_lower=points < 0,
        has_interval=difference.low is not None,
        interval=reported.spanned(low, high, partial(reported.signed, digits=1)),
        is_significant=p is not None and p < _SIGNIFICANT,
        has_blocks=clearest.n_blocks is not None,
        n_blocks=clearest.n_blocks or 0,
        n_first=clearest.n_samples[0],
        n_second=clearest.n_samples[1],
        p=reported.p_value(p),
        reason=difference.reason or "",
    )


def shown_classes(summary: Summary) -> Sequence[str]:
    """Return the classes to show: of two, the positive one, since the proportion of the other is its complement."""
    return summary.classes if summary.positive_class is None else [summary.positive_class]


def _conditions(summary: Summary, names: Sequence[str]) -> Iterator[SectionText]:
    if summary.is_corrected:
        yield SectionText([text("proportions-shown", correction=_correction(summary)), *values_of_samples(summary)])
    columns = (text("column-condition"), text("column-samples"), text(_unit(summary)), *_metric_columns(summary))
    for k, name in enumerate(names):
        title = text("proportions-of-class", name=name)
        drawing = Drawing(f"strips-{k}", text("proportions-strips"), partial(_strips, summary, name))
        rows = [
            (_name_of(summary, each), each.n_samples, each.n, *_metrics(summary, each, name))
            for each in summary.conditions
        ]
        yield SectionText((), columns, rows, heading=title, drawings=[drawing])
    of_class = text("column-class")
    if differences := [each for each in summary.comparisons if each.name in names]:
        conditions, difference = text("column-conditions"), reported.with_interval(text("column-difference"))
        yield SectionText(
            [
                text(
                    "proportions-differences-help",
                    has_blocks=has_blocks(summary.samples),
                    is_corrected=_correction(summary) == "all",
                )
            ],
            (of_class, conditions, text("column-samples"), difference, text("column-effect-size"), "p", "p (Holm)"),
            [
                (
                    each.name,
                    f"{each.conditions[1]} − {each.conditions[0]}",
                    compared_units(each),
                    estimate(each.difference, is_signed=True, digits=digits_of(summary, each.name)),
                    reported.signed(each.effect_size, 2),
                    reported.p_value(each.p),
                    reported.p_value(each.p_holm),
                )
                for each in differences
            ],
            (conditions,),
            text("proportions-differences"),
        )


def values_of_samples(summary: Summary) -> Iterator[str]:
    """Yield which values of single samples to use, with the expected errors of both."""
    if errors := summary.expected_errors:
        yield text(
            "proportions-of-single-samples",
            is_correction_better=errors.is_correction_better,
            counted=100 * errors.counted,
            corrected=100 * errors.corrected,
        )


def _samples(summary: Summary, name: str, n_classes: int) -> SectionText:
    has_conditions = any(each.condition is not None for each in summary.samples)
    about = (text("column-condition"),) if has_conditions else ()
    about = (*about, text("column-block")) if has_blocks(summary.samples) else about
    counts = (_unit(summary), "column-decided", "proportions-uncertain", "proportions-unfamiliar")
    columns = (text("column-sample"), *about, *column_titles(*counts))
    rows = [
        (
            str(each.sample),
            *([each.condition or "–"] if has_conditions else []),
            *([each.block or "–"] if has_blocks(summary.samples) else []),
            each.n,
            each.classes[name].n_decided,
            each.n_uncertain,
            each.n_unfamiliar,
            *sample_cells(summary, each, name),
        )
        for each in summary.samples
    ]
    columns = (*columns, *sample_columns(summary))
    title = text("proportions-of-class", name=name)
    summary_title = text("report-rows", n_rows=len(rows)) if n_classes > 1 else ""
    return SectionText((), columns, rows, about, title, summary=summary_title)


def proportion_cell(metric: Metric, digits: int | None = None) -> Estimate:
    """Return the cell of a proportion. Its interval is shown however wide it is, as in tables of values."""
    cell = estimate(metric, digits=digits)
    if metric.low is None or metric.high is None:
        return cell
    shown = partial(reported.number, digits=metric.digits if digits is None else digits)
    return replace(cell, interval=reported.spanned(metric.low, metric.high, shown), counts="")


def sample_columns(summary: Summary) -> tuple[str, ...]:
    """Return the titles of `sample_cells`."""
    if not summary.is_corrected:
        return (text("column-raw"),)
    return text("column-raw"), text("column-interval-of-proportion"), text("column-corrected-with-error")


def sample_cells(summary: Summary, proportions: SampleProportions, name: str) -> tuple[Cell, ...]:
    """Return the proportion of a class: counted, its interval, and corrected with the standard error.

    Without errors of the classifier, return the counted proportion.
    """
    of_class, digits = proportions.classes[name], digits_of(summary, name)
    if not summary.is_corrected:
        return (reported.number(of_class.raw.value, digits),)
    shown, corrected = of_class.shown, reported.number(of_class.corrected.value, digits)
    if of_class.standard_error is not None:
        corrected = f"{corrected} ± {reported.number(of_class.standard_error, digits)}"
    interval = "–"
    if shown.low is not None and shown.high is not None and of_class.corrected.value is not None:
        interval = reported.spanned(shown.low, shown.high, partial(reported.number, digits=digits))
    return reported.number(of_class.raw.value, digits), interval, corrected


_MOST_CLASSES = 4  # in a table of a terminal


def brief_sections(summary: Summary) -> Iterator[SectionContent]:
    """Yield a table of all samples and conditions, and one of their differences, which fit on a screen."""
    names = sorted(shown_classes(summary), key=lambda name: -sum(each.classes[name].count for each in summary.samples))
    named = names[:_MOST_CLASSES]
    has_conditions = len(summary.conditions) > 1
    has_intervals = _correction(summary) != "none"
    titles = sample_columns(summary) if len(named) == 1 else named
    if len(named) > 1 and has_intervals:
        titles = list(map(reported.with_interval, named))

    def cells(each: SampleProportions) -> tuple[Cell, ...]:
        if len(named) == 1:
            return sample_cells(summary, each, named[0])
        return tuple(proportion_cell(each.classes[name].shown, digits_of(summary, name)) for name in named)

    def row(name: str, each: SampleProportions) -> tuple[Cell, ...]:
        return (name, *([each.condition or "–"] if has_conditions else []), each.n, *cells(each))

    columns = (text("column-sample"), *([text("column-condition")] if has_conditions else []), text(_unit(summary)))
    means = [
        row(text("proportions-mean-of", n_samples=each.n_samples), each)
        for each in summary.conditions
        if each.n_samples > 1
    ]
    words = (
        [] if len(names) == len(named) else [text("report-largest-classes", n_shown=len(named), n_classes=len(names))]
    )
    rows = [row(str(each.sample), each) for each in summary.samples]
    title = text("proportions-of-class", name=named[0]) if len(named) == 1 else text("proportions-by-condition")
    yield SectionContent(title, [SectionText(words, (*columns, *titles), rows, columns[1:-1], totals=means)])
    if differences := [each for each in summary.comparisons if each.name in named]:
        difference = reported.with_interval(text("column-difference"))
        titles = (*column_titles("column-class", "column-conditions", "column-samples"), difference)
        compared = [
            (
                each.name,
                f"{each.conditions[1]} − {each.conditions[0]}",
                compared_units(each),
                estimate(each.difference, is_signed=True, digits=digits_of(summary, each.name)),
                reported.p_value(each.p_holm),
            )
            for each in differences
        ]
        table = SectionText((), (*titles, "p (Holm)"), compared, titles[1:2])
        yield SectionContent(text("proportions-differences"), [table])


def _methods(summary: Summary) -> str:
    samples = summary.samples
    sentences = [
        text(
            "proportions-methods-counted",
            version=__version__,
            n_samples=len(samples),
            n_images=sum(each.n for each in samples),
            are_objects=summary.are_objects,
            n_open=sum(each.n_uncertain + each.n_unfamiliar for each in samples),
            n_unreadable=sum(each.n_unreadable for each in samples),
        )
    ]
    correction = _correction(summary)
    if correction != "none":
        sentences.append(
            text(
                "proportions-methods-corrected",
                is_binary=len(summary.classes) == 2,
                has_correlation=all(each is not None for each in summary.correlations.values()),
                n_not_corrected=sum(each.n > 0 and not has_corrections([each]) for each in samples),
            )
        )
    if any(each.p is not None for each in summary.comparisons):
        sentences.append(
            text(
                "proportions-methods-compared",
                is_corrected=correction == "all",
                is_binary=len(summary.classes) == 2,
                has_blocks=has_blocks(samples),
            )
        )
    return " ".join(sentences)


def compared_units(difference: ConditionDifference) -> str:
    """Return the numbers of samples of both conditions, the second condition first, or the number of blocks."""
    if difference.n_blocks is not None:
        return text("proportions-blocks", n_blocks=difference.n_blocks)
    return f"{difference.n_samples[1]} + {difference.n_samples[0]}"


def _name_of(summary: Summary, condition: SampleProportions) -> str:
    is_only = len(summary.conditions) == 1
    return condition.condition or text("all-samples" if is_only else "proportions-without-condition")


def digits_of(summary: Summary, name: str) -> int:
    """Return the digits of the proportions of a class, which are more if it is rare in all samples."""
    values = (each.classes[name].shown.value or 0.0 for each in (*summary.samples, *summary.conditions))
    return _DIGITS if max(values, default=1.0) >= _SMALL else _DIGITS_OF_SMALL


def _metrics(summary: Summary, proportions: SampleProportions, name: str) -> tuple[Cell, ...]:
    of_class, digits = proportions.classes[name], digits_of(summary, name)
    cells = (proportion_cell(of_class.raw, digits),)
    return (*cells, proportion_cell(of_class.corrected, digits)) if summary.is_corrected else cells


def _metric_columns(summary: Summary) -> tuple[str, ...]:
    all_classes = [of_class for each in (*summary.samples, *summary.conditions) for of_class in each.classes.values()]
    has_interval = any(of_class.raw.low is not None for of_class in all_classes)
    counted = reported.with_interval(text("column-raw")) if has_interval else text("column-raw")
    return (counted, reported.with_interval(text("column-corrected"))) if summary.is_corrected else (counted,)


def _strips(summary: Summary, name: str) -> "Figure":
    """Draw the samples of each condition with their intervals, and the mean of the condition with its interval."""
    figure = new_figure(min(8.6, 3.4 + 0.9 * len(summary.conditions)), 2.9)
    axes = figure.subplots()
    for k, condition in enumerate(summary.conditions):
        mean = condition.classes[name].shown
        if mean.value is not None:
            ends = [k - _STRIP_WIDTH / 2 - 0.08, k + _STRIP_WIDTH / 2 + 0.08]
            if mean.low is not None and mean.high is not None and not mean.is_useless:
                axes.fill_between(ends, mean.low, mean.high, color=DATA, alpha=0.14, linewidth=0)
            axes.plot(ends, [mean.value] * 2, color=INK, linewidth=1.6, label=text("proportions-mean"))
        of_condition = [each for each in summary.samples if each.condition == condition.condition]
        for i, each in enumerate(of_condition):
            place = k + _STRIP_WIDTH * ((i + 0.5) / len(of_condition) - 0.5)
            _point(axes, place, each.classes[name].shown)
    axes.set_xticks(range(len(summary.conditions)), [shortened(_name_of(summary, each)) for each in summary.conditions])
    axes.set_xlim(-0.6, len(summary.conditions) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(text("proportions-axis"))
    legend_below(figure)
    return figure


def _point(axes: "Axes", x: float, metric: Metric) -> None:
    if metric.value is None:
        return
    if metric.low is not None and metric.high is not None and not metric.is_useless:
        axes.plot([x, x], [metric.low, metric.high], color=DATA, linewidth=1, alpha=0.5)
    label = text("proportions-sample")
    axes.plot([x], [metric.value], "o", color=DATA, markersize=4.5, label=label, clip_on=False, zorder=3)
