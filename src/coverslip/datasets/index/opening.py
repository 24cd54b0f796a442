"""Open datasets without decoding images: labeled and unlabeled sources, domains, and groups by a pattern."""

import difflib
import glob
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coverslip.datasets.columns import OBJECT_TABLE, find_column
from coverslip.datasets.index.folders import labels_of_folders, list_images, no_images, open_folder, with_channel_files
from coverslip.datasets.index.image_tables import SHEET_SUFFIXES, ImageTable, gives_labels, read_table, with_mapping
from coverslip.datasets.index.in_memory import Axes, as_sources
from coverslip.datasets.index.records import Dataset, ImageRecord, Opening, Origin, Source
from coverslip.datasets.index.table_rows import GROUPED_BY_FIELD, open_table
from coverslip.datasets.names import (
    absolute_path,
    has_image_suffix,
    name_as_text,
    natural_key,
    one_line,
    posix_below,
    printable,
    some,
    source_name,
)
from coverslip.datasets.text_tables import PLAIN_TABLE_SUFFIXES, is_table
from coverslip.errors import BadDataset
from coverslip.files import access_fault
from coverslip.images.formats import is_image_folder
from coverslip.images.preprocessing import Depth
from coverslip.images.reader import Channel, ReadPlan, box_center
from coverslip.messages import GroupBy, Note, note, text

# A path, an array, a Pillow image, a table, or an iterable of these; see `as_sources`.
ImageSource = Any  # no type covers every object that becomes an array or has columns

_WHOLE_FIRST_PLANE = ReadPlan()
_MOST_BYTES = 100_000_000  # of a table that is searched for beside images


