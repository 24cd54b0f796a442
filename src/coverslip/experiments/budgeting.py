"""Training within a time budget: measure the machine, plan, try a few networks, and settle the recipe.

What is settled is written into the run's recipe, so that it alone gives the same result again, without a budget and on
any machine; a run that is resumed keeps it. Networks are compared on validation images only, by instant classifiers;
test images are looked at once, by the one that was trained. Fine-tuning has a deadline besides: where the machine has
become slower than it was when it was measured, it ends after the last epoch that was whole, and the recipe says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from coverslip.datasets import DecodedPixels, counted
from coverslip.errors import OutOfTime
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
    NetworkChoice,
    Workload,
    closing_seconds,
    epoch_seconds,
    epochs_within,
    fastest_training,
    greedy_fit,
    instant_seconds,
    likely_cost,
    min_total_seconds,
    network_choices,
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
from coverslip.training.ranking import cross_fitted_rank


@dataclass(frozen=True, slots=True)
class _Measured:
    """A network whose pace is known."""

    choice: NetworkChoice
    pace: EmbeddingPace
    seconds: float  # for its instant classifier


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


def record_truncation(finetuned: FinetuneStage | None, context: RunContext) -> None:
    """Where fine-tuning ran out of time, say in the run's recipe how far it came."""
    record = context.run.budget
    if record is None:
        return
    is_cut = finetuned is not None and finetuned.stopped_because == "out of time"
    if finetuned is not None and is_cut:
        recipe = context.run.recipe
        changes = {"last_epoch": finetuned.epochs_run} if finetuned.epochs_run else {"stage": "instant"}
        save_recipe(recipe.model_copy(update=changes), context.run.recipe_file)
        text = f"The time budget ended after {finetuned.epochs_run} of {recipe.n_epochs} epochs of fine-tuning."
        values = {"epochs_run": finetuned.epochs_run, "epochs": recipe.n_epochs}
        context.emit(Noted(code="out-of-time", text=text, level="warning", values=values))
    ended = "fine-tuning cut short" if is_cut else "as planned"
    record.model_copy(update={"ended": ended}).write(context.run.budget_file)


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
        self._pace, self._record, self._work = pace, record, _workload(parts, recipe)
        self._steps: list[PlannedStep] = []
        self._left_out: list[TriedNetwork] = []
        self._is_finetuned = recipe.stage == "finetune" or recipe.init == "scratch"

    def settle(self) -> tuple[Recipe, BudgetRecord]:
        """The recipe that is carried out, and what was planned and tried."""
        self._add("looking at the images", self._record.seconds - self._left)
        before = self._left
        measured = self._measure()
        steps_per_second = self._training_pace(measured[0])
        self._add("measuring how quick this machine is", before - self._left)
        tried = self._worth_trying(measured)
        self._show(tried, steps_per_second)
        best, networks = tried[0], [_listed(tried[0], "chosen")]
        if len(tried) > 1:
            best, networks = self._compare(tried)
            if best is not tried[0]:
                steps_per_second = self._training_pace(best)
        recipe = self._final_recipe(best, steps_per_second, is_embedded=len(tried) > 1)
        self._emit_decision(recipe, networks)
        changes = {
            "steps": tuple(self._steps),
            "networks": (*networks, *self._left_out),
            "reserve_seconds": closing_seconds(best.pace, self._work),
            "is_planned": True,
        }
        return recipe, self._record.model_copy(update=changes)

    @property
    def _left(self) -> float:
        return self._context.deadline.seconds_left()

    def _add(self, what: str, seconds: float) -> None:
        self._steps.append(PlannedStep(what=what, seconds=round(max(0.0, seconds), 1)))

    def _measure(self) -> list[_Measured]:
        """The networks of which each fits by itself; whatever the time, one is looked for."""
        began, measured = self._left, list[_Measured]()
        needed, cheapest_unfit = list[float](), math.inf
        for choice in network_choices(self._recipe, chooses_network=self._record.chooses_network):
            is_too_dear = bool(needed) and not measured and likely_cost(choice) >= cheapest_unfit
            is_enough = bool(measured) and began - self._left > MEASURING_SHARE * self._record.seconds
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

    def _training_pace(self, network: _Measured) -> float | None:
        """Images a second of training steps; None where there will be none, for which nothing need be measured."""
        if not self._is_finetuned:
            return None
        if self._context.device != "cpu":  # embedding says little of steps in mixed precision
            return self._pace.training(network.choice.of(self._recipe))
        at_best = epoch_seconds(fastest_training(network.pace, self._recipe.tta), self._work)
        left = self._left - network.seconds - closing_seconds(network.pace, self._work)
        if self._recipe.init != "scratch" and not epochs_within(left, at_best, self._recipe, self._work.n_epoch):
            return None
        return self._pace.training(network.choice.of(self._recipe))

    def _worth_trying(self, measured: Sequence[_Measured]) -> list[_Measured]:
        """The first, and others where their share of the time suffices; alone it need not be tried beforehand."""
        first, *others = measured
        left = self._left - closing_seconds(first.pace, self._work)
        fitting = greedy_fit([other.seconds for other in others], TRIALS_SHARE * left - first.seconds)
        self._left_out += [_listed(other, "no time") for i, other in enumerate(others) if i not in fitting]
        return [first, *(others[i] for i in fitting)]

    def _show(self, tried: Sequence[_Measured], steps_per_second: float | None) -> None:
        """Emit what will be done, before it begins."""
        for network in tried:
            self._add(f"instant classifier of {network.choice}", network.seconds)
        closing = closing_seconds(tried[0].pace, self._work)
        if steps_per_second:
            per_epoch = epoch_seconds(steps_per_second, self._work)
            for_epochs = self._left - closing - sum(network.seconds for network in tried)
            if n := epochs_within(for_epochs / SAFETY, per_epoch, self._recipe, self._work.n_epoch):
                whose = "the best of them" if len(tried) > 1 else str(tried[0].choice)
                self._add(f"fine-tuning of {whose}, {n} epochs", n * per_epoch)
        self._add("test images and report, with a reserve", closing)
        show_plan(self._steps, self._record, self._context.emit)

    def _compare(self, tried: Sequence[_Measured]) -> tuple[_Measured, list[TriedNetwork]]:
        """The one that validation images prefer, and how each did. The first is tried however long it takes."""
        listed: list[TriedNetwork] = []
        ranks: list[tuple[float, float]] = []
        for network in tried:
            for_others = sum(other.seconds for other in tried[len(listed) + 1 :])
            reserve = closing_seconds(network.pace, self._work) + for_others
            deadline = self._context.deadline.earlier(reserve) if listed else NO_DEADLINE
            result, rank = self._try(network, Stop(self._context.run.stop_file, deadline))
            listed.append(result)
            ranks.append(rank)
        best = max(range(len(tried)), key=ranks.__getitem__)
        listed[best] = listed[best].model_copy(update={"outcome": "chosen"})
        return tried[best], listed

    def _try(self, network: _Measured, stop: Stop) -> tuple[TriedNetwork, tuple[float, float]]:
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
            return _listed(network, "cut short"), (-math.inf, -math.inf)
        rank = cross_fitted_rank(logits, images.val_label, recipe)
        score, loss = METRICS[recipe.primary_metric].as_higher_is_better(rank[0]), -rank[1]
        known = {"seconds": round(before - self._left, 1), "score": score, "log_loss": loss}
        return _listed(network, "tried").model_copy(update=known), rank

    def _final_recipe(self, best: _Measured, steps_per_second: float | None, *, is_embedded: bool) -> Recipe:
        """The recipe of what is left: with the network, its image size, and as many epochs as fit."""
        recipe, work = best.choice.of(self._recipe), self._work
        if steps_per_second is None:
            return recipe.model_copy(update={"stage": "instant"})
        before = best.pace.setup_seconds + best.pace.probe_seconds if is_embedded else best.seconds
        if recipe.init == "scratch":
            before = 0.0
        before += (work.n_train + work.n_val) / best.pace.reading_per_second
        seconds = self._left - closing_seconds(best.pace, work) - before
        per_epoch = epoch_seconds(steps_per_second, work)
        if n := epochs_within(seconds / SAFETY, per_epoch, recipe, work.n_epoch):
            return recipe.model_copy(update={"epochs": n})
        if recipe.init == "scratch":
            raise self._too_little(before + FEWEST_EPOCHS * per_epoch + closing_seconds(best.pace, work))
        return recipe.model_copy(update={"stage": "instant"})

    def _emit_decision(self, recipe: Recipe, networks: Sequence[TriedNetwork]) -> None:
        """Emit what was settled."""
        compared = [network for network in networks if network.score is not None]
        if compared:
            n = counted(len(compared), "network")
            text = f"{n} were tried on validation images; {recipe.model} at {recipe.image_size} px was best."
            self._context.emit(Noted(code="networks-compared", text=text, values={"n": len(compared)}))
        if self._is_finetuned:
            text = f"There is time for {counted(recipe.n_epochs, 'epoch')} of fine-tuning."
            if recipe.stage == "instant":
                text = "There is no time for enough epochs of fine-tuning: the instant classifier is the result."
            self._context.emit(Noted(code="plan-settled", text=text))


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
