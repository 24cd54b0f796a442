"""Report sections by class: confusion matrix, metrics of each class, and the threshold of two classes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.evaluation import Metric, OperatingPoint, confused_classes, confused_pairs, hardest_classes
from coverslip.reports import content, figure_numbers, figures
from coverslip.reports.figure_numbers import Numbers
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Drawing, Section, SectionText
from coverslip.reports.tables import Cell, below_values, estimate
from coverslip.reports.words import CI, DECISION_IMAGES, MANY_CLASSES, N_HARDEST, count, is_numbered, percent

_MOST_IN_FULL = 30  # classes whose names and counts have room in one matrix

_SHADES = "Rows are true classes, columns predicted classes. The shade is the share of the row."


def _is_in_full(run: ReportedRun) -> bool:
    return len(run.classes) <= _MOST_IN_FULL


def _confusion_text(run: ReportedRun) -> SectionText:
    if _is_in_full(run):
        return SectionText()
    rows = [
        (run.classes[pair.true], run.classes[pair.predicted], count(pair.n), percent(pair.share))
        for pair in confused_pairs(np.array(run.metrics.confusion_matrix), N_HARDEST)
    ]
    columns = ("true class", "predicted as", "images", "share of the class")
    return SectionText((), columns, rows, ("predicted as",))


def _drawings(run: ReportedRun) -> list[Drawing]:
    matrix = np.array(run.metrics.confusion_matrix)
    title = f"Confusion matrix of {len(run.classes)} classes. {_SHADES}"

    def numbers() -> Numbers:
        return figure_numbers.confusion(matrix, run.classes)

    if _is_in_full(run):
        if is_numbered(run):
            title += " Columns have the numbers of the rows."
        return [Drawing("confusion_matrix", title, lambda: figures.confusion(matrix, run.classes), numbers)]
    most = confused_classes(matrix, N_HARDEST)
    part, names, n_images = matrix[np.ix_(most, most)], [run.classes[k] for k in most], matrix.sum(axis=1)[most]
    places = [k + 1 for k in most]
    return [
        Drawing(
            "most_confused",
            f"Confusion matrix of the {N_HARDEST} most confused classes, numbered as in the full matrix. {_SHADES}",
            lambda: figures.confusion(part, names, numbers=places, n_images=n_images),
            lambda: figure_numbers.confusion(part, names),
        ),
        Drawing("confusion_matrix", title, lambda: figures.whole_confusion(matrix), numbers),
    ]


CONFUSION = Section(
    name="confusion",
    title="Confusion matrix",
    order=200,
    text=_confusion_text,
    drawings=_drawings,
)


_MEANINGS = {
    "sensitivity": ("Sensitivity", "share of the images of “{positive}” that are predicted as “{positive}”"),
    "specificity": ("Specificity", "share of the images of “{negative}” that are predicted as “{negative}”"),
    "ppv": ("PPV", "share of the images predicted as “{positive}” that are; lower if “{positive}” is rarer than here"),
    "npv": ("NPV", "share of the images predicted as “{negative}” that are; lower if “{positive}” is more frequent"),
}


def negative_class(run: ReportedRun) -> str:
    """The other one of two classes."""
    return next(name for name in run.classes if name != run.metrics.positive_class)


def threshold_words(run: ReportedRun) -> str:
    """Return the decision threshold in words, and what it gave on the images that it was chosen on."""
    positive, card = run.metrics.positive_class, run.run.card
    if card is not None and run.earlier_thresholds is not None and positive in card.classes:
        earlier = run.earlier_thresholds[card.classes.index(positive)]
        return (
            f"An image was predicted as “{positive}” if its probability was at least {earlier:.3g}. That is not the "
            "current threshold of the classifier: it changed after this evaluation. Evaluate these images again to "
            "measure the current threshold."
        )
    if card is None or card.operating_points is None or positive not in card.classes:
        return f"An image is predicted as “{positive}” if its probability is at least 0.5 (the default threshold)."
    place = card.classes.index(positive)
    text = f"An image is predicted as “{positive}” if its probability is at least {card.operating_points[place]:.3g}"
    if run.n_folds and run.recipe.decide_by != "threshold":
        text += " (the classifier's threshold; each fold has its own)"
    point = (run.calibration.operating_points or ())[place]
    return f"{text}, {_wish(run)}. {_on_decision_images(point, run)}".strip()


def _wish(run: ReportedRun) -> str:
    images = DECISION_IMAGES[run.calibration.learnt_on]
    match run.recipe.decide_by:
        case "roc":
            return f"the threshold with the largest Youden index on {images}"
        case "sensitivity" | "specificity" as aim:
            return f"chosen for a target {aim} of {percent(run.recipe.target)} on {images}"
        case "threshold":
            return "set by hand"
    return "the default threshold"


def _on_decision_images(point: OperatingPoint, run: ReportedRun) -> str:
    if point.sensitivity is None or point.specificity is None:
        return "" if point.reason is None else f"It is the default threshold: {point.reason}."
    sensitivity, specificity = percent(point.sensitivity), percent(point.specificity)
    scores = f"it has a sensitivity of {sensitivity} and a specificity of {specificity}"
    images = DECISION_IMAGES[run.calibration.learnt_on]
    if run.recipe.decide_by == "threshold":
        return f"On {images}, {scores}; the table has the values on the measured images."
    return f"On {images}, {scores}. On other images both can be lower, because it was chosen for those images."


def _two_classes_text(run: ReportedRun) -> SectionText:
    positive, negative = run.metrics.positive_class or "", negative_class(run)
    rows = [
        (title, estimate(metric), text.format(positive=positive, negative=negative))
        for (title, text), metric in zip(_MEANINGS.values(), run.metrics.two_classes.values(), strict=True)
    ]
    how = "set in the recipe" if run.recipe.positive_class == positive else "derived from the names of the classes"
    why = f"“{positive}” is the positive class ({how}). The recipe can choose the other one."
    return SectionText((why, threshold_words(run)), ("metric", f"value ({CI})", "meaning"), rows, ("meaning",))


TWO_CLASSES = Section(
    name="two_classes",
    title="Sensitivity and specificity",
    order=150,
    subtitle=lambda run: f"positive class: “{run.metrics.positive_class}”",
    applies=lambda run: bool(run.metrics.two_classes),
    text=_two_classes_text,
)


_TITLES = {
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "npv": "NPV",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
}


def operating_point_words(run: ReportedRun) -> str:
    """What the operating points in the table are; empty where the most probable class is predicted."""
    if run.recipe.decide_by == "highest":
        return ""
    if run.recipe.decide_by != "roc":
        return threshold_words(run)
    rule = "The predicted class is the one with the largest ratio of probability to operating point."
    points = "The table shows the final classifier's operating points, set" if run.n_folds else "They were set"
    return f"{rule} {points} on {DECISION_IMAGES[run.calibration.learnt_on]}."


def _per_class_text(run: ReportedRun) -> SectionText:
    columns = ("class", "images", *_TITLES.values())
    if run.recipe.decide_by != "highest":
        columns = (*columns, "operating point")
    return SectionText(tuple(_words(run)), columns, _rows(run))


def _words(run: ReportedRun) -> Iterator[str]:
    if below := below_values(_rows(run)):
        yield below
    yield (
        "Recall is also called sensitivity, and precision positive predictive value (PPV). NPV is the share of images "
        "predicted as another class that are of another class."
    )
    if text := operating_point_words(run):
        yield text


def _rows(run: ReportedRun) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for row in content.classes(run):
        scores = run.metrics.per_class.get(row.name)
        numbers = {} if scores is None else scores.metrics
        missing = Metric(value=None, reason=row.reason)
        cells = [estimate(numbers.get(key, missing), is_strong=key == "f1") for key in _TITLES]
        name = f"{row.number}. {row.name}" if is_numbered(run) and row.name != str(row.number) else row.name
        point = "–" if row.operating_point is None else f"{row.operating_point:.3g}"
        points = [] if run.recipe.decide_by == "highest" else [point]
        rows.append([name, count(row.n), *cells, *points])
    return rows


def _shown(run: ReportedRun) -> dict[str, Any]:  # Any: what the template takes
    if len(run.classes) <= MANY_CLASSES:
        return {"hardest": []}
    rows = _rows(run)
    return {"hardest": [rows[k] for k in hardest_classes([row.f1 for row in content.classes(run)], N_HARDEST)]}


PER_CLASS = Section(
    name="per_class",
    title="Metrics per class",
    order=300,
    text=_per_class_text,
    shown=_shown,
    template=Path(__file__).with_name("per_class.html"),
)
