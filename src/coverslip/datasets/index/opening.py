"""Open a dataset from names alone, without decoding any image."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coverslip.datasets.index.channel_files import with_channel_files
from coverslip.datasets.index.folders import has_image_suffix, open_folder
from coverslip.datasets.index.in_memory import Axes, as_sources
from coverslip.datasets.index.patterns import (
    check_pattern,
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
    Origin,
    Source,
    absolute_path,
    name_as_text,
    one_line,
    posix_below,
    some,
    source_name,
)
from coverslip.datasets.index.table import Table
from coverslip.datasets.index.table_columns import with_mapping
from coverslip.datasets.index.table_files import PLAIN_TABLE_SUFFIXES, SHEET_SUFFIXES, is_table, read_table
from coverslip.datasets.index.tables import open_table
from coverslip.datasets.index.unlabeled import open_unlabeled
from coverslip.errors import BadDataset
from coverslip.images import Depth, ReadPlan, box_center
from coverslip.messages import Note, note

# A path, an array, a Pillow image, a table, or an iterable of these; see `as_sources`.
Given = Any  # no type covers every object that becomes an array or has columns

_WHOLE_FIRST_PLANE = ReadPlan()
_MOST_BYTES = 100_000_000  # of a table that is searched for beside images


def open_dataset(
    source: Given,
    *,
    group: str | None = None,
    group_pattern: str | None = None,
    columns: Mapping[str, str] | None = None,
    crop_size: int | None = None,
    plan: ReadPlan = _WHOLE_FIRST_PLANE,
    labeled: bool = True,
    domains: Sequence[str | None] | None = None,
    axes: Axes = "HWC",
    depth: Depth | None = None,
    may_read: Callable[[Path], bool] | None = None,
) -> Dataset:
    """List the images of a folder, a table, or several of them, without decoding any.

    Args:
        source: a folder of class folders (optionally under train / val / test) or a table with the columns path and
            label: a CSV or TSV file, or in memory a dictionary of columns or a data frame, of which a column `image`
            may hold arrays or Pillow's images. Or a tuple `(X, y)` of images and their labels. Several become one
            dataset, each its own domain. With
            `labeled=False` also images, as files or in memory, plain folders and patterns such as `new/*.tif`, in the
            order given.
        group: column of the table that names what a split must not divide (patient, slide, well).
        group_pattern: regular expression that finds the group in each path relative to the folder or table; the part
            named `group`, else the first part in parentheses, else the whole match.
        columns: the column of each meaning, if the names of the columns do not show it: `{"path": "File", "label":
            "Class"}`. Keys are path, label, group, split, image_id, domain, x, y, width, height and the like. An empty
            name states that the table has no such column.
        crop_size: side in pixels of the square that is cut out around each point (x, y) of a table.
        plan: which pixels of which files make an image, where a table's row does not say so itself.
        labeled: False for images to predict. Labels then come from a table's label column only.
        domains: a name for each source's domain. None stands for the name of its folder. Sources with the same name
            form one domain. A column of the table takes precedence.
        axes: of arrays of color images: channels last or first. Arrays are not copied: later changes to them count.
        depth: pixel depth of arrays of 32-bit and 64-bit integers. None stands for uint8 if all their values fit, else
            uint16.
        may_read: returns whether a file may be opened for its width and height, if boxes are relative to these. None
            stands for all files.

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
    sources = as_sources(source, axes, depth)
    if not sources:
        raise BadDataset("no-images-given")
    if group is not None and group_pattern is not None:
        raise BadDataset("column-and-pattern")
    names = tuple(domains) if domains is not None and any(domains) else ()
    if names and len(names) != len(sources):
        raise BadDataset("unequal-domains", n_domains=len(names), n_sources=len(sources))
    opening = Opening(tuple(map(_as_opened, sources)), group, group_pattern, plan, names, columns)
    if labeled:
        opened = [_open_labeled(each, opening, may_read) for each in sources]
    else:
        each_alone = [[each] for each in sources] if names else [sources]
        opened = [open_unlabeled(together, opening, may_read) for together in each_alone]
    if group_pattern is not None:
        check_pattern(opened, group_pattern)
    dataset = with_channel_files(_in_domains(opened, names), plan)
    records, notes = _with_unique_ids(dataset)
    return replace(dataset, records=tuple(records), notes=(*dataset.notes, *notes), opening=opening)


def _as_opened(source: str | Path | Table) -> str | Table:
    return source if isinstance(source, Table) else str(absolute_path(source))


