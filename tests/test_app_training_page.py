"""The page of a training as it goes: what it marks, its step and stages, and its early end."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import FINETUNE, Stock, open_page

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
    # Training again does what was done.
    assert (done["recipe"]["last_epoch"], done["recipe"]["kept_epoch"]) == (recipe.last_epoch, "best")
    (training,) = done["trainings"]
    assert training["kept_stage"] in ("instant", "finetune")
    assert training["kept_epoch"] == (training["best_epoch"] if training["kept_stage"] == "finetune" else None)
    stock.app.send(f"jobs/{run}", method="DELETE")
