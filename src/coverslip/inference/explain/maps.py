"""Maps of the places of an image that speak for a class.

`contributions` divides the logit among the places, exactly: a `multi_layer` head is linear in means and standard
deviations over the image, and each is a sum over places. The others read one layer, or none:

Selvaraju et al. 2017, Grad-CAM (`grad-cam`); Chattopadhay et al. 2018, Grad-CAM++ (`grad-cam++`); Zeiler and Fergus
2014, occlusion (`occlusion`). What differs: maps keep their sign, so that places can be ranked by them; they are cut
off at zero when they are shown, as in the papers. Occlusion uses squares of a blurred copy of the image instead of gray
ones.
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

from coverslip.errors import CoverslipError
from coverslip.events import OnProgress, ignore_progress
from coverslip.models.networks import VARIANCE_FLOOR, MultiLayerPooling, Network

Method = Literal["contributions", "grad-cam", "grad-cam++", "occlusion"]
METHODS: tuple[Method, ...] = ("contributions", "grad-cam", "grad-cam++", "occlusion")

Maps = Callable[[Network, Tensor, Tensor], Tensor]
"""(network that evaluates, (B, C, S, S) in [0, 1], (B,) class numbers) -> (B, h, w): higher speaks for the class."""

_N_SQUARES = 7  # a side that occlusion covers; each square reaches half-way into its neighbors
_EPS = 1e-12
_FLIPPED: dict[int, tuple[int, ...]] = {0: (), 1: (2, 3), 2: (3,), 3: (2,)}  # sides of a copy of test-time augmentation


def averaged(draw: Maps, network: Network, x: Tensor, classes: Tensor, tta: int) -> Tensor:
    """(B, h, w): maps of an image's mirrored and turned copies, turned back: of what test-time augmentation averages.

    Args:
        draw, network, x, classes: as of `Maps`.
        tta: copies, as of `coverslip.engines.run_tta`.
    """
    maps = [_turned_back(draw(network, turned(x, copy), classes), copy) for copy in range(tta)]
    return torch.stack(maps).mean(dim=0)


def turned(x: Tensor, copy: int) -> Tensor:
    """(B, C, S, S): a copy of test-time augmentation."""
    return torch.flip(x.transpose(2, 3) if copy >= 4 else x, _FLIPPED[copy % 4])


def methods_of(network: Network) -> tuple[Method, ...]:
    """What can be drawn of a network, the ones to try first in front."""
    return METHODS if isinstance(network.backbone, MultiLayerPooling) else METHODS[1:]


def maps_by(method: Method) -> Maps:
    """The function that draws maps by a method."""
    by_method: dict[Method, Maps] = {
        "contributions": contributions,
        "grad-cam": grad_cam,
        "grad-cam++": grad_cam_plus_plus,
        "occlusion": occlusion,
    }
    return by_method[method]


def grad_cam(network: Network, x: Tensor, classes: Tensor) -> Tensor:
    """(B, h, w): the layer's channels, each weighted by its mean slope."""
    activation, slope = _activation_and_slope(network, x, classes)
    weight = slope.mean(dim=(2, 3), keepdim=True)
    return (weight * activation).sum(dim=1)


def grad_cam_plus_plus(network: Network, x: Tensor, classes: Tensor) -> Tensor:
    """(B, h, w): the same with slopes weighted by place, equations 10 and 19 of the paper, for exp(logit)."""
    activation, slope = _activation_and_slope(network, x, classes)
    # alpha = slope^2 / (2 slope^2 + sum(activation) slope^3), shortened: small slopes have no third power.
    below = 2 + activation.sum(dim=(2, 3), keepdim=True) * slope
    alpha = 1 / torch.where(below.abs() > _EPS, below, torch.ones_like(below))
    weight = (alpha * slope.relu()).sum(dim=(2, 3), keepdim=True)
    return (weight * activation).sum(dim=1)


def contributions(network: Network, x: Tensor, classes: Tensor) -> Tensor:
    """(B, h, w): the share of the logit that comes from each place, over all layers that the head reads.

    Averaged over a layer's places they add up to the logit without its bias, but for what class tokens say, which have
    no place.
    """
    with torch.no_grad():
        parts = _shares_of_taps(network, x, classes)
    size = max((part.shape[-2:] for part in parts), key=math.prod)
    return torch.stack([_resized(part, size) for part in parts]).sum(dim=0)


