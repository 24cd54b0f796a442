"""The page of a training as it goes: what it marks, its step and stages, and its early end."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import FINETUNE, QUICK, Stock, open_page

from coverslip.runs import load_recipe

expect = pytest.importorskip("playwright.sync_api").expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
PATIENT_MS = 240_000


def test_a_training_is_finished_by_its_button_and_tested(page: "Page", stock: Stock) -> None:
    run = stock.app.send("runs", {"dataset_id": stock.images, "recipe": {**FINETUNE, "epochs": 400}})["id"]
    open_page(page, f"/runs/{run}")
    page.get_by_text("Epoch 3 of 400").first.wait_for(timeout=PATIENT_MS)
    story = stock.app.get(f"runs/{run}")
    (training,) = story["trainings"]
    assert (training["checkpoint_selection"], training["kept_epoch"], training["kept_stage"]) == ("last", None, None)
    assert story["can_finish"]
    assert [stage["stage"] for stage in story["progress"]["stages"]][-1] == "finetune"
    assert story["progress"]["seconds_left"] > 0
    page.get_by_text("Show as a table").click()
    expect(page.locator("tbody .tag")).to_have_count(0)
    page.get_by_role("button", name="Finish now and evaluate").click()
    page.get_by_role("dialog").get_by_role("button", name="Finish now", exact=True).click()
    page.get_by_role("link", name="Predict new images").wait_for(timeout=PATIENT_MS)
    done = stock.app.get(f"runs/{run}")
    recipe = load_recipe(Path(done["folder"]) / "recipe.yaml")
    assert (done["state"], done["can_finish"], done["is_finishing"]) == ("done", False, False)
    assert recipe.last_epoch is not None
    assert 2 <= recipe.last_epoch < 400
    assert (recipe.epochs, recipe.kept_epoch) == (400, "best")
    (training,) = done["trainings"]
    assert training["kept_stage"] in ("instant", "finetune")
    assert training["kept_epoch"] == (training["best_epoch"] if training["kept_stage"] == "finetune" else None)
    stock.app.send(f"jobs/{run}", method="DELETE")


def test_the_first_of_two_steps_says_so_and_cannot_be_finished(page: "Page", stock: Stock) -> None:
    source = stock.app.get(f"datasets/{stock.images}")["sources"][0]["path"]
    init = {"train_on": source, "recipe": {"epochs": 300, "group": None}}
    recipe = {**FINETUNE, "init": init, "epochs": 2}
    run = stock.app.send("runs", {"dataset_id": stock.images, "recipe": recipe, "allow_leakage": True})["id"]
    open_page(page, f"/runs/{run}")
    page.get_by_text(re.compile("^Epoch 2 of 300")).first.wait_for(timeout=PATIENT_MS)
    expect(page.get_by_text("Step 1 of 2: pretraining on other images")).to_be_visible()
    story = stock.app.get(f"runs/{run}")
    assert (story["step"], story["can_finish"]) == (1, False)
    expect(page.get_by_role("button", name="Finish now and evaluate")).to_have_count(0)
    page.get_by_role("button", name="Stop (resume later)").click()
    stock.app.ended(f"runs/{run}")
    stock.app.send(f"jobs/{run}", method="DELETE")


def test_the_expected_time_stands_beside_the_button_and_warns_of_many_folds(page: "Page", stock: Stock) -> None:
    body = {"recipe": QUICK, "n_train": 60, "n_val": 15, "n_test": 15}
    known = stock.app.send(f"datasets/{stock.images}/time-preview", body)
    assert known["n_trainings"] == 1
    assert not known["is_long"]
    many = stock.app.send(f"datasets/{stock.images}/time-preview", {**body, "n_folds": 50})
    assert many["n_trainings"] == 51
    assert many["seconds"] is None or many["seconds"] > known["seconds"]
    open_page(page, f"/train?dataset={stock.images}")
    bar = page.get_by_role("region", name="Start training")
    expect(bar.get_by_text(re.compile("on this computer"))).to_be_visible()
