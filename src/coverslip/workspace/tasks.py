"""The tasks of worker processes: checks, audits, distances, objects, label errors, explanations, studies, predictions.

`coverslip.workspace.workers` runs them by name. They need libraries that the server does not load, or memory that the
server would not release. Each task imports what it needs, because its process does nothing else.
"""

import base64
import importlib
import json
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.counts import count_groups
from coverslip.datasets import Dataset, list_finders, open_image_file
from coverslip.datasets.tables.reading import is_table
from coverslip.errors import CoverslipError
from coverslip.events import Emit, Event, Noted
from coverslip.images import PLAN_COLUMNS, ReadPlan
from coverslip.messages import Note, in_language
from coverslip.processes import Json

if TYPE_CHECKING:
    import numpy as np

    from coverslip.inference import Classifier
    from coverslip.objects import FieldNames
    from coverslip.runs import Prediction
    from coverslip.workspace.store.rows import AnyRow
    from coverslip.workspace.store.workspace import Workspace

_NICE = 5  # of computations for pages: requests of the server go first
_N_NEAREST, _TILES_PER_ROW = 4, 2  # there is space for two next to a picture


def check(request: Json, emit: Emit) -> Json:
    """Search a dataset that was read for near-duplicates, and check its image quality. The cache stores the results.

    Raises:
        CoverslipError: the dataset does not exist any more.
    """
    from coverslip.workspace.datasets.inspections import fill_check_cache

    fill_check_cache(_workspace(request), request["dataset_id"], emit)
    return {}


def compute(request: Json, _: Emit) -> Json:
    """Return what `Workspace.compute` asks for: the result of a function of a workspace, in a language.

    The result is empty if a program registered finders in the server only.

    Raises:
        CoverslipError: the function raises it.
    """
    from pydantic_core import to_jsonable_python

    from coverslip.workspace.store.database import waiting_briefly

    _lower_priority()
    module, _, name = request["function"].partition(":")
    function = getattr(importlib.import_module(module), name)
    if request["finders"] != [finder.code for finder in list_finders()]:
        return {}
    workspace = _cached_workspace(json.dumps(request["workspace"]))
    engine = workspace.engine
    try:
        with in_language(request["language"]), waiting_briefly():
            return {"of": to_jsonable_python(function(workspace, **request["arguments"]))}
    finally:
        engine.dispose()  # so that the file can be removed with its project


@lru_cache(maxsize=64)
def _cached_workspace(workspace: str) -> "Workspace":
    return _workspace({"workspace": json.loads(workspace)})


@lru_cache(maxsize=1)
def _lower_priority() -> None:
    if sys.platform != "win32":
        os.nice(_NICE)


def audit(request: Json, emit: Emit) -> Json:
    """Search near-duplicates, unless this is done, and audit a dataset for leakage. The cache stores the results.

    Raises:
        CoverslipError: the audit is not possible.
    """
    from coverslip.audit import with_near_duplicates
    from coverslip.experiments.leakage_audit import audit_leakage
    from coverslip.runs import Recipe
    from coverslip.workspace.store.database import read_transaction
    from coverslip.workspace.store.rows import dataset_row, load_as_trained, load_scan

    workspace, dataset_id = _workspace(request), request["dataset_id"]
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
    about = _further_cells(workspace, row)
    data = replace(data, records=tuple(replace(r, about=about.get(r.image_id, ())) for r in data.records))
    audit_leakage(data, with_near_duplicates(data, scan, emit=emit), Recipe(), emit=emit)
    return {}


