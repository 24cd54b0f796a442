"""The report of class proportions of samples: a self-contained page, and the map of a plate."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coverslip._version import __version__
from coverslip.errors import CoverslipError
from coverslip.evaluation.results import Metric
from coverslip.evaluation.sample_proportions import (
    ConditionDifference,
    LabelShift,
    SampleProportions,
    SamplesNeeded,
    Summary,
    Well,
    has_blocks,
    has_corrections,
    is_corrected,
    plate_size,
    shares_of_samples,
    wells_of,
)
from coverslip.files import check_replaceable, write_text
from coverslip.messages import text
from coverslip.reports import reported
from coverslip.reports.blocks import Drawing, PlateMap, Quotation, SectionContent, SectionText, with_content
from coverslip.reports.figures import CLASS_DASHES, DATA, INK, class_line_color, legend_below, new_figure, shortened
from coverslip.reports.metric_rows import Cell, column_titles, estimate
from coverslip.reports.page import page
from coverslip.reports.reported import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BEGINS_WITH = b"<!doctype html>"
_DIGITS, _DIGITS_OF_SMALL, _SMALL = 3, 4, 0.1  # after the decimal point, and those of classes that are rare everywhere
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
    images = sum(each.n for each in summary.samples)
    facts = [
        ("column-samples", len(summary.samples)),
        ("column-conditions", len(conditions)),
        ("column-images", images),
    ]
    for code, name in (
        ("proportions-uncertain", "n_uncertain"),
        ("proportions-unfamiliar", "n_unfamiliar"),
        ("proportions-unreadable", "n_unreadable"),
    ):
        facts.append((code, sum(getattr(each, name) for each in summary.samples)))
    return [(text(code), reported.count(n)) for code, n in facts if n]


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
        return text("summary-shift-violated", p=reported.number(shift.p))
    return text("summary-shift-power", points=100 * shift.detectable)


def _correction(summary: Summary) -> Literal["all", "some", "none"]:
    """Return which proportions are corrected; only if those of all samples are, figures and tests use them."""
    if not has_corrections((*summary.samples, *summary.conditions, *summary.series)):
        return "none"
    return "all" if all(is_corrected(summary.samples, name) for name in summary.classes) else "some"


def assumption_of(summary: Summary) -> str:
    """Return what the correction assumes, and that nothing contradicts it; or that nothing is corrected."""
    if _correction(summary) == "none":
        return text("proportions-not-corrected")
    shift = summary.label_shift
    return summary.assumption if shift is None or shift.violated else f"{summary.assumption} {shift_words(shift)}"


def warnings_of(summary: Summary) -> Iterator[str]:
    """Yield what may be wrong with the samples or the correction."""
    yield from summary.cautions
    yield from similar_names_of(summary)
    if summary.label_shift is not None and summary.label_shift.violated:
        yield shift_words(summary.label_shift)
    if summary.is_corrected:
        reasons = (each.classes[name].corrected.reason for each in summary.samples for name in summary.classes)
        for reason in dict.fromkeys(reason for reason in reasons if reason):
            yield text("proportions-some-not-corrected", reason=reason)


def proportion_sections(summary: Summary, names: Sequence[str]) -> list[SectionContent]:
    """Return the sections of some classes that have results, from top to bottom."""
    sections = (
        ("conditions", "proportions-by-condition", "", _conditions(summary, names)),
        ("over-time", "proportions-over-time", "", _over_time(summary, names)),
        ("plates", "proportions-plates", "", _plates(summary, names)),
        ("samples", "proportions-samples", "", (_samples(summary, name, len(names)) for name in names)),
        ("methods", "proportions-methods", text("proportions-methods-help"), [Quotation([_methods(summary)])]),
    )
    return [*with_content(SectionContent(text(title), [*of], name, subtitle) for name, title, subtitle, of in sections)]


def shown_classes(summary: Summary) -> Sequence[str]:
    """Return the classes to show: of two, the second, since the proportion of the first is its complement."""
    return summary.classes[1:] if len(summary.classes) == 2 else summary.classes


def _conditions(summary: Summary, names: Sequence[str]) -> Iterator[SectionText]:
    if summary.is_corrected:
        yield SectionText([text("proportions-shown", correction=_correction(summary))])
    columns = (text("column-condition"), text("column-samples"), text("column-images"), *_metric_columns(summary))
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
    yield SectionText(
        columns=(of_class, reported.with_interval(text("column-odds-ratio")), "p", "p (Holm)"),
        rows=[
            (each.name, estimate(each.odds_ratio, digits=4), reported.p_value(each.p), reported.p_value(each.p_holm))
            for each in summary.trends
            if each.name in names
        ],
        heading=text("proportions-trend"),
    )
    if needed := [each for each in summary.samples_needed if each.name in names]:
        columns = (of_class, text("column-units-needed", are_blocks=needed[0].are_blocks))
        rows_of_needed = [(each.name, "–" if each.n is None else each.n) for each in needed]
        yield SectionText((), columns, rows_of_needed, heading=needed_title(needed[0]))


def _over_time(summary: Summary, names: Sequence[str]) -> Iterator[SectionText]:
    columns = (text("column-condition"), text("column-time"), text("column-samples"), *_metric_columns(summary))
    for k, name in enumerate(names if summary.series else ()):
        drawing = Drawing(f"time-{k}", text("proportions-curves"), partial(_curves, summary, name))
        title = text("proportions-of-class", name=name)
        rows = [
            (_name_of(summary, each), f"{each.time:g}", each.n_samples, *_metrics(summary, each, name))
            for each in summary.series
            if each.sample is None
        ]
        yield SectionText((), columns, rows, heading=title, drawings=[drawing])


def _plates(summary: Summary, names: Sequence[str]) -> Iterator[SectionText]:
    wells = wells_of([str(each.sample) for each in summary.samples])
    if wells is None:
        return
    for k, name in enumerate(names):
        svg = plate_map(wells, {name: shares_of_samples(summary.samples, name)})
        yield SectionText(drawings=[PlateMap(f"plate-{k}", text("proportions-wells"), svg)])
    columns = column_titles("column-plate", "column-class", "column-negative-controls", "column-positive-controls")
    rows = [
        (each.plate or text("all-samples"), each.name, each.n_negative, each.n_positive, reported.number(each.z_prime))
        for each in summary.controls
        if each.name in names
    ]
    words_of_controls = [text("proportions-controls-help")] if rows else []
    yield SectionText(words_of_controls, (*columns, "Z′"), rows, columns[1:2], text("proportions-controls"))


def _samples(summary: Summary, name: str, n_classes: int) -> SectionText:
    has_conditions = any(each.condition is not None for each in summary.samples)
    has_scores = any(each.classes[name].z_score is not None for each in summary.samples)
    about = (text("column-condition"),) if has_conditions else ()
    about = (*about, text("column-block")) if has_blocks(summary.samples) else about
    columns = (text("column-sample"), *about, text("column-images"), text("column-count"))
    rows = [
        (
            str(each.sample),
            *([each.condition or "–"] if has_conditions else []),
            *([each.block or "–"] if has_blocks(summary.samples) else []),
            each.n,
            round(each.classes[name].count),
            *_metrics(summary, each, name),
            *([reported.signed(each.classes[name].z_score, 1)] if has_scores else []),
        )
        for each in summary.samples
    ]
    columns = (*columns, *_metric_columns(summary), *((text("column-z-score"),) if has_scores else ()))
    title = text("proportions-of-class", name=name)
    summary_title = text("report-rows", n_rows=len(rows)) if n_classes > 1 else ""
    return SectionText((), columns, rows, about, title, summary=summary_title)


def _methods(summary: Summary) -> str:
    samples = summary.samples
    sentences = [
        text(
            "proportions-methods-counted",
            version=__version__,
            n_samples=len(samples),
            n_images=sum(each.n for each in samples),
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
    if summary.trends:
        sentences.append(text("proportions-methods-trend"))
    return " ".join(sentences)


def compared_units(difference: ConditionDifference) -> str:
    """Return the numbers of samples of both conditions, the second condition first, or the number of blocks."""
    if difference.n_blocks is not None:
        return text("proportions-blocks", n_blocks=difference.n_blocks)
    return f"{difference.n_samples[1]} + {difference.n_samples[0]}"


def needed_title(needed: SamplesNeeded) -> str:
    """Return the title of a table of the samples or blocks that would show a difference."""
    return text("proportions-planning", points=100 * needed.difference)


def _name_of(summary: Summary, condition: SampleProportions) -> str:
    is_only = len(summary.conditions) == 1
    return condition.condition or text("all-samples" if is_only else "proportions-without-condition")


def digits_of(summary: Summary, name: str) -> int:
    """Return the digits of the proportions of a class, which are more if it is rare in all samples."""
    values = (_shown(summary, each, name).value or 0.0 for each in (*summary.samples, *summary.conditions))
    return _DIGITS if max(values, default=1.0) >= _SMALL else _DIGITS_OF_SMALL


def _metrics(summary: Summary, proportions: SampleProportions, name: str) -> tuple[Cell, ...]:
    of_class, digits = proportions.classes[name], digits_of(summary, name)
    cells = (estimate(of_class.raw, digits=digits),)
    return (*cells, estimate(of_class.corrected, digits=digits)) if summary.is_corrected else cells


def _metric_columns(summary: Summary) -> tuple[str, ...]:
    codes = ("column-raw", "column-corrected") if summary.is_corrected else ("column-raw",)
    return tuple(reported.with_interval(text(code)) for code in codes)


def _shown(summary: Summary, proportions: SampleProportions, name: str) -> Metric:
    """Return the proportion to draw: corrected if that of all samples is, else counted."""
    of_class = proportions.classes[name]
    return of_class.corrected if is_corrected(summary.samples, name) else of_class.raw


def _strips(summary: Summary, name: str) -> "Figure":
    """Draw the samples of each condition with their intervals, and the mean of the condition with its interval."""
    figure = new_figure(min(8.6, 3.4 + 0.9 * len(summary.conditions)), 2.9)
    axes = figure.subplots()
    for k, condition in enumerate(summary.conditions):
        mean = _shown(summary, condition, name)
        if mean.value is not None:
            ends = [k - _STRIP_WIDTH / 2 - 0.08, k + _STRIP_WIDTH / 2 + 0.08]
            if mean.low is not None and mean.high is not None:
                axes.fill_between(ends, mean.low, mean.high, color=DATA, alpha=0.14, linewidth=0)
            axes.plot(ends, [mean.value] * 2, color=INK, linewidth=1.6, label=text("proportions-mean"))
        of_condition = [each for each in summary.samples if each.condition == condition.condition]
        for i, each in enumerate(of_condition):
            place = k + _STRIP_WIDTH * ((i + 0.5) / len(of_condition) - 0.5)
            _point(axes, place, _shown(summary, each, name))
    axes.set_xticks(range(len(summary.conditions)), [shortened(_name_of(summary, each)) for each in summary.conditions])
    axes.set_xlim(-0.6, len(summary.conditions) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(text("proportions-axis"))
    legend_below(figure)
    return figure


def _point(axes: "Axes", x: float, metric: Metric) -> None:
    if metric.value is None:
        return
    if metric.low is not None and metric.high is not None:
        axes.plot([x, x], [metric.low, metric.high], color=DATA, linewidth=1, alpha=0.5)
    label = text("proportions-sample")
    axes.plot([x], [metric.value], "o", color=DATA, markersize=4.5, label=label, clip_on=False, zorder=3)


def _curves(summary: Summary, name: str) -> "Figure":
    """Draw a thin line for each sample, and a thick line with its interval for each condition."""
    figure = new_figure(8.6, 3.2)
    axes = figure.subplots()
    for k, condition in enumerate(summary.conditions):
        color, dash = class_line_color(k), CLASS_DASHES[k % len(CLASS_DASHES)]
        of_condition = [each for each in summary.series if each.condition == condition.condition]
        for sample in dict.fromkeys(each.sample for each in of_condition if each.sample is not None):
            points = [each for each in of_condition if each.sample == sample]
            axes.plot(*_line(summary, points, name), color=color, linewidth=0.6, alpha=0.5)
        means = [each for each in of_condition if each.sample is None]
        metrics = [_shown(summary, each, name) for each in means]
        times = [each.time or 0.0 for each in means]
        low, high = (
            [getattr(each, end) if each.value is not None else None for each in metrics] for end in ("low", "high")
        )
        axes.fill_between(times, _gaps(low), _gaps(high), color=color, alpha=0.14, linewidth=0)
        axes.plot(*_line(summary, means, name), color=color, linestyle=dash, label=_name_of(summary, condition))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(text("column-time"))
    axes.set_ylabel(text("proportions-axis"))
    legend_below(figure)
    return figure


def _line(summary: Summary, points: Sequence[SampleProportions], name: str) -> tuple[list[float], list[float]]:
    return [each.time or 0.0 for each in points], _gaps([_shown(summary, each, name).value for each in points])


def _gaps(values: Sequence[float | None]) -> list[float]:
    """Return values with NaN in place of missing ones, at which lines are interrupted."""
    return [float("nan") if value is None else value for value in values]


# The map of a plate.

_CELL, _MARGIN, _TITLE, _LEGEND = 26, 28, 44, 46  # pixels
_LONGEST_TITLE = 44  # characters
_FONT = "font-family='Inter, Arial, sans-serif' font-size='11' fill='#333'"


def write_plate_map(samples: Sequence[str], shares: Mapping[str, Mapping[str, float | None]], file: Path) -> None:
    """Draw the wells of each plate as SVG, colored by the proportion of each class.

    Args:
        samples: whose names end in a well.
        shares: by class: the proportion in each sample; None: unknown.
        file: the image.

    Raises:
        CoverslipError: the samples are no wells; the file exists and is no SVG image, or cannot be written.
    """
    wells = wells_of(samples)
    if wells is None:
        raise CoverslipError("samples-are-no-wells", file=file, sample=samples[0])
    check_replaceable(file, b"<svg")
    write_text(file, plate_map(wells, shares))


def plate_map(wells: Mapping[str, Well], shares: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return an SVG image with a plate for each class and plate.

    Args:
        wells: of each sample.
        shares: by class: the proportion in each sample; None: unknown.
    """
    plates = list(dict.fromkeys(well.plate for well in wells.values()))
    n_rows, n_columns = plate_size(list(wells.values()))
    width, height = _MARGIN + n_columns * _CELL + 10, _TITLE + n_rows * _CELL + _LEGEND
    parts = []
    for x, (name, of_class) in enumerate(shares.items()):
        largest = max((share for share in of_class.values() if share is not None), default=1.0) or 1.0
        for y, plate in enumerate(plates):
            on_plate = {sample: well for sample, well in wells.items() if well.plate == plate}
            title = f"{name} · {plate}" if plate else name
            drawn = _plate(shortened(title, _LONGEST_TITLE), on_plate, of_class, largest, (n_rows, n_columns))
            parts.append(f"<g transform='translate({x * width}, {y * height})'>{drawn}</g>")
    size = f"width='{len(shares) * width}' height='{len(plates) * height}'"
    background = "<rect width='100%' height='100%' fill='white'/>"  # texts are dark, also on a dark page
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} {_FONT}>{background}{''.join(parts)}</svg>\n"


