"""The look of the reports, compared with pictures in `tests/screenshots/`; `screenshots.py` says how to renew them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from screenshots import check_screenshot, differences, use_own_font
from synthetic_runs import write_run

from coverslip.reports.page import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MadeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="module")
def reports(made_once: MadeOnce, study_report: Path) -> dict[str, Path]:
    def make(folder: Path) -> None:
        write_report(write_run(folder, ("basophil", "lymphocyte", "monocyte"), n_test=60, n_groups=20, skill=2.2))

    return {"run": made_once("report for screenshots", make) / "run" / "report.html", "five networks": study_report}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("report", "width", "scheme"),
    [
        ("run", 1280, "light"),
        ("run", 800, "dark"),
        pytest.param("five networks", 1280, "light", marks=pytest.mark.exhaustive),
    ],
)
def test_a_report_looks_as_it_did(
    browser: "Browser", reports: dict[str, Path], tmp_path: Path, report: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    try:
        page.goto(reports[report].as_uri())
        use_own_font(page)
        check_screenshot(page, f"{report.replace(' ', '-')}-{width}-{scheme}", tmp_path)
    finally:
        page.close()


def test_a_column_that_is_missing_or_a_longer_page_is_a_difference() -> None:
    stored = Image.new("RGB", (320, 400), "white")
    assert differences(stored, stored.copy())[0] == 0
    without_column = stored.copy()
    without_column.paste((80, 80, 80), (280, 40, 320, 80))
    assert differences(stored, without_column)[0] == pytest.approx(40 * 40 / (320 * 400))
    assert differences(stored, Image.new("RGB", (320, 440), "white"))[0] == pytest.approx(1 / 11)
    assert differences(stored, Image.new("RGB", (320, 400), (240, 240, 240)))[0] == 0  # as another browser may draw it
