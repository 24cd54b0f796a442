"""Pages of the app in Firefox, through WebDriver BiDi: they show what they should, without an error."""

import json
import os
import shutil
import subprocess

import pytest
from browser import ROOT, Stock

pytestmark = pytest.mark.slow

PAGES = {  # address, and what is there once the page has its data
    "": "main a[href^='runs/']",
    "datasets": "main a[href^='datasets/']",
    "datasets/{images}": "main h2",
    "datasets/{images}?tab=images": "[role=gridcell]",
    "train?dataset={images}": "form.training button",
    "runs": "main a[href^='runs/']",
    "runs/{run}": "main h2",
    "runs/{run}?tab=trust&part=curves": "main figure img",
    "predictions/{prediction}": "[role=gridcell]",
    "studies/{study}": "main ul",
}


@pytest.mark.exhaustive
def test_pages_open_in_firefox_without_an_error(stock: Stock) -> None:
    firefox = shutil.which("firefox-esr") or shutil.which("firefox")
    if firefox is None and "CI" not in os.environ:
        pytest.skip("Firefox is not installed. Run: .ci/programs")
    pages = {path.format(**vars(stock)): seen for path, seen in PAGES.items()}
    done = subprocess.run(
        [".ci/npm", "run", "--silent", "firefox", "--", str(firefox), stock.app.address, json.dumps(pages)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results.pop("version").startswith("firefox/")
    assert list(results) == list(pages)
    assert {page: faults for page, faults in results.items() if faults} == {}
