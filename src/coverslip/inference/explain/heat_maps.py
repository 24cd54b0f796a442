"""Heat maps of the evidence for a class, and sanity checks of heat maps.

`contributions` divides the logit exactly among the positions: a `multi_layer` head is linear in means and standard
deviations over the image, which are sums over positions. The other methods read one layer or none:

Selvaraju et al. 2017, Grad-CAM (`grad-cam`); Chattopadhay et al. 2018, Grad-CAM++ (`grad-cam++`); Zeiler and Fergus
2014, occlusion (`occlusion`). Differences from the papers: maps keep their sign, so that positions can be ranked, and
are cut off at zero only for display. Occlusion uses squares of a blurred copy of the image instead of gray squares.

The checks of `check_maps`: a map must change if the network's weights are random, and blurring the image in the order
of the map must lower the probability sooner than blurring from the center.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coverslip.engines import FLIPPED
from coverslip.errors import CoverslipError
from coverslip.events import OnProgress, ignore_progress
from coverslip.models.networks import VARIANCE_FLOOR, MultiLayerPooling, Network

Method = Literal["contributions", "grad-cam", "grad-cam++", "occlusion"]
METHODS: tuple[Method, ...] = ("contributions", "grad-cam", "grad-cam++", "occlusion")

Maps = Callable[[Network, Tensor, Tensor], Tensor]
"""(network in evaluation mode, (B, C, S, S) in [0, 1], (B,) class numbers) -> (B, h, w): higher is more evidence."""

_N_SQUARES = 7  # of occlusion per side; each overlaps half of its neighbors
_EPS = 1e-12


def averaged(draw: Maps, network: Network, x: Tensor, classes: Tensor, tta: int) -> Tensor:
    """Return (B, h, w) maps averaged over the copies of test-time augmentation, in the orientation of the image.

    Args:
        draw, network, x, classes: as of `Maps`.
        tta: number of copies, as of `coverslip.engines.run_tta`.
    """
    maps = [_turned_back(draw(network, _turned(x, copy), classes), copy) for copy in range(tta)]
    return torch.stack(maps).mean(dim=0)


def methods_of(network: Network) -> tuple[Method, ...]:
    """Return the methods for a network, in the order in which they are tried."""
    return METHODS if isinstance(network.backbone, MultiLayerPooling) else METHODS[1:]


def maps_by(method: Method) -> Maps:
    """Return the function that computes maps by a method."""
    by_method: dict[Method, Maps] = {
        "contributions": contributions,
        "grad-cam": grad_cam,
        "grad-cam++": grad_cam_plus_plus,
        "occlusion": occlusion,
    }
    return by_method[method]


def grad_cam(network: Network, x: Tensor, classes: Tensor) -> Tensor:
    """Return (B, h, w): the sum of the layer's channels, each weighted by its mean gradient."""
    activation, slope = _activation_and_slope(network, x, classes)
    weight = slope.mean(dim=(2, 3), keepdim=True)
    return (weight * activation).sum(dim=1)


def grad_cam_plus_plus(network: Network, x: Tensor, classes: Tensor) -> Tensor:
    """Return (B, h, w): Grad-CAM with gradients weighted by position, for exp(logit); equations 10 and 19."""
    activation, slope = _activation_and_slope(network, x, classes)
    # alpha = slope^2 / (2 slope^2 + sum(activation) slope^3), reduced by slope^2: powers of small slopes underflow.
    denominator = 2 + activation.sum(dim=(2, 3), keepdim=True) * slope
    alpha = 1 / torch.where(denominator.abs() > _EPS, denominator, torch.ones_like(denominator))
    weight = (alpha * slope.relu()).sum(dim=(2, 3), keepdim=True)
    return (weight * activation).sum(dim=1)


def contributions(network: Network, x: Tensor, classes: Tensor) -> Tensor:
    """Return (B, h, w): the share of each position in the logit, over all layers that the head reads.

    The means over the positions of all layers add up to the logit without its bias and without the contributions of
    class tokens, which have no position.
    """
    with torch.no_grad():
        parts = _shares_of_taps(network, x, classes)
    size = max((part.shape[-2:] for part in parts), key=math.prod)
    return torch.stack([_resized(part, size) for part in parts]).sum(dim=0)


def occlusion(network: Network, x: Tensor, classes: Tensor) -> Tensor:
    """Return (B, n, n): decrease of the class's logit, relative to the mean logit, if the image is blurred there."""
    _, _, height, width = x.shape
    n = min(_N_SQUARES, height, width)
    rows = [_span(i, n, height) for i in range(n)]
    columns = [_span(j, n, width) for j in range(n)]
    covered, decreases = blurred(x), []
    with torch.no_grad():
        before = _relative_to_mean(network(x), classes)
        for top, bottom in rows:
            changed = x.repeat(n, 1, 1, 1)
            for j, (left, right) in enumerate(columns):
                copies = changed[j * len(x) : (j + 1) * len(x)]
                copies[:, :, top:bottom, left:right] = covered[:, :, top:bottom, left:right]
            after = _relative_to_mean(network(changed), classes.repeat(n)).reshape(n, len(x))
            decreases.append(before - after)
    return torch.stack(decreases).permute(2, 0, 1)


