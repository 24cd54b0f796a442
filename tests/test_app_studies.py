"""Studies in the app, through the REST API: planned, run in a process of their own, watched, stopped, compared."""

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from refusing import refusing
from small_workspace import API, Json, ended, new_workspace, open_images, stories_of, studied_here, until, write_cells
from tables import downloaded
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip import messages
from coverslip.app.server import create_app
from coverslip.errors import BadRecipe
from coverslip.runs.recipe_keys import load_recipe
from coverslip.workspace.jobs.records import find_job, list_unlisted_jobs
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.planning import StudyChoices, outlook
from coverslip.workspace.studies.state import ANALYSES

SMALL = {"image_size": 32, "epochs": 1, "batch_size": 8}


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: TestClient
    cells: str  # a dataset

    def get(self, path: str, status: int = 200) -> Json:
        answer = self.client.get(f"{API}/{path}")
        assert answer.status_code == status, answer.text
        body: Json = answer.json()
        return body

    def post(self, path: str, body: Json, status: int = 201) -> Json:
        answer = self.client.post(f"{API}/{path}", json=body)
        assert answer.status_code == status, answer.text
        response_body: Json = answer.json()
        return response_body

    def request(self, **more: object) -> Json:
        return {"preset": "aimic", "dataset_ids": [self.cells], "is_small": True, **more}

    def plan(self, **changes: object) -> str:
        """A preset's plan as somebody would change it: a smaller network and images, one epoch; else its own recipe."""
        text = self.post("previews", {"kind": "study", **self.request()}, 200)["plan_text"]
        whole = {**yaml.safe_load(text), "models": [SMALL_NETWORK], "folds": 2, "train_per_class": [None]}
        recipe = {**whole["arms"][1]["recipe"], **SMALL}
        return yaml.safe_dump({**whole, "baseline": None, "arms": [], "recipe": recipe, **changes})

    def study(self, **more: object) -> Json:
        return self.post("studies", self.request(**more))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")
    with TestClient(create_app(workspace)) as client:
        yield Lab(workspace, client, cells)


@pytest.fixture(scope="module")
def unread(lab: Lab) -> Json:
    """A study of one network with two ways to start, of which one fails. It has ended, and nobody has read it."""
    regimes = ["imagenet", {"name": "gone", "recipe": {"positive_class": "none"}}]
    study = lab.study(name="First", plan=lab.plan(regimes=regimes))
    assert study["state"] in ("queued", "starting")
    assert (study["n_trainings"], study["dataset_names"]) == (2, ["cells"])
    ended(lab.client, study["id"], 240)
    return {**study, "classifiers": until(lambda: lab.get("classifiers")["items"], 15)}


@pytest.fixture(scope="module")
def done(lab: Lab, unread: Json) -> Json:
    return lab.get(f"jobs/{unread['id']}")


def test_a_preset_lists_all_its_trainings_before_any_is_begun(lab: Lab) -> None:
    begun = set(lab.workspace.studies.glob("*"))
    presets = lab.client.get(f"{API}/study-presets").json()["items"]
    assert {each["name"] for each in presets} == {
        "aimic",
        "mobilevit-mn",
        "mobincep",
        "efficientnetv2-cell",
        "two-step",
    }
    seen = lab.post("previews", {"kind": "study", **lab.request()}, 200)
    assert len(seen["trainings"]) == 2 * 3  # networks and arms
    assert {row["dataset"] for row in seen["trainings"]} == {"cells, A", "cells, B", "cells, C"}
    assert seen["without_weights"] == []
    assert messages.text("deviation-training-images", n_images="20") in seen["notes"]
    planned = yaml.safe_load(seen["plan_text"])
    assert planned["datasets"][0]["group_pattern"] == r"slide\d+"
    whole = lab.post("previews", {"kind": "study", **lab.request(is_small=False, all_tables=True)}, 200)
    assert whole["folds"] == 5
    assert "resnet50" in whole["without_weights"]
    assert set(lab.workspace.studies.glob("*")) == begun


