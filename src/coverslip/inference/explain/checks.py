"""Whether maps can be believed: two checks that many maps in papers would fail.

A map must change when the network's weights are random ones (Adebayo et al. 2018, Sanity Checks for Saliency Maps):
else it shows the image's edges, not what was learnt. And blurring an image where its map is highest must take the
prediction away sooner than blurring it from the center outwards does (deletion of Petsiuk et al. 2018, RISE): cells
stand in the center, so that a map of 'the center' appears right without any information.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coverslip.events import OnProgress, ignore_progress
from coverslip.inference.explain.maps import Maps, blurred
from coverslip.models.networks import Network

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
