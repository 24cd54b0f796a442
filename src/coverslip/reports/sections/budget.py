"""What a time budget allowed: the plan, and the networks that were tried for it."""

from coverslip.evaluation import METRICS
from coverslip.messages import duration
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import number, plural
from coverslip.runs import BudgetRecord, TriedNetwork

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
    columns = ("Network", "Image size", f"{metric}, validation images", "Log loss", "")
    rows = [_row(network) for network in budget.networks]
    return SectionText(_words(run, budget), columns, rows)


def _words(run: ReportedRun, budget: BudgetRecord) -> list[str]:
    words = [
        f"The training was given {duration(budget.seconds)}. What the recipe had left open was chosen to fit, by the "
        "speed of the computer that it ran on; the recipe in the run’s folder says what was chosen, and gives the same "
        "result without a time limit."
    ]
    if len(budget.tried) > 1:
        words.append(
            f"{plural(len(budget.tried), 'network')} were tried on validation images, by their instant classifiers; "
            "the chosen one was best. Test images were not looked at."
        )
    if run.n_folds:
        words.append("With folds every image measures the result, so no networks were compared.")
    if budget.ended == "fine-tuning cut short":
        words.append("The time was over before fine-tuning was done; what it had reached by then was kept.")
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


def _row(network: TriedNetwork) -> tuple[str, ...]:
    size = f"{network.image_size} px"
    return (network.model, size, number(network.score), number(network.log_loss), _OUTCOMES[network.outcome])


BUDGET = Section(
    name="budget",
    title="What was the time spent on?",
    order=1050,
    is_about_training=True,
    applies=lambda run: run.run.budget is not None,
    text=_text,
)
