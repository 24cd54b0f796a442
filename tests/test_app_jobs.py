"""All jobs in one list: their state, progress and log, and the same requests for each; a kind of job is one record."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from small_workspace import API, Json, new_workspace, stories_of, until

from coverslip.app.server import create_app
from coverslip.runs.progress import Work
from coverslip.workspace.jobs.computing import computation, request_result
from coverslip.workspace.jobs.records import (
    Job,
    JobKind,
    add_job,
    new_job_folder,
    register,
    register_function,
    unregister,
)
from coverslip.workspace.store.workspace import Workspace

COUNT = """
import sys, time
from pathlib import Path
from coverslip.runs.folder import Run
from coverslip.runs.status import StatusFile
from coverslip.stopping import Stop

folder, most = Path(sys.argv[1]), int(sys.argv[2])
run = Run(folder)
folder.mkdir(exist_ok=True)
status, stop = StatusFile(run.status_file), Stop(run.stop_file)
status.write("running")
print("counting begins", flush=True)
count = folder / "count"
for number in range(int(count.read_text()) if count.exists() else 0, most):
    if stop.is_requested():
        status.write("stopped")
        sys.exit()
    count.write_text(str(number + 1))
    time.sleep(0.05)
status.write("done")
"""

WORK = """
import time
from coverslip.events import Progressed

def count(workspace, arguments, emit):
    print("counting", flush=True)
    for done in range(arguments["n"]):
        emit(Progressed(stage="counting", done=done, total=arguments["n"]))
        time.sleep(0.05)
