"""What people bring that is odd: names that attack or are long, files that are broken, two classes and forty."""

import re
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import IMAGE_CLASS, JOB_MS, LONG_CLASS, QUICK, SCRIPT_CLASS, RunningApp, Stock, drop, open_page
from drawing import write_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
RESULT_TABS = (
    *("result", "images", "images&show=suspected", "use", "use&part=recipe"),
    *(f"trust&part={part}" for part in ("metrics", "threshold", "curves", "calibration", "data", "training")),
)


@pytest.fixture
def wary(page: "Page") -> "Iterator[Page]":
    """A tab in which nothing may ask, and no name may become an element."""
    questions: list[str] = []
    page.on("dialog", lambda dialog: (questions.append(dialog.message), dialog.dismiss()))
    yield page
    assert questions == []


def check_whole(page: "Page") -> None:
    """No name became HTML, and the page is no wider than the window: a small one, 1280 px at 200 %, the usual one."""
    assert page.locator("img[src=x], main script").count() == 0
    usual = page.viewport_size
    assert usual
    for width in (768, 640, usual["width"]):
        page.set_viewport_size({"width": width, "height": usual["height"]})
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{page.url} at {width} px"


def send_files(page: "Page", field: str, files: list[Path]) -> None:
    page.get_by_role("button", name="Upload files").click()
    page.get_by_label(field).set_input_files(files)


@pytest.mark.exhaustive
def test_a_zip_that_leads_outside_is_refused_in_words(page: "Page", app_server: RunningApp, tmp_path: Path) -> None:
    picture = next(write_cells(tmp_path / "cells", 1, is_sorted=False).iterdir())
    archive = tmp_path / "cells.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(picture, "a/1.png")
        packed.write(picture, "../../evil.png")
    open_page(page, "/")
    n_before = app_server.get("datasets")["total"]
    page.get_by_role("button", name="Choose a folder").click()
    send_files(page, "A zip file …", [archive])
    alert = page.get_by_role("dialog").get_by_role("alert")
    alert.wait_for()
    assert "cells.zip" in alert.inner_text()
    assert "../../evil.png" in alert.inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_text("Drop images").wait_for()
    assert app_server.get("datasets")["total"] == n_before
    assert not list(app_server.workspace.parent.rglob("evil.png"))


@pytest.mark.exhaustive
def test_a_broken_image_is_named_wherever_it_comes(page: "Page", app_server: RunningApp, tmp_path: Path) -> None:
    files = sorted(write_cells(tmp_path / "cells", 3, is_sorted=False).iterdir())
    broken = tmp_path / "cells" / "broken.png"
    broken.write_bytes(files[0].read_bytes()[:120])
    open_page(page, "/")
    page.get_by_role("button", name="Choose images").click()
    send_files(page, "Files …", [*files, broken])
    page.wait_for_url("**/datasets/*tab=images")
    page.get_by_role("gridcell", name="broken.png, no class yet, cannot be read").dblclick()
    page.get_by_role("dialog").get_by_text("damaged or incomplete").first.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Checks").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="broken.png"))
    row.wait_for()
    assert "damaged or incomplete" in row.inner_text()


@pytest.mark.parametrize(
    "path",
    [
        "/datasets/{images}",
        "/datasets/{images}?tab=images&sort=label",
        "/train?dataset={images}",
        "/runs/{run}?tab=result",
        "/predictions/{prediction}",
        *(
            pytest.param(path, marks=pytest.mark.exhaustive)
            for path in (
                "/datasets",
                "/datasets/{images}?tab=checks&part=classes",
                "/runs",
                *(f"/runs/{{run}}?tab={tab}" for tab in RESULT_TABS[1:]),
                "/compare?runs={run},{folds}",
                "/studies",
                "/studies/new",
                "/studies/{study}",
                "/predict?classifier={run}",
                "/classifiers/{run}",
            )
        ),
    ],
)
def test_names_are_text_and_fit(wary: "Page", stock: Stock, path: str) -> None:
    says_no_class = re.search(
        r"datasets$|runs$|compare|calibration|curves|threshold|data$|training|suspected|use|studies", path
    )
    open_page(wary, path.format_map(vars(stock)))
    if path.startswith("/train"):
        wary.get_by_text("Expert settings").click()
        wary.get_by_text(re.compile(r"\d training image")).wait_for()
    if "datasets/{images}?tab=images" in path:
        wary.get_by_role("gridcell", name=f", class {SCRIPT_CLASS}").first.dblclick()
        wary.get_by_role("dialog").get_by_text("File size").wait_for()
        check_whole(wary)
    if not says_no_class:
        for name in (SCRIPT_CLASS, IMAGE_CLASS, LONG_CLASS):
            wary.get_by_text(name).first.wait_for(state="attached")
    else:
        wary.get_by_text(re.compile("Cells of two clinics|Fine-tuned")).first.wait_for()
    check_whole(wary)


