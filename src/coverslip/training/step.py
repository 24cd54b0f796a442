"""One training step: micro-batches, mixed precision, batch-norm statistics and the standardized last layer.

Batch-norm statistics: the instant classifier is fitted on features of a network with fixed batch-norm statistics.
Statistics of photographs differ much from those of, for example, chromosomes padded with black. If the norms follow
batches, the features no longer fit the head. There MobileNetV2 started at a loss of 96, while guessing among 24 classes
costs 3.2, and the fine-tuned network was rejected. `begin_batch_statistics` computes the statistics before the fit.

Standardized last layer: thousands of features have large means and very different standard deviations. An optimizer
with steps of about the same length for every weight (Adam) then changes all logits together, which undoes the fitted
head in the first epoch. On features with mean 0 and standard deviation 1, a step changes every logit by about as much.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverslip.errors import OutOfMemory
from coverslip.events import Emit, Noted
from coverslip.losses.functions import ClusterLoss, ImageLoss
from coverslip.machine import is_out_of_memory
from coverslip.messages import Set, note
from coverslip.models.networks import Network, train_mode
from coverslip.runs.recipe import Recipe
from coverslip.training.batches import plain_batches

Ints = npt.NDArray[np.int64]
_MAX_IMAGES = 512  # means over the positions of so many maps hardly change with more images


def begin_batch_statistics(
    network: nn.Module,
    recipe: Recipe,
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]],
    train: Ints,
) -> None:
    """Set pretrained batch norms to the statistics of training images, if the recipe lets them follow batches.

    Args:
        network: on the CPU, frozen as the recipe states; frozen batch norms do not change.
        recipe: its `batch_norm` and `batch_size`; its seed shuffles the images.
        pixels_of: (n, S, S, C) integers of the images at these positions.
        train: positions of the training images, of which at most 512 are used.
    """
    if recipe.init == "scratch" or recipe.batch_norm != "learn":
        return
    shuffled = np.random.default_rng(recipe.seed).permutation(np.sort(train))[:_MAX_IMAGES]
    train_mode(network, keep_statistics=False)
    following = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    network.eval()
    momenta = [norm.momentum for norm in following]
    for norm in following:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # the mean over batches
    with torch.inference_mode():
        for x in plain_batches(pixels_of, shuffled, batch_size=recipe.batch_size):
            if len(x) > 1 or len(shuffled) == 1:  # a single last image is no batch
                network(x)
    for norm, momentum in zip(following, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


_SD_FLOOR = 1e-3  # of the median standard deviation: constant features must not get huge weights


class StandardizedHead(nn.Module):
    """A linear layer on standardized features, equivalent to a linear layer on raw features: (B, D) -> (B, K) logits.

    Args:
        linear: the layer on raw features.
        mean: (D,) of the features.
        sd: (D,) standard deviations of the features, above 0.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, linear: nn.Linear, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)
        self.linear = nn.Linear(linear.in_features, linear.out_features, device=mean.device)
        with torch.no_grad():
            self.linear.weight.copy_(linear.weight * sd)
            self.linear.bias.copy_(linear.bias + linear.weight @ mean)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear((features - self.mean) / self.sd)
        return logits

    def fold_into(self, linear: nn.Linear) -> None:
        """Copy the trained parameters into a linear layer on raw features."""
        with torch.no_grad():
            weight = self.linear.weight / self.sd
            linear.weight.copy_(weight)
            linear.bias.copy_(self.linear.bias - weight @ self.mean)


@contextmanager
def standardized_head(network: Network, batches: Iterable[Tensor]) -> Iterator[None]:
    """Replace the head of a network by a `StandardizedHead` inside the context.

    Args:
        network: its features are standardized by their mean and standard deviation over the batches.
        batches: (B, C, H, W) in [0, 1], training images.
    """
    linear = network.head
    network.eval()
    with torch.inference_mode():
        features = torch.cat([network.features(x) for x in batches]).float()
    mean, sd = features.mean(dim=0), features.std(dim=0, unbiased=False)
    head = StandardizedHead(linear, mean, sd.clamp(min=max(_SD_FLOOR * float(sd.median()), 1e-12)))
    network.head = head  # type: ignore[assignment]  # during training
    try:
        yield
    finally:
        head.fold_into(linear)
        network.head = linear


