"""The sections of a study's report: title, explanation, tables, and names of drawings."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coverslip.evaluation import Metric, ProcedureDifference
from coverslip.files import write_text
from coverslip.inference.latency import Timing
from coverslip.messages import escape_controls_in_lines, text
from coverslip.reports import page_styles, template
from coverslip.reports.tables import Cell, Estimate, estimate
from coverslip.reports.words import count, listed, number, signed, spanned
from coverslip.studies.comparing import DatasetComparison, StudyComparison, VariantDifference, usual_verdict, verdict
from coverslip.studies.figures import draw_all
from coverslip.studies.results import SizeCurve, training_time


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyBlock:
    """A table and drawings, with an optional heading."""

    heading: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    text_columns: Sequence[str] = ()
    words: Sequence[str] = ()  # below the table
    drawings: Sequence[str] = ()  # names; names without a drawing are ignored
    pictures: Sequence[str] = ()  # files in the study's folder


@dataclass(frozen=True, slots=True)
class StudySection:
    """One section of the report."""

    title: str
    words: Sequence[str]
    blocks: Sequence[StudyBlock]


def study_sections(comparison: StudyComparison) -> list[StudySection]:
    """Return the sections that have results, from top to bottom."""
    return [section for section in _sections(comparison) if section.blocks]


def is_instant(comparison: StudyComparison) -> bool:
    """Return whether no network was fine-tuned."""
    return bool(comparison.tried) and not any(row.epochs_run for row in comparison.tried)


def _sections(comparison: StudyComparison) -> Iterator[StudySection]:
    for i, part in enumerate(comparison.datasets, start=1):
        yield StudySection(_of_size(part.dataset, part.train_per_class), (), list(_results(part, comparison, i)))
    yield _failures(comparison)
    yield _overall(comparison)
    yield StudySection(text("study-sizes.title"), (), list(_sizes(comparison)))
    yield _latencies(comparison)
    yield _distances(comparison)
    yield _heat_maps(comparison)
    yield _epochs(comparison)
    yield _robustness(comparison)
    yield _merged(comparison)
    yield _classifiers(comparison)
    yield _gaps(comparison)
    yield _published(comparison)
    yield _settings(comparison)


def _of_size(dataset: str, train_per_class: int | None) -> str:
    return text("study-dataset", dataset=dataset, n=train_per_class) if train_per_class else dataset


def _failures(comparison: StudyComparison) -> StudySection:
    rows = [(row.name, row.reason) for row in comparison.failures]
    return _table_section("study-failures", rows, text_at=(1,))


def _results(part: DatasetComparison, comparison: StudyComparison, i: int) -> Iterator[StudyBlock]:
    yield StudyBlock(
        columns=_columns("study-results", metric=comparison.metric_title),
        rows=[
            (
                row.name,
                number(row.mean),
                number(row.sd),
                count(row.n_splits),
                count(row.n_missing) if row.n_missing else "–",
                number(row.parameters / 1e6 if row.parameters else None, 2),
                number(row.gmacs, 2),
                number(row.megabytes, 1),
                training_time(row.train_seconds, is_measured=row.mean is not None),
            )
            for row in part.scores
        ],
        drawings=[f"scores-{i}"],
    )
    if part.differences:
        yield _differences(part, comparison, i)
    if any(row.usual for row in part.differences):
        yield _usual_tests(part, comparison)


def _differences(part: DatasetComparison, comparison: StudyComparison, i: int) -> StudyBlock:
    columns = _columns("study-differences")
    return StudyBlock(
        heading=text("study-differences.title"),
        columns=columns,
        rows=[
            (
                row.name,
                row.baseline,
                difference_cell(row.difference),
                number(row.p_holm),
                *(number(each, 2) for each in _probabilities(row)),
                verdict(row, part),
            )
            for row in part.differences
        ],
        text_columns=(columns[1], columns[7]),
        words=[text("study-differences", method=comparison.method, equivalence=f"{comparison.equivalence:g}")],
        drawings=[f"by-parameters-{i}"],
    )


def _probabilities(row: VariantDifference) -> tuple[float | None, ...]:
    return row.difference.p_better, row.difference.p_equal, row.difference.p_worse


def _usual_tests(part: DatasetComparison, comparison: StudyComparison) -> StudyBlock:
    columns = _columns("study-usual-tests")
    return StudyBlock(
        heading=text("study-usual-tests.title"),
        columns=columns,
        rows=[
            (
                row.name,
                row.baseline,
                number(row.usual.t_p),
                spanned(row.usual.bootstrap_low, row.usual.bootstrap_high, signed),
                usual_verdict(row),
            )
            for row in part.differences
            if row.usual
        ],
        text_columns=(columns[1], columns[4]),
        words=[text("study-usual-tests", error_rates=comparison.error_rates)],
    )


def difference_cell(difference: ProcedureDifference) -> Estimate:
    """Return the cell of a difference, with its confidence interval if there is one."""
    metric = Metric(value=difference.mean, low=difference.low, high=difference.high)
    return estimate(metric, is_signed=True)


def _overall(comparison: StudyComparison) -> StudySection:
    overall = comparison.overall
    if overall is None:
        return StudySection(text("study-overall.title"), (), ())
    words = text("study-overall", datasets=", ".join(overall.datasets), critical=number(overall.critical_difference, 2))
    rows = [(row.name, number(row.mean), number(row.mean_rank, 2)) for row in overall.scores]
    columns = _columns("study-overall", metric=comparison.metric_title)
    block = StudyBlock(columns=columns, rows=rows, drawings=["ranks"])
    return StudySection(text("study-overall.title"), [words], [block])


def _sizes(comparison: StudyComparison) -> Iterator[StudyBlock]:
    for i, dataset in enumerate(dict.fromkeys(curve.dataset for curve in comparison.sizes), start=1):
        yield StudyBlock(heading=dataset, drawings=[f"sizes-{i}"])
    if comparison.sizes and comparison.target is not None:
        columns = _columns("study-target")
        yield StudyBlock(
            heading=text("study-target", metric=comparison.metric_title, target=f"{comparison.target:g}"),
            columns=columns,
            rows=[(curve.dataset, curve.name, needed(curve)) for curve in comparison.sizes],
            text_columns=(columns[1],),
            words=[text("study-sizes")],
        )


def needed(curve: SizeCurve) -> Estimate:
    """Return the cell with the number of images that reaches the target."""
    if curve.needed is None:
        n_missed = curve.n_splits - curve.n_reached
        return Estimate(text("study-target-not-reached", n_missed=n_missed, n_splits=curve.n_splits))
    is_known = curve.low is not None and curve.high is not None
    return Estimate(count(curve.needed), f"{curve.low:,}–{curve.high:,}" if is_known else "")


def _latencies(comparison: StudyComparison) -> StudySection:
    rows: list[list[Cell]] = [
        [
            row.dataset,
            row.model,
            str(row.latency.image_px),
            row.latency.engine,
            *map(_timing, (row.latency.network_one, row.latency.network_many)),
            *map(_timing, (row.latency.whole_one, row.latency.whole_many)),
            count(row.latency.n_many),
            number(row.latency.ratio, 1),
        ]
        for row in comparison.latencies
    ]
    parameters = {}
    if comparison.latencies:
        latency = comparison.latencies[0].latency
        parameters = {"processor": latency.processor, "n_threads": latency.n_threads}
    drawings = [f"by-latency-{i}" for i in range(1, len(comparison.datasets) + 1)]
    return _table_section("study-latencies", rows, text_at=(1, 3), drawings=drawings, **parameters)


def _columns(code: str, **parameters: Any) -> list[str]:  # Any: as of `text`
    """Return the headings of the table of an entry."""
    return text(f"{code}.columns", **parameters).split(" | ")


def _table_section(
    code: str,
    rows: Sequence[Sequence[Cell]],
    *,
    text_at: Sequence[int],
    drawings: Sequence[str] = (),
    **parameters: Any,  # Any: as of `text`
) -> StudySection:
    """Return a section with one table, or without blocks if there are no rows.

    Args:
        code: the entry with the explanation, the title and the columns.
        rows: of the table.
        text_at: the indices of the columns that hold text.
        drawings: below the table.
        parameters: of the entry.
    """
    title = text(f"{code}.title")
    if not rows:
        return StudySection(title, (), ())
    columns = _columns(code, **parameters)
    block = StudyBlock(columns=columns, rows=rows, text_columns=[columns[i] for i in text_at], drawings=drawings)
    return StudySection(title, [text(code, **parameters)], [block])


def _timing(timing: Timing) -> Estimate:
    median, low, high = (f"{each:#.3g}".rstrip(".") for each in (timing.median, timing.low, timing.high))
    return Estimate(median, f"{low}–{high}")


def _distances(comparison: StudyComparison) -> StudySection:
    rows = [
        (row.dataset, row.first, row.model, estimate(row.mmd2, digits=4), number(row.p), f"{row.coral.value:.3g}")
        for row in comparison.distances
    ]
    return _table_section("study-distances", rows, text_at=(1, 2))


def _heat_maps(comparison: StudyComparison) -> StudySection:
    rows = [
        (
            drawn.dataset,
            drawn.model,
            row.regime,
            row.method,
            number(row.similarity, 2),
            signed(row.gain),
            signed(row.gain_low),
            row.verdict,
        )
        for drawn in comparison.heat_maps
        for row in drawn.maps
    ]
    section = _table_section("study-heat-maps", rows, text_at=(1, 2, 3, 7))
    pictures = [
        StudyBlock(heading=f"{drawn.dataset}, {drawn.model}", pictures=drawn.pictures) for drawn in comparison.heat_maps
    ]
    return replace(section, blocks=[*section.blocks, *pictures]) if rows else section


def _epochs(comparison: StudyComparison) -> StudySection:
    blocks = [
        StudyBlock(heading=_of_size(part.dataset, part.train_per_class), drawings=[f"epochs-{i}"])
        for i, part in enumerate(comparison.datasets, start=1)
    ]
    return StudySection(text("study-epochs.title"), [text("study-epochs")], blocks if comparison.curves else [])


def _robustness(comparison: StudyComparison) -> StudySection:
    rows = [
        (
            _of_size(row.dataset, row.train_per_class),
            row.name,
            row.perturbation,
            number(row.mean),
            difference_cell(row.difference),
            number(row.p_holm),
        )
        for row in comparison.robustness
    ]
    return _table_section("study-robustness", rows, text_at=(1, 2), metric=comparison.metric_title)


def _merged(comparison: StudyComparison) -> StudySection:
    rows = [
        (
            _of_size(row.dataset, row.train_per_class),
            row.name,
            row.class_name,
            count(row.n_single),
            estimate(row.f1_single),
            row.merged,
            count(row.n_merged),
            estimate(row.f1_merged),
        )
        for row in comparison.merged
    ]
    return _table_section("study-merged", rows, text_at=(1, 2, 5))


def _classifiers(comparison: StudyComparison) -> StudySection:
    rows = [
        (
            _of_size(row.dataset, row.train_per_class),
            row.name,
            row.baseline,
            count(row.n),
            count(row.n_groups) if row.n_groups else "–",
            estimate(row.difference, is_signed=True),
        )
        for row in comparison.classifiers
    ]
    return _table_section("study-classifiers", rows, text_at=(1, 2))


def _gaps(comparison: StudyComparison) -> StudySection:
    rows = [
        (row.dataset, row.name, number(row.as_published), number(row.own), signed(row.as_published - row.own))
        for row in comparison.gaps
    ]
    return _table_section("study-protocols", rows, text_at=(1,))


def _published(comparison: StudyComparison) -> StudySection:
    rows = [(row.name, number(row.value, 4), row.source) for row in comparison.published]
    return _table_section("study-published", rows, text_at=(2,), metric=comparison.metric_title)


def _settings(comparison: StudyComparison) -> StudySection:
    rows = [
        (
            _of_size(row.dataset, row.train_per_class),
            row.name,
            row.settings,
            count(row.n_trained),
            *map(_range, (row.shrinkages, row.epochs_run, row.epochs_kept)),
        )
        for row in comparison.tried
    ]
    n_ways = len({row.name for row in comparison.tried})
    return _table_section("study-settings", rows, text_at=(1, 2), n_ways=n_ways, is_instant=is_instant(comparison))


def _range(values: Sequence[float]) -> str:
    """Return the range of values as text, for example `2–5`."""
    if not values:
        return "–"
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def write_study_report(comparison: StudyComparison, file: Path) -> None:
    """Write the report as a self-contained file. Its drawings are also written to `figures/`."""
    from markupsafe import Markup

    drawn = draw_all(comparison, file.with_name("figures"))
    page = template(Path(__file__).with_name("report.html")).render(
        **page_styles(),
        name=file.absolute().parent.name,
        title=_title(comparison),
        summary=text("study-summary", metric=comparison.metric_title, is_instant=is_instant(comparison)),
        notes_title=text("study-notes"),
        picture_title=text("study-heat-map-picture"),
        sections=study_sections(comparison),
        drawn={name: (title, Markup(svg)) for name, (title, svg) in drawn.items()},  # noqa: S704 - created here; its texts are escaped
        pictures=_pictures(comparison, file.parent),
        warnings=comparison.idle_first_steps,
        notes=comparison.notes,
    )
    write_text(file, escape_controls_in_lines(page))


def _title(comparison: StudyComparison) -> str:
    networks = dict.fromkeys(row.name for part in comparison.datasets for row in part.scores)
    datasets = dict.fromkeys(part.dataset for part in comparison.datasets)
    return text("study-title", networks=listed([*networks], 4), datasets=listed([*datasets], 4))


def _pictures(comparison: StudyComparison, folder: Path) -> dict[str, str]:
    """Return the existing pictures of heat maps as data URLs, by path."""
    files = [folder / picture for drawn in comparison.heat_maps for picture in drawn.pictures]
    return {
        file.relative_to(folder).as_posix(): f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
        for file in files
        if file.is_file()
    }
