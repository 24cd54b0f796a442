"""Second readings in the app: drawn images are labeled again by others, compared, and disagreements decided."""

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from drawing import save_cells
from fastapi.testclient import TestClient
from small_workspace import API, Json, new_workspace, open_images, until, write_cells
from tables import downloaded

from coverslip.app.server import create_app
from coverslip.workspace.correcting.draws import draw_images, label_image, reading_agreement
from coverslip.workspace.datasets.sources import change_dataset
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.store.rows import acting_as
from coverslip.workspace.store.workspace import Workspace

ADA, EVE = {"X-Author": "Ada"}, {"X-Author": "Eve"}


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: httpx.Client
    dataset: str

    def send(
        self, method: str, path: str = "", code: int = 200, body: Json | None = None, by: dict[str, str] | None = None
    ) -> Json:
        address = f"{API}/lists/{self.dataset}/draw{path}"
        answer = self.client.request(method, address, json=body, headers=by)
        assert answer.status_code == code, answer.text
        content: Json = {} if code == 204 else answer.json()
        return content

    def label(self, row: int) -> str | None:
        answer: Json = self.client.get(f"{API}/lists/{self.dataset}/rows/{row}").json()
        label: str | None = answer["label"]
        return label

    def decided(self, row: int) -> tuple[str | None, int | None]:
        """The decision about an image, and the change with it."""
        (image,) = (each for each in self.send("GET", "/result")["disagreements"] if each["row_id"] == row)
        return image["decision"] and image["decision"]["label"], image["change"]

    def undo_decision(self, row: int) -> int:
        return self.client.post(f"{API}/changes/{self.decided(row)[1]}/undo").status_code

    def table(self) -> list[dict[str, str]]:
        text = downloaded(self.client.get(f"{API}/datasets/{self.dataset}/download/readings"))
        return list(csv.DictReader(io.StringIO(text)))

    def send_table(self, text: str) -> Json:
        answer = self.client.post(
            f"{API}/lists/{self.dataset}/draw/import",
            content=text.encode(),
            headers={"Content-Type": "application/octet-stream"},
        )
        content: Json = answer.json()
        return content


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path)
    dataset = open_images(workspace, write_cells(tmp_path / "cells", 30), group_pattern=r"slide\d+")
    with TestClient(create_app(workspace)) as client:
        yield Lab(workspace, client, dataset)


def read_all(lab: Lab, n_different: int) -> list[int]:
    """Ada reads all drawn images, the first ones with another class; the row_ids."""
    drawn = lab.send("GET", by=ADA)
    classes, rows = drawn["classes"], [image["row_id"] for image in drawn["images"]]
    for k, row in enumerate(rows):
        at = classes.index(lab.label(row))
        label = classes[(at + (k < n_different)) % len(classes)]
        lab.send("PUT", f"/rows/{row}", body={"label": label}, by=ADA)
    return rows


