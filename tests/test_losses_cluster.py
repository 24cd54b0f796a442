"""The penalty on how features lie: the paper's equation, its gradient, and the cases in which it has nothing to say."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from coverslip.losses.functions import ClusterLoss, kmeans, spread_and_scatter
from coverslip.models.networks import create_network
from coverslip.runs.recipe import Regularizer

FORMS = [{"groups": groups, "scatter": scatter} for groups in ("kmeans", "labels") for scatter in ("sum", "mean")]
PUBLISHED = Regularizer(groups="kmeans", scatter="sum")


def cluster_loss(n_classes: int, choices: Regularizer) -> ClusterLoss:
    return ClusterLoss(n_classes, **choices.model_dump())


def penalty(features: Tensor, label: Tensor, *, n_classes: int = 2, **choices: Any) -> Tensor:
    value: Tensor = cluster_loss(n_classes, Regularizer(**choices))(features, label)
    return value


def cells(n: int, n_classes: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features in double precision and labels; classes overlap a little."""
    rng = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % n_classes
    points = torch.randn(n, 5, generator=rng, dtype=torch.float64) + 2 * label.unsqueeze(1)
    return points.requires_grad_(), label


# The equation


def test_two_pairs_on_a_line_have_the_spread_and_scatter_worked_out_by_hand() -> None:
    """Centroids 1 and 12 around 6.5: 2 x 5.5^2. Distances 1 + 1 and 2 + 2: 2^2 + 4^2, or as means 1^2 + 2^2."""
    points, group = torch.tensor([[0.0], [2.0], [10.0], [14.0]]), torch.tensor([0, 0, 1, 1])
    spread, scatter = spread_and_scatter(points, group, mean=False)
    assert (spread, scatter) == (60.5, 20)
    assert spread_and_scatter(points, group, mean=True)[1] == 5
    expected = 1 / 60.5 + 1e-4 * 20
    assert float(cluster_loss(2, PUBLISHED)(points, group)) == pytest.approx(expected)
    wrong = 1 - group  # K-means knows no labels, and the names of classes do not matter
    assert float(cluster_loss(2, PUBLISHED)(points, wrong[[0, 2, 1, 3]])) == pytest.approx(expected)
    assert float(penalty(points, wrong, groups="labels", scatter="sum")) == pytest.approx(expected)


def test_the_weights_weigh_their_own_part() -> None:
    points, label = cells(12)
    choices = {"groups": "labels", "scatter": "sum"}
    spread, scatter = spread_and_scatter(points, label, mean=False)
    assert spread is not None
    assert penalty(points, label, spread_weight=3, scatter_weight=0, **choices) == 3 / spread
    assert penalty(points, label, spread_weight=0, scatter_weight=0.5, **choices) == 0.5 * scatter


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
def test_the_gradient_is_that_of_the_equation(form: dict[str, str]) -> None:
    points, label = cells(10)
    loss = cluster_loss(3, Regularizer(**form, scatter_weight=0.1))  # type: ignore[arg-type]
    assert torch.autograd.gradcheck(lambda x: loss(x, label), (points,))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
