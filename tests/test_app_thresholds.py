"""Choosing a threshold of a classifier of two classes through the API."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from small_workspace import API, QUICK, new_workspace, open_images, queue_run, until, write_cells

from coverslip.app.server import create_app

pytestmark = pytest.mark.exhaustive


def test_a_threshold_is_chosen_by_a_wish_and_numbers_follow(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells", 180), group_pattern=r"slide\d+")
    recipe = {**QUICK, "classes.merge": {"other": ["large", "medium"]}}
    with TestClient(create_app(workspace)) as client:
        run = queue_run(client, cells, recipe)
        until(lambda: client.get(f"{API}/runs/{run}").json()["state"] == "done")
        before = client.get(f"{API}/runs/{run}/thresholds").json()
        assert (before["decide_by"], before["threshold"]) == ("highest", 0.5)
        assert before["learnt_on"] == "validation images"
        assert {before["positive"], before["negative"]} == {"other", "<script>"}
        choice = before["choices"][0]
        wish = {"decide_by": "sensitivity", "wished": choice["sensitivity"]}
        after = client.put(f"{API}/runs/{run}/decision", json=wish)
        assert after.status_code == 200, after.text
        assert after.json()["threshold"] == pytest.approx(choice["threshold"])
        results = client.get(f"{API}/runs/{run}/results").json()
        (section,) = (each for each in results["sections"] if each["name"] == "two_classes")
        assert "chosen for a target sensitivity of" in section["words"][1]
        assert client.put(f"{API}/runs/{run}/decision", json={"wished": 3}).status_code == 422
        back = client.put(f"{API}/runs/{run}/decision", json={}).json()
        assert (back["decide_by"], back["threshold"]) == ("highest", 0.5)
