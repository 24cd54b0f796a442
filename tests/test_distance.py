"""How far apart datasets are, by brute force and by chance."""

import json
from pathlib import Path

import numpy as np
import pytest
from drawing import save_cells
from PIL import Image
from refusing import refusing

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.names import dataset_names
from coverslip.evaluation import distances
from coverslip.evaluation.distances import (
    _permute,
    _permuted_estimates,
    _resample,
    _similarity_sums,
    _unbiased,
    coral,
    median_distance,
    mmd,
)
from coverslip.messages import text
from coverslip.runs.folder import Run


def kernel(x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    return np.array([[np.exp(-((a - b) ** 2).sum() / (2 * sigma**2)) for b in y] for a in x])


def brute_force(x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    n, m = len(x), len(y)
    xx = sum(kernel(x[i : i + 1], x[j : j + 1], sigma)[0, 0] for i in range(n) for j in range(n) if i != j)
    yy = sum(kernel(y[i : i + 1], y[j : j + 1], sigma)[0, 0] for i in range(m) for j in range(m) if i != j)
    return float(xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * kernel(x, y, sigma).mean())


def two_sets(n: int = 12, m: int = 9, shift: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)).astype(np.float32), (rng.normal(size=(m, 4)) + shift).astype(np.float32)


def test_the_median_is_that_of_all_pairs() -> None:
    x, y = two_sets()
    rows = np.concatenate([x, y])
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(rows) for b in rows[i + 1 :]]
    assert median_distance(rows) == pytest.approx(float(np.median(pairs)), rel=1e-5)


def test_mmd_is_what_brute_force_gives() -> None:
    x, y = two_sets()
    assert mmd(x, y, 1.7, n_resamples=10).value == pytest.approx(brute_force(x, y, 1.7), abs=1e-6)


def test_a_resample_by_counts_is_a_resample_by_copies() -> None:
    x, y = two_sets()
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, len(each), len(each)) for each in (x, y)]
    counts = np.concatenate([np.bincount(i, minlength=len(each)) for i, each in zip(drawn, (x, y), strict=True)])
    weights = counts[:, None].astype(np.uint8)
    sums = _similarity_sums(np.concatenate([x, y]), len(x), 1.7, weights, lambda done, total: None)
    naive = _unbiased(sums, weights, len(x), excludes_repeated=False)[0]
    assert naive == pytest.approx(brute_force(x[drawn[0]], y[drawn[1]], 1.7), abs=1e-6)
    within = [
        kernel(each[i], each[i], 1.7)[i[:, None] != i[None]].mean() for each, i in zip((x, y), drawn, strict=True)
    ]
    expected = sum(within) - 2 * kernel(x[drawn[0]], y[drawn[1]], 1.7).mean()
    assert _unbiased(sums, weights, len(x), excludes_repeated=True)[0] == pytest.approx(expected, abs=1e-6)


def test_the_distance_after_a_permutation_is_that_of_the_permuted_images() -> None:
    rows = np.concatenate(two_sets())
    is_x = (np.random.default_rng(2).permutation(len(rows)) < 8)[:, None]
    weights = np.hstack([np.ones_like(is_x), is_x]).astype(np.uint8)
    sums = _similarity_sums(rows, 12, 1.7, weights, lambda done, total: None)
    value = _permuted_estimates(sums[1:], weights[:, 1:], sums.with_all[0])[0]
    assert value == pytest.approx(brute_force(rows[is_x[:, 0]], rows[~is_x[:, 0]], 1.7), abs=1e-6)