def test_networks_and_initial_weights_are_chosen_without_a_plan(lab: Lab) -> None:
    choices = {"networks": ["mobilenet_v2", "resnet34"], "initial_weights": ["imagenet", "frozen"]}
    seen = lab.post("previews", {"kind": "study", **lab.request(**choices)}, 200)
    assert {(row["model"], row["regime"]) for row in seen["trainings"]} == {
        (network, weights) for network in choices["networks"] for weights in choices["initial_weights"]
    }
    planned = yaml.safe_load(seen["plan_text"])
    assert [arm["recipe"].get("augment") for arm in planned["arms"]] == ["aimic", "aimic", None]  # C is coverslip's
    assert "baseline" not in planned  # the preset's names a network alone
    assert seen["without_weights"] == ["resnet34"]

    folder = write_cells(lab.workspace.roots[0] / "first step", 30, seed=4)
    first = open_images(lab.workspace, folder, group_pattern=r"slide\d+")
    own_choices = {"dataset_ids": [lab.cells], "networks": [SMALL_NETWORK], "initial_weights": ["imagenet"]}
    seen = lab.post("previews", {"kind": "study", **own_choices, "pretraining_ids": [first]}, 200)
    assert [(row["regime"], row["is_pretraining"]) for row in seen["trainings"]] == [
        ("imagenet", False),
        ("pretraining on first step", True),
        ("pretraining on first step", False),
    ]
    (_, second) = yaml.safe_load(seen["plan_text"])["regimes"]
    assert (second["two_step"], second["recipe"]["group"]) == (str(folder), r"slide\d+")
    assert (seen["folds"], seen["notes"]) == (5, [])

    refused = lab.post("previews", {"kind": "study", **own_choices, "pretraining_ids": [lab.cells]}, 422)
    assert refused["code"] == "pretraining-on-compared-dataset"
    assert lab.post("previews", {"kind": "study", **own_choices, "networks": ["resnet1"]}, 422)["code"]
    assert (
        lab.post("previews", {"kind": "study", **own_choices, "initial_weights": ["imagnet"]}, 422)["code"]
        == "invalid-plan"
    )
    lab.post("previews", {"kind": "study", **own_choices, "is_small": True}, 422)


@pytest.mark.slow
def test_two_steps_through_three_datasets_are_chosen_by_one_name(lab: Lab) -> None:
    cells = lab.workspace.roots[0] / "cells"
    labs = [open_images(lab.workspace, shutil.copytree(cells, cells.with_name(name))) for name in ("first", "second")]
    choices = {"preset": "two-step", "dataset_ids": [lab.cells, *labs], "initial_weights": ["imagenet", "two-step"]}
    trainings = lab.post("previews", {"kind": "study", **lab.request(**choices)}, 200)["trainings"]
    assert {row["regime"] for row in trainings} == {"imagenet", "from cells", "from first", "from second"}


def test_the_networks_of_presets_that_were_not_chosen_are_excluded_with_their_baseline(lab: Lab) -> None:
    choices = {"preset": "mobilevit-mn", "networks": ["Mb_SE, scratch", "MV2_SE, scratch"]}
    seen = lab.post("previews", {"kind": "study", **lab.request(**choices)}, 200)
    planned = yaml.safe_load(seen["plan_text"])
    assert [model["name"] for model in planned["models"]] == choices["networks"]
    assert planned["models"][0]["recipe"]["model_options"]["mobilevit_attention"] == "se"
    assert "baseline" not in planned


