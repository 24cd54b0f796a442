"""The images of a dataset as rows: locations and pixels of files, and whether their content changed.

The row of an image is permanent. When a dataset is read again, images that still exist keep their rows, and with them
labels, confirmations, readings and history. Missing images (a disk was disconnected, a folder was removed) also keep
theirs, outside of the dataset, until they come back.
"""

import hashlib
import json
import math
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, insert, literal, select, update

from coverslip.cache.file_hashes import FileHashes, state_text, states_of
from coverslip.datasets.content_hashes import find_hashes, hash_files
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import some
from coverslip.errors import BadDataset, Conflict
from coverslip.images.reader import PLAN_COLUMNS
from coverslip.messages import ChooseOther
from coverslip.workspace.datasets.state import mark_equal_pixels, update_counts
from coverslip.workspace.jobs.records import refuse_in_use
from coverslip.workspace.store.change_log import LoggedRow
from coverslip.workspace.store.rows import (
    OUTSIDE,
    AnyRow,
    Json,
    among,
    among_integers,
    are_rows,
    change_rows,
    is_annotated,
    load_records,
    opened_as_json,
    plan_as_json,
    plan_of,
    replace_rows,
)
from coverslip.workspace.store.tables import (
    blind_labels,
    changed_rows,
    confirmed_labels,
    datasets,
    image_colors,
    image_facts,
    images,
    jobs,
    results,
)
from coverslip.workspace.store.workspace import Workspace

_THREADS, _PER_TASK = 8, 100  # images; network drives have a high latency
_Files = tuple[Path, ...]  # of an image
_ROWS_AT_ONCE = 5_000

DRAWN = "#drawn"  # in the image_id of an object that a user drew, merged or split, before its number
_MISSING = dict.fromkeys(("dataset_id", "position", "pixel_hash", "problem", "width_px", "height_px"))
_Pixels = tuple[str, str, str]  # a file, the pixels of it as JSON, and the name of a drawn object


def states_of_images(images_files: Iterable[_Files]) -> dict[_Files, str | None]:
    """Return what changes, without reading, if a file of an image is changed or replaced; None if there is none.

    The states of an image in several files, or in a folder of files, are one. Files of several images are read once.
    """
    distinct = list(dict.fromkeys(images_files))
    parts = [distinct[k : k + _PER_TASK] for k in range(0, len(distinct), _PER_TASK)]
    if len(parts) < 2:  # starting threads takes longer
        states = list(map(_states_of, parts))
    else:
        with ThreadPoolExecutor(_THREADS) as threads:
            states = list(threads.map(_states_of, parts))
    return dict(zip(distinct, chain.from_iterable(states), strict=True))


def _states_of(images_files: Sequence[_Files]) -> list[str | None]:
    return list(map(_state_of, images_files))


def _state_of(files: _Files) -> str | None:
    states = states_of(files)
    return state_text(states) if states else None


def n_bytes_in(state: str) -> int:
    """Return how many bytes the files had in a state of an image."""
    return int(state.split(maxsplit=1)[0])


def store_images(connection: Connection, workspace: Workspace, dataset_id: str, dataset: Dataset) -> None:
    """Insert rows for all images of a new dataset, and count them.

    Args:
        connection: a connection in a writing transaction.
        workspace: the workspace with the readable folders.
        dataset_id: the ID of the dataset.
        dataset: its images.

    Raises:
        BadDataset: all of them are outside the readable folders.
    """
    # Images of a new dataset have no pictures that could be shown again.
    _store_images(connection, workspace, dataset_id, dataset, {}, [None] * len(dataset.records))


