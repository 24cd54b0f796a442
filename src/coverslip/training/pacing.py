"""The number of steps of fine-tuning, fixed or adapted to a time limit, their optimizers and learning rates.

The learning rate is a function of the progress, which runs from 0 to 1. Every step adds an equal share of the remaining
progress, so that the number of steps can change at any time and the learning rate still falls to its end. Changes are
recorded as {step: total number of steps}. A training that reads them takes the same steps at the same learning rates.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping

import torch
from torch import nn

from coverslip.runs.recipe import Recipe
from coverslip.stopping import TimeLimit

_FIRST_STEPS = 6  # whose speed determines the plan; the very first step is excluded
_FIRST_SHARE = 0.05  # of the remaining time: slow steps determine the plan earlier
_WINDOW_SECONDS, _WINDOW_STEPS = 10.0, 4  # window of the current speed, whichever is longer
_WINDOW_EPOCHS = 4
_SECONDS_BETWEEN_CHECKS = 3.0
_MIN_DECREASE, _MIN_INCREASE = 0.02, 0.08  # of the remaining steps: smaller changes are not made
_ANNEALED = 0.9  # progress at which the learning rate is close enough to its end


def changes_in_steps(changes: Mapping[float, float], steps_per_epoch: int) -> dict[int, int]:
    """Convert the recipe's changes, in epochs, to those of a `StepPlan`, in steps."""
    return {round(at * steps_per_epoch): max(1, round(n * steps_per_epoch)) for at, n in changes.items()}


class StepPlan:
    """The number of steps of fine-tuning, and the progress of each step.

    Args:
        n_epochs: planned initially.
        steps_per_epoch: in all epochs except possibly the last.
        changes: {step: total number of steps from this step on}, of the recipe or of the training before a resume.
        last_epoch: after which fine-tuning ends, whatever the progress; None: at the last step.
    """

    is_adaptable = False  # to a time limit

    def __init__(
        self, n_epochs: int, steps_per_epoch: int, changes: Mapping[int, int], last_epoch: int | None = None
    ) -> None:
        self.steps_per_epoch, self.changes = steps_per_epoch, dict(changes)
        self._initial_steps, self._last_epoch = n_epochs * steps_per_epoch, last_epoch

    @property
    def changes_in_epochs(self) -> dict[float, float]:
        """The changes as in a recipe, so that a training on other images changes its steps in proportion."""
        return {step / self.steps_per_epoch: n / self.steps_per_epoch for step, n in self.changes.items()}

    @property
    def n_steps(self) -> int:
        """Total number of steps in the current plan."""
        return list(self.changes.values())[-1] if self.changes else self._initial_steps

    @property
    def epochs_planned(self) -> int:
        """Number of epochs of the learning rate schedule; the last one may be incomplete."""
        return math.ceil(self.n_steps / self.steps_per_epoch)

    @property
    def n_epochs(self) -> int:
        """Number of epochs that are run in the current plan."""
        return self.epochs_planned if self._last_epoch is None else min(self.epochs_planned, self._last_epoch)

    @property
    def is_annealed(self) -> bool:
        """Whether the learning rate reaches its end at the last step; after a sudden end it is still high."""
        return self.progress(self.n_steps) >= _ANNEALED

    def steps_before(self, epoch: int) -> int:
        """Return the number of steps before this epoch, 1-based."""
        return (epoch - 1) * self.steps_per_epoch

    def steps_in(self, epoch: int) -> int:
        """Return the number of steps of this epoch in the current plan."""
        return min(self.steps_per_epoch, self.n_steps - self.steps_before(epoch))

    def steps_after(self, epoch: int) -> int:
        """Return the number of steps after this epoch in the current plan."""
        end = min(self.n_steps, self.n_epochs * self.steps_per_epoch)
        return max(0, end - self.steps_before(epoch + 1))

    def progress(self, step: int) -> float:
        """Return the progress in [0, 1] after so many steps."""
        begin, before, n_steps = 0, 0.0, self._initial_steps
        for change_step, new_n_steps in self.changes.items():
            if change_step >= step:
                break
            before += (1 - before) * (change_step - begin) / (n_steps - begin)
            begin, n_steps = change_step, new_n_steps
        return min(1.0, before + (1 - before) * (step - begin) / (n_steps - begin))

    def after_step(self, step: int, wait: Callable[[], object]) -> None:
        """Record that so many steps are taken; `wait` blocks until the device has finished them."""

    def after_epoch(self) -> None:
        """Record that the epoch is validated and saved."""


