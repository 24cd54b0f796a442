"""The images that a run is about, found again where they were."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverslip.datasets import (
    SIDES,
    TABLE_NAMES,
    Dataset,
    ImageRecord,
    Opening,
    name_as_text,
    open_again,
    open_dataset,
    plain_name,
    some,
    with_classes,
)
from coverslip.errors import BadRun, CoverslipError, UnreadableImage
from coverslip.events import Emit, Progressed, ignore, progress_reporter
from coverslip.files import atomic_write
from coverslip.images import Decoded, ReadPlan, box_center, pixels_in_memory
from coverslip.messages import ChooseOther, Evaluate, note
from coverslip.runs.documents import read_table, write_table
from coverslip.runs.environment import Opened, images_opened
from coverslip.runs.folder import GIVEN_TABLE, Run, open_run
from coverslip.runs.recipe import Recipe
from coverslip.runs.split import SplitRow
from coverslip.stopping import BY_SIGNAL, Stop

_THREADS = 8  # more than cores: a network drive answers late
_EXAMPLES = 5


class ContentHashes:
    """Hashes of image files, each read once however many images it holds."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, data: Dataset, *, emit: Emit, stop: Stop = BY_SIGNAL) -> dict[str, str]:
        """The hashes of all files of each image, by its id; empty for a file that is not there."""
        files = {record.image_id: record.plan.files(record.path) for record in data.records if record.given is None}
        unknown = list(dict.fromkeys(file for each in files.values() for file in each if file not in self._known))
        tell = progress_reporter(emit, "hashing files", "files")
        for n, (file, digest) in enumerate(zip(unknown, _hashed(unknown), strict=True), start=1):
            self._known[file] = digest
            tell(n, len(unknown))
            stop.check()
        return {image_id: " ".join(self._known[file] for file in each) for image_id, each in files.items()}


def keep_content_hashes(run: Run, data: Dataset, *, emit: Emit, stop: Stop) -> None:
    """Leave in a run folder what the files of its images hold, when it begins."""
    if not run.content_hashes_file.is_file():
        hashes = ContentHashes().of(data, emit=emit, stop=stop)
        rows = ({"image_id": image_id, "blake2b": digest} for image_id, digest in hashes.items())
        write_table(run.content_hashes_file, ("image_id", "blake2b"), rows)


def refuse_changed_images(run: Run, data: Dataset, hashes: ContentHashes, *, emit: Emit) -> None:
    """Check that files hold what they held when the run began, where it came so far as to say so.

    Args:
        run: that is to be resumed.
        data: its images as they are now; those that the run does not know do not count.
        hashes: that may know these files already, of another run.
        emit: receives progress events.

    Raises:
        BadRun: some do not.
    """
    if not run.content_hashes_file.is_file():
        return
    before = {row["image_id"]: row["blake2b"] for row in read_table(run.content_hashes_file)}
    now = hashes.of(data, emit=emit)
    changed = [image_id for image_id, digest in now.items() if before.get(image_id, digest) != digest]
    if changed:
        raise BadRun(
            "changed-image-files",
            file=data.root,
            n_images=len(changed),
            n_all=len(before),
            names=some(changed, _EXAMPLES),
            examples=changed[:_EXAMPLES],
        )


def _hashed(files: list[Path]) -> Iterator[str]:
    pool = ThreadPoolExecutor(_THREADS)
    try:
        yield from pool.map(_hash_of, files)
    finally:
        pool.shutdown(cancel_futures=True)


def _hash_of(file: Path) -> str:
    try:
        if not file.is_file():  # a pipe would be waited for
            return ""
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""


_TELL_EVERY_S = 0.2


def kept_as_files(data: Dataset, run: Run, *, emit: Emit = ignore) -> Dataset:
    """The same images as files and a table in a run's folder, where they or their table were given in memory.

    Pixels are those that were given; a file is named after them, so that equal images lie there once. What was given
    as a path stays where it is.

    Args:
        data: images as they were opened; those of files and folders are given back as they are.
        run: of a training or an evaluation.
        emit: receives progress events.

    Raises:
        CoverslipError: the files cannot be written.
    """
    if not data.is_in_memory:
        return data
    group = _group_column(data)
    rows = []
    last_emitted = time.monotonic()
    for done, record in enumerate(data.records, start=1):
        rows.append(_row(record, group, run.given_images_folder))
        if time.monotonic() - last_emitted > _TELL_EVERY_S:
            last_emitted = time.monotonic()
            emit(Progressed(stage="keeping images", done=done, total=len(data.records)))
    names = dict.fromkeys(name for row in rows for name in row)
    table = run.given_images_folder / GIVEN_TABLE
    write_table(table, tuple(names), ({name: row.get(name, "") for name in names} for row in rows))
    stored = open_dataset(table, group=group, plan=data.opening.plan)
    return with_note(replace(stored, notes=data.notes), run)


def kept_sources(run: Run) -> tuple[str, ...]:
    """The table of what a run keeps, wherever its folder lies by now; empty where nothing was given in memory."""
    table = run.given_images_folder / GIVEN_TABLE
    return (str(table.absolute()),) if table.is_file() else ()