def test_each_preset_names_its_networks_and_a_recipe_for_a_single_training(lab: Lab) -> None:
    presets = {each["name"]: each for each in lab.get("study-presets")["items"]}
    networks = {name: [network["model"] for network in preset["networks"]] for name, preset in presets.items()}
    assert networks["mobincep"][:2] == ["mobincep", "mobincep"]
    assert all(network["has_weights"] for network in presets["mobincep"]["networks"][:3])  # random
    assert not presets["mobincep"]["networks"][3]["has_weights"]  # of VGG19
    assert presets["two-step"]["initial_weights"] == ["imagenet", "scratch", "two-step"]
    assert [name for name, preset in presets.items() if preset["recipe"] is None] == ["two-step"]
    assert [arm["name"] for arm in presets["mobincep"]["arms"]] == ["A", "B", "C", "image-split"]
    assert all(arm["meaning"] for preset in presets.values() for arm in preset["arms"])
    assert [network["name"] for network in presets["mobincep"]["networks"] if network["is_own"]] == [
        "Mobincep",
        "Mobincep, cross-entropy",
    ]
    assert {preset["small_per_class"] for preset in presets.values()} == {20}
    recipes = {name: preset["recipe"] for name, preset in presets.items() if preset["recipe"]}
    assert recipes["mobincep"]["regularizer.groups"] == "kmeans"
    assert recipes["mobilevit-mn"]["model_options"] == {
        "dsc": True,
        "mv2_attention": "se",
        "mobilevit_attention": "nam",
        "placement": "text",
    }
    assert recipes["efficientnetv2-cell"]["freeze_to"] == "first_200_of_271"
    for name, recipe in recipes.items():
        assert lab.post("recipe/write", {"recipe": recipe}, 200)["values"] == recipe, name


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_time_of_a_study_is_known_before_it_is_begun(lab: Lab) -> None:
    request = lab.request(plan=lab.plan(folds=0, models=[SMALL_NETWORK, "resnet34"]))
    begun = lab.post("computations", {"kind": "study-time", **request}, 202)
    assert begun["state"] in ("waiting", "running")
    assert lab.get(f"jobs/{begun['job_id']}")["kind"] == "study-time"
    times = until(
        lambda: (now := lab.get(f"computations/study-time/{begun['subject']}"))["state"] == "ready" and now, 120
    )
    (timed, unknown) = times["trainings"]
    assert timed["seconds"] > 0
    assert unknown["seconds"] is None  # its weights are not on this computer
    assert (times["seconds"], times["n_unknown"]) == (timed["seconds"], 1)
    assert (
        lab.post("computations", {"kind": "study-time", **request}, 202)["state"] == "ready"
    )  # nothing is measured twice
    lab.get("computations/study-time/none", 404)


def test_a_time_limit_is_given_to_the_process_of_a_study(lab: Lab) -> None:
    study = lab.study(budget="2h", plan=lab.plan(folds=0))
    lab.client.post(f"{API}/jobs/{study['id']}/stop")
    assert study["budget_seconds"] == 7200
    assert "--budget=7200s" in find_job(lab.workspace, study["id"]).command
    assert lab.post("studies", lab.request(budget="soon"), 422)["code"] == "not-a-duration"
    ended(lab.client, study["id"])


def test_each_dataset_has_a_name_of_its_own(lab: Lab) -> None:
    folder = lab.workspace.roots[0] / "of equal names"  # processes of this app read below its folders only
    folder.mkdir()
    workspace = new_workspace(folder)
    folders = [write_cells(folder / "here" / name, 12) for name in ("A", "A 1")]
    folders += [write_cells(folder / place / "A", 12, seed=seed) for seed, place in enumerate(("there", "far"), 1)]
    datasets = [open_images(workspace, folder) for folder in folders]
    choices = StudyChoices(dataset_ids=datasets[:3], pretraining_ids=datasets[3:])
    trainings = outlook(workspace, choices).trainings
    assert list(dict.fromkeys(each.dataset for each in trainings if not each.is_pretraining)) == ["A 2", "A 1", "A 3"]
    assert {each.dataset for each in trainings if each.is_pretraining} == {
        messages.text("pretraining-on", dataset="A 4")
    }


def test_folds_of_a_dataset_with_a_split_are_refused_before_the_start(lab: Lab) -> None:
    folder = lab.workspace.roots[0] / "divided"
    for seed, part in enumerate(("train", "test")):
        write_cells(folder / part, 12, seed=seed)
    workspace = new_workspace(folder)
    divided = open_images(workspace, folder)
    with refusing(BadRecipe, "study-folds-of-split"):
        outlook(workspace, StudyChoices(dataset_ids=[divided]))


