"""Pages of the app as a browser lays them out: no text is cut off or covers other text, at any width."""

from typing import TYPE_CHECKING

import pytest
from browser import Stock, open_page, use_no_worker
from clipping import clipped_text

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

WIDTHS = (800, 1280, 1920)
PAGES = (  # results of a run: test_app_results.py
    *(
        "/datasets/{images}?tab=checks&part=groups",
        "/datasets/{images}?tab=checks&part=classes",
        "/train?dataset={images}",
    ),
    *("/runs/{folds}", "/studies/{study}", "/predictions/{prediction}?only=review"),
)
ALIKE = (  # other states of these pages, or pages that test_app_screenshots.py looks at
    *("/datasets/{unlabeled}?tab=images", "/train?dataset={unlabeled}", "/studies"),
    "/runs/{folds}?tab=trust&part=metrics",
    *("/predict?classifier={run}", "/classifiers/{run}", "/predictions/{prediction}/samples", "/help/recipe"),
    *("/predictions/{prediction}/spot-check", "/datasets/{images}/second-reading", "/datasets/{images}?tab=map"),
    "/datasets/{unlabeled}/objects",
    *("/", "/datasets", "/datasets/{images}", "/datasets/{images}?tab=images", "/datasets/{unlabeled}", "/train"),
    *("/runs", "/compare?runs={run},{folds}", "/studies/new", "/predict", "/predictions/{prediction}", "/help"),
)

_UNFOLD = """() => [...document.querySelectorAll('main details:not([open]) > summary')]
  .filter((each) => each.checkVisibility()).forEach((each) => each.click())"""


@pytest.mark.parametrize("path", [*PAGES, *(pytest.param(path, marks=pytest.mark.exhaustive) for path in ALIKE)])
def test_no_text_of_a_page_is_cut_off_or_covers_other_text(page: "Page", stock: Stock, path: str) -> None:
    use_no_worker(page)
    open_page(page, path.format(**vars(stock)))
    page.wait_for_load_state("networkidle")
    for _ in range(2):  # those in others too
        page.evaluate(_UNFOLD)
    page.wait_for_load_state("networkidle")
    faults = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if clipped := clipped_text(page):
            faults[width] = clipped
    page.set_viewport_size({"width": 1280, "height": 800})
    assert faults == {}
