"""Training within a time budget: one network, whose fine-tuning adapts to the time, or all folds of a cross-validation.

The instant classifier is trained first. Then fine-tuning takes its first steps at the full image size. If their speed
shows that the epochs do not fit, fine-tuning restarts on smaller images. From then on the number of steps follows the
speed of the machine (`training.pacing`), so that the learning rate reaches its end in time.

All folds are trained with the same recipe, so that nothing is adapted while they run. Their speed is estimated from the
instant stage, whose features all folds use, and from the first steps of fine-tuning. If the time runs out before all
folds are done, all of them use the instant classifier, so that the evaluated classifiers and the final one agree.

All choices are written to the run's recipe, which yields the same classifier without a budget.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from coverslip.datasets import Dataset, DecodedPixels, Folds, Scan
from coverslip.errors import OutOfMemory, OutOfTime, Stopped
from coverslip.events import (
    ClassifierSelected,
    Noted,
)
from coverslip.experiments.estimating import (
    SIZE_POWER,
    InstantStageTimer,
    batch_size_within_memory,
    fit_to_memory,
    measure_speed,
    without_stages,
)
from coverslip.experiments.split_data import (
    SplitData,
    capped_split_data,
    with_epochs_for_folds,
)
from coverslip.images import Preprocessing
from coverslip.messages import Remedies, Set, duration, note
from coverslip.models import model_info
from coverslip.runs import IMAGES_SHOWN, BudgetRecord, Recipe, Run, RunContext, automatic_epochs, save_recipe
from coverslip.stopping import Stop, TimeLimit
from coverslip.training.preprocessing import learn_preprocessing
from coverslip.training.ranking import is_preferred

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted
    from coverslip.training.ood import OodDetector
    from coverslip.training.pacing import StepPace

# Shares of the recommended epochs of fine-tuning
_NEARLY_ALL = 0.9  # with fewer, smaller images are used instead
_FEWEST = 0.6  # with fewer, fine-tuned networks are worse than instant classifiers
_FEWEST_FROM_SCRATCH = 2  # epochs: a single epoch is too short for the learning rate to rise and fall
_MORE_EPOCHS = 2.0  # more than that do not improve results
_SMALLEST_PX, _SMALLEST_SHARE = 64, 0.4  # of the full size: fine-tuned there, most beat their instant classifiers
_STEP_PX = 32  # networks halve the size five times
_INSTANT_SHARE = 0.8  # of the time left, for the instant classifier
_INSTANT_SHARE_BEGUN = 0.9  # on smaller images, once it has begun: starting again costs time too
_FORWARD_SHARE = 0.4  # time of predicting images, as a share of a training step on as many images
_UNUSED_SHARE = 0.2  # of the budget: if more time is left over, a note says so
_SAFETY = 1.25  # factor on estimates for folds, which cannot be adapted while they run


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network, and what it was trained with."""

    recipe: Recipe
    preprocessing: Preprocessing
    fitted: "Fitted"
    ood_detector: "OodDetector | None"


Train = Callable[[Recipe, RunContext], TrainedNetwork]
Outcome = Literal["fine-tuned", "instant classifier", "larger instant classifier", "no time to fine-tune"]


def train_within_budget(split_data: SplitData, recipe: Recipe, context: RunContext, train: Train) -> TrainedNetwork:
    """Train one network within the run's time budget, and write the choices to the run folder.

    Args:
        split_data: the images and their split.
        recipe: with a number of epochs.
        context: of a run with a budget; its deadline is that of the whole run.
        train: trains by a recipe, within the limit of a context.

    Raises:
        OutOfTime: there is no time for the instant classifier or, from scratch, for fine-tuning.
        OutOfMemory: fine-tuning needs more memory than is free, even on the smallest images.
        Stopped: on request.
    """
    return _BudgetedTraining(split_data, recipe, context, train).run()