@pytest.mark.slow
def test_readers_do_not_see_first_labels_and_readings_do_not_change_them(lab: Lab) -> None:
    assert lab.send("GET", by=ADA)["how"] is None
    drawn = lab.send("POST", body={"n": 12}, by=ADA)
    assert (drawn["how"]["n"], drawn["how"]["made_by"], drawn["n_labeled"], drawn["reader"]) == (12, "Ada", 30, "Ada")
    assert all(image.keys() == {"row_id", "label", "excluded", "made", "is_labeled"} for image in drawn["images"])
    before = {image["row_id"]: lab.label(image["row_id"]) for image in drawn["images"]}
    rows = read_all(lab, 3)
    assert {row: lab.label(row) for row in rows} == before
    matched = lab.send("GET", "/result")
    assert [each["decision"] for each in matched["disagreements"]] == [None] * 3
    assert matched["readers"] == {"Ada": 12}
    (pair,) = matched["pairs"]
    assert (pair["first"], pair["second"]) == (None, "Ada")
    assert pair["agreement"]["agreement"]["value"] == 0.75
    assert pair["agreement"]["n_groups"] is not None
    (section,) = matched["sections"]
    table, counts = section["blocks"]
    numbers = [pair["agreement"][name]["value"] for name in ("agreement", "kappa")]
    assert [cell["value"] for cell in table["rows"][0][2:]] == [
        *(pair["agreement"][n] for n in ("n", "n_groups")),
        *numbers,
    ]
    assert [[cell["value"] for cell in row[1:]] for row in counts["rows"]] == pair["agreement"]["counts"]
    assert lab.send("GET", by=EVE)["images"][0]["label"] is None  # another reader has readings of their own
    more = lab.send("POST", body={"n": 1000}, by=ADA)
    assert [image["row_id"] for image in more["images"]][:12] == rows
    assert more["how"]["n"] == len(more["images"]) == 30
    assert lab.send("POST", code=409, body={"n": 1})["code"] == "no-image-to-read"
    lab.send("PUT", f"/rows/{rows[0]}", 422, {"label": "no class"}, ADA)
    assert lab.send("PUT", f"/rows/{rows[0]}", body={"label": None}, by=ADA)["made"] is None
    lab.send("DELETE", code=204)
    assert lab.send("GET", "/result")["pairs"] == []


def test_the_first_author_does_not_read_again(lab: Lab) -> None:
    image = lab.client.get(f"{API}/lists/{lab.dataset}/rows").json()["items"][0]
    changed = {"rows": [image["row_id"]], "label": "medium" if image["label"] != "medium" else "large"}
    assert lab.client.post(f"{API}/datasets/{lab.dataset}/changes", json=changed, headers=ADA).status_code == 200
    drawn = lab.send("POST", body={"n": 30}, by=ADA)
    assert (drawn["n_by_reader"], len(drawn["images"])) == (1, 29)
    refused = lab.send("PUT", f"/rows/{image['row_id']}", 409, {"label": "medium"}, ADA)
    assert refused["code"] == "second-reading-by-first-author"
    lab.send("PUT", f"/rows/{image['row_id']}", body={"label": "medium"}, by=EVE)
    assert lab.send("GET", "/result")["first_authors"] == {"Ada": 1}


def test_a_reader_does_not_see_labels_of_images_that_are_still_to_be_read(lab: Lab) -> None:
    lab.send("POST", body={"n": 10}, by=ADA)
    rows = read_all(lab, 4)
    assert {each["row_id"] for each in lab.send("GET", "/result", by=EVE)["disagreements"]} == set(rows[:4])
    lab.send("PUT", f"/rows/{rows[0]}", body={"label": lab.label(rows[0])}, by=EVE)  # Eve begins to read
    assert [each["row_id"] for each in lab.send("GET", "/result", by=EVE)["disagreements"]] == [rows[0]]
    assert {image["label"] for image in lab.send("GET", by=EVE)["images"]} == {lab.label(rows[0]), None}
    assert lab.send("PUT", f"/rows/{rows[1]}", 422, {"label": None, "excluded": "unusable"}, EVE)["code"] == (
        "blind-label-of-other-class"
    )


def test_a_reader_without_a_name_reads_labels_of_the_folder(lab: Lab) -> None:
    with acting_as(""):
        drawn = draw_images(lab.workspace, lab.dataset, 2)
        assert len(drawn.images) == 2
        row, other = (image.row_id for image in drawn.images)
        label_image(lab.workspace, lab.dataset, row, lab.label(row))
        label_image(lab.workspace, lab.dataset, other, lab.label(other))
        label_image(lab.workspace, lab.dataset, other, None)
    (pair,) = reading_agreement(lab.workspace, lab.dataset).pairs
    assert (pair.first, pair.second, pair.agreement.n) == (None, "", 1)


