"""Expected time of a training, by the pace of earlier ones, and finishing a training early."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import BadRun
from coverslip.events import Event, Noted, Pace, RunEnded, WorkPlanned
from coverslip.experiments.budgeting import SIZE_POWER
from coverslip.experiments.split_data import SplitData
from coverslip.files import remove_file, write_text
from coverslip.messages import note, rough_duration, text
from coverslip.models import model_info
from coverslip.runs import Pretraining, Recipe, Run, RunContext, open_run, save_recipe
from coverslip.runs.log import Progress, fold_event
from coverslip.runs.log.progress import USUAL_CLOSING, training_seconds

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted

PACES = register(Kind("pace", "how long earlier trainings took on this computer", RECORDS, bound_bytes=10**7))
LONG_SECONDS = 1800.0  # a training that takes longer is worth a warning
_KEY = "paces"
_MOST_KEPT = 60
_MOST_SCALED = 2.0  # image sides that differ by more say too little of each other's pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many images a training has in each part of its split, or in those of its first fold."""

    n_train: int
    n_val: int
    n_test: int
    n_drawn: int
    n_folds: int = 0


@dataclass(frozen=True, slots=True)
class _PaceRecord:
    """The pace of an earlier training."""

    model: str
    image_size: int
    device: str
    tta: int
    freeze_to: str | None
    is_scratch: bool
    at: float  # seconds since 1970
    pace: Pace

    def is_alike(self, other: "_PaceRecord") -> bool:
        """Whether the pace of one is that of the other."""
        return _identity(self) == _identity(other)


def _identity(record: _PaceRecord) -> tuple[object, ...]:
    return record.model, record.image_size, record.device, record.tta, record.freeze_to, record.is_scratch


def plan_work(recipe: Recipe, counts: Counts, device: str, limit_seconds: float | None = None) -> WorkPlanned:
    """Return the amount of work of a training, with its expected time if an earlier training allows an estimate.

    Args:
        recipe: of the training.
        counts: of its images.
        device: that it runs on.
        limit_seconds: left of its time budget; None without one.
    """
    n_epochs = 0
    if recipe.is_finetuned:
        settled = recipe.with_epochs(counts.n_drawn)
        n_epochs = min(settled.n_epochs, recipe.last_epoch or settled.n_epochs)
    pace, basis = _pace_for(recipe, device)
    plan = WorkPlanned(
        n_train=counts.n_train,
        n_val=counts.n_val,
        n_test=counts.n_test,
        n_drawn=counts.n_drawn,
        n_again=recipe.n_reprocessed(counts.n_train) + 2 * counts.n_val if n_epochs else 0,
        n_epochs=n_epochs,
        has_instant=recipe.init != "scratch",
        copies=recipe.copies_in_images(counts.n_train),
        n_folds=counts.n_folds,
        pace=pace,
        basis=basis,
        limit_seconds=limit_seconds,
    )
    seconds = None if basis is None else training_seconds(plan, pace)
    if seconds is not None and limit_seconds is not None:
        seconds = min(seconds, limit_seconds)
    return replace(plan, seconds=seconds)


def counts_of(split_data: SplitData, recipe: Recipe, n_folds: int = 0) -> Counts:
    """The counts of a split."""
    n_train, n_val, n_test = (len(part) for part in (split_data.train, split_data.val, split_data.test))
    return Counts(n_train=n_train, n_val=n_val, n_test=n_test, n_drawn=split_data.n_drawn(recipe), n_folds=n_folds)


def expected_time(plan: WorkPlanned, step: int | None = None) -> Noted:
    """The estimate in words, of a training or of one step of two."""
    return Noted.of(
        note(
            "expected-time",
            level="warning" if plan.seconds is not None and plan.seconds > LONG_SECONDS else "info",
            is_known=plan.seconds is not None,
            step=step or 0,
            seconds=plan.seconds,
            duration=rough_duration(plan.seconds or 0),
            basis=plan.basis or "",
            n_folds=plan.n_folds,
            n_trainings=plan.n_folds + 1,
        )
    )


class PaceListener:
    """Notes how quick a training goes, and keeps that for estimates of later ones."""

    def __init__(self, context: RunContext) -> None:
        self._context, self._progress = context, Progress()

    def __call__(self, event: Event) -> None:
        if isinstance(event, WorkPlanned):
            event = replace(event, pace=Pace())  # what is kept is measured here, not taken from earlier trainings
        self._progress = fold_event(self._progress, event, time.time())
        if isinstance(event, RunEnded) and event.state == "done" and event.fold is None and not event.is_pretraining:
            self._keep()

    def _keep(self) -> None:
        progress, plan = self._progress, self._progress.plan
        # The first steps without a whole epoch are much slower than those that follow.
        measured = progress.pace if progress.pace.n_epochs else replace(progress.pace, training=None)
        if plan is None or (measured.embedding is None and measured.training is None):
            return
        record = _new_record(self._context.run.recipe, self._context.device, _measured_px(self._context.run))
        stored = _all_records()
        earlier = next((each for each in stored if each.is_alike(record)), None)
        if earlier:  # it may know what this one did not measure: its features were in the cache, or it was instant
            measured = _completed(measured, earlier.pace)
        seconds = {stage.stage: stage.seconds for stage in progress.stages}
        n_images = plan.n_train + plan.n_val + plan.n_test
        predicting = (measured.embedding or 0.0) * (plan.n_again + plan.n_test)
        pace = replace(
            measured,
            reading=seconds.get("reading", 0.0) / max(n_images, 1),
            closing=max(1.0, seconds.get("measuring", USUAL_CLOSING) - predicting),
            step=None,
            n_epochs=0,
        )
        _write([*(each for each in stored if each is not earlier), replace(record, pace=pace)][-_MOST_KEPT:])


