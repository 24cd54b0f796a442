"""`coverslip decide`: change the decision thresholds of a classifier without retraining."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from coverslip.cli._options import AsJson, argument, option, usage_error
from coverslip.messages import text

if TYPE_CHECKING:
    from rich.console import Console

    from coverslip.experiments.rethreshold import ThresholdChoice, Thresholds

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
    from coverslip.cli._show import notes_console, print_json, results_console, show_result
    from coverslip.cli.progress import shown_progress
    from coverslip.experiments.rethreshold import thresholds_of
    from coverslip.reports.reported import read_run
    from coverslip.reports.sections.results import uncertain_words
    from coverslip.reports.verdict import verdict_as_json, verdict_of_run
    from coverslip.runs import metrics_as_json, open_run

    if not (aims or threshold is not None or by_roc or default or error_rate is not None or positive is not None):
        thresholds = thresholds_of(open_run(run))
        if as_json:
            print_json({"thresholds": None if thresholds is None else asdict(thresholds)})
        else:
            _show(results_console(), thresholds)
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
    if not uncertain_words(reported_run):
        stdout.print(text("command-none-uncertain"), soft_wrap=True)


def _show(console: "Console", thresholds: "Thresholds | None") -> None:
    from coverslip.cli._show import filled_table
    from coverslip.datasets import one_line
    from coverslip.reports.tables import column_titles
    from coverslip.reports.words import decision_images, number

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
            *map(number, (choice.sensitivity, choice.specificity, choice.ppv, choice.npv)),
        )
        for choice in usual_choices
    ]
    columns = column_titles("column-threshold", "column-sensitivity", "column-specificity", "column-ppv", "column-npv")
    console.print(filled_table(columns, rows))
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
