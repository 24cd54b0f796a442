"""The linear probe against scikit-learn's discriminant analysis and by its own promises."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from coverslip.evaluation.calibration import matching_temperature
from coverslip.events import ignore_progress
from coverslip.training import linear_probe
from coverslip.training.linear_probe import (
    SHRINKAGES,
    HeldOutProbes,
    _class_weights,
    _discriminants,
    fit_linear_probe,
)

Ints = np.ndarray


def clouds(n: int, d: int, k: int, seed: int, spread: float = 1.0) -> tuple[np.ndarray, Ints]:
    """k overlapping clouds of n points in d dimensions, every class present."""
    rng = np.random.default_rng(seed)
    label = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    centers = rng.normal(size=(k, d)) * spread
    return (centers[label] + rng.normal(size=(n, d)) * rng.uniform(0.3, 3, d)).astype(np.float32), label


def discriminants(
    x: np.ndarray, label: Ints, k: int, *, balanced: bool, variation: np.ndarray | None = None
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """On features without standardization."""
    within = np.zeros((0, x.shape[1])) if variation is None else variation
    share = _class_weights(label, k, balanced=balanced)
    return _discriminants(
        x.astype(np.float64).__getitem__, label, share, SHRINKAGES, within, np.ones(len(label)), ignore_progress
    )


def accuracy(logits: np.ndarray, label: Ints) -> float:
    return float((logits.argmax(axis=1) == label).mean())


@pytest.mark.parametrize(("n", "d"), [(200, 12), (40, 90)])  # more images than features, and fewer
@pytest.mark.parametrize("shrinkage", [0.1, 1.0])
def test_it_is_the_shrunk_discriminant_that_scikit_learn_computes(n: int, d: int, shrinkage: float) -> None:
    x, label = clouds(n, d, 4, seed=1)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    by_shrinkage = {s: (weight, bias) for s, weight, bias in discriminants(x, label, 4, balanced=False)}
    weight, bias = by_shrinkage[shrinkage]

    # scikit-learn's covariance is (1 - a) S + a v I with v the mean variance; ours is S + shrinkage v I.
    a = shrinkage / (1 + shrinkage)
    priors = np.bincount(label) / n
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=a, priors=priors).fit(
        x.astype(np.float64), label
    )
    np.testing.assert_allclose(weight, discriminant.coef_ * (1 - a), rtol=1e-4, atol=1e-6)
    theirs = (discriminant.intercept_ - np.log(priors)) * (1 - a) + np.log(priors)
    np.testing.assert_allclose(bias, theirs, rtol=1e-4, atol=1e-5)


@settings(max_examples=25)
@given(
    n=st.integers(8, 60),
    d=st.integers(1, 80),
    k=st.integers(2, 5),
    n_rows=st.integers(0, 30),
    seed=st.integers(0, 99),
    balanced=st.booleans(),
)
def test_both_ways_to_the_inverse_give_the_posterior_of_the_gaussian_model(
    n: int, d: int, k: int, n_rows: int, seed: int, balanced: bool
) -> None:
    x, label = clouds(n, d, k, seed)
    x = x.astype(np.float64)
    counts = np.bincount(label, minlength=k)
    share = np.full(k, 1 / k) if balanced else counts / n
    centers = np.stack([x[label == c].mean(axis=0) for c in range(k)])
    covariance = sum(share[c] * np.cov(x[label == c].T, bias=True).reshape(d, d) for c in range(k))
    variation = np.random.default_rng(seed).normal(size=(n_rows, d))
    covariance = covariance + variation.T @ variation
    unit = max(np.trace(covariance) / d, 1e-12)
    for shrinkage, weight, bias in discriminants(x, label, k, balanced=balanced, variation=variation):
        inverse = np.linalg.inv(covariance + shrinkage * unit * np.eye(d))
        np.testing.assert_allclose(weight, centers @ inverse, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(
            bias, np.log(share) - 0.5 * np.einsum("kd,de,ke->k", centers, inverse, centers), rtol=1e-6, atol=1e-7
        )


def test_standardization_is_folded_in_so_that_scale_and_offset_do_not_matter() -> None:
    x, label = clouds(120, 10, 3, seed=2)
    scale, offset = np.float32(10.0) ** np.arange(-3, 2).repeat(2), np.arange(10, dtype=np.float32)
    plain = fit_linear_probe(x[:80], label[:80], x[80:], label[80:], n_classes=3, balanced=False, better=accuracy)
    moved = fit_linear_probe(
        x[:80] * scale + offset,
        label[:80],
        x[80:] * scale + offset,
        label[80:],
        n_classes=3,
        balanced=False,
        better=accuracy,
    )
    assert moved.shrinkage == plain.shrinkage
    np.testing.assert_allclose(moved.logits(x * scale + offset), plain.logits(x), rtol=1e-2, atol=1e-2)


def test_dead_features_get_no_huge_weights() -> None:
    x, label = clouds(100, 6, 2, seed=3)
    x = np.concatenate(
        [x, np.full((100, 1), 7, np.float32), np.random.default_rng(0).normal(size=(100, 1)).astype(np.float32) * 1e-9],
        axis=1,
    )
    head = fit_linear_probe(x[:70], label[:70], x[70:], label[70:], n_classes=2, balanced=False, better=accuracy)
    assert np.abs(head.weight[:, 6:]).max() < 100 * np.abs(head.weight[:, :6]).max()
    assert np.isfinite(head.weight).all()


def test_the_shrinkage_is_the_one_that_validation_images_like_best() -> None:
    sizes: list[float] = []

    def likes_the_fourth(logits: np.ndarray, label: Ints) -> float:
        sizes.append(float(np.abs(logits).mean()))
        return 1.0 if len(sizes) == 4 else 0.0

    x, label = clouds(60, 5, 2, seed=4)
    head = fit_linear_probe(
        x[:40], label[:40], x[40:], label[40:], n_classes=2, balanced=False, better=likes_the_fourth
    )
    assert head.shrinkage == SHRINKAGES[3]
    assert sizes == sorted(sizes, reverse=True)  # more shrinkage gives smaller logits


def test_balance_helps_the_rare_class() -> None:
    rng = np.random.default_rng(5)
    label = np.concatenate([np.zeros(300, int), np.ones(15, int)])
    x = (rng.normal(size=(315, 4)) + label[:, None] * 0.8).astype(np.float32)

    def recall_of_rare(balanced: bool) -> float:
        head = fit_linear_probe(x, label, x, label, n_classes=2, balanced=balanced, better=accuracy)
        return float((head.logits(x).argmax(axis=1)[label == 1] == 1).mean())

    assert recall_of_rare(True) > recall_of_rare(False) + 0.2


def test_many_rows_are_worked_on_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    x, label = clouds(300, 20, 3, seed=6)

    def head(rows_at_once: int) -> np.ndarray:
        monkeypatch.setattr(linear_probe, "_ROWS_AT_ONCE", rows_at_once)
        probe = fit_linear_probe(
            x[:200], label[:200], x[200:], label[200:], n_classes=3, balanced=False, better=accuracy
        )
        return probe.logits(x)

    np.testing.assert_allclose(head(7), head(4096), rtol=1e-5, atol=1e-5)


@settings(max_examples=40)
@given(
    n=st.integers(30, 90),
    d=st.integers(1, 120),
    n_rows=st.integers(0, 30),
    is_held_out=st.booleans(),
    balanced=st.booleans(),
    seed=st.integers(0, 99),
)
def test_held_out_logits_are_those_of_the_discriminant_of_all_other_images(
    n: int, d: int, n_rows: int, is_held_out: bool, balanced: bool, seed: int
) -> None:
    """Known answer by explicit inverses. Weights and shrinkage are those of all images."""
    x, label = clouds(n, d, 3, seed)
    label = np.concatenate([np.arange(6) % 3, label[6:]])  # two of each class are never held out
    rng = np.random.default_rng(seed)
    fold = np.sort(np.concatenate([np.full(6, -1), rng.integers(0, n if is_held_out else 4, n - 6)]))
    variation = rng.normal(size=(n_rows, d)).astype(np.float32)
    fold_of_variation = rng.choice(fold, n_rows) if is_held_out else None
    probes = HeldOutProbes(
        x, label, fold, n_classes=3, balanced=balanced, variation=variation, fold_of_variation=fold_of_variation
    )
    probes.logits(3.0, excludes_variation=False)  # what several shrinkages share does not change
    logits = probes.logits(0.3)

    sd = x.std(axis=0, dtype=np.float64)
    z, within = (x - x.mean(axis=0, dtype=np.float64)) / sd, variation / sd
    counts = np.bincount(label)
    share = np.full(3, 1 / 3) if balanced else counts / n
    weight = (share / counts)[label]

    def scatter(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centers = np.stack([z[rows & (label == k)].mean(axis=0) for k in range(3)])
        deviations = z[rows] - centers[label[rows]]
        return centers, (deviations * weight[rows, None]).T @ deviations

    floor = 0.3 * np.trace(scatter(np.full(n, True))[1] + within.T @ within) / d
    for t in set(fold[fold >= 0].tolist()):
        rest, is_used = fold != t, np.full(n_rows, True) if fold_of_variation is None else fold_of_variation != t
        centers, squares = scatter(rest)
        total = squares + within[is_used].T @ within[is_used] + floor * np.eye(d)
        inverse = np.linalg.inv(total / weight[rest].sum())
        expected = z[~rest] @ inverse @ centers.T + np.log(share)
        expected -= 0.5 * np.einsum("kd,de,ke->k", centers, inverse, centers)
        np.testing.assert_allclose(logits[~rest], expected, rtol=1e-5, atol=1e-5)
    assert np.isnan(logits[fold < 0]).all()


def test_the_temperature_without_single_images_is_that_of_new_images_and_without_tenths_too_high() -> None:
    rng = np.random.default_rng(0)
    spread = 1 / np.sqrt(np.arange(1, 101))
    centers = 0.4 * rng.normal(size=(6, 100)) * spread

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        label = rng.integers(0, 6, n)
        return (centers[label] + rng.normal(size=(n, 100)) * spread).astype(np.float32), label

    ratios = []
    for _ in range(12):
        (x, label), (new, new_label) = drawn(200), drawn(2000)
        head = fit_linear_probe(
            x, label, x[:0], label[:0], n_classes=6, balanced=False, better=accuracy, shrinkages=[0.001]
        )
        best = matching_temperature(head.logits(new), new_label)
        for n_folds in (10, 200):
            fold = np.arange(200) * n_folds // 200
            logits = HeldOutProbes(x, label, fold, n_classes=6, balanced=False).logits(0.001)
            ratios.append(matching_temperature(logits, label) / best)
    by_tenths, by_images = np.exp(np.log(ratios).reshape(-1, 2).mean(axis=0))
    assert by_tenths > 1.2
    assert by_images == pytest.approx(1, abs=0.1)


def test_held_out_logits_are_nearly_those_of_a_probe_that_never_saw_the_images() -> None:
    x, label = clouds(400, 30, 4, seed=7)
    fold = np.arange(400) // 2
    logits = HeldOutProbes(x, label, fold, n_classes=4, balanced=False).logits(1.0)
    for t in range(0, 200, 10):
        rest = fold != t
        head = fit_linear_probe(
            x[rest], label[rest], x[:0], label[:0], n_classes=4, balanced=False, better=accuracy, shrinkages=[1.0]
        )
        held_in = head.logits(x[~rest])
        held_in, held_out = (some - some.mean(axis=1, keepdims=True) for some in (held_in, logits[~rest]))
        np.testing.assert_allclose(held_out, held_in, atol=0.2)  # of logits from -10 to 10


@pytest.mark.parametrize(("n", "d"), [(200, 12), (40, 90)])  # more images than features, and fewer
def test_an_image_with_twice_the_weight_counts_like_two(n: int, d: int) -> None:
    x, label = clouds(n, d, 3, seed=2)
    times = np.random.default_rng(0).integers(1, 4, n)
    rows = np.repeat(np.arange(n), times)
    share = np.bincount(label, times) / times.sum()
    no_variation = np.zeros((0, d))
    weighted, repeated = (
        [*_discriminants(x[i].astype(float).__getitem__, label[i], share, (0.1, 1.0), no_variation, w, ignore_progress)]
        for i, w in ((np.arange(n), times.astype(float)), (rows, np.ones(len(rows))))
    )
    for first, second in zip(weighted, repeated, strict=True):
        np.testing.assert_allclose(first[1], second[1], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(first[2], second[2], rtol=1e-6, atol=1e-8)
    plain, weighted_alike = (
        fit_linear_probe(
            x,
            label,
            x[:0],
            label[:0],
            n_classes=3,
            balanced=False,
            better=lambda logits, of_label: 0.0,
            shrinkages=[1.0],
            row_weights=weights,
        )
        for weights in (None, np.full(n, 3.0))
    )
    np.testing.assert_allclose(plain.weight, weighted_alike.weight, rtol=1e-5, atol=1e-7)
