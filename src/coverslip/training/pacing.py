"""The number of steps of fine-tuning, fixed or adapted to a time limit.

The learning rate is a function of the progress, which runs from 0 to 1. Every step adds an equal share of the remaining
progress, so that the number of steps can change at any time and the learning rate still falls to its end. Changes are
recorded as {step: total number of steps}. A training that reads them takes the same steps at the same learning rates.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coverslip.stopping import TimeLimit

_FIRST_STEPS = 6  # whose speed determines the plan; the very first step is excluded
_FIRST_SHARE = 0.05  # of the remaining time: slow steps determine the plan earlier
_WINDOW_SECONDS, _WINDOW_STEPS = 10.0, 4  # window of the current speed, whichever is longer
_WINDOW_EPOCHS = 4
_SECONDS_BETWEEN_CHECKS = 3.0
_MIN_DECREASE, _MIN_INCREASE = 0.02, 0.08  # of the remaining steps: smaller changes are not made
_ANNEALED = 0.9  # progress at which the learning rate is close enough to its end


@dataclass(frozen=True, slots=True)
class StepPace:
    """The speed of fine-tuning."""

    step_seconds: float
    epoch_end_seconds: float  # validation and checkpoint
    steps_per_epoch: int

    def seconds(self, n_steps: float) -> float:
        """Return the seconds of these steps and of the ends of their epochs."""
        return n_steps * self.step_seconds + math.ceil(n_steps / self.steps_per_epoch) * self.epoch_end_seconds

    def steps_within(self, seconds: float) -> int:
        """Return the number of steps that fit, including the ends of their epochs."""
        per_step = self.step_seconds + self.epoch_end_seconds / self.steps_per_epoch
        return max(0, math.floor((seconds - self.epoch_end_seconds) / max(per_step, 1e-9)))

    def slower(self, factor: float) -> "StepPace":
        """Return the pace of steps that take `factor` times as long."""
        return StepPace(factor * self.step_seconds, factor * self.epoch_end_seconds, self.steps_per_epoch)


class DoesNotFit(Exception):
    """By the speed of the first steps, fewer epochs fit into the time limit than it requires."""


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
        self.first_pace: StepPace | None = None  # basis of the plan
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
    def n_epochs(self) -> int:
        """Number of epochs in the current plan; the last one may be incomplete."""
        n_epochs = math.ceil(self.n_steps / self.steps_per_epoch)
        return n_epochs if self._last_epoch is None else min(n_epochs, self._last_epoch)

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
        limit: deadline, and useful numbers of epochs.
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
        self._max_steps = max(self.n_steps, round(limit.most_epochs * steps_per_epoch))
        self._n_first = min(_FIRST_STEPS, max(3, steps_per_epoch))
        self._seconds = deque[float]()
        self._epoch_ends = deque[float](maxlen=_WINDOW_EPOCHS)
        self._n_timed = 0
        self._last_time = self._last_check = 0.0  # by the clock of the deadline

    @property
    def pace(self) -> StepPace:
        """The current pace."""
        step = sum(self._seconds) / max(1, len(self._seconds))
        # Validating an image takes a third of its time in a step. Writing a checkpoint takes time too.
        end = self._n_validated * step / 3 + min(0.5, 2 * step)
        if self._epoch_ends:
            end = sum(self._epoch_ends) / len(self._epoch_ends)
        return StepPace(step, end, self.steps_per_epoch)

    def after_step(self, step: int, wait: Callable[[], object]) -> None:
        """Measure a step, and change the plan if the speed requires it.

        Raises:
            DoesNotFit: too few epochs fit, by the speed of the first steps.
        """
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
        if self.first_pace is None:
            self.first_pace, self._last_check = self.pace, now
            n_steps = self._steps_that_fit(step, left)
            if n_steps + 1 <= self._limit.fewest_epochs * self.steps_per_epoch:
                raise DoesNotFit
            self._change(step, n_steps)
        elif now - self._last_check >= _SECONDS_BETWEEN_CHECKS or left <= self._reserve:
            self._last_check = now
            self._follow(step, left)

    def after_epoch(self) -> None:
        now = self._limit.deadline.clock()
        self._epoch_ends.append(now - self._last_time)
        self._last_time = now

    @property
    def _reserve(self) -> float:
        """Seconds for the work after fine-tuning, which slows down as steps do."""
        assert self.first_pace is not None, "the plan exists"
        step_seconds = self.pace.step_seconds
        slowdown = max(1.0, step_seconds / max(self.first_pace.step_seconds, 1e-9))
        return self._limit.reserve_seconds * slowdown + self._limit.reserve_steps * step_seconds

    def _steps_that_fit(self, step: int, left: float) -> int:
        return (
            self._max_steps
            if left == math.inf
            else min(self._max_steps, step + self.pace.steps_within(left - self._reserve))
        )

    def _follow(self, step: int, left: float) -> None:
        remaining = self.n_steps - step
        if not remaining:  # the learning rate is at its end
            return
        n_steps = self._steps_that_fit(step, left)
        if n_steps < self.n_steps - _MIN_DECREASE * remaining or n_steps > self.n_steps + max(
            _MIN_INCREASE * remaining, 1
        ):
            self._change(step, n_steps)

    def _change(self, step: int, n_steps: int) -> None:
        if n_steps != self.n_steps:
            self.changes[step] = n_steps
