"""Keras's `.h5` files: our networks give Keras's logits from them, and a file that means harm is refused."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from refusing import refusing
from torch import nn

from coverslip.errors import WeightsUnavailable
from coverslip.messages import text
from coverslip.models import model_info
from coverslip.models.architectures.nasnet_mobile import NASNetMobile
from coverslip.models.building import load_exactly, timm_network
from coverslip.models.importing import import_weights
from coverslip.models.weights import apart, local_weights
from coverslip.models.weights.hdf5 import read_arrays, read_layers
from coverslip.models.weights.translation import keras_layer, read_keras

Variables = dict[str, NDArray[np.float32]]
Layers = dict[str, Variables]

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
N_CLASSES = 5
# What Keras 3.15.1 with TensorFlow 2.21.0 answers, classifier_activation=None, with `numbers_of` in its variables and
# `picture` before it. NASNetMobile's reductions were given TensorFlow's own padding ("same"), which trained the
# published weights; Keras's model pads its pools with zeros and counts these (it answers 0.0964596, -0.497946, ...).
NASNET_96 = (0.102766, -0.4974, 0.292569, -0.234048, -0.187448)
EFFICIENTNET_64 = (8.74023, -36.4124, 16.7937, 35.6711, 1.66238)
GAIN = 1.7  # of EfficientNet's kernels: with less, nothing of the picture arrives at its end


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_WEIGHTS", str(tmp_path / "weights"))


def numbers_of(layer: str, variable: str, shape: tuple[int, ...], *, gain: float = 1.0) -> NDArray[np.float32]:
    """Random numbers that depend on the name alone."""
    rng = np.random.default_rng(zlib.crc32(f"{layer}/{variable}".encode()))
    if variable == "moving_variance":
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if variable == "gamma":
        return rng.uniform(0.5, 1.0, shape).astype(np.float32)
    if len(shape) == 1:
        return rng.normal(0, 0.1, shape).astype(np.float32)
    is_depthwise = variable == "depthwise_kernel" or (len(shape) == 4 and shape[3] == 1)
    fan = np.prod(shape[:2]) if is_depthwise else np.prod(shape[:-1])
    return rng.normal(0, gain * float(fan) ** -0.5, shape).astype(np.float32)


def picture(side: int) -> NDArray[np.float32]:
    """(1, side, side, 3), 0 to 255."""
    rows, columns = np.indices((side, side)).astype(np.float32)
    channels = [rows * 255 / (side - 1), columns * 255 / (side - 1), (rows * columns) % 256]
    return np.stack(channels, axis=-1)[None]


def nasnet_layers(network: nn.Module) -> Layers:
    """All layers of Keras's NASNetMobile that have variables; shapes from our network."""
    names = ["stem_conv1", "stem_bn1", "predictions"]
    for cell in ("stem_1", "stem_2", "reduce_4", "reduce_8"):
        sides = ("left1", "right1", "right2", "right3", "left4")
        names += [f"reduction_conv_1_{cell}", f"reduction_bn_1_{cell}", *separable("reduction", sides, cell)]
    for cell in ("0", "1", "2", "3", "5", "6", "7", "8", "9", "10", "11", "12"):
        sides = ("left1", "right1", "left2", "right2", "left5")
        names += [f"normal_conv_1_{cell}", f"normal_bn_1_{cell}", *separable("normal", sides, cell)]
    for cell in ("stem_2", "0", "5", "9"):  # after a reduction the map before is larger
        names += [f"adjust_conv_1_{cell}", f"adjust_conv_2_{cell}", f"adjust_bn_{cell}"]
    for cell in ("reduce_4", "reduce_8", "1", "2", "3", "6", "7", "8", "10", "11", "12"):
        names += [f"adjust_conv_projection_{cell}", f"adjust_bn_{cell}"]
    return {name: dict(variables_of(name, [network.get_submodule(m) for m in keras_layer(name)])) for name in names}


