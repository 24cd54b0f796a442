"""Training within a time budget: measure the machine, plan, try a few networks, and settle the recipe.

What is settled is written into the run's recipe, so that it alone gives the same result again, without a budget and on
any machine; a run that is resumed keeps it. Networks are compared on validation images only, by instant classifiers;
test images are looked at once, by the one that was trained. Fine-tuning has a deadline besides: where the machine has
become slower than it was when it was measured, it ends after the last epoch that was whole, and the recipe says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coverslip.datasets import DecodedPixels, counted
from coverslip.errors import OutOfMemory, OutOfTime
from coverslip.evaluation import METRICS
from coverslip.events import Emit, Event, Noted, Progressed
from coverslip.experiments.pace import MeasuredPace, Pace
from coverslip.experiments.parts import Parts
from coverslip.experiments.planning import (
    FEWEST_EPOCHS,
    MEASURING_SHARE,
    SAFETY,
    TRIALS_SHARE,
    EmbeddingPace,
    FinetuningPlan,
    NetworkChoice,
    Workload,
    closing_seconds,
    epoch_seconds,
    familiarity_seconds,
    fastest_training,
    finetuning_choices,
    greedy_fit,
    instant_seconds,
    likely_cost,
    min_total_seconds,
    network_choices,
    plan_finetuning,
)
from coverslip.messages import duration
from coverslip.runs import (
    BudgetRecord,
    FinetuneStage,
    Outcome,
    PlannedStep,
    Recipe,
    RunContext,
    TriedNetwork,
    save_recipe,
)
from coverslip.stopping import NO_DEADLINE, Stop
from coverslip.training.preprocessing import learn_preprocessing
from coverslip.training.ranking import cross_fitted_rank, is_preferred, is_shown_worse

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted


@dataclass(frozen=True, slots=True)
class _Measured:
    """A network whose pace is known."""

    choice: NetworkChoice
    pace: EmbeddingPace
    seconds: float  # for its instant classifier


@dataclass(frozen=True, slots=True)
class _Tried:
    """How a network's instant classifier did on validation images."""

    listed: TriedNetwork
    rank: tuple[float, float]  # by the primary metric, then the calibrated log loss
    logits: npt.NDArray[np.float64] | None  # (n_val, K); None where there was no time


def fit_to_budget(
    parts: Parts, recipe: Recipe, context: RunContext, pace: Pace | None = None
) -> tuple[Recipe, RunContext]:
    """The recipe as the run's time budget settles it, and a context that ends fine-tuning in time.

    Both are as they were where the run has no budget. What was settled before is not planned again.

    Args:
        parts: the images.
        recipe: what to do; what it says itself is kept, but for `epochs`, of which fewer may be run.
        context: its deadline is that of the whole run.
        pace: how quick the machine is; default: measured now.

    Raises:
        OutOfTime: not even the quickest plan fits.
        OutOfMemory: fine-tuning takes more than is free, also on the smallest images.
        Stopped: on request.
    """
    record = context.run.budget
    if record is None:
        return recipe, context
    if not record.is_planned:
        recipe, record = _Planning(parts, recipe, context, pace or MeasuredPace(parts, context), record).settle()
        save_recipe(recipe, context.run.recipe_file)  # first: a plan that counts has its recipe
        record.write(context.run.budget_file)
    return recipe, context.ending(context.deadline.earlier(record.reserve_seconds))


def larger_instant(parts: Parts, fitted: "Fitted", recipe: Recipe, context: RunContext) -> Recipe | None:
    """The recipe of the instant classifier on larger images, where validation images speak for that; else None.

    Fine-tuning on smaller images fits into less time, but they show less.

    Raises:
        Stopped: on request.
    """
    from coverslip.training.fitting import is_taken, try_instant

    record = context.run.budget
    px = None if record is None else record.instant_px
    if px in (None, recipe.image_size) or fitted.is_stopped:
        return None
    larger = recipe.model_copy(update={"image_size": px, "stage": "instant"})
    preprocessing = learn_preprocessing(parts.train_facts, larger)
    images = parts.training_images(DecodedPixels(parts.data, parts.scan, preprocessing))
    quiet = replace(context, emit=_only_progress(context.emit))
    logits, _ = try_instant(images, parts.digests, preprocessing, larger, quiet)
    if fitted.chosen == "finetune":
        is_kept = is_taken(fitted.val_logits, logits, images, recipe, fitted.stages[-1])
    else:
        is_kept = is_preferred(fitted.val_logits, logits, images.val_label, recipe)
    return None if is_kept else larger