PrecisionName = Literal["float32", "bfloat16", "float16"]

_NAMES: dict[torch.dtype, PrecisionName] = {
    torch.float32: "float32",
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
}
# PyTorch starts with 65,536 and doubles the scale after 2,000 steps. Small datasets have 100 steps in all, and would
# lose some of them to the search for the scale.
_INITIAL_SCALE = 1024.0
_STEPS_BEFORE_GROWTH = 200
_MANY_IMAGES = 64  # in a step


class Precision:
    """The floating-point format of the backbone in a step; weights, head, losses and the optimizer stay in float32.

    In float16, losses are multiplied by a scale that follows the gradients, so that small gradients do not become zero
    (Micikevicius et al. 2018, Mixed precision training).

    Args:
        device: name of the device in PyTorch.
        dtype: float32, bfloat16 or float16; see `fastest_dtype`.
    """

    def __init__(self, device: str, dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = device, dtype
        self._scaler = torch.amp.GradScaler(
            device,
            init_scale=_INITIAL_SCALE,
            growth_interval=_STEPS_BEFORE_GROWTH,
            enabled=self.dtype is torch.float16,
        )

    @property
    def name(self) -> PrecisionName:
        """The name in PyTorch."""
        return _NAMES[self.dtype]

    @property
    def loss_scale(self) -> tuple[float, int] | None:
        """The factor of the losses and the number of steps since its last change; None if losses are not scaled."""
        if not self._scaler.is_enabled():
            return None
        state = self._scaler.state_dict()
        return state["scale"], state["_growth_tracker"]

    def restore(self, loss_scale: tuple[float, int] | None) -> None:
        """Resume with the `loss_scale` of a checkpoint."""
        if loss_scale is not None and self._scaler.is_enabled():
            scale, n_steps = loss_scale
            self._scaler.load_state_dict(self._scaler.state_dict() | {"scale": scale, "_growth_tracker": n_steps})

    def forward(self) -> AbstractContextManager[object]:
        """Return a context in which networks compute in this precision."""
        return nullcontext() if self.dtype is torch.float32 else torch.autocast(self.device, self.dtype)

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of the scaled loss."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # PyTorch's

    def step(self, optimizer: torch.optim.Optimizer, network: nn.Module, max_gradient_norm: float | None) -> None:
        """Take an optimizer step. If a gradient overflowed in float16, skip the step and lower the scale."""
        self._scaler.unscale_(optimizer)
        if max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), max_gradient_norm)
        self._scaler.step(optimizer)
        self._scaler.update()


@contextmanager
def reproducible_steps(device: str) -> Iterator[None]:
    """Use operations inside the context that give the same result in every run, where PyTorch has them.

    On a CUDA GPU, some operations add numbers in a varying order otherwise, such as the gradient of a resized image.
    """
    if device != "cuda" or torch.are_deterministic_algorithms_enabled():  # by the caller, who may want errors
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deterministic", UserWarning)  # for operations that vary in any case
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(False)


def fastest_dtype(device: str, batch_size: int) -> torch.dtype:
    """Return the fastest format for steps on a device, by the generation of a CUDA GPU.

    From Ampere on, convolutions in float32 use TF32, and bfloat16 is faster only if a step has many images: with few,
    its additional conversions take longer than they save (benchmarks/NOT_KEPT.md). Before, from Volta on,
    only float16 uses the fast units.
    """
    if device != "cuda":
        return torch.float32
    capability = torch.cuda.get_device_capability()
    if capability >= (8, 0):
        return torch.bfloat16 if batch_size >= _MANY_IMAGES else torch.float32
    return torch.float16 if capability >= (7, 0) else torch.float32


def other_precision(before: str, now: str) -> Noted:
    """Return the note for a training that resumes in another precision."""
    return Noted.of(note("other-precision", level="warning", before=before, now=now))