def separable(kind: str, sides: tuple[str, ...], cell: str) -> Iterator[str]:
    for side in sides:
        for time in (1, 2):
            yield f"separable_conv_{time}_{kind}_{side}_{cell}"
            yield f"separable_conv_{time}_bn_{kind}_{side}_{cell}"


def variables_of(layer: str, modules: list[nn.Module]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    first = modules[0].weight
    assert isinstance(first, torch.Tensor)
    if isinstance(modules[0], nn.BatchNorm2d):
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(NORM, tuple(first.shape))
    elif isinstance(modules[0], nn.Linear):
        shapes = {"kernel": tuple(first.T.shape), "bias": tuple(first.shape[:1])}
    elif len(modules) == 2:
        second = modules[1].weight
        assert isinstance(second, torch.Tensor)
        shapes = {"depthwise_kernel": tuple(first.permute(2, 3, 0, 1).shape)}
        shapes["pointwise_kernel"] = tuple(second.permute(2, 3, 1, 0).shape)
    else:
        shapes = {"kernel": tuple(first.permute(2, 3, 1, 0).shape)}
    return ((variable, numbers_of(layer, variable, shape)) for variable, shape in shapes.items())


def efficientnet_layers(*, with_classifier: bool = True) -> Layers:
    """All layers of Keras's EfficientNetV2B0 that have variables."""
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}

    def convolution(name: str, side: int, n_in: int, n_out: int, *, bias: bool = False) -> None:
        shapes[name] = {"kernel": (side, side, n_in, n_out)} | ({"bias": (n_out,)} if bias else {})

    def norm(name: str, n: int) -> None:
        shapes[name] = dict.fromkeys(NORM, (n,))

    convolution("stem_conv", 3, 3, 32)
    norm("stem_bn", 32)
    n_in = 32
    for stage, (depth, width) in enumerate(((1, 16), (2, 32), (2, 48), (3, 96), (5, 112), (8, 192)), start=1):
        for block in (f"block{stage}{'abcdefgh'[number]}_" for number in range(depth)):
            wide = n_in * (1 if stage == 1 else 6 if stage >= 5 else 4)
            if stage > 1:
                convolution(f"{block}expand_conv", 3 if stage < 4 else 1, n_in, wide)
                norm(f"{block}expand_bn", wide)
            if stage > 3:
                shapes[f"{block}dwconv2"] = {"kernel": (3, 3, wide, 1)}
                norm(f"{block}bn", wide)
                convolution(f"{block}se_reduce", 1, wide, n_in // 4, bias=True)
                convolution(f"{block}se_expand", 1, n_in // 4, wide, bias=True)
            convolution(f"{block}project_conv", 3 if stage == 1 else 1, wide, width)
            norm(f"{block}project_bn", width)
            n_in = width
    convolution("top_conv", 1, 192, 1280)
    norm("top_bn", 1280)
    if with_classifier:
        shapes["predictions"] = {"kernel": (1280, N_CLASSES), "bias": (N_CLASSES,)}
    return {
        layer: {variable: numbers_of(layer, variable, shape, gain=GAIN) for variable, shape in variables.items()}
        for layer, variables in shapes.items()
    }


def keras_2(file: Path, layers: Layers) -> Path:
    """As `save_weights` of Keras 2 wrote them: a group for each layer, another of its name inside."""
    with h5py.File(file, "w") as opened:
        for layer, variables in layers.items():
            for variable, numbers in variables.items():
                opened[f"{layer}/{layer}/{variable}:0"] = numbers
        opened.create_group("activation")
    return file


def whole_model(file: Path, layers: Layers) -> Path:
    """As `model.save("….h5")` writes it: with scopes, and with what training needs to go on."""
    with h5py.File(file, "w") as opened:
        for layer, variables in layers.items():
            for variable, numbers in variables.items():
                opened[f"model_weights/{layer}/a_scope/{layer}/{variable}"] = numbers
        opened["optimizer_weights/adam/iterations"] = np.int64(3)
    return file


def keras_3(file: Path, layers: Layers) -> Path:
    """As `save_weights("….weights.h5")` of Keras 3: numbered by kind and order, the layer's name beside."""
    counts: dict[str, int] = {}
    with h5py.File(file, "w") as opened:
        for layer, variables in layers.items():
            kind = kind_of(layer, variables)
            number = counts[kind] = counts.get(kind, -1) + 1
            group = opened.create_group(f"layers/{kind}{f'_{number}' if number else ''}/vars")
            group.attrs["name"] = layer
            for order, numbers in enumerate(variables.values()):
                group[str(order)] = numbers
        opened["layers/dropout/seed_generator/vars/0"] = np.zeros(2, dtype=np.uint32)
        opened["optimizer/vars/0"] = np.int64(3)
    return file


def kind_of(layer: str, variables: Variables) -> str:
    if "gamma" in variables:
        return "batch_normalization"
    if "depthwise_kernel" in variables:
        return "separable_conv2d"
    if variables["kernel"].ndim == 2:
        return "dense"
    return "depthwise_conv2d" if layer.endswith("dwconv2") else "conv2d"


def logits(model: str, image: NDArray[np.float32]) -> torch.Tensor:
    """Of the imported weights with the classifier that is among them."""
    record, weights = model_info(model), local_weights(model)
    assert weights is not None
    if record.timm_name is not None:
        network = timm_network(record.timm_name, weights, options={})
    else:
        network = NASNetMobile(n_classes=N_CLASSES)
        load_exactly(network, weights)
    mean, sd = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in record.normalization)
    pixels = torch.from_numpy(image).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        answer: torch.Tensor = network.eval()((pixels - mean) / sd)[0]
    return answer


@pytest.mark.slow
def test_efficientnetv2_b0_answers_as_kerass_does(tmp_path: Path) -> None:
    file = keras_3(tmp_path / "theirs.weights.h5", efficientnet_layers())
    source = import_weights(file, "efficientnetv2_b0", license="mine")
    expected = torch.tensor(EFFICIENTNET_64)
    answer = logits("efficientnetv2_b0", picture(64))
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-3)
    assert (logits("efficientnetv2_b0", picture(64) * 0) - expected).abs().max() > 1, "the picture counts"
    assert (source.source, source.license) == ("theirs.weights.h5", "mine")


