"""The training loop: whole epochs, their scores, early stopping, and best and last checkpoints.

All random numbers depend on (seed, epoch, step), and a checkpoint is written after every epoch. A killed run resumes
after the last complete epoch and ends with the same weights as an uninterrupted run on the CPU. GPUs sum in a variable
order.
"""

import json
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coverslip.errors import BadRun, OutOfTime, Stopped
from coverslip.evaluation.table import METRICS, score
from coverslip.events import CheckpointSaved, CheckpointSelection, EpochEnded, Noted, StageStarted, StepEnded, ignore
from coverslip.files import write_bytes, write_link
from coverslip.losses.functions import ClusterLoss, ImageLoss, balanced_weight
from coverslip.machine import is_out_of_memory
from coverslip.messages import note
from coverslip.models.backbone import Backbone
from coverslip.models.catalogue import model_info
from coverslip.models.networks import Network, follows_batches, freeze_to, random_network, train_mode
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import Recipe
from coverslip.runs.training import StoppedBecause
from coverslip.training.batches import plain_batches, selecting_logits, training_batches
from coverslip.training.linear_probe import LinearHead
from coverslip.training.pacing import (
    StepPlan,
    TimedPlan,
    changes_in_steps,
    is_changed_before,
    learning_rate_factor,
    max_gradient_norm,
    new_optimizer,
    set_learning_rate,
)
from coverslip.training.processor import faster_convolutions, keep_freed_memory, return_freed_memory
from coverslip.training.step import (
    Precision,
    PrecisionName,
    Stepper,
    StepResult,
    begin_batch_statistics,
    fastest_dtype,
    other_precision,
    out_of_memory,
    reproducible_steps,
    standardized_head,
)
from coverslip.training.task import TrainingImages, n_batches, recipe_order

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def save_checkpoint(
    file: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Mapping[str, Any],  # Any: JSON values
) -> None:
    """Write everything that is needed to resume training, as a whole or not at all."""
    from safetensors.torch import save

    tensors = {f"network.{name}": tensor for name, tensor in plain_state(network).items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in _optimizer_tensors(optimizer).items()}
    # As bytes, because safetensors reports a full disk as an error of another type.
    write_bytes(file, save(tensors, metadata={"progress": json.dumps(dict(progress))}))


