"""Twelve numbers and formulas of the five papers, recomputed with code of their own and compared with coverslip's.

Nothing here calls the code that it checks to compute what it expects: the formulas are written out from the papers.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import t as student_t
from torch import nn

from coverslip.evaluation.comparison import as_if_independent, procedure_difference
from coverslip.evaluation.distances import coral, median_distance, mmd
from coverslip.evaluation.table import METRICS
from coverslip.inference.explain.heat_maps import grad_cam
from coverslip.losses.functions import ClusterLoss
from coverslip.models import model_info
from coverslip.models.architectures.mobilevit_mn import MobileViTMN, NormalizationAttention
from coverslip.models.architectures.mobincep import Mobincep
from coverslip.models.backbone import Architecture
from coverslip.models.networks import Network, create_network, freeze_to
from coverslip.models.zoo import UNCHANGED
from coverslip.studies.plan import StudyPlan
from coverslip.studies.published import published_rows

# MobileViT-XXS: input, output and expanded width of MV2 blocks; width, inner width and depth of MobileViT blocks.
MV2 = ((16, 16, 32), (16, 24, 32), (24, 24, 48), (24, 24, 48), (24, 48, 48), (48, 64, 96), (64, 80, 128))
BLOCKS = ((48, 64, 2), (64, 80, 4), (80, 96, 3))


def weights_of_mobilevit(n_classes: int) -> tuple[int, int]:
    """All parameters, and the weights of convolutions and linear maps, from the table of its layers."""
    maps, others = 3 * 16 * 9, 2 * 16  # the first convolution, and its norm
    for n_in, n_out, wide in MV2:
        maps += n_in * wide + 9 * wide + wide * n_out
        others += 2 * (wide + wide + n_out)
    for width, inner, depth in BLOCKS:
        maps += 9 * width * width + width * inner + inner * width + 9 * 2 * width * width
        others += 2 * width * 3
        maps += depth * (3 * inner * inner + inner * inner + 2 * inner * 2 * inner)
        others += depth * (3 * inner + inner + 2 * inner + inner + 4 * inner) + 2 * inner
    maps += 80 * 320 + 320 * n_classes
    return maps + others + 2 * 320 + n_classes, maps


def test_1_the_base_of_table_2_of_mobilevit_mn_has_its_parameters_and_its_flops() -> None:
    n_parameters, n_weights = weights_of_mobilevit(1000)
    assert (n_parameters, 2 * n_weights) == (1_272_024, 2_516_672)  # as printed
    network = MobileViTMN(dsc=False, mv2_attention="none", mobilevit_attention="none")
    assert sum(p.numel() for p in network.parameters()) == n_parameters


def test_2_squeeze_and_excitation_adds_half_the_square_of_every_width() -> None:
    widths = [16, 320, *(width for _, n_out, wide in MV2 for width in (wide, n_out))]
    widths += [width for width, inner, _ in BLOCKS for width in (width, inner, width, width)]
    added = sum(2 * width * (width // 4) for width in widths)
    assert 1_272_024 + added == 1_377_080  # row Mb_SE, as printed
    options = {"dsc": False, "mv2_attention": "none", "mobilevit_attention": "se", "placement": "counts"}
    assert sum(p.numel() for p in MobileViTMN(**options).parameters()) == 1_377_080


def test_3_nam_weighs_a_channel_by_its_share_of_the_scales() -> None:
    torch.manual_seed(0)
    nam, x = NormalizationAttention(5, neutral_start=False), torch.randn(3, 5, 4, 4)
    norm = next(module for module in nam.modules() if isinstance(module, nn.BatchNorm2d))
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, -1.0, 2.0, 0.1, 0.0]))
        norm.bias.uniform_(-1, 1)
    gamma, beta, values = norm.weight.detach().numpy(), norm.bias.detach().numpy(), x.numpy()
    mean, variance = values.mean(axis=(0, 2, 3)), values.var(axis=(0, 2, 3))
    shape = (1, -1, 1, 1)
    normal = (values - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + norm.eps)
    normal = gamma.reshape(shape) * normal + beta.reshape(shape)
    share = np.abs(gamma) / np.abs(gamma).sum()
    expected = values / (1 + np.exp(-share.reshape(shape) * normal))
    np.testing.assert_allclose(nam.train()(x).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_4_the_loss_of_mobincep_is_equation_1() -> None:
    rng = np.random.default_rng(0)
    points, label = rng.normal(size=(12, 3)) + 4 * np.repeat(np.eye(3), 4, axis=0), np.repeat([0, 1, 2], 4)
    centers = np.array([points[label == k].mean(axis=0) for k in range(3)])
    spread = (np.linalg.norm(centers - points.mean(axis=0), axis=1) ** 2).sum()
    scatter = sum(np.linalg.norm(points[label == k] - centers[k], axis=1).sum() ** 2 for k in range(3))
    expected = 0.7 / spread + 0.02 * scatter
    loss = ClusterLoss(3, groups="labels", spread_weight=0.7, scatter_weight=0.02, scatter="sum", memory=0)
    assert float(loss(torch.from_numpy(points), torch.from_numpy(label))) == pytest.approx(expected, rel=1e-6)


def test_5_mobincep_has_the_printed_size() -> None:
    def layer(n_in: int, n_out: int, side: int) -> int:
        return n_in * n_out * side * side + 2 * n_out  # with a norm

    branches = layer(32, 64, 1) + layer(32, 64, 1) + layer(64, 96, 3) + layer(32, 32, 1) + layer(32, 64, 5)
    branches += layer(32, 32, 1)
    widths = (256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024, 1024)
    stack = sum(9 * a + 2 * a + a * b + 2 * b for a, b in itertools.pairwise(widths))
    n = sum(p.numel() for p in Mobincep(n_classes=2).parameters())
    assert n == 4_319_842
    assert round(n / 1e6, 1) == 4.3  # as printed
    assert n == layer(3, 32, 3) + branches + stack + 1024 * 2 + 2


def test_6_the_accuracy_on_the_mix_is_the_mean_of_its_datasets_by_their_sizes() -> None:
    plan = StudyPlan.model_validate({"datasets": ["cells"], "models": ["a"], "published": ["mobincep"]})
    rows = [row for _, row in published_rows(plan)]
    of_part = {row.dataset: row.metrics["accuracy"] for row in rows if row.name == "Mobincep trained on the Mix"}
    (of_mix,) = [r.metrics["accuracy"] for r in rows if (r.source, r.name, r.dataset) == ("Table 2", "Mobincep", "Mix")]
    sizes = {"Pap": 917, "Lym": 375, "HeLa": 862}
    weighted = sum(sizes[name] * float(of_part[name]) for name in sizes) / sum(sizes.values())  # type: ignore[arg-type]
    assert weighted == pytest.approx(of_mix, abs=3e-4)


@pytest.fixture
def tested() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    probability = rng.dirichlet(np.ones(4), 60)
    return probability, rng.integers(0, 4, 60)


def test_7_the_metrics_of_aimic_are_counts_of_each_class(tested: tuple[np.ndarray, np.ndarray]) -> None:
    probability, label = tested
    predicted = probability.argmax(axis=1)
    accuracy, precision, recall, f1 = [], [], [], []
    for k in range(4):
        tp = fp = fn = tn = 0
        for true, claimed in zip(label.tolist(), predicted.tolist(), strict=True):
            tp += true == k and claimed == k
            fp += true != k and claimed == k
            fn += true == k and claimed != k
            tn += k not in (true, claimed)
        accuracy.append((tp + tn) / (tp + tn + fp + fn))  # equation 1
        precision.append(tp / (tp + fp))
        recall.append(tp / (tp + fn))
        f1.append(2 * precision[-1] * recall[-1] / (precision[-1] + recall[-1]))
    for name, values in (
        ("one_vs_rest_accuracy", accuracy),
        ("macro_precision", precision),
        ("macro_recall", recall),
        ("macro_f1", f1),
    ):
        assert METRICS[name].value(probability, label, predicted) == pytest.approx(sum(values) / 4), name


def test_8_the_auc_of_a_class_is_the_share_of_pairs_in_order(tested: tuple[np.ndarray, np.ndarray]) -> None:
    probability, label = tested
    areas = []
    for k in range(4):
        pairs = [(a > b) + 0.5 * (a == b) for a in probability[label == k, k] for b in probability[label != k, k]]
        areas.append(sum(pairs) / len(pairs))
    assert METRICS["macro_auroc"].value(probability, label, probability.argmax(axis=1)) == pytest.approx(sum(areas) / 4)


def test_9_mmd_and_coral_are_their_sums_over_pairs() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(9, 3)).astype(np.float32), (rng.normal(size=(6, 3)) * 1.3 + 0.5).astype(np.float32)
    pooled = [*x.astype(float), *y.astype(float)]
    sigma = float(np.median([math.dist(a, b) for a, b in itertools.combinations(pooled, 2)]))
    assert median_distance(np.concatenate([x, y])) == pytest.approx(sigma, rel=1e-5)

    def mean_kernel(first: list[np.ndarray], second: list[np.ndarray], *, is_same: bool) -> float:
        pairs = [(a, b) for i, a in enumerate(first) for j, b in enumerate(second) if not is_same or i != j]
        return sum(math.exp(-(math.dist(a, b) ** 2) / (2 * sigma**2)) for a, b in pairs) / len(pairs)

    first, second = pooled[:9], pooled[9:]
    expected = mean_kernel(first, first, is_same=True) + mean_kernel(second, second, is_same=True)
    expected -= 2 * mean_kernel(first, second, is_same=False)
    assert mmd(x, y, sigma, n_resamples=10).value == pytest.approx(expected, abs=1e-6)

    def covariance(rows: list[np.ndarray]) -> np.ndarray:
        mean = sum(rows) / len(rows)
        return sum(np.outer(row - mean, row - mean) for row in rows) / (len(rows) - 1)

    gap = covariance(first) - covariance(second)
    assert coral(x, y) == pytest.approx((gap**2).sum() / (4 * 3**2), rel=1e-5)


def test_10_the_bootstrap_of_five_folds_is_that_of_all_its_resamples() -> None:
    differences = (0.031, 0.012, -0.004, 0.022, 0.018)
    means = sorted(sum(drawn) / 5 for drawn in itertools.product(differences, repeat=5))
    low, high = means[int(0.025 * len(means))], means[int(0.975 * len(means))]
    usual = as_if_independent(differences)
    assert usual is not None
    assert (usual.bootstrap_low, usual.bootstrap_high) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))
    corrected = procedure_difference(differences, test_to_train=0.25)
    mean = sum(differences) / 5
    variance = sum((each - mean) ** 2 for each in differences) / 4
    reach = student_t.ppf(0.975, 4) * math.sqrt(variance * (1 / 5 + 0.25))  # Nadeau and Bengio 2003
    assert (corrected.low, corrected.high) == (pytest.approx(mean - reach), pytest.approx(mean + reach))
    assert high - low < 2 * reach


def test_11_the_first_200_of_271_layers_hold_these_weights() -> None:
    def norm(n: int) -> int:
        return 2 * n  # without moving statistics

    # Blocks of EfficientNetV2-B0: expansion, kernel of the first convolution, output, repeats, squeezed inputs.
    frozen = 3 * 32 * 9 + norm(32)
    frozen += 32 * 16 * 9 + norm(16)
    width = 16
    for n_out, repeats in ((32, 2), (48, 2)):
        for _ in range(repeats):
            frozen += width * 4 * width * 9 + norm(4 * width) + 4 * width * n_out + norm(n_out)
            width = n_out
    for n_out, repeats, factor in (
        (96, 3, 4),
        (112, 5, 6),
        (192, 3, 6),
    ):  # of the last stage, the blocks before block6d
        for _ in range(repeats):
            wide, squeezed = factor * width, width // 4
            frozen += width * wide + norm(wide) + 9 * wide + norm(wide)
            frozen += wide * squeezed + squeezed + squeezed * wide + wide
            frozen += wide * n_out + norm(n_out)
            width = n_out
    frozen += 192 * 1152 + norm(1152) + 9 * 1152 + norm(1152)  # of block6d: expansion and depthwise convolution
    assert frozen == 2_998_944
    network = create_network("efficientnetv2_b0", n_classes=3, pretrained=False, head="native")
    freeze_to(network, "first_200_of_271")
    assert sum(p.numel() for p in network.backbone.parameters() if not p.requires_grad) == frozen


def test_12_grad_cam_is_the_sum_of_maps_by_their_mean_gradients() -> None:
    torch.manual_seed(0)
    record = model_info("mobilenet_v2")
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5), nn.Tanh())
    architecture = Architecture("mobilenet_v2", "native", 3, 8)
    network = Network(replace(record, heatmap_layer="1"), architecture, backbone, 5, 2, UNCHANGED).eval()
    x = torch.rand(1, 3, 8, 8)
    maps = backbone[1](backbone[0](x)).detach().requires_grad_()
    logit = network.head(backbone[4](backbone[3](backbone[2](maps))))[0, 1]
    (gradient,) = torch.autograd.grad(logit, maps)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    expected = (weights * maps).sum(dim=1)
    drawn = grad_cam(network, x, torch.tensor([1]))
    torch.testing.assert_close(drawn.clamp(min=0), expected.detach().clamp(min=0), rtol=1e-4, atol=1e-6)
