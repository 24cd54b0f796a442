"""Every entry of the zoo does what its record says: sizes, freezing, heat maps, channels, saving."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from refusing import refusing
from torch import Tensor

from coverslip.errors import BadRecipe, UnknownModel, WeightsUnavailable
from coverslip.images.preprocessing import Preprocessing
from coverslip.inference.loading import load_network
from coverslip.messages import Set
from coverslip.models import PAPERS, has_weights, list_models, model_info, select_models
from coverslip.models._libraries import shapes_only
from coverslip.models.building import build_body
from coverslip.models.importing import import_weights
from coverslip.models.networks import (
    Head,
    Network,
    cost_of,
    cost_of_model,
    create_network,
    follows_batches,
    freeze_to,
    train_mode,
)
from coverslip.runs.classifier import ClassifierCard, TrainedOn, open_classifier, write_classifier

RECORDS = list_models()
# One of each kind of structure in every suite, one with plain layers and large transformers in `make test` too; all of
# them in `make test-all`. How many parameters each has, both ask.
QUICK = ("efficientnet_lite0", "mobilevit_mn", "mobincep", "shufflenet_v2_x1_0")
OF_EACH_KIND = (*QUICK, "alexnet", "resnet34", "vit_small_patch16_224")
SLOW = [pytest.mark.slow]
EXHAUSTIVE = [pytest.mark.slow, pytest.mark.exhaustive]
EACH = [
    pytest.param(r.name, marks=[] if r.name in QUICK else SLOW if r.name in OF_EACH_KIND else EXHAUSTIVE)
    for r in RECORDS
]

IN_PAPERS = {
    *("vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "alexnet", "resnet34", "resnet50", "resnet101", "resnext50_32x4d"),
    *("resnext101_32x16d", "googlenet", "inception_v3", "inception_resnet_v2", "shufflenet_v2_x1_0", "mobilenet_v1"),
    *("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_lite0", "efficientnetv2_b0"),
    *("nasnet_mobile", "convnext_tiny", "swin_t", "vit_small_patch16_224", "mobilevit_xxs", "mobilevit_mn", "mobincep"),
}


def small_side(name: str) -> int:
    if name in ("dinov2_small", "dinobloom_small"):
        return 56  # patches of 14
    return 96 if name in ("inception_v3", "inception_resnet_v2") else 64


def pixels(n: int, *, side: int, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0))


# Sizes


def n_parameters(name: str, *, n_classes: int, image_size: int | None = None) -> int:
    with shapes_only():
        network = create_network(name, n_classes=n_classes, head="native", pretrained=False, image_size=image_size)
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg16", 134_358_872),
        pytest.param("vgg16_bn", 134_367_320, marks=pytest.mark.exhaustive),
        pytest.param("vgg19", 139_668_568, marks=pytest.mark.exhaustive),
        pytest.param("vgg19_bn", 139_679_576, marks=pytest.mark.exhaustive),
        ("alexnet", 57_102_168),
        ("resnet34", 21_296_984),
        ("resnet50", 23_557_208),
        pytest.param("resnet101", 42_549_336, marks=pytest.mark.exhaustive),
        ("resnext50_32x4d", 23_029_080),
        ("resnext101_32x16d", 192_026_968),
        pytest.param("inception_resnet_v2", 54_343_352, marks=SLOW),
        ("mobilenet_v1", 3_231_576),
        ("mobilenet_v3_large", 4_232_776),
        ("convnext_tiny", 27_838_584),
        ("swin_t", 27_537_810),
        ("vit_small_patch16_224", 21_674_904),
    ],
)
def test_with_24_classes_of_chromosomes_the_networks_have_exactly_so_many_parameters(name: str, expected: int) -> None:
    assert n_parameters(name, n_classes=24) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("vgg16", 134_293_320, marks=pytest.mark.exhaustive),
        pytest.param("resnet34", 21_288_776, marks=pytest.mark.exhaustive),
        pytest.param("resnet50", 23_524_424, marks=pytest.mark.exhaustive),
        ("googlenet", 5_608_104),
        pytest.param("inception_v3", 21_801_960, marks=SLOW),
        pytest.param("resnext50_32x4d", 22_996_296, marks=pytest.mark.exhaustive),
        ("shufflenet_v2_x1_0", 1_261_804),
        ("mobilenet_v2", 2_234_120),
        ("mobilenet_v3_large", 4_212_280),
        ("efficientnet_b0", 4_017_796),
    ],
)
def test_with_8_classes_of_blood_cells_the_networks_have_exactly_so_many_parameters(name: str, expected: int) -> None:
    assert n_parameters(name, n_classes=8) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("name", "expected"), [("vit_small_patch16_224", 21_697_944), ("swin_t", 27_537_810)])
def test_transformers_are_built_for_the_requested_size(name: str, expected: int) -> None:
    """At 256 pixels ViT has more positions; Swin keeps its windows of 7 and fills up the last."""
    assert n_parameters(name, n_classes=24, image_size=256) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_the_record_counts_what_the_built_network_counts(name: str) -> None:
    record, cost = model_info(name), cost_of_model(name)
    counts = (record.parameters, record.macs, record.conv_linear_weights_x2)
    assert counts == (cost.parameters, cost.macs, cost.conv_linear_weights_x2)


@pytest.mark.parametrize(
    ("name", "giga"),
    [
        ("vgg16", 15.47),
        ("vgg19", 19.63),
        ("resnet34", 3.66),
        ("resnet50", 4.09),
        ("resnet101", 7.80),
        ("resnext50_32x4d", 4.23),
        ("resnext101_32x16d", 36.16),
        ("googlenet", 1.50),
        ("inception_v3", 5.71),
        ("shufflenet_v2_x1_0", 0.144),
        ("mobilenet_v2", 0.300),
        ("mobilenet_v3_large", 0.215),
        ("efficientnet_b0", 0.385),
        ("convnext_tiny", 4.46),
        ("swin_t", 4.49),
        ("vit_small_patch16_224", 4.60),
        ("mobilevit_xxs", 0.4074),
        ("mobincep", 2.60),
        ("nasnet_mobile", 0.564),
    ],
)
def test_multiply_accumulates_agree_with_published_figures(name: str, giga: float) -> None:
    macs = model_info(name).macs
    assert macs is not None
    assert macs / 1e9 == pytest.approx(giga, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "giga"), [("swin_t", 7.34), ("vit_small_patch16_224", 6.14)])
def test_multiply_accumulates_at_256_pixels_agree_with_published_figures(name: str, giga: float) -> None:
    with shapes_only():
        network = create_network(name, n_classes=24, head="native", pretrained=False, image_size=256)
        assert cost_of(network, torch.zeros(1, 3, 256, 256)).macs / 1e9 == pytest.approx(giga, rel=0.01)


@pytest.mark.slow
def test_options_and_channels_change_what_is_counted() -> None:
    published = {"mv2_attention": "se", "mobilevit_attention": "nam", "placement": "counts", "dsc": False}
    assert cost_of_model("mobilevit_mn", options=published).conv_linear_weights_x2 == 2_719_616
    more = cost_of_model("alexnet", channels=5).parameters - cost_of_model("alexnet").parameters
    assert more == 2 * 64 * 11 * 11


# Structure


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_a_boundary_freezes_all_that_its_output_depends_on_and_nothing_else(name: str) -> None:
    """Backpropagated from the boundary's own output: what gets a gradient is what came before."""
    record = model_info(name)
    side = 112 if record.family == "ViT" else 160
    assert list(record.freeze_boundaries)[-1] == "backbone"
    with shapes_only():  # graphs without numbers
        network = create_network(name, n_classes=2, head="native", channels=5, pretrained=False, image_size=side)
        pooled = create_network(name, n_classes=2, head="multi_layer", channels=1, pretrained=False)
        outputs: dict[str, Tensor] = {}
        for boundary, part in record.freeze_boundaries.items():

            def keep(_: object, __: object, output: Tensor, boundary: str = boundary) -> None:
                outputs[boundary] = output.clone()  # before an in-place ReLU

            (network.body_module(part) if part else network.backbone).register_forward_hook(keep)
        assert network.eval()(torch.zeros(1, 5, side, side)).shape == (1, 2)
        parameters = dict(network.backbone.named_parameters())
        n_frozen: list[int] = []
        for boundary in record.freeze_boundaries:
            output = outputs[boundary]
            gradients = torch.autograd.grad(
                output.sum(), list(parameters.values()), retain_graph=True, allow_unused=True
            )
            before = {n for n, gradient in zip(parameters, gradients, strict=True) if gradient is not None}
            freeze_to(network, boundary)
            assert {n for n, p in parameters.items() if not p.requires_grad} == before, boundary
            freeze_to(network, None)
            freeze_to(pooled, boundary)
            frozen = {n.removeprefix("body.") for n, p in pooled.backbone.named_parameters() if not p.requires_grad}
            assert frozen == (before if boundary != "backbone" else before & frozen), boundary
            n_frozen.append(len(before))
        assert n_frozen == sorted(n_frozen)  # earliest first


