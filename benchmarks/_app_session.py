"""The session of the app: everything that a user does with images, by requests; and what a workspace holds."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from _sessions import CLASSES, FINETUNED, GROUPS, QUICK, SAMPLES, App, Refused, is_idle

SEARCH_SECONDS = 5  # without a search for duplicates after which none is expected
EVE, ADA = "Eve", "Ada"


def use_app(app: App, images: Path) -> None:
    """Open, label, train, evaluate, predict, correct, check, compare, export, delete and restore."""
    cells, table = open_datasets(app, images)
    label_images(app, cells)
    second_reading(app, cells)
    inspect_dataset(app, cells)
    view_images(app, cells)
    fields_of_view(app, images)
    run, tuned = train(app, cells)
    evaluate(app, run, images)
    prediction = predict(app, run, tuned, images)
    correct(app, prediction, cells)
    spot_check(app, prediction)
    study(app, cells)
    export(app, run)
    ask_for_faults(app, cells, images)
    delete_and_restore(app, table, run, prediction)


def opened(app: App, name: str, *sources: Path, **how: Any) -> str:
    """Open a dataset and wait until its images are read and its duplicates searched."""
    body = {"sources": [{"path": str(source)} for source in sources], "name": name, **how}
    position = app.counts.position()
    dataset = app.made(f"open {name}", "datasets", body, f"dataset {name}")
    read(app, f"open {name}", dataset)
    app.record.count(f"open {name}: reading", app.counts.since(position), {}, app.pid)
    return dataset


def read(app: App, step: str, dataset: str) -> None:
    """Wait until the images of a dataset are read and its duplicates searched, and record it."""
    wait_for_images(app, dataset)
    app.get(f"{step}: read", f"datasets/{dataset}")


def wait_for_images(app: App, dataset: str) -> None:
    """Wait until the images of a dataset are read and its duplicates searched."""
    app.until(f"datasets/{dataset}", is_idle)
    time.sleep(0.5)  # a request for the inspection during the search can replace its result by an earlier one
    last_search = time.monotonic()

    def is_searched(inspection: Any) -> bool:
        nonlocal last_search
        if inspection.get("is_searching_duplicates"):
            last_search = time.monotonic()
        # A search that stored nothing would be waited for in vain; its result differs then.
        return inspection.get("are_copies_known", True) or time.monotonic() > last_search + SEARCH_SECONDS

    app.until(f"datasets/{dataset}/inspection", is_searched)


def open_datasets(app: App, images: Path) -> tuple[str, str]:
    for name in ("system", "session", "models", "recipe", "finders", "study-presets", "datasets"):
        app.get(f"first: {name}", name)
    app.get("list folders", "folders", path=str(images))
    cells = opened(app, "cells", images / "cells", group_pattern=GROUPS)
    app.ask("preview table", "POST", "previews", {"kind": "table", "path": str(images / "table.csv")})
    table = opened(app, "table", images / "table.csv", group="patient")
    flawed = opened(app, "flawed", images / "flawed")
    app.get("flawed: inspection", f"datasets/{flawed}/inspection")
    for problem in ("unreadable", "duplicate", "conflicting", "problem"):
        app.get(f"flawed: {problem}", f"lists/{flawed}/rows", only=problem)
    upload = app.made("begin upload", "uploads", {"name": "uploaded", "is_labeled": True}, "upload")
    for file in sorted((images / "more").rglob("*.png")):
        name = f"{file.parent.name}/{file.name}"
        app.ask(f"upload {name}", "PUT", f"uploads/{upload}/files/{quote(name, safe='')}", file.read_bytes())
    app.get("upload before its end", f"uploads/{upload}")
    uploaded = app.made("finish upload", f"uploads/{upload}/finish", {}, "dataset uploaded")
    read(app, "finish upload", uploaded)
    app.get("uploaded images", f"lists/{uploaded}/rows")
    app.ask("add a source", "PATCH", f"datasets/{uploaded}", {"name": "Uploaded cells"})
    app.get("list datasets", "datasets")
    return cells, table


def label_images(app: App, cells: str) -> None:
    at = f"datasets/{cells}"
    app.get("all images", f"lists/{cells}/rows", limit=2000)
    rows = app.rows(cells)
    three = [rows[f"slide0_cells{k:03}.png"] for k in (0, 1, 2)]
    change = app.ask("label three images", "POST", f"{at}/changes", {"rows": three, "label": "large"}, author=ADA)
    app.ask("undo labels", "POST", f"changes/{change['change']}/undo")
    app.ask("redo labels", "POST", f"changes/{change['change']}/redo")
    app.ask("remove a label", "POST", f"{at}/changes", {"rows": three[:1], "label": None}, author=EVE)
    some = app.all_of(cells, group="slide1", label="medium")
    app.ask("label by filter", "POST", f"{at}/changes", {**some, "label": "small"})
    app.ask("label by name", "POST", f"{at}/changes", {"images": [f"small/{name(0)}"], "label": "small"})
    app.ask("confirm labels", "POST", f"{at}/changes", {"rows": three[1:], "is_confirmed": True}, author=ADA)
    excluded = app.ask("exclude an image", "POST", f"{at}/changes", {"rows": three[2:], "is_excluded": True})
    app.ask("undo an exclusion", "POST", f"changes/{excluded['change']}/undo")
    some = app.all_of(cells, group="slide9")
    app.ask("exclude by filter", "POST", f"{at}/changes", {**some, "is_excluded": True})
    app.ask(
        "exclude by filter of an earlier list", "POST", f"{at}/changes", {**some, "n_listed": 1, "is_excluded": True}
    )
    for step, query in FILTERS.items():
        app.get(f"images, {step}", f"lists/{cells}/rows", **query)
        app.get(f"rows, {step}", f"lists/{cells}/row-ids", **query)
    app.get("an image", f"lists/{cells}/rows/{three[0]}")
    app.get("download label changes", f"{at}/download/label-changes")
    app.get("download labels", f"{at}/download/labels")


def name(k: int) -> str:
    """Return the file name of a cell."""
    return f"slide{k // 3 % 10}_cells{k:03}.png"


FILTERS: dict[str, dict[str, Any]] = {
    "label": {"label": "large"},
    "no label": {"label": ""},
    "group": {"group": "slide3"},
    "search": {"search": "cells01"},
    "excluded": {"only": "excluded"},
    "changed": {"only": "changed"},
    "confirmed": {"only": "confirmed"},
    "by label": {"sort": "label"},
    "by group": {"sort": "group", "limit": 7},
}


def second_reading(app: App, cells: str) -> None:
    at = f"lists/{cells}/draw"
    app.ask("draw a second reading", "POST", at, {"n": 1000}, author=EVE)
    rows = app.rows(cells)
    for k in range(10, 16):
        label = CLASSES[(k + (k == 12)) % 3]
        path = f"{at}/rows/{rows[name(k)]}"
        app.ask(f"read image {k}", "PUT", path, {"label": label}, author=EVE)
    app.get("agreement", f"{at}/result")
    decision = f"{at}/decisions/{rows[name(12)]}"
    app.ask("decide a disagreement", "PUT", decision, {"label": "small"}, author=ADA)
    imported = f"image_id,label,author\nsmall/{name(15)},small,Grace\nmedium/{name(16)},large,Grace\n"
    app.ask("import readings", "POST", f"{at}/import", imported.encode())
    app.get("download readings", f"datasets/{cells}/download/readings")


def inspect_dataset(app: App, cells: str) -> None:
    at = f"datasets/{cells}"
    wait_for_images(app, cells)
    app.get("inspection", f"{at}/inspection")
    app.get("columns", f"{at}/columns")
    app.get("group suggestions", f"{at}/group-suggestions")
    app.ask("group preview", "POST", "previews", {"kind": "groups", "dataset_id": cells, "pattern": r"slide\d"})
    app.ask("group by another pattern", "PATCH", at, {"group_pattern": r"slide\d(?=_)"})
    read(app, "group by another pattern", cells)
    app.ask("group by slide", "PATCH", at, {"group_pattern": GROUPS})
    read(app, "group by slide", cells)
    app.ask("merge classes", "PATCH", at, {"class_plan": {"rename": {"large": "huge"}}})
    read(app, "merge classes", cells)
    app.ask("restore classes", "PATCH", at, {"class_plan": {}})
    read(app, "restore classes", cells)
    app.ask("split preview", "POST", "previews", {"kind": "split", "dataset_id": cells, "recipe": QUICK})
    app.get("pixel options", f"{at}/pixel-options")
    app.compute("live", "live", cells)
    app.get("least certain images", f"lists/{cells}/rows", sort="certainty")
    app.compute("map", "dataset-map", cells)
    app.get("map points", f"{at}/map-points")
    app.compute("leakage estimate", "leakage-estimate", cells)
    app.get("inspection with features", f"{at}/inspection")


def view_images(app: App, cells: str) -> None:
    at, rows = f"datasets/{cells}", app.rows(cells)
    first = rows[name(0)]
    app.get("class thumbnails", f"{at}/class-thumbnails")
    app.get("colors", f"lists/{cells}/colors")
    app.get("sheet", f"lists/{cells}/sheet", rows=f"{first},{rows[name(1)]}", side=64)
    app.get("thumbnail", f"lists/{cells}/sheet", rows=first, side=64)
    app.get("picture", f"lists/{cells}/rows/{first}/overview")
    app.get("tiles", f"lists/{cells}/rows/{first}/tiles")
    app.get("a tile", f"lists/{cells}/rows/{first}/tiles/0/0/0")


def fields_of_view(app: App, images: Path) -> None:
    fields = opened(app, "fields", images / "fields", is_labeled=False)
    masks = {"source": "masks", "paths": [str(images / "masks")]}
    app.ask("preview masks", "POST", "previews", {"kind": "objects", "dataset_id": fields, **masks})
    app.compute("collect masks", "objects", fields, **masks)
    app.compute("collect points", "objects", fields, source="points", paths=[str(images / "points")], size_px=60)
    state = json.loads(app.send("GET", f"computations/objects/{fields}")[2])
    if not state.get("objects"):
        raise Refused(f"no objects: {state}")
    objects = state["objects"]["dataset_id"]
    read(app, "objects", objects)
    app.get("objects: images", f"lists/{objects}/rows")
    app.get("objects: fields", f"lists/{objects}/fields")
    (row, *_) = app.rows(objects).values()
    app.get("objects: a field", f"lists/{objects}/rows/{row}/field")
    app.get("objects: labels of a field", f"lists/{objects}/rows/{row}/field/labels")
    app.get("objects: outlines of a field", f"lists/{objects}/rows/{row}/field/outlines")
    app.get("objects: tile of a field", f"lists/{objects}/rows/{row}/tiles/0/0/0?whole_field=true")
    row = next(iter(app.rows(fields).values()))
    finder = {"finder": "classical", "finder_settings": {"diameter": 40}}
    of_image = {"kind": "finder", "dataset_id": fields, "row_id": row}
    app.ask("finder preview", "POST", "previews", {**of_image, **finder})


def train(app: App, cells: str) -> tuple[str, str]:
    app.ask("write recipe", "POST", "recipe/write", {"recipe": QUICK})
    app.ask("read recipe", "POST", "recipe/read", {"text": "stage: instant\nimage_size: 32\n"})
    body = {"dataset_id": cells, "recipe": QUICK, "name": "Instant"}
    run = app.job("train", "runs", body, name="training")
    app.get("training: rows", f"lists/{run}/rows", limit=200)
    app.get("training: results", f"jobs/{run}/results")
    for what in ("thresholds", "image-changes", "evaluations"):
        app.get(f"training: {what}", f"runs/{run}/{what}")
    downloads = ("predictions", "confusion-matrix", "recipe", "report", "model-card", "run", "classifier")
    for what in downloads:
        app.get(f"training: download {what}", f"jobs/{run}/download/{what}")
    app.get("training: images of the test set", f"lists/{cells}/rows", run=run, part="test")
    app.ask("rename the training", "PATCH", f"runs/{run}", {"name": "Instant, renamed"})
    app.compute("suspected label errors", "label-errors", run)
    row = json.loads(app.send("GET", f"lists/{run}/rows", limit=1)[2])["items"][0]["row_id"]
    app.ask("correct a label of a test image", "PUT", f"lists/{run}/rows/{row}/correction", {"label": "medium"})
    app.get("training: image changes", f"runs/{run}/image-changes")
    body = {"dataset_id": cells, "recipe": FINETUNED | {"classes.drop": ["medium"]}, "name": "Fine-tuned"}
    tuned = app.job("fine-tune", "runs", body, name="fine-tuned")
    app.get("fine-tuned: thresholds", f"runs/{tuned}/thresholds")
    app.get("fine-tuned: results", f"jobs/{tuned}/results")
    app.ask("decide by ROC", "PUT", f"runs/{tuned}/decision", {"decide_by": "roc"})
    app.get("fine-tuned: results by ROC", f"jobs/{tuned}/results")
    app.get("list trainings", "runs")
    app.get("list classifiers", "classifiers")
    app.get("card", f"classifiers/{run}")
    app.get("rows predicted as large", f"lists/{run}/rows", predicted="large")
    app.get("comparison", f"comparison?run_id={run}&run_id={tuned}")
    return run, tuned


def evaluate(app: App, run: str, images: Path) -> None:
    external = opened(app, "external", images / "external", group_pattern=GROUPS)
    of_evaluation = {"kind": "evaluation", "run_id": run, "dataset_id": external}
    app.ask("preview of an evaluation", "POST", "previews", of_evaluation)
    body = {"dataset_id": external, "name": "External"}
    evaluation = app.job("evaluate", f"runs/{run}/evaluations", body, name="evaluation")
    app.get("evaluation: rows", f"lists/{evaluation}/rows", limit=200)
    app.get("evaluation: results", f"jobs/{evaluation}/results")
    for what in ("report", "download/predictions", "download/confusion-matrix"):
        app.get(f"evaluation: {what}", f"jobs/{evaluation}/{what}")


def predict(app: App, run: str, tuned: str, images: Path) -> str:
    new = opened(app, "new", images / "new", is_labeled=False)
    body = {"classifier_id": run, "dataset_id": new, "name": "New images"}
    prediction = app.job("predict", "predictions", body, name="prediction")
    app.get("prediction: rows", f"lists/{prediction}/rows", limit=200)
    app.get("prediction: uncertain rows", f"lists/{prediction}/rows", only="review")
    app.get("prediction: by probability", f"lists/{prediction}/rows", sort="probability", limit=5)
    app.get("prediction: predictions.csv", f"jobs/{prediction}/download/predictions")
    of_table: dict[str, Any] = {
        "classifier_id": tuned,
        "sources": [str(images / "table.csv")],
        "prevalence": {"small": 0.6},
    }
    app.job("predict a table", "predictions", of_table, name="prediction of a table")
    row = json.loads(app.send("GET", f"lists/{prediction}/rows", limit=1)[2])["items"][0]["row_id"]
    app.get("prediction: picture", f"lists/{prediction}/rows/{row}/overview")
    return prediction


def correct(app: App, prediction: str, cells: str) -> None:
    at = f"predictions/{prediction}"
    items = json.loads(app.send("GET", f"lists/{prediction}/rows", limit=200)[2])["items"]
    for k, label in enumerate(("small", "large", "medium")):
        row = items[3 * k]["row_id"]
        app.ask(
            f"correct prediction {k}", "PUT", f"lists/{prediction}/rows/{row}/correction", {"label": label}, author=ADA
        )
    unusable = {"label": None, "excluded": "unusable"}
    app.ask("mark as unusable", "PUT", f"lists/{prediction}/rows/{items[1]['row_id']}/correction", unusable, author=EVE)
    app.get("corrected rows", f"lists/{prediction}/rows", only="corrected")
    app.get("corrected predictions.csv", f"jobs/{prediction}/download/predictions")
    of_join = {"kind": "join", "prediction_id": prediction, "dataset_id": cells}
    app.ask("preview of joining", "POST", "previews", of_join)
    joined = app.ask("join corrections", "POST", f"{at}/join", {"dataset_id": cells})
    read(app, "join corrections", cells)
    app.ask("undo joining", "POST", f"changes/{joined['change']}/undo")
    read(app, "undo joining", cells)
    made = app.made("dataset of corrections", f"{at}/dataset", {"only": "corrected"}, "dataset of corrections")
    read(app, "dataset of corrections", made)


def spot_check(app: App, prediction: str) -> None:
    at, draw = f"predictions/{prediction}", f"lists/{prediction}/draw"
    app.get("proportions by folder", f"{at}/samples")
    sampling = {"conditions": {sample: sample.partition("/")[0] for sample in SAMPLES}}
    app.ask("proportions by condition", "PUT", f"{at}/samples", sampling)
    app.get("proportions of conditions", f"{at}/samples")
    for what in ("samples", "samples-prism", "samples-report"):
        app.get(f"proportions: {what}", f"jobs/{prediction}/download/{what}")
    of_labels = {"kind": "labels-needed", "prediction_id": prediction, "half_width": 0.2}
    app.ask("labels that a spot check needs", "POST", "previews", of_labels)
    drawn = app.ask("draw a spot check", "POST", draw, {"n": 10 * len(SAMPLES)})  # all, since they are drawn at random
    items = json.loads(app.send("GET", f"lists/{prediction}/rows", limit=200)[2])["items"]
    predicted = {item["row_id"]: item["predicted"] for item in items}
    for k, row in enumerate(sorted(image["row_id"] for image in drawn["images"])):
        label = predicted[row] if k % 5 else CLASSES[(CLASSES.index(predicted[row]) + 1) % 3]
        path = f"{draw}/rows/{row}"
        if k in (0, 1):
            app.ask(f"label spot check {k}", "PUT", path, {"label": label}, author=ADA)
        else:
            app.send("PUT", path, {"label": label}, author=ADA)
    app.get("spot check", draw)
    app.get("result of the spot check", f"{draw}/result")
    app.get("download spot check", f"jobs/{prediction}/download/spot-check")
    app.ask("corrections of the spot check", "PUT", f"{draw}/corrections")
    app.get("rows after the spot check", f"lists/{prediction}/rows", limit=200)


def study(app: App, cells: str) -> None:
    request = {"dataset_ids": [cells], "networks": ["efficientnet_lite0"], "initial_weights": ["frozen", "imagenet"]}
    preview = app.ask("study preview", "POST", "previews", {"kind": "study", **request})
    recipe = {key: value for key, value in QUICK.items() if not key.startswith("split.")}
    datasets = preview["plan_text"].partition("models:")[0]
    choices = {"models": ["efficientnet_lite0"], "train_per_class": [8, None], "folds": 0, "recipe": recipe}
    plan = "\n".join([datasets.rstrip(), *(f"{key}: {json.dumps(value)}" for key, value in choices.items())])
    body = {**request, "plan": plan, "name": "Study"}
    study_id = app.job("study", "studies", body, name="study")
    app.get("study: prediction times", f"computations/study-analysis/{study_id}.latency")
    for what in ("results", "download/results", "report"):
        app.get(f"study: {what}", f"jobs/{study_id}/{what}")


def export(app: App, run: str) -> None:
    body = {"to": "onnx"}
    exported = app.job("export", f"runs/{run}/exports", body, name="export")
    app.get("export: download", f"jobs/{exported}/download/export")
    _, _, archive = app.send("GET", f"jobs/{run}/download/classifier")
    app.ask("import a classifier", "POST", "classifiers", archive, name="imported", author=None)


def ask_for_faults(app: App, cells: str, images: Path) -> None:
    missing = {"sources": [{"path": str(images / "missing")}]}
    app.ask("fault: missing folder", "POST", "datasets", missing)
    app.ask("fault: outside", "POST", "datasets", {"sources": [{"path": "/etc"}]})
    app.ask("fault: unknown dataset", "GET", "datasets/none")
    app.ask("fault: unknown key", "POST", "runs", {"dataset_id": cells, "recipe": {"epoch": 3}})
    app.ask("fault: unknown row", "GET", f"lists/{cells}/rows/999999")
    app.ask("fault: empty body", "POST", f"datasets/{cells}/changes", {})


def delete_and_restore(app: App, table: str, run: str, prediction: str) -> None:
    paths = {"dataset": f"datasets/{table}", "prediction": f"jobs/{prediction}", "training": f"jobs/{run}"}
    for name, path in paths.items():
        time.sleep(1.1)  # the order in the trash depends on the second
        app.ask(f"delete {name}", "DELETE", path)
        app.get(f"deleted {name}", path)
    app.get("trash", "trash")
    for name, path in reversed(paths.items()):
        app.ask(f"restore {name}", "POST", f"{path}/restore")
        app.get(f"restored {name}", path)
    app.get("trash after restoring", "trash")
    app.get("list jobs", "jobs", limit=200)


def ask_workspace(app: App) -> None:
    """Ask for all that a workspace holds: labels, corrections, readings and results, with their counts."""

    def listed(kind: str) -> Sequence[dict[str, Any]]:
        items: Sequence[dict[str, Any]] = app.get(f"workspace: {kind}", kind, limit=200)["items"]
        return items

    for k, dataset in enumerate(listed("datasets")):
        at, title = f"datasets/{dataset['id']}", f"workspace: dataset {k}, {dataset['name']}"
        wait_for_images(app, dataset["id"])
        app.get(f"{title}: images", f"lists/{dataset['id']}/rows", limit=2000)
        for what in ("download/label-changes", "download/labels", "inspection"):
            app.get(f"{title}: {what}", f"{at}/{what}")
        for what in ("objects", "live"):
            app.get(f"{title}: {what}", f"computations/{what}/{dataset['id']}")
        app.get(f"{title}: readings", f"{at}/download/readings")
        app.get(f"{title}: agreement", f"lists/{dataset['id']}/draw/result")
    for k, run in enumerate(listed("runs")):
        title = f"workspace: training {k}, {run['name']}"
        app.get(f"{title}: rows", f"lists/{run['id']}/rows")
        app.get(f"{title}: results", f"jobs/{run['id']}/results")
        for what in ("evaluations", "exports"):
            app.get(f"{title}: {what}", f"runs/{run['id']}/{what}")
        app.get(f"{title}: label errors", f"computations/label-errors/{run['id']}")
        for evaluation in app.send_json("GET", f"runs/{run['id']}/evaluations")["items"]:
            title = f"workspace: evaluation {evaluation['name']}"
            app.get(f"{title}: results", f"jobs/{evaluation['id']}/results")
            app.get(f"{title}: rows", f"lists/{evaluation['id']}/rows", limit=200)
    for k, prediction in enumerate(listed("predictions")):
        at, title = f"predictions/{prediction['id']}", f"workspace: prediction {k}, {prediction['name']}"
        app.get(f"{title}: rows", f"lists/{prediction['id']}/rows", limit=200)
        app.get(f"{title}: predictions.csv", f"jobs/{prediction['id']}/download/predictions")
        app.get(f"{title}: samples", f"{at}/samples")
        for what in ("draw", "draw/result"):
            app.get(f"{title}: {what}", f"lists/{prediction['id']}/{what}")
    for each in listed("studies"):
        app.get(f"workspace: study {each['name']}", f"jobs/{each['id']}")
        app.get(f"workspace: study {each['name']}: results", f"jobs/{each['id']}/results")
    for kind in ("classifiers", "jobs", "trash"):
        listed(kind)
