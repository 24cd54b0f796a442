"""The sections of a study's report, which the report, the app and the command line render."""

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from coverslip.evaluation.comparison import ProcedureDifference
from coverslip.evaluation.results import Metric
from coverslip.evaluation.table import METRICS
from coverslip.files import write_text
from coverslip.inference.latency import Timing
from coverslip.messages import ENGLISH, in_language, localized_number, text
from coverslip.reports.blocks import SectionContent, SectionText, with_content
from coverslip.reports.metric_rows import Cell, Estimate, estimate, is_bound, upper_end
from coverslip.reports.page import page, write_results
from coverslip.reports.reported import count, listed, number, signed, spanned
from coverslip.reports.sections import Drawing
from coverslip.studies.comparing import (
    DatasetComparison,
    StudyComparison,
    VariantScores,
    usual_verdict,
    verdict,
)
from coverslip.studies.figures import (
    bar_drawings,
    confusion_drawing,
    epoch_drawing,
    forest_drawing,
    gain_drawing,
    mean_title,
    names_by_size,
    pareto_drawing,
    roc_drawing,
    seconds_per_image,
    size_drawing,
)
from coverslip.studies.plan import COUNTED_CLASS_METRICS, QUANTITIES
from coverslip.studies.published import ArmDifference, PaperItem, PublishedFigure
from coverslip.studies.results import FEWEST_SPLITS, FailedTraining, MetricMean, training_time
from coverslip.studies.variants import FIT_METRICS


def study_sections(comparison: StudyComparison, folder: Path | None = None) -> list[SectionContent]:
    """Return the sections that have results, from top to bottom.

    Args:
        comparison: the results of the study.
        folder: of the study, for the pictures of heat maps; None: without them.
    """
    sections = [*with_content(_sections(comparison, folder))]
    papers = with_content(_papers(comparison, {section.title for section in sections}))
    n_before = 2 if comparison.arms else 1  # results and the comparison of arms
    return [*sections[:n_before], *papers, *sections[n_before:]]


def result_of(comparison: StudyComparison) -> str:
    """Return the result as a sentence for each dataset: what protocol and recipe add, else the best network.

    Of several numbers of training images, the best network is that of the largest. Empty: no result is known.
    """
    of_protocol: dict[str, list[ArmDifference]] = {}
    for each in comparison.arm_differences:
        if (each.arm, each.reference) == ("A", "B") and each.difference.value is not None:
            of_protocol.setdefault(each.dataset, []).append(each)
    if of_protocol:
        return " ".join(_result_of_protocol(comparison, of_dataset) for of_dataset in of_protocol.values())
    largest: dict[str, DatasetComparison] = {}
    for part in comparison.datasets:
        earlier = largest.get(part.dataset, part)
        if any(row.mean is not None for row in part.scores) and (part.train_per_class or math.inf) >= (
            earlier.train_per_class or math.inf
        ):
            largest[part.dataset] = part
    return " ".join(_result_of_networks(comparison, part) for part in largest.values())


def _result_of_protocol(comparison: StudyComparison, of_protocol: Sequence[ArmDifference]) -> str:
    headline = max(of_protocol, key=lambda each: (each.value or 0) * (1 if comparison.is_higher_better else -1))
    of_recipe = [
        each.reference_value
        for each in comparison.arm_differences
        if (each.dataset, each.train_per_class, each.name)
        == (headline.dataset, headline.train_per_class, headline.name)
        and (each.arm, each.reference) == ("B", "C")
    ]
    recipe_value = next((value for value in of_recipe if value is not None), None)
    difference = headline.difference
    return text(
        "study-result-arms",
        name=headline.name,
        metric=METRICS[comparison.metric].title,
        dataset=headline.dataset,
        n=len(of_protocol),
        published=number(headline.value),
        honest=number(headline.reference_value),
        difference=signed(difference.value),
        significance=_significance(difference),
        low=signed(difference.low),
        high=signed(difference.high),
        has_own=recipe_value is not None,
        own=number(recipe_value),
    )


def _significance(difference: Metric) -> Literal["yes", "no", "unknown"]:
    if difference.low is None or difference.high is None:
        return "unknown"
    return "no" if difference.low <= 0 <= difference.high else "yes"