@pytest.mark.exhaustive
def test_results_of_folds_and_of_two_sources_stand_side_by_side(page: "Page", stock: Stock) -> None:
    open_page(page, f"/runs/{stock.folds}?tab=trust&part=metrics")
    folds = page.get_by_role("group", name="Metrics per fold").get_by_role("row")
    folds.nth(3).wait_for()
    results = stock.app.get(f"jobs/{stock.folds}/results")
    scores = results["metrics"]["folds"]["per_fold"]
    assert folds.count() == 1 + len(scores) + 1  # with the mean
    for k, fold in enumerate(scores):
        assert f"{fold['metrics']['accuracy']['value']:.3f}" in folds.nth(k + 1).inner_text()
    domains = page.get_by_role("group", name="Metrics per domain").get_by_role("rowheader")
    assert sorted(domains.all_inner_texts()) == ["first clinic", "second clinic"]
    open_page(page, f"/compare?runs={stock.run},{stock.folds}")
    page.get_by_text("The two test sets differ").first.wait_for()


def correct(page: "Page", row: dict[str, str], choice: str) -> None:
    """Open an image large, choose what it shows, and go back."""
    page.get_by_role("gridcell", name=f"{row['image_id']},").dblclick()
    classes = page.get_by_role("dialog").get_by_role("group", name=f"Correct {row['image_id']}")
    classes.get_by_role("button", name=choice).click()
    page.get_by_role("button", name="Close").click()


@pytest.mark.exhaustive
def test_corrections_become_labels_of_the_dataset_that_the_images_come_from(wary: "Page", stock: Stock) -> None:
    open_page(wary, f"/predictions/{stock.prediction}?sort=position")
    before = stock.app.get(f"lists/{stock.prediction}/rows?limit=2")["items"]
    for row, label in zip(before, (SCRIPT_CLASS, LONG_CLASS), strict=True):
        corrected = IMAGE_CLASS if row["decision"] == label else label
        correct(wary, row, corrected)
    wary.get_by_role("navigation", name="Show").get_by_role("link", name="Reviewed 2").wait_for()
    with wary.expect_download() as downloading:
        wary.get_by_role("link", name="Download CSV").click()
    assert "corrected" in downloading.value.path().read_text(encoding="utf-8-sig").splitlines()[0]
    wary.get_by_role("link", name="Corrected labels in the dataset").click()
    wary.wait_for_url(f"**/datasets/{stock.unlabeled}*")
    assert sum(of_class["n"] for of_class in stock.app.get(f"datasets/{stock.unlabeled}")["classes"]) == 2
    open_page(wary, f"/predictions/{stock.prediction}")
    for row in before:
        correct(wary, row, "Remove the correction")
    wary.get_by_role("navigation", name="Show").get_by_role("link", name="Reviewed").wait_for(state="detached")


