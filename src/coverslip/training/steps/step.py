"""A step of a training: with as many images at a time as memory holds, in mixed precision where a GPU is quicker so."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

from coverslip.datasets import counted
from coverslip.errors import OutOfMemory
from coverslip.events import Emit, Noted
from coverslip.losses.cluster import ClusterLoss
from coverslip.losses.image_loss import ImageLoss
from coverslip.messages import Set

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
    """What the backbone computes in during a step; weights, head, losses and the optimiser stay in float32.

    On a CUDA GPU that is bfloat16 where the GPU has it, else float16. The losses of the latter are multiplied by a
    scale that follows the gradients, lest small ones become zero (Micikevicius et al. 2018, Mixed precision training).

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
        """Let the optimiser take its step, unless a gradient overflowed in float16: the scale is lowered then."""
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
    """What to tell where training goes on in another precision."""
    text = (
        f"Training went on in {now}, after epochs in {before}: this GPU is of another kind. The result is not exactly "
        "that of a training without an interruption."
    )
    return Noted(code="other-precision", text=text, level="warning", values={"before": before, "now": now})


class Stepper:
    """Takes the steps of a training; where memory runs out, fewer images at a time are held from then on.

    Args:
        network: has `features` of images and a `head` on them.
        optimizer: of its parameters; another may take its place between steps.
        images_at_once: whose activations are held, to begin with.
        is_divisible: whether parts of a batch give the same gradient as the whole.
        precision: what is computed in.
        emit: told where memory ran out.
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
    """Whether an error of PyTorch's tells of a GPU's memory."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "alloc_failed" in text


def out_of_memory(n_images: int) -> OutOfMemory:
    """What to tell where a step with so many images does not fit."""
    smaller = n_images // 2
    batches = "smaller batches, " if smaller else ""
    return OutOfMemory(
        f"The memory ran out in a step of training with {counted(n_images, 'image')}",
        do=f"Take {batches}smaller images or a smaller network, or close other programs.",
        remedies=(Set("batch_size", smaller),) if smaller else (),
        values={"images_at_once": n_images},
    )


def _fewer_at_once(n_images: int) -> Noted:
    text = (
        "The memory ran out in a step of training: the gradient of a batch is now added up from parts of "
        f"{counted(n_images, 'image')}. It is the same but for rounding, and takes a little longer."
    )
    return Noted(code="smaller-parts", text=text, level="warning", values={"images_at_once": n_images})
