"""Loss functions, and the cluster regularizer on features.

Focal loss: Lin, Goyal, Girshick, He, Dollar 2017, Focal Loss for Dense Object Detection, eq. 4 for many classes.

Cluster regularizer: Tran, Meunier, Cheriet, Multi-domain learning CNN model for microscopy image classification
(Mobincep), eq. 1:

    L = cross-entropy + spread_weight / sum_k d^2(mu_k, mu) + scatter_weight * sum_k s_k^2

where mu_k is the centroid of group k, mu the centroid of all points, d the Euclidean distance, and s_k the sum of the
distances of the points of group k to mu_k. The groups are the K-means clusters of the features of each step, as many
as there are classes.

The paper does not state the following, which was chosen here: the features (the input of the last layer), both weights,
the initialization of K-means, and that the group assignments are constants for the gradient while the centroids depend
on the features.

Options differ from the paper because its form has no useful effect in small steps: each of four images in four or more
clusters is its own cluster, so the scatter is 0, and labels are not used. `groups: labels` groups by class, `memory`
adds the features of earlier images, and `scatter: mean` keeps s_k independent of the number of points.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from coverslip.losses.table import GROUPINGS, LOSSES


class ImageLoss(nn.Module):
    """The sum of a loss over images.

    Args:
        name: the name of a record in `LOSSES`.
        options: options of that loss; missing ones have their default.
        weight: (K,) float, the weight of each class; None: equal weights.
    """

    weight: Tensor | None

    def __init__(
        self,
        name: str,
        options: Mapping[str, float] | None = None,
        *,
        weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        record = LOSSES.find(name)
        self._sum_of = record.sum_over_images()
        self._options = record.with_defaults(options or {})

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return the sum of the loss over (B, K) logits and (B,) labels, a scalar."""
        return self._sum_of(logits, label, weight=self.weight, **self._options)

    def total_weight(self, label: Tensor) -> Tensor | float:
        """Return the divisor that turns the sum into the weighted mean."""
        return float(len(label)) if self.weight is None else self.weight[label].sum()


def balanced_weight(n_of_class: Tensor) -> Tensor:
    """Return (K,) float32 weights that balance the classes, from the (K,) numbers of images of each class."""
    weight = n_of_class.sum().double() / (len(n_of_class) * n_of_class.clamp(min=1).double())
    return weight.to(torch.float32)


def cross_entropy(logits: Tensor, label: Tensor, *, weight: Tensor | None) -> Tensor:
    """Return (B,) negative log probabilities of the true class, times its weight."""
    return functional.cross_entropy(logits, label, weight, reduction="none")


def summed_cross_entropy(logits: Tensor, label: Tensor, *, weight: Tensor | None) -> Tensor:
    """Return the sum of `cross_entropy`, computed in one pass."""
    return functional.cross_entropy(logits, label, weight, reduction="sum")


def focal(logits: Tensor, label: Tensor, *, weight: Tensor | None, gamma: float = 2.0) -> Tensor:
    """Return (B,) cross-entropy with each class term times (1 - probability) ^ gamma."""
    log_probability = logits.log_softmax(dim=1)
    # Computed from the logarithm, which is exact near 1. The clamp avoids 0, where powers below 1 have no gradient.
    rest = (-torch.expm1(log_probability)).clamp(min=torch.finfo(logits.dtype).eps)
    of_class = -log_probability * rest**gamma
    if weight is not None:
        of_class = of_class * weight
    return of_class.gather(1, label[:, None])[:, 0]


_MIN_SPREAD = 1e-2  # features of networks with random weights had a spread of 1 to 10,000
_MAX_ITERATIONS = 50  # of K-means


