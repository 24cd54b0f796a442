"""Objects in the fields of view of a dataset: read from files of other programs, or found, as a dataset of their own.

A worker process writes the table of objects into the workspace, in a folder for each dataset of fields. Its summary and
the notes on it are stored beside it, and the table is opened as a dataset.
"""

import base64
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from coverslip.counts import count_groups
from coverslip.datasets.columns import OBJECT_MEANINGS, TableChoices
from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import CoverslipError
from coverslip.events import Emit, Event, Noted
from coverslip.files import write_json
from coverslip.images.reader import ReadPlan
from coverslip.messages import Failure, Note, text
from coverslip.objects.finders import FinderRecord, finder_record, list_finders
from coverslip.objects.finding import FinderSettings
from coverslip.objects.tables_of_programs import ObjectTablePreview
from coverslip.processes import Json
from coverslip.runs.documents import read_object
from coverslip.workspace.datasets.sources import Source, open_sources
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.records import Job, find_job, register_function
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import load_dataset, new_id, refuse_unready
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.fields import encode_outlines
from coverslip.workspace.viewing.images import DatasetImages
from coverslip.workspace.workers import WorkerPool

if TYPE_CHECKING:
    import numpy as np

    from coverslip.objects.fields import FieldNames

_FORMAT_VERSION = 1
_LAST = "last.json"  # what was collected last

OneName = Annotated[str, StringConstraints(max_length=1_000)]
OnePath = Annotated[str, StringConstraints(min_length=1, max_length=4_096, pattern=r"^[^\x00]*$")]


class FinderToPreview(DocumentedModel):
    """A finder and its settings."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    finder: str = Field(default="classical", max_length=200)
    """The name of the finder."""
    finder_settings: FinderSettings = Field(default_factory=FinderSettings)
    """What the finder searches for."""
    pixel_size_um: float | None = Field(default=None, gt=0, le=10_000)
    """Side of a pixel of the field in µm; null: that of the file."""


class ObjectsToCollect(FinderToPreview):
    """Where the objects of the fields come from: files of another program, or a finder."""

    source: Literal["masks", "outlines", "points", "finder"]
    """masks: label images; outlines: polygons or boxes; points: only the centers of objects; finder: the objects are
    found in the pixels."""
    paths: list[OnePath] = Field(default_factory=list, max_length=1_000, examples=[["/data/masks"]])
    """Files, or folders of files, of another program."""
    size_px: float | None = Field(default=None, ge=1, le=10_000)
    """Side of the square around each point, in pixels."""
    size_um: float | None = Field(default=None, gt=0, le=100_000)
    """Side of the square around each point, in µm."""
    columns: dict[Annotated[str, StringConstraints(max_length=40)], OneName] = Field(
        default_factory=dict,
        max_length=len(OBJECT_MEANINGS),
        description=f"Columns of a table that are not recognized, by their meanings: {', '.join(OBJECT_MEANINGS)}.",
    )
    unit: Literal["px", "um"] | None = None
    """The unit of positions; null: as the names of columns state it, else pixels."""
    group_pattern: OneName | None = None
    """A regular expression that finds the group of each field in its path. Other named parts become columns of the
    objects. Null: the groups of the dataset."""
    measure: bool = False
    """Whether each object gets its area, perimeter and solidity, and the mean and sum of its pixels in each channel."""

    @model_validator(mode="after")
    def _check_paths(self) -> "ObjectsToCollect":
        if bool(self.paths) == (self.source == "finder"):
            raise ValueError(text("objects-paths-or-finder"))
        return self


@dataclass(frozen=True, slots=True)
class CollectedObjects(DocumentedFields):
    """The objects that were collected last."""

    dataset_id: str
    """Their dataset. It may have been removed since then."""
    kind: str
    """The kind of file, or the name of the finder."""
    n_objects: int
    n_of_field: dict[str, int]
    """The number of objects of each field."""
    n_of_label: dict[str, int]
    """The number of objects of each class in the files."""
    n_at_edge: int
    """Objects that touch the edge of their field."""
    side_px: list[float]
    """Smallest, median and largest side of the boxes."""
    notes: list[Note]
    """Notes and warnings about the objects."""
    finder: FinderRecord | None
    """The finder and its settings; null: the objects were read from files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsState(ResultState):
    """The objects of the fields of a dataset, and the progress of collecting them."""

    kind: Literal["objects"]
    objects: CollectedObjects | None
    """Null until objects were collected."""


