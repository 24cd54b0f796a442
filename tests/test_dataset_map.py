"""The map of a dataset: similar images are near each other, and the result does not depend on chance."""

import sys
from pathlib import Path

import numpy as np
import pytest
from drawing import save_cells
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from small_workspace import API, QUICK, do_jobs, new_workspace, open_images, predicted_here, trained_here, write_cells

from coverslip.app.server import create_app
from coverslip.audit.features import arranged, clusters_of
from coverslip.errors import ExtraNotInstalled
from coverslip.runs.predictions import read_predictions
from coverslip.training.linear_probe import principal_components
from coverslip.workspace.dataset_maps import map_points, map_state, start_map
from coverslip.workspace.datasets.labels import set_labels
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.jobs.queue import stop_job
from coverslip.workspace.jobs.records import find_job


def in_clusters(sizes: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(len(sizes), 12)) * 20
    return np.concatenate([center + rng.normal(size=(n, 12)) for center, n in zip(centers, sizes, strict=True)]).astype(
        np.float32
    )


@pytest.mark.slow
def test_images_of_a_cluster_are_together_on_the_map_and_each_time_at_the_same_place() -> None:
    sizes = (40, 30, 20)
    cluster = np.repeat(range(3), sizes)
    features = in_clusters(sizes)
    places = arranged(features)
    assert (places.min(), places.max()) == pytest.approx((0, 1), abs=1e-5)
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + 10 * np.eye(len(places))
    assert (cluster[distance.argmin(axis=1)] == cluster).all()
    assert (places == arranged(features)).all()
    assert clusters_of(features, 3).tolist() == cluster.tolist()  # the largest first


@settings(max_examples=25)
@given(n=st.integers(10, 30), n_clusters=st.integers(1, 40), is_constant=st.booleans())
def test_every_image_has_a_cluster(n: int, n_clusters: int, is_constant: bool) -> None:
    rows = np.random.default_rng(n).normal(size=(n, 4)).astype(np.float32) * (not is_constant)
    cluster = clusters_of(rows, n_clusters)
    sizes = np.bincount(cluster)
    assert len(cluster) == n
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()


def test_principal_components_are_those_of_scikit_learn_although_rows_are_read_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    monkeypatch.setattr("coverslip.training.linear_probe._ROWS_AT_ONCE", 7)
    features = (np.random.default_rng(0).normal(size=(40, 12)) * np.arange(1, 13) + 300).astype(np.float32)
    expected = PCA(5).fit_transform(StandardScaler().fit_transform(features.astype(np.float64)))
    assert np.abs(principal_components(features, 5)) == pytest.approx(np.abs(expected), abs=1e-3)


def numbers_of(points: bytes) -> dict[str, np.ndarray]:
    n = int(np.frombuffer(points, "<u4", 1)[0])
    columns = np.frombuffer(points, "<u2", 4 * n, 4 * (3 + n + 4 * n + n + 2)).reshape(4, n)
    return dict(zip(("class", "group", "cluster", "flags"), columns, strict=True)) | {
        "row": np.frombuffer(points, "<u4", n, 12),
        "box": np.frombuffer(points, "<i4", 4 * n, 12 + 4 * n).reshape(n, 4),
    }


def test_a_map_without_its_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(ExtraNotInstalled) as error:
        start_map(new_workspace(tmp_path), "any")
    assert error.value.parameters["extra"] == "map"


@pytest.mark.slow
def test_the_map_in_the_app_has_current_labels_and_all_readable_images(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 24)
    (tmp_path / "cells" / "large" / "broken.png").write_bytes(b"no image")
    workspace = new_workspace(tmp_path)
    dataset = open_images(workspace, tmp_path / "cells", group_pattern=r"slide\d+")
    assert map_state(workspace, dataset).state == "not-requested"
    start_map(workspace, dataset)
    do_jobs(workspace)
    state = map_state(workspace, dataset)
    assert (state.error, state.state, state.n, state.n_missing) == (None, "ready", 24, 0)
    again = start_map(workspace, dataset)
    assert (again.state in ("waiting", "running"), again.created) == (True, state.created)
    stop_job(workspace, again.job_id or "")
    points = numbers_of(map_points(workspace, dataset))
    assert len(points["row"]) == 24
    assert (np.diff(points["cluster"].astype(int)) >= 0).all()
    assert set(points["class"].tolist()) == set(range(len(state.classes)))
    assert set(points["group"].tolist()) <= set(range(len(state.groups)))
    set_labels(workspace, dataset, ImageSelection(rows=points["row"].tolist()), "large")
    assert set(numbers_of(map_points(workspace, dataset))["class"].tolist()) == {state.classes.index("large")}
    with TestClient(create_app(workspace)) as client:
        assert client.get(f"{API}/datasets/{dataset}/map-points").content == map_points(workspace, dataset)


def test_the_map_counts_no_ungrouped_image_as_a_group(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    dataset = open_images(workspace, write_cells(tmp_path / "cells", 24), group_pattern="slide(1|2)")
    assert map_state(workspace, dataset).groups == ["1", "2"]


@pytest.mark.slow
def test_the_map_has_the_predictions_of_trainings_and_predictions_on_the_dataset(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 60)
    (tmp_path / "cells" / "large" / "broken.png").write_bytes(b"no image")
    workspace = new_workspace(tmp_path)
    dataset = open_images(workspace, tmp_path / "cells", group_pattern=r"slide\d+")
    run = trained_here(workspace, dataset, QUICK, "sizes")
    prediction = predicted_here(workspace, run, dataset)
    with TestClient(create_app(workspace)) as client:
        jobs = client.get(f"{API}/computations/dataset-map/{dataset}").json()["jobs"]
        assert [(job["id"], job["kind"]) for job in jobs] == [(prediction, "predict"), (run, "train")]
        rows = client.get(f"{API}/lists/{dataset}/rows?limit=100").json()["items"]
        image_of = {row["row_id"]: row["image_id"] for row in rows}

        def decided(job: str) -> dict[str, str]:
            body = client.get(f"{API}/datasets/{dataset}/map-predictions/{job}").json()
            pairs = zip(body["rows"], body["numbers"], strict=True)
            return {image_of[row]: body["decisions"][number] for row, number in pairs}

        for job, kind in ((run, "train"), (prediction, "predict")):
            table = read_predictions(find_job(workspace, job, kind).folder / "predictions.csv")
            assert decided(job) == {row.image_id: row.decision for row in table}
        assert len(decided(prediction)) == 61 > len(decided(run)) > 0
        missing = client.get(f"{API}/datasets/{dataset}/map-predictions/none")
        assert (missing.status_code, missing.json()["code"]) == (404, "no-such-job")


@pytest.mark.slow
def test_few_images_have_no_map(tmp_path: Path) -> None:
    save_cells(tmp_path / "cells", n=3)
    workspace = new_workspace(tmp_path)
    dataset = open_images(workspace, tmp_path / "cells")
    start_map(workspace, dataset)
    do_jobs(workspace)
    error = map_state(workspace, dataset).error
    assert error is not None
    assert error.code == "map-needs-images"
    with TestClient(create_app(workspace)) as client:
        assert client.get(f"{API}/datasets/{dataset}/map-points").json()["code"] == "no-dataset-map"
