"""The images of a run, opened again: all of them, or the file and pixels of one."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coverslip.cache.file_hashes import FileHashes
from coverslip.datasets.columns import is_image_column
from coverslip.datasets.content_hashes import hash_files
from coverslip.datasets.index.classes import with_classes
from coverslip.datasets.index.opening import open_dataset, reopen_dataset
from coverslip.datasets.index.records import SIDES, Dataset, ImageFinder, ImageRecord, Opening
from coverslip.datasets.names import name_as_text, name_from_text, some
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.errors import BadRun, CoverslipError, UnreadableImage
from coverslip.events import Emit, ignore, progress_reporter
from coverslip.files import atomic_write, resolved_path, stated_paths
from coverslip.images.decoding import read_pixels
from coverslip.images.output import small_picture_of
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reader import PLAN_COLUMNS, Decoded, PixelSize, ReadPlan, box_center
from coverslip.images.reading import pixels_in_memory
from coverslip.messages import ChooseOther, Evaluate, note
from coverslip.runs.documents import rows_of_table, table_text, write_table
from coverslip.runs.folder import IN_MEMORY_TABLE, Run, open_run
from coverslip.runs.recipe import Recipe
from coverslip.runs.split import SplitRow
from coverslip.runs.status import Opened, images_opened
from coverslip.stopping import BY_SIGNAL

_EXAMPLES = 5


def write_content_hashes(run: Run, data: Dataset, scan: Scan) -> None:
    """Write the hashes of the files and pixels that a run scanned to its folder, unless they were written before."""
    if not run.content_hashes_file.is_file():
        scanned = zip(data.records, scan.content_hashes, scan.facts, strict=True)
        rows = (
            {
                "image_id": record.image_id,
                "sha256": digest,
                "pixel_hash": facts.pixel_hash if isinstance(facts, PixelFacts) else "",
            }
            for record, digest, facts in scanned
            if record.in_memory is None
        )
        write_table(run.content_hashes_file, ("image_id", "sha256", "pixel_hash"), rows)


class UnchangedImages:
    """Compares image files with those at the start of runs. Each file is read at most once for all runs."""

    def __init__(self) -> None:
        self._hashes: dict[tuple[Path, ...], str] = {}  # of the files of an image

    def check(self, run: Run, data: Dataset, *, emit: Emit) -> None:
        """Check that image files have not changed since the start of a run, if it has hashes of them.

        Args:
            run: to be resumed.
            data: its images as they are now. Images without a hash are ignored.
            emit: receives progress events.

        Raises:
            BadRun: files have changed.
        """
        if not run.content_hashes_file.is_file():
            return
        before = {row["image_id"]: row["sha256"] for row in rows_of_table(run.content_hashes_file)}
        records = [record for record in data.records if record.in_memory is None]
        self._hash([record for record in records if record.files not in self._hashes], emit)
        current = ((record.image_id, self._hashes[record.files]) for record in records)
        changed = [image_id for image_id, digest in current if before.get(image_id, digest) != digest]
        if changed:
            raise BadRun(
                "changed-image-files",
                file=data.root,
                n_images=len(changed),
                n_all=len(before),
                names=some(changed, _EXAMPLES),
                examples=changed[:_EXAMPLES],
            )

    def _hash(self, records: Sequence[ImageRecord], emit: Emit) -> None:
        emit_progress = progress_reporter(emit, "hashing-files", "files")
        with FileHashes() as hashes:
            digests = hash_files(records, hashes, on_progress=lambda n: emit_progress(n, len(records)))
            for record, digest in zip(records, digests, strict=True):
                self._hashes[record.files] = digest
                BY_SIGNAL.check()


_COPY = re.compile(r" copy \d+$")


def copy_id(image_id: str, k: int) -> str:
    """Return the image_id of the k-th augmented copy of an image (`split.copies`)."""
    return f"{image_id} copy {k}"


def original_id(image_id: str) -> str:
    """Return the image_id of the image of which this is an augmented copy, or the same image_id."""
    return _COPY.sub("", image_id)


def write_in_memory_images(data: Dataset, run: Run, *, emit: Emit = ignore) -> Dataset:
    """Write images and tables from memory to the folder of a run, and return the images opened from there.

    Files are lossless and named after their pixels, so that equal images are written once. Images with a path are not
    copied.

    Args:
        data: images as they were opened. Images from files and folders are returned unchanged.
        run: of a training or an evaluation.
        emit: receives progress events.

    Raises:
        CoverslipError: the files cannot be written.
    """
    if not data.is_in_memory:
        return data
    return with_note(replace(write_records(data, data.records, len(data), run, emit=emit), notes=data.notes), run)


def write_records(data: Dataset, records: Iterable[ImageRecord], n: int, run: Run, *, emit: Emit = ignore) -> Dataset:
    """Write images from memory, and a table of all images, to the folder of a run; return the images of the table.

    Args:
        data: the dataset of the images, for their groups and their plan.
        records: the images; those with a path are not copied.
        n: the number of images.
        run: of a training or an evaluation.
        emit: receives progress events.
    """
    group, stated = _group_column(data), stated_paths(run.in_memory_folder)
    rows = []
    emit_progress = progress_reporter(emit, "storing-images", "images")
    for done, record in enumerate(records, start=1):
        row = cells_of(record, group, stated)
        if record.in_memory is not None:
            row["path"] = _write_once(record, record.in_memory, run.in_memory_folder)
        rows.append(row)
        emit_progress(done, n)
    table = run.in_memory_folder / IN_MEMORY_TABLE
    _write_rows(rows, table)
    return open_dataset(table, group=group, plan=data.opening.plan)


def _write_rows(rows: Sequence[Mapping[str, str]], table: Path) -> None:
    names = dict.fromkeys(name for row in rows for name in row)
    write_table(table, tuple(names), ({name: row.get(name, "") for name in names} for row in rows))


def write_image_table(data: Dataset, table: Path) -> None:
    """Write a table that opens as these images: their groups, labels, domains, and what their records state."""
    group, stated = _group_column(data), stated_paths(table.parent)
    _write_rows([cells_of(record, group, stated) for record in data.records], table)


def image_table_text(table: Path, stated: Callable[[str], str]) -> str:
    """Return the content of a table that `write_image_table` or `write_records` wrote, with other paths.

    Args:
        table: the file.
        stated: returns the path to write instead of one in the table.

    Raises:
        BadRun: the table is missing or damaged.
    """
    rows = list(rows_of_table(table))
    for row in rows:
        row |= {
            name: name_as_text(stated(name_from_text(cell)))
            for name, cell in row.items()
            if cell and (name == "path" or name.startswith("channel_"))
        }
    return table_text(list(rows[0]), rows)


def in_memory_sources(run: Run) -> tuple[str, ...]:
    """Return the path of the table of images from memory at the current place of the run; empty without such images."""
    table = run.in_memory_folder / IN_MEMORY_TABLE
    return (str(table.absolute()),) if table.is_file() else ()


def with_note(data: Dataset, run: Run) -> Dataset:
    """Return the images of a run with images from memory, with a note on these."""
    if run.recipe_file.is_file() and run.recipe.split.copies:  # these images were not in memory
        return data
    folder = run.in_memory_folder.absolute()
    n = sum(record.path.parent == folder for record in data.records)
    return replace(data, notes=(*data.notes, note("given-in-memory", n_images=n, folder=folder.name)))


def _group_column(data: Dataset) -> str | None:
    """Return the name of the column of groups: that of the dataset, or `group` if that name is reserved."""
    column = data.opening.group
    if not data.has_groups and column is None:
        return None
    return column if column is not None and not is_image_column(column) else "group"


def cells_of(record: ImageRecord, group: str | None = "group", stated: Callable[[str], str] = str) -> dict[str, str]:
    """Return the cells of an image in a table that opens as this image, by column names.

    Args:
        record: the image.
        group: the column of its group.
        stated: returns the path in the table of an absolute path, as `stated_paths`.
    """
    plan = record.plan
    first, *others = (name_as_text(stated(str(file))) for file in plan.files(record.path))
    row = {"image_id": record.image_id, "path": first, "label": record.label or ""}
    if group is not None:
        row[group] = record.group or ""
    values: Mapping[str, object] = {"split": record.predefined_split, "domain": record.domain}
    row |= {name: str(value) for name, value in values.items() if value}
    row |= {name: plan.cell(name) for name in PLAN_COLUMNS if name in record.stated}
    if "other_files" in record.stated:
        row |= {f"channel_{n}": file for n, file in enumerate(others, start=2)}
    if "region" in record.stated and plan.region is not None:
        row |= dict(zip(("x", "y", "width", "height"), map(str, plan.region), strict=True))
    if "point" in record.stated and plan.region is not None:
        row |= dict(zip(("x", "y"), map(str, box_center(plan.region)), strict=True))
    return row


def _write_once(record: ImageRecord, decoded: Decoded, folder: Path) -> str:
    """Write the pixels to a lossless file in the folder unless it exists, and return the name of the file."""
    from tifffile import imwrite

    try:
        array = pixels_in_memory(record.path, decoded).array
    except UnreadableImage:
        array = decoded.array  # written as it is, to be reported as unreadable when it is read
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
    """Return the reading options of a recipe."""
    return ReadPlan(
        **dict(recipe.images),
        channel_files=recipe.channel_files,
        crop_size=recipe.crop_size,
        crop_margin=recipe.crop_margin,
    )


def images_of(run: Run) -> Dataset:
    """Return the images of a run as they are now, without images that were added later."""
    opened = run.environment.opened
    stored_sources = in_memory_sources(run)
    data = reopen_dataset(_opening(opened, stored_sources, run.recipe, opened.domains))
    data = with_classes(with_note(data, run) if stored_sources else data, run.recipe.classes)
    return _chosen(data, {row.image_id for row in run.split}) if run.split else data


def evaluated_images_of(evaluation: Run) -> Dataset:
    """Return the images of an evaluation as they are now.

    Raises:
        BadRun: the evaluation has no metrics.
        CoverslipError: the folder or table of the images is missing.
    """
    images = evaluation.evaluated_images
    if images is None:
        raise BadRun("evaluation-without-metrics", file=evaluation.folder)
    recipe = evaluation.parent_run.recipe
    return reopen_dataset(_opening(images.opened, in_memory_sources(evaluation), recipe, ()))


def _opening(
    opened: Opened, stored_sources: tuple[str, ...], recipe: Recipe, domains: tuple[str | None, ...]
) -> Opening:
    """Return the options to open images again. Tables that a run has written have standard column names."""
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
        channels=opened.channels,
    )


def unchanged_images(run: Run) -> Dataset:
    """Return the images of a run that is to be resumed.

    Raises:
        BadRun: images are missing, or their descriptions have changed.
    """
    data = images_of(run)
    if images_opened(data).fingerprints != run.environment.fingerprints:
        raise BadRun("run-images-changed", file=data.root)
    return data


def held_out_images(run: Run) -> Dataset:
    """Return the test images of a run.

    Raises:
        BadRun: images are missing, or their descriptions have changed.
    """
    rows = {row.image_id: row for row in run.split if row.split == "test"}
    data = _chosen(images_of(run), rows)
    n_missing = len(rows) - len(data.records)
    n_changed = sum(not rows[record.image_id].describes(record) for record in data.records)
    if n_missing or n_changed:
        raise BadRun(
            "test-images-missing" if n_missing else "test-images-changed",
            file=data.root,
            n_images=n_missing or n_changed,
            n_all=len(rows),
            remedies=(Evaluate(str(run.folder), on_other_images=True),),
        )
    return data


def refuse_other_images(evaluation: Run, data: Dataset) -> None:
    """Raise BadRun if the evaluation has metrics of other images than these.

    Args:
        evaluation: possibly with metrics.
        data: images to be evaluated. Images from memory are compared by ids, labels and groups, others by sources.
    """
    before, current = evaluation.evaluated_images, images_opened(data)
    if not evaluation.is_measured or before is None:
        return
    is_same = (
        before.fingerprints == current.fingerprints
        if data.is_in_memory
        else before.opened.sources == current.opened.sources
    )
    if not is_same:
        raise BadRun("evaluation-name-taken", file=evaluation.folder, remedies=(ChooseOther("name"),))


def _chosen(data: Dataset, image_ids: Iterable[str]) -> Dataset:
    chosen_ids = frozenset(image_ids)
    return data.subset(i for i, record in enumerate(data.records) if record.image_id in chosen_ids)


def apply_earlier_split(data: Dataset, recipe: Recipe) -> Dataset:
    """Return the images with the sets of the run that the recipe's `split.run` names, if it names one.

    Images that were excluded or did not exist in that run have no set: they join the set of their group or of their
    duplicates, or the training set.

    Raises:
        BadRun: the run does not exist, has folds or no split, or has none of these images.
    """
    if recipe.split.run is None:
        return data
    run = open_run(Path(recipe.split.run))
    rows = _rows_of_one_split(run)
    earlier = _EarlierRows(run, rows)
    earlier_rows = [earlier.find(record) or earlier.of_moved(record.image_id) for record in data.records]
    if not any(earlier_rows):
        raise BadRun("no-image-of-split-run", file=run.folder)
    records = [
        replace(record, predefined_split=row.split if row is not None and row.split in SIDES else None)
        for record, row in zip(data.records, earlier_rows, strict=True)
    ]
    return replace(data, records=tuple(records))


def previous_test_labels(run: Run, earlier: Run) -> dict[str, str]:
    """Return the labels that the test images of a run had as test images of the run whose split it uses.

    Images are matched as by `apply_earlier_split`, since ids change if another folder is added.

    Returns:
        Labels by the ids of `run`, without images that were not test images of the earlier run.
    """
    earlier_rows = _EarlierRows(earlier, {row.image_id: row for row in earlier.split})
    records: dict[str, ImageRecord] = {}
    with suppress(CoverslipError):
        records = {record.image_id: record for record in images_of(run).records}
    labels = {}
    for row in run.split:
        record = records.get(row.image_id)
        before = earlier_rows.find(record) if record is not None else None
        before = before or earlier_rows.of_moved(row.image_id)
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


class _EarlierRows:
    """The rows of a split, found by the images of another run, whose IDs change if another folder is added."""

    def __init__(self, run: Run, rows: dict[str, SplitRow]) -> None:
        records: tuple[ImageRecord, ...] = ()
        with suppress(CoverslipError):
            records = tuple(record for record in images_of(run).records if record.exists)
        available = {record.image_id for record in records}
        listed = [record for record in records if record.image_id in rows]
        self._rows = [rows[record.image_id] for record in listed]
        self._finder = ImageFinder((str(record.path), record.plan, record.stated) for record in listed)
        self._moved = {image_id: row for image_id, row in rows.items() if image_id not in available}

    def find(self, record: ImageRecord) -> SplitRow | None:
        """Return the row of an image by its file and pixels."""
        index = self._finder.find(str(record.path), record.plan, record.stated)
        return None if index is None else self._rows[index]

    def of_moved(self, image_id: str) -> SplitRow | None:
        """Return the row of an ID whose file is missing, as after its folder was moved."""
        return self._moved.get(image_id)


@dataclass(frozen=True, slots=True)
class ImageSource:
    """The file of an image, and how it is read."""

    file: Path
    plan: ReadPlan


def image_files(run: Run) -> dict[str, str]:
    """Return the path of the file of each image of a run's split by the image's id. No file is opened."""
    domains = run.environment.data if run.environment_file.is_file() else ()
    roots = {domain.domain: Path(domain.root) for domain in domains}
    return {row.image_id: resolved_path(name_from_text(row.path), roots.get(row.domain, Path())) for row in run.split}


PICTURE_PX = 160


@dataclass(frozen=True, slots=True)
class Picture:
    """An image for a report."""

    width_px: int  # of the image
    height_px: int
    pixel_size_um: PixelSize | None  # of the image; None: unknown
    pixels: npt.NDArray[np.uint8]  # (height, width, 1 or 3) uint8, at most `PICTURE_PX` wide and high


class ImageLookup:
    """The images of a run or an evaluation by their ids.

    A path does not identify an image, since rows of a table can be boxes, planes or channels of one file.

    Args:
        run: of a training or an evaluation.
        opened: its images; default: they are opened again at the first access.
    """

    def __init__(self, run: Run, opened: Dataset | None = None) -> None:
        self._run, self._opened = run, opened
        self._pictures: dict[str, Picture | None] = {}

    def find(self, image_id: str) -> ImageSource | None:
        """Return the file of an image and how it is read; None if the image is no longer available."""
        record = self._records.get(image_id)
        return None if record is None else ImageSource(record.path, record.plan)

    def picture(self, image_id: str) -> Picture | None:
        """Return a small picture of an image, which is decoded once; None if the image cannot be read any more."""
        if image_id not in self._pictures:
            self._pictures[image_id] = self._read_picture(image_id)
        return self._pictures[image_id]

    def _read_picture(self, image_id: str) -> Picture | None:
        source = self.find(image_id)
        if source is None:
            return None
        try:
            pixels = read_pixels(source.file, source.plan)
        except CoverslipError:
            return None
        height, width = pixels.array.shape[:2]
        return Picture(width, height, pixels.pixel_size_um, small_picture_of(pixels, PICTURE_PX))

    def domains(self) -> dict[str, str]:
        """Return the domain of each image that is still available, by its id."""
        return {image_id: record.domain for image_id, record in self._records.items()}

    def groups(self) -> dict[str, str]:
        """Return the group of each image that is still available by its id; empty for an image without one."""
        return {image_id: record.group or "" for image_id, record in self._records.items()}

    def pixel_hashes(self, image_ids: Iterable[str]) -> dict[str, str]:
        """Return the hash of the pixels of each of these images that is still available and readable, by its id."""
        if self._data is None:
            return {}
        ids = set(image_ids)
        data = self._data.subset(i for i, record in enumerate(self._data.records) if record.image_id in ids)
        return {
            record.image_id: facts.pixel_hash
            for record, facts in zip(data.records, scan_images(data).facts, strict=True)
            if isinstance(facts, PixelFacts)
        }

    @cached_property
    def _records(self) -> dict[str, ImageRecord]:
        return {} if self._data is None else {record.image_id: record for record in self._data.records}

    @cached_property
    def _data(self) -> Dataset | None:
        if self._opened is not None:
            return self._opened
        try:
            return evaluated_images_of(self._run) if self._run.is_evaluation else images_of(self._run)
        except CoverslipError:  # the folder or table was moved
            return None