@dataclass(frozen=True, slots=True)
class FinderName(DocumentedFields):
    """A finder of objects."""

    name: str
    title: str
    license: str
    """The license of its code and of its weights."""


@dataclass(frozen=True, slots=True)
class FinderPreview(DocumentedFields):
    """The objects that a finder finds in a field, or in the center of a large field."""

    n_objects: int
    is_part: bool
    """Whether only the center of the field was searched."""
    region: list[int]
    """x, y, width and height of the part that was searched."""
    outlines: str
    """The objects as Base64, encoded as the outlines of a field."""
    warnings: list[Note]
    """Reasons why the objects may be wrong."""
    settings: FinderSettings
    """With the estimates of settings that were empty."""


@dataclass(frozen=True, slots=True)
class PreviewedField(DocumentedFields):
    """A field of view with its objects, as it will be in the table of objects."""

    name: str
    n_objects: int
    group: str
    """Empty: the field is a group of its own."""
    about: dict[str, str]
    """Further columns, such as the well and the plate."""


@dataclass(frozen=True, slots=True)
class PreviewedObject(DocumentedFields):
    """One of the first objects."""

    image_id: str
    field: str
    object_id: str
    box: list[int]
    """x, y, width and height in pixels."""
    label: str
    """Empty: unknown."""


@dataclass(frozen=True, slots=True)
class ReadPreview(DocumentedFields):
    """The objects in files, before they become a dataset."""

    kind: str
    """The kinds of the files."""
    n_files: int
    n_read: int
    """Files that were read; other files are read when the dataset is created."""
    n_objects: int
    n_of_label: dict[str, int]
    """The number of objects of each class."""
    n_at_edge: int
    """Objects that touch the edge of their field."""
    side_px: list[float]
    """Smallest, median and largest side of the boxes."""
    n_fields: int
    n_empty: int
    """Fields without objects in the files that were read."""
    n_groups: int
    """Named groups; 0: each field is a group."""
    fields: list[PreviewedField]
    """The first fields."""
    matches: dict[str, str]
    """The first names in the files, and the fields of these."""
    n_matches: int
    first: list[PreviewedObject]
    """The first objects."""


@dataclass(frozen=True, slots=True)
class ObjectsPreview(DocumentedFields):
    """What was recognized in files of objects. Either `objects` or `error` is null."""

    table: ObjectTablePreview | None
    """The first table; null: there is none."""
    objects: ReadPreview | None
    """null: they cannot be read as the files are."""
    error: Failure | None
    """Why the objects cannot be read."""
    notes: list[Note]
    """Notes and warnings about the objects."""


def preview_files(workspace: Workspace, pool: WorkerPool, dataset_id: str, choice: ObjectsToCollect) -> ObjectsPreview:
    """Read the files of objects, or the first of many files, in a process of the pool.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, could not be read, or their folder is missing.
        CoverslipError: a path is outside the readable folders, or there is no file.
    """
    if choice.source == "finder":
        raise CoverslipError("no-object-source", n_sources=0)
    with workspace.engine.connect() as connection:
        refuse_unready(connection, dataset_id)
    request = {"workspace": workspace.as_json(), **_request(workspace, dataset_id, choice)}
    return _PREVIEW_OF_FILES.validate_python(_previewed(pool.call(read_first_files, request=request)))


