"""Several folders as one dataset: each a domain with a name; added, renamed and left out, and no label is lost."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import RunningApp, check_accessible, open_page
from drawing import save_cell, save_cells
from image_sets import App, workspace_in
from refusing import refusing

from coverslip.datasets.index.opening import open_dataset
from coverslip.errors import BadDataset
from coverslip.runs.status import images_opened
from coverslip.workspace.datasets.grouping import compute_group_preview
from coverslip.workspace.datasets.labels import training_images
from coverslip.workspace.datasets.sources import Grouping, groups_of_images
from coverslip.workspace.store.rows import dataset_row

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


def sources_of(*named: tuple[Path, str | None]) -> list[dict[str, Any]]:
    return [{"path": str(path), "domain": domain} for path, domain in named]


def opened(app: App, *named: tuple[Path, str | None], **choices: Any) -> Any:
    return app.wait(app.send("POST", "datasets", {"sources": sources_of(*named), **choices})["id"])


def changed(app: App, dataset_id: str, *named: tuple[Path, str | None]) -> Any:
    app.send("PATCH", f"datasets/{dataset_id}", {"sources": sources_of(*named)})
    return app.wait(dataset_id)


def counts(dataset: Any) -> dict[str, int]:
    return {domain["name"]: domain["n"] for domain in dataset["domains"]}


@pytest.fixture
def labs(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of one name, with equal class folders."""
    here = save_cells(tmp_path / "here" / "cells", n=3)
    there = save_cells(tmp_path / "there" / "cells", n=6)
    return here, there


def test_each_folder_is_a_domain_of_the_name_it_was_given(app: App, labs: tuple[Path, Path]) -> None:
    here, there = labs
    dataset = opened(app, (here, "Basel"), (there, None))
    assert (dataset["state"], dataset["n_images"], counts(dataset)) == ("ready", 18, {"Basel": 6, "cells-2": 12})
    assert dataset["sources"] == [
        {"path": str(here), "contains": None, "is_missing": False, "domain": "Basel", "domains": ["Basel"]},
        {"path": str(there), "contains": None, "is_missing": False, "domain": None, "domains": ["cells-2"]},
    ]
    shown = app.get(f"lists/{dataset['id']}/rows", domain="Basel")
    assert len(shown["items"]) == 6
    assert {image["domain"] for image in shown["items"]} == {"Basel"}


def test_folders_of_one_name_make_one_domain(app: App, labs: tuple[Path, Path]) -> None:
    here, there = labs
    assert counts(opened(app, (here, "Basel"), (there, "Basel"))) == {"Basel": 18}


def test_one_folder_may_have_a_name_too(app: App, labs: tuple[Path, Path]) -> None:
    assert counts(opened(app, (labs[0], "Basel"))) == {"Basel": 6}
    assert counts(opened(app, (labs[0], None))) == {}


def test_folders_without_labels_have_domains_too(app: App, labs: tuple[Path, Path]) -> None:
    here, there = labs
    dataset = opened(app, (here / "round", "Basel"), (there / "flat", "Bern"), is_labeled=False)
    assert (counts(dataset), dataset["n_labeled"]) == ({"Basel": 3, "Bern": 6}, 0)


@pytest.mark.parametrize("names", [(None, None), ("Basel", "Bern")])
def test_a_pattern_divides_unlabeled_folders_as_its_preview_shows(
    names: tuple[str | None, str | None], app: App, tmp_path: Path
) -> None:
    plates = [tmp_path / "plates" / plate for plate in ("plate1", "plate2")]
    for k, well in enumerate(plate / name for plate in plates for name in ("A1", "B2")):
        save_cell(well / "w0.png", seed=k)
    dataset = opened(app, *zip(plates, names, strict=True), is_labeled=False)
    with app.home.engine.connect() as connection:
        row = dataset_row(connection, dataset["id"])
    for pattern in (r"^([^/]+)/", r"plate\d", r"/([AB]\d)/"):
        preview = compute_group_preview(app.home, dataset["id"], pattern=pattern, column=None)
        groups = groups_of_images(app.home, row, Grouping(pattern=pattern))
        assert {each.group: each.n for each in preview.largest} == Counter(groups.values()), pattern