def test_following_it_parts_the_groups_and_draws_each_together(form: dict[str, str]) -> None:
    points, label = cells(30)
    group = kmeans(points.detach(), 3) if form["groups"] == "kmeans" else label
    before = spread_and_scatter(points.detach(), group, mean=True)
    loss = cluster_loss(3, Regularizer(**form, spread_weight=100, scatter_weight=0.01))  # type: ignore[arg-type]
    optimizer = torch.optim.Adam([points], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss(points, label).backward()
        optimizer.step()
    after = spread_and_scatter(points.detach(), group, mean=True)
    assert before[0] is not None
    assert after[0] is not None
    assert after[0] / after[1] > 1.5 * before[0] / before[1]


def test_it_reaches_every_weight_of_any_networks_backbone() -> None:
    torch.manual_seed(0)
    network = create_network("timm/resnet10t", n_classes=3, head="native", pretrained=False, image_size=64)
    label = torch.arange(6) % 3
    penalty(network.features(torch.rand(6, 3, 64, 64)), label, n_classes=3, groups="labels").backward()
    assert [name for name, p in network.backbone.named_parameters() if p.grad is None] == []
    assert network.head.weight.grad is None


# Where it has little or nothing to say


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
@pytest.mark.parametrize(
    "points",
    [
        torch.ones(4, 3),
        torch.zeros(4, 3),
        torch.tensor([[1.0], [1.0], [2.0], [2.0]]),
        torch.ones(4, 1) + 1e-6,
        torch.ones(1, 3),
    ],
    ids=["one place", "at zero", "two places", "rounded", "a single image"],
)
def test_features_that_coincide_give_finite_gradients(form: dict[str, str], points: Tensor) -> None:
    points = points.clone().requires_grad_()
    value = penalty(points, torch.arange(len(points)) % 2, **form)
    value.backward()
    assert value.isfinite()
    assert points.grad is not None
    assert points.grad.isfinite().all()


@pytest.mark.parametrize("gap", [1e-8, 1e-4, 1e-2, 1e-1, 1.0])
def test_groups_that_all_but_coincide_are_parted_by_a_bounded_push(gap: float) -> None:
    points = torch.tensor([[-gap], [gap]], dtype=torch.float64, requires_grad=True)
    penalty(points, torch.tensor([0, 1]), groups="labels").backward()
    assert points.grad is not None
    assert 0 < points.grad[0, 0] <= 2 / 1e-2**1.5  # the penalty falls as the left one goes left
    assert points.grad[0] == -points.grad[1]


def test_a_single_class_in_the_step_is_only_drawn_together() -> None:
    points, _ = cells(6)
    label = torch.full((6,), 2)
    spread, scatter = spread_and_scatter(points, label, mean=True)
    assert spread is None
    assert penalty(points, label, n_classes=3, groups="labels") == 1e-4 * scatter


def test_a_step_of_one_image_moves_nothing() -> None:
    points, label = cells(1)
    value = penalty(points, label, groups="labels")
    value.backward()
    assert value == 0
    assert points.grad is not None
    assert not points.grad.any()


def test_as_published_four_images_of_fifteen_classes_are_each_their_own_group() -> None:
    """So nothing is drawn together, and labels play no part: why there are labels and a memory to group by."""
    points, _ = cells(4)
    assert sorted(kmeans(points.detach(), 15).tolist()) == [0, 1, 2, 3]
    spread, scatter = spread_and_scatter(points, kmeans(points.detach(), 15), mean=False)
    assert spread is not None
    assert scatter == 0
    values = [cluster_loss(15, PUBLISHED)(points, torch.tensor(order)) for order in ([0, 1, 2, 3], [0, 0, 0, 0])]
    assert values[0] == values[1] == 1 / spread


def test_without_groups_there_is_no_penalty_to_make() -> None:
    with pytest.raises(ValueError, match="way to group features"):
        cluster_loss(2, Regularizer())


# K-means


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 999))
def test_kmeans_finds_groups_that_lie_apart_in_any_order(n_groups: int, size: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    truth = torch.arange(n_groups * size) % n_groups
    truth = truth[torch.randperm(len(truth), generator=rng)]
    center = 100 * torch.eye(6, 7)[:n_groups]
    clusters = kmeans(center[truth] + torch.randn(len(truth), 7, generator=rng), n_groups)
    assert len(set(zip(truth.tolist(), clusters.tolist(), strict=True))) == n_groups == len(set(clusters.tolist()))


@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 999))
def test_kmeans_ends_where_each_point_is_with_the_nearest_centroid(n: int, k: int, seed: int) -> None:
    points = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    cluster = kmeans(points, k)
    names = sorted(set(cluster.tolist()))
    centroid = torch.stack([points[cluster == name].mean(dim=0) for name in names])
    numbers = torch.tensor([names.index(name) for name in cluster.tolist()])
    distance = torch.cdist(points, centroid)
    assert (distance.gather(1, numbers.unsqueeze(1))[:, 0] <= distance.min(dim=1).values + 1e-9).all()
    assert torch.equal(cluster, kmeans(points.clone(), k))


def test_kmeans_is_about_as_good_as_scikit_learns() -> None:
    from sklearn.cluster import KMeans

    ratios = []
    for seed, k in itertools.product(range(5), (2, 7)):
        points = torch.randn(64, 40, generator=torch.Generator().manual_seed(seed)).relu()
        cluster = kmeans(points, k)
        ours = sum(float((points[cluster == j] - points[cluster == j].mean(dim=0)).square().sum()) for j in range(k))
        ratios.append(ours / KMeans(k, n_init=1, random_state=seed).fit(points.numpy()).inertia_)
    assert np.mean(ratios) < 1.02


def test_copies_of_one_point_are_one_cluster() -> None:
    points = torch.randn(3, 50, generator=torch.Generator().manual_seed(1)).repeat(20, 1)
    assert len(set(kmeans(points, 5).tolist())) == 3


# Memory


@pytest.mark.parametrize("groups", ["labels", "kmeans"])
def test_remembered_features_belong_to_the_groups_but_do_not_move(groups: str) -> None:
    points, label = cells(12)
    loss = cluster_loss(3, Regularizer(groups=groups, memory=8))  # type: ignore[arg-type]
    loss(points[:8], label[:8])
    value = loss(points[8:], label[8:])
    order = [*range(8, 12), *range(8)]
    at_once = penalty(points[order], label[order], n_classes=3, groups=groups)
    assert value == at_once
    (slope,) = torch.autograd.grad(value, points)
    assert slope[8:].abs().min() > 0
    assert not slope[:8].any()


def test_the_oldest_features_are_dropped_first() -> None:
    points, label = cells(15)
    loss = cluster_loss(3, Regularizer(groups="labels", memory=5))
    for start in (0, 3, 6, 9):
        loss(points[start : start + 3], label[start : start + 3])
    value = loss(points[12:], label[12:])
    expected = [12, 13, 14, 9, 10, 11, 6, 7]
    assert value == penalty(points[expected], label[expected], n_classes=3, groups="labels")


def test_an_epoch_starts_without_memory_so_that_a_resumed_one_is_the_same() -> None:
    points, label = cells(12)
    choices = Regularizer(groups="kmeans", memory=100)

    def epoch() -> list[float]:
        loss = cluster_loss(3, choices)
        return [float(loss(points[at : at + 4], label[at : at + 4]).detach()) for at in (0, 4, 8)]

    assert epoch() == epoch()


# Settings


@pytest.mark.parametrize("choice", [{"spread_weight": -1}, {"memory": 0.5}, {"memory": True}, {"groups": "classes"}])
def test_settings_outside_their_range_are_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Regularizer.model_validate(choice)
