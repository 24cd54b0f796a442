"""`coverslip evaluate`, `compare`, `decide`, `report` and `export`: what follows a training."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coverslip.cli._options import (
    AllClasses,
    AsJson,
    Channels,
    Columns,
    CropSize,
    Device,
    Group,
    GroupPattern,
    RescaleImages,
    argument,
    channels_of,
    check_groups,
    columns_of,
    crop_size_of,
    one_or_all,
    option,
    usage_error,
)
from coverslip.messages import escape_controls, text

if TYPE_CHECKING:
    from rich.console import Console

    from coverslip.datasets.index.records import Dataset
    from coverslip.experiments.rethreshold import ThresholdChoice, Thresholds
    from coverslip.reports.comparison import Comparison
    from coverslip.runs.results import AdaptationRecord


def evaluate(
    run: Annotated[Path, argument("RUN", "help-trained-run")],
    data: Annotated[list[str] | None, argument("DATA", "help-evaluate-data")] = None,
    group: Group = None,
    group_pattern: GroupPattern = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    channels: Channels = None,
    rescale: RescaleImages = False,
    name: Annotated[str | None, option("--name NAME", "help-evaluate-name")] = None,
    device: Device = "auto",
    all_classes: AllClasses = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a classifier on labeled images.

    Each metric has a 95% confidence interval (CI), which shows how much it would vary with other test images.

    Examples:

      coverslip evaluate runs/first

      coverslip evaluate runs/first other_hospital/ --name other_hospital
    """
    check_groups(group, group_pattern)
    if not data and (group or group_pattern or columns or crop_size or channels or rescale or name):
        raise usage_error("usage-external-test-set")
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console, show_result
    from coverslip.cli.progress import shown_progress
    from coverslip.reports.reported import read_evaluation, read_run
    from coverslip.reports.verdict import verdict_as_json, verdict_of_run
    from coverslip.runs.folder import open_run
    from coverslip.runs.results import metrics_as_json

    dataset = None
    if data:
        dataset = pipeline.open_dataset(
            one_or_all(data),
            group=group,
            group_pattern=group_pattern,
            columns=columns_of(columns),
            crop_size=crop_size_of(crop_size) or open_run(run).recipe.crop_size,
            channels=channels_of(channels),
        )
    with shown_progress(notes_console()) as emit:
        evaluation = pipeline.evaluate(run, dataset, name=name, rescale=rescale, device=device, emit=emit)
    reported = read_evaluation(evaluation.folder) if data else read_run(evaluation.folder)
    if as_json:
        print_json({"verdict": verdict_as_json(verdict_of_run(reported)), **metrics_as_json(evaluation.metrics)})
    else:
        stdout = results_console()
        show_result(stdout, reported, all_classes=all_classes)
        if data:
            stdout.print(text("command-result-report", file=evaluation.report_file), soft_wrap=True)
        stdout.print(text("command-result-details", folder=evaluation.folder), soft_wrap=True)


# `coverslip adapt`: a classifier for another laboratory.


