"""Of two classes: what is found of the positive one, how often it is called so wrongly, and by what threshold."""

from coverslip.evaluation import OperatingPoint
from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import percent

_MEANINGS = {
    "sensitivity": ("Sensitivity", "of the images of “{positive}”, how many are called so"),
    "specificity": ("Specificity", "of the images of “{negative}”, how many are called so"),
    "ppv": ("PPV", "of those called “{positive}”, how many are: it falls where “{positive}” is rarer than here"),
    "npv": ("NPV", "of those called “{negative}”, how many are: it falls where “{positive}” is more frequent"),
}


def negative_class(run: ReportedRun) -> str:
    """The other one of two classes."""
    return next(name for name in run.classes if name != run.metrics.positive_class)


def threshold_words(run: ReportedRun) -> str:
    """From which probability on an image is called positive, and what that did on validation images."""
    positive, card = run.metrics.positive_class, run.run.card
    if card is None or card.operating_points is None or positive not in card.classes:
        return f"An image is called “{positive}” where its probability is one half or more, which is the default."
    place = card.classes.index(positive)
    text = f"An image is called “{positive}” where its probability is {card.operating_points[place]:.3g} or more"
    if run.n_folds:
        text += " (the classifier's threshold; each fold had its own)"
    point = (run.calibration.operating_points or ())[place]
    return f"{text}, {_wish(run)}. {_on_validation_images(point, run)}"


def _wish(run: ReportedRun) -> str:
    match run.recipe.decide_by:
        case "roc":
            return "the best balance of both classes on validation images"
        case "sensitivity" | "specificity" as aim:
            return f"chosen on validation images for a {aim} of {percent(run.recipe.wished)}"
    return "the default"


def _on_validation_images(point: OperatingPoint, run: ReportedRun) -> str:
    if point.sensitivity is None or point.specificity is None:
        return f"That is the neutral one: {point.reason}."
    found, spared = percent(point.sensitivity), percent(point.specificity)
    these = "the images that it was chosen on" if run.n_folds else "validation images"
    text = f"On {these} that gave a sensitivity of {found} and a specificity of {spared}"
    return f"{text}; on the images here it may be less, since it was chosen for those."


def _text(run: ReportedRun) -> SectionText:
    positive, negative = run.metrics.positive_class or "", negative_class(run)
    numbers = [content.shown(metric) for metric in run.metrics.two_classes.values()]
    meanings = [(title, text.format(positive=positive, negative=negative)) for title, text in _MEANINGS.values()]
    rows = [(title, *shown, text) for (title, text), shown in zip(meanings, numbers, strict=True)]
    how = "named in the recipe" if run.recipe.positive_class == positive else "taken from the names of the classes"
    why = f"“{positive}” counts as the positive class, the one that is looked for ({how}; `positive_class` names it)."
    return SectionText((why, threshold_words(run)), ("", "value", "95\N{NO-BREAK SPACE}% interval", "meaning"), rows)


TWO_CLASSES = Section(
    name="two_classes",
    title="Sensitivity and specificity",
    order=150,
    subtitle=lambda run: f"of finding “{run.metrics.positive_class}”",
    applies=lambda run: bool(run.metrics.two_classes),
    text=_text,
)
