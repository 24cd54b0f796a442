"""A study and a prediction on a Ray cluster that runs already: both are what they are without one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from drawing import write_cells
from trained import GROUPS, SMALL_NETWORK, train_cells

from coverslip import pipeline
from coverslip.events import Event, Noted, Progressed
from coverslip.runs.folder import Run
from coverslip.studies.cells import cells_of, state_of
from coverslip.studies.plan import StudyPlan
from coverslip.studies.study import run_study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("ray") is None, reason="the extra 'cluster' is not installed: pip install coverslip[cluster]"
    ),
]

CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def cluster(own_cache: None) -> Iterator[str]:
    """The address of a cluster of two nodes with one core each, without a token."""
    command = [sys.executable, "-c", CLUSTER]
    environment = os.environ | {"RAY_raylet_start_wait_time_s": "300"}  # on a busy machine too
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the cluster did not start"
        yield address
        process.stdin.close()


@pytest.mark.exhaustive
def test_a_study_of_two_trainings_on_a_cluster_has_the_results_of_this_computer(cluster: str, tmp_path: Path) -> None:
    plan = StudyPlan.model_validate(
        {
            "datasets": [{"path": str(write_cells(tmp_path / "cells", 40)), "group_pattern": GROUPS}],
            "models": [SMALL_NETWORK],
            "regimes": ["imagenet"],
            "seeds": [0, 1],
            "folds": 0,
            "threads": 1,
            "recipe": {"image_size": 32, "tta": 1, "stage": "instant"},
        }
    )
    events: list[Event] = []
    comparison = run_study(plan, out=tmp_path / "there", on=cluster, trust_cluster=True, emit=events.append)
    assert "joining-cluster" in [event.code for event in events if isinstance(event, Noted)]
    assert [row.n_missing for row in comparison.datasets[0].scores] == [0]
    here, there = (cells_of(plan, tmp_path / folder) for folder in ("here", "there"))
    train_cells(here)
    assert len(there) == 2
    assert [cell.run.metrics for cell in there] == [cell.run.metrics for cell in here]


@pytest.mark.exhaustive
def test_a_dataset_that_cannot_be_opened_fails_only_its_trainings(cluster: str, tmp_path: Path) -> None:
    cells = str(write_cells(tmp_path / "cells", 40))
    plan = StudyPlan.model_validate(
        {
            "datasets": [{"path": str(tmp_path / "gone")}, {"path": cells, "group_pattern": GROUPS}],
            "models": [SMALL_NETWORK],
            "regimes": ["imagenet"],
            "folds": 0,
            "threads": 1,
            "recipe": {"image_size": 32, "tta": 1, "stage": "instant"},
        }
    )
    gone, existing = cells_of(plan, tmp_path / "there")
    shutil.copytree(cells, tmp_path / "gone")

    def remove(event: Event) -> None:  # after the study has checked its datasets
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)

    run_study(plan, out=tmp_path / "there", on=cluster, trust_cluster=True, emit=remove)
    assert (state_of(gone).state, state_of(existing).state) == ("failed", "done")


def test_a_prediction_on_a_cluster_has_the_table_and_the_notes_of_this_computer(
    cluster: str, trained: Run, cells: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    for k, file in enumerate(sorted(cells.rglob("*.png"))[:49]):
        shutil.copy(file, tmp_path / "new" / f"{k:02}.png")
    (tmp_path / "new" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    images = [tmp_path / "new", *(tmp_path / "new" / name for name in ("00.png", "cut.png"))]  # two of them again
    here: list[Event] = []
    there: list[Event] = []
    pipeline.predict(trained.folder, images, out=tmp_path / "here.csv", emit=here.append)
    pipeline.predict(
        trained.folder, images, out=tmp_path / "there.csv", on=cluster, trust_cluster=True, emit=there.append
    )
    assert len((tmp_path / "there.csv").read_text().splitlines()) == 1 + 52
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    notes = [event for event in there if isinstance(event, Noted) and event.code != "joining-cluster"]
    assert notes == [event for event in here if isinstance(event, Noted)]
    done = [event.done for event in there if isinstance(event, Progressed)]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 50)
