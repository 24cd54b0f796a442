"""What leaves the frozen part of a network is kept: the rest learns from it what it would from the images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training_finetuning import StopAfter, equal
from torch import nn

from coverslip.errors import BadRecipe, CoverslipError
from coverslip.events import Event, Noted, Progressed
from coverslip.messages import Set
from coverslip.models.freezing import freeze_to, train_mode
from coverslip.models.frozen_part import CannotSplit, FrozenPart
from coverslip.models.networks import Network, create_network
from coverslip.runs import Augment, Recipe, RunContext, with_settings
from coverslip.training import kept_activations
from coverslip.training.batches import KeptActivations, TrainingImages
from coverslip.training.finetuning import Finetuned, finetune

UNCHANGED = Augment(flip=False, rotate_degrees=0, zoom=0, shift=0, brightness=0, contrast=0)


def frozen(model: str, boundary: str, side: int = 64) -> Network:
    torch.manual_seed(0)
    network = create_network(model, n_classes=2, pretrained=False, image_size=side)
    network.to(memory_format=torch.channels_last)
    freeze_to(network, boundary)
    return network


def logits_and_gradients(network: Network, x: torch.Tensor) -> list[torch.Tensor]:
    network.zero_grad(set_to_none=True)
    logits = network(x)
    logits.square().sum().backward()
    return [logits.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "boundary"),
    [
        ("efficientnet_lite0", "blocks.3"),
        ("efficientnet_lite0", "backbone"),
        ("efficientnetv2_b0", "first_200_of_271"),  # the boundary is inside a block, which has a shortcut around it
        ("nasnet_mobile", "cells.8"),  # cells read the last two maps
        ("mobilevit_mn", "stages.2"),
        ("vit_small_patch16_224", "blocks.3"),  # tokens; what comes first is put together by no module
    ],
)
def test_the_rest_gives_the_logits_and_gradients_of_the_whole_network(model: str, boundary: str) -> None:
    network = frozen(model, boundary)
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last)
    train_mode(network, keep_statistics=True)
    modes = {module: module.training for module in network.modules()}
    part = FrozenPart(network, x)
    rows = part.leaving(x)
    assert modes == {module: module.training for module in network.modules()}
    network.eval()
    expected = logits_and_gradients(network, x)
    with part.replayed():
        replayed = logits_and_gradients(network, rows)
    for whole, rest in zip(expected, replayed, strict=True):
        torch.testing.assert_close(rest, whole)
    torch.testing.assert_close(logits_and_gradients(network, x), expected)  # afterwards it takes images again


class Reusing(nn.Module):
    """A network whose frozen part is used once more by the rest."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 4, 3, padding=1).requires_grad_(False)
        self.act = nn.ReLU()
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.backbone(x)

    def backbone(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.second(self.act(self.first(x)))).mean(dim=(2, 3))  # type: ignore[no-any-return]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))  # type: ignore[no-any-return]


def test_a_network_that_uses_a_frozen_module_again_is_not_taken_apart() -> None:
    with pytest.raises(CannotSplit):
        FrozenPart(Reusing(), torch.rand(2, 1, 8, 8))  # type: ignore[arg-type]  # all of a Network that it asks for


# Training


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    """Bright or dark noise: 40 to train on, 12 to validate on."""
    rng = np.random.default_rng(0)
    label = np.arange(52) % 2
    pixels = (rng.normal(90, 20, (52, 32, 32, 3)) + 60 * label[:, None, None, None]).clip(0, 255).astype(np.uint8)
    return TrainingImages(lambda p: pixels[list(p)], np.arange(40), label[:40], np.arange(40, 52), label[40:], 2)


def recipe(**changed: object) -> Recipe:
    own: dict[str, object] = {"init": "scratch", "batch_norm": "keep", "epochs": 3, "batch_size": 8, **changed}
    return Recipe(**{"freeze_to": "blocks.2", "frozen_variants": 2, **own})  # type: ignore[arg-type]  # keys of many kinds


