"""Vision transformers from files: DINOv2, DinoBloom and MorphEm as their authors hand them out."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from refusing import refusing
from torch import Tensor, nn

from coverslip.errors import BadRecipe, WeightsUnavailable
from coverslip.messages import ImportWeights, Set, ShowModels
from coverslip.models import model_info
from coverslip.models.architectures.channelwise_vit import ChannelwiseViT
from coverslip.models.building import build_body
from coverslip.models.importing import import_weights
from coverslip.models.networks import create_network
from coverslip.models.weights import weights_source
from coverslip.models.weights.files import read_checkpoint


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_WEIGHTS", str(tmp_path / "weights"))


def pixels(n: int, side: int, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0))


def randomized(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0.0, 0.05)
    return network.eval()


class Lone(nn.Module):
    """MorphEm's network, for one channel: PyTorch's own parts in place of timm's; names as in its file."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token, self.pos_embed = nn.Parameter(torch.zeros(1, 1, 384)), nn.Parameter(torch.zeros(1, 197, 384))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(1, 384, 16, 16)
        self.blocks = nn.ModuleList(nn.Module() for _ in range(12))
        for block in self.blocks:
            block.norm1, block.norm2 = nn.LayerNorm(384, eps=1e-6), nn.LayerNorm(384, eps=1e-6)
            block.attn, block.mlp = nn.Module(), nn.Module()
            block.attn.qkv, block.attn.proj = nn.Linear(384, 3 * 384), nn.Linear(384, 384)
            block.mlp.fc1, block.mlp.fc2 = nn.Linear(384, 4 * 384), nn.Linear(4 * 384, 384)
        self.norm = nn.LayerNorm(384, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.instance_norm(x, eps=1e-7)
        patches = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], 1) + self.pos_embed
        for block in self.blocks:
            q, k, v = block.attn.qkv(block.norm1(x)).unflatten(2, (3, 6, 64)).permute(2, 0, 3, 1, 4)
            attention = (q @ k.transpose(-2, -1) / 8).softmax(-1) @ v
            x = x + block.attn.proj(attention.transpose(1, 2).flatten(2))
            x = x + block.mlp.fc2(nn.functional.gelu(block.mlp.fc1(block.norm2(x))))
        tokens: Tensor = self.norm(x)[:, 0]
        return tokens


@pytest.mark.exhaustive
@pytest.mark.slow
def test_morphem_gives_every_channels_class_token_side_by_side(tmp_path: Path) -> None:
    torch.manual_seed(0)
    lone = randomized(Lone())
    safetensors.torch.save_file(lone.state_dict(), tmp_path / "model.safetensors")
    import_weights(tmp_path / "model.safetensors", "morphem_small", license="MIT")
    network = create_network("morphem_small", n_classes=3, head="native", channels=2).eval()
    x = pixels(1, 224, channels=2)
    with torch.no_grad():
        expected = torch.cat([lone(x[:, [channel]]) for channel in range(2)], dim=1)
        torch.testing.assert_close(network.features(x), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
        assert expected.std() > 0.01
    source = weights_source("morphem_small")
    assert source is not None
    assert source.license == "MIT"


@pytest.mark.exhaustive
def test_of_a_training_state_the_network_without_its_heads_is_read(tmp_path: Path) -> None:
    student = {"module.backbone.norm.weight": torch.ones(4), "module.head.mlp.0.weight": torch.zeros(4, 4)}
    student |= {"module.head.last_layer.weight_g": torch.ones(4)}
    torch.save({"student": student, "epoch": 3}, tmp_path / "checkpoint.pth")
    assert set(read_checkpoint(tmp_path / "checkpoint.pth")) == {"norm.weight"}
    torch.save({"backbone.norm.weight": torch.ones(4), "neck.weight": torch.ones(4)}, tmp_path / "other.pth")
    assert set(read_checkpoint(tmp_path / "other.pth")) == {"backbone.norm.weight", "neck.weight"}, "not ours to drop"


@pytest.mark.slow
@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.exhaustive), 4])
def test_a_network_for_any_channels_takes_them_with_either_head_and_other_sizes(channels: int) -> None:
    for head, n_features in (("native", 384), ("multi_layer", 4 * 2 * 384)):
        network = create_network(
            "morphem_small", n_classes=2, head=head, channels=channels, pretrained=False, image_size=64
        )
        x = pixels(2, 64, channels).requires_grad_()
        network.eval()(x)[:, 0].sum().backward()
        assert network.head.in_features == n_features * channels
        assert x.grad is not None
        assert (x.grad.abs().sum(dim=(0, 2, 3)) > 0).all(), "every channel counts"


