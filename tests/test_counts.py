"""One run whose images have all kinds of oddities: files, commands, reports and pages count the same for each term."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from image_sets import in_jobs
from PIL import Image
from refusing import note_of
from small_workspace import API, QUICK, Json, new_workspace, open_images, predicted_here, trained_here, until

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.cli import main
from coverslip.counts import GroupCount, ImagesInProportions, count_groups, most_frequent_first
from coverslip.datasets.index.records import DECISIONS
from coverslip.events import Event
from coverslip.reports.reported import ReportedRun
from coverslip.runs.folder import Run
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store.workspace import Workspace

pytestmark = pytest.mark.slow

SIDE, N_FIELDS = 32, 14  # pixels of a crop; fields of nine objects
EXCLUDED: Json = {"label": None, "excluded": "unusable"}
COLUMNS = ("path", "field", "object_id", "x", "y", "width", "height", "label", "slide")
# The classifier that is fitted on all images is certain about each.
RECIPE = {**QUICK, "classes.drop": ["rare"], "error_rate": 0.01, "refit_all": False}


def draw_field(file: Path, radii: list[int], rng: np.random.Generator) -> None:
    rows, columns = np.mgrid[: 3 * SIDE, : 3 * SIDE]
    pixels = rng.normal(60, 4, (3 * SIDE, 3 * SIDE))
    for k, radius in enumerate(radii):
        y, x = SIDE * (k // 3) + SIDE // 2, SIDE * (k % 3) + SIDE // 2
        pixels[np.hypot(rows - y, columns - x) < radius] += 120
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)


def draw_crop(file: Path, radius: int, rng: np.random.Generator) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pixels = rng.normal(60, 4, (SIDE, SIDE))
    pixels[np.hypot(rows - SIDE // 2, columns - SIDE // 2) < radius] += 120
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)


def object_rows(name: str, labels: list[str], slide: str) -> list[tuple[object, ...]]:
    boxes = [(SIDE * (k % 3), SIDE * (k // 3)) for k in range(len(labels))]
    return [
        (f"{name}.png", f"{name}.png", k, x, y, SIDE, SIDE, label, slide)
        for k, ((x, y), label) in enumerate(zip(boxes, labels, strict=True))
    ]


def write_objects(folder: Path) -> tuple[Path, Path]:
    """Tables of objects to train on and to predict: of seven slides and of none, unreadable, repeated and strange."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows: list[tuple[object, ...]] = []
    for n in range(N_FIELDS):
        labels = ["small" if k % 2 else "large" for k in range(9)]
        radii = [5 if label == "small" else 11 for label in labels]
        radii[7] = radii[8] = 8  # of different classes, so that the classifier is uncertain about them
        draw_field(folder / f"f{n:02}.png", radii, rng)
        rows += object_rows(f"f{n:02}", labels, f"slide {n // 2}")
    (folder / "broken.png").write_bytes((folder / "f00.png").read_bytes()[:300])
    rows += object_rows("broken", ["small", "large"], "slide 1")
    rows.append(rows[3])  # an image that is listed again
    rows.append((*rows[4][:7], rows[4][7], "slide 6"))  # and again, of another slide
    rows[5] = (*rows[5][:7], "rare", "slide of rare")
    strange = rng.integers(0, 255, (3 * SIDE, 3 * SIDE, 3), dtype=np.uint8)
    Image.fromarray(strange).save(folder / "strange.png")
    singles: list[tuple[object, ...]] = []  # whole images, of no slide
    for k in range(12):
        draw_crop(folder / f"single{k}.png", 5 if k % 2 else 11, rng)
        singles.append((f"single{k}.png", *[""] * 6, "small" if k % 2 else "large", ""))
    for name, listed in (("train", [*rows, *singles]), ("new", [*rows, *object_rows("strange", [""] * 9, "")])):
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(listed)
    return folder / "train.csv", folder / "new.csv"


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: TestClient
    table: Path
    new: Path
    dataset: str
    run_id: str
    prediction: str

    def get(self, path: str, **query: str | int) -> Json:
        answer = self.client.get(f"{API}/{path}", params=query)
        assert answer.status_code == 200, answer.text
        content: Json = answer.json()
        return content

    def rows(self) -> list[Json]:
        return list(self.get(f"lists/{self.prediction}/rows", limit=500)["items"])

    def answer(self, row_id: int, body: Json) -> None:
        answer = self.client.put(f"{API}/lists/{self.prediction}/rows/{row_id}/correction", json=body)
        assert answer.status_code == 200, answer.text

    @property
    def run(self) -> Run:
        return find_job(self.workspace, self.run_id).run


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    table, new = write_objects(workspace.roots[0] / "objects")
    dataset = open_images(workspace, table, group="slide")
    with TestClient(create_app(workspace)) as client:
        rows = client.get(f"{API}/lists/{dataset}/rows", params={"limit": 500}).json()["items"]
        excluded = [
            next(row["row_id"] for row in rows if row["path"].endswith(name)) for name in ("f02.png", "f11.png")
        ]
        answer = client.post(f"{API}/datasets/{dataset}/changes", json={"rows": excluded, "is_excluded": True})
        assert answer.status_code == 200, answer.text
        run = trained_here(workspace, dataset, RECIPE)
        prediction = predicted_here(workspace, run, open_images(workspace, new, is_labeled=False))
        yield Lab(workspace, client, table, new, dataset, run, prediction)