def test_a_decision_is_the_label_keeps_the_readings_and_can_be_undone(lab: Lab) -> None:
    lab.send("POST", body={"n": 10}, by=ADA)
    read_all(lab, 2)
    agreement = lab.send("GET", "/result")["pairs"]
    image = lab.send("GET", "/result")["disagreements"][0]
    row, first, second = image["row_id"], image["first"]["label"], image["readings"][0]["label"]
    assert lab.send("PUT", f"/decisions/{row}", body={"label": second}, by=EVE)["made_by"] == "Eve"
    assert lab.label(row) == second
    decided = lab.send("GET", "/result")["disagreements"][-1]
    assert (decided["row_id"], decided["first"], decided["readings"]) == (row, image["first"], image["readings"])
    assert decided["decision"]["label"] == second
    assert lab.send("GET", "/result")["pairs"] == agreement  # of the readings, not of the decision
    kinds = [(line["kind"], line["label"], line["author"]) for line in lab.table()]
    assert ("decision", second, "Eve") in kinds

    lab.send("PUT", f"/decisions/{row}", body={"label": first}, by=EVE)  # another decision in its place
    assert lab.label(row) == first
    lab.send("PUT", f"/decisions/{row}", body={"label": second}, by=EVE)
    for label in (first, second, first):  # of the decisions before, and before all of them
        assert lab.undo_decision(row) == 200
        assert lab.label(row) == label
    assert lab.decided(row) == (None, None)
    lab.send("PUT", f"/decisions/{row}", body={"label": second}, by=EVE)
    other = next(name for name in lab.send("GET", by=ADA)["classes"] if name not in (first, second))
    decision = lab.decided(row)[1]
    lab.client.post(f"{API}/datasets/{lab.dataset}/changes", json={"rows": [row], "label": other})
    step = lab.client.post(f"{API}/changes/{decision}/undo").json()
    assert (step["n"], step["n_left"], step["left"]) == (1, 1, [row])  # the decision is gone, the label stays
    assert (lab.label(row), lab.decided(row)) == (other, (None, None))


def test_an_undone_decision_about_an_image_that_left_the_dataset_can_be_redone(lab: Lab, tmp_path: Path) -> None:
    lab.send("POST", body={"n": 10}, by=ADA)
    read_all(lab, 1)
    image = lab.send("GET", "/result")["disagreements"][0]
    lab.send("PUT", f"/decisions/{image['row_id']}", body={"label": image["first"]["label"]}, by=EVE)
    change = lab.decided(image["row_id"])[1]
    assert lab.undo_decision(image["row_id"]) == 200
    lab.send("DELETE", code=204)  # the readings
    write_cells(tmp_path / "others", 12, seed=5)
    change_dataset(lab.workspace, lab.dataset, {"sources": [{"path": str(tmp_path / "others")}]})
    until(lambda: dataset_state(lab.workspace, lab.dataset).state != "reading")
    assert lab.client.post(f"{API}/changes/{change}/redo").json()["n"] == 1


def test_exported_readings_are_imported_again_and_unknown_rows_counted(lab: Lab) -> None:
    lab.send("POST", body={"n": 10}, by=ADA)
    read_all(lab, 4)
    agreement = lab.send("GET", "/result")
    text = downloaded(lab.client.get(f"{API}/datasets/{lab.dataset}/download/readings"))
    assert len(lab.table()) == 40  # 30 labels and 10 readings
    lab.send("DELETE", code=204)
    result = lab.send_table(text + "nowhere,nowhere.png,large,Ada,,reading\n")
    assert (result["n"], result["n_without_author"], result["n_unknown"]) == (10, 30, 1)
    assert result["unknown"] == ["nowhere"]
    assert lab.send("GET", "/result")["pairs"] == agreement["pairs"]
    assert lab.send("GET", by=EVE)["images"] == []  # imported, not drawn
    assert lab.send_table("path,text\na,b\n")["code"] == "readings-without-columns"
    assert lab.send("GET", "/result")["similar_labels"] == []
    read = next(row for row in lab.table() if row["kind"] == "reading" and row["label"] == "large")
    lab.send_table(f"image_id,label,author\n{read['image_id']},Large ,Ada\n")
    assert lab.send("GET", "/result")["similar_labels"] == [["large", "Large"]]