def replace_images(
    connection: Connection, workspace: Workspace, dataset_id: str, dataset: Dataset, hashes: Sequence[str | None]
) -> None:
    """Replace the images of a dataset. The images must be read again.

    Images that are still there, or have come back, keep their rows with all that refers to them. Images that are
    missing now keep theirs if something is said about them, or if the dataset has jobs, which may name them.

    Args:
        connection: a connection in a writing transaction.
        workspace: the workspace with the readable folders.
        dataset_id: the ID of the dataset.
        dataset: its current images.
        hashes: of the files of these images, from `find_file_hashes`.

    Raises:
        BadDataset: all of them are outside the readable folders.
    """
    is_present, is_missing = images.c.dataset_id == dataset_id, images.c.missing_from == dataset_id
    columns = (*images.c, is_annotated.label("is_annotated"))
    rows = connection.execute(select(*columns).where(is_present | is_missing).order_by(images.c.row_id)).all()
    for table in (image_facts, image_colors):
        connection.execute(delete(table).where(table.c.row_id.in_(select(images.c.row_id).where(is_present))))
    connection.execute(update(images).where(is_present).values(missing_from=dataset_id, **_MISSING))
    connection.execute(
        update(datasets)
        .where(datasets.c.id == dataset_id)
        .values(state="reading", progress=None, error=None, opened=opened_as_json(dataset))
    )
    _store_images(connection, workspace, dataset_id, dataset, _rows_by_position(rows, dataset, hashes), hashes)
    has_jobs = select(jobs.c.id).where(jobs.c.dataset_id == dataset_id).exists()
    connection.execute(delete(images).where(is_missing, ~is_annotated, ~has_jobs))


def _store_images(
    connection: Connection,
    workspace: Workspace,
    dataset_id: str,
    dataset: Dataset,
    row_of: Mapping[int, AnyRow],
    hashes: Sequence[str | None],
) -> None:
    """Store the images of a dataset, some of them in existing rows, by their position; raises as `store_images`."""
    folders = _ReadableFolders(workspace)
    rows: list[Json] = []
    outside: list[int] = []
    for position, (record, digest) in enumerate(zip(dataset.records, hashes, strict=True)):
        plan = plan_as_json(record)
        row = row_of.get(position)
        is_relabeled = row is not None and row.label != row.label_before
        is_allowed = all(map(folders.contain, record.files))
        rows.append(
            {
                "row_id": None if row is None else row.row_id,
                "dataset_id": dataset_id,
                "missing_from": None,
                "position": position,
                "image_id": record.image_id,
                "path": os.fspath(record.path),
                "shown_path": dataset.relative_path(record),
                "label_before": record.label,
                "label": row.label if row is not None and is_relabeled else record.label,
                "group": record.group,
                "domain": record.domain,
                "predefined_split": record.predefined_split,
                "plan": plan,
                "about": list(record.about) or None,
                "problem": None if is_allowed else "unreadable",
                # Until the image is read, its version is random if its files are unknown.
                "version": secrets.token_hex(8) if digest is None else version_of(record, digest),
                # That of a row stays until the image is read, which tells whether it was overwritten.
                "content": (row and row.content) or (digest and content_of(record, digest)),
                "content_before": row and row.content_before,
                "file_state": None,
                "is_excluded": row is not None and row.is_excluded,
            }
        )
        if not is_allowed:
            outside.append(position)
        if len(rows) == _ROWS_AT_ONCE or position + 1 == len(dataset.records):
            new = [{name: each[name] for name in each if name != "row_id"} for each in rows if each["row_id"] is None]
            replace_rows(connection, images, [each for each in rows if each["row_id"] is not None])
            if new:
                connection.execute(insert(images), new)
            rows = []
    is_outside = (images.c.dataset_id == dataset_id) & images.c.position.in_(among_integers(outside))
    described = select(images.c.row_id, literal(OUTSIDE, image_facts.c.reason.type)).where(is_outside)
    connection.execute(insert(image_facts).from_select(["row_id", "reason"], described))
    update_counts(connection, dataset_id)
    if len(outside) == len(dataset.records):
        raise BadDataset("all-images-outside", file=dataset.root, remedies=(ChooseOther("root"),))


def version_of(record: ImageRecord, content_hash: str) -> str:
    """Return the version of an image, which depends on the bytes of its files and on how they are read."""
    return hashlib.blake2b(f"{content_hash} {record.plan.as_json()}".encode(), digest_size=8).hexdigest()


def content_of(record: ImageRecord, content_hash: str) -> str:
    """Return what identifies an image whatever its name is: the bytes of its files and what its row states of them."""
    plan = _stated_pixels(plan_as_json(record))
    return hashlib.blake2b(f"{content_hash} {plan}".encode(), digest_size=16).hexdigest()


