"""Stepper in half precision, and where memory runs out; on the processor, which computes them as a GPU would."""

import weakref
from pathlib import Path

import pytest
import torch
from parameters import only_first
from test_training_finetuning import Small, StopAfter, equal, images, recipe, tiny, trained
from torch import Tensor, nn

from coverslip.errors import OutOfMemory
from coverslip.events import EpochEnded, Event, Noted
from coverslip.losses.functions import ImageLoss
from coverslip.messages import Set
from coverslip.models.networks import MultiLayerPooling
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import Recipe
from coverslip.training.batches import selecting_logits
from coverslip.training.finetuning import finetune
from coverslip.training.step import Precision, Stepper, accumulate_gradients
from coverslip.training.task import TrainingImages

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
    loss = accumulate_gradients(whole, ImageLoss("cross_entropy"), x, label, 12).loss
    result = accumulate_gradients(half, ImageLoss("cross_entropy"), x, label, 5, precision=precision)
    factor = precision.loss_scale[0] if precision.loss_scale else 1.0
    assert (factor > 1.0) == (dtype is torch.float16)
    assert float(result.loss) == pytest.approx(float(loss), rel=0.02)
    torch.testing.assert_close(gradients(half) / factor, gradients(whole), rtol=0.1, atol=0.01)
    assert not torch.equal(gradients(half) / factor, gradients(whole))
    assert {result.logits.dtype, *(p.dtype for p in half.parameters())} == {torch.float32}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", only_first(1, HALVES))
def test_training_in_half_precision_learns_and_resumes_exactly(
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
    stepper = Stepper(network, optimizer, 12, is_divisible=True, precision=precision, emit=lambda event: None)
    precision.restore((2.0**30, 5))
    before = [p.detach().clone() for p in network.parameters()]
    stepper.step(ImageLoss("cross_entropy"), x, label, max_gradient_norm=1.0)
    assert precision.loss_scale == (2.0**29, 0)
    assert all(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))
    precision.restore((1024.0, 7))
    stepper.step(ImageLoss("cross_entropy"), x, label, max_gradient_norm=1.0)
    assert precision.loss_scale == (1024.0, 8)
    assert not all(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))


class Large(Small):
    """A network of which no more than so many images fit into memory."""

    def __init__(self, n_fit: int) -> None:
        whole = tiny().eval()
        super().__init__(whole.backbone, 6)
        self.head, self.n_fit = whole.head, n_fit

    def features(self, x: Tensor) -> Tensor:
        if len(x) > self.n_fit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().features(x)