def open_dataset(
    source: ImageSource,
    *,
    group: str | None = None,
    group_pattern: str | None = None,
    columns: Mapping[str, str] | None = None,
    crop_size: int | str | None = None,
    channels: Sequence[Channel] | None = None,
    plan: ReadPlan = _WHOLE_FIRST_PLANE,
    labeled: bool = True,
    distinct: bool = False,
    with_split: bool = True,
    domains: Sequence[str | None] | None = None,
    axes: Axes = "HWC",
    depth: Depth | None = None,
    may_read: Callable[[Path], bool] | None = None,
) -> Dataset:
    """List the images of a folder, a table, or several of them, without decoding any.

    Args:
        source: a folder of class folders (optionally under train / val / test), or a table with the columns path and
            label (a CSV or TSV file, or in memory a dictionary of columns or a data frame, whose column `image` may
            contain arrays or Pillow images), or a tuple `(X, y)` of images and their labels. Several sources become one
            dataset, each a domain. With `labeled=False`, sources can also be images (files or in memory), folders
            without classes, and patterns such as `new/*.tif`.
        group: column of the table with the groups that a split must not divide (patient, slide, well).
        group_pattern: regular expression for the group in each path relative to the folder or table, with several
            sources without labels to the folder that contains all: the part named `group`, else the first part in
            parentheses, else the whole match.
        columns: the column of each meaning, if it does not have an accepted name: `{"path": "File", "label": "Class"}`.
            Keys are path, label, group, split, image_id, domain, x, y, width, height and the like. An empty name means
            that the table has no such column.
        crop_size: side of the square that is cropped around each point (x, y) or the center of each box of a table, in
            pixels, or in µm (`"32 um"`), which applies to the center of whole images, too.
        channels: numbers from 0, or names in the files, of the channels to read, in this order, for training and
            prediction, unless a row of the table states them. None: all for training, those of the training for
            prediction.
        plan: the pixels and files to read for each image, unless a row of the table states them.
        labeled: False for images to predict. Labels then come from a table's label column only. An image that is listed
            again stays: the second one gets the image_id `NAME (2)`.
        distinct: whether images to predict that are listed again count once, as labeled images always do.
        with_split: False if the sets of a table are not needed: then only the value `excluded` matters, and any other
            is accepted.
        domains: the name of each source's domain. None takes the name of its folder. Sources with the same name
            form one domain. A column of the table takes precedence.
        axes: of arrays of color images: channels last or first. Arrays are not copied, so do not change them.
        depth: pixel depth of arrays of 32-bit and 64-bit integers. None takes uint8 if all values fit, else uint16.
        may_read: returns whether a file may be opened for its width and height, if boxes are relative to them. None
            allows all files.

    Raises:
        BadDataset: there are no images, no class folders, a column or the crop size of points is missing, a pattern
            matches nothing, or there are not as many domains as sources.

    Examples:
        >>> data = cs.open_dataset("my_cells/", group_pattern=r"slide\\d+")
        >>> len(data), data.classes, data[0].group
        (54, ('lymphocyte', 'monocyte'), 'slide0')
        >>> data = cs.open_dataset("my_cells.csv", group="patient")
        >>> import numpy as np
        >>> X, y = np.zeros((4, 32, 32, 3), np.uint8), ["a", "b", "a", "b"]
        >>> len(cs.open_dataset((X, y)))
        4
    """
    columns = dict(columns or {})
    if columns.get("group"):
        group = group or columns["group"]
        del columns["group"]
    if crop_size is not None:
        try:
            plan = ReadPlan.model_validate({**plan.model_dump(), "crop_size": crop_size})
        except ValueError as error:
            raise BadDataset("crop-size-out-of-range", crop_size=crop_size) from error
    if channels is not None:
        channels = tuple(channels)
        plan = plan.model_copy(update={"channels": channels})
    sources = as_sources(source, axes, depth)
    if not sources:
        raise BadDataset("no-images-given", is_labeled=labeled)
    if group is not None and group_pattern is not None:
        raise BadDataset("column-and-pattern")
    names = tuple(domains) if domains is not None and any(domains) else ()
    if names and len(names) != len(sources):
        raise BadDataset("unequal-domains", n_domains=len(names), n_sources=len(sources))
    recorded = tuple(map(_recorded_source, sources))
    opening = Opening(recorded, group, group_pattern, plan, names, columns, channels=channels)
    distinct = distinct or labeled
    if labeled:
        opened = [_open_labeled(each, opening, may_read, with_split=with_split) for each in sources]
        path_of = opened[0].relative_path
    else:
        each_alone = [[each] for each in sources] if names else [sources]
        opened = [
            _open_unlabeled(together, opening, distinct, may_read, with_split=with_split) for together in each_alone
        ]
        path_of = replace(opened[0], root=common_root([each.root for each in opened])).relative_path
        if group_pattern is not None:
            opened = [with_pattern_groups(each, path_of, group_pattern) for each in opened]
    if group_pattern is not None:
        check_pattern(opened, path_of, group_pattern)
    dataset = with_unique_ids(_with_domains(opened, names, distinct, group))  # the plan has no part in the names
    dataset = replace(with_channel_files(dataset, plan), opening=opening)
    if channels is not None:  # another plan, such as that of a classifier, does not change them
        shared: dict[frozenset[str], frozenset[str]] = {}
        for record in (*dataset.records, *dataset.excluded):
            shared.setdefault(record.stated, record.stated | {"channels"})
        records, excluded = (
            tuple(replace(record, stated=shared[record.stated]) for record in each)
            for each in (dataset.records, dataset.excluded)
        )
        dataset = replace(dataset, records=records, excluded=excluded)
    return dataset


def _recorded_source(source: str | Path | ImageTable) -> str | ImageTable:
    return source if isinstance(source, ImageTable) else str(absolute_path(source))


def reopen_dataset(opening: Opening) -> Dataset:
    """Open the sources of an earlier `open_dataset` again, with their current content.

    Raises:
        BadDataset: as `open_dataset`.
    """
    return open_dataset(
        opening.sources,
        group=opening.group,
        group_pattern=opening.group_pattern,
        channels=opening.channels,
        plan=opening.plan,
        domains=opening.domains,
        columns=opening.columns,
    )