def _plate(
    title: str,
    wells: Mapping[str, Well],
    shares: Mapping[str, float | None],
    largest: float,
    size: tuple[int, int],
) -> str:
    n_rows, n_columns = size
    parts = [f"<text x='{_MARGIN}' y='16' font-weight='600'>{escape(title)}</text>"]
    for k in range(n_columns):
        parts.append(f"<text x='{_MARGIN + (k + 0.5) * _CELL}' y='36' text-anchor='middle'>{k + 1}</text>")
    for k in range(n_rows):
        y = _TITLE + (k + 0.5) * _CELL + 4
        parts.append(f"<text x='{_MARGIN - 8}' y='{y}' text-anchor='end'>{chr(ord('A') + k)}</text>")
    by_place = {(well.row, well.column): sample for sample, well in wells.items()}
    for row in range(n_rows):
        for column in range(n_columns):
            sample = by_place.get((row, column))
            share = None if sample is None else shares[sample]
            tip = "" if sample is None else f"<title>{escape(sample)}: {number(share)}</title>"
            color = "none" if share is None else _color(share / largest)
            x, y = _MARGIN + (column + 0.5) * _CELL, _TITLE + (row + 0.5) * _CELL
            dash = " stroke-dasharray='2 2'" if share is None else ""
            parts.append(
                f"<circle cx='{x}' cy='{y}' r='{_CELL / 2 - 2}' fill='{color}' stroke='#999'{dash}>{tip}</circle>"
            )
    return "".join((*parts, _legend(largest, _TITLE + n_rows * _CELL + 10)))


def _legend(largest: float, top: int) -> str:
    boxes = ((_MARGIN + 10 * k, _color(k / 10)) for k in range(11))
    steps = [f"<rect x='{x}' y='{top}' width='10' height='10' fill='{color}'/>" for x, color in boxes]
    ends = f"<text x='{_MARGIN}' y='{top + 24}'>0</text>"
    return f"{''.join(steps)}{ends}<text x='{_MARGIN + 110}' y='{top + 24}' text-anchor='end'>{number(largest)}</text>"


def _color(share: float) -> str:
    """Return a color from white to dark blue, which readers without color vision distinguish too."""
    light, dark = (247, 251, 255), (8, 48, 107)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(light, dark, strict=True))
