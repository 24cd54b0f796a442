"""Engines give PyTorch's numbers, whatever they are run with; features are computed once."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from coverslip.engines import (
    as_input,
    as_onnx,
    difference,
    embed,
    fastest_engine,
    fingerprint,
    images_at_once,
    n_missing,
    onnxruntime_engine,
    pytorch_on_device,
    pytorch_on_processor,
    run_tta,
)
from coverslip.events import Event, Noted
from coverslip.models import model_info
from coverslip.models.networks import FeatureNetwork, Network, create_network


@pytest.fixture(scope="module")
def network() -> Network:
    return create_network("efficientnet_lite0", n_classes=3).eval()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (11, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def features(network: Network) -> FeatureNetwork:
    return FeatureNetwork(network).eval()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("depth", ["uint8", pytest.param("uint16", marks=pytest.mark.exhaustive)])
def test_the_engine_agrees_with_pytorch(
    network: Network, pixels: np.ndarray, depth: Literal["uint8", "uint16"]
) -> None:
    pixels = pixels.astype(depth) * (np.iinfo(depth).max // 255)
    features = FeatureNetwork(network, depth, 4).eval()
    run = onnxruntime_engine(as_onnx(features, pixels))
    assert difference(run(pixels), pytorch_on_processor(features)(pixels)) < 1e-4
    with torch.no_grad():
        x = torch.from_numpy(pixels.astype(np.float32) / np.iinfo(depth).max).permute(0, 3, 1, 2)
        copies = [network.features(each) for each in (x, x.flip(2, 3), x.flip(3), x.flip(2))]
    assert difference(run(pixels), torch.stack(copies).mean(dim=0).numpy()) < 1e-4


@pytest.mark.exhaustive
@pytest.mark.slow
def test_vgg_is_exported_for_images_whose_maps_are_no_multiple_of_its_first_layer() -> None:
    network = create_network("vgg16", n_classes=2, head="native", pretrained=False, image_size=256)
    features = FeatureNetwork(network).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    exported, expected = as_onnx(features, pixels), pytorch_on_processor(features)(pixels)
    assert difference(onnxruntime_engine(exported)(pixels), expected) < 1e-3


@pytest.mark.slow
def test_the_engine_in_use_is_not_pytorch_and_says_how_far_it_is_from_it(
    features: FeatureNetwork, pixels: np.ndarray
) -> None:
    engine = fastest_engine(features, pixels[:2])
    assert engine.name == "onnxruntime"
    assert engine.largest_difference < 1e-4


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_network_of_equal_weights_has_its_engine_at_once_and_any_other_has_its_own(
    network: Network, pixels: np.ndarray
) -> None:
    x, features = pixels[:2], FeatureNetwork(network)
    engine, before = fastest_engine(features, x), fastest_engine(features, x).run(x)
    second_network = create_network("efficientnet_lite0", n_classes=3).eval()
    second_network.load_state_dict(network.state_dict())
    others = pixels[2:6]
    assert fastest_engine(FeatureNetwork(second_network), others).run is engine.run
    # The difference from PyTorch is measured on the given images, not on those that the engine was prepared with.
    far = difference(engine.run(others), pytorch_on_processor(features)(others))
    assert fastest_engine(FeatureNetwork(second_network), others).largest_difference == far != engine.largest_difference
    with torch.no_grad():
        second_network.mean.add_(0.1)
    assert difference(fastest_engine(FeatureNetwork(second_network), x).run(x), before) > 0.01
    larger = np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)
    assert fastest_engine(features, larger).run is not engine.run
    for changed in (FeatureNetwork(network, tta=2), FeatureNetwork(network, depth="uint16")):
        assert fastest_engine(changed, x).run is not engine.run


@pytest.mark.slow
def test_a_result_does_not_depend_on_the_other_images(features: FeatureNetwork, pixels: np.ndarray) -> None:
    engine = fastest_engine(features, pixels[:2])
    together = run_tta(engine, pixels, 2)
    alone = np.concatenate([run_tta(engine, pixels[i : i + 1], 2) for i in range(len(pixels))])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.slow
def test_a_device_is_given_as_many_images_each_time_so_that_none_depends_on_the_others(
    features: FeatureNetwork, pixels: np.ndarray
) -> None:
    run = pytorch_on_device(features, "cpu", 4)  # what a GPU does, done by the processor
    together = run(pixels)
    assert difference(together, pytorch_on_processor(features)(pixels)) < 1e-4
    for i in range(len(pixels)):
        np.testing.assert_array_equal(run(pixels[i : i + 1]), together[i : i + 1])


@pytest.mark.slow
def test_a_device_that_cannot_run_the_network_leaves_it_to_the_processor_and_says_so(
    features: FeatureNetwork, pixels: np.ndarray
) -> None:
    events: list[Event] = []
    x = pixels[:2]
    engine = fastest_engine(features, x, device="meta", emit=events.append)  # a device that has no memory
    assert engine.device == "cpu"
    assert [(event.code, event.level) for event in events if isinstance(event, Noted)] == [
        ("device-refused", "warning")
    ]
    np.testing.assert_array_equal(engine.run(x), fastest_engine(features, x).run(x))


class OutOfMemoryOnDevice(nn.Module):
    """Runs on the processor only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return x.float().amax((1, 2))