def occlusion(network: Network, x: Tensor, classes: Tensor) -> Tensor:
    """(B, n, n): by how much the class's logit falls, beside the mean of all, where the image is blurred there."""
    _, _, height, width = x.shape
    n = min(_N_SQUARES, height, width)
    rows = [_span(i, n, height) for i in range(n)]
    columns = [_span(j, n, width) for j in range(n)]
    covered, falls = blurred(x), []
    with torch.no_grad():
        before = _beside_mean(network(x), classes)
        for top, bottom in rows:
            changed = x.repeat(n, 1, 1, 1)
            for j, (left, right) in enumerate(columns):
                one_covered = changed[j * len(x) : (j + 1) * len(x)]
                one_covered[:, :, top:bottom, left:right] = covered[:, :, top:bottom, left:right]
            after = _beside_mean(network(changed), classes.repeat(n)).reshape(n, len(x))
            falls.append(before - after)
    return torch.stack(falls).permute(2, 0, 1)


def blurred(x: Tensor) -> Tensor:
    """(B, C, S, S) so blurred that no detail is left: what stands where a part of an image is taken away."""
    radius = max(1, x.shape[-1] // 4)
    position = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-(position**2) / (2 * (radius / 2) ** 2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    smooth = F.conv2d(padded, kernel, groups=x.shape[1])
    return F.conv2d(smooth, kernel.transpose(2, 3), groups=x.shape[1])


def _turned_back(maps: Tensor, copy: int) -> Tensor:
    """(B, h, w) of a copy as a map of the image."""
    back = torch.flip(maps, tuple(side - 1 for side in _FLIPPED[copy % 4]))
    return back.transpose(1, 2) if copy >= 4 else back


def _span(i: int, n: int, side: int) -> tuple[int, int]:
    """From and to which pixel the i-th square of n reaches."""
    half = side / n / 2
    return max(0, round(i * 2 * half - half)), min(side, round((i + 1) * 2 * half + half))


def _beside_mean(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])[:, 0] - logits.mean(dim=1)


def _activation_and_slope(network: Network, x: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, h, w) output of the recorded layer, and the logit's slope along it.

    Raises:
        CoverslipError: the network gives no map there.
    """
    seen: list[Tensor] = []

    def see(module: nn.Module, inputs: object, output: Tensor) -> None:
        seen.append(output)

    hook = network.body_module(network.record.heatmap_layer).register_forward_hook(see)
    try:
        with torch.enable_grad():
            # From the pixels on, so that there is a slope where every weight is frozen.
            logits = network(x.detach().requires_grad_())
            output = seen[-1] if seen else None
            if not isinstance(output, Tensor):
                raise _no_map(network)
            (slope,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), output)
    finally:
        hook.remove()
    return _as_map(network, output.detach()), _as_map(network, slope)


def _shares_of_taps(network: Network, x: Tensor, classes: Tensor) -> list[Tensor]:
    """(B, h, w) of each tapped layer: what its places add to the logit, times their number."""
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
    """(B, C, h, w) of what a layer gives: maps, channels last, or tokens.

    Raises:
        CoverslipError: it is none of these.
    """
    if output.ndim == 4:
        return output.permute(0, 3, 1, 2) if getattr(network.body, "output_fmt", "NCHW") == "NHWC" else output
    if output.ndim != 3:
        raise _no_map(network)
    return _without_tokens(network, output.transpose(1, 2).unsqueeze(-1))


def _without_tokens(network: Network, output: Tensor) -> Tensor:
    """(..., h, w) as it is, or (..., tokens, 1) of a transformer as (..., h, w), without what belongs to no place."""
    n_tokens, width = output.shape[-2:]
    if width != 1 or n_tokens == 1:
        return output
    # Ours has a class token. Such tokens come first.
    side = math.isqrt(n_tokens - getattr(network.body, "num_prefix_tokens", 1))
    patches = output[..., n_tokens - side**2 :, 0]
    return patches.reshape(*patches.shape[:-1], side, side)


def _resized(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """(B, h, w) by bilinear interpolation."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def _no_map(network: Network) -> CoverslipError:
    return CoverslipError("no-heat-map", model=network.record.name, layer=network.record.heatmap_layer)


Floats = npt.NDArray[np.float64]

MOST_SIMILAR = 0.5  # rank correlation, by its size, of maps by learnt and by random weights
FEWEST_IMAGES = 8  # fewer tell nothing
N_STEPS = 10  # in which an image is blurred away
_RANDOM_SEEDS = (0, 1)
_RANKED_PX = 28  # a side of maps that are compared by ranks
_NORMAL_95 = 1.645  # one-sided


@dataclass(frozen=True, slots=True)
class Checked:
    """What both checks gave for one kind of map of one network, as means over images."""

    n_images: int
    similarity: float  # to maps by random weights: size of the rank correlation, 0-1
    gain: float  # probability that blurring by the map takes away beyond what blurring from the center does
    gain_low: float  # its lower 95 % bound

    @property
    def changes(self) -> bool:
        """Whether the map depends on what was learnt."""
        return self.similarity <= MOST_SIMILAR

    @property
    def beats_center(self) -> bool:
        """Whether it finds what the prediction hangs on better than 'the center' does."""
        return self.gain_low > 0

    @property
    def passes(self) -> bool:
        """Whether it passed both."""
        return self.n_images >= FEWEST_IMAGES and self.changes and self.beats_center


def check_maps(
    network: Network, draw: Maps, x: Tensor, randomized: list[Network], on_progress: OnProgress = ignore_progress
) -> Checked:
    """Both checks of one kind of map.

    Args:
        network: in evaluation mode.
        draw: the maps.
        x: (n, C, S, S) in [0, 1]: images that took no part in the final numbers.
        randomized: the same network with random weights, as of `with_random_weights`.
        on_progress: called with the number of images that are done.
    """
    similarity, gain = [], []
    with torch.no_grad():
        probability = torch.cat([network(each[None]) for each in x]).softmax(dim=1)
    classes = probability.argmax(dim=1)
    outwards = -_distance_from_center(x.shape[-1], x.device)
    for i in range(len(x)):
        image, number = x[i : i + 1], classes[i : i + 1]
        by_learnt = draw(network, image, number)
        similarity += [_rank_correlation(by_learnt, draw(other, image, number)) for other in randomized]
        by_map, by_center = (_left(network, image, number, order) for order in (by_learnt, outwards[None]))
        gain.append(by_center - by_map)
        on_progress(i + 1, len(x))
    spread = float(np.std(gain, ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else math.inf
    low = float(np.mean(gain)) - _NORMAL_95 * spread
    return Checked(len(x), float(np.mean(similarity)), float(np.mean(gain)), low if math.isfinite(low) else -1.0)


def with_random_weights(build: Callable[[], Network], x: Tensor) -> list[Network]:
    """Networks with random weights throughout, some draws of them, in evaluation mode on the device of images.

    Batch norms learn their statistics of these images, so that what comes out neither fades nor overflows.

    Args:
        build: a new network, its weights drawn from PyTorch's random numbers.
        x: (n, C, S, S) in [0, 1].
    """
    networks = []
    for seed in _RANDOM_SEEDS:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = build().to(x.device).eval()
        _learn_statistics(network, x)
        networks.append(network)
    return networks


def _learn_statistics(network: nn.Module, x: Tensor) -> None:
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0  # of this batch alone
        norm.train()
    with torch.no_grad():
        network(x)
    network.eval()


def deletion_curve(network: Network, image: Tensor, number: Tensor, order: Tensor) -> Floats:
    """(N_STEPS + 1,) probabilities of a class as an image is blurred away, where `order` is highest first.

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
        left = network(torch.cat(steps)).softmax(dim=1)[:, number[0]]
    return np.asarray(left.double().cpu().numpy())


def _left(network: Network, image: Tensor, number: Tensor, order: Tensor) -> float:
    """What is left of a probability on average while an image is blurred away."""
    return float(np.mean(deletion_curve(network, image, number, order)))


def _distance_from_center(side: int, device: torch.device) -> Tensor:
    """(S, S)."""
    position = torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2
    return (position[:, None].square() + position[None].square()).sqrt()


def _rank_correlation(maps: Tensor, others: Tensor) -> float:
    """Size of Spearman's correlation of two (1, h, w) maps at one size; 0 where one of them is flat."""
    from scipy.stats import rankdata

    size = (_RANKED_PX, _RANKED_PX)
    ranks = [rankdata(F.adaptive_avg_pool2d(_as_large(each), size).flatten().cpu().numpy()) for each in (maps, others)]
    centerd = [each - each.mean() for each in ranks]
    below = math.sqrt(float((centerd[0] ** 2).sum() * (centerd[1] ** 2).sum()))
    return abs(float(centerd[0] @ centerd[1])) / below if below else 0.0


def _as_large(maps: Tensor) -> Tensor:
    """(1, 1, h, w), no smaller than what is compared."""
    size = tuple(max(side, _RANKED_PX) for side in maps.shape[-2:])
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)