def test_what_cannot_be_planned_is_said(lab: Lab) -> None:
    assert "'aimic'" in lab.post("previews", {"kind": "study", **lab.request(preset="aimik")}, 422)["title"]
    assert "two datasets" in lab.post("previews", {"kind": "study", **lab.request(preset="two-step")}, 422)["title"]
    lab.post("previews", {"kind": "study", **lab.request(dataset_ids=["nothing"])}, 404)
    lab.post("previews", {"kind": "study", **lab.request(dataset_ids=[])}, 422)
    assert (
        "did you mean 'models'"
        in lab.post("previews", {"kind": "study", **lab.request(plan="modells: [x]")}, 422)["title"]
    )
    other = yaml.safe_dump({**yaml.safe_load(lab.plan()), "datasets": ["/etc"]})
    refused = lab.post("studies", lab.request(plan=other), 422)
    assert (refused["code"], refused["parameters"]) == ("plan-of-other-images", {"path": "/etc"})
    other_plan = lab.plan(regimes=[{"name": "other", "run": "/etc"}])
    assert lab.post("studies", lab.request(plan=other_plan), 422)["code"] == "outside-roots"
    lab.get("studies/nothing", 404)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_classifiers_of_a_study_can_be_used_before_anybody_has_opened_it(lab: Lab, unread: Json) -> None:
    assert [each["study_id"] for each in unread["classifiers"]] == [unread["id"]]
    lab.get(f"classifiers/{unread['classifiers'][0]['id']}")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_reading_a_study_and_its_evaluations_lists_nothing(lab: Lab) -> None:
    folder = lab.workspace.roots[0] / "without a server"
    folder.mkdir()
    workspace = new_workspace(folder)
    cells = open_images(workspace, write_cells(folder / "cells"))
    choices = StudyChoices(preset="aimic", dataset_ids=(cells,), is_small=True)
    whole = {**yaml.safe_load(outlook(workspace, choices).plan_text), "models": [SMALL_NETWORK], "folds": 0}
    whole |= {"arms": [], "baseline": None, "recipe": {**SMALL, "stage": "instant"}}
    study = studied_here(workspace, choices.model_copy(update={"plan": yaml.safe_dump(whole)}), "In a terminal")
    client = TestClient(create_app(workspace))  # answers, but its background work is not started

    def get(path: str) -> Json:
        body: Json = client.get(f"{API}/{path}").json()
        return body

    (training,) = get(f"jobs/{study}")["trainings"]
    assert (training["state"], training["run_id"]) == ("done", None)
    assert get("classifiers")["total"] == 0
    list_unlisted_jobs(workspace)
    (training,) = get(f"jobs/{study}")["trainings"]
    run = get(f"jobs/{training['run_id']}")
    cs.evaluate(run["folder"], cs.open_dataset(folder / "cells"), name="by_hand")
    assert get(f"runs/{run['id']}/evaluations")["total"] == 0
    list_unlisted_jobs(workspace)
    list_unlisted_jobs(workspace)
    assert get(f"runs/{run['id']}/evaluations")["total"] == 1


@pytest.mark.slow
def test_the_trainings_of_a_study_are_runs_and_one_that_fails_holds_no_other(lab: Lab, done: Json) -> None:
    assert (done["state"], done["n_done"], done["n_failed"], done["error"]) == ("done", 1, 1, None)
    good, failed = done["trainings"]
    assert (good["state"], failed["state"]) == ("done", "failed")
    assert failed["error"]
    run = lab.get(f"jobs/{good['run_id']}")
    assert (run["state"], run["dataset_id"], run["study_id"]) == ("done", lab.cells, done["id"])
    assert run["created"] == done["created"]  # its labels are those of that time
    recipe = load_recipe(Path(run["folder"]) / "recipe.yaml")
    assert (recipe.head, recipe.batch_norm, recipe.sampling, recipe.epochs) == ("native", "learn", "undersample", 1)
    folds = lab.get(f"jobs/{good['run_id']}/results")["metrics"]["folds"]
    assert len(folds["per_fold"]) == 2
    assert good["value"] == folds["mean"]["macro_f1"]["value"]  # as in the comparison
    assert lab.get("runs")["items"] == []  # the list is not flooded by them
    assert [each["study_id"] for each in lab.get("classifiers")["items"]] == [
        done["id"]
    ]  # so that they can be set apart
    assert done["id"] in [each["id"] for each in lab.get("studies")["items"]]


