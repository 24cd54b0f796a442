"""Sensitivity, specificity and predictive values of two classes, and the decision threshold."""

from coverslip.evaluation import OperatingPoint
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.tables import estimate
from coverslip.reports.words import CI, DECISION_IMAGES, percent

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
            return f"chosen for a target {aim} of {percent(run.recipe.wished)} on {images}"
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


def _text(run: ReportedRun) -> SectionText:
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
    text=_text,
)