def trained(
    images: TrainingImages,
    folder: Path,
    choices: Recipe,
    emit: Callable[[Event], None] = lambda _: None,
    stop_after: float = float("inf"),
) -> tuple[Network, Finetuned]:
    network = frozen("timm/test_efficientnet", "blocks.2", side=32)
    done = finetune(network, images, choices, RunContext(folder, emit=emit, stop=StopAfter(stop_after)))
    return network, done


@pytest.mark.slow
def test_without_random_changes_it_learns_what_it_would_from_the_images(images: TrainingImages, tmp_path: Path) -> None:
    events: list[Event] = []
    kept, _ = trained(images, tmp_path / "kept", recipe(augment=UNCHANGED), events.append)
    ordinary, _ = trained(images, tmp_path / "ordinary", recipe(augment=UNCHANGED, frozen_variants=None))
    for name, tensor in ordinary.state_dict().items():
        torch.testing.assert_close(kept.state_dict()[name], tensor, rtol=0.01, atol=2e-3)  # 16 bits, and Adam
    assert [e.done for e in events if isinstance(e, Progressed)] == [32, 40, 72, 80, 92]
    assert sorted(p.name for p in (tmp_path / "kept/checkpoints").iterdir()) == ["best.safetensors", "last.safetensors"]


@pytest.mark.slow
def test_stopped_and_resumed_it_ends_with_the_same_weights(images: TrainingImages, tmp_path: Path) -> None:
    whole, _ = trained(images, tmp_path / "whole", recipe())
    for stop_after in (2, 13):  # while variants are computed, and within the second epoch
        _, stopped = trained(images, tmp_path / "cut", recipe(), stop_after=stop_after)
        assert stopped.stopped_because == "on request"
    resumed, done = trained(images, tmp_path / "cut", recipe())
    assert done.epochs_run == 3
    assert equal(resumed, whole)


@pytest.mark.slow
def test_a_network_that_cannot_be_taken_apart_is_trained_as_ever_and_that_is_said(
    images: TrainingImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary, _ = trained(images, tmp_path / "ordinary", recipe(frozen_variants=None, epochs=1))
    monkeypatch.setattr(kept_activations, "_LARGEST_DIFFERENCE", {np.float16: -1.0})  # nothing is as equal as that
    events: list[Event] = []
    fallen_back, _ = trained(images, tmp_path / "back", recipe(epochs=1), events.append)
    assert [event.code for event in events if isinstance(event, Noted)] == ["frozen-part-not-kept"]
    assert equal(fallen_back, ordinary)


def test_too_small_a_disk_is_refused_with_the_number_that_fits(images: TrainingImages) -> None:
    with pytest.raises(CoverslipError, match="at most 2 variants") as refused:
        kept_activations._check_room((8 * 40 + 12, 1000), np.float16, images, free=210_000)
    assert refused.value.remedies == (Set("frozen_variants", 2),)
    kept_activations._check_room((8 * 40 + 12, 1000), np.float16, images, free=1_000_000)


def test_every_epoch_takes_another_variant_of_an_image_and_so_does_its_second_place() -> None:
    kept = KeptActivations(np.arange(3 * 4 + 2, dtype=np.float32)[:, None], n_variants=3, n_train=4)
    order = np.array([2, 0, 2, 3, 1, 2])
    seen = [
        torch.cat([x for x, _ in kept.training_batches(order, np.arange(4), batch_size=3, epoch=epoch, device="cpu")])
        for epoch in (1, 2)
    ]
    variant = [(rows.flatten().long() // 4).tolist() for rows in seen]
    assert variant == [[2, 0, 0, 0, 1, 1], [0, 1, 1, 1, 2, 2]]
    assert (seen[0].flatten().long() % 4).tolist() == order.tolist()
    assert torch.cat(list(kept.val_batches(batch_size=5, device="cpu"))).flatten().tolist() == [12.0, 13.0]


def test_variants_need_a_frozen_part() -> None:
    with pytest.raises(BadRecipe, match="frozen_variants = 4: it needs freeze_to"):
        with_settings(Recipe(), ["frozen_variants=4"])
    assert with_settings(Recipe(), ["frozen_variants=4", "freeze_to=blocks.2"]).frozen_variants == 4