def _further_cells(workspace: "Workspace", row: "AnyRow") -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the further table cells of images by ID; empty if the tables do not exist any more."""
    from coverslip.workspace.datasets.sources import reopen_sources
    from coverslip.workspace.store.rows import source_paths

    if not any(is_table(Path(source)) for source in source_paths(row)):
        return {}
    with suppress(CoverslipError):
        opened = reopen_sources(workspace, row, row.group_column, row.group_pattern)
        return {record.image_id: record.about for record in opened.records}
    return {}


def measure_distances(request: Json, emit: Emit) -> Json:
    """Return the distances between the feature distributions of datasets.

    Raises:
        CoverslipError: they cannot be measured.
    """
    from coverslip.audit.distance import distance
    from coverslip.workspace.store.database import read_transaction
    from coverslip.workspace.store.rows import dataset_row, load_dataset

    with read_transaction(_workspace(request).engine) as connection:
        names = [dataset_row(connection, each).name for each in request["datasets"]]
        datasets = [load_dataset(connection, each) for each in request["datasets"]]
    return asdict(distance(datasets, names=names, emit=emit))


def suggest_images(request: Json, emit: Emit) -> Json:
    """Return `n` images of a dataset to label next, and the images of its reserved test set.

    Raises:
        CoverslipError: there is no image without a label, or the images cannot be read.
    """
    from coverslip.audit.suggesting import reserved, still_reserved, suggest_among
    from coverslip.workspace.store.database import read_transaction
    from coverslip.workspace.store.rows import load_dataset, reserved_ids

    with read_transaction(_workspace(request).engine) as connection:
        data = load_dataset(connection, request["dataset_id"], with_reserved=False)
        before = reserved_ids(connection, request["dataset_id"])
    is_reserved = still_reserved(data, reserved(data), before)
    suggested = suggest_among(data, is_reserved, n=request["n"], emit=emit)
    return {
        "suggestions": [
            {"image_id": each.image_id, "rank": each.rank, "score": each.score, "reason": each.reason}
            for each in suggested.suggestions
        ],
        "reserved": list(suggested.reserved_test),
    }


def draw_map(request: Json, emit: Emit) -> Json:
    """Return the places of the images of a dataset on its map, and their clusters, as base64.

    Raises:
        CoverslipError: there are too few images, or they cannot be read.
    """
    import numpy as np

    from coverslip.audit.dataset_map import dataset_map
    from coverslip.workspace.store.database import read_transaction
    from coverslip.workspace.store.rows import load_dataset, row_ids_of

    with read_transaction(_workspace(request).engine) as connection:
        data = load_dataset(connection, request["dataset_id"])
        row_ids = row_ids_of(connection, request["dataset_id"])
    result = dataset_map(data, emit=emit)
    rows = np.array([row_ids[image_id] for image_id in result.image_ids], "<u4")
    columns = (rows, result.places.astype("<f4"), result.cluster.astype("<u2"))
    return {"n": len(rows), "columns": base64.b64encode(b"".join(each.tobytes() for each in columns)).decode()}


def collect(request: Json, emit: Emit) -> Json:
    """Write the table of the objects in the fields of a dataset, and return its summary and the notes on it.

    Raises:
        CoverslipError: there are no objects, or files or fields cannot be read.
    """
    from coverslip.objects import FinderSettings, collect_objects
    from coverslip.workspace.store.database import read_transaction
    from coverslip.workspace.store.rows import load_dataset

    notes: list[Note] = []

    def handle(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.note)
        emit(event)

    with read_transaction(_workspace(request).engine) as connection:
        fields = load_dataset(connection, request["dataset_id"])
    is_finder = request["source"] == "finder"
    summary = collect_objects(
        fields,
        out=request["table"],
        masks=request["paths"] if request["source"] == "masks" else None,
        outlines=request["paths"] if request["source"] == "outlines" else None,
        points=request["paths"] if request["source"] == "points" else None,
        finder=request["finder"] if is_finder else None,
        finder_settings=FinderSettings.model_validate(request["finder_settings"]) if is_finder else None,
        finder_file=request["finder_file"] if is_finder else None,
        size_px=request["size_px"],
        size_um=request["size_um"],
        columns=request["columns"],
        unit=request["unit"],
        pixel_size_um=request["pixel_size_um"],
        group_pattern=request["group_pattern"] or None,
        emit=handle,
    )
    names = ("kind", "n_objects", "n_of_field", "n_of_label", "n_at_edge", "side_px")
    values = {name: getattr(summary, name) for name in names}
    return {"table": request["table"], **values, "notes": [asdict(each) for each in notes]}


_PREVIEW_PIXELS, _PREVIEW_SIDE = 4_200_000, 2_048  # of a field that is searched as a whole; else of its center


def export_objects(request: Json, emit: Emit) -> Json:
    """Write the objects of a prediction for another program, and return the number of files and the notes.

    Raises:
        CoverslipError: the prediction has no table of objects, or a file cannot be read or written.
    """
    from coverslip.workspace.predictions.object_export import ObjectExport, write_objects

    notes: list[Note] = []

    def handle(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.note)
        emit(event)

    choice = ObjectExport.model_validate({name: request[name] for name in ObjectExport.model_fields})
    files = write_objects(_workspace(request), request["prediction_id"], choice, handle)
    return {"n_files": len(files), "notes": [asdict(each) for each in notes]}


_PREVIEW_S, _PREVIEW_LINES = 5.0, 200  # after which no other file of objects is read; fields and names that are shown


def preview_objects(request: Json, _: Emit) -> Json:
    """Return a preview of the objects in files, or of those that a finder finds in an image.

    Raises:
        CoverslipError: the fields or the image cannot be read, there are no files, or the finder failed.
    """
    return _preview_finder(request) if request["source"] == "finder" else _preview_files(request)


def _preview_files(request: Json) -> Json:
    from coverslip.datasets.tables.columns import TableChoices
    from coverslip.objects import PointSize, preview_first_table, read_objects_of

    notes: list[Note] = []

    def handle(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.note)

    is_masks, paths = request["source"] == "masks", list(map(Path, request["paths"]))
    choices = TableChoices(request["columns"], request["unit"])
    objects = error = table = None
    try:
        names = _field_names(request, handle)
        size = PointSize(request["size_px"], request["size_um"])
        _, summary = read_objects_of(
            request["source"], names, paths, size=size, choices=choices, emit=handle, most_s=_PREVIEW_S
        )
        shared = ("kind", "n_files", "n_read", "n_objects", "n_of_label", "n_at_edge", "side_px")
        fields = [
            {"name": f.name, "n_objects": summary.n_of_field[f.name], "group": f.group, "about": dict(f.about)}
            for f in summary.fields[:_PREVIEW_LINES]
        ]
        objects = {
            **{name: getattr(summary, name) for name in shared},
            "n_fields": len(summary.fields),
            "n_empty": summary.n_empty,
            "n_groups": count_groups(f.group for f in summary.fields).n_groups,
            "fields": fields,
            "matches": dict(islice(summary.matches.items(), _PREVIEW_LINES)),
            "n_matches": len(summary.matches),
            "first": [asdict(each) for each in summary.first],
        }
        table = summary.table
    except CoverslipError as failure:
        error = failure.failure
        with suppress(CoverslipError):
            table = None if is_masks else preview_first_table(paths, choices)
    return {
        "table": None if table is None else asdict(table),
        "objects": objects,
        "error": None if error is None else asdict(error),
        "notes": [asdict(each) for each in notes],
    }


def _field_names(request: Json, emit: Emit) -> "FieldNames":
    from coverslip.objects import FieldNames, list_fields
    from coverslip.workspace.store.database import read_transaction
    from coverslip.workspace.store.rows import load_dataset

    with read_transaction(_workspace(request).engine) as connection:
        data = load_dataset(connection, request["dataset_id"])
    pattern = request["group_pattern"] or None
    return FieldNames(list_fields(data, group_pattern=pattern, pixel_size_um=request["pixel_size_um"], emit=emit))


def _preview_finder(request: Json) -> Json:
    """Return the objects that a finder finds in an image, or in the center of a large one."""
    import numpy as np

    from coverslip.objects import FinderSettings, trace_labels
    from coverslip.objects.finders import find_with
    from coverslip.workspace.viewing.fields import encode_outlines

    pixels, region, is_part, side_um = _field_pixels(request["path"], request["plan"])
    settings = FinderSettings.model_validate(request["finder_settings"])
    file = None if request["finder_file"] is None else Path(request["finder_file"])
    objects = find_with(request["finder"], pixels, settings, request["pixel_size_um"] or side_um, file)
    traced = trace_labels(objects.labels)[1]
    outlines = replace(traced, xy=traced.xy + np.array(region[:2], np.float32))
    boxes = outlines.boxes()
    boxes[:, 2:] -= boxes[:, :2]
    encoded = encode_outlines(range(len(outlines)), boxes, outlines)
    return {
        "n_objects": len(outlines),
        "is_part": is_part,
        "region": list(region),
        "outlines": base64.b64encode(encoded).decode(),
        "warnings": [asdict(each) for each in objects.warnings],
        "settings": objects.settings.model_dump(mode="json"),
    }


@lru_cache(maxsize=1)
def _field_pixels(path: str, plan_text: str) -> "tuple[np.ndarray, tuple[int, int, int, int], bool, float | None]":
    """Return the pixels of a field, or of its center; their region; whether it is a part; the side of a pixel in µm.

    The pixels are those that `collect_objects` searches, at the time point of the image.
    """
    from coverslip.images import describe_image, pixel_side, read_pixels

    plan, file = ReadPlan.from_json(plan_text), Path(path)
    series = describe_image(file)[plan.series]
    width, height = series.sizes[0]
    is_part = width * height > _PREVIEW_PIXELS
    side = (min(width, _PREVIEW_SIDE), min(height, _PREVIEW_SIDE)) if is_part else (width, height)
    region = ((width - side[0]) // 2, (height - side[1]) // 2, *side)
    of_field = ReadPlan(
        series=plan.series, t=plan.t, z="max" if series.n_z > 1 else 0, region=region if is_part else None
    )
    size = series.pixel_size_at(0)
    return read_pixels(file, of_field).array, region, is_part, None if size is None else pixel_side(size)


def find_label_errors(request: Json, emit: Emit) -> Json:
    """Search the images of a run for label errors. The folder of the run stores the results.

    Raises:
        CoverslipError: the images have changed, or the run cannot be read.
    """
    from coverslip.pipeline import label_errors

    label_errors(request["run"], emit=emit)
    return {}


def explain(request: Json, emit: Emit) -> Json:
    """Return the explanation of an image: a PNG as base64.

    Raises:
        CoverslipError: the image, or the classifier, cannot be read.
    """
    from coverslip.inference.explain import explanation_of

    data = _one_image(request["file"], ReadPlan.model_validate(request["plan"]), request["label"])
    picture = explanation_of(
        request["run"],
        data,
        n_nearest=_N_NEAREST,
        tiles_per_row=_TILES_PER_ROW,
        device="cpu",  # fast enough for single images; the GPU stays free for trainings
        emit=emit,
    )
    return {"png": base64.b64encode(picture).decode()}


def _one_image(file: str, plan: ReadPlan, label: str | None) -> Dataset:
    """Return a dataset of one image, read with its own plan instead of the classifier's."""
    opened = open_image_file(Path(file))
    record = replace(opened.records[0], label=label, plan=plan, stated=frozenset(PLAN_COLUMNS))
    return replace(opened, records=(record,))


