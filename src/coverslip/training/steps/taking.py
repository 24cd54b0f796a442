"""A step of a training: with as many images at a time as memory holds, in half precision where a GPU is quicker so."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from coverslip.errors import OutOfMemory
from coverslip.events import Emit, Noted
from coverslip.losses.cluster import ClusterLoss
from coverslip.losses.image_loss import ImageLoss
from coverslip.messages import Set


class Precision:
    """What the products of a step are computed in; weights, losses and the optimiser stay in float32.

    On a CUDA GPU that is bfloat16 where the GPU has it, else float16. The losses of the latter are multiplied by a
    factor that follows the gradients, lest small ones become zero (Micikevicius et al. 2018, Mixed precision training).

    Args:
        device: as PyTorch names it.
        dtype: float32, bfloat16 or float16; None takes what is quickest on the device.
    """

    def __init__(self, device: str, dtype: torch.dtype | None = None) -> None:
        self.device, self.dtype = device, dtype or _quickest(device)
        self._scaler = torch.amp.GradScaler(device, enabled=self.dtype is torch.float16)

    @property
    def name(self) -> str:
        """`float32`, `bfloat16` or `float16`."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def loss_factor(self) -> tuple[float, int] | None:
        """What losses are multiplied by and for how many steps it has held; None where they are not."""
        if not self._scaler.is_enabled():
            return None
        state = self._scaler.state_dict()
        return state["scale"], state["_growth_tracker"]

    def go_on_with(self, loss_factor: tuple[float, int] | None) -> None:
        """Go on from a `loss_factor` of before an interruption."""
        if loss_factor is not None and self._scaler.is_enabled():
            factor, n_steps = loss_factor
            self._scaler.load_state_dict(self._scaler.state_dict() | {"scale": factor, "_growth_tracker": n_steps})

    def forward(self) -> AbstractContextManager[object]:
        """Within it networks compute in this precision."""
        return nullcontext() if self.dtype is torch.float32 else torch.autocast(self.device, self.dtype)

    def backward(self, loss: Tensor) -> None:
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # PyTorch's

    def step(self, optimizer: torch.optim.Optimizer, network: nn.Module, longest_gradient: float | None) -> None:
        """Let the optimiser take its step, unless a gradient overflowed in float16: the factor is lowered then."""
        self._scaler.unscale_(optimizer)
        if longest_gradient is not None:
            nn.utils.clip_grad_norm_(network.parameters(), longest_gradient)
        self._scaler.step(optimizer)
        self._scaler.update()


def _quickest(device: str) -> torch.dtype:
    if device != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


class Steps:
    """Takes the steps of a training; where memory runs out, fewer images at a time are held from then on.

    Args:
        network: a `Network`, where there is a penalty on its features.
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
        self.optimizer, self.precision = optimizer, precision
        self._network, self._images_at_once, self._is_divisible = network, images_at_once, is_divisible
        self._emit = emit

    def take(
        self,
        loss_of: ImageLoss,
        x: Tensor,
        label: Tensor,
        *,
        penalty_of: ClusterLoss | None = None,
        longest_gradient: float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One step along the gradient of a batch, shortened where it is longer; gives what `accumulate_gradients` does.

        Raises:
            OutOfMemory: the whole batch is needed and does not fit, or not even one image does.
        """
        self.optimizer.zero_grad(set_to_none=True)
        seen = self._accumulated(loss_of, x, label, penalty_of)
        self.precision.step(self.optimizer, self._network, longest_gradient)
        return seen

    def _accumulated(
        self, loss_of: ImageLoss, x: Tensor, label: Tensor, penalty_of: ClusterLoss | None
    ) -> tuple[Tensor, Tensor]:
        while True:
            at_once = min(self._images_at_once, len(label))
            try:
                return accumulate_gradients(self._network, loss_of, x, label, at_once, penalty_of, self.precision)
            except torch.OutOfMemoryError:
                if not self._is_divisible or at_once == 1:
                    raise _too_large(at_once) from None
            self._images_at_once = at_once // 2
            self.optimizer.zero_grad(set_to_none=True)
            if x.device.type == "cuda":
                torch.cuda.empty_cache()  # of pieces that fitted the larger part
            self._emit(_fewer_at_once(self._images_at_once))


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
        network: a `Network`, where there is a penalty on its features.
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
        features = None
        with precision.forward():
            if penalty_of is None:
                part = network(x[rows])
            else:
                features = network.features(x[rows])  # type: ignore[operator]  # a Network's method
                part = network.head(features)  # type: ignore[operator]
        part = part.float()
        share = loss_of(part, label[rows]) / total
        if penalty_of is not None and features is not None:
            share = share + penalty_of(features.float(), label[rows])
        precision.backward(share)
        loss += share.detach()
        logits.append(part.detach())
    return loss, torch.cat(logits)


def _fewer_at_once(n: int) -> Noted:
    text = (
        f"The memory ran out in a step of training: the gradient of a batch is now added up from parts of {n} images. "
        "It is the same gradient, and takes a little longer."
    )
    return Noted(code="smaller-parts", text=text, level="warning", values={"images_at_once": n})


def _too_large(n: int) -> OutOfMemory:
    smaller = max(1, n // 2)
    return OutOfMemory(
        f"The memory ran out in a step of training with {n} images",
        do="Take smaller batches, smaller images or a smaller network, or close other programs.",
        remedies=(Set("batch_size", smaller),) if smaller < n else (),
        values={"images_at_once": n},
    )
