"""One more kind of finding, made known while the program runs, shows at every door without touching any."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from drawing import save_cells
from image_sets import App, workspace_in

from coverslip.cli import main
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.findings import FINDINGS, FindingCase, FindingKind
from coverslip.datasets.quality.scanning import Scan


def _odd_names(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    first, second, *_ = (record.image_id for record in dataset.records)
    yield FindingCase(
        text="Two names are odd.",
        do="Give them others.",
        images=((first, second),),
        notes=(("odd", "odder"),),
        parameters={"p": 0.01},
    )


@pytest.fixture
def odd_names() -> Iterator[None]:
    FINDINGS.add(FindingKind("odd-names", "error", _odd_names, title="Odd names"))
    yield
    FINDINGS.remove("odd-names")


@pytest.mark.usefixtures("odd_names")
def test_the_command_line_reports_it_in_json_and_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = save_cells(tmp_path / "cells")
    assert main(["inspect", str(cells), "--json"]) == 0
    finding = json.loads(capsys.readouterr().out)["findings"][0]
    assert (finding["code"], finding["severity"], finding["p"]) == ("odd-names", "error", 0.01)
    assert finding["images"] == [["flat/slide0_0.png", "flat/slide0_3.png"]]
    assert main(["inspect", str(cells)]) == 0
    out = capsys.readouterr().out
    assert "Odd names (1)\n  flat/slide0_0.png (odd) = flat/slide0_3.png (odder)\n" in out
    assert "error: Two names are odd. Give them others." in out


@pytest.mark.slow
def test_the_app_reports_it_even_of_images_that_were_read_before(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    app = App(workspace_in(tmp_path))
    dataset = app.open(save_cells(tmp_path / "cells"))
    where = f"datasets/{dataset['id']}/inspection"
    assert "odd-names" not in [finding["code"] for finding in app.get(where)["findings"]]
    request.getfixturevalue("odd_names")
    answer = app.get(where)
    finding = answer["findings"][0]
    assert (finding["code"], finding["title"], finding["notes"]) == ("odd-names", "Odd names", [["odd", "odder"]])
    for cluster in finding["images"]:
        for image_id in cluster:
            row = answer["row_ids"][image_id]
            assert app.get(f"lists/{dataset['id']}/rows/{row}")["image_id"] == image_id
    document = App(workspace_in(tmp_path / "other")).get("openapi.json")
    assert "`odd-names`" in document["components"]["schemas"]["Finding"]["properties"]["code"]["description"]


@pytest.mark.slow
def test_a_finder_that_is_registered_during_an_inspection_is_asked_by_the_next(tmp_path: Path) -> None:
    unregistered = [
        FindingKind("odd-names", "error", _odd_names, title="Odd names")
    ]  # an inspection may outlast this test

    def register_another(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
        with suppress(IndexError):
            FINDINGS.add(unregistered.pop())
        return iter(())

    app = App(workspace_in(tmp_path))
    where = f"datasets/{app.open(save_cells(tmp_path / 'cells'))['id']}/inspection"
    FINDINGS.add(FindingKind("registering", "error", register_another, title="Registering"))
    try:
        app.get(where)
        assert "odd-names" in [finding["code"] for finding in app.get(where)["findings"]]
    finally:
        FINDINGS.remove("registering")
        FINDINGS.remove("odd-names")
