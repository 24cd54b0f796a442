"""The sections of a study's report: title, explanation, tables, and names of drawings."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverslip.control_characters import escape_controls_in_lines
from coverslip.evaluation import Metric, ProcedureDifference
from coverslip.files import write_text
from coverslip.inference.latency import Timing
from coverslip.messages import text
from coverslip.reports import page_styles, template
from coverslip.reports.tables import Cell, Estimate, estimate
from coverslip.reports.words import count, listed, number, signed, spanned
from coverslip.studies.comparing import DatasetComparison, StudyComparison, VariantDifference, usual_verdict, verdict
from coverslip.studies.figures import draw_all
from coverslip.studies.results import training_time
from coverslip.studies.sizes import SizeCurve

_P_HOLM = "p\N{NO-BREAK SPACE}(Holm)"


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
    yield StudySection("Learning curves", (), list(_sizes(comparison)))
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
    words = text("study-failures")
    rows = [(row.name, row.reason) for row in comparison.failures]
    return _table_section("Failed trainings", words, ("training", "reason"), rows, text_columns=("reason",))


def _results(part: DatasetComparison, comparison: StudyComparison, i: int) -> Iterator[StudyBlock]:
    title = comparison.metric_title
    columns = ("network", f"{title}, mean", "SD over splits", "splits", "missing", "parameters (millions)")
    yield StudyBlock(
        columns=(*columns, "multiply-adds at default size (billions)", "file (MB)", "training (s)"),
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
    columns = (
        "network",
        "baseline",
        "difference",
        _P_HOLM,
        "P(better)",
        "P(equivalent)",
        "P(worse)",
        "result",
    )
    return StudyBlock(
        heading="Differences from the baseline",
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
        text_columns=("baseline", "result"),
        words=[text("study-differences", method=comparison.method, equivalence=f"{comparison.equivalence:g}")],
        drawings=[f"by-parameters-{i}"],
    )


def _probabilities(row: VariantDifference) -> tuple[float | None, ...]:
    return row.difference.p_better, row.difference.p_equal, row.difference.p_worse


def _usual_tests(part: DatasetComparison, comparison: StudyComparison) -> StudyBlock:
    return StudyBlock(
        heading="Tests used in publications",
        columns=("network", "baseline", "paired t test: p", "bootstrap: 95% CI", "result"),
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
        text_columns=("baseline", "result"),
        words=[text("study-usual-tests", error_rates=comparison.error_rates)],
    )


def difference_cell(difference: ProcedureDifference) -> Estimate:
    """Return the cell of a difference, with its confidence interval if there is one."""
    metric = Metric(value=difference.mean, low=difference.low, high=difference.high)
    return estimate(metric, is_signed=True)


def _overall(comparison: StudyComparison) -> StudySection:
    overall = comparison.overall
    if overall is None:
        return StudySection("All datasets", (), ())
    words = text("study-overall", datasets=", ".join(overall.datasets), critical=number(overall.critical_difference, 2))
    rows = [(row.name, number(row.mean), number(row.mean_rank, 2)) for row in overall.scores]
    columns = ("network", f"mean {comparison.metric_title}", "mean rank")
    return StudySection("All datasets", [words], [StudyBlock(columns=columns, rows=rows, drawings=["ranks"])])


def _sizes(comparison: StudyComparison) -> Iterator[StudyBlock]:
    for i, dataset in enumerate(dict.fromkeys(curve.dataset for curve in comparison.sizes), start=1):
        yield StudyBlock(heading=dataset, drawings=[f"sizes-{i}"])
    if comparison.sizes and comparison.target is not None:
        yield StudyBlock(
            heading=text("study-target", metric=comparison.metric_title, target=f"{comparison.target:g}"),
            columns=("dataset", "network", "images per class"),
            rows=[(curve.dataset, curve.name, needed(curve)) for curve in comparison.sizes],
            text_columns=("network",),
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
    if not rows:
        return StudySection("Prediction time", (), ())
    latency = comparison.latencies[0].latency
    words = text("study-latencies", processor=latency.processor, n_threads=latency.n_threads)
    network = ("dataset", "network", "image size (px)", "engine", "network, one image (s)", "network, batch (s)")
    columns = (*network, "total, one image (s)", "total, batch (s)", "images in batch", "ratio batch / one image")
    drawings = [f"by-latency-{i}" for i in range(1, len(comparison.datasets) + 1)]
    return _table_section(
        "Prediction time", words, columns, rows, text_columns=("network", "engine"), drawings=drawings
    )


def _table_section(
    title: str,
    words: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    text_columns: Sequence[str],
    drawings: Sequence[str] = (),
) -> StudySection:
    """Return a section with one table, or without blocks if there are no rows."""
    block = StudyBlock(columns=columns, rows=rows, text_columns=text_columns, drawings=drawings)
    return StudySection(title, [words], [block] if rows else [])


def _timing(timing: Timing) -> Estimate:
    median, low, high = (f"{each:#.3g}".rstrip(".") for each in (timing.median, timing.low, timing.high))
    return Estimate(median, f"{low}–{high}")


def _distances(comparison: StudyComparison) -> StudySection:
    words = text("study-distances")
    rows = [
        (row.dataset, row.first, row.model, estimate(row.mmd2, digits=4), number(row.p), f"{row.coral.value:.3g}")
        for row in comparison.distances
    ]
    columns = ("dataset", "pretraining images", "network", "MMD²", "p", "CORAL")
    return _table_section(
        "Distance to the pretraining images", words, columns, rows, text_columns=("pretraining images", "network")
    )


def _heat_maps(comparison: StudyComparison) -> StudySection:
    words = text("study-heat-maps")
    columns = ("dataset", "network", "initialization", "method", "correlation with random weights", "gain over center")
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
    if not rows:
        return StudySection("Heat maps", (), ())
    text_columns = ("network", "initialization", "method", "checks")
    table = StudyBlock(columns=(*columns, "its 95% lower bound", "checks"), rows=rows, text_columns=text_columns)
    pictures = [
        StudyBlock(heading=f"{drawn.dataset}, {drawn.model}", pictures=drawn.pictures) for drawn in comparison.heat_maps
    ]
    return StudySection("Heat maps", [words], [table, *pictures])


def _epochs(comparison: StudyComparison) -> StudySection:
    words = text("study-epochs")
    blocks = [
        StudyBlock(heading=_of_size(part.dataset, part.train_per_class), drawings=[f"epochs-{i}"])
        for i, part in enumerate(comparison.datasets, start=1)
    ]
    return StudySection("Training curves", [words], blocks if comparison.curves else [])


def _robustness(comparison: StudyComparison) -> StudySection:
    words = text("study-robustness")
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
    columns = ("dataset", "network", "perturbation", f"{comparison.metric_title}, mean", "difference", _P_HOLM)
    return _table_section("Robustness", words, columns, rows, text_columns=("network", "perturbation"))


def _merged(comparison: StudyComparison) -> StudySection:
    words = text("study-merged")
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
    columns = ("dataset", "network", "class", "test images", "F1", "merged dataset", "its test images", "its F1")
    return _table_section(
        "Single and merged datasets", words, columns, rows, text_columns=("network", "class", "merged dataset")
    )


def _classifiers(comparison: StudyComparison) -> StudySection:
    words = text("study-classifiers")
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
    columns = ("dataset", "network", "baseline", "images", "groups", "difference")
    return _table_section(
        "Comparison of trained classifiers", words, columns, rows, text_columns=("network", "baseline")
    )


def _gaps(comparison: StudyComparison) -> StudySection:
    words = text("study-protocols")
    rows = [
        (row.dataset, row.name, number(row.as_published), number(row.own), signed(row.as_published - row.own))
        for row in comparison.gaps
    ]
    columns = ("dataset", "network", "published protocol", "this study", "difference")
    return _table_section("Published protocol", words, columns, rows, text_columns=("network",))


def _published(comparison: StudyComparison) -> StudySection:
    words = text("study-published")
    rows = [(row.name, number(row.value, 4), row.source) for row in comparison.published]
    columns = ("network", f"published {comparison.metric_title}", "source")
    return _table_section("Published values", words, columns, rows, text_columns=("source",))


def _settings(comparison: StudyComparison) -> StudySection:
    n_ways = len({row.name for row in comparison.tried})
    words = text("study-settings", n_ways=n_ways, is_instant=is_instant(comparison))
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
    columns = (
        "dataset",
        "network",
        "settings that differ",
        "trained networks",
        "shrinkage",
        "epochs",
        "selected epoch",
    )
    return _table_section("Settings", words, columns, rows, text_columns=("network", "settings that differ"))


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
        is_instant=is_instant(comparison),
        metric_title=comparison.metric_title,
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
    return f"{listed([*networks], 4)} on {listed([*datasets], 4)}"


def _pictures(comparison: StudyComparison, folder: Path) -> dict[str, str]:
    """Return the existing pictures of heat maps as data URLs, by path."""
    files = [folder / picture for drawn in comparison.heat_maps for picture in drawn.pictures]
    return {
        file.relative_to(folder).as_posix(): f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
        for file in files
        if file.is_file()
    }