def blurred(x: Tensor) -> Tensor:
    """Return (B, C, S, S), blurred until no detail is left, as a replacement for removed parts of an image."""
    radius = max(1, x.shape[-1] // 4)
    position = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-(position**2) / (2 * (radius / 2) ** 2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    smooth = F.conv2d(padded, kernel, groups=x.shape[1])
    return F.conv2d(smooth, kernel.transpose(2, 3), groups=x.shape[1])


def _turned(x: Tensor, copy: int) -> Tensor:
    """Return (B, C, S, S) images transformed by number, as of `coverslip.engines.turned`."""
    return torch.flip(x.transpose(2, 3) if copy >= 4 else x, FLIPPED[copy % 4])


def _turned_back(maps: Tensor, copy: int) -> Tensor:
    """Return the (B, h, w) map of a copy in the orientation of the image."""
    back = torch.flip(maps, tuple(side - 1 for side in FLIPPED[copy % 4]))
    return back.transpose(1, 2) if copy >= 4 else back


def _span(i: int, n: int, side: int) -> tuple[int, int]:
    """Return the first pixel and the end of the i-th of n squares."""
    half = side / n / 2
    return max(0, round(i * 2 * half - half)), min(side, round((i + 1) * 2 * half + half))


def _relative_to_mean(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])[:, 0] - logits.mean(dim=1)


def _activation_and_slope(network: Network, x: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (B, C, h, w) output of the record's `heatmap_layer`, and the gradient of the logit by it.

    Raises:
        CoverslipError: the output of the layer is no map.
    """
    outputs: list[Tensor] = []

    def record(module: nn.Module, inputs: object, output: Tensor) -> None:
        outputs.append(output)

    hook = network.body_module(network.record.heatmap_layer).register_forward_hook(record)
    try:
        with torch.enable_grad():
            # Gradients from the pixels on, because all weights may be frozen.
            logits = network(x.detach().requires_grad_())
            output = outputs[-1] if outputs else None
            if not isinstance(output, Tensor):
                raise _no_map(network)
            (slope,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), output)
    finally:
        hook.remove()
    return _as_map(network, output.detach()), _as_map(network, slope)


def _shares_of_taps(network: Network, x: Tensor, classes: Tensor) -> list[Tensor]:
    """Return (B, h, w) of each tapped layer: the contributions of its positions to the logit, times their number."""
    pooling = network.backbone
    if not isinstance(pooling, MultiLayerPooling):
        raise _no_map(network)
    shares, start = [], 0
    weight = network.head.weight[classes]  # (B, D)
    for activation in pooling.maps((x - network.mean) / network.std):
        n_channels = activation.shape[1]
        of_mean, of_sd = (weight[:, start + k * n_channels :][:, :n_channels, None, None] for k in (0, 1))
        start += 2 * n_channels
        mean = activation.mean(dim=(2, 3), keepdim=True)
        variance = (activation - mean).square() + VARIANCE_FLOOR
        sd = variance.mean(dim=(2, 3), keepdim=True).sqrt()
        share = of_mean * activation + of_sd * variance / sd
        shares.append(_without_tokens(network, share.sum(dim=1)))
    return shares


def _as_map(network: Network, output: Tensor) -> Tensor:
    """Return the output of a layer as (B, C, h, w): maps, channels-last maps, or tokens.

    Raises:
        CoverslipError: the output is none of these.
    """
    if output.ndim == 4:
        return output.permute(0, 3, 1, 2) if getattr(network.body, "output_fmt", "NCHW") == "NHWC" else output
    if output.ndim != 3:
        raise _no_map(network)
    return _without_tokens(network, output.transpose(1, 2).unsqueeze(-1))


def _without_tokens(network: Network, output: Tensor) -> Tensor:
    """Return maps unchanged, and (..., tokens, 1) as (..., h, w) without tokens that have no position."""
    n_tokens, width = output.shape[-2:]
    if width != 1 or n_tokens == 1:
        return output
    # Such tokens come first. Networks of coverslip have one class token.
    side = math.isqrt(n_tokens - getattr(network.body, "num_prefix_tokens", 1))
    patches = output[..., n_tokens - side**2 :, 0]
    return patches.reshape(*patches.shape[:-1], side, side)


def _resized(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize (B, h, w) maps by bilinear interpolation."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def _no_map(network: Network) -> CoverslipError:
    return CoverslipError("no-heat-map", model=network.record.name, layer=network.record.heatmap_layer)


Floats = npt.NDArray[np.float64]

MOST_SIMILAR = 0.5  # maximum absolute rank correlation of maps by trained and by random weights
FEWEST_CHECKED = 8  # with fewer images the checks are meaningless
N_STEPS = 10  # of blurring an image
_RANDOM_SEEDS = (0, 1)
_RANKED_PX = 28  # side of maps that are compared by ranks
_NORMAL_95 = 1.645  # one-sided


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The results of both checks for one kind of map of one network, as means over images."""

    n_images: int
    similarity: float  # absolute rank correlation with maps by random weights, 0-1
    gain: float  # decrease of the probability by blurring in the map's order, minus that by blurring from the center
    gain_low: float  # its one-sided lower 95% bound

    @property
    def changes(self) -> bool:
        """Whether the map depends on the trained weights."""
        return self.similarity <= MOST_SIMILAR

    @property
    def beats_center(self) -> bool:
        """Whether the map locates the evidence better than the center of the image."""
        return self.gain_low > 0

    @property
    def passes(self) -> bool:
        """Whether both checks passed on enough images."""
        return self.n_images >= FEWEST_CHECKED and self.changes and self.beats_center


def check_maps(
    network: Network, draw: Maps, x: Tensor, randomized: list[Network], on_progress: OnProgress = ignore_progress
) -> CheckResult:
    """Check one kind of map.

    Args:
        network: in evaluation mode.
        draw: computes the maps.
        x: (n, C, S, S) in [0, 1]: images that are not used for the final results.
        randomized: the same network with random weights, as of `with_random_weights`.
        on_progress: called with the number of finished images.
    """
    similarity, gain = [], []
    with torch.no_grad():
        probability = torch.cat([network(each[None]) for each in x]).softmax(dim=1)
    classes = probability.argmax(dim=1)
    center_first = -_distance_from_center(x.shape[-1], x.device)
    for i in range(len(x)):
        image, number = x[i : i + 1], classes[i : i + 1]
        trained_map = draw(network, image, number)
        similarity += [_rank_correlation(trained_map, draw(each, image, number)) for each in randomized]
        by_map, by_center = (
            _mean_probability(network, image, number, order) for order in (trained_map, center_first[None])
        )
        gain.append(by_center - by_map)
        on_progress(i + 1, len(x))
    spread = float(np.std(gain, ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else math.inf
    low = float(np.mean(gain)) - _NORMAL_95 * spread
    return CheckResult(len(x), float(np.mean(similarity)), float(np.mean(gain)), low if math.isfinite(low) else -1.0)


def with_random_weights(build: Callable[[], Network], x: Tensor) -> list[Network]:
    """Return networks with different random weights in evaluation mode, on the device of the images.

    Batch norms get the statistics of these images, so that outputs neither vanish nor overflow.

    Args:
        build: returns a new network with weights from PyTorch's global random numbers.
        x: (n, C, S, S) in [0, 1].
    """
    networks = []
    for seed in _RANDOM_SEEDS:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = build().to(x.device).eval()
        _set_statistics(network, x)
        networks.append(network)
    return networks


def _set_statistics(network: nn.Module, x: Tensor) -> None:
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0  # statistics of this batch only
        norm.train()
    with torch.no_grad():
        network(x)
    network.eval()


def deletion_curve(network: Network, image: Tensor, number: Tensor, order: Tensor) -> Floats:
    """Return (N_STEPS + 1,) probabilities of a class while an image is blurred, where `order` is highest first.

    Args:
        network: in evaluation mode.
        image: (1, C, S, S) in [0, 1].
        number: (1,) the class.
        order: (1, h, w) of any size.
    """
    covered, side = blurred(image), image.shape[-1]
    fine = F.interpolate(order[:, None], size=(side, side), mode="bilinear", align_corners=False)[0, 0]
    rank = torch.empty(side * side, device=image.device)
    rank[fine.flatten().argsort(descending=True, stable=True)] = torch.arange(
        side * side, dtype=rank.dtype, device=image.device
    )
    share = (rank / (side * side)).reshape(side, side)
    steps = [torch.where(share < step / N_STEPS, covered, image) for step in range(N_STEPS + 1)]
    with torch.no_grad():
        probability = network(torch.cat(steps)).softmax(dim=1)[:, number[0]]
    return np.asarray(probability.cpu().double().numpy())


def _mean_probability(network: Network, image: Tensor, number: Tensor, order: Tensor) -> float:
    """Return the mean probability of a class while an image is blurred."""
    return float(np.mean(deletion_curve(network, image, number, order)))


def _distance_from_center(side: int, device: torch.device) -> Tensor:
    """Return the (S, S) distance of each pixel from the center."""
    position = torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2
    return (position[:, None].square() + position[None].square()).sqrt()


def _rank_correlation(maps: Tensor, others: Tensor) -> float:
    """Return the absolute Spearman correlation of two (1, h, w) maps at one size; 0 if a map is constant."""
    from scipy.stats import rankdata

    size = (_RANKED_PX, _RANKED_PX)
    ranks = [rankdata(F.adaptive_avg_pool2d(_as_large(each), size).flatten().cpu().numpy()) for each in (maps, others)]
    first, second = (each - each.mean() for each in ranks)
    norm = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return abs(float(first @ second)) / norm if norm else 0.0


def _as_large(maps: Tensor) -> Tensor:
    """Return (1, 1, h, w), enlarged to at least the compared size."""
    size = tuple(max(side, _RANKED_PX) for side in maps.shape[-2:])
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)