NO_GROUPS = "none"  # in place of a column or pattern: groups that a table states are ignored


def with_groups(dataset: Dataset, group: str) -> Dataset:
    """Return the same images in other groups: by a column if all sources are tables, else by a pattern on the path.

    With `NO_GROUPS`, a column of groups is ignored. Crops of one field are still a group.

    Images that were removed from the dataset since it was opened stay removed.

    Raises:
        BadDataset: as `open_dataset`.
    """
    opening = dataset.opening
    if group == NO_GROUPS:
        changed = replace(opening, columns={**opening.columns, "group": ""})
    elif opening.are_tables:
        changed = replace(opening, group=group)
    else:
        changed = replace(opening, group_pattern=group)
    reopened = reopen_dataset(changed)
    group_of = {record.image_id: record.group for record in reopened.records}
    records = tuple(r.with_group(group_of.get(r.image_id)) for r in dataset.records)
    return replace(reopened, records=records)


def _open_labeled(
    origin: str | Path | ImageTable, opening: Opening, may_read: Callable[[Path], bool] | None, *, with_split: bool
) -> Dataset:
    if isinstance(origin, ImageTable):
        return _open_table(origin, opening, may_read, with_split=with_split)
    path = absolute_path(origin)
    refuse_closed(path)
    if not path.exists():
        raise BadDataset("no-such-source", file=path, advice=nearest_spelling(path))
    if path.suffix.lower() in SHEET_SUFFIXES and path.is_file():
        raise BadDataset("spreadsheet", file=path)
    if path.is_dir():
        if opening.group is not None:
            with_column = (table.path.name for table in _tables_beside(path) if opening.group in table.columns)
            raise folder_has_no_columns(path, opening.group, table=next(with_column, None))
        source, records, notes = open_folder(path, opening.plan_of_each.of_whole_image)
        notes += [_unused(table) for table in _tables_beside(path)]
        return _dataset_of(path, source, records, notes, str(path), opening.group_pattern)
    if is_table(path) and path.is_file():
        return _open_table(read_table(path), opening, may_read, with_split=with_split)
    if has_image_suffix(path.name):
        raise BadDataset("single-image", file=path)
    raise BadDataset("not-a-folder-or-table", file=path, name=one_line(str(origin), 60))


def _open_table(
    table: ImageTable, opening: Opening, may_read: Callable[[Path], bool] | None, *, with_split: bool
) -> Dataset:
    pattern = opening.group_pattern
    records, excluded, notes = open_table(
        with_mapping(table, opening.columns),
        opening.plan_of_each,
        group=opening.group,
        wants_groups=pattern is None,
        labeled=True,
        distinct=True,
        with_split=with_split,
        may_read=may_read,
    )
    opened = _dataset_of(table.path.parent, "table", records, notes, str(table), pattern)
    return replace(opened, excluded=tuple(excluded))


def _dataset_of(
    root: Path, kind: Source, records: list[ImageRecord], notes: list[Note], source: str, pattern: str | None
) -> Dataset:
    """Return the images of one source, in their groups, as a dataset."""
    if pattern is not None:
        records, more_notes = grouped_by_pattern(records, lambda record: posix_below(record.path, root), pattern)
        notes = [*notes, *more_notes]
    domains = dict.fromkeys(record.domain for record in records)
    origins = tuple(Origin(domain, root, (source,)) for domain in domains)
    return Dataset(root, kind, tuple(records), tuple(notes), origins=origins)


def _with_domains(opened: Sequence[Dataset], names: Sequence[str | None], distinct: bool, group: str | None) -> Dataset:
    """Return the opened sources as one dataset, in domains with these names, else with the names of the folders."""
    if len(opened) > 1:
        names_or_none = names or [None] * len(opened)
        domains = [name or folder_name for name, folder_name in zip(names_or_none, _domains(opened), strict=True)]
        return _join(opened, domains, distinct, group)
    (dataset,) = opened
    return _with_domain(dataset, names[0]) if names and names[0] else dataset