def find_file_hashes(workspace: Workspace, dataset_id: str, dataset: Dataset) -> list[str | None]:
    """Return the hash of the files of each image that the dataset has now; None: it is unknown until they are read.

    Files are read if their images may be others than before: files in another state than when they were read last, and
    new files if there are such files, or if images are missing or were overwritten. For all others, the path decides.
    """
    is_of_dataset = (images.c.dataset_id == dataset_id) | (images.c.missing_from == dataset_id)
    of_files = (images.c.path, images.c.plan, images.c.file_state, images.c.content)
    columns = (*of_files, images.c.missing_from, images.c.content_before)
    with workspace.engine.connect() as connection:
        rows = connection.execute(select(*columns).where(is_of_dataset, images.c.path != "")).all()
    state_before = {plan_of(row.plan)[0].files(Path(row.path)): row.file_state for row in rows}
    content_before = {(row.path, row.content) for row in rows}
    earlier = {row.path for row in rows}
    records = dataset.records
    has_changed = any(row.missing_from is not None or row.content_before is not None for row in rows)
    has_changed = has_changed or not earlier.issubset(str(record.path) for record in records)
    with FileHashes() as hashes:
        digests = [None if digest is None else digest.hex() for digest in find_hashes(records, hashes)]
        unknown = [k for k, digest in enumerate(digests) if digest is None]
        in_place = [k for k in unknown if str(records[k].path) in earlier]
        states = states_of_images(records[k].files for k in in_place)
        unread = {k for k in in_place if states[files := records[k].files] != state_before.get(files)}
        has_changed = has_changed or bool(unread)
        has_changed = has_changed or any(
            str(record.path) in earlier and (str(record.path), content_of(record, digest)) not in content_before
            for record, digest in zip(records, digests, strict=True)
            if digest is not None
        )
        if has_changed:
            unread.update(set(unknown).difference(in_place))
        for k, digest in zip(sorted(unread), hash_files([records[k] for k in sorted(unread)], hashes), strict=True):
            digests[k] = digest or None
    return digests


def separate_overwritten(connection: Connection, dataset_id: str, row_ids: Collection[int]) -> Sequence[AnyRow]:
    """Let files that have overwritten images be new images, with the labels of their folder or table.

    The images are missing from now on. They come back, with all that refers to them, if files have their content again.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        row_ids: the images; others than overwritten ones stay as they are.

    Returns:
        The former rows of the overwritten images.

    Raises:
        Conflict: a job waits for the dataset or reads it: its table may state the labels of the former content.
    """
    are_separated = are_rows(dataset_id, row_ids) & images.c.content_before.is_not(None)
    rows = connection.execute(select(images).where(are_separated).order_by(images.c.row_id)).all()
    if not rows:
        return []
    refuse_in_use(connection, dataset_id)
    before = {"content": images.c.content_before, "content_before": None}
    connection.execute(update(images).where(are_separated).values(missing_from=dataset_id, **before, **_MISSING))
    new = [row._asdict() | {"label": row.label_before, "is_excluded": False, "content_before": None} for row in rows]
    values = [{name: row[name] for name in row if name != "row_id"} for row in new]
    added = connection.execute(insert(images).returning(images.c.row_id, sort_by_parameter_order=True), values)
    _move_facts(connection, dataset_id, {row.row_id: new for row, new in zip(rows, added.scalars(), strict=True)})
    return rows


