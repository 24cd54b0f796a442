"""Networks as coverslip trains and packs them, the freezing of their layers, and their complexity.

A `native` head reads the pooled last layer of the backbone. A `multi_layer` head reads the mean and the standard
deviation of every tapped block over the image: early blocks represent texture and granules, late blocks shape, and a
linear head on the last layer alone loses the former.
"""

import difflib
import fnmatch
import io
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from coverslip.cache.file_hashes import state_of
from coverslip.errors import BadRecipe
from coverslip.messages import Set, ShowModels
from coverslip.models._libraries import shapes_only
from coverslip.models.backbone import EXPECTED, TENSORS, Architecture, Backbone, Head
from coverslip.models.building import (
    build_body,
    built_once,
    check_options,
    is_untrained,
    named_stages,
    same_random_numbers,
    without_classifier,
)
from coverslip.models.catalogue import model_info
from coverslip.models.weights import starting_weights
from coverslip.models.zoo import BACKBONE, Arrays, ModelRecord, Normalization, WeightsSource

VARIANCE_FLOOR = 1e-6  # keeps the gradient of the square root finite if a map is constant


class Network(nn.Module):
    """A classifier network: (B, C, H, W) float in [0, 1] -> (B, K) logits."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        record: ModelRecord,
        architecture: Architecture,
        backbone: nn.Module,
        n_features: int,
        n_classes: int,
        normalization: Normalization,
    ) -> None:
        super().__init__()
        self.record, self.architecture = record, architecture
        mean, std = map(torch.tensor, normalization)
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1))
        self.register_buffer("std", std.reshape(1, -1, 1, 1))
        self.backbone = backbone
        self.head = nn.Linear(n_features, n_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the (B, D) input of the head for (B, C, H, W) float in [0, 1]."""
        pooled: Tensor = self.backbone((x - self.mean) / self.std)
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits

    def as_backbone(self) -> Backbone:
        """Return the network without its head as arrays, which later changes of the network do not change.

        Engines run it, so that they do not depend on the head and folds on one frozen network can share an engine.
        """
        arrays = {
            name: tensor.detach().cpu().contiguous().numpy().copy()
            for name, tensor in self.state_dict().items()
            if not name.startswith("head.")
        }
        backbone = Backbone(self.architecture, arrays, self.head.in_features)
        is_training = self.training
        with torch.inference_mode():
            expected = self.eval().features(torch.from_numpy(backbone.noise()).to(self.mean.device))
        self.train(is_training)
        return replace(backbone, expected=expected.float().cpu().numpy())

    def weights(self) -> Arrays:
        """Return the tensors of a packaged classifier by name."""
        head = {f"head.{name}": tensor.detach().cpu().numpy() for name, tensor in self.head.state_dict().items()}
        return {**self.as_backbone().tensors(), **head}

    def load_backbone(self, backbone: Backbone) -> None:
        """Set all tensors but the head to those of a backbone.

        Raises:
            RuntimeError: a tensor is missing, unknown, or has another shape.
        """
        tensors = {name: torch.from_numpy(array) for name, array in backbone.arrays.items()}
        heads = {f"head.{name}": tensor for name, tensor in self.head.state_dict().items()}
        self.load_state_dict(tensors | heads)

    def set_head(self, weight: npt.NDArray[np.floating[Any]], bias: npt.NDArray[np.floating[Any]]) -> None:
        """Replace the (K, D) weight and (K,) bias of the head."""
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    @property
    def body(self) -> nn.Module:
        """The architecture, without the pooling of a `multi_layer` head."""
        return _body(self.backbone)

    def body_module(self, name: str) -> nn.Module:
        """Return a module of the architecture by its name there, such as the record's `heatmap_layer`.

        Raises:
            AttributeError: there is no module of this name.
        """
        return self.body.get_submodule(name)


class CannotPool(Exception):
    """The stages of a network return no maps, but lists, pairs, or nothing."""