def _with_domain(dataset: Dataset, name: str) -> Dataset:
    """Return the images of the only source in a domain of this name, unless its table names their domain."""
    records = tuple(replace(record, domain=record.domain or name) for record in dataset.records)
    origins = tuple(replace(origin, domain=origin.domain or name) for origin in dataset.origins)
    return replace(dataset, records=records, origins=origins)


def merge_datasets(datasets: Sequence[Dataset]) -> Dataset:
    """Return datasets as one, each with the groups, labels and plans of its records, in domains named after folders.

    Raises:
        BadDataset: two datasets give an image different labels, groups or sets.
    """
    return with_unique_ids(_join(datasets, _domains(datasets), distinct=True))


def _join(
    opened: Sequence[Dataset], domains: Sequence[str], distinct: bool, group_column: str | None = None
) -> Dataset:
    """Return several sources as one dataset, optionally with each image once, in the domain of its first source.

    Groups with the same name in several sources are one group, since dividing a patient would be the worse error. Crops
    of one field from several sources are also one group, as `group_by_field` returns them.

    Raises:
        BadDataset: two sources give an image different labels, groups or sets.
    """
    records: list[ImageRecord] = []
    notes: list[Note] = []
    origins: dict[str, list[Origin]] = {}
    earlier: dict[tuple[object, ...], tuple[int, str]] = {}  # position and source of an image, by its pixels
    n_repeated = 0
    field_groups: dict[tuple[Path, int], str] = {}
    for dataset, domain in zip(opened, domains, strict=True):
        is_by_field = any(each.code == GROUPED_BY_FIELD for each in dataset.notes)
        of_source: dict[tuple[object, ...], tuple[int, str]] = {}
        for record in dataset.records:
            group = record.group
            if is_by_field and group == (record.field or name_as_text(posix_below(record.path, dataset.root))):
                group = field_groups.setdefault(record.series, f"{domain}/{group}")
            if not distinct or record.pixels not in earlier:
                of_source.setdefault(record.pixels, (len(records), domain))
                identity = f"{domain}/{record.image_id}"
                records.append(replace(record, image_id=identity, group=group, domain=record.domain or domain))
                continue
            n_repeated += 1
            position, first_source = earlier[record.pixels]
            first, field_group = records[position], field_groups.get(record.series)
            if field_group is not None and first.group == field_group:
                first = first.with_group(group or field_group)
            elif group == field_group:
                group = None
            records[position] = _combined(first, record.with_group(group), first_source, domain)
        earlier = of_source | earlier
        notes += [replace(each, text=f"{domain}: {each.text}") for each in dataset.notes]
        for origin in dataset.origins:
            origins.setdefault(origin.domain or domain, []).append(origin)
    records = group_by_field(records, group_column, field_groups)
    if n_repeated:
        notes.append(note("named-twice", n_images=n_repeated))
    shared = _groups_in_several_domains(records)
    if shared:
        notes.append(note("shared-groups", groups=some(shared)))
    kinds = {dataset.source for dataset in opened}
    kind: Source = kinds.pop() if len(kinds) == 1 else "files"
    root = common_root([dataset.root for dataset in opened])
    excluded = tuple(record for dataset in opened for record in dataset.excluded)
    all_origins = tuple(map(_origin, origins, origins.values()))
    return Dataset(root, kind, tuple(records), tuple(notes), origins=all_origins, excluded=excluded)


