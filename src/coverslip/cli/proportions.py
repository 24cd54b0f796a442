"""`coverslip summarise` and `spot-check`: class proportions of predicted images, and checks of them by labels."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from coverslip.cli._options import AsJson, ForExcel, argument, check_excel, mark_tables, option, usage_error
from coverslip.messages import text

if TYPE_CHECKING:
    from coverslip.evaluation.sample_proportions import SampleProportions, Summary
    from coverslip.inference.spot_check import SpotCheckDraw


def summarise(
    predictions: Annotated[list[Path], argument("PREDICTIONS…", "help-summarise-predictions")],
    by: Annotated[str, option("--by COLUMN", "help-summarise-by")],
    condition: Annotated[str | None, option("--condition COLUMN", "help-summarise-condition")] = None,
    block: Annotated[str | None, option("--block COLUMN", "help-summarise-block")] = None,
    table: Annotated[Path | None, option("--table FILE", "help-summarise-table")] = None,
    run: Annotated[Path | None, option("--run RUN", "help-summarise-run")] = None,
    control: Annotated[str | None, option("--control CONDITION", "help-summarise-control")] = None,
    out: Annotated[Path | None, option("--out FILE", "help-summarise-out")] = None,
    report: Annotated[Path | None, option("--report FILE", "help-summarise-report")] = None,
    prism: Annotated[Path | None, option("--prism FILE", "help-summarise-prism")] = None,
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

      coverslip summarise plate.csv --by well --condition dose --control 0 --run runs/first --report plate.html
    """
    from coverslip.cli._show import print_json
    from coverslip.inference.summarising import summarise as summarise_predictions
    from coverslip.inference.summarising import write_grouped, write_summary
    from coverslip.reports.proportions_page import write_proportions_report

    check_excel([out, prism], for_excel=for_excel)
    summary = summarise_predictions(
        predictions,
        by=by,
        condition=condition,
        block=block,
        table=table,
        run=run,
        control=control,
    )
    if out is not None:
        write_summary(summary, out)
    if report is not None:
        write_proportions_report(summary, report)
    if prism is not None:
        write_grouped(summary, prism)
    mark_tables([out, prism], for_excel=for_excel)
    if as_json:
        print_json(_summary_as_json(summary))
    else:
        _show_summary(summary)


def _summary_as_json(summary: "Summary") -> dict[str, object]:
    samples = {key: [*map(_sample_as_json, getattr(summary, key))] for key in ("samples", "conditions")}
    comparisons = [
        {"class": each.pop("name"), **each, "reason": each["difference"]["reason"]}
        for each in map(asdict, summary.comparisons)
    ]
    return {"format_version": 1} | asdict(summary) | samples | {"comparisons": comparisons}


def _sample_as_json(sample: "SampleProportions") -> dict[str, object]:
    classes = {
        name: {
            "count": each.count,
            "raw": asdict(each.raw),
            "corrected": None if each.corrected.value is None else asdict(each.corrected),
            "unclipped": each.unclipped,
            "reason": each.corrected.reason,
        }
        for name, each in sample.classes.items()
    }
    return asdict(sample) | {"classes": classes}


def _show_summary(summary: "Summary") -> None:
    from coverslip.cli._show import notes_console, results_console, show_sections
    from coverslip.reports.proportions_page import brief_sections, values_of_samples, warnings_of

    console = results_console()
    show_sections(console, brief_sections(summary), has_folded=True)
    shift = summary.label_shift
    if summary.is_corrected and shift is not None and not shift.violated:
        console.print(text("summary-valid-if", points=100 * shift.detectable), soft_wrap=True)
    elif not summary.is_corrected:
        console.print(summary.assumption, soft_wrap=True)
    for sentence in values_of_samples(summary):
        console.print(sentence, soft_wrap=True)
    if n := sum(each.n_uncertain + each.n_unfamiliar for each in summary.samples):
        n_images = sum(each.n for each in summary.samples)
        console.print(
            text("summary-by-probabilities", n=n, n_images=n_images, are_objects=summary.are_objects), soft_wrap=True
        )
    for sentence in warnings_of(summary):
        notes_console().print(sentence, soft_wrap=True)
    console.print(text("command-after-summarise"), soft_wrap=True)


