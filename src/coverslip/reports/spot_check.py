"""The sections of a spot check: accuracy of predictions, and class proportions by four methods."""

from collections.abc import Iterator

from coverslip.evaluation.spot_check import CheckedCondition, SpotCheck
from coverslip.messages import text
from coverslip.reports.blocks import SectionContent, SectionText
from coverslip.reports.metric_rows import Cell, column_titles, estimate
from coverslip.reports.reported import with_interval


def spot_check_sections(check: SpotCheck) -> list[SectionContent]:
    """Return the accuracy in each condition, and the proportions of the classes in each."""
    has_expected = any(each.expected_accuracy.value is not None for each in check.conditions)
    remarks = [f"{_name_of(check, each)}: {remark}" for each in check.conditions for remark in each.remarks]
    accuracy, proportions = text("spot-check-accuracy"), text("spot-check-proportions")
    return [
        SectionContent(accuracy, [_accuracy(check, has_expected=has_expected)], "accuracy", "", " ".join(remarks)),
        SectionContent(proportions, [*_proportions(check, has_expected=has_expected)], "proportions"),
    ]


def _name_of(check: SpotCheck, condition: CheckedCondition) -> str:
    is_only = len(check.conditions) == 1
    return condition.condition or text("all-samples" if is_only else "proportions-without-condition")


def _accuracy(check: SpotCheck, *, has_expected: bool) -> SectionText:
    rows: list[list[Cell]] = [
        [
            _name_of(check, each),
            each.n_samples,
            each.n_labeled,
            estimate(each.accuracy),
            *([estimate(each.expected_accuracy), estimate(each.difference, is_signed=True)] if has_expected else []),
        ]
        for each in check.conditions
    ]
    metrics = column_titles("metric-accuracy", *(["column-expected", "column-difference"] if has_expected else []))
    columns = (*column_titles("column-condition", "column-samples", "column-labels"), *map(with_interval, metrics))
    return SectionText([text("spot-check-expected")] if has_expected else [], columns, rows)


def _proportions(check: SpotCheck, *, has_expected: bool) -> Iterator[SectionText]:
    methods = ("column-raw", *(["column-corrected"] if has_expected else []))
    methods = (*methods, "column-labels-alone", "column-labels-and-predictions")
    columns = (
        *column_titles("column-class", "column-labels"),
        *map(with_interval, column_titles(*methods)),
        text("column-equivalent-labels"),
    )
    for condition in check.conditions:
        rows: list[list[Cell]] = [
            [
                name,
                each.n_labels,
                estimate(each.raw),
                *([estimate(each.corrected)] if has_expected else []),
                estimate(each.labels),
                estimate(each.powered),
                "–" if each.as_precise_as is None else each.as_precise_as,
            ]
            for name, each in condition.classes.items()
        ]
        yield SectionText((), columns, rows, heading=_name_of(check, condition))
    yield SectionText([text("spot-check-methods")])