def preview_finder(
    workspace: Workspace, pool: WorkerPool, dataset_id: str, row_id: int, choice: FinderToPreview
) -> FinderPreview:
    """Search an image of a dataset, in a process of the pool.

    Raises:
        NotFound: there is no such dataset or image.
        CoverslipError: a file is outside the readable folders, does not exist or cannot be read, or the finder failed.
    """
    source = DatasetImages(workspace, dataset_id).picture_source(row_id)
    path, plan = workspace.allowed_image(source.path, source.plan)
    request = {**choice.model_dump(mode="json"), "path": str(path), "plan": plan.as_json()}
    result = _previewed(pool.call(search_image, request=request))
    result["warnings"] = [_NOTE.validate_python(each) for each in result["warnings"]]
    return FinderPreview(**{**result, "settings": FinderSettings.model_validate(result["settings"])})


def _previewed(result: Json | None) -> Json:
    if result is None:
        raise CoverslipError("finder-preview-ended")
    return result


_NOTE = TypeAdapter(Note)
_PREVIEW_OF_FILES = TypeAdapter(ObjectsPreview)


def _request(workspace: Workspace, dataset_id: str, choice: ObjectsToCollect) -> Json:
    """Return the request of a worker process.

    Raises:
        CoverslipError: a path is outside the readable folders or does not exist.
    """
    request = choice.model_dump(mode="json")
    request["paths"] = [str(workspace.allowed(path)) for path in choice.paths]
    return {"dataset_id": dataset_id, **request}


def finders() -> list[FinderName]:
    """Return the installed finders.

    Raises:
        CoverslipError: the finder of an installed package cannot be loaded.
    """
    return [FinderName(each.name, each.title, each.license) for each in list_finders()]


def objects_state(workspace: Workspace, dataset_id: str) -> ObjectsState:
    """Return the objects that were collected last from the fields of a dataset, and the progress of new ones.

    Raises:
        NotFound: there is no such dataset.
    """
    work = computation(workspace, OBJECTS, dataset_id)
    dataset_state(workspace, dataset_id)
    file = workspace.objects / dataset_id / _LAST
    last = None
    if file.is_file():
        content = json.loads(file.read_text(encoding="utf-8"))
        last = _COLLECTED.validate_python(content["objects"])
    state = "not-requested" if last is None else "ready"
    if work.state is None and work.id is not None and _is_being_opened(find_job(workspace, work.id)):
        state = "running"
    return ObjectsState(**work.of_result(state), objects=last)


def _is_being_opened(job: Job) -> bool:
    """Return whether the queue has still to open the table of a finished job as a dataset."""
    return job.state == "started" and _summary_file(Path(job.choices["table"])).is_file()


_COLLECTED = TypeAdapter(CollectedObjects)


def start_objects(workspace: Workspace, dataset_id: str, choice: ObjectsToCollect) -> ObjectsState:
    """Collect the objects of the fields of a dataset, unless this is in progress.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, could not be read, or their folder is missing.
        CoverslipError: a path is outside the readable folders or does not exist.
    """
    with workspace.engine.connect() as connection:
        row = refuse_unready(connection, dataset_id)
    request = _request(workspace, dataset_id, choice)
    current = objects_state(workspace, dataset_id)
    if current.state == "running":  # also while the queue has still to open the table
        return current
    table = workspace.objects / dataset_id / f"objects-{new_id()}.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    request_result(
        workspace,
        OBJECTS,
        dataset_id,
        {"table": str(table), **request},
        name=row.name,
        dataset_id=dataset_id,
        choices={
            "table": str(table),
            "dataset": text("objects-of-dataset", name=row.name)[:200],
            "pixels": row.pixel_choice,
        },
    )
    return objects_state(workspace, dataset_id)


def _summary_file(table: Path) -> Path:
    """Return the file with the summary of a table of objects that is not opened as a dataset yet."""
    return table.with_suffix(".json")


def _open_collected(workspace: Workspace, job: Job) -> None:
    """Open the table of a finished job as a dataset, and store its summary."""
    table = workspace.owned(Path(job.choices["table"]))
    summary = _summary_file(table)
    if not summary.is_file():
        return
    objects = read_object(summary)["objects"]
    dataset = open_sources(workspace, [Source(str(table))], name=job.choices["dataset"], pixels=job.choices["pixels"])
    content = {"format_version": _FORMAT_VERSION, "objects": {"dataset_id": dataset.id, **objects}}
    write_json(table.parent / _LAST, content)
    summary.unlink()


