"""Steps in half precision, and where memory runs out; on the processor, which computes them as a GPU would."""

from pathlib import Path

import pytest
import torch
from test_training_finetuning import equal, images, recipe, tiny, trained
from torch import Tensor, nn

from coverslip.errors import OutOfMemory
from coverslip.events import EpochEnded, Event, Noted
from coverslip.losses.image_loss import ImageLoss
from coverslip.messages import Set
from coverslip.training.batches import TrainingImages
from coverslip.training.steps.taking import Precision, Steps, accumulate_gradients

__all__ = ["images"]  # a fixture

HALVES = (torch.bfloat16, torch.float16)


def batch(images: TrainingImages) -> tuple[Tensor, Tensor]:
    x = torch.from_numpy(images.pixels_of(list(range(12)))).permute(0, 3, 1, 2) / 255
    return x, torch.from_numpy(images.train_label[:12])


def gradients(network: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_gives_about_the_same_gradient_for_weights_that_stay_whole(
    images: TrainingImages, dtype: torch.dtype
) -> None:
    x, label = batch(images)
    whole, half, precision = tiny().eval(), tiny().eval(), Precision("cpu", dtype)
    loss, _ = accumulate_gradients(whole, ImageLoss("cross_entropy"), x, label, 12)
    close, logits = accumulate_gradients(half, ImageLoss("cross_entropy"), x, label, 5, precision=precision)
    factor = precision.loss_factor[0] if precision.loss_factor else 1.0
    assert (factor > 1.0) == (dtype is torch.float16)
    assert float(close) == pytest.approx(float(loss), rel=0.02)
    torch.testing.assert_close(gradients(half) / factor, gradients(whole), rtol=0.1, atol=0.01)
    assert not torch.equal(gradients(half) / factor, gradients(whole))
    assert {logits.dtype, *(p.dtype for p in half.parameters())} == {torch.float32}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALVES)
def test_training_in_half_precision_learns_and_goes_on_exactly(
    images: TrainingImages, tmp_path: Path, dtype: torch.dtype
) -> None:
    epochs: list[Event] = []
    whole, done = trained(images, tmp_path / "whole", recipe(), emit=epochs.append, precision=Precision("cpu", dtype))
    assert [event.val_accuracy for event in epochs if isinstance(event, EpochEnded)][-1] > 0.9
    assert done.precision == str(dtype).removeprefix("torch.")
    trained(images, tmp_path / "cut", recipe(), stop_after=13, precision=Precision("cpu", dtype))
    resumed, _ = trained(images, tmp_path / "cut", recipe(), precision=Precision("cpu", dtype))
    assert equal(resumed, whole)
    plain, done = trained(images, tmp_path / "plain", recipe())
    assert done.precision == "float32"
    assert not equal(plain, whole)


def test_a_gradient_that_overflows_takes_no_step_and_lowers_the_factor(images: TrainingImages) -> None:
    x, label = batch(images)
    network, precision = tiny(), Precision("cpu", torch.float16)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    steps = Steps(network, optimizer, 12, is_divisible=True, precision=precision, emit=lambda event: None)
    precision.go_on_with((2.0**30, 5))
    before = [p.detach().clone() for p in network.parameters()]
    steps.take(ImageLoss("cross_entropy"), x, label, longest_gradient=1.0)
    assert precision.loss_factor == (2.0**29, 0)
    assert all(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))
    precision.go_on_with((1024.0, 7))
    steps.take(ImageLoss("cross_entropy"), x, label, longest_gradient=1.0)
    assert precision.loss_factor == (1024.0, 8)
    assert not all(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))


class Large(nn.Module):
    """A network of which no more than so many images fit into memory."""

    def __init__(self, n_fit: int) -> None:
        super().__init__()
        self.inner, self.n_fit = tiny().eval(), n_fit

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x)
        if len(x) > self.n_fit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return logits


def test_where_memory_runs_out_fewer_images_are_held_and_the_step_is_the_same(images: TrainingImages) -> None:
    x, label = batch(images)
    events: list[Event] = []

    def after_two_steps(n_fit: int) -> list[Tensor]:
        network = Large(n_fit)
        optimizer, precision = torch.optim.SGD(network.parameters(), lr=0.1), Precision("cpu", torch.float32)
        steps = Steps(network, optimizer, 32, is_divisible=True, precision=precision, emit=events.append)
        for _ in range(2):
            steps.take(ImageLoss("cross_entropy"), x, label)
        return [p.detach() for p in network.parameters()]

    expected = after_two_steps(12)
    assert events == []
    for some, whole in zip(after_two_steps(4), expected, strict=True):
        torch.testing.assert_close(some, whole, rtol=1e-4, atol=1e-6)
    notes = [event for event in events if isinstance(event, Noted)]
    assert [(note.code, note.values) for note in notes] == [
        ("smaller-parts", {"images_at_once": 6}),
        ("smaller-parts", {"images_at_once": 3}),
    ]


@pytest.mark.parametrize(("is_divisible", "n_fit", "remedies"), [(False, 4, (Set("batch_size", 6),)), (True, 0, ())])
def test_what_cannot_be_divided_further_is_said(
    images: TrainingImages, is_divisible: bool, n_fit: int, remedies: tuple[Set, ...]
) -> None:
    x, label = batch(images)
    network = Large(n_fit)
    optimizer, precision = torch.optim.SGD(network.parameters(), lr=0.1), Precision("cpu", torch.float32)
    steps = Steps(network, optimizer, 12, is_divisible=is_divisible, precision=precision, emit=lambda event: None)
    with pytest.raises(OutOfMemory, match="ran out in a step") as caught:
        steps.take(ImageLoss("cross_entropy"), x, label)
    assert caught.value.remedies == remedies
