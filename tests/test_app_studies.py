"""Studies in the app, through the REST API: planned, run in a process of their own, watched, stopped, compared."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from fastapi.testclient import TestClient
from small_workspace import API, Json, ended, events_of, new_workspace, open_images, until, write_cells
from trained import SMALL_NETWORK

from coverslip.app.server import create_app
from coverslip.runs import load_recipe
from coverslip.workspace.store.workspace import Workspace

SMALL = {"image_size": 32, "epochs": 1, "batch_size": 8}


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: httpx.Client
    cells: str  # a dataset

    def get(self, path: str, status: int = 200) -> Json:
        answer = self.client.get(f"{API}/{path}")
        assert answer.status_code == status, answer.text
        found: Json = answer.json()
        return found

    def post(self, path: str, body: Json, status: int = 201) -> Json:
        answer = self.client.post(f"{API}/{path}", json=body)
        assert answer.status_code == status, answer.text
        found: Json = answer.json()
        return found

    def asked(self, **more: object) -> Json:
        return {"preset": "aimic", "dataset_ids": [self.cells], "is_small": True, **more}

    def plan(self, **changes: object) -> str:
        """A preset's plan as somebody would change it: a smaller network and images, one epoch; else its own recipe."""
        text = self.post("study-preview", self.asked(), 200)["plan_text"]
        whole = {**yaml.safe_load(text), "models": [SMALL_NETWORK], "folds": 2, "train_per_class": [None]}
        return yaml.safe_dump({**whole, "baseline": None, "recipe": {**whole["recipe"], **SMALL}, **changes})

    def study(self, **more: object) -> Json:
        return self.post("studies", self.asked(**more))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")
    with TestClient(create_app(workspace)) as client:
        yield Lab(workspace, client, cells)


@pytest.fixture(scope="module")
def done(lab: Lab) -> Json:
    """A study of one network with two ways to start, of which one fails."""
    regimes = ["imagenet", {"name": "gone", "recipe": {"positive_class": "none"}}]
    study = lab.study(name="First", plan=lab.plan(regimes=regimes))
    assert study["state"] in ("queued", "starting")
    assert (study["n_trainings"], study["dataset_names"]) == (2, ["cells"])
    ended(lab.client, study["id"], 240, what="studies")
    return lab.get(f"studies/{study['id']}")


def test_a_preset_tells_all_its_trainings_before_any_is_begun(lab: Lab) -> None:
    begun = set(lab.workspace.studies.glob("*"))
    presets = lab.client.get(f"{API}/study-presets").json()["items"]
    assert {each["name"] for each in presets} == {
        "aimic",
        "mobilevit-mn",
        "mobincep",
        "efficientnetv2-cell",
        "two-step",
    }
    seen = lab.post("study-preview", lab.asked(as_published=True), 200)
    assert len(seen["trainings"]) == 3 * 2  # networks, and the dataset twice
    assert {row["dataset"] for row in seen["trainings"]} == {"cells", "cells, as published"}
    assert seen["without_weights"] == []
    assert any("Small" in note for note in seen["notes"])
    planned = yaml.safe_load(seen["plan_text"])
    assert planned["datasets"][0]["group_pattern"] == r"slide\d+"
    whole = lab.post("study-preview", lab.asked(is_small=False), 200)
    assert whole["folds"] == 5
    assert "resnet50" in whole["without_weights"]
    assert set(lab.workspace.studies.glob("*")) == begun


def test_what_cannot_be_planned_is_said(lab: Lab) -> None:
    assert "'aimic'" in lab.post("study-preview", lab.asked(preset="aimik"), 422)["title"]
    assert "two datasets" in lab.post("study-preview", lab.asked(preset="two-step"), 422)["title"]
    lab.post("study-preview", lab.asked(dataset_ids=["nothing"]), 404)
    lab.post("study-preview", lab.asked(dataset_ids=[]), 422)
    assert "did you mean 'models'" in lab.post("study-preview", lab.asked(plan="modells: [x]"), 422)["title"]
    other = yaml.safe_dump({**yaml.safe_load(lab.plan()), "datasets": ["/etc"]})
    refused = lab.post("studies", lab.asked(plan=other), 422)
    assert (refused["code"], refused["parameters"]) == ("plan-of-other-images", {"path": "/etc"})
    elsewhere = lab.plan(regimes=[{"name": "other", "run": "/etc"}])
    assert lab.post("studies", lab.asked(plan=elsewhere), 422)["code"] == "outside-roots"
    lab.get("studies/nothing", 404)


@pytest.mark.slow
def test_the_trainings_of_a_study_are_runs_and_one_that_fails_holds_no_other(lab: Lab, done: Json) -> None:
    assert (done["state"], done["n_done"], done["n_failed"], done["error"]) == ("done", 1, 1, None)
    good, failed = done["trainings"]
    assert (good["state"], failed["state"]) == ("done", "failed")
    assert failed["error"]
    run = lab.get(f"runs/{good['run_id']}")
    assert (run["state"], run["dataset_id"], run["study_id"]) == ("done", lab.cells, done["id"])
    assert run["headline"] == good["headline"]
    recipe = load_recipe(Path(run["folder"]) / "recipe.yaml")
    assert (recipe.head, recipe.batch_norm, recipe.sampling, recipe.epochs) == ("native", "learn", "undersample", 1)
    assert len(lab.get(f"runs/{good['run_id']}/results")["folds"]) == 2
    assert lab.get("runs")["items"] == []  # the list is not flooded by them
    assert [each["study_id"] for each in lab.get("classifiers")["items"]] == [
        done["id"]
    ]  # so that they can be set apart
    assert done["id"] in [each["id"] for each in lab.get("studies")["items"]]