def with_note(data: Dataset, run: Run) -> Dataset:
    """The images of a run that keeps them, with a note that says so."""
    folder = run.given_images_folder.absolute()
    n = sum(record.path.parent == folder for record in data.records)
    return replace(data, notes=(*data.notes, note("given-in-memory", n_images=n, folder=folder.name)))


def _group_column(data: Dataset) -> str | None:
    """The name of the column of groups, its own unless the table needs it for something else."""
    if not data.has_groups:
        return None
    column = data.opening.group
    return column if column is not None and plain_name(column) not in TABLE_NAMES else "group"


def _row(record: ImageRecord, group: str | None, folder: Path) -> dict[str, str]:
    """What is known of an image, by the names of columns; its pixels are written if there is no file of them yet."""
    plan, path = record.plan, name_as_text(str(record.path))
    row = {"image_id": record.image_id, "path": path, "label": record.label or ""}
    if record.given is not None:
        row["path"] = _write_once(record, record.given, folder)
    if group is not None:
        row[group] = record.group or ""
    values: Mapping[str, object] = {"split": record.predefined_split, "domain": record.domain}
    row |= {name: str(value) for name, value in values.items() if value}
    if "plane" in record.stated:
        row["plane"] = str(plan.plane)
    if "channels" in record.stated and plan.channels is not None:
        row["channel"] = " ".join(map(str, plan.channels))
    if "other_files" in record.stated:
        row |= {f"channel_{n}": name_as_text(str(file)) for n, file in enumerate(plan.files(record.path)[1:], start=2)}
    if "box" in record.stated and plan.box is not None:
        row |= dict(zip(("x", "y", "width", "height"), map(str, plan.box), strict=True))
    if "point" in record.stated and plan.box is not None:
        row |= dict(zip(("x", "y"), map(str, box_center(plan.box)), strict=True))
    return row


def _write_once(record: ImageRecord, decoded: Decoded, folder: Path) -> str:
    """The name of a lossless file of all the image's pixels in the folder."""
    from tifffile import imwrite

    try:
        array = pixels_in_memory(record.path, decoded).array
    except UnreadableImage:
        array = decoded.array  # it will be refused again, for the same reason
    array = np.ascontiguousarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    digest.update(array.data)
    file = folder / f"{digest.hexdigest()[:32]}.tif"
    if not file.exists():
        colors = "rgb" if array.ndim == 3 and array.shape[2] == 3 else "minisblack"
        with atomic_write(file) as part:
            imwrite(part, array, photometric=colors, planarconfig="contig" if array.ndim == 3 else None)
    return file.name


def plan_of(recipe: Recipe) -> ReadPlan:
    """Which pixels of which files a recipe asks for."""
    return ReadPlan(
        plane=recipe.plane,
        channels=recipe.channels,
        channel_files=recipe.channel_files,
        crop_size=recipe.crop_size,
    )


def images_of(run: Run) -> Dataset:
    """The images of a run as they are now; later ones do not belong to it."""
    opened = run.environment.opened
    stored_sources = kept_sources(run)
    data = open_again(_opening(opened, stored_sources, run.recipe, opened.domains))
    data = with_classes(with_note(data, run) if stored_sources else data, run.recipe.classes)
    return _chosen(data, {row.image_id for row in run.split}) if run.split else data


def evaluated_images_of(evaluation: Run) -> Dataset:
    """The images of an evaluation as they are now.

    Raises:
        BadRun: it was not measured.
        CoverslipError: their folder or table is not there.
    """
    images = evaluation.evaluated_images
    if images is None:
        raise BadRun("evaluation-without-metrics", file=evaluation.folder)
    recipe = evaluation.whole.recipe
    return open_again(_opening(images.opened, kept_sources(evaluation), recipe, ()))


def _opening(
    opened: Opened, stored_sources: tuple[str, ...], recipe: Recipe, domains: tuple[str | None, ...]
) -> Opening:
    """How images are opened again; tables that a run keeps have columns of the usual names."""
    plan = plan_of(recipe)
    if opened.crop_size is not None:
        plan = plan.model_copy(update={"crop_size": opened.crop_size})
    return Opening(
        sources=stored_sources or opened.sources,
        group=opened.group,
        group_pattern=opened.group_pattern,
        plan=plan,
        domains=domains,
        columns={} if stored_sources else opened.columns,
    )


def same_images(run: Run) -> Dataset:
    """Return the images of a run that is to be resumed.

    Raises:
        BadRun: some are missing, or their description changed.
    """
    data = images_of(run)
    if images_opened(data).fingerprints != run.environment.fingerprints:
        raise BadRun("run-images-changed", file=data.root)
    return data


