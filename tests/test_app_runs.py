"""Trainings through the REST API, on real files with real trainings in processes of their own."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from small_workspace import (
    API,
    CLASSES,
    FINETUNE,
    QUICK,
    Json,
    ended,
    new_workspace,
    open_images,
    queue_run,
    server,
    stories_of,
    trained_here,
    until,
    write_cells,
)
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.app.clients import COOKIE, Languages
from coverslip.app.server import create_app
from coverslip.cache.stores import clean, list_stores
from coverslip.errors import Stopped
from coverslip.events import Event, InstantClassifierFitted
from coverslip.messages import in_language, message, text
from coverslip.reports.blocks import MetricRows
from coverslip.reports.metric_rows import MetricValue
from coverslip.reports.reported import read_run
from coverslip.reports.sections import sections_of
from coverslip.reports.sections.images import n_mistakes
from coverslip.reports.verdict import lead, verdict_of_run
from coverslip.runs.documents import rows_of_table
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.results import Results, results_of

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: TestClient
    cells: str
    run: str
    stories: list[Json]  # as a page receives them, from the beginning of the run

    def get(self, path: str) -> Json:
        answer = self.client.get(f"{API}/{path}")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")
    with TestClient(create_app(workspace)) as client:
        run = queue_run(client, cells, QUICK, name="The <b>first</b>")
        yield Lab(workspace, client, cells, run, stories_of(client, run))


def headline_metrics(results: Results) -> Sequence[MetricValue]:
    (numbers,) = (section for section in results.sections if section.name == "numbers")
    return next(block.metrics for block in numbers.blocks if isinstance(block, MetricRows))


@pytest.mark.exhaustive
def test_results_are_in_the_language_of_the_reader(lab: Lab) -> None:
    english = results_of(lab.workspace, lab.run)
    with in_language("de"):
        german = results_of(lab.workspace, lab.run)
    assert english == results_of(lab.workspace, lab.run)

    def texts(results: Results) -> list[str]:
        reasons = [sentence for reason in results.reasons for sentence in (reason.claim, reason.meaning)]
        verdicts = results.verdicts.values()
        titles = [section.title for section in results.sections]
        paragraphs = [
            words for each in results.sections for block in each.blocks if block.kind == "text" for words in block.words
        ]
        every = [results.headline, *results.words, *reasons, *verdicts, *titles, *paragraphs]
        return [each for each in every if each]  # some sections have no verdict

    for of_english, of_german in zip(texts(english), texts(german), strict=True):
        assert of_english != of_german
        assert not re.search(r"\d\.\d|\d%", of_german), of_german
    names = ("report-fact-images", "column-classes", "report-fact-groups", "report-network")
    with in_language("de"):
        assert [name for name, _ in german.facts[:4]] == [text(name, is_own=True) for name in names]
    assert german.metrics == english.metrics
    reason = message("interval-needs-groups", n_groups=2, n_needed=5)
    assert reason in {each.reason for each in headline_metrics(english)}
    address = f"{API}/jobs/{lab.run}/results"
    with TestClient(Languages(create_app(lab.workspace))) as client:
        for name in ("en", "de"):
            answer = client.get(address, headers={"Cookie": f"{COOKIE}={name}"}).json()
            (numbers,) = (section for section in answer["sections"] if section["name"] == "numbers")
            with in_language(name):
                assert str(reason) in {each["reason"] for each in numbers["blocks"][0]["metrics"]}


@pytest.mark.exhaustive
def test_those_who_watch_see_the_state_the_curves_and_the_lines_worth_reading(lab: Lab) -> None:
    assert lab.stories[0]["state"] in ("queued", "starting")
    assert lab.stories[-1]["name"] == "The <b>first</b>"
    assert lab.stories[-1] == lab.get(f"jobs/{lab.run}")
    texts = lab.stories[-1]["log"]
    numbers = [line["n"] for line in texts]
    assert numbers == sorted(set(numbers))
    log = lab.get(f"jobs/{lab.run}/log")
    lines = log["items"][::-1]  # the newest first
    assert [(line["n"], line["text"]) for line in lines] == [(line["n"], line["text"]) for line in texts]
    assert [line["values"].get("level") == "warning" for line in lines] == [line["is_warning"] for line in texts]
    assert log["total"] == len(numbers)
    assert all(line["text"] and line["text"] != line["event"] for line in log["items"])
    assert lab.get(f"jobs/{lab.run}/log?offset=1&limit=1")["items"] == log["items"][1:2]
    assert log["items"][0]["event"] == "RunEnded"
    assert not {line["event"] for line in log["items"]} & {"Progressed", "StepEnded", "CheckpointSaved"}
    assert lab.stories[0]["trainings"] == []
    shares = [story["progress"]["share"] for story in lab.stories if story["progress"]]
    assert shares == sorted(shares)
    assert lab.client.get(f"{API}/jobs/none/log").status_code == 404


def test_a_finished_run_has_the_words_and_numbers_of_its_report(lab: Lab) -> None:
    run = lab.get(f"jobs/{lab.run}")
    assert run["state"] == "done"
    assert run["has_classifier"]
    assert run["recipe"]["image_size"] == 32
    assert "stage: instant" in run["recipe_text"]
    assert run["trainings"][0]["instant"]["val_accuracy"] is not None
    assert run["curve"] == [run["trainings"][0]["instant"]["val_macro_f1"]]
    record = read_run(Path(run["folder"]))
    results = lab.get(f"jobs/{lab.run}/results")
    verdict = verdict_of_run(record)
    assert (results["use"], results["headline"]) == (verdict.use, verdict.headline)
    assert (run["headline"]["use"], run["headline"]["verdict"]) == (verdict.use, verdict.headline)
    words = (" ".join(lead(record, verdict)), record.delivered_words)
    assert results["next_step"] == verdict.next_step
    assert results["words"] == [*filter(None, words)]
    assert results["reasons"] == [asdict(reason) for reason in verdict.reasons]
    assert results["n_mistakes"] == n_mistakes(record)
    assert results["metrics"] == json.loads(record.run.metrics_file.read_text())
    assert [entry["name"] for entry in results["sections"]] == [section.name for section in sections_of(record)]
    blocks = chain.from_iterable(entry["blocks"] for entry in results["sections"])
    for drawing in chain.from_iterable(block.get("drawings", ()) for block in blocks):
        drawn = lab.client.get(f"{API}/jobs/{lab.run}/figures/{drawing['name']}.svg")
        assert (drawn.headers["Content-Type"], "<svg" in drawn.text) == ("image/svg+xml", True)
        dark = lab.client.get(f"{API}/jobs/{lab.run}/figures/{drawing['name']}.svg", params={"theme": "dark"})
        colors = [set(re.findall("#[0-9a-f]{6}", each.text)) for each in (drawn, dark)]
        assert ("#595959" in colors[0], "#595959" in colors[1], "#adadad" in colors[1]) == (True, False, True)
        table = lab.client.get(f"{API}/jobs/{lab.run}/figures/{drawing['name']}.csv")
        assert table.headers["Content-Type"].startswith("text/csv")
    assert lab.client.get(f"{API}/jobs/{lab.run}/figures/nothing.svg").status_code == 409
    assert lab.client.get(f"{API}/jobs/{lab.run}/download/model-card").text.startswith("# Model card")
    assert lab.get(f"jobs/{lab.run}/results") == results  # from the cache
    assert run["headline"]["value"] == results["metrics"]["metrics"]["macro_f1"]["value"]


def test_the_images_behind_a_cell_of_the_confusion_matrix_can_be_viewed(lab: Lab) -> None:
    counts = lab.get(f"jobs/{lab.run}/results")["metrics"]["confusion_matrix"]
    page = lab.get(f"lists/{lab.run}/rows?label=%3Cscript%3E&predicted=%3Cscript%3E&sort=-probability")
    assert len(page["items"]) == counts[0][0]
    surest = page["items"][0]
    assert surest["path"].startswith("<script>/")
    assert list(surest["probabilities"]) == list(CLASSES)
    first = lab.get(f"lists/{lab.run}/rows?limit=2")
    following = lab.get(f"lists/{lab.run}/rows?limit=5&after={first['next']}")
    table = list(rows_of_table(Path(lab.get(f"jobs/{lab.run}")["folder"]) / "predictions.csv"))
    assert [row["image_id"] for row in following["items"]] == [row["image_id"] for row in table[2:7]]
    mistakes = lab.get(f"lists/{lab.run}/rows?only=misclassified")
    assert len(mistakes["items"]) == sum(row["label"] != row["predicted"] for row in table)
    row = surest["row_id"]
    sheet, picture = f"lists/{lab.run}/sheet?rows={row}&side=64", f"lists/{lab.run}/rows/{row}/overview"
    for what, kind in ((sheet, "image/jpeg"), (picture, "image/png")):
        answer = lab.client.get(f"{API}/{what}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert lab.client.get(f"{API}/lists/{lab.run}/rows/99999/overview").status_code == 404


def test_a_gallery_reads_rows_by_their_numbers(lab: Lab) -> None:
    def row_ids(**query: object) -> list[int]:
        answer = lab.client.get(f"{API}/lists/{lab.run}/row-ids", params=query)
        assert answer.headers["content-type"] == "application/octet-stream"
        return np.frombuffer(answer.content, "<u4").tolist()

    listed = lab.get(f"lists/{lab.run}/rows?sort=-probability&limit=1000")
    ids = [row["row_id"] for row in listed["items"]]
    assert row_ids(sort="-probability") == ids
    wrong = [row["row_id"] for row in listed["items"] if row["label"] != row["predicted"]]
    assert row_ids(sort="-probability", only="misclassified") == wrong
    numbers = [ids[4], 99_999, ids[2]]
    page = lab.get(f"lists/{lab.run}/rows?rows={','.join(map(str, numbers))}")
    assert page["items"] == [listed["items"][4], listed["items"][2]]
    assert lab.client.get(f"{API}/lists/{lab.run}/rows?rows=1&limit=2").status_code == 422
    assert lab.client.get(f"{API}/lists/{lab.run}/sheet?rows={ids[0]},99999").status_code == 404
    assert lab.client.get(f"{API}/lists/none/sheet?rows=0").status_code == 404
    shown = lab.client.get(f"{API}/lists/{lab.run}/sheet?rows={ids[0]},{ids[1]}&side=32")
    sheet = Image.open(io.BytesIO(shown.content))
    assert sheet.size == (64, 32)


def test_misclassified_images_are_listed_with_their_groups(lab: Lab) -> None:
    run = cs.open_run(lab.get(f"jobs/{lab.run}")["folder"])
    group_of = {row.image_id: row.group for row in run.split}
    rows = lab.get(f"lists/{lab.run}/rows")["items"]
    assert {row["image_id"]: row["group"] for row in rows} == {
        row["image_id"]: group_of[row["image_id"]] for row in rows
    }
    assert all(row["group"].startswith("slide") for row in rows)


@pytest.mark.exhaustive
def test_fine_tuning_that_was_discarded_is_not_drawn_in_the_list(lab: Lab) -> None:
    recipe = {**FINETUNE, "learning_rate": 1.0}
    run = trained_here(lab.workspace, lab.cells, recipe)
    record = cs.open_run(lab.get(f"jobs/{run}")["folder"]).training
    assert record is not None
    assert record.instant is not None
    assert (record.chosen, record.finetune is None) == ("instant", False)
    assert lab.get(f"jobs/{run}")["curve"] == [record.instant.val_macro_f1]


@pytest.mark.parametrize("recipe", [QUICK, FINETUNE], ids=["instant", "finetune"])
@pytest.mark.exhaustive
def test_the_list_has_the_mean_validation_f1_of_all_folds(lab: Lab, recipe: Json) -> None:
    state = lab.get(f"jobs/{trained_here(lab.workspace, lab.cells, {**recipe, 'split.folds': 3})}")
    scores = []
    for fold in cs.open_run(state["folder"]).folds:
        record = fold.training
        assert record is not None
        assert record.instant is not None
        of_epoch = {epoch.epoch: epoch.val_f1 for epoch in fold.history}
        scores.append(record.instant.val_macro_f1 if record.chosen == "instant" else of_epoch[record.selected_epoch])
    assert len(set(scores)) > 1  # else that of the first fold would be right
    assert state["curve"] == [pytest.approx(sum(scores) / 3)]
    assert state["curve_folds"] == 3
    assert lab.get(f"jobs/{lab.run}")["curve_folds"] == 0


def test_downloads_are_whole_and_the_same_each_time(lab: Lab) -> None:
    folder = Path(lab.get(f"jobs/{lab.run}")["folder"])
    path = f"{API}/jobs/{lab.run}/download"
    packed = lab.client.get(f"{path}/run")
    assert packed.content == lab.client.get(f"{path}/run").content
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.testzip() is None
        named = f"{folder.name}/metrics.json"
        assert archive.read(named) == (folder / "metrics.json").read_bytes()
        assert not [name for name in archive.namelist() if ".." in name or "checkpoints" in name]
    names = {"confusion-matrix": "confusion_matrix.csv", "predictions": "predictions.csv", "recipe": "recipe.yaml"}
    for what, name in {"report": "report.html", **names}.items():
        answer = lab.client.get(f"{path}/{what}")
        mark = b"\xef\xbb\xbf" if name.endswith(".csv") else b""  # so that Excel reads UTF-8
        assert answer.content == mark + (folder / name).read_bytes()
        assert f'filename="{folder.name}-{name}"' in answer.headers["content-disposition"]
    report = lab.client.get(f"{API}/jobs/{lab.run}/report")
    assert "sandbox" in report.headers["content-security-policy"]
    assert "&lt;script&gt;" in report.text
    classifier = lab.client.get(f"{path}/classifier").content
    brought = lab.client.post(f"{API}/classifiers?name=Brought", content=classifier)
    assert brought.status_code == 201
    assert brought.json()["classes"] == list(CLASSES)
    assert {item["name"] for item in lab.get("classifiers")["items"]} >= {"The <b>first</b>", "Brought"}
    path_of_brought = f"{API}/jobs/{brought.json()['id']}"
    state = lab.client.get(path_of_brought).json()
    assert (state["kind"], state["state"], state["actions"]) == ("import", "done", ["remove"])
    described = lab.get(f"classifiers/{state['id']}")
    assert {name: described[name] for name in brought.json()} == brought.json()
    assert lab.client.get(f"{path_of_brought}/log").json()["total"] == 0
    for action in ("stop", "finish", "resume"):
        assert lab.client.post(f"{path_of_brought}/{action}").status_code == 409
    assert lab.client.delete(path_of_brought).status_code == 204
    assert "Brought" not in {item["name"] for item in lab.get("classifiers")["items"]}
    assert lab.client.delete(path_of_brought).status_code == 404
    (in_trash,) = (lab.workspace.trash / brought.json()["id"]).iterdir()
    in_trash.write_bytes(classifier[:1000])
    assert lab.client.post(f"{path_of_brought}/restore").status_code == 422  # damaged meanwhile
    in_trash.write_bytes(classifier)
    assert lab.client.post(f"{path_of_brought}/restore").json() == state
    assert brought.json() in lab.get("classifiers")["items"]
    refused = lab.client.post(f"{API}/classifiers", content=classifier[:1000])
    assert refused.status_code == 422
    assert refused.json()["code"] == "not-a-packaged-classifier"
    assert lab.client.post(f"{API}/classifiers", content=b"").status_code == 422
    assert lab.client.get(f"{path}/passwd").status_code == 422


@pytest.mark.exhaustive
def test_the_classifier_of_an_unfinished_training_is_marked_and_not_the_first_choice(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    data = cs.open_dataset(write_cells(tmp_path / "cells"))
    recipe = Recipe(model=SMALL_NETWORK, stage="instant", image_size=32, tta=1, split=SplitPlan(folds=0))
    cs.train(data, recipe, out=workspace.runs / "finished")

    def stop(event: Event) -> None:
        if isinstance(event, InstantClassifierFitted):
            Run(workspace.runs / "stopped").stop_file.touch()

    finetune = recipe.model_copy(update={"stage": "finetune", "epochs": 2})
    with pytest.raises(Stopped):
        cs.train(data, finetune, out=workspace.runs / "stopped", emit=stop)
    with TestClient(create_app(workspace)) as client:
        classifiers = client.get(f"{API}/classifiers").json()["items"]
    assert [(classifier["name"], classifier["is_finished"]) for classifier in classifiers] == [
        ("finished", True),
        ("stopped", False),
    ]
    assert [(classifier["stage"], bool(classifier["created"])) for classifier in classifiers] == [("instant", True)] * 2


def test_runs_on_the_same_images_are_distinguished_from_others(lab: Lab, tmp_path: Path) -> None:
    folder = Path(lab.get(f"jobs/{lab.run}")["folder"])
    copy = lab.workspace.runs / "copied-in-a-terminal"
    shutil.copytree(folder, copy)
    with TestClient(create_app(lab.workspace)) as client:  # a server finds runs that it did not start
        runs = {run["name"]: run for run in client.get(f"{API}/runs").json()["items"]}
        other = runs[copy.name]
        assert (other["state"], other["headline"]) == ("done", runs["The <b>first</b>"]["headline"])
    compared = lab.get(f"comparison?run_id={lab.run}&run_id={other['id']}")
    assert [row["run_id"] for row in compared["rows"]] == [lab.run, other["id"]]
    tables = [block["rows"] for block in compared["sections"][0]["blocks"] if block["rows"]]
    assert len(tables) == 2  # of headline metrics and of the others, by the labels of both
    assert {row[3]["value"] for rows in tables for row in rows} - {None} == {0}
    n_images = cs.open_run(folder).metrics.n
    assert compared["sections"][0]["subtitle"].startswith(f"{n_images} common test images")
    table = (copy / "predictions.csv").read_text().splitlines(keepends=True)
    (copy / "predictions.csv").write_text("".join(table[:-1]))
    compared = lab.get(f"comparison?run_id={lab.run}&run_id={other['id']}")
    assert compared["sections"][0]["subtitle"].startswith(f"{n_images - 1} common test images")
    assert compared["sections"][0]["blocks"][0]["words"]
    assert lab.client.get(f"{API}/comparison?run_id={lab.run}").status_code == 422
    assert lab.client.get(f"{API}/comparison?run_id={lab.run}&run_id=none").status_code == 404
    assert lab.client.delete(f"{API}/jobs/{other['id']}").status_code == 204


def test_a_removed_run_comes_back_as_it_was(lab: Lab) -> None:
    before = lab.get(f"jobs/{lab.run}")
    assert lab.client.delete(f"{API}/jobs/{lab.run}").status_code == 204
    assert lab.client.get(f"{API}/jobs/{lab.run}").status_code == 404
    assert not Path(before["folder"]).exists()
    assert lab.run not in [item["id"] for item in lab.get("runs")["items"]]
    assert lab.client.post(f"{API}/jobs/{lab.run}/restore").json()["id"] == lab.run
    assert lab.get(f"jobs/{lab.run}") == before
    assert lab.client.patch(f"{API}/runs/{lab.run}", json={"name": "New"}).json()["name"] == "New"
    assert lab.client.patch(f"{API}/runs/{lab.run}", json={"name": "The <b>first</b>"}).status_code == 200
    assert lab.client.post(f"{API}/jobs/{lab.run}/resume").status_code == 409
    assert lab.client.post(f"{API}/jobs/{lab.run}/stop").status_code == 409


@pytest.mark.exhaustive
def test_a_training_that_cannot_work_says_why(lab: Lab) -> None:
    folder = write_cells(lab.workspace.roots[0] / "gone", 30)
    dataset = open_images(lab.workspace, folder)
    for image in folder.rglob("*.png"):
        image.unlink()
    run = ended(lab.client, queue_run(lab.client, dataset, QUICK))
    assert run["state"] == "failed"
    shutil.rmtree(folder)
    refused = lab.client.post(f"{API}/runs", json={"dataset_id": dataset, "recipe": QUICK})
    assert (refused.status_code, refused.json()["code"]) == (409, "missing-source")
    assert refused.json()["file"] == str(folder)
    assert run["error"]["do"].endswith(".")
    assert lab.client.get(f"{API}/jobs/{run['id']}/results").status_code == 409
    bad = lab.client.post(f"{API}/runs", json={"dataset_id": lab.cells, "recipe": {"epochz": 1}})
    assert bad.status_code == 422
    assert "epochz" in bad.json()["title"]
    assert lab.client.post(f"{API}/runs", json={"dataset_id": "none"}).status_code == 404


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"split.val": 0}, "budget-without-validation"),
        ({"stage": "finetune", "init": "scratch", "split.folds": 3}, "budget-with-folds-from-scratch"),
    ],
)
def test_a_budget_that_cannot_be_planned_is_refused_before_the_queue(lab: Lab, changes: Json, code: str) -> None:
    request = {"dataset_id": lab.cells, "recipe": {**QUICK, **changes}, "budget": "10m"}
    answer = lab.client.post(f"{API}/runs", json=request)
    assert (answer.status_code, answer.json().get("code")) == (422, code)


@pytest.mark.exhaustive
def test_of_two_trainings_one_waits_and_a_stopped_one_resumes(lab: Lab) -> None:
    first = queue_run(lab.client, lab.cells, {**FINETUNE, "epochs": 400})
    second = queue_run(lab.client, lab.cells, QUICK)
    until(lambda: lab.get(f"jobs/{first}")["state"] == "running")
    assert lab.get(f"jobs/{second}")["queue_position"] == 1
    started = lab.get(f"jobs/{first}")
    assert started["began"] >= started["created"][:19]
    assert started["queued"] is None
    assert lab.get(f"jobs/{second}")["began"] is None
    assert lab.client.delete(f"{API}/jobs/{first}").status_code == 409
    assert lab.client.post(f"{API}/jobs/{second}/stop").json()["state"] == "stopped"
    resumed = lab.client.post(f"{API}/jobs/{second}/resume").json()
    assert resumed["queued"] > resumed["created"]  # it waits since it was resumed
    assert lab.client.post(f"{API}/jobs/{second}/stop").json()["queued"] is None
    until(lambda: lab.get(f"jobs/{first}")["epoch"])
    assert lab.client.post(f"{API}/jobs/{first}/stop").json()["state"] == "stopping"
    stopped = ended(lab.client, first)
    assert (stopped["state"], stopped["has_classifier"]) == ("stopped", True)
    assert lab.client.post(f"{API}/jobs/{first}/resume").json()["state"] in ("queued", "starting")
    until(lambda: lab.get(f"jobs/{first}")["epoch"] > stopped["epoch"])
    lab.client.post(f"{API}/jobs/{first}/stop")
    ended_run = ended(lab.client, first)
    assert ended_run["state"] == "stopped"
    epochs = [row["epoch"] for row in ended_run["trainings"][0]["epochs"]]
    assert epochs == list(range(len(epochs)))


_ALL_REQUESTS = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
from PIL import Image
from coverslip.app.server import create_app
from coverslip.workspace.store.workspace import open_workspace
with TestClient(create_app(open_workspace(Path(sys.argv[1]), (Path(sys.argv[2]),)))) as client:
    for path in sys.argv[3:]:
        answer = client.get("/api/v1" + path)
        assert answer.status_code == 200, (path, answer.text)
print(sorted({"torch", "timm", "sklearn", "matplotlib"} & set(sys.modules)))
"""