@pytest.mark.slow
def test_what_a_study_shows_can_be_read_looked_at_and_taken_away(lab: Lab, done: Json) -> None:
    found = lab.get(f"studies/{done['id']}/results")
    (part,) = found["comparison"]["datasets"]
    assert [row["n_splits"] for row in part["scores"]] == [2, 0]
    assert [len(words) for words in found["verdicts"]] == [len(part["differences"])]
    assert [len(words) for words in found["usual"]] == [len(part["differences"])]
    assert "bootstrap" in found["comparison"]["error_rates"]
    report = lab.client.get(f"{API}/studies/{done['id']}/report")
    assert "sandbox" in report.headers["content-security-policy"]
    table = lab.client.get(f"{API}/studies/{done['id']}/table").text.splitlines()
    assert len(table) == 1 + 2 + 1
    assert part["dataset"] in found["figures"][0]["title"]
    for figure in found["figures"]:
        assert lab.client.get(f"{API}/studies/{done['id']}/figures/{figure['name']}.svg").status_code == 200
    assert lab.client.get(f"{API}/studies/{done['id']}/figures/none.svg").status_code == 404


@pytest.mark.slow
def test_what_a_study_found_on_a_dataset_is_told_to_those_who_choose_a_network(lab: Lab, done: Json) -> None:
    (found,) = lab.get(f"datasets/{lab.cells}/network-findings")["items"]
    (part,) = lab.get(f"studies/{done['id']}/results")["comparison"]["datasets"]
    assert (found["study_id"], found["study_name"], found["model"]) == (done["id"], "First", SMALL_NETWORK)
    assert (found["way"], found["regime"], found["n_splits"], found["train_per_class"]) == (None, "imagenet", 2, None)
    assert found["mean"] == part["scores"][0]["mean"]
    assert (found["baseline"], found["verdict"]) == (None, None)  # the other way to start has no result to compare
    lab.get("datasets/none/network-findings", 404)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_those_who_watch_see_a_study_end_and_a_stopped_one_goes_on(lab: Lab) -> None:
    study = lab.study(plan=lab.plan(seeds=[0, 1], folds=0))
    folder = shutil.copytree(lab.workspace.roots[0] / "cells", lab.workspace.roots[0] / "others")
    others = open_images(lab.workspace, folder)
    waiting = lab.post("studies", {**lab.asked(), "dataset_ids": [others]})
    assert waiting["state"] == "queued"
    assert lab.client.delete(f"{API}/datasets/{others}").status_code == 409  # it still needs these images
    assert lab.post(f"jobs/{waiting['id']}/stop", {}, 200)["state"] == "stopped"
    assert lab.client.delete(f"{API}/datasets/{others}").status_code == 204

    until(lambda: lab.get(f"studies/{study['id']}")["trainings"][0]["run_id"], 240)
    assert lab.post(f"jobs/{study['id']}/stop", {}, 200)["kind"] == "study"
    stopped = ended(lab.client, study["id"], 240, what="studies")
    assert (stopped["state"], stopped["has_comparison"]) == ("stopped", True)
    assert stopped["n_done"] < 2
    lab.post(f"jobs/{study['id']}/resume", {}, 200)
    events = events_of(lab.client, f"{API}/jobs/{study['id']}/events")
    assert {kind for kind, _, _ in events} == {"state", "cells"}
    assert events[-1][2]["state"] == "done"
    assert [each["state"] for each in lab.get(f"studies/{study['id']}")["trainings"]] == ["done", "done"]


@pytest.mark.slow
def test_a_plan_that_was_damaged_is_said_and_hides_no_other_study(lab: Lab, done: Json) -> None:
    study = lab.study(plan=lab.plan(folds=0))
    lab.client.post(f"{API}/jobs/{study['id']}/stop")
    ended(lab.client, study["id"], 240, what="studies")
    (Path(study["folder"]) / "study.yaml").write_text("modells: [x]")
    listed = {each["id"]: each for each in lab.get("studies")["items"]}
    assert listed[study["id"]]["state"] == "failed"
    assert "did you mean 'models'" in listed[study["id"]]["error"]["what"]
    assert listed[done["id"]]["n_done"] == 1


@pytest.mark.slow
def test_a_removed_study_comes_back_with_its_trainings(lab: Lab, done: Json) -> None:
    assert lab.client.delete(f"{API}/studies/{done['id']}").status_code == 204
    lab.get(f"studies/{done['id']}", 404)
    lab.get(f"runs/{done['trainings'][0]['run_id']}", 404)
    assert lab.post(f"studies/{done['id']}/restore", {}, 200)["n_done"] == 1
    again = lab.get(f"studies/{done['id']}")
    assert lab.get(f"runs/{again['trainings'][0]['run_id']}")["state"] == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="a file system that takes no folder")
def test_a_disk_that_takes_no_folder_is_no_fault_of_the_app(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(tmp_path / "cells"))
    workspace.studies.symlink_to("/sys/kernel")  # refuses new folders, to root too
    with TestClient(create_app(workspace)) as client:
        body = {"preset": "aimic", "dataset_ids": [cells], "is_small": True}
        answer = client.post(f"{API}/studies", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "disk-refused")
        assert client.get(f"{API}/studies").json()["total"] == 0
        workspace.studies.unlink()
        assert client.post(f"{API}/studies", json=body).status_code == 201