def group_by_field(
    records: Sequence[ImageRecord],
    column: str | None = None,
    field_groups: Mapping[tuple[Path, int], str] | None = None,
) -> list[ImageRecord]:
    """Return images of several sources with one group for each field.

    An image without a group gets the group that other images of its file and series state, if these state one. If the
    groups of all crops are fields, by the name of the column or of each group, other crops without a group get their
    field as group.

    Args:
        records: the images.
        column: the column that names the groups; None: none was chosen.
        field_groups: groups of fields of which no source states a group. A stated group replaces them.
    """
    field_groups = field_groups or {}
    stated: defaultdict[tuple[Path, int], set[str]] = defaultdict(set)
    for record in records:
        if record.group is not None and record.group != field_groups.get(record.series):
            stated[record.series].add(record.group)
    of_group = [record for record in records if record.group is not None and record.has_box]
    are_fields = (column is not None and find_column([column], "path", OBJECT_TABLE) is not None) or (
        bool(of_group)
        and all(record.group == field_groups.get(record.series) or _is_named_after_field(record) for record in of_group)
    )
    grouped: list[ImageRecord] = []
    for record in records:
        group, field_group = record.group, field_groups.get(record.series)
        if group in (None, field_group):
            groups = stated.get(record.series, set())
            group = next(iter(groups)) if len(groups) == 1 else field_group
            if group is None and are_fields and record.has_box:
                group = name_as_text(record.path.as_posix())
        grouped.append(record if group == record.group else record.with_group(group))
    return grouped


def _is_named_after_field(record: ImageRecord) -> bool:
    """Return whether the group of a crop is its field: the name in its table, or the path or name of its file."""
    path = name_as_text(record.path.as_posix())
    names = (record.field, path, record.path.name, record.path.stem)
    return record.group in names or path.endswith(f"/{record.group}")


def _combined(first: ImageRecord, second: ImageRecord, first_source: str, source: str) -> ImageRecord:
    """Return an image of two sources as one, with what either of them states.

    Raises:
        BadDataset: their labels, groups or sets differ.
    """
    stated: dict[str, Any] = {}  # Any: each field's own
    for name in ("label", "group", "predefined_split"):
        values = getattr(first, name), getattr(second, name)
        if None not in values and values[0] != values[1]:
            raise BadDataset(
                "two-values-of-sources",
                file=first.path,
                meaning=name,
                value=one_line(values[1], 60),
                source=one_line(source, 60),
                first_value=one_line(values[0], 60),
                first_source=one_line(first_source, 60),
            )
        stated[name] = values[1] if values[0] is None else values[0]
    about = dict(first.about)
    about |= {name: about.get(name) or cell for name, cell in second.about}
    return replace(first, about=tuple(about.items()), **stated)


def _origin(domain: str, origins: Sequence[Origin]) -> Origin:
    """Return the origin of one domain, which several tables may name."""
    return Origin(domain, common_root([o.root for o in origins]), tuple(s for o in origins for s in o.sources))


def with_unique_ids(dataset: Dataset) -> Dataset:
    """Return the same images with unique image_ids, and a note if some have changed.

    If several images are named 'cell 7', each becomes 'cell 7 (FILE)', whatever the order of the rows. Rows of the same
    pixels are numbered: 'cell 7', 'cell 7 (2)'. A number that makes the name of another image is skipped.
    """
    if len({record.image_id for record in dataset.records}) == len(dataset.records):
        return dataset
    records_of_name: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in dataset.records:
        records_of_name[record.image_id].append(record)
    images = {name: {_image_of(record, dataset.root) for record in rows} for name, rows in records_of_name.items()}
    used_ids, unique = set(records_of_name), []
    n_of_name: Counter[str] = Counter()
    for record in dataset.records:
        name = distinct_name = record.image_id
        if len(images[name]) > 1:
            distinct_name = f"{name} ({_image_of(record, dataset.root)})"
        n_of_name[distinct_name] += 1
        n = n_of_name[distinct_name]
        identity = distinct_name if n == 1 else f"{distinct_name} ({n})"
        while identity in used_ids and (n > 1 or distinct_name != name):
            n += 1
            identity = f"{distinct_name} ({n})"
        used_ids.add(identity)
        unique.append(replace(record, image_id=identity))
    repeated = [name for name, rows in records_of_name.items() if len(rows) > 1]
    new_note = note("repeated-names", n_names=len(repeated), names=some(repeated, 3))
    return replace(dataset, records=tuple(unique), notes=(*dataset.notes, new_note))


