"""Engines give PyTorch's numbers, whatever they are run with; features are computed once."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coverslip.engines import as_input, difference, embed, fastest_engine, images_at_once, n_missing, run_tta
from coverslip.events import Event, Noted
from coverslip.models import ModelRecord, Normalization, model_info, register, zoo
from coverslip.models.backbone import Architecture, Backbone, Head
from coverslip.models.graphs import graph_without_pytorch, pretrained_backbone, with_expected
from coverslip.models.networks import create_network, network_of, random_network

ARCHITECTURE = Architecture("efficientnet_lite0", "multi_layer", 3, 64)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return pretrained_backbone(ARCHITECTURE)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (11, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path))
    return tmp_path


class Pixel(nn.Module):
    """An architecture of another package: its features are the colors of one pixel."""

    def __init__(self, n_classes: int = 2, channels: int = 3) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1), requires_grad=True)
        self.classifier: nn.Module = nn.Linear(channels, n_classes)

    def reset_classifier(self, n_classes: int) -> None:
        self.classifier = nn.Linear(3, n_classes) if n_classes else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.factor * x[:, :, 0, 1])  # type: ignore[no-any-return]


class TracedWrong(Pixel):
    """Stands for an operation that the tracer gets wrong."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.factor * (x.mean((2, 3)) if torch.jit.is_tracing() else x.amax((2, 3))))  # type: ignore[no-any-return]