@pytest.mark.parametrize("write", [keras_2, whole_model])
def test_every_layout_holds_the_same(write: Callable[[Path, Layers], Path], tmp_path: Path) -> None:
    layers = dict(list(efficientnet_layers().items())[:30])
    first, other = (read_arrays(w(tmp_path / f"{w.__name__}.h5", layers)) for w in (keras_3, write))
    assert other.keys() == first.keys() == layers.keys()
    for layer, variables in layers.items():
        assert other[layer].keys() == first[layer].keys() == variables.keys()
        assert all(np.array_equal(other[layer][name], first[layer][name]) for name in variables)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_nasnet_mobile_answers_as_kerass_does_with_tensorflows_padding(tmp_path: Path) -> None:
    with torch.device("meta"):
        layers = nasnet_layers(NASNetMobile(n_classes=N_CLASSES))
    assert len(layers) == 389  # as many as have variables in Keras
    import_weights(whole_model(tmp_path / "theirs.h5", layers), "nasnet_mobile")
    torch.testing.assert_close(logits("nasnet_mobile", picture(96)), torch.tensor(NASNET_96), rtol=1e-4, atol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_file_without_a_classifier_is_enough(tmp_path: Path) -> None:
    file = keras_2(tmp_path / "notop.h5", efficientnet_layers(with_classifier=False))
    import_weights(file, "efficientnetv2_b0")


def test_layers_inside_a_network_that_is_a_layer_itself_are_found(tmp_path: Path) -> None:
    layers = {"stem_conv": {"kernel": np.ones((1, 1, 3, 2), np.float32)}, "stem_bn": {"gamma": np.ones(2, np.float32)}}
    with h5py.File(tmp_path / "mine.h5", "w") as opened:
        for layer, variables in layers.items():
            for variable, numbers in variables.items():
                opened[f"model_weights/inner_network/{layer}/{variable}:0"] = numbers
        opened["model_weights/dense/dense/kernel:0"] = np.ones((2, 4), np.float32)
    assert set(read_arrays(tmp_path / "mine.h5")) == {"stem_conv", "stem_bn", "dense"}


# What is refused


@pytest.mark.exhaustive
@pytest.mark.slow
def test_layers_that_the_network_does_not_have_are_named_and_nothing_is_kept(tmp_path: Path) -> None:
    layers = efficientnet_layers() | {"dense_7": {"kernel": np.ones((5, 2), np.float32)}}
    with pytest.raises(WeightsUnavailable) as error:
        import_weights(keras_2(tmp_path / "mine.h5", layers), "efficientnetv2_b0")
    assert error.value.what.endswith(text("tensors-unknown", n=1, names="dense_7/kernel"))
    assert not (tmp_path / "weights").exists()


@pytest.mark.slow
def test_another_network_of_keras_is_refused_by_its_layers(tmp_path: Path) -> None:
    layers = {"conv1_conv": {"kernel": np.ones((7, 7, 3, 64), np.float32)}}
    with refusing(WeightsUnavailable, "keras-network-not-read", layers="conv1_conv"):
        import_weights(keras_2(tmp_path / "resnet.h5", layers), "resnet50")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_file_of_an_early_keras_3_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "early.weights.h5", "w") as opened:
        opened["layers/conv2d/vars/0"] = np.ones((3, 3, 3, 8), np.float32)
    with refusing(WeightsUnavailable, "keras-layers-unnamed"):
        read_keras(tmp_path / "early.weights.h5")