def _result_of_networks(comparison: StudyComparison, part: DatasetComparison) -> str:
    scores = [row for row in part.scores if row.mean is not None]
    best = scores[0]
    compared = next((each for each in part.differences if each.name == best.name), None)
    return text(
        "study-result-networks",
        name=best.name,
        metric=METRICS[comparison.metric].title,
        dataset=_of_part(part),
        value=number(best.mean),
        n=len(scores),
        has_weights=len({row.regime for row in scores}) > 1,
        has_difference=compared is not None,
        baseline="" if compared is None else compared.baseline,
        verdict="" if compared is None else verdict(compared, part),
    )


def is_instant(comparison: StudyComparison) -> bool:
    """Return whether no network was fine-tuned."""
    return bool(comparison.tried) and not any(row.epochs_run for row in comparison.tried)


def _sections(comparison: StudyComparison, folder: Path | None) -> Iterator[SectionContent]:
    yield SectionContent(text("study-results.title"), [*_results(comparison)])
    yield _arms(comparison)
    yield _splits(comparison)
    yield SectionContent(text("study-differences.title"), [*_differences(comparison)])
    yield _table_of("study-failures", comparison.failures)
    yield _table_of("study-unreadable", comparison.unreadable)
    yield _gains(comparison)
    yield SectionContent(text("study-bars.title"), [SectionText(drawings=_bars(comparison))])
    yield SectionContent(text("study-costs.title"), [_costs(comparison)])
    yield SectionContent(text("study-metrics.title"), [_all_metrics(comparison)])
    yield SectionContent(text("study-sizes.title"), [*_sizes(comparison)])
    yield _latencies(comparison)
    yield _distances(comparison)
    yield _heat_maps(comparison, folder)
    yield _confusions(comparison)
    yield _epochs(comparison)
    yield _fits(comparison)
    yield _merged(comparison)
    yield SectionContent(text("study-published.title"), _published_rows(comparison, "", ""))
    yield _roc(comparison)
    yield _settings(comparison)
    yield SectionContent(text("study-notes"), [SectionText(words=[*map(str, comparison.notes)])])


def _splits(comparison: StudyComparison) -> SectionContent:
    rows = [
        (
            _of_part(part),
            text("study-splits.copies", n=count(sizes.n_images)) if sizes.copies else count(sizes.n_images),
            count(part.n_units) if part.has_groups and part.n_units else "–",
            count(sizes.n_classes),
            count(sizes.n_splits),
            _range(sizes.n_train),
            _range(sizes.n_test),
            _range([round(share, 3) for share in sizes.largest_class]),
            number(1 / sizes.n_classes),
        )
        for part in comparison.datasets
        if (sizes := part.splits) is not None
    ]
    return _table_section("study-splits", rows, text_at=())


def _of_size(dataset: str, train_per_class: int | None) -> str:
    return text("study-dataset", dataset=dataset, n=train_per_class) if train_per_class else dataset


def _of_part(part: DatasetComparison) -> str:
    return _of_size(part.dataset, part.train_per_class)


def _table_of(code: str, trainings: Iterable[FailedTraining]) -> SectionContent:
    return _table_section(code, [(row.name, row.reason) for row in trainings], text_at=(1,))


def _results(comparison: StudyComparison) -> Iterator[SectionText]:
    """Yield warnings, and the table of networks and datasets with means and ranks over datasets."""
    yield SectionText([text("progress-warning", note=sentence) for sentence in comparison.idle_first_steps])
    parts = [part for part in comparison.datasets if any(row.mean is not None for row in part.scores)]
    scores = {(_of_part(part), row.name): row for part in parts for row in part.scores}
    datasets = [_of_part(part) for part in parts]
    of_all = [{row.name: row for row in each.scores} for each in comparison.overall]
    names = [*(name for of_arm in of_all for name in of_arm), *(row.name for part in parts for row in part.scores)]
    titles = [title for each in comparison.overall for title in (mean_title(each), text("study-results.rank"))]
    rows: list[list[Cell]] = []
    for name in dict.fromkeys(names):
        row: list[Cell] = [name, *(_score(comparison, scores.get((dataset, name))) for dataset in datasets)]
        for of_arm in of_all:
            mean = of_arm.get(name)
            row += ["–"] * 2 if mean is None else [_mean(mean.metrics[comparison.metric]), number(mean.mean_rank, 2)]
        rows.append(row)
    if rows:
        columns = (text("study-results.network"), *datasets, *titles)
        yield SectionText([*_words_of_results(comparison, scores.values())], columns, rows)