def adapt(
    run: Annotated[Path, argument("RUN", "help-trained-run")],
    new: Annotated[list[str], argument("NEW", "help-adapt-new")],
    out: Annotated[Path, option("--out RUN2", "help-adapt-out")],
    labels: Annotated[Path | None, option("--labels TABLE", "help-adapt-labels")] = None,
    without: Annotated[list[str] | None, option("--without PART", "help-adapt-without")] = None,
    group: Group = None,
    group_pattern: GroupPattern = None,
    columns: Columns = None,
    crop_size: CropSize = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Adapt a classifier to the images of another laboratory.

    If many new images are unfamiliar, images of both laboratories are matched: objects get the same size, and images
    the same stain. The last layer is then fitted again to the training images of RUN, which is not changed. Labels of
    some new images choose the best of several adapted classifiers, and show its accuracy there. Without labels the
    accuracy is not known, and decisions are `uncertain` or `unfamiliar`.

    Examples:

      coverslip suggest other_hospital/ --out to_label.csv

      coverslip adapt runs/first other_hospital/ --labels to_label.csv --out runs/adapted

      coverslip adapt runs/first other_hospital/ --out runs/not_checked
    """
    from coverslip.cli._show import notes_console, print_json, results_console
    from coverslip.cli.progress import shown_progress
    from coverslip.datasets.index.opening import open_dataset
    from coverslip.experiments.adapting import PARTS
    from coverslip.experiments.adapting import adapt as adapt_run

    check_groups(group, group_pattern)
    if unknown := [part for part in without or () if part not in PARTS]:
        raise usage_error("usage-adapt-part", hint="--without", name=unknown[0], names=", ".join(PARTS))
    images: Dataset | str | list[str] = one_or_all(new)
    size = crop_size_of(crop_size)
    if columns or crop_size:
        images = open_dataset(
            one_or_all(new),
            labeled=False,
            distinct=True,
            with_split=False,
            columns=columns_of(columns),
            crop_size=size,
        )
    of_labels = None
    if labels is not None:
        of_labels = open_dataset(labels, group=group, group_pattern=group_pattern, crop_size=size, with_split=False)
    parts = [part for part in PARTS if part not in (without or ())]
    with shown_progress(notes_console()) as emit:
        record = adapt_run(run, images, of_labels, out=out, parts=parts, device=device, emit=emit)
    if as_json:
        print_json(record.model_dump(mode="json"))
    elif record.selected is not None:
        show_adaptation(results_console(), record, out)


def show_adaptation(console: "Console", record: "AdaptationRecord", folder: Path) -> None:
    """Print what was adapted, and the accuracy in both laboratories."""
    from coverslip.evaluation.results import Metric
    from coverslip.reports.reported import percent, range_after

    accuracy = record.accuracy or Metric(value=None)
    home = [None if value is None else percent(value) for value in (record.home_before, record.home_after)]
    for code in ("command-adapted", "command-adapted-labels", "command-adapted-home"):
        console.print(
            text(
                code,
                selected=record.selected,
                n_images=record.n_images,
                is_known=record.n_unfamiliar is not None,
                n_unfamiliar=record.n_unfamiliar or 0,
                zoom_home=record.zoom[0],
                zoom_new=record.zoom[1],
                has_fixed_stain=record.has_fixed_stain,
                is_inverted=record.is_inverted,
                is_matched=max(record.zoom) > 1 or record.has_fixed_stain or record.is_inverted,
                n_labels=record.n_labels,
                n_right=record.n_right or 0,
                n_right_before=record.n_right_before or 0,
                accuracy=percent(accuracy.value or 0) + range_after(accuracy, percent),
                home_before=home[0] or "?",
                home_after=home[1] or "?",
            ),
            soft_wrap=True,
        )
    console.print(text("command-result-details", folder=folder), soft_wrap=True)


# `coverslip compare`: compare runs, with the statistical significance of their difference.


def compare(
    runs: Annotated[list[Path], argument("RUN RUN…", "help-compare-runs")],
    as_json: AsJson = False,
) -> None:
    """Compare runs on the same test images.

    The difference has a 95% confidence interval (CI), computed over groups if groups are known. Paired differences are
    more precise than the two results, because both runs predict the same images. Overlapping intervals of single
    results do not show whether the two runs differ.

    Examples:

      coverslip compare runs/first runs/second
    """
    from coverslip import pipeline
    from coverslip.cli._show import print_json, results_console

    comparison = pipeline.compare(runs)
    if as_json:
        print_json(_comparison_as_json(comparison))
    else:
        _show_comparison(results_console(), comparison)


def _comparison_as_json(comparison: "Comparison") -> dict[str, object]:
    field_names = ("value", "low", "high", "level", "method", "reason")
    pairs = [
        {
            "a": pair.first,
            "b": pair.second,
            "metric": row.name,
            "labels": numbers.labels,
            "difference": {name: getattr(row, name) for name in field_names},
            "a_value": row.first,
            "b_value": row.second,
            "p": row.p,
            "mcnemar_p": numbers.mcnemar.p,
            "mcnemar_reason": numbers.mcnemar.reason,
            "n": pair.n,
            "n_groups": pair.n_groups,
            "n_ungrouped": pair.n_ungrouped,
            "n_by_content": pair.n_by_content,
        }
        for pair in comparison.pairs
        for numbers in pair.numbers
        for row in numbers.differences
    ]
    notes = [{"a": pair.first, "b": pair.second, "text": note} for pair in comparison.pairs for note in pair.notes]
    return {
        "format_version": 1,
        "runs": [
            {
                "run": row.name,
                "model": row.model,
                "n": row.n,
                **asdict(row.fit),
                "n_adapted_labels": row.n_adapted_labels,
                "adapted_accuracy": None if row.adapted_accuracy is None else asdict(row.adapted_accuracy),
            }
            for row in comparison.rows
        ],
        "differing": [asdict(differing) for differing in comparison.differing],
        "pairs": pairs,
        "notes": notes,
        "conclusion": comparison.conclusion,
        "access_note": comparison.access_note,
    }


def _show_comparison(console: "Console", comparison: "Comparison") -> None:
    from coverslip.cli._show import show_sections
    from coverslip.reports.comparison import comparison_sections

    for sentence in filter(None, (comparison.conclusion, comparison.access_note)):
        console.print(sentence, soft_wrap=True)
    show_sections(console, comparison_sections(comparison), has_folded=True)


# `coverslip decide`: change the decision thresholds of a classifier without retraining.

_TARGETS = (1.0, 0.99, 0.975, 0.95, 0.925, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.25)  # sensitivities
_ROUNDING = 1e-9


def decide(
    run: Annotated[Path, argument("RUN", "help-trained-run")],
    sensitivity: Annotated[float | None, option("--sensitivity", "help-decide-sensitivity")] = None,
    specificity: Annotated[float | None, option("--specificity", "help-decide-specificity")] = None,
    threshold: Annotated[float | None, option("--threshold", "help-decide-threshold")] = None,
    by_roc: Annotated[bool, option("--roc", "help-decide-roc")] = False,
    error_rate: Annotated[float | None, option("--error-rate", "help-decide-error-rate")] = None,
    positive: Annotated[str | None, option("--positive CLASS", "help-decide-positive")] = None,
    default: Annotated[bool, option("--default", "help-decide-default")] = False,
    as_json: AsJson = False,
) -> None:
    """Choose the decision threshold without training again.

    Thresholds are chosen on validation images, never on test images, and saved in the classifier, so that predict uses
    them. After cross-validation they are chosen on the images of all folds, each predicted by a network that was
    trained without it. Predictions and metrics of the test images and the report are updated. Without an option: show
    the choices.

    Examples:

      coverslip decide runs/first

      coverslip decide runs/first --sensitivity 0.98

      coverslip decide runs/first --threshold 0.3

      coverslip decide runs/first --default
    """
    targets = {"sensitivity": sensitivity, "specificity": specificity}
    aims = [(name, share) for name, share in targets.items() if share is not None]
    if len(aims) + (threshold is not None) + by_roc + default > 1:
        raise usage_error("usage-one-decision-rule")
    if threshold is not None and not 0 < threshold < 1:
        raise usage_error("usage-threshold")
    for name, share in {**targets, "error-rate": error_rate}.items():
        if share is not None and share > 1:
            is_percent = share <= 100
            raise usage_error("usage-share", option=f"--{name}", is_percent=is_percent, share=f"{share / 100:g}")
    from coverslip import pipeline
    from coverslip.cli._show import notes_console, print_json, results_console, show_result, show_sections
    from coverslip.cli.progress import shown_progress
    from coverslip.experiments.rethreshold import thresholds_of
    from coverslip.reports.reported import read_run
    from coverslip.reports.sections.classes import TWO_CLASSES
    from coverslip.reports.sections.results import uncertain_words
    from coverslip.reports.verdict import verdict_as_json, verdict_of_run
    from coverslip.runs.folder import open_run
    from coverslip.runs.results import metrics_as_json

    if not (aims or threshold is not None or by_roc or default or error_rate is not None or positive is not None):
        thresholds = thresholds_of(open_run(run))
        if as_json:
            print_json({"thresholds": None if thresholds is None else asdict(thresholds)})
        else:
            _show_thresholds(results_console(), thresholds)
        return
    choices: dict[str, Any] = {"decide_by": "roc" if by_roc else "highest"}  # Any: a type per key
    if aims:
        choices = {"decide_by": aims[0][0], "target": aims[0][1]}
    if threshold is not None:
        choices = {"decide_by": "threshold", "threshold": threshold}
    with shown_progress(notes_console()) as emit:
        decided = pipeline.decide(run, **choices, error_rate=error_rate, positive_class=positive, emit=emit)
    reported_run = read_run(decided.folder)
    if as_json:
        print_json({"verdict": verdict_as_json(verdict_of_run(reported_run)), **metrics_as_json(decided.metrics)})
        return
    stdout = results_console()
    show_result(stdout, reported_run)
    if TWO_CLASSES.applies(reported_run):
        show_sections(stdout, [TWO_CLASSES.content(reported_run)], has_folded=False)
    if not uncertain_words(reported_run):
        stdout.print(text("command-none-uncertain"), soft_wrap=True)


def _show_thresholds(console: "Console", thresholds: "Thresholds | None") -> None:
    from coverslip.cli._show import filled_table
    from coverslip.datasets.names import one_line
    from coverslip.reports.metric_rows import column_titles
    from coverslip.reports.reported import decision_images, number

    if thresholds is None:
        console.print(text("command-no-thresholds"), soft_wrap=True)
        return
    label, threshold = one_line(thresholds.positive, 60), f"{thresholds.threshold:.3g}"
    console.print(text("command-threshold", label=label, threshold=threshold), soft_wrap=True)
    sentence = text(
        "command-thresholds",
        image_set=decision_images(thresholds.calibrated_on),
        n_positive=thresholds.n_positive,
        n_negative=thresholds.n_negative,
    )
    console.print(sentence, soft_wrap=True)
    usual_choices = shown_choices(thresholds.choices, thresholds.threshold)
    rows = [
        (
            text("command-threshold-in-use", threshold=f"{choice.threshold:.3g}")
            if choice.threshold == thresholds.threshold
            else f"{choice.threshold:.3g}",
            f"{number(choice.sensitivity)} (≥ {number(choice.least_sensitivity)})",
            f"{number(choice.specificity)} (≥ {number(choice.least_specificity)})",
            *map(number, (choice.ppv, choice.npv)),
        )
        for choice in usual_choices
    ]
    columns = column_titles("column-threshold", "column-sensitivity", "column-specificity", "column-ppv", "column-npv")
    console.print(filled_table(columns, rows))
    console.print(text("command-threshold-bounds"), soft_wrap=True)
    if len(usual_choices) < len(thresholds.choices):
        console.print(
            text("command-thresholds-shown", n_shown=len(usual_choices), n_thresholds=len(thresholds.choices))
        )


def shown_choices(choices: "Sequence[ThresholdChoice]", in_use: float) -> "list[ThresholdChoice]":
    """Return the thresholds for common target sensitivities and the threshold in use, the lowest first.

    `choices` are sorted by increasing sensitivity.
    """
    usual_choices = {
        next(choice for choice in choices if choice.sensitivity > target - _ROUNDING) for target in _TARGETS
    }
    return [choice for choice in reversed(choices) if choice in usual_choices or choice.threshold == in_use]


# `coverslip report` and `coverslip export`: rewrite the report of a run, and write its classifier as one file.


def report(run: Annotated[Path, argument("RUN", "help-run")]) -> None:
    """Write the report of a run again.

    The report is RUN/report.html, one file that opens in any browser. Its figures are in RUN/figures/ as SVG and PNG,
    with their numbers as CSV. RUN/model_card.md is the model card. An evaluation on an external test set has its own
    report.

    Examples:

      coverslip report runs/first

      coverslip report runs/first/evaluations/other_hospital
    """
    from coverslip import pipeline
    from coverslip.cli._show import notes_console
    from coverslip.cli.progress import shown_progress

    with shown_progress(notes_console()) as emit:
        file = pipeline.write_report(run, emit)
    typer.echo(escape_controls(str(file)))


def export(
    run: Annotated[Path, argument("RUN", "help-export-run")],
    to: Annotated[str, option("--to FORMAT", "help-export-to")],
    out: Annotated[Path | None, option("--out PATH", "help-export-out")] = None,
    authors: Annotated[list[str] | None, option("--author NAME", "help-export-author")] = None,
    license_: Annotated[str | None, option("--license SPDX", "help-export-license")] = None,
    citation: Annotated[str | None, option("--citation TEXT", "help-export-citation")] = None,
    as_json: AsJson = False,
) -> None:
    """Export a classifier as one file, or for other programs.

    The file contains no images and no file names, and nothing in it can run code. An export for other programs is
    compared with the classifier on validation images of the run. If both do not agree, nothing is written.

    Examples:

      coverslip export runs/first --to zip --out blood_cells.coverslip

      coverslip predict blood_cells.coverslip new_images/ --out predictions.csv

      coverslip export runs/first --to onnx --out blood_cells_onnx

      coverslip export runs/first --to bioimageio --author 'Ada Kern' --license CC-BY-4.0 --citation 'https://doi.org/…'
    """
    from coverslip import pipeline

    if to not in pipeline.EXPORT_NAMES:
        from coverslip.datasets.names import one_line

        raise usage_error("usage-export-format", format=one_line(to, 40), formats=", ".join(pipeline.EXPORT_NAMES))
    from coverslip.cli._show import notes_console, print_json, results_console, size_in_words

    file = pipeline.export(run, to=to, out=out, authors=authors or (), license=license_, citation=citation)
    size = sum(each.stat().st_size for each in (file, *file.rglob("*")) if each.is_file())
    verification = {} if to == "zip" else json.loads((file / "verification.json").read_text("utf-8"))
    if as_json:
        print_json({"file": str(file), "size_bytes": size, **({"verification": verification} if verification else {})})
        return
    if verification.get("are_drawn"):
        notes_console().print(text("export-verified-by-drawn-images", n_images=verification["n"]), soft_wrap=True)
    line = text("command-result-classifier", file=file, size=size_in_words(size))
    results_console().print(line, soft_wrap=True)
