"""Choosing a threshold of a classifier of two classes through the API."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from small_workspace import API, QUICK, ended, new_workspace, open_images, trained_here, write_cells
from tables import rows_of

from coverslip.app.server import create_app
from coverslip.messages import in_language, text
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.trainings.results import set_decision

pytestmark = pytest.mark.exhaustive


def test_an_evaluation_says_that_the_threshold_of_the_own_test_set_was_set_by_hand(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells", 180), group_pattern=r"slide\d+")
    day = open_images(workspace, write_cells(workspace.roots[0] / "other day", 30, seed=7))
    run = trained_here(workspace, cells, {**QUICK, "classes.merge": {"other": ["large", "medium"]}})
    with TestClient(create_app(workspace)) as client:
        job = client.post(f"{API}/runs/{run}/evaluations", json={"dataset_id": day}).json()
        ended(client, job["id"])

        def is_by_hand() -> bool:
            results = client.get(f"{API}/jobs/{job['id']}/results").json()
            (section,) = (each for each in results["sections"] if each["name"] == "own-test")
            return text("report-threshold-by-hand") in section["blocks"][0]["words"]

        assert not is_by_hand()
        choice = client.get(f"{API}/runs/{run}/thresholds").json()["choices"][0]
        decision = {"decide_by": "threshold", "threshold": choice["threshold"]}
        assert client.put(f"{API}/runs/{run}/decision", json=decision).status_code == 200
        assert is_by_hand()


def test_predictions_say_by_which_threshold_they_were_made(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells", 180), group_pattern=r"slide\d+")
    new = write_cells(workspace.roots[0] / "new", 20, seed=3, is_sorted=False)
    run = trained_here(workspace, cells, {**QUICK, "classes.merge": {"other": ["large", "medium"]}})
    with TestClient(create_app(workspace)) as client:

        def predicted() -> str:
            job = client.post(f"{API}/predictions", json={"classifier_id": run, "sources": [str(new)]}).json()
            assert ended(client, job["id"])["state"] == "done"
            return str(job["id"])

        def decided(prediction: str) -> tuple[dict[str, float] | None, bool]:
            prediction_state = client.get(f"{API}/jobs/{prediction}").json()
            return prediction_state["thresholds"], prediction_state["has_earlier_thresholds"]

        def summarized(prediction: str) -> str | None:
            answer = client.get(f"{API}/predictions/{prediction}/samples")
            return None if answer.status_code == 200 else answer.json()["code"]

        first = predicted()
        assert decided(first) == (None, False)
        assert summarized(first) is None
        positive = client.get(f"{API}/runs/{run}/thresholds").json()["positive"]
        client.put(f"{API}/runs/{run}/decision", json={"decide_by": "threshold", "threshold": 0.125})
        assert decided(first) == (None, True)
        second = predicted()
        names = [client.get(f"{API}/jobs/{each}").json()["name"] for each in (first, second)]
        assert names == ["new", "new 2"]
        thresholds, is_earlier = decided(second)
        assert (thresholds[positive], is_earlier) == (0.125, False)
        # The errors on test images, which correct proportions, are those of the current threshold.
        assert (summarized(first), summarized(second)) == ("summary-of-earlier-thresholds", None)
        client.put(f"{API}/runs/{run}/decision", json={})
        assert (decided(first)[1], decided(second)[1]) == (False, True)


def without_numbers(file: Path) -> str:
    """The text of a file without numbers: a report states how often its test set was used."""
    return re.sub("[0-9]+", "", file.read_text(encoding="utf-8"))


def test_a_threshold_is_chosen_by_a_target_and_numbers_follow(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells", 180), group_pattern=r"slide\d+")
    recipe = {**QUICK, "classes.merge": {"other": ["large", "medium"]}}
    run = trained_here(workspace, cells, recipe)
    with TestClient(create_app(workspace)) as client:
        before = client.get(f"{API}/runs/{run}/thresholds").json()
        assert (before["decide_by"], before["threshold"]) == ("highest", 0.5)
        assert before["calibrated_on"] == "validation images"
        assert {before["positive"], before["negative"]} == {"other", "<script>"}
        choice, in_use = before["choices"][0], [each for each in before["choices"] if each["threshold"] == 0.5]
        validation = rows_of(find_job(workspace, run, "train").folder / "validation.csv")
        is_called = [row["predicted"] == before["positive"] for row in validation]
        is_positive = [row["label"] == before["positive"] for row in validation]
        n_found = sum(called and positive for called, positive in zip(is_called, is_positive, strict=True))
        assert [each["sensitivity"] for each in in_use] == [pytest.approx(n_found / sum(is_positive))]
        spared = sum(not (called or positive) for called, positive in zip(is_called, is_positive, strict=True))
        assert in_use[0]["specificity"] == pytest.approx(spared / (len(is_positive) - sum(is_positive)))
        assert all(0 <= each["least_sensitivity"] < each["sensitivity"] for each in before["choices"])
        target = {"decide_by": "sensitivity", "target": choice["least_sensitivity"]}
        after = client.put(f"{API}/runs/{run}/decision", json=target)
        assert after.status_code == 200, after.text
        assert after.json()["threshold"] == pytest.approx(choice["threshold"])
        results = client.get(f"{API}/jobs/{run}/results").json()
        (section,) = (each for each in results["sections"] if each["name"] == "two_classes")
        assert any("chosen for a target sensitivity of" in words for words in section["blocks"][0]["words"])
        assert client.put(f"{API}/runs/{run}/decision", json={"target": 3}).status_code == 422
        by_hand = {"decide_by": "threshold", "threshold": choice["threshold"]}
        for decision, rule in ((target, "chosen threshold"), (by_hand, "threshold set by hand")):
            client.put(f"{API}/runs/{run}/decision", json=decision)
            listed = [client.get(f"{API}/{what}").json()["items"][0] for what in ("runs", "classifiers")]
            assert [each["headline"]["rule"] for each in listed] == [rule, rule]
        client.put(f"{API}/runs/{run}/decision", json=target)
        folder = find_job(workspace, run, "train").folder
        files = [folder / name for name in ("report.html", "model_card.md", "metrics.json", "training.json")]
        in_english = [without_numbers(file) for file in files]
        with in_language("de"):
            set_decision(workspace, run, target)
        assert [without_numbers(file) for file in files] == in_english
        back = client.put(f"{API}/runs/{run}/decision", json={}).json()
        assert (back["decide_by"], back["threshold"]) == ("highest", 0.5)
        assert client.get(f"{API}/jobs/{run}").json()["headline"]["rule"] == "highest probability"
