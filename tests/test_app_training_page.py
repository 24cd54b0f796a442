"""The page of a training as it goes: what it marks, its step and stages, and its early end."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import FINETUNE, JOB_MS, Stock, open_page, send_stories
from playwright.sync_api import expect

from coverslip.runs.recipe_keys import load_recipe

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def test_the_final_classifier_of_folds_has_the_number_of_all_images_and_the_mean_scores_of_folds(
    page: "Page", stock: Stock
) -> None:
    story = stock.app.get(f"jobs/{stock.folds}")
    *folds, final = story["trainings"]
    n_images = sum(folds[0]["parts"].values())
    assert [training["fold"] for training in story["trainings"]] == [1, 2, 3, None]
    assert final["parts"] == {"n_train": n_images, "n_val": 0, "n_test": 0}
    assert final["instant"]["val_accuracy"] is None
    going = {**story, "state": "running", "has_classifier": False, "headline": None}
    send_stories(page, stock.folds, going)
    page.route(f"**/api/v1/jobs/{stock.folds}?kind=train", lambda route: route.fulfill(json=going))
    open_page(page, f"/runs/{stock.folds}")
    progress = page.get_by_role("region", name="Progress")
    expect(progress.get_by_text(f"all {n_images} images")).to_be_visible()
    scores = [fold["instant"]["val_accuracy"] for fold in folds]
    results = page.get_by_role("region", name="First results")
    expect(results.get_by_text(f"{sum(scores) / len(scores):.3f}", exact=True).first).to_be_visible()


@pytest.mark.exhaustive
def test_a_training_is_finished_by_its_button_and_tested(page: "Page", stock: Stock) -> None:
    run = stock.app.send("runs", {"dataset_id": stock.images, "recipe": {**FINETUNE, "epochs": 400}})["id"]
    open_page(page, f"/runs/{run}")
    page.get_by_text("Epoch 3 of 400").first.wait_for(timeout=JOB_MS)
    story = stock.app.get(f"jobs/{run}")
    (training,) = story["trainings"]
    assert (training["checkpoint_selection"], training["selected_epoch"], training["selected_stage"]) == (
        "last",
        None,
        None,
    )
    assert story["can_finish"]
    assert [stage["stage"] for stage in story["progress"]["stages"]][-1] == "finetune"
    assert story["progress"]["seconds_left"] > 0
    rows = story["example_rows"]
    listed = stock.app.get(f"lists/{stock.images}/rows?rows={','.join(map(str, rows.values()))}")["items"]
    assert {image["image_id"]: image["row_id"] for image in listed} == rows
    assert set(rows) == set(training["watched"]["image_ids"])
    examples = page.get_by_role("region", name="Predictions of validation images").get_by_role("img")
    expect(examples).to_have_count(len(rows))
    assert examples.evaluate_all("images => images.every((image) => image.complete && image.naturalWidth > 0)")
    page.get_by_text("Show as a table").click()
    expect(page.locator("tbody .tag")).to_have_count(0)
    page.get_by_role("button", name="Finish now and evaluate").click()
    page.get_by_role("dialog").get_by_role("button", name="Finish now", exact=True).click()
    page.get_by_role("link", name="Predict new images").wait_for(timeout=JOB_MS)
    done = stock.app.get(f"jobs/{run}")
    recipe = load_recipe(Path(done["folder"]) / "recipe.yaml")
    assert (done["state"], done["can_finish"], done["is_finishing"]) == ("done", False, False)
    assert recipe.last_epoch is not None
    assert 2 <= recipe.last_epoch < 400
    assert (recipe.epochs, recipe.checkpoint_selection) == (400, "best")
    # Training again does what was done.
    assert (done["recipe"]["last_epoch"], done["recipe"]["checkpoint_selection"]) == (recipe.last_epoch, "best")
    (training,) = done["trainings"]
    assert training["selected_stage"] in ("instant", "finetune")
    assert training["selected_epoch"] == (training["best_epoch"] if training["selected_stage"] == "finetune" else None)
    stock.app.send(f"jobs/{run}", method="DELETE")
