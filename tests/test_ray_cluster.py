"""A study and a prediction on a Ray cluster that runs already: both are what they are without one."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from drawing import write_cells
from small_workspace import until
from trained import GROUPS, SMALL_NETWORK, results_without_times

from coverslip import pipeline
from coverslip.events import Event, Noted, Progressed
from coverslip.files import sha256_json
from coverslip.runs.folder import Run
from coverslip.runtime.programs import kill_with_children
from coverslip.studies.cells import cells_of, state_of
from coverslip.studies.plan import StudyPlan, load_plan
from coverslip.studies.study import resume_study, run_study

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
node = cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(node, allow_graceful=False)
    node = cluster.add_node(num_cpus=1)
    print("replaced", flush=True)
cluster.shutdown()
"""


@dataclass
class Cluster:
    """A cluster of two nodes with one core each, without a token."""

    process: "subprocess.Popen[str]"

    def __post_init__(self) -> None:
        self.address = self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        answer = self.process.stdout.readline().strip()
        assert answer, "the cluster ended"
        return answer

    def replace_node(self) -> None:
        """Kill the node that is not the head, and start another one."""
        assert self.process.stdin is not None
        self.process.stdin.write("replace\n")
        self.process.stdin.flush()
        self._answer()


@pytest.fixture(scope="module")
def cluster(own_cache: None) -> Iterator[Cluster]:
    command = [sys.executable, "-c", CLUSTER]
    environment = os.environ | {"RAY_raylet_start_wait_time_s": "300"}  # on a busy machine too
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Cluster(process)
        assert process.stdin is not None
        process.stdin.close()


STUDY = """
import sys
from coverslip.studies.study import run_study

run_study(sys.argv[1], out=sys.argv[2], on=sys.argv[3], trust_cluster=True)
"""


@pytest.mark.exhaustive
def test_a_study_whose_computers_were_killed_resumes_with_the_results_of_this_computer(
    cluster: Cluster, finetuned_study: Path, tmp_path: Path
) -> None:
    plan, folder = finetuned_study / "study.yaml", tmp_path / "study"
    cells, on_nodes = cells_of(load_plan(plan), folder), sha256_json(str(folder.resolve()))[:16]
    with subprocess.Popen([sys.executable, "-c", STUDY, str(plan), str(folder), cluster.address]) as study:
        until(lambda: any(state_of(cell).state == "done" for cell in cells), seconds=240)
        runs = [Run(file.parent) for file in Path(tempfile.gettempdir()).glob(f"coverslip-*/{on_nodes}/*/status.json")]
        statuses = [run.status for run in runs if run.status is not None]
        study.kill()
    cluster.replace_node()
    for status in statuses:  # the nodes are of this computer, on which they would outlive their node
        kill_with_children(status.pid, status.process_started)
    events: list[Event] = []
    resume_study(folder, on=cluster.address, trust_cluster=True, emit=events.append)
    assert "joining-cluster" in [event.code for event in events if isinstance(event, Noted)]
    assert results_without_times(folder) == results_without_times(finetuned_study)


@pytest.mark.exhaustive
def test_a_dataset_that_cannot_be_opened_fails_only_its_trainings(cluster: Cluster, tmp_path: Path) -> None:
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

    run_study(plan, out=tmp_path / "there", on=cluster.address, trust_cluster=True, emit=remove)
    assert (state_of(gone).state, state_of(existing).state) == ("failed", "done")


def test_a_prediction_on_a_cluster_has_the_table_and_the_notes_of_this_computer(
    cluster: Cluster, trained: Run, cells: Path, tmp_path: Path
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
        trained.folder, images, out=tmp_path / "there.csv", on=cluster.address, trust_cluster=True, emit=there.append
    )
    assert len((tmp_path / "there.csv").read_text().splitlines()) == 1 + 52
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    notes = [event for event in there if isinstance(event, Noted) and event.code != "joining-cluster"]
    assert notes == [event for event in here if isinstance(event, Noted)]
    done = [event.done for event in there if isinstance(event, Progressed)]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 50)