@pytest.mark.slow
def test_the_first_200_of_271_layers_are_those_that_keras_freezes() -> None:
    with shapes_only():
        network = create_network("efficientnetv2_b0", n_classes=3, head="native", pretrained=False)
    freeze_to(network, "first_200_of_271")
    frozen = {n.removeprefix("backbone."): p.numel() for n, p in network.named_parameters() if not p.requires_grad}
    trained = {n.removeprefix("backbone."): p.numel() for n, p in network.named_parameters() if p.requires_grad}
    assert sum(frozen.values()) == 2_998_944
    assert sum(n for name, n in trained.items() if not name.startswith("head.")) == 2_859_760
    assert sum(trained.values()) == 2_863_603
    inside = {name.split(".")[3] for name in frozen if name.startswith("blocks.5.3.")}
    assert inside == {"conv_pw", "bn1", "conv_dw", "bn2"}
    assert {name.split(".")[3] for name in trained if name.startswith("blocks.5.3.")} == {"se", "conv_pwl", "bn3"}


# Work


@pytest.fixture(scope="module", params=EACH)
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    return create_network(
        request.param, n_classes=3, head="native", pretrained=False, image_size=small_side(request.param)
    )


def test_every_trainable_parameter_gets_a_gradient(network: Network) -> None:
    freeze_to(network, None)
    network.train()(pixels(2, side=small_side(network.record.name))).square().sum().backward()
    faulty = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    network.zero_grad(set_to_none=True)
    assert faulty == []