def spoil(opened: h5py.File, how: str) -> None:
    where, ones = "stem_conv/stem_conv", np.ones((3, 3), np.float32)
    huge = (2**40, 2**20)
    match how:
        case "external link":
            opened[f"{where}/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/x")
        case "soft link":
            opened[f"{where}/kernel:0"] = h5py.SoftLink("/other")
        case "dangling soft link":
            opened["stem_conv"] = h5py.SoftLink("/nowhere")
        case "external numbers":
            opened.create_dataset(f"{where}/kernel:0", shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)])
        case "virtual numbers":
            layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
            layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4,))
            opened.create_virtual_dataset(f"{where}/kernel:0", layout)
        case "compressed":
            opened.create_dataset(f"{where}/kernel:0", data=ones, compression="gzip")
        case "huge":
            opened.create_dataset(f"{where}/kernel:0", shape=huge, chunks=(1024, 1024), dtype="f4")
        case "many of one":
            opened[f"{where}/kernel:0"] = np.ones(10_000, np.float32)
            for number in range(50):
                opened[f"{where}/{number}"] = opened[f"{where}/kernel:0"]
        case "circle":
            group = opened.create_group("stem_conv")
            group["again"] = group
        case "integers":
            opened[f"{where}/kernel:0"] = np.ones((3, 3), np.int32)
        case "text":
            opened[f"{where}/kernel:0"] = np.array([b"abc"])
        case "references":
            opened.create_dataset(f"{where}/kernel:0", data=[opened.ref], dtype=h5py.ref_dtype)
        case "nothing":
            opened[f"{where}/kernel:0"] = h5py.Empty("f4")
        case "datatype":
            opened[f"{where}/kernel:0"] = np.dtype("f4")
        case "at the root":
            opened["kernel:0"] = ones
        case "long name":
            group = opened.create_group("layers/conv2d/vars")
            group.attrs["name"] = np.bytes_(b"x" * 5000)
            group["0"] = ones


