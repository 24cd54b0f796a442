"""The zoo: records are correct, and networks compute what they should."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from refusing import refusing
from torch import nn

from coverslip.errors import BadRecipe, UnknownModel, WeightsUnavailable
from coverslip.messages import Set
from coverslip.models import model_info, models_with_weights
from coverslip.models._libraries import import_timm, shapes_only
from coverslip.models.building import AveragedMaps
from coverslip.models.networks import Head, Network, create_network, freeze_to, train_mode

import_timm()
import torchvision  # noqa: E402  # after the preparation for a CPU build of PyTorch
from timm.layers import DropPath  # noqa: E402
from torchvision.ops import StochasticDepth  # noqa: E402

SHAPES = """
import sys
from coverslip.models import model_info
from coverslip.models.networks import cost_of_model
print(model_info("timm/test_efficientnet").parameters, cost_of_model("timm/test_efficientnet").parameters)
assert "torch._dynamo" not in sys.modules
import torch
print(torch.compile(torch.nn.BatchNorm1d(3), backend="eager")(torch.rand(4, 3)).shape)
"""


def pixels(n: int, channels: int = 3, side: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def lite0() -> Network:
    return create_network("efficientnet_lite0", n_classes=4).eval()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_torchvision_and_timm_import_beside_a_cpu_build_of_pytorch() -> None:
    code = "import coverslip.models._libraries, torchvision, timm; print(torchvision.models.alexnet.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "alexnet"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_network_is_counted_without_pytorchs_compiler_which_still_works_after() -> None:
    done = subprocess.run([sys.executable, "-c", SHAPES], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["356196 356196", "torch.Size([4, 3])"]


@pytest.mark.slow
@pytest.mark.parametrize("head", ["multi_layer", "native"])
@pytest.mark.parametrize(
    "name",
    [
        "efficientnet_lite0",
        *(pytest.param(n, marks=pytest.mark.exhaustive) for n in ("mobilenet_v3_large", "mobilevit_xxs", "resnet34")),
    ],
)
def test_every_parameter_learns_and_each_image_gets_its_own_logits(name: str, head: str) -> None:
    network = create_network(name, n_classes=3, head=head, pretrained=False)  # type: ignore[arg-type]  # parametrised
    x = pixels(2)
    network.train()(x).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(network(x)[1:], network(x[1:]), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(network(x), network.head(network.features(x)))


@pytest.mark.slow
def test_token_networks_are_pooled_over_their_tokens() -> None:
    network = create_network("vit_small_patch16_224", n_classes=3, pretrained=False)
    assert network.head.in_features == 12 * 2 * 384  # mean and sd of twelve blocks
    assert network(pixels(1, side=224)).shape == (1, 3)


def test_pooled_features_are_mean_and_sd_of_every_block(lite0: Network) -> None:
    seen: list[torch.Tensor] = []
    blocks = [m for name, m in lite0.named_modules() if name.removeprefix("backbone.body.") in ("bn1", "blocks.6.0")]
    hooks = [block.register_forward_hook(lambda _, __, out: seen.append(out)) for block in blocks]
    with torch.no_grad():
        features = lite0.features(pixels(2))
    for hook in hooks:
        hook.remove()
    stem, last = seen
    torch.testing.assert_close(features[:, :32], stem.mean((2, 3)))
    torch.testing.assert_close(features[:, 32:64], stem.var((2, 3), correction=0).add(1e-6).sqrt())
    torch.testing.assert_close(features[:, -640:-320], last.mean((2, 3)))


@pytest.mark.slow
def test_a_gray_image_and_its_color_copy_have_the_same_features(lite0: Network) -> None:
    gray = create_network("efficientnet_lite0", n_classes=4, channels=1).eval()
    x = pixels(2, channels=1)
    with torch.no_grad():
        torch.testing.assert_close(gray.features(x), lite0.features(x.repeat(1, 3, 1, 1)), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [2, 5])
def test_any_number_of_channels_is_taken(channels: int) -> None:
    network = create_network("efficientnet_lite0", n_classes=2, channels=channels).eval()
    assert network(pixels(1, channels=channels)).isfinite().all()


def test_packaged_weights_know_what_is_in_a_photograph() -> None:
    """Known answer of the whole mapping: a wrong key or padding still runs, but sees nothing."""
    import timm

    from coverslip.models.building import build_timm

    network = build_timm(model_info("efficientnet_lite0"), channels=3, pretrained=True, options={}).eval()
    assert timm.create_model("tf_efficientnet_lite0").state_dict().keys() == network.state_dict().keys()
    disc = torch.full((1, 3, 224, 224), -0.4)  # a bright ball on a dark ground
    rows, columns = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    disc[:, :, (rows - 112) ** 2 + (columns - 112) ** 2 < 70**2] = 0.8
    with torch.no_grad():
        probability = network(disc).softmax(dim=1)[0]
    top = probability.topk(5).indices.tolist()
    balls = {722, 852, 574, 429, 430, 768, 805, 890, 971, 549, 862, 650, 818, 470, 626}  # ping-pong, tennis, golf, ...
    assert balls & set(top), top


def test_an_unknown_model_names_the_nearest() -> None:
    with refusing(UnknownModel, "no-such-model", nearest="resnet50"):
        model_info("resnet-50")


def test_any_of_timms_models_is_reachable() -> None:
    assert model_info("timm/resnet18").parameters == 11_689_512
    network = create_network("timm/resnet10t", n_classes=2, pretrained=False)
    assert network(pixels(2)).shape == (2, 2)
    with refusing(UnknownModel, "unknown-timm-model", name="resnet_eighteen"):
        model_info("timm/resnet_eighteen")


def test_weights_that_cannot_be_had_name_those_available(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "https://localhost")  # where no hub answers
    with refusing(WeightsUnavailable, "train-without-these-weights") as error:
        create_network("resnet34", n_classes=2)
    assert "efficientnet_lite0" in error.value.parameters["models"]
    assert Set("init", "scratch") in error.value.remedies


def test_the_default_models_weights_are_available() -> None:
    assert "efficientnet_lite0" in models_with_weights()


def test_freezing_stops_at_the_boundary_and_keeps_frozen_batch_norms_still(lite0: Network) -> None:
    freeze_to(lite0, "blocks.4")
    frozen = [n for n, p in lite0.named_parameters() if not p.requires_grad]
    free = [n for n, p in lite0.named_parameters() if p.requires_grad]
    assert frozen[0].startswith("backbone.body.conv_stem")
    assert frozen[-1].startswith("backbone.body.blocks.4.")
    assert free[0].startswith("backbone.body.blocks.5.")
    assert free[-1] == "head.bias"
    before = {name: tensor.clone() for name, tensor in lite0.state_dict().items()}
    train_mode(lite0, keep_statistics=False)
    lite0(pixels(4))
    changed = [name for name, tensor in lite0.state_dict().items() if not torch.equal(tensor, before[name])]
    assert changed
    assert all(name.startswith(("backbone.body.blocks.5.", "backbone.body.blocks.6.")) for name in changed)
    lite0.load_state_dict(before)
    train_mode(lite0, keep_statistics=True)
    lite0(pixels(4))
    assert all(torch.equal(tensor, before[name]) for name, tensor in lite0.state_dict().items())
    freeze_to(lite0, None)
    assert all(p.requires_grad for p in lite0.parameters())
    lite0.eval()


def test_an_unknown_boundary_names_similar_parts(lite0: Network) -> None:
    # No such part; one without parameters; nothing like it; what only the code calls so; nothing at all.
    for boundary in ("block4", "blocks.1.0.bn1.act", "zzz", "body", ""):
        with refusing(BadRecipe, "unknown-network-part", name=boundary) as error:
            freeze_to(lite0, boundary)
        assert set(error.value.parameters["similar"].split(", ")) <= set(lite0.record.freeze_boundaries)
    assert all(p.requires_grad for p in lite0.parameters())


def test_options_that_the_architecture_does_not_take_are_refused() -> None:
    with refusing(BadRecipe, "model-option-not-accepted", option="wheels"):
        create_network("resnet34", n_classes=2, pretrained=False, options={"wheels": 4})


@pytest.mark.parametrize("head", ["multi_layer", "native"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("convnext_tiny", {"depths": [1, 2]}),
        ("resnet50", {"drop_rate": "abc"}),
        ("shufflenet_v2_x1_0", {"stages_repeats": [1]}),
    ],
)
def test_values_that_the_architecture_does_not_take_are_refused(name: str, options: dict[str, Any], head: str) -> None:
    with refusing(BadRecipe, "model-options-not-accepted", model=name):
        create_network(name, n_classes=2, head=head, pretrained=False, options=options)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_in_block"), [("efficientnet_b0", 1), ("convnext_tiny", 1), ("swin_t", 2)])
def test_stochastic_depth_is_that_of_torchvision(name: str, n_in_block: int) -> None:
    """timm's swin has a module for attention, and one for the perceptron."""
    options = model_info(name).dropout["torchvision"]
    with shapes_only():
        expected = torchvision.models.get_model(name)
        network = create_network(name, n_classes=2, head="native", pretrained=False, options=options)
    rates = [each.p for each in expected.modules() if isinstance(each, StochasticDepth) and each.p]
    actual = [each.drop_prob for each in network.modules() if isinstance(each, DropPath) and each.drop_prob]
    np.testing.assert_allclose(actual[::n_in_block], rates, rtol=1e-6)