def _score(comparison: StudyComparison, row: VariantScores | None) -> Estimate:
    return _mean(None if row is None or row.mean is None else row.metrics.get(comparison.metric))


def _words_of_results(comparison: StudyComparison, scores: Iterable[VariantScores]) -> Iterator[str]:
    yield text("study-results", metric=METRICS[comparison.metric].title, n_missing=sum(row.n_missing for row in scores))
    largest = {part.dataset: _of_part(part) for part in comparison.datasets}  # the last number of training images
    for each in comparison.overall:
        critical = number(each.critical_difference, 2)
        datasets = "; ".join(largest[name] for name in each.datasets)
        yield text("study-overall", datasets=datasets, critical=critical)
    for left in comparison.left_out:
        others = listed(left.shared_with)
        yield text(
            "study-left-out",
            dataset=left.dataset,
            others=others,
            n_common=left.n_common,
            n_images=left.n_images,
        )


_LEAST_SD = 1e-12  # a smaller one is from rounding


def _mean(score: MetricMean | None) -> Estimate:
    """Return the cell of a mean over splits; without an interval, with the reason."""
    if score is None:
        return estimate(Metric(value=None))
    cell = estimate(Metric(value=score.mean, low=score.low, high=score.high))
    if score.low is None and score.sd is not None and score.sd < _LEAST_SD:
        return replace(cell, interval="", counts=text("study-equal-splits"))
    return cell if score.low is not None or score.n == 1 else replace(cell, counts=text("study-few-splits"))


def metric_cell(score: MetricMean | None, name: str, n_splits: int | None) -> Estimate:
    """Return the cell of a mean of a metric, with its standard deviation and its confidence interval.

    Args:
        score: the mean; None: the metric is not defined.
        name: of the metric.
        n_splits: of the row. The number of splits is shown if the metric is defined in fewer. None: a row of means.
    """
    cell = _mean(score)
    if score is not None and n_splits is not None and score.n < n_splits:
        return replace(cell, value=f"{cell.value}, n = {score.n}", interval="", counts=text("study-few-splits"))
    if score is not None and cell.interval and is_bound(name, score.low):
        return upper_end(Metric(value=score.mean, low=score.low, high=score.high), 3)
    return cell if score is None or score.sd is None else replace(cell, value=f"{cell.value} ± {number(score.sd)}")


def _all_metrics(comparison: StudyComparison) -> SectionText:
    """Return a table with all metrics of each network; without rows if only one metric is known."""
    first, second, *others = _headings("study-metrics")
    measured: list[tuple[str, str, tuple[str, str], Mapping[str, MetricMean], int | None]] = [
        (_of_part(part), row.name, (count(row.n_splits), count(row.n_missing)), row.metrics, row.n_splits)
        for part in comparison.datasets
        for row in part.scores
        if row.mean is not None
    ]
    for of_arm in comparison.overall:
        measured += [(mean_title(of_arm), each.name, ("–", "–"), each.metrics, None) for each in of_arm.scores]
    names = list(dict.fromkeys(name for *_, metrics, _ in measured for name in metrics))
    if len(names) < 2:
        return SectionText()
    return SectionText(
        words=[text("study-metrics")],
        columns=[first, second, *others, *(METRICS[name].title for name in names)],
        rows=[
            (dataset, name, *counts, *(metric_cell(metrics.get(each), each, n_splits) for each in names))
            for dataset, name, counts, metrics, n_splits in measured
        ],
        text_columns=[second],
    )


def _differences(comparison: StudyComparison) -> Iterator[SectionText]:
    columns = _headings("study-differences")
    rows: list[list[Cell]] = [
        [
            _of_part(part),
            row.name,
            row.baseline,
            difference_cell(row.difference),
            verdict(row, part),
            number(row.p_holm),
            *(number(each, 2) for each in (row.difference.p_better, row.difference.p_equal, row.difference.p_worse)),
        ]
        for part in comparison.datasets
        for row in part.differences
    ]
    baselines = {row.name: row.baseline for part in comparison.datasets for row in part.differences}
    for of_arm in comparison.overall:
        for each in of_arm.scores:
            if (mean := each.difference) is not None:
                cell = estimate(Metric(value=mean.mean, low=mean.low, high=mean.high), is_signed=True)
                rows.append([mean_title(of_arm), each.name, baselines[each.name], cell, "", *"––––"])
    words = text(
        "study-differences", method=text("study-method"), equivalence=localized_number(f"{comparison.equivalence:g}")
    )
    yield SectionText(
        [words] if rows else (), columns, rows, (*columns[1:3], columns[4]), drawings=[*forest_drawing(comparison)]
    )
    yield _usual_tests(comparison)


