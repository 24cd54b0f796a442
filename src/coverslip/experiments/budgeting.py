"""Training within a time budget: fine-tuning begins at once and is adapted to the time while it runs.

The instant classifier comes first. Then fine-tuning takes its first steps on images of full size. If their speed shows
that the epochs do not fit, it begins again on smaller images. From then on the number of steps follows the speed of the
machine (`training.steps.pacing`), so that the learning rate comes to its end in time. Everything chosen is written into
the run's recipe, which gives the same classifier without a budget.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from coverslip.datasets import DecodedPixels
from coverslip.errors import OutOfMemory, OutOfTime, Stopped
from coverslip.events import (
    COMPUTING_FEATURES,
    ClassifierSelected,
    Emit,
    Event,
    InstantClassifierFitted,
    Noted,
    Progressed,
    StageStarted,
)
from coverslip.experiments.measuring import batch_size_within_memory, fit_to_memory
from coverslip.experiments.split_data import SplitData
from coverslip.images import Preprocessing
from coverslip.messages import Note, Remedies, duration, note
from coverslip.models import model_info
from coverslip.runs import IMAGES_SHOWN, Recipe, RunContext, epochs_called_for, save_recipe
from coverslip.stopping import Deadline, Stop, TimeLimit
from coverslip.training.preprocessing import learn_preprocessing
from coverslip.training.ranking import is_preferred

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted
    from coverslip.training.ood import OodDetector
    from coverslip.training.pacing import StepPace

# Shares of the epochs that fine-tuning calls for (benchmarks/RESULTS.md)
_NEARLY_ALL = 0.9  # before it takes smaller images in place of fewer epochs
_FEWEST = 0.6  # with fewer, fine-tuned networks lose against instant classifiers
_FEWEST_FROM_SCRATCH = 2  # epochs: within one, the learning rate would rise and fall for nothing
_MORE_EPOCHS = 2.0  # more than that gain nothing
_SMALLEST_PX, _SMALLEST_SHARE = 64, 0.4  # of the full size: fine-tuned there, most beat their instant classifiers
_STEP_PX = 32  # networks halve the size five times
SIZE_POWER = 1.5  # a step on images of half the side takes a third of the time
_INSTANT_SHARE = 0.8  # of the time left, for the instant classifier at full size: smaller ones are less accurate
_FORWARD_SHARE = 0.4  # of the time of a step, to predict as many images
LOADINGS = 5  # times that the network is made ready and run after fine-tuning, the report among them
_TO_SPARE = 0.2  # of the budget: so much time left over is worth a word
_TELLING_SECONDS, _TELLING_SHARE = 3.0, 0.05  # before that, the speed of work is a guess


@dataclass(frozen=True, slots=True)
class Trained:
    """A network, and how it came about."""

    recipe: Recipe
    preprocessing: Preprocessing
    fitted: "Fitted"
    familiar: "OodDetector | None"


Train = Callable[[Recipe, RunContext], Trained]
Ended = Literal["fine-tuned", "instant classifier", "larger instant classifier", "no time to fine-tune"]


def train_within_budget(split_data: SplitData, recipe: Recipe, context: RunContext, train: Train) -> Trained:
    """Train one network within the run's time budget, and leave in the run folder what was chosen.

    Args:
        split_data: the images and their split.
        recipe: what to do, with a number of epochs.
        context: its run has a budget; its deadline is that of the whole run.
        train: trains by a recipe, within the limit of a context.

    Raises:
        OutOfTime: there is no time for the instant classifier, or from scratch for fine-tuning.
        OutOfMemory: fine-tuning takes more than is free, also on the smallest images.
        Stopped: on request.
    """
    return _Budgeted(split_data, recipe, context, train).trained()


def image_sizes(recipe: Recipe, full_px: int) -> list[int]:
    """The image sizes that a budget may choose among, the largest first; one where the recipe settles it."""
    record = model_info(recipe.model)
    if recipe.image_size is not None or recipe.init != "imagenet" or record.is_sized or recipe.head_init != "instant":
        return [full_px]
    smallest = max(_SMALLEST_PX, _SMALLEST_SHARE * full_px)
    multiples = range(_STEP_PX * (full_px // _STEP_PX), _SMALLEST_PX - 1, -_STEP_PX)
    return [full_px, *(px for px in multiples if smallest <= px < full_px and px % record.side_multiple == 0)]


def largest_fitting(
    sizes: Sequence[int], measured_px: int, pace: "StepPace", n_steps: float, seconds: Callable[[float], float]
) -> int | None:
    """The largest image size at which so many steps fit, by the pace at another size; None where they fit at none.

    Args:
        sizes: the largest first.
        measured_px: the size at which `pace` was measured.
        pace: of steps.
        n_steps: that have to fit.
        seconds: that there are for them, where work takes so many times as long as at the measured size.
    """
    factors = {px: (px / measured_px) ** SIZE_POWER for px in sizes}
    fitting = (px for px, factor in factors.items() if pace.slower(factor).seconds(n_steps) <= seconds(factor))
    return next(fitting, None)


class Watch:
    """Follows the instant stage: how long it takes, and whether it will end in time.

    Args:
        deadline: of the whole run.
        emit: receives all events as well.
        n_loadings: how often a network is made ready and run after fine-tuning, the report included.
        limit: gets what is reserved for the end, once the instant stage shows how long such work takes.
        n_later_loadings: how often a network is made ready and run by all that must be done in time too.
    """

    def __init__(
        self,
        deadline: Deadline,
        emit: Emit,
        limit: TimeLimit,
        *,
        n_loadings: int = 0,
        n_later_loadings: float = 0.0,
    ) -> None:
        self._deadline, self._emit, self._limit = deadline, emit, limit
        self._n_loadings, self._n_later_loadings = LOADINGS + n_loadings, n_later_loadings
        self._began = self._stage_began = deadline.clock()
        self._loading: float | None = None
        self._embedded_after = 0.0  # seconds from the start of the stage
        self.foreseen = 0.0  # seconds that work still takes; minus infinity where the instant stage is over
        self.embedding_seconds = 0.0  # of an image; 0 where all features were there
        self.instant_seconds = 0.0  # from the start of the training to that of fine-tuning

    @property
    def reserved(self) -> float:
        """For what comes after fine-tuning."""
        return self._limit.reserve_seconds

    def deadline_after(self, seconds: float) -> Deadline:
        """One that is over as soon as the instant stage is foreseen to end after so many seconds from now."""
        return Deadline(self._deadline.clock() + seconds, lambda: self._deadline.clock() + self.foreseen)

    def __call__(self, event: Event) -> None:
        match event:
            case StageStarted(stage="instant"):
                self._stage_began, self._loading, self.foreseen = self._deadline.clock(), None, 0.0
                self._embedded_after = 0.0
            case Progressed() if self.foreseen >= 0:
                self._note_progress(event)
            case InstantClassifierFitted():
                self.foreseen = -math.inf
                loading = event.seconds if self._loading is None else self._loading
                fitting = max(0.0, event.seconds - self._embedded_after)  # once more at the end
                self._limit.reserve_seconds = self._n_loadings * loading + fitting
                self.instant_seconds = self._deadline.clock() - self._began
            case StageStarted(stage="finetune"):  # from scratch there is no instant stage
                self.foreseen = -math.inf
        self._emit(event)

    def _note_progress(self, event: Progressed) -> None:
        seconds = event.done / event.per_second if event.per_second else 0.0
        if event.stage == COMPUTING_FEATURES and self._loading is None:
            self._loading = max(0.0, self._deadline.clock() - self._stage_began - seconds)
        if event.stage == COMPUTING_FEATURES:
            self._embedded_after = self._deadline.clock() - self._stage_began
        if event.stage == COMPUTING_FEATURES and event.per_second:
            self.embedding_seconds = 1 / event.per_second
        is_telling = seconds >= _TELLING_SECONDS or event.done >= _TELLING_SHARE * event.total
        if is_telling and event.seconds_left is not None:
            self.foreseen = event.seconds_left + self._n_later_loadings * (self._loading or 0.0)


class _Budgeted:
    """One training within a budget."""

    def __init__(self, split_data: SplitData, recipe: Recipe, context: RunContext, train: Train) -> None:
        record = context.run.budget
        assert record is not None, "the run has a budget"
        self._parts, self._context, self._train, self._record = split_data, context, train, record
        self._goes_on = context.run.checkpoint_file("last").exists()
        # A run that was interrupted before its first epoch chooses again.
        is_reduced = record.full_image_size is not None and not self._goes_on
        self._recipe = recipe.model_copy(update={"image_size": None}) if is_reduced else recipe
        size = learn_preprocessing(split_data.train_facts, self._recipe).image_size
        self._full_px, self._instant_px = record.full_image_size or size, 0  # of the first instant classifier
        self._sizes = [size] if self._goes_on else self._within_memory(image_sizes(self._recipe, size))
        n_drawn = split_data.n_drawn(recipe)
        self._epochs = recipe.n_epochs
        self._fewest = _fewest_epochs(recipe, n_drawn)
        self._most = _MORE_EPOCHS * self._epochs if record.adds_epochs else float(self._epochs)
        self._reached: Trained | None = None  # what a stop leaves: the first instant classifier, or the fine-tuned one

    def trained(self) -> Trained:
        """Instant stage and fine-tuning, on smaller images where the time calls for it; and the better of the two."""
        try:
            return self._trained()
        except Stopped:
            if self._reached is None:
                raise
            return replace(self._reached, fitted=replace(self._reached.fitted, is_stopped=True))

    def _trained(self) -> Trained:
        sizes = self._sizes
        while sizes:
            px, *smaller = sizes
            limit = self._limit(has_smaller=bool(smaller))
            again = 2 if px < self._instant_px else 0  # for the instant classifier at full size
            watch = Watch(self._context.deadline, self._context.emit, limit, n_loadings=again)
            try:
                trained = self._attempt(px, limit, watch, has_smaller=bool(smaller))
            except OutOfTime:
                if watch.foreseen < 0 or not smaller:  # it is not the instant stage that takes too long
                    raise self._too_little(watch) from None
                sizes = smaller[-1:] if watch.foreseen > 2 * self._left else smaller
                continue
            self._instant_px = self._instant_px or px
            fitted = trained.fitted
            if fitted.is_stopped:
                return trained
            if not fitted.does_not_fit:
                self._reached = trained
                return self._better(trained)
            if self._recipe.init == "scratch":
                assert fitted.pace is not None, "the first steps were timed"
                raise self._too_little(watch, fitted.pace.seconds(self._fewest * fitted.pace.steps_per_epoch))
            self._reached = self._reached or trained
            sizes = self._smaller(px, smaller, fitted, watch, limit)
            shutil.rmtree(self._context.run.checkpoint_file("last").parent, ignore_errors=True)  # of very short epochs
        recipe = self._sized(self._instant_px).model_copy(update={"stage": "instant"})
        save_recipe(self._saved(recipe), self._context.run.recipe_file)
        trained = self._train(recipe, replace(self._context, emit=without_stages(self._context.emit)))
        self._context.emit(ClassifierSelected(stage="instant"))
        return self._ended(trained, "no time to fine-tune")

    @property
    def _left(self) -> float:
        return self._context.deadline.seconds_left()

    def _sized(self, px: int) -> Recipe:
        """The recipe at an image size; as it is, where that is its own."""
        native_px = learn_preprocessing(self._parts.train_facts, self._recipe).image_size
        return self._recipe if px == native_px else self._recipe.model_copy(update={"image_size": px})

    def _saved(self, recipe: Recipe) -> Recipe:
        """What the run's own recipe becomes: it keeps how the initialization and the epochs were asked for."""
        names = ("image_size", "stage", "batch_size", "schedule_changes", "split")
        changes = {name: getattr(recipe, name) for name in names}
        return self._context.run.recipe.model_copy(update=changes)

    def _within_memory(self, sizes: list[int]) -> list[int]:
        if not self._recipe.is_finetuned:
            return sizes
        fitting = list[int]()
        for px in sizes:
            try:
                batch_size_within_memory(self._parts, self._sized(px), self._context.device)
            except OutOfMemory:
                if px == sizes[-1] and not fitting:
                    raise
                continue
            fitting.append(px)
        return fitting

    def _limit(self, *, has_smaller: bool) -> TimeLimit:
        n_val, n_test = len(self._parts.val), len(self._parts.test)
        n_train = self._recipe.n_seen_again(len(self._parts.train))
        n_after = self._recipe.tta * (n_train + 2 * n_val + n_test)
        fewest = _NEARLY_ALL * self._epochs if has_smaller else self._fewest
        return TimeLimit(
            self._context.deadline,
            fewest_epochs=0.0 if self._goes_on else fewest,
            most_epochs=self._most,
            reserve_steps=_FORWARD_SHARE * n_after / self._recipe.batch_size,
        )

    def _attempt(self, px: int, limit: TimeLimit, watch: Watch, *, has_smaller: bool) -> Trained:
        stop = self._context.stop  # a resumed training has its instant classifier
        if not self._goes_on:
            share = _INSTANT_SHARE if has_smaller else 1.0
            stop = Stop(stop.file, watch.deadline_after(share * self._left))
        if px < self._full_px and self._record.full_image_size is None:
            self._reduce(px, resized_note(px, self._full_px))
        recipe = self._sized(px)
        recipe = fit_to_memory(self._parts, recipe, self._context)
        if not self._goes_on:
            save_recipe(self._saved(recipe), self._context.run.recipe_file)
        return self._train(recipe, replace(self._context, emit=watch, stop=stop, limit=limit))

    def _smaller(self, px: int, smaller: list[int], fitted: "Fitted", watch: Watch, limit: TimeLimit) -> list[int]:
        """At which sizes fine-tuning may begin again, by its first steps at a larger one; empty if it fits at none."""
        pace = fitted.pace
        assert pace is not None, "the first steps were timed"
        reserved = limit.reserve_seconds + limit.reserve_steps * pace.step_seconds
        n_steps = self._epochs * pace.steps_per_epoch
        if self._record.sufficient_seconds is None:
            self._note_sufficient(pace.slower((self._full_px / px) ** SIZE_POWER), n_steps, reserved)
        left = self._left - reserved

        def seconds(factor: float) -> float:
            return left - watch.instant_seconds * math.pow(factor, 1 / SIZE_POWER)

        fitting_px = largest_fitting(smaller, px, pace, _NEARLY_ALL * n_steps, seconds)
        if fitting_px is None and smaller:
            fewest = _FEWEST * self._fewest * pace.steps_per_epoch  # what is foreseen is not sure: its steps will tell
            fitting_px = largest_fitting(smaller[-1:], px, pace, fewest, seconds)
            if fitting_px is None:
                factor = (smaller[-1] / px) ** SIZE_POWER
                missing = pace.slower(factor).seconds(fewest) - seconds(factor)
                least = sufficient(1.1 * (self._record.seconds + missing))
                self._record = self._record.model_copy(update={"least_seconds": least, "least_image_size": smaller[-1]})
        seconds_for_all = self._record.sufficient_seconds
        if fitting_px is None:
            no_time = note(
                "no-time-to-fine-tune",
                level="warning",
                seconds=seconds_for_all,
                epochs=self._epochs,
                image_size=None,
                full_image_size=self._full_px,
                duration=duration(seconds_for_all or 0),
                has_least=bool(self._record.for_some),
                for_some=self._record.for_some,
            )
            self._context.emit(Noted.of(no_time))
            return []
        smaller_note = note(
            "smaller-images",
            is_fine_tuning=True,
            seconds=seconds_for_all,
            epochs=self._epochs,
            image_size=fitting_px,
            full_image_size=self._full_px,
            duration=duration(seconds_for_all or 0),
        )
        self._reduce(fitting_px, smaller_note)
        return smaller[smaller.index(fitting_px) :]

    def _reduce(self, px: int, reduced: Note) -> None:
        """Record that images are smaller than they need to be; without that a resumed run would not know."""
        sizes = {"full_image_size": self._full_px, "instant_image_size": self._instant_px or None, "image_size": px}
        self._record = self._record.model_copy(update=sizes)
        self._record.write(self._context.run.budget_file)
        self._context.emit(Noted.of(reduced))

    def _note_sufficient(self, pace: "StepPace", n_steps: float, reserved: float) -> None:
        """Estimate what time would do for all epochs at the full size."""
        seconds = self._record.seconds - self._left + 1.1 * (pace.seconds(n_steps) + reserved)
        self._record = self._record.model_copy(update={"sufficient_seconds": sufficient(seconds)})

    def _better(self, trained: Trained) -> Trained:
        """What was trained, or the instant classifier on larger images, if its validation results are better."""
        recipe, fitted, context = trained.recipe, trained.fitted, self._context
        px, full_px = trained.preprocessing.image_size, max(self._instant_px, self._record.instant_image_size or 0)
        if full_px > px and recipe.stage_selection != "finetune":
            larger = self._sized(full_px).model_copy(update={"stage": "instant"})
            instant = self._train(larger, replace(context, emit=without_stages(context.emit)))
            if not self._is_kept(trained, instant):
                save_recipe(self._saved(larger), context.run.recipe_file)
                context.emit(Noted.of(note("fine-tuning-no-better", image_size=px, full_image_size=full_px)))
                context.emit(ClassifierSelected(stage="instant"))
                return self._ended(instant, "larger instant classifier", trained)
        recipe = recipe.model_copy(update={"schedule_changes": fitted.schedule_changes})
        save_recipe(self._saved(recipe), context.run.recipe_file)
        ended: Ended = "fine-tuned" if fitted.selected_stage == "finetune" else "instant classifier"
        return self._ended(replace(trained, recipe=recipe), ended, trained)

    def _is_kept(self, trained: Trained, instant: Trained) -> bool:
        """Whether validation results keep it, although the instant classifier can use larger images.

        Fine-tuning nearly always gains, but not on images of less than half the side: there it has to be preferred.
        """
        from coverslip.training.fitting import keep_finetuned

        images = self._parts.training_images(DecodedPixels(self._parts.data, self._parts.scan, trained.preprocessing))
        logits, others = trained.fitted.val_logits, instant.fitted.val_logits
        is_large = trained.preprocessing.image_size >= instant.preprocessing.image_size / 2
        if trained.fitted.selected_stage == "finetune" and is_large:
            return keep_finetuned(logits, others, images, trained.recipe, trained.fitted.stages[-1])
        return is_preferred(logits, others, images.val_label, trained.recipe)

    def _ended(self, trained: Trained, ended: Ended, finetuned: Trained | None = None) -> Trained:
        """Write and emit how the time was used."""
        changes: dict[str, object] = {"ended": ended, "epochs": self._epochs if self._recipe.is_finetuned else None}
        pace = None if finetuned is None else finetuned.fitted.pace
        if finetuned is not None and finetuned.fitted.finetuning is not None and pace is not None:
            n_steps, px = finetuned.fitted.finetuning.n_steps, finetuned.preprocessing.image_size
            epochs_run = round(n_steps / pace.steps_per_epoch, 1)
            changes |= {"epochs_run": epochs_run, "image_size": px}
            is_by_time = finetuned.fitted.finetuning.stopped_because in ("all epochs done", "out of time")
            is_short = is_by_time and epochs_run < _NEARLY_ALL * self._epochs
            if is_short and self._record.sufficient_seconds is None:
                rest = pace.seconds(self._epochs * pace.steps_per_epoch) - pace.seconds(n_steps)
                changes["sufficient_seconds"] = seconds = sufficient(1.1 * (self._record.seconds - self._left + rest))
                fewer = note(
                    "fewer-epochs",
                    seconds=seconds,
                    duration=duration(seconds),
                    epochs_run=epochs_run,
                    epochs=self._epochs,
                )
                self._context.emit(Noted.of(fewer))
            if epochs_run >= math.floor(self._most) and self._left > _TO_SPARE * self._record.seconds:
                self._context.emit(Noted.of(note("budget-not-needed", epochs=epochs_run)))
        self._record = self._record.model_copy(update=changes)
        self._record.write(self._context.run.budget_file)
        return trained

    def _too_little(self, watch: Watch, seconds: float = 0.0) -> OutOfTime:
        needed = self._record.seconds - self._left + 1.5 * max(seconds, watch.foreseen) + watch.reserved
        return too_little(self._record.seconds, needed)


