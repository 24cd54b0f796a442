"""Architectures written here: the sizes that papers and reference implementations give, and that all of it learns."""

import pytest
import torch
from torch import Tensor, nn

from coverslip.models.architectures.mobincep import Mobincep
from coverslip.models.architectures.nasnet_mobile import NASNetMobile

ARCHITECTURES = [Mobincep, NASNetMobile]
Architecture = type[Mobincep] | type[NASNetMobile]


def pixels(n: int, side: int, channels: int = 3) -> Tensor:
    return torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(5))


def n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def multiply_adds(network: nn.Module, x: Tensor) -> int:
    """Of the convolutions and the linear layer."""
    done = []

    def see(module: nn.Module, inputs: object, output: Tensor) -> None:
        done.append(output.numel() * module.weight[0].numel())  # type: ignore[index,operator,union-attr]

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(see)
    with torch.no_grad():
        network.eval()(x)
    return sum(done)


@pytest.mark.parametrize(("n_classes", "expected"), [(2, 4_319_842), (3, 4_320_867), (10, 4_328_042), (15, 4_333_167)])
def test_mobincep_has_the_papers_4_3_million_parameters(n_classes: int, expected: int) -> None:
    assert n_parameters(Mobincep(n_classes=n_classes)) == expected


def test_mobinceps_parts_share_its_parameters_as_designed() -> None:
    parts = {name: n_parameters(part) for name, part in Mobincep(n_classes=15).named_children()}
    assert parts == {"buffer": 928, "inception": 113_344, "stack": 4_203_520, "classifier": 15_375}


def test_mobinceps_multiply_adds_are_2_60_billion() -> None:
    assert round(multiply_adds(Mobincep(n_classes=2), pixels(1, 224)) / 1e7) == 260


def test_mobincep_starts_kaiming_uniform() -> None:
    torch.manual_seed(0)
    for module in Mobincep(n_classes=4).modules():
        if isinstance(module, nn.Conv2d):
            bound = (6 / module.weight[0].numel()) ** 0.5  # uniform within it, so that ReLUs keep the variance
            assert 0.9 * bound < float(module.weight.detach().abs().max()) <= bound
            assert module.bias is None


def test_nasnet_mobile_counts_as_kerass_does() -> None:
    """Keras' NASNetMobile: 5,326,716 of which 36,738 are not trained; 4,269,716 without the top."""
    network = NASNetMobile()
    statistics = sum(b.numel() for name, b in network.named_buffers() if "running" in name)
    assert (n_parameters(network), statistics) == (5_289_978, 36_738)
    assert len(list(network.parameters())) == 742  # tensors that Keras trains
    network.reset_classifier(0)
    assert n_parameters(network) + statistics == 4_269_716


def test_nasnet_mobile_needs_the_papers_564_million_multiply_adds() -> None:
    assert round(multiply_adds(NASNetMobile(), pixels(1, 224)) / 1e6) == 564


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("side", [33, 96, 160, 256])
def test_other_sizes_and_channels_are_taken(architecture: Architecture, side: int) -> None:
    network = architecture(n_classes=3, channels=2).eval()
    with torch.no_grad():
        logits = network(pixels(1, side, channels=2))
    assert logits.shape == (1, 3)
    assert logits.isfinite().all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_a_classifier_the_pooled_features_come_out(architecture: Architecture) -> None:
    network = architecture(n_classes=3).eval()
    classifier = network.classifier
    assert isinstance(classifier, nn.Linear)
    with torch.no_grad():
        logits = network(pixels(2, 64))
        network.reset_classifier(0)
        features = network(pixels(2, 64))
        torch.testing.assert_close(classifier(features), logits)
    network.reset_classifier(7)
    assert network(pixels(2, 64)).shape == (2, 7)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_learns_and_images_do_not_mix(architecture: Architecture) -> None:
    torch.manual_seed(0)
    network = architecture(n_classes=3)
    network.train()(pixels(4, 64)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(network(pixels(4, 64))[1:2], network(pixels(4, 64)[1:2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_seed_gives_one_network_and_another_seed_another(architecture: Architecture) -> None:
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(torch.cat([p.detach().flatten() for p in architecture(n_classes=3).parameters()]))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.exhaustive
def test_it_fits_a_few_images(architecture: Architecture) -> None:
    torch.manual_seed(0)
    network, x, label = architecture(n_classes=2).train(), pixels(8, 32), torch.arange(8) % 2
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x), label)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 < losses[0]
