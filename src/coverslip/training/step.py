"""One training step: micro-batches, mixed precision, batch-norm statistics and the standardized last layer.

The instant classifier is fitted on features of a network whose batch norms keep the statistics that they have. Those of
photographs are far from those of, say, chromosomes padded with black: once the norms follow batches, such a head meets
features that it was not fitted to. MobileNetV2 began at a loss of 96 there, where to guess among 24 classes costs 3.2,
and fine-tuning was given up for the network that it had begun with.

Thousands of features have large means and very different spreads. An optimizer that gives every weight a step of about
the same length (Adam) then moves all logits together, and what the head knew is lost in the first epoch. On features of
mean 0 and standard deviation 1 a step changes every logit by about as much.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverslip.errors import OutOfMemory
from coverslip.events import Emit, Noted
from coverslip.losses.cluster import ClusterLoss
from coverslip.losses.functions import ImageLoss
from coverslip.messages import Set, note
from coverslip.models.networks import Network, train_mode
from coverslip.runs import Recipe
from coverslip.training.batches import plain_batches

Ints = npt.NDArray[np.int64]
_MOST = 512  # images: means over all places of so many maps hardly change with more


def begin_batch_statistics(
    network: nn.Module,
    recipe: Recipe,
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]],
    train: Ints,
) -> None:
    """Where the recipe lets pretrained batch norms follow batches, give them the statistics of training images.

    Args:
        network: on the processor, frozen as the recipe says; frozen batch norms stay as they are.
        recipe: its `batch_norm` and `batch_size`; its seed mixes the images.
        pixels_of: (n, S, S, C) integers of the images at these positions.
        train: positions of the training images, of which at most 512 are used.
    """
    if recipe.init == "scratch" or recipe.batch_norm != "learn":
        return
    mixed = np.random.default_rng(recipe.seed).permutation(np.sort(train))[:_MOST]
    train_mode(network, keep_statistics=False)
    following = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    network.eval()
    momentum = [norm.momentum for norm in following]
    for norm in following:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    with torch.inference_mode():
        for x in plain_batches(pixels_of, mixed, batch_size=recipe.batch_size):
            if len(x) > 1 or len(mixed) == 1:  # a last image by itself is no batch
                network(x)
    for norm, usual in zip(following, momentum, strict=True):
        norm.momentum = usual
    network.eval()


_SD_FLOOR = 1e-3  # of the median feature's: dead features must not get huge weights


class StandardizedHead(nn.Module):
    """(B, D) features -> (B, K) logits, the same as those of the linear layer that it is made of.

    Args:
        linear: of raw features.
        mean: (D,) of the features.
        sd: (D,) their standard deviations, above 0.
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
        """Give a linear layer of raw features what was learnt."""
        with torch.no_grad():
            weight = self.linear.weight / self.sd
            linear.weight.copy_(weight)
            linear.bias.copy_(self.linear.bias - weight @ self.mean)


@contextmanager
def standardized_head(network: Network, batches: Iterable[Tensor]) -> Iterator[None]:
    """Let the head of a network see standardized features, by mean and standard deviation of those of some images.

    Args:
        network: whose head is another one meanwhile.
        batches: (B, C, H, W) in [0, 1], images that are trained on.
    """
    linear = network.head
    network.eval()
    with torch.inference_mode():
        features = torch.cat([network.features(x) for x in batches]).float()
    mean, sd = features.mean(dim=0), features.std(dim=0, unbiased=False)
    head = StandardizedHead(linear, mean, sd.clamp(min=max(_SD_FLOOR * float(sd.median()), 1e-12)))
    network.head = head  # type: ignore[assignment]  # for the time of training
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
# PyTorch begins with 65,536 and asks for 2,000 steps before it doubles the scale: small datasets have 100 steps in all,
# and would lose a part of them to the search.
_FIRST_SCALE = 1024.0
_STEPS_BEFORE_GROWTH = 200


class Precision:
    """What the backbone computes in during a step; weights, head, losses and the optimizer stay in float32.

    On a CUDA GPU that is bfloat16 if the GPU has it, else float16. The losses of the latter are multiplied by a scale
    that follows the gradients, so that small ones do not become zero (Micikevicius et al. 2018, Mixed precision
    training).

    Args:
        device: as PyTorch names it.
        dtype: float32, bfloat16 or float16; None takes what should be quickest on the device.
    """

    def __init__(self, device: str, dtype: torch.dtype | None = None) -> None:
        self.device, self.dtype = device, dtype or _quickest(device)
        self._scaler = torch.amp.GradScaler(
            device,
            init_scale=_FIRST_SCALE,
            growth_interval=_STEPS_BEFORE_GROWTH,
            enabled=self.dtype is torch.float16,
        )

    @property
    def name(self) -> PrecisionName:
        """As PyTorch names it."""
        return _NAMES[self.dtype]

    @property
    def loss_scale(self) -> tuple[float, int] | None:
        """What losses are multiplied by, and for how many steps it has held; None where they are not."""
        if not self._scaler.is_enabled():
            return None
        state = self._scaler.state_dict()
        return state["scale"], state["_growth_tracker"]

    def restore(self, loss_scale: tuple[float, int] | None) -> None:
        """Go on from a `loss_scale` of before an interruption."""
        if loss_scale is not None and self._scaler.is_enabled():
            scale, n_steps = loss_scale
            self._scaler.load_state_dict(self._scaler.state_dict() | {"scale": scale, "_growth_tracker": n_steps})

    def forward(self) -> AbstractContextManager[object]:
        """Within it networks compute in this precision."""
        return nullcontext() if self.dtype is torch.float32 else torch.autocast(self.device, self.dtype)

    def backward(self, loss: Tensor) -> None:
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # PyTorch's

    def step(self, optimizer: torch.optim.Optimizer, network: nn.Module, max_gradient_norm: float | None) -> None:
        """Let the optimizer take its step, unless a gradient overflowed in float16: the scale is lowered then."""
        self._scaler.unscale_(optimizer)
        if max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), max_gradient_norm)
        self._scaler.step(optimizer)
        self._scaler.update()