def keep_larger(larger: Recipe, trained: Recipe, context: RunContext) -> None:
    """Say in the run's files, and emit, that the instant classifier on larger images is kept."""
    record = context.run.budget
    assert record is not None, "only a budget leads to smaller images"
    record.model_copy(update={"ended": "larger instant classifier"}).write(context.run.budget_file)
    save_recipe(larger, context.run.recipe_file)
    is_cut = record.ended == "fine-tuning cut short"
    text = (
        f"The instant classifier at {larger.image_size} px is kept: validation images did not speak for what came of "
        f"fine-tuning at {trained.image_size} px{', which ran out of time' if is_cut else ''}."
    )
    context.emit(Noted(code="fine-tuning-no-better", text=text))


def record_truncation(finetuned: FinetuneStage | None, context: RunContext) -> None:
    """Where fine-tuning ran out of time, say in the run's recipe how far it came."""
    record = context.run.budget
    if record is None:
        return
    if finetuned is not None and finetuned.stopped_because == "on request":
        return  # how it ends is not known yet
    is_cut = finetuned is not None and finetuned.stopped_because == "out of time"
    if finetuned is not None and is_cut:
        recipe = context.run.recipe
        changes = {"last_epoch": finetuned.epochs_run} if finetuned.epochs_run else {"stage": "instant"}
        save_recipe(recipe.model_copy(update=changes), context.run.recipe_file)
        text = f"The time budget ended after {finetuned.epochs_run} of {recipe.n_epochs} epochs of fine-tuning."
        values = {"epochs_run": finetuned.epochs_run, "epochs": recipe.n_epochs}
        context.emit(Noted(code="out-of-time", text=text, level="warning", values=values))
        record.model_copy(update={"ended": "fine-tuning cut short"}).write(context.run.budget_file)
    else:
        record_as_planned(context)


def record_as_planned(context: RunContext) -> None:
    """Where the run has a time budget, and nothing else came of it, say that all went as planned."""
    record = context.run.budget
    if record is not None and record.ended is None:  # else a run that goes on, of which more is known than now
        record.model_copy(update={"ended": "as planned"}).write(context.run.budget_file)


def show_plan(steps: Sequence[PlannedStep], record: BudgetRecord, emit: Emit) -> None:
    """Emit what will be done, before it begins."""
    each = ", ".join(f"{step.what} ({duration(step.seconds)})" for step in steps)
    total = duration(sum(step.seconds for step in steps))
    text = f"The plan for {duration(record.seconds)}: {each}; {total} in all."
    values = {"seconds": record.seconds, "steps": [step.model_dump() for step in steps]}
    emit(Noted(code="plan", text=text, values=values))