def _measured_px(run: Run) -> int | None:
    """The image size of the network whose pace was measured: within a budget, not always that of the one kept."""
    return (run.budget and run.budget.image_size) or run.recipe.image_size


def _completed(pace: Pace, earlier: Pace) -> Pace:
    return replace(
        pace,
        embedding=earlier.embedding if pace.embedding is None else pace.embedding,
        training=earlier.training if pace.training is None else pace.training,
    )


def _new_record(recipe: Recipe, device: str, image_size: int | None) -> _PaceRecord:
    return _PaceRecord(
        model=recipe.model,
        image_size=image_size or model_info(recipe.model).input_px,
        device=device,
        tta=recipe.tta,
        freeze_to=recipe.freeze_to,
        is_scratch=recipe.init == "scratch",
        at=time.time(),
        pace=Pace(),
    )


def _pace_for(recipe: Recipe, device: str) -> tuple[Pace, str | None]:
    """The pace of the training that is most like this one, and which that is; scaled if its images are of another size.

    Other networks tell nothing: the time for an operation differs several times between them.
    """
    wanted = _new_record(recipe, device, recipe.image_size)
    comparable = [each for each in _all_records() if _is_comparable(each, wanted) and _is_enough(each.pace, recipe)]
    if not comparable:
        return Pace(), None
    nearest = min(comparable, key=lambda each: (_ratio(each, wanted), each.tta != wanted.tta))
    if nearest.is_alike(wanted):
        return nearest.pace, text("pace-basis", model=nearest.model, image_size=nearest.image_size)
    basis = text("pace-basis-scaled", model=nearest.model, image_size=nearest.image_size, scaled_size=wanted.image_size)
    return _scaled(nearest, wanted), basis


def _is_comparable(earlier: _PaceRecord, wanted: _PaceRecord) -> bool:
    names = ("model", "device", "freeze_to", "is_scratch")
    is_same = all(getattr(earlier, name) == getattr(wanted, name) for name in names)
    return is_same and _ratio(earlier, wanted) <= _MOST_SCALED


def _ratio(earlier: _PaceRecord, wanted: _PaceRecord) -> float:
    """Of the larger image side to the smaller."""
    sides = (earlier.image_size, wanted.image_size)
    return max(sides) / min(sides)


def _scaled(earlier: _PaceRecord, wanted: _PaceRecord) -> Pace:
    factor = (wanted.image_size / earlier.image_size) ** SIZE_POWER
    embedding = None if earlier.pace.embedding is None else earlier.pace.embedding * factor * wanted.tta / earlier.tta
    training = None if earlier.pace.training is None else earlier.pace.training * factor
    return replace(earlier.pace, embedding=embedding, training=training)


def _is_enough(pace: Pace, recipe: Recipe) -> bool:
    is_embedding_known = pace.embedding is not None or recipe.init == "scratch"
    return is_embedding_known and (pace.training is not None or not recipe.is_finetuned)


def _all_records() -> list[_PaceRecord]:
    """The newest last; none where nothing was kept, or what was kept cannot be read."""
    with RecordStore(PACES, "all") as store:
        stored = store.find([_KEY]).get(_KEY)
    if stored is None:
        return []
    try:
        return [_read(each) for each in json.loads(stored)]
    except (KeyError, TypeError, ValueError):
        return []


def _read(values: Mapping[str, Any]) -> _PaceRecord:  # Any: JSON values
    return _PaceRecord(**{**values, "pace": Pace(**values["pace"])})


def _write(records: list[_PaceRecord]) -> None:
    with RecordStore(PACES, "all") as store:
        store.keep({_KEY: json.dumps([asdict(each) for each in records]).encode()})


def request_finish(folder: Path) -> bool:
    """Ask for the end of a training's fine-tuning.

    Returns:
        Whether a process works on the run, which will do so; else it ends once the run is resumed.

    Raises:
        BadRun: there is no run, or nothing to finish now.
    """
    run = open_run(folder)
    status, refusal = run.status, why_not_finished(run)
    if refusal is not None:
        raise refusal
    write_text(run.finish_file, "")
    return status is not None and status.is_alive


def withdraw_finish(folder: Path) -> None:
    """Withdraw an earlier request if no process is running: a resumed training then runs to its end."""
    run = open_run(folder)
    status = run.status
    if status is None or not status.is_alive:
        remove_file(run.finish_file)


def why_not_finished(run: Run) -> BadRun | None:
    """Return the error that says why a training cannot be finished now; None if it can."""
    recipe = run.recipe
    if run.is_done:
        return run_is_finished(run)
    if run.is_cross_validated or recipe.split.sets_folds:
        return BadRun("finish-with-folds", file=run.folder)
    if isinstance(recipe.init, Pretraining) and not run.pretraining.is_done:
        return BadRun("finish-in-first-step", file=run.folder)
    if not recipe.is_finetuned:
        return BadRun("finish-without-fine-tuning", file=run.folder)
    if not run.split_file.exists():
        return BadRun("finish-while-reading", file=run.folder)
    return None


def run_is_finished(run: Run) -> BadRun:
    """Return the error for a run whose training has ended."""
    return BadRun("run-is-finished", file=run.folder)


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
        changes = {"last_epoch": n_run, "checkpoint_selection": "best", "patience": recipe.patience_used}
    save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    remove_file(context.run.finish_file)
    context.emit(Noted.of(note("finished-early", epochs_run=n_run, epochs=recipe.n_epochs)))
