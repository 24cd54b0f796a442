"""`coverslip summarise`: class proportions of samples and conditions."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from coverslip.cli._options import AsJson, ForExcel, argument, check_excel, mark_tables, option
from coverslip.messages import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from coverslip.evaluation.sample_proportions import SampleProportions, Summary


def summarise(
    predictions: Annotated[list[Path], argument("PREDICTIONS…", "help-summarise-predictions")],
    by: Annotated[str, option("--by COLUMN", "help-summarise-by")],
    condition: Annotated[str | None, option("--condition COLUMN", "help-summarise-condition")] = None,
    block: Annotated[str | None, option("--block COLUMN", "help-summarise-block")] = None,
    table: Annotated[Path | None, option("--table FILE", "help-summarise-table")] = None,
    run: Annotated[Path | None, option("--run RUN", "help-summarise-run")] = None,
    time: Annotated[str | None, option("--time COLUMN", "help-summarise-time")] = None,
    detect: Annotated[float | None, option("--detect DIFFERENCE", "help-summarise-detect")] = None,
    out: Annotated[Path | None, option("--out FILE", "help-summarise-out")] = None,
    report: Annotated[Path | None, option("--report FILE", "help-summarise-report")] = None,
    negative: Annotated[str | None, option("--negative CONDITION", "help-summarise-negative")] = None,
    positive: Annotated[str | None, option("--positive CONDITION", "help-summarise-positive")] = None,
    prism: Annotated[Path | None, option("--prism FILE", "help-summarise-prism")] = None,
    plate_map: Annotated[Path | None, option("--plate-map FILE", "help-summarise-plate-map")] = None,
    for_excel: ForExcel = False,
    as_json: AsJson = False,
) -> None:
    """Count the classes in each sample, correct the proportions, and compare conditions.

    Counts of predictions are biased by errors of the classifier. With --run, proportions are corrected by its errors on
    test images, and intervals include these errors and the differences between samples. The correction assumes that
    error rates are the same in all samples as on these test images. Each sample has the same weight. An image counts
    for its predicted class, or by its probabilities if its decision is `uncertain` or `unfamiliar`.

    Conditions are compared with the sample as the unit, if each condition has at least three samples. With --block,
    they are compared within experiment days, batches or patients, if at least three of these contain both conditions.

    Examples:

      coverslip summarise predictions.csv --by folder --run runs/first

      coverslip summarise plate.csv --by well --condition dose --table layout.csv --run runs/first

      coverslip summarise smears.csv --by patient --condition visit --block patient --run runs/first

      coverslip summarise plate.csv --by well --condition dose --negative 0 --positive 10 --plate-map plate.svg

      coverslip summarise movie.csv --by position --condition drug --time hours --run runs/first --report movie.html
    """
    from coverslip.cli._show import print_json
    from coverslip.evaluation.sample_proportions import shares_of_samples
    from coverslip.inference.proportions import summarise as summarise_predictions
    from coverslip.inference.proportions import write_grouped, write_summary
    from coverslip.reports.plate_map import write_plate_map
    from coverslip.reports.proportions import shown_classes, write_proportions_report

    check_excel([out, prism], for_excel=for_excel)
    summary = summarise_predictions(
        predictions,
        by=by,
        condition=condition,
        block=block,
        table=table,
        run=run,
        time=time,
        detect=detect,
        negative=negative,
        positive=positive,
    )
    if out is not None:
        write_summary(summary, out)
    if report is not None:
        write_proportions_report(summary, report)
    if prism is not None:
        write_grouped(summary, prism)
    mark_tables([out, prism], for_excel=for_excel)
    if plate_map is not None:
        shares = {name: shares_of_samples(summary.samples, name) for name in shown_classes(summary)}
        write_plate_map([str(each.sample) for each in summary.samples], shares, plate_map)
    if as_json:
        print_json(_as_json(summary))
    else:
        _show(summary)


def _as_json(summary: "Summary") -> dict[str, object]:
    return {
        "format_version": 1,
        "samples": [_sample_as_json(each) for each in summary.samples],
        "conditions": [_sample_as_json(each) for each in summary.conditions],
        "series": [_sample_as_json(each) for each in summary.series],
        "method": summary.method,
        "assumption": summary.assumption,
        "correlations": summary.correlations,
        "cautions": summary.cautions,
        "similar_samples": summary.similar_samples,
        "similar_conditions": summary.similar_conditions,
        "similar_blocks": summary.similar_blocks,
        "label_shift": None if summary.label_shift is None else asdict(summary.label_shift),
        "comparisons": [{**_named(asdict(each)), "reason": each.difference.reason} for each in summary.comparisons],
        "controls": [_named(asdict(each)) for each in summary.controls],
        "samples_needed": [_named(asdict(each)) for each in summary.samples_needed],
        "trends": [_named(asdict(each)) for each in summary.trends],
    }


def _sample_as_json(sample: "SampleProportions") -> dict[str, object]:
    classes = {
        name: {
            "count": each.count,
            "raw": asdict(each.raw),
            "corrected": None if each.corrected.value is None else asdict(each.corrected),
            "unclipped": each.unclipped,
            "reason": each.corrected.reason,
            "z_score": each.z_score,
        }
        for name, each in sample.classes.items()
    }
    return asdict(sample) | {"classes": classes}


def _named(record: dict[str, object]) -> dict[str, object]:
    return {"class": record.pop("name"), **record}


def _show(summary: "Summary") -> None:
    from coverslip.cli._show import filled_table, notes_console, results_console
    from coverslip.reports.proportions import (
        compared_units,
        difference_name,
        digits_of,
        needed_number,
        needed_title,
        needed_units,
        shift_words,
        similar_names_of,
    )
    from coverslip.reports.tables import Estimate, estimate
    from coverslip.reports.words import number, p_value, signed, with_interval

    console = results_console()
    digits = {name: digits_of(summary, name) for name in summary.classes}
    for samples, title in ((summary.samples, text("column-sample")), (summary.conditions, text("column-condition"))):
        console.print(_table_of(samples, title, digits, is_corrected=summary.is_corrected))
    if at_times := [each for each in summary.series if each.sample is None]:
        title = text("column-condition")
        console.print(_table_of(at_times, title, digits, is_corrected=summary.is_corrected, has_times=True))
    if summary.comparisons:
        heads = [*map(text, ("column-conditions", "column-class", "column-samples"))]
        rows: list[tuple[str | Estimate, ...]] = [
            (
                difference_name(each),
                each.name,
                compared_units(each),
                estimate(each.difference, is_signed=True, digits=digits[each.name]),
                signed(each.effect_size, 2),
                p_value(each.p),
                p_value(each.p_holm),
            )
            for each in summary.comparisons
        ]
        heads += [with_interval(text("column-difference")), text("column-effect-size"), "p", "p (Holm)"]
        console.print(filled_table(heads, rows))
    if summary.trends:
        rows = [
            (each.name, estimate(each.odds_ratio, digits=5), p_value(each.p), p_value(each.p_holm))
            for each in summary.trends
        ]
        console.print(
            filled_table((text("column-class"), with_interval(text("column-odds-ratio")), "p", "p (Holm)"), rows)
        )
    if summary.controls:
        titles = ("column-plate", "column-class", "column-negative-controls", "column-positive-controls")
        quality = [
            (
                each.plate or text("all-samples"),
                each.name,
                f"{each.n_negative}",
                f"{each.n_positive}",
                number(each.z_prime),
            )
            for each in summary.controls
        ]
        console.print(filled_table((*map(text, titles), "Z′"), quality))
    if summary.samples_needed:
        first = summary.samples_needed[0]
        console.print(needed_title(first), soft_wrap=True)
        needed = [(each.name, needed_number(each)) for each in summary.samples_needed]
        console.print(filled_table((text("column-class"), needed_units(first)), needed))
    console.print(summary.assumption, soft_wrap=True)
    reasons = dict.fromkeys(
        metric.reason
        for each in (*summary.samples, *summary.conditions)
        for metric in (of_class.corrected for of_class in each.classes.values())
        if summary.is_corrected and metric.reason
    )
    for sentence in (*summary.cautions, *similar_names_of(summary)):
        notes_console().print(sentence, soft_wrap=True)
    for reason in reasons:
        notes_console().print(reason, soft_wrap=True)
    if (shift := summary.label_shift) is not None:
        (notes_console() if shift.violated else console).print(shift_words(shift), soft_wrap=True)


def _table_of(
    samples: "Sequence[SampleProportions]",
    title: str,
    digits: "Mapping[str, int]",
    *,
    is_corrected: bool,
    has_times: bool = False,
) -> "Table":
    from coverslip.cli._show import filled_table
    from coverslip.reports.tables import Estimate, estimate
    from coverslip.reports.words import with_interval

    heads: tuple[str, ...] = (title, *((text("column-time"),) if has_times else ()), text("column-class"))
    heads = (*heads, text("column-images"), text("column-count"), with_interval(text("column-raw")))
    rows: list[tuple[str | Estimate, ...]] = []
    for sample in samples:
        name = sample.sample or sample.condition or text("all-samples")
        for of_class, proportion in sample.classes.items():
            time = () if sample.time is None else (f"{sample.time:g}",)
            metrics = (proportion.raw, proportion.corrected) if is_corrected else (proportion.raw,)
            numbers = (estimate(each, digits=digits[of_class]) for each in metrics)
            rows.append((name, *time, of_class, f"{sample.n:,}", f"{proportion.count:,.0f}", *numbers))
    if is_corrected:
        heads = (*heads, with_interval(text("column-corrected")))
    return filled_table(heads, rows)
