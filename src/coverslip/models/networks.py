"""Networks as coverslip trains and packs them: normalization, backbone, and a linear head.

`native` reads the backbone's own pooled last layer. `multi_layer` reads the mean and the standard deviation of
every tapped block over the image: texture and granules live in the early blocks, shape in the late ones, and a
linear head on the last layer alone loses the former.
"""

import fnmatch
from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coverslip.errors import BadRecipe
from coverslip.messages import Set
from coverslip.models.architectures.timm_backbones import named_stages
from coverslip.models.building import build_body, check_options, without_classifier
from coverslip.models.catalogue import model_info
from coverslip.models.heads import linear_logits
from coverslip.models.kept import built_once
from coverslip.models.records import ModelRecord
from coverslip.models.shapes import shapes_only
from coverslip.models.weights import WeightsSource, starting_weights

Head = Literal["native", "multi_layer"]
VARIANCE_FLOOR = 1e-6  # keeps the slope of the square root finite where a map is flat


class Network(nn.Module):
    """(B, C, H, W) float in [0, 1] -> (B, K) logits."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, record: ModelRecord, backbone: nn.Module, n_features: int, n_classes: int, mean: Tensor, std: Tensor
    ) -> None:
        super().__init__()
        self.record = record
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1))
        self.register_buffer("std", std.reshape(1, -1, 1, 1))
        self.backbone = backbone
        self.head = nn.Linear(n_features, n_classes)

    def features(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) float in [0, 1] -> (B, D), what the head sees."""
        pooled: Tensor = self.backbone((x - self.mean) / self.std)
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits

    def logits(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return (n, K) for (n, D) features of an engine that runs the network without its head (`FeatureNetwork`).

        So engines do not depend on the head, and folds on one frozen network share theirs.
        """
        weight, bias = (tensor.detach().cpu().numpy() for tensor in (self.head.weight, self.head.bias))
        return linear_logits(features, weight, bias)

    def set_head(self, weight: npt.NDArray[np.floating[Any]], bias: npt.NDArray[np.floating[Any]]) -> None:
        """Replace the (K, D) weight and (K,) bias of the head."""
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    @property
    def body(self) -> nn.Module:
        """The architecture itself, whichever the head."""
        return _body(self.backbone)

    def part(self, name: str) -> nn.Module:
        """A module of the architecture by its own name, such as the record's `heatmap_layer`, whichever the head.

        Raises:
            AttributeError: there is none.
        """
        return self.body.get_submodule(name)


class FeatureNetwork(nn.Module):
    """A network without its head: what its features depend on, and nothing else."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.register_buffer("mean", network.mean)
        self.register_buffer("std", network.std)
        self.backbone = network.backbone

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.backbone((x - self.mean) / self.std)
        return pooled


class CannotPool(Exception):
    """A network whose stages give no maps: lists of them, pairs, or nothing at all."""


class MultiLayerPooling(nn.Module):
    """Mean and standard deviation over the image of every tapped block's output: (B, C, H, W) -> (B, D).

    Raises:
        CannotPool: these are no maps.
    """

    def __init__(self, body: nn.Module, taps: list[str]) -> None:
        super().__init__()
        self.body = body
        self._taps = taps
        self._stops_early = hasattr(body, "forward_intermediates")
        self._is_channels_last = getattr(body, "output_fmt", "NCHW") == "NHWC"
        self._seen: list[Tensor] = []
        self._given: Tensor | None = None
        self._passed_over: Collection[nn.Module] = ()
        for tap in taps:
            body.get_submodule(tap).register_forward_hook(self._see)

    def forward(self, x: Tensor) -> Tensor:
        self._run(x)
        pooled = self.pooled_so_far()
        self._seen.clear()
        return torch.cat(pooled if self._given is None else [self._given, *pooled], dim=1)

    def _run(self, x: Tensor) -> None:
        """Let the taps see what the network makes of images."""
        self._seen.clear()
        try:
            if self._stops_early:  # most of timm's run the blocks only: pooling and classifier are not needed
                self.body.forward_intermediates(x, intermediates_only=True)  # type: ignore[operator]  # timm's untyped method
            else:
                self.body(x)
        except RuntimeError:  # such as no memory: what is kept here would be in the way of another attempt
            self._seen.clear()
            raise
        if not self._seen:  # the network uses what is inside the tapped modules without calling them
            raise CannotPool

    def pooled_so_far(self) -> list[Tensor]:
        """Return (B, C) each: mean and sd of the taps that this pass through the network has reached, in order."""
        return [part for seen in self._seen for part in self._pool(seen)]

    def begin_with(self, pooled: Tensor | None, of: Collection[nn.Module] = ()) -> None:
        """Put these features in front in every pass from now on, and pass over the outputs of some modules.

        Args:
            pooled: (B, D) of taps that are not computed; None: all are computed again.
            of: modules whose outputs are not computed but given, and were pooled before.
        """
        self._given, self._passed_over = pooled, of

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return (B, C, h, w) each: what is pooled, tap by tap; tokens of a transformer are (B, C, tokens, 1)."""
        self._run(x)
        maps = [self._as_map(seen) for seen in self._seen]
        self._seen.clear()
        return maps

    def extra_repr(self) -> str:
        """Part of the network's fingerprint: other taps are other features."""
        return f"mean and sd of {', '.join(self._taps)}"

    def _see(self, module: nn.Module, inputs: Any, output: Tensor) -> None:  # Any: PyTorch's hook signature
        if module not in self._passed_over:
            self._seen.append(output)

    def _pool(self, output: Tensor) -> tuple[Tensor, Tensor]:
        output = self._as_map(output)
        # torch.var_mean is 15 times slower than this where channels lie together (measured on the processor).
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
        if output.dtype in (torch.float16, torch.bfloat16):  # too few digits for means of many places
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
        head: what the classes are read from.
        channels: of the images; the first layer is adapted.
        pretrained: start from ImageNet weights, else from random ones (seed PyTorch before).
        options: passed to the architecture.
        image_size: side in pixels that the network must be able to take; None is its own.

    Raises:
        UnknownModel: there is none of that name.
        WeightsUnavailable: pretrained weights are neither here nor reachable.
        BadRecipe: the model does not take these options, gives no block outputs for `multi_layer`, or cannot take
            images of that size.
    """
    record = model_info(model)
    side = image_size or record.input_px
    if options:
        check_options(record, channels, options)
    _check_patches(record, side)

    def build() -> tuple[nn.Module, int]:
        return _backbone(record, head, channels=channels, pretrained=pretrained, options=options or {}, side=side)

    weights = starting_weights(record) if pretrained else None
    if pretrained and (weights is None or not weights.file.is_file()):  # about to be fetched, or gone, which it says
        backbone, n_features = build()
    else:
        key = (repr(record), head, channels, repr(sorted((options or {}).items())), side, _identity(weights))
        backbone, n_features = built_once(key, record.builder, build)
    mean, std = _normalization(record, channels)
    return Network(record, backbone.train(), n_features, n_classes, mean, std)


def _backbone(
    record: ModelRecord,
    head: Head,
    *,
    channels: int,
    pretrained: bool,
    options: dict[str, Any],  # Any: as in `create_network`
    side: int,
) -> tuple[nn.Module, int]:
    """Return the part of a network before its head, and how many features it gives."""
    body = build_body(record, channels=channels, pretrained=pretrained, options=options, image_size=side)
    backbone = without_classifier(body, record) if head == "native" else _multi_layer_pooling(body, record)
    try:
        return backbone, _drop_unused(backbone, (1, channels, side, side))
    except CannotPool as error:
        raise _no_maps(record) from error
    except (AssertionError, RuntimeError, ValueError) as error:  # each architecture has its own way to refuse
        raise BadRecipe(
            "image-size-not-accepted",
            remedies=(Set("image_size", record.input_px),),
            model=record.name,
            side_px=side,
            own_px=record.input_px,
            reason=str(error).splitlines()[0],
        ) from error


def _identity(weights: WeightsSource | None) -> tuple[object, ...]:
    """Return what tells these weights from others: files change under the same name."""
    if weights is None:
        return ()
    about = weights.file.stat()
    return (str(weights.file), about.st_mtime_ns, about.st_size)


def _check_patches(record: ModelRecord, side: int) -> None:
    """Check that a transformer's patches cover an image: it would silently ignore the remaining pixels at two borders.

    Raises:
        BadRecipe: they do not; the error gives the nearest sizes.
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


def _drop_unused(backbone: nn.Module, shape: tuple[int, int, int, int]) -> int:
    """Take out what no feature depends on, so that no parameter is stored that never learns; gives D.

    Shapes alone go through the network: for large images the numbers would take minutes and gigabytes.
    """
    with shapes_only(), torch.enable_grad():  # a caller who only predicts may have turned gradients off
        shadows = {id(p): torch.empty_like(p, device="meta").requires_grad_() for p in backbone.parameters()}
        tensors = {name: shadows[id(p)] for name, p in backbone.named_parameters()}
        tensors |= {name: buffer.to("meta") for name, buffer in backbone.named_buffers()}
        features = torch.func.functional_call(backbone.eval(), tensors, (torch.zeros(shape),))
        features.sum().backward()
    body = _body(backbone)
    for name, child in body.named_children():
        parameters = list(child.parameters())
        if parameters and all(shadows[id(p)].grad is None for p in parameters):
            setattr(body, name, nn.Identity())
    return int(features.shape[1])


def _tapped(body: nn.Module, patterns: tuple[str, ...]) -> list[str]:
    """Return dotted names of the modules to read, in the order in which the network has them."""
    if not patterns:
        return named_stages(body)
    names = [name for name, _ in body.named_modules()]
    return [
        name for name in names if any(fnmatch.fnmatch(name, p) and name.count(".") == p.count(".") for p in patterns)
    ]


def _normalization(record: ModelRecord, channels: int) -> tuple[Tensor, Tensor]:
    """Return mean and sd that the weights were trained with; for other than three channels their average."""
    mean, std = (torch.tensor(numbers) for numbers in record.normalization)
    if len(mean) != channels:
        mean, std = mean.mean().repeat(channels), std.mean().repeat(channels)
    return mean, std
