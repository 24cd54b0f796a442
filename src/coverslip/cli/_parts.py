"""Numbers of parts of the measured images: one class of two, whole groups, subgroups."""

from rich.console import Console

from coverslip.cli._tables import decimal, interval, table_of
from coverslip.datasets import counted, one_line
from coverslip.evaluation import Evaluation

_TITLES = {"sensitivity": "sensitivity", "specificity": "specificity", "ppv": "PPV", "npv": "NPV"}


def show_parts(console: Console, evaluation: Evaluation) -> None:
    """What there is of these parts, a table each."""
    if evaluation.two_classes:
        table = table_of(f"positive: {one_line(evaluation.positive_class or '', 60)}", "value", "95 % interval")
        for name, metric in evaluation.two_classes.items():
            table.add_row(_TITLES[name], decimal(metric.value), interval(metric))
        console.print(table)
    if evaluation.of_groups is not None:
        _show_groups(console, evaluation)
    for column, by_value in evaluation.by_column.items():
        table = table_of(
            one_line(column, 60), "images", "accuracy", "95 % interval", "minus all others", "95 % interval"
        )
        for value, scores in by_value.items():
            accuracy, gap = scores.metrics["accuracy"], scores.gaps["accuracy"]
            name = f"{one_line(value, 60) or '(empty)'}{' (few)' if scores.is_small else ''}"
            numbers = (decimal(accuracy.value), interval(accuracy), decimal(gap.value), interval(gap))
            table.add_row(name, f"{scores.n:,}", *numbers)
        console.print(table)


def _show_groups(console: Console, evaluation: Evaluation) -> None:
    decided = evaluation.of_groups
    assert decided is not None
    left_out = f", {counted(decided.n_mixed, 'other')} of several classes" if decided.n_mixed else ""
    table = table_of(f"{counted(decided.n, 'whole group')}, each by all its images{left_out}", "value", "95 % interval")
    for name, metric in decided.metrics.items():
        table.add_row(_TITLES.get(name, name.replace("_", " ")), decimal(metric.value), interval(metric))
    console.print(table)
