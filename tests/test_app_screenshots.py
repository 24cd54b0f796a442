"""The look of the app's pages, compared with pictures in `tests/screenshots/`; `screenshots.py` says how to renew them.

Datasets, trainings, a prediction and a study are written, not computed, so that pages show the same on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from browser import RunningApp, open_page
from clipping import clipped_text
from parameters import only_first
from screenshots import check_screenshot
from written_workspace import write_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

# Paths of folders, times of day, durations.
# Whether this computer offers all presets, and their times, depend on its speed.
PRESETS = ("form.training section.start",)
VOLATILE = ("[title^='/']", "main time", "section[aria-labelledby=progress] .number", *PRESETS)
PAGES = {  # address, and what is there once the page is whole
    "start": ("/", "text=Recent trainings"),
    "dataset": ("/datasets/{dataset}", "text=Images per class"),
    "images": ("/datasets/{dataset}?tab=images", "[role=gridcell] >> nth=20"),
    "train": ("/train?dataset={dataset}", "form:has(input[name=preset]:checked) .images img"),
    "live-training": ("/runs/{running}", "text=First results"),
    "summary": ("/runs/{fine-tuned}", "main img >> nth=3"),
    "prediction": ("/predictions/{prediction}", "[role=gridcell] .picture >> nth=3"),
    "runs": ("/runs", "text=Fine-tuned"),
    "compare": ("/compare?runs={fine-tuned},{instant}", "main table"),
    "trust": ("/runs/{fine-tuned}?tab=trust&part=curves", "figure img:visible"),
    "result-images": ("/runs/{fine-tuned}?tab=images", "[role=gridcell] .picture >> nth=3"),
    "study": ("/studies/{study}", "main ul >> nth=0"),
}
N_DAILY = 9  # of the pages; `test_app_results.py` and `test_app_layout.py` look at the others too
IMAGES_ARE_LOADED = """[...document.images].every((image) => {
  const box = image.getBoundingClientRect();
  const isOfOtherTheme = image.offsetParent === null;
  return isOfOtherTheme || (image.complete && image.naturalWidth > 0) || box.top > innerHeight || box.bottom < 0;
})"""
Pictures = tuple[tuple[int, Literal["light", "dark"]], ...]
PICTURES: Pictures = ((1280, "light"), (768, "dark"))
OTHER_PICTURES: Pictures = ((1280, "dark"), (768, "light"))
READ = (768, 800, 1280, 1920)  # widths of the window, in pixels


@dataclass(frozen=True)
class Written:
    """The app on the written workspace, and the ids of what it holds."""

    app: RunningApp
    ids: dict[str, str]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, study_report: Path) -> Iterator[Written]:
    folder = tmp_path_factory.mktemp("written")
    ids = write_workspace(folder, study_report)
    app = RunningApp(folder / "workspace", folder).start()
    app.until(f"datasets/{ids['dataset']}/inspection", lambda body: not body["is_searching_duplicates"], 60)
    yield Written(app, ids)
    app.end()


@pytest.fixture(scope="module")
def tab(browser: "Browser", written: Written) -> "Iterator[Page]":
    """A tab without the app's policy, which forbids styles that hide something for a picture."""
    context = browser.new_context(
        base_url=written.app.address,
        viewport={"width": 1280, "height": 800},
        reduced_motion="reduce",
        bypass_csp=True,
        locale="en-GB",
        timezone_id="UTC",
    )
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    "pictures", [pytest.param(PICTURES, id=""), pytest.param(OTHER_PICTURES, id="others", marks=pytest.mark.exhaustive)]
)
@pytest.mark.parametrize("name", only_first(N_DAILY, PAGES))
def test_a_page_looks_as_it_did_in_light_and_dark_and_can_be_read_at_any_width(
    tab: "Page", written: Written, tmp_path: Path, name: str, pictures: Pictures
) -> None:
    path, whole = PAGES[name]
    tab.emulate_media(color_scheme="light")
    open_page(tab, path.format(**written.ids))
    tab.locator(whole).first.wait_for()
    tab.evaluate("document.fonts.ready.then(() => null)")
    for width in READ:
        tab.set_viewport_size({"width": width, "height": 800})
        assert clipped_text(tab) == [], f"{width} px"
    for width, scheme in pictures:
        tab.set_viewport_size({"width": width, "height": 800})
        tab.emulate_media(color_scheme=scheme)
        tab.wait_for_function(IMAGES_ARE_LOADED)
        check_screenshot(tab, f"app-{name}-{width}-{scheme}", tmp_path, hidden=VOLATILE, is_whole=False)