def printed_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Json:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    content: Json = json.loads(capsys.readouterr().out)
    return content


def test_groups_are_counted_by_name_and_images_without_one_beside_them() -> None:
    assert count_groups(["a", "b", "a", "", None, ""]) == GroupCount(2, 3)
    assert count_groups([0, 0, 1]) == GroupCount(2, 0)
    assert count_groups([]).n_units == 0
    assert GroupCount(2, 3).n_units == 5


def test_each_image_counts_once_in_proportions_and_not_if_a_user_excluded_it() -> None:
    images = ImagesInProportions()
    rows = [("a", False), ("b", True), ("a", False), ("b", True), ("c", True)]
    assert [images.add(image, is_excluded=is_excluded) for image, is_excluded in rows] == [True, *[False] * 4]
    assert (images.n_repeated, images.n_excluded) == (2, 2)
    assert list(most_frequent_first({"b": 1, "a": 1, "c": 2})) == ["c", "a", "b"]


def test_a_dataset_has_as_many_images_and_groups_on_its_page_as_in_the_inspection(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = lab.get(f"datasets/{lab.dataset}")
    inspected = printed_json(capsys, "inspect", str(lab.table), "--group", "slide")
    groups = inspected["groups"]
    assert (dataset["n_images"], dataset["n_excluded"], dataset["n_unreadable"]) == (inspected["n_images"], 2, 2)
    n_readable = sum(inspected["classes"].values())
    assert (dataset["n_labeled"], n_readable) == (n_readable - 2, inspected["n_images"] - 2)
    assert dataset["groups"]["n_groups"] == groups["n_groups"] == 8
    assert groups["n_ungrouped"] == 12
    assert groups["groups_per_class"] == {"large": 7, "small": 7, "rare": 1}


def test_a_training_has_the_same_images_and_groups_in_its_preview_its_files_and_its_report(lab: Lab) -> None:
    preview = lab.client.post(
        f"{API}/previews", json={"kind": "split", "dataset_id": lab.dataset, "recipe": RECIPE}
    ).json()
    run, reported = lab.run, ReportedRun(lab.run)
    used = [row for row in run.split if row.split != "excluded"]
    groups = count_groups(row.group for row in used)
    assert preview["used"] == {
        "n": len(used),
        "n_classes": 2,
        "n_groups": groups.n_groups,
        "n_ungrouped": groups.n_ungrouped,
    }
    assert (reported.n_groups, reported.n_ungrouped) == (groups.n_groups, groups.n_ungrouped)
    assert preview["used"]["n"] == sum(each[part] for each in preview["by_class"] for part in ("train", "val", "test"))
    assert preview["used"]["n_classes"] == len(run.metrics.classes) == len(preview["by_class"])
    by_part = {part["part"]: (part["n"], part["n_groups"], part["n_ungrouped"]) for part in preview["parts"]}
    for part in ("train", "val", "test"):
        rows = [row for row in used if row.split == part]
        of_part = count_groups(row.group for row in rows)
        assert by_part[part] == (len(rows), of_part.n_groups, of_part.n_ungrouped)
        assert reported.groups[part] == of_part
    dataset = lab.get(f"datasets/{lab.dataset}")
    assert reported.parts["excluded"] == preview["n_excluded"] == by_part["excluded"][0] + dataset["n_excluded"]
    assert sum(reported.parts.values()) == preview["used"]["n"] + preview["n_excluded"] == dataset["n_images"]


def test_the_test_set_has_the_same_images_and_groups_everywhere(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    tested = [row for row in lab.run.split if row.split == "test"]
    groups = count_groups(row.group for row in tested)
    expected = (len(tested), groups.n_groups, groups.n_ungrouped)
    assert groups.n_groups
    assert groups.n_ungrouped
    metrics = lab.run.metrics
    assert (metrics.n, metrics.n_groups, metrics.n_ungrouped) == expected
    accuracy = metrics["accuracy"]
    assert (accuracy.n_images, accuracy.n_groups) == expected[:2]
    card = lab.get(f"classifiers/{lab.run_id}")
    printed = printed_json(capsys, "evaluate", str(lab.run.folder))
    for content in (printed, card["test"]):
        assert (content["n"], content["n_groups"], content["n_ungrouped"]) == expected
    n_mistakes = lab.get(f"jobs/{lab.run_id}/results")["n_mistakes"]
    assert n_mistakes == sum(row.predicted != row.label for row in lab.run.predictions)
    assert n_mistakes == len(lab.get(f"lists/{lab.run_id}/rows", only="misclassified", limit=500)["items"])
    for name, n in Counter(row.decision for row in lab.run.predictions).items():
        assert len(lab.get(f"lists/{lab.run_id}/rows", decision=name, limit=500)["items"]) == n
    fitted = [row for row in lab.run.split if row.split in ("train", "val")]
    of_fitted = count_groups(row.group for row in fitted)
    assert (card["n_images"], card["n_groups"], card["n_ungrouped"]) == (
        len(fitted),
        of_fitted.n_groups,
        of_fitted.n_ungrouped,
    )


def test_a_prediction_has_the_same_decisions_in_its_lists_fields_and_proportions(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = f"predictions/{lab.prediction}"
    until(lambda: lab.get(in_jobs(at))["state"] == "done")
    state = lab.get(in_jobs(at))
    decisions = Counter[str](state["decisions"])
    assert decisions["unfamiliar"]
    assert decisions["uncertain"]
    assert decisions["unreadable"] == 2
    assert decisions.total() == state["n_done"]
    assert state["n_review"] == sum(decisions[name] for name in ("uncertain", "unfamiliar", "unreadable"))
    for name, n in decisions.items():
        row_ids = lab.client.get(f"{API}/lists/{lab.prediction}/row-ids", params={"decision": name}).content
        assert len(row_ids) == 4 * n
    fields = lab.get(f"lists/{lab.prediction}/fields", limit=100)["items"]
    assert sum(field["n_objects"] for field in fields) == state["n_done"]
    names = (*state["classes"], "uncertain", "unfamiliar", "unreadable")
    in_fields = Counter[str]()
    for field in fields:
        values = lab.get(f"lists/{lab.prediction}/rows/{field['row_id']}/field/labels")["predictions"]
        in_fields.update(names[each] for each in values["decisions"])
    assert in_fields == decisions
    (repeated, _) = [row["row_id"] for row in lab.rows() if row["first_row"] is not None]
    certain = next(row["row_id"] for row in lab.rows() if row["decision"] == "small")
    answers: list[tuple[int, Json]] = [(repeated, EXCLUDED), (certain, EXCLUDED), (certain, {"label": "large"})]
    for k, (row_id, body) in enumerate(answers):
        lab.answer(row_id, body)
        n_excluded = (1, 2, 1)[k]
        sampled = lab.get(f"{at}/samples")
        file = tmp_path / f"{k}.csv"
        file.write_bytes(lab.client.get(f"{API}/{in_jobs(at)}/download/predictions").content)
        events = list[Event]()
        summarised = cs.summarise(file, by="field", emit=events.append)
        printed = printed_json(capsys, "summarise", str(file), "--by", "field")["samples"]
        assert (sampled["n_repeated"], sampled["n_excluded"]) == (2, n_excluded)
        assert note_of(events, "repeated-images-counted-once").parameters["n_images"] == sampled["n_repeated"]
        assert note_of(events, "excluded-images-not-counted").parameters["n_images"] == n_excluded
        assert lab.get(in_jobs(at))["n_excluded"] == n_excluded
        totals = []
        for samples in (sampled["summary"]["samples"], printed, [asdict(each) for each in summarised.samples]):
            keys = ("n", "n_uncertain", "n_unfamiliar", "n_unreadable")
            totals.append({key: sum(sample[key] for sample in samples) for key in keys})
        assert totals[0] == totals[1] == totals[2]
        n_counted = state["n_done"] - sampled["n_repeated"] - n_excluded
        assert totals[0]["n"] + totals[0]["n_unreadable"] == n_counted
        assert totals[0]["n_unreadable"] == decisions["unreadable"]
    for row_id in (repeated, certain):
        lab.answer(row_id, {"label": None})


def test_filters_list_as_many_images_of_a_prediction_as_they_show(lab: Lab) -> None:
    rows = lab.rows()
    (repeated, _) = [row for row in rows if row["first_row"] is not None]
    of_decision = {name: next(row for row in rows if row["decision"] == name) for name in DECISIONS}
    answers: list[tuple[Json, Json]] = [
        (repeated, {"label": "large"}),  # of both rows of the image
        (of_decision["uncertain"], {"label": "small"}),
        (of_decision["unfamiliar"], EXCLUDED),
        (of_decision["unreadable"], EXCLUDED),
    ]
    for row, body in answers:
        lab.answer(row["row_id"], body)
    state = lab.get(f"jobs/{lab.prediction}")
    counts = {only: state[f"n_{only}"] for only in ("review", "corrected")} | {"warning": state["n_warned"]}
    for only, n in counts.items():
        assert len(lab.get(f"lists/{lab.prediction}/rows", only=only, limit=500)["items"]) == n
    assert (state["n_corrected"], state["n_labeled"], state["n_excluded"]) == (5, 2, 2)
    assert len(lab.get(f"lists/{lab.prediction}/rows", only="excluded")["items"]) == 2
    assert sum(state["decisions"].values()) == state["n_done"]
    for name, n in state["decisions"].items():
        assert len(lab.get(f"lists/{lab.prediction}/rows", decision=name, limit=500)["items"]) == n
    undecided = sum(state["decisions"][name] for name in DECISIONS)
    assert state["n_review"] == undecided - 3  # which have an answer
    joined = lab.client.post(f"{API}/predictions/{lab.prediction}/dataset", json={"only": "corrected"}).json()
    until(lambda: lab.get(f"datasets/{joined['id']}")["state"] != "reading")
    assert lab.get(f"datasets/{joined['id']}")["n_images"] == state["n_labeled"]
    for row, _ in answers:
        lab.answer(row["row_id"], {"label": None})
    assert lab.get(f"jobs/{lab.prediction}")["n_corrected"] == 0


def test_a_field_counts_excluded_and_corrected_objects_apart(lab: Lab) -> None:
    rows = [row for row in lab.rows() if row["path"].endswith("f05.png")]
    (first, second, *_) = rows
    lab.answer(first["row_id"], EXCLUDED)
    lab.answer(second["row_id"], {"label": "large"})
    values = lab.get(f"lists/{lab.prediction}/rows/{first['row_id']}/field/labels")
    assert len(values["predictions"]["decisions"]) == len(rows)
    assert values["excluded"] == [0]
    assert [k for k, each in enumerate(values["predictions"]["corrections"]) if each >= 0] == [1]
    for row in (first, second):
        lab.answer(row["row_id"], {"label": None})


def test_a_prediction_counts_the_same_in_the_app_on_the_command_line_and_in_python(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decisions = lab.get(f"jobs/{lab.prediction}")["decisions"]
    out = str(tmp_path / "p.csv")
    printed = printed_json(capsys, "predict", str(lab.run.folder), str(lab.new), "--device", "cpu", "--out", out)
    classifier = cs.load_classifier(lab.run, device="cpu")
    predicted = classifier.predict(lab.new)
    assert printed["decisions"] == decisions == Counter(predicted["decision"])
    with Path(out).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert Counter(row["decision"] for row in rows) == decisions
    assert [row["repeats"] for row in rows] == [row.repeats for row in predicted]
    assert sum(bool(row["repeats"]) for row in rows) == 2
