"""The state of a run: begin its folder, record its work and time budget, and finish or stop it early."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.datasets.index.records import Dataset
from coverslip.errors import BadRecipe, BadRun, CoverslipError, Stopped
from coverslip.events import Emit, Event, Noted, RunEnded
from coverslip.files import remove_file, write_text
from coverslip.messages import Finish, Resume, message, note, text
from coverslip.models import describe_weights
from coverslip.runs.classifier import fingerprint_of
from coverslip.runs.folder import Run, RunContext, create_run_folder, open_run
from coverslip.runs.log import RunLog
from coverslip.runs.recipe import FromRun, Pretraining, Recipe
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.status import Environment, StatusFile, Weights, describe_environment
from coverslip.runs.training import BudgetRecord
from coverslip.stopping import NO_DEADLINE, Deadline

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted


def begin_run(
    folder: Path, data: Dataset, recipe: Recipe, device: str, *, allow_leakage: bool, budget: float | None = None
) -> Environment:
    """Create a run folder with `environment.json`, `recipe.yaml` and, with a time budget, `budget.json`.

    Args:
        folder: new or empty.
        data, recipe: after `validated`.
        device: as PyTorch names it.
        allow_leakage: whether duplicates or groups may be in several sets of a predefined split.
        budget: time limit in seconds; None without a time budget.

    Returns:
        The environment of the run.

    Raises:
        BadRun: the folder exists and is not empty.
    """
    run = create_run_folder(folder)
    environment = describe_environment(
        data,
        seed=recipe.seed,
        device=device,
        allow_leakage=allow_leakage,
        initialization=fingerprint_of(recipe.init.run, tested=True) if isinstance(recipe.init, FromRun) else None,
        weights=Weights.model_validate(describe_weights(recipe.model)) if recipe.init == "imagenet" else None,
    )
    if budget is not None:
        _new_budget(recipe, budget).write(run.budget_file)
    write_recipe_and_environment(run, environment, recipe)
    return environment


def check_budget(recipe: Recipe) -> None:
    """Raise BadRecipe if a time budget cannot be planned for the recipe."""
    if not recipe.split.val:
        raise BadRecipe("budget-without-validation", faults=[("split.val", text("budget-without-validation.fault"))])
    if isinstance(recipe.init, Pretraining):
        raise BadRecipe("budget-with-pretraining", faults=[("init", text("budget-with-pretraining.fault"))])
    if recipe.init == "scratch" and recipe.split.sets_folds:
        fault = text("budget-with-folds-from-scratch.fault")
        raise BadRecipe("budget-with-folds-from-scratch", faults=[("init", fault)])


def resume_budget(run: Run, seconds: float | None) -> Deadline:
    """Return the deadline of a run that is resumed, and update its `budget.json`.

    Args:
        run: to be resumed.
        seconds: a new time budget, from now; None continues with the rest of the previous one, if there was one.

    Raises:
        BadRecipe: there is a new time budget, and it cannot be planned for the recipe.
    """
    record, status = run.budget, run.status
    if seconds is not None:
        check_budget(run.recipe)
        record = record or _new_budget(run.recipe, seconds)
        record = record.model_copy(update={"seconds": seconds, "used_seconds": 0.0})
        # Folds continue as they began. Otherwise, the training is chosen again for the new time.
        changes: dict[str, object] = {"is_fixed": run.is_cross_validated}
        if not run.is_cross_validated and not run.checkpoint_file("last").exists():
            reset: dict[str, object] = {"schedule_changes": {}}
            if record.is_finetuned:
                reset["stage"] = "finetune"
            if record.preset == "first-look":
                reset["image_size"] = None
            save_recipe(run.recipe.model_copy(update=reset), run.recipe_file)
        record = record.model_copy(update=changes)
    elif record is not None:
        used = record.used_seconds + (0.0 if status is None else status.seconds_worked)
        record = record.model_copy(update={"used_seconds": used})
    if record is None:
        return NO_DEADLINE
    if not record.is_fixed:
        record = record.model_copy(update=dict.fromkeys(("preset", "ended", "epochs_run", "sufficient_seconds")))
    record.write(run.budget_file)
    return Deadline.within(record.seconds - record.used_seconds)


def _new_budget(recipe: Recipe, seconds: float) -> BudgetRecord:
    return BudgetRecord(seconds=seconds, adds_epochs=recipe.epochs == "auto", is_finetuned=recipe.is_finetuned)


def write_recipe_and_environment(run: Run, environment: Environment, recipe: Recipe) -> None:
    """Write the first two files of a run. The recipe is written last, since a folder with a recipe counts as a run."""
    environment.write(run.environment_file)
    save_recipe(recipe, run.recipe_file)


_ONCE = "cache-not-usable"  # each store of the cache emits this note; a run records the first one only


@contextmanager
def record_work(
    context: RunContext, *, is_inner: bool = False, stopped: Callable[[Run], Stopped] | None = None
) -> Iterator[RunContext]:
    """Record the work of the block in a run folder: its events, its state and, in any case, its end.

    Args:
        context: of the work.
        is_inner: whether the work is part of a larger run, whose listener the context has.
        stopped: returns the error of a stop; default: that of a training.

    Yields:
        The context with a listener that also writes the events.

    Raises:
        Stopped: on request, with a remedy to resume.
    """
    status = StatusFile(context.run.status_file)
    status.write("running")
    with RunLog(context.run, status) as log:
        emit: Emit = _InnerListener(log, context.emit) if is_inner else _RunListener(log, context)
        try:
            yield context.with_emit(emit)
            status.write("done")
        except (Stopped, KeyboardInterrupt) as error:  # KeyboardInterrupt: the second Ctrl-C
            end = (stopped or _stopped_training)(context.run)
            _report_early_end(end, "stopped", context, status, (log, context.emit))
            raise end from error
        except BaseException as error:
            _report_early_end(error, "failed", context, status, (log, context.emit))
            raise
        emit(RunEnded(run=str(context.folder), state="done"))


class _RunListener:
    """Writes events to the log and passes them to the context's listener.

    An error of that listener does not end the training. The first one is logged, and the listener still receives later
    events.
    """

    def __init__(self, log: RunLog, context: RunContext) -> None:
        self._log, self._context = log, context
        self._is_fault_logged = self._is_stop_noted = self._is_cache_noted = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, Noted) and event.code == _ONCE:
            if self._is_cache_noted:
                return
            self._is_cache_noted = True
        self._log(event)
        self._pass_on(event)
        if self._context.stop.is_requested() and not self._is_stop_noted and not isinstance(event, RunEnded):
            self._is_stop_noted = True
            by_file = self._context.run.stop_file.exists()
            self(Noted.of(note("stopping", by_file=by_file)))

    def _pass_on(self, event: Event) -> None:
        try:
            self._context.emit(event)
        except Exception as error:  # noqa: BLE001  any error of a listener
            if not self._is_fault_logged:
                self._is_fault_logged = True
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                self._log(Noted.of(note("listener-fault", level="warning", reason=reason)))


class _InnerListener:
    """Writes events to the log and passes them to the listener of the larger run, whose errors end the work."""

    def __init__(self, log: RunLog, emit: Emit) -> None:
        self._log, self._emit = log, emit

    def __call__(self, event: Event) -> None:
        self._log(event)
        self._emit(event)


def _report_early_end(
    error: BaseException, state: str, context: RunContext, status: StatusFile, listeners: tuple[Emit, Emit]
) -> None:
    """Write and emit an early end. Errors while doing so, as on a full disk, are ignored: `error` matters more."""
    reason, failure = str(error) or type(error).__name__, None
    shown = message("english-text", text=reason)
    if isinstance(error, CoverslipError):
        failure, shown = error.failure, error.message
    with suppress(CoverslipError, OSError):
        status.write("stopped" if state == "stopped" else "failed", reason=reason, failure=failure)
    for listener in listeners:
        with suppress(Exception):
            listener(RunEnded(run=str(context.folder), state=state, reason=shown))


def _stopped_training(run: Run) -> Stopped:
    """Return the error of a stopped training, with the saved classifier and the remedy to resume."""
    resume = Resume(str(run.folder))
    if run.has_classifier:
        can_finish = finish_refusal(run) is None
        return Stopped(
            "training-stopped",
            file=run.classifier_folder,
            remedies=(resume, Finish(str(run.folder))) if can_finish else (resume,),
            can_finish=can_finish,
        )
    return Stopped(
        "cross-validation-stopped" if run.is_cross_validated else "training-stopped-early",
        file=run.folder,
        remedies=(resume,),
    )


def request_finish(folder: Path) -> bool:
    """Request that a training ends its fine-tuning now.

    Returns:
        Whether a process is working on the run. If not, the request takes effect when the run is resumed.

    Raises:
        BadRun: there is no run, or its training cannot be finished now.
    """
    run = open_run(folder)
    status, refusal = run.status, finish_refusal(run)
    if refusal is not None:
        raise refusal
    write_text(run.finish_file, "")
    return status is not None and status.is_alive


def withdraw_finish(folder: Path) -> None:
    """Withdraw an earlier request if no process is working on the run, so that a resumed training runs to its end."""
    run = open_run(folder)
    status = run.status
    if status is None or not status.is_alive:
        remove_file(run.finish_file)


def finish_refusal(run: Run) -> BadRun | None:
    """Return the error that says why a training cannot be finished now; None if it can."""
    recipe = run.recipe
    if run.is_done:
        return already_finished(run)
    if run.is_cross_validated or recipe.split.sets_folds:
        return BadRun("finish-with-folds", file=run.folder)
    if isinstance(recipe.init, Pretraining) and not run.pretraining.is_done:
        return BadRun("finish-in-first-step", file=run.folder)
    if not recipe.is_finetuned:
        return BadRun("finish-without-fine-tuning", file=run.folder)
    if not run.split_file.exists():
        return BadRun("finish-while-reading", file=run.folder)
    return None


def already_finished(run: Run) -> BadRun:
    """Return the error for a run whose training has ended."""
    return BadRun("run-is-finished", file=run.folder)


def record_finish(fitted: "Fitted", recipe: Recipe, context: RunContext) -> None:
    """If fine-tuning was finished early, write the number of its epochs to the run's recipe."""
    stage = fitted.finetuning
    if stage is None:
        is_finished_early = recipe.is_finetuned and not fitted.is_stopped
    else:
        is_finished_early = stage.stopped_because == "finished early"
    if not is_finished_early:
        if not fitted.is_stopped:  # the request came too late
            remove_file(context.run.finish_file)
        return
    n_epochs_run, n_planned = (0, recipe.n_epochs) if stage is None else (stage.epochs_run, stage.epochs_planned)
    # A single split stays one: otherwise instant classifiers of few images are cross-validated.
    changes: dict[str, object] = {"stage": "instant", "split": context.run.recipe.split.resolved(0)}
    if n_epochs_run:
        # A training by this recipe runs all these epochs and selects the best one, whatever the patience.
        changes = {"last_epoch": n_epochs_run, "checkpoint_selection": "best", "patience": recipe.patience_used}
    save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    remove_file(context.run.finish_file)
    context.emit(Noted.of(note("finished-early", epochs_run=n_epochs_run, epochs=n_planned)))
