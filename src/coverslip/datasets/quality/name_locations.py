"""Locations of names that may be several spellings of one name: the cells of tables, or the folders."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from coverslip.datasets.index.records import Dataset, ImageRecord, Opening
from coverslip.datasets.index.table import ImageTable, read_table
from coverslip.datasets.index.table_columns import with_mapping
from coverslip.datasets.names import clean_label
from coverslip.datasets.quality.finding import Finding
from coverslip.datasets.quality.inspecting import Inspection
from coverslip.datasets.tables.columns import column_named

Inspected = TypeVar("Inspected", bound=Inspection)
_KEYS = {"similar-class-names": "classes", "similar-group-names": "groups"}  # the field of a finding with its names


@dataclass(frozen=True, slots=True)
class NameLocation:
    """Where one of several similar names occurs."""

    name: str
    n_images: int
    table: str | None = None  # null: in the names of files or folders
    column: str | None = None
    lines: Sequence[int] = ()  # of the table, or the row numbers of a table in memory, from 0
    folders: Sequence[str] = ()  # the folders of the images


def with_locations(dataset: Dataset, inspection: Inspected) -> Inspected:
    """Return an inspection whose findings on similar names list their locations in a field `locations`.

    It is a list for each set of similar names, with the name of most images last: the others are to be corrected.
    """
    if not any(finding.code in _KEYS for finding in inspection.findings):
        return inspection
    findings = tuple(_with_locations(dataset, finding) for finding in inspection.findings)
    return inspection.model_copy(update={"findings": findings})


def _with_locations(dataset: Dataset, finding: Finding) -> Finding:
    if finding.code not in _KEYS:
        return finding
    key = _KEYS[finding.code]
    names = finding.parameters[key]
    clusters = [names] if key == "classes" else names
    meaning = "label" if key == "classes" else "group"
    locations = list(_locations(dataset, meaning, [list(map(str, each)) for each in clusters]))  # type: ignore[union-attr,arg-type]
    return finding.model_copy(
        update={"locations": [[asdict(location) for location in cluster] for cluster in locations]}
    )


def _locations(dataset: Dataset, meaning: str, clusters: Sequence[Sequence[str]]) -> Iterator[list[NameLocation]]:
    wanted = {name for cluster in clusters for name in cluster}
    n_images = Counter(filter(wanted.__contains__, (_name_of(record, meaning) for record in dataset.records)))
    cells = _cells(dataset, meaning, wanted)
    folders = _folders(dataset, meaning, wanted.difference(cells))
    for cluster in clusters:
        locations = []
        for name in sorted(cluster, key=lambda name: n_images[name]):
            for table, column, lines in cells.get(name, ()):
                locations.append(NameLocation(name, n_images[name], table, column, lines))
            if name not in cells:
                locations.append(NameLocation(name, n_images[name], folders=folders.get(name, ())))
        yield locations


def _name_of(record: ImageRecord, meaning: str) -> str | None:
    return record.label if meaning == "label" else record.named_group


def _cells(
    dataset: Dataset, meaning: str, wanted: Iterable[str]
) -> Mapping[str, list[tuple[str, str, tuple[int, ...]]]]:
    """Return the table, the column and the lines of each name that occurs in a table."""
    wanted = frozenset(wanted)
    cells = defaultdict[str, list[tuple[str, str, tuple[int, ...]]]](list)
    if meaning == "group" and dataset.opening.group_pattern is not None:
        return cells
    for source in dataset.opening.sources:
        if not isinstance(source, ImageTable) and not Path(source).is_file():
            continue
        table = with_mapping(
            source if isinstance(source, ImageTable) else read_table(Path(source)), dataset.opening.columns
        )
        column = _column(table, dataset.opening, meaning)
        if column is None:
            continue
        lines = defaultdict[str, list[int]](list)
        for line, row in zip(table.lines, table.rows, strict=True):
            name = clean_label(row[column]) if meaning == "label" else row[column]
            if name in wanted:
                lines[name].append(line)
        for name, of_name in lines.items():
            cells[name].append((str(table), table.columns[column], tuple(of_name)))
    return cells


def _column(table: ImageTable, opening: Opening, meaning: str) -> int | None:
    if meaning == "group" and opening.group is not None:
        return column_named(table.columns, opening.group)
    return table.index(meaning)


def _folders(dataset: Dataset, meaning: str, wanted: Iterable[str]) -> Mapping[str, list[str]]:
    """Return the folders of the images of each name: of a class the folder with its name, if there is one."""
    wanted = frozenset(wanted)
    folders = defaultdict[str, dict[str, None]](dict)
    for record in dataset.records:
        name = _name_of(record, meaning)
        if name in wanted and name is not None:
            parents = record.path.parents
            named = next((parent for parent in parents if clean_label(parent.name) == name), parents[0])
            folders[name][str(named)] = None
    return {name: list(of_name) for name, of_name in folders.items()}
