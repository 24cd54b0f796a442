"""The tasks of worker processes that answer many requests: what pages show of all images, previews, and predictions.

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
from coverslip.datasets import list_finders, open_image_file
from coverslip.errors import CoverslipError
from coverslip.events import Emit, Event, Noted
from coverslip.images import ReadPlan
from coverslip.messages import Note, in_language
from coverslip.processes import Json

if TYPE_CHECKING:
    import numpy as np

    from coverslip.inference import Classifier
    from coverslip.objects import FieldNames
    from coverslip.runs import Prediction
    from coverslip.workspace.store.workspace import Workspace

_NICE = 5  # of computations for pages: requests of the server go first


def compute(request: Json) -> Json:
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


_PREVIEW_PIXELS, _PREVIEW_SIDE = 4_200_000, 2_048  # of a field that is searched as a whole; else of its center


_PREVIEW_S, _PREVIEW_LINES = 5.0, 200  # after which no other file of objects is read; fields and names that are shown


def preview_objects(request: Json) -> Json:
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


def predict(request: Json) -> Json:
    """Return the predictions of images.

    Raises:
        CoverslipError: the classifier cannot be read.
    """
    classifier = _loaded(request["run"], request["state"])
    opened = [open_image_file(Path(file)) for file in request["files"]]
    data = replace(opened[0], records=tuple(each.records[0] for each in opened))
    return {"images": [_as_json(row, classifier.classes) for row in classifier.predict(data)]}


def _as_json(row: "Prediction", classes: Sequence[str]) -> Json:
    numbers = row.probabilities or (math.nan,) * len(classes)
    return {
        "predicted": row.predicted,
        "probability": row.probability,
        "decision": row.decision,
        "probabilities": {name: None if math.isnan(p) else p for name, p in zip(classes, numbers, strict=True)},
        "reason": None if row.reason is None else asdict(row.reason),
    }


@lru_cache(maxsize=2)  # each needs some hundred megabytes
def _loaded(run: str, _state: str) -> "Classifier":
    from coverslip.inference import load_classifier

    return load_classifier(run, "cpu")  # fast enough for single images; the GPU stays free for trainings


def _workspace(request: Json) -> "Workspace":
    from coverslip.workspace.store.workspace import Workspace

    return Workspace.from_json(request["workspace"])