def test_a_place_that_is_given_twice_is_refused(app: App, labs: tuple[Path, Path]) -> None:
    problem = app.refused("POST", "datasets", {"sources": sources_of((labs[0], "a"), (labs[0], "b"))})
    assert (problem["status"], problem["file"]) == (422, str(labs[0]))


@pytest.mark.slow
def test_a_folder_can_be_added_and_excluded_and_labels_come_back(app: App, labs: tuple[Path, Path]) -> None:
    here, there = labs
    dataset_id = opened(app, (here, None))["id"]
    app.label(f"datasets/{dataset_id}", [0], "odd")
    both = changed(app, dataset_id, (here, "Basel"), (there, "Bern"))
    assert (counts(both), both["n_label_changes"]) == ({"Basel": 6, "Bern": 12}, 1)
    mine = app.positions(f"datasets/{dataset_id}", domain="Bern")[:2]
    app.label(f"datasets/{dataset_id}", mine, "torn")

    alone = changed(app, dataset_id, (here, "Basel"))
    assert (counts(alone), alone["n_label_changes"]) == ({"Basel": 6}, 1)
    changed_dataset = changed(app, dataset_id, (there, "Berne"), (here, "Basel"))
    assert (counts(changed_dataset), changed_dataset["n_label_changes"]) == ({"Basel": 6, "Berne": 12}, 3)
    assert len(app.rows(f"datasets/{dataset_id}", label="torn", domain="Berne")) == 2
    assert len(app.rows(f"datasets/{dataset_id}", label="odd", domain="Basel")) == 1


@pytest.mark.slow
def test_confirmed_labels_outlive_folders_that_are_added_and_excluded(app: App, labs: tuple[Path, Path]) -> None:
    here, there = labs
    dataset_id = opened(app, (here, None))["id"]
    app.send(
        "POST",
        f"datasets/{dataset_id}/changes",
        {"images": app.ids(f"datasets/{dataset_id}", [0, 4]), "is_confirmed": True},
    )

    def confirmed() -> list[str]:
        return [image["path"] for image in app.get(f"lists/{dataset_id}/rows", only="confirmed")["items"]]

    before = confirmed()
    assert len(before) == 2
    for sources in ([(here, None), (there, None)], [(there, "Bern"), (here, "Basel")], [(here, None)]):
        changed(app, dataset_id, *sources)
        assert confirmed() == before


@pytest.mark.slow
def test_labels_outlive_a_folder_that_was_away(app: App, labs: tuple[Path, Path]) -> None:
    here, _ = labs
    dataset_id = opened(app, (here, None))["id"]
    app.label(f"datasets/{dataset_id}", [0, 5], "odd")
    shutil.move(here / "flat", here.parent / "away")
    app.send("POST", f"datasets/{dataset_id}/refresh")
    assert app.wait(dataset_id)["n_label_changes"] == 1
    shutil.move(here.parent / "away", here / "flat")
    app.send("POST", f"datasets/{dataset_id}/refresh")
    dataset = app.wait(dataset_id)
    assert (dataset["n_label_changes"], dataset["classes"][-1]) == (2, {"name": "odd", "n": 2})


def test_a_fault_of_a_new_folder_changes_nothing(app: App, labs: tuple[Path, Path], tmp_path: Path) -> None:
    dataset = opened(app, (labs[0], "Basel"))
    (tmp_path / "empty").mkdir()
    body = {"name": "other", "sources": sources_of((labs[0], None), (tmp_path / "empty", None))}
    assert app.refused("PATCH", f"datasets/{dataset['id']}", body)["status"] == 422
    assert app.get(f"datasets/{dataset['id']}") == dataset


@pytest.mark.slow
@pytest.mark.exhaustive
def test_images_are_added_to_the_samples_and_removed_again(app: App, labs: tuple[Path, Path]) -> None:
    drawn = app.wait(app.send("POST", "samples")["id"])
    samples = Path(drawn["sources"][0]["path"])
    both = changed(app, drawn["id"], (samples, None), (labs[0], None))
    assert both["n_images"] == drawn["n_images"] + 6
    alone = changed(app, drawn["id"], (samples, None))
    assert [alone[key] for key in ("n_images", "groups")] == [drawn[key] for key in ("n_images", "groups")]
    assert [each for each in alone["classes"] if each["n"]] == drawn["classes"]