_KERNEL = "stem_conv/stem_conv/kernel:0"
HARMFUL: dict[str, tuple[str, dict[str, str]]] = {
    "external link": ("hdf5-link", {"name": _KERNEL}),
    "soft link": ("hdf5-link", {"name": _KERNEL}),
    "dangling soft link": ("hdf5-link", {"name": "stem_conv"}),
    "external numbers": ("hdf5-in-other-file", {"name": _KERNEL}),
    "virtual numbers": ("hdf5-in-other-file", {"name": _KERNEL}),
    "compressed": ("hdf5-compressed", {"name": _KERNEL}),
    "huge": ("hdf5-too-many-numbers", {}),
    "many of one": ("hdf5-too-many-numbers", {}),
    "circle": ("hdf5-too-many-parts", {}),
    "integers": ("hdf5-no-fractions", {"name": _KERNEL, "dtype": "int32"}),
    "text": ("hdf5-no-fractions", {"name": _KERNEL, "dtype": "|S3"}),
    "references": ("hdf5-no-fractions", {"name": _KERNEL, "dtype": "object"}),
    "nothing": ("hdf5-no-numbers", {"name": _KERNEL}),
    "datatype": ("hdf5-no-numbers", {"name": _KERNEL}),
    "at the root": ("keras-variable-without-layer", {"name": "kernel:0"}),
    "long name": ("keras-layer-name-too-long", {}),
}


@pytest.mark.parametrize("how", HARMFUL)
def test_a_harmful_file_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bad.h5", "w") as opened:
        spoil(opened, how)
    code, parameters = HARMFUL[how]
    with pytest.raises(WeightsUnavailable) as error:
        read_arrays(tmp_path / "bad.h5")
    assert error.value.code == "no-keras-weights"
    assert error.value.parameters["reason"] == text(code, **parameters)
    assert "\n" not in error.value.what


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_refusal_comes_back_from_the_process_that_reads(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bad.h5", "w") as opened:
        spoil(opened, "huge")
    reason = text("hdf5-too-many-numbers")
    with refusing(WeightsUnavailable, "no-keras-weights", reason=reason) as error:
        import_weights(tmp_path / "bad.h5", "efficientnetv2_b0")
    assert error.value.file == tmp_path / "bad.h5"
    assert not (tmp_path / "weights").exists()


def test_a_file_that_is_read_for_ever_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_WALL_CLOCK_FACTOR", 1e-4)
    with refusing(WeightsUnavailable, "weights-beyond-limits"):
        read_keras(keras_2(tmp_path / "mine.h5", {"stem_conv": {"kernel": np.ones((3, 3, 3, 32), np.float32)}}))


def test_no_module_of_the_current_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = np.ones((3, 3, 3, 32), np.float32)
    file = keras_2(tmp_path / "mine.h5", {"stem_conv": {"kernel": kernel}})
    (tmp_path / "h5py.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    assert read_layers(file)["stem_conv"]["kernel"].shape == kernel.shape


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_cut_file_is_refused(share: float, tmp_path: Path) -> None:
    whole = keras_2(tmp_path / "whole.h5", {"stem_conv": {"kernel": np.ones((3, 3, 3, 32), np.float32)}}).read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: int(share * len(whole))])
    with refusing(WeightsUnavailable, "hdf5-damaged"):
        read_arrays(tmp_path / "cut.h5")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_infinity_is_refused_as_in_other_files(tmp_path: Path) -> None:
    layers: dict[str, Any] = efficientnet_layers()
    layers["stem_bn"]["gamma"][3] = np.inf
    with refusing(WeightsUnavailable, "weights-not-finite", tensors="bn1.weight"):
        import_weights(keras_2(tmp_path / "bad.h5", layers), "efficientnetv2_b0")
