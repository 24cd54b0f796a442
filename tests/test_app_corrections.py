"""Labels are corrected in results, become labels of the dataset, and a new training reports them (REST API)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from drawing import save_cell
from fastapi.testclient import TestClient
from image_sets import in_lists
from small_workspace import (
    API,
    FINETUNE,
    QUICK,
    Json,
    ended,
    new_workspace,
    open_images,
    predicted_here,
    queue_run,
    trained_here,
    until,
    write_cells,
)
from tables import label_changes

from coverslip.app.server import create_app
from coverslip.evaluation.table import METRICS
from coverslip.messages import text
from coverslip.reports.reported import percent, read_run
from coverslip.reports.sections.methods import methods_text
from coverslip.reports.verdict import verdict_of_run
from coverslip.runs.classifier import fingerprint_of
from coverslip.runs.folder import Run
from coverslip.workspace.store.workspace import Workspace

pytestmark = pytest.mark.slow

NO_CHANGES: Json = {
    **dict.fromkeys(("n_added", "n_relabeled", "n_relabeled_test", "n_removed", "n_removed_test", "n_ungrouped"), 0),
    "trained": None,
}


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: httpx.Client
    cells: str  # the dataset that was trained on
    run: str

    def get(self, path: str) -> Json:
        answer = self.client.get(f"{API}/{path}")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def compute(self, kind: str, subject: str) -> Json:
        """Request a result; its state."""
        answer = self.client.post(f"{API}/computations", json={"kind": kind, "subject": subject})
        assert answer.status_code == 202, answer.text
        state: Json = answer.json()
        return state

    def correct(self, run: str, k: int, label: str | None) -> Json:
        answer = self.client.put(f"{API}/lists/{run}/rows/{k}/correction", json={"label": label})
        assert answer.status_code == 200, answer.text
        corrected: Json = answer.json()
        return corrected

    def label(self, image_ids: list[str], label: str | None) -> int:
        """Give images a label; the number of the change."""
        body = {"images": image_ids, "label": label}
        answer = self.client.post(f"{API}/datasets/{self.cells}/changes", json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["change"])

    def undo(self, change: int) -> int:
        """Undo a change of labels; the status of the answer."""
        return self.client.post(f"{API}/changes/{change}/undo").status_code

    def image_ids(self, query: str = "") -> list[str]:
        """The image_ids of the matching images of the dataset."""
        return [image["image_id"] for image in self.get(f"lists/{self.cells}/rows?limit=2000&{query}")["items"]]

    def labels(self) -> dict[str, str]:
        return {image["path"]: image["label"] for image in self.get(f"lists/{self.cells}/rows?limit=2000")["items"]}

    def split(self, run: str) -> dict[str, str]:
        rows = Run(Path(self.get(f"jobs/{run}")["folder"])).split
        return {Path(row.path).name: row.split for row in rows}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")
    run = trained_here(workspace, cells, QUICK, "First")
    with TestClient(create_app(workspace)) as client:
        yield Lab(workspace, client, cells, run)


def test_a_correction_joins_the_dataset_that_was_trained_on_and_can_be_taken_back(lab: Lab) -> None:
    row = lab.get(f"lists/{lab.run}/rows?label=large")["items"][0]
    before = lab.labels()
    corrected = lab.correct(lab.run, row["row_id"], "medium")["row"]
    assert (corrected["label"], corrected["correction"]) == ("large", "medium")
    assert {path: label for path, label in lab.labels().items() if before[path] != label} == {row["path"]: "medium"}
    assert [item["row_id"] for item in lab.get(f"lists/{lab.run}/rows?only=corrected")["items"]] == [row["row_id"]]
    assert lab.get(f"runs/{lab.run}/image-changes") == {**NO_CHANGES, "n_relabeled": 1, "n_relabeled_test": 1}
    assert lab.correct(lab.run, row["row_id"], None)["row"]["correction"] is None
    assert lab.labels() == before
    assert lab.get(f"runs/{lab.run}/image-changes") == NO_CHANGES
    assert lab.correct(lab.run, row["row_id"], None)["change"] is None  # there is nothing left to take back
    # As a suspected label error, it is corrected by the row of its dataset, and taken back by the training.
    body = {"images": [row["image_id"]], "label": "medium", "job_id": lab.run}
    assert lab.client.post(f"{API}/datasets/{lab.cells}/changes", json=body).status_code == 200
    assert lab.correct(lab.run, row["row_id"], None)["row"]["correction"] is None
    assert lab.labels() == before
    lab.label([row["image_id"]], "medium")  # in the gallery
    answer = lab.client.put(f"{API}/lists/{lab.run}/rows/{row['row_id']}/correction", json={"label": None})
    assert (answer.status_code, answer.json()["code"]) == (409, "correction-not-of-job")
    assert lab.correct(lab.run, row["row_id"], "large")["row"]["correction"] is None
    assert lab.labels() == before


@pytest.mark.exhaustive
def test_removed_images_are_counted_before_training_again(lab: Lab) -> None:
    where = f"{API}/datasets/{lab.cells}"
    n_of = Counter(lab.split(lab.run).values())
    tested, trained = (lab.image_ids(f"run={lab.run}&part={part}")[:3] for part in ("test", "train"))
    left_out = [*tested[:1], *trained[:2]]

    def exclude(is_excluded: bool) -> None:
        body = {"images": left_out, "is_excluded": is_excluded}
        assert lab.client.post(f"{where}/changes", json=body).status_code < 300

    exclude(True)
    change = lab.label(trained[2:], None)
    counts = lab.get(f"runs/{lab.run}/image-changes")
    assert counts == {**NO_CHANGES, "n_removed": 4, "n_removed_test": 1}
    second = trained_here(lab.workspace, lab.cells, QUICK, "Without them", repeats_run=lab.run)
    assert Counter(lab.split(second).values()) == n_of - Counter(test=1, train=3) + Counter({"excluded": 1})
    assert lab.get(f"runs/{lab.run}/image-changes")["trained"] == {"id": second, "name": "Without them"}
    assert lab.get(f"runs/{second}/image-changes") == NO_CHANGES
    exclude(False)
    assert lab.undo(change) == 200
    assert lab.get(f"runs/{lab.run}/image-changes") == NO_CHANGES
    assert lab.get(f"runs/{second}/image-changes") == {**NO_CHANGES, "n_added": 4, "n_ungrouped": 0}


@pytest.mark.exhaustive
def test_adding_predicted_images_shows_what_a_new_training_has_more_or_less(lab: Lab) -> None:
    new = write_cells(lab.workspace.roots[0] / "new", n=4, seed=70)
    others = open_images(lab.workspace, new)
    prediction = f"predictions/{predicted_here(lab.workspace, lab.run, others)}"

    def answer(k: int, label: str | None) -> None:
        assert (
            lab.client.put(f"{API}/{in_lists(prediction)}/rows/{k}/correction", json={"label": label}).status_code
            == 200
        )

    of_join = {"kind": "join", "prediction_id": prediction.removeprefix("predictions/"), "dataset_id": lab.cells}

    def join() -> tuple[Json, Json]:
        """The images added and removed, and the changes since the training, as in the preview."""
        preview = lab.client.post(f"{API}/previews", json=of_join).json()
        joined = lab.client.post(f"{API}/{prediction}/join", json={"dataset_id": lab.cells}).json()
        until(lambda: lab.get(f"datasets/{lab.cells}")["state"] == "ready")
        changes = lab.get(f"runs/{lab.run}/image-changes")
        assert preview["counts"] == joined["counts"]
        assert preview["changes"] == {key: changes[key] for key in preview["changes"]}
        return joined["counts"], changes

    before = [{"path": source["path"]} for source in lab.get(f"datasets/{lab.cells}")["sources"]]
    tested = lab.get(f"lists/{lab.cells}/rows?run={lab.run}&part=test&limit=1")["items"]
    body = {"images": [tested[0]["image_id"]], "is_excluded": True}
    assert lab.client.post(f"{API}/datasets/{lab.cells}/changes", json=body).status_code < 300
    answer(0, "large")
    answer(1, "large")
    counts, changes = join()
    assert (counts["n_new"], counts["n_withdrawn"]) == (2, 0)
    assert (changes["n_added"], changes["n_removed"], changes["n_removed_test"]) == (2, 1, 1)
    answer(0, None)
    answer(1, "medium")
    answer(2, "large")
    counts, changes = join()
    assert (counts["n_new"], counts["n_withdrawn"], counts["n_relabeled"]) == (1, 1, 1)
    assert (changes["n_added"], changes["n_relabeled"], changes["n_removed"]) == (2, 0, 1)
    assert lab.client.patch(f"{API}/datasets/{lab.cells}", json={"sources": before}).status_code == 200
    until(lambda: lab.get(f"datasets/{lab.cells}")["state"] == "ready")
    body["is_excluded"] = False
    assert lab.client.post(f"{API}/datasets/{lab.cells}/changes", json=body).status_code < 300
    assert lab.get(f"runs/{lab.run}/image-changes") == NO_CHANGES


@pytest.mark.exhaustive
def test_a_training_with_a_time_budget_is_repeated_with_its_groups(lab: Lab) -> None:
    image = lab.get(f"lists/{lab.cells}/rows?label=large&limit=1")["items"][0]
    change = lab.label([image["image_id"]], "medium")
    run = trained_here(lab.workspace, lab.cells, {**FINETUNE, "group": r"slide\d"}, "Regrouped", budget="10m")
    assert lab.undo(change) == 200
    assert Run(Path(lab.get(f"jobs/{run}")["folder"])).recipe.group == "group"  # the column of the app's own table
    assert lab.get(f"jobs/{run}")["recipe"]["group"] == r"slide\d"


def test_new_images_without_a_known_group_are_counted_before_training_again(lab: Lab) -> None:
    where = f"{API}/datasets/{lab.cells}"
    before = [{"path": source["path"]} for source in lab.get(f"datasets/{lab.cells}")["sources"]]
    for name in ("slide99", "unknown"):
        save_cell(lab.workspace.roots[0] / "others" / "large" / f"{name}.png", seed=len(name))
    sources = [*before, {"path": str(lab.workspace.roots[0] / "others")}]
    assert lab.client.patch(where, json={"sources": sources}).status_code == 200
    until(lambda: lab.get(f"datasets/{lab.cells}")["state"] == "ready")
    counts = lab.get(f"runs/{lab.run}/image-changes")
    assert (counts["n_added"], counts["n_ungrouped"]) == (2, 1)
    assert lab.client.patch(where, json={"sources": before}).status_code == 200
    until(lambda: lab.get(f"datasets/{lab.cells}")["state"] == "ready")


@pytest.mark.exhaustive
def test_groups_of_a_training_table_that_a_pattern_matched_are_shown_as_those_of_the_pattern(lab: Lab) -> None:
    image = lab.get(f"lists/{lab.cells}/rows?label=large&limit=1")["items"][0]
    change = lab.label([image["image_id"]], "medium")
    run = trained_here(lab.workspace, lab.cells, QUICK, "With a changed label")
    assert lab.undo(change) == 200
    folder = Path(lab.get(f"jobs/{run}")["folder"])
    opened = Run(folder).environment.opened
    assert (opened.group, opened.group_pattern, opened.column_pattern) == ("group", None, r"slide\d+")
    assert "“slide\\d+”" in methods_text(folder)
    assert "column “group”" not in methods_text(folder)


def test_the_dataset_keeps_what_was_changed_by_whom_and_where_it_was_seen(lab: Lab) -> None:
    row = lab.get(f"lists/{lab.run}/rows?label=medium")["items"][0]
    number = lab.correct(lab.run, row["row_id"], "large")["change"]
    last = label_changes(lab.client, f"{API}/datasets/{lab.cells}")[-1]
    assert last["image_id"] == row["image_id"]
    assert (last["label_before"], last["label"], last["seen_in"]) == ("medium", "large", "train: First")
    assert (last["is_undone"], lab.undo(number)) == ("no", 200)
    assert label_changes(lab.client, f"{API}/datasets/{lab.cells}")[-1]["is_undone"] == "yes"
    assert lab.get(f"lists/{lab.run}/rows?only=corrected")["items"] == []


@pytest.mark.exhaustive
def test_training_again_keeps_each_image_in_its_part_though_labels_have_changed(lab: Lab) -> None:
    rows = lab.get(f"lists/{lab.run}/rows")["items"]
    lab.correct(lab.run, rows[0]["row_id"], next(name for name in ("large", "medium") if name != rows[0]["label"]))
    of_split = {"kind": "split", "dataset_id": lab.cells, "recipe": QUICK, "repeats_run": lab.run}
    preview = lab.client.post(f"{API}/previews", json=of_split)
    job = queue_run(lab.client, lab.cells, QUICK, name="Second", repeats_run=lab.run)
    assert ended(lab.client, job)["state"] == "done"
    assert lab.get(f"runs/{lab.run}/image-changes")["trained"] == {"id": job, "name": "Second"}
    assert lab.split(job) == lab.split(lab.run)
    assert {part["part"]: part["n"] for part in preview.json()["parts"]}["test"] == len(rows)
    assert lab.get(f"jobs/{job}")["repeats_run"] == lab.run
    label_of = {row["image_id"]: row["label"] for row in lab.get(f"lists/{job}/rows")["items"]}
    assert label_of[rows[0]["image_id"]] != rows[0]["label"]
    assert lab.get(f"lists/{job}/rows?only=corrected")["items"] == []
    # Marked in every list, also if the repeated training had corrected labels already.
    third = queue_run(lab.client, lab.cells, QUICK, name="Third", repeats_run=job)
    assert ended(lab.client, third)["state"] == "done"
    first = lab.get(f"jobs/{lab.run}/results")
    fair = Run(Path(lab.get(f"jobs/{lab.run}")["folder"])).metrics["accuracy"].value or 0
    assert "limit-relabeled" not in {reason["code"] for reason in first["reasons"]}
    assert "relabeled" not in {section["name"] for section in first["sections"]}
    assert lab.get(f"jobs/{lab.run}")["headline"]["n_relabeled"] == 0
    for run in (job, third):
        assert lab.get(f"jobs/{run}")["headline"]["n_relabeled"] == 1
        folder = Path(lab.get(f"jobs/{run}")["folder"])
        results = lab.get(f"jobs/{run}/results")
        (reason,) = (each for each in results["reasons"] if each["code"] == "limit-relabeled")
        assert reason["severity"] == "care"
        assert percent(fair) in reason["claim"]
        assert "relabeled" in {section["name"] for section in results["sections"]}
        assert "1 of them relabeled after looking at misclassified images" in methods_text(folder)
        assert reason["claim"] in (folder / "model_card.md").read_text(encoding="utf-8")
    moved = folder.with_name("moved")
    Path(lab.get(f"jobs/{job}")["folder"]).rename(moved)
    assert "report-unknown-labels" in {reason.code for reason in verdict_of_run(read_run(folder)).reasons}
    moved.rename(lab.get(f"jobs/{job}")["folder"])
    compared = lab.get(f"comparison?run_id={lab.run}&run_id={job}")
    pair, differing, runs = compared["sections"]
    assert pair["subtitle"].startswith(f"{len(rows)} common test images")
    assert any("may be too high" in note for note in pair["blocks"][0]["words"])
    headings = [text("comparison-labels", labels=labels) for labels in ("first", "second")]
    by_old, by_new = (
        {row[0]["text"]: [cell["text"] for cell in row] for row in block["rows"]}
        for block in pair["blocks"]
        if block["heading"] in headings
    )
    accuracy = METRICS["accuracy"].title
    (of_run,) = (row for row in runs["blocks"][1]["rows"] if row[0]["text"] == accuracy)
    assert (by_old[accuracy][1], by_new[accuracy][2]) == (of_run[1]["text"], of_run[2]["text"])
    settings = {row[0]["text"] for row in differing["blocks"][0]["rows"]}
    assert text("comparison-fact-labels") in settings
    same = {text("comparison-fact-sources"), text("comparison-fact-sets"), text("comparison-fact-moved")}
    assert not settings & same  # the sources are the same dataset, though the second one is a table of the workspace


@pytest.mark.exhaustive
def test_suspected_label_errors_are_computed_and_reviewed_in_the_gallery(lab: Lab) -> None:
    place = f"{API}/computations/label-errors/{lab.run}"
    assert lab.client.get(place).json()["state"] == "not-requested"
    refused = lab.client.get(f"{API}/lists/{lab.cells}/rows?run={lab.run}&only=questioned")
    assert refused.status_code == 422, refused.text
    lab.compute("label-errors", lab.run)
    label_errors = until(
        lambda: (state := lab.client.get(place).json())["state"] not in ("waiting", "running") and state
    )
    assert label_errors["state"] == "ready", label_errors
    assert label_errors["n_checked"] + label_errors["n_not_checked"] == 60
    shown = lab.get(f"lists/{lab.cells}/rows?run={lab.run}&only=questioned&sort=label-quality&limit=100")["items"]
    assert [image["image_id"] for image in shown] == [image["image_id"] for image in label_errors["images"]]
    suspected = lab.get(f"lists/{lab.cells}/rows?run={lab.run}&only=suspected&sort=label-quality&limit=100")["items"]
    assert suspected == shown[: label_errors["n_suspected"]]


def confirm(lab: Lab, images: list[str], *, is_confirmed: bool = True) -> int:
    body = {"images": images, "is_confirmed": is_confirmed}
    return lab.client.post(f"{API}/datasets/{lab.cells}/changes", json=body).status_code


def checked_labels(lab: Lab, run: str) -> Json:
    """The suspected label errors of a run, searched for if need be."""
    place = f"{API}/computations/label-errors/{run}"
    if lab.client.get(place).json()["state"] == "not-requested":
        lab.compute("label-errors", run)
    checked: Json = until(lambda: (now := lab.client.get(place).json())["state"] == "ready" and now)
    return checked


@pytest.mark.exhaustive
def test_a_confirmed_label_is_listed_no_more_until_the_label_changes_or_the_confirmation_is_removed(lab: Lab) -> None:
    wrong = lab.get(f"lists/{lab.cells}/rows?label=large&limit=1")["items"][0]
    wrongly = lab.label([wrong["image_id"]], "medium")
    first = trained_here(lab.workspace, lab.cells, QUICK, "With a wrong label")
    before = checked_labels(lab, first)
    listed = [image["image_id"] for image in before["images"]]
    assert wrong["image_id"] in listed[: before["n_suspected"]]
    assert before["n_confirmed"] == 0

    def gallery(run: str, only: str) -> list[str]:
        query = f"lists/{lab.cells}/rows?run={run}&only={only}&limit=100"
        return [image["image_id"] for image in lab.get(query)["items"]]

    assert confirm(lab, [wrong["image_id"]]) == confirm(lab, [wrong["image_id"]]) == 200
    after = checked_labels(lab, first)
    assert [image["image_id"] for image in after["images"]] == [each for each in listed if each != wrong["image_id"]]
    counts = (after["n"], after["n_suspected"], after["n_confirmed"], after["n_checked"])
    assert counts == (before["n"], before["n_suspected"] - 1, 1, before["n_checked"])
    assert wrong["image_id"] not in gallery(first, "suspected") + gallery(first, "questioned")
    assert gallery(first, "confirmed") == [wrong["image_id"]]

    second = trained_here(lab.workspace, lab.cells, QUICK, "Trained again", repeats_run=first)
    checked = checked_labels(lab, second)
    assert checked["n_confirmed"] == 1
    assert wrong["image_id"] not in [image["image_id"] for image in checked["images"]]

    # Void as soon as the image has another label, and in force again if that change is undone.
    change = lab.label([wrong["image_id"]], "<script>")
    relabeled = checked_labels(lab, first)
    counts = (relabeled["n"], relabeled["n_suspected"], relabeled["n_confirmed"])
    assert counts == (before["n"] - 1, before["n_suspected"] - 1, 0)
    assert (relabeled["n_relabeled"], relabeled["n_checked"]) == (1, before["n_checked"] - 1)
    assert sum(row["n_misclassified"] or 0 for row in relabeled["classes"]) == relabeled["n"]
    assert wrong["image_id"] not in [image["image_id"] for image in relabeled["images"]]
    assert wrong["image_id"] not in gallery(first, "suspected") + gallery(first, "questioned")
    assert lab.undo(change) == 200
    assert checked_labels(lab, first) == after
    assert confirm(lab, [wrong["image_id"]], is_confirmed=False) == 200
    assert checked_labels(lab, first) == before
    assert lab.undo(wrongly) == 200


@pytest.mark.exhaustive
def test_a_training_knows_its_images_though_its_dataset_has_a_second_source_since(lab: Lab) -> None:
    where = f"{API}/datasets/{lab.cells}"
    large = lab.get(f"lists/{lab.cells}/rows?label=large&limit=2")["items"]
    first, second = (image["row_id"] for image in large)
    wrongly = lab.label([image["image_id"] for image in large], "medium")
    run = trained_here(lab.workspace, lab.cells, QUICK, "With wrong labels, before the second source")
    before = checked_labels(lab, run)
    n_test = sum(part == "test" for part in lab.split(run).values())
    assert before["n_suspected"] >= 2

    sources = [{"path": source["path"]} for source in lab.get(f"datasets/{lab.cells}")["sources"]]
    save_cell(lab.workspace.roots[0] / "second" / "large" / "slide99.png", seed=99)
    two = [*sources, {"path": str(lab.workspace.roots[0] / "second")}]
    assert lab.client.patch(where, json={"sources": two}).status_code == 200
    until(lambda: lab.get(f"datasets/{lab.cells}")["state"] == "ready")
    images = {image["row_id"]: image for image in lab.get(f"lists/{lab.cells}/rows?limit=100")["items"]}
    change = lab.label([images[first]["image_id"]], "large")

    after = checked_labels(lab, run)
    assert (after["n"], after["n_relabeled"]) == (before["n"] - 1, 1)
    assert after["n_suspected"] == before["n_suspected"] - 1
    shown = lab.get(f"lists/{lab.cells}/rows?run={run}&only=suspected&sort=label-quality&limit=100")["items"]
    assert [image["image_id"] for image in shown] == [
        image["image_id"] for image in after["images"][: after["n_suspected"]]
    ]
    assert images[second]["image_id"] in [image["image_id"] for image in shown]
    assert images[first]["image_id"] not in [image["image_id"] for image in after["images"]]
    assert len(lab.image_ids(f"run={run}&part=test")) == n_test
    counts = lab.get(f"runs/{run}/image-changes")
    assert (counts["n_relabeled"], counts["n_added"]) == (1, 1)

    assert lab.undo(change) == 200
    assert lab.client.patch(where, json={"sources": sources}).status_code == 200
    until(lambda: lab.get(f"datasets/{lab.cells}")["state"] == "ready")
    assert checked_labels(lab, run) == before
    assert lab.undo(wrongly) == 200


def test_only_labels_of_the_datasets_images_can_be_confirmed(lab: Lab) -> None:
    first, second = lab.image_ids()[:2]
    assert confirm(lab, [first, "none of them"]) == 409
    change = lab.label([first], None)
    assert confirm(lab, [first, second]) == 409
    assert lab.image_ids("only=confirmed") == []
    assert lab.undo(change) == 200


def test_an_explanation_is_requested_and_canceled(lab: Lab) -> None:
    subject = f"{lab.run}.1"
    place = f"{API}/computations/explanation/{subject}"
    first = lab.client.get(place).json()
    assert first.pop("version")
    assert first == {
        "kind": "explanation",
        "subject": subject,
        "state": "not-requested",
        "job_id": None,
        "progress": None,
        "error": None,
        "fold": None,
        "seconds": None,
    }
    assert lab.client.get(f"{API}/jobs/{lab.run}/rows/1/explanation/picture").status_code == 404
    requested = lab.compute("explanation", subject)
    assert requested["state"] in ("waiting", "running")
    assert lab.client.post(f"{API}/jobs/{requested['job_id']}/stop").status_code == 200
    until(lambda: lab.client.get(place).json()["state"] == "not-requested")  # one that is just being started ends later
    for unknown in (f"{lab.run}.4000", f"{lab.run}.x", lab.run, "none.1"):
        assert lab.client.get(f"{API}/computations/explanation/{unknown}").status_code == 404


@pytest.mark.exhaustive
def test_an_out_of_fold_prediction_is_explained_with_the_classifier_of_its_fold(lab: Lab) -> None:
    folded = trained_here(lab.workspace, lab.cells, {**QUICK, "split.folds": 2}, "Two folds")
    run = Run(Path(lab.get(f"jobs/{folded}")["folder"]))
    fold_of = {row.image_id: row.fold for row in run.split}
    statuses: dict[int, str] = {}
    for k, row in enumerate(run.predictions):
        subject = f"{folded}.{k}"
        assert lab.get(f"computations/explanation/{subject}")["fold"] == fold_of[row.image_id]
        statuses.setdefault(fold_of[row.image_id] or 0, subject)
    assert set(statuses) == {1, 2}
    lab.compute("explanation", statuses[2])
    place = f"computations/explanation/{statuses[2]}"
    explanation = until(lambda: (now := lab.get(place))["state"] in ("ready", "not-requested") and now, 600)
    assert (explanation["state"], explanation["fold"]) == ("ready", 2), explanation
    checked = run.fold(2).map_checks
    assert checked is not None
    assert checked.classifier == fingerprint_of(run.fold(2).classifier_folder)
    assert run.map_checks is None  # the refitted classifier was not explained


@pytest.mark.exhaustive
def test_measured_images_of_runs_and_evaluations_are_explained_and_their_pictures_kept(lab: Lab) -> None:
    created = lab.client.post(f"{API}/runs/{lab.run}/evaluations", json={"dataset_id": lab.cells, "name": None}).json()
    assert ended(lab.client, created["id"])["state"] == "done"
    jobs = (lab.run, created["id"])
    for job in jobs:
        assert lab.compute("explanation", f"{job}.0")["state"] in ("waiting", "running")
    for job in jobs:
        place, subject = f"{API}/jobs/{job}/rows/0/explanation", f"{job}.0"
        explanation = until(
            lambda at=f"{API}/computations/explanation/{subject}": (
                (now := lab.client.get(at).json())["state"] in ("ready", "not-requested") and now
            ),
            600,
        )
        assert explanation.pop("job_id")
        assert explanation.pop("version")
        expected = {"state": "ready", "progress": None, "error": None, "fold": None, "seconds": None}
        assert explanation == {"kind": "explanation", "subject": subject, **expected}
        first, second = (lab.client.get(f"{place}/picture") for _ in range(2))
        assert (first.status_code, first.headers["content-type"]) == (200, "image/png")
        assert second.content == first.content
        assert first.headers["cache-control"] == "private, no-cache"
        repeated = lab.client.get(f"{place}/picture", headers={"If-None-Match": first.headers["etag"]})
        assert repeated.status_code == 304
        assert lab.compute("explanation", subject)["state"] == "ready"
    assert Run(Path(lab.get(f"jobs/{lab.run}")["folder"])).map_checks is not None