def _image_of(record: ImageRecord, root: Path) -> str:
    """Return the pixels and file of an image as text."""
    plan = record.plan
    words = ["+".join(name_as_text(posix_below(file, root)) for file in plan.files(record.path))]
    words += [f"{name}={getattr(plan, name)}" for name in ("series", "t", "z", "level") if name in record.stated]
    if "channels" in record.stated:
        words.append(f"channels={'+'.join(map(str, plan.channels or ()))}")
    if plan.region is not None:
        is_point = "point" in record.stated
        numbers = box_center(plan.region) if is_point else plan.region
        words.append(f"{'point' if is_point else 'box'}={','.join(map(str, numbers))}")
    return "#".join(words)


def _tables_beside(folder: Path) -> Iterator[ImageTable]:
    """Yield the tables of images in the folder."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PLAIN_TABLE_SUFFIXES or not path.is_file():
            continue
        if path.stat().st_size > _MOST_BYTES:
            continue  # probably measurements, since lists of images are smaller
        try:
            table = read_table(path)
        except BadDataset:
            continue  # another table, which the user did not select
        if gives_labels(table):
            yield table


def _unused(table: ImageTable) -> Note:
    """Return a note on an unused table in the image folder, which may name groups."""
    return note("table-beside", table=one_line(table.path.name), columns=", ".join(table.columns))


def domains_of_paths(paths: Sequence[Path]) -> list[str]:
    """Return the names of the domains of labeled folders, tables and files, unless they get other names."""
    return _names_of_roots([path if path.is_dir() and not is_image_folder(path) else path.parent for path in paths])


def _domains(opened: Sequence[Dataset]) -> list[str]:
    return _names_of_roots([dataset.root for dataset in opened])


def _names_of_roots(roots: Sequence[Path]) -> list[str]:
    """Return a short name for each source; equal names are numbered."""
    names = [source_name(root) for root in roots]
    n_sources, n_of_name = Counter(names), Counter[str]()
    for i, name in enumerate(names):
        n_of_name[name] += 1
        if n_sources[name] > 1:
            names[i] = f"{name}-{n_of_name[name]}"
    return names


def _groups_in_several_domains(records: Sequence[ImageRecord]) -> list[str]:
    domains: dict[str, set[str]] = {}
    for record in records:
        if record.group is not None:
            domains.setdefault(record.group, set()).add(record.domain)
    return [group for group, domains_of_group in domains.items() if len(domains_of_group) > 1]


def _open_unlabeled(
    sources: Sequence[str | Path | ImageTable],
    opening: Opening,
    distinct: bool,
    may_read: Callable[[Path], bool] | None,
    *,
    with_split: bool,
) -> Dataset:
    """Return the images of these sources as one dataset without domains, labels from folders, or groups by a pattern.

    Args:
        sources: paths and tables.
        opening: options of `open_dataset`.
        distinct: as of `open_dataset`.
        may_read: as of `open_dataset`.
        with_split: as of `open_dataset`.

    Raises:
        BadDataset: there are none, or a table is invalid.
    """
    group = opening.group
    plan = opening.plan_of_each.of_whole_image
    records: list[ImageRecord] = []
    excluded: list[ImageRecord] = []
    notes: list[Note] = []
    roots: list[Path] = []
    n_tables = 0
    for source in sources:
        path = source.path if isinstance(source, ImageTable) else absolute_path(source)
        if not isinstance(source, ImageTable):
            refuse_closed(path)
        if isinstance(source, ImageTable) or (is_table(path) and path.is_file()):
            table = source if isinstance(source, ImageTable) else read_table(path)
            rows, left_out, more_notes = open_table(
                with_mapping(table, opening.columns),
                opening.plan_of_each,
                group=group,
                wants_groups=False,
                labeled=False,
                distinct=distinct,
                with_split=with_split,
                may_read=may_read,
            )
            records += rows
            excluded += left_out
            notes += more_notes
            roots.append(path.parent)
            n_tables += 1
        elif path.is_dir() and not is_image_folder(path):
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
            matched = _matching_files(os.fspath(source), path)
            records += [_one_file(name, absolute_path(name), plan) for name in matched]
            roots += [absolute_path(name).parent for name in matched]
    if group is not None and not n_tables:
        raise folder_has_no_columns(roots[0], group)
    if not any(record.exists for record in records):
        path = records[0].path
        raise BadDataset("no-image-exists", file=path, n_images=len(records), advice=nearest_spelling(path))
    if distinct and (n_repeated := len(records) - len(set(records))):
        records = list(dict.fromkeys(records))
        notes.append(note("given-twice", n_images=n_repeated))
    kind: Source = "table" if n_tables == len(sources) else "files"
    return Dataset(common_root(roots), kind, tuple(records), tuple(notes), excluded=tuple(excluded))


def with_folder_labels(dataset: Dataset, classes: Collection[str]) -> Dataset:
    """Return images to predict with the labels of class folders that are named after a class.

    Other folders, such as plates or days, are no labels. Labels of tables stay. If sources contain each other, the
    outer folder takes precedence.
    """
    roots = {path for source in dataset.opening.sources if isinstance(source, str) and (path := Path(source)).is_dir()}
    images: defaultdict[Path, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)  # positions and path parts
    for k, record in enumerate(dataset.records if roots else ()):
        for root in roots.intersection(record.path.parents):
            images[root].append((k, record.path.relative_to(root).parts))
    records = list(dataset.records)
    for _, of_root in sorted(images.items(), key=lambda item: len(item[0].parts)):
        labels = labels_of_folders([path_parts for _, path_parts in of_root])
        for (k, _), label in zip(of_root, labels, strict=True):
            if records[k].label is None and label in classes:
                records[k] = records[k].with_label(label)
    return replace(dataset, records=tuple(records))


def has_class_folders(path: Path, classes: Collection[str]) -> bool:
    """Return whether a path is a folder in which a class folder has the name of one of these classes.

    Raises:
        BadDataset: it may not be opened.
    """
    if not path.is_dir() or is_image_folder(path):
        return False
    return not set(classes).isdisjoint(labels_of_folders(list_images(path).images))


def is_image(path: Path) -> bool:
    """Return whether a path is one image, not a table or a folder of images."""
    if path.is_dir():
        return is_image_folder(path)
    return path.is_file() and has_image_suffix(path.name) and not is_table(path)


def open_image_file(path: Path) -> Dataset:
    """Return one image without a label, whatever its suffix: a file named `.csv` is not read as a table."""
    record = _one_file(os.fspath(path), path, ReadPlan())
    return Dataset(path.parent, "files", (record,), ())


def _one_file(name: str, path: Path, plan: ReadPlan) -> ImageRecord:
    return ImageRecord(name_as_text(name.replace(os.sep, "/")), path, None, None, "", None, plan)


def _matching_files(pattern: str, path: Path) -> list[str]:
    """Return the files that match a pattern such as `new/*.tif`, in natural order, with the images of folders."""
    if not glob.has_magic(pattern):
        raise BadDataset("no-such-file-or-folder", file=path, advice=nearest_spelling(path))
    images: list[str] = []
    expanded = os.path.expanduser(pattern)  # noqa: PTH111 - Path.expanduser raises on a file named ~cell.tif
    names = glob.glob(expanded, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
    for name in sorted(names, key=natural_key):
        if Path(name).is_dir() and not is_image_folder(Path(name)):
            images += [os.fspath(Path(name, *names_below)) for names_below in list_images(absolute_path(name)).images]
        elif has_image_suffix(name):
            images.append(name)
    if not images:
        raise BadDataset("no-match", pattern=one_line(pattern))
    return list(dict.fromkeys(images))


def common_root(roots: Sequence[Path]) -> Path:
    """Return the folder that encloses all of these; the first of them if they are on several drives."""
    try:
        return Path(os.path.commonpath(roots))
    except ValueError:  # two drives of Windows
        return roots[0]


def folder_has_no_columns(path: Path, group: str, *, table: str | None = None) -> BadDataset:
    """Return the error for a group column of a folder. `table` is in the folder and has that column."""
    return BadDataset(
        "folder-has-no-columns",
        file=path,
        remedies=(GroupBy(),),
        group=one_line(group, 60),
        has_table=table is not None,
        table=one_line(table or ""),
    )


def refuse_closed(path: Path) -> None:
    """Refuse a path that cannot be opened.

    Raises:
        BadDataset: it cannot be opened.
    """
    if (reason := access_fault(path)) is not None:
        raise BadDataset("path-not-opened", file=path, reason=reason)


def nearest_spelling(path: Path) -> str:
    """Return advice for a name that does not exist: the nearest name that does."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return text("folder-does-not-exist", folder=one_line(posix_below(path.parent, path.parent.parent)))
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return text("did-you-mean-file", name=one_line(near[0])) if near else text("check-spelling")