def whole_mmd(x: np.ndarray, y: np.ndarray, sigma: float, groups: tuple[np.ndarray, np.ndarray]) -> tuple[float, ...]:
    """MMD² with its intervals and p, from the whole kernel matrix in double precision and 100 resamples."""
    n, k = len(x), 100
    rows, rng = np.concatenate([x, y]).astype(np.float64), np.random.default_rng(0)
    matrix = np.exp(((rows[:, None] - rows[None]) ** 2).sum(axis=2) / (-2 * sigma**2))
    by_image, by_group, is_x = (np.zeros((len(rows), k), np.uint8) for _ in range(3))
    for counts, (of_x, of_y) in ((by_image, (np.arange(n), np.arange(len(y)))), (by_group, groups)):
        _resample(of_x, counts[:n], rng)
        _resample(of_y, counts[n:], rng)
    _permute(np.concatenate([groups[0], groups[0].max() + 1 + groups[1]]), groups[0].max() + 1, is_x, rng)

    def estimate(a: np.ndarray, b: np.ndarray, *, excludes_repeated: bool = True) -> float:
        within = []
        for w in (a, b):
            same = (w**2).sum() if excludes_repeated else w.sum()
            within.append((w @ matrix @ w - same) / (w.sum() ** 2 - same))
        return float(sum(within) - 2 * (a @ matrix @ b) / (a.sum() * b.sum()))

    first = (np.arange(len(rows)) < n).astype(np.float64)
    drawn = [[estimate(w * first, w * (1 - first)) for w in by_group.T.astype(np.float64)]]
    drawn += [[estimate(w * first, w * (1 - first), excludes_repeated=False) for w in by_image.T.astype(np.float64)]]
    permuted = [estimate(w, 1 - w) for w in is_x.T.astype(np.float64)]
    value = estimate(first, 1 - first)
    ends = [end for values in drawn for end in np.percentile(values, (2.5, 97.5))]
    return (value, *ends, (1 + sum(each >= value - 1e-12 for each in permuted)) / (1 + k))


def test_parts_of_the_kernel_matrix_give_the_result_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "_ROWS_AT_ONCE", 16)  # of 70 and 45 rows, the last parts are smaller
    monkeypatch.setattr(distances, "_RESAMPLES_AT_ONCE", 7)
    rng = np.random.default_rng(3)
    x, y = two_sets(70, 45, shift=0.3)
    groups = tuple(np.unique(rng.integers(0, 12, len(each)), return_inverse=True)[1] for each in (x, y))
    done = []
    result = mmd(
        x, y, 1.7, x_group=groups[0], y_group=groups[1], n_resamples=100, on_progress=lambda n, _: done.append(n)
    )
    ends = (result.value, result.low, result.high, result.paper_low, result.paper_high, result.p)
    assert ends == pytest.approx(whole_mmd(x, y, 1.7, groups), abs=1e-6)
    assert done == sorted(done)
    assert done[-1] == 115
    assert coral(x, y) == pytest.approx(((np.cov(x.T) - np.cov(y.T)) ** 2).sum() / (4 * 4**2), rel=1e-5)


def test_datasets_that_differ_are_detected_and_equal_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    x, same, other = (rng.normal(size=(80, 5)).astype(np.float32) + shift for shift in (0, 0, 0.8))
    sigma = median_distance(np.concatenate([x, same, other]))
    near, far = (mmd(x, each, sigma, n_resamples=200) for each in (same, other))
    assert far.p == pytest.approx(1 / 201)
    assert near.p > 0.05
    assert near.low < 0 < far.low < far.value < far.high
    assert far.paper_low > far.low  # copies of an image lift it