def restore_overwritten(connection: Connection, dataset_id: str, row_ids: Collection[int]) -> set[int]:
    """Undo `separate_overwritten`: list the images as overwritten again, in place of the new ones of their files.

    An image stays missing if users said something about the new one, or its file is not there or not read.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        row_ids: the images.

    Returns:
        The row_ids of the restored images.

    Raises:
        Conflict: a job waits for the dataset or reads it: its table may state the labels of the new content.
    """
    refuse_in_use(connection, dataset_id)
    is_missing = images.c.row_id.in_(among_integers(row_ids)) & (images.c.missing_from == dataset_id)
    missing = {
        _pixels(row.path, row.plan, row.image_id): row for row in connection.execute(select(images).where(is_missing))
    }
    is_of_path = images.c.path.in_(select(images.c.path).where(is_missing)) & (images.c.dataset_id == dataset_id)
    present = connection.execute(select(images, is_annotated.label("is_annotated")).where(is_of_path)).all()
    n_of_pixels = Counter(_pixels(row.path, row.plan, row.image_id) for row in present)
    new_of: dict[int, AnyRow] = {}  # by the row_id of the missing image
    values = []
    for new in present:
        row = missing.get(pixels := _pixels(new.path, new.plan, new.image_id))
        is_read = new.content is not None and (new.pixel_hash, new.problem) != (None, None)
        if row is None or n_of_pixels[pixels] > 1 or new.is_annotated or not is_read:
            continue
        new_of[row.row_id] = new
        of_row = {name: row._asdict()[name] for name in ("row_id", "is_excluded")}
        label = new.label if row.label == row.label_before else row.label
        content_before = None if row.content == new.content else row.content
        of_new = {name: value for name, value in new._asdict().items() if name != "is_annotated"}
        values.append(of_new | of_row | {"label": label, "content_before": content_before})
    replaced = among_integers(new.row_id for new in new_of.values())
    are_replaced = images.c.row_id.in_(replaced)
    connection.execute(update(images).where(are_replaced).values(missing_from=dataset_id, **_MISSING))
    replace_rows(connection, images, values)
    _move_facts(connection, dataset_id, {new.row_id: row_id for row_id, new in new_of.items()})
    return set(new_of)


def keep_overwritten(connection: Connection, dataset_id: str, row_ids: Collection[int]) -> list[LoggedRow]:
    """Let labels and the like of overwritten images hold for the current content of their files.

    Results of the former content are not of the images any more.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        row_ids: the images; others than overwritten ones stay as they are.

    Returns:
        The rows of the change: what `restore_kept` needs as JSON, and the hash of the current content.
    """
    are_kept = are_rows(dataset_id, row_ids) & images.c.content_before.is_not(None)
    columns = (images.c.row_id, images.c.content_before, images.c.content)
    rows = connection.execute(select(*columns).where(are_kept).order_by(images.c.row_id)).all()
    of_kept = results.c.image.in_(among_integers(row.row_id for row in rows))
    state_of: dict[int, Json] = {row.row_id: {"content": row.content_before, "results": []} for row in rows}
    linked = select(results.c.job_id, results.c.row_id, results.c.image).where(of_kept)
    for job_id, row_id, image in connection.execute(linked):
        state_of[image]["results"].append([job_id, row_id])
    readings = _readings_of(connection, dataset_id, state_of)
    connection.execute(update(results).where(of_kept).values(image=None))
    connection.execute(update(images).where(are_kept).values(content_before=None))
    update_counts(connection, dataset_id)
    return [
        (row.row_id, json.dumps(state_of[row.row_id] | {"readings": readings[row.row_id]}), row.content) for row in rows
    ]


def _readings_of(connection: Connection, dataset_id: str, row_ids: Collection[int]) -> dict[int, list[list[str]]]:
    """Return the confirmations and readings of images, which have no changes in the log, as values of JSON."""
    readings: dict[int, list[list[str]]] = {row_id: [] for row_id in row_ids}
    for table in (confirmed_labels, blind_labels):
        is_of_dataset = (table.c.list_id if table is blind_labels else table.c.dataset_id) == dataset_id
        columns = (table.c.row_id, table.c.made_by, table.c.label, table.c.made)
        query = select(*columns).where(is_of_dataset, table.c.row_id.in_(among_integers(row_ids)))
        for row_id, *values in connection.execute(query.order_by(*columns)):
            readings[row_id].append(values)
    return readings