def test_saved_and_loaded_it_gives_the_same_logits(network: Network, tmp_path: Path) -> None:
    name = network.record.name
    safetensors.torch.save_file(network.state_dict(), tmp_path / "weights.safetensors")
    other = create_network(name, n_classes=3, head="native", pretrained=False, image_size=small_side(name))
    other.load_state_dict(safetensors.torch.load_file(tmp_path / "weights.safetensors"))
    x = pixels(2, side=small_side(name))
    with torch.no_grad():
        assert torch.equal(network.eval()(x), other.eval()(x))


def test_frozen_batch_norms_stay_on_their_moving_statistics(network: Network) -> None:
    boundaries = list(network.record.freeze_boundaries)
    freeze_to(network, boundaries[len(boundaries) // 2])
    frozen = {n.rsplit(".", 1)[0] for n, p in network.named_parameters() if not p.requires_grad}
    before = {n: b.clone() for n, b in network.named_buffers() if "running" in n}
    train_mode(network, keep_statistics=False)
    with torch.no_grad():
        network(pixels(2, side=small_side(network.record.name)))
    moved = {n for n, b in network.named_buffers() if n in before and not torch.equal(b, before[n])}
    freeze_to(network, None)
    assert moved == {n for n in before if n.rsplit(".", 1)[0] not in frozen}


def test_the_heat_map_layer_is_a_map_on_whose_places_the_answer_depends(network: Network) -> None:
    seen: list[Tensor] = []
    side = small_side(network.record.name)
    hook = network.body_module(network.record.heatmap_layer).register_forward_hook(
        lambda _, __, output: seen.append(output)
    )
    logits = network.eval()(pixels(1, side=side))
    hook.remove()
    (output,) = seen
    (gradient,) = torch.autograd.grad(logits[0, 0], output)
    assert output.ndim == (3 if network.record.family == "ViT" else 4)
    is_channel_last = network.record.family in ("ViT", "Swin")
    by_place = gradient.abs().sum(dim=-1 if is_channel_last else 1)
    assert (by_place > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "head", "side"),
    [
        pytest.param("timm/vit_tiny_patch16_224", "native", 48, id="a transformer, built for another size"),
        pytest.param("alexnet", "multi_layer", 64, id="most of it was its ImageNet classifier"),
        pytest.param(
            "vgg16_bn", "multi_layer", 32, id="most of it was its classifier, large", marks=pytest.mark.exhaustive
        ),
    ],
)
def test_a_packed_network_is_built_again_as_it_was(tmp_path: Path, model: str, head: Head, side: int) -> None:
    network = create_network(model, n_classes=2, head=head, pretrained=False, image_size=side)
    card = ClassifierCard(
        model=model,
        model_options={},
        head=head,
        tta=1,
        classes=("a", "b"),
        prior=(0.5, 0.5),
        preprocessing=Preprocessing(image_size=side),
        temperature=1.0,
        uncertain_below=0.6,
        trained_on=TrainedOn(
            n_images=9,
            n_groups=None,
            width_px=(side, side),
            height_px=(side, side),
            usual_area_px=side**2,
            dtypes=("uint8",),
            channels=(3,),
        ),
    )
    write_classifier(tmp_path / "classifier", card, network.weights())
    loaded = load_network(open_classifier(tmp_path / "classifier"))
    x = pixels(2, side=side)
    with torch.no_grad():
        assert torch.equal(loaded(x), network.eval()(x))


@pytest.mark.slow
def test_mobilevit_mn_starts_from_what_fits_of_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_WEIGHTS", str(tmp_path / "weights"))
    origin = build_body(model_info("mobilevit_xxs"), channels=3, pretrained=False, options={}, image_size=256)
    safetensors.torch.save_file(origin.state_dict(), tmp_path / "xxs.safetensors")
    assert not has_weights(model_info("mobilevit_mn"))
    import_weights(tmp_path / "xxs.safetensors", "mobilevit_xxs")
    assert has_weights(model_info("mobilevit_mn"))
    network = create_network("mobilevit_mn", n_classes=2, head="native", channels=1)
    state_now, state = network.backbone.state_dict(), origin.state_dict()
    assert torch.equal(state_now["stages.0.0.conv1_1x1.conv.weight"], state["stages.0.0.conv1_1x1.conv.weight"])
    torch.testing.assert_close(state_now["stem.conv.weight"], state["stem.conv.weight"].sum(dim=1, keepdim=True))
    # Pretrained statistics are kept while training; those of the new attention have still to be learnt.
    train_mode(network, keep_statistics=True)
    follow = {
        name for name, part in network.named_modules() if isinstance(part, torch.nn.BatchNorm2d) and part.training
    }
    attention = {name for name in follow if "attention" in name or "nam" in name}
    assert follow == attention != set()
    assert follows_batches(network)


# Without weights, with wrong words


@pytest.mark.slow
def test_the_list_has_all_networks_of_the_papers_and_needs_no_torch() -> None:
    code = (
        "import json, sys; from coverslip.models import list_models; names = [r.name for r in list_models()];"
        "print(json.dumps([names, [m for m in ('torch', 'timm', 'torchvision') if m in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, heavy = json.loads(done.stdout)
    assert IN_PAPERS - set(names) == set()
    assert heavy == []


def test_every_paper_and_every_tag_has_entries() -> None:
    assert {paper for record in list_models() for paper in record.papers} == set(PAPERS)
    assert {record.name for record in select_models(paper="efficientnetv2_b0")} == {
        *("efficientnetv2_b0", "inception_v3", "nasnet_mobile", "vgg16")
    }
    with refusing(UnknownModel, "unknown-paper", name="nature", papers=", ".join(PAPERS)):
        select_models(paper="nature")


def test_selection_meets_every_demand_at_once() -> None:
    available = {record.name for record in select_models(available=True)}
    assert "efficientnet_lite0" in available
    of_paper = {record.name for record in select_models(paper="aimic")}
    assert {record.name for record in select_models(paper="aimic", available=True)} == of_paper & available


def test_channels_of_an_untrained_network_get_random_filters_of_their_own() -> None:
    """Copies of a filter would start, and stay, alike."""
    network = create_network("shufflenet_v2_x1_0", n_classes=2, head="native", channels=4, pretrained=False)
    first = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d)).weight
    assert first.shape[1] == 4
    assert not torch.equal(first[:, 0], first[:, 3])


def test_networks_without_published_weights_say_so() -> None:
    with refusing(WeightsUnavailable, "no-imagenet-weights", model="mobincep") as error:
        create_network("mobincep", n_classes=2)
    assert error.value.remedies == (Set("init", "scratch"),)


def test_options_of_own_networks_are_named_when_one_is_wrong() -> None:
    with refusing(BadRecipe, "unknown-model-option", option="wheels") as error:
        create_network("mobilevit_mn", n_classes=2, pretrained=False, options={"wheels": 4})
    assert error.value.parameters["options"].startswith("depths, dsc, mobilevit_attention")
    with refusing(BadRecipe, "reserved-model-option", option="channels"):
        create_network("mobincep", n_classes=2, pretrained=False, options={"channels": 4})
    with refusing(BadRecipe, "unknown-model-option", option="wheels", has_options=False):
        create_network("mobincep", n_classes=2, pretrained=False, options={"wheels": 4})
