"""The inspection of a dataset before training: counts, all findings, and the locations of similar names."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict

from coverslip.datasets.columns import column_named
from coverslip.datasets.index.classes import shared_class_notes
from coverslip.datasets.index.image_tables import ImageTable, read_table, with_mapping
from coverslip.datasets.index.records import SIDES, Dataset, ImageRecord, Opening
from coverslip.datasets.index.table_rows import EXCLUDED_BY_HAND
from coverslip.datasets.names import clean_label
from coverslip.datasets.quality.findings import FINDINGS, SEVERITIES, Finding, FindingKind
from coverslip.datasets.quality.scanning import GroupFacts, Scan, Spread, class_sizes, frequencies, group_facts
from coverslip.documented_fields import DocumentedModel
from coverslip.images.reader import pixel_side
from coverslip.messages import Note, localized_number, text
from coverslip.notebooks import html_table


@dataclass(frozen=True, slots=True)
class FileFact:
    """A property of the files of a dataset."""

    code: str
    title: str
    text: str


def _spread(spread: Spread | None, unit: str) -> str:
    if spread is None:
        return ""
    if spread.min == spread.max:
        return localized_number(f"{spread.min:,g} {unit}")
    ends = {"low": f"{spread.min:,g}", "high": f"{spread.max:,g}", "median": f"{spread.median:,g}"}
    return text("file-fact-range", unit=unit, **{name: localized_number(end) for name, end in ends.items()})


def _counts_text(counts: Mapping[str, int]) -> str:
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{name}: {n:,}" for name, n in counts.items())


class Inspection(DocumentedModel):
    """The result of `coverslip inspect`. Counts by format, depth and other properties are of readable images."""

    model_config = ConfigDict(frozen=True)

    root: str
    source: str
    n_images: int
    n_readable: int
    n_unlabeled: int
    classes: dict[str, int]
    """Readable images per label."""
    domains: dict[str, int]
    groups: GroupFacts | None
    predefined_split: dict[str, int] | None
    """Images per set, if folders or a table assign them to training, validation and test set."""
    width_px: Spread | None
    height_px: Spread | None
    pixel_side_um: Spread | None
    """Side of a pixel in µm, the square root of its width times its height, of images whose pixel size is known."""
    n_pixel_sizes: int
    """Number of images whose pixel size is known."""
    dtypes: dict[str, int]
    bit_depths: dict[str, int]
    channels: dict[str, int]
    formats: dict[str, int]
    planes: dict[str, int]
    reading_notes: dict[str, int]
    notes: tuple[Note, ...]
    """Ignored files and columns, and interpretations of the data."""
    are_copies_known: bool
    """Whether near-duplicates (the same content with different pixels) were searched for."""
    findings: tuple[Finding, ...]
    """Problems and possible improvements, the most severe first."""

    def __repr__(self) -> str:
        """Return the number of images and classes, and the heading of each finding."""
        findings = [f"{finding.severity}: {finding.title}" for finding in self.findings]
        return "\n".join([self._title, *findings])

    __str__ = __repr__  # Pydantic's would print every image of each finding

    def _repr_html_(self) -> str:
        """Return the number of images of each class, and the findings, for notebooks."""
        findings = [(finding.severity, finding.title, finding.text, finding.do) for finding in self.findings]
        classes = html_table(self._title, ("class", "images"), list(self.classes.items()))
        return classes + html_table("", ("severity", "finding", "description", "what to do"), findings)

    @property
    def _title(self) -> str:
        return text("dataset-title", n_images=self.n_images, n_classes=len(self.classes), root=self.root)

    def file_facts(self) -> list[FileFact]:
        """Return sizes, formats, channels and planes of the files, and predefined sets, as far as they are known."""
        facts = {
            "report-domains": _counts_text(self.domains) if len(self.domains) > 1 else "",
            "file-fact-width": _spread(self.width_px, "px"),
            "file-fact-height": _spread(self.height_px, "px"),
            "file-fact-pixel-size": self._pixel_sizes(),
            "file-fact-format": _counts_text(self.formats),
            "file-fact-bit-depth": _counts_text(self.bit_depths),
            "file-fact-channels": _counts_text(self.channels),
            "file-fact-planes": _counts_text(self.planes) if set(self.planes) > {"1"} else "",
            "file-fact-predefined-split": _counts_text(self.predefined_split or {}),
        }
        return [FileFact(code, text(code), value) for code, value in facts.items() if value]

    def _pixel_sizes(self) -> str:
        sizes, n_unknown = _spread(self.pixel_side_um, "µm"), self.n_readable - self.n_pixel_sizes
        return f"{sizes} {text('file-fact-without-pixel-size', n_images=n_unknown)}" if sizes and n_unknown else sizes

    def of(self, code: str) -> tuple[Finding, ...]:
        """Return the findings of one code."""
        return tuple(finding for finding in self.findings if finding.code == code)

    @property
    def n_test_leaks(self) -> int:
        """Number of groups and clusters of duplicates that are both in the test set and in another set."""
        clusters = [sets for leak in self.of("leakage") for sets in leak.notes]
        return sum("test" in sets and not {"train", "val"}.isdisjoint(sets) for sets in clusters)

    @property
    def n_excluded_by_hand(self) -> int:
        """Number of images that the app or a table row excludes. All other numbers are without them."""
        return sum(note.parameters.get("n_images", 0) for note in self.notes if note.code == EXCLUDED_BY_HAND)


def inspect_dataset(dataset: Dataset, scan: Scan) -> Inspection:
    """Return counts, sizes, depths and formats of a dataset, and all findings, the most severe first."""
    records = dataset.records
    readable = scan.readable()
    sides = [pixel_side(fact.pixel_size_um) for fact in readable if fact.pixel_size_um is not None]
    domains = Counter(record.domain for record in records if record.domain)
    return Inspection(
        root=str(dataset.root),
        source=dataset.source,
        n_images=len(records),
        n_readable=len(readable),
        n_unlabeled=sum(record.label is None for record in records),
        classes=class_sizes(dataset, scan),
        domains=dict(sorted(domains.items())),
        groups=group_facts(dataset, scan),
        predefined_split=_predefined_split(dataset),
        width_px=Spread.of(fact.width_px for fact in readable),
        height_px=Spread.of(fact.height_px for fact in readable),
        pixel_side_um=Spread.of(sides),
        n_pixel_sizes=len(sides),
        dtypes=frequencies(fact.dtype for fact in readable),
        bit_depths=frequencies(str(fact.bit_depth) for fact in readable),
        channels=frequencies(str(fact.n_channels) for fact in readable),
        formats=frequencies(fact.file_format for fact in readable),
        planes=frequencies(str(fact.n_planes) for fact in readable),
        reading_notes=frequencies(str(fact.note) for fact in readable if fact.note),
        notes=(*dataset.notes, *shared_class_notes(dataset)),
        are_copies_known=scan.near_duplicates is not None,
        findings=find_all(dataset, scan),
    )


def _predefined_split(dataset: Dataset) -> dict[str, int] | None:
    if not dataset.has_predefined_split:
        return None
    images = Counter(record.predefined_split for record in dataset.records)
    return {side: images[side] for side in SIDES}


def find_all(dataset: Dataset, scan: Scan) -> tuple[Finding, ...]:
    """Return the findings about the images, the most severe first."""
    findings_of = {kind: tuple(_findings_of(kind, dataset, scan)) for kind in tuple(FINDINGS.values())}
    names = {kind.name for kind, findings in findings_of.items() if findings}
    relevant = [finding for kind, findings in findings_of.items() if kind.unless not in names for finding in findings]
    return tuple(sorted(relevant, key=lambda finding: SEVERITIES.index(finding.severity)))


def _findings_of(kind: FindingKind, dataset: Dataset, scan: Scan) -> Iterator[Finding]:
    for case in kind.find(dataset, scan):
        yield Finding(
            code=kind.name,
            severity=kind.severity,
            message=case.message,
            title=kind.heading,
            text=case.text,
            do=case.do,
            remedies=case.remedies,
            images=case.images,
            notes=case.notes,
            limit=case.limit,
            **case.parameters,
        )


# Locations of names that may be several spellings of one name: the cells of tables, or the folders.

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
    return record.label if meaning == "label" else record.group


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