@pytest.mark.parametrize("name", ["inception_v3", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "vgg16_bn"])
def test_dropout_is_that_of_torchvision(name: str) -> None:
    with shapes_only():
        network = torchvision.models.get_model(name)
    expected = {each.p for each in network.modules() if isinstance(each, nn.Dropout)}
    assert {model_info(name).dropout["torchvision"]["drop_rate"]} == expected


@pytest.mark.slow
def test_stochastic_depth_of_keras_is_in_fifteen_layers_five_of_them_trained() -> None:
    options = model_info("efficientnetv2_b0").dropout["keras"]
    with shapes_only():
        network = create_network("efficientnetv2_b0", n_classes=3, head="native", pretrained=False, options=options)
    stages = [list(stage) for stage in network.body.blocks]  # type: ignore[union-attr,arg-type]
    blocks = [block for stage in stages for block in stage]
    rates = {k: block.drop_path.drop_prob for k, block in enumerate(blocks) if block.has_skip}
    assert len(rates) == 15
    assert sum(block.has_skip for block in stages[5][3:]) == 5
    np.testing.assert_allclose([*rates.values()], [0.2 * k / len(blocks) for k in rates])


@pytest.mark.slow
def test_dropout_of_a_publication_acts_in_training_alone() -> None:
    options = model_info("mobilenet_v2").dropout["torchvision"]
    network = create_network("mobilenet_v2", n_classes=2, head="native", pretrained=False, options=options)
    train_mode(network, keep_statistics=True)
    first, second = (network(pixels(1)) for _ in range(2))
    assert not torch.equal(first, second)
    network.eval()
    assert torch.equal(network(pixels(1)), network(pixels(1)))