@pytest.mark.exhaustive
def test_a_classifier_goes_from_one_app_to_another(
    page: "Page", stock: Stock, other_app: Callable[..., RunningApp], other_page: Callable[[RunningApp], "Page"]
) -> None:
    open_page(page, f"/runs/{stock.run}?tab=use")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Classifier (.coverslip)").click()
    file = downloading.value.path().parent / "given.coverslip"
    downloading.value.save_as(file)
    app = other_app(root=stock.app.root)
    there = other_page(app)
    open_page(there, "/predict")
    there.get_by_role("heading", name="No classifier yet").wait_for()
    there.get_by_label("Import a .coverslip file").set_input_files(file)
    card_of_file(there, stock)
    there.get_by_role("link", name="Predict images").click()
    there.get_by_role("radio", name=re.compile("imported from a file"), checked=True).wait_for()
    check_whole(there)
    there.get_by_label("Files …").set_input_files(sorted((stock.app.root / "new").glob("slide*.png")))
    there.get_by_role("button", name="Predict", exact=True).click()
    there.get_by_role("link", name="All images 12").wait_for(timeout=JOB_MS)
    there.get_by_role("link", name="Download CSV").wait_for(timeout=JOB_MS)
    # What the first app said of the same images.
    predictions = {Path(row["path"]).name: row["predicted"] for row in rows_of(stock.app, stock.prediction)}
    brought = {Path(row["path"]).name: row["predicted"] for row in rows_of(app, there.url.rpartition("/")[2])}
    assert brought == {name: predicted for name, predicted in predictions.items() if name != "cut off.png"}


@pytest.mark.exhaustive
def test_a_classifier_that_is_dropped_on_a_page_shows_its_card(page: "Page", stock: Stock, tmp_path: Path) -> None:
    file = tmp_path / "dropped.coverslip"
    urllib.request.urlretrieve(f"{stock.app.address}api/v1/jobs/{stock.run}/download/classifier", file)
    open_page(page, "/studies")
    drop(page, file)
    page.get_by_role("dialog").get_by_role("button", name="Import the classifier").click()
    card_of_file(page, stock)


def card_of_file(page: "Page", stock: Stock) -> None:
    """Wait for the card of an imported classifier, and compare its metrics with those of the run."""
    page.get_by_text("Imported classifier").wait_for()
    measured = stock.app.get(f"jobs/{stock.run}/results")["metrics"]
    tables = page.get_by_role("region", name="Metrics on test images").get_by_role("group")
    shown = tables.first.get_by_role("row").filter(has_text=re.compile(r"^Accuracy"))
    accuracy = shown.get_by_role("cell").nth(1).inner_text()
    assert float(accuracy) == pytest.approx(measured["metrics"]["accuracy"]["value"], abs=0.005)
    assert tables.nth(1).get_by_role("row").count() == 1 + len(measured["classes"])
    check_whole(page)


def rows_of(app: RunningApp, prediction: str) -> list[dict[str, str]]:
    items: list[dict[str, str]] = app.get(f"lists/{prediction}/rows?limit=100")["items"]
    return items


@pytest.mark.parametrize("n_classes", [2, 40])
@pytest.mark.exhaustive
def test_few_and_many_classes_fit_on_every_page(
    wary: "Page", app_server: RunningApp, tmp_path_factory: pytest.TempPathFactory, n_classes: int
) -> None:
    classes = tuple(f"class {k:02d}" for k in range(1, n_classes + 1))
    cells = write_cells(app_server.root / f"{n_classes} classes", 6 * n_classes, classes=classes)
    images = app_server.opened(cells)
    run = app_server.trained(images["id"], QUICK, with_report=True)
    for tab in ("overview", "images", "classes", "checks"):
        open_page(wary, f"/datasets/{images['id']}?tab={tab}")
        wary.get_by_text(f"{n_classes} classes").first.wait_for()
        check_whole(wary)
    for tab in RESULT_TABS:
        open_page(wary, f"/runs/{run}?tab={tab}")
        wary.get_by_role("navigation", name="Results").wait_for()
        wary.get_by_role("region").or_(wary.locator("main figure, main h2, main nav ul")).first.wait_for()
        check_whole(wary)
    open_page(wary, f"/runs/{run}")
    matrix = wary.get_by_role("table", name="Confusion matrix")
    matrix.get_by_role("button").first.wait_for()
    if n_classes > 30:
        assert matrix.get_by_role("button").count() == 12**2
        wary.get_by_label(f"Show all {n_classes} classes, not only the 12 with the most confusions").check()
        check_whole(wary)
    assert matrix.get_by_role("button").count() == n_classes**2
    prediction = app_server.predicted(run, images["id"])
    open_page(wary, f"/predictions/{prediction}")
    wary.get_by_role("gridcell", name=re.compile("slide|class")).first.wait_for()
    check_whole(wary)