def _usual_tests(comparison: StudyComparison) -> SectionText:
    columns = _headings("study-usual-tests")
    rows = [
        (
            _of_part(part),
            row.name,
            row.baseline,
            number(row.usual.t_p),
            spanned(row.usual.bootstrap_low, row.usual.bootstrap_high, signed),
            usual_verdict(row),
        )
        for part in comparison.datasets
        for row in part.differences
        if row.usual
    ]
    words = [text("study-usual-tests", error_rates=text("study-error-rates"))] if rows else ()
    text_columns = (*columns[1:3], columns[-1])
    return SectionText(words, columns, rows, text_columns, heading=text("study-usual-tests.title"))


def _costs(comparison: StudyComparison) -> SectionText:
    """Return the sizes and times of networks, and the drawing of the metric against one of them."""
    rows = [
        (
            row.name,
            number(row.parameters / 1e6 if row.parameters else None, 2),
            "–" if row.gmacs is None else localized_number(f"{row.gmacs:.3g}"),
            number(row.megabytes, 1),
            training_time(row.train_seconds, is_measured=True),
            number(1000 * seconds if (seconds := seconds_per_image(comparison, row.model)) else None, 1),
        )
        for row in names_by_size(comparison)
    ]
    words = [text("study-costs")] if rows else ()
    return SectionText(words, _headings("study-costs"), rows, drawings=[*pareto_drawing(comparison)])


def difference_cell(difference: ProcedureDifference) -> Estimate:
    """Return the cell of a difference, with its confidence interval, or why there is none."""
    cell = estimate(Metric(value=difference.mean, low=difference.low, high=difference.high), is_signed=True)
    has_reason = difference.low is None and (difference.p is not None or difference.n_splits < FEWEST_SPLITS)
    return replace(cell, counts=text("study-few-splits")) if has_reason else cell


def _sizes(comparison: StudyComparison) -> Iterator[SectionText]:
    for i, key in enumerate(dict.fromkeys((curve.dataset, curve.axis) for curve in comparison.sizes), start=1):
        yield SectionText(heading=key[0], drawings=[size_drawing(comparison, i, *key)])