@pytest.mark.slow
def test_vgg_pools_large_images_as_torchvision_does() -> None:
    network = create_network("vgg16", n_classes=2, head="native", pretrained=False, image_size=256).eval()
    expected = torchvision.models.vgg16().eval()
    state = network.body.state_dict()
    for layer, name in (("pre_logits.fc1", "0"), ("pre_logits.fc2", "3")):
        state |= {f"classifier.{name}.{kind}": state.pop(f"{layer}.{kind}") for kind in ("weight", "bias")}
        state[f"classifier.{name}.weight"] = state[f"classifier.{name}.weight"].flatten(1)
    expected.classifier[6] = nn.Identity()
    expected.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(network.body(pixels(1, side=256)), expected(pixels(1, side=256)))


@pytest.mark.parametrize("sides", [(7, 7), (8, 8), (14, 21), (9, 12), (3, 7), (1, 5)])
def test_averaged_maps_equal_those_of_pytorch(sides: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *sides, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(AveragedMaps(7)(x), nn.AdaptiveAvgPool2d(7)(x))


@pytest.mark.slow
def test_where_the_options_fit_it_is_the_size_that_does_not() -> None:
    with refusing(BadRecipe, "image-size-not-accepted", side_px=16):
        create_network("convnext_tiny", n_classes=2, pretrained=False, options={"drop_rate": 0.1}, image_size=16)
    network = create_network(
        "vit_small_patch16_224", n_classes=2, pretrained=False, options={"depth": 2}, image_size=32
    )
    assert network(pixels(1, side=32)).shape == (1, 2)


@pytest.mark.slow
def test_options_leave_the_random_numbers_as_they_are() -> None:
    heads = []
    for options in ({}, {"drop_rate": 0.0}):
        torch.manual_seed(0)
        heads.append(create_network("resnet34", n_classes=2, pretrained=False, options=options).head.weight)
    assert torch.equal(*heads)


# tnt gives pairs, hrnet lists and names a part that it lacks, coat's stages are never called, none of twins' exist.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "tnt_s_patch16_224",
        *(
            pytest.param(name, marks=pytest.mark.exhaustive)
            for name in ("hrnet_w18_small", "coat_tiny", "twins_pcpvt_small")
        ),
    ],
)
def test_a_network_whose_stages_cannot_be_pooled_asks_for_its_own_head(name: str) -> None:
    record = model_info(f"timm/{name}")
    with shapes_only():
        with refusing(BadRecipe, "no-stage-maps") as error:
            create_network(f"timm/{name}", n_classes=2, pretrained=False)
        assert error.value.remedies == (Set("head", "native"),)
        network = create_network(f"timm/{name}", n_classes=2, head="native", pretrained=False)
    parts = dict(network.backbone.named_modules())
    assert set(record.freeze_boundaries.values()) <= set(parts)
    assert record.heatmap_layer in parts


