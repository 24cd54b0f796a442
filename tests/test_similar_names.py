"""Names that may be one name with several spellings: of classes, of groups, and of the classes of readers."""

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import RunningApp, open_page
from image_sets import workspace_in
from PIL import Image
from playwright.sync_api import expect
from small_workspace import until, write_cells

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.findings import similar_names
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadDataset
from coverslip.events import ignore
from coverslip.messages import JoinGroups, text
from coverslip.workspace.datasets import reading_images, sources
from coverslip.workspace.datasets.grouping import validated_merge
from coverslip.workspace.datasets.labels import training_images
from coverslip.workspace.datasets.state import dataset_state

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize(
    "spellings",
    [
        ("P1", "p1", "P01", "P 1", " P1", "P-1", "p_001", "P\u00a01", "P1\u200b", "Ｐ１"),
        ("1", "01", "1.0", "1,0", "1.00", "+1", "001"),
        ("0", "00", "0.0"),
        ("-1", "\u22121", "-1.0", "- 1"),
        ("T cell", "t-cell", "Tcell", "T_Cell", "T  cell"),
        ("naïve", unicodedata.normalize("NFD", "naïve"), "NAÏVE"),
        ("ﬁbroblast", "fibroblast"),  # a ligature
        ("5 µm", "5 μm", "5µm"),  # the micro sign and mu
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_name_are_similar(spellings: tuple[str, ...]) -> None:
    assert similar_names(spellings) == [spellings]


@pytest.mark.parametrize(
    "names",
    [
        ("P1", "P10", "P100", "P11"),
        ("1", "10", "1.1", "1.10", "-1", "1.000"),
        ("1-2", "12", "1-20"),
        ("CD4+", "CD4-", "CD4"),
        ("<5", ">5", "5"),
        ("naïve", "naive"),
        ("---", "___", "."),
        ("क", "कि"),  # a vowel sign is no punctuation
    ],
)
def test_different_names_are_not_similar(names: tuple[str, ...]) -> None:
    assert similar_names(names) == []


def cells(folder: Path, n: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(n):
        pixels = np.random.default_rng(k).integers(0, 255, (12, 12), np.uint8)
        Image.fromarray(pixels).save(folder / f"{k}.png")
    return [f"{k}.png" for k in range(n)]


def table(folder: Path, name: str, columns: str, rows: list[str]) -> Path:
    file = folder / name
    lines = [f"{k}.png,{row}" for k, row in enumerate(rows)]
    file.write_text("\n".join([f"path,{columns}", *lines, ""]), encoding="utf-8")
    return file


def test_numbers_as_labels_in_several_formats_are_a_finding_with_their_cells(tmp_path: Path) -> None:
    cells(tmp_path, 6)
    file = table(tmp_path, "labels.csv", "label", ["01", "1", "1.0", "1", "2", "1.0"])
    (finding,) = cs.inspect(file, emit=ignore).of("similar-class-names")
    assert sorted(finding.parameters["classes"]) == ["01", "1", "1.0"]
    assert finding.severity == "advice"
    (locations,) = finding.parameters["locations"]
    assert {(location["name"], location["column"], tuple(location["lines"])) for location in locations} == {
        ("01", "label", (2,)),
        ("1", "label", (3, 5)),
        ("1.0", "label", (4, 7)),
    }
    assert {location["table"] for location in locations} == {str(file)}


def test_groups_with_several_spellings_are_a_finding_with_their_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells(tmp_path, 8)
    rows = ["a,P1", "b,p1", "a,P01", "b,P1", "a,P2", "b,P10", "a,P1", "b,P 2"]
    file = table(tmp_path, "cells.csv", "label,patient", rows)
    data = open_dataset(file, group="patient")
    (finding,) = inspect_dataset(data, scan_images(data)).of("similar-group-names")
    assert finding.severity == "warning"
    assert finding.limit
    assert finding.parameters["groups"] == [["P01", "P1", "p1"], ["P2", "P 2"]]
    assert finding.remedies == (JoinGroups({"P1": ["P01", "P1", "p1"], "P2": ["P2", "P 2"]}),)
    assert finding.images == (("2.png", "0.png", "1.png"), ("4.png", "7.png"))
    assert finding.notes == (("P01", "P1", "p1"), ("P2", "P 2"))
    assert main(["inspect", str(file), "--group", "patient"]) == 0
    shown = capsys.readouterr().out.replace("\n", " ")
    assert "column 'patient', rows 4" in shown
    assert str(file) in shown


def test_folders_with_several_spellings_are_named(tmp_path: Path) -> None:
    for name in ("one/slide1", "One /Slide 01", "One /slide2"):
        cells(tmp_path / name, 2)
    (finding,) = cs.inspect(tmp_path, emit=ignore).of("similar-class-names")
    ((few, many),) = finding.parameters["locations"]
    assert (few["name"], few["n_images"], few["folders"]) == ("one", 2, [str(tmp_path / "one")])
    assert (many["name"], many["n_images"], many["folders"]) == ("One", 4, [str(tmp_path / "One ")])
    grouped = open_dataset(tmp_path, group_pattern=r"^[^/]+/([^/]+)/")
    (finding,) = cs.inspect(grouped, emit=ignore).of("similar-group-names")
    (locations,) = finding.parameters["locations"]
    assert {(location["name"], *location["folders"]) for location in locations} == {
        ("slide1", str(tmp_path / "one" / "slide1")),
        ("Slide 01", str(tmp_path / "One " / "Slide 01")),
    }


def test_readers_with_other_formats_of_numbers_are_pointed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = table(tmp_path, "one.csv", "label", ["1", "2"] * 3)
    second = table(tmp_path, "two.csv", "label", ["1.0", "2.0"] * 3)
    assert cs.agreement([first, second]).similar_labels == (("1", "1.0"), ("2", "2.0"))
    assert main(["agreement", str(first), str(second)]) == 0
    assert "'1', '1.0'" in capsys.readouterr().out
    assert cs.agreement([first, table(tmp_path, "three.csv", "label", ["1", "3"] * 3)]).similar_labels == ()


def test_groups_are_joined_in_the_app_until_they_are_separated(tmp_path: Path) -> None:
    folder, home = tmp_path / "cells", workspace_in(tmp_path)
    cells(folder, 6)
    rows = ["a,P1,x", "b,p1,x", "a,P01,y", "b,P1,y", "a,P2,z", "b,P2,z"]
    file = table(folder, "cells.csv", "label,patient,slide", rows)
    dataset_id = sources.open_sources(home, [sources.Source(str(file))], group="patient").id
    home.background.wait_all()

    def groups() -> tuple[int, dict[str, list[str]], int]:
        home.background.wait_all()
        state = dataset_state(home, dataset_id)
        n_findings = len(reading_images.inspection(home, dataset_id).of("similar-group-names"))
        return state.groups.n_groups, state.groups.merge, n_findings

    assert groups() == (4, {}, 1)
    assert training_images(home, dataset_id).sources == [str(file)]
    merge = {"P1": ["P01", "P1", "p1"]}
    sources.change_dataset(home, dataset_id, {"group_merge": merge})
    assert groups() == (2, merge, 0)
    trained = training_images(home, dataset_id)
    snapshot = open_dataset(*trained.sources, group=trained.grouped.column)
    assert [record.group for record in snapshot.records] == ["P1"] * 4 + ["P2"] * 2
    file.write_text(f"{file.read_text()}5.png,a,p1,z\n".replace("5.png,b,P2,z\n", ""), encoding="utf-8")
    sources.refresh_dataset(home, dataset_id)
    assert groups() == (2, merge, 0)
    sources.change_dataset(home, dataset_id, {"group_merge": {}})
    assert groups() == (4, {}, 1)
    sources.change_dataset(home, dataset_id, {"group_merge": merge})
    sources.change_dataset(home, dataset_id, {"group": "slide"})
    assert groups() == (3, {}, 0)


@pytest.mark.slow
def test_one_click_joins_groups_or_classes_and_undo_separates_them(page: "Page", app_server: RunningApp) -> None:
    folder = app_server.root / "similar names"
    cells(folder, 6)
    rows = ["a,P1", "b,P1", "A,p1", "b,P2", "a,P3", "b,P1"]
    file = table(folder, "cells.csv", "label,patient", rows)
    address = f"datasets/{app_server.opened(file, group='patient')['id']}"
    open_page(page, f"/{address}?tab=checks")
    for code, button, key, joined in (
        ("finding-similar-group-names", "Join these groups", "groups", {"P1": ["P1", "p1"]}),
        ("finding-similar-class-names", "Join these classes in training", "class_plan", {"a": ["a", "A"]}),
    ):
        heading = page.get_by_role("heading", name=text(f"{code}.title"))
        page.get_by_role("button", name=button).click()
        expect(heading).to_have_count(0)
        assert {name: sorted(of) for name, of in app_server.get(address)[key]["merge"].items()} == {
            name: sorted(of) for name, of in joined.items()
        }
        page.get_by_role("button", name="Undo").click()
        heading.wait_for()
        assert app_server.get(address)[key]["merge"] == {}
    page.get_by_role("button", name="Join these groups").click()
    expect(page.get_by_role("button", name="Join these groups")).to_have_count(0)
    page.locator("#groups > summary").click()
    page.get_by_role("button", name="Separate the groups that are joined in P1").click()
    page.get_by_role("heading", name="Joined groups").wait_for(state="detached")
    assert app_server.get(address)["groups"]["merge"] == {}


@pytest.mark.exhaustive
def test_one_click_groups_images_or_begins_a_training_as_a_finding_recommends(
    page: "Page", app_server: RunningApp
) -> None:
    folder = write_cells(app_server.root / "slides", 80)
    address = f"datasets/{app_server.opened(folder)['id']}"
    ids = [str(file.relative_to(folder)) for file in sorted(folder.rglob("*.png"))[:2]]
    app_server.send(f"{address}/changes", {"images": ids, "label": "rare"})
    open_page(page, f"/{address}")
    page.get_by_role("button", name="Group by these parts of the names").click()
    page.get_by_role("heading", name="10 groups").wait_for()
    assert app_server.get(address)["groups"]["by"] == "pattern"
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name="No groups defined").wait_for()
    assert app_server.get(address)["groups"]["by"] is None
    page.get_by_role("button", name="Train with “Weight of rare classes”").click()
    page.get_by_role("heading", name="Train a classifier").wait_for()
    until(lambda: page.evaluate("history.state?.changes?.class_weights") == "balanced")


@pytest.mark.parametrize("merge", [{"P1": ["P1", "p1"], "P2": ["P2", "p1"]}, {"P1": ["p1", "P01"]}])
def test_groups_are_joined_once_under_one_of_their_names(merge: dict[str, list[str]]) -> None:
    with pytest.raises(BadDataset) as refused:
        validated_merge(merge)
    assert refused.value.code == "groups-not-joined"