def _latencies(comparison: StudyComparison) -> SectionContent:
    rows: list[list[Cell]] = [
        [
            row.dataset,
            row.model,
            str(row.latency.image_px),
            row.latency.engine.replace(" on ", ", "),  # the device
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


def _latency_runs(comparison: StudyComparison) -> Iterator[SectionText]:
    """Yield the table of all repeats for one image, and the table for a batch."""
    rows = comparison.latencies
    of_one = [(row.dataset, row.model, row.latency.whole_one) for row in rows]
    of_many = [(row.dataset, row.model, row.latency.whole_many) for row in rows]
    columns = _headings("study-latency-runs")
    for title, timings in ((text("study-latency-runs.one"), of_one), (text("study-latency-runs.many"), of_many)):
        n_runs = max(len(timing.runs) for *_, timing in timings)
        yield SectionText(
            heading=title,
            columns=[*columns[:2], *(str(k) for k in range(1, n_runs + 1)), *columns[2:]],
            rows=[
                (dataset, model, *map(_seconds, (*timing.runs, timing.mean, timing.median)))
                for dataset, model, timing in timings
            ],
            text_columns=(columns[1],),
        )


def _headings(code: str, **parameters: Any) -> list[str]:  # Any: as of `text`
    """Return the headings of the table of an entry."""
    return text(f"{code}.columns", **parameters).split(" | ")


def _table_section(
    code: str,
    rows: Sequence[Sequence[Cell]],
    *,
    text_at: Sequence[int],
    heading: str = "",
    **parameters: Any,  # Any: as of `text`
) -> SectionContent:
    """Return a section with one table, or without blocks if there are no rows.

    Args:
        code: the entry with the explanation, the title and the columns.
        rows: of the table.
        text_at: the indices of the columns that hold text.
        heading: of the table, if the section has further ones.
        parameters: of the entry.
    """
    title = text(f"{code}.title")
    if not rows:
        return SectionContent(title, ())
    columns = _headings(code, **parameters)
    text_columns = [columns[i] for i in text_at]
    return SectionContent(
        title, [SectionText([text(code, **parameters)], columns, rows, text_columns, heading=heading)]
    )


def _timing(timing: Timing) -> Estimate:
    return Estimate(_seconds(timing.median), f"{_seconds(timing.low)}–{_seconds(timing.high)}")


def _seconds(value: float) -> str:
    return localized_number(f"{value:#.3g}".rstrip("."))


def _distances(comparison: StudyComparison) -> SectionContent:
    gains = {
        (part.dataset, score.model, score.regime): row.difference
        for part in {part.dataset: part for part in comparison.datasets}.values()  # the last number of training images
        for score in part.scores
        for row in part.differences
        if row.name == score.name
    }
    rows = [
        (
            row.dataset,
            row.first,
            row.model,
            estimate(row.mmd2, digits=4),
            number(row.p),
            localized_number(f"{row.coral.value:.3g}"),
            "–" if (gain := gains.get((row.dataset, row.model, row.regime))) is None else difference_cell(gain),
        )
        for row in comparison.distances
    ]
    return _table_section("study-distances", rows, text_at=(1, 2), metric=METRICS[comparison.metric].title)


def _heat_maps(comparison: StudyComparison, folder: Path | None) -> SectionContent:
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
    if folder is None:
        return section
    pictures = [
        SectionText(
            heading=f"{drawn.dataset}, {drawn.model}",
            pictures=[file for picture in drawn.pictures if (file := folder / picture).is_file()],
        )
        for drawn in comparison.heat_maps
    ]
    return replace(section, blocks=[*section.blocks, *pictures])


def _confusions(comparison: StudyComparison) -> SectionContent:
    blocks = [
        SectionText(heading=_of_part(part), drawings=[*confusion_drawing(comparison, i, part)])
        for i, part in enumerate(comparison.datasets, start=1)
    ]
    return SectionContent(text("study-confusions"), blocks)


def _has_figure(comparison: StudyComparison, code: str) -> bool:
    """Return whether a publication of the plan has a figure whose counterpart is this section."""
    return any(code in item.sections for paper in comparison.papers for item in paper.items)


def _gains(comparison: StudyComparison) -> SectionContent:
    parts = comparison.datasets if _has_figure(comparison, "study-gains") else ()
    drawings = [each for i, part in enumerate(parts, start=1) for each in gain_drawing(comparison, i, part)]
    return SectionContent(text("study-gains.title"), [SectionText(drawings=drawings)])


def _bars(comparison: StudyComparison) -> list[Drawing]:
    return [*bar_drawings(comparison)] if _has_figure(comparison, "study-bars") else []


def _roc(comparison: StudyComparison) -> SectionContent:
    of_arms = [[panel for panel in comparison.roc_panels if panel.arm == arm] for arm in comparison.arms or ("",)]
    drawings = [roc_drawing(comparison, i, panels) for i, panels in enumerate(of_arms, start=1) if panels]
    return SectionContent(text("study-roc.title"), [SectionText(drawings=drawings)])


def _epochs(comparison: StudyComparison) -> SectionContent:
    words = SectionText([text("study-epochs", is_tested=_selects_by_test_images(comparison))])
    blocks = [
        SectionText(heading=_of_part(part), drawings=[*epoch_drawing(comparison, i, part)])
        for i, part in enumerate(comparison.datasets, start=1)
    ]
    return SectionContent(text("study-epochs.title"), [words, *blocks] if comparison.curves else ())


def _selects_by_test_images(comparison: StudyComparison) -> bool:
    """Return whether test images take the place of validation images in a published protocol."""
    return any(stamp.key == "checkpoint_selection_set" for stamp in comparison.protocols)


def _merged(comparison: StudyComparison) -> SectionContent:
    of_classes = [row for row in comparison.merged if row.class_name is not None]
    of_all = [row for row in comparison.merged if row.class_name is None]
    rows: list[list[Cell]] = [
        [
            _of_size(row.dataset, row.train_per_class),
            row.name,
            row.class_name or "",
            count(row.n_single),
            *(estimate(row.single[name]) for name in COUNTED_CLASS_METRICS),
            row.merged,
            count(row.n_merged),
            *(estimate(row.with_others[name]) for name in COUNTED_CLASS_METRICS),
        ]
        for row in of_classes
    ]
    heading = text("study-merged.heading") if of_all else ""
    section = _table_section("study-merged", rows, text_at=(1, 2, 7), heading=heading)
    if not of_all:
        return section
    names = [name for name in dict.fromkeys(("accuracy", comparison.metric)) if name in of_all[0].single]
    first, *others = _headings("study-merged-all")
    columns = [
        *(first, *others[:2]),
        *(title for name in names for title in (METRICS[name].title, f"{METRICS[name].title}, {others[2]}")),
    ]
    of_datasets = SectionText(
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
    return replace(section, blocks=[of_datasets, *section.blocks])


def _fits(comparison: StudyComparison) -> SectionContent:
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


_REFERENCE = "B"  # the arm that the other arms of publications are described by


def _arms(comparison: StudyComparison) -> SectionContent:
    """Return what each arm is, the differences between arms, and the settings in which they differ."""
    legend = [f"{arm}: {text('study-arm', arm=arm)}" for arm in comparison.arms]
    if comparison.arms and comparison.papers and _REFERENCE not in comparison.arms:
        legend.append(text("study-arm-absent", arm=_REFERENCE, meaning=text("study-arm", arm=_REFERENCE)))
    if comparison.arms and not any(part.has_groups for part in comparison.datasets):
        legend.append(text("study-arms-without-groups"))
    columns, setting = _headings("study-arms"), _headings("study-arm-settings")
    rows = [
        (
            f"{row.arm} − {row.reference}",
            _of_size(row.dataset, row.train_per_class),
            row.name,
            number(row.value),
            number(row.reference_value),
            estimate(row.difference, is_signed=True),
        )
        for row in comparison.arm_differences
    ]
    stamps = [f"{stamp.trainings}: {stamp.sentence}" for stamp in comparison.protocols]
    table = _without_same(columns, rows, columns[1:3])
    explanation = [text("study-arms", metric=METRICS[comparison.metric].title)] if rows else []
    blocks = [
        SectionText(words=legend),
        replace(table, words=[*table.words, *explanation]),
        SectionText(
            heading=text("study-arm-settings.title"),
            columns=[*setting, *comparison.arms],
            rows=[(row.key, *row.values) for row in comparison.arm_settings],
            text_columns=comparison.arms,
        ),
        SectionText(words=stamps),
    ]
    return SectionContent(text("study-arms.title"), blocks if comparison.arms or stamps else ())


def _without_same(columns: Sequence[str], rows: Sequence[Sequence[Cell]], text_columns: Sequence[str]) -> SectionText:
    """Return a table without the text columns that have the same value in all rows; words state these values."""
    same = [k for k, title in enumerate(columns) if title in text_columns and len({row[k] for row in rows}) == 1]
    titles, *others = ([cell for k, cell in enumerate(row) if k not in same] for row in (columns, *rows))
    values = "; ".join(f"{columns[k]}: {rows[0][k]}" for k in same if rows[0][k] not in ("", "–"))
    words = [text("study-same-in-all-rows", values=values)] if values else []
    shown = [title for title in text_columns if title in titles]
    return SectionText(words, list(map(str, titles)), others, shown)


def _papers(comparison: StudyComparison, titles: Container[str]) -> Iterator[SectionContent]:
    """Yield the tables and figures of each publication, in its order.

    Args:
        comparison: the results of the study.
        titles: of the other sections of the report.
    """
    for paper in comparison.papers:
        overview: list[tuple[str, str, str]] = []
        tables: list[SectionText] = []
        for item in paper.items:
            table = _published_rows(comparison, paper.publication, item.item)
            heading = text("study-paper-item", item=item.item, title=item.title)
            tables += [replace(each, heading=heading) for each in table]
            shown = [title for code in item.sections if (title := _title_of(code)) in titles]
            overview.append((item.item, item.title, _counterpart(item, shown, has_values=bool(table))))
        schemas = text("study-paper-schemas", items=paper.schemas)
        columns = _headings("study-paper")
        first = SectionText([str(paper.protocol), schemas], columns, overview, columns[1:])
        words = [SectionText([text("study-published")])] if tables else []
        yield SectionContent(text("study-paper", publication=paper.publication), [first, *words, *tables])


def _counterpart(item: PaperItem, shown: Sequence[str], *, has_values: bool) -> str:
    """Return where the report shows the counterpart of a table or figure, or which command makes it.

    Args:
        item: of the publication.
        shown: titles of the sections of the report with the counterpart.
        has_values: whether the report lists the published values.
    """
    places = [text("study-paper-section", sections=listed(shown), n=len(shown))] if shown else []
    if not shown:
        places.append(
            text("study-paper-command", command=item.command) if item.command else text("study-paper-missing")
        )
    return " ".join([*places, *([text("study-paper-values")] if has_values else [])])


def _title_of(code: str) -> str:
    """Return the title of a section by its code; some sections have no other text."""
    return text(code if code == "study-confusions" else f"{code}.title")


def _published_rows(comparison: StudyComparison, publication: str, item: str) -> list[SectionText]:
    """Return the table of published values, and the networks that this study lacks; empty if there are no values."""
    figures = [
        row
        for row in comparison.published
        if row.publication == publication and (not item or row.source.split(", ")[0] == item)
    ]
    rows = [
        (
            row.name,
            row.dataset,
            row.class_name or ("–" if row.metric in QUANTITIES else text("study-images", images=row.images)),
            _title_of_value(row.metric),
            _published_value(row),
            *(_shown_value(row, 3)(row.own.get(arm)) for arm in comparison.arms or ("",)),
            *(() if item else (row.source,)),
        )
        for row in figures
    ]
    if not rows:
        return []
    columns = _headings("study-published", arms=" | ".join(comparison.arms or (text("study-published.own"),)))
    if item:  # its heading states the source
        table = _without_same(columns[:-1], rows, columns[1:4])
    else:
        table = SectionText((), columns, rows, [*columns[1:4], columns[-1]])
    measured = {row.name for row in figures if row.own}
    missing = dict.fromkeys(row.name for row in figures if row.name not in measured)
    words = [text("study-paper-without", names=listed([*missing]))] if missing else []
    return [replace(table, words=[*table.words, *words])]


def _title_of_value(metric: str) -> str:
    """Return the title of a metric or quantity of published values."""
    if metric in QUANTITIES:
        return text("published-quantity", quantity=metric)
    return text("class-metric", metric=metric) if metric in COUNTED_CLASS_METRICS else METRICS[metric].title


def _shown_value(row: PublishedFigure, digits: int) -> Callable[[float | None], str]:
    """Return what formats the values of a row: metrics with so many decimals, quantities with four digits."""
    if row.metric in QUANTITIES:
        return lambda value: "–" if value is None else localized_number(f"{value:.4g}")
    return partial(signed if row.is_difference else number, digits=digits)


def _published_value(row: PublishedFigure) -> str:
    shown = _shown_value(row, 4)
    value = shown(row.value) if row.high is None else spanned(row.value, row.high, shown)
    return value if row.sd is None else f"{value} ± {number(row.sd)}"


def _settings(comparison: StudyComparison) -> SectionContent:
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
    return localized_number(f"{low:g}" if low == high else f"{low:g}–{high:g}")


def write_study_report(comparison: StudyComparison, file: Path) -> None:
    """Write the report as a self-contained file. Its figures are also written to `figures/`."""
    metric = METRICS[comparison.metric]
    with in_language(ENGLISH):  # also if a page in another language asks for it
        sections, figures = study_sections(comparison, file.parent), file.with_name("figures")
        html = page(
            name=text("study-report-name", name=file.absolute().parent.name, publications=_publications(comparison)),
            headline=_title(comparison),
            lead=[
                text(
                    "study-summary",
                    metric=metric.title,
                    n_arms=len(comparison.arms),
                    n_missing=sum(row.n_missing for part in comparison.datasets for row in part.scores),
                    is_instant=is_instant(comparison),
                )
            ],
            sections=sections,
            figures=figures,
            is_wide=True,
        )
        write_text(file, html)
        write_results(file.with_name("results.json"), sections, figures)


def _title(comparison: StudyComparison) -> str:
    networks = dict.fromkeys(row.name for part in comparison.datasets for row in part.scores)
    datasets = dict.fromkeys(
        next(
            (name for arm in comparison.arms if (name := part.dataset.removesuffix(f", {arm}")) != part.dataset),
            part.dataset,
        )
        for part in comparison.datasets
    )
    names = {"networks": listed([*networks], 4), "datasets": listed([*datasets], 4)}
    return text("study-title", **names, publications=_publications(comparison), n_arms=len(comparison.arms))


def _publications(comparison: StudyComparison) -> str:
    return listed([paper.publication for paper in comparison.papers]) or "none"
