"""The sections of a study's report: title, explanation, tables, and names of drawings."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from coverslip.evaluation import METRICS, Metric, ProcedureDifference
from coverslip.files import write_text
from coverslip.inference.latency import Timing
from coverslip.messages import escape_controls_in_lines, text
from coverslip.reports.page import page_styles, template
from coverslip.reports.tables import Cell, Estimate, estimate
from coverslip.reports.words import count, listed, number, percent, signed, spanned
from coverslip.studies.comparing import (
    DatasetComparison,
    StudyComparison,
    VariantDifference,
    usual_verdict,
    verdict,
)
from coverslip.studies.figures import draw_all
from coverslip.studies.plan import CLASS_METRICS
from coverslip.studies.published import PublishedFigure
from coverslip.studies.results import MetricMean, SizeCurve, training_time
from coverslip.studies.variants import FIT_METRICS


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
    yield _fits(comparison)
    yield _robustness(comparison)
    yield _merged(comparison)
    yield _classifiers(comparison)
    yield _gaps(comparison)
    yield _rare_classes(comparison)
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
                _mean(row.metrics.get(comparison.metric)),
                number(row.sd),
                count(row.n_splits),
                count(row.n_missing) if row.n_missing else "–",
                number(row.parameters / 1e6 if row.parameters else None, 2),
                "–" if row.gmacs is None else f"{row.gmacs:.3g}",
                number(row.megabytes, 1),
                training_time(row.train_seconds, is_measured=row.mean is not None),
            )
            for row in part.scores
        ],
        drawings=[f"scores-{i}"],
    )
    rows = {row.name: row.metrics for row in part.scores if row.mean is not None}
    yield _all_metrics(rows, text("study-metrics.title"), text("study-metrics"))
    if part.differences:
        yield _differences(part, comparison, i)
    if any(row.usual for row in part.differences):
        yield _usual_tests(part, comparison)
    yield StudyBlock(drawings=[f"costs-{i}"])
    if any(each.dataset == part.dataset for each in comparison.confusions):
        yield StudyBlock(heading=text("study-confusions"), drawings=[f"confusions-{i}"])


def _mean(score: MetricMean | None) -> Estimate:
    return estimate(Metric(value=None) if score is None else Metric(value=score.mean, low=score.low, high=score.high))


def _with_sd(score: MetricMean | None) -> Estimate:
    """Return the cell of a mean, with its standard deviation and its confidence interval."""
    cell = _mean(score)
    return cell if score is None or score.sd is None else replace(cell, value=f"{cell.value} ± {number(score.sd)}")


def _all_metrics(rows: Mapping[str, Mapping[str, MetricMean]], heading: str, words: str) -> StudyBlock:
    """Return a table with all metrics of each network; without rows if only one metric is known."""
    names = list(dict.fromkeys(name for metrics in rows.values() for name in metrics))
    return StudyBlock(
        heading=heading,
        columns=[text("study-metrics.network"), *(METRICS[name].title for name in names)],
        rows=[(name, *(_with_sd(metrics.get(each)) for each in names)) for name, metrics in rows.items()]
        if len(names) > 1
        else (),
        words=[words],
    )


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
    overall, title = comparison.overall, text("study-overall.title")
    blocks, words = list[StudyBlock](), list[str]()
    if overall is not None:
        words.append(
            text("study-overall", datasets=", ".join(overall.datasets), critical=number(overall.critical_difference, 2))
        )
        rows = [(row.name, number(row.mean), number(row.mean_rank, 2)) for row in overall.scores]
        columns = _columns("study-overall", metric=comparison.metric_title)
        blocks.append(StudyBlock(columns=columns, rows=rows, drawings=["ranks"]))
        metrics = {row.name: row.metrics for row in overall.scores}
        blocks.append(_all_metrics(metrics, text("study-metrics.title"), text("study-overall-metrics")))
    if len(datasets := comparison.grid_datasets) > 1:
        blocks.append(
            StudyBlock(
                heading=text("study-grid", metric=comparison.metric_title),
                columns=[text("study-metrics.network"), *datasets],
                rows=[
                    (name, *(number(comparison.grid[dataset].get(name)) for dataset in datasets))
                    for name in comparison.grid_names
                ],
                drawings=["grid"],
            )
        )
    blocks.append(StudyBlock(drawings=["complexity"]))
    return StudySection(title if len(comparison.grid_datasets) > 1 else text("study-networks"), words, blocks)


def _sizes(comparison: StudyComparison) -> Iterator[StudyBlock]:
    for i, (dataset, _) in enumerate(dict.fromkeys((curve.dataset, curve.axis) for curve in comparison.sizes), start=1):
        yield StudyBlock(heading=dataset, drawings=[f"sizes-{i}"])
    of_images = [curve for curve in comparison.sizes if curve.axis == "images per class"]
    if of_images and comparison.target is not None:
        columns = _columns("study-target")
        yield StudyBlock(
            heading=text("study-target", metric=comparison.metric_title, target=f"{comparison.target:g}"),
            columns=columns,
            rows=[(curve.dataset, curve.name, needed(curve)) for curve in of_images],
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
    parameters: dict[str, Any] = {}  # Any: as of `text`
    if comparison.latencies:
        latency = comparison.latencies[0].latency
        parameters = {"processor": latency.processor, "n_threads": latency.n_threads}
    section = _table_section("study-latencies", rows, text_at=(1, 3), **parameters)
    return replace(section, blocks=[*section.blocks, *_latency_runs(comparison)]) if rows else section


def _latency_runs(comparison: StudyComparison) -> Iterator[StudyBlock]:
    """Yield the table of all repeats for one image, and the table for a batch."""
    rows = comparison.latencies
    of_one = [(row.dataset, row.model, row.latency.whole_one) for row in rows]
    of_many = [(row.dataset, row.model, row.latency.whole_many) for row in rows]
    columns = _columns("study-latency-runs")
    for title, timings in ((text("study-latency-runs.one"), of_one), (text("study-latency-runs.many"), of_many)):
        n_runs = max(len(timing.runs) for *_, timing in timings)
        yield StudyBlock(
            heading=title,
            columns=[*columns[:2], *(str(k) for k in range(1, n_runs + 1)), *columns[2:]],
            rows=[
                (dataset, model, *map(_seconds, (*timing.runs, timing.mean, timing.median)))
                for dataset, model, timing in timings
            ],
            text_columns=(columns[1],),
        )


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
    return Estimate(_seconds(timing.median), f"{_seconds(timing.low)}–{_seconds(timing.high)}")


def _seconds(value: float) -> str:
    return f"{value:#.3g}".rstrip(".")


def _distances(comparison: StudyComparison) -> StudySection:
    gains = {(row.dataset, row.regime, row.model): row.gain for row in comparison.transfers}
    rows = [
        (
            row.dataset,
            row.first,
            row.model,
            estimate(row.mmd2, digits=4),
            number(row.p),
            f"{row.coral.value:.3g}",
            number(row.logme),
            difference_cell(gains[key]) if (key := (row.dataset, row.regime, row.model)) in gains else "–",
        )
        for row in comparison.distances
    ]
    section = _table_section("study-distances", rows, text_at=(1, 2), metric=comparison.metric_title)
    if not comparison.correlations:
        return section
    columns = _columns("study-correlations")
    correlations = StudyBlock(
        heading=text("study-correlations.title"),
        columns=columns,
        rows=[
            (
                each.measure,
                each.model,
                count(each.n_pairs),
                estimate(each.of_pairs, is_signed=True, digits=2),
                estimate(each.within_targets, is_signed=True, digits=2),
            )
            for each in comparison.correlations
        ],
        text_columns=(columns[1],),
        words=[text("study-correlations")],
        drawings=[f"transfers-{i}" for i in range(1, len({each.model for each in comparison.correlations}) + 1)],
    )
    return replace(section, blocks=[*section.blocks, correlations])


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
    words = text("study-epochs", is_tested=_selects_by_test_images(comparison))
    return StudySection(text("study-epochs.title"), [words], blocks if comparison.curves else [])


def _selects_by_test_images(comparison: StudyComparison) -> bool:
    """Return whether test images take the place of validation images in a published protocol."""
    return any(stamp.key == "checkpoint_selection_set" for stamp in comparison.protocols)


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
    of_classes = [row for row in comparison.merged if row.class_name is not None]
    of_all = [row for row in comparison.merged if row.class_name is None]
    rows: list[list[Cell]] = [
        [
            _of_size(row.dataset, row.train_per_class),
            row.name,
            row.class_name or "",
            count(row.n_single),
            *(estimate(row.single[name]) for name in CLASS_METRICS),
            row.merged,
            count(row.n_merged),
            *(estimate(row.with_others[name]) for name in CLASS_METRICS),
        ]
        for row in of_classes
    ]
    section = _table_section("study-merged", rows, text_at=(1, 2, 7))
    if not of_all:
        return section
    names = [name for name in dict.fromkeys(("accuracy", comparison.metric)) if name in of_all[0].single]
    first, *others = _columns("study-merged-all")
    columns = [
        *(first, *others[:2]),
        *(title for name in names for title in (METRICS[name].title, f"{METRICS[name].title}, {others[2]}")),
    ]
    of_datasets = StudyBlock(
        heading=text("study-merged-all.title"),
        columns=columns,
        rows=[
            [
                _of_size(row.dataset, row.train_per_class),
                row.name,
                row.merged,
                *(estimate(each[name]) for name in names for each in (row.single, row.with_others)),
            ]
            for row in of_all
        ],
        text_columns=columns[1:3],
    )
    of_each_class = [replace(block, heading=text("study-merged.heading")) for block in section.blocks]
    return replace(section, blocks=[of_datasets, *of_each_class])


def _fits(comparison: StudyComparison) -> StudySection:
    rows: list[list[Cell]] = [
        [
            _of_size(row.dataset, row.train_per_class),
            row.name,
            images,
            count(row.n),
            *(_mean_and_sd(metrics.get(name)) for name in FIT_METRICS),
        ]
        for row in comparison.fits
        for images, metrics in (
            (text("study-images", images="training"), row.training),
            (text("study-images", images="validation"), row.validation),
        )
    ]
    metrics = " | ".join(METRICS[name].title for name in FIT_METRICS)
    is_tested = _selects_by_test_images(comparison)
    return _table_section("study-fits", rows, text_at=(1, 2), metrics=metrics, is_tested=is_tested)


def _mean_and_sd(value: tuple[float, float | None] | None) -> str:
    if value is None:
        return "–"
    mean, sd = value
    return number(mean) if sd is None else f"{number(mean)} ± {number(sd)}"


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
        (
            _of_size(row.dataset, row.train_per_class),
            row.name,
            number(row.as_published),
            number(row.own),
            estimate(row.difference, is_signed=True),
        )
        for row in comparison.gaps
    ]
    section = _table_section("study-protocols", rows, text_at=(1,))
    steps = tuple(f"{stamp.trainings}: {stamp.sentence}" for stamp in comparison.protocols)
    return replace(section, words=(*section.words, *steps)) if rows else section


def _rare_classes(comparison: StudyComparison) -> StudySection:
    rows = [
        (
            row.dataset,
            row.name,
            text("study-rare-rule", rule=row.rule),
            row.class_name,
            count(row.n_labeled),
            percent(row.prevalence),
            estimate(row.precision),
            estimate(row.recall),
            estimate(row.f1),
        )
        for row in comparison.rare_classes
    ]
    return _table_section("study-rare-classes", rows, text_at=(1, 2, 3))


def _published(comparison: StudyComparison) -> StudySection:
    rows = [
        (
            row.name,
            row.dataset,
            row.class_name or text("study-images", images=row.images),
            row.metric_title,
            _published_value(row),
            *((signed if row.is_difference else number)(value) for value in (row.own, row.as_published)),
            row.source,
        )
        for row in comparison.published
    ]
    section = _table_section("study-published", rows, text_at=(1, 2, 3, 7))
    if not rows:
        return section
    return replace(section, blocks=[replace(section.blocks[0], words=comparison.published_protocols)])


def _published_value(row: PublishedFigure) -> str:
    shown = partial(signed if row.is_difference else number, digits=4)
    value = shown(row.value) if row.high is None else spanned(row.value, row.high, shown)
    return value if row.sd is None else f"{value} ± {number(row.sd)}"


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
