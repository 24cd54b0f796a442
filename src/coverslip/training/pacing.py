"""How many steps fine-tuning takes and how far the learning rate has come: fixed, or adapted to a time limit.

The learning rate is a function of progress, which runs from 0 to 1. Every step adds an equal share of the progress that
is left, so the number of steps can be changed at any time and the rate still falls to its end. Changes are recorded as
{step: number of steps in all}: a training that reads them takes the same steps at the same rates.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coverslip.stopping import TimeLimit

_FIRST_STEPS = 6  # whose speed fine-tuning is planned by; the very first one is excluded
_FIRST_SHARE = 0.05  # of the time that is left: slow steps tell sooner
_WINDOW_SECONDS, _WINDOW_STEPS = 10.0, 4  # whose average is the speed of now: whichever is more
_WINDOW_EPOCHS = 4
_SECONDS_BETWEEN_CHECKS = 3.0
_SHORTER, _LONGER = 0.02, 0.08  # shares of the remaining steps: smaller changes are not made
_ANNEALED = 0.9  # progress at which the learning rate is close enough to its end


@dataclass(frozen=True, slots=True)
class StepPace:
    """How fast fine-tuning is."""

    step_seconds: float
    epoch_end_seconds: float  # validation and checkpoint
    steps_per_epoch: int

    def seconds(self, n_steps: float) -> float:
        """For so many steps, with the ends of their epochs."""
        return n_steps * self.step_seconds + math.ceil(n_steps / self.steps_per_epoch) * self.epoch_end_seconds

    def steps_within(self, seconds: float) -> int:
        """How many steps fit, with the ends of their epochs."""
        per_step = self.step_seconds + self.epoch_end_seconds / self.steps_per_epoch
        return max(0, math.floor((seconds - self.epoch_end_seconds) / max(per_step, 1e-9)))

    def slower(self, factor: float) -> "StepPace":
        """The pace of steps that take so many times as long."""
        return StepPace(factor * self.step_seconds, factor * self.epoch_end_seconds, self.steps_per_epoch)


class DoesNotFit(Exception):
    """Fewer epochs fit into the time limit than it asks for, by the speed of the first steps."""


def changes_in_steps(changes: Mapping[float, float], steps_per_epoch: int) -> dict[int, int]:
    """The recipe's changes as those of a `StepPlan`."""
    return {round(at * steps_per_epoch): max(1, round(n * steps_per_epoch)) for at, n in changes.items()}


class StepPlan:
    """At which step fine-tuning ends, and the progress of each step.

    Args:
        n_epochs: planned at first.
        steps_per_epoch: all epochs have as many, but for the last one.
        changes: {step: number of steps in all, as changed after it}; known from the start, or from before a resume.
        last_epoch: to end after, whatever the progress; None: at the last step.
    """

    is_adaptable = False  # to a time limit

    def __init__(
        self, n_epochs: int, steps_per_epoch: int, changes: Mapping[int, int], last_epoch: int | None = None
    ) -> None:
        self.steps_per_epoch, self.changes = steps_per_epoch, dict(changes)
        self.first_pace: StepPace | None = None  # that it was planned by
        self._first, self._last_epoch = n_epochs * steps_per_epoch, last_epoch

    @property
    def changes_in_epochs(self) -> dict[float, float]:
        """As the recipe has them: the same training on other images changes its steps in proportion."""
        return {step / self.steps_per_epoch: n / self.steps_per_epoch for step, n in self.changes.items()}

    @property
    def n_steps(self) -> int:
        """As planned now."""
        return list(self.changes.values())[-1] if self.changes else self._first

    @property
    def n_epochs(self) -> int:
        """As planned now; the last one may be a part of one."""
        n_epochs = math.ceil(self.n_steps / self.steps_per_epoch)
        return n_epochs if self._last_epoch is None else min(n_epochs, self._last_epoch)

    @property
    def is_annealed(self) -> bool:
        """Whether the learning rate comes to its end at the last step: a sudden end leaves it high."""
        return self.progress(self.n_steps) >= _ANNEALED

    def steps_before(self, epoch: int) -> int:
        """Of all epochs before it, 1-based."""
        return (epoch - 1) * self.steps_per_epoch

    def steps_in(self, epoch: int) -> int:
        """Of this epoch, as planned now."""
        return min(self.steps_per_epoch, self.n_steps - self.steps_before(epoch))

    def steps_after(self, epoch: int) -> int:
        """Of all epochs that follow, as planned now."""
        end = min(self.n_steps, self.n_epochs * self.steps_per_epoch)
        return max(0, end - self.steps_before(epoch + 1))

    def progress(self, step: int) -> float:
        """In [0, 1], when so many steps are taken."""
        begin, before, n_steps = 0, 0.0, self._first
        for changed_after, changed_to in self.changes.items():
            if changed_after >= step:
                break
            before += (1 - before) * (changed_after - begin) / (n_steps - begin)
            begin, n_steps = changed_after, changed_to
        return min(1.0, before + (1 - before) * (step - begin) / (n_steps - begin))

    def after_step(self, step: int, wait: Callable[[], object]) -> None:
        """So many steps are taken; `wait` returns when the device has done all of them."""

    def after_epoch(self) -> None:
        """The epoch is validated and saved."""


