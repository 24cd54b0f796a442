"""Report sections on training: learning curve and time budget."""

from coverslip.evaluation import LearningCurve
from coverslip.messages import duration, text
from coverslip.reports import figures
from coverslip.reports.blocks import Drawing, Section, SectionText
from coverslip.reports.reported import ReportedRun
from coverslip.reports.tables import estimate
from coverslip.reports.words import interval_after, listed, time_for_all
from coverslip.runs import BudgetRecord

_FLAT = 0.005  # macro-F1; a gain too small to justify labeling twice the images


def doubling(curve: LearningCurve) -> str:
    """Return the expected effect of twice as many images, in a sentence or two."""
    gain = curve.gain
    if gain.value is None:
        return text("report-no-doubling", reason=gain.reason or "")
    gain_estimate = estimate(gain, is_signed=True)
    change = f"{gain_estimate.value} {text('column-macro-f1')}{interval_after(gain_estimate.interval)}"
    if gain.value < _FLAT:
        return text("report-flat-learning-curve", change=change)
    return text(
        "report-doubling",
        change=change,
        n_images=curve.n_images,
        n_doubled=2 * curve.n_images,
        is_significant=gain.low is None or gain.low > 0,
    )


def over_folds(curve: LearningCurve) -> str:
    """Return what the final classifier gains over those of the folds, in two sentences; empty without folds."""
    if curve.over_folds is None or curve.n_images_of_fold is None:
        return ""
    gain_estimate = estimate(curve.over_folds, is_signed=True)
    change = f"{gain_estimate.value}{interval_after(gain_estimate.interval)}"
    return text(
        "report-final-classifier-gain", n_of_fold=curve.n_images_of_fold, n_images=curve.n_images, change=change
    )


def _learning_text(run: ReportedRun) -> SectionText:
    curve = run.run.learning_curve
    assert curve is not None
    if not curve.points:
        return SectionText([doubling(curve)])
    words = (doubling(curve), over_folds(curve), _learning_curve_method(run), _learning_curve_limits(curve))
    title = text("report-learning-curve-drawing")
    drawing = Drawing("learning_curve", title, lambda: figures.learning(curve), lambda: figures.learning_data(curve))
    return SectionText([*filter(None, words)], drawings=[drawing])


def _learning_curve_method(run: ReportedRun) -> str:
    """Return how the curve was measured."""
    is_finetuned = run.training is not None and run.training.chosen == "finetune"
    return text("report-learning-curve-method", has_folds=bool(run.n_folds), is_finetuned=is_finetuned)


def _learning_curve_limits(curve: LearningCurve) -> str:
    """Return what the curve does not show."""
    n_groups = curve.n_groups
    groups = (
        text("report-learning-curve-without-groups")
        if n_groups is None
        else text("report-learning-curve-groups", n_groups=n_groups, n_doubled=2 * n_groups)
    )
    return f"{groups} {text('report-learning-curve-limits')}"


LEARNING = Section(
    name="learning_curve",
    title=lambda: text("report-title-learning-curve"),
    order=750,
    is_about_training=True,
    subtitle=lambda run: text("report-title-learning-curve.subtitle"),
    applies=lambda run: run.run.learning_curve is not None,
    blocks=lambda run: [_learning_text(run)],
)


def _budget_text(run: ReportedRun) -> SectionText:
    budget = run.run.budget
    assert budget is not None, "the section applies to runs with a budget"
    return SectionText(_words(run, budget))


def _words(run: ReportedRun, budget: BudgetRecord) -> list[str]:
    time = text("report-budget", time=duration(budget.seconds))
    return list(filter(None, [time, _stage_words(run), _finetuning_words(budget), time_for_all(budget)]))


def _stage_words(run: ReportedRun) -> str:
    """Return how long the whole training took, and the share of each stage."""
    stages = [
        text("report-stage-time", time=_seconds(sum(seconds)), stage=name, has_folds=bool(run.n_folds))
        for name in ("instant", "finetune")
        if (seconds := [stage.seconds for stage in run.stages_of_training if stage.stage == name])
    ]
    whole = text("report-run-time", time=_seconds(run.seconds_of_training))
    return f"{whole} {text('report-stage-times', n_folds=run.n_folds, stages=listed(stages))}" if stages else whole


def _finetuning_words(budget: BudgetRecord) -> str:
    match budget.ended:
        case "no time to fine-tune":
            return text("report-budget-no-finetuning")
        case "no time to fine-tune folds":
            return text("report-no-time-to-finetune-folds")
    sizes = {"image_size": str(budget.image_size), "full_image_size": str(budget.full_image_size)}
    if budget.epochs_run is None:
        return text("report-budget-reduced-images", **sizes) if budget.is_reduced else ""
    return text(
        "report-budget-finetuning",
        n_epochs=budget.epochs_run,
        is_reduced=budget.is_reduced,
        **sizes,
    )


def _seconds(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else text("report-under-a-second")


BUDGET = Section(
    name="budget",
    title=lambda: text("report-title-budget"),
    order=1050,
    is_about_training=True,
    applies=lambda run: run.run.budget is not None,
    blocks=lambda run: [_budget_text(run)],
)