class TimedPlan(StepPlan):
    """A plan that is adapted to a time limit by the speed of the steps.

    Args:
        n_epochs, steps_per_epoch, changes, last_epoch: as for `StepPlan`.
        limit: deadline, and useful numbers of epochs. With `last_epoch`, time does not add epochs.
        n_validated: number of validation images, in batches of a step.
    """

    is_adaptable = True

    def __init__(
        self,
        n_epochs: int,
        steps_per_epoch: int,
        changes: Mapping[int, int],
        last_epoch: int | None,
        limit: TimeLimit,
        n_validated: float,
    ) -> None:
        super().__init__(n_epochs, steps_per_epoch, changes, last_epoch)
        self._limit, self._n_validated = limit, n_validated
        self._min_steps = math.ceil(limit.fewest_epochs * steps_per_epoch)
        self._max_steps = self.n_steps
        if last_epoch is None:
            self._max_steps = max(self.n_steps, round(limit.most_epochs * steps_per_epoch))
        self._n_first = min(_FIRST_STEPS, max(3, steps_per_epoch))
        self._first_step_seconds: float | None = None  # basis of the first plan
        self._seconds = deque[float]()
        self._epoch_ends = deque[float](maxlen=_WINDOW_EPOCHS)
        self._n_timed = 0
        self._last_time = self._last_check = 0.0  # by the clock of the deadline

    def after_step(self, step: int, wait: Callable[[], object]) -> None:
        self._n_timed += 1
        if self._n_timed in (1, self._n_first):
            wait()
        now = self._limit.deadline.clock()
        left = self._limit.deadline.at - now
        if self._n_timed > 1:
            self._seconds.append(now - self._last_time)
            while len(self._seconds) > _WINDOW_STEPS and sum(self._seconds) - self._seconds[0] > _WINDOW_SECONDS:
                self._seconds.popleft()
        self._last_time = now
        is_enough = self._n_timed >= self._n_first or sum(self._seconds) > _FIRST_SHARE * left
        if not (self._seconds and is_enough):
            return
        if self._first_step_seconds is None:
            self._first_step_seconds, self._last_check = self._step_seconds, now
            self._change(step, self._steps_that_fit(step, left))
        elif now - self._last_check >= _SECONDS_BETWEEN_CHECKS or left <= self._reserve:
            self._last_check = now
            self._follow(step, left)

    def after_epoch(self) -> None:
        now = self._limit.deadline.clock()
        self._epoch_ends.append(now - self._last_time)
        self._last_time = now

    @property
    def _step_seconds(self) -> float:
        """The current duration of a step."""
        return sum(self._seconds) / len(self._seconds)

    @property
    def _epoch_end_seconds(self) -> float:
        """The duration of validation and checkpoint."""
        if self._epoch_ends:
            return sum(self._epoch_ends) / len(self._epoch_ends)
        # Validating an image takes a third of its time in a step. Writing a checkpoint takes time too.
        return self._n_validated * self._step_seconds / 3 + min(0.5, 2 * self._step_seconds)

    @property
    def _reserve(self) -> float:
        """Seconds for the work after fine-tuning, which slows down as steps do."""
        first = self._first_step_seconds or self._step_seconds
        return self._limit.reserve_seconds * max(1.0, self._step_seconds / max(first, 1e-9))

    def _steps_that_fit(self, step: int, left: float) -> int:
        if left == math.inf:
            return self._max_steps
        end = self._epoch_end_seconds
        per_step = self._step_seconds + end / self.steps_per_epoch
        n_more = max(0, math.floor((left - self._reserve - end) / max(per_step, 1e-9)))
        return min(self._max_steps, max(self._min_steps, step + n_more))

    def _follow(self, step: int, left: float) -> None:
        remaining = self.n_steps - step
        n_steps = self._steps_that_fit(step, left)
        increase = max(_MIN_INCREASE * remaining, 1)
        if n_steps < self.n_steps - _MIN_DECREASE * remaining or n_steps > self.n_steps + increase:
            self._change(step, n_steps)

    def _change(self, step: int, n_steps: int) -> None:
        if n_steps != self.n_steps and step < self.n_steps:  # else the learning rate is at its end
            self.changes[step] = n_steps


# Optimizers and learning rates.

_MAX_NORM = 1.0  # gradients of a head on many blocks are large, and training diverged without a limit


def new_optimizer(network: nn.Module, recipe: Recipe, epoch: int) -> torch.optim.Optimizer:
    """Return a new optimizer for this epoch of the recipe. Biases and norms have no weight decay."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    kind = recipe.optimizer
    if kind == "adam-then-sgd":
        kind = "sgd" if recipe.is_second_phase(epoch) else "adam"
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=recipe.nesterov)
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return torch.optim.Adam(groups, lr=recipe.learning_rate, amsgrad=kind == "amsgrad")


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all layers."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def max_gradient_norm(recipe: Recipe, optimizer: torch.optim.Optimizer) -> float | None:
    """Return the maximum norm of a gradient; None for no clipping."""
    if recipe.clip_gradient == "auto":
        return _MAX_NORM if isinstance(optimizer, torch.optim.SGD) or recipe.begins_with_instant_classifier else None
    return recipe.clip_gradient


def is_changed_before(recipe: Recipe, epoch: int) -> bool:
    """Return whether the optimizer changes at the start of this epoch."""
    return recipe.is_second_phase(epoch) and not recipe.is_second_phase(epoch - 1)


def learning_rate_factor(recipe: Recipe, progress: float) -> float:
    """Return the share of the peak learning rate by the progress in (0, 1]: a linear increase, then the schedule."""
    if progress <= recipe.warmup:
        return progress / recipe.warmup
    if recipe.schedule != "cosine":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (progress - recipe.warmup) / (1 - recipe.warmup)))