class _Planning:
    """One plan, from what is open to what is settled."""

    def __init__(self, parts: Parts, recipe: Recipe, context: RunContext, pace: Pace, record: BudgetRecord) -> None:
        self._parts, self._recipe, self._context = parts, parts.with_epochs(recipe), context
        self._may_add_epochs = recipe.epochs == "auto"
        self._pace, self._record, self._work = pace, record, _workload(parts, recipe)
        self._left_out: list[TriedNetwork] = []
        self._training_pace = cache(lambda choice: pace.training(choice.of(self._recipe)))

    def settle(self) -> tuple[Recipe, BudgetRecord]:
        """The recipe that is carried out, and what was planned and tried."""
        began = self._left
        measured = self._measure()
        tried = self._worth_trying(measured)
        is_compared = len(tried) > 1
        trials = sum(network.seconds for network in tried) if is_compared else 0.0
        likely = self._finetuning(tried[0], self._seconds_beside(tried[0], is_embedded=is_compared) + trials)
        done = (
            _step("looking at the images", self._record.seconds - began),
            _step("measuring how quick this machine is", began - self._left),
        )
        show_plan((*done, *self._steps(tried, likely, None)), self._record, self._context.emit)
        best, finetuning, networks = self._chosen(tried)
        recipe = self._final_recipe(best, finetuning)
        is_smaller = finetuning is not None and finetuning.choice != best.choice
        larger = _again_seconds(best) + (_again_seconds(best) if is_compared else SAFETY * best.seconds)
        self._emit_decision(recipe, networks, best.choice if is_smaller else None)
        changes = {
            "steps": (*done, *self._steps(tried, finetuning, best)),
            "networks": (*networks, *self._left_out),
            "reserve_seconds": self._closing(best) + (larger if is_smaller else 0.0),
            "instant_px": best.choice.image_size if is_smaller else None,
            "is_planned": True,
        }
        return recipe, self._record.model_copy(update=changes)

    @property
    def _left(self) -> float:
        return self._context.deadline.seconds_left()

    def _closing(self, network: _Measured) -> float:
        """For what comes after training with this network."""
        seconds = closing_seconds(network.pace, self._work)
        if self._recipe.is_finetuned:
            seconds += familiarity_seconds(network.pace, self._work)
        return seconds

    def _measure(self) -> list[_Measured]:
        """The networks of which each fits by itself; whatever the time, one is looked for."""
        began, measured = self._left, list[_Measured]()
        needed, cheapest_unfit = list[float](), math.inf
        for choice in network_choices(self._recipe, chooses_network=self._record.chooses_network):
            is_too_dear = bool(needed) and not measured and likely_cost(choice) >= cheapest_unfit
            is_enough = bool(measured) and (
                began - self._left > MEASURING_SHARE * self._record.seconds
                or self._seconds_for_others(measured[0]) <= 0
            )
            if is_too_dear or is_enough:
                self._left_out.append(_listed(choice, "no time"))
                continue
            self._context.stop.check()
            pace = self._pace.embedding(choice.of(self._recipe))
            network = _Measured(choice, pace, instant_seconds(pace, self._work))
            needed.append(network.seconds + closing_seconds(pace, self._work))
            if needed[-1] <= self._left:
                measured.append(network)
            else:
                self._left_out.append(_listed(network, "no time"))
                cheapest_unfit = min(cheapest_unfit, likely_cost(choice))
                if not measured and min_total_seconds(pace) > self._left:  # no use to go on measuring
                    break
        if not measured:
            raise self._too_little(min(needed))
        return measured

    def _too_little(self, needed: float) -> OutOfTime:
        seconds = SAFETY * (self._record.seconds - self._left + needed)
        allowed, needed_in_all = duration(self._record.seconds), duration(seconds)
        return OutOfTime(
            f"{allowed} is too little: the quickest training takes about {needed_in_all} here",
            do="Allow more time, or train on fewer images.",
            values={"seconds": round(seconds)},
        )

    def _finetuning(self, network: _Measured, reserved: float) -> FinetuningPlan | None:
        """Fine-tuning that fits beside what is reserved; None without any."""
        if not self._recipe.is_finetuned:
            return None

        def seconds_left(choice: NetworkChoice) -> float:
            return self._left - reserved - (0.0 if choice == network.choice else self._again(network))

        try:
            return plan_finetuning(
                finetuning_choices(network.choice, self._recipe),
                self._recipe,
                self._work,
                self._work.n_epoch,
                seconds_left,
                self._training_pace,
                fastest_training(network.pace, self._recipe, self._context.device),
                may_add=self._may_add_epochs,
            )
        except OutOfMemory:
            if network.choice.model == self._recipe.model:
                raise
            return None

    def _again(self, network: _Measured) -> float:
        """For the instant classifier of another size that fine-tuning begins with, and for the one it ends beside."""
        return network.seconds + 2 * _again_seconds(network)

    def _worth_trying(self, measured: Sequence[_Measured]) -> list[_Measured]:
        """The first, and others that there is time for; alone it need not be tried beforehand."""
        first, *others = measured
        fitting = greedy_fit([other.seconds for other in others], self._seconds_for_others(first)) if others else []
        self._left_out += [_listed(other, "no time") for i, other in enumerate(others) if i not in fitting]
        return [first, *(others[i] for i in fitting)]

    def _seconds_for_others(self, first: _Measured) -> float:
        """Their share of the time, as far as fine-tuning the first network leaves it.

        Fine-tuning gains more than any choice among networks did (benchmarks/RESULTS.md).
        """
        beside = self._seconds_beside(first, is_embedded=True) + first.seconds  # as it is where it is compared
        own = self._finetuning(first, beside)
        share = TRIALS_SHARE * (self._left - self._closing(first)) - first.seconds
        if own is None:
            return share
        again = 0.0 if own.choice == first.choice else self._again(first)
        return min(share, self._left - beside - again - SAFETY * own.seconds)

    def _steps(
        self, tried: Sequence[_Measured], finetuning: FinetuningPlan | None, best: _Measured | None
    ) -> list[PlannedStep]:
        """What is done from now on; `best` is None as long as it is not known which of several it is."""
        likely = best or tried[0]
        steps = [_step(f"instant classifier of {network.choice}", network.seconds) for network in tried]
        if finetuning is not None:
            px = finetuning.choice.image_size
            if finetuning.choice not in [network.choice for network in tried]:
                steps.append(_step(f"instant classifier at {px} px, to begin with", likely.seconds))
            is_known = best is not None or len(tried) == 1
            whose = str(finetuning.choice) if is_known else f"the best of them at {px} px"
            steps.append(_step(f"fine-tuning of {whose}, {finetuning.epochs} epochs", finetuning.seconds))
        return [*steps, _step("test images and report, with a reserve", self._closing(likely))]

    def _chosen(self, tried: Sequence[_Measured]) -> tuple[_Measured, FinetuningPlan | None, list[TriedNetwork]]:
        """The network, fine-tuning of it that fits, and how each did.

        Another takes the place of the first only where that is shown to be worse: few images choose by chance.
        """
        if len(tried) == 1:
            plan = self._finetuning(tried[0], self._seconds_beside(tried[0], is_embedded=False))
            return tried[0], plan, [_listed(tried[0], "chosen")]
        results = self._compare(tried)
        own, best = results[0], max(results, key=lambda result: result.rank)
        assert own.logits is not None, "the first is tried however long it takes"
        assert best.logits is not None, "it is the first, or one that there was time for"
        val_label = self._parts.label[self._parts.val]
        place = results.index(best) if is_shown_worse(own.logits, best.logits, val_label, self._recipe) else 0
        listed = [result.listed for result in results]
        listed[place] = listed[place].model_copy(update={"outcome": "chosen"})
        return (
            tried[place],
            self._finetuning(tried[place], self._seconds_beside(tried[place], is_embedded=True)),
            listed,
        )

    def _compare(self, tried: Sequence[_Measured]) -> list[_Tried]:
        """How each does on validation images. The first is tried however long it takes."""
        results: list[_Tried] = []
        for network in tried:
            for_others = sum(other.seconds for other in tried[len(results) + 1 :])
            deadline = self._context.deadline.earlier(self._closing(network) + for_others) if results else NO_DEADLINE
            results.append(self._try(network, Stop(self._context.run.stop_file, deadline)))
        return results

    def _try(self, network: _Measured, stop: Stop) -> _Tried:
        """What a network's instant classifier is worth on validation images."""
        from coverslip.training.fitting import try_instant

        recipe, parts = network.choice.of(self._recipe), self._parts
        preprocessing = learn_preprocessing(parts.train_facts, recipe)
        images = parts.training_images(DecodedPixels(parts.data, parts.scan, preprocessing))
        context = replace(self._context, emit=_only_progress(self._context.emit), stop=stop)
        before = self._left
        try:
            logits, _ = try_instant(images, parts.digests, preprocessing, recipe, context)
        except OutOfTime:
            return _Tried(_listed(network, "cut short"), (-math.inf, -math.inf), None)
        rank = cross_fitted_rank(logits, images.val_label, recipe)
        score, loss = METRICS[recipe.primary_metric].as_higher_is_better(rank[0]), -rank[1]
        known = {"seconds": round(before - self._left, 1), "score": score, "log_loss": loss}
        return _Tried(_listed(network, "tried").model_copy(update=known), rank, logits)

    def _seconds_beside(self, best: _Measured, *, is_embedded: bool) -> float:
        """What a training with this network takes beside fine-tuning."""
        instant = best.pace.setup_seconds + best.pace.probe_seconds if is_embedded else best.seconds
        if self._recipe.init == "scratch":
            instant = 0.0
        reading = (self._work.n_train + self._work.n_val) / best.pace.reading_per_second
        return self._closing(best) + instant + reading

    def _final_recipe(self, best: _Measured, finetuning: FinetuningPlan | None) -> Recipe:
        """The recipe of what is left: with the network, its image size, and as many epochs as fit."""
        if finetuning is not None:
            return finetuning.choice.of(self._recipe).model_copy(update={"epochs": finetuning.epochs})
        if self._recipe.init == "scratch":
            per_epoch = epoch_seconds(self._training_pace(best.choice), self._work)
            raise self._too_little(FEWEST_EPOCHS * per_epoch + self._closing(best))
        return best.choice.of(self._recipe).model_copy(update={"stage": "instant"})

    def _emit_decision(self, recipe: Recipe, networks: Sequence[TriedNetwork], larger: NetworkChoice | None) -> None:
        """Emit what was settled; `larger` is preferred among instant classifiers, where fine-tuning takes less."""
        compared = [network for network in networks if network.score is not None]
        if compared:
            n = counted(len(compared), "instant classifier")
            chosen = larger or NetworkChoice(recipe.model, recipe.image_size or 0)
            text = f"{n} were compared on validation images; {chosen} is taken."
            self._context.emit(Noted(code="networks-compared", text=text, values={"n": len(compared)}))
        if self._recipe.is_finetuned:
            text = f"There is time for {counted(recipe.n_epochs, 'epoch')} of fine-tuning."
            if recipe.stage == "instant":
                text = "There is no time for enough epochs of fine-tuning: the instant classifier is the result."
            elif larger is not None:
                text = (
                    f"There is time for {counted(recipe.n_epochs, 'epoch')} of fine-tuning at {recipe.image_size} px, "
                    f"which has to hold its own against the instant classifier at {larger.image_size} px."
                )
            self._context.emit(Noted(code="plan-settled", text=text))


def _step(what: str, seconds: float) -> PlannedStep:
    return PlannedStep(what=what, seconds=round(max(0.0, seconds), 1))


def _again_seconds(network: _Measured) -> float:
    """For an instant classifier whose features are kept already."""
    return SAFETY * (network.pace.setup_seconds + network.pace.probe_seconds)


def _workload(parts: Parts, recipe: Recipe) -> Workload:
    return Workload(len(parts.train), len(parts.val), len(parts.test), parts.n_drawn(recipe))


def _listed(network: _Measured | NetworkChoice, outcome: Outcome) -> TriedNetwork:
    """A network as the run records it."""
    choice, seconds = (network, None) if isinstance(network, NetworkChoice) else (network.choice, network.seconds)
    planned = None if seconds is None else round(seconds, 1)
    return TriedNetwork(model=choice.model, image_size=choice.image_size, planned_seconds=planned, outcome=outcome)


def _only_progress(emit: Emit) -> Emit:
    """A listener that is told how far work is, but not of stages, which are those of the training itself."""

    def tell(event: Event) -> None:
        if isinstance(event, Progressed):
            emit(event)

    return tell
