"""The training loop: whole epochs, early stopping on the primary metric, best and last checkpoints.

All random numbers depend on (seed, epoch, step), and a checkpoint is written after every epoch. A killed run resumes
after the last complete epoch and ends with the same weights as an uninterrupted run on the CPU. GPUs sum in a variable
order.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coverslip.errors import OutOfTime, Stopped
from coverslip.events import CheckpointSaved, CheckpointSelection, Noted, StepEnded, ignore
from coverslip.files import write_link
from coverslip.losses.functions import ClusterLoss, ImageLoss, balanced_weight
from coverslip.machine import is_out_of_memory
from coverslip.messages import note
from coverslip.models.networks import Network, follows_batches, train_mode
from coverslip.runs import Recipe, RunContext
from coverslip.runs.training import StoppedBecause
from coverslip.training.batches import (
    TrainingImages,
    n_batches,
    plain_batches,
    recipe_order,
    selecting_logits,
    training_batches,
)
from coverslip.training.checkpoints import Progress, load_checkpoint, save_checkpoint
from coverslip.training.epoch_scores import Diverged, EpochScores, StepResults, epoch_ended, epoch_scores
from coverslip.training.optimization import (
    is_changed_before,
    is_second_phase,
    learning_rate_factor,
    max_gradient_norm,
    new_optimizer,
    set_learning_rate,
)
from coverslip.training.pacing import StepPlan, TimedPlan, changes_in_steps
from coverslip.training.processor import faster_convolutions, return_freed_memory
from coverslip.training.step import (
    Precision,
    PrecisionName,
    Stepper,
    fastest_dtype,
    other_precision,
    out_of_memory,
    reproducible_steps,
    standardized_head,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SECONDS_BETWEEN_STEP_EVENTS = 0.2
_SECONDS_BETWEEN_WAITS = 1.0  # on a GPU, where reading a loss waits for all queued work
_N_FOR_MOMENTS = 256  # training images whose features standardize the head
IMAGES_AT_ONCE = 16  # size of a micro-batch on the CPU


@dataclass(frozen=True, slots=True)
class Finetuned:
    """The result of fine-tuning."""

    selected_epoch: int  # 1-based; 0: no epoch was completed
    epochs_run: int
    stopped_because: StoppedBecause
    seconds: float
    images_per_second: float  # of training steps
    precision: PrecisionName  # of the steps
    selection: CheckpointSelection  # the rule that selected the epoch
    n_steps: int = 0  # completed
    schedule_changes: dict[float, float] = field(default_factory=dict)  # as the recipe key of this name


class _StopRequested(Exception):
    """The user requested a stop."""


class _FinishRequested(Exception):
    """The user requested the end of fine-tuning; the training continues with the next stage."""


class _OutOfTime(Exception):
    """The deadline passes before the end of the epoch."""


def finetune(
    network: Network,
    images: TrainingImages,
    recipe: Recipe,
    context: RunContext,
    *,
    last_epoch: int | None = None,
    precision: Precision | None = None,
) -> Finetuned:
    """Train `network` in place; at the end it has the weights of the selected epoch.

    The recipe selects the last epoch, or the best epoch by validation images (with `checkpoint_selection_set: test`, by
    test images). If fine-tuning is stopped, finished early or diverges, the best epoch is selected. Without such
    images, the last epoch counts as the best.

    Args:
        network: (B, C, H, W) in [0, 1] -> (B, K); frozen parameters do not change.
        images: to fit on and to validate on.
        recipe: of the training.
        context: its folder gets checkpoints of the best and of the last epoch, and training resumes from the last one
            if it exists. Its listener receives every epoch and, a few times per second, steps. Its stop request is
            checked before every step. Its deadline ends fine-tuning after the last complete epoch.
        last_epoch: after which fine-tuning ends, with the learning rates of the recipe's epochs; None: all epochs.
        precision: of the steps; None for the fastest.

    Raises:
        OutOfMemory: a step does not fit into memory with any size of micro-batch.
    """
    network.to(context.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation
    precision = precision or Precision(context.device, fastest_dtype(context.device, recipe.batch_size))
    try:
        with reproducible_steps(context.device), _head_for_training(network, images, recipe, context.device):
            return _run_epochs(network, images, recipe, last_epoch, precision, context)
    except RuntimeError as error:  # outside the steps, which handle such errors
        if not is_out_of_memory(error):
            raise
    raise out_of_memory(recipe.batch_size)


_N_TIMED, _TIMED_SIZE = 4, 4  # steps, of which the first is slower, and their images


def time_steps(network: Network, images: TrainingImages, recipe: Recipe, device: str) -> float:
    """Return the seconds of a training step for each of its images. The weights of the network change.

    Args:
        network: of the training, before its first step.
        images: to fit on.
        recipe: of the training.
        device: on which it runs.
    """
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation
    size = min(recipe.batch_size, _TIMED_SIZE) if device == "cpu" else recipe.batch_size
    recipe = recipe.model_copy(update={"batch_size": size})
    train_mode(network, keep_statistics=_keeps_statistics(recipe))
    example = next(plain_batches(images.pixels_of, images.train, batch_size=2, device=device))
    loss_of = _loss(images, recipe).to(device)
    precision = Precision(device, fastest_dtype(device, size))
    seconds = list[float]()
    with reproducible_steps(device), faster_convolutions(network, example) if device == "cpu" else nullcontext():
        stepper = Stepper(
            network, new_optimizer(network, recipe, 1), size, is_divisible=False, precision=precision, emit=ignore
        )
        for x, label in islice(_batches(images, _epoch_order(images, recipe, 1), recipe, 1, device), _N_TIMED):
            began = time.monotonic()
            stepper.step(loss_of, x, label).loss.item()
            seconds.append((time.monotonic() - began) / len(label))
    return statistics.median(seconds[1:] or seconds)


def _head_for_training(
    network: Network, images: TrainingImages, recipe: Recipe, device: str
) -> AbstractContextManager[None]:
    """Standardize the features of a fitted head, which the first steps would undo otherwise."""
    if not recipe.begins_with_instant_classifier:
        return nullcontext()
    n = len(images.train)
    example_positions = images.train[np.unique(np.linspace(0, n - 1, min(n, _N_FOR_MOMENTS)).astype(np.int64))]
    batches = plain_batches(images.pixels_of, example_positions, batch_size=IMAGES_AT_ONCE, device=device)
    return standardized_head(network, batches)


def _run_epochs(
    network: Network,
    images: TrainingImages,
    recipe: Recipe,
    last_epoch: int | None,
    precision: Precision,
    context: RunContext,
) -> Finetuned:
    progress = Progress()
    last = context.run.checkpoint_file("last")
    if last.exists():
        progress = Progress.restored(load_checkpoint(last, network))
    optimizer = new_optimizer(network, recipe, max(1, progress.epoch))
    if last.exists():
        load_checkpoint(last, network, optimizer)
        if progress.precision != precision.name:
            context.emit(other_precision(progress.precision, precision.name))
    precision.restore(progress.loss_scale)
    plan = _step_plan(images, recipe, progress, last_epoch, context)
    stopped: StoppedBecause = "all epochs done"
    train_mode(network, keep_statistics=_keeps_statistics(recipe))
    example = next(plain_batches(images.pixels_of, images.train, batch_size=2, device=context.device))
    # Batch norms that follow the batch, and penalties on groups of features, need the whole batch. Otherwise
    # micro-batches give the same gradient.
    is_divisible = not follows_batches(network) and recipe.regularizer.groups == "none"
    try:
        with faster_convolutions(network, example) if context.device == "cpu" else nullcontext():
            at_once = IMAGES_AT_ONCE if is_divisible and context.device == "cpu" else recipe.batch_size
            at_once = progress.images_at_once or at_once
            stepper = Stepper(
                network, optimizer, at_once, is_divisible=is_divisible, precision=precision, emit=context.emit
            )
            if not (progress.epoch or plan.is_adaptable) and len(images.selecting[0]):
                _measure_initial(network, images, recipe, plan.n_epochs, context)
            while progress.epoch < plan.n_epochs:
                if recipe.patience_used is not None and progress.epochs_since_better >= recipe.patience_used:
                    stopped = "no better epoch"
                    if recipe.optimizer == "adam-then-sgd" and not is_second_phase(recipe, progress.epoch):
                        context.emit(Noted.of(note("no-second-phase", level="warning")))
                    break
                if not plan.is_adaptable and context.deadline.seconds_left() < progress.seconds / max(
                    1, progress.epoch
                ):
                    raise _OutOfTime  # another epoch would be incomplete
                if is_changed_before(recipe, progress.epoch + 1):
                    stepper.optimizer = new_optimizer(network, recipe, progress.epoch + 1)
                _one_epoch(network, stepper, images, recipe, plan, progress, context)
            if not plan.is_annealed and recipe.schedule == "cosine" and stopped == "all epochs done":
                stopped = "out of time"
    except (_StopRequested, Stopped):
        stopped = "on request"
    except _FinishRequested:
        stopped = "finished early"
    except (_OutOfTime, OutOfTime):
        stopped = "out of time"
    except Diverged:
        stopped = "diverged"
    selection = _selection(recipe, stopped)
    selected_epoch = progress.epoch if selection == "last" else progress.best_epoch
    if selected_epoch:
        load_checkpoint(context.run.checkpoint_file(selection), network)
    per_second = progress.images / max(progress.training_seconds, 1e-9)
    return Finetuned(
        selected_epoch,
        progress.epoch,
        stopped,
        progress.seconds,
        per_second,
        precision.name,
        selection,
        progress.n_steps,
        plan.changes_in_epochs,
    )


def _selection(recipe: Recipe, stopped: StoppedBecause) -> CheckpointSelection:
    """Return the rule for the epoch. If the learning rate did not fall as planned, the last epoch may be poor."""
    is_cut = stopped in ("on request", "finished early", "out of time", "diverged")
    return "last" if recipe.keeps_last_epoch and not is_cut else "best"


def _check_requests(recipe: Recipe, progress: Progress, context: RunContext) -> None:
    """Raise _StopRequested or _FinishRequested. From scratch, there is no network to finish with before an epoch."""
    if context.stop.is_requested():
        raise _StopRequested
    if context.is_finish_requested and (progress.epoch or recipe.init != "scratch"):
        raise _FinishRequested


def _step_plan(
    images: TrainingImages, recipe: Recipe, progress: Progress, last_epoch: int | None, context: RunContext
) -> StepPlan:
    """Return the plan of the recipe, with the changes of the training before a resume."""
    steps_per_epoch = n_batches(len(_epoch_order(images, recipe, epoch=1)), recipe.batch_size, recipe.last_batch)
    changes = {**changes_in_steps(recipe.schedule_changes, steps_per_epoch), **progress.schedule_changes}
    if context.limit is None:
        return StepPlan(recipe.n_epochs, steps_per_epoch, changes, last_epoch)
    n_validated = len(images.selecting[0]) * (1 + recipe.validation_copies) / recipe.batch_size
    return TimedPlan(recipe.n_epochs, steps_per_epoch, changes, last_epoch, context.limit, n_validated)


def _measure_initial(
    network: nn.Module, images: TrainingImages, recipe: Recipe, n_epochs: int, context: RunContext
) -> None:
    """Emit the validation scores of the network before its first step, which cannot be selected."""
    if context.stop.is_requested():
        raise _StopRequested
    started = time.monotonic()
    try:
        val_scores = _validate(network, images, recipe, context.device)
    except Diverged:  # the training reports it
        return
    seconds = time.monotonic() - started
    context.emit(epoch_ended(None, val_scores, epoch=0, n_epochs=n_epochs, seconds=seconds, learning_rate=0.0))


def _one_epoch(
    network: nn.Module,
    stepper: Stepper,
    images: TrainingImages,
    recipe: Recipe,
    plan: StepPlan,
    progress: Progress,
    context: RunContext,
) -> None:
    started, epoch = time.monotonic(), progress.epoch + 1
    train_scores = _train_epoch(network, stepper, images, recipe, plan, progress, context)
    progress.training_seconds += time.monotonic() - started
    return_freed_memory()
    val_scores = _validate(network, images, recipe, context.device) if len(images.selecting[0]) else None
    return_freed_memory()
    if val_scores is None:
        is_best = True
    else:
        is_best = (val_scores.primary, -val_scores.loss) > (progress.best_score, -progress.loss_of_best)
        if is_best:
            progress.best_score, progress.loss_of_best = val_scores.primary, val_scores.loss
    if is_best:
        progress.best_epoch = epoch
    progress.epochs_since_better = 0 if is_best else progress.epochs_since_better + 1
    progress.follow_plateau(recipe, val_scores.loss if val_scores else train_scores.loss)
    seconds = time.monotonic() - started
    progress.epoch, progress.seconds = epoch, progress.seconds + seconds
    progress.n_steps, progress.schedule_changes = plan.steps_before(epoch) + plan.steps_in(epoch), plan.changes
    progress.images_at_once = stepper.images_at_once
    progress.precision, progress.loss_scale = stepper.precision.name, stepper.precision.loss_scale
    context.emit(
        epoch_ended(
            train_scores,
            val_scores,
            epoch=epoch,
            n_epochs=plan.n_epochs,
            seconds=seconds,
            learning_rate=float(stepper.optimizer.param_groups[0]["lr"]),
            is_best=is_best,
            seconds_left=progress.seconds / progress.n_steps * _steps_after(plan, epoch, recipe, progress),
        )
    )
    # First the event, then the best checkpoint, then the last one: if killed in between, training repeats the epoch,
    # emits the event again and writes the same files.
    began = time.monotonic()
    best, last = (context.run.checkpoint_file(which) for which in ("best", "last"))
    save_checkpoint(best if is_best else last, network, stepper.optimizer, progress.as_json())
    if is_best:
        write_link(last, best)
    for file in (best, last)[not is_best :]:
        path = file.relative_to(context.folder).as_posix()
        context.emit(CheckpointSaved(path=path, epoch=epoch, is_best=file is best))
    progress.seconds += time.monotonic() - began
    plan.after_epoch()


def _train_epoch(
    network: nn.Module,
    stepper: Stepper,
    images: TrainingImages,
    recipe: Recipe,
    plan: StepPlan,
    progress: Progress,
    context: RunContext,
) -> EpochScores:
    """Train one epoch and return the scores of its steps, on augmented images before each update."""
    train_mode(network, keep_statistics=_keeps_statistics(recipe))
    epoch = progress.epoch + 1
    torch.manual_seed(int(np.random.SeedSequence([recipe.seed, epoch]).generate_state(1)[0]))  # dropout
    order = _epoch_order(images, recipe, epoch)
    loss_of = _loss(images, recipe).to(context.device)
    regularizer = recipe.regularizer
    penalty_of = None if regularizer.groups == "none" else ClusterLoss(images.n_classes, **regularizer.model_dump())
    seconds_between = _SECONDS_BETWEEN_STEP_EVENTS if context.device == "cpu" else _SECONDS_BETWEEN_WAITS
    started = last_emitted = time.monotonic()
    results = StepResults()

    batches = _batches(images, order, recipe, epoch, context.device)
    n_used, max_norm = 0, max_gradient_norm(recipe, stepper.optimizer)
    for step, (x, label) in enumerate(batches, start=1):
        _check_requests(recipe, progress, context)
        if not plan.is_adaptable and context.deadline.seconds_left() <= 0:
            raise _OutOfTime
        peak = recipe.sgd_learning_rate if is_second_phase(recipe, epoch) else recipe.learning_rate
        n_steps_done = plan.steps_before(epoch) + step
        share = learning_rate_factor(recipe, plan.progress(n_steps_done))
        set_learning_rate(stepper.optimizer, peak * share * progress.plateau_factor)
        result = stepper.step(loss_of, x, label, penalty_of=penalty_of, max_gradient_norm=max_norm)
        results.add(result, label)
        n_used += len(label)
        plan.after_step(n_steps_done, result.loss.item)
        now, n_steps = time.monotonic(), plan.steps_in(epoch)
        if now - last_emitted > seconds_between or step >= n_steps:
            last_emitted = now
            pace = (now - started) / step
            left = pace * (n_steps - step)
            context.emit(
                StepEnded(
                    epoch=epoch,
                    n_epochs=plan.n_epochs,
                    step=step,
                    n_steps=n_steps,
                    loss=float(result.loss),
                    images_per_second=n_used / max(now - started, 1e-9),
                    epoch_seconds_left=left,
                    seconds_left=left + pace * _steps_after(plan, epoch, recipe, progress),
                )
            )
        if step >= n_steps:
            break
    progress.images += n_used
    return results.scores(recipe)


def _steps_after(plan: StepPlan, epoch: int, recipe: Recipe, progress: Progress) -> int:
    """Return the number of steps after an epoch. With early stopping, they end if no later epoch is better."""
    n_steps = plan.steps_after(epoch)
    if recipe.patience_used is None:
        return n_steps
    n_epochs = progress.best_epoch + recipe.patience_used
    return min(n_steps, max(0, plan.steps_before(n_epochs + 1) - plan.steps_before(epoch + 1)))


def _batches(
    images: TrainingImages, order: Ints, recipe: Recipe, epoch: int, device: str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the input of the network and the labels for each step of an epoch."""

    def pixels_of(rows: Any) -> npt.NDArray[np.unsignedinteger]:  # Any: a sequence of int, see PixelsOf
        return images.pixels_of(images.train[rows].tolist())

    return training_batches(
        pixels_of,
        order,
        images.train_label,
        batch_size=recipe.batch_size,
        augment=recipe.augment_in_training,
        seed=recipe.seed,
        epoch=epoch,
        device=device,
        last_batch=recipe.last_batch,
    )