def test_validation_uses_smaller_batches_if_memory_is_insufficient(images: TrainingImages) -> None:
    recipe = Recipe(batch_size=12)
    expected = selecting_logits(Large(12), images, recipe, "cpu")
    torch.testing.assert_close(selecting_logits(Large(2), images, recipe, "cpu"), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(torch.OutOfMemoryError):
        selecting_logits(Large(0), images, recipe, "cpu")
    copied = recipe.model_copy(update={"validation_copies": 2})
    expected = selecting_logits(Large(12), images, copied, "cpu")  # the copies are the same, too
    torch.testing.assert_close(selecting_logits(Large(2), images, copied, "cpu"), expected, rtol=1e-4, atol=1e-6)


def test_where_memory_runs_out_fewer_images_are_held_and_the_step_is_the_same(images: TrainingImages) -> None:
    x, label = batch(images)
    events: list[Event] = []

    def after_two_steps(n_fit: int) -> list[Tensor]:
        network = Large(n_fit)
        optimizer, precision = torch.optim.SGD(network.parameters(), lr=0.1), Precision("cpu")
        stepper = Stepper(network, optimizer, 32, is_divisible=True, precision=precision, emit=events.append)
        for _ in range(2):
            stepper.step(ImageLoss("cross_entropy"), x, label)
        return [p.detach() for p in network.parameters()]

    expected = after_two_steps(12)
    assert events == []
    for some, whole in zip(after_two_steps(4), expected, strict=True):
        torch.testing.assert_close(some, whole, rtol=1e-4, atol=1e-6)
    notes = [event for event in events if isinstance(event, Noted)]
    assert [(note.code, note.parameters) for note in notes] == [
        ("smaller-parts", {"images_at_once": 6}),
        ("smaller-parts", {"images_at_once": 3}),
    ]


@pytest.mark.parametrize(("is_divisible", "n_fit", "remedies"), [(False, 4, (Set("batch_size", 6),)), (True, 0, ())])
def test_what_cannot_be_divided_further_is_said(
    images: TrainingImages, is_divisible: bool, n_fit: int, remedies: tuple[Set, ...]
) -> None:
    x, label = batch(images)
    network = Large(n_fit)
    optimizer, precision = torch.optim.SGD(network.parameters(), lr=0.1), Precision("cpu")
    stepper = Stepper(network, optimizer, 12, is_divisible=is_divisible, precision=precision, emit=lambda event: None)
    with pytest.raises(OutOfMemory) as caught:
        stepper.step(ImageLoss("cross_entropy"), x, label)
    assert caught.value.code == "step-out-of-memory"
    assert caught.value.remedies == remedies


@pytest.mark.slow
def test_after_memory_ran_out_a_stopped_training_resumes_exactly(images: TrainingImages, tmp_path: Path) -> None:
    choices, events = recipe(init="imagenet", head_init="random"), list[Event]()

    def fitted(folder: str, stop_after: float = float("inf")) -> nn.Module:
        network = Large(3)
        context = RunContext(tmp_path / folder, emit=events.append, stop=StopAfter(stop_after))
        finetune(network, images, choices, context)  # type: ignore[arg-type]  # a small network
        return network

    whole = fitted("whole")
    fitted("cut", stop_after=9)
    n_notes = len([event for event in events if isinstance(event, Noted)])
    assert equal(fitted("cut"), whole)
    assert len([event for event in events if isinstance(event, Noted)]) == n_notes  # it is known already


class Unmovable(Large):
    """A network whose weights do not fit into the memory of a device."""

    def to(self, *arguments: object, **options: object) -> "Unmovable":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def test_a_network_that_does_not_fit_into_memory_is_reported(images: TrainingImages, tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory) as refused:
        finetune(Unmovable(12), images, recipe(), RunContext(tmp_path))  # type: ignore[arg-type]  # a small network
    assert refused.value.code == "step-out-of-memory"


def test_resuming_with_another_gpu_is_reported(images: TrainingImages, tmp_path: Path) -> None:
    events: list[Event] = []
    trained(images, tmp_path, recipe(), stop_after=13, precision=Precision("cpu", torch.bfloat16))
    trained(images, tmp_path, recipe(), emit=events.append)
    (note,) = [event for event in events if isinstance(event, Noted)]
    assert (note.code, note.parameters) == ("other-precision", {"before": "bfloat16", "now": "float32"})


class Full(nn.Module):
    """The last layer of a backbone, for which there is no memory left."""

    def forward(self, x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_what_was_computed_up_to_the_end_of_memory_is_let_go_of(images: TrainingImages) -> None:
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), Full())
    computed: list[weakref.ref[Tensor]] = []
    body[1].register_forward_hook(lambda module, inputs, output: computed.append(weakref.ref(output)))
    network = Small(MultiLayerPooling(body, ["0", "1"]), 16)
    precision, optimizer = Precision("cpu", torch.float32), torch.optim.SGD(network.parameters(), lr=0.1)
    still_there: list[bool] = []

    def note(event: Event) -> None:
        still_there.append(any(output() is not None for output in computed))

    stepper = Stepper(network, optimizer, 4, is_divisible=True, precision=precision, emit=note)
    with pytest.raises(OutOfMemory) as refused:
        stepper.step(ImageLoss("cross_entropy"), *batch(images))
    assert refused.value.code == "step-out-of-memory"
    assert refused.value.parameters["images_at_once"] == 1
    assert still_there == [False, False]
    assert len(computed) == 3