class MultiLayerPooling(nn.Module):
    """Mean and standard deviation over the image of every tapped block's output: (B, C, H, W) -> (B, D).

    Raises:
        CannotPool: the outputs are no maps.
    """

    def __init__(self, body: nn.Module, taps: list[str]) -> None:
        super().__init__()
        self.body = body
        self._taps = taps
        self._stops_early = hasattr(body, "forward_intermediates")
        self._is_channels_last = getattr(body, "output_fmt", "NCHW") == "NHWC"
        self._outputs: list[Tensor] = []
        for tap in taps:
            body.get_submodule(tap).register_forward_hook(self._record)

    def forward(self, x: Tensor) -> Tensor:
        self._run(x)
        pooled = [moment for output in self._outputs for moment in self._pool(output)]
        self._outputs.clear()
        return torch.cat(pooled, dim=1)

    def _run(self, x: Tensor) -> None:
        """Run the network and record the outputs of the taps."""
        self._outputs.clear()
        try:
            if self._stops_early:  # most networks of timm can run the blocks without pooling and classifier
                self.body.forward_intermediates(x, intermediates_only=True)  # type: ignore[operator]  # timm's untyped method
            else:
                self.body(x)
        except RuntimeError:  # such as insufficient memory, which another attempt needs
            self._outputs.clear()
            raise
        if not self._outputs:  # the network uses the contents of the tapped modules without calling the modules
            raise CannotPool

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the (B, C, h, w) output of each tap before pooling; tokens of a transformer are (B, C, tokens, 1)."""
        self._run(x)
        maps = [self._as_map(output) for output in self._outputs]
        self._outputs.clear()
        return maps

    def extra_repr(self) -> str:
        """Return the taps as part of the network's fingerprint, because features depend on them."""
        return f"mean and sd of {', '.join(self._taps)}"

    def _record(self, module: nn.Module, inputs: Any, output: Tensor) -> None:  # Any: PyTorch's hook signature
        self._outputs.append(output)

    def _pool(self, output: Tensor) -> tuple[Tensor, Tensor]:
        output = self._as_map(output)
        # torch.var_mean is 15 times slower for channels-last memory (measured on the CPU).
        mean = output.mean(dim=(2, 3), keepdim=True)
        variance = (output - mean).square().mean(dim=(2, 3))
        return mean.flatten(1), (variance + VARIANCE_FLOOR).sqrt()

    def _as_map(self, output: Tensor) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim not in (3, 4):
            raise CannotPool
        if output.ndim == 3:  # (B, tokens, C) of a transformer
            output = output.transpose(1, 2).unsqueeze(-1)
        elif self._is_channels_last:
            output = output.permute(0, 3, 1, 2)
        if output.dtype in (torch.float16, torch.bfloat16):  # too few digits for means over many positions
            output = output.float()
        return output


def create_network(
    model: str,
    *,
    n_classes: int,
    head: Head = "multi_layer",
    channels: int = 3,
    pretrained: bool = True,
    options: dict[str, Any] | None = None,  # Any: the architecture checks them
    image_size: int | None = None,
) -> Network:
    """Return a network ready to train.

    Args:
        model: a registered name, or `timm/NAME`.
        n_classes: K.
        head: the features that the head reads.
        channels: of the images; the first layer is adapted.
        pretrained: start from ImageNet weights, otherwise from random weights (seed PyTorch before).
        options: passed to the architecture.
        image_size: image side in pixels; None: the default of the model.

    Raises:
        UnknownModel: no model has this name.
        WeightsUnavailable: pretrained weights are not on this machine and cannot be downloaded.
        BadRecipe: the model does not accept the options or the image size, or has no block outputs for `multi_layer`.
    """
    record = model_info(model)
    side = image_size or record.input_px
    if options:
        check_options(record, channels, options)
    _check_patches(record, side)

    def build() -> tuple[nn.Module, int]:
        return _backbone(record, head, channels=channels, pretrained=pretrained, options=options or {}, side=side)

    weights = starting_weights(record) if pretrained else None
    if pretrained and (
        weights is None or not weights.file.is_file()
    ):  # `build` downloads the file or reports that it is gone
        backbone, n_features = build()
    else:
        key = (repr(record), head, channels, repr(sorted((options or {}).items())), side, _identity(weights))
        backbone, n_features = built_once(key, record, build)
    architecture = Architecture(model, head, channels, side, options or {})
    normalization = record.normalization.for_channels(channels)
    return Network(record, architecture, backbone.train(), n_features, n_classes, normalization)


