"""Images to predict: files, folders, patterns and tables, in their order. Labels come from tables only."""

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from coverslip.datasets.index.folders import has_image_suffix, list_images, no_images
from coverslip.datasets.index.patterns import (
    common_root,
    folder_has_no_columns,
    grouped_by_pattern,
    nearest_spelling,
    refuse_closed,
)
from coverslip.datasets.index.records import (
    Dataset,
    ImageRecord,
    Opening,
    Source,
    absolute_path,
    name_as_text,
    natural_key,
    one_line,
)
from coverslip.datasets.index.table import Table
from coverslip.datasets.index.table_columns import with_mapping
from coverslip.datasets.index.table_files import is_table, read_table
from coverslip.datasets.index.tables import open_table
from coverslip.errors import BadDataset
from coverslip.images import ReadPlan
from coverslip.messages import Note, note


def open_unlabeled(
    sources: Sequence[str | Path | Table], opening: Opening, may_read: Callable[[Path], bool] | None = None
) -> Dataset:
    """Return the images of these sources as one dataset without domains. Repeated images are used once.

    Args:
        sources: paths and tables.
        opening: how they are opened.
        may_read: as of `open_dataset`.

    Raises:
        BadDataset: there are none, or a table or pattern is invalid.
    """
    group, pattern = opening.group, opening.group_pattern
    plan = opening.plan_of_each.model_copy(update={"crop_size": None})
    records: list[ImageRecord] = []
    notes: list[Note] = []
    roots: list[Path] = []
    n_tables = 0
    for source in sources:
        path = source.path if isinstance(source, Table) else absolute_path(source)
        if not isinstance(source, Table):
            refuse_closed(path)
        if isinstance(source, Table) or (is_table(path) and path.is_file()):
            table = source if isinstance(source, Table) else read_table(path)
            rows, more = open_table(
                with_mapping(table, opening.columns),
                opening.plan_of_each,
                group=group,
                wants_groups=False,
                labeled=False,
                may_read=may_read,
            )
            records += rows
            notes += more
            roots.append(path.parent)
            n_tables += 1
        elif path.is_dir():
            listing = list_images(path)
            if not listing.images:
                raise no_images(path, listing)
            start = "" if len(sources) == 1 else f"{os.fspath(source).rstrip(os.sep)}/"
            records += [
                ImageRecord(name_as_text(start + "/".join(p)), path.joinpath(*p), None, None, "", None, plan)
                for p in listing.images
            ]
            notes += listing.notes()
            roots.append(path)
        elif os.path.lexists(path) or (has_image_suffix(path.name) and not glob.has_magic(os.fspath(source))):
            records.append(_one_file(os.fspath(source), path, plan))
            roots.append(path.parent)
        else:
            matched = _matching(os.fspath(source), path)
            records += [_one_file(name, absolute_path(name), plan) for name in matched]
            roots += [absolute_path(name).parent for name in matched]
    if group is not None and not n_tables:
        raise folder_has_no_columns(roots[0], group)
    if not any(record.is_there for record in records):
        path = records[0].path
        raise BadDataset("no-image-exists", file=path, n_images=len(records), advice=nearest_spelling(path))
    distinct = list(dict.fromkeys(records))
    if len(distinct) < len(records):
        notes.append(note("given-twice", n_images=len(records) - len(distinct)))
    root = common_root(roots)
    if pattern is not None:
        distinct, more = grouped_by_pattern(distinct, root, pattern)
        notes += more
    kind: Source = "table" if n_tables == len(sources) else "files"
    return Dataset(root, kind, tuple(distinct), tuple(notes))


def open_image_file(path: Path) -> Dataset:
    """Return one image without a label, whatever its suffix: a file named `.csv` is not read as a table."""
    record = _one_file(os.fspath(path), path, ReadPlan())
    return Dataset(path.parent, "files", (record,), ())


def _one_file(name: str, path: Path, plan: ReadPlan) -> ImageRecord:
    return ImageRecord(name_as_text(name.replace(os.sep, "/")), path, None, None, "", None, plan)


def _matching(pattern: str, path: Path) -> list[str]:
    """Return the files that match a pattern such as `new/*.tif`, in natural order, with the images of folders."""
    if not glob.has_magic(pattern):
        raise BadDataset("no-such-file-or-folder", file=path, advice=nearest_spelling(path))
    images: list[str] = []
    home = os.path.expanduser(pattern)  # noqa: PTH111 - Path.expanduser raises on a file named ~cell.tif
    names = glob.glob(home, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
    for name in sorted(names, key=natural_key):
        if Path(name).is_dir():
            images += [os.fspath(Path(name, *names_below)) for names_below in list_images(absolute_path(name)).images]
        elif has_image_suffix(name):
            images.append(name)
    if not images:
        raise BadDataset("no-match", pattern=one_line(pattern))
    return list(dict.fromkeys(images))