def held_out_images(run: Run) -> Dataset:
    """Return the test images of a run.

    Raises:
        BadRun: some are missing, or their description changed.
    """
    rows = {row.image_id: row for row in run.split if row.split == "test"}
    data = _chosen(images_of(run), rows)
    n_gone = len(rows) - len(data.records)
    n_changed = sum(not rows[record.image_id].describes(record) for record in data.records)
    if n_gone or n_changed:
        raise BadRun(
            "test-images-missing" if n_gone else "test-images-changed",
            file=data.root,
            n_images=n_gone or n_changed,
            n_all=len(rows),
            remedies=(Evaluate(str(run.folder), on_other_images=True),),
        )
    return data


def refuse_other_images(evaluation: Run, data: Dataset) -> None:
    """An evaluation is measured again on its own images only; others need a folder of their own.

    Args:
        evaluation: that may have been measured before.
        data: images as they are measured. Those that were given in memory are known by ids, labels and groups.
    """
    before, now = evaluation.evaluated_images, images_opened(data)
    if not evaluation.is_measured or before is None:
        return
    is_same = (
        before.fingerprints == now.fingerprints if data.is_in_memory else before.opened.sources == now.opened.sources
    )
    if not is_same:
        raise BadRun("evaluation-name-taken", file=evaluation.folder, remedies=(ChooseOther("name"),))


def _chosen(data: Dataset, image_ids: Iterable[str]) -> Dataset:
    chosen_ids = frozenset(image_ids)
    return data.chosen(i for i, record in enumerate(data.records) if record.image_id in chosen_ids)


_Pixels = tuple[str, ReadPlan, tuple[int, int] | None]  # a file, which of its pixels a table states, and its point


def keeping_split(data: Dataset, recipe: Recipe) -> Dataset:
    """The images, each in the part that it took in the run that the recipe's `split.run` names, if it names one.

    Images that were excluded then, or were added since, have no set: they join the training set, or the set of their
    group or of an equal image.

    Raises:
        BadRun: there is no such run, it has folds or no split yet, or none of these images were in it.
    """
    if recipe.split.run is None:
        return data
    run = open_run(Path(recipe.split.run))
    rows = _rows_of_one_split(run)
    by_pixels, not_there = _found_again(run, rows)
    parts = [_row_of(record, by_pixels) or not_there.get(record.image_id) for record in data.records]
    if not any(parts):
        raise BadRun("no-image-of-split-run", file=run.folder)
    records = [
        replace(record, predefined_split=row.split if row is not None and row.split in SIDES else None)
        for record, row in zip(data.records, parts, strict=True)
    ]
    return replace(data, records=tuple(records))


def earlier_test_labels(run: Run, earlier: Run) -> dict[str, str]:
    """What test images of a run were labeled as test images of the run whose split it keeps.

    Images are found again as `keeping_split` finds them: one that another folder was added to has other ids now.

    Returns:
        By the ids of `run`; without images that were no test images then.
    """
    by_pixels, not_there = _found_again(earlier, {row.image_id: row for row in earlier.split})
    here: dict[str, ImageRecord] = {}
    with suppress(CoverslipError):
        here = {record.image_id: record for record in images_of(run).records}
    labels = {}
    for row in run.split:
        record = here.get(row.image_id)
        before = (_row_of(record, by_pixels) if record is not None else None) or not_there.get(row.image_id)
        if before is not None and before.split == row.split == "test":
            labels[row.image_id] = before.label
    return labels


def _rows_of_one_split(run: Run) -> dict[str, SplitRow]:
    rows = {row.image_id: row for row in run.split}
    if not rows:
        raise BadRun("run-without-split", file=run.folder)
    if any(row.fold for row in rows.values()):
        raise BadRun("split-run-has-folds", file=run.folder)
    return rows


def _found_again(run: Run, rows: dict[str, SplitRow]) -> tuple[dict[_Pixels, SplitRow], dict[str, SplitRow]]:
    """Rows by their pixels, and by their id those whose file is not where it was: its folder may have been moved."""
    records: tuple[ImageRecord, ...] = ()
    with suppress(CoverslipError):
        records = tuple(record for record in images_of(run).records if record.is_there)
    there = {record.image_id for record in records}
    by_pixels: dict[_Pixels, SplitRow] = {}
    for record in records:
        for pixels in _pixels_of(record) if record.image_id in rows else ():
            by_pixels.setdefault(pixels, rows[record.image_id])
    return by_pixels, {image_id: row for image_id, row in rows.items() if image_id not in there}


def _row_of(record: ImageRecord, by_pixels: Mapping[_Pixels, SplitRow]) -> SplitRow | None:
    return next((by_pixels[pixels] for pixels in _pixels_of(record) if pixels in by_pixels), None)


def _pixels_of(record: ImageRecord) -> list[_Pixels]:
    """Return the keys that identify an image, also if a recipe reads another plane or channels of it; best first.

    A crop is also known by its center. Tables state the same crops as points, or as boxes beside other boxes.
    """
    values = {name: getattr(record.plan, name) for name in record.stated - {"point"}}
    pixels: list[_Pixels] = [] if "point" in record.stated else [(str(record.path), ReadPlan(**values), None)]
    if record.plan.box is not None and record.stated & {"point", "box"}:
        values.pop("box", None)
        pixels.append((str(record.path), ReadPlan(**values), box_center(record.plan.box)))
    return pixels
