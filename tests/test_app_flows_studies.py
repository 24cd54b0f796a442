"""Studies in the browser: planned from a preset, changed, started, watched to their end, compared."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import JOB_MS, RunningApp, Stock, open_page, tiny_plan
from drawing import write_cells
from playwright.sync_api import expect

from coverslip.studies.presets import PRESETS
from coverslip.studies.published import publication_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


@pytest.mark.exhaustive
def test_a_study_is_planned_and_its_plan_changed(page: "Page", stock: Stock) -> None:
    open_page(page, "/studies")
    page.get_by_role("link", name="New study").click()
    page.get_by_text("Choose a dataset to see the trainings").wait_for()
    assert page.get_by_role("button", name="Start the study").is_disabled()
    page.get_by_role("group", name="Datasets").get_by_role("checkbox", name="Cells of two clinics").check()
    page.get_by_text("6 trainings, each with 2 folds.").wait_for()  # two networks in three arms
    page.get_by_role("checkbox", name="Small test study").uncheck()
    page.get_by_role("checkbox", name="All tables of the publication").check()
    page.get_by_text("30 trainings, each with 5 folds.").wait_for()
    page.get_by_text("The pretrained weights of these networks are not on this computer").wait_for()
    page.get_by_role("checkbox", name="All tables of the publication").uncheck()
    page.get_by_role("checkbox", name="Small test study").check()
    page.get_by_text("6 trainings, each with 2 folds.").wait_for()
    page.get_by_text("More choices").click()
    arms = page.get_by_role("group", name="Recipes and protocols")
    arms.get_by_role("checkbox", name=re.compile("^test-epoch ")).check()
    page.get_by_text("8 trainings, each with 2 folds.").wait_for()
    for arm in ("A", "C", "test-epoch"):
        arms.get_by_role("checkbox", name=re.compile(f"^{arm} ")).uncheck()
    page.get_by_text("2 trainings, each with 2 folds.").wait_for()

    page.get_by_text("Plan as text").click()
    plan = page.get_by_role("textbox", name="Plan (YAML)")
    start = page.get_by_role("button", name="Start the study")
    plan.fill("models: [resnet18]")
    page.get_by_text("You edited the text of the plan.").wait_for()
    assert start.is_disabled()  # what would start is not what is written
    page.get_by_role("button", name="Discard the edits").click()
    page.get_by_text("You edited the text of the plan.").wait_for(state="hidden")
    assert start.is_enabled()
    assert "resnet18]" not in plan.input_value()
    plan.fill("modells: [x]")
    page.get_by_role("button", name="Use this plan").click()
    page.get_by_text("did you mean 'models'").wait_for()
    assert plan.input_value() == "modells: [x]"
    page.get_by_role("button", name="Reset to the plan of the choices").click()
    page.get_by_text("2 trainings, each with 2 folds.").wait_for()
    assert start.is_enabled()


@pytest.mark.exhaustive
def test_a_study_is_started_watched_and_compared(page: "Page", stock: Stock) -> None:
    open_page(page, "/studies/new")
    page.get_by_role("group", name="Datasets").get_by_role("checkbox", name="Cells of two clinics").check()
    page.get_by_text("6 trainings, each with 2 folds.").wait_for()
    choices = {"preset": "aimic", "dataset_ids": [stock.images], "is_small": True}
    page.get_by_text("Plan as text").click()
    plan = page.get_by_role("textbox", name="Plan (YAML)")
    plan.fill(tiny_plan(stock.app.send("previews", {"kind": "study", **choices})["plan_text"]))
    page.get_by_role("button", name="Use this plan").click()
    page.get_by_text("2 trainings.").wait_for()
    page.get_by_role("textbox", name="Name").fill("From the browser")
    page.get_by_role("button", name="Start the study").click()

    page.get_by_role("heading", level=1, name="From the browser").wait_for()
    page.get_by_role("heading", name="Trainings").click()
    trainings = page.get_by_role("region", name="Trainings").get_by_role("row")
    trainings.nth(2).wait_for()
    plot = page.get_by_role("list", name=re.compile("on Cells of two clinics"))
    expect(plot.get_by_role("listitem")).to_have_count(2)
    page.get_by_role("heading", name="Differences from the baseline").wait_for(timeout=JOB_MS)
    assert trainings.get_by_text("done").count() == 2
    page.get_by_text(re.compile("has the best Macro-F1 of 2 networks")).wait_for()
    expect(plot.get_by_role("listitem").first).to_have_text(re.compile(r"0\.\d+ \(0\.\d+ to"))
    trainings.get_by_role("link", name="smaller images").click()
    page.get_by_role("link", name="Part of a study").wait_for()
    page.get_by_role("heading", name="Limitations").wait_for()


def test_the_forest_plot_shows_the_values_of_the_comparison(page: "Page", stock: Stock) -> None:
    comparison = stock.app.get(f"jobs/{stock.study}/results")["comparison"]
    (part,) = comparison["datasets"]
    means = sorted(row["metrics"][comparison["metric"]]["mean"] for row in part["scores"])
    trainings = stock.app.get(f"jobs/{stock.study}")["trainings"]  # their values fill the plot before the comparison
    assert sorted(each["value"] for each in trainings) == pytest.approx(means, abs=0.0006)
    open_page(page, f"/studies/{stock.study}")
    plot = page.get_by_role("list", name=re.compile("on Cells of two clinics"))
    page.get_by_text(re.compile("has the best Macro-F1 of 2 networks")).wait_for()
    rows = plot.get_by_role("listitem").all()
    assert sorted(float(re.findall(r"0\.\d+|1\.000", row.inner_text())[0]) for row in rows) == pytest.approx(
        means, abs=0.0006
    )
    ticks = plot.locator(".tick").all()
    at = [float((tick.get_attribute("x") or "").rstrip("%")) for tick in ticks]
    per_unit, start = np.polyfit(at, [float(tick.text_content() or "nan") for tick in ticks], 1)
    dots = [float((dot.get_attribute("cx") or "").rstrip("%")) for dot in plot.locator("circle.dot").all()]
    assert sorted(start + per_unit * dot for dot in dots) == pytest.approx(means, abs=0.0006)


@pytest.mark.exhaustive
def test_results_of_a_study_are_said_in_words_and_downloaded(page: "Page", stock: Stock) -> None:
    open_page(page, f"/studies/{stock.study}")
    page.get_by_text("too few splits", exact=True).first.wait_for()  # one split
    with page.expect_download() as taken:
        page.get_by_role("link", name="Table (CSV)").click()
    assert taken.value.path().read_text(encoding="utf-8-sig").startswith("dataset,model,regime")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", level=1, name="Two networks").wait_for()


@dataclass(frozen=True)
class Chosen:
    """What somebody chooses of the study of a publication."""

    networks: tuple[str, ...]
    n_trainings: int
    n_datasets: int = 1
    weights: tuple[str, ...] = ()  # that are not compared


CHOSEN = {
    "aimic": Chosen(("mobilenet_v2", "efficientnet_lite0"), 2),
    "mobilevit-mn": Chosen(("Mb_SE, scratch", "MV2_SE, scratch"), 2),
    "mobincep": Chosen(("Mobincep", "MobileNetV2, scratch"), 4),
    "efficientnetv2-cell": Chosen(("nothing frozen", "all but the last layer frozen"), 2),
    "two-step": Chosen(("mobilenet_v2",), 6, n_datasets=2, weights=("Random",)),
}


@pytest.fixture(scope="module")
def stains(app_server: RunningApp) -> tuple[str, str]:
    """Names of two small datasets of the same classes."""
    names = ("first stain", "second stain")
    for seed, name in enumerate(names):
        folder = write_cells(app_server.root / name, 24, classes=("large", "small"), seed=seed)
        app_server.opened(folder, group_pattern=r"slide\d+")
    return names


def test_every_preset_is_chosen_for_a_study() -> None:
    assert set(CHOSEN) == {*PRESETS}


@pytest.mark.exhaustive
@pytest.mark.parametrize("preset", CHOSEN)
def test_the_study_of_a_publication_is_started_resumed_and_compared_without_a_plan(
    page: "Page", stains: tuple[str, str], preset: str
) -> None:
    networks_of_plan = CHOSEN[preset]
    open_page(page, "/studies/new")
    page.get_by_role("radio", name=publication_of(preset).publication).check()
    page.get_by_text("More choices").click()
    for name in stains[: networks_of_plan.n_datasets]:
        page.get_by_role("group", name="Datasets").get_by_role("checkbox", name=name).check()
    networks = page.get_by_role("group", name="Networks", exact=True)
    networks.get_by_role("button", name="Select none").click()
    page.get_by_text("Choose a network to see the trainings").wait_for()
    for name in networks_of_plan.networks:
        networks.get_by_role("checkbox", name=name).first.check()
    for name in networks_of_plan.weights:
        page.get_by_role("group", name="Initial weights").get_by_role("checkbox", name=name, exact=False).uncheck()
    for arm in ("A", "C"):
        page.get_by_role("group", name="Recipes and protocols").get_by_role(
            "checkbox", name=re.compile(f"^{arm} ")
        ).uncheck()
    page.get_by_text(re.compile(rf"^{networks_of_plan.n_trainings} trainings")).wait_for()
    page.get_by_role("textbox", name="Name").fill(f"Study {preset}")
    page.get_by_role("spinbutton", name="Time limit in hours").fill("2")
    page.get_by_role("button", name="Start the study").click()

    page.get_by_role("heading", level=1, name=f"Study {preset}").wait_for()
    expect(page).to_have_title(f"Study {preset} · {publication_of(preset).publication} · coverslip")
    page.get_by_text("time limit 2 h 0 min").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Resume").click(timeout=JOB_MS)
    page.get_by_role("heading", name="Trainings").click()
    trainings = page.get_by_role("region", name="Trainings")
    n_trainings = networks_of_plan.n_trainings
    expect(trainings.get_by_text("done")).to_have_count(n_trainings, timeout=n_trainings * JOB_MS)
    page.get_by_role("heading", name="Differences from the baseline").wait_for(timeout=JOB_MS)
    page.get_by_role("heading", name="Further analyses").click()
    analyses = page.get_by_role("region", name="Further analyses")
    assert analyses.get_by_role("button", name="Measure distances").count() == (preset == "two-step")
    if preset == "two-step":
        analyses.get_by_role("button", name="Measure distances").click()
        page.get_by_role("heading", name="Distance to the pretraining images").wait_for(timeout=JOB_MS)
        analyses.get_by_role("button", name="Measure distances again").wait_for()
    if preset == "aimic":
        analyses.get_by_role("button", name="Draw heat maps").click()
        analyses.get_by_role("button", name="Cancel: Explanations").click()
        analyses.get_by_role("button", name="Measure prediction time").click()
        page.get_by_role("heading", name="Prediction time", level=2).wait_for(timeout=JOB_MS)


@pytest.mark.exhaustive
def test_networks_of_ones_own_choice_are_compared_and_their_time_is_known(
    page: "Page", stains: tuple[str, str]
) -> None:
    open_page(page, "/studies/new")
    page.get_by_role("radio", name="Networks of your choice").check()
    page.get_by_role("group", name="Datasets").get_by_role("checkbox", name=stains[0]).check()
    networks = page.get_by_role("group", name="Networks", exact=True)
    networks.get_by_role("searchbox", name="Find a network").fill("efficientnet_lite0")
    networks.get_by_role("row").get_by_role("checkbox").check()
    page.get_by_text("1 training, each with 5 folds.").wait_for()
    weights = page.get_by_role("group", name="Initial weights")
    weights.get_by_role("checkbox", name="ImageNet, frozen").check()
    page.get_by_role("group", name="Pretraining").get_by_role("checkbox", name=stains[1]).check()
    page.get_by_text("4 trainings, each with 5 folds.").wait_for()  # one is the pretraining
    page.get_by_role("button", name="Estimate the time").click()
    page.get_by_text(re.compile("About .* for all trainings")).wait_for(timeout=JOB_MS)
    weights.get_by_role("checkbox", name="ImageNet, frozen").uncheck()
    page.get_by_role("button", name="Estimate the time").wait_for()  # that time was of other choices


def test_classifiers_of_studies_are_folded_away_and_can_be_had(page: "Page", stock: Stock) -> None:
    open_page(page, f"/predict?classifier={stock.run}")
    page.get_by_text(re.compile(r"\d+ classifiers of studies")).click()
    page.get_by_role("radio", name="Two networks").first.check()