def load_checkpoint(
    file: Path, network: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:  # Any: JSON values
    """Restore the network and, if passed, the optimizer; return the saved `progress`.

    Raises:
        BadRun: the checkpoint is damaged or belongs to another network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
            progress: dict[str, Any] = json.loads(opened.metadata()["progress"])
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
        if optimizer is not None:
            _load_optimizer(optimizer, tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadRun("checkpoint-not-usable", file=file, reason=str(error)) from error
    return progress


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the state dict as contiguous copies on the CPU, sorted by name."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in sorted(network.state_dict().items())
    }


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{number}.{key}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for number, entry in optimizer.state_dict()["state"].items()
        for key, value in entry.items()
        if isinstance(value, Tensor)
    }


@dataclass(slots=True)
class Progress:
    """State of the training loop, saved with every checkpoint."""

    epoch: int = 0  # last complete epoch
    best_epoch: int = 0  # by the primary metric on validation images
    epochs_since_better: int = 0
    best_score: float = float("-inf")  # higher is better; if undefined or equal, the loss decides
    loss_of_best: float = float("inf")
    seconds: float = 0.0
    images: int = 0
    training_seconds: float = 0.0
    images_at_once: int | None = None  # in the last epoch; reduced if memory was insufficient
    precision: PrecisionName = "float32"
    loss_scale: tuple[float, int] | None = None  # of float16
    n_steps: int = 0
    schedule_changes: dict[int, int] = field(default_factory=dict)  # as the recipe key of this name, in steps

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """Return JSON values for `restored`; infinity becomes null."""
        return {name: None if value in (np.inf, -np.inf) else value for name, value in asdict(self).items()}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> "Progress":  # Any: JSON values
        """Return the progress by the result of `as_json`."""
        progress = cls(**{name: value for name, value in saved.items() if value is not None})
        progress.schedule_changes = {int(step): n for step, n in progress.schedule_changes.items()}
        return progress


# Scores of an epoch: on training images from the results of its steps, and on validation images.


class Diverged(Exception):
    """The loss or a logit is not a finite number."""


@dataclass(frozen=True, slots=True)
class EpochScores:
    """The loss and scores of some images."""

    loss: float  # mean over images, without class weights and penalty
    penalty: float | None  # mean over the steps of training
    accuracy: float
    precision: float
    recall: float
    f1: float
    primary: float  # higher is better
    chosen_predicted: tuple[int, ...] = ()  # classes of the `ChosenImages`


def epoch_scores(logits: Tensor, label: Ints, recipe: Recipe, penalty: float | None = None) -> EpochScores:
    """Return the scores of (n, K) logits for (n,) labels.

    The loss of training and of validation images is the same quantity. Class weights and a penalty
    are means of training, which must not select the epoch.

    Raises:
        Diverged: the loss, the penalty or a logit is not finite.
    """
    loss = float(ImageLoss(recipe.loss, recipe.loss_options)(logits, torch.from_numpy(label)) / len(logits))
    if not (np.isfinite([loss, penalty or 0.0]).all() and logits.isfinite().all()):
        raise Diverged
    primary = METRICS[recipe.primary_metric]
    shown = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
    scores = score(logits.double().softmax(dim=1).numpy(), label, names=(*shown, primary.name))
    return EpochScores(
        loss,
        penalty,
        scores["accuracy"],
        scores["macro_precision"],
        scores["macro_recall"],
        scores["macro_f1"],
        primary.as_higher_is_better(scores[primary.name]),
    )


def epoch_ended(
    train: EpochScores | None,
    val: EpochScores | None,
    *,
    epoch: int,
    n_epochs: int,
    seconds: float,
    learning_rate: float,
    is_best: bool = False,
    seconds_left: float | None = None,
) -> EpochEnded:
    """Return the event of an epoch with these scores of training and validation images."""
    return EpochEnded(
        epoch=epoch,
        n_epochs=n_epochs,
        seconds=seconds,
        learning_rate=learning_rate,
        train_loss=train.loss if train else None,
        train_penalty=train.penalty if train else None,
        train_accuracy=train.accuracy if train else None,
        train_precision=train.precision if train else None,
        train_recall=train.recall if train else None,
        train_f1=train.f1 if train else None,
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
        val_precision=val.precision if val else None,
        val_recall=val.recall if val else None,
        val_f1=val.f1 if val else None,
        is_best=is_best,
        seconds_left=seconds_left,
        chosen_predicted=val.chosen_predicted if val else (),
    )


class StepResults:
    """Logits and penalties of the steps of an epoch, kept on the device: copying them would block every step."""

    def __init__(self) -> None:
        self._logits: list[Tensor] = []
        self._penalties: list[Tensor] = []
        self._label: list[Tensor] = []

    def add(self, result: StepResult, label: Tensor) -> None:
        self._logits.append(result.logits.float())
        self._label.append(label)
        if result.penalty is not None:
            self._penalties.append(result.penalty)

    def scores(self, recipe: Recipe) -> EpochScores:
        logits, label = torch.cat(self._logits).cpu(), torch.cat(self._label).cpu().numpy()
        penalty = float(torch.stack(self._penalties).mean()) if self._penalties else None
        return epoch_scores(logits, label, recipe, penalty)


# The training loop.


_SECONDS_BETWEEN_STEP_EVENTS = 0.2
_SECONDS_BETWEEN_WAITS = 1.0  # on a GPU, where reading a loss waits for all queued work
_N_FOR_MOMENTS = 256  # training images whose features standardize the head
IMAGES_AT_ONCE = 16  # size of a micro-batch on the CPU


@dataclass(frozen=True, slots=True)
class Finetuned:
    """The result of fine-tuning."""

    selected_epoch: int  # 1-based; 0: no epoch was completed
    epochs_run: int
    epochs_planned: int  # of the learning rate schedule
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
            checked before every step. Without its limit, no epoch begins that its deadline would end.
        last_epoch: after which fine-tuning ends, with the learning rates of the recipe's epochs; None: all epochs.
        precision: of the steps; None for the fastest.

    Raises:
        OutOfMemory: a step does not fit into memory with any size of micro-batch.
        OutOfTime: the context has no limit, and its deadline comes before the last epoch ends.
    """
    try:
        network.to(context.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the annotation
        precision = precision or Precision(context.device, fastest_dtype(context.device, recipe.batch_size))
        with reproducible_steps(context.device), _head_for_training(network, images, recipe, context.device):
            return _run_epochs(network, images, recipe, last_epoch, precision, context)
    except RuntimeError as error:  # outside the steps, which handle such errors
        if not is_out_of_memory(error):
            raise
    raise out_of_memory(recipe.batch_size)


def network_to_train(backbone: Backbone, recipe: Recipe, n_classes: int) -> Network:
    """Return the network of a backbone with a random head, its dropout and its frozen layers as the recipe states."""
    keep_freed_memory()
    architecture = backbone.architecture
    dropout = model_info(recipe.model).dropout.get(recipe.dropout, {})
    network = random_network(
        replace(architecture, options={**dropout, **architecture.options}),
        recipe.seed,
        n_classes,
        pretrained=recipe.init == "imagenet",  # batch norms without pretrained statistics are marked
    )
    network.load_backbone(backbone)
    freeze_to(network, recipe.freeze_to)
    return network


def with_batch_statistics(backbone: Backbone, recipe: Recipe, images: TrainingImages) -> Backbone:
    """Return the backbone with pretrained batch norms set to the statistics of training images."""
    network = network_to_train(backbone, recipe, images.n_classes)
    begin_batch_statistics(network, recipe, images.pixels_of, images.train)
    return replace(network.as_backbone(), architecture=backbone.architecture)


def finetune_backbone(
    backbone: Backbone,
    head: LinearHead | None,
    images: TrainingImages,
    recipe: Recipe,
    context: RunContext,
    last_epoch: int | None,
) -> tuple[Backbone, LinearHead, Finetuned]:
    """Fine-tune a network with this head (None: a random one), as of `finetune`; return the network and its head."""
    network = network_to_train(backbone, recipe, images.n_classes)
    if head is not None and recipe.head_init != "random":
        network.set_head(head.weight, head.bias)
    n_epochs = min(recipe.epochs_planned, last_epoch or recipe.epochs_planned)
    selection: CheckpointSelection = "last" if recipe.keeps_last_epoch or not len(images.selecting[0]) else "best"
    context.emit(StageStarted(stage="finetune", n_epochs=n_epochs, checkpoint_selection=selection))
    if images.chosen is not None:
        context.emit(images.chosen.event)
    finetuned = finetune(network, images, recipe, context, last_epoch=last_epoch)
    network.to("cpu")
    weight, bias = (tensor.detach().numpy().copy() for tensor in (network.head.weight, network.head.bias))
    tuned = replace(network.as_backbone(), architecture=backbone.architecture)
    return tuned, LinearHead(weight, bias, None), finetuned


_N_TIMED, _TIMED_SIZE = 4, 4  # steps, of which the first is slower, and their images


def time_steps(network: Network, images: TrainingImages, recipe: Recipe, device: str, *, most_seconds: float) -> float:
    """Return the seconds of a training step for each of its images. The weights of the network change.

    Args:
        network: of the training, before its first step.
        images: to fit on.
        recipe: of the training.
        device: on which it runs.
        most_seconds: after which no step begins, except the second one: the first takes longer than the others.

    Raises:
        OutOfMemory: a batch does not fit into memory.
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
            if len(seconds) > 1 and sum(seconds) * size > most_seconds:
                break
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
                    break
                if not plan.is_adaptable:
                    _check_time_for(progress.seconds / max(1, progress.epoch), context)
                if is_changed_before(recipe, progress.epoch + 1):
                    stepper.optimizer = new_optimizer(network, recipe, progress.epoch + 1)
                _one_epoch(network, stepper, images, recipe, plan, progress, context)
            if not plan.is_annealed and recipe.schedule == "cosine" and stopped == "all epochs done":
                stopped = "out of time"
    except (_StopRequested, Stopped):
        stopped = "on request"
    except _FinishRequested:
        stopped = "finished early"
    except Diverged:
        stopped = "diverged"
    is_complete = stopped not in ("on request", "diverged") and last_epoch == recipe.last_epoch  # and not a refit
    if is_complete and recipe.optimizer == "adam-then-sgd" and not recipe.is_second_phase(progress.epoch):
        context.emit(Noted.of(note("no-second-phase", level="warning", n_epochs=progress.epoch)))
    selection = _selection(recipe, stopped)
    selected_epoch = progress.epoch if selection == "last" else progress.best_epoch
    if selected_epoch:
        load_checkpoint(context.run.checkpoint_file(selection), network)
    per_second = progress.images / max(progress.training_seconds, 1e-9)
    return Finetuned(
        selected_epoch,
        progress.epoch,
        plan.epochs_planned,
        stopped,
        progress.seconds,
        per_second,
        precision.name,
        selection if len(images.selecting[0]) else "last",
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


def _check_time_for(seconds: float, context: RunContext) -> None:
    """Raise OutOfTime if less time is left: all networks of a cross-validation must be trained equally long."""
    if context.deadline.seconds_left() < seconds:
        raise OutOfTime("no-time-for-all-folds")


def _step_plan(
    images: TrainingImages, recipe: Recipe, progress: Progress, last_epoch: int | None, context: RunContext
) -> StepPlan:
    """Return the plan of the recipe or of the training before a resume. A time limit replaces its later changes."""
    steps_per_epoch = n_batches(len(_epoch_order(images, recipe, epoch=1)), recipe.batch_size, recipe.last_batch)
    changes = changes_in_steps(recipe.schedule_changes, steps_per_epoch)
    if progress.epoch:
        changes = progress.schedule_changes
    if context.limit is None:
        return StepPlan(recipe.n_epochs, steps_per_epoch, changes, last_epoch)
    changes = {step: n_steps for step, n_steps in changes.items() if step <= progress.n_steps}
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
        if not plan.is_adaptable:
            _check_time_for(0.0, context)
        peak = recipe.sgd_learning_rate if recipe.is_second_phase(epoch) else recipe.learning_rate
        n_steps_done = plan.steps_before(epoch) + step
        share = learning_rate_factor(recipe, plan.progress(n_steps_done))
        set_learning_rate(stepper.optimizer, peak * share)
        result = stepper.step(loss_of, x, label, penalty_of=penalty_of, max_gradient_norm=max_norm)
        results.add(result, label)
        n_used += len(label)
        plan.after_step(n_steps_done, result.loss.item)
        now, n_steps = time.monotonic(), plan.steps_in(epoch)
        if now - last_emitted > seconds_between or step >= n_steps:
            last_emitted = now
            context.emit(
                StepEnded(
                    epoch=epoch,
                    n_epochs=plan.n_epochs,
                    step=step,
                    n_steps=n_steps,
                    loss=float(result.loss),
                    images_per_second=n_used / max(now - started, 1e-9),
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
    return replace(scores, chosen_predicted=images.chosen_predicted(logits.numpy()))


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
    return ImageLoss(recipe.loss, recipe.loss_options, weight=weight)
