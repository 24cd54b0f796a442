"""How a time budget was used, and what time would have allowed more."""

from coverslip.messages import duration
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import listed, plural, time_for_all
from coverslip.runs import BudgetRecord


def _text(run: ReportedRun) -> SectionText:
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
    text=_text,
)