@pytest.mark.parametrize("option", ["checkpoint_path", "pretrained", "in_chans"])
def test_options_that_would_read_files_or_undo_choices_are_refused(option: str) -> None:
    with refusing(BadRecipe, "reserved-model-option", option=option):
        create_network("resnet34", n_classes=2, pretrained=False, options={option: "stranger.pth"})


@pytest.mark.parametrize(
    ("name", "side", "code", "parameters", "better"),
    [
        ("vit_small_patch16_224", 8, "image-size-no-multiple", {"has_smaller": False, "larger_px": 16}, 16),
        ("vit_small_patch16_224", 40, "image-size-no-multiple", {"smaller_px": 32, "larger_px": 48}, 48),
        ("convnext_tiny", 16, "image-size-not-accepted", {"own_px": 224}, 224),
    ],
)
def test_a_size_that_the_network_cannot_take_is_refused_with_a_better_one(
    name: str, side: int, code: str, parameters: dict[str, object], better: int
) -> None:
    with refusing(BadRecipe, code, side_px=side, **parameters) as error:
        create_network(name, n_classes=2, pretrained=False, image_size=side)
    assert error.value.remedies == (Set("image_size", better),)


def test_a_network_can_be_built_where_gradients_are_off() -> None:
    with torch.no_grad():
        network = create_network("mobilevit_xxs", n_classes=2, pretrained=False, image_size=64)
    assert "backbone.body.final_conv.conv.weight" not in network.state_dict()


@pytest.mark.parametrize("head", ["multi_layer", "native"])
@pytest.mark.parametrize(("name", "pretrained"), [("efficientnet_lite0", True), ("timm/test_efficientnet", False)])
def test_a_network_that_is_built_again_is_the_same_and_its_own(name: str, pretrained: bool, head: Head) -> None:
    def built() -> tuple[Network, torch.Tensor]:
        torch.manual_seed(3)
        network = create_network(name, n_classes=2, head=head, pretrained=pretrained)
        return network.eval(), torch.rand(3)

    images = torch.rand(2, 3, 64, 64)
    first, drawn_after_first = built()
    expected = first(images)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(1)  # of no concern to those that come later
    second, drawn_after_second = built()
    assert torch.equal(second(images), expected)
    assert torch.equal(drawn_after_second, drawn_after_first)
    torch.manual_seed(4)
    other = create_network(name, n_classes=2, head=head, pretrained=pretrained).eval()
    assert not torch.equal(other.head.weight, second.head.weight)
    is_equal = all(
        torch.equal(a, b) for a, b in zip(other.backbone.parameters(), second.backbone.parameters(), strict=True)
    )
    assert is_equal == pretrained  # random ones go with the seed