@pytest.mark.slow
def test_results_of_a_study_can_be_read_viewed_and_downloaded(lab: Lab, done: Json) -> None:
    results = lab.get(f"jobs/{done['id']}/results")
    (part,) = results["comparison"]["datasets"]
    assert [row["n_splits"] for row in part["scores"]] == [2, 0]
    (table,) = (block for block in results["sections"][0]["blocks"] if block["rows"])
    assert table["columns"][1:] == [part["dataset"]]
    assert [row[1]["text"] for row in table["rows"]] == [f"{part['scores'][0]['mean']:.3f}", "–"]
    report = lab.client.get(f"{API}/jobs/{done['id']}/report")
    assert "sandbox" in report.headers["content-security-policy"]
    blocks = [block for section in results["sections"] for block in section["blocks"]]
    page = unescape(report.text)
    for shown in (
        text for block in blocks for row in block["rows"] for cell in row for text in (cell["text"], cell["below"])
    ):
        assert shown in page
    assert all(words in page for block in blocks for words in block["words"])
    table = downloaded(lab.client.get(f"{API}/jobs/{done['id']}/download/results")).splitlines()
    assert len(table) == 1 + 2 + 1
    figures = [drawing for block in blocks for drawing in block["drawings"]]
    assert any(part["dataset"] in figure["title"] for figure in figures)
    for figure in figures:
        assert lab.client.get(f"{API}/jobs/{done['id']}/figures/{figure['name']}.svg").status_code == 200
    assert lab.client.get(f"{API}/jobs/{done['id']}/figures/none.svg").status_code == 409


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_study_is_analyzed_further_by_a_job(lab: Lab, done: Json) -> None:
    def states() -> Json:
        return {name: lab.get(f"computations/study-analysis/{done['id']}.{name}")["state"] for name in ANALYSES}

    def analysis(name: str, study: str = done["id"]) -> Json:
        return {"kind": "study-analysis", "subject": f"{study}.{name}"}

    assert states() == {"latency": "not-requested", "distances": "not-possible", "explanations": "not-requested"}
    assert lab.post("computations", analysis("distances"), 409)["code"] == "no-training-to-analyze"
    lab.post("computations", analysis("other"), 404)

    explained = lab.post("computations", analysis("explanations"), 202)
    job = lab.get(f"jobs/{explained['job_id']}")
    assert (job["kind"], job["name"]) == ("study-analysis", "First")
    assert job["result"] == f"/computations/study-analysis/{done['id']}.explanations"
    lab.post(f"jobs/{job['id']}/stop", {}, 200)
    assert states()["explanations"] == "not-requested"

    address = f"{API}/computations"
    until(
        lambda: lab.client.post(address, json=analysis("latency")).status_code == 202, 240
    )  # no training is running any more
    until(lambda: states()["latency"] == "ready", 120)
    (latency,) = lab.get(f"jobs/{done['id']}/results")["comparison"]["latencies"]
    assert latency["model"] == SMALL_NETWORK
    waiting = lab.study(plan=lab.plan(folds=0))
    assert lab.post("computations", analysis("latency", waiting["id"]), 409)["code"] == "study-not-ended"
    lab.client.post(f"{API}/jobs/{waiting['id']}/stop")
    ended(lab.client, waiting["id"], 240)