def collect(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Write the table of the objects in the fields of a dataset, and its summary with the notes on it.

    Raises:
        CoverslipError: there are no objects, or files or fields cannot be read.
    """
    from coverslip.objects.collecting import collect_objects

    notes: list[Note] = []

    def handle(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.note)
        emit(event)

    with read_transaction(workspace.engine) as connection:
        fields = load_dataset(connection, arguments["dataset_id"])
    is_finder = arguments["source"] == "finder"
    settings = FinderSettings.model_validate(arguments["finder_settings"])
    summary = collect_objects(
        fields,
        out=arguments["table"],
        masks=arguments["paths"] if arguments["source"] == "masks" else None,
        outlines=arguments["paths"] if arguments["source"] == "outlines" else None,
        points=arguments["paths"] if arguments["source"] == "points" else None,
        finder=arguments["finder"] if is_finder else None,
        finder_settings=settings if is_finder else None,
        size_px=arguments["size_px"],
        size_um=arguments["size_um"],
        columns=arguments["columns"],
        unit=arguments["unit"],
        pixel_size_um=arguments["pixel_size_um"],
        group_pattern=arguments["group_pattern"] or None,
        measure=arguments["measure"],
        emit=handle,
    )
    names = ("kind", "n_objects", "n_of_field", "n_of_label", "n_at_edge", "side_px")
    values = {name: getattr(summary, name) for name in names}
    measure = arguments["measure"]
    record = (
        finder_record(arguments["finder"], settings, measure=measure).model_dump(mode="json") if is_finder else None
    )
    content = {**values, "notes": [asdict(each) for each in notes], "finder": record}
    write_json(_summary_file(Path(arguments["table"])), {"format_version": _FORMAT_VERSION, "objects": content})


_PREVIEW_PIXELS, _PREVIEW_SIDE = 4_200_000, 2_048  # of a field that is searched as a whole; else of its center
_PREVIEW_S, _PREVIEW_LINES = 5.0, 200  # after which no other file of objects is read; fields and names that are shown


def read_first_files(request: Json) -> Json:
    """Return an `ObjectsPreview` of the files of a request as JSON."""
    from coverslip.objects.collecting import preview_first_table, read_objects_of
    from coverslip.objects.fields import PointSize

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
    from coverslip.objects.fields import FieldNames, list_fields

    with read_transaction(Workspace.from_json(request["workspace"]).engine) as connection:
        data = load_dataset(connection, request["dataset_id"])
    pattern = request["group_pattern"] or None
    return FieldNames(list_fields(data, group_pattern=pattern, pixel_size_um=request["pixel_size_um"], emit=emit))


def search_image(request: Json) -> Json:
    """Return a `FinderPreview` of the image of a request as JSON.

    Raises:
        CoverslipError: the image cannot be read, or the finder failed.
    """
    import numpy as np

    from coverslip.objects.finders import find_with
    from coverslip.objects.finding import FinderSettings
    from coverslip.objects.outlines import trace_labels

    pixels, names, region, is_part, side_um = _field_pixels(request["path"], request["plan"])
    settings = FinderSettings.model_validate(request["finder_settings"]).of_field(Path(request["path"]), names)
    objects = find_with(request["finder"], pixels, settings, request["pixel_size_um"] or side_um)
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
def _field_pixels(
    path: str, plan_text: str
) -> "tuple[np.ndarray, tuple[str, ...], tuple[int, int, int, int], bool, float | None]":
    """Return the pixels of a field, or of its center.

    Also return the names of the channels, the region, whether it is a part, and the side of a pixel in µm.

    The pixels are those that `collect_objects` searches, at the time point of the image.
    """
    from coverslip.images.decoding import describe_image, read_pixels
    from coverslip.images.reader import pixel_side

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
    side_um = None if size is None else pixel_side(size)
    return read_pixels(file, of_field).array, series.channels, region, is_part, side_um


OBJECTS = register_function("objects", "coverslip.workspace.objects:collect", store_rows=_open_collected)
