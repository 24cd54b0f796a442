"""Finish a training now: fine-tuning ends, and its best epoch so far is calibrated, tested and reported.

The recipe of the run then says where fine-tuning ended and which rule chose the epoch, so that the same recipe gives
the same classifier again.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import BadRun
from coverslip.events import Noted
from coverslip.files import remove_file, write_text
from coverslip.runs import Pretraining, Recipe, Run, RunContext, open_run, save_recipe

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted


def request_finish(folder: Path) -> bool:
    """Ask for the end of a training's fine-tuning.

    Returns:
        Whether a process works on the run, which will do so; else it ends once the run is resumed.

    Raises:
        BadRun: there is no run, or nothing to finish now.
    """
    run = open_run(folder)
    status, why = run.status, why_not_finished(run)
    if why is not None:
        what, do = why
        raise BadRun(what, file=run.folder, do=do)
    write_text(run.finish_file, "")
    return status is not None and status.is_alive


def withdraw_finish(folder: Path) -> None:
    """Take back an earlier request that no process is there to heed: the training goes on to its end."""
    run = open_run(folder)
    status = run.status
    if status is None or not status.is_alive:
        remove_file(run.finish_file)


def why_not_finished(run: Run) -> tuple[str, str] | None:
    """Why a training cannot be finished now, and what to do instead; None where it can."""
    recipe = run.recipe
    if run.is_done:
        return "The run is finished", "Train a new one, in another folder."
    if run.is_cross_validated or recipe.split.asks_for_folds:
        return (
            "A training with folds cannot be finished early: all folds must be trained alike",
            "Wait, or stop it and resume it later.",
        )
    if isinstance(recipe.init, Pretraining) and not run.pretraining.is_done:
        return (
            "A training in two steps cannot be finished during its first step",
            "Wait for the second step, or stop it and resume it later.",
        )
    if not recipe.is_finetuned:
        return "A training without fine-tuning has nothing to finish early", "Wait until it ends."
    if not run.split_file.exists():
        return "The images are still being read", "Wait until the training begins."
    return None


def record_finish(fitted: "Fitted", recipe: Recipe, context: RunContext) -> None:
    """Where fine-tuning was finished early, say in the run's recipe how far it came."""
    stage = fitted.finetuning
    if stage is None:
        is_finished_early = recipe.is_finetuned and not fitted.is_stopped
    else:
        is_finished_early = stage.stopped_because == "finished early"
    if not is_finished_early:
        if not fitted.is_stopped:  # asked for too late
            remove_file(context.run.finish_file)
        return
    n_run = 0 if stage is None else stage.epochs_run
    changes: dict[str, object] = {"stage": "instant"}
    if n_run:
        # All epochs are run again, and the best one is kept, also where the patience would have ended it before.
        changes = {"last_epoch": n_run, "kept_epoch": "best", "patience": recipe.patience_used}
    save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    remove_file(context.run.finish_file)
    text = f"Fine-tuning was finished early, after {n_run} of {recipe.n_epochs} epochs."
    values = {"epochs_run": n_run, "epochs": recipe.n_epochs}
    context.emit(Noted(code="finished-early", text=text, values=values))
