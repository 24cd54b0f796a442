"""Cross-validation within a time budget: whether it fits, and at which image size its networks are fine-tuned.

All folds are trained alike, so nothing is adapted while they run. Their speed comes from the instant stage, whose
features all folds use, and from the first steps of fine-tuning. Where the time is over before the folds are done, all
of them keep the instant classifier, so that the measured classifier is the one that is kept.
"""

import shutil

from coverslip.datasets import Dataset, Folds, Scan
from coverslip.errors import OutOfTime
from coverslip.events import Noted
from coverslip.experiments.budgeting import image_sizes, largest_fitting, resized_note, sufficient, too_little
from coverslip.experiments.first_steps import first_steps
from coverslip.experiments.split_data import capped_split_data, with_epochs_of_folds
from coverslip.messages import Set, duration, note
from coverslip.runs import BudgetRecord, Recipe, Run, RunContext, save_recipe

_SAFETY = 1.25  # estimates of what cannot be adapted are raised by this factor


def fit_folds_to_budget(
    data: Dataset, scan: Scan, folds: Folds | None, recipe: Recipe, context: RunContext
) -> tuple[Folds | None, Recipe, RunContext]:
    """The folds, where they fit into the run's time budget, the recipe that fits, and the context that ends in time.

    All are as they were where the run has no budget or no folds. If time is short, folds that were not asked for are
    skipped, and those that were asked for keep the instant classifier.

    Raises:
        OutOfTime: the recipe asks for folds, and not even instant classifiers fit.
        OutOfMemory: fine-tuning takes more than is free.
    """
    record = context.run.budget
    if record is None or folds is None:
        return folds, recipe, context
    if recipe.init == "scratch":  # these folds were not requested (`check_budget`)
        context.emit(Noted.of(note("no-time-for-folds", is_estimated=False, duration="")))
        return None, _with_one_split(recipe), context
    if not record.is_fixed:
        fitting = _Fitting(data, scan, folds, recipe, context, record).recipe()
        if fitting is None:
            return None, _with_one_split(recipe), context
        recipe = fitting
        save_recipe(recipe, context.run.recipe_file)
        record = context.run.budget or record
    return folds, recipe, context.ending(context.deadline.earlier(record.reserve_seconds))


def _with_one_split(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"split": recipe.split.model_copy(update={"folds": 0})})


def keeps_instant_classifiers(run: Run) -> bool:
    """Whether instant classifiers replace folds that run out of time: where the budget has reserved time for that.

    Folds that were begun without a budget took the time that they needed, and are never given up.
    """
    return run.budget is not None and run.budget.reserve_seconds > 0


def without_finetuning(recipe: Recipe, context: RunContext) -> Recipe:
    """The recipe of a run whose folds ran out of time, whose folder is made ready to begin them again."""
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


class _Fitting:
    """What of a cross-validation fits into the time."""

    def __init__(
        self, data: Dataset, scan: Scan, folds: Folds, recipe: Recipe, context: RunContext, record: BudgetRecord
    ) -> None:
        self._recipe, self._context, self._record = recipe, context, record
        self._settled = with_epochs_of_folds(data, scan, folds, recipe)
        self._n_folds = len(folds.splits)
        self._parts = capped_split_data(data, scan, folds.splits[0], recipe)

    def recipe(self) -> Recipe | None:
        """By which all folds are trained; None where they are skipped."""
        n_trainings = self._n_folds + 1
        try:
            measured = first_steps(self._parts, self._settled, self._context, n_trainings=_SAFETY * n_trainings)
        except OutOfTime as error:
            self._skip(error.parameters["seconds"] or self._record.seconds)
            return None
        px, each, pace = measured.image_size, measured.test_seconds, measured.pace
        left = self._context.deadline.seconds_left()
        instant = _SAFETY * n_trainings * each
        if instant > left:
            self._skip(instant)
            return None
        if pace is None:
            return self._resolved(reserve_seconds=0.0)
        n_steps = self._settled.n_epochs * pace.steps_per_epoch
        for_training = (left - instant) / (_SAFETY * n_trainings)
        fitting_px = largest_fitting(image_sizes(self._recipe, px), px, pace, n_steps, lambda _: for_training)
        if fitting_px is not None:
            if fitting_px != px:
                self._context.emit(Noted.of(resized_note(fitting_px, px)))
            return self._resolved(
                {} if fitting_px == px else {"image_size": fitting_px},
                reserve_seconds=instant,
                epochs=self._settled.n_epochs,
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
        return self._resolved({"stage": "instant"}, ended="no time to fine-tune folds")

    def _resolved(self, changes: dict[str, object] | None = None, **values: object) -> Recipe:
        self._record.model_copy(update={"is_fixed": True, **values}).write(self._context.run.budget_file)
        split = self._recipe.split.resolved(self._n_folds)
        return self._recipe.model_copy(update={"epochs": self._settled.epochs, "split": split, **(changes or {})})

    def _skip(self, seconds: float) -> None:
        """Say that there are no folds.

        Raises:
            OutOfTime: they were asked for.
        """
        if self._recipe.split.sets_folds:
            needed = self._record.seconds - self._context.deadline.seconds_left() + seconds
            remedies = (_without_folds(self._recipe),)
            raise too_little(self._record.seconds, needed, n_folds=self._n_folds, remedies=remedies)
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
        """Return a budget that allows so many seconds more than were used."""
        return sufficient(self._record.seconds - self._context.deadline.seconds_left() + seconds)


def _without_folds(recipe: Recipe) -> Set:
    return Set("split.by_domain", False) if recipe.split.by_domain else Set("split.folds", 0)