class TimedPlan(StepPlan):
    """A plan that keeps within a time limit, by the speed of the steps so far.

    Args:
        n_epochs, steps_per_epoch, changes, last_epoch: as for `StepPlan`.
        limit: until when, and how many epochs are of use.
        n_validated: validation images, in batches of a step.
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
        self._most = max(self.n_steps, round(limit.most_epochs * steps_per_epoch))
        self._n_first = min(_FIRST_STEPS, max(3, steps_per_epoch))
        self._seconds = deque[float]()
        self._epoch_ends = deque[float](maxlen=_WINDOW_EPOCHS)
        self._n_timed = 0
        self._before = self._checked = 0.0  # by the clock of the deadline

    @property
    def pace(self) -> StepPace:
        """Of now."""
        step = sum(self._seconds) / max(1, len(self._seconds))
        # An image is validated in a third of the time that it takes in a step; writing a checkpoint takes time too.
        end = self._n_validated * step / 3 + min(0.5, 2 * step)
        if self._epoch_ends:
            end = sum(self._epoch_ends) / len(self._epoch_ends)
        return StepPace(step, end, self.steps_per_epoch)

    def after_step(self, step: int, wait: Callable[[], object]) -> None:
        """Time a step, and change the plan where the speed calls for that.

        Raises:
            DoesNotFit: by the speed of the first steps.
        """
        self._n_timed += 1
        if self._n_timed in (1, self._n_first):
            wait()
        now = self._limit.deadline.clock()
        left = self._limit.deadline.at - now
        if self._n_timed > 1:
            self._seconds.append(now - self._before)
            while len(self._seconds) > _WINDOW_STEPS and sum(self._seconds) - self._seconds[0] > _WINDOW_SECONDS:
                self._seconds.popleft()
        self._before = now
        is_enough = self._n_timed >= self._n_first or sum(self._seconds) > _FIRST_SHARE * left
        if not (self._seconds and is_enough):
            return
        if self.first_pace is None:
            self.first_pace, self._checked = self.pace, now
            n_steps = self._fitting(step, left)
            if n_steps + 1 <= self._limit.fewest_epochs * self.steps_per_epoch:
                raise DoesNotFit
            self._change(step, n_steps)
        elif now - self._checked >= _SECONDS_BETWEEN_CHECKS or left <= self._reserve:
            self._checked = now
            self._follow(step, left)

    def after_epoch(self) -> None:
        now = self._limit.deadline.clock()
        self._epoch_ends.append(now - self._before)
        self._before = now

    @property
    def _reserve(self) -> float:
        """For what comes after fine-tuning, which is slowed down as steps are."""
        assert self.first_pace is not None, "it is planned by then"
        now = self.pace.step_seconds
        slowdown = max(1.0, now / max(self.first_pace.step_seconds, 1e-9))
        return self._limit.reserve_seconds * slowdown + self._limit.reserve_steps * now

    def _fitting(self, step: int, left: float) -> int:
        return self._most if left == math.inf else min(self._most, step + self.pace.steps_within(left - self._reserve))

    def _follow(self, step: int, left: float) -> None:
        remaining = self.n_steps - step
        if not remaining:  # the learning rate is at its end
            return
        n_steps = self._fitting(step, left)
        if n_steps < self.n_steps - _SHORTER * remaining or n_steps > self.n_steps + max(_LONGER * remaining, 1):
            self._change(step, n_steps)

    def _change(self, step: int, n_steps: int) -> None:
        if n_steps != self.n_steps:
            self.changes[step] = n_steps