def open_again(opening: Opening) -> Dataset:
    """Open the labeled images of an earlier `open_dataset` again, as they are now.

    Raises:
        BadDataset: as `open_dataset`.
    """
    return open_dataset(
        opening.sources,
        group=opening.group,
        group_pattern=opening.group_pattern,
        plan=opening.plan,
        domains=opening.domains,
        columns=opening.columns,
    )


def regrouped(dataset: Dataset, group: str) -> Dataset:
    """Return the same images in other groups: by a column if all sources are tables, else by a pattern on the path.

    Images that were removed from the dataset since it was opened stay removed.

    Raises:
        BadDataset: as `open_dataset`.
    """
    column, pattern = (group, None) if dataset.opening.are_tables else (None, group)
    reopened = open_again(replace(dataset.opening, group=column, group_pattern=pattern))
    group_of = {record.image_id: record.group for record in reopened.records}
    records = tuple(replace(r, group=group_of.get(r.image_id, r.image_id)) for r in dataset.records)
    return replace(reopened, records=records)


def _open_labeled(origin: str | Path | Table, opening: Opening, may_read: Callable[[Path], bool] | None) -> Dataset:
    if isinstance(origin, Table):
        return _open_table(origin, opening, may_read)
    path = absolute_path(origin)
    refuse_closed(path)
    if not path.exists():
        raise BadDataset("no-such-source", file=path, advice=nearest_spelling(path))
    if path.suffix.lower() in SHEET_SUFFIXES and path.is_file():
        raise BadDataset("spreadsheet", file=path)
    if path.is_dir():
        if opening.group is not None:
            having = (table.path.name for table in _tables_beside(path) if opening.group in table.columns)
            raise folder_has_no_columns(path, opening.group, table=next(having, None))
        source, records, notes = open_folder(path, opening.plan_of_each.model_copy(update={"crop_size": None}))
        notes += [_unused(table) for table in _tables_beside(path)]
        return _opened(path, source, records, notes, str(path), opening.group_pattern)
    if is_table(path) and path.is_file():
        return _open_table(read_table(path), opening, may_read)
    if has_image_suffix(path.name):
        raise BadDataset("single-image", file=path)
    raise BadDataset("not-a-folder-or-table", file=path, name=one_line(str(origin), 60))


def _open_table(table: Table, opening: Opening, may_read: Callable[[Path], bool] | None) -> Dataset:
    pattern = opening.group_pattern
    records, notes = open_table(
        with_mapping(table, opening.columns),
        opening.plan_of_each,
        group=opening.group,
        wants_groups=pattern is None,
        labeled=True,
        may_read=may_read,
    )
    return _opened(table.path.parent, "table", records, notes, str(table), pattern)


def _opened(
    root: Path, kind: Source, records: list[ImageRecord], notes: list[Note], source: str, pattern: str | None
) -> Dataset:
    """Return the images of one source, in their groups, as a dataset."""
    if pattern is not None:
        records, more = grouped_by_pattern(records, root, pattern)
        notes = [*notes, *more]
    domains = dict.fromkeys(record.domain for record in records)
    origins = tuple(Origin(domain, root, (source,)) for domain in domains)
    return Dataset(root, kind, tuple(records), tuple(notes), origins=origins)


def _in_domains(opened: Sequence[Dataset], names: Sequence[str | None]) -> Dataset:
    """Return the opened sources as one dataset, in domains with these names, else with the names of the folders."""
    if len(opened) > 1:
        names_or_none = names or [None] * len(opened)
        return _joined(
            opened, [name or folder_name for name, folder_name in zip(names_or_none, _domains(opened), strict=True)]
        )
    (dataset,) = opened
    return _in_domain(dataset, names[0]) if names and names[0] else dataset


def _in_domain(dataset: Dataset, name: str) -> Dataset:
    """Return the images of the only source in a domain of this name, unless its table names their domain."""
    records = tuple(replace(record, domain=record.domain or name) for record in dataset.records)
    origins = tuple(replace(origin, domain=origin.domain or name) for origin in dataset.origins)
    return replace(dataset, records=records, origins=origins)