def image_sizes(recipe: Recipe, full_px: int) -> list[int]:
    """Return the image sizes that a budget may choose from, the largest first; one if the recipe determines it."""
    record = model_info(recipe.model)
    if recipe.image_size is not None or recipe.init != "imagenet" or record.is_sized or recipe.head_init != "instant":
        return [full_px]
    smallest = max(_SMALLEST_PX, _SMALLEST_SHARE * full_px)
    multiples = range(_STEP_PX * (full_px // _STEP_PX), _SMALLEST_PX - 1, -_STEP_PX)
    return [full_px, *(px for px in multiples if smallest <= px < full_px and px % record.side_multiple == 0)]


def largest_fitting(
    sizes: Sequence[int], measured_px: int, pace: "StepPace", n_steps: float, seconds: Callable[[float], float]
) -> int | None:
    """Return the largest image size at which the steps fit into the time; None if they fit at none.

    Args:
        sizes: the largest first.
        measured_px: the size at which `pace` was measured.
        pace: of steps.
        n_steps: number of steps.
        seconds: returns the available time for a size, from the factor of its step time to that of the measured size.
    """
    factors = {px: (px / measured_px) ** SIZE_POWER for px in sizes}
    fitting = (px for px, factor in factors.items() if pace.slower(factor).seconds(n_steps) <= seconds(factor))
    return next(fitting, None)


class _BudgetedTraining:
    """One training within a budget."""

    def __init__(self, split_data: SplitData, recipe: Recipe, context: RunContext, train: Train) -> None:
        record = context.run.budget
        assert record is not None, "the run has a budget"
        self._split_data, self._context, self._train, self._record = split_data, context, train, record
        self._is_resumed = context.run.checkpoint_file("last").exists()
        # A run that was interrupted before its first epoch selects the image size again.
        is_reduced = record.full_image_size is not None and not self._is_resumed
        self._recipe = recipe.model_copy(update={"image_size": None}) if is_reduced else recipe
        size = learn_preprocessing(split_data.train_facts, self._recipe).image_size
        self._full_px, self._instant_px = record.full_image_size or size, 0  # of the first instant classifier
        self._sizes = [size] if self._is_resumed else self._within_memory(image_sizes(self._recipe, size))
        self._epochs = recipe.n_epochs
        self._fewest = _fewest_epochs(recipe, split_data.n_drawn(recipe))
        self._most = _MORE_EPOCHS * self._epochs if record.adds_epochs else float(self._epochs)
        # The result of a stop: the first instant classifier, or the fine-tuned one.
        self._best: TrainedNetwork | None = None

    def run(self) -> TrainedNetwork:
        """Train, on smaller images if time is short, and return the better of fine-tuned and instant classifier."""
        try:
            return self._run()
        except Stopped:
            if self._best is None:
                raise
            return replace(self._best, fitted=replace(self._best.fitted, is_stopped=True))

    def _run(self) -> TrainedNetwork:
        sizes = self._sizes
        while sizes:
            px, *smaller = sizes
            limit = self._limit(has_smaller=bool(smaller))
            n_loadings = 2 if px < self._instant_px else 0  # for the instant classifier at full size
            timer = InstantStageTimer(self._context.deadline, self._context.emit, limit, n_loadings=n_loadings)
            try:
                trained = self._attempt(px, limit, timer, has_smaller=bool(smaller))
            except OutOfTime:
                if timer.seconds_left < 0 or not smaller:  # it is not the instant stage that takes too long
                    raise self._too_short(timer) from None
                sizes = self._sizes_in_time(px, smaller, timer)
                continue
            self._instant_px = self._instant_px or px
            fitted = trained.fitted
            if fitted.is_stopped:
                return trained
            if not fitted.does_not_fit:
                self._best = trained
                return self._select(trained)
            if self._recipe.init == "scratch":
                assert fitted.pace is not None, "the first steps were timed"
                raise self._too_short(timer, fitted.pace.seconds(self._fewest * fitted.pace.steps_per_epoch))
            self._best = self._best or trained
            sizes = self._smaller_sizes(px, smaller, fitted, timer, limit)
            shutil.rmtree(self._context.run.checkpoint_file("last").parent, ignore_errors=True)  # of very short epochs
        recipe = self._sized(self._instant_px).model_copy(update={"stage": "instant"})
        self._save(recipe)
        trained = self._train(recipe, replace(self._context, emit=without_stages(self._context.emit)))
        self._context.emit(ClassifierSelected(stage="instant"))
        return self._finish(trained, "no time to fine-tune")

    @property
    def _left(self) -> float:
        """Seconds left."""
        return self._context.deadline.seconds_left()

    def _sized(self, px: int) -> Recipe:
        """Return the recipe at an image size, unchanged at its default size."""
        default_px = learn_preprocessing(self._split_data.train_facts, self._recipe).image_size
        return self._recipe if px == default_px else self._recipe.model_copy(update={"image_size": px})

    def _save(self, recipe: Recipe) -> None:
        """Write the choices to the run's recipe, which keeps the initialization and epochs as the user stated them."""
        names = ("image_size", "stage", "batch_size", "schedule_changes", "split")
        changes = {name: getattr(recipe, name) for name in names}
        save_recipe(self._context.run.recipe.model_copy(update=changes), self._context.run.recipe_file)

    def _within_memory(self, sizes: list[int]) -> list[int]:
        """Return the image sizes at which fine-tuning fits into memory."""
        if not self._recipe.is_finetuned:
            return sizes
        fitting = list[int]()
        for px in sizes:
            try:
                batch_size_within_memory(self._split_data, self._sized(px), self._context.device)
            except OutOfMemory:
                if px == sizes[-1] and not fitting:
                    raise
                continue
            fitting.append(px)
        return fitting

    def _limit(self, *, has_smaller: bool) -> TimeLimit:
        n_val, n_test = len(self._split_data.val), len(self._split_data.test)
        n_train = self._recipe.n_reprocessed(len(self._split_data.train))
        n_after = self._recipe.tta * (n_train + 2 * n_val + n_test)
        fewest = _NEARLY_ALL * self._epochs if has_smaller else self._fewest
        return TimeLimit(
            self._context.deadline,
            fewest_epochs=0.0 if self._is_resumed else fewest,
            most_epochs=self._most,
            reserve_steps=_FORWARD_SHARE * n_after / self._recipe.batch_size,
        )

    def _attempt(self, px: int, limit: TimeLimit, timer: InstantStageTimer, *, has_smaller: bool) -> TrainedNetwork:
        stop = self._context.stop  # a resumed training has its instant classifier already
        if not self._is_resumed:
            share = 1.0 if not has_smaller else _INSTANT_SHARE if px == self._sizes[0] else _INSTANT_SHARE_BEGUN
            stop = Stop(stop.file, timer.deadline_after(share * self._left))
        if px < self._full_px and self._record.full_image_size is None:
            self._reduce(px, smaller_images_note(px, self._full_px))
        recipe = fit_to_memory(self._split_data, self._sized(px), self._context)
        if not self._is_resumed:
            self._save(recipe)
        return self._train(recipe, replace(self._context, emit=timer, stop=stop, limit=limit))

    def _sizes_in_time(self, px: int, smaller: list[int], timer: InstantStageTimer) -> list[int]:
        """Return the smaller sizes, from the largest one at which the instant stage is expected to fit.

        If it fits at none, only the smallest size is left. Sizes that cannot fit are not tried, because every attempt
        reads the images again.
        """
        for number, other_px in enumerate(smaller[:-1]):
            if timer.seconds_at((other_px / px) ** SIZE_POWER) <= _INSTANT_SHARE * self._left:
                return smaller[number:]
        return smaller[-1:]

    def _smaller_sizes(
        self, px: int, smaller: list[int], fitted: "Fitted", timer: InstantStageTimer, limit: TimeLimit
    ) -> list[int]:
        """Return the sizes at which fine-tuning may restart, by its first steps at size `px`; empty if none fits."""
        pace = fitted.pace
        assert pace is not None, "the first steps were timed"
        reserved = limit.reserve_seconds + limit.reserve_steps * pace.step_seconds
        n_steps = self._epochs * pace.steps_per_epoch
        left = self._left - reserved

        def seconds(factor: float) -> float:
            return left - timer.instant_seconds * math.pow(factor, 1 / SIZE_POWER)

        changes: dict[str, object] = {}
        if self._record.sufficient_seconds is None:
            for_all = pace.slower((self._full_px / px) ** SIZE_POWER).seconds(n_steps) + reserved
            changes["sufficient_seconds"] = _rounded_up(self._record.seconds - self._left + 1.1 * for_all)
        fitting_px = largest_fitting(smaller, px, pace, _NEARLY_ALL * n_steps, seconds)
        if fitting_px is None and smaller:
            fewest = _FEWEST * self._fewest * pace.steps_per_epoch  # lenient: the first steps there decide
            fitting_px = largest_fitting(smaller[-1:], px, pace, fewest, seconds)
            if fitting_px is None:
                factor = (smaller[-1] / px) ** SIZE_POWER
                missing = pace.slower(factor).seconds(fewest) - seconds(factor)
                changes["least_seconds"] = _rounded_up(1.1 * (self._record.seconds + missing))
                changes["least_image_size"] = smaller[-1]
        self._record = self._record.model_copy(update=changes)
        parameters: dict[str, Any] = {  # Any: each parameter has its own type
            "seconds": self._record.sufficient_seconds,
            "duration": duration(self._record.sufficient_seconds or 0),
            "epochs": self._epochs,
            "full_image_size": self._full_px,
            "image_size": fitting_px,
        }
        if fitting_px is None:
            for_some = self._record.for_some
            no_time = note(
                "no-time-to-fine-tune", level="warning", has_least=bool(for_some), for_some=for_some, **parameters
            )
            self._context.emit(Noted.of(no_time))
            return []
        self._reduce(fitting_px, Noted.of(note("smaller-images", is_fine_tuning=True, **parameters)))
        return smaller[smaller.index(fitting_px) :]

    def _reduce(self, px: int, event: Noted) -> None:
        """Emit and write that images are smaller than without a budget, for when the run is resumed."""
        sizes = {"full_image_size": self._full_px, "instant_image_size": self._instant_px or None, "image_size": px}
        self._record = self._record.model_copy(update=sizes)
        self._record.write(self._context.run.budget_file)
        self._context.emit(event)

    def _select(self, trained: TrainedNetwork) -> TrainedNetwork:
        """Return the trained network, or an instant classifier on larger images if that has better results."""
        fitted, context = trained.fitted, self._context
        px, full_px = trained.preprocessing.image_size, max(self._instant_px, self._record.instant_image_size or 0)
        if full_px > px and trained.recipe.stage_selection != "finetune":
            larger = self._sized(full_px).model_copy(update={"stage": "instant"})
            instant = self._train(larger, replace(context, emit=without_stages(context.emit)))
            if not self._is_better_than_instant(trained, instant):
                self._save(larger)
                context.emit(Noted.of(note("fine-tuning-no-better", image_size=px, full_image_size=full_px)))
                context.emit(ClassifierSelected(stage="instant"))
                return self._finish(instant, "larger instant classifier", trained)
        recipe = trained.recipe.model_copy(update={"schedule_changes": fitted.schedule_changes})
        self._save(recipe)
        outcome: Outcome = "fine-tuned" if fitted.selected_stage == "finetune" else "instant classifier"
        return self._finish(replace(trained, recipe=recipe), outcome, trained)

    def _is_better_than_instant(self, trained: TrainedNetwork, instant: TrainedNetwork) -> bool:
        """Return whether validation results select the trained network over an instant classifier on larger images.

        Fine-tuning nearly always improves results, except on images of less than half the side. There, its validation
        results must be better.
        """
        from coverslip.training.fitting import keep_finetuned

        data, scan = self._split_data.data, self._split_data.scan
        images = self._split_data.training_images(DecodedPixels(data, scan, trained.preprocessing), trained.recipe)
        logits, instant_logits = trained.fitted.val_logits, instant.fitted.val_logits
        is_large = trained.preprocessing.image_size >= instant.preprocessing.image_size / 2
        if trained.fitted.selected_stage == "finetune" and is_large:
            return keep_finetuned(logits, instant_logits, images, trained.recipe, trained.fitted.stages[-1])
        return is_preferred(logits, instant_logits, images.val_label, trained.recipe)

    def _finish(
        self, trained: TrainedNetwork, outcome: Outcome, finetuned: TrainedNetwork | None = None
    ) -> TrainedNetwork:
        """Write and emit how the time was used."""
        changes: dict[str, object] = {"ended": outcome, "epochs": self._epochs if self._recipe.is_finetuned else None}
        pace = None if finetuned is None else finetuned.fitted.pace
        if finetuned is not None and finetuned.fitted.finetuning is not None and pace is not None:
            stage = finetuned.fitted.finetuning
            epochs_run = round(stage.n_steps / pace.steps_per_epoch, 1)
            changes |= {"epochs_run": epochs_run, "image_size": finetuned.preprocessing.image_size}
            is_by_time = stage.stopped_because in ("all epochs done", "out of time")
            is_short = is_by_time and epochs_run < _NEARLY_ALL * self._epochs
            if is_short and self._record.sufficient_seconds is None:
                missing = pace.seconds(self._epochs * pace.steps_per_epoch) - pace.seconds(stage.n_steps)
                seconds = _rounded_up(1.1 * (self._record.seconds - self._left + missing))
                changes["sufficient_seconds"] = seconds
                fewer = note(
                    "fewer-epochs",
                    seconds=seconds,
                    duration=duration(seconds),
                    epochs_run=epochs_run,
                    epochs=self._epochs,
                )
                self._context.emit(Noted.of(fewer))
            if epochs_run >= math.floor(self._most) and self._left > _UNUSED_SHARE * self._record.seconds:
                self._context.emit(Noted.of(note("budget-not-needed", epochs=epochs_run)))
        self._record = self._record.model_copy(update=changes)
        self._record.write(self._context.run.budget_file)
        return trained

    def _too_short(self, timer: InstantStageTimer, seconds: float = 0.0) -> OutOfTime:
        needed = self._record.seconds - self._left + 1.5 * max(seconds, timer.seconds_left) + timer.reserved
        return _budget_too_short(self._record.seconds, needed)


def smaller_images_note(image_size: int, full_image_size: int) -> Noted:
    """Return the note that images are smaller than without a budget."""
    smaller = note(
        "smaller-images",
        is_fine_tuning=False,
        image_size=image_size,
        full_image_size=full_image_size,
        seconds=None,
        epochs=None,
        duration="",
    )
    return Noted.of(smaller)


def _budget_too_short(budget: float, needed: float, *, n_folds: int = 0, remedies: Remedies = ()) -> OutOfTime:
    """Return the error for a budget that is too short for any training.

    Args:
        budget: in seconds.
        needed: seconds of the fastest training, or of cross-validation.
        n_folds: of cross-validation; 0 without folds.
        remedies: of the error.
    """
    needed = _rounded_up(max(needed, 1.1 * budget))
    return OutOfTime(
        "budget-too-short-for-folds" if n_folds else "budget-too-short",
        remedies=remedies,
        budget=duration(budget),
        duration=duration(needed),
        n_folds=n_folds,
        seconds=needed,
    )


def _rounded_up(seconds: float) -> float:
    """Return an estimated sufficient budget, rounded up to 10 seconds."""
    return float(10 * math.ceil(seconds / 10))


def _fewest_epochs(recipe: Recipe, n_drawn: int) -> float:
    """Return the smallest useful number of epochs, by the number of images shown."""
    if recipe.init == "scratch":
        return min(_FEWEST_FROM_SCRATCH, recipe.n_epochs)
    shown = min(IMAGES_SHOWN, automatic_epochs(n_drawn) * n_drawn)
    return _FEWEST * min(shown / max(1, n_drawn), recipe.n_epochs)


def fit_folds_to_budget(
    data: Dataset, scan: Scan, folds: Folds | None, recipe: Recipe, context: RunContext
) -> tuple[Folds | None, Recipe, RunContext]:
    """Return folds, recipe and context that fit the run's time budget.

    They are unchanged without a budget or folds. If time is short, folds that the recipe does not state are skipped,
    and folds that it states use the instant classifier. The context ends in time for the reserve.

    Raises:
        OutOfTime: the recipe states folds, and not even instant classifiers fit.
        OutOfMemory: fine-tuning needs more memory than is free.
    """
    record = context.run.budget
    if record is None or folds is None:
        return folds, recipe, context
    if recipe.init == "scratch":  # the recipe does not state these folds (`check_budget`)
        context.emit(Noted.of(note("no-time-for-folds", is_estimated=False, duration="")))
        return None, _with_one_split(recipe), context
    if not record.is_fixed:
        fitting = _FoldBudget(data, scan, folds, recipe, context, record).fitting_recipe()
        if fitting is None:
            return None, _with_one_split(recipe), context
        recipe = fitting
        save_recipe(recipe, context.run.recipe_file)
        record = context.run.budget or record
    return folds, recipe, context.with_deadline(context.deadline.earlier(record.reserve_seconds))


def _with_one_split(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"split": recipe.split.model_copy(update={"folds": 0})})


def can_fall_back_to_instant(run: Run) -> bool:
    """Return whether folds that run out of time restart with instant classifiers, for which the budget has a reserve.

    Folds that began without a budget have no reserve. They took the time that they needed, and are not replaced.
    """
    return run.budget is not None and run.budget.reserve_seconds > 0


def without_finetuning(recipe: Recipe, context: RunContext) -> Recipe:
    """Return the recipe of a run whose folds ran out of time, and remove their results so that they can restart."""
    for fold in context.run.folds:
        fold.status_file.unlink(missing_ok=True)  # first: a fold without it is not done
        shutil.rmtree(fold.folder)
    shutil.rmtree(context.run.checkpoint_file("last").parent, ignore_errors=True)
    context.run.history_file.unlink(missing_ok=True)
    record = context.run.budget
    assert record is not None, "only a budget lets time run out"
    context.emit(Noted.of(note("out-of-time", level="warning")))
    record.model_copy(update={"ended": "no time to fine-tune folds"}).write(context.run.budget_file)
    changes = {"stage": "instant", "image_size": record.full_image_size or recipe.image_size}
    recipe = recipe.model_copy(update=changes)
    save_recipe(recipe, context.run.recipe_file)
    return recipe


class _FoldBudget:
    """Fits the recipe of a cross-validation into the time budget."""

    def __init__(
        self, data: Dataset, scan: Scan, folds: Folds, recipe: Recipe, context: RunContext, record: BudgetRecord
    ) -> None:
        self._recipe, self._context, self._record = recipe, context, record
        self._with_epochs = with_epochs_for_folds(data, scan, folds, recipe)
        self._n_folds = len(folds.splits)
        self._first_fold = capped_split_data(data, scan, folds.splits[0], recipe)

    def fitting_recipe(self) -> Recipe | None:
        """Return the recipe of all folds; None if folds are skipped."""
        n_trainings = self._n_folds + 1
        try:
            speed = measure_speed(self._first_fold, self._with_epochs, self._context, n_trainings=_SAFETY * n_trainings)
        except OutOfTime as error:
            self._skip(error.parameters["seconds"] or self._record.seconds)
            return None
        px, pace = speed.image_size, speed.pace
        left = self._context.deadline.seconds_left()
        instant = _SAFETY * n_trainings * speed.test_seconds
        if instant > left:
            self._skip(instant)
            return None
        if pace is None:
            return self._fix(reserve_seconds=0.0)
        n_steps = self._with_epochs.n_epochs * pace.steps_per_epoch
        for_training = (left - instant) / (_SAFETY * n_trainings)
        fitting_px = largest_fitting(image_sizes(self._recipe, px), px, pace, n_steps, lambda _: for_training)
        if fitting_px is not None:
            if fitting_px != px:
                self._context.emit(smaller_images_note(fitting_px, px))
            return self._fix(
                {} if fitting_px == px else {"image_size": fitting_px},
                reserve_seconds=instant,
                epochs=self._with_epochs.n_epochs,
                image_size=fitting_px,
                full_image_size=None if fitting_px == px else px,
            )
        needed = instant + _SAFETY * n_trainings * pace.seconds(n_steps)
        if not self._recipe.split.sets_folds:
            self._skip(needed)
            return None
        seconds = self._sufficient(needed)
        no_time = note(
            "no-time-to-fine-tune-folds", seconds=seconds, duration=duration(seconds), n_networks=n_trainings
        )
        self._context.emit(Noted.of(no_time))
        return self._fix({"stage": "instant"}, ended="no time to fine-tune folds")

    def _fix(self, changes: dict[str, object] | None = None, **values: object) -> Recipe:
        """Write the final budget record, and return the recipe with the changes."""
        self._record.model_copy(update={"is_fixed": True, **values}).write(self._context.run.budget_file)
        split = self._recipe.split.resolved(self._n_folds)
        return self._recipe.model_copy(update={"epochs": self._with_epochs.epochs, "split": split, **(changes or {})})

    def _skip(self, seconds: float) -> None:
        """Emit that folds are skipped.

        Raises:
            OutOfTime: the recipe states folds.
        """
        split = self._recipe.split
        if split.sets_folds:
            needed = self._record.seconds - self._context.deadline.seconds_left() + seconds
            remedy = Set("split.by_domain", False) if split.by_domain else Set("split.folds", 0)
            raise _budget_too_short(self._record.seconds, needed, n_folds=self._n_folds, remedies=(remedy,))
        budget = self._sufficient(seconds)
        skipped = note(
            "no-time-for-folds",
            is_estimated=True,
            seconds=budget,
            duration=duration(budget),
            n_networks=self._n_folds + 1,
        )
        self._context.emit(Noted.of(skipped))

    def _sufficient(self, seconds: float) -> float:
        """Return a budget that allows for so many seconds in addition to those used."""
        return _rounded_up(self._record.seconds - self._context.deadline.seconds_left() + seconds)