def random_network(
    architecture: Architecture, seed: int = 0, n_classes: int = 2, *, pretrained: bool = False
) -> Network:
    """Return a network with random weights by a seed, at least of its head, as of `create_network`."""
    torch.manual_seed(seed)
    return create_network(
        architecture.model,
        n_classes=n_classes,
        head=architecture.head,
        channels=architecture.channels,
        pretrained=pretrained,
        options=dict(architecture.options),
        image_size=architecture.image_size,
    )


def network_of(backbone: Backbone) -> Network:
    """Return the network of a backbone in evaluation mode, with a random head.

    Raises:
        RuntimeError: the arrays do not fit the architecture.
        UnknownModel, BadRecipe: as of `create_network`.
    """
    with same_random_numbers():
        network = random_network(backbone.architecture)
    network.load_backbone(backbone)
    return network.eval()


DTYPES = {torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
"""Names in files of weights."""


class _Features(nn.Module):
    """A network up to its head, as the exporter needs it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.features(x)


def trace_graph(architecture: Architecture) -> bytes | None:
    """Return the ONNX graph of an architecture without weights, as of `graphs.graph_of`.

    Weights are named as in the network. Tracing takes a second; the newer exporter takes a minute.
    """
    import onnx

    with same_random_numbers():
        network = random_network(architecture)
    x = torch.zeros(1, architecture.channels, architecture.image_size, architecture.image_size)
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # warnings of the tracer concern developers of PyTorch
            torch.onnx.export(
                _Features(network.eval()),
                (x,),
                buffer,  # type: ignore[arg-type]  # accepted when tracing, not in the annotation
                dynamo=False,
                do_constant_folding=False,  # with which weights would lose their names
                training=torch.onnx.TrainingMode.PRESERVE,  # so would those of batch norms
                input_names=["images"],
                output_names=["features"],
                dynamic_axes={name: {0: "n_images"} for name in ("images", "features")},
            )
    except (RuntimeError, ValueError, TypeError):  # of the exporter
        return None
    model = onnx.load_from_string(buffer.getvalue())
    tensors = {
        name: (DTYPES[tensor.dtype], [*tensor.shape])
        for name, tensor in network.state_dict().items()
        if not name.startswith("head.")
    }
    tensors[EXPECTED] = (DTYPES[torch.float32], [1, network.head.in_features])
    model.metadata_props.add(key=TENSORS, value=json.dumps(tensors))
    for node in model.graph.node:
        node.input[:] = [name.removeprefix("network.") for name in node.input]
    for initializer in model.graph.initializer:
        initializer.name = initializer.name.removeprefix("network.")
        if initializer.name in tensors:
            initializer.ClearField("raw_data")
    graph: bytes = model.SerializeToString()
    return graph


def _backbone(
    record: ModelRecord,
    head: Head,
    *,
    channels: int,
    pretrained: bool,
    options: dict[str, Any],  # Any: as in `create_network`
    side: int,
) -> tuple[nn.Module, int]:
    """Return the part of a network before its head, and the number of its features."""
    body = build_body(record, channels=channels, pretrained=pretrained, options=options, image_size=side)
    backbone = without_classifier(body, record) if head == "native" else _multi_layer_pooling(body, record)
    key = (repr(record), head, channels, repr(sorted(options.items())), side)
    try:
        if (use := _uses.get(key)) is None:
            use = _use_of(backbone, (1, channels, side, side))
            if record.is_of_library:
                _uses[key] = use
    except CannotPool as error:
        raise _no_maps(record) from error
    except (AssertionError, RuntimeError, ValueError) as error:  # architectures refuse sizes with different errors
        raise BadRecipe(
            "image-size-not-accepted",
            remedies=(Set("image_size", record.input_px),),
            model=record.name,
            side_px=side,
            own_px=record.input_px,
            reason=str(error).splitlines()[0],
        ) from error
    for name in use.unused_modules:
        setattr(_body(backbone), name, nn.Identity())
    return backbone, use.n_features


def _identity(weights: WeightsSource | None) -> tuple[object, ...]:
    """Return a key of the weights with the state of the file, which may change under the same name."""
    return () if weights is None else (str(weights.file), state_of(weights.file))


def _check_patches(record: ModelRecord, side: int) -> None:
    """Check that a transformer's patches cover an image: otherwise pixels at two borders would be ignored silently.

    Raises:
        BadRecipe: the patches do not cover it. The error gives the nearest sizes.
    """
    patch = record.side_multiple
    if side % patch == 0:
        return
    smaller, larger = (max(1, side // patch) * patch, (side // patch + 1) * patch)
    nearest = smaller if 2 * side < smaller + larger else larger
    raise BadRecipe(
        "image-size-no-multiple",
        remedies=(Set("image_size", nearest),),
        model=record.name,
        side_px=side,
        patch_px=patch,
        smaller_px=smaller,
        larger_px=larger,
        has_smaller=side >= patch,
    )


def _multi_layer_pooling(body: nn.Module, record: ModelRecord) -> MultiLayerPooling:
    taps = _tapped(body, record.taps)
    if not taps:
        raise _no_maps(record)
    if hasattr(body, "forward_intermediates"):
        body.prune_intermediate_layers(prune_head=True, prune_norm=True)  # type: ignore[operator]  # timm's untyped method
    else:
        without_classifier(body, record)
    return MultiLayerPooling(body, taps)


def _no_maps(record: ModelRecord) -> BadRecipe:
    return BadRecipe("no-stage-maps", remedies=(Set("head", "native"),), model=record.name)


def _body(backbone: nn.Module) -> nn.Module:
    return backbone.body if isinstance(backbone, MultiLayerPooling) else backbone


@dataclass(frozen=True, slots=True)
class _Use:
    """What a backbone computes: the number of its features D, and modules on which no feature depends."""

    n_features: int
    unused_modules: tuple[str, ...]  # their parameters would never be trained


_uses: dict[tuple[object, ...], _Use] = {}  # of networks that are always built the same; a training builds three


def _use_of(backbone: nn.Module, shape: tuple[int, int, int, int]) -> _Use:
    """Run the network on the meta device: for large images, real numbers would take minutes and gigabytes."""
    with shapes_only(), torch.enable_grad():  # callers that only predict may have disabled gradients
        shadows = {id(p): torch.empty_like(p, device="meta").requires_grad_() for p in backbone.parameters()}
        # Each tensor of each module once: a module with several names would else keep the shadows, since tied weights
        # are exchanged twice.
        tensors: dict[str, torch.Tensor] = {}
        for path, module in backbone.named_modules():
            prefix = f"{path}." if path else ""
            parameters = module.named_parameters(recurse=False, remove_duplicate=False)
            tensors |= {f"{prefix}{name}": shadows[id(p)] for name, p in parameters}
            buffers = module.named_buffers(recurse=False, remove_duplicate=False)
            tensors |= {f"{prefix}{name}": buffer.to("meta") for name, buffer in buffers}
        features = torch.func.functional_call(backbone.eval(), tensors, (torch.zeros(shape),), tie_weights=False)
        features.sum().backward()
    unused_modules = tuple(
        name
        for name, child in _body(backbone).named_children()
        if (parameters := list(child.parameters())) and all(shadows[id(p)].grad is None for p in parameters)
    )
    return _Use(int(features.shape[1]), unused_modules)


def _tapped(body: nn.Module, patterns: tuple[str, ...]) -> list[str]:
    """Return the dotted names of the tapped modules, in the order of the network."""
    if not patterns:
        return named_stages(body)
    names = [name for name, _ in body.named_modules()]
    return [
        name for name in names if any(fnmatch.fnmatch(name, p) and name.count(".") == p.count(".") for p in patterns)
    ]


def freeze_to(network: Network, boundary: str | None) -> None:
    """Freeze every parameter up to and including a boundary; None freezes no parameter.

    Args:
        network: as returned by `create_network`.
        boundary: one of the record's `freeze_boundaries` (`backbone` is everything but the head), or the name of any
            module that has parameters, such as `blocks.3.1`.

    Raises:
        BadRecipe: the network has no such module. The error gives the nearest names.
    """
    network.requires_grad_(True)
    if boundary is None:
        return
    if boundary == BACKBONE:
        network.backbone.requires_grad_(False)
        return
    boundaries = network.record.freeze_boundaries
    end = boundaries.get(boundary, boundary)
    modules = [name for name, module in network.body.named_modules() if name and list(module.parameters())]
    if end not in modules:
        similar = difflib.get_close_matches(boundary, boundaries, n=3, cutoff=0.0)
        remedies = (ShowModels(network.record.name),)
        raise BadRecipe("unknown-network-part", remedies=remedies, name=boundary, similar=", ".join(similar))
    has_reached_end = False
    for name, parameter in network.body.named_parameters():
        is_in_end = f"{name}.".startswith(f"{end}.")
        if has_reached_end and not is_in_end:
            return
        has_reached_end = has_reached_end or is_in_end
        parameter.requires_grad_(False)


def check_choices(
    model: str, options: dict[str, Any], head: Head, boundary: str | None, image_size: int | None
) -> None:  # Any: the architecture checks them
    """Build a network as training does, to check the choices of a recipe before any work.

    Args:
        model, options, head, boundary, image_size: as in a recipe.

    Raises:
        BadRecipe: the network does not accept a choice.
    """
    with same_random_numbers():
        network = create_network(
            model, n_classes=2, head=head, pretrained=False, options=options, image_size=image_size
        )
    freeze_to(network, boundary)


def train_mode(network: nn.Module, *, keep_statistics: bool) -> None:
    """Set training mode; frozen batch norms, or all with `keep_statistics`, keep their moving statistics.

    A batch norm in training mode normalizes by the batch and updates its statistics even if its weights are frozen.
    Norms without pretrained statistics (`is_untrained`) have none to keep.
    """
    network.train()
    for module in network.modules():
        if not isinstance(module, _BatchNorm):
            continue
        is_pretrained = not is_untrained(module)
        if (keep_statistics and is_pretrained) or not any(p.requires_grad for p in module.parameters()):
            module.eval()


def follows_batches(network: nn.Module) -> bool:
    """Return whether any batch norm of the network normalizes by the batch in the current mode."""
    return any(isinstance(module, _BatchNorm) and module.training for module in network.modules())


# Counts of multiply-accumulates and parameters of a network, and an estimate of its training memory.

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Counts of one network."""

    parameters: int
    macs: int  # of one image: convolutions, linear layers and products of attention
    conv_linear_weights_x2: int  # without biases and normalization; independent of the image size


def cost_of(network: nn.Module, image: Tensor) -> Cost:
    """Count the cost of a network for an input of (1, C, H, W), both on the meta device, where nothing is computed.

    PyTorch's counter includes every convolution and matrix product, also the products of attention outside layers. It
    counts a multiply-accumulate as two operations. It needs gradients, so they are enabled.
    """
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(image)
    return Cost(
        parameters=sum(p.numel() for p in network.parameters()),
        macs=counter.get_total_flops() // 2,
        conv_linear_weights_x2=2 * sum(m.weight.numel() for m in network.modules() if isinstance(m, _WEIGHTED)),
    )


def cost_of_model(
    model: str,
    *,
    n_classes: int = 1000,
    channels: int = 3,
    options: dict[str, Any] | None = None,
    head: Literal["multi_layer", "native"] = "native",
    image_size: int | None = None,
) -> Cost:
    """Return the cost of a model. No memory is used for weights.

    Args:
        model: name of the model.
        n_classes: of the head.
        channels: of the images.
        options, head: as in a recipe.
        image_size: image side in pixels; None: the default of the model.

    Raises:
        UnknownModel: no model has this name.
        BadRecipe: the model does not accept these options.
    """
    return _of_shapes(cost_of, model, n_classes, channels, options, head, image_size)


_Count = TypeVar("_Count")


def _of_shapes(
    count: Callable[[nn.Module, Tensor], _Count],
    model: str,
    n_classes: int,
    channels: int,
    options: dict[str, Any] | None,
    head: Literal["multi_layer", "native"],
    image_size: int | None,
) -> _Count:
    """Return the count of a network and one image, which have shapes but no values."""
    side = image_size or model_info(model).input_px
    with shapes_only():
        network = create_network(
            model,
            n_classes=n_classes,
            head=head,
            channels=channels,
            pretrained=False,
            options=options,
            image_size=image_size,
        )
        return count(network, torch.zeros(1, channels, side, side))


_BATCH = 2  # images per pass, so that the memory of one image can be separated from the constant part
_WORKSPACE = 1.15  # factor for convolutions and the allocator, measured with batches of 8 and 16
_COPIES = 4  # of each weight: the weight, its gradient, and two running means of the optimizer

# Bytes of weights and bytes per image, by the key of the network: a training needs the same counts several times, and
# counting takes half a second.
_counts: dict[str, tuple[int, float]] = {}


def training_memory(
    model: str,
    *,
    image_size: int,
    channels: int,
    n_classes: int,
    images_at_once: int,
    head: Literal["multi_layer", "native"] = "multi_layer",
    options: dict[str, Any] | None = None,
) -> int:
    """Return the bytes of a training step without the program itself: weights, gradients, optimizer, activations.

    A forward pass runs on PyTorch's meta device, and the tensors that it stores for the backward pass are counted.

    Args:
        model: name of the model.
        image_size: image side in pixels.
        channels: of the images.
        n_classes: of the head.
        images_at_once: number of images whose activations are held at the same time.
        head, options: as in a recipe.

    Raises:
        UnknownModel: no model has this name.
        BadRecipe: the model does not accept these options.
    """
    record = model_info(model)
    key = repr((record, image_size, channels, n_classes, head, sorted((options or {}).items())))
    counts = _counts.get(key)
    if counts is None:
        counts = _of_shapes(_count, model, n_classes, channels, options, head, image_size)
        if record.is_of_library:
            _counts[key] = counts
    weights, per_image = counts
    return math.ceil(_WORKSPACE * (_COPIES * weights + per_image * images_at_once))


def _count(network: nn.Module, image: Tensor) -> tuple[int, float]:
    """Return the bytes of the weights and the bytes that each image adds."""
    smaller, larger = (_stored_bytes(network, image.repeat(n, 1, 1, 1)) for n in (_BATCH, 2 * _BATCH))
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    return weights, (larger - smaller) / _BATCH


def _stored_bytes(network: nn.Module, images: Tensor) -> int:
    """Return the bytes that a forward pass stores for the backward pass, with fixed statistics as in fine-tuning."""
    storages: dict[int, Any] = {}  # Any: storages, held so that no identifier is reused

    def store(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage  # identifies a storage without memory
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor):
        network.eval()(images)
    return sum(int(storage.nbytes()) for storage in storages.values())