def restore_kept(connection: Connection, change: AnyRow, rows: Mapping[int, AnyRow]) -> set[int]:
    """Undo `keep_overwritten`: list the images as overwritten again, with the results of the former content.

    An image stays kept if users said something about it since, if there are results of its current content, if its file
    was overwritten again, or if its former content is another image now.

    Args:
        connection: a connection in a writing transaction.
        change: the change.
        rows: of the change, by row_id.

    Returns:
        The row_ids of the restored images.

    Raises:
        Conflict: a job waits for the dataset or reads it: its table may state the labels of the current content.
    """
    refuse_in_use(connection, change.dataset_id)
    is_said = changed_rows.c.field.in_(("label", "exclusion", "decision")) & ~changed_rows.c.is_undone
    changed_since = (
        select(changed_rows.c.row_id).where(is_said, changed_rows.c.change_id > change.id),
        select(results.c.image).where(results.c.image.in_(among_integers(rows))),
    )
    changed = {row_id for query in changed_since for row_id in connection.execute(query).scalars()}
    state_of = {row_id: json.loads(row.before) for row_id, row in rows.items() if row_id not in changed}
    readings = _readings_of(connection, change.dataset_id, state_of)
    state_of = {row_id: state for row_id, state in state_of.items() if state["readings"] == readings[row_id]}
    is_said_of = (images.c.missing_from == change.dataset_id) & is_annotated
    is_of_dataset = (images.c.dataset_id == change.dataset_id) | is_said_of
    is_former = images.c.content.in_(among(state["content"] for state in state_of.values()))
    of_others = set(connection.execute(select(images.c.content).where(is_of_dataset, is_former)).scalars())
    are_kept = are_rows(change.dataset_id, state_of) & images.c.content_before.is_(None)
    restored = [
        {"row_id": row.row_id, "content_before": former}
        for row in connection.execute(select(images.c.row_id, images.c.content).where(are_kept))
        if row.content == rows[row.row_id].after and (former := state_of[row.row_id]["content"]) not in of_others
    ]
    change_rows(connection, images, restored)
    row_ids = {row["row_id"] for row in restored}
    links = [{"job": job, "row": row, "of": image} for image in row_ids for job, row in state_of[image]["results"]]
    if links:
        is_result = (results.c.job_id == bindparam("job")) & (results.c.row_id == bindparam("row"))
        is_free = is_result & results.c.image.is_(None)
        connection.execute(update(results).where(is_free).values(image=bindparam("of")), links)
    update_counts(connection, change.dataset_id)
    return row_ids


def _move_facts(connection: Connection, dataset_id: str, row_id_of: Mapping[int, int]) -> None:
    """Let the facts about pixels be those of other rows, by the row so far, and count the images of the dataset."""
    moves = [{"of": row_id, "to": new} for row_id, new in row_id_of.items()]
    for table in (image_facts, image_colors) if moves else ():
        moved = update(table).where(table.c.row_id == bindparam("of")).values(row_id=bindparam("to"))
        connection.execute(moved, moves)
    update_counts(connection, dataset_id)
    mark_equal_pixels(connection, dataset_id)


class _ReadableFolders:
    """Whether files are in the readable folders after links are resolved."""

    def __init__(self, workspace: Workspace) -> None:
        self._roots = tuple(os.fspath(root).rstrip(os.sep) + os.sep for root in (*workspace.roots, workspace.folder))
        self._folders: dict[str, bool] = {}

    def contain(self, path: Path) -> bool:
        text = os.fspath(path)
        return self._is_below(os.path.realpath(text)) if path.is_symlink() else self._is_allowed(os.fspath(path.parent))

    def _is_allowed(self, folder: str) -> bool:
        if folder not in self._folders:
            self._folders[folder] = self._is_below(os.path.realpath(folder))
        return self._folders[folder]

    def _is_below(self, real: str) -> bool:
        return (real.rstrip(os.sep) + os.sep).startswith(self._roots)