def _quickest(device: str) -> torch.dtype:
    """By the GPU's generation: Ampere and later have bfloat16, Volta and later units for float16."""
    if device != "cuda":
        return torch.float32
    capability = torch.cuda.get_device_capability()
    return torch.bfloat16 if capability >= (8, 0) else torch.float16 if capability >= (7, 0) else torch.float32


def other_precision(before: str, now: str) -> Noted:
    """Return the note for a training that continues in another precision."""
    return Noted.of(note("other-precision", level="warning", before=before, now=now))


class Stepper:
    """Takes the steps of a training; where memory runs out, fewer images at a time are held from then on.

    Args:
        network: has `features` of images and a `head` on them.
        optimizer: of its parameters; another may take its place between steps.
        images_at_once: whose activations are held, to begin with.
        is_divisible: whether parts of a batch give the same gradient as the whole.
        precision: what is computed in.
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
    ) -> tuple[Tensor, Tensor]:
        """One step along the gradient of a batch, shortened where it is longer; gives what `accumulate_gradients` does.

        Raises:
            OutOfMemory: the whole batch is needed and does not fit, or not even one image does.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss_and_logits = self._accumulate(loss_of, x, label, penalty_of)
        self.precision.step(self.optimizer, self._network, max_gradient_norm)
        return loss_and_logits

    def _accumulate(
        self, loss_of: ImageLoss, x: Tensor, label: Tensor, penalty_of: ClusterLoss | None
    ) -> tuple[Tensor, Tensor]:
        while True:
            at_once = min(self.images_at_once, len(label))
            try:
                return accumulate_gradients(self._network, loss_of, x, label, at_once, penalty_of, self.precision)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Out here the error is gone, and what was computed up to it with it.
            if not self._is_divisible or at_once == 1:
                raise out_of_memory(at_once)
            self.images_at_once = at_once // 2
            self.optimizer.zero_grad(set_to_none=True)
            self._emit(_fewer_at_once(self.images_at_once))


def accumulate_gradients(
    network: nn.Module,
    loss_of: ImageLoss,
    x: Tensor,
    label: Tensor,
    images_at_once: int,
    penalty_of: ClusterLoss | None = None,
    precision: Precision | None = None,
) -> tuple[Tensor, Tensor]:
    """Gradients of the batch's mean loss, some images at a time so that memory does not grow with the batch.

    Args:
        network: has `features` of images and a `head` on them.
        loss_of: summed over images.
        x: (B, C, H, W) in [0, 1].
        label: (B,) in [0, K).
        images_at_once: of which activations are held; all of them, where there is a penalty.
        penalty_of: what is added for the features of the batch.
        precision: what is computed in; None is float32.

    Returns:
        The mean loss with the penalty, and (B, K) logits, in float32.
    """
    precision = precision or Precision(x.device.type, torch.float32)
    total = loss_of.total_weight(label)
    loss, logits = torch.zeros((), device=x.device), []
    for start in range(0, len(label), images_at_once):
        rows = slice(start, start + images_at_once)
        with precision.forward():
            features: Tensor = network.features(x[rows])  # type: ignore[operator]  # a Network's method
        features = features.float()  # the head subtracts means that are large beside what differs
        part = network.head(features)  # type: ignore[operator]
        share = loss_of(part, label[rows]) / total
        if penalty_of is not None:
            share = share + penalty_of(features, label[rows])
        precision.backward(share)
        loss += share.detach()
        logits.append(part.detach())
    return loss, torch.cat(logits)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of PyTorch is about insufficient memory."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "alloc_failed" in text


def out_of_memory(n_images: int) -> OutOfMemory:
    """Return the error for a step whose images do not fit into memory."""
    smaller = n_images // 2
    remedies = (Set("batch_size", smaller),) if smaller else ()
    return OutOfMemory("step-out-of-memory", remedies=remedies, images_at_once=n_images)


def _fewer_at_once(n_images: int) -> Noted:
    return Noted.of(note("smaller-parts", level="warning", images_at_once=n_images))