def test_a_device_without_memory_for_the_network_is_not_said_to_be_wrong(pixels: np.ndarray) -> None:
    events: list[Event] = []
    engine = fastest_engine(OutOfMemoryOnDevice(), pixels[:2], device="meta", emit=events.append)
    assert engine.device == "cpu"
    assert [event.code for event in events if isinstance(event, Noted)] == ["device-out-of-memory"]


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_features_are_those_of_the_device_that_computed_them(network: Network, pixels: np.ndarray) -> None:
    digests = [str(i) for i in range(len(pixels))]

    def embedded(device: str) -> tuple[np.ndarray, str | None]:
        choices = {"preprocessing": {"depth": "uint8"}, "tta": 1, "device": device}
        with embed(network, digests, lambda rows: pixels[list(rows)], **choices) as (features, engine):  # type: ignore[arg-type]
            return features[:], engine and engine.device

    computed, device = embedded("meta")  # a device that has no memory
    assert device == "cpu"
    assert n_missing(network, digests, preprocessing={"depth": "uint8"}, tta=1, device="meta") == len(digests)
    of_processor, device = embedded("cpu")
    assert device is None  # all are in the cache
    np.testing.assert_array_equal(of_processor, computed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_processor_s_numbers(features: FeatureNetwork, pixels: np.ndarray) -> None:
    engine = fastest_engine(features, pixels, device="cuda")
    assert engine.device == "cuda"
    assert engine.largest_difference < 1e-4


def test_a_device_runs_fewer_images_at_a_time_if_memory_is_insufficient() -> None:
    sizes: list[int] = []

    class Large(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.append(len(x))
            if len(x) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return x.mean((2, 3))

    x = np.random.default_rng(0).random((5, 3, 4, 4), np.float32)
    run = pytorch_on_device(Large(), "cpu", 8)
    np.testing.assert_allclose(run(x), x.mean((2, 3)), rtol=1e-5)
    assert sizes == [8, 4, 2, 2, 2]
    run(x[:1])
    assert sizes[5:] == [2]


class Unexportable(nn.Module):
    """Stands for an operation that an exporter gets wrong."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) if torch.jit.is_tracing() else x.amax((2, 3))


def test_a_network_that_comes_out_different_is_run_by_pytorch(pixels: np.ndarray) -> None:
    engine = fastest_engine(Unexportable(), as_input(pixels))
    assert engine.name == "pytorch"
    np.testing.assert_allclose(engine.run(as_input(pixels)), as_input(pixels).max(axis=(2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_features_are_the_mean_over_the_turned_images(depth: Literal["uint8", "uint16"]) -> None:
    class Corner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :, 0, 1]

    network = Network(model_info("mobilenet_v2"), Corner(), 1, 2, torch.tensor([0.5]), torch.tensor([0.25]))
    pixels = np.arange(16, dtype=depth).reshape(1, 4, 4, 1)
    picture = (pixels[0, :, :, 0] / np.iinfo(depth).max - 0.5) / 0.25
    half = picture[::-1, ::-1]
    mirrored = [picture[:, ::-1], picture[::-1]]
    group = [np.rot90(side, k) for side in (picture, picture.T) for k in range(4)]
    for tta, copies in ((1, [picture]), (2, [picture, half]), (4, [picture, half, *mirrored]), (8, group)):
        expected = np.mean([copy[0, 1] for copy in copies])
        in_one = fastest_engine(FeatureNetwork(network, depth, tta), pixels).run(pixels)
        one_by_one = run_tta(fastest_engine(FeatureNetwork(network, depth), pixels), pixels, tta)
        np.testing.assert_allclose(in_one, [[expected]], rtol=1e-5)
        np.testing.assert_allclose(one_by_one, [[expected]], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_features_are_computed_once_and_are_the_same_from_the_cache(network: Network, pixels: np.ndarray) -> None:
    batches: list[int] = []

    def pixels_of(positions: object) -> np.ndarray:
        batches.extend(positions)  # type: ignore[arg-type]
        return pixels[list(positions)]  # type: ignore[call-overload]

    digests = [str(i) for i in range(len(pixels))]
    n_features = network.head.in_features

    def embedded(n: int) -> tuple[np.ndarray, str | None]:
        choices = {"preprocessing": {"depth": "uint8"}, "tta": 2}
        with embed(network, digests[:n], pixels_of, **choices) as (features, engine):  # type: ignore[arg-type]
            assert features.shape == (n, n_features)
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
    with torch.no_grad():
        x = torch.from_numpy(as_input(pixels))
        expected = (network.features(x) + network.features(x.flip(2, 3))) / 2
    np.testing.assert_allclose(both, expected.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("cache")
def test_a_part_of_the_features_is_read_in_any_order_of_the_cache(network: Network, pixels: np.ndarray) -> None:
    def embedded(order: list[int]) -> np.ndarray:
        choices = {"preprocessing": {"depth": "uint8"}, "tta": 1}
        with embed(
            network,
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
def test_other_weights_views_or_preprocessing_are_other_features(network: Network, pixels: np.ndarray) -> None:
    def features(**changed: object) -> np.ndarray:
        choices: dict[str, object] = {"preprocessing": {"depth": "uint8"}, "tta": 1, **changed}
        source = choices.pop("source", pixels)
        net = choices.pop("net", network)
        with embed(net, ["a"], lambda p: source[list(p)], **choices) as (computed, _):  # type: ignore[arg-type,index]  # parametrised
            return computed[:]

    plain = features()
    brighter = np.minimum(pixels.astype(int) + 40, 255).astype(np.uint8)
    np.testing.assert_array_equal(features(source=brighter), plain)  # the digest is what counts
    assert not np.array_equal(features(tta=2), plain)
    assert not np.array_equal(features(preprocessing={"depth": "uint8", "size": 65}, source=brighter), plain)
    torch.manual_seed(1)
    other = create_network("efficientnet_lite0", n_classes=3, pretrained=False).eval()
    assert not np.array_equal(features(net=other), plain)


@pytest.mark.slow
def test_a_fingerprint_is_that_of_the_features_and_not_of_the_head(network: Network) -> None:
    def changed(parameter: torch.Tensor) -> bool:
        before = fingerprint(FeatureNetwork(network))
        with torch.no_grad():
            parameter[0] += 1e-6
        after = fingerprint(FeatureNetwork(network))
        with torch.no_grad():
            parameter[0] -= 1e-6
        return before != after

    assert changed(network.backbone.get_parameter("body.bn1.bias"))
    assert not changed(network.head.bias)
    torch.manual_seed(7)
    other = create_network("efficientnet_lite0", n_classes=5)
    assert fingerprint(FeatureNetwork(other)) == fingerprint(FeatureNetwork(network.train().eval()))
    other.backbone._taps.pop()
    assert fingerprint(FeatureNetwork(other)) != fingerprint(FeatureNetwork(network))


def test_large_images_are_taken_fewer_at_a_time() -> None:
    assert images_at_once((3, 64, 64)) == 64
    assert images_at_once((3, 2048, 2048)) == 1


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_engine_that_is_kept_serves_other_processes_as_long_as_it_gives_pytorch_s_numbers(
    cache: Path, features: FeatureNetwork, pixels: np.ndarray
) -> None:
    from coverslip import engines
    from coverslip.engines import engine_of, remember_engine

    engines._engines.clear()
    x = pixels[:2]
    engine = fastest_engine(features, x)
    remember_engine("a classifier", engine)
    engines._engines.clear()  # as in another process
    kept_engine = engine_of("a classifier")
    assert kept_engine is not None
    assert engine_of("another") is None
    np.testing.assert_array_equal(kept_engine.run(x), engine.run(x))
    check = engines.ENGINES.folder / str(engine.cache_key) / "check.npz"
    with np.load(check) as content:
        changed = {**content, "expected": content["expected"] + 1}
    np.savez(check, **changed)
    engines._engines.clear()
    assert engine_of("a classifier") is None
    check.write_bytes(b"no numbers")
    assert engine_of("a classifier") is None
    (check.parent / "network.onnx").unlink()
    engines._engines.clear()
    np.testing.assert_array_equal(fastest_engine(features, x).run(x), engine.run(x))
    assert engine_of("a classifier") is not None