def predict(request: Json, _: Emit) -> Json:
    """Return the predictions of images; nothing for a request without files, which only loads the classifier.

    Raises:
        CoverslipError: the classifier cannot be read.
    """
    classifier = _loaded(request["run"])
    opened = [open_image_file(Path(file)) for file in request["files"]]
    if not opened:
        return {}
    data = replace(opened[0], records=tuple(each.records[0] for each in opened))
    return {"images": [_as_json(row, classifier.classes) for row in classifier.predict(data)]}


def _as_json(row: "Prediction", classes: Sequence[str]) -> Json:
    numbers = row.probabilities or (math.nan,) * len(classes)
    return {
        "predicted": row.predicted,
        "probability": row.probability,
        "decision": row.decision,
        "probabilities": {name: None if math.isnan(p) else p for name, p in zip(classes, numbers, strict=True)},
        "reason": row.reason,
    }


@lru_cache(maxsize=1)
def _loaded(run: str) -> "Classifier":
    from coverslip.inference import load_classifier

    return load_classifier(run, "cpu")  # fast enough for single images; the GPU stays free for trainings


def time_study(request: Json, emit: Emit) -> Json:
    """Return the expected seconds of each training of a plan by name; null if it cannot be timed."""
    from coverslip.studies import cell_seconds, cells_of, plan_of

    return {"seconds": dict(cell_seconds(cells_of(plan_of(request["plan"]), Path(request["folder"])), emit))}


def analyze_study(request: Json, emit: Emit) -> Json:
    """Measure prediction times or distances of a study, or draw explanations. The folder of the study stores them.

    Raises:
        CoverslipError: the study does not exist any more, or its files are damaged.
    """
    from coverslip.studies import study_comparison

    analysis = request["analysis"]
    study_comparison(
        request["folder"],
        bench=analysis == "latency",
        distances=analysis == "distances",
        explain=analysis == "explanations",
        emit=emit,
    )
    return {}


def _workspace(request: Json) -> "Workspace":
    from coverslip.workspace.store.workspace import Workspace

    return Workspace.from_json(request["workspace"])