"""


@pytest.fixture
def computing() -> Iterator[JobKind]:
    yield register_function("counting", "counting_work:count")
    unregister("counting")


def _progress(job: Job) -> Work | None:
    with suppress(OSError, ValueError):
        done = int((job.folder / "count").read_text())
        return Work(stage="counting", done=done, total=int(job.command[-1]))
    return None


@pytest.fixture
def counting() -> Iterator[JobKind]:
    """A kind of job that counts. It is registered nowhere else."""
    yield register(
        JobKind(
            name="count",
            queue="counts",
            progress=_progress,
        )
    )
    unregister("count")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return new_workspace(tmp_path)


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace)) as client:
        yield client


def count_to(workspace: Workspace, kind: JobKind, most: int, name: str = "To the end") -> str:
    script = workspace.folder / "count.py"
    script.write_text(COUNT, encoding="utf-8")
    job_id, folder = new_job_folder(workspace, workspace.folder / "counts", name)
    command = [str(script), str(folder), str(most)]
    where = {"id": job_id, "folder": str(folder), "command": command}
    add_job(workspace, kind=kind.name, name=name, dataset_name="", choices={}, **where)
    return job_id


def state_of(client: httpx.Client, job_id: str) -> Json:
    answer = client.get(f"{API}/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def test_jobs_of_a_kind_of_another_version_are_not_listed(workspace: Workspace, client: TestClient) -> None:
    job_id, folder = new_job_folder(workspace, workspace.folder / "counts", "Former")
    values = {"id": job_id, "folder": str(folder), "command": [], "choices": {"link": "/datasets/d/distances"}}
    add_job(workspace, kind="distances", name="Former", dataset_name="", key="k", **values)
    for query in ("", "?kind=distances"):
        assert client.get(f"{API}/jobs{query}").json()["total"] == 0
    assert client.get(f"{API}/jobs/{job_id}").status_code == 404


@pytest.mark.slow
def test_a_kind_of_job_is_one_record(workspace: Workspace, client: TestClient, counting: JobKind) -> None:
    job_id = count_to(workspace, counting, 2000)
    running = until(lambda: (now := state_of(client, job_id))["progress"] and now)
    assert (running["kind"], running["state"], running["is_lasting"]) == ("count", "running", True)
    assert (running["progress"]["stage"], running["progress"]["total"]) == ("counting", 2000)
    assert running["actions"] == ["stop"]
    assert running["result"] is None
    assert client.delete(f"{API}/jobs/{job_id}").status_code == 409

    assert client.post(f"{API}/jobs/{job_id}/stop").json()["state"] in ("stopping", "stopped")
    stopped = until(lambda: (now := state_of(client, job_id))["state"] == "stopped" and now)
    assert (stopped["actions"], stopped["progress"]) == (["resume", "remove"], None)
    n = int(next((workspace.folder / "counts").glob("*/count")).read_text())

    assert client.post(f"{API}/jobs/{job_id}/finish").status_code == 409  # a count has nothing to finish early
    assert client.post(f"{API}/jobs/{job_id}/resume").json()["state"] in ("queued", "starting")
    resumed = until(lambda: (now := state_of(client, job_id))["progress"] and now)
    assert resumed["progress"]["done"] >= n
    assert client.post(f"{API}/jobs/{job_id}/stop").status_code == 200
    assert stories_of(client, job_id)[-1]["state"] == "stopped"
    lines = client.get(f"{API}/jobs/{job_id}/log").json()
    assert "counting begins" in [line["text"] for line in lines["items"]]

    assert client.delete(f"{API}/jobs/{job_id}").status_code == 204
    assert client.get(f"{API}/jobs/{job_id}").status_code == 404
    assert [(item["kind"], item["id"]) for item in client.get(f"{API}/trash").json()["items"]] == [("count", job_id)]
    assert client.post(f"{API}/jobs/{job_id}/restore").json()["state"] == "stopped"


@pytest.mark.slow
def test_jobs_of_one_queue_wait_for_each_other_and_lists_are_filtered(
    workspace: Workspace, client: TestClient, counting: JobKind
) -> None:
    first = count_to(workspace, counting, 2000, "First")
    until(lambda: state_of(client, first)["state"] == "running")
    time.sleep(0.01)  # the list is in the order of their times
    second = count_to(workspace, counting, 2, "Second")
    assert (state_of(client, second)["state"], state_of(client, second)["queue_position"]) == ("queued", 1)
    listed = client.get(f"{API}/jobs").json()
    assert ([job["name"] for job in listed["items"]], listed["total"]) == (["Second", "First"], 2)
    assert client.get(f"{API}/jobs?kind=train&kind=study").json() == {"items": [], "total": 0}
    waiting = client.get(f"{API}/jobs?kind=count&state=queued").json()
    assert [job["id"] for job in waiting["items"]] == [second]
    assert client.get(f"{API}/jobs?limit=1&offset=1").json()["items"][0]["id"] == first
    assert client.get(f"{API}/jobs?state=tired").status_code == 422
    client.post(f"{API}/jobs/{first}/stop")
    until(lambda: state_of(client, second)["state"] == "done")
    assert state_of(client, second)["actions"] == ["remove"]


@pytest.mark.slow
def test_work_without_files_is_a_job_too(
    workspace: Workspace, client: TestClient, computing: JobKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counting_work.py").write_text(WORK, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    request_result(workspace, computing, "key", {"n": 2000}, name="Cells", link="/datasets/x/count")
    (job,) = client.get(f"{API}/jobs?kind=counting").json()["items"]
    job_id = job["id"]
    running = until(lambda: (now := state_of(client, job_id))["progress"] and now)
    assert (running["state"], running["name"], running["is_lasting"]) == ("running", "Cells", False)
    assert running["progress"]["total"] == 2000
    assert running["result"] == "/datasets/x/count"
    assert client.get(f"{API}/jobs/{job_id}", params={"kind": "counting"}).json()["id"] == job_id
    assert client.get(f"{API}/jobs/{job_id}", params={"kind": "train"}).status_code == 404
    assert client.get(f"{API}/jobs/{job_id}/log").json()["items"][0]["text"] == "counting"
    assert client.delete(f"{API}/jobs/{job_id}").status_code == 409

    assert client.post(f"{API}/jobs/{job_id}/stop").json()["state"] == "stopped"
    assert client.post(f"{API}/jobs/{job_id}/stop").status_code == 409
    assert [story["state"] for story in stories_of(client, job_id)] == ["stopped"]
    assert client.post(f"{API}/jobs/{job_id}/resume").json()["state"] in ("queued", "running")
    client.post(f"{API}/jobs/{job_id}/stop")
    until(lambda: state_of(client, job_id)["state"] == "stopped")  # one that is just being started ends later
    assert client.delete(f"{API}/jobs/{job_id}").status_code == 204
    assert client.get(f"{API}/jobs/{job_id}").status_code == 404
    assert client.post(f"{API}/jobs/{job_id}/restore").status_code == 404


@pytest.mark.slow
def test_those_who_follow_a_job_receive_its_changes_until_its_end(
    workspace: Workspace, client: TestClient, computing: JobKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counting_work.py").write_text(WORK, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    request_result(workspace, computing, "key", {"n": 40}, name="Cells", link="/")
    job_id = computation(workspace, computing, "key").id
    stories = stories_of(client, job_id)
    assert "running" in [story["state"] for story in stories]
    assert stories[-1] == state_of(client, job_id)
    assert stories[-1]["state"] == "done"