class OutOfMemoryOnDevice(Pixel):
    """Runs on the processor only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "meta" and not torch.is_grad_enabled():  # not when shapes are computed
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(x)


class FewAtOnce(Pixel):
    """Has memory for two images."""

    sizes: list[int] = []  # noqa: RUF012 - of all its networks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        FewAtOnce.sizes.append(len(x))
        if len(x) > 2 and not torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(x)


@pytest.fixture(scope="module", autouse=True)
def networks() -> Iterator[None]:
    """Register the networks of this module for its tests."""
    names = []
    for each in (Pixel, TracedWrong, OutOfMemoryOnDevice, FewAtOnce):
        names.append(each.__name__.lower())
        register(
            ModelRecord(
                name=names[-1],
                title=names[-1],
                family="test",
                paper="none",
                builder=f"{__name__}:{each.__name__}",
                input_px=4,
                normalization=zoo.UNCHANGED,
                weights=None,
                license=None,
                freeze_boundaries={zoo.BACKBONE: ""},
                heatmap_layer="",
                parameters=8,
                macs=None,
                conv_linear_weights_x2=None,
            )
        )
    yield
    for name in names:
        del zoo._table()[name]


def backbone_of(network: type[Pixel], side: int = 4) -> Backbone:
    return random_network(Architecture(network.__name__.lower(), "native", 3, side)).as_backbone()


@pytest.mark.slow
@pytest.mark.parametrize("head", ["multi_layer", "native"])
@pytest.mark.parametrize(("channels", "side"), [(3, 64), (1, 97), (5, 40)])
def test_the_graph_of_the_package_agrees_with_pytorch(channels: int, side: int, head: Head) -> None:
    architecture = Architecture("efficientnet_lite0", head, channels, side)
    engine = fastest_engine(pretrained_backbone(architecture))
    assert engine.name == "onnxruntime"
    x = np.random.default_rng(1).random((2, channels, side, side), np.float32)
    network = create_network("efficientnet_lite0", n_classes=2, head=head, channels=channels, image_size=side).eval()
    with torch.inference_mode():
        expected = network.features(torch.from_numpy(x)).numpy()
    assert difference(engine.run(x), expected) < 1e-4
    assert {*pretrained_backbone(architecture).arrays} == {*network.as_backbone().arrays}


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "model", ["mobilenet_v2", pytest.param("vgg16", marks=pytest.mark.exhaustive), "timm/test_efficientnet"]
)
def test_a_traced_graph_serves_all_weights_without_pytorch_and_agrees_with_it(model: str) -> None:
    architecture = Architecture(model, "native", 3, 256 if model == "vgg16" else 64)
    assert graph_without_pytorch(architecture) is None
    for seed in (0, 1):
        backbone = random_network(architecture, seed).as_backbone()
        engine = fastest_engine(backbone)
        assert engine.name == "onnxruntime"
        assert engine.largest_difference is not None
        assert engine.largest_difference < 1e-4
        x = backbone.noise()[..., ::-1].copy()
        with torch.inference_mode():
            expected = network_of(backbone).features(torch.from_numpy(x)).numpy()
        assert difference(engine.run(x), expected) < 1e-4
    code = (
        "import sys; from coverslip.models.backbone import Architecture; from coverslip.models.graphs import *; "
        f"print(graph_without_pytorch({architecture}) is None, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_arrays_that_do_not_fit_the_graph_are_refused(backbone: Backbone) -> None:
    arrays = dict(backbone.arrays)
    name = next(each for each in arrays if each.endswith("conv_stem.weight"))
    for changed in ({**arrays, name: arrays[name][:, :2]}, {**arrays, name: arrays[name].astype(np.float64)}):
        with pytest.raises(ValueError, match="conv_stem"):
            fastest_engine(Backbone(ARCHITECTURE, changed, backbone.n_features))
    del arrays[name]
    with pytest.raises(KeyError):
        fastest_engine(Backbone(ARCHITECTURE, arrays, backbone.n_features))


@pytest.mark.slow
def test_a_network_of_equal_weights_has_its_engine_at_once_and_any_other_has_its_own(backbone: Backbone) -> None:
    engine = fastest_engine(backbone)
    assert fastest_engine(pretrained_backbone(ARCHITECTURE)).run is engine.run
    brighter = replace(backbone, arrays={**backbone.arrays, "mean": backbone.arrays["mean"] + np.float32(0.1)})
    x = backbone.noise()
    assert difference(fastest_engine(brighter).run(x), engine.run(x)) > 0.01


@pytest.mark.slow
def test_a_result_does_not_depend_on_the_other_images(backbone: Backbone, pixels: np.ndarray) -> None:
    engine = fastest_engine(backbone)
    together = run_tta(engine, pixels, 2)
    alone = np.concatenate([run_tta(engine, pixels[i : i + 1], 2) for i in range(len(pixels))])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.slow
def test_a_device_that_cannot_run_the_network_leaves_it_to_the_processor_and_says_so(backbone: Backbone) -> None:
    events: list[Event] = []
    engine = fastest_engine(backbone, device="meta", emit=events.append)  # a device that has no memory
    assert engine.device == "cpu"
    assert [(event.code, event.level) for event in events if isinstance(event, Noted)] == [
        ("device-refused", "warning")
    ]


def test_a_device_without_memory_for_the_network_is_not_said_to_be_wrong() -> None:
    events: list[Event] = []
    engine = fastest_engine(backbone_of(OutOfMemoryOnDevice), device="meta", emit=events.append)
    assert engine.device == "cpu"
    assert [event.code for event in events if isinstance(event, Noted)] == ["device-out-of-memory"]


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_features_are_those_of_the_device_that_computed_them(backbone: Backbone, pixels: np.ndarray) -> None:
    digests = [str(i) for i in range(len(pixels))]

    def embedded(device: str) -> tuple[np.ndarray, str | None]:
        choices = {"preprocessing": {"depth": "uint8"}, "tta": 1, "device": device}
        with embed(backbone, digests, lambda rows: pixels[list(rows)], **choices) as (features, engine):  # type: ignore[arg-type]
            return features[:], engine and engine.device

    computed, device = embedded("meta")  # a device that has no memory
    assert device == "cpu"
    assert n_missing(backbone, digests, preprocessing={"depth": "uint8"}, tta=1, device="meta") == len(digests)
    of_processor, device = embedded("cpu")
    assert device is None  # all are in the cache
    np.testing.assert_array_equal(of_processor, computed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_processor_s_numbers(backbone: Backbone) -> None:
    engine = fastest_engine(backbone, device="cuda")
    assert engine.device == "cuda"
    assert engine.largest_difference is not None
    assert engine.largest_difference < 1e-4


def test_a_device_runs_fewer_images_at_a_time_if_memory_is_insufficient() -> None:
    from coverslip.engines import _pytorch

    backbone = backbone_of(FewAtOnce)
    run = _pytorch(network_of(backbone), "cpu", 8)  # what a GPU does, done by the processor
    x = np.random.default_rng(0).random((5, 3, 4, 4), np.float32)
    FewAtOnce.sizes.clear()
    np.testing.assert_allclose(run(x), x[:, :, 0, 1], rtol=1e-5)
    assert FewAtOnce.sizes == [8, 4, 2, 2, 2]
    run(x[:1])
    assert FewAtOnce.sizes[5:] == [2]


def test_a_network_that_comes_out_different_is_run_by_pytorch() -> None:
    backbone = backbone_of(TracedWrong)
    engine = fastest_engine(backbone)
    assert engine.name == "pytorch"
    np.testing.assert_allclose(engine.run(backbone.noise()), backbone.noise().max(axis=(2, 3)))
    normalized = with_expected(backbone.normalized(Normalization((0.5,) * 3, (1.0,) * 3)))
    assert fastest_engine(normalized).name == "pytorch"


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_features_are_the_mean_over_the_turned_images(depth: str) -> None:
    pixels = np.arange(48, dtype=depth).reshape(1, 4, 4, 3)
    engine = fastest_engine(backbone_of(Pixel))
    picture = pixels[0, :, :, 0] / np.iinfo(depth).max
    half = picture[::-1, ::-1]
    mirrored = [picture[:, ::-1], picture[::-1]]
    group = [np.rot90(side, k) for side in (picture, picture.T) for k in range(4)]
    for tta, copies in ((1, [picture]), (2, [picture, half]), (4, [picture, half, *mirrored]), (8, group)):
        expected = np.mean([copy[0, 1] for copy in copies])
        np.testing.assert_allclose(run_tta(engine, pixels, tta)[:, 0], [expected], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_features_are_computed_once_and_are_the_same_from_the_cache(backbone: Backbone, pixels: np.ndarray) -> None:
    batches: list[int] = []

    def pixels_of(positions: object) -> np.ndarray:
        batches.extend(positions)  # type: ignore[arg-type]
        return pixels[list(positions)]  # type: ignore[call-overload]

    digests = [str(i) for i in range(len(pixels))]

    def embedded(n: int) -> tuple[np.ndarray, str | None]:
        choices = {"preprocessing": {"depth": "uint8"}, "tta": 2}
        with embed(backbone, digests[:n], pixels_of, **choices) as (features, engine):  # type: ignore[arg-type]
            assert features.shape == (n, backbone.n_features)
            return features[:], engine and engine.name

    first, engine = embedded(6)
    assert engine is not None
    batches.clear()
    both, _ = embedded(len(pixels))
    np.testing.assert_array_equal(both[:6], first)
    assert set(batches) == set(range(6, len(pixels)))
    batches.clear()
    repeated, from_cache = embedded(len(pixels))
    np.testing.assert_array_equal(repeated, both)
    assert from_cache is None
    assert batches == []
    network = network_of(backbone)
    with torch.no_grad():
        x = torch.from_numpy(as_input(pixels))
        expected = (network.features(x) + network.features(x.flip(2, 3))) / 2
    np.testing.assert_allclose(both, expected.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("cache")
def test_a_part_of_the_features_is_read_in_any_order_of_the_cache(backbone: Backbone, pixels: np.ndarray) -> None:
    def embedded(order: list[int]) -> np.ndarray:
        choices = {"preprocessing": {"depth": "uint8"}, "tta": 1}
        with embed(
            backbone,
            [str(i) for i in order],
            lambda positions: pixels[[order[i] for i in positions]],
            **choices,  # type: ignore[arg-type]
        ) as (features, _):
            rest = features.part(slice(2, None))
            assert rest.shape[0] == len(order) - 2
            return np.concatenate([features[:2], rest[0:1], rest[1:]])

    in_turn = embedded(list(range(len(pixels))))
    order = [3, 4, 0, 2, 1, 1]
    np.testing.assert_array_equal(embedded(order), in_turn[order])


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_other_weights_views_or_preprocessing_are_other_features(backbone: Backbone, pixels: np.ndarray) -> None:
    def features(**changed: object) -> np.ndarray:
        choices: dict[str, object] = {"preprocessing": {"depth": "uint8"}, "tta": 1, **changed}
        source = choices.pop("source", pixels)
        net = choices.pop("net", backbone)
        with embed(net, ["a"], lambda p: source[list(p)], **choices) as (computed, _):  # type: ignore[arg-type,index]  # parametrised
            return computed[:]

    plain = features()
    brighter = np.minimum(pixels.astype(int) + 40, 255).astype(np.uint8)
    np.testing.assert_array_equal(features(source=brighter), plain)  # the digest is what counts
    assert not np.array_equal(features(tta=2), plain)
    assert not np.array_equal(features(preprocessing={"depth": "uint8", "size": 65}, source=brighter), plain)
    assert not np.array_equal(features(net=random_network(ARCHITECTURE, 1).as_backbone()), plain)


@pytest.mark.slow
def test_a_fingerprint_is_that_of_the_features_and_not_of_the_head(backbone: Backbone) -> None:
    arrays = dict(backbone.arrays)
    name = "backbone.body.bn1.bias"
    changed = replace(backbone, arrays={**arrays, name: arrays[name] + np.float32(1e-6)})
    assert changed.fingerprint != backbone.fingerprint == pretrained_backbone(ARCHITECTURE).fingerprint
    expected = np.zeros((1, backbone.n_features), np.float32)
    assert replace(backbone, expected=expected).fingerprint == backbone.fingerprint  # a classifier that is read back
    larger = replace(backbone, architecture=replace(ARCHITECTURE, image_size=128))
    assert larger.fingerprint == backbone.fingerprint  # the preprocessing states the size
    torch.manual_seed(7)
    heads = [create_network("efficientnet_lite0", n_classes=k, image_size=64).as_backbone() for k in (3, 5)]
    assert heads[0].fingerprint == heads[1].fingerprint
    assert model_info("efficientnet_lite0").is_of_library


def test_large_images_are_taken_fewer_at_a_time() -> None:
    assert images_at_once((3, 64, 64)) == 64
    assert images_at_once((3, 2048, 2048)) == 1