@pytest.mark.slow
def test_a_path_of_several_images_gives_none_of_them_a_reading(lab: Lab, tmp_path: Path) -> None:
    field = next((tmp_path / "cells").rglob("*.png"))
    (table := tmp_path / "objects.csv").write_text(
        f"path,x,y,width,height,label\n{field},0,0,9,9,round\n{field},9,9,9,9,flat\n"
    )
    objects = replace(lab, dataset=open_images(lab.workspace, table))
    result = objects.send_table(f"path,label,author\n{field},flat,Ada\n")
    assert (result["n"], result["n_unknown"], result["unknown"]) == (0, 1, [str(field)])


@pytest.mark.slow
def test_readings_stay_with_their_images_if_a_source_is_added(lab: Lab, tmp_path: Path) -> None:
    lab.send("POST", body={"n": 10}, by=ADA)
    read_all(lab, 2)
    before = lab.send("GET", "/result")
    ids = {line["image_id"] for line in lab.table()}
    write_cells(tmp_path / "others", 12, seed=5)
    sources = [{"path": str(tmp_path / name)} for name in ("cells", "others")]
    change_dataset(lab.workspace, lab.dataset, {"sources": sources})
    until(lambda: dataset_state(lab.workspace, lab.dataset).state != "reading")
    assert not ids & {line["image_id"] for line in lab.table()}  # the second source changes IDs
    after = lab.send("GET", "/result")
    assert after["pairs"][0]["agreement"]["counts"] == before["pairs"][0]["agreement"]["counts"]
    assert len(lab.send("GET", by=ADA)["images"]) == 10


def test_a_reader_has_one_label_for_an_image(lab: Lab) -> None:
    name = lab.table()[0]["image_id"]
    table = f"image_id,label,author\n{name},large,Ada\n{name},large,Ada\n"
    assert lab.send_table(table)["n"] == 1
    assert lab.send_table(table + f"{name},medium,Ada\n")["code"] == "readings-of-one-image"


def test_of_equal_images_one_is_read(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = save_cells(tmp_path / "cells", ("a", "b"), n=3)
    first = next((cells / "a").rglob("*.png"))
    shutil.copy(first, first.with_name("copy.png"))
    drawn = draw_images(workspace, open_images(workspace, cells), 100)
    assert (drawn.n_labeled, len(drawn.images)) == (6, 6)


@pytest.mark.parametrize("how", ["labeled in the gallery", "undone in the history"])
def test_a_decision_counts_while_it_is_the_label_and_can_be_replaced(lab: Lab, how: str) -> None:
    lab.send("POST", body={"n": 10}, by=ADA)
    read_all(lab, 1)
    (image,) = lab.send("GET", "/result")["disagreements"]
    row, first, second = image["row_id"], image["first"]["label"], image["readings"][0]["label"]
    lab.send("PUT", f"/decisions/{row}", body={"label": second}, by=EVE)
    assert lab.decided(row)[0] == second
    dataset = f"{API}/datasets/{lab.dataset}"
    if how == "labeled in the gallery":
        third = next(name for name in lab.send("GET", by=ADA)["classes"] if name not in (first, second))
        lab.client.post(f"{dataset}/changes", json={"rows": [row], "label": third})
    else:
        assert lab.undo_decision(row) == 200
    assert lab.decided(row)[0] is None
    assert "decision" not in {line["kind"] for line in lab.table()}
    lab.send("PUT", f"/decisions/{row}", body={"label": second}, by=EVE)
    assert lab.label(row) == second
    assert lab.decided(row)[0] == second
    before = first if how == "undone in the history" else third
    assert lab.undo_decision(row) == 200
    assert lab.label(row) == before
