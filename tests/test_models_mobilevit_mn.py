"""MobileViT-MN: the paper's sizes, MobileViT-XXS to the last bit, and weights that move in."""

from collections import Counter
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from parameters import only_first
from refusing import refusing
from torch import nn

import coverslip.models._libraries  # noqa: F401 - before timm
from coverslip.errors import BadRecipe, WeightsUnavailable
from coverslip.models._libraries import shapes_only
from coverslip.models.architectures.mobilevit_mn import (
    MobileViTMN,
    NormalizationAttention,
    Separable,
    SqueezeExcite,
    nearest_separable,
    transfer_mobilevit,
)

Options = dict[str, Any]
PLAIN: Options = {"dsc": False, "mv2_attention": "none", "mobilevit_attention": "none"}


def variant(dsc: bool, mv2: str, mobilevit: str, placement: str = "counts", **more: object) -> Options:
    return {"dsc": dsc, "mv2_attention": mv2, "mobilevit_attention": mobilevit, "placement": placement, **more}


def build(**options: Any) -> MobileViTMN:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MobileViTMN(**options)


def on_paper(**options: Any) -> MobileViTMN:
    with shapes_only():
        return MobileViTMN(**options)


def n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def twice_conv_and_linear_weights(network: nn.Module) -> int:
    return sum(2 * m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))


def pixels(n: int, side: int = 64, channels: int = 3) -> torch.Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def xxs() -> nn.Module:
    """timm's MobileViT-XXS with batch norms that have seen images, so that a norm in the wrong place shows."""
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(2)
        network: nn.Module = timm.create_model("mobilevit_xxs")
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(3)))
        for p in network.parameters():  # the fresh classifier is all but zero
            if p.shape == (1000, 320):
                p.mul_(10)
    return network.eval()


# Table 2 of the paper: its two columns of sizes.
TABLE_2 = {
    "MobileViT": (variant(False, "none", "none"), 1_272_024, 2_516_672),
    "Model_DSC": (variant(True, "none", "none"), 970_008, 1_912_640),
    "MV2_SE": (variant(True, "se", "none"), 1_077_880, 2_128_384),
    "MV2_NAM": (variant(True, "nam", "none"), 973_832, 1_912_640),
    "Mb_SE": (variant(False, "none", "se"), 1_377_080, 2_726_784),
    "Mb_NAM": (variant(False, "none", "nam"), 1_272_408, 2_516_672),
    "MV2_SE_Mb_NAM": (variant(False, "se", "nam"), 1_373_880, 2_719_616),
    "MV2_NAM_Mb_SE": (variant(False, "nam", "se"), 1_377_336, 2_726_784),
    # The paper prints the size of MV2_SE and MV2_NAM for these, which other depths cannot have.
    "MV2_SE_Mb_tr1": (variant(True, "se", "none", depths=(1, 1, 1)), 738_600, 1_460_736),
    "MV2_SE_Mb_tr3": (variant(True, "se", "none", depths=(3, 3, 3)), 1_059_272, 2_091_520),
    "MV2_NAM_Mb_tr1": (variant(True, "nam", "none", depths=(1, 1, 1)), 634_552, 1_244_992),
    "MV2_NAM_Mb_tr3": (variant(True, "nam", "none", depths=(3, 3, 3)), 955_224, 1_875_776),
}


@pytest.mark.parametrize("row", TABLE_2)
def test_every_row_of_table_2_has_its_parameters_and_its_flops(row: str) -> None:
    options, parameters, flops = TABLE_2[row]
    network = on_paper(**options)
    assert n_parameters(network) == parameters
    assert twice_conv_and_linear_weights(network) == flops


@pytest.mark.parametrize(
    ("options", "with_1000", "with_2"),
    [
        (variant(False, "none", "none", "text"), 1_272_024, 951_666),
        (variant(True, "none", "none", "text"), 970_008, 649_650),
        (variant(True, "se", "none", "text"), 987_288, 666_930),
        (variant(True, "none", "nam", "text"), 970_392, 650_034),
        (variant(True, "se", "nam", "text"), 987_672, 667_314),
        (variant(True, "se", "nam", "counts"), 1_071_864, 751_506),
    ],
)
def test_table_3s_networks_have_the_sizes_of_either_placement(options: Options, with_1000: int, with_2: int) -> None:
    assert n_parameters(on_paper(**options)) == with_1000
    assert n_parameters(on_paper(**options, n_classes=2)) == with_2