def resized_note(image_size: int, full_image_size: int) -> Note:
    """Return the note that images are smaller than without a budget."""
    return note(
        "smaller-images",
        is_fine_tuning=False,
        image_size=image_size,
        full_image_size=full_image_size,
        seconds=None,
        epochs=None,
        duration="",
    )


def too_little(budget: float, needed: float, *, n_folds: int = 0, remedies: Remedies = ()) -> OutOfTime:
    """Return the error for a budget into which nothing fits.

    Args:
        budget: in seconds.
        needed: seconds of the fastest training, or of cross-validation.
        n_folds: of cross-validation; 0 without folds.
        remedies: of the error.
    """
    needed = sufficient(max(needed, 1.1 * budget))
    return OutOfTime(
        "budget-too-short-for-folds" if n_folds else "budget-too-short",
        remedies=remedies,
        budget=duration(budget),
        duration=duration(needed),
        n_folds=n_folds,
        seconds=needed,
    )


def sufficient(seconds: float) -> float:
    """An estimate of so many seconds as a budget that suffices."""
    return float(10 * math.ceil(seconds / 10))


def _fewest_epochs(recipe: Recipe, n_drawn: int) -> float:
    """Below which fine-tuning is not worth its time: its images count, whatever the size of the dataset."""
    if recipe.init == "scratch":
        return min(_FEWEST_FROM_SCRATCH, recipe.n_epochs)
    shown = min(IMAGES_SHOWN, epochs_called_for(n_drawn) * n_drawn)
    return _FEWEST * min(shown / max(1, n_drawn), recipe.n_epochs)


def without_stages(emit: Emit) -> Emit:
    """Return a listener that receives progress, but no stages, which are those of the training itself."""

    def tell(event: Event) -> None:
        if isinstance(event, Progressed):
            emit(event)

    return tell
