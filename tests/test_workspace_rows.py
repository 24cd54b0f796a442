"""Images are addressed by numbers that stay, listed in pages and as a whole, and changed by filters."""

from pathlib import Path

import pytest
from drawing import save_cell, save_cells
from image_sets import App, in_lists, workspace_in


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return save_cells(tmp_path / "cells", ("a", "b"), n=5)


def row_by_path(app: App, where: str) -> dict[str, int]:
    listed = app.get(f"{in_lists(where)}/rows", limit=100)["items"]
    return {Path(image["path"]).name: image["row_id"] for image in listed}


@pytest.mark.slow
def test_an_image_keeps_its_number_and_no_other_image_gets_it(app: App, cells: Path, tmp_path: Path) -> None:
    where = f"datasets/{app.open(cells / 'a', is_labeled=False)['id']}"
    before = row_by_path(app, where)
    change = app.label(where, [3], "odd")["change"]
    save_cell(cells / "a" / "0 first.png", 500)
    (cells / "a" / "slide1_1.png").unlink()
    app.send("POST", f"{where}/refresh")
    app.wait(where.removeprefix("datasets/"))
    after = row_by_path(app, where)
    gone = before.pop("slide1_1.png")
    new = after.pop("0 first.png")
    assert after == before
    assert new not in {*before.values(), gone}
    (relabeled,) = app.undo(change)["rows"]
    assert relabeled == before["slide1_4.png"]

    sources = [{"path": str(cells / name)} for name in ("b", "a")]
    app.send("PATCH", where, {"sources": sources})
    app.wait(where.removeprefix("datasets/"))
    listed = app.get(f"{in_lists(where)}/rows")["items"]
    name_of = {image["row_id"]: Path(image["path"]).name for image in listed}
    assert {name_of.get(row): row for row in (*after.values(), new)} == {**after, "0 first.png": new}
    both = [image["row_id"] for image in listed]
    assert len(set(both)) == 10

    app.send("POST", f"{where}/refresh")
    other = f"datasets/{app.open(cells / 'b', is_labeled=False)['id']}"
    assert not {*app.rows(other)} & {*both, gone}
    assert app.refused("GET", f"{in_lists(other)}/rows/{new}")["code"] == "no-image-with-row-id"


@pytest.mark.parametrize("query", [{}, {"label": "b"}, {"sort": "label"}, {"sort": "group"}, {"search": "slide0"}])
def test_pages_after_an_image_are_those_of_the_whole_list(app: App, cells: Path, query: dict[str, str]) -> None:
    dataset = app.open(cells, group_pattern="slide[01]")  # images of slide2 are in no group
    where = f"datasets/{dataset['id']}"
    app.label(where, [2, 7], None)
    rows = app.rows(where, **query)
    listed: list[int] = []
    after: dict[str, int] = {}
    while True:
        page = app.get(f"{in_lists(where)}/rows", limit=2, **query, **after)
        listed += [image["row_id"] for image in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert listed == rows
    assert app.refused("GET", f"{in_lists(where)}/rows?after=4000000")["status"] == 404


def test_images_are_listed_by_number_in_the_order_of_the_request(app: App, cells: Path) -> None:
    where = f"datasets/{app.open(cells)['id']}"
    rows = app.rows(where)
    page = app.get(f"{in_lists(where)}/rows", rows=f"{rows[3]},{rows[0]},4000000,{rows[9]}")
    assert ([image["row_id"] for image in page["items"]], page["next"]) == ([rows[3], rows[0], rows[9]], None)
    for query in (f"rows={rows[0]}&label=a", f"rows={rows[0]}&limit=1", "rows=", "rows=a", f"rows={'1,' * 256}1"):
        assert app.refused("GET", f"{in_lists(where)}/rows?{query}")["status"] == 422


def test_a_list_is_sent_again_only_after_a_change(app: App, cells: Path) -> None:
    where = f"datasets/{app.open(cells)['id']}"

    def status(query: str, tag: str) -> int:
        return app.client.get(f"/api/v1/{in_lists(where)}/row-ids?{query}", headers={"If-None-Match": tag}).status_code

    tags = {
        query: app.client.get(f"/api/v1/{in_lists(where)}/row-ids?{query}").headers["etag"]
        for query in ("label=a", "search=1")
    }
    assert [status(query, tag) for query, tag in tags.items()] == [304, 304]
    assert status("label=b", tags["label=a"]) == 200
    tags["only=confirmed"] = app.client.get(f"/api/v1/{in_lists(where)}/row-ids?only=confirmed").headers["etag"]
    assert status("only=confirmed", tags["only=confirmed"]) == 304
    app.send("POST", f"{where}/changes", {**app.all_of(where, label="a"), "is_confirmed": True})
    assert status("only=confirmed", tags["only=confirmed"]) == 200
    app.label(where, [0], "b")
    assert status("label=a", tags["label=a"]) == 200


def test_changes_apply_to_all_images_that_match(app: App, cells: Path) -> None:
    where = f"datasets/{app.open(cells)['id']}"
    before = app.get(where)
    rows = app.rows(where, label="a")
    body = {**app.all_of(where, label="a"), "except_rows": [rows[1]], "label": "new"}
    changed = app.send("POST", f"{where}/changes", body)
    assert changed["n"] == 4
    assert app.rows(where, label="a") == [rows[1]]
    undone = app.undo(changed["change"])
    assert (undone["n"], undone["rows"]) == (4, [rows[0], *rows[2:]])
    assert {each["name"]: each["n"] for each in undone["dataset"]["classes"]} == {"a": 5, "b": 5, "new": 0}

    excluded = app.send("POST", f"{where}/changes", {**app.all_of(where, search="slide1"), "is_excluded": True})
    assert excluded["n"] == len(app.rows(where, only="excluded")) == excluded["dataset"]["n_excluded"] == 4
    assert not set(excluded["dataset"]["thumbnail_images"]) & set(app.rows(where, only="excluded"))
    assert app.undo(excluded["change"])["n"] == 4
    after = app.get(where)
    assert {key: after[key] for key in ("n_labeled", "n_excluded", "n_label_changes", "thumbnail_images")} == {
        key: before[key] for key in ("n_labeled", "n_excluded", "n_label_changes", "thumbnail_images")
    }
    assert app.send("POST", f"{where}/changes", {**app.all_of(where, label="none"), "label": "b"})["change"] is None


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"rows": [1], "filters": {}},
        {"rows": []},
        {"images": ["x"], "except_rows": [1]},
        {"filters": {"only": "no"}},
        {"rows": [1], "n_listed": 1},
        {"filters": {}, "n_listed": 1, "digest": "A"},
    ],
)
def test_a_change_names_its_images_in_one_way(app: App, cells: Path, selection: dict[str, object]) -> None:
    where = f"datasets/{app.open(cells)['id']}"
    assert app.refused("POST", f"{where}/changes", {**selection, "label": "x"})["status"] == 422