def test_without_options_it_is_the_network_that_the_text_proposes() -> None:
    assert n_parameters(on_paper()) == n_parameters(on_paper(**variant(True, "se", "nam", "text")))
    network = on_paper()
    widths = [m.excite.out_features for m in network.modules() if isinstance(m, SqueezeExcite)]
    assert widths == [32, 32, 48, 48, 48, 96, 128]  # every depthwise convolution
    widths = [m.bn.num_features for m in network.modules() if isinstance(m, NormalizationAttention)]
    assert widths == [48, 64, 80]  # every local convolution
    assert sum(isinstance(m, Separable) for m in network.modules()) == 6


@pytest.mark.parametrize(
    ("mv2", "mobilevit", "n_se", "n_nam"),
    [("se", "none", 31, 0), ("none", "se", 28, 0), ("none", "nam", 0, 3), ("se", "nam", 28, 3), ("nam", "se", 28, 3)],
)
def test_the_counts_rule_puts_attention_behind_so_many_convolutions(
    mv2: str, mobilevit: str, n_se: int, n_nam: int
) -> None:
    kinds = Counter(type(m) for m in on_paper(**variant(True, mv2, mobilevit)).modules())
    assert (kinds[SqueezeExcite], kinds[NormalizationAttention]) == (n_se, n_nam)


@pytest.mark.parametrize("side", [64, 224, 240, 250, 256])
def test_with_everything_off_it_is_timms_mobilevit_xxs_to_the_last_bit(xxs: nn.Module, side: int) -> None:
    network = MobileViTMN(**PLAIN).eval()
    assert len(xxs.state_dict()) == 311
    network.load_state_dict(xxs.state_dict(), strict=True)
    with torch.no_grad():
        expected = xxs(pixels(2, side))
        assert expected.std() > 0.1
        assert torch.equal(network(pixels(2, side)), expected)


