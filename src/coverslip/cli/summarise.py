"""`coverslip summarise`: class proportions of samples and conditions."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from coverslip.cli._options import AsJson, ForExcel, argument, check_excel, mark_tables, option

if TYPE_CHECKING:
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
    from coverslip.cli._show import notes_console, results_console, show_sections
    from coverslip.reports.proportions import assumption_of, proportion_sections, shown_classes, warnings_of

    console = results_console()
    show_sections(console, proportion_sections(summary, shown_classes(summary)), has_folded=True)
    console.print(assumption_of(summary) if summary.is_corrected else summary.assumption, soft_wrap=True)
    for sentence in warnings_of(summary):
        notes_console().print(sentence, soft_wrap=True)