# `coverslip spot-check`: draw predicted images to label, and compare the labels with the predictions.


def spot_check(
    predictions: Annotated[list[Path], argument("PREDICTIONS…", "help-summarise-predictions")],
    n: Annotated[int, option("-n N", "help-spot-check-n", min=1)] = 100,
    by: Annotated[str | None, option("--by COLUMN", "help-spot-check-by")] = None,
    condition: Annotated[str | None, option("--condition COLUMN", "help-spot-check-condition")] = None,
    table: Annotated[Path | None, option("--table FILE", "help-summarise-table")] = None,
    run: Annotated[Path | None, option("--run RUN", "help-spot-check-run")] = None,
    half_width: Annotated[float, option("--half-width SHARE", "help-spot-check-half-width")] = 0.05,
    seed: Annotated[int, option("--seed N", "help-spot-check-seed", min=0)] = 0,
    out: Annotated[Path | None, option("--out FILE", "help-spot-check-out")] = None,
    labels: Annotated[Path | None, option("--labels FILE", "help-spot-check-labels")] = None,
    for_excel: ForExcel = False,
    as_json: AsJson = False,
) -> None:
    """Check the predictions of new images by labels of some of them, drawn at random.

    First, --out writes a table of images to label, without their predictions, and the number of labels that an
    interval of the requested width needs is shown. Label the images without looking at the predictions. Then --labels
    compares the labels with the predictions: the accuracy in each condition, and the proportion of each class by
    counts, by counts corrected for the errors on test images, by labels alone, and by labels and predictions together.
    The last estimate (prediction-powered inference) assumes nothing about the errors of the classifier.

    Examples:

      coverslip spot-check predictions.csv -n 100 --by well --condition dose --run runs/first --out to_label.csv

      coverslip spot-check predictions.csv --by well --condition dose --run runs/first --labels to_label.csv
    """
    from coverslip.cli._show import print_json, results_console, show_sections
    from coverslip.inference import spot_check as checks
    from coverslip.reports.spot_check import spot_check_sections

    check_excel([out], for_excel=for_excel)
    if labels is not None:
        if out is not None:
            raise usage_error("usage-out-or-labels", hint="--out")
        result = checks.spot_check(predictions, labels, by=by, condition=condition, table=table, run=run)
        if as_json:
            print_json({"format_version": 1} | asdict(result))
        else:
            show_sections(results_console(), spot_check_sections(result), has_folded=True)
        return
    draw = checks.draw_spot_check(
        predictions,
        n=n,
        by=by,
        condition=condition,
        table=table,
        run=run,
        half_width=half_width,
        seed=seed,
        out=out,
    )
    mark_tables([out], for_excel=for_excel)
    if as_json:
        needed = [{"class": each.pop("name"), **each} for each in map(asdict, draw.needed)]
        print_json({"format_version": 1, **asdict(draw), "needed": needed})
    else:
        _show_draw(draw, out)


def _show_draw(draw: "SpotCheckDraw", out: Path | None) -> None:
    from coverslip.cli._show import filled_table, results_console
    from coverslip.inference.spot_check import EXCLUSIONS
    from coverslip.reports.reported import number

    console = results_console()
    console.print(text("spot-check-needed", points=100 * draw.half_width), soft_wrap=True)
    has_predictions = any(each.alone != each.with_predictions for each in draw.needed)
    heads = [text("column-condition"), text("column-class"), text("column-expected"), text("column-labels-alone")]
    rows = []
    for each in draw.needed:
        name = text("metric-accuracy") if each.name is None else each.name
        row = [each.condition or text("all-samples"), name, number(each.expected), _count(each.alone)]
        rows.append([*row, _count(each.with_predictions)] if has_predictions else row)
    if has_predictions:
        heads.append(text("column-labels-and-predictions"))
    console.print(filled_table(heads, rows))
    if out is not None:
        names = ", ".join((*draw.classes, *EXCLUSIONS))
        console.print(text("spot-check-drawn", n_images=len(draw.images), file=str(out), labels=names), soft_wrap=True)


def _count(n: int | None) -> str:
    return text("spot-check-more-than-all") if n is None else f"{n:,}"