def test_random_weights_are_as_large_as_timms(xxs: nn.Module) -> None:
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = timm.create_model("mobilevit_xxs").state_dict()
    ours = build(**PLAIN).state_dict()
    for name, tensor in theirs.items():
        if tensor.numel() > 2000:
            assert ours[name].std() / tensor.std() == pytest.approx(1, abs=0.1), name
        elif tensor.is_floating_point() and tensor.std() == 0:
            assert torch.equal(ours[name], tensor), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("neutral_start", "dsc"), [(False, True), pytest.param(True, False, marks=pytest.mark.exhaustive)]
)
@pytest.mark.parametrize("placement", ["text", "counts"])
@pytest.mark.parametrize(("mv2", "mobilevit"), only_first(2, list(product(("none", "se", "nam"), repeat=2))))
def test_every_parameter_of_every_variant_learns(
    mv2: str, mobilevit: str, placement: str, neutral_start: bool, dsc: bool
) -> None:
    network = build(**variant(dsc, mv2, mobilevit, placement, neutral_start=neutral_start, n_classes=3)).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    # What starts at zero lets nothing through until it has moved: the end of a residual block, then in it W2 of an SE.
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(network(pixels(4)), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(p.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("side", [32, 50, 224])
def test_other_sizes_and_numbers_of_channels_give_each_image_its_own_logits(channels: int, side: int) -> None:
    network = build(channels=channels, n_classes=4).eval()
    x = pixels(2, side, channels)
    with torch.no_grad():
        logits = network(x)
        torch.testing.assert_close(logits[1:], network(x[1:]), rtol=1e-3, atol=1e-6)
    assert logits.shape == (2, 4)
    assert not torch.equal(logits[0], logits[1])


def test_without_a_classifier_it_gives_what_the_classifier_reads() -> None:
    network = build(n_classes=5).eval()
    x = pixels(2)
    with torch.no_grad():
        logits = network(x)
        head = network.head.fc
        network.reset_classifier(0)
        features = network(x)
        assert features.shape == (2, 320)
        torch.testing.assert_close(head(features), logits)
    assert "head.fc.weight" not in network.state_dict()
    network.reset_classifier(7)
    assert network(x).shape == (2, 7)
    assert build(n_classes=0)(x).shape == (2, 320)


# --- attention itself


def test_se_is_the_two_layer_gate_of_equations_1_and_2() -> None:
    se = SqueezeExcite(8, neutral_start=False)
    x = torch.randn(2, 8, 3, 5)
    squeezed = x.mean((2, 3)) @ se.squeeze.weight.T
    gate = torch.sigmoid((squeezed * torch.sigmoid(squeezed)) @ se.excite.weight.T)
    torch.testing.assert_close(se(x), x * gate[:, :, None, None])
    assert n_parameters(se) == 8 * 8 // 2


def test_nam_weighs_pixels_by_share_of_scale_times_normalized_value() -> None:
    nam = NormalizationAttention(3, neutral_start=False).train()
    with torch.no_grad():
        nam.bn.weight.copy_(torch.tensor([1.0, -2.0, 5.0]))
        nam.bn.bias.copy_(torch.tensor([0.5, 0.0, -0.5]))
    x = torch.randn(4, 3, 6, 6)
    normal = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    scaled = normal * nam.bn.weight[:, None, None] + nam.bn.bias[:, None, None]
    share = torch.tensor([1 / 8, 2 / 8, 5 / 8])[:, None, None]
    torch.testing.assert_close(nam(x), x * torch.sigmoid(share * scaled))
    assert n_parameters(nam) == 6


# --- weights of MobileViT-XXS


@pytest.mark.parametrize("placement", ["text", "counts"])
def test_neutral_se_leaves_the_pretrained_logits_as_they_were(xxs: nn.Module, placement: str) -> None:
    network = MobileViTMN(**variant(False, "se", "se", placement, neutral_start=True)).eval()
    left = transfer_mobilevit(network, xxs.state_dict())
    assert {name.rsplit(".", 2)[1] for name in left} == {"squeeze", "excite"}
    with torch.no_grad():
        assert torch.equal(network(pixels(2)), xxs(pixels(2)))


@pytest.mark.slow
def test_neutral_nam_all_but_leaves_them_and_the_published_form_less(xxs: nn.Module) -> None:
    """The published form halves what goes through it."""

    def distance(neutral_start: bool) -> float:
        network = MobileViTMN(**variant(False, "none", "nam", "text", neutral_start=neutral_start)).eval()
        transfer_mobilevit(network, xxs.state_dict())
        with torch.no_grad():
            expected = xxs(pixels(2))
            return float((network(pixels(2)) - expected).abs().max() / expected.std())

    assert 0 < distance(True) < 0.05
    assert distance(False) > 3 * distance(True)


@pytest.mark.slow
def test_what_has_no_counterpart_is_named_and_keeps_its_start(xxs: nn.Module) -> None:
    network = build(n_classes=2, depths=(3, 1, 3))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    left = transfer_mobilevit(network, xxs.state_dict())
    kinds = Counter("attention" if ".attention." in n else ".".join(n.split(".")[:5]) for n in left)
    nam_tensors = 5  # scale, shift, two statistics and their count
    assert kinds == {
        "attention": 7 * 2 + 3 * nam_tensors,
        "stages.2.1.transformer.2": 12,  # mobilevit_xxs has two encoders there
        "head.fc.weight": 1,
        "head.fc.bias": 1,
    }
    after = network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in left)
    copied = [name for name in after if name not in left and name in xxs.state_dict()]
    assert all(torch.equal(after[name], xxs.state_dict()[name]) for name in copied)
    assert len(copied) == len(after) - len(left) - 6 * 2  # the separable pairs


def test_the_head_moves_too_where_the_classes_are_as_many(xxs: nn.Module) -> None:
    network = MobileViTMN(**PLAIN)
    assert transfer_mobilevit(network, xxs.state_dict()) == []


def test_dense_convolutions_become_their_nearest_separable_pairs(xxs: nn.Module) -> None:
    network = MobileViTMN(**variant(True, "none", "none"))
    assert transfer_mobilevit(network, xxs.state_dict()) == []
    for part in ("stages.2.1.conv_kxk.conv", "stages.4.1.conv_fusion.conv"):
        pair, dense = network.get_submodule(part), xxs.get_submodule(part).weight
        assert isinstance(pair, Separable)
        product = torch.einsum("oi,ihw->oihw", pair.pointwise.weight[:, :, 0, 0], pair.depthwise.weight[:, 0])
        x = pixels(1, 8, dense.shape[1])
        with torch.no_grad():
            torch.testing.assert_close(pair(x), F.conv2d(x, product, padding=1), rtol=1e-4, atol=1e-5)
        # What rank 1 leaves over is all singular values but the first (Eckart & Young).
        values = torch.linalg.svdvals(dense.detach().transpose(0, 1).flatten(2))
        torch.testing.assert_close((dense - product).square().sum((0, 2, 3)), values[:, 1:].square().sum(1))


def random_kernel(n_out: int, n_in: int, seed: int) -> torch.Tensor:
    return torch.randn(n_out, n_in, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distance_of(pair: tuple[torch.Tensor, torch.Tensor], dense: torch.Tensor) -> float:
    return float((pair[0].transpose(0, 1) * pair[1] - dense).square().sum())


@settings(max_examples=25)
@given(n_out=st.integers(1, 12), n_in=st.integers(1, 6), seed=st.integers(0, 2**31), step=st.floats(1e-3, 3))
def test_no_other_separable_pair_is_nearer(n_out: int, n_in: int, seed: int, step: float) -> None:
    dense = random_kernel(n_out, n_in, seed)
    depthwise, pointwise = nearest_separable(dense)
    assert depthwise.shape == (n_in, 1, 3, 3)
    assert pointwise.shape == (n_out, n_in, 1, 1)
    least = distance_of((depthwise, pointwise), dense)
    values = torch.linalg.svdvals(dense.transpose(0, 1).reshape(n_in, n_out, 9))
    assert least == pytest.approx(float(values[:, 1:].square().sum()), abs=1e-9)
    moved = depthwise + step * random_kernel(n_in, 1, seed + 1)
    # the best pointwise there is for the moved depthwise, by least squares for each input channel
    fitted = torch.einsum("oihw,ihw->oi", dense, moved[:, 0]) / moved.square().sum((1, 2, 3))
    assert distance_of((moved, fitted[:, :, None, None]), dense) >= least - 1e-9


@settings(max_examples=15)
@given(n_out=st.integers(1, 8), n_in=st.integers(1, 8), seed=st.integers(0, 2**31))
def test_a_dense_kernel_that_is_separable_is_met_exactly(n_out: int, n_in: int, seed: int) -> None:
    dense = random_kernel(n_in, 1, seed).transpose(0, 1) * random_kernel(n_out, n_in, seed + 1)[:, :, :1, :1]
    assert distance_of(nearest_separable(dense), dense) < 1e-18


def test_a_gray_image_and_its_color_copy_have_the_same_logits_after_transfer(xxs: nn.Module) -> None:
    gray = MobileViTMN(**PLAIN, channels=1).eval()
    assert transfer_mobilevit(gray, xxs.state_dict()) == []
    x = pixels(2, channels=1)
    with torch.no_grad():
        torch.testing.assert_close(gray(x), xxs(x.repeat(1, 3, 1, 1)), rtol=1e-3, atol=1e-4)


def test_five_channels_get_the_three_filters_in_turn_at_the_same_sum(xxs: nn.Module) -> None:
    network = MobileViTMN(**PLAIN, channels=5)
    assert transfer_mobilevit(network, xxs.state_dict()) == []
    filters = xxs.get_submodule("stem.conv").weight
    torch.testing.assert_close(network.get_submodule("stem.conv").weight, filters[:, [0, 1, 2, 0, 1]] * 3 / 5)


def test_weights_of_another_network_are_refused_and_change_nothing() -> None:
    import timm

    network = build()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for name in ("mobilevit_xs", "resnet10t"):
        with refusing(WeightsUnavailable, "no-mobilevit-xxs-weights"):
            transfer_mobilevit(network, timm.create_model(name).state_dict())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


# --- options


@pytest.mark.parametrize(
    ("option", "value", "code", "parameters"),
    [
        ("mv2_attention", "cbam", "model-option-no-choice", {"allowed": "none, se, nam"}),
        ("mobilevit_attention", None, "model-option-no-choice", {"allowed": "none, se, nam"}),
        ("placement", "figure", "model-option-no-choice", {"allowed": "text, counts"}),
        ("dsc", "yes", "model-option-no-boolean", {"option": "dsc"}),
        ("neutral_start", 1, "model-option-no-boolean", {"option": "neutral_start"}),
        ("depths", [2, 4], "model-option-depths", {}),
        ("depths", [2, 0, 3], "model-option-depths", {}),
        ("depths", [2, True, 3], "model-option-depths", {}),
        ("depths", 3, "model-option-depths", {}),
        ("depths", "243", "model-option-depths", {}),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(
    option: str, value: object, code: str, parameters: dict[str, str]
) -> None:
    with refusing(BadRecipe, code, value=repr(value), **parameters) as error:
        MobileViTMN(**{option: value})
    assert option in str(error.value)