def _joined(opened: Sequence[Dataset], domains: Sequence[str]) -> Dataset:
    """Return several sources as one dataset.

    Groups with the same name in several sources are one group, since dividing a patient would be the worse error. Crops
    of one field are one group too, whichever sources they come from.
    """
    records: list[ImageRecord] = []
    notes: list[Note] = []
    origins: dict[str, list[Origin]] = {}
    keys: set[tuple[object, ...]] = set()
    n_twice = 0
    field_groups: dict[Path, str] = {}
    for dataset, domain in zip(opened, domains, strict=True):
        for record in dataset.records:
            key = (record.path, record.plan, record.label, record.predefined_split)
            n_twice += key in keys
            if key not in keys:
                keys.add(key)
                identity = f"{domain}/{record.image_id}"
                group = record.group
                if group == record.image_id:
                    group = f"{domain}/{group}"
                elif group == dataset.relative_path(record):
                    group = field_groups.setdefault(record.path, f"{domain}/{group}")
                elif group is None:
                    group = field_groups.get(record.path)
                records.append(replace(record, image_id=identity, group=group, domain=record.domain or domain))
        notes += [replace(each, text=f"{domain}: {each.text}") for each in dataset.notes]
        for origin in dataset.origins:
            origins.setdefault(origin.domain or domain, []).append(origin)
    if n_twice:
        notes.append(note("named-twice", n_images=n_twice))
    shared = _groups_in_several_domains(records)
    if shared:
        notes.append(note("shared-groups", groups=some(shared)))
    kinds = {dataset.source for dataset in opened}
    kind: Source = kinds.pop() if len(kinds) == 1 else "files"
    root = common_root([dataset.root for dataset in opened])
    return Dataset(root, kind, tuple(records), tuple(notes), origins=tuple(map(_origin, origins, origins.values())))


def _origin(domain: str, origins: Sequence[Origin]) -> Origin:
    """Return the origin of one domain, which several tables may name."""
    return Origin(domain, common_root([o.root for o in origins]), tuple(s for o in origins for s in o.sources))


def _with_unique_ids(dataset: Dataset) -> tuple[list[ImageRecord], list[Note]]:
    """Return records with unique image_ids that do not depend on the order of rows.

    If several images are named 'cell 7', each becomes 'cell 7 (FILE)'. Rows of the same pixels are numbered.
    """
    records_of_name: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in dataset.records:
        records_of_name[record.image_id].append(record)
    if len(records_of_name) == len(dataset.records):
        return list(dataset.records), []
    images = {name: {_image_of(record, dataset.root) for record in rows} for name, rows in records_of_name.items()}
    used_ids, unique = set(records_of_name), []
    n_of_name: Counter[str] = Counter()
    for record in dataset.records:
        name = own_name = record.image_id
        if len(images[name]) > 1:
            own_name = f"{name} ({_image_of(record, dataset.root)})"
        n_of_name[own_name] += 1
        n = n_of_name[own_name]
        identity = own_name if n == 1 else f"{own_name} ({n})"
        while identity in used_ids and (n > 1 or own_name != name):
            n += 1
            identity = f"{own_name} ({n})"
        used_ids.add(identity)
        unique.append(replace(record, image_id=identity, group=own_name if record.group == name else record.group))
    repeated = [name for name, rows in records_of_name.items() if len(rows) > 1]
    return unique, [note("repeated-names", n_names=len(repeated), names=some(repeated, 3))]


def _image_of(record: ImageRecord, root: Path) -> str:
    """Return the pixels and file of an image as text."""
    plan = record.plan
    words = ["+".join(name_as_text(posix_below(file, root)) for file in plan.files(record.path))]
    if "plane" in record.stated:
        words.append(f"plane={plan.plane}")
    if plan.channels is not None:
        words.append(f"channel={'+'.join(map(str, plan.channels))}")
    if plan.box is not None:
        is_point = "point" in record.stated
        numbers = box_center(plan.box) if is_point else plan.box
        words.append(f"{'point' if is_point else 'box'}={','.join(map(str, numbers))}")
    return "#".join(words)


def _tables_beside(folder: Path) -> Iterator[Table]:
    """Yield the tables of images in the folder."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PLAIN_TABLE_SUFFIXES or not path.is_file():
            continue
        if path.stat().st_size > _MOST_BYTES:
            continue  # most likely measurements: lists of images are shorter
        try:
            table = read_table(path)
        except BadDataset:
            continue  # some other table that the user did not name
        if table.index("path") is not None and table.index("label") is not None:
            yield table


def _unused(table: Table) -> Note:
    """Return a note about a table beside the images: it may name groups that the folders do not show."""
    return note("table-beside", table=one_line(table.path.name), columns=", ".join(table.columns))


def _domains(opened: Sequence[Dataset]) -> list[str]:
    """Return a short name for each source; equal names are numbered."""
    names = [source_name(dataset.root) for dataset in opened]
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
