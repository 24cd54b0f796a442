"""A classifier that learns while images are labeled: what follows from labels, and what its test set sees."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing

import coverslip as cs
from coverslip.audit import live as audit_live
from coverslip.audit.live import FEWEST_FOR_INTERVAL, Live, LiveImages, LivePrediction
from coverslip.errors import CoverslipError
from coverslip.messages import message

N = 60


def images_in_clusters(groups: tuple[str | None, ...] = (None,) * N) -> LiveImages:
    """Images of three distant clusters, alternating."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(3, 16)) * 20
    features = (centers[np.arange(N) % 3] + rng.normal(size=(N, 16))).astype(np.float32)
    names = tuple(f"{k}.png" for k in range(N))
    return LiveImages(names, tuple(f"/cells/{name}" for name in names), groups, features)


def live_of(n_test: int = 0, *, images: LiveImages | None = None) -> Live:
    is_test = np.arange(N) < n_test
    return Live(images or images_in_clusters(), [None] * N, is_test)


def predicted(live: Live) -> list[str | None]:
    return [each.predicted for each in live.predict()]


def test_a_label_of_each_class_predicts_all_others() -> None:
    live = live_of()
    assert predicted(live) == [None] * N
    assert {each.reason for each in live.predict()} == {message("live-one-class", n=0, name="")}
    live.label(["0.png"], "a")
    assert predicted(live) == [None] * N
    assert {each.reason for each in live.predict()} == {message("live-one-class", n=1, name="a")}
    live.label(["/cells/1.png"], "b")
    live.label(["2.png"], " c ")
    assert predicted(live) == ["a", "b", "c"] * (N // 3)
    assert {each.reason for each in live.predict()} == {None}
    live.label(["2.png"], None)
    assert set(predicted(live)) == {"a", "b"}


@given(order=st.permutations(range(12)), repeated=st.lists(st.integers(0, 11), max_size=4))
def test_the_order_and_repetition_of_labels_do_not_matter(order: list[int], repeated: list[int]) -> None:
    first, second = live_of(), live_of()
    for k in range(12):
        first.label([f"{k}.png"], "abc"[k % 3])
    for k in [*order, *repeated]:
        second.label([f"{k}.png"], "abc"[k % 3])
    assert first.predict() == second.predict()
    assert first.suggest(5) == second.suggest(5)


def test_labels_of_the_test_set_are_not_fitted_and_its_images_show_no_prediction() -> None:
    live, other = live_of(12), live_of(12)
    for each, names in ((live, "abc"), (other, "cab")):
        for k in range(6):
            each.label([f"{k}.png"], names[k % 3])
        for k in range(12, 24):
            each.label([f"{k}.png"], "abc"[k % 3])
    rows = live.predict()
    assert [row.predicted for row in rows[:6]] == ["a", "b", "c"] * 2  # labeled, so that nobody is influenced
    assert [(row.predicted, row.reason) for row in rows[6:12]] == [(None, message("live-of-test", is_test=True))] * 6
    assert [row.predicted for row in other.predict()] == [row.predicted for row in rows]
    assert not {each.image_id for each in live.suggest(N)} & {f"{k}.png" for k in range(12)}
    assert (live.estimate().n_right, live.estimate().n, live.estimate().n_reserved) == (6, 6, 12)
    assert other.estimate().n_right == 0


def test_the_estimate_has_an_exact_interval_from_ten_images_and_states_skipped_ones() -> None:
    live = live_of(20)
    for k in range(20, 40):
        live.label([f"{k}.png"], "abc"[k % 3])
    drawn = [row for row in live.least_certain().tolist() if row < 20]
    assert sorted(drawn) == [*range(20)]
    for row in drawn[1:FEWEST_FOR_INTERVAL]:
        live.label([f"{row}.png"], "abc"[row % 3])
    assert live.estimate().low is None
    last = drawn[FEWEST_FOR_INTERVAL]
    live.label([f"{last}.png"], "abc"[(last + 1) % 3])
    estimate = live.estimate()
    assert (estimate.n_right, estimate.n, estimate.n_skipped) == (9, 10, 1)
    assert (estimate.low, estimate.high) == pytest.approx((0.5550, 0.9975), abs=1e-4)


def test_macro_f1_is_stated_from_ten_labeled_test_images_of_each_class() -> None:
    live = live_of(32)
    for k in range(59):
        live.label([f"{k}.png"], "abc"[k % 3])
    f1 = live.estimate().macro_f1
    assert f1 is not None  # 11, 11 and 10 test images
    assert (f1.value, f1.high) == (1, 1)
    assert 0.7 < (f1.low or 0) < 1
    assert live.estimate().gain is None  # 27 fitted labels
    live.label(["59.png"], "d")  # of which there is no test image
    assert live.estimate().macro_f1 is None
    live.label(["59.png", "2.png"], None)
    assert live.estimate().macro_f1 is None


def test_more_labels_are_expected_to_add_accuracy_where_they_did_so_far() -> None:
    rng = np.random.default_rng(0)
    centers, truth = rng.normal(size=(3, 40)), rng.integers(0, 3, 200)
    names = tuple(map(str, range(200)))
    gains = []
    for noise in (2.0, 0.1):  # of classes that are difficult to distinguish, and of distant ones
        features = (centers[truth] + noise * rng.normal(size=(200, 40))).astype(np.float32)
        live = Live(LiveImages(names, names, (None,) * 200, features), ["abc"[k] for k in truth], np.arange(200) < 20)
        gains.append(live.estimate().gain)
    assert 0.005 < (gains[0] or 0) < 0.2
    assert gains[1] == pytest.approx(0, abs=1e-4)
    few = Live(LiveImages(names, names, tuple("ab" * 100), features), ["abc"[k] for k in truth], np.arange(200) < 0)
    assert few.estimate().gain is None  # of two groups, whose images resemble each other
    rare = Live(LiveImages(names, names, (None,) * 200, features), [*names[:90], *["a"] * 110], np.arange(200) < 20)
    assert rare.estimate().gain is None  # of classes with one label, of which no held-out image can be right


def test_the_interval_is_over_groups_from_thirty_images_on() -> None:
    groups = tuple(str(k // 10) for k in range(N))
    together, apart = (live_of(40, images=replace(images_in_clusters(), groups=g)) for g in (groups, (None,) * N))
    for live in (together, apart):
        for k in range(N):
            name = "abc"[(k + (k < 10)) % 3]  # the images of a group are labeled otherwise
            live.label([f"{k}.png"], name)
    assert (together.estimate().n_right, apart.estimate().n_right) == (30, 30)
    wide, narrow = together.estimate(), apart.estimate()
    assert (wide.low or 0) < (narrow.low or 0)


def test_test_images_are_every_second_of_the_offered_images_then_every_fifth() -> None:
    live = live_of(40)
    for k in range(40, 50):
        live.label([f"{k}.png"], "abc"[k % 3])
    order = live.least_certain()
    assert len(order) == len(set(order.tolist())) == 50
    assert (order < 40).tolist()[:20] == [False, True] * 10
    drawn = [row for row in order.tolist() if row < 40]
    for row in drawn[:30]:
        live.label([f"{row}.png"], "abc"[row % 3])
    assert (live.least_certain() < 40).tolist()[:10] == [False, False, False, False, True] * 2


def test_excluded_test_images_are_not_tested_and_count_as_skipped() -> None:
    live = live_of(40)
    labels = ["abc"[k % 3] if k >= 40 else None for k in range(N)]
    live.relabel(labels, live.is_test, np.zeros(N, bool))
    drawn = [row for row in live.least_certain().tolist() if row < 40]
    for row in drawn[:20]:
        labels[row] = "abc"[row % 3]
    is_excluded = np.isin(np.arange(N), [*drawn[5:10], *drawn[20:35]])
    live.relabel([None if k >= 50 else label for k, label in enumerate(labels)], live.is_test, is_excluded)
    assert (live.estimate().n, live.estimate().n_skipped) == (15, 5)
    # 15 of the test set are labeled, fewer than 30: every second image is one of them.
    assert (live.least_certain() < 40).tolist()[:10] == [False, True] * 5


def test_copies_of_test_images_and_images_of_their_groups_are_neither_fitted_nor_predicted() -> None:
    images = images_in_clusters(tuple("tested" if k in (0, 50, 51) else None for k in range(N)))
    images.features[[20, 21]] = images.features[[1, 1]]  # type: ignore[index]  # an array
    live, plain = live_of(12, images=images), live_of(12)
    for each in (live, plain):
        for k in range(22, 34):
            each.label([f"{k}.png"], "abc"[k % 3])
    before = predicted(live)
    assert {k for k in range(N) if before[k] is None} == {*range(12), 20, 21, 50, 51}
    assert not {each.image_id for each in live.suggest(N)} & {"20.png", "21.png", "50.png", "51.png"}
    live.label(["20.png", "50.png"], "wrong")
    assert live.fit is not None
    assert live.fit.classes == ("a", "b", "c")
    assert (live.n_tied, plain.n_tied) == (2, 0)


def test_of_many_labels_those_of_rare_classes_are_fitted_and_a_new_one_changes_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit_live, "_MOST_LABELED", 20)
    live = live_of()
    for k in range(50):
        live.label([f"{k}.png"], "rare" if k in (3, 4) else "ab"[k % 2])
    fitted = live._some_of_each_class(live.rows(has_label=True))
    assert len(fitted) == 20
    assert {3, 4} <= set(fitted.tolist())
    for k in range(50, 55):
        live.label([f"{k}.png"], "a")
    assert len({*live._some_of_each_class(live.rows(has_label=True)).tolist()} - {*fitted.tolist()}) <= 5


def test_refusals_change_no_label() -> None:
    live = live_of()
    with refusing(CoverslipError, "no-live-image", name="no.png"):
        live.label(["0.png", "no.png"], "a")
    with refusing(CoverslipError, "empty-class-name"):
        live.label(["0.png"], " ")
    assert set(live.labels) == {None}


@pytest.mark.slow
def test_a_folder_is_learned_from_a_few_labels(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 60, classes=("small", "large"), is_sorted=False)
    (tmp_path / "cells" / "bad.png").write_bytes(b"no image")
    live = cs.live(tmp_path / "cells", device="cpu", emit=lambda event: None)
    rows = live.predict()
    assert len(rows) == 60
    class_of = {row.image_id: ("small", "large")[k % 2] for k, row in enumerate(sorted(rows, key=place))}
    pool = [row.image_id for row in rows if not row.is_test]
    for image_id in pool[:12]:
        live.label([image_id], class_of[image_id])
    others = {row.image_id: row.predicted for row in live.predict() if row.label is None and not row.is_test}
    assert np.mean([class_of[image_id] == name for image_id, name in others.items()]) > 0.8
    assert {row.predicted for row in live.predict() if row.is_test} == {None}


def place(row: LivePrediction) -> int:
    """The number of an image of `write_cells` in the order in which it was drawn."""
    return int(re.findall(r"\d+", row.image_id)[-1])
