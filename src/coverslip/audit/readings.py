"""Readings: labels of the same images by several readers, as tables, and how far the readers agree.

A table has a row for each image and reader: the image (`image_id` or `path`), `label`, `author` and `time`. Tables from
the app have the column `kind`: `label` is the label that the dataset had before, `reading` a label by a reader who did
not see it, and `decision` the label of an image on which readers differ.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from coverslip.datasets.columns import column_named, plain_name, refuse_duplicates
from coverslip.datasets.index.image_tables import read_table
from coverslip.datasets.names import clean_label, natural_key, one_line
from coverslip.datasets.quality.findings import similar_names
from coverslip.errors import BadDataset, CoverslipError
from coverslip.evaluation.comparison import Agreement, agreement_of
from coverslip.messages import text
from coverslip.notebooks import html_table
from coverslip.table_cells import composed

READING_COLUMNS = ("image_id", "path", "label", "author", "time", "kind")
LABEL, READING, DECISION = "label", "reading", "decision"  # values of `kind`


@dataclass(frozen=True, slots=True)
class Reading:
    """A label of an image by a reader."""

    image_id: str  # empty: the table has no such column
    path: str
    label: str
    author: str
    time: str
    kind: str  # empty: the table has no such column
    group: str
    line: int  # in its table


@dataclass(frozen=True, slots=True)
class ReaderAgreement:
    """The agreement of two readers."""

    first: str
    second: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class ReadersAgreement:
    """The agreement of each pair of readers with common images."""

    readers: dict[str, int]  # number of images by reader
    pairs: tuple[ReaderAgreement, ...]
    similar_labels: tuple[tuple[str, ...], ...] = ()  # sets of labels that may be one class with several spellings

    def _repr_html_(self) -> str:
        """Return the agreement of each pair with the interval of kappa, for notebooks."""
        rows = [
            (pair.first, pair.second, each.n, each.agreement.value, each.kappa.value, each.kappa.low, each.kappa.high)
            for pair in self.pairs
            for each in (pair.agreement,)
        ]
        columns = ("reader", "reader", "images", "agreement", "kappa", "low", "high")
        return html_table(", ".join(f"{name}: {n:,}" for name, n in self.readers.items()), columns, rows)


def agreement(tables: Path | str | Sequence[Path | str], *, group: str | None = None) -> ReadersAgreement:
    """Compare the labels of readers: percent agreement and Cohen's kappa of each pair, with 95% intervals.

    Args:
        tables: tables with the columns `label`, `image_id` or `path`, and `author`; without `author`, the reader is the
            name of the file, with its folder if other tables have the same name.
        group: the column with the group of each image (patient, slide). Images of a group are not independent.

    Raises:
        BadDataset: a table cannot be read, or has not these columns.
        CoverslipError: a reader has two labels for an image, an image is of two groups, or no two readers have a common
            image.

    Examples:
        >>> from pathlib import Path
        >>> _ = Path("ada.csv").write_text("path,label\\n1.tif,cell\\n2.tif,cell\\n3.tif,debris\\n")
        >>> _ = Path("grace.csv").write_text("path,label\\n1.tif,cell\\n2.tif,debris\\n3.tif,debris\\n")
        >>> compared = cs.agreement(["ada.csv", "grace.csv"])
        >>> round(compared.pairs[0].agreement.kappa.value, 2)
        0.4
    """
    files = [Path(file) for file in ([tables] if isinstance(tables, str | Path) else tables)]
    of_file = {file: read_readings(file, group=group) for file in files}
    n_of_stem = Counter(file.stem for file in of_file)
    readings = [each for of_one in of_file.values() for each in of_one if each.kind != DECISION]
    has_ids = all(each.image_id for each in readings)
    labels: dict[str, dict[str, str]] = {}
    groups: dict[str, str] = {}
    for file, of_one in of_file.items():
        name = file.stem if n_of_stem[file.stem] == 1 else file.as_posix()
        for each in of_one:
            if each.kind == DECISION:
                continue
            image = composed(each.image_id if has_ids else each.path)
            if not image:
                raise BadDataset("readings-without-image", file=file, line=each.line)
            reader = text("reader-of-labels") if each.kind == LABEL else each.author or name
            if labels.setdefault(reader, {}).setdefault(image, each.label) != each.label:
                raise CoverslipError("readings-of-one-image", file=file, reader=one_line(reader), image=one_line(image))
            group_name = composed(each.group)
            if group_name and (other := groups.setdefault(image, group_name)) != group_name:
                raise CoverslipError(
                    "readings-of-two-groups",
                    file=file,
                    image=one_line(image),
                    first=one_line(other),
                    second=one_line(group_name),
                )
    pairs = [
        ReaderAgreement(first, second, _agreement(labels[first], labels[second], groups if group else None))
        for first, second in combinations(labels, 2)
        if labels[first].keys() & labels[second].keys()
    ]
    if not pairs:
        raise CoverslipError("readings-not-shared", n_readers=len(labels))
    names = {label for of_reader in labels.values() for label in of_reader.values()}
    return ReadersAgreement(
        {reader: len(of_reader) for reader, of_reader in labels.items()},
        tuple(pairs),
        tuple(similar_names(sorted(names, key=natural_key))),
    )


def _agreement(first: dict[str, str], second: dict[str, str], groups: dict[str, str] | None) -> Agreement:
    common = [image for image in first if image in second]
    a, b = [first[image] for image in common], [second[image] for image in common]
    of_group = None if groups is None else [groups.get(image) for image in common]
    return agreement_of(a, b, sorted({*a, *b}, key=natural_key), of_group)


def read_readings(file: Path, *, group: str | None = None) -> list[Reading]:
    """Return the readings of a table, without rows whose label is empty.

    Raises:
        BadDataset: it cannot be read, or has no column of the images, labels or groups.
    """
    table = read_table(file)
    at = {name: column_named(table.columns, name) for name in ("author", "time", "kind")}
    at |= {name: table.index(name) for name in ("image_id", "path", "label")}
    at["group"] = None if group is None else column_named(table.columns, group)
    if at["label"] is None or (at["image_id"] is None and at["path"] is None):
        raise BadDataset("readings-without-columns", file=file, columns=", ".join(map(one_line, table.columns)))
    if group is not None and at["group"] is None:
        raise BadDataset("readings-without-group", file=file, column=one_line(group))
    refuse_duplicates(table.columns, {plain_name(table.columns[k]) for k in at.values() if k is not None}, file)
    readings = []
    for line, row in zip(table.lines, table.rows, strict=True):
        cells = {name: "" if k is None else row[k] for name, k in at.items()}
        label = clean_label(cells.pop("label"))
        if label:
            readings.append(Reading(**cells, label=label, line=line))
    return readings
