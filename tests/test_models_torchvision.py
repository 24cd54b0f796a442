"""torchvision's architectures: weights from its cache fit exactly or are refused, first layers are adapted."""

import hashlib
from pathlib import Path

import pytest
import torch
from refusing import refusing
from torch import Tensor

from coverslip.errors import BadRecipe, WeightsUnavailable
from coverslip.models import model_info
from coverslip.models.building import _load_torchvision, adapt_channels, build_body
from coverslip.models.networks import create_network


def saved(state: dict[str, Tensor], folder: Path) -> Path:
    """A file named as PyTorch names its own: for the first digits of its hash."""
    torch.save(state, folder / "new.pth")
    digest = hashlib.sha256((folder / "new.pth").read_bytes()).hexdigest()
    return (folder / "new.pth").rename(folder / f"network-{digest[:8]}.pth")


@pytest.mark.slow
def test_published_googlenet_weights_fit_without_their_auxiliary_heads(tmp_path: Path) -> None:
    import torchvision  # only after coverslip's own module for it

    published = torchvision.models.googlenet(aux_logits=True, init_weights=False)
    record = model_info("googlenet")
    network = build_body(record, channels=3, pretrained=False, options={}, image_size=224)
    _load_torchvision(network, saved(published.state_dict(), tmp_path), record)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(network.eval()(x), published.eval()(x))


def test_googlenets_normalization_is_what_torchvision_does_inside() -> None:
    """Its `transform_input` turns pixels that were normalized by ImageNet's statistics into ones from -1 to 1."""
    import torchvision

    published = torchvision.models.googlenet(aux_logits=False, init_weights=False, transform_input=True)
    network = create_network("googlenet", n_classes=2, head="native", pretrained=False)
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    imagenet = (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    torch.testing.assert_close((x - network.mean) / network.std, published._transform_input(imagenet))


def test_a_damaged_file_in_torchvisions_cache_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "shufflenetv2_x1-5666bf0f80.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half a download")
    with refusing(WeightsUnavailable, "torchvision-weights-damaged"):
        create_network("shufflenet_v2_x1_0", n_classes=2)


def test_a_trained_first_layer_is_adapted_to_other_channels() -> None:
    layer = torch.nn.Conv2d(3, 4, 3)
    gray = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    color, filters = layer(gray.repeat(1, 3, 1, 1)), layer.weight.detach().clone()
    network = torch.nn.Sequential(layer)
    adapt_channels(network, 1, is_trained=True)
    torch.testing.assert_close(network(gray), color)
    layer.weight = torch.nn.Parameter(filters)
    adapt_channels(network, 5, is_trained=True)
    torch.testing.assert_close(layer.weight, filters[:, [0, 1, 2, 0, 1]] * 3 / 5)
    assert network(gray.repeat(1, 5, 1, 1)).shape == color.shape


@pytest.mark.slow
def test_options_are_torchvisions_own_and_no_others() -> None:
    network = build_body(model_info("alexnet"), channels=3, pretrained=False, options={"dropout": 0.1}, image_size=224)
    assert network.classifier[0].p == 0.1  # type: ignore[union-attr,index]  # untyped in torchvision
    for name, option, code in (
        ("alexnet", "wheels", "model-option-not-accepted"),
        ("alexnet", "weights", "reserved-model-option"),
        ("alexnet", "num_classes", "reserved-model-option"),
        ("googlenet", "aux_logits", "reserved-model-option"),
    ):
        with refusing(BadRecipe, code, option=option):
            create_network(name, n_classes=2, pretrained=False, options={option: 3})
