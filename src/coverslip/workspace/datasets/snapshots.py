"""Tables of a set's images with the labels of now: to export, and for trainings to start from."""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from coverslip.datasets import ImageRecord, printable
from coverslip.errors import BadDataset
from coverslip.files import safe_cell, write_bytes
from coverslip.workspace.store.database import one_moment
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import OUTSIDE, load_records
from coverslip.workspace.store.rows import AnyRow, dataset_row, ranges, source_paths
from coverslip.workspace.store.tables import image_facts, images

_ROWS_AT_ONCE = 2_000
_BOX = ("x", "y", "width", "height")


def training_sources(home: Workspace, dataset_id: str) -> tuple[list[str], list[str]]:
    """What `coverslip train` is to be given for a set: the sources, and the options that say how to group.

    The user's own folders and tables, so that the run says where its images lie. Where they do not tell what is known
    here (labels were given or changed, the set was opened without labels, domains were named) it is a table in
    `snapshots/` that is named after its content: a training reads the labels of the moment it was asked for, whatever
    is changed later.

    Returns:
        Paths, and `["--group=COLUMN"]`, `["--group-pattern=PATTERN"]` or nothing.

    Raises:
        NotFound: there is no such set.
        BadDataset: no image has a label, or a name cannot stand in a table.
    """
    with one_moment(home.engine) as connection:
        row = dataset_row(connection, dataset_id)
        if not row.summary["n_labelled"]:
            raise BadDataset("No image has a label", do="Label some images of each class first.")
        if _tells_all(connection, row):
            by_column = [f"--group={row.group_column}"] if row.group_column is not None else []
            by_pattern = [f"--group-pattern={row.group_pattern}"] if row.group_pattern is not None else []
            return source_paths(row), by_column + by_pattern
        data = "".join(_lines(connection, row, for_training=True)).encode()
    file = home.snapshots / f"{hashlib.sha256(data).hexdigest()[:16]}.csv"
    if not file.exists():
        write_bytes(file, data)
    return [str(file)], ["--group=group"] if row.summary["n_groups"] else []


def table_lines(home: Workspace, dataset_id: str) -> Iterator[str]:
    """CSV of all images, piece by piece; no cell of it is a formula to a spreadsheet.

    Raises:
        NotFound: there is no such set; said before the first piece.
    """
    with home.engine.connect() as connection:
        dataset_row(connection, dataset_id)

    def lines() -> Iterator[str]:
        with one_moment(home.engine) as connection:
            yield from _lines(connection, dataset_row(connection, dataset_id), for_training=False)

    return lines()


def file_name(home: Workspace, dataset_id: str) -> str:
    """What to call the exported table; plain letters, so that it fits into a header."""
    with home.engine.connect() as connection:
        name = dataset_row(connection, dataset_id).name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:60]
    return f"{plain or 'images'}-labels.csv"


def _tells_all(connection: Connection, row: AnyRow) -> bool:
    has_named_domains = any(source["domain"] for source in row.sources)
    if row.summary["n_changed"] or not row.is_labelled or has_named_domains:
        return False
    outside = select(func.count()).where(image_facts.c.dataset_id == row.id, image_facts.c.reason == OUTSIDE)
    return connection.execute(outside).scalar_one() == 0


def _lines(connection: Connection, row: AnyRow, *, for_training: bool) -> Iterator[str]:
    """The table in pieces.

    Raises:
        BadDataset: for a training, where a file's name is no text: its row would name another file.
    """
    columns = _columns(connection, row)
    yield _as_csv([columns])
    outside = set(
        connection.execute(
            select(image_facts.c.position).where(image_facts.c.dataset_id == row.id, image_facts.c.reason == OUTSIDE)
        ).scalars()
    )
    for start, end in ranges(row.summary["n_images"], _ROWS_AT_ONCE):
        records = load_records(connection, row.id, start, end)
        kept = [record for position, record in enumerate(records, start) if position not in outside]
        for record in kept:
            if for_training and printable(str(record.path)) != str(record.path):
                raise BadDataset(
                    "A file's name is not text, so it cannot stand in a table",
                    file=record.path,
                    do="Rename it and read the images again.",
                )
        yield _as_csv([[_cell(record, column) for column in columns] for record in kept])


def _columns(connection: Connection, row: AnyRow) -> list[str]:
    own = images.c.dataset_id == row.id
    columns = ["path", "image_id", "label"]
    for name in ("group", "domain", "predefined_split"):
        column = images.c[name]
        if connection.execute(select(column).where(own, column != "").limit(1)).first() is not None:
            columns.append(name.removeprefix("given_"))
    plans = connection.execute(select(images.c.plan).where(own, images.c.plan.is_not(None))).scalars()
    stated = {name for plan in plans for name in plan["stated"]}
    columns += ["plane"] if "plane" in stated else []
    columns += ["channel"] if "channels" in stated else []
    columns += _BOX if "box" in stated else ()
    return columns


def _cell(record: ImageRecord, column: str) -> str:
    match column:
        case "path":
            return printable(str(record.path))
        case "split":
            return record.predefined_split or ""
        case "plane":
            return str(record.plan.plane) if "plane" in record.stated else ""
        case "channel":
            return " ".join(map(str, record.plan.channels or ())) if "channels" in record.stated else ""
        case "x" | "y" | "width" | "height":
            return str(record.plan.box[_BOX.index(column)]) if record.plan.box is not None else ""
    value: str | None = getattr(record, column)
    return value or ""


def _as_csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()
