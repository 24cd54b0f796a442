"""Report sections on training: learning curve and time budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.evaluation import LearningCurve
from coverslip.messages import duration
from coverslip.reports import figure_numbers, figures
from coverslip.reports.figure_numbers import Numbers
from coverslip.reports.reported import ReportedRun
from coverslip.reports.tables import Cell, estimate
from coverslip.reports.words import CI, count, listed, plural, time_for_all
from coverslip.runs import BudgetRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLAIN = Path(__file__).with_name("plain.html")  # words, then the table, then drawings


@dataclass(frozen=True, slots=True)
class SectionText:
    """What a section says, for whoever shows it: the plain template, the API, the app."""

    words: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()  # the first cell of each is its name
    text_columns: Sequence[str] = ()  # titles of columns, besides the first, that hold text instead of numbers


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure; `figures/NAME.png`, `.svg` and, of its numbers, `.csv`; and part of the page."""

    name: str
    title: str  # what is seen, for those who cannot see it
    figure: Callable[[], "Figure"]
    numbers: Callable[[], Numbers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the report."""

    name: str
    title: str
    order: int  # smaller ones stand further up
    subtitle: Callable[[ReportedRun], str] = lambda run: ""
    is_about_training: bool = False  # and not about measured images, which may be others than the run's own
    applies: Callable[[ReportedRun], bool] = lambda run: True
    text: Callable[[ReportedRun], SectionText] = lambda run: SectionText()
    drawings: Callable[[ReportedRun], Sequence[Drawing]] = lambda run: ()
    shown: Callable[[ReportedRun], Mapping[str, Any]] = lambda run: {}  # Any: what its own template takes besides
    template: Path = PLAIN


_FLAT = 0.005  # macro-F1; a gain that nobody would label twice the images for


def doubling(curve: LearningCurve) -> str:
    """Return the expected effect of twice as many images, in a sentence or two."""
    gain = curve.gain
    if gain.value is None:
        return f"The effect of more images cannot be estimated: {gain.reason}."
    shown = estimate(gain, is_signed=True)
    text = f"{shown.value} macro-F1 ({CI} {shown.interval})" if shown.interval else f"{shown.value} macro-F1"
    if gain.value < _FLAT:
        gain_words = f"Twice as many training images like these would change the result by about {text}."
        return f"{gain_words} The learning curve is flat."
    doubt = " This is not statistically significant." if gain.low is not None and gain.low <= 0 else ""
    return (
        f"Twice as many training images like these ({count(2 * curve.n_images)} instead of {count(curve.n_images)}) "
        f"would change the result by about {text}.{doubt}"
    )


def over_folds(curve: LearningCurve) -> str:
    """Return what the final classifier gains over those of the folds, in two sentences; empty without folds."""
    if curve.over_folds is None or curve.n_images_of_fold is None:
        return ""
    shown = estimate(curve.over_folds, is_signed=True)
    return (
        f"The folds' classifiers were trained on about {count(curve.n_images_of_fold)} images each, the final one on "
        f"{count(curve.n_images)}. By the learning curve, this changes macro-F1 on new images by about {shown.value} "
        f"({CI} {shown.interval})."
    )


def _learning_text(run: ReportedRun) -> SectionText:
    curve = run.run.learning_curve
    assert curve is not None
    if not curve.points:
        return SectionText((doubling(curve),))
    return SectionText(tuple(filter(None, (doubling(curve), over_folds(curve), _how(run), _not_shown(curve)))))


def _how(run: ReportedRun) -> str:
    """How it was measured."""
    finetuned = (
        " Fine-tuning was not repeated because it takes far longer. The gain of a fine-tuned network can differ."
        if run.training is not None and run.training.chosen == "finetune"
        else ""
    )
    images = "images, which are also the test images of the folds," if run.n_folds else "training and validation images"
    tested = "No choice was based on the curve." if run.n_folds else "Test images were not used."
    return (
        f"Instant classifiers were trained on subsets of the {images} and scored on the remaining ones, ten times or, "
        f"with many images, five times. {tested} The dashed line extrapolates the error to twice as "
        f"many images, and its CI includes the uncertainty of the extrapolation.{finetuned}"
    )


def _not_shown(curve: LearningCurve) -> str:
    """What the curve does not show."""
    groups = (
        "No groups are known. If several images come from one slide or patient, more images of the same slides bring "
        "less than this."
        if curve.n_groups is None
        else f"Twice as many images means twice as many groups ({count(2 * curve.n_groups)} instead of "
        f"{count(curve.n_groups)}). More images of the same groups bring less."
    )
    return (
        f"{groups} The curve does not show which class needs more images, and it does not apply to images from another "
        "laboratory."
    )


def _drawings(run: ReportedRun) -> list[Drawing]:
    curve = run.run.learning_curve
    if curve is None or not curve.points:
        return []
    title = "Error (1 − macro-F1) by number of training images, extrapolated to twice as many. Lines are 95% CIs."
    return [Drawing("learning_curve", title, lambda: figures.learning(curve), lambda: figure_numbers.learning(curve))]


LEARNING = Section(
    name="learning_curve",
    title="Learning curve",
    order=750,
    is_about_training=True,
    subtitle=lambda run: "effect of twice as many training images",
    applies=lambda run: run.run.learning_curve is not None,
    text=_learning_text,
    drawings=_drawings,
)


def _budget_text(run: ReportedRun) -> SectionText:
    budget = run.run.budget
    assert budget is not None, "the section applies to runs with a budget"
    return SectionText(_words(run, budget))


def _words(run: ReportedRun, budget: BudgetRecord) -> list[str]:
    given = (
        f"The training had a time budget of {duration(budget.seconds)}. The recipe in the run’s folder holds all that "
        "was adapted to the time, and gives the same result without a time budget."
    )
    return list(filter(None, [given, _stage_words(run), _finetuning_words(budget), time_for_all(budget)]))


def _stage_words(run: ReportedRun) -> str:
    """Return how long the whole training took, and how much of it each stage."""
    instant = "instant classifiers" if run.n_folds else "the instant classifier"
    each = [
        f"{_seconds(sum(seconds))} for {what}"
        for name, what in (("instant", instant), ("finetune", "fine-tuning"))
        if (seconds := [stage.seconds for stage in run.stages_of_training if stage.stage == name])
    ]
    networks = f" of {plural(run.n_folds, 'fold')} and of the last network" if run.n_folds else ""
    stages = f" Of this, training{networks} took {listed(each)}." if each else ""
    return f"The run took {_seconds(run.seconds_of_training)} in all, with reading and testing images.{stages}"


def _finetuning_words(budget: BudgetRecord) -> str:
    match budget.ended:
        case "no time to fine-tune":
            return "There was no time for fine-tuning: the instant classifier is the result."
        case "no time to fine-tune folds":
            return "There was no time to fine-tune all folds: all of them keep the instant classifier."
    in_place = f", in place of {budget.full_image_size} px, to fit into the time" if budget.is_reduced else ""
    if budget.epochs_run is None:
        return f"Images were resized to {budget.image_size} px{in_place}." if in_place else ""
    epochs = "epoch" if budget.epochs_run == 1 else "epochs"
    ran = f"Fine-tuning ran {budget.epochs_run:g} {epochs} at {budget.image_size} px{in_place}"
    if budget.ended == "larger instant classifier":
        return f"{ran}. Validation results did not improve, so the instant classifier on larger images is kept."
    return f"{ran}."


def _seconds(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "under 1 s"


BUDGET = Section(
    name="budget",
    title="Time budget",
    order=1050,
    is_about_training=True,
    applies=lambda run: run.run.budget is not None,
    text=_budget_text,
)