class ClusterLoss(nn.Module):
    """The penalty that is added to the loss of one step: the weighted sum of 1 / spread and scatter.

    An instance stores features of earlier steps in memory only. Create a new one at the start of every epoch, so that a
    resumed training computes the same as an uninterrupted one.

    Args:
        n_classes: K, also the number of clusters of K-means.
        groups: a name in `GROUPINGS`.
        spread_weight: the weight of 1 / spread.
        scatter_weight: the weight of the scatter.
        scatter: how the distances of a group to its centroid are combined.
        memory: the number of features of earlier images that are added to the groups.
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
        self._stored: tuple[Tensor, Tensor] | None = None  # latest features and labels of earlier steps

    def forward(self, features: Tensor, label: Tensor) -> Tensor:
        """Return the penalty, a scalar >= 0.

        Args:
            features: (B, D) float of all images of the step, because a subset would have different groups.
            label: (B,) int in [0, K).
        """
        points, label = self._with_stored(features, label)
        group = self._grouping.of(points.detach(), label, self._n_classes)
        spread, scatter = spread_and_scatter(points, group, mean=self._is_mean)
        penalty = self._scatter_weight * scatter
        # A single group has no spread.
        return penalty if spread is None else penalty + self._spread_weight * _inverse(spread)

    def _with_stored(self, features: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return the points of the step and the stored ones, which have no gradient; store the new points."""
        points, labels = features, label
        if self._stored is not None:
            points, labels = torch.cat([features, self._stored[0]]), torch.cat([label, self._stored[1]])
        if self._memory:
            self._stored = points.detach()[: self._memory], labels[: self._memory]
        return points, labels


def groups_by_label(features: Tensor, label: Tensor, n_classes: int) -> Tensor:
    """Group features by class."""
    return label


def groups_by_kmeans(features: Tensor, label: Tensor, n_classes: int) -> Tensor:
    """Group features by K-means with as many clusters as classes; labels are not used."""
    return kmeans(features, n_classes)


def spread_and_scatter(points: Tensor, group: Tensor, *, mean: bool) -> tuple[Tensor | None, Tensor]:
    """Return the spread between groups and the scatter within groups.

    Args:
        points: (n, D) float.
        group: (n,) int, any numbers.
        mean: combine the distances within a group by their mean instead of their sum.

    Returns:
        Spread: the sum over groups of the squared distance of their centroid to the centroid of all points; None for a
        single group. Scatter: the sum over groups of the squared sum (or mean) of distances to the centroid.
    """
    _, group, size = torch.unique(group, return_inverse=True, return_counts=True)
    # Matrix products add in a fixed order on a GPU, unlike scatter-add.
    membership = nn.functional.one_hot(group, len(size)).to(points.dtype)  # (n, groups)
    centroid = membership.T @ points / size.unsqueeze(1)
    distance = (points - membership @ centroid).norm(dim=1)  # the gradient at 0 is 0
    width = membership.T @ distance
    if mean:
        width = width / size
    scatter = width.square().sum()
    if len(size) == 1:
        return None, scatter
    return (centroid - points.mean(dim=0)).square().sum(), scatter


def kmeans(points: Tensor, n_clusters: int) -> Tensor:
    """Return the cluster of each of the (n, D) points, (n,) int; fewer clusters if there are fewer distinct points.

    Lloyd's algorithm. The first start is the point farthest from the mean; each further start is the point farthest
    from the previous ones. Nothing is random, so equal points always give equal clusters.
    """
    to_starts = (points - points.mean(dim=0)).norm(dim=1)
    starts: list[Tensor] = []
    for _ in range(n_clusters):
        farthest = points[to_starts.argmax()]
        distance = (points - farthest).norm(dim=1)  # unlike `cdist` exact: the distance between equal points is 0
        to_starts = torch.minimum(to_starts, distance) if starts else distance
        starts.append(farthest)
        if not to_starts.max() > 0:
            break
    centroid = torch.stack(starts)
    cluster = torch.cdist(points, centroid).argmin(dim=1)
    for _ in range(_MAX_ITERATIONS):
        membership = nn.functional.one_hot(cluster, len(centroid)).to(points.dtype)
        size = membership.sum(dim=0).unsqueeze(1)
        centroid = torch.where(size > 0, membership.T @ points / size.clamp(min=1), centroid)
        nearest = torch.cdist(points, centroid).argmin(dim=1)
        if torch.equal(nearest, cluster):
            break
        cluster = nearest
    return cluster


def _inverse(spread: Tensor) -> Tensor:
    """Return 1 / spread, continued by its tangent below a small spread, so that coinciding groups still separate.

    The gradient of 1 / spread is unbounded near 0, and after a single large gradient AMSGrad takes only small steps.
    """
    clamped = spread.clamp(min=_MIN_SPREAD)
    return 1 / clamped - (spread - clamped) / _MIN_SPREAD**2
