"""How long a training is expected to take, by the pace of earlier trainings on this computer."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.events import Event, Noted, Pace, RunEnded, WorkPlanned
from coverslip.experiments.parts import Parts
from coverslip.messages import rough_duration
from coverslip.models import model_info
from coverslip.runs import Recipe, RunContext
from coverslip.runs.log import Progress, fold_event
from coverslip.runs.log.time_left import USUAL_CLOSING, training_seconds

PACES = register(Kind("pace", "how long earlier trainings took on this computer", RECORDS, bound_bytes=10**7))
MOST_AGAIN = 2000  # training images that a fine-tuned network looks at again
LONG_SECONDS = 1800.0  # a training that takes longer is worth a warning
_KEY = "paces"
_MOST_KEPT = 60
_TITLE = "an earlier training of {} at {} px"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many images a training has in each part of its split, or in those of its first fold."""

    n_train: int
    n_val: int
    n_test: int
    n_drawn: int
    n_folds: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """The pace of an earlier training."""

    model: str
    image_size: int
    device: str
    tta: int
    freeze_to: str | None
    is_scratch: bool
    macs: float  # multiply-accumulates for an image; 0 where that is not known
    at: float  # seconds since 1970
    pace: Pace

    def is_alike(self, other: "_Known") -> bool:
        """Whether the pace of one is that of the other."""
        return _identity(self) == _identity(other)


def _identity(known: _Known) -> tuple[object, ...]:
    return known.model, known.image_size, known.device, known.tta, known.freeze_to, known.is_scratch


def plan_work(recipe: Recipe, counts: Counts, device: str) -> WorkPlanned:
    """How much a training has to do, and how long that takes here, where an earlier training tells."""
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
        n_again=min(counts.n_train, MOST_AGAIN) + 2 * counts.n_val if n_epochs else 0,
        n_epochs=n_epochs,
        has_instant=recipe.init != "scratch",
        n_folds=counts.n_folds,
        pace=pace,
        basis=basis,
    )
    return plan if basis is None else replace(plan, seconds=training_seconds(plan, pace))


def counts_of(parts: Parts, recipe: Recipe, n_folds: int = 0) -> Counts:
    """The counts of a split."""
    n_train, n_val, n_test = (len(part) for part in (parts.train, parts.val, parts.test))
    return Counts(n_train=n_train, n_val=n_val, n_test=n_test, n_drawn=parts.n_drawn(recipe), n_folds=n_folds)


def expected_time(plan: WorkPlanned, step: int | None = None) -> Noted:
    """The estimate in words, of a training or of one step of two."""
    of = "" if step is None else f" of step {step} of 2"
    folds = f" It trains {plan.n_folds + 1} times: {plan.n_folds} folds, then all images." if plan.n_folds else ""
    values = {"seconds": plan.seconds, "n_folds": plan.n_folds}
    if plan.seconds is None:
        text = f"The expected time{of} is not known: no such training has run on this computer.{folds}"
        return Noted(code="expected-time", text=text, values=values)
    text = f"Expected time{of}: about {rough_duration(plan.seconds)} on this computer (from {plan.basis}).{folds}"
    is_long = plan.seconds > LONG_SECONDS
    return Noted(code="expected-time", text=text, level="warning" if is_long else "info", values=values)


class PaceListener:
    """Notes how quick a training goes, and keeps that for estimates of later ones."""

    def __init__(self, context: RunContext) -> None:
        self._context, self._progress = context, Progress()

    def __call__(self, event: Event) -> None:
        self._progress = fold_event(self._progress, event, time.time())
        if isinstance(event, RunEnded) and event.state == "done" and event.fold is None and not event.is_pretraining:
            self._keep()

    def _keep(self) -> None:
        progress, plan = self._progress, self._progress.plan
        if plan is None:
            return
        seconds = {stage.stage: stage.seconds for stage in progress.stages}
        n_images = plan.n_train + plan.n_val + plan.n_test
        looked_at = (progress.pace.embedding or 0.0) * (plan.n_again + plan.n_test)
        pace = replace(
            progress.pace,
            reading=seconds.get("reading", 0.0) / max(n_images, 1),
            closing=max(1.0, seconds.get("measuring", USUAL_CLOSING) - looked_at),
            step=None,
            n_epochs=0,
        )
        if pace.embedding is None and pace.training is None:
            return
        known = _known_as(self._context.run.recipe, self._context.device, pace)
        kept = _all_known()
        earlier = next((each for each in kept if each.is_alike(known)), None)
        if earlier:  # it may know what this one did not measure: its features were in the cache, or it was instant
            known = replace(known, pace=_completed(known.pace, earlier.pace))
        _write([*(each for each in kept if each is not earlier), known][-_MOST_KEPT:])


def _completed(pace: Pace, earlier: Pace) -> Pace:
    return replace(
        pace,
        embedding=earlier.embedding if pace.embedding is None else pace.embedding,
        training=earlier.training if pace.training is None else pace.training,
    )


def _known_as(recipe: Recipe, device: str, pace: Pace) -> _Known:
    record = model_info(recipe.model)
    image_size = recipe.image_size or record.input_px
    return _Known(
        model=recipe.model,
        image_size=image_size,
        macs=(record.macs or 0.0) * (image_size / record.input_px) ** 2,
        device=device,
        tta=recipe.tta,
        freeze_to=recipe.freeze_to,
        is_scratch=recipe.init == "scratch",
        at=time.time(),
        pace=pace,
    )


def _pace_for(recipe: Recipe, device: str) -> tuple[Pace, str | None]:
    """The pace of the training that is most like this one, and which that is; scaled where the network is another."""
    wanted = _known_as(recipe, device, Pace())
    known = [each for each in _all_known() if each.device == device and _is_enough(each.pace, recipe)]
    for each in known:
        if each.is_alike(wanted):
            return each.pace, _TITLE.format(each.model, each.image_size)
    macs = wanted.macs
    alike = [each for each in known if (each.freeze_to, each.is_scratch) == (wanted.freeze_to, wanted.is_scratch)]
    if not alike or not macs:
        return Pace(), None
    nearest = min(alike, key=lambda each: abs(math.log(macs / each.macs)) if each.macs else math.inf)
    if not nearest.macs:
        return Pace(), None
    return _scaled(nearest, wanted), f"{_TITLE.format(nearest.model, nearest.image_size)}, scaled to this network"


def _scaled(known: _Known, wanted: _Known) -> Pace:
    factor = wanted.macs / known.macs
    embedding = None if known.pace.embedding is None else known.pace.embedding * factor * wanted.tta / known.tta
    training = None if known.pace.training is None else known.pace.training * factor
    return replace(known.pace, embedding=embedding, training=training)


def _is_enough(pace: Pace, recipe: Recipe) -> bool:
    is_embedding_known = pace.embedding is not None or recipe.init == "scratch"
    return is_embedding_known and (pace.training is not None or not recipe.is_finetuned)


def _all_known() -> list[_Known]:
    """The newest last; none where nothing was kept, or what was kept cannot be read."""
    with RecordStore(PACES, "all") as store:
        kept = store.find([_KEY]).get(_KEY)
    if kept is None:
        return []
    try:
        return [_read(each) for each in json.loads(kept)]
    except (KeyError, TypeError, ValueError):
        return []


def _read(values: Mapping[str, Any]) -> _Known:  # Any: JSON values
    return _Known(**{**values, "pace": Pace(**values["pace"])})


def _write(known: list[_Known]) -> None:
    with RecordStore(PACES, "all") as store:
        store.keep({_KEY: json.dumps([asdict(each) for each in known]).encode()})
