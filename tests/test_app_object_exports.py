"""Exports of predicted objects in the app: several tables, answers of users, and objects without a class."""

import json
from pathlib import Path, PurePath

import pytest
from image_sets import App, workspace_in
from PIL import Image
from prediction_tables import write_predictions
from refusing import refusing

from coverslip.errors import CoverslipError
from coverslip.events import Event, Noted
from coverslip.images.reader import ReadPlan
from coverslip.messages import Note
from coverslip.runs.predictions import Prediction
from coverslip.workspace.jobs.process import write_request
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.predictions.state import PREDICTION, ObjectExport, write_objects

CLASSES = ("round", "flat")
REGION = (5, 3, 8, 8)


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


def table_of(folder: Path, field: str, n: int) -> Path:
    """A table of n objects with the same box in a field."""
    folder.mkdir()
    Image.new("L", (60, 40)).save(folder / field)
    rows = [f"{field}#{k},{field},{field},{k},{','.join(map(str, REGION))}" for k in range(1, n + 1)]
    table = folder / "objects.csv"
    table.write_text("\n".join(["image_id,path,field,object_id,x,y,width,height", *rows]) + "\n")
    return table


def predicted(app: App, tables: list[Path], domains: list[str | None], image_ids: list[str]) -> str:
    """The ID of a prediction, written instead of made; the last object is unreadable, the others are round."""
    folder = app.home.predictions / "monday"
    folders = [tables[k * len(tables) // len(image_ids)].parent for k in range(len(image_ids))]
    names = [PurePath(each.partition("#")[0]).name for each in image_ids]
    paths = [str(folder / name) for folder, name in zip(folders, names, strict=True)]
    of_images = zip(image_ids[:-1], paths[:-1], strict=True)
    rows = [Prediction(each, path, None, "round", 0.9, "round", (0.9, 0.1)) for each, path in of_images]
    rows.append(Prediction(image_ids[-1], paths[-1], None, None, None, "unreadable", ()))
    plan = ReadPlan(region=REGION)
    write_predictions(folder, CLASSES, [(row, plan) for row in rows], {1: 0})
    sources = list(map(str, tables))
    write_request(app.home, PREDICTION, folder, {"sources": sources, "domains": domains})
    add_job(
        app.home,
        id="monday",
        kind="predict",
        name="Monday",
        dataset_name="new",
        classifier_id="none",
        folder=str(folder),
        command=[],
        choices={"sources": sources, "classes": list(CLASSES), "classifier_name": "None", "prevalence": {}},
        state="ended",
        queued=None,
    )
    return "monday"


def exported(app: App, prediction: str, to: str) -> tuple[list[Path], list[Note]]:
    notes: list[Note] = []

    def keep(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.note)

    return write_objects(app.home, prediction, ObjectExport.model_validate({"to": to}), keep), notes


@pytest.mark.parametrize(
    ("domains", "names"),
    [
        (["x", "y"], ("x/a.png", "y/a.png")),
        ([None, "north"], ("x/a.png", "north/a.png")),
        ([None] * 2, ("a.png", "b.png")),
        ([None] * 2, ("a.png", "a.png")),
    ],
)
def test_objects_of_several_tables_have_their_classes(
    domains: list[str | None], names: tuple[str, str], app: App, tmp_path: Path
) -> None:
    tables = [table_of(tmp_path / folder, Path(name).name, 2) for folder, name in zip("xy", names, strict=True)]
    image_ids = [f"{name}#{k}" for name in names for k in (1, 2)]
    if len(set(names)) == 1:  # as `open_dataset` names them
        image_ids = [f"{each} ({'xy'[k // 2]}/a.png#box=2,3,4,5)" for k, each in enumerate(image_ids)]
    prediction = predicted(app, tables, domains, image_ids)
    files, notes = exported(app, prediction, "cellprofiler")
    assert [file.read_text().splitlines()[1:] for file in files] == [
        [
            f"1,{k},{Path(name).name},{tmp_path / folder},8.500,6.500,{cells}"
            for k, cells in zip((1, 2), of_table, strict=True)
        ]
        for folder, name, of_table in zip(
            "xy", names, (["round,0.900000,round"] * 2, ["round,0.900000,round", ",,unreadable"]), strict=True
        )
    ]
    assert notes == []


def test_objects_without_prediction_are_noted_and_predictions_of_other_objects_refused(
    app: App, tmp_path: Path
) -> None:
    table = table_of(tmp_path / "x", "a.png", 3)
    prediction = predicted(app, [table], [None], ["a.png#1", "a.png#7", "b.png#1"])
    _, notes = exported(app, prediction, "cellprofiler")
    assert [(each.code, each.parameters) for each in notes] == [
        ("predictions-without-object", {"n_predictions": 2}),
        ("objects-without-prediction", {"n_objects": 2}),
    ]
    table.write_text(table.read_text().replace("a.png,1,", "a.png,9,"))
    with refusing(CoverslipError, "predictions-of-other-objects"):
        exported(app, prediction, "cellprofiler")


def test_answers_of_users_replace_class_probability_and_decision(app: App, tmp_path: Path) -> None:
    table = table_of(tmp_path / "x", "a.png", 4)
    prediction = predicted(app, [table], [None], [f"a.png#{k}" for k in range(1, 5)])
    answers = ({"label": "flat"}, {"label": "oval"}, {"label": None, "excluded": "unusable"})
    for row, answer in zip((0, 2, 3), answers, strict=True):
        app.send("PUT", f"lists/{prediction}/rows/{row}/correction", answer)
    (file,), notes = exported(app, prediction, "cellprofiler")
    cells = [line.split(",")[6:] for line in file.read_text().splitlines()[1:]]
    assert cells == [["flat", "0.100000", "flat"]] * 2 + [["oval", "", "oval"], ["", "", ""]]
    assert notes == []
    for to in ("coco", "rois", "geojson"):
        (file,), _ = exported(app, prediction, to)
    properties = [feature["properties"] for feature in json.loads(file.read_text())["features"]]
    assert [each.get("measurements") for each in properties] == [{"probability": 0.1}] * 2 + [None, None]
    assert properties[2]["classification"]["name"] == "oval"