def test_a_request_changes_one_thing_of_the_images(app: App, cells: Path) -> None:
    where = f"datasets/{app.open(cells)['id']}"
    rows = app.rows(where, label="a")[:1]
    bodies: tuple[dict[str, object], ...] = ({}, {"label": "b", "is_excluded": True}, {"is_excluded": None})
    for body in bodies:
        assert app.refused("POST", f"{where}/changes", {"rows": rows, **body})["status"] == 422
    assert app.rows(where, only="excluded") == []


@pytest.mark.parametrize(
    "change",
    [{"label": "x"}, {"is_excluded": True}, {"is_confirmed": True}],
)
def test_a_change_by_filters_is_refused_unless_the_images_are_those_of_the_list(
    app: App, cells: Path, change: dict[str, object]
) -> None:
    where = f"datasets/{app.open(cells)['id']}"
    listed, sorted_list = app.all_of(where, label="a"), app.all_of(where, label="a", sort="label")
    assert listed["digest"] == sorted_list["digest"]  # the same images in any order
    for part in ({}, {"n_listed": 5}, {"digest": listed["digest"]}):
        missing = app.refused("POST", f"{where}/changes", {"filters": {"label": "a"}, **part, **change})
        assert (missing["status"], missing["code"]) == (428, "filters-without-list"), part
    app.label(where, [0, 5], "b")  # one image leaves the list
    before = app.get(where), app.rows(where, only="confirmed")
    fewer = app.refused("POST", f"{where}/changes", {**listed, **change})
    assert (fewer["status"], fewer["code"]) == (412, "other-images-match")
    assert fewer["parameters"] == {"n_listed": 5, "n_matching": 4}
    app.label(where, [6], "a")  # another image takes its place
    others = app.refused("POST", f"{where}/changes", {**listed, **change})
    assert (others["status"], others["parameters"]) == (412, {"n_listed": 5, "n_matching": 5})
    app.label(where, [6], "b")
    after = app.get(where), app.rows(where, only="confirmed")
    assert {**after[0], "revision": 0} == {**before[0], "revision": 0}
    assert after[1] == before[1]
    app.send("POST", f"{where}/changes", {**app.all_of(where, label="a"), **change})


def test_labels_do_not_move_to_other_images_of_the_same_names(app: App, tmp_path: Path) -> None:
    for seed, day in ((0, "monday"), (100, "tuesday")):
        for k in range(3):
            save_cell(tmp_path / day / f"{k}.png", seed + k)
    dataset = app.open(tmp_path / "monday", is_labeled=False)["id"]
    app.label(f"datasets/{dataset}", [0], "odd")
    for day, expected in (("tuesday", [None, None, None]), ("monday", ["odd", None, None])):
        app.send("PATCH", f"datasets/{dataset}", {"sources": [{"path": str(tmp_path / day)}]})
        app.wait(dataset)
        assert [image["label"] for image in app.get(f"lists/{dataset}/rows")["items"]] == expected
