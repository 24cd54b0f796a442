"""The map of a dataset, in a browser: colors, clusters, the lasso, and labels of the selected images."""

import re
from typing import TYPE_CHECKING

import pytest
from browser import JOB_MS, RunningApp, Stock, open_page
from drawing import write_cells
from image_sets import in_lists
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

# Whether the map has more colors than those of points and of lines: those of pictures.
IS_LANDSCAPE = """
() => {
  const canvas = document.querySelector('.stage canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size > 1000;
}
"""


def test_images_are_selected_on_the_map_and_labeled(page: "Page", stock: Stock) -> None:
    app, dataset = stock.app, f"datasets/{stock.images}"
    open_page(page, f"/{dataset}?tab=map")
    page.get_by_role("button", name="Compute the map").click()
    page.locator(".stage canvas").wait_for(timeout=JOB_MS)
    n = app.get(f"computations/dataset-map/{stock.images}")["n"]
    page.get_by_role("img", name=f"Map with {n} points").wait_for()
    page.wait_for_function(IS_LANDSCAPE)
    colors = page.get_by_role("list", name="Colors")

    def numbers() -> dict[str, int]:
        lines = [line for line in colors.inner_text().splitlines() if line]
        return dict(zip(lines[::2], map(int, lines[1::2]), strict=True))

    classes = {each["name"] for each in app.get(dataset)["classes"]}
    assert numbers().keys() <= {*classes, "Excluded"}
    page.get_by_label("Color by").select_option(f"job {stock.run}")
    predicted = app.get(f"{dataset}/map-predictions/{stock.run}")
    colors.get_by_text(predicted["decisions"][predicted["numbers"][0]], exact=True).wait_for()
    assert n - numbers()["Not predicted"] == len(predicted["rows"]) > 0

    smaller, larger = page.get_by_role("button", name="Smaller (−)"), page.get_by_role("button", name="Larger (+)")
    expect(smaller).to_be_disabled()  # the whole map is shown
    for _ in range(11):  # 1.25 ** 11 > 10
        larger.click()
    expect(larger).to_be_disabled()
    page.get_by_role("button", name="Fit to window").click()
    expect(smaller).to_be_disabled()

    page.get_by_label("Color by").select_option("group")
    colors.get_by_text("slide0").wait_for()
    assert sum(numbers().values()) == n
    page.get_by_label("Color by").select_option("cluster")
    colors.get_by_text("Cluster 1").wait_for()
    in_cluster = numbers()["Cluster 1"]
    page.get_by_label("Select a cluster").select_option("0")
    page.get_by_text(f"Selected: {in_cluster}", exact=True).wait_for()
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".stage").bounding_box()
    assert box is not None
    x, y, radius = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 0.49 * min(box["width"], box["height"])
    page.mouse.move(x + radius, y + radius)
    page.mouse.down()
    for dx, dy in ((-1, 1), (-1, -1), (1, -1)):
        page.mouse.move(x + dx * radius, y + dy * radius, steps=4)
    page.mouse.up()
    page.get_by_text(f"Selected: {n}", exact=True).wait_for()

    labels = {row["row_id"]: row["label"] for row in app.get(f"{in_lists(dataset)}/rows?limit=500")["items"]}
    first = app.get(dataset)["classes"][0]["name"]
    page.get_by_role("grid", name="Images by cluster").press("1")
    app.until(f"{in_lists(dataset)}/rows?limit=500", lambda body: {row["label"] for row in body["items"]} == {first})
    page.keyboard.press("Control+z")
    app.until(
        f"{in_lists(dataset)}/rows?limit=500",
        lambda body: {row["row_id"]: row["label"] for row in body["items"]} == labels,
    )
    n_changed = sum(label != first for label in labels.values())
    page.get_by_text(f"Selected: {n_changed}", exact=True).wait_for()
    page.get_by_role("button", name="Exclude selected images").click()
    options = page.get_by_label("Select a cluster").get_by_role("option")
    options.filter(has_text="not selected").first.wait_for(state="attached")
    sizes = [re.findall(r"^\d+: (\d+)|not selected: (\d+)", option) for option in options.all_inner_texts()[1:]]
    assert sum(int(number) for size in sizes for pair in size for number in pair if number) == n
    page.keyboard.press("Control+z")  # for the other tests, which need both classes
    app.until(f"{in_lists(dataset)}/rows?limit=500", lambda body: not any(row["is_excluded"] for row in body["items"]))


def test_the_map_shows_labels_of_other_people_and_no_refused_label(page: "Page", app_server: RunningApp) -> None:
    app = app_server
    folder = write_cells(app.root / "mapped", 24, classes=("Excluded", "round"))
    mapped = app.opened(folder)["id"]
    dataset = f"datasets/{mapped}"
    app.send("computations", {"kind": "dataset-map", "subject": mapped})
    app.until(f"computations/dataset-map/{mapped}", lambda body: body["state"] == "ready", JOB_MS / 1000)
    page.route("**/map-points", lambda route: route.fulfill(status=500, json={}))
    open_page(page, f"/{dataset}?tab=map")
    page.get_by_role("button", name="Try again").wait_for()
    page.unroute("**/map-points")
    page.get_by_role("button", name="Try again").click()
    page.locator(".stage canvas").wait_for()
    colors = page.get_by_role("list", name="Colors").get_by_role("listitem")
    expect(colors).to_have_text(["Excluded12", "round12"])  # a class may be named as what the page says of others

    rows = [row["row_id"] for row in app.get(f"{in_lists(dataset)}/rows?label=round")["items"]]
    app.send(f"{dataset}/changes", {"rows": rows[:4], "label": "Excluded"})
    app.send(f"{dataset}/changes", {"rows": rows[4:5], "is_excluded": True})
    expect(colors).to_have_text(["Excluded16", "round7", "Excluded1"])

    page.route("**/changes", lambda route: route.fulfill(status=500, json={}))
    page.get_by_role("gridcell").first.click()
    page.keyboard.press("Delete")
    page.get_by_role("alert").wait_for()
    expect(colors).to_have_text(["Excluded16", "round7", "Excluded1"])