def test_a_training_gets_the_domains_by_their_names(app: App, labs: tuple[Path, Path]) -> None:
    here, there = labs
    dataset = opened(app, (here, None), (there, None))
    assert training_images(app.home, dataset["id"]).sources == [str(here), str(there)]
    assert counts(changed(app, dataset["id"], (here, "Basel"), (there, "Bern"))) == {"Basel": 6, "Bern": 12}
    (table,) = training_images(app.home, dataset["id"]).sources
    read = open_dataset(table)
    assert [record.domain for record in read.records] == ["Basel"] * 6 + ["Bern"] * 12
    images = app.get(f"lists/{dataset['id']}/rows", limit=100)["items"]
    assert [record.image_id for record in read.records] == [image["image_id"] for image in images]


def test_names_of_domains_are_kept_with_how_images_were_opened(labs: tuple[Path, Path]) -> None:
    data = open_dataset(labs, domains=["Basel", "Bern"])
    assert images_opened(data).opened.domains == ("Basel", "Bern")
    assert [(images.domain, images.root) for images in images_opened(data).data] == [
        ("Basel", str(labs[0])),
        ("Bern", str(labs[1])),
    ]
    with refusing(BadDataset, "unequal-domains", n_domains=1, n_sources=2):
        open_dataset(labs, domains=["Basel"])


@pytest.mark.exhaustive
def test_folders_are_put_together_and_parted_on_pages(
    other_app: Callable[..., RunningApp], other_page: Callable[[RunningApp], "Page"], labs: tuple[Path, Path]
) -> None:
    app = other_app()
    page = other_page(app)
    open_page(page, "/datasets")
    page.get_by_role("button", name="Add images").first.click()
    adding = page.get_by_role("dialog", name="Open labeled images")

    def go_to(*names: str) -> None:
        for name in names:
            adding.get_by_role("listitem").get_by_role("button", name=name, exact=True).click()
        adding.get_by_text("Sub-folders become classes").wait_for()

    go_to("here", "cells")
    adding.get_by_role("button", name="Add this folder to a list").click()
    adding.get_by_label(f"Domain of {labs[0]}").fill("Basel")
    for _ in range(2):
        adding.get_by_role("button", name="Parent folder").click()
    go_to("there", "cells")
    adding.get_by_role("button", name="Add this folder").click()
    check_accessible(page)
    adding.get_by_role("button", name="Open 2 folders as one dataset").click()

    origins = page.get_by_role("region", name="Sources")
    origins.get_by_role("link", name="cells-2").wait_for()
    origins.get_by_role("link", name="Basel").click()
    page.get_by_role("button", name="Remove the filter Domain: Basel").wait_for()
    page.get_by_role("gridcell", name=", class ").nth(5).wait_for()
    page.get_by_role("button", name="Remove the filter Domain: Basel").click()
    page.get_by_role("gridcell", name=", class ").nth(17).wait_for()

    page.get_by_role("link", name="Overview").click()
    origins.get_by_role("button", name="Add, rename or remove folders").click()
    changing = page.get_by_role("dialog", name="Sources")
    changing.get_by_label(f"Domain of {labs[1]}").fill("Bern")
    changing.get_by_role("button", name=f"Remove {labs[0]}").click()
    third = save_cells(labs[0].parent / "cells-3", n=3)
    dataset = f"datasets/{app.get('datasets')['items'][0]['id']}"
    sources = [{"path": str(labs[0]), "domain": "Basel"}, {"path": str(labs[1])}, {"path": str(third)}]
    app.send(dataset, {"sources": sources}, "PATCH")  # by somebody else
    changing.get_by_text("labels that you assigned in the app return").wait_for()
    check_accessible(page)
    changing.get_by_role("button", name="Save").click()
    origins.get_by_text("Bern").first.wait_for()
    origins.get_by_text("Basel").wait_for(state="detached")
    assert [source["path"] for source in app.get(dataset)["sources"]] == [str(labs[1]), str(third)]
