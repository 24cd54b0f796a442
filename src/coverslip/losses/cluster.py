"""A penalty on how features lie: groups far from one another, and each of them close together.

Source: Tran, Meunier, Cheriet, Multi-domain learning CNN model for microscopy image classification (Mobincep), eq. 1:

    L = cross-entropy + spread_weight / sum_k d^2(mu_k, mu) + scatter_weight * sum_k s_k^2

with mu_k the centroid of group k, mu that of all points, d their distance, and s_k the sum of the distances of the
group's points to mu_k; the groups come from K-means on the features of each step, as many as there are classes.

What the paper does not say and was chosen here: the features (what the last layer reads), both weights, how K-means
starts, and that the groups are constants for the gradient while their centroids follow the features.

What can differ, because the published form cannot do what it is for in small steps: four images in four or more
clusters are each their own, so that nothing is drawn together, and labels play no part. `groups: labels` groups by
class, `memory` adds the features of earlier images, and `scatter: mean` keeps s_k from growing with their number.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from coverslip.losses.table import GROUPINGS

_LEAST_SPREAD = 1e-2  # that of images under networks with random weights was 1 to 10,000
_MOST_PASSES = 50  # of K-means, should it not settle before


class ClusterLoss(nn.Module):
    """The penalty that is added to the loss of one step: 1 / spread and scatter, each times its weight.

    It remembers features, without a file of its own: make a new one at the start of every epoch, so that a training
    which goes on after a stop computes the same as one that was never stopped.

    Args:
        n_classes: K; the number of clusters of K-means.
        groups: a name in `GROUPINGS`.
        spread_weight: of 1 / spread.
        scatter_weight: of the scatter.
        scatter: how a group's distances from its center are put together.
        memory: features of earlier images that are taken into the groups.
    """

    def __init__(
        self,
        n_classes: int,
        *,
        groups: str,
        spread_weight: float,
        scatter_weight: float,
        scatter: Literal["sum", "mean"],
        memory: int,
    ) -> None:
        super().__init__()
        self._n_classes = n_classes
        self._grouping = GROUPINGS.find(groups)
        self._spread_weight, self._scatter_weight = spread_weight, scatter_weight
        self._is_mean, self._memory = scatter == "mean", memory
        self._seen: tuple[Tensor, Tensor] | None = None  # the latest features and labels of earlier steps

    def forward(self, features: Tensor, label: Tensor) -> Tensor:
        """Return the penalty, a scalar at least 0.

        Args:
            features: (B, D) float of all images of the step: a part of them has other groups.
            label: (B,) int in [0, K).
        """
        points, label = self._with_seen(features, label)
        group = self._grouping.of(points.detach(), label, self._n_classes)
        spread, scatter = spread_and_scatter(points, group, mean=self._is_mean)
        penalty = self._scatter_weight * scatter
        # A single group has nothing to keep away from.
        return penalty if spread is None else penalty + self._spread_weight * _inverse(spread)

    def _with_seen(self, features: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return the step's points and the remembered ones, which carry no gradient; remembers the former."""
        points, labels = features, label
        if self._seen is not None:
            points, labels = torch.cat([features, self._seen[0]]), torch.cat([label, self._seen[1]])
        if self._memory:
            self._seen = points.detach()[: self._memory], labels[: self._memory]
        return points, labels


def groups_by_label(features: Tensor, label: Tensor, n_classes: int) -> Tensor:
    """Return the classes."""
    return label


def groups_by_kmeans(features: Tensor, label: Tensor, n_classes: int) -> Tensor:
    """As many clusters as there are classes, whatever the labels."""
    return kmeans(features, n_classes)


def spread_and_scatter(points: Tensor, group: Tensor, *, mean: bool) -> tuple[Tensor | None, Tensor]:
    """Return how far groups lie apart, and how wide they are.

    Args:
        points: (n, D) float.
        group: (n,) int; any numbers, of which those that occur count.
        mean: of the distances in a group, else their sum.

    Returns:
        Sum over groups of the squared distance of their centroid to that of all points, None where there is one group;
        and sum over groups of the squared sum (or mean) of distances to the centroid.
    """
    _, group, size = torch.unique(group, return_inverse=True, return_counts=True)
    # As products of matrices, which unlike scattered sums add in a fixed order on a GPU.
    belongs = nn.functional.one_hot(group, len(size)).to(points.dtype)  # (n, groups)
    centroid = belongs.T @ points / size.unsqueeze(1)
    distance = (points - belongs @ centroid).norm(dim=1)  # its slope at zero is zero
    width = belongs.T @ distance
    if mean:
        width = width / size
    scatter = width.square().sum()
    if len(size) == 1:
        return None, scatter
    return (centroid - points.mean(dim=0)).square().sum(), scatter


def kmeans(points: Tensor, n_clusters: int) -> Tensor:
    """Return (n,) int cluster of each of the (n, D) points; fewer clusters where there are fewer different points.

    Lloyd's algorithm from the point farthest from the middle, then each time the one farthest from those chosen:
    nothing is drawn, so that the same points always give the same clusters.
    """
    to_starts = (points - points.mean(dim=0)).norm(dim=1)
    starts: list[Tensor] = []
    for _ in range(n_clusters):
        farthest = points[to_starts.argmax()]
        distance = (points - farthest).norm(dim=1)  # exact, which `cdist` is not: a point is 0 away from its copies
        to_starts = torch.minimum(to_starts, distance) if starts else distance
        starts.append(farthest)
        if not to_starts.max() > 0:
            break
    centroid = torch.stack(starts)
    cluster = torch.cdist(points, centroid).argmin(dim=1)
    for _ in range(_MOST_PASSES):
        belongs = nn.functional.one_hot(cluster, len(centroid)).to(points.dtype)
        size = belongs.sum(dim=0).unsqueeze(1)
        centroid = torch.where(size > 0, belongs.T @ points / size.clamp(min=1), centroid)
        nearest = torch.cdist(points, centroid).argmin(dim=1)
        if torch.equal(nearest, cluster):
            break
        cluster = nearest
    return cluster


def _inverse(spread: Tensor) -> Tensor:
    """1 / spread; below a small spread its tangent goes on, so that groups in one place still part.

    1 / spread has slopes without bound there, and AMSGrad would take small steps for ever after a single one.
    """
    at_least = spread.clamp(min=_LEAST_SPREAD)
    return 1 / at_least - (spread - at_least) / _LEAST_SPREAD**2