@pytest.mark.slow
def test_results_of_a_study_on_a_dataset_are_shown_where_a_network_is_chosen(lab: Lab, done: Json) -> None:
    (network_finding,) = lab.get(f"datasets/{lab.cells}/network-findings")["items"]
    (part,) = lab.get(f"jobs/{done['id']}/results")["comparison"]["datasets"]
    assert (network_finding["study_id"], network_finding["study_name"], network_finding["model"]) == (
        done["id"],
        "First",
        SMALL_NETWORK,
    )
    assert (
        network_finding["way"],
        network_finding["regime"],
        network_finding["n_splits"],
        network_finding["train_per_class"],
    ) == (None, "imagenet", 2, None)
    assert network_finding["mean"] == part["scores"][0]["mean"]
    assert (network_finding["baseline"], network_finding["verdict"]) == (
        None,
        None,
    )  # the other way to start has no result to compare
    lab.get("datasets/none/network-findings", 404)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_those_who_watch_see_a_study_end_and_a_stopped_one_resumes(lab: Lab) -> None:
    study = lab.study(plan=lab.plan(seeds=[0, 1], folds=0))
    folder = shutil.copytree(lab.workspace.roots[0] / "cells", lab.workspace.roots[0] / "others")
    others = open_images(lab.workspace, folder)
    waiting = lab.post("studies", {**lab.request(), "dataset_ids": [others]})
    assert waiting["state"] == "queued"
    assert lab.client.delete(f"{API}/datasets/{others}").status_code == 409  # it still needs these images
    assert lab.post(f"jobs/{waiting['id']}/stop", {}, 200)["state"] == "stopped"
    assert lab.client.delete(f"{API}/datasets/{others}").status_code == 204

    until(lambda: lab.get(f"jobs/{study['id']}")["trainings"][0]["run_id"], 240)
    assert lab.post(f"jobs/{study['id']}/stop", {}, 200)["kind"] == "study"
    stopped = ended(lab.client, study["id"], 240)
    assert (stopped["state"], stopped["has_comparison"]) == ("stopped", True)
    assert stopped["n_done"] < 2
    assert stopped["n_failed"] == 0  # its trainings were stopped, too
    lab.post(f"jobs/{study['id']}/resume", {}, 200)
    story = stories_of(lab.client, study["id"])[-1]
    assert story == lab.get(f"jobs/{study['id']}")
    assert (story["state"], [each["state"] for each in story["trainings"]]) == ("done", ["done", "done"])


@pytest.mark.slow
def test_a_plan_that_was_damaged_is_said_and_hides_no_other_study(lab: Lab, done: Json) -> None:
    study = lab.study(plan=lab.plan(folds=0))
    lab.client.post(f"{API}/jobs/{study['id']}/stop")
    ended(lab.client, study["id"], 240)
    (Path(study["folder"]) / "study.yaml").write_text("modells: [x]")
    listed = {each["id"]: each for each in lab.get("studies")["items"]}
    assert listed[study["id"]]["state"] == "failed"
    assert "did you mean 'models'" in listed[study["id"]]["error"]["what"]
    assert listed[done["id"]]["n_done"] == 1


@pytest.mark.slow
def test_a_study_whose_trainings_all_fail_is_failed(lab: Lab) -> None:
    study = lab.study(plan=lab.plan(regimes=[{"name": "gone", "recipe": {"positive_class": "none"}}]))
    story = ended(lab.client, study["id"], 240)
    assert (story["state"], story["n_done"], story["n_failed"]) == ("failed", 0, 1)
    assert lab.get(f"jobs/{study['id']}")["trainings"][0]["error"]


@pytest.mark.slow
def test_a_removed_study_comes_back_with_its_trainings(lab: Lab, done: Json) -> None:
    assert lab.client.delete(f"{API}/jobs/{done['id']}").status_code == 204
    lab.get(f"jobs/{done['id']}", 404)
    lab.get(f"jobs/{done['trainings'][0]['run_id']}", 404)
    assert lab.post(f"jobs/{done['id']}/restore", {}, 200)["state"] == "done"
    restored = lab.get(f"jobs/{done['id']}")["trainings"]
    assert [each["run_id"] for each in restored] == [each["run_id"] for each in done["trainings"]]
    run = lab.get(f"jobs/{restored[0]['run_id']}")
    assert (run["state"], run["created"]) == ("done", done["created"])


@pytest.mark.slow
def test_a_disk_that_takes_no_folder_is_no_fault_of_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(tmp_path / "cells"))
    make = Path.mkdir

    def refuse(folder: Path, mode: int = 0o777, *, parents: bool = False, exist_ok: bool = False) -> None:
        if folder.is_relative_to(workspace.studies):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(folder))
        make(folder, mode, parents=parents, exist_ok=exist_ok)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with TestClient(create_app(workspace)) as client:
        body = {"preset": "aimic", "dataset_ids": [cells], "is_small": True}
        answer = client.post(f"{API}/studies", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "disk-refused")
        assert client.get(f"{API}/studies").json()["total"] == 0
        monkeypatch.undo()
        made = client.post(f"{API}/studies", json=body)
        assert made.status_code == 201
        client.post(f"{API}/jobs/{made.json()['id']}/stop")
        until(lambda: client.get(f"{API}/jobs/{made.json()['id']}").json()["state"] == "stopped")