_EXAMPLES = 5  # names of images that do not match


def grouped_by_pattern(
    records: Sequence[ImageRecord], relative_path: Callable[[ImageRecord], str], pattern: str
) -> tuple[list[ImageRecord], list[Note]]:
    """Return records with the group that `pattern` finds in each relative path, and notes.

    The group is the part named `group`, else the first part in parentheses, else the whole match. An image whose path
    does not match has no group.

    Raises:
        BadDataset: the pattern is not a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadDataset("invalid-pattern", pattern=one_line(pattern), reason=str(error)) from error
    group_index = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
    grouped, unmatched = list[ImageRecord](), list[str]()
    for record in records:
        match = compiled.search(relative_path(record))
        group = match[group_index] if match else None
        if not group:
            unmatched.append(record.image_id)
        grouped.append(record.with_group(printable(group) if group else None))
    notes = []
    if unmatched:
        names = some(unmatched, _EXAMPLES)
        notes.append(note("pattern-misses", n_images=len(unmatched), names=names, examples=unmatched[:_EXAMPLES]))
    return grouped, notes


def with_pattern_groups(dataset: Dataset, path_of: Callable[[ImageRecord], str], pattern: str) -> Dataset:
    """Return the dataset with the groups that `pattern` finds in each path, as `grouped_by_pattern`.

    Raises:
        BadDataset: the pattern is not a regular expression.
    """
    records, notes = grouped_by_pattern(dataset.records, path_of, pattern)
    return replace(dataset, records=tuple(records), notes=(*dataset.notes, *notes))


def check_pattern(opened: Sequence[Dataset], path_of: Callable[[ImageRecord], str], pattern: str) -> None:
    """Refuse a pattern that matches no path of any source. Added images may have other names.

    Args:
        opened: the sources, grouped by the pattern.
        path_of: the path of a record in which the pattern was searched.
        pattern: a regular expression.

    Raises:
        BadDataset: it matches none.
    """
    n_images = sum(map(len, opened))
    n_unmatched = sum(
        note.parameters["n_images"] for dataset in opened for note in dataset.notes if note.code == "pattern-misses"
    )
    if n_unmatched < n_images:
        return
    path = one_line(path_of(opened[0].records[0]))
    raise BadDataset(
        "pattern-matches-nothing", file=opened[0].root, pattern=one_line(pattern), n_paths=n_images, path=path
    )