@pytest.mark.exhaustive
def test_the_server_never_imports_what_trains(lab: Lab) -> None:
    run = f"/jobs/{lab.run}"
    files = ("report", "predictions", "run", "classifier", "recipe")
    paths = ["/runs", "/classifiers", "/predictions", "/models", "/recipe", run]
    paths += [
        f"/lists/{lab.run}/{part}" for part in ("rows?only=misclassified", "rows/0/overview", "row-ids", "sheet?rows=0")
    ]
    paths += [
        f"/jobs/{lab.run}/{part}" for part in ("log", "results", "report", *(f"download/{file}" for file in files))
    ]
    clean(list_stores())
    home, root = str(lab.workspace.folder), str(lab.workspace.roots[0])
    command = [sys.executable, "-c", _ALL_REQUESTS, home, root, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.exhaustive
def test_a_training_continues_when_the_server_is_killed_and_its_curves_are_whole(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(tmp_path / "cells", 45), group_pattern=r"slide\d+")
    port = 8911 + os.getpid() % 500
    with server(workspace.folder, tmp_path, port) as (process, client):
        run = queue_run(client, cells, {**FINETUNE, "epochs": 3})
        waiting = queue_run(client, cells, QUICK)
        folder = Path(until(lambda: client.get(f"{API}/jobs/{run}").json())["folder"])
        until(lambda: (status := Run(folder).status) is not None and status.state == "running")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (status := Run(folder).status) is not None
        assert status.is_alive
    with server(workspace.folder, tmp_path, port) as (process, client):
        assert client.get(f"{API}/jobs/{run}").json()["state"] == "running"
        assert client.get(f"{API}/jobs/{waiting}").json()["queue_position"] == 1
        assert client.post(f"{API}/jobs/{waiting}/stop").json()["state"] == "stopped"
        with client.stream("GET", f"{API}/events", params={"job": run}) as watched:
            assert next(watched.iter_text()).startswith("data: ")
            process.terminate()  # streams end at once, so the server does too
            assert process.wait(timeout=5) is not None
    with server(workspace.folder, tmp_path, port) as (_, client):
        ended_run = ended(client, run, 180)
        assert ended_run["state"] == "done"
        assert [row["epoch"] for row in ended_run["trainings"][0]["epochs"]] == [0, 1, 2, 3]
        log = client.get(f"{API}/jobs/{run}/log").json()["items"][::-1]
        assert [line["n"] for line in ended_run["log"]] == [line["n"] for line in log]
        assert [line["values"]["epoch"] for line in log if line["event"] == "EpochEnded"] == [0, 1, 2, 3]