def halving(seed: int, rows: np.ndarray, group: np.ndarray, *, knows_groups: bool) -> float:
    is_first = np.isin(group, np.random.default_rng(seed).permutation(group.max() + 1)[: (group.max() + 1) // 2])
    groups = {"x_group": group[is_first], "y_group": group[~is_first]} if knows_groups else {}
    sigma = 3.0
    return mmd(rows[is_first], rows[~is_first], sigma, n_resamples=99, seed=seed, **groups).p


@pytest.mark.exhaustive
@pytest.mark.slow
def test_p_is_uniform_over_halvings_of_one_set_where_groups_stay_whole() -> None:
    from scipy.stats import kstest

    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(16), rng.integers(3, 8, 16))
    rows = (rng.normal(size=(16, 4))[group] + rng.normal(size=(len(group), 4))).astype(np.float32)
    p = np.array([halving(seed, rows, group, knows_groups=True) for seed in range(200)])
    assert kstest(p, "uniform").pvalue > 0.01
    by_image = np.array([halving(seed, rows, group, knows_groups=False) for seed in range(40)])
    assert (by_image < 0.05).mean() > 0.3  # images of one group resemble each other: every halving looks different


def test_coral_is_the_distance_of_covariances() -> None:
    x, y = two_sets()
    expected = ((np.cov(x.T) - np.cov(y.T)) ** 2).sum() / (4 * 4**2)
    assert coral(x, y) == pytest.approx(expected, rel=1e-5)
    assert coral(x, x + 5) == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_a_dataset_is_nearer_to_its_other_half_than_to_noise(
    trained: Run, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = [tmp_path / half / "cells.csv" for half in ("first", "second")]
    for k, table in enumerate(tables):
        rows = [f"{file},{file.parent.name},{file.name[:6]}" for file in sorted(cells.glob("*/*.png"))[k::2]]
        table.parent.mkdir()
        table.write_text("\n".join(["path,label,slide", *rows]), encoding="utf-8")
    noise = save_cells(tmp_path / "noise", ("all",), n=12) / "all"
    arguments = ["distance", *map(str, tables), str(noise), "--run", str(trained.folder), "--group", "slide", "--json"]
    assert main(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    near, far = answer["pairs"][:2]
    assert near["mmd2"]["value"] < far["mmd2"]["low"]
    assert far["coral"]["value"] > near["coral"]["value"]
    assert [of_set["n_groups"] for of_set in answer["sets"]] == [9, 9, None]
    assert [of_set["name"] for of_set in answer["sets"]] == ["first", "second", "all"]
    assert answer["meaning"] == text("meaning-of-distances")


@pytest.mark.parametrize("gray", [1e-3, 1.0, 300.0])
def test_rows_that_are_equal_but_for_rounding_have_no_median(gray: float) -> None:
    rng = np.random.default_rng(0)
    row = gray * rng.random(640)
    rounded = (row * (1 + 1e-7 * rng.normal(size=(40, 640)))).astype(np.float32)
    with pytest.raises(ValueError, match="equal"):
        median_distance(rounded)
    assert median_distance(rounded + gray * rng.random((40, 640)).astype(np.float32)) > 5 * gray


@pytest.mark.slow
def test_datasets_of_one_image_again_and_again_are_refused(trained: Run, tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        for i in range(12):
            Image.new("RGB", (40 + i, 40 + i), (90, 80, 70)).save(tmp_path / name / f"{i}.png")
    with refusing(cs.CoverslipError, "datasets-look-the-same"):
        cs.distance([tmp_path / "here", tmp_path / "there"], run=trained.folder)


def test_datasets_have_the_names_of_their_tables_or_folders(tmp_path: Path) -> None:
    (tmp_path / "lab.2").mkdir()
    assert dataset_names([tmp_path / "f" / "qband.csv", tmp_path / "f" / "gband.csv"]) == ["qband", "gband"]
    assert dataset_names([tmp_path / "q" / "cells.csv", tmp_path / "g" / "cells.csv"]) == ["q", "g"]
    assert dataset_names([tmp_path / "q" / "images.csv", tmp_path / "lab.2"]) == ["q", "lab.2"]


def test_one_dataset_alone_has_no_distance(cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with refusing(cs.CoverslipError, "one-dataset"):
        cs.distance([str(cells)])
    assert main(["distance", "here", "there", "--run", "first", "--model", "resnet50"]) == 2


@pytest.mark.slow
def test_images_that_are_in_both_datasets_are_reported(trained: Run, cells: Path) -> None:
    n = len(list((cells / "small").glob("*.png")))
    both = cs.distance([cells / "small", cells], run=trained.folder, n_resamples=10)
    assert both.meaning.startswith(text("images-in-both-datasets", n_images=n, first="small", second=cells.name))
    apart = cs.distance([cells / "small", cells / "large"], run=trained.folder, n_resamples=10)
    assert apart.meaning == text("meaning-of-distances")


def test_a_group_that_no_dataset_has_is_an_error_and_not_ignored(cells: Path) -> None:
    with refusing(cs.CoverslipError, "folder-has-no-columns", group="slied"):
        cs.distance([cells, cells], group="slied")