class Stepper:
    """Takes the steps of a training. If memory is insufficient, later steps use smaller micro-batches.

    Args:
        network: has `features` of images and a `head` on them.
        optimizer: of its parameters; can be replaced between steps.
        images_at_once: initial number of images in a micro-batch.
        is_divisible: whether micro-batches give the same gradient as the whole batch.
        precision: of the backbone.
        emit: receives a note if the memory is not sufficient.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        images_at_once: int,
        *,
        is_divisible: bool,
        precision: Precision,
        emit: Emit,
    ) -> None:
        self.optimizer, self.precision, self.images_at_once = optimizer, precision, images_at_once
        self._network, self._is_divisible, self._emit = network, is_divisible, emit

    def step(
        self,
        loss_of: ImageLoss,
        x: Tensor,
        label: Tensor,
        *,
        penalty_of: ClusterLoss | None = None,
        max_gradient_norm: float | None = None,
    ) -> "StepResult":
        """Take one step along the clipped gradient of a batch and return the result of `accumulate_gradients`.

        Raises:
            OutOfMemory: the batch cannot be divided and does not fit into memory, or a single image does not fit.
        """
        self.optimizer.zero_grad(set_to_none=True)
        result = self._accumulate(loss_of, x, label, penalty_of)
        self.precision.step(self.optimizer, self._network, max_gradient_norm)
        return result

    def _accumulate(self, loss_of: ImageLoss, x: Tensor, label: Tensor, penalty_of: ClusterLoss | None) -> "StepResult":
        while True:
            at_once = min(self.images_at_once, len(label))
            try:
                return accumulate_gradients(self._network, loss_of, x, label, at_once, penalty_of, self.precision)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the handler, the error no longer holds references to the tensors of the failed pass.
            if not self._is_divisible or at_once == 1:
                raise out_of_memory(at_once)
            self.images_at_once = at_once // 2
            self.optimizer.zero_grad(set_to_none=True)
            self._emit(Noted.of(note("smaller-parts", level="warning", images_at_once=self.images_at_once)))


@dataclass(frozen=True, slots=True)
class StepResult:
    """The results of a step, in float32."""

    loss: Tensor  # mean over images, with the penalty: what the step minimizes
    logits: Tensor  # (B, K)
    penalty: Tensor | None  # of the features of the batch; None: the loss has none


def accumulate_gradients(
    network: nn.Module,
    loss_of: ImageLoss,
    x: Tensor,
    label: Tensor,
    images_at_once: int,
    penalty_of: ClusterLoss | None = None,
    precision: Precision | None = None,
) -> StepResult:
    """Accumulate the gradients of the batch's mean loss in micro-batches, so that memory does not grow with the batch.

    Args:
        network: has `features` of images and a `head` on them.
        loss_of: summed over images.
        x: (B, C, H, W) in [0, 1].
        label: (B,) in [0, K).
        images_at_once: size of a micro-batch; B if there is a penalty.
        penalty_of: penalty of the features of the batch, added to the loss.
        precision: of the backbone; None is float32.

    """
    precision = precision or Precision(x.device.type)
    total = loss_of.total_weight(label)
    loss, logits = torch.zeros((), device=x.device), []
    penalty = None if penalty_of is None else torch.zeros((), device=x.device)
    for start in range(0, len(label), images_at_once):
        rows = slice(start, start + images_at_once)
        with precision.forward():
            features: Tensor = network.features(x[rows])  # type: ignore[operator]  # a Network's method
        features = features.float()  # the head subtracts means that are large compared to the differences
        batch_logits = network.head(features)  # type: ignore[operator]
        share = loss_of(batch_logits, label[rows]) / total
        if penalty_of is not None and penalty is not None:
            term = penalty_of(features, label[rows])
            share = share + term
            penalty += term.detach()
        precision.backward(share)
        loss += share.detach()
        logits.append(batch_logits.detach())
    return StepResult(loss, torch.cat(logits), penalty)


def out_of_memory(n_images: int) -> OutOfMemory:
    """Return the error for a step whose images do not fit into memory."""
    smaller = n_images // 2
    remedies = (Set("batch_size", smaller),) if smaller else ()
    return OutOfMemory("step-out-of-memory", remedies=remedies, images_at_once=n_images)
