"""What a time budget allowed: the plan, and the networks that were tried for it."""

from collections.abc import Sequence
from typing import Literal

from coverslip.evaluation import METRICS
from coverslip.messages import duration
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import listed, number, plural
from coverslip.runs import BudgetRecord, Recipe, TriedNetwork

_OUTCOMES = {
    "chosen": "chosen",
    "tried": "tried",
    "cut short": "not finished in its time",
    "no time": "no time to try it",
}


def _text(run: ReportedRun) -> SectionText:
    budget = run.run.budget
    assert budget is not None, "the section applies to runs with a budget"
    metric = METRICS[run.recipe.primary_metric].title
    columns = ("Network", "Image size", f"{metric}, validation images", "Log loss", "Instant classifier took", "")
    rows = [_row(network) for network in budget.networks]
    return SectionText(_words(run, budget), columns, rows)


def _words(run: ReportedRun, budget: BudgetRecord) -> list[str]:
    words = [
        f"The training was given {duration(budget.seconds)}. What the recipe had left open was chosen to fit, by the "
        "speed of the computer that it ran on; the recipe in the run’s folder says what was chosen, and gives the same "
        "result without a time limit."
    ]
    words += filter(None, [_plan_words(budget), _stage_words(run, budget), _tried_words(budget.tried)])
    if run.n_folds:
        words.append("With folds every image measures the result, so no networks were compared.")
    if _is_left_out(run, budget):
        words.append(
            "There was no time for as many epochs of fine-tuning as it takes to gain by it, so it was left out: the "
            "instant classifier is the result."
        )
    if budget.ended == "fine-tuning cut short" and run.training is not None and run.training.finetune is not None:
        words.append(_cut_words(run.training.chosen, run.training.finetune.epochs_run, run.recipe))
    if budget.ended == "larger instant classifier":
        words.append(
            "Fine-tuning took smaller images, to fit into the time. Validation images did not speak for what came of "
            f"it: the instant classifier at {budget.instant_px} px is kept."
        )
    elif budget.instant_px and budget.ended != "fine-tuning left out":
        words.append(
            f"To fit into the time, fine-tuning took images of {run.recipe.image_size} px in place of "
            f"{budget.instant_px} px."
        )
    if budget.ended == "fine-tuning left out":
        words.append("There was no time to fine-tune all folds, so all of them keep the instant classifier.")
    return words


def _is_left_out(run: ReportedRun, budget: BudgetRecord) -> bool:
    """Whether the plan settled that there is no time for fine-tuning, which was asked for."""
    is_planned_so = budget.ended in ("as planned", None)  # else it was begun
    return is_planned_so and budget.asks_for_finetuning and not run.recipe.is_finetuned


def _plan_words(budget: BudgetRecord) -> str:
    """The steps of the plan with their times; empty where nothing was planned."""
    if not budget.steps:
        return ""
    each = "; ".join(f"{step.what} ({_seconds(step.seconds)})" for step in budget.steps)
    return f"The plan was: {each}; {_seconds(sum(step.seconds for step in budget.steps))} in all."


def _stage_words(run: ReportedRun, budget: BudgetRecord) -> str:
    """How long training took, which may be less than planned, or more."""
    instant = "instant classifiers" if run.n_folds else "the instant classifier"
    each = [
        f"{_seconds(sum(seconds))} for {what}"
        for name, what in (("instant", instant), ("finetune", "fine-tuning"))
        if (seconds := [stage.seconds for stage in run.stages_of_training if stage.stage == name])
    ]
    networks = f" of {plural(run.n_folds, 'fold')} and of the last network" if run.n_folds else ""
    is_given_up = budget.ended in ("larger instant classifier", "fine-tuning left out")
    unknown = "; what fine-tuning took before it was given up is not recorded" if is_given_up else ""
    return f"Training{networks} took {listed(each)}{unknown}." if each else ""


def _tried_words(tried: Sequence[TriedNetwork]) -> str:
    """By what networks were chosen; empty where there was no choice. One may have been tried at several image sizes."""
    if len(tried) < 2:
        return ""
    n_networks = len({network.model for network in tried})
    what = f"{plural(n_networks, 'network')} {'was' if n_networks == 1 else 'were'} tried"
    if n_networks == 1:
        what += f" at {plural(len(tried), 'image size')}"
    elif n_networks < len(tried):
        what += f", {len(tried)} instant classifiers with the image sizes below,"
    return (
        f"{what} on validation images. Another takes the place of the recipe’s own only where "
        "that is shown to be worse. Test images were not looked at."
    )


def _cut_words(chosen: Literal["instant", "finetune"], epochs_run: int, recipe: Recipe) -> str:
    """Which of the two classifiers is kept, where the time was over before fine-tuning was done."""
    if epochs_run == 0:
        return "The time was over before the first epoch of fine-tuning was: the instant classifier was kept."
    over = f"The time was over after {epochs_run} of {plural(recipe.n_epochs, 'epoch')} of fine-tuning"
    if chosen == "instant":
        return f"{over}. Validation images did not speak for what came of them: the instant classifier was kept."
    return f"{over}; the network fine-tuned by then was kept."


def _row(network: TriedNetwork) -> tuple[str, ...]:
    took = "–" if network.seconds is None else _seconds(network.seconds)
    if network.seconds is None and network.planned_seconds is not None:
        took = f"planned: {_seconds(network.planned_seconds)}"
    scores = (number(network.score), number(network.log_loss))
    return (network.model, f"{network.image_size} px", *scores, took, _OUTCOMES[network.outcome])


def _seconds(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "under 1 s"


BUDGET = Section(
    name="budget",
    title="Time budget",
    order=1050,
    is_about_training=True,
    applies=lambda run: run.run.budget is not None,
    text=_text,
)