def _rows_by_position(rows: Sequence[AnyRow], dataset: Dataset, hashes: Sequence[str | None]) -> dict[int, AnyRow]:
    """Return the rows of images that are in the dataset now, by position.

    A drawn object only has the row of this object, since others may have its box. An image is that of a row by its path
    and content; else by its content, if no other has it, so that it may have been renamed or exchanged; else by its
    path, if it was labeled and the like, so that it was overwritten; else by its image_id, if the file of the row is
    gone and the content is not known to differ, so that its folder was moved. The former content of an overwritten row
    precedes the current one. Rows of the dataset precede missing ones, which come back unchanged or not at all.
    """
    records = dataset.records
    by_id = {record.image_id: position for position, record in enumerate(records)}
    by_pixels = _positions_by_pixels(dataset)
    contents = [
        None if digest is None else content_of(record, digest) for record, digest in zip(records, hashes, strict=True)
    ]
    paths = {str(record.path) for record in records}
    position_of = {row.row_id: by_pixels.get(_pixels(row.path, row.plan, row.image_id)) for row in rows}
    former = {row.row_id: row.content_before or row.content for row in rows}
    current = {row.row_id: row.content for row in rows}
    by_position: dict[int, AnyRow] = {}

    def may_be(row: AnyRow, position: int) -> bool:
        if contents[position] is None:  # the file is as it was read last
            return row.content_before is None
        return former[row.row_id] in (None, contents[position])

    def unchanged(row: AnyRow) -> int | None:
        position = position_of[row.row_id]
        return position if position is not None and may_be(row, position) else None

    def overwritten(row: AnyRow) -> int | None:
        return position_of[row.row_id] if row.dataset_id is not None and row.is_annotated else None

    def moved(row: AnyRow) -> int | None:
        position = by_id.get(row.image_id) if position_of[row.row_id] is None else None
        if position is None:
            return None
        has_path = str(records[position].path) == row.path
        if not has_path and row.path in paths:
            return None
        return position if (has_path and row.dataset_id is not None) or may_be(row, position) else None

    def match(find: Callable[[AnyRow], int | None], remaining: Iterable[AnyRow]) -> list[AnyRow]:
        """Match rows with positions that are free; return the other rows."""
        unmatched = []
        for row in remaining:
            position = find(row)
            if position is None or by_position.setdefault(position, row) is not row:
                unmatched.append(row)
        return unmatched

    def match_contents(remaining: Sequence[AnyRow], content_of: Mapping[int, str | None]) -> list[AnyRow]:
        by_content = _unique(
            {
                k: (content, _drawn(records[k].image_id))
                for k, content in enumerate(contents)
                if content is not None and k not in by_position
            }
        )
        rows_once = _unique({row.row_id: (content_of[row.row_id], _drawn(row.image_id)) for row in remaining})
        position_of_row = {row_id: by_content.get(content) for content, row_id in rows_once.items()}
        return match(lambda row: position_of_row.get(row.row_id), remaining)

    def precedence(row: AnyRow) -> bool:
        return by_id.get(row.image_id) != position_of[row.row_id]

    present = sorted((row for row in rows if row.dataset_id is not None), key=precedence)
    missing = sorted((row for row in rows if row.dataset_id is None), key=precedence)
    present = match_contents(match_contents(match(unchanged, present), former), current)
    missing = match_contents(match_contents(match(unchanged, missing), former), current)
    match(moved, [*match(overwritten, present), *missing])
    return by_position


def _unique(values: Mapping[int, tuple[str | None, str]]) -> dict[tuple[str | None, str], int]:
    """Return the key of each value that occurs once."""
    counts = Counter(values.values())
    return {value: key for key, value in values.items() if counts[value] == 1}


def _positions_by_pixels(dataset: Dataset) -> dict[_Pixels, int]:
    """Return the position by file and pixels. Images that occur twice are ambiguous and not included."""
    pixels = [_pixels(str(record.path), plan_as_json(record), record.image_id) for record in dataset.records]
    counts = Counter(pixels)
    return {key: position for position, key in enumerate(pixels) if counts[key] == 1}


def _pixels(path: str, plan: Json | None, image_id: str) -> _Pixels:
    """Return a file and its pixels, and which drawn object they show: others may have the same box."""
    return path, _stated_pixels(plan), _drawn(image_id)


def _drawn(image_id: str) -> str:
    """Return the name of an object that `edit_objects` made; empty: it is not one."""
    drawn = re.search(rf"{DRAWN}\d+$", image_id)
    return drawn[0] if drawn else ""


def _stated_pixels(plan: Json | None) -> str:
    """Return the pixels of a file as JSON, without what is chosen for all files of the dataset."""
    if plan is not None:
        stated = plan["stated"]
        plan = {name: value for name, value in plan.items() if name not in PLAN_COLUMNS or name in stated}
        if not stated and plan["region"] is None and not plan["other_files"]:
            plan = None
    return json.dumps(plan, sort_keys=True)


# Refuse what is said about images, and trainings, if the content of files changed since the dataset was read.
#
# A picture shows the file as it is now, and a label belongs to the content that was read. Without this check, the label
# of an exchanged file would move to other pixels when the dataset is read again.

