"""Metrics of subsets of the measured images: the positive class, whole groups, subgroups."""

from rich.console import Console

from coverslip.cli._tables import filled_table
from coverslip.datasets import one_line
from coverslip.evaluation import Evaluation
from coverslip.messages import text
from coverslip.reports.tables import estimate
from coverslip.reports.words import CI

_TITLES = {"sensitivity": "sensitivity", "specificity": "specificity", "ppv": "PPV", "npv": "NPV"}


def show_subgroups(console: Console, evaluation: Evaluation) -> None:
    """Print a table for each subset."""
    if evaluation.two_classes:
        positive = f"positive class: {one_line(evaluation.positive_class or '', 60)}"
        rows = [(_TITLES[name], estimate(metric)) for name, metric in evaluation.two_classes.items()]
        console.print(filled_table((positive, f"value ({CI})"), rows))
    if evaluation.of_groups is not None:
        _show_groups(console, evaluation)
    for column, by_value in evaluation.by_column.items():
        subgroups = [
            (
                f"{one_line(value, 60) or '(empty)'}{' (few)' if scores.is_small else ''}",
                f"{scores.n:,}",
                estimate(scores.metrics["accuracy"]),
                estimate(scores.gaps["accuracy"], is_signed=True),
            )
            for value, scores in by_value.items()
        ]
        columns = (one_line(column, 60), "images", f"accuracy ({CI})", f"difference from all others ({CI})")
        console.print(filled_table(columns, subgroups))


def _show_groups(console: Console, evaluation: Evaluation) -> None:
    decided = evaluation.of_groups
    assert decided is not None
    rows = [(_TITLES.get(name, name.replace("_", " ")), estimate(metric)) for name, metric in decided.metrics.items()]
    title = text("command-group-predictions", n_groups=decided.n, n_mixed=decided.n_mixed, n_ungrouped=decided.n_alone)
    console.print(filled_table((title, f"value ({CI})"), rows))