@pytest.mark.slow
def test_channels_do_not_see_each_other_nor_their_brightness() -> None:
    torch.manual_seed(1)
    network, x = ChannelwiseViT(n_classes=0, channels=2).eval(), pixels(1, 32, 2)
    other = x.clone()
    other[:, 1] = 0.25 + 0.5 * other[:, 1].flip(-1)
    with torch.no_grad():
        first, second = network(x), network(other)
        brighter = network(0.3 + 0.6 * x)
    assert torch.equal(first[:, :384], second[:, :384])
    assert not torch.allclose(first[:, 384:], second[:, 384:], atol=1e-3)
    torch.testing.assert_close(brighter, first, rtol=1e-3, atol=1e-3)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_dinobloom_and_dinov2_stand_beside_each_other(tmp_path: Path) -> None:
    """DinoBloom as it is handed out: DINOv2's names, inside a teacher, at 224 px instead of timm's 518."""
    torch.manual_seed(2)
    network = build_body(model_info("dinobloom_small"), channels=3, pretrained=False, options={}, image_size=224)
    teacher = {f"backbone.{name}": tensor for name, tensor in randomized(network).state_dict().items()}
    teacher |= {"backbone.mask_token": torch.zeros(1, 384), "dino_head.mlp.0.weight": torch.zeros(4, 384)}
    teacher |= {"ibot_head.last_layer.weight_g": torch.ones(4, 1)}
    torch.save({"teacher": teacher}, tmp_path / "DinoBloom-S.pth")
    import_weights(tmp_path / "DinoBloom-S.pth", "dinobloom_small", license="Apache-2.0")
    assert weights_source("dinov2_small") is None
    ours = create_network("dinobloom_small", n_classes=2, head="native").eval()
    x = pixels(1, 224)
    with torch.no_grad():
        assert torch.equal(ours.features(x), network((x - ours.mean) / ours.std))


def test_nothing_is_fetched_for_a_network_whose_weights_the_user_has_to_bring() -> None:
    with refusing(WeightsUnavailable, "weights-not-imported", model="dinobloom_small") as error:
        create_network("dinobloom_small", n_classes=2)
    assert "zenodo.org" in error.value.parameters["weights_file"]
    assert ImportWeights("dinobloom_small") in error.value.remedies


@pytest.mark.parametrize(
    ("model", "side", "nearest"),
    [
        ("timm/vit_small_patch14_dinov2", 96, 98),
        ("dinov2_small", 92, 98),
        ("morphem_small", 100, 96),
        ("vit_small_patch16_224", 10, 16),
    ],
)
def test_an_image_size_that_patches_do_not_divide_is_refused_with_the_nearest(
    model: str, side: int, nearest: int
) -> None:
    """Else the network would leave out what remains at two borders."""
    with torch.device("meta"), refusing(BadRecipe, "image-size-no-multiple", side_px=side) as error:
        create_network(model, n_classes=2, pretrained=False, image_size=side)
    assert nearest in (error.value.parameters["smaller_px"], error.value.parameters["larger_px"])
    assert error.value.remedies == (Set("image_size", nearest),)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_weights_of_another_network_are_refused_with_the_name_of_that_network(tmp_path: Path) -> None:
    record = model_info("shufflenet_v2_x1_0")
    network = build_body(record, channels=3, pretrained=False, options={}, image_size=64)
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    with refusing(WeightsUnavailable, "weights-of-other-model", nearest="shufflenet_v2_x1_0") as error:
        import_weights(tmp_path / "mine.pth", "mobilevit_xxs")
    assert error.value.remedies == (ImportWeights("shufflenet_v2_x1_0"),)
    torch.save({"layer.weight": torch.zeros(5, 5), "layer.bias": torch.zeros(5)}, tmp_path / "odd.pth")
    with refusing(WeightsUnavailable, "weights-do-not-fit", model="mobilevit_xxs") as error:
        import_weights(tmp_path / "odd.pth", "mobilevit_xxs")
    assert error.value.remedies == (ShowModels(),)