def _validate(network: nn.Module, images: TrainingImages, recipe: Recipe, device: str) -> EpochScores:
    logits = selecting_logits(network, images, recipe, device)
    label = np.tile(images.selecting[1], 1 + recipe.validation_copies)
    scores = epoch_scores(logits, label, recipe)
    return replace(scores, chosen_predicted=images.chosen_predicted(logits))


def _keeps_statistics(recipe: Recipe) -> bool:
    return recipe.batch_norm == "keep" or (recipe.batch_norm == "auto" and recipe.init != "scratch")


def _epoch_order(images: TrainingImages, recipe: Recipe, epoch: int) -> npt.NDArray[np.int64]:
    return recipe_order(images.train_label, images.train_domain, recipe, epoch=epoch)


def _loss(images: TrainingImages, recipe: Recipe) -> ImageLoss:
    weight = None
    if recipe.class_weights == "balanced":
        # Of the images of an epoch: if sampling balances the classes, no weights are necessary.
        drawn = images.train_label[_epoch_order(images, recipe, epoch=1)]
        weight = balanced_weight(torch.from_numpy(np.bincount(drawn, minlength=images.n_classes)))
    return ImageLoss(recipe.loss, recipe.loss_options, weight=weight, label_smoothing=recipe.label_smoothing)