_MOST_BYTES_READ = 10**9  # to compare files within a request: some seconds


def refuse_changed_files(connection: Connection, row: AnyRow, row_ids: Collection[int] | None = None) -> None:
    """Raise Conflict if the content of files differs from what was read, or from what was labeled.

    Files whose state and size are those that were read count as unchanged without reading them, and missing files are
    reported where they are read. If too many bytes would have to be read, files in an unknown state count as changed.

    Args:
        connection: a connection to the database.
        row: the row of the dataset.
        row_ids: the images; None: all of the dataset. With images, the connection is in a writing transaction: new
            states of files with the same content are stored.
    """
    is_affected = images.c.dataset_id == row.id if row_ids is None else are_rows(row.id, row_ids)
    columns = (
        images.c.row_id,
        images.c.path,
        images.c.shown_path,
        images.c.plan,
        images.c.file_state,
        images.c.content,
    )
    are_overwritten = is_affected & images.c.content_before.is_not(None)
    ids = connection.execute(select(images.c.image_id).where(are_overwritten)).scalars().all()
    if ids:
        raise Conflict("images-overwritten", n_images=len(ids), names=some(ids))
    is_known = images.c.content.is_not(None)
    rows = {image.row_id: image for image in connection.execute(select(*columns).where(is_affected, is_known))}
    files = {image: plan_of(each.plan)[0].files(Path(each.path)) for image, each in rows.items()}
    earlier = {image: (of_image, rows[image].file_state) for image, of_image in files.items()}

    def records_of(equal: Collection[int]) -> dict[int, ImageRecord]:
        order = select(images.c.row_id).where(are_rows(row.id, equal)).order_by(images.c.position)
        records = load_records(connection, row.id, row_ids=equal)
        return dict(zip(connection.execute(order).scalars(), records, strict=True))

    changed, states = compare_files(
        earlier,
        records_of,
        lambda image, record, digest: content_of(record, digest) == rows[image].content,
        most_bytes=_MOST_BYTES_READ,
    )
    if row_ids is not None:
        change_rows(connection, images, [{"row_id": image, "file_state": states[image]} for image in sorted(states)])
    if changed:
        names = [os.fspath(rows[image].shown_path) for image in sorted(changed)]
        raise Conflict("image-files-changed", n_images=len(changed), names=some(names))


def compare_files(
    earlier: Mapping[int, tuple[_Files, str | None]],
    records_of: Callable[[Collection[int]], Mapping[int, ImageRecord]],
    is_same: Callable[[int, ImageRecord, str], bool],
    *,
    most_bytes: float = math.inf,
) -> tuple[set[int], dict[int, str]]:
    """Compare the files of images with what was read earlier. Files in the same state are not read.

    Args:
        earlier: the files of each image, by a number, and their state when they were read; None: it is unknown.
        records_of: returns the records of these images.
        is_same: whether files with this hash are those that were read.
        most_bytes: the number of bytes to read at most; if it is exceeded, files in an unknown state count as changed.

    Returns:
        The images with other files, and the new states of those with the same files. Missing files are in neither.
    """
    state_now = states_of_images(files for files, _ in earlier.values())
    states = ((image, state_now[files], before) for image, (files, before) in earlier.items())
    touched = {image: (now, before) for image, now, before in states if now is not None and now != before}
    changed = {image for image, (now, before) in touched.items() if before and n_bytes_in(now) != n_bytes_in(before)}
    if not touched.keys() - changed:
        return changed, {}
    records = records_of(touched.keys() - changed)
    with FileHashes() as hashes:
        stored = zip(records, find_hashes(list(records.values()), hashes), strict=True)
        digest_of = {image: digest.hex() for image, digest in stored if digest is not None}
        unread = [image for image in records if image not in digest_of]
        if sum({earlier[image][0]: n_bytes_in(touched[image][0]) for image in unread}.values()) > most_bytes:
            changed.update(unread)
        else:
            digest_of |= zip(unread, hash_files([records[image] for image in unread], hashes), strict=True)
    same = {image: touched[image][0] for image, digest in digest_of.items() if is_same(image, records[image], digest)}
    changed.update(image for image, digest in digest_of.items() if digest and image not in same)
    return changed, same
